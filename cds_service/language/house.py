"""The service's own texts: what is said in nobody's guideline.

`House` is the schema of ``texts/en.toml``, a struct a table. Whoever says one names it here,
``say(house.Card.why)``; a guideline has a schema of its own for its texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import msgspec
from msgspec import Struct

from cds_service.errors import CatalogueError
from cds_service.language import Language
from cds_service.language.catalogues import (
    FOLDER,
    ORIGINAL,
    check_translation,
    flattened,
    read_catalogue,
)


class List(Struct, frozen=True, forbid_unknown_fields=True):
    """What stands between the items of a `language.Listed`."""

    comma: str
    semicolon: str
    conjunction: str


class Format(Struct, frozen=True, forbid_unknown_fields=True):
    """How numbers are written with what they count."""

    amount: str
    percent: str
    days: str
    hours: str
    minutes: str
    seconds: str


class Card(Struct, frozen=True, forbid_unknown_fields=True):
    """The headings of a card's sections, and the guideline's own sentence below them."""

    advice: str
    why: str
    safety: str
    follow_up: str
    missing: str
    quotation: str
    evidence: str


class Action(Struct, frozen=True, forbid_unknown_fields=True):
    """What an action of a suggestion does, whole: some clients show nothing else."""

    prescribe: str
    test: str
    remove: str
    stop: str
    change: str
    change_named: str
    route: str


class Order(Struct, frozen=True, forbid_unknown_fields=True):
    """What orders count in."""

    day: str
    days: str
    weeks: str
    months: str


class Account(Struct, frozen=True, forbid_unknown_fields=True):
    """What the account of a call says beside the codes of its outcome."""

    because: str
    unusable: str
    missing: str
    incomplete: str
    unreadable: str
    no_basket: str
    unreadable_drafts: str
    in_trial: str


class Case(Struct, frozen=True, forbid_unknown_fields=True):
    """The answer to a case in plain text."""

    bundle: str
    request: str
    evaluated: str
    evaluated_as_asked: str
    evaluated_as_set: str
    evaluated_as_written: str
    guideline: str
    card: str
    accept_one: str
    accept_any: str
    suggestion: str
    recommended: str
    action: str
    to_read: str
    link: str
    source: str
    nothing_to_say: str
    not_evaluated: str
    because: str
    evaluation: str
    outcome: str
    fired: str
    missing: str
    foreign: str
    local: str
    validation: str
    valid: str


class House(Struct, frozen=True, forbid_unknown_fields=True):
    """``texts/en.toml``, whole. ``unit`` has UCUM units as people write them."""

    list: List
    format: Format
    unit: Mapping[str, str]
    card: Card
    action: Action
    order: Order
    account: Account
    case: Case


@cache
def language(tag: str = ORIGINAL) -> Language:
    """The service's own texts in one language. Raises `CatalogueError`."""
    here = Path(__file__).parent
    originals = _checked(here, read_catalogue(here))
    if tag == ORIGINAL:
        return Language(tag, originals)
    texts = dict(flattened(read_catalogue(here, tag)))
    check_translation(here / FOLDER / f"{tag}.toml", texts, originals)
    return Language(tag, texts, Language(ORIGINAL, originals))


def _checked(folder: Path, tables: Mapping[str, object]) -> dict[str, str]:
    """The texts by id, each of which is one of `House`, and all of those."""
    try:
        msgspec.convert(tables, House)
    except msgspec.ValidationError as error:
        problem, _, where = str(error).partition(" - at ")
        name = where.strip("`").removeprefix("$.").removeprefix("$") or "the file"
        raise CatalogueError(
            folder / FOLDER / f"{ORIGINAL}.toml",
            name,
            problem[0].lower() + problem[1:],
            "house.py says which texts there are; correct one of the two",
        ) from None
    return dict(flattened(tables))
