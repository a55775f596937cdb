"""The decision tables against their cases in data: facts in, rows out.

Next to each table's module is ``NAME.cases.toml``. ``[usual]`` are facts that every case has
unless it says otherwise; a fact left out of both is as its struct leaves it, and ``"unknown"`` is
the unknown where a fact can be that (a status may be called so). A case names the row that answers
by its id (``row``; where there may be none or several ``rows``, all that hold) and says in
``tells`` what it is about.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple, get_args, get_type_hints

import msgspec
from builders import G
from each import each

from cds_service.guidelines.b12_under_two.tables import FOLDER, NAMES
from cds_service.guidelines.tables import (
    Condition,
    Includes,
    IsOneOf,
    Meets,
    Named,
    Otherwise,
    Table,
    all_matches,
    first_match,
)

TABLES: Mapping[str, Table[Any, Any]] = {name: getattr(G.tables, name) for name in NAMES}


class Case(NamedTuple):
    table: str
    tells: str
    facts: Any
    rows: list[str]


def _cases(name: str, file: Path) -> Iterator[Case]:
    data = tomllib.loads(file.read_text(encoding="utf-8"))
    assert set(data) <= {"usual", "case"}, f"{file.name} has {sorted(data)}"
    kind = TABLES[name].facts
    can_be_unknown = {
        fact for fact, of in get_type_hints(kind).items() if type(None) in get_args(of)
    }
    for case in data["case"]:
        assert set(case) <= {"tells", "facts", "row", "rows"}, f"{file.name}: {case}"
        given = {**data.get("usual", {}), **case.get("facts", {})}
        unknown = set(given) - set(kind.__struct_fields__)
        assert not unknown, f"{file.name}, {case['tells']}: no such fact: {sorted(unknown)}"
        facts = msgspec.convert(
            {
                key: None if value == "unknown" and key in can_be_unknown else value
                for key, value in given.items()
            },
            kind,
            strict=False,
        )
        rows = case["rows"] if "rows" in case else [case["row"]]
        yield Case(name, case["tells"], facts, rows)


CASES = [case for name in NAMES for case in _cases(name, FOLDER / f"{name}.cases.toml")]


@each("case", CASES, ids=lambda case: f"{case.table}: {case.tells}")
def test_a_case_comes_out_as_written(case: Case) -> None:
    table = TABLES[case.table]
    ask = first_match if table.first else all_matches
    assert [row.id for row in ask(table, case.facts).fired] == case.rows


def test_no_two_cases_of_a_table_tell_the_same() -> None:
    told = [(case.table, case.tells) for case in CASES]
    assert len(told) == len(set(told))


@each("name", NAMES)
def test_every_row_fires_in_one_case_and_not_in_another(name: str) -> None:
    cases = [case for case in CASES if case.table == name]
    for row in TABLES[name].rows:
        assert any(row.id in case.rows for case in cases), f"no case where {row.id} fires"
        assert any(row.id not in case.rows for case in cases), f"{row.id} always fires"


def _comparisons(name: str) -> Iterator[tuple[str, Condition]]:
    for row in TABLES[name].rows:
        assert isinstance(row.when, Condition)
        for part in row.when.parts():
            yield row.id, part


@each("name", NAMES)
def test_every_limit_has_a_case_below_on_and_above_it(name: str) -> None:
    for rule, part in _comparisons(name):
        if not isinstance(part, Meets):
            continue
        values = [getattr(case.facts, part.fact) for case in CASES if case.table == name]
        numbers = [Decimal(value) for value in values if value is not None]
        limit = part.limit.value
        for where, found in (
            ("below", any(one < limit for one in numbers)),
            ("on", limit in numbers),
            ("above", any(one > limit for one in numbers)),
        ):
            assert found, f"{rule}: no case with {part.fact} {where} {part.limit}"


@each("name", NAMES)
def test_every_name_a_row_asks_for_is_in_a_case(name: str) -> None:
    for rule, part in _comparisons(name):
        if isinstance(part, IsOneOf | Includes):
            values = [getattr(case.facts, part.fact) for case in CASES if case.table == name]
            if isinstance(part, Includes):
                values = [one for value in values for one in value]
            for one in part.names:
                assert one in values, f"{rule}: no case where {part.fact} is {one}"


@each("name", NAMES)
def test_every_fact_a_row_reads_is_both_ways_in_the_cases(name: str) -> None:
    for rule, part in _comparisons(name):
        if isinstance(part, Meets | IsOneOf | Includes | Otherwise):
            continue
        ways = {bool(next(part.seen(case.facts)).holds) for case in CASES if case.table == name}
        what = part.name if isinstance(part, Named) else getattr(part, "fact", part)
        assert ways == {True, False}, f"{rule}: {what} is the same in every case"


def test_what_is_published_is_what_is_tried() -> None:
    """The rows of the tables, the rules of the file and the words have one order."""
    tried = list(dict.fromkeys(row.rule for table in TABLES.values() for row in table.rows))
    published = [rule for rule in G.file.rules if rule in tried]
    assert published == tried
