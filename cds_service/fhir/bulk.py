"""Bulk Data: what a FHIR server holds, as files in a folder, asked for again only where it changed.

A job of a server takes minutes, and the same request again is a new job: so its address is kept
in the folder, and asked again after a restart. Files are fetched one by one, and those that are
there are not fetched twice. Every file is held against what the server said of it: its first byte,
the type of each line, its end, its count. A server may name a file NDJSON and send something else.

A group is exported whole every time: of a child who joined it since, what changed would not be
all. Its export brings members who are inactive or have left, and some types are refused for it
and are asked for by a job of their own.

An export after another asks for what changed since the transaction time of the one before. Which
version counts is decided by those who read the folder. What was deleted never arrives.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import msgspec
from msgspec import Struct

from cds_service.errors import StartupError
from cds_service.fhir import wire
from cds_service.fhir.elements import last_two_segments
from cds_service.fhir.gather import UNDECODABLE
from cds_service.trust.addresses import BaseAddress, Refused, normal_base_address
from cds_service.trust.outward import Got, NoAnswer, delete, download, get, post

#: What is asked for: every type that a need may be answered with, in R4's names, and the
#: Medications that orders point to, which Patient and Group exports of some servers refuse.
TYPES = (
    *("Patient", "Observation", "Condition", "MedicationRequest", "MedicationAdministration"),
    *("MedicationStatement", "Medication", "Procedure", "AllergyIntolerance", "ServiceRequest"),
    *("FamilyMemberHistory", "Task"),
)
#: Of these no type is in a patient's compartment, and servers refuse them for a group.
_OF_NO_PATIENT = ("Medication", "Task")
STATE = ".export.json"
#: How long one request may take, a file, and a job; how long is waited where a server does not say.
_REQUEST_S, _FILE_S, _JOB_S, _USUAL_S = 60.0, 6 * 3600.0, 24 * 3600.0, 10.0
_LONGEST_WAIT_S = 600.0
_MOST_ANSWER, _MOST_FILE = 16 << 20, 1 << 40
_LONGEST_LINE = 64 << 20
#: A server that fails so often in a row has failed.
_FAILURES = 3

Sign = Callable[[str], str]
Wait = Callable[[float], None]


class BulkError(StartupError):
    """Why nothing could be exported, and what helps."""


class Output(Struct, frozen=True):
    type: str
    url: str
    count: int | None = None


class Manifest(Struct, frozen=True, rename="camel"):
    """What a finished job says of its files."""

    transaction_time: str
    requires_access_token: bool = False
    output: tuple[Output, ...] = ()
    error: tuple[Output, ...] = ()
    deleted: tuple[Output, ...] = ()


class Export(Struct, frozen=True):
    """One job: where to ask for it, what it asks for, and what came of it so far."""

    folder: str
    path: str = "$export"
    since: str = ""
    job: str = ""
    manifest: Manifest | None = None
    done: bool = False


class State(Struct, frozen=True):
    """What a folder holds of a server."""

    base: str
    group: str = ""
    exports: tuple[Export, ...] = ()


class Members(Struct, frozen=True):
    """Of a group the children on a date; how many are inactive, or members of another time; and
    how many are not named by a reference to a Patient."""

    children: frozenset[str]
    left: int
    unnamed: int


class _Member(Struct):
    entity: wire.Reference
    inactive: bool = False
    period: wire.Period | None = None

    def is_one_on(self, on: date) -> bool:
        """A day, a month or a year in which it began or ended counts whole."""
        period, day = self.period or wire.Period(), on.isoformat()
        start, end = (period.start or "")[:10], (period.end or "")[:10]
        return not self.inactive and start <= day and (not end or end >= day[: len(end)])


class _Group(Struct):
    member: tuple[_Member, ...] = ()


class _Smart(Struct):
    token_endpoint: str


class _Token(Struct):
    access_token: str
    expires_in: float = 300


class _Line(Struct, rename="camel"):
    resource_type: str | None = None


_decode_line = msgspec.json.Decoder(_Line).decode


class BulkServer:
    """A Bulk Data server. ``sign`` makes the assertion for a token endpoint, where the server wants
    to know who asks; no token goes to another host than the server's."""

    def __init__(self, url: str, sign: Sign | None = None, wait: Wait = time.sleep) -> None:
        base = normal_base_address(url)
        if isinstance(base, Refused):
            raise BulkError(f"--fhir: {base.reason}.")
        if sign is not None and not (base.secure or base.loopback):
            raise BulkError("--fhir: the address is not https, and a token would be readable.")
        self._base: BaseAddress = base
        self._sign, self._wait = sign, wait
        self._token, self._until = "", 0.0

    def export(self, folder: Path, types: Sequence[str] = TYPES, group: str = "") -> State:
        """Brings ``folder`` up to date: goes on with what was begun, or begins a new export."""
        state = self._state(folder, group)
        of_group = f"Group/{group}/$export"
        apart = [one for one in types if one in _OF_NO_PATIENT]
        asked = {of_group: [one for one in types if one not in apart], "$export": apart}
        jobs = asked if group else {"$export": types}
        for path in self._left(state, [*jobs]):
            state = self._brought(folder, state, path, jobs[path])
        if group:  # whole, so that what came before has no use
            for one in state.exports[: -len(jobs)]:
                shutil.rmtree(folder / one.folder, ignore_errors=True)
            state = _kept(folder, State(state.base, group, state.exports[-len(jobs) :]))
        return state

    def members(self, group: str, on: date) -> Members:
        """Who is in a group on a date."""
        url = f"{self._base.url}/Group/{group}"
        headers = {"Accept": "application/fhir+json", **self._authorization(url)}
        got = self._asked("the group", lambda: get(url, headers, _ends(_REQUEST_S), _MOST_ANSWER))
        if got.status != 200:
            raise BulkError(f"The group {group} came with status {got.status}.")
        try:
            found = msgspec.json.decode(got.body, type=_Group).member
        except UNDECODABLE:
            raise BulkError(f"The group {group} cannot be read.") from None
        now = [one for one in found if one.is_one_on(on)]
        named = [last_two_segments(one.entity.reference or "") for one in now]
        children = frozenset(identity for kind, identity in named if kind == "Patient")
        if not children:
            raise BulkError(f"The group {group} has no members on {on}.")
        unnamed = sum(kind != "Patient" for kind, _ in named)
        return Members(children, len(found) - len(now), unnamed)

    @staticmethod
    def _left(state: State, paths: Sequence[str]) -> Sequence[str]:
        """The jobs to do: what is left of a round that was begun, or a round from its start."""
        last = state.exports[-1] if state.exports else None
        if last is None:
            return paths
        return paths[paths.index(last.path) + last.done :] or paths

    def _brought(self, folder: Path, state: State, path: str, types: Sequence[str]) -> State:
        """The state with one more export, from wherever it was."""
        last = state.exports[-1] if state.exports else None
        if last is None or last.done:
            before_it = None if state.group or last is None else last.manifest
            since = before_it.transaction_time if before_it else ""
            number = int(last.folder.rpartition("-")[2]) + 1 if last else 1
            last = Export(f"export-{number:04}", path, since, self._begin(path, types, since))
            state = _kept(folder, State(state.base, state.group, (*state.exports, last)))
        before = state.exports[:-1]
        try:
            manifest = last.manifest or self._finished(last.job)
            last = msgspec.structs.replace(last, manifest=manifest)
            _kept(folder, State(state.base, state.group, (*before, last)))
            self._fetch(folder / last.folder, manifest)
        except _Gone:
            shutil.rmtree(folder / last.folder, ignore_errors=True)
            _kept(folder, State(state.base, state.group, before))
            raise BulkError(
                "The job failed, or the server knows it no more: the same command again begins a"
                " new one."
            ) from None
        self._forget(last.job)
        last = msgspec.structs.replace(last, done=True)
        return _kept(folder, State(state.base, state.group, (*before, last)))

    def _state(self, folder: Path, group: str) -> State:
        path = folder / STATE
        if path.exists():
            state = msgspec.json.decode(path.read_bytes(), type=State)
            if state.base != self._base.url:
                raise BulkError(f"{folder} holds exports of {state.base}: give a folder for each.")
            if state.group != group:
                raise BulkError(f"{folder} holds exports of another group, or of all patients.")
            return state
        if folder.exists() and any(folder.iterdir()):
            raise BulkError(f"{folder} is not empty, and holds no exports of this server.")
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return State(self._base.url, group)

    def _begin(self, path: str, types: Sequence[str], since: str) -> str:
        """Where the job that was begun is asked for."""
        asked = {"_type": ",".join(types), **({"_since": since} if since else {})}
        url = f"{self._base.url}/{path}?{urlencode(asked, safe=',:')}"
        accepts = {"Accept": "application/fhir+json", "Prefer": "respond-async"}
        got = self._asked("the export", lambda: get(
            url, {**accepts, **self._authorization(url)}, _ends(_REQUEST_S), _MOST_ANSWER
        ))  # fmt: skip
        where = got.headers.get("content-location", "")
        if got.status != 202 or not where:
            raise BulkError(f"The server did not begin an export (status {got.status}).")
        if not self._is_ours(where):
            raise BulkError("The server names another host for its job: it is not asked there.")
        return where

    def _finished(self, job: str) -> Manifest:
        until = time.monotonic() + _JOB_S
        failures = 0
        while time.monotonic() < until:
            headers = {"Accept": "application/json", **self._authorization(job)}
            try:
                got = get(job, headers, _ends(_REQUEST_S), _MOST_ANSWER)
            except NoAnswer:
                got = Got(503, b"")
            if got.status == 200:
                return self._manifest(got.body)
            if got.status == 404 or got.status == 410:
                raise _Gone
            failures = failures + 1 if got.status >= 500 else 0
            if failures >= _FAILURES or (400 <= got.status < 500 and got.status != 429):
                raise _Gone
            self._wait(_seconds(got.headers.get("retry-after", "")))
        raise BulkError("The job is not finished after a day; the same command asks again.")

    def _manifest(self, body: bytes) -> Manifest:
        try:
            return msgspec.json.decode(body, type=Manifest)
        except UNDECODABLE:
            raise BulkError("What the server says of the finished job cannot be read.") from None

    def _fetch(self, folder: Path, manifest: Manifest) -> None:
        folder.mkdir(exist_ok=True, mode=0o700)
        for number, output in enumerate(manifest.output):
            path = folder / f"{number:04}.{output.type}.ndjson"
            if path.exists():
                continue
            url = output.url
            if manifest.requires_access_token and self._sign and not self._is_ours(url):
                raise BulkError(
                    "A file is on another host and wants a token: it is not sent there."
                )
            unfinished = folder / f".{path.name}.unfinished"
            headers = {"Accept": "application/fhir+ndjson", **self._authorization(url)}

            def fetched(
                url: str = url, headers: Mapping[str, str] = headers, to: Path = unfinished
            ) -> Got:
                with to.open("wb") as file:
                    return download(url, headers, _ends(_FILE_S), _MOST_FILE, file)

            got = self._asked(f"a file of {output.type}", fetched)
            if got.status in (404, 410):
                raise _Gone
            if got.status != 200:
                raise BulkError(f"A file of {output.type} came with status {got.status}.")
            wrong = what_is_wrong(unfinished, output)
            if wrong:
                unfinished.unlink()
                raise BulkError(f"A file of {output.type} is not used: {wrong}.")
            os.replace(unfinished, path)

    def _forget(self, job: str) -> None:
        """Has the server remove the files of a job; one that no longer knows it is fine."""
        try:
            delete(job, self._authorization(job), _ends(_REQUEST_S))
        except NoAnswer:
            return

    # --- who asks ---------------------------------------------------------------------------------

    def _is_ours(self, url: str) -> bool:
        one, base = urlsplit(url), urlsplit(self._base.url)
        return (one.scheme, one.netloc) == (base.scheme, base.netloc)

    def _authorization(self, url: str) -> dict[str, str]:
        if self._sign is None or not self._is_ours(url):
            return {}
        if time.monotonic() >= self._until:
            self._renew(self._sign)
        return {"Authorization": f"Bearer {self._token}"}

    def _renew(self, sign: Sign) -> None:
        known = f"{self._base.url}/.well-known/smart-configuration"
        accepts = {"Accept": "application/json"}
        got = self._asked(
            "the server's smart-configuration",
            lambda: get(known, accepts, _ends(_REQUEST_S), _MOST_ANSWER),
        )
        try:
            endpoint = msgspec.json.decode(got.body, type=_Smart).token_endpoint
        except UNDECODABLE:
            raise BulkError("The server's smart-configuration names no token endpoint.") from None
        address = normal_base_address(endpoint)
        if isinstance(address, Refused) or not (address.secure or address.loopback):
            raise BulkError("The server's token endpoint is not an https address.")
        form = {
            "grant_type": "client_credentials",
            "scope": "system/*.read",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": sign(endpoint),
        }
        headers = {
            "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        got = self._asked(
            "the token endpoint",
            lambda: post(
                endpoint, headers, _ends(_REQUEST_S), _MOST_ANSWER, urlencode(form).encode()
            ),
        )
        try:
            if got.status != 200:
                raise BulkError(f"The token endpoint gave no token (status {got.status}).")
            token = msgspec.json.decode(got.body, type=_Token)
        except UNDECODABLE:
            raise BulkError("The token endpoint's answer cannot be read.") from None
        self._token = token.access_token
        self._until = time.monotonic() + max(token.expires_in - 30, 1)

    def _asked(self, what: str, ask: Callable[[], Got]) -> Got:
        try:
            return ask()
        except NoAnswer as error:
            raise BulkError(f"{what[0].upper()}{what[1:]} did not come: {error.why}.") from None


class _Gone(Exception):
    """The server has no such job any more, or gave it up."""


def _ends(seconds: float) -> float:
    return time.monotonic() + seconds


def _seconds(written: str) -> float:
    """How long to wait by a Retry-After, in seconds or as a date."""
    try:
        seconds = float(written)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(written).timestamp() - time.time()
        except (TypeError, ValueError):
            seconds = _USUAL_S
    return min(max(seconds, 1.0), _LONGEST_WAIT_S)


def _kept(folder: Path, state: State) -> State:
    unfinished = folder / f"{STATE}.unfinished"
    unfinished.write_bytes(msgspec.json.encode(state))
    os.replace(unfinished, folder / STATE)
    return state


def what_is_wrong(path: Path, output: Output) -> str:
    """What of a file is not as its server said; "" when all is."""
    count = 0
    with path.open("rb") as file:
        while line := file.readline(_LONGEST_LINE):
            if not line.strip():
                continue
            count += 1
            if not line.lstrip().startswith(b"{"):
                return f"line {count} does not begin as JSON does"
            try:
                kind = _decode_line(line).resource_type
            except UNDECODABLE:
                return f"line {count} cannot be read, or the file ends early"
            if kind != output.type:
                return f"line {count} is a {kind or 'resource without a type'}"
    if output.count is not None and count != output.count:
        return f"it has {count} resources of {output.count}"
    return ""
