"""Finding one of the sample infants, and a case on one page of paper."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from at_the_desk import SLIP, STORIES, cards, opened
from axe import violations
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.needs_environment("CDS_TEST_CHROMIUM")

Open = Callable[..., Page]
EXPECTED = {
    path.parent.name: json.loads(path.read_bytes()) for path in STORIES.glob("*/expected.json")
}


def count(page: Page, expected: int) -> None:
    expect(page.locator("#found-count")).to_have_text(f"{expected} of {len(EXPECTED)} stories.")


def test_a_rule_of_the_guideline_leads_to_every_story_in_which_it_fires(visit: Open) -> None:
    page = visit("/guideline#rte-02")
    page.locator('tr:has([id="rte-02"]) .stories-of').click()
    named = {name for name, one in EXPECTED.items() if "RTE-02" in one["fires"]}
    assert 1 < len(named) < 25
    count(page, len(named))
    shown = page.locator("#found-stories li")
    assert {one.get_attribute("data-story") for one in shown.all()} == named
    told = shown.filter(has=page.locator("button")).first
    first = told.get_attribute("data-story")
    told.locator("button").press("Enter")
    expect(page).to_have_url(re.compile(f"story={first}"))
    expect(page.locator("#browser")).to_be_hidden()
    expect(cards(page).first).to_be_visible()


def test_stories_are_found_by_words_outcome_age_and_moment(visit: Open) -> None:
    page = opened(visit, width=390)
    page.locator("#browse").click()
    expect(page.locator("#story-words")).to_be_focused()
    count(page, len(EXPECTED))
    expect(page.locator("#found-stories li")).to_have_count(25)
    page.get_by_role("button", name="Show 25 more").click()
    expect(page.locator("#found-stories li")).to_have_count(50)
    expect(page.locator("#found-stories li").nth(25).locator("button")).to_be_focused()
    page.locator("#story-outcome").select_option("No card")
    silent = {name for name, one in EXPECTED.items() if one["silent"]}
    count(page, len(silent))
    page.locator("#story-outcome").select_option("Critical")
    page.locator("#story-hook").select_option("Signing")
    expect(page.locator("#found-stories li.tone-critical").first).to_be_visible()
    expect(page.locator("#found-stories li:not(.tone-critical)")).to_have_count(0)
    page.locator("#story-words").fill("unicorn")
    expect(page.locator("#found-count")).to_contain_text("No story has all of this")
    page.locator("#story-words").fill("milligrams micrograms")
    expect(page.locator("[data-story=order-sign-milligrams-for-micrograms]")).to_be_visible()
    page.locator("#story-age").select_option("under 1 month")
    expect(page.locator("[data-story=order-sign-milligrams-for-micrograms]")).to_be_hidden()
    page.locator("#story-age").press("Escape")
    expect(page.locator("#browser")).to_be_hidden()
    expect(page.locator("#browse")).to_be_focused()


def test_a_finding_of_the_record_finds_its_story(visit: Open) -> None:
    page = visit("/?find=crohn")
    expect(page.locator("[data-story=crohn-ileum-toddler]")).to_be_visible()
    assert "Crohn" in page.locator("[data-story=crohn-ileum-toddler]").inner_text()


@pytest.mark.needs_environment("CDS_TEST_AXE")
@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1440, "dark")])
def test_the_browser_stands_in_nobodys_way(visit: Open, width: int, scheme: str) -> None:
    page = visit("/?find=RTE-02", width=width, color_scheme=scheme)
    expect(page.locator("#found-stories li").first).to_be_visible()
    assert violations(page, "#browser") == []


# --- on paper ------------------------------------------------------------------------------------

_PAGES = re.compile(rb"/Type\s*/Page\b")


@pytest.mark.parametrize(
    "path", [SLIP, "/?story=antidote-ordered-level-low", "/?story=healthy-infant-silent"]
)
def test_a_case_is_printed_on_one_page(visit: Open, path: str) -> None:
    """The second has more to say than any other story."""
    page = visit(path)
    page.evaluate("window.print = () => { window.printed = true; }")
    page.locator("#summary").click()
    assert page.evaluate("window.printed")
    page.emulate_media(media="print")
    expect(page.locator("#paper h1")).to_be_visible()
    expect(page.locator("#chart")).to_be_hidden()
    said = page.locator("#paper").inner_text()
    for card in page.locator("#cards article[data-card] h3").all_text_contents():
        assert card.replace("\u00a0", " ") in said
    assert "not for clinical use" in said
    assert page.evaluate("location.search").split("&")[0] in said
    assert len(_PAGES.findall(page.pdf(format="A4", prefer_css_page_size=True))) == 1
    page.emulate_media(media="print")
    expect(page.locator("#paper")).to_be_hidden()
    expect(page.locator("#chart")).to_be_visible()
