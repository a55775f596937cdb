"""Table DOSE: what exactly is ordered."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from builders import (
    CROHN,
    FAILURE_TO_THRIVE,
    LEBER,
    ON,
    SEIZURE,
    WORDS,
    G,
    a_level,
    a_record,
    a_weight,
    months_old,
    see,
    small_dose_first,
)
from msgspec import structs

from cds_service.clinical import Code, Phase, PlannedDrug, Record
from cds_service.guidelines.b12_under_two import Guideline
from cds_service.guidelines.b12_under_two.age import add_months
from cds_service.guidelines.b12_under_two.prescribing import age_based_amount

INFANT_DOSE = G.file.doses.infant_daily


def drug_of(dose: str, record: Record, g: Guideline = G) -> PlannedDrug:
    (found,) = [o.drug for o in see(record, g=g).offers if o.choice.rule == dose and o.drug]
    return found


def timing(phase: Phase) -> tuple[int, int, str, int, str, int]:
    return (phase.frequency, phase.period, phase.period_unit, phase.duration, phase.duration_unit,
            phase.count)  # fmt: skip


def test_dose_a_is_the_regimen_of_thirty_doses_in_four_phases() -> None:
    drug = drug_of("DOSE-A", a_record())
    assert drug.amount == 1000
    assert drug.route.code == "26643006"
    assert drug.priority == "routine"
    assert [timing(phase) for phase in drug.phases] == [
        (1, 1, "d", 7, "d", 7),
        (1, 2, "d", 14, "d", 7),
        (2, 1, "wk", 14, "d", 4),
        (1, 1, "wk", 84, "d", 12),
    ]
    assert sum(phase.count for phase in drug.phases) == 30
    assert [code.code for code in drug.codes] == ["1423423", "11248"]


def test_dose_b_is_worked_out_from_the_weight() -> None:
    drug = drug_of("DOSE-B", a_record(a_weight(6)), g=small_dose_first())
    assert drug.amount == Decimal("1.8")
    assert [timing(phase) for phase in drug.phases] == [(1, 1, "d", 28, "d", 28)]
    text = WORDS.language.text(drug.phases[0].text)
    assert "0.3 micrograms/kg/day × 6 kg" in text
    assert "14 Mar 2026" in text


@pytest.mark.parametrize(
    ("kg", "micrograms"),
    [
        ("7.484", "2.2"),
        ("6", "1.8"),
        ("5.5", "1.7"),
        ("5.4999", "1.6"),
        ("7.1666", "2.1"),
        ("7.16667", "2.2"),
        ("3.5", "1.1"),
        ("4.8333333", "1.4"),
        ("4.8333334", "1.5"),
    ],
)
def test_dose_b_is_rounded_half_up_to_a_tenth(kg: str, micrograms: str) -> None:
    assert age_based_amount(Decimal(kg), INFANT_DOSE) == Decimal(micrograms)


def test_dose_b_is_not_capped_and_its_oddity_is_said() -> None:
    seen = see(a_record(a_weight(10), birth=months_old(11)))
    assert [one.amount for one in seen.drugs] == [1000]
    assert seen.says("10 kg (14 Mar 2026) = 3 micrograms daily")
    assert seen.says("lowers this infant's 3 micrograms to 1 on the first birthday")


def test_dose_b_and_c_are_text_on_a_card_of_their_own_without_a_button() -> None:
    for birth, dose in ((months_old(6), "DOSE-B"), (months_old(15), "DOSE-C")):
        seen = see(a_record(a_weight(7), birth=birth))
        assert set(seen.doses) == {"DOSE-A"}
        shown = seen.outcome("RTE-07.requirement")
        assert (shown.rule, shown.indicator, shown.choices) == (dose, "info", ())
        assert seen.says("The guideline page calls it treatment")
        assert seen.says("it is a healthy child's daily need")


def test_where_a_site_puts_it_first_both_stand_on_one_card() -> None:
    for birth, dose in ((months_old(6), "DOSE-B"), (months_old(15), "DOSE-C")):
        seen = see(a_record(a_weight(7), birth=birth), g=small_dose_first())
        assert seen.doses == {"DOSE-A": False, dose: True}
        (offer,) = [one for one in seen.offers if one.choice.rule == dose]
        assert offer.label.startswith(
            "Maintenance-level (not treatment of established deficiency) – "
        )
        assert offer.outcome.selection == "at-most-one"
        assert not seen.shows("RTE-07.requirement")


@pytest.mark.parametrize(
    "but",
    [
        {"problems": [SEIZURE]},
        {"problems": [CROHN]},
        {"problems": [FAILURE_TO_THRIVE]},
        {"level": a_level(80)},
        {"level": a_level(250)},
        {"incomplete": frozenset({"conditions"})},
    ],
    ids=["signs", "malabsorption", "moderate", "severe", "borderline", "problems incomplete"],
)
@pytest.mark.parametrize("months", [6, 15])
def test_the_small_dose_is_offered_in_mild_deficiency_only(
    but: dict[str, object], months: int
) -> None:
    seen = see(a_record(a_weight(7), birth=months_old(months), **but))  # type: ignore[arg-type]
    assert not {"DOSE-B", "DOSE-C"} & set(seen.doses)
    assert not {"DOSE-B", "DOSE-C"} & seen.rules
    assert not seen.shows("RTE-07.requirement")


def test_dose_c_is_one_microgram_a_day() -> None:
    drug = drug_of("DOSE-C", a_record(birth=months_old(15)), g=small_dose_first())
    assert drug.amount == 1
    assert [timing(phase) for phase in drug.phases] == [(1, 1, "d", 28, "d", 28)]


def test_dose_d_is_seven_injections_on_alternate_days() -> None:
    drug = drug_of("DOSE-D", a_record(problems=[SEIZURE]))
    assert (drug.amount, drug.route.code, drug.priority) == (1000, "78421000", "stat")
    assert [timing(phase) for phase in drug.phases] == [(1, 2, "d", 14, "d", 7)]
    assert [code.code for code in drug.codes] == ["317106"]


def test_dose_e_is_five_weekly_injections_then_one_every_two_months() -> None:
    drug = drug_of("DOSE-E", a_record(problems=[CROHN]))
    assert (drug.amount, drug.route.code, drug.priority) == (1000, "78421000", "urgent")
    assert [timing(phase) for phase in drug.phases] == [
        (1, 1, "wk", 35, "d", 5),
        (1, 2, "mo", 6, "mo", 3),
    ]


@pytest.mark.parametrize(
    ("problems", "rule"),
    [([CROHN], "DOSE-E"), ([], "")],
)
def test_the_second_phase_begins_two_months_after_the_fifth_dose(
    problems: list[Code], rule: str
) -> None:
    """Whatever a scheduler makes of day 35: the fifth dose is on day 28."""
    seen = see(a_record(problems=problems))
    for drug in seen.drugs:
        first, *rest = drug.phases
        assert (first.begins, first.ends) == (None, None)
        for phase in rest if rule else ():
            assert phase.begins == add_months(ON + timedelta(days=28), 2)
            assert phase.ends == add_months(phase.begins, 6)
            assert "from 12 Jun 2026 (2 months after the fifth dose)" in seen.in_words(phase.text)
        if not rule:
            assert all(phase.begins is None for phase in rest)


@pytest.mark.parametrize("problems", [[CROHN], [SEIZURE]])
def test_an_injection_says_its_volume_its_site_and_what_is_in_it(problems: list[Code]) -> None:
    seen = see(a_record(problems=problems))
    assert seen.says("1 mg/mL, 1 mL (1000 micrograms) IM, anterolateral thigh")
    assert seen.says("Prefer a product without benzyl alcohol")
    assert not seen.says("divided between both")
    assert not seen.says("outside the UK licence")


def test_a_weaker_product_is_divided_between_both_thighs() -> None:
    product = structs.replace(G.file.products.hydroxocobalamin_injection, strength=Decimal(500))
    products = structs.replace(G.file.products, hydroxocobalamin_injection=product)
    weaker = structs.replace(G, file=structs.replace(G.file, products=products))
    seen = see(a_record(problems=[CROHN]), g=weaker)
    assert seen.says("2 mL (1000 micrograms) IM, divided between both anterolateral thighs")


def test_a_product_without_a_known_strength_is_left_to_be_worked_out() -> None:
    product = structs.replace(G.file.products.hydroxocobalamin_injection, strength=None)
    products = structs.replace(G.file.products, hydroxocobalamin_injection=product)
    other = structs.replace(G, file=structs.replace(G.file, products=products))
    seen = see(a_record(problems=[CROHN]), g=other)
    assert seen.says("calculate the volume from the strength")


def test_the_high_dose_by_mouth_is_called_unlicensed_in_the_uk() -> None:
    assert see(a_record()).says("This oral dose is off-label in the UK")


def test_in_lebers_disease_the_course_of_the_formulary_is_named() -> None:
    assert see(a_record(problems=[LEBER])).says("daily for 2 weeks, twice weekly")
    assert not see(a_record(problems=[CROHN])).says("longer course for Leber's disease")


def test_the_fixed_dose_does_not_grow_with_the_child() -> None:
    light, heavy = (a_record(a_weight(kg), problems=[CROHN]) for kg in (4, 12))
    assert drug_of("DOSE-E", light).amount == drug_of("DOSE-E", heavy).amount == 1000
    by_mouth, injected = see(a_record(a_weight(12))), see(heavy)
    assert by_mouth.drugs[0].amount == 1000
    assert by_mouth.says("oral solution, 1 mL (1000 micrograms)")
    assert injected.says("1 mL (1000 micrograms) IM")


def test_an_injection_says_where_the_formularies_and_the_label_differ() -> None:
    seen = see(a_record(problems=[CROHN]))
    assert seen.says("US label, children: 100 micrograms a dose")
    assert not seen.says("2000 micrograms")
    assert seen.says("First injection where anaphylaxis can be treated")


def test_the_regimen_stands_in_words_on_the_card_and_in_the_action() -> None:
    seen = see(a_record())
    card = seen.cards[0]
    (action, *_) = card.suggestions[0].actions
    for phase in G.file.doses.oral_regimen.phases:
        assert phase.text.format(amount=1000, then=phase.then) in action.description
    assert seen.says(
        "daily for 7 days, then on alternate days for 2 weeks, then twice weekly for 2 weeks"
    )
    assert seen.says("weekly for 12 weeks")
