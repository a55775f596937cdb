"""What a blood count means at the age at which the sample was taken, shared by several tables."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

from cds_service.guidelines.b12_under_two.limits import Limits
from cds_service.guidelines.engine import Limit
from cds_service.guidelines.tables import Condition, all_of, any_of, meets, misses


def anaemia(hemoglobin: Decimal | None, months: int | None, limits: Limits) -> Condition:
    """Haemoglobin below the limit for the child's completed ``months`` at sampling; under one
    month no limit decides."""
    return _by_age(
        hemoglobin,
        months,
        limits,
        (
            limits.hemoglobin_anaemia_1_month,
            limits.hemoglobin_anaemia_2_months,
            limits.hemoglobin_anaemia_3_months,
            limits.hemoglobin_anaemia,
        ),
    )


def macrocytosis(
    mcv: Decimal | None, flagged: bool, months: int | None, limits: Limits
) -> Condition:
    """A high cell volume: from six months on by its number alone; before that only where the
    laboratory ``flagged`` it and it is above the limit for the age."""
    early = (limits.mcv_high_1_month, limits.mcv_high_2_months, limits.mcv_high_3_months)
    return any_of(
        all_of(meets(months, limits.blood_age_6_months), meets(mcv, limits.mcv_high)),
        all_of(flagged, _by_age(mcv, months, limits, early)),
    )


def ages(limits: Limits) -> tuple[Limit, ...]:
    """From which completed month on each of the limits by age holds."""
    return (
        limits.blood_age_1_month,
        limits.blood_age_2_months,
        limits.blood_age_3_months,
        limits.blood_age_6_months,
    )


def anaemia_limit(months: int | None, limits: Limits) -> Limit | None:
    """The limit of anaemia at this age; none under one month, or at an unknown age."""
    by_age = (
        limits.hemoglobin_anaemia_1_month,
        limits.hemoglobin_anaemia_2_months,
        limits.hemoglobin_anaemia_3_months,
        limits.hemoglobin_anaemia,
    )
    return _limit_at(months, limits, by_age)


def cell_volume_limit(months: int | None, limits: Limits, *, flagged: bool) -> Limit | None:
    """The limit of macrocytosis at this age; before six months none without the laboratory's
    flag."""
    early = (limits.mcv_high_1_month, limits.mcv_high_2_months, limits.mcv_high_3_months)
    if months is not None and not limits.blood_age_6_months.holds(months) and not flagged:
        return None
    return _limit_at(months, limits, (*early, limits.mcv_high))


def _limit_at(months: int | None, limits: Limits, by_age: tuple[Limit, ...]) -> Limit | None:
    found = None
    for begins, limit in zip(ages(limits), by_age, strict=True):
        if months is not None and begins.holds(months):
            found = limit
    return found


def _by_age(
    value: Decimal | None, months: int | None, limits: Limits, by_age: tuple[Limit, ...]
) -> Condition:
    """The value on the side of the limit for its age; ``by_age`` may end before the last age."""
    begins = ages(limits)
    ends = [later for _, later in pairwise(begins)]
    conditions = []
    for place, limit in enumerate(by_age):
        within = [meets(months, begins[place])]
        if place < len(ends):
            within.append(misses(months, ends[place]))
        conditions.append(all_of(*within, meets(value, limit)))
    return any_of(*conditions)
