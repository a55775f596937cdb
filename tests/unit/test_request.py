from __future__ import annotations

import json
from typing import Any

import pytest
from each import each
from hypothesis import given
from hypothesis import strategies as st

from cds_service.cdshooks.request import Context, parse_request
from cds_service.errors import BadRequest

MINIMAL = {
    "hook": "patient-view",
    "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
    "context": {"userId": "Practitioner/1", "patientId": "1288992"},
}
AUTHORIZED = {
    "fhirServer": "https://fhir.example.org/r4",
    "fhirAuthorization": {
        "access_token": "some-opaque-token",
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "user/Patient.read (site words) patient/*.rs",
        "subject": "cds-service4",
    },
}


def body(**changes: Any) -> bytes:
    """The minimal request with members replaced, or removed where the new value is `...`."""
    sent = {**MINIMAL, **changes}
    return json.dumps({name: value for name, value in sent.items() if value is not ...}).encode()


def context(**changes: Any) -> bytes:
    sent = {**MINIMAL["context"], **changes}  # type: ignore[dict-item]
    return body(context={name: value for name, value in sent.items() if value is not ...})


def refusal(sent: bytes) -> BadRequest:
    with pytest.raises(BadRequest) as refused:
        parse_request(sent, "patient-view")
    assert refused.value.status == 400
    return refused.value


def test_the_least_a_client_can_send_is_enough() -> None:
    asked = parse_request(body(), "patient-view")
    assert asked.hook == "patient-view"
    assert asked.hook_instance == MINIMAL["hookInstance"]
    assert asked.context == Context("Practitioner/1", "1288992", None)
    assert asked.fhir_server is None
    assert asked.authorization is None
    assert asked.prefetch == {}


def test_prefetch_is_kept_as_it_was_sent() -> None:
    sent = body()[:-1] + b', "prefetch": {"patient": {"a": 1.10 }, "b12": null, "user": "123"}}'
    kept = parse_request(sent, "patient-view").prefetch
    assert {key: bytes(value) for key, value in kept.items()} == {
        "patient": b'{"a": 1.10 }',
        "b12": b"null",
        "user": b'"123"',
    }


@pytest.mark.parametrize("field", ["hook", "hookInstance", "context"])
def test_a_missing_member_is_named(field: str) -> None:
    refused = refusal(body(**{field: ...}))
    assert (refused.expression, refused.issue) == (field, "required")


@pytest.mark.parametrize("field", ["userId", "patientId"])
@pytest.mark.parametrize("value", [..., ""])
def test_a_missing_member_of_the_context_is_named(field: str, value: Any) -> None:
    refused = refusal(context(**{field: value}))
    assert (refused.expression, refused.issue) == (f"context.{field}", "required")


@each(
    ("sent", "field"),
    [
        (body(hook=1), "hook"),
        (body(hook=None), "hook"),
        (body(hook="order-sign"), "hook"),
        (body(hookInstance=7), "hookInstance"),
        (body(hookInstance=""), "hookInstance"),
        (body(hookInstance="two words"), "hookInstance"),
        (body(hookInstance="x" * 129), "hookInstance"),
        (body(context=[]), "context"),
        (body(context="x"), "context"),
        (context(userId=5), "context.userId"),
        (context(patientId={"id": "SECRET"}), "context.patientId"),
        (context(patientId="Patient/"), "context.patientId"),
        (context(patientId="SECRET?x=1"), "context.patientId"),
        (context(patientId="SECRET/../x"), "context.patientId"),
        (context(patientId=".."), "context.patientId"),
        (context(patientId="SECRET\n"), "context.patientId"),
        (context(patientId="SECRET" * 30), "context.patientId"),
        (context(encounterId=[]), "context.encounterId"),
        (body(fhirServer=1), "fhirServer"),
        (body(prefetch=[]), "prefetch"),
        (body(prefetch="SECRET"), "prefetch"),
        (body(fhirAuthorization=AUTHORIZED["fhirAuthorization"]), "fhirServer"),
        (body(**{**AUTHORIZED, "fhirServer": "/"}), "fhirServer"),
        (body(fhirServer="https://a", fhirAuthorization="SECRET"), "fhirAuthorization"),
        (body(fhirServer="https://a", fhirAuthorization={}), "fhirAuthorization.access_token"),
        *(
            (
                body(fhirServer="https://a", fhirAuthorization={"access_token": token}),
                "fhirAuthorization.access_token",
            )
            for token in ("", "SECRET\r\nX: y", "SECRET\u00e9", 5, None)
        ),
    ],
)
def test_what_is_wrong_is_named_and_no_value_is_shown(sent: bytes, field: str) -> None:
    refused = refusal(sent)
    assert refused.expression == field
    assert "SECRET" not in refused.text
    assert "SECRET" not in repr(refused)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"null",
        b"[]",
        b'"patient-view"',
        b"<html>",
        b"hook=patient-view",
        body()[:-1],
        body() + b"x",
        body()[:-1] + b",}",
        b"\xef\xbb\xbf" + body(),
        body().decode().encode("utf-16"),
        body()[:-1] + b', "x": NaN}',
        body()[:-1] + b', "x": -Infinity}',
        body()[:-1] + b', "x": "\xff"}',
        body()[:-1] + b', "prefetch": {"a": "\xc3"}}',
        body()[:-1] + b', "prefetch": {"a": [1,]}}',
        body()[:-1] + b', "prefetch": {"a": 01}}',
        body()[:-1] + b" /* no */}",
    ],
)
def test_what_is_not_a_json_object_is_refused(sent: bytes) -> None:
    assert refusal(sent).expression is None


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"a":'])
@pytest.mark.parametrize(
    "member", [b'"x": ', b'"context": ', b'"prefetch": ', b'"prefetch": {"a":']
)
def test_depth_never_exhausts_the_stack(opening: bytes, member: bytes) -> None:
    assert refusal(body()[:-1] + b", " + member + opening * 100_000).expression in {
        None,
        "context",
        "prefetch",
    }


def test_an_unreasonable_depth_of_valid_json_is_refused() -> None:
    nested = b"[" * 5000 + b"]" * 5000
    assert "deep" in refusal(body()[:-1] + b', "x": ' + nested + b"}").text


def test_unknown_members_and_extensions_are_ignored_everywhere() -> None:
    noise = {"extension": {"org.example.x": {"a": 1}}, "future": [None, {}, 1.5], "_x": "y"}
    asked = parse_request(
        body(
            **noise,
            context={**MINIMAL["context"], **noise},  # type: ignore[dict-item]
            fhirServer="https://a",
            fhirAuthorization={"access_token": "t", **noise},
        ),
        "patient-view",
    )
    assert asked.context.patient_id == "1288992"


@pytest.mark.parametrize(
    "instance",
    [
        "D1577C69-DFBE-44AD-BA6D-3E05E953B2EA",
        "55dd8de6-3a6e-11ee-be56-0242ac120002",
        "urn:uuid:d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "instance-17",
    ],
)
def test_the_hook_instance_is_kept_in_the_clients_spelling(instance: str) -> None:
    assert parse_request(body(hookInstance=instance), "patient-view").hook_instance == instance


@pytest.mark.parametrize("sent", ["smart-1288992", "Patient/smart-1288992"])
def test_a_patient_prefix_is_taken_off(sent: str) -> None:
    asked = parse_request(context(patientId=sent, encounterId=""), "patient-view")
    assert asked.context.patient_id == "smart-1288992"
    assert asked.context.encounter_id is None


def test_an_underscore_in_an_id_is_tolerated() -> None:
    assert (
        parse_request(context(patientId="a_b.C-1"), "patient-view").context.patient_id == "a_b.C-1"
    )


@pytest.mark.parametrize("user", ["PractitionerRole/x", "Patient/1", "RelatedPerson/1", "bare"])
def test_any_kind_of_user_may_look(user: str) -> None:
    assert parse_request(context(userId=user), "patient-view").context.user_id == user


def test_null_for_an_optional_member_means_that_it_is_not_there() -> None:
    asked = parse_request(
        body(fhirServer=None, fhirAuthorization=None, prefetch=None), "patient-view"
    )
    assert (asked.fhir_server, asked.authorization, asked.prefetch) == (None, None, {})


def test_slashes_at_the_end_of_the_fhir_server_are_taken_off() -> None:
    asked = parse_request(body(fhirServer="http://localhost:8091/fhir//"), "patient-view")
    assert asked.fhir_server == "http://localhost:8091/fhir"


def test_the_token_is_read_and_never_shown() -> None:
    asked = parse_request(body(**AUTHORIZED), "patient-view")
    assert asked.authorization is not None
    assert asked.authorization.access_token == "some-opaque-token"
    assert asked.authorization.patient is None
    assert "some-opaque-token" not in repr(asked)


@pytest.mark.parametrize("member", ["token_type", "expires_in", "scope", "subject"])
@pytest.mark.parametrize("value", [None, [], "nonsense"])
def test_of_the_authorization_only_the_token_has_to_be_right(member: str, value: Any) -> None:
    given_ = {**AUTHORIZED["fhirAuthorization"], member: value}  # type: ignore[dict-item]
    asked = parse_request(body(**{**AUTHORIZED, "fhirAuthorization": given_}), "patient-view")
    assert asked.authorization is not None


def test_the_patient_a_token_is_for_is_read_with_or_without_prefix() -> None:
    for sent in ("1288992", "Patient/1288992"):
        given_ = {**AUTHORIZED["fhirAuthorization"], "patient": sent}  # type: ignore[dict-item]
        asked = parse_request(body(**{**AUTHORIZED, "fhirAuthorization": given_}), "patient-view")
        assert asked.authorization is not None
        assert asked.authorization.patient == "1288992"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
MEMBERS = ["hook", "hookInstance", "context", "fhirServer", "fhirAuthorization", "prefetch", "x"]


@given(st.dictionaries(st.sampled_from(MEMBERS), JSON), st.booleans())
def test_any_json_is_read_or_refused_by_name(changes: dict[str, Any], minimal: bool) -> None:
    sent = json.dumps({**MINIMAL, **changes} if minimal else changes).encode()
    try:
        parse_request(sent, "patient-view")
    except BadRequest as refused:
        assert refused.text  # noqa: PT017


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(sent: bytes) -> None:
    with pytest.raises(BadRequest):
        parse_request(sent, "patient-view")


# --- orders being written ----------------------------------------------------------------------

BUNDLE = {"resourceType": "Bundle", "entry": []}


def asked_at(hook: str, **changes: Any) -> Context:
    sent = json.loads(context(**changes))
    return parse_request(json.dumps({**sent, "hook": hook}).encode(), hook).context


@pytest.mark.parametrize(
    ("sent", "selections"),
    [
        (["MedicationRequest/1", "ServiceRequest/2"], ("MedicationRequest/1", "ServiceRequest/2")),
        ("MedicationRequest/1", ("MedicationRequest/1",)),
        ([], ()),
        (None, None),
        (..., None),
    ],
)
def test_selections_are_kept_as_they_were_sent(sent: object, selections: object) -> None:
    assert asked_at("order-select", selections=sent).selections == selections


@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
def test_draft_orders_are_kept_undecoded(hook: str) -> None:
    sent = json.dumps({**MINIMAL, "hook": hook})[:-2] + ', "draftOrders":  {"a": [1.10, null]} }}'
    kept = parse_request(sent.encode(), hook).context.draft_orders
    assert kept is not None
    assert bytes(kept) == b'{"a": [1.10, null]}'


@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
@pytest.mark.parametrize("sent", [..., None])
def test_draft_orders_may_be_missing(hook: str, sent: object) -> None:
    assert asked_at(hook, draftOrders=sent).draft_orders is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("draftOrders", value) for value in ([BUNDLE], "SECRET", 5, True)),
        *(("selections", value) for value in ({"SECRET": 1}, 5, ["a", 5], [None], [["SECRET"]])),
    ],
)
def test_draft_orders_and_selections_of_another_type_are_named(field: str, value: object) -> None:
    with pytest.raises(BadRequest) as refused:
        asked_at("order-select", **{field: value})
    assert refused.value.expression == f"context.{field}"
    assert field in refused.value.text
    assert "SECRET" not in refused.value.text


@pytest.mark.parametrize("value", [5, [BUNDLE], BUNDLE])
def test_hooks_without_these_members_ignore_them(value: object) -> None:
    asked = parse_request(context(draftOrders=value, selections=value), "patient-view").context
    assert (asked.draft_orders, asked.selections) == (None, None)
    assert asked_at("order-sign", draftOrders=BUNDLE, selections=value).selections is None
