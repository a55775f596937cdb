"""Invented infants by the thousand: every combination of three findings, and what a client does
with the answer.

An infant is a choice of one of a few forms for each kind of finding in `KINDS`. `infants` makes as
many as are asked for, always the same ones; `accept` applies the recommended suggestions of an
answer to the request as a client does, so that it can be asked again.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from itertools import combinations, product
from random import Random
from typing import Any

Json = dict[str, Any]
Infant = Mapping[str, str]

TODAY = date(2026, 3, 15)
SNOMED, LOINC = "http://snomed.info/sct", "http://loinc.org"
RXNORM, UCUM = "http://www.nlm.nih.gov/research/umls/rxnorm", "http://unitsofmeasure.org"
PATIENT = "infant"

#: What an order of one of these is, is known by its code.
ORAL, INJECTED, CYANO_INJECTED = "1423423", "317106", "309594"
ROUTES = {"by mouth": "26643006", "IM": "78421000", "nasal": "46713006"}


# --- resources -----------------------------------------------------------------------------------


def day(ago: int) -> str:
    return (TODAY - timedelta(days=ago)).isoformat()


def _of_infant(kind: str, id_: str, **members: Any) -> Json:
    return {
        "resourceType": kind,
        "id": id_,
        "subject": {"reference": f"Patient/{PATIENT}"},
        **members,
    }


def result(
    loinc: str, value: float | str, unit: str, ago: int = 3, system: str = LOINC, text: str = ""
) -> Json:
    written: Json = {"unit": unit, "system": UCUM, "code": unit}
    if isinstance(value, str):
        written |= {"comparator": value[0], "value": float(value[1:])}
    else:
        written["value"] = value
    return _of_infant(
        "Observation",
        f"o-{loinc}-{ago}",
        status="final",
        code={"coding": [{"system": system, "code": loinc}], **({"text": text} if text else {})},
        effectiveDateTime=day(ago),
        valueQuantity=written,
    )


def answer(loinc: str, system: str, code: str, **members: Any) -> Json:
    return _of_infant(
        "Observation",
        f"o-{loinc}-{code}",
        status="final",
        code={"coding": [{"system": LOINC, "code": loinc}]},
        effectiveDateTime=day(5),
        valueCodeableConcept={"coding": [{"system": system, "code": code}]},
        **members,
    )


def problem(code: str = "", text: str = "", status: str = "active", system: str = SNOMED) -> Json:
    concept: Json = {"coding": [{"system": system, "code": code}]} if code else {}
    if text:
        concept["text"] = text
    return _of_infant(
        "Condition",
        f"c-{code or text.split()[0]}",
        code=concept,
        recordedDate=day(20),
        clinicalStatus={
            "coding": [
                {
                    "system": "http://terminology.hl7.org/CodeSystem/condition-clinical",
                    "code": status,
                }
            ]
        },
    )


def medicine(code: str = "", text: str = "") -> Json:
    concept: Json = {"coding": [{"system": RXNORM, "code": code}]} if code else {}
    return {"medicationCodeableConcept": {**concept, **({"text": text} if text else {})}}


def order(
    id_: str,
    drug: Json,
    amount: float,
    route: str,
    repeat: Json,
    *,
    unit: str = "ug",
    status: str = "draft",
    ago: int = 0,
) -> Json:
    dosage = {
        "timing": {"repeat": repeat},
        "route": {"coding": [{"system": SNOMED, "code": ROUTES[route]}]},
        "doseAndRate": [
            {"doseQuantity": {"value": amount, "unit": unit, "system": UCUM, "code": unit}}
        ],
    }
    return _of_infant(
        "MedicationRequest", id_, status=status, intent="order", authoredOn=day(ago),
        dosageInstruction=[dosage], **drug,
    )  # fmt: skip


def every(period: float, unit: str, frequency: int = 1) -> Json:
    return {"frequency": frequency, "period": period, "periodUnit": unit}


def allergy(code: str = "", text: str = "") -> Json:
    concept: Json = {"coding": [{"system": SNOMED, "code": code}]} if code else {"text": text}
    return {
        "resourceType": "AllergyIntolerance",
        "id": "a",
        "patient": {"reference": f"Patient/{PATIENT}"},
        "code": concept,
    }


def given(drug: Json, ago: int) -> Json:
    return _of_infant(
        "MedicationAdministration",
        "given",
        status="completed",
        effectiveDateTime=day(ago),
        dosage={
            "route": {"coding": [{"system": SNOMED, "code": ROUTES["IM"]}]},
            "dose": {"value": 1000, "unit": "ug", "system": UCUM, "code": "ug"},
        },
        **drug,
    )


# --- the kinds of finding, each in a few forms ---------------------------------------------------

_B12 = "2132-9"


def _b12(value: float | str, ago: int = 3) -> list[Json]:
    return [result(_B12, value, "pg/mL", ago)]


def _lab(loinc: str, value: float | str, unit: str) -> list[Json]:
    return [result(loinc, value, unit)]


_ORAL_DAILY = every(1, "d")
_B12_ORAL, _B12_IM = medicine(ORAL), medicine(INJECTED)

#: What each kind of finding may be, and the resources by which it is sent, with their prefetch key.
KINDS: Mapping[str, Mapping[str, tuple[str, list[Json]]]] = {
    "b12": {
        "none": ("b12", []),
        "80": ("b12", _b12(80)),
        "199": ("b12", _b12(199)),
        "200": ("b12", _b12(200)),
        "299": ("b12", _b12(299)),
        "300": ("b12", _b12(300)),
        "below 150": ("b12", _b12("<150")),
        "80 a year ago": ("b12", _b12(80, 200)),
        "450 before, 120 now": ("b12", _b12(450, 60) + _b12(120, 2)),
        "unit not known": ("b12", [result(_B12, 80, "dU")]),
        "local code": ("b12", [result("VB12", 80, "pg/mL", system="urn:oid:2.999.1",
                                      text="Vitamin B12")]),
    },
    "sign": {
        "none": ("conditions", []),
        "seizure": ("conditions", [problem("91175000")]),
        "hypotonia": ("conditions", [problem("398152000")]),
        "seizure, resolved": ("conditions", [problem("91175000", status="resolved")]),
        "tremor in words": ("conditions", [problem(text="Tremor of the limbs")]),
        "failure to thrive": ("conditions", [problem("36440009")]),
        "fatigue": ("conditions", [problem("R53.83", system="http://hl7.org/fhir/sid/icd-10-cm")]),
        "epilepsy, unknown system": (
            "conditions", [problem("G40.4", "Epilepsie", system="urn:oid:2.999.1")]),
    },
    "cause": {
        "none": ("conditions", []),
        "Crohn's": ("conditions", [problem("34000006")]),
        "cobalamin C": ("conditions", [problem("74653006")]),
        "Leber": ("conditions", [problem("58610003")]),
        "vegan's anaemia": ("conditions", [problem("234360003")]),
        "haemophilia": ("conditions", [problem("90935002")]),
    },
    "mother": {
        "unknown": ("feeding", []),
        "breast-fed": ("feeding", [answer("63895-7", LOINC, "LA29252-6")]),
        "formula": ("feeding", [answer("63895-7", LOINC, "LA29253-4")]),
        "vegan mother": ("feeding", [
            answer("63895-7", LOINC, "LA29252-6"),
            answer("81663-7", "http://terminology.hl7.org/CodeSystem/diet", "vegan",
                   focus=[{"reference": "RelatedPerson/m", "display": "mother"}])]),
    },
    "haemoglobin": {
        "none": ("labs", []), "5.5": ("labs", _lab("718-7", 5.5, "g/dL")),
        "6.9": ("labs", _lab("718-7", 6.9, "g/dL")), "7.0": ("labs", _lab("718-7", 7.0, "g/dL")),
        "9.2": ("labs", _lab("718-7", 9.2, "g/dL")), "12": ("labs", _lab("718-7", 12, "g/dL")),
        "unit not known": ("labs", _lab("718-7", 5, "arb")),
    },
    "mcv": {
        "none": ("labs", []), "112": ("labs", _lab("787-2", 112, "fL")),
        "80": ("labs", _lab("787-2", 80, "fL")),
    },
    "platelets": {
        "none": ("labs", []), "49": ("labs", _lab("777-3", 49, "10*9/L")),
        "50": ("labs", _lab("777-3", 50, "10*9/L")), "300": ("labs", _lab("777-3", 300, "10*9/L")),
    },
    "mma": {
        "none": ("labs", []), "0.2": ("labs", _lab("13964-2", 0.2, "umol/L")),
        "0.8": ("labs", _lab("13964-2", 0.8, "umol/L")),
        "3.5": ("labs", _lab("13964-2", 3.5, "umol/L")),
        "25": ("labs", _lab("13964-2", 25, "umol/L")),
    },
    "homocysteine": {
        "none": ("labs", []), "6": ("labs", _lab("13965-9", 6, "umol/L")),
        "9": ("labs", _lab("13965-9", 9, "umol/L")), "20": ("labs", _lab("13965-9", 20, "umol/L")),
        "60": ("labs", _lab("13965-9", 60, "umol/L")),
        "120": ("labs", _lab("13965-9", 120, "umol/L")),
    },
    "allergy": {
        "none": ("allergies", []),
        "cyanocobalamin": ("allergies", [allergy("419382002")]),
        "cobalt by name": ("allergies", [allergy(text="Cobalt")]),
        "penicillin by name": ("allergies", [allergy(text="Penicillin")]),
    },
    "therapy": {
        "none": ("meds", []),
        "oral": ("meds", [order("m", _B12_ORAL, 1000, "by mouth", _ORAL_DAILY,
                                status="active", ago=30)]),
        "oral, a gram": ("meds", [order("m", _B12_ORAL, 1000, "by mouth", _ORAL_DAILY, unit="mg",
                                        status="active", ago=30)]),
        "injections": ("meds", [order("m", _B12_IM, 1000, "IM", every(1, "wk"),
                                      status="active", ago=30)]),
        "by name only": ("meds", [order("m", medicine(text="Vitamin B12 drops"), 1, "by mouth",
                                        _ORAL_DAILY, unit="mL", status="active", ago=30)]),
        "not to be found": ("meds", [order("m", {"medicationReference":
                                                 {"reference": "Medication/gone"}}, 1, "by mouth",
                                           _ORAL_DAILY, unit="mL", status="active", ago=30)]),
        "given yesterday": ("administrations", [given(_B12_IM, 1)]),
    },
    "drafts": {
        "chart": ("", []),
        "empty": ("drafts", []),
        "oral": ("drafts", [order("d1", _B12_ORAL, 1000, "by mouth", _ORAL_DAILY)]),
        "oral, a tenth": ("drafts", [order("d1", _B12_ORAL, 100, "by mouth", _ORAL_DAILY)]),
        "oral, a gram": ("drafts", [order("d1", _B12_ORAL, 1000, "by mouth", _ORAL_DAILY,
                                          unit="mg")]),
        "injections": ("drafts", [order("d1", _B12_IM, 1000, "IM", every(1, "wk"))]),
        "every three months": ("drafts", [order("d1", _B12_IM, 1000, "IM", every(3, "mo"))]),
        "cyanocobalamin injected": (
            "drafts", [order("d1", medicine(CYANO_INJECTED), 1000, "IM", every(2, "d"))]),
        "oral and injections": ("drafts", [
            order("d1", _B12_ORAL, 1000, "by mouth", _ORAL_DAILY),
            order("d2", _B12_IM, 1000, "IM", every(1, "wk"))]),
        "oral twice": ("drafts", [
            order("d1", _B12_ORAL, 1000, "by mouth", _ORAL_DAILY),
            order("d2", _B12_ORAL, 1000, "by mouth", _ORAL_DAILY)]),
        "nasal": ("drafts", [order("d1", medicine(text="Cyanocobalamin nasal spray"), 500, "nasal",
                                   every(1, "wk"))]),
        "folic acid": ("drafts", [order("d1", medicine("4511"), 1, "by mouth", _ORAL_DAILY,
                                        unit="mg")]),
        "named only": ("drafts", [order("d1", medicine(text="Vitamin B12"), 1, "by mouth",
                                        _ORAL_DAILY, unit="mL")]),
    },
    "weight": {
        "none": ("weight", []),
        "by age": ("weight", [result("29463-7", 6.8, "kg")]),
        "absurd": ("weight", [result("29463-7", 68, "kg")]),
    },
    "age": {
        one: ("", []) for one in ("10 days", "6 weeks", "10 weeks", "5 months", "9 months",
                                  "13 months", "23 months")
    },
}  # fmt: skip

BORN = {
    "10 days": date(2026, 3, 5), "6 weeks": date(2026, 2, 1), "10 weeks": date(2026, 1, 4),
    "5 months": date(2025, 10, 10), "9 months": date(2025, 6, 10), "13 months": date(2025, 2, 10),
    "23 months": date(2024, 4, 10),
}  # fmt: skip
KEYS = ("patient", "b12", "weight", "labs", "feeding", "conditions", "meds", "procedures",
        "allergies", "administrations", "orders")  # fmt: skip
HOOKS = ("patient-view", "order-select", "order-sign")


def infants(count: int, seed: int = 1) -> Iterator[Infant]:
    """So many infants, always the same for a seed: half of them with few findings, as in life."""
    random = Random(seed)
    for number in range(count):
        few = number % 2 == 0
        chosen = {}
        for kind, forms in KINDS.items():
            names = list(forms)
            plain = few and kind not in ("age", "b12") and random.random() < 0.6
            chosen[kind] = names[0] if plain else random.choice(names)
        yield chosen


def covering(seed: int = 1) -> Iterator[Infant]:
    """Infants until every combination of three forms of different kinds has come."""
    threes = [
        tuple(zip(kinds, forms, strict=True))
        for kinds in combinations(KINDS, 3)
        for forms in product(*(KINDS[kind] for kind in kinds))
    ]
    random, seen = Random(seed), set[tuple[tuple[str, str], ...]]()
    random.shuffle(threes)
    for three in threes:
        if three not in seen:
            other = {kind: random.choice(list(forms)) for kind, forms in KINDS.items()}
            infant = other | dict(three)
            seen.update(combinations(infant.items(), 3))
            yield infant


def request_of(infant: Infant, hook: str = "") -> Json:
    """The call about ``infant``: about the chart where it has no drafts, else signing them."""
    sent: dict[str, list[Json]] = {key: [] for key in (*KEYS, "drafts")}
    for kind, form in infant.items():
        key, resources = KINDS[kind][form]
        if key:
            sent[key] += copy.deepcopy(resources)
    drafts = sent.pop("drafts")
    patient = {
        "resourceType": "Patient",
        "id": PATIENT,
        "birthDate": BORN[infant["age"]].isoformat(),
        "gender": "female",
    }
    context: Json = {"userId": "Practitioner/1", "patientId": PATIENT}
    hook = hook or ("patient-view" if infant["drafts"] == "chart" else "order-sign")
    if hook != "patient-view":
        context["draftOrders"] = bundle(drafts)
    prefetch = {key: patient if key == "patient" else bundle(sent[key]) for key in KEYS}
    return {
        "hook": hook,
        "hookInstance": "3f0ab1de-8d2b-4a4c-9a2c-7d4f0f6d9a11",
        "context": context,
        "prefetch": prefetch,
    }


def bundle(resources: list[Json]) -> Json:
    entries = [{"resource": one} for one in resources]
    return {"resourceType": "Bundle", "type": "searchset", "total": len(entries), "entry": entries}


def held(bundled: Json) -> list[Json]:
    return [entry["resource"] for entry in bundled["entry"]]


# --- what a client does --------------------------------------------------------------------------

#: Where a client files what it creates or changes at the chart.
_FILED = {"MedicationRequest": "meds", "ServiceRequest": "orders"}


def accept(request: Json, cards: list[Json], chosen: Callable[[Json, Json], bool]) -> Json:
    """The request once the suggestions that are ``chosen`` (card, suggestion) were accepted.

    At order entry everything stays a draft; at the chart an order that is created becomes active
    at once, as if it had been signed.
    """
    told: Json = json.loads(json.dumps(request))
    drafts = told["context"].get("draftOrders")
    for card in cards:
        for suggestion in card.get("suggestions", ()):
            if chosen(card, suggestion):
                for action in suggestion["actions"]:
                    _apply(told, drafts, action)
    return told


def _apply(told: Json, drafts: Json | None, action: Json) -> None:
    if action["type"] == "delete":
        for bundled in (drafts, *told["prefetch"].values()):
            _without(bundled, action["resourceId"])
        return
    resource = json.loads(json.dumps(action["resource"]))
    if action["type"] == "update":
        for bundled in (drafts, *told["prefetch"].values()):
            if _without(bundled, f"{resource['resourceType']}/{resource['id']}"):
                bundled["entry"].append({"resource": resource})
        return
    resource.setdefault("id", f"new-{len(json.dumps(told))}")
    if resource["resourceType"] not in _FILED:
        return
    if drafts is None:
        resource["status"] = "active"
        told["prefetch"][_FILED[resource["resourceType"]]]["entry"].append({"resource": resource})
    else:
        drafts["entry"].append({"resource": resource})


def _without(bundled: Any, reference: str) -> bool:
    if not isinstance(bundled, dict) or "entry" not in bundled:
        return False
    kept = [
        one
        for one in bundled["entry"]
        if f"{one['resource']['resourceType']}/{one['resource'].get('id')}" != reference
    ]
    gone = len(kept) < len(bundled["entry"])
    bundled["entry"] = kept
    return gone
