"""How Sphinx makes a site of the documents (`make site`), the same files that a forge shows.

Every warning is an error there, a link without a goal among them.
"""

from __future__ import annotations

import re

from sphinx.application import Sphinx

project = "b12-cds-service"
extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = [
    "*.md",
    "docs/**.md",
    "tests/README.md",
    "findings/README.md",
    "cds_service/guidelines/README.md",
    "cds_service/guidelines/*/README.md",
]
myst_heading_anchors = 4
smartquotes = False  # `--as-of` in a sentence stays what is typed
html_theme = "furo"
html_title = project
html_show_copyright = False
html_show_sphinx = False


def in_html(_app: Sphinx, _page: str, source: list[str]) -> None:
    """What MyST cannot express: anchors in tables, and the rule in a card."""
    anchors = set(re.findall(r'<a id="([^"]+)"', source[0]))

    def linked(found: re.Match[str]) -> str:
        text, anchor = found.groups()
        return f'<a href="#{anchor}">{text}</a>' if anchor in anchors else found[0]

    source[0] = re.sub(r"\[([^\]]+)\]\(#([^)]+)\)", linked, source[0])
    source[0] = re.sub(r"^> ---$", "> <hr>", source[0], flags=re.M)


def setup(app: Sphinx) -> None:
    app.connect("source-read", in_html)
