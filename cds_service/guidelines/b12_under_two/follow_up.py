"""A child on treatment: response, overdue tests, movements and new signs (table FU).

The table answers three questions, each with rows of its own so that a reassuring answer to one
never hides an urgent answer to another: is there a new or persisting neurological sign
(FU-09 to FU-11), is a check overdue (FU-07, FU-08), and how is the level responding (FU-01 to
FU-06, FU-12, FU-13). FU-00 adds the checks that nobody has ordered yet.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Literal

from msgspec import Struct

from cds_service.guidelines.b12_under_two import monitoring, treatment, words
from cds_service.guidelines.b12_under_two.age import add_months
from cds_service.guidelines.b12_under_two.assessment import Assessment, chosen_level
from cds_service.guidelines.b12_under_two.data import Guideline
from cds_service.guidelines.b12_under_two.facts import Facts
from cds_service.guidelines.b12_under_two.results import Level, verdict_of
from cds_service.guidelines.engine import (
    CannotTell,
    Choice,
    Indicator,
    Note,
    NotIndicated,
    Outcome,
    Recommend,
)
from cds_service.guidelines.tables import Reasoning

Response = Literal["FU-01", "FU-02", "FU-03", "FU-04", "FU-05", "FU-06", "FU-12", "FU-13"]


class Course(Struct, frozen=True):
    """Treatment so far: day 0, days since, the level before and the newest one after."""

    start: date
    day: int
    before: Level | None
    after: Level | None
    after_day: int


def read_course(facts: Facts) -> Course | None:
    start = facts.therapy.start
    if start is None:
        return None
    chosen, _ = chosen_level(facts)
    after = before = None
    for level in facts.levels:
        if level.verdict == "indeterminate":
            continue
        if level.when.first > start:
            after = after or level
        elif level.when.first < start or level.verdict != "adequate":
            before = before or level  # a high level of day 0 may be drawn after the first dose
    if chosen is not None and chosen.when.first > start and chosen.verdict != "indeterminate":
        after = chosen
    return Course(
        start,
        (facts.on - start).days,
        before,
        after,
        (after.when.first - start).days if after else -1,
    )


def neurological_row(facts: Facts, course: Course, g: Guideline, why: Reasoning) -> str | None:
    """New signs on oral treatment mean injections; movements that began in the first two weeks
    may pass within six, and are no reason to stop."""
    limits, therapy = g.limits, facts.therapy
    oral = therapy.is_active and therapy.route in ("oral", "other")
    new = [
        one
        for one in facts.neurological
        if one.onset is not None and one.onset.first > course.start
    ]
    if why.holds(
        "FU-11",
        oral and bool(new),
        "on oral treatment: {}, signs since it began: {}",
        oral,
        len(new),
    ):
        return "FU-11"
    long = any(
        one.onset is not None and limits.paradox_long.holds((facts.on - one.onset.first).days)
        for one in facts.paradoxical
    )
    persisting = oral and bool(facts.neurological) and limits.neuro_review.holds(course.day)
    if why.holds(
        "FU-10",
        long or persisting,
        "movements over six weeks: {}, signs after four weeks of oral treatment: {}",
        long,
        persisting,
    ):
        return "FU-10"
    if why.holds(
        "FU-09",
        bool(facts.paradoxical),
        "movements that began in the first two weeks of treatment: {}",
        len(facts.paradoxical),
    ):
        return "FU-09"
    return None


def overdue_row(facts: Facts, course: Course, g: Guideline, why: Reasoning) -> str | None:
    """Levels are due at one and at three months; neither is to be forgotten."""
    limits = g.limits
    days = [(one.when.first - course.start).days for one in facts.levels]
    three = limits.three_month_overdue.holds(course.day) and not any(
        limits.three_month_result.holds(day) for day in days
    )
    if why.holds(
        "FU-08", three, "day {}, newest result on day {}", course.day, max(days, default="-")
    ):
        return "FU-08"
    one_month = limits.one_month_overdue.holds(course.day) and not any(
        limits.response_day.holds(day) for day in days
    )
    if why.holds(
        "FU-07", one_month, "day {}, newest result on day {}", course.day, max(days, default="-")
    ):
        return "FU-07"
    return None


def response_row(facts: Facts, course: Course, g: Guideline, why: Reasoning) -> Response:
    """A level of 300 pg/mL from three weeks on is a response; under 200, or not a quarter above
    the first, is none."""
    limits = g.limits
    day, after = course.day, course.after
    early = not limits.response_day.holds(day)
    if why.holds("FU-01", early, "day {}", day):
        return "FU-01"
    judged = after is not None and limits.response_day.holds(course.after_day)
    level = _bound(after) if judged and after is not None else None
    if level is None:
        why.holds("FU-13", True, "day {}, no level since day {}", day, limits.response_day)
        return "FU-13"
    verdict = verdict_of(level, limits)
    adequate = verdict == "adequate"
    if why.holds("FU-12", adequate and limits.regimen_end.holds(day), "day {}, {}", day, level):
        return "FU-12"
    if why.holds("FU-02", adequate, "{} on day {}", level, course.after_day):
        return "FU-02"
    before = _bound(course.before) if course.before is not None else None
    why.holds(
        "FU-06",
        before is None and not adequate,
        "level before treatment: {}",
        "unknown" if before is None else before,
    )
    grown = before is None or before <= 0 or limits.response_ratio.holds(level / before)
    partial = verdict == "borderline" and grown
    if why.holds("FU-03", partial, "{} after {}", level, before if before else "an unknown level"):
        return "FU-03"
    parenteral = facts.therapy.route == "parenteral"
    if why.holds(
        "FU-05", parenteral, "{} after {}, route {}", level, before or "-", facts.therapy.route
    ):
        return "FU-05"
    why.holds("FU-04", True, "{} after {}, route {}", level, before or "-", facts.therapy.route)
    return "FU-04"


def _bound(level: Level) -> Decimal | None:
    """The number a response is judged by; an open-ended result counts from its known side."""
    return level.high if level.high is not None else level.low


def pending_checks(
    facts: Facts, course: Course, g: Guideline, why: Reasoning
) -> list[monitoring.Wanted]:
    """The one- and three-month levels still to come that have neither an order nor a result."""
    limits = g.limits
    days = [(one.when.first - course.start).days for one in facts.levels]
    wanted: list[monitoring.Wanted] = []
    month, quarter = add_months(course.start, 1), add_months(course.start, 3)
    if not limits.one_month_overdue.holds(course.day) and not any(
        limits.response_day.holds(day) for day in days
    ):
        wanted.append(("b12", max(month, facts.on)))
    if not limits.three_month_overdue.holds(course.day) and not any(
        limits.three_month_result.holds(day) for day in days
    ):
        wanted.append(("b12", max(quarter, facts.on)))
    open_checks = [
        one for one in wanted if not monitoring.is_ordered(g.file.tests.b12, one[1], facts, g)
    ]
    why.holds(
        "FU-00", bool(open_checks), "{} checks still to come without an order", len(open_checks)
    )
    return open_checks


def follow_up(facts: Facts, a: Assessment, g: Guideline, why: Reasoning) -> list[Outcome]:
    """Every answer of the table FU for a child on treatment, the most urgent as main card."""
    course = read_course(facts)
    if course is None:
        undated = _undated(facts, a, g)
        hold = facts.therapy.on_hold and a.status.deficient
        return [_on_hold(facts, a, g), undated] if hold else [undated]
    rows = (
        neurological_row(facts, course, g, why),
        overdue_row(facts, course, g, why),
        response_row(facts, course, g, why),
    )
    settled = g.limits.three_month_result.holds(course.after_day)
    outcomes: list[Outcome] = [
        _card(row, facts, a, course, g, why)
        for row in rows
        if row and row in g.file.cards and not (row == "FU-02" and settled)
    ]
    pending = pending_checks(facts, course, g, why)
    if "FU-08" in rows or "FU-07" in rows:
        pending = [one for one in pending if one[1] > facts.on]
    if "FU-03" in rows:  # its card orders the three-month level
        pending = [one for one in pending if one[1] < add_months(course.start, 3)]
    replaced = any(
        isinstance(one, Recommend) and one.selection == "at-most-one" for one in outcomes
    )
    if replaced or facts.therapy.on_hold:
        pending = []  # a new order brings its own checks, one on hold has none
        outcomes = treatment.beside("a change", outcomes)
    if pending:
        tests, _ = monitoring.plan_tests(pending, facts, g, why, reasons=_reasons(a))
        outcomes.append(
            Recommend(
                "FU-00",
                "FU-00",
                g.file.cards["FU-00"].indicator,
                _values(facts, a, course, g),
                (),
                monitoring.test_choices("FU-00", tests),
            )
        )
    if facts.therapy.on_hold and a.status.deficient:
        outcomes.insert(0, _on_hold(facts, a, g))
    if not outcomes:
        return [NotIndicated(rows[2], g.file.rules[rows[2]].result)]
    return outcomes


def _on_hold(facts: Facts, a: Assessment, g: Guideline) -> Recommend:
    """An order on hold treats nobody."""
    card = g.file.cards["DUP-01.hold"]
    return Recommend(
        "DUP-01",
        "DUP-01.hold",
        "critical" if facts.neurological else card.indicator,
        {**words.card_values(facts, a, (), g), "order": treatment.order_names(facts)},
        tuple(words.finding_notes(facts, a, g)),
        main=True,
    )


def _undated(facts: Facts, a: Assessment, g: Guideline) -> Outcome:
    """Treatment is active but nobody can say since when: its response cannot be judged."""
    return CannotTell(
        "DUP-01",
        ("start date of the active vitamin B12 order",),
        "DUP-01",
        "info",
        {"order": treatment.order_names(facts)},
        tuple(words.finding_notes(facts, a, g)),
    )


def _card(
    row: str, facts: Facts, a: Assessment, course: Course, g: Guideline, why: Reasoning
) -> Recommend:
    texts, doses = g.file.texts, g.file.doses
    card = g.file.cards[row]
    notes: list[Note] = list(words.finding_notes(facts, a, g))
    choices: tuple[Choice, ...] = ()
    selection: Literal["at-most-one", "any"] = "any"
    indicator: Indicator = card.indicator
    if facts.therapy.on_hold:
        notes.append(Note("finding", texts.order_on_hold, {"order": treatment.order_names(facts)}))
    elif facts.therapy.given and not facts.therapy.is_active:
        notes.append(
            Note("finding", texts.given_treatment, {"start": course.start, "day": course.day})
        )
    elif facts.therapy.is_active:
        notes.append(
            Note(
                "finding",
                texts.already_treated,
                {"order": treatment.order_names(facts), "start": course.start, "day": course.day},
            )
        )
    oral = facts.therapy.route != "parenteral"
    injections = {
        "FU-04": doses.weekly_injections,
        "FU-10": doses.neurological_injections,
        "FU-11": doses.neurological_injections,
    }
    if row in injections and oral and not facts.age.under_one_month:
        switch = treatment.switch_to_injection(injections[row], facts, a, g, why)
        if switch is not None:
            indicator = switch.indicator if switch.indicator == "critical" else indicator
            notes += switch.notes
            choices, selection = switch.choices, switch.selection
    elif row == "FU-09" and facts.therapy.route in ("oral", "other"):
        notes.append(Note("safety", texts.paradox_oral))
    elif row in ("FU-07", "FU-08"):
        tests, already = monitoring.plan_tests(
            [("b12", facts.on)], facts, g, why, reasons=_reasons(a)
        )
        choices = monitoring.test_choices(row, tests)
        notes += words.test_notes((), already, g)
    elif row == "FU-03":
        due = max(add_months(course.start, 3), facts.on)
        tests, already = monitoring.plan_tests([("b12", due)], facts, g, why, reasons=_reasons(a))
        choices = monitoring.test_choices(row, tests)
        notes += words.test_notes((), already, g)
    movements = row == "FU-10" and not facts.neurological
    return Recommend(
        row,
        "FU-10.movements" if movements else row,
        indicator,
        _values(facts, a, course, g),
        tuple(notes),
        choices,
        selection,
        main=True,
    )


def _values(facts: Facts, a: Assessment, course: Course, g: Guideline) -> dict[str, object]:
    before, after = course.before, course.after
    return {
        **words.card_values(facts, a, (), g),
        "order": treatment.order_names(facts),
        "start": course.start,
        "day": course.day,
        "before": f"B12 {words.shown_level(before)}" if before else "an unknown level",
        "after": f"B12 {words.shown_level(after)}" if after else "no level",
        "after_date": after.when.last if after else "-",
        "movements": words.named(facts.paradoxical),
    }


def _reasons(a: Assessment) -> tuple[str, ...]:
    return (a.status.level.source,) if a.status.level and a.status.level.source else ()
