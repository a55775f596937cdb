"""The tool that holds the service against public records, over some of each fate."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from bulk import Judge, has_a_result, judged, kind_of, planted, table_of
from published import Found, resources_in

Json = dict[str, Any]

PLATELETS: Json = {
    "resourceType": "Observation", "status": "final", "subject": {"reference": "Patient/9"},
    "code": {"coding": [{"system": "http://loinc.org", "code": "777-3", "display": "Platelets"}]},
    "effectiveDateTime": "2012-05-17", "valueQuantity": {"value": 240, "unit": "10*9/L"},
}  # fmt: skip


def named(text: str, code: str, system: str = "http://loinc.org") -> Json:
    coding = {"system": system, "code": code, "display": text}
    return {**PLATELETS, "code": {"coding": [coding]}}


@pytest.mark.parametrize(
    ("sent", "kind", "fate"),
    [
        (PLATELETS, "platelets", "used"),
        ({**PLATELETS, "subject": {"identifier": {"value": "7"}}}, "platelets", "used"),
        ({**PLATELETS, "valueQuantity": {"value": 1, "unit": "Skt"}}, "platelets", "said"),
        (named("Thrombozyten", "THR", "urn:laboratory"), "platelets", "said"),
        # The tool itself has to notice what is silently left out.
        (named("Platelets", "99999-9"), "platelets", "silent"),
        (named("Haemoglobin A1c", "4548-4"), "other result", "other"),
        (named("Haemoglobin", "10346-5"), "other result", "other"),
        ({"resourceType": "Condition", "code": {"text": "Gicht"}}, "Condition otherwise", "said"),
        (
            {
                "resourceType": "Condition",
                "code": {"coding": [{"system": "http://snomed.info/sct", "code": "90560007"}]},
            },
            "Condition in a system known here",
            "used",
        ),
    ],
    ids=str,
)
def test_a_resource_is_what_its_name_says_and_has_one_fate(
    sent: Json, kind: str, fate: str
) -> None:
    made = planted(sent)
    assert kind_of(made) == kind
    assert Judge({}).fate(kind, made) == fate


def test_its_days_are_of_this_month_as_precise_as_they_were() -> None:
    for day, lately in (
        ("2012", "2026"), ("2012-05", "2026-03"), ("2012-05-17T10:00:00Z", "2026-03-10T10:00:00Z"),
        ("${DATE, T, D, -5}T10:00:00Z", "2026-03-10T10:00:00Z"), ("0001-01-01", "0001-01-01"),
    ):  # fmt: skip
        assert planted({**PLATELETS, "effectiveDateTime": day})["effectiveDateTime"] == lately


def test_without_a_number_or_a_day_it_is_no_result() -> None:
    assert has_a_result(PLATELETS)
    for name in ("valueQuantity", "effectiveDateTime"):
        assert not has_a_result({key: one for key, one in PLATELETS.items() if key != name})


XML = """<Observation xmlns="http://hl7.org/fhir"><status value="final"/><code><coding>
<system value="http://loinc.org"/><code value="718-7"/></coding></code>
<valueQuantity><value value="6.40"/><unit value="g/dL"/></valueQuantity></Observation>"""


def test_files_of_every_form_are_read(tmp_path: Path) -> None:
    for country in ("NL", "DE"):
        (tmp_path / country).mkdir()
    bundle = {"resourceType": "Bundle", "entry": [{"resource": PLATELETS}, {}]}
    (tmp_path / "DE" / "a.json").write_text("\ufeff" + json.dumps(bundle), encoding="utf-8")
    (tmp_path / "DE" / "b.ndjson").write_text(json.dumps(PLATELETS) + "\n", encoding="utf-8")
    (tmp_path / "DE" / "c.json").write_text("{", encoding="utf-8")
    (tmp_path / "NL" / "d.xml").write_text(XML, encoding="utf-8")
    (tmp_path / "NL" / "e.xml").write_text("<html/>", encoding="utf-8")
    found = list(resources_in(tmp_path))
    assert [(one.country, Path(one.file).name) for one in found] == [
        ("DE", "a.json"), ("DE", "b.ndjson"), ("NL", "d.xml"),
    ]  # fmt: skip
    assert found[2].resource == {
        "resourceType": "Observation", "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
        "valueQuantity": {"value": 6.4, "unit": "g/dL"},
    }  # fmt: skip


def test_a_copy_counts_once_and_the_table_counts_all() -> None:
    found = [Found("NL", "a", PLATELETS), Found("NL", "b", {**PLATELETS, "id": "copy"})]
    ((kind, fate, _),) = judged(found, {})
    (row,) = list(table_of({(kind, "NL", fate): 1}))[2:]
    assert row == "| platelets | 1 | 0 | 0 | 0 | 100.0 % | NL 1, 0 |"
