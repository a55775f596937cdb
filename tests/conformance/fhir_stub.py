"""A small FHIR server on loopback that remembers what it was asked."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

Json = dict[str, Any]


class Asked(NamedTuple):
    """One request: when (monotonic seconds), for which type, and with which headers."""

    when: float
    kind: str
    path: str
    headers: dict[str, str]


class FhirStub:
    """Answers reads and searches from ``resources``; ``replies`` has other answers by type.

    ``delay_s`` passes before each answer; ``token``, if set, has to come with each request.
    """

    def __init__(self, resources: Sequence[Json]) -> None:
        self.resources = resources
        self.asked: list[Asked] = []
        self.replies: dict[str, tuple[int, dict[str, str], Json]] = {}
        self.delay_s = 0.0
        self.token = ""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.base = f"http://127.0.0.1:{self._server.server_address[1]}/fhir"

    @property
    def kinds(self) -> set[str]:
        return {one.kind for one in self.asked}

    def __enter__(self) -> FhirStub:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def reply(self, path: str, authorization: str) -> tuple[int, dict[str, str], Json]:
        parts = urlsplit(path)
        kind, _, wanted = parts.path.removeprefix("/fhir/").partition("/")
        if self.token and authorization != f"Bearer {self.token}":
            return 401, {}, {"resourceType": "OperationOutcome", "issue": []}
        if kind in self.replies:
            return self.replies[kind]
        of_kind = [one for one in self.resources if one["resourceType"] == kind]
        if wanted:
            found = [one for one in of_kind if one["id"] == wanted]
            if not found:
                return 404, {}, {"resourceType": "OperationOutcome", "issue": []}
            return 200, {}, found[0]
        asked = parse_qs(parts.query)
        if "code" in asked:
            codes = set(asked["code"][0].split(","))
            of_kind = [one for one in of_kind if codes & _tokens(one)]
        return 200, {}, bundle(of_kind)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                kind = urlsplit(self.path).path.removeprefix("/fhir/").partition("/")[0]
                headers = {name.lower(): value for name, value in self.headers.items()}
                stub.asked.append(Asked(time.monotonic(), kind, self.path, headers))
                time.sleep(stub.delay_s)
                status, more, body = stub.reply(self.path, headers.get("authorization", ""))
                written = json.dumps(body).encode()
                try:
                    self.send_response(status)
                    sent = {"Content-Type": "application/fhir+json", **more}
                    for name, value in {**sent, "Content-Length": str(len(written))}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(written)
                except OSError:
                    return  # the service did not wait

            def log_message(self, *_: Any) -> None:
                return

        return Handler


def bundle(resources: Sequence[Json], next_page: str = "") -> Json:
    made: Json = {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": len(resources),
        "entry": [{"resource": one, "search": {"mode": "match"}} for one in resources],
    }
    if next_page:
        made["link"] = [{"relation": "next", "url": next_page}]
    return made


def _tokens(resource: Json) -> set[str]:
    codings = resource.get("code", {}).get("coding", [])
    return {f"{one.get('system')}|{one.get('code')}" for one in codings}
