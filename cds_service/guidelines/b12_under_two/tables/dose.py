"""Table DOSE: which dose a regimen means for this child. Every row is independent; a regimen
has at most one, and the daily requirement of an infant none without a weight to calculate it by."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from msgspec import Struct

from cds_service.guidelines.tables import Row, Table, TableWords, all_of, is_one_of, known

#: What may be given, as the route table and the follow-up table ask for it. The daily requirement
#: is what a healthy child needs; the others treat.
Regimen = Literal[
    "oral regimen", "daily requirement", "alternate-day injections", "weekly injections"
]
#: "either" of a date of birth that leaves open whether the child is an infant or a toddler.
AgeGroup = Literal["infant", "toddler", "either"]
#: The doses of ``guideline.toml``.
DoseName = Literal[
    "oral_regimen", "infant_daily", "toddler_daily", "neurological_injections", "weekly_injections"
]


class DoseFacts(Struct, frozen=True):
    """``kg`` is the weight to dose by."""

    regimen: Regimen
    band: AgeGroup | None = None
    kg: Decimal | None = None


def dose_table(words: TableWords) -> Table[DoseFacts, DoseName]:
    f = DoseFacts
    requirement = is_one_of(f.regimen, "daily requirement")
    rows: tuple[Row[DoseName], ...] = (
        Row("DOSE-A", is_one_of(f.regimen, "oral regimen"), "oral_regimen"),
        Row(
            "DOSE-B", all_of(requirement, is_one_of(f.band, "infant"), known(f.kg)), "infant_daily"
        ),
        Row("DOSE-C", all_of(requirement, is_one_of(f.band, "toddler")), "toddler_daily"),
        Row("DOSE-D", is_one_of(f.regimen, "alternate-day injections"), "neurological_injections"),
        Row("DOSE-E", is_one_of(f.regimen, "weekly injections"), "weekly_injections"),
    )
    return Table.of("dose", DoseFacts, rows, words, first=False)
