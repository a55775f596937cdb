"""A guideline as a page to read, in Markdown: everything in its data, and every table as it is
tried.

`page` puts sections together; a guideline chooses them, and writes those that are its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

from msgspec import Struct, inspect

from cds_service.clinical import Code, Need
from cds_service.guidelines.codelists import CodeList
from cds_service.guidelines.engine import CardText, Rule, Side, Wording, read_toml
from cds_service.guidelines.explain import listed
from cds_service.guidelines.tables import (
    AllOf,
    AnyOf,
    Condition,
    Holds,
    Includes,
    IsOneOf,
    Meets,
    Named,
    Not,
    Otherwise,
    Table,
    Unknown,
    condition_of,
    name_of,
)

Section = tuple[str, Iterator[str]]

#: The names people use for code systems, in the order in which a row lists them.
SYSTEMS = {
    "http://snomed.info/sct": "SNOMED CT",
    "http://loinc.org": "LOINC",
    "http://www.nlm.nih.gov/research/umls/rxnorm": "RxNorm",
    "http://hl7.org/fhir/sid/icd-10-cm": "ICD-10-CM",
    "http://www.whocc.no/atc": "ATC",
    "http://terminology.hl7.org/CodeSystem/diet": "FHIR diet",
    "http://hl7.org/fhir/diet": "FHIR diet (STU3)",
    "http://terminology.hl7.org/CodeSystem/v3-RouteOfAdministration": "HL7 v3 route",
}

_WITHOUT = {
    "indispensable": "the call is answered with 412",
    "required": "nothing is recommended, and a card says so",
    "optional": "its facts are unknown, and the card names them",
}


def page(opening: Iterable[str], sections: Sequence[Section]) -> str:
    """The page: what it opens with, its contents, its sections."""
    contents = " · ".join(_heading(title) for title, _ in sections)
    lines = [*opening, "", f"**Contents:** {contents}", ""]
    for title, body in sections:
        lines += [f"## {title}", "", *body, ""]
    return "\n".join(lines).rstrip() + "\n"


def _heading(title: str) -> str:
    return f"[{title}](#{title.lower().replace(' ', '-')})"


# --- what it needs ------------------------------------------------------------------------------


def needs(wanted: Iterable[Need], prefetch_template: Callable[[Need], str]) -> Iterator[str]:
    wanted = tuple(wanted)
    yield (
        "For integrators: each prefetch key, and what happens without it. What is sent as `null` is"
        " known to be empty; what is not sent is read from the FHIR server if there is one, and"
        " otherwise unknown. Every resource's subject, code, unit and status are checked again."
    )
    yield ""
    rows = [
        (f"`{need.key}`", need.kind, need.name, need.importance, _WITHOUT[need.importance])
        for need in wanted
    ]
    yield from grid(("key", "resource", "what for", "importance", "without it"), rows)
    yield ""
    yield "The templates, as discovery prints them:"
    yield ""
    yield "```text"
    yield from (f"{need.key}: {prefetch_template(need)}" for need in wanted)
    yield "```"


# --- numbers ------------------------------------------------------------------------------------


def limits(of: Struct, constants: Struct, wording: Wording) -> Iterator[str]:
    """Every limit and every constant, fields of ``of`` and ``constants``."""
    yield (
        "*Published* names sources of the bibliography, *guideline* a statement of the unreviewed"
        " text that is computed here and nothing besides, *policy* the reason for this project's"
        " own choice."
    )
    yield ""
    rows = []
    for name, limit in fields(of):
        rows.append(
            (
                f'<a id="limit-{slug(name)}"></a>`{name}`',
                f"{_side(limit.side)} {limit}",
                limit.means,
                authority(limit.source, wording),
            )
        )
    yield from grid(("limit", "holds", "means", "authority"), rows)
    yield ""
    fixed = [
        (f"`{name}`", f"{one.value.normalize():f} {one.unit}", authority(one.source, wording))
        for name, one in fields(constants)
    ]
    yield from grid(("constant", "value", "authority"), fixed)


# --- what it says -------------------------------------------------------------------------------


def cards(names: Iterable[str], wording: Wording) -> Iterator[str]:
    """The cards of these names that the guideline has, in this order."""
    yield (
        "What each rule says; words in braces are filled in for the child. The indicator can rise"
        " with what is found. Every card ends with the review status."
    )
    for name in names:
        if name in wording.cards:
            yield ""
            yield from _card(name, wording.cards[name], wording)


def _card(name: str, card: CardText, wording: Wording) -> Iterator[str]:
    yield f"### Card {name}"
    yield ""
    rule = cited(name.partition(".")[0], wording)
    yield f"Rule {rule}, **{card.indicator}**: {plain(card.summary)}"
    yield ""
    yield f"> {plain(card.advice)}"
    if card.why:
        yield ">"
        yield f"> Why: {plain(card.why)}"
    rests = []
    if card.statement:
        rests.append(f"statement {cited(card.statement, wording)}")
    if card.evidence:
        rests.append(f"evidence {', '.join(cited(one, wording) for one in card.evidence)}")
    rests += [f"[{wording.links[one].label}]({wording.links[one].url})" for one in card.links]
    if rests:
        yield ""
        yield f"Rests on {'; '.join(rests)}."


def texts(of: Struct, wording: Wording) -> Iterator[str]:
    """The sentences that are fields of ``of``, and the override reasons."""
    yield "What a card adds where it applies; words in braces are filled in."
    yield ""
    yield from grid(
        ("text", "says"),
        [(f'<a id="text-{slug(name)}"></a>`{name}`', plain(text)) for name, text in fields(of)],
    )
    yield ""
    yield "The reasons a clinician can give for not following a card:"
    yield ""
    yield from grid(
        ("code", "reason"), [(f"`{one.code}`", one.display) for one in wording.override_reasons]
    )


def statements(wording: Wording) -> Iterator[str]:
    yield "Each sentence of the guideline, and the rules, texts and checks that serve it."
    yield ""
    rows = [
        (
            f'<a id="{slug(name)}"></a>{name}',
            one.text,
            one.category,
            ", ".join(_server(server, wording) for server in one.served_by) or one.not_clinical,
        )
        for name, one in wording.statements.items()
    ]
    yield from grid(("statement", "text", "kind", "served by"), rows)


def _server(name: str, wording: Wording) -> str:
    kind, _, what = name.partition(":")
    if kind == "text":
        return f"text [`{what}`](#text-{slug(what)})"
    if kind == "later":
        return f"{what} (to come)"
    return cited(name, wording)


# --- decision tables ------------------------------------------------------------------------------


def decision_tables(
    tables: Iterable[Table[Any, Any]], of: Struct, wording: Wording
) -> Iterator[str]:
    """Every table with its question, its facts and its rows; limits are fields of ``of``."""
    yield (
        "Every table as it is evaluated: the facts it reads and nothing else, and its rows in the"
        " order in which they are tried, each with its sentence and, under *exactly*, the"
        " comparisons that are made. A fact that is unknown is on no side of a limit and is none"
        " of the names asked for. `cds-service evaluate --explain` shows for a child which rows"
        " fired, and what was seen."
    )
    before = ""
    for table in tables:
        if table.words.title != before:
            yield ""
            yield f"### Table {table.words.title}"
        yield ""
        yield from _decision_table(table, of, wording)
        before = table.words.title


def _decision_table(table: Table[Any, Any], of: Struct, wording: Wording) -> Iterator[str]:
    words = table.words
    yield f"**{words.question}** {how_tried(first=table.first)}"
    yield ""
    known = []
    for fact, text in words.facts.items():
        kind = _kind(fact, table)
        without = words.absent.get(fact, "unknown") if kind.optional else "–"
        known.append((text, f"`{fact}`", kind.text, without))
    yield from grid(("fact", "name", "is", "without it"), known)
    yield ""
    rows = []
    for name, said in words.rows.items():
        asked = [condition_of(row) for row in table.rows if row.rule == name]
        exactly = logic(AnyOf(tuple(asked)) if len(asked) > 1 else asked[0], table, of)
        rule = Rule(words.title, said.condition, said.result, said.source)
        rows.append(rule_row(name, rule, wording, exactly))
    yield from grid(("rule", "condition", "exactly", "result", "authority"), rows)


def how_tried(*, first: bool) -> str:
    if first:
        return "The rows are tried from the top, and the first that fits answers."
    return "Every row is asked, and each that fits answers."


def rule_row(name: str, rule: Rule, wording: Wording, *exactly: str) -> tuple[str, ...]:
    """A rule as a row of a grid, what is ``exactly`` compared after its condition."""
    anchor = f'<a id="{slug(name)}"></a>{name}'
    return anchor, rule.condition, *exactly, rule.result, authority(rule.source, wording)


def logic(condition: Condition, table: Table[Any, Any], of: Struct, within: str = "") -> str:
    """The comparisons of a condition, each number a link to its limit in ``of``.

    ``within`` is the word that joins it to others: what is joined by another is in brackets.
    """
    if isinstance(condition, AllOf | AnyOf):
        joint = "and" if isinstance(condition, AllOf) else "or"
        parts = [logic(one, table, of, joint) for one in condition.conditions]
        joined = f" **{joint}** ".join(parts)
        return f"({joined})" if within not in ("", joint) else joined
    if isinstance(condition, Not):
        if isinstance(condition.condition, Unknown):
            fact = condition.condition.fact
            known = "some" if fact in table.words.absent else "known"
            return f"*{table.words.facts[fact]}*: {known}"
        return f"**not** ({logic(condition.condition, table, of)})"
    return _comparison(condition, table, of)


def _comparison(condition: Condition, table: Table[Any, Any], of: Struct) -> str:
    facts = table.words.facts
    match condition:
        case Meets(fact=fact, limit=limit, side=side):
            name = name_of(limit, of)
            number = f"[{limit}](#limit-{slug(name)})" if name else str(limit)
            return f"*{facts[fact]}* {_side(side)} {number}"
        case IsOneOf(fact=fact, names=names):
            return f"*{facts[fact]}*: {listed(names)}"
        case Includes(fact=fact, names=names):
            return f"*{facts[fact]}* include {listed(names)}"
        case Holds(fact=fact, negated=negated):
            yes, no = ("yes", "no") if _kind(fact, table).yes_or_no else ("some", "none")
            return f"*{facts[fact]}*: {no if negated else yes}"
        case Unknown(fact=fact):
            return f"*{facts[fact]}*: {table.words.absent.get(fact, 'unknown')}"
        case Named(name=name):
            return f"*{facts[name]}*: yes"
        case Otherwise():
            return "whatever is left"
    raise TypeError(f"{condition!r} has no words")


class _Kind(NamedTuple):
    """What a fact can be, in words, and whether it can be ``None``."""

    text: str
    optional: bool = False
    yes_or_no: bool = False


def _kind(fact: str, table: Table[Any, Any]) -> _Kind:
    parts = [part for row in table.rows for part in condition_of(row).parts()]
    function = next((one for one in parts if isinstance(one, Named) and one.name == fact), None)
    if function is not None:
        told = plain((function.function.__doc__ or "").partition("\n\n")[0])
        return _Kind(f"yes or no. {told}".strip(), yes_or_no=True)
    units = dict.fromkeys(
        part.limit.unit for part in parts if isinstance(part, Meets) and part.fact == fact
    )
    return _kind_of_field(fact, table.facts, ", ".join(units))


def _kind_of_field(fact: str, facts: type[Struct], unit: str) -> _Kind:
    info = cast(inspect.StructType, inspect.type_info(facts))
    given = next(field.type for field in info.fields if field.name == fact)
    kinds = given.types if isinstance(given, inspect.UnionType) else (given,)
    known = [kind for kind in kinds if not isinstance(kind, inspect.NoneType)]
    return _Kind(
        " or ".join(dict.fromkeys(_kind_in_words(kind, unit) for kind in known)),
        optional=len(known) < len(kinds),
        yes_or_no=any(isinstance(kind, inspect.BoolType) for kind in known),
    )


def _kind_in_words(kind: inspect.Type, unit: str) -> str:
    match kind:
        case inspect.BoolType():
            return "yes or no"
        case inspect.IntType() | inspect.DecimalType() | inspect.FloatType():
            return f"a number, {unit}" if unit else "a number"
        case inspect.LiteralType(values=values):
            return listed(values)
        case inspect.EnumType(cls=members):
            return listed(members)
        case inspect.DateType():
            return "a day"
        case inspect.StrType():
            return "a name"
    return "names"


# --- codes --------------------------------------------------------------------------------------


def code_lists(codes: Struct, folder: Path) -> Iterator[str]:
    """Every code list, fields of ``codes``; ``folder`` has them as files, and their sources."""
    purposes = read_toml(folder / "SOURCES.toml")["lists"]
    lists: list[CodeList] = [one for _, one in fields(codes)]
    rows = [row for one in lists for row in one.codes]
    verified = sum(row.verified for row in rows)
    yield (
        f"{len(lists)} lists with {len(rows)} codes: {verified} verified, which decide, and"
        f" {len(rows) - verified} unverified, which are only named to people. A `*` stands for"
        " every code that begins so. What proves each code stands in `codes/` beside the data; a"
        " site should compare every list with its own terminology server."
    )
    for one in lists:
        count = sum(row.verified for row in one.codes)
        about = purposes[one.name]
        within = about.get("within")
        yield ""
        yield f'### <a id="list-{slug(one.name)}"></a>`{one.name}`'
        yield ""
        part = f" Part of [`{within}`](#list-{slug(within)})." if within else ""
        yield f"{about['purpose']}{part} {count} verified, {len(one.codes) - count} unverified."
        yield ""
        yield from grid(
            ("system", "code", "display", "verified"),
            [
                (
                    SYSTEMS.get(row.system, row.system),
                    f"`{row.code}`",
                    row.display,
                    "yes" if row.verified else "**no**",
                )
                for row in one.codes
            ],
        )


def bibliography(wording: Wording) -> Iterator[str]:
    yield (
        "What each source says, in this project's words, and how sure the reading is: high, the"
        " text itself was read; medium, in part or through another publication; low, known by its"
        " title or a remark only."
    )
    for name, one in wording.sources.items():
        address = f" <{one.url}>" if one.url else ""
        yield ""
        yield f'- <a id="{slug(name)}"></a>**{name}** {one.citation}.{address}'
        yield f"  *{one.finding}* Confidence: {one.confidence}."


# --- pieces -------------------------------------------------------------------------------------


def fields(of: Struct) -> Iterator[tuple[str, Any]]:
    return ((name, getattr(of, name)) for name in of.__struct_fields__)


def grid(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A Markdown table."""
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


def plain(text: str) -> str:
    return " ".join(text.split())


def slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _side(side: Side) -> str:
    return side.replace("_", " ")


def authority(source: str, wording: Wording) -> str:
    """Whose choice it is, and what it rests on, with links."""
    for kind in ("policy", "local"):
        if source.startswith(f"{kind}:"):
            return f"*{kind}*: {source.partition(':')[2].strip()}"
    parts = re.split(r",\s*", source)
    if not all(_target(part, wording) or re.fullmatch(r"C-\d+", part) for part in parts):
        return source  # a constant of nature names what it is of
    published = [part for part in parts if part in wording.sources]
    others = [part for part in parts if part not in published]
    said = []
    if published:
        said.append(f"*published*: {', '.join(cited(part, wording) for part in published)}")
    if others:
        said.append(f"*guideline*: {', '.join(cited(part, wording) for part in others)}")
    return "; ".join(said)


def _target(name: str, wording: Wording) -> bool:
    return name in wording.sources or name in wording.statements or name in wording.rules


def cited(name: str, wording: Wording) -> str:
    """A source, statement or rule as a link to where it is on the page."""
    return f"[{name}](#{slug(name)})" if _target(name, wording) else name


def codings(codes: Iterable[Code]) -> str:
    listed = [f"{SYSTEMS.get(one.system, one.system)} `{one.code}` {one.display}" for one in codes]
    return "<br>".join(one.strip() for one in listed) or "–"
