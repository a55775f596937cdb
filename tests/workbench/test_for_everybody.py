"""The workbench by keyboard, by ear, in every width, and on paper."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from at_the_desk import SLIP, STORIES, cards, opened, paste, step
from axe import violations
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.needs_environment("CDS_TEST_CHROMIUM")

Open = Callable[..., Page]
ADVICE = re.compile("/(cds-services|workbench/explain)/")
STEPS = ["open", "treat", "slip", "caught", "mend", "signed"]


def unfold(page: Page) -> None:
    """Opens all but most of the tables of rules, which are alike."""
    page.evaluate(
        "for (const it of document.querySelectorAll('details')) it.open = true;"
        "for (const it of document.querySelectorAll('.why details.table + details.table'))"
        " it.remove();"
        "for (const it of document.querySelectorAll('.because')) it.open = true;"
    )
    page.evaluate(
        "for (const it of document.querySelectorAll('.why details.table + details.table'))"
        " it.remove();"
        "for (const it of document.querySelectorAll('.why details.table')) it.open = true;"
    )


def check(page: Page, state: str) -> None:
    unfold(page)
    assert violations(page) == [], state


@pytest.mark.needs_environment("CDS_TEST_AXE")
@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (820, "dark"), (1440, "light")])
def test_no_state_stands_in_the_way_of_anybody(visit: Open, width: int, scheme: str) -> None:
    page = visit("/", width=width, color_scheme=scheme)
    expect(page.locator("[data-step=open]")).to_be_visible()
    check(page, "at the beginning")
    for name in STEPS:
        step(page, name)
        expect(page.locator(f"[data-step={name}]")).to_contain_text("✓")
        expect(page.locator("#cards[aria-busy=false]")).to_be_attached()
        check(page, f"after the step {name}")


@pytest.mark.needs_environment("CDS_TEST_AXE")
@pytest.mark.parametrize("width", [390, 1440])
def test_no_fault_stands_in_the_way_of_anybody(visit: Open, width: int) -> None:
    page = opened(visit, width=width)
    page.locator("#what-if-fold").evaluate("fold => { fold.open = true; }")
    page.locator("#b12-value").fill("0")
    page.locator("#b12-value").press("Enter")
    expect(page.locator(".refused")).to_be_visible()
    check(page, "a value is refused")
    page.route(ADVICE, lambda route: None)
    page.locator("#tab-order-select").click()
    expect(page.locator(".asking")).to_be_visible()
    assert violations(page, "#advice") == []
    page.locator("#tab-patient-view").click()
    page.get_by_role("button", name="Set vitamin B12 to 99 pg/mL").click()
    expect(page.locator("#cards .past").first).to_be_visible()
    assert violations(page, "#advice") == []
    page.locator("#cards .asking button").click()
    expect(page.locator("#cards .problem")).to_be_visible()
    check(page, "no answer")
    page.unroute_all(behavior="ignoreErrors")
    page.route("**/samples/**", lambda route: None)
    page.get_by_role("button", name="Healthy: no card").click()
    expect(page.locator(".loading")).to_be_visible()
    check(page, "opening")
    page.locator(".loading button").click()
    expect(page.locator("#choose .error")).to_be_visible()
    check(page, "not opened")
    page.unroute_all(behavior="ignoreErrors")
    page.locator("#choose .error button").click()
    expect(page.locator("#cards .silent")).to_be_visible()
    check(page, "no card")
    page.locator("#choose details").evaluate("it => { it.open = false; }")
    request = json.loads((STORIES / "crohn-ileum-toddler" / "request.json").read_bytes())
    request["context"]["draftOrders"] = {"entry": [None]}
    paste(page, json.dumps(request))
    expect(page.locator("#choose .refused ul")).to_be_visible()
    check(page, "what cannot be shown")


def test_the_guide_is_walked_by_keyboard_alone(visit: Open) -> None:
    page = opened(visit, "/")  # until then the page is still put together, and a focus may be lost
    lost = "document.activeElement === document.body"
    for _ in range(12):
        if page.locator("[data-step=open]").evaluate("it => it === document.activeElement"):
            break
        page.keyboard.press("Tab")
    for name in STEPS:  # each, once it is over, hands the focus to the next
        button = page.locator(f"[data-step={name}]")
        expect(button).to_have_attribute("aria-disabled", "false")
        expect(button).to_be_focused()
        expect(button).to_have_css("outline-style", "solid")
        page.keyboard.press("Enter")
        expect(button).to_contain_text("✓")
        expect(page.locator("#cards[aria-busy=false]")).to_be_attached()
        assert not page.evaluate(lost), name
    expect(page.locator("#orders .empty")).to_contain_text("on the record now")


def test_the_keyboard_reaches_everything_and_the_focus_is_seen(visit: Open) -> None:
    page = opened(visit)
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the advice")).to_be_focused()
    page.keyboard.press("Enter")
    tab = page.locator("#tab-patient-view")
    tab.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#tab-order-select")).to_be_focused()
    expect(page.locator("#tab-order-select")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowLeft")
    expect(tab).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Tab")
    expect(page.locator("#cards")).to_be_focused()
    page.keyboard.press("Tab")
    button = cards(page).first.locator("[data-suggestion]").first
    expect(button).to_be_focused()
    expect(button).to_have_css("outline-style", "solid")
    page.keyboard.press("Enter")
    expect(page.locator("#orders td.dose").first).to_be_visible()
    expect(cards(page).first.locator(".outcome")).to_be_focused()


@pytest.mark.parametrize(
    "act",
    [
        "#orders .order-head button",
        "#orders .tests button",
        "#orders .bar button:last-child",
        "#sign",
        "#tab-order-sign",
        ".story:nth-child(3)",
        ".jump",
        "[data-suggestion]",
        "#cards .dismiss form button",
    ],
)
def test_the_focus_is_never_lost(visit: Open, act: str) -> None:
    page = opened(visit, SLIP)
    unfold(page)
    button = page.locator(act).first
    button.focus()
    button.press("Enter")
    page.wait_for_load_state("networkidle")
    expect(page.locator("#cards[aria-busy=false]")).to_be_attached()
    assert page.evaluate("document.activeElement.tagName") != "BODY"


def test_a_name_in_another_direction_disturbs_nothing_around_it(visit: Open) -> None:
    page = visit("/")
    request = json.loads((STORIES / "hypotonia-regression-severe" / "request.json").read_bytes())
    request["prefetch"]["patient"]["name"] = [{"text": "\u05d0\u05d1\u05d2 1"}]
    paste(page, json.dumps(request))
    expect(page.locator("#chart .name bdi")).to_have_text("\u05d0\u05d1\u05d2 1")
    expect(page.locator("#chart .list li > bdi").first).to_be_visible()
    page.get_by_role("button", name="Write an order").click()
    expect(page.locator("#orders .order h3 bdi").first).to_be_visible()


def test_on_paper_are_the_chart_the_advice_and_the_orders(visit: Open) -> None:
    page = opened(visit, color_scheme="dark")
    cards(page).first.locator("[data-suggestion]").first.click()
    expect(page.locator("#orders .phases").first).to_be_visible()
    page.emulate_media(media="print")
    for part in (
        "#patient",
        "#what-if",
        "#talk",
        "#tour",
        "nav",
        "#cards [data-suggestion]",
        "#sign",
    ):
        expect(page.locator(part).first).to_be_hidden()
    for part in ("#chart .name", "#cards article h3", "#orders .phases li", ".notice"):
        expect(page.locator(part).first).to_be_visible()
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == "rgb(255, 255, 255)"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
