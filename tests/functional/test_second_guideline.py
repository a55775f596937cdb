"""A second guideline, a toy of three rules in `tests/guidelines/toy/`, next to the first: on every
surface it is there by what it says of itself, and nothing outside it knows it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient
from played import Story, strings_in
from serving import eventually
from toy import iron

from cds_service.__main__ import main
from cds_service.app import create_app
from cds_service.consultation import load_services
from cds_service.consultation.cards import RULES_EXTENSION
from cds_service.consultation.services import stationery_of
from cds_service.errors import GuidelineError, SettingsError
from cds_service.fhir import orders
from cds_service.guidelines import registry
from cds_service.guidelines.guideline import Guideline
from cds_service.guidelines.registry import GUIDELINES
from cds_service.settings import Settings, Trial
from cds_service.store.audit import Pseudonyms
from cds_service.store.database import Database
from cds_service.store.keeping import Store

pytestmark = pytest.mark.sampled_file(9)

BOTH = (*GUIDELINES, iron.KNOWN)
ON = date(2026, 3, 15)
CHART, SIGNING = "/cds-services/iron-toy-patient-view", "/cds-services/iron-toy-order-sign"
PATIENT = {"resourceType": "Patient", "id": "p", "birthDate": "2025-09-01"}
LOCAL = 'source = "local: a test"'

Json = dict[str, Any]


def ferritin(value: float, unit: str = "ug/L") -> Json:
    return {
        "resourceType": "Observation",
        "id": "f",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "2276-4"}]},
        "subject": {"reference": "Patient/p"},
        "effectiveDateTime": "2026-03-10",
        "valueQuantity": {"value": value, "unit": unit},
    }


def asked(hook: str, *results: Json, drafts: tuple[Json, ...] = ()) -> Json:
    context: Json = {"userId": "Practitioner/1", "patientId": "p"}
    if hook != "patient-view":
        entries = [{"resource": one} for one in drafts]
        context["draftOrders"] = {"resourceType": "Bundle", "entry": entries}
    bundle = {
        "resourceType": "Bundle",
        "type": "searchset",
        "entry": [{"resource": one} for one in results],
    }
    return {
        "hook": hook,
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": context,
        "prefetch": {"patient": PATIENT, "ferritin": bundle},
    }


def an_order(mg: float) -> Json:
    return {
        "resourceType": "MedicationRequest",
        "id": "order",
        "status": "draft",
        "intent": "order",
        "subject": {"reference": "Patient/p"},
        "medicationCodeableConcept": {
            "coding": [{"system": "http://www.whocc.no/atc", "code": "B03AA07"}],
            "text": "Iron drops",
        },
        "dosageInstruction": [{"doseAndRate": [{"doseQuantity": {"value": mg, "unit": "mg"}}]}],
    }


def client_of(store: Store | None = None, **settings: Any) -> FlaskClient:
    chosen = Settings(demo=True, as_of=ON, **settings)
    return create_app(chosen, store=store, guidelines=BOTH).test_client()


def cards(path: str, sent: Json, **settings: Any) -> list[Json]:
    answer = client_of(**settings).post(path, json=sent)
    assert answer.status_code == 200, answer.data
    return list(answer.json["cards"])


def run(*words: str, stdin: str = "", **variables: str) -> Result:
    return CliRunner().invoke(main, words, env=variables, input=stdin, obj=BOTH)


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[tuple[Store, Database, str]]:
    url = f"sqlite:///{tmp_path}/store.sqlite"
    database = Database(url)
    database.upgrade()
    store = Store(url, pseudonyms=Pseudonyms(b"a key of the tests"))
    yield store, database, url
    store.close()
    database.close()


# --- discovery and cards --------------------------------------------------------------------------


def test_it_is_all_that_the_program_asks_of_a_guideline() -> None:
    guideline: Guideline = iron.load()
    assert guideline.wording.about.id == iron.ID


def test_discovery_shows_the_services_of_both() -> None:
    services = client_of().get("/cds-services").json["services"]
    assert [one["id"] for one in services][3:] == ["iron-toy-patient-view", "iron-toy-order-sign"]
    (chart,) = [one for one in services if one["id"] == "iron-toy-patient-view"]
    assert chart["title"] == "Iron in infants: the chart"
    assert set(chart["prefetch"]) == {"patient", "ferritin"}
    ready = client_of().get("/readyz").json["services"]
    assert ready[:3] == [f"b12-under-two-{one['hook']}" for one in services[:3]]


@pytest.mark.parametrize(("value", "low"), [(11.9, True), (12, False), (12.1, False)])
def test_a_chart_is_judged_by_its_limit(value: float, low: bool) -> None:
    found = cards(CHART, asked("patient-view", ferritin(value)))
    assert [one["extension"][RULES_EXTENSION]["ruleIds"] for one in found] == (
        [["IRON-01"]] if low else []
    )


def test_the_card_has_its_words_its_orders_and_its_topic() -> None:
    (card,) = cards(CHART, asked("patient-view", ferritin(8)))
    assert card["summary"] == "Ferritin 8 ug/L: low; iron by mouth"
    assert "Drops stain the teeth." in card["detail"]
    assert "S-01" not in card["detail"]  # the guideline's statement is on its page
    assert "A toy for tests: not for patients. Edition 1." in card["detail"]
    assert card["source"]["topic"]["code"] == "IronIRON01"
    assert card["overrideReasons"][0]["code"] == "already-given"
    (suggestion,) = card["suggestions"]
    drug, test = [one["resource"] for one in suggestion["actions"]]
    (line,) = drug["dosageInstruction"]
    dose = line["doseAndRate"][0]["doseQuantity"]
    assert (dose["value"], dose["unit"], dose["code"]) == (10, "mg", "mg")
    assert test["code"]["coding"][0]["code"] == "2276-4"
    assert not [text for text in strings_in(card) if re.search("b12|cobalamin", text, re.I)]


@pytest.mark.parametrize("results", [(), (ferritin(8, "pmol/L"),)])
def test_what_cannot_be_told_is_said(results: tuple[Json, ...]) -> None:
    (card,) = cards(CHART, asked("patient-view", *results))
    assert card["summary"] == "Iron cannot be judged: no usable ferritin"


def test_what_was_not_sent_is_named() -> None:
    sent = asked("patient-view")
    del sent["prefetch"]["ferritin"]
    answer = client_of().post(CHART, json=sent).json
    assert "Not available: ferritin results." in answer["cards"][0]["detail"]
    (account,) = answer["extension"].values()
    assert account["guideline"] == "iron-toy"
    assert account["outcome"] == "advice"
    assert account["missing"] == [
        "ferritin: not sent, and the request names no FHIR server",
        "ferritin",
    ]


@pytest.mark.parametrize(("mg", "too_much"), [(29.9, False), (30, False), (30.1, True)])
def test_an_order_is_checked_and_mended(mg: float, too_much: bool) -> None:
    found = cards(SIGNING, asked("order-sign", drafts=(an_order(mg),)))
    assert bool(found) is too_much
    if found:
        (card,) = found
        assert card["extension"][RULES_EXTENSION]["order"] == "MedicationRequest/order"
        (action,) = card["suggestions"][0]["actions"]
        (line,) = action["resource"]["dosageInstruction"]
        assert line["doseAndRate"][0]["doseQuantity"]["value"] == 10


def test_it_suggests_one_action_at_a_time_where_that_is_wanted() -> None:
    (card,) = cards(CHART, asked("patient-view", ferritin(8)), one_action=True)
    assert [len(one["actions"]) for one in card["suggestions"]] == [1, 1]


def test_the_first_guideline_answers_as_if_it_were_alone() -> None:
    story = Story("vegan-mother-low-b12-six-months")
    alone = create_app(Settings(demo=True, as_of=story.on)).test_client()
    both = create_app(Settings(demo=True, as_of=story.on), guidelines=BOTH).test_client()
    answers = [one.post(story.path, json=story.request).data for one in (alone, both)]
    assert answers[0] == answers[1]


# --- what is kept, reported and withheld ----------------------------------------------------------


def test_a_call_its_feedback_and_the_report_name_its_rules(
    kept: tuple[Store, Database, str], tmp_path: Path
) -> None:
    store, database, url = kept
    client = client_of(store)
    (card,) = client.post(CHART, json=asked("patient-view", ferritin(8))).json["cards"]
    chosen = [{"id": card["suggestions"][0]["uuid"]}]
    said = {
        "card": card["uuid"],
        "outcome": "accepted",
        "acceptedSuggestions": chosen,
        "outcomeTimestamp": "2026-03-15T12:00:00Z",
    }
    assert store.flush()
    taken = client.post(f"{CHART}/feedback", json={"feedback": [said]}).json
    assert taken == {"stored": 1, "repeated": 0, "unknownCards": 0}
    (name,) = database.find(card["uuid"])
    record = database.consultation(name)
    assert (record["guideline"], record["edition"]) == ("iron-toy", "1")
    assert record["fired"] == ["iron-toy/IRON-01"]
    assert record["rules"] == [{"rule": "iron-toy/IRON-01", "outcome": "recommended"}]
    assert record["cards"][0]["rule"] == "iron-toy/IRON-01"
    counts = client.get("/metrics").text
    assert 'cds_cards_total{indicator="warning",rule="iron-toy/IRON-01",shown="true"}' in counts
    page = tmp_path / "report.html"
    done = run("feedback", "report", "--html", str(page), CDS_DATABASE_URL=url)
    assert done.exit_code == 0, done.output
    assert "iron-toy/IRON-01" in page.read_text(encoding="utf-8")
    assert "Iron by mouth." in page.read_text(encoding="utf-8")
    assert "iron-toy/IRON-01" in run("feedback", "report", "--csv", CDS_DATABASE_URL=url).output
    assert (
        "iron-toy/IRON-01: recommended" in run("audit", "show", name, CDS_DATABASE_URL=url).output
    )


@pytest.mark.parametrize("rule", ["IRON-01", "iron-toy/IRON-01"])
def test_a_rule_of_it_can_be_tried_without_being_shown(rule: str) -> None:
    answer = client_of(trials=(Trial(rule=rule),)).post(
        CHART, json=asked("patient-view", ferritin(8))
    )
    assert answer.json["cards"] == []
    (account,) = answer.json["extension"].values()
    assert account["outcome"] == "in trial"
    assert account["withheld"][0]["ruleIds"] == ["IRON-01"]


def test_a_rule_under_the_wrong_guideline_is_refused() -> None:
    with pytest.raises(SettingsError, match="b12-under-two/IRON-01 is not a rule"):
        client_of(trials=(Trial(rule="b12-under-two/IRON-01"),))


def test_a_challenger_judges_by_changes_of_its_own(
    kept: tuple[Store, Database, str], tmp_path: Path
) -> None:
    store, database, _ = kept
    file = tmp_path / "tried.toml"
    file.write_text(f"[iron-toy.limits]\nferritin_low = {{ below = 30, {LOCAL} }}\n")
    client = client_of(store, challenger=file)
    sent = asked("patient-view", ferritin(20))
    assert client.post(CHART, json=sent).json["cards"] == []
    eventually(lambda: store.flush() and len(database.find(sent["hookInstance"])) == 2)
    found = {
        one["arm"]: one for one in map(database.consultation, database.find(sent["hookInstance"]))
    }
    assert found["live"]["cards"] == []
    assert [one["rule"] for one in found["challenger"]["cards"]] == ["iron-toy/IRON-01"]


# --- a site's own file ----------------------------------------------------------------------------


def test_one_file_changes_both_each_under_its_own_name(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    file.write_text(
        f"[b12-under-two.limits]\nb12_deficient = {{ below = 210, {LOCAL} }}\n"
        f"[iron-toy.limits]\nferritin_low = {{ below = 15, {LOCAL} }}\n"
        f"[[iron-toy.codes.ferritin]]\nsystem = 'http://loinc.org'\ncode = '20567-4'\n"
        "display = 'Ferritin by immunoassay'\n",
        encoding="utf-8",
    )
    services = {one.id: one for one in load_services(file, BOTH)}
    own = services["iron-toy-patient-view"].guideline.local
    assert own == ("limits.ferritin_low.below", "limits.ferritin_low.source", "codes.ferritin")
    other = services["b12-under-two-patient-view"].guideline.local
    assert other == ("limits.b12_deficient.below", "limits.b12_deficient.source")
    (card,) = cards(CHART, asked("patient-view", ferritin(14)), guideline_overrides=file)
    said = card["detail"].replace("\\", "")
    assert f"Local settings in force: {', '.join(own)}." in said
    told = client_of(guideline_overrides=file).get("/workbench/setup?guideline=iron-toy").json
    assert told["desk"]["controls"][0]["marks"][0]["value"] == 15
    assert told["guideline"]["local"] == list(own)
    checked = run("check", CDS_GUIDELINE_OVERRIDES=str(file))
    assert checked.exit_code == 0, checked.output


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"[iron-toy.limits]\nferritin_low = {{ below = 500, {LOCAL} }}\n",
         "iron-toy.limits.ferritin_low: is tenfold off"),
        (f"[iron-toy.doses.drops]\namount = 20\n{LOCAL}\n",
         "iron-toy.doses.drops.amount: is written in words"),
        ("[iron-toy.policy]\nnothing = 1\n", "iron-toy.policy: is not a name"),
        ("[iron.limits]\n", "iron: cannot be overridden"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_the_guideline(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "site.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(GuidelineError) as caught:
        load_services(file, BOTH)
    assert str(caught.value).startswith(f"{file}: {said}")


def test_a_file_that_names_no_guideline_is_refused_where_the_first_is_not_there(
    tmp_path: Path,
) -> None:
    file = tmp_path / "site.toml"
    file.write_text(f"[limits]\nferritin_low = {{ below = 15, {LOCAL} }}\n", encoding="utf-8")
    with pytest.raises(GuidelineError, match="names no guideline"):
        load_services(file, (iron.KNOWN,))


# --- the command line -----------------------------------------------------------------------------


def test_check_counts_its_data_and_builds_its_orders() -> None:
    said = run("check").output
    assert "Guideline iron-toy, edition 1\n" in said
    assert "2 limits, 1 dose, 1 product, 1 test: the 2 orders they can make" in said
    assert said.index("Guideline b12-under-two") < said.index("Guideline iron-toy")


def test_every_order_it_makes_is_valid() -> None:
    g = iron.load()
    made = list(g.specimens())
    assert made
    orders.check(made, stationery_of(g).language)  # refuses what is not valid


def test_describe_writes_its_page(tmp_path: Path) -> None:
    done = run("describe", "--to", str(tmp_path))
    assert done.exit_code == 0, done.output
    page = (tmp_path / "iron-toy.md").read_text(encoding="utf-8")
    assert page.startswith("# Iron in infants\n")
    for said in ("IRON-01", "Is there too little iron?", "Drops stain the teeth.", "2276-4"):
        assert said in page
    assert (tmp_path / "b12-under-two.md").is_file()


def test_a_case_is_evaluated_and_explained() -> None:
    sent = json.dumps(asked("patient-view", ferritin(8)))
    done = run("evaluate", "-", "--guideline", "iron-toy", "--explain", "--as-of", "2026-03-15",
               stdin=sent)  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "Guideline iron-toy, edition 1." in done.output
    assert "Ferritin 8 ug/L: low" in done.output
    assert re.search(
        r"FIRED  IRON-01 +The newest ferritin is low\.\n +seen: ferritin: 8", done.output
    )
    assert "not asked: IRON-03 (no order of iron is being checked)" in done.output
    wrong = run("evaluate", "-", "--guideline", "iron", stdin=sent)
    assert wrong.exit_code == 2
    assert "--guideline iron: there is b12-under-two, iron-toy." in wrong.output


# --- the workbench --------------------------------------------------------------------------------


def test_the_workbench_is_set_up_by_it() -> None:
    told = client_of().get("/workbench/setup?guideline=iron-toy").json
    assert [one["id"] for one in told["services"]] == [
        "iron-toy-patient-view",
        "iron-toy-order-sign",
    ]
    assert [one["id"] for one in told["guidelines"]] == ["b12-under-two", "iron-toy"]
    assert told["desk"]["title"] == "Iron workbench"
    assert [one["kind"] for one in told["desk"]["controls"]] == ["result", "age"]
    assert told["desk"]["firstDose"] == {"value": 10, "unit": "mg"}
    assert told["named"] == "?guideline=iron-toy"
    assert told["statementsOf"]["IRON-01"] == ["S-01"]
    assert told["needs"] == {"Patient": "patient"}
    assert client_of().get("/workbench/setup").json["guideline"]["id"] == "b12-under-two"
    page = client_of().get("/?guideline=iron-toy", headers={"Accept": "text/html"}).text
    assert "<title>Iron workbench</title>" in page


def test_the_workbench_tells_its_reasons_and_its_chart() -> None:
    sent = asked("patient-view", ferritin(8))
    told = client_of().post("/workbench/explain/iron-toy-patient-view", json=sent).json
    assert told["facts"][0]["text"] == "8 ug/L, Observation/f"
    states = {row["rule"]: row["state"] for table in told["tables"] for row in table["rows"]}
    assert states == {"IRON-01": "fired", "IRON-02": "no", "IRON-03": "not asked"}
    (plot,) = told["chart"]["plots"]
    assert (plot["points"][0]["value"], plot["bands"][0]["below"]) == (8, 12)
    assert told["response"] == client_of().post(CHART, json=sent).json


def test_a_bundle_becomes_a_request_for_its_services() -> None:
    record = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": PATIENT}, {"resource": ferritin(8)}],
    }
    path = "/workbench/request?guideline=iron-toy"
    made = client_of().post(path, json=record).json
    assert set(made["prefetch"]) == {"patient", "ferritin"}
    assert len(cards(CHART, made)) == 1


def test_the_workbench_shows_its_page() -> None:
    page = client_of().get("/guideline?guideline=iron-toy").text
    assert 'id="iron-01"' in page
    assert "Three rules that prove the seam" in page
    assert "B12" not in page


# --- how to write one -----------------------------------------------------------------------------

HOW_TO = (Path(registry.__file__).parent / "README.md").read_text(encoding="utf-8")


def test_the_changes_in_the_readme_are_changes(tmp_path: Path) -> None:
    (example,) = re.findall(r"^```toml\n(.*?)^```", HOW_TO, flags=re.S | re.M)
    file = tmp_path / "site.toml"
    file.write_text(example, encoding="utf-8")
    *_, service = load_services(file, BOTH)
    assert service.guideline.local == (
        "limits.ferritin_low.below",
        "limits.ferritin_low.source",
        "codes.ferritin",
    )


def test_what_the_readme_names_is_there() -> None:
    kit = Path(registry.__file__).parent
    toy = Path(iron.__file__).parent
    read = (*kit.glob("*.py"), *toy.glob("*.py"), *toy.glob("*.toml"))
    text = "\n".join(one.read_text(encoding="utf-8") for one in read)
    files = {one.name for one in (*kit.iterdir(), *toy.iterdir())}
    named = re.findall(r"`([A-Za-z_.]+?)(?:\(.*?\))?`", HOW_TO)
    named = [name for name in named if not name.startswith("CDS_")]
    assert len(named) > 40
    for name in named:
        *_, last = name.split(".")
        assert name in files or re.search(rf"\b{last}\b", text), f"{name} is nowhere"
