"""Orders that others wrote, changed: only what is revised, and whatever would contradict it.

A resource is changed as little as can be: what is not revised stays byte for byte as it was sent,
in the FHIR version it was sent in. Yet an order says its dose in more places than one: in the
narrative, the instruction as rendered, the supply, the period, notes. Whatever would still say the
old order is taken out and named, since a pharmacy may go by any of them. A note that states no
amount cannot be judged, and stays.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec
from msgspec import Raw

from cds_service.clinical import (
    PRIORITIES,
    UNITS,
    Draft,
    DraftDosage,
    PlannedDrug,
    Priority,
    RevisedDrug,
    StoppedDrug,
    dose_unit,
)
from cds_service.fhir import loose
from cds_service.fhir.editions import DRUGS, WRITING, Writing
from cds_service.fhir.elements import Unreadable
from cds_service.fhir.gather import UNDECODABLE

Resource: TypeAlias = Mapping[str, Any]

_local_references = re.compile(rb'"#[^"]*"').findall
_encode = msgspec.json.Encoder(decimal_format="number").encode
_decode_members = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_items = msgspec.json.Decoder(list[Raw]).decode
_NOTHING = (b"null", b"[]", b"{}")

#: What is taken out of an order because it would still say the old one: its narrative, the
#: instruction as rendered, the period of treatment, what was to be dispensed, what was stated of
#: substitutes, instructions in words, the site and method, whatever else states the old dose; or
#: the old name of the drug, which states it.
Stale: TypeAlias = Literal[
    "narrative", "rendered", "period", "supply", "substitution", "words", "site", "statements",
    "name",
]  # fmt: skip


class Revision(NamedTuple):
    """A resource to be saved; ``left_out`` says what no longer fitted and went, ``raised`` the
    priority that it has now in place of a lower one."""

    resource: Resource
    left_out: tuple[Stale, ...] = ()
    raised: Priority | None = None


def is_partial(resource: bytes) -> bool:
    """Whether the resource says that it is only a part of itself (tagged SUBSETTED).

    Saving it would remove what was left out. The code counts under any system: it has had several
    addresses, and servers leave it away.
    """
    try:
        meta = loose.members(loose.decode(bytes(_decode_members(resource).get("meta", b"null"))))
    except (*UNDECODABLE, Unreadable):
        return False
    tags = (one for one in loose.many(meta.get("tag")) if isinstance(one, dict))
    return any(loose.text(one.get("code")).upper() == "SUBSETTED" for one in tags)


# --- an order of the record ------------------------------------------------------------------


def stopped(plan: StoppedDrug) -> Revision:
    """The whole order as the record has it, byte for byte, but stopped; a generated narrative
    that names its old status goes."""
    sent = _decode_members(plan.resource)
    left_out: tuple[Stale, ...] = ()
    if "text" in sent and _shows_status(sent["text"], sent.get("status")):
        sent.pop("text")
        left_out = ("narrative",)
    return Revision({**sent, "status": "stopped"}, left_out)


def _shows_status(narrative: Raw, status: Raw | None) -> bool:
    said = _json(narrative)
    word = _json(status)
    if not isinstance(said, dict) or not isinstance(word, str) or not word:
        return False
    generated = said.get("status") in ("generated", "extensions")
    return generated and word in loose.text(said.get("div")).lower()


# --- a draft ---------------------------------------------------------------------------------


def revised(
    plan: RevisedDrug,
    *,
    required: Resource,
    medication: Resource,
    dosages: Sequence[Resource],
    route: Resource,
) -> Revision:
    """The whole draft byte for byte, but for what is revised and what FHIR would refuse.

    A resource we suggest must be one a server can save, whatever a form left undone: what is
    ``required`` and missing is filled in, an object becomes the array that belongs there, and
    members that say nothing go, since FHIR has neither null nor empty ones. ``medication``,
    ``dosages`` and ``route`` are the new ones, in the shape of the draft's version.
    """
    draft, drug, parts = plan.draft, plan.drug, plan.parts
    how = WRITING[draft.edition]
    sent = _decode_members(draft.resource)
    made = _Made({
        name: _in_array(value) if name in how.arrays else value
        for name, value in sent.items()
        if bytes(value) not in _NOTHING
    })  # fmt: skip
    for name, value in required.items():
        made.members.setdefault(name, value)
    if not parts:
        return Revision(made.members)
    made.drop("narrative", "text")
    made.drop("rendered", "renderedDosageInstruction")
    made.drop_extensions("rendered", _ARE_RENDERED)
    stale = _stale(draft, sent, drug) if "dosage" in parts else frozenset()
    if "medication" in parts:
        _change_medication(made, medication, how, sent)
    elif _is_named_by_its_dose(sent, stale):
        _change_medication(made, medication, how, sent)
        made.left_out["name"] = None
    if "dosage" in parts:
        _change_dosage(made, dosages, stale)
    else:
        if "route" in parts:
            made.change_lines("words", route)
        if "medication" in parts:
            made.drop_words_about(_names_gone(draft, drug), draft.dosages)
    raised = made.raise_priority(drug.priority) if how.has_priority else None
    return Revision(made.members, tuple(made.left_out), raised)


#: Parts of the addresses of extensions that say the dosage, or its period, once more: R4's
#: spelling of members of R5, and what national profiles generate.
_ARE_RENDERED = ("rendereddosageinstruction", "generateddosageinstruction")
_ARE_PERIODS = ("effectivedoseperiod",)

#: What was to be dispensed of a medication, how much and how often.
_OF_THE_SUPPLY = frozenset({
    "quantity", "numberOfRepeatsAllowed", "expectedSupplyDuration", "initialFill",
    "dispenseInterval",
})  # fmt: skip
#: Where a line of a dosage says in words what it says, and where and how a drug is given.
_IN_WORDS = ("text", "patientInstruction", "additionalInstruction", "additionalInstructions")
_OF_THE_ROUTE = ("site", "siteCodeableConcept", "siteReference", "method")


def _bare(member: str) -> str:
    """The member that a "_member" with extensions of a primitive belongs to."""
    return member.removeprefix("_")


class _Made:
    """The draft on its way to what it becomes, and what was taken out of it."""

    def __init__(self, members: dict[str, Any]) -> None:
        self.members = members
        self.left_out: dict[Stale, None] = {}

    def drop(self, why: Stale, *names: str) -> None:
        for member in [one for one in self.members if _bare(one) in names]:
            del self.members[member]
            self.left_out[why] = None

    def drop_extensions(self, why: Stale, parts: Iterable[str]) -> None:
        def is_one(extension: Any) -> bool:
            url = extension.get("url") if isinstance(extension, dict) else None
            return isinstance(url, str) and any(part in url.lower() for part in parts)

        self.filter("extension", why, is_one)

    def filter(self, member: str, why: Stale, is_wrong: Callable[[Any], bool]) -> None:
        """Takes the items out of an array that are wrong; any other value counts as one."""
        if member not in self.members:
            return
        items = _items_of(_in_array(self.members[member]))
        kept = [one for one in items if not is_wrong(_json(one))]
        if len(kept) == len(items):
            return
        self.left_out[why] = None
        _replace(self.members, member, kept)

    def raise_priority(self, least: Priority) -> Priority | None:
        """No less urgent than ``least``; an order without a priority is routine."""
        sent = _json(self.members.get("priority"))
        known = PRIORITIES.index(sent) if sent in PRIORITIES else 0
        if known >= PRIORITIES.index(least):
            return None
        self.members = {
            **{name: value for name, value in self.members.items() if _bare(name) != "priority"},
            "priority": least,
        }
        return least

    def drop_supply(self, *more: str) -> None:
        if "dispenseRequest" not in self.members:
            return
        supply = _members_of(self.members["dispenseRequest"])
        gone = {one for one in supply if _bare(one) in _OF_THE_SUPPLY or _bare(one) in more}
        if gone or not supply:
            self.left_out["supply"] = None
            _replace(self.members, "dispenseRequest", _without(supply, gone))

    def change_lines(self, why: Stale, route: Resource) -> None:
        """Every line by another route: without the words and the site, which say the old one."""
        lines = _items_of(self.members.get("dosageInstruction")) or [Raw(b"{}")]
        changed = []
        for line in map(_members_of, lines):
            for member in [one for one in line if _bare(one) in _IN_WORDS]:
                if not _bare(member).startswith("additional") or _names_a_route(line[member]):
                    del line[member]
                    self.left_out[why] = None
            for member in [one for one in line if _bare(one) in _OF_THE_ROUTE]:
                del line[member]
                self.left_out["site"] = None
            changed.append({**line, "route": route})
        self.members["dosageInstruction"] = changed

    def drop_words_about(self, names: frozenset[str], dosages: Sequence[DraftDosage]) -> None:
        """Words of a line that name the old drug, where its dose is elsewhere too."""
        lines = self.members.get("dosageInstruction")
        if isinstance(lines, Raw):  # else by a new route, whose lines have no words left
            lines = [_members_of(line) for line in _items_of(lines)]
        if not names or not lines or not all(one.low is not None for one in dosages):
            return
        changed = []
        for line in lines:
            kept = dict(line)
            for member in [one for one in line if _bare(one) in _IN_WORDS]:
                if not names.isdisjoint(_long_words(_json(line[member]))):
                    del kept[member]
                    self.left_out["words"] = None
            changed.append(kept)
        if "words" in self.left_out:
            self.members["dosageInstruction"] = changed


_names_route = re.compile(
    r"\b(?:(?i:muscle|intramuscular\w*|vein|intravenous\w*|skin|subcutaneous\w*|mouth|oral\w*"
    r"|swallow\w*|inject\w*|infus\w*|nose|nostrils?|nasal\w*|tongue|sublingual\w*"
    r"|i\.m\.|i\.v\.|s\.c\.|p\.o\.)|I[MV]|SC|PO)(?!\w)"
).search


def _names_a_route(sent: Raw) -> bool:
    return any(_names_route(text) for text in _texts(_json(sent)))


# --- another medication ----------------------------------------------------------------------


def _change_medication(
    made: _Made, medication: Resource, how: Writing, sent: Mapping[str, Raw]
) -> None:
    """With another medication, and without what was to be dispensed of the old one."""
    changed: dict[str, Any] = {}
    for member, value in made.members.items():
        if _bare(member) in DRUGS:
            changed[how.drug] = medication
        else:
            changed[member] = value
    changed[how.drug] = medication
    made.members = changed
    made.drop("substitution", "substitution")
    made.drop_supply(*DRUGS)
    if "contained" in changed:
        needed = _still_needed(_items_of(changed["contained"]), sent, changed)
        _replace(changed, "contained", needed)


def _still_needed(
    contained: Sequence[Raw], before: Mapping[str, Any], after: Mapping[str, Any]
) -> list[Raw]:
    """Without the resources that only the old medication led to."""
    led_to, leads_to = (_reached(contained, each) for each in (before, after))
    return [one for one in contained if bytes(one) not in led_to - leads_to]


def _reached(contained: Sequence[Raw], sent: Mapping[str, Any]) -> set[bytes]:
    """The contained resources that are referred to, from without or by one another."""
    by_reference: dict[bytes, list[bytes]] = {}
    for one in contained:
        identity = bytes(_members_of(one).get("id", b""))
        by_reference.setdefault(b'"#' + identity[1:], []).append(bytes(one))
    reached: set[bytes] = set()
    unread = [_encode({name: value for name, value in sent.items() if name != "contained"})]
    while unread:  # each text once, however long the chain
        for reference in _local_references(unread.pop()):
            found = by_reference.pop(reference, [])
            reached.update(found)
            unread += found
    return reached


_long_words_in = re.compile(r"[^\W\d_]{6,}").findall


def _long_words(value: Any) -> set[str]:
    return {word.lower() for text in _texts(value) for word in _long_words_in(text)}


#: Long words of a drug's name that name no drug.
_OF_FORMS = frozenset({
    "solution", "injection", "injectable", "tablet", "tablets", "capsule", "capsules", "ampoule",
    "ampoules", "liquid", "product", "vitamin", "preservative", "without",
})  # fmt: skip


def _names_gone(draft: Draft, drug: PlannedDrug) -> frozenset[str]:
    """The words that name the old drug and not the new one."""
    old = _long_words([draft.text, *(one.display for one in draft.codes)])
    new = _long_words([drug.name, *(one.display for one in drug.codes)])
    return frozenset(old - new - _OF_FORMS)


# --- another dosage --------------------------------------------------------------------------


def _change_dosage(made: _Made, dosages: Sequence[Resource], stale: _Amounts) -> None:
    made.drop("period", "effectiveDosePeriod")
    made.drop_extensions("period", _ARE_PERIODS)
    made.drop_supply()
    made.members["dosageInstruction"] = dosages
    if "contained" in made.members:
        _clean_contained(made, stale)
    if "dispenseRequest" in made.members:
        supply = _members_of(made.members["dispenseRequest"])
        inner = _Made(dict(supply))
        for member in supply:
            inner.filter(member, "statements", lambda item: _states(item, stale))
        if inner.left_out:
            made.left_out |= inner.left_out
            _replace(made.members, "dispenseRequest", inner.members)
    for member in [one for one in made.members if _bare(one) not in _JUDGED_APART]:
        made.filter(member, "statements", lambda item: _states(item, stale))


#: What an order is, whose and of what, where no dose is stated; and what is looked into on its own.
_JUDGED_APART = frozenset({
    "resourceType", "id", "meta", "implicitRules", "language", "identifier", "status", "intent",
    "subject", "patient", "contained", "dispenseRequest", "dosageInstruction", *DRUGS,
})  # fmt: skip


def _clean_contained(made: _Made, stale: _Amounts) -> None:
    """Contained resources without what says the dose; what a product consists of stays."""
    changed: list[Raw | Resource] = []
    for one in _items_of(made.members["contained"]):
        sent = _members_of(one)
        always = {"text"} if _json(sent.get("resourceType")) == "Medication" else set()
        stating = always | {part for part in _OF_PACKAGES if _states(_json(sent.get(part)), stale)}
        kept = _without(sent, stating)
        if len(kept) < len(sent):
            made.left_out["statements"] = None
        changed.append(kept if len(kept) < len(sent) else one)
    _replace(made.members, "contained", changed)


def _without(members: Mapping[str, Raw], names: Collection[str]) -> dict[str, Raw]:
    return {name: value for name, value in members.items() if name not in names}


#: Where a Medication of any version may say how much of it there is, or what it is for, in words.
_OF_PACKAGES = ("text", "amount", "totalVolume", "package", "extension")

_Amount: TypeAlias = tuple[str, Decimal]
_Amounts: TypeAlias = frozenset[_Amount]


def _stale(draft: Draft, sent: Mapping[str, Raw], drug: PlannedDrug) -> _Amounts:
    """The amounts that the old order gives and the new one does not."""
    supply = _members_of(sent["dispenseRequest"]) if "dispenseRequest" in sent else {}
    said = (sent.get("dosageInstruction"), supply.get("quantity"), supply.get("initialFill"))
    old = {amount for one in said for amount in _amounts(_json(one))}
    for line in draft.dosages:
        if line.schedule is None or line.schedule.most_a_day == 1:
            continue
        for one in (line.low, line.high):  # what that makes a day
            measured = _measured(one.unit or "", one.thing, one.value, one.per_kg) if one else None
            if measured is not None:
                old.add((measured[0], measured[1] * line.schedule.most_a_day))
    new = {("mass", drug.amount), *_amounts([drug.name, *(one.text for one in drug.phases)])}
    return frozenset(old - new)


#: An amount of more digits is none that a note could state.
_LARGEST = 30


def _is_named_by_its_dose(sent: Mapping[str, Raw], stale: _Amounts) -> bool:
    """Whether the drug's name in words says the old dose: "Drops 1 mg/mL, 5 mg daily"."""
    named = [_json(value) for member, value in sent.items() if member in DRUGS]
    if "contained" in sent:
        inside = (_members_of(one) for one in _items_of(_in_array(sent["contained"])))
        named += [_json(one.get("code")) for one in inside]
    while named:
        one = named.pop()
        if not isinstance(one, dict):
            continue
        named += (one.get("concept"), one.get("reference"))
        texts = (loose.text(one.get(member)) for member in ("text", "display"))
        if any(amount in stale for text in texts for amount in _amounts_in(text, strengths=False)):
            return True
    return False


def _measured(unit: str, thing: str, value: Decimal, per_kg: bool) -> _Amount | None:
    """An amount that can be compared: masses in ug, volumes in mL, things by their number."""
    if not value.is_finite() or abs(value.adjusted()) > _LARGEST:
        return None
    kind: str = thing
    if unit in UNITS:
        kind, factor = UNITS[unit]
        value *= factor
    if not kind:
        return None
    return f"{kind}/kg" if per_kg else kind, value


def _states(value: Any, stale: _Amounts) -> bool:
    return any(amount in stale for amount in _amounts(value))


def _amounts(value: Any) -> Iterator[_Amount]:
    """Every amount in a decoded JSON value: quantities, and what its texts state."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield from _amounts_in(one)
        elif isinstance(one, list):
            waiting += one
        elif isinstance(one, dict):
            waiting += one.values()
            yield from _quantity_in(one)


def _quantity_in(sent: Mapping[str, Any]) -> Iterator[_Amount]:
    value = sent.get("value")
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return
    for name in ("code", "unit", "units"):
        unit = dose_unit(sent[name]) if isinstance(sent.get(name), str) else None
        if unit is not None:
            measured = _measured(unit.unit, unit.thing, Decimal(value), unit.per_kg)
            if measured is not None:
                yield measured


#: A number, perhaps in groups of three, and the word after it. Bounded, so that any text takes
#: time that grows with its length only.
_STATED = re.compile(
    r"(?<![\d.,])(\d{1,12}(?:[.,'\u2019 \u00a0\u2009\u202f]\d{3}){0,4}(?:[.,]\d{1,6})?)"
    r"[-\s\u00a0\u2009\u202f]{0,2}([^\W\d_]{1,20})(?:\(s\))?"
    r"(\s?(?:/|per\s)\s?kg\b)?"
).finditer


def _amounts_in(text: str, *, strengths: bool = True) -> Iterator[_Amount]:
    """Every amount that a text states; without ``strengths`` ("1 mg/mL") those that are none."""
    for found in _STATED(text):
        unit = dose_unit(found[2])
        is_strength = not found[3] and text[found.end() : found.end() + 2].lstrip().startswith("/")
        if unit is None or (is_strength and not strengths):
            continue
        for value in _numbers(found[1]):
            measured = _measured(unit.unit, unit.thing, value, bool(found[3]))
            if measured is not None:
                yield measured


_blanks = re.compile("['\u2019 \u00a0\u2009\u202f]")


def _numbers(written: str) -> Iterator[Decimal]:
    """All that a number may mean: "1,000" is a thousand or one, "2 500" may be the last of two."""
    pieces = _blanks.split(written)
    for joined in {"".join(pieces), pieces[-1]}:
        marks = [sign for sign in joined if sign in ".,"]
        if not marks:
            yield Decimal(joined)
            continue
        whole, _, rest = joined.rpartition(marks[-1])
        bare = whole.replace(".", "").replace(",", "")
        if len(set(marks)) == len(marks):  # the last may be the decimal sign
            yield Decimal(f"{bare}.{rest}")
        if len(rest) == 3:
            yield Decimal(bare + rest)


# --- JSON ------------------------------------------------------------------------------------


def _texts(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, list):
            waiting += one
        elif isinstance(one, dict):
            waiting += one.values()


def _json(sent: Raw | None) -> Any:
    """The value decoded; what cannot be says nothing."""
    if sent is None:
        return None
    try:
        return loose.decode(sent)
    except UNDECODABLE:
        return None


def _replace(resource: dict[str, Any], member: str, value: Any) -> None:
    """What is kept of a member, byte for byte; an empty one goes, since FHIR has none."""
    if value:
        resource[member] = Raw(_encode(value))
    else:
        del resource[member]


def _in_array(sent: Raw) -> Raw:
    return sent if bytes(sent).startswith(b"[") else Raw(b"[" + bytes(sent) + b"]")


def _items_of(sent: Raw | None) -> list[Raw]:
    return _decode_items(sent) if sent is not None else []


def _members_of(sent: Raw) -> dict[str, Raw]:
    """The members of an object; of anything else nothing can be kept."""
    try:
        return _decode_members(sent)
    except msgspec.DecodeError:
        return {}
