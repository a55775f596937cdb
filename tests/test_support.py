"""That tests can fail: each has an assertion, and `each` hides no case that fails."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from each import SHOWN_WHOLE, each
from sampling import left_out

TESTS = Path(__file__).parent


# --- an assertion in every test ------------------------------------------------------------------


class Function(NamedTuple):
    file: str
    name: str
    asserts: bool
    calls: frozenset[str]


#: What pytest and our own checkers are called by where they fail.
FAIL = {"pytest.raises", "pytest.warns", "pytest.fail"}


def functions_of(file: str, source: str) -> Iterator[Function]:
    """Every function and method, with what is inside it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            called = {ast.unparse(one.func) for one in ast.walk(node) if isinstance(one, ast.Call)}
            # `case.call()` is a call of what is named last; a fixture that asserts is an argument.
            asserts = any(isinstance(one, ast.Assert) for one in ast.walk(node))
            yield Function(
                file,
                node.name,
                asserts or bool(called & FAIL),
                frozenset(one.rpartition(".")[2] for one in called)
                | {argument.arg for argument in node.args.args},
            )


def without_assertion(functions: list[Function]) -> list[str]:
    """Tests that assert nothing, themselves or in what they call: a function of their own file,
    or one that the tests share, by its name."""
    shared = [one for one in functions if not Path(one.file).name.startswith("test_")]
    asserting = {(one.file, one.name) for one in functions if one.asserts}
    while True:
        anywhere = {name for file, name in asserting if not Path(file).name.startswith("test_")}
        more = {
            (one.file, one.name)
            for one in functions
            if any((one.file, name) in asserting or name in anywhere for name in one.calls)
        }
        if more <= asserting:
            break
        asserting |= more
    assert shared
    return [
        f"{one.file}::{one.name}"
        for one in functions
        if one.name.startswith("test_") and (one.file, one.name) not in asserting
    ]


def of_the_project() -> list[Function]:
    return [
        function
        for path in sorted(TESTS.rglob("*.py"))
        for function in functions_of(
            path.relative_to(TESTS).as_posix(), path.read_text(encoding="utf-8")
        )
    ]


def test_every_test_asserts_something() -> None:
    assert without_assertion(of_the_project()) == []


@pytest.mark.parametrize(
    ("body", "asserts"),
    [
        ("assert x", True),
        ("with pytest.raises(ValueError): f()", True),
        ("helper()", True),
        ("through()", True),
        ("kept.shared()", True),
        ("f()", False),
        ("idle()", False),
        ("print(1)", False),
    ],
)
def test_a_test_without_an_assertion_is_found(body: str, asserts: bool) -> None:
    helpers = (
        "def helper():\n    assert y\ndef through():\n    helper()\ndef idle():\n    other()\n"
        "def other():\n    idle()\n"
    )
    functions = [
        *functions_of("test_it.py", f"{helpers}def test_it():\n    {body}\n"),
        *functions_of("kept.py", "def shared():\n    assert z\n"),
        *functions_of("test_other.py", "def f():\n    assert z\n"),
    ]
    assert without_assertion(functions) == ([] if asserts else ["test_it.py::test_it"])


# --- one test over many cases --------------------------------------------------------------------


def run(test: Any, word: str = "", **fixtures: Any) -> int:
    """How many cases were tried."""
    node = SimpleNamespace(user_properties=[])
    asked = SimpleNamespace(node=node, config=SimpleNamespace(getoption=lambda _: word))
    try:
        test(request=asked, **fixtures)
    finally:
        ((_, (_, count)),) = node.user_properties
    return int(count)


def test_every_case_that_fails_is_named_and_the_others_are_tried() -> None:
    seen = []

    @each("number", range(20))
    def is_odd(number: int) -> None:
        seen.append(number)
        assert number % 2, "even"

    with pytest.raises(pytest.fail.Exception) as failed:
        run(is_odd)
    assert seen == list(range(20))
    told = str(failed.value)
    assert told.startswith("10 of 20 cases failed")
    assert all(f"--- {number}" in told for number in range(0, 20, 2))
    assert told.count("test_support.py:") == SHOWN_WHOLE


def test_a_failure_of_pytests_own_is_a_failure_of_its_case() -> None:
    @each("number", [1, 2])
    def refuses(number: int) -> None:
        pytest.fail("refused")

    with pytest.raises(pytest.fail.Exception, match="2 of 2 cases failed"):
        run(refuses)


def test_one_above_another_goes_through_every_combination() -> None:
    seen = []

    @each(("letter", "sign"), [("a", "+"), pytest.param("b", "-", id="minus")])
    @each("number", lambda: [1, 2], ids=["one", "two"])
    def any_of(number: int, letter: str, sign: str, fixture: str) -> None:
        seen.append(f"{fixture}{number}{letter}{sign}")

    assert run(any_of, fixture=">") == 4
    assert seen == [">1a+", ">1b-", ">2a+", ">2b-"]
    assert run(any_of, "minus", fixture=">") == 2
    assert run(any_of, "two-a", fixture=">") == 1


def test_parts_have_every_case_once() -> None:
    seen: list[int] = []

    @each("number", range(10), parts=3)
    def counted(number: int) -> None:
        seen.append(number)

    counts = [run(counted, part=part) for part in range(3)]
    assert counts == [4, 3, 3]
    assert sorted(seen) == list(range(10))


def test_without_a_case_nothing_passes() -> None:
    @each("number", [])
    def never(number: int) -> None:
        raise NotImplementedError

    with pytest.raises(AssertionError, match="no case"):
        never.cases.of(0)  # type: ignore[attr-defined]


class _Item:
    def __init__(self, nodeid: str, mark: str = "", count: int = 0) -> None:
        self.nodeid, self._mark, self._count = nodeid, mark, count

    def get_closest_marker(self, name: str) -> SimpleNamespace | None:
        return SimpleNamespace(args=(self._count,)) if name == self._mark else None


def test_a_sample_of_a_test_or_of_a_file_is_the_same_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sampling._TIMES", "1")
    of_file = [_Item(f"tests/a.py::test_{n}", "sampled_file", 4) for n in range(10)]
    of_test = [_Item(f"tests/b.py::test[{n}]", "sampled", 3) for n in range(5)]
    whole = [_Item(f"tests/b.py::other[{n}]") for n in range(9)]
    items: Any = [*of_file, *of_test, *whole]
    out = left_out(items)
    assert [len(out.intersection(some)) for some in (of_file, of_test, whole)] == [6, 2, 0]
    assert left_out(items) == out
    few: Any = of_file[:4]
    assert not left_out(few), "what is asked for by name, or with few others"
    monkeypatch.setattr("sampling._TIMES", "8")
    assert not left_out(items)
