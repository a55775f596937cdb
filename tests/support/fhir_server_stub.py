"""A FHIR server on loopback that speaks real HTTP, well or badly, and remembers what it was asked.

    with FhirStub(resources) as stub:
        stub.misbehave("Observation", code="2132-9", status=403)
        ... stub.url ...
        assert stub.seen[0].headers["Authorization"] == "Bearer token"

``resources`` are FHIR resources as dicts, or Bundles of them. It answers reads ("Patient/1") and
searches by ``patient``, ``subject``, ``code``, ``_id`` and ``_count``; like HAPI it refuses other
parameters unless they begin with "_", and pages over ``<base>?_getpages=``.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterable, Mapping
from http.server import BaseHTTPRequestHandler
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from loopback import Loopback, SilentHandler

Json = dict[str, Any]

#: Longer than any deadline: a server that takes so long is not waited for, or the test is slow
#: and fails because the answer is there.
HANGS_S = 60.0


class Seen(NamedTuple):
    """One request as it arrived; ``target`` is path and query below the base, still encoded."""

    target: str
    parameters: Mapping[str, str]
    headers: Mapping[str, str]
    at: float


class Fault(NamedTuple):
    """How a request that fits is answered instead; what is left out stays as it should be."""

    where: str
    code: str
    status: int | None
    body: bytes | None
    headers: Mapping[str, str]
    delay_s: float
    drip_s: float
    hang_up: bool
    times: list[int]


class FhirStub(Loopback):
    def __init__(
        self,
        resources: Iterable[Json] = (),
        *,
        token: str | None = None,
        page_size: int = 1000,
        ignores_searches: bool = False,
        delay_s: float = 0.0,
    ) -> None:
        """``token``: ask for it (401). ``ignores_searches``: answer with all of the type."""
        self.resources = list(_flat(resources))
        self.token = token
        self.page_size = page_size
        self.ignores_searches = ignores_searches
        self.delay_s = delay_s
        #: What "next" links begin with, if not this server's own base.
        self.next_base: str | None = None
        #: Entries put before the results of every search, say an OperationOutcome.
        self.extra_entries: list[Json] = []
        self.seen: list[Seen] = []
        self.connections = 0
        #: The targets whose answers went out whole.
        self.answered: list[str] = []
        #: How many requests wait for each other before the first is answered; see `meet`.
        self.party = 1
        self._here = 0
        self._all_here = threading.Event()
        self._faults: list[Fault] = []
        self._pages: dict[str, list[Json]] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()

    def misbehave(
        self,
        where: str = "",
        *,
        code: str = "",
        status: int | None = None,
        body: bytes | str | Json | None = None,
        headers: Mapping[str, str] | None = None,
        delay_s: float = 0.0,
        drip_s: float = 0.0,
        hang_up: bool = False,
        times: int = 1_000_000,
    ) -> None:
        """Answer requests whose target begins with ``where`` and asks for ``code`` otherwise.

        ``delay_s`` waits before the answer, ``drip_s`` after every byte of it; ``hang_up``
        closes the connection without one; ``times`` is how often before it behaves again.
        """
        if isinstance(body, dict):
            body = json.dumps(body)
        if isinstance(body, str):
            body = body.encode()
        self._faults.append(
            Fault(where, code, status, body, headers or {}, delay_s, drip_s, hang_up, [times])
        )

    def asked(self, where: str) -> list[Seen]:
        """The requests whose target begins with ``where``."""
        return [seen for seen in self.seen if seen.target.startswith(where)]

    @property
    def kinds(self) -> set[str]:
        """The resource types it was asked for."""
        return {re.split("[/?]", seen.target)[0] for seen in self.seen}

    @property
    def origin(self) -> str:
        return f"http://{self.host}"

    @property
    def url(self) -> str:
        return f"{self.origin}/fhir"

    def __exit__(self, *_: object) -> None:
        self._stopping.set()  # ends the waiting of slow answers
        super().__exit__()

    def handler(self) -> type[BaseHTTPRequestHandler]:
        return _handler_of(self)

    # --- for the handler ---------------------------------------------------------------------

    def meet(self) -> bool:
        """Wait until ``party`` requests are here at once; false when too few came."""
        if self.party == 1:
            return True
        with self._lock:
            self._here += 1
            if self._here == self.party:
                self._all_here.set()
        return self._all_here.wait(HANGS_S)

    def wait(self, seconds: float) -> bool:
        """Wait; false when the server is to stop meanwhile."""
        return not self._stopping.wait(seconds)

    def note(self, seen: Seen) -> Fault | None:
        with self._lock:
            self.seen.append(seen)
            for fault in self._faults:
                fits = seen.target.startswith(fault.where)
                if fits and fault.code in seen.parameters.get("code", "") and fault.times[0] > 0:
                    fault.times[0] -= 1
                    return fault
        return None

    def answer(self, seen: Seen) -> tuple[int, Json]:
        if self.token is not None and seen.headers.get("Authorization") != f"Bearer {self.token}":
            return 401, outcome("login")
        if "_getpages" in seen.parameters:
            return self._page(seen.parameters["_getpages"], int(seen.parameters["_getpagesoffset"]))
        path = seen.target.partition("?")[0]
        if "/" in path:
            for resource in self.resources:
                if f"{resource['resourceType']}/{resource.get('id')}" == path:
                    return 200, resource
            return 404, outcome("not-found")
        return self._search(path, seen.parameters)

    def _search(self, kind: str, parameters: Mapping[str, str]) -> tuple[int, Json]:
        for name in parameters:
            if name not in ("patient", "subject", "code") and not name.startswith("_"):
                return 400, outcome("processing")
        found = [
            resource
            for resource in self.resources
            if resource["resourceType"] == kind
            and (self.ignores_searches or _fits(resource, parameters))
        ]
        entries = [*self.extra_entries]
        entries += [
            {"fullUrl": f"{self.url}/{kind}/{each.get('id')}", "resource": each} for each in found
        ]
        with self._lock:
            search = f"{len(self._pages)}-{kind}"
            self._pages[search] = entries
        status, page = self._page(search, 0)
        return status, {**page, "total": len(found)}

    def _page(self, search: str, offset: int) -> tuple[int, Json]:
        if search not in self._pages:
            return 410, outcome("not-found")
        entries = self._pages[search]
        page: Json = {
            "resourceType": "Bundle",
            "type": "searchset",
            "entry": entries[offset : offset + self.page_size],
        }
        if offset + self.page_size < len(entries):
            following = f"_getpages={search}&_getpagesoffset={offset + self.page_size}"
            base = self.url if self.next_base is None else self.next_base
            page["link"] = [{"relation": "next", "url": f"{base}?{following}"}]
        return 200, page


def searchset(resources: Iterable[Json], next_page: str = "") -> Json:
    """The Bundle that answers a search, as a client would pass it on; it may have a next page."""
    entries = [{"resource": each, "search": {"mode": "match"}} for each in resources]
    found: Json = {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": len(entries),
        "entry": entries,
    }
    if next_page:
        found["link"] = [{"relation": "next", "url": next_page}]
    return found


def outcome(code: str, severity: str = "error") -> Json:
    return {"resourceType": "OperationOutcome", "issue": [{"severity": severity, "code": code}]}


def _flat(resources: Iterable[Json]) -> Iterable[Json]:
    for resource in resources:
        if resource["resourceType"] == "Bundle":
            yield from _flat(entry["resource"] for entry in resource.get("entry", ()))
        else:
            yield resource


def _fits(resource: Json, parameters: Mapping[str, str]) -> bool:
    whose = parameters.get("patient") or parameters.get("subject")
    if whose is not None:
        reference = resource.get("subject") or resource.get("patient") or {}
        if reference.get("reference", "").split("/")[-1] != whose.split("/")[-1]:
            return False
    if "_id" in parameters and resource.get("id") not in parameters["_id"].split(","):
        return False
    if "code" in parameters:
        has = {
            name
            for coding in resource.get("code", {}).get("coding", ())
            for name in (coding.get("code"), f"{coding.get('system', '')}|{coding.get('code')}")
        }
        return not has.isdisjoint(parameters["code"].split(","))
    return True


def _handler_of(stub: FhirStub) -> type[BaseHTTPRequestHandler]:
    class Handler(SilentHandler):
        protocol_version = "HTTP/1.1"
        # Without it each answer on a kept connection waits 40 ms for an acknowledgement.
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            stub.connections += 1

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            seen = Seen(
                self.path.removeprefix("/fhir").removeprefix("/"),
                {name: values[0] for name, values in parse_qs(parts.query).items()},
                dict(self.headers.items()),
                time.monotonic(),
            )
            fault = stub.note(seen)
            try:
                self._answer(seen, fault)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def _answer(self, seen: Seen, fault: Fault | None) -> None:
            if not stub.meet():
                self.close_connection = True
                return
            delay_s = stub.delay_s + (fault.delay_s if fault else 0)
            if delay_s and not stub.wait(delay_s):
                self.close_connection = True
                return
            if fault and fault.hang_up:
                self.close_connection = True
                return
            status, answer = stub.answer(seen)
            body = json.dumps(answer).encode()
            headers = {"Content-Type": "application/fhir+json", "Content-Length": str(len(body))}
            if fault:
                body = body if fault.body is None else fault.body
                headers |= {"Content-Length": str(len(body)), **fault.headers}
                status = fault.status or status
            drips = fault is not None and fault.drip_s > 0
            if not drips:
                stub.answered.append(seen.target)  # first: who asked may look at the head alone
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            if fault and drips:
                for byte in body:
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    if not stub.wait(fault.drip_s):
                        self.close_connection = True
                        return
                stub.answered.append(seen.target)
            else:
                self.wfile.write(body)
            if int(headers["Content-Length"]) != len(body):
                self.close_connection = True

    return Handler
