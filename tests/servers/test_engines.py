"""The exported guideline in engines that others wrote: each decision as ours.

Every case of every decision table, and combinations of the values that its rows distinguish (below,
on and above each limit, every name, the unknown), `PER_TABLE` of each table.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
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


def _write(folder: Path) -> None:
    for name, content in files_of(Front(G).decision_tables(), G.wording.about):
        (folder / name).write_text(content, encoding="utf-8")
