"""Decision tables as rows: what is asked of a child's facts, in which order, and what follows.

A table reads one frozen struct of facts of its own and nothing else. Its rows are tried in the
order in which they are published: `first_match` takes the first that holds, `all_matches` every
one. A condition that compares one fact with a limit or with names, or joins such conditions, is
built from the words of this module (`meets`, `is_one_of`, `unknown`, `all_of` ...), so that it
can be explained, tried at its limits and exported; anything else is a named function of the facts
(`holds`). A fact is named by the attribute of its struct: ``meets(StatusFacts.days, limit)``.

Unknown (``None``) is never on either side of a limit: `meets` and `misses` are both false of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from types import MemberDescriptorType, NoneType, UnionType
from typing import (
    Any,
    Generic,
    Literal,
    TypeAlias,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import msgspec
from msgspec import Struct, structs

from cds_service.errors import GuidelineError
from cds_service.guidelines.engine import Limit, Side, convert, read_toml

F = TypeVar("F", bound=Struct)
R = TypeVar("R")
#: A condition as plain data, for exports: `Table.exported` says in which form.
Exported = dict[str, object]

# --- conditions ---------------------------------------------------------------------------------


class Seen(Struct, frozen=True):
    """One comparison: the fact, its value, what it was held against, and how that came out.

    ``against`` is a limit, a tuple of names, or ``None`` where the fact itself is the answer.
    """

    fact: str
    value: object
    against: Limit | tuple[object, ...] | None
    holds: bool


class Condition(Struct, frozen=True):
    """Something that facts meet or do not meet."""

    def written(self, names: _Names) -> str:
        """As an expression of Python about ``facts``, with ``names`` for what it compares with."""
        raise NotImplementedError

    def met(self, facts: object) -> object:
        """Whether these facts meet it, asked apart from its table."""
        return _function([f"    return {self.written(names := _Names())}"], names)(facts)

    def seen(self, facts: object) -> Iterator[Seen]:
        """The comparisons that decide it for these facts."""
        raise NotImplementedError

    def parts(self) -> Iterator[Condition]:
        """Every comparison in it, whatever the facts."""
        yield self

    def exported(self, limits: Struct) -> Exported:
        """As plain data; a limit by its name in ``limits``."""
        raise NotImplementedError


class Meets(Condition, frozen=True):
    """A known number on its limit's side, or with ``on_side=False`` on the other side."""

    fact: str
    limit: Limit
    on_side: bool = True

    @property
    def side(self) -> Side:
        """The side of the limit on which it holds."""
        return self.limit.side if self.on_side else _OTHER_SIDE[self.limit.side]

    def written(self, names: _Names) -> str:
        fact, sign = f"facts.{self.fact}", _SIGNS[self.side]
        return f"({fact} is not None and {fact} {sign} {names.of(self.limit.value)})"

    def seen(self, facts: object) -> Iterator[Seen]:
        value = getattr(facts, self.fact)
        met = value is not None and self.limit.holds(value)
        yield Seen(self.fact, value, self.limit, met)

    def exported(self, limits: Struct) -> Exported:
        return {
            "fact": self.fact,
            "side": self.side,
            "limit": name_of(self.limit, limits),
            "value": self.limit.value,
            "unit": self.limit.unit,
        }


class IsOneOf(Condition, frozen=True):
    """A fact whose value is one of some names."""

    fact: str
    names: tuple[object, ...]

    def written(self, names: _Names) -> str:
        if len(self.names) == 1:
            return f"(facts.{self.fact} == {names.of(self.names[0])})"
        return f"(facts.{self.fact} in {names.of(self.names)})"

    def seen(self, facts: object) -> Iterator[Seen]:
        value = getattr(facts, self.fact)
        yield Seen(self.fact, value, self.names, value in self.names)

    def exported(self, limits: Struct) -> Exported:
        return {"fact": self.fact, "names": msgspec.to_builtins(self.names)}


class Includes(Condition, frozen=True):
    """A list that has at least one of some names."""

    fact: str
    names: tuple[object, ...]

    def written(self, names: _Names) -> str:
        fact, some = f"facts.{self.fact}", names.of(frozenset(self.names))
        return f"({fact} is not None and not {some}.isdisjoint({fact}))"

    def seen(self, facts: object) -> Iterator[Seen]:
        value = getattr(facts, self.fact)
        yield Seen(self.fact, value, self.names, any(one in self.names for one in value or ()))

    def exported(self, limits: Struct) -> Exported:
        return {"fact": self.fact, "includes": msgspec.to_builtins(self.names)}


class Holds(Condition, frozen=True):
    """A fact that is yes, or a list or text that is not empty; ``negated``: known not to be."""

    fact: str
    negated: bool = False

    def written(self, names: _Names) -> str:
        fact = f"facts.{self.fact}"
        return f"({fact} is not None and not {fact})" if self.negated else fact

    def seen(self, facts: object) -> Iterator[Seen]:
        value = getattr(facts, self.fact)
        yield Seen(self.fact, value, None, bool(value))

    def exported(self, limits: Struct) -> Exported:
        return {"fact": self.fact, "is": "none" if self.negated else "some"}


class Unknown(Condition, frozen=True):
    fact: str

    def written(self, names: _Names) -> str:
        return f"(facts.{self.fact} is None)"

    def seen(self, facts: object) -> Iterator[Seen]:
        value = getattr(facts, self.fact)
        yield Seen(self.fact, value, None, value is not None)

    def exported(self, limits: Struct) -> Exported:
        return {"fact": self.fact, "is": "unknown"}


class Named(Condition, frozen=True):
    """A condition that needs more than one comparison: a named function of the facts, and the
    limits it compares with. Other languages say it as the words of its table do (`Said`)."""

    function: Callable[[Any], bool]
    limits: Mapping[str, Limit] = {}

    @property
    def name(self) -> str:
        return self.function.__name__

    def written(self, names: _Names) -> str:
        return f"{names.of(self.function)}(facts)"

    def seen(self, facts: object) -> Iterator[Seen]:
        held = self.function(facts)
        yield Seen(self.name, held, None, held)

    def exported(self, limits: Struct) -> Exported:
        return {"function": self.name}


class AllOf(Condition, frozen=True):
    conditions: tuple[Condition, ...]

    def written(self, names: _Names) -> str:
        return f"({' and '.join([one.written(names) for one in self.conditions])})"

    def seen(self, facts: object) -> Iterator[Seen]:
        """Everything where it holds, otherwise what does not."""
        failed = [one for one in self.conditions if not one.met(facts)]
        for one in failed or self.conditions:
            yield from one.seen(facts)

    def parts(self) -> Iterator[Condition]:
        for one in self.conditions:
            yield from one.parts()

    def exported(self, limits: Struct) -> Exported:
        return {"all": [one.exported(limits) for one in self.conditions]}


class AnyOf(Condition, frozen=True):
    conditions: tuple[Condition, ...]

    def written(self, names: _Names) -> str:
        return f"({' or '.join([one.written(names) for one in self.conditions])})"

    def seen(self, facts: object) -> Iterator[Seen]:
        """What holds, otherwise everything."""
        held = [one for one in self.conditions if one.met(facts)]
        for one in held or self.conditions:
            yield from one.seen(facts)

    def parts(self) -> Iterator[Condition]:
        for one in self.conditions:
            yield from one.parts()

    def exported(self, limits: Struct) -> Exported:
        return {"any": [one.exported(limits) for one in self.conditions]}


class Not(Condition, frozen=True):
    condition: Condition

    def written(self, names: _Names) -> str:
        return f"(not {self.condition.written(names)})"

    def seen(self, facts: object) -> Iterator[Seen]:
        yield from self.condition.seen(facts)

    def parts(self) -> Iterator[Condition]:
        yield from self.condition.parts()

    def exported(self, limits: Struct) -> Exported:
        return {"not": self.condition.exported(limits)}


class Otherwise(Condition, frozen=True):
    """Whatever no row before it took."""

    def written(self, names: _Names) -> str:
        return "True"

    def seen(self, facts: object) -> Iterator[Seen]:
        yield from ()

    def parts(self) -> Iterator[Condition]:
        yield from ()

    def exported(self, limits: Struct) -> Exported:
        return {"otherwise": True}


def name_of(limit: Limit, limits: Struct) -> str:
    """The name by which a guideline's ``limits`` list this very limit, or "" where they do not."""
    return next((name for name in limits.__struct_fields__ if getattr(limits, name) is limit), "")


Kind = Literal["yes or no", "whole number", "number", "text", "list"]


def kinds(facts: type[Struct]) -> dict[str, Kind]:
    """What each fact of a table is when it is known, by its annotation."""
    return {name: _kind(hint) for name, hint in get_type_hints(facts).items()}


def _kind(hint: Any) -> Kind:
    hints = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    known = next(one for one in hints if one is not NoneType)
    plain: Mapping[object, Kind] = {
        bool: "yes or no", int: "whole number", Decimal: "number", str: "text", Literal: "text",
        tuple: "list", frozenset: "list",
    }  # fmt: skip
    return plain[get_origin(known) or known]


_OTHER_SIDE: Mapping[Side, Side] = {
    "below": "at_least", "at_least": "below", "at_most": "above", "above": "at_most",
}  # fmt: skip


_SIGNS: Mapping[Side, str] = {"below": "<", "at_most": "<=", "at_least": ">=", "above": ">"}


# --- asking them --------------------------------------------------------------------------------


class _Names:
    """What written conditions compare with, by the names it has in them."""

    def __init__(self) -> None:
        self.values: dict[str, object] = {}

    def of(self, value: object) -> str:
        name = f"value_{len(self.values)}"
        self.values[name] = value
        return name


def _function(lines: Iterable[str], names: _Names) -> Callable[[Any], Any]:
    """A function of ``facts``, as `dataclasses` makes its methods: out of the names of fields and
    of nothing that anyone sent. Closures that call each other take three times as long."""
    made: dict[str, Any] = {}
    exec("\n".join(["def asked(facts):", *lines]), names.values, made)  # noqa: S102
    return made["asked"]  # type: ignore[no-any-return]


#: What answers with the rows that hold, of those it was made of.
_Answer: TypeAlias = "Callable[[Any], tuple[Row[Any], ...]]"


class _Asked(dict[str, tuple[_Answer, tuple[str]]]):
    """The rows of a table as functions of its facts, each made when it is first asked: of the
    ``first`` row that holds, of ``all``, and by a row's id of it alone, with the ids asked."""

    def __init__(self, name: str, rows: Sequence[Row[Any]], *, complete: bool) -> None:
        self._names = _Names()
        self._name, self._complete = name, complete
        self._places = {one.id: place for place, one in enumerate(rows)}
        self._written = [condition_of(row).written(self._names) for row in rows]
        self._fired = [self._names.of((row,)) for row in rows]

    @cached_property
    def first(self) -> _Answer:
        """Of a complete table there always is one."""
        lines = [f"    if {one}: return {fired}" for one, fired in self._lines()]
        problem = self._names.of(LookupError(f"no row of the table {self._name} holds"))
        end = f"    raise {problem}" if self._complete else "    return ()"
        return _function([*lines, end], self._names)

    @cached_property
    def all(self) -> _Answer:
        lines = [f"    if {one}: found += {fired}" for one, fired in self._lines()]
        return _function(["    found = ()", *lines, "    return found"], self._names)

    def _lines(self) -> Iterable[tuple[str, str]]:
        return zip(self._written, self._fired, strict=True)

    def __missing__(self, row: str) -> tuple[_Answer, tuple[str]]:
        place = self._places[row]
        line = f"    return {self._fired[place]} if {self._written[place]} else ()"
        self[row] = made = _function([line], self._names), (row,)
        return made


# --- the words that conditions are written in -----------------------------------------------------


def _name(fact: object) -> str:
    """The name of a fact given as the attribute of its struct (``Facts.days``)."""
    if not isinstance(fact, MemberDescriptorType):
        raise TypeError(f"{fact!r} is not a fact: name it by its struct, as Facts.days")
    return fact.__name__


def _condition(given: Condition | object) -> Condition:
    return given if isinstance(given, Condition) else Holds(_name(given))


def meets(fact: Decimal | int | None, limit: Limit) -> Condition:
    """The fact is known and on its limit's side."""
    return Meets(_name(fact), limit)


def misses(fact: Decimal | int | None, limit: Limit) -> Condition:
    """The fact is known and on the other side of its limit."""
    return Meets(_name(fact), limit, on_side=False)


def is_one_of(fact: object, *names: object) -> Condition:
    return IsOneOf(_name(fact), names)


def includes(fact: object, *names: object) -> Condition:
    """A list that has at least one of the names."""
    return Includes(_name(fact), names)


def some(fact: object) -> Condition:
    """A text or list that is not empty."""
    return Holds(_name(fact))


def none(fact: object) -> Condition:
    """A known answer that is no, or a list or text known to be empty; unknown is neither."""
    return Holds(_name(fact), negated=True)


def unknown(fact: object) -> Condition:
    return Unknown(_name(fact))


def known(fact: object) -> Condition:
    return Not(Unknown(_name(fact)))


def all_of(*conditions: Condition | bool | None) -> Condition:
    """Every one of them; a fact that is yes or no needs no comparison."""
    return AllOf(tuple(_condition(one) for one in conditions))


def any_of(*conditions: Condition | bool | None) -> Condition:
    """At least one of them; a fact that is yes or no needs no comparison."""
    return AnyOf(tuple(_condition(one) for one in conditions))


def not_(condition: Condition | bool | None) -> Condition:
    """It does not hold. Of an unknown fact nothing holds, so this is true of it: where the
    unknown must not pass, say `misses` or `none`."""
    return Not(_condition(condition))


def holds(function: Callable[[F], bool], **limits: Limit) -> Condition:
    """A named function of the facts, for what is not a comparison, and the limits in it."""
    return Named(function, limits)


otherwise: Condition = Otherwise()

# --- rows and tables ------------------------------------------------------------------------------


class Row(Struct, Generic[R], frozen=True):
    """One row: its rule id, the condition, and what follows where it holds.

    A rule of several rows is published in one sentence; ``part`` distinguishes its rows ("" is one
    of them), and ``id`` is what a single one of them is asked by.
    """

    rule: str
    when: Condition | bool | None
    then: R
    part: str = ""

    @property
    def id(self) -> str:
        return f"{self.rule}.{self.part}" if self.part else self.rule


class RowWords(Struct, frozen=True, forbid_unknown_fields=True):
    """What is published of a row: the guideline's sentence in two halves, and its authority."""

    condition: str
    result: str
    source: str


class Said(Struct, frozen=True, forbid_unknown_fields=True):
    """What a named function asks, in languages that others read, with facts and limits in braces:
    ``{level} <= 0``. It is true or false, whatever is unknown."""

    feel: str
    cql: str


class TableWords(Struct, frozen=True, forbid_unknown_fields=True):
    """The words of one table, as in the file next to it: its question, its facts, its rows.

    ``unasked`` says in general why the table, or a row of it, is not asked of some children, if
    there is more to say than that nothing calls for it; ``absent`` what it means of a fact to be
    ``None`` where that is not "unknown"; ``functions`` how an export says the named ones.
    """

    title: str
    question: str
    facts: Mapping[str, str]
    rows: Mapping[str, RowWords]
    unasked: str = ""
    absent: Mapping[str, str] = {}
    functions: Mapping[str, Said] = {}


class Table(Struct, Generic[F, R], frozen=True):
    """An ordered tuple of rows over one struct of facts. Make it with `Table.of`.

    ``first`` says that the first row that holds answers and the rows after it are not looked at;
    otherwise every row is independent. A table whose first row answers is ``complete``: its
    last row takes every child that is left. One that is not may have no answer.
    """

    name: str
    facts: type[F]
    rows: tuple[Row[R], ...]
    first: bool
    words: TableWords
    _asked: _Asked
    _places: Mapping[str, int]
    complete: bool = True

    @classmethod
    def of(
        cls,
        name: str,
        facts: type[F],
        rows: Iterable[Row[R]],
        words: TableWords,
        *,
        first: bool,
        complete: bool = True,
    ) -> Table[F, R]:
        """Raises `GuidelineError` where rows, facts and words do not fit each other."""
        kept = tuple(structs.replace(one, when=_condition(one.when)) for one in rows)
        _check(name, facts, kept, words, ends=first and complete)
        places = {one.id: place for place, one in enumerate(kept)}
        asked = _Asked(name, kept, complete=first and complete)
        return cls(name, facts, kept, first, words, asked, places, complete)

    def __getitem__(self, row: str) -> Row[R]:
        return self.rows[self._places[row]]

    def why(self, row: Row[R], facts: F) -> tuple[Seen, ...]:
        """What decided that this row holds, or does not."""
        return tuple(dict.fromkeys(condition_of(row).seen(facts)))

    def exported(self, limits: Struct) -> Exported:
        """The table as plain data, so that another language can be written from it.

        A row's ``when`` is one of ``{"all": [...]}``, ``{"any": [...]}``, ``{"not": ...}``,
        ``{"otherwise": True}``; a number on a ``side`` of a limit (``fact``, ``side``, ``limit``
        by its name in ``limits``, ``value`` and ``unit``); a fact that is one of some ``names``;
        a list that ``includes`` one of some names; a fact that ``is`` "some" (yes, or not
        empty), "none" (known to be neither) or "unknown"; or ``{"function": ...}``, what no
        comparison says.
        """
        return {
            "table": self.name,
            "question": self.words.question,
            "first": self.first,
            "facts": dict(self.words.facts),
            "rows": [
                {
                    "id": row.id,
                    "rule": row.rule,
                    **msgspec.to_builtins(self.words.rows[row.rule]),
                    "when": condition_of(row).exported(limits),
                    "then": msgspec.to_builtins(row.then, enc_hook=_named),
                }
                for row in self.rows
            ],
        }


def condition_of(row: Row[Any]) -> Condition:
    """What a row asks; a fact that is its own condition becomes one."""
    return _condition(row.when)


def _named(result: object) -> str:
    return getattr(result, "__name__", None) or str(result)


def _check(
    name: str, facts: type[Struct], rows: tuple[Row[Any], ...], words: TableWords, *, ends: bool
) -> None:
    def refuse(what: str, problem: str, cure: str) -> GuidelineError:
        return GuidelineError(f"the table {name}", what, problem, cure)

    ids = [row.id for row in rows]
    rules = list(dict.fromkeys(row.rule for row in rows))
    for rule in rules:
        if rule not in words.rows:
            raise refuse(rule, "has no words", "write its condition, result and source")
    for one in ids:
        if ids.count(one) > 1:
            raise refuse(one, "is in the table twice", "give every row an id of its own")
    if rules != list(words.rows):
        raise refuse("the rows", "are published in another order than they are tried in",
                     f"write the words in the order {', '.join(rules)}")  # fmt: skip
    if ends and not isinstance(rows[-1].when, Otherwise):
        raise refuse(rows[-1].rule, "does not take every child that is left",
                     "let the last row hold otherwise")  # fmt: skip
    for problem in _unfit_facts(facts, rows, words):
        raise refuse(*problem)


def _unfit_facts(
    facts: type[Struct], rows: tuple[Row[Any], ...], words: TableWords
) -> Iterator[tuple[str, str, str]]:
    """Facts that the rows, the struct and the words do not share: which, what is wrong, cure."""
    used = {fact for row in rows for fact in facts_of(condition_of(row))}
    fields = set(facts.__struct_fields__)
    named = {part.name for row in rows for part in condition_of(row).parts()
             if isinstance(part, Named)}  # fmt: skip
    for fact in sorted(used - fields - named):
        yield fact, f"is not a fact of {facts.__name__}", "name a field of the table's own"
    for fact in sorted(used - set(words.facts)):
        yield f"facts.{fact}", "has no words", "say in words what the fact is"
    for function in sorted(set(words.functions) - named):
        yield f"functions.{function}", "names no function of this table", "take it out"
    for fact in sorted({*words.facts, *words.absent} - fields - named):
        yield f"facts.{fact}", "names no fact of this table", "take it out"


def facts_of(condition: Condition) -> set[str]:
    """The facts a condition reads."""
    return {
        part.name if isinstance(part, Named) else str(part.fact)  # type: ignore[attr-defined]
        for part in condition.parts()
    }


def read_words(file: Path) -> TableWords:
    """The words of a table from the TOML file next to its module."""
    return convert(read_toml(file), TableWords, file)


# --- running them ---------------------------------------------------------------------------------

State = Literal["fired", "no", "not reached"]


class Match(Struct, Generic[F, R], frozen=True, gc=False):
    """A table asked about facts: the rows that fired, and for each of the others why it did not.

    ``asked`` are the ids that were asked where single rows were, else empty: all of them.
    ``about`` names what the facts are of where the table is asked of several things.
    """

    table: Table[F, R]
    facts: F
    fired: tuple[Row[R], ...]
    asked: tuple[str, ...] = ()
    about: str = ""

    @property
    def row(self) -> Row[R]:
        return self.fired[0]

    @property
    def rule(self) -> str:
        return self.fired[0].rule

    @property
    def result(self) -> R:
        return self.fired[0].then

    def rows(self) -> Iterator[tuple[Row[R], State, tuple[Seen, ...]]]:
        """Every row that was looked at, or would have been: what became of it, and why."""
        reached = True
        for row in self.table.rows:
            if self.asked and row.id not in self.asked:
                continue
            if not reached:
                yield row, "not reached", ()
                continue
            fired = row in self.fired
            yield row, "fired" if fired else "no", self.table.why(row, self.facts)
            reached = not (fired and self.table.first)


def first_match(table: Table[F, R], facts: F, about: str = "") -> Match[F, R]:
    """The first row that holds; none only where the table is not complete."""
    return Match(table, facts, table._asked.first(facts), (), about)


def all_matches(table: Table[F, R], facts: F, about: str = "") -> Match[F, R]:
    """Every row that holds, in order; there may be none."""
    return Match(table, facts, table._asked.all(facts), (), about)


def one_row(table: Table[F, R], row: str, facts: F, about: str = "") -> Match[F, R]:
    """One row, by its id, of a table whose rows are independent."""
    asked, ids = table._asked[row]
    return Match(table, facts, asked(facts), ids, about)


# --- the account of an evaluation -----------------------------------------------------------------


class Reasoning:
    """The rules of one evaluation in the order they were asked.

    ``about`` names the thing asked about (an order, a result) where a table is asked of several,
    so that the account can distinguish them.
    """

    __slots__ = ("_asked",)

    def __init__(self) -> None:
        self._asked: list[Match[Any, Any]] = []

    def first(self, table: Table[F, R], facts: F, about: str = "") -> Match[F, R]:
        """Asks a table for the first row that holds, and keeps the answer."""
        match = Match(table, facts, table._asked.first(facts), (), about)
        self._asked.append(match)
        return match

    def all(self, table: Table[F, R], facts: F, about: str = "") -> Match[F, R]:
        """Asks a table for every row that holds, and keeps the answer."""
        match = Match(table, facts, table._asked.all(facts), (), about)
        self._asked.append(match)
        return match

    def row(self, table: Table[F, R], row: str, facts: F, about: str = "") -> bool:
        """Asks one row of a table whose rows are independent, and keeps the answer."""
        asked, ids = table._asked[row]  # not by one_row: most of what is asked is asked by row
        fired = asked(facts)
        self._asked.append(Match(table, facts, fired, ids, about))
        return bool(fired)

    def keep(self, match: Match[F, R]) -> Match[F, R]:
        """Keeps an answer that was had before, in its place."""
        self._asked.append(match)
        return match

    def follow(self, before: Reasoning) -> None:
        """Takes over what was asked before, in its place."""
        self._asked += before._asked

    def fired(self) -> tuple[str, ...]:
        """Every rule that held, each once, in the order asked."""
        return tuple(dict.fromkeys([row.rule for one in self._asked for row in one.fired]))

    @property
    def matches(self) -> Iterator[Match[Any, Any]]:
        """Every table that was asked, in order, as often as it was asked."""
        return iter(self._asked)
