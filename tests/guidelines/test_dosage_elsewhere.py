"""Dosage as it is written elsewhere: lines of one day, ranges, pieces in other languages, words."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from builders import (
    HYDROXOCOBALAMIN,
    SEIZURE,
    TABLET,
    G,
    Seen,
    a_draft,
    a_level,
    a_record,
    in_force,
    levels_drafted,
    see,
    see_orders,
)

from cds_service.clinical import DraftDosage, Record, dose_unit
from cds_service.fhir import loose
from cds_service.fhir.dosages import read_dosages
from cds_service.guidelines.b12_under_two.dosing import Dosing, understand
from cds_service.guidelines.b12_under_two.messages import Doubts
from cds_service.guidelines.b12_under_two.products import recognise
from cds_service.language import say

Json = dict[str, Any]
UCUM = "http://unitsofmeasure.org"


def sent(*lines: Json) -> tuple[DraftDosage, ...]:
    order = loose.decode(json.dumps({"dosageInstruction": list(lines)}).encode())
    return read_dosages(order)


def a_line(dose: float | None = 500, unit: str = "ug", **members: Any) -> Json:
    line: Json = {"route": {"text": "oral"}, **members}
    if dose is not None:
        quantity = {"value": dose, "unit": unit}
        line["doseAndRate"] = [{"doseQuantity": quantity}]
    return line


def at(*when: str, **members: Any) -> Json:
    return {"timing": {"repeat": {"when": list(when), **members}}}


def daily(**members: Any) -> Json:
    return {"timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d", **members}}}


def read(*lines: Json) -> Dosing:
    return understand(sent(*lines), recognise((), "cyanocobalamin 1 mg/mL drops", G), None, G)


def said(*lines: Json, record: Record | None = None, **but: Any) -> Seen:
    drug = {"code": None, "text": "cyanocobalamin 1 mg/mL oral solution", **but}
    return see_orders(record or a_record(), a_draft(*sent(*lines), **drug), *levels_drafted())


# --- the lines of one day -------------------------------------------------------------------------


@pytest.mark.parametrize("numbered", [False, True])
@pytest.mark.parametrize(
    ("times", "day"),
    [
        (("MORN", "EVE"), 1000),
        (("MORN", "NOON", "EVE"), 1500),
        (("MORN", "NOON", "EVE", "HS"), 2000),
        (("ACM", "ACD", "ACV"), 1500),
    ],
)
def test_times_of_the_day_in_lines_of_their_own_are_one_day(
    times: tuple[str, ...], day: int, numbered: bool
) -> None:
    lines = [
        a_line(500, **at(time), **({"sequence": place} if numbered else {}))
        for place, time in enumerate(times, 1)
    ]
    dosing = read(*lines)
    assert dosing.day_most == day
    assert (dosing.average_low, dosing.average_high) == (day, day)
    assert dosing.within(Decimal(14)) == 14 * day
    assert not dosing.problems


def test_times_by_the_clock_are_one_day_too() -> None:
    lines = [
        a_line(500, sequence=place, timing={"repeat": {"timeOfDay": [time]}})
        for place, time in enumerate(("08:00:00", "20:00:00"), 1)
    ]
    assert read(*lines).day_most == 1000


def test_three_thousand_in_three_numbered_lines_are_far_too_much() -> None:
    lines = [
        a_line(1000, sequence=place, **at(time))
        for place, time in enumerate(("MORN", "NOON", "EVE"), 1)
    ]
    assert said(*lines).shows("ORD-04")


@pytest.mark.parametrize(
    "later",
    [
        a_line(500, sequence=2, **at("MORN")),
        a_line(500, sequence=2, text="then in the evening", **at("EVE")),
        a_line(500, sequence=2, **daily()),
        a_line(
            500, sequence=2, **at("EVE", boundsDuration={"value": 14, "unit": "d", "code": "d"})
        ),
    ],
)
def test_numbered_lines_that_are_not_parts_of_a_day_follow_one_another(later: Json) -> None:
    assert read(a_line(500, sequence=1, **at("MORN")), later).day_most == 500


# --- ranges, judged at both ends ------------------------------------------------------------------


def a_range(low: float, high: float, **members: Any) -> Json:
    ends = {end: {"value": value, "unit": "ug", "system": UCUM, "code": "ug"}
            for end, value in (("low", low), ("high", high))}  # fmt: skip
    return {"route": {"text": "oral"}, "doseAndRate": [{"doseRange": ends}], **members}


@pytest.mark.parametrize(
    ("low", "high", "cards"),
    [
        (4, 1000, {"ORD-07"}),
        (5, 1000, {"ORD-07"}),
        (6, 1000, {"ORD-16"}),
        (300, 1000, {"ORD-16"}),
        (600, 1000, set()),
        (600, 1001, {"ORD-03"}),
        (600, 2001, {"ORD-04"}),
        (300, 1500, {"ORD-03", "ORD-16"}),
    ],
)
def test_a_range_of_doses_is_judged_at_both_ends(low: int, high: int, cards: set[str]) -> None:
    seen = said(a_range(low, high, **daily()))
    assert {one for one in ("ORD-03", "ORD-04", "ORD-07", "ORD-07.tenth", "ORD-16")
            if seen.shows(one)} == cards  # fmt: skip


@pytest.mark.parametrize(
    ("repeat", "cards"),
    [
        ({"frequencyMax": 2}, {"ORD-03"}),
        ({"frequencyMax": 3}, {"ORD-04"}),
        ({"periodMax": 2}, set()),
        ({"periodMax": 4}, {"ORD-16"}),
    ],
)
def test_a_range_of_times_is_judged_at_both_ends(repeat: Json, cards: set[str]) -> None:
    seen = said(a_line(1000, **daily(**repeat)))
    assert {one for one in ("ORD-03", "ORD-04", "ORD-16") if seen.shows(one)} == cards


def typed(ordered: Json, calculated: Json, *, in_words: bool = False) -> Json:
    """A line whose dose was sent as ordered and as calculated, the latter first."""
    doses = [
        {
            "type": {"text": kind.capitalize()} if in_words else {"coding": [{"code": kind}]},
            "doseRange" if "low" in dose else "doseQuantity": dose,
        }
        for kind, dose in (("calculated", calculated), ("ordered", ordered))
    ]
    return {"route": {"text": "oral"}, "doseAndRate": doses, **daily()}


def an_amount(value: float, unit: str = "ug") -> Json:
    return {"value": value, "unit": unit}


@pytest.mark.parametrize("in_words", [False, True])
@pytest.mark.parametrize(
    ("ordered", "calculated", "weight", "single"),
    [
        (an_amount(1000), an_amount(1100), None, 1000),
        (an_amount(1100), an_amount(1000), None, 1100),
        (an_amount(1000), an_amount(1, "mg"), None, 1000),
        (an_amount(1, "mL"), an_amount(1, "mg"), None, 1000),
        (an_amount(150, "ug/kg"), an_amount(1000), Decimal("6.8"), 1000),
        (
            an_amount(1000),
            {"low": an_amount(900), "high": an_amount(1100)},
            None,
            1000,
        ),
    ],
)
def test_a_dose_as_ordered_and_as_calculated_is_one_where_both_agree(
    ordered: Json, calculated: Json, weight: Decimal | None, single: int, *, in_words: bool
) -> None:
    lines = sent(typed(ordered, calculated, in_words=in_words))
    dosing = understand(lines, recognise((), "cyanocobalamin 1 mg/mL drops", G), weight, G)
    assert (dosing.single_low, dosing.single_high) == (single, single)
    assert not dosing.problems


@pytest.mark.parametrize(
    ("ordered", "calculated", "card"),
    [
        (an_amount(1000), an_amount(1101), "ORD-03"),
        (an_amount(1000, "mg"), an_amount(1000), "ORD-04"),
        (an_amount(1000), an_amount(1000, "mg"), "ORD-04"),
        (an_amount(1000), an_amount(100), "ORD-16"),
    ],
)
def test_a_dose_as_ordered_against_another_as_calculated_is_a_warning(
    ordered: Json, calculated: Json, card: str
) -> None:
    seen = said(typed(ordered, calculated))
    assert seen.shows(card)
    assert seen.outcome("ORD-09").indicator == "warning"
    assert seen.says("as calculated")


def test_doses_that_do_not_say_their_type_are_the_ends_of_one() -> None:
    doses = [{"doseQuantity": an_amount(one)} for one in (1000, 500)]
    dosing = read({"route": {"text": "oral"}, "doseAndRate": doses, **daily()})
    assert (dosing.single_low, dosing.single_high) == (500, 1000)
    assert not dosing.problems


# --- pieces ---------------------------------------------------------------------------------------

TABLETS = (
    "Tablette", "Tabletten", "Tbl.", "tabl.", "comprimé", "comprimés", "cpr", "comprimido",
    "compressa", "tabletka", "таблетка", "табл.", "錠", "片", "Tablet (unit of presentation)",
)  # fmt: skip
PIECES = ("Stück", "Stk.", "stuk", "stuks", "個", "szt.", "unité", "шт")


@pytest.mark.parametrize("unit", [*TABLETS, *PIECES])
def test_a_piece_is_counted_in_any_of_these_languages(unit: str) -> None:
    seen = said(a_line(3, unit, **daily()), code=TABLET, text="")
    assert seen.shows("ORD-04"), unit


@pytest.mark.parametrize("unit", ["Tropfen", "gouttes", "kropla", "капли", "滴", "druppels"])
def test_drops_are_drops(unit: str) -> None:
    found = dose_unit(unit)
    assert found is not None
    assert found.thing == "drop"


@pytest.mark.parametrize("unit", ["Messlöffel", "kom", "tablespoon", "Tabak", "stone", "個人"])
def test_what_is_not_known_is_no_unit(unit: str) -> None:
    assert dose_unit(unit) is None


@pytest.mark.parametrize(
    ("unit", "micrograms"),
    [("Mikrogramm", 500), ("мкг", 500), ("微克", 500), ("мг", 500_000), ("ミリグラム", 500_000)],
)
def test_a_mass_in_words_of_other_languages_is_read(unit: str, micrograms: int) -> None:
    assert read(a_line(500, unit, **daily())).single_high == micrograms


# --- words alone ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "excessive"),
    [
        ("1000 mg daily by mouth", True),
        ("1 g once", True),
        ("give 3 mg every day", True),
        ("2 mg daily", False),
        ("1000 micrograms daily", False),
        ("1 mL (1 mg/mL) daily", False),
        ("10 mg/mL, 0.1 mL daily", False),
        ("1,000 mg daily", False),
        ("one dropper daily", False),
    ],
)
def test_words_alone_choose_no_dose_and_warn_of_far_too_much(text: str, excessive: bool) -> None:
    adequate = a_record(level=a_level(250))
    seen = said({"text": text}, record=adequate)
    assert seen.shows("ORD-09")
    assert seen.says("times the usual 1000 micrograms") is excessive
    (card,) = [one for one in seen.outcomes if getattr(one, "card", "") == "ORD-09"]
    assert getattr(card, "indicator", "") == ("warning" if excessive else "info")
    assert not seen.drugs
    assert not seen.shows("ORD-04")


def test_a_structure_beside_words_that_state_far_more_shows_both() -> None:
    seen = said(a_line(1000, text="1000 mg daily", **daily()))
    assert seen.shows("ORD-09")
    assert seen.says("1000 mg daily")
    assert not seen.says("times the usual")


COUNTING_OTHERWISE = (
    "一次1片，一日3次", "1日3回 1回1錠", "1일 3회", "4 times a day", "3 maal per dag", "1-1-1-0",
    "3 раза в сутки", "cada 8 horas", "วันละ 3 ครั้ง",
)  # fmt: skip


def test_words_that_count_otherwise_are_shown_beside_the_structure() -> None:
    for words in COUNTING_OTHERWISE:
        assert said(a_line(1000, text=words, **daily())).says(f'its words "{words}"'), words
    thrice = a_line(300, text="1日3回", **daily(frequency=3))
    assert not said(thrice).says("its words")


def test_a_dose_that_stands_only_in_the_words_of_the_whole_order_is_in_words_only() -> None:
    drug = recognise((), "cyanocobalamin 1 mg/mL drops", G)
    for words, doubt in (
        ("1-1-1", say(Doubts.dose_in_words, words="1-1-1")),
        ("after meals", say(Doubts.no_dose)),
    ):
        order = understand((), drug, None, G, notes=(words,))
        assert order.problems == (doubt,)
        assert not order.contradicts


# --- orders in force ------------------------------------------------------------------------------


def test_lines_of_one_day_in_force_are_one_day() -> None:
    lines = sent(*(a_line(1000, sequence=place, **at(time))
                   for place, time in enumerate(("MORN", "NOON", "EVE"), 1)))  # fmt: skip
    assert see(a_record(medications=[in_force(*lines)])).shows("ORD-04.active")


def test_injections_in_the_morning_and_the_evening_are_twice_a_day() -> None:
    lines = [
        {**a_line(1000, sequence=place, **at(time)), "route": {"text": "intramuscular"}}
        for place, time in enumerate(("MORN", "EVE"), 1)
    ]
    seen = see_orders(a_record(problems=[SEIZURE]), a_draft(*sent(*lines), code=HYDROXOCOBALAMIN))
    assert seen.shows("ORD-03")
