"""Table FU: a child on treatment."""

from __future__ import annotations

import pytest
from builders import (
    CROHN,
    MUSCLE,
    ON,
    ORAL,
    RXNORM,
    SEIZURE,
    SNOMED,
    TREMOR,
    Seen,
    a_dose_given,
    a_lab,
    a_level,
    a_problem,
    a_record,
    a_test_order,
    an_allergy,
    an_order,
    day,
    days_ago,
    in_words,
    injections_ordered,
    moment,
    on_treatment,
    see,
)
from each import each

from cds_service.clinical import Code, Medication, Record
from cds_service.guidelines.engine import Recommend


def cards(seen: Seen) -> list[str]:
    return [one.rule for one in seen.outcomes if isinstance(one, Recommend)]


def rows(seen: Seen) -> set[str]:
    return {rule for rule in seen.rules if rule.startswith("FU-")}


def test_checks_that_nobody_ordered_are_offered() -> None:
    seen = see(on_treatment(5))
    assert "FU-00" in cards(seen)
    assert seen.tests == [("Vitamin B12", 26), ("Vitamin B12", 87)]


@pytest.mark.parametrize(("due", "left"), [(26, [87]), (40, [87]), (41, [26, 87]), (87, [26])])
def test_a_check_already_ordered_is_not_offered_again(due: int, left: list[int]) -> None:
    record = on_treatment(5, test_orders=(a_test_order("2132-9", due_in=due),))
    assert [when for _, when in see(record).tests] == left


def test_before_three_weeks_no_level_is_judged() -> None:
    seen = see(on_treatment(20, (90, 15)))
    assert rows(seen) == {"FU-01", "FU-00"}


def test_an_adequate_level_is_an_adequate_response() -> None:
    seen = see(on_treatment(40, (300, 30)))
    assert "FU-02" in cards(seen)
    assert seen.outcome("FU-02").indicator == "info"
    assert not seen.drugs


def test_after_the_three_month_check_an_adequate_level_needs_no_card() -> None:
    seen = see(on_treatment(100, (300, 30), (350, 90)))
    assert seen.silent


def test_a_level_on_its_way_up_is_a_partial_response() -> None:
    seen = see(on_treatment(40, (250, 30), before=150))
    assert seen.outcome("FU-03").indicator == "info"
    assert ("Vitamin B12", 49) in seen.tests  # 3 May, three months after treatment began


@pytest.mark.parametrize(("before", "after"), [(150, 199), (210, 250), (80, 110), (350, 280)])
def test_a_level_that_stays_low_or_hardly_rises_by_mouth_means_injections(
    before: int, after: int
) -> None:
    seen = see(on_treatment(40, (after, 30), before=before))
    assert seen.outcome("FU-04").indicator == "warning"
    assert seen.doses == {"DOSE-E": True}
    (stopped,) = seen.stopped
    assert stopped.source.startswith("MedicationRequest/")


def test_the_newest_level_before_treatment_is_the_baseline() -> None:
    older = a_level(400, ago=150)
    seen = see(on_treatment(40, (250, 30), before=150, measurements=(older,)))
    assert seen.shows("FU-03")


def test_the_same_on_injections_is_for_a_specialist() -> None:
    seen = see(on_treatment(40, (150, 30), route="parenteral"))
    assert seen.outcome("FU-05").indicator == "warning"
    assert not seen.drugs


@pytest.mark.parametrize(("after", "card"), [(300, "FU-02"), (250, "FU-03"), (199, "FU-04")])
def test_without_a_level_before_treatment_the_limits_alone_judge(after: int, card: str) -> None:
    seen = see(on_treatment(40, (after, 30), before=None))
    assert seen.shows(card)
    assert ("FU-06" in seen.rules) is (after < 300)


def test_a_missing_one_month_level_is_overdue() -> None:
    seen = see(on_treatment(46))
    assert seen.outcome("FU-07").indicator == "warning"
    assert ("Vitamin B12", 0) in seen.tests


def test_a_level_of_the_second_week_is_not_the_one_month_check() -> None:
    assert see(on_treatment(46, (250, 14))).shows("FU-07")
    assert not see(on_treatment(46, (250, 21))).shows("FU-07")


def test_a_missing_three_month_level_is_overdue() -> None:
    seen = see(on_treatment(121, (350, 30)))
    assert seen.outcome("FU-08").indicator == "warning"
    assert ("Vitamin B12", 0) in seen.tests


def test_movements_of_the_first_two_weeks_may_pass_and_are_no_new_sign() -> None:
    record = on_treatment(10, route="parenteral", problems=[a_problem(TREMOR, 7)])
    seen = see(record)
    assert seen.outcome("FU-09").indicator == "info"
    assert seen.evaluation.facts.neurological == ()
    assert seen.says("Do not stop vitamin B12")
    assert not seen.drugs


def test_a_seizure_of_the_first_two_weeks_is_no_passing_movement() -> None:
    seen = see(on_treatment(10, problems=[a_problem(SEIZURE, 7)]))
    assert "FU-09" not in seen.rules
    assert seen.shows("FU-11")


def test_movements_that_last_over_six_weeks_need_a_review() -> None:
    record = on_treatment(60, (350, 30), route="parenteral", problems=[a_problem(TREMOR, 50)])
    seen = see(record)
    shown = seen.outcome("FU-10.movements")
    assert (shown.rule, shown.indicator) == ("FU-10", "warning")
    assert seen.says("do not stop vitamin B12")
    assert seen.says("Examine the child")
    assert not seen.drugs


def test_movements_that_last_on_oral_treatment_bring_injections() -> None:
    seen = see(on_treatment(60, (350, 30), problems=[a_problem(TREMOR, 50)]))
    assert seen.shows("FU-10.movements")
    assert seen.doses == {"DOSE-D": True}
    assert seen.stopped


def test_signs_that_do_not_improve_by_mouth_mean_injections() -> None:
    seen = see(on_treatment(30, (350, 25), problems=[a_problem(SEIZURE, 90)]))
    assert seen.outcome("FU-10").indicator == "warning"
    assert seen.doses == {"DOSE-D": True}
    assert seen.stopped


def test_new_signs_by_mouth_are_critical() -> None:
    seen = see(on_treatment(30, (350, 25), problems=[a_problem(SEIZURE, 5)]))
    assert seen.outcome("FU-11").indicator == "critical"
    assert seen.doses == {"DOSE-D": True}
    assert seen.cards[0].summary.startswith("New signs despite oral")


def test_new_signs_on_injections_ask_for_nothing_by_this_table() -> None:
    record = on_treatment(30, (350, 25), route="parenteral", problems=[a_problem(SEIZURE, 5)])
    assert "FU-11" not in see(record).rules


@pytest.mark.parametrize(
    ("route", "card"),
    [(MUSCLE, "FU-05"), (ORAL, "FU-04"), (Code(SNOMED, "37839007", "Sublingual route"), "FU-04")],
    ids=lambda one: one if isinstance(one, str) else one.display,
)
def test_the_route_is_that_of_the_order_before_that_of_the_product(route: Code, card: str) -> None:
    order = an_order(ago=40, route=route)
    levels = (a_level(150, ago=10), a_level(150, ago=45))
    assert see(a_record(measured=levels, medications=[order])).shows(card)


@pytest.mark.parametrize(("product", "card"), [("309594", "FU-05"), ("1423423", "FU-04")])
def test_without_a_route_the_product_tells_it(product: str, card: str) -> None:
    order = an_order(Code(RXNORM, product, "B12"), ago=40, route=None)
    levels = (a_level(150, ago=10), a_level(150, ago=45))
    assert see(a_record(measured=levels, medications=[order])).shows(card)


def test_movements_that_may_be_older_than_the_treatment_are_no_reaction_to_it() -> None:
    onset = moment(day(20), day(5))
    seen = see(on_treatment(10, problems=[a_problem(TREMOR, onset=onset)]))
    assert "FU-09" not in seen.rules
    assert seen.doses == {"DOSE-D": True}


def test_a_regimen_that_is_over_is_reviewed_without_a_dose() -> None:
    seen = see(on_treatment(130, (350, 30), (320, 95)))
    assert seen.outcome("FU-12").indicator == "info"
    assert not seen.drugs


def test_without_a_level_to_judge_no_response_is_claimed() -> None:
    seen = see(on_treatment(40))
    assert "FU-13" in seen.rules
    assert rows(seen) == {"FU-13", "FU-00"}


# --- together -------------------------------------------------------------------------------------


def test_a_good_level_never_hides_new_signs_or_a_forgotten_check() -> None:
    signs = [a_problem(SEIZURE, 5)]
    seen = see(on_treatment(121, (350, 30), problems=signs))
    assert {"FU-11", "FU-08"} <= set(cards(seen))
    assert seen.indicator == "critical"
    assert "FU-02" in seen.fired
    assert seen.says("350 pg/mL on ")


@pytest.mark.parametrize(
    ("record", "replaces"),
    [
        (on_treatment(40, (350, 30), problems=[a_problem(SEIZURE, 5)]), "FU-11"),
        (on_treatment(40, (350, 30), problems=[a_problem(SEIZURE, 90)]), "FU-10"),
        (on_treatment(40, (250, 30), problems=[a_problem(SEIZURE, 5)]), "FU-11"),
        (on_treatment(25, (350, 22), problems=[a_problem(SEIZURE, 90)]), "DUP-03"),
        (on_treatment(25, (250, 22), problems=[a_problem(SEIZURE, 90)]), "DUP-03"),
        (on_treatment(5, problems=[CROHN]), "DUP-03"),
        (on_treatment(40, (150, 30)), "FU-04"),
    ],
    ids=[
        "new signs",
        "old signs",
        "signs, partial",
        "signs before four weeks",
        "signs before four weeks, partial",
        "malabsorption",
        "low",
    ],
)
def test_what_replaces_the_order_stands_alone(record: Record, replaces: str) -> None:
    """No card next to it says to continue the order, or to check a treatment that ends."""
    seen = see(record)
    assert seen.stopped
    assert cards(seen)[0] == replaces
    assert not {"FU-00", "FU-02", "FU-03"} & set(cards(seen))


def test_an_order_on_hold_is_offered_no_checks() -> None:
    assert "FU-00" in cards(see(a_record(level=a_level(400), medications=[an_order(ago=3)])))
    held = a_record(level=a_level(400), medications=[an_order(ago=3, status="on-hold")])
    assert "FU-00" not in cards(see(held))


def test_a_partial_response_orders_the_level_of_three_months_once() -> None:
    seen = see(on_treatment(40, (250, 30)))
    assert "FU-03" in cards(seen)
    plans = [plan for offer in seen.offers for plan in offer.choice.plans]
    assert len(plans) == 1
    assert seen.tests == [("Vitamin B12", 49)]  # three months after the start


def test_exactly_one_card_leads() -> None:
    seen = see(on_treatment(121, (350, 30), problems=[a_problem(SEIZURE, 5)]))
    leading = [one.rule for one in seen.outcomes if isinstance(one, Recommend) and one.main]
    assert leading == ["FU-11"]


def test_an_allergy_withholds_the_change_and_is_said() -> None:
    seen = see(on_treatment(40, (150, 30), allergies=(an_allergy(),)))
    assert seen.outcome("FU-04").indicator == "critical"
    assert not seen.drugs
    assert seen.says("no medication is suggested")
    assert not seen.says("To be stopped")


def test_treatment_known_from_given_doses_only_is_followed_up_and_nothing_is_stopped() -> None:
    doses = [a_dose_given(ago=40 - 7 * week) for week in range(4)]
    seen = see(a_record(a_level(150, ago=10), level=a_level(150, ago=45), medications=doses,
                        birth=day(150)))  # fmt: skip
    assert seen.shows("FU-05")
    assert not seen.stopped
    assert not seen.says("To be stopped")


def test_an_order_on_hold_that_is_followed_up_is_called_on_hold() -> None:
    record = on_treatment(50)
    held = [type(one)(**{**_fields(one), "status": "on-hold"}) for one in record.medications]
    seen = see(type(record)(**{**_fields(record), "medications": tuple(held)}))
    assert seen.says("The order is on hold")


def _fields(one: object) -> dict[str, object]:
    return {name: getattr(one, name) for name in one.__struct_fields__}  # type: ignore[attr-defined]


def test_the_cause_stays_in_sight_on_treatment() -> None:
    seen = see(on_treatment(40, (350, 30), problems=[CROHN]))
    assert seen.says("Cause: malabsorption (Crohn's disease)")


@pytest.mark.parametrize("before", [150, None])
@pytest.mark.parametrize(("level", "card"), [(199, "FU-05"), (200, "FU-05b"), (299, "FU-05b")])
def test_on_injections_a_level_between_the_limits_asks_for_a_reason(
    level: int, card: str, before: int | None
) -> None:
    if before is None or level >= before * 1.25:
        seen = see(on_treatment(40, (level, 30), route="parenteral", before=before))
        assert seen.outcome(card).indicator == "warning"
        assert not seen.says("partial response")
        ordered = {name for name, _ in seen.tests} & {"Methylmalonic acid", "Homocysteine"}
        assert ordered == {"Methylmalonic acid", "Homocysteine"}


@pytest.mark.parametrize(("ago", "again"), [(30, False), (31, True)])
def test_on_injections_a_metabolite_of_the_month_is_not_ordered_again(
    ago: int, again: bool
) -> None:
    lab = a_lab("methylmalonate", "0.2", ago=ago)
    seen = see(on_treatment(40, (250, 30), route="parenteral", measurements=(lab,)))
    assert (("Methylmalonic acid", 0) in seen.tests) is again
    assert ("Homocysteine", 0) in seen.tests


@pytest.mark.parametrize(
    ("days", "day_of_level", "due"),
    [(100, 99, 30), (100, 70, 1), (100, 69, 0), (100, 61, 0)],
)
def test_the_next_level_of_a_partial_response_is_not_within_a_month(
    days: int, day_of_level: int, due: int
) -> None:
    seen = see(on_treatment(days, (250, day_of_level)))
    assert seen.shows("FU-03")
    assert [when for name, when in seen.tests if name == "Vitamin B12"] == [due]


@pytest.mark.parametrize(
    ("days", "level", "shown"),
    [(27, 300, False), (28, 300, True), (40, 299, False), (40, 300, True), (40, 900, True)],
)
def test_signs_on_injections_at_an_adequate_level_are_for_review_not_for_more_of_the_same(
    days: int, level: int, shown: bool
) -> None:
    record = on_treatment(
        days, (level, min(days - 1, 25)), route="parenteral", problems=[a_problem(SEIZURE, 90)]
    )
    seen = see(record)
    assert seen.shows("FU-10b") is shown
    if shown:
        assert seen.outcome("FU-10b").indicator == "warning"
        assert not seen.drugs
        assert seen.says("neurological and metabolic review")
        assert seen.says("close the problem-list entry if the signs have gone")


def test_signs_on_oral_treatment_are_asked_about_not_stated() -> None:
    seen = see(on_treatment(40, (350, 30), problems=[a_problem(SEIZURE, 90)]))
    assert seen.outcome("FU-10").indicator == "warning"
    assert seen.says("If still present")
    assert not seen.says("signs persist on vitamin B12")


def test_the_end_of_the_regimen_is_not_the_end_of_treatment() -> None:
    seen = see(on_treatment(123, (350, 100)))
    assert seen.says("Do not end vitamin B12 while the cause is open")
    assert not seen.says("complete")


# --- which course it is ---------------------------------------------------------------------------


def started(*medications: Medication) -> int | None:
    """The day of the course that these make, ``None`` without one."""
    therapy = see(a_record(medications=list(medications))).evaluation.facts.therapy
    assert (therapy.start is None) == (not therapy.current)
    return None if therapy.start is None else (ON - therapy.start.first).days


@pytest.mark.parametrize("status", ["stopped", "completed"])
def test_an_order_that_ended_nobody_knows_when_is_no_part_of_todays_course(status: str) -> None:
    over = an_order(ago=60, status=status)
    assert started(over) is None
    assert started(over, an_order(ago=0)) == 0
    assert started(over, injections_ordered(ago=20)) == 20
    assert started(over, a_dose_given(ago=95)) is None
    accepted = a_record(a_level(158), medications=[over, an_order(ago=0)])
    assert not see(accepted).shows("FU-04")


def test_an_order_that_ended_is_part_of_it_where_the_next_began_at_once() -> None:
    def ended(days: int, **but: object) -> Medication:
        return an_order(ago=60, ended=days_ago(days), status="completed", **but)  # type: ignore[arg-type]

    assert started(ended(30), an_order(ago=30)) == 60
    assert started(ended(30), an_order(ago=16)) == 60
    assert started(ended(30), an_order(ago=15)) == 15
    assert started(ended(30), an_order(ago=30), an_order(ago=10)) == 60
    year = moment(day(60), day(0))
    assert started(an_order(ago=60, ended=year, status="completed"), an_order(ago=20)) == 20
    injected = injections_ordered(ago=99, ended=days_ago(95), status="completed")
    assert started(injected, injections_ordered(ago=5)) == 99
    assert started(injected, injections_ordered(ago=4)) == 4


def test_injections_after_what_was_swallowed_are_a_course_of_their_own() -> None:
    swallowed = an_order(ago=30, ended=days_ago(0), status="stopped")
    record = a_record(a_level(80, ago=3), medications=[swallowed, injections_ordered(ago=0)])
    seen = see(record)
    assert started(swallowed, injections_ordered(ago=0)) == 0
    assert seen.evaluation.facts.therapy.route == "parenteral"
    assert not any(seen.shows(one) for one in ("FU-04", "FU-05"))
    assert started(an_order(ago=30), injections_ordered(ago=7)) == 7
    assert started(injections_ordered(ago=60, status="completed"), an_order(ago=9)) == 9
    assert see(on_treatment(40, (150, 30), medications=[
        injections_ordered(ago=80, ended=days_ago(42), status="completed")
    ])).shows("FU-04")  # fmt: skip


def test_what_is_ordered_after_the_course_began_is_not_an_earlier_one() -> None:
    again = an_order(ago=5, status="stopped")
    assert (
        see(a_record(medications=[an_order(ago=30), again])).evaluation.facts.therapy.earlier
        is None
    )


def test_what_is_stated_to_be_taken_is_a_treatment_and_no_second_is_suggested() -> None:
    def stated(status: str = "active", **but: object) -> Medication:
        return an_order(ago=20, kind="statement", status=status, **but)  # type: ignore[arg-type]

    taken = see(a_record(level=a_level(ago=25), medications=[stated()]))
    assert started(stated()) == 20
    assert not taken.drugs
    assert taken.evaluation.facts.therapy.route == "oral"
    for over in (stated("completed"), stated("unknown"), stated("not-taken"), stated("on-hold"),
                 stated(ended=days_ago(1))):  # fmt: skip
        assert started(over) is None
        assert see(a_record(level=a_level(ago=25), medications=[over])).doses["DOSE-A"]
    assert started(stated(ended=days_ago(0))) == 20


@each("ago, last", [(40, 38), (95, 90), (120, 119)])
def test_a_partial_response_says_the_day_of_the_next_level(ago: int, last: int) -> None:
    seen = see(on_treatment(ago, (250, last)))
    assert "FU-03" in seen.rules
    (due,) = [days for name, days in seen.tests if name == "Vitamin B12"]
    assert due > 0
    assert seen.says(f"repeat the level on {in_words(day(-due))}")
