"""Who knows whom, as a table: the medicine knows no FHIR, FHIR no medicine, neither any HTTP.

The table is total: a module without a row fails, and so does a row without a module. Adding one
is a decision about the house, made here and explained in DEVELOPERS.md.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "cds_service"

_GUIDELINE = (
    "clinical errors guidelines.engine guidelines.tables guidelines.codelists"
    " guidelines.explain guidelines.describe guidelines.b12_under_two"
)

# Each module: what of ours it may import, and which libraries beyond Python's own.
# "guidelines.b12_under_two" as a permission covers the modules inside it.
ALLOWED: dict[str, tuple[str, str]] = {
    # module                               of ours                                   libraries
    "": ("", ""),
    "clinical": ("", "msgspec"),
    "errors": ("", "msgspec"),
    "settings": ("errors security", "msgspec"),
    "security": ("errors", ""),
    "callers": ("clients errors", "msgspec"),
    "clients": ("errors security", "msgspec"),
    "keys": ("callers clients errors outward", "jwt cryptography"),
    "outward": ("", "requests urllib3"),
    "cdshooks": ("", ""),
    "cdshooks.request": ("errors", "msgspec"),
    "cdshooks.response": ("errors", "msgspec"),
    "cdshooks.feedback": ("errors", "msgspec"),
    "audit": ("", "msgspec"),
    "log": ("", "msgspec"),
    "metrics": ("audit", "prometheus_client"),
    "store": (
        "audit errors log metrics cdshooks.feedback database migrations",
        "msgspec",
    ),
    "database": (
        "audit errors cdshooks.feedback migrations reports.figures",
        "msgspec sqlalchemy alembic",
    ),
    "reports": ("", ""),
    "reports.figures": ("audit cdshooks.feedback", "msgspec"),
    "reports.words": ("reports.figures", ""),
    "reports.page": ("reports.figures reports.words", ""),
    "migrations": ("", ""),
    "migrations.env": ("", "alembic"),
    "migrations.versions": ("", ""),
    "migrations.versions.v0001_first": ("", "alembic sqlalchemy"),
    "fhir": ("", ""),
    "fhir.wire": ("", "msgspec"),
    "fhir.elements": ("clinical fhir.wire", ""),
    "fhir.reading": ("clinical errors fhir.gather fhir.wire fhir.elements", "msgspec"),
    "fhir.loose": ("fhir.wire fhir.elements", "msgspec"),
    "fhir.dosages": ("clinical fhir.wire fhir.elements fhir.loose", ""),
    "fhir.drafts": (
        "clinical fhir.gather fhir.wire fhir.elements fhir.reading fhir.loose fhir.dosages",
        "msgspec",
    ),
    "fhir.gather": ("clinical errors fhir.server", "msgspec"),
    "fhir.server": ("clinical errors outward security", ""),
    "fhir.transactions": ("fhir.gather fhir.server", "msgspec"),
    "fhir.bundles": ("clinical errors fhir.gather fhir.wire fhir.elements", "msgspec"),
    "fhir.trail": ("", ""),
    "fhir.orders": ("clinical errors", "msgspec fhir.resources pydantic"),
    "guidelines": ("", ""),
    "guidelines.engine": ("clinical errors", "msgspec"),
    "guidelines.tables": ("errors guidelines.engine", "msgspec"),
    "guidelines.explain": ("guidelines.engine guidelines.tables", "msgspec"),
    "guidelines.describe": (
        "clinical guidelines.codelists guidelines.engine guidelines.explain guidelines.tables",
        "msgspec",
    ),
    "guidelines.codelists": ("clinical errors guidelines.engine", "msgspec"),
    "guidelines.b12_under_two": (_GUIDELINE, "msgspec"),
    "guidelines.b12_under_two.data": (_GUIDELINE, "msgspec"),
    "guidelines.b12_under_two.facts": (_GUIDELINE, "msgspec"),
    "guidelines.b12_under_two.assessment": (_GUIDELINE, "msgspec"),
    "guidelines.b12_under_two.treatment": (_GUIDELINE, "msgspec"),
    "guidelines.b12_under_two.monitoring": (_GUIDELINE, "msgspec"),
    "guidelines.b12_under_two.follow_up": (_GUIDELINE, "msgspec"),
    "guidelines.b12_under_two.age": (_GUIDELINE, "msgspec"),
    "guidelines.b12_under_two.loading": (_GUIDELINE, "msgspec"),
    "guidelines.b12_under_two.prescribing": (_GUIDELINE, "msgspec"),
    "guidelines.b12_under_two.products": (_GUIDELINE, "msgspec"),
    "guidelines.b12_under_two.dosing": (_GUIDELINE, "msgspec"),
    "guidelines.b12_under_two.order_checks": (_GUIDELINE, "msgspec"),
    "guidelines.b12_under_two.order_checks.cards": (_GUIDELINE, "msgspec"),
    "guidelines.b12_under_two.order_checks.one_order": (_GUIDELINE, "msgspec"),
    "guidelines.b12_under_two.order_checks.reading": (_GUIDELINE, "msgspec"),
    "guidelines.b12_under_two.order_checks.regimens": (_GUIDELINE, "msgspec"),
    "guidelines.b12_under_two.order_checks.whole_basket": (_GUIDELINE, "msgspec"),
    "guidelines.b12_under_two.results": (_GUIDELINE, "msgspec"),
    "guidelines.b12_under_two.therapy": (_GUIDELINE, "msgspec"),
    "guidelines.b12_under_two.words": (_GUIDELINE, "msgspec"),
    "guidelines.b12_under_two.tables": (_GUIDELINE, "msgspec"),
    "guidelines.b12_under_two.tables.cause": (_GUIDELINE, "msgspec"),
    "guidelines.b12_under_two.tables.follow_up": (_GUIDELINE, "msgspec"),
    "guidelines.b12_under_two.tables.inputs": (_GUIDELINE, "msgspec"),
    "guidelines.b12_under_two.tables.order": (_GUIDELINE, "msgspec"),
    "guidelines.b12_under_two.tables.severity": (_GUIDELINE, "msgspec"),
    "guidelines.b12_under_two.tables.status": (_GUIDELINE, "msgspec"),
    "guidelines.b12_under_two.tables.urgency": (_GUIDELINE, "msgspec"),
    "guidelines.b12_under_two.describe": (_GUIDELINE, ""),
    "guidelines.b12_under_two.explain": (_GUIDELINE, ""),
    "guidelines.b12_under_two.unconverted": (_GUIDELINE, ""),
    "cards": ("clinical errors guidelines.engine cdshooks", "msgspec"),
    "consultation": ("clinical errors guidelines fhir cdshooks cards security audit", "msgspec"),
    "restraint": ("audit cards cdshooks consultation errors metrics settings", "msgspec"),
    "challenger": ("audit cdshooks consultation log metrics store", "msgspec"),
    "cases": ("errors cdshooks consultation fhir.bundles fhir.gather", "msgspec"),
    "samples": ("", "msgspec"),
    "workbench": (
        "errors settings cdshooks consultation cases clinical web workbench",
        "msgspec flask",
    ),
    "workbench.showing": (
        "clinical cdshooks consultation fhir.gather guidelines",
        "msgspec markdown_it",
    ),
    "web": (
        "errors settings security callers cdshooks consultation fhir.gather fhir.server audit log"
        " metrics store restraint challenger",
        "msgspec flask werkzeug",
    ),
    "app": (
        "errors settings security callers clients keys cdshooks fhir guidelines cards consultation"
        " samples web audit store workbench restraint challenger",
        "msgspec flask",
    ),
    "commands": ("", "click"),
    "commands.serving": ("app errors settings store", "click granian"),
    "commands.evaluating": (
        "cases cdshooks commands consultation errors guidelines settings",
        "click fhir.resources pydantic",
    ),
    "commands.checking": ("app clients consultation fhir guidelines settings", "click"),
    "commands.keeping": (
        "audit consultation database errors fhir reports settings",
        "click msgspec",
    ),
    "commands.trying": ("commands fhir keys samples security", "click msgspec"),
    "__main__": ("commands errors", "click"),
}

# Libraries that only these modules may ever hold, whatever the table comes to say.
ONLY = {
    "requests": {"outward"},
    "urllib3": {"outward"},
    "jwt": {"keys"},
    "cryptography": {"keys"},
    "flask": {"web", "app", "workbench"},
    "markdown_it": {"workbench.showing"},
    "werkzeug": {"web"},
    "fhir.resources": {"fhir.orders", "commands.evaluating"},
    "granian": {"commands.serving"},
    "click": {"__main__", *(name for name in ALLOWED if name.split(".")[0] == "commands")},
    "sqlalchemy": {"database", "migrations.versions.v0001_first"},
    "alembic": {"database", "migrations.env", "migrations.versions.v0001_first"},
    "prometheus_client": {"metrics"},
}

# Names that say where code lies, not what it does.
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "base", "core", "shared"}


def name_of(file: Path) -> str:
    parts = list(file.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(file): file for file in sorted(PACKAGE.rglob("*.py"))}


def imports_of(name: str) -> set[str]:
    """Every module imported anywhere in the file, in full: inside functions and type checks too."""
    file = MODULES[name]
    package = ["cds_service", *(name.split(".") if name else [])]
    if file.name != "__init__.py":
        package.pop()
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*start, *(node.module or "").split(".")]).strip(".")
            ours = origin.split(".")[0] == "cds_service"
            for alias in node.names:
                inner = f"{origin}.{alias.name}"
                is_module = ours and inner.removeprefix("cds_service.") in MODULES
                found.add(inner if is_module else origin)
    return found


def ours(imported: set[str]) -> set[str]:
    inside = {name for name in imported if name.split(".")[0] == "cds_service"}
    return {name.removeprefix("cds_service").removeprefix(".") for name in inside}


def libraries(imported: set[str]) -> set[str]:
    known = sys.stdlib_module_names | {"cds_service"}
    return {name for name in imported if name.split(".")[0] not in known}


def within(name: str, allowed: str) -> bool:
    return name == "" or any(name == one or name.startswith(one + ".") for one in allowed.split())


def test_every_module_has_a_row_and_every_row_a_module() -> None:
    assert set(MODULES) == set(ALLOWED)


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_module_imports_only_what_its_row_allows(name: str) -> None:
    of_ours, of_others = ALLOWED[name]
    imported = imports_of(name)
    strangers = {one for one in ours(imported) if not within(one, of_ours)}
    strangers |= {one for one in libraries(imported) if not within(one, of_others)}
    assert not strangers, f"{name} may not know {sorted(strangers)}"


@pytest.mark.parametrize("library", sorted(ONLY))
def test_a_library_stays_in_its_room(library: str) -> None:
    holders = {
        name for name in MODULES if any(within(one, library) for one in libraries(imports_of(name)))
    }
    assert holders <= ONLY[library]
    permitted = {name for name, (_, allowed) in ALLOWED.items() if library in allowed.split()}
    assert permitted <= ONLY[library]


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert not {name for name in MODULES if name.rpartition(".")[2] in EMPTY_NAMES}


def test_the_reader_of_imports_sees_every_form(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "sample.py"
    file.write_text(
        "import requests.adapters\n"
        "from .. import clinical\n"
        "from .server import FhirServer\n"
        "def later():\n    from cds_service.guidelines import engine\n"
    )
    monkeypatch.setitem(MODULES, "fhir.sample", file)
    monkeypatch.setitem(MODULES, "guidelines.engine", file)
    found = imports_of("fhir.sample")
    assert ours(found) == {"clinical", "fhir.server", "guidelines.engine"}
    assert libraries(found) == {"requests.adapters"}
