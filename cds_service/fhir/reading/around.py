"""What is around a child and read only where a client sends it: its family's diseases, and tasks
that are already open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec
from msgspec import Raw

from cds_service.clinical import Need, OpenTask, Relative, Unread
from cds_service.fhir import elements, wire
from cds_service.fhir.gather import UNDECODABLE, Answer
from cds_service.fhir.reading.context import Owner

#: Statuses of a task that somebody still has to see to.
_OPEN = frozenset({"draft", "requested", "received", "accepted", "ready", "in-progress", "on-hold"})
_NEVER_WAS = frozenset({"entered-in-error", "health-unknown"})

_family = msgspec.json.Decoder(wire.FamilyHistory).decode
_task = msgspec.json.Decoder(wire.Task).decode


class Around(NamedTuple):
    """The relatives with what they have, the open tasks, and what could not be read."""

    relatives: tuple[Relative, ...] = ()
    tasks: tuple[OpenTask, ...] = ()
    unread: tuple[Unread, ...] = ()


def read_around(evidence: Mapping[str, Answer], needs: Sequence[Need], owner: Owner) -> Around:
    """Everything of this patient that was sent for needs that are only welcome."""
    relatives: list[Relative] = []
    tasks: list[OpenTask] = []
    unread: list[Unread] = []
    for need in needs:
        if need.importance != "welcome" or need.key not in evidence:
            continue
        for resource, _ in evidence[need.key].each():
            try:
                if need.kind == "Task":
                    tasks += _open_task(resource, owner)
                else:
                    relatives += _relative(resource, owner)
            except UNDECODABLE:
                unread.append(Unread(need.key, "undecodable"))
    return Around(tuple(relatives), tuple(tasks), tuple(unread))


def _relative(resource: Raw | bytes, owner: Owner) -> Iterator[Relative]:
    sent = _family(resource)
    mine = sent.resource_type == "FamilyMemberHistory" and owner.is_meant_by(sent.patient)
    if not mine or sent.status in _NEVER_WAS or sent.modifier_extension or sent.implicit_rules:
        return
    role = elements.text(sent.relationship) or sent.name or ""
    codes = elements.codes(sent.relationship)
    diseases = tuple(filter(None, (elements.text(one.code) for one in sent.condition or ())))
    coded = tuple(code for one in sent.condition or () for code in elements.codes(one.code))
    yield Relative(role, codes, diseases, coded)


def _open_task(resource: Raw | bytes, owner: Owner) -> Iterator[OpenTask]:
    sent = _task(resource)
    mine = sent.resource_type == "Task" and owner.is_meant_by(sent.about)
    if mine and sent.status in _OPEN and not sent.modifier_extension and not sent.implicit_rules:
        words = filter(None, (sent.description, elements.text(sent.code)))
        yield OpenTask(" ".join(words))
