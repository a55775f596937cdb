"""Getting the data, from prefetch and over real sockets from a FHIR server."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from fhir_server_stub import HANGS_S, FhirStub, outcome
from msgspec import Raw

from cds_service.clinical import Code, Need
from cds_service.fhir import gather as gathering
from cds_service.fhir.drafts import open_drafts, read_basket, referred_medications
from cds_service.fhir.gather import DRAFTED_MEDICATIONS, Answer, gather, prefetch_template
from cds_service.fhir.reading import read_record
from cds_service.fhir.server import FhirServer
from cds_service.trust.addresses import ApprovedFhirServer, approve_fhir_server

pytestmark = pytest.mark.sampled_file(30)

Json = dict[str, Any]

LOINC = "http://loinc.org"
TOKEN = "secret-token-of-this-request"
PATIENT = Need("patient", "Patient", "the child", "indispensable")
B12 = Need(
    "b12",
    "Observation",
    "vitamin B12",
    "required",
    (Code(LOINC, "2132-9"), Code(LOINC, "14685-2")),
    frozenset({(LOINC, "2132-9"), (LOINC, "14685-2")}),
)
WEIGHT = Need(
    "weight",
    "Observation",
    "weight",
    "optional",
    (Code(LOINC, "29463-7"),),
    frozenset({(LOINC, "29463-7")}),
)
CONDITIONS = Need("conditions", "Condition", "problems", "required")
MEDS = Need("meds", "MedicationRequest", "medication orders", "optional")
NEEDS = (PATIENT, B12, WEIGHT, CONDITIONS, MEDS)

CHILD: Json = {"resourceType": "Patient", "id": "1", "birthDate": "2025-06-01"}


def observation(
    identity: str, code: str = "2132-9", value: float = 142, patient: str = "1"
) -> Json:
    return {
        "resourceType": "Observation",
        "id": identity,
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": code}]},
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": "2026-01-11",
        "valueQuantity": {"value": value, "unit": "pg/mL"},
    }


def order(identity: str, **medication: Any) -> Json:
    return {
        "resourceType": "MedicationRequest",
        "id": identity,
        "status": "active",
        "intent": "order",
        "subject": {"reference": "Patient/1"},
        **medication,
    }


PROBLEM: Json = {
    "resourceType": "Condition",
    "id": "c1",
    "subject": {"reference": "Patient/1"},
    "code": {"text": "Failure to thrive"},
}


def approve(url: str) -> ApprovedFhirServer:
    approved = approve_fhir_server(url, listed=[], demo=True)
    assert isinstance(approved, ApprovedFhirServer)
    return approved


def server(stub: FhirStub, *, token: str | None = None, deadline_s: float = 5.0) -> FhirServer:
    return FhirServer(approve(stub.url), token, deadline_s)


def sent(**values: Any) -> dict[str, Raw]:
    return {key: Raw(json.dumps(value).encode()) for key, value in values.items()}


def bundle(*resources: Json, **more: Any) -> Json:
    entries = [{"resource": resource} for resource in resources]
    return {"resourceType": "Bundle", "type": "searchset", "entry": entries, **more}


def ids(answer: Answer) -> list[str]:
    return [json.loads(bytes(resource))["id"] for resource in answer.resources]


@pytest.fixture
def stub() -> Iterator[FhirStub]:
    resources = [CHILD, observation("b1"), observation("w1", "29463-7", 7.2), PROBLEM]
    with FhirStub([*resources, observation("b9", patient="2")]) as stub:
        yield stub


# --- templates -------------------------------------------------------------------------------


def test_the_template_of_a_patient_is_a_read() -> None:
    assert prefetch_template(PATIENT) == "Patient/{{context.patientId}}"


def test_the_template_of_a_coded_need_names_every_code_once_and_unencoded() -> None:
    assert prefetch_template(B12) == (
        "Observation?patient={{context.patientId}}"
        "&code=http://loinc.org|2132-9,http://loinc.org|14685-2&_count=200"
    )


def test_the_template_of_a_need_without_codes_asks_for_all_of_the_kind() -> None:
    assert prefetch_template(CONDITIONS) == "Condition?patient={{context.patientId}}&_count=200"


# --- the four states of a prefetch value -----------------------------------------------------


def test_complete_prefetch_is_used_and_the_server_is_not_asked(stub: FhirStub) -> None:
    prefetch = sent(
        patient=CHILD,
        b12=bundle(observation("b1")),
        weight=None,
        conditions=bundle(PROBLEM),
        meds=bundle(),
    )
    answers = gather(NEEDS, prefetch, "1", server(stub))
    assert {key: answer.state for key, answer in answers.items()} == {
        "patient": "present",
        "b12": "present",
        "weight": "empty",
        "conditions": "present",
        "meds": "empty",
    }
    assert ids(answers["b12"]) == ["b1"]
    assert answers["b12"].origin == "prefetch"
    assert stub.seen == []


def test_null_means_known_to_be_empty() -> None:
    assert gather([B12], sent(b12=None), "1", None)["b12"] == Answer("empty", origin="prefetch")


@pytest.mark.parametrize("severity", ["error", "fatal", "", None])
def test_an_error_outcome_in_prefetch_is_a_failure_that_is_not_repeated(
    stub: FhirStub, severity: str | None
) -> None:
    failed = outcome("exception")
    failed["issue"][0]["severity"] = severity
    answer = gather([B12], sent(b12=failed), "1", server(stub))["b12"]
    assert (answer.state, answer.why) == ("failed", "the answer was an error")
    assert stub.seen == []


def test_an_outcome_without_issues_is_a_failure() -> None:
    answer = gather([B12], sent(b12={"resourceType": "OperationOutcome"}), "1", None)["b12"]
    assert answer.state == "failed"


@pytest.mark.parametrize("severity", ["warning", "information"])
def test_an_outcome_that_only_warns_is_an_empty_answer(severity: str) -> None:
    notice = outcome("informational", severity)
    assert gather([B12], sent(b12=notice), "1", None)["b12"].state == "empty"
    assert gather([B12], sent(b12=bundle(notice, total=0)), "1", None)["b12"].state == "empty"


def test_an_error_outcome_inside_a_bundle_makes_the_rest_incomplete() -> None:
    prefetch = sent(b12=bundle(observation("b1"), outcome("incomplete")))
    answer = gather([B12], prefetch, "1", None)["b12"]
    assert (answer.state, answer.complete, ids(answer)) == ("present", False, ["b1"])


def test_a_bundle_of_nothing_but_an_error_is_a_failure() -> None:
    assert gather([B12], sent(b12=bundle(outcome("exception"))), "1", None)["b12"].state == "failed"


@pytest.mark.parametrize(
    "value",
    ["text", 7, True, [], [observation("b1")], {}, {"resourceType": "Condition"}, {"entry": []}],
)
def test_a_value_of_the_wrong_kind_counts_as_absent(stub: FhirStub, value: object) -> None:
    without = gather([B12], sent(b12=value), "1", None)["b12"]
    assert without.state == "absent"
    assert without.why == (
        "what was sent is not Observation data, and there is no FHIR server to ask"
    )
    assert ids(gather([B12], sent(b12=value), "1", server(stub))["b12"]) == ["b1"]


def test_a_single_resource_for_a_bundle_is_used_but_not_taken_for_all() -> None:
    answer = gather([B12], sent(b12=observation("b1")), "1", None)["b12"]
    assert (answer.state, answer.complete, ids(answer)) == ("present", False, ["b1"])


def test_a_patient_inside_a_bundle_is_found() -> None:
    answer = gather([PATIENT], sent(patient=bundle(CHILD)), "1", None)["patient"]
    assert ids(answer) == ["1"]


def test_a_bundle_with_neither_type_nor_entry_is_empty() -> None:
    assert gather([B12], sent(b12={"resourceType": "Bundle"}), "1", None)["b12"].state == "empty"


def test_a_bundle_that_holds_less_than_its_total_is_incomplete() -> None:
    answer = gather([B12], sent(b12=bundle(observation("b1"), total=3)), "1", None)["b12"]
    assert (answer.complete, answer.why) == (False, "only 1 of 3 results came")


def test_odd_parts_of_a_bundle_do_not_cost_the_good_ones() -> None:
    odd = bundle(observation("b1"))
    odd["entry"] += ["text", {"resource": observation("b2"), "fullUrl": 7}]
    odd["total"] = "one"
    prefetch = {**sent(patient=CHILD), "b12": Raw(json.dumps(odd).encode())}
    answers = gather([PATIENT, B12], prefetch, "1", None)
    record = read_record(answers, [PATIENT, B12], "1")
    assert [result.source for result in record.measurements] == ["Observation/b1"]
    assert record.unreadable == {"b12": 2}


def test_absent_without_a_server_says_why() -> None:
    answer = gather([B12], {}, "1", None, "the FHIR server is not approved")["b12"]
    assert answer == Answer("absent", why="not sent, and the FHIR server is not approved")


# --- asking the server -----------------------------------------------------------------------


def test_only_what_is_missing_is_fetched(stub: FhirStub) -> None:
    prefetch = sent(patient=CHILD, weight=None, conditions=bundle())
    answers = gather(NEEDS, prefetch, "1", server(stub))
    assert sorted(seen.target.partition("?")[0] for seen in stub.seen) == [
        "MedicationRequest",
        "Observation",
    ]
    assert ids(answers["b12"]) == ["b1"]
    assert answers["b12"].origin == "server"
    assert answers["meds"].state == "empty"


def test_nothing_sent_is_fetched_whole(stub: FhirStub) -> None:
    answers = gather(NEEDS, {}, "1", server(stub))
    record = read_record(answers, NEEDS, "1")
    assert len(stub.seen) == 5
    assert {result.source for result in record.measurements} == {"Observation/b1", "Observation/w1"}
    assert record.problems[0].text == "Failure to thrive"
    assert not record.missing


def test_queries_are_percent_encoded_and_ask_for_fresh_fhir(stub: FhirStub) -> None:
    gather([B12], {}, "1", server(stub, token=TOKEN))
    (seen,) = stub.seen
    assert seen.target == (
        "Observation?patient=1&code=http%3A%2F%2Floinc.org%7C2132-9"
        "%2Chttp%3A%2F%2Floinc.org%7C14685-2&_count=200"
    )
    assert seen.headers["Accept"] == "application/fhir+json"
    assert seen.headers["Cache-Control"] == "no-cache"
    assert seen.headers["Authorization"] == f"Bearer {TOKEN}"


def test_without_a_token_none_is_sent_even_after_a_request_that_had_one(stub: FhirStub) -> None:
    gather([PATIENT], {}, "1", server(stub, token=TOKEN))
    for _ in range(40):  # every thread of the pool
        gather([PATIENT], {}, "1", server(stub))
    assert [("Authorization" in seen.headers) for seen in stub.seen] == [True] + [False] * 40


def test_queries_run_side_by_side() -> None:
    with FhirStub([CHILD]) as stub:
        stub.party = 5  # none is answered before all are asked
        answers = gather(NEEDS, {}, "1", server(stub, deadline_s=HANGS_S / 2))
        assert len(stub.answered) == 5
    assert "failed" not in {answer.state for answer in answers.values()}


def test_connections_are_kept(stub: FhirStub) -> None:
    for _ in range(3):
        gather(NEEDS, {}, "1", server(stub))
    before = stub.connections
    for _ in range(20):
        gather(NEEDS, {}, "1", server(stub))
    assert stub.connections - before <= 32  # one for each thread at most, not one for each query


def test_cookies_of_the_server_are_not_sent_back(stub: FhirStub) -> None:
    stub.misbehave(headers={"Set-Cookie": "session=of-another-patient; Path=/"})
    for _ in range(40):
        gather([PATIENT], {}, "1", server(stub))
    assert not [seen for seen in stub.seen if "Cookie" in seen.headers]


def test_neither_proxy_nor_netrc_of_the_environment_is_used(
    stub: FhirStub, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    answer = gather([PATIENT], {}, "1", server(stub, token=TOKEN))["patient"]
    assert answer.state == "present"
    assert stub.seen[0].headers["Authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("identity", ["..", ".", "", "1/../2", "1?x=y", "a b", "é", "1\n", "%2e"])
def test_an_id_that_could_bend_the_address_is_never_sent(stub: FhirStub, identity: str) -> None:
    answers = gather(NEEDS, {}, identity, server(stub))
    assert {answer.state for answer in answers.values()} == {"absent"}
    assert stub.seen == []


# --- what can go wrong there -----------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 429, 500, 503, 204, 206])
def test_a_status_other_than_200_is_a_failure_that_names_it(stub: FhirStub, status: int) -> None:
    stub.misbehave("Observation", status=status)
    answer = gather([B12], {}, "1", server(stub))["b12"]
    assert (answer.state, answer.why) == ("failed", f"the FHIR server answered {status}")


@pytest.mark.parametrize(
    "body",
    [
        b"<html><body>Please sign in</body></html>",
        b"",
        b"null",
        b"[]",
        b'{"resourceType":"Bundle","entry":[',
        b'{"resourceType":"Bundle"}}',
        b"\xff\xfe",
        b'{"a":' * 100_000,
        b'{"resourceType":"CapabilityStatement"}',
    ],
    ids=lambda body: repr(body[:20]),
)
def test_an_answer_that_is_not_the_data_asked_for_is_a_failure(stub: FhirStub, body: bytes) -> None:
    stub.misbehave("Observation", body=body)
    answer = gather([B12], {}, "1", server(stub))["b12"]
    assert (answer.state, answer.why) == (
        "failed",
        "the FHIR server's answer is not Observation data",
    )


def test_an_outcome_in_place_of_results_is_judged_by_its_severity(stub: FhirStub) -> None:
    stub.misbehave("Observation", body=outcome("not-found", "warning"), times=1)
    assert gather([B12], {}, "1", server(stub))["b12"].state == "empty"
    stub.misbehave("Observation", body=outcome("exception"))
    assert gather([B12], {}, "1", server(stub))["b12"].state == "failed"


def test_a_search_without_results_that_carries_a_warning_is_empty(stub: FhirStub) -> None:
    stub.extra_entries = [
        {"resource": outcome("no-result", "warning"), "search": {"mode": "outcome"}}
    ]
    assert gather([MEDS], {}, "1", server(stub))["meds"].state == "empty"
    assert ids(gather([B12], {}, "1", server(stub))["b12"]) == ["b1"]


def test_a_redirect_is_not_followed() -> None:
    with FhirStub([CHILD]) as elsewhere, FhirStub() as stub:
        for status in (301, 302, 307, 308):
            stub.misbehave(
                status=status, headers={"Location": f"{elsewhere.url}/Patient/1"}, times=1
            )
            answer = gather([PATIENT], {}, "1", server(stub, token=TOKEN))["patient"]
            assert answer.why == f"the FHIR server answered {status}"
        assert elsewhere.seen == []


def test_a_refused_connection_is_a_failure() -> None:
    with FhirStub() as stub:
        gone = server(stub)
    answer = gather([B12], {}, "1", gone)["b12"]
    assert (answer.state, answer.why) == ("failed", "the FHIR server could not be reached")


def test_a_connection_closed_once_is_tried_again(stub: FhirStub) -> None:
    stub.misbehave("Observation", hang_up=True, times=1)
    assert ids(gather([B12], {}, "1", server(stub))["b12"]) == ["b1"]


def test_a_server_that_hangs_up_is_a_failure(stub: FhirStub) -> None:
    stub.misbehave("Observation", hang_up=True)
    answer = gather([B12], {}, "1", server(stub))["b12"]
    assert (answer.state, answer.why) == ("failed", "the FHIR server could not be reached")
    assert len(stub.seen) == 2


def test_a_truncated_answer_is_a_failure(stub: FhirStub) -> None:
    stub.misbehave("Observation", headers={"Content-Length": "100000"})
    answer = gather([B12], {}, "1", server(stub))["b12"]
    assert answer.state == "failed"


def test_an_answer_without_end_is_cut_off(stub: FhirStub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cds_service.fhir.server._LARGEST_ANSWER", 100_000)
    padding = json.dumps({**bundle(observation("b1")), "x": "x" * 200_000})
    stub.misbehave("Observation", body=padding)
    answer = gather([B12], {}, "1", server(stub))["b12"]
    assert (answer.state, answer.why) == ("failed", "the FHIR server's answer is too large")


def test_a_compressed_answer_is_read(stub: FhirStub) -> None:
    body = gzip.compress(json.dumps(bundle(observation("b7"))).encode())
    stub.misbehave("Observation", body=body, headers={"Content-Encoding": "gzip"}, times=1)
    assert ids(gather([B12], {}, "1", server(stub))["b12"]) == ["b7"]
    stub.misbehave("Observation", body=b"not gzip", headers={"Content-Encoding": "gzip"})
    assert gather([B12], {}, "1", server(stub))["b12"].state == "failed"


def test_another_patient_s_results_from_a_server_that_ignores_searches_are_dropped() -> None:
    theirs = observation("b9", value=90, patient="2")
    with FhirStub([CHILD, theirs, observation("b1")], ignores_searches=True) as stub:
        answers = gather([PATIENT, B12, WEIGHT], {}, "1", server(stub))
    record = read_record(answers, [PATIENT, B12, WEIGHT], "1")
    assert [result.source for result in record.measurements] == ["Observation/b1"]
    assert record.foreign == 2


def test_the_token_appears_in_no_answer_and_no_representation(stub: FhirStub) -> None:
    asking = server(stub, token=TOKEN)
    stub.misbehave("Observation", status=401)
    stub.misbehave("Condition", hang_up=True)
    stub.misbehave("Patient", body=b"<html>")
    answers = gather(NEEDS, {}, "1", asking)
    assert {answer.state for answer in answers.values()} == {"failed", "empty"}
    assert TOKEN not in repr(answers) + repr(asking) + str(asking)


# --- the deadline ----------------------------------------------------------------------------


def test_what_is_late_is_unknown_and_the_rest_is_used(stub: FhirStub) -> None:
    stub.misbehave("Observation", code="2132-9", delay_s=HANGS_S)
    answers = gather(NEEDS, {}, "1", server(stub, deadline_s=1.2))
    assert not [target for target in stub.answered if "2132-9" in target]
    assert (answers["b12"].state, answers["b12"].why) == ("failed", "no answer within 1200 ms")
    assert ids(answers["weight"]) == ["w1"]


@pytest.mark.parametrize("where", ["Patient", "Observation", ""])
def test_the_deadline_holds_against_a_server_that_drips(stub: FhirStub, where: str) -> None:
    stub.misbehave(where, drip_s=0.3)
    answers = gather(NEEDS, {}, "1", server(stub, deadline_s=1.2))
    assert not [target for target in stub.answered if target.startswith(where)]
    late = [key for key, answer in answers.items() if answer.why == "no answer within 1200 ms"]
    assert late == [need.key for need in NEEDS if need.kind.startswith(where)]


def test_threads_are_free_again_soon_after_the_deadline(stub: FhirStub) -> None:
    stub.misbehave("Observation", drip_s=0.05)
    for _ in range(3):
        gather([B12], {}, "1", server(stub, deadline_s=0.2))
    time.sleep(0.5)
    answers = gather([PATIENT, CONDITIONS], {}, "1", server(stub, deadline_s=HANGS_S))
    assert [answer.state for answer in answers.values()] == ["present", "present"]


def test_a_query_that_never_began_is_not_taken_for_an_empty_answer(stub: FhirStub) -> None:
    asking = server(stub, deadline_s=0.05)
    asking.together([lambda: None])
    time.sleep(0.06)
    answers = gather(NEEDS, {}, "1", asking)
    assert {answer.state for answer in answers.values()} == {"failed"}
    assert stub.seen == []


def test_more_queries_than_threads_end_at_the_deadline_too() -> None:
    needs = [Need(f"n{n}", "Condition", "x", "optional") for n in range(80)]
    with FhirStub([CHILD], delay_s=HANGS_S) as stub:
        answers = gather(needs, {}, "1", server(stub, deadline_s=0.3))
        assert stub.answered == []
    assert {answer.why for answer in answers.values()} == {"no answer within 300 ms"}


def test_an_error_of_ours_in_a_thread_is_not_swallowed(stub: FhirStub) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        server(stub).together([fail])


# --- pages -----------------------------------------------------------------------------------


def many(count: int) -> list[Json]:
    return [observation(f"b{n}", value=100 + n) for n in range(count)]


def test_every_page_is_read() -> None:
    with FhirStub([CHILD, *many(7)], page_size=3) as stub:
        answer = gather([B12], {}, "1", server(stub, token=TOKEN))["b12"]
    assert (len(answer.resources), answer.complete) == (7, True)
    assert [seen.target[:10] for seen in stub.seen[1:]] == ["?_getpages", "?_getpages"]
    assert {seen.headers["Authorization"] for seen in stub.seen} == {f"Bearer {TOKEN}"}


def test_the_next_page_of_a_prefetched_bundle_is_read(stub: FhirStub) -> None:
    following = {"relation": "next", "url": f"{stub.url}/Observation?patient=1&code=2132-9"}
    prefetch = sent(b12=bundle(observation("b0"), link=[following], total=2))
    answer = gather([B12], prefetch, "1", server(stub))["b12"]
    assert (ids(answer), answer.complete, answer.origin) == (["b0", "b1"], True, "prefetch")
    assert len(stub.seen) == 1


def test_a_first_page_without_a_server_is_incomplete() -> None:
    following = {"relation": "next", "url": "https://fhir.example.org/?_getpages=1"}
    prefetch = sent(b12=bundle(observation("b0"), link=[following]))
    answer = gather([B12], prefetch, "1", None)["b12"]
    assert (answer.state, answer.complete) == ("present", False)
    assert answer.why == "only the first page was sent, and there is no FHIR server to ask"


def test_pages_are_read_up_to_a_limit() -> None:
    with FhirStub([CHILD, *many(30)], page_size=1) as stub:
        answer = gather([B12], {}, "1", server(stub))["b12"]
    assert len(stub.seen) == gathering.MAX_PAGES
    assert len(answer.resources) == gathering.MAX_PAGES
    assert (answer.complete, answer.why) == (False, "there are more than 10 pages")


def test_pages_that_go_in_a_circle_are_left(stub: FhirStub) -> None:
    following = {"relation": "next", "url": f"{stub.url}/Observation?patient=1"}
    stub.misbehave("Observation", body=bundle(observation("b1"), link=[following]))
    answer = gather([B12], {}, "1", server(stub))["b12"]
    assert answer.complete is False
    assert len(stub.seen) == 2


@pytest.mark.parametrize("page_fault", [{"status": 410}, {"body": "<html>"}, {"delay_s": HANGS_S}])
def test_a_page_that_fails_leaves_the_answer_incomplete(page_fault: Json) -> None:
    with FhirStub([CHILD, *many(4)], page_size=2) as stub:
        stub.misbehave("?_getpages", **page_fault)
        answer = gather([B12], {}, "1", server(stub, deadline_s=1.2))["b12"]
    assert (answer.state, answer.complete, len(answer.resources)) == ("present", False, 2)
    assert answer.why


@pytest.mark.parametrize("own_port", [True, False])
def test_a_next_page_on_another_origin_is_never_asked(own_port: bool) -> None:
    with FhirStub(many(9)) as elsewhere, FhirStub([CHILD, *many(4)], page_size=2) as stub:
        port = stub.origin.rpartition(":")[2]
        stub.next_base = f"http://localhost:{port}/fhir" if own_port else elsewhere.url
        answer = gather([B12], {}, "1", server(stub, token=TOKEN))["b12"]
        assert elsewhere.seen == []
        assert len(stub.seen) == 1
    assert (answer.complete, answer.why) == (False, "the next page is on another server")


@pytest.mark.parametrize(
    "link",
    [
        "https://127.0.0.1:{port}/fhir?_getpages=1",
        "http://somebody@127.0.0.1:{port}/fhir?_getpages=1",
        "http://127.0.0.1:{port}@example.org/fhir?_getpages=1",
        "//example.org/fhir?_getpages=1",
        "file:///etc/passwd",
        "http://[",
        "http://127.0.0.1:99999/fhir",
    ],
)
def test_a_next_link_of_another_form_is_never_followed(stub: FhirStub, link: str) -> None:
    port = stub.origin.rpartition(":")[2]
    following = {"relation": "next", "url": link.format(port=port)}
    prefetch = sent(b12=bundle(observation("b0"), link=[following]))
    answer = gather([B12], prefetch, "1", server(stub, token=TOKEN))["b12"]
    assert (answer.state, answer.complete) == ("present", False)
    assert stub.seen == []


# --- medications by reference ----------------------------------------------------------------

COBALAMIN: Json = {
    "resourceType": "Medication",
    "id": "m1",
    "code": {
        "coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "11248"}]
    },
}


def referring(to: str) -> Json:
    return order("o1", medicationReference={"reference": to, "display": "from the formulary"})


@pytest.mark.parametrize("form", ["Medication/m1", "{url}/Medication/m1"])
@pytest.mark.parametrize("prefetched", [True, False])
def test_a_medication_known_by_reference_only_is_fetched(form: str, prefetched: bool) -> None:
    with FhirStub([CHILD, COBALAMIN]) as stub:
        ordered = referring(form.format(url=stub.url))
        stub.resources.append(ordered)
        prefetch = sent(patient=CHILD, **({"meds": bundle(ordered)} if prefetched else {}))
        answers = gather([PATIENT, MEDS], prefetch, "1", server(stub))
        assert len(stub.asked("Medication/m1")) == 1
    (medication,) = read_record(answers, [PATIENT, MEDS], "1").medications
    assert [code.code for code in medication.codes] == ["11248"]


def test_a_medication_that_came_along_is_not_fetched(stub: FhirStub) -> None:
    prefetch = sent(meds=bundle(referring("Medication/m1"), COBALAMIN))
    gather([MEDS], prefetch, "1", server(stub))
    assert stub.seen == []


def test_the_same_medication_is_fetched_once() -> None:
    with FhirStub([COBALAMIN]) as stub:
        orders = [{**referring("Medication/m1"), "id": f"o{n}"} for n in range(5)]
        gather([MEDS], sent(meds=bundle(*orders)), "1", server(stub))
        assert len(stub.seen) == 1


@pytest.mark.parametrize(
    "reference",
    [
        "https://elsewhere.example.org/Medication/m1",
        "Medication/../Patient/1",
        "Medication/m1?x=y",
        "Patient/1",
        "#m1",
        "urn:uuid:1",
        "",
    ],
)
def test_a_medication_elsewhere_stays_unknown(stub: FhirStub, reference: str) -> None:
    prefetch = sent(patient=CHILD, meds=bundle(referring(reference)))
    answers = gather([PATIENT, MEDS], prefetch, "1", server(stub, token=TOKEN))
    (medication,) = read_record(answers, [PATIENT, MEDS], "1").medications
    assert (medication.codes, medication.text) == ((), "from the formulary")
    assert stub.seen == []


def test_a_medication_that_cannot_be_had_stays_unknown(stub: FhirStub) -> None:
    prefetch = sent(patient=CHILD, meds=bundle(referring("Medication/gone")))
    answers = gather([PATIENT, MEDS], prefetch, "1", server(stub))
    assert len(stub.asked("Medication/gone")) == 1
    (medication,) = read_record(answers, [PATIENT, MEDS], "1").medications
    assert medication.codes == ()


def test_the_deadline_covers_medications_too() -> None:
    with FhirStub([CHILD, COBALAMIN, referring("Medication/m1")]) as stub:
        stub.misbehave("Medication/", delay_s=HANGS_S)
        answers = gather([MEDS], {}, "1", server(stub, deadline_s=1.2))
        assert stub.asked("Medication/m1")
        assert not [target for target in stub.answered if target.startswith("Medication/")]
    assert answers["meds"].state == "present"


@pytest.mark.parametrize(
    "medication",
    [{"reference": {"reference": "Medication/m1"}}, {"reference": "Medication/m1"}],
)
def test_a_medication_that_an_order_of_r5_refers_to_is_fetched(medication: Json) -> None:
    sent_in_r5 = {**referring(""), "medication": medication}
    del sent_in_r5["medicationReference"]
    with FhirStub([CHILD, COBALAMIN]) as stub:
        prefetch = sent(patient=CHILD, meds=bundle(sent_in_r5))
        answers = gather([PATIENT, MEDS], prefetch, "1", server(stub))
        assert [seen.target for seen in stub.seen] == ["Medication/m1"]
    (medication_,) = read_record(answers, [PATIENT, MEDS], "1").medications
    assert [code.code for code in medication_.codes] == ["11248"]


def drafted(*references: str) -> bytes:
    """A basket of orders that name their medications by these references, one each."""
    drafts = [{**referring(to), "id": f"d{number}"} for number, to in enumerate(references)]
    return json.dumps(bundle(*drafts)).encode()


@pytest.mark.parametrize("form", ["Medication/m1", "{url}/Medication/m1"])
def test_a_medication_a_draft_refers_to_is_fetched(form: str) -> None:
    with FhirStub([CHILD, COBALAMIN]) as stub:
        drafts = drafted(form.format(url=stub.url))
        answers = gather(
            [PATIENT, MEDS],
            sent(patient=CHILD, meds=None),
            "1",
            server(stub),
            medications=referred_medications(open_drafts(drafts)),
        )
        assert [seen.target for seen in stub.seen] == ["Medication/m1"]
    assert answers[DRAFTED_MEDICATIONS].origin == "server"
    (draft,) = read_basket(open_drafts(drafts), None, "1", answers).drafts
    assert [code.code for code in draft.codes] == ["11248"]


def test_a_medication_of_draft_and_record_is_fetched_once() -> None:
    with FhirStub([COBALAMIN]) as stub:
        prefetch = sent(patient=CHILD, meds=bundle(referring("Medication/m1")))
        answers = gather(
            [PATIENT, MEDS], prefetch, "1", server(stub), medications=["Medication/m1"]
        )
        assert len(stub.seen) == 1
    (draft,) = read_basket(open_drafts(drafted("Medication/m1")), None, "1", answers).drafts
    assert draft.codes
    (medication,) = read_record(answers, [PATIENT, MEDS], "1").medications
    assert medication.codes


def test_a_medication_that_came_with_the_record_is_not_fetched_for_a_draft(stub: FhirStub) -> None:
    prefetch = sent(meds=bundle(COBALAMIN))
    answers = gather([MEDS], prefetch, "1", server(stub), medications=["Medication/m1"])
    assert stub.seen == []
    (draft,) = read_basket(open_drafts(drafted("Medication/m1")), None, "1", answers).drafts
    assert draft.codes


@pytest.mark.parametrize(
    "reference", ["https://elsewhere.example.org/Medication/m1", "Medication/../Patient/1", "urn:1"]
)
def test_nothing_but_a_medication_of_this_server_is_fetched_for_a_draft(
    stub: FhirStub, reference: str
) -> None:
    answers = gather([], {}, "1", server(stub, token=TOKEN), medications=[reference])
    assert (stub.seen, answers) == ([], {})
    (draft,) = read_basket(open_drafts(drafted(reference)), None, "1", answers).drafts
    assert (draft.begun, draft.codes, draft.text) == (True, (), "from the formulary")


@pytest.mark.parametrize("trouble", [{"status": 404}, {"delay_s": HANGS_S}, {"body": "<html>"}])
def test_a_medication_of_a_draft_that_cannot_be_had_stays_unknown(trouble: Json) -> None:
    with FhirStub([COBALAMIN]) as stub:
        stub.misbehave("Medication/", **trouble)
        answers = gather([], {}, "1", server(stub, deadline_s=1.2), medications=["Medication/m1"])
        assert len(stub.answered) == ("delay_s" not in trouble)
    (draft,) = read_basket(open_drafts(drafted("Medication/m1")), None, "1", answers).drafts
    assert (draft.begun, draft.codes) == (True, ())


def test_drafts_do_not_raise_the_limit_of_medications_read(stub: FhirStub) -> None:
    many = [f"Medication/m{number}" for number in range(50)]
    gather([], {}, "1", server(stub), medications=many)
    assert len(stub.seen) == gathering.MAX_MEDICATION_READS


def test_without_a_server_nothing_is_fetched_for_a_draft() -> None:
    answers = gather([MEDS], sent(meds=None), "1", None, medications=["Medication/m1"])
    assert list(answers) == ["meds"]


def test_many_requests_at_once_each_keep_their_own_token() -> None:
    with FhirStub([{**CHILD, "id": str(n)} for n in range(24)]) as stub:
        threads = [
            threading.Thread(
                target=gather,
                args=([PATIENT, CONDITIONS], {}, str(n), server(stub, token=f"token-{n}")),
            )
            for n in range(24)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(stub.seen) == 48
        for seen in stub.seen:
            patient = seen.parameters.get("patient") or seen.target.partition("/")[2]
            assert seen.headers["Authorization"] == f"Bearer token-{patient}"
