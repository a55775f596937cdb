"""Whatever JSON is opened in the workbench: a chart, or a sentence that says what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest
from at_the_desk import STORIES, paste
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.needs_environment("CDS_TEST_CHROMIUM")

Open = Callable[..., Page]

TOLD = [
    "order-sign-milligrams-for-micrograms",
    "oral-therapy-no-response",
    "crohn-ileum-toddler",
    "hypotonia-regression-severe",
]
REQUESTS = [json.loads((STORIES / name / "request.json").read_bytes()) for name in TOLD]
DRAFTED = REQUESTS[0]

VALUES: list[Any] = [
    None, True, 0, -1, 7, 1e300, "", "x", "2026-02-30", "9999-12-31", "0001-01-01", [], {}, [None],
    [[]], [{}], ["x"], [7], {"x": None}, {"coding": None}, {"coding": [None]}, {"entry": [None]},
    {"resourceType": "Bundle", "entry": [None, 7, {"resource": None}, {"resource": "x"}]},
    {"resourceType": "Patient"}, {"repeat": None}, {"value": None}, {"reference": 7},
]  # fmt: skip
GONE = object()


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner: Any = ()
    if isinstance(value, dict):
        inner = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    for key, one in inner:
        yield (*path, key)
        yield from places(one, (*path, key))


PLACES = [list(places(one)) for one in REQUESTS]


def changed(request: Any, path: tuple[Any, ...], value: Any) -> Any:
    told = deepcopy(request)
    where = told
    for key in path[:-1]:
        where = where[key]
    if value is GONE:
        del where[path[-1]]
    else:
        where[path[-1]] = value
    return told


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    index = draw(st.integers(0, len(REQUESTS) - 1))
    told = REQUESTS[index]
    for _ in range(draw(st.integers(1, 3))):
        found = list(places(told))
        if not found:
            break
        path = draw(st.sampled_from(found))
        told = changed(told, path, draw(st.sampled_from([*VALUES, GONE])))
    return told


def reopened(page: Page, request: Any) -> None:
    page.locator("textarea").fill(json.dumps(request))
    page.get_by_role("button", name="Open it").click()
    expect(page.locator(".loading, [aria-busy=true]")).to_have_count(0)
    assert page.locator("#choose .error, #cards article, #cards .problem").count() > 0


def used(page: Page) -> None:
    """Everything that shows something of the record or the orders, or changes it."""
    if page.locator("#choose .error").count():
        return
    page.evaluate(
        """for (const id of ["order-select", "order-sign", "patient-view"])
             document.getElementById(`tab-${id}`).click();
           for (const it of document.querySelectorAll("#orders details")) it.open = true;
           for (const it of document.querySelectorAll("#cards summary")) it.click();
           for (const it of document.querySelectorAll("#orders fieldset select"))
             it.dispatchEvent(new Event("change"));
           document.querySelector(".range-fold summary")?.click();
           for (const it of document.querySelectorAll(".jump")) it.click();
           document.getElementById("sign")?.click();"""
    )
    expect(page.locator(".loading, [aria-busy=true]")).to_have_count(0)


# The window is the same for all examples; it asserts at its end that nothing went wrong in it.
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(request=mutated())
def _each(page: Page, request: Any) -> None:
    before = page.evaluate("window.faults")
    reopened(page, request)
    used(page)
    assert page.evaluate("window.faults") == before


def test_no_story_that_was_tampered_with_breaks_the_page(visit: Open) -> None:
    page = visit("about:blank")
    page.add_init_script(
        """window.faults = [];
           addEventListener("error", (event) => faults.push(event.message));
           addEventListener("unhandledrejection", (event) => faults.push(String(event.reason)));"""
    )
    page.goto("/")
    page.get_by_text("Another patient …").click()
    _each(page)


PATIENT = {"resourceType": "Patient", "id": "a", "birthDate": "2026-05-01"}


def asked(hook: str = "patient-view", **more: Any) -> Any:
    context = {"userId": "Practitioner/1", "patientId": "a", **more.pop("context", {})}
    return {"hook": hook, "context": context, "prefetch": {"patient": {**PATIENT, **more}}}


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (
            asked(
                "order-sign", context={"draftOrders": {"resourceType": "Bundle", "entry": [None]}}
            ),
            "context.draftOrders.entry[0] is null, not an entry with an order",
        ),
        (
            asked("order-sign", context={"draftOrders": {"entry": [{"resource": "x"}]}}),
            "context.draftOrders.entry[0].resource is a string, not an order",
        ),
        (
            asked("order-sign", context={"draftOrders": [1]}),
            "context.draftOrders is a list, not a Bundle",
        ),
        (
            asked("order-select", context={"draftOrders": {"entry": {}}}),
            "context.draftOrders.entry is an object, not a list",
        ),
        (asked(name=[None, {"given": "X"}]), "name[0] is null, not a name"),
        (asked(name="X"), "name is a string, not a list of names"),
    ],
)
def test_what_cannot_be_shown_is_said(visit: Open, request_: Any, says: str) -> None:
    page = visit("/")
    paste(page, json.dumps(request_))
    expect(page.locator("#choose [role=alert]")).to_contain_text(says)
    expect(page.locator("#chart .name, #cards .problem").first).to_be_visible()


def test_the_name_that_can_be_read_is_shown(visit: Open) -> None:
    page = visit("/")
    paste(page, json.dumps(asked(name=[None, {"given": "X", "family": ["Y"]}])))
    expect(page.locator("#chart .name")).to_have_text("X Y")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[" * 2000 + "]" * 2000, "nested too deeply"),
        ('{"hook": "patient-view", "context": {"patientId": 7}}', "must be a text"),
        ('{"hook": "patient-view", "context": []}', "names no patient"),
        (
            '{"hook": "patient-view", "context": {"patientId": "a"}, "prefetch": [1]}',
            "prefetch is not an object",
        ),
        ('{"hook": "constructor", "context": {"patientId": "a"}}', ""),
        ('{"hook": ["patient-view"], "context": {"patientId": "a"}}', ""),
    ],
)
def test_what_cannot_be_opened_is_said(visit: Open, text: str, says: str) -> None:
    page = visit("/")
    paste(page, text)
    expect(page.locator("#choose .error, #cards .problem").first).to_contain_text(
        says or "No answer"
    )


def test_an_order_is_sent_as_it_came_until_it_is_changed(visit: Open) -> None:
    bare = {"resourceType": "MedicationRequest", "id": "d", "medicationCodeableConcept": "x"}
    entry = [{"resource": bare}]
    page = visit("about:blank")
    page.add_init_script(
        "const real = fetch; window.fetch = (path, options) => {"
        " if (/-order-sign$/.test(path)) window.lastAsked = options.body;"
        " return real(path, options); };"
    )
    page.goto("/")
    paste(page, json.dumps(asked("order-sign", context={"draftOrders": {"entry": entry}})))
    expect(page.locator("#orders .order h3")).to_have_text("not named")
    expect(page.locator("#cards[aria-busy=false]")).to_be_attached()
    sent = json.loads(page.evaluate("lastAsked"))["context"]["draftOrders"]["entry"]
    assert sent == entry
