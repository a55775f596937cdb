"""All of what docs/security.md describes: keys, register, service, tokens, several workers."""

from __future__ import annotations

import http.client
import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ehr import BASE, Ehr, register, soon
from served import ROOT, environment, running

pytestmark = pytest.mark.sampled_file(1)

ISSUER = "https://ehr.north.example.org"
STORY = ROOT / "fhir_samples/b12_under_two/vegan-mother-low-b12-six-months/request.json"
SERVICE = "/cds-services/b12-under-two-patient-view"


def command(*words: str, ok: bool = True, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "cds_service", *words],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment(**variables),
    )
    assert (done.returncode == 0) == ok, done.stderr
    return (done.stdout if ok else done.stderr).strip()


def answer(port: int, method: str, path: str, token: str, body: bytes | None = None) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    connection.request(method, path, body=body, headers=headers)
    status = connection.getresponse().status
    connection.close()
    return status


def test_a_newcomer_makes_a_key_registers_a_client_and_calls(
    tmp_path: Path,
) -> None:
    said = command("key", str(tmp_path / "north"))
    assert 'jwks_file = "north.json"' in said
    secret = tmp_path / "north.pem"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert list(json.loads((tmp_path / "north.json").read_text())) == ["keys"]
    assert "exists already" in command("key", str(tmp_path / "north"), ok=False)
    register_file = tmp_path / "clients.toml"
    register_file.write_text(
        f'[[clients]]\nname = "north"\nissuer = "{ISSUER}"\njwks_file = "north.json"\n'
    )
    variables = {
        "CDS_CLIENTS_FILE": str(register_file),
        "CDS_PUBLIC_URL": BASE,
        "CDS_DATABASE_URL": f"sqlite:///{tmp_path / 'kept.sqlite'}",
    }
    assert f"north: {ISSUER}" in command("check", **variables)

    def token(path: str) -> str:
        where = ("--key", str(secret), "--issuer", ISSUER, "--audience", BASE + path)
        return command("token", *where)

    body = STORY.read_bytes()
    with running("--workers", "2", **variables) as (_, port):
        assert answer(port, "GET", "/cds-services", "") == 401
        assert answer(port, "GET", "/cds-services", token("/cds-services")) == 200
        once = token(SERVICE)
        with ThreadPoolExecutor(12) as many:
            came = many.map(lambda _: answer(port, "POST", SERVICE, once, body), range(12))
            assert Counter(came) == {200: 1, 401: 11}, "good once, on whatever worker"
        assert answer(port, "POST", f"{SERVICE}/feedback", token(SERVICE), b'{"feedback":[]}') < 500


def test_a_signal_suspends_a_client_on_every_worker_also_one_that_starts_later(
    tmp_path: Path,
) -> None:
    north, south = Ehr("north"), Ehr("south")
    variables = {
        "CDS_CLIENTS_FILE": str(register(tmp_path, [north, south])),
        "CDS_PUBLIC_URL": BASE,
        "CDS_DATABASE_URL": f"sqlite:///{tmp_path / 'kept.sqlite'}",
    }
    log = tmp_path / "log"

    def status(port: int, ehr: Ehr) -> int:
        return answer(port, "GET", "/cds-services", ehr.token(f"{BASE}/cds-services"))

    def reloaded() -> list[str]:
        return [line for line in log.read_text().splitlines() if '"register":"reloaded"' in line]

    with running("--workers", "2", log=log, **variables) as (process, port):
        assert soon(lambda: status(port, north) == 200), "the database is open"
        workers = workers_of(process.pid)
        assert len(workers) == 2
        north.registered["suspended"] = True
        register(tmp_path, [north, south])
        process.send_signal(signal.SIGHUP)
        assert soon(lambda: len(reloaded()) == 2)
        assert all('"suspended":["north"]' in line for line in reloaded())
        assert {status(port, north) for _ in range(20)} == {401}
        assert status(port, south) == 200
        assert workers_of(process.pid) == workers, "none was replaced"

        time.sleep(6)  # one that ends sooner after another would end the service
        for worker in workers[:1]:
            os.kill(worker, signal.SIGKILL)
        assert soon(lambda: len(set(workers_of(process.pid)) - set(workers)) == 1)
        assert soon(lambda: status(port, south) == 200)
        assert {status(port, north) for _ in range(20)} == {401}


def workers_of(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return sorted(int(one) for one in children)


def test_the_demo_offers_no_call_that_its_register_would_refuse(tmp_path: Path) -> None:
    command("key", str(tmp_path / "north"))
    register_file = tmp_path / "clients.toml"
    register_file.write_text(
        f'[[clients]]\nname = "north"\nissuer = "{ISSUER}"\njwks_file = "north.json"\n'
    )
    for variables in ({"CDS_CLIENTS_FILE": str(register_file), "CDS_PUBLIC_URL": BASE}, {}):
        with running("--demo", CDS_DATABASE_URL="", **variables) as (process, _):
            process.terminate()
            said, _ = process.communicate(timeout=30)
        registered = bool(variables)
        assert ("every call needs a token" in said) == registered
        assert ("Try one:" in said) != registered


def test_a_token_is_not_made_with_what_is_no_key(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no key")
    words = ("token", "--key", str(wrong), "--issuer", "i", "--audience", "a")
    assert "cds-service key" in command(*words, ok=False)


def test_clients_need_a_database_to_remember_tokens_in(tmp_path: Path) -> None:
    file = str(register(tmp_path, [Ehr("north")]))
    variables = {"CDS_CLIENTS_FILE": file, "CDS_PUBLIC_URL": "https://cds.example.org"}
    said = command("check", ok=False, CDS_DATABASE_URL="none", **variables)
    assert "CDS_DATABASE_URL: it is none" in said
