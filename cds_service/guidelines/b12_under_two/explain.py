"""How a conclusion about this guideline's children was reached: what was known, and each rule.

`account_for` gives it as data for a page to show, `explain` the same in plain text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date

from msgspec import structs

from cds_service.clinical import Moment, Record, Unread
from cds_service.guidelines import naming
from cds_service.guidelines.b12_under_two import Evaluation, words
from cds_service.guidelines.b12_under_two.age import Age, Band, recorded
from cds_service.guidelines.b12_under_two.data import Guideline
from cds_service.guidelines.b12_under_two.drugs import Route
from cds_service.guidelines.b12_under_two.facts import Facts, Finding
from cds_service.guidelines.b12_under_two.messages import Explain
from cds_service.guidelines.b12_under_two.results import LAB_UNITS, Lab, Level
from cds_service.guidelines.b12_under_two.silence import unread_by_need
from cds_service.guidelines.b12_under_two.tables.result import Verdict
from cds_service.guidelines.explain import Account, Fact, asked_of, table_accounts, worded
from cds_service.guidelines.explain import written as as_text
from cds_service.language import Amount, Language, Listed, Message, Value, Words, house, say

_BANDS: Mapping[Band, Message] = {
    "infant": say(Explain.infant),
    "toddler": say(Explain.toddler),
    "either": say(Explain.infant_or_toddler),
}
_VERDICTS: Mapping[Verdict, Message] = {
    "deficient": say(Explain.verdict_deficient),
    "borderline": say(Explain.verdict_borderline),
    "adequate": say(Explain.verdict_adequate),
    "indeterminate": say(Explain.verdict_indeterminate),
    "low": say(Explain.verdict_low),
}
_ROUTES: Mapping[Route, Message] = {
    "oral": say(Explain.route_oral),
    "parenteral": say(Explain.route_parenteral),
    "other": say(Explain.route_other),
    "unknown": say(Explain.route_unknown),
}


def account_for(
    evaluation: Evaluation, record: Record, g: Guideline, language: Language
) -> Account:
    """The account in the words of ``language``."""
    asked = asked_of(evaluation.reasoning.matches, language)

    def why_not(table: str) -> Words:
        return _why_not_asked(table, evaluation)

    tables = tuple(table_accounts(g.tables, asked, why_not, language))
    return Account(worded(_facts(evaluation, record, g, language), language), tables)


def explain(evaluation: Evaluation, record: Record, g: Guideline, language: Language) -> str:
    """The same account as plain text."""
    return as_text(account_for(evaluation, record, g, language), language)


def _why_not_asked(table: str, evaluation: Evaluation) -> Words:
    """Why nothing was asked of a table in this evaluation, or "" where its own words say it."""
    assessment = evaluation.assessment
    if table == "b12 result":
        return say(Explain.no_result_to_ask)
    if assessment is None:
        return say(Explain.ended, rule=evaluation.facts.age.rule)
    if table == "order":
        return say(Explain.no_order)
    if table == "severity":
        return say(Explain.not_deficient, status=words.STATUSES[assessment.status.name])
    if table == "follow up":
        return say(Explain.no_treatment)
    if "IN-03" in evaluation.reasoning.fired():
        return say(Explain.ended, rule="IN-03")
    return ""


# --- facts --------------------------------------------------------------------------------------


def _facts(
    evaluation: Evaluation, record: Record, g: Guideline, language: Language
) -> Iterator[Fact]:
    facts = evaluation.facts
    yield Fact(say(Explain.age), _age(facts))
    yield _weight(facts, language)
    yield from _levels(evaluation, record, language)
    yield from _labs(facts, g, language)
    yield Fact(say(Explain.feeding), _feeding(facts))
    yield from (Fact(say(Explain.problems), text) for text in _problems(facts))
    yield Fact(say(Explain.treatment), _treatment(facts))
    yield from _assessed(evaluation, g)
    yield from (Fact(say(Explain.not_known), text) for text in _missing(record, facts.unread))


def _assessed(evaluation: Evaluation, g: Guideline) -> Iterator[Fact]:
    assessment = evaluation.assessment
    if assessment is None:
        return
    status, severity = assessment.status, assessment.severity
    called = words.STATUSES[status.name]
    yield Fact(say(Explain.status), say(Explain.by_rule, what=called, rule=status.rule))
    cause = words.CAUSES[assessment.cause]
    names = words.named(assessment.causes)
    if names:
        cause = say(Explain.cause_named, cause=cause, names=names)
    yield Fact(say(Explain.cause), cause)
    graded = say(Explain.not_graded)
    if severity is not None:
        because = assessment.severity_because or say(Explain.no_worse_sign)
        graded = say(
            Explain.graded,
            severity=words.SEVERITIES[severity],
            rule=assessment.severity_rule,
            because=because,
        )
    yield Fact(say(Explain.severity), graded)
    if severity is not None and assessment.unavailable:
        unknown = Listed(tuple(naming.lab(name) for name in assessment.unavailable))
        yield Fact("", say(Explain.none_recent, names=unknown))


def _age(facts: Facts) -> Message:
    birth, age = facts.patient.birth, facts.age
    if facts.patient.deceased:
        return say(Explain.deceased, rule=age.rule)
    if birth is None:
        return say(Explain.no_birth_date, rule=age.rule)
    born = _day(birth)
    if birth.first > facts.on:
        return say(Explain.born_later, born=born, on=facts.on, rule=age.rule)
    if not age.covered and age.oldest == 0:
        return say(Explain.born_outside, born=born, rule=age.rule)
    months: Value = age.youngest
    if age.youngest != age.oldest:
        months = say(Explain.range, first=age.youngest, last=age.oldest)
    group = _group(age)
    if age.oldest < 2:
        days = (facts.on - birth.first).days
        return say(
            Explain.months_and_days, months=months, days=days, born=born, group=group, rule=age.rule
        )
    return say(Explain.months, months=months, born=born, group=group, rule=age.rule)


def _group(age: Age) -> Message:
    group = say(Explain.outside) if age.band is None else _BANDS[age.band]
    if age.neonate:
        return say(Explain.newborn, group=group)
    return say(Explain.under_one_month, group=group) if age.under_one_month else group


def _weight(facts: Facts, language: Language) -> Fact:
    weight, source = facts.weight, facts.weight.source
    name = say(Explain.weight)
    if weight.kg is not None and weight.when is not None:
        kg = language.text(Amount(round(weight.kg, 3), "kg"))
        sent = "" if weight.written == kg else weight.written
        shown = _as_sent(kg, sent)
        text = say(
            Explain.weight_estimated if weight.estimated else Explain.weight_measured,
            value=shown, date=recorded(weight.when), source=source,
        )  # fmt: skip
        day = language.text(recorded(weight.when))
        return Fact(name, _not_used(text, facts), kg, sent, day, source)
    if weight.when is not None:
        when = recorded(weight.when)
        old = say(Explain.weight_old, date=when, source=source)
        return Fact(name, _not_used(old, facts), day=language.text(when), source=source)
    return Fact(name, _not_used(say(Explain.no_weight), facts))


def _not_used(weight: Message, facts: Facts) -> Message:
    rejected = facts.weight.rejected
    if not rejected:
        return weight
    return say(Explain.weight_and_rejected, weight=weight, rejected=Listed(rejected))


def _as_sent(value: str, sent: str) -> Words:
    return say(Explain.as_sent, value=value, sent=sent) if sent else value


def _levels(evaluation: Evaluation, record: Record, language: Language) -> Iterator[Fact]:
    facts, name = evaluation.facts, say(Explain.b12)
    assessment = evaluation.assessment
    counted = assessment.status.level if assessment is not None else None
    for level in facts.levels:
        fact = _level(level, language)
        if level is counted:
            fact = structs.replace(fact, text=say(Explain.counted, level=fact.text))
        yield fact
    if facts.preliminary is not None:
        fact = _level(facts.preliminary, language)
        yield structs.replace(fact, text=say(Explain.preliminary, level=fact.text))
    for written in facts.unusable:
        yield Fact(name, say(Explain.unusable, result=written))
    for other in facts.not_b12:
        yield Fact(name, say(Explain.another_test, name=other))
    if not (facts.levels or facts.preliminary or facts.unusable or facts.not_b12):
        missing = "b12" in record.missing
        yield Fact(name, say(Explain.not_available if missing else Explain.no_result))


def _level(level: Level, language: Language) -> Fact:
    value, day = language.text(words.shown_level(level)), _day(level.when)
    sent = "" if level.written == value else level.written
    text = say(
        Explain.level,
        value=_as_sent(value, sent), date=day,
        source=level.source, verdict=_VERDICTS[level.verdict],
    )  # fmt: skip
    return Fact(say(Explain.b12), text, value, sent, language.text(day), level.source)


def _labs(facts: Facts, g: Guideline, language: Language) -> Iterator[Fact]:
    for name, labs in facts.labs.items():
        if labs:
            newest = labs[0]
            day = _day(newest.when)
            text = _lab(newest, g.file.labs.get(name, name), day)
            value = say(
                Explain.quantity,
                comparator=newest.comparator, number=round(newest.value, 3), unit=LAB_UNITS[name],
            )  # fmt: skip
            yield Fact(
                say(Explain.labs), text, value, newest.written, language.text(day), newest.source
            )


def _lab(lab: Lab, name: str, day: Value) -> Message:
    if lab.high:
        return say(Explain.lab_high, name=name, value=lab.written, date=day, source=lab.source)
    return say(
        Explain.lab_low if lab.low else Explain.lab,
        name=name, value=lab.written, date=day, source=lab.source,
    )  # fmt: skip


def _feeding(facts: Facts) -> Value:
    fed = say(Explain.feeding_unknown)
    if facts.breast_fed is not None:
        fed = say(Explain.breast_fed if facts.breast_fed else Explain.not_breast_fed)
    told = [fed]
    if facts.maternal_diet:
        told.append(say(Explain.mothers_diet, diet=facts.maternal_diet))
    if facts.child_diet:
        told.append(say(Explain.childs_diet, diet=facts.child_diet))
    return Listed(tuple(told))


def _problems(facts: Facts) -> Iterator[Message]:
    anaemia = (*facts.anemia, *facts.megaloblastic, *facts.pancytopenia)
    deficiency = (*facts.deficiency, *facts.deficiency_nonspecific)
    bleeding = (*facts.bleeding, *facts.thrombocytopenia, *facts.worded.bleeding)
    possible = facts.malabsorption_possible
    groups: tuple[tuple[Sequence[Finding], Message], ...] = (
        (facts.neurological, say(Explain.neurological, found=_found(facts.neurological))),
        (facts.paradoxical, say(Explain.movements, found=_found(facts.paradoxical))),
        (facts.failure_to_thrive, say(Explain.thriving, found=_found(facts.failure_to_thrive))),
        (anaemia, say(Explain.anaemia, found=_found(anaemia))),
        (facts.malabsorption, say(Explain.malabsorption, found=_found(facts.malabsorption))),
        (possible, say(Explain.malabsorption_possible, found=_found(possible))),
        (facts.inborn, say(Explain.inborn, found=_found(facts.inborn))),
        (facts.dietary, say(Explain.diet, found=_found(facts.dietary))),
        (deficiency, say(Explain.deficiency, found=_found(deficiency))),
        (bleeding, say(Explain.bleeding, found=_found(bleeding))),
        (facts.leber, say(Explain.optic_nerve, found=_found(facts.leber))),
        (facts.renal, say(Explain.kidneys, found=_found(facts.renal))),
        (facts.preterm, say(Explain.preterm, found=_found(facts.preterm))),
    )
    told = [text for findings, text in groups if findings]
    if facts.reactions:
        told.append(say(Explain.reactions, found=Listed(facts.reactions)))
    yield from told
    if not told and not any(one.need == "conditions" for one in facts.unread):
        yield say(Explain.no_problem)


def _found(findings: Iterable[Finding]) -> Listed:
    return Listed(tuple(dict.fromkeys(map(_finding, findings))))


def _finding(finding: Finding) -> Words:
    told: Words = finding.name
    if finding.possible:
        told = say(Explain.possible, finding=told)
    if finding.onset is not None:
        told = say(Explain.since, finding=told, date=_day(finding.onset))
    if finding.severe:
        told = say(Explain.severe, finding=told)
    return say(Explain.recorded_in, finding=told, source=finding.source) if finding.source else told


def _treatment(facts: Facts) -> Message:
    therapy = facts.therapy
    if not therapy.current:
        told = say(Explain.untreated)
        if therapy.earlier:
            course = words.earlier_course(therapy.earlier)
            told = say(Explain.treated_earlier, treatment=told, course=course)
        if therapy.doubtful:
            names = Listed(therapy.doubtful)
            told = say(Explain.looks_like_b12, treatment=told, names=names)
        return told
    named = (one.text or (one.codes[0].display if one.codes else "") for one in therapy.active)
    names = Listed(tuple(dict.fromkeys(name for name in named if name)))
    orders = names if names.items else say(Explain.doses_given)
    route = _ROUTES[therapy.route]
    if therapy.start:
        since, day = recorded(therapy.start), words.days_of(therapy.start, facts.on)
        told = say(Explain.treated, orders=orders, date=since, day=day, route=route)
    else:
        told = say(Explain.treated_undated, orders=orders, route=route)
    return say(Explain.on_hold, treatment=told) if therapy.on_hold else told


def _missing(record: Record, unread: Iterable[Unread]) -> Iterator[Message]:
    needs = words.NEEDS
    for key, why in record.missing.items():
        yield say(house.Account.missing, need=needs.get(key, key), reason=why)
    for key in sorted(record.incomplete):
        yield say(house.Account.incomplete, need=needs.get(key, key))
    for key, things in unread_by_need(unread):
        yield say(Explain.unread, need=needs.get(key, key), things=things)
    if record.foreign:
        yield say(Explain.foreign, count=record.foreign)


def _day(moment: Moment) -> Value:
    when = recorded(moment)
    if isinstance(when, date) or when.stretch != "days":
        return when
    return say(Explain.between, first=moment.first, last=moment.last)
