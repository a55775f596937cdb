"""Names that others rely on do not disappear silently: ``stable.toml`` lists them."""

from __future__ import annotations

import re
import tomllib

import click
import pytest
import release
import yaml
from project_files import ROOT, text_of

from cds_service.__main__ import main
from cds_service.consultation import load_services
from cds_service.consultation.services import offered_reasons
from cds_service.settings import SETTINGS
from cds_service.store import metrics


def commands(group: click.Group, path: str) -> set[str]:
    found = set()
    for name, command in group.commands.items():
        here = f"{path} {name}".strip()
        found |= commands(command, here) if isinstance(command, click.Group) else {here}
    return found


def extension_fields() -> set[str]:
    schemas = yaml.safe_load(text_of("docs/openapi.yaml"))["components"]["schemas"]
    return {
        f"{of}.{name}"
        for of in ("Evaluation", "Withheld", "NotShown")
        for name in schemas[of]["properties"]
    }


def metric_names() -> set[str]:
    return {one._name for one in vars(metrics).values() if hasattr(one, "_labelnames")}


NOW = {
    "services": {one.id for one in load_services()},
    "settings": set(SETTINGS),
    "commands": commands(main, ""),
    "extensions": extension_fields(),
    "reasons": {code for (_, code), words in offered_reasons(load_services()).items() if words},
    "metrics": metric_names(),
}
LISTED: dict[str, list[str]] = tomllib.loads(text_of("tests/stable.toml"))


def removed() -> set[str]:
    """What the changelog names under "Removed"."""
    parts = re.findall(r"^### Removed\n(.*?)(?=^##|\Z)", text_of("CHANGELOG.md"), re.M | re.S)
    return {name for part in parts for name in re.findall(r"`([^`]+)`", part)}


@pytest.mark.parametrize("kind", sorted(NOW))
def test_no_name_ends_without_the_changelog(kind: str) -> None:
    assert NOW[kind], "nothing is looked at"
    assert LISTED[kind] == sorted(LISTED[kind])
    assert set(LISTED[kind]) - NOW[kind] - removed() == set(), "gone: name it under Removed"
    assert NOW[kind] & removed() == set(), "removed, and here"


def unlisted(listed: dict[str, list[str]], unreleased: str) -> set[str]:
    """The names that a release would begin and does not list; before it they may still change."""
    new = {name for kind, names in NOW.items() for name in names - set(listed[kind])}
    return set() if unreleased.strip() else new


def test_a_release_lists_every_name() -> None:
    (_, _, unreleased), *_ = release.changes(ROOT)
    assert unlisted(LISTED, unreleased) == set(), "list them in tests/stable.toml"
    fewer = {**LISTED, "services": LISTED["services"][1:]}
    assert LISTED["services"][0] in unlisted(fewer, "\n")
    assert unlisted(fewer, "- A change.") == set()


def test_every_kind_is_listed() -> None:
    assert set(LISTED) == set(NOW)
