"""Discovery and the prefetch templates in it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from checker import problems_in_discovery
from ehr import BASE, Ehr, Used, register
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.settings import Settings

Json = dict[str, Any]

#: Hooks of the published library that this project means to serve, and their prefetch tokens.
TOKENS_OF_HOOK = {
    hook: {"context.userId", "context.patientId", "context.encounterId"}
    for hook in ("patient-view", "order-select", "order-sign")
}
USER_TOKENS = {
    "userPractitionerId",
    "userPractitionerRoleId",
    "userPatientId",
    "userRelatedPersonId",
}
SEARCH_PARAMETERS = {"patient", "code", "date", "category", "status", "_count", "_sort"}


@pytest.fixture
def entries(client: FlaskClient) -> list[Json]:
    found: list[Json] = json.loads(client.get("/cds-services").data)["services"]
    assert found
    return found


@pytest.fixture
def templates(entries: list[Json]) -> list[tuple[str, str, str]]:
    """Hook, key and template."""
    found = [(e["hook"], key, text) for e in entries for key, text in e["prefetch"].items()]
    assert found
    return found


def parameters(template: str) -> list[tuple[str, str]]:
    _, _, query = template.partition("?")
    return [tuple(pair.split("=", 1)) for pair in query.split("&")] if query else []  # type: ignore[misc]


@pytest.mark.requirement("CH-01", "CH-05", "CH-07", "CH-08", "CH-17")
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Accept": "application/json"},
        {"Accept": "text/html"},
        {"Authorization": "Bearer x.y.z"},
    ],
)
def test_discovery_answers_every_caller(client: FlaskClient, headers: dict[str, str]) -> None:
    answer = client.get("/cds-services", headers=headers)
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    assert isinstance(json.loads(answer.data)["services"], list)


@pytest.mark.requirement("CH-09")
def test_without_services_discovery_is_an_empty_list() -> None:
    answer = create_app(Settings(), ()).test_client().get("/cds-services")
    assert (answer.status_code, answer.json) == (200, {"services": []})


@pytest.mark.requirement("CH-10", "CH-11", "CH-13", "CH-15", "CH-140")
@pytest.mark.parametrize("name", ["hook", "description", "title", "usageRequirements"])
def test_every_entry_is_described(entries: list[Json], name: str) -> None:
    for entry in entries:
        assert isinstance(entry[name], str)
        assert entry[name].strip()
        assert "<" not in entry[name]  # shown as HTML by the public sandbox


@pytest.mark.requirement("CH-12", "CH-32")
def test_every_id_can_be_called(entries: list[Json], client: FlaskClient) -> None:
    for entry in entries:
        assert re.fullmatch(r"[A-Za-z0-9._-]+", entry["id"])
        sent = {
            "hook": entry["hook"],
            "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
            "context": {"userId": "Practitioner/1", "patientId": "1"},
        }
        assert client.post(f"/cds-services/{entry['id']}", json=sent).status_code in (200, 412)


@pytest.mark.requirement("CH-14", "CH-30")
def test_prefetch_maps_stable_names_to_templates(templates: list[tuple[str, str, str]]) -> None:
    by_template: dict[str, str] = {}
    for _, key, template in templates:
        assert re.fullmatch(r"[a-z][A-Za-z0-9]*", key)
        assert by_template.setdefault(template, key) == key
    assert len(set(by_template.values())) == len(by_template)


@pytest.mark.requirement("CH-16", "CH-136")
def test_every_hook_has_an_id_of_its_own(entries: list[Json]) -> None:
    assert len({entry["id"] for entry in entries}) == len(entries)


@pytest.mark.requirement("CH-03", "CH-18")
def test_nothing_in_discovery_is_empty(client: FlaskClient) -> None:
    found = json.loads(client.get("/cds-services").data)
    assert problems_in_discovery(found) == []


@pytest.mark.requirement("CH-21")
def test_only_published_hooks_have_plain_names(entries: list[Json]) -> None:
    for entry in entries:
        assert entry["hook"] in TOKENS_OF_HOOK or "." in entry["hook"]


@pytest.mark.requirement("CH-22")
def test_discovery_says_the_same_every_time(client: FlaskClient) -> None:
    again = create_app(Settings()).test_client()
    assert client.get("/cds-services").data == again.get("/cds-services").data


@pytest.mark.requirement("CH-23", "CH-26")
def test_a_template_is_a_read_or_a_search_of_one_type(
    templates: list[tuple[str, str, str]],
) -> None:
    for _, _, template in templates:
        assert re.fullmatch(
            r"[A-Z][A-Za-z]+(/\{\{context\.(patient|encounter)Id\}\}|\?.+)|\{\{context\.userId\}\}",
            template,
        )
        assert "/{{context.userId}}" not in template


@pytest.mark.requirement("CH-24", "CH-25", "CH-29")
def test_tokens_are_first_level_fields_of_the_hook(templates: list[tuple[str, str, str]]) -> None:
    for hook, _, template in templates:
        tokens = re.findall(r"\{\{(.*?)\}\}", template)
        assert tokens
        assert set(tokens) <= TOKENS_OF_HOOK[hook] | USER_TOKENS
        assert "{" not in re.sub(r"\{\{.*?\}\}", "", template)


@pytest.mark.requirement("CH-27", "CH-28")
def test_searches_use_what_every_server_has(templates: list[tuple[str, str, str]]) -> None:
    for _, _, template in templates:
        for name, value in parameters(template):
            assert name.removesuffix(":in") in SEARCH_PARAMETERS
            if name == "date":
                assert re.match(r"(eq|lt|gt|ge|le)?\d", value)


@pytest.mark.requirement("CH-31")
def test_searches_survive_the_public_sandbox(templates: list[tuple[str, str, str]]) -> None:
    for _, _, template in templates:
        names = [name for name, _ in parameters(template)]
        assert len(names) == len(set(names))
        assert "encounterId" not in template.partition("?")[2]
        assert not {"+", "%", " "} & set(template)


@pytest.mark.requirement("CH-19", "CH-20")
@pytest.mark.parametrize("registered", ["", "2.0", "3.0-ballot"])
def test_only_a_client_of_the_ballot_is_named_versions(registered: str, tmp_path: Path) -> None:
    known = {"cds_hooks": registered} if registered else {}
    north = Ehr("north", **known)
    settings = Settings(public_url=BASE, clients_file=register(tmp_path, [north]))
    app = create_app(settings, use_token=Used())
    answer = app.test_client().get("/cds-services", headers=north.bearer(f"{BASE}/cds-services"))
    ballot = registered == "3.0-ballot"
    for entry in answer.get_json()["services"]:
        assert (entry.get("version") == "3.0.0-ballot") is ballot
        assert (entry.get("hookVersion") == "1.0") is ballot
        assert not problems_in_discovery({"services": [entry]}) or ballot
    unregistered = create_app(Settings(open=True)).test_client().get("/cds-services").get_json()
    assert not any("version" in one or "hookVersion" in one for one in unregistered["services"])
