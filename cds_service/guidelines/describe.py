"""A guideline as a page to read, in Markdown: everything in its data, and every table as it is
tried.

`page` puts sections together; a guideline chooses them, and writes those that are its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_origin, get_type_hints

from msgspec import Struct, inspect

from cds_service.clinical import Code, Importance, Need
from cds_service.guidelines.codelists import CodeList
from cds_service.guidelines.engine import CardText, Rule, Wording, read_toml
from cds_service.guidelines.explain import listed, on_side
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
from cds_service.language import Amount, Language, Listed, Message, Words, say
from cds_service.language.house import Described, Reasoning

Section = tuple[Words, Iterator[str]]

#: The names people use for code systems, in the order in which a row lists them.
SYSTEMS = {
    "http://snomed.info/sct": "SNOMED CT",
    "http://loinc.org": "LOINC",
    "http://www.nlm.nih.gov/research/umls/rxnorm": "RxNorm",
    "http://hl7.org/fhir/sid/icd-10-cm": "ICD-10-CM",
    "http://hl7.org/fhir/sid/icd-10": "ICD-10",
    "http://fhir.de/CodeSystem/bfarm/icd-10-gm": "ICD-10-GM",
    "http://www.whocc.no/atc": "ATC",
    "http://npu-terminology.org": "NPU",
    "http://medis.or.jp/CodeSystem/master-JLAC10-17digits": "JLAC10",
    "http://standardterms.edqm.eu": "EDQM",
    "urn:oid:2.16.840.1.113883.2.4.4.9": "G-Standaard",
    "http://terminology.hl7.org/CodeSystem/diet": "FHIR diet",
    "http://hl7.org/fhir/diet": "FHIR diet (STU3)",
    "http://terminology.hl7.org/CodeSystem/v3-RouteOfAdministration": "HL7 v3 route",
}

_IMPORTANCE: Mapping[Importance, Message] = {
    "indispensable": say(Described.indispensable),
    "required": say(Described.required),
    "optional": say(Described.optional),
    "welcome": say(Described.welcome),
}
_CONFIDENCE: Mapping[str, Message] = {
    "high": say(Described.high),
    "medium": say(Described.medium),
    "low": say(Described.low),
}
_WITHOUT: Mapping[Importance, Message] = {
    "indispensable": say(Described.without_indispensable),
    "required": say(Described.without_required),
    "optional": say(Described.without_optional),
    "welcome": say(Described.without_welcome),
}


def page(opening: Iterable[str], sections: Sequence[Section], language: Language) -> str:
    """The page: what it opens with, its contents, its sections."""
    titled = [(language.text(title), body) for title, body in sections]
    contents = " · ".join(_heading(title) for title, _ in titled)
    lines = [*opening, "", language.fill(say(Described.contents, titles=contents)), ""]
    for title, body in titled:
        lines += [f"## {title}", "", *body, ""]
    return "\n".join(lines).rstrip() + "\n"


def _heading(title: str) -> str:
    return f"[{title}](#{title.lower().replace(' ', '-')})"


# --- what it needs ------------------------------------------------------------------------------


def needs(
    wanted: Iterable[Need], prefetch_template: Callable[[Need], str], language: Language
) -> Iterator[str]:
    wanted = tuple(wanted)
    yield language.fill(say(Described.needs))
    yield ""
    rows = [
        (
            f"`{need.key}`",
            need.kind,
            need.name,
            language.fill(_IMPORTANCE[need.importance]),
            language.fill(_WITHOUT[need.importance]),
        )
        for need in wanted
    ]
    head = (
        say(Described.key),
        say(Described.resource),
        say(Described.what_for),
        say(Described.importance),
        say(Described.without),
    )
    yield from grid(head, rows, language)
    yield ""
    yield language.fill(say(Described.templates))
    yield ""
    yield "```text"
    yield from (f"{need.key}: {prefetch_template(need)}" for need in wanted)
    yield "```"


# --- numbers ------------------------------------------------------------------------------------


def limits(of: Struct, constants: Struct, wording: Wording, language: Language) -> Iterator[str]:
    """Every limit and every constant, fields of ``of`` and ``constants``."""
    yield language.fill(say(Described.limits))
    yield ""
    rows = []
    for name, limit in fields(of):
        rows.append(
            (
                f'<a id="limit-{slug(name)}"></a>`{name}`',
                language.fill(on_side(limit.side, str(limit))),
                limit.means,
                authority(limit.source, wording, language),
            )
        )
    rests = say(Described.authority)
    head = (say(Described.limit), say(Described.holds), say(Described.means), rests)
    yield from grid(head, rows, language)
    yield ""
    fixed = [
        (
            f"`{name}`",
            language.text(Amount(one.value, one.unit)),
            authority(one.source, wording, language),
        )
        for name, one in fields(constants)
    ]
    yield from grid((say(Described.constant), say(Described.value), rests), fixed, language)


# --- what it says -------------------------------------------------------------------------------


def cards(names: Iterable[str], wording: Wording, language: Language) -> Iterator[str]:
    """The cards of these names that the guideline has, in this order."""
    yield language.fill(say(Described.cards))
    for name in names:
        if name in wording.cards:
            yield ""
            yield from _card(name, wording.cards[name], wording, language)


def _card(name: str, card: CardText, wording: Wording, language: Language) -> Iterator[str]:
    yield f'### <a id="{name}"></a>{language.fill(say(Described.card, name=name))}'
    yield ""
    rule = cited(name.partition(".")[0], wording)
    indicator, summary = card.indicator, plain(card.summary)
    yield language.fill(
        say(Described.card_of_rule, rule=rule, indicator=indicator, summary=summary)
    )
    yield ""
    said = [plain(card.advice)] if card.advice else []
    if card.why:
        said.append(language.fill(say(Described.why, reason=plain(card.why))))
    if said:
        yield "> " + "\n>\n> ".join(said)
        yield ""
    row = wording.rules[name.partition(".")[0]]
    yield language.fill(say(Described.holds_when, when=row.condition, then=row.result))
    if card.more:
        yield ""
        yield plain(card.more)
    if card.statement:
        yield ""
        quoted = wording.statements[card.statement].text
        yield language.fill(say(Described.guideline_says, text=quoted))
    rests: list[Words] = []
    if card.statement:
        rests.append(say(Described.statement_cited, statement=cited(card.statement, wording)))
    if card.evidence:
        sources = Listed(tuple(cited(one, wording) for one in card.evidence))
        rests.append(say(Described.evidence_cited, sources=sources))
    rests += [f"[{wording.links[one].label}]({wording.links[one].url})" for one in card.links]
    if rests:
        yield ""
        yield language.fill(say(Described.rests_on, what=Listed(tuple(rests), "semicolon")))


def texts(of: Struct, wording: Wording, language: Language) -> Iterator[str]:
    """The sentences that are fields of ``of``, and the override reasons."""
    yield language.fill(say(Described.texts))
    yield ""
    rows = [(f'<a id="text-{slug(name)}"></a>`{name}`', plain(text)) for name, text in fields(of)]
    yield from grid((say(Described.text), say(Described.says)), rows, language)
    yield ""
    yield language.fill(say(Described.reasons))
    yield ""
    reasons = [(f"`{one.code}`", one.display) for one in wording.override_reasons]
    yield from grid((say(Described.code), say(Described.reason)), reasons, language)


def statements(wording: Wording, language: Language) -> Iterator[str]:
    yield language.fill(say(Described.statements))
    yield ""
    rows = [
        (
            f'<a id="{slug(name)}"></a>{name}',
            one.text,
            one.category,
            language.text(Listed(tuple(_server(server, wording) for server in one.served_by)))
            or one.not_clinical,
        )
        for name, one in wording.statements.items()
    ]
    head = (
        say(Described.statement),
        say(Described.text),
        say(Described.kind),
        say(Described.served_by),
    )
    yield from grid(head, rows, language)


def _server(name: str, wording: Wording) -> Words:
    kind, _, what = name.partition(":")
    if kind == "text":
        return say(Described.served_by_text, name=f"[`{what}`](#text-{slug(what)})")
    if kind == "later":
        return say(Described.to_come, what=what)
    return cited(name, wording)


# --- decision tables ------------------------------------------------------------------------------


def decision_tables(
    tables: Iterable[Table[Any, Any]], of: Struct, wording: Wording, language: Language
) -> Iterator[str]:
    """Every table with its question, its facts and its rows; limits are fields of ``of``."""
    yield language.fill(say(Described.tables))
    before = ""
    for table in tables:
        if table.words.title != before:
            yield ""
            yield f"### {language.fill(say(Described.table, name=table.words.title))}"
        yield ""
        yield from _decision_table(table, of, wording, language)
        before = table.words.title


def _decision_table(
    table: Table[Any, Any], of: Struct, wording: Wording, language: Language
) -> Iterator[str]:
    words, unknown = table.words, language.fill(say(Reasoning.unknown))
    yield f"**{words.question}** {language.fill(how_tried(first=table.first))}"
    yield ""
    known = []
    for fact, text in words.facts.items():
        kind = _kind(fact, table, language)
        without = words.absent.get(fact, unknown) if kind.optional else "–"
        known.append((text, f"`{fact}`", language.text(kind.text), without))
    head = (
        say(Described.fact),
        say(Described.name),
        say(Described.is_a),
        say(Described.without),
    )
    yield from grid(head, known, language)
    yield ""
    rows = []
    for name, said in words.rows.items():
        asked = [condition_of(row) for row in table.rows if row.rule == name]
        condition = AnyOf(tuple(asked)) if len(asked) > 1 else asked[0]
        exactly = language.text(logic(condition, table, of, language))
        rule = Rule(words.title, said.condition, said.result, said.source)
        rows.append(rule_row(name, rule, wording, language, exactly))
    tried = (
        say(Described.rule),
        say(Described.condition),
        say(Described.exactly),
        say(Described.result),
        say(Described.authority),
    )
    yield from grid(tried, rows, language)


def how_tried(*, first: bool) -> Message:
    return say(Described.first_answers if first else Described.every_answers)


def rule_row(
    name: str, rule: Rule, wording: Wording, language: Language, *exactly: str
) -> tuple[str, ...]:
    """A rule as a row of a grid, what is ``exactly`` compared after its condition."""
    anchor = f'<a id="{slug(name)}"></a>{name}'
    return anchor, rule.condition, *exactly, rule.result, authority(rule.source, wording, language)


def logic(
    condition: Condition,
    table: Table[Any, Any],
    of: Struct,
    language: Language,
    within: type[AllOf | AnyOf] | None = None,
) -> Words:
    """The comparisons of a condition, each number a link to its limit in ``of``.

    ``within`` is what joins it to others: what is joined otherwise is in brackets.
    """
    if isinstance(condition, AllOf | AnyOf):
        kind = type(condition)
        joint = language.fill(
            say(Described.both if isinstance(condition, AllOf) else Described.either)
        )
        parts = [logic(one, table, of, language, kind) for one in condition.conditions]
        joined = f" {joint} ".join(map(language.text, parts))
        return f"({joined})" if within not in (None, kind) else joined
    if isinstance(condition, Not):
        if isinstance(condition.condition, Unknown):
            fact = condition.condition.fact
            known = say(Described.some if fact in table.words.absent else Described.known)
            return say(Described.fact_is, fact=table.words.facts[fact], value=known)
        return say(Described.negated, condition=logic(condition.condition, table, of, language))
    return _comparison(condition, table, of, language)


def _comparison(
    condition: Condition, table: Table[Any, Any], of: Struct, language: Language
) -> Message:
    facts = table.words.facts
    match condition:
        case Meets(fact=fact, limit=limit, side=side):
            name = name_of(limit, of)
            number = f"[{limit}](#limit-{slug(name)})" if name else str(limit)
            return say(Described.fact_compared, fact=facts[fact], compared=on_side(side, number))
        case IsOneOf(fact=fact, names=names):
            return say(Described.fact_is, fact=facts[fact], value=listed(names, language))
        case Includes(fact=fact, names=names):
            return say(Described.fact_includes, fact=facts[fact], names=listed(names, language))
        case Holds(fact=fact, negated=negated):
            if _kind(fact, table, language).yes_or_no:
                held = say(Reasoning.no if negated else Reasoning.yes)
            else:
                held = say(Reasoning.none if negated else Described.some)
            return say(Described.fact_is, fact=facts[fact], value=held)
        case Unknown(fact=fact):
            absent = table.words.absent.get(fact) or say(Reasoning.unknown)
            return say(Described.fact_is, fact=facts[fact], value=absent)
        case Named(name=name):
            return say(Described.fact_is, fact=facts[name], value=say(Reasoning.yes))
        case Otherwise():
            return say(Described.otherwise)
    raise TypeError(f"{condition!r} has no words")


class _Kind(NamedTuple):
    """What a fact can be, in words, and whether it can be ``None``."""

    text: Words
    optional: bool = False
    yes_or_no: bool = False


def _kind(fact: str, table: Table[Any, Any], language: Language) -> _Kind:
    parts = [part for row in table.rows for part in condition_of(row).parts()]
    function = next((one for one in parts if isinstance(one, Named) and one.name == fact), None)
    if function is not None:
        told = plain((function.function.__doc__ or "").partition("\n\n")[0])
        kind = say(Described.yes_or_no_told, told=told) if told else say(Described.yes_or_no_named)
        return _Kind(kind, yes_or_no=True)
    units = dict.fromkeys(
        part.limit.unit for part in parts if isinstance(part, Meets) and part.fact == fact
    )
    return _kind_of_field(fact, table.facts, tuple(units), language)


def _kind_of_field(
    fact: str, facts: type[Struct], units: tuple[str, ...], language: Language
) -> _Kind:
    hint = get_type_hints(facts)[fact]
    if get_origin(hint) is tuple:  # of whatever: a list of names for a reader
        return _Kind(language.text(say(Described.names)))
    given = inspect.type_info(hint)
    kinds = given.types if isinstance(given, inspect.UnionType) else (given,)
    known = [kind for kind in kinds if not isinstance(kind, inspect.NoneType)]
    words = dict.fromkeys(language.text(_kind_in_words(kind, units, language)) for kind in known)
    return _Kind(
        listed(words, language),
        optional=len(known) < len(kinds),
        yes_or_no=any(isinstance(kind, inspect.BoolType) for kind in known),
    )


def _kind_in_words(kind: inspect.Type, units: tuple[str, ...], language: Language) -> Words:
    match kind:
        case inspect.BoolType():
            return say(Described.yes_or_no)
        case inspect.IntType() | inspect.DecimalType() | inspect.FloatType():
            unit = Listed(units)
            return say(Described.number_of, unit=unit) if units else say(Described.number)
        case inspect.LiteralType(values=values):
            return listed(values, language)
        case inspect.EnumType(cls=members):
            return listed(members, language)
        case inspect.DateType():
            return say(Described.day)
        case inspect.StrType():
            return say(Described.a_name)
    return say(Described.names)


# --- codes --------------------------------------------------------------------------------------


def code_lists(codes: Struct, folder: Path, language: Language) -> Iterator[str]:
    """Every code list, fields of ``codes``; ``folder`` has them as files, and their sources."""
    purposes = read_toml(folder / "SOURCES.toml")["lists"]
    lists: list[CodeList] = [one for _, one in fields(codes)]
    rows = [row for one in lists for row in one.codes]
    verified = sum(row.verified for row in rows)
    yield language.fill(
        say(
            Described.code_lists,
            lists=len(lists),
            codes=len(rows),
            verified=verified,
            unverified=len(rows) - verified,
        )
    )
    head = (
        say(Described.system),
        say(Described.code),
        say(Described.display),
        say(Described.verified),
    )
    yes, no = language.fill(say(Reasoning.yes)), language.fill(say(Described.not_verified))
    for one in lists:
        count = sum(row.verified for row in one.codes)
        about = purposes[one.name]
        within = about.get("within")
        yield ""
        yield f'### <a id="list-{slug(one.name)}"></a>`{one.name}`'
        yield ""
        others = len(one.codes) - count
        if within:
            part = f"[`{within}`](#list-{slug(within)})"
            told = say(
                Described.code_list_within,
                purpose=about["purpose"], whole=part, verified=count, unverified=others,
            )  # fmt: skip
        else:
            told = say(
                Described.code_list, purpose=about["purpose"], verified=count, unverified=others
            )
        yield language.fill(told)
        yield ""
        listing = [
            (
                SYSTEMS.get(row.system, row.system),
                f"`{row.code}`",
                row.display,
                yes if row.verified else no,
            )
            for row in one.codes
        ]
        yield from grid(head, listing, language)


def bibliography(wording: Wording, language: Language) -> Iterator[str]:
    yield language.fill(say(Described.bibliography))
    for name, one in wording.sources.items():
        address = f" <{one.url}>" if one.url else ""
        yield ""
        yield f'- <a id="{slug(name)}"></a>**{name}** {one.citation}.{address}'
        confidence = _CONFIDENCE[one.confidence]
        found = say(Described.finding, finding=one.finding, confidence=confidence)
        yield f"  {language.fill(found)}"


# --- pieces -------------------------------------------------------------------------------------


def fields(of: Struct) -> Iterator[tuple[str, Any]]:
    return ((name, getattr(of, name)) for name in of.__struct_fields__)


def grid(head: Sequence[Words], rows: Iterable[Sequence[str]], language: Language) -> Iterator[str]:
    """A Markdown table."""
    yield f"| {' | '.join(map(language.text, head))} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


def plain(text: str) -> str:
    return " ".join(text.split())


def slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def authority(source: str, wording: Wording, language: Language) -> str:
    """Whose choice it is, and what it rests on, with links."""
    kind, _, reason = source.partition(":")
    if kind in ("policy", "local"):
        choice = say(
            Described.policy if kind == "policy" else Described.local, reason=reason.strip()
        )
        return language.fill(choice)
    parts = re.split(r",\s*", source)
    if not all(_target(part, wording) or re.fullmatch(r"C-\d+", part) for part in parts):
        return source  # a constant of nature names what it is of
    published = [part for part in parts if part in wording.sources]
    others = [part for part in parts if part not in published]
    said = []
    if published:
        sources = Listed(tuple(cited(part, wording) for part in published))
        said.append(say(Described.published, sources=sources))
    if others:
        statements = Listed(tuple(cited(part, wording) for part in others))
        said.append(say(Described.guideline, statements=statements))
    return language.text(Listed(tuple(said), "semicolon"))


def _target(name: str, wording: Wording) -> bool:
    return name in wording.sources or name in wording.statements or name in wording.rules


def cited(name: str, wording: Wording) -> str:
    """A source, statement or rule as a link to where it is on the page."""
    return f"[{name}](#{slug(name)})" if _target(name, wording) else name


def codings(codes: Iterable[Code]) -> str:
    listed = [f"{SYSTEMS.get(one.system, one.system)} `{one.code}` {one.display}" for one in codes]
    return "<br>".join(one.strip() for one in listed) or "–"
