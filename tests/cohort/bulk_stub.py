"""A Bulk Data server on loopback, well behaved or not, and the token endpoint of its client."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import jwt
from loopback import Loopback, SilentHandler

Json = dict[str, Any]


class Seen(NamedTuple):
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


class BulkStub(Loopback):
    """``files`` are the contents of its files by type. A job is done when it was asked for
    ``waits`` times; ``statuses`` are answers that come first, in this order. With a ``client_key``
    only who has a token of it is answered. Its group ``clinic`` has ``members``."""

    def __init__(
        self,
        files: Sequence[tuple[str, bytes]],
        *,
        waits: int = 1,
        statuses: Sequence[int] = (),
        client_key: Any = None,
        counts: bool = True,
        file_host: str = "",
        job_host: str = "",
        members: Sequence[Json] = (),
    ) -> None:
        self.files, self.waits, self.statuses = [*files], waits, [*statuses]
        self.client_key, self.counts = client_key, counts
        self.file_host, self.job_host = file_host, job_host
        self.members = members
        self.seen: list[Seen] = []
        self.jobs = 0
        self.late_jobs: set[int] = set()
        self.tokens: list[str] = []
        self.broken_files: list[int] = []

    @property
    def url(self) -> str:
        return f"http://{self.host}/fhir"

    def handler(self) -> type[BaseHTTPRequestHandler]:
        stub = self

        class Handler(SilentHandler):
            def do_GET(self) -> None:
                self._answer()

            do_DELETE = do_POST = do_GET

            def _answer(self) -> None:
                parts = urlsplit(self.path)
                query = {name: one[0] for name, one in parse_qs(parts.query).items()}
                length = int(self.headers.get("Content-Length") or 0)
                form = parse_qs(self.rfile.read(length).decode())
                stub.seen.append(Seen(self.command, parts.path, query, dict(self.headers)))
                status, body, headers = stub.answer(stub.seen[-1], form)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        return Handler

    def answer(self, seen: Seen, form: Mapping[str, Sequence[str]]) -> tuple[int, bytes, Json]:
        if seen.path.endswith("/.well-known/smart-configuration"):
            return 200, json.dumps({"token_endpoint": f"http://{self.host}/token"}).encode(), {}
        if seen.path == "/token":
            return self._token(form)
        if self.client_key is not None:
            given = seen.headers.get("Authorization", "").removeprefix("Bearer ")
            if given not in self.tokens:
                return 401, b"{}", {}
        if seen.path.endswith("/$export"):
            self.jobs += 1
            where = f"http://{self.job_host or self.host}/job/{self.jobs}"
            return 202, b"", {"Content-Location": where}
        if seen.method == "DELETE":
            return 404, b"", {}
        if seen.path.startswith("/job/"):
            return self._job()
        if seen.path == "/fhir/Group/clinic":
            return 200, json.dumps({"resourceType": "Group", "member": self.members}).encode(), {}
        if not seen.path.startswith("/file/"):
            return 404, b"{}", {}
        return self._file(int(seen.path.rpartition("/")[2]))

    def _token(self, form: Mapping[str, Sequence[str]]) -> tuple[int, bytes, Json]:
        try:
            claims = jwt.decode(
                form["client_assertion"][0],
                self.client_key,
                algorithms=["ES384", "RS384"],
                audience=f"http://{self.host}/token",
            )
        except jwt.InvalidTokenError:
            return 401, b'{"error": "invalid_client"}', {}
        assert claims["iss"] == claims["sub"]
        assert claims["exp"] - claims["iat"] <= 300
        assert form["grant_type"] == ["client_credentials"]
        assert form["scope"] == ["system/*.read"]
        self.tokens.append(f"token {len(self.tokens)}")
        return 200, json.dumps({"access_token": self.tokens[-1], "expires_in": 300}).encode(), {}

    def _job(self) -> tuple[int, bytes, Json]:
        if self.statuses:
            return self.statuses.pop(0), b"", {"Retry-After": "120"}
        if self.waits or self.jobs in self.late_jobs:
            self.waits = max(self.waits - 1, 0)
            return 202, b"", {"Retry-After": "120", "X-Progress": "some"}
        output = [
            {
                "type": kind,
                "url": f"http://{self.file_host or self.host}/file/{number}",
                **({"count": content.count(b"\n")} if self.counts else {}),
            }
            for number, (kind, content) in enumerate(self.files)
        ]
        told = {
            "transactionTime": f"2026-06-0{self.jobs}T00:00:00Z",
            "request": self.url,
            "requiresAccessToken": self.client_key is not None,
            "output": output,
            "error": [],
        }
        return 200, json.dumps(told).encode(), {}

    def _file(self, number: int) -> tuple[int, bytes, Json]:
        if number in self.broken_files:
            self.broken_files.remove(number)
            return 503, b"", {}
        return 200, self.files[number][1], {"Content-Type": "application/fhir+ndjson"}
