"""Table AGE: how old the child is, and whether the guideline speaks about it.

Children from birth to the day before the second birthday, by the calendar, uncorrected. A partial
date of birth is read by both its ends.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from cds_service.guidelines.b12_under_two.limits import Limits
from cds_service.guidelines.tables import (
    Row,
    Table,
    TableWords,
    all_of,
    any_of,
    is_one_of,
    meets,
    misses,
    not_,
    otherwise,
    unknown,
)


class AgeFacts(Struct, frozen=True):
    """``birth`` is the earliest day the date of birth can mean, unknown without one; a partial
    date leaves open between ``youngest`` and ``oldest`` completed months."""

    deceased: bool = False
    birth: Literal["by today", "after today"] | None = None
    partial: bool = False
    youngest: int | None = None
    oldest: int | None = None


def age_table(limits: Limits, words: TableWords) -> Table[AgeFacts, bool]:
    """What follows from a row is whether the guideline speaks about the child."""
    f = AgeFacts
    covered, toddler = limits.covered_age, limits.toddler_age
    exact = not_(f.partial)
    one_group = any_of(
        all_of(meets(f.youngest, toddler), meets(f.oldest, toddler)),
        all_of(misses(f.youngest, toddler), misses(f.oldest, toddler)),
    )
    return Table.of(
        "age",
        AgeFacts,
        (
            Row("AGE-01", f.deceased, False),
            Row("AGE-02", unknown(f.birth), False),
            Row("AGE-03", is_one_of(f.birth, "after today"), False),
            Row("AGE-04", all_of(exact, misses(f.oldest, covered)), False),
            Row("AGE-05", all_of(exact, meets(f.oldest, toddler)), True),
            Row("AGE-06", exact, True),
            Row("AGE-07", misses(f.youngest, covered), False),
            Row("AGE-08", all_of(meets(f.oldest, covered), one_group), True),
            Row("AGE-09", meets(f.oldest, covered), True),
            Row("AGE-10", otherwise, False),
        ),
        words,
        first=True,
    )
