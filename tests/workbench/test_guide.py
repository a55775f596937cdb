"""The guide stays in view, shows what each step changed, and moves the focus; a record of one's own
is dropped on the page."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta

import pytest
from at_the_desk import CLOVER, STORIES, cards, opened, step
from axe import violations
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.needs_environment("CDS_TEST_CHROMIUM")

Open = Callable[..., Page]
STEPS = ["treat", "slip", "caught", "mend", "signed"]
EFFECTS = ["#orders .order", "#cards article", "#cards article", "#orders .order", "#orders .empty"]


@pytest.mark.parametrize(("width", "height"), [(390, 844), (820, 1000), (1440, 1000)])
def test_every_step_and_its_effect_are_in_one_screen(visit: Open, width: int, height: int) -> None:
    page = visit("/", width=width, height=height)
    guide = page.locator("#tour")
    for index, (name, effect) in enumerate(zip(STEPS, EFFECTS, strict=True), 2):
        button = page.locator(f"[data-step={name}]")
        expect(button).to_have_attribute("aria-disabled", "false")
        expect(button).to_be_in_viewport(ratio=1)
        expect(page.locator("#step-of")).to_have_text(f"Step {index} of 6" if index > 2 else "")
        button.focus()
        page.keyboard.press("Enter")
        expect(button).to_contain_text("✓")
        lit = page.locator(".lit")
        expect(lit).to_be_in_viewport()
        assert lit.evaluate("(it, effect) => it.matches(effect)", effect)
        if name == STEPS[-1]:
            break
        expect(page.locator(f"[data-step={STEPS[index - 1]}]")).to_be_focused()
        bottom = guide.evaluate("it => it.getBoundingClientRect().bottom")
        top = lit.evaluate("it => it.getBoundingClientRect().top")
        assert bottom <= top < height * 0.6, name
        assert bottom < height * 0.25
    expect(guide).not_to_have_class("guide under-way")
    expect(guide).to_be_focused()


def test_who_needs_no_guide_closes_it(visit: Open) -> None:
    page = opened(visit)
    expect(page.get_by_text("an EHR asks this service")).to_be_visible()
    expect(page.locator("#leave")).to_be_hidden()
    step(page, "treat")
    page.get_by_role("button", name="Close guide").click()
    expect(page.locator("[data-step=slip]")).to_be_focused()
    page.evaluate("scrollTo(0, 1200)")
    expect(page.locator("#tour")).not_to_be_in_viewport()


def dropped(page: Page, text: str) -> None:
    page.evaluate(
        """text => {
             const data = new DataTransfer();
             data.items.add(new File([text], "record.json"));
             for (const kind of ["dragover", "drop"]) {
               const how = { dataTransfer: data, bubbles: true, cancelable: true };
               const event = new DragEvent(kind, how);
               document.getElementById("talk").dispatchEvent(event);
               if (!event.defaultPrevented) throw Error(kind);
             }
           }""",
        text,
    )


def test_a_record_is_dropped_anywhere_on_the_page(visit: Open) -> None:
    page = opened(visit)
    record = (STORIES / "crohn-ileum-toddler" / "patient.json").read_text(encoding="utf-8")
    name = json.loads(record)["entry"][0]["resource"]["name"][0]
    dropped(page, record)
    expect(page.locator("#chart .name")).to_have_text(f"{name['given'][0]} {name['family']}")
    dropped(page, "no record")
    expect(page.locator("#choose .error")).to_contain_text("is not JSON")
    dropped(page, "\n".join(json.dumps({"resourceType": "Patient", "id": f"infant-{one}",
                                        "birthDate": "2026-01-02"}) for one in "ab"))  # fmt: skip
    page.get_by_role("button", name="infant-b").click()
    expect(page.locator("#chart .facts")).to_contain_text("infant-b")


@pytest.mark.needs_environment("CDS_TEST_AXE")
def test_the_place_to_drop_stands_in_nobodys_way(visit: Open) -> None:
    page = opened(visit, width=390)
    assert violations(page, "#patient") == []
    step(page, "treat")
    expect(page.locator("#leave")).to_be_visible()
    assert violations(page, "#tour") == []


def test_a_child_who_has_outgrown_the_guideline_is_evaluated_as_of_the_last_result(
    visit: Open,
) -> None:
    today = date.fromisoformat(visit().request.get("/workbench/setup").json()["today"])
    later = today + timedelta(days=1000)
    page = visit(f"{CLOVER}&on={later}")
    expect(page.locator("#cards .silent")).to_be_visible()
    page.get_by_role("button", name="Evaluate as of the last result").click()
    expect(cards(page).first.locator("[data-suggestion]").first).to_be_visible()
    expect(page.locator("#as-of")).to_contain_text("not today")
    page.locator("#as-recorded").click()
    expect(page.locator("#as-of")).not_to_contain_text("not today")
    page = opened(visit, "/?story=healthy-infant-silent")
    expect(page.get_by_role("button", name="Evaluate as of the last")).to_have_count(0)
