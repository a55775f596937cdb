"""How a conclusion was reached, in words: what was known, then every row of every table.

A guideline tells its own `Fact`s; what became of its rules is read from the tables themselves and
from what was asked of them (`Reasoning.matches`). `table_accounts` gives it as data for a page to
show, `written` the whole account as plain text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from enum import Enum
from textwrap import fill
from typing import Any, Literal, NamedTuple

from msgspec import Struct

from cds_service.guidelines.engine import Limit
from cds_service.guidelines.tables import Match, Seen, State, Table, TableWords

_WIDTH = 100


class Fact(Struct, frozen=True, omit_defaults=True):
    """One thing that was known, or not, in a sentence.

    A measured one also in parts: ``value`` as it was compared, ``sent`` as it came when that
    differs, ``day`` and ``source`` (its address in the record).
    """

    name: str
    text: str
    value: str = ""
    sent: str = ""
    day: str = ""
    source: str = ""


class RowAccount(Struct, frozen=True, omit_defaults=True):
    """One rule of a table: what became of it, and ``why``, in words for a reader."""

    rule: str
    state: Literal["fired", "no", "not reached", "not asked"]
    condition: str
    result: str
    authority: str
    why: tuple[str, ...] = ()


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


def in_words(seen: Iterable[Seen], words: TableWords) -> str:
    """What was seen, for a reader: each fact by its name, its value, and how that compares.

    "days since the sample: 5 (at most 180 d); level: adequate (not deficient)"
    """
    remarks: dict[str, list[str]] = {}
    for one in seen:
        absent = words.absent.get(one.fact, "unknown")
        told = f"{words.facts[one.fact]}: {shown(one.value, absent)}"
        remarks.setdefault(told, []).extend(_compared(one))
    return "; ".join(
        f"{told} ({', '.join(dict.fromkeys(compared))})" if compared else told
        for told, compared in remarks.items()
    )


def _compared(one: Seen) -> Iterator[str]:
    """How a known value compares; a name that is the one asked for goes without saying."""
    side = "" if one.holds else "not "
    if one.value is None or one.against is None:
        return
    if isinstance(one.against, Limit):
        yield f"{side}{one.against.side.replace('_', ' ')} {one.against}"
    elif side:
        yield f"{side}{listed(one.against)}"


def listed(names: Iterable[object]) -> str:
    """Names as alternatives: "borderline, low or adequate"."""
    *most, last = map(shown, names)
    return f"{', '.join(most)} or {last}" if most else last


def shown(value: object, absent: str = "unknown") -> str:
    """A fact's value for a reader; ``absent`` where it is ``None``."""
    if value is None:
        return absent
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, Enum):
        return shown(value.value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple | list | frozenset | set):
        return ", ".join(map(shown, value)) or "none"
    return str(value) or "none"


# --- what became of the rules ---------------------------------------------------------------------


class Asking(NamedTuple):
    """What became of a rule one time that its table was asked."""

    state: State
    why: str
    about: str = ""


#: Every asking of every rule, by its id.
Asked = dict[str, list[Asking]]


def asked_of(matches: Iterable[Match[Any, Any]]) -> Asked:
    """What was asked in one evaluation, and why each rule answered as it did."""
    asked: Asked = {}
    for match in matches:
        words = match.table.words
        for row, state, seen in match.rows():
            why = f"{match.rule} answered" if state == "not reached" else in_words(seen, words)
            asked.setdefault(row.rule, []).append(Asking(state, why, match.about))
    return asked


def table_accounts(
    tables: Iterable[Table[Any, Any]], asked: Asked, why_not: Callable[[str], str]
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
        yield _table_account(table, asked, unasked or table.words.unasked)


def _table_account(table: Table[Any, Any], asked: Asked, unasked: str) -> TableAccount:
    words = table.words
    rows = []
    for rule, said in words.rows.items():
        state, why = became_of(asked.get(rule, ()), unasked)
        rows.append(RowAccount(rule, state, said.condition, said.result, said.source, why))
    return TableAccount(words.title, words.question, table.first, tuple(rows))


def became_of(
    askings: Sequence[Asking], unasked: str
) -> tuple[Literal["fired", "no", "not reached", "not asked"], tuple[str, ...]]:
    """What became of a rule in all, and the reasons, a line each.

    A rule that fired once has fired; the things it did not fire for are then named as well.
    """
    if not askings:
        return "not asked", (unasked,)
    states: tuple[State, ...] = ("fired", "no", "not reached")
    state = next(one for one in states if any(asking.state == one for asking in askings))
    lines = dict.fromkeys(_lines(one for one in askings if one.state == state))
    if state == "fired":
        fired = {one.about for one in askings if one.state == "fired"} | {""}
        others = [one for one in askings if one.state == "no" and one.about not in fired]
        lines |= dict.fromkeys(f"not {line}" for line in _lines(others))
    return state, tuple(lines)


def _lines(askings: Iterable[Asking]) -> Iterator[str]:
    """What was seen, after the names of all the things of which it was seen."""
    found: dict[str, dict[str, None]] = {}
    for one in askings:
        found.setdefault(one.why, {})[one.about] = None
    for why, about in found.items():
        line = ": ".join(part for part in (", ".join(filter(None, about)), why) if part)
        if line:
            yield line


# --- as plain text --------------------------------------------------------------------------------


def written(account: Account) -> str:
    """The account as plain text of at most 100 columns."""
    lines, before = ["What is known"], ""
    for fact in account.facts:
        label = f"{fact.name}:" if fact.name and fact.name != before else ""
        lines.append(_filled(f"  {label:<15}", fact.text, 17))
        before = fact.name
    return "\n\n".join(["\n".join(lines), *map(_table_written, account.tables)])


def _table_written(table: TableAccount) -> str:
    how = "The first row that fits answers." if table.first_match else ""
    about = " ".join(filter(None, (table.question, how)))
    lines = [_filled("", f"Table {table.name}: {about}" if about else f"Table {table.name}", 2)]
    skipped: dict[tuple[str, str], list[str]] = {}
    for row in table.rows:
        if row.state == "fired":
            lines.append(_filled(f"  FIRED  {row.rule:<9}", row.condition, 18))
            lines += (_filled(" " * 18 + "seen: ", text, 24) for text in row.why)
            lines.append(_filled(" " * 18 + "so:   ", row.result, 24))
        elif row.state == "no":
            seen = f" Seen: {'; '.join(row.why)}" if row.why else ""
            lines.append(_filled(f"  no     {row.rule:<9}", f"{row.condition}{seen}", 18))
        else:
            skipped.setdefault((row.state, "; ".join(row.why)), []).append(row.rule)
    for (state, why), rules in sorted(skipped.items(), reverse=True):
        lines.append(_filled(f"  {state}: ", f"{', '.join(rules)} ({why})", 4))
    return "\n".join(lines)


def _filled(first: str, text: str, indent: int) -> str:
    return fill(
        text, _WIDTH, initial_indent=first, subsequent_indent=" " * indent, break_on_hyphens=False
    )
