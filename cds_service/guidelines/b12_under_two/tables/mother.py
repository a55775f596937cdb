"""Table MAT: whether the mother is to be seen to, also before anything is wrong (PRE). Every row is
independent; no two hold."""

from __future__ import annotations

from typing import Any, Literal

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
    not_,
    some,
    unknown,
)

#: Whether a task for her, or one for the child, is suggested.
Mother = Literal["see to her", "prevent", "prevent in the child", "nothing"]


class MotherFacts(Struct, frozen=True):
    """``breast_fed`` is ``None`` when it is not documented; ``concerned`` says deficient or
    borderline, ``at_risk`` that a cause is known and the level is not. ``formula_fed`` is
    formula and no breast milk, ``maternal`` what may leave the mother without
    vitamin B12, a vegetarian diet apart. ``adequate`` holds on treatment too."""

    band: AgeGroup | None = None
    breast_fed: bool | None = None
    concerned: bool = False
    at_risk: bool = False
    formula_fed: bool = False
    treated: bool = False
    adequate: bool = False
    maternal: tuple[Any, ...] = ()
    vegan_child: bool = False


def mother_table(words: TableWords) -> Table[MotherFacts, Mother]:
    f = MotherFacts
    infant = is_one_of(f.band, "infant", "either")
    on_formula = all_of(infant, f.concerned, f.formula_fed, none(f.treated))
    rows: tuple[Row[Mother], ...] = (
        Row(
            "MAT-01",
            all_of(
                infant,
                any_of(
                    all_of(f.concerned, any_of(f.breast_fed, unknown(f.breast_fed))),
                    on_formula,
                    all_of(f.at_risk, f.breast_fed),
                ),
            ),
            "see to her",
        ),
        Row(
            "MAT-02", all_of(is_one_of(f.band, "toddler"), f.breast_fed, f.concerned), "see to her"
        ),
        Row(
            "PRE-01",
            all_of(f.adequate, f.breast_fed, some(f.maternal)),
            "prevent",
        ),
        Row(
            "PRE-02",
            all_of(
                is_one_of(f.band, "toddler"),
                f.adequate,
                none(f.treated),
                f.vegan_child,
                not_(all_of(f.breast_fed, some(f.maternal))),
            ),
            "prevent in the child",
        ),
        Row(
            "MAT-03",
            all_of(
                none(f.breast_fed),
                not_(on_formula),
                not_(
                    all_of(is_one_of(f.band, "toddler"), f.adequate, none(f.treated), f.vegan_child)
                ),
            ),
            "nothing",
        ),
    )
    return Table.of("mother", MotherFacts, rows, words, first=False)
