"""What every guideline is made of: limits, rules and texts as data, reasoning, outcomes.

A guideline is a folder: ``guideline.toml`` and ``codes/*.csv`` hold the numbers, codes and words,
Python functions hold the logic. The file is read into a type that names every limit, dose and
text the functions use, so a name that stands only in the data or only in the code stops the
service at start, with the file, the name and the cure.
"""

from __future__ import annotations

import re
import string
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Generic, Literal, NamedTuple, TypeVar

import msgspec
from msgspec import Struct, structs

from cds_service.clinical import Basket, Code, Plan
from cds_service.errors import GuidelineError
from cds_service.language import Words

Indicator = Literal["info", "warning", "critical"]
INDICATORS: tuple[Indicator, ...] = ("info", "warning", "critical")


def most_urgent(*indicators: Indicator) -> Indicator:
    return max(indicators, key=INDICATORS.index)


# --- data ----------------------------------------------------------------------------------------


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
        return next(
            side
            for side in (self.below, self.at_most, self.at_least, self.above)
            if side is not None
        )

    @property
    def side(self) -> Literal["below", "at_most", "at_least", "above"]:
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
    """What the card of one rule says.

    ``statement`` is the guideline's sentence behind it, ``evidence`` the sources it rests on and
    ``links`` those worth opening; ``topic`` is the advice's stable name for clients.
    """

    indicator: Indicator
    summary: str
    advice: str
    why: str = ""
    statement: str = ""
    evidence: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    topic: str = ""


#: The members of a `CardText` that are texts.
CARD_TEXTS = ("summary", "advice", "why")


def text_id(card: str, member: str) -> str:
    """The id of a text of a card."""
    return f"cards.{card}.{member}"


class Link(Struct, frozen=True, forbid_unknown_fields=True):
    label: str
    url: str


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
    override_reasons: tuple[Code, ...]


# --- reasoning -------------------------------------------------------------------------------


class Step(NamedTuple):
    """One rule that was asked, whether it held, and what was seen."""

    rule: str
    fired: bool
    because: str
    values: tuple[object, ...]

    def reason(self) -> str:
        return self.because.format(*self.values)


class Reasoning:
    """The rules of one evaluation in the order they were asked."""

    __slots__ = ("_steps",)

    def __init__(self) -> None:
        self._steps: list[tuple[str, bool, str, tuple[object, ...]]] = []

    def holds(self, rule: str, condition: bool, because: str, *values: object) -> bool:
        """Note that ``rule`` was asked; ``because`` is formatted only if somebody reads it."""
        self._steps.append((rule, condition, because, values))
        return condition

    def fired(self) -> tuple[str, ...]:
        """Every rule that held, each once, in the order asked."""
        return tuple(dict.fromkeys(step[0] for step in self._steps if step[1]))

    def __iter__(self) -> Iterator[Step]:
        return (Step(*step) for step in self._steps)


def texts_in_force(cards: Mapping[str, CardText], texts: Struct) -> dict[str, str]:
    """The texts of cards and those that cards may carry beside, by their ids."""
    found = {
        text_id(name, member): getattr(card, member)
        for name, card in cards.items()
        for member in CARD_TEXTS
    }
    table = type(texts).__name__.lower()
    found |= {f"{table}.{name}": text for name, text in structs.asdict(texts).items()}
    return {name: text for name, text in found.items() if text}


# --- outcomes --------------------------------------------------------------------------------

Section = Literal["finding", "advice", "why", "safety", "follow_up", "missing"]
SECTIONS: tuple[Section, ...] = ("finding", "advice", "why", "safety", "follow_up", "missing")


class Note(Struct, frozen=True):
    """A sentence of a card: a message.

    A ``text`` that is a string is a template of the guideline's data, filled in with ``values``;
    a message has its own.
    """

    section: Section
    text: Words
    values: Mapping[str, object] = {}


class Choice(Struct, frozen=True):
    """One thing the clinician can accept: a label and the orders that come with it."""

    rule: str
    label: str
    plans: tuple[Plan, ...]
    recommended: bool = False


class Recommend(Struct, frozen=True):
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


class NotIndicated(Struct, frozen=True):
    """Everything needed was known, and there is nothing to say."""

    rule: str
    reason: Words


class CannotTell(Struct, frozen=True):
    """Facts are missing. With ``card`` it is said to the clinician, otherwise to the client."""

    rule: str
    missing: tuple[Words, ...]
    card: str = ""
    indicator: Indicator = "info"
    values: Mapping[str, object] = {}
    notes: tuple[Note, ...] = ()


Outcome = Recommend | NotIndicated | CannotTell

_Facts = TypeVar("_Facts")


class Evaluation(Struct, Generic[_Facts], frozen=True):
    """What came of it, and every rule asked on the way.

    ``facts`` are the guideline's own affair: whoever shows or keeps an evaluation does not look
    into them. ``unusable`` are results that are there and cannot be used, as they were sent, and
    ``basket`` are the orders that were checked.
    """

    outcomes: tuple[Outcome, ...]
    reasoning: Reasoning
    facts: _Facts
    unusable: tuple[str, ...] = ()
    basket: Basket | None = None


# --- loading ---------------------------------------------------------------------------------

_FileType = TypeVar("_FileType", bound=Struct)

#: What a site may change. Statements, rules and sources are the guideline's own.
OVERRIDABLE = ("limits", "doses", "products", "tests", "codes", "cards", "texts", "policy", "links",
               "override_reasons")  # fmt: skip


def read_toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file, parse_float=Decimal)
    except OSError as error:
        raise GuidelineError(
            str(path), "the file", f"cannot be read ({error.strerror})", "check its path and rights"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise GuidelineError(
            str(path), "the file", f"is not TOML: {error}", "correct the line named"
        ) from None


#: Fields that an entry of a section may have although the guideline's own file leaves them out.
_MAY_BE_UNSET: Mapping[str, tuple[str, ...]] = {
    "limits": ("below", "at_most", "at_least", "above"),
    "products": ("site_codings", "benzyl_alcohol"),
    "tests": ("site_codings", "same_as"),
}


def apply_overrides(
    base: dict[str, Any], changes: Mapping[str, Any], path: Path
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """``base`` with a site's ``changes``, and the dotted names that were changed.

    Only names that exist may be changed; a changed limit must say who decided it
    (``source = "local: ..."``); a changed text may use only the placeholders of the original.
    """
    for section in changes:
        if section not in OVERRIDABLE:
            raise GuidelineError(
                str(path), section, "cannot be overridden",
                f"override only {', '.join(OVERRIDABLE)}",
            )  # fmt: skip
    for section in changes:
        if section != "override_reasons" and not isinstance(changes[section], dict):
            raise GuidelineError(
                str(path), section, "is not a table", f"write it as [{section}]"
            )  # fmt: skip
    for name, limit in changes.get("limits", {}).items():
        if not isinstance(limit, dict):
            raise GuidelineError(
                str(path), f"limits.{name}", "is not a limit with its side and source",
                'write it as { below = 200, source = "local: who, when and why" }',
            )  # fmt: skip
        unit = base["limits"].get(name, {}).get("unit", "")
        if limit.get("unit", unit) != unit:
            raise GuidelineError(
                str(path), f"limits.{name}.unit", f"is not {unit}, which the functions compare in",
                f"convert the number to {unit}",
            )  # fmt: skip
        if not str(limit.get("source", "")).startswith("local:"):
            raise GuidelineError(
                str(path), f"limits.{name}", "does not say who decided it",
                'add source = "local: who, when and why"',
            )  # fmt: skip
    changed: list[str] = []

    def merged(old: Any, new: Any, name: str) -> Any:
        if isinstance(old, dict) and isinstance(new, dict):
            result = dict(old)
            for key, value in new.items():
                unset = _MAY_BE_UNSET.get(name.partition(".")[0], ()) if "." in name else ()
                if key not in old and key not in unset:
                    raise GuidelineError(
                        str(path), f"{name}.{key}".lstrip("."), "is not a name of this guideline",
                        f"use one of {', '.join(sorted(map(str, old)))}",
                    )  # fmt: skip
                result[key] = merged(old.get(key), value, f"{name}.{key}".lstrip("."))
            return result
        if isinstance(old, str) and isinstance(new, str):
            try:
                extra = placeholders(new) - placeholders(old)
            except ValueError as error:
                raise GuidelineError(
                    str(path), name, f"has a brace that opens or closes nothing ({error})",
                    "write a brace that is meant as such twice",
                ) from None  # fmt: skip
            if extra:
                raise GuidelineError(
                    str(path), name, f"uses {{{sorted(extra)[0]}}}, which this text is not given",
                    "use only the placeholders of the original text",
                )  # fmt: skip
            if old.strip() and not new.strip():
                raise GuidelineError(
                    str(path), name, "is empty", "write the text, or leave it out to keep ours"
                )  # fmt: skip
        if old != new:
            changed.append(name)
        return new

    return merged(base, changes, ""), tuple(changed)


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


_RULE_ID = re.compile(r"^[A-Z][A-Z0-9]*-\d+[a-z]?$|^DOSE-[A-E]$")


def check_rules(
    rules: Mapping[str, Rule],
    statements: Mapping[str, Statement],
    sources: Mapping[str, Source],
    named_sources: Sequence[tuple[str, str]],
    path: Path,
) -> None:
    """Refuse rule ids out of form, statements nobody serves, and sources nobody listed."""
    for rule in rules:
        if not _RULE_ID.match(rule):
            raise GuidelineError(str(path), f"rules.{rule}", "is no rule id", "write it as STAT-02")
    for name, statement in statements.items():
        if not statement.served_by and not statement.not_clinical:
            raise GuidelineError(
                str(path), f"statements.{name}", "is served by nothing",
                "name its rules in served_by, or say in not_clinical why there are none",
            )  # fmt: skip
        for server in statement.served_by:
            if _RULE_ID.match(server) and server not in rules:
                raise GuidelineError(
                    str(path), f"statements.{name}", f"names {server}, which is no rule",
                    "add the rule or correct the id",
                )  # fmt: skip
    for name, source in named_sources:
        if source.startswith(("policy:", "local:")):
            continue
        for part in re.split(r",\s*", source):
            listed = part in sources or part in statements or part in rules
            if not listed and not re.fullmatch(r"C-\d+", part):
                raise GuidelineError(
                    str(path), name, f"cites {part!r}, which is not in the bibliography",
                    'list it under [sources], or write "policy: why"',
                )  # fmt: skip
