"""Table MAT: whether the mother is to be seen to. Every row stands for itself; no two hold."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from cds_service.guidelines.b12_under_two.tables.dose import AgeGroup
from cds_service.guidelines.tables import (
    Row,
    Table,
    TableWords,
    all_of,
    any_of,
    is_one_of,
    none,
    unknown,
)

#: Whether a task for her is suggested.
Mother = Literal["see to her", "nothing"]


class MotherFacts(Struct, frozen=True):
    """``breast_fed`` is ``None`` when it is not documented; ``concerned`` says deficient or
    borderline, ``at_risk`` that a cause is known and the level is not."""

    band: AgeGroup | None = None
    breast_fed: bool | None = None
    concerned: bool = False
    at_risk: bool = False


def mother_table(words: TableWords) -> Table[MotherFacts, Mother]:
    f = MotherFacts
    rows: tuple[Row[Mother], ...] = (
        Row(
            "MAT-01",
            all_of(
                is_one_of(f.band, "infant", "either"),
                any_of(
                    all_of(f.concerned, any_of(f.breast_fed, unknown(f.breast_fed))),
                    all_of(f.at_risk, f.breast_fed),
                ),
            ),
            "see to her",
        ),
        Row(
            "MAT-02", all_of(is_one_of(f.band, "toddler"), f.breast_fed, f.concerned), "see to her"
        ),
        Row("MAT-03", none(f.breast_fed), "nothing"),
    )
    return Table.of("mother", MotherFacts, rows, words, first=False)
