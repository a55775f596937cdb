"""Vitamin B12 treatment on the record: active orders, doses given, and the current episode."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Literal

from msgspec import Struct

from cds_service.clinical import Medication, Record, convert
from cds_service.guidelines.b12_under_two.data import Guideline, Limits
from cds_service.guidelines.b12_under_two.products import ProductWay, names_b12, recognise

Route = Literal["oral", "parenteral", "other", "unknown"]


class Therapy(Struct, frozen=True):
    """Vitamin B12 treatment on the record. ``start`` is day 0 of the current episode; ``given``
    says that doses were recorded as given in it; ``running`` are the active orders and the doses
    given that are still within one episode of today."""

    active: tuple[Medication, ...] = ()
    start: date | None = None
    last: date | None = None
    route: Route = "unknown"
    on_hold: bool = False
    earlier: date | None = None
    looks_like_b12: tuple[str, ...] = ()
    unknown: int = 0
    folic_acid_alone: str = ""
    requirement_level: str = ""
    given: bool = False
    running: tuple[Medication, ...] = ()
    ended_orders: int = 0
    dates: tuple[date, ...] = ()

    @property
    def is_active(self) -> bool:
        return bool(self.active)

    @property
    def current(self) -> bool:
        """Ordered now, or given in the current episode: a second course must not be started."""
        return self.is_active or self.given


_NOT_ORDERED = frozenset({"cancelled", "entered-in-error", "draft", "unknown"})
_NOT_AN_ORDER = frozenset({"proposal", "plan", "option"})
_BY_FORM: Mapping[ProductWay, Route] = {
    "oral": "oral", "sublingual": "other", "nasal": "other", "parenteral": "parenteral",
}  # fmt: skip
_NOT_GIVEN = frozenset({"not-done", "entered-in-error", "unknown", "not-given"})


def read_therapy(record: Record, on: date, g: Guideline) -> Therapy:
    """The current episode of B12 treatment; a gap over the limit starts a new one."""
    codes = g.codes
    active: list[Medication] = []
    spans: list[tuple[date, date]] = []
    names: list[str] = []
    unknown = ended = 0
    folic = requirement = ""
    routes: list[Route] = []
    given: list[date] = []
    running: list[Medication] = []
    for medication in record.medications:
        if not medication.codes and not medication.text:
            unknown += medication.status in ("active", "on-hold")
            continue
        if medication.intent in _NOT_AN_ORDER:
            continue
        if codes.multivitamin_with_b12.any_of(medication.codes) is not None:
            continue
        is_active = medication.kind == "order" and medication.status in ("active", "on-hold")
        if codes.b12_therapy.any_of(medication.codes) is None:
            if is_active and codes.folic_acid.any_of(medication.codes) is not None:
                folic = medication.text or medication.codes[0].display or "folic acid"
            elif is_active and names_b12(
                (medication.text, *(code.display for code in medication.codes)), g
            ):
                names.append(medication.text or medication.codes[0].display)
            continue
        if _is_requirement_level(medication, g.limits):
            if is_active:
                code = medication.codes[0]
                requirement = medication.text or code.display or code.code
            continue
        ended += medication.kind == "order" and not is_active
        refused = _NOT_GIVEN if medication.kind == "administration" else _NOT_ORDERED
        if medication.status in refused:
            continue
        if is_active:
            active.append(medication)
            routes.append(route_of(medication, g))
        started = medication.authored
        if started is not None and started.first <= on:
            end = on if is_active else min(on, (medication.ended or started).last)
            spans.append((started.first, max(end, started.first)))
            if medication.kind == "administration":
                given.append(started.last)
                if not g.limits.episode_gap.holds((on - started.last).days):
                    running.append(medication)
            if not is_active:
                routes.append(route_of(medication, g))
    spans.sort()
    start = last = earlier = None
    for first, end in spans:
        if last is None or g.limits.episode_gap.holds((first - last).days):
            earlier, start, last = last, first, end
        else:
            last = max(last, end)
    current = last is not None and not g.limits.episode_gap.holds((on - last).days)
    known = [route for route in routes if route != "unknown"]
    taken = current and start is not None and any(day >= start for day in given)
    return Therapy(
        active=tuple(active),
        start=start if current else None,
        last=last if current else None,
        route="parenteral" if "parenteral" in known else known[0] if known else "unknown",
        on_hold=bool(active) and all(one.status == "on-hold" for one in active),
        earlier=earlier if active or taken else last,
        looks_like_b12=tuple(names),
        unknown=unknown,
        folic_acid_alone="" if active else folic,
        given=taken,
        running=(*active, *running),
        ended_orders=ended,
        requirement_level=requirement,
        dates=tuple(day for span in spans for day in span),
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
