"""What the rest of the program may ask of a guideline, whichever it is, and what the files of all
of them have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import NoneType
from typing import Any, Generic, Protocol, TypeVar

from msgspec import Raw, Struct, structs

from cds_service.clinical import Basket, Code, CodeMap, Need, Plan, PlannedDrug, Record, Unread
from cds_service.guidelines.checks import entries
from cds_service.guidelines.codelists import CodeList
from cds_service.guidelines.cohort import Cohort, Found
from cds_service.guidelines.engine import (
    About,
    CardText,
    Limit,
    Link,
    Note,
    Outcome,
    OverrideReason,
    Rule,
    Source,
    Statement,
    Wording,
)
from cds_service.guidelines.explain import Account
from cds_service.guidelines.overrides import Changes
from cds_service.guidelines.tables import Reasoning, Table, TableWords
from cds_service.guidelines.workbench import Chart, Desk
from cds_service.language import Language, Listed, Message, Words, say
from cds_service.language.catalogues import Translation

# --- its file -------------------------------------------------------------------------------


class Offer(Struct, frozen=True, forbid_unknown_fields=True):
    """A CDS Hooks service that a guideline offers, in the words of discovery.

    ``hook`` is "patient-view", which asks about the chart, or "order-select" or "order-sign",
    which ask about orders being written and about to be signed.
    """

    hook: str
    title: str
    description: str
    usage_requirements: str


class GuidelineFile(Struct, frozen=True, forbid_unknown_fields=True):
    """The sections that every guideline's file has; a guideline adds its own. ``rules`` may be
    filled in from the words of its tables, see `rules_of`."""

    guideline: About
    offers: tuple[Offer, ...]
    cards: Mapping[str, CardText]
    links: Mapping[str, Link]
    override_reasons: tuple[OverrideReason, ...]
    rules: Mapping[str, Rule]
    statements: Mapping[str, Statement]
    sources: Mapping[str, Source]

    @property
    def wording(self) -> Wording:
        return Wording(
            self.guideline,
            self.cards,
            self.rules,
            self.statements,
            self.sources,
            self.links,
            self.override_reasons,
        )


def rules_of(words: Iterable[TableWords]) -> dict[str, Rule]:
    """Every row in words, in the order in which it is published and tried."""
    return {
        rule: Rule(one.title.replace(" ", "_"), row.condition, row.result, row.source)
        for one in words
        for rule, row in one.rows.items()
    }


class Texts(Struct):
    """What ends the cards is stated by every guideline, each in words of its own: its table of
    texts has these too."""

    as_of: str
    local_settings: str
    review: str


def closing_notes(on: date, *, as_of_is_set: bool) -> tuple[Note, ...]:
    """What every card ends with: that the operator chose the date."""
    return (Note("missing", say(Texts.as_of, date=on)),) if as_of_is_set else ()


def review_notes(about: About, local: Sequence[str]) -> tuple[Note, ...]:
    """What an answer says once: what the site changed, and how far the guideline was reviewed."""
    told = [say(Texts.local_settings, names=Listed(tuple(local)))] if local else []
    status = Message("guideline.review_status")
    told.append(say(Texts.review, status=status, edition=about.edition))
    return tuple(Note("missing", one) for one in told)


def words_in(*data: object) -> Iterator[str]:
    """Every word or sentence of data, as it begins there and as it does inside a sentence."""
    waiting: list[object] = [*data]
    words: dict[str, None] = {}
    while waiting:
        one = waiting.pop()
        kind = type(one)
        if kind is str:
            words[one] = None  # type: ignore[index]
        elif kind in _WORDLESS:
            continue
        elif isinstance(one, Struct):
            waiting += structs.astuple(one)
        elif isinstance(one, Mapping):
            waiting += one.values()
        elif isinstance(one, Sequence):
            waiting += one
    for word in words:
        yield word
        yield word[:1].lower() + word[1:]


#: Most of what is in data and holds no words.
_WORDLESS = frozenset({NoneType, bool, int, Decimal})


def inventory(file: GuidelineFile, codes: Struct, orders: int) -> Iterator[str]:
    """In lines for a person what a guideline's data hold, ``orders`` being valid FHIR."""
    sections = ((name, getattr(file, name, None)) for name in _SECTIONS)
    counted = [_counted(len(one.__struct_fields__), name) for name, one in sections if one]
    yield f"{', '.join(counted)}: the {orders} orders they can make are valid FHIR R4"
    words = (("rules", file.rules), ("cards", file.cards), ("statements", file.statements),
             ("sources", file.sources))  # fmt: skip
    told = ", ".join(_counted(len(one), name) for name, one in words)
    yield f"{told}: every name leads somewhere"
    lists = [one for _, one in entries(codes)]
    rows = [row for one in lists for row in one.codes]
    verified = sum(row.verified for row in rows)
    yield (
        f"{_counted(len(lists), 'code lists')} with {_counted(len(rows), 'codes')}: {verified}"
        f" decide, {len(rows) - verified} are unverified and only named to people"
    )


_SECTIONS = ("limits", "doses", "products", "tests")


def _counted(number: int, things: str) -> str:
    return f"{number} {things.removesuffix('s') if number == 1 else things}"


# --- its known answers ----------------------------------------------------------------------


class KnownCase(Struct, frozen=True, forbid_unknown_fields=True):
    """An invented child whose right answer is known, to be asked while the service runs.

    ``request`` is a whole call of ``hook`` with its prefetch, dated as of the day ``on``, and
    ``accepted`` what was read and accepted as the decision; `consultation.known_answers` compares.
    """

    name: str
    hook: str
    on: date
    request: Raw
    accepted: Mapping[str, Any]


# --- its tables ----------------------------------------------------------------------------


class Published(Struct, frozen=True):
    """A decision table by the name that it is exported under, and whether it is asked of orders
    being written only."""

    name: str
    table: Table[Any, Any]
    of_orders: bool = False


class Regimen(Struct, frozen=True):
    """An order that a row of a table means, for no one; ``label`` is what it is in words. The
    amount of one that is ``per_kg`` depends on the weight, and that of its plan is not used."""

    row: str
    name: str
    label: Words
    plan: PlannedDrug
    per_kg: Decimal | None = None


class Lexicon(Struct, frozen=True):
    """What reading a chart rests on besides limits, constants and codes, by name.

    ``answers`` are whole answers in words that are understood, in small letters; ``names`` words
    that a name of something may hold, in any place; ``choices`` what is chosen where there are
    several; ``curves`` the numbers at each whole number from the first on, of which the last hold
    for all that follow.
    ``ordered`` are the codes by which its tests are known to be ordered, a system "" being any.
    """

    answers: Mapping[str, Sequence[str]] = {}
    names: Mapping[str, Sequence[str]] = {}
    choices: Mapping[str, str] = {}
    curves: Mapping[str, Sequence[Sequence[Decimal]]] = {}
    ordered: Sequence[Code] = ()


# --- its judgement --------------------------------------------------------------------------

_Facts = TypeVar("_Facts")


class Evaluation(Struct, Generic[_Facts], frozen=True):
    """What came of it, and every rule asked on the way.

    ``facts`` are the guideline's own affair: what shows or keeps an evaluation does not look
    into them. ``unusable`` are results that are there and cannot be used, as they were sent, and
    ``basket`` are the orders that were checked. ``unread`` is the one account of what was sent and
    not used, orders being written included: what cards, the answer's extension, the store and the
    metrics tell of it is made of this.
    """

    outcomes: tuple[Outcome, ...]
    reasoning: Reasoning
    facts: _Facts
    unusable: tuple[Words, ...] = ()
    basket: Basket | None = None
    unread: tuple[Unread, ...] = ()


_Evaluation = TypeVar("_Evaluation", bound=Evaluation[Any])


class GuidelineOf(Protocol[_Evaluation]):
    """One guideline in force: its data, its words and its judgement, in evaluations of its own.

    Every answer is a pure function of what is given; nothing here looks at a clock, opens a file
    or raises on any record.
    """

    @property
    def wording(self) -> Wording:
        """What cards say in its name, and what it is called."""

    @property
    def texts(self) -> Mapping[str, str]:
        """Its texts as they are in force, by their ids, in the language they were written in."""

    def translation(self, tag: str) -> Translation:
        """Its texts in another language, as they come. Raises `CatalogueError`."""

    @property
    def catalogues(self) -> Path:
        """The folder that has its texts, a file for each language."""

    @property
    def needs(self) -> tuple[Need, ...]:
        """What it wants to know about a patient."""

    def own_words(self) -> Iterator[str]:
        """What it says in words of its own, none of which is about a patient: names of its tests,
        medicines and codes, and its regimens."""

    @property
    def local(self) -> tuple[str, ...]:
        """Dotted names of what the site changed."""

    def lists_of(self, code: Code) -> tuple[str, ...]:
        """The names of its code lists that a code is on."""

    @property
    def purposes(self) -> Mapping[str, str]:
        """What each of its code lists is for, by name."""

    @property
    def offers(self) -> tuple[Offer, ...]:
        """The services it offers, in the order of discovery."""

    def look(self, record: Record, on: date) -> Any:
        """What it sees in a record on a date, whatever it is asked: may be given with each question
        about the same record and date, and saves finding it out again."""

    def evaluate(self, record: Record, on: date, seen: Any = None) -> _Evaluation:
        """What it says about a patient on a date."""

    def evaluate_orders(
        self, record: Record, basket: Basket, on: date, *, signing: bool, seen: Any = None
    ) -> _Evaluation:
        """What it says about orders: those selected, or all when they are about to be signed."""

    def one_action_each(self, evaluation: _Evaluation) -> _Evaluation:
        """The same for a client that applies one action of a suggestion and drops the rest."""

    def data_notes(self, evaluation: _Evaluation, record: Record) -> tuple[Note, ...]:
        """What was missing, left out or not used: said once, on the first card."""

    def closing(self, on: date, *, as_of_is_set: bool) -> tuple[Note, ...]:
        """What every card ends with; ``as_of_is_set`` when the operator chose the date."""

    def review(self) -> tuple[Note, ...]:
        """What an answer says once: how far the guideline was reviewed, and a site's changes."""

    def specimens(self) -> Iterator[tuple[str, Plan]]:
        """One of every order it can suggest, for no one, named by where it is in the data."""

    def decision_tables(self) -> Iterator[Published]:
        """Its decision tables as they are in force, in the order in which they are published."""

    def regimens(self) -> Iterator[Regimen]:
        """What its rows can order, for no one, by product and route."""

    @property
    def facts_in_cql(self) -> str:
        """How the facts of some tables are read from a chart, in CQL: a definition "NAME facts" for
        each of them. "" where that is left to the implementer."""

    @property
    def limits(self) -> Mapping[str, Limit]:
        """Its limits as they are in force, by name."""

    @property
    def constants(self) -> Mapping[str, Decimal]:
        """Its constants as they are in force, by name."""

    @property
    def lexicon(self) -> Lexicon:
        """What else of its data reading a chart rests on."""

    @property
    def code_lists(self) -> Sequence[CodeList]:
        """Its lists of codes as they are in force."""

    @property
    def known_cases(self) -> Sequence[KnownCase]:
        """Children whose right answers are known; none if it has no such."""

    def inventory(self, orders: int) -> Iterator[str]:
        """In lines for a person: what its data hold, ``orders`` being valid FHIR."""

    def account(self, evaluation: _Evaluation, record: Record, language: Language) -> Account:
        """How it came to an evaluation, for a page to show."""

    def explain(self, evaluation: _Evaluation, record: Record, language: Language) -> str:
        """How it came to an evaluation: the same account as plain text."""

    def desk(self) -> Desk:
        """What the workbench needs to know once."""

    def chart(self, evaluation: _Evaluation, record: Record) -> Chart:
        """What the workbench shows of a record besides its problems, medicines and tests."""

    @property
    def cohort(self) -> Cohort:
        """The groups in which many children are counted."""

    def found(self, evaluation: _Evaluation) -> Found:
        """What it says of a child in a list of many."""

    @property
    def readme(self) -> str:
        """What is shown about it besides its data, in Markdown."""

    def describe(self, prefetch_template: Callable[[Need], str], language: Language) -> str:
        """The guideline as a page in Markdown."""


#: Whichever guideline: its evaluations are handed back to it alone.
Guideline = GuidelineOf[Any]


class Known(Struct, frozen=True):
    """A guideline this program has, and how it is loaded: as it ships, or with a site's changes and
    its own codes."""

    id: str
    load: Callable[[Changes | None, CodeMap], Guideline]
