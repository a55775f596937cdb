"""Orders not to give vitamin B12, one form of it, or any injection: what they hold back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from cds_service.clinical import Draft, Medication
from cds_service.guidelines.b12_under_two.data import Guideline
from cds_service.guidelines.b12_under_two.dosing import understand
from cds_service.guidelines.b12_under_two.drugs import INJECTED, Substance, Way
from cds_service.guidelines.b12_under_two.products import has_phrase, names_b12, recognise, words_of


class Prohibition(NamedTuple):
    """What must not be given: of one ``substance`` by some ``ways``; of any and by all where empty.

    ``name`` is what its writer called it."""

    name: str
    substance: Substance
    ways: frozenset[Way]

    def forbids(self, substance: str, ways: frozenset[Way]) -> bool:
        """Whether a drug of ``substance`` by ``ways`` may be what is meant."""
        same = not (self.substance and substance) or self.substance == substance
        together = self.ways | ways
        by_injection = "parenteral" in together and self._injects(self.ways) and self._injects(ways)
        return same and (not self.ways or not ways or bool(self.ways & ways) or by_injection)

    @staticmethod
    def _injects(ways: frozenset[Way]) -> bool:
        return not ways.isdisjoint(INJECTED)


def prohibition_of(one: Medication | Draft, g: Guideline) -> Prohibition | None:
    """What an order not to give something forbids of what is ordered here. A form that only the
    code of the product has narrows nothing: "no vitamin B12" is of all of it."""
    names = [name for name in (one.text, *(code.display for code in one.codes)) if name]
    name = next(iter(names), "")
    routed = [line for line in one.dosages if line.route or line.route_text]
    drug = recognise(one.codes, one.text, g)
    if drug.kind in ("b12", "antidote") or names_b12(names, g):
        ways = understand(routed, drug, None, g).ways if routed else frozenset[Way]()
        return Prohibition(name or g.file.orders.unnamed_b12, _substance_named(names, g), ways)
    by_name = _injections_named(name, g)
    return Prohibition(name, "", by_name) if by_name else None


_FORMS: tuple[Substance, ...] = (
    "cyanocobalamin", "hydroxocobalamin", "methylcobalamin", "adenosylcobalamin",
)  # fmt: skip


def _substance_named(names: Sequence[str], g: Guideline) -> Substance:
    """The form that the first of the names has that is of vitamin B12; "" where it leaves it
    open."""
    b12 = g.file.names.b12
    for name in names:
        found = [one for one in _FORMS if has_phrase(name, getattr(b12, one))]
        if found or has_phrase(name, b12.unspecified):
            return found[0] if len(found) == 1 and not has_phrase(name, b12.unspecified) else ""
    return ""


def _injections_named(name: str, g: Guideline) -> frozenset[Way]:
    """The ways of injecting that a name is of, where it names nothing else ("no IM injections")."""
    names = g.file.names
    ways: tuple[Way, ...] = ("intramuscular", "subcutaneous", "intravenous", "parenteral")
    phrases = {way: getattr(names.routes, way) for way in ways}
    known = {word for every in phrases.values() for one in every for word in one.split()}
    known |= {*names.ways.parenteral, *names.negations, "any", "route"}
    words = words_of(name)
    if not words.each or not words.each <= known:
        return frozenset()
    named = frozenset(way for way in ways if has_phrase(name, phrases[way]))
    if named & {"intramuscular", "subcutaneous", "intravenous"}:
        return named - {"parenteral"}
    return named or (frozenset({"parenteral"}) if words.each & {*names.ways.parenteral} else named)
