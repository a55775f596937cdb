"""What readers of the decision tables found, each as it must be."""

from decimal import Decimal

import pytest
from builders import (
    B12_DEFICIENCY,
    COBALAMIN_C,
    CROHN,
    CYANOCOBALAMIN,
    FAILURE_TO_THRIVE,
    HEMOPHILIA,
    HYDROXOCOBALAMIN,
    ICD10CM,
    KIT,
    LEBER,
    MUSCLE,
    PRETERM,
    SEIZURE,
    VEIN,
    VIAL,
    a_dosage,
    a_dose_given,
    a_draft,
    a_lab,
    a_level,
    a_problem,
    a_record,
    an_allergy,
    an_injection,
    an_operation,
    an_order,
    day,
    injections_ordered,
    levels_drafted,
    months_old,
    on_treatment,
    quantity,
    see,
    see_orders,
)
from msgspec import structs

from cds_service.clinical import Code
from cds_service.guidelines.engine import Recommend
from cds_service.language import plain_case

OLD = months_old(20)


def test_contradiction_needs_a_level_later_than_the_diagnosis():
    seen = see(
        a_record(level=a_level(400, ago=200), birth=OLD, problems=[a_problem(B12_DEFICIENCY, 5)])
    )
    assert seen.doses.get("DOSE-A")


def test_an_alarm_about_running_treatment_stands_beside_no_continue():
    for but in ({"problems": [LEBER]}, {"allergies": (an_allergy(),)}):
        assert not see(on_treatment(40, (350, 30), **but)).says("Continue treatment as ordered")


@pytest.mark.parametrize("but", [{"allergies": (an_allergy(),)}, {"problems": [LEBER]}])
def test_doses_given_without_an_order_are_running_treatment(but):
    given = [a_dose_given(CYANOCOBALAMIN, ago=ago) for ago in (40, 30)]
    assert (
        see(
            a_record(a_level(350, ago=2), level=a_level(ago=45), medications=given, **but)
        ).indicator
        == "critical"
    )


def test_an_inborn_error_does_not_hide_an_allergy_under_treatment():
    assert see(
        a_record(problems=[COBALAMIN_C], medications=[an_order()], allergies=(an_allergy(),))
    ).shows("SAF-05")


def test_missing_needs_do_not_hide_what_is_known_to_be_dangerous():
    assert see(
        a_record(missing={"conditions": "x"}, medications=[an_order()], allergies=(an_allergy(),))
    ).shows("SAF-05")
    assert see(
        a_record(missing={"b12": "x"}, measured=(), medications=[an_order()], problems=[LEBER])
    ).shows("SAF-01")


def test_on_hold_is_not_told_to_continue():
    held = a_record(
        a_level(350, ago=10),
        level=a_level(150, ago=43),
        medications=[an_order(ago=40, status="on-hold")],
    )
    assert not see(held).says("Continue treatment as ordered")


def test_a_stale_result_that_is_used_is_not_called_unused():
    assert not see(a_record(a_level(150, ago=200), birth=OLD)).says(
        "not used: 150 pg/mL on"
    )  # "untreated for 200 days" rests on it


@pytest.mark.parametrize("count", [50, 100])
def test_a_count_below_something_is_no_count_that_allows_the_muscle(count):
    seen = see(a_record(a_lab("platelets", count, comparator="<"), problems=[CROHN]))
    assert seen.drugs[0].route.code == "34206005" or seen.says("Platelet count")


@pytest.mark.parametrize(("count", "under_the_skin"), [(49, True), (50, False), (51, False)])
def test_a_preliminary_count_forbids_the_muscle_and_never_allows_it(count, under_the_skin):
    early = a_lab("platelets", count, status="preliminary")
    seen = see(a_record(early, problems=[CROHN]))
    assert (seen.drugs[0].route.code == "34206005") is under_the_skin
    if under_the_skin:
        assert seen.says(f"platelets {count} ×10⁹/L on")
    else:
        assert seen.says("only a preliminary one")
    # a newer final count lifts it, an older one does not
    for ago, lifts in ((2, True), (6, False)):
        counts = early, a_lab("platelets", 200, ago=ago)
        under = see(a_record(*counts, problems=[CROHN])).drugs[0].route.code == "34206005"
        assert under is (under_the_skin and not lifts)


@pytest.mark.parametrize("status", ["preliminary", "unknown", "partial"])
def test_a_value_that_is_not_final_is_named_and_never_denied(status):
    seen = see(a_record(a_lab("hemoglobin", "6.5", status=status)))
    assert seen.says("haemoglobin 6.5 g/dL (not a final result, or its status is not known)")
    assert not seen.says("no neurological sign recorded")
    low = a_lab("potassium", "2.3", status=status)
    watched = see(a_record(a_lab("hemoglobin", 6), low))
    assert watched.says("potassium 2.3 mmol/L")
    assert not watched.says("(last: not available)")
    unread = see(a_record(a_lab("platelets", 20, status=status), problems=[CROHN]))
    assert not unread.says("Platelet count: none in the last 7 days")


@pytest.mark.parametrize(
    ("name", "value", "asks"),
    [
        ("homocysteine", 120, True),
        ("homocysteine", "9.9", False),
        ("hemoglobin", "6.5", True),
        ("hemoglobin", 12, False),
    ],
)
def test_an_alarming_preliminary_value_is_not_met_with_silence(name, value, asks):
    seen = see(a_record(measured=(a_lab(name, value, status="preliminary"),)))
    assert seen.shows("IN-05") is asks
    assert seen.evaluation.unread
    final = a_lab(name, value, ago=2, status="preliminary"), a_lab(name, 12, ago=1)
    assert not see(a_record(measured=final)).shows("IN-05")


def test_planned_nitrous_oxide_is_on_a_card_of_every_answer_that_has_one():
    gas = an_operation(Code("urn:site", "1", "Nitrous oxide sedation"), status="preparation")
    homocysteine = a_lab("homocysteine", 120)
    for record in (
        a_record(measured=(), problems=[FAILURE_TO_THRIVE], procedures=(gas,)),
        a_record(measured=(), problems=[SEIZURE], procedures=(gas,)),
        a_record(homocysteine, level=a_level(450), procedures=(gas,)),
        a_record(problems=[COBALAMIN_C], procedures=(gas,)),
        a_record(level=a_level(450), problems=[SEIZURE], procedures=(gas,)),
        a_record(level=a_level(250), procedures=(gas,)),
        on_treatment(10, (350, 8), procedures=(gas,)),
    ):
        seen = see(record)
        warned = [one for one in seen.cards if "Nitrous oxide planned" in one.detail]
        assert len(warned) == 1
    assert see(a_record(level=a_level(450), procedures=(gas,))).silent


def test_several_low_lines_are_called_so():
    lines = (
        a_lab("hemoglobin", 9),
        a_lab("platelets", 60),
        a_lab("leukocytes", 2, interpretation="low"),
    )
    assert (
        see(a_record(*lines))
        .cards[0]
        .summary.startswith("B12 150 pg/mL, severe (3 low blood cell lines)")
    )
    assert see(a_record(*lines)).says("platelets 60")


def test_a_metabolite_of_another_day_than_the_level_has_its_own_date():
    level = a_level(250, ago=5)
    same = see(a_record(a_lab("methylmalonate", 3, ago=5), level=level))
    assert same.says("methylmalonic acid 3 µmol/L high")
    other = see(a_record(a_lab("methylmalonate", 3, ago=4), level=level))
    assert other.says("methylmalonic acid 3 µmol/L on 11 Mar 2026 high")


def test_potassium_has_its_date():
    seen = see(a_record(a_lab("hemoglobin", 6), a_lab("potassium", "2.3", ago=20)))
    assert seen.says("Potassium 2.3 mmol/L on 23 Feb 2026 is low")


@pytest.mark.parametrize(("value", "spoken"), [("9.9", False), (11, True)])
def test_homocysteine_alone_is_excused_only_where_nothing_else_alarms(value, spoken):
    text = "Homocysteine alone is unspecific"
    assert see(a_record(a_lab("homocysteine", value), level=a_level(250))).says(text) is spoken
    both = a_lab("homocysteine", 60), a_lab("methylmalonate", 9)
    assert not see(a_record(*both, level=a_level(250))).says(text)
    assert not see(a_record(a_lab("homocysteine", 120), level=a_level(250))).says(text)
    # "the range may be an adult's" needs a range
    assert not see(a_record(a_lab("homocysteine", 11), level=a_level(250))).says("an adult's")


def test_a_newer_count_that_tells_nothing_does_not_lift_a_low_one():
    counts = a_lab("platelets", 40, ago=6), a_lab("platelets", 10, ago=2, comparator=">")
    assert see(a_record(*counts, problems=[CROHN])).drugs[0].route.code == "34206005"


def test_below_the_limit_is_below_the_limit():
    assert "SEV-02" in see(a_record(a_lab("hemoglobin", 7, comparator="<"))).rules
    assert "SAF-06" in see(a_record(a_lab("potassium", "3.5", comparator="<"))).rules


def test_a_flagged_high_mcv_above_a_bound_is_macrocytosis():
    assert "SEV-05" in see(a_record(a_lab("mcv", 130, comparator=">", interpretation="high"))).rules


def test_names_that_keep_their_capital():
    assert [plain_case(x) for x in ("IgA deficiency", "Biermer disease")] == [
        "IgA deficiency",
        "Biermer disease",
    ]


def test_a_summary_begins_with_a_capital():
    assert see(a_record(problems=[COBALAMIN_C])).cards[0].summary[0] == "C"


def test_every_card_has_a_uuid_of_its_own():
    cards = see(a_record(medications=[an_order(ago=None, status="on-hold")])).cards
    assert len({card.uuid for card in cards}) == len(cards)


def test_the_stopped_order_is_the_cyanocobalamin():
    seen = see(a_record(problems=[LEBER], medications=[an_order(ago=3), injections_ordered(ago=3)]))
    assert "hydroxocobalamin 1 MG" not in seen.cards[0].summary


def test_a_newborn_with_a_borderline_level_and_signs_is_sent_to_a_specialist():
    seen = see(a_record(level=a_level(250, ago=2), birth=day(20), problems=[a_problem(SEIZURE, 2)]))
    assert seen.says("specialist") or seen.says("preservative-free")


def test_a_specialist_and_a_running_danger_do_not_both_lead():
    running = a_record(problems=[COBALAMIN_C, LEBER], medications=[an_order()])
    seen = see(running)
    assert seen.shows("RTE-01")
    assert seen.shows("SAF-01")
    assert [one.rule for one in seen.outcomes if isinstance(one, Recommend) and one.main] == [
        "RTE-01"
    ]
    blind = see(
        a_record(problems=[COBALAMIN_C, LEBER], medications=[an_order()], missing={"b12": ""})
    )
    assert sum(one.main for one in blind.outcomes if isinstance(one, Recommend)) <= 1


def test_an_antidote_in_force_preselects_nothing():
    kit, over = (an_order(KIT, ago=1, status=one, route=VEIN) for one in ("active", "stopped"))
    for record, offered in (
        (a_record(medications=[kit]), {"DOSE-A": False}),
        (a_record(medications=[kit], problems=[SEIZURE]), {"DOSE-D": False}),
        (a_record(medications=[over]), {"DOSE-A": True}),
    ):
        seen = see(record)
        assert seen.doses == offered
        assert seen.says("nothing is preselected here") is not any(offered.values())


def test_a_code_without_a_name_is_shown_by_that_of_its_list():
    for code, name in (("R62.51", "failure to thrive"), ("G40.909", "epilepsy")):
        seen = see(a_record(problems=[Code(ICD10CM, code)]))
        assert seen.says(name)
        assert not seen.says(code)


def test_a_card_asks_for_no_metabolite_that_is_known():
    normal = a_lab("methylmalonate", "0.2", ago=3)
    seen = see(a_record(normal, level=a_level(480), problems=[SEIZURE]))
    assert seen.cards[0].summary.endswith("seizure: measure homocysteine")
    assert seen.says("Order homocysteine. Ask whether")
    assert [name for name, _ in seen.tests] == ["Homocysteine"]
    both = see(a_record(level=a_level(480), problems=[SEIZURE]))
    assert both.says("measure methylmalonic acid and homocysteine")


def test_one_result_disagrees_with_nothing():
    disagree = "The results disagree"
    flagged = structs.replace(a_level(250), value=None, interpretation="low")
    seen = see(a_record(level=flagged))
    assert not seen.says(disagree)
    assert seen.says("This result alone does not settle it")
    assert not see(a_record(level=a_level(250))).says(disagree)
    assert see(a_record(a_level(150, ago=12), level=a_level(320, ago=2))).says(disagree)


def test_a_range_that_may_be_an_adults_is_named_where_it_makes_a_deficiency():
    adults, upper = "range may be an adult's", quantity("0.4", "umol/L")

    def raised(value, problems, months=6):
        lab = structs.replace(a_lab("methylmalonate", value), reference_high=upper)
        born = months_old(months)
        return see(a_record(lab, level=a_level(250), problems=problems, birth=born))

    thriving_badly = raised("0.8", [FAILURE_TO_THRIVE])
    assert thriving_badly.doses["DOSE-A"]
    assert thriving_badly.says(adults)
    assert raised("1.25", [FAILURE_TO_THRIVE]).says(adults)
    assert not raised("1.26", [FAILURE_TO_THRIVE]).says(adults)
    assert raised("0.8", []).says(adults)
    assert not raised("0.8", [FAILURE_TO_THRIVE], months=13).says(adults)


@pytest.mark.parametrize(("code", "muscle_only"), [(HYDROXOCOBALAMIN, True), (VIAL, False)])
def test_a_vein_is_refused_by_the_label_of_what_is_ordered(code, muscle_only):
    line = a_dosage(1000, route=VEIN)
    seen = see_orders(a_record(), an_injection(line, code=code))
    assert seen.shows("ORD-11.vein")
    assert seen.says("hydroxocobalamin allows the muscle alone") is muscle_only
    assert seen.says("cyanocobalamin allows the muscle and deep under the skin") is not muscle_only
    bleeds = see_orders(a_record(problems=[HEMOPHILIA]), an_injection(line, code=code))
    assert bleeds.says("deep under the skin is for a child who may bleed") is muscle_only


SHORT_BOWEL = Code(ICD10CM, "K90.821", "")
KIDNEYS = Code(ICD10CM, "N18.5", "Chronic kidney disease, stage 5")


def test_supplementation_in_lasting_malabsorption_is_for_life():
    for days, lasting in ((122, False), (123, True)):
        child = on_treatment(days, (600, 100), problems=[SHORT_BOWEL], route="parenteral")
        assert see(child).shows("FU-12.lasting") is lasting
    seen = see(child)
    assert seen.says("short bowel syndrome, continue for life")
    assert not seen.says("while the cause is open")
    crohn = see(on_treatment(123, (600, 100), problems=[CROHN], route="parenteral"))
    assert crohn.says("while the cause is open")
    raised = a_lab("methylmalonate", 6, ago=1)
    failing = on_treatment(
        123, (600, 100), problems=[SHORT_BOWEL], measurements=[raised], route="parenteral"
    )
    assert see(failing).shows("FU-02.metabolites")


@pytest.mark.parametrize("problem", [PRETERM, Code(ICD10CM, "P07.33", ""), "Born preterm"])
def test_the_age_of_a_child_born_preterm_is_said_to_be_uncorrected(problem):
    preterm = a_problem(None, text=problem) if isinstance(problem, str) else problem
    assert see(a_record(problems=[preterm])).says("Age is calendar age, not corrected")
    assert not see(a_record()).says("Age is calendar age")


def test_cyanocobalamin_that_is_ordered_in_renal_impairment_is_named_once():
    text = "long-term cyanocobalamin injections may carry aluminium and cyanide"
    oral, vial = a_draft(), an_injection(code=VIAL)
    for draft in (oral, vial):
        seen = see_orders(a_record(problems=[KIDNEYS]), draft)
        assert sum(text in one.detail for one in seen.cards) == 1
        assert not see_orders(a_record(), draft).says(text)
    assert not see_orders(a_record(problems=[KIDNEYS]), an_injection()).says(text)
    complete = see_orders(a_record(problems=[KIDNEYS]), oral, *levels_drafted())
    assert complete.silent or complete.says(text)


@pytest.mark.parametrize(
    ("code", "weeks"), [("P07.33", 30), ("P0733", 30), ("P07.22", 23), ("P07.39", 36)]
)
def test_the_weeks_of_a_code_end_the_advice_for_preterm_children(code, weeks):
    """44 weeks after conception, the day before, on it and after."""
    last = (44 - weeks) * 7
    problem = Code(ICD10CM, code, "")
    for age, careful in ((last - 1, True), (last, False), (last + 1, False)):
        seen = see_orders(a_record(problems=[problem], birth=day(age)), an_injection())
        assert seen.shows("ORD-12") is careful


def test_weeks_that_were_observed_go_before_those_of_a_code():
    observed = a_lab("gestational_age", 26)
    problem = Code(ICD10CM, "P07.33", "")
    child = a_record(observed, problems=[problem], birth=day((44 - 30) * 7))
    assert see_orders(child, an_injection()).shows("ORD-12")


def _steps(*rhythms):
    """Lines of 1000 micrograms into the muscle, one after the other: (times, days, for so long)."""
    for place, (times, days, lasting) in enumerate(rhythms, 1):
        line = a_dosage(times=times, days=days, route=MUSCLE, sequence=place)
        yield structs.replace(line, days=None if lasting is None else Decimal(lasting))


@pytest.mark.parametrize(
    ("rhythms", "shown"),
    [
        (((1, 7, 35), (1, 60, None)), "weekly for 5 weeks, then every 2 months, intramuscularly"),
        (
            ((1, 7, 84), (2, 7, 14), (1, 1, 7)),
            "weekly for 12 weeks, then twice weekly for 2 weeks, then daily for 7 days",
        ),
        (((1, 1, 7), (1, 2, 14), (1, 7, 84)), "daily for 7 days, then less often in 2 steps"),
        (((5, 29, None),), "1000 micrograms a dose, 5 doses in 29 days"),
        (((1, 7, None),), "1000 micrograms weekly"),
    ],
)
def test_an_order_is_shown_step_by_step_and_not_by_its_average(rhythms, shown):
    seen = see_orders(a_record(), an_injection(*_steps(*rhythms)))
    assert seen.says(shown)
    assert not seen.says("on average")


def test_two_drafts_of_one_product_are_told_apart_by_what_they_give():
    right, gram = a_draft(name="right"), a_draft(a_dosage(1000, "mg"), name="gram")
    seen = see_orders(a_record(), right, gram)
    assert seen.says("ordered by the same route (1000 micrograms daily)")
    labels = {one.label for one in seen.offers if one.label.startswith("Remove")}
    assert any(one.endswith("(1000 mg daily)") for one in labels)
