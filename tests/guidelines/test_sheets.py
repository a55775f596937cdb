"""The decision tables as sheets: every row is one line of a file that others read.

That the lines answer as the rows do is asked of other people's software in
`tests/servers/test_engines.py`.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from builders import G
from click.testing import CliRunner
from each import each
from test_table_cases import TABLES

from cds_service.__main__ import main
from cds_service.errors import GuidelineError
from cds_service.guidelines.dialects import CQL, FEEL, Writer
from cds_service.guidelines.sheets import ANY, MODEL, csv_of, dmn_of, sheet_of
from cds_service.guidelines.tables import condition_of, holds, kinds


def dmn(name: str) -> ElementTree.Element:
    table = TABLES[name]
    text = dmn_of(sheet_of(name, table), kinds(table.facts), "urn:example", "1")
    return ElementTree.fromstring(text)  # noqa: S314


@each("name", TABLES)
def test_every_row_is_one_line_in_its_order_with_its_words(name: str) -> None:
    table = TABLES[name]
    first, *lines = csv.reader(io.StringIO(csv_of(sheet_of(name, table)), newline=""))
    assert [line[0] for line in lines] == [row.id for row in table.rows]
    assert all(len(line) == len(first) for line in lines)
    for line, row in zip(lines, table.rows, strict=True):
        said = table.words.rows[row.rule]
        assert line[-3:] == [said.condition, said.result, said.source]
        if row.id not in {one.id for one in table.rows[-1:]}:
            assert set(line[1:-3]) != {ANY}, "only the last row may take whatever is left"
    rules = dmn(name).findall(f".//{{{MODEL}}}rule")
    assert [rule.findtext(f"{{{MODEL}}}outputEntry/{{{MODEL}}}text") for rule in rules] == [
        FEEL.text(row.id) for row in table.rows
    ]


@each("name", TABLES)
def test_brackets_close_in_every_expression(name: str) -> None:
    sheet = sheet_of(name, TABLES[name])
    for one in [column.expression for column in sheet.columns] + [
        cell for line in sheet.lines for cell in line.cells
    ]:
        assert _depth(one) == 0, one


def _depth(expression: str) -> int:
    depth = 0
    for sign in expression:
        depth += (sign == "(") - (sign == ")")
        assert depth >= 0, expression
    return depth


@each("name", TABLES)
def test_a_number_of_a_row_is_in_its_line_as_it_is_in_force(name: str) -> None:
    sheet = sheet_of(name, TABLES[name])
    written = " ".join(
        [*(column.expression for column in sheet.columns)]
        + [cell for line in sheet.lines for cell in line.cells]
    )
    for row in TABLES[name].rows:
        for part in condition_of(row).parts():
            if limit := getattr(part, "limit", None):
                assert f" {limit.value:f}" in f" {written}", f"{row.id}: {limit}"


def test_identifiers_of_a_file_are_each_used_once() -> None:
    for name in TABLES:
        ids = [one.get("id") for one in dmn(name).iter() if one.get("id")]
        assert len(ids) == len(set(ids)), name


@pytest.mark.parametrize("dialect", [FEEL, CQL], ids=lambda one: one.name)
def test_a_function_that_no_export_can_say_is_refused(dialect: Any) -> None:
    def odd(facts: object) -> bool:
        return True

    with pytest.raises(GuidelineError, match=r"functions\.odd: is missing"):
        Writer(dialect, {}, {}, str).written(holds(odd))


def run(*arguments: str, **environment: str) -> Any:
    return CliRunner(env={**environment}).invoke(main, ["export", *arguments])


def test_the_command_writes_the_same_bytes_every_time(tmp_path: Path) -> None:
    written = []
    for place in ("one", "two"):
        done = run("--form", "table", "--to", str(tmp_path / place))
        assert done.exit_code == 0, done.output
        folder = tmp_path / place / G.wording.about.id
        written.append({file.name: file.read_bytes() for file in folder.iterdir()})
    assert written[0] == written[1]
    assert set(written[0]) == {"README.md"} | {
        f"{name}.{kind}" for name in TABLES for kind in ("csv", "dmn")
    }
    page = written[0]["README.md"].decode()
    assert all(f"| {name} |" in page for name in TABLES)
    assert "- nothing" in page


def test_a_limit_of_the_site_is_the_limit_of_its_export(tmp_path: Path) -> None:
    overrides = tmp_path / "site.toml"
    overrides.write_text(
        '[limits]\nb12_deficient = { below = 210, source = "local: the laboratory, 2026" }\n'
    )
    done = run(
        "--form", "table", "--to", str(tmp_path / "out"), CDS_GUIDELINE_OVERRIDES=str(overrides)
    )
    assert done.exit_code == 0, done.output
    folder = tmp_path / "out" / G.wording.about.id
    assert "< 210" in (folder / "follow_up_response.csv").read_text(encoding="utf-8")
    assert "- limits.b12_deficient" in (folder / "README.md").read_text()


def test_a_folder_with_files_is_left_alone(tmp_path: Path) -> None:
    kept = tmp_path / "kept.txt"
    kept.write_text("mine")
    done = run("--form", "table", "--to", str(tmp_path))
    assert done.exit_code == 1
    assert "is not empty" in done.output
    assert [one.name for one in tmp_path.iterdir()] == ["kept.txt"]
