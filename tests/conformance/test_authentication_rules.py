"""How clients are authenticated, by requirement; every way round it is tried in tests/trust."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ehr import ASKED, BASE, CALL, DISCOVERY, FEEDBACK, Ehr, Listener, at_work, register, service
from flask.testing import FlaskClient

NORTH = Ehr("north")
SOUTH = Ehr("south", "RSA", tenants=["ward-1"])


@pytest.fixture
def registered(tmp_path: Path) -> FlaskClient:
    return service(register(tmp_path, [NORTH, SOUTH]))


def status(client: FlaskClient, token: str | None, address: str = CALL) -> int:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    path = address.removeprefix(BASE)
    if address == DISCOVERY:
        return client.get(path, headers=headers).status_code
    body = {"feedback": []} if address == FEEDBACK else ASKED
    return client.post(path, json=body, headers=headers).status_code


@pytest.mark.requirement("CH-116", "CH-117")
@pytest.mark.parametrize("address", [DISCOVERY, CALL, FEEDBACK])
def test_every_call_needs_a_bearer_token(address: str, registered: FlaskClient) -> None:
    assert status(registered, None, address) == 401
    assert status(registered, NORTH.token(address), address) != 401


@pytest.mark.requirement("CH-114")
@pytest.mark.parametrize("audience", [FEEDBACK, CALL])
def test_feedback_is_authenticated_as_calls_are(audience: str, registered: FlaskClient) -> None:
    token = NORTH.token(audience)
    assert status(registered, token, FEEDBACK) != 401
    assert status(registered, token, FEEDBACK) == 401, "one use"


@pytest.mark.requirement("CH-118")
@pytest.mark.parametrize("member", ["alg", "kid", "typ"])
def test_the_header_has_its_members(member: str, registered: FlaskClient) -> None:
    assert status(registered, NORTH.token(header={member: None})) == 401


@pytest.mark.requirement("CH-119")
@pytest.mark.parametrize("claim", ["iss", "exp", "iat", "jti"])
def test_the_token_has_its_claims(claim: str, registered: FlaskClient) -> None:
    assert status(registered, NORTH.token(**{claim: None})) == 401
    assert status(registered, NORTH.token(sub="Practitioner/1", nbf=1)) == 200


@pytest.mark.requirement("CH-120")
def test_the_audience_is_the_address_called(registered: FlaskClient) -> None:
    assert status(registered, NORTH.token(None)) == 401
    assert status(registered, NORTH.token(DISCOVERY)) == 401
    assert status(registered, NORTH.token("http://localhost/cds-services/small")) == 401
    assert status(registered, NORTH.token(["https://other.example", CALL])) == 200


@pytest.mark.requirement("CH-121")
def test_es384_and_rs384_alone_are_taken(registered: FlaskClient) -> None:
    assert status(registered, NORTH.token()) == 200
    assert status(registered, SOUTH.token(tenant="ward-1")) == 200
    for algorithm in ("none", "HS384", "ES256", "RS256"):
        assert status(registered, NORTH.token(header={"alg": algorithm})) == 401


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as there:
        yield there


@pytest.mark.requirement("CH-122")
def test_no_address_but_the_registered_is_fetched(
    registered: FlaskClient, listener: Listener
) -> None:
    stranger = Ehr("stranger")
    listener.publish(stranger)
    said = {"jku": listener.url, "kid": stranger.jwk["kid"]}
    for issuer in (stranger.issuer, NORTH.issuer):
        assert status(registered, stranger.token(header=said, iss=issuer)) == 401
    assert listener.connections == 0


@pytest.mark.requirement("CH-123")
def test_keys_are_found_by_kid_kept_and_fetched_again_once(
    tmp_path: Path, listener: Listener
) -> None:
    old = Ehr("north", jwks_url=listener.url)
    new = Ehr("new")
    listener.publish(old)
    client = service(register(tmp_path, [old]))
    with at_work(client):
        assert [status(client, old.token()) for _ in range(3)] == [200] * 3
        unknown = old.token(header={"kid": new.jwk["kid"]}, key=new.key)
        assert [status(client, unknown) for _ in range(3)] == [401] * 3
    assert listener.paths == ["/jwks.json"], "asked a moment ago, so not again"


@pytest.mark.requirement("CH-124")
def test_expired_and_premature_tokens_are_refused(registered: FlaskClient) -> None:
    now = NORTH.claims()["iat"]
    assert status(registered, NORTH.token(iat=now - 400, exp=now - 100)) == 401
    assert status(registered, NORTH.token(iat=now + 100)) == 401
    assert status(registered, NORTH.token(nbf=now + 100)) == 401
    assert status(registered, NORTH.token(iat=now - 20, exp=now - 10)) == 200, "clocks differ"


@pytest.mark.requirement("CH-125")
def test_a_token_is_valid_for_one_call(registered: FlaskClient) -> None:
    token = NORTH.token()
    assert [status(registered, token) for _ in range(3)] == [200, 401, 401]


@pytest.mark.requirement("CH-126")
def test_tenants_are_listed(registered: FlaskClient) -> None:
    assert status(registered, SOUTH.token(tenant="ward-1")) == 200
    assert status(registered, SOUTH.token(tenant="ward-2")) == 401
    assert status(registered, SOUTH.token()) == 401


@pytest.mark.requirement("CH-127")
def test_a_refusal_does_not_say_why(
    registered: FlaskClient, capfd: pytest.CaptureFixture[str]
) -> None:
    bad = (NORTH.token(exp=1), NORTH.token(key=SOUTH.key), "a.b.c", NORTH.token("other"))
    said = set()
    for token in bad:
        answer = registered.post(
            CALL.removeprefix(BASE), json=ASKED, headers={"Authorization": f"Bearer {token}"}
        )
        said.add((answer.status_code, answer.data, str(answer.headers)))
        assert token not in capfd.readouterr().out
    assert len(said) == 1
