"""One test over many cases: all are tried, and every one that fails is named with its reason.

`each` is written as ``pytest.mark.parametrize`` is, and costs a hundredth of it: a test of pytest's
takes some milliseconds, and there are more than 20,000 cases. It is for cases that share nothing
they change; where each needs a fixture of its own, parametrize. ``pytest --case WORD`` runs only
the cases that have the word in their name.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property, wraps
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sampling import chosen

ROOT = Path(__file__).parents[2]
#: So many failures are shown with where they happened, the others with their reason alone.
SHOWN_WHOLE = 5
#: What pytest.fail raises is none of the usual exceptions.
FAILURES = (Exception, pytest.fail.Exception)

Values = Iterable[Any] | Callable[[], Iterable[Any]]
Ids = Callable[[Any], str] | Iterable[str] | None
Test = Callable[..., None]


class Case(NamedTuple):
    name: str
    values: dict[str, Any]


class Choice(NamedTuple):
    """The values of one `each`, of several arguments at a time or of one."""

    arguments: tuple[str, ...]
    together: bool
    values: Values
    ids: Ids

    def cases(self) -> Iterator[Case]:
        given = list(self.values() if callable(self.values) else self.values)
        ids = self.ids
        named = iter(map(ids, given) if callable(ids) else ids or ())
        for value in given:
            name = next(named, None)
            if isinstance(value, type(pytest.param())):
                assert not value.marks, "a case has no marks of its own"
                name, parts = value.id or name, list(value.values)
            else:
                parts = list(value) if self.together else [value]
            told = name or "-".join(map(_name, parts))
            yield Case(str(told), dict(zip(self.arguments, parts, strict=True)))


def _name(value: Any) -> str:
    if callable(value):
        return str(getattr(value, "__name__", value))
    return value if isinstance(value, str) else repr(value)[:80]


class Cases:
    """What a test made by `each` goes through."""

    def __init__(self, test: Test, choices: list[Choice], sample: int | None, parts: int) -> None:
        self.test, self.choices, self.sample, self.parts = test, choices, sample, parts

    @cached_property
    def every(self) -> list[Case]:
        found = [
            Case(
                "-".join(one.name for one in combined),
                {name: value for one in combined for name, value in one.values.items()},
            )
            for combined in product(*(list(one.cases()) for one in self.choices))
        ]
        assert found, "no case"
        return found

    def of(self, part: int, word: str = "") -> list[Case]:
        """Those of one part; a word finds also what is in no sample."""
        if word:
            taken = [case for case in self.every if word in case.name]
        elif self.sample is None:
            taken = self.every
        else:
            file = Path(self.test.__code__.co_filename).relative_to(ROOT).as_posix()
            taken = chosen(self.every, self.sample, f"{file}::{self.test.__name__}")
        return taken[part :: self.parts]


def each(
    names: str | Sequence[str],
    values: Values,
    *,
    ids: Ids = None,
    sample: int | None = None,
    parts: int = 1,
) -> Callable[[Test], Test]:
    """Runs the test below for each of the ``values``, or of what they return when the test runs;
    above another `each`, for every combination. Of a ``sample`` as sampling.py says; a dear test
    is in ``parts``, which the cores share."""
    arguments = tuple(re.split(r",\s*", names) if isinstance(names, str) else names)
    choice = Choice(arguments, len(arguments) > 1 or not isinstance(names, str), values, ids)

    def over(test: Test) -> Test:
        below: Cases = getattr(test, "cases", Cases(test, [], None, 1))
        assert (below.sample, below.parts) == (None, 1), "the uppermost says sample and parts"
        return _made(Cases(below.test, [*below.choices, choice], sample, parts))

    return over


def _made(cases: Cases) -> Test:
    test = cases.test
    given = {name for one in cases.choices for name in one.arguments}
    taken = inspect.signature(test).parameters
    assert given <= set(taken), f"{test.__name__} does not take {sorted(given - set(taken))}"
    fixtures = [name for name in taken if name not in given]

    @wraps(test)
    def every_case(request: pytest.FixtureRequest, **found: Any) -> None:
        __tracebackhide__ = True
        tried = cases.of(found.pop("part", 0), request.config.getoption("--case"))
        shared = {name: request if name == "request" else found[name] for name in fixtures}
        failed: list[str] = []
        for case in tried:
            try:
                test(**shared, **case.values)
            except FAILURES as error:
                failed.append(_told(case, error, whole=len(failed) < SHOWN_WHOLE))
        request.node.user_properties.append(("counted", ("cases of tests over many", len(tried))))
        if failed:
            many = f"{len(failed)} of {len(tried)} cases failed"
            pytest.fail("\n\n".join([many, *failed]), pytrace=False)

    names = dict.fromkeys(["request", *fixtures, *(["part"] if cases.parts > 1 else [])])
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    made: Any = every_case
    made.__signature__ = inspect.Signature([inspect.Parameter(name, kind) for name in names])
    made.cases = cases
    if cases.sample is not None:
        made = pytest.mark.sampled(cases.sample)(made)
    if cases.parts > 1:
        ids = [f"part {number + 1} of {cases.parts}" for number in range(cases.parts)]
        made = pytest.mark.parametrize("part", range(cases.parts), ids=ids)(made)
    return made  # type: ignore[no-any-return]


def _told(case: Case, error: BaseException, *, whole: bool) -> str:
    found = pytest.ExceptionInfo.from_exception(error)
    if whole:
        return f"--- {case.name}\n{found.getrepr(style='short')}"
    return f"--- {case.name}: {found.exconly()}"


def without_cases(item: pytest.Item, word: str) -> bool:
    """Whether no case of the test has the word in its name."""
    cases: Cases | None = getattr(getattr(item, "function", None), "cases", None)
    if cases is None:
        return True
    part = getattr(getattr(item, "callspec", None), "params", {}).get("part", 0)
    return not cases.of(part, word)
