"""How a conclusion was reached, in words: what was known, then every row of every table.

A guideline names its own `Fact`s; what became of its rules is read from the tables themselves and
from what was asked of them (`Reasoning.matches`). `table_accounts` gives it as data for a page to
show, `written` the whole account as plain text; both in the language of the person who reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import Enum
from textwrap import fill
from typing import Any, Literal, NamedTuple

from msgspec import Struct, structs

from cds_service.guidelines.engine import Limit, Side
from cds_service.guidelines.tables import Match, Seen, State, Table, TableWords
from cds_service.language import Language, Listed, Message, Value, Words, say
from cds_service.language.house import Reasoning as Told

_WIDTH = 100


class Fact(Struct, frozen=True, omit_defaults=True):
    """One thing that was known, or not, in a sentence.

    A measured one also in parts: ``value`` as it was compared, ``sent`` as it came when that
    differs, ``day`` and ``source`` (its address in the record). In an `Account` all is worded.
    """

    name: Words
    text: Value
    value: Value = ""
    sent: str = ""
    day: Value = ""
    source: str = ""


class Comparison(Struct, frozen=True, omit_defaults=True):
    """What a rule saw, in words: "level", "99", "below 100 pg/mL"; whether against a ``limit``."""

    fact: str
    value: str
    compared: str = ""
    limit: bool = False


class RowAccount(Struct, frozen=True, omit_defaults=True):
    """One rule of a table: what became of it, and ``why``, in words for a reader; ``seen`` has the
    parts of it."""

    rule: str
    state: Literal["fired", "no", "not reached", "not asked"]
    condition: str
    result: str
    authority: str
    why: tuple[str, ...] = ()
    seen: tuple[Comparison, ...] = ()


class TableAccount(Struct, frozen=True, rename="camel"):
    """A table's rows in the order in which they are tried."""

    name: str
    question: str
    first_match: bool
    rows: tuple[RowAccount, ...]


class Account(Struct, frozen=True):
    """What was known, and every rule of the guideline: fired, not, or not asked, and why."""

    facts: tuple[Fact, ...]
    tables: tuple[TableAccount, ...]


# --- what was seen --------------------------------------------------------------------------------


def worded(facts: Iterable[Fact], language: Language) -> tuple[Fact, ...]:
    """The facts with all they say in words."""
    return tuple(
        [
            structs.replace(
                one,
                name=language.text(one.name),
                text=language.text(one.text),
                value=language.text(one.value),
                day=language.text(one.day),
            )
            for one in facts
        ]
    )


def comparisons(
    seen: Iterable[Seen], words: TableWords, language: Language
) -> tuple[Comparison, ...]:
    """Each thing that was seen, by the name of its fact."""
    return tuple(
        [
            Comparison(
                words.facts[one.fact],
                shown(one.value, language, words.absent.get(one.fact, "")),
                language.fill(compared) if compared is not None else "",
                isinstance(one.against, Limit) and one.value is not None,
            )
            for one in seen
            for compared in (_compared(one, language),)
        ]
    )


def in_words(seen: Iterable[Comparison], language: Language) -> str:
    """What was seen, for a reader: each fact by its name, its value, and how that compares.

    "days since the sample: 5 (at most 180 d); level: adequate (not deficient)"
    """
    remarks: dict[tuple[str, str], list[str]] = {}
    for one in seen:
        said = [one.compared] if one.compared else []
        remarks.setdefault((one.fact, one.value), []).extend(said)
    told = [
        say(Told.compared, fact=fact, value=value, compared=Listed(tuple(dict.fromkeys(compared))))
        if compared
        else say(Told.fact, fact=fact, value=value)
        for (fact, value), compared in remarks.items()
    ]
    return language.text(Listed(tuple(told), "semicolon"))


def _compared(one: Seen, language: Language) -> Message | None:
    """How a known value compares; a name that is the one asked for goes without saying."""
    if one.value is None or one.against is None:
        return None
    if isinstance(one.against, Limit):
        limit = str(one.against)
        compared = on_side(one.against.side, limit)
        return compared if one.holds else _off_side(one.against.side, limit)
    return None if one.holds else say(Told.other_than, names=listed(one.against, language))


def on_side(side: Side, limit: str) -> Message:
    """On this side of a limit: "at most 180 d"."""
    match side:
        case "below":
            return say(Told.below, limit=limit)
        case "at_most":
            return say(Told.at_most, limit=limit)
        case "at_least":
            return say(Told.at_least, limit=limit)
        case "above":
            return say(Told.above, limit=limit)


def _off_side(side: Side, limit: str) -> Message:
    match side:
        case "below":
            return say(Told.not_below, limit=limit)
        case "at_most":
            return say(Told.not_at_most, limit=limit)
        case "at_least":
            return say(Told.not_at_least, limit=limit)
        case "above":
            return say(Told.not_above, limit=limit)


def listed(names: Iterable[object], language: Language) -> str:
    """Names as alternatives: "borderline, low or adequate"."""
    *most, last = [shown(one, language) for one in names]
    if not most:
        return last
    return language.fill(say(Told.alternatives, most=Listed(tuple(most)), last=last))


def shown(value: object, language: Language, absent: str = "") -> str:
    """A fact's value for a reader; ``absent`` where it is ``None`` and that is not "unknown"."""
    if value is None:
        return absent or language.fill(say(Told.unknown))
    if isinstance(value, bool):
        return language.fill(say(Told.yes if value else Told.no))
    if isinstance(value, Enum):
        return shown(value.value, language)
    if isinstance(value, tuple | list | frozenset | set):
        items: tuple[Value, ...] = tuple([shown(one, language) for one in value])
        return language.text(Listed(items)) or language.fill(say(Told.none))
    return language.text(value) or language.fill(say(Told.none))


# --- what became of the rules ---------------------------------------------------------------------


class Asking(NamedTuple):
    """What became of a rule one time that its table was asked."""

    state: State
    why: str
    about: str = ""
    seen: tuple[Comparison, ...] = ()


#: Every asking of every rule, by its id.
Asked = dict[str, list[Asking]]


def asked_of(matches: Iterable[Match[Any, Any]], language: Language) -> Asked:
    """What was asked in one evaluation, and why each rule answered as it did."""
    asked: Asked = {}
    for match in matches:
        words = match.table.words
        for row, state, seen in match.rows():
            parts: tuple[Comparison, ...] = ()
            if state == "not reached":
                why = language.fill(say(Told.answered, rule=match.rule))
            else:
                parts = comparisons(seen, words, language)
                why = in_words(parts, language)
            asked.setdefault(row.rule, []).append(Asking(state, why, match.about, parts))
    return asked


def table_accounts(
    tables: Iterable[Table[Any, Any]],
    asked: Asked,
    why_not: Callable[[str], Words],
    language: Language,
) -> Iterator[TableAccount]:
    """What became of every row of every table.

    ``why_not`` says why nothing was asked of the tables of this title; where it returns "", and
    for single rows and for one of several tables of a title, the table's own words do.
    """
    tables = tuple(tables)
    spoken = {one.words.title for one in tables if any(rule in asked for rule in one.words.rows)}
    for table in tables:
        title = table.words.title
        unasked = "" if title in spoken else why_not(title)
        unasked = unasked or table.words.unasked or say(Told.unasked)
        yield _table_account(table, asked, language.text(unasked), language)


def _table_account(
    table: Table[Any, Any], asked: Asked, unasked: str, language: Language
) -> TableAccount:
    words = table.words
    rows = []
    for rule, said in words.rows.items():
        askings = asked.get(rule, ())
        state, why = became_of(askings, unasked, language)
        parts = [part for one in askings if one.state == state for part in one.seen]
        seen = tuple(dict.fromkeys(parts))
        rows.append(RowAccount(rule, state, said.condition, said.result, said.source, why, seen))
    return TableAccount(words.title, words.question, table.first, tuple(rows))


def became_of(
    askings: Sequence[Asking], unasked: str, language: Language
) -> tuple[Literal["fired", "no", "not reached", "not asked"], tuple[str, ...]]:
    """What became of a rule in all, and the reasons, a line each.

    A rule that fired once has fired; the things it did not fire for are then named as well.
    """
    if not askings:
        return "not asked", (unasked,)
    states: tuple[State, ...] = ("fired", "no", "not reached")
    state = next(one for one in states if any(asking.state == one for asking in askings))
    lines = dict.fromkeys(_lines([one for one in askings if one.state == state], language))
    if state == "fired":
        fired = {one.about for one in askings if one.state == "fired"} | {""}
        others = [one for one in askings if one.state == "no" and one.about not in fired]
        lines |= dict.fromkeys(
            language.fill(say(Told.not_so, line=line)) for line in _lines(others, language)
        )
    return state, tuple(lines)


def _lines(askings: Iterable[Asking], language: Language) -> Iterator[str]:
    """What was seen, after the names of all the things of which it was seen."""
    found: dict[str, dict[str, None]] = {}
    for one in askings:
        found.setdefault(one.why, {})[one.about] = None
    for why, about in found.items():
        things = language.text(Listed(tuple(filter(None, about))))
        if things and why:
            yield language.fill(say(Told.of_things, things=things, why=why))
        elif things or why:
            yield things or why


# --- as plain text --------------------------------------------------------------------------------


def written(account: Account, language: Language) -> str:
    """The account as plain text of at most 100 columns."""
    lines, before = [language.fill(say(Told.known))], ""
    for fact in account.facts:
        name, text = language.text(fact.name), language.text(fact.text)
        label = f"{name}:" if name and name != before else ""
        lines.append(_filled(f"  {label:<15}", text, 17))
        before = name
    tables = [_table_written(one, language) for one in account.tables]
    return "\n\n".join(["\n".join(lines), *tables])


def _table_written(table: TableAccount, language: Language) -> str:
    name, question = table.name, table.question
    head = say(Told.table, name=name)
    if table.first_match:
        head = say(Told.table_first, name=name, question=question)
    elif question:
        head = say(Told.table_every, name=name, question=question)
    lines = [_filled("", language.fill(head), 2)]
    skipped: dict[tuple[str, str], list[str]] = {}
    for row in table.rows:
        if row.state == "fired":
            lines += _fired(row, language)
        elif row.state == "no":
            label, text = language.fill(say(Told.not_fired)), row.condition
            if row.why:
                seen = Listed(row.why, "semicolon")
                text = language.fill(say(Told.row_seen, condition=row.condition, seen=seen))
            lines.append(_filled(f"  {label:<6} {row.rule:<9}", text, 18))
        else:
            why = language.text(Listed(row.why, "semicolon"))
            skipped.setdefault((row.state, why), []).append(row.rule)
    for (state, why), rules in sorted(skipped.items(), reverse=True):
        names = Listed(tuple(rules))
        left = say(
            Told.not_reached if state == "not reached" else Told.not_asked, rules=names, why=why
        )
        lines.append(_filled("  ", language.fill(left), 4))
    return "\n".join(lines)


def _fired(row: RowAccount, language: Language) -> Iterator[str]:
    label, indent = language.fill(say(Told.fired)), " " * 18
    seen, so = language.fill(say(Told.seen)), language.fill(say(Told.so))
    yield _filled(f"  {label:<6} {row.rule:<9}", row.condition, 18)
    for text in row.why:
        yield _filled(f"{indent}{seen:<5} ", text, 24)
    yield _filled(f"{indent}{so:<5} ", row.result, 24)


def _filled(first: str, text: str, indent: int) -> str:
    return fill(
        text, _WIDTH, initial_indent=first, subsequent_indent=" " * indent, break_on_hyphens=False
    )
