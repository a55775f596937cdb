"""Medications that orders only refer to: found with them, by whatever name they go."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import msgspec
from msgspec import Raw

from cds_service.clinical import Code
from cds_service.fhir import elements, wire
from cds_service.fhir.gather import UNDECODABLE, Answer

#: Codes and words for a drug; neither where it could not be obtained.
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
            identity = elements.codes(product.code), elements.text(product.code)
            if product.id:
                yield f"Medication/{product.id}", identity
            if address:
                yield address, identity


def decode_medication(raw: Raw | bytes) -> wire.Product | None:
    """``None`` for another resource, and for one that cannot be read."""
    try:
        product = _medication(raw)
    except UNDECODABLE:
        return None
    return product if product.resource_type == "Medication" else None
