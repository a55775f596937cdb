"""Table SEV: how bad a deficiency is."""

from __future__ import annotations

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
    quantity,
    see,
)

from cds_service.clinical import Measurement, Problem


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
        (a_lab("hemoglobin", "9.9"), a_lab("platelets", 99)),
        (a_lab("hemoglobin", "9.9"), a_lab("leukocytes", 3, interpretation="low")),
        (a_lab("platelets", 99), a_lab("neutrophils", "0.4", reference_low=quantity(1, "10*9/L"))),
    ],
    ids=["very low", "in g/L", "and platelets", "and white cells", "platelets and neutrophils"],
)
def test_a_very_low_blood_count_is_severe(labs: tuple[Measurement, ...]) -> None:
    seen = see(a_record(*labs))
    assert severity(seen) == ("SEV-02", "severe")
    assert seen.says(labs[0].value.written if labs[0].value else "-")


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
    [a_lab("hemoglobin", "10.9"), a_lab("mcv", 95, reference_high=quantity(86, "fL"))],
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
    assert seen.says("not excluded: recent MCV, platelets, white cells, potassium")


def test_without_a_deficiency_nothing_is_graded() -> None:
    assert severity(see(a_record(level=a_level(250), problems=[SEIZURE]))) == ("", None)
