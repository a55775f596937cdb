"""A site's own codes and what they mean, from one file: CSV, or a FHIR ConceptMap.

Nothing is guessed: what is not declared the same is left out and counted, and whatever cannot be
understood is refused with its file, its place in it and the cure. Whether a meaning is known is
for the guidelines to say, see ``guidelines.codelists``.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from cds_service.clinical import Code, CodeMap, LocalCode
from cds_service.errors import GuidelineError
from cds_service.fhir import elements, wire

COLUMNS = ("system", "code", "means")


def read_code_map(path: Path) -> CodeMap:
    """What the file says, with systems and codes written as they are compared here."""
    try:
        written = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise GuidelineError(
            str(path), "the file", f"cannot be read ({error})", "Save it as text in UTF-8."
        ) from None
    if written.lstrip().startswith("{"):
        return _of_concept_map(written, path)
    return _of_table(written, path)


def _plain(system: str, code: str) -> Code:
    """As reading writes the same code of a record."""
    found = elements.codes(wire.Concept([wire.Coding(system or None, code)]))
    return found[0]


# --- CSV -----------------------------------------------------------------------------------------


def _of_table(written: str, path: Path) -> CodeMap:
    try:
        lines = list(csv.reader(written.splitlines(), strict=True))
    except csv.Error as error:
        raise GuidelineError(
            str(path), "the file", f"is not CSV ({error})", "Quote cells that hold commas."
        ) from None
    header = ",".join(COLUMNS)
    if not lines or tuple(lines[0]) != COLUMNS:
        raise GuidelineError(
            str(path), "line 1", "is not the header",
            f"Begin the file with {header}, separated by commas.",
        )  # fmt: skip
    codes = tuple(
        _of_line(cells, f"line {number}", path)
        for number, cells in enumerate(lines[1:], 2)
        if cells
    )
    if not codes:
        raise GuidelineError(str(path), "line 2", "is missing", f"Add a line with {header}.")
    return CodeMap(str(path), codes)


def _of_line(cells: list[str], where: str, path: Path) -> LocalCode:
    if len(cells) != len(COLUMNS):
        raise GuidelineError(
            str(path), where, f"has {len(cells)} cells", f"Give it three: {', '.join(COLUMNS)}."
        )
    system, code, means = (cell.strip() for cell in cells)
    if not code:
        raise GuidelineError(str(path), where, "has no code", "Write it, or delete the line.")
    if not means:
        raise GuidelineError(
            str(path), where, f"does not say what {code} means",
            "Write the name of a code list (cds-service codes lists shows them) or system|code.",
        )  # fmt: skip
    target, bar, target_code = means.rpartition("|")
    if bar and not (target and target_code):
        raise GuidelineError(
            str(path), where, f"{means} is not a system and a code",
            "Write both, as http://loinc.org|2132-9.",
        )  # fmt: skip
    meaning = _plain(target, target_code) if bar else means
    return LocalCode(_plain(system, code), meaning, where)


# --- ConceptMap ----------------------------------------------------------------------------------


class _Target(Struct):
    code: str | None = None
    equivalence: str | None = None
    relationship: str | None = None
    depends_on: list[Any] | None = msgspec.field(name="dependsOn", default=None)
    product: list[Any] | None = None


class _Element(Struct):
    code: str | None = None
    target: list[_Target] | None = None


class _Group(Struct):
    source: str | None = None
    target: str | None = None
    element: list[_Element] = []


class _ConceptMap(Struct):
    resource_type: str = msgspec.field(name="resourceType", default="")
    status: str = ""
    group: list[_Group] = []


#: Who says that two codes mean the same: R4's words, and R5's.
_SAME = frozenset({"equal", "equivalent"})


def _of_concept_map(written: str, path: Path) -> CodeMap:
    try:
        sent = msgspec.json.decode(written, type=_ConceptMap)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise GuidelineError(
            str(path), "the file", f"is not a ConceptMap ({error})",
            "Export it again as one FHIR ConceptMap in JSON, R4 or R5.",
        ) from None  # fmt: skip
    if sent.resource_type != "ConceptMap":
        raise GuidelineError(
            str(path), "resourceType", "is not ConceptMap", "Give one ConceptMap, or a CSV file."
        )
    if sent.status == "retired":
        raise GuidelineError(
            str(path), "status", "is retired", "Give the map that replaced this one."
        )
    left_out: list[str] = []
    codes = tuple(_of_groups(sent, path, left_out))
    if not codes:
        raise GuidelineError(
            str(path), "group", "has no code that is equal or equivalent to another",
            "Map each code to the code of another system that means the same.",
        )  # fmt: skip
    return CodeMap(str(path), codes, len(left_out))


def _of_groups(sent: _ConceptMap, path: Path, left_out: list[str]) -> Iterator[LocalCode]:
    for number, group in enumerate(sent.group, 1):
        if not group.source or not group.target:
            raise GuidelineError(
                str(path), f"group {number}", "does not name both systems",
                "Give it source and target.",
            )  # fmt: skip
        source, system = group.source.partition("|")[0], group.target.partition("|")[0]
        for place, element in enumerate(group.element, 1):
            where = f"group {number}, element {place}"
            if not element.code:
                raise GuidelineError(str(path), where, "has no code", "Write it, or remove it.")
            for target in element.target or ():
                if _is_the_same(target):
                    meaning = _plain(system, target.code or "")
                    yield LocalCode(_plain(source, element.code), meaning, where)
                else:
                    left_out.append(where)


def _is_the_same(target: _Target) -> bool:
    """Whether it means the same whatever else a record says."""
    said = target.equivalence or (target.relationship if target.relationship in _SAME else None)
    return said in _SAME and bool(target.code) and not target.depends_on and not target.product
