"""What is the matter: status of the level, cause, and severity (tables STAT, ETI, SEV, URG).

Each table is one function, first match, its last row the catch-all; the docstring is the
guideline's sentence.
"""

from __future__ import annotations

from datetime import date

from msgspec import Struct, structs

from cds_service.guidelines.b12_under_two.age import days_since, within
from cds_service.guidelines.b12_under_two.data import Guideline, Limits, Texts
from cds_service.guidelines.b12_under_two.facts import Facts, Finding
from cds_service.guidelines.b12_under_two.results import Lab, LabName, Level
from cds_service.guidelines.b12_under_two.tables.cause import Cause, CauseFacts
from cds_service.guidelines.b12_under_two.tables.result import RemarkFacts
from cds_service.guidelines.b12_under_two.tables.severity import Severity, SeverityFacts
from cds_service.guidelines.b12_under_two.tables.status import (
    Diagnosis,
    Metabolites,
    StatusFacts,
    StatusName,
)
from cds_service.guidelines.b12_under_two.tables.urgency import UrgencyFacts
from cds_service.guidelines.engine import Limit
from cds_service.guidelines.tables import Match, Reasoning, Table, first_match, one_row
from cds_service.language import Amount, Listed, Message, Value, say

_DEFICIENT: frozenset[StatusName] = frozenset(
    {"deficient", "deficient (functional)", "deficient (old result)", "deficient (diagnosis only)"}
)


class Status(Struct, frozen=True):
    """``level`` is the result it rests on; ``flags`` are text names for the card."""

    rule: str
    name: StatusName
    level: Level | None
    metabolites: Metabolites = "none"
    high_metabolites: tuple[Lab, ...] = ()
    flags: tuple[str, ...] = ()

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


class Assessment(Struct, frozen=True):
    """``causes`` are problems and diets, ``unavailable`` names blood values without a recent
    result; ``untreated_since`` is set only past the limit, ``same_day`` when there are
    neurological signs as well."""

    status: Status
    cause: Cause
    causes: tuple[Finding | Message, ...]
    severity: Severity | None
    severity_rule: str
    severity_because: Value
    unavailable: tuple[LabName, ...]
    untreated_since: date | None
    same_day: bool


def recent(facts: Facts, name: LabName, window: Limit, *, above: bool = False) -> Lab | None:
    """The newest result of a laboratory value inside the window.

    "Above 5" says nothing about a lower limit and is passed over, unless ``above`` asks for it.
    """
    labs = facts.labs.get(name)
    if labs is None:
        return None
    for lab in labs:
        if not window.holds((facts.on - lab.when.first).days):
            return None
        if above or lab.comparator not in (">", ">="):
            return lab
    return None


def at_risk(cause: Cause) -> bool:
    """A documented cause. Breast-feeding alone is how most infants are fed, not a risk."""
    return cause in ("inborn", "malabsorption", "mixed", "nutritional")


# --- metabolites --------------------------------------------------------------------------------


def metabolite_evidence(
    facts: Facts, sample: date, limits: Limits, *, both_normal: bool = False
) -> tuple[Metabolites, tuple[Lab, ...]]:
    """Methylmalonate and homocysteine within 30 days of the B12 sample and before treatment.

    The laboratory's own range or flag counts; only without either, the fallback limits. One high
    value is enough; ``both_normal`` asks for two normal ones before a sign is explained away.
    """
    seen = 0
    high: list[Lab] = []
    for name, limit in (
        ("methylmalonate", limits.mma_high),
        ("homocysteine", limits.homocysteine_high),
    ):
        for lab in facts.labs.get(name, ()):  # type: ignore[call-overload]
            treated = facts.therapy.start is not None and lab.when.last > facts.therapy.start
            if treated or not within(lab.when.first, sample, limits.metabolite_window):
                continue
            if not _tells(lab, limit):
                continue
            seen += 1
            if _is_high(lab, limit):
                high.append(lab)
            break
    normal = seen >= (2 if both_normal else 1)
    return ("high" if high else "normal" if normal else "none"), tuple(high)


def _is_high(lab: Lab, limit: Limit) -> bool:
    if lab.flagged and not lab.unclear:
        return lab.high
    return lab.high or limit.holds(lab.value)


def _tells(lab: Lab, limit: Limit) -> bool:
    """Whether a result says on which side of the limit it is: "below 0.9" does not say whether it
    is below 0.4. Beside a flag or range that was not understood no value is normal."""
    if lab.unclear:
        return _is_high(lab, limit)
    if lab.flagged:
        return True
    if lab.comparator in ("<", "<="):
        return not limit.holds(lab.value)
    return lab.comparator not in (">", ">=") or limit.holds(lab.value)


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
    if usable is not None and usable.verdict in ("deficient", "low"):
        return usable, ("newer_unusable",)
    return newest, ()


def disagreement(
    facts: Facts, level: Level | None, table: Table[RemarkFacts, None]
) -> tuple[bool, list[Match[RemarkFacts, None]]]:
    """Whether this result and another disagree though no treatment lies between them, and what
    the row B12-12 says of each two, up to the first that do."""
    asked: list[Match[RemarkFacts, None]] = []
    if level is None:
        return False, asked
    for other in facts.levels:
        if other is level:
            continue
        two = (other.when, level.when)
        begin, end = min(one.first for one in two), max(one.last for one in two)
        pair = RemarkFacts(
            verdict=level.verdict,
            other=other.verdict,
            apart=abs((other.when.first - level.when.first).days),
            treated_between=any(begin <= day <= end for day in facts.therapy.dates),
        )
        asked.append(one_row(table, "B12-12", pair, f"{level.written}, {other.written}"))
        if asked[-1].fired:
            return True, asked
    return False, asked


def assess_status(facts: Facts, cause: Cause, g: Guideline, why: Reasoning) -> Status:
    """The status of the level, from the table STAT."""
    limits, therapy = g.limits, facts.therapy
    level, flags = chosen_level(facts)
    neuro = bool(facts.neurological)
    discordant, pairs = disagreement(facts, level, g.tables.result_remarks)
    metabolites: Metabolites = "none"
    high: tuple[Lab, ...] = ()
    asked = StatusFacts(signs=neuro, risk=at_risk(cause), diagnosis=_diagnosis(facts, level, g))
    if level is not None:
        sampled = level.when.first
        metabolites, high = metabolite_evidence(facts, sampled, limits, both_normal=neuro)
        newest = facts.levels[0]
        asked = structs.replace(
            asked,
            treated=therapy.current,
            sample_day=(sampled - therapy.start).days if therapy.start is not None else None,
            days=days_since(level.when, facts.on),
            verdict=level.verdict,
            softened=discordant and _follows_a_deficient_one(facts, level, limits),
            metabolites=metabolites,
            firm_metabolite=any(one.flagged or one.name == "methylmalonate" for one in high),
            treated_since=any(day >= sampled for day in therapy.dates),
            newest_days=days_since(newest.when, facts.on),
            newest_unplaced=newest.verdict == "indeterminate",
        )
    match = first_match(g.tables.status, asked)
    if match.rule != "STAT-01":
        for pair in pairs:
            why.keep(pair)
        flags = (*flags, "discordant") if discordant else flags
    why.keep(match)
    rule, name = match.rule, match.result
    if rule == "STAT-01":
        return Status(rule, name, level, flags=flags)
    if rule == "STAT-09":
        return Status(rule, name, facts.levels[0])
    if rule == "STAT-11":
        name = name if asked.diagnosis == "B12" else "borderline"
        return Status(rule, name, None, flags=("diagnosis_only",))
    if rule in ("STAT-12", "STAT-13"):
        return Status(rule, name, None)
    return Status(rule, name, level, metabolites, high, flags)


def _follows_a_deficient_one(facts: Facts, level: Level, limits: Limits) -> bool:
    """A deficient result within two weeks of this one."""
    return any(
        one.verdict == "deficient"
        and within(one.when.first, level.when.first, limits.discordance_window)
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


def find_cause(
    facts: Facts, g: Guideline, why: Reasoning
) -> tuple[Cause, tuple[Finding | Message, ...]]:
    """Inborn error before malabsorption before diet; all that is known is shown."""
    mother = facts.maternal_diet if facts.breast_fed else ""
    asked = CauseFacts(
        inborn=_names(facts.inborn),
        malabsorption=_names(facts.malabsorption),
        breast_fed=facts.breast_fed,
        maternal_diet=facts.maternal_diet,
        child_diet=facts.child_diet,
        dietary=_names(facts.dietary),
    )
    fired = {row.rule for row in why.all(g.tables.cause, asked).fired}
    dietary: tuple[Finding | Message, ...] = facts.dietary
    if mother:
        dietary = (*dietary, say(Texts.mothers_diet, diet=mother))
    if facts.child_diet:
        dietary = (*dietary, say(Texts.childs_diet, diet=facts.child_diet))
    if "ETI-01" in fired:
        return "inborn", (*facts.inborn, *facts.malabsorption, *dietary)
    if "ETI-02" in fired:
        mixed = "ETI-05" in fired
        return "mixed" if mixed else "malabsorption", (*facts.malabsorption, *dietary)
    if "ETI-03" in fired:
        return "nutritional", dietary
    return "nutritional possible" if "ETI-04" in fired else "unknown", ()


def _names(findings: tuple[Finding, ...]) -> tuple[str, ...]:
    return tuple([one.name for one in findings])


# --- severity -----------------------------------------------------------------------------------


def grade_severity(
    facts: Facts, status: Status, g: Guideline, why: Reasoning
) -> tuple[Severity, str, Value]:
    """(severity, rule, what it rests on), from the table SEV."""
    limits, level = g.limits, status.level
    hemoglobin = recent(facts, "hemoglobin", limits.labs_recent)
    mcv = recent(facts, "mcv", limits.labs_recent, above=True)
    lines = _low_lines(facts, hemoglobin, limits)
    deficiencies = (*facts.deficiency, *facts.deficiency_nonspecific)
    asked = SeverityFacts(
        signs=_names(facts.neurological),
        hemoglobin=hemoglobin.value if hemoglobin is not None else None,
        lines_low=len(lines),
        pancytopenia=_names(facts.pancytopenia),
        level=level.high if level is not None else None,
        level_is_below=level is not None and level.rule == "B12-07",
        graded=tuple([one.name for one in deficiencies if one.severe]),
        failure_to_thrive=_names(facts.failure_to_thrive),
        megaloblastic=_names(facts.megaloblastic),
        mcv_high=mcv is not None and mcv.high,
    )
    match = why.first(g.tables.severity, asked)
    return match.result, match.rule, _rests_on(match.rule, asked, hemoglobin, mcv, lines, limits)


def _low_lines(facts: Facts, hemoglobin: Lab | None, limits: Limits) -> list[Message]:
    """The blood cell lines that are low, each with its value."""
    lines: list[Message] = []
    if hemoglobin is not None and limits.hemoglobin_two_lines.holds(hemoglobin.value):
        lines.append(say(Texts.haemoglobin, value=hemoglobin.written))
    platelets = recent(facts, "platelets", limits.labs_recent)
    if platelets is not None and limits.platelets_two_lines.holds(platelets.value):
        lines.append(say(Texts.platelets, value=platelets.written))
    whites = [recent(facts, name, limits.labs_recent) for name in _WHITE_CELLS]
    if any(one is not None and one.low for one in whites):
        lines.append(say(Texts.white_cells_low))
    return lines


_WHITE_CELLS: tuple[LabName, ...] = ("leukocytes", "neutrophils")


def _rests_on(
    rule: str,
    asked: SeverityFacts,
    hemoglobin: Lab | None,
    mcv: Lab | None,
    lines: list[Message],
    limits: Limits,
) -> Value:
    """What the grade rests on, for a card."""
    if rule == "SEV-01":
        return Listed(asked.signs)
    if rule == "SEV-02":
        if hemoglobin is not None and limits.hemoglobin_severe.holds(hemoglobin.value):
            return say(Texts.haemoglobin, value=hemoglobin.written)
        if asked.pancytopenia:
            return Listed(asked.pancytopenia)
        return Listed(tuple(lines), "conjunction")
    if rule == "SEV-03":
        limit = limits.b12_severe
        return say(Texts.below_limit, limit=Amount(limit.value, limit.unit))
    if rule == "SEV-04":
        return say(Texts.graded_severe)
    moderate: list[Value] = [*asked.failure_to_thrive, *asked.megaloblastic]
    if hemoglobin is not None and limits.hemoglobin_anaemia.holds(hemoglobin.value):
        moderate.append(say(Texts.haemoglobin, value=hemoglobin.written))
    if mcv is not None and mcv.high:
        moderate.append(say(Texts.mcv_high, value=mcv.written))
    return Listed(tuple(moderate)) if moderate else ""


# --- urgency --------------------------------------------------------------------------------------


def untreated_since(facts: Facts, status: Status, g: Guideline) -> date | None:
    """The first date of this deficiency, when nothing has been given against it since."""
    if not status.deficient or facts.therapy.is_active:
        return None
    first: date | None = None
    adequate = date.min
    for level in facts.levels:
        if level.verdict == "adequate":
            adequate = level.when.first
            break
        if level.verdict == "deficient":
            first = level.when.first
    for finding in facts.deficiency:
        onset = finding.onset.first if finding.onset is not None else None
        if onset is not None and onset > adequate and (first is None or onset < first):
            first = onset
    if first is None or any(day >= first for day in facts.therapy.dates):
        return None
    return first


def assess(facts: Facts, g: Guideline, why: Reasoning) -> Assessment:
    cause, causes = find_cause(facts, g, why)
    status = assess_status(facts, cause, g, why)
    severity: Severity | None = None
    rule = ""
    because: Value = ""
    if status.deficient:
        severity, rule, because = grade_severity(facts, status, g, why)
    since = untreated_since(facts, status, g)
    urgent = why.all(
        g.tables.urgency,
        UrgencyFacts(
            signs=bool(facts.neurological),
            concerned=status.deficient or status.name == "borderline",
            untreated_days=(facts.on - since).days if since is not None else None,
        ),
    )
    fired = {row.rule for row in urgent.fired}
    return Assessment(
        status,
        cause,
        causes,
        severity,
        rule,
        because,
        tuple(name for name in _GRADED_BY if recent(facts, name, g.limits.labs_recent) is None),
        since if "URG-02" in fired else None,
        "URG-03" in fired,
    )


#: The blood values that a grade of severity rests on.
_GRADED_BY: tuple[LabName, ...] = ("hemoglobin", "mcv", "platelets", "leukocytes", "potassium")
