"""What was found out of a chart is used again for some seconds, where the operator allows it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
from played import Story, service_of

from cds_service.cdshooks.request import Request, parse_request
from cds_service.cdshooks.response import encode
from cds_service.consultation import Occasion, Reuse, consult
from cds_service.consultation.reuse import CAPACITY, LARGEST_CHART

CHART = "vegan-mother-low-b12-six-months"
NAMES = (CHART, "active-order-of-a-gram", "healthy-infant-silent", "twin-result-in-the-bundle")
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
    assert made == 3
    assert len(reuse.made) == made
    assert first == answer(name, None)
    assert again == answer(name, None, hookInstance=ANOTHER_CALL)
    if b'"uuid"' in first:
        assert again != first


def test_a_repeated_chart_takes_at_most_two_fifths_of_the_functions(reuse: Counting) -> None:
    asked = asked_of(CHART)
    occasion = Occasion(Story(CHART).on, True)
    service = service_of("patient-view")
    consult(service, asked, None, occasion)
    calls = 0

    def see(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event == "call"

    def counted(reuse: Reuse | None) -> int:
        nonlocal calls
        calls = 0
        sys.setprofile(see)
        try:
            consult(service, asked, None, occasion, reuse)
        finally:
            sys.setprofile(None)
        return calls

    alone = counted(None)
    counted(reuse)
    assert alone > 2.5 * counted(reuse)


def test_the_next_hook_finds_the_chart_read_and_judges_it_anew(reuse: Counting) -> None:
    orders = {"resourceType": "Bundle", "type": "collection", "entry": []}
    context = {**Story(CHART).request["context"], "draftOrders": orders, "selections": []}
    answer(CHART, reuse)
    reuse.made.clear()
    for hook in ("order-select", "order-sign"):
        assert answer(CHART, reuse, hook, context=context) == answer(
            CHART, None, hook, context=context
        )
    assert reuse.made == ["evaluation", "spoken"] * 2


def test_any_other_content_is_found_out_anew(reuse: Counting) -> None:
    answer(CHART, reuse)
    prefetch = Story(CHART).request["prefetch"]
    patient = {**prefetch["patient"], "birthDate": "2025-01-01"}
    answer(CHART, reuse, prefetch={**prefetch, "patient": patient})
    answer(CHART, reuse, prefetch={**prefetch, "labs": None})
    assert reuse.made == ["record", "evaluation", "spoken"] * 3


def test_what_is_too_old_is_found_out_anew_and_dropped(reuse: Counting, now: list[float]) -> None:
    answer(CHART, reuse)
    now[0] += 4.9
    answer(CHART, reuse)
    assert len(reuse.made) == 3
    assert reuse.forget() == 3
    now[0] += 0.1
    answer(CHART, reuse)
    assert len(reuse.made) == 6
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
