"""What one caller can make the service do grows with what it sends, and is not remembered.

The texts are so long that a search in quadratic time would take minutes.
"""

from __future__ import annotations

import json
import sys
import time
import tracemalloc
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from played import Story, service_of

from cds_service.cdshooks.request import Request, parse_request
from cds_service.clinical import (
    Code,
    DoseAmount,
    Draft,
    DraftDosage,
    Phase,
    PlannedDrug,
    RevisedDrug,
    dose_unit,
)
from cds_service.consultation import Occasion, consult
from cds_service.consultation.cards import escape, plain
from cds_service.fhir import elements, orders
from cds_service.fhir.dosages import read_dosage
from cds_service.fhir.units import units_of
from cds_service.guidelines import b12_under_two as b12
from cds_service.guidelines.b12_under_two.dosing import understand
from cds_service.guidelines.b12_under_two.drugs import Drug
from cds_service.guidelines.b12_under_two.meanings import meaning_of, of_the_mother
from cds_service.guidelines.b12_under_two.order_words import stated_in
from cds_service.guidelines.b12_under_two.products import form_of, recognise
from cds_service.language import house

pytestmark = pytest.mark.sampled_file(6)

G = b12.load()
LONG = 150_000
#: Seconds of this thread's own work, however busy the machine is. Each text takes one at most; in
#: quadratic time the slowest would take minutes.
PATIENCE_S = 20

READERS: dict[str, Callable[[str], object]] = {
    "the name of a drug": lambda text: recognise((), f"vitamin B12 {text}", G),
    "the end of a name": lambda text: recognise((), f"{text} vitamin B12", G),
    "what is counted": lambda text: form_of(text, G),
    "how often an order is given": lambda text: stated_in(text, G),
    "what a problem means": lambda text: meaning_of([text], G),
    "what the mother has": lambda text: of_the_mother(text, G),
    "the unit of a dose": lambda text: dose_unit(f"a{text}b"),
    "a unit": units_of,
    "a time": lambda text: elements.moment(f"2026-01-01{text}"),
    "a dosage": lambda text: read_dosage({"text": text, "timing": {"code": {"text": text}}}),
    "a word in Markdown": escape,
    "a word": plain,
}


@pytest.mark.parametrize("reader", sorted(READERS))
def test_a_long_text_is_read_in_time_that_grows_with_its_length(reader: str) -> None:
    for part in (" ", "\t", "[", "000 ", "1 ", "1,", "1.", "b", "b-", "/", " / ", "1 mg/", "ml=",
                 "1 drops/", "(", "\u0301", "a", "1", "*", "www.", "://",
                 "daily ", "not daily ", "3 x ", "x3 ", "1-0-1 ", "2 weeks ", "一日三回",
                 "no seizures ", "mother vegan ", "no mother's ", "apathy past, "):  # fmt: skip
        began = time.thread_time()
        READERS[reader](part * (LONG // len(part)))
        assert time.thread_time() - began < PATIENCE_S, repr(part)


def test_texts_too_long_to_mean_anything_are_not_remembered() -> None:
    """Caches are bounded in number; so their entries must be bounded in length."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(10):
            text = f"{number}" + "x" * 1_000_000
            dose_unit(text)
            G.lists_of("http://snomed.info/sct", text)
            G.lists_of(text, "91175000")
            G.lists_of("http://hl7.org/fhir/sid/icd-10-cm", text)
            for one in (G.codes.b12_deficiency, G.codes.malabsorption):
                one.decides(Code("http://hl7.org/fhir/sid/icd-10-cm", text))
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 5_000_000


@pytest.mark.parametrize(("length", "remembered"), [(99, True), (100, True), (101, False)])
@pytest.mark.parametrize("member", ["text", "patientInstruction", "unknown"])
def test_a_line_of_an_order_is_remembered_only_while_its_words_are_short(
    member: str, length: int, *, remembered: bool
) -> None:
    line = {"timing": {"repeat": {"count": 7}}, member: "x" * length}
    assert (read_dosage(line) is read_dosage({**line})) is remembered


@pytest.mark.parametrize(("length", "remembered"), [(99, True), (100, True), (101, False)])
def test_what_an_order_gives_is_remembered_only_while_its_words_are_short(
    length: int, *, remembered: bool
) -> None:
    words, drug = "x" * length, Drug("b12")
    for lines, notes in (((DraftDosage(text=words),), ()), ((DraftDosage(),), (words,))):
        first, again = (understand(lines, drug, None, G, notes) for _ in range(2))
        assert (first is again) is remembered


def test_a_weight_counts_where_a_dose_is_per_kg_and_nowhere_else() -> None:
    drug = Drug("b12")
    for per_kg, doses in ((True, (30, 60)), (False, (10, 10))):
        amount = DoseAmount(Decimal(10), "ug", "10 ug", per_kg=per_kg)
        line = DraftDosage(amount, amount)
        given = [understand((line,), drug, Decimal(kg), G).single_high for kg in (3, 6)]
        assert given == [Decimal(one) for one in doses]


def test_of_two_lines_that_differ_in_a_digit_or_a_kind_of_value_each_is_read() -> None:
    amounts = (Decimal("1"), Decimal("1.0"), 1, "1", True)
    lines = [{"doseQuantity": {"value": one, "unit": "mg"}} for one in amounts]
    for _ in range(2):
        read = [read_dosage(one) for one in lines]
        assert [one.low.written if one.low else one.unclear for one in read] == [
            "1 mg", "1.0 mg", "1 mg", "1 mg", ("dose",),
        ]  # fmt: skip


def test_a_code_with_a_long_tail_still_belongs_to_its_family() -> None:
    code = Code("http://hl7.org/fhir/sid/icd-10-cm", "K50." + "0" * 200)
    assert G.codes.malabsorption.decides(code)
    assert G.lists_of(code.system, code.code).decided


def test_a_long_chain_of_contained_resources_is_followed_once() -> None:
    chain = [
        {"resourceType": "Medication", "id": f"m{n}", "next": {"reference": f"#m{n + 1}"}}
        for n in range(5_000)
    ]
    kept = {"resourceType": "Practitioner", "id": "p1"}
    sent = {
        "resourceType": "MedicationRequest",
        "id": "1",
        "contained": [*chain, kept],
        "medicationReference": {"reference": "#m0"},
        "requester": {"reference": "#p1"},
    }
    drug = PlannedDrug(
        (),
        "Hydroxocobalamin 1 mg/mL injection",
        Code("http://snomed.info/sct", "78421000", "Intramuscular route"),
        Decimal(1000),
        "ug",
        (Phase(1, 1, "wk", 4, "wk", 4, "weekly"),),
        date(2026, 3, 15),
        "routine",
    )
    draft = Draft("drug", "MedicationRequest/1", json.dumps(sent).encode())
    began = time.thread_time()
    written = orders.write(
        RevisedDrug(draft, drug, frozenset({"medication"})), "p", house.language()
    ).resource
    assert time.thread_time() - began < PATIENCE_S
    assert json.loads(bytes(written["contained"])) == [kept]


# --- many resources -----------------------------------------------------------------------------


def record_of(number: int) -> Request:
    """A chart with so many results, problems and orders, each of another day."""
    story = Story("vegan-mother-low-b12-six-months")
    prefetch = story.request["prefetch"]
    kinds = {
        "b12": prefetch["b12"]["entry"][0]["resource"],
        "labs": prefetch["labs"]["entry"][0]["resource"],
        "conditions": {
            "resourceType": "Condition",
            "subject": {"reference": f"Patient/{story.patient_id}"},
            "code": {"coding": [{"system": "http://snomed.info/sct", "code": "38341003"}]},
        },
    }
    filled = {
        key: {
            "resourceType": "Bundle",
            "type": "searchset",
            "entry": [
                {"resource": {**resource, "id": f"{key}-{place}", **dated(resource, place)}}
                for place in range(number // len(kinds))
            ],
        }
        for key, resource in kinds.items()
    }
    sent = {**story.request, "prefetch": {**prefetch, **filled}}
    return parse_request(json.dumps(sent).encode(), "patient-view")


def dated(resource: dict[str, Any], place: int) -> dict[str, str]:
    day = f"2026-{1 + place % 2:02}-{1 + place % 28:02}T{place % 24:02}:{place % 60:02}:00Z"
    return {"effectiveDateTime": day} if resource["resourceType"] == "Observation" else {}


def work(asked: Request) -> int:
    """The functions called for an answer, C's included: the same on every machine."""
    occasion = Occasion(date(2026, 3, 15), True)
    service = service_of("patient-view")
    consult(service, asked, None, occasion)
    calls = 0

    def see(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(see)
    try:
        consult(service, asked, None, occasion)
    finally:
        sys.setprofile(None)
    return calls


def test_a_resource_takes_the_same_work_among_thousands_as_among_hundreds() -> None:
    few, some, many = (work(record_of(number)) for number in (300, 600, 4_800))
    each = (some - few) / 300
    each_of_many = (many - some) / 4_200
    assert 20 < each < 200
    assert each_of_many < 1.1 * each
