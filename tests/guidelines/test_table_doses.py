"""Table DOSE: what exactly is ordered."""

from __future__ import annotations

from decimal import Decimal

import pytest
from builders import (
    CROHN,
    FAILURE_TO_THRIVE,
    SEIZURE,
    G,
    a_level,
    a_record,
    a_weight,
    months_old,
    see,
)

from cds_service.clinical import Phase, PlannedDrug, Record
from cds_service.guidelines.b12_under_two.prescribing import age_based_amount

INFANT_DOSE = G.file.doses.infant_daily


def drug_of(dose: str, record: Record) -> PlannedDrug:
    (found,) = [o.drug for o in see(record).offers if o.choice.rule == dose and o.drug]
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
    drug = drug_of("DOSE-B", a_record(a_weight(6)))
    assert drug.amount == Decimal("1.8")
    assert [timing(phase) for phase in drug.phases] == [(1, 1, "d", 28, "d", 28)]
    assert "0.3 µg/kg/day × 6 kg" in drug.phases[0].text
    assert "2026-03-14" in drug.phases[0].text


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
    assert [one.amount for one in seen.drugs] == [1000, 3]
    assert seen.says("this infant's 3 µg fall to 1 µg on the first birthday")


def test_dose_b_and_c_are_called_maintenance_and_never_recommended() -> None:
    for birth, dose in ((months_old(6), "DOSE-B"), (months_old(15), "DOSE-C")):
        seen = see(a_record(a_weight(7), birth=birth))
        (offer,) = [one for one in seen.offers if one.choice.rule == dose]
        assert offer.label.startswith(
            "Maintenance-level (not treatment of established deficiency) – "
        )
        assert not offer.choice.recommended
        assert offer.outcome.selection == "at-most-one"


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


def test_dose_c_is_one_microgram_a_day() -> None:
    drug = drug_of("DOSE-C", a_record(birth=months_old(15)))
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


def test_the_fixed_dose_does_not_grow_with_the_child() -> None:
    light, heavy = (a_record(a_weight(kg), problems=[CROHN]) for kg in (4, 12))
    assert drug_of("DOSE-E", light).amount == drug_of("DOSE-E", heavy).amount == 1000
    by_mouth, injected = see(a_record(a_weight(12))), see(heavy)
    assert by_mouth.drugs[0].amount == 1000
    assert by_mouth.says("The 1000 µg are a fixed dose, not scaled by weight")
    assert not injected.says("are a fixed dose")


def test_an_injection_says_where_the_formularies_and_the_label_differ() -> None:
    seen = see(a_record(problems=[CROHN]))
    assert seen.says("US hydroxocobalamin label for children: 100 µg a dose")
    assert seen.says("upper 2000 µg is never suggested")
    assert seen.says("Give the first injection where anaphylaxis can be treated")


def test_the_regimen_stands_in_words_on_the_card_and_in_the_action() -> None:
    seen = see(a_record())
    card = seen.cards[0]
    (action, *_) = card.suggestions[0].actions
    for phase in G.file.doses.oral_regimen.phases:
        text = phase.text.format(amount=1000)
        assert seen.says(text)
        assert text in action.description
