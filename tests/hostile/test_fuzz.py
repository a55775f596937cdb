"""Requests and dosages no one thought of: some in every run, many by `make fuzz`.

They grow from a seed corpus, the stories and the bodies written by hand. What is found becomes a
body in ``bodies.py`` or a test of its module.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

from bodies import BODIES, GOOD, MISFITS, STORIES, places, request_of
from hypothesis import given
from hypothesis import strategies as st

from cds_service.cdshooks.request import Request, parse_request
from cds_service.cdshooks.response import encode
from cds_service.consultation import EVALUATION_EXTENSION, Occasion, Service, consult, load_services
from cds_service.consultation.cards import SUMMARY_LIMIT
from cds_service.errors import BadRequest, DataUnavailable
from cds_service.fhir.dosages import read_dosage
from cds_service.guidelines.b12_under_two.dosing import Dosing, understand
from cds_service.guidelines.b12_under_two.products import recognise

SERVICES: Mapping[str, Service] = {one.hook: one for one in load_services()}
G = SERVICES["order-sign"].guideline.data
LANGUAGE = SERVICES["order-sign"].language
SEEDS = sorted(one.name for one in STORIES.iterdir() if one.is_dir())
SMALL_SEEDS = [body for body in BODIES.values() if len(body) < 20_000]
HOLE = "\u2603"

JSON_TEXTS = st.one_of(
    st.sampled_from(MISFITS),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.integers().map(str),
    st.text(max_size=30).map(json.dumps),
    st.dates(date(1, 1, 1), date(9999, 12, 31)).map(lambda day: f'"{day}"'),
    st.datetimes().map(lambda moment: f'"{moment.isoformat()}Z"'),
)


@cache
def seed(story: str) -> tuple[dict[str, Any], tuple[tuple[str | int, ...], ...]]:
    sent = request_of(story)
    return sent, tuple(places(sent))


def at(sent: Any, path: tuple[str | int, ...]) -> Any:
    for name in path:
        sent = sent[name]
    return sent


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, bytes]:
    """A story in which some values are others: misfits, or values from elsewhere in a story."""
    sent, _ = seed(draw(st.sampled_from(SEEDS)))
    hook, sent = sent["hook"], json.loads(json.dumps(sent))
    put: list[str] = []
    for _ in range(draw(st.integers(1, 4))):
        path = draw(st.sampled_from(list(places(sent))))
        parent = at(sent, path[:-1])
        if draw(st.booleans()):
            parent[path[-1]] = f"{HOLE}{len(put)}{HOLE}"
            put.append(draw(JSON_TEXTS))
        else:
            other, elsewhere = seed(draw(st.sampled_from(SEEDS)))
            parent[path[-1]] = json.loads(json.dumps(at(other, draw(st.sampled_from(elsewhere)))))
    text = json.dumps(sent, ensure_ascii=False)
    for number, value in enumerate(put):
        text = text.replace(f'"{HOLE}{number}{HOLE}"', value)
    return hook, text.encode("utf-8", "surrogatepass")


@given(sent=requests())
def test_any_request_is_refused_or_answered(sent: tuple[str, bytes]) -> None:
    hook, body = sent
    try:
        asked = parse_request(body, hook)
        response = consult(SERVICES[hook], asked, None, Occasion(date(2026, 3, 15))).response
    except (BadRequest, DataUnavailable):
        return
    answer = json.loads(encode(response), parse_float=Decimal)
    account = answer["extension"][EVALUATION_EXTENSION]
    assert answer["cards"] or account.get("because") or account.get("missing")
    for card in answer["cards"]:
        assert 0 < len(card["summary"]) <= SUMMARY_LIMIT
        for suggestion in card.get("suggestions", ()):
            for action in suggestion["actions"]:
                if action["type"] == "create":
                    assert_a_dose_of_the_guideline(action["resource"])


def assert_a_dose_of_the_guideline(resource: Mapping[str, Any]) -> None:
    """Whatever arrives, no order is made with a dose that the guideline has not."""
    for line in resource.get("dosageInstruction", ()):
        ((dose),) = [one["doseQuantity"] for one in line["doseAndRate"]]
        assert dose["code"] == "ug"
        # 22 kg is the heaviest plausible child, 0.3 µg/kg its maintenance dose
        assert dose["value"] in (1000, 1) or 0 < dose["value"] <= Decimal("6.6")


@given(data=st.data())
def test_any_bytes_are_parsed_or_refused(data: st.DataObject) -> None:
    """Cut, doubled, overwritten: never another error than a bad request."""
    body = bytearray(data.draw(st.sampled_from([GOOD.encode(), *SMALL_SEEDS])))
    for _ in range(data.draw(st.integers(0, 4))):
        start = data.draw(st.integers(0, len(body)))
        end = data.draw(st.integers(start, min(len(body), start + 50)))
        body[start:end] = data.draw(st.binary(max_size=20)) * data.draw(st.integers(0, 3))
    for hook in SERVICES:
        try:
            assert isinstance(parse_request(bytes(body), hook), Request)
        except BadRequest as refused:
            assert len(refused.text) < 200  # noqa: PT017


# --- dosages ----------------------------------------------------------------------------------

NUMBERS = st.one_of(
    st.integers(-2, 3000),
    st.decimals(allow_nan=True, allow_infinity=True),
    st.decimals(0, 5000, places=3),
    st.sampled_from([Decimal(10) ** n for n in range(-40, 40)]),
    st.sampled_from(["1", "1e3", "1_000", "", "NaN", " 1"]),
)
UNITS = st.sampled_from(
    ["ug", "mg", "µg", "mcg", "g", "mL", "ug/kg", "mg/kg", "ug/kg/d", "mg/d", "{tbl}", "tablet",
     "{drop}", "1", "", "IU", "kg", "lb", "d", "wk", "h"]
)  # fmt: skip
ODD = st.one_of(st.none(), st.booleans(), st.text(max_size=5), st.just([]), st.just({}))


def some(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """An object with some of its members, some of them odd, perhaps in an array."""
    whole = st.fixed_dictionaries(
        {}, optional={name: st.one_of(value, value, value, ODD) for name, value in members.items()}
    )
    return st.one_of(whole, whole, whole, st.lists(whole, max_size=2))


QUANTITY = some(value=NUMBERS, unit=UNITS, code=UNITS, comparator=st.sampled_from(["<", ">="]))
RANGE = some(low=QUANTITY, high=QUANTITY)
REPEAT = some(
    frequency=NUMBERS, frequencyMax=NUMBERS, period=NUMBERS, periodMax=NUMBERS,
    periodUnit=st.sampled_from(["s", "min", "h", "d", "wk", "mo", "a", "x"]), count=NUMBERS,
    countMax=NUMBERS, boundsDuration=QUANTITY, boundsRange=RANGE,
    boundsPeriod=some(start=st.sampled_from(["0001-01-01", "9999-12-31", "2026"]),
                      end=st.sampled_from(["0001-01-01", "9999-12-31", "2026-01"])),
    dayOfWeek=st.lists(st.sampled_from(["mon", "tue", "Sun"])),
    timeOfDay=st.lists(st.sampled_from(["08:00:00", "20:00"])),
    when=st.lists(st.sampled_from(["MORN", "HS", "AC"])),
)  # fmt: skip
DOSAGE = some(
    text=st.text(max_size=10), sequence=NUMBERS, asNeededBoolean=st.booleans(),
    doseAndRate=some(doseQuantity=QUANTITY, doseRange=RANGE, rateQuantity=QUANTITY),
    doseQuantity=QUANTITY, doseRange=RANGE, maxDosePerAdministration=QUANTITY,
    maxDosePerPeriod=some(numerator=QUANTITY, denominator=QUANTITY),
    timing=some(repeat=REPEAT, code=some(text=st.sampled_from(["BID", "Q8H", "once", "q0h"])),
                event=st.lists(st.sampled_from(["2026-01-01", "9999-12-31", "2026"]))),
    route=some(text=st.just("oral")),
)  # fmt: skip
NAMES = st.sampled_from(
    ["vitamin B12", "vitamin B12 1 MG Oral Tablet", "cyanocobalamin 1 mg/mL", "cobalamin .5 g/drop",
     "hydroxocobalamin 1,000 mcg/mL injection", "B12 0.5 MG/ACTUAT nasal spray"]
)  # fmt: skip
WEIGHTS = st.one_of(st.none(), st.decimals("0.4", 22, places=3))


@given(lines=st.lists(DOSAGE, max_size=3), name=NAMES, weight=WEIGHTS)
def test_any_dosage_is_worked_out_or_said_to_be_a_problem(
    lines: list[Any], name: str, weight: Decimal | None
) -> None:
    drug = recognise((), name, G)
    read = [read_dosage(line) for line in lines]
    dosing = understand(read, drug, weight, G)
    assert_numbers_make_sense(dosing)
    if dosing.single_high is None and not dosing.needs_weight:
        assert dosing.problems


def assert_numbers_make_sense(dosing: Dosing) -> None:
    for amount in (dosing.single_low, dosing.single_high, dosing.day_most, dosing.average_low,
                   dosing.average_high, dosing.days):  # fmt: skip
        assert amount is None or (amount.is_finite() and amount >= 0)
    if dosing.single_low is not None and dosing.single_high is not None:
        assert 0 < dosing.single_low <= dosing.single_high
    if dosing.average_low is not None and dosing.average_high is not None:
        assert dosing.average_low <= dosing.average_high
    assert "E" not in LANGUAGE.text(dosing.in_words())
