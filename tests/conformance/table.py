"""Joins the requirements and the tests that name them into docs/conformance.md.

``python tests/conformance/table.py`` writes the page, ``--check`` only says whether it is stale.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "conformance.md"
STRENGTHS = ("must", "should", "may", "client", "field")
INTRODUCTION = """\
# Conformance to CDS Hooks

For integrators. Written by `python tests/conformance/table.py` from the tests that name a
requirement and `tests/conformance/requirements.toml`; `make docs` does it.

The standard is CDS Hooks 2.0 (https://cds-hooks.hl7.org/2.0/), the section is its anchor there.
*client*: the standard obliges or permits the client, and the service has to cope. *field*: real
clients do it. What is not tested has a reason.

"""


def requirements() -> dict[str, dict[str, str]]:
    with (HERE / "requirements.toml").open("rb") as file:
        return tomllib.load(file)


def held_by_tests() -> dict[str, list[str]]:
    """Requirement id -> tests of this folder marked with it, as "file::function"."""
    found: dict[str, list[str]] = {}
    for file in sorted(HERE.glob("test_*.py")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                for name in _marks(node):
                    found.setdefault(name, []).append(f"{file.name}::{node.name}")
    return found


def _marks(function: ast.FunctionDef) -> list[str]:
    return [
        ast.literal_eval(argument)
        for decorator in function.decorator_list
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func).endswith(".requirement")
        for argument in decorator.args
    ]


def problems(
    required: Mapping[str, Mapping[str, str]], tested: Mapping[str, list[str]]
) -> list[str]:
    """What keeps the table from being true."""
    found = [
        f"{name}: a test names it, but it is not a requirement"
        for name in tested
        if name not in required
    ]
    for name, one in required.items():
        if set(one) - {"reason"} != {"strength", "section", "statement"} or not all(one.values()):
            found.append(f"{name}: needs strength, section and statement")
        elif one["strength"] not in STRENGTHS:
            found.append(f"{name}: its strength is none of {', '.join(STRENGTHS)}")
        if name not in tested and "reason" not in one:
            found.append(f"{name}: has neither a test nor a reason")
        if name in tested and "reason" in one:
            found.append(f"{name}: has both a test and a reason for having none")
    return found


def page(required: Mapping[str, Mapping[str, str]], tested: Mapping[str, list[str]]) -> str:
    rows = ["| id | strength | requirement | section | held by |", "|---|---|---|---|---|"]
    for name, one in required.items():
        held = one.get("reason", "")
        if name in tested:
            held = ", ".join(_linked(test) for test in tested[name])
        rows.append(
            f"| {name} | {one['strength']} | {one['statement']} | {one['section']} | {held} |"
        )
    count = f"{len(tested)} of {len(required)} requirements are held by a test.\n\n"
    return INTRODUCTION + count + "\n".join(rows) + "\n"


def _linked(test: str) -> str:
    file, _, function = test.partition("::")
    shown = function.removeprefix("test_").replace("_", " ")
    return f"[{shown}](../tests/conformance/{file})"


def main() -> int:
    required, tested = requirements(), held_by_tests()
    for problem in problems(required, tested):
        sys.stderr.write(problem + "\n")
    if problems(required, tested):
        return 1
    new = page(required, tested)
    if "--check" in sys.argv[1:]:
        if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != new:
            sys.stderr.write("docs/conformance.md is stale: run make docs\n")
            return 1
        return 0
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
