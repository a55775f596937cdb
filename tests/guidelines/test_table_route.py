"""Table RTE: what the main card says and offers."""

from __future__ import annotations

from datetime import date

import pytest
from builders import (
    B_VITAMINS,
    BREAST_FED,
    COBALAMIN_C,
    CROHN,
    FAILURE_TO_THRIVE,
    ILEECTOMY,
    LEBER,
    ORAL,
    SEIZURE,
    SHORT_BOWEL,
    Seen,
    a_diet,
    a_lab,
    a_level,
    a_record,
    a_weight,
    an_operation,
    an_order,
    breast_feeding,
    day,
    months_old,
    on_treatment,
    see,
)

from cds_service.clinical import Record
from cds_service.guidelines.engine import Recommend


def main(seen: Seen) -> tuple[str, str]:
    """(rule, indicator) of the main card."""
    (found,) = [one for one in seen.outcomes if isinstance(one, Recommend) and one.main]
    return found.rule, found.indicator


@pytest.mark.parametrize("level", [a_level(150), a_level(250), a_level(500)], ids=["low", "", "ok"])
def test_an_inborn_error_is_for_a_specialist_whatever_the_level(level: object) -> None:
    seen = see(a_record(level=level, problems=[COBALAMIN_C, SEIZURE]))  # type: ignore[arg-type]
    assert main(seen) == ("RTE-01", "critical")
    assert not seen.drugs
    assert seen.says("parenteral hydroxocobalamin")


def test_an_inborn_error_goes_before_running_treatment() -> None:
    seen = see(a_record(problems=[COBALAMIN_C], medications=[an_order()]))
    assert main(seen) == ("RTE-01", "critical")


def test_under_one_month_there_is_no_dose_but_a_specialist() -> None:
    seen = see(a_record(birth=day(20), problems=[SEIZURE]))
    assert main(seen) == ("RTE-02", "critical")
    assert not seen.drugs
    assert ("Blood count", 0) in seen.tests
    assert seen.says("preservative-free")


def test_neurological_signs_are_treated_by_injection_at_once() -> None:
    seen = see(a_record(problems=[SEIZURE, CROHN]))
    assert main(seen) == ("RTE-03", "critical")
    assert seen.doses == {"DOSE-D": True}
    assert seen.says("do not wait for results")
    assert ("Potassium", 0) in seen.tests


def test_severe_deficiency_is_treated_by_injection() -> None:
    seen = see(a_record(level=a_level(80)))
    assert main(seen) == ("RTE-04", "critical")
    assert seen.doses == {"DOSE-E": True}


def test_malabsorption_is_treated_by_injection() -> None:
    seen = see(a_record(problems=[CROHN, FAILURE_TO_THRIVE]))
    assert main(seen) == ("RTE-05", "warning")
    assert seen.doses == {"DOSE-E": True}


def test_moderate_deficiency_is_treated_by_mouth_with_injections_as_the_alternative() -> None:
    seen = see(a_record(a_weight(), problems=[FAILURE_TO_THRIVE]))
    assert main(seen) == ("RTE-06", "warning")
    assert seen.doses == {"DOSE-A": True, "DOSE-E": False}
    assert seen.says("Alternative: Hydroxocobalamin 1000 micrograms intramuscular weekly")


def test_mild_deficiency_of_an_infant_is_treated_by_mouth_and_shows_the_small_dose() -> None:
    seen = see(a_record(a_weight()))
    assert main(seen) == ("RTE-07", "warning")
    assert seen.doses == {"DOSE-A": True}
    assert seen.outcome("RTE-07.requirement").rule == "DOSE-B"


def test_mild_deficiency_of_a_toddler_is_treated_by_mouth_and_shows_the_small_dose() -> None:
    seen = see(a_record(birth=months_old(15)))
    assert main(seen) == ("RTE-07", "warning")
    assert seen.doses == {"DOSE-A": True}
    assert seen.outcome("RTE-07.requirement").rule == "DOSE-C"


def test_a_borderline_level_asks_for_tests_only() -> None:
    seen = see(a_record(level=a_level(250)))
    assert main(seen) == ("RTE-08", "info")
    assert not seen.drugs
    assert seen.tests == [
        ("Blood count", 0), ("Homocysteine", 0), ("Methylmalonic acid", 0), ("Vitamin B12", 28),
    ]  # fmt: skip


def test_a_borderline_level_with_a_known_cause_is_a_warning() -> None:
    assert main(see(a_record(a_diet(), level=a_level(250)))) == ("RTE-08", "warning")
    assert main(see(a_record(breast_feeding(BREAST_FED), level=a_level(250))))[1] == "info"


def test_a_borderline_level_with_signs_offers_injections_without_recommending_them() -> None:
    seen = see(a_record(level=a_level(250), problems=[SEIZURE]))
    assert main(seen) == ("RTE-08", "critical")
    assert seen.doses == {"DOSE-D": False}
    assert seen.shows("RTE-08.signs")
    assert seen.says("then treat; do not wait for results")
    assert not seen.says("No treatment is recommended")


@pytest.mark.parametrize(
    ("record", "card", "advice"),
    [
        (a_record(level=a_level(250)), "RTE-08", "No treatment on this result"),
        (a_record(measured=(), problems=[B_VITAMINS]), "RTE-08.diagnosis",
         "No treatment is recommended on this entry alone"),
        (a_record(measured=(), problems=[B_VITAMINS, SEIZURE]), "RTE-08.signs",
         "then treat; do not wait"),
        (a_record(level=a_level(400), problems=[SEIZURE]), "RTE-10.signs",
         "B12 400 pg/mL is adequate, but seizure"),
        (a_record(measured=(), problems=[SEIZURE]), "RTE-10.neurological",
         "No usable vitamin B12 level with seizure"),
        (a_record(level=a_level(250, comparator="<")), "RTE-10.unplaced",
         "cannot be classified (B12 below 250 pg/mL): repeat it as a number"),
        (a_record(problems=[LEBER]), "SAF-01.new", "IM today, then weekly; no cyanocobalamin"),
        (a_record(problems=[LEBER, FAILURE_TO_THRIVE]), "SAF-01.new", "no cyanocobalamin"),
        (a_record(problems=[LEBER, SEIZURE]), "RTE-03",
         "hydroxocobalamin 1000 micrograms (1 mL) IM"),
        (a_record(problems=[LEBER, CROHN]), "RTE-05", "Leber's optic atrophy: no cyanocobalamin"),
    ],
    ids=["borderline", "diagnosis", "diagnosis with signs", "adequate with signs", "unmeasured",
         "cannot be placed", "Leber, mild", "Leber, moderate", "Leber, signs", "Leber, Crohn"],
)  # fmt: skip
def test_the_headline_is_that_of_the_facts_and_opposes_none(
    record: Record, card: str, advice: str
) -> None:
    seen = see(record)
    assert seen.outcome(card).rule == main(seen)[0]
    assert seen.says(advice)


@pytest.mark.parametrize("level", [a_level(400), a_level(400, ago=200)], ids=["current", "old"])
def test_lost_ileum_needs_a_plan_for_life_even_with_a_normal_level(level: object) -> None:
    record = a_record(level=level, procedures=(an_operation(ILEECTOMY),))  # type: ignore[arg-type]
    seen = see(record)
    assert main(seen) == ("RTE-09", "info")
    assert not seen.drugs
    assert bool(seen.tests) is (level != a_level(400))


@pytest.mark.parametrize(
    ("record", "indicator"),
    [
        (a_record(level=a_level(400), problems=[SEIZURE]), "warning"),
        (a_record(measured=(), problems=[CROHN]), "info"),
        (a_record(measured=(), problems=[SEIZURE]), "warning"),
        (a_record(measured=(), problems=[SEIZURE, SHORT_BOWEL]), "warning"),
        (a_record(level=a_level(250, comparator="<")), "info"),
    ],
    ids=["normal with signs", "at risk", "signs", "signs and short bowel", "cannot be placed"],
)
def test_an_unsettled_status_asks_for_tests_only(record: Record, indicator: str) -> None:
    seen = see(record)
    assert main(seen) == ("RTE-10", indicator)
    assert not seen.drugs
    assert seen.tests


def test_a_child_on_treatment_is_followed_up() -> None:
    seen = see(on_treatment(10))
    assert "RTE-11" in seen.rules
    assert not any(rule in seen.rules for rule in ("RTE-07", "DOSE-A"))


@pytest.mark.parametrize(
    ("problems", "spoken"), [([], False), ([CROHN], True), ([FAILURE_TO_THRIVE], True)], ids=str
)
def test_probably_adequate_is_repeated_only_with_a_reason(
    problems: list[object], spoken: bool
) -> None:
    record = a_record(
        a_lab("methylmalonate", "0.2"),
        level=a_level(250),
        problems=problems,  # type: ignore[arg-type]
    )
    seen = see(record)
    assert "RTE-11b" in seen.rules
    assert seen.silent is not spoken
    if spoken:
        assert main(seen) == ("RTE-11b", "info")
        assert seen.tests == [("Vitamin B12", 31)]


def test_otherwise_there_is_no_card() -> None:
    seen = see(a_record(level=a_level(400)))
    assert "RTE-12" in seen.rules
    assert seen.cards == ()


# --- what is tried, and what it rests on ----------------------------------------------------------


def test_the_oral_regimen_is_called_an_extrapolation_beyond_the_ages_it_was_tried_at() -> None:
    assert see(a_record(birth=months_old(20))).says("tried only up to 20 months")
    assert not see(a_record(birth=months_old(19))).says("tried only up to 20 months")


def test_orders_rest_on_the_result_and_the_diagnosis_of_this_child() -> None:
    seen = see(a_record())
    (drug,) = seen.drugs
    assert drug.reasons == ("Observation/2132-9-5",)
    assert drug.authored == date(2026, 3, 15)
    assert drug.route.code == ORAL.code
