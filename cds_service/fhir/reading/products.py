"""Medications that orders only refer to: found with them, by whatever name they go."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import msgspec
from msgspec import Raw

from cds_service.clinical import Code
from cds_service.fhir import elements, loose, wire
from cds_service.fhir.elements import Unreadable
from cds_service.fhir.gather import UNDECODABLE, Answer
from cds_service.fhir.loose import Json

#: Codes and words for a drug, by what it is called and what is in it; neither where it could not
#: be obtained.
Product: TypeAlias = tuple[tuple[Code, ...], str]

_medication = msgspec.json.Decoder(wire.Product).decode


class Products:
    """Medications by the references to them; nothing is read before one is looked for."""

    def __init__(self, products: Iterable[tuple[str, Product]]) -> None:
        self._products = products
        self._known: dict[str, Product] | None = None

    def find(self, reference: str) -> Product | None:
        if self._known is None:
            self._known = dict(self._products)
        found = self._known.get(reference)
        return found or self._known.get("/".join(elements.last_two_segments(reference)))


def products_in(answer: Answer) -> Iterable[tuple[str, Product]]:
    """The Medications of an answer by type and id and by their full URL."""
    for raw, address in answer.each():
        product = decode_medication(raw)
        if product is not None:
            identity = identity_of(product.code, product.ingredient)
            if product.id:
                yield f"Medication/{product.id}", identity
            if address:
                yield address, identity


def identity_of(called: wire.Concept | None, ingredients: Json) -> Product:
    """A drug by its name, and by what is in it: behind the name, where that does not say it. The
    codes of a single ingredient are those of the drug too."""
    codes, name = elements.codes(called), elements.text(called)
    inside = [one for one in map(_ingredient, _listed(ingredients)) if one is not None]
    if len(inside) == 1:
        codes += tuple(one for one in elements.codes(inside[0]) if one not in codes)
    said = dict.fromkeys(filter(None, map(elements.text, inside)))
    more = " + ".join(one for one in said if one.casefold() not in name.casefold())
    if name and more:
        return codes, f"{name} ({more})"
    return codes, name or more


def _listed(ingredients: Json) -> list[Json]:
    try:
        return loose.many(ingredients)[:_MOST_INGREDIENTS]
    except Unreadable:
        return []


#: A drug of more is no longer known by them.
_MOST_INGREDIENTS = 40


def _ingredient(sent: Json) -> wire.Concept | None:
    """What one ingredient is called, in whichever version; ``None`` for what only carries it."""
    try:
        given = loose.members(sent)
        if given.get("isActive") is False:
            return None
        for name in ("itemCodeableConcept", "item", "itemReference"):
            one = loose.members(given.get(name))
            inner = one.get("reference")
            pointed = inner if isinstance(inner, dict) else one
            if "concept" in one or "coding" in one or "text" in one:
                return loose.concept(one)
            if pointed.get("display"):
                return wire.Concept(text=loose.text(pointed["display"]))
    except Unreadable:
        return None
    return None


def decode_medication(raw: Raw | bytes) -> wire.Product | None:
    """``None`` for another resource, and for one that cannot be read."""
    try:
        product = _medication(raw)
    except UNDECODABLE:
        return None
    return product if product.resource_type == "Medication" else None
