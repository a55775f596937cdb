"""What was measured: weight (table WT), vitamin B12 (table B12) and other laboratory values.

What cannot be used is kept with the reason, so that a card can name it: a result that was
rejected is unknown, never normal.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Literal

from msgspec import Struct, structs

from cds_service.clinical import Measurement, Moment, Quantity, convert
from cds_service.guidelines.b12_under_two.age import Age, completed_months, days_since, is_ahead
from cds_service.guidelines.b12_under_two.data import Guideline, Limits
from cds_service.guidelines.engine import Limit
from cds_service.guidelines.tables import Reasoning

Verdict = Literal["deficient", "borderline", "adequate", "low", "indeterminate"]
LabName = Literal[
    "hemoglobin", "mcv", "platelets", "leukocytes", "neutrophils", "reticulocytes", "potassium",
    "folate", "ferritin", "methylmalonate", "homocysteine",
]  # fmt: skip

#: Results that stand. Any other status ("preliminary", "unknown", "entered-in-error") does not.
FINAL = frozenset({"final", "amended", "corrected"})

#: What is no result (yet, or any more). A status that is none of FHIR's makes a result unusable,
#: which is said; these are passed over.
NOT_A_RESULT = frozenset({"registered", "cancelled", "entered-in-error", "unknown"})

#: The unit each laboratory value is compared in; MCV and counts have no other spelling here.
LAB_UNITS: dict[LabName, str] = {
    "hemoglobin": "g/dL", "mcv": "fL", "platelets": "10*9/L", "leukocytes": "10*9/L",
    "neutrophils": "10*9/L", "reticulocytes": "%", "potassium": "mmol/L", "folate": "ng/mL",
    "ferritin": "ng/mL", "methylmalonate": "umol/L", "homocysteine": "umol/L",
}  # fmt: skip


class Weight(Struct, frozen=True):
    """The weight a dose may rest on: ``kg`` is ``None`` when stale or missing (see ``rule``)."""

    rule: str
    kg: Decimal | None = None
    on: date | None = None
    source: str = ""
    written: str = ""
    estimated: bool = False
    disagrees: bool = False
    rejected: tuple[str, ...] = ()


class Level(Struct, frozen=True):
    """One B12 result in pg/mL. ``low`` and ``high`` bound it; equal for a plain number."""

    rule: str
    verdict: Verdict
    when: Moment
    source: str
    written: str
    low: Decimal | None = None
    high: Decimal | None = None
    converted: bool = False
    mismatch: bool = False
    below_reference: bool = False
    tie: bool = False

    @property
    def number(self) -> Decimal | None:
        return self.high if self.low is not None and self.low == self.high else None


class Lab(Struct, frozen=True):
    """One laboratory result in the unit of ``LAB_UNITS``; ``high``/``low`` as the lab flags it."""

    value: Decimal
    written: str
    when: Moment
    source: str
    comparator: str
    high: bool
    low: bool
    flagged: bool
    name: LabName


# --- weight -----------------------------------------------------------------------------------


def read_weight(
    found: Sequence[tuple[str, Measurement]], birth: Moment | None, age: Age, on: date,
    limits: Limits, why: Reasoning,
) -> Weight:  # fmt: skip
    """The newest plausible weight, if it is recent enough for the child's age to dose by.

    ``found`` pairs each measurement with its list: weight, weight_estimated or birth_weight.
    """
    usable: list[tuple[Moment, Decimal, Measurement, bool]] = []
    rejected: list[str] = []
    ignored = implausible = birth_weights = 0
    for kind, measured in found:
        kg = convert(measured.value, "kg") if measured.value is not None else None
        when = measured.when
        if (
            measured.status not in FINAL or measured.withheld or measured.about
            or measured.value is None or measured.value.comparator
            or when is None or is_ahead(when, on, limits)
        ):  # fmt: skip
            ignored += 1
            continue
        if kg is None or birth is None or not _plausible(kg, birth, when, limits):
            implausible += 1
            rejected.append(measured.value.written)
            continue
        if kind == "birth_weight" and not limits.birth_weight_age.holds((on - birth.first).days):
            birth_weights += 1
            continue
        usable.append((when, kg, measured, kind == "weight_estimated"))
    why.holds("WT-01", ignored > 0, "{} weights without final status, value or date", ignored)
    why.holds("WT-02", implausible > 0, "{} implausible or without a known unit", implausible)
    why.holds("WT-03", birth_weights > 0, "{} birth weights too old to use", birth_weights)
    usable.sort(key=lambda one: (one[0].instant, -one[1]))
    if not usable:
        why.holds("WT-06", True, "no usable weight")
        return Weight("WT-06", rejected=tuple(rejected))
    when, kg, measured, estimated = usable[-1]
    window = _weight_window(age, limits)
    recent = window.holds(days_since(when, on))
    if why.holds("WT-04", recent, "weighed {} days ago, at most {}", days_since(when, on), window):
        same_day = [one for one in usable if one[0].last == when.last]
        lightest = min(same_day, key=lambda one: one[1])
        heaviest = max(same_day, key=lambda one: one[1])
        apart = (heaviest[1] - lightest[1]) / lightest[1] * 100
        disagrees = limits.weight_disagreement.holds(apart)
        if disagrees:
            when, kg, measured, estimated = lightest
        return Weight(
            "WT-04", kg, when.last, measured.source,
            measured.value.written if measured.value else "", estimated, disagrees,
            tuple(rejected),
        )  # fmt: skip
    why.holds("WT-05", True, "weighed {} days ago, at most {}", days_since(when, on), window)
    return Weight("WT-05", None, when.last, measured.source, rejected=tuple(rejected))


def _plausible(kg: Decimal, birth: Moment, when: Moment, limits: Limits) -> bool:
    """Within the wide window for the age at weighing, for every age it can have been."""
    ages = {
        completed_months(birth.first, max(when.last, birth.first)),
        completed_months(min(birth.last, when.first), when.first),
    }
    for months in ages:
        if months < 1:
            floor, ceiling = limits.weight_floor_under_1_month, limits.weight_ceiling_under_1_month
        elif months < 6:
            floor, ceiling = limits.weight_floor_1_to_6_months, limits.weight_ceiling_1_to_6_months
        elif months < 12:
            floor, ceiling = (
                limits.weight_floor_6_to_12_months,
                limits.weight_ceiling_6_to_12_months,
            )
        else:
            floor, ceiling = (
                limits.weight_floor_12_to_24_months,
                limits.weight_ceiling_12_to_24_months,
            )
        if not (floor.holds(kg) and ceiling.holds(kg)):
            return False
    return True


def _weight_window(age: Age, limits: Limits) -> Limit:
    """Infants grow fast: the younger the child can be, the fresher its weight must be."""
    if age.youngest < 3:
        return limits.weight_age_under_3_months
    if age.youngest < 12:
        return limits.weight_age_3_to_12_months
    return limits.weight_age_12_to_24_months


# --- the B12 level ----------------------------------------------------------------------------


def verdict_of(pg_per_ml: Decimal, limits: Limits) -> Verdict:
    if limits.b12_deficient.holds(pg_per_ml):
        return "deficient"
    return "adequate" if limits.b12_adequate.holds(pg_per_ml) else "borderline"


def read_level(measured: Measurement, on: date, g: Guideline) -> Level | str:
    """One result as a level in pg/mL, or the number of the row that says why it is none.

    Rows B12-01 to B12-11, first match. Converted by its unit, never by its code: laboratories
    send molar values under the mass code and the other way round.
    """
    limits = g.limits
    if measured.status == "preliminary":
        return "B12-02"
    if measured.status in NOT_A_RESULT or measured.about:
        return "B12-01"
    if measured.status not in FINAL:
        return "B12-04"
    when = measured.when
    if when is None or is_ahead(when, on, limits):
        return "B12-04"
    if measured.value is not None:
        return _quantity_level(measured, measured.value, when, g)
    if measured.withheld:
        return "B12-03"
    if measured.interval is not None:
        ends = [_pg(end, g) for end in (measured.interval.low, measured.interval.high)
                if end is not None]  # fmt: skip
        written = " to ".join(
            end.written for end in (measured.interval.low, measured.interval.high) if end
        )
        if (
            len(ends) != 2 or ends[0] is None or ends[1] is None
            or not 0 < ends[0] <= ends[1] or limits.b12_implausible.holds(ends[1])
        ):  # fmt: skip
            return Level("B12-10", "indeterminate", when, measured.source, written)
        low, high = ends[0], ends[1]
        verdicts = {verdict_of(low, limits), verdict_of(high, limits)}
        verdict = verdicts.pop() if len(verdicts) == 1 else "indeterminate"
        return Level("B12-10", verdict, when, measured.source, written, low, high)
    says_low = measured.text.strip().lower() == "low" or any(
        code.code in ("L", "LL") or g.codes.b12_deficiency.decides(code)
        for code in measured.concepts
    )
    if measured.interpretation == "low" or says_low:
        return Level("B12-09", "low", when, measured.source, measured.text or "flagged low")
    if measured.text or measured.concepts:
        written = measured.text or measured.concepts[0].display or measured.concepts[0].code
        return Level("B12-10", "indeterminate", when, measured.source, written)
    return "B12-04"


def _quantity_level(
    measured: Measurement, value: Quantity, when: Moment, g: Guideline
) -> Level | str:
    limits = g.limits
    pg = _pg(value, g)
    if pg is None or pg <= 0 or limits.b12_implausible.holds(pg):
        return "B12-04"
    molar = value.unit is not None and value.unit.endswith("mol/L")
    mass_code = any(code.code == "2132-9" for code in measured.codes)
    molar_code = any(code.code == "14685-2" for code in measured.codes)
    low: Decimal | None = pg
    high: Decimal | None = pg
    if value.comparator in ("<", "<="):
        rule, low = "B12-07", Decimal(0)
        verdict: Verdict = "deficient" if pg <= limits.b12_deficient.value else "indeterminate"
    elif value.comparator in (">", ">="):
        rule, high = "B12-08", None
        verdict = "adequate" if limits.b12_adequate.holds(pg) else "indeterminate"
    elif value.comparator:
        rule, verdict, low, high = "B12-08", "indeterminate", None, None
    else:
        rule, verdict = "B12-11", verdict_of(pg, limits)
    reference = _pg(measured.reference_low, g) if measured.reference_low else None
    return Level(
        rule,
        verdict,
        when,
        measured.source,
        value.written,
        low,
        high,
        converted=value.unit not in ("pg/mL", "ng/L"),
        mismatch=(molar and mass_code and not molar_code)
        or (not molar and molar_code and not mass_code),
        below_reference=reference is not None and pg < reference and verdict == "adequate",
    )


def _pg(quantity: Quantity, g: Guideline) -> Decimal | None:
    return convert(quantity, "pg/mL", molar_mass=g.file.constants.b12_molar_mass.value)


def read_levels(
    found: Iterable[Measurement], on: date, g: Guideline, why: Reasoning
) -> tuple[tuple[Level, ...], Level | None, tuple[str, ...]]:
    """Every level that stands, newest first; a low preliminary one; and what was unusable."""
    levels: list[Level] = []
    preliminary: Level | None = None
    unusable: list[str] = []
    for measured in found:
        level = read_level(measured, on, g)
        if isinstance(level, Level):
            why.holds(level.rule, True, "{} of {}: {}", level.written, level.when.last,
                      level.verdict)  # fmt: skip
            if level.mismatch:
                why.holds("B12-06", True, "unit of {} does not fit its code", level.written)
            levels.append(level)
            continue
        written = measured.value.written if measured.value is not None else measured.text
        why.holds(level, True, "{} ({})", written or "no value", measured.status)
        if level == "B12-02" and measured.value and measured.when and not measured.about:
            early = _quantity_level(measured, measured.value, measured.when, g)
            if isinstance(early, Level) and early.verdict == "deficient":
                preliminary = early
        elif level == "B12-04" and not measured.about:
            unusable.append(written or "no value")
    levels.sort(key=lambda one: one.when.instant, reverse=True)
    if len(levels) > 1 and levels[0].when.instant == levels[1].when.instant:
        levels = _lowest_first(levels)
    return tuple(levels), preliminary, tuple(unusable)


def _lowest_first(levels: list[Level]) -> list[Level]:
    """Of results of the same moment the lowest counts."""
    order = {"deficient": 0, "low": 1, "indeterminate": 2, "borderline": 3, "adequate": 4}
    newest = levels[0].when.instant
    same = [one for one in levels if one.when.instant == newest]
    same.sort(key=lambda one: (order[one.verdict], one.high or Decimal("Infinity")))
    first = same[0]
    tied = structs.replace(first, tie=True)
    return [tied, *same[1:], *levels[len(same) :]]


# --- other results ----------------------------------------------------------------------------


#: "Below 7" is on the lower side of a limit of 7.
_JUST_BELOW = Decimal("0.0001")


def read_lab(name: LabName, measured: Measurement, on: date, g: Guideline) -> Lab | None:
    """A laboratory value in its unit, with the laboratory's own flag; ``None`` if unusable."""
    value, when = measured.value, measured.when
    if (
        measured.status not in FINAL or measured.about or value is None or when is None
        or is_ahead(when, on, g.limits)
    ):  # fmt: skip
        return None
    unit = LAB_UNITS[name]
    mass = g.file.constants.homocysteine_molar_mass.value if name == "homocysteine" else None
    if name == "potassium" and value.unit == "meq/L":
        number: Decimal | None = value.value  # potassium carries one charge
    else:
        number = convert(value, unit, molar_mass=mass)
    if number is None or number < 0:
        return None
    if value.comparator == "<":
        number -= _JUST_BELOW
    upper = convert(measured.reference_high, unit, molar_mass=mass) if (
        measured.reference_high is not None) else None  # fmt: skip
    lower = convert(measured.reference_low, unit, molar_mass=mass) if (
        measured.reference_low is not None) else None  # fmt: skip
    below, above = value.comparator in ("<", "<="), value.comparator in (">", ">=")
    # "<0.9" against a range up to 0.4 tells nothing, neither does ">0.3"
    too_high = upper is not None and number > upper and not below
    in_range = upper is not None and number <= upper and not above
    return Lab(
        number,
        value.written,
        when,
        measured.source,
        value.comparator,
        high=measured.interpretation == "high" or too_high,
        low=measured.interpretation == "low"
        or (lower is not None and number < lower and not above),
        flagged=measured.interpretation != "" or too_high or in_range,
        name=name,
    )
