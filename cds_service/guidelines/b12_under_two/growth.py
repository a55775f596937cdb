"""Whether the weights of a child fall across the centiles of WHO weight-for-age; data in
``who_weight.toml``. It is calculated and said so: nobody has called it failure to thrive."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from cds_service.guidelines.b12_under_two.data import Limits
from cds_service.guidelines.engine import convert, read_toml

_FILE = Path(__file__).with_name("who_weight.toml")
_DAYS_A_MONTH = Decimal("30.4375")


class Weighing(NamedTuple):
    """One weight that counts, in kg, and as it was written."""

    on: date
    kg: Decimal
    written: str


class _Standard(Struct, frozen=True, forbid_unknown_fields=True):
    """Months to the weights at each of ``deviations``, in kg."""

    deviations: tuple[Decimal, ...]
    male: Mapping[str, tuple[Decimal, ...]]
    female: Mapping[str, tuple[Decimal, ...]]


@cache
def _standard() -> _Standard:
    return convert(read_toml(_FILE), _Standard, _FILE)


def curves() -> tuple[Mapping[str, tuple[Decimal, ...]], ...]:
    """The table of each sex: months to the weights at each deviation, in kg."""
    return _standard().male, _standard().female


class Fall(NamedTuple):
    """The two weights between which a child fell across the centiles."""

    before: Weighing
    now: Weighing


def fall_of(weighed: Sequence[Weighing], birth: date, on: date, limits: Limits) -> Fall | None:
    """The loss of two centile spaces or more up to the newest weight, over four weeks at least; by
    the reading of either sex, since it is not known here. ``weighed`` is in order of date."""
    if not weighed or not limits.growth_recent.holds((on - weighed[-1].on).days):
        return None
    now = weighed[-1]
    for before in weighed:
        if not limits.growth_span.holds((now.on - before.on).days):
            return None
        lost = min(
            deviation_of(before, birth, table) - deviation_of(now, birth, table)
            for table in curves()
        )
        if limits.growth_fall.holds(lost):
            return Fall(before, now)
    return None


def deviation_of(
    weighing: Weighing, birth: date, table: Mapping[str, tuple[Decimal, ...]]
) -> Decimal:
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
    deviations = _standard().deviations
    at = min(max(bisect_right(curve, weighing.kg), 1), len(curve) - 1)
    low, high = curve[at - 1], curve[at]
    step = deviations[at] - deviations[at - 1]
    return deviations[at - 1] + step * (weighing.kg - low) / (high - low)
