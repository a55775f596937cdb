"""What each control of the workbench changes, and what it refuses."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from at_the_desk import cards, first_card, opened, paste
from axe import violations
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.needs_environment("CDS_TEST_CHROMIUM")

Open = Callable[..., Page]


def day(ago: int) -> str:
    return (date(*time.localtime()[:3]) - timedelta(days=ago)).isoformat()


def observation(id_: str, code: str, ago: int, value: float, unit: str) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": id_,
        "status": "final",
        "subject": {"reference": "Patient/p"},
        "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        "effectiveDateTime": day(ago),
        "valueQuantity": {
            "value": value,
            "unit": unit,
            "system": "http://unitsofmeasure.org",
            "code": unit,
        },
    }


def bundle(*resources: dict[str, Any]) -> str:
    patient = {"resourceType": "Patient", "id": "p", "birthDate": day(200)}
    entry = [{"resource": one} for one in (patient, *resources)]
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entry})


B12 = observation("b", "2132-9", 19, 140, "pg/mL")
WEIGHT = observation("w", "29463-7", 9, 7.2, "kg")
OLDER = observation("o", "2132-9", 60, 90, "pg/mL")


def last_sent(page: Page) -> dict[str, Any]:
    """The Observations of the last request for advice, by id."""
    text = page.evaluate("window.lastAsked")
    found: dict[str, Any] = {}
    for held in json.loads(text)["prefetch"].values():
        for entry in (held or {}).get("entry", []):
            one = entry["resource"]
            if one["resourceType"] == "Observation":
                assert found.setdefault(one["id"], one) == one, "two copies of one result differ"
    return found


def watching(visit: Open) -> Page:
    page = visit("about:blank")
    page.add_init_script(
        "const real = fetch; window.fetch = (path, options) => {"
        " if (/^.cds-services.*view$/.test(path)) window.lastAsked = options.body;"
        " return real(path, options); };"
    )
    page.goto("/")
    return page


def readout(page: Page, title: str) -> Any:
    return page.locator(".control", has_text=title).locator("output")


@pytest.mark.parametrize("order", [(B12, WEIGHT), (WEIGHT, B12), (WEIGHT, OLDER, B12)])
def test_each_control_shows_and_changes_its_own_result(
    visit: Open, order: tuple[dict[str, Any], ...]
) -> None:
    page = watching(visit)
    paste(page, bundle(*order))
    expect(readout(page, "Vitamin B12")).to_have_text("140 pg/mL")
    expect(readout(page, "Weight")).to_have_text("7.2 kg")
    page.locator("#b12-value").fill("250")
    page.locator("#b12-value").press("Enter")
    expect(first_card(page)).to_contain_text("250 pg/mL")
    sent = last_sent(page)
    assert sent["b"]["valueQuantity"]["value"] == 250
    assert sent["w"] == WEIGHT
    assert sent.get("o", OLDER) == OLDER
    assert set(sent) == {one["id"] for one in order}
    page.locator("#weight-slider").press("ArrowRight")
    expect(page.locator("#chart .plot", has_text="Weight")).to_contain_text("7.3 kg")
    sent = last_sent(page)
    assert sent["b"]["valueQuantity"]["value"] == 250
    assert sent["w"]["valueQuantity"]["value"] == 7.3
    page.locator("#as-recorded").click()
    expect(first_card(page)).to_contain_text("140 pg/mL")
    assert last_sent(page) == {one["id"]: one for one in order}


def test_a_component_is_changed_and_its_panel_is_not(visit: Open) -> None:
    page = watching(visit)
    panel = observation("panel", "29463-7", 9, 7.2, "kg")
    part = {name: B12[name] for name in ("code", "valueQuantity")}
    paste(page, bundle({**panel, "component": [part]}))
    expect(readout(page, "Vitamin B12")).to_have_text("140 pg/mL")
    page.get_by_role("button", name="Set vitamin B12 to 99 pg/mL").click()
    expect(page.locator("#chart .newest").first).to_contain_text("99 pg/mL")
    sent = last_sent(page)["panel"]
    assert sent["component"][0]["valueQuantity"]["value"] == 99
    assert sent["valueQuantity"] == panel["valueQuantity"]


def test_where_there_is_no_result_one_is_added(visit: Open) -> None:
    page = watching(visit)
    paste(page, bundle(WEIGHT))
    expect(readout(page, "Vitamin B12")).to_have_text("no number that counts")
    expect(page.locator("#b12-value")).to_have_value("")
    page.locator("#b12-unit").select_option("pmol/L")
    assert set(last_sent(page)) == {"w"}, "a unit alone is not a result"
    page.get_by_role("button", name="Set vitamin B12 to 99 pg/mL").click()
    expect(page.locator("#chart .newest").first).to_contain_text("99 pg/mL")
    assert set(last_sent(page)) == {"w", "what-if-b12"}


def test_the_date_of_birth_is_that_of_the_child_in_the_request(visit: Open) -> None:
    page = watching(visit)
    other = {"resourceType": "Patient", "id": "q", "birthDate": day(900)}
    request = {
        "hook": "patient-view",
        "context": {"patientId": "p", "userId": "Practitioner/1"},
        "prefetch": {
            "mother": other,
            "patient": {"resourceType": "Patient", "id": "p", "birthDate": day(200)},
            "b12": {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": B12}]},
        },
    }
    paste(page, json.dumps(request))
    expect(readout(page, "Age")).to_contain_text("6 months")
    page.get_by_role("button", name="Aged 1 year, on the day").click()
    expect(page.locator("#chart .facts")).to_contain_text("12 months")
    sent = json.loads(page.evaluate("lastAsked"))["prefetch"]
    assert sent["mother"] == other
    assert sent["patient"]["birthDate"] > day(400)


def test_the_advice_over_the_range_of_a_fact_is_shown_and_gone_to(visit: Open) -> None:
    page = opened(visit)
    fold = page.locator(".control", has_text="Vitamin B12").locator(".range-fold")
    fold.locator("summary").press("Enter")
    parts = fold.locator("li")
    expect(parts.locator("button")).to_have_text(
        ["1 pg/mL to 99 pg/mL", "100 pg/mL to 199 pg/mL", "200 pg/mL to 299 pg/mL",
         "300 pg/mL to 600 pg/mL"]
    )  # fmt: skip
    expect(parts.first).to_contain_text("Hydroxocobalamin 1000 micrograms intramuscular")
    widths = fold.locator(".strip span").evaluate_all("all => all.map((one) => one.offsetWidth)")
    assert widths == sorted(widths), "each as wide as its range"
    there = parts.nth(2).locator("button")
    there.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#b12-value")).to_have_value("200")
    expect(first_card(page)).to_contain_text("200 pg/mL")
    expect(parts.nth(2).locator("button")).to_be_focused()
    expect(fold.locator(".strip i")).to_have_count(1)
    # another fact: other advice over the same range
    page.locator("#neurological-answer").select_option("present")
    expect(parts.first).to_contain_text("alternate days")
    age = page.locator(".control", has_text="Age").locator(".range-fold")
    age.locator("summary").click()
    expect(age.locator("li").last).to_contain_text("No card: nothing to say")
    expect(age.locator("li button").last).to_have_text(re.compile("^24 months to "))


def test_a_range_that_is_refused_can_be_asked_again(visit: Open) -> None:
    page = opened(visit, forgives="status of 503")
    page.route("**/workbench/range/*", lambda route: route.fulfill(status=503, json={}))
    fold = page.locator(".range-fold").first
    fold.locator("summary").click()
    expect(fold.locator(".refused")).to_have_text("Status 503")
    page.unroute("**/workbench/range/*")
    fold.get_by_role("button", name="Ask again").click()
    expect(fold.locator("li")).to_have_count(4)


@pytest.mark.needs_environment("CDS_TEST_AXE")
@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (820, "light"), (1440, "light")])
def test_the_ranges_are_accessible(visit: Open, width: int, scheme: str) -> None:
    page = opened(visit, width=width, color_scheme=scheme)
    if width < 768:
        page.locator("#what-if-fold > summary").click()
    for fold in page.locator(".range-fold").all():
        fold.locator("summary").click()
        expect(fold.locator("li").first).to_be_visible()
    assert violations(page, "#what-if") == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("value", ["0", "-3", ""])
def test_a_result_that_cannot_be_used_is_refused_next_to_its_field(visit: Open, value: str) -> None:
    page = watching(visit)
    paste(page, bundle(B12, WEIGHT))
    expect(readout(page, "Vitamin B12")).to_have_text("140 pg/mL")
    before = page.evaluate("lastAsked")
    field = page.locator("#b12-value")
    field.fill(value)
    field.press("Enter")
    field.press("Tab")
    refused = page.locator("#b12-value + .refused")
    expect(refused).to_contain_text("Write a number above 0")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(field).to_have_attribute("aria-describedby", refused.get_attribute("id") or "?")
    assert page.evaluate("lastAsked") == before
    expect(readout(page, "Vitamin B12")).to_have_text("140 pg/mL")
    field.fill("99")
    field.press("Enter")
    expect(page.locator(".refused")).to_have_count(0)
    expect(page.locator("#chart .newest").first).to_contain_text("99 pg/mL")


@pytest.mark.parametrize("value", ["1899-12-31", "2200-01-01", ""])
def test_a_date_that_cannot_be_used_is_refused_next_to_its_field(visit: Open, value: str) -> None:
    page = opened(visit)
    page.locator("#date-value").fill(value)
    page.locator("#date-value").dispatch_event("change")
    expect(page.locator("#date-value + .refused")).to_contain_text("Write a date from 1 Jan 1900")
    expect(page.locator("#as-of")).not_to_contain_text("not today")
    expect(cards(page).first).to_be_visible()


@pytest.mark.parametrize(
    ("label", "value"),
    [
        ("Dose", "-1"),
        ("Dose", "0"),
        ("Times", "1.5"),
        ("Times", "0"),
        ("in every", "-2"),
        ("For", "0"),
    ],
)
def test_an_order_with_a_value_that_cannot_be_used_is_not_signed(
    visit: Open, label: str, value: str
) -> None:
    page = opened(visit)
    page.get_by_role("button", name="Write an order").click()
    order = page.locator("#orders .order").first
    expect(page.locator("#cards[aria-busy=false]")).to_be_attached()
    before = order.locator(".phases").inner_text()
    field = order.get_by_label(label, exact=True)
    field.fill(value)
    field.press("Enter")
    expect(order.locator(".refused")).to_contain_text("number above 0")
    assert order.locator(".phases").inner_text() == before
    page.locator("#sign").click()
    expect(field).to_be_focused()
    expect(page.locator("#tab-order-sign")).to_have_attribute("aria-selected", "false")
    field.fill("1")
    field.press("Enter")
    expect(page.locator(".refused")).to_have_count(0)
