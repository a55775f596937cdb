"""A site's own codes, by HTTP and on the command line: they mean what its file says, everywhere a
code is read, and a file that cannot be right stops the start with its place and the cure."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient

from cds_service.__main__ import main
from cds_service.app import create_app, create_store
from cds_service.consultation import EVALUATION_EXTENSION, load_services
from cds_service.errors import GuidelineError
from cds_service.settings import Settings

pytestmark = pytest.mark.sampled_file(10)

Json = dict[str, Any]

HAEMOGLOBIN = "hemoglobin"  # the id of the code list
LAB, WARD = "http://lab.example.org/tests", "urn:oid:2.999.7"
SUBJECT = {"reference": "Patient/p1"}
TODAY = date(2026, 11, 22)
KEYS = [need.key for need in load_services()[0].needs]
MAP = f"""system,code,means
{LAB},VB12,b12_level
{LAB},HGB,http://loinc.org|718-7
{LAB},PLT,platelets
{LAB},GLU,http://loinc.org|2345-7
{WARD},FITS,neurological
{WARD},CROHN,http://hl7.org/fhir/sid/icd-10|K50.9
{WARD},NEURO-B,cyanocobalamin
{WARD},IM,routes_intramuscular
,KALIUM,potassium
"""


def service(file: Path | None, **but: Any) -> FlaskClient:
    return create_app(Settings(demo=True, as_of=TODAY, code_map=file, **but)).test_client()


@pytest.fixture
def site(tmp_path: Path) -> Path:
    file = tmp_path / "codes.csv"
    file.write_text(MAP, encoding="utf-8-sig")
    return file


def result(code: str, value: float, unit: str, system: str | None = LAB) -> Json:
    coding = {"system": system, "code": code} if system else {"code": code}
    return {
        "resourceType": "Observation",
        "id": f"o-{code}",
        "status": "final",
        "code": {"coding": [coding]},
        "subject": SUBJECT,
        "effectiveDateTime": "2026-11-20",
        "valueQuantity": {"value": value, "unit": unit},
    }


def condition(code: str) -> Json:
    return {
        "resourceType": "Condition",
        "id": f"c-{code}",
        "clinicalStatus": {"coding": [{"code": "active"}]},
        "subject": SUBJECT,
        "code": {"coding": [{"system": WARD, "code": code}]},
    }


def order(milligrams: float) -> Json:
    return {
        "resourceType": "MedicationRequest",
        "id": "m1",
        "status": "draft",
        "intent": "order",
        "subject": SUBJECT,
        "medicationCodeableConcept": {"coding": [{"system": WARD, "code": "NEURO-B"}]},
        "dosageInstruction": [
            {
                "route": {"coding": [{"system": WARD, "code": "IM"}]},
                "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
                "doseAndRate": [{"doseQuantity": {"value": milligrams, "unit": "mg"}}],
            }
        ],
    }


def bundle(*resources: Json) -> Json:
    entries = [{"resource": one} for one in resources]
    return {"resourceType": "Bundle", "type": "searchset", "entry": entries}


def ask(client: FlaskClient, *drafts: Json, **sent: Json) -> Json:
    hook = "order-sign" if drafts else "patient-view"
    context: Json = {"userId": "Practitioner/1", "patientId": "p1"}
    if drafts:
        context["draftOrders"] = bundle(*drafts)
    patient = {"resourceType": "Patient", "id": "p1", "birthDate": "2026-03-20"}
    answer = client.post(
        f"/cds-services/b12-under-two-{hook}",
        json={
            "hook": hook,
            "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
            "context": context,
            "prefetch": {key: bundle() for key in KEYS} | {"patient": patient} | sent,
        },
    )
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()  # type: ignore[no-any-return]


def rules(answer: Json) -> list[str]:
    return answer["extension"][EVALUATION_EXTENSION]["ruleIds"]  # type: ignore[no-any-return]


def unread(answer: Json) -> Json:
    return answer["extension"][EVALUATION_EXTENSION].get("unread", {})  # type: ignore[no-any-return]


# --- what it changes -----------------------------------------------------------------------------


def test_a_level_under_a_local_code_is_the_level(site: Path) -> None:
    sent = bundle(result("VB12", 150, "pg/mL"))
    without = ask(service(None), b12=sent)
    assert unread(without)
    answer = ask(service(site), b12=sent)
    assert "RTE-07" in rules(answer)
    assert "B12 150 pg/mL" in answer["cards"][0]["summary"]
    assert not unread(answer)
    assert "codes.b12_level" in answer["extension"][EVALUATION_EXTENSION]["localSettings"]


def test_results_and_problems_under_local_codes_decide(site: Path) -> None:
    level = bundle(result("VB12", 150, "pg/mL"))
    answer = ask(service(site), b12=level, labs=bundle(result("HGB", 4.0, "mmol/L")))
    assert "severe (haemoglobin 4.0 mmol/L" in answer["cards"][0]["summary"]
    assert answer["cards"][0]["indicator"] == "critical"
    answer = ask(service(site), b12=level, conditions=bundle(condition("FITS")))
    assert "RTE-03" in rules(answer)
    answer = ask(service(site), b12=level, conditions=bundle(condition("CROHN")))
    assert "RTE-05" in rules(answer)


def test_a_code_without_a_system_is_mapped_where_the_site_says_so(site: Path) -> None:
    sent = bundle(result("KALIUM", 2.2, "mmol/L", system=None))
    answer = ask(service(site), b12=bundle(result("VB12", 90, "pg/mL")), labs=sent)
    assert "potassium" in json.dumps(answer["cards"]).lower()
    assert not unread(answer)


def test_a_draft_under_local_codes_is_checked(site: Path) -> None:
    level = bundle(result("VB12", 150, "pg/mL"))
    assert "ORD-04" in rules(ask(service(site), order(1000), b12=level))
    assert "ORD-04" not in rules(ask(service(site), order(1), b12=level))


def test_what_means_something_else_was_understood(site: Path) -> None:
    sent = {"labs": bundle(result("GLU", 5, "mmol/L"))}
    assert unread(ask(service(None), **sent))
    assert not unread(ask(service(site), **sent))


def test_a_server_is_asked_for_local_codes_too(site: Path, tmp_path: Path) -> None:
    asked = service(site).get("/cds-services").get_json()["services"][0]["prefetch"]
    assert f"{LAB}|VB12" in asked["b12"]
    odd = tmp_path / "odd.csv"
    odd.write_text(f'system,code,means\n{LAB},"B12, serum",b12_level\n', encoding="utf-8")
    client = service(odd)
    asked = client.get("/cds-services").get_json()["services"][0]["prefetch"]
    assert "serum" not in asked["b12"]
    answer = ask(client, b12=bundle(result("B12, serum", 150, "pg/mL")))
    assert "RTE-07" in rules(answer)


@pytest.mark.parametrize(
    ("said", "counts"),
    [
        ({"equivalence": "equal"}, True),
        ({"equivalence": "equivalent"}, True),
        ({"relationship": "equivalent"}, True),
        ({"equivalence": "wider"}, False),
        ({"equivalence": "inexact"}, False),
        ({"relationship": "source-is-narrower-than-target"}, False),
        ({"relationship": "related-to"}, False),
        ({}, False),
        ({"equivalence": "equal", "dependsOn": [{"property": "x", "value": "y"}]}, False),
        ({"equivalence": "equal", "product": [{"property": "x", "value": "y"}]}, False),
    ],
)
def test_a_concept_map_counts_where_it_says_the_same(
    tmp_path: Path, said: Json, counts: bool
) -> None:
    group = {
        "source": LAB,
        "target": "http://loinc.org",
        "element": [
            {"code": "HGB", "target": [{"code": "718-7", "equivalence": "equal"}]},
            {"code": "VB12", "target": [{"code": "2132-9", **said}]},
        ],
    }
    file = tmp_path / "map.json"
    file.write_text(
        json.dumps({"resourceType": "ConceptMap", "status": "active", "group": [group]})
    )
    answer = ask(service(file), b12=bundle(result("VB12", 150, "pg/mL")))
    assert ("RTE-07" in rules(answer)) is counts
    told = cli("check", CDS_CODE_MAP=str(file)).stdout
    assert ("1 left out" in told) is not counts


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "where", "problem"),
    [
        ("", "line 2", "is missing"),
        (f"{LAB},VB12", "line 2", "has 2 cells"),
        (f"{LAB},,b12_level", "line 2", "has no code"),
        (f"{LAB},VB12,", "line 2", "does not say what VB12 means"),
        (f"{LAB},A,b12_level\n{LAB},VB12,b12_levels", "line 3", "b12_levels is not a code list"),
        (f"{LAB},VB12,http://loinc.org|", "line 2", "is not a system and a code"),
        (f"{LAB},VB12,http://loinc.org|2132-8", "line 2", "wrong LOINC check digit"),
        (f"{LAB},VB12,http://other.example|2", "line 2", "is of a system not known here"),
        ("http://loinc.org,718-7,potassium", "line 2", f"is known here, as {HAEMOGLOBIN}"),
        (f"{LAB},X,{HAEMOGLOBIN}\n{LAB},X,potassium", "line 2", "would mean both"),
    ],
)
def test_a_map_that_cannot_be_right_is_refused(
    tmp_path: Path, lines: str, where: str, problem: str
) -> None:
    file = tmp_path / "codes.csv"
    file.write_text(f"system,code,means\n{lines}\n")
    with pytest.raises(GuidelineError) as refused:
        service(file)
    said = refused.value
    assert (said.file, said.name) == (str(file), where)
    assert problem in said.problem
    assert said.cure


@pytest.mark.parametrize(
    ("content", "where"),
    [
        ("system;code;means\n", "line 1"),
        ("", "line 1"),
        ('system,code,means\n"a', "the file"),
        ("{", "the file"),
        ('{"resourceType": "Bundle"}', "resourceType"),
        ('{"resourceType": "ConceptMap", "status": "retired"}', "status"),
        ('{"resourceType": "ConceptMap"}', "group"),
        ('{"resourceType": "ConceptMap", "group": [{"element": []}]}', "group 1"),
        (
            '{"resourceType": "ConceptMap", "group": [{"source": "a", "target": "b",'
            ' "element": [{"target": []}]}]}',
            "group 1, element 1",
        ),
    ],
)
def test_a_file_that_is_no_map_is_refused(tmp_path: Path, content: str, where: str) -> None:
    file = tmp_path / "codes"
    file.write_text(content)
    with pytest.raises(GuidelineError) as refused:
        service(file)
    assert (refused.value.file, refused.value.name) == (str(file), where)


# --- on the command line -------------------------------------------------------------------------


def cli(*words: str, **variables: str) -> Result:
    return CliRunner(env=variables).invoke(main, words)


def test_check_says_what_each_code_means(site: Path, tmp_path: Path) -> None:
    done = cli("check", CDS_CODE_MAP=str(site))
    assert done.exit_code == 0, done.stderr
    told = done.stdout.splitlines()
    assert f"Code map: 9 local codes in {site}" in told
    assert f"  {LAB}|HGB: {HAEMOGLOBIN}" in told
    assert f"  {WARD}|NEURO-B: b12_therapy, cyanocobalamin" in told
    assert f"  {LAB}|GLU: 2345-7, which is on no code list: something else" in told
    assert "  (no system)|KALIUM: potassium" in told
    wrong = tmp_path / "wrong.csv"
    wrong.write_text(f"system,code,means\n{LAB},VB12,vitamin\n")
    done = cli("check", CDS_CODE_MAP=str(wrong))
    assert done.exit_code == 1
    assert done.stderr.startswith(
        f"Error: {wrong}: line 2: vitamin is not a code list. Take a name"
    )


def test_codes_lists_names_each_list_and_its_purpose() -> None:
    told = cli("codes", "lists").stdout.splitlines()
    assert told[0] == "b12-under-two"
    assert any(line.startswith("  b12_level: ") for line in told)


def test_a_site_learns_which_codes_nobody_knew(site: Path, tmp_path: Path) -> None:
    """System and code alone, the most frequent first, without those that its map explains."""
    url = f"sqlite:///{tmp_path}/store.sqlite"
    settings = Settings(demo=True, as_of=TODAY, database_url=url)
    store = create_store(settings)
    assert store is not None
    store.start()
    client = create_app(settings, store=store).test_client()
    named = result("VB12", 150, "pg/mL") | {
        "code": {"coding": [{"system": LAB, "code": "VB12", "display": "Anna's own B12"}]}
    }
    worded = result("x", 1, "") | {"code": {"coding": [{"system": LAB, "code": "Anna Smith"}]}}
    ask(client, b12=bundle(named), labs=bundle(result("CRP", 5, "mg/L"), worded))
    ask(client, labs=bundle(result("CRP", 5, "mg/L")))
    ask(client, order(1), conditions=bundle(condition("FITS")))
    store.close()
    told = cli("codes", "unknown", CDS_DATABASE_URL=url).stdout
    first, *rest = told.splitlines()
    assert first.startswith(f"labs: {LAB}|CRP (calls: 2, last ")
    assert {line.partition(" (")[0] for line in rest} == {
        f"b12: {LAB}|VB12",
        f"conditions: {WARD}|FITS",
        f"draftOrders: {WARD}|NEURO-B",
    }
    assert "Anna" not in told
    content = (tmp_path / "store.sqlite").read_bytes()
    content += b"".join(one.read_bytes() for one in tmp_path.glob("store.sqlite-*"))
    assert b"Anna" not in content
    told = cli("codes", "unknown", "--csv", CDS_DATABASE_URL=url, CDS_CODE_MAP=str(site)).stdout
    assert told == f"system,code,means\n{LAB},CRP,\n"
