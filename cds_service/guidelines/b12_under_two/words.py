"""What a card says about the patient: the findings, and the values that texts name; and why nothing
is stated."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import ROUND_DOWN, Decimal

from cds_service.clinical import Moment, PlannedDrug, PlannedTest
from cds_service.guidelines import naming
from cds_service.guidelines.b12_under_two.age import days_since, fewest_days_since, recorded
from cds_service.guidelines.b12_under_two.assessment import (
    Assessment,
    Status,
    extreme_homocysteine,
    fallen_extremes,
    is_high,
    months_at,
    newest_unsettled,
    raised_in_newborn,
    shown_lab,
    told_risk,
)
from cds_service.guidelines.b12_under_two.data import Guideline
from cds_service.guidelines.b12_under_two.facts import Facts, Finding, injection_product
from cds_service.guidelines.b12_under_two.giving import headline
from cds_service.guidelines.b12_under_two.messages import Orders, Texts
from cds_service.guidelines.b12_under_two.products import has_phrase
from cds_service.guidelines.b12_under_two.results import Lab, LabName, Level
from cds_service.guidelines.b12_under_two.tables.cause import Cause
from cds_service.guidelines.b12_under_two.tables.severity import Severity
from cds_service.guidelines.b12_under_two.tables.status import StatusName
from cds_service.guidelines.b12_under_two.therapy import Earlier
from cds_service.guidelines.engine import (
    Choice,
    Note,
    NotIndicated,
    Section,
)
from cds_service.language import (
    Amount,
    Briefly,
    Inside,
    Listed,
    Message,
    Sent,
    Value,
    Words,
    id_of,
    plain_case,
    say,
)

#: What a card calls each status, severity and cause.
STATUSES: Mapping[StatusName, Message] = {
    "follow-up": say(Texts.status_follow_up),
    "deficient": say(Texts.status_deficient),
    "deficient (functional)": say(Texts.status_deficient_functional),
    "deficient (old result)": say(Texts.status_deficient_old_result),
    "deficient (diagnosis only)": say(Texts.status_deficient_diagnosis_only),
    "probably adequate": say(Texts.status_probably_adequate),
    "borderline": say(Texts.status_borderline),
    "adequate with signs": say(Texts.status_adequate_with_signs),
    "adequate": say(Texts.status_adequate),
    "unknown": say(Texts.status_unknown),
    "unknown at risk": say(Texts.status_unknown_at_risk),
}
SEVERITIES: Mapping[Severity, Message] = {
    "severe": say(Texts.severity_severe),
    "moderate": say(Texts.severity_moderate),
    "mild": say(Texts.severity_mild),
}
CAUSES: Mapping[Cause, Message] = {
    "inborn": say(Texts.cause_is_inborn),
    "malabsorption": say(Texts.cause_is_malabsorption),
    "mixed": say(Texts.cause_is_mixed),
    "nutritional": say(Texts.cause_is_nutritional),
    "nutritional possible": say(Texts.cause_is_nutritional_possible),
    "unknown": say(Texts.cause_is_unknown),
}

#: What the guideline reads about a patient, by the keys of its needs.
NEEDS: Mapping[str, Message] = {
    "patient": say(Texts.need_patient),
    "b12": say(Texts.need_b12),
    "conditions": say(Texts.need_conditions),
    "weight": say(Texts.need_weight),
    "labs": say(Texts.need_labs),
    "feeding": say(Texts.need_feeding),
    "meds": say(Texts.need_meds),
    "procedures": say(Texts.need_procedures),
    "allergies": say(Texts.need_allergies),
    "administrations": say(Texts.need_administrations),
    "orders": say(Texts.need_orders),
    "family": say(Texts.need_family),
    "tasks": say(Texts.need_tasks),
}

#: So many problems that were not judged are named; the rest are counted.
_MOST_NAMES = 5
#: Where a cause is recorded.
OF_CAUSES = ("conditions", "feeding", "procedures", "family")


def shown_weight(kg: Decimal) -> Decimal:
    """A weight as a scale shows it; the dose is calculated from the weight as sent."""
    return kg.quantize(Decimal("0.01"))


def days_of(begun: Moment, on: date) -> Value:
    """The day of a treatment, or between which days it is."""
    least, most = fewest_days_since(begun, on), days_since(begun, on)
    return most if least == most else say(Texts.between_days, least=least, most=most)


def earlier_course(earlier: Earlier) -> Message:
    """When an earlier treatment ended, or only that it was ordered."""
    if earlier.is_open:
        return say(Texts.course_open, date=recorded(earlier.when))
    return say(Texts.course_ended, date=recorded(earlier.when))


def untreated_days(since: Moment, on: date) -> Value:
    """How long, at the most where it is known by a month or year only."""
    days = days_since(since, on)
    return say(Texts.up_to_days, days=days) if since.is_partial else days


def named(findings: Sequence[Finding | Message]) -> Value:
    """Names of problems for a card, uncertain ones marked; "" for none."""
    if not findings:
        return ""
    names = {
        (plain_case(one.name), one.possible, one.whose): Inside(one.name) if one.term else one.name
        for one in findings
        if isinstance(one, Finding)
    }
    items = [
        _of_whom(say(Texts.possible, name=name) if doubt else name, whose)
        for (_, doubt, whose), name in names.items()
    ]
    return Listed((*items, *(one for one in findings if isinstance(one, Message))))


def _of_whom(name: Value, whose: str) -> Value:
    """A name, and that it is recorded of the mother or the family."""
    if not whose:
        return name
    return say(Texts.of_mother if whose == "mother" else Texts.of_family, what=name)


def _in_a_sentence(sign: Value, terms: frozenset[str]) -> Value:
    """A sign as it is inside a sentence, whatever it consists of; what is none of our ``terms`` as
    it was sent."""
    if isinstance(sign, Listed):
        return Listed(tuple([_in_a_sentence(one, terms) for one in sign.items]), sign.by)
    return Inside(sign) if isinstance(sign, str) and sign in terms else sign


def _with_its_values(sign: Value, terms: frozenset[str]) -> Value:
    """A sign inside a sentence, with the values that show it next to its names."""
    items = sign.items if isinstance(sign, Listed) else ()
    names = tuple([one for one in items if isinstance(one, str)])
    values = tuple([one for one in items if not isinstance(one, str)])
    if not (names and values):
        return _in_a_sentence(sign, terms)
    called = _in_a_sentence(Listed(names, "conjunction"), terms)
    return say(Texts.sign_shown, sign=called, values=Listed(values))


def shown_risks(risks: Sequence[Words], facts: Facts, g: Guideline) -> Listed:
    """What may leave a child short of vitamin B12, and that it is the mother's where its words do
    not say so."""
    mother = g.file.names.mother.words
    shown: list[Value] = []
    for one in risks:
        hers = one in facts.maternal and isinstance(one, str) and not has_phrase(one, mother)
        shown.append(say(Texts.of_mother, what=one) if hers else one)
    return Listed(tuple(shown))


def state_of(status: Status) -> Message:
    """What the mother's card says of the child's vitamin B12."""
    return _STATES.get(status.name, say(Texts.b12_low))


_STATES: Mapping[StatusName, Message] = {
    "borderline": say(Texts.b12_borderline),
    "deficient (functional)": say(Texts.b12_functional),
    "deficient (diagnosis only)": say(Texts.b12_diagnosed),
}


def shown_level(level: Level) -> Value:
    """A level in pg/mL; cut off, never rounded up over a limit."""

    def cut(value: Decimal) -> Amount:
        return Amount(value.quantize(Decimal("0.1"), ROUND_DOWN), "pg/mL")

    if level.verdict == "low":
        return say(Texts.low_without_number)
    if level.low is not None and level.low == level.high:
        return cut(level.low)
    if level.rule == "B12-07" and level.high is not None:
        return say(Texts.below, amount=cut(level.high))
    if level.rule == "B12-08" and level.low is not None:
        return say(Texts.above, amount=cut(level.low))
    if level.low is not None and level.high is not None:
        return say(Texts.between, low=cut(level.low).value, high=cut(level.high))
    return say(Texts.in_quotes, words=level.written)


def shown_metabolites(a: Assessment, g: Guideline) -> Listed:
    """The raised metabolites by name, with their dates where these are not that of the level."""
    level = a.status.level
    return Listed(
        tuple(
            shown_lab(one)
            if level is not None and one.when.first == level.when.first
            else say(Texts.level_on, level=shown_lab(one), date=recorded(one.when))
            for one in a.status.high_metabolites
        )
    )


def shown_labs(labs: Iterable[Lab]) -> Listed:
    """Laboratory values by name, each with its value as people write it."""
    return Listed(tuple(map(shown_lab, labs)))


def shown_extremes(facts: Facts, a: Assessment, g: Guideline) -> Listed:
    """The metabolites that make an inborn error a question, each with its value; under one month
    of age one is enough."""
    if not a.suspected:
        return shown_labs(raised_in_newborn(facts, g.limits))
    homocysteine = extreme_homocysteine(facts, g.limits)
    if homocysteine is None and a.suspicion != "ETI-01c":
        homocysteine = newest_unsettled(facts, "homocysteine", g.limits)
    found = [homocysteine, newest_unsettled(facts, "methylmalonate", g.limits)]
    if a.suspicion == "ETI-01d":
        found = [one for one in found if is_high(facts, one, g.limits)]
    return shown_dated([one for one in found if one is not None], facts.on, g)


def shown_dated(labs: Iterable[Lab], on: date, g: Guideline) -> Listed:
    """Laboratory values by name, those of more than a month ago with their date."""
    return Listed(
        tuple(
            [
                shown if recently else say(Texts.dated, what=shown, date=recorded(lab.when))
                for lab in labs
                for shown in shown_labs([lab]).items
                for recently in [g.limits.labs_recent.holds(fewest_days_since(lab.when, on))]
            ]
        )
    )


def headline_level(facts: Facts, a: Assessment, g: Guideline) -> Value:
    """The result a card rests on, as its summary says it."""
    level, status = a.status.level, a.status
    if level is None:
        if facts.deficiency and "diagnosis_only" in status.flags:
            return Briefly(say(Texts.headline_diagnosis), say(Texts.headline_diagnosis_brief))
        return say(Texts.headline_none)
    shown = shown_level(level)
    if status.name == "deficient (functional)":
        full = say(Texts.headline_functional, level=shown)
        return Briefly(full, say(Texts.headline_functional_brief, level=shown))
    others = _disagreeing(facts, level)
    if "discordant" in status.flags and others:
        return say(Texts.headline_discordant, level=shown, other=shown_level(others[0]))
    if status.name == "deficient (old result)":
        return say(Texts.headline_old, level=shown, date=recorded(level.when))
    return say(Texts.headline, level=shown)


def _disagreeing(facts: Facts, level: Level) -> list[Level]:
    return [one for one in facts.levels[1:] if one.verdict != level.verdict]


class CardValues(dict[str, Value]):
    """What summaries and advice may name: a method for each name, asked when a text names it, as
    most do two or three."""

    def __init__(
        self, facts: Facts, a: Assessment, choices: Sequence[Choice], g: Guideline
    ) -> None:
        self.facts, self.a, self.choices, self.g = facts, a, choices, g

    def __missing__(self, name: str) -> Value:
        method = getattr(self, f"of_{name}", None)
        if method is None:
            raise KeyError(name)
        value: Value = method()
        self[name] = value
        return value

    def beside(self, others: Mapping[str, object]) -> CardValues:
        """With what one card alone names."""
        both = CardValues(self.facts, self.a, self.choices, self.g)
        both.update(self)
        both.update(others)  # type: ignore[arg-type]
        return both

    def of_level(self) -> Value:
        return headline_level(self.facts, self.a, self.g)

    def of_value(self) -> Value:
        level = self.a.status.level
        return shown_value(level) if level else say(Texts.no_current_level)

    def of_untreated(self) -> Value:
        since = self.a.untreated_since
        if not since:
            return ""
        days = untreated_days(since, self.facts.on)
        return Briefly(say(Texts.untreated, days=days), "")  # the danger below has the date

    def of_treatment(self) -> Value:
        return _treatment(self.choices, self.g)

    def of_recommended(self) -> Value:
        """The treatment, or to ask about it where the card only offers it."""
        return _treatment([one for one in self.choices if one.recommended], self.g)

    def of_tests(self) -> Value:
        """The tests of today that the card orders; where none is left, since all are ordered or
        measured, the two metabolites."""
        return self._today(every=True)

    def of_metabolites_asked(self) -> Value:
        """Of the two metabolites those that the card orders: one that is known is not ordered."""
        return self._today(every=False)

    def _today(self, *, every: bool) -> Value:
        metabolites = self.g.file.tests.mma, self.g.file.tests.homocysteine
        wanted = [one.called for one in metabolites]
        named = [
            plan.inside
            for choice in self.choices
            for plan in choice.plans
            if isinstance(plan, PlannedTest)
            and plan.due <= plan.authored
            and (every or plan.name in wanted)
        ]
        names = tuple(named or [one.called_inside for one in metabolites])
        return Listed(names, "conjunction" if len(names) == 2 else "comma")

    def of_then(self) -> Value:
        """What follows the samples: the injection, unless the card only offers it."""
        drugs = [
            choice.recommended
            for choice in self.choices
            if any(isinstance(plan, PlannedDrug) for plan in choice.plans)
        ]
        if self.facts.reactions:
            return say(Texts.suspected_then_allergic)
        asks = bool(drugs) and not any(drugs)
        return say(Texts.suspected_then_ask if asks else Texts.suspected_then_inject)

    def of_graded(self) -> Value:
        if self.a.untreated_since:
            return self["untreated"]
        if is_relapse(self.facts, self.a, self.g):
            return say(Texts.headline_relapse)
        return "" if self.facts.unjudged else Briefly(_graded(self.a), "")

    def of_moderate(self) -> Value:
        return _moderate(self.a)

    def of_verdict(self) -> Value:
        functional = self.a.status.name == "deficient (functional)"
        return say(Texts.verdict_functional if functional else Texts.verdict_deficient)

    def of_signs(self) -> Value:
        unread = self.facts.unjudged or self.facts.not_all_read("conditions")
        none = say(Texts.not_all_read if unread else Texts.none_recorded)
        signs = named(self.facts.neurological)
        if not isinstance(signs, Listed):
            return none
        return _signs(Listed(signs.items, "conjunction"), self.facts.neurological)

    def of_with_signs(self) -> Value:
        """The neurological signs after the level; nothing without one."""
        signs = self.facts.neurological
        return say(Texts.with_signs, signs=self["signs"]) if signs else ""

    def of_cause(self) -> Value:
        unread = self.facts.not_all_read(*OF_CAUSES)
        none = say(Texts.not_all_read if unread else Texts.not_documented)
        if not self.a.causes and told_risk(self.facts):
            none = say(Texts.not_confirmed)
        names = named(self.a.causes)
        if self.a.cause in ("malabsorption", "mixed"):
            return _by_kind(names, self.facts.malabsorption, say(Texts.cause_is_malabsorption))
        return names or none

    def of_suggestive(self) -> Value:
        found, terms = self.a.signs.suggestive, self.a.terms
        signs = Listed(tuple([_with_its_values(one, terms) for one in found]))
        return Briefly(signs, say(Texts.signs_counted, count=len(signs.items)), signs)

    def of_screening(self) -> Value:
        return Listed(self.facts.screening)

    def of_elsewhere(self) -> Value:
        return Listed(self.facts.raised_elsewhere)

    def of_fallen(self) -> Value:
        high = fallen_extremes(self.facts, self.g.limits)
        return shown_dated(high, self.facts.on, self.g)

    def of_worded(self) -> Value:
        return Listed(tuple([one.name for one in self.facts.perhaps_neurological]))

    def of_worded_inborn(self) -> Value:
        return Listed(tuple([one.name for one in self.facts.worded.inborn]))

    def of_neurological(self) -> Value:
        """The signs, by code or else by words."""
        signs = self.facts.neurological or self.facts.worded.neurological
        return _signs(named(signs), signs)

    def of_homocysteine(self) -> Value:
        """As high as in an inborn error, whatever explains it."""
        found = extreme_homocysteine(self.facts, self.g.limits)
        return shown_dated([found] if found is not None else [], self.facts.on, self.g)

    def of_worded_malabsorption(self) -> Value:
        return Listed(tuple([one.name for one in self.facts.worded.malabsorption]))

    def of_nothing_worse(self) -> Value:
        """Why treatment by mouth will do, as far as that is known."""
        judged = not self.facts.unjudged
        return say(Texts.nothing_worse if judged else Texts.nothing_worse_judged)

    def of_named(self) -> Value:
        return Listed((*self.facts.therapy.doubtful, *self.facts.therapy.dispensed))

    def of_combination(self) -> Value:
        """What is injected and has vitamin B12 among others."""
        return Listed(self.facts.therapy.injected)

    def of_nameless(self) -> Value:
        return self.facts.therapy.nameless

    def of_severity(self) -> Value:
        return SEVERITIES[self.a.severity] if self.a.severity else ""

    def of_because(self) -> Value:
        return _first_of(_in_a_sentence(self.a.severity_because, self.a.terms))

    def of_reason(self) -> Value:
        """What calls for injections."""
        if self.facts.neurological or self.a.severity == "severe":
            return calls_for_injections(self.facts.neurological, self.a)
        return self["cause"]

    def of_lasting(self) -> Value:
        found = self.facts.malabsorption_permanent
        return _by_kind(named(found), found, say(Texts.cause_is_malabsorption))

    def of_until(self) -> Value:
        return say(Texts.until_absorption) if self.facts.enterocolitis else ""

    def of_unmeasured(self) -> Value:
        """That no level is usable, where a card plans for a child without one."""
        unknown = self.a.status.name in ("unknown", "unknown at risk")
        return say(Texts.unmeasured) if unknown and not self.facts.unjudged else ""

    def of_inborn(self) -> Value:
        return named(self.facts.inborn)

    def of_injection(self) -> Value:
        return naming.substance(
            injection_product(self.facts, self.g, suspected=self.a.suspected).substance
        )

    def of_route(self) -> Value:
        subcutaneous = any(
            isinstance(plan, PlannedDrug) and plan.route == self.g.file.routes.subcutaneous
            for choice in self.choices
            for plan in choice.plans
        )
        return say(Texts.deep_subcutaneous if subcutaneous else Texts.intramuscular)

    def of_leber(self) -> Value:
        found = self.facts.leber
        if found and all(one.whose == "mother" for one in found):
            names = named(found)
            return Briefly(names, say(Texts.of_mother, what=say(Texts.leber_brief)), names)
        return _by_kind(named(found), found, say(Texts.leber_brief))

    def of_reactions(self) -> Value:
        return Listed(self.facts.reactions)

    def of_possible_reactions(self) -> Value:
        return Listed(self.facts.possible_reactions)

    def of_extremes(self) -> Value:
        return shown_extremes(self.facts, self.a, self.g)

    def of_metabolites(self) -> Value:
        return shown_labs(self.a.status.high_metabolites)

    def of_unclear(self) -> Value:
        """Why a level settles nothing: it is between the limits, has no number, or there is another
        that disagrees with it."""
        level, limits = self.a.status.level, self.g.limits
        if "discordant" in self.a.status.flags:
            return say(Texts.unclear)
        if level is not None and level.verdict != "borderline":
            return say(Texts.unclear_alone)
        low, high = limits.b12_deficient.value, limits.b12_adequate.value
        return say(Texts.unclear_between, deficient=low, adequate=high)


def is_relapse(facts: Facts, a: Assessment, g: Guideline) -> bool:
    """Deficient again after an earlier course that was finished."""
    earlier = facts.therapy.earlier
    return earlier is not None and earlier.finished and is_again(facts, a, g)


def is_again(facts: Facts, a: Assessment, g: Guideline) -> bool:
    """Deficient again, by a level measured after an earlier course that is over; not within the two
    weeks in which an order that was only stopped goes on to act."""
    earlier, level = facts.therapy.earlier, a.status.level
    if earlier is None or level is None or not a.status.deficient:
        return False
    if facts.therapy.broken_off is not None:
        return False
    days = (level.when.first - earlier.when.last).days
    return g.limits.course_gap.holds(days)


def lasting(facts: Facts) -> Message:
    """How long a cause lasts that never passes, or may not."""
    return say(Texts.lasting_enterocolitis if facts.enterocolitis else Texts.lasting_cause)


def shown_value(level: Level) -> Message:
    """A level, and what it is of."""
    return say(Texts.b12_value, level=shown_level(level))


def _treatment(choices: Sequence[Choice], g: Guideline) -> Message:
    """The drug of the choice that is recommended, or else of the first, as a headline says it."""
    drugs = [
        (not choice.recommended, plan)
        for choice in choices
        for plan in choice.plans
        if isinstance(plan, PlannedDrug)
    ]
    if not drugs:
        return say(Texts.headline_specialist)
    return headline(min(drugs, key=lambda one: one[0])[1], g)


def _graded(a: Assessment) -> Words:
    """That nothing is worse, next to a level that says all: one that is neither old nor
    contradicted, nor low for its metabolites alone."""
    plain = a.status.name == "deficient" and a.status.level is not None
    return say(Texts.headline_graded) if plain else ""


def _moderate(a: Assessment) -> Value:
    """What makes it moderate, where the level has not said so."""
    if a.status.name == "deficient (functional)" or not a.severity_because:
        return ""
    because = _in_a_sentence(a.severity_because, a.terms)
    full = say(Texts.headline_moderate, because=_first_of(because))
    return Briefly(full, say(Texts.headline_moderate_brief), because)


def _by_kind(names: Value, found: Sequence[Finding], kind: Message) -> Value:
    """Problems by name, or as what they are, which is as uncertain as they are."""
    sure = any(not one.possible for one in found)
    return Briefly(names, kind if sure else say(Texts.possible, name=kind), names)


def _signs(names: Value, found: Sequence[Finding]) -> Value:
    return _by_kind(names, found, say(Texts.neurological_signs))


def calls_for_injections(signs: Sequence[Finding], a: Assessment) -> Value:
    """Why nothing by mouth will do: the neurological signs, or else how severe it is."""
    if signs:
        return _signs(named(signs), signs)
    because = _in_a_sentence(a.severity_because, a.terms)
    severe = say(Texts.severe_deficiency, because=because)
    return Briefly(severe, say(Texts.severe_deficiency_brief), because)


def _first_of(reasons: Value) -> Value:
    """The first of several reasons: a headline has room for one."""
    return reasons.items[0] if isinstance(reasons, Listed) and reasons.items else reasons


def finding_notes(facts: Facts, a: Assessment, g: Guideline) -> list[Note]:
    """What was found, on which result and date, and what qualifies it."""
    return [
        *_level_notes(facts, a, g),
        *_metabolite_notes(facts, a, g),
        *_severity_notes(facts, a, g),
        *_problem_notes(facts, a),
        *_cause_notes(facts, a, g),
    ]


def _level_notes(facts: Facts, a: Assessment, g: Guideline) -> Iterator[Note]:
    status, level = a.status, a.status.level
    if level is None:
        if "diagnosis_only" in status.flags:
            names = named((*facts.deficiency, *facts.deficiency_nonspecific))
            yield Note("why", say(Texts.diagnosis_only, names=names))
        return
    said = _level_said(level, status.name)
    plain = said.id == id_of(Texts.level_plain)
    yield Note("why", said, told=tuple(said.values.values()) if plain else ())
    for flag, text in (
        (level.tie, _tie(level, facts)),
        (level.mismatch, say(Texts.unit_mismatch)),
        (level.below_reference, say(Texts.below_laboratory_range)),
        ("newer_unusable" in status.flags, say(Texts.newer_unusable)),
        (level.overtaken, say(Texts.overtaken)),
    ):
        if flag:
            yield Note("finding", text)
    if "discordant" in status.flags:
        others = tuple(
            say(Texts.level_on, level=shown_level(one), date=recorded(one.when))
            for one in _disagreeing(facts, level)
        )
        yield Note("finding", say(Texts.discordant, others=Listed(others)))


def _tie(level: Level, facts: Facts) -> Message:
    """Of which results any may be the newest."""
    rivals = [one for one in facts.levels[1:] if one.when.may_be_as_late_as(level.when)]
    if not any(one.when.is_partial for one in (level, *rivals)):
        return say(Texts.tie)
    others = [
        say(Texts.level_on, level=shown_level(one), date=recorded(one.when)) for one in rivals
    ]
    return say(Texts.tie_partial, others=Listed(tuple(others)))


def _level_said(level: Level, status: StatusName) -> Message:
    """The result, and what it is taken for."""
    value, day, name = shown_level(level), recorded(level.when), STATUSES[status]
    if level.converted:
        value = say(Texts.value_as_sent, value=value, written=Sent(level.written))
    if level.rule == "B12-09":
        return say(Texts.level_low_flag, date=day, status=name)
    if level.rule == "B12-10":
        return say(Texts.level_range, value=value, date=day, status=name)
    if level.rule in ("B12-07", "B12-08"):
        return say(
            Texts.level_below if level.rule == "B12-07" else Texts.level_above,
            value=value, date=day, status=name,
        )  # fmt: skip
    if status in _PLAIN and not level.converted:
        return say(Texts.level_plain, value=value, date=day)
    return say(Texts.level, value=value, date=day, status=name)


#: What a number and a headline say without another word.
_PLAIN: tuple[StatusName, ...] = (
    "deficient", "borderline", "adequate", "adequate with signs", "follow-up",
)  # fmt: skip


def _is_for_a_specialist(a: Assessment) -> bool:
    """Functional, and no card of the answer calls the specialist anyway."""
    return a.status.rule == "STAT-06" and a.cause != "inborn"


def _metabolite_notes(facts: Facts, a: Assessment, g: Guideline) -> Iterator[Note]:
    status = a.status
    high = status.high_metabolites
    if high:
        shown = shown_metabolites(a, g)
        adults = status.deficient and _are_high_by_range(facts, high, g)
        told = say(
            Texts.metabolites_high_of_adults if adults else Texts.metabolites_high, values=shown
        )
        yield Note("why", told, told=(shown,))
    elif status.metabolites != "none":
        normal = shown_labs(status.normal_metabolites)
        yield Note("finding", say(Texts.metabolites_normal, values=normal))
    alone = [one.name for one in high] == ["homocysteine"]
    if alone and status.name == "borderline" and not a.suspected:
        yield Note("finding", say(Texts.homocysteine_unspecific))
    yield from _range_of_adults(status, g)
    if status.grey_metabolites:
        grey = shown_labs(status.grey_metabolites)
        yield Note("finding", say(Texts.metabolites_grey, values=grey))
    if status.unread_metabolites:
        unread = shown_labs(status.unread_metabolites)
        yield Note("finding", say(Texts.metabolites_unread, values=unread))
    if _is_for_a_specialist(a):
        yield Note("advice", say(Texts.functional_specialist))


def _range_of_adults(status: Status, g: Guideline) -> Iterator[Note]:
    """That a borderline level stays so, since the laboratory's range may be an adult's."""
    unlike = any(one.flagged and not _beyond_the_age(one, g) for one in status.high_metabolites)
    if unlike and not status.convincing and status.name == "borderline":
        usual, homocysteine = g.limits.mma_high.value, g.limits.homocysteine_high.value
        adults = say(Texts.metabolites_adult_range, limit=usual, homocysteine=homocysteine)
        yield Note("finding", adults)


def _are_high_by_range(facts: Facts, high: Iterable[Lab], g: Guideline) -> bool:
    """Whether the laboratory's range alone calls every one high, an infant's methylmalonate too."""
    if any(_beyond_the_age(one, g) for one in high):
        return False
    toddler = g.limits.toddler_age
    return any(
        one.name == "methylmalonate"
        and one.flagged
        and not toddler.holds(months_at(facts, one) or 0)
        for one in high
    )


def _beyond_the_age(lab: Lab, g: Guideline) -> bool:
    """Whether a metabolite is high in the first year by whatever range."""
    limit = g.limits.mma_high if lab.name == "methylmalonate" else g.limits.homocysteine_high
    return limit.holds(lab.value)


def _severity_notes(facts: Facts, a: Assessment, g: Guideline) -> Iterator[Note]:
    if a.severity is None or (a.suspected and a.severity == "mild"):
        return  # nothing about a child with a suspected inborn error is called mild
    if facts.perhaps_neurological and a.severity != "severe":
        return  # not known while words may be a neurological sign
    if a.severity_because:
        section: Section = "why" if a.severity == "severe" else "finding"
        because = _in_a_sentence(a.severity_because, a.terms)
        graded = say(Texts.severity, severity=SEVERITIES[a.severity], because=because)
        yield Note(section, graded, told=(because,))
    if a.severity == "mild" and a.unavailable:
        names = _unavailable(a, g)
        unread = facts.not_all_read("labs")
        text = say(Texts.mild_unread if unread else Texts.mild_unknown, names=names)
        yield Note("missing", text)


#: What a blood count has.
_BLOOD_COUNT: tuple[LabName, ...] = ("hemoglobin", "mcv", "platelets", "leukocytes")


def _unavailable(a: Assessment, g: Guideline) -> Listed:
    """The blood values without a recent result; a whole blood count by that name."""
    whole = set(_BLOOD_COUNT) <= set(a.unavailable)
    count = [g.file.tests.blood_count.called_inside] if whole else []
    others = [one for one in a.unavailable if not (whole and one in _BLOOD_COUNT)]
    return Listed((*count, *[naming.lab(name) for name in others]))


def _problem_notes(facts: Facts, a: Assessment) -> Iterator[Note]:
    fall = facts.growth_fall
    if fall is not None:
        course = say(
            Texts.growth_fall,
            before=Sent(fall.before.written),
            before_date=fall.before.on,
            now=Sent(fall.now.written),
            now_date=fall.now.on,
        )
        yield Note("finding", course)
    told = _told(a)
    shown = a.status.name == "adequate with signs"  # by the summary
    signs = (
        *(() if shown else facts.neurological),
        *facts.failure_to_thrive,
        *facts.megaloblastic,
        *facts.anemia,
        *facts.suggestive,
        *facts.weak_signs,
        *facts.feeding_trouble,
    )
    others = [one for one in signs if one.name not in told]
    if others and a.severity != "severe":
        names = named(others)
        yield Note("finding", say(Texts.problems, names=names), told=(names,))
    if facts.unjudged:
        unjudged = Listed(facts.unjudged[:_MOST_NAMES])
        left = len(facts.unjudged) - _MOST_NAMES
        more = say(Texts.unjudged_more, names=unjudged, count=left)
        yield Note("caution", more if left > 0 else say(Texts.unjudged, names=unjudged))
    if facts.malabsorption_possible:
        names = named(facts.malabsorption_possible)
        yield Note("finding", say(Texts.possible_malabsorption, names=names))


def _told(a: Assessment) -> frozenset[str]:
    """The names that the grade states already."""
    because = a.severity_because
    items = because.items if isinstance(because, Listed) else (because,)
    return frozenset(one for one in items if isinstance(one, str))


def _cause_notes(facts: Facts, a: Assessment, g: Guideline) -> Iterator[Note]:
    """The cause, or what to ask for where it is not known, before a treatment begins."""
    note = _cause_note(facts, a, g)
    # A deficiency that came again asks on its own, and a suspected inborn error is the question.
    settled = facts.therapy.current or a.suspected or is_again(facts, a, g)
    if note.section != "ask" or not settled:
        yield note


def _cause_note(facts: Facts, a: Assessment, g: Guideline) -> Note:
    risk = told_risk(facts) if a.status.level is not None else ()  # else its own note names it
    if risk and a.cause in ("unknown", "nutritional possible"):
        return Note("why", say(Texts.cause_told, names=shown_risks(risk, facts, g)))
    if formula_explains_nothing(facts, a):
        young = g.limits.formula_age.holds(facts.age.youngest)
        return Note("ask", say(Texts.formula_fed_young if young else Texts.formula_fed))
    if a.cause == "unknown":
        unread = facts.not_all_read(*OF_CAUSES)
        return Note("ask", say(Texts.cause_unread if unread else Texts.cause_unknown))
    if a.cause == "nutritional possible":
        return Note("ask", say(Texts.cause_possible))
    section: Section = "finding" if a.cause == "nutritional" else "why"
    names = named(a.causes)
    return Note(section, say(Texts.cause, cause=CAUSES[a.cause], names=names), told=(names,))


def formula_explains_nothing(facts: Facts, a: Assessment) -> bool:
    """An infant on formula has a low level and no known cause: its diet is not a likely one."""
    infant = facts.age.band in ("infant", "either")
    return infant and facts.formula_fed and a.cause == "unknown" and a.status.concerned


def test_notes(
    tests: Sequence[PlannedTest],
    already: Sequence[Message],
    g: Guideline,
    *,
    before: bool,
    told: Container[Words],
) -> list[Note]:
    """The samples of today but those that are ``told``, ``before`` anything is given, the levels to
    come, the tests of several days, and those that are ordered already."""
    notes = _samples(tests, before=before, told=told)
    later = sorted((test for test in tests if test.due > test.authored), key=lambda one: one.due)
    notes += _levels(later, g, before=before)
    often = _repeated([test for test in later if test.name != g.file.tests.b12.called])
    if often:
        notes.append(Note("background", say(Texts.tests_ordered, tests=Listed(tuple(often)))))
    if already:
        notes.append(Note("background", say(Texts.tests_already, tests=Listed(tuple(already)))))
    return notes


def _samples(tests: Iterable[PlannedTest], *, before: bool, told: Container[Words]) -> list[Note]:
    due = [one.inside for one in tests if one.due <= one.authored]
    today = Listed(tuple([one for one in due if one not in told]))
    if not today.items:
        return []
    if before:
        return [Note("before", say(Texts.samples_today, names=today))]
    return [Note("background", say(Texts.other_samples, names=today))]


def _levels(later: Iterable[PlannedTest], g: Guideline, *, before: bool) -> list[Note]:
    """The days of the levels; before injections, that each is taken before a dose."""
    levels = tuple([test.due for test in later if test.name == g.file.tests.b12.called])
    dates = Listed(levels, "conjunction")
    if levels and before:
        return [Note("follow_up", say(Texts.check_levels_before, dates=dates))]
    if levels:
        return [Note("follow_up", say(Texts.check_levels, dates=dates))]
    return [Note("caution", say(Texts.draw_before_dose))] if before else []


def _repeated(tests: Iterable[PlannedTest]) -> list[Message]:
    """The tests that are done on several days, with their days. The others are read from the orders
    themselves, each of which has its day."""
    days: dict[Words, list[date]] = {}
    for test in tests:
        days.setdefault(test.inside, []).append(test.due)
    return [
        say(Texts.test_on, name=name, date=Listed(tuple(due), "conjunction"))
        for name, due in days.items()
        if due[1:]
    ]


#: What made it so, for each rule after which nothing may be stated.
_WHY: Mapping[str, Message] = {
    "AGE-01": say(Texts.silent_deceased),
    "AGE-04": say(Texts.silent_older),
    "AGE-07": say(Texts.silent_older),
    "ORD-15": say(Texts.silent_older),
    "STAT-04": say(Texts.silent_likely),
    "STAT-08": say(Texts.silent_adequate),
    "STAT-13": say(Texts.silent_unmeasured),
}


def nothing_to_say(rule: str) -> NotIndicated:
    """Nothing after ``rule``; after one of the follow-up the child is on treatment."""
    return NotIndicated(rule, _WHY.get(rule, say(Texts.silent_treated)))


#: So many orders of one kind are named, and the others are counted.
NAMED = 6


def some_of(names: Iterable[Words]) -> list[Words]:
    """Each name once, and how many there are more: else two hundred orders would each name two
    hundred."""
    found = list(dict.fromkeys(names))
    if len(found) <= NAMED:
        return found
    return [*found[: NAMED - 1], say(Orders.more_orders, count=len(found) - NAMED + 1)]
