"""What of a source is read, whose it is, and what is reported of the rest."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from clinics import STORIES, answers, job, ran, rows, written

from cds_service.consultation.cohort import running, sources
from cds_service.consultation.cohort.running import CohortError

Json = dict[str, Any]
LOW = "vegan-mother-low-b12-six-months"


def story(child: str, name: str = LOW) -> list[Json]:
    """The resources of a story about another child."""
    bundle = json.loads((STORIES / name / "patient.json").read_bytes())
    resources = [one["resource"] for one in bundle["entry"]]
    resources = [one for one in resources if one["resourceType"] != "RelatedPerson"]
    old = next(one["id"] for one in resources if one["resourceType"] == "Patient")
    found: list[Json] = json.loads(
        json.dumps(resources).replace(f"Patient/{old}", f"Patient/{child}")
    )
    for number, one in enumerate(found):
        one["id"] = child if one["resourceType"] == "Patient" else f"{child}-{number}"
    return found


def lines(*children: str) -> list[str]:
    return [json.dumps(one) for child in children for one in story(child)]


def summaries(answer: Json) -> list[str]:
    return [card["summary"] for card in answer["cards"]]


@pytest.fixture
def right(tmp_path: Path) -> list[str]:
    """The summaries of the cards of the story's child."""
    written(tmp_path / "right" / "all.ndjson", lines("right"))
    return summaries(answers(ran(tmp_path / "right", tmp_path / "right out"))["right"])


def test_a_broken_line_is_told_with_its_number_and_takes_no_child_with_it(
    tmp_path: Path, right: list[str]
) -> None:
    told = lines("one", "two")
    broken = ['{"resourceType": "Observation", "status": ', "no JSON", '{"resourceType": "\xff"}']
    place = len(told) // 2
    source = tmp_path / "in" / "all.ndjson"
    written(source, [*told[:place], *broken[:2], "", *told[place:]])
    with source.open("ab") as file:
        file.write(b'{"resourceType": "Patient", "id": "\xff"}\n{"resourceType": "Pati')
    done = ran(tmp_path / "in", tmp_path / "out")
    numbers = [(one.file, one.line) for one in done.source.troubles]
    last = len(told) + 3
    assert numbers == [("all.ndjson", one) for one in (place + 1, place + 2, last + 1, last + 2)]
    found = answers(done)
    assert {child: summaries(found[child]) for child in found} == {"one": right, "two": right}


def test_numbers_of_lines_are_those_of_the_file_in_every_piece_of_it(tmp_path: Path) -> None:
    told = [f'{{"resourceType":"Patient","id":"c{number}"}}' for number in range(500)]
    told[41] = told[333] = told[499] = "{"
    source = tmp_path / "all.ndjson"
    written(source, told)
    for size in (37, 100, 5_000, 1 << 20):
        found, _ = sources.pieces_of(tmp_path, size, tmp_path / "none")
        read, troubles = [], []
        for piece in found:
            mine = list(sources.lines_of(tmp_path, piece, []))
            read += [line.content.decode() for line in mine]
            bad = [
                sources.Trouble("all.ndjson", one.number, "") for one in mine if one.content == b"{"
            ]
            troubles += sources.numbered(tmp_path, piece, bad)
        assert read == told, f"pieces of {size} bytes"
        assert [one.line for one in troubles] == [42, 334, 500]


def test_a_line_is_as_long_as_it_may_be_and_no_longer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "LONGEST", 100)
    for length, fits in ((98, True), (99, True), (100, False), (350, False)):
        first = '{"resourceType":"Patient","id":"first"}'
        long = '{"resourceType":"Patient","id":"long"'.ljust(length - 1) + "}"
        (tmp_path / "all.ndjson").write_text(f"{first}\n{long}\n{first}\n")
        (piece,), _ = sources.pieces_of(tmp_path, 1 << 20, tmp_path / "none")
        troubles: list[sources.Trouble] = []
        read = [line.content.decode() for line in sources.lines_of(tmp_path, piece, troubles)]
        assert read == ([first, long, first] if fits else [first, first]), length
        assert [one.line for one in troubles] == ([] if fits else [2])


def test_a_child_is_one_in_bundles_lists_lines_and_compressed_files(
    tmp_path: Path, right: list[str]
) -> None:
    resources = story("one")
    source = tmp_path / "in"
    source.mkdir()
    patient = next(one for one in resources if one["resourceType"] == "Patient")
    others = [one for one in resources if one is not patient]
    for one in others:
        for name in ("subject", "patient"):
            if name in one:
                one[name] = {"reference": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"}
    entries = [
        {"fullUrl": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0", "resource": patient},
        *({"resource": one} for one in others[:2]),
    ]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    (source / "bundle.json").write_text(json.dumps(bundle, indent=2))
    for one in others[2:]:
        for name in ("subject", "patient"):
            if name in one:
                one[name] = {"reference": "Patient/one"}
    (source / "list.json").write_text(json.dumps(others[2:4], indent=1))
    (source / "packed").write_bytes(gzip.compress(json.dumps(bundle, indent=2).encode()))
    written(source / "lines.gz", [json.dumps(one) for one in others[4:]])
    (source / "read me.md").write_text("No resource.\n")
    (source / "request.json").write_text('{"hook": "patient-view", "prefetch": {}}')
    done = ran(source, tmp_path / "out")
    assert not done.source.troubles
    assert done.aside == ("read me.md", "request.json")
    assert {child: summaries(one) for child, one in answers(done).items()} == {"one": right}
    assert rows(done)["one"]["resources"] == len(resources)


def test_the_newest_version_counts_wherever_it_stands(tmp_path: Path, right: list[str]) -> None:
    old = story("one")
    for one in old:
        if "valueQuantity" in one:
            one["valueQuantity"]["value"] = 900
    for first, second in (
        ("versionId", ("9", "10")),
        ("lastUpdated", ("2026-01-01T23:00:00-05:00", "2026-01-02T03:59:00Z")),
    ):
        newer, older = (1, 0) if first == "versionId" else (0, 1)
        new = story("one")
        for one, other in zip(old, new, strict=True):
            one["meta"], other["meta"] = {first: second[older]}, {first: second[newer]}
        for name, order in (("up", [*old, *new]), ("down", [*new, *old])):
            source = tmp_path / first / name
            written(source / "a.ndjson", map(json.dumps, order))
            done = ran(source, tmp_path / f"{first} {name}")
            assert summaries(answers(done)["one"]) == right
            assert rows(done)["one"]["same_version"] == 0


def test_of_versions_that_nothing_orders_all_are_used_and_counted(tmp_path: Path) -> None:
    first, second = story("one"), story("one")
    changed = next(one for one in second if "valueQuantity" in one)
    changed["valueQuantity"]["value"] = 901
    written(tmp_path / "in" / "a.ndjson", map(json.dumps, [*first, *second]))
    row = rows(ran(tmp_path / "in", tmp_path / "out"))["one"]
    assert (row["same_version"], row["resources"]) == (1, len(first) + 1)


def test_two_records_of_a_patient_that_nothing_orders_are_refused(tmp_path: Path) -> None:
    told = [*story("one"), {"resourceType": "Patient", "id": "one", "birthDate": "2019-01-01"}]
    written(tmp_path / "in" / "a.ndjson", map(json.dumps, told))
    row = rows(ran(tmp_path / "in", tmp_path / "out"))["one"]
    assert row["outcome"] == "refused"
    assert row["groups"] == ["not_evaluated"]
    assert "two different records" in row["refused"]


@pytest.mark.parametrize(
    ("subject", "why"),
    [
        (None, "it names no patient"),
        ({"reference": "Group/1"}, "it is not about a patient"),
        ({"reference": "one"}, "its reference cannot be read"),
        ({"display": "One"}, "it names no patient"),
        ("Patient/one", "it names no patient"),
        ({"reference": "#nobody"}, "its reference cannot be read"),
    ],
)
def test_what_is_of_no_child_is_counted_and_told(tmp_path: Path, subject: Any, why: str) -> None:
    stray = {"resourceType": "Observation", "id": "stray", "status": "final", "subject": subject}
    written(tmp_path / "in" / "a.ndjson", [*lines("one"), json.dumps(stray)])
    done = ran(tmp_path / "in", tmp_path / "out")
    assert done.source.nobody == {f"Observation: {why}": 1}
    assert [(one.line, one.what) for one in done.source.troubles] == [
        (len(lines("one")) + 1, f"Observation of no child: {why}")
    ]
    assert list(rows(done)) == ["one"]


def test_a_child_without_its_own_record_is_refused_and_not_lost(tmp_path: Path) -> None:
    told = [one for one in story("one") if one["resourceType"] != "Patient"]
    written(tmp_path / "in" / "a.ndjson", [*map(json.dumps, told), *lines("two")])
    found = rows(ran(tmp_path / "in", tmp_path / "out"))
    assert found["one"]["outcome"] == "refused"
    assert found["two"]["outcome"] == "advice"


def test_a_child_is_found_by_an_identifier_that_is_no_other_childs(
    tmp_path: Path, right: list[str]
) -> None:
    told = [*story("one"), *story("two")]
    for one in told:
        if one["resourceType"] == "Patient":
            one["identifier"] = [{"system": "urn:mrn", "value": one["id"].upper()}]
        elif one["id"].startswith("one"):
            for name in ("subject", "patient"):
                if name in one:
                    one[name] = {"identifier": {"system": "urn:mrn", "value": "ONE"}}
    written(tmp_path / "in" / "a.ndjson", map(json.dumps, told))
    found = answers(ran(tmp_path / "in", tmp_path / "out"))
    assert summaries(found["one"]) == summaries(found["two"]) == right
    for one in told:
        if one["resourceType"] == "Patient":
            one["identifier"] = [{"system": "urn:mrn", "value": "ONE"}]
    written(tmp_path / "in" / "a.ndjson", map(json.dumps, told))
    done = ran(tmp_path / "in", tmp_path / "ambiguous")
    assert rows(done)["one"]["resources"] == 1
    assert sum(done.source.nobody.values()) == len(story("one")) - 1


# --- treatment -----------------------------------------------------------------------------------

AQUACOBALAMIN = {"system": "http://snomed.info/sct", "code": "1217427007"}


def order(child: str, drug: Json) -> Json:
    return {
        "resourceType": "MedicationRequest", "id": f"{child}-order", "status": "active",
        "intent": "order", "subject": {"reference": f"Patient/{child}"},
        "authoredOn": "2026-05-20", **drug,
    }  # fmt: skip


@pytest.mark.parametrize(
    "reference", ["Medication/m", "http://x.example.org/fhir/Medication/m/_history/2", "urn:uuid:m"]
)
def test_a_medication_is_found_by_every_reference(tmp_path: Path, reference: str) -> None:
    """One Medication for two children, in a file of its own that names none of them."""
    product = {"resourceType": "Medication", "id": "m", "code": {"coding": [AQUACOBALAMIN]}}
    drug = {"medicationReference": {"reference": reference}}
    told = [*story("one"), order("one", drug), *story("two"), order("two", drug)]
    source = tmp_path / "in"
    written(source / "a.ndjson", map(json.dumps, told))
    if reference.startswith("urn"):
        entry = [{"fullUrl": reference, "resource": product}]
        bundle = {"resourceType": "Bundle", "type": "collection", "entry": entry}
        written(source / "z.ndjson", [json.dumps(bundle)])
    else:
        written(source / "z.ndjson", [json.dumps(product)])
    found = rows(ran(source, tmp_path / "out"))
    assert [found[child]["treatment"] for child in ("one", "two")] == ["running", "running"]


def test_an_order_whose_drug_is_not_there_is_unknown_treatment_and_not_none(tmp_path: Path) -> None:
    drug = {"medicationReference": {"reference": "Medication/lost"}}
    told = [*story("one"), order("one", drug), *story("two")]
    written(tmp_path / "in" / "a.ndjson", map(json.dumps, told))
    found = rows(ran(tmp_path / "in", tmp_path / "out"))
    assert {child: found[child]["treatment"] for child in found} == {
        "one": "unknown",
        "two": "none",
    }
    assert "treatment_unknown" in found["one"]["groups"]
    assert "untreated" not in found["one"]["groups"]
    assert "untreated" in found["two"]["groups"]


def test_where_no_orders_were_exported_nobody_is_untreated(tmp_path: Path) -> None:
    """A type that is in no line was perhaps not asked for; a run can be given that it was."""
    told = [
        one
        for one in story("one")
        if one["resourceType"] in ("Patient", "Observation", "Condition")
    ]
    told.append(
        {
            "resourceType": "Condition",
            "id": "cold",
            "subject": {"reference": "Patient/one"},
            "code": {"coding": [{"system": "http://snomed.info/sct", "code": "82272006"}]},
        }
    )
    written(tmp_path / "in" / "a.ndjson", map(json.dumps, told))
    row = rows(ran(tmp_path / "in", tmp_path / "out", exported=frozenset()))["one"]
    assert row["treatment"] == "unknown"
    assert "meds" in row["missing"]
    row = rows(ran(tmp_path / "in", tmp_path / "told", exported=frozenset({"MedicationRequest"})))[
        "one"
    ]
    assert row["treatment"] == "none"
    assert "meds" not in row["missing"]


def test_a_source_without_resources_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.txt").write_text("nothing")
    with pytest.raises(CohortError, match="no file of FHIR resources"):
        running.run(job(tmp_path / "in", tmp_path / "out"), lambda *_: None)
    with pytest.raises(CohortError, match="no such file"):
        running.run(job(tmp_path / "nowhere", tmp_path / "out"), lambda *_: None)
