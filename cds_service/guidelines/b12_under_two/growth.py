"""WHO weight-for-age, with its data in ``who_weight.toml``: how far a weight is from the median,
and whether the weights of a child fall across the centiles. The fall is calculated and said so: no
one has called it failure to thrive."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from cds_service.clinical import Sex
from cds_service.guidelines.b12_under_two.limits import Limits
from cds_service.guidelines.engine import convert, read_toml

_FILE = Path(__file__).with_name("who_weight.toml")
_DAYS_A_MONTH = Decimal("30.4375")


class Weighing(Struct, frozen=True):
    """One weight that counts, in kg, and as it was written."""

    on: date
    kg: Decimal
    written: str


#: Months to the weights at each deviation, in kg.
Curves = Mapping[str, tuple[Decimal, ...]]


class _BothSexes(Struct, frozen=True, forbid_unknown_fields=True):
    """Months to the weights at each of ``deviations``, in kg."""

    deviations: tuple[Decimal, ...]
    male: Curves
    female: Curves

    def of(self, sex: Sex) -> tuple[Curves, ...]:
        """The curves of a sex; of both where it is not known."""
        if sex == "male":
            return (self.male,)
        return (self.female,) if sex == "female" else (self.male, self.female)


class _Standard(_BothSexes, frozen=True, forbid_unknown_fields=True):
    """``extremes`` go further, at every month."""

    extremes: _BothSexes


@cache
def _standard() -> _Standard:
    return convert(read_toml(_FILE), _Standard, _FILE)


def curves(sex: Sex = "") -> tuple[Curves, ...]:
    """The curves of a sex, or of both: months to the weights at each deviation, in kg."""
    return _standard().of(sex)


def lines_for(birth: date, sex: Sex) -> dict[Decimal, tuple[tuple[date, Decimal], ...]]:
    """For each deviation of the table the weight at each of its months, on the day on which a child
    reaches it; nothing where the sex, and so the curve, is not known."""
    if not sex:
        return {}
    (table,) = curves(sex)
    days = {month: birth + timedelta(days=round(int(month) * _DAYS_A_MONTH)) for month in table}
    return {
        deviation: tuple((days[month], weights[at]) for month, weights in table.items())
        for at, deviation in enumerate(_standard().deviations)
    }


class Place(Struct, frozen=True):
    """How many standard deviations a weight is below the median of the lightest curve that can be
    the child's, and above that of the heaviest."""

    light: Decimal
    heavy: Decimal


def place_of(kg: Decimal, youngest: int, oldest: int, sex: Sex) -> Place:
    """Where a weight is among the extremes. Within a month the lower end is that of its beginning
    and the upper end that of the next; of an incomplete date of birth both ages have to fit."""
    extremes = _standard().extremes
    last = max(map(int, extremes.male))
    begun, ends = str(min(oldest, last)), str(min(youngest + 1, last))
    scale, of_sex = extremes.deviations, extremes.of(sex)
    return Place(
        -max(_on_scale(kg, one[begun], scale) for one in of_sex),
        min(_on_scale(kg, one[ends], scale) for one in of_sex),
    )


def extreme_curves() -> Iterator[tuple[str, Sequence[Sequence[Decimal]]]]:
    """The weights among which `place_of` finds one, of each sex by month, and their deviations."""
    extremes = _standard().extremes
    yield "deviations", (extremes.deviations,)
    for sex, curve in (("male", extremes.male), ("female", extremes.female)):
        yield f"weights {sex}", [curve[month] for month in sorted(curve, key=int)]


def heaviest(months: int, deviation: Decimal) -> Decimal:
    """The weight of either sex so far above the median at so many months."""
    extremes = _standard().extremes
    return max(
        _at_deviation(one[str(months)], extremes.deviations, deviation) for one in extremes.of("")
    )


def _at_deviation(
    curve: Sequence[Decimal], deviations: Sequence[Decimal], wanted: Decimal
) -> Decimal:
    """By a straight line between the two points around it, or on from the last two."""
    at = min(max(bisect_right(deviations, wanted), 1), len(curve) - 1)
    share = (wanted - deviations[at - 1]) / (deviations[at] - deviations[at - 1])
    return curve[at - 1] + (curve[at] - curve[at - 1]) * share


class Fall(NamedTuple):
    """The two weights between which a child fell across the centiles."""

    before: Weighing
    now: Weighing


def fall_of(
    weighed: Sequence[Weighing], birth: date, sex: Sex, on: date, limits: Limits
) -> Fall | None:
    """The loss of two centile spaces or more up to the newest weight, over four weeks at least; by
    the curves of both sexes where it is not known. ``weighed`` is in order of date."""
    if not weighed or not limits.growth_recent.holds((on - weighed[-1].on).days):
        return None
    now = weighed[-1]
    for before in weighed:
        if not limits.growth_span.holds((now.on - before.on).days):
            return None
        lost = min(
            deviation_of(before, birth, table) - deviation_of(now, birth, table)
            for table in curves(sex)
        )
        if limits.growth_fall.holds(lost):
            return Fall(before, now)
    return None


def deviation_of(weighing: Weighing, birth: date, table: Curves) -> Decimal:
    """Standard deviations from the median at the age of the weighing, between the points of the
    table by straight lines."""
    months = max(Decimal((weighing.on - birth).days) / _DAYS_A_MONTH, Decimal(0))
    known = sorted(int(month) for month in table)
    place = min(max(bisect_right(known, months), 1), len(known) - 1)
    early, late = known[place - 1], known[place]
    share = min((months - early) / (late - early), Decimal(1))
    curve = [
        young + (old - young) * share
        for young, old in zip(table[str(early)], table[str(late)], strict=True)
    ]
    return _on_scale(weighing.kg, curve, _standard().deviations)


def _on_scale(kg: Decimal, curve: Sequence[Decimal], deviations: Sequence[Decimal]) -> Decimal:
    """The deviation of a weight by straight lines between the points, and on from the last two."""
    at = min(max(bisect_right(curve, kg), 1), len(curve) - 1)
    low, high = curve[at - 1], curve[at]
    step = deviations[at] - deviations[at - 1]
    return deviations[at - 1] + step * (kg - low) / (high - low)
