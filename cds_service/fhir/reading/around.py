"""What is around a child and read only where a client sends it: its family's diseases, and tasks
that are already open."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from cds_service.clinical import Code, Need, OpenTask, Reason, Relative, Unread, in_short
from cds_service.fhir import elements, wire
from cds_service.fhir.editions import TYPES
from cds_service.fhir.gather import UNDECODABLE, Answer
from cds_service.fhir.reading.context import Owner, are_known, source_of

#: Statuses of a task that someone still has to see to, and of one that no one has.
_OPEN = frozenset({"draft", "requested", "received", "accepted", "ready", "in-progress", "on-hold"})
_CLOSED = frozenset({"rejected", "cancelled", "failed", "completed", "entered-in-error"})
#: Statuses of a family history: one of the first says something, the others say nothing.
_TELLING = frozenset({"", "partial", "completed"})
_NEVER_WAS = frozenset({"entered-in-error", "health-unknown"})
#: HL7's codes of who someone is to a patient, under the addresses of all versions.
_ROLE_SYSTEMS = frozenset({
    "http://terminology.hl7.org/CodeSystem/v3-RoleCode", "http://hl7.org/fhir/v3/RoleCode",
    "http://hl7.org/fhir/familial-relationship", "urn:oid:2.16.840.1.113883.5.111",
})  # fmt: skip

_family = msgspec.json.Decoder(wire.FamilyHistory).decode
_task = msgspec.json.Decoder(wire.Task).decode
_type_only = msgspec.json.Decoder(wire.TypeOnly).decode


class Around:
    """The relatives with what they have, the open tasks, and what was sent and not used."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self.relatives: list[Relative] = []
        self.tasks: list[OpenTask] = []
        self.unread: list[Unread] = []

    def read(self, need: Need, answer: Answer) -> None:
        """Everything of this patient that was sent for a need that is only welcome."""
        for resource, _ in answer.each():
            try:
                resource_type = _type_only(resource).resource_type
                if resource_type is None:
                    self._leave_out(need, "undecodable")
                elif resource_type not in TYPES[need.kind]:
                    self._leave_out(need, "another kind", name=resource_type)
                elif need.kind == "Task":
                    self._read_task(need, _task(resource), resource)
                else:
                    self._read_relative(need, _family(resource), resource)
            except UNDECODABLE:
                self._leave_out(need, "undecodable")

    def _read_relative(self, need: Need, sent: wire.FamilyHistory, resource: Raw | bytes) -> None:
        status = sent.status or ""
        if not self._is_to_be_read(need, sent, sent.patient, resource) or status in _NEVER_WAS:
            return
        source = source_of(sent)
        if status not in _TELLING:
            self._leave_out(need, "status", source=source)
            return
        self.relatives.append(self._relative(need, sent, source))

    def _relative(self, need: Need, sent: wire.FamilyHistory, source: str) -> Relative:
        role = elements.text(sent.relationship) or sent.name or ""
        codes = elements.codes(sent.relationship)
        if not role and not any(one.system in _ROLE_SYSTEMS for one in codes):
            self._leave_unknown(need, sent.relationship, source)
        diseases: list[str] = []
        coded: list[Code] = []
        notes = [elements.notes(sent.note)]
        for one in sent.condition or ():
            named = elements.codes(one.code)
            coded += named
            diseases.append(elements.text(one.code))
            notes.append(elements.notes(one.note))
            if not are_known(named, need.local):
                self._leave_unknown(need, one.code, source)
        written = "\n".join(filter(None, notes))
        return Relative(role, codes, tuple(filter(None, diseases)), tuple(coded), source, written)

    def _read_task(self, need: Need, sent: wire.Task, resource: Raw | bytes) -> None:
        if not self._is_to_be_read(need, sent, sent.about, resource) or sent.status in _CLOSED:
            return
        source = source_of(sent)
        words = " ".join(filter(None, (sent.description, elements.text(sent.code))))
        if sent.status not in _OPEN:
            self._leave_out(need, "status", words, source)
        elif words:
            self.tasks.append(OpenTask(words))
        elif not are_known(elements.codes(sent.code), need.local):
            self._leave_unknown(need, sent.code, source)

    def _is_to_be_read(
        self,
        need: Need,
        sent: wire.FamilyHistory | wire.Task,
        whose: wire.Reference | None,
        resource: Raw | bytes,
    ) -> bool:
        mine = self._owner.is_meant_by(whose, resource)
        if mine is False:
            self._leave_out(need, "another patient")
        elif mine is None or sent.modifier_extension or sent.implicit_rules:
            self._leave_out(need, "undecodable", source=source_of(sent))
        else:
            return True
        return False

    def _leave_out(self, need: Need, reason: Reason, name: str = "", source: str = "") -> None:
        self.unread.append(Unread(need.key, reason, in_short(name), source=source))

    def _leave_unknown(self, need: Need, concept: wire.Concept | None, source: str) -> None:
        """Leaves out what has no code of a system known here."""
        codes, name = elements.codes(concept), in_short(elements.text(concept))
        if codes:
            system, code = codes[0].system, codes[0].code
            self.unread.append(Unread(need.key, "code system", name, system, code, source))
        else:
            self.unread.append(Unread(need.key, "no code", name, source=source))
