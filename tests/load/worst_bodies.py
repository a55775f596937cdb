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
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any, Literal, NamedTuple, get_args

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

Names = Literal["B12", "other", "empty", "signs", "strengths", "family", "schedule", "daily"]
Script = Literal["latin", "han", "kana", "hangul", "arabic", "devanagari", "greek", "georgian"]
Part = Literal[
    "", "codings", "lines", "notes", "contained", "extension", "components", "ranges", "reactions",
    "events", "conditions", "prior", "reasons",
]  # fmt: skip
Dated = Literal["day", "moment", "month", "year", "never", "wrong"]

#: What each kind of resource is sent for.
_NEED_OF = {
    "meds": "meds", "statements": "meds", "dispenses": "meds", "plans": "meds",
    "administrations": "administrations", "conditions": "conditions", "allergies": "allergies",
    "b12": "b12", "mothers": "b12", "labs": "labs", "haemoglobin": "labs", "weight": "weight",
    "feeding": "feeding", "procedures": "procedures", "orders": "orders", "family": "family",
    "tasks": "tasks",
}  # fmt: skip
_KINDS = tuple(_NEED_OF)
#: Words that names begin with, and what fills them up.
_WORDS: dict[Names, tuple[str, str]] = {
    "B12": ("vitamin B12 ", "x y "),
    "other": ("amoxicillin ", "x y "),
    "empty": ("", "x y "),
    "signs": ("", "no history of seizures or apathy, not in mother; "),
    "strengths": ("hydroxocobalamin ", "1 mg/ml 5 drops/ml, + 2,5 mcg / 0.5 ml "),
    "schedule": ("vitamin B12 ", "3 x daily x3 weekly for 2 weeks 1-0-1 every 8 hours not bid "),
    "daily": ("vitamin B12 ", "daily "),
    "family": ("", "mother vegan and sister without methylmalonic, no pernicious anaemia "),
}
#: Of these a note repeats an amount.
_PLAIN = ("B12", "other", "empty")
#: As many different letters as a script has, here some thousand at most.
_LETTERS: dict[Script, tuple[int, int]] = {
    "han": (0x4E00, 4_000), "kana": (0x30A1, 80), "hangul": (0xAC00, 4_000), "arabic": (0x627, 20),
    "devanagari": (0x905, 50), "greek": (0x3B1, 25), "georgian": (0x10D0, 33),
}  # fmt: skip


class Shape(NamedTuple):
    """How many resources of which kind, how long their names are and in what words and script, and
    how many of them differ (0: all); of which part how many each has, and how it is dated; how many
    drafts, with how many lines and how long notes; how deep they are nested; what is done to the
    story of which number."""

    hook: Literal["patient-view", "order-sign"]
    counts: tuple[tuple[str, int], ...] = ()
    length: int = 20
    names: Names = "B12"
    different: int = 0
    drafts: int = 0
    lines: int = 1
    note: int = 0
    depth: int = 0
    script: Script = "latin"
    part: Part = ""
    parts: int = 0
    dated: Dated = "day"
    story: int = 0


class Cost(NamedTuple):
    """``status`` 200, or that of the refusal."""

    calls: int
    peak: int
    cpu_s: float
    answer: int
    status: int
    done: Consultation | None = None


#: What the bodies are made from: a chart with a cause, one with a treatment and its follow-up.
_STORIES = {
    "patient-view": (
        "vegan-mother-low-b12-six-months", "neuro-on-oral-therapy", "allergy-to-cobalamin",
        "follow-up-already-ordered", "active-cyanocobalamin-injection-in-cobalamin-c",
    ),
    "order-sign": (
        "order-sign-milligrams-for-micrograms", "order-sign-dose-range",
    ),
}  # fmt: skip


def body(shape: Shape) -> bytes:
    stories = _STORIES[shape.hook]
    sent = request_of(stories[shape.story % len(stories)])
    patient = sent["context"]["patientId"]
    for need in {_NEED_OF[kind] for kind, _ in shape.counts}:
        sent["prefetch"][need] = {"resourceType": "Bundle", "type": "searchset", "entry": []}
    for kind, count in shape.counts:
        sent["prefetch"][_NEED_OF[kind]]["entry"] += [
            {"resource": _resource(kind, place, shape, patient)} for place in range(count)
        ]
    if shape.hook == "order-sign" and shape.drafts:
        entries = sent["context"]["draftOrders"]["entry"]
        first = next(one["resource"] for one in entries if "dosageInstruction" in one["resource"])
        sent["context"]["draftOrders"]["entry"] = [
            {"resource": _draft(first, shape, place)} for place in range(shape.drafts)
        ]
    return json.dumps(sent, separators=(",", ":"), ensure_ascii=False).encode()


def _name(shape: Shape, place: int) -> str:
    begin, filling = _WORDS[shape.names]
    if shape.script != "latin":
        first, many = _LETTERS[shape.script]
        filling = "".join(chr(first + n) for n in range(min(many, max(shape.length, 1))))
    number = "" if shape.different == 1 else f"{place % (shape.different or 1_000_000)} "
    times = shape.length // len(filling) + 1
    return (number + begin + filling * times)[: max(shape.length, 1)]


def _when(shape: Shape, place: int) -> str | None:
    day = 1 + place % 14
    return {
        "day": f"2026-03-{day:02}", "month": f"2026-{1 + place % 3:02}", "year": "2026",
        "moment": f"2026-03-{day:02}T{place % 24:02}:{place % 60:02}:{place // 60 % 60:02}Z",
        "never": None, "wrong": f"2026-13-{place}",
    }[shape.dated]  # fmt: skip


_LOINC = {"b12": "2132-9", "mothers": "2132-9", "labs": "777-3", "haemoglobin": "718-7",
          "weight": "29463-7", "feeding": "63895-7"}  # fmt: skip
_UNITS = {"b12": "pg/mL", "mothers": "pg/mL", "labs": "10*9/L", "haemoglobin": "g/dL",
          "weight": "kg"}  # fmt: skip
_TYPES = {
    "meds": "MedicationRequest", "plans": "MedicationRequest",
    "statements": "MedicationStatement", "dispenses": "MedicationDispense",
    "administrations": "MedicationAdministration",
}  # fmt: skip
_SAYING = {"conditions": "Crohn disease ", "allergies": "cobalamin ",
           "procedures": "ileal resection "}  # fmt: skip


def _resource(kind: str, place: int, shape: Shape, patient: str) -> dict[str, Any]:
    name, when = _name(shape, place), _when(shape, place)
    whose = {"reference": f"Patient/{patient}"}
    common = {"id": f"{kind}-{place}", "subject": whose, **_parts(shape, name)}
    code = {"text": _SAYING.get(kind, "") + name}
    if "code" in common:
        code["coding"] = common["code"]["coding"]
    if kind in _LOINC:
        answer: dict[str, Any] = {"valueString": name}
        if kind != "feeding":
            answer = {"valueQuantity": {"value": 10 + place, "unit": _UNITS[kind]}}
        known = {"system": "http://loinc.org", "code": _LOINC[kind]}
        code["coding"] = [known, *code.get("coding", ())]
        if kind == "mothers":
            answer["focus"] = [{"reference": f"RelatedPerson/{place}", "display": name}]
        return {**common, "resourceType": "Observation", "status": "final", "code": code,
                "effectiveDateTime": when, **answer}  # fmt: skip
    if kind in ("conditions", "procedures"):
        resource_type = "Condition" if kind == "conditions" else "Procedure"
        status = {} if kind == "conditions" else {"status": "completed"}
        return {**common, **status, "resourceType": resource_type, "code": code,
                "onsetDateTime": when, "performedDateTime": when}  # fmt: skip
    if kind == "allergies":
        return {**common, "resourceType": "AllergyIntolerance", "patient": whose, "code": code}
    if kind == "family":
        return {**common, "resourceType": "FamilyMemberHistory", "status": "completed",
                "patient": whose, "relationship": {"text": "mother"}, "name": name,
                "condition": [{"code": code}] * max(shape.parts, 1)}  # fmt: skip
    if kind == "tasks":
        return {**common, "resourceType": "Task", "status": "requested", "for": whose,
                "description": name}  # fmt: skip
    if kind == "orders":
        return {**common, "resourceType": "ServiceRequest", "status": "active", "intent": "order",
                "code": code, "authoredOn": when, "occurrenceDateTime": when}  # fmt: skip
    daily = {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}}
    dosage = {"text": "1 mg daily", "timing": daily,
              "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "mg"}}]}  # fmt: skip
    lines = [{**dosage, **one} for one in common.pop("dosageInstruction", [{}])]
    return {
        **common, "resourceType": _TYPES[kind], "medicationCodeableConcept": code,
        "status": "completed" if kind in ("administrations", "dispenses") else "active",
        "intent": "plan" if kind == "plans" else "order", "authoredOn": when,
        "effectiveDateTime": when, "whenHandedOver": when, "dosageInstruction": lines,
        **({"dosage": lines} if kind == "statements" else {}),
    }  # fmt: skip


_KNOWN = ("http://snomed.info/sct", "http://www.nlm.nih.gov/research/umls/rxnorm", "urn:x")
_FOCAL = "http://hl7.org/fhir/StructureDefinition/observation-focal-subject"
#: In which element a part is repeated, and what is there each time.
_PARTS: dict[str, tuple[str, Callable[[int, str], Any]]] = {
    "codings": ("coding", lambda n, name: {
        "system": _KNOWN[n % 3], "code": f"{n}", "display": f"{n} {name}"}),
    "lines": ("dosageInstruction", lambda n, name: {"text": f"{n} mg {name}"}),
    "notes": ("note", lambda n, name: {"text": f"{n} {name}"}),
    "contained": ("contained", lambda n, name: {
        "resourceType": "Medication", "id": f"m{n}", "code": {"text": name}}),
    "extension": ("extension", lambda n, name: {
        "url": _FOCAL, "valueReference": {"reference": f"#{n}", "display": name}}),
    "components": ("component", lambda n, name: {
        "code": {"text": name}, "valueQuantity": {"value": n, "unit": "pg/mL"}}),
    "ranges": ("referenceRange", lambda n, name: {
        "low": {"value": n, "unit": "pg/mL"}, "text": f"{n} - {name}"}),
    "reactions": ("reaction", lambda n, name: {
        "substance": {"text": f"{n} {name}"}, "description": name}),
    "events": ("event", lambda n, name: f"2026-02-{1 + n % 28:02}T{n % 24:02}:00:00Z"),
    "prior": ("basedOn", lambda n, name: {"reference": f"MedicationRequest/draft-{n}"}),
    "reasons": ("reasonCode", lambda n, name: {"text": f"{n} {name}"}),
}  # fmt: skip


def _parts(shape: Shape, name: str) -> dict[str, Any]:
    """What is repeated within a resource."""
    if shape.part not in _PARTS:  # that of a relative's diseases is in its kind
        return {}
    member, one = _PARTS[shape.part]
    many = {member: [one(n, name) for n in range(shape.parts)]}
    if member == "coding":
        return {"code": many}
    if member == "event":
        return {"effectiveTiming": many}
    if member == "contained":
        return {**many, "medicationReference": {"reference": f"#m{shape.parts - 1}"}}
    if member == "basedOn":
        return {**many, "priorPrescription": {"reference": "MedicationRequest/draft-0"}}
    return many


def _draft(first: dict[str, Any], shape: Shape, place: int) -> dict[str, Any]:
    line, name = first["dosageInstruction"][0], _name(shape, place)
    words = {"text": name} if shape.part == "lines" else {}
    draft = {
        **first,
        **_parts(shape, name),
        "id": f"draft-{place}",
        "medicationCodeableConcept": {"text": name},
        "dosageInstruction": [
            {**line, "text": f"{n} mg daily", **words} for n in range(shape.lines)
        ],
    }
    draft.pop("code", None)
    if shape.note:
        filling = _WORDS[shape.names][1] if shape.names not in _PLAIN else "1000 mcg x 5 mg "
        draft["note"] = [{"text": (filling * shape.note)[: shape.note]}]
    nested: dict[str, Any] = {}
    for _ in range(shape.depth):
        nested = {"extension": [nested]}
    return {**draft, **nested}


def cost_of(sent: bytes, hook: str, cheap_s: float = 0.0) -> Cost:
    """What a call costs; the second of two, so that what is loaded once does not count. What takes
    less than ``cheap_s`` is not counted."""
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
    if cpu_s < cheap_s:
        return Cost(0, 0, cpu_s, 0, 200)
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
_EARLY_KINDS = (
    "meds", "conditions", "allergies", "b12", "labs", "procedures", "administrations",
)  # fmt: skip
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
    "2,300 doses of one long name": Shape(
        "order-sign", (("procedures", 566), ("administrations", 2_343)), 800, "other", 1
    ),
    "2,000 doses of seven long names in Han": Shape(
        "patient-view", (("administrations", 2_000),), 650, "other", 7, script="han"
    ),
    "2,000 problems in words that deny": Shape(
        "patient-view", (("conditions", 2_056),), 560, "signs", dated="month"
    ),
    "5,000 times one problem in such words": Shape(
        "patient-view", (("conditions", 5_000),), 750, "signs", 1
    ),
    "1,187 orders by name next to 44 drafts of many lines": Shape(
        "order-sign", (("meds", 1_187),), 81, drafts=44, lines=19, script="hangul"
    ),
    "5,000 dispenses of one word in Arabic": Shape(
        "patient-view", (("dispenses", 5_000),), 10, "signs", 1, script="arabic", dated="never"
    ),
    "13 drafts with long notes next to long names": Shape(
        "order-sign", (("procedures", 148),), 85, "strengths", 7, drafts=13, lines=4, note=24_988
    ),
    "200 orders of eight long lines": Shape(
        "patient-view", (("meds", 200),), 220, script="georgian", part="lines", parts=8
    ),
    "a draft with a note that says daily": Shape(
        "order-sign", drafts=1, names="daily", note=380_000
    ),
    "a draft with a note of schedules": Shape(
        "order-sign", drafts=1, names="schedule", note=380_000
    ),
    "90 drafts with notes of schedules": Shape(
        "order-sign", drafts=90, names="schedule", note=3_000
    ),
    "542 dispenses of 40 long texts on seven lines each": Shape(
        "order-sign",
        (("dispenses", 542), ("family", 70)),
        638,
        "signs",
        40,
        drafts=1,
        lines=23,
        part="lines",
        parts=7,
        dated="never",
    ),
    "1,671 relatives with 15 notes each": Shape(
        "patient-view",
        (("orders", 331), ("administrations", 11), ("labs", 11), ("family", 1_671)),
        19,
        "daily",
        part="notes",
        parts=15,
        dated="year",
        story=1,
    ),
    "of everything much": Shape("patient-view", tuple((one, 1_500) for one in _EARLY_KINDS)),
}


def _some(chance: random.Random) -> Shape:
    few = chance.choice((1, 2, 4))
    kinds = chance.sample(_KINDS, few)
    return Shape(
        chance.choice(("patient-view", "order-sign")),
        tuple((one, int(10 ** chance.uniform(0, 3.7))) for one in kinds),
        int(10 ** chance.uniform(0, 3.6)),
        chance.choice(tuple(_WORDS)),
        chance.choice((0, 0, 1, 2, 7, 40)),
        int(10 ** chance.uniform(0, 2.3)),
        int(10 ** chance.uniform(0, 2)),
        int(10 ** chance.uniform(0, 5.5)) if chance.random() < 0.3 else 0,
        chance.choice((0, 0, 5, 20)),
        chance.choice(("latin", "latin", *_LETTERS)),
        chance.choice(get_args(Part)),
        int(10 ** chance.uniform(0, 3)),
        chance.choice(get_args(Dated)),
        chance.randrange(10),
    )


def _near(shape: Shape, chance: random.Random) -> Shape:
    """The same with one thing changed."""
    other = _some(chance)
    name = chance.choice(Shape._fields)
    return shape._replace(**{name: getattr(other, name)})


def _within(shape: Shape) -> Shape:
    """With so many resources, and not more drafts, that the body is about as large as may be."""
    letter = 1 if shape.script == "latin" else 3
    named = shape.length * letter
    part = named + 100 if shape.part else 0
    each = 400 + named * 2 + part * shape.parts
    kinds = tuple((one, min(count, 5_000)) for one, count in shape.counts)
    times = 4_500_000 / (1 + each * sum(count for _, count in kinds))
    draft = 900 + named + 250 * shape.lines + shape.note + part * shape.parts
    if shape.part == "lines":
        draft += named * shape.lines
    return shape._replace(
        counts=tuple((one, min(5_000, max(1, int(count * times)))) for one, count in kinds),
        drafts=min(shape.drafts, 390_000 // draft),
    )


#: What the search climbs: seconds lead it too, but nothing is judged by them.
_CLIMBED: tuple[Callable[[Cost], float], ...] = (
    lambda one: one.calls,
    lambda one: one.cpu_s,
    lambda one: one.peak,
)
#: Seconds below which no body is over the budget, and is not counted.
_CHEAP_S = 0.1


def searched(seconds: float, seed: int) -> Iterator[tuple[Shape, Cost]]:
    """Every shape tried that was not cheap until time is up: some at random, most near one of the
    dearest so far."""
    chance = random.Random(seed)
    best: dict[Callable[[Cost], float], tuple[Shape, Cost]] = {}
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        shape = _some(chance)
        if best and chance.random() < 0.6:
            shape = _near(chance.choice(list(best.values()))[0], chance)
        shape = _within(shape)
        sent = body(shape)
        if len(sent) > LARGEST_BODY:
            continue
        cost = cost_of(sent, shape.hook, cheap_s=_CHEAP_S)
        if cost.status != 200:
            continue
        for by in _CLIMBED:
            if by not in best or by(cost) > by(best[by][1]):
                best[by] = shape, cost
        if cost.calls:
            yield shape, cost
