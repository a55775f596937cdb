"""Properties of the rows of every decision table.

Over every combination of the values that its rows distinguish, each table answers as its rows read,
at each limit and on either side of it, for every name, and for what is unknown. Of more than `MOST`
combinations `make test` takes a sample (see `sampling`); `make prove` takes them all.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from enum import Enum
from functools import cache
from itertools import islice, product
from math import prod
from random import Random
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from builders import WORDS, G, a_record, see
from each import each
from msgspec import NODEFAULT, structs
from sampling import sample_of
from test_export import exported, functions, meant
from test_table_cases import CASES, TABLES

from cds_service.guidelines.b12_under_two.describe import describe
from cds_service.guidelines.b12_under_two.explain import account_for
from cds_service.guidelines.b12_under_two.tables import FOLDER
from cds_service.guidelines.tables import (
    Condition,
    Holds,
    Includes,
    IsOneOf,
    Meets,
    Named,
    Table,
    Unknown,
    _Asked,
    all_matches,
    condition_of,
    first_match,
    holds,
)

MOST, SAMPLE = 20_000, 2_000
#: Of more combinations than these `make prove` takes a sample as well, of so many.
FAR_TOO_MANY = 2_000_000

Combination = tuple[object, ...]

# --- which values a table distinguishes -----------------------------------------------------------


def conditions(table: Table[Any, Any]) -> Iterator[Condition]:
    for row in table.rows:
        yield from condition_of(row).parts()


def kinds_of(hint: object) -> tuple[object, ...]:
    """The alternatives of an annotation: ``int | None`` is ``int`` and ``None``."""
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def values_of_kind(kind: Any) -> tuple[object, ...] | None:
    """One or two of everything that a fact of this kind can be; ``None`` where that is more than
    its kind says."""
    origin, inside = get_origin(kind), get_args(kind)
    if origin is Literal:
        return inside
    if origin in (tuple, frozenset):
        some = values_of_kind(inside[0])
        return (origin(), origin(some[:1])) if some else None
    if isinstance(kind, type) and issubclass(kind, Enum):
        return tuple(kind)
    simple: Mapping[object, tuple[object, ...]] = {
        NoneType: (None,), bool: (False, True), str: ("", "something"), int: (0, 1),
        Decimal: (Decimal(0), Decimal(1)), date: (date(2026, 3, 14), date(2026, 3, 15)),
    }  # fmt: skip
    return simple.get(kind)


def around(part: Meets, *, whole: bool) -> tuple[object, ...]:
    """Just below a limit, on it and just above."""
    limit = part.limit.value
    if whole and limit == int(limit):
        return int(limit) - 1, int(limit), int(limit) + 1
    if whole:
        return int(limit), int(limit) + 1
    step = Decimal("0.01")
    return limit - step, limit, limit + step


def values_of(table: Table[Any, Any], fact: str) -> tuple[object, ...]:
    """The values of one fact that its table's rows distinguish, and the unknown where it can be."""
    parts = [one for one in conditions(table) if getattr(one, "fact", None) == fact]
    limits = [one for one in parts if isinstance(one, Meets)]
    found: dict[object, None] = {}
    for kind in kinds_of(get_type_hints(table.facts)[fact]):
        if limits and kind in (int, Decimal):
            for one in limits:
                found |= dict.fromkeys(around(one, whole=kind is int))
            continue
        values = values_of_kind(kind)
        if values is None:  # as the cases have it
            cases = [case for case in CASES if TABLES[case.table] is table]
            values = tuple(getattr(case.facts, fact) for case in cases)
        found |= dict.fromkeys(values)
        if (several := get_origin(kind)) in (tuple, frozenset):  # each name on its own
            names = [name for part in parts for name in getattr(part, "names", ())]
            found |= dict.fromkeys(several([name]) for name in names)
    for part in parts:
        if isinstance(part, IsOneOf):
            found |= dict.fromkeys(part.names)
        elif isinstance(part, Includes):
            found |= dict.fromkeys((name,) for name in part.names)
            found[part.names] = None
    return tuple(found)


@cache
def spread(name: str) -> dict[str, tuple[object, ...]]:
    """Every fact that a table reads, with its values."""
    table = TABLES[name]
    read = {getattr(one, "fact", "") for one in conditions(table)}
    if any(isinstance(one, Named) for one in conditions(table)):
        read = set(table.facts.__struct_fields__)  # a function may read any of them
    needed = {
        field.name
        for field in structs.fields(table.facts)
        if field.default is NODEFAULT is field.default_factory
    }
    return {fact: values_of(table, fact) for fact in sorted(needed | read - {""})}


def count_of(name: str) -> int:
    return prod(map(len, spread(name).values()))


def sample(name: str, count: int) -> Iterator[Combination]:
    random = Random(name)
    for _ in range(count):
        yield tuple(random.choice(values) for values in spread(name).values())


def combinations(name: str, most: int, instead: int) -> Iterable[Combination]:
    """Every combination of a table's values; of more than ``most`` a sample of ``instead``."""
    if count_of(name) > most:
        return sample(name, instead)
    return product(*spread(name).values())


# --- each answers as its rows read ----------------------------------------------------------------


def answers_as_it_reads(name: str, asked: Iterable[Combination]) -> set[str]:
    """Asks a table about combinations; returns the rules that answered.

    What its rows say is read from the export, by nothing of the service.
    """
    table, names = TABLES[name], list(spread(name))
    rows, named = exported(name)["rows"], functions(table)
    ask = first_match if table.first else all_matches
    reached = set()
    for values in asked:
        facts = table.facts(**dict(zip(names, values, strict=True)))
        holding = (row["id"] for row in rows if meant(row["when"], facts, named))
        held = list(islice(holding, 1) if table.first else holding)
        assert held or not table.complete or not table.first, f"no row takes {facts}"
        told = [row.id for row in ask(table, facts).fired]
        assert told == held, f"{facts} is answered by {told}, and the rows say {held}"
        reached.update(told)
    return reached


@each("name", TABLES)
def test_a_table_answers_every_child_as_its_rows_read(name: str) -> None:
    """Exactly one row of a table whose first row answers, at most one where it need not."""
    reached = answers_as_it_reads(name, combinations(name, MOST, min(sample_of(SAMPLE), MOST)))
    if count_of(name) <= MOST:
        assert reached == set(rows_of(name)), "a row that no child can reach"


@pytest.mark.long
@pytest.mark.parametrize("name", [name for name in TABLES if count_of(name) > MOST])
def test_a_table_answers_all_children_as_its_rows_read(name: str) -> None:
    reached = answers_as_it_reads(name, combinations(name, FAR_TOO_MANY, FAR_TOO_MANY))
    if count_of(name) <= FAR_TOO_MANY:
        assert reached == set(rows_of(name)), "a row that no child can reach"


@each("name", TABLES)
def test_what_is_tried_lies_around_every_limit_and_has_every_name(name: str) -> None:
    """The combinations are of the values that matter: else the tests above would say little."""
    tried = spread(name)
    for part in conditions(TABLES[name]):
        if isinstance(part, Meets):
            numbers = [one for one in tried[part.fact] if isinstance(one, int | Decimal)]
            assert any(one < part.limit.value for one in numbers)
            assert any(one > part.limit.value for one in numbers)
            assert part.limit.value in numbers or part.limit.value % 1
        elif isinstance(part, IsOneOf):
            assert set(part.names) <= set(tried[part.fact])
            assert set(tried[part.fact]) - set(part.names), f"{part.fact} is always {part.names}"
        elif isinstance(part, Includes):
            assert {(name,) for name in part.names} < set(tried[part.fact])
        elif isinstance(part, Unknown):
            assert None in tried[part.fact]
        elif isinstance(part, Holds):
            assert {bool(one) for one in tried[part.fact]} == {True, False}


# --- what is published is what is tried -----------------------------------------------------------


def rows_of(name: str) -> list[str]:
    return [row.id for row in TABLES[name].rows]


def rules_of(name: str) -> list[str]:
    """The rules of a table, each once however many rows it has."""
    return list(dict.fromkeys(row.rule for row in TABLES[name].rows))


@each("name", TABLES)
def test_rows_are_tried_in_the_order_of_the_file_of_words(name: str) -> None:
    table = TABLES[name]
    tried: list[str] = []

    def told(rule: str, answer: bool) -> bool:
        tried.append(rule)
        return answer

    last = table.rows[-1]
    spies = [
        structs.replace(row, when=holds(lambda _, row=row: told(row.rule, row is last)))  # type: ignore[misc]
        for row in table.rows
    ]
    spied = structs.replace(table, _asked=_Asked(name, spies, complete=False))
    ask = first_match if table.first else all_matches
    ask(spied, None)
    published = tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))["rows"]
    assert list(dict.fromkeys(tried)) == list(published)


def test_the_page_has_every_table_in_the_order_tried() -> None:
    tried = [rule for name in TABLES for rule in rules_of(name)]
    page = describe(G, lambda need: "", WORDS.language)
    cells = [line.partition("</a>")[2].partition(" |")[0] for line in page.splitlines()
             if line.startswith('| <a id="')]  # fmt: skip
    assert [cell for cell in cells if cell in tried] == tried


def test_the_explanation_has_every_table_in_the_order_tried() -> None:
    seen = see(a_record())
    account = account_for(seen.evaluation, seen.record, G, WORDS.language)
    told = [row.rule for table in account.tables for row in table.rows]
    tried = [rule for name in TABLES for rule in rules_of(name)]
    assert [rule for rule in told if rule in tried] == tried
