"""A client's keys: fetched from the register's address only, kept, changed, and never trusted
beyond that."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from ehr import ASKED, Ehr, Listener, a_key, at_work, register, service, soon
from flask.testing import FlaskClient
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from cds_service.errors import ClientsError
from cds_service.trust.callers import Rejected
from cds_service.trust.keys import (
    FRESH_S,
    KEPT_S,
    LARGEST_SET,
    MOST_KEYS,
    PAUSE_S,
    BadKeySet,
    KeySet,
    Register,
    from_file,
    from_url,
    make_key,
    make_token,
    public_jwk,
    read_key,
)

NORTH = Ehr("north")
NEXT = Ehr("next")  # the same client with its next key
RSA = Ehr("rsa", "RSA")


class Published:
    """A key set that a test changes, read at a time that it moves."""

    def __init__(self, *ehrs: Ehr) -> None:
        self.now = 1000.0
        self.reads = 0
        self.fails = False
        self.publish(*ehrs)
        self.keys = KeySet(self._read, lambda: self.now, lambda job: job())
        self.keys.load()

    def publish(self, *ehrs: Ehr) -> None:
        self.raw = json.dumps({"keys": [ehr.jwk for ehr in ehrs]}).encode()

    def _read(self) -> bytes:
        self.reads += 1
        if self.fails:
            raise BadKeySet("it is away")
        return self.raw

    def takes(self, ehr: Ehr) -> bool:
        try:
            self.keys.check(ehr.token(), ehr.jwk["kid"], ehr.algorithm)
        except Rejected:
            return False
        return True


def test_keys_are_kept_until_they_are_old() -> None:
    there = Published(NORTH)
    assert all(there.takes(NORTH) for _ in range(5))
    there.now += FRESH_S - 1
    there.keys.keep_fresh()
    assert there.reads == 1
    there.now += 1
    there.keys.keep_fresh()
    assert there.reads == 2


def test_a_new_key_is_refused_once_and_taken_then() -> None:
    there = Published(NORTH)
    there.now += PAUSE_S
    there.publish(NORTH, NEXT)
    assert [there.takes(NEXT), there.takes(NEXT), there.takes(NORTH)] == [False, True, True]
    assert there.reads == 2


def test_a_key_taken_back_is_refused_when_the_keys_are_old() -> None:
    there = Published(NORTH)
    there.publish(NEXT)
    there.now += FRESH_S - 1
    there.keys.keep_fresh()
    assert there.takes(NORTH)
    there.now += 1
    there.keys.keep_fresh()
    assert not there.takes(NORTH)
    assert there.takes(NEXT)


def test_a_key_taken_back_is_refused_at_once_where_the_operator_says_so() -> None:
    there = Published(NORTH)
    there.publish(NEXT)
    there.keys.refresh()
    assert there.takes(NORTH), "read a moment ago"
    there.keys.refresh(at_once=True)
    assert not there.takes(NORTH)


def test_unknown_keys_have_nothing_fetched_often() -> None:
    there = Published(NORTH)
    for _ in range(20):
        assert not there.takes(NEXT)
    assert there.reads == 1
    there.now += PAUSE_S - 1
    assert not there.takes(NEXT)
    assert there.reads == 1
    there.now += 1
    assert not there.takes(NEXT)
    assert there.reads == 2


def test_an_address_that_is_away_is_not_asked_often() -> None:
    there = Published(NORTH)
    there.fails = True
    there.now += KEPT_S
    assert not any(there.takes(NORTH) for _ in range(20))
    assert there.reads == 2
    assert there.keys.problem == "it is away"
    there.fails = False
    there.now += PAUSE_S
    assert [there.takes(NORTH), there.takes(NORTH)] == [False, True]
    assert there.keys.problem == ""


def test_keys_outlive_a_failure_of_their_address_but_not_for_ever() -> None:
    there = Published(NORTH)
    there.fails = True
    there.now += KEPT_S - 1
    assert there.takes(NORTH)
    there.now += 1
    assert not there.takes(NORTH)


def test_a_bad_set_does_not_replace_a_good_one() -> None:
    there = Published(NORTH)
    there.raw = b"{}"
    there.now += FRESH_S
    assert there.takes(NORTH)
    assert there.takes(NORTH)
    assert there.reads == 2


def test_nobody_waits_while_keys_are_read() -> None:
    """Not for old keys, not for one that no one knows, and one reading at a time."""
    there = Published(NORTH)
    jobs: list[Callable[[], None]] = []
    there.keys._begin = jobs.append
    there.now += FRESH_S
    assert there.takes(NORTH)
    there.publish(NORTH, NEXT)
    there.now += 10 * PAUSE_S
    assert [there.takes(NEXT) for _ in range(20)] == [False] * 20
    assert len(jobs) == 1
    jobs.pop()()
    assert there.takes(NEXT)


def test_without_a_thread_the_next_call_tries_again() -> None:
    there = Published(NORTH)

    def none_left(_: Callable[[], None]) -> None:
        raise RuntimeError("can't start new thread")

    begin, there.keys._begin = there.keys._begin, none_left
    there.now += PAUSE_S
    assert not there.takes(NEXT)
    there.keys._begin = begin
    there.now += PAUSE_S
    there.publish(NEXT)
    assert [there.takes(NEXT), there.takes(NEXT)] == [False, True]


# --- what a set may hold -----------------------------------------------------------------------


def weak_rsa() -> dict[str, Any]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505
    return dict(public_jwk(key.public_key()))


def other_curve() -> dict[str, Any]:
    jwk = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()).public_key(), as_dict=True)
    return {**jwk, "kid": "other"}


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "not a JWK set"),
        (b"<html>", "not a JWK set"),
        (b"[]", "not a JWK set"),
        (b"{}", "not a JWK set"),
        (b'{"keys": {}}', "not a JWK set"),
        (b'{"keys": ["a"]}', "not a JWK set"),
        (b"[" * 5000, "not a JWK set"),
        (b"\xff\xfe", "not a JWK set"),
        (b'{"keys": []}', "no key"),
        ({"keys": [{"kty": "oct", "kid": "a", "k": "c2VjcmV0"}]}, "no key"),
        ({"keys": [{**NORTH.jwk, "kid": None}]}, "no key"),
        ({"keys": [{**NORTH.jwk, "use": "enc"}]}, "no key"),
        ({"keys": [{**NORTH.jwk, "alg": "ES512"}]}, "no key"),
        ({"keys": [{**NORTH.jwk, "x": "AA"}]}, "no key"),
        ({"keys": [{**NORTH.jwk, "y": NORTH.jwk["x"]}]}, "no key"),
        ({"keys": [{**NORTH.jwk, "crv": "P-256"}]}, "no key"),
        ({"keys": [{**RSA.jwk, "n": "!!"}]}, "no key"),
        ({"keys": [{**RSA.jwk, "e": 3}]}, "no key"),
        ({"keys": [{**NORTH.jwk, "d": "AA"}]}, "private key"),
        ({"keys": [NORTH.jwk, {**NEXT.jwk, "kid": NORTH.jwk["kid"]}]}, "same kid"),
        ({"keys": [NORTH.jwk] * (MOST_KEYS + 1)}, "more than 100"),
    ],
)
def test_a_set_that_cannot_be_trusted_is_refused(raw: Any, said: str) -> None:
    sent = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
    with pytest.raises(BadKeySet, match=said):
        KeySet(lambda: sent).load()


@pytest.mark.parametrize("jwk", [weak_rsa(), other_curve()])
def test_a_key_that_is_weak_or_of_another_curve_is_none(jwk: dict[str, Any]) -> None:
    with pytest.raises(BadKeySet, match="no key"):
        KeySet(lambda: json.dumps({"keys": [jwk]}).encode()).load()


def test_keys_that_are_not_for_us_do_no_harm() -> None:
    others = [{"kty": "oct", "k": "AA"}, {"kty": "OKP"}, other_curve(), {}]
    bare = {name: NORTH.jwk[name] for name in ("kty", "crv", "x", "y", "kid")}
    raw = json.dumps({"keys": [*others, bare, RSA.jwk], "extra": 1}).encode()
    keys = KeySet(lambda: raw)
    assert keys.load() == 2
    for ehr in (NORTH, RSA):
        keys.check(ehr.token(), ehr.jwk["kid"], ehr.algorithm)


def test_a_set_of_as_many_keys_as_allowed_is_read() -> None:
    many = [{**NORTH.jwk, "kid": str(number)} for number in range(MOST_KEYS)]
    assert KeySet(lambda: json.dumps({"keys": many}).encode()).load() == MOST_KEYS


# --- fetching ----------------------------------------------------------------------------------


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as there:
        there.publish(NORTH)
        yield there


def test_keys_are_fetched_from_their_address(listener: Listener) -> None:
    keys = from_url(listener.url)
    assert keys.load() == 1
    keys.check(NORTH.token(), NORTH.jwk["kid"], "ES384")
    assert listener.paths == ["/jwks.json"]


@pytest.mark.parametrize("status", [204, 301, 302, 307, 401, 404, 500])
def test_another_answer_than_200_is_none_and_no_redirect_is_followed(
    status: int, listener: Listener
) -> None:
    with Listener() as elsewhere:
        elsewhere.publish(NORTH)
        listener.status = status
        listener.headers = {"Location": elsewhere.url}
        with pytest.raises(BadKeySet, match=str(status)):
            from_url(listener.url).load()
        assert elsewhere.connections == 0


@pytest.mark.parametrize(("size", "good"), [(-1, True), (0, True), (1, False)])
def test_a_set_has_a_largest_size(size: int, good: bool, listener: Listener) -> None:
    assert listener.body
    listener.body += b" " * (LARGEST_SET + size - len(listener.body))
    keys = from_url(listener.url)
    if good:
        assert keys.load() == 1
    else:
        with pytest.raises(BadKeySet, match="too large"):
            keys.load()


def test_an_address_that_drips_its_headers_is_left(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cds_service.trust.keys.FETCH_S", 0.3)
    listener.drip_s = 0.05  # without end
    with pytest.raises(BadKeySet, match="late"):
        from_url(listener.url).load()


def test_a_proxy_of_the_environment_is_not_used(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Listener() as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        assert from_url(listener.url).load() == 1
        assert proxy.connections == 0


def post(client: FlaskClient, ehr: Ehr, **header: str) -> int:
    said = {"Authorization": f"Bearer {ehr.token(header=header)}"}
    return client.post("/cds-services/small", json=ASKED, headers=said).status_code


def test_a_worker_fetches_keys_before_it_is_called(tmp_path: Path, listener: Listener) -> None:
    ehr = Ehr("north", jwks_url=listener.url)
    client = service(register(tmp_path, [ehr]))
    assert listener.connections == 0
    with at_work(client):
        assert [post(client, ehr) for _ in range(3)] == [200] * 3
        assert post(client, ehr, jku=listener.url) == 200
    assert listener.paths == ["/jwks.json"]


def test_no_call_waits_for_an_address_that_does_not_answer(
    tmp_path: Path, listener: Listener
) -> None:
    """While it is asked, known keys are good, invented ones are refused, and /readyz answers."""
    ehr = Ehr("north", jwks_url=listener.url)
    other = Ehr("other")
    client = service(register(tmp_path, [ehr, other]))
    with at_work(client) as registered:
        listener.may_answer.clear()
        registered.reload_soon()
        assert soon(lambda: len(listener.paths) == 2)
        assert [post(client, ehr, kid=f"invented-{one}") for one in range(20)] == [401] * 20
        assert [post(client, ehr), post(client, other)] == [200, 200]
        assert len(listener.paths) == 2, "nor is it asked again for each of them"
        assert client.get("/readyz").status_code == 200
        listener.may_answer.set()


def test_keys_that_cannot_be_read_are_said(tmp_path: Path, listener: Listener) -> None:
    ehr = Ehr("north", jwks_url=listener.url)
    client = service(register(tmp_path, [ehr]))
    listener.status = 500
    with at_work(client) as registered:
        assert soon(lambda: registered.failing == 1)
        ready = client.get("/readyz").json
        assert ready["status"] == "degraded"
        assert ready["clients"] == {"registered": 1, "withoutKeys": 1}
        assert "cds_clients_without_keys 1.0" in client.get("/metrics").text
        listener.status = 200
        registered.reload_soon()
        assert soon(lambda: registered.failing == 0)
        assert client.get("/readyz").json["status"] == "ok"
        assert "cds_clients_without_keys 0.0" in client.get("/metrics").text
        assert post(client, ehr) == 200


def test_the_log_says_whose_keys_cannot_be_read(
    tmp_path: Path, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cds_service.trust.keys._LOOK_S", 0.1)
    said: list[dict[str, Any]] = []
    file = register(tmp_path, [Ehr("north", jwks_url=listener.url)])
    registered = Register(file, say=said.append)
    listener.status = 500
    registered.start(10)
    wanted = {"level": "error", "client": "north", "keys": "their address answered 500"}
    assert soon(lambda: wanted in said)
    listener.status = 200
    registered.reload_soon()
    again = {"level": "info", "client": "north", "keys": "read again"}
    assert soon(lambda: again in said)
    registered.stop()


# --- the register, read again --------------------------------------------------------------------


def test_the_register_is_read_again_all_or_nothing(tmp_path: Path) -> None:
    north, south = Ehr("north"), Ehr("south")
    client = service(register(tmp_path, [north]))
    with at_work(client) as registered:
        assert [post(client, north), post(client, south)] == [200, 401]
        file = register(tmp_path, [north, south])
        assert post(client, south) == 401, "only when the operator says so"
        registered.reload_soon()
        assert soon(lambda: post(client, south) == 200)
        assert post(client, north) == 200
        file.write_text("[[clients]]")
        with pytest.raises(ClientsError, match="client 1"):
            registered.reload()
        assert [post(client, north), post(client, south)] == [200, 200]


def test_a_register_that_is_wrong_is_said_and_the_right_one_read_later(tmp_path: Path) -> None:
    said: list[dict[str, Any]] = []
    north, south = Ehr("north"), Ehr("south")
    file = register(tmp_path, [north])
    registered = Register(file, say=said.append)
    registered.start()
    file.write_text("[[clients]]")
    registered.reload_soon()
    assert soon(lambda: [one["register"] for one in said] == ["not reloaded"])
    assert "client 1" in said[0]["problem"]
    register(tmp_path, [north, south])
    registered.reload_soon()
    assert soon(lambda: [one["register"] for one in said] == ["not reloaded", "reloaded"])
    assert said[1]["clients"] == 2
    registered.stop()


def test_a_suspended_client_is_refused_at_once_and_no_other(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    north, south = Ehr("north"), Ehr("south")
    client = service(register(tmp_path, [north, south]))
    with at_work(client) as registered:
        assert post(client, north) == 200
        north.registered["suspended"] = True
        register(tmp_path, [north, south])
        registered.reload_soon()
        assert soon(lambda: post(client, north) == 401)
        assert post(client, south) == 200
        assert "the client is suspended" in capfd.readouterr().out
        del north.registered["suspended"]
        register(tmp_path, [north, south])
        registered.reload_soon()
        assert soon(lambda: post(client, north) == 200)


def test_a_key_replaced_in_its_file_is_refused_when_the_register_is_read_again(
    tmp_path: Path,
) -> None:
    north = Ehr("north")
    client = service(register(tmp_path, [north]))
    with at_work(client) as registered:
        assert post(client, north) == 200
        (tmp_path / "north.json").write_text(json.dumps({"keys": [NEXT.jwk]}))
        registered.reload_soon()
        assert soon(lambda: post(client, north) == 401)


def test_calls_made_still_count_when_the_register_is_read_again(tmp_path: Path) -> None:
    north = Ehr("north")
    client = service(register(tmp_path, [north]), calls_per_minute=1)
    assert [post(client, north), post(client, north)] == [200, 429]
    client.application.extensions["register"].reload()
    assert post(client, north) == 429


@pytest.mark.parametrize("what", ["north.json", "."])
def test_keys_that_every_user_may_change_are_refused(what: str, tmp_path: Path) -> None:
    folder = tmp_path / "clients"
    folder.mkdir()
    file = register(folder, [NORTH])
    (folder / what).chmod(0o777)
    with pytest.raises(ClientsError, match="every user of this machine can write to it"):
        service(file)
    (folder / what).chmod(0o1777 if what == "." else 0o664)
    assert service(file), "in a folder with the sticky bit only its owner replaces a file"


def test_keys_that_every_user_may_change_later_are_not_read(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"keys": [NORTH.jwk]}))
    keys = from_file(file)
    assert keys.load() == 1
    link = tmp_path / "elsewhere" / "keys.json"
    link.parent.mkdir()
    link.symlink_to(file)
    link.parent.chmod(0o777)
    for path in (file, link):
        file.chmod(0o666 if path == file else 0o644)
        with pytest.raises(BadKeySet, match="every user of this machine"):
            from_file(path).load()


def test_keys_from_a_file_may_come_with_an_address_that_is_only_compared(
    tmp_path: Path, listener: Listener
) -> None:
    (tmp_path / "here.json").write_text(json.dumps({"keys": [NORTH.jwk]}))
    ehr = Ehr("north", jwks_url=listener.url, jwks_file="here.json")
    client = service(register(tmp_path, [ehr]))
    said = {"Authorization": f"Bearer {ehr.token(header={'jku': listener.url})}"}
    assert client.post("/cds-services/small", json=ASKED, headers=said).status_code == 200
    assert listener.connections == 0


def test_a_key_file_is_read_again_when_a_key_is_new(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"keys": [NORTH.jwk]}))
    keys = from_file(file)
    keys.load()
    file.write_text(json.dumps({"keys": [NEXT.jwk]}))
    keys._tried_at -= PAUSE_S
    with pytest.raises(Rejected):
        keys.check(NEXT.token(), NEXT.jwk["kid"], "ES384")
    assert keys.tried.wait(10)
    keys.check(NEXT.token(), NEXT.jwk["kid"], "ES384")


# --- making them -------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["ES384", "RS384"])
def test_a_made_key_makes_tokens_that_its_public_half_verifies(algorithm: str) -> None:
    key = read_key(make_key(algorithm))
    jwk = public_jwk(key.public_key())
    assert jwk["alg"] == algorithm
    assert "d" not in jwk
    keys = KeySet(lambda: json.dumps({"keys": [jwk]}).encode())
    keys.load()
    token = make_token(key, "https://a.example", "https://b.example", 1000, 300, jku="u")
    keys.check(token, jwk["kid"], algorithm)
    with pytest.raises(Rejected):
        keys.check(token[:-4] + "AAAA", jwk["kid"], algorithm)


def test_the_kid_is_the_thumbprint_of_the_standard() -> None:
    """The example of RFC 7638 is a key of RSA."""
    n = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECP"
        "ebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY"
        "368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0f"
        "M4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )
    public = RSAAlgorithm.from_jwk({"kty": "RSA", "n": n, "e": "AQAB"})

    assert isinstance(public, rsa.RSAPublicKey)
    assert public_jwk(public)["kid"] == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_a_key_of_another_kind_signs_nothing() -> None:
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    with pytest.raises(ValueError, match="P-384"):
        read_key(pem)
    assert a_key("EC").key_size == 384
