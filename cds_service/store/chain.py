"""The chain over what is kept: each row has a hash of what it says and of the hash before it.

Every process that writes has a chain of its own, since several write at once. Its number 0 is how
it began: it names the chain that began before it and how far that had come, so that no chain can
be taken out unnoticed. What is forgotten leaves its last hash, from which the next row follows.

Free words are not part of it: they may have to be removed, and encrypted with another key. Nor are
members without a value, so that a row means the same when a later version adds a column.

It proves that what is there follows from a hash that someone else has kept. Someone who can rewrite
the whole database can also make a new chain over it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec

Row = Mapping[str, Any]

CALL, FEEDBACK = "call", "feedback"
#: What is not part of a hash: what a row has of its chain, and what of feedback are free words.
_LINK = frozenset(("chain", "number", "hash"))
_MOMENTS = frozenset(("at", "received_at", "outcome_at", "began"))
_FREE_WORDS = ("comment", "extension", "sealed")
_is_uuid = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}").fullmatch


class Head(NamedTuple):
    """How far a chain has come: the hash of its last row, 0 for how it began."""

    chain: str
    number: int
    hash: str

    def then(self, kind: str, content: bytes) -> Head:
        """The chain with one row more."""
        number = self.number + 1
        link = sha256(f"{self.chain}|{self.hash}|{number}|{kind}|".encode() + content)
        return Head(self.chain, number, link.hexdigest())


def begin(began: Row) -> Head:
    """A chain that begins as said in its row of ``chains``."""
    return Head(began["chain"], 0, sha256(_written(_said(began))).hexdigest())


def of_call(row: Row, cards: Iterable[Row], suggestions: Sequence[Row]) -> bytes:
    """What the chain says of a call: all of it."""
    said = _said(row)
    said["cards"] = [_said(one) for one in cards]
    said["suggestions"] = suggestions
    return _written(said)


def of_feedback(row: Row, accepted: Iterable[str], reasons: Iterable[Row]) -> bytes:
    """What the chain says of an item of feedback: all but free words. An id that is not a UUID and
    a reason that was not offered count as such."""
    said = _said(row)
    for name in _FREE_WORDS:
        said.pop(name, None)
    said["card"] = row["card"] if _is_uuid(row["card"]) else ""
    said["accepted"] = [one if _is_uuid(one) else "" for one in accepted]
    said["reasons"] = [[one["system"], one["code"]] if one["offered"] else [] for one in reasons]
    return _written(said)


def _said(row: Row) -> dict[str, Any]:
    """The same for what a worker writes and for what either database gives back."""
    said = {name: value for name, value in row.items() if value is not None}
    for name in _LINK.intersection(said):
        del said[name]
    for name in _MOMENTS.intersection(said):
        if isinstance(said[name], datetime):  # as `ledger` writes it where there are no moments
            moment = said[name].astimezone(UTC).replace(tzinfo=None)
            said[name] = moment.isoformat(" ", "microseconds")
    return said


def _written(said: Mapping[str, Any]) -> bytes:
    return msgspec.json.encode(said, order="sorted")


# --- holding what is kept against its chains ----------------------------------------------------


class Pruned(NamedTuple):
    """Rows of a chain that were forgotten, the hash of the last, and when the youngest was made."""

    chain: str
    first: int
    last: int
    hash: str
    until: datetime

    def joined(self, other: Pruned) -> Pruned | None:
        """Both as one, where they meet."""
        first, second = sorted((self, other), key=lambda one: one.first)
        if first.last + 1 != second.first:
            return None
        until = max(first.until, second.until)
        return Pruned(self.chain, first.first, second.last, second.hash, until)


def joined(pruned: Iterable[Pruned]) -> list[Pruned]:
    """As few as say the same."""
    found: list[Pruned] = []
    for one in sorted(pruned, key=lambda one: (one.chain, one.first)):
        both = found[-1].joined(one) if found and found[-1].chain == one.chain else None
        found[-1:] = [both] if both else [*found[-1:], one]
    return found


#: The place of what is of no chain that is there.
_AFTER_ALL = 1 << 62


class Broken(NamedTuple):
    """The first place of a chain that does not hold, and why, in words."""

    place: int
    number: int
    words: str


class Verification:
    """What is kept, held against its chains, whose rows are given to `row` in order.

    ``wanted`` are hashes that were kept elsewhere; ``found`` says for some where they are.
    """

    def __init__(
        self, chains: Iterable[Row], pruned: Iterable[Pruned], wanted: Sequence[str] = ()
    ) -> None:
        self.chains = {one["chain"]: one for one in sorted(chains, key=lambda one: one["place"])}
        self.pruned = list(pruned)
        self._wanted = frozenset(wanted)
        self.found: dict[str, str] = {}
        self.rows = 0
        self._gaps = {(one.chain, one.first): one for one in self.pruned}
        self._broken: dict[str, Broken] = {}
        self._heads = {name: begin(one) for name, one in self.chains.items()}
        self._named: dict[tuple[str, int], list[Row]] = {}
        first = next(iter(self.chains), "")
        for name, one in self.chains.items():
            if one["previous"] in self.chains:
                self._named.setdefault((one["previous"], one["previous_number"] or 0), []).append(
                    one
                )
            elif name != first:
                gone = f"it names chain {one['previous']} before it, which is not there"
                self._break(name, 0, f"chain {name} does not hold: {gone}")
        for head in self._heads.values():
            self._reached(head, "the beginning of its chain")

    @property
    def broken(self) -> list[Broken]:
        """The first broken place of every chain that is broken, in the order the chains began."""
        return sorted(self._broken.values())

    def row(self, kind: str, name: str, link: Head, content: bytes) -> None:
        """The next row: ``link`` is what it has of its chain."""
        self.rows += 1
        if link.chain in self._broken:
            return
        words = f"{kind} {name} (row {link.number} of chain {link.chain})"
        if link.chain not in self.chains:
            self._break(link.chain, link.number, f"{words} is of a chain that is not there")
            return
        head = self._over_gaps(link.chain, link.number)
        if link.number <= head.number:
            self._break(link.chain, link.number, f"{words} is out of its place")
        elif head.number + 1 != link.number:
            self._missing(head, link.number - 1, f" before {words}")
        elif head.then(kind, content) != link:
            self._break(link.chain, link.number, f"{words} was changed, or is not what was written")
        else:
            self._heads[link.chain] = link
            self._reached(link, words)

    def end(self, overrides: Iterable[Row], named: Iterable[str]) -> None:
        """There are no more rows. A site's settings are known by the hash of what they say;
        ``named`` are those that calls of the chains were answered under."""
        for name, one in self.chains.items():
            head = self._over_gaps(name, one["number"] + 1)
            if name in self._broken:
                continue
            if head.number < one["number"]:
                self._missing(head, one["number"], f" at the end of chain {name}")
            elif head[1:] != (one["number"], one["hash"]):
                words = f"chain {name} should end with row {one['number']}, and does not"
                self._break(name, head.number, words)
        for (chain, number), by in self._named.items():
            if number > self._heads[chain].number and chain not in self._broken:
                self._missing(self._heads[chain], number, f", which chain {by[0]['chain']} names")
        said = {sha256(one["text"].encode()).hexdigest() for one in overrides}
        for digest in sorted({*named, *(one["digest"] for one in overrides)} - said):
            words = f"the settings {digest[:12]} (table overrides) were changed or removed"
            self._break(digest, 0, words)

    def _over_gaps(self, chain: str, before: int) -> Head:
        """The chain, with what was pruned after its last row and before another."""
        head = self._heads[chain]
        gap = self._gaps.get((chain, head.number + 1))
        if gap is not None and gap.last < before:
            head = self._heads[chain] = Head(chain, gap.last, gap.hash)
            self._reached(head, f"the last pruned row, {gap.last}, of chain {chain}")
        return head

    def _reached(self, head: Head, words: str) -> None:
        if head.hash in self._wanted:
            self.found[head.hash] = words
        for by in self._named.get((head.chain, head.number), ()):
            if by["previous_hash"] != head.hash:
                words = f"{words} is not what chain {by['chain']} found there when it began"
                self._break(head.chain, head.number, words)

    def _missing(self, head: Head, last: int, where: str) -> None:
        first = head.number + 1
        rows = f"row {first} is" if first == last else f"rows {first} to {last} are"
        words = f"{rows} missing of chain {head.chain}{where}"
        self._break(head.chain, first, words)

    def _break(self, chain: str, number: int, words: str) -> None:
        place = self.chains[chain]["place"] if chain in self.chains else _AFTER_ALL
        self._broken.setdefault(chain, Broken(place, number, words))
