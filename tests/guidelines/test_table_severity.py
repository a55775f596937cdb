"""Table SEV: how bad a deficiency is."""

from __future__ import annotations

from datetime import timedelta

import pytest
from builders import (
    B12_DEFICIENCY,
    FAILURE_TO_THRIVE,
    MACROCYTIC,
    PANCYTOPENIA,
    SEIZURE,
    SEVERE,
    Seen,
    a_lab,
    a_level,
    a_problem,
    a_record,
    months_old,
    quantity,
    see,
)

from cds_service.clinical import Measurement, Problem
from cds_service.language import Sent


def severity(seen: Seen) -> tuple[str, str | None]:
    assessment = seen.evaluation.assessment
    assert assessment is not None
    return assessment.severity_rule, assessment.severity


def test_a_neurological_sign_is_severe() -> None:
    assert severity(see(a_record(problems=[SEIZURE]))) == ("SEV-01", "severe")


@pytest.mark.parametrize(
    "labs",
    [
        (a_lab("hemoglobin", "6.9"),),
        (a_lab("hemoglobin", 69, "g/L"),),
        (a_lab("hemoglobin", "9.4"), a_lab("platelets", 99)),
        (a_lab("hemoglobin", "9.4"), a_lab("leukocytes", 3, interpretation="low")),
        (a_lab("platelets", 99), a_lab("neutrophils", "0.4", reference_low=quantity(1, "10*9/L"))),
    ],
    ids=["very low", "in g/L", "and platelets", "and white cells", "platelets and neutrophils"],
)
def test_a_very_low_blood_count_is_severe(labs: tuple[Measurement, ...]) -> None:
    seen = see(a_record(*labs))
    assert severity(seen) == ("SEV-02", "severe")
    assert labs[0].value is not None
    assert seen.says(seen.in_words(Sent(labs[0].value.written)))


def test_pancytopenia_on_the_problem_list_is_severe() -> None:
    assert severity(see(a_record(problems=[PANCYTOPENIA]))) == ("SEV-02", "severe")


def test_one_low_line_alone_is_not_severe() -> None:
    assert severity(see(a_record(a_lab("platelets", 90)))) == ("SEV-06", "mild")


@pytest.mark.parametrize(("level", "rule"), [
    (a_level("99.9"), "SEV-03"), (a_level(100), "SEV-06"), (a_level(100, comparator="<"), "SEV-03"),
    (a_level(101, comparator="<"), "SEV-06"), (a_level(73, "pmol/L"), "SEV-03"),
])  # fmt: skip
def test_a_level_under_a_hundred_is_severe(level: Measurement, rule: str) -> None:
    assert severity(see(a_record(level=level)))[0] == rule


def test_a_clinicians_own_grading_counts() -> None:
    graded = a_problem(B12_DEFICIENCY, severity=(SEVERE,))
    assert severity(see(a_record(problems=[graded]))) == ("SEV-04", "severe")


@pytest.mark.parametrize("problem", [a_problem(FAILURE_TO_THRIVE), a_problem(MACROCYTIC)])
def test_failure_to_thrive_and_macrocytic_anaemia_are_moderate(problem: Problem) -> None:
    assert severity(see(a_record(problems=[problem]))) == ("SEV-05", "moderate")


@pytest.mark.parametrize(
    "lab",
    [a_lab("hemoglobin", "9.4"), a_lab("mcv", 109, reference_high=quantity(86, "fL"))],
    ids=["haemoglobin", "volume"],
)
def test_anaemia_and_large_cells_are_moderate(lab: Measurement) -> None:
    assert severity(see(a_record(lab))) == ("SEV-05", "moderate")


@pytest.mark.parametrize(
    "lab",
    [
        a_lab("hemoglobin", 6, ago=31),
        a_lab("hemoglobin", 6, status="preliminary"),
        a_lab("hemoglobin", 6, "fL"),
        a_lab("mcv", 95),
        a_lab("hemoglobin", 6, ago=-2),
    ],
    ids=["old", "preliminary", "wrong unit", "no range", "future"],
)
def test_a_count_that_does_not_stand_grades_nothing(lab: Measurement) -> None:
    assert severity(see(a_record(lab))) == ("SEV-06", "mild")


def test_mild_names_what_was_not_available() -> None:
    seen = see(a_record(a_lab("hemoglobin", 12)))
    assert severity(seen) == ("SEV-06", "mild")
    assert seen.says("provisional: no recent MCV, platelets, white cells, potassium")


def test_without_a_deficiency_nothing_is_graded() -> None:
    assert severity(see(a_record(level=a_level(250), problems=[SEIZURE]))) == ("", None)


def test_a_transfusion_hides_no_severe_anaemia() -> None:
    labs = (a_lab("hemoglobin", "5.5", ago=4), a_lab("hemoglobin", "11.5", ago=1))
    seen = see(a_record(*labs))
    assert severity(seen) == ("SEV-02", "severe")
    assert "RTE-04" in seen.rules
    assert seen.says("5.5")
    assert seen.says("11.5")


@pytest.mark.parametrize(("ago", "rule"), [(30, "SEV-02"), (31, "SEV-06")])
def test_the_worst_haemoglobin_of_a_month_counts(ago: int, rule: str) -> None:
    labs = (a_lab("hemoglobin", "6.9", ago=ago), a_lab("hemoglobin", 12, ago=1))
    assert severity(see(a_record(*labs)))[0] == rule


def test_the_worst_count_of_each_line_counts() -> None:
    labs = (
        a_lab("hemoglobin", "9.4", ago=9),
        a_lab("hemoglobin", 12, ago=1),
        a_lab("platelets", 99, ago=5),
        a_lab("platelets", 200, ago=1),
    )
    assert severity(see(a_record(*labs)))[0] == "SEV-02"


@pytest.mark.parametrize(("ago", "rule"), [(30, "SEV-03"), (31, "SEV-06")])
def test_the_lowest_untreated_level_of_a_month_counts(ago: int, rule: str) -> None:
    seen = see(a_record(a_level(90, ago=ago), level=a_level(150, ago=1)))
    assert severity(seen)[0] == rule
    if rule == "SEV-03":
        assert seen.says("90 pg/mL on")


def test_a_severe_haemoglobin_that_is_only_a_lower_bound_is_none() -> None:
    assert severity(see(a_record(a_lab("hemoglobin", 6, comparator=">"))))[0] == "SEV-06"


@pytest.mark.parametrize(
    ("months", "value", "rule"),
    [(1, "9.9", "SEV-05"), (1, "10.0", "SEV-06"), (2, "8.9", "SEV-05"), (2, "9.0", "SEV-06"),
     (3, "9.4", "SEV-05"), (3, "9.5", "SEV-06"), (6, "10.4", "SEV-05"), (6, "10.5", "SEV-06")],
)  # fmt: skip
def test_anaemia_is_judged_by_the_age_at_sampling(months: int, value: str, rule: str) -> None:
    birth = months_old(months) - timedelta(days=10)
    assert severity(see(a_record(a_lab("hemoglobin", value, ago=2), birth=birth)))[0] == rule


@pytest.mark.parametrize(
    ("months", "value", "flag", "rule"),
    [(7, "90.1", "normal", "SEV-05"), (7, "90", "high", "SEV-06"), (4, "108.1", "high", "SEV-05"),
     (4, "108", "high", "SEV-06"), (4, "120", "", "SEV-06")],
)  # fmt: skip
def test_large_cells_are_judged_by_the_age_at_sampling(
    months: int, value: str, flag: str, rule: str
) -> None:
    lab = a_lab("mcv", value, interpretation=flag, ago=2)
    birth = months_old(months) - timedelta(days=10)
    assert severity(see(a_record(lab, birth=birth)))[0] == rule
