"""A changed order says its new dose everywhere, and nowhere the old one."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from each import each
from msgspec import structs

from cds_service.clinical import (
    PRIORITIES,
    Code,
    Draft,
    Edition,
    Phase,
    PlannedDrug,
    Priority,
    RevisedDrug,
    StoppedDrug,
)
from cds_service.fhir import orders
from cds_service.fhir.drafts import open_drafts, read_basket
from cds_service.fhir.orders import Order
from cds_service.fhir.revisions import is_partial
from cds_service.language import house

Json = dict[str, Any]

UCUM = "http://unitsofmeasure.org"
encode = msgspec.json.Encoder(decimal_format="number").encode

INTRAMUSCULAR = Code("http://snomed.info/sct", "78421000", "Intramuscular route")
NEW = PlannedDrug(
    (),
    "Cyanocobalamin 1 mg/mL oral solution",
    Code("http://snomed.info/sct", "26643006", "Oral route"),
    Decimal(1000),
    "ug",
    (Phase(1, 1, "d", 7, "d", 7, "1000 micrograms (1 mL) by mouth once daily for 7 days"),),
    date(2026, 3, 15),
    "routine",
)


def draft_of(sent: Json) -> Draft:
    (draft,) = read_basket(open_drafts(json.dumps(sent).encode()), None, "p1").drafts
    return draft


def order_of(sent: Json, *parts: Any, drug: PlannedDrug = NEW) -> Order:
    return orders.write(RevisedDrug(draft_of(sent), drug, frozenset(parts)), "p1", house.language())


def after(sent: Json, *parts: Any, drug: PlannedDrug = NEW) -> Json:
    return dict(json.loads(encode(order_of(sent, *parts, drug=drug).resource)))


# --- the old dose in every place where an order can say it --------------------------------------

MG: Json = {"unit": "mg", "system": UCUM, "code": "mg"}
#: 1000 mg twice daily for 28 days: a thousand times too much.
OLD: Json = {"value": 1000, **MG}
TWICE: Json = {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}}
NARRATIVE: Json = {"status": "generated", "div": "<div>Cyanocobalamin 1000 mg twice daily</div>"}
SUPPLY: Json = {
    "quantity": {"value": 56000, **MG},
    "expectedSupplyDuration": {"value": 28, "unit": "days", "system": UCUM, "code": "d"},
    "numberOfRepeatsAllowed": 2,
    "validityPeriod": {"start": "2026-03-15"},
}
RATIO: Json = {"numerator": {"value": 2000, **MG}, "denominator": {"value": 1, "unit": "d"}}
R5 = "http://hl7.org/fhir/5.0/StructureDefinition/extension-MedicationRequest"
PERIOD = {"start": "2026-03-15", "end": "2026-04-12"}
DRUG: Json = {"text": "Cyanocobalamin oral solution"}
PRODUCT: Json = {
    "resourceType": "Medication",
    "id": "m1",
    "text": NARRATIVE,
    "code": DRUG,
    "manufacturer": {"display": "Somebody"},
}
LINE: Json = {
    "text": "1000 mg twice daily",
    "patientInstruction": "Give 1 g in the morning and 1 g at night",
    "timing": TWICE,
    "route": {"text": "oral"},
}
COMMON: Json = {
    "id": "d1",
    "status": "draft",
    "text": NARRATIVE,
    "identifier": [{"system": "urn:site", "value": "17"}],
}

SENT: dict[Edition, Json] = {
    "DSTU2": {
        **COMMON,
        "resourceType": "MedicationOrder",
        "patient": {"reference": "Patient/p1"},
        "medicationReference": {"reference": "#m1"},
        "contained": [
            {**PRODUCT, "package": {"content": [{"amount": {"value": 56000, **MG}}]}},
        ],
        "note": "agreed: 1000 mg",
        "dosageInstruction": [
            {
                "text": "1000 mg twice daily",
                "additionalInstructions": {"text": "1000 mg each"},
                "timing": {"repeat": {"frequency": 2, "period": 1, "periodUnits": "d"}},
                "route": {"text": "oral"},
                "doseQuantity": OLD,
                "maxDosePerPeriod": RATIO,
            }
        ],
        "dispenseRequest": {**SUPPLY, "medicationReference": {"reference": "#m1"}},
    },
    "STU3": {
        **COMMON,
        "resourceType": "MedicationRequest",
        "intent": "order",
        "subject": {"reference": "Patient/p1"},
        "medicationReference": {"reference": "#m1"},
        "contained": [
            {**PRODUCT, "package": {"content": [{"amount": {"value": 56000, **MG}}]}},
        ],
        "note": [{"text": "agreed: 1,000 mg"}, {"text": "see the letter"}],
        "dosageInstruction": [
            {
                **LINE,
                "additionalInstruction": [{"text": "1000 mg each"}],
                "doseQuantity": OLD,
                "maxDosePerPeriod": RATIO,
            }
        ],
        "dispenseRequest": SUPPLY,
    },
    "R4": {
        **COMMON,
        "resourceType": "MedicationRequest",
        "intent": "order",
        "subject": {"reference": "Patient/p1"},
        "medicationReference": {"reference": "#m1"},
        "contained": [{**PRODUCT, "amount": {"numerator": {"value": 56000, **MG}}}],
        "extension": [
            {"url": f"{R5}.renderedDosageInstruction", "valueMarkdown": "1000 mg twice daily"},
            {"url": f"{R5}.effectiveDosePeriod", "valuePeriod": PERIOD},
            {"url": "urn:site:total", "valueQuantity": {"value": 56, "unit": "g"}},
            {"url": "urn:site:ward", "valueString": "7 West"},
        ],
        "note": [{"text": "agreed: 1000mg"}, {"text": "see the letter"}],
        "reasonCode": [{"text": "low B12"}],
        "dosageInstruction": [
            {
                **LINE,
                "additionalInstruction": [{"text": "1000 mg each"}],
                "doseAndRate": [{"doseQuantity": OLD}],
                "maxDosePerPeriod": RATIO,
            }
        ],
        "dispenseRequest": {
            **SUPPLY,
            "initialFill": {"quantity": {"value": 14000, **MG}, "duration": {"value": 7}},
            "dispenseInterval": {"value": 28, "unit": "days"},
            "performer": {"reference": "Organization/1"},
        },
    },
    "R5": {
        **COMMON,
        "resourceType": "MedicationRequest",
        "intent": "order",
        "subject": {"reference": "Patient/p1"},
        "medication": {"reference": {"reference": "#m1"}},
        "contained": [{**PRODUCT, "totalVolume": {"value": 56000, **MG}}],
        "renderedDosageInstruction": "1000 mg twice daily",
        "_renderedDosageInstruction": {"extension": [{"url": "urn:x", "valueString": "1000 mg"}]},
        "effectiveDosePeriod": PERIOD,
        "note": [{"text": "agreed: 1 000 milligrams"}, {"text": "see the letter"}],
        "dosageInstruction": [
            {
                **LINE,
                "additionalInstruction": [{"text": "1000 mg each"}],
                "doseAndRate": [{"doseQuantity": OLD}],
                "maxDosePerPeriod": [RATIO],
            }
        ],
        "dispenseRequest": {
            **SUPPLY,
            "dispenserInstruction": [{"text": "56 g in all"}, {"text": "label in Welsh"}],
            "dispenser": {"reference": "Organization/1"},
        },
    },
}
SENT["R4B"] = SENT["R4"]

MICROGRAMS = {"µg": 1, "ug": 1, "mg": 1000, "g": 1_000_000}
MOST = 1000
_amount = re.compile(
    r"(\d[\d,. ]*\d|\d)\s*(micrograms?|milligrams?|grams?|µg|ug|mg|g)\b(?!/)", re.IGNORECASE
)


def too_much_in(value: Any, place: str = "") -> Iterator[str]:
    """Everything in a resource that says more than the new order gives at a time or a day."""
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from too_much_in(item, f"{place}[{number}]")
    elif isinstance(value, dict):
        unit = value.get("code", value.get("unit"))
        if (
            isinstance(unit, str)
            and unit in MICROGRAMS
            and value["value"] * MICROGRAMS[unit] > MOST
        ):
            yield f"{place}: {value['value']} {unit}"
        for name, item in value.items():
            yield from too_much_in(item, f"{place}.{name}")
    elif isinstance(value, str):
        for number, unit in _amount.findall(value):
            unit = {"m": "mg", "g": "g"}.get(unit[0].lower(), "ug") if len(unit) > 2 else unit
            unit = "ug" if unit == "ug" or value.lower().count("microgram") else unit
            if Decimal(re.sub("[ ,]", "", number)) * MICROGRAMS[unit] > MOST:
                yield f"{place}: {value}"


@pytest.mark.parametrize("edition", SENT)
def test_the_walk_finds_the_old_dose_in_every_place(edition: Edition) -> None:
    places = {one.partition(":")[0].partition("[")[0] for one in too_much_in(SENT[edition])}
    assert {".text.div", ".dosageInstruction", ".contained", ".dispenseRequest.quantity"} <= places
    assert len(list(too_much_in(SENT[edition]))) >= 9


@pytest.mark.parametrize("edition", SENT)
@pytest.mark.parametrize("parts", [("dosage",), ("medication", "dosage")])
def test_nothing_says_the_old_dose_any_more(edition: Edition, parts: tuple[Any, ...]) -> None:
    changed = after(SENT[edition], *parts)
    assert list(too_much_in(changed)) == []
    assert "28" not in re.findall(r"\d+", json.dumps(changed))  # for 28 days
    assert "text" not in changed
    assert changed["id"] == "d1"
    assert changed["identifier"] == COMMON["identifier"]
    (line,) = changed["dosageInstruction"]
    assert line["text"] == NEW.phases[0].text


@pytest.mark.parametrize("edition", SENT)
def test_what_says_no_dose_stays(edition: Edition) -> None:
    changed = after(SENT[edition], "dosage")
    sent = SENT[edition]
    supply = {"validityPeriod"} | ({"performer", "dispenser"} & set(sent["dispenseRequest"]))
    if edition == "DSTU2":
        supply.add("medicationReference")
    if edition == "R5":
        supply.add("dispenserInstruction")
        told = changed["dispenseRequest"]["dispenserInstruction"]
        assert told == [{"text": "label in Welsh"}]
    assert set(changed["dispenseRequest"]) == supply
    (product,) = changed["contained"]
    assert product == {name: PRODUCT[name] for name in PRODUCT if name != "text"}
    if edition != "DSTU2":
        assert changed["note"] == [{"text": "see the letter"}]
    if edition in ("R4", "R4B"):
        assert [one["url"] for one in changed["extension"]] == ["urn:site:ward"]
        assert changed["reasonCode"] == sent["reasonCode"]


def test_what_goes_is_named() -> None:
    assert order_of(SENT["R4"], "dosage").left_out == (
        "narrative",
        "rendered",
        "period",
        "supply",
        "statements",
    )
    bare = {"resourceType": "MedicationRequest", "id": "d1", "dosageInstruction": [LINE]}
    assert order_of(bare, "dosage").left_out == ()


# --- notes ---------------------------------------------------------------------------------------


def note_after(text: str, dose: Json = OLD, timing: Json = TWICE) -> bool:
    """Whether a note stays."""
    sent = {
        "resourceType": "MedicationRequest",
        "id": "d1",
        "note": [{"text": text}],
        "dosageInstruction": [{"timing": timing, "doseAndRate": [{"doseQuantity": dose}]}],
    }
    return "note" in after(sent, "dosage")


@pytest.mark.parametrize(
    "text",
    [
        "1000 mg", "1000mg", "1,000 mg", "1.000 mg", "1 000 mg", "1\u202f000\u00a0mg",
        "1000-mg dose", "1000 milligrams", "Give 1000 MG twice", "1 g", "1.0 g", "1,0 g",
        "1000000 micrograms", "1 000 000 µg", "1,000,000 mcg", "2000 mg a day", "2 g daily",
        "two of them: 2 1000 mg pills",
    ],
)  # fmt: skip
def test_a_note_that_states_the_old_dose_goes(text: str) -> None:
    assert not note_after(text)


@pytest.mark.parametrize(
    "text",
    [
        "1000 micrograms", "1 mg", "1 mL", "weight 7.2 kg", "10 000 mg of something else",
        "room 1000", "order 1000", "give with milk", "for 28 days", "1000", "11000 mg", "1000 mgx",
        "0.1000 mg", "a thousand milligrams", "1000 mg/kg", "",
    ],
)  # fmt: skip
def test_a_note_that_cannot_be_judged_or_says_the_new_dose_stays(text: str) -> None:
    assert note_after(text)


@pytest.mark.parametrize(
    ("dose", "gone", "stays"),
    [
        ({"value": 2, "unit": "tablets"}, "2 tablets", "1 tablet"),
        ({"value": 2, "unit": "tablets"}, "2 tablet(s)", "2 capsules"),
        ({"value": 3, "unit": "mL"}, "3 ml", "1 ml"),
        ({"value": 60, "unit": "ug/kg"}, "60 micrograms/kg", "60 micrograms"),
        ({"value": 60, "unit": "ug/kg"}, "60 micrograms per kg", "61 micrograms per kg"),
        ({"value": 5, "unit": "mg"}, "5 mg", "50 mg"),
    ],
)
def test_a_note_is_compared_in_the_measure_of_the_dose(dose: Json, gone: str, stays: str) -> None:
    once = {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}}
    assert not note_after(gone, dose, once)
    assert note_after(stays, dose, once)


def test_an_amount_that_stays_the_dose_is_not_stale() -> None:
    weekly = {"repeat": {"frequency": 1, "period": 1, "periodUnit": "wk"}}
    assert note_after("1000 micrograms as agreed", {"value": 1, **MG}, weekly)


@pytest.mark.parametrize(
    "text", ["1 " * 200_000, "1" * 400_000, "1 000 " * 70_000, "1.1," * 99_999]
)
def test_a_long_note_takes_time_that_grows_with_its_length(text: str) -> None:
    began = time.thread_time()
    note_after(text)
    assert time.thread_time() - began < 20


@each(
    ("words", "renamed"),
    [
        ("Cyanocobalamin drops 1 mg/mL, 1000 mg twice daily", True),
        ("Cyanocobalamin drops, 2 g a day", True),
        ("Cyanocobalamin 1000 mg/mL", False),
        ("Cyanocobalamin 1000 mg / 5 mL", False),
        ("Cyanocobalamin drops 1 mg/mL", False),
        ("Cyanocobalamin, 1000 micrograms", False),
    ],
)
@each(
    "naming",
    [
        lambda words: {"medicationCodeableConcept": {"text": words}},
        lambda words: {"medicationReference": {"reference": "Medication/1", "display": words}},
        lambda words: {"medication": {"concept": {"text": words}}},
        lambda words: {"medication": {"reference": {"reference": "x/1", "display": words}}},
        lambda words: {
            "medicationReference": {"reference": "#m1"},
            "contained": [{**PRODUCT, "code": {"text": words}}],
        },
    ],
)
def test_a_drug_whose_name_states_the_old_dose_gets_another_name(
    naming: Any, words: str, renamed: bool
) -> None:
    line = {"timing": TWICE, "doseAndRate": [{"doseQuantity": OLD}]}
    sent = {
        "resourceType": "MedicationRequest",
        "id": "d1",
        **naming(words),
        "dosageInstruction": [line],
    }
    made = order_of(sent, "dosage")
    changed = json.loads(encode(made.resource))
    assert (words not in json.dumps(changed)) is renamed
    assert (NEW.name in json.dumps(changed)) is renamed
    assert ("name" in made.left_out) is renamed


# --- another route, another drug -----------------------------------------------------------------

VEIN: Json = {
    "resourceType": "MedicationRequest",
    "id": "d1",
    "text": {"status": "generated", "div": "<div>1 mg into a vein</div>"},
    "medicationCodeableConcept": {"text": "Hydroxocobalamin 1 mg/mL"},
    "renderedDosageInstruction": "1 mg into a vein",
    "dispenseRequest": {"quantity": {"value": 5, "unit": "mL"}},
    "dosageInstruction": [
        {
            "text": "1 mg into a vein",
            "patientInstruction": "into a vein",
            "additionalInstruction": [{"text": "flush the IV line"}],
            "site": {"text": "left arm"},
            "method": {"text": "infuse"},
            "route": {"text": "intravenous"},
            "timing": TWICE,
            "doseAndRate": [{"doseQuantity": {"value": 1, **MG}}],
        },
        {"additionalInstruction": [{"text": "keep out of light"}], "route": {"text": "IV"}},
    ],
}
INTO_MUSCLE = PlannedDrug(
    (), "Hydroxocobalamin", INTRAMUSCULAR, Decimal(0), "ug", (), NEW.authored, "routine"
)


def test_another_route_leaves_no_word_of_the_old_one() -> None:
    made = order_of(VEIN, "route", drug=INTO_MUSCLE)
    changed = json.loads(encode(made.resource))
    assert not re.search("(?i)vein|venous|IV|infus|arm", json.dumps(changed))
    first, second = changed["dosageInstruction"]
    assert first["doseAndRate"] == VEIN["dosageInstruction"][0]["doseAndRate"]
    assert second["additionalInstruction"] == [{"text": "keep out of light"}]
    assert {first["route"]["text"], second["route"]["text"]} == {"Intramuscular route"}
    assert changed["dispenseRequest"] == VEIN["dispenseRequest"]  # of the same drug and dose
    assert made.left_out == (
        "narrative",
        "rendered",
        "words",
        "site",
    )


@pytest.mark.parametrize(
    "words",
    ["inject slowly", "by mouth", "i.v. only", "SC", "under the tongue", "one in each nostril"],
)
def test_an_instruction_that_names_a_route_goes_with_it(words: str) -> None:
    sent = {**VEIN, "dosageInstruction": [{"additionalInstruction": [{"text": words}]}]}
    (line,) = after(sent, "route", drug=INTO_MUSCLE)["dosageInstruction"]
    assert set(line) == {"route"}


@pytest.mark.parametrize("words", ["im Kühlschrank", "scan the label", "important", "imperative"])
def test_an_instruction_that_names_none_stays(words: str) -> None:
    sent = {**VEIN, "dosageInstruction": [{"additionalInstruction": [{"text": words}]}]}
    (line,) = after(sent, "route", drug=INTO_MUSCLE)["dosageInstruction"]
    assert set(line) == {"route", "additionalInstruction"}


def line_after(text: str, **line: Any) -> Json:
    sent = {
        "resourceType": "MedicationRequest",
        "id": "d1",
        "medicationCodeableConcept": {"text": "Hydroxocobalamin multidose injection"},
        "dosageInstruction": [{"text": text, **line}],
    }
    (found,) = after(sent, "medication")["dosageInstruction"]
    return dict(found)


def test_words_that_name_the_old_drug_go_with_it() -> None:
    dose = {"doseAndRate": [{"doseQuantity": {"value": 1, **MG}}]}
    assert line_after("1 mg of hydroxocobalamin weekly", **dose) == dose
    assert line_after("1 mg weekly", **dose) == {"text": "1 mg weekly", **dose}


def test_a_dose_that_stands_in_words_alone_keeps_them() -> None:
    assert (
        line_after("1 mg of hydroxocobalamin weekly")["text"] == "1 mg of hydroxocobalamin weekly"
    )


# --- an order of the record ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("narrative", "stays"),
    [
        ({"status": "generated", "div": "<div>status: Active</div>"}, False),
        ({"status": "extensions", "div": "<div>active order</div>"}, False),
        ({"status": "generated", "div": "<div>drops</div>"}, True),
        ({"status": "additional", "div": "<div>active order, seen by me</div>"}, True),
        ("active", True),
    ],
)
def test_a_stopped_order_is_not_narrated_as_active(narrative: Any, stays: bool) -> None:
    sent = {"resourceType": "MedicationRequest", "id": "m1", "status": "active", "text": narrative}
    made = orders.write(
        StoppedDrug(json.dumps(sent).encode(), "MedicationRequest/m1", "x"), "p1", house.language()
    )
    kept = json.loads(encode(made.resource))
    assert kept["status"] == "stopped"
    assert ("text" in kept) is stays
    assert made.left_out == (() if stays else ("narrative",))


# --- resources that are a part of themselves -----------------------------------------------------

OBSERVATION_VALUE = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"


@pytest.mark.parametrize(
    ("meta", "partial"),
    [
        ({"tag": [{"system": OBSERVATION_VALUE, "code": "SUBSETTED"}]}, True),
        ({"tag": [{"system": "http://hl7.org/fhir/v3/ObservationValue", "code": "SUBSETTED"}]},
         True),
        ({"tag": [{"code": "x"}, None, 5, {"code": "SUBSETTED"}]}, True),
        ({"tag": {"code": "subsetted"}}, True),
        ({"tag": [{"system": OBSERVATION_VALUE, "code": "REDACTED"}]}, False),
        ({"tag": [{"display": "SUBSETTED"}]}, False),
        ({"security": [{"code": "SUBSETTED"}]}, False),
        ({"tag": []}, False), ({}, False), (None, False), ([], False), ("SUBSETTED", False),
        ([{"tag": []}, {"tag": []}], False),
    ],
)  # fmt: skip
def test_a_part_is_known_by_its_tag(meta: Any, partial: bool) -> None:
    assert is_partial(json.dumps({"resourceType": "X", "meta": meta}).encode()) is partial


def test_what_cannot_be_looked_into_is_no_part() -> None:
    assert not is_partial(b"5")
    assert not is_partial(b"{}")
    assert not is_partial(b'{"meta":{"tag":[{"code":"\xff"}]}}')


# --- how urgent it is ---------------------------------------------------------------------------


@pytest.mark.parametrize("edition", SENT)
@pytest.mark.parametrize("least", PRIORITIES)
@pytest.mark.parametrize("sent", [None, *PRIORITIES, "whenever", 1])
def test_a_changed_order_is_no_less_urgent_than_one_of_ours(
    edition: Edition, least: Priority, sent: Any
) -> None:
    drug = structs.replace(NEW, priority=least)
    said = {} if sent is None else {"priority": sent, "_priority": {"id": "x"}}
    written = order_of({**SENT[edition], **said}, "dosage", drug=drug)
    changed = json.loads(encode(written.resource))
    known = PRIORITIES.index(sent) if sent in PRIORITIES else 0
    raised = PRIORITIES.index(least) > known and edition != "DSTU2"  # which has no priority
    assert written.raised == (least if raised else None)
    assert changed.get("priority") == (least if raised else sent)
    assert ("_priority" in changed) is (sent is not None and not raised)


def test_another_route_leaves_an_order_as_urgent_as_it_is() -> None:
    changed = after({**SENT["R4"], "priority": "asap"}, "route", drug=NEW)
    assert changed["priority"] == "asap"
