"""Dates known by their month or year only, by HTTP: shown as recorded, ordered as all the days they
can mean, and judged by whichever of these asks for more care."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.consultation import EVALUATION_EXTENSION, load_services
from cds_service.settings import Settings

Json = dict[str, Any]

KEYS = [need.key for need in load_services()[0].needs]
LOINC, SNOMED = "http://loinc.org", "http://snomed.info/sct"
SUBJECT = {"reference": "Patient/p1"}
B12, HB, POTASSIUM, PLATELETS, WEIGHT, MMA, THCY = (
    "2132-9", "718-7", "2823-3", "777-3", "29463-7", "13964-2", "13965-9",
)  # fmt: skip


@pytest.fixture(scope="module")
def service() -> FlaskClient:
    return create_app(Settings(demo=True, as_of=date(2026, 11, 28))).test_client()


def result(code: str, value: float, unit: str, day: str) -> Json:
    return {
        "resourceType": "Observation",
        "id": f"o-{code}-{day}",
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": code}]},
        "subject": SUBJECT,
        "effectiveDateTime": day,
        "valueQuantity": {"value": value, "unit": unit},
    }


def level(value: float, day: str) -> Json:
    return result(B12, value, "pg/mL", day)


def order(day: str, **but: Any) -> Json:
    return {
        "resourceType": "MedicationRequest",
        "id": f"m-{day}",
        "status": "active",
        "intent": "order",
        "subject": SUBJECT,
        "authoredOn": day,
        "medicationCodeableConcept": {
            "coding": [{"system": "http://www.whocc.no/atc", "code": "B03BA01"}],
            "text": "Cyanocobalamin",
        },
        "dosageInstruction": [
            {"route": {"coding": [{"system": SNOMED, "code": "26643006"}]}, "text": "1 mg daily"}
        ],
        **but,
    }


def condition(code: str, **but: Any) -> Json:
    return {
        "resourceType": "Condition",
        "id": f"c-{code}",
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "subject": SUBJECT,
        "code": {"coding": [{"system": SNOMED, "code": code}]},
        **but,
    }


def bundle(*resources: Json) -> Json:
    entries = [{"resource": one} for one in resources]
    return {"resourceType": "Bundle", "type": "searchset", "entry": entries}


def ask(service: FlaskClient, **sent: Json) -> Json:
    patient = {"resourceType": "Patient", "id": "p1", "birthDate": "2026-03-20"}
    answer = service.post(
        "/cds-services/b12-under-two-patient-view",
        json={
            "hook": "patient-view",
            "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
            "context": {"userId": "Practitioner/1", "patientId": "p1"},
            "prefetch": {key: bundle() for key in KEYS} | {"patient": patient} | sent,
        },
    )
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()  # type: ignore[no-any-return]


def rules(answer: Json) -> list[str]:
    return answer["extension"][EVALUATION_EXTENSION]["ruleIds"]  # type: ignore[no-any-return]


def said(answer: Json) -> str:
    return "\n".join(f"{one['summary']}\n{one.get('detail', '')}" for one in answer["cards"])


def suggested(answer: Json) -> str:
    return json.dumps([card.get("suggestions") for card in answer["cards"]])


# --- results -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("low", "adequate", "shown"),
    [
        ("2026-11", "2026-11-25", "on 25 Nov 2026"),
        ("2026-11-10", "2026-11", "in Nov 2026"),
        ("2026-11", "2026-11", "in Nov 2026"),
        ("2026", "2026-11-25", "on 25 Nov 2026"),
    ],
)
def test_two_levels_of_which_either_may_be_newer_are_said_and_the_lower_counts(
    service: FlaskClient, low: str, adequate: str, shown: str
) -> None:
    answer = ask(service, b12=bundle(level(450, adequate), level(150, low) | {"id": "low"}))
    assert not {"STAT-02", "STAT-10"}.isdisjoint(rules(answer))
    assert f"Either this result or 450 pg/mL {shown} may be the newest" in said(answer)
    assert "30 Nov 2026" not in said(answer)


def test_a_level_of_a_month_that_is_over_is_the_older_one(service: FlaskClient) -> None:
    assert "STAT-08" in rules(
        ask(service, b12=bundle(level(450, "2026-11-25"), level(150, "2026-10")))
    )


@pytest.mark.parametrize(
    ("code", "value", "unit", "normal", "fires"),
    [
        (HB, 5.5, "g/dL", 12, "SEV-02"),
        (POTASSIUM, 2.2, "mmol/L", 4.2, "SAF-06b"),
        (PLATELETS, 30, "10*9/L", 300, "SAF-03"),
    ],
)
def test_a_dangerous_value_counts_where_it_may_be_recent(
    service: FlaskClient, code: str, value: float, unit: str, normal: float, fires: str
) -> None:
    """Of October it may be 28 days old, of September it is at least 59; and a normal one of this
    month does not hide it where it may be the older."""
    severe = () if code == HB else (result(HB, 5.5, "g/dL", "2026-11-20"),)

    def answered(*counts: Json) -> list[str]:
        return rules(
            ask(service, b12=bundle(level(150, "2026-11-20")), labs=bundle(*counts, *severe))
        )

    assert fires in answered(result(code, value, unit, "2026-10"))
    assert fires not in answered(result(code, value, unit, "2026-09"))
    normal_now = result(code, normal, unit, "2026-11-25")
    assert fires in answered(result(code, value, unit, "2026-11"), normal_now)
    if code != HB:  # of haemoglobin the worst of the month counts in any case
        assert fires not in answered(result(code, value, unit, "2026-10"), normal_now)


def test_a_normal_value_spares_no_test_unless_it_is_surely_recent(service: FlaskClient) -> None:
    def ordered(day: str) -> bool:
        mma = result(MMA, 0.2, "umol/L", day)
        answer = ask(service, b12=bundle(level(150, "2026-11-20")), labs=bundle(mma))
        return "13964-2" in suggested(answer)

    assert not ordered("2026-11")
    assert ordered("2026-10")


def test_extreme_homocysteine_is_settled_by_a_surely_later_value_only(service: FlaskClient) -> None:
    def suspected(extreme: str, later: str) -> bool:
        labs = bundle(result(THCY, 120, "umol/L", extreme), result(THCY, 9, "umol/L", later))
        answer = ask(service, b12=bundle(level(150, "2026-11-20")), labs=labs)
        return "ETI-01b" in rules(answer)

    assert suspected("2026-11", "2026-11-25")
    assert suspected("2026-11-10", "2026-11")
    assert not suspected("2026-11-10", "2026-11-25")


def test_of_two_weights_of_which_either_may_be_newer_the_lower_counts(service: FlaskClient) -> None:
    weights = bundle(result(WEIGHT, 5.6, "kg", "2026-11"), result(WEIGHT, 7.5, "kg", "2026-11-25"))
    text = said(ask(service, b12=bundle(level(150, "2026-11-20")), weight=weights))
    assert "5.6 kg (Nov 2026)" in text
    assert "Two weights of which either may be the newest differ" in text
    weights = bundle(result(WEIGHT, 5.6, "kg", "2026-10"), result(WEIGHT, 7.5, "kg", "2026-11-25"))
    text = said(ask(service, b12=bundle(level(150, "2026-11-20")), weight=weights))
    assert "7.5 kg (25 Nov 2026)" in text
    assert "Two weights" not in text


# --- treatment -----------------------------------------------------------------------------------


def test_an_order_of_this_month_was_begun_between_two_days(service: FlaskClient) -> None:
    answer = ask(service, b12=bundle(level(150, "2026-10-25")), meds=bundle(order("2026-11")))
    assert any("(day 0 to 27)" in card["summary"] for card in answer["cards"])


def test_a_dose_given_narrows_the_day_on_which_treatment_began(service: FlaskClient) -> None:
    given = order("", id="a1") | {
        "resourceType": "MedicationAdministration",
        "status": "completed",
        "effectiveDateTime": "2026-11-05",
    }
    for name in ("authoredOn", "intent", "dosageInstruction"):
        given.pop(name)
    answer = ask(
        service,
        b12=bundle(level(150, "2026-10-25")),
        meds=bundle(order("2026-11")),
        administrations=bundle(given),
    )
    assert "day 23 to 27" in said(answer)


def test_no_response_is_judged_before_it_is_surely_due(service: FlaskClient) -> None:
    """A low level of 10 November may be of day 10 to 40 of an order of October."""
    levels = bundle(level(150, "2026-09-25"), level(160, "2026-11-10"))
    answer = ask(service, b12=levels, meds=bundle(order("2026-10")))
    assert "FU-04" not in rules(answer)
    assert "FU-07" in rules(answer), "whether a check is overdue is asked"
    answer = ask(service, b12=levels, meds=bundle(order("2026-10-01")))
    assert "FU-04" in rules(answer)


@pytest.mark.parametrize(("onset", "new"), [("2026-11", True), ("2026-10", False)])
def test_a_sign_that_may_have_begun_on_treatment_is_a_new_one(
    service: FlaskClient, onset: str, new: bool
) -> None:
    answer = ask(
        service,
        b12=bundle(level(150, "2026-10-25")),
        meds=bundle(order("2026-11-05")),
        conditions=bundle(condition("398152000", onsetDateTime=onset)),
    )
    assert ("FU-11" in rules(answer)) is new


def test_what_was_untreated_for_some_time_is_said_at_the_most(service: FlaskClient) -> None:
    answer = ask(service, b12=bundle(level(150, "2026-07")))
    assert "B12 150 pg/mL, untreated for up to 150 days: " in said(answer)
    assert "URG-02" in rules(answer)
    answer = ask(service, b12=bundle(level(150, "2026-07-01")))
    assert "B12 150 pg/mL, untreated for 150 days: " in said(answer)


def test_an_order_of_a_test_that_may_be_for_another_day_spares_none(service: FlaskClient) -> None:
    def ordered(**when: str) -> bool:
        test = {
            "resourceType": "ServiceRequest",
            "id": "s1",
            "status": "active",
            "intent": "order",
            "subject": SUBJECT,
            "code": {"coding": [{"system": LOINC, "code": MMA}]},
            **when,
        }
        answer = ask(service, b12=bundle(level(150, "2026-11-20")), orders=bundle(test))
        return "13964-2" in suggested(answer)

    assert not ordered(authoredOn="2026-11-20")
    assert ordered(authoredOn="2026-11")


@pytest.mark.parametrize("fed", ["2026-11", "2026"])
def test_of_two_answers_on_feeding_breast_milk_counts(service: FlaskClient, fed: str) -> None:
    def answer_on(words: str, day: str) -> Json:
        one = result("63895-7", 0, "", day) | {"id": f"f-{words[:6]}", "valueString": words}
        del one["valueQuantity"]
        return one

    feeding = bundle(answer_on("Breastfeeding", fed), answer_on("Formula", "2026-11-20"))
    assert "MAT-01" in rules(ask(service, b12=bundle(level(150, "2026-11-20")), feeding=feeding))
    text = said(ask(service, b12=bundle(level(150, "2026-11-20")), feeding=feeding))
    assert "formula" not in text.lower()
