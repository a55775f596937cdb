"""Calls: what a request may look like, what prefetch means, what is read from the FHIR server."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from each import each
from fhir_server_stub import HANGS_S, FhirStub, searchset
from flask.testing import FlaskClient
from played import Story

from cds_service.settings import Settings

Json = dict[str, Any]
AUTHORIZATION = {
    "access_token": "TOKEN-of-this-call",
    "token_type": "Bearer",
    "expires_in": 300,
    "scope": "patient/*.rs user/Patient.read (site's own words)",
    "subject": "b12",
}
OPTIONAL = ["weight", "labs", "feeding", "meds", "procedures", "allergies", "administrations"]
WARNING = {
    "resourceType": "OperationOutcome",
    "issue": [{"severity": "warning", "code": "not-found", "details": {"text": "No results"}}],
}
FAILURE = {
    "resourceType": "OperationOutcome",
    "issue": [{"severity": "error", "code": "exception", "details": {"text": "Failed"}}],
}

#: One story of each order hook in which there is something to say.
ORDER_STORIES = ["order-select-oral-in-crohn", "order-sign-dose-2001"]


def refused(answer: Any, status: int = 400) -> Json:
    assert answer.status_code == status
    sent: Json = json.loads(answer.data)
    assert sent["resourceType"] == "OperationOutcome"
    return sent


def cards(answer: Any) -> list[Json]:
    assert answer.status_code == 200, answer.text
    found: list[Json] = answer.json["cards"]
    return found


def without(sent: Json, *path: str) -> Json:
    changed: Json = json.loads(json.dumps(sent))
    holder = changed
    for name in path[:-1]:
        holder = holder[name]
    del holder[path[-1]]
    return changed


# --- the request -----------------------------------------------------------------------------


@pytest.mark.requirement("CH-06", "CH-40", "CH-138")
def test_what_is_not_known_changes_nothing(story: Story) -> None:
    noise = {"extension": {"org.example.x": {"deep": [None, {}]}}, "newMember": 7}
    context = {**story.request["context"], **noise}
    assert story.post(**noise, context=context).data == story.post().data


@pytest.mark.requirement("CH-33")
@pytest.mark.parametrize("hook", [None, "", "order-sign", "PATIENT-VIEW", 1])
def test_only_the_services_own_hook_is_answered(story: Story, hook: Any) -> None:
    assert refused(story.post(hook=hook))["issue"][0]["expression"] == ["hook"]


@pytest.mark.requirement("CH-33")
@pytest.mark.parametrize("name", ORDER_STORIES)
@pytest.mark.parametrize("hook", ["patient-view", "order-select", "order-sign"])
def test_the_service_of_an_order_hook_answers_that_hook_alone(
    load_story: Callable[[str], Story], name: str, hook: str
) -> None:
    told = load_story(name)
    answer = told.post(hook=hook)
    if hook == told.request["hook"]:
        assert cards(answer)
    else:
        assert refused(answer)["issue"][0]["expression"] == ["hook"]


@pytest.mark.requirement("CH-33", "CH-34", "CH-35")
@pytest.mark.parametrize(
    "path",
    [
        ("hook",),
        ("hookInstance",),
        ("context",),
        ("context", "userId"),
        ("context", "patientId"),
    ],
)
def test_a_required_member_that_is_missing_is_named(story: Story, path: tuple[str, ...]) -> None:
    answer = story.client().post(story.path, json=without(story.request, *path))
    assert refused(answer)["issue"][0]["expression"] == [".".join(path)]


@pytest.mark.requirement("CH-34")
@pytest.mark.parametrize(
    "instance",
    [
        "55DD8DE6-3A6E-11EE-BE56-0242AC120002",
        "55dd8de6-3a6e-11ee-be56-0242ac120002",
        "0190163d-8694-739b-aea5-966c26f8ad91",
    ],
)
def test_uuids_of_every_version_and_case_are_accepted(story: Story, instance: str) -> None:
    assert cards(story.post(hookInstance=instance))


@pytest.mark.requirement("CH-35")
@pytest.mark.parametrize("name", ORDER_STORIES)
@pytest.mark.parametrize("field", ["userId", "patientId", "draftOrders", "selections"])
def test_of_an_order_hook_only_the_orders_may_be_missing(
    load_story: Callable[[str], Story], name: str, field: str
) -> None:
    """Clients leave them out when they may not send them, or have none: an empty basket."""
    told = load_story(name)
    context = {key: value for key, value in told.request["context"].items() if key != field}
    answer = told.post(context=context)
    if field in ("userId", "patientId"):
        assert refused(answer)["issue"][0]["expression"] == [f"context.{field}"]
    else:
        assert answer.status_code == 200


@pytest.mark.requirement("CH-36")
def test_an_authorization_without_a_server_is_refused(story: Story) -> None:
    answer = story.post(fhirAuthorization=AUTHORIZATION)
    assert refused(answer)["issue"][0]["expression"] == ["fhirServer"]


@pytest.mark.requirement("CH-37")
@pytest.mark.parametrize("name", sorted(AUTHORIZATION))
def test_a_flaw_in_the_authorization_does_not_crash(
    story: Story, fhir: FhirStub, name: str
) -> None:
    for flawed in (without(AUTHORIZATION, name), {**AUTHORIZATION, name: ["x"]}):
        answer = story.post(fhirServer=fhir.url, fhirAuthorization=flawed)
        assert answer.status_code == (400 if name == "access_token" else 200)


@pytest.mark.requirement("CH-38")
def test_a_token_for_another_patient_is_not_used(story: Story, fhir: FhirStub) -> None:
    token = {**AUTHORIZATION, "patient": "somebody-else"}
    cards(story.post("labs", fhirServer=fhir.url, fhirAuthorization=token))
    assert fhir.seen == []


@pytest.mark.requirement("CH-41")
@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "", b"{", 400),
        ("POST", "", b"[]", 400),
        ("POST", "", b'{"x": ' + b"[" * 100_000, 400),
        ("POST", "", b'{"prefetch": {"patient": ' + b'{"a":' * 100_000, 400),
        ("POST", "-other", b"{}", 404),
        ("GET", "", b"", 405),
        ("PUT", "", b"{}", 405),
        ("POST", "", None, 415),
    ],
)
def test_every_mistake_has_its_status(
    story: Story, method: str, path: str, body: bytes | None, status: int
) -> None:
    content_type = "text/xml" if body is None else "application/json"
    answer = story.client().open(
        story.path + path, method=method, data=body, content_type=content_type
    )
    refused(answer, status)
    assert (status == 405) == ("Allow" in answer.headers)


@pytest.mark.requirement("CH-42")
@pytest.mark.parametrize("kind", ["Practitioner", "PractitionerRole", "Patient", "RelatedPerson"])
def test_every_kind_of_user_gets_the_same_advice(story: Story, kind: str) -> None:
    context = {**story.request["context"], "userId": f"{kind}/x"}
    assert story.post(context=context).data == story.post().data


@pytest.mark.requirement("CH-43")
def test_a_patient_prefix_makes_no_difference(story: Story) -> None:
    context = {**story.request["context"], "patientId": f"Patient/{story.patient_id}"}
    assert story.post(context=context).data == story.post().data


@pytest.mark.requirement("CH-44")
@pytest.mark.parametrize("name", ["dstu2-shaped-record", "stu3-shaped-record"])
def test_other_fhir_versions_do_not_crash(load_story: Callable[[str], Story], name: str) -> None:
    assert load_story(name).post().status_code == 200
    order = {"resourceType": "MedicationOrder", "id": "o", "dateWritten": "2026"}
    assert load_story(name).with_prefetch(meds=searchset([order])).status_code == 200


@pytest.mark.requirement("CH-06", "CH-42", "CH-138")
@pytest.mark.parametrize("name", ORDER_STORIES)
def test_order_hooks_take_every_user_and_ignore_what_they_do_not_know(
    load_story: Callable[[str], Story], name: str
) -> None:
    told = load_story(name)
    context = {
        **told.request["context"],
        "userId": "PractitionerRole/x",
        "extension": {"org.example.x": {"deep": [None, {}]}},
        "newMember": [7],
    }
    assert told.post(context=context).data == told.post().data


@pytest.mark.requirement("CH-44")
@pytest.mark.parametrize("name", ORDER_STORIES)
@pytest.mark.parametrize(
    "order",
    [
        {"resourceType": "MedicationOrder", "id": "o", "dateWritten": "2026"},
        {"resourceType": "DiagnosticOrder", "id": "o", "item": [{"code": {"text": "B12"}}]},
        {"resourceType": "ProcedureRequest", "id": "o", "status": "draft"},
        {"resourceType": "NutritionOrder", "id": "o", "patient": {"reference": "Patient/x"}},
        {"resourceType": "Medication", "id": "o"},
        {"resourceType": "Unheard", "id": "o"},
    ],
)
def test_orders_of_any_kind_and_version_do_not_crash(
    load_story: Callable[[str], Story], name: str, order: Json
) -> None:
    told = load_story(name)
    for value in (order, {"resource": order}, {"resource": {**order, "id": 1}}):
        basket = {"resourceType": "Bundle", "entry": [value]}
        context = {**told.request["context"], "draftOrders": basket}
        assert told.post(context=context).status_code == 200


@pytest.mark.requirement("CH-45")
def test_the_same_request_gets_the_same_answer(story: Story) -> None:
    assert story.post().data == story.post().data


# --- prefetch --------------------------------------------------------------------------------


@pytest.mark.requirement("CH-39", "CH-46", "CH-49", "CH-58")
def test_what_is_missing_is_read_and_nothing_else(story: Story, fhir: FhirStub) -> None:
    complete = cards(story.post())
    answer = story.post("labs", "conditions", "meds", fhirServer=fhir.url)
    assert cards(answer) == complete
    assert fhir.kinds == {"Observation", "Condition", "MedicationRequest"}
    assert len(fhir.seen) == 3


@pytest.mark.requirement("CH-54")
@pytest.mark.parametrize("name", ["b12-below-100", "crohn-ileum-toddler", "borderline-mma-normal"])
def test_both_ways_to_the_data_lead_to_the_same_cards(
    load_story: Callable[[str], Story], name: str
) -> None:
    story = load_story(name)
    with FhirStub(story.resources) as fhir:
        assert cards(story.post(prefetch=None, fhirServer=fhir.url)) == cards(story.post())
        assert fhir.seen


@pytest.mark.requirement("CH-47")
@pytest.mark.parametrize("prefetch", [None, {}, {"user": "123"}])
def test_without_any_way_to_the_patient_it_is_412(story: Story, prefetch: Any) -> None:
    refused(story.post(prefetch=prefetch), 412)


@pytest.mark.requirement("CH-47")
def test_412_names_the_key(story: Story) -> None:
    issue = refused(story.post("patient"), 412)["issue"][0]
    assert "patient" in json.dumps(issue).lower()
    assert story.patient_id not in json.dumps(issue)


@pytest.mark.requirement("CH-48")
def test_null_is_an_answer_and_is_not_asked_again(story: Story, fhir: FhirStub) -> None:
    empty = dict.fromkeys([*OPTIONAL, "conditions", "orders"])
    prefetch = {**story.request["prefetch"], **empty}
    cards(story.post(prefetch=prefetch, fhirServer=fhir.url))
    assert fhir.seen == []


@pytest.mark.requirement("CH-48", "CH-51", "CH-53")
@pytest.mark.parametrize(
    "value",
    [
        {"resourceType": "Bundle"},
        {"resourceType": "Bundle", "type": "searchset", "total": 0},
        {"resourceType": "Bundle", "entry": []},
        {"resourceType": "Bundle", "total": 0, "entry": [{"resource": WARNING}]},
        {"resourceType": "Bundle", "entry": [{"resource": WARNING, "search": {"mode": "outcome"}}]},
    ],
)
def test_every_way_to_say_nothing_means_the_same(story: Story, value: Json) -> None:
    assert cards(story.with_prefetch(procedures=value)) == cards(
        story.with_prefetch(procedures=None)
    )


@pytest.mark.requirement("CH-50")
def test_what_the_client_failed_to_get_is_not_asked_again(story: Story, fhir: FhirStub) -> None:
    prefetch = {**story.request["prefetch"], "meds": FAILURE}
    cards(story.post(prefetch=prefetch, fhirServer=fhir.url))
    assert "MedicationRequest" not in fhir.kinds


@pytest.mark.requirement("CH-52")
def test_the_next_page_is_read(story: Story, fhir: FhirStub) -> None:
    results = story.request["prefetch"]["b12"]["entry"]
    first_page = searchset([], f"{fhir.url}/Observation?page=2")
    second_page = {"resourceType": "Bundle", "entry": results}
    fhir.misbehave("Observation?page=2", status=200, body=second_page)
    prefetch = {**story.request["prefetch"], "b12": first_page}
    answer = story.post(prefetch=prefetch, fhirServer=fhir.url)
    assert cards(answer) == cards(story.post())
    assert [one.target for one in fhir.seen] == ["Observation?page=2"]


@pytest.mark.requirement("CH-55")
def test_a_patient_without_a_date_of_birth_is_not_missing(story: Story) -> None:
    patient = without(story.request["prefetch"]["patient"], "birthDate")
    assert story.with_prefetch(patient=patient).status_code == 200


@pytest.mark.requirement("CH-56")
@pytest.mark.parametrize(
    "reference", ["Patient/other", "https://ehr.example.org/fhir/Patient/other", "urn:uuid:other"]
)
def test_another_patients_results_are_not_used(story: Story, reference: str) -> None:
    text = json.dumps(story.request["prefetch"]["b12"])
    foreign = text.replace(f"Patient/{story.patient_id}", reference)
    assert foreign != text
    answer = story.with_prefetch(b12=json.loads(foreign))
    assert not any(one.get("suggestions") for one in cards(answer))


@pytest.mark.requirement("CH-56")
def test_an_absolute_reference_to_the_patient_is_the_patients(story: Story) -> None:
    text = json.dumps(story.request["prefetch"]["b12"])
    own = f"Patient/{story.patient_id}"
    absolute = text.replace(f'"{own}"', f'"https://ehr.example.org/fhir/{own}"')
    assert absolute != text
    assert any(
        one.get("suggestions") for one in cards(story.with_prefetch(b12=json.loads(absolute)))
    )


@pytest.mark.requirement("CH-57")
@each("value", ["123", 7, True, [], [1], {}, {"resourceType": "Basic"}, "Patient/1"])
@each("key", ["patient", "b12", "meds", "unknown"])
def test_a_value_that_is_not_a_resource_counts_as_absent(
    story: Story, key: str, value: Any
) -> None:
    answer = story.with_prefetch(**{key: value})
    assert answer.status_code == (412 if key == "patient" else 200)


# --- the FHIR server -------------------------------------------------------------------------


@pytest.mark.requirement("CH-59", "CH-66")
def test_every_reading_carries_the_token_and_asks_for_fhir(story: Story, fhir: FhirStub) -> None:
    fhir.token = str(AUTHORIZATION["access_token"])
    answer = story.post(prefetch=None, fhirServer=fhir.url, fhirAuthorization=AUTHORIZATION)
    assert cards(answer) == cards(story.post())
    for one in fhir.seen:
        assert one.headers["Authorization"] == f"Bearer {fhir.token}"
        assert one.headers["Accept"] == "application/fhir+json"


@pytest.mark.requirement("CH-60")
@pytest.mark.parametrize("status", [401, 403, 404, 410, 429, 500, 503])
def test_a_refusing_server_means_that_data_is_unavailable(
    story: Story, fhir: FhirStub, status: int
) -> None:
    for kind in ("Patient", "Observation"):
        fhir.misbehave(kind, status=status, body=FAILURE)
    refused(story.post("patient", fhirServer=fhir.url), 412)
    assert cards(story.post("b12", "labs", fhirServer=fhir.url)) is not None


@pytest.mark.requirement("CH-61")
def test_the_token_is_neither_logged_nor_echoed(
    story: Story, fhir: FhirStub, capfd: pytest.CaptureFixture[str]
) -> None:
    for prefetch in (None, {"patient": FAILURE}):
        answer = story.post(prefetch=prefetch, fhirServer=fhir.url, fhirAuthorization=AUTHORIZATION)
        logged = capfd.readouterr()
        assert '"status"' in logged.out
        assert AUTHORIZATION["access_token"] not in answer.text + logged.out + logged.err


@pytest.mark.requirement("CH-62")
def test_nothing_is_read_after_the_answer(story: Story, fhir: FhirStub) -> None:
    cards(story.post("meds", "labs", fhirServer=fhir.url))
    before = len(fhir.seen)
    time.sleep(0.2)
    assert len(fhir.seen) == before


@pytest.mark.requirement("CH-36", "CH-63", "CH-64")
@pytest.mark.parametrize("authorization", [None, AUTHORIZATION])
def test_outside_the_demo_only_listed_servers_are_read(
    story: Story, fhir: FhirStub, client: FlaskClient, authorization: Any
) -> None:
    sent = {**story.request, "fhirServer": fhir.url, "fhirAuthorization": authorization}
    del sent["prefetch"]
    refused(client.post(story.path, json=sent), 412)
    assert fhir.seen == []
    assert story.listed_client(fhir.url).post(story.path, json=sent).status_code == 200
    assert fhir.seen


@pytest.mark.requirement("CH-64")
def test_no_page_and_no_redirect_leads_the_token_elsewhere(story: Story, fhir: FhirStub) -> None:
    with FhirStub(story.resources) as elsewhere:
        other = f"{elsewhere.url}/Observation?page=2"
        redirect = {"Location": f"{elsewhere.url}/Condition"}
        fhir.misbehave("Observation", body=searchset([], other))
        fhir.misbehave("Condition", status=302, body={}, headers=redirect)
        answer = story.post(
            "b12", "conditions", fhirServer=fhir.url, fhirAuthorization=AUTHORIZATION
        )
        assert answer.status_code == 200
        assert fhir.kinds == {"Observation", "Condition"}
        assert elsewhere.seen == []


@pytest.mark.requirement("CH-65")
def test_a_hanging_server_does_not_hold_up_the_answer(story: Story, fhir: FhirStub) -> None:
    fhir.delay_s = HANGS_S
    client = story.client(fhir_deadline=Settings().fhir_deadline)
    sent = {**story.request, "prefetch": None, "fhirServer": fhir.url}
    refused(client.post(story.path, json=sent), 412)
    assert fhir.seen
    assert fhir.answered == []


@pytest.mark.requirement("CH-66")
def test_readings_run_side_by_side(story: Story, fhir: FhirStub) -> None:
    fhir.party = 4  # none is answered before all are asked
    cards(story.post("labs", "meds", "procedures", "allergies", fhirServer=fhir.url))
    assert len(fhir.seen) == len(fhir.answered) == 4
