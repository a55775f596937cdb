"""The HTTP face with a small service behind it that does what each test says."""

from __future__ import annotations

import io
import json
import time
from base64 import urlsafe_b64encode as b64encode
from collections.abc import Callable
from datetime import date
from functools import cache
from typing import Any

import pytest
from each import each
from flask.testing import FlaskClient
from msgspec import structs

from cds_service.app import create_app
from cds_service.cdshooks.request import Request
from cds_service.cdshooks.response import Card, Response, Source
from cds_service.clinical import Need
from cds_service.consultation import Consultation, Occasion, Service, load_services
from cds_service.errors import DataUnavailable
from cds_service.settings import Settings
from cds_service.web.views import ROUTES, Views

# A real one under another name; what lies behind it is never reached here.
SERVICE = structs.replace(
    load_services()[0],
    id="small",
    title="Small",
    description="A service for tests.",
    usage_requirements="",
    needs=(Need("patient", "Patient", "the patient", "indispensable"),),
)
ASKED = {
    "hook": "patient-view",
    "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
    "context": {"userId": "Practitioner/1", "patientId": "SECRET-1"},
}
TOKEN = {"access_token": "SECRET-token"}
PATHS = ["/", "/cds-services", "/cds-services/small", "/cds-services/small/feedback", "/healthz"]


class Calls:
    """Stands in for the consultation: keeps how it was called, answers with one card."""

    def __init__(self, log: dict[str, Any] | None = None) -> None:
        self.log = log or {}
        self.asked: Request | None = None
        self.server: Any = None

    def __call__(
        self, service: Service, asked: Request, server: Any, occasion: Occasion
    ) -> Consultation:
        self.asked, self.server, self.occasion = asked, server, occasion
        card = Card("u1", "Seen", "info", Source("Test"))
        return Consultation(Response((card,)), self.log)


def client(consult: Callable[..., Consultation] | None = None, **settings: Any) -> FlaskClient:
    return create_app(Settings(**settings), (SERVICE,), consult or Calls()).test_client()


def outcome(answer: Any) -> dict[str, Any]:
    """The one issue of an OperationOutcome answer."""
    assert answer.mimetype == "application/json"
    sent = json.loads(answer.data)
    assert sent["resourceType"] == "OperationOutcome"
    (issue,) = sent["issue"]
    assert issue["severity"] == "error"
    assert issue["details"]["text"]
    assert isinstance(issue, dict)
    return issue


def refuse_data(*_: Any, **__: Any) -> Consultation:
    raise DataUnavailable("The patient could not be obtained.", "patient", "timeout")


def fail(*_: Any, **__: Any) -> Consultation:
    raise ZeroDivisionError("SECRET in a message")


# --- calls -----------------------------------------------------------------------------------


def test_a_call_is_answered_with_the_consultations_cards() -> None:
    answer = client().post("/cds-services/small", json=ASKED)
    assert answer.status_code == 200
    assert answer.content_type == "application/json"
    assert answer.json == {
        "cards": [
            {"uuid": "u1", "summary": "Seen", "indicator": "info", "source": {"label": "Test"}}
        ]
    }


def test_the_consultation_is_given_the_date_it_is_asked_for() -> None:
    calls = Calls()
    client(calls, demo=True, as_of=date(2026, 1, 15)).post("/cds-services/small", json=ASKED)
    assert (calls.occasion.on, calls.occasion.as_of_is_set) == (date(2026, 1, 15), True)
    client(calls).post("/cds-services/small", json=ASKED)
    assert (calls.occasion.on, calls.occasion.as_of_is_set) == (date.today(), False)  # noqa: DTZ011, TID251


SANDBOX = {"Origin": "https://sandbox.cds-hooks.org"}


def issued_by(issuer: str) -> dict[str, str]:
    """A token as a copy of the sandbox sends it from elsewhere: what it says is not checked."""
    claims = {"iss": issuer, "aud": "a", "exp": 1, "iat": 1, "jti": "1"}
    header = {"alg": "ES384", "typ": "JWT", "kid": "1"}
    parts = (b64encode(json.dumps(one).encode()).decode().rstrip("=") for one in (header, claims))
    return {"Authorization": f"Bearer {'.'.join(parts)}.AAAA", "Origin": "http://localhost:8081"}


@pytest.mark.parametrize(
    ("headers", "demo", "setting", "one_action"),
    [
        (SANDBOX, True, None, True),
        (issued_by(SANDBOX["Origin"]), True, None, True),
        (SANDBOX, True, False, False),
        (SANDBOX, False, None, False),
        (issued_by(SANDBOX["Origin"]), False, None, False),
        ({"Origin": "https://sandbox.cds-hooks.org.example"}, True, None, False),
        (issued_by("https://ehr.example.org"), True, None, False),
        ({"Authorization": "Bearer no.token.here"}, True, None, False),
        ({}, True, None, False),
        ({}, True, True, True),
        ({}, False, True, True),
    ],
)
def test_the_demo_knows_the_public_sandbox_which_applies_one_action(
    headers: dict[str, str], demo: bool, setting: bool | None, one_action: bool
) -> None:
    calls = Calls()
    app = client(calls, demo=demo, one_action=setting)
    assert app.post("/cds-services/small", json=ASKED, headers=headers).status_code == 200
    assert calls.occasion.one_action is one_action


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ({}, "names no FHIR server"),
        ({"fhirServer": "https://other.example"}, "not one this service may call"),
        (
            {
                "fhirServer": "https://fhir.example.org",
                "fhirAuthorization": {**TOKEN, "patient": "somebody-else"},
            },
            "for another patient",
        ),
    ],
)
def test_a_server_that_may_not_be_called_is_withheld_with_the_reason(
    sent: dict[str, Any], reason: str
) -> None:
    calls = Calls()
    app = client(calls, fhir_servers=frozenset({"https://fhir.example.org"}))
    assert app.post("/cds-services/small", json={**ASKED, **sent}).status_code == 200
    assert calls.server is None
    assert reason in calls.occasion.no_server


@pytest.mark.parametrize(
    "authorization", [{}, {"fhirAuthorization": {**TOKEN, "patient": "Patient/SECRET-1"}}]
)
def test_a_listed_server_is_handed_over(authorization: dict[str, Any]) -> None:
    calls = Calls()
    app = client(calls, fhir_servers=frozenset({"https://fhir.example.org"}))
    sent = {**ASKED, **authorization, "fhirServer": "https://fhir.example.org/"}
    assert app.post("/cds-services/small", json=sent).status_code == 200
    assert calls.server.base == "https://fhir.example.org"
    assert calls.occasion.no_server == ""


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "application/fhir+json",
        "application/json+fhir",
        "Application/JSON",
        None,
    ],
)
def test_any_kind_of_json_is_read(content_type: str | None) -> None:
    answer = client().post("/cds-services/small", data=json.dumps(ASKED), content_type=content_type)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/fhir+xml"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
def test_anything_else_is_an_unsupported_media_type(headers: dict[str, str]) -> None:
    answer = client().post("/cds-services/small", data=json.dumps(ASKED), headers=headers)
    assert answer.status_code == 415
    outcome(answer)


# --- paths -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/cds-services", "/cds-services/", "//cds-services//"])
def test_discovery_is_served_where_it_is_asked_for(path: str) -> None:
    answer = client().get("/", environ_overrides={"PATH_INFO": path})
    assert answer.status_code == 200
    assert answer.json == {
        "services": [
            {
                "hook": "patient-view",
                "id": "small",
                "title": "Small",
                "description": "A service for tests.",
                "prefetch": {"patient": "Patient/{{context.patientId}}"},
            }
        ]
    }


@pytest.mark.parametrize(
    "path", ["/cds-services//small", "/cds-services/small/", "//cds-services/small//"]
)
def test_a_doubled_or_trailing_slash_is_served_without_redirect(path: str) -> None:
    answer = client().post("/", json=ASKED, environ_overrides={"PATH_INFO": path})
    assert answer.status_code == 200


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/healthz/"])
def test_the_small_pages_are_json(path: str) -> None:
    answer = client().get(path)
    assert answer.status_code == 200
    assert answer.is_json


@pytest.mark.parametrize(
    "path", ["/cds-services/other", "/cds-services/small/other", "/nothing", "/cds-services/%00"]
)
def test_an_unknown_path_is_not_found(path: str) -> None:
    answer = client().post(path, json=ASKED)
    assert answer.status_code == 404
    assert outcome(answer)["code"] == "not-found"


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/cds-services/small", "OPTIONS, POST"),
        ("PUT", "/cds-services/small", "OPTIONS, POST"),
        ("POST", "/cds-services", "GET, HEAD, OPTIONS"),
        ("DELETE", "/healthz", "GET, HEAD, OPTIONS"),
    ],
)
def test_another_method_is_told_which_there_are(method: str, path: str, allow: str) -> None:
    answer = client().open(path, method=method)
    assert answer.status_code == 405
    assert answer.headers["Allow"] == allow
    outcome(answer)


# --- errors ----------------------------------------------------------------------------------


def test_a_bad_request_names_the_member() -> None:
    answer = client().post("/cds-services/small", json={**ASKED, "context": {"userId": "a"}})
    assert answer.status_code == 400
    assert outcome(answer)["expression"] == ["context.patientId"]


def test_data_that_cannot_be_had_is_a_failed_precondition() -> None:
    answer = client(refuse_data).post("/cds-services/small", json=ASKED)
    assert answer.status_code == 412
    assert outcome(answer)["code"] == "timeout"


def test_a_bug_says_nothing_about_itself_or_the_patient(capfd: pytest.CaptureFixture[str]) -> None:
    answer = client(fail).post("/cds-services/small", json=ASKED)
    assert answer.status_code == 500
    assert outcome(answer)["code"] == "exception"
    for told in (answer.text, *capfd.readouterr()):
        assert "SECRET" not in told
    assert "ZeroDivision" not in answer.text


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_over_the_limit_is_refused(declared: bool) -> None:
    app = client(max_body_bytes=10_000)
    body = json.dumps({**ASKED, "x": "y" * 10_000}).encode()
    if declared:
        answer = app.post("/cds-services/small", data=body, content_type="application/json")
    else:
        answer = app.post(
            "/cds-services/small",
            input_stream=io.BytesIO(body),
            content_type="application/json",
            environ_overrides={"wsgi.input_terminated": True},
        )
    assert answer.status_code == 413
    assert outcome(answer)["code"] == "too-long"


# --- CORS ------------------------------------------------------------------------------------

PREFLIGHT = {
    "Origin": "https://sandbox.example",
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type",
}


@pytest.mark.parametrize(
    "path", [*PATHS, "/cds-services/", "/cds-services//small", "/cds-services/other", "/nothing"]
)
def test_a_preflight_is_answered_on_every_path(path: str) -> None:
    answer = client().options(path, headers=PREFLIGHT)
    assert (answer.status_code, answer.data) == (204, b"")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Access-Control-Allow-Methods"] == "GET, POST, OPTIONS"
    assert answer.headers["Access-Control-Allow-Headers"] == "Authorization, Content-Type, Accept"
    assert int(answer.headers["Access-Control-Max-Age"]) > 0
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert "Access-Control-Allow-Private-Network" not in answer.headers


@each("consult", [Calls(), refuse_data, fail])
@each("path", [*PATHS, "/cds-services/other", "/nothing"])
@each("method", ["GET", "POST", "DELETE"])
def test_every_answer_may_be_read_by_the_page_that_asked(
    method: str, path: str, consult: Callable[..., Consultation]
) -> None:
    answer = client(consult).open(path, method=method, json=ASKED, headers={"Origin": "https://a"})
    assert answer.headers.getlist("Access-Control-Allow-Origin") == ["*"]
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize("method", ["POST", "OPTIONS"])
def test_of_listed_origins_only_the_asking_one_is_named(method: str) -> None:
    app = client(allowed_origins=("https://a.example", "https://b.example"))
    for origin, allowed in [
        ("https://b.example", ["https://b.example"]),
        ("https://evil.example", []),
        ("null", []),
        (None, []),
    ]:
        headers = {"Origin": origin} if origin else {}
        answer = app.open("/cds-services/small", method=method, json=ASKED, headers=headers)
        assert answer.headers.getlist("Access-Control-Allow-Origin") == allowed
        assert answer.headers["Vary"] == "Origin"


def test_only_the_demo_may_be_reached_from_public_pages_on_a_private_network() -> None:
    asks = {**PREFLIGHT, "Access-Control-Request-Private-Network": "true"}
    name = "Access-Control-Allow-Private-Network"
    assert client(demo=True).options("/cds-services", headers=asks).headers[name] == "true"
    assert name not in client(demo=True).options("/cds-services", headers=PREFLIGHT).headers
    assert name not in client().options("/cds-services", headers=asks).headers
    listed = client(demo=True, allowed_origins=("https://a.example",))
    assert name not in listed.options("/cds-services", headers=asks).headers


# --- which host a request names -----------------------------------------------------------------

OURS = ["localhost", "LocalHost:8080", "localhost.", "127.0.0.1:8080", "[::1]:8080", "[::1]"]
ADDRESSES = ["10.1.2.3", "10.1.2.3:8080", "[2001:db8::1]:443"]
LISTED = ["cds.example.org", "CDS.example.org:8443", "cds.example.org.", "ehr-network"]
OTHERS = ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "a:b", ":8080"]


@pytest.mark.parametrize("host", [*OURS, *ADDRESSES, *LISTED])
def test_a_call_by_a_name_of_this_service_is_answered(host: str) -> None:
    app = client(public_url="https://cds.example.org", allowed_hosts=("ehr-network",))
    assert app.post(PATHS[2], json=ASKED, headers={"Host": host}).status_code == 200


@cache
def app_by_name() -> FlaskClient:
    """A demo that no one reaches by another name."""
    return client(public_url="https://cds.example.org", allowed_hosts=("ehr-network",), demo=True)


@each("host", [*OTHERS, "cds.example.org.evil.example", "x." * 100 + "example"])
@each("path", [*PATHS, "/metrics", "/samples"])
def test_a_page_that_gives_this_machine_its_own_name_reads_nothing(host: str, path: str) -> None:
    answer = app_by_name().get(path, headers={"Host": host})
    if path in ("/healthz", "/readyz"):
        assert answer.status_code == 200
        return
    assert answer.status_code == 421
    assert answer.json["resourceType"] == "OperationOutcome"
    assert "CDS_ALLOWED_HOSTS" in answer.text
    assert not host or host not in answer.text


@each("host", ["", "localhost,evil.example", "localhost,localhost", ","])
@each("path", [*PATHS, "/metrics", "/samples", "/no/such/page"])
def test_a_request_has_one_host_header_whatever_names_are_listed(host: str, path: str) -> None:
    """The server hands over two as one, with a comma; a proxy may have believed the other."""
    for app in (app_by_name(), client(allowed_hosts=("*",))):
        answer = app.get(path, headers={"Host": host})
        assert answer.status_code == 400
        assert answer.json["resourceType"] == "OperationOutcome"
    older = app_by_name().get(
        path, headers={"Host": host}, environ_overrides={"SERVER_PROTOCOL": "HTTP/1.0"}
    )
    assert (older.status_code == 400) == (host != "")


@pytest.mark.parametrize("host", [*OURS, *ADDRESSES])
def test_a_name_is_not_taken_for_this_service_without_being_listed(host: str) -> None:
    assert client().post(PATHS[2], json=ASKED, headers={"Host": host}).status_code == 200
    assert client().post(PATHS[2], json=ASKED, headers={"Host": LISTED[0]}).status_code == 421
    anywhere = client(allowed_hosts=("*",))
    assert anywhere.post(PATHS[2], json=ASKED, headers={"Host": LISTED[0]}).status_code == 200


@pytest.mark.parametrize(
    ("kind", "origin", "status"),
    [
        ("application/json", "https://a", 200),
        ("application/fhir+json", "https://a", 200),
        ("text/plain", "https://a", 415),
        (None, "https://a", 415),
        (None, "null", 415),
        (None, None, 200),
    ],
)
def test_a_page_declares_that_it_sends_json(
    kind: str | None, origin: str | None, status: int
) -> None:
    """A page may send what has another type, or none, without asking in a preflight."""
    headers = {"Origin": origin} if origin else {}
    data = json.dumps(ASKED)
    answer = client().post(PATHS[2], data=data, content_type=kind, headers=headers)
    assert answer.status_code == status


# --- security headers --------------------------------------------------------------------------


@each("consult", [Calls(), refuse_data, fail])
@each("path", [*PATHS, "/nothing"])
@each("method", ["GET", "POST", "OPTIONS", "DELETE"])
def test_no_answer_is_kept_guessed_at_or_framed(
    method: str, path: str, consult: Callable[..., Consultation]
) -> None:
    headers = client(consult).open(path, method=method, json=ASKED).headers
    assert headers.getlist("Cache-Control") == ["no-store"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert "Server" not in headers


def test_a_page_may_say_what_it_loads() -> None:
    app = create_app(Settings(), (SERVICE,), Calls())
    own = {"Content-Security-Policy": "default-src 'self'"}
    app.add_url_rule("/page", "page", lambda: ("page", own))
    headers = app.test_client().get("/page").headers
    assert headers.getlist("Content-Security-Policy") == ["default-src 'self'"]
    assert headers["X-Content-Type-Options"] == "nosniff"


# --- the log ---------------------------------------------------------------------------------


def test_the_time_a_caller_takes_to_send_is_not_the_service_s_own(
    capfd: pytest.CaptureFixture[str],
) -> None:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            time.sleep(0.3)
            return super().read(size)

    body = json.dumps(ASKED).encode()
    app = client()
    capfd.readouterr()
    begun = time.perf_counter()
    app.post(
        "/cds-services/small",
        input_stream=Slow(body),
        content_length=len(body),
        content_type="application/json",
    )
    whole = (time.perf_counter() - begun) * 1000
    line = json.loads(capfd.readouterr().out)
    assert line["uploadMs"] >= 300
    assert line["ms"] + line["uploadMs"] <= whole


def test_a_call_is_logged_as_one_json_line(capfd: pytest.CaptureFixture[str]) -> None:
    app = client(Calls({"outcome": "treat", "rules": ["A1"], "cards": 1}))
    capfd.readouterr()
    app.post("/cds-services/small?q=SECRET", json=ASKED)
    line = json.loads(capfd.readouterr().out)
    assert line.pop("ms") >= 0
    assert line.pop("uploadMs") >= 0
    assert len(line.pop("time")) == len("2026-01-15T12:00:00Z")
    assert line == {
        "level": "info",
        "service": "small",
        "hook": "patient-view",
        "hookInstance": ASKED["hookInstance"],
        "status": 200,
        "outcome": "treat",
        "rules": ["A1"],
        "cards": 1,
    }


@pytest.mark.parametrize(
    ("consult", "sent", "status"),
    [
        (Calls(), {"hookInstance": "SECRET"}, 200),
        (Calls(), {"fhirServer": "https://SECRET", "fhirAuthorization": TOKEN}, 200),
        (Calls(), {"context": {"userId": "SECRET", "patientId": "SECRET?"}}, 400),
        (Calls(), {"hook": "SECRET"}, 400),
        (refuse_data, {}, 412),
        (fail, {"prefetch": {"patient": "SECRET"}}, 500),
    ],
)
def test_no_patient_and_no_token_is_logged_or_echoed(
    consult: Callable[..., Consultation],
    sent: dict[str, Any],
    status: int,
    capfd: pytest.CaptureFixture[str],
) -> None:
    app = client(consult)
    answer = app.post(
        "/cds-services/small?SECRET", json={**ASKED, **sent}, headers={"Authorization": "SECRET"}
    )
    assert answer.status_code == status
    logged = capfd.readouterr()
    assert f'"status":{status}' in logged.out
    assert "SECRET" not in logged.out + logged.err + answer.text


def test_every_view_stands_in_the_table_of_routes() -> None:
    listed = [view.__name__ for _, _, view in ROUTES]
    assert sorted(listed) == sorted(name for name in vars(Views) if not name.startswith("_"))
