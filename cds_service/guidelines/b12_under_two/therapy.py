"""Vitamin B12 treatment on the record: active orders, doses given, and the current episode."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from msgspec import Struct

from cds_service.clinical import IN_FORCE, Medication, Moment, Record, convert
from cds_service.guidelines.b12_under_two.age import whole_day
from cds_service.guidelines.b12_under_two.antidote import was_antidote
from cds_service.guidelines.b12_under_two.data import Guideline, Limits
from cds_service.guidelines.b12_under_two.products import ProductWay, Route, names_b12, recognise


class Therapy(Struct, frozen=True):
    """Vitamin B12 treatment on the record. ``start`` is day 0 of the current episode; ``given``
    says that doses were recorded as given in it; ``running`` are the active orders and the doses
    given that are still within one episode of today. ``named`` are the orders in force whose words
    alone say vitamin B12 and ``looks_like_b12`` their names, ``unknown`` counts those of a drug no
    one can identify; ``given_like_b12`` and ``unknown_given`` say the same of doses within one
    episode of today. ``antidotes``, ordered or given against cyanide, are none of it."""

    active: tuple[Medication, ...] = ()
    start: Moment | None = None
    route: Route = "unknown"
    on_hold: bool = False
    earlier: Moment | None = None
    looks_like_b12: tuple[str, ...] = ()
    named: tuple[Medication, ...] = ()
    unknown: int = 0
    given_like_b12: tuple[str, ...] = ()
    unknown_given: int = 0
    folic_acid_alone: str = ""
    requirement_level: str = ""
    given: bool = False
    running: tuple[Medication, ...] = ()
    ended_orders: int = 0
    dates: tuple[date, ...] = ()
    antidotes: tuple[Medication, ...] = ()

    @property
    def is_active(self) -> bool:
        return bool(self.active)

    @property
    def current(self) -> bool:
        """Ordered now, or given in the current episode: a second course must not be started."""
        return self.is_active or self.given


#: Of orders and of what is stated to be taken: never was, or nobody knows that it was.
_NEVER_WAS = frozenset(
    {"cancelled", "entered-in-error", "draft", "unknown", "not-taken", "intended"}
)
_NOT_AN_ORDER = frozenset({"proposal", "plan", "option"})
_BY_FORM: Mapping[ProductWay, Route] = {
    "oral": "oral", "sublingual": "other", "nasal": "other", "parenteral": "parenteral",
}  # fmt: skip
_NOT_GIVEN = frozenset({"not-done", "entered-in-error", "unknown", "not-given"})


def read_therapy(record: Record, weight_kg: Decimal | None, on: date, g: Guideline) -> Therapy:
    """The current episode of B12 treatment; a gap over the limit starts a new one."""
    found = _Found(record.patient.birth, weight_kg, on, g)
    for medication in record.medications:
        found.add(medication)
    return found.therapy()


class _Span(NamedTuple):
    """From when to when something was taken, as recorded; ``end`` is the last day, up to today."""

    begun: Moment
    ended: Moment
    end: date


class _Episode(NamedTuple):
    """The dates of the newest episode, whether it is the current one, and the end of the one
    before it."""

    start: Moment | None = None
    last: Moment | None = None
    before: Moment | None = None
    current: bool = False


def _name_of(medication: Medication) -> str:
    """The name it was sent with; "" where it has none."""
    names = (medication.text, *(code.display for code in medication.codes))
    return next((one for one in names if one), "")


class _Found:
    """What the medications of a record say about treatment with B12, one after another."""

    def __init__(
        self, birth: Moment | None, weight_kg: Decimal | None, on: date, g: Guideline
    ) -> None:
        self._birth = birth.first if birth is not None else date.min
        self._weight_kg, self._on, self._g = weight_kg, on, g
        self._antidotes: list[Medication] = []
        self._active: list[Medication] = []
        self._administered: list[Medication] = []
        self._given: list[date] = []
        self._spans: list[_Span] = []
        self._routes: list[Route] = []
        self._named: list[Medication] = []
        self._given_names: list[str] = []
        self._unknown = self._unknown_given = self._ended = 0
        self._folic = self._requirement = ""

    def add(self, medication: Medication) -> None:
        codes = self._g.codes
        if medication.unresolved or not (medication.codes or medication.text):
            self._add_unknown(medication)
            if not medication.text:
                return
        if medication.intent in _NOT_AN_ORDER:
            return
        if was_antidote(medication, self._weight_kg, self._g):
            if medication.status not in _NOT_GIVEN | _NEVER_WAS:
                self._antidotes.append(medication)
            return
        if codes.multivitamin_with_b12.any_of(medication.codes) is not None:
            return
        active = medication.kind == "order" and medication.status in IN_FORCE
        if codes.b12_therapy.any_of(medication.codes) is None:
            self._add_other(medication, active=active)
        elif _is_requirement_level(medication, self._g.limits):
            if active:
                code = medication.codes[0]
                self._requirement = medication.text or code.display or code.code
        else:
            self._add_b12(medication, active=active)

    def _add_unknown(self, medication: Medication) -> None:
        """What may have been vitamin B12: an order in force, or a dose given lately."""
        if medication.kind != "administration":
            self._unknown += medication.status in IN_FORCE
        else:
            self._unknown_given += self._is_given(medication)

    def _is_given(self, medication: Medication) -> bool:
        """Whether it is a dose that would count as given lately if it were of vitamin B12."""
        if medication.kind != "administration" or medication.status in _NOT_GIVEN:
            return False
        when = medication.authored
        return when is None or (when.first <= self._on and not self._is_gap(when.last, self._on))

    def _add_other(self, medication: Medication, *, active: bool) -> None:
        """An active order of something else, folic acid or what has a name of B12; or such a dose
        given."""
        names = (medication.text, *(code.display for code in medication.codes))
        if not active:
            if self._is_given(medication) and names_b12(names, self._g):
                self._given_names.append(_name_of(medication))
        elif self._g.codes.folic_acid.any_of(medication.codes) is not None:
            self._folic = (
                medication.text or medication.codes[0].display or self._g.file.names.folic_acid[0]
            )
        elif names_b12(names, self._g):
            self._named.append(medication)

    def _add_b12(self, medication: Medication, *, active: bool) -> None:
        self._ended += medication.kind == "order" and not active
        administered = medication.kind == "administration"
        if medication.status in (_NOT_GIVEN if administered else _NEVER_WAS):
            return
        if active:
            self._active.append(medication)
            self._routes.append(route_of(medication, self._g))
        started = medication.authored
        if started is None or started.first > self._on or started.last < self._birth:
            return
        ended = medication.ended or started
        if active or ended.first > self._on:
            ended = whole_day(self._on)
        self._spans.append(_Span(started, ended, max(min(self._on, ended.last), started.first)))
        if administered:
            self._given.append(started.last)
            if not self._is_gap(started.last, self._on):
                self._administered.append(medication)
        if not active:
            self._routes.append(route_of(medication, self._g))

    def _is_gap(self, day: date, later: date) -> bool:
        return self._g.limits.episode_gap.holds((later - day).days)

    def _episode(self) -> _Episode:
        start: Moment | None = None
        last: _Span | None = None
        before: Moment | None = None
        for span in self._in_order():
            if last is None or start is None or self._is_gap(last.end, span.begun.first):
                before = last.ended if last is not None else None
                start, last = span.begun, span
                continue
            if span.begun.last < start.last:  # begun by then at the latest
                start = Moment(start.first, span.begun.last, start.instant)
            last = max(last, span, key=lambda one: one.end)
        current = last is not None and not self._is_gap(last.end, self._on)
        return _Episode(start, last.ended if last is not None else None, before, current)

    def _in_order(self) -> list[_Span]:
        return sorted(self._spans, key=lambda one: (one.begun.first, one.end))

    def _route(self) -> Route:
        """By injection if any of it is, otherwise the first route known."""
        known = [route for route in self._routes if route != "unknown"]
        return "parenteral" if "parenteral" in known else next(iter(known), "unknown")

    def therapy(self) -> Therapy:
        active, episode = tuple(self._active), self._episode()
        start = episode.start if episode.current else None
        given = start is not None and any(day >= start.first for day in self._given)
        return Therapy(
            active=active,
            start=start,
            route=self._route(),
            on_hold=bool(active) and all(one.status == "on-hold" for one in active),
            earlier=episode.before if active or given else episode.last,
            looks_like_b12=tuple(_name_of(one) for one in self._named),
            named=tuple(self._named),
            unknown=self._unknown,
            given_like_b12=tuple(self._given_names),
            unknown_given=self._unknown_given,
            folic_acid_alone="" if active else self._folic,
            given=given,
            running=(*active, *self._administered),
            ended_orders=self._ended,
            requirement_level=self._requirement,
            antidotes=tuple(self._antidotes),
            dates=tuple(day for it in self._in_order() for day in (it.begun.first, it.end)),
        )


def route_of(medication: Medication, g: Guideline) -> Route:
    """By its route code, otherwise by the form of the product ordered."""
    for dose in medication.doses:
        if g.codes.routes_oral.any_of(dose.route) is not None:
            return "oral"
        if g.codes.routes_parenteral.any_of(dose.route) is not None:
            return "parenteral"
        if g.codes.routes_other.any_of(dose.route) is not None:
            return "other"
    return _BY_FORM.get(recognise(medication.codes, medication.text, g).way, "unknown")


def _is_requirement_level(medication: Medication, limits: Limits) -> bool:
    """Every dose stated and so small that it feeds but does not treat."""
    amounts = [
        convert(dose.amount, "ug") if dose.amount is not None else None for dose in medication.doses
    ]
    return bool(amounts) and all(
        amount is not None and limits.requirement_dose.holds(amount) for amount in amounts
    )
