"""What is recommended of orders, accepted as a client does, and asked again.

Accepting is creating, changing and removing; stopping is a status. After it no two orders of
vitamin B12 are left, and the next answer is no more urgent than the first: over every story, over
every pair of orders in the basket and in force, and over invented baskets of several. The chart is
opened afterwards as well, as a clinician does.

What is left aside: a daily requirement of 5 micrograms, which is not a treatment; an order in force
that is vitamin B12 by its name alone, about which cards ask; orders in force of which none is
right, since the child has nothing else; a drug that harms this child (ORD-10), since a specialist
says what is given instead; and what holds where nothing of orders was recommended.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import combinations_with_replacement, product
from random import Random
from typing import Any

import pytest
from each import each
from expected_cards import STORIES
from infants import BORN, KINDS, accept, bundle, every, held, medicine, order, request_of
from played import Story
from sampling import chosen, sample_of
from test_every_infant import RANK, ask, worst

Json = dict[str, Any]

ORAL, INJECTED, CYANO = medicine("1423423"), medicine("317106"), medicine("309594")
DAILY = every(1, "d")
#: Each an order, as `order` takes it: drug, amount, route, how often, unit.
ORDERS: dict[str, tuple[Json, float, str, Json, str]] = {
    "oral": (ORAL, 1000, "by mouth", DAILY, "ug"),
    "oral, half": (ORAL, 500, "by mouth", DAILY, "ug"),
    "oral, a twentieth": (ORAL, 50, "by mouth", DAILY, "ug"),
    "oral, a gram": (ORAL, 1000, "by mouth", DAILY, "mg"),
    "oral, too much": (ORAL, 1500, "by mouth", DAILY, "ug"),
    "oral, unit unknown": (ORAL, 3, "by mouth", DAILY, "dU"),
    "tablet": (medicine("309593"), 1, "by mouth", DAILY, "{tbl}"),
    "nasal": (medicine("861113"), 500, "nasal", every(1, "wk"), "ug"),
    "weekly": (INJECTED, 1000, "IM", every(1, "wk"), "ug"),
    "alternate days": (INJECTED, 1000, "IM", every(2, "d"), "ug"),
    "every three months": (INJECTED, 1000, "IM", every(3, "mo"), "ug"),
    "five times": (INJECTED, 5000, "IM", every(1, "wk"), "ug"),
    "cyanocobalamin injected": (CYANO, 1000, "IM", every(1, "wk"), "ug"),
}
RIGHT = ("oral", "weekly")
CHILDREN = {
    "mild": {"b12": "199"},
    "severe": {"b12": "80"},
    "signs": {"b12": "199", "sign": "seizure"},
    "borderline": {"b12": "299"},
    "adequate": {"b12": "300"},
    "Crohn's": {"b12": "199", "cause": "Crohn's"},
    "cobalamin C": {"b12": "300", "cause": "cobalamin C"},
    "Leber": {"b12": "199", "cause": "Leber"},
    "allergic": {"b12": "199", "allergy": "cyanocobalamin"},
    "extreme": {"b12": "299", "homocysteine": "120"},
}


def written(name: str, form: str, *, status: str = "draft", ago: int = 0) -> Json:
    drug, amount, route, repeat, unit = ORDERS[form]
    return order(name, drug, amount, route, repeat, unit=unit, status=status, ago=ago)


def call(
    child: dict[str, str], drafts: tuple[str, ...], active: tuple[str, ...], *, ago: int = 0
) -> Json:
    plain = {kind: next(iter(forms)) for kind, forms in KINDS.items()}
    infant = {**plain, "age": "5 months", **child, "therapy": "none"}
    infant["drafts"] = "empty" if drafts else "chart"
    request = request_of(infant)
    running = [
        written(f"m{place}", form, status="active", ago=ago) for place, form in enumerate(active)
    ]
    request["prefetch"]["meds"] = bundle(running)
    if drafts:
        own = [written(f"d{place}", form) for place, form in enumerate(drafts)]
        request["context"]["draftOrders"] = bundle(own)
    return request


# --- accepting --------------------------------------------------------------------------------


def recommended(answer: Json) -> list[Json]:
    """The actions that are preselected; of an at-most-one card those of the first."""
    actions = []
    for card in answer["cards"]:
        chosen = [one for one in card.get("suggestions", ()) if one["isRecommended"]]
        if card.get("selectionBehavior") == "at-most-one":
            chosen = chosen[:1]
        actions += [action for one in chosen for action in one["actions"]]
    return actions


def about_orders(answer: Json) -> bool:
    """Whether something of a drug is recommended."""
    return any(
        action["type"] == "delete" or action["resource"]["resourceType"] == "MedicationRequest"
        for action in recommended(answer)
    )


def rules_of(card: Json) -> list[str]:
    rules: list[str] = card["extension"]["io.github.b12-cds-service.rules"]["ruleIds"]
    return rules


def accepted(request: Json, answer: Json) -> Json:
    taken: set[str] = set()

    def chosen(card: Json, suggestion: Json) -> bool:
        again = card["uuid"] in taken and card.get("selectionBehavior") == "at-most-one"
        if again or not suggestion["isRecommended"]:
            return False
        taken.add(card["uuid"])
        return True

    return accept(request, answer["cards"], chosen)


def of_b12(request: Json) -> set[str]:
    """The ids of the orders of vitamin B12 alone that are written or in force, but for the daily
    requirement and what is known by its name alone."""
    found = held(request["prefetch"]["meds"])
    found += held(request["context"].get("draftOrders", bundle([])))
    return {
        one["id"]
        for one in found
        if one["status"] in ("draft", "active", "on-hold") and is_b12_alone(one)
    }


def is_b12_alone(resource: Json) -> bool:
    if resource["resourceType"] not in ("MedicationRequest", "MedicationOrder"):
        return False
    concept = json.dumps(resource.get("medicationCodeableConcept", {})).lower()
    codes = ("1423423", "317106", "309594", "309593", "11248", "861113")
    named = "cyanocobalamin" in concept or "hydroxocobalamin" in concept
    return "multivitamin" not in concept and (named or any(code in concept for code in codes))


def at_the_chart(request: Json) -> Json:
    """The same child when the chart is opened, its drafts signed."""
    drafts = held(request["context"].get("draftOrders", bundle([])))
    signed = [{**one, "status": "active"} for one in drafts]
    own = {one["id"] for one in signed}
    running = [one for one in held(request["prefetch"]["meds"]) if one["id"] not in own]
    meds = [one for one in signed if one["resourceType"] == "MedicationRequest"]
    tests = [one for one in signed if one["resourceType"] == "ServiceRequest"]
    prefetch = {
        **request["prefetch"],
        "meds": bundle([*running, *meds]),
        "orders": bundle([*held(request["prefetch"]["orders"]), *tests]),
    }
    context = {key: request["context"][key] for key in ("userId", "patientId")}
    return {**request, "hook": "patient-view", "context": context, "prefetch": prefetch}


#: Rows of the table FU that a treatment begun today gives no reason for.
_JUDGES_THE_RESPONSE = {"FU-03", "FU-04", "FU-05", "FU-05b", "FU-07", "FU-08", "FU-12"}


def objections(request: Json) -> Iterator[str]:
    answer = ask(request)
    done = accepted(request, answer)
    if done == request:
        return
    again = ask(done)
    if RANK[worst(again)] > RANK[worst(answer)]:
        yield f"{worst(answer) or 'silence'} becomes {worst(again)}"
    refused = any("ORD-10" in rule for card in answer["cards"] for rule in rules_of(card))
    if refused or not about_orders(answer):
        return
    if request["hook"] != "patient-view":
        chart = at_the_chart(done)
        done = accepted(chart, ask(chart))
    left, before = of_b12(done), of_b12({**request, "context": {}})
    judged = _JUDGES_THE_RESPONSE & {rule for card in again["cards"] for rule in rules_of(card)}
    if request["hook"] == "patient-view" and left - before and judged:
        yield f"on its first day the treatment is judged: {sorted(judged)}"
    if len(left) > 1 and left - before:
        yield f"left: {sorted(left)}"


# --- over what --------------------------------------------------------------------------------


@each("name", STORIES, sample=90)
def test_a_story_accepted_leaves_one_order_and_nothing_worse(name: str) -> None:
    request = json.loads(json.dumps(Story(name).request))
    request["prefetch"] = {key: sent or bundle([]) for key, sent in request["prefetch"].items()}
    if "draftOrders" in request["context"]:
        request["context"]["draftOrders"].setdefault("entry", [])
    if name == "order-sign-other-patients-draft":
        return  # what is of another child is not this child's
    assert list(objections(request)) == []


@pytest.mark.parametrize("child", CHILDREN)
def test_of_two_orders_one_is_left(child: str) -> None:
    found = {}
    for one, other in chosen(combinations_with_replacement(ORDERS, 2), 9, child):
        for drafts, active in (((one, other), ()), ((one,), (other,)), ((other,), (one,)),
                               ((), (one, other))):  # fmt: skip
            against = list(objections(call(CHILDREN[child], drafts, active)))
            if against:
                found[drafts, active] = against
    assert not found


@pytest.mark.parametrize(("first", "second"), [*product(RIGHT, RIGHT)])
def test_of_two_right_orders_one_is_taken_away(first: str, second: str) -> None:
    """Preselected, in every place: twice in the basket, next to one in force, both in force."""
    for drafts, active in (((first, second), ()), ((first,), (second,)), ((), (first, second))):
        request = call(CHILDREN["mild"], drafts, active)
        answer = ask(request)
        assert about_orders(answer), (drafts, active)
        assert len(of_b12(accepted(request, answer))) == 1, (drafts, active)


def _baskets(count: int, seed: int) -> Iterator[Json]:
    """Up to three drafts next to up to two orders in force, of any child."""
    random = Random(seed)
    for _ in range(count):
        child = {
            kind: next(iter(forms)) if random.random() < 0.6 else random.choice(list(forms))
            for kind, forms in KINDS.items()
        }
        child["b12"], child["age"] = random.choice(list(KINDS["b12"])), random.choice(list(BORN))
        drafts = tuple(random.choices(list(ORDERS), k=random.choice((0, 1, 2, 2, 3))))
        active = tuple(random.choices(list(ORDERS), k=random.choice((0, 0, 1, 1, 2))))
        yield call(child, drafts, active, ago=random.choice((0, 3, 30)))


def _found(count: int, seed: int) -> list[str]:
    return [
        f"{against}: {json.dumps(request)}"
        for request in _baskets(count, seed)
        for against in objections(request)
    ]


def test_an_invented_basket_accepted_leaves_one_order_and_nothing_worse() -> None:
    assert _found(min(sample_of(150), 1200), 1) == []


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 10))
def test_more_invented_baskets(seed: int) -> None:
    assert _found(1000, seed) == []
