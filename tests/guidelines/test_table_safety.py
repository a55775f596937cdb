"""Table SAF: what makes an order unsafe, and what the card says then."""

from __future__ import annotations

from typing import Any

import pytest
from builders import (
    B12_DEFICIENCY,
    COBALAMIN_C,
    CROHN,
    CYANOCOBALAMIN,
    ENOXAPARIN,
    FAILURE_TO_THRIVE,
    FOLIC_ACID,
    HEMOPHILIA,
    ICD10CM,
    KIDNEY_DISEASE,
    LEBER,
    MACROCYTIC,
    MULTIVITAMIN,
    MUSCLE,
    OPTIC_ATROPHY,
    PRETERM,
    RXNORM,
    SEIZURE,
    SEVERE,
    SNOMED,
    THROMBOCYTOPENIA,
    G,
    a_dose_given,
    a_lab,
    a_level,
    a_problem,
    a_record,
    a_weight,
    an_allergy,
    an_injection,
    an_order,
    breast_feeding,
    day,
    days_ago,
    injections_ordered,
    months_old,
    on_treatment,
    see,
    see_orders,
)
from each import each
from msgspec import structs

from cds_service.clinical import PROHIBITED, Code, Measurement, Record
from cds_service.guidelines.codelists import OWN
from cds_service.guidelines.engine import Recommend

CYANOCOBALAMIN_CODES = {"11248", "309594", "1423423"}
GAP = int(G.limits.episode_gap.value)
OLD = months_old(20)


@pytest.mark.parametrize("code", [LEBER, OPTIC_ATROPHY], ids=lambda code: code.display)
@pytest.mark.parametrize(
    ("record", "dose"),
    [
        ({}, "DOSE-E"),
        ({"problems": [FAILURE_TO_THRIVE]}, "DOSE-E"),
        ({"problems": [SEIZURE]}, "DOSE-D"),
        ({"level": a_level(80)}, "DOSE-E"),
    ],
    ids=["mild", "moderate", "signs", "severe"],
)
def test_with_leber_there_is_hydroxocobalamin_and_nothing_else(
    code: Code, record: dict[str, list[Code]], dose: str
) -> None:
    but = {**record, "problems": [*record.get("problems", []), code]}
    seen = see(a_record(a_weight(), **but))  # type: ignore[arg-type]
    assert "SAF-01" in seen.rules
    assert seen.doses == {dose: True}
    (drug,) = seen.drugs
    assert not {one.code for one in drug.codes} & CYANOCOBALAMIN_CODES
    assert "317106" in {one.code for one in drug.codes}
    assert seen.says("no cyanocobalamin")
    assert seen.indicator in ("warning", "critical")


def test_the_family_is_asked_about_leber_before_cyanocobalamin() -> None:
    assert see(a_record()).says("Leber's optic neuropathy in the family?")
    assert not see(a_record(problems=[CROHN])).says("ask about Leber")


def test_an_inborn_error_gets_no_cyanocobalamin_and_nothing_by_mouth() -> None:
    seen = see(a_record(a_weight(), problems=[COBALAMIN_C]))
    assert {"SAF-02", "RTE-01"} <= seen.rules
    assert not seen.drugs


@pytest.mark.parametrize(
    "but",
    [
        {"problems": [CROHN, HEMOPHILIA]},
        {"problems": [CROHN, THROMBOCYTOPENIA]},
        {"problems": [CROHN], "labs": [("platelets", 49, 3)]},
        {"problems": [CROHN], "labs": [("platelets", 49, 29)]},
        {"problems": [CROHN, THROMBOCYTOPENIA], "labs": [("platelets", 90, 8)]},
    ],
    ids=["haemophilia", "uncounted", "low", "low a month ago", "count too old"],
)
def test_when_bleeding_is_likely_the_injection_goes_under_the_skin(but: dict[str, list]) -> None:  # type: ignore[type-arg]
    labs = [a_lab(name, value, ago=ago) for name, value, ago in but.pop("labs", [])]
    seen = see(a_record(*labs, problems=but["problems"]))
    assert "SAF-03" in seen.rules
    (drug,) = seen.drugs
    assert drug.route.code == "34206005"
    assert seen.says("No intramuscular injection")
    assert seen.says("deep subcutaneous")


def test_a_newer_count_lifts_a_low_one() -> None:
    counts = (a_lab("platelets", 49, ago=20), a_lab("platelets", 180, ago=2))
    seen = see(a_record(*counts, problems=[CROHN]))
    assert "SAF-03" not in seen.rules
    assert seen.drugs[0].route.code == "78421000"


def test_an_unknown_count_is_asked_for_before_a_muscle_is_used() -> None:
    assert see(a_record(problems=[CROHN])).says("Platelet count: none in the last 7 days")
    counted = see(a_record(a_lab("platelets", 180, ago=2), problems=[CROHN]))
    assert not counted.says("check platelets")


@each("problems, line", [([CROHN], "Before"), ([FAILURE_TO_THRIVE], "Caution")])
def test_the_count_is_among_the_first_things_only_where_the_injection_is_recommended(
    problems: list[Code], line: str
) -> None:
    seen = see(a_record(breast_feeding(), problems=problems))
    (told,) = [
        one
        for card in seen.cards
        for one in card.detail.splitlines()
        if "Platelet count: none in the last 7 days" in one
    ]
    assert told.startswith(f"- **{line}**")


@pytest.mark.parametrize("comparator", [">", ">="])
def test_a_count_without_an_upper_end_counts_as_not_available(comparator: str) -> None:
    above = a_lab("platelets", 180, ago=2, comparator=comparator)
    assert see(a_record(above, problems=[CROHN])).says("Platelet count: none in the last 7 days")
    assert "SAF-03" in see(a_record(above, problems=[CROHN, THROMBOCYTOPENIA])).rules


def test_nothing_is_said_of_muscles_when_nothing_is_injected() -> None:
    seen = see(a_record(problems=[HEMOPHILIA]))
    assert seen.doses == {"DOSE-A": True}
    assert not seen.says("No intramuscular injection")


def test_a_preterm_infant_gets_no_code_of_a_product_with_benzyl_alcohol() -> None:
    seen = see(a_record(a_lab("gestational_age", 30), birth=day(40), problems=[CROHN]))
    assert "SAF-04" in seen.rules
    (drug,) = seen.drugs
    assert drug.codes == G.file.products.hydroxocobalamin_injection.preservative_free
    assert {code.system for code in drug.codes} == {OWN}  # no terminology has such a product
    assert seen.in_words(drug.name) == "hydroxocobalamin, preservative-free"
    assert seen.says("Preservative-free product only")


def test_a_child_born_at_term_gets_the_product_with_its_code() -> None:
    seen = see(a_record(a_lab("gestational_age", 39), birth=day(40), problems=[CROHN]))
    assert "SAF-04" not in seen.rules
    assert [code.code for code in seen.drugs[0].codes] == ["317106"]


@pytest.mark.parametrize(
    "weeks",
    [
        (),
        (a_lab("gestational_age", 30, status="preliminary"),),
        (a_lab("gestational_age", 30, about="mother"),),
    ],
    ids=["unknown", "preliminary", "of someone else"],
)
def test_a_child_is_not_taken_for_preterm_without_a_word_that_stands(
    weeks: tuple[Measurement, ...],
) -> None:
    assert "SAF-04" not in see(a_record(*weeks, birth=day(40), problems=[CROHN])).rules


def test_recorded_weeks_go_before_the_word_preterm() -> None:
    record = a_record(a_lab("gestational_age", 36), birth=day(70), problems=[CROHN, PRETERM])
    assert "SAF-04" not in see(record).rules


@each(
    "but",
    [
        {"allergies": (an_allergy(),)},
        {"allergies": (an_allergy(Code(SNOMED, "409258004", "Hydroxocobalamin")),)},
        {"allergies": (an_allergy(certainty="unconfirmed"),)},
        {"allergies": (an_allergy(clinical_status=""),)},
        {"problems": [Code(SNOMED, "293395005", "Adverse reaction to vitamin B12 preparation")]},
    ],
    ids=str,
)
@each("level", [a_level(150), a_level(80), a_level(250)], ids=["mild", "severe", "borderline"])
@each("signs", [[], [SEIZURE]], ids=["", "signs"])
def test_with_a_reaction_to_cobalamin_there_is_no_medication(
    but: dict[str, object], level: object, signs: list[Code]
) -> None:
    problems = [*but.get("problems", []), *signs]  # type: ignore[misc]
    seen = see(a_record(a_weight(), **{**but, "level": level, "problems": problems}))  # type: ignore[arg-type]
    assert not seen.drugs
    assert seen.indicator == "critical"
    assert seen.says("no medication is suggested")
    assert seen.tests
    assert not seen.says("Give cyanocobalamin")
    assert not seen.says("Give hydroxocobalamin")
    treats = bool(signs) or seen.evaluation.assessment.status.deficient  # type: ignore[union-attr]
    assert seen.shows("SAF-05.new") is treats


@pytest.mark.parametrize(
    "but",
    [
        {"allergies": (an_allergy(),)},
        {"problems": [Code(SNOMED, "293395005", "Adverse reaction to vitamin B12 preparation")]},
    ],
    ids=["allergy", "reaction"],
)
@pytest.mark.parametrize(
    "levels", [[], [(350, 30)], [(150, 30)]], ids=["unmeasured", "response", "none"]
)
@pytest.mark.parametrize("route", ["oral", "parenteral"])
def test_a_running_treatment_is_reviewed_when_a_reaction_is_recorded(
    but: dict[str, object], levels: list[tuple[int, int]], route: str
) -> None:
    seen = see(on_treatment(40, *levels, route=route, **but))
    shown = seen.outcome("SAF-05")
    assert shown.indicator == "critical"
    assert seen.cards[0].summary.startswith("Recorded reaction to cobalamin (")
    assert not seen.drugs


def test_a_reaction_without_treatment_or_a_treatment_without_a_reaction_is_no_alarm() -> None:
    refuted = an_allergy(certainty="refuted")
    ended = an_order(ago=200, status="completed")
    for record in (
        on_treatment(40, (350, 30)),
        on_treatment(40, (350, 30), allergies=(refuted,)),
        a_record(level=a_level(400), allergies=(an_allergy(),)),
        a_record(level=a_level(400), medications=[ended], allergies=(an_allergy(),)),
        on_treatment(40, (350, 30), allergies=(an_allergy(FOLIC_ACID),)),
    ):
        assert "SAF-05" not in see(record).rules


@pytest.mark.parametrize(
    "product",
    [
        Code(RXNORM, "11248", "vitamin B12"),
        Code(RXNORM, "309594", "vitamin B12 1 MG/ML Injectable Solution"),
        Code(RXNORM, "1423423", "vitamin B12 1 MG/ML Oral Solution"),
        Code("http://www.whocc.no/atc", "B03BA01", "cyanocobalamin"),
        Code(SNOMED, "419382002", "Cyanocobalamin"),
    ],
    ids=lambda code: code.code,
)
@pytest.mark.parametrize("status", ["active", "on-hold"])
@pytest.mark.parametrize(
    ("code", "name"),
    [(LEBER, "Leber's optic atrophy"), (OPTIC_ATROPHY, "possible hereditary optic atrophy")],
    ids=["known", "possible"],
)
def test_running_cyanocobalamin_is_to_be_stopped_with_leber(
    product: Code, status: str, code: Code, name: str
) -> None:
    order = an_order(product, ago=3, status=status)
    for level in (a_level(150), a_level(400)):
        seen = see(a_record(level=level, problems=[code], medications=[order]))
        held = status == "on-hold"
        assert seen.indicator == "critical"
        if level == a_level(400):
            assert seen.shows("SAF-01")
            assert seen.cards[0].summary.lower().startswith(f"{name}: stop cyanocobalamin".lower())
            assert seen.says("change to hydroxocobalamin")
        if level == a_level(150):
            assert seen.shows("SAF-01.change")
            (drug,) = seen.drugs
            assert drug.substance == "hydroxocobalamin"
            assert seen.doses == {"DOSE-E": True}
            assert not seen.shows("DUP-01.hold.other")
        else:
            assert not seen.drugs
        assert [one.source for one in seen.stopped] == (
            [order.source] if seen.drugs or held else []
        )


@pytest.mark.parametrize(("level", "changed"), [(199, True), (200, False), (201, False)])
@pytest.mark.parametrize(("problems", "dose"), [((), "DOSE-E"), ((SEIZURE,), "DOSE-D")])
def test_cyanocobalamin_gives_way_to_hydroxocobalamin_with_leber_where_the_child_is_deficient(
    level: int, changed: bool, problems: tuple[Code, ...], dose: str
) -> None:
    order = an_order(CYANOCOBALAMIN, ago=3, route=MUSCLE)
    seen = see(a_record(level=a_level(level), problems=[LEBER, *problems], medications=[order]))
    assert seen.shows("SAF-01.change") is changed
    assert seen.doses == ({dose: True} if changed else {})
    assert [one.source for one in seen.stopped] == ([order.source] if changed else [])


def test_the_change_to_hydroxocobalamin_is_not_selected_where_leber_is_told_in_words_alone() -> (
    None
):
    said = a_problem(None, text="LHON")
    seen = see(a_record(level=a_level(150), problems=[said], medications=[an_order(ago=3)]))
    assert seen.doses == {"DOSE-E": False}


def test_with_leber_hydroxocobalamin_that_is_ordered_stays_and_only_the_other_order_ends() -> None:
    wrong, right = an_order(ago=3), injections_ordered(ago=3)
    seen = see(a_record(level=a_level(150), problems=[LEBER], medications=[wrong, right]))
    assert not seen.drugs
    assert {one.source for one in seen.stopped} == {wrong.source}
    held = structs.replace(right, status="on-hold")
    seen = see(a_record(level=a_level(150), problems=[LEBER], medications=[wrong, held]))
    assert [one.substance for one in seen.drugs] == ["hydroxocobalamin"]
    assert {one.source for one in seen.stopped} == {wrong.source, held.source}


@pytest.mark.parametrize(
    "but",
    [
        {"allergies": (an_allergy(),)},
        {"birth": day(20)},
        {"missing": {"conditions": "x"}},
        {"problems": [LEBER, COBALAMIN_C]},
    ],
    ids=["allergy", "under one month", "problems unknown", "inborn error"],
)
def test_the_change_to_hydroxocobalamin_is_left_to_a_specialist(but: dict[str, Any]) -> None:
    running = an_order(ago=3)
    child = {"level": a_level(150), "problems": [LEBER], "medications": [running], **but}
    seen = see(a_record(**child))
    assert not seen.drugs
    assert not seen.stopped


def test_running_hydroxocobalamin_is_right_with_leber() -> None:
    seen = see(on_treatment(40, (350, 30), route="parenteral", problems=[LEBER]))
    assert "SAF-01" not in seen.rules
    assert seen.shows("FU-02")


def test_cyanocobalamin_that_has_ended_or_harms_nobody_is_no_alarm() -> None:
    ended = an_order(ago=3, status="stopped")
    assert not see(a_record(problems=[LEBER], medications=[ended])).shows("SAF-01")
    assert "SAF-01" not in see(on_treatment(40, (350, 30))).rules


def test_an_alarm_about_running_treatment_leads_alone() -> None:
    both = {"problems": [LEBER, a_problem(SEIZURE, 5)], "allergies": (an_allergy(),)}
    seen = see(on_treatment(40, (350, 30), **both))
    assert seen.shows("SAF-01")
    assert seen.shows("SAF-05")
    leading = [one for one in seen.outcomes if isinstance(one, Recommend) and one.main]
    assert len(leading) == 1
    assert leading[0].indicator == "critical"
    assert len({card.uuid for card in seen.cards}) == len(seen.cards)


def test_an_allergy_that_was_refuted_or_is_over_withholds_nothing() -> None:
    for told in ({"certainty": "refuted"}, {"certainty": "entered-in-error"},
                 {"clinical_status": "resolved"}, {"clinical_status": "inactive"}):  # fmt: skip
        seen = see(a_record(allergies=(an_allergy(**told),)))
        assert "SAF-05" not in seen.rules
        assert seen.doses["DOSE-A"]


def test_a_reaction_to_some_vitamin_withholds_nothing_and_is_named() -> None:
    vitamins = Code(ICD10CM, "T45.2X5A", "Adverse effect of vitamins")
    seen = see(a_record(problems=[vitamins]))
    assert seen.doses["DOSE-A"]
    assert seen.says("Adverse effect of vitamins (code not listed or not verified)")


def test_an_allergy_to_something_else_withholds_nothing() -> None:
    seen = see(a_record(allergies=(an_allergy(FOLIC_ACID),)))
    assert seen.doses["DOSE-A"]


def test_unknown_allergies_are_asked_for() -> None:
    assert see(a_record(missing={"allergies": "no"})).says("A reaction to cobalamin?")


@pytest.mark.parametrize(
    ("record", "low"),
    [
        (a_record(a_lab("hemoglobin", 6)), False),
        (a_record(problems=[a_problem(MACROCYTIC, severity=(SEVERE,))]), False),
        (a_record(a_lab("potassium", "3.4")), True),
        (a_record(a_lab("potassium", "3.4", "meq/L")), True),
        (a_record(a_lab("potassium", "3.4"), problems=[SEIZURE]), True),
    ],
    ids=["anaemia", "megaloblastic", "low", "in meq/L", "low with signs"],
)
def test_where_potassium_may_fall_it_is_watched(record: Record, low: bool) -> None:
    seen = see(record)
    assert {"SAF-06", "MON-04"} <= seen.rules
    assert {("Potassium", 0), ("Potassium", 1), ("Potassium", 2)} <= set(seen.tests)
    assert seen.says("correct and recheck") is low
    assert seen.says("may fall dangerously") is not low


@pytest.mark.parametrize(
    ("potassium", "hemoglobin", "inpatient"),
    [
        ("2.4", 12, True), ("2.5", 12, False), ("2.6", 12, False), ("3.4", "6.9", True),
        ("3.4", "7.0", False),
    ],
)  # fmt: skip
def test_only_a_very_low_potassium_or_a_severe_anaemia_to_inject_starts_as_an_inpatient(
    potassium: str, hemoglobin: int | str, inpatient: bool
) -> None:
    seen = see(a_record(a_lab("potassium", potassium), a_lab("hemoglobin", hemoglobin)))
    assert ("SAF-06b" in seen.rules) is inpatient
    assert seen.says("start as an inpatient") is inpatient
    assert seen.says("correct and recheck") is not inpatient
    assert any(recommended for recommended in seen.doses.values())


def test_low_potassium_never_takes_b12_from_a_child_with_signs() -> None:
    seen = see(a_record(a_lab("potassium", "2.5"), problems=[SEIZURE]))
    assert seen.doses == {"DOSE-D": True}
    assert seen.says("Do not withhold B12")


@pytest.mark.parametrize("level", [a_level(150), a_level(250)], ids=["deficient", "borderline"])
def test_folic_acid_alone_is_warned_about(level: object) -> None:
    record = a_record(level=level, medications=[an_order(FOLIC_ACID)])  # type: ignore[arg-type]
    seen = see(record)
    assert "SAF-07" in seen.rules
    assert seen.indicator == "warning"
    assert seen.says("Folic acid alone is active")


def test_folic_acid_beside_b12_or_ended_is_not_warned_about() -> None:
    beside = [an_order(FOLIC_ACID), an_order()]
    ended = [an_order(FOLIC_ACID, status="completed")]
    for medications in (beside, ended, [an_order(MULTIVITAMIN)]):
        assert "SAF-07" not in see(a_record(medications=medications)).rules


def test_renal_impairment_is_told_what_the_label_says() -> None:
    seen = see(a_record(problems=[KIDNEY_DISEASE]))
    assert "SAF-08" in seen.rules
    assert seen.says("aluminium and cyanide")


def test_nitrous_oxide_is_mentioned_with_every_treatment() -> None:
    seen = see(a_record())
    assert "SAF-09" in seen.rules
    assert seen.says("No nitrous oxide")


def test_a_diagnosis_does_not_change_what_is_safe() -> None:
    seen = see(a_record(measured=(), problems=[B12_DEFICIENCY, LEBER]))
    assert seen.doses == {"DOSE-E": True}


def test_an_uncoded_order_that_names_b12_is_warned_about() -> None:
    named = an_order(Code("urn:site", "77", ""), text="Vitamin B12 drops")
    seen = see(a_record(medications=[named]))
    assert seen.doses == {"DOSE-A": False}
    assert seen.says("Vitamin B12 by its name only (Vitamin B12 drops)")
    other = see(a_record(medications=[an_order(Code("urn:site", "78"), text="Vitamin B complex")]))
    assert not other.says("by its name only")


@pytest.mark.parametrize(("count", "more"), [(5, 0), (6, 0), (7, 2), (200, 195)])
def test_of_many_orders_that_name_b12_six_sentences_tell_and_none_is_passed_over(
    count: int, more: int
) -> None:
    """Two hundred sentences on each of forty cards would be read by no one."""
    named = [
        an_order(Code("urn:site", "77", ""), text=f"Vitamin B12 drops {number}")
        for number in range(count)
    ]
    seen = see(a_record(medications=[*named, named[0]]))
    shown = range(count - more)
    assert all(seen.says(f"by its name only (Vitamin B12 drops {one})") for one in shown)
    assert seen.says(f"by its name only ({more} more)") is bool(more)
    assert not seen.says(f"by its name only (Vitamin B12 drops {count - more})")


def test_an_order_nobody_can_identify_is_unknown_not_absent() -> None:
    unknown = an_order(codes=(), text="")
    assert see(a_record(medications=[unknown])).says("1 active medication order could not be")


@pytest.mark.parametrize("status", ["completed", "in-progress", "on-hold", "stopped", ""])
def test_a_dose_given_that_nobody_can_identify_is_unknown_not_absent(status: str) -> None:
    seen = see(a_record(medications=[a_dose_given(codes=(), text="", status=status)] * 2))
    assert seen.doses["DOSE-A"]
    assert seen.says("2 doses already given could not be identified")
    assert not seen.says("active medication order")


def test_a_dose_without_a_day_that_nobody_can_identify_is_said_too() -> None:
    undated = a_dose_given(codes=(), text="", authored=None)
    assert see(a_record(medications=[undated])).says("1 dose already given")


def test_a_dose_given_that_names_b12_in_words_alone_is_warned_about() -> None:
    named = a_dose_given(codes=(), text="Vitamin B12 injection")
    seen = see(a_record(medications=[named]))
    assert seen.says("A dose already given looks like vitamin B12 by its name only (Vitamin B12 in")
    assert not seen.says("An active order looks like")
    for other in (
        a_dose_given(codes=(), text="Paracetamol"),
        a_dose_given(codes=(), text="Vitamin B12 injection", status="not-done"),
        a_dose_given(codes=(), text="Vitamin B12 injection", ago=GAP + 1),
    ):
        assert not see(a_record(medications=[other], birth=OLD)).says("by its name only")


@pytest.mark.parametrize(
    ("ago", "said"), [(-1, False), (0, True), (GAP, True), (GAP + 1, False)]
)  # fmt: skip
def test_an_unidentified_dose_is_said_as_long_as_it_would_be_treatment_now(
    ago: int, said: bool
) -> None:
    known = a_record(level=a_level(450), medications=[a_dose_given(ago=ago)], birth=OLD)
    unknown = a_record(medications=[a_dose_given(codes=(), text="", ago=ago)], birth=OLD)
    assert ("RTE-11" in see(known).rules) is said
    assert see(unknown).says("already given could not be") is said


@pytest.mark.parametrize("status", ["not-done", "entered-in-error", "unknown"])
def test_what_was_not_given_need_not_be_identified(status: str) -> None:
    seen = see(a_record(medications=[a_dose_given(codes=(), text="", status=status)]))
    assert not seen.says("could not be identified")


BLEEDING = (
    "Haemophilia A", "hemophilia", "Von Willebrand disease", "on warfarin", "anticoagulated",
    "Hämophilie", "Gerinnungsstörung", "Hémophilie B", "hemofilia", "emofilia", "stollingsstoornis",
    "blødersygdom", "małopłytkowość", "гемофилия", "血友病", "Seizures, haemophilia A",
)  # fmt: skip
NO_BLEEDING = (
    "No haemophilia",
    "family history of haemophilia",
    "haemophilia excluded",
    "Haemangioma",
)


@pytest.mark.parametrize("text", [*BLEEDING, *NO_BLEEDING])
def test_words_of_bleeding_hold_back_the_muscle(text: str) -> None:
    """As the code does; the change of an order is offered, not selected."""
    bleeds = text in BLEEDING
    record = a_record(level=a_level(80), problems=[a_problem(None, text=text)])
    seen = see(record)
    routes = G.file.routes
    assert seen.drugs
    assert {one.route for one in seen.drugs} == {
        routes.subcutaneous if bleeds else routes.intramuscular
    }
    assert seen.says("Nothing into the muscle until it is ruled out") is bleeds
    ordered = see_orders(record, an_injection())
    assert ordered.shows("ORD-11") is bleeds
    selected = [one.choice.recommended for one in ordered.offers if one.outcome.card == "ORD-11"]
    assert selected == ([False] if bleeds else [])


@pytest.mark.parametrize(
    ("name", "holds"),
    [("Heparin 5000 IU/mL", True), ("Enoxaparina 20 mg", True), ("Warfarin 1 mg tablet", True),
     ("Фраксипарин, эноксапарин", True), ("ヘパリン", True), ("Marcumar", True),
     ("Heparin gel 50 g", False), ("Heparin-Salbe", False), ("Paracetamol", False)],
)  # fmt: skip
def test_names_of_drugs_against_clotting_hold_back_the_muscle(name: str, holds: bool) -> None:
    drug = an_order(Code("urn:site", "7"), text=name)
    seen = see(a_record(level=a_level(80), medications=[drug]))
    assert seen.says("Nothing into the muscle until it is ruled out") is holds
    assert not seen.says("()")


@pytest.mark.parametrize(
    ("kind", "status", "ago", "holds"),
    [("order", "active", 200, True), ("order", "on-hold", 200, True), ("order", "draft", 1, True),
     ("order", "unknown", 200, True), ("order", "stopped", 7, True), ("order", "stopped", 8, False),
     ("order", "cancelled", 1, False), ("order", "entered-in-error", 1, False),
     ("order", PROHIBITED, 1, False), ("statement", "active", 200, True),
     ("statement", "not-taken", 1, False), ("administration", "completed", 7, True),
     ("administration", "completed", 8, False), ("administration", "not-done", 1, False),
     ("administration", "completed", -3, False)],
)  # fmt: skip
def test_a_drug_against_clotting_counts_while_it_may_act(
    kind: Any, status: str, ago: int, holds: bool
) -> None:
    drug = an_order(ENOXAPARIN, ago=ago, kind=kind, status=status)
    seen = see(a_record(level=a_level(80), medications=[drug]))
    assert seen.says("No intramuscular injection") is holds
    planned = an_order(ENOXAPARIN, intent="plan")
    assert not see(a_record(level=a_level(80), medications=[planned])).says("No intramuscular")


def test_an_order_that_ended_counts_from_its_end() -> None:
    for ended, holds in ((7, True), (8, False)):
        drug = an_order(ENOXAPARIN, ago=90, ended=days_ago(ended))
        seen = see(a_record(level=a_level(80), medications=[drug]))
        assert seen.says("No intramuscular injection") is holds


def test_a_code_of_bleeding_next_to_words_of_it_still_selects_the_change() -> None:
    record = a_record(problems=[HEMOPHILIA, a_problem(None, text="haemophilia")])
    seen = see_orders(record, an_injection())
    assert [o.choice.recommended for o in seen.offers if o.outcome.card == "ORD-11"] == [True]
