"""The plots of the chart: over the age, on growth curves, read by pointer and by keyboard."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise

import pytest
from at_the_desk import CLOVER, opened
from axe import violations
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.needs_environment("CDS_TEST_CHROMIUM")

Open = Callable[..., Page]
TWO_LEVELS = "/?story=oral-therapy-no-response"


def ticks(plot: Locator) -> list[str]:
    shown = [one.text_content() or "" for one in plot.locator("svg .tick").all()]
    return [one for one in shown if one == "birth" or " mo" in one]


def middle(mark: Locator) -> float:
    return float(mark.evaluate("it => it.getBBox().x + it.getBBox().width / 2"))


def test_everything_that_depends_on_age_shares_its_axis(visit: Open) -> None:
    page = opened(visit, CLOVER)
    plots = page.locator("#chart .plot.large")
    titles = ["Vitamin B12", "Weight", "Haemoglobin", "MCV", "Treatment and tests"]
    expect(plots.locator("figcaption strong")).to_have_text(titles)
    for plot in plots.all():
        assert ticks(plot) == ["birth", "2 mo", "4 mo", "6 mo", "8 mo", "10 mo"]
    todays = {round(middle(one), 2) for one in plots.locator("line.today").all()}
    assert len(todays) == 1
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
    on_the_day = plots.nth(1).evaluate(
        """it => { const dot = it.querySelector(".dot"), x = Number(dot.getAttribute("cx"));
             return [...it.querySelectorAll(".curve")].map((one) => {
               const all = [...one.points], at = all.findIndex((two) => two.x >= x);
               const [a, b] = [all[at - 1], all[at]];
               return a.y + ((b.y - a.y) * (x - a.x)) / (b.x - a.x); }); }"""
    )
    dot = float(plots.nth(1).locator("svg .dot").get_attribute("cy") or 0)
    assert on_the_day[2] < dot < on_the_day[1], "6.8 kg lies between the median and two below"


def test_haemoglobin_is_read_with_the_limit_of_the_age(visit: Open) -> None:
    page = opened(visit, CLOVER)
    plot = page.locator("#chart .plot.large", has_text="Haemoglobin")
    expect(plot.locator("svg .band")).to_have_count(4)
    numbers = [one for one in plot.locator("svg .tick").all_text_contents() if "mo" not in one]
    assert numbers == ["10", "9", "9.5", "anaemia below 10.5", "birth"]
    expect(plot.locator("output")).to_have_text(
        re.compile(r"11\.8 g/dL on .*, at 6 months 2 days \(anaemia below 10\.5\)")
    )
    page = opened(visit, "/?story=birth-year-only")
    expect(page.locator("#chart .plot.large")).not_to_contain_text(["Haemoglobin"])


def test_a_cell_volume_is_read_with_the_limit_of_the_age(visit: Open) -> None:
    page = opened(visit, "/?story=anaemia-moderate-breastfed")
    plot = page.locator("#chart .plot.large", has_text="MCV")
    expect(plot.locator("svg .band")).to_have_count(4)
    expect(plot.locator("svg .tick", has_text="macrocytosis above 90")).to_have_count(1)
    expect(plot.locator("output")).to_have_text(
        re.compile(r"99 fL on .*, at 9 months 7 days \(macrocytosis above 90\)")
    )
    expect(plot.locator("svg")).to_have_attribute(
        "aria-label", re.compile("macrocytosis, if flagged, above 123 from the age of 1 month")
    )
    plot.scroll_into_view_if_needed()
    dot = float(plot.locator("svg .dot").get_attribute("cy") or 0)
    limit = float(plot.locator("svg .limit").last.get_attribute("y1") or 0)
    assert dot < limit, "99 fL lies above the limit of 90"


def test_what_is_recommended_is_drawn_with_its_tests(visit: Open) -> None:
    page = opened(visit, CLOVER)
    plot = page.locator("#courses")
    expect(plot.locator(".row-name")).to_have_text(
        ["Recommended: Cyanocobalamin 1 mg/mL oral solution", "Tests"]
    )
    bars, tests = plot.locator("path.bar"), plot.locator("path.test")
    expect(bars).to_have_count(4)
    expect(tests).to_have_count(3)
    today = middle(plot.locator("line.today"))
    edges = [one.evaluate("it => [it.getBBox().x, it.getBBox().width]") for one in bars.all()]
    assert abs(edges[0][0] - today) < 0.5, "it begins today"
    for (x, width), (following, _) in pairwise(edges):
        assert abs(x + width + 1 - following) < 1.5, "one phase follows on the other"
    assert [round(width / edges[0][1]) for _, width in edges] == [1, 2, 2, 13]
    assert abs(middle(tests.first) - today) < 0.5
    reader = plot.get_by_role("slider", name="Treatment and tests, one by one")
    reader.focus()
    page.keyboard.press("Home")
    said = plot.locator("output")
    expect(said).to_contain_text("Recommended from")
    expect(said).to_contain_text("by mouth once daily for 7 days")
    expect(said).to_contain_text("at 6 months 5 days")
    expect(plot.locator(".bar.read")).to_have_count(1)
    tests.nth(1).hover()
    expect(said).to_have_text(re.compile("Recommended for .*: Vitamin B12, at 7 months"))
    page.get_by_role("button", name="Set vitamin B12 to 300 pg/mL").click()
    expect(plot).to_have_count(0)


def test_what_was_given_and_ordered_is_drawn(visit: Open) -> None:
    page = opened(visit, "/?story=injections-only-as-administrations")
    plot = page.locator("#courses")
    expect(plot.locator(".dot")).to_have_count(5)
    xs = [middle(one) for one in plot.locator(".dot").all()]
    assert xs == sorted(set(xs)), "each at its day"
    expect(plot.locator("svg")).to_have_attribute("aria-label", re.compile("Given on .*: "))
    page = opened(visit, "/?story=injections-begun-in-place-of-drops")
    plot = page.locator("#courses")
    expect(plot.locator(".row-name")).to_contain_text(["vitamin B12", "hydroxocobalamin"])
    label = plot.locator("svg").get_attribute("aria-label") or ""
    assert re.search(r"Order from [^:]*, stopped, no end recorded: vitamin B12", label)
    assert re.search(r"Order since [^:]*: hydroxocobalamin", label)


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


@pytest.mark.parametrize(
    ("level", "advised", "because"),
    [
        ("99", "Hydroxocobalamin 1000 micrograms intramuscular", "99 is below 100 pg/mL (level)"),
        ("200", "Order test: Methylmalonic acid", "level: borderline"),
        ("300", "check her vitamin B12 and supplement", "level: adequate"),
    ],
)
def test_a_changed_fact_says_what_is_advised_instead_and_why(
    visit: Open, level: str, advised: str, because: str
) -> None:
    page = opened(visit, CLOVER)
    page.get_by_role("button", name=f"Set vitamin B12 to {level} pg/mL, ").click()
    changes = page.locator("#changes > p")
    expect(changes.nth(0)).to_have_text(re.compile(f"^Now: .*{advised}"))
    expect(changes.nth(1)).to_have_text(re.compile("^Instead of: Oral cyanocobalamin 1000 microgr"))
    expect(changes.nth(2)).to_have_text(re.compile(f"^Because {re.escape(because)}"))
    expect(page.locator("#said")).to_contain_text(f"Because {because}")
    page.locator("#changes summary").press("Enter")
    expect(page.locator("#changes li").first).to_be_visible()
    expect(page.locator("#changes details")).to_contain_text("No longer: ")
    page.locator("#as-recorded").click()
    expect(changes.nth(0)).to_have_text(re.compile("^Now: Oral cyanocobalamin"))


def test_the_same_advice_for_another_reason_is_called_the_same(visit: Open) -> None:
    page = opened(visit, CLOVER)
    page.get_by_role("button", name="Set vitamin B12 to 300 pg/mL").click()
    expect(page.locator("#changes")).to_contain_text("Instead of")
    page.get_by_role("button", name="Aged 1 year, on the day").click()
    expect(page.locator("#changes > p").first).to_have_text(
        "The advice is the same, other rules lead to it."
    )
    expect(page.locator("#changes > p")).to_contain_text(["is at least 12 mo"])


@pytest.mark.needs_environment("CDS_TEST_AXE")
@pytest.mark.parametrize("story", [CLOVER, TWO_LEVELS])
@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (820, "dark"), (1440, "dark")])
def test_the_plots_stand_in_nobodys_way(visit: Open, width: int, scheme: str, story: str) -> None:
    page = opened(visit, story, width=width, color_scheme=scheme)
    assert violations(page, "#chart") == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
