"""The plots of the chart: over the age, on growth curves, read by pointer and by keyboard."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from at_the_desk import CLOVER, opened
from axe import violations
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.needs_environment("CDS_TEST_CHROMIUM")

Open = Callable[..., Page]
TWO_LEVELS = "/?story=oral-therapy-no-response"


def test_level_and_weight_share_the_axis_of_the_age(visit: Open) -> None:
    page = opened(visit, CLOVER)
    plots = page.locator("#chart .plot.large")
    expect(plots).to_have_count(2)
    marks = [
        [one.text_content() for one in plots.nth(at).locator("svg .tick").all()] for at in (0, 1)
    ]
    for shown in marks:
        assert [one for one in shown if one == "birth" or "mo" in (one or "")] == [
            "birth", "1 mo", "2 mo", "3 mo", "4 mo", "5 mo", "6 mo",
        ]  # fmt: skip
    expect(plots.nth(1).locator("svg .curve")).to_have_count(5)
    expect(plots.nth(1)).to_contain_text("WHO weight-for-age")
    ends = (
        plots.nth(1)
        .locator("svg .curve")
        .evaluate_all(
            "all => all.map((one) => Number(one.getAttribute('points').split(',').at(-1)))"
        )
    )
    assert ends == sorted(ends, reverse=True), "the curves are in order"
    dot = float(plots.nth(1).locator("svg .dot").get_attribute("cy") or 0)
    assert ends[2] < dot < ends[1], "6.8 kg lies between the median and two deviations below"


def test_without_a_day_of_birth_the_axis_has_dates_and_no_curve(visit: Open) -> None:
    page = visit("/?story=birth-year-only")
    expect(page.locator("#chart .plot").first).to_be_visible()
    expect(page.locator("svg .curve")).to_have_count(0)
    expect(page.locator("svg .tick", has_text="birth")).to_have_count(0)


def test_results_are_read_by_keyboard_and_by_pointer(visit: Open) -> None:
    page = opened(visit, TWO_LEVELS)
    plot = page.locator("#chart .plot.large").first
    reader = plot.get_by_role("slider", name="Results of Vitamin B12")
    said = plot.locator("output")
    expect(said).to_have_text(re.compile(r"160 pg/mL on \d+ \w+ \d+, at 8 months \d+ days"))
    reader.focus()
    page.keyboard.press("ArrowLeft")
    expect(said).to_have_text(re.compile(r"150 pg/mL on \d+ \w+ \d+, at \d+ months"))
    expect(reader).to_have_attribute("aria-valuetext", said.inner_text())
    expect(plot.locator(".dot.read")).to_have_count(1)
    plot.locator(".dot").last.hover()
    expect(said).to_contain_text("160 pg/mL")
    expect(reader).to_have_value("1")


def test_a_changed_fact_says_what_the_rules_saw(visit: Open) -> None:
    page = opened(visit, CLOVER)
    page.get_by_role("button", name="Set vitamin B12 to 300 pg/mL").click()
    changes = page.locator("#changes")
    expect(changes).to_contain_text("Because")
    expect(changes).to_contain_text("level: adequate")
    expect(changes).to_contain_text("No longer: ")


@pytest.mark.needs_environment("CDS_TEST_AXE")
@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1440, "dark")])
def test_the_plots_stand_in_nobodys_way(visit: Open, width: int, scheme: str) -> None:
    page = opened(visit, TWO_LEVELS, width=width, color_scheme=scheme)
    assert violations(page, "#chart") == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
