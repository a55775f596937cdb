"""What is the matter: status of the level, cause, and severity (tables STAT, ETI, SEV, URG).

Each table is one function, first match, its last row the catch-all; the docstring is the
guideline's sentence.
"""

from __future__ import annotations

from datetime import date
from typing import Literal

from msgspec import Struct

from cds_service.guidelines.b12_under_two.age import days_since, within
from cds_service.guidelines.b12_under_two.data import Guideline, Limits
from cds_service.guidelines.b12_under_two.facts import Facts, Finding
from cds_service.guidelines.b12_under_two.results import Lab, LabName, Level
from cds_service.guidelines.engine import Limit, Reasoning

StatusName = Literal[
    "follow-up",
    "deficient",
    "deficient (functional)",
    "deficient (old result)",
    "deficient (diagnosis only)",
    "probably adequate",
    "borderline",
    "adequate with signs",
    "adequate",
    "unknown",
    "unknown at risk",
]
Cause = Literal[
    "inborn", "malabsorption", "mixed", "nutritional", "nutritional possible", "unknown"
]
Severity = Literal["severe", "moderate", "mild"]
Metabolites = Literal["high", "normal", "none"]

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


class Assessment(Struct, frozen=True):
    """``unavailable`` names blood values without a recent result; ``untreated_since`` is set only
    past the limit, ``same_day`` when there are neurological signs as well."""

    status: Status
    cause: Cause
    causes: tuple[Finding, ...]
    severity: Severity | None
    severity_rule: str
    severity_because: str
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
            if lab.comparator in ("<", "<=") and limit.holds(lab.value) and not lab.flagged:
                continue  # "below 0.9" does not say whether it is below 0.4
            if lab.comparator in (">", ">=") and not limit.holds(lab.value) and not lab.flagged:
                continue
            seen += 1
            if lab.high if lab.flagged else limit.holds(lab.value):
                high.append(lab)
            break
    normal = seen >= (2 if both_normal else 1)
    return ("high" if high else "normal" if normal else "none"), tuple(high)


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


def is_discordant(facts: Facts, level: Level, limits: Limits) -> bool:
    """Two results within 14 days that disagree, with no treatment between them."""
    return any(
        other.verdict != level.verdict
        and other.verdict != "indeterminate"
        and within(other.when.first, level.when.first, limits.discordance_window)
        and not any(
            min(other.when.first, level.when.first) <= day <= max(other.when.last, level.when.last)
            for day in facts.therapy.dates
        )
        for other in facts.levels
        if other is not level
    )


def assess_status(facts: Facts, cause: Cause, g: Guideline, why: Reasoning) -> Status:
    """Deficient below 200 pg/mL; 200 to 300 is settled by methylmalonate and homocysteine; a
    normal level does not exclude a functional deficiency in a child with signs."""
    limits = g.limits
    level, flags = chosen_level(facts)
    therapy = facts.therapy
    neuro = bool(facts.neurological)
    risk = at_risk(cause)
    after = (
        level is not None
        and therapy.current
        and therapy.start is not None
        and limits.therapy_before_result.holds((level.when.first - therapy.start).days)
    )
    if why.holds(
        "STAT-01", after, "treatment since: {}", therapy.start if therapy.current else "none"
    ):
        return Status("STAT-01", "follow-up", level, flags=flags)
    age = days_since(level.when, facts.on) if level is not None else None
    current = age is not None and limits.result_current.holds(age)
    stale = age is not None and not current and limits.result_stale.holds(age)
    verdict = level.verdict if level is not None else None
    discordant = level is not None and is_discordant(facts, level, limits)
    softened = (
        discordant
        and level is not None
        and verdict in ("borderline", "adequate")
        and any(
            one.verdict == "deficient"
            and within(one.when.first, level.when.first, limits.discordance_window)
            for one in facts.levels
        )
    )
    if discordant:
        flags = (*flags, "discordant")
        why.holds("B12-12", True, "results within two weeks disagree")
    metabolites: Metabolites = "none"
    high: tuple[Lab, ...] = ()
    if level is not None:
        metabolites, high = metabolite_evidence(facts, level.when.first, limits, both_normal=neuro)

    def status(rule: str, name: StatusName) -> Status:
        return Status(rule, name, level, metabolites, high, flags)

    seen = f"{level.written}, {age} days old" if level is not None else "no result"
    if why.holds("STAT-02", current and verdict == "deficient", "{}", seen):
        return status("STAT-02", "deficient")
    unclear = current and (verdict in ("borderline", "low") or softened)
    if why.holds(
        "STAT-03", unclear and metabolites == "high", "{} with metabolites {}", seen, metabolites
    ):
        return status("STAT-03", "deficient (functional)")
    if why.holds(
        "STAT-04", unclear and metabolites == "normal", "{} with metabolites {}", seen, metabolites
    ):
        return status("STAT-04", "probably adequate")
    if why.holds("STAT-05", unclear, "{} with metabolites {}", seen, metabolites):
        return status("STAT-05", "borderline")
    adequate = current and verdict == "adequate"
    firm = any(one.flagged or one.name == "methylmalonate" for one in high)
    if why.holds(
        "STAT-06",
        adequate and (neuro or risk) and firm,
        "{}, metabolites {}, signs or risk: {}",
        seen,
        metabolites,
        neuro or risk,
    ):
        return status("STAT-06", "deficient (functional)")
    if why.holds(
        "STAT-07",
        adequate and neuro and metabolites != "normal",
        "{}, metabolites {}, neurological signs: {}",
        seen,
        metabolites,
        neuro,
    ):
        return status("STAT-07", "adequate with signs")
    if why.holds("STAT-08", adequate, "{}", seen):
        return status("STAT-08", "adequate")
    treated = level is not None and any(day >= level.when.first for day in therapy.dates)
    old = stale and verdict == "deficient" and not treated
    newest = facts.levels[0] if facts.levels else None
    unplaced = (
        newest is not None
        and newest.verdict == "indeterminate"
        and limits.result_current.holds(days_since(newest.when, facts.on))
        and not old
    )
    if why.holds("STAT-09", unplaced, "newest result: {}", newest.written if newest else "none"):
        return Status("STAT-09", "unknown", newest)
    if why.holds("STAT-10", old, "{}", seen):
        return status("STAT-10", "deficient (old result)")
    diagnosed = bool(facts.deficiency)
    only_general = bool(facts.deficiency_nonspecific)
    if why.holds(
        "STAT-11", diagnosed or only_general, "on the problem list: {}", diagnosed or only_general
    ):
        contradicted = (
            stale
            and verdict == "adequate"
            and level is not None
            and all(
                one.onset is not None and one.onset.last < level.when.first
                for one in facts.deficiency
            )
        )
        return Status(
            "STAT-11",
            "deficient (diagnosis only)" if diagnosed and not contradicted else "borderline",
            None,
            flags=("diagnosis_only",),
        )
    lapsed = level is not None and verdict == "deficient" and not treated
    if why.holds(
        "STAT-12",
        neuro or risk or lapsed,
        "neurological signs: {}, cause known: {}, old deficient result never treated: {}",
        neuro,
        risk,
        lapsed,
    ):
        return Status("STAT-12", "unknown at risk", None)
    why.holds("STAT-13", True, "no usable result, no sign, no known cause")
    return Status("STAT-13", "unknown", None)


# --- cause --------------------------------------------------------------------------------------


def find_cause(facts: Facts, why: Reasoning) -> tuple[Cause, tuple[Finding, ...]]:
    """Inborn error before malabsorption before diet; all that is known is shown."""
    named = ", ".join(one.name for one in facts.inborn)
    inborn = why.holds("ETI-01", bool(named), "inborn error: {}", named or "none recorded")
    causes = ", ".join(one.name for one in facts.malabsorption)
    malabsorption = why.holds(
        "ETI-02", bool(causes), "malabsorption: {}", causes or "none recorded"
    )
    mother = facts.maternal_diet if facts.breast_fed else ""
    fed = "not documented" if facts.breast_fed is None else facts.breast_fed
    nutritional = why.holds(
        "ETI-03",
        bool(mother or facts.child_diet or facts.dietary),
        "breast-fed: {}, mother's diet: {}, child's diet: {}",
        fed,
        facts.maternal_diet or "not documented",
        facts.child_diet or "not documented",
    )
    possible = why.holds(
        "ETI-04",
        facts.breast_fed is True and not nutritional,
        "breast-fed: {}, mother's facts unknown",
        fed,
    )
    why.holds("ETI-05", malabsorption and (nutritional or possible), "malabsorption and diet")
    why.holds(
        "ETI-06", not (inborn or malabsorption or nutritional or possible), "no cause recorded"
    )
    diets = (("mother's diet", mother), ("child's diet", facts.child_diet))
    dietary = (
        *facts.dietary,
        *(Finding(f"{whose}: {diet}", "", None, False, False) for whose, diet in diets if diet),
    )
    if inborn:
        return "inborn", (*facts.inborn, *facts.malabsorption, *dietary)
    if malabsorption:
        mixed = nutritional or possible
        return "mixed" if mixed else "malabsorption", (*facts.malabsorption, *dietary)
    if nutritional:
        return "nutritional", dietary
    return "nutritional possible" if possible else "unknown", ()


# --- severity -----------------------------------------------------------------------------------


def grade_severity(
    facts: Facts, status: Status, g: Guideline, why: Reasoning
) -> tuple[Severity, str, str]:
    """(severity, rule, what it rests on). Severe: neurological signs, haemoglobin under 7 g/dL,
    two affected cell lines, a level under 100 pg/mL, or a clinician's own grading."""
    limits = g.limits
    signs = ", ".join(one.name for one in facts.neurological)
    if why.holds("SEV-01", bool(signs), "neurological signs: {}", signs or "none recorded"):
        return "severe", "SEV-01", signs
    hemoglobin = recent(facts, "hemoglobin", limits.labs_recent)
    platelets = recent(facts, "platelets", limits.labs_recent)
    whites = [recent(facts, name, limits.labs_recent) for name in ("leukocytes", "neutrophils")]
    very_low = hemoglobin is not None and limits.hemoglobin_severe.holds(hemoglobin.value)
    lines = [
        text
        for text, affected in (
            (
                f"haemoglobin {hemoglobin.written}" if hemoglobin else "",
                hemoglobin is not None and limits.hemoglobin_two_lines.holds(hemoglobin.value),
            ),
            (
                f"platelets {platelets.written}" if platelets else "",
                platelets is not None and limits.platelets_two_lines.holds(platelets.value),
            ),
            (
                "white cells flagged low",
                any(one is not None and one.low for one in whites),
            ),
        )
        if affected
    ]
    several = limits.lines_affected.holds(len(lines))
    pancytopenia = ", ".join(one.name for one in facts.pancytopenia)
    blood = (
        f"haemoglobin {hemoglobin.written}"
        if very_low and hemoglobin
        else pancytopenia or " and ".join(lines)
    )
    if why.holds(
        "SEV-02",
        very_low or several or bool(pancytopenia),
        "blood count: {}",
        blood or "no severe change recorded",
    ):
        return "severe", "SEV-02", blood
    level = status.level
    low = (
        level is not None
        and level.high is not None
        and (
            limits.b12_severe.holds(level.high)
            or (level.rule == "B12-07" and level.high <= limits.b12_severe.value)
        )
    )
    if why.holds(
        "SEV-03", low, "level {} against {}", level.written if level else "none", limits.b12_severe
    ):
        return "severe", "SEV-03", f"below {limits.b12_severe}"
    graded = [one.name for one in (*facts.deficiency, *facts.deficiency_nonspecific) if one.severe]
    if why.holds("SEV-04", bool(graded), "graded severe on the problem list: {}", bool(graded)):
        return "severe", "SEV-04", "graded severe by a clinician"
    mcv = recent(facts, "mcv", limits.labs_recent, above=True)
    moderate = [
        *(one.name for one in facts.failure_to_thrive),
        *(one.name for one in facts.megaloblastic),
    ]
    if hemoglobin is not None and limits.hemoglobin_anaemia.holds(hemoglobin.value):
        moderate.append(f"haemoglobin {hemoglobin.written}")
    if mcv is not None and mcv.high:
        moderate.append(f"MCV {mcv.written} above the laboratory's range")
    if why.holds("SEV-05", bool(moderate), "{}", ", ".join(moderate) or "no moderate sign"):
        return "moderate", "SEV-05", ", ".join(moderate)
    why.holds("SEV-06", True, "none of the above")
    return "mild", "SEV-06", ""


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
    cause, causes = find_cause(facts, why)
    status = assess_status(facts, cause, g, why)
    severity: Severity | None = None
    rule = because = ""
    if status.deficient:
        severity, rule, because = grade_severity(facts, status, g, why)
    since = untreated_since(facts, status, g)
    neuro = bool(facts.neurological)
    why.holds(
        "URG-01",
        neuro and (status.deficient or status.name == "borderline"),
        "neurological signs: {}",
        neuro,
    )
    long_untreated = since is not None and g.limits.untreated.holds((facts.on - since).days)
    why.holds("URG-02", long_untreated, "untreated deficiency since: {}", since or "none")
    why.holds(
        "URG-03",
        long_untreated and neuro,
        "untreated since {}, neurological signs: {}",
        since or "-",
        neuro,
    )
    needed: tuple[LabName, ...] = ("hemoglobin", "mcv", "platelets", "leukocytes", "potassium")
    return Assessment(
        status,
        cause,
        causes,
        severity,
        rule,
        because,
        tuple(name for name in needed if recent(facts, name, g.limits.labs_recent) is None),
        since if long_untreated else None,
        long_untreated and neuro,
    )
