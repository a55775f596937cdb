"""EHRs that call with tokens, their register, and the service that knows them."""

from __future__ import annotations

import json
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from flask.testing import FlaskClient
from jwt.api_jws import PyJWS
from loopback import Loopback, SilentHandler
from msgspec import structs

from cds_service.app import create_app
from cds_service.cdshooks.response import Card, Response, Source
from cds_service.consultation import Consultation, load_services
from cds_service.settings import Settings
from cds_service.trust.keys import Register, public_jwk

BASE = "https://cds.example.org/b12"
DISCOVERY = f"{BASE}/cds-services"
CALL = f"{BASE}/cds-services/small"
FEEDBACK = f"{CALL}/feedback"
ASKED = {
    "hook": "patient-view",
    "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
    "context": {"userId": "Practitioner/1", "patientId": "p1"},
}

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@cache
def a_key(kind: str, number: int = 0) -> PrivateKey:
    """Keys take long to make, so each test run makes one of each."""
    if kind == "EC":
        return ec.generate_private_key(ec.SECP384R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def encoded(value: object) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


class Ehr:
    """A client with a key of its own. What a token says can be changed, added and (None) left out
    before it is signed."""

    def __init__(self, name: str, kind: str = "EC", **registered: Any) -> None:
        self.name = name
        self.issuer = f"https://{name}.example.org"
        self.key = a_key(kind, hash(name))
        self.algorithm = "ES384" if kind == "EC" else "RS384"
        self.jwk = public_jwk(self.key.public_key())
        self.registered = registered

    def claims(self, audience: Any = CALL, **changed: Any) -> dict[str, Any]:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": audience,
            "exp": now + 300,
            "iat": now,
            "jti": f"{self.name}-{time.perf_counter_ns()}",
            **changed,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def header(self, **changed: Any) -> dict[str, Any]:
        header = {"alg": self.algorithm, "typ": "JWT", "kid": self.jwk["kid"], **changed}
        return {name: value for name, value in header.items() if value is not None}

    def token(
        self,
        audience: Any = CALL,
        header: Mapping[str, Any] | None = None,
        key: Any = None,
        **claims: Any,
    ) -> str:
        return signed(
            self.header(**(header or {})), self.claims(audience, **claims), key or self.key
        )

    def bearer(self, audience: Any = CALL, **claims: Any) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token(audience, **claims)}"}


def signed(header: Any, claims: Any, key: Any, algorithm: str = "") -> str:
    """Both as they are, signed with ``algorithm``, else the one the kind of key is for."""
    body = f"{encoded(header)}.{encoded(claims)}"
    if not algorithm:
        algorithm = "RS384" if isinstance(key, rsa.RSAPrivateKey) else "ES384"
    made = PyJWS().get_algorithm_by_name(algorithm)
    return f"{body}.{encoded(made.sign(body.encode(), key))}"


class Used:
    """Remembers used tokens as a store does."""

    def __init__(self) -> None:
        self.tokens: set[tuple[str, str]] = set()
        self.asked: list[tuple[str, str, int]] = []

    def __call__(self, issuer: str, jti: str, expires: int) -> bool:
        self.asked.append((issuer, jti, expires))
        fresh = (issuer, jti) not in self.tokens
        self.tokens.add((issuer, jti))
        return fresh


def register(folder: Path, ehrs: Iterable[Ehr]) -> Path:
    """The clients file of ``ehrs``, with their keys next to it unless they publish them."""
    entries = []
    for ehr in ehrs:
        entry = {"name": ehr.name, "issuer": ehr.issuer, **ehr.registered}
        if "jwks_url" not in entry and "jwks_file" not in entry:
            entry["jwks_file"] = f"{ehr.name}.json"
            (folder / entry["jwks_file"]).write_text(json.dumps({"keys": [ehr.jwk]}))
        lines = (f"{name} = {json.dumps(value)}" for name, value in entry.items())
        entries.append("[[clients]]\n" + "\n".join(lines) + "\n")
    file = folder / "clients.toml"
    file.write_text("\n".join(entries))
    return file


class Calls:
    """Stands in for the consultation and keeps with which FHIR server and how it was called."""

    def __init__(self) -> None:
        self.servers: list[Any] = []
        self.occasions: list[Any] = []

    def __call__(self, service: Any, asked: Any, server: Any, occasion: Any) -> Consultation:
        self.servers.append(server)
        self.occasions.append(occasion)
        return Consultation(Response((Card("u1", "Seen", "info", Source("Test")),)), {})


services = cache(load_services)


def small_service() -> Any:
    return structs.replace(services()[0], id="small")


def service(
    file: Path, used: Used | Any = None, consult: Calls | None = None, **settings: Any
) -> FlaskClient:
    settings = {"public_url": BASE, "clients_file": file, **settings}
    app = create_app(
        Settings(**settings), (small_service(),), consult or Calls(), use_token=used or Used()
    )
    return app.test_client()


@contextmanager
def at_work(client: FlaskClient) -> Iterator[Register]:
    """The register of this service with its thread at work, as in a worker."""
    register: Register = client.application.extensions["register"]
    register.start(10)
    try:
        yield register
    finally:
        register.stop()


def soon(true: Callable[[], bool]) -> bool:
    """Whether it is, within some seconds."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        if true():
            return True
        time.sleep(0.01)
    return False


class Listener(Loopback):
    """A web server on loopback that counts who comes, and answers as instructed."""

    def __init__(self, body: bytes | None = None) -> None:
        self.body = body
        self.status = 200
        self.headers: dict[str, str] = {}
        self.drip_s = 0.0
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.paths: list[str] = []
        self.connections = 0
        self.stopping = threading.Event()

    @property
    def port(self) -> int:
        return int(self.host.rpartition(":")[2])

    @property
    def url(self) -> str:
        return f"http://{self.host}/jwks.json"

    def publish(self, *ehrs: Ehr) -> None:
        self.body = json.dumps({"keys": [ehr.jwk for ehr in ehrs]}).encode()

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self.may_answer.set()
        super().__exit__()

    def handler(self) -> type[BaseHTTPRequestHandler]:
        listener = self

        class Handler(SilentHandler):
            def setup(self) -> None:
                listener.connections += 1
                super().setup()

            def do_GET(self) -> None:
                listener.paths.append(self.path)
                listener.may_answer.wait(30)
                try:
                    self._answer()
                except OSError:
                    self.close_connection = True

            def _answer(self) -> None:
                body = listener.body or b""
                self.send_response(listener.status)
                for name, value in listener.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                if listener.drip_s:
                    self.flush_headers()
                    while not listener.stopping.wait(listener.drip_s):
                        self.wfile.write(b"X: y\r\n")
                    return
                self.end_headers()
                self.wfile.write(body)

        return Handler
