"""A drug that is to be given, in words: in a headline, and in one line with volume and site."""

from __future__ import annotations

from decimal import Decimal

from cds_service.clinical import Phase, PlannedDrug
from cds_service.guidelines import naming
from cds_service.guidelines.b12_under_two.data import Guideline
from cds_service.guidelines.b12_under_two.messages import Texts
from cds_service.language import Amount, Listed, Message, Value, Words, house, say


def headline(drug: PlannedDrug, g: Guideline) -> Message:
    """Drug, dose, volume, way and the first interval."""
    return say(
        Texts.headline_drug,
        substance=naming.substance(drug.substance),
        how=_how(drug, g, today=True),
    )


def instead(drug: PlannedDrug, g: Guideline) -> Message:
    """How much to give in place of a wrong order: dose, volume, way and how often."""
    return _how(drug, g, today=False)


def _how(drug: PlannedDrug, g: Guideline, *, today: bool) -> Message:
    """Dose, volume, way and how often at first."""
    dose, volume, first = _dose(drug), _volume(drug), how_often(drug.phases[0])
    if volume is not None:
        dose = say(Texts.dose_in_volume, amount=dose, volume=volume)
    begins = drug.phases[0].begins or drug.authored
    if not today:
        often = first
    elif drug.route == g.file.routes.oral:
        often = _beginning(drug)
    elif begins > drug.authored:
        often = say(Texts.from_day, interval=first, date=begins)
    else:
        often = say(Texts.today_then, interval=first)
    return say(Texts.headline_how, dose=dose, way=_way(drug, g), often=often)


def given(drug: PlannedDrug, g: Guideline) -> Message:
    """The whole course in one line: product, volume, dose, way and site, how often and how long."""
    return _given(drug, g, course(drug))


def begun(drug: PlannedDrug, g: Guideline) -> Message:
    """The same for the beginning of the course alone."""
    return _given(drug, g, _beginning(drug))


def _given(drug: PlannedDrug, g: Guideline, often: Value) -> Message:
    dose, volume = _dose(drug), _volume(drug)
    if volume is not None:
        dose = say(Texts.volume_with_dose, volume=volume, amount=dose)
    product, where = _product(drug), _way(drug, g)
    if drug.route != g.file.routes.oral:
        where = say(Texts.way_and_site, way=where, site=_site(volume, g))
    elif _strength(drug) is not None:  # a solution, for which no one should take an ampoule
        return say(Texts.give_by_mouth, drug=product, dose=dose, course=often)
    return say(Texts.give, drug=product, dose=dose, where=where, course=often)


def _way(drug: PlannedDrug, g: Guideline) -> Message:
    if drug.route == g.file.routes.oral:
        return say(Texts.short_oral)
    subcutaneous = drug.route == g.file.routes.subcutaneous
    return say(Texts.short_subcutaneous if subcutaneous else Texts.short_intramuscular)


def _site(volume: Amount | None, g: Guideline) -> Message:
    """Where to inject, divided above what one site holds."""
    most = g.limits.injection_volume
    if volume is None:
        return say(Texts.site_unmeasured, limit=Amount(most.value, most.unit))
    return say(Texts.site_divided if most.holds(volume.value) else Texts.site)


def course(drug: PlannedDrug) -> Listed:
    """How often and how long, phase after phase."""
    first, *later = drug.phases
    return Listed((_stretch(first), *(_stretch(one, later=True) for one in later)))


def _beginning(drug: PlannedDrug) -> Message:
    first = _stretch(drug.phases[0])
    return say(Texts.then_less_often, course=first) if len(drug.phases) > 1 else first


def _product(drug: PlannedDrug) -> Words:
    """The substance with its strength, where both are known."""
    strength = _strength(drug)
    if strength is None:
        return drug.name
    return say(
        Texts.product_without_preservative if drug.preservative_free else Texts.product,
        substance=naming.substance(drug.substance, first=True),
        strength=strength,
    )


def _strength(drug: PlannedDrug) -> Amount | None:
    """In one millilitre, where it is known of what."""
    if drug.strength is None or not drug.substance:
        return None
    return Amount(drug.strength / 1000, "mg/mL")


def _dose(drug: PlannedDrug) -> Value:
    return Amount(drug.amount, drug.unit)


def _volume(drug: PlannedDrug) -> Amount | None:
    """What is drawn up, where the strength is known: to a hundredth, and a drop to two figures."""
    if drug.strength is None:
        return None
    volume = drug.amount / drug.strength
    places = max(2, 1 - volume.adjusted())
    return Amount(round(volume, places), "mL")


def _stretch(phase: Phase, *, later: bool = False) -> Message:
    """How often and how long."""
    interval = how_often(phase)
    begins, count = phase.begins, phase.count
    if begins is not None and not later:
        return say(
            Texts.stretch_first, date=begins, interval=interval, count=count, then=phase.then
        )
    if begins is not None and phase.then:
        return say(
            Texts.stretch_from_then, date=begins, interval=interval, count=count, then=phase.then
        )
    if begins is not None:
        return say(Texts.stretch_from, date=begins, interval=interval, count=count)
    duration, unit = _in_weeks(Decimal(phase.duration), phase.duration_unit)
    if later:
        return say(Texts.stretch_then, interval=interval, duration=duration, unit=_UNITS[unit])
    if phase.period_unit == "d" and phase.period == phase.frequency:  # every day: no one counts
        return say(Texts.stretch, interval=interval, duration=duration, unit=_UNITS[unit])
    return say(
        Texts.stretch_counted,
        interval=interval, duration=duration, unit=_UNITS[unit], count=count,
    )  # fmt: skip


def _in_weeks(duration: Decimal, unit: str) -> tuple[Decimal, str]:
    """Whole weeks from two on, as people count them."""
    if unit == "d" and duration >= _TWO_WEEKS and not duration % _WEEK:
        return duration // _WEEK, "wk"
    return duration, unit


def stretch(interval: Message, days: Decimal | None, *, later: bool) -> Message:
    """How often and for how many days, of one step of an order as it is written; ``later`` for one
    that comes after another."""
    if days is None:
        return say(Texts.stretch_then_open, interval=interval) if later else interval
    duration, unit = _in_weeks(days, "d")
    return say(
        Texts.stretch_then if later else Texts.stretch,
        interval=interval,
        duration=duration,
        unit=_UNITS[unit],
    )


def how_often(phase: Phase) -> Message:
    """How often."""
    match phase.frequency, phase.period, phase.period_unit:
        case 1, 1, "d":
            return say(Texts.interval_daily)
        case 1, 2, "d":
            return say(Texts.interval_alternate)
        case 1, 1, "wk":
            return say(Texts.interval_weekly)
        case 2, 1, "wk":
            return say(Texts.interval_twice_weekly)
        case 1, period, "mo":
            return say(Texts.interval_months, period=period)
        case times, period, unit:
            return say(Texts.interval_other, times=times, period=period, unit=_UNITS[unit])


def rhythm(times: Decimal, days: Decimal) -> Message:
    """How often, of so many times in so many days, as it is written of a phase."""
    if days % _MONTH == 0 and times == 1:
        return say(Texts.interval_months, period=days / _MONTH)
    if days % _WEEK == 0 and times == 1 and days > _WEEK:
        return say(Texts.interval_once, period=days / _WEEK, unit=_UNITS["wk"])
    match times, days:
        case 1, 1:
            return say(Texts.interval_daily)
        case 1, 2:
            return say(Texts.interval_alternate)
        case 1, 7:
            return say(Texts.interval_weekly)
        case 2, 7:
            return say(Texts.interval_twice_weekly)
    if times == 1:
        return say(Texts.interval_once, period=days, unit=_UNITS["d"])
    return say(Texts.interval_other, times=times, period=days, unit=_UNITS["d"])


_WEEK, _TWO_WEEKS, _MONTH = 7, 14, 30
_UNITS = {
    "d": say(house.Order.days),
    "wk": say(house.Order.weeks),
    "mo": say(house.Order.months),
}
