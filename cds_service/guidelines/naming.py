"""A guideline's words: from its catalogue into its data, and from its data by their ids.

Besides cards and sentences these are names of medicines and tests, doses, links and reasons, which
the catalogue has under the names that the data have. `with_texts` puts them where they belong, as
if they had been written there, so that a site changes them like anything else; `texts_in_force`
finds them again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct, structs

from cds_service.guidelines.checks import entries
from cds_service.guidelines.engine import CARD_TEXTS, text_id
from cds_service.language import Message, ids_of
from cds_service.language.catalogues import check_ids, flattened, path_of, read_catalogue

#: Lists of the data, each entry known by one of its members.
_KNOWN_BY = {"offers": "hook", "override_reasons": "code", "published_schedules": "id"}
#: Tables of the catalogue with one word for each entry, and the section and member that has it.
_ONE_WORD = {
    "links": ("links", "label"),
    "sources": ("sources", "label"),
    "override_reasons": ("override_reasons", "display"),
    "schedules": ("published_schedules", "name"),
}
#: Tables whose entries are tables of words, and the section that has them.
_WORDS = {"offers": "offers", "products": "products", "tests": "tests"}
#: Tables that the data have as they are, under a name that says so.
_AS_THEY_ARE = {"routes": "route_names", "substances": "substances", "labs": "labs"}
_PLACED = ("guideline", "doses", *_ONE_WORD, *_WORDS, *_AS_THEY_ARE)

_OFFER = ("title", "description", "usage_requirements")


def with_texts(data: Mapping[str, Any], folder: Path, *schemas: type[Struct]) -> dict[str, Any]:
    """``data`` with the texts of the catalogue in ``folder`` in their places: those of each card of
    ``data``, the names of its entries, and the tables of ``schemas``. Raises `CatalogueError`."""
    tables = read_catalogue(folder)
    texts, cards = dict(flattened(tables)), data["cards"]
    may = [text_id(name, member) for name in cards for member in CARD_TEXTS[1:]]
    wanted = [
        *(text_id(name, "summary") for name in cards),
        *(name for name in may if name in texts),
        *(name for schema in schemas for name in ids_of(schema)),
        *(name for name in texts if name.partition(".")[0] in _PLACED),
    ]
    check_ids(path_of(folder), wanted, texts)
    worded = {name: card | tables["cards"].get(name, {}) for name, card in cards.items()}
    own = {name: table for name, table in tables.items() if name not in _PLACED}
    return {**_placed(data, tables), **own, "cards": worded}


def texts_in_force(file: Any, *tables: Struct) -> dict[str, str]:
    """The texts of the cards of a guideline's ``file``, its names, and those of other tables of the
    catalogue, by their ids."""
    found = {
        text_id(name, member): getattr(card, member)
        for name, card in file.cards.items()
        for member in CARD_TEXTS
    }
    for table in tables:
        found |= dict(zip(ids_of(type(table)), structs.astuple(table), strict=True))
    return {name: text for name, text in (*found.items(), *_names_in(file)) if text}


def _placed(data: Mapping[str, Any], tables: Mapping[str, Any]) -> dict[str, Any]:
    """``data`` with the words of the catalogue's ``tables`` in their places."""
    worded = dict(data)
    if "guideline" in tables:
        worded["guideline"] = {**data["guideline"], **tables["guideline"]}
    for name, (section, member) in _ONE_WORD.items():
        if name in tables:
            words = {one: {member: word} for one, word in tables[name].items()}
            worded[section] = _with(worded[section], words, section)
    for name, section in _WORDS.items():
        if name in tables:
            worded[section] = _with(worded[section], tables[name], section)
    for name, section in _AS_THEY_ARE.items():
        if name in tables:
            worded[section] = tables[name]
    if "doses" in tables:
        worded["doses"] = {
            name: _dose(dose, tables["doses"].get(name, {})) for name, dose in data["doses"].items()
        }
    return worded


def _with(entries_: Any, words: Mapping[str, Any], section: str) -> Any:
    """Each entry of a section with its words."""
    if isinstance(entries_, Mapping):
        return {name: {**one, **words.get(name, {})} for name, one in entries_.items()}
    key = _KNOWN_BY[section]
    return [{**one, **words.get(one[key], {})} for one in entries_]


def _dose(dose: Mapping[str, Any], words: Mapping[str, str]) -> dict[str, Any]:
    """A dose with its label and the text of each phase; what follows goes with the last."""
    if not words:
        return dict(dose)
    phases = [
        {**phase, "text": words.get(f"phase_{number}", "")}
        for number, phase in enumerate(dose["phases"], 1)
    ]
    if "then" in words:
        phases[-1]["then"] = words["then"]
    return {**dose, "label": words.get("label", ""), "phases": phases}


def keyed(data: Mapping[str, Any]) -> dict[str, Any]:
    """``data`` whose doses, products and tests know their own names, which no file states."""
    return {
        name: {key: {**one, "key": key} for key, one in section.items()}
        if name in ("doses", "products", "tests")
        else section
        for name, section in data.items()
    }


def _names_in(file: Any) -> Iterator[tuple[str, str]]:
    """What a clinician reads of a guideline's data, by its id."""
    about = file.guideline
    yield from (("guideline.label", about.label), ("guideline.review_status", about.review_status))
    for offer in file.offers:
        yield from ((f"offers.{offer.hook}.{name}", getattr(offer, name)) for name in _OFFER)
    yield from ((f"links.{name}", one.label) for name, one in file.links.items())
    yield from ((f"sources.{name}", one.label) for name, one in file.sources.items())
    yield from ((f"override_reasons.{one.code}", one.display) for one in file.override_reasons)
    for name, one in entries(file.products):
        yield f"products.{name}.name", one.name
    for name, one in entries(file.tests):
        yield from (
            (f"tests.{name}.{member}", getattr(one, member)) for member in ("name", "inside")
        )
    for name, dose in entries(file.doses):
        yield f"doses.{name}.label", dose.label
        for number, phase in enumerate(dose.phases, 1):
            yield f"doses.{name}.phase_{number}", phase.text
        yield f"doses.{name}.then", dose.phases[-1].then
    for schedule in getattr(file, "published_schedules", ()):
        yield f"schedules.{schedule.id}", schedule.name
    for table, section in _AS_THEY_ARE.items():
        yield from _of_table(table, getattr(file, section, {}))


def _of_table(above: str, table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, one in table.items():
        if isinstance(one, str):
            yield f"{above}.{name}", one
        else:
            yield from _of_table(f"{above}.{name}", one)


# --- the same words as messages -------------------------------------------------------------


def lab(name: str) -> Message:
    """What a card calls a laboratory value."""
    return Message(f"labs.{name}")


def route(name: str, *, inside: bool = False) -> Message:
    """The name of a route, or as it is inside a sentence."""
    return Message(f"routes.{name}.{'inside' if inside else 'name'}")


def substance(name: str, *, first: bool = False) -> Message:
    """A substance inside a sentence, or at the beginning of one."""
    return Message(f"substances.{name}.{'first' if first else 'name'}")
