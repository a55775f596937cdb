"""No address that comes with a request is called unless the client's register lists it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ehr import Ehr, Listener, register, services
from flask.testing import FlaskClient
from wrong_addresses import NEXT_LINKS, REFERENCES, SERVERS

from cds_service.app import create_app
from cds_service.settings import Settings

SERVICE = "b12-under-two-patient-view"
BASE = "http://127.0.0.1:8080"
PATIENT = {"resourceType": "Patient", "id": "p1", "birthDate": "2026-01-01"}
EMPTY = {"resourceType": "Bundle", "type": "searchset"}


class Under:
    """The service with one client, whose one FHIR server ``good`` is; ``evil`` is no one's."""

    def __init__(self, folder: Path, good: Listener, evil: Listener) -> None:
        self.good, self.evil = good, evil
        self.ehr = Ehr("north", fhir_servers=[f"http://127.0.0.1:{good.port}/fhir"])
        settings = Settings(
            public_url=BASE, clients_file=register(folder, [self.ehr]), fhir_deadline=2.0
        )
        app = create_app(settings, services(), use_token=lambda *_: True)
        self.client: FlaskClient = app.test_client()

    def fill(self, address: str) -> str:
        return address.replace("{evil}", str(self.evil.port)).replace("{good}", str(self.good.port))

    def ask(self, server: str, prefetch: dict[str, Any]) -> Any:
        asked = {
            "hook": "patient-view",
            "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
            "context": {"userId": "Practitioner/1", "patientId": "p1"},
            "fhirServer": server,
            "fhirAuthorization": {"access_token": "SECRET"},
            "prefetch": prefetch,
        }
        path = f"/cds-services/{SERVICE}"
        return self.client.post(path, json=asked, headers=self.ehr.bearer(BASE + path))


@pytest.fixture
def under(tmp_path: Path) -> Iterator[Under]:
    with Listener() as good, Listener() as evil:
        good.body = json.dumps(EMPTY).encode()
        yield Under(tmp_path, good, evil)


def complete(**changed: Any) -> dict[str, Any]:
    """A prefetch for everything, so that only what is ``changed`` could make anyone ask."""
    prefetch = {need.key: None for need in services()[0].needs}
    return {**prefetch, "patient": PATIENT, **changed}


@pytest.mark.corpus("wrong addresses")
@pytest.mark.parametrize("name", SERVERS)
def test_an_address_that_is_not_listed_is_not_called(name: str, under: Under) -> None:
    address = under.fill(SERVERS[name])
    answer = under.ask(address, {})
    assert answer.status_code == 412
    for told in (answer.text, answer.headers):
        assert "SECRET" not in str(told)
    assert (under.evil.connections, under.good.connections) == (0, 0)


@pytest.mark.corpus("wrong addresses")
@pytest.mark.parametrize("sender", ["client", "server"])
@pytest.mark.parametrize("name", NEXT_LINKS)
def test_a_next_page_elsewhere_is_not_fetched(name: str, sender: str, under: Under) -> None:
    link = [{"relation": "next", "url": under.fill(NEXT_LINKS[name])}]
    page = {**EMPTY, "link": link, "entry": []}
    prefetch = complete()
    if sender == "client":
        prefetch["b12"] = page
    else:
        del prefetch["b12"]
        under.good.body = json.dumps(page).encode()
    answer = under.ask(under.fill("http://127.0.0.1:{good}/fhir"), prefetch)
    assert answer.status_code == 200
    assert under.evil.connections == 0
    first = [path for path in under.good.paths if path.startswith("/fhir/Observation?")]
    assert under.good.paths == first, "only the first page may be asked for"
    assert len(first) == (1 if sender == "server" else 0)


@pytest.mark.corpus("wrong addresses")
@pytest.mark.parametrize("name", REFERENCES)
def test_a_reference_elsewhere_is_not_read(name: str, under: Under) -> None:
    order = {
        "resourceType": "MedicationRequest",
        "id": "m1",
        "status": "active",
        "intent": "order",
        "subject": {"reference": "Patient/p1"},
        "medicationReference": {"reference": under.fill(REFERENCES[name])},
    }
    meds = {**EMPTY, "entry": [{"resource": order}]}
    answer = under.ask(under.fill("http://127.0.0.1:{good}/fhir"), complete(meds=meds))
    assert answer.status_code == 200
    assert (under.evil.connections, under.good.paths) == (0, [])


def test_the_listed_server_is_called(under: Under) -> None:
    under.ask(under.fill("HTTP://127.0.0.1:{good}/fhir/"), {})
    assert len(under.good.paths) > 5
    assert all(path.startswith("/fhir/") for path in under.good.paths)


def test_its_next_page_and_its_medications_are_read(under: Under) -> None:
    link = [{"relation": "next", "url": under.fill("http://127.0.0.1:{good}/fhir?_getpages=1")}]
    order = {
        "resourceType": "MedicationRequest",
        "id": "m1",
        "subject": {"reference": "Patient/p1"},
        "medicationReference": {
            "reference": under.fill("http://127.0.0.1:{good}/fhir/Medication/1")
        },
    }
    changed = {
        "b12": {**EMPTY, "link": link},
        "meds": {**EMPTY, "entry": [{"resource": order}]},
    }
    under.ask(under.fill("http://127.0.0.1:{good}/fhir"), complete(**changed))
    assert sorted(under.good.paths) == ["/fhir/Medication/1", "/fhir?_getpages=1"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int, under: Under) -> None:
    under.good.status = status
    under.good.headers = {"Location": under.evil.url}
    answer = under.ask(under.fill("http://127.0.0.1:{good}/fhir"), {})
    assert answer.status_code == 412
    assert under.evil.connections == 0


def test_a_server_of_another_client_is_not_called(tmp_path: Path, under: Under) -> None:
    south = Ehr("south", fhir_servers=[f"http://127.0.0.1:{under.evil.port}/fhir"])
    file = register(tmp_path, [under.ehr, south])
    app = create_app(
        Settings(public_url=BASE, clients_file=file), services(), use_token=lambda *_: True
    )
    under.client = app.test_client()
    assert under.ask(under.fill("http://127.0.0.1:{evil}/fhir"), {}).status_code == 412
    assert under.evil.connections == 0


def test_a_proxy_of_the_environment_is_not_used(
    under: Under, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{under.evil.port}")
    under.ask(under.fill("http://127.0.0.1:{good}/fhir"), {})
    assert under.good.connections
    assert under.evil.connections == 0


def test_the_corpus_is_large() -> None:
    assert len(SERVERS) + 2 * len(NEXT_LINKS) + len(REFERENCES) >= 40
