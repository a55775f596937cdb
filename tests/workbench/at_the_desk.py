"""Where things are in the workbench, and how a chart is opened in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect

STORIES = Path(__file__).parents[2] / "fhir_samples" / "b12_under_two"
CLOVER = "/?story=vegan-mother-low-b12-six-months"
SLIP = "/?story=order-sign-milligrams-for-micrograms"


def cards(page: Page) -> Locator:
    return page.locator("#cards article.card")


def first_card(page: Page) -> Locator:
    return cards(page).first.locator("h3")


def opened(visit: Callable[..., Page], path: str = CLOVER, **options: Any) -> Page:
    page = visit(path, **options)
    expect(cards(page).first).to_be_visible()
    expect(page.locator("#as-recorded")).to_be_attached()
    return page


def step(page: Page, name: str) -> None:
    page.locator(f"[data-step={name}][aria-disabled=false]").click()


def paste(page: Page, text: str) -> None:
    page.get_by_text("Another patient …").click()
    page.get_by_label("A FHIR Bundle, resources").fill(text)
    page.get_by_role("button", name="Open it").click()
