"""Every sample infant is answered as its expected.json says, whichever way its data comes.

Over HTTP with everything prefetched, over HTTP with nothing prefetched and a FHIR server, and from
a file, as `evaluate` reads it: the whole record, or where orders are being written, the request.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from each import each
from expected_cards import FOLDER, ORDER_STORIES, STORIES, shown
from fhir.resources.R4B import get_fhir_model_class
from fhir_server_stub import FhirStub
from played import UNASKED, Story, services, without_unasked

from cds_service.cdshooks.response import encode
from cds_service.consultation import EVALUATION_EXTENSION, Occasion, consult
from cds_service.consultation.cases import NO_SERVER, read_case

ROOT = Path(__file__).parents[2]
RULES = "io.github.b12-cds-service.rules"
#: Another child's result is in the request alone, and is counted there.
TWIN = "twin-result-in-the-bundle"
#: A loaded machine must not decide what arrives in time.
PATIENCE_S = 60.0

ORAL, INTRAMUSCULAR, SUBCUTANEOUS = "26643006", "78421000", "34206005"
#: Regimens as the guideline has them: for each phase how often, in which period, for how long, and
#: how many doses that makes.
REGIMENS = {
    ("oral", ((1, 1, "d", 7, "d", 7), (1, 2, "d", 14, "d", 7), (2, 1, "wk", 14, "d", 4),
              (1, 1, "wk", 84, "d", 12))): "DOSE-A",
    ("oral", ((1, 1, "d", 28, "d", 28),)): "DOSE-B or DOSE-C",
    ("injected", ((1, 2, "d", 14, "d", 7),)): "DOSE-D",
    ("injected", ((1, 1, "wk", 35, "d", 5), (1, 2, "mo", 6, "mo", 3))): "DOSE-E",
    ("injected", ((1, 2, "mo", 6, "mo", 3),)): "DOSE-E, after a course",
}  # fmt: skip
DAYS = {"d": 1, "wk": 7}
MOST_UG = 1000
#: Types whose patient is under another name than ``subject``.
SUBJECT = {"Task": "for", "MedicationOrder": "patient"}
URGENCY = ("critical", "warning", "info")
B12_LEVEL = "2132-9"

Json = dict[str, Any]


@cache
def story_of(name: str) -> Story:
    return Story(name)


@cache
def answer_to(name: str) -> Json:
    """The answer with everything prefetched; fractions are Decimals."""
    answer = story_of(name).answer()
    assert answer.status_code == 200, answer.text
    read: Json = json.loads(answer.data, parse_float=Decimal)
    return read


def suggestions(name: str) -> Iterator[Json]:
    for card in answer_to(name)["cards"]:
        yield from card.get("suggestions", ())


def actions(name: str) -> Iterator[Json]:
    for suggestion in suggestions(name):
        yield from suggestion["actions"]


def address(resource: Json) -> str:
    return f"{resource['resourceType']}/{resource['id']}"


@cache
def drafts(name: str) -> dict[str, Json]:
    """The orders being written."""
    basket = story_of(name).request["context"].get("draftOrders", {})
    return {address(entry["resource"]): entry["resource"] for entry in basket.get("entry", ())}


def address_in_basket(action: Json, name: str) -> bool:
    return action["type"] == "update" and address(action["resource"]) in drafts(name)


def begins_a_treatment(action: Json, name: str) -> bool:
    """A new prescription, or one written into an order that names no drug yet."""
    resource = action.get("resource", {})
    if resource.get("resourceType") != "MedicationRequest":
        return False
    if action["type"] == "create":
        return True
    before = drafts(name).get(address(resource))
    return before is not None and not any(part.startswith("medication") for part in before)


def new_prescriptions(name: str) -> Iterator[Json]:
    for action in actions(name):
        if begins_a_treatment(action, name):
            yield action["resource"]


def finding_of(card: Json) -> Json | None:
    """What a card says of one order, as expected.json has it."""
    said = card["extension"][RULES]
    checks = [rule.partition(".")[0] for rule in said["ruleIds"] if rule.startswith("ORD-")]
    if not checks:
        assert "order" not in said
        return None
    (rule,) = checks
    named = {"order": said["order"]} if "order" in said else {}  # another patient's is not named
    return {"rule": rule, **named, "indicator": card["indicator"]}


def what_becomes_of(before: Json, after: Json) -> str:
    """An update in a word: another state, a regimen by its name, or what else was changed."""
    changed = {part for part in {*before, *after} if before.get(part) != after.get(part)}
    if changed == {"status"}:
        return str(after["status"])
    if "dosageInstruction" in changed:
        if [way_apart(step) for step in before["dosageInstruction"]] == [
            way_apart(step) for step in after["dosageInstruction"]
        ]:
            (route,) = {
                step["route"]["coding"][0]["display"] for step in after["dosageInstruction"]
            }
            return str(route)
        with suppress(KeyError, ValueError):
            return dose_id(as_r4(after))
    return " and ".join(sorted(changed))


def way_apart(step: Json) -> Json:
    return {part: value for part, value in step.items() if part not in ("route", "text")}


def as_r4(order: Json) -> Json:
    """The dosage of an order of DSTU2 as R4 writes it."""
    if order["resourceType"] != "MedicationOrder":
        return order
    steps = []
    for step in order["dosageInstruction"]:
        repeat = dict(step["timing"]["repeat"])
        repeat["periodUnit"] = repeat.pop("periodUnits")
        if "boundsQuantity" in repeat:
            repeat["boundsDuration"] = repeat.pop("boundsQuantity")
        dose = [{"doseQuantity": step["doseQuantity"]}]
        steps.append({**step, "timing": {"repeat": repeat}, "doseAndRate": dose})
    return {**order, "dosageInstruction": steps}


def bounds(repeat: Json) -> tuple[int, str]:
    """How long a phase lasts; one that begins on a day of its own, in whole months."""
    if "boundsPeriod" not in repeat:
        return repeat["boundsDuration"]["value"], repeat["boundsDuration"]["code"]
    first, last = (date.fromisoformat(repeat["boundsPeriod"][end]) for end in ("start", "end"))
    return (last.year - first.year) * 12 + last.month - first.month, "mo"


def phases(prescription: Json) -> tuple[tuple[Any, ...], ...]:
    repeats = [step["timing"]["repeat"] for step in prescription["dosageInstruction"]]
    return tuple(
        (
            one["frequency"],
            one["period"],
            one["periodUnit"],
            *bounds(one),
            one["count"],
        )
        for one in repeats
    )


def amounts_ug(prescription: Json) -> list[Decimal]:
    """What is given each time, phase by phase."""
    doses = []
    for step in prescription["dosageInstruction"]:
        (rate,) = step["doseAndRate"]
        assert rate["doseQuantity"]["system"] == "http://unitsofmeasure.org"
        assert rate["doseQuantity"]["code"] == "ug"
        doses.append(Decimal(rate["doseQuantity"]["value"]))
    return doses


def dose_id(prescription: Json) -> str:
    """The guideline's name of a regimen, known by its route, timing and amount."""
    (route,) = {step["route"]["coding"][0]["code"] for step in prescription["dosageInstruction"]}
    way = {ORAL: "oral", INTRAMUSCULAR: "injected", SUBCUTANEOUS: "injected"}[route]
    regimen = REGIMENS[way, phases(prescription)]
    amounts = set(amounts_ug(prescription))
    if regimen == "DOSE-B or DOSE-C":
        assert max(amounts) < 10
        per_kg = "/kg" in prescription["dosageInstruction"][0]["text"]
        assert per_kg or amounts == {1}
        return "DOSE-B" if per_kg else "DOSE-C"
    assert amounts == {1000}
    return regimen


def without_repetition(found: list[Any]) -> list[Any]:
    return [one for number, one in enumerate(found) if one not in found[:number]]


def is_valid(resource: Json) -> bool:
    try:
        model = get_fhir_model_class(resource["resourceType"])
        model.model_validate_json(json.dumps(resource, default=float))
    except ValueError:
        return False
    return True


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value["reference"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


# --- what was calculated by hand ------------------------------------------------------------


@each("name", STORIES)
def test_the_expected_rules_fire(name: str) -> None:
    answer = answer_to(name)
    fired = set(answer["extension"][EVALUATION_EXTENSION]["ruleIds"])
    for card in answer["cards"]:
        fired.update(card["extension"][RULES]["ruleIds"])
    assert set(story_of(name).expected["fires"]) - fired == set()


@each("name", STORIES)
def test_it_speaks_or_is_silent_as_expected_and_as_urgently(name: str) -> None:
    expected, cards = story_of(name).expected, answer_to(name)["cards"]
    assert [card["indicator"] for card in cards[:1]] == (
        [] if expected["silent"] else [expected["indicator"]]
    )
    outcome = answer_to(name)["extension"][EVALUATION_EXTENSION]["outcome"]
    assert (outcome == "advice") == bool(cards)


@each("name", STORIES)
def test_a_silence_is_explained_in_one_sentence_that_names_no_rule(name: str) -> None:
    answer = answer_to(name)
    account = answer["extension"][EVALUATION_EXTENSION]
    assert ("silence" in account) == (not answer["cards"])
    if not answer["cards"]:
        told = account["silence"]
        begins = (
            "No card: "
            if account["outcome"] == "nothing to say"
            else "Not evaluated, since this is missing: "
        )
        assert re.fullmatch(rf"{begins}\w[^.]+\.(?: This is not an all-clear\.)?", told), told
        assert not re.search(
            r"\b[A-Z0-9]{2,4}-\d|\bno card\b|\bsilen", told.removeprefix(begins)
        ), told


@each("name", STORIES)
def test_exactly_the_expected_medication_is_offered(name: str) -> None:
    offered = []
    for suggestion in suggestions(name):
        doses = [
            dose_id(action["resource"])
            for action in suggestion["actions"]
            if begins_a_treatment(action, name)
        ]
        offered += [
            {"dose": dose, "recommended": suggestion.get("isRecommended", False)} for dose in doses
        ]
    assert offered == story_of(name).expected["offers"]


@each("name", STORIES)
def test_a_dose_by_weight_is_the_expected_amount(name: str) -> None:
    """As text on a card of its own, never as an order."""
    assert "DOSE-B" not in {dose_id(one) for one in new_prescriptions(name)}
    told = [card["detail"] for card in answer_to(name)["cards"]]
    by_weight = [Decimal(one) for one in re.findall(r"= ([\d.]+) micrograms? daily", "".join(told))]
    expected = story_of(name).expected.get("weight_based_dose_ug")
    assert by_weight == ([] if expected is None else [Decimal(expected)])


@each("name", STORIES)
def test_the_cards_say_what_they_must(name: str) -> None:
    said = " ".join(
        f"{card['summary']} {card['detail']}" for card in answer_to(name)["cards"]
    ).lower()
    for words in story_of(name).expected["must_say"]:
        assert words.lower() in said


# --- orders being written -------------------------------------------------------------------


@each("name", ORDER_STORIES)
def test_exactly_the_expected_is_said_of_each_order(name: str) -> None:
    found = [finding_of(card) for card in answer_to(name)["cards"]]
    said = [one for one in found if one is not None]
    assert sorted(said, key=str) == sorted(story_of(name).expected["findings"], key=str)


@each("name", ORDER_STORIES)
def test_the_most_urgent_comes_first(name: str) -> None:
    ranks = [URGENCY.index(card["indicator"]) for card in answer_to(name)["cards"]]
    assert ranks == sorted(ranks)


@each("name", ORDER_STORIES)
def test_exactly_the_expected_levels_are_suggested_for_an_order(name: str) -> None:
    expected = story_of(name).expected.get("tests")
    if expected is None:
        return
    on_days = [
        action["resource"]["occurrenceDateTime"]
        for card in answer_to(name)["cards"]
        if finding_of(card) is not None
        for suggestion in card.get("suggestions", ())
        for action in suggestion["actions"]
        if action["type"] == "create"
        and action["resource"]["code"]["coding"][0]["code"] == B12_LEVEL
    ]
    assert on_days == expected


@each("name", ORDER_STORIES)
def test_orders_are_changed_into_what_is_expected(name: str) -> None:
    recorded = {address(one): one for one in story_of(name).resources}
    updates = [
        {
            "order": address(action["resource"]),
            "to": what_becomes_of(
                {**recorded, **drafts(name)}[address(action["resource"])],
                json.loads(json.dumps(action["resource"], default=float)),
            ),
        }
        for action in actions(name)
        if action["type"] == "update" and not begins_a_treatment(action, name)
    ]
    deletes = [action["resourceId"] for action in actions(name) if action["type"] == "delete"]
    expected = story_of(name).expected
    # two cards about one order may correct it in the same way
    assert without_repetition(updates) == expected.get("updates", [])
    assert without_repetition(deletes) == expected.get("deletes", [])


# --- the cards to the letter ----------------------------------------------------------------


@each("name", STORIES)
def test_the_cards_are_the_accepted_ones_to_the_letter(name: str) -> None:
    """When they change on purpose: ``python tests/acceptance/expected_cards.py``, then read."""
    cards, accepted = shown(story_of(name).answer().json["cards"]), story_of(name).expected["cards"]
    assert cards == accepted
    # 2 and 2.0 are equal, but not to the letter
    assert json.dumps(cards, sort_keys=True) == json.dumps(accepted, sort_keys=True)


# --- the other ways to the data -------------------------------------------------------------


@each("name", STORIES, sample=60)
def test_a_fhir_server_leads_to_the_same_answer_as_prefetch(name: str) -> None:
    story = story_of(name)
    sent = {part: value for part, value in story.request.items() if part != "prefetch"}
    with FhirStub(story.resources) as fhir:
        client = story.client()
        answer = client.post(story.path, json={**sent, "fhirServer": fhir.url})
        # an order may point to a medication that no one sent
        led_to = [one for one in fhir.seen if one.target.startswith("Medication/")]
        assert len(led_to) == (name == "order-select-medication-not-found")
        assert len(fhir.seen) - len(led_to) == len(story.request["prefetch"])
    prefetched = story.post(prefetch=without_unasked(story))
    assert answer.json == prefetched.json
    assert (answer.json == story.answer().json) == (name not in UNASKED)


@each("name", STORIES, sample=60)
def test_the_file_with_the_record_leads_to_the_same_answer(name: str) -> None:
    written_down = "request.json" if name in ORDER_STORIES else "patient.json"
    case = read_case((FOLDER / name / written_down).read_bytes(), services())
    assert case.asked.context.patient_id == name
    assert case.written in (story_of(name).on, None)
    occasion = Occasion(story_of(name).on, as_of_is_set=True, no_server=NO_SERVER)
    done = consult(case.service, case.asked, None, occasion)
    answer = json.loads(encode(done.response))
    assert shown(answer["cards"]) == story_of(name).expected["cards"]
    prefetched = story_of(name).answer().json["extension"][EVALUATION_EXTENSION]
    if name == TWIN:
        del prefetched["otherPatientsRecordsIgnored"]
    assert answer["extension"][EVALUATION_EXTENSION] == prefetched


def evaluated(*options: str) -> str:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("CDS_")}
    done = subprocess.run(
        [sys.executable, "-m", "cds_service", "evaluate", *options],
        cwd=ROOT,
        env=kept,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=PATIENCE_S,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("name", ["vegan-mother-low-b12-six-months", "adequate-level-silent"])
def test_the_command_evaluate_says_the_same(name: str) -> None:
    """Not the note that the date is not today: on one day it is."""
    patient = str(FOLDER / name / "patient.json")
    cards = shown(json.loads(evaluated(patient, "--json"))["cards"])
    expected = story_of(name).expected["cards"]

    def timeless(some: list[Json]) -> list[Json]:
        return [
            {
                **card,
                "detail": [line for line in card["detail"] if not line.startswith("Evaluated as")],
            }
            for card in some
        ]

    assert timeless(cards) == timeless(expected)
    words = re.sub(r"\s+", " ", evaluated(patient))
    assert bool(expected) == ("Nothing to say" not in words)
    for card in expected:
        assert card["summary"] in words
        for suggestion in card["suggestions"]:
            for action in suggestion["actions"]:
                assert f"{action['type']}: {action['description']}" in words


# --- what would be saved --------------------------------------------------------------------


@each("name", STORIES, sample=120)
def test_every_suggested_resource_is_valid_and_about_the_patient(name: str) -> None:
    own = {address(one) for one in story_of(name).resources}
    for action in actions(name):
        if action["type"] == "delete":
            assert action["resourceId"] in drafts(name)
            continue
        resource = action["resource"]
        before = drafts(name).get(address(resource)) if action["type"] == "update" else None
        # an order that came in another shape than R4's keeps it where it is not changed
        if before is None or is_valid(before):
            assert is_valid(resource)
        whose = resource[SUBJECT.get(resource["resourceType"], "subject")]
        assert whose == {"reference": f"Patient/{name}"}
        assert set(references(resource)) <= own | set(references(before))


@each("name", STORIES)
def test_what_is_new_is_a_draft_and_what_is_old_is_only_stopped(name: str) -> None:
    as_of = story_of(name).expected["asOf"]
    for action in actions(name):
        if action["type"] == "delete" or address_in_basket(action, name):
            continue
        resource = action["resource"]
        kind = resource["resourceType"]
        if action["type"] == "create":
            assert "id" not in resource
            assert resource["authoredOn"] == as_of
            states = {"Task": ("requested", "proposal")}
            state = (resource["status"], resource["intent"])
            assert state == states.get(kind, ("draft", "order"))
            assert resource.get("occurrenceDateTime", as_of) >= as_of
        else:
            assert action["type"] == "update"
            (recorded,) = [
                one
                for one in story_of(name).resources
                if (one["resourceType"], one["id"]) == (kind, resource["id"])
            ]
            assert kind == "MedicationRequest"
            assert recorded["status"] in ("active", "on-hold")
            assert json.dumps({**recorded, "status": "stopped"}, sort_keys=True) == json.dumps(
                resource, sort_keys=True, default=float
            )


@each("name", STORIES)
def test_no_dose_is_more_than_the_most_that_is_suggested(name: str) -> None:
    for prescription in new_prescriptions(name):
        steps = prescription["dosageInstruction"]
        assert [step["sequence"] for step in steps] == list(range(1, len(steps) + 1))
        for step, amount in zip(steps, amounts_ug(prescription), strict=True):
            assert 0 < amount <= MOST_UG
            daily = step["maxDosePerPeriod"]
            assert (daily["numerator"]["code"], daily["denominator"]["code"]) == ("ug", "d")
            assert amount <= daily["numerator"]["value"] <= MOST_UG
            assert daily["denominator"]["value"] == 1
            assert f"{amount.normalize():f} micrograms by " in step["text"]


#: Words in the text of a dosage line that tell the way, and the routes they go with.
WAYS = {
    "mouth": ORAL,
    "oral": ORAL,
    "muscle": INTRAMUSCULAR,
    "intramuscular": INTRAMUSCULAR,
    "subcutaneous": SUBCUTANEOUS,
    "under the skin": SUBCUTANEOUS,
    "vein": "47625008",
}


@each("name", STORIES)
def test_drug_route_and_text_of_a_changed_or_new_prescription_agree(name: str) -> None:
    """People read the text, machines the route, and the drug has to be made for both."""
    for action in actions(name):
        order = action.get("resource", {})
        if not order.get("resourceType", "").startswith("Medication"):
            continue
        before = {address(one): one for one in story_of(name).resources} | drafts(name)
        if action["type"] == "update" and (
            order["dosageInstruction"] == before[address(order)].get("dosageInstruction")
        ):
            continue
        drug = json.dumps(
            [order.get("medicationCodeableConcept"), order.get("contained")], default=float
        )
        for step in order["dosageInstruction"]:
            route = step["route"]["coding"][0]["code"]
            # words that would say the old route are left out of a changed one
            text = step.get("text", "").lower().replace("(not intramuscular)", "")
            said = {WAYS[word] for word in WAYS if word in text}
            assert said <= {route}, text
            if route == ORAL:
                # an infant's product: no tablet
                assert re.search(r"oral (solution|preparation)", drug, re.IGNORECASE), drug
            else:
                assert "oral" not in drug.lower(), drug


@each("name", STORIES)
def test_the_doses_of_a_phase_fill_it_exactly(name: str) -> None:
    for prescription in new_prescriptions(name):
        for frequency, period, unit, length, length_unit, count in phases(prescription):
            if "mo" in (unit, length_unit):
                assert unit == length_unit
                periods = Decimal(length) / Decimal(period)
            else:
                periods = Decimal(length * DAYS[length_unit]) / Decimal(period * DAYS[unit])
            assert periods * frequency == count


def test_every_regimen_is_met_in_some_story() -> None:
    met = {dose_id(one) for name in STORIES for one in new_prescriptions(name)}
    assert met == {"DOSE-A", "DOSE-D", "DOSE-E", "DOSE-E, after a course"}  # B and C are text
