"""Table ETI, and which problems of a record count at all (section COND)."""

from __future__ import annotations

import pytest
from builders import (
    B12_DEFICIENCY,
    COBALAMIN_C,
    CROHN,
    DIETARY_ANEMIA,
    HEMOPHILIA,
    ICD10CM,
    ILEECTOMY,
    LEBER,
    NOT_BREAST_FED,
    SEIZURE,
    SHORT_BOWEL,
    SNOMED,
    ULCERATIVE_COLITIS,
    Seen,
    a_diet,
    a_problem,
    a_record,
    an_operation,
    breast_feeding,
    days_ago,
    see,
)

from cds_service.clinical import Code, Unread


def cause(seen: Seen) -> str:
    assert seen.evaluation.assessment is not None
    return seen.evaluation.assessment.cause


@pytest.mark.parametrize(
    "code",
    [COBALAMIN_C, Code(ICD10CM, "D51.2"), Code(ICD10CM, "E71120"), Code(SNOMED, "11282001")],
    ids=str,
)
def test_an_inborn_error_goes_before_everything(code: Code) -> None:
    seen = see(a_record(a_diet(), problems=[code, CROHN]))
    assert "ETI-01" in seen.rules
    assert cause(seen) == "inborn"


@pytest.mark.parametrize(
    "code",
    [CROHN, SHORT_BOWEL, ULCERATIVE_COLITIS, Code(ICD10CM, "K50.00"), Code(ICD10CM, "K5000"),
     Code(ICD10CM, "D51.0")],
    ids=str,
)  # fmt: skip
def test_malabsorption_is_a_cause(code: Code) -> None:
    seen = see(a_record(problems=[code]))
    assert "ETI-02" in seen.rules
    assert cause(seen) == "malabsorption"


def test_ulcerative_colitis_is_less_certain() -> None:
    assert see(a_record(problems=[ULCERATIVE_COLITIS])).says("possible ulcerative colitis")


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (CROHN, "with Crohn's disease: hydroxocobalamin"),
        (Code(SNOMED, "398152000", "Poor muscle tone"), "with poor muscle tone: hydroxocobalamin"),
        (Code(SNOMED, "28055006", "West syndrome"), "with West syndrome: hydroxocobalamin"),
        (Code(SNOMED, "91175000", "SEIZURE"), "with SEIZURE: hydroxocobalamin"),
        (Code(ICD10CM, "D51.0"), "Vitamin B12 deficiency anemia"),
    ],
    ids=lambda one: one if isinstance(one, str) else one.code,
)
def test_a_problem_is_called_by_its_name_as_inside_a_sentence(problem: Code, said: str) -> None:
    assert see(a_record(problems=[problem])).says(said)


def test_an_operation_is_a_cause_once_it_was_done() -> None:
    for status, expected in (("completed", "malabsorption"), ("not-done", "unknown"),
                             ("preparation", "unknown")):  # fmt: skip
        record = a_record(procedures=(an_operation(ILEECTOMY, status=status),))
        assert cause(see(record)) == expected
    ahead = a_record(procedures=(an_operation(ILEECTOMY, ago=-3),))
    assert cause(see(ahead)) == "unknown"


@pytest.mark.parametrize(
    "parts",
    [
        (breast_feeding(), a_diet(about="mother")),
        (breast_feeding("Exclusively  breastfed"), a_diet(about="the mother")),
        (a_diet(),),
    ],
    ids=["vegan mother", "in words", "vegan child"],
)
def test_a_plant_based_diet_is_a_nutritional_cause(parts: tuple[object, ...]) -> None:
    seen = see(a_record(*parts))  # type: ignore[arg-type]
    assert "ETI-03" in seen.rules
    assert cause(seen) == "nutritional"


def test_a_dietary_diagnosis_is_a_nutritional_cause() -> None:
    assert cause(see(a_record(problems=[DIETARY_ANEMIA]))) == "nutritional"


def test_the_diet_of_a_mother_who_does_not_breast_feed_is_no_cause() -> None:
    parts = (breast_feeding(NOT_BREAST_FED), a_diet(about="mother"))
    assert cause(see(a_record(*parts))) == "unknown"


def test_the_diet_of_somebody_else_is_no_cause() -> None:
    assert cause(see(a_record(a_diet(about="sibling")))) == "unknown"


def test_breast_feeding_with_nothing_known_of_the_mother_is_possibly_nutritional() -> None:
    seen = see(a_record(breast_feeding()))
    assert "ETI-04" in seen.rules
    assert cause(seen) == "nutritional possible"
    assert seen.says("the mother's diet and vitamin B12?")


def test_breast_feeding_on_the_problem_list_is_read_too() -> None:
    fed = Code(SNOMED, "169741004", "Breast fed")
    assert cause(see(a_record(problems=[fed]))) == "nutritional possible"


def test_an_answer_that_only_contains_a_known_one_is_not_read() -> None:
    assert cause(see(a_record(breast_feeding("not sure whether breastfed")))) == "unknown"


def test_the_newest_word_on_feeding_counts() -> None:
    parts = (breast_feeding(ago=90), breast_feeding(NOT_BREAST_FED, ago=3))
    assert see(a_record(*parts)).evaluation.facts.breast_fed is False


def test_malabsorption_and_diet_together_are_treated_like_malabsorption() -> None:
    seen = see(a_record(a_diet(), problems=[CROHN]))
    assert {"ETI-05", "RTE-05"} <= seen.rules
    assert cause(seen) == "mixed"


def test_no_cause_on_record_is_said_to_be_none_documented() -> None:
    seen = see(a_record())
    assert "ETI-06" in seen.rules
    assert cause(seen) == "unknown"
    assert seen.says("Cause: diet, bowel, mother's B12")


# --- which problems count -------------------------------------------------------------------------


@pytest.mark.parametrize("certainty", ["entered-in-error", "refuted"])
@pytest.mark.parametrize(
    "code", [SEIZURE, CROHN, COBALAMIN_C, LEBER], ids=lambda code: code.display
)
def test_what_was_refuted_never_counts(code: Code, certainty: str) -> None:
    plain, refuted = see(a_record()), see(a_record(problems=[a_problem(code, certainty=certainty)]))
    assert refuted.rules == plain.rules


@pytest.mark.parametrize("clinical", ["active", "recurrence", "relapse", ""])
def test_a_current_problem_counts(clinical: str) -> None:
    assert "RTE-03" in see(a_record(problems=[a_problem(SEIZURE, clinical_status=clinical)])).rules


@pytest.mark.parametrize("clinical", ["inactive", "remission", "resolved"])
@pytest.mark.parametrize(
    ("code", "rule"),
    [(COBALAMIN_C, "RTE-01"), (SHORT_BOWEL, "RTE-05"), (LEBER, "SAF-01")],
    ids=["inborn", "short bowel", "Leber"],
)
def test_a_cause_for_life_counts_whatever_its_status(code: Code, rule: str, clinical: str) -> None:
    problem = a_problem(code, clinical_status=clinical, abated=True, abatement=days_ago(3))
    assert rule in see(a_record(problems=[problem])).rules


def test_haemophilia_counts_for_life() -> None:
    problem = a_problem(HEMOPHILIA, clinical_status="resolved")
    assert "SAF-03" in see(a_record(problems=[problem, CROHN])).rules


@pytest.mark.parametrize("clinical", ["inactive", "remission", "resolved"])
def test_a_resolved_sign_is_no_sign(clinical: str) -> None:
    problem = a_problem(SEIZURE, clinical_status=clinical)
    assert "RTE-07" in see(a_record(problems=[problem])).rules


@pytest.mark.parametrize(("clinical", "counts"), [("remission", True), ("resolved", False)])
def test_bowel_disease_counts_in_remission(clinical: str, counts: bool) -> None:
    problem = a_problem(CROHN, clinical_status=clinical)
    assert ("RTE-05" in see(a_record(problems=[problem])).rules) is counts


def test_a_problem_that_has_abated_is_over_whatever_its_status_says() -> None:
    over = a_problem(SEIZURE, abated=True, abatement=days_ago(1))
    ahead = a_problem(SEIZURE, abated=True, abatement=days_ago(-1))
    assert "RTE-07" in see(a_record(problems=[over])).rules
    assert "RTE-03" in see(a_record(problems=[ahead])).rules


def test_a_problem_of_the_future_does_not_count_yet() -> None:
    assert "RTE-07" in see(a_record(problems=[a_problem(SEIZURE, ago=-1)])).rules


@pytest.mark.parametrize("certainty", ["provisional", "differential", "unconfirmed"])
def test_an_uncertain_problem_counts_and_is_called_possible(certainty: str) -> None:
    seen = see(a_record(problems=[a_problem(SEIZURE, certainty=certainty)]))
    assert "RTE-03" in seen.rules
    assert seen.says("possible seizure")


def test_a_status_nobody_can_read_is_not_an_absence() -> None:
    seen = see(a_record(problems=[a_problem(SEIZURE, clinical_status="", uncertain_status=True)]))
    assert "RTE-03" in seen.rules
    assert seen.says("possible seizure")


def test_a_problem_without_a_code_is_not_guessed_but_counted() -> None:
    spells = a_problem(None, text="strange spells")
    unread = (Unread("conditions", "no code", spells.text, source=spells.source),)
    seen = see(a_record(problems=[spells], unread=unread))
    assert "RTE-07" in seen.rules
    assert seen.says("Sent and not used, the problem list: strange spells (no code)")
    assert not seen.says("is recorded")


def test_an_unverified_code_decides_nothing_and_is_named() -> None:
    lists = [getattr(see(a_record()).guideline.codes, name) for name in ("renal_impairment",
             "neurological", "malabsorption", "breast_fed", "not_breast_fed")]  # fmt: skip
    row = next(row for one in lists for row in one.codes if not row.verified)
    problem = a_problem(Code(row.system, row.code, "an unverified problem"))
    seen = see(a_record(problems=[problem]))
    assert "RTE-07" in seen.rules
    assert seen.says("the problem list: an unverified problem (code not listed or not verified)")


def test_a_code_of_another_system_is_another_code() -> None:
    assert "RTE-07" in see(a_record(problems=[Code("urn:other", SEIZURE.code)])).rules
    assert "STAT-11" in see(a_record(measured=(), problems=[B12_DEFICIENCY])).rules
