"""What every guideline is made of: limits, rules and texts as data, and outcomes.

A guideline is a folder: ``guideline.toml`` and ``codes/*.csv`` hold the numbers and codes,
``texts/`` the words, Python functions the logic. The files are read into types that name every
limit, dose and text the functions use, so a name that is only in the data or only in the code
stops the service at start, with the file, the name and the cure.
"""

from __future__ import annotations

import string
import tomllib
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import msgspec
from msgspec import Struct

from cds_service.clinical import Plan
from cds_service.errors import GuidelineError
from cds_service.language import Value, Words, files

Indicator = Literal["info", "warning", "critical"]
INDICATORS: tuple[Indicator, ...] = ("info", "warning", "critical")


def most_urgent(*indicators: Indicator) -> Indicator:
    return max(indicators, key=INDICATORS.index)


_T = TypeVar("_T")


class found_once(Generic[_T]):
    """A property that is found out when it is first asked for, and kept with its owner.

    `functools.cached_property` has a lock before Python 3.12, for which calls that are answered at
    once wait for each other, and takes three times as long.
    """

    def __init__(self, find: Callable[[Any], _T]) -> None:
        self._find = find
        self.__doc__ = find.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, owner: Any, kind: type) -> _T:
        found = self._find(owner)
        owner.__dict__[self._name] = found
        return found


# --- data ----------------------------------------------------------------------------------------

Side = Literal["below", "at_most", "at_least", "above"]


class Limit(Struct, frozen=True, forbid_unknown_fields=True):
    """A number that decides, with the side on which it does, its unit and its authority.

    Exactly one of ``below``, ``at_most``, ``at_least`` and ``above`` is given. ``source`` names
    entries of the bibliography, or says ``policy: why`` for a choice of this project.
    """

    unit: str
    means: str
    source: str
    below: Decimal | None = None
    at_most: Decimal | None = None
    at_least: Decimal | None = None
    above: Decimal | None = None

    def __post_init__(self) -> None:
        sides = [self.below, self.at_most, self.at_least, self.above]
        if len([side for side in sides if side is not None]) != 1:
            raise ValueError("give exactly one of below, at_most, at_least, above")

    @property
    def value(self) -> Decimal:
        if self.below is not None:
            return self.below
        if self.at_least is not None:
            return self.at_least
        if self.at_most is not None:
            return self.at_most
        return Decimal("NaN") if self.above is None else self.above

    @property
    def side(self) -> Side:
        if self.below is not None:
            return "below"
        if self.at_most is not None:
            return "at_most"
        return "above" if self.above is not None else "at_least"

    def holds(self, number: Decimal | int) -> bool:
        """Whether ``number``, in this limit's unit, is on its side."""
        if self.below is not None:
            return number < self.below
        if self.at_least is not None:
            return number >= self.at_least
        if self.at_most is not None:
            return number <= self.at_most
        return self.above is not None and number > self.above

    @property
    def days(self) -> int:
        return int(self.value)

    def __str__(self) -> str:
        return f"{self.value.normalize():f} {self.unit}"


class Constant(Struct, frozen=True, forbid_unknown_fields=True):
    """A number that is what it is: a molar mass, a week of gestation assumed."""

    value: Decimal
    unit: str
    source: str


class Source(Struct, frozen=True, forbid_unknown_fields=True):
    citation: str
    finding: str
    confidence: Literal["high", "medium", "low"]
    url: str = ""
    label: str = ""


class Statement(Struct, frozen=True, forbid_unknown_fields=True):
    """One sentence of the guideline and the rules, texts or orders that serve it."""

    text: str
    category: str
    served_by: tuple[str, ...] = ()
    not_clinical: str = ""


class Rule(Struct, frozen=True, forbid_unknown_fields=True):
    """One row of a decision table, in words."""

    table: str
    condition: str
    result: str
    source: str


class CardText(Struct, frozen=True, forbid_unknown_fields=True):
    """What the card of one rule says; ``more`` is on the guideline's page alone.

    ``statement`` is the guideline's sentence behind it, ``evidence`` the sources it rests on and
    ``links`` those worth opening; ``topic`` is the advice's stable name for clients.
    """

    indicator: Indicator
    summary: str
    advice: str = ""
    why: str = ""
    more: str = ""
    statement: str = ""
    evidence: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    topic: str = ""


#: The members of a `CardText` that are texts.
CARD_TEXTS = ("summary", "advice", "why", "more")


def text_id(card: str, member: str) -> str:
    """The id of a text of a card."""
    return f"cards.{card}.{member}"


class Link(Struct, frozen=True, forbid_unknown_fields=True):
    """``source`` is its entry in the bibliography, which a card with the link does not name."""

    label: str
    url: str
    source: str = ""


class OverrideReason(Struct, frozen=True, forbid_unknown_fields=True):
    """Why a clinician may not follow a card. ``category`` is the one of the CDS Hooks standard in
    which reports count it with the reasons of others, "" for none."""

    system: str
    code: str
    display: str = ""
    category: Literal[
        "cds-not-applicable",
        "cds-suboptimal-context",
        "recipient-disagrees-evidence",
        "recipient-concerns-outcomes",
        "does-not-align-preferences",
        "not-convenient-feasible",
        "",
    ] = ""


class About(Struct, frozen=True, forbid_unknown_fields=True):
    """The guideline itself.

    ``label`` is what a card shows as its source. A card without a topic of its own gets one of
    ``topic_system``: ``topic_prefix`` and its name.
    """

    id: str
    title: str
    label: str
    edition: str
    review_status: str
    topic_system: str
    topic_prefix: str


class Wording(Struct, frozen=True):
    """What cards say in a guideline's name."""

    about: About
    cards: Mapping[str, CardText]
    rules: Mapping[str, Rule]
    statements: Mapping[str, Statement]
    sources: Mapping[str, Source]
    links: Mapping[str, Link]
    override_reasons: tuple[OverrideReason, ...]


# --- outcomes --------------------------------------------------------------------------------

#: The labelled parts of a card. Above the rule is what decides the next hour: what to give or
#: to do, what was ordered and what is usual, the value or sign that chose it, what comes before the
#: first dose, what to ask, what endangers the child, when to test again. Below it are the whole
#: course, what else was found, what is worth knowing, what was missing or not used, where this
#: service departs from the guideline, and the sources.
Section = Literal[
    "give", "advice", "because", "ordered", "usual", "why", "before", "ask", "safety", "follow_up",
    "course", "finding", "caution", "background", "missing", "position", "source",
]  # fmt: skip
ABOVE: tuple[Section, ...] = (
    "advice", "because", "ordered", "usual", "give", "why", "safety", "before", "ask", "follow_up",
)  # fmt: skip
BELOW: tuple[Section, ...] = (
    "course", "finding", "caution", "background", "missing", "position", "source",
)  # fmt: skip


class Note(Struct, frozen=True, gc=False):
    """A sentence of a card: a message.

    A ``text`` that is a string is a template of the guideline's data, filled in with ``values``;
    a message has its own. ``told`` is what it states, where it states nothing else: a card
    whose headline names all of that does not repeat it.
    """

    section: Section
    text: Words
    values: Mapping[str, object] = {}
    told: tuple[Value, ...] = ()


class Choice(Struct, frozen=True, gc=False):
    """One thing the clinician can accept: a label and the orders that come with it.

    ``alone`` is the label where its first drug is ordered without the rest, if that is another.
    ``conditional``: its label says when it is the one to take.
    """

    rule: str
    label: Words
    plans: tuple[Plan, ...]
    recommended: bool = False
    alone: Words = ""
    conditional: bool = False


class Recommend(Struct, frozen=True, gc=False):
    """A rule has something to say. ``card`` names its text, ``values`` fill it in.

    ``about`` is the drafted order it speaks of ("MedicationRequest/1"), if it is about one.
    """

    rule: str
    card: str
    indicator: Indicator
    values: Mapping[str, object]
    notes: tuple[Note, ...] = ()
    choices: tuple[Choice, ...] = ()
    selection: Literal["at-most-one", "any"] = "any"
    main: bool = False
    about: str = ""


class NotIndicated(Struct, frozen=True, gc=False):
    """Everything needed was known, and there is nothing to say."""

    rule: str
    reason: Words


class CannotTell(Struct, frozen=True, gc=False):
    """Facts are missing. With ``card`` it is reported to the clinician, otherwise to the client."""

    rule: str
    missing: tuple[Words, ...]
    card: str = ""
    indicator: Indicator = "info"
    values: Mapping[str, object] = {}
    notes: tuple[Note, ...] = ()


Outcome = Recommend | NotIndicated | CannotTell

# --- loading ---------------------------------------------------------------------------------

_FileType = TypeVar("_FileType", bound=Struct)


def read_toml(path: Path) -> dict[str, Any]:
    try:
        return files.read_toml(path)
    except OSError as error:
        raise GuidelineError(
            str(path), "the file", f"cannot be read ({error.strerror})", "check its path and rights"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise GuidelineError(
            str(path), "the file", f"is not TOML: {error}", "correct the line named"
        ) from None


def placeholders(text: str) -> set[str]:
    """The names a text wants filled in."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def convert(data: Mapping[str, Any], to: type[_FileType], path: Path) -> _FileType:
    """The file's content as its type; what is missing, unknown or of a wrong kind is refused."""
    try:
        return msgspec.convert(data, to)
    except msgspec.ValidationError as error:
        problem, _, where = str(error).partition(" - at ")
        name = where.strip("`").removeprefix("$.") or "the file"
        raise GuidelineError(
            str(path), name, problem[0].lower() + problem[1:],
            "correct this entry; docs/guidelines describes each",
        ) from None  # fmt: skip
