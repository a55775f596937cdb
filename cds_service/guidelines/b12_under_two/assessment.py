"""What is the matter: status of the level, cause, and severity (tables STAT, ETI, SEV, URG).

Each table is one function, first match, its last row the catch-all; the docstring is the
guideline's sentence.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import ROUND_DOWN, Decimal
from typing import Any, Literal

from msgspec import Struct, structs

from cds_service.clinical import Moment
from cds_service.guidelines import naming
from cds_service.guidelines.b12_under_two.age import (
    apart_at_least,
    apart_at_most,
    completed_months,
    days_since,
    fewest_days_since,
    recorded,
    whole_day,
)
from cds_service.guidelines.b12_under_two.data import Guideline
from cds_service.guidelines.b12_under_two.facts import Facts, Finding
from cds_service.guidelines.b12_under_two.limits import Limits
from cds_service.guidelines.b12_under_two.messages import Texts
from cds_service.guidelines.b12_under_two.results import LAB_UNITS, Lab, LabName, Level
from cds_service.guidelines.b12_under_two.tables.blood import anaemia_limit, cell_volume_limit
from cds_service.guidelines.b12_under_two.tables.cause import Cause, CauseFacts
from cds_service.guidelines.b12_under_two.tables.result import RemarkFacts
from cds_service.guidelines.b12_under_two.tables.severity import Severity, SeverityFacts
from cds_service.guidelines.b12_under_two.tables.signs import SignFacts
from cds_service.guidelines.b12_under_two.tables.status import (
    Diagnosis,
    Metabolites,
    StatusFacts,
    StatusName,
)
from cds_service.guidelines.b12_under_two.tables.urgency import UrgencyFacts
from cds_service.guidelines.engine import Indicator, Limit
from cds_service.guidelines.tables import Match, Reasoning, Table, first_match, one_row
from cds_service.language import Amount, Listed, Message, Sent, Value, Words, say

_DEFICIENT: frozenset[StatusName] = frozenset(
    {"deficient", "deficient (functional)", "deficient (old result)", "deficient (diagnosis only)"}
)


class Status(Struct, frozen=True):
    """``level`` is the result it rests on; ``flags`` are text names for the card.
    ``convincing`` when the raised metabolites make an unclear level a deficiency."""

    rule: str
    name: StatusName
    level: Level | None
    metabolites: Metabolites = "none"
    high_metabolites: tuple[Lab, ...] = ()
    flags: tuple[str, ...] = ()
    grey_metabolites: tuple[Lab, ...] = ()
    unread_metabolites: tuple[Lab, ...] = ()
    convincing: bool = True
    normal_metabolites: tuple[Lab, ...] = ()

    @property
    def deficient(self) -> bool:
        return self.name in _DEFICIENT

    @property
    def concerned(self) -> bool:
        """Deficient or borderline: the child may need treatment."""
        return self.deficient or self.name == "borderline"

    @property
    def unplaced(self) -> bool:
        """There is a current result, and it is on neither side of the limits."""
        return self.name == "unknown" and self.level is not None


#: Which row of the table ETI suspects an inborn error from the metabolites.
Suspicion = Literal["", "ETI-01b", "ETI-01c", "ETI-01d"]
_SUSPICIONS: tuple[Suspicion, ...] = ("ETI-01b", "ETI-01c", "ETI-01d")


class Signs(Struct, frozen=True):
    """What of a child suggests a deficiency, whatever its level.

    ``rule`` and ``alarm`` are what the table SIGN says of it where no level is usable, "" and
    ``None`` without a sign. ``suggestive`` names every suggestive sign with its value,
    ``beyond`` those that no other fact of the severity table names. ``backing`` when there is a
    sign by a code or a number next to the metabolites, so that these convince. ``low_lines`` are
    the low blood cell lines, ``two_lines_low`` when so many are, or pancytopenia is on record;
    ``metabolites`` are the raised ones of the last month, ``anaemia`` a haemoglobin of that time
    that is low for the age.
    """

    rule: str = ""
    alarm: Indicator | None = None
    suggestive: tuple[Value, ...] = ()
    beyond: tuple[Value, ...] = ()
    backing: bool = False
    low_lines: tuple[Message, ...] = ()
    macrocytosis: bool = False
    two_lines_low: bool = False
    severe_anaemia: bool = False
    metabolites: tuple[Lab, ...] = ()
    anaemia: tuple[Message, ...] = ()


class Assessment(Struct, frozen=True):
    """``causes`` are problems and diets, ``suspicion`` is what the metabolites make a question of.
    ``unavailable`` names blood values without a recent result; ``untreated_since`` is set only
    past the limit, ``same_day`` when there are neurological signs as well. ``terms`` are those of
    the ``Facts``."""

    status: Status
    signs: Signs
    cause: Cause
    causes: tuple[Finding | Message, ...]
    severity: Severity | None
    severity_rule: str
    severity_because: Value
    unavailable: tuple[LabName, ...]
    untreated_since: Moment | None
    same_day: bool
    suspicion: Suspicion = ""
    terms: frozenset[str] = frozenset()

    @property
    def suspected(self) -> bool:
        """An inborn error is suspected from the metabolites, so that cyanocobalamin is withheld."""
        return self.suspicion != ""


def recent(
    facts: Facts, name: LabName, window: Limit, *, above: bool = False, surely: bool = False
) -> Lab | None:
    """The newest result of a laboratory value inside the window.

    One whose incomplete date may lie inside counts where it is worrying, unless only what
    ``surely`` does is asked for. "Above 5" says nothing about a lower limit and is ignored,
    unless ``above`` asks for it.
    """
    labs = facts.labs.get(name)
    if labs is None:
        return None
    for lab in labs:
        counts = window.holds(days_since(lab.when, facts.on)) or (
            not surely and lab.worrying and window.holds(fewest_days_since(lab.when, facts.on))
        )
        if counts and (above or lab.comparator not in (">", ">=")):
            return lab
    return None


def _in_window(facts: Facts, name: LabName, window: Limit) -> Sequence[Lab]:
    """The results that may be inside the window, newest first."""
    labs = facts.labs.get(name)
    if labs is None:
        return ()
    return [lab for lab in labs if window.holds(fewest_days_since(lab.when, facts.on))]


def lowest(facts: Facts, name: LabName, window: Limit) -> Lab | None:
    """The lowest result of a laboratory value inside the window: a transfusion, or the count of a
    better day, never hides how low it was. "Above 5" is ignored."""
    found = [one for one in _in_window(facts, name, window) if one.comparator not in (">", ">=")]
    return min(found, key=lambda one: one.value, default=None)


def months_at(facts: Facts, lab: Lab | None) -> int | None:
    """The child's completed months when the sample was taken; of an incomplete date of birth the
    earliest day counts."""
    birth = facts.patient.birth
    if lab is None or birth is None:
        return None
    return completed_months(birth.first, max(min(lab.when.last, facts.on), birth.first))


def at_risk(cause: Cause) -> bool:
    """A documented cause. Breast-feeding alone is how most infants are fed, not a risk."""
    return cause in ("inborn", "malabsorption", "mixed", "nutritional")


def told_risk(facts: Facts) -> tuple[Words, ...]:
    """What makes a child without a level one to be measured though it is not a cause: malabsorption
    or a plant-based diet in words, and what is recorded of the mother of a child that is, or may
    be, breast-fed."""
    diet = (facts.diet_in_words,) if facts.diet_in_words else ()
    child: tuple[Words, ...] = (*_names(facts.worded.malabsorption), *diet)
    perhaps = facts.breast_fed is None and facts.age.band != "toddler" and not facts.formula_fed
    return (*child, *facts.maternal) if facts.breast_fed or perhaps else child


# --- metabolites --------------------------------------------------------------------------------


#: What one metabolite says: "grey" is usual for the age or an early deficiency, "unread" a value
#: whose range or flag could not be read.
Standing = Literal["high", "normal", "grey", "unread"]


class Evidence(Struct, frozen=True):
    """The metabolites that say something, by what they say."""

    high: tuple[Lab, ...] = ()
    normal: tuple[Lab, ...] = ()
    grey: tuple[Lab, ...] = ()
    unread: tuple[Lab, ...] = ()


def standing_of(facts: Facts, lab: Lab, limits: Limits) -> Standing | None:
    """What a metabolite says by the laboratory's own range or flag, without either by the limits
    for the age at sampling; ``None`` where it could be on either side."""
    if lab.flagged and (lab.high or not lab.unread):
        return "high" if lab.high else "normal"
    infant = not limits.toddler_age.holds(months_at(facts, lab) or 0)
    if lab.name == "methylmalonate":
        high = limits.mma_high if infant else limits.mma_high_toddler
        grey = limits.mma_grey
    else:
        high, grey = limits.homocysteine_high, limits.homocysteine_grey
    above = high.holds(_reaching(lab) or lab.value)
    if above:
        return None if lab.comparator in ("<", "<=") else "high"
    if lab.comparator in (">", ">="):
        return None
    if lab.unread:
        return "unread"
    return "grey" if infant and grey.holds(lab.value) else "normal"


def metabolites_of(facts: Facts, sample: Moment, limits: Limits) -> Evidence:
    """Methylmalonate and homocysteine within 30 days of the B12 sample and before treatment."""
    found: dict[Standing, list[Lab]] = {}
    for name in _METABOLITES:
        for lab in facts.labs.get(name, ()):
            start = facts.therapy.start
            if start is not None and lab.when.last > start.first:
                continue
            standing = standing_of(facts, lab, limits)
            apart = apart_at_least if standing == "high" else apart_at_most
            near = limits.metabolite_window.holds(apart(lab.when, sample))
            if near and standing is not None:
                found.setdefault(standing, []).append(lab)
                break
    return Evidence(**{name: tuple(labs) for name, labs in found.items()})


_METABOLITES: tuple[LabName, ...] = ("methylmalonate", "homocysteine")


def metabolite_evidence(
    facts: Facts, sample: Moment, limits: Limits, *, both_normal: bool = False
) -> tuple[Metabolites, tuple[Lab, ...]]:
    """What the metabolites say together, and the raised ones.

    One raised value is enough; ``both_normal`` asks for two normal ones before a sign is explained
    away. Next to one that is neither raised nor normal nothing is.
    """
    return _together(metabolites_of(facts, sample, limits), both_normal=both_normal)


def _together(found: Evidence, *, both_normal: bool) -> tuple[Metabolites, tuple[Lab, ...]]:
    if found.high:
        return "high", found.high
    normal = len(found.normal) >= (2 if both_normal else 1)
    return ("normal" if normal and not found.grey and not found.unread else "none"), ()


def convincing(facts: Facts, high: tuple[Lab, ...], *, backed: bool, limits: Limits) -> bool:
    """Whether raised metabolites make an unclear level a deficiency; ``backed`` by a sign or a
    cause.

    In an infant a methylmalonate that only the laboratory's range calls high needs a sign or a
    cause with it; homocysteine alone needs to be above the limit as well, and a sign, a cause
    or the laboratory's flag.
    """
    for lab in high:
        value = _reaching(lab) or lab.value
        if lab.name == "methylmalonate":
            toddler = limits.toddler_age.holds(months_at(facts, lab) or 0)
            if backed or toddler or limits.mma_high.holds(value):
                return True
        elif limits.homocysteine_high.holds(value) and (backed or lab.flagged):
            return True
    return False


# --- status -------------------------------------------------------------------------------------


def chosen_level(facts: Facts) -> tuple[Level | None, tuple[str, ...]]:
    """The result that counts: the newest; a newer unusable one never hides a deficient one."""
    levels = facts.levels
    if not levels:
        return None, ()
    newest = levels[0]
    if newest.verdict != "indeterminate":
        return newest, ("tie",) if newest.tie else ()
    usable = next((one for one in levels if one.verdict != "indeterminate"), None)
    if usable is not None and usable.is_low:
        return usable, ("newer_unusable",)
    return newest, ()


def disagreement(
    facts: Facts, level: Level | None, table: Table[RemarkFacts, None]
) -> tuple[bool, list[Match[RemarkFacts, None]]]:
    """Whether this result and another disagree though no treatment lies between them, and what
    the row B12-12 says of each two, up to the first that do."""
    asked: list[Match[RemarkFacts, None]] = []
    if level is None or level.overtaken:
        return False, asked
    for other in facts.levels:
        if other is level:
            continue
        two = (other.when, level.when)
        begin, end = min(one.first for one in two), max(one.last for one in two)
        pair = RemarkFacts(
            verdict=level.verdict,
            other=other.verdict,
            apart=apart_at_least(other.when, level.when),
            treated_between=any(begin <= day <= end for day in facts.therapy.dates),
        )
        asked.append(one_row(table, "B12-12", pair, f"{level.written}, {other.written}"))
        if asked[-1].fired:
            return True, asked
    return False, asked


class Weighed(Struct, frozen=True):
    """What the metabolites with a level say together, the raised ones, and whether these
    convince."""

    evidence: Evidence = Evidence()
    together: Metabolites = "none"
    high: tuple[Lab, ...] = ()
    convincing: bool = False


def _weigh(facts: Facts, sampled: Moment, limits: Limits, *, backed: bool) -> Weighed:
    """The metabolites around a sample; with a neurological sign only two normal ones are."""
    found = metabolites_of(facts, sampled, limits)
    together, high = _together(found, both_normal=bool(facts.neurological))
    return Weighed(found, together, high, convincing(facts, high, backed=backed, limits=limits))


def assess_status(facts: Facts, cause: Cause, signs: Signs, g: Guideline, why: Reasoning) -> Status:
    """The status of the level, from the table STAT; signs may ask for a level."""
    limits, therapy = g.limits, facts.therapy
    level, flags = chosen_level(facts)
    discordant, pairs = disagreement(facts, level, g.tables.result_remarks)
    weighed = Weighed()
    asked = StatusFacts(
        signs=bool(facts.neurological),
        suggested=signs.alarm is not None or bool(told_risk(facts)),
        risk=at_risk(cause),
        diagnosis=_diagnosis(facts, level, g),
    )
    if level is not None:
        sampled = level.when
        weighed = _weigh(facts, sampled, limits, backed=at_risk(cause) or signs.backing)
        newest = facts.levels[0]
        asked = structs.replace(
            asked,
            treated=therapy.is_treating,
            sample_day=(sampled.first - therapy.start.first).days if therapy.start else None,
            days=days_since(level.when, facts.on),
            verdict=level.verdict,
            softened=discordant and _follows_a_deficient_one(facts, level, limits),
            metabolites=weighed.together,
            convincing=weighed.convincing,
            firm_metabolite=any(
                one.flagged or one.name == "methylmalonate" for one in weighed.high
            ),
            suggestive=signs.backing,
            marked=any(
                one.name == "methylmalonate" and limits.mma_marked.holds(one.value)
                for one in weighed.high
            ),
            treated_since=any(day >= sampled.first for day in therapy.dates),
            newest_days=days_since(newest.when, facts.on),
            newest_unplaced=newest.verdict == "indeterminate",
        )
    match = first_match(g.tables.status, asked)
    if match.rule != "STAT-01":
        for pair in pairs:
            why.keep(pair)
        flags = (*flags, "discordant") if discordant else flags
    why.keep(match)
    return _status_of(match, level, flags, weighed, facts)


def _status_of(
    match: Match[StatusFacts, StatusName],
    level: Level | None,
    flags: tuple[str, ...],
    weighed: Weighed,
    facts: Facts,
) -> Status:
    """The status that a row gives, with the result it rests on and what qualifies it."""
    rule, name = match.rule, match.result
    if rule == "STAT-01":
        return Status(rule, name, level, flags=flags)
    if rule == "STAT-09":
        return Status(rule, name, facts.levels[0])
    if rule == "STAT-11":
        name = name if match.facts.diagnosis == "B12" else "borderline"
        return Status(rule, name, None, flags=("diagnosis_only",))
    if rule in ("STAT-12", "STAT-13"):
        return Status(rule, name, None)
    return Status(
        rule,
        name,
        level,
        weighed.together,
        weighed.high,
        flags,
        weighed.evidence.grey,
        weighed.evidence.unread,
        weighed.convincing,
        weighed.evidence.normal,
    )


def untreated_low(facts: Facts, level: Level, limits: Limits) -> Level | None:
    """The lowest deficient level of the last month next to ``level``, if nothing was given since:
    one borderline level does not undo it."""
    found = [
        one
        for one in facts.levels
        if one is not level
        and one.verdict == "deficient"
        and limits.labs_recent.holds(fewest_days_since(one.when, facts.on))
        and not any(day >= one.when.first for day in facts.therapy.dates)
    ]
    return min(found, key=lambda one: one.high or _ANY_NUMBER, default=None)


def _follows_a_deficient_one(facts: Facts, level: Level, limits: Limits) -> bool:
    """A deficient result within two weeks of this one."""
    return any(
        one.verdict == "deficient"
        and limits.discordance_window.holds(apart_at_least(one.when, level.when))
        for one in facts.levels
    )


def _diagnosis(facts: Facts, level: Level | None, g: Guideline) -> Diagnosis | None:
    """What the problem list says; an adequate level of the last year, later than every diagnosis,
    contradicts it."""
    if not facts.deficiency:
        return "another vitamin perhaps" if facts.deficiency_nonspecific else None
    if level is None or level.verdict != "adequate":
        return "B12"
    age = days_since(level.when, facts.on)
    stale = not g.limits.result_current.holds(age) and g.limits.result_stale.holds(age)
    contradicted = stale and all(
        one.onset is not None and one.onset.last < level.when.first for one in facts.deficiency
    )
    return "contradicted" if contradicted else "B12"


# --- cause --------------------------------------------------------------------------------------


def unsettled(facts: Facts, name: LabName, limits: Limits) -> list[Lab]:
    """The results of a metabolite that still speak of the child, newest first: those of the last
    month, and as long as a level counts those since when nothing was given."""
    if name not in facts.labs:  # as in most charts
        return []
    return [
        one
        for one in _in_window(facts, name, limits.result_current)
        if limits.labs_recent.holds(fewest_days_since(one.when, facts.on))
        or not any(day >= one.when.first for day in facts.therapy.dates)
    ]


def newest_unsettled(facts: Facts, name: LabName, limits: Limits) -> Lab | None:
    return next(iter(unsettled(facts, name, limits)), None)


def extreme_homocysteine(facts: Facts, limits: Limits) -> Lab | None:
    """The highest homocysteine that is not `unsettled` by time, also on treatment, nor by a value
    below the limit that is surely later. A bound that could be on either side is ignored."""
    found = unsettled(facts, "homocysteine", limits)
    severe = limits.homocysteine_severe
    settled = [
        one.when
        for one in found
        if one.comparator not in (">", ">=") and not severe.holds(one.value)
    ]
    high = [
        one
        for one in found
        if severe.holds(one.value)
        and one.comparator not in ("<", "<=")
        and all(one.when.may_be_as_late_as(later) for later in settled)
    ]
    return max(high, key=lambda one: one.value, default=None)


def fallen_extremes(facts: Facts, limits: Limits) -> list[Lab]:
    """A homocysteine of the last half year as high as in an inborn error, though later values are
    lower: what was settled by a number alone is still not explained."""
    severe = limits.homocysteine_severe
    return [
        one
        for one in unsettled(facts, "homocysteine", limits)
        if severe.holds(one.value) and one.comparator not in ("<", "<=")
    ]


def _extremes(facts: Facts, g: Guideline) -> dict[str, Any]:
    """What the metabolites that still speak of the child say of an inborn error."""
    limits, (level, _) = g.limits, chosen_level(facts)
    mma = newest_unsettled(facts, "methylmalonate", limits)
    homocysteine = newest_unsettled(facts, "homocysteine", limits)
    current = level is not None and limits.result_current.holds(days_since(level.when, facts.on))
    return {
        "homocysteine": _reaching(extreme_homocysteine(facts, limits)),
        "homocysteine_high": is_high(facts, homocysteine, limits),
        "mma": _reaching(mma) if mma is not None and mma.comparator not in ("<", "<=") else None,
        "mma_high": is_high(facts, mma, limits),
        "under_one_month": facts.age.under_one_month,
        "level_deficient": current and level is not None and level.verdict == "deficient",
    }


def is_high(facts: Facts, lab: Lab | None, limits: Limits) -> bool:
    """Whether there is a metabolite, and it is raised."""
    return lab is not None and standing_of(facts, lab, limits) == "high"


def raised_in_newborn(facts: Facts, limits: Limits) -> list[Lab]:
    """The raised metabolites of a child under one month old: until a specialist
    has ruled out an inborn error it gets no cyanocobalamin, whatever explains them."""
    if not facts.age.under_one_month:
        return []
    found = [recent(facts, name, limits.labs_recent, above=True) for name in _METABOLITES]
    return [one for one in found if one is not None and is_high(facts, one, limits)]


class Causes(Struct, frozen=True):
    """The cause that decides, everything known of one, and what the metabolites suspect."""

    cause: Cause
    known: tuple[Finding | Message, ...]
    suspicion: Suspicion


def find_cause(facts: Facts, g: Guideline, why: Reasoning) -> Causes:
    """Inborn error before malabsorption before diet; all that is known is shown."""
    mother = facts.maternal_diet if facts.breast_fed else ""
    asked = CauseFacts(
        inborn=_names(facts.inborn),
        malabsorption=_names(facts.malabsorption),
        breast_fed=facts.breast_fed,
        maternal_diet=facts.maternal_diet,
        child_diet=facts.child_diet,
        dietary=_names(facts.dietary),
        **_extremes(facts, g),
    )
    fired = {row.rule for row in why.all(g.tables.cause, asked).fired}
    dietary: tuple[Finding | Message, ...] = facts.dietary
    if mother:
        dietary = (*dietary, say(Texts.mothers_diet, diet=mother))
    if facts.child_diet:
        dietary = (*dietary, say(Texts.childs_diet, diet=facts.child_diet))
    suspicion: Suspicion = next((one for one in _SUSPICIONS if one in fired), "")
    if "ETI-01" in fired:
        return Causes("inborn", (*facts.inborn, *facts.malabsorption, *dietary), suspicion)
    if "ETI-02" in fired:
        cause: Cause = "mixed" if "ETI-05" in fired else "malabsorption"
        return Causes(cause, (*facts.malabsorption, *dietary), suspicion)
    if "ETI-03" in fired:
        return Causes("nutritional", dietary, suspicion)
    return Causes("nutritional possible" if "ETI-04" in fired else "unknown", (), suspicion)


def _names(findings: tuple[Finding, ...]) -> tuple[str, ...]:
    return tuple([one.name for one in findings]) if findings else ()


# --- signs ----------------------------------------------------------------------------------------


def present_signs(
    facts: Facts, cause: Cause, g: Guideline
) -> tuple[Signs, Match[SignFacts, Indicator]]:
    """What suggests a deficiency, and what the table SIGN says of it; where the blood of the last
    month says less, that of the half year since when nothing was given or measured again."""
    signs, match = _judge_signs(facts, cause, g)
    older = {name: _standing_longer(labs, facts, g.limits) for name, labs in facts.labs.items()}
    if older == facts.labs:
        return signs, match
    before, told = _judge_signs(structs.replace(facts, labs=older), cause, g)
    if not told.fired or (match.fired and before.suggestive == signs.suggestive):
        return signs, match
    kept = structs.replace(
        signs,
        rule=before.rule,
        alarm=before.alarm,
        suggestive=before.suggestive,
        severe_anaemia=before.severe_anaemia,
        metabolites=before.metabolites,
    )
    return kept, told


def _standing_longer(labs: tuple[Lab, ...], facts: Facts, limits: Limits) -> tuple[Lab, ...]:
    """The same results; the newest as one of today where it is older than a month, still counts as
    a level does, and nothing was given since."""
    newest = next(iter(labs), None)
    if newest is None or limits.labs_recent.holds(fewest_days_since(newest.when, facts.on)):
        return labs
    stands = limits.result_current.holds(days_since(newest.when, facts.on))
    if not stands or any(day >= newest.when.first for day in facts.therapy.dates):
        return labs
    return (structs.replace(newest, when=whole_day(facts.on), since=newest.when), *labs[1:])


def _judge_signs(
    facts: Facts, cause: Cause, g: Guideline
) -> tuple[Signs, Match[SignFacts, Indicator]]:
    """The signs by the problem list, by words, by the weights and by the blood values of the last
    month that ``facts`` have, each once, and what the table SIGN says of them."""
    limits = g.limits
    newest = recent(facts, "hemoglobin", limits.labs_recent)
    worst = lowest(facts, "hemoglobin", limits.labs_recent)
    lines = _low_lines(facts, worst, limits)
    severe = worst is not None and limits.hemoglobin_severe.holds(worst.value)
    macrocytosis: list[Value] = [*_names(facts.megaloblastic), *_large_cells(facts, limits)]
    pancytopenia: list[Value] = [*_names(facts.pancytopenia), *_two_lines(lines, limits)]
    _, metabolites = metabolite_evidence(facts, whole_day(facts.on), limits)
    calculated = _calculated(facts)
    #: Each a sign of its own, whatever it is recorded by.
    known = [
        *_one_sign([*_names(facts.failure_to_thrive), *calculated]),
        *_one_sign(_with_haemoglobin(macrocytosis, pancytopenia, facts, worst, limits)),
        *_one_sign(pancytopenia),
        *([_haemoglobin_in_words(worst, newest)] if worst is not None and severe else []),
    ]
    beyond: list[Value] = [
        *_valued(metabolites),
        *facts.raised_elsewhere,
        *_valued(_low_holotranscobalamin(facts, limits)),
        *_names((*facts.suggestive, *facts.worded.suggestive)),
    ]
    firm = bool(known or beyond)
    beyond += calculated
    beyond += _names((*facts.weak_signs, *facts.worded.weak))
    if known or beyond or facts.neurological:
        beyond += _one_sign(_names(facts.feeding_trouble))
    suggestive = tuple(dict.fromkeys([*known, *(one for one in beyond if one not in calculated)]))
    asked = SignFacts(
        neurological=_names(facts.neurological),
        worded=_names(facts.worded.neurological),
        screening=facts.screening,
        inborn=_names(facts.worded.inborn),
        hemoglobin=worst.value if worst is not None else None,
        count=len(suggestive),
        firm=firm,
        cause=at_risk(cause),
        mother_unknown=cause == "nutritional possible",
        suggestive=suggestive,
    )
    match = first_match(g.tables.signs, asked)
    signs = Signs(
        rule=match.rule if match.fired else "",
        alarm=match.result if match.fired else None,
        suggestive=suggestive,
        beyond=tuple(dict.fromkeys(beyond)),
        backing=bool(known or facts.suggestive or facts.neurological),
        low_lines=tuple(lines),
        macrocytosis=bool(macrocytosis),
        two_lines_low=bool(pancytopenia),
        severe_anaemia=severe,
        metabolites=metabolites,
        anaemia=tuple(_low_haemoglobin(facts, worst, limits)),
    )
    return signs, match


def _calculated(facts: Facts) -> list[Message]:
    """Failure to thrive that only the weights show."""
    fall = facts.growth_fall
    if fall is None:
        return []
    return [say(Texts.weight_falls, before=Sent(fall.before.written), now=Sent(fall.now.written))]


def _low_holotranscobalamin(facts: Facts, limits: Limits) -> tuple[Lab, ...]:
    """The newest, where it is low by the laboratory's flag or range, else by the limit."""
    lab = recent(facts, "holotranscobalamin", limits.labs_recent)
    if lab is None:
        return ()
    low = lab.low or (not lab.placed and limits.holotranscobalamin_low.holds(lab.value))
    return (lab,) if low else ()


def _valued(labs: Iterable[Lab]) -> list[Message]:
    """Laboratory values by name, each with its value as people write it."""
    return [_dated(shown_lab(one), one) for one in labs]


def shown_lab(lab: Lab) -> Message:
    """A laboratory value by name, as it was sent; a mass that was compared as an amount of
    substance first as that, or the other way round."""
    value: Value = Sent(lab.written)
    if lab.converted:
        compared = Amount(lab.value.quantize(Decimal("0.1"), ROUND_DOWN), LAB_UNITS[lab.name])
        value = say(Texts.value_as_sent, value=compared, written=value)
    return say(Texts.lab_value, name=naming.lab(lab.name), value=value)


def _dated(shown: Message, lab: Lab) -> Message:
    """A value, with its date where that is more than a month ago."""
    return shown if lab.since is None else say(Texts.dated, what=shown, date=recorded(lab.since))


def _one_sign(names: Sequence[Value]) -> list[Value]:
    """Several names of one sign, as one."""
    once = tuple(dict.fromkeys(names))
    return [Listed(once, "conjunction") if len(once) > 1 else once[0]] if once else []


def _large_cells(facts: Facts, limits: Limits) -> list[Message]:
    """A cell volume that is high for the age at sampling, with its value."""
    mcv = recent(facts, "mcv", limits.labs_recent, above=True)
    if mcv is None:
        return []
    large = cell_volume_limit(months_at(facts, mcv), limits, flagged=mcv.high)
    if large is None or not large.holds(_reaching(mcv) or mcv.value):
        return []
    return [_dated(say(Texts.mcv, value=Sent(mcv.written)), mcv)]


def _two_lines(lines: Sequence[Message], limits: Limits) -> list[Message]:
    return list(lines) if limits.lines_affected.holds(len(lines)) else []


# --- severity -----------------------------------------------------------------------------------


def grade_severity(
    facts: Facts, status: Status, signs: Signs, g: Guideline, why: Reasoning
) -> tuple[Severity, str, Value]:
    """(severity, rule, what it rests on), from the table SEV."""
    limits, level = g.limits, lowest_level(facts, status, g.limits)
    hemoglobin = recent(facts, "hemoglobin", limits.labs_recent)
    worst = lowest(facts, "hemoglobin", limits.labs_recent)
    mcv = recent(facts, "mcv", limits.labs_recent, above=True)
    deficiencies = (*facts.deficiency, *facts.deficiency_nonspecific)
    asked = SeverityFacts(
        signs=_names(facts.neurological),
        hemoglobin=hemoglobin.value if hemoglobin is not None else None,
        hemoglobin_months=months_at(facts, hemoglobin),
        lowest_hemoglobin=worst.value if worst is not None else None,
        lines_low=len(signs.low_lines),
        pancytopenia=_names(facts.pancytopenia),
        level=level.high if level is not None else None,
        level_is_below=level is not None and level.rule == "B12-07",
        graded=tuple([one.name for one in deficiencies if one.severe]),
        failure_to_thrive=_names(facts.failure_to_thrive),
        megaloblastic=_names(facts.megaloblastic),
        mcv=_reaching(mcv),
        mcv_flagged=mcv is not None and mcv.high,
        mcv_months=months_at(facts, mcv),
        b12_anemia=_names(facts.b12_deficiency_anemia),
        suggestive=signs.beyond,
    )
    match = why.first(g.tables.severity, asked)
    if match.rule == "SEV-03" and level is not None:
        return match.result, match.rule, _low_level_in_words(level, status, limits)
    if match.rule == "SEV-02":
        because = _low_counts_in_words(asked, hemoglobin, worst, signs.low_lines, limits)
    else:
        because = _rests_on(match.rule, asked, hemoglobin, mcv, limits)
    return match.result, match.rule, because


def lowest_level(facts: Facts, status: Status, limits: Limits) -> Level | None:
    """The level that severity rests on: the lowest of the last month before treatment, or the one
    which counts for the status."""
    found = [] if status.level is None else [status.level]
    start = facts.therapy.start
    found += [
        one
        for one in facts.levels
        if limits.labs_recent.holds(fewest_days_since(one.when, facts.on))
        and (start is None or one.when.first <= start.last)
        and one.high is not None
    ]
    return min(found, key=lambda one: one.high or _ANY_NUMBER, default=None)


#: Beyond every level: one without an upper bound is not the lowest.
_ANY_NUMBER = Decimal("Infinity")
#: "Above 90" is on the upper side of a limit of 90.
_JUST_ABOVE = Decimal("0.0001")


def _reaching(lab: Lab | None) -> Decimal | None:
    """The value as a limit above it is asked of."""
    if lab is None:
        return None
    return lab.value + _JUST_ABOVE if lab.comparator == ">" else lab.value


def _low_level_in_words(level: Level, status: Status, limits: Limits) -> Message:
    """The lowest level in words, also where another level counts."""
    limit = Amount(limits.b12_severe.value, limits.b12_severe.unit)
    other = status.level
    if other is None or other is level:
        if level.rule == "B12-07":  # it is stated to be below a number already
            return say(Texts.below_assay)
        return say(Texts.below_limit, limit=limit)
    return say(
        Texts.below_limit_before,
        value=Sent(level.written),
        date=recorded(level.when),
        later=Sent(other.written),
        later_date=recorded(other.when),
        limit=limit,
    )


def _low_lines(facts: Facts, hemoglobin: Lab | None, limits: Limits) -> list[Message]:
    """The blood cell lines that are low, each with its worst value of the last month.

    Haemoglobin counts below the limit for the age at sampling, and below that of a low line.
    """
    lines: list[Message] = []
    if hemoglobin is not None and limits.hemoglobin_two_lines.holds(hemoglobin.value):
        lines += _low_haemoglobin(facts, hemoglobin, limits)
    platelets = lowest(facts, "platelets", limits.labs_recent)
    if platelets is not None and limits.platelets_two_lines.holds(platelets.value):
        shown = say(Texts.platelets, value=Sent(platelets.written))
        lines.append(_dated(shown, platelets))
    whites = [one for name in _WHITE_CELLS for one in _in_window(facts, name, limits.labs_recent)]
    if any(one.low and one.comparator not in (">", ">=") for one in whites):
        lines.append(say(Texts.white_cells_low))
    return lines


def _with_haemoglobin(
    macrocytosis: list[Value], pancytopenia: list[Value], facts: Facts, worst: Lab | None,
    limits: Limits,
) -> list[Value]:  # fmt: skip
    """Large red cells together with a haemoglobin that is low for the age, unless that is a sign
    of its own or one of several low lines."""
    severe = worst is not None and limits.hemoglobin_severe.holds(worst.value)
    if not macrocytosis or pancytopenia or severe:
        return macrocytosis
    return [*macrocytosis, *_low_haemoglobin(facts, worst, limits)]


def _low_haemoglobin(facts: Facts, hemoglobin: Lab | None, limits: Limits) -> list[Message]:
    """Haemoglobin below the limit for the age at sampling, with its value."""
    by_age = anaemia_limit(months_at(facts, hemoglobin), limits)
    if hemoglobin is None or by_age is None or not by_age.holds(hemoglobin.value):
        return []
    return [_dated(say(Texts.haemoglobin, value=Sent(hemoglobin.written)), hemoglobin)]


_WHITE_CELLS: tuple[LabName, ...] = ("leukocytes", "neutrophils")


def _low_counts_in_words(
    asked: SeverityFacts,
    newest: Lab | None,
    worst: Lab | None,
    lines: tuple[Message, ...],
    limits: Limits,
) -> Value:
    """The counts that make it severe; of two haemoglobins that differ both are shown."""
    if worst is None or not limits.hemoglobin_severe.holds(worst.value):
        if asked.pancytopenia:
            return Listed(asked.pancytopenia)
        return Listed((say(Texts.low_lines, count=len(lines)), *lines))
    return _haemoglobin_in_words(worst, newest)


def _haemoglobin_in_words(worst: Lab, newest: Lab | None) -> Message:
    """The lowest haemoglobin of the month, and the newest where it is another."""
    if newest is None or newest is worst:
        return _dated(say(Texts.haemoglobin, value=Sent(worst.written)), worst)
    return say(
        Texts.haemoglobin_since,
        value=Sent(worst.written),
        date=recorded(worst.when),
        later=Sent(newest.written),
    )


def _rests_on(
    rule: str, asked: SeverityFacts, hemoglobin: Lab | None, mcv: Lab | None, limits: Limits
) -> Value:
    """What the grade rests on, for a card."""
    if rule == "SEV-01":
        return Listed(asked.signs)
    if rule == "SEV-04":
        return say(Texts.graded_severe)
    moderate: list[Value] = [*asked.failure_to_thrive, *asked.megaloblastic, *asked.b12_anemia]
    by_age = anaemia_limit(asked.hemoglobin_months, limits)
    if hemoglobin is not None and by_age is not None and by_age.holds(hemoglobin.value):
        moderate.append(say(Texts.haemoglobin, value=Sent(hemoglobin.written)))
    large = cell_volume_limit(asked.mcv_months, limits, flagged=asked.mcv_flagged)
    if mcv is not None and asked.mcv is not None and large is not None and large.holds(asked.mcv):
        moderate.append(say(Texts.mcv_high, value=Sent(mcv.written)))
    moderate = list(dict.fromkeys([*moderate, *asked.suggestive]))
    return Listed(tuple(moderate)) if moderate else ""


# --- urgency --------------------------------------------------------------------------------------


def untreated_since(facts: Facts, status: Status, g: Guideline) -> Moment | None:
    """When this deficiency was first recorded, when nothing has been given against it since."""
    if not status.deficient or facts.therapy.is_active:
        return None
    found: list[Moment] = []
    adequate = date.min
    for level in facts.levels:
        if level.verdict == "deficient":
            found.append(level.when)
        elif level.verdict == "adequate" and all(level.when.last < one.first for one in found):
            adequate = level.when.first
            break
    diagnosed = [one.onset for one in facts.deficiency if one.onset is not None]
    found += [one for one in diagnosed if one.first > adequate]
    first = min(found, key=lambda one: one.first, default=None)
    if first is None or any(day >= first.first for day in facts.therapy.dates):
        return None
    return first


def assess(facts: Facts, g: Guideline, why: Reasoning) -> Assessment:
    found = find_cause(facts, g, why)
    cause = found.cause
    signs, presenting = present_signs(facts, cause, g)
    status = assess_status(facts, cause, signs, g, why)
    if status.name == "unknown at risk":
        why.keep(presenting)
    severity: Severity | None = None
    rule = ""
    because: Value = ""
    if status.deficient:
        severity, rule, because = grade_severity(facts, status, signs, g, why)
    since = untreated_since(facts, status, g)
    urgent = why.all(
        g.tables.urgency,
        UrgencyFacts(
            signs=bool(facts.neurological),
            concerned=status.deficient or status.name == "borderline",
            untreated_days=days_since(since, facts.on) if since is not None else None,
        ),
    )
    fired = {row.rule for row in urgent.fired}
    return Assessment(
        status,
        signs,
        cause,
        found.known,
        severity,
        rule,
        because,
        tuple([name for name in _GRADED_BY if recent(facts, name, g.limits.labs_recent) is None]),
        since if "URG-02" in fired else None,
        "URG-03" in fired,
        found.suspicion,
        facts.terms,
    )


def without_treatment(facts: Facts, a: Assessment, g: Guideline) -> Assessment:
    """The same child as if nothing were ordered or given: what an order that is being written is
    held against, since it may take the place of what runs."""
    if not facts.therapy.current:
        return a
    untreated = structs.replace(
        facts.therapy, active=(), given=False, finished=(), over=None, start=None
    )
    return assess(structs.replace(facts, therapy=untreated), g, Reasoning())


#: The blood values that a grade of severity rests on.
_GRADED_BY: tuple[LabName, ...] = ("hemoglobin", "mcv", "platelets", "leukocytes", "potassium")
