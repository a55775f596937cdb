"""What was measured: weight (table WT), vitamin B12 (table B12) and other laboratory values.

What cannot be used is kept with the reason, so that a card can name it: a result that was
rejected is unknown, never normal.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Literal

from msgspec import Struct, structs

from cds_service.clinical import UNITS, Interval, Measurement, Moment, Quantity, Sex, convert
from cds_service.guidelines.b12_under_two.age import (
    Age,
    apart_at_least,
    completed_months,
    days_since,
    is_ahead,
    recorded,
    worst_of_the_newest,
)
from cds_service.guidelines.b12_under_two.data import Guideline
from cds_service.guidelines.b12_under_two.growth import Weighing, place_of
from cds_service.guidelines.b12_under_two.limits import Limits
from cds_service.guidelines.b12_under_two.messages import Texts
from cds_service.guidelines.b12_under_two.tables.result import (
    NEVER_WAS,
    NO_RESULT,
    STANDING,
    Property,
    Reading,
    RemarkFacts,
    ResultFacts,
    Verdict,
)
from cds_service.guidelines.b12_under_two.tables.weight import Fate, WeighingFacts, WeightFacts
from cds_service.guidelines.tables import Match, Reasoning, first_match
from cds_service.language import Amount, Sent, Value, Words, say

LabName = Literal[
    "hemoglobin", "mcv", "platelets", "leukocytes", "neutrophils", "reticulocytes", "potassium",
    "folate", "ferritin", "methylmalonate", "homocysteine",
    "holotranscobalamin",
]  # fmt: skip

#: Statuses of valid results; one of any other ("preliminary", "unknown") decides nothing.
FINAL = frozenset(STANDING)

#: Those of a value that the laboratory may still change: it chooses no treatment, but may withhold
#: a way of giving it.
EARLY = frozenset({"preliminary"})

#: The unit each laboratory value is compared in; MCV and counts have no other spelling here.
LAB_UNITS: dict[LabName, str] = {
    "hemoglobin": "g/dL", "mcv": "fL", "platelets": "10*9/L", "leukocytes": "10*9/L",
    "neutrophils": "10*9/L", "reticulocytes": "%", "potassium": "mmol/L", "folate": "ng/mL",
    "ferritin": "ng/mL", "methylmalonate": "umol/L", "homocysteine": "umol/L",
    "holotranscobalamin": "pmol/L",
}  # fmt: skip


class Weight(Struct, frozen=True, gc=False):
    """The weight a dose may rest on: ``kg`` is ``None`` when stale or missing (see ``rule``).
    ``unusual`` when it is so far from the median that the child should be weighed again. ``newest``
    are the times of all that may be the newest."""

    rule: str
    kg: Decimal | None = None
    when: Moment | None = None
    source: str = ""
    written: str = ""
    estimated: bool = False
    disagrees: bool = False
    rejected: tuple[Value, ...] = ()
    weighed: tuple[Weighing, ...] = ()
    unusual: bool = False
    newest: tuple[Moment, ...] = ()


class Level(Struct, frozen=True, gc=False):
    """One B12 result in pg/mL. ``low`` and ``high`` bound it; equal for a plain number.
    ``overtaken``: adequate, but one that cannot be read may be newer, so nothing is known by it."""

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
    overtaken: bool = False

    @property
    def is_low(self) -> bool:
        """Whether it is deficient, or low by its laboratory."""
        return self.verdict in ("deficient", "low")

    @property
    def number(self) -> Decimal | None:
        return self.high if self.low is not None and self.low == self.high else None


class Lab(Struct, frozen=True, gc=False):
    """One laboratory result in the unit of ``LAB_UNITS``; ``high``/``low`` as the lab flags it.

    ``placed`` when a flag or the lower end of its range says whether it is low.
    ``unread`` when a flag or a range was sent that could not be understood: what is not high by
    the rest of it is not normal either. ``worrying`` when it is on the side of disease, by the
    laboratory or at any age: so it counts where its date may be recent. ``since`` is its date where
    it is more than a month old and counts as one of today.
    ``converted`` when a mass was sent for an amount of substance, or the other way round.
    """

    value: Decimal
    written: str
    when: Moment
    source: str
    comparator: str
    high: bool
    low: bool
    flagged: bool
    name: LabName
    unread: bool = False
    placed: bool = False
    worrying: bool = False
    since: Moment | None = None
    converted: bool = False


# --- weight -----------------------------------------------------------------------------------


class _Weighed(Struct, frozen=True):
    """A weight that counts."""

    when: Moment
    kg: Decimal
    measured: Measurement
    estimated: bool
    unusual: bool


class Infant(Struct, frozen=True):
    """Whose weight it is: what says how heavy the child can be."""

    birth: Moment | None
    sex: Sex
    preterm: bool


def read_weight(
    found: Sequence[tuple[str, Measurement]], child: Infant, age: Age, on: date,
    g: Guideline, why: Reasoning,
) -> Weight:  # fmt: skip
    """The newest plausible weight, if it is recent enough for the child's age to dose by.

    ``found`` pairs each measurement with its list: weight, weight_estimated or birth_weight.
    """
    usable, rejected = _weights_that_count(found, child, on, g, why)
    usable.sort(key=lambda one: (one.when.instant, -one.kg))
    newest = worst_of_the_newest(usable, lambda one: (one.kg,))
    latest = newest[0] if newest else None
    days = days_since(latest.when, on) if latest is not None else None
    rule = why.first(g.tables.weight, WeightFacts(days, age.youngest)).rule
    if latest is None:
        return Weight(rule, rejected=rejected)
    weighed = _course(usable)
    if rule != "WT-04":
        return Weight(
            rule,
            when=latest.when,
            source=latest.measured.source,
            rejected=rejected,
            weighed=weighed,
        )
    same_time = [one for one in usable if apart_at_least(one.when, latest.when) == 0]
    kilograms = [one.kg for one in same_time]
    apart = (max(kilograms) - min(kilograms)) / min(kilograms) * 100
    disagrees = g.limits.weight_disagreement.holds(apart)
    # of one day the last is used, unless they disagree
    used = min(same_time, key=lambda one: one.kg) if disagrees else latest
    written = used.measured.value.written if used.measured.value is not None else ""
    return Weight(
        rule, used.kg, used.when, used.measured.source, written, used.estimated, disagrees,
        rejected, weighed, used.unusual, tuple([one.when for one in same_time]),
    )  # fmt: skip


def _course(usable: Iterable[_Weighed]) -> tuple[Weighing, ...]:
    """The weights that were measured on a known day, in their order."""
    return tuple(
        [
            Weighing(one.when.last, one.kg, one.measured.value.written)
            for one in usable
            if not one.estimated and not one.when.is_partial and one.measured.value is not None
        ]
    )


def _weights_that_count(
    found: Iterable[tuple[str, Measurement]], child: Infant, on: date,
    g: Guideline, why: Reasoning,
) -> tuple[list[_Weighed], tuple[Value, ...]]:  # fmt: skip
    """The weights that count, and how those were written that were rejected as implausible."""
    table = g.tables.weight_found
    usable: list[_Weighed] = []
    rejected: list[Value] = []
    asked: list[Match[WeighingFacts, Fate]] = []
    for kind, measured in found:
        facts = _weighing(measured, child, on, at_birth=kind == "birth_weight")
        match = first_match(table, facts, measured.source)
        asked.append(match)
        fate = match.result if match.fired else None
        if fate == "rejected" and measured.value is not None:
            rejected.append(_with_slip(measured.value, facts, child.sex, g.limits))
        elif fate in (None, "unusual") and measured.when is not None and facts.kg is not None:
            estimated, unusual = kind == "weight_estimated", fate == "unusual"
            usable.append(_Weighed(measured.when, facts.kg, measured, estimated, unusual))
    asked.sort(key=lambda match: match.rule if match.fired else "")
    for match in asked:
        why.keep(match)
    return usable, tuple(rejected)


def _weighing(measured: Measurement, child: Infant, on: date, *, at_birth: bool) -> WeighingFacts:
    value, when, birth = measured.value, measured.when, child.birth
    oldest = youngest = None
    if when is not None and birth is not None:
        oldest = completed_months(birth.first, max(when.last, birth.first))
        youngest = completed_months(min(birth.last, when.first), when.first)
    kg = convert(value, "kg") if value is not None else None
    place = None
    if kg is not None and youngest is not None and oldest is not None:
        place = place_of(kg, youngest, oldest, child.sex)
    return WeighingFacts(
        status=measured.status,
        about_another=bool(measured.about),
        withheld=measured.withheld,
        number=value is not None,
        comparator=value.comparator if value is not None else "",
        ahead=(when.first - on).days if when is not None else None,
        kg=kg,
        youngest=youngest,
        oldest=oldest,
        light=place.light if place is not None else None,
        heavy=place.heavy if place is not None else None,
        preterm=child.preterm,
        at_birth=at_birth,
        age=days_since(birth, on) if birth is not None else None,
    )


#: The units between which a weight is mistaken, as people write them.
_SLIPS = {"kg": "kg", "g": "g", "[lb_av]": "lb"}


def _with_slip(value: Quantity, facts: WeighingFacts, sex: Sex, limits: Limits) -> Value:
    """A rejected weight as it was sent, with the unit in which its number would fit the age."""
    if facts.kg is None or facts.youngest is None or facts.oldest is None:
        return Sent(value.written)
    for unit, shown in _SLIPS.items():
        meant = convert(structs.replace(value, unit=unit, also=None), "kg")
        if unit == value.unit or meant is None:
            continue
        place = place_of(meant, facts.youngest, facts.oldest, sex)
        light = limits.weight_unusual_low.holds(place.light)
        if not light and not limits.weight_unusual_high.holds(place.heavy):
            other = Amount(value.value, shown)
            return say(Texts.weight_slip, written=Sent(value.written), other=other)
    return Sent(value.written)


# --- the B12 level ----------------------------------------------------------------------------


def verdict_of(pg_per_ml: Decimal, limits: Limits) -> Verdict:
    if limits.b12_deficient.holds(pg_per_ml):
        return "deficient"
    return "adequate" if limits.b12_adequate.holds(pg_per_ml) else "borderline"


class Levels(Struct, frozen=True):
    """Every level that ``stands``, newest first, and a low ``preliminary`` one. ``unusable`` are
    the results that are there and cannot be used, ``ahead`` those that could be but for a date in
    the future, and ``withheld`` those without a value, of which the sender says why."""

    stands: tuple[Level, ...]
    preliminary: Level | None
    unusable: tuple[Measurement, ...]
    ahead: tuple[Measurement, ...]
    withheld: tuple[Measurement, ...]


def read_levels(found: Iterable[Measurement], on: date, g: Guideline, why: Reasoning) -> Levels:
    levels: list[Level] = []
    preliminary: Level | None = None
    unusable: list[Measurement] = []
    ahead: list[Measurement] = []
    withheld: list[Measurement] = []
    for measured in found:
        facts = _result(measured, on, g)
        match = why.first(g.tables.result, facts, measured.source)
        reading, when = match.result, measured.when
        if reading == "unusable":
            (ahead if _only_ahead(facts, g) else unusable).append(measured)
        elif match.rule == "B12-03":
            withheld.append(measured)
        elif match.rule == "B12-02" and not measured.about:
            early = _as_if_final(measured, facts, g)
            preliminary = preliminary if early is None else early
        elif reading is not None and when is not None:
            level = _level(measured, when, facts, match.rule, reading, g)
            if facts.form == "number":
                about = RemarkFacts(code=_property_of_code(measured, g), unit=_property(measured))
                mismatch = why.row(g.tables.result_remarks, "B12-06", about, measured.source)
                level = structs.replace(level, mismatch=mismatch) if mismatch else level
            levels.append(level)
    return Levels(
        tuple(_lowest_first(levels)), preliminary, tuple(unusable), tuple(ahead), tuple(withheld)
    )


def _only_ahead(facts: ResultFacts, g: Guideline) -> bool:
    """Whether a result is unusable for no other reason than that it is dated in the future."""
    if facts.ahead is None or not g.limits.dated_ahead.holds(facts.ahead):
        return False
    today = first_match(g.tables.result, structs.replace(facts, ahead=0))
    return today.result != "unusable"


def is_low(measured: Measurement, on: date, g: Guideline) -> bool:
    """Whether a result would be deficient or flagged low, whichever patient it is about."""
    if measured.when is None:
        return False
    facts = structs.replace(_result(measured, on, g), about_another=False)
    match = first_match(g.tables.result, facts)
    if match.result in (None, "unusable"):
        return False
    level = _level(measured, measured.when, facts, match.rule, match.result, g)
    return level.is_low


def why_unusable(measured: Measurement, g: Guideline, *, later: bool) -> Words:
    """The result as sent, with what is wrong with it; ``later`` when that is its date in the
    future."""
    value = measured.value
    written: Words = (value.written if value is not None else measured.text) or say(Texts.no_value)
    if later and measured.when is not None:
        return say(Texts.value_dated, value=written, date=recorded(measured.when))
    if measured.status not in FINAL:
        return say(Texts.value_of_status, value=written, status=measured.status or "-")
    if "date" in measured.unclear:
        return say(Texts.value_undated, value=written)
    if measured.when is None:
        return say(Texts.value_without_date, value=written)
    if value is not None and _pg(value, g) is None:
        return say(Texts.value_without_unit, value=written)
    return say(Texts.value_impossible, value=written) if value is not None else written


def _result(measured: Measurement, on: date, g: Guideline) -> ResultFacts:
    value, when = measured.value, measured.when
    form: Literal["number", "range", "words"] | None = None
    if value is not None:
        form = "number"
    elif measured.interval is not None:
        form = "range"
    elif measured.text or measured.concepts:
        form = "words"
    return ResultFacts(
        status=measured.status,
        about_another=bool(measured.about),
        ahead=(when.first - on).days if when is not None else None,
        form=form,
        level=_pg(value, g) if value is not None else None,
        comparator=value.comparator if value is not None else "",
        withheld=measured.withheld,
        flagged_low=measured.interpretation == "low" or _says_low(measured, g),
    )


def is_no_result(measured: Measurement) -> bool:
    """Whether it never was a result, or is not one by its status and has no answer either."""
    none_yet = measured.status in NO_RESULT and not measured.is_answered
    return none_yet or measured.status == NEVER_WAS


def _says_low(measured: Measurement, g: Guideline) -> bool:
    """Whether an answer in words or codes is that the level is low."""
    answers = g.file.answers
    return measured.text.strip().lower() in answers.low or any(
        code.code in answers.low_codes or g.codes.b12_deficiency.decides(code)
        for code in measured.concepts
    )


def _level(
    measured: Measurement, when: Moment, facts: ResultFacts, rule: str, reading: Reading,
    g: Guideline,
) -> Level:  # fmt: skip
    """A valid result, read as the table says; without the remarks on it."""
    if reading == "low":
        return Level(rule, "low", when, measured.source, measured.text or g.file.texts.flagged_low)
    if measured.value is not None and facts.level is not None:
        return _number(measured, measured.value, facts.level, when, rule, reading, g)
    if measured.interval is not None:
        return _range(measured, measured.interval, when, rule, g)
    return Level(rule, "indeterminate", when, measured.source, _written(measured))


def _number(
    measured: Measurement, value: Quantity, pg: Decimal, when: Moment, rule: str,
    reading: Reading, g: Guideline,
) -> Level:  # fmt: skip
    """A number, or a bound that a number is."""
    limits = g.limits
    low: Decimal | None = pg
    high: Decimal | None = pg
    if reading == "below":
        low = Decimal(0)
        verdict: Verdict = "deficient" if pg <= limits.b12_deficient.value else "indeterminate"
    elif reading == "number":
        verdict = verdict_of(pg, limits)
    elif value.comparator in (">", ">="):
        high = None
        verdict = "adequate" if limits.b12_adequate.holds(pg) else "indeterminate"
    else:
        low = high = None
        verdict = "indeterminate"
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
        below_reference=verdict == "adequate" and reference is not None and pg < reference,
    )


def _range(
    measured: Measurement, interval: Interval, when: Moment, rule: str, g: Guideline
) -> Level:
    """The verdict both ends share, if they are known and in order."""
    sent = [end for end in (interval.low, interval.high) if end is not None]
    written = " to ".join(end.written for end in sent)
    ends = [pg for end in sent if (pg := _pg(end, g)) is not None]
    indeterminate = Level(rule, "indeterminate", when, measured.source, written)
    if len(ends) != 2:
        return indeterminate
    low, high = ends
    if not 0 < low <= high or g.limits.b12_implausible.holds(high):
        return indeterminate
    verdicts = {verdict_of(low, g.limits), verdict_of(high, g.limits)}
    verdict = verdicts.pop() if len(verdicts) == 1 else indeterminate.verdict
    return Level(rule, verdict, when, measured.source, written, low, high)


def _as_if_final(measured: Measurement, facts: ResultFacts, g: Guideline) -> Level | None:
    """The level of a preliminary result where it would be deficient, whatever its date."""
    if measured.value is None or measured.when is None:
        return None
    match = first_match(g.tables.result, structs.replace(facts, status=STANDING[0], ahead=0))
    if match.result in (None, "unusable"):
        return None
    level = _level(measured, measured.when, facts, match.rule, match.result, g)
    return level if level.verdict == "deficient" else None


def _written(measured: Measurement) -> str:
    """The answer as it was sent."""
    if measured.value is not None:
        return measured.value.written
    if measured.text or not measured.concepts:
        return measured.text
    return measured.concepts[0].display or measured.concepts[0].code


def _property_of_code(measured: Measurement, g: Guideline) -> Property | None:
    """The property that the result's codes name, if they name one."""
    mass = g.codes.b12_level_mass.any_of(measured.codes) is not None
    molar = g.codes.b12_level_molar.any_of(measured.codes) is not None
    if mass == molar:
        return None
    return "mass" if mass else "molar"


def _property(measured: Measurement) -> Property | None:
    """The property that the result's unit is of."""
    unit = measured.value.unit if measured.value is not None else None
    if unit is None:
        return None
    return "molar" if UNITS[unit][0] == "substance concentration" else "mass"


def _pg(quantity: Quantity, g: Guideline) -> Decimal | None:
    return convert(quantity, "pg/mL", molar_mass=g.file.constants.b12_molar_mass.value)


def _lowest_first(levels: list[Level]) -> list[Level]:
    """Newest first; of results of which any may be the newest the lowest counts."""
    ordered = worst_of_the_newest(levels, _how_low)
    tied = [one for one in ordered[1:] if one.when.may_be_as_late_as(ordered[0].when)]
    return [structs.replace(ordered[0], tie=True), *ordered[1:]] if tied else ordered


#: From the gravest on.
_GRAVITY: tuple[Verdict, ...] = ("deficient", "low", "indeterminate", "borderline", "adequate")


def _how_low(level: Level) -> tuple[Decimal, ...]:
    return Decimal(_GRAVITY.index(level.verdict)), level.high or Decimal("Infinity")


# --- other results ----------------------------------------------------------------------------


#: "Below 7" is on the lower side of a limit of 7.
_JUST_BELOW = Decimal("0.0001")


_HIGH_IS_WORSE = frozenset[LabName]({"mcv", "methylmalonate", "homocysteine"})
#: By which limit a value worries at some age.
_WORRYING: Mapping[LabName, str] = {
    "hemoglobin": "hemoglobin_anaemia", "mcv": "mcv_high", "platelets": "platelets_two_lines",
    "potassium": "potassium_low", "methylmalonate": "mma_high_toddler",
    "homocysteine": "homocysteine_high",
}  # fmt: skip


def _worries(name: LabName, number: Decimal, g: Guideline, *, high: bool, low: bool) -> bool:
    limit = _WORRYING.get(name)
    beyond = limit is not None and getattr(g.limits, limit).holds(number)
    return beyond or (high if name in _HIGH_IS_WORSE else low)


#: Beyond which a value is not a child's: most are slips of the unit, and would hide anaemia
#: or a lack of platelets.
_IMPLAUSIBLE: Mapping[LabName, str] = {
    "hemoglobin": "hemoglobin_implausible", "platelets": "platelets_implausible",
    "leukocytes": "white_cells_implausible", "neutrophils": "white_cells_implausible",
    "potassium": "potassium_implausible",
}  # fmt: skip
_NEVER_ZERO = frozenset[LabName]({"hemoglobin", "mcv", "potassium"})


def is_credible(name: LabName, number: Decimal, g: Guideline) -> bool:
    """Whether a number in its unit can be a result at all."""
    if number < 0 or (number == 0 and name in _NEVER_ZERO):
        return False
    limit = _IMPLAUSIBLE.get(name)
    return limit is None or not getattr(g.limits, limit).holds(number)


def newest_first(labs: Sequence[Lab]) -> list[Lab]:
    """Of those of which any may be the newest the worst is first."""
    return worst_of_the_newest(labs, _how_bad)


def _how_bad(lab: Lab) -> tuple[Decimal, ...]:
    return (-lab.value if lab.name in _HIGH_IS_WORSE else lab.value,)


def read_lab(
    name: LabName,
    measured: Measurement,
    on: date,
    g: Guideline,
    statuses: Collection[str] = FINAL,
) -> Lab | None:
    """A laboratory value in its unit, with the laboratory's own flag; ``None`` if unusable."""
    value, when = measured.value, measured.when
    if measured.status not in statuses or measured.about or when is None:
        return None
    if is_ahead(when, on, g.limits):
        return None
    if value is None:
        return _flagged_alone(name, measured, when, g)
    number = _in_unit(name, value, g)
    if number is None or not is_credible(name, number, g):
        return None
    if value.comparator == "<":
        number -= _JUST_BELOW
    ranged = _against_range(name, number, value.comparator, measured, g)
    flag = measured.interpretation
    low, high = flag == "low" or ranged.low, flag == "high" or ranged.high
    return Lab(
        number,
        value.written,
        when,
        measured.source,
        value.comparator,
        high=high,
        low=low,
        flagged=flag != "" or ranged.tells,
        name=name,
        placed=flag != "" or ranged.tells_low,
        unread=ranged.unread or not {"flag", "range"}.isdisjoint(measured.unclear),
        worrying=_worries(name, number, g, high=high, low=low),
        converted=convert(value, LAB_UNITS[name]) is None and _molar_mass(name, g) is not None,
    )


def _flagged_alone(name: LabName, measured: Measurement, when: Moment, g: Guideline) -> Lab | None:
    """A metabolite that the laboratory calls high without a number: above nothing, and raised."""
    if name not in ("methylmalonate", "homocysteine") or measured.interpretation != "high":
        return None
    return Lab(
        Decimal(0),
        g.file.texts.flagged_high,
        when,
        measured.source,
        ">",
        high=True,
        low=False,
        flagged=True,
        name=name,
        worrying=True,
    )


class _Ranged(Struct, frozen=True):
    """Where a value lies by the laboratory's range; ``tells`` that its upper end decides,
    ``tells_low`` that it has a lower one, ``unread`` that the upper end is in a unit no one can
    convert."""

    high: bool
    low: bool
    tells: bool
    tells_low: bool
    unread: bool


def _against_range(
    name: LabName, number: Decimal, comparator: str, measured: Measurement, g: Guideline
) -> _Ranged:
    """ "<0.9" against a range up to 0.4 says nothing, neither does ">0.3"."""
    unit, mass = LAB_UNITS[name], _molar_mass(name, g)
    low, high = measured.reference_low, measured.reference_high
    lower = convert(low, unit, molar_mass=mass) if low is not None else None
    upper = convert(high, unit, molar_mass=mass) if high is not None else None
    below, above = comparator in ("<", "<="), comparator in (">", ">=")
    too_high = upper is not None and number > upper and not below
    in_range = upper is not None and number <= upper and not above
    too_low = lower is not None and number < lower and not above
    unread = measured.reference_high is not None and upper is None
    return _Ranged(too_high, too_low, too_high or in_range, lower is not None, unread)


def against_own_range(measured: Measurement) -> Literal["above", "within", ""]:
    """Where a number lies by the upper end of its range, both in one unit as written."""
    value, upper = measured.value, measured.reference_high
    if value is None or upper is None or value.unit != upper.unit:
        return ""
    if value.value > upper.value:
        return "" if value.comparator in ("<", "<=") else "above"
    return "" if value.comparator in (">", ">=") else "within"


def as_compared(kind: str, value: Quantity, g: Guideline) -> Decimal | None:
    """A value of any kind of result in the unit it is compared in; ``None`` if it has none."""
    if kind == "b12_level":
        return _pg(value, g)
    if kind in LAB_UNITS:
        return _in_unit(kind, value, g)
    return convert(value, "wk" if kind == "gestational_age" else "kg")


def _in_unit(name: LabName, value: Quantity, g: Guideline) -> Decimal | None:
    """A value in the unit that its kind is compared in."""
    if name == "potassium" and value.unit == "meq/L":
        return value.value  # potassium carries one charge
    return convert(value, LAB_UNITS[name], molar_mass=_molar_mass(name, g))


def _molar_mass(name: LabName, g: Guideline) -> Decimal | None:
    constants = g.file.constants
    if name == "hemoglobin":
        return constants.hemoglobin_molar_mass.value
    return constants.homocysteine_molar_mass.value if name == "homocysteine" else None
