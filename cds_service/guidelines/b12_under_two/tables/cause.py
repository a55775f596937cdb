"""Table ETI: why there is a deficiency. Every row stands for itself, all that is known is shown;
an inborn error decides before malabsorption, malabsorption before diet."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from cds_service.guidelines.tables import (
    Row,
    Table,
    TableWords,
    all_of,
    any_of,
    not_,
    some,
)

#: ``mixed`` is malabsorption with a diet that lacks vitamin B12.
Cause = Literal[
    "inborn", "malabsorption", "mixed", "nutritional", "nutritional possible", "unknown"
]


class CauseFacts(Struct, frozen=True):
    """What is on record of each kind, by name; ``breast_fed`` is ``None`` when unknown."""

    inborn: tuple[str, ...] = ()
    malabsorption: tuple[str, ...] = ()
    breast_fed: bool | None = None
    maternal_diet: str = ""
    child_diet: str = ""
    dietary: tuple[str, ...] = ()


def cause_table(words: TableWords) -> Table[CauseFacts, None]:
    f = CauseFacts
    nutritional = any_of(
        all_of(f.breast_fed, some(f.maternal_diet)), some(f.child_diet), some(f.dietary)
    )
    possible = all_of(f.breast_fed, not_(nutritional))
    return Table.of(
        "etiology",
        CauseFacts,
        (
            Row("ETI-01", some(f.inborn), None),
            Row("ETI-02", some(f.malabsorption), None),
            Row("ETI-03", nutritional, None),
            Row("ETI-04", possible, None),
            Row("ETI-05", all_of(some(f.malabsorption), any_of(nutritional, possible)), None),
            Row(
                "ETI-06",
                not_(any_of(some(f.inborn), some(f.malabsorption), nutritional, possible)),
                None,
            ),
        ),
        words,
        first=False,
    )
