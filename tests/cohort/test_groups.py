"""The groups in which children are counted: data of the guideline that lead somewhere, and what a
child has to have to be in one."""

from __future__ import annotations

from typing import get_args

import pytest

from cds_service.clinical import CodeMap
from cds_service.guidelines.b12_under_two.cohort import FILE, cohort
from cds_service.guidelines.b12_under_two.tables.status import StatusName
from cds_service.guidelines.cohort import COLUMNS, Cohort, Group, Measure
from cds_service.guidelines.engine import convert, read_toml
from cds_service.guidelines.registry import GUIDELINES

GUIDELINE = GUIDELINES[0].load(None, CodeMap())
NO_ONE = dict.fromkeys(COLUMNS, "") | {"traits": (), "rules": (), "cards": (), "missing": ()}


def test_every_value_that_a_group_asks_for_exists() -> None:
    """A value that no row comes to would leave a list empty, and look like good news."""
    known = {
        "covered": {"yes", "no"},
        "status": {*get_args(StatusName)},
        "treatment": {"running", "on hold", "unknown", "none"},
        "traits": {
            "measured",
            "never measured",
            "breast-fed",
            "vegan mother",
            "no weight to dose by",
        },
        "urgency": {"info", "warning", "critical"},
        "outcome": {"advice", "nothing to say", "not evaluated", "refused"},
        "rules": {*GUIDELINE.wording.rules},
        "cards": {*GUIDELINE.wording.rules},
    }
    for group in cohort().groups:
        for column, values in group.where.items():
            assert set(values) <= known[column], f"{group.id}: {column}"
        assert set(group.traits) <= known["traits"]


def test_every_deficient_status_is_in_the_group_of_deficient_children() -> None:
    deficient = next(one for one in cohort().groups if one.id == "deficient")
    assert {*deficient.where["status"]} == {
        one for one in get_args(StatusName) if one.startswith("deficient")
    }


def test_of_deficient_children_each_has_one_treatment() -> None:
    """What is not treated is either untreated, on hold or unknown: none falls through."""
    parts = ("untreated", "treatment_unknown", "on_hold", "deficient_treated")
    for treatment in ("running", "on hold", "unknown", "none"):
        child = NO_ONE | {"covered": "yes", "status": "deficient", "treatment": treatment}
        assert len({*parts} & {*cohort().groups_of(child)}) == 1


@pytest.mark.parametrize(
    ("has", "groups"),
    [
        ({}, ()),
        ({"covered": "yes"}, ("a", "c")),
        ({"status": "low"}, ()),
        ({"covered": "yes", "status": "low"}, ("a", "b", "c")),
        ({"covered": "yes", "rules": ("X", "Y")}, ("a", "c", "d")),
        ({"covered": "yes", "traits": ("one",)}, ("a", "c")),
        ({"covered": "yes", "traits": ("two", "one")}, ("a", "c", "e")),
    ],
)
def test_a_group_takes_who_has_every_column_and_every_trait(
    has: dict[str, object], groups: tuple[str, ...]
) -> None:
    of = Cohort(
        (
            Group("a", "A", where={"covered": ("yes",)}),
            Group("b", "B", "a", {"status": ("low", "lower"), "covered": ("yes",)}),
            Group("c", "C", "a"),
            Group("d", "D", "a", {"rules": ("Y", "Z")}),
            Group("e", "E", "a", traits=("one", "two")),
        ),
        (), (), (),
    )  # fmt: skip
    assert of.groups_of(NO_ONE | has) == groups


@pytest.mark.parametrize(
    ("groups", "funnel", "measures", "problem"),
    [
        ((Group("a", "A"),), ("a",), (), ""),
        ((Group("a", "A", "b"), Group("b", "B")), (), (), "a is within b"),
        ((Group("a", "A", where={"height": ("1",)}),), (), (), "a asks for height"),
        ((Group("a", "A"), Group("a", "A")), (), (), "a is there twice"),
        ((Group("a", "A"),), ("b",), (), "b is not the id of a group"),
        ((Group("a", "A"),), (), (Measure("m", "M", "a", "c"),), "c is not the id of a group"),
    ],
)
def test_a_name_that_leads_nowhere_is_refused(
    groups: tuple[Group, ...], funnel: tuple[str, ...], measures: tuple[Measure, ...], problem: str
) -> None:
    found = Cohort(groups, funnel, (), measures).problem()
    assert found.startswith(problem)
    assert bool(found) is bool(problem)


def test_the_file_of_the_guideline_is_sound() -> None:
    assert convert(read_toml(FILE), Cohort, FILE).problem() == ""
    assert cohort().work_lists[0] == "urgent"
