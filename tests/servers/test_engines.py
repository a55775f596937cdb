"""The exported guideline in engines that others wrote: each decision as ours.

Every case of every decision table, and combinations of the values that its rows distinguish (below,
on and above each limit, every name, the unknown), `PER_TABLE` of each table.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from builders import G
from sampling import sample_of
from started import Servers
from test_rows import sample, spread
from test_table_cases import CASES, TABLES

from cds_service.guidelines.b12_under_two.front import Front
from cds_service.guidelines.b12_under_two.prescribing import age_based_amount
from cds_service.guidelines.cql import logic_of, tables_of
from cds_service.guidelines.dialects import results
from cds_service.guidelines.sheets import files_of
from cds_service.guidelines.tables import all_matches, first_match

pytestmark = pytest.mark.needs_environment("CDS_TEST_SERVERS")

Counted = Callable[[str, object], None]

PER_TABLE = 4


class Asked(NamedTuple):
    table: str
    facts: Any
    rows: list[str]
    #: What follows from the first of the rows, by name.
    results: dict[str, Any]


@cache
def asked() -> tuple[Asked, ...]:
    return tuple(_asked())


def _asked() -> Iterator[Asked]:
    cases = [(case.table, case.facts) for case in CASES]
    for name, table in TABLES.items():
        facts = list(spread(name))
        cases += [
            (name, table.facts(**dict(zip(facts, values, strict=True))))
            for values in sample(name, sample_of(PER_TABLE))
        ]
    for name, facts in cases:
        ask = first_match if TABLES[name].first else all_matches
        fired = ask(TABLES[name], facts).fired
        told = results(fired[0].then) if fired else {}
        plain = json.loads(msgspec.json.encode(told))
        yield Asked(name, facts, [row.id for row in fired], plain)


def as_lines(cases: Sequence[Asked]) -> str:
    """A line of JSON a case: its table and facts, a thing that is not plain by its name."""
    encoder = msgspec.json.Encoder(decimal_format="number", enc_hook=str)
    lines = [
        encoder.encode({"table": one.table, "facts": msgspec.structs.asdict(one.facts)})
        for one in cases
    ]
    return "".join(f"{line.decode()}\n" for line in lines)


def answers(command: Sequence[str], cases: Sequence[Asked]) -> list[dict[str, Any]]:
    ran = subprocess.run(
        command,
        input=as_lines(cases),
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        check=True,
    )
    return [json.loads(line) for line in ran.stdout.splitlines()]


def differences(answered: Sequence[dict[str, Any]], cases: Sequence[Asked]) -> list[str]:
    found = []
    for theirs, ours in zip(answered, cases, strict=True):
        told = {name: value for name, value in (theirs["results"] or {}).items() if name != "row"}
        expected = {**dict.fromkeys(told), **ours.results} if ours.rows else {}
        if (theirs["rows"], told) != (ours.rows, expected):
            found.append(f"{ours}: {theirs}")
    return found


def test_the_sheets_answer_in_a_reader_of_dmn_as_the_rows_do(
    servers: Servers, tmp_path: Path, record_property: Counted
) -> None:
    """dmn-moddle reads the files, and feelin their expressions."""
    _write(tmp_path)
    answered = answers(servers.node("sheets", str(tmp_path)), asked())
    assert differences(answered, asked()) == []
    record_property("counted", ("cases answered by the exported DMN as by the rows", len(asked())))


def test_a_number_that_is_off_by_one_in_a_sheet_is_found(servers: Servers, tmp_path: Path) -> None:
    """Else the test above would say little."""
    _write(tmp_path)
    file = tmp_path / "age.dmn"
    right = file.read_text(encoding="utf-8")
    wrong = right.replace("&gt;= 24", "&gt;= 25", 1)
    assert wrong != right
    file.write_text(wrong, encoding="utf-8")
    of_age = [one for one in asked() if one.table == "age"]
    assert differences(answers(servers.node("sheets", str(tmp_path)), of_age), of_age)


LOGIC = "B12UnderTwoLogic"
AMOUNT = "amount of infant_daily-cyanocobalamin-oral"


class Evaluated(NamedTuple):
    """Expressions of the exported library over parameters, and what each of them is here."""

    parameters: dict[str, Any]
    expected: dict[str, Any]


def evaluated() -> Iterator[Evaluated]:
    for one in asked():
        table = TABLES[one.table]
        row, *_ = [*one.rows, None]
        facts = {name: _as_cql(getattr(one.facts, name)) for name in one.facts.__struct_fields__}
        expected = {f"{row.id} holds": row.id in one.rows for row in table.rows}
        expected |= {f"{one.table} asked": True, f"{one.table} not asked": False}
        told = any(results(row.then) for row in table.rows)
        if table.first:
            expected[f"{one.table} row"] = row
            if told:
                expected[f"{one.table} result"] = one.results or None
        else:
            expected[f"{one.table} rows"] = one.rows
        yield Evaluated({f"{one.table} facts": facts}, expected)
    for name, table in TABLES.items():  # without facts nothing is asked, and nothing holds
        none = {f"{name} asked": False, f"{name} not asked": True}
        none |= {f"{row.id} holds": False for row in table.rows}
        yield Evaluated({}, none | ({f"{name} row": None} if table.first else {f"{name} rows": []}))
    dose = G.file.doses.infant_daily
    yield Evaluated({}, {AMOUNT: None})
    for grams in (400, 1_849, 1_850, 4_499, 4_500, 4_501, 5_500, 6_500, 9_999, 15_500, 20_000):
        kg = Decimal(grams) / 1000
        amount = float(age_based_amount(kg, dose))
        yield Evaluated({"kilograms": _as_cql(kg)}, {AMOUNT: amount})


def _as_cql(value: Any) -> Any:
    """A value as the engines are given it: a decimal by its digits, a list by its names."""
    if isinstance(value, Decimal):
        return {"decimal": f"{value:f}"}
    return [str(one) for one in value] if isinstance(value, tuple | frozenset) else value


def test_two_engines_of_cql_answer_as_the_rows_do(
    servers: Servers, tmp_path: Path, record_property: Counted
) -> None:
    """The reference translator and the Java engine, then the JavaScript engine on its ELM: each
    row of each table, what follows from it, and the amount by weight. None may differ."""
    folder = tmp_path / "cql"
    folder.mkdir()
    for name, content in exported_cql().items():
        (folder / name).write_text(content, encoding="utf-8")
    cases = list(evaluated())
    reached = {row for one in asked() for row in one.rows}
    assert reached == {row.id for table in TABLES.values() for row in table.rows}
    lines = "".join(
        json.dumps({"library": LOGIC, "expressions": [*expected], "parameters": parameters}) + "\n"
        for parameters, expected in cases
    )
    for engine, command in (
        ("Java", servers.cql(str(folder))),
        ("JavaScript", servers.node("cql", str(folder))),
    ):
        ran = subprocess.run(
            command, input=lines, stdout=subprocess.PIPE, text=True, encoding="utf-8", check=True
        )
        answered = [json.loads(line) for line in ran.stdout.splitlines()]
        different = [
            f"{engine}, {one.parameters}: {theirs}, not {one.expected}"
            for theirs, one in zip(answered, cases, strict=True)
            if theirs != one.expected
        ]
        assert different == []
        decisions = sum(len(one.expected) for one in cases)
        found = f"decisions of {len(cases)} cases by the {engine} engine, 0 unexplained differences"
        record_property("counted", (found, decisions))


def exported_cql() -> dict[str, str]:
    about, front = G.wording.about, Front(G)
    tables = tuple(front.decision_tables())
    return {
        "B12UnderTwoTables.cql": tables_of(tables, about),
        f"{LOGIC}.cql": logic_of(tables, about, front.regimens()),
    }


def _write(folder: Path) -> None:
    for name, content in files_of(Front(G).decision_tables(), G.wording.about):
        (folder / name).write_text(content, encoding="utf-8")
