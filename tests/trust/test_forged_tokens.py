"""No one is let in by anything but a registered client's good token, and no one learns why."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from ehr import ASKED, BASE, CALL, DISCOVERY, Listener, Used, register, service
from flask.testing import FlaskClient
from forged_tokens import ATTEMPTS, EHRS, NORTH, SOUTH


class Under(NamedTuple):
    client: FlaskClient
    used: Used
    listener: Listener


@pytest.fixture(scope="module")
def under(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Under]:
    used = Used()
    with Listener() as listener:
        listener.publish(*EHRS)
        file = register(tmp_path_factory.mktemp("register"), EHRS)
        yield Under(service(file, used), used, listener)


def ask(client: FlaskClient, authorization: str | None) -> Any:
    headers = {} if authorization is None else {"Authorization": authorization}
    return client.post(CALL.removeprefix(BASE), json=ASKED, headers=headers)


@pytest.mark.corpus("forged tokens")
@pytest.mark.parametrize("name", ATTEMPTS)
def test_a_forged_token_is_refused_like_any_other(
    name: str, under: Under, capfd: pytest.CaptureFixture[str]
) -> None:
    authorization = ATTEMPTS[name](under.listener.url)
    before = len(under.used.asked)
    answer = ask(under.client, authorization)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json == {
        "resourceType": "OperationOutcome",
        "issue": [
            {
                "severity": "error",
                "code": "login",
                "details": {"text": "A registered client's token is required."},
            }
        ],
    }
    logged = json.loads(capfd.readouterr().out)
    assert logged["refused"]
    for part in (authorization or "").replace("Bearer", "").split("."):
        assert len(part) < 8 or part not in json.dumps(logged)
    assert len(under.used.asked) == before, "a forged token must not reach the store"
    assert under.listener.connections == 0, "nothing of a token may be fetched"


def test_the_tokens_they_are_made_from_are_good(under: Under) -> None:
    for authorization in (f"Bearer {NORTH.token()}", f"bearer {SOUTH.token(tenant='ward-1')}"):
        assert ask(under.client, authorization).status_code == 200


def test_a_call_is_refused_with_a_token_for_discovery_and_the_other_way_round(under: Under) -> None:
    path = DISCOVERY.removeprefix(BASE)
    assert under.client.get(path, headers=NORTH.bearer(DISCOVERY)).status_code == 200
    assert under.client.get(path, headers=NORTH.bearer(CALL)).status_code == 401


def test_the_corpus_is_large() -> None:
    assert len(ATTEMPTS) >= 50
