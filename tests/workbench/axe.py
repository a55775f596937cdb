"""What axe-core, the checker of accessibility, has against a page."""

from __future__ import annotations

import os
from pathlib import Path

from playwright.sync_api import Page

_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# What is spoken must be what is written, which axe calls experimental and leaves out.
_OPTIONS = {
    "runOnly": {"type": "tag", "values": _TAGS},
    "rules": {"label-content-name-mismatch": {"enabled": True}},
}


def violations(page: Page, within: str = "html") -> list[str]:
    page.evaluate(Path(os.environ["CDS_TEST_AXE"]).read_text(encoding="utf-8"))
    found = page.evaluate("([within, options]) => axe.run(within, options)", [within, _OPTIONS])
    assert found["passes"]
    return [
        f"{one['id']}: {node['html'][:150]} {node['any'][0]['message'] if node['any'] else ''}"
        for one in found["violations"]
        for node in one["nodes"]
    ]
