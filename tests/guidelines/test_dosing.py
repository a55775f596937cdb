"""What a drafted order gives: every unit and spelling, ends of ranges, days, averages, routes."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from builders import (
    CYANOCOBALAMIN,
    MUSCLE,
    ORAL,
    ORAL_SOLUTION,
    ROUTE,
    RXNORM,
    SNOMED,
    WORDS,
    G,
    a_dosage,
)
from each import each
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec import structs

from cds_service.clinical import Code, DoseAmount, DraftDosage, Instruction, Schedule
from cds_service.guidelines.b12_under_two import dosing
from cds_service.guidelines.b12_under_two.dosing import Dosing, last_day, said, understand
from cds_service.guidelines.b12_under_two.dosing.lines import Line
from cds_service.guidelines.b12_under_two.dosing.phases import lines_in_turn
from cds_service.guidelines.b12_under_two.dosing.ways import agreed, is_spinal, route_of_line
from cds_service.guidelines.b12_under_two.drugs import Drug, Way
from cds_service.guidelines.b12_under_two.order_words import Stated
from cds_service.guidelines.b12_under_two.products import LONGEST_NAME, recognise

Number = Decimal | int | str
D = Decimal

INGREDIENT = recognise((CYANOCOBALAMIN,), "", G)
TABLET = recognise((Code(RXNORM, "309593"),), "", G)
SOLUTION = recognise((Code(RXNORM, "1423423"),), "", G)
INJECTION = recognise((Code(RXNORM, "317106"),), "", G)
NASAL = recognise((Code(RXNORM, "861113"),), "", G)
SUBLINGUAL = recognise((Code(RXNORM, "237779"),), "", G)
AMPOULE = recognise((), "hydroxocobalamin 1 mg/1 mL ampoule", G)
DROPS = recognise((), "B12 drops 1 mg/mL, 20 drops/mL", G)
STRENGTHLESS = recognise((), "cyanocobalamin tablet", G)
PLAIN = recognise((), "vitamin B12 1000 mcg", G)

DAILY = Schedule(D(1), D(1), D(1), D(1))
TWICE_DAILY = Schedule(D(2), D(2), D(1), D(2))
WEEKLY = Schedule(D(1), D(1), D(7), D(1))
TWICE_WEEKLY = Schedule(D(2), D(2), D(7), D(1))
MONTHLY = Schedule(D(1), D(1), D(30), D(1))
ONCE = Schedule(D(1), D(1), D(0), D(1))


def problems(seen: Dosing) -> tuple[str, ...]:
    """What was not understood, in the guideline's own words."""
    return tuple([WORDS.language.text(one) for one in seen.problems])


def in_words(seen: Dosing) -> str:
    """The dose as a card shows it."""
    return WORDS.language.text(seen.in_words())


def route_told(dosage: DraftDosage, drug: Drug) -> tuple[frozenset[Way], str]:
    """The ways of a line, and what is wrong with them in the guideline's own words."""
    ways, problem = route_of_line(dosage, drug, G)
    return ways, "" if problem is None else WORDS.language.text(problem)


NO_STRENGTH = "the strength of the product is not known"


def amount(value: Number, unit: str | None = "ug", thing: str = "", **but: Any) -> DoseAmount:
    return DoseAmount(D(value), unit, f"{value} {thing or unit or 'IU'}", thing, **but)


def line(
    dose: DoseAmount | None = None, schedule: Schedule | None = DAILY, **but: Any
) -> DraftDosage:
    return DraftDosage(**{"low": dose, "high": dose, "schedule": schedule, "route": (ORAL,), **but})


def gives(*lines: DraftDosage, drug: Drug = INGREDIENT, kg: Number | None = None) -> Dosing:
    return understand(lines, drug, None if kg is None else D(kg), G)


# --- one dose, in every unit ------------------------------------------------------------------

COUNTED = "1"
DOSES = (
    # value, unit, thing, product, micrograms
    (1000, "ug", "", INGREDIENT, 1000), (1, "mg", "", INGREDIENT, 1000),
    ("0.001", "g", "", INGREDIENT, 1000), (1_000_000, "ng", "", INGREDIENT, 1000),
    ("1.8", "ug", "", INGREDIENT, "1.8"), (1, "mg", "", TABLET, 1000),
    (1, "mL", "", SOLUTION, 1000), ("0.5", "mL", "", SOLUTION, 500),
    (500, "uL", "", SOLUTION, 500), ("0.001", "L", "", SOLUTION, 1000),
    (1, "mL", "", INJECTION, 1000), ("0.1", "mL", "", INJECTION, 100), (1, "mL", "", DROPS, 1000),
    (1, COUNTED, "tablet", TABLET, 1000), (3, COUNTED, "pill", TABLET, 3000),
    ("0.5", COUNTED, "tab", TABLET, 500), (1, COUNTED, "capsule", TABLET, 1000),
    (2, COUNTED, "", TABLET, 2000), (1, COUNTED, "tablet", SUBLINGUAL, 1000),
    (1, COUNTED, "spray", NASAL, 500), (2, COUNTED, "actuation", NASAL, 1000),
    (1, COUNTED, "", NASAL, 500), (1, COUNTED, "ampoule", AMPOULE, 1000),
    (1, COUNTED, "vial", AMPOULE, 1000), (1, COUNTED, "", AMPOULE, 1000),
    (20, COUNTED, "drop", DROPS, 1000), (1, COUNTED, "gtt", DROPS, 50),
    (1, COUNTED, "tablet", PLAIN, 1000), (1, COUNTED, "ampoule", PLAIN, 1000),
)  # fmt: skip


@each(("value", "unit", "thing", "drug", "expected"), DOSES)
def test_a_single_dose_in_micrograms(
    value: Number, unit: str, thing: str, drug: Drug, expected: Number
) -> None:
    seen = gives(line(amount(value, unit, thing), route=()), drug=drug)
    assert seen.single_low == seen.single_high == seen.day_most == D(expected)
    assert [one for one in problems(seen) if "route" not in one] == []


NOT_COMPUTABLE = (
    (3, None, "", TABLET, "the unit of the dose, 3 IU, is not known here"),
    (3, "pg/mL", "", TABLET, "the unit of the dose, 3 pg/mL, is not known here"),
    (3, COUNTED, "IU", TABLET, "the unit of the dose, 3 IU, is not known here"),
    (1, COUNTED, "dose", TABLET, "the unit of the dose, 1 dose, is not known here"),
    (0, "ug", "", TABLET, "the dose, 0 ug, is not above zero"),
    (-1, "mg", "", TABLET, "the dose, -1 mg, is not above zero"),
    (1, "mL", "", INGREDIENT, NO_STRENGTH), (1, "mL", "", Drug("b12"), NO_STRENGTH),
    (1, "mL", "", TABLET, "the dose, 1 mL, does not fit the product"),
    (1, COUNTED, "tablet", STRENGTHLESS, NO_STRENGTH), (1, COUNTED, "", STRENGTHLESS, NO_STRENGTH),
    (1, COUNTED, "tablet", INGREDIENT, NO_STRENGTH), (1, COUNTED, "drop", INGREDIENT, NO_STRENGTH),
    (1, COUNTED, "drop", SOLUTION, NO_STRENGTH), (1, COUNTED, "vial", INJECTION, NO_STRENGTH),
    (1, COUNTED, "pill", INJECTION, "the dose, 1 pill, does not fit the product"),
    (1, COUNTED, "pill", SOLUTION, "the dose, 1 pill, does not fit the product"),
    (1, COUNTED, "drop", TABLET, "the dose, 1 drop, does not fit the product"),
    (1, COUNTED, "tablet", NASAL, "the dose, 1 tablet, does not fit the product"),
    (1, COUNTED, "ampoule", TABLET, "the dose, 1 ampoule, does not fit the product"),
    (1, COUNTED, "", SOLUTION, "the dose, 1 1, does not fit the product"),
    (1, COUNTED, "", PLAIN, "it is not stated what the dose, 1 1, counts"),
    (1, COUNTED, "", INGREDIENT, "it is not stated what the dose, 1 1, counts"),
)  # fmt: skip


@pytest.mark.parametrize(("value", "unit", "thing", "drug", "problem"), NOT_COMPUTABLE)
def test_a_dose_that_cannot_be_worked_out_is_no_number(
    value: Number, unit: str | None, thing: str, drug: Drug, problem: str
) -> None:
    seen = gives(line(amount(value, unit, thing), route=()), drug=drug)
    assert seen.single_low is seen.single_high is seen.day_most is seen.average_high is None
    assert problem in problems(seen)
    assert in_words(seen) == "dose not known"


def test_a_doubt_about_the_product_is_a_problem_and_leaves_a_dose_by_mass_alone() -> None:
    doubtful = recognise((Code(RXNORM, "309593"),), "Vitamin B 12 0.1 MG Oral Tablet", G)
    by_mass = gives(line(amount(1000)), drug=doubtful)
    assert by_mass.single_high == 1000
    assert problems(by_mass) == ("its strengths do not agree",)
    counted = gives(line(amount(1, COUNTED, "tablet")), drug=doubtful)
    assert counted.single_high is None
    assert problems(counted) == ("its strengths do not agree", NO_STRENGTH)


def test_both_ends_of_a_range_are_kept() -> None:
    seen = gives(line(low=amount(500), high=amount(1, "mg")))
    assert (seen.single_low, seen.single_high, seen.day_most) == (500, 1000, 1000)
    assert (seen.average_low, seen.average_high) == (500, 1000)
    assert in_words(seen) == "500 to 1000 micrograms"
    reversed_ends = gives(line(low=amount(1000), high=amount(500)))
    assert (reversed_ends.single_low, reversed_ends.single_high) == (500, 1000)
    assert problems(reversed_ends) == ("the ends of the dose are in the wrong order",)
    one_end = gives(line(low=None, high=amount(2000)))
    assert (one_end.single_high, one_end.day_most) == (2000, 2000)
    assert problems(one_end) == ("only one end of the dose is given",)
    bad_end = gives(line(low=amount(0), high=amount(1000)))
    assert (bad_end.single_high, problems(bad_end)) == (
        1000, ("the dose, 0 ug, is not above zero",),
    )  # fmt: skip


# --- per kg, per day ------------------------------------------------------------------------------


def test_a_dose_per_kg_is_multiplied_by_the_weight() -> None:
    seen = gives(line(amount("0.3", per_kg=True)), kg="7.484")
    assert seen.single_high == D("2.2452")
    assert not seen.per_kg_in_mg
    assert not seen.needs_weight
    assert not problems(seen)


def test_without_a_weight_a_dose_per_kg_is_no_number_and_no_problem_of_its_own() -> None:
    seen = gives(line(amount("0.3", per_kg=True)))
    assert seen.needs_weight
    assert (seen.single_high, seen.day_most, seen.average_high) == (None, None, None)
    assert not problems(seen)


@pytest.mark.parametrize(("unit", "in_mg"), [("ug", False), ("ng", False), ("mg", True),
                                             ("g", True), ("kg", True), ("mL", False)])  # fmt: skip
def test_milligrams_per_kg_are_pointed_out(unit: str, in_mg: bool) -> None:
    dose = amount("0.001", unit, per_kg=True)
    for kg in (None, 6):
        assert gives(line(dose), kg=kg).per_kg_in_mg is in_mg
    allowed = line(amount(10), maxima=((dose, D(1)),))
    assert gives(allowed, kg=6).per_kg_in_mg is in_mg
    assert not gives(line(amount(1, unit)), kg=6).per_kg_in_mg


def test_an_amount_of_a_day_is_shared_among_its_times() -> None:
    of_a_day = amount(1000, per_day=True)
    assert gives(line(of_a_day, TWICE_DAILY)).single_high == 500
    for schedule in (DAILY, TWICE_DAILY, None):
        seen = gives(line(of_a_day, schedule))
        assert (seen.day_most, seen.average_low, seen.average_high) == (1000, 1000, 1000)
        assert not problems(seen)
    untimed = gives(line(of_a_day, None))
    assert (untimed.single_high, in_words(untimed)) == (None, "1000 micrograms a day")
    weekly = gives(line(of_a_day, WEEKLY))
    assert (weekly.single_high, weekly.day_most, weekly.average_high) == (None, 1000, None)
    assert problems(weekly) == (
        "the dose is that of a day, and it is not given equally often each day",
    )
    sometimes_twice = Schedule(D(1), D(2), D(1), D(2))
    both = gives(line(of_a_day, sometimes_twice))
    assert (both.single_low, both.single_high, both.day_most) == (500, 1000, 1000)
    per_kg = gives(line(amount(1, per_day=True, per_kg=True), TWICE_DAILY), kg=6)
    assert (per_kg.single_high, per_kg.day_most) == (3, 6)


# --- how often ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "day", "low", "high"),
    [
        (DAILY, 1000, 1000, 1000), (TWICE_DAILY, 2000, 2000, 2000),
        (Schedule(D(4), D(4), D(1), D(4)), 4000, 4000, 4000),
        (Schedule(D(1), D(1), D(2), D(1)), 1000, 500, 500),
        (WEEKLY, 1000, D(1000) / 7, D(1000) / 7), (TWICE_WEEKLY, 1000, D(2000) / 7, D(2000) / 7),
        (MONTHLY, 1000, D(1000) / 30, D(1000) / 30), (ONCE, 1000, 1000, 1000),
        (Schedule(D(1), D(3), D(1), D(3)), 3000, 1000, 3000),
        (Schedule(D(2), D(2), D(7), D(2)), 2000, D(2000) / 7, D(2000) / 7),
    ],
)  # fmt: skip
def test_the_day_and_the_average(schedule: Schedule, day: int, low: Decimal, high: Decimal) -> None:
    seen = gives(line(amount(1000), schedule))
    assert (seen.single_high, seen.day_most) == (1000, day)
    assert (seen.average_low, seen.average_high) == (low, high)


def test_requirement_level_is_met_exactly_at_its_limit() -> None:
    limit = G.limits.requirement_dose
    for dose, schedule, small in (
        (5, DAILY, True), ("5.01", DAILY, False), (35, WEEKLY, True), (36, WEEKLY, False),
        ("2.5", TWICE_DAILY, True), (1000, MONTHLY, False), (150, MONTHLY, True),
    ):  # fmt: skip
        average = gives(line(amount(dose), schedule)).average_high
        assert average is not None
        assert limit.holds(average) is small, (dose, schedule)


def test_without_a_timing_the_dose_is_known_and_the_average_is_not() -> None:
    seen = gives(line(amount(1500), None))
    assert (seen.single_high, seen.day_most, seen.average_high) == (1500, 1500, None)
    assert problems(seen) == ("how often it is given is not stated",)
    assert in_words(seen) == "1500 micrograms"
    unclear = gives(line(amount(1500), None, unclear=("timing",)))
    assert problems(unclear) == ("how often it is given cannot be understood",)
    for broken in (Schedule(D(0), D(1), D(1), D(1)), Schedule(D(1), D(1), D(-1), D(1))):
        assert problems(gives(line(amount(1), broken))) == problems(unclear)


def test_one_dose_in_all_is_a_single_dose() -> None:
    seen = gives(line(amount(1000), None, count=1))
    assert (seen.day_most, seen.average_high, seen.days, problems(seen)) == (1000, 1000, 1, ())


def test_as_needed_leaves_the_average_open_and_the_upper_bound_checked() -> None:
    seen = gives(line(amount(1000), Schedule(D(1), D(3), D(1), D(3)), as_needed=True))
    assert (seen.single_high, seen.day_most, seen.average_high) == (1000, 3000, None)
    assert problems(seen) == ("it is given as needed: how much in all is not known",)


@pytest.mark.parametrize(
    ("maximum", "days", "but", "single", "day"),
    [
        (amount(1000), D(1), {}, 1000, 1000), (amount(3000), D(1), {}, 1000, 3000),
        (amount(100), D(1), {}, 1000, 1000), (amount(1500), D("0.5"), {}, 1000, 3000),
        (amount(7000), D(7), {}, 1000, 1000), (amount(2, "mg"), None, {}, 2000, 1000),
        (amount(2, "mg", per_day=True), None, {}, 1000, 2000),
        (amount(1000), D(1), {"schedule": TWICE_DAILY, "as_needed": True}, 1000, 1000),
        (amount(1000), D(1), {"schedule": TWICE_DAILY}, 1000, 2000),
        (amount(3000), D(1), {"schedule": None, "as_needed": True}, 1000, 3000),
    ],
)  # fmt: skip
def test_what_is_allowed_at_most_counts_as_the_upper_end(
    maximum: DoseAmount, days: Decimal | None, but: dict[str, Any], single: int, day: int
) -> None:
    seen = gives(line(amount(1000), maxima=((maximum, days),), **but))
    assert (seen.single_high, seen.day_most) == (single, day)
    assert seen.single_low == 1000


def test_a_maximum_that_cannot_be_worked_out_is_a_problem() -> None:
    seen = gives(line(amount(1000), maxima=((amount(3, COUNTED, "tablet"), D(1)),)))
    assert (seen.day_most, problems(seen)) == (1000, (NO_STRENGTH,))
    per_kg = gives(line(amount(1000), maxima=((amount(1, per_kg=True), D(1)),)))
    assert per_kg.needs_weight


@pytest.mark.parametrize(
    ("dosage", "problem"),
    [
        (DraftDosage(route=(ORAL,)), "no dose is given"),
        (DraftDosage(route=(ORAL,), schedule=DAILY, text="as directed"), "no dose is given"),
        (DraftDosage(route=(ORAL,), text="half a tablet daily"),
         "the dose is given in words only: \"half a tablet daily\""),
        (DraftDosage(route=(ORAL,), schedule=DAILY, unclear=("dose",)),
         "the dose cannot be understood"),
        (DraftDosage(route=(ORAL,), unclear=("the line",)), "the dosage cannot be understood"),
    ],
)  # fmt: skip
def test_a_line_without_a_dose_says_so_once(dosage: DraftDosage, problem: str) -> None:
    seen = gives(dosage)
    assert problems(seen) == (problem,)
    assert (seen.single_high, seen.day_most, seen.average_high) == (None, None, None)


def test_an_order_without_a_line_has_no_dose_and_the_way_of_its_product() -> None:
    seen = gives(drug=INJECTION)
    assert (problems(seen), seen.ways, seen.days) == (
        ("no dose is given",), frozenset({"parenteral"}), None,
    )  # fmt: skip


# --- several lines --------------------------------------------------------------------------------


def regimen(*schedules: Schedule, days: tuple[int, ...]) -> list[DraftDosage]:
    return [
        line(amount(1000), schedule, sequence=turn, days=D(days[turn - 1]))
        for turn, schedule in enumerate(schedules, 1)
    ]


def test_our_own_regimen_is_a_thousand_micrograms_a_day() -> None:
    every_other_day = Schedule(D(1), D(1), D(2), D(1))
    lines = regimen(DAILY, every_other_day, TWICE_WEEKLY, WEEKLY, days=(7, 14, 14, 84))
    limited = [structs.replace(one, maxima=((amount(1000), D(1)),)) for one in lines]
    assert gives(*limited) == gives(*lines)
    seen = gives(*lines)
    assert (seen.single_low, seen.single_high, seen.day_most) == (1000, 1000, 1000)
    assert (seen.average_high, seen.days, problems(seen)) == (1000, 119, ())
    assert in_words(seen) == "1000 micrograms"


def test_lines_that_may_coincide_add_up() -> None:
    morning, evening = line(amount(1000)), line(amount(1500))
    seen = gives(morning, evening)
    assert (seen.single_low, seen.single_high, seen.day_most) == (1000, 1500, 2500)
    assert (seen.average_low, seen.average_high) == (1500, 1500)
    assert in_words(seen) == "1000 to 1500 micrograms, up to 2500 micrograms a day"
    together = [line(amount(1000), sequence=1), line(amount(1500), sequence=1)]
    assert gives(*together).day_most == 2500
    in_turn = [line(amount(1000), sequence=1), line(amount(1500), sequence=2)]
    assert gives(*in_turn).day_most == 1500
    assert gives(*in_turn, line(amount(300))).day_most == 1800
    untimed = gives(morning, line(amount(1500), None))
    assert (untimed.day_most, untimed.average_high) == (2500, None)


def test_a_problem_of_some_lines_names_them() -> None:
    seen = gives(line(amount(1000)), line(None), line(None))
    assert problems(seen) == ("no dose is given (lines 2, 3)",)
    assert (seen.single_high, seen.day_most, seen.average_high) == (1000, 1000, None)
    assert problems(gives(line(None), line(amount(1)))) == ("no dose is given (line 1)",)
    assert problems(gives(line(None), line(None))) == ("no dose is given",)


def test_the_whole_duration_if_every_line_says_its_own() -> None:
    assert gives(line(amount(1), days=D(10))).days == 10
    assert gives(line(amount(1), WEEKLY, count=12)).days == 84
    assert gives(line(amount(1), days=D(10)), line(amount(1), days=D(4))).days == 10
    assert gives(line(amount(1), days=D(10)), line(amount(1))).days is None
    in_turn = [line(amount(1), days=D(10), sequence=1), line(amount(1), days=D(4), sequence=2)]
    assert gives(*in_turn).days == 14


# --- the route ------------------------------------------------------------------------------------

SUBCUTANEOUS, VEIN = Code(SNOMED, "34206005"), Code(SNOMED, "47625008")
TONGUE, NOSE = Code(SNOMED, "37839007"), Code(SNOMED, "46713006")
TUBE = Code(SNOMED, "127492001", "Nasogastric route")


@pytest.mark.parametrize(
    ("code", "way"),
    [
        (ORAL, "oral"), (TUBE, "oral"), (Code(ROUTE, "PO"), "oral"), (Code(ROUTE, "GT"), "oral"),
        (TONGUE, "sublingual"), (Code(ROUTE, "SL"), "sublingual"),
        (Code(SNOMED, "54471007"), "sublingual"), (Code(ROUTE, "BUC"), "sublingual"),
        (NOSE, "nasal"), (Code(ROUTE, "NASAL"), "nasal"), (MUSCLE, "intramuscular"),
        (Code(ROUTE, "IM"), "intramuscular"), (SUBCUTANEOUS, "subcutaneous"),
        (Code(ROUTE, "SQ"), "subcutaneous"), (VEIN, "intravenous"),
        (Code(SNOMED, "418114005"), "intravenous"), (Code(SNOMED, "419993007"), "intravenous"),
        (Code(ROUTE, "IV"), "intravenous"), (Code(ROUTE, "IVINJ"), "intravenous"),
        (Code(ROUTE, "IVPUSH"), "intravenous"),
    ],
)  # fmt: skip
def test_the_route_by_its_code(code: Code, way: str) -> None:
    assert route_told(DraftDosage(route=(code,)), INGREDIENT) == (frozenset({way}), "")


def test_every_listed_route_has_a_way_and_its_own_display_agrees() -> None:
    lists = (G.codes.routes_oral, G.codes.routes_other, G.codes.routes_parenteral)
    for code in (code for one in lists for code in one.verified):
        ways, problem = route_told(DraftDosage(route=(code,)), INGREDIENT)
        assert (len(ways), problem) == (1, ""), code
        assert ways != {"parenteral"}


@each(
    ("text", "ways"),
    [
        ("PO", "oral"), ("p.o.", "oral"), ("oral", "oral"), ("Oral use", "oral"),
        ("by mouth", "oral"), ("per os", "oral"), ("NG tube", "oral"), ("IM", "intramuscular"),
        ("i.m.", "intramuscular"), ("Intramuscular", "intramuscular"),
        ("intramuscularly", "intramuscular"), ("SC", "subcutaneous"), ("s.c.", "subcutaneous"),
        ("subcut", "subcutaneous"), ("SubQ", "subcutaneous"),
        ("deep subcutaneous", "subcutaneous"), ("subcutaneous injection", "subcutaneous"),
        ("IV", "intravenous"), ("i.v. push", "intravenous"), ("intravenous", "intravenous"),
        ("sublingual", "sublingual"), ("SL", "sublingual"), ("under the tongue", "sublingual"),
        ("intranasal", "nasal"), ("NASAL", "nasal"), ("injection", "parenteral"),
        ("parenteral", "parenteral"), ("IM or SC", "intramuscular subcutaneous"),
    ],
)  # fmt: skip
def test_the_route_by_its_text(text: str, ways: str) -> None:
    assert route_told(DraftDosage(route_text=text), INGREDIENT) == (
        frozenset(ways.split()), "",
    )  # fmt: skip


@pytest.mark.parametrize("text", ["rectal", "topical", "IMG", "important", "limb", "oralytic",
                                  "not IM", "avoid IV", "never oral", "?"])  # fmt: skip
def test_a_route_that_is_not_understood_is_said_and_the_product_is_kept_in_mind(text: str) -> None:
    problem = f"the route, {text}, is not one known here"
    assert route_told(DraftDosage(route_text=text), INGREDIENT) == (frozenset(), problem)
    assert route_told(DraftDosage(route_text=text), TABLET) == (frozenset({"oral"}), problem)
    unknown = Code("urn:edqm", "20061000")
    told = "the route, 20061000, is not one known here"
    assert route_told(DraftDosage(route=(unknown,)), TABLET)[1] == told
    told = "the route cannot be understood"
    assert route_told(DraftDosage(unclear=("route",)), TABLET)[1] == told


def test_a_code_that_is_not_listed_is_read_by_its_name() -> None:
    edqm = Code("urn:edqm", "20035000", "Intramuscular use")
    assert route_told(DraftDosage(route=(edqm,)), INGREDIENT) == (
        frozenset({"intramuscular"}), "",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("drug", "way"),
    [(TABLET, "oral"), (SOLUTION, "oral"), (SUBLINGUAL, "sublingual"), (NASAL, "nasal"),
     (INJECTION, "parenteral"), (AMPOULE, "parenteral")],
)  # fmt: skip
def test_without_a_route_the_product_says_it(drug: Drug, way: str) -> None:
    assert route_told(DraftDosage(), drug) == (frozenset({way}), "")


def test_without_a_route_and_a_form_nothing_says_it() -> None:
    assert route_told(DraftDosage(), INGREDIENT) == (frozenset(), "the route is not given")


@pytest.mark.parametrize(
    ("drug", "code"),
    [(INJECTION, MUSCLE), (INJECTION, SUBCUTANEOUS), (INJECTION, VEIN), (INJECTION, ORAL),
     (TABLET, ORAL), (TABLET, TONGUE), (TABLET, TUBE), (SUBLINGUAL, ORAL), (SUBLINGUAL, TONGUE),
     (NASAL, NOSE), (SOLUTION, ORAL)],
)  # fmt: skip
def test_routes_that_suit_the_product(drug: Drug, code: Code) -> None:
    ways, problem = route_told(DraftDosage(route=(code,)), drug)
    assert (len(ways), problem) == (1, "")


@pytest.mark.parametrize(
    ("drug", "code", "ways"),
    [
        (TABLET, MUSCLE, "oral intramuscular"), (TABLET, NOSE, "oral nasal"),
        (SOLUTION, VEIN, "oral intravenous"), (NASAL, ORAL, "nasal oral"),
        (SUBLINGUAL, MUSCLE, "sublingual intramuscular"), (INJECTION, NOSE, "parenteral nasal"),
        (INJECTION, TONGUE, "parenteral sublingual"),
    ],
)  # fmt: skip
def test_a_route_that_contradicts_the_product_may_mean_either(
    drug: Drug, code: Code, ways: str
) -> None:
    found, problem = route_told(DraftDosage(route=(code,)), drug)
    assert found == frozenset(ways.split())
    assert "does not fit" in problem


def test_a_route_that_contradicts_itself_may_mean_either() -> None:
    codes = DraftDosage(route=(ORAL, MUSCLE))
    assert route_told(codes, INGREDIENT) == (
        frozenset({"oral", "intramuscular"}), "the codes of the route contradict each other",
    )  # fmt: skip
    text = DraftDosage(route=(MUSCLE,), route_text="PO")
    assert route_told(text, INGREDIENT) == (
        frozenset({"oral", "intramuscular"}), "the route is given as intramuscular and as oral",
    )  # fmt: skip
    display = DraftDosage(route=(Code(SNOMED, "78421000", "Oral route"),))
    assert route_told(display, INGREDIENT)[0] == {"oral", "intramuscular"}
    agreeing = DraftDosage(route=(MUSCLE,), route_text="injection")
    assert route_told(agreeing, INJECTION) == (frozenset({"intramuscular"}), "")


def test_the_ways_of_all_lines_count() -> None:
    seen = gives(line(amount(1000), route=(MUSCLE,)), line(amount(1000)))
    assert seen.ways == {"intramuscular", "oral"}
    some = gives(line(amount(1000)), line(amount(1000), route=()))
    assert (some.ways, problems(some)) == (
        frozenset({"oral"}), ("the route is not given (line 2)",),
    )  # fmt: skip


# --- what holds for all ---------------------------------------------------------------------------

values = st.decimals("0.001", "9999", places=3)
schedules = st.builds(
    lambda times, more, days: Schedule(
        D(times), D(times + more), D(days), D(min(times + more, -(-(times + more) // max(days, 1))))
    ),
    st.integers(1, 6), st.integers(0, 3), st.sampled_from([0, 1, 2, 7, 28]),
)  # fmt: skip
products = st.sampled_from(
    [INGREDIENT, TABLET, SOLUTION, INJECTION, NASAL, AMPOULE, DROPS, STRENGTHLESS, PLAIN]
)
things = st.sampled_from(["", "tablet", "drop", "spray", "ampoule", "IU"])
amounts = st.builds(
    lambda value, unit, thing, per_kg, per_day: amount(
        value, unit, thing if unit == "1" else "", per_kg=per_kg, per_day=per_day
    ),
    values, st.sampled_from(["ug", "mg", "g", "ng", "mL", "1", None]), things, st.booleans(),
    st.booleans(),
)  # fmt: skip
dosages = st.builds(
    lambda dose, schedule, needed, count, maximum, sequence: line(
        dose, schedule, as_needed=needed, count=count, sequence=sequence,
        maxima=() if maximum is None else ((maximum, D(1)),),
    ),
    st.none() | amounts, st.none() | schedules, st.booleans(), st.none() | st.integers(1, 9),
    st.none() | amounts, st.none() | st.integers(1, 3),
)  # fmt: skip


@given(values, schedules)
def test_milligrams_and_micrograms_say_the_same(value: Decimal, schedule: Schedule) -> None:
    in_mg, in_ug = amount(value, "mg"), amount(value * 1000, "ug")
    assert gives(line(in_mg, schedule)) == gives(line(in_ug, schedule))


@given(values, schedules, st.sampled_from([("ug", INGREDIENT), ("mL", SOLUTION), ("1", TABLET)]))
def test_ten_times_any_factor_is_ten_times_the_result(
    value: Decimal, schedule: Schedule, how: tuple[str, Drug]
) -> None:
    unit, drug = how
    once, tenfold = (gives(line(amount(value * by, unit), schedule), drug=drug) for by in (1, 10))
    assert once.single_high is not None
    assert once.day_most is not None
    assert tenfold.single_high == once.single_high * 10
    assert tenfold.day_most == once.day_most * 10
    assert (tenfold.average_high or 0) >= (once.average_high or 0) * D("9.99")
    per_kg = amount(value, unit, per_kg=True)
    light, heavy = (gives(line(per_kg, schedule), drug=drug, kg=kg) for kg in (1, 10))
    assert light.single_high == once.single_high
    assert heavy.single_high == tenfold.single_high


@given(st.lists(dosages, max_size=4), products, st.none() | st.decimals("0.5", "20", places=2))
def test_never_negative_never_from_nowhere_never_without_a_word(
    lines: list[DraftDosage], drug: Drug, kg: Decimal | None
) -> None:
    seen = gives(*lines, drug=drug, kg=kg)
    numbers = (seen.single_low, seen.single_high, seen.day_most, seen.average_low,
               seen.average_high)  # fmt: skip
    assert all(one is None or one > 0 for one in numbers)
    if seen.single_low is not None and seen.single_high is not None:
        assert seen.single_low <= seen.single_high
    if seen.average_low is not None and seen.average_high is not None:
        assert seen.average_low <= seen.average_high
    if None in (seen.day_most, seen.average_high):
        assert problems(seen) or seen.needs_weight
    if drug.per_unit is drug.per_ml is None and all(
        one.unit in ("mL", "1", None) for dose in lines
        for one in (dose.high, *(most for most, _ in dose.maxima)) if one
    ):  # fmt: skip
        assert numbers == (None,) * 5
    assert in_words(seen)


@given(st.lists(dosages, min_size=1, max_size=3), products, dosages)
def test_another_line_never_lowers_an_upper_bound(
    lines: list[DraftDosage], drug: Drug, more: DraftDosage
) -> None:
    before, after = gives(*lines, drug=drug, kg=6), gives(*lines, more, drug=drug, kg=6)
    assert (after.single_high or 0) >= (before.single_high or 0)
    assert (after.day_most or 0) >= (before.day_most or 0)


@given(values, values, schedules)
def test_more_gives_more(one: Decimal, other: Decimal, schedule: Schedule) -> None:
    assume(one < other)
    less, more = (gives(line(amount(dose), schedule)) for dose in (one, other))
    assert less.single_high is not None
    assert less.day_most is not None
    assert less.average_high is not None
    assert more.single_high is not None
    assert more.day_most is not None
    assert more.average_high is not None
    assert less.single_high < more.single_high
    assert less.day_most < more.day_most
    assert less.average_high < more.average_high


@pytest.mark.parametrize(
    ("micrograms", "words"),
    [
        ("1000", "1000 micrograms"),
        ("333.33333", "333.33 micrograms"),
        ("1.8643", "1.86 micrograms"),
        ("1", "1 microgram"),
        ("0.9876", "0.9876 micrograms"),
        ("0.0001", "0.0001 micrograms"),
        ("0.00009", "less than 0.0001 micrograms"),
        ("1e-28", "less than 0.0001 micrograms"),
        ("9" * 24, f"{int('9' * 24):,} micrograms".replace(",", "\u202f")),
        ("9" * 25, f"{int('9' * 25):,} micrograms".replace(",", "\u202f")),
        ("1e36", f"{10**36:,} micrograms".replace(",", "\u202f")),
    ],
)
def test_a_dose_is_shown_in_words_however_large_or_small(micrograms: str, words: str) -> None:
    """Never as nothing, and never as a failure: a dose beyond all sense must be spoken of."""
    dosing = understand((a_dosage(micrograms),), recognise((ORAL_SOLUTION,), "", G), None, G)
    assert in_words(dosing) == words


# --- how long, and what is as good as the same ----------------------------------------------------


@each("schedule, count, days", [
    (DAILY, 7, "7"), (TWICE_DAILY, 7, "3.5"), (WEEKLY, 8, "56"), (TWICE_WEEKLY, 8, "28"),
])  # fmt: skip
def test_doses_that_are_counted_last_until_they_are_used_up(
    schedule: Schedule, count: int, days: str
) -> None:
    line = structs.replace(a_dosage(), schedule=schedule, count=count)
    (seen,) = understand([line], SOLUTION, None, G).lines
    assert (seen.days, seen.lasts) == (D(days), D(days))
    longer = structs.replace(line, days=D(100))
    assert understand([longer], SOLUTION, None, G).lines[0].lasts == D(days)


def test_one_dose_in_all_lasts_a_day_and_is_given_once() -> None:
    (seen,) = understand([a_dosage(times=None, count=1)], SOLUTION, None, G).lines
    assert (seen.times, seen.span, seen.days) == (D(1), D(0), D(1))


@each("ordered, calculated, low", [
    ((1000, 1000), (1000, 1000), 1000),
    ((1000, 1000), (1100, 1100), 1000),
    ((1000, 1000), (1101, 1101), None),
    ((1100, 1100), (1000, 1000), 1100),
    ((1101, 1101), (1000, 1000), None),
    ((500, 1000), (1100, 2000), 500),
    ((500, 1000), (1101, 2000), None),
])  # fmt: skip
def test_a_dose_as_ordered_and_as_calculated_is_one_within_a_tenth(
    ordered: tuple[int, int], calculated: tuple[int, int], low: int | None
) -> None:
    def ends(numbers: tuple[int, int]) -> tuple[DoseAmount, DoseAmount]:
        line = a_dosage(numbers[0], to=numbers[1])
        assert line.low is not None
        assert line.high is not None
        return line.low, line.high

    both = (ends(ordered), ends(calculated))
    line = structs.replace(a_dosage(), low=None, high=None, by_type=both)
    assert understand([line], SOLUTION, None, G).single_low == low


@each("stated, is_one", [
    ("1", True), ("1.05", True), ("1.051", False), ("0.95", True), ("0.949", False), ("20", False),
    ("31.5", True), ("31.51", False), ("28.5", True), ("28.49", False),
])  # fmt: skip
def test_a_volume_in_words_is_one_of_the_known_within_the_rounding_of_a_syringe(
    stated: str, is_one: bool
) -> None:
    assert said._is_one_of(D(stated), [D(1), D(30)]) is is_one


@each("days, in_words, agree", [
    ("100", "100", True), ("100", "117.6", True), ("100", "117.7", False),
    ("100", "87", True), ("100", "86.9", False), ("100", "10", False),
])  # fmt: skip
def test_a_length_in_words_agrees_within_the_days_of_a_month(
    days: str, in_words: str, agree: bool
) -> None:
    line = structs.replace(a_dosage(), days=D(days))
    lines = understand([line], SOLUTION, None, G).lines
    stated = Stated(days=(D(in_words),))
    assert said._lasts_as_stated(lines, stated) is agree


@each("goes_on, in_words, agree", [
    (False, "13.9", False), (False, "14", True), (True, "13.9", True), (True, "14", True),
])  # fmt: skip
def test_a_line_without_an_end_may_be_a_first_phase(
    goes_on: bool, in_words: str, agree: bool
) -> None:
    lines = understand([a_dosage()], SOLUTION, None, G).lines
    stated = Stated(days=(D(in_words),), goes_on=goes_on)
    assert said._lasts_as_stated(lines, stated) is agree


def test_an_order_ends_where_each_of_its_lines_does() -> None:
    early, late = date(2026, 3, 1), date(2026, 4, 1)
    ending = [structs.replace(a_dosage(), ends=one) for one in (late, early)]
    assert last_day(ending) == late
    assert last_day([*ending, a_dosage()]) is None
    assert last_day([]) is None


@each("route, spinal", [
    (Code(SNOMED, "72607000", ""), True), (Code(SNOMED, "78421000", ""), False), (None, False),
])  # fmt: skip
def test_the_spinal_canal_is_known_by_its_code_alone(route: Code | None, spinal: bool) -> None:
    assert is_spinal(a_dosage(route=route), G) is spinal
    assert is_spinal(a_dosage(route=route, text="intrathecal"), G)


@each("said, written, both", [
    ("parenteral", "intramuscular", "intramuscular"),
    ("intramuscular", "parenteral", "intramuscular"),
    ("parenteral", "parenteral", "parenteral"),
    ("parenteral", "oral", ""),
    ("oral", "nasal", ""),
    ("oral", "oral", "oral"),
    ("oral", "", "oral"),
    ("intramuscular", "subcutaneous", ""),
])  # fmt: skip
def test_by_injection_and_a_place_are_the_place(said: Way, written: Way, both: str) -> None:
    def ways(of: str) -> Any:
        return frozenset({of}) if of else frozenset()

    assert agreed(ways(said), ways(written)) == ways(both)


@each("times, days, frequent", [(1, 1, True), (1, 2, True), (1, 3, False), (2, 4, True),
                                (2, 5, False), (3, 7, False), (4, 7, True)])  # fmt: skip
def test_alternate_days_are_frequent(times: int, days: int, frequent: bool) -> None:
    def line(route: Code, *, as_needed: bool = False) -> Any:
        sent = a_dosage(times=times, days=days, route=route, as_needed=as_needed)
        return understand([sent], INJECTION, None, G).lines[0]

    assert line(MUSCLE).is_frequent is frequent
    assert not line(MUSCLE, as_needed=True).is_frequent
    assert not line(ORAL).is_frequent


@each("least, days, given", [
    (False, 14, 4000), (True, 14, 1000), (False, 7, 2000), (True, 7, 500), (False, 1000, 6000),
])  # fmt: skip
def test_what_a_line_gives_at_most_and_at_least(*, least: bool, days: int, given: int) -> None:
    """500 to 1000 micrograms once or twice a week, six doses."""
    sent = a_dosage(500, to=1000, schedule=Schedule(D(1), D(2), D(7), D(1)), count=6)
    (line,) = understand([sent], SOLUTION, None, G).lines
    assert line.within(D(days), least=least) == given
    assert line.within(D(days)) == line.within(D(days), least=False)


def test_the_volume_of_a_day_is_known_by_how_often_its_dose_is_given() -> None:
    sent = line(amount(1, "mL"))
    by_the_day = Line(low=D(1000), high=D(1000), day=D(1500))
    assert said._volumes_of(by_the_day, sent, PLAIN) == {D(1), D("1.5")}


@each("words, volumes", [
    ("of 1 ampoule then give 3 mL", {D(3)}), ("ampoule 3 mL", set()), ("3 mL ampoule", set()),
    ("3 mL of the ampoule", {D(3)}), ("give from an ampoule now 3 mL", {D(3)}),
])  # fmt: skip
def test_a_volume_next_to_its_ampoule_is_the_container(words: str, volumes: set[Decimal]) -> None:
    assert said._volumes_in(words, G) == volumes


@each("low, high, single", [(None, 900, (None, 450)), (900, None, (450, None))])
def test_one_end_is_enough_for_the_amount_of_a_day(
    low: int | None, high: int | None, single: tuple[int | None, int | None]
) -> None:
    def a_day(value: int | None) -> DoseAmount | None:
        return None if value is None else amount(value, per_day=True)

    seen = gives(line(schedule=TWICE_DAILY, low=a_day(low), high=a_day(high)))
    assert (seen.lines[0].low, seen.lines[0].high) == single


def test_the_amount_of_a_day_is_shared_among_the_most_times_for_the_least() -> None:
    twice_or_three_times_in_two_days = Schedule(D(2), D(3), D(2), D(2))
    daily = amount(900, per_day=True)
    seen = gives(line(daily, twice_or_three_times_in_two_days))
    assert (seen.lines[0].low, seen.lines[0].high) == (D(600), D(900))


@each("alone, times", [(2001, "2"), (2499, "2"), (2600, "3"), (25_400, "25")])
def test_an_excess_in_words_is_told_in_whole_times_of_a_dose(alone: int, times: str) -> None:
    (told,) = said.excess_in_words(D(alone), G)
    assert f"{told.values['times']}" == times


def test_lines_with_numbers_keep_them_and_lines_that_follow_get_theirs() -> None:
    then = structs.replace(line(amount(1000), WEEKLY), text="then weekly")
    first = line(amount(1000), DAILY)
    numbered = [structs.replace(first, sequence=2), structs.replace(then, sequence=1)]
    assert [one.sequence for one in lines_in_turn(numbered, G)] == [2, 1]
    assert [one.sequence for one in lines_in_turn([first, then], G)] == [1, 2]


@each("display, shown", [("with a straw", "with a straw"), ("", "local-7")])
def test_an_instruction_is_named_by_its_display_or_its_code(display: str, shown: str) -> None:
    asked = Instruction((Code("urn:local", "local-7", display),), "")
    (told,) = gives(line(amount(1000), instructions=(asked,))).problems
    assert told.values["words"] == shown


def test_an_order_is_remembered_by_what_it_says_unless_that_is_long() -> None:
    def new(words: str) -> int:
        before = dosing._understood.cache_info().currsize
        gives(line(amount("1000.5"), text=words))
        return dosing._understood.cache_info().currsize - before

    dosing._understood.cache_clear()
    assert new("n" * LONGEST_NAME) == 1
    assert new("n" * (LONGEST_NAME + 1)) == 0
