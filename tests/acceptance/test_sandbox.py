"""The public CDS Hooks sandbox before the demo, played by a client that does what it does.

It discovers, asks the FHIR server, fills prefetch, calls and answers cards as the page's published
source was seen to do in a browser: with its token, its preflights and its unfinished orders.
`docs/sandbox.md` describes the same way for people.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from copy import deepcopy
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import uuid4

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import ec
from served import running

CLOVER = "vegan-mother-low-b12-six-months"
ORIGIN = "https://sandbox.cds-hooks.org"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
TABLET = ("309593", "Vitamin B 12 1 MG Oral Tablet")
Json = dict[str, Any]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("demo") / "log"
    with running("--demo", log=log, CDS_DATABASE_URL="", CDS_FHIR_DEADLINE_MS="10000") as (_, port):
        yield f"http://127.0.0.1:{port}"


class Sandbox:
    """The page, opened at an address with its parameters; it keeps an order and shows cards."""

    def __init__(self, address: str) -> None:
        opened = {name: value for name, (value,) in parse_qs(urlsplit(address).query).items()}
        self.fhir = opened["fhirServiceUrl"]
        self.patient = opened["patientId"]
        self.discovery = opened["serviceDiscoveryURL"]
        self.key = ec.generate_private_key(ec.SECP384R1())
        self.order: Json = {}
        self.hidden: set[str] = set()
        self.cards: list[tuple[str, Json]] = []
        assert self._read("metadata")["fhirVersion"] == "4.0.1"
        listed = self._read("Patient")
        assert all(isinstance(one["resource"]["name"][0]["given"], list) for one in listed["entry"])
        self.child = self._read(f"Patient/{self.patient}", "application/json+fhir")
        self.conditions = self._read(f"Condition?patient={self.patient}")
        self._preflight(self.discovery, "GET", "authorization")
        self.services = self._sent("GET", self.discovery)["services"]
        assert self.services

    # --- FHIR -----------------------------------------------------------------------------------

    def _read(self, path: str, accept: str = "application/json") -> Json:
        headers = {"Accept": accept, "Origin": ORIGIN}
        answer = requests.get(f"{self.fhir}/{path}", headers=headers, timeout=30)
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.status_code == 200
        return dict(answer.json())

    def _prefetch(self, service: Json) -> Json:
        """A search goes by POST, its parameters sorted, one of each name."""
        found: Json = {}
        for key, template in service["prefetch"].items():
            query = template.replace("{{context.patientId}}", self.patient)
            kind, is_search, parameters = query.partition("?")
            if not is_search:
                found[key] = self._read(query)
                continue
            pairs = sorted(tuple(one.split("=", 1)) for one in parameters.split("&"))
            assert len({name for name, _ in pairs}) == len(pairs)
            answer = requests.post(
                f"{self.fhir}/{kind}/_search",
                urlencode(pairs),
                headers={
                    "Origin": ORIGIN,
                    "Content-Type": "application/x-www-form-urlencoded",
                },
                timeout=30,
            )
            assert answer.status_code == 200
            found[key] = answer.json()
        return found

    # --- CDS Hooks ------------------------------------------------------------------------------

    def _preflight(self, url: str, method: str, names: str) -> None:
        asked = {
            "Origin": ORIGIN,
            "Access-Control-Request-Method": method,
            "Access-Control-Request-Headers": names,
            "Access-Control-Request-Private-Network": "true",
        }
        answer = requests.options(url, headers=asked, timeout=30, allow_redirects=False)
        allowed = answer.headers["Access-Control-Allow-Headers"].lower()
        assert answer.ok
        assert answer.headers["Access-Control-Allow-Origin"] in ("*", ORIGIN)
        assert all(name in allowed for name in names.split(","))
        assert method in answer.headers["Access-Control-Allow-Methods"]

    def _token(self, url: str) -> str:
        now = int(time.time())
        claims = {"iss": ORIGIN, "aud": url, "exp": now + 300, "iat": now, "jti": str(uuid4())}
        headers = {"kid": str(uuid4()), "jku": f"{ORIGIN}/.well-known/jwks.json"}
        return jwt.encode(claims, self.key, "ES384", headers)

    def _sent(self, method: str, url: str, body: Json | None = None) -> Json:
        headers = {
            "Accept": "application/json",
            "Origin": ORIGIN,
            "Authorization": f"Bearer {self._token(url)}",
        }
        answer = requests.request(
            method, url, json=body, headers=headers, timeout=30, allow_redirects=False
        )
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.status_code == 200, answer.text
        return dict(answer.json()) if answer.content else {}

    def _call(self, hook: str, **context: Any) -> Json:
        (service,) = [one for one in self.services if one["hook"] == hook]
        url = f"{self.discovery}/{service['id']}"
        self._preflight(url, "POST", "authorization,content-type")
        body = {
            "hookInstance": str(uuid4()),
            "hook": hook,
            "fhirServer": self.fhir,
            "context": {
                "patientId": self.patient,
                "userId": "Practitioner/COREPRACTITIONER1",
                **context,
            },
            "prefetch": self._prefetch(service),
        }
        answer = self._sent("POST", url, body)
        self.cards = [(url, card) for card in answer["cards"]]
        return answer

    def _feedback(self, card: Json, said: Json) -> None:
        url = next(where for where, one in self.cards if one is card)
        self._preflight(f"{url}/feedback", "POST", "authorization,content-type")
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S.131Z", time.gmtime())
        item = {"card": card["uuid"], **said, "outcomeTimestamp": stamp}
        self._sent("POST", f"{url}/feedback", {"feedback": [item]})

    # --- what its user does ---------------------------------------------------------------------

    @property
    def shown(self) -> list[str]:
        return [card["summary"] for _, card in self.cards if card["uuid"] not in self.hidden]

    def card(self, words: str) -> Json:
        return next(one for _, one in self.cards if words in json.dumps(one))

    def patient_view(self) -> Json:
        return self._call("patient-view")

    def _draft(self, days: int) -> Json:
        """Not valid FHIR: no intent without a drug, category an object, the Bundle without type."""
        draft: Json = {
            "resourceType": "MedicationRequest",
            "id": "request-123",
            "status": "draft",
            "subject": {"reference": f"Patient/{self.patient}"},
            "authoredOn": self.child["birthDate"],
        }
        if self.order:
            unit = {"system": "http://unitsofmeasure.org", "code": "{pill}"}
            draft |= {
                "dosageInstruction": [
                    {
                        "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
                        "doseAndRate": [{"doseQuantity": {"value": 1, **unit}}],
                    }
                ],
                "dispenseRequest": {"expectedSupplyDuration": {"value": days, "unit": "days"}},
                "intent": "order",
                "category": {"coding": [{"code": "community"}]},
                "medicationCodeableConcept": deepcopy(self.order),
            }
        return {"resourceType": "Bundle", "entry": [{"resource": draft}]}

    def rx_view(self) -> Json:
        selected = ["MedicationRequest/request-123"]
        return self._call("order-select", selections=selected, draftOrders=self._draft(30))

    def choose(self, code: str, name: str) -> Json:
        self.order = {
            "text": name,
            "coding": [{"display": name, "system": RXNORM, "code": code}],
        }
        return self.rx_view()

    def sign_order(self) -> Json:
        return self._call("order-sign", draftOrders=self._draft(90))

    def click_an_open_tab(self) -> Json:
        return self._call("order-select")

    def accept(self, card: Json, on: str) -> None:
        """Name and first code of the first drug that can be used, and nothing else."""
        suggestion = card["suggestions"][0]
        accepted = [{"id": suggestion["uuid"]}]
        self._feedback(card, {"outcome": "accepted", "acceptedSuggestions": accepted})
        if on == "patient-view":
            return
        for action in suggestion["actions"]:
            drug = action.get("resource", {}).get("medicationCodeableConcept", {})
            if action["type"] != "delete" and drug.get("text") and drug.get("coding"):
                self.order = {
                    "text": drug["text"],
                    "coding": [
                        {
                            "display": drug["text"],
                            "system": RXNORM,
                            "code": drug["coding"][0]["code"],
                        }
                    ],
                }
                break
        if on == "order-select":
            self.rx_view()

    def dismiss(self, card: Json, reason: Json | None = None) -> None:
        why = {"overrideReason": {"reason": reason}} if reason else {}
        self._feedback(card, {"outcome": "overridden", **why})
        self.hidden.add(card["uuid"])


@pytest.fixture
def sandbox(demo: str) -> Sandbox:
    """Opened by the link of the README's infant, in the list of samples."""
    listed = requests.get(f"{demo}/samples", timeout=30).json()["samples"]
    (address,) = [one["sandbox"] for one in listed if one["name"] == CLOVER]
    assert address.startswith(f"{ORIGIN}/?")
    return Sandbox(address)


def test_it_opens_on_the_infant_with_one_address(sandbox: Sandbox) -> None:
    assert sandbox.child["name"][0]["given"] == ["Clover"]
    assert {"patient-view", "order-select", "order-sign"} == {
        one["hook"] for one in sandbox.services
    }


def test_patient_view_shows_the_treatment_and_takes_an_answer(sandbox: Sandbox) -> None:
    sandbox.patient_view()
    assert "B12 142 pg/mL" in sandbox.shown[0]
    treatment = sandbox.card("cyanocobalamin")
    sandbox.accept(treatment, on="patient-view")
    assert sandbox.order == {}


def test_rx_view_offers_the_drug_and_accepting_it_ends_the_offer(sandbox: Sandbox) -> None:
    sandbox.rx_view()
    offered = sandbox.card("cyanocobalamin")
    assert offered["suggestions"]
    before = offered["summary"]
    sandbox.accept(offered, on="order-select")
    assert "yanocobalamin" in sandbox.order["text"]
    assert before not in sandbox.shown
    assert sandbox.shown, "the dose of a pill is not a dose of a solution, and that is stated"


def test_a_tablet_chosen_from_its_list_is_checked_while_written_and_before_signing(
    sandbox: Sandbox,
) -> None:
    sandbox.choose(*TABLET)
    assert sandbox.shown
    answer = sandbox.sign_order()
    assert "cards" in answer
    (account,) = answer["extension"].values()
    assert account["outcome"]


def test_rx_sign_with_another_drug_brings_the_treatment(sandbox: Sandbox) -> None:
    sandbox.order = {
        "text": "Paracetamol 120 MG Oral Tablet",
        "coding": [{"display": "Paracetamol", "system": RXNORM, "code": "161"}],
    }
    sandbox.sign_order()
    assert any("142 pg/mL" in one for one in sandbox.shown)


def test_a_card_is_dismissed_with_a_reason_and_without(sandbox: Sandbox) -> None:
    sandbox.patient_view()
    first = sandbox.cards[0][1]
    reason = first["overrideReasons"][0]
    sandbox.dismiss(first, {"code": reason["code"], "system": reason["system"]})
    assert first["summary"] not in sandbox.shown
    sandbox.patient_view()
    sandbox.dismiss(sandbox.cards[0][1])


def test_a_click_on_the_open_tab_is_no_error_and_says_why_there_is_no_card(
    sandbox: Sandbox,
) -> None:
    answer = sandbox.click_an_open_tab()
    (account,) = answer["extension"].values()
    assert answer["cards"] or account.get("because") or account.get("missing")


def test_an_address_typed_with_a_slash_at_its_end_works(demo: str) -> None:
    typed = {
        "fhirServiceUrl": f"{demo}/fhir/",
        "patientId": CLOVER,
        "serviceDiscoveryURL": f"{demo}/cds-services/",
    }
    sandbox = Sandbox(f"{ORIGIN}/?{urlencode(typed)}")
    sandbox.patient_view()
    assert "B12 142 pg/mL" in sandbox.shown[0]
