"""The demo as a process, and a real browser before it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from served import PATIENCE_S, running

expect.set_options(timeout=PATIENCE_S * 1000)

# A browser that asks no one for anything but the page.
_QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

#: What a browser says that the tests expect: the answers of a service that refuses.
_EXPECTED = "Failed to load resource: the server responded with a status of 4"


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a demo that runs as a process of its own."""
    log = tmp_path_factory.mktemp("demo") / "log"
    # A slow shared machine must not decide what a FHIR server's answer is worth.
    told = {"CDS_DATABASE_URL": "", "CDS_FHIR_DEADLINE_MS": "10000", "CDS_QUEUE_MS": "10000"}
    with running("--demo", log=log, **told) as (_, port):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = os.environ["CDS_TEST_CHROMIUM"]
        launched = playwright.chromium.launch(executable_path=chromium, args=_QUIET)
        yield launched
        launched.close()


Open = Callable[..., Page]


@pytest.fixture
def visit(browser: Browser, base: str) -> Iterator[Open]:
    """Opens an address of the demo in a window of its own; afterwards nothing may have gone
    wrong in it unnoticed, and nothing may have been asked of anyone else."""
    windows: list[Page] = []
    wrong: list[str] = []
    asked: list[str] = []

    def open_(
        path: str = "/", width: int = 1440, height: int = 1000, forgives: str = "$^", **options: Any
    ) -> Page:
        """``forgives`` is a pattern of what the browser may complain about."""
        forgiven = re.compile(f"{_EXPECTED}|{forgives}").search
        context = browser.new_context(
            base_url=base, viewport={"width": width, "height": height}, **options
        )
        page = context.new_page()
        page.set_default_timeout(PATIENCE_S * 1000)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on(
            "console",
            lambda said: (
                wrong.append(said.text)
                if said.type in ("error", "warning") and not forgiven(said.text)
                else None
            ),
        )
        page.on("request", lambda request: asked.append(request.url))
        page.on("dialog", lambda dialog: wrong.append(f"a dialog: {dialog.message}"))
        windows.append(page)
        page.goto(path)
        return page

    yield open_
    for page in windows:
        page.context.close()
    assert wrong == []
    assert {url for url in asked if not url.startswith((f"{base}/", "data:", "blob:"))} == set()
