"""Resources one by one: whose, which and how new each is, and the books on what was not used."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import msgspec
from msgspec import Raw, structs

from cds_service.clinical import (
    Allergy,
    Code,
    Measurement,
    Medication,
    Moment,
    Need,
    Problem,
    Procedure,
    Reason,
    TestOrder,
    Unread,
    in_short,
)
from cds_service.fhir import elements, wire
from cds_service.fhir.editions import MEDICATION_KINDS, TYPES
from cds_service.fhir.elements import Moments, Unreadable
from cds_service.fhir.gather import UNDECODABLE, Answer
from cds_service.fhir.reading.context import Context, Owner, are_known, carries
from cds_service.fhir.reading.measurements import concludes, read_observation
from cds_service.fhir.reading.medications import Undated, read_drug
from cds_service.fhir.reading.ordered_tests import read_test_order
from cds_service.fhir.reading.problems import read_allergy, read_condition, read_procedure
from cds_service.fhir.reading.products import Products, products_in

_type_only = msgspec.json.Decoder(wire.TypeOnly).decode
_subject_only = msgspec.json.Decoder(wire.SubjectOnly).decode
_code_only = msgspec.json.Decoder(wire.CodeOnly).decode
_version_only = msgspec.json.Decoder(wire.VersionOnly).decode


class _Kind(NamedTuple):
    """How resources of one kind of need are read: the types that belong to it, and both steps."""

    types: frozenset[str]
    decode: Callable[[Raw | bytes], Any]
    read: Callable[[Any, Context, Raw | bytes], tuple[Any, ...]]


_KINDS: Mapping[str, _Kind] = {
    kind: _Kind(TYPES[kind], msgspec.json.Decoder(wire).decode, read)
    for kind, wire, read in (
        ("Observation", wire.Observation, read_observation),
        ("Condition", wire.Condition, read_condition),
        ("MedicationRequest", wire.Drug, read_drug),
        ("MedicationStatement", wire.Drug, read_drug),
        ("MedicationDispense", wire.Drug, read_drug),
        ("MedicationAdministration", wire.Drug, read_drug),
        ("Procedure", wire.Procedure, read_procedure),
        ("AllergyIntolerance", wire.Allergy, read_allergy),
        ("ServiceRequest", wire.TestOrder, read_test_order),
    )
}

#: Characters of different words that are read of one record, without its results, which are known
#: by their codes; each text counts for some more, since it is looked up. A record of hundreds of
#: problems and orders has a tenth of them.
WORDS, _EACH = 300_000, 150

#: What is kept of a resource: as sent, its full URL, and what was read of it.
_Place: TypeAlias = tuple[Raw | bytes, str, tuple[Any, ...]]


class Collector:
    """What was found so far, and in ``unread`` what was sent and not used. ``unreadable`` counts by
    the key of a need, ``foreign`` in all."""

    def __init__(self, evidence: Mapping[str, Answer], needs: Sequence[Need], owner: Owner) -> None:
        self._find_product = Products(
            pair
            for need in needs
            if need.kind in MEDICATION_KINDS and need.key in evidence
            for pair in products_in(evidence[need.key])
        ).find
        self._found: dict[str, dict[object, _Place]] = {}
        self._owner = owner
        self._moments = Moments()
        self._words: set[str] = set()
        self._room = WORDS
        self.unreadable: dict[str, int] = {}
        self.foreign = 0
        self.unread: list[Unread] = []

    def found(self, *kinds: str) -> tuple[Any, ...]:
        """What was read of these kinds, kind by kind, each by date, then by id."""
        found: list[Any] = []
        for kind in kinds:
            of_kind = [
                thing for _, _, things in self._found.get(kind, {}).values() for thing in things
            ]
            if len(of_kind) > 1:
                of_kind.sort(key=_by_date_and_id)
            found += of_kind
        return tuple(found)

    def read(self, need: Need, answer: Answer) -> bool:
        """Reads what was sent for the need; false when none of it was of use: something came,
        but nothing of this patient's that could be read, wanted or not."""
        usable = beside = 0
        types, decode, read = _KINDS[need.kind]
        context = Context(
            self._owner,
            need.kept,
            need.local,
            self._find_product,
            self._moments,
            need.by_words,
            need.by_name,
        )
        whose, references = self._owner.whose, self._owner.references
        self._found.setdefault(need.kind, {})
        for resource, address in answer.each():
            try:
                sent = decode(resource)
            except UNDECODABLE:
                self._account_for(need, resource)
                continue
            if not _is_wanted(need, types, sent):
                beside += self._is_beside(need, sent)
                continue
            subject, patient = sent.subject, sent.patient
            mine: bool | None = True  # the usual case, without a call
            if patient is not None or subject is None or subject.reference not in references:
                mine = whose(subject, patient, resource)
                if mine is False:
                    self._pass_by(need)
                    continue
            try:
                things = read(sent, context, resource)
            except Unreadable as why:
                usable += self._refuse(need, resource, mine, sent, why)
                continue
            if mine is None or sent.modifier_extension or sent.implicit_rules:
                if things:
                    self._count_unreadable(need, sent=sent)
                    self._salvage(need, resource, mine)
                continue
            usable += 1
            if self._keep(need, sent, (resource, address, things)):
                self._name_unknown(need, sent, things)
        return usable > 0 or beside == len(answer.resources)

    def _keep(self, need: Need, sent: Any, place: _Place) -> bool:
        """Keeps what was read of a resource, if anything; false where there is no room for it."""
        things = place[2]
        if things:
            if not self._has_room(things):
                self._count_unreadable(need, sent=sent)
                return False
            _keep(self._found[need.kind], (sent.resource_type, sent.id), place)
        return True

    def _has_room(self, things: Iterable[Any]) -> bool:
        """Whether what they say is among the words that are read: all others' time is taken by
        what says more."""
        for thing in things:
            if isinstance(thing, Measurement):
                continue
            said = {thing.text, *[one.display for one in thing.codes]}
            if isinstance(thing, Medication):
                said.update(thing.notes)
                for line in thing.dosages:
                    said.update(line.words)
            new = said - self._words
            self._words |= new
            self._room -= sum([len(one) + _EACH for one in new])
        return self._room >= 0

    def _is_beside(self, need: Need, sent: Any) -> bool:
        """Whether a resource of another type may come with the answer, as a Medication may."""
        resource_type: str | None = sent.resource_type
        if resource_type is None:
            self._count_unreadable(need)
        elif resource_type not in _BESIDE:
            name = f"{resource_type} {_unread(need, 'another kind', sent).name}".strip()
            self.unread.append(Unread(need.key, "another kind", in_short(name)))
        return resource_type == "Medication"

    def _refuse(
        self, need: Need, resource: Raw | bytes, mine: bool | None, sent: Any, why: Unreadable
    ) -> bool:
        """Counts what a reader could not use; true where it was understood: it orders no test."""
        if getattr(sent, "do_not_perform", False):
            self.unreadable[need.key] = self.unreadable.get(need.key, 0) + 1
            return True
        self._count_unreadable(need, why.reason, sent)
        if not isinstance(why, Undated):
            self._salvage(need, resource, mine)
        return False

    def _account_for(self, need: Need, resource: Raw | bytes) -> None:
        """Count what could not be decoded, unless enough of it can be to know it is not wanted."""
        kind = _KINDS[need.kind]
        resource_type = type_of(resource)
        if resource_type is not None and resource_type not in kind.types:
            return
        mine: bool | None = None
        try:
            named = _subject_only(resource)
            mine = self._owner.is_meant_by(named.subject or named.patient, resource)
            if mine is False:
                self._pass_by(need)
                return
        except UNDECODABLE:
            pass
        coded = None
        try:
            coded = _code_only(resource)
            codes = elements.codes(coded.code)
            alone = coded.component is None
            known = are_known(codes, need.local)
            if alone and known and need.kept and not carries(codes, need.kept):
                return
        except UNDECODABLE:
            pass
        self._count_unreadable(need, sent=coded)
        self._salvage(need, resource, mine)

    def _count_unreadable(
        self, need: Need, reason: Reason = "undecodable", sent: Any = None
    ) -> None:
        self.unreadable[need.key] = self.unreadable.get(need.key, 0) + 1
        self.unread.append(_unread(need, reason, sent))

    def _pass_by(self, need: Need) -> None:
        """A record of another patient: counted, and nothing of it is shown."""
        self.foreign += 1
        self.unread.append(Unread(need.key, "another patient"))

    def _name_unknown(self, need: Need, sent: Any, things: tuple[Any, ...]) -> None:
        """What has no code that anyone knows here. One of a system known here was understood,
        whether or not it was asked for: it is something else."""
        thing = next(iter(things), None)
        if _is_nothing(getattr(sent, "status", None), things):
            return
        if isinstance(thing, Measurement):
            self.unread += _by_names(need, things)
            return
        if thing is not None and are_known(thing.codes, need.local):
            return
        if isinstance(thing, Medication) and thing.unresolved:
            source = f"{sent.resource_type}/{sent.id or '(no id)'}"
            name = in_short(thing.text)
            self.unread.append(Unread(need.key, "drug not found", name, source=source))
            return
        codes = thing.codes if thing is not None else elements.codes(sent.code)
        if are_known(codes, need.local):
            return
        unread = _unread(need, "code system" if codes else "no code", sent)
        if isinstance(thing, Medication):  # which may have its name and codes elsewhere
            code = next(iter(codes), Code("", ""))
            name = in_short(thing.text)
            unread = structs.replace(unread, name=name, system=code.system, code=code.code)
        self.unread.append(unread)

    def _salvage(self, need: Need, resource: Raw | bytes, mine: bool | None) -> None:
        if mine is True and (thing := _remains_of(need.kind, resource)) is not None:
            self._found.setdefault(need.kind, {})[object()] = resource, "", (thing,)


def _by_date_and_id(
    thing: Measurement | Problem | Medication | Procedure | Allergy | TestOrder,
) -> tuple[float, str]:
    """What does not say when comes last. No answer may hang on the order of a Bundle, in which
    servers put what they please: twins are named in this order, whichever came first."""
    when = None
    if isinstance(thing, Measurement):
        when = thing.when
    elif isinstance(thing, Problem):
        when = thing.onset or thing.recorded
    elif isinstance(thing, Medication):
        when = thing.authored
    elif isinstance(thing, Procedure):
        when = thing.performed
    elif isinstance(thing, TestOrder):
        when = thing.authored or thing.due
    return when.instant if when is not None else math.inf, thing.source


#: Statuses of what is not a result, not yet or not any more.
_HAS_NO_ANSWER = frozenset({"registered", "cancelled"})


def _is_nothing(status: str | None, things: Iterable[object]) -> bool:
    """Whether it never was, or is not a result and has no answer either."""
    return status == "entered-in-error" or (
        status in _HAS_NO_ANSWER
        and not any(isinstance(one, Measurement) and one.is_answered for one in things)
    )


def _is_wanted(need: Need, types: frozenset[str], sent: Any) -> bool:
    """Whether it is of the types that belong to the need, or a report that is read as a result, by
    its code or, where that is not known here, by its name; without a conclusion there is nothing
    to read."""
    if sent.resource_type in types:
        return True
    if not need.reports or sent.resource_type != "DiagnosticReport" or not concludes(sent):
        return False
    codes = elements.codes(sent.code)
    if carries(codes, need.reports):
        return True
    said = elements.text(sent.code).casefold()
    return not are_known(codes, need.local) and any(one in said for one in need.reports_by_name)


#: Types that only go with what was asked for: who, where, of what, and what the server has to say.
#: Any other was sent by mistake, or says what was asked for in a form that is not read.
_BESIDE = frozenset({
    "Account", "Appointment", "AuditEvent", "Binary", "BodySite", "BodyStructure", "CareTeam",
    "Coverage", "Device", "Encounter", "Endpoint", "EpisodeOfCare", "Group", "HealthcareService",
    "InsurancePlan", "Location", "Medication", "MedicationKnowledge", "OperationOutcome",
    "Organization", "OrganizationAffiliation", "Patient", "Person", "Practitioner",
    "PractitionerRole", "Provenance", "RelatedPerson", "Schedule", "Slot", "Specimen", "Substance",
})  # fmt: skip


def _unread(need: Need, reason: Reason, sent: Any) -> Unread:
    """An entry of the account, as far as the resource has a name."""
    try:
        concept = getattr(sent, "code", None) or getattr(sent, "medication_codeable_concept", None)
        if isinstance(concept, list):
            concept = next(iter(concept), None)
        code = next(iter(elements.codes(concept)), Code("", ""))
        name = elements.text(concept)
    except (AttributeError, TypeError):
        return Unread(need.key, reason)
    kind, identity = getattr(sent, "resource_type", ""), getattr(sent, "id", "")
    source = f"{kind}/{identity or '(no id)'}" if kind else ""
    return Unread(need.key, reason, in_short(name), code.system, code.code, source)


def _by_names(need: Need, things: Iterable[Measurement]) -> list[Unread]:
    """Results under codes that no one knows."""
    unknown = [one for one in things if one.name and not are_known(one.codes, need.local)]
    return [_by_name(need, one) for one in unknown]


def _by_name(need: Need, one: Measurement) -> Unread:
    """The entry of a result that only its name says something of."""
    code = next(iter(one.codes), Code("", ""))
    reason: Reason = "code system" if one.codes else "no code"
    name = "" if one.name == code.code else in_short(one.name)
    return Unread(need.key, reason, name, code.system, code.code, one.source)


def type_of(resource: Raw | bytes) -> str | None:
    try:
        return _type_only(resource).resource_type
    except UNDECODABLE:
        return None


# --- once each -------------------------------------------------------------------------------


def _keep(found: dict[object, _Place], identity: tuple[str, str | None], place: _Place) -> None:
    key: object | None = identity
    if not identity[1]:
        key = object()
    elif identity in found:
        key = _key_beside(found[identity], identity, place)
    if key is not None:
        found[key] = place


def _key_beside(before: _Place, identity: object, place: _Place) -> object | None:
    """Where another resource of one identity is kept: on its own, in place of an older copy of
    itself, or not at all.

    Two that share type and id but neither address nor order are two: none may hide another.
    """
    resource, address, _ = place
    old, other, _ = before
    if bytes(old) == bytes(resource):
        return None
    if address and other and address != other:
        return object()
    newer = _is_newer(resource, old)
    if newer is None:
        return object()
    return identity if newer else None


def _is_newer(resource: Raw | bytes, other: Raw | bytes) -> bool | None:
    """Whether this copy was changed later than the other; ``None`` when no one can say."""
    changed, before = _last_change(resource), _last_change(other)
    if changed is None or before is None or changed.instant == before.instant:
        return None
    return changed.instant > before.instant


def _last_change(resource: Raw | bytes) -> Moment | None:
    try:
        meta = _version_only(resource).meta
    except UNDECODABLE:
        return None
    return elements.moment(meta.last_updated) if meta is not None else None


# --- what is left of the unreadable ------------------------------------------------------------

_remains = msgspec.json.Decoder(wire.Remains).decode
_concept_alone = msgspec.json.Decoder(wire.Concept).decode
_status_alone = msgspec.json.Decoder(wire.Concept | str).decode
_text_alone = msgspec.json.Decoder(str).decode
_SALVAGED = frozenset({"Condition", "AllergyIntolerance", "MedicationRequest"})


def _remains_of(kind: str, resource: Raw | bytes) -> Problem | Allergy | Medication | None:
    """What a resource that could not be read still warns of, by its code alone.

    A problem counts as possible, an allergy as in force, an order as one to be looked at:
    none of them may vanish because some other part of it is malformed.
    """
    if kind not in _SALVAGED:
        return None
    try:
        sent = _remains(resource)
    except UNDECODABLE:
        return None
    named = (sent.code, sent.medication_codeable_concept, sent.medication, sent.substance)
    concepts = (_part(raw, _concept_alone) for raw in named)
    concept = next(filter(None, concepts), None)
    codes, text = elements.codes(concept), elements.text(concept)
    said = _part(sent.verification_status, _status_alone)
    certainty = elements.status(said, elements.CERTAINTY)[0]
    if (not codes and not text) or certainty in ("entered-in-error", "refuted"):
        return None
    said = _part(sent.clinical_status, _status_alone)
    clinical = elements.status(said, elements.CLINICAL_STATUS)[0]
    source = f"{kind}/{_part(sent.id, _text_alone) or '(no id)'}"
    if kind == "Condition":
        return Problem(codes, text, source, clinical, certainty, uncertain_status=not clinical)
    if kind == "AllergyIntolerance":
        return Allergy(codes, text, source, clinical, certainty)
    return Medication("order", (), text, "active", source)


def _part(raw: Raw, decode: Callable[[Raw], Any]) -> Any:
    try:
        return decode(raw) if raw else None
    except UNDECODABLE:
        return None
