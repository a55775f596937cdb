"""Table SIGN, words without a code, what is asked of the mother, formula, and the screening."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from builders import (
    BREAST_FED,
    COBALAMIN_C,
    CROHN,
    FAILURE_TO_THRIVE,
    FOLIC_ACID,
    GAS,
    ICD10CM,
    LEBER,
    LOINC,
    MACROCYTIC,
    ON,
    PANCYTOPENIA,
    PRETERM,
    SEIZURE,
    SNOMED,
    VEGAN,
    Seen,
    a_diet,
    a_draft,
    a_lab,
    a_level,
    a_measurement,
    a_problem,
    a_record,
    a_screening,
    a_test_order,
    a_weight,
    an_allergy,
    an_operation,
    an_order,
    breast_feeding,
    day,
    days_ago,
    months_old,
    on_treatment,
    quantity,
    see,
    see_orders,
)
from each import each
from msgspec import structs

from cds_service import clinical
from cds_service.clinical import Code, Procedure, Record, Relative
from cds_service.guidelines.b12_under_two.growth import Weighing, curves, deviation_of
from cds_service.guidelines.b12_under_two.messages import Texts
from cds_service.language import say

MICROCEPHALY = Code(ICD10CM, "Q02", "Microcephaly")
GLOSSITIS = Code(SNOMED, "45534005", "Glossitis")
FATIGUE = Code(ICD10CM, "R53.83", "Other fatigue")
UNSPECIFIED = Code(ICD10CM, "R62.50", "Unspecified lack of expected development")
IRRITABILITY = Code(ICD10CM, "R45.4", "Irritability and anger")
VOMITING = Code(ICD10CM, "R11.10", "Vomiting, unspecified")
APNOEA = Code(ICD10CM, "R06.81", "Apnea, not elsewhere classified")
EVENT = Code(ICD10CM, "R68.13", "Apparent life threatening event in infant (ALTE)")
NEC_3 = Code(ICD10CM, "P77.3", "Stage 3 necrotizing enterocolitis in newborn")
NEC = Code(ICD10CM, "P77.9", "Necrotizing enterocolitis in newborn, unspecified")
PARTS_MISSING = Code(ICD10CM, "Z90.49", "Acquired absence of other specified parts")
ANEMIC = a_lab("hemoglobin", "6.2")
RAISED = (a_lab("methylmalonate", "3.5"), a_lab("homocysteine", 45))


def unmeasured(*problems: object, measured: tuple[Any, ...] = (), **but: Any) -> Seen:
    """A child without any level."""
    return see(a_record(measured=measured, problems=problems, **but))  # type: ignore[arg-type]


def in_words(text: str) -> Any:
    return a_problem(None, text=text)


# --- no silence on a child whose signs suggest a deficiency ---------------------------------------


def test_failure_to_thrive_with_macrocytic_anaemia_and_raised_metabolites_is_measured() -> None:
    seen = unmeasured(
        FAILURE_TO_THRIVE, MACROCYTIC, measured=(ANEMIC, *RAISED, breast_feeding(BREAST_FED))
    )
    assert {"STAT-12", "SIGN-03", "RTE-10", "MAT-01"} <= seen.rules
    assert seen.indicator == "warning"
    assert [name for name, _ in seen.tests] == ["Vitamin B12"]
    assert seen.says("Metabolites raised: methylmalonic acid 3.5 µmol/L, homocysteine 45")
    assert seen.says("Do not wait for the level to treat the severe anaemia")
    assert not seen.drugs


@pytest.mark.parametrize(
    "problem",
    [FAILURE_TO_THRIVE, MICROCEPHALY, GLOSSITIS, MACROCYTIC, PANCYTOPENIA, IRRITABILITY, FATIGUE,
     UNSPECIFIED],
    ids=lambda one: one.display,
)  # fmt: skip
def test_one_suggestive_sign_alone_is_information(problem: Code) -> None:
    seen = unmeasured(problem)
    assert {"STAT-12", "SIGN-05", "RTE-10"} <= seen.rules
    assert seen.indicator == "info"
    assert ("Vitamin B12", 0) in seen.tests


@pytest.mark.parametrize("problem", [FATIGUE, IRRITABILITY, UNSPECIFIED], ids=lambda one: one.code)
def test_a_weak_sign_stays_information_whatever_the_cause(problem: Code) -> None:
    assert unmeasured(problem, measured=(breast_feeding(),)).indicator == "info"
    seen = unmeasured(problem, CROHN)
    assert "SIGN-05" in seen.rules
    assert "SIGN-04" not in seen.rules


@pytest.mark.parametrize(
    ("problems", "measured"),
    [
        ((FAILURE_TO_THRIVE, MICROCEPHALY), ()),
        ((FATIGUE, IRRITABILITY), ()),
        ((FAILURE_TO_THRIVE, VOMITING), ()),
        ((FAILURE_TO_THRIVE,), (breast_feeding(),)),
        ((GLOSSITIS, CROHN), ()),
        ((FAILURE_TO_THRIVE,), (RAISED[0],)),
    ],
    ids=["two", "two weak ones", "with vomiting", "breast-fed", "a cause", "a raised metabolite"],
)
def test_two_signs_or_one_with_a_reason_are_a_warning(
    problems: tuple[Code, ...], measured: tuple[Any, ...]
) -> None:
    seen = unmeasured(*problems, measured=measured)
    assert {"STAT-12", "SIGN-04"} <= seen.rules
    assert seen.indicator == "warning"


def test_vomiting_alone_is_no_sign() -> None:
    assert unmeasured(VOMITING).silent
    assert unmeasured(a_problem(Code(ICD10CM, "R63.39"))).silent


@pytest.mark.parametrize("code", ["R68.12", "R10.83"])
def test_a_fussy_infant_and_colic_are_no_signs(code: str) -> None:
    assert unmeasured(Code(ICD10CM, code, "Fussy infant (baby)")).silent
    assert "SEV-06" in see(a_record(problems=[Code(ICD10CM, code, "Colic")])).rules


def test_very_low_haemoglobin_alone_is_a_warning_whatever_the_cells() -> None:
    small = (ANEMIC, a_lab("mcv", 70, reference_high=quantity(86, "fL")))
    seen = unmeasured(measured=small)
    assert {"STAT-12", "SIGN-03"} <= seen.rules
    assert seen.indicator == "warning"
    assert unmeasured(measured=(a_lab("hemoglobin", 7),)).silent


def test_what_was_measured_within_the_month_is_not_ordered_again() -> None:
    fresh = unmeasured(FAILURE_TO_THRIVE, measured=RAISED)
    assert {name for name, _ in fresh.tests} == {"Vitamin B12", "Blood count"}
    old = (a_lab("methylmalonate", "3.5", ago=31), a_lab("homocysteine", 45, ago=31))
    assert len(unmeasured(FAILURE_TO_THRIVE, measured=old).tests) == 4


def test_an_old_level_answers_no_neurological_sign() -> None:
    old = a_record(level=a_level(400, ago=200), birth=months_old(20), problems=[SEIZURE])
    seen = see(old)
    assert {"STAT-12", "SIGN-01"} <= seen.rules
    assert seen.indicator == "warning"
    assert ("Vitamin B12", 0) in seen.tests


def test_a_lasting_cause_does_not_make_signs_information() -> None:
    seen = unmeasured(FAILURE_TO_THRIVE, procedures=(an_operation(Code(SNOMED, "51346007")),))
    assert "RTE-10" in seen.rules
    assert seen.indicator == "warning"
    assert seen.says("vitamin B12 for life")


@pytest.mark.parametrize(
    "problem", [MICROCEPHALY, GLOSSITIS, FATIGUE, IRRITABILITY, UNSPECIFIED], ids=lambda x: x.code
)
def test_a_suggestive_sign_makes_a_deficiency_moderate_and_no_emergency(problem: Code) -> None:
    seen = see(a_record(level=a_level(190), problems=[problem]))
    assert {"SEV-05", "RTE-06"} <= seen.rules
    assert seen.indicator == "warning"
    assert seen.doses["DOSE-A"] is True


@pytest.mark.parametrize(
    "code",
    [Code(ICD10CM, "D51.9"), Code(SNOMED, "267517008"), Code(SNOMED, "234360003")],
    ids=lambda one: one.code,
)
def test_a_diagnosis_that_says_anaemia_is_moderate(code: Code) -> None:
    assert {"SEV-05", "RTE-06"} <= see(a_record(problems=[code])).rules


def test_a_transfusion_hides_no_severe_anaemia_of_a_child_without_a_level() -> None:
    transfused = (a_lab("hemoglobin", "5.5", ago=4), a_lab("hemoglobin", "11.5", ago=1))
    seen = unmeasured(measured=transfused)
    assert "SIGN-03" in seen.rules
    assert seen.indicator == "warning"
    assert seen.says("5.5 g/dL on")
    assert seen.says("11.5 g/dL later")


# --- apnoea ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [APNOEA, EVENT, Code(SNOMED, "1023001", "Apnea")])
def test_apnoea_is_neurological_from_one_month_on(code: Code) -> None:
    assert "RTE-03" in see(a_record(problems=[code])).rules
    at_birth = a_problem(code, ago=(ON - months_old(6)).days - 20)
    assert "RTE-07" in see(a_record(problems=[at_birth])).rules
    assert "SIGN-01" not in unmeasured(code, birth=day(20)).rules


def test_an_apnoea_of_one_month_to_the_day_counts() -> None:
    birth = months_old(6)
    for months, counts in ((1, True), (0, False)):
        ago = (ON - birth).days - (31 if months else 29)
        seen = see(a_record(birth=birth, problems=[a_problem(APNOEA, ago=ago)]))
        assert ("RTE-03" in seen.rules) is counts


@pytest.mark.parametrize("code", ["P28.4", "P28.40", "G47.33"])
def test_apnoea_of_the_newborn_or_of_sleep_is_no_sign(code: str) -> None:
    other = Code(ICD10CM, code, "Apnea")
    both = a_problem(APNOEA, codes=(APNOEA, other))
    assert unmeasured(other).silent
    assert unmeasured(both).silent


# --- words without a code -------------------------------------------------------------------------


def test_words_of_a_sign_in_severe_deficiency_say_when_alternate_days_are_right() -> None:
    told = a_problem(None, text="Stuipen")
    for level, conditional in ((99, True), (100, False)):
        seen = see(a_record(level=a_level(level), problems=[told]))
        labels = [
            one.label
            for card in seen.cards
            for one in card.suggestions or ()
            if "alternate days" in one.label
        ]
        assert [one.startswith("If a neurological sign is confirmed") for one in labels] == (
            [conditional] * len(labels)
        )
        assert bool(labels) is True
        assert seen.says("inject on alternate days; no oral") is conditional


@pytest.mark.parametrize(
    "text", ["Krampfanfälle", "seizures every day", "Convulsiones", "Muskelhypotonie", "BRUE"]
)
def test_neurological_words_hold_back_and_choose_nothing(text: str) -> None:
    deficient = see(a_record(problems=[in_words(text)]))
    assert "RTE-05b" in deficient.rules
    assert deficient.indicator == "warning"
    assert deficient.doses == {"DOSE-D": False}
    borderline = see(a_record(level=a_level(250), problems=[in_words(text)]))
    assert borderline.indicator == "warning"
    assert borderline.doses == {"DOSE-D": False}
    assert unmeasured(in_words(text)).indicator == "warning"
    adequate = see(a_record(level=a_level(400), problems=[in_words(text)]))
    assert adequate.shows("RTE-10.words")
    assert {name for name, _ in adequate.tests} == {"Methylmalonic acid", "Homocysteine"}
    settled = a_record(a_lab("methylmalonate", 0.2), level=a_level(400), problems=[in_words(text)])
    assert not see(settled).shows("RTE-10.words")


@each(
    "text",
    ["No seizures", "Febrile seizures", "Family history of epilepsy", "Mother has epilepsy",
     "Keine Krampfanfälle", "Z. n. Krampfanfall", "sin convulsiones", "Kein Krampfanfall",
     "No signs of seizures", "No seizures or hypotonia", "Seizures ruled out", "Seizures: none",
     "Seizures have been excluded", "Krampfanfall wurde ausgeschlossen", "Krampfanfälle: keine",
     "Krampfanfall bei Fieber", "Krampfanfälle in der Anamnese", "Epilepsie der Mutter",
     "Convulsiones febriles", "Convulsiones descartadas", "Niega convulsiones",
     "Pas de crise convulsive", "Senza convulsioni", "Sem convulsões", "Geen convulsies",
     "Ingen kramper", "Denies any recent seizures", "Brother with epilepsy"],
)  # fmt: skip
def test_what_is_denied_past_or_of_somebody_else_is_no_sign(text: str) -> None:
    assert unmeasured(in_words(text)).silent
    assert "RTE-07" in see(a_record(problems=[in_words(text)])).rules


@pytest.mark.parametrize(
    "text",
    ["Infantile spasms, without mention of intractable epilepsy",
     "Afebrile seizures without head injury", "Hypotonia, no dysmorphic features",
     "Convulsiones sin fiebre", "Krampfanfall ohne Fieber", "Seizures without fever",
     "Ohne Fieber Krampfanfall", "Non-febrile seizures", "No fever and seizures",
     "No fever. Seizures",
     "Krampfanfälle, Meningitis ausgeschlossen", "Seizures (infection ruled out)",
     "Seizures. Family history of epilepsy", "Seizures witnessed by mother",
     "Seizures; fever resolved", "Hypotonia with no history of trauma", "Hypotonia no fever",
     "Crise convulsive sans fièvre", "Convulsioni senza febbre", "Convulsões sem febre",
     "Convulsies zonder koorts", "Kramper uten feber", "Seizures, mother vegan"],
)  # fmt: skip
def test_a_denial_of_something_else_leaves_the_sign(text: str) -> None:
    assert "RTE-05b" in see(a_record(problems=[in_words(text)])).rules
    assert unmeasured(in_words(text)).indicator == "warning"


@pytest.mark.parametrize(("between", "held"), [(2, False), (3, False), (4, True)])
def test_a_denial_reaches_a_few_words_ahead(between: int, held: bool) -> None:
    text = f"No {'very ' * between}seizures"
    assert ("RTE-05b" in see(a_record(problems=[in_words(text)])).rules) is held


def test_a_denial_in_one_name_leaves_the_sign_in_another() -> None:
    local = a_problem(Code("urn:site", "S1", "Epilepsy"), text="No fever")
    assert "RTE-05b" in see(a_record(problems=[local])).rules


@pytest.mark.parametrize("text", ["Short bowel syndrome", "Kurzdarmsyndrom", "Zöliakie"])
def test_words_of_malabsorption_withhold_the_treatment_by_mouth(text: str) -> None:
    seen = see(a_record(problems=[in_words(text)]))
    assert "RTE-05d" in seen.rules
    assert seen.doses == {"DOSE-E": False}
    assert seen.says(text)
    denied = see(a_record(problems=[in_words(f"No {text}")]))
    assert denied.doses == {"DOSE-A": True}


def test_an_injection_that_a_known_fact_calls_for_stays_beside_words() -> None:
    seen = see(a_record(level=a_level(80), problems=[in_words("Krampfanfälle")]))
    assert seen.doses == {"DOSE-E": True, "DOSE-D": False}
    assert seen.says("recorded: if it is a neurological sign")


def test_words_bring_no_injection_in_place_of_a_running_order() -> None:
    seen = see(on_treatment(5, problems=[in_words("Krampfanfälle")]))
    assert "DUP-03" not in seen.rules
    assert not seen.stopped


def test_with_words_allergy_and_leber_still_rule() -> None:
    words = in_words("Krampfanfälle")
    allergic = see(a_record(problems=[words], allergies=(an_allergy(),)))
    assert allergic.shows("SAF-05.new")
    assert not allergic.drugs
    leber = see(a_record(problems=[words, LEBER]))
    assert {drug.substance for drug in leber.drugs} == {"hydroxocobalamin"}


@pytest.mark.parametrize(
    "text", ["Glossitis", "Knuckle hyperpigmentation", "Gedeihstörung", "Developmental concern"]
)
def test_suggestive_words_ask_for_a_level(text: str) -> None:
    seen = unmeasured(in_words(text))
    assert "SIGN-05" in seen.rules
    assert seen.says(f"Recognised by words only, without a known code: {text}")


def test_an_order_that_is_b12_by_its_name_only_holds_a_second_back() -> None:
    named = an_order(Code("urn:site", "77", ""), text="Vitamin B12 drops")
    seen = see(a_record(medications=[named]))
    assert seen.doses == {"DOSE-A": False}
    assert seen.indicator == "warning"
    assert seen.says("Vitamin B12 by its name only (Vitamin B12 drops)")
    assert see(a_record(problems=[SEIZURE], medications=[named])).doses == {"DOSE-D": False}


# --- newborn screening ----------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["53160-8", "53163-2"])
def test_a_positive_screening_without_a_level_is_confirmed_today(code: str) -> None:
    seen = unmeasured(measured=(a_screening(code),), birth=day(12))
    assert {"STAT-12", "SIGN-02"} <= seen.rules
    assert seen.indicator == "warning"
    assert seen.shows("RTE-10.screening")
    assert {"Vitamin B12", "Methylmalonic acid", "Homocysteine"} <= {name for name, _ in seen.tests}


def test_a_screening_above_its_range_is_positive_and_one_inside_is_not() -> None:
    upper = quantity(6, "umol/L")
    above = a_screening(interpretation="", reference_high=upper)
    inside = a_screening(interpretation="", value=upper, reference_high=upper)
    assert "SIGN-02" in unmeasured(measured=(above,)).rules
    assert unmeasured(measured=(inside,)).silent
    assert unmeasured(measured=(a_screening(interpretation="normal"),)).silent
    assert unmeasured(measured=(a_screening(about="twin"),)).silent


def test_a_screening_in_words_counts_by_its_marker() -> None:
    assert "SIGN-02" in unmeasured(in_words("Newborn screening positive: C3 high")).rules
    assert unmeasured(in_words("Newborn screening positive: TSH")).silent


def in_own_words(name: str, answer: str = "", code: Code | None = None, **but: Any) -> Record:
    """A result that only its name says to be of the screening."""
    one = a_measurement(code or Code("urn:site:lab", "NBS"), name=name, text=answer, **but)
    return a_record(measured=(one,), birth=day(20))


CONFIRMED_TODAY = (
    ("Newborn screening", "Positive for elevated C3, methylmalonic acid suspected"),
    ("Newborn screening panel", "Out of range: C3 elevated; MMA suspected"),
    ("Newborn screening", "Abnormal (C3, C3/C2)"),
    ("Newborn screening: methylmalonic acid", "Positive"),
    ("NBS propionylcarnitine", "Elevated. False positives occur in premature infants"),
    ("Newborn conditions with positive markers", "Methylmalonic acidemia"),
    ("Newborn screening positive for C3", "true"),
    ("Newborn screening", "C3 elevated: maternal vitamin B12 deficiency?"),
    ("Newborn screening", "Propionylcarnitine (C3), elevated"),
    ("Dried blood spot", "no elevated C5; C3 above the cut-off"),
    ("Neugeborenenscreening", "Propionylcarnitin erhöht"),
    ("Neugeborenenscreening", "auffällig: C3"),
    ("Dépistage néonatal", "Propionylcarnitine (C3) élevée"),
    ("Cribado neonatal", "Elevación de C3, sospecha de acidemia metilmalónica"),
    ("Screening neonatale", "C3 aumentato"),
    ("Triagem neonatal", "C3 elevado"),
    ("Hielprik", "C3 verhoogd"),
)
NOT_POSITIVE = (
    ("Newborn screening: C3", "negative"),
    ("Newborn screening: C3", "Not elevated"),
    ("Newborn screening: C3", "no"),
    ("Newborn screening: C3", "within normal limits"),
    ("Newborn screening positive for C3", "false"),
    ("Newborn screening", "Negative for elevated C3"),
    ("Newborn screening", "No evidence of methylmalonic acidaemia; C3 normal"),
    ("Newborn screening", "C5 elevated; C3 normal"),
    ("Newborn screening: C3", "false positive"),
    ("Newborn screening", "TSH elevated"),
    ("Newborn screening of the mother: C3", "elevated"),
    ("Complement C3", "elevated"),
    ("Neugeborenenscreening", "C3 unauffällig"),
    ("Neugeborenenscreening", "C3 nicht erhöht"),
    ("Dépistage néonatal", "C3 non élevée"),
    ("Cribado neonatal", "C3 normal, sin elevación"),
    ("Hielprik", "C3 niet verhoogd"),
)


@each("said", CONFIRMED_TODAY, ids=": ".join)
def test_a_result_that_is_positive_in_words_is_confirmed_today(said: tuple[str, str]) -> None:
    seen = see(in_own_words(*said))
    assert seen.shows("RTE-10.screening")
    assert seen.indicator == "warning"
    assert not seen.drugs


@each("said", NOT_POSITIVE, ids=": ".join)
def test_a_result_that_denies_it_is_not(said: tuple[str, str]) -> None:
    assert see(in_own_words(*said)).silent


def test_a_number_under_any_code_counts_by_its_flag_or_range() -> None:
    name, upper = "Newborn screening C3/C2 ratio", quantity("0.2", "1")

    def ratio(value: str, **but: Any) -> Seen:
        return see(in_own_words(name, value=quantity(value, "1"), **but))

    assert ratio("0.9", interpretation="high").shows("RTE-10.screening")
    assert ratio("0.9", unclear=("flag", "abnormal")).shows("RTE-10.screening")
    assert ratio("0.21", reference_high=upper).shows("RTE-10.screening")
    assert ratio("0.2", reference_high=upper).silent
    assert ratio("0.9", interpretation="normal").silent
    note = ratio("0.9", notes="C3/C2 above the cut-off")
    assert note.shows("RTE-10.screening")
    for unit, speaks in (("umol/L", True), ("g/L", False)):  # the other is complement
        bare = in_own_words("C3", value=quantity(9, unit), interpretation="high")
        assert see(bare).shows("RTE-10.screening") is speaks


def test_a_screening_that_no_one_can_tell_is_named() -> None:
    panel = Code(LOINC, "54089-8", "Newborn screening panel")
    for record, reason in (
        (
            in_own_words("", value=quantity(9, "umol/L"), code=Code(LOINC, "53160-8", "")),
            "unjudged",
        ),
        (in_own_words("Newborn screening: C3", "see the report", panel), "answer"),
        (in_own_words("Newborn screening", "Positive", panel), "answer"),
        (in_own_words("Newborn screening: C3", "high", panel, status="preliminary"), "status"),
    ):
        seen = see(record)
        assert seen.silent
        assert [one.reason for one in seen.evaluation.facts.unread] == [reason]
    low = structs.replace(record, measurements=(*record.measurements, a_level(250)))
    assert see(low).says("Newborn screening: C3 high")


def test_a_problem_that_denies_the_screening_is_not_one() -> None:
    for words in ("Newborn screening negative for C3", "Newborn screening: C3 not elevated"):
        assert not unmeasured(in_words(words)).shows("RTE-10.screening")


# --- bowel ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["active", "resolved"])
@pytest.mark.parametrize(
    "codes", [(NEC_3,), (NEC, PARTS_MISSING)], ids=["stage III", "with a resection"]
)
def test_enterocolitis_that_took_the_bowel_is_malabsorption(
    codes: tuple[Code, ...], status: str
) -> None:
    problems = [a_problem(one, clinical_status=status) for one in codes]
    seen = see(a_record(problems=problems))
    assert {"ETI-02", "RTE-05"} <= seen.rules
    assert not seen.says("not counted as a cause")
    assert "RTE-09" in see(a_record(level=a_level(400), problems=problems)).rules


@pytest.mark.parametrize("code", [NEC, PARTS_MISSING, Code(ICD10CM, "P77.2", "Stage 2")])
def test_enterocolitis_of_less_or_a_resection_alone_is_only_possible(code: Code) -> None:
    seen = see(a_record(problems=[code]))
    assert "RTE-07" in seen.rules
    assert seen.says("Possible malabsorption, not counted as a cause")


# --- formula and the mother -----------------------------------------------------------------------


@pytest.mark.parametrize("text", ["Formula fed", "Säuglingsnahrung", "Lactancia artificial"])
def test_on_formula_diet_is_not_a_likely_cause(text: str) -> None:
    seen = see(a_record(breast_feeding(text), birth=months_old(8)))
    assert "RTE-07" in seen.rules
    assert seen.says("diet is not a likely cause: malabsorption, inborn error")
    assert not seen.says("consider diet")
    assert seen.doses == {"DOSE-A": True}
    assert {"Methylmalonic acid", "Homocysteine"} <= {name for name, _ in seen.tests}
    assert seen.shows("MAT-01.formula")
    assert seen.tasks


def test_on_formula_the_requirement_is_not_offered() -> None:
    assert see(a_record(a_weight(7))).shows("RTE-07.requirement")
    on_formula = see(a_record(a_weight(7), breast_feeding("formula fed")))
    assert not on_formula.shows("RTE-07.requirement")


def test_breast_and_formula_is_breast_fed() -> None:
    seen = see(a_record(breast_feeding("breastfed and formula fed")))
    assert seen.shows("MAT-01")
    assert not seen.says("diet is not a likely cause")


def test_a_toddler_on_formula_eats_other_things_too() -> None:
    seen = see(a_record(breast_feeding("formula fed"), birth=months_old(15)))
    assert not seen.says("diet is not a likely cause")
    assert "MAT-03" in seen.rules


# --- prevention -----------------------------------------------------------------------------------


def test_a_vegan_mother_of_a_breast_fed_child_with_an_adequate_level_is_seen_to() -> None:
    record = a_record(breast_feeding(), a_diet(about="mother"), level=a_level(400))
    seen = see(record)
    assert "PRE-01" in seen.rules
    assert seen.indicator == "info"
    assert [task.description for task in seen.tasks] == [say(Texts.prevention_mother)]
    assert see(a_record(breast_feeding(), level=a_level(400))).silent


@pytest.mark.parametrize("vegetarian", ["vegetarian"])
def test_a_vegetarian_mother_is_no_reason_yet(vegetarian: str) -> None:
    code = Code("http://terminology.hl7.org/CodeSystem/diet", vegetarian, "Vegetarian")
    assert see(a_record(breast_feeding(), a_diet(code, about="mother"), level=a_level(400))).silent


@pytest.mark.parametrize(
    "text",
    ["Mother vegetarian", "Maternal vegetarianism", "Mutter ernährt sich vegetarisch",
     "Mère végétarienne", "Madre vegetariana", "Matka wegetarianka", "Mother: lacto-ovo diet",
     "Vegetarian household", "Vegan family", "Mother: 素食"],
)  # fmt: skip
@pytest.mark.parametrize("feeding", ["breastfed", ""])
def test_a_vegetarian_mother_in_words_asks_for_a_level(text: str, feeding: str) -> None:
    """Whatever says it, while the child is, or may be, breast-fed."""
    fed = [breast_feeding(feeding)] if feeding else []
    diet = Code(LOINC, "81663-7", "Diet")
    answered = a_measurement(diet, text=text)
    for record in (
        a_record(measured=tuple(fed), problems=[in_words(text)]),
        a_record(measured=(*fed, answered)),
    ):
        seen = see(record)
        assert "STAT-12" in seen.rules
        assert seen.shows("RTE-10")
        assert not seen.drugs
        assert "ETI-03" not in seen.rules, "words do not make a cause"
    formula = a_record(measured=(breast_feeding("formula fed"),), problems=[in_words(text)])
    assert see(formula).silent


@pytest.mark.parametrize(
    "text",
    ["Mother not vegetarian", "Mother: non-vegetarian diet", "Mutter keine Vegetarierin",
     "Father vegetarian", "Mother eats vegetables", "Persistent vegetative state of the mother",
     "Family history of migraine"],
)  # fmt: skip
def test_a_diet_that_is_denied_or_of_another_asks_for_nothing(text: str) -> None:
    assert see(a_record(measured=(breast_feeding(),), problems=[in_words(text)])).silent


@pytest.mark.parametrize("text", ["Mother vegetarian", "Maternal vegetarianism"])
def test_a_vegetarian_mother_in_words_is_no_reason_to_prevent(text: str) -> None:
    """The edition prevents for a vegan mother only, by code and in words alike."""
    fed = a_record(breast_feeding(), level=a_level(400), problems=[in_words(text)])
    assert see(fed).silent
    both = [in_words(text), in_words("Mother: coeliac disease")]
    seen = see(a_record(breast_feeding(), level=a_level(400), problems=both))
    assert "PRE-01" in seen.rules


def test_a_vegetarian_mother_is_the_same_risk_whatever_says_it() -> None:
    """By code, in words, in a family history; also where nothing is known of the feeding."""
    code = Code("http://terminology.hl7.org/CodeSystem/diet", "vegetarian", "Vegetarian")
    relative = clinical.Relative("mother", diseases=("Vegetarian diet",), source="F/1")
    coded = a_record(measured=(a_diet(code, about="mother"),))
    family = structs.replace(a_record(measured=()), relatives=(relative,))
    for record in (coded, family):
        seen = see(record)
        assert "STAT-12" in seen.rules
        assert seen.says("(mother)")


@pytest.mark.parametrize("text", ["Vegetarian diet", "Vegetarische Ernährung"])
def test_a_vegetarian_toddler_in_words_is_measured_and_not_told_of_a_supplement(text: str) -> None:
    toddler = months_old(15)
    assert see(a_record(measured=(), problems=[in_words(text)], birth=toddler)).shows("RTE-10")
    fine = a_record(problems=[in_words(text)], level=a_level(400), birth=toddler)
    assert see(fine).silent


@pytest.mark.parametrize(
    "text",
    ["Mother vegan", "Maternal vitamin B12 deficiency", "Mutter Zöliakie", "Madre con celiaquía",
     "Mother: gastric bypass"],
)  # fmt: skip
def test_the_mothers_facts_are_read_in_words(text: str) -> None:
    seen = see(a_record(breast_feeding(), level=a_level(400), problems=[in_words(text)]))
    assert "PRE-01" in seen.rules
    assert "ETI-03" not in seen.rules


def test_the_mothers_own_low_level_is_a_reason() -> None:
    low = a_level(120, about="mother")
    seen = see(a_record(breast_feeding(), low, level=a_level(400)))
    assert "PRE-01" in seen.rules
    assert seen.says("120 pg/mL")
    fine = a_level(400, about="mother")
    assert see(a_record(breast_feeding(), fine, level=a_level(400))).silent


def test_a_vegan_diet_of_the_mother_in_words_is_a_reason() -> None:
    diet = a_measurement(Code(LOINC, "81663-7", "Diet"), text="Vegane Ernährung", about="Mutter")
    assert "PRE-01" in see(a_record(breast_feeding(), diet, level=a_level(400))).rules


def test_a_diet_that_words_call_the_mothers_is_not_the_childs() -> None:
    hers = a_measurement(Code(LOINC, "81663-7", "Diet of mother"), concepts=(VEGAN,))
    seen = see(a_record(breast_feeding(), hers, level=a_level(400), birth=months_old(15)))
    assert "PRE-01" in seen.rules
    assert "ETI-03" not in seen.rules


def test_a_vegan_toddler_with_an_adequate_level_is_told_about_the_supplement() -> None:
    seen = see(a_record(a_diet(), level=a_level(400), birth=months_old(15)))
    assert "PRE-02" in seen.rules
    assert seen.indicator == "info"
    assert see(a_record(a_diet(), level=a_level(400), birth=months_old(8))).silent


# --- nitrous oxide --------------------------------------------------------------------------------


def planned(
    text: str = "Dental care under nitrous oxide", status: str = "active"
) -> clinical.TestOrder:
    return clinical.TestOrder((), text, status, "ServiceRequest/1", days_ago(-7))


def test_planned_nitrous_oxide_is_a_warning_line_and_never_a_card() -> None:
    seen = see(a_record(level=a_level(250), test_orders=(planned(),)))
    assert seen.indicator == "warning"
    assert seen.says("Nitrous oxide planned (Dental care under")
    assert see(a_record(level=a_level(400), test_orders=(planned(),))).silent
    assert not see(a_record(test_orders=(planned(status="completed"),))).says("tell the anaesth")


@pytest.mark.parametrize("text", ["Lachgassedierung"[:7], "Protoxyde d'azote", "Óxido nitroso"])
def test_nitrous_oxide_is_read_in_other_languages(text: str) -> None:
    assert see(a_record(test_orders=(planned(text),))).says("inform the anaesthetist")


def test_nitrous_oxide_by_its_code_and_as_a_medication() -> None:
    by_code = Procedure((GAS,), "", "preparation", "Procedure/1")
    assert see(a_record(procedures=(by_code,))).says("inform the anaesthetist")
    given = an_order(GAS, ago=20, kind="administration", status="completed")
    seen = see(a_record(medications=[given]))
    assert seen.says(f"{GAS.display} on 23 Feb 2026")
    assert not seen.says("inform the anaesthetist")
    assert not see(a_record(medications=[an_order(FOLIC_ACID)])).says("inform the anaesthetist")


def test_nitrous_oxide_that_was_given_asks_to_look_for_harm() -> None:
    harm = "look for harm: neurological signs"
    for ago, spoken in ((29, True), (30, True), (31, False)):
        seen = see(a_record(level=a_level(250), procedures=(an_operation(GAS, ago),)))
        assert seen.says(harm) is spoken
        assert seen.says("planned") is False
        assert (seen.indicator == "warning") is spoken
    undated = Procedure((GAS,), "", "completed", "Procedure/1")
    assert see(a_record(level=a_level(250), procedures=(undated,))).says(harm)
    going_on = Procedure((GAS,), "", "in-progress", "Procedure/2", days_ago(0))
    assert see(a_record(level=a_level(250), procedures=(going_on,))).says("inform the anaesthetist")
    both = a_record(level=a_level(250), procedures=(an_operation(GAS, 3), going_on))
    assert see(both).says(harm)
    assert see(both).says("inform the anaesthetist")
    assert see(a_record(level=a_level(400), procedures=(undated,))).silent


# --- a normal level can mislead -------------------------------------------------------------------


def test_a_normal_level_with_signs_asks_for_what_was_given_elsewhere() -> None:
    seen = see(a_record(level=a_level(400), problems=[SEIZURE]))
    assert "STAT-07" in seen.rules
    assert seen.says("given elsewhere before the sample")


def test_a_test_that_is_ordered_is_not_ordered_twice() -> None:
    seen = unmeasured(FAILURE_TO_THRIVE, test_orders=(a_test_order("2132-9"),))
    assert "Vitamin B12" not in {name for name, _ in seen.tests}


# --- failure to thrive that only the weights show -------------------------------------------------


def test_a_fall_across_two_centile_spaces_is_a_sign_and_said_to_be_calculated() -> None:
    weights = (a_weight(8, ago=60), a_weight("6.8", ago=5))
    seen = unmeasured(measured=weights, birth=months_old(8))
    assert {"STAT-12", "SIGN-05"} <= seen.rules
    assert seen.says("as calculated: 8 kg on 14 Jan 2026, 6.8 kg on 10 Mar 2026")
    low = see(a_record(*weights, birth=months_old(8)))
    assert {"SEV-05", "RTE-06"} <= low.rules


@pytest.mark.parametrize(
    ("weights", "but"),
    [
        ((a_weight(8, ago=60), a_weight("8.3", ago=5)), {}),
        ((a_weight(8, ago=32), a_weight("6.8", ago=5)), {}),
        ((a_weight(8, ago=160), a_weight("6.8", ago=61)), {}),
        ((a_weight(8, ago=60), a_weight("6.8", ago=5)), {"problems": (PRETERM,)}),
        ((a_weight(8, ago=60), a_weight("6.8", ago=5, code="3142-7")), {}),
        ((a_weight("6.8", ago=60), a_weight(8, ago=5)), {}),
    ],
    ids=["less", "under four weeks", "old", "preterm", "stated", "a gain"],
)
def test_other_weights_are_no_sign(weights: tuple[Any, ...], but: dict[str, Any]) -> None:
    assert unmeasured(*but.get("problems", ()), measured=weights, birth=months_old(8)).silent


@pytest.mark.parametrize(
    ("month", "kg", "deviations"),
    [(0, "3.35", 0), (6, "6.36", -2), (6, "5.68", -3), (12, "11.98", 2), (24, "7.59", -4)],
)
def test_a_weight_of_the_standard_lies_where_the_standard_has_it(
    month: int, kg: str, deviations: int
) -> None:
    birth = months_old(24)
    at = birth + timedelta(days=round(month * 30.4375))
    boys = curves()[0]
    found = deviation_of(Weighing(at, Decimal(kg), ""), birth, boys)
    assert abs(found - deviations) < Decimal("0.1")


# --- words hold back, next to any row that treats -----------------------------------------------


@pytest.mark.parametrize("level", [80, 199, 200, 299])
@pytest.mark.parametrize("extra", [(), (CROHN,)])
def test_neurological_words_recommend_nothing_by_mouth_and_offer_the_injections(
    level: int, extra: tuple[Code, ...]
) -> None:
    words = a_problem(None, text="Tremor of the limbs")
    seen = see(a_record(level=a_level(level), problems=[words, *extra]))
    assert seen.doses["DOSE-D"] is False
    assert "DOSE-A" not in seen.doses
    assert any(getattr(one, "indicator", "info") != "info" for one in seen.outcomes)


@pytest.mark.parametrize("level", [80, 150, 250])
@pytest.mark.parametrize("problems", [[], [SEIZURE], [CROHN]])
def test_beside_an_order_that_is_b12_by_name_none_is_recommended_and_the_card_asks(
    level: int, problems: list[Code]
) -> None:
    named = an_order(Code("", "", "Vitamin B12 drops"), amount=None)
    seen = see(a_record(level=a_level(level), problems=problems, medications=[named]))
    assert not any(one.choice.recommended for one in seen.offers if one.drug is not None)
    assert seen.says("Vitamin B12 drops")
    assert seen.says("ask before adding") or seen.says("ask first")


# --- nothing next to a critical card is called mild ----------------------------------------------


@pytest.mark.parametrize(
    ("but", "critical"),
    [
        ({}, False),
        ({"problems": [COBALAMIN_C]}, True),
        ({"level": a_level(150, ago=91)}, True),
        ({"level": a_level(150, ago=90)}, False),
        ({"allergies": (an_allergy(),)}, True),
    ],
)
def test_nothing_is_called_mild_beside_a_critical_card(but: dict[str, Any], critical: bool) -> None:
    seen = see(a_record(**but))
    worst = {getattr(one, "indicator", "") for one in seen.outcomes}
    assert ("critical" in worst) is critical
    assert not seen.says("mild")
    if but.get("problems"):
        drafted = see_orders(a_record(**but), a_draft())
        assert not drafted.says("mild")


@pytest.mark.parametrize(
    ("value", "low", "flag", "sign"),
    [
        ("39.9", None, "", True), ("40", None, "", False), ("22", None, "", True),
        ("38", "35", "", False), ("34.9", "35", "", True), ("50", "57", "", True),
        ("38", None, "normal", False), ("60", None, "low", True),
    ],
)  # fmt: skip
def test_holotranscobalamin_is_low_by_its_laboratory_or_else_by_the_limit(
    value: str, low: str | None, flag: str, *, sign: bool
) -> None:
    lower = quantity(low, "pmol/L") if low is not None else None
    lab = a_lab("holotranscobalamin", value, interpretation=flag, reference_low=lower)
    seen = see(a_record(measured=(lab,)))
    assert ("SIGN-05" in seen.rules) is sign
    assert seen.says(f"holotranscobalamin {value} pmol/L") is sign


def test_low_holotranscobalamin_beside_another_sign_is_a_warning() -> None:
    low = a_lab("holotranscobalamin", 22)
    seen = see(a_record(measured=(low,), problems=[FAILURE_TO_THRIVE]))
    assert "SIGN-04" in seen.rules
    assert seen.indicator == "warning"


def test_low_holotranscobalamin_of_long_ago_or_above_a_bound_is_no_sign() -> None:
    for but in ({"ago": 181}, {"comparator": ">"}):
        low = a_lab("holotranscobalamin", 22, **but)
        assert see(a_record(measured=(low,), birth=months_old(20))).silent
    for ago in (31, 180):  # not measured again, and nothing given since
        low = a_lab("holotranscobalamin", 22, ago=ago)
        assert see(a_record(measured=(low,), birth=months_old(20))).shows("RTE-10.suggestive")
        later = a_lab("holotranscobalamin", 60, ago=5)
        assert see(a_record(measured=(low, later), birth=months_old(20))).silent


# --- a diet of the mother that ended ------------------------------------------------------------

OVER_FOR_YEARS = [
    "no longer vegan since 2020",
    "Vegan until 2020, now omnivore",
    "vegan until 2022",
    "Ex-vegan (2010-2018)",
    "Was vegan, stopped in 2019",
    "Formerly vegan, omnivore since 2015",
    "Vegan 2010 to 2018",
    "gave up vegan diet 5 years ago",
    "Bis 2020 vegan, jetzt Mischkost",
    "früher vegan (bis 2019)",
    "seit 2015 Mischkost, früher vegan",
    "nicht mehr vegan seit 2018",
    "vegan, vor 5 Jahren aufgehört",
    "Végane jusqu'en 2020, maintenant omnivore",
    "ancienne végane, a arrêté en 2019",
    "n'est plus végane depuis 2018",
    "végane, a arrêté il y a 6 ans",
    "Vegana hasta 2020, ahora omnívora",
    "dejó de ser vegana en 2019",
    "ya no es vegana desde 2018",
    "era vegana, lo dejó hace 6 años",
    "vegetarian until 2019",
    "Vegan from 2012 until 2017",
]
MAY_STILL_COUNT = [
    "Vegan, stopped eating dairy in 2015",
    "Vegan, no eggs since 2010",
    "Vegan, 2 children born 2015",
    "Vegan",
    "Vegan since 2015",
    "Vegan until 2023",
    "Vegan until 2024, now omnivore",
    "formerly vegan",
    "no longer vegan",
    "früher vegan",
    "ancienne végane",
    "antes vegana",
    "ex vegan",
    "omnivore until 2018, now vegan",
    "Omnivore until 2018 then vegan",
    "bis 2018 omnivor, dann vegan",
    "omnivore jusqu'en 2018 puis végane",
    "omnívora hasta 2018, ahora vegana",
    "vegetarian until 2018 then vegan",
    "vegan until pregnancy",
    "not vegan until 2020",
    "vegan until 2018, now vegan again",
    "vegan since 2010, stopped eating eggs in 2012?",
    "became vegan 8 years ago",
    "vegana desde hace 8 años",
    "nicht mehr vegan",
    "n'est plus végane",
    "ya no es vegana",
    "vegan seit 2015",
    "Vegan before and after 2018",
]
NEVER_WAS = [
    "isn't vegan",
    "jamais été végane",
    "nunca fue vegana",
    "weder vegan noch vegetarisch",
    "not vegan",
    "never vegan",
    "nicht vegan",
    "pas végane",
    "no es vegana",
    "omnivore until 2020",
]


def mothers_diet(words: str, *, level: int = 400, born: date = date(2025, 6, 1)) -> Seen:
    diet = structs.replace(a_diet(words), question="Maternal diet")
    return see(a_record(breast_feeding(), diet, level=a_level(level), birth=born))


@each("words", OVER_FOR_YEARS)
def test_a_diet_of_the_mother_that_was_over_years_before_the_birth_is_no_reason(words: str) -> None:
    assert mothers_diet(words).silent


@each("words", MAY_STILL_COUNT)
def test_a_diet_that_ended_late_or_on_no_known_day_counts_and_is_quoted(words: str) -> None:
    seen = mothers_diet(words)
    if "veg" in words.lower() and "vegetarian until" not in words.lower():
        assert seen.shows("PRE-01")
        assert words in seen.cards[0].summary or words[:20] in seen.cards[0].summary


@each("words", NEVER_WAS)
def test_a_diet_that_never_was_is_no_reason(words: str) -> None:
    assert mothers_diet(words).silent


@pytest.mark.parametrize(
    ("born", "counts"),
    [(date(2025, 12, 30), True), (date(2025, 12, 31), False), (date(2026, 1, 1), False)],
)
def test_two_years_before_the_birth_a_diet_of_the_mother_is_over(born: date, counts: bool) -> None:
    assert mothers_diet("vegan until 2023", born=born).shows("PRE-01") is counts


def test_a_diet_that_is_over_hides_nothing_else_of_the_mother() -> None:
    seen = mothers_diet("Mother: vegan until 2018, coeliac disease")
    assert seen.shows("PRE-01")
    assert mothers_diet("Vegan until 2018, vegetarian since").silent  # no reason on its own
    assert mothers_diet("vegan until 2018", level=150).doses  # the child is treated all the same


def test_a_diet_that_is_over_is_understood_wherever_it_is_written() -> None:
    mother = Relative("mother", diseases=("Vegan until 2015",))
    told = a_record(breast_feeding(), level=a_level(400))
    assert see(structs.replace(told, relatives=(mother,))).silent
    assert not see(structs.replace(told, relatives=(mother,))).evaluation.facts.unread
    problem = a_problem(None, text="Mother vegan until 2015")
    assert see(structs.replace(told, problems=(problem,))).silent
    assert not mothers_diet("Vegan until 2018").evaluation.facts.unread
