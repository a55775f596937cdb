"""How a conclusion about this guideline's children was reached: what was known, and each rule.

`account_for` gives it as data for a page to show, `explain` the same in plain text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from cds_service.clinical import Moment, Record
from cds_service.guidelines.b12_under_two import Evaluation, words
from cds_service.guidelines.b12_under_two.data import Guideline
from cds_service.guidelines.b12_under_two.facts import Facts, Finding
from cds_service.guidelines.b12_under_two.results import LAB_UNITS, Level
from cds_service.guidelines.explain import Account, Fact, asked_of, table_accounts
from cds_service.guidelines.explain import written as as_text


def account_for(evaluation: Evaluation, record: Record, g: Guideline) -> Account:
    asked = asked_of(evaluation.reasoning.matches)

    def why_not(table: str) -> str:
        return _why_not_asked(table, evaluation)

    tables = tuple(table_accounts(g.tables, asked, why_not))
    return Account(tuple(_facts(evaluation, record, g)), tables)


def explain(evaluation: Evaluation, record: Record, g: Guideline) -> str:
    """The same account as plain text."""
    return as_text(account_for(evaluation, record, g))


def _why_not_asked(table: str, evaluation: Evaluation) -> str:
    """Why nothing was asked of a table in this evaluation, or "" where its own words say it."""
    assessment = evaluation.assessment
    if table == "b12 result":
        return "no vitamin B12 result on record"
    if assessment is None:
        return f"{evaluation.facts.age.rule} ended the evaluation"
    if table == "order":
        return "no order is being checked"
    if table == "severity":
        return f"not deficient: the status is {assessment.status.name}"
    if table == "follow up":
        return "no treatment on record"
    if "IN-03" in evaluation.reasoning.fired():
        return "IN-03 ended the evaluation"
    return ""


# --- facts --------------------------------------------------------------------------------------


def _facts(evaluation: Evaluation, record: Record, g: Guideline) -> Iterator[Fact]:
    facts = evaluation.facts
    yield Fact("Age", _age(facts))
    yield _weight(facts)
    yield from _levels(evaluation, record)
    yield from _labs(facts, g)
    yield Fact("Feeding", _feeding(facts))
    yield from (Fact("Problems", text) for text in _problems(facts))
    yield Fact("Treatment", _treatment(facts))
    assessment = evaluation.assessment
    if assessment is not None:
        status = assessment.status
        yield Fact("Status", f"{status.name} ({status.rule})")
        cause = words.named(assessment.causes)
        yield Fact("Cause", f"{assessment.cause}{f' ({cause})' if cause else ''}")
        severity = "not graded, not deficient"
        if assessment.severity is not None:
            because = assessment.severity_because or "no sign of a worse grade"
            severity = f"{assessment.severity} ({assessment.severity_rule}: {because})"
        yield Fact("Severity", severity)
        if assessment.severity is not None and assessment.unavailable:
            unknown = ", ".join(g.file.names.labs[name] for name in assessment.unavailable)
            yield Fact("", f"no recent {unknown}")
    yield from (Fact("Not known", text) for text in _missing(record, g))


def _age(facts: Facts) -> str:
    birth, age = facts.patient.birth, facts.age
    if facts.patient.deceased:
        return f"deceased ({age.rule})"
    if birth is None:
        return f"unknown, no readable date of birth ({age.rule})"
    born = f"born {_day(birth)}"
    if birth.first > facts.on:
        return f"{born}, after the date of evaluation {facts.on} ({age.rule})"
    months = f"{age.youngest}" if age.youngest == age.oldest else f"{age.youngest} to {age.oldest}"
    if not age.covered and age.oldest == 0:
        return f"{born}: outside the guideline's range ({age.rule})"
    days = f", {(facts.on - birth.first).days} days" if age.oldest < 2 else ""
    group = {"either": "infant or toddler", None: "outside the guideline's range"}.get(
        age.band, age.band
    )
    newborn = ", newborn" if age.neonate else ", under one month" if age.under_one_month else ""
    return f"{months} completed months{days} ({born}): {group}{newborn} ({age.rule})"


def _weight(facts: Facts) -> Fact:
    weight = facts.weight
    rejected = f"; not used: {', '.join(weight.rejected)}" if weight.rejected else ""
    if weight.kg is not None:
        kg = f"{words.number(round(weight.kg, 3))} kg"
        how = ", stated or estimated" if weight.estimated else ""
        note = f"{how}, {weight.source}{rejected}"
        return _measured("Weight", kg, weight.written, str(weight.on), weight.source, note)
    if weight.on is not None:
        text = f"the last one, of {weight.on}, is too old to dose by, {weight.source}{rejected}"
        return Fact("Weight", text, day=str(weight.on), source=weight.source)
    return Fact("Weight", f"none that can be used{rejected}")


def _measured(name: str, value: str, written: str, day: str, source: str, note: str) -> Fact:
    sent = "" if written == value else written
    shown = f"{value} (sent as {sent})" if sent else value
    return Fact(name, f"{shown} on {day}{note}", value, sent, day, source)


def _levels(evaluation: Evaluation, record: Record) -> Iterator[Fact]:
    facts = evaluation.facts
    assessment = evaluation.assessment
    counted = assessment.status.level if assessment is not None else None
    for level in facts.levels:
        yield _level(level, ", the result that counts" if level is counted else "")
    if facts.preliminary is not None:
        yield _level(facts.preliminary, ", preliminary: decides nothing")
    for written in facts.unusable:
        yield Fact("Vitamin B12", f"{written}: cannot be used")
    for name in facts.not_b12:
        yield Fact("Vitamin B12", f"{name}: another test")
    if not (facts.levels or facts.preliminary or facts.unusable or facts.not_b12):
        known = "not available" if "b12" in record.missing else "no result on record"
        yield Fact("Vitamin B12", known)


def _level(level: Level, remark: str) -> Fact:
    note = f", {level.source}: {level.verdict}{remark}"
    value, day = words.shown_level(level), _day(level.when)
    return _measured("Vitamin B12", value, level.written, day, level.source, note)


def _labs(facts: Facts, g: Guideline) -> Iterator[Fact]:
    for name, labs in facts.labs.items():
        if labs:
            newest = labs[0]
            flag = " high" if newest.high else " low" if newest.low else ""
            test, day = g.file.names.labs.get(name, name), _day(newest.when)
            yield Fact(
                "Other results",
                f"{test} {newest.written}{flag} on {day}, {newest.source}",
                f"{newest.comparator}{words.number(round(newest.value, 3))} {LAB_UNITS[name]}",
                newest.written,
                day,
                newest.source,
            )


def _feeding(facts: Facts) -> str:
    fed = {True: "breast-fed", False: "not breast-fed", None: "not documented"}[facts.breast_fed]
    diets = (("the mother's diet", facts.maternal_diet), ("the child's diet", facts.child_diet))
    return ", ".join([fed, *(f"{whose}: {diet}" for whose, diet in diets if diet)])


def _problems(facts: Facts) -> Iterator[str]:
    groups: Sequence[tuple[str, Iterable[Finding]]] = (
        ("neurological", facts.neurological),
        ("movements since treatment began", facts.paradoxical),
        ("failure to thrive", facts.failure_to_thrive),
        ("anaemia", (*facts.anemia, *facts.megaloblastic, *facts.pancytopenia)),
        ("malabsorption", facts.malabsorption),
        ("malabsorption possible, decides nothing", facts.malabsorption_possible),
        ("inborn error", facts.inborn),
        ("diet", facts.dietary),
        ("B12 deficiency", (*facts.deficiency, *facts.deficiency_nonspecific)),
        ("bleeding", (*facts.bleeding, *facts.thrombocytopenia)),
        ("optic nerve", facts.leber),
        ("kidneys", facts.renal),
        ("preterm", facts.preterm),
    )
    silent = True
    for name, findings in groups:
        seen = dict.fromkeys(_finding(one) for one in findings)
        if seen:
            silent = False
            yield f"{name}: {', '.join(seen)}"
    if facts.reactions:
        silent = False
        yield f"reaction to cobalamin: {', '.join(facts.reactions)}"
    if facts.uncoded_problems:
        yield f"{facts.uncoded_problems} without a code, not evaluated"
    if facts.unverified:
        yield f"code not verified, not evaluated: {', '.join(facts.unverified)}"
    if silent:
        yield "none that the guideline looks at"


def _finding(finding: Finding) -> str:
    since = f" since {_day(finding.onset)}" if finding.onset is not None else ""
    possible = "possible " if finding.possible else ""
    severe = ", recorded as severe" if finding.severe else ""
    source = f" ({finding.source})" if finding.source else ""
    return f"{possible}{finding.name}{since}{severe}{source}"


def _treatment(facts: Facts) -> str:
    therapy = facts.therapy
    if not therapy.current:
        earlier = f"; earlier treatment, last on {therapy.earlier}" if therapy.earlier else ""
        names = ", ".join(therapy.looks_like_b12)
        looks = f"; named like vitamin B12 but not counted: {names}" if names else ""
        return f"no vitamin B12 in force{earlier}{looks}"
    named = (one.text or (one.codes[0].display if one.codes else "") for one in therapy.active)
    orders = ", ".join(dict.fromkeys(name for name in named if name)) or "doses given"
    since = f"since {therapy.start}" if therapy.start else "start not dated"
    day = f", day {(facts.on - therapy.start).days}" if therapy.start else ""
    hold = ", on hold" if therapy.on_hold else ""
    return f"{orders} {since}{day}, route {therapy.route}{hold}"


def _missing(record: Record, g: Guideline) -> Iterator[str]:
    names = {need.key: need.name for need in g.needs}
    for key, why in record.missing.items():
        yield f"{names.get(key, key)}: {why}"
    for key in sorted(record.incomplete):
        yield f"{names.get(key, key)}: possibly incomplete"
    for key, count in record.unreadable.items():
        yield f"{names.get(key, key)}: {count} could not be read"
    if record.foreign:
        yield f"{record.foreign} records of other patients were left out"


def _day(moment: Moment) -> str:
    if moment.first == moment.last:
        return str(moment.first)
    return f"between {moment.first} and {moment.last}"
