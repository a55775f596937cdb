"""One child after another: the call that an EHR would have made with the child's whole record, its
answer, and the line of a table that is made of it.

Nothing is kept of a call, withheld, counted for `/metrics` or logged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

import msgspec
from msgspec import Raw, Struct, structs

from cds_service.cdshooks.request import Context, Request
from cds_service.cdshooks.response import encode
from cds_service.clinical import BESIDE
from cds_service.consultation import examine, respond
from cds_service.consultation.account import EVALUATION_EXTENSION, is_code, is_system
from cds_service.consultation.cards import RULES_EXTENSION
from cds_service.consultation.cases import NO_SERVER
from cds_service.consultation.cohort.splitting import Kept
from cds_service.consultation.occasion import Occasion
from cds_service.errors import ServiceError
from cds_service.fhir.bundles import Entry, RecordBundle
from cds_service.fhir.editions import TYPES
from cds_service.guidelines.cohort import Cohort, Found
from cds_service.guidelines.engine import INDICATORS
from cds_service.store.audit import Pseudonyms

if TYPE_CHECKING:
    from cds_service.consultation.services import Service
    from cds_service.guidelines.guideline import Evaluation


class Row(Struct, frozen=True):
    """A child in ``children.parquet``, in the columns' order. ``child`` is its pseudonym, or its id
    with plain ids, and so are ``level_written`` and ``level_source``: "" without."""

    child: str
    outcome: str
    urgency: str = ""
    age_months: int | None = None
    covered: str = "no"
    status: str = ""
    severity: str = ""
    cause: str = ""
    level: Decimal | None = None
    level_unit: str = ""
    level_date: date | None = None
    level_written: str = ""
    level_source: str = ""
    treatment: str = ""
    top_card: str = ""
    cards: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    due: tuple[str, ...] = ()
    traits: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    refused: str = ""
    resources: int = 0
    same_version: int = 0


class Unknown(Struct, frozen=True):
    """What was sent and not used: for which need, why, and its code where that is what was not
    understood."""

    need: str
    reason: str
    system: str = ""
    code: str = ""

    @property
    def name(self) -> str:
        return "\t".join((self.need, self.reason, self.system, self.code))


class Judged(Struct, frozen=True):
    """``line`` is what ``cards.ndjson`` says of the child."""

    row: Row
    line: bytes
    unknown: tuple[Unknown, ...] = ()


class Judge:
    """Answers `patient-view` of one guideline for child after child.

    ``exported`` are the types of resource that the source holds, or was asked for: of another one
    nothing is known, and a record in Bundles is whole, so that there all types are (``None``).
    """

    def __init__(
        self,
        service: Service,
        occasion: Occasion,
        pseudonyms: Pseudonyms,
        exported: frozenset[str] | None,
    ) -> None:
        self._service = service
        self._occasion = structs.replace(occasion, no_server=NO_SERVER)
        self._pseudonyms = pseudonyms
        self._sent = frozenset(
            need.key for need in service.needs if exported is None or TYPES[need.kind] & exported
        )
        self._cohort: Cohort = service.guideline.cohort

    def judge(self, child: str, kept: Sequence[Kept]) -> Judged:
        name = self._pseudonyms.of("patient", None, child) or ""
        row = Row(name, "refused", resources=len(kept))
        try:
            resources, same = newest(kept)
            row = structs.replace(row, resources=len(resources), same_version=same)
            return self._answered(child, resources, row)
        except ServiceError as error:
            return self._refused(row, error.text)
        except Exception as error:  # noqa: BLE001 - one child may not take the others with it
            return self._refused(row, type(error).__name__)

    def _refused(self, row: Row, why: str) -> Judged:
        row = _grouped(structs.replace(row, refused=why), self._cohort)
        return Judged(row, msgspec.json.encode({"child": row.child, "refused": why}))

    def _answered(self, child: str, resources: Sequence[Kept], row: Row) -> Judged:
        service = self._service
        asked = call_of(service, child, resources, self._sent)
        examined = examine(service, asked, None, self._occasion)
        response = respond(service, asked, examined, self._occasion)
        body = encode(response)
        evaluation = examined.evaluation
        found: Found = service.guideline.found(evaluation)
        told = response.extension[EVALUATION_EXTENSION]
        cards = tuple([card.extension[RULES_EXTENSION]["ruleIds"][0] for card in response.cards])
        urgency = max((card.indicator for card in response.cards), key=INDICATORS.index, default="")
        unknown = tuple(_unknown(evaluation))
        plain = self._pseudonyms.plain
        row = structs.replace(
            row,
            outcome=told["outcome"],
            urgency=urgency,
            age_months=found.age_months,
            covered="yes" if found.covered else "no",
            status=found.status,
            severity=found.severity,
            cause=found.cause,
            level=found.level,
            level_unit=found.level_unit,
            level_date=found.level_date,
            level_written=found.level_written if plain else "",
            level_source=found.level_source if plain else "",
            treatment=found.treatment,
            top_card=_top(response.cards, urgency),
            cards=cards,
            rules=tuple(told["ruleIds"]),
            due=tuple([f"{name}: {day.isoformat()}" for name, day in found.due.items()]),
            traits=found.traits,
            missing=tuple(examined.record.missing),
            unread=tuple(sorted({f"{one.need}: {one.reason}" for one in unknown})),
        )
        line = _with_child(row.child, body if plain else _without_ids(body))
        return Judged(_grouped(row, self._cohort), line, unknown)


def _top(cards: Iterable[Any], urgency: str) -> str:
    top = (one for one in cards if one.indicator == urgency)
    return next((one.extension[RULES_EXTENSION]["ruleIds"][0] for one in top), "")


def _grouped(row: Row, cohort: Cohort) -> Row:
    return structs.replace(row, groups=cohort.groups_of(structs.asdict(row)))


def call_of(
    service: Service, child: str, resources: Iterable[Kept], sent: frozenset[str]
) -> Request:
    """The call with the child's record as its prefetch: of the needs that are not ``sent`` nothing
    is known."""
    entries = tuple([Entry(one.kind, Raw(one.resource), one.address) for one in resources])
    answers = RecordBundle("collection", entries, (child,), None).answers(service.needs, child)
    return Request(
        service.hook,
        str(uuid5(NAMESPACE_URL, f"case:{child}")),
        Context("Practitioner/nobody", child),
        None,
        None,
        {key: page for key, page in answers.items() if key in sent},
    )


def _unknown(evaluation: Evaluation[Any]) -> Iterator[Unknown]:
    for one in evaluation.unread:
        if one.reason not in BESIDE:
            known = is_code(one.code) and is_system(one.system)
            code = (one.system, one.code) if known else ("", "")
            yield Unknown(one.need, one.reason, *code)


# --- versions ------------------------------------------------------------------------------------


def newest(kept: Sequence[Kept]) -> tuple[list[Kept], int]:
    """Each resource once, in its newest version, and of how many nothing says which is newer: of
    those every version is used."""
    by_name: dict[tuple[str, str], list[Kept]] = {}
    nameless: dict[bytes, Kept] = {}
    for one in kept:
        if one.id:
            by_name.setdefault((one.kind, one.id), []).append(one)
        else:
            nameless.setdefault(one.resource, one)
    found: list[Kept] = []
    same = 0
    for versions in by_name.values():
        if len(versions) == 1:
            found += versions
            continue
        different = list({one.resource: one for one in versions}.values())
        last = different if len(different) == 1 else _last(different)
        same += len(last) > 1
        found += last
    _check_patients(found)
    return [*found, *nameless.values()], same


def _last(versions: Sequence[Kept]) -> list[Kept]:
    """The newest, by its time or else by its number; all where two of them are equal in that, or
    where one of them has neither."""
    for key in (_updated, _number):
        ranks = [key(one) for one in versions]
        if None not in ranks:
            top = max(one for one in ranks if one is not None)
            if ranks.count(top) == 1:
                return [versions[ranks.index(top)]]
    return list(versions)


def _updated(one: Kept) -> float | None:
    try:
        when = datetime.fromisoformat(one.updated)
    except ValueError:
        return None
    return when.timestamp() if when.tzinfo is not None else None


def _number(one: Kept) -> float | None:
    return int(one.version) if one.version.isascii() and one.version.isdigit() else None


class TwoPatients(ServiceError):
    """Two records of one patient, and nothing says which of them holds now."""


def _check_patients(found: Iterable[Kept]) -> None:
    if sum(one.kind == "Patient" for one in found) > 1:
        raise TwoPatients(
            "There are two different records of this patient, and nothing says which is newer."
        )


# --- what leaves ids and orders behind ------------------------------------------------------------


def _with_child(child: str, body: bytes) -> bytes:
    # An order that is changed keeps the blanks between its members; strings hold no line breaks.
    line = body.replace(b"\n", b" ").replace(b"\r", b" ")
    return b'{"child":' + msgspec.json.encode(child) + b"," + line[1:]


#: What of a card is an id, a reference or an order, or is of use only to apply one.
_OF_A_CARD = ("uuid", "suggestions", "selectionBehavior", "overrideReasons", "links")


def _without_ids(body: bytes) -> bytes:
    answer: dict[str, Any] = msgspec.json.decode(body)
    for card in answer["cards"]:
        for name in _OF_A_CARD:
            card.pop(name, None)
    for one in answer["extension"][EVALUATION_EXTENSION].get("unread", ()):
        one.pop("what", None)
    return msgspec.json.encode(answer)


# --- many ----------------------------------------------------------------------------------------

#: So many of a work list are shown; all are counted.
LISTED = 50


class Figures(Struct):
    """What is counted over children; two can be joined. ``unknown`` counts children by what of
    theirs was not understood, as `Unknown.name`."""

    children: int = 0
    resources: int = 0
    same_version: int = 0
    groups: dict[str, int] = {}
    outcomes: dict[str, int] = {}
    statuses: dict[str, int] = {}
    missing: dict[str, int] = {}
    traits: dict[str, int] = {}
    cards: dict[str, int] = {}
    refused: dict[str, int] = {}
    unknown: dict[str, int] = {}
    lists: dict[str, list[Row]] = {}

    def add(self, judged: Judged, cohort: Cohort) -> None:
        row = judged.row
        self.children += 1
        self.resources += row.resources
        self.same_version += row.same_version
        covered = row.covered == "yes"
        _count(self.groups, row.groups)
        _count(self.outcomes, (row.outcome,))
        _count(self.statuses, (row.status,) if covered else ())
        _count(self.missing, row.missing if covered else ())
        _count(self.traits, row.traits if covered else ())
        _count(self.cards, dict.fromkeys(row.cards))
        _count(self.refused, (row.refused,) if row.refused else ())
        _count(self.unknown, {one.name for one in judged.unknown})
        for name in row.groups:
            if name in cohort.work_lists:
                self._list(name, [row])

    def join(self, other: Figures) -> None:
        self.children += other.children
        self.resources += other.resources
        self.same_version += other.same_version
        for name in _COUNTED:
            mine = getattr(self, name)
            for key, count in getattr(other, name).items():
                mine[key] = mine.get(key, 0) + count
        for listed, rows in other.lists.items():
            self._list(listed, rows)

    def _list(self, name: str, rows: Sequence[Row]) -> None:
        listed = self.lists.setdefault(name, [])
        listed += rows
        if len(listed) >= 2 * LISTED:
            self.lists[name] = most_urgent(listed)

    def listed(self) -> Mapping[str, Sequence[Row]]:
        return {name: most_urgent(rows) for name, rows in self.lists.items()}


_COUNTED = (
    *("groups", "outcomes", "statuses", "missing"),
    *("traits", "cards", "refused", "unknown"),
)


def _count(counted: dict[str, int], names: Iterable[str]) -> None:
    for name in names:
        counted[name] = counted.get(name, 0) + 1


def most_urgent(rows: Iterable[Row]) -> list[Row]:
    """As many as are listed: the most urgent first, then the lowest level, then the oldest."""
    return sorted(
        rows,
        key=lambda one: (
            -INDICATORS.index(one.urgency) if one.urgency else 1,
            one.level if one.level is not None else Decimal("Infinity"),
            one.level_date or date.max,
            one.child,
        ),
    )[:LISTED]
