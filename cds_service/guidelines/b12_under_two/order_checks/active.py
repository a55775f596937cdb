"""Orders in force against the table ORD: what endangers the child whoever wrote it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import structs

from cds_service.clinical import IN_FORCE, Medication
from cds_service.guidelines.b12_under_two import treatment
from cds_service.guidelines.b12_under_two.assessment import Assessment
from cds_service.guidelines.b12_under_two.data import Guideline, Orders
from cds_service.guidelines.b12_under_two.facts import Facts
from cds_service.guidelines.b12_under_two.order_checks.cards import Cards
from cds_service.guidelines.b12_under_two.order_checks.course import Course
from cds_service.guidelines.b12_under_two.order_checks.one_order import amounts, child_facts
from cds_service.guidelines.b12_under_two.order_checks.reading import Order, as_order
from cds_service.guidelines.b12_under_two.order_checks.regimens import Regimens
from cds_service.guidelines.b12_under_two.tables.order import Answer, OrderFacts
from cds_service.guidelines.engine import Choice, Note, Recommend
from cds_service.guidelines.tables import Reasoning, first_match
from cds_service.language import say


def check_active(facts: Facts, a: Assessment, g: Guideline, why: Reasoning) -> list[Recommend]:
    """The cards of the active orders whose dose is too large, or that begin a treatment too
    slowly, by the same rows as a draft's.

    An order is only ever stopped: what replaces it stands on the card in words, so that no two
    cards together order vitamin B12 twice. An order recognised by its name alone is asked too.
    """
    orders = [*facts.therapy.active, *facts.therapy.named]
    if not orders:
        return []
    regimens = Regimens(facts, a, g)
    cards = Cards(regimens)
    spoken = []
    child = child_facts(facts, a, g)
    course = Course(facts, a, g, ())
    for one in orders:
        order = as_order(one, facts.weight.kg, g)
        if order.kind not in ("b12", "unknown"):
            continue
        asked = amounts(child, order, course)
        for row in why.first(g.tables.order_excess, asked, order.called).fired:
            if row.then.correction == "none":
                continue  # a specialist dose is not commented on at every view
            answer = Answer(f"{row.then.card}.active", indicator=row.then.indicator)
            said = cards.speak(
                row.rule,
                answer,
                order,
                {},
                _stop(row.rule, one),
                notes=_instead(regimens, order, orders, g),
            )
            spoken.append(structs.replace(said.card, main=True, about=""))
        spoken += _scant(order, asked, course, cards, why)
    return spoken


def _scant(
    order: Order, asked: OrderFacts, course: Course, cards: Cards, why: Reasoning
) -> Iterator[Recommend]:
    """The card of an order in force with which a treatment begins too slowly; nothing is stopped,
    since it is the only one that the child gets. Other small doses are for the follow-up."""
    match = first_match(course.g.tables.order_shortage, asked, order.called)
    if not match.fired or match.rule != "ORD-16":
        return
    why.keep(match)
    answer = structs.replace(match.result, card="ORD-16.active", correction="none")
    said = cards.speak(match.rule, answer, order, course.in_words(order), ())
    yield structs.replace(said.card, main=True, about="")


def active_antidotes(
    facts: Facts, a: Assessment, g: Guideline, why: Reasoning
) -> Iterator[Recommend]:
    """The cards of the active orders of the antidote of cyanide: no treatment, and not judged."""
    for one in facts.therapy.antidotes:
        if one.kind == "order" and one.status in IN_FORCE:
            order = as_order(one, facts.weight.kg, g)
            match = why.first(g.tables.order_antidote, order.antidote_facts, order.called)
            for row in match.fired:
                said = Cards(Regimens(facts, a, g)).speak(row.rule, row.then, order, {}, ())
                yield structs.replace(said.card, about="")


def _stop(rule: str, one: Medication) -> list[Choice]:
    plans = treatment.stop_orders([one])
    names = treatment.medication_names([one])
    return [Choice(rule, say(Orders.stop_this, names=names), plans)] if plans else []


def _instead(
    regimens: Regimens, order: Order, orders: Sequence[Medication], g: Guideline
) -> list[Note]:
    """The regimen that would replace it; none where another order is left."""
    return regimens.notes(order, "instead") if len(orders) == 1 else []
