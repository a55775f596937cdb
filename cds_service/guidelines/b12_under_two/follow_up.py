"""A child on treatment: response, overdue tests, movements and new signs, by the table FU."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Literal

from msgspec import Struct, structs

from cds_service.clinical import Medication, Moment
from cds_service.guidelines.b12_under_two import monitoring, treatment, words
from cds_service.guidelines.b12_under_two.age import days_since, recorded
from cds_service.guidelines.b12_under_two.assessment import (
    Assessment,
    chosen_level,
    extreme_homocysteine,
    is_high,
    recent,
    without_treatment,
)
from cds_service.guidelines.b12_under_two.data import Dose, Guideline
from cds_service.guidelines.b12_under_two.facts import Facts, Finding
from cds_service.guidelines.b12_under_two.messages import Texts
from cds_service.guidelines.b12_under_two.results import Lab, LabName, Level
from cds_service.guidelines.b12_under_two.tables.duplication import DuplicationFacts
from cds_service.guidelines.b12_under_two.tables.follow_up import (
    BloodFacts,
    Check,
    CheckFacts,
    Follow,
    OverdueFacts,
    ResponseFacts,
    SignFacts,
)
from cds_service.guidelines.b12_under_two.therapy import Lapse, is_held, route_of, shows_response
from cds_service.guidelines.engine import (
    CannotTell,
    Choice,
    Indicator,
    Note,
    Outcome,
    Recommend,
    most_urgent,
)
from cds_service.guidelines.tables import Reasoning
from cds_service.language import Listed, Value, say


class Course(Struct, frozen=True):
    """Treatment so far: day 0, the most days since, the level before and the newest one after.

    ``result_day`` is the day of the newest level of all, before treatment or after. Both days are
    the fewest that they can be where a date is incomplete: what is overdue is then asked for, and
    no response is judged too early.
    """

    start: Moment
    day: int
    before: Level | None
    after: Level | None
    after_day: int | None
    result_day: int | None


class Occasion(Struct, frozen=True):
    """One look at a child on treatment: its facts, how they are judged, and its ``course``, by a
    guideline; ``why`` keeps which rows answered."""

    facts: Facts
    a: Assessment
    course: Course
    g: Guideline
    why: Reasoning


def read_course(facts: Facts) -> Course | None:
    start = facts.therapy.start
    if start is None:
        return None
    latest = min(start.last, facts.on)
    chosen, _ = chosen_level(facts)
    after = before = None
    for level in facts.levels:
        if level.verdict == "indeterminate":
            continue
        if level.when.first > start.first:
            after = after or level
        elif level.when.first < start.first or level.verdict != "adequate":
            before = before or level  # a high level of day 0 may be drawn after the first dose
    if chosen is not None and chosen.when.first > start.first and chosen.verdict != "indeterminate":
        after = chosen
    return Course(
        start,
        days_since(start, facts.on),
        before,
        after,
        (after.when.first - latest).days if after else None,
        max([(one.when.first - latest).days for one in facts.levels], default=None),
    )


def sign_facts(facts: Facts, course: Course, g: Guideline) -> SignFacts:
    therapy = facts.therapy
    began = [one.onset.first for one in facts.paradoxical if one.onset is not None]
    in_time = course.after_day is not None and g.limits.response_day.holds(course.after_day)
    return SignFacts(
        day=course.day,
        active=therapy.is_known,
        route=None if therapy.route == "unknown" else therapy.route,
        signs=tuple([one.name for one in facts.neurological]),
        new_signs=_began_since(facts.neurological, course),
        movements=tuple([one.name for one in facts.paradoxical]),
        movement_days=(facts.on - min(began)).days if began else None,
        level=_bound(course.after) if course.after is not None and in_time else None,
        worded=_began_since(facts.worded.neurological, course),
    )


def _began_since(findings: Iterable[Finding], course: Course) -> tuple[str, ...]:
    """The names of those that began after treatment did."""
    return tuple(
        [
            one.name
            for one in findings
            if one.onset is not None and one.onset.last > course.start.first
        ]
    )


def blood_facts(facts: Facts, course: Course, g: Guideline) -> BloodFacts:
    hemoglobin, potassium = (
        _sampled_since(facts, name, course, g) for name in ("hemoglobin", "potassium")
    )
    return BloodFacts(
        hemoglobin=hemoglobin.value if hemoglobin is not None else None,
        potassium=potassium.value if potassium is not None else None,
    )


def _sampled_since(
    facts: Facts, name: Literal["hemoglobin", "potassium"], course: Course, g: Guideline
) -> Lab | None:
    """The newest value of the last month, if it is of a day after the first dose."""
    lab = recent(facts, name, g.limits.labs_recent)
    return lab if lab is not None and lab.when.first > course.start.first else None


def response_facts(facts: Facts, course: Course, g: Guideline) -> ResponseFacts:
    level = _bound(course.after) if course.after is not None else None
    before = _bound(course.before) if course.before is not None else None
    return ResponseFacts(
        day=course.day,
        level_day=course.after_day,
        level=level,
        before=before,
        rise=level / before if level is not None and before is not None and before > 0 else None,
        route=None if facts.therapy.route == "unknown" else facts.therapy.route,
        fell=_fell_after_the_end(facts, course, g),
    )


def _fell_after_the_end(facts: Facts, course: Course, g: Guideline) -> bool:
    """Whether the newest level was drawn after the last dose of a course that is over, and the last
    one of the time before, or any since, was an adequate response to it."""
    over, after = facts.therapy.over, course.after
    if over is None or after is None or after.when.first <= over.last.last:
        return False
    before = (
        one
        for one in facts.levels
        if one.when.first < after.when.first
        and one.verdict != "indeterminate"
        and (one.verdict == "adequate" or one.when.first <= over.last.last)
    )
    last = next(before, None)
    if last is None or last.verdict != "adequate":
        return False
    return shows_response(last.when.first, course.start, g)


def _bound(level: Level) -> Decimal | None:
    """The number a response is judged by; an open-ended result counts from its known side."""
    return level.high if level.high is not None else level.low


def due_dates(course: Course, g: Guideline) -> dict[Check, date]:
    """When the level of each check is due."""
    month, quarter = monitoring.checks(course.start.first, g)
    return {"one month": month, "three months": quarter}


def pending_checks(at: Occasion, follows: Iterable[Follow]) -> list[date]:
    """When the levels are due that are still to come, have neither an order nor a result, and are
    not ordered by the card of another row."""
    pending = []
    texts = at.g.file.texts
    about = {"one month": texts.check_one_month, "three months": texts.check_three_months}
    for check, day in due_dates(at.course, at.g).items():
        due = max(day, at.facts.on)
        asked = CheckFacts(
            check=check,
            day=at.course.day,
            result_day=at.course.result_day,
            ordered=monitoring.is_ordered(at.g.file.tests.b12, due, at.facts, at.g),
        )
        if at.why.row(at.g.tables.follow_up_checks, "FU-00", asked, about=about[check]):
            pending.append(due)
    for follow in follows:
        pending = [due for due in pending if not _ordered_by(follow, due, at)]
    return pending


def _ordered_by(follow: Follow, due: date, at: Occasion) -> bool:
    if follow.level == "now":
        return due <= at.facts.on
    return follow.level is not None and due >= due_dates(at.course, at.g)[follow.level]


def follow_up(facts: Facts, a: Assessment, g: Guideline, why: Reasoning) -> list[Outcome]:
    """Every answer of the table FU for a child on treatment, the most urgent as main card."""
    first = held(facts, a, g, why) if facts.therapy.is_held or a.status.deficient else []
    course = read_course(facts)
    if course is None:
        return [*first, _undated(facts, a, g)]
    at = Occasion(facts, a, course, g, why)
    rows, response = _rows(at)
    cards = [(_card(rule, follow, at), follow) for rule, follow in rows]
    cards = _without_a_success(cards)
    pending = pending_checks(at, [follow for _, follow in rows])
    over = _over([card for card, _ in cards], at)
    over, cards = _with_the_response(over, cards, course)
    if _is_not_given(over):
        pending, cards = _beside_a_gap(pending, cards, over, facts, g)
    if _is_not_as_ordered([*over, *(card for card, _ in cards)], facts):
        pending = []  # a new order brings its own checks, one on hold has none
        cards = [(card, follow) for card, follow in cards if not follow.goes_on]
    outcomes: list[Outcome] = [*_led(first, over, [card for card, _ in cards])]
    if pending:
        outcomes.append(_missing_checks(pending, at))
    return outcomes or [words.nothing_to_say(response)]


def _with_the_response(
    over: Sequence[Recommend], cards: list[tuple[Recommend, Follow]], course: Course
) -> tuple[list[Recommend], list[tuple[Recommend, Follow]]]:
    """The card of a course that is over says that the response was adequate: a card of its own
    would repeat what comes next."""
    adequate = next((card for card, _ in cards if card.card == "FU-02.over"), None)
    before, after = course.before, course.after
    if adequate is None or adequate.choices or after is None:
        return [*over], cards
    if all(one.rule != "DUP-08" for one in over):
        return [*over], cards
    response = say(
        Texts.response_adequate,
        before=words.shown_value(before) if before else say(Texts.unknown_level),
        after=words.shown_value(after),
        after_date=recorded(after.when),
    )
    told = Note("finding", response)
    ended = [
        structs.replace(one, notes=(*one.notes, told)) if one.rule == "DUP-08" else one
        for one in over
    ]
    return ended, [one for one in cards if one[0] is not adequate]


def _without_a_success(
    cards: list[tuple[Recommend, Follow]],
) -> list[tuple[Recommend, Follow]]:
    """Next to a severe anaemia no card calls the response adequate."""
    if all(card.rule != "FU-15" for card, _ in cards):
        return cards
    return [one for one in cards if one[0].card not in _ADEQUATE]


def _is_not_as_ordered(cards: Iterable[Recommend], facts: Facts) -> bool:
    """Whether one of the cards offers another treatment than what is ordered, or that is on hold
    and not what comes after a course."""
    held = facts.therapy.on_hold and facts.therapy.over is None
    others = (one for one in cards if one.rule != "DUP-08")  # which goes on with it
    return held or any(one.selection == "at-most-one" for one in others)


def _is_not_given(over: Iterable[Recommend]) -> bool:
    return any(one.rule in _OF_WHAT_IS_NOT_GIVEN for one in over)


def _beside_a_gap(
    pending: Iterable[date],
    cards: Iterable[tuple[Recommend, Follow]],
    gap: Sequence[Recommend],
    facts: Facts,
    g: Guideline,
) -> tuple[list[date], list[tuple[Recommend, Follow]]]:
    """What else is shown next to doses that are not given, whose card brings the level of today:
    while an order goes on, nothing that calls the treatment a success or says to go on."""
    shown = [(_without(card, gap), follow) for card, follow in cards if follow.level != "now"]
    if facts.therapy.lapse is not None:
        shown = [
            (card, follow)
            for card, follow in shown
            if card.card == "FU-02.metabolites" or not (follow.goes_on or follow.success)
        ]
    return [due for due in pending if due >= _next_month(facts.on, g)], shown


def _without(card: Recommend, others: Iterable[Recommend]) -> Recommend:
    """The same without the tests that ``others`` offer already."""
    offered = [choice.label for one in others for choice in one.choices]
    choices = tuple([one for one in card.choices if one.label not in offered])
    return structs.replace(card, choices=choices)


def changes_treatment(outcome: Outcome) -> bool:
    """Whether an answer of this table offers another treatment in place of the present order, and
    not what goes on after it."""
    if not isinstance(outcome, Recommend) or outcome.selection != "at-most-one":
        return False
    return bool(outcome.choices) and outcome.rule != "DUP-08"


#: Cards that advise to resume an order, or to give its next dose, and what they become where
#: another speaks against that order.
_SPOKEN_AGAINST: Mapping[str, str] = {
    "DUP-01.hold": "DUP-01.hold.other",
    "DUP-01.hold.signs": "DUP-01.hold.other",
    "DUP-01.hold.ask": "DUP-01.hold.other",
    "DUP-09": "DUP-09.other",
    "DUP-09.none": "DUP-09.other",
}
#: Rows of the table DUP that tell what comes next.
_OF_WHAT_COMES_NEXT = frozenset({"DUP-07", "DUP-08", "DUP-09"})
#: Rows of the table DUP of a course that is not given, though it should be.
_OF_WHAT_IS_NOT_GIVEN = frozenset({"DUP-07", "DUP-09"})


def beside(
    what: Literal["a change", "a danger"], outcomes: Iterable[Outcome], g: Guideline
) -> list[Outcome]:
    """What of this table is still stated next to a change of treatment or a danger in it: nothing
    that advises going on, and next to a danger nothing that calls the present order a success."""
    silenced = {
        row.rule
        for table in (g.tables.follow_up_response, g.tables.follow_up_checks)
        for row in table.rows
        if row.then is not None and (row.then.goes_on or (what == "a danger" and row.then.success))
    }
    if what == "a change":
        silenced |= _OF_WHAT_COMES_NEXT
    return [one for one in outcomes if one.rule not in silenced]


def _rows(at: Occasion) -> tuple[list[tuple[str, Follow]], str]:
    """(rows that answered and have a card to show, the row that judged the response)."""
    signs = at.why.first(at.g.tables.follow_up_signs, sign_facts(at.facts, at.course, at.g))
    overdue = at.why.first(
        at.g.tables.follow_up_overdue,
        OverdueFacts(day=at.course.day, result_day=at.course.result_day),
    )
    asked = response_facts(at.facts, at.course, at.g)
    at.why.row(at.g.tables.follow_up_baseline, "FU-06", asked)
    response = at.why.first(at.g.tables.follow_up_response, asked)
    day = at.course.after_day
    settled = day is not None and at.g.limits.three_month_result.holds(day)
    blood = at.why.all(at.g.tables.follow_up_blood, blood_facts(at.facts, at.course, at.g))
    rows = [(row.rule, row.then) for row in (*signs.fired, *blood.fired, *overdue.fired)]
    therapy = at.facts.therapy
    judged = None if therapy.is_held or therapy.is_never_given else response.result
    if judged is not None and not (judged.until_settled and settled):
        rows.append((response.rule, judged))
    return rows, response.rule


def _missing_checks(pending: list[date], at: Occasion) -> Recommend:
    wanted = monitoring.at_checks(pending, parenteral=at.facts.therapy.route == "parenteral")
    tests, _ = monitoring.plan_tests(wanted, at.facts, at.g, at.why, reasons=_reasons(at.a))
    return Recommend(
        "FU-00",
        "FU-00",
        at.g.file.cards["FU-00"].indicator,
        _values(at),
        tuple(_not_counted(at)),
        monitoring.test_choices("FU-00", tests),
    )


def _led(
    held: Sequence[Recommend], over: Sequence[Recommend], cards: Sequence[Recommend]
) -> list[Recommend]:
    """A course that was broken off comes before the ``cards``, one that is over after them; either
    says what is on hold."""
    if not over:
        return [*held, *cards]
    return [*over, *cards] if _is_not_given(over) else [*cards, *over]


def _over(cards: Sequence[Recommend], at: Occasion) -> list[Recommend]:
    """That nothing is ordered any more: a course that was broken off, or one that is over. Not next
    to ``cards`` that say not to go on, what to give instead, or the same."""
    over, lapse = at.facts.therapy.over, at.facts.therapy.lapse
    if at.facts.reactions or any(map(changes_treatment, cards)):
        return []
    if lapse is not None:
        return [_not_given(lapse, at)]
    if over is None:
        return []
    lapsed = (at.facts.on - over.due).days
    asked = DuplicationFacts(over=True, unfinished=over.unfinished, lapsed=lapsed)
    if at.why.row(at.g.tables.duplication, "DUP-07", asked):
        pressing = _urgency_of_a_gap(at)
        stopped = treatment.why_stopped(at.facts)
        told = _told_of_the_end("DUP-07", pressing, stopped, at)
        scant = at.g.limits.course_scant.holds(over.share) and at.facts.therapy.is_active
        again = _begun_again(told, at) if scant else None
        return [again or _with_samples(told, over.last, at)]
    if not at.why.row(at.g.tables.duplication, "DUP-08", asked):
        return []
    if any(one.rule in ("FU-12", "FU-17") for one in cards):
        return []
    told = _given_whole(lapsed, at)
    if any(one.rule in _OF_FAILURE for one in cards):
        return [told]
    told = structs.replace(told, notes=(*told.notes, *_asked_of_doses(at)))
    return [_with_the_next(told, at)]


def _with_the_next(told: Recommend, at: Occasion) -> Recommend:
    """The same with the injections that follow the course, where they are certain: selected where
    doses were recorded or a level shows that they were given, and neither a sign nor a level that
    is severely low asks for another look."""
    signs = at.facts.neurological or at.facts.perhaps_neurological
    reviewed = bool(signs) or _is_sinking(at)
    given = at.facts.therapy.given or _has_answered(at)
    selected = given and not reviewed
    following = treatment.go_on(at.facts, at.a, at.g, at.why, recommended=selected)
    if following is None:
        return told
    [choice] = following.choices
    samples = tuple([plan for one in told.choices for plan in one.plans])
    if samples:
        label = say(Texts.label_with_tests, label=choice.label)
        choice = structs.replace(choice, label=label, plans=(*choice.plans, *samples))
    return structs.replace(
        told,
        card=f"{told.rule}.next" if choice.recommended else told.card,
        indicator=most_urgent(told.indicator, following.indicator),
        values=_values(at, (choice,)),
        notes=(*told.notes, *following.notes),
        choices=(choice,),
        selection=following.selection,
    )


def _has_answered(at: Occasion) -> bool:
    """Whether an adequate level shows that the course was given."""
    return any(
        one.verdict == "adequate" and shows_response(one.when.first, at.course.start, at.g)
        for one in at.facts.levels
    )


def _asked_of_doses(at: Occasion) -> Iterator[Note]:
    """Of injections that are over, whether they were given, where no dose is recorded and no level
    shows it."""
    therapy = at.facts.therapy
    if therapy.over is None or therapy.route != "parenteral" or _has_answered(at):
        return
    if therapy.given or therapy.given_like_b12 or therapy.unknown_given:
        return
    unseen = at.facts.missing | at.facts.incomplete
    unread = "administrations" in unseen or at.facts.not_all_read("administrations")
    yield Note("ask", say(Texts.doses_unseen if unread else Texts.doses_unrecorded))


def _given_whole(lapsed: int, at: Occasion) -> Recommend:
    """The card of a course that is over, and what comes next, due for ``lapsed`` days."""
    injected = at.facts.therapy.route == "parenteral"
    overdue = injected and at.g.limits.dose_overdue.holds(lapsed)
    reviewed = (Note("course", say(Texts.review_first)),) if at.facts.neurological else ()
    pressing: Indicator = "warning" if overdue or reviewed else "info"
    card = "DUP-08" if injected else "DUP-08.oral"
    return _told_of_the_end(card, pressing, reviewed, at)


def _told_of_the_end(
    card: str, pressing: Indicator, reviewed: Iterable[Note], at: Occasion
) -> Recommend:
    """A card of a course that has ended, as ``pressing`` as that is."""
    return Recommend(
        card.partition(".")[0],
        card,
        most_urgent(at.g.file.cards[card].indicator, pressing),
        _values(at),
        (
            *words.finding_notes(at.facts, at.a, at.g),
            *_treatment_notes(at),
            *reviewed,
            *_notes_on_going_on(at.facts),
        ),
        main=True,
    )


def _begun_again(told: Recommend, at: Occasion) -> Recommend | None:
    """The same with injections in place of an order of which so little was given that the course
    begins again; ``None`` where none can be offered, or the level asks for none."""
    if at.facts.therapy.route != "parenteral" or at.facts.therapy.on_hold or not _is_low(at.a):
        return None
    dose = at.g.file.doses.injections(signs=bool(at.facts.neurological))
    new = treatment.change_to(dose, at.facts, at.a, at.g, at.why)
    if not new.choices:
        return None
    return structs.replace(
        told,
        card=f"{told.rule}.again",
        indicator=most_urgent(told.indicator, new.indicator),
        values=_values(at, new.choices),
        notes=(
            *words.finding_notes(at.facts, at.a, at.g),
            *treatment.why_stopped(at.facts),
            *new.notes,
        ),
        choices=new.choices,
        selection=new.selection,
    )


def _is_low(a: Assessment) -> bool:
    """Whether the newest level is still that of a deficiency."""
    return a.status.level is not None and a.status.level.is_low


def _with_samples(told: Recommend, last: Moment | None, at: Occasion) -> Recommend:
    """The same with the samples before the next dose: what is not known of the time since the
    ``last`` one."""
    newest = max([one.when.last for one in at.facts.levels], default=date.min)
    known = at.g.limits.labs_recent.holds((at.facts.on - newest).days)
    wanted: list[monitoring.Wanted] = []
    if not known or (last is not None and newest <= last.first):
        wanted.append(("b12", at.facts.on))
    wanted += _metabolites(at.facts)
    wanted = monitoring.without_result(wanted, at.facts, at.g)
    tests, already = monitoring.plan_tests(
        wanted, at.facts, at.g, at.why, reasons=_reasons(at.a), urgent=True
    )
    choices = monitoring.test_choices(told.rule, tests)
    notes = (*told.notes, *words.test_notes((), already, at.g, before=False, told=()))
    values = _values(at, choices)
    return structs.replace(told, values=values, notes=notes, choices=choices)


def _urgency_of_a_gap(at: Occasion) -> Indicator:
    """Of doses that are not given: with signs or a severe deficiency critical, unless an adequate
    level of this episode shows that what was given sufficed."""
    after = at.course.after
    responded = (
        after is not None
        and after.verdict == "adequate"
        and not at.g.limits.episode_gap.holds(days_since(after.when, at.facts.on))
    )
    pressing = at.facts.neurological or at.a.severity == "severe" or _is_sinking(at)
    return "critical" if pressing and not responded else "warning"


def _is_sinking(at: Occasion) -> bool:
    """Whether the newest level since the first dose is that of a severe deficiency."""
    number = None if at.course.after is None else _bound(at.course.after)
    return number is not None and at.g.limits.b12_severe.holds(number)


def _not_given(lapse: Lapse, at: Occasion) -> Recommend:
    """An order goes on, and what was recorded says that its doses are not given."""
    card = "DUP-09" if lapse.last is not None else "DUP-09.none"
    told = Recommend(
        "DUP-09",
        card,
        most_urgent(at.g.file.cards[card].indicator, _urgency_of_a_gap(at)),
        _values(at),
        (
            *words.finding_notes(at.facts, at.a, at.g),
            *treatment.why_stopped(at.facts),
            *_notes_on_going_on(at.facts),
        ),
        main=True,
    )
    again = _begun_again(told, at) if lapse.run_out else None
    return again or _with_samples(told, lapse.last, at)


def _next_month(on: date, g: Guideline) -> date:
    """When a level may be measured again after one of ``on``."""
    return on + timedelta(days=int(g.limits.labs_recent.value) + 1)


def broken_off(facts: Facts, a: Assessment, g: Guideline, why: Reasoning) -> list[Recommend]:
    """The card of a course that was broken off, or is not given, on its own."""
    course = read_course(facts)
    over = [] if course is None else _over((), Occasion(facts, a, course, g, why))
    return [one for one in over if one.rule in _OF_WHAT_IS_NOT_GIVEN]


def _notes_on_going_on(facts: Facts) -> Iterator[Note]:
    """What is to be minded of the next order after a course."""
    if facts.malabsorption_permanent:
        yield Note("course", words.lasting(facts))
    if facts.leber:
        yield Note("safety", say(Texts.leber, name=words.named(facts.leber)))


def held(facts: Facts, a: Assessment, g: Guideline, why: Reasoning) -> list[Recommend]:
    """An order on hold treats no one: said of a child who needs the treatment, and asked of any
    other, with the tests of a borderline level."""
    if not facts.therapy.on_hold:
        return []
    card: Literal["DUP-01.hold", "DUP-01.hold.signs", "DUP-01.hold.ask"] = "DUP-01.hold.ask"
    indicator: Indicator = g.file.cards[card].indicator
    if a.status.concerned and facts.neurological:
        card, indicator = "DUP-01.hold.signs", "critical"
    if a.status.deficient and (not facts.neurological or facts.age.under_one_month):
        card = "DUP-01.hold"
        indicator = most_urgent(indicator, g.file.cards[card].indicator)
    notes: list[Note] = [*words.finding_notes(facts, a, g), *treatment.why_stopped(facts)]
    choices: tuple[Choice, ...] = ()
    if a.status.name == "borderline" and not facts.age.under_one_month:
        wanted = monitoring.clarify(facts, a, g, why)
        tests, already = monitoring.plan_tests(wanted, facts, g, why, reasons=_reasons(a))
        choices = monitoring.test_choices("DUP-01", tests)
        notes += words.test_notes((), already, g, before=False, told=())
    values = words.CardValues(facts, a, choices, g)
    values = values.beside({"order": treatment.order_names(facts)})
    main = a.status.concerned
    return [Recommend("DUP-01", card, indicator, values, tuple(notes), choices, main=main)]


def resumed_later(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """The same where another card speaks against the order: none advises to resume one on hold, or
    to give its next dose."""
    return [not_resumed(one) if isinstance(one, Recommend) else one for one in outcomes]


def not_resumed(one: Recommend) -> Recommend:
    """The card of an order that is not given where another one speaks against the order."""
    return structs.replace(one, card=_SPOKEN_AGAINST.get(one.card, one.card))


def _undated(facts: Facts, a: Assessment, g: Guideline) -> Outcome:
    """Treatment is active but no one can say since when: its response cannot be judged."""
    return CannotTell(
        "DUP-01",
        (say(Texts.start_of_order),),
        "DUP-01",
        "info",
        {"order": treatment.order_names(facts)},
        tuple(words.finding_notes(facts, a, g)),
    )


def _card(rule: str, follow: Follow, at: Occasion) -> Recommend:
    notes = [
        *words.finding_notes(at.facts, at.a, at.g),
        *_treatment_notes(at),
        *_not_counted(at),
        *(_asked_of_doses(at) if rule in _OF_FAILURE else ()),
        *(_higher_before(at) if rule in _NOT_ADEQUATE else ()),
    ]
    choices: tuple[Choice, ...] = ()
    selection: Literal["at-most-one", "any"] = "any"
    indicator: Indicator = at.g.file.cards[rule].indicator
    route = at.facts.therapy.route
    raised = _still_raised(at) if rule in _OF_SUCCESS else []
    dose = _dose_of(follow, at.facts, at.a, at.g)
    if dose is not None:
        unsure = at.facts.leber_in_words or at.facts.perhaps_neurological
        recommended = not (follow.resumes and unsure)
        switch = treatment.change_to(dose, at.facts, at.a, at.g, at.why, recommended=recommended)
        indicator = switch.indicator if switch.indicator == "critical" else indicator
        notes += switch.notes
        choices, selection = switch.choices, switch.selection
    elif follow.reaction and route in ("oral", "other"):
        notes.append(Note("caution", say(Texts.paradox_oral)))
    elif wanted := _tests_of(follow, at, raised=bool(raised)):
        tests, already = monitoring.plan_tests(
            wanted, at.facts, at.g, at.why, reasons=_reasons(at.a)
        )
        choices = monitoring.test_choices(rule, tests)
        notes += words.test_notes((), already, at.g, before=False, told=())
    card = _card_of(rule, at.facts, raised)
    indicator = most_urgent(indicator, at.g.file.cards[card].indicator)
    if follow.resumes:
        indicator = most_urgent(indicator, _urgency_of_a_gap(at))
        notes += [*treatment.held_by_words(at.facts), *_notes_on_going_on(at.facts)]
    told = Recommend(
        rule,
        card,
        indicator,
        _values(at, choices),
        tuple(notes),
        choices,
        selection,
        main=True,
    )
    injected = card == "FU-17.injected"
    return _with_the_next(told, at) if injected else told


def _dose_of(follow: Follow, facts: Facts, a: Assessment, g: Guideline) -> Dose | None:
    """What the card of a row orders in place of what was not injected: injections, or the course by
    mouth once more where it helped and nothing asks for injections."""
    doses = g.file.doses
    if facts.therapy.route == "parenteral" or facts.age.under_one_month:
        return None
    if follow.injections is not None:
        injections: Dose = getattr(doses, follow.injections)
        return injections
    if not follow.resumes:
        return None
    if facts.neurological or _needs_injections(facts, a, g):
        return doses.injections(signs=bool(facts.neurological))
    return doses.oral_regimen


def _needs_injections(facts: Facts, a: Assessment, g: Guideline) -> bool:
    """Whether the course that was swallowed may not be given once more."""
    alone = without_treatment(facts, a, g)
    route = treatment.choose_route(facts, alone, g, Reasoning(), ignoring_treatment=True)
    malabsorbed = facts.malabsorption or facts.malabsorption_permanent
    doubtful = a.suspected or extreme_homocysteine(facts, g.limits) is not None
    return bool(g.tables.route[route].then.injects or malabsorbed or doubtful or facts.leber)


#: Cards that call a response adequate.
_ADEQUATE = frozenset({"FU-02", "FU-02.over"})
#: Rows of a level that is low on injections, whatever is injected.
_OF_FAILURE = frozenset({"FU-05", "FU-05b"})
#: Rows that judge a level on treatment and do not call it adequate.
_NOT_ADEQUATE = _OF_FAILURE | {"FU-03", "FU-04"}
#: So many earlier levels are named.
_FEW = 3
#: Rows of a level that shows the response.
_OF_SUCCESS = frozenset({"FU-02", "FU-12"})


def _card_of(rule: str, facts: Facts, raised: Sequence[Lab]) -> str:
    """The text that fits: no success while the metabolites are raised, no sign but movements."""
    if raised:
        return "FU-02.metabolites"
    if rule == "FU-12" and facts.malabsorption_permanent:
        return "FU-12.lasting"
    if rule == "FU-17" and facts.therapy.route == "parenteral":
        return "FU-17.injected"
    if rule in ("FU-02", "FU-03", "FU-12") and facts.therapy.over is not None:
        return f"{rule}.over"
    return "FU-10.movements" if rule == "FU-10" and not facts.neurological else rule


def _still_raised(at: Occasion) -> list[Lab]:
    """The metabolites that are raised by a sample of the last month, taken when a level shows the
    response."""
    names: tuple[LabName, ...] = ("methylmalonate", "homocysteine")
    found = [recent(at.facts, name, at.g.limits.labs_recent, above=True) for name in names]
    return [
        one
        for one in found
        if one is not None
        and is_high(at.facts, one, at.g.limits)
        and at.g.limits.response_day.holds((one.when.first - at.course.start.last).days)
    ]


def _tests_of(follow: Follow, at: Occasion, *, raised: bool) -> list[monitoring.Wanted]:
    """What the card of a row orders; a level is not measured again within a month, what is
    ``raised`` next to it is."""
    if follow.today:
        return [(test, at.facts.on) for test in follow.today]
    if raised:
        return _metabolites(at.facts)
    if follow.metabolites:
        return monitoring.without_result(_metabolites(at.facts), at.facts, at.g)
    if follow.level == "now":
        return [("b12", at.facts.on)]
    if follow.level is not None:
        return [("b12", _again(due_dates(at.course, at.g)[follow.level], at))]
    if follow.success and not follow.goes_on and at.facts.therapy.over is not None:
        return [("b12", _again(at.facts.on, at))]  # whether it lasts after the end
    return []


def _metabolites(facts: Facts) -> list[monitoring.Wanted]:
    return [("mma", facts.on), ("homocysteine", facts.on)]


def _again(due: date, at: Occasion) -> date:
    """When a level is taken that is ``due``: today or later, and not again within a month."""
    day = max(due, at.facts.on)
    return (
        day if at.course.after is None else max(day, _next_month(at.course.after.when.last, at.g))
    )


def _treatment_notes(at: Occasion) -> list[Note]:
    """What the child is treated with, and since when."""
    therapy, names = at.facts.therapy, treatment.order_names(at.facts)
    start, day = recorded(at.course.start), words.days_of(at.course.start, at.facts.on)
    if therapy.over is not None:
        last, so = recorded(therapy.over.last), _what_is_so(at.facts, at.g)["so"]
        return [Note("finding", say(Texts.treated_until, start=start, day=day, last=last, so=so))]
    if therapy.on_hold:
        return [Note("finding", say(Texts.order_on_hold, order=names))]
    if therapy.is_active:
        running = treatment.orders_in_force(at.facts)
        return [Note("finding", say(Texts.already_treated, order=running, start=start, day=day))]
    if therapy.given:
        return [Note("finding", say(Texts.given_treatment, start=start, day=day))]
    return []


def _fails_to_treat(on_hold: Iterable[Medication], facts: Facts, g: Guideline) -> bool:
    """Whether what is on hold is swallowed, where injections are needed."""
    needed = facts.neurological or facts.malabsorption or facts.malabsorption_permanent
    return bool(needed) and any(route_of(one, g) in ("oral", "other") for one in on_hold)


def _what_is_so(facts: Facts, g: Guideline) -> dict[str, Value]:
    """What is ordered while nothing is given, and what is to be done about it."""
    therapy = facts.therapy
    if therapy.on_hold:
        on_hold = list(filter(is_held, therapy.active))
        held = treatment.medication_names(on_hold)
        replaced = _fails_to_treat(on_hold, facts, g)
        what = say(Texts.replace_it if replaced else Texts.resume_it, order=held)
        return {
            "so": say(Texts.so_on_hold),
            "order_it": what,
            "next_step": what,
            "rest": say(Texts.replace_the_rest if replaced else Texts.resume_the_rest, order=held),
            "meanwhile": say(
                Texts.replace_meanwhile if replaced else Texts.resume_meanwhile, order=held
            ),
        }
    over = therapy.over is not None
    if therapy.lapse is not None:
        going_on = say(Texts.give_meanwhile)
    else:
        going_on = say(Texts.order_meanwhile if over else Texts.go_on_meanwhile)
    return {
        "so": say(Texts.so_run_out if over and therapy.is_active else Texts.so_not_ordered),
        "order_it": say(Texts.order_it),
        "next_step": say(Texts.order_next),
        "rest": say(Texts.order_the_rest),
        "meanwhile": going_on,
    }


def _higher_before(at: Occasion) -> Iterator[Note]:
    """The last levels on treatment that were higher than the newest."""
    after = at.course.after
    now = _bound(after) if after is not None else None
    if after is None or now is None:
        return
    higher = [
        say(Texts.level_on, level=words.shown_level(one), date=recorded(one.when))
        for one in reversed(at.facts.levels)
        if at.course.start.first < one.when.first and one.when.last < after.when.first
        if (bound := _bound(one)) is not None and bound > now
    ]
    if higher:
        levels = Listed(tuple(higher[-_FEW:]))
        yield Note("why", say(Texts.higher_before, levels=levels))


def _not_counted(at: Occasion) -> list[Note]:
    """What was given before the course and is not part of it: dates are counted from its start."""
    before = at.facts.therapy.broken_off
    if before is None:
        return []
    start, last = recorded(at.course.start), recorded(before.last)
    told = say(Texts.doses_not_counted, start=start, count=before.doses, date=last)
    return [Note("course", told)]


def _values(at: Occasion, choices: Sequence[Choice] = ()) -> Mapping[str, Value]:
    before, after = at.course.before, at.course.after
    gap = at.facts.therapy.over or at.facts.therapy.lapse
    others: dict[str, Value] = {
        "order": treatment.order_names(at.facts),
        "start": recorded(at.course.start),
        "day": words.days_of(at.course.start, at.facts.on),
        "before": words.shown_value(before) if before else say(Texts.unknown_level),
        "after": words.shown_value(after) if after else say(Texts.no_level),
        "after_date": recorded(after.when) if after else "-",
        "movements": words.named(at.facts.paradoxical),
        "worded": words.named(at.facts.worded.neurological),
        "potassium": _shown(at, "potassium"),
        "hemoglobin": _shown(at, "hemoglobin"),
        "last": recorded(gap.last) if gap and gap.last else "-",
        "due": gap.due if gap else "-",
        "again": _again(due_dates(at.course, at.g)["three months"], at),
        "still_raised": words.shown_labs(_still_raised(at)),
        **_what_is_so(at.facts, at.g),
    }
    return words.CardValues(at.facts, at.a, choices, at.g).beside(others)


def _shown(at: Occasion, name: Literal["hemoglobin", "potassium"]) -> Value:
    lab = _sampled_since(at.facts, name, at.course, at.g)
    return "-" if lab is None else words.shown_dated([lab], at.facts.on, at.g)


def _reasons(a: Assessment) -> tuple[str, ...]:
    return (a.status.level.source,) if a.status.level and a.status.level.source else ()
