"""Bodies that are accepted and dear: what a caller can make one call cost.

`body` builds one from a `Shape`; `searched` looks for the dearest it can find. The budget is
counted, in functions called and bytes held at once, and so is the same on every machine.
"""

from __future__ import annotations

import json
import random
import sys
import time
import tracemalloc
from collections.abc import Iterator
from datetime import date
from typing import Any, Literal, NamedTuple

from bodies import request_of
from played import service_of

from cds_service.cdshooks.request import parse_request
from cds_service.cdshooks.response import encode
from cds_service.consultation import Consultation, Occasion, consult
from cds_service.consultation.room import LARGEST, fitted
from cds_service.errors import ServiceError

#: What the dearest body may cost. A million functions, C's included, take some 0.3 s.
MOST_CALLS, MOST_BYTES = 5_000_000, 100_000_000
LARGEST_BODY = 5_000_000
OCCASION = Occasion(date(2026, 3, 15), True)

Names = Literal["B12", "other", "empty"]
_KINDS = ("meds", "conditions", "allergies", "b12", "labs", "procedures", "administrations")


class Shape(NamedTuple):
    """How many resources of which need, with how long names that are all different or all the
    same; how many drafts, with how many lines and how long notes; how deep they are nested."""

    hook: Literal["patient-view", "order-sign"]
    counts: tuple[tuple[str, int], ...] = ()
    length: int = 20
    names: Names = "B12"
    different: bool = True
    drafts: int = 0
    lines: int = 1
    note: int = 0
    depth: int = 0


class Cost(NamedTuple):
    """``status`` 200, or that of the refusal."""

    calls: int
    peak: int
    cpu_s: float
    answer: int
    status: int
    done: Consultation | None = None


def body(shape: Shape) -> bytes:
    story = "order-sign-milligrams-for-micrograms"
    if shape.hook == "patient-view":
        story = "vegan-mother-low-b12-six-months"
    sent = request_of(story)
    patient = sent["context"]["patientId"]
    for need, count in shape.counts:
        sent["prefetch"][need] = _bundle(
            _resource(need, place, _name(shape, place), patient) for place in range(count)
        )
    if shape.hook == "order-sign" and shape.drafts:
        entries = sent["context"]["draftOrders"]["entry"]
        [first] = [one for one in entries if one["resource"]["id"] == "draft-1"]
        sent["context"]["draftOrders"]["entry"] = [
            {"resource": _draft(first["resource"], shape, place)} for place in range(shape.drafts)
        ]
    return json.dumps(sent, separators=(",", ":")).encode()


def _name(shape: Shape, place: int) -> str:
    words = {"B12": "vitamin B12 ", "other": "amoxicillin ", "empty": ""}[shape.names]
    number = f"{place} " if shape.different else ""
    return (number + words + "x y " * (shape.length // 4))[: max(shape.length, 1)]


def _bundle(resources: Iterator[dict[str, Any]]) -> dict[str, Any]:
    entries = [{"resource": one} for one in resources]
    return {"resourceType": "Bundle", "type": "searchset", "entry": entries}


def _resource(need: str, place: int, name: str, patient: str) -> dict[str, Any]:
    whose = {"reference": f"Patient/{patient}"}
    common = {"id": f"{need}-{place}", "subject": whose}
    day = f"2026-03-{1 + place % 14:02}"
    if need in ("b12", "labs"):
        code = {"coding": [{"system": "http://loinc.org", "code": "2132-9"}], "text": name}
        return {**common, "resourceType": "Observation", "status": "final", "code": code,
                "effectiveDateTime": day,
                "valueQuantity": {"value": place, "unit": "pg/mL"}}  # fmt: skip
    if need == "conditions":
        return {**common, "resourceType": "Condition", "code": {"text": f"Crohn disease {name}"}}
    if need == "allergies":
        return {"resourceType": "AllergyIntolerance", "id": f"{place}", "patient": whose,
                "code": {"text": f"cobalamin {name}"}}  # fmt: skip
    if need == "procedures":
        return {**common, "resourceType": "Procedure", "status": "completed",
                "code": {"text": f"ileal resection {name}"}}  # fmt: skip
    daily = {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}}
    dosage = {"text": "1 mg daily", "timing": daily,
              "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "mg"}}]}  # fmt: skip
    if need == "administrations":
        return {**common, "resourceType": "MedicationAdministration", "status": "completed",
                "medicationCodeableConcept": {"text": name}, "effectiveDateTime": day}  # fmt: skip
    return {**common, "resourceType": "MedicationRequest", "status": "active", "intent": "order",
            "authoredOn": day, "medicationCodeableConcept": {"text": name},
            "dosageInstruction": [dosage]}  # fmt: skip


def _draft(first: dict[str, Any], shape: Shape, place: int) -> dict[str, Any]:
    line = first["dosageInstruction"][0]
    draft = {
        **first,
        "id": f"draft-{place}",
        "medicationCodeableConcept": {"text": _name(shape, place)},
        "dosageInstruction": [{**line, "text": f"{n} mg daily"} for n in range(shape.lines)],
    }
    if shape.note:
        draft["note"] = [{"text": ("1000 mcg x 5 mg " * shape.note)[: shape.note]}]
    nested: dict[str, Any] = {}
    for _ in range(shape.depth):
        nested = {"extension": [nested]}
    return {**draft, **nested}


def cost_of(sent: bytes, hook: str) -> Cost:
    """What a call costs; the second of two, so that what is loaded once does not count."""
    service = service_of(hook)
    calls = 0

    def see(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    def answered() -> tuple[Consultation, bytes]:
        done = consult(service, parse_request(sent, hook), None, OCCASION)
        answer = encode(done.response)
        if len(answer) > LARGEST:
            done = fitted(done, service.language)
            answer = encode(done.response)
        return done, answer

    began = time.thread_time()
    try:
        answered()
    except ServiceError as error:
        return Cost(0, 0, time.thread_time() - began, 0, error.status)
    cpu_s = time.thread_time() - began
    tracemalloc.start()
    answered()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    sys.setprofile(see)
    try:
        done, answer = answered()
    finally:
        sys.setprofile(None)
    return Cost(calls, peak, cpu_s, len(answer), 200, done)


#: What the search found in the past, or someone thought of: each was over the budget once, or is
#: the dearest of its kind.
FOUND: dict[str, Shape] = {
    "200 drafts of vitamin B12": Shape("order-sign", drafts=200),
    "200 drafts with long names": Shape("order-sign", drafts=200, length=1_000),
    "50 drafts with very long names": Shape("order-sign", drafts=50, length=3_900),
    "200 drafts of something else": Shape("order-sign", drafts=200, names="other"),
    "a draft of 900 lines": Shape("order-sign", drafts=1, lines=900),
    "200 drafts of four lines": Shape("order-sign", drafts=200, lines=4),
    "a draft with a long note": Shape("order-sign", drafts=1, note=380_000),
    "150 drafts with notes": Shape("order-sign", drafts=150, note=1_500),
    "4,000 orders": Shape("patient-view", (("meds", 4_000),)),
    "4,000 orders and 200 drafts": Shape("order-sign", (("meds", 4_000),), drafts=200),
    "1,150 orders with long names": Shape("patient-view", (("meds", 1_150),), length=3_800),
    "5,000 problems": Shape("patient-view", (("conditions", 5_000),)),
    "1,200 problems in many words": Shape("patient-view", (("conditions", 1_200),), length=3_800),
    "5,000 allergies": Shape("patient-view", (("allergies", 5_000),)),
    "5,000 results": Shape("patient-view", (("b12", 5_000),)),
    "of everything much": Shape("patient-view", tuple((one, 1_500) for one in _KINDS)),
}


def _some(chance: random.Random) -> Shape:
    counts = tuple(
        (one, int(10 ** chance.uniform(0, 3.7))) for one in _KINDS if chance.random() < 0.4
    )
    return Shape(
        chance.choice(("patient-view", "order-sign")),
        counts,
        int(10 ** chance.uniform(0, 3.6)),
        chance.choice(("B12", "other", "empty")),
        chance.random() < 0.8,
        int(10 ** chance.uniform(0, 2.3)),
        int(10 ** chance.uniform(0, 2)),
        int(10 ** chance.uniform(0, 5.5)),
        chance.choice((0, 0, 5, 20)),
    )


def _near(shape: Shape, chance: random.Random) -> Shape:
    """The same with one thing changed."""
    other = _some(chance)
    name = chance.choice(Shape._fields)
    return shape._replace(**{name: getattr(other, name)})


def searched(seconds: float, seed: int) -> Iterator[tuple[Shape, Cost]]:
    """Every shape tried until time is up: some at random, most near the dearest so far."""
    chance = random.Random(seed)
    best: tuple[Shape, Cost] | None = None
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        shape = _some(chance) if best is None or chance.random() < 0.3 else _near(best[0], chance)
        sent = body(shape)
        if len(sent) > LARGEST_BODY:
            continue
        cost = cost_of(sent, shape.hook)
        if cost.status == 200:
            yield shape, cost
            if best is None or cost.calls > best[1].calls:
                best = shape, cost
