"""No body that is accepted costs more than the budget, in functions called and bytes held."""

from __future__ import annotations

import json

import pytest
from bodies import request_of as story
from worst_bodies import FOUND, LARGEST_BODY, MOST_BYTES, MOST_CALLS, Shape, body, cost_of

from cds_service.cdshooks.response import encode
from cds_service.consultation import EVALUATION_EXTENSION
from cds_service.consultation.room import LARGEST, fitted
from cds_service.language import house


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", sorted(FOUND))
def test_the_dearest_bodies_stay_within_the_budget(name: str) -> None:
    shape = FOUND[name]
    sent = body(shape)
    assert len(sent) <= LARGEST_BODY
    cost = cost_of(sent, shape.hook)
    assert cost.status == 200
    assert cost.calls < MOST_CALLS
    assert cost.peak < MOST_BYTES
    assert cost.answer <= LARGEST


def test_what_is_too_large_to_answer_keeps_the_most_urgent_cards_and_counts_the_others() -> None:
    whole = cost_of(body(Shape("order-sign", drafts=40)), "order-sign")
    assert whole.done is not None
    cards = whole.done.response.cards
    size = len(encode(whole.done.response))
    assert fitted(whole.done, house.language(), size).response.cards == cards
    for most in (size - 1, size // 2, 40_000):
        done = fitted(whole.done, house.language(), most)
        assert len(encode(done.response)) <= most
        shown = done.response.cards
        assert 0 < len(shown) < len(cards)
        assert [one.uuid for one in shown] == [one.uuid for one in cards[: len(shown)]]
        told = done.response.extension[EVALUATION_EXTENSION]["notShown"]
        assert told["cards"] == len(cards) - len(shown)
        assert sum(told["byRule"].values()) == sum(told["byIndicator"].values()) == told["cards"]
        # Every order is spoken of in a card that is shown, or named.
        about = {one.extension["io.github.b12-cds-service.rules"]["order"] for one in shown}
        assert about | set(told["orders"]) == {
            f"MedicationRequest/draft-{number}" for number in range(40)
        }
        assert about.isdisjoint(told["orders"])
        assert f"{told['cards']} more card" in shown[0].detail
        assert done.evaluation is not None
        assert [one.uuid for one in done.evaluation.cards] == [one.uuid for one in shown]


def test_a_card_that_is_too_large_alone_says_in_words_what_it_would_change() -> None:
    cost = cost_of(body(Shape("order-sign", (("meds", 140),))), "order-sign")
    assert cost.done is not None
    large = max(cost.done.response.cards, key=lambda one: len(encode(one)))
    assert large.suggestions
    done = fitted(cost.done, house.language(), 80_000)
    same = next(one for one in done.response.cards if one.uuid == large.uuid)
    assert not same.suggestions
    assert not same.selection_behavior
    assert "change the orders by hand" in same.detail
    assert len(encode(done.response)) <= 80_000


def test_an_ordinary_answer_is_left_as_it_is() -> None:
    sent = json.dumps(story("order-sign-milligrams-for-micrograms")).encode()
    assert cost_of(sent, "order-sign").answer < LARGEST / 10


def test_an_order_of_another_drug_costs_a_tenth_of_one_of_vitamin_b12() -> None:
    def each(names: str) -> float:
        few, many = (
            cost_of(body(Shape("order-sign", drafts=count, names=names)), "order-sign").calls  # type: ignore[arg-type]
            for count in (10, 60)
        )
        return (many - few) / 50

    assert each("other") < each("B12") / 10
