"""Whose every resource is, and the resources of a source sorted by child onto the disk.

A child is one wherever its resources are: in whichever file, and by whichever form of reference.
What says whose it is, of what type, and which version, is decoded here; the rest of a line stays
bytes until the reader of a call decodes it.

The children are divided into parts by a keyed hash of their ids. Each piece of the source is
written as one file with a segment for each part, so that a part is read from a few long stretches.
What only points somewhere else, an order to its Medication, a result to its child by an identifier,
is written to a segment of its own, and brought together afterwards (`pair`).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw, Struct

from cds_service.consultation.cohort.sources import Line, Piece, Trouble, lines_of, numbered
from cds_service.errors import BadRequest
from cds_service.fhir import wire
from cds_service.fhir.bundles import open_bundle
from cds_service.fhir.editions import MEDICATION_KINDS, TYPES
from cds_service.fhir.elements import last_two_segments
from cds_service.fhir.gather import UNDECODABLE
from cds_service.fhir.reading.context import identifiers_in

#: So many of one piece are reported by line; all are counted.
MOST_TOLD = 100
_DRUGS = frozenset().union(*(TYPES[kind] for kind in MEDICATION_KINDS))


class Kept(Struct, frozen=True, array_like=True, gc=False):
    """A resource as it was sent, with what was read of it to sort it: "" where it has none."""

    child: str
    kind: str
    id: str
    version: str
    updated: str
    address: str
    resource: bytes


class Joint(Struct, frozen=True, array_like=True, gc=False):
    """One side of a ``key`` that two share: a child, or a resource that a child is to have."""

    key: str
    child: str
    kept: Kept | None


class Segments(Struct, frozen=True):
    """A file of one piece: where the segment of each part begins, and the end of the last. First
    come the children of every part, then the joints of every part."""

    file: str
    begins: tuple[int, ...]


class Split(Struct, frozen=True):
    """What one piece came to. ``types`` counts what is used and ``beside`` what no guideline asks
    for, by type; ``nobody`` what says of no child that it is its own."""

    files: tuple[Segments, ...]
    types: Mapping[str, int]
    beside: Mapping[str, int]
    nobody: Mapping[str, int]
    troubles: tuple[Trouble, ...]
    trouble_count: int
    bundles: bool
    lines: bool


class Parts(Struct, frozen=True):
    """How children are divided into so many parts; ``key`` makes their order untraceable."""

    count: int
    key: bytes

    def order_of(self, child: str) -> bytes:
        return blake2b(child.encode(), digest_size=16, key=self.key).digest()

    def of(self, child: str) -> int:
        return int.from_bytes(self.order_of(child)[:4], "big") * self.count >> 32


class _Meta(wire.Wire):
    version_id: str | None = None
    last_updated: str | None = None


class _Sent(wire.Wire):
    resource_type: str | None = None
    id: str | None = None
    subject: wire.Reference | None = None
    patient: wire.Reference | None = None
    about: wire.Reference | None = msgspec.field(name="for", default=None)
    meta: _Meta | None = None
    identifier: Any = None
    medication_reference: wire.Reference | None = None
    medication: Any = None


class _Typed(wire.Wire):
    resource_type: str | None = None
    id: str | None = None


_sent = msgspec.json.Decoder(_Sent).decode
_typed = msgspec.json.Decoder(_Typed).decode
_members = msgspec.json.Decoder(dict[str, Raw]).decode
_contained = msgspec.json.Decoder(wire.ContainedOnly).decode
_pack = msgspec.msgpack.Encoder().encode


def _decoded(resource: bytes) -> _Sent:
    """What sorts a resource; a member that has another shape than FHIR's is as if it were not
    there. Raises what is in `UNDECODABLE` where it is not a JSON object."""
    if not resource.isascii():
        resource.decode()
    try:
        return _sent(resource)
    except msgspec.ValidationError:
        found = _Sent()
        for name, value in _members(resource).items():
            try:
                alone = _sent(b"{%s:%s}" % (msgspec.json.encode(name), bytes(value)))
            except UNDECODABLE:
                continue
            for member in alone.__struct_fields__:
                if (read := getattr(alone, member)) is not None:
                    setattr(found, member, read)
        return found


class Owner(NamedTuple):
    """Of which child a resource is: by id, by business identifiers to be looked for, or ``why``
    of none."""

    child: str = ""
    keys: tuple[str, ...] = ()
    why: str = ""


def owner_of(sent: _Sent, resource: bytes, aliases: Mapping[str, str]) -> Owner:
    """By the same forms of reference as the reader of a call."""
    if sent.resource_type == "Patient":
        return Owner(sent.id) if sent.id else Owner(why="a patient without an id")
    named = [one for one in (sent.subject, sent.patient) if one is not None]
    if not named and sent.about is not None and sent.resource_type == "Task":
        named = [sent.about]
    if not named:
        return Owner(why="it names no patient")
    found = [_pointed(one, resource, aliases) for one in named]
    if any(one != found[0] for one in found):
        return Owner(why="it names two patients")
    return found[0]


def _pointed(named: wire.Reference, resource: bytes, aliases: Mapping[str, str]) -> Owner:
    written = named.reference
    if not written:
        return _by_identifiers(named.identifier)
    if written in aliases:
        return Owner(aliases[written])
    if written.startswith("urn:uuid:"):
        return Owner(written.removeprefix("urn:uuid:"))
    if written.startswith("#"):
        return _by_contained(written[1:], resource)
    kind, identity = last_two_segments(written)
    if kind == "Patient" and identity:
        return Owner(identity)
    return Owner(why="it is not about a patient" if kind else "its reference cannot be read")


def _by_identifiers(identifier: object) -> Owner:
    pairs = sorted(identifiers_in(identifier))
    if not pairs:
        return Owner(why="it names no patient")
    return Owner(keys=tuple([_identifier_key(*pair) for pair in pairs]))


def _identifier_key(system: str, value: str) -> str:
    return f"identifier {system} {value}"


def _by_contained(identity: str, resource: bytes) -> Owner:
    try:
        for one in _contained(resource).contained or ():
            held = msgspec.json.decode(one, type=wire.Identified)
            if held.resource_type == "Patient" and (held.id or "").lstrip("#") == identity:
                return _by_identifiers(held.identifier)
    except UNDECODABLE:
        pass
    return Owner(why="its reference cannot be read")


def medication_of(sent: _Sent) -> str:
    """The key of the Medication that an order points to, "" for none or one it contains."""
    if sent.resource_type not in _DRUGS:
        return ""
    pointed = sent.medication_reference.reference if sent.medication_reference else None
    if not pointed and isinstance(sent.medication, dict):
        inner = sent.medication.get("reference")
        pointed = inner.get("reference") if isinstance(inner, dict) else inner
    if not isinstance(pointed, str) or pointed.startswith("#"):
        return ""
    return _medication_key(pointed)


def _medication_key(reference: str) -> str:
    kind, identity = last_two_segments(reference)
    return f"medication {identity if kind == 'Medication' else reference}"


# --- a piece ---------------------------------------------------------------------------------


class Splitter:
    """Sorts the resources of one piece into files of a folder. What no need of ``kinds`` asks for
    is counted and left out; at most ``room`` bytes are held before they are written."""

    def __init__(
        self,
        parts: Parts,
        kinds: frozenset[str],
        room: int,
        folder: Path,
        children: frozenset[str] | None = None,
    ) -> None:
        self._parts, self._kinds, self._room, self._folder = parts, kinds, room, folder
        self._children = children

    def split(self, source: Path, piece: Piece, name: str) -> Split:
        self._segments: list[list[bytes]] = [[] for _ in range(2 * self._parts.count)]
        self._held, self._name, self._files = 0, name, list[Segments]()
        reader = Reader(piece.file, self._kinds, self._kept, self._joint, self._children)
        told = list[Trouble]()
        for line in lines_of(source, piece, told):
            reader.read(line)
        self._write()
        found = reader.found(told)
        return msgspec.structs.replace(
            found,
            files=tuple(self._files),
            troubles=tuple(numbered(source, piece, found.troubles)),
        )

    def _kept(self, kept: Kept) -> None:
        self._add(self._parts.of(kept.child), _pack(kept))

    def _joint(self, joint: Joint) -> None:
        self._add(self._parts.count + self._parts.of(joint.key), _pack(joint))

    def _add(self, segment: int, packed: bytes) -> None:
        self._segments[segment].append(packed)
        self._held += len(packed)
        if self._held > self._room:
            self._write()

    def _write(self) -> None:
        if not self._held:
            return
        file = f"{self._name}-{len(self._files)}.split"
        self._files.append(write_segments(self._folder, file, self._segments))
        self._held = 0
        self._segments = [[] for _ in self._segments]


class Reader:
    """Hands on whose each resource of a file's lines is, and counts what is none's: to ``keep``
    what is a child's, to ``join`` what only points to something else. Of ``children``
    alone, where they are given."""

    def __init__(
        self,
        file: str,
        kinds: frozenset[str],
        keep: Callable[[Kept], None],
        join: Callable[[Joint], None],
        children: frozenset[str] | None = None,
    ) -> None:
        self._children = children
        self._file, self._kinds, self._keep, self._join = file, kinds, keep, join
        self._types, self._beside, self._nobody = Counter[str](), Counter[str](), Counter[str]()
        self._troubles, self._count = list[Trouble](), 0
        self._bundles = self._plain = False

    def found(self, before: Iterable[Trouble] = ()) -> Split:
        """What the lines came to, and what was wrong ``before`` they were lines."""
        told = [*before]
        return Split(
            (), self._types, self._beside, self._nobody,
            (*told, *self._troubles)[:MOST_TOLD], self._count + len(told),
            self._bundles, self._plain,
        )  # fmt: skip

    def tell(self, number: int, what: str) -> None:
        self._count += 1
        if len(self._troubles) < MOST_TOLD:
            self._troubles.append(Trouble(self._file, number, what))

    def read(self, line: Line) -> None:
        try:
            sent = _decoded(line.content)
        except msgspec.ValidationError:
            if line.number == 0 and line.content.lstrip()[:1] == b"[":
                self._listed(line)
            else:
                self.tell(line.number, "it is not a FHIR resource")
            return
        except UNDECODABLE:
            self._broken(line)
            return
        if sent.resource_type == "Bundle":
            self._bundle(line)
            return
        self._plain = True
        self._resource(line.content, sent, "", {}, line.number)

    def _broken(self, line: Line) -> None:
        """A document that is none may be lines after all, the first of them broken."""
        whole = line.content.splitlines() if line.number == 0 else []
        if len(whole) < 2 or not any(map(_is_object, whole)):
            self.tell(line.number, "it cannot be read as JSON")
            return
        for number, one in enumerate(whole, 1):
            if one.strip():
                self.read(Line(number, one.strip()))

    def _listed(self, line: Line) -> None:
        try:
            found = msgspec.json.decode(line.content, type=list[Raw])
        except UNDECODABLE:
            self.tell(line.number, "it cannot be read as JSON")
            return
        for number, one in enumerate(found, 1):
            self.read(Line(number, bytes(one)))

    def _bundle(self, line: Line) -> None:
        try:
            bundle = open_bundle(line.content)
        except BadRequest as error:
            self.tell(line.number, error.text)
            return
        self._bundles = True
        entries = [(one, bytes(one.resource)) for one in bundle.entries]
        aliases = {}
        for one, resource in entries:
            if one.kind == "Patient" and one.address:
                aliases[one.address] = _typed(resource).id or ""
        for one, resource in entries:
            try:
                sent = _decoded(resource)
            except UNDECODABLE:
                self.tell(line.number, "an entry of the Bundle cannot be read")
                continue
            for alias, child in aliases.items():
                resource = resource.replace(f'"{alias}"'.encode(), f'"Patient/{child}"'.encode())
            self._resource(resource, sent, one.address, aliases, line.number)

    def _resource(
        self,
        resource: bytes,
        sent: _Sent,
        address: str,
        aliases: Mapping[str, str],
        number: int,
    ) -> None:
        kind = sent.resource_type or ""
        if kind not in self._kinds:
            self._beside[kind or "(no type)"] += 1
            return
        meta = sent.meta or _Meta()
        kept = Kept(
            "", kind, sent.id or "", meta.version_id or "", meta.last_updated or "", address,
            resource,
        )  # fmt: skip
        self._types[kind] += 1
        if kind == "Medication":
            for key in {_medication_key(f"Medication/{kept.id}"), _medication_key(address)}:
                if key not in ("medication ", "medication Medication/"):
                    self._join(Joint(key, "", kept))
            return
        owner = owner_of(sent, resource, aliases)
        if owner.why:
            self._nobody[f"{kind}: {owner.why}"] += 1
            self.tell(number, f"{kind} of no child: {owner.why}")
        for key in owner.keys:
            self._join(Joint(key, "", kept))
        if owner.child:
            self._of_child(msgspec.structs.replace(kept, child=owner.child), sent)

    def _of_child(self, kept: Kept, sent: _Sent) -> None:
        if self._children is not None and kept.child not in self._children:
            self._nobody[f"{kept.kind}: its child is not of the group"] += 1
            return
        self._keep(kept)
        if kept.kind == "Patient":
            for pair in identifiers_in(sent.identifier):
                self._join(Joint(_identifier_key(*pair), kept.child, None))
        elif key := medication_of(sent):
            self._join(Joint(key, kept.child, None))


def _is_object(line: bytes) -> bool:
    try:
        return bool(_typed(line).resource_type)
    except UNDECODABLE:
        return False


# --- files of segments -------------------------------------------------------------------------


def write_segments(folder: Path, name: str, segments: Iterable[list[bytes]]) -> Segments:
    """All segments in one file, which is there whole or not at all."""
    begins, position = [0], 0
    unfinished = folder / f"{name}.unfinished"
    with unfinished.open("wb") as file:
        for items in segments:
            if items:
                content = b"\xdd" + len(items).to_bytes(4, "big") + b"".join(items)
                position += file.write(content)
            begins.append(position)
    os.replace(unfinished, folder / name)
    return Segments(name, tuple(begins))


_kept = msgspec.msgpack.Decoder(list[Kept]).decode
_joints = msgspec.msgpack.Decoder(list[Joint]).decode


def _segment(folder: Path, files: Iterable[Segments], number: int) -> Iterator[bytes]:
    for one in files:
        begin, end = one.begins[number], one.begins[number + 1]
        if end > begin:
            with (folder / one.file).open("rb") as file:
                file.seek(begin)
                yield file.read(end - begin)


def read_part(folder: Path, files: Iterable[Segments], part: int) -> Iterator[Kept]:
    for content in _segment(folder, files, part):
        yield from _kept(content)


def read_joints(folder: Path, files: Iterable[Segments], number: int) -> Iterator[Joint]:
    for content in _segment(folder, files, number):
        yield from _joints(content)


# --- what only points ----------------------------------------------------------------------------


class Paired(Struct, frozen=True):
    """What was brought together: to be read with the parts. ``nobody`` counts by type what has an
    identifier of no child, or of several."""

    file: Segments
    nobody: Mapping[str, int]


def pair(folder: Path, files: tuple[Segments, ...], parts: Parts, number: int) -> Paired:
    """Gives every child of part ``number`` of the joints the resources that it shares a key with.

    A resource with an identifier of two children belongs to neither; a Medication belongs to every
    child whose orders point to it.
    """
    children: dict[str, set[str]] = {}
    resources: dict[str, list[Kept]] = {}
    for joint in read_joints(folder, files, parts.count + number):
        if joint.kept is None:
            children.setdefault(joint.key, set()).add(joint.child)
        else:
            resources.setdefault(joint.key, []).append(joint.kept)
    segments: list[list[bytes]] = [[] for _ in range(parts.count)]
    nobody = Counter[str]()
    for key in sorted(resources, key=parts.order_of):
        for one in shared(key, children.get(key, set()), resources[key], nobody):
            segments[parts.of(one.child)].append(_pack(one))
    return Paired(write_segments(folder, f"pair-{number:04}.split", segments), nobody)


def shared(
    key: str, children: Iterable[str], resources: Iterable[Kept], nobody: Counter[str]
) -> Iterator[Kept]:
    """The resources of one key, for every child that has it; ``nobody`` counts those of none."""
    of = sorted(children)
    if key.startswith("identifier ") and len(of) != 1:
        why = "several patients" if of else "no patient"
        nobody.update(f"{one.kind}: its identifier is that of {why}" for one in resources)
        return
    for child in of:
        for one in resources:
            yield msgspec.structs.replace(one, child=child)
