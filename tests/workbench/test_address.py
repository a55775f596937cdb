"""The address is the state: what it asks for is opened, and Back and reloading lose nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from at_the_desk import CLOVER, STORIES, cards, opened, paste
from fhir_server_stub import FhirStub
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.needs_environment("CDS_TEST_CHROMIUM")

Open = Callable[..., Page]


def has(page: Page, pattern: str) -> None:
    expect(page).to_have_url(re.compile(pattern))


def test_a_story_is_open_from_the_start(visit: Open) -> None:
    page = visit("/")
    expect(page.locator("#chart .name")).to_have_text("Clover Testinfant")
    expect(cards(page).first).to_be_visible()
    has(page, r"story=vegan-mother-low-b12-six-months")


def test_an_address_opens_a_story_with_its_date_facts_and_tab(visit: Open) -> None:
    asked = "&on=2027-01-31&b12=250+pg%2FmL&neurological=present&tab=order-select"
    page = visit(f"{CLOVER}{asked}")
    expect(page.locator("#chart .newest").first).to_contain_text("250 pg/mL")
    expect(page.locator("#tab-order-select")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#as-of")).to_contain_text("31 Jan 2027")
    expect(page.locator("#neurological-answer")).to_have_value("present")
    expect(page.locator("#b12-value")).to_have_value("250")


@pytest.mark.parametrize(
    "asked",
    [
        "&b12=-1+pg%2FmL&b12=x", "&b12=9+stone", "&on=2027-02-31x", "&tab=order-dispatch",
        "&neurological=perhaps", "&age=x", "#basket=%7B", "#basket=7",
    ],
)  # fmt: skip
def test_what_an_address_cannot_mean_is_left_out(visit: Open, asked: str) -> None:
    page = opened(visit, f"{CLOVER}{asked}")
    expect(page.locator("#chart .newest").first).to_contain_text("142 pg/mL")
    expect(page.locator("#tab-patient-view")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#as-recorded")).to_be_disabled()


def test_back_and_forward_go_through_what_was_done(visit: Open) -> None:
    page = opened(visit)
    has(page, "tab=patient-view")
    cards(page).first.locator("[data-suggestion]").first.click()
    expect(page.locator("#orders .phases").first).to_be_visible()
    page.locator("#tab-order-sign").click()
    has(page, "tab=order-sign")
    page.get_by_role("button", name="Healthy: no card").click()
    has(page, "story=healthy-infant-silent")
    page.go_back()
    expect(page.locator("#chart .facts code")).to_have_text("vegan-mother-low-b12-six-months")
    expect(page.locator("#tab-order-sign")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#orders .phases").first).to_be_visible()
    page.go_back()
    expect(page.locator("#tab-patient-view")).to_have_attribute("aria-selected", "true")
    page.go_forward()
    page.go_forward()
    expect(page.locator("#chart .facts code")).to_have_text("healthy-infant-silent")
    expect(page.locator("#orders .phases")).to_have_count(0)


def test_a_reload_keeps_what_was_pasted_changed_and_written(visit: Open) -> None:
    page = visit("/")
    bundle = (STORIES / "hypotonia-regression-severe" / "patient.json").read_text(encoding="utf-8")
    paste(page, bundle)
    expect(page.locator("#chart .facts code")).to_have_text("hypotonia-regression-severe")
    page.get_by_role("button", name="Set vitamin B12 to 300 pg/mL").click()
    has(page, "b12=300")
    page.get_by_role("button", name="Write an order").click()
    assert "hypotonia" not in page.url
    page.reload()
    expect(page.locator("#chart .facts code")).to_have_text("hypotonia-regression-severe")
    expect(page.locator("#chart .newest").first).to_contain_text("300 pg/mL")
    expect(page.locator("#orders .order h3").first).to_be_visible()
    with page.expect_download() as downloaded:
        page.get_by_role("button", name="Download this case").click()
    kept: Any = json.loads(downloaded.value.path().read_bytes())
    assert kept["context"]["patientId"] == "hypotonia-regression-severe"


def test_a_copied_link_opens_the_same_case_elsewhere(visit: Open) -> None:
    page = opened(visit, permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Write an order").click()
    page.get_by_role("button", name="Set vitamin B12 to 250 pg/mL").or_(
        page.get_by_role("button", name="Set vitamin B12 to 199 pg/mL")
    ).first.click()
    has(page, "b12=199")
    page.get_by_role("button", name="Copy link").click()
    expect(page.locator("#said")).to_have_text("Copied.")
    address = page.evaluate("navigator.clipboard.readText()")
    other = visit(address)
    expect(other.locator("#chart .newest").first).to_contain_text("199 pg/mL")
    expect(other.locator("#orders .phases li")).to_have_text(
        page.locator("#orders .phases li").inner_text()
    )
    expect(other.locator("#tab-order-select")).to_have_attribute("aria-selected", "true")


def test_a_patient_of_a_fhir_server_has_an_address(visit: Open) -> None:
    name = "hypotonia-regression-severe"
    with FhirStub([json.loads((STORIES / name / "patient.json").read_bytes())]) as stub:
        page = visit(f"/?server={stub.url}&patient={name}")
        expect(page.locator("#chart .facts code")).to_have_text(name)
        expect(cards(page).first).to_be_visible()
        has(page, "server=http.*patient=hypotonia")


def test_a_link_within_the_page_changes_nothing(visit: Open) -> None:
    page = opened(visit)
    page.get_by_role("button", name="Set vitamin B12 to 199 pg/mL").click()
    has(page, "b12=199")
    page.get_by_text("Skip to the advice").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#b12-value")).to_have_value("199")
    expect(page.locator("#chart .newest").first).to_contain_text("199 pg/mL")


def test_two_tabs_are_independent(visit: Open) -> None:
    first, second = opened(visit), opened(visit, "/?story=crohn-ileum-toddler")
    first.get_by_role("button", name="Set vitamin B12 to 199 pg/mL").click()
    expect(first.locator("#chart .newest").first).to_contain_text("199 pg/mL")
    second.reload()
    expect(second.locator("#chart .facts code")).to_have_text("crohn-ileum-toddler")
    expect(second.locator("#as-recorded")).to_be_disabled()
