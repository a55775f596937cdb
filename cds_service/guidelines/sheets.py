"""Decision tables for reviewers: a sheet each, as CSV and as a decision table of DMN 1.3.

A column is a fact that rows compare on its own, or a condition of several comparisons, which is
then the column's question and has "true" in its cells. So every row is one line, in the order in
which it is tried, and the expressions are complete: none needs this program.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from string import Template
from typing import Any
from xml.etree import ElementTree

import msgspec
from msgspec import Struct

from cds_service import PROGRAM
from cds_service.guidelines.dialects import FEEL, SIGNS, Writer, results
from cds_service.guidelines.engine import About
from cds_service.guidelines.guideline import Published
from cds_service.guidelines.tables import (
    AllOf,
    Condition,
    Holds,
    IsOneOf,
    Kind,
    Meets,
    Not,
    Otherwise,
    Row,
    RowWords,
    Table,
    Unknown,
    condition_of,
    facts_of,
    kinds,
)

MODEL = "https://www.omg.org/spec/DMN/20191111/MODEL/"
#: What is in a cell that any value fits.
ANY = "-"
_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
_TYPES: Mapping[Kind, str] = {
    "yes or no": "boolean", "whole number": "number", "number": "number", "text": "string",
    "list": "Any",
}  # fmt: skip


class Column(Struct, frozen=True):
    """A question of a sheet: an expression of FEEL about ``facts``, and its name in words."""

    expression: str
    label: str
    type: str


class Line(Struct, frozen=True):
    """A row of a table: its cells, in the order of the columns, and what follows, by name."""

    id: str
    rule: str
    cells: tuple[str, ...]
    results: tuple[str, ...]
    words: RowWords


class Sheet(Struct, frozen=True):
    """A decision table as a sheet; of a ``first`` one only the first line that holds answers."""

    name: str
    title: str
    question: str
    first: bool
    complete: bool
    columns: tuple[Column, ...]
    results: tuple[str, ...]
    lines: tuple[Line, ...]


def sheet_of(name: str, table: Table[Any, Any]) -> Sheet:
    sheet = _Making(table)
    asked = [dict(sheet.asked(row)) for row in table.rows]
    columns = sheet.columns()
    told = dict.fromkeys(result for row in table.rows for result in results(row.then))
    lines = [
        Line(
            row.id,
            row.rule,
            tuple(cells.get(column.expression, ANY) for column in columns),
            tuple(_feel(results(row.then).get(result)) for result in told),
            table.words.rows[row.rule],
        )
        for row, cells in zip(table.rows, asked, strict=True)
    ]
    return Sheet(
        name, table.words.title, table.words.question, table.first, table.complete,
        columns, tuple(told), tuple(lines),
    )  # fmt: skip


class _Making:
    """The columns of a sheet, found while its rows are read."""

    def __init__(self, table: Table[Any, Any]) -> None:
        self._table, self._kinds = table, kinds(table.facts)
        self._composed: dict[str, Column] = {}
        self._compared: set[str] = set()
        self._whole = Writer.of(table, FEEL, _named)
        self._cell = Writer.of(table, FEEL, lambda _: "?")

    def asked(self, row: Row[Any]) -> Iterator[tuple[str, str]]:
        """The cells of a row by the expressions of their columns."""
        alone: dict[str, list[Condition]] = {}
        for part in _all_of(condition_of(row)):
            fact = _one_fact(part)
            if fact:
                alone.setdefault(fact, []).append(part)
            else:
                yield self._composed_of(part), "true"
        for fact, parts in alone.items():
            self._compared.add(fact)
            yield _named(fact), self._cell_of(parts)

    def _composed_of(self, part: Condition) -> str:
        expression = _bare(self._whole.written(part))
        words = [self._table.words.facts[fact] for fact in sorted(facts_of(part))]
        label = ", ".join(dict.fromkeys(words))
        self._composed.setdefault(expression, Column(expression, label, "boolean"))
        return expression

    def _cell_of(self, parts: Sequence[Condition]) -> str:
        """A test of one value, in the short form where there is one."""
        if len(parts) == 1:
            (part,) = parts
            denied = isinstance(part, Not)
            short = self._short(part.condition if isinstance(part, Not) else part)
            if short:
                return f"not({short})" if denied else short
        return _bare(self._cell.written(AllOf(tuple(parts))))

    def _short(self, part: Condition) -> str:
        """One comparison with the value left out; "" where it needs more than that."""
        match part:
            case Meets(limit=limit):
                return f"{SIGNS[part.side]} {limit.value:f}"
            case IsOneOf(names=names):
                return ", ".join(FEEL.text(str(one)) for one in names)
            case Holds(fact=fact, negated=negated) if self._kinds[fact] == "yes or no":
                return "false" if negated else "true"
            case Unknown():
                return "null"
        return ""

    def columns(self) -> tuple[Column, ...]:
        """Facts in the order of their struct, then what is composed, in that of the rows."""
        alone = [
            Column(_named(fact), self._table.words.facts[fact], _TYPES[kind])
            for fact, kind in self._kinds.items()
            if fact in self._compared
        ]
        return (*alone, *self._composed.values())


def _named(fact: str) -> str:
    return f"facts.{fact}"


def _bare(expression: str) -> str:
    """Without the brackets around it all, which `Writer.written` begins nothing else with."""
    return expression[1:-1] if expression.startswith("(") else expression


def _all_of(condition: Condition) -> Iterator[Condition]:
    """What has to hold together."""
    if isinstance(condition, AllOf):
        for part in condition.conditions:
            yield from _all_of(part)
    elif not isinstance(condition, Otherwise):
        yield condition


def _one_fact(condition: Condition) -> str:
    """The fact of a single comparison, or of its denial; "" where there is more to it."""
    asked = condition.condition if isinstance(condition, Not) else condition
    return str(getattr(asked, "fact", ""))


def _feel(result: Any) -> str:
    """A result as a literal."""
    plain = msgspec.to_builtins(result)
    if plain is None:
        return "null"
    if isinstance(plain, bool):
        return "true" if plain else "false"
    if isinstance(plain, list | tuple):
        return f"[{', '.join(_feel(one) for one in plain)}]"
    return f"{plain:f}" if isinstance(plain, Decimal) else FEEL.text(str(plain))


# --- CSV ----------------------------------------------------------------------------------------


def csv_of(sheet: Sheet) -> str:
    """One line a row, under one line of names; what a column asks is below its name."""
    written = io.StringIO()
    lines = csv.writer(written, lineterminator="\r\n")
    asked = [f"{one.label}\n{one.expression}" for one in sheet.columns]
    lines.writerow(["row", *asked, *sheet.results, "condition", "result", "source"])
    for line in sheet.lines:
        said = (line.words.condition, line.words.result, line.words.source)
        lines.writerow([line.id, *line.cells, *line.results, *said])
    return written.getvalue()


# --- DMN ----------------------------------------------------------------------------------------


def dmn_of(sheet: Sheet, facts: Mapping[str, Kind], namespace: str, edition: str) -> str:
    """A file of one decision, whose input ``facts`` is a context of the table's facts."""
    ElementTree.register_namespace("", MODEL)
    top = ElementTree.Element(
        _tag("definitions"),
        {"id": _id(sheet.name, "definitions"), "name": f"{sheet.title} {edition}",
         "namespace": f"{namespace}/{sheet.name}"},
    )  # fmt: skip
    _sub(top, "description").text = sheet.question
    of_facts = _sub(top, "itemDefinition", id=_id(sheet.name, "facts"), name="Facts")
    for fact, kind in facts.items():
        part = _sub(of_facts, "itemComponent", id=_id(sheet.name, "fact", fact), name=fact)
        _sub(part, "typeRef").text = _TYPES[kind]
    given = _sub(top, "inputData", id=_id(sheet.name, "input"), name="facts")
    _sub(given, "variable", id=_id(sheet.name, "variable"), name="facts", typeRef="Facts")
    decision = _sub(top, "decision", id=_id(sheet.name), name=sheet.name)
    _sub(decision, "question").text = sheet.question
    needed = _sub(decision, "informationRequirement", id=_id(sheet.name, "needs"))
    _sub(needed, "requiredInput", href=f"#{_id(sheet.name, 'input')}")
    decision.append(_decision_table(sheet))
    ElementTree.indent(top)
    return f"{_DECLARATION}\n{ElementTree.tostring(top, encoding='unicode')}\n"


def _decision_table(sheet: Sheet) -> ElementTree.Element:
    policy = "FIRST" if sheet.first else "COLLECT"
    table = ElementTree.Element(
        _tag("decisionTable"), {"id": _id(sheet.name, "table"), "hitPolicy": policy}
    )
    for place, column in enumerate(sheet.columns, 1):
        asked = _sub(table, "input", id=_id(sheet.name, "input", place), label=column.label)
        expression = _sub(
            asked, "inputExpression", id=_id(sheet.name, "asks", place), typeRef=column.type
        )
        _sub(expression, "text").text = column.expression
    for name in ("row", *sheet.results):
        _sub(table, "output", id=_id(sheet.name, "output", name), name=name, label=name)
    for name in ("condition", "result", "source"):
        _sub(table, "annotation", name=name)
    for line in sheet.lines:
        table.append(_rule(sheet, line))
    return table


def _rule(sheet: Sheet, line: Line) -> ElementTree.Element:
    rule = ElementTree.Element(_tag("rule"), {"id": _id(sheet.name, line.id)})
    _sub(rule, "description").text = f"{line.id}: {line.words.condition}"
    for place, cell in enumerate(line.cells, 1):
        entry = _sub(rule, "inputEntry", id=_id(sheet.name, line.id, "in", place))
        _sub(entry, "text").text = cell
    for place, told in enumerate((FEEL.text(line.id), *line.results), 1):
        entry = _sub(rule, "outputEntry", id=_id(sheet.name, line.id, "out", place))
        _sub(entry, "text").text = told
    for text in (line.words.condition, line.words.result, line.words.source):
        _sub(_sub(rule, "annotationEntry"), "text").text = text
    return rule


def _tag(name: str) -> str:
    return f"{{{MODEL}}}{name}"


def _sub(parent: ElementTree.Element, name: str, /, **attributes: str) -> ElementTree.Element:
    return ElementTree.SubElement(parent, _tag(name), attributes)


def _id(*parts: object) -> str:
    """An identifier of XML."""
    return re.sub(r"[^A-Za-z0-9_.-]", "_", "_".join(map(str, parts)))


# --- the folder ---------------------------------------------------------------------------------


def files_of(
    tables: Iterable[Published], about: About, local: Sequence[str] = ()
) -> Iterator[tuple[str, str]]:
    """Every file of an export, by its name: each table twice, and a page that says how to read
    them. ``local`` are the names of what the site changed."""
    told = []
    for one in tables:
        sheet = sheet_of(one.name, one.table)
        told.append(_told(sheet))
        yield f"{one.name}.csv", csv_of(sheet)
        home = f"https://{PROGRAM}.github.io/{about.id}/tables"
        yield f"{one.name}.dmn", dmn_of(sheet, kinds(one.table.facts), home, about.edition)
    page = Template(Path(__file__).with_suffix(".md").read_text(encoding="utf-8"))
    changed = "\n".join(f"- {name}" for name in local) or "- nothing"
    yield (
        "README.md",
        page.substitute(
            title=about.title,
            edition=about.edition,
            review=about.review_status,
            local=changed,
            tables="\n".join(told),
        ),
    )


def _told(sheet: Sheet) -> str:
    answers = "all" if not sheet.first else "first" if sheet.complete else "first/none"
    return f"| {sheet.name} | {sheet.question} | {answers} | {len(sheet.lines)} |"
