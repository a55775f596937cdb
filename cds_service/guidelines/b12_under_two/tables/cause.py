"""Table ETI: why there is a deficiency. Every row is independent, all that is known is shown;
an inborn error decides before malabsorption, malabsorption before diet."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from msgspec import Struct

from cds_service.guidelines.b12_under_two.limits import Limits
from cds_service.guidelines.tables import (
    Row,
    Table,
    TableWords,
    all_of,
    any_of,
    meets,
    none,
    not_,
    some,
)

#: ``mixed`` is malabsorption with a diet that lacks vitamin B12.
Cause = Literal[
    "inborn", "malabsorption", "mixed", "nutritional", "nutritional possible", "unknown"
]


class CauseFacts(Struct, frozen=True):
    """What is on record of each kind, by name; ``breast_fed`` is ``None`` when unknown.

    ``homocysteine`` (umol/L) is the highest of the last month that no lower value has settled,
    ``mma`` (umol/L) the newest; both ``_high`` by the laboratory or for the age.
    ``level_deficient`` when a current level is below the limit of deficiency.
    """

    inborn: tuple[str, ...] = ()
    malabsorption: tuple[str, ...] = ()
    breast_fed: bool | None = None
    maternal_diet: str = ""
    child_diet: str = ""
    dietary: tuple[str, ...] = ()
    homocysteine: Decimal | None = None
    homocysteine_high: bool = False
    mma: Decimal | None = None
    mma_high: bool = False
    under_one_month: bool = False
    level_deficient: bool = False


def cause_table(limits: Limits, words: TableWords) -> Table[CauseFacts, None]:
    f = CauseFacts
    nutritional = any_of(
        all_of(f.breast_fed, some(f.maternal_diet)), some(f.child_diet), some(f.dietary)
    )
    possible = all_of(f.breast_fed, not_(nutritional))
    unexplained = all_of(none(f.inborn), none(f.level_deficient))
    raised = any_of(f.mma_high, f.homocysteine_high)
    extreme = any_of(
        meets(f.homocysteine, limits.homocysteine_extreme),
        all_of(meets(f.homocysteine, limits.homocysteine_severe), none(f.level_deficient)),
        all_of(f.under_one_month, f.mma_high, f.homocysteine_high),
    )
    return Table.of(
        "etiology",
        CauseFacts,
        (
            Row("ETI-01", some(f.inborn), None),
            Row("ETI-01b", all_of(none(f.inborn), extreme), None),
            Row(
                "ETI-01c",
                all_of(unexplained, not_(extreme), meets(f.mma, limits.mma_extreme)),
                None,
            ),
            Row(
                "ETI-01d",
                all_of(
                    unexplained,
                    not_(extreme),
                    raised,
                    f.under_one_month,
                    not_(meets(f.mma, limits.mma_extreme)),
                ),
                None,
            ),
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
