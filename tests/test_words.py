"""Where words are written: in catalogues, not in code.

A clinician reads cards, orders, the account of an answer, the workbench and the reports. What they
say has an id in code and its words in ``texts/en.toml``; so a sentence is changed in one file, and
a language is a file more. What is left in code is for anyone who runs or calls the service, or for
no person at all, and `MAY` says of each why; what a `Literal` lists is a code. A single word
cannot be determined from a code of the wire or of a table, so only sentences are looked for, and
words around values.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from each import each
from jinja2 import Environment, nodes
from msgspec import Struct

from cds_service.consultation import load_services
from cds_service.language import house, id_of, ids_of, placeholders

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "cds_service"

#: Sentences that may be in code: by file, or by what they are given to, and why.
MAY: Mapping[str, str] = {
    "__init__.py": "the name of the program",
    "errors.py": "OperationOutcome, and what keeps the program from starting",
    "settings.py": "settings, for anyone who runs the service",
    "commands/": "the command line",
    "__main__.py": "the command line",
    "clinical.py": "units and forms as senders spell them, to be recognised",
    "cdshooks/": "OperationOutcome: what is wrong with a request",
    "trust/": "why a caller or an address is refused: for the log, and for integrators",
    "fhir/": "OperationOutcome, terms of FHIR, and why something could not be obtained",
    "consultation/cohort/sources.py": "what of a file is not used, for anyone who runs a cohort",
    "consultation/cohort/splitting.py": "what of a file is not used, for anyone who runs a cohort",
    "consultation/cohort/outcome.py": "SQL",
    "consultation/cohort/cluster.py": "SQL and settings of Spark, and what of a file is not used",
    "language/catalogues.py": "what keeps a catalogue from being loaded, and its head",
    "guidelines/checks.py": "what keeps a guideline from being loaded",
    "guidelines/codelists.py": "what keeps a guideline from being loaded",
    "guidelines/cql.py": "CQL",
    "guidelines/dialects.py": "FEEL and CQL",
    "guidelines/doses.py": "what keeps a guideline from being loaded",
    "guidelines/guideline.py": "what `check` counts",
    "guidelines/cohort.py": "what keeps a guideline from being loaded",
    "guidelines/engine.py": "what keeps a guideline from being loaded",
    "guidelines/overrides.py": "what keeps a site's file from being loaded",
    "guidelines/tables.py": "what keeps a guideline from being loaded",
    "store/chain.py": "what of a chain does not hold, for anyone who runs the service",
    "store/database.py": "SQL, and what the database did not do",
    "store/keeping.py": "what the database did not do",
    "store/ledger.py": "SQL, and what the database did not do",
    "store/sealing.py": "how a key ring shows itself",
    "store/sqlite.py": "SQL",
    "store/metrics.py": "what a count is of, for anyone who watches the service",
    "web/edge.py": "headers",
    "web/intake.py": "OperationOutcome: what is wrong with a body",
    "web/views.py": "OperationOutcome, and why no FHIR server is asked",
}

#: In files that are searched: values of the wire, of the database and of tables for programs, and
#: what is reported to anyone who calls or runs the service; names of the parts of a row.
TERMS: Mapping[str, tuple[str, ...]] = {
    "consultation/account.py": ("not evaluated", "nothing to say"),
    "consultation/cases.py": (
        "nothing to say",
        "a file is evaluated without any FHIR server",
        "It is not JSON.",
        "It is JSON, but neither a CDS Hooks request nor a FHIR Bundle.",
    ),
    # Why a child was not evaluated, for anyone who runs a cohort.
    "consultation/cohort/judging.py": (
        "There are two different records of this patient, and nothing says which is newer.",
    ),
    "consultation/restraint.py": (
        "in trial", "overridden before", "advice withheld", "none, without CDS_CLIENTS_FILE",
    ),
    # Parts of names of the newborn screening, held against what was sent.
    "guidelines/b12_under_two/loading.py": ("blood spot", "dried blood"),
    # Values of a table's columns, which `cohort.toml` names.
    "guidelines/b12_under_two/cohort.py": (
        "on hold", "never measured", "vegan mother", "no weight to dose by", "neurological signs",
    ),
    "guidelines/b12_under_two/dosing/lines.py": ("the line",),
    # What the numbers, names and curves of an exported library are called in it.
    "guidelines/b12_under_two/front.py": (
        "days between doses of {}", "two weeks of {}", "substance of {}",
    ),
    "guidelines/b12_under_two/growth.py": ("weights {}",),
    "guidelines/b12_under_two/products.py": ("long texts",),
    # What terminologies are called, in every language.
    "guidelines/describe.py": ("SNOMED CT", "FHIR diet", "FHIR diet (STU3)"),
    "guidelines/b12_under_two/tables/order.py": (
        "vein, may bleed", "spine, may bleed", "not called for",
    ),
    "store/log.py": ("lines dropped",),
    "store/reports/figures.py": (
        "nothing to say", "not evaluated", "(open mode)", "only live", "only other",
    ),
    "store/reports/words.py": (
        "clients that send feedback", "override reason", "suggestion, recommended",
        "category of reasons",
    ),
    "workbench/pages.py": (
        "the workbench reads FHIR servers in the demo only",
        "many values are tried without a FHIR server",
    ),
}  # fmt: skip

#: What errors are called, by the ends of their names: their words are for callers and operators.
_ERRORS = ("Error", "BadRequest", "Forbidden", "NotFound", "BadInput", "Unavailable")


class Found(NamedTuple):
    file: str
    line: int
    text: str


# --- sentences in code --------------------------------------------------------------------------

_TWO_WORDS = re.compile(r"[^\W\d_]{2,}[^\w<>]* [^\w<>]*[^\W\d_]{2,}")
_A_WORD = re.compile(r"[^\W\d_]{3,}[^\w<>]* | [^\w<>]*[^\W\d_]{3,}")


def sentences(tree: ast.AST, file: str) -> Iterator[Found]:
    """Texts of two words or more, and words between values, that are neither a docstring nor
    given to an error or to a compiled pattern."""
    skipped = {id(one) for node in ast.walk(tree) for one in _not_said(node)}
    for node in _walked(tree, skipped):
        text, words = _text_of(node)
        if words.search(text) and not _is_no_prose(text):
            yield Found(file, node.lineno, text)


def _text_of(node: ast.AST) -> tuple[str, re.Pattern[str]]:
    """What is written, and what a sentence is there: a value may be a word of it."""
    if isinstance(node, ast.JoinedStr):
        parts = [str(getattr(one, "value", "")) if isinstance(one, ast.Constant) else "{}"
                 for one in node.values]  # fmt: skip
        return "".join(parts), _A_WORD
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value, _TWO_WORDS
    return "", _A_WORD


def _walked(tree: ast.AST, skipped: set[int]) -> Iterator[ast.AST]:
    if id(tree) in skipped:
        return
    yield tree
    if isinstance(tree, ast.JoinedStr):
        for one in tree.values:
            if isinstance(one, ast.FormattedValue):
                yield from _walked(one, skipped)
        return
    for child in ast.iter_child_nodes(tree):
        yield from _walked(child, skipped)


def _not_said(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        first = node.body[0] if node.body else None
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            yield first
    if isinstance(node, ast.Call) and _is_for_callers(ast.unparse(node.func)):
        yield from (*node.args, *node.keywords)
    # Types in quotation marks.
    if isinstance(node, ast.AnnAssign | ast.arg):
        yield from filter(None, [node.annotation])
    if isinstance(node, ast.FunctionDef):
        yield from filter(None, [node.returns])
    if isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation) == "TypeAlias":
        yield from filter(None, [node.value])


def _is_for_callers(called: str) -> bool:
    name = called.rpartition(".")[2]
    return name.endswith(_ERRORS) or called.startswith(("re.", "logging."))


def _is_no_prose(text: str) -> bool:
    """Addresses, media types, policies, HTML: what no person reads as a sentence."""
    return bool(
        re.search(r"^[</?]|^\w+/[\w.+-]+(?:;|$)|^urn:|^https?:|'self'|'none'", text.strip())
        or not re.search(r"[^\W\d_]{3,}", text)
    )


def _of_package() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def _covered(file: str, names: tuple[str, ...]) -> bool:
    return any(file == one or (one.endswith("/") and file.startswith(one)) for one in names)


@cache
def modules() -> Mapping[str, ast.Module]:
    return dict(_of_package())


@cache
def codes() -> frozenset[Any]:
    """What a type says is one of a few values is a code, wherever it is compared or handed on."""
    return frozenset(
        one.value
        for tree in modules().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Literal"
        for one in ast.walk(node.slice)
        if isinstance(one, ast.Constant)
    )


def test_no_sentence_that_a_clinician_reads_is_in_code() -> None:
    found = [
        one
        for file, tree in modules().items()
        if not _covered(file, tuple(MAY))
        for one in sentences(tree, file)
        if one.text not in codes() and one.text not in TERMS.get(file, ())
    ]
    listed = "\n".join(f"cds_service/{one.file}:{one.line}: {one.text}" for one in found)
    assert not found, f"these belong into a catalogue:\n{listed}"


@each("name", [*MAY])
def test_what_is_exempt_has_sentences(name: str) -> None:
    """An exemption that is not needed any more is taken out."""
    files = [file for file in modules() if _covered(file, (name,))]
    assert any(True for file in files for _ in sentences(modules()[file], file)), name


@pytest.mark.parametrize("file", sorted(TERMS))
def test_every_term_is_used(file: str) -> None:
    texts = {one.value for one in ast.walk(modules()[file]) if isinstance(one, ast.Constant)}
    parts = {part for term in TERMS[file] for part in term.split("{}")}
    assert parts - {""} <= texts


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ('x = "Stop the drug"', ["Stop the drug"]),
        ("x = f'Stop {name}'", ["Stop {}"]),
        ('x = ["low", "not low"]', ["not low"]),
        ('def f() -> None:\n    "Stop the drug."', []),
        ('raise NotFound("There is nothing here.")', []),
        ('x = re.compile("every other day")', []),
        ('x = "ruleIds"', []),
        ("x = f'{a}: {b}'", []),
        ('x: "int | None" = 1', []),
        ("x = f\"{'not known' if y else z}\"", ["not known"]),
    ],
)
def test_the_search_finds_sentences_and_nothing_else(code: str, said: list[str]) -> None:
    assert [one.text for one in sentences(ast.parse(code), "x.py")] == said


# --- what is stated, and with which values --------------------------------------------------------


class Said(NamedTuple):
    """One ``say(...)``: the texts it may name, and the values it gives them."""

    file: str
    line: int
    ids: tuple[str, ...]
    given: frozenset[str]


def said_in_code() -> Iterator[Said]:
    for file, tree in modules().items():
        module = ".".join(["cds_service", *Path(file).with_suffix("").parts]).removesuffix(
            ".__init__"
        )
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("say", "language.say"):
                where = f"{file}:{node.lineno}"
                assert node.args, f"{where} names no text"
                ids = tuple(_ids(node.args[0], module, where))
                names = [one.arg for one in node.keywords]
                assert None not in names, f"{where} hides which values it gives (**)"
                yield Said(file, node.lineno, ids, frozenset(map(str, names)))


def _ids(node: ast.expr, module: str, where: str) -> Iterator[str]:
    """The text that is named in place, or one of two."""
    if isinstance(node, ast.IfExp):
        yield from _ids(node.body, module, where)
        yield from _ids(node.orelse, module, where)
        return
    assert isinstance(node, ast.Attribute), f"{where} names its text elsewhere; name it in place"
    found: Any = import_module(module)
    for name in ast.unparse(node).split("."):
        found = getattr(found, name)
    yield id_of(found)


#: The pages that are made of a template, and the schemas that their texts are from.
PAGES = ("store/reports/page.html", "consultation/cohort/clinic.html")
SCHEMAS: Mapping[str, type[Struct]] = {
    "Page": house.Page, "R": house.Report, "C": house.Clinic,
}  # fmt: skip


def said_on_the_page() -> Iterator[Said]:
    for file in PAGES:
        parsed = Environment(autoescape=True).parse((PACKAGE / file).read_text(encoding="utf-8"))
        for call in parsed.find_all(nodes.Call):
            if isinstance(call.node, nodes.Name) and call.node.name == "say":
                named = call.args[0]
                assert isinstance(named, nodes.Getattr)
                assert isinstance(named.node, nodes.Name)
                given = frozenset(one.key for one in call.kwargs)
                text = getattr(SCHEMAS[named.node.name], named.attr)
                yield Said(file, call.lineno, (id_of(text),), given)


LANGUAGE = load_services()[0].language


@cache
def said() -> list[Said]:
    return [*said_in_code(), *said_on_the_page()]


def test_every_text_is_given_the_values_it_names() -> None:
    assert said()
    wrong = []
    for one in said():
        named = frozenset[str]().union(*(placeholders(LANGUAGE.texts[id_]) for id_ in one.ids))
        if named != one.given:
            wrong.append(f"{one.file}:{one.line}: {one.ids} names {set(named)}, not {one.given}")
    assert not wrong, "\n".join(wrong)


def test_no_text_takes_a_date_for_a_day() -> None:
    """It may be known by its month or year only, which is never "on 2026"."""
    on_a_day = re.compile(r"\bon \{(?:\w*_)?(?:date|start)\}")
    assert on_a_day.search("B12 on {later_date}")
    written = {id_ for id_, text in LANGUAGE.texts.items() if on_a_day.search(text)}
    assert written == {"format.on_day"}


def test_every_text_of_the_service_is_said_somewhere() -> None:
    ids = {id_ for one in said() for id_ in one.ids}
    by_kind = {*(f"list.{one}" for one in house.List.__struct_fields__),
               *(f"format.{one}" for one in house.Format.__struct_fields__),
               *(f"month.{one}" for one in house.Month.__struct_fields__)}  # fmt: skip
    known = {id_ for table in house.TABLES for id_ in ids_of(table)}
    assert known - ids - by_kind == set()


@pytest.mark.parametrize("file", PAGES)
def test_no_word_of_the_report_is_on_its_page_itself(file: str) -> None:
    """What is left of the page without what it inserts is markup."""
    page = (PACKAGE / file).read_text(encoding="utf-8")
    markup = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", " ", page, flags=re.S)
    bare = re.sub(r"<[^>]*>", " ", markup)
    assert not re.findall(r"[^\W\d_]{2,}", bare)
