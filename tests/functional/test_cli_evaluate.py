"""The command `evaluate` as a process: what it prints, and what it refuses in one sentence."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from each import each

from cds_service import consultation
from cds_service.consultation.cases import NO_SERVER, in_words, read_case
from cds_service.errors import BadRequest

pytestmark = pytest.mark.sampled_file(11)

ROOT = Path(__file__).parents[2]
STORIES = ROOT / "fhir_samples" / "b12_under_two"
SEVERE = STORIES / "hypotonia-regression-severe"
SERVICE = consultation.load_services()[0]
EXTENSION = consultation.EVALUATION_EXTENSION
NAMES = sorted(folder.name for folder in STORIES.iterdir())


def cli(*words: str | Path, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CDS_")}
    return subprocess.run(
        [sys.executable, "-m", "cds_service", *map(str, words)],
        cwd=ROOT,
        env={**kept, **variables},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
    )


def answered(*words: str | Path, stdin: str = "", **variables: str) -> str:
    done = cli("evaluate", *words, stdin=stdin, **variables)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def refused(*words: str | Path, stdin: str = "") -> str:
    done = cli("evaluate", *words, stdin=stdin)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("Error: ")
    assert done.stderr.count("\n") == 1, "one sentence"
    return done.stderr


def response_to(content: bytes, on: str, patient: str = "") -> dict[str, Any]:
    case = read_case(content, [SERVICE], patient=patient)
    occasion = consultation.Occasion(date.fromisoformat(on), no_server=NO_SERVER)
    done = consultation.consult(case.service, case.asked, None, occasion)
    rules: dict[str, Any] = {**done.response.extension[EXTENSION]}
    return {
        **rules,
        "summaries": [card.summary for card in done.response.cards],
        "offers": [s.label for card in done.response.cards for s in card.suggestions],
    }


def bundle(*entries: dict[str, Any], **more: Any) -> bytes:
    return json.dumps(
        {"resourceType": "Bundle", "type": "collection", "entry": list(entries), **more}
    ).encode()


def record(story: str) -> Any:
    return json.loads((STORIES / story / "patient.json").read_text())


# --- what it prints -----------------------------------------------------------------------------


def test_it_prints_the_cards_with_their_actions_in_words() -> None:
    said = answered(SEVERE / "patient.json")
    assert "evaluated as of 15 Mar 2026, the date of the Bundle's timestamp" in said
    assert "Card 1 of 2 · CRITICAL" in said
    assert "**Why**: B12 118 pg/mL on 12 Mar 2026." in said
    assert "(recommended)" in said
    assert "Prescribe Hydroxocobalamin" in said
    assert "Pending human review" in said
    assert "Table" not in said


def test_json_is_the_exact_response_of_the_service() -> None:
    said = json.loads(answered(SEVERE / "request.json", "--as-of", "2026-03-15", "--json"))
    assert [card["indicator"] for card in said["cards"]] == ["critical", "info"]
    assert said["extension"][EXTENSION]["asOf"] == "2026-03-15"


def test_standard_input_is_a_file_too() -> None:
    request = (SEVERE / "request.json").read_text()
    said = answered("-", "--as-of", "2026-03-15", stdin=request)
    assert "118 pg/mL" in said
    assert "a cds hooks request" in said.lower()


def test_without_a_card_it_says_why_there_is_none() -> None:
    said = answered(STORIES / "adequate-level-silent" / "patient.json")
    assert "Nothing to say" in said
    assert "because STAT-08" in said


def test_a_date_given_wins_over_the_bundles_own() -> None:
    said = answered(SEVERE / "patient.json", "--as-of", "2029-01-01")
    assert "as of 1 Jan 2029 (--as-of)" in said
    assert "AGE-04" in said


def test_the_date_of_the_settings_wins_over_the_bundles_own() -> None:
    said = answered(SEVERE / "patient.json", CDS_AS_OF="2029-01-01", CDS_DEMO="true")
    assert "as of 1 Jan 2029 (CDS_AS_OF)" in said


def test_a_sites_own_limits_are_in_force(tmp_path: Path) -> None:
    site = tmp_path / "site.toml"
    site.write_text('[limits.b12_severe]\nbelow = 150\nsource = "local: laboratory, 2026"\n')
    said = answered(SEVERE / "patient.json", CDS_GUIDELINE_OVERRIDES=str(site))
    assert "Local settings in force: limits.b12\\_severe" in said


def test_explain_names_every_rule_once_with_what_was_seen() -> None:
    said = answered(SEVERE / "patient.json", "--explain")
    tables = said[said.index("\n\nTable ") :]
    for rule in SERVICE.guideline.wording.rules:
        assert re.search(rf"(?<![\w-]){rule}(?![\w-])", tables), f"{rule} is not explained"
    rows = re.findall(r"^  (?:FIRED|no   )  ([A-Z0-9]+-\w+)", tables, flags=re.M)
    assert len(rows) == len(set(rows))
    assert "FIRED  STAT-02" in tables
    assert "seen: days since the sample: 3 (at most 180 d); level: deficient" in tables
    assert re.search(r"SEV-01 .*\n +seen: neurological signs: Poor muscle tone, ", tables)
    assert re.search(r"not reached: STAT-03,.*STAT-13 \(STAT-02\s+answered\)", tables, flags=re.S)


def test_explain_begins_with_the_facts_and_where_they_stand() -> None:
    said = answered(SEVERE / "patient.json", "--explain")
    facts = said[said.index("What is known") : said.index("\n\nTable ")]
    assert "8 completed months (born 5 Jul 2025)" in facts
    assert "6.9 kg on 12 Mar 2026" in facts
    assert "118 pg/mL on 12 Mar 2026, Observation/hypotonia-regression-severe-b12-1" in facts
    assert "the result that counts" in facts
    assert "neurological: Poor muscle tone since 22 Feb 2026" in facts
    assert "no recent white cells, potassium" in facts


def test_explain_shows_a_converted_result_as_it_was_sent() -> None:
    said = answered(STORIES / "result-in-pmol" / "patient.json", "--explain")
    assert re.search(r"Vitamin B12: +[\d.]+ pg/mL \(sent as [\d.]+ pmol/L\)", said)


@each("name", NAMES, sample=60)
def test_every_story_can_be_explained(name: str) -> None:
    from cds_service.fhir.gather import gather
    from cds_service.fhir.reading import read_record
    from cds_service.guidelines import b12_under_two as b12
    from cds_service.guidelines.b12_under_two.explain import explain

    case = read_case((STORIES / name / "patient.json").read_bytes(), [SERVICE])
    assert case.written is not None
    read = read_record(gather(SERVICE.needs, case.asked.prefetch, name, None), SERVICE.needs, name)
    evaluation = b12.evaluate(read, case.written, SERVICE.guideline.data)
    said = explain(evaluation, read, SERVICE.guideline.data, SERVICE.language)
    shown = set(re.findall(r"FIRED  ([A-Z0-9]+-\w+)", said))
    assert shown == set(evaluation.reasoning.fired())


def test_validate_lists_what_is_not_fhir_and_evaluates_all_the_same() -> None:
    spoilt = record("hypotonia-regression-severe")
    spoilt["entry"][1]["resource"]["category"] = "laboratory"
    said = answered("-", "--validate", stdin=json.dumps(spoilt))
    assert "118 pg/mL" in said
    assert "Observation/hypotonia-regression-severe-b12-1: category" in said
    sound = answered(SEVERE / "patient.json", "--validate")
    assert "no problems found" in sound


# --- Bundles ------------------------------------------------------------------------------------


#: Whose request holds what does not belong into the child's own record.
OTHERS_RECORDS = "twin-result-in-the-bundle"
#: Orders that are being written are in the request alone.
ABOUT_ORDERS = {
    name for name in NAMES if "draftOrders" in (STORIES / name / "request.json").read_text()
}


@each("name", sorted({*NAMES} - ABOUT_ORDERS - {OTHERS_RECORDS}), sample=60)
def test_a_record_as_a_bundle_and_as_a_request_give_the_same_advice(name: str) -> None:
    folder = STORIES / name
    on = json.loads((folder / "expected.json").read_text())["asOf"]
    as_bundle = response_to((folder / "patient.json").read_bytes(), on)
    assert as_bundle == response_to((folder / "request.json").read_bytes(), on)


def moved_to_uuids(story: str) -> dict[str, Any]:
    """The record as a transaction of resources without ids, which refer to each other by uuid."""
    text = (STORIES / story / "patient.json").read_text()
    text = text.replace(f"Patient/{story}", "urn:uuid:8c5b1b86-0000-4000-8000-000000000001")
    sent = json.loads(text)
    sent["type"] = "transaction"
    sent["entry"][0]["fullUrl"] = "urn:uuid:8c5b1b86-0000-4000-8000-000000000001"
    for entry in sent["entry"]:
        entry["resource"].pop("id")
        entry["request"] = {"method": "POST", "url": entry["resource"]["resourceType"]}
    found: dict[str, Any] = sent
    return found


def test_a_transaction_without_ids_is_read_by_its_addresses() -> None:
    sent = moved_to_uuids("hypotonia-regression-severe")
    said = response_to(json.dumps(sent).encode(), "2026-03-15")
    assert "RTE-03" in said["ruleIds"]
    assert "otherPatientsRecordsIgnored" not in said


def test_what_a_whole_record_does_not_hold_is_not_missing() -> None:
    patient = record("adequate-level-silent")["entry"][0]
    said = response_to(bundle(patient), "2026-03-15")
    assert "missing" not in said


def test_a_page_of_several_leaves_the_rest_unknown() -> None:
    patient = record("adequate-level-silent")["entry"][0]
    more = [{"relation": "next", "url": "https://fhir.example.org/?page=2"}]
    said = response_to(bundle(patient, type="searchset", link=more), "2026-03-15")
    assert any("conditions" in one and "first page" in one for one in said["missing"])


def test_of_several_patients_one_must_be_chosen_and_only_that_one_is_evaluated() -> None:
    deficient, healthy = record("hypotonia-regression-severe"), record("healthy-infant-silent")
    both = bundle(*deficient["entry"], *healthy["entry"])
    with pytest.raises(BadRequest, match=r"2 patients; choose one with --patient: hypo.*, healthy"):
        read_case(both, [SERVICE])
    said = response_to(both, "2026-03-15", patient="healthy-infant-silent")
    assert said["summaries"] == []
    said = response_to(both, "2026-03-15", patient="Patient/hypotonia-regression-severe")
    assert "RTE-03" in said["ruleIds"]
    with pytest.raises(BadRequest, match="no patient someone"):
        read_case(both, [SERVICE], patient="someone")


def test_a_result_that_cannot_be_told_apart_is_counted_not_lost() -> None:
    sent = record("adequate-level-silent")
    sent["entry"].append({"resource": {"resourceType": "Observation", "code": {"coding": "odd"}}})
    said = response_to(json.dumps(sent).encode(), "2026-03-15")
    assert any("not readable" in one for one in said["missing"])


@pytest.mark.parametrize(
    "code", [{"text": "Vitamin B12"}, {"coding": [{"system": "urn:lab", "code": "VB12"}]}, {}]
)
def test_a_result_without_a_known_code_is_named_not_lost(code: dict[str, object]) -> None:
    sent = record("adequate-level-silent")
    result = {"resourceType": "Observation", "id": "local", "status": "final", "code": code}
    owner = next(one["resource"] for one in sent["entry"] if "birthDate" in one["resource"])
    result["subject"] = {"reference": f"Patient/{owner['id']}"}
    sent["entry"].append({"resource": result})
    said = response_to(json.dumps(sent).encode(), "2026-03-15")
    assert [one["reason"] for one in said["unread"]] in (["code system"], ["no code"])


def test_a_medication_known_by_reference_is_found_in_the_bundle() -> None:
    sent = record("on-oral-therapy-week-one")
    (order,) = [
        entry["resource"]
        for entry in sent["entry"]
        if entry["resource"]["resourceType"] == "MedicationRequest"
    ]
    code = order.pop("medicationCodeableConcept")
    order["medicationReference"] = {"reference": "urn:uuid:8c5b1b86-0000-4000-8000-000000000002"}
    sent["entry"].append(
        {
            "fullUrl": "urn:uuid:8c5b1b86-0000-4000-8000-000000000002",
            "resource": {"resourceType": "Medication", "code": code},
        }
    )
    said = response_to(json.dumps(sent).encode(), sent["timestamp"][:10])
    assert "RTE-11" in said["ruleIds"]


def test_a_case_not_evaluated_is_never_called_silence() -> None:
    from cds_service.cdshooks.response import Response

    account = {"outcome": "not evaluated", "ruleIds": ["AGE-02"], "missing": ["date of birth"]}
    said = in_words(Response(cards=(), extension={EXTENSION: account}), SERVICE.language)
    assert "not an all-clear" in said
    assert "Nothing to say" not in said


@pytest.mark.needs_environment("CDS_TEST_DATA")
def test_synthetic_infants_of_others_are_evaluated_within_their_lives() -> None:
    folder = Path(os.environ["CDS_TEST_DATA"]) / "synthea-r4-infants"
    files = sorted(folder.glob("*.json"))
    assert files
    for file in files:
        sent = json.loads(file.read_text())
        (child,) = [
            entry["resource"]
            for entry in sent["entry"]
            if entry["resource"]["resourceType"] == "Patient"
        ]
        born = date.fromisoformat(child["birthDate"])
        said = response_to(file.read_bytes(), born.replace(month=12, day=28).isoformat())
        assert {"AGE-06", "WT-04", "WT-05"} & set(said["ruleIds"])
        assert "missing" not in said
        assert "otherPatientsRecordsIgnored" not in said


# --- what it refuses ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "not JSON"),
        ("[a", "not JSON"),
        ('"open', "not JSON"),
        ("[1]", "neither a CDS Hooks request nor a FHIR Bundle"),
        ("{}", "neither a CDS Hooks request"),
        ('{"resourceType": "Observation"}', "a FHIR Observation, not a Bundle"),
        ('{"resourceType": "Patient"}\n{"not": "a resource"}', "It is not JSON."),
        ('{"resourceType": "Bundle", "type": "transaction-response"}', "is not a record"),
        ('{"resourceType": "Bundle", "type": "collection"}', "holds no Patient"),
        ('{"resourceType": "Bundle", "type": "collection", "entry": 1}', "not the shape"),
        ('{"hook": "order-dispatch"}', "No service answers the hook order-dispatch"),
        ('{"hook": 1}', "hook has the wrong type"),
        ('{"hook": "patient-view"}', "hookInstance is required"),
    ],
)
def test_what_is_no_case_is_refused_in_words(content: str, said: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        read_case(content.encode(), [SERVICE])
    assert said in refusal.value.text


def test_the_process_refuses_with_exit_code_two_and_one_sentence(tmp_path: Path) -> None:
    assert "cannot be read" in refused(tmp_path / "nowhere.json")
    assert "cannot be read" in refused(tmp_path)
    assert "not JSON" in refused("-", stdin="{")
    assert "No service answers the hook order-dispatch" in refused(
        SEVERE / "request.json", "--hook", "order-dispatch"
    )


def test_a_request_without_its_patient_is_refused_as_the_service_would() -> None:
    request = json.loads((SEVERE / "request.json").read_text())
    del request["prefetch"]["patient"]
    assert "patient's own record could not be obtained" in refused("-", stdin=json.dumps(request))


# --- a record that is not in a Bundle -------------------------------------------------------------

_SAMPLES = Path(__file__).parents[2] / "fhir_samples" / "b12_under_two"
_INFANT = _SAMPLES / "hypotonia-regression-severe" / "patient.json"


def _resources() -> list[Any]:
    return [one["resource"] for one in json.loads(_INFANT.read_text("utf-8"))["entry"]]


@pytest.mark.parametrize("form", ["a list", "lines", "lines with blank ones between"])
def test_resources_outside_a_bundle_are_the_same_child(tmp_path: Path, form: str) -> None:
    lines = [json.dumps(one) for one in _resources()]
    written = {
        "a list": json.dumps(_resources(), indent=1),
        "lines": "\n".join(lines),
        "lines with blank ones between": "\n\n".join(lines) + "\n",
    }[form]
    file = tmp_path / "child.ndjson"
    file.write_text(written, encoding="utf-8")
    on = ("--as-of", "2026-03-15", "--json")
    bundled = json.loads(cli("evaluate", str(_INFANT), *on).stdout)
    alone = json.loads(cli("evaluate", str(file), *on).stdout)
    assert [one["summary"] for one in alone["cards"]] == [
        one["summary"] for one in bundled["cards"]
    ]
    assert alone["cards"]


def test_a_patient_alone_is_evaluated(tmp_path: Path) -> None:
    (patient,) = [one for one in _resources() if one["resourceType"] == "Patient"]
    file = tmp_path / "patient.json"
    file.write_text(json.dumps(patient, indent=2), encoding="utf-8")
    done = cli("evaluate", str(file), "--as-of", "2026-03-15", "--json")
    assert json.loads(done.stdout)["cards"] == []
    assert done.returncode == 0
