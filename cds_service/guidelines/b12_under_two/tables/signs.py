"""Table SIGN: how loudly a child without a usable level is spoken of for its signs. The first row
that holds answers; a child without a sign has none."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from msgspec import Struct

from cds_service.guidelines.b12_under_two.limits import Limits
from cds_service.guidelines.engine import Indicator
from cds_service.guidelines.tables import (
    Row,
    Table,
    TableWords,
    all_of,
    any_of,
    meets,
    some,
)


class SignFacts(Struct, frozen=True):
    """``inborn`` are words of an inborn error without a code. ``hemoglobin`` is g/dL. ``count`` is
    the number of suggestive signs, ``firm`` says that one of them is more than irritability or a
    wide word. ``mother_unknown`` when the child is breast-fed and nothing is known of the
    mother."""

    neurological: tuple[str, ...] = ()
    worded: tuple[str, ...] = ()
    screening: tuple[str, ...] = ()
    inborn: tuple[str, ...] = ()
    hemoglobin: Decimal | None = None
    count: int = 0
    firm: bool = False
    cause: bool = False
    mother_unknown: bool = False
    suggestive: tuple[Any, ...] = ()


def presenting_table(limits: Limits, words: TableWords) -> Table[SignFacts, Indicator]:
    f = SignFacts
    return Table.of(
        "signs",
        SignFacts,
        (
            Row("SIGN-01", any_of(some(f.neurological), some(f.worded)), "warning"),
            Row("SIGN-02", some(f.screening), "warning"),
            Row("SIGN-02b", some(f.inborn), "warning"),
            Row("SIGN-03", meets(f.hemoglobin, limits.hemoglobin_severe), "warning"),
            Row(
                "SIGN-04",
                any_of(
                    meets(f.count, limits.suggestive_signs),
                    all_of(f.firm, any_of(f.cause, f.mother_unknown)),
                ),
                "warning",
            ),
            Row("SIGN-05", some(f.suggestive), "info"),
        ),
        words,
        first=True,
        complete=False,
    )
