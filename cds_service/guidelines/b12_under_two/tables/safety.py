"""Table SAF: what must be minded in giving vitamin B12. Every row is independent and is asked
where it changes the words or the orders."""

from __future__ import annotations

from decimal import Decimal

from cds_service.guidelines.b12_under_two.limits import Limits
from cds_service.guidelines.b12_under_two.tables.cause import Cause
from cds_service.guidelines.b12_under_two.tables.monitoring import (
    PotassiumFacts,
    potassium_may_fall,
)
from cds_service.guidelines.tables import (
    Row,
    Table,
    TableWords,
    all_of,
    any_of,
    is_one_of,
    meets,
    none,
    not_,
    some,
)


class SafetyFacts(PotassiumFacts, frozen=True):
    """``platelets`` (10*9/L) is the newest count, ``platelets_days`` its age, and
    ``platelets_exact`` that it is a number rather than below one. Weeks are counted from birth
    (``born_at``, the gestation) and from conception. ``concerned`` says deficient or borderline,
    ``parenteral`` that an injection is suggested, ``nitrous_oxide`` that it is planned or was given
    in the last month.
    """

    leber: bool = False
    cause: Cause = "unknown"
    platelets: Decimal | None = None
    platelets_days: int | None = None
    platelets_exact: bool = False
    bleeding: bool = False
    thrombocytopenia: bool = False
    newborn: bool = False
    born_at: Decimal | None = None
    conception_weeks: Decimal | None = None
    reactions: tuple[str, ...] = ()
    possible_reactions: tuple[str, ...] = ()
    preservative_reactions: tuple[str, ...] = ()
    concerned: bool = False
    folic_acid_alone: str = ""
    renal: bool = False
    parenteral: bool = False
    nitrous_oxide: bool = False


def safety_table(limits: Limits, words: TableWords) -> Table[SafetyFacts, None]:
    f = SafetyFacts
    low = all_of(
        meets(f.platelets_days, limits.labs_recent), meets(f.platelets, limits.platelets_injection)
    )
    counted = all_of(f.platelets_exact, meets(f.platelets_days, limits.platelets_recent))
    preterm = all_of(
        meets(f.born_at, limits.preterm_birth),
        meets(f.conception_weeks, limits.benzyl_alcohol_age),
    )
    return Table.of(
        "safety",
        SafetyFacts,
        (
            Row("SAF-01", f.leber, None),
            Row("SAF-02", is_one_of(f.cause, "inborn"), None),
            Row("SAF-03", any_of(low, f.bleeding, all_of(f.thrombocytopenia, not_(counted))), None),
            Row("SAF-04", any_of(f.newborn, preterm), None),
            Row("SAF-04b", some(f.preservative_reactions), None),
            Row("SAF-05", some(f.reactions), None),
            Row("SAF-05b", all_of(none(f.reactions), some(f.possible_reactions)), None),
            Row("SAF-06", all_of(f.concerned, potassium_may_fall(limits)), None),
            Row(
                "SAF-06b",
                all_of(
                    f.concerned,
                    meets(f.potassium, limits.potassium_low),
                    any_of(
                        meets(f.potassium, limits.potassium_very_low),
                        all_of(
                            f.parenteral,
                            any_of(
                                meets(f.hemoglobin, limits.hemoglobin_severe),
                                f.severe_megaloblastic,
                            ),
                        ),
                    ),
                ),
                None,
            ),
            Row("SAF-07", all_of(f.concerned, some(f.folic_acid_alone)), None),
            Row("SAF-08", all_of(f.concerned, f.renal), None),
            Row("SAF-09", any_of(f.concerned, f.nitrous_oxide), None),
        ),
        words,
        first=False,
    )
