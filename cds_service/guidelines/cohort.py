"""What a guideline says of a child in a list of many, and the groups in which children are counted.

A group is data: which values its columns may have. The program counts groups, lists them and makes
rates of them; which there are and what they are called is the guideline's.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from msgspec import Struct


class Found(Struct, frozen=True):
    """What was found of one child, in the guideline's own words for it.

    ``covered`` says whether it speaks of the child at all. ``level`` is the result that the status
    rests on, in ``level_unit``, and ``level_written`` as it was sent. ``treatment`` is "unknown"
    wherever something that may be treatment was not read or not sent. ``traits`` are what groups
    may ask for besides; ``due`` are checks by name with the day that each is or was due.
    """

    covered: bool
    age_months: int | None = None
    status: str = ""
    severity: str = ""
    cause: str = ""
    level: Decimal | None = None
    level_unit: str = ""
    level_written: str = ""
    level_date: date | None = None
    level_source: str = ""
    treatment: str = ""
    traits: tuple[str, ...] = ()
    due: Mapping[str, date] = {}


#: The columns that a group may ask for: what is `Found`, and what the program says of every child.
COLUMNS = frozenset(
    (
        *("covered", "status", "severity", "cause", "treatment", "traits"),
        *("outcome", "urgency", "rules", "cards", "missing"),
    )
)


class Group(Struct, frozen=True, forbid_unknown_fields=True):
    """Children who are in the group ``within`` (any, for ""), who have in each column of ``where``
    one of the values, and all ``traits``. ``todo`` says what to do with a child of it."""

    id: str
    title: str
    within: str = ""
    where: Mapping[str, tuple[str, ...]] = {}
    traits: tuple[str, ...] = ()
    todo: str = ""

    def takes(self, row: Mapping[str, object]) -> bool:
        """Whether a child with these columns is in it, being in the group that it is within."""
        for column, values in self.where.items():
            has = row[column]
            if isinstance(has, str):
                has = (has,)
            if not isinstance(has, tuple | list) or not any(one in values for one in has):
                return False
        own = row["traits"]
        return not self.traits or (isinstance(own, tuple | list) and set(self.traits) <= {*own})


class Measure(Struct, frozen=True, forbid_unknown_fields=True):
    """A rate: of the children of the group ``denominator`` those who are in ``numerator``."""

    id: str
    title: str
    denominator: str
    numerator: str


class Cohort(Struct, frozen=True, forbid_unknown_fields=True):
    """The groups, each after the one it is within; those that narrow down from all children, in
    this order; those to work through, the most urgent first; the rates; and those whose records
    are ``lacking`` something that the guideline would use."""

    groups: tuple[Group, ...]
    funnel: tuple[str, ...]
    work_lists: tuple[str, ...]
    measures: tuple[Measure, ...]
    lacking: tuple[str, ...] = ()

    def groups_of(self, row: Mapping[str, object]) -> tuple[str, ...]:
        """The groups that a child with these columns is in."""
        found: dict[str, None] = {}
        for group in self.groups:
            if (not group.within or group.within in found) and group.takes(row):
                found[group.id] = None
        return tuple(found)

    @property
    def titles(self) -> Mapping[str, str]:
        return {one.id: one.title for one in self.groups}

    def problem(self) -> str:
        """What of the data leads nowhere, in a sentence; "" when all is well."""
        known: set[str] = set()
        for group in self.groups:
            if group.within and group.within not in known:
                return f"{group.id} is within {group.within}, but no group above it is."
            if strange := sorted(group.where.keys() - COLUMNS):
                return f"{group.id} asks for {strange[0]}; there is {', '.join(sorted(COLUMNS))}."
            if group.id in known:
                return f"{group.id} is there twice."
            known.add(group.id)
        named = [*self.funnel, *self.work_lists, *self.lacking]
        named += [one for it in self.measures for one in (it.denominator, it.numerator)]
        if strange := sorted({*named} - known):
            return f"{strange[0]} is not the id of a group; there is {', '.join(sorted(known))}."
        return ""
