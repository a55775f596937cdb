"""Table WT: which weights count, and whether a dose may rest on the latest of them."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from msgspec import Struct

from cds_service.guidelines.b12_under_two.limits import Limits
from cds_service.guidelines.b12_under_two.tables.result import STANDING
from cds_service.guidelines.engine import Limit
from cds_service.guidelines.tables import (
    Condition,
    Row,
    Table,
    TableWords,
    all_of,
    any_of,
    is_one_of,
    known,
    meets,
    misses,
    not_,
    otherwise,
    unknown,
)

#: What becomes of a weight that a row speaks of.
Fate = Literal["ignored", "rejected", "unusual"]


class WeighingFacts(Struct, frozen=True):
    """One weight on record. ``ahead`` are the days from today to the earliest day it can be of,
    unknown without a date. ``kg`` is unknown in a unit that is not; ``youngest`` and ``oldest``
    are completed months at the weighing, unknown without a date of birth. ``light`` and ``heavy``
    are standard deviations of WHO weight-for-age, below the lightest and above the heaviest median
    that can be the child's. ``age`` is days today.
    """

    status: str = "final"
    about_another: bool = False
    withheld: bool = False
    number: bool = True
    comparator: str = ""
    ahead: int | None = None
    kg: Decimal | None = None
    youngest: int | None = None
    oldest: int | None = None
    light: Decimal | None = None
    heavy: Decimal | None = None
    preterm: bool = False
    at_birth: bool = False
    age: int | None = None


def weighing_table(limits: Limits, words: TableWords) -> Table[WeighingFacts, Fate]:
    """A weight counts where no row holds, and where it is only unusual."""
    f = WeighingFacts
    unclear = any_of(
        not_(is_one_of(f.status, *STANDING)),
        f.withheld,
        f.about_another,
        not_(f.number),
        not_(is_one_of(f.comparator, "")),
        unknown(f.ahead),
        meets(f.ahead, limits.dated_ahead),
    )
    on_the_curve = all_of(not_(f.preterm), meets(f.youngest, limits.weight_curve_age))
    implausible = any_of(
        unknown(f.kg),
        unknown(f.oldest),
        all_of(on_the_curve, meets(f.light, limits.weight_rejected_low)),
        all_of(
            not_(on_the_curve), any_of(_too_light(f.oldest, limits), _too_light(f.youngest, limits))
        ),
        meets(f.heavy, limits.weight_rejected_high),
    )
    unusual = any_of(
        all_of(on_the_curve, meets(f.light, limits.weight_unusual_low)),
        meets(f.heavy, limits.weight_unusual_high),
    )
    return Table.of(
        "weight_found",
        WeighingFacts,
        (
            Row("WT-01", unclear, "ignored"),
            Row("WT-02", implausible, "rejected"),
            Row("WT-03", all_of(f.at_birth, misses(f.age, limits.birth_weight_age)), "ignored"),
            Row("WT-07", unusual, "unusual"),
        ),
        words,
        first=True,
        complete=False,
    )


def _too_light(months: int | None, limits: Limits) -> Condition:
    """Lighter than is plausible at so many months, where the lower curves do not hold."""
    one, six, twelve = (
        limits.weight_band_1_month,
        limits.weight_band_6_months,
        limits.weight_band_12_months,
    )
    return any_of(
        *(
            all_of(during, misses(WeighingFacts.kg, floor))
            for during, floor in (
                (_between(months, None, one), limits.weight_floor_under_1_month),
                (_between(months, one, six), limits.weight_floor_1_to_6_months),
                (_between(months, six, twelve), limits.weight_floor_6_to_12_months),
                (_between(months, twelve, None), limits.weight_floor_12_to_24_months),
            )
        )
    )


class WeightFacts(Struct, frozen=True):
    """``days`` since the latest weight that counts, unknown without one; ``age`` is the least
    that the child can be, in completed months."""

    days: int | None = None
    age: int = 0


def weight_table(limits: Limits, words: TableWords) -> Table[WeightFacts, None]:
    """Infants grow fast: the younger the child can be, the fresher its weight must be."""
    f = WeightFacts
    young, infant = limits.weight_age_3_months, limits.weight_age_12_months
    recent = any_of(
        all_of(_between(f.age, None, young), meets(f.days, limits.weight_age_under_3_months)),
        all_of(_between(f.age, young, infant), meets(f.days, limits.weight_age_3_to_12_months)),
        all_of(_between(f.age, infant, None), meets(f.days, limits.weight_age_12_to_24_months)),
    )
    return Table.of(
        "weight",
        WeightFacts,
        (
            Row("WT-04", recent, None),
            Row("WT-05", known(f.days), None),
            Row("WT-06", otherwise, None),
        ),
        words,
        first=True,
    )


def _between(months: int | None, lower: Limit | None, upper: Limit | None) -> Condition:
    """An age on the far side of the ``lower`` limit and on the side of the ``upper`` one."""
    ends = []
    if lower is not None:
        ends.append(misses(months, lower))
    if upper is not None:
        ends.append(meets(months, upper))
    return all_of(*ends)
