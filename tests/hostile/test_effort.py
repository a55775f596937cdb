"""What one caller can make the service do grows with what it sends, and is not remembered.

The texts are so long that a search in quadratic time would take minutes.
"""

from __future__ import annotations

import json
import time
import tracemalloc
from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest

from cds_service.clinical import (
    Code,
    Draft,
    Phase,
    PlannedDrug,
    RevisedDrug,
    dose_unit,
)
from cds_service.consultation.cards import escape, plain
from cds_service.fhir import elements, orders
from cds_service.fhir.dosages import read_dosage
from cds_service.fhir.units import canonical_unit
from cds_service.guidelines import b12_under_two as b12
from cds_service.guidelines.b12_under_two.products import form_of, recognise
from cds_service.language import house

G = b12.load()
LONG = 150_000
#: Seconds of this thread's own work, however busy the machine is. Each text takes one at most; in
#: quadratic time the slowest would take minutes.
PATIENCE_S = 20

READERS: dict[str, Callable[[str], object]] = {
    "the name of a drug": lambda text: recognise((), f"vitamin B12 {text}", G),
    "the end of a name": lambda text: recognise((), f"{text} vitamin B12", G),
    "what is counted": lambda text: form_of(text, G),
    "the unit of a dose": lambda text: dose_unit(f"a{text}b"),
    "a unit": canonical_unit,
    "a time": lambda text: elements.moment(f"2026-01-01{text}"),
    "a dosage": lambda text: read_dosage({"text": text, "timing": {"code": {"text": text}}}),
    "a word in Markdown": escape,
    "a word": plain,
}


@pytest.mark.parametrize("reader", sorted(READERS))
def test_a_long_text_is_read_in_time_that_grows_with_its_length(reader: str) -> None:
    for part in (" ", "\t", "[", "000 ", "1 ", "1,", "1.", "b", "b-", "/", " / ", "1 mg/", "ml=",
                 "1 drops/", "(", "\u0301", "a", "1", "*", "www.", "://"):  # fmt: skip
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
