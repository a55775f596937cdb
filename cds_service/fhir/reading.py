"""From FHIR resources to a `Record`: tolerant of form, strict about meaning.

Each resource is decoded alone into the few elements the medicine uses, under the names they have
in DSTU2, STU3, R4 and R4B. One that cannot be decoded, contradicts itself, names no patient or
carries a modifier unknown here is counted as unreadable under its need: it is neither used nor
taken for absent. Whoever filtered the answer, subject, code and unit are checked again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec
from msgspec import Raw, Struct

from cds_service.clinical import (
    Allergy,
    Code,
    Dose,
    Interval,
    Measurement,
    Medication,
    Moment,
    Need,
    Patient,
    Problem,
    Procedure,
    Quantity,
    Record,
    TestOrder,
)
from cds_service.errors import DataUnavailable
from cds_service.fhir import elements, wire
from cds_service.fhir.gather import MEDICATION_KINDS, TYPES, UNDECODABLE, Answer

_type_only = msgspec.json.Decoder(wire.TypeOnly).decode
_subject_only = msgspec.json.Decoder(wire.SubjectOnly).decode
_code_only = msgspec.json.Decoder(wire.CodeOnly).decode
_version_only = msgspec.json.Decoder(wire.VersionOnly).decode
_remains = msgspec.json.Decoder(wire.Remains).decode
_concept_alone = msgspec.json.Decoder(wire.Concept).decode
_status_alone = msgspec.json.Decoder(wire.Concept | str).decode
_text_alone = msgspec.json.Decoder(str).decode
_product = msgspec.json.Decoder(wire.Product).decode
_patient = msgspec.json.Decoder(wire.Patient).decode


# --- whose and which -------------------------------------------------------------------------

Kept: TypeAlias = frozenset[tuple[str, str]]


class Owner(Struct, frozen=True):
    """This patient, and every way to refer to it that needs no parsing."""

    id: str
    references: frozenset[str]

    def is_meant_by(self, reference: wire.Reference | None) -> bool | None:
        """Whether the reference means this patient; ``None`` when it names nobody."""
        if reference is None or not reference.reference:
            return None
        written = reference.reference
        if written in self.references:
            return True
        if written.startswith("urn:"):
            return False
        kind, identity = last_two_segments(written)
        if not kind or not identity:
            return None
        return kind == "Patient" and identity == self.id

    def whose(self, subject: wire.Reference | None, patient: wire.Reference | None) -> bool | None:
        """The same for a resource that may name its patient twice; two patients are nobody."""
        mine = self.is_meant_by(subject or patient)
        if subject and patient and self.is_meant_by(patient) is not mine:
            return None
        return mine


def last_two_segments(reference: str) -> tuple[str, str]:
    """Type and id of a relative or absolute reference; ("", "") if it has no such form."""
    if "#" in reference or "?" in reference:
        return "", ""
    parts = reference.partition("/_history/")[0].split("/")
    absolute = "://" in reference
    if len(parts) < 2 or (not absolute and len(parts) > 2):
        return "", ""
    return parts[-2], parts[-1]


def _carries(codes: Iterable[Code], kept: Kept) -> bool:
    for code in codes:  # noqa: SIM110 (any() takes three times as long)
        if (code.system, code.code) in kept:
            return True
    return False


def _source(resource: wire.Resource | wire.Observation) -> str:
    return f"{resource.resource_type}/{resource.id or '(no id)'}"


# --- resources -------------------------------------------------------------------------------

Product: TypeAlias = tuple[tuple[Code, ...], str]


class _Context(Struct, frozen=True):
    """What the readers need to know: whose record, codes to keep, how to find a Medication."""

    owner: Owner
    kept: Kept
    find_product: Callable[[str], Product | None]
    moments: elements.Moments


def _read_observation(
    sent: wire.Observation, context: _Context, resource: Raw | bytes
) -> tuple[Measurement, ...]:
    kept = context.kept
    wanted = []
    for result in (sent, *sent.component) if sent.component else (sent,):
        codes = elements.codes(result.code)
        if not kept or _carries(codes, kept):
            wanted.append((result, codes))
    if not wanted:
        return ()
    moments = context.moments
    when = (
        moments[sent.effective_date_time]
        or moments[sent.effective_instant]
        or elements.end(sent.effective_period)
        or moments[sent.issued]
    )
    about = _about(sent.focus, context.owner) if sent.focus else ""
    source, status = _source(sent), sent.status or ""
    return tuple([_measure(result, codes, status, when, source, about) for result, codes in wanted])


def _measure(
    sent: wire.Result,
    codes: tuple[Code, ...],
    status: str,
    when: Moment | None,
    source: str,
    about: str,
) -> Measurement:
    if sent.modifier_extension:
        raise elements.Unreadable
    beyond_us = (
        sent.value_ratio is not None
        or sent.value_sampled_data is not None
        or sent.value_time is not None
        or sent.value_date_time is not None
        or sent.value_period is not None
        or sent.value_attachment is not None
        or sent.value_reference is not None
    )
    answers = (
        sent.value_quantity,
        sent.value_codeable_concept,
        sent.value_string,
        sent.value_boolean,
        sent.value_integer,
        sent.value_range,
        sent.data_absent_reason,
    )
    # One answer at most, and a reason for having none excludes having one.
    if beyond_us or answers.count(None) < 6:
        raise elements.Unreadable
    value: Quantity | None = None
    interval: Interval | None = None
    concepts: tuple[Code, ...] = ()
    text = ""
    if sent.value_quantity is not None:
        value = elements.quantity(sent.value_quantity)
    elif sent.value_codeable_concept is not None:
        answer = sent.value_codeable_concept
        concepts, text = elements.codes(answer), elements.text(answer)
    elif sent.value_string is not None:
        text = sent.value_string
    elif sent.value_boolean is not None:
        text = "true" if sent.value_boolean else "false"
    elif sent.value_integer is not None:
        value = elements.quantity(wire.Amount(Raw(str(sent.value_integer))))
    elif sent.value_range is not None:
        interval = elements.interval(sent.value_range)
    low, high = elements.reference_range(sent.reference_range)
    return Measurement(
        codes,
        status,
        when,
        source,
        value,
        interval,
        concepts,
        text,
        elements.interpretation(sent.interpretation) if sent.interpretation else "",
        low,
        high,
        sent.data_absent_reason is not None,
        about,
    )


def _about(focus: list[wire.Reference] | wire.Reference, owner: Owner) -> str:
    """Who or what else the result is about, in the sender's words; "" if it is this patient."""
    for reference in elements.listed(focus):
        if not owner.is_meant_by(reference):
            kind, _ = last_two_segments(reference.reference or "")
            return reference.display or kind or "somebody else"
    return ""


def _read_condition(
    sent: wire.Condition, context: _Context, resource: Raw | bytes
) -> tuple[Problem, ...]:
    codes = elements.codes(sent.code)
    if context.kept and not _carries(codes, context.kept):
        return ()
    clinical, clinical_unknown = elements.status(sent.clinical_status, elements.CLINICAL_STATUS)
    certainty, certainty_unknown = elements.status(sent.verification_status, elements.CERTAINTY)
    abated = bool(
        sent.abatement_date_time is not None
        or sent.abatement_period is not None
        or sent.abatement_boolean
        or sent.abatement_string is not None
        or sent.abatement_age is not None
        or sent.abatement_quantity is not None
        or sent.abatement_range is not None
    )
    return (
        Problem(
            codes,
            elements.text(sent.code),
            _source(sent),
            clinical,
            certainty,
            clinical_unknown or certainty_unknown,
            elements.codes(sent.severity),
            context.moments[sent.onset_date_time] or elements.start(sent.onset_period),
            context.moments[sent.recorded_date or sent.asserted_date or sent.date_recorded],
            abated,
            elements.moment(sent.abatement_date_time)
            or elements.end(sent.abatement_period)
            or elements.start(sent.abatement_period)
            if abated
            else None,
        ),
    )


def _read_drug(sent: wire.Drug, context: _Context, resource: Raw | bytes) -> tuple[Medication, ...]:
    if sent.do_not_perform:
        raise elements.Unreadable  # an order not to give something has no place in the record
    codes, text = _product_of(sent, context)
    if context.kept and codes and not _carries(codes, context.kept):
        return ()
    kind: Literal["order", "statement", "administration"]
    status, as_sent = sent.status or "", b""
    if sent.resource_type == "MedicationStatement":
        kind = "statement"
        if sent.was_not_taken or sent.taken == "n":
            status = "not-taken"
        elif sent.taken in ("unk", "na"):
            status = "unknown"
        authored = (
            elements.moment(sent.effective_date_time)
            or elements.start(sent.effective_period)
            or elements.moment(sent.date_asserted)
        )
        ended = elements.end(sent.effective_period)
    elif sent.resource_type == "MedicationAdministration":
        kind = "administration"
        if sent.was_not_given or sent.not_given:
            status = "not-done"
        authored = (
            elements.moment(sent.effective_date_time or sent.effective_time_date_time)
            or elements.start(sent.effective_period)
            or elements.start(sent.effective_time_period)
        )
        ended = elements.end(sent.effective_period) or elements.end(sent.effective_time_period)
    else:
        kind, as_sent = "order", bytes(resource)
        authored = elements.moment(sent.authored_on or sent.date_written)
        ended = elements.moment(sent.date_ended)
    dosages = sent.dosage_instruction or elements.listed(sent.dosage)
    return (
        Medication(
            kind,
            codes,
            text,
            status,
            _source(sent),
            intent=sent.intent or "",
            authored=authored,
            ended=ended or _last_dose(dosages),
            doses=tuple(map(_dose, dosages)),
            resource=as_sent,
        ),
    )


def _product_of(sent: wire.Drug, context: _Context) -> Product:
    """Codes and words for the medication; neither when only an unresolved reference names it."""
    if sent.medication_codeable_concept is not None:
        concept = sent.medication_codeable_concept
        return elements.codes(concept), elements.text(concept)
    pointed = sent.medication_reference
    if pointed is None and sent.medication is not None:
        if sent.medication.concept is not None:
            return elements.codes(sent.medication.concept), elements.text(sent.medication.concept)
        inner = sent.medication.reference
        pointed = inner if isinstance(inner, wire.Reference) else wire.Reference(inner)
    if pointed is None:
        return (), ""
    written, found = pointed.reference or "", None
    if written.startswith("#"):
        for raw in sent.contained or ():
            product = _decode_product(raw)
            if product is not None and product.id == written[1:]:
                found = elements.codes(product.code), elements.text(product.code)
    elif written:
        found = context.find_product(written)
    codes, text = found or ((), "")
    return codes, text or pointed.display or ""


def _decode_product(raw: Raw | bytes) -> wire.Product | None:
    try:
        product = _product(raw)
    except UNDECODABLE:
        return None
    return product if product.resource_type == "Medication" else None


def _dose(sent: wire.Dosage) -> Dose:
    if sent.modifier_extension:
        raise elements.Unreadable
    route = elements.first(sent.route)
    amount = sent.dose_quantity or sent.dose or sent.quantity or sent.quantity_quantity
    for dose in sent.dose_and_rate or ():
        amount = amount or dose.dose_quantity
    return Dose(
        elements.codes(route), elements.text(route), elements.quantity(amount), sent.text or ""
    )


def _last_dose(dosages: Sequence[wire.Dosage]) -> Moment | None:
    """When the last dosage line ends, if every line says when it does."""
    ends = [
        elements.end(dosage.timing.repeat.bounds_period)
        if dosage.timing is not None and dosage.timing.repeat is not None
        else None
        for dosage in dosages
    ]
    known = [end for end in ends if end is not None]
    if not known or len(known) < len(ends):
        return None
    return max(known, key=lambda end: end.instant)


def _read_procedure(
    sent: wire.Procedure, context: _Context, resource: Raw | bytes
) -> tuple[Procedure, ...]:
    codes = elements.codes(sent.code)
    if context.kept and not _carries(codes, context.kept):
        return ()
    return (
        Procedure(
            codes,
            elements.text(sent.code),
            "not-done" if sent.not_done or sent.not_performed else sent.status or "",
            _source(sent),
            performed=elements.moment(sent.performed_date_time)
            or elements.end(sent.performed_period)
            or elements.start(sent.performed_period),
        ),
    )


def _read_allergy(
    sent: wire.Allergy, context: _Context, resource: Raw | bytes
) -> tuple[Allergy, ...]:
    concept = sent.code or sent.substance
    codes = elements.codes(concept)
    for reaction in sent.reaction or ():
        for substance in elements.listed(reaction.substance):
            codes += tuple(code for code in elements.codes(substance) if code not in codes)
    if context.kept and not _carries(codes, context.kept):
        return ()
    # DSTU2 has one status for both; a status unknown here leaves the allergy standing.
    return (
        Allergy(
            codes,
            elements.text(concept),
            _source(sent),
            clinical_status=elements.status(
                sent.clinical_status or sent.status, elements.CLINICAL_STATUS
            )[0],
            certainty=elements.status(sent.verification_status or sent.status, elements.CERTAINTY)[
                0
            ],
        ),
    )


def _read_test_order(
    sent: wire.TestOrder, context: _Context, resource: Raw | bytes
) -> tuple[TestOrder, ...]:
    if sent.do_not_perform:
        raise elements.Unreadable
    order = test_order(sent)
    return (order,) if not context.kept or _carries(order.codes, context.kept) else ()


def test_order(sent: wire.TestOrder) -> TestOrder:
    """The order as the record has it, whoever it is for."""
    concepts = [sent.code, *(item.code for item in sent.item or ())]
    codes = tuple(code for concept in concepts for code in elements.codes(concept))
    return TestOrder(
        codes,
        next(filter(None, map(elements.text, concepts)), ""),
        sent.status or "",
        _source(sent),
        due=elements.moment(sent.occurrence_date_time or sent.scheduled_date_time)
        or elements.span(sent.occurrence_period or sent.scheduled_period),
        authored=elements.moment(sent.authored_on or sent.ordered_on),
    )


# --- the record ------------------------------------------------------------------------------


_ReadOne: TypeAlias = Callable[[Any, _Context, Raw | bytes], tuple[Any, ...]]


class _Kind(NamedTuple):
    """How resources of one kind of need are read: the types that belong to it, and both steps."""

    types: frozenset[str]
    decode: Callable[[Raw | bytes], Any]
    read: _ReadOne


_KINDS: Mapping[str, _Kind] = {
    kind: _Kind(TYPES[kind], msgspec.json.Decoder(wire).decode, read)
    for kind, wire, read in (
        ("Observation", wire.Observation, _read_observation),
        ("Condition", wire.Condition, _read_condition),
        ("MedicationRequest", wire.Drug, _read_drug),
        ("MedicationStatement", wire.Drug, _read_drug),
        ("MedicationAdministration", wire.Drug, _read_drug),
        ("Procedure", wire.Procedure, _read_procedure),
        ("AllergyIntolerance", wire.Allergy, _read_allergy),
        ("ServiceRequest", wire.TestOrder, _read_test_order),
    )
}


def read_record(evidence: Mapping[str, Answer], needs: Sequence[Need], patient_id: str) -> Record:
    """The record of this patient, from what was gathered for the ``needs``.

    A resource is kept if it carries a code that its need keeps. ``DataUnavailable`` when the
    patient itself is missing, unreadable or another one.
    """
    patient, owner = _read_patient(evidence, needs, patient_id)
    reader = _Reader(evidence, needs, owner)
    missing: dict[str, str] = {}
    incomplete = set()
    for need in needs:
        if need.kind == "Patient":
            continue
        answer = evidence.get(need.key)
        if answer is None:
            missing[need.key] = "not asked for"
        elif answer.state in ("failed", "absent"):
            missing[need.key] = answer.why
        else:
            if not answer.complete:
                incomplete.add(need.key)
            if answer.resources:
                if not reader.read(need, answer):
                    missing[need.key] = "nothing that was sent could be used"
                elif reader.unreadable.get(need.key):
                    incomplete.add(need.key)
    return Record(
        patient,
        measurements=reader.found("Observation"),
        problems=reader.found("Condition"),
        medications=reader.found(
            "MedicationRequest", "MedicationStatement", "MedicationAdministration"
        ),
        procedures=reader.found("Procedure"),
        allergies=reader.found("AllergyIntolerance"),
        test_orders=reader.found("ServiceRequest"),
        missing=missing,
        incomplete=frozenset(incomplete),
        unreadable=reader.unreadable,
        foreign=reader.foreign,
    )


def _read_patient(
    evidence: Mapping[str, Answer], needs: Sequence[Need], patient_id: str
) -> tuple[Patient, Owner]:
    need = next((need for need in needs if need.kind == "Patient"), None)
    answer = evidence.get(need.key) if need is not None else None
    field = f"prefetch.{need.key}" if need is not None else None
    if answer is None or answer.state in ("failed", "absent"):
        why = answer.why if answer is not None else "not asked for"
        raise DataUnavailable(f"The patient's own record could not be had: {why}.", field)
    addresses = answer.addresses or ("",) * len(answer.resources)
    problem = "There is no patient of this id."
    for resource, address in zip(answer.resources, addresses, strict=True):
        try:
            sent = _patient(resource)
        except UNDECODABLE:
            if _type_of(resource) in (None, "Patient"):
                problem = "The patient's own record could not be read."
            continue
        if sent.resource_type != "Patient":
            continue
        if sent.id != patient_id:
            problem = "The patient sent is not the one of context.patientId."
            continue
        if sent.modifier_extension or sent.implicit_rules:
            problem = "The patient's own record holds modifiers unknown to this service."
            continue
        references = {f"Patient/{patient_id}", f"urn:uuid:{patient_id}", address} - {""}
        patient = Patient(
            patient_id,
            elements.moment(sent.birth_date),
            deceased=bool(sent.deceased_boolean or sent.deceased_date_time),
        )
        return patient, Owner(patient_id, frozenset(references))
    raise DataUnavailable(problem, field)


def _type_of(resource: Raw | bytes) -> str | None:
    try:
        return _type_only(resource).resource_type
    except UNDECODABLE:
        return None


class _Reader:
    """Reads resources one by one, and keeps the books on what was not used."""

    def __init__(self, evidence: Mapping[str, Answer], needs: Sequence[Need], owner: Owner) -> None:
        self._find_product = Products(
            pair
            for need in needs
            if need.kind in MEDICATION_KINDS and need.key in evidence
            for pair in products_in(evidence[need.key])
        ).find
        self._found: dict[str, dict[object, tuple[Raw | bytes, str, tuple[Any, ...]]]] = {}
        self._owner = owner
        self._moments = elements.Moments()
        self.unreadable: dict[str, int] = {}
        self.foreign = 0

    def found(self, *kinds: str) -> tuple[Any, ...]:
        return tuple(
            [
                thing
                for kind in kinds
                for _, _, things in self._found.get(kind, {}).values()
                for thing in things
            ]
        )

    def read(self, need: Need, answer: Answer) -> bool:
        """Reads what was sent for the need; false when none of it was of use: something came,
        but nothing of this patient's that could be read, wanted or not."""
        usable = beside = 0
        types, decode, read = _KINDS[need.kind]
        context = _Context(self._owner, need.kept, self._find_product, self._moments)
        whose, references = self._owner.whose, self._owner.references
        found = self._found.setdefault(need.kind, {})
        addresses = answer.addresses or ("",) * len(answer.resources)
        for resource, address in zip(answer.resources, addresses, strict=True):
            try:
                sent = decode(resource)
            except UNDECODABLE:
                self._account_for(need, resource)
                continue
            if sent.resource_type not in types:
                if sent.resource_type is None:
                    self._count_unreadable(need)
                beside += sent.resource_type == "Medication"
                continue
            subject, patient = sent.subject, sent.patient
            mine: bool | None = True  # the usual case, without a call
            if patient is not None or subject is None or subject.reference not in references:
                mine = whose(subject, patient)
                if mine is False:
                    self.foreign += 1
                    continue
            try:
                things = read(sent, context, resource)
            except elements.Unreadable:
                self._count_unreadable(need)
                if getattr(sent, "do_not_perform", False):
                    usable += 1  # understood: it orders nothing
                else:
                    self._salvage(need, resource, mine)
                continue
            if mine is None or sent.modifier_extension or sent.implicit_rules:
                if things:
                    self._count_unreadable(need)
                    self._salvage(need, resource, mine)
                continue
            usable += 1
            if things:
                identity = sent.resource_type, sent.id
                key: object = identity
                if not sent.id or identity in found:
                    key = self._place(found, identity, address, resource)
                if key is not None:
                    found[key] = resource, address, things
        return usable > 0 or beside == len(answer.resources)

    @staticmethod
    def _place(
        found: Mapping[object, tuple[Raw | bytes, str, object]],
        identity: tuple[str, str | None],
        address: str,
        resource: Raw | bytes,
    ) -> object | None:
        """Where a resource is kept: anew, in place of an older copy of itself, or not at all.

        Two that share type and id but neither address nor order are two: none may hide another.
        """
        if not identity[1]:
            return object()
        if identity not in found:
            return identity
        before, other, _ = found[identity]
        if bytes(before) == bytes(resource):
            return None
        if address and other and address != other:
            return object()
        newer = _is_newer(resource, before)
        if newer is None:
            return object()
        return identity if newer else None

    def _salvage(self, need: Need, resource: Raw | bytes, mine: bool | None) -> None:
        """What a resource that could not be read still warns of, by its code alone.

        A problem counts as possible, an allergy as standing, an order as one to be looked at:
        none of them may vanish because some other part of it is malformed.
        """
        if mine is not True or need.kind not in (
            "Condition", "AllergyIntolerance", "MedicationRequest",
        ):  # fmt: skip
            return
        try:
            sent = _remains(resource)
        except UNDECODABLE:
            return

        def part(raw: Raw, decode: Callable[[Raw], Any]) -> Any:
            try:
                return decode(raw) if raw else None
            except UNDECODABLE:
                return None

        concept = next(
            filter(
                None,
                (
                    part(raw, _concept_alone)
                    for raw in (sent.code, sent.medication_codeable_concept, sent.substance)
                ),
            ),
            None,
        )
        codes, text = elements.codes(concept), elements.text(concept)
        certainty = elements.status(
            part(sent.verification_status, _status_alone), elements.CERTAINTY
        )[0]
        if (not codes and not text) or certainty in ("entered-in-error", "refuted"):
            return
        clinical = elements.status(
            part(sent.clinical_status, _status_alone), elements.CLINICAL_STATUS
        )[0]
        source = f"{need.kind}/{part(sent.id, _text_alone) or '(no id)'}"
        thing: Problem | Allergy | Medication
        if need.kind == "Condition":
            thing = Problem(codes, text, source, clinical, certainty, uncertain_status=not clinical)
        elif need.kind == "AllergyIntolerance":
            thing = Allergy(codes, text, source, clinical, certainty)
        else:
            thing = Medication("order", (), text, "active", source)
        self._found.setdefault(need.kind, {})[object()] = resource, "", (thing,)

    def _account_for(self, need: Need, resource: Raw | bytes) -> None:
        """Count what could not be decoded, unless enough of it can be to know it is not wanted."""
        kind = _KINDS[need.kind]
        resource_type = _type_of(resource)
        if resource_type is not None and resource_type not in kind.types:
            return
        mine: bool | None = None
        try:
            named = _subject_only(resource)
            mine = self._owner.is_meant_by(named.subject or named.patient)
            if mine is False:
                self.foreign += 1
                return
        except UNDECODABLE:
            pass
        try:
            coded = _code_only(resource)
            codes = elements.codes(coded.code)
            alone = coded.component is None
            if alone and codes and need.kept and not _carries(codes, need.kept):
                return
        except UNDECODABLE:
            pass
        self._count_unreadable(need)
        self._salvage(need, resource, mine)

    def _count_unreadable(self, need: Need) -> None:
        self.unreadable[need.key] = self.unreadable.get(need.key, 0) + 1


class Products:
    """Medications by the references to them; nothing is read before one is looked for."""

    def __init__(self, products: Iterable[tuple[str, Product]]) -> None:
        self._products = products
        self._known: dict[str, Product] | None = None

    def find(self, reference: str) -> Product | None:
        if self._known is None:
            self._known = dict(self._products)
        found = self._known.get(reference)
        return found or self._known.get("/".join(last_two_segments(reference)))


def products_in(answer: Answer) -> Iterable[tuple[str, Product]]:
    """The Medications of an answer by type and id and by their full URL."""
    for number, raw in enumerate(answer.resources):
        product = _decode_product(raw)
        if product is not None:
            identity = elements.codes(product.code), elements.text(product.code)
            if product.id:
                yield f"Medication/{product.id}", identity
            if answer.addresses and answer.addresses[number]:
                yield answer.addresses[number], identity


def _is_newer(resource: Raw | bytes, other: Raw | bytes) -> bool | None:
    """Whether this copy was changed later than the other; ``None`` when nobody can say."""
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
