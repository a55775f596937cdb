"""Table STAT: what the level, the metabolites and the record say together."""

from __future__ import annotations

from typing import Any

import pytest
from builders import (
    B12_DEFICIENCY,
    B_VITAMINS,
    CROHN,
    FAILURE_TO_THRIVE,
    SEIZURE,
    Seen,
    a_diet,
    a_dose_given,
    a_lab,
    a_level,
    a_problem,
    a_record,
    an_order,
    breast_feeding,
    day,
    moment,
    months_old,
    quantity,
    see,
)
from each import each

from cds_service.clinical import Measurement

HIGH = a_lab("methylmalonate", "1.3")
NORMAL = a_lab("methylmalonate", "0.2")
OLD = months_old(20)


def status(seen: Seen) -> tuple[str, str]:
    assessment = seen.evaluation.assessment
    assert assessment is not None
    return assessment.status.rule, assessment.status.name


def test_a_result_on_treatment_is_a_follow_up() -> None:
    seen = see(a_record(level=a_level(ago=5), medications=[an_order(ago=40)]))
    assert status(seen) == ("STAT-01", "follow-up")


def test_a_result_of_the_first_day_of_treatment_is_none() -> None:
    seen = see(a_record(level=a_level(ago=5), medications=[an_order(ago=5)]))
    assert status(seen) == ("STAT-02", "deficient")


def test_a_current_low_level_is_deficient() -> None:
    assert status(see(a_record(level=a_level("199.9")))) == ("STAT-02", "deficient")


@pytest.mark.parametrize(
    "unclear",
    [
        (a_level(250),),
        (a_level(None, interpretation="low"),),
        (a_level(350, ago=5), a_level(150, ago=10)),
    ],
    ids=["borderline", "low without a number", "discordant"],
)
@pytest.mark.parametrize(
    ("metabolite", "expected"),
    [
        (HIGH, ("STAT-03", "deficient (functional)")),
        (NORMAL, ("STAT-04", "probably adequate")),
        (None, ("STAT-05", "borderline")),
    ],
    ids=["high", "normal", "none"],
)
def test_an_unclear_level_is_settled_by_the_metabolites(
    unclear: tuple[Measurement, ...], metabolite: Measurement | None, expected: tuple[str, str]
) -> None:
    extra = (metabolite,) if metabolite else ()
    assert status(see(a_record(measured=(*unclear, *extra)))) == expected


def test_one_high_metabolite_outweighs_a_normal_one() -> None:
    seen = see(
        a_record(NORMAL, a_lab("homocysteine", 15, interpretation="high"), level=a_level(250))
    )
    assert status(seen) == ("STAT-03", "deficient (functional)")


@each(
    ("metabolite", "expected"),
    [
        (a_lab("methylmalonate", "1.3", reference_high=quantity("0.26", "umol/L")), "STAT-03"),
        (a_lab("methylmalonate", "1.2", reference_high=quantity("0.26", "umol/L")), "STAT-05"),
        (a_lab("methylmalonate", "0.5", reference_high=quantity("0.6", "umol/L")), "STAT-04"),
        (a_lab("methylmalonate", "1.25", interpretation="high"), "STAT-05"),
        (a_lab("methylmalonate", "1.26", interpretation="high"), "STAT-03"),
        (a_lab("methylmalonate", "0.5", interpretation="normal"), "STAT-04"),
        (a_lab("methylmalonate", "0.2", unclear=("range",)), "STAT-05"),
        (a_lab("methylmalonate", "1.3", unclear=("range",)), "STAT-03"),
        (a_lab("methylmalonate", 1260, "nmol/L"), "STAT-03"),
        (a_lab("methylmalonate", 1250, "nmol/L"), "STAT-05"),
        (a_lab("methylmalonate", "0.41"), "STAT-05"),
        (a_lab("methylmalonate", "0.40"), "STAT-04"),
        (a_lab("homocysteine", "1.5", "mg/L"), "STAT-05"),
        (a_lab("homocysteine", 8), "STAT-04"),
        (a_lab("homocysteine", "8.1"), "STAT-05"),
        (a_lab("homocysteine", 10, interpretation="high"), "STAT-05"),
        (a_lab("homocysteine", "10.1", interpretation="high"), "STAT-03"),
        (a_lab("homocysteine", 12), "STAT-05"),
        (a_lab("methylmalonate", "1.9", comparator="<"), "STAT-05"),
        (a_lab("methylmalonate", "0.2", comparator=">"), "STAT-05"),
        (a_lab("methylmalonate", "0.4", comparator="<"), "STAT-04"),
        (a_lab("methylmalonate", "1.9", comparator=">"), "STAT-03"),
        (a_lab("methylmalonate", "1.25", comparator=">"), "STAT-03"),
        (a_lab("methylmalonate", "0.9", comparator="<",
               reference_high=quantity("0.4", "umol/L")), "STAT-05"),
        (a_lab("methylmalonate", "0.3", comparator=">",
               reference_high=quantity("0.4", "umol/L")), "STAT-05"),
        (a_lab("methylmalonate", "1.9", status="preliminary"), "STAT-05"),
        (a_lab("methylmalonate", "1.9", "g/L"), "STAT-05"),
        (a_lab("methylmalonate", "1.9", ago=40), "STAT-05"),
    ],
)  # fmt: skip
def test_a_metabolite_counts_by_its_laboratory_first_and_only_if_it_can_be_placed(
    metabolite: Measurement, expected: str
) -> None:
    assert status(see(a_record(metabolite, level=a_level(250))))[0] == expected


@pytest.mark.parametrize(
    ("metabolite", "row"),
    [
        (a_lab("methylmalonate", "0.9", interpretation="high"), "STAT-03"),
        (a_lab("homocysteine", "10.1"), "STAT-03"),
        (a_lab("homocysteine", 10, interpretation="high"), "STAT-05"),
        (a_lab("methylmalonate", "0.9"), "STAT-05"),
    ],
)
def test_a_sign_or_a_cause_makes_a_raised_metabolite_convince(
    metabolite: Measurement, row: str
) -> None:
    for problem in (CROHN, SEIZURE, FAILURE_TO_THRIVE):
        seen = see(a_record(metabolite, level=a_level(250), problems=[problem]))
        assert status(seen)[0] == row


@pytest.mark.parametrize(
    ("value", "row"), [("0.30", "STAT-04"), ("0.31", "STAT-03"), ("0.9", "STAT-03")]
)
def test_from_the_first_birthday_on_there_is_no_grey_methylmalonate(value: str, row: str) -> None:
    record = a_record(a_lab("methylmalonate", value), level=a_level(250), birth=months_old(15))
    assert status(see(record))[0] == row


def test_what_is_usual_for_the_age_or_early_is_said_and_repeated() -> None:
    seen = see(a_record(a_lab("homocysteine", "8.3"), level=a_level(290)))
    assert status(seen)[0] == "STAT-05"
    assert not seen.doses
    assert ("Homocysteine", 28) in seen.tests
    assert ("Homocysteine", 0) not in seen.tests
    assert seen.says("usual for the age, or early deficiency")


def test_a_flag_nobody_could_read_is_named_and_never_normal() -> None:
    labs = (a_lab("methylmalonate", "0.2", unclear=("range",)), a_lab("homocysteine", 5))
    seen = see(a_record(*labs, level=a_level(250)))
    assert status(seen)[0] == "STAT-05"
    assert seen.says("could not be read")


def test_a_functional_deficiency_with_an_adequate_level_names_the_specialist() -> None:
    for level, said in ((400, True), (250, False)):
        seen = see(a_record(HIGH, level=a_level(level), problems=[CROHN]))
        assert bool(seen.says("discuss with a metabolic specialist")) is said


def test_a_metabolite_drawn_on_treatment_tells_nothing_about_the_time_before() -> None:
    record = a_record(
        a_lab("methylmalonate", "0.2", ago=2), level=a_level(250, ago=12),
        medications=[an_order(ago=10)],
    )  # fmt: skip
    assert status(see(record))[0] == "STAT-05"


def test_a_metabolite_of_the_day_of_the_first_dose_was_drawn_before_it() -> None:
    record = a_record(
        a_lab("methylmalonate", "0.2", ago=10), level=a_level(250, ago=12),
        medications=[an_order(ago=10)],
    )  # fmt: skip
    assert status(see(record))[0] == "STAT-04"


@pytest.mark.parametrize("why", [{"problems": [SEIZURE]}, {"problems": [CROHN]}], ids=str)
def test_an_adequate_level_with_high_mma_and_a_reason_is_a_functional_deficiency(
    why: dict[str, object],
) -> None:
    seen = see(a_record(HIGH, level=a_level(400), **why))  # type: ignore[arg-type]
    assert status(seen) == ("STAT-06", "deficient (functional)")


def test_homocysteine_without_a_laboratory_flag_leaves_an_adequate_level_adequate() -> None:
    plain = a_lab("homocysteine", 12)
    flagged = a_lab("homocysteine", 12, interpretation="high")
    for metabolite, row in ((plain, "STAT-08"), (flagged, "STAT-06")):
        seen = see(a_record(metabolite, level=a_level(400), problems=[CROHN]))
        assert status(seen)[0] == row


def test_a_normal_level_with_neurological_signs_is_not_the_end_of_it() -> None:
    seen = see(a_record(level=a_level(400), problems=[SEIZURE]))
    assert status(seen) == ("STAT-07", "adequate with signs")
    assert seen.shows("RTE-10.signs")


def test_an_adequate_level_is_adequate() -> None:
    seen = see(a_record(level=a_level(300)))
    assert status(seen) == ("STAT-08", "adequate")
    assert seen.silent


@pytest.mark.parametrize(
    ("problems", "shown"), [([], False), ([SEIZURE], False), ([CROHN], True)], ids=str
)
def test_a_very_high_level_is_mentioned_only_with_a_reason(
    problems: list[object], shown: bool
) -> None:
    """With signs and no metabolites STAT-07 speaks instead."""
    seen = see(a_record(level=a_level(2001), problems=problems))  # type: ignore[arg-type]
    assert seen.shows("STAT-08") is shown


def test_a_very_high_level_with_signs_and_normal_metabolites_is_mentioned() -> None:
    labs = (NORMAL, a_lab("homocysteine", 5))
    seen = see(a_record(*labs, level=a_level(2001), problems=[SEIZURE]))
    assert seen.shows("STAT-08")


def test_a_result_that_cannot_be_placed_is_to_be_repeated() -> None:
    seen = see(a_record(level=a_level(250, comparator="<")))
    assert status(seen) == ("STAT-09", "unknown")
    assert ("Vitamin B12", 0) in seen.tests


def test_a_result_that_cannot_be_placed_does_not_hide_an_earlier_low_one() -> None:
    seen = see(a_record(a_level(150, ago=30), level=a_level(250, comparator="<")))
    assert status(seen) == ("STAT-02", "deficient")
    assert seen.says("A newer result cannot be classified")


@pytest.mark.parametrize("ago", [300, 400], ids=["stale", "expired"])
def test_an_old_low_result_that_was_treated_does_not_hide_one_that_cannot_be_placed(
    ago: int,
) -> None:
    record = a_record(
        a_level(150, ago=ago), level=a_level(250, comparator="<"), birth=OLD,
        medications=[an_order(ago=ago - 1, status="completed")],
    )  # fmt: skip
    assert status(see(record)) == ("STAT-09", "unknown")


def test_a_result_dated_by_the_month_is_as_old_as_the_month_may_be() -> None:
    month = moment(day(190), day(160))
    assert status(see(a_record(level=a_level(when=month), birth=OLD)))[0] == "STAT-10"


def test_a_low_result_of_half_a_year_ago_is_repeated_and_treatment_suggested() -> None:
    seen = see(a_record(level=a_level(ago=200), birth=OLD))
    assert status(seen) == ("STAT-10", "deficient (old result)")
    assert seen.doses["DOSE-A"]
    assert ("Vitamin B12", 0) in seen.tests


def test_a_low_result_of_half_a_year_ago_that_was_treated_is_over() -> None:
    ended = an_order(ago=150, status="completed")
    seen = see(a_record(level=a_level(ago=200), birth=OLD, medications=[ended]))
    assert status(seen) == ("STAT-13", "unknown")


def test_a_diagnosis_without_a_level_is_treated_and_the_blood_drawn_first() -> None:
    seen = see(a_record(measured=(), problems=[B12_DEFICIENCY]))
    assert status(seen) == ("STAT-11", "deficient (diagnosis only)")
    assert seen.doses["DOSE-A"]
    assert seen.says("No current level")
    assert seen.says("B12 deficiency on the problem list, no usable level")


def test_a_diagnosis_that_may_be_another_vitamin_is_borderline_only() -> None:
    seen = see(a_record(measured=(), problems=[B_VITAMINS]))
    assert status(seen) == ("STAT-11", "borderline")
    assert not seen.drugs
    assert ("Vitamin B12", 0) in seen.tests


@pytest.mark.parametrize(
    "but",
    [
        {"problems": [SEIZURE]},
        {"problems": [CROHN]},
        {"measured": (a_diet(),)},
        {"measured": (a_level(ago=400),)},
        {"measured": (a_level(250, ago=200),), "problems": [CROHN]},
        {"measured": (a_level(400, ago=200),), "problems": [SEIZURE]},
    ],
    ids=["signs", "malabsorption", "vegan", "never treated", "old borderline", "old normal"],
)  # fmt: skip
def test_a_child_at_risk_without_a_usable_result_is_measured(but: dict[str, object]) -> None:
    seen = see(a_record(**{"measured": (), "birth": OLD, **but}))  # type: ignore[arg-type]
    assert status(seen) == ("STAT-12", "unknown at risk")
    assert {name for name, _ in seen.tests} == {
        "Vitamin B12", "Methylmalonic acid", "Homocysteine", "Blood count",
    }  # fmt: skip
    assert not seen.says("B12 deficiency on the problem list")


def test_breast_feeding_alone_is_no_risk() -> None:
    seen = see(a_record(measured=(breast_feeding(),)))
    assert status(seen) == ("STAT-13", "unknown")
    assert seen.silent


def test_without_any_reason_there_is_no_card() -> None:
    seen = see(a_record(measured=()))
    assert status(seen) == ("STAT-13", "unknown")
    assert seen.cards == ()


def test_a_treated_expired_low_result_is_no_risk_by_itself() -> None:
    seen = see(a_record(level=a_level(ago=400), birth=OLD, medications=[a_dose_given(ago=395)]))
    assert status(seen) == ("STAT-13", "unknown")


@pytest.mark.parametrize("signs", [[], [SEIZURE]], ids=["", "signs"])
def test_a_diagnosis_that_a_later_normal_level_contradicts_is_borderline(
    signs: list[object],
) -> None:
    known = a_problem(B12_DEFICIENCY, ago=300)
    seen = see(a_record(level=a_level(400, ago=200), birth=OLD, problems=[known, *signs]))  # type: ignore[list-item]
    assert status(seen) == ("STAT-11", "borderline")
    assert seen.doses == ({"DOSE-D": False} if signs else {})
    assert seen.says("400 pg/mL on 27 Aug 2025")
    assert bool(signs) or seen.tests


@pytest.mark.parametrize(
    "level", [a_level(400, ago=400), a_level(250, ago=200)], ids=["expired", "borderline"]
)
def test_a_diagnosis_stands_against_any_other_old_level(level: object) -> None:
    known = a_problem(B12_DEFICIENCY, ago=450)
    seen = see(a_record(level=level, birth=OLD, problems=[known]))  # type: ignore[arg-type]
    assert status(seen) == ("STAT-11", "deficient (diagnosis only)")
    assert seen.doses["DOSE-A"]


def test_an_old_result_that_does_not_decide_is_named_with_its_date() -> None:
    borderline = see(a_record(level=a_level(250, ago=200), birth=OLD, problems=[CROHN]))
    assert borderline.says("Older than half a year: 250 pg/mL on 27 Aug 2025")
    deciding = see(a_record(level=a_level(150, ago=200), birth=OLD))
    assert not deciding.says("Older than half a year")


def test_a_resolved_diagnosis_is_none() -> None:
    healed = a_problem(B12_DEFICIENCY, clinical_status="resolved")
    assert status(see(a_record(measured=(), problems=[healed])))[0] == "STAT-13"


@pytest.mark.parametrize("but", [{"about": "mother"}, {"when": None}, {"status": "preliminary"}])
def test_a_metabolite_of_someone_else_or_of_no_day_is_not_the_childs(but: dict[str, Any]) -> None:
    own = see(a_record(a_lab("methylmalonate", 2), level=a_level(250)))
    assert "STAT-03" in own.rules
    other = see(a_record(a_lab("methylmalonate", 2, **but), level=a_level(250)))
    assert "STAT-05" in other.rules
