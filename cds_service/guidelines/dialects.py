"""What a row asks, in languages that others read: FEEL, of decision tables in DMN, and CQL.

Every condition is written so that it is true or false and never null, as it is here: both
languages have a third answer, and the engines differ in what they make of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Literal

from msgspec import Struct

from cds_service.errors import GuidelineError
from cds_service.guidelines.engine import Side
from cds_service.guidelines.tables import (
    AllOf,
    AnyOf,
    Condition,
    Holds,
    Includes,
    IsOneOf,
    Kind,
    Meets,
    Named,
    Not,
    Otherwise,
    Said,
    Table,
    Unknown,
    kinds,
)


class Dialect(Struct, frozen=True):
    """How a language says what the rows are made of; ``{}`` is a fact, ``{names}`` a list."""

    name: Literal["feel", "cql"]
    unknown: str
    known: str
    text: Callable[[str], str]
    names: str
    included: str
    yes: str
    no: str
    has_some: str
    has_none: str


def _feel_text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _cql_text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


FEEL = Dialect(
    name="feel",
    unknown="{} = null",
    known="{} != null",
    text=_feel_text,
    names="[{}]",
    included="some one in {fact} satisfies one in {names}",
    yes="{} = true",
    no="{} = false",
    has_some="count({}) > 0",
    has_none="count({}) = 0",
)

CQL = Dialect(
    name="cql",
    unknown="{} is null",
    known="{} is not null",
    text=_cql_text,
    names="{{{}}}",
    included="exists ({fact} one where one in {names})",
    yes="{} is true",
    no="{} is false",
    has_some="exists ({})",
    has_none="not exists ({})",
)

#: How a side of a limit is written in both.
SIGNS: Mapping[Side, str] = {
    "below": "<", "at_most": "<=", "at_least": ">=", "above": ">",
}  # fmt: skip


def number(value: Decimal, kind: Kind) -> str:
    """A number as both languages write it: one with decimals where its fact has them."""
    plain = f"{value:f}"
    return plain if kind == "whole number" or "." in plain else f"{plain}.0"


def listed(names: Iterable[object], dialect: Dialect) -> str:
    """A list of names."""
    return dialect.names.format(", ".join(dialect.text(str(one)) for one in names))


class Writer(Struct, frozen=True):
    """Writes the conditions of a table about facts of these ``kinds``, each fact as ``named``."""

    dialect: Dialect
    kinds: Mapping[str, Kind]
    functions: Mapping[str, Said]
    named: Callable[[str], str]

    @classmethod
    def of(cls, table: Table[Any, Any], dialect: Dialect, named: Callable[[str], str]) -> Writer:
        return cls(dialect, kinds(table.facts), table.words.functions, named)

    def written(self, condition: Condition) -> str:
        """As an expression that is true or false, in brackets where it is of several parts."""
        match condition:
            case AllOf(conditions=parts):
                return self._joined(" and ", parts)
            case AnyOf(conditions=parts):
                return self._joined(" or ", parts)
            case Not(condition=Unknown(fact=fact)):
                return self.dialect.known.format(self.named(fact))
            case Not(condition=denied):
                return f"not({self.written(denied)})"
            case Otherwise():
                return "true"
            case Named():
                return f"({self._function(condition)})"
            case Meets(fact=fact, limit=limit):
                value = number(limit.value, self.kinds[fact])
                return self._of_known(fact, f"{self.named(fact)} {SIGNS[condition.side]} {value}")
            case IsOneOf(fact=fact, names=names):
                return self._of_known(fact, self._is_among(fact, names))
            case Includes(fact=fact, names=names):
                among = listed(sorted(map(str, names)), self.dialect)
                asked = self.dialect.included.format(fact=self.named(fact), names=among)
                return self._of_known(fact, f"({asked})")
            case Holds(fact=fact, negated=negated):
                return self._holds(fact, negated)
            case Unknown(fact=fact):
                return self.dialect.unknown.format(self.named(fact))
        raise TypeError(f"{condition!r} is not a condition that an export knows")

    def _joined(self, word: str, parts: Iterable[Condition]) -> str:
        said = [self.written(one) for one in parts]
        return said[0] if len(said) == 1 else f"({word.join(said)})"

    def _of_known(self, fact: str, asked: str) -> str:
        return f"({self.dialect.known.format(self.named(fact))} and {asked})"

    def _is_among(self, fact: str, names: tuple[object, ...]) -> str:
        if len(names) == 1:
            return f"{self.named(fact)} = {self.dialect.text(str(names[0]))}"
        return f"{self.named(fact)} in {listed(names, self.dialect)}"

    def _holds(self, fact: str, negated: bool) -> str:
        named, dialect = self.named(fact), self.dialect
        match self.kinds[fact]:
            case "yes or no":
                return (dialect.no if negated else dialect.yes).format(named)
            case "list":
                asked = (dialect.has_none if negated else dialect.has_some).format(named)
            case "text":
                asked = f"{named} {'=' if negated else '!='} {dialect.text('')}"
            case kind:
                asked = f"{named} {'=' if negated else '!='} {number(Decimal(0), kind)}"
        return self._of_known(fact, asked)

    def _function(self, condition: Named) -> str:
        if condition.name not in self.functions:
            raise GuidelineError(
                "the words of its table", f"functions.{condition.name}", "is missing",
                "write what the function asks in feel and cql, which an export needs",
            )  # fmt: skip
        said: str = getattr(self.functions[condition.name], self.dialect.name)
        limits = {name: f"{limit.value:f}" for name, limit in condition.limits.items()}
        return said.format_map(limits | {fact: self.named(fact) for fact in self.kinds})


def results(then: Any) -> dict[str, Any]:
    """What follows from a row, by name: nothing, one thing, or each field of a struct."""
    if then is None:
        return {}
    if isinstance(then, Struct):
        return {name: getattr(then, name) for name in then.__struct_fields__}
    return {"result": then}
