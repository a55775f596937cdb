"""The guideline's page in a browser: short on a phone, searched, and open where a link leads."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from axe import violations
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.needs_environment("CDS_TEST_CHROMIUM")

Open = Callable[..., Page]
LONGEST_PX = 20_000


def shown_rows(page: Page) -> int:
    rows: int = page.evaluate(
        "[...document.querySelectorAll('main tbody tr')]"
        ".filter((it) => it.checkVisibility()).length"
    )
    return rows


def test_it_is_short_on_a_phone_until_something_is_unfolded(visit: Open) -> None:
    page = visit("/guideline", width=390)
    height = "document.documentElement.scrollHeight"
    expect(page.locator("#find")).to_be_visible()
    assert page.evaluate(height) < LONGEST_PX / 4
    assert shown_rows(page) == 0
    page.get_by_text("Limits", exact=True).last.click()
    expect(page.get_by_text("covered_age").first).to_be_visible()
    assert page.evaluate(height) < LONGEST_PX
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("place", ["age-06", "limit-b12-deficient", "RTE-07", "c-1", "l-8", "g-01"])
def test_a_link_opens_what_is_folded_around_its_goal(visit: Open, place: str) -> None:
    page = visit(f"/guideline#{place}", width=390)
    goal = page.locator(f'[id="{place}"]').locator(
        "xpath=ancestor-or-self::*[self::tr or self::li or self::h3][1]"
    )
    expect(goal).to_be_in_viewport()
    top = goal.evaluate("it => it.getBoundingClientRect().top")
    bar = page.locator("#searching").evaluate("it => it.getBoundingClientRect().bottom")
    assert top >= bar - 1, "it is hidden behind the search"


def test_the_same_link_leads_there_again(visit: Open) -> None:
    page = visit("/guideline#limits")
    row = page.locator('tr:has([id="limit-covered-age"])')
    expect(row).to_be_visible()
    page.locator("#limits").click()
    expect(row).to_be_hidden()
    page.get_by_role("link", name="Limits", exact=True).click()
    expect(row).to_be_visible()


def test_a_search_leaves_what_has_every_word_and_ends_where_it_began(visit: Open) -> None:
    page = visit("/guideline")
    page.get_by_text("Tests", exact=True).last.click()
    before = shown_rows(page)
    page.locator("#find").fill("first birthday")
    expect(page.locator("#found")).to_have_text(re.compile(r"Found in \d+ places\."))
    expect(page.locator('tr:has([id="age-06"])')).to_be_visible()
    expect(page.locator('tr:has([id="age-01"])')).to_be_hidden()
    expect(page).to_have_url(re.compile(r"find=first\+birthday"))
    for row in page.locator("main tbody tr").filter(visible=True).all():
        assert {"first", "birthday"} <= set(re.findall(r"\w+", row.inner_text().lower()))
    page.reload()
    expect(page.locator("#find")).to_have_value("first birthday")
    expect(page.locator('tr:has([id="age-06"])')).to_be_visible()
    page.locator("#find").fill("first birthday unicorn")
    expect(page.locator("#found")).to_have_text("Nothing here has all of these words.")
    assert shown_rows(page) == 0
    page.locator("#find").fill("")
    expect(page.locator("#found")).to_be_empty()
    assert shown_rows(page) == 0, "after reloading nothing was open before the search"
    page.goto("/guideline")
    page.get_by_text("Tests", exact=True).last.click()
    page.locator("#find").fill("first birthday")
    expect(page.locator("#found")).not_to_be_empty()
    page.locator("#find").fill("")
    expect(page.locator("#found")).to_be_empty()
    assert shown_rows(page) == before > 0


def test_a_link_out_of_a_search_leads_to_what_the_search_had_hidden(visit: Open) -> None:
    page = visit("/guideline?find=first+birthday")
    row = page.locator('tr:has([id="age-06"])')
    row.get_by_role("link", name="G-05").click()
    expect(page.locator('tr:has([id="g-05"])')).to_be_in_viewport()
    expect(page.locator("#find")).to_have_value("")


def test_everything_unfolds_and_folds_at_once(visit: Open) -> None:
    page = visit("/guideline")
    button = page.locator("#unfold")
    button.click()
    expect(button).to_have_text("Fold all")
    assert shown_rows(page) > 1500
    button.click()
    expect(button).to_have_text("Unfold all")
    assert shown_rows(page) == 0


def test_without_scripts_it_folds_and_can_be_read(visit: Open) -> None:
    page = visit("/guideline", java_script_enabled=False)
    expect(page.locator("#searching")).to_be_hidden()
    page.get_by_text("Limits", exact=True).last.click()
    expect(page.get_by_text("covered_age").first).to_be_visible()


@pytest.mark.needs_environment("CDS_TEST_AXE")
@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (820, "dark"), (1440, "light")])
def test_it_stands_in_nobodys_way(visit: Open, width: int, scheme: str) -> None:
    page = visit("/guideline", width=width, color_scheme=scheme)
    expect(page.locator("#find")).to_be_visible()
    # the rows of a table are alike, and so are cards and lists of codes
    page.evaluate(
        "document.querySelectorAll('tr:nth-child(n+3), main > details > details:nth-of-type(n+3)')"
        ".forEach((it) => it.remove())"
    )
    assert violations(page) == []
    page.locator("#find").fill("first birthday")
    expect(page.locator("#found")).not_to_be_empty()
    assert violations(page) == []
    page.locator("#find").fill("")
    expect(page.locator("#found")).to_be_empty()
    page.locator("#unfold").click()
    expect(page.locator("#unfold")).to_have_text("Fold all")
    assert violations(page) == []
