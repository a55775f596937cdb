"""What was found out of a chart is used again for some seconds, where the operator allows it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from msgspec import structs
from played import STORIES, Story, service_of

from cds_service.cdshooks.request import ORDER_HOOKS, Request, parse_request
from cds_service.cdshooks.response import encode
from cds_service.consultation import Occasion, Reuse, consult
from cds_service.consultation.reuse import CAPACITY, LARGEST_CHART
from cds_service.errors import DataUnavailable

CHART = "vegan-mother-low-b12-six-months"
SIGNED = "order-sign-allergy"
NAMES = (CHART, "active-order-of-a-gram", "healthy-infant-silent", "twin-result-in-the-bundle")
#: What is found out of a chart that was not seen before.
EVERYTHING = ["record", "evaluation", "seen", "spoken"]
ANOTHER_CALL = "9f3c1de0-4c4e-4a53-9d8e-6d2f3f0a7b11"


class Counting(Reuse):
    """Counts what had to be made, by its kind."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        super().__init__(seconds, clock)
        self.made: list[object] = []

    def of(self, key: tuple[object, ...], make: Callable[[], Any]) -> Any:
        def counted() -> Any:
            self.made.append(key[0])
            return make()

        return super().of(key, counted)


@pytest.fixture
def now() -> list[float]:
    return [100.0]


@pytest.fixture
def reuse(now: list[float]) -> Counting:
    return Counting(5, lambda: now[0])


def asked_of(name: str, hook: str = "patient-view", **changes: Any) -> Request:
    sent = {**Story(name).request, "hook": hook, **changes}
    return parse_request(json.dumps(sent).encode(), hook)


def answer(name: str, reuse: Reuse | None, hook: str = "patient-view", **changes: Any) -> bytes:
    asked = asked_of(name, hook, **changes)
    occasion = Occasion(Story(name).on, True)
    return encode(consult(service_of(hook), asked, None, occasion, reuse).response)


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_is_the_same_whether_or_not_it_was_found_out_before(
    name: str, reuse: Counting
) -> None:
    first = answer(name, reuse)
    made = len(reuse.made)
    again = answer(name, reuse, hookInstance=ANOTHER_CALL)
    assert made == len(EVERYTHING)
    assert len(reuse.made) == made
    assert first == answer(name, None)
    assert again == answer(name, None, hookInstance=ANOTHER_CALL)
    if b'"uuid"' in first:
        assert again != first


def functions_of(name: str, reuse: Reuse | None, hook: str = "patient-view") -> int:
    """How many functions a call of a story's chart calls."""
    asked, occasion = asked_of(name, hook), Occasion(Story(name).on, True)
    calls = 0

    def see(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(see)
    try:
        consult(service_of(hook), asked, None, occasion, reuse)
    finally:
        sys.setprofile(None)
    return calls


def test_a_repeated_chart_takes_at_most_a_quarter_of_the_functions(reuse: Counting) -> None:
    answer(CHART, None)
    alone = functions_of(CHART, None)
    answer(CHART, reuse)
    assert alone > 4 * functions_of(CHART, reuse)


def test_the_next_hook_takes_at_most_four_fifths_of_the_functions(reuse: Counting) -> None:
    answer(SIGNED, None, "order-sign")
    alone = functions_of(SIGNED, None, "order-sign")
    answer(SIGNED, reuse)
    assert alone * 4 / 5 > functions_of(SIGNED, reuse, "order-sign")


def test_the_next_hook_finds_the_chart_read_and_judges_its_orders_anew(reuse: Counting) -> None:
    orders = {"resourceType": "Bundle", "type": "collection", "entry": []}
    context = {**Story(CHART).request["context"], "draftOrders": orders, "selections": []}
    answer(CHART, reuse)
    reuse.made.clear()
    for hook in ("order-select", "order-sign"):
        assert answer(CHART, reuse, hook, context=context) == answer(
            CHART, None, hook, context=context
        )
    assert reuse.made == ["evaluation", "spoken"] * 2


def test_hooks_that_follow_each_other_say_and_keep_what_each_does_alone(reuse: Counting) -> None:
    """Whatever is in the basket: tests count as ordered, and some drugs change the facts."""

    def done(name: str, hook: str, reuse: Reuse | None) -> tuple[object, ...]:
        asked, occasion = asked_of(name, hook), Occasion(Story(name).on, True)
        given = consult(service_of(hook), asked, None, occasion, reuse)
        assert given.evaluation is not None
        return encode(given.response), given.log, structs.replace(given.evaluation, durations={})

    sent = {
        one.name: json.loads((one / "request.json").read_bytes())
        for one in STORIES.iterdir()
        if one.is_dir()
    }
    written = sorted(name for name, request in sent.items() if request["hook"] in ORDER_HOOKS)
    differ = [
        (name, hook)
        for name in written
        for hook in ("patient-view", "order-select", "order-sign", "patient-view")
        if done(name, hook, reuse) != done(name, hook, None)
    ]
    assert len(written) > 100
    assert differ == []
    assert reuse.made.count("record") < reuse.made.count("evaluation") / 2


def test_the_same_data_of_another_patient_or_day_are_looked_at_anew(reuse: Counting) -> None:
    asked, on = asked_of(CHART), Story(CHART).on
    service = service_of("patient-view")
    consult(service, asked, None, Occasion(on), reuse)
    reuse.made.clear()
    consult(service, asked, None, Occasion(on + timedelta(days=1)), reuse)
    assert reuse.made == ["evaluation", "seen", "spoken"]
    reuse.made.clear()
    context = {**Story(CHART).request["context"], "patientId": "another"}
    with pytest.raises(DataUnavailable):
        answer(CHART, reuse, context=context)
    assert reuse.made == ["record"]


def test_any_other_content_is_found_out_anew(reuse: Counting) -> None:
    answer(CHART, reuse)
    prefetch = Story(CHART).request["prefetch"]
    patient = {**prefetch["patient"], "birthDate": "2025-01-01"}
    answer(CHART, reuse, prefetch={**prefetch, "patient": patient})
    answer(CHART, reuse, prefetch={**prefetch, "labs": None})
    assert reuse.made == EVERYTHING * 3


def test_what_is_too_old_is_found_out_anew_and_dropped(reuse: Counting, now: list[float]) -> None:
    answer(CHART, reuse)
    now[0] += 4.9
    answer(CHART, reuse)
    assert reuse.made == EVERYTHING
    assert reuse.forget() == len(EVERYTHING)
    now[0] += 0.1
    answer(CHART, reuse)
    assert reuse.made == EVERYTHING * 2
    now[0] += 5
    assert reuse.forget() == 0


def test_there_is_a_bound_to_what_is_kept(reuse: Counting) -> None:
    for number in range(CAPACITY + 10):
        reuse.of(("number", number), lambda: number)  # noqa: B023 - called at once
    assert reuse.forget() == CAPACITY
    reuse.of(("number", CAPACITY + 9), lambda: 0)
    assert len(reuse.made) == CAPACITY + 10
    reuse.of(("number", 0), lambda: 0)
    assert len(reuse.made) == CAPACITY + 11


@pytest.mark.parametrize(("size", "kept"), [(LARGEST_CHART - 20_000, True), (LARGEST_CHART, False)])
def test_a_chart_too_large_is_not_kept(reuse: Counting, size: int, kept: bool) -> None:
    prefetch = Story(CHART).request["prefetch"]
    patient = {**prefetch["patient"], "text": {"div": "x" * size}}
    answer(CHART, reuse, prefetch={**prefetch, "patient": patient})
    assert bool(reuse.made) is kept


def test_it_is_used_only_where_the_operator_allows_it() -> None:
    story = Story(CHART)
    with_it = story.client(reuse_seconds=30)
    for _ in range(2):
        answered = with_it.post(story.path, json=story.request)
        assert answered.data == story.post().data
