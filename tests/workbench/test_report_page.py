"""The report as a page, in a real browser: complete, legible, and asking no one for anything."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from axe import violations
from kept import accepted, card, overridden
from msgspec import structs
from playwright.sync_api import Browser, Page

from cds_service.cdshooks.feedback import Reason
from cds_service.consultation import load_services
from cds_service.language import house
from cds_service.store.reports.figures import Answer, Call, Report, Rows, Selection, make_report
from cds_service.store.reports.page import as_html

pytestmark = pytest.mark.needs_environment("CDS_TEST_CHROMIUM")

SHOWN = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)
SERVICE = "b12-under-two-patient-view"
#: What a client may call itself: it must neither do anything nor burst the page.
LONG = "<img src=x onerror=alert(1)> " + "north" * 30


def a_report() -> Report:
    """One with every section: enough cards, too few, a silent client, held back, a challenger."""
    calls, answers = [], []
    for number in range(40):
        at = SHOWN + timedelta(days=number % 9, minutes=number)
        client = LONG if number % 2 else "south" if number % 3 else None
        shown = card(f"card-{number}", rule="RTE-07" if number % 4 else "FU-02")
        call = Call(
            at,
            client,
            SERVICE,
            "patient-view",
            f"{number}",
            "p",
            "live",
            200,
            "advice",
            "1",
            (shown,),
        )
        held = structs.replace(shown, uuid=f"held-{number}", hidden="overridden before")
        tried = structs.replace(shown, hidden="challenger", indicator="critical")
        calls += [
            structs.replace(call, cards=(shown, held) if number % 5 == 0 else (shown,)),
            structs.replace(call, arm="challenger", edition="2", cards=(tried,)),
        ]
        said = (
            accepted(shown.uuid)
            if number % 5
            else overridden(shown.uuid, reasons=(Reason(display=LONG),))
        )
        if client is not None:
            after = timedelta(seconds=number * number)
            answers.append(Answer(client, SERVICE, structs.replace(said, outcome_at=at + after)))
    return make_report(
        Rows(calls, answers, 3), Selection(), SHOWN + timedelta(days=30), timedelta(hours=24)
    )


@pytest.fixture(params=[(390, "light"), (1280, "light"), (1280, "dark")])
def page(request: pytest.FixtureRequest, browser: Browser, tmp_path: Path) -> Iterator[Page]:
    width, scheme = request.param
    rules = load_services()[0].guideline.wording.rules
    file = tmp_path / "report.html"
    meanings = {name: rule.result for name, rule in rules.items()}
    file.write_text(as_html(a_report(), meanings, house.language()), encoding="utf-8")
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=True
    )
    shown = context.new_page()
    wrong: list[str] = []
    asked: list[str] = []
    shown.on("console", lambda said: wrong.append(said.text))
    shown.on("pageerror", lambda error: wrong.append(str(error)))
    shown.on("request", lambda request: asked.append(request.url))
    shown.goto(file.as_uri())
    yield shown
    context.close()
    assert wrong == []
    assert asked == [file.as_uri()]


def test_the_page_is_as_wide_as_its_window(page: Page) -> None:
    assert page.evaluate(
        "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )
    assert page.locator("section").count() >= 10


def test_no_label_of_a_plot_is_cut_off(page: Page) -> None:
    outside = page.evaluate(
        """[...document.querySelectorAll('figure svg')].flatMap(svg => {
            const frame = svg.viewBox.baseVal
            return [...svg.querySelectorAll('text')].filter(text => {
                const box = text.getBBox()
                return box.x < 0 || box.x + box.width > frame.width
                    || box.y < 0 || box.y + box.height > frame.height
            }).map(text => text.textContent)
        })"""
    )
    assert outside == []


@pytest.mark.needs_environment("CDS_TEST_AXE")
def test_nothing_stands_in_the_way_of_anybody(page: Page) -> None:
    assert violations(page) == []
