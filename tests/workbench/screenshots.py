"""Takes the pictures of docs/workbench again: ``python tests/workbench/screenshots.py``.

Needs the demo on port 8080 (``make demo``) and CDS_TEST_CHROMIUM.
"""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from cds_service.language.house import languages

FOLDER = Path(__file__).parents[2] / "docs" / "workbench"
ADDRESS = os.environ.get("DEMO", "http://127.0.0.1:8080")


def picture(page: Page, name: str, place: str = "") -> None:
    """The window, or the part of the page at ``place``, as WebP: Playwright itself has none."""
    clip: dict[str, Any] = {}
    if place:
        box = page.locator(place).first.bounding_box()
        assert box
        top = page.evaluate("scrollY")
        edge = 8
        clip = {
            "clip": {
                "x": box["x"] - edge,
                "y": box["y"] + top - edge,
                "width": box["width"] + 2 * edge,
                "height": box["height"] + 2 * edge,
                "scale": 1,
            },
            "captureBeyondViewport": True,
        }
    session = page.context.new_cdp_session(page)
    shot = session.send("Page.captureScreenshot", {"format": "webp", "quality": 82, **clip})
    (FOLDER / f"{name}.webp").write_bytes(base64.b64decode(shot["data"]))


def settled(page: Page, selector: str) -> None:
    page.locator(selector).first.wait_for()
    page.wait_for_load_state("networkidle")


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ["CDS_TEST_CHROMIUM"], args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1400, "height": 1010})
        page.goto(ADDRESS)
        page.locator("[data-step=open][aria-disabled=false]").click()
        settled(page, "article.card")
        picture(page, "patient")
        picture(page, "card", "article.card")
        page.evaluate("scrollTo(0, 0)")  # where the guide covers nothing
        picture(page, "chart", "#chart")
        page.locator("[data-step=treat][aria-disabled=false]").click()
        settled(page, ".calendar")
        page.locator("#leave").click()
        picture(page, "basket", "#orders")
        page.locator("[data-step=slip][aria-disabled=false]").click()
        settled(page, "#tab-order-select[aria-selected=true]")
        page.locator("[data-step=caught][aria-disabled=false]").click()
        settled(page, ".objection")
        picture(page, "caught", "#advice")
        asked = browser.new_page(viewport={"width": 1400, "height": 1010})
        asked.goto(f"{ADDRESS}/?story=vegan-mother-low-b12-six-months")
        settled(asked, "article.card")
        asked.locator(".range-fold summary").first.click()
        asked.locator(".stretches button").first.click()
        settled(asked, "#changes")
        picture(asked, "what-if", ".control:has(#b12-slider)")
        picture(asked, "words", "#changes")
        phone = browser.new_page(
            viewport={"width": 390, "height": 844}, color_scheme="dark", device_scale_factor=1.5
        )
        phone.goto(ADDRESS)
        phone.locator("[data-step=treat][aria-disabled=false]").click()
        settled(phone, ".lit")
        picture(phone, "guide")
        phone.goto(f"{ADDRESS}/?story=hypotonia-regression-severe")
        settled(phone, "article.card")
        phone.evaluate("document.getElementById('advice').scrollIntoView()")
        picture(phone, "phone")
        page.goto(f"{ADDRESS}/?find=crohn")
        settled(page, "#found-stories li")
        picture(page, "stories")
        page.goto(f"{ADDRESS}/guideline?find=first+birthday")
        settled(page, "#found:not(:empty)")
        page.evaluate("scrollTo(0, 0)")
        picture(page, "guideline")
        for tag in languages():
            spoken = browser.new_page(viewport={"width": 1400, "height": 1010}, locale=tag)
            spoken.goto(f"{ADDRESS}/?story=hypotonia-regression-severe")
            settled(spoken, "article.card")
            picture(spoken, f"card-{tag}", "article.card")
        browser.close()


if __name__ == "__main__":
    main()
