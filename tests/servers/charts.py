"""Charts of invented infants on coded data alone, around the limits of the guideline; some infants
are on treatment.

Most of them are plain, as the exported CQL wants a chart to be; in some there is one thing that it
does not read. The same seed gives the same charts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from random import Random
from typing import Any, NamedTuple

from cds_service.guidelines.b12_under_two.age import add_months, completed_months
from cds_service.guidelines.b12_under_two.growth import extreme_curves
from cds_service.guidelines.codelists import CodeList

Json = dict[str, Any]

#: Ends of months, leap days, and days on which nothing happens.
TODAYS = (
    date(2026, 3, 15), date(2024, 2, 29), date(2025, 2, 28), date(2026, 3, 31), date(2026, 4, 30),
    date(2026, 3, 1),
)  # fmt: skip

UCUM = "http://unitsofmeasure.org"
LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
#: Each kind of result: its LOINC code, its unit, numbers around its limits, and usual ranges.
LABS: dict[str, tuple[str, str, Sequence[str], Sequence[tuple[str, str]]]] = {
    "level": ("2132-9", "pg/mL", ("60", "99.9", "100", "199", "200", "299.9", "300", "450"), ()),
    "molar": ("14685-2", "pmol/L", ("73", "74", "147", "148", "221", "222"), ()),
    "mma": ("13964-2", "umol/L", ("0.2", "0.31", "0.41", "1.25", "1.26", "5.1", "10.1"),
            (("", "0.4"), ("", "1.5"))),
    "homocysteine": ("13965-9", "umol/L", ("7", "8.1", "10", "10.1", "49.9", "50", "101"),
                     (("", "9"), ("", "15"))),
    "haemoglobin": ("718-7", "g/dL", ("6.9", "7", "8.9", "9.4", "9.9", "10", "10.9", "13"), ()),
    "mcv": ("787-2", "fL", ("80", "90", "91", "109", "116", "124"), (("70", "86"),)),
    "platelets": ("777-3", "10*9/L", ("49", "99", "100", "300"), (("150", "450"),)),
    "white cells": ("6690-2", "10*9/L", ("3.1", "5.5", "12"), (("5.5", "17.5"),)),
    "holotranscobalamin": ("72160-5", "pmol/L", ("30", "39.9", "40", "60"), (("35", ""),)),
    "potassium": ("2823-3", "mmol/L", ("2.4", "2.5", "3.4", "3.5", "4.2"), ()),
    "folate": ("2284-8", "ng/mL", ("3", "12"), ()),
    "ferritin": ("2276-4", "ng/mL", ("8", "40"), ()),
}  # fmt: skip
LEVELS = ("level", "molar")
AGO = (0, 1, 3, 12, 14, 15, 29, 30)
#: A level counts for longer; other values that are older than a month are not read.
LEVELS_AGO = (*AGO, 31, 60, 91, 179, 180, 181, 300)
#: Weights of each kind, in two units, most of them of the first.
WEIGHTS = ("29463-7", "29463-7", "29463-7", "8335-2", "8339-4")
#: Of a weight that may count, those around the days for which it does, and of tomorrow and later.
WEIGHED_AGO = (0, 1, 7, 8, 27, 30, 31, 60, 61, -1, -2)
PROBLEMS = (
    "neurological", "neurological_other", "failure_to_thrive", "anemia", "megaloblastic_anemia",
    "pancytopenia", "malabsorption", "malabsorption_permanent", "inborn", "dietary_deficiency",
    "b12_deficiency", "b12_deficiency_nonspecific", "b12_deficiency_anemia", "suggestive_sign",
    "weak_sign", "feeding_trouble", "renal_impairment", "thrombocytopenia", "bleeding", "preterm",
    "leber", "cobalamin_reaction",
)  # fmt: skip
DIETS = ("vegan", "vegetarian", "kosher")
#: What a child is allergic to: what matters, what does not, and what only words say.
ALLERGIES: tuple[Json, ...] = (
    {"coding": [{"system": "http://snomed.info/sct", "code": "419382002"}]},
    {"coding": [{"system": "http://www.whocc.no/atc", "code": "B03BA03", "display": "Hydroxo"}]},
    {"coding": [{"system": "http://snomed.info/sct", "code": "293396006"}], "text": "Rash"},
    {"coding": [{"system": "http://fdasis.nlm.nih.gov", "code": "LKG8494WBH"}]},
    {"coding": [{"system": "http://snomed.info/sct", "code": "91936005",
                 "display": "Allergy to penicillin"}]},
    {"text": "Cow's milk"},
    {"text": "Vitamin B-12"},
    {"text": "Kobalt"},
)  # fmt: skip


#: How long ago a treatment began: the days around which a check is due, or a dose still counts.
TREATED_AGO = (
    0, 1, 2, 14, 15, 20, 21, 27, 28, 45, 46, 60, 61, 90, 91, 120, 121, 122, 123, 200,
)  # fmt: skip
#: How long before that more was given, and how long after it something began or was measured.
GIVEN_BEFORE = (1, 7, 14, 60, 90, 91, 180)
AFTER_START = (-20, -1, 0, 1, 2, 13, 14, 15, 20, 21, 30, 60, 61, 100)
#: A drug, the unit of its amount with amounts, of which the last in ug feeds and does not treat.
DRUGS = (("419382002", "ug"), ("409258004", "mg"), ("1217427007", "ug"), ("387207008", "mg"))
AMOUNTS = {"ug": ("1000", "500", "100", "5"), "mg": ("1", "1", "0.25", "5")}
#: By mouth, into muscle, under the skin; under the tongue is not plain.
ROUTES = ("26643006", "78421000", "34206005")


class Chart(NamedTuple):
    """Its resources, the patient first, and the day on which it is read."""

    resources: list[Json]
    today: date


def charts(seed: int, lists: Sequence[CodeList]) -> Iterator[Chart]:
    """One after the other, without end."""
    drawn = Random(seed)
    by_name = {one.name: one for one in lists}
    while True:
        today = drawn.choice(TODAYS)
        yield Chart(_Chart(drawn, by_name, today).made(), today)


class _Chart:
    def __init__(self, drawn: Random, lists: dict[str, CodeList], today: date) -> None:
        self._drawn, self._lists, self._today = drawn, lists, today
        self._found: list[Json] = []

    def made(self) -> list[Json]:
        drawn = self._drawn
        months = drawn.choice((0, 1, 2, 3, 5, 6, 8, 11, 12, 13, 20, 23))
        birth = add_months(self._today, -months) - timedelta(days=drawn.choice((0, 1, 9, 27)))
        sex = drawn.choice(({}, {"gender": "male"}, {"gender": "female"}, {"gender": "unknown"}))
        patient = {"resourceType": "Patient", "id": "child", "birthDate": birth.isoformat()}
        self._found = [patient | sex]
        old = (self._today - birth).days
        mild = drawn.random() < 0.3  # a level, a weight, and little more
        for kind in LABS:
            if drawn.random() < (0.55 if kind == "level" else 0.06 if mild else 0.3):
                ago = [one for one in (LEVELS_AGO if kind in LEVELS else AGO) if one <= old]
                self._add_lab(kind, self._before(drawn.choice(ago)))
        if drawn.random() < 0.2:
            self._add_lab("level", self._before(min(old, 7)))
        for _ in range(drawn.choice((0, 1, 1, 1, 2))):
            self._add_weight(birth)
        if drawn.random() < 0.15:
            self._add(_measured("76516-4", drawn.choice(("30", "36.9", "37", "40")), "wk", birth))
        for name in drawn.sample(PROBLEMS, 0 if mild else drawn.choice((0, 0, 1, 1, 2, 3))):
            self._add_problem(name, drawn.choice((None, self._today, self._before(min(old, 95)))))
        if drawn.random() < 0.35:
            self._add_treatment(old)
        if drawn.random() < 0.25:
            self._add_allergy(drawn.choice(ALLERGIES))
        self._add_feeding()
        if drawn.random() < 0.08:
            self._add(drawn.choice(_UNREAD))
        return self._found

    def _before(self, days: int) -> date:
        return self._today - timedelta(days=days)

    def _add_treatment(self, old: int) -> None:
        """An order, doses, or both, a level before and one after, and perhaps a sign since."""
        drawn = self._drawn
        began = drawn.choice([one for one in TREATED_AGO if one <= old])
        code, unit = drawn.choice(DRUGS[:3] if drawn.random() < 0.95 else DRUGS)
        route = drawn.choice(ROUTES)
        form = drawn.choice(("order", "order", "doses", "both"))
        if form != "doses":
            self._add(_ordered(code, route, drawn.choice(AMOUNTS[unit]), unit, self._before(began)))
        given = {began} if form == "doses" else set()
        if form != "order":
            before = drawn.sample(GIVEN_BEFORE, drawn.choice((0, 1, 2)))
            given |= {began + one for one in before if began + one <= old}
            given |= {one for one in drawn.sample(TREATED_AGO, 3) if one < began}
        for ago in sorted(given):
            self._found.append(
                {"id": f"{len(self._found)}"}
                | _given(code, route, drawn.choice(AMOUNTS[unit][:3]), unit, self._before(ago))
            )
        for after in drawn.sample(AFTER_START, drawn.choice((0, 1, 2, 2))):
            if 0 <= began - after <= old:
                self._add_lab("level", self._before(began - after))
        if drawn.random() < 0.5:
            after = drawn.choice([one for one in AFTER_START if 0 <= began - one <= old])
            sign = drawn.choice(("movement_disorder", "neurological"))
            self._add_problem(sign, self._before(began - after))

    def _add_weight(self, birth: date) -> None:
        """Near a point of the curves, where limits are, or anything."""
        drawn = self._drawn
        old = (self._today - birth).days
        code = drawn.choice(WEIGHTS)
        ago = drawn.choice([one for one in WEIGHED_AGO if one <= old])
        on = birth if code == "8339-4" else self._before(ago)
        month = min(completed_months(birth, max(on, birth)), 24)
        _, *curves = dict(extreme_curves()).values()
        kg = drawn.choice(drawn.choice(curves)[month]) + drawn.choice(_ASIDE)
        if drawn.random() < 0.3:
            self._add(_measured(code, str(int(kg * 1000)), "g", on))
        else:
            self._add(_measured(code, f"{kg}", "kg", on))

    def _add_allergy(self, of: Json) -> None:
        active = {"system": f"{_TERMINOLOGY}/allergyintolerance-clinical", "code": "active"}
        self._found.append(
            {
                "id": f"{len(self._found)}",
                "resourceType": "AllergyIntolerance",
                "clinicalStatus": {"coding": [active]},
                "code": of,
                "patient": _THE_CHILD,
            }
        )

    def _add(self, resource: Json) -> None:
        self._found.append({**resource, "id": f"{len(self._found)}", "subject": _THE_CHILD})

    def _add_lab(self, kind: str, on: date) -> None:
        code, unit, numbers, ranges = LABS[kind]
        resource = {
            "resourceType": "Observation",
            "status": self._drawn.choice(("final", "final", "corrected")),
            "code": {"coding": [{"system": LOINC, "code": code}]},
            "effectiveDateTime": f"{on.isoformat()}{self._drawn.choice(('', 'T08:00:00Z'))}",
            "valueQuantity": _quantity(self._drawn.choice(numbers), unit),
        }
        if ranges and self._drawn.random() < 0.5:
            low, high = self._drawn.choice(ranges)
            ends = {"low": low, "high": high}
            resource["referenceRange"] = [
                {name: _quantity(end, unit) for name, end in ends.items() if end}
            ]
        self._add(resource)

    def _add_problem(self, name: str, began: date | None) -> None:
        code = self._drawn.choice(self._lists[name].verified)
        active = {"system": f"{_TERMINOLOGY}/condition-clinical", "code": "active"}
        self._add(
            {
                "resourceType": "Condition",
                "clinicalStatus": {"coding": [active]},
                "code": {"coding": [{"system": code.system, "code": code.code}]},
                **({"onsetDateTime": began.isoformat()} if began else {}),
            }
        )

    def _add_feeding(self) -> None:
        drawn = self._drawn
        answer = drawn.choice(
            (
                None, {"text": "breastfed"}, {"text": "Formula fed"}, {"text": "not breastfed"},
                {"coding": [{"system": "http://snomed.info/sct", "code": "169741004"}]},
            )
        )  # fmt: skip
        if answer:
            self._add(_answered("63895-7", answer, self._today))
        if drawn.random() < 0.2:
            coding = {"system": f"{_TERMINOLOGY}/diet", "code": drawn.choice(DIETS)}
            diet = _answered("81663-7", {"coding": [coding]}, self._today)
            if drawn.random() < 0.5:
                named = drawn.choice(("mother", "Mother", "grandmother"))
                diet["focus"] = [{"reference": "RelatedPerson/other", "display": named}]
            self._add(diet)


_THE_CHILD = {"reference": "Patient/child"}
_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"


def _quantity(number: str, unit: str) -> Json:
    return {"value": Decimal(number), "unit": unit, "system": UCUM, "code": unit}


#: On a point, next to it, and far from it.
_ASIDE = tuple(map(Decimal, ("0", "0", "-0.01", "0.01", "0.001", "-0.4", "0.7", "1.95")))


def _measured(code: str, number: str, unit: str, on: date) -> Json:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": code}]},
        "effectiveDateTime": on.isoformat(),
        "valueQuantity": _quantity(number, unit),
    }


def _ordered(code: str, route: str, amount: str, unit: str, on: date) -> Json:
    return {
        "resourceType": "MedicationRequest",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": {"coding": [{"system": SNOMED, "code": code}]},
        "authoredOn": on.isoformat(),
        "dosageInstruction": [
            {
                "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "wk"}},
                "route": {"coding": [{"system": SNOMED, "code": route}]},
                "doseAndRate": [{"doseQuantity": _quantity(amount, unit)}],
            }
        ],
    }


def _given(code: str, route: str, amount: str, unit: str, on: date) -> Json:
    return {
        "resourceType": "MedicationAdministration",
        "status": "completed",
        "subject": _THE_CHILD,
        "medicationCodeableConcept": {"coding": [{"system": SNOMED, "code": code}]},
        "effectiveDateTime": on.isoformat(),
        "dosage": {
            "route": {"coding": [{"system": SNOMED, "code": route}]},
            "dose": _quantity(amount, unit),
        },
    }


def _answered(code: str, answer: Json, on: date) -> Json:
    return {
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": code}]},
        "effectiveDateTime": on.isoformat(),
        "valueCodeableConcept": answer,
    }


#: What makes a chart one that is not plain.
_UNREAD: tuple[Json, ...] = (
    {
        "resourceType": "MedicationRequest", "status": "active", "intent": "order",
        "medicationCodeableConcept": {"text": "Paracetamol"},
    },
    {
        "resourceType": "Observation", "status": "final", "effectiveDateTime": "2024-01",
        "code": {"coding": [{"system": LOINC, "code": "2132-9"}]},
        "valueQuantity": _quantity("90", "pg/mL"),
    },
    {
        "resourceType": "Observation", "status": "final", "effectiveDateTime": "2024-02-01",
        "code": {"coding": [{"system": LOINC, "code": "2132-9"}]},
        "valueQuantity": {**_quantity("150", "pg/mL"), "comparator": "<"},
    },
    {
        "resourceType": "Condition", "code": {"text": "Seizures since yesterday"},
        "clinicalStatus": {"coding": [
            {"system": f"{_TERMINOLOGY}/condition-clinical", "code": "active"},
        ]},
    },
)  # fmt: skip
