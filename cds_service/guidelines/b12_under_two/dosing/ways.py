"""By what way an order gives a drug: by its codes, its words, and what the product allows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from cds_service.clinical import DraftDosage
from cds_service.guidelines.b12_under_two.data import Guideline
from cds_service.guidelines.b12_under_two.drugs import BY_MOUTH, INJECTED, Drug, ProductWay, Way
from cds_service.guidelines.b12_under_two.messages import Doubts
from cds_service.guidelines.b12_under_two.products import has, remembered, words_of
from cds_service.language import Listed, Message, say

BY_INJECTION: frozenset[Way] = frozenset(INJECTED)

#: The routes that suit each product. An injection is also swallowed, in practice.
_SUITABLE: dict[str, frozenset[Way]] = {
    "oral": frozenset({"oral", "sublingual"}),
    "sublingual": frozenset({"oral", "sublingual"}),
    "nasal": frozenset({"nasal"}),
    "parenteral": BY_INJECTION | {"oral"},
}

_WAYS: Mapping[Way, Message] = {
    "oral": say(Doubts.way_oral),
    "sublingual": say(Doubts.way_sublingual),
    "nasal": say(Doubts.way_nasal),
    "intramuscular": say(Doubts.way_intramuscular),
    "subcutaneous": say(Doubts.way_subcutaneous),
    "intravenous": say(Doubts.way_intravenous),
    "parenteral": say(Doubts.way_parenteral),
}


def route_of_line(
    dosage: DraftDosage, drug: Drug, g: Guideline
) -> tuple[frozenset[Way], Message | None]:  # fmt: skip
    """The ways this line may go by, and what is wrong with what is stated of them.

    By the codes of the route, otherwise by its text and the names of its codes, otherwise by the
    product. Where they contradict each other, all of them may be meant.
    """
    of_product = ways_of(drug)
    said, problem = ways_said(dosage, g)
    if problem:
        return said or of_product, problem
    if not said:
        return of_product, None if of_product else say(Doubts.no_route)
    if drug.way and not said <= _SUITABLE[drug.way]:
        return said | of_product, _unfit(said, drug.way)
    return said, None


def _unfit(said: frozenset[Way], product: ProductWay) -> Message:
    """That a product of one way is to go by others."""
    ways = ways_listed(said)
    match product:
        case "oral":
            return say(Doubts.route_not_oral, ways=ways)
        case "sublingual":
            return say(Doubts.route_not_sublingual, ways=ways)
        case "nasal":
            return say(Doubts.route_not_nasal, ways=ways)
        case _:
            return say(Doubts.route_not_parenteral, ways=ways)


def ways_said(dosage: DraftDosage, g: Guideline) -> tuple[frozenset[Way], Message | None]:
    """The ways that codes and texts say, none where nothing is stated, and what is wrong with
    it."""
    coded = _coded_ways(dosage, g)
    if len(coded) > 1:
        return coded, say(Doubts.routes_differ)
    texts = dict.fromkeys((dosage.route_text, *(code.display for code in dosage.route)))
    read = [ways_in(text, g) for text in texts if text]
    said, against = _joined(coded, [one.ways for one in read])
    if against:
        named = say(Doubts.routes_said, ways=ways_listed(said), others=ways_listed(against))
        return said | against, named
    stated = bool(dosage.route or dosage.route_text)
    negated = any(one.negated for one in read)
    unclear = "route" in dosage.unclear or negated or (stated and not said)
    return said, _unknown_route(dosage) if unclear else None


def _unknown_route(dosage: DraftDosage) -> Message:
    names = (dosage.route_text, *(code.display or code.code for code in dosage.route))
    name = next(filter(None, names), "")
    return say(Doubts.route_unknown, route=name) if name else say(Doubts.route_unclear)


def is_spinal(dosage: DraftDosage, g: Guideline) -> bool:
    """Whether a line is to go into the spinal canal or the brain, by its code or its words."""
    if g.codes.routes_spinal.any_of(dosage.route) is not None:
        return True
    names = g.file.names
    said = (dosage.route_text, *(one.display for one in dosage.route), *dosage.words)
    return any(
        has(words, names.routes.spinal) and not has(words, names.negations)
        for words in map(words_of, filter(None, said))
    )


def _joined(
    said: frozenset[Way], texts: Iterable[frozenset[Way]]
) -> tuple[frozenset[Way], frozenset[Way]]:
    """What codes and texts say together, and the first that contradicts what was stated before."""
    for written in texts:
        both = agreed(said, written)
        if not both and said and written:
            return said, written
        said = both or said
    return said, frozenset()


def agreed(said: frozenset[Way], written: frozenset[Way]) -> frozenset[Way]:
    """What two statements have in common: of "by injection" and a place, the place."""
    if not said or not written:
        return said | written
    together = said | written
    if "parenteral" in together and together <= BY_INJECTION:
        return together - {"parenteral"} or together
    return said & written


def ways_of(drug: Drug) -> frozenset[Way]:
    return frozenset({drug.way}) if drug.way else frozenset()


def _coded_ways(dosage: DraftDosage, g: Guideline) -> frozenset[Way]:
    codes = g.codes
    ways: set[Way] = set()
    for code in dosage.route:
        if codes.routes_oral.decides(code):
            ways.add("oral")
        elif codes.routes_other.decides(code):
            ways.add("nasal" if codes.routes_nasal.decides(code) else "sublingual")
        elif codes.routes_parenteral.decides(code):
            ways.add(
                "intramuscular" if codes.routes_intramuscular.decides(code)
                else "subcutaneous" if codes.routes_subcutaneous.decides(code)
                else "intravenous" if codes.routes_intravenous.decides(code)
                else "parenteral"
            )  # fmt: skip
    return frozenset(ways)


class _Said(NamedTuple):
    """The ways that a text names, none when it says what not to do."""

    ways: frozenset[Way]
    negated: bool = False


def is_said_under_the_skin(dosages: Sequence[DraftDosage], g: Guideline) -> bool:
    """Whether the words of every line are for an injection under the skin and no other."""
    texts = [one.text for one in dosages]
    return bool(texts) and all(
        bool(text) and ways_in(text, g).ways == {"subcutaneous"} for text in texts
    )


_ASIDES = re.compile(r"\([^()]*\)").sub


@remembered(512)
def ways_in(text: str, g: Guideline) -> _Said:
    words, negations = words_of(text), g.file.names.negations
    if has(words, negations):
        words = words_of(_ASIDES("", text))  # "deep subcutaneous (not intramuscular)"
        if has(words, negations):
            return _Said(frozenset(), negated=True)
    routes = g.file.names.routes
    found = {way for way in (*BY_MOUTH, *INJECTED) if has(words, getattr(routes, way))}
    if found & (BY_INJECTION - {"parenteral"}):
        found.discard("parenteral")
    return _Said(frozenset(found))


def ways_listed(ways: Iterable[Way]) -> Listed:
    return Listed(tuple([_WAYS[one] for one in sorted(ways)]), "alternative")
