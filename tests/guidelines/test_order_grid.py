"""A grid of orders against a calculation of its own: dose, frequency, duration, route, substance,
child and age.

What an order gives is counted here dose by dose, the first on the first day; the regimens, the
limits and the published schedules are written down here again, from the guideline's words. Nothing
of the service's arithmetic is used. Orders are read as FHIR, so that the reading of times is held
as well.

``make test`` takes a sample, always the same one (see `sampling`); ``make
prove`` takes them all.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from fractions import Fraction
from functools import cache
from itertools import product
from math import ceil, floor
from typing import Any, Literal, NamedTuple

import pytest
from builders import (
    CYANOCOBALAMIN,
    FAILURE_TO_THRIVE,
    HYDROXOCOBALAMIN,
    ON,
    ORAL_SOLUTION,
    SEIZURE,
    SNOMED,
    VIAL,
    a_draft,
    a_level,
    a_record,
    levels_drafted,
    months_old,
    see_orders,
)
from sampling import chosen

from cds_service.clinical import Code, Record
from cds_service.fhir import loose
from cds_service.fhir.dosages import read_dosages
from cds_service.guidelines.engine import Recommend

SAMPLE = 800
WINDOW = 14

Json = dict[str, Any]
State = Literal["mild", "moderate", "severe", "signs", "borderline", "adequate"]


class Timed(NamedTuple):
    """So many times in a period, as FHIR writes it; without a period it is given once."""

    times: int
    period: int
    unit: str

    @property
    def days(self) -> int:
        return self.period * {"": 0, "d": 1, "wk": 7, "mo": 30}[self.unit]


class Way(NamedTuple):
    """A route with the product that goes by it."""

    name: Literal["oral", "sublingual", "muscle", "skin"]
    route: Code
    drug: Code
    substance: str

    @property
    def injected(self) -> bool:
        return self.name in ("muscle", "skin")


class Ordered(NamedTuple):
    dose: int
    unit: Literal["ug", "mg", "mL"]
    timed: Timed
    lasting: int | None
    way: Way
    state: State
    age: int | None
    """In months; ``None`` is under one month."""


# --- the grid -------------------------------------------------------------------------------------

DOSES = (4, 25, 50, 100, 101, 250, 400, 500, 900, 1000, 1100, 2001)
TIMED = (
    Timed(1, 0, ""), Timed(3, 1, "d"), Timed(2, 1, "d"), Timed(1, 1, "d"), Timed(1, 2, "d"),
    Timed(3, 1, "wk"), Timed(2, 1, "wk"), Timed(1, 1, "wk"), Timed(1, 2, "wk"), Timed(1, 1, "mo"),
    Timed(1, 2, "mo"), Timed(1, 3, "mo"),
)  # fmt: skip
LASTING = (None, 3, 7, 14, 15)
WAYS = (
    Way("oral", Code(SNOMED, "26643006", "Oral route"), ORAL_SOLUTION, "cyanocobalamin"),
    Way("oral", Code(SNOMED, "26643006", "Oral route"), HYDROXOCOBALAMIN, "hydroxocobalamin"),
    Way("sublingual", Code(SNOMED, "37839007", "Sublingual route"), CYANOCOBALAMIN,
        "cyanocobalamin"),
    Way("sublingual", Code(SNOMED, "37839007", "Sublingual route"),
        Code("", "", "methylcobalamin drops"), "methylcobalamin"),
    Way("muscle", Code(SNOMED, "78421000", "Intramuscular route"), HYDROXOCOBALAMIN,
        "hydroxocobalamin"),
    Way("muscle", Code(SNOMED, "78421000", "Intramuscular route"), VIAL, "cyanocobalamin"),
    Way("skin", Code(SNOMED, "34206005", "Subcutaneous route"), HYDROXOCOBALAMIN,
        "hydroxocobalamin"),
)  # fmt: skip
STATES: dict[State, Callable[..., Record]] = {
    "mild": a_record,
    "moderate": lambda **but: a_record(problems=[FAILURE_TO_THRIVE], **but),
    "severe": lambda **but: a_record(level=a_level(80), **but),
    "signs": lambda **but: a_record(problems=[SEIZURE], **but),
    "borderline": lambda **but: a_record(level=a_level(250), problems=[SEIZURE], **but),
    "adequate": lambda **but: a_record(level=a_level(400), **but),
}
AGES = (None, 2, 6, 13)


def grid() -> Iterator[Ordered]:
    """Every combination, each dose in one of the units that its number and product allow."""
    for place, (dose, timed, lasting, way, state, age) in enumerate(
        product(DOSES, TIMED, LASTING, WAYS, STATES, AGES)
    ):
        if lasting is not None and not timed.days:
            continue  # what is given once has no length
        in_ml = way.drug not in (CYANOCOBALAMIN,) and way.substance != "methylcobalamin"
        units: tuple[Literal["ug", "mg", "mL"], ...] = ("ug", "mg", "mL") if in_ml else ("ug", "mg")
        yield Ordered(dose, units[place % len(units)], timed, lasting, way, state, age)


@cache
def every_order() -> tuple[Ordered, ...]:
    return tuple(grid())


DEFICIENT = ("mild", "moderate", "severe", "signs")


# --- what an order gives, dose by dose --------------------------------------------------------


def doses_in(timed: Timed, days: int) -> int:
    """How many are given on the first ``days`` days."""
    if not timed.days:
        return timed.times
    every, at, number = Fraction(timed.days, timed.times), Fraction(0), 0
    while at < days:
        at, number = at + every, number + 1
    return number


def in_two_weeks(order: Ordered) -> int:
    lasting = WINDOW if order.lasting is None else min(WINDOW, order.lasting)
    return order.dose * doses_in(order.timed, lasting)


def regimen(order: Ordered) -> int:
    """1000 micrograms each: by mouth seven daily and then every other day; injected every other
    day with neurological signs, else weekly."""
    if not order.way.injected:
        return 1000 * (doses_in(Timed(1, 1, "d"), 7) + doses_in(Timed(1, 2, "d"), 7))
    alternate = order.state in ("signs", "borderline")
    return 1000 * doses_in(Timed(1, 2, "d") if alternate else Timed(1, 1, "wk"), WINDOW)


def on_one_day(order: Ordered) -> int:
    a_day = Fraction(order.timed.times, order.timed.days or 1)
    return order.dose * max(1, -(-a_day.numerator // a_day.denominator))


def on_average(order: Ordered) -> Fraction:
    return Fraction(order.dose * order.timed.times, order.timed.days or 1)


class Published(NamedTuple):
    """A first phase: route, least and most of one dose, how often, at least so many days, and
    for which child."""

    ways: tuple[str, ...]
    least: Fraction
    most: Fraction
    timed: tuple[Timed, ...]
    lasting: int
    states: tuple[State, ...]
    substance: str = ""
    below_month: int = 24


DAILY, ALTERNATE, WEEKLY, ONCE = TIMED[3], TIMED[4], TIMED[7], TIMED[0]
GRADED: tuple[State, ...] = ("mild", "moderate")
INJECTED = ("muscle", "skin")


def published(
    ways: tuple[str, ...], least: float, most: float, timed: tuple[Timed, ...], lasting: int,
    states: tuple[State, ...], substance: str = "", below_month: int = 24,
) -> Published:  # fmt: skip
    ends = Fraction(str(least)), Fraction(str(most))
    return Published(ways, *ends, timed, lasting, states, substance, below_month)


PUBLISHED = (
    published(("oral",), 500, 500, (DAILY,), 3, GRADED),
    published(("oral",), 50, 105, (DAILY,), 14, GRADED, "cyanocobalamin"),
    published(("oral",), 25, 52.5, (Timed(2, 1, "d"),), 14, GRADED, "cyanocobalamin"),
    published(("oral",), 17, 35, (Timed(3, 1, "d"),), 14, GRADED, "cyanocobalamin"),
    published(("sublingual",), 1000, 1000, (DAILY,), 7, ("mild",), "methylcobalamin"),
    published(("sublingual",), 500, 500, (DAILY,), 14, GRADED),
    published(("oral", *INJECTED), 500, 500, (Timed(2, 1, "wk"),), 14, GRADED),
    published(("oral",), 500, 1000, (DAILY,), 14, GRADED),
    published(INJECTED, 1000, 1000, (WEEKLY,), 14, (*GRADED, "severe")),
    published(INJECTED, 1000, 1000, (DAILY, Timed(3, 1, "wk")), 14, DEFICIENT),
    published(INJECTED, 250, 1000, (DAILY, ALTERNATE), 7, GRADED),
    published(INJECTED, 400, 400, (ONCE,), 1, ("mild",), "hydroxocobalamin", 7),
)


def follows(order: Ordered) -> bool:
    """Whether it is a published schedule for this child: the same route and frequency, a dose
    within a tenth of it, and at least as long."""
    return order.age is not None and any(
        order.way.name in one.ways
        and one.least * Fraction(9, 10) <= order.dose <= one.most * Fraction(11, 10)
        and order.timed in one.timed
        and (order.lasting is None or order.lasting >= one.lasting)
        and order.state in one.states
        and one.substance in ("", order.way.substance)
        and order.age < one.below_month
        for one in PUBLISHED
    )


# --- what the service says --------------------------------------------------------------------

AMOUNTS = {"ug": Fraction(1), "mg": Fraction(1, 1000), "mL": Fraction(1, 1000)}
TOO_MUCH = {"ORD-03", "ORD-04"}
TOO_LITTLE = {"ORD-07", "ORD-07.tenth", "ORD-07.published", "ORD-16"}


def as_fhir(order: Ordered, **beside: Any) -> Json:
    repeat: Json = {"count": 1}
    if order.timed.days:
        repeat = {
            "frequency": order.timed.times,
            "period": order.timed.period,
            "periodUnit": order.timed.unit,
        }
        if order.lasting is not None:
            repeat["boundsDuration"] = {"value": order.lasting, "unit": "d", "code": "d"}
    amount = order.dose * AMOUNTS[order.unit]
    dose = {"value": float(amount), "unit": order.unit, "code": order.unit}
    coding = {
        "system": order.way.route.system,
        "code": order.way.route.code,
        "display": order.way.route.display,
    }
    line = {
        "timing": {"repeat": repeat},
        "route": {"coding": [coding]},
        "doseAndRate": [{"doseQuantity": {"system": "http://unitsofmeasure.org", **dose}}],
        **beside,
    }
    sent: Json = loose.decode(json.dumps({"dosageInstruction": [line]}).encode())
    return sent


def birth(order: Ordered) -> date:
    return ON - timedelta(20) if order.age is None else months_old(order.age)


def said_of(order: Ordered, kind: str = "drug", **beside: Any) -> dict[str, str]:
    """The cards about the order, each with its indicator; ``beside`` is more of its line."""
    drug = order.way.drug
    draft = a_draft(
        *read_dosages(as_fhir(order, **beside)),
        code=drug if drug.code else None,
        text=drug.display,
        kind=kind,
    )
    seen = see_orders(STATES[order.state](birth=birth(order)), draft, *levels_drafted())
    return {
        one.card: one.indicator
        for one in seen.outcomes
        if isinstance(one, Recommend) and one.card.startswith("ORD-") and one.card != "ORD-08"
    }


# --- what is expected of it -------------------------------------------------------------------


def too_much(order: Ordered) -> set[str]:
    most = max(order.dose, on_one_day(order))
    return {"ORD-04"} if most > 2000 else {"ORD-03"} if most > 1000 else set()


def too_little(order: Ordered) -> set[str]:
    """Of the cards of small doses the gravest speaks; nothing is called small where a unit
    was probably confused, and none where nothing is to be treated."""
    if too_much(order) == {"ORD-04"}:
        return set()
    begins = order.age is not None
    scant = begins and 2 * in_two_weeks(order) <= regimen(order) and not follows(order)
    if order.state == "borderline":
        return {"ORD-16"} if scant else set()
    if order.state not in DEFICIENT:
        return set()
    if on_average(order) <= 5:
        return {"ORD-07"}
    weekly = order.way.injected and order.timed == WEEKLY and order.state == "signs"
    pressing = order.state in ("severe", "signs") and not (weekly and 900 <= order.dose <= 1100)
    if scant and pressing:
        return {"ORD-16"}
    less = order.dose <= 100 or 2 * in_two_weeks(order) <= regimen(order)
    if follows(order) and less:
        return {"ORD-07.published"}
    if scant:
        return {"ORD-16"}
    return {"ORD-07.tenth"} if order.dose <= 100 else set()


#: How grave a tenth of the dose is that is not half of the regimen or less in two weeks.
OF_A_TENTH = {"mild": "info", "moderate": "info", "severe": "warning", "signs": "critical"}


def frequent_for_long(order: Ordered) -> bool:
    often = bool(order.timed.days) and 2 * order.timed.times >= order.timed.days
    return order.way.injected and often and (order.lasting is None or order.lasting > WINDOW)


def check(order: Ordered) -> None:
    said = said_of(order)
    assert set(said) & TOO_MUCH == too_much(order), (order, said)
    assert set(said) & TOO_LITTLE == too_little(order), (order, said)
    confused = too_much(order) == {"ORD-04"}
    if "ORD-07.tenth" in said:
        assert said["ORD-07.tenth"] == OF_A_TENTH[order.state], order
    assert ("ORD-17" in said) == (frequent_for_long(order) and not confused), (order, said)
    needless = order.state == "adequate" and on_average(order) > 5
    assert ("ORD-20" in said) == (needless and not confused), (order, said)
    assert_the_promises(order, said)


def assert_the_promises(order: Ordered, said: dict[str, str]) -> None:
    """What holds of every order, however the cards are called."""
    half = 2 * in_two_weeks(order) <= regimen(order)
    if order.state in DEFICIENT and half and order.age is not None and not follows(order):
        about = {card for card in said if card not in ("ORD-17", "ORD-12")}
        assert about, f"half of the regimen or less passes as right: {order}"
        if order.state in ("severe", "signs"):
            urgent = [one for one in about if said[one] in ("warning", "critical")]
            assert urgent, f"too little in a pressing state, and only information: {order}"
    if order.dose <= 100 and order.state == "signs" and "ORD-05" not in said:
        assert "critical" in said.values(), f"a tenth with signs of the nerves: {order}"
    if follows(order) and order.dose <= 1000 and on_one_day(order) <= 1000:
        errors = {"ORD-03", "ORD-04", "ORD-07", "ORD-07.tenth", "ORD-16"}
        assert not errors & set(said), f"a published schedule is called an error: {order}"
    if order.state in ("severe", "signs") and not order.way.injected:
        assert said.get("ORD-02") == "critical", order


# --- what is written next to the structure -------------------------------------------------------

HOW_OFTEN = {
    (3, 1, "d"): "three times daily", (2, 1, "d"): "twice daily", (1, 1, "d"): "once daily",
    (1, 2, "d"): "every other day", (3, 1, "wk"): "three times a week",
    (2, 1, "wk"): "twice a week", (1, 1, "wk"): "once a week", (1, 2, "wk"): "every 2 weeks",
    (1, 1, "mo"): "once a month", (1, 2, "mo"): "every 2 months", (1, 3, "mo"): "every 3 months",
    (1, 0, ""): "",
}  # fmt: skip
BY_WHAT_WAY = {
    "oral": "by mouth", "sublingual": "under the tongue", "muscle": "into the muscle",
    "skin": "under the skin",
}  # fmt: skip


def in_words(order: Ordered, times: int = 1) -> str:
    """What the structure says, for people; ``times`` the dose."""
    lasting = f"for {order.lasting} days" if order.lasting is not None else ""
    parts = (
        f"{order.dose * times} micrograms", BY_WHAT_WAY[order.way.name],
        HOW_OFTEN[tuple(order.timed)], lasting,
    )  # fmt: skip
    return " ".join(one for one in parts if one)


def others(said: dict[str, str]) -> dict[str, str]:
    return {card: indicator for card, indicator in said.items() if card != "ORD-09"}


def check_beside(order: Ordered) -> None:
    """Words that say the same change nothing; words that say another dose or rhythm are asked
    about and hide nothing of what the structure gets; "as needed" and "do not give" are asked
    about, and hide nothing that is too much or goes the wrong way."""
    plain = said_of(order)
    assert said_of(order, text=in_words(order)) == plain, (order, in_words(order))
    wrong = [in_words(order, 10)]
    if order.timed.days:
        rhythm = "once a week" if order.timed.unit == "d" else "every day"
        wrong.append(f"{order.dose} micrograms {rhythm}")
    for text in wrong:
        said = said_of(order, text=text)
        assert said.get("ORD-09") == "warning", (order, text, said)
        assert others(said) == others(plain), (order, text)
    pressing = order.state != "adequate"
    for needed in ({"asNeededBoolean": True}, {"text": f"{in_words(order)} as needed"}):
        said = said_of(order, **needed)
        assert said.get("ORD-09") == ("warning" if pressing else "info"), (order, needed, said)
        # how much it gives in all is not known, what it may give at most is
        assert set(said) & TOO_MUCH == set(plain) & TOO_MUCH, (order, needed)
        assert said.get("ORD-02") == plain.get("ORD-02"), (order, needed)
    forbidden = said_of(order, kind="prohibition")
    grave = "warning" if order.state in DEFICIENT else "info"
    assert forbidden == {"ORD-09": grave}, (order, forbidden)


# --- the tests --------------------------------------------------------------------------------


def test_there_are_at_least_ten_thousand_orders_in_the_grid() -> None:
    assert len(every_order()) == len(set(every_order())) >= 10_000
    for name, values in {"dose": DOSES, "timed": TIMED, "lasting": LASTING}.items():
        assert {getattr(one, name) for one in every_order()} == set(values)


def test_the_doses_of_two_weeks_are_counted_as_people_count_them() -> None:
    """Against counts by hand, so that two wrong calculations cannot agree."""
    by_hand = {
        Timed(1, 1, "d"): 14, Timed(2, 1, "d"): 28, Timed(1, 2, "d"): 7, Timed(3, 1, "wk"): 6,
        Timed(2, 1, "wk"): 4, Timed(1, 1, "wk"): 2, Timed(1, 2, "wk"): 1, Timed(1, 3, "mo"): 1,
        Timed(1, 0, ""): 1,
    }  # fmt: skip
    assert {timed: doses_in(timed, WINDOW) for timed in by_hand} == by_hand


@pytest.mark.parametrize("part", range(8))
def test_a_sample_of_the_orders_is_judged_as_calculated_here(part: int) -> None:
    for order in chosen(every_order()[part::8], SAMPLE // 8, str(part)):
        check(order)


@pytest.mark.long
@pytest.mark.parametrize("part", range(32))
def test_every_order_is_judged_as_calculated_here(part: int) -> None:
    for order in every_order()[part::32]:
        check(order)


@pytest.mark.parametrize("part", range(8))
def test_words_needs_and_prohibitions_beside_a_sample_of_the_orders(part: int) -> None:
    for order in chosen(every_order()[part::8], SAMPLE // 40, str(part)):
        check_beside(order)


@pytest.mark.long
@pytest.mark.parametrize("part", range(32))
def test_words_needs_and_prohibitions_beside_every_order(part: int) -> None:
    for order in every_order()[part::32]:
        check_beside(order)


@pytest.mark.parametrize("place", range(len(PUBLISHED)))
def test_a_published_schedule_is_followed_within_a_tenth_of_its_dose(place: int) -> None:
    """Below, on and above: at nine tenths of the least dose, and at eleven tenths of the most."""
    one = PUBLISHED[place]
    way = next(way for way in WAYS if way.name in one.ways and one.substance in ("", way.substance))
    lasting = one.lasting if one.timed[0].days else None
    order = Ordered(1000, "ug", one.timed[0], lasting, way, one.states[0], 6)
    least, most = one.least * Fraction(9, 10), one.most * Fraction(11, 10)
    for dose in (*around(least), *around(most)):
        check(order._replace(dose=dose))
    if lasting is not None and lasting > 1:
        check(order._replace(dose=round(one.least), lasting=lasting - 1))


def around(limit: Fraction) -> tuple[int, ...]:
    """Whole micrograms just below, on where there are such, and just above."""
    return tuple(sorted({floor(limit) - 1, floor(limit), ceil(limit), ceil(limit) + 1}))
