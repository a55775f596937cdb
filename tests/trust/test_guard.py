"""Who is let in, on which addresses, for how long, how often, and what happens without a store."""

from __future__ import annotations

import json
import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
from ehr import ASKED, CALL, DISCOVERY, FEEDBACK, Calls, Ehr, Used, register, service
from flask.testing import FlaskClient

from cds_service.errors import TooManyCalls, Unauthorized, Unavailable
from cds_service.settings import Settings
from cds_service.trust.callers import (
    LEEWAY_S,
    LONGEST_LIFE_S,
    LONGEST_TOKEN,
    Caller,
    Guard,
    OpenDoor,
)
from cds_service.trust.clients import Client

NORTH = Ehr("north", fhir_servers=["https://fhir.north.example.org/r4"], audiences=["ours-too"])
SOUTH = Ehr("south", "RSA", fhir_servers=["https://fhir.south.example.org/r4"])


@pytest.fixture
def used() -> Used:
    return Used()


@pytest.fixture
def calls() -> Calls:
    return Calls()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return register(tmp_path, [NORTH, SOUTH])


@pytest.fixture
def client(file: Path, used: Used, calls: Calls) -> FlaskClient:
    return service(file, used, calls)


def post(client: FlaskClient, headers: dict[str, str] | None = None, **changed: Any) -> Any:
    return client.post("/cds-services/small", json={**ASKED, **changed}, headers=headers)


# --- over HTTP -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/cds-services"),
        ("HEAD", "/cds-services"),
        ("GET", "/cds-services/"),
        ("POST", "/cds-services/small"),
        ("POST", "/cds-services//small/"),
        ("POST", "/cds-services/small/feedback"),
    ],
)
def test_discovery_calls_and_feedback_need_a_token(
    method: str, path: str, client: FlaskClient, calls: Calls
) -> None:
    answer = client.open(path, method=method, json=ASKED, headers={"Origin": "https://a.example"})
    assert answer.status_code == 401
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert calls.servers == []


@pytest.mark.parametrize(
    "path", ["/cds-services", "/cds-services/small", "/cds-services/small/feedback"]
)
def test_a_preflight_needs_none(path: str, client: FlaskClient) -> None:
    asks = {"Origin": "https://a.example", "Access-Control-Request-Headers": "authorization"}
    answer = client.options(path, headers=asks)
    assert answer.status_code == 204
    assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/"])
def test_health_needs_none(path: str, client: FlaskClient) -> None:
    assert client.get(path).status_code == 200


def test_a_body_of_a_stranger_is_not_read(client: FlaskClient) -> None:
    answer = client.post("/cds-services/small", data=b"{" * 10, content_type="application/json")
    assert answer.status_code == 401


@pytest.mark.parametrize("audience", [CALL, [CALL], ["https://other.example", CALL], "ours-too"])
def test_the_audience_is_the_address_called_or_one_registered(
    audience: Any, client: FlaskClient
) -> None:
    assert post(client, NORTH.bearer(audience)).status_code == 200


def test_an_audience_registered_for_one_client_is_none_for_another(client: FlaskClient) -> None:
    assert post(client, SOUTH.bearer("ours-too")).status_code == 401


@pytest.mark.parametrize(("audience", "status"), [(FEEDBACK, 404), (CALL, 404), (DISCOVERY, 401)])
def test_feedback_takes_a_token_for_itself_or_for_its_service(
    audience: str, status: int, client: FlaskClient
) -> None:
    answer = client.post(
        "/cds-services/small/feedback", json={"feedback": []}, headers=NORTH.bearer(audience)
    )
    assert answer.status_code == status


def test_the_host_a_caller_names_is_no_audience(client: FlaskClient) -> None:
    headers = {**NORTH.bearer("https://evil.example/cds-services/small"), "Host": "evil.example"}
    assert post(client, headers).status_code == 421
    assert post(client, {**headers, "Host": "10.1.2.3"}).status_code == 401


@pytest.mark.parametrize("setting", [None, False, True])
@pytest.mark.parametrize("registered", [None, False, True])
def test_how_many_actions_a_client_applies_is_its_own_property(
    registered: bool | None, setting: bool | None, tmp_path: Path
) -> None:
    """The register comes before the setting, and what a request says of itself before neither."""
    known = {} if registered is None else {"one_action": registered}
    east, calls = Ehr("east", **known), Calls()
    client = service(register(tmp_path, [east]), consult=calls, one_action=setting)
    headers = {**east.bearer(), "Origin": "https://sandbox.cds-hooks.org"}
    assert post(client, headers).status_code == 200
    (occasion,) = calls.occasions
    assert occasion.one_action is bool(setting if registered is None else registered)


def test_members_of_a_token_that_are_not_known_are_ignored(client: FlaskClient) -> None:
    headers = NORTH.bearer(sub="Practitioner/1", tenant="any", azp="x", scope=["a"])
    assert post(client, headers).status_code == 200
    token = NORTH.token(header={"x5t": "abc", "typ": "jwt", "extra": {}})
    assert post(client, {"Authorization": f"bearer {token}"}).status_code == 200


def test_each_client_may_name_its_own_fhir_servers_only(client: FlaskClient, calls: Calls) -> None:
    for ehr in (NORTH, SOUTH):
        for other in (NORTH, SOUTH):
            server = other.registered["fhir_servers"][0]
            assert post(client, ehr.bearer(), fhirServer=server).status_code == 200
            assert (calls.servers.pop() is not None) == (ehr is other)


def test_the_log_names_the_client_and_never_the_token(
    client: FlaskClient, capfd: pytest.CaptureFixture[str]
) -> None:
    headers = NORTH.bearer()
    post(client, headers)
    post(client, headers)
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [(one["client"], one["status"]) for one in lines] == [("north", 200), ("north", 401)]
    assert lines[1]["refused"] == "the token was used before, or too long ago to tell"
    for part in headers["Authorization"].split(".")[1:]:
        assert part not in json.dumps(lines)


def test_a_token_is_good_for_one_call(client: FlaskClient, used: Used, calls: Calls) -> None:
    headers = NORTH.bearer()
    assert post(client, headers).status_code == 200
    assert post(client, headers).status_code == 401
    assert len(calls.servers) == 1


def test_the_same_number_from_two_clients_is_two_tokens(client: FlaskClient) -> None:
    assert post(client, NORTH.bearer(jti="1")).status_code == 200
    assert post(client, SOUTH.bearer(jti="1")).status_code == 200
    assert post(client, NORTH.bearer(jti="1")).status_code == 401


def test_a_used_token_is_remembered_until_no_clock_would_take_it(
    client: FlaskClient, used: Used
) -> None:
    expires = int(time.time()) + 300
    post(client, NORTH.bearer(exp=expires, jti="1"))
    assert used.asked == [(NORTH.issuer, "1", expires + LEEWAY_S)]


def test_when_the_store_is_down_nobody_is_let_in(file: Path, calls: Calls) -> None:
    def down(*_: object) -> bool:
        raise Unavailable("out of order")

    answer = post(service(file, down, calls), NORTH.bearer())
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert answer.json["issue"][0]["code"] == "transient"
    assert calls.servers == []


def test_who_is_turned_away_is_counted(client: FlaskClient) -> None:
    def counted() -> float:
        lines = client.get("/metrics").text.splitlines()
        found = [one for one in lines if one.startswith('cds_turned_away_total{status="401"}')]
        return float(found[0].split()[1]) if found else 0.0

    before = counted()
    post(client)
    client.get("/cds-services")
    assert counted() == before + 2


def test_open_mode_asks_nobody(file: Path) -> None:
    client = service(file, clients_file=None)
    assert post(client).status_code == 200
    assert post(client, {"Authorization": "Bearer nonsense"}).status_code == 200


# --- too many calls --------------------------------------------------------------------------


def test_more_calls_than_a_client_may_make_are_told_when_to_come_again(
    file: Path, used: Used
) -> None:
    client = service(file, used, calls_per_minute=2)
    for _ in range(2):
        assert post(client, NORTH.bearer()).status_code == 200
    refused = NORTH.bearer()
    answer = post(client, refused)
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 30
    assert answer.json["issue"][0]["code"] == "throttled"
    assert len(used.asked) == 2, "the token is still valid when the call is repeated later"
    assert post(client, SOUTH.bearer()).status_code == 200, "another client has calls of its own"


def test_forged_tokens_use_up_nobodys_calls(file: Path) -> None:
    client = service(file, calls_per_minute=1)
    for _ in range(3):
        assert post(client, NORTH.bearer(key=SOUTH.key)).status_code == 401
    assert post(client, NORTH.bearer()).status_code == 200


# --- the guard alone, with a clock that is stopped -----------------------------------------


class AnyKey:
    """Finds every signature good."""

    def check(self, token: str, kid: str, algorithm: str) -> None:
        pass


class At:
    """A guard at a moment that the test moves."""

    def __init__(self, per_minute: int = 6000, now: float = 1_000_000.0) -> None:
        self.now = now
        client = Client("north", NORTH.issuer)
        self.guard = Guard([client], {"north": AnyKey()}, Used(), lambda: self.now, per_minute)

    def refused(self, audiences: Collection[str] = (CALL,), **claims: Any) -> str:
        """Why a token of this moment with these claims is refused; "" when it is not."""
        times = {"iat": int(self.now), "exp": int(self.now) + 300}
        token = NORTH.token(**{**times, **claims})
        try:
            assert self.guard.authenticate(f"Bearer {token}", audiences).name == "north"
        except Unauthorized as error:
            return error.log["refused"]
        return ""


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        # expired: below, at and above the difference of clocks that is allowed for
        ({"iat": -300, "exp": -LEEWAY_S + 1}, ""),
        ({"iat": -300, "exp": -LEEWAY_S}, "expired"),
        ({"iat": -300, "exp": -LEEWAY_S - 1}, "expired"),
        # issued in the future
        ({"iat": LEEWAY_S - 1, "exp": 300}, ""),
        ({"iat": LEEWAY_S, "exp": 300}, ""),
        ({"iat": LEEWAY_S + 1, "exp": 300}, "in the future"),
        # the length of its life
        ({"iat": 0, "exp": LONGEST_LIFE_S - 1}, ""),
        ({"iat": 0, "exp": LONGEST_LIFE_S}, ""),
        ({"iat": 0, "exp": LONGEST_LIFE_S + 1}, "life"),
        ({"iat": 0, "exp": 0.5}, ""),
        ({"iat": 0, "exp": 0}, "life"),
        ({"iat": 10, "exp": 9}, "life"),
        # not valid before
        ({"iat": 0, "exp": 300, "nbf": LEEWAY_S}, ""),
        ({"iat": 0, "exp": 300, "nbf": LEEWAY_S + 1}, "not valid yet"),
        ({"iat": 0, "exp": 300, "nbf": -1000}, ""),
        # fractions, as some clients send
        ({"iat": -0.25, "exp": 299.75}, ""),
    ],
)
def test_the_times_of_a_token_have_limits(claims: dict[str, float], said: str) -> None:
    at = At()
    refused = at.refused(**{name: at.now + seconds for name, seconds in claims.items()})
    assert said in refused
    assert bool(said) == bool(refused)


@pytest.mark.parametrize(("length", "good"), [(1, True), (256, True), (257, False)])
def test_the_number_of_a_token_has_a_longest_length(length: int, good: bool) -> None:
    assert (At().refused(jti="x" * length) == "") == good


@pytest.mark.parametrize(("length", "said"), [(-1, ""), (0, ""), (1, "too long")])
def test_a_token_has_a_longest_length(length: int, said: str) -> None:
    at = At()
    times = {"iat": int(at.now), "exp": int(at.now) + 300, "jti": "1"}
    short = NORTH.token(**times, sub="")
    # the signature is not looked at here, so it fills the token up
    token = short + "A" * (LONGEST_TOKEN + length - len(short))
    if said:
        with pytest.raises(Unauthorized) as refused:
            at.guard.authenticate(f"Bearer {token}", [CALL])
        assert said in refused.value.log["refused"]
    else:
        assert at.guard.authenticate(f"Bearer {token}", [CALL]).name == "north"


def test_calls_come_back_with_time() -> None:
    at = At(per_minute=6)
    assert [at.refused() for _ in range(6)] == [""] * 6
    with pytest.raises(TooManyCalls) as error:
        at.refused()
    assert error.value.headers == {"Retry-After": "10"}
    at.now += 9.9
    with pytest.raises(TooManyCalls):
        at.refused()
    at.now += 0.2
    assert at.refused() == ""
    with pytest.raises(TooManyCalls):
        at.refused()
    at.now += 3600  # no more gather than fit in a minute
    assert [at.refused() for _ in range(6)] == [""] * 6
    with pytest.raises(TooManyCalls):
        at.refused()


def test_a_clock_that_is_set_back_gives_no_calls() -> None:
    at = At(per_minute=1)
    assert at.refused() == ""
    at.now -= 1000
    with pytest.raises(TooManyCalls):
        at.refused()


def test_nobody_else_makes_a_caller() -> None:
    with pytest.raises(TypeError):
        Caller("north", (), object())


def test_a_caller_of_open_mode_is_not_that_of_a_client() -> None:
    assert OpenDoor({"https://fhir.example.org"}).authenticate(None, ()).name == ""
    assert Settings().clients_file is None
