"""Which part may know which, as a table: the medicine does without FHIR, FHIR without medicine,
both without HTTP; and how many ways may lead through one function.

The table is total: a module without a row fails, and so does a row without a module. Adding one
is a decision about the house, made here and explained in DEVELOPERS.md.
"""

from __future__ import annotations

import ast
import re
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from each import each

PACKAGE = Path(__file__).parents[1] / "cds_service"

_READING = "clinical fhir.gather fhir.reading fhir.editions fhir.wire fhir.elements"
# What is directly in guidelines/ is the kit that every guideline is made with.
_KIT = (
    "clinical errors language guidelines.engine guidelines.tables guidelines.codelists"
    " guidelines.overrides guidelines.checks guidelines.doses guidelines.guideline"
    " guidelines.workbench guidelines.cohort guidelines.explain guidelines.describe"
    " guidelines.naming language.catalogues"
)
_B12 = f"{_KIT} guidelines.b12_under_two"

# Each module: which of our modules it may import, and which libraries beyond Python's own.
# "guidelines.b12_under_two" as a permission covers the modules inside it.
ALLOWED: dict[str, tuple[str, str]] = {
    # module                               our own                                   libraries
    "": ("", ""),
    "clinical": ("language", "msgspec"),
    "errors": ("", "msgspec"),
    "language": ("errors language.locales", "msgspec"),
    "language.catalogues": ("errors language language.files language.locales", "msgspec"),
    "language.files": ("", "msgspec"),
    "language.house": ("errors language", "msgspec"),
    "language.locales": ("", ""),
    "settings": ("errors language.locales trust.addresses", "msgspec"),
    "trust": ("", ""),
    "trust.addresses": ("errors", ""),
    "trust.callers": ("errors trust.clients", "msgspec"),
    "trust.clients": ("errors language.locales trust.addresses", "msgspec"),
    "trust.keys": ("errors trust.callers trust.clients trust.outward", "jwt cryptography"),
    "trust.outward": ("", "requests urllib3"),
    "cdshooks": ("", ""),
    "cdshooks.request": ("errors", "msgspec"),
    "cdshooks.response": ("errors", "msgspec"),
    "cdshooks.feedback": ("errors", "msgspec"),
    "store": ("", ""),
    "store.log": ("", "msgspec"),
    "store.metrics": ("", "prometheus_client"),
    "store.audit": ("language", "msgspec"),
    "store.keeping": (
        "errors cdshooks.feedback store.audit store.ledger store.log store.metrics"
        " store.migrations store.sealing",
        "msgspec",
    ),
    "store.chain": ("", "msgspec"),
    "store.sealing": ("errors cdshooks.feedback store.audit", "cryptography msgspec"),
    "store.ledger": (
        "errors cdshooks.feedback store.audit store.chain store.database store.migrations"
        " store.sealing store.sqlite",
        "msgspec",
    ),
    "store.sqlite": ("", ""),
    "store.database": (
        "errors cdshooks.feedback store.audit store.chain store.migrations store.reports.figures"
        " store.sealing store.sqlite",
        "msgspec sqlalchemy alembic",
    ),
    "store.reports": ("", ""),
    "store.reports.figures": ("cdshooks.feedback store.audit", "msgspec"),
    "store.reports.words": ("language store.reports.figures", ""),
    "store.reports.page": (
        "language store.audit store.reports.figures store.reports.words",
        "jinja2 msgspec",
    ),
    "store.migrations": ("", ""),
    "store.migrations.env": ("", "alembic"),
    "store.migrations.versions": ("", ""),
    "store.migrations.versions.v0001_first": ("", "alembic sqlalchemy"),
    "store.migrations.versions.v0002_qualified_rules": ("", "alembic sqlalchemy"),
    "store.migrations.versions.v0003_unread": ("", "alembic sqlalchemy"),
    "store.migrations.versions.v0004_unknown_codes": ("", "alembic sqlalchemy"),
    "store.migrations.versions.v0005_language": ("", "alembic sqlalchemy"),
    "store.migrations.versions.v0006_chains": ("", "alembic sqlalchemy"),
    "store.migrations.versions.v0007_sealed": ("", "alembic sqlalchemy"),
    "fhir": ("", ""),
    "fhir.wire": ("", "msgspec"),
    "fhir.units": ("clinical", ""),
    "fhir.editions": ("clinical", "msgspec"),
    "fhir.elements": ("clinical fhir.wire fhir.units", "msgspec"),
    "fhir.reading": (
        "clinical errors fhir.gather fhir.reading fhir.editions fhir.wire fhir.elements",
        "msgspec",
    ),
    "fhir.reading.around": (_READING, "msgspec"),
    "fhir.reading.collecting": (_READING, "msgspec"),
    "fhir.reading.context": (_READING, "msgspec"),
    "fhir.reading.measurements": (_READING, "msgspec"),
    "fhir.reading.medications": (f"{_READING} fhir.dosages fhir.loose", "msgspec"),
    "fhir.reading.ordered_tests": (_READING, "msgspec"),
    "fhir.reading.problems": (_READING, "msgspec"),
    "fhir.reading.products": ("clinical fhir.gather fhir.wire fhir.elements fhir.loose", "msgspec"),
    "fhir.reading.times": ("clinical fhir.editions fhir.wire fhir.elements", ""),
    "fhir.loose": ("fhir.wire fhir.elements", "msgspec"),
    "fhir.timings": ("clinical fhir.editions fhir.elements fhir.loose", ""),
    "fhir.dosages": (
        "clinical fhir.editions fhir.wire fhir.elements fhir.loose fhir.timings",
        "",
    ),
    "fhir.drafts": (
        "clinical fhir.gather fhir.wire fhir.editions fhir.elements fhir.reading fhir.loose"
        " fhir.dosages",
        "msgspec",
    ),
    "fhir.code_map": ("clinical errors fhir.elements fhir.wire", "msgspec"),
    "fhir.gather": ("clinical errors fhir.editions fhir.server", "msgspec"),
    "fhir.server": ("clinical errors trust.addresses trust.outward", ""),
    "fhir.bulk": (
        "errors fhir.elements fhir.gather fhir.wire fhir trust.addresses trust.outward",
        "msgspec",
    ),
    "fhir.transactions": ("fhir.gather fhir.server", "msgspec"),
    "fhir.bundles": (
        "clinical errors fhir.editions fhir.gather fhir.wire fhir.elements",
        "msgspec",
    ),
    "fhir.trail": ("", ""),
    "fhir.artefacts": ("", "msgspec"),
    "fhir.revisions": (
        "clinical fhir.editions fhir.elements fhir.gather fhir.loose",
        "msgspec",
    ),
    "fhir.orders": (
        "clinical errors fhir.editions fhir.revisions language",
        "msgspec fhir.resources pydantic",
    ),
    "guidelines": ("", ""),
    "guidelines.engine": ("clinical errors language language.files", "msgspec"),
    "guidelines.tables": ("errors guidelines.engine", "msgspec"),
    "guidelines.explain": ("guidelines.engine guidelines.tables language", "msgspec"),
    "guidelines.describe": (
        "clinical guidelines.codelists guidelines.engine guidelines.explain guidelines.tables"
        " language",
        "msgspec",
    ),
    "guidelines.dialects": ("errors guidelines.engine guidelines.tables", "msgspec"),
    "guidelines.sheets": (
        "guidelines.dialects guidelines.engine guidelines.guideline guidelines.tables",
        "msgspec",
    ),
    "guidelines.cql": (
        "clinical guidelines.codelists guidelines.dialects guidelines.engine guidelines.guideline"
        " guidelines.tables",
        "msgspec",
    ),
    "guidelines.codelists": ("clinical errors guidelines.engine", "msgspec"),
    "guidelines.overrides": ("errors guidelines.engine guidelines.codelists", "msgspec"),
    "guidelines.checks": ("errors guidelines.engine", "msgspec"),
    "guidelines.doses": (
        "clinical errors guidelines guidelines.checks guidelines.engine guidelines.naming language",
        "msgspec",
    ),
    "guidelines.naming": (
        "guidelines.checks guidelines.engine language language.catalogues",
        "msgspec",
    ),
    "guidelines.workbench": ("clinical", "msgspec"),
    "guidelines.cohort": ("", "msgspec"),
    "guidelines.guideline": (
        "clinical guidelines.checks guidelines.codelists guidelines.cohort guidelines.engine"
        " guidelines.explain guidelines.overrides guidelines.tables guidelines.workbench language"
        " language.catalogues",
        "msgspec",
    ),
    "guidelines.registry": ("guidelines", ""),
    "guidelines.b12_under_two": (_B12, "msgspec"),
    "guidelines.b12_under_two.tables.weight": (_B12, "msgspec"),
    "guidelines.b12_under_two.tables.result": (_B12, "msgspec"),
    "guidelines.b12_under_two.tables.age": (_B12, "msgspec"),
    "guidelines.b12_under_two.tables.safety": (_B12, "msgspec"),
    "guidelines.b12_under_two.tables.route": (_B12, "msgspec"),
    "guidelines.b12_under_two.tables.mother": (_B12, "msgspec"),
    "guidelines.b12_under_two.tables.monitoring": (_B12, "msgspec"),
    "guidelines.b12_under_two.tables.duplication": (_B12, "msgspec"),
    "guidelines.b12_under_two.tables.dose": (_B12, "msgspec"),
    "guidelines.b12_under_two.tables.follow_up": (_B12, "msgspec"),
    "guidelines.b12_under_two.data": (_B12, "msgspec"),
    "guidelines.b12_under_two.limits": (_B12, "msgspec"),
    "guidelines.b12_under_two.messages": (_B12, "msgspec"),
    "guidelines.b12_under_two.names": (_B12, "msgspec"),
    "guidelines.b12_under_two.drugs": (_B12, "msgspec"),
    "guidelines.b12_under_two.workbench": (_B12, "msgspec"),
    "guidelines.b12_under_two.cohort": (_B12, "msgspec"),
    "guidelines.b12_under_two.front": (_B12, "msgspec"),
    "guidelines.b12_under_two.facts": (_B12, "msgspec"),
    "guidelines.b12_under_two.assessment": (_B12, "msgspec"),
    "guidelines.b12_under_two.meanings": (_B12, "msgspec"),
    "guidelines.b12_under_two.growth": (_B12, "msgspec"),
    "guidelines.b12_under_two.feeding": (_B12, "msgspec"),
    "guidelines.b12_under_two.screening": (_B12, "msgspec"),
    "guidelines.b12_under_two.tables.signs": (_B12, "msgspec"),
    "guidelines.b12_under_two.treatment": (_B12, "msgspec"),
    "guidelines.b12_under_two.monitoring": (_B12, "msgspec"),
    "guidelines.b12_under_two.follow_up": (_B12, "msgspec"),
    "guidelines.b12_under_two.age": (_B12, "msgspec"),
    "guidelines.b12_under_two.loading": (_B12, "msgspec"),
    "guidelines.b12_under_two.prescribing": (_B12, "msgspec"),
    "guidelines.b12_under_two.giving": (_B12, ""),
    "guidelines.b12_under_two.products": (_B12, "msgspec"),
    "guidelines.b12_under_two.dosing": (_B12, "msgspec"),
    "guidelines.b12_under_two.dosing.amounts": (_B12, "msgspec"),
    "guidelines.b12_under_two.dosing.ways": (_B12, "msgspec"),
    "guidelines.b12_under_two.dosing.lines": (_B12, "msgspec"),
    "guidelines.b12_under_two.dosing.phases": (_B12, "msgspec"),
    "guidelines.b12_under_two.dosing.said": (_B12, "msgspec"),
    "guidelines.b12_under_two.order_words": (_B12, ""),
    "guidelines.b12_under_two.prohibitions": (_B12, ""),
    "guidelines.b12_under_two.antidote": (_B12, ""),
    "guidelines.b12_under_two.order_checks": (_B12, "msgspec"),
    "guidelines.b12_under_two.order_checks.active": (_B12, "msgspec"),
    "guidelines.b12_under_two.order_checks.cards": (_B12, "msgspec"),
    "guidelines.b12_under_two.order_checks.course": (_B12, "msgspec"),
    "guidelines.b12_under_two.order_checks.indication": (_B12, "msgspec"),
    "guidelines.b12_under_two.order_checks.one_order": (_B12, "msgspec"),
    "guidelines.b12_under_two.order_checks.reading": (_B12, "msgspec"),
    "guidelines.b12_under_two.order_checks.regimens": (_B12, "msgspec"),
    "guidelines.b12_under_two.order_checks.whole_basket": (_B12, "msgspec"),
    "guidelines.b12_under_two.tables.order": (_B12, "msgspec"),
    "guidelines.b12_under_two.results": (_B12, "msgspec"),
    "guidelines.b12_under_two.therapy": (_B12, "msgspec"),
    "guidelines.b12_under_two.unread": (_B12, ""),
    "guidelines.b12_under_two.silence": (_B12, ""),
    "guidelines.b12_under_two.words": (_B12, "msgspec"),
    "guidelines.b12_under_two.tables": (_B12, "msgspec"),
    "guidelines.b12_under_two.tables.blood": (_B12, ""),
    "guidelines.b12_under_two.tables.cause": (_B12, "msgspec"),
    "guidelines.b12_under_two.tables.inputs": (_B12, "msgspec"),
    "guidelines.b12_under_two.tables.severity": (_B12, "msgspec"),
    "guidelines.b12_under_two.tables.status": (_B12, "msgspec"),
    "guidelines.b12_under_two.tables.urgency": (_B12, "msgspec"),
    "guidelines.b12_under_two.describe": (
        f"{_B12} guidelines.explain guidelines.describe",
        "msgspec",
    ),
    "guidelines.b12_under_two.explain": (
        f"{_B12} guidelines.explain guidelines.describe",
        "msgspec",
    ),
    "consultation": (
        "clinical cdshooks fhir consultation.account consultation.cards consultation.in_part"
        " consultation.occasion consultation.reuse consultation.services",
        "",
    ),
    "consultation.reuse": (
        "cdshooks consultation.occasion consultation.services fhir.gather",
        "",
    ),
    "consultation.in_part": (
        "clinical consultation.cards fhir.revisions guidelines.engine guidelines.guideline"
        " language",
        "msgspec",
    ),
    "consultation.cards": (
        "clinical errors guidelines.engine cdshooks language consultation.detail",
        "msgspec",
    ),
    "consultation.detail": ("guidelines.engine language", "msgspec"),
    "consultation.occasion": (
        "clinical cdshooks fhir.gather guidelines.guideline store.audit",
        "msgspec",
    ),
    "consultation.services": (
        "cdshooks.feedback clinical consultation.cards fhir.code_map fhir.orders"
        " guidelines.codelists guidelines.guideline guidelines.overrides guidelines.registry"
        " language language.catalogues",
        "msgspec",
    ),
    "consultation.account": (
        "clinical cdshooks consultation.cards consultation.occasion fhir.gather"
        " fhir.reading.context guidelines.engine guidelines.guideline language store.audit"
        " consultation.services",
        "",
    ),
    "consultation.room": (
        "cdshooks consultation.account consultation.cards consultation.occasion language",
        "msgspec",
    ),
    "consultation.restraint": (
        "cdshooks consultation errors language settings store.audit store.metrics",
        "msgspec",
    ),
    "consultation.challenger": ("cdshooks consultation store", "msgspec"),
    "consultation.known_answers": ("cdshooks consultation guidelines.guideline store", "msgspec"),
    "consultation.cases": (
        "errors cdshooks consultation fhir.bundles fhir.gather language",
        "msgspec",
    ),
    "consultation.cohort": ("", ""),
    "consultation.cohort.sources": ("fhir.gather", "msgspec"),
    "consultation.cohort.splitting": (
        "consultation.cohort.sources errors fhir fhir.bundles fhir.editions fhir.elements"
        " fhir.gather fhir.reading.context fhir.wire",
        "msgspec",
    ),
    "consultation.cohort.judging": (
        "cdshooks clinical consultation errors fhir.bundles fhir.editions guidelines.cohort"
        " guidelines.engine guidelines.guideline store.audit",
        "msgspec",
    ),
    "consultation.cohort.running": (
        "consultation errors fhir.editions guidelines.registry store.audit",
        "msgspec",
    ),
    "consultation.cohort.cluster": (
        "consultation.cohort errors",
        "msgspec pandas py4j pyarrow pyspark",
    ),
    "consultation.cohort.page": (
        "consultation.cohort guidelines.cohort language consultation.services",
        "jinja2 msgspec",
    ),
    "consultation.cohort.outcome": ("consultation.cohort guidelines.cohort", "duckdb msgspec"),
    "workbench": ("", ""),
    "workbench.samples": ("", "msgspec"),
    "workbench.sample_server": (
        "errors trust.addresses trust.outward workbench.samples",
        "msgspec",
    ),
    "workbench.pages": (
        "errors settings cdshooks consultation clinical guidelines.guideline language web.intake"
        " web.waiting workbench",
        "msgspec flask",
    ),
    "workbench.showing": (
        "clinical errors cdshooks consultation fhir.gather guidelines language",
        "msgspec markdown_it",
    ),
    "web": ("", ""),
    "web.accounts": (
        "errors cdshooks consultation store trust.callers",
        "",
    ),
    "web.edge": ("errors cdshooks.response trust.addresses", ""),
    "web.waiting": ("errors", ""),
    "web.intake": ("errors settings cdshooks.request web.waiting", "werkzeug"),
    "web.views": (
        "errors settings trust.addresses trust.callers trust.keys cdshooks consultation store web",
        "msgspec flask werkzeug",
    ),
    "app": (
        "errors settings trust cdshooks fhir guidelines consultation language web store workbench",
        "flask",
    ),
    "commands": ("guidelines.guideline guidelines.registry", "click"),
    "commands.processes": ("errors", "granian"),
    "commands.serving": (
        "app commands.processes consultation settings store.keeping store.log store.metrics",
        "click",
    ),
    "commands.evaluating": (
        "cdshooks commands consultation errors guidelines language settings",
        "click fhir.resources pydantic",
    ),
    "commands.checking": (
        "app commands trust.keys consultation fhir guidelines settings",
        "click",
    ),
    "commands.translating": (
        "commands consultation guidelines.guideline language language.catalogues",
        "click",
    ),
    "commands.exporting": (
        "clinical commands consultation fhir guidelines settings",
        "click",
    ),
    "commands.coding": ("commands consultation fhir settings", "click"),
    "commands.surveying": (
        "commands consultation errors fhir.bulk settings trust.keys",
        "click msgspec",
    ),
    "commands.keeping": (
        "commands consultation errors fhir language settings store",
        "click msgspec",
    ),
    "commands.trying": (
        "commands fhir trust.addresses trust.keys workbench.samples",
        "click msgspec",
    ),
    "__main__": ("commands errors", "click"),
}

# Libraries that only these modules may ever hold, whatever the table comes to say.
ONLY = {
    "requests": {"trust.outward"},
    "urllib3": {"trust.outward"},
    "jwt": {"trust.keys"},
    "cryptography": {"trust.keys", "store.sealing"},
    "flask": {"web.views", "app", "workbench.pages"},
    "jinja2": {"store.reports.page", "consultation.cohort.page"},
    "duckdb": {"consultation.cohort.outcome"},
    "pyspark": {"consultation.cohort.cluster"},
    "markdown_it": {"workbench.showing"},
    "werkzeug": {"web.views", "web.intake"},
    "fhir.resources": {"fhir.orders", "commands.evaluating"},
    "granian": {"commands.processes"},
    "click": {"__main__", *(name for name in ALLOWED if name.split(".")[0] == "commands")},
    "sqlalchemy": {
        "store.database",
        "store.migrations.versions.v0001_first",
        "store.migrations.versions.v0002_qualified_rules",
        "store.migrations.versions.v0003_unread",
        "store.migrations.versions.v0004_unknown_codes",
        "store.migrations.versions.v0005_language",
        "store.migrations.versions.v0006_chains",
        "store.migrations.versions.v0007_sealed",
    },
    "alembic": {
        "store.database",
        "store.migrations.env",
        "store.migrations.versions.v0001_first",
        "store.migrations.versions.v0002_qualified_rules",
        "store.migrations.versions.v0003_unread",
        "store.migrations.versions.v0004_unknown_codes",
        "store.migrations.versions.v0005_language",
        "store.migrations.versions.v0006_chains",
        "store.migrations.versions.v0007_sealed",
    },
    "prometheus_client": {"store.metrics"},
}

# What a reader sees first: modules and packages side by side. More is a house no one oversees.
MOST_AT_THE_TOP = 14

# Ways through one function, as `ways_through` counts them. Nothing is exempt: a function above
# it is divided into parts that have names.
MOST_WAYS = 15

# Names that say where code lies, not what it does.
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "base", "core", "shared"}


def name_of(file: Path) -> str:
    parts = list(file.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(file): file for file in sorted(PACKAGE.rglob("*.py"))}


@cache
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


@each("name", sorted(MODULES))
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


def test_a_reader_oversees_the_top_level() -> None:
    top = {name.split(".")[0] for name in MODULES} - {"", "__main__"}
    assert len(top) <= MOST_AT_THE_TOP, sorted(top)


def test_no_circle_leads_from_a_room_back_to_itself() -> None:
    known: dict[str, set[str]] = {}
    for name in MODULES:
        room = name.split(".")[0]
        known.setdefault(room, set()).update(
            other.split(".")[0] for other in ours(imports_of(name)) if other
        )
    rooms = {room: others - {room} for room, others in known.items()}
    assert list(TopologicalSorter(rooms).static_order())[-1] == "__main__"


def test_no_circle_leads_from_a_module_back_to_itself() -> None:
    """Within a room neither, not even for the sake of types alone."""
    known = {name: ours(imports_of(name)) & set(MODULES) - {name} for name in MODULES}
    assert set(TopologicalSorter(known).static_order()) == set(MODULES)


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert not {name for name in MODULES if name.rpartition(".")[2] in EMPTY_NAMES}


def ways_through(part: ast.AST) -> int:
    """How many decisions ``part`` holds, counted as radon counts them: each branch, loop and its
    `else`, handler and `else` of a `try`, `case` but the last resort, assertion, conditional
    expression, comprehension and each of its conditions, and each `and` or `or`. A function has one
    way more than decisions; one inside another is counted on its own."""
    match part:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return 0
        case ast.Assert():
            return 1  # and none for what it asserts
        case ast.If() | ast.IfExp():
            own = 1
        case ast.For() | ast.AsyncFor() | ast.While():
            own = 1 + bool(part.orelse)
        case ast.Try() | ast.TryStar():
            own = len(part.handlers) + bool(part.orelse)
        case ast.Match():
            wild = any(getattr(case.pattern, "pattern", False) is None for case in part.cases)
            own = len(part.cases) - wild
        case ast.BoolOp():
            own = len(part.values) - 1
        case ast.comprehension():
            own = 1 + len(part.ifs)
        case _:
            own = 0
    return own + sum(map(ways_through, ast.iter_child_nodes(part)))


def functions_in(source: str) -> dict[str, int]:
    """How many ways lead through every function in ``source``, by its line and name."""
    return {
        f"{node.lineno} {node.name}": 1 + sum(map(ways_through, node.body))
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_no_function_has_more_ways_than_a_reader_can_follow() -> None:
    above = [
        f"{file.relative_to(PACKAGE.parent)}:{function} has {ways}"
        for file in [*MODULES.values(), *(PACKAGE.parent / "bench").rglob("*.py")]
        for function, ways in functions_in(file.read_text(encoding="utf-8")).items()
        if ways > MOST_WAYS
    ]
    assert not above, f"more than {MOST_WAYS} ways through one function: {above}"


@pytest.mark.parametrize(
    ("body", "ways"),
    [
        ("pass", 1),
        ("if a: pass\n elif b: pass\n else: pass", 3),
        ("return a if b else c", 2),
        ("return a and b and c or d", 4),
        ("for a in b: pass\n else: pass", 3),
        ("async for a in b: pass", 2),
        ("while a: pass", 2),
        ("try: pass\n except A: pass\n except B: pass\n else: pass\n finally: pass", 4),
        ("try: pass\n except* A: pass", 2),
        ("with a: pass", 1),
        ("assert a and b", 2),
        ("return [a for a in b if c if d for e in a]", 5),
        ("return {a: any(b for b in a) for a in c}", 3),
        ("return lambda: a or b", 2),
        ("match a:\n  case 1: pass\n  case 2 if b or c: pass\n  case _: pass", 4),
        ("match a:\n  case 1: pass\n  case [2, b]: pass", 3),
        ("def g():\n  return a or b\n return g", 1),
        ("class C:\n  def g(self): return a or b\n return C", 1),
    ],
)
def test_the_counter_of_ways_sees_every_form(body: str, ways: int) -> None:
    function = f"@a(b or c)\nasync def f(a=b or c):\n {body}\n"
    assert functions_in(function)["2 f"] == ways


def test_a_function_inside_another_is_counted_by_itself() -> None:
    source = "def f():\n def g():\n  return a or b\n return g if a else None\n"
    assert functions_in(source) == {"1 f": 2, "2 g": 2}


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


def test_outside_the_guidelines_nobody_knows_one() -> None:
    """Who wants one asks the registry, and sees of it what every guideline has."""
    folders = {name for name in MODULES if MODULES[name].name == "__init__.py"}
    each = {name for name in folders if name.startswith("guidelines.")}
    assert each
    for name in MODULES:
        if name.startswith("guidelines."):
            continue
        imported = ours(imports_of(name)) - {""}
        known = {one for one in imported if any(within(one, folder) for folder in each)}
        assert not known, f"{name} may not know {sorted(known)}"


#: What the program is called and is about may be in `cds_service.PROGRAM` and `ABOUT`.
NAMES_THE_MATTER = {"__init__.py"}


def _words_of(file: Path) -> bytes:
    """What a file says, without the fingerprints of a translation: they may spell anything."""
    return re.sub(rb'= "[0-9a-f]{8}"$', b"", file.read_bytes(), flags=re.M)


def test_outside_the_guidelines_nothing_names_their_matter() -> None:
    """Static files included. What is stated of a guideline comes from it."""
    named = {
        str(file.relative_to(PACKAGE))
        for file in PACKAGE.rglob("*")
        if file.is_file()
        and file.suffix != ".pyc"
        and "guidelines" not in file.relative_to(PACKAGE).parts[:1]
        and re.search(rb"b[-_ ]?12|cobalamin", _words_of(file), flags=re.I)
    }
    assert named == NAMES_THE_MATTER
    kit = [file for file in (PACKAGE / "guidelines").iterdir() if file.is_file()]
    told = {file.name for file in kit if re.search(rb"b12|cobalamin", file.read_bytes(), re.I)}
    assert told == {"registry.py", "README.md"} & {file.name for file in kit}
