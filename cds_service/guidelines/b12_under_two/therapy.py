"""Vitamin B12 treatment on the record: active orders, doses given, and the current episode."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from msgspec import Struct, structs

from cds_service.clinical import IN_FORCE, PROHIBITED, Medication, Moment, Record, convert
from cds_service.guidelines.b12_under_two.age import add_months, whole_day
from cds_service.guidelines.b12_under_two.antidote import was_antidote
from cds_service.guidelines.b12_under_two.data import Dose, Doses, Guideline
from cds_service.guidelines.b12_under_two.dosing import Dosing, first_day, given_until, understand
from cds_service.guidelines.b12_under_two.dosing.amounts import doses_within
from cds_service.guidelines.b12_under_two.drugs import ProductWay, Route
from cds_service.guidelines.b12_under_two.limits import Limits
from cds_service.guidelines.b12_under_two.products import (
    is_like_b12,
    names_another,
    names_b12,
    recognise,
)
from cds_service.guidelines.b12_under_two.prohibitions import Prohibition, prohibition_of
from cds_service.guidelines.b12_under_two.tables.duplication import DuplicationFacts
from cds_service.guidelines.tables import Reasoning


class Therapy(Struct, frozen=True):
    """Vitamin B12 treatment on the record. ``start`` is day 0 of the current course; ``given`` says
    that doses were recorded as given lately, or are stated to be taken; ``running`` are these and
    the active orders, and ``route`` is theirs. ``named`` are the orders in
    force whose words alone say vitamin B12; ``looks_like_b12`` are their names, and those of what
    is stated to be taken, ``perhaps`` those of what no one knows to be taken, ``dispensed`` those
    of what was handed over lately while nothing is known to be ordered or given. ``unknown`` counts
    those of a drug no one can identify, ``nameless`` those of them that nothing calls another drug,
    ``alike`` names those that may be a brand of it, ``combined`` those with other substances in it;
    ``given_like_b12`` and ``unknown_given`` say the same of
    doses within one episode of today. ``antidotes``, ordered or given against cyanide, are none of
    it. ``spans`` is all that was ever ordered, given or stated to be taken, and ``episode`` what
    of it belongs to the time since the course began, by any route, with what may reach into it,
    since no one says when it ended; where nothing runs, what a course of today would go on from.
    ``prohibited`` must not be given. ``doses`` are what was given of a course of which nothing else
    is known, and ``broken_off`` is a course that was begun and is not continued: no treatment any
    more.
    ``lapse`` is an order that goes on, though what was recorded of it shows that it is not given.
    ``over`` says that nothing of what runs is given any more, and ``finished`` are the orders of a
    course that was carried out lately and still acts, where nothing runs but what is on hold.
    ``missed`` are the days of doses that were recorded as not given. ``combinations`` in force
    have vitamin B12 among others, and those ``injected`` may be a treatment. ``requirement`` are
    the orders in force of what a healthy child needs each day: none of it either. ``stopped_for``
    says, as sent, why orders were stopped, and ``missed_for`` why doses were not given."""

    active: tuple[Medication, ...] = ()
    start: Moment | None = None
    route: Route = "unknown"
    on_hold: bool = False
    earlier: Earlier | None = None
    looks_like_b12: tuple[str, ...] = ()
    perhaps: tuple[str, ...] = ()
    dispensed: tuple[str, ...] = ()
    named: tuple[Medication, ...] = ()
    unknown: int = 0
    nameless: int = 0
    alike: tuple[str, ...] = ()
    combined: tuple[str, ...] = ()
    given_like_b12: tuple[str, ...] = ()
    unknown_given: int = 0
    doses: tuple[Medication, ...] = ()
    broken_off: BrokenOff | None = None
    lapse: Lapse | None = None
    over: Over | None = None
    finished: tuple[Medication, ...] = ()
    missed: tuple[Moment, ...] = ()
    folic_acid_alone: str = ""
    requirement: tuple[Medication, ...] = ()
    given: bool = False
    running: tuple[Medication, ...] = ()
    ended_orders: int = 0
    spans: tuple[Span, ...] = ()
    antidotes: tuple[Medication, ...] = ()
    episode: tuple[Span, ...] = ()
    prohibited: tuple[Prohibition, ...] = ()
    combinations: tuple[str, ...] = ()
    injected: tuple[str, ...] = ()
    stopped_for: tuple[str, ...] = ()
    missed_for: tuple[str, ...] = ()

    @property
    def dates(self) -> Iterator[date]:
        """When anything of it began, and the last day of it."""
        for one in self.spans:
            yield one.begun.first
            yield one.end

    @property
    def is_active(self) -> bool:
        return bool(self.active)

    @property
    def doubtful(self) -> tuple[str, ...]:
        """What may be vitamin B12 that the child is given."""
        return (*self.looks_like_b12, *self.perhaps)

    @property
    def current(self) -> bool:
        """Ordered now, or given in the current episode: a second course must not be started."""
        return self.is_active or self.given or bool(self.finished)

    @property
    def is_known(self) -> bool:
        """Ordered now or over, so that what is given instead may take its place."""
        return self.is_active or bool(self.finished) or self.over is not None

    @property
    def is_injected_whole(self) -> bool:
        """A whole course of injections was given lately, and nothing of it is given any more."""
        return self.over is not None and not self.over.unfinished and self.route == "parenteral"

    @property
    def is_never_given(self) -> bool:
        """All that there is of it is an order of which every dose was recorded as not given."""
        lapse = self.lapse
        if lapse is None or lapse.last is not None:
            return False
        return all(one.taken == lapse.order for one in self.episode)

    @property
    def held_for(self) -> tuple[str, ...]:
        """Why orders are on hold, as sent, also those that are vitamin B12 by their name alone."""
        return tuple([reason for one in (*self.active, *self.named) for reason in one.why])

    @property
    def is_only_missed(self) -> bool:
        """Doses of it are recorded as not given, and none as given, of whatever drug."""
        since = self.start.first if self.start is not None else date.min
        if self.given or self.given_like_b12 or self.unknown_given:
            return False
        given = any(one.given and one.end >= since for one in self.spans)
        return not given and any(one.last >= since for one in self.missed)

    @property
    def is_treating(self) -> bool:
        """A treatment goes on, or one that was given still acts: not one that is on hold."""
        return self.current and not self.is_held

    @property
    def is_held(self) -> bool:
        """All that is ordered is on hold, nothing is given, and no course that was given still
        acts: it treats no one."""
        return self.on_hold and not (self.given or self.finished or self.over)


#: Of orders and of what is stated to be taken: never was, or no one knows that it was.
_NEVER_WAS = frozenset(
    {"cancelled", "entered-in-error", "draft", "unknown", "not-taken", "intended"}
)
NOT_AN_ORDER = frozenset({"proposal", "plan", "option"})
_BY_FORM: Mapping[ProductWay, Route] = {
    "oral": "oral", "sublingual": "other", "nasal": "other", "parenteral": "parenteral",
}  # fmt: skip
#: Of orders: carried out as they were written.
_CARRIED_OUT = frozenset({"completed", "ended"})
_NOT_HANDED_OVER = frozenset({"cancelled", "declined", "entered-in-error", "stopped"})
#: Of doses: recorded as not given, and those that do not count either.
_MISSED = frozenset({"not-done", "not-given"})
_NOT_GIVEN = _MISSED | {"entered-in-error", "unknown"}


def read_therapy(
    record: Record,
    weight_kg: Decimal | None,
    on: date,
    g: Guideline,
    *,
    low: date | None = None,
    adequate: Collection[date] = (),
) -> Therapy:
    """The current episode of B12 treatment; a gap over the limit starts a new one. ``low`` is the
    day of the newest level, where that is not adequate: a course that was over long before then
    does not act any more, unless one of the ``adequate`` levels shows that it did."""
    found = _Found(record.patient.birth, weight_kg, on, g)
    for medication in record.medications:
        found.add(medication)
    return found.therapy(low, adequate)


class Span(NamedTuple):
    """From when to when something was taken, as recorded; ``end`` is the last day, up to today.

    ``ends`` is false where it is over and no one says since when: it lasted until ``end`` at the
    least. ``taken`` is the dose or the order it is of, ``route`` the way it goes."""

    begun: Moment
    ended: Moment
    end: date
    ends: bool
    taken: Medication
    route: Route

    @property
    def given(self) -> bool:
        return self.taken.kind == "administration"


class BrokenOff(NamedTuple):
    """A course that was begun and is not continued: how many doses, and when the last was given."""

    doses: int
    last: Moment


class Over(NamedTuple):
    """A course of which nothing is ordered any more: the ``last`` dose that was recorded, or else
    the last day for which it was ordered, and when the next dose is ``due``. ``lacking`` are the
    doses that the regimen's course, without what follows it, has more than were given, and
    ``share`` is what of its first two weeks was given. ``substance`` was injected each time, in the
    regimen's dose; "" where that is not certain."""

    last: Moment
    due: date
    lacking: Decimal
    share: Decimal
    substance: str = ""

    @property
    def unfinished(self) -> bool:
        """Whether the course was not given whole."""
        return self.lacking > 0

    @property
    def is_certain(self) -> bool:
        """Whether it was given whole, and what was injected, in which dose and until when."""
        return bool(self.substance) and not (self.unfinished or self.last.is_partial)


class Lapse(NamedTuple):
    """Doses of an ``order`` that goes on are recorded, or recorded as not given, and the next has
    long been ``due``: the ``last`` that was given, ``None`` without any, and how many days are
    ``between`` two. ``run_out`` where its days are over."""

    order: Medication
    last: Moment | None
    due: date
    between: int
    run_out: bool = False


class Earlier(NamedTuple):
    """Treatment before the current course: when it ended, or was ordered if its end ``is_open``;
    ``finished`` where not all of it was stopped."""

    when: Moment
    is_open: bool
    finished: bool = True


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
        self._spans: list[Span] = []
        self._named: list[Medication] = []
        self._taken: list[str] = []
        self._perhaps: list[str] = []
        self._dispensed: list[str] = []
        self._given_names: list[str] = []
        self._missed: list[Moment] = []
        self._unknown = self._nameless = self._unknown_given = self._ended = 0
        self._alike: list[str] = []
        self._combined: list[str] = []
        self._folic = ""
        self._requirement: list[Medication] = []
        self._prohibited: list[Prohibition] = []
        self._combinations: list[str] = []
        self._injected: list[str] = []
        self._stopped_for: list[str] = []
        self._missed_for: list[str] = []

    def add(self, medication: Medication) -> None:
        if medication.status != PROHIBITED:
            self._add_drug(medication)
            return
        forbidden = prohibition_of(medication, self._g)
        if forbidden is not None:
            self._prohibited.append(forbidden)

    def _add_drug(self, medication: Medication) -> None:
        codes = self._g.codes
        if medication.unresolved or not (medication.codes or self._says_what(medication)):
            self._add_unknown(medication)
            if not medication.text:
                return
        if medication.intent in NOT_AN_ORDER:
            return
        if was_antidote(medication, self._weight_kg, self._g):
            if medication.status not in _NOT_GIVEN | _NEVER_WAS:
                self._antidotes.append(medication)
            return
        active = medication.kind == "order" and medication.status in IN_FORCE
        self._name_combination(medication, active=active)
        if codes.multivitamin_with_b12.any_of(medication.codes) is not None:
            return
        if codes.b12_therapy.any_of(medication.codes) is None:
            self._add_other(medication, active=active)
        elif _is_requirement_level(medication, self._g.limits):
            if active:
                self._requirement.append(medication)
        else:
            self._add_b12(medication, active=active)

    def _name_combination(self, medication: Medication, *, active: bool) -> None:
        """One in force that has vitamin B12 among others: named, and not counted."""
        if active and recognise(medication.codes, medication.text, self._g).kind == "combination":
            injected = route_of(medication, self._g) == "parenteral"
            (self._injected if injected else self._combinations).append(_name_of(medication))

    def _says_what(self, medication: Medication) -> bool:
        """Whether its name says of what drug it is, perhaps of vitamin B12; "Drops" does not."""
        name = medication.text
        return names_b12([name], self._g) or names_another(name, self._g)

    def _add_unknown(self, medication: Medication) -> None:
        """What may have been vitamin B12: an order in force, or a dose given lately."""
        if medication.kind != "administration":
            in_force = medication.status in IN_FORCE
            self._unknown += in_force
            self._nameless += in_force and not names_another(medication.text, self._g)
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
        names = [medication.text, *(code.display for code in medication.codes)]
        if not medication.codes and not self._says_what(medication):
            names += [dose.text for dose in medication.doses]
        if not active:
            if names_b12(names, self._g):
                if medication.kind != "administration":
                    self._stopped_for += medication.why
                self._add_named(medication)
        elif self._g.codes.folic_acid.any_of(medication.codes) is not None:
            self._folic = (
                medication.text or medication.codes[0].display or self._g.file.names.folic_acid[0]
            )
        elif names_b12(names, self._g):
            self._named.append(medication)
        elif is_like_b12(medication.codes, medication.text, self._g):
            self._alike.append(_name_of(medication))
        elif recognise(medication.codes, medication.text, self._g).kind == "combination":
            self._combined.append(_name_of(medication))

    def _add_named(self, medication: Medication) -> None:
        """What is not in force and has a name of vitamin B12: given lately, stated to be taken,
        or of a status that no one knows."""
        if medication.kind == "dispense":
            self._add_dispensed(medication)
        elif self._is_given(medication):
            self._given_names.append(_name_of(medication))
        elif is_perhaps_taken(medication):
            self._perhaps.append(_name_of(medication))
        elif _is_taken(medication, self._on):
            self._taken.append(_name_of(medication))

    def _add_dispensed(self, medication: Medication) -> None:
        """What was handed over within one episode of today, or on a day no one wrote down."""
        when = medication.authored
        lately = when is None or (
            when.first <= self._on
            and when.last >= self._birth
            and not self._is_gap(when.last, self._on)
        )
        if lately and medication.status not in _NOT_HANDED_OVER:
            self._dispensed.append(_name_of(medication) or medication.codes[0].code)

    def _add_b12(self, medication: Medication, *, active: bool) -> None:
        if medication.kind == "dispense":
            self._add_dispensed(medication)
            return
        if is_perhaps_taken(medication):
            self._perhaps.append(_name_of(medication) or medication.codes[0].code)
            return
        self._ended += medication.kind == "order" and not active
        if not active and medication.kind != "administration":
            self._stopped_for += medication.why
        if medication.kind == "administration" and medication.status in _NOT_GIVEN:
            self._add_missed(medication)
        elif medication.kind == "administration" or medication.status not in _NEVER_WAS:
            self._add_taken(medication, active=active)

    def _add_missed(self, dose: Medication) -> None:
        """A dose that was recorded as not given; no one knows of one in error."""
        if dose.status in _MISSED and dose.authored is not None:
            self._missed.append(dose.authored)
            self._missed_for += dose.why

    def _add_taken(self, medication: Medication, *, active: bool) -> None:
        """What is ordered, or was taken."""
        administered, started = medication.kind == "administration", medication.authored
        if active:
            self._active.append(medication)
        if started is None or started.first > self._on or started.last < self._birth:
            return
        taken = _is_taken(medication, self._on)
        self._spans.append(self._span(medication, started, now=active or taken))
        if taken or (administered and not self._is_gap(started.last, self._on)):
            self._administered.append(medication)

    def _span(self, medication: Medication, started: Moment, *, now: bool) -> Span:
        """From when to when it was taken; ``now`` when it still is."""
        planned = medication.ended or self._carried_out_until(medication)
        ended = planned or started
        ends = now or medication.kind == "administration" or planned is not None
        if now or ended.first > self._on:
            ended = whole_day(self._on)
        end = max(min(self._on, ended.last), started.first)
        return Span(started, ended, end, ends, medication, route_of(medication, self._g))

    def _carried_out_until(self, medication: Medication) -> Moment | None:
        """When an order that was carried out ended, by the days for which it was written."""
        return self._by_its_days(medication) if _is_carried_out(medication) else None

    def _by_its_days(self, medication: Medication) -> Moment | None:
        """When an order would end by the days for which it was written."""
        return _by_its_days(medication, self._weight_kg, self._g)

    def _is_gap(self, day: date, later: date) -> bool:
        return self._g.limits.episode_gap.holds((later - day).days)

    def _in_order(self) -> list[Span]:
        return sorted(self._spans, key=lambda one: (one.begun.first, one.end))

    def _course(self, running: Collection[Medication], route: Route) -> list[Span]:
        """The current course: what is ordered or given now, and what surely came before it without
        a break, by the same way.

        What is over and does not say since when is not part of it, nor is what goes another way:
        on injections that follow what was swallowed the response is that to the injections.
        """
        spans = [one for one in self._in_order() if _same_way(one.route, route)]
        treating = what_treats(running)
        if len(treating) < len(running):
            spans = [one for one in spans if not is_held(one.taken)]
        course = [one for one in spans if one.taken in treating]
        for span in sorted(spans, key=lambda one: one.end, reverse=True):
            if course and span not in course and self._goes_on(span, course):
                course.append(span)
        return course

    def _goes_on(self, span: Span, course: Sequence[Span]) -> bool:
        """Whether ``course`` follows ``span`` without a break; an injection lasts longer than what
        is swallowed, of which an order that has ended says that no more is taken."""
        begin = min(one.begun.first for one in course)
        if not span.ends or span.begun.first > begin:
            return False
        if span.given:
            return not self._is_gap(span.end, begin)
        limits, injected = self._g.limits, span.route == "parenteral"
        gap = limits.episode_gap if injected else limits.course_gap
        return not gap.holds((begin - min(span.end, span.ended.first)).days)

    def _doses_alone(
        self, course: Sequence[Span], running: Collection[Medication]
    ) -> tuple[Medication, ...]:
        """The doses of a course before anything was ordered or taken for longer than a day; none
        where something is running since no one knows when."""
        if not set(running) <= {one.taken for one in self._spans}:
            return ()
        lasting = [
            one.begun.first
            for one in self._spans
            if not one.given
            and (one.taken in running or (one in course and one.end > one.begun.first))
        ]
        until = min(lasting, default=date.max)
        return tuple([one.taken for one in course if one.given and one.begun.last < until])

    def _lately(self) -> tuple[Span, ...]:
        """What is over and that a course of today would go on from, by any way: what ended lately,
        with what surely came before it, or may have."""
        lately: list[Span] = []
        for span in sorted(self._spans, key=lambda one: (one.end, one.begun.first), reverse=True):
            until = min([self._on, *(one.begun.first for one in lately)])
            if not self._is_broken(span, until):
                lately.append(span)
        return tuple([one for one in self._in_order() if one in lately])

    def _is_broken(self, span: Span, begin: date) -> bool:
        """Whether there is a break between ``span`` and what begins on ``begin``; of what does not
        say its end, between the latest that it can have lasted and that."""
        ended = span.ended if span.ends else self._by_its_days(span.taken) or span.ended
        end = min(max(span.end, ended.last), self._on)
        swallowed = span.ends and not span.given and span.route != "parenteral"
        gap = self._g.limits.course_gap if swallowed else self._g.limits.episode_gap
        return gap.holds((begin - end).days)

    def _episode(self, course: Sequence[Span], start: Moment | None) -> tuple[Span, ...]:
        """The current course with what reaches into it by any route, or may."""
        return tuple(
            one
            for one in self._in_order()
            if one in course or not one.ends or (start is not None and one.end >= start.first)
        )

    def _taken_home(self, running: Collection[Medication]) -> tuple[str, ...]:
        """What was handed over, where nothing running can be what it was handed over for."""
        return () if running else tuple(dict.fromkeys(self._dispensed))

    def _finished(self, low: date | None, adequate: Collection[date]) -> list[Medication]:
        """The last orders, where nothing is given, they were carried out, and they still act: after
        a level that was low when what was swallowed had been over for long, they do not, unless it
        fell from an adequate one. What was stopped since takes nothing away from injections."""
        lately = [
            one
            for one in self._spans
            if not self._is_gap(one.end, self._on) and not is_held(one.taken)
        ]
        done = [one for one in lately if one.ends and self._is_whole(one)]
        if not done:
            return []
        last = max(done, key=lambda one: (one.end, one.begun.first))
        if not all(one in done or _takes_nothing_from(last, one) for one in lately):
            return []
        if low is not None and low > last.end and self._is_broken(last, low):
            return [last.taken] if self._helped(last, adequate) else []
        return [last.taken]

    def _helped(self, last: Span, adequate: Iterable[date]) -> bool:
        """Whether one of the ``adequate`` levels shows the response to the course that ended."""
        start = _start(self._course((last.taken,), last.route))
        return any(shows_response(one, start, self._g) for one in adequate)

    def _is_whole(self, span: Span) -> bool:
        """Whether a span is of an order that was carried out for all of its days: one that is
        called completed when it was dispensed, or begun, has most of them to come."""
        planned = span.taken.ended or self._by_its_days(span.taken)
        return _is_carried_out(span.taken) and planned is not None and planned.last <= self._on

    def therapy(self, low: date | None, adequate: Collection[date]) -> Therapy:
        active, running = tuple(self._active), (*self._active, *self._administered)
        idle = all(map(is_held, running))
        finished = tuple(self._finished(low, adequate)) if idle else ()
        route = _route_of_any((*running, *finished), self._g)
        course = self._course((*running, *finished), route)
        start = _start(course)
        before = [
            one
            for one in self._spans
            if one not in course
            and (start is None or one.begun.first < start.first)
            and not is_held(one.taken)
        ]
        last = max(before, key=lambda one: (one.end, one.begun.first), default=None)
        return Therapy(
            active=active,
            start=start,
            route=route,
            on_hold=bool(active) and all(map(is_held, active)),
            earlier=None
            if last is None
            else Earlier(last.ended, not last.ends, _is_finished(before)),
            stopped_for=tuple(dict.fromkeys(self._stopped_for)),
            missed_for=tuple(dict.fromkeys(self._missed_for)),
            looks_like_b12=(*(_name_of(one) for one in self._named), *self._taken),
            perhaps=tuple(self._perhaps),
            dispensed=self._taken_home(running),
            named=tuple(self._named),
            unknown=self._unknown,
            nameless=self._nameless,
            alike=tuple(dict.fromkeys(self._alike)),
            combined=tuple(dict.fromkeys(self._combined)),
            given_like_b12=tuple(self._given_names),
            unknown_given=self._unknown_given,
            doses=self._doses_alone(course, running),
            folic_acid_alone="" if active else self._folic,
            given=bool(self._administered),
            running=running,
            finished=finished,
            missed=tuple(self._missed),
            ended_orders=self._ended,
            requirement=tuple(self._requirement),
            antidotes=tuple(self._antidotes),
            prohibited=tuple(self._prohibited),
            combinations=tuple(self._combinations),
            injected=tuple(self._injected),
            episode=self._lately() if finished or not running else self._episode(course, start),
            spans=tuple(self._in_order()),
        )


def _dosing_of(medication: Medication, weight_kg: Decimal | None, g: Guideline) -> Dosing:
    drug = recognise(medication.codes, medication.text, g)
    return understand(medication.dosages, drug, weight_kg, g, medication.notes)


def _by_its_days(medication: Medication, weight_kg: Decimal | None, g: Guideline) -> Moment | None:
    """The last day of an order by the days for which it was written."""
    begun = medication.authored
    if begun is None or not medication.dosages:
        return None
    dosages, dosing = medication.dosages, _dosing_of(medication, weight_kg, g)
    first, last = (given_until(dosages, dosing, day) for day in (begun.first, begun.last))
    return None if first is None or last is None else Moment(first, last, begun.instant)


def ended(
    therapy: Therapy, weight_kg: Decimal | None, on: date, g: Guideline, *, signs: bool
) -> Therapy:
    """The same, with what is known of its end where nothing is ordered any more."""
    by_name = therapy.named or therapy.doubtful
    if by_name or not therapy.current or therapy.start is None:
        return therapy
    orders = _orders_that_are_over(therapy, weight_kg, on, g)
    regimen = _regimen_for(therapy.route, g.file.doses, signs=signs)
    taken = None if orders is None else _taken_in_all(therapy, orders, regimen, weight_kg, g)
    if taken is None:
        return therapy
    injected = regimen is not g.file.doses.oral_regimen
    lacking = max(doses_of(regimen, injected=injected) - taken.doses, Decimal(0))
    due = taken.last.last + timedelta(days=taken.between)
    if injected and not lacking:
        due = add_months(taken.last.last, int(g.file.doses.weekly_injections.phases[-1].period))
    share = taken.doses * regimen.amount / in_two_weeks(regimen)
    substance = _injected_each_time(therapy, regimen.amount, weight_kg, g) if injected else ""
    over = Over(taken.last, due, lacking, share, substance)
    held = any(map(is_held, therapy.active))
    return structs.replace(therapy, over=over, on_hold=held)


def lapsed(
    therapy: Therapy, weight_kg: Decimal | None, on: date, g: Guideline, why: Reasoning
) -> Therapy:
    """The same, with an order that goes on, though doses of it are recorded and the last of them is
    too long ago; or one that has run out, of whose doses nothing is known but that most were not
    given. An order of which nothing is recorded is left out, since many records have no doses at
    all, and so is every order where something is stated to be taken."""
    by_name, over = therapy.named or therapy.doubtful, therapy.over
    if by_name or any(one.kind == "statement" for one in therapy.running):
        return therapy
    scant = over is not None and over.unfinished and g.limits.course_scant.holds(over.share)
    if over is not None and not (scant or therapy.is_only_missed):
        return therapy
    lapses = []
    for order in therapy.active:
        lapse = None if is_held(order) else _lapse_of(order, therapy, weight_kg, on, g)
        if lapse is None:
            continue
        asked = DuplicationFacts(late=(on - lapse.due).days, between=lapse.between)
        if why.row(g.tables.duplication, "DUP-09", asked, about=_name_of(order)):
            lapses.append(lapse)
    lapse = min(lapses, key=lambda one: one.due, default=None)
    return therapy if lapse is None else structs.replace(therapy, lapse=lapse, over=None)


def _lapse_of(
    order: Medication, therapy: Therapy, weight_kg: Decimal | None, on: date, g: Guideline
) -> Lapse | None:
    """Since when the next dose of an order is due, by what was recorded in its days, or of
    injections since the course began; of what is swallowed only where the newest record is of a
    dose that was not given, since doses at home are not recorded."""
    route, begun = route_of(order, g), order.authored
    since = first_day(order.dosages) or (begun.last if begun is not None else None)
    if since is None:
        return None
    last, missed = _last_of(therapy, route, on)
    given = date.min if last is None else last.last
    began = therapy.start.first if therapy.start is not None else since
    injected = route == "parenteral"
    known = max(given, missed) >= (min(began, since) if injected else since)
    known = known and (injected or missed > given)
    end = _by_its_days(order, weight_kg, g)
    run_out = end is not None and end.last < on
    between = _dosing_of(order, weight_kg, g).between(max((given - since).days, 0))
    if not known or between is None or (run_out and given >= since):
        return None
    due = since if last is None else max(since, given + timedelta(days=between))
    return Lapse(order, last, due, between, run_out)


def _last_of(therapy: Therapy, route: Route, on: date) -> tuple[Moment | None, date]:
    """The last dose that was given by a way, and the last day on which one was not."""
    doses = [one.begun for one in therapy.spans if one.given and _same_way(one.route, route)]
    missed = max((one.last for one in therapy.missed if one.first <= on), default=date.min)
    return max(doses, key=lambda one: one.last, default=None), missed


class _Taken(NamedTuple):
    """How many doses of a course were taken, its last day, and the days to the next dose."""

    doses: Decimal
    last: Moment
    between: int


def _taken_in_all(
    therapy: Therapy,
    orders: Mapping[Medication, Moment],
    regimen: Dose,
    weight_kg: Decimal | None,
    g: Guideline,
) -> _Taken | None:
    """By the doses that were recorded, else by the days of the ``orders`` in force without those
    that were missed; in either case at least what an order that was carried out gave, where no dose
    was recorded in its days."""
    episode = _of_the_course(therapy)
    doses = [one for one in episode if one.given]
    done = {
        one.taken: one.ended
        for one in episode
        if one.ends and _is_carried_out(one.taken) and not _is_recorded(one, doses)
    }
    promised = done if doses else {**orders, **done}
    ends = [one.begun for one in doses]
    ends += [_last_dose(one, end, therapy.missed, weight_kg, g) for one, end in promised.items()]
    last = max(ends, key=lambda one: (one.last, one.instant), default=None)
    if last is None:
        return None
    ordered = [
        _doses_ordered(one, weight_kg, g) - _missed_in(one, therapy.missed)
        for one in ((done,) if doses else (orders, done))
    ]
    taken = max(Decimal(len(doses)), *ordered)
    by_mouth = regimen is g.file.doses.oral_regimen and not doses
    return _Taken(taken, last, 1 if by_mouth else int(days_between(regimen)))


def _injected_each_time(
    therapy: Therapy, amount: Decimal, weight_kg: Decimal | None, g: Guideline
) -> str:
    """The substance of a course where all that was ordered or given of it is of one, and in doses
    of ``amount`` micrograms as far as they can be read; "" where that is not so."""
    taken = [one.taken for one in _of_the_course(therapy)]
    substances = {recognise(one.codes, one.text, g).substance for one in taken}
    amounts: set[Decimal | None] = set()
    for one in taken:
        dosing = _dosing_of(one, weight_kg, g) if one.dosages else None
        amounts |= (
            {amount_given(one)} if dosing is None else {dosing.single_low, dosing.single_high}
        )
    certain = len(substances) == 1 and amounts - {None} == {amount}
    return substances.pop() if certain else ""


def _is_recorded(order: Span, doses: Iterable[Span]) -> bool:
    """Whether a dose was recorded in the days of an order: what was recorded is what was given."""
    days = order.begun.first, max(order.end, order.ended.last)
    return any(one.begun.last >= days[0] and one.begun.first <= days[1] for one in doses)


def _missed_in(orders: Mapping[Medication, Moment], missed: Iterable[Moment]) -> int:
    """How many doses were recorded as not given in the days of ``orders``, by the last of each."""
    days = [(one.authored, end) for one, end in orders.items()]
    return sum(
        any(begun and begun.first <= one.last and one.first <= end.last for begun, end in days)
        for one in missed
    )


def _last_dose(
    order: Medication,
    end: Moment,
    missed: Collection[Moment],
    weight_kg: Decimal | None,
    g: Guideline,
) -> Moment:
    """The day of the last dose of an order that ends on a day: of injections in five weeks the day
    on which the fifth begins, or the fourth where that was ``missed``; of more than one line, the
    day on which it ends."""
    lines = _dosing_of(order, weight_kg, g).lines
    span = lines[0].span if len(lines) == 1 else None
    begun = order.authored
    if begun is None or span is None or span < 1 or end.last < begun.last:
        return end
    lasted = (end.last - begun.last).days
    past = timedelta(days=lasted % int(span))
    while past.days < lasted and any(one.first <= end.last - past <= one.last for one in missed):
        past += timedelta(days=int(span))
    return Moment(end.first - past, end.last - past, end.instant)


def _of_the_course(therapy: Therapy) -> list[Span]:
    """What belongs to the course by its way, and by its days where it is over."""
    since = therapy.start.first if therapy.start is not None else date.min
    spans = therapy.spans if therapy.finished else therapy.episode
    return [one for one in spans if one.end >= since and _same_way(one.route, therapy.route)]


def _is_finished(earlier: Collection[Span]) -> bool:
    """Whether some of what was taken earlier is of no order that was stopped."""
    stopped = [one for one in earlier if one.taken.status == "stopped"]
    return any(
        one.taken.status != "stopped"
        and not (one.given and any(it.begun.first <= one.begun.last for it in stopped))
        for one in earlier
    )


def _is_carried_out(medication: Medication) -> bool:
    return medication.kind == "order" and medication.status in _CARRIED_OUT


def _orders_that_are_over(
    therapy: Therapy, weight_kg: Decimal | None, on: date, g: Guideline
) -> dict[Medication, Moment] | None:
    """The orders in force and the last day of each by its days, but for those on hold; ``None``
    where one goes on, or may: all on hold and no course that still acts, one that does not say how
    long, or of several of one day one that is over."""
    if therapy.is_held or any(one.kind == "statement" for one in therapy.running):
        return None
    treating = [one for one in therapy.active if not is_held(one)]
    written = [one.authored.first for one in treating if one.authored is not None]
    if len(set(written)) < len(treating):
        return None
    ends = {one: _by_its_days(one, weight_kg, g) for one in treating}
    known = {one: end for one, end in ends.items() if end is not None and end.last < on}
    return known if len(known) == len(ends) else None


def _doses_ordered(
    orders: Iterable[Medication], weight_kg: Decimal | None, g: Guideline
) -> Decimal:
    """The injections that orders give by their days; without end where that of one is not known,
    and of what is swallowed, which was taken for as long as it was ordered."""
    doses = Decimal(0)
    for one in orders:
        dosing = _dosing_of(one, weight_kg, g)
        given = None if dosing.days is None else dosing.within(dosing.days, least=True)
        if not given or not dosing.single_high or route_of(one, g) != "parenteral":
            return Decimal("Infinity")
        doses += given / dosing.single_high
    return doses


def doses_of(regimen: Dose, *, injected: bool) -> int:
    """The doses of its course; of injections those before the ones that are kept up."""
    phases = regimen.phases[:1] if injected else regimen.phases
    return sum(one.count or 0 for one in phases)


def is_trifling(therapy: Therapy, weight_kg: Decimal | None, g: Guideline, *, signs: bool) -> bool:
    """Whether a course that was carried out gave too little in its first two weeks to have treated
    anyone, as an order of it would."""
    regimen = _regimen_for(therapy.route, g.file.doses, signs=signs)
    orders = {
        one.taken: one.ended
        for one in therapy.spans
        if _is_carried_out(one.taken) and _same_way(one.route, therapy.route)
    }
    dosings = [_dosing_of(one, weight_kg, g) for one in orders]
    amounts = [one.within(TWO_WEEKS) for one in dosings]
    known = [amount for amount in amounts if amount is not None]
    if not known or len(known) < len(amounts):
        return False
    doses = [one.taken for one in therapy.spans if one.given]
    given = sum([_amount_of(one, regimen.amount) for one in doses], Decimal(0))
    single = max([one.single_high or regimen.amount for one in dosings])
    given += sum(known, Decimal(0)) - single * _missed_in(orders, therapy.missed)
    return g.limits.course_scant.holds(given / in_two_weeks(regimen))


def untreated(therapy: Therapy) -> Therapy:
    """The same, without the course that was taken, which does not count."""
    return structs.replace(
        therapy,
        start=None,
        route="unknown",
        given=False,
        running=(),
        finished=(),
        doses=(),
        episode=(),
        over=None,
    )


def not_continued(
    therapy: Therapy, on: date, g: Guideline, why: Reasoning, *, low: bool, signs: bool
) -> Therapy:
    """The same, without a course that was begun and was not continued where the level is ``low``
    all the same: a dose or two of one do not make a child a treated one. Treatment begins with what
    was ordered since, if anything was."""
    doses = therapy.doses
    dated = [one.authored for one in doses if one.authored is not None]
    if not dated:
        return therapy
    last = max(dated, key=lambda one: (one.last, one.instant))
    regimen = _regimen_for(therapy.route, g.file.doses, signs=signs)
    amounts = [_amount_of(one, regimen.amount) for one in doses]
    episode = tuple(
        [
            one
            for one in therapy.episode
            if one.taken not in doses and not _is_stopped_course(one, therapy.route, last)
        ]
    )
    start = _start(episode)
    until = on if start is None else start.first
    asked = DuplicationFacts(
        low=low,
        share=sum(amounts, Decimal(0)) / in_two_weeks(regimen),
        overdue=(until - last.last).days - int(days_between(regimen)),
    )
    if not why.row(g.tables.duplication, "DUP-06", asked):
        return therapy
    running = tuple([one for one in therapy.running if one not in doses])
    return structs.replace(
        therapy,
        start=start,
        route=_route_of_any(running, g),
        given=any(one.kind != "order" for one in running),
        running=running,
        doses=(),
        episode=episode,
        earlier=Earlier(last, is_open=False),
        broken_off=BrokenOff(len(doses), last),
    )


def _is_stopped_course(order: Span, route: Route, last: Moment) -> bool:
    """Whether an order was stopped of which the doses up to the ``last`` are what was given."""
    began = order.begun.first <= last.last
    stopped = order.taken.kind == "order" and order.taken.status == "stopped"
    return stopped and began and _same_way(order.route, route)


def _regimen_for(route: Route, doses: Doses, *, signs: bool) -> Dose:
    """What would be given by the way that was begun."""
    if route in ("oral", "other"):
        return doses.oral_regimen
    return doses.injections(signs=signs)


def _amount_of(dose: Medication, usual: Decimal) -> Decimal:
    """What was given, in micrograms; the ``usual`` dose where that cannot be read."""
    amount = amount_given(dose)
    return usual if amount is None else amount


def amount_given(dose: Medication) -> Decimal | None:
    """The micrograms of a dose that was given; ``None`` where not all of it can be read."""
    amounts = [convert(one.amount, "ug") if one.amount else None for one in dose.doses]
    known = [amount for amount in amounts if amount is not None]
    return sum(known, Decimal(0)) if known and len(known) == len(amounts) else None


#: The days that what begins a treatment is judged by (policy), and those of a unit of a period.
TWO_WEEKS = Decimal(14)
DAYS_OF: Mapping[str, Decimal] = {
    "d": Decimal(1), "wk": Decimal(7), "mo": Decimal(30), "a": Decimal(365),
}  # fmt: skip


def days_between(dose: Dose) -> Decimal:
    """The days from one dose to the next when it begins."""
    first = dose.phases[0]
    return first.period * DAYS_OF[first.period_unit]


@lru_cache(maxsize=64)
def in_two_weeks(dose: Dose) -> Decimal:
    """What its phases give in two weeks, one after the other: the same for every child."""
    left, doses = TWO_WEEKS, 0
    for phase in dose.phases:
        if left <= 0:
            break
        lasts = min(left, Decimal(phase.duration) * DAYS_OF[phase.duration_unit])
        span = phase.period * DAYS_OF[phase.period_unit]
        doses += min(
            doses_within(Decimal(phase.frequency), Decimal(span), lasts), phase.count or 99
        )
        left -= lasts
    return dose.amount * doses


def _start(course: Sequence[Span]) -> Moment | None:
    """When the course began: the earliest day, and the latest that it can have been."""
    if not course:
        return None
    first = min(course, key=lambda one: one.begun.first).begun
    return Moment(first.first, min(one.begun.last for one in course), first.instant)


def shows_response(sampled: date, start: Moment | None, g: Guideline) -> bool:
    """Whether a level of that day is one of the response to the course that began at ``start``."""
    return start is not None and g.limits.response_day.holds((sampled - start.last).days)


def is_perhaps_taken(medication: Medication) -> bool:
    """Whether no one knows that an order is in force, or since when something is taken."""
    if medication.kind == "order":
        return medication.status == "unknown"
    undated = medication.kind == "statement" and medication.authored is None
    return undated and medication.status == "active"


def _is_taken(medication: Medication, on: date) -> bool:
    """Whether it is stated to be taken now."""
    ended = medication.ended
    stated = medication.kind == "statement" and medication.status == "active"
    return stated and (ended is None or ended.last >= on)


def _same_way(route: Route, other: Route) -> bool:
    """Whether both are injected or neither is, as far as that is known."""
    either = "unknown" in (route, other)
    return either or (route == "parenteral") == (other == "parenteral")


def is_held(medication: Medication) -> bool:
    return medication.kind == "order" and medication.status == "on-hold"


def _takes_nothing_from(course: Span, other: Span) -> bool:
    """Whether ``other`` was stopped next to what was injected."""
    stopped = other.taken.kind == "order" and other.taken.status == "stopped"
    return stopped and course.route == "parenteral"


def what_treats(running: Iterable[Medication]) -> list[Medication]:
    """What of it is not on hold; all of it where everything is."""
    every = list(running)
    return [one for one in every if not is_held(one)] or every


def _route_of_any(running: Iterable[Medication], g: Guideline) -> Route:
    """By injection if any of it is, otherwise the first route known; of what is on hold only where
    all of it is."""
    routes = [route_of(one, g) for one in what_treats(running)]
    known = [route for route in routes if route != "unknown"]
    return "parenteral" if "parenteral" in known else next(iter(known), "unknown")


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
