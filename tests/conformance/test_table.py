"""The table of requirements is complete, true, and the page made of it is up to date."""

from __future__ import annotations

import pytest
from table import PAGE, held_by_tests, page, problems, requirements

COMPLETE = {"strength": "must", "section": "discovery", "statement": "It is so."}


def test_every_requirement_has_a_test_or_a_reason_and_every_test_a_requirement() -> None:
    assert problems(requirements(), held_by_tests()) == []


def test_all_requirements_are_there() -> None:
    assert list(requirements()) == [f"CH-{number:02}" for number in range(1, 141)]


def test_the_page_is_up_to_date() -> None:
    written = PAGE.read_text(encoding="utf-8")
    assert written == page(requirements(), held_by_tests()), "run make docs"


@pytest.mark.parametrize(
    ("required", "tested", "said"),
    [
        ({"A": COMPLETE}, {}, "neither a test nor a reason"),
        ({"A": {**COMPLETE, "reason": "Later."}}, {"A": ["t"]}, "both a test and a reason"),
        ({"A": {**COMPLETE, "reason": ""}}, {}, "needs strength"),
        ({"A": {"strength": "must", "section": "x"}}, {"A": ["t"]}, "needs strength"),
        ({"A": {**COMPLETE, "strength": "shall"}}, {"A": ["t"]}, "its strength is none of"),
        ({}, {"A": ["t"]}, "it is not a requirement"),
    ],
)
def test_a_table_that_is_not_true_is_noticed(
    required: dict[str, dict[str, str]], tested: dict[str, list[str]], said: str
) -> None:
    (problem,) = problems(required, tested)
    assert problem.startswith("A: ")
    assert said in problem
