"""Getting what a guideline needs: what the client sent first, the rest from its FHIR server.

A prefetch value has four states. Data: used. ``null``: the client looked and there is nothing.
An OperationOutcome of severity error or fatal: the client failed, so the query is not repeated.
Absent, or nothing that answers the need: fetched. All fetching shares one deadline; what has
not come by then is unknown, and the answer says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec import Raw, Struct

from cds_service.clinical import Need
from cds_service.errors import TooLarge
from cds_service.fhir.editions import MEDICATION_KINDS, TYPES

if TYPE_CHECKING:
    from cds_service.fhir.server import FhirServer

#: What decoding JSON that others wrote can raise: bad syntax or shape, depth, bad UTF-8.
UNDECODABLE = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)

MAX_PAGES = 10
#: Medications known by reference only; each costs a read of its own.
MAX_MEDICATION_READS = 20
#: Used among the keys of needs; no prefetch key has a blank.
DRAFTED_MEDICATIONS = "medications of drafts"

State = Literal["present", "empty", "failed", "absent"]
Origin = Literal["prefetch", "server"]


class Answer(Struct, frozen=True):
    """What came for one need.

    ``resources`` are as sent, each a JSON value of its own, and ``addresses`` their full URLs
    ("" where none was given). ``complete`` is false when more exists than arrived. ``why`` says,
    in words fit for a card, what is wrong with an answer that failed, is absent or incomplete.
    """

    state: State
    resources: tuple[Raw | bytes, ...] = ()
    addresses: tuple[str, ...] = ()
    complete: bool = True
    why: str = ""
    origin: Origin | Literal[""] = ""

    def each(self) -> Iterator[tuple[Raw | bytes, str]]:
        """Every resource with its full URL."""
        addresses = self.addresses or ("",) * len(self.resources)
        return zip(self.resources, addresses, strict=True)


def prefetch_template(need: Need) -> str:
    """The need as a prefetch template of CDS Hooks.

    Only what every client can resolve: one token, each parameter once, nothing percent-encoded.
    """
    return _query(need, "{{context.patientId}}")


def _query(need: Need, patient: str) -> str:
    if need.kind == "Patient":
        return f"Patient/{patient}"
    codes = ",".join(
        f"{code.system}|{code.code}" if code.system else code.code for code in need.asked
    )
    return f"{need.kind}?patient={patient}{'&code=' if codes else ''}{codes}&_count=200"


def gather(
    needs: Sequence[Need],
    prefetch: Mapping[str, Raw],
    patient_id: str,
    server: FhirServer | None,
    why_no_server: str = "there is no FHIR server to ask",
    medications: Sequence[str] = (),
    max_entries: int = 5_000,
) -> dict[str, Answer]:
    """An answer for every need, by its key. ``server`` may be ``None``: no network then.
    `TooLarge` names the prefetch that has more than ``max_entries``.

    ``medications`` are references to Medications that orders being written name and did not bring
    along: those that can be obtained are answered under `DRAFTED_MEDICATIONS`.
    """
    answers: dict[str, Answer] = {}
    searches: list[_Search] = []
    for need in _sent_or_asked_for(needs, prefetch):
        sent = prefetch.get(need.key)
        raw = bytes(sent) if sent is not None else None
        if raw == b"null":
            answers[need.key] = _LOOKED_AND_FOUND_NOTHING
            continue
        first, absent = _first_page(need, raw, max_entries)
        if first is not None and first.next is None:
            answers[need.key] = _answer((first,), "", "prefetch")
        elif not _may_be_asked(server, need):
            answers[need.key] = (
                Answer("absent", why=f"{absent}, and {why_no_server}")
                if first is None
                else _answer((first,), f"{absent}, and {why_no_server}", "prefetch")
            )
        elif not _is_id(patient_id):
            answers[need.key] = Answer("absent", why=f"{absent}, and the patient id is not FHIR's")
        else:
            searches.append(_Search(need, first, max_entries))
    if server is not None:
        if searches:
            server.together([partial(search.run, server, patient_id) for search in searches])
            for search in searches:
                answers[search.need.key] = search.answer(server.too_late)
        _fetch_medications(needs, answers, server, medications)
    return {key: answers[key] for key in _in_order(needs, answers)} if searches else answers


def _sent_or_asked_for(needs: Sequence[Need], prefetch: Mapping[str, Raw]) -> list[Need]:
    """All needs but those that are only welcome and were not sent."""
    return [need for need in needs if need.importance != "welcome" or need.key in prefetch]


def _may_be_asked(server: FhirServer | None, need: Need) -> bool:
    return server is not None and need.importance != "welcome"


def _in_order(needs: Sequence[Need], answers: Mapping[str, Answer]) -> list[str]:
    """The keys of what was answered, the needs' in their order first."""
    declared = [need.key for need in needs if need.key in answers]
    return [*declared, *(key for key in answers if key not in declared)]


_LOOKED_AND_FOUND_NOTHING = Answer("empty", origin="prefetch")


def _first_page(need: Need, sent: bytes | None, most: int) -> tuple[_Page | None, str]:
    """What the client sent, if it answers the need, and what is lacking where more is."""
    if sent is None:
        return None, "not sent"
    page = _read_page(sent, need)
    if page is None:
        return None, f"what was sent is not {need.kind} data"
    if len(page.resources) > most:
        field = f"prefetch.{need.key}"
        raise TooLarge(f"{field} has more than {most} entries.", field)
    return page, "only the first page was sent"


_ID = re.compile(r"(?!\.+$)[A-Za-z0-9._-]{1,255}")


def _is_id(written: str) -> bool:
    """Whether a path can hold it: FHIR's alphabet and "_", longer than FHIR allows."""
    return _ID.fullmatch(written) is not None


# --- pages -----------------------------------------------------------------------------------


class _Search:
    """One need on its way. ``run`` works in a thread of the server's pool, page by page; its
    owner may look at what has arrived at any time. The client may have sent the first page."""

    def __init__(self, need: Need, first: _Page | None, max_entries: int) -> None:
        self.need = need
        self._room = max_entries - (len(first.resources) if first else 0)
        self._origin: Origin = "server" if first is None else "prefetch"
        self._problem = ""
        self._pages: list[_Page] = [] if first is None else [first]
        self._done = False

    def run(self, server: FhirServer, patient_id: str) -> None:
        self._fetch(server, patient_id)
        self._done = True

    def _fetch(self, server: FhirServer, patient_id: str) -> None:
        followed = set()
        while not self._pages or self._pages[-1].next is not None:
            following = self._pages[-1].next if self._pages else None
            if following is None:
                reply = server.ask(_query(self.need, patient_id))
            elif following in followed or len(self._pages) >= MAX_PAGES:
                self._problem = f"there are more than {len(self._pages)} pages"
                return
            else:
                followed.add(following)
                reply = server.follow(following)
            if reply.problem:
                self._problem = reply.problem
                return
            page = _read_page(reply.body, self.need)
            if page is None:
                self._problem = f"the FHIR server's answer is not {self.need.kind} data"
                return
            self._room -= len(page.resources)
            if self._room < 0:
                self._problem = "there are too many results"
                return
            self._pages.append(page)

    def answer(self, too_late: str) -> Answer:
        done, problem = self._done, self._problem
        pages = tuple(self._pages)  # after looking whether it is done: more may come meanwhile
        return _answer(pages, problem if done else problem or too_late, self._origin)


def _in_one_order(pages: tuple[_Page, ...]) -> tuple[tuple[Raw | bytes, ...], tuple[str, ...]]:
    """The resources and their addresses by their bytes: servers send entries as they please, and
    no answer may hang on it."""
    if len(pages) == 1 and len(pages[0].resources) < 2:
        return tuple(pages[0].resources), tuple(pages[0].addresses)
    came = sorted(
        [
            (bytes(resource), address)
            for page in pages
            for resource, address in zip(page.resources, page.addresses, strict=True)
        ]
    )
    return tuple([resource for resource, _ in came]), tuple([address for _, address in came])


def _answer(pages: tuple[_Page, ...], problem: str, origin: Origin) -> Answer:
    """What the pages hold together; ``problem`` is what went wrong while getting them."""
    problem = problem or next((page.problem for page in pages if page.problem), "")
    resources, addresses = _in_one_order(pages)
    total = pages[0].total if pages else None
    if not problem and total is not None and total > len(resources):
        problem = f"only {len(resources)} of {total} results came"
    if not resources:
        if problem:
            return Answer("failed", why=problem, origin=origin)
        return Answer("empty", origin=origin)
    return Answer("present", resources, addresses, not problem, problem, origin)


class _Page(Struct, frozen=True):
    resources: list[Raw | bytes]
    addresses: list[str]
    next: str | None = None
    problem: str = ""
    total: float | None = None


class _Wire(Struct, rename="camel", gc=False):
    pass


class _Link(_Wire):
    relation: str | None = None
    url: str | None = None


class _SearchMode(_Wire):
    mode: str | None = None


class _Entry(_Wire):
    resource: Raw = Raw()
    full_url: str | None = None
    search: _SearchMode | None = None


class _Issue(_Wire):
    severity: str | None = None


class _Envelope(_Wire):
    """A Bundle or an OperationOutcome; of any other resource only the type matters."""

    resource_type: str | None = None
    total: int | float | None = None
    link: list[_Link] | None = None
    entry: list[_Entry] | None = None
    issue: list[_Issue] | None = None


class _Type(_Wire):
    resource_type: str | None = None


class _Entries(_Wire):
    resource_type: str | None = None
    entry: list[Raw] | None = None


class _Links(_Wire):
    link: list[_Link] | None = None


_envelope = msgspec.json.Decoder(_Envelope).decode
_type = msgspec.json.Decoder(_Type).decode
_entries = msgspec.json.Decoder(_Entries).decode
_links = msgspec.json.Decoder(_Links).decode
_entry = msgspec.json.Decoder(_Entry).decode
_outcome = msgspec.json.Decoder(_Envelope).decode

#: Represents an entry that holds no resource; reading counts it as unreadable.
_NO_RESOURCE = Raw(b"null")

_BROKEN = "part of the answer could not be read"
_REFUSED = "the answer was an error"


def _read_page(raw: bytes, need: Need) -> _Page | None:
    """A page of results; ``None`` when it is nothing that answers the need."""
    try:
        if not raw.isascii():
            raw.decode()  # what is kept undecoded would reach the answer as it is
        envelope = _envelope(raw)
    except UNDECODABLE:
        return _read_odd_page(raw, need)
    if envelope.resource_type == "Bundle":
        return _read_bundle(envelope, b"OperationOutcome" in raw)
    if envelope.resource_type == "OperationOutcome":
        return _Page([], [], problem=_failure(envelope))
    return _single(envelope.resource_type, raw, need)


def _read_odd_page(raw: bytes, need: Need) -> _Page | None:
    """The same for a page of which some part has a shape of its own; the rest is still good."""
    try:
        resource_type = _type(raw).resource_type
        if resource_type == "OperationOutcome":
            return _Page([], [], problem=_REFUSED)
        if resource_type != "Bundle":
            return _single(resource_type, raw, need)
        sent = _entries(raw)
    except UNDECODABLE:
        return None
    problem = ""
    try:
        links = _links(raw).link
    except UNDECODABLE:
        links, problem = None, _BROKEN
    entries = []
    for item in sent.entry or ():
        try:
            entries.append(_entry(item))
        except UNDECODABLE:
            entries.append(_Entry(resource=_NO_RESOURCE))  # reading will count it as unreadable
    page = _read_bundle(_Envelope(link=links, entry=entries), True)
    return msgspec.structs.replace(page, problem=page.problem or problem)


def _single(resource_type: str | None, raw: bytes, need: Need) -> _Page | None:
    """One resource: all there is of a patient, but only a part where a Bundle was asked for."""
    if resource_type not in TYPES[need.kind]:
        return None
    problem = "" if need.kind == "Patient" else "a single resource came, not a search result"
    return _Page([raw], [""], problem=problem)


def _read_bundle(bundle: _Envelope, has_outcomes: bool) -> _Page:
    entries = bundle.entry or []
    problem = ""
    if has_outcomes:
        kept = []
        for entry in entries:
            failure = _outcome_in(entry.resource or _NO_RESOURCE)
            if failure is None:
                kept.append(entry)
            else:
                problem = problem or failure
        entries = kept
    following = next(
        (link.url for link in bundle.link or () if link.relation == "next" and link.url), None
    )
    return _Page(
        [entry.resource or _NO_RESOURCE for entry in entries],
        [entry.full_url or "" for entry in entries],
        following,
        problem,
        bundle.total,
    )


def _outcome_in(resource: Raw) -> str | None:
    """What an OperationOutcome reports as failed ("" for a mere notice); ``None`` for others."""
    try:
        if _type(resource).resource_type != "OperationOutcome":
            return None
        return _failure(_outcome(resource))
    except UNDECODABLE:
        return None


def _failure(outcome: _Envelope) -> str:
    """ "" when it only warns or informs, as some servers do when a search finds nothing."""
    severities = {issue.severity for issue in outcome.issue or (_Issue(),)}
    return "" if severities <= {"warning", "information", "success"} else _REFUSED


# --- medications by reference ----------------------------------------------------------------


class _MedicationReference(_Wire):
    reference: str | None = None


class _Medication(_Wire):
    """R5's: a concept or a reference; some write the reference itself here."""

    reference: _MedicationReference | str | None = None


class _Drug(_Wire):
    resource_type: str | None = None
    id: str | None = None
    medication_reference: _MedicationReference | None = None
    medication: _Medication | None = None


_drug = msgspec.json.Decoder(_Drug).decode
#: Without one of these nothing is a Medication or refers to one.
_POINTERS = (b'"medicationReference"', b'"medication"', b'"Medication"')


def _fetch_medications(
    needs: Iterable[Need],
    answers: dict[str, Answer],
    server: FhirServer,
    drafted: Sequence[str],
) -> None:
    """Add the Medications that orders only refer to. One that cannot be obtained stays unknown.

    Those of drafts are read first; one that the record needs too is answered with the record.
    """
    wanted = _wanted_medications(needs, answers, server, drafted)
    reads = list(wanted.items())[:MAX_MEDICATION_READS]
    if not reads:
        return
    came: dict[str, bytes] = {}

    def read(address: str) -> None:
        reply = server.ask(address)
        if not reply.problem:
            came[address] = reply.body

    server.together([partial(read, address) for address, _ in reads])
    for address, key in reads:
        body = came.get(address)
        if body is not None:
            before = answers.get(key) or Answer("present", origin="server")
            answers[key] = msgspec.structs.replace(
                before,
                resources=(*before.resources, body),
                addresses=(*before.addresses, ""),
            )


def _wanted_medications(
    needs: Iterable[Need],
    answers: Mapping[str, Answer],
    server: FhirServer,
    drafted: Sequence[str],
) -> dict[str, str]:
    """The addresses of Medications that did not come, each with the key it is to be answered
    under."""
    wanted: dict[str, str] = {}
    known: set[str] = set()
    for written in drafted:
        address = _medication_address(written, server)
        if address:
            wanted[address] = DRAFTED_MEDICATIONS
    for key in [need.key for need in needs if need.kind in MEDICATION_KINDS]:
        known.update(answers[key].addresses)
        for resource in answers[key].resources:
            medication, written = _named_in(resource)
            known.add(medication)
            address = _medication_address(written, server) if written else ""
            if address and written not in known:
                other = wanted.get(address, DRAFTED_MEDICATIONS)
                wanted[address] = key if other == DRAFTED_MEDICATIONS else other
    return {address: key for address, key in wanted.items() if address not in known}


def _named_in(resource: Raw | bytes) -> tuple[str, str]:
    """("Medication/1", "") of a Medication, ("", reference) of what only refers to one."""
    raw = bytes(resource)
    if not any(name in raw for name in _POINTERS):
        return "", ""
    try:
        drug = _drug(raw)
    except UNDECODABLE:
        return "", ""
    if drug.resource_type == "Medication":
        return f"Medication/{drug.id}", ""
    pointed = drug.medication_reference or (drug.medication and drug.medication.reference)
    written = pointed.reference if isinstance(pointed, _MedicationReference) else pointed
    return "", written or ""


def _medication_address(reference: str, server: FhirServer) -> str:
    """Where the server has the Medication meant; "" if it is none of this server's."""
    address = server.relative(reference).partition("/_history/")[0]
    kind, _, identity = address.partition("/")
    return address if kind == "Medication" and _is_id(identity) else ""
