"""A drafted order and what is understood of it."""

from __future__ import annotations

from decimal import Decimal
from functools import cached_property

from msgspec import Struct

from cds_service.clinical import Draft
from cds_service.guidelines.b12_under_two.data import Guideline
from cds_service.guidelines.b12_under_two.dosing import Dosing, understand
from cds_service.guidelines.b12_under_two.products import (
    BY_MOUTH,
    INJECTED,
    Drug,
    Kind,
    Way,
    recognise,
)
from cds_service.guidelines.b12_under_two.words import shown_dose

_IN_WORDS: dict[Way, str] = {
    "oral": "by mouth",
    "sublingual": "under the tongue",
    "nasal": "into the nose",
    "parenteral": "by injection",
    "intramuscular": "into the muscle",
    "subcutaneous": "under the skin",
    "intravenous": "into the vein",
}
#: A draft in one of these states orders nothing (any more).
_DEAD = frozenset({"cancelled", "stopped", "completed", "ended", "entered-in-error", "revoked"})


class Order(Struct, frozen=True, dict=True):
    """A draft of a drug, its drug, and what its writer called it.

    Its dosage is understood when first asked for: nobody asks for that of another drug.
    ``weight_kg`` is the child's weight to dose by.
    """

    draft: Draft
    drug: Drug
    name: str
    weight_kg: Decimal | None
    g: Guideline

    @property
    def kind(self) -> Kind:
        return self.drug.kind

    @cached_property
    def dosing(self) -> Dosing:
        return understand(self.draft.dosages, self.drug, self.weight_kg, self.g)

    @cached_property
    def ways(self) -> tuple[Way, ...]:
        return tuple(sorted(self.dosing.ways))

    @cached_property
    def injected(self) -> bool:
        return not self.dosing.ways.isdisjoint(INJECTED)

    @property
    def by_mouth(self) -> bool:
        return not self.dosing.ways.isdisjoint(BY_MOUTH)

    @cached_property
    def dose_in_words(self) -> str:
        return self.dosing.in_words()

    @cached_property
    def ways_in_words(self) -> str:
        return " or ".join([_IN_WORDS[one] for one in self.ways]) or "route not given"

    @cached_property
    def reading(self) -> dict[str, object]:
        """The doses as they were written, and what they were taken to mean."""
        ends = [one for line in self.draft.dosages for one in (line.low, line.high) if one]
        written = " / ".join(dict.fromkeys([one.written for one in ends]))
        average = self.dosing.average_high
        daily = "" if average is None else f", {shown_dose(average, 1)} µg a day on average"
        reading = f"{self.dose_in_words}{daily}, {self.ways_in_words}"
        return {"written": written or "no dose", "reading": reading}


def is_live(draft: Draft) -> bool:
    """Whether it orders a drug, or will when it is signed."""
    return draft.kind == "drug" and draft.begun and draft.status not in _DEAD


def is_empty(draft: Draft) -> bool:
    """Whether it is an order of a drug that is not chosen yet."""
    return draft.kind == "drug" and not draft.begun


def read_order(draft: Draft, weight_kg: Decimal | None, g: Guideline) -> Order:
    drug = recognise(draft.codes, draft.text, g)
    name = draft.text or next((one.display for one in draft.codes if one.display), "")
    name = name or ("vitamin B12" if drug.kind == "b12" else "an order without a name")
    return Order(draft, drug, name, weight_kg, g)


def unread(count: int, weight_kg: Decimal | None, g: Guideline) -> Order:
    """Stands for ``count`` orders of which nothing could be read."""
    name = "An order in the basket" if count == 1 else f"{count} orders in the basket"
    return Order(Draft("drug", "", b"{}"), Drug("unknown"), name, weight_kg, g)
