"""A run on Spark writes the bytes of a run on one machine, and says what Spark cannot read."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest
from clinics import KEY, job, record_of, scattered, written
from infants import infants
from test_running import ROOT, finished
from test_sources import lines

from cds_service.consultation.cohort import cluster
from cds_service.consultation.cohort.running import CohortError

needs_spark = pytest.mark.needs_environment("CDS_TEST_SPARK")

#: Two tasks at once and stretches of 30 kB, so that files are cut; and a JVM that starts fast.
SUBMITTED = (
    "--master local[2] --driver-memory 1g"
    " --conf spark.sql.files.maxPartitionBytes=30000 --conf spark.sql.files.openCostInBytes=1000"
    " --conf spark.driver.host=127.0.0.1 --conf spark.driver.bindAddress=127.0.0.1"
    " --conf spark.ui.enabled=false --conf spark.sql.codegen.wholeStage=false"
    ' --conf "spark.driver.extraJavaOptions=-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"'
    " pyspark-shell"
)


@needs_spark
@pytest.mark.needs_environment("CDS_TEST_COHORT")
def test_the_same_bytes_on_spark_as_on_one_machine(tmp_path: Path) -> None:
    """Children scattered over files that are cut or packed, with names that no one expects; a drug
    and a result that are brought to their child; bytes that are not UTF-8; a line that is broken,
    late in a file; and files that are none of it."""
    records = {}
    for number, infant in enumerate(infants(120, seed=9)):
        records[f"child-{number}"] = record_of(infant, f"child-{number}")[1]
    source = tmp_path / "in [1] {a} 100%41"
    scattered(source, records)
    (source / "deep" / "c.json").rename(source / "deep" / "c é #1?.json")
    (source / "b.ndjson.gz").rename(source / "packed.gz")
    told = (source / "a.ndjson").read_bytes()
    assert len(told) > 60_000, "a file of one stretch is not cut"
    (source / "a.ndjson").write_bytes(
        b"\xef\xbb\xbf" + told + b'{"resourceType": "Observation", "id"\n\n\r\n'
        b'{"resourceType":"Patient","id":"\xff"}\n' + TO_BE_BROUGHT + b'{"resourceType":"Patient"}'
    )
    (source / "letter.txt").write_text("Dear colleague,\nnot a resource.\n")
    (source / "package.json").write_text('{\n  "name": "not FHIR"\n}\n')
    words = [source, "--as-of", "2026-06-01", "--exported", "Procedure"]
    key = {"CDS_PSEUDONYM_KEY": KEY.decode()}
    code, _, said = finished(*words, "--out", tmp_path / "one", **key)
    assert code == 0, said
    code, out, said = finished(
        *words, "--out", tmp_path / "spark", "--engine", "spark",
        PYSPARK_SUBMIT_ARGS=SUBMITTED, **key,
    )  # fmt: skip
    assert code == 0, said
    assert out.startswith("121 patients")
    names = {one.name for one in (tmp_path / "one").iterdir()}
    assert names == {one.name for one in (tmp_path / "spark").iterdir()}
    differ = [
        name
        for name in sorted(names)
        if (tmp_path / "one" / name).read_bytes() != (tmp_path / "spark" / name).read_bytes()
    ]
    assert differ == []
    problems = (tmp_path / "one" / "problems.ndjson").read_bytes().splitlines()
    broken = told.count(b"\n") + 1
    places = [(one["line"], one["what"]) for one in map(json.loads, problems)]
    assert (broken, "it cannot be read as JSON") in places
    assert (broken + 3, "it cannot be read as JSON") in places
    assert {one.stat().st_mode & 0o777 for one in (tmp_path / "spark").iterdir()} == {0o600}


#: A child whose order points to a drug, and a result that names the child by an identifier.
TO_BE_BROUGHT = b"".join(
    json.dumps(one).encode() + b"\n"
    for one in (
        {
            "resourceType": "Observation",
            "id": "by-number",
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "2132-9"}]},
            "subject": {"identifier": {"system": "urn:mrn", "value": "7"}},
            "effectiveDateTime": "2026-05-20",
            "valueQuantity": {
                "value": 90,
                "unit": "pg/mL",
                "system": "http://unitsofmeasure.org",
                "code": "pg/mL",
            },
        },
        {
            "resourceType": "Observation",
            "id": "of-nobody",
            "status": "final",
            "code": {"text": "B12"},
            "subject": {"identifier": {"system": "urn:mrn", "value": "8"}},
        },
        {
            "resourceType": "MedicationRequest",
            "id": "points",
            "status": "active",
            "intent": "order",
            "subject": {"reference": "Patient/brought"},
            "medicationReference": {"reference": "Medication/b12"},
        },
        {
            "resourceType": "Patient",
            "id": "brought",
            "birthDate": "2025-12-01",
            "identifier": [{"system": "urn:mrn", "value": "7"}],
        },
        {"resourceType": "Medication", "id": "b12", "code": {"text": "cyanocobalamin"}},
    )
)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.json", b'{\n"resourceType": "Bundle",\n"type": "collection"}', "Spark reads NDJSON"),
        ("packed", gzip.compress("\n".join(lines("one")).encode()), "ends in .gz"),
        ("plain.gz", "\n".join(lines("one")).encode(), "ends in .gz"),
        ("_a.ndjson", "\n".join(lines("one")).encode(), "passes over names that begin with _"),
    ],
)
def test_what_spark_would_not_read_as_it_is_is_refused_before_it_starts(
    tmp_path: Path, name: str, content: bytes, why: str
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_bytes(content)
    with pytest.raises(CohortError, match=why):
        cluster.run(job(tmp_path / "in", tmp_path / "out"), lambda *_: None)
    assert not (tmp_path / "out").exists()


def test_without_spark_a_run_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "pyspark.py").write_text("raise ImportError('not here')\n")
    (tmp_path / "duckdb.py").write_text("")
    written(tmp_path / "in" / "a.ndjson", lines("one"))
    code, _, told = finished(
        tmp_path / "in", "--out", tmp_path / "out", "--plain-ids", "--engine", "spark",
        PYTHONPATH=f"{tmp_path}{os.pathsep}{ROOT}",
    )  # fmt: skip
    assert code == 1
    assert "b12-cds-service[spark]" in told
    code, _, told = finished(
        tmp_path / "in", "--out", tmp_path / "out", "--plain-ids", "--engine", "spark", "--resume"
    )
    assert code == 2
    assert "a run on Spark is begun again" in told
