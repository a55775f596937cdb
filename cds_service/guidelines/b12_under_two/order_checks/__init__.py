"""Checks of the orders being written (table ORD), and what is missing among them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from msgspec import structs

from cds_service.clinical import Basket, Draft, Medication
from cds_service.guidelines.b12_under_two.assessment import Assessment, without_treatment
from cds_service.guidelines.b12_under_two.data import Guideline
from cds_service.guidelines.b12_under_two.drugs import Kind
from cds_service.guidelines.b12_under_two.facts import Facts
from cds_service.guidelines.b12_under_two.meanings import names_an_anticoagulant
from cds_service.guidelines.b12_under_two.messages import Doubts, Orders, Texts
from cds_service.guidelines.b12_under_two.order_checks.active import (
    active_antidotes,
    bleeding_beside,
    check_active,
    stopped_by,
)
from cds_service.guidelines.b12_under_two.order_checks.cards import NEXT, Cards, Said
from cds_service.guidelines.b12_under_two.order_checks.one_order import OrderChecks
from cds_service.guidelines.b12_under_two.order_checks.reading import (
    Order,
    is_live,
    is_prohibition,
    orders_nitrous_oxide,
    read_order,
)
from cds_service.guidelines.b12_under_two.order_checks.regimens import Regimens
from cds_service.guidelines.b12_under_two.order_checks.whole_basket import (
    BasketChecks,
    gas_in_the_chart,
)
from cds_service.guidelines.b12_under_two.prescribing import read_safety
from cds_service.guidelines.b12_under_two.products import recognise
from cds_service.guidelines.b12_under_two.prohibitions import prohibition_of
from cds_service.guidelines.b12_under_two.tables.status import StatusName
from cds_service.guidelines.b12_under_two.words import named
from cds_service.guidelines.engine import CannotTell, Note, Outcome, Recommend
from cds_service.guidelines.tables import Reasoning
from cds_service.language import Message, Value, say

__all__ = [
    "active_antidotes",
    "check_active",
    "check_orders",
    "drugs_beside",
    "gas_in_the_chart",
    "may_concern_b12",
    "stopped_by",
]


def check_orders(
    basket: Basket, facts: Facts, a: Assessment, g: Guideline, why: Reasoning, *, signing: bool
) -> list[Outcome]:
    """What to say about the orders being written.

    Every selected order of vitamin B12 is checked in the light of the whole basket. A deficient,
    untreated child whose basket holds no vitamin B12 is spoken of when the orders are signed, or
    while nothing else is being written.
    """
    if not basket.sent:  # no one said which orders are being written: not the same as none
        return [CannotTell("ORD-09", (say(Orders.orders_being_written),))]
    forbidding = _forbidding(basket, g)
    facts = _with_prohibitions(facts, forbidding, g)
    a = without_treatment(facts, a, g)
    orders = [read_order(one, facts.weight.kg, g) for one in basket.drafts if is_live(one)]
    of_b12, unknown = _of("b12", orders), _of("unknown", orders)
    regimens = Regimens(facts, a, g)
    cards = Cards(regimens)
    one_by_one = OrderChecks(regimens, cards, why, of_b12)
    whole = BasketChecks(regimens, cards, why, orders)
    said = _recognised(orders, of_b12, one_by_one)
    said += _forbidden(forbidding, one_by_one)
    said += _of_another_patient(basket, one_by_one, g)
    first = one_by_one.leading
    if first is not None:
        said = _with_what_follows([*said, *whole.levels(first, said)])
    outcomes: list[Outcome] = [one.card for one in said]
    if first is not None:
        outcomes += regimens.specialist([one.card for one in said], why)
    if not of_b12 and not _of("antidote", orders):
        unseen = len(unknown) + basket.unreadable
        outcomes += whole.without_b12(basket, unseen, signing=signing)
    told = _unrecognised(unknown, basket.unreadable, one_by_one, a.status.name)
    outcomes += [one.card for one in told]
    outcomes += whole.nitrous_oxide(basket)
    outcomes += _bleeding(basket, facts, a, g, why)
    outcomes = _minding_the_kidneys(outcomes, of_b12, facts, a, g, why)
    return outcomes or [whole.why_silent(checked=first is not None)]


def _with_what_follows(said: list[Said]) -> list[Said]:
    """With what follows a first phase on the card of the levels, where there is one, and not on a
    card of its own."""
    alone = [one for one in said if one.answer.card == NEXT]
    levels = next((one for one in said if one.card.rule == "ORD-08"), None)
    first = next((one for one in alone if levels and one.card.about == levels.card.about), None)
    if levels is None or first is None:
        return said
    text = say(Texts.first_phase_alone, next=cast(Value, first.card.values["next"]))
    told = levels.with_notes(Note("follow_up", text))
    return [told if one is levels else one for one in said if one is not first]


def _minding_the_kidneys(
    outcomes: list[Outcome],
    orders: Sequence[Order],
    facts: Facts,
    a: Assessment,
    g: Guideline,
    why: Reasoning,
) -> list[Outcome]:
    """Where cyanocobalamin is ordered in renal impairment, the first card about it says what it
    may carry; a sentence never makes a card."""
    cyanocobalamin = {
        one.draft.source
        for one in orders
        if one.draft.selected and one.drug.substance in ("", "cyanocobalamin")
    }
    cards = [one for one in outcomes if isinstance(one, Recommend) and one.about in cyanocobalamin]
    if not cards or not why.row(g.tables.safety, "SAF-08", read_safety(facts, a, g)):
        return outcomes
    text = say(Texts.renal, name=named(facts.renal))
    if any(note.text == text for one in cards for note in one.notes):
        return outcomes
    warned = structs.replace(cards[0], notes=(*cards[0].notes, Note("caution", text)))
    return [warned if one is cards[0] else one for one in outcomes]


def _forbids(draft: Draft, g: Guideline) -> bool:
    """Whether it orders not to give vitamin B12, or injections."""
    return is_prohibition(draft) and prohibition_of(draft, g) is not None


def _forbidding(basket: Basket, g: Guideline) -> list[Draft]:
    return [one for one in basket.drafts if _forbids(one, g)]


def _forbidden(forbidding: Sequence[Draft], one_by_one: OrderChecks) -> Iterator[Said]:
    for one in forbidding:
        if one.selected:
            yield from one_by_one.prohibition(one)


def _of_another_patient(basket: Basket, one_by_one: OrderChecks, g: Guideline) -> Iterator[Said]:
    """Vitamin B12 that is written for someone else among this child's orders."""
    for one in basket.others:
        if one.selected and is_live(one):
            order = read_order(one, None, g)
            if order.kind == "b12":
                yield from one_by_one.of_another_patient(order)


def _bleeding(
    basket: Basket, facts: Facts, a: Assessment, g: Guideline, why: Reasoning
) -> list[Recommend]:
    """Injections in force, next to a drug against clotting that is being ordered."""
    against = any(_acts_against_clotting(one, g) for one in basket.drafts)
    return bleeding_beside(facts, a, g, why) if against else []


def _acts_against_clotting(draft: Draft, g: Guideline) -> bool:
    acts = g.codes.anticoagulant.any_of(draft.codes) is not None
    return is_live(draft) and (acts or names_an_anticoagulant(draft.text, g))


def _with_prohibitions(facts: Facts, forbidding: Sequence[Draft], g: Guideline) -> Facts:
    """With what the orders being written forbid as well."""
    drafted = [one for draft in forbidding if (one := prohibition_of(draft, g)) is not None]
    if not drafted:
        return facts
    prohibited = (*facts.therapy.prohibited, *drafted)
    return structs.replace(facts, therapy=structs.replace(facts.therapy, prohibited=prohibited))


def _of(kind: Kind, orders: Sequence[Order]) -> list[Order]:
    return [one for one in orders if one.kind == kind]


def _recognised(
    orders: Sequence[Order], of_b12: Sequence[Order], one_by_one: OrderChecks
) -> list[Said]:
    """What to say of each selected order that has vitamin B12. Of two that repeat each other it
    is the later one that is one too many, or the selected one."""
    said: list[Said] = []
    for order in orders:
        if order.draft.selected and order.kind == "combination":
            said += one_by_one.combination(order)
        if order.draft.selected and order.kind == "antidote":
            said += one_by_one.antidote(order)
    for place, order in enumerate(of_b12):
        if order.draft.selected:
            aside = [one for one in of_b12[place + 1 :] if not one.draft.selected]
            said += one_by_one.vitamin_b12(order, [*of_b12[:place], *aside])
    return one_by_one.leaving_one(said)


def _unrecognised(
    unknown: Sequence[Order], unreadable: int, one_by_one: OrderChecks, status: StatusName
) -> Iterator[Said]:
    """What to say of the orders that may be of vitamin B12; of those whose name leaves that open
    once, and only where it could change the advice: a whole clinic may write in such a script."""
    vague = []
    for order in unknown:
        if order.draft.selected and order.drug.doubts in _CALMED_BY:
            vague.append(order)
        elif order.draft.selected:
            yield from one_by_one.unidentified(order)
    said = [one for one in vague if status not in _CALMED_BY[one.drug.doubts]]
    if said:
        first, *others = said
        yield from one_by_one.unidentified(first, others)
    if unreadable:
        yield from one_by_one.unread(unreadable)


_ADEQUATE: frozenset[StatusName] = frozenset({"adequate", "probably adequate"})
#: What leaves open by its name alone what it is, and where no one need know.
_CALMED_BY: Mapping[tuple[Message, ...], frozenset[StatusName]] = {
    (say(Doubts.name_script),): _ADEQUATE,
    (say(Doubts.name_alike),): _ADEQUATE | {"unknown"},
}


def drugs_beside(basket: Basket, g: Guideline) -> Iterator[Medication]:
    """What of the orders being written bears on vitamin B12 without being of it: nitrous oxide, and
    drugs against clotting."""
    for one in basket.drafts:
        if _acts_against_clotting(one, g) or (is_live(one) and orders_nitrous_oxide(one, g)):
            yield Medication("order", one.codes, one.text, "draft", one.source)


def may_concern_b12(basket: Basket, g: Guideline) -> bool:
    """Whether a selected order is one of vitamin B12, or one that no one can identify or read."""
    return basket.unreadable > 0 or any(
        one.selected
        and (
            (is_live(one) and recognise(one.codes, one.text, g).kind in ("b12", "unknown"))
            or _forbids(one, g)
        )
        for one in basket.drafts
    )
