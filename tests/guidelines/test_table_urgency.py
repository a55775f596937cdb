"""Tables URG and DUP: what cannot wait, and what is already ordered."""

from __future__ import annotations

import pytest
from builders import (
    B12_DEFICIENCY,
    CROHN,
    FAILURE_TO_THRIVE,
    MULTIVITAMIN,
    SEIZURE,
    a_dose_given,
    a_level,
    a_problem,
    a_record,
    an_allergy,
    an_order,
    day,
    injections_ordered,
    months_old,
    see,
)

from cds_service.clinical import Medication, Record

OLD = months_old(20)


@pytest.mark.parametrize("level", [a_level(150), a_level(250)], ids=["deficient", "borderline"])
def test_signs_make_it_critical(level: object) -> None:
    seen = see(a_record(level=level, problems=[SEIZURE]))  # type: ignore[arg-type]
    assert "URG-01" in seen.rules
    assert seen.indicator == "critical"


def test_signs_with_a_normal_level_are_not_this_urgency() -> None:
    assert "URG-01" not in see(a_record(level=a_level(400), problems=[SEIZURE])).rules


@pytest.mark.parametrize(
    "record",
    [
        a_record(level=a_level(ago=91)),
        a_record(a_level(ago=100), level=a_level(ago=5)),
        a_record(level=a_level(ago=200), birth=OLD),
        a_record(measured=(), problems=[a_problem(B12_DEFICIENCY, 120)]),
        a_record(problems=[a_problem(B12_DEFICIENCY, 120)]),
    ],
    ids=["old", "run of two", "stale", "diagnosis only", "diagnosis before"],
)
def test_a_deficiency_untreated_for_three_months_is_critical(record: Record) -> None:
    seen = see(record)
    assert "URG-02" in seen.rules
    assert seen.indicator == "critical"
    assert seen.says("the spinal cord may be damaged permanently")


@pytest.mark.parametrize(
    "record",
    [
        a_record(level=a_level(ago=90)),
        a_record(level=a_level(ago=91), medications=[an_order(ago=80, status="completed")]),
        a_record(level=a_level(ago=91), medications=[a_dose_given(ago=85)]),
        a_record(level=a_level(ago=400), birth=OLD),
        a_record(level=a_level(250, ago=91)),
        a_record(a_level(400, ago=50), a_level(150, ago=150), level=a_level(150), birth=OLD),
        a_record(
            a_level(400, ago=50), level=a_level(150), birth=OLD,
            problems=[a_problem(B12_DEFICIENCY, 150)],
        ),
    ],
    ids=["90 days", "ordered since", "given since", "expired", "borderline", "normal in between",
         "diagnosis before a normal level"],
)  # fmt: skip
def test_otherwise_it_is_not_called_untreated(record: Record) -> None:
    assert "URG-02" not in see(record).rules


@pytest.mark.parametrize("status", ["cancelled", "entered-in-error", "draft"])
def test_an_order_that_never_was_given_does_not_count_as_treatment(status: str) -> None:
    record = a_record(level=a_level(ago=91), medications=[an_order(ago=80, status=status)])
    assert "URG-02" in see(record).rules


@pytest.mark.parametrize(
    ("status", "treated"),
    [("not-taken", False), ("intended", False), ("unknown", False), ("completed", True),
     ("active", True), ("on-hold", True)],
)  # fmt: skip
def test_what_is_stated_counts_as_treatment_only_if_it_was_taken(
    status: str, treated: bool
) -> None:
    stated = an_order(ago=80, status=status, kind="statement")
    seen = see(a_record(level=a_level(ago=91), medications=[stated]))
    assert ("URG-02" not in seen.rules) is treated


@pytest.mark.parametrize("status", ["completed", "stopped"])
def test_an_ended_requirement_level_order_does_not_count_as_treatment(status: str) -> None:
    small = an_order(ago=80, status=status, amount=2)
    assert "URG-02" in see(a_record(level=a_level(ago=91), medications=[small])).rules


def test_untreated_with_signs_is_for_the_same_day() -> None:
    seen = see(a_record(level=a_level(ago=91), problems=[SEIZURE]))
    assert "URG-03" in seen.rules
    assert seen.says("see a specialist the same day")


# --- already ordered ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "order",
    [an_order(), injections_ordered(), an_order(status="on-hold"), an_order(ago=None)],
    ids=["oral", "injections", "on hold", "undated"],
)
def test_a_second_treatment_is_never_suggested(order: Medication) -> None:
    seen = see(a_record(medications=[order]))
    assert {"DUP-01", "RTE-11"} <= seen.rules
    assert not seen.drugs


def test_an_active_order_without_a_date_is_named() -> None:
    seen = see(a_record(medications=[an_order(ago=None)]))
    assert seen.shows("DUP-01")
    assert seen.says("Vitamin B12 is ordered (vitamin B12) but its start is not dated")


def test_a_multivitamin_is_no_treatment() -> None:
    assert see(a_record(medications=[an_order(MULTIVITAMIN)])).doses["DOSE-A"]


@pytest.mark.parametrize("intent", ["proposal", "plan", "option"])
def test_what_was_only_proposed_is_no_treatment(intent: str) -> None:
    assert see(a_record(medications=[an_order(intent=intent)])).doses["DOSE-A"]


@pytest.mark.parametrize(
    ("problems", "dose", "indicator"),
    [
        ([CROHN], "DOSE-E", "warning"),
        ([a_problem(SEIZURE, 90)], "DOSE-D", "critical"),
        ([a_problem(SEIZURE, None)], "DOSE-D", "critical"),
    ],
    ids=["malabsorption", "signs", "signs without a date"],
)
def test_an_oral_order_where_injections_are_indicated_is_replaced(
    problems: list[object], dose: str, indicator: str
) -> None:
    seen = see(a_record(problems=problems, medications=[an_order(ago=5)]))  # type: ignore[arg-type]
    assert "DUP-03" in seen.rules
    assert seen.outcome("DUP-03").indicator == indicator
    assert seen.doses == {dose: True}
    assert len(seen.stopped) == 1
    assert seen.says("First stop vitamin B12")


def test_a_severe_deficiency_by_mouth_is_replaced_too() -> None:
    record = a_record(level=a_level(80), medications=[an_order(ago=3)])
    assert see(record).doses == {"DOSE-E": True}


def test_where_the_mouth_is_right_nothing_is_replaced() -> None:
    record = a_record(problems=[FAILURE_TO_THRIVE], medications=[an_order(ago=3)])
    assert "DUP-03" not in see(record).rules


def test_a_replacement_is_withheld_under_one_month_and_with_an_allergy() -> None:
    newborn = a_record(birth=day(20), problems=[SEIZURE], medications=[an_order(ago=3)])
    allergic = a_record(
        problems=[CROHN], medications=[an_order(ago=3)], allergies=(an_allergy(),)
    )  # fmt: skip
    for record in (newborn, allergic):
        assert not see(record).drugs
        assert not see(record).stopped
    assert see(allergic).says("no medication is suggested")


@pytest.mark.parametrize(
    "status", ["stopped", "completed", "cancelled", "entered-in-error", "draft"]
)
def test_an_order_that_is_not_in_force_is_not_treatment_now(status: str) -> None:
    seen = see(a_record(medications=[an_order(ago=200, status=status)], birth=OLD))
    assert "DUP-04" in seen.rules
    assert "DUP-01" not in seen.rules
    assert seen.doses["DOSE-A"]


def test_earlier_treatment_is_mentioned() -> None:
    seen = see(a_record(medications=[an_order(ago=200, status="completed")], birth=OLD))
    assert seen.says("Relapse after an earlier course")
    assert seen.says("(ordered 27 Aug 2025, end not recorded)")
    assert seen.says("missed doses, inborn error?")
    assert set(seen.doses) == {"DOSE-A"}
    assert not seen.says("Maintenance-level")


def test_an_earlier_course_without_a_new_deficiency_is_no_relapse() -> None:
    ended = [an_order(ago=200, status="completed")]
    borderline = see(a_record(level=a_level(250), medications=ended, birth=OLD))
    assert borderline.says("Earlier vitamin B12 treatment on record (ordered 27 Aug 2025, end")
    assert not borderline.says("relapse")


@pytest.mark.parametrize(
    ("ago", "again", "repeated"),
    [(90, None, False), (91, None, True), (91, 31, True), (91, 30, False), (91, 5, False)],
)
def test_a_deficiency_untreated_for_three_months_is_measured_again(
    ago: int, again: int | None, repeated: bool
) -> None:
    levels = [a_level(150, ago=ago), *([a_level(140, ago=again)] if again is not None else [])]
    seen = see(a_record(measured=tuple(levels), birth=OLD))
    assert ("URG-02" in seen.rules) is (ago > 90)
    assert (("Vitamin B12", 0) in seen.tests) is repeated
