"""How a child is fed, what is eaten, and what is recorded of the mother, by HTTP: in every shape in
which it is sent. It is read, or the answer says that it was not."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from each import each
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.consultation import EVALUATION_EXTENSION, load_services
from cds_service.settings import Settings

Json = dict[str, Any]

SERVICE = next(one for one in load_services() if one.hook == "patient-view")
KEYS = [need.key for need in SERVICE.needs]
LOINC, SNOMED = "http://loinc.org", "http://snomed.info/sct"
SUBJECT = {"reference": "Patient/p1"}


def concept(system: str, code: str, display: str = "") -> Json:
    coding = {"system": system, "code": code} | ({"display": display} if display else {})
    return {"coding": [coding]}


BREAST_FED = concept(SNOMED, "169741004", "Breast fed")
STATUS = concept(LOINC, "63895-7")
DIET = concept(LOINC, "81663-7")
BREAST_FEEDING = concept(LOINC, "LA29252-6")
YES, NO = concept(SNOMED, "373066001"), concept(SNOMED, "373067005")


@pytest.fixture(scope="module")
def service() -> FlaskClient:
    return create_app(Settings(demo=True, as_of=date(2026, 11, 22))).test_client()


def observed(code: Json, **sent: Any) -> Json:
    return {
        "resourceType": "Observation",
        "id": "f1",
        "status": "final",
        "code": code,
        "subject": SUBJECT,
        "effectiveDateTime": "2026-11-20",
        **sent,
    }


def problem(text: str, **sent: Any) -> Json:
    active = {"coding": [{"code": "active"}]}
    return {
        "resourceType": "Condition",
        "id": "c1",
        "clinicalStatus": active,
        "subject": SUBJECT,
        "code": {"text": text},
        **sent,
    }


def relative(
    condition: str, role: str = "mother", of_it: list[Json] | None = None, **sent: Any
) -> Json:
    return {
        "resourceType": "FamilyMemberHistory",
        "id": "h1",
        "status": "completed",
        "patient": SUBJECT,
        "relationship": {"text": role},
        "condition": [{"code": {"text": condition}, "note": of_it or []}],
        **sent,
    }


FED_NOW = {"valueCodeableConcept": BREAST_FEEDING}


def bundle(*resources: Json) -> Json:
    return {"resourceType": "Bundle", "entry": [{"resource": one} for one in resources]}


def ask(service: FlaskClient, level: int | None = None, **sent: Json) -> Json:
    """The answer about an infant of nine months, with this level of vitamin B12 or none."""
    patient = {"resourceType": "Patient", "id": "p1", "birthDate": "2026-02-01"}
    nothing = dict.fromkeys(KEYS, bundle())
    if level is not None:
        value = {"value": level, "unit": "pg/mL"}
        nothing["b12"] = bundle(
            observed(concept(LOINC, "2132-9"), valueQuantity=value, effectiveDateTime="2026-11-18")
        )
    context = {"userId": "Practitioner/1", "patientId": "p1"}
    body = {
        "hook": "patient-view",
        "hookInstance": "3f0ab1de-8d2b-4a4c-9a2c-7d4f0f6d9a11",
        "context": context,
        "prefetch": {**nothing, "patient": patient, **sent},
    }
    path = f"/cds-services/{SERVICE.id}"
    answer = service.post(path, data=json.dumps(body), content_type="application/json")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return dict(json.loads(answer.data))


def said(answer: Json) -> str:
    return "\n".join(f"{card['summary']}\n{card.get('detail', '')}" for card in answer["cards"])


def unread(answer: Json) -> list[Json]:
    return list(answer["extension"][EVALUATION_EXTENSION].get("unread", []))


FED: list[Json] = [
    observed(BREAST_FED, valueBoolean=True),
    observed(BREAST_FED),
    observed(BREAST_FED, valueCodeableConcept=YES),
    observed(BREAST_FED, valueCodeableConcept=concept(LOINC, "LA33-6")),
    observed(BREAST_FED, valueCodeableConcept={"text": "Yes"}),
    observed(BREAST_FED, valueString="ja"),
    observed(BREAST_FED, valueCodeableConcept=concept("urn:example:answers", "Y")),
    observed(STATUS, valueBoolean=True),
    observed(STATUS, valueCodeableConcept={"text": "Fully breastfed, no formula"}),
    observed(STATUS, valueString="Mother is breastfeeding exclusively"),
    observed(STATUS, valueString="voll gestillt"),
    observed(STATUS, valueString="allaitement maternel exclusif"),
    observed(STATUS, valueString="mixed feeding: breast and formula"),
    observed(STATUS, valueString="母乳栄養"),
    observed(
        {"text": "Infant feeding"},
        component=[{"code": STATUS, "valueCodeableConcept": BREAST_FEEDING}],
    ),
    observed({"text": "Infant feeding"}, component=[{"code": BREAST_FED, "valueBoolean": True}]),
]
NOT_FED: list[Json] = [
    observed(BREAST_FED, valueBoolean=False),
    observed(BREAST_FED, valueCodeableConcept=NO),
    observed(BREAST_FED, valueCodeableConcept=concept(LOINC, "LA32-8")),
    observed(BREAST_FED, valueString="nein"),
    observed(STATUS, valueBoolean=False),
    observed(STATUS, valueString="Not breastfed since birth"),
    observed(STATUS, valueString="wird nicht gestillt"),
]
OPEN: list[tuple[Json, list[str] | None]] = [
    (observed(STATUS, valueString="breastfed until 3 months"), ["breastfed until 3 months"]),
    (observed(STATUS, valueString="formula stopped"), ["formula stopped"]),
    (observed(STATUS, valueString="see notes"), ["see notes"]),
    (observed(STATUS, valueInteger=1), ["1"]),
    (observed(STATUS, valueCodeableConcept={"text": "Bedarf"}), ["Bedarf"]),
    (observed(BREAST_FED, valueString="unknown"), ["unknown"]),
    (observed(STATUS), None),
    (observed(BREAST_FED, dataAbsentReason={"text": "not asked"}), None),
]  # fmt: skip


@pytest.mark.parametrize("one", FED)
def test_a_breast_fed_child_is_one_however_it_is_recorded(service: FlaskClient, one: Json) -> None:
    answer = ask(service, 150, feeding=bundle(one))
    assert "Breast-fed infant with low vitamin B12" in said(answer)
    assert not unread(answer)


@pytest.mark.parametrize("one", NOT_FED)
def test_a_child_that_is_not_breast_fed_is_not_however_it_is_recorded(
    service: FlaskClient, one: Json
) -> None:
    answer = ask(service, 150, feeding=bundle(one))
    assert "reast-fed infant" not in said(answer)
    assert "feeding not known" not in said(answer)
    assert not unread(answer)


def test_formula_in_words_and_nothing_of_the_breast_is_formula(service: FlaskClient) -> None:
    sent = observed(STATUS, valueString="Not breastfed since birth; formula only")
    answer = ask(service, 150, feeding=bundle(sent))
    assert "Formula-fed infant with low vitamin B12" in said(answer)


@pytest.mark.parametrize(("one", "what"), OPEN)
def test_an_answer_on_feeding_that_is_not_understood_is_said_and_not_guessed(
    service: FlaskClient, one: Json, what: list[str] | None
) -> None:
    answer = ask(service, 150, feeding=bundle(one))
    assert "feeding not known" in said(answer)
    (left,) = unread(answer)
    assert (left["need"], left["reason"], left.get("what")) == ("feeding", "answer", what)


MOTHER: list[tuple[str, Json]] = [
    ("feeding", observed(DIET, valueString="mother is vegan")),
    ("feeding", observed(DIET, valueString="Mutter lebt vegan")),
    ("feeding", observed(DIET, valueString="mère végétalienne")),
    ("feeding", observed(DIET, valueCodeableConcept={"text": "madre vegana"})),
    ("feeding", observed(DIET, valueString="matka weganka")),
    ("feeding", observed(DIET, note=[{"text": "Mother is vegan"}])),
    ("feeding", observed(STATUS, **FED_NOW, note=[{"text": "Mother vegan"}])),
    ("feeding", observed(STATUS, **FED_NOW, comment="Mother vegan")),
    ("feeding", observed(STATUS, **FED_NOW, comments="Mother vegan")),
    ("feeding", observed({"text": "Mother's diet"}, valueString="vegan")),
    ("feeding", observed({"text": "Mother is vegan"}, valueBoolean=True)),
    ("feeding", observed({"text": "Mother is vegan"}, valueCodeableConcept=YES)),
    ("feeding", observed({"text": "History"}, component=[
        {"code": {"text": "Maternal diet"}, "valueString": "strict vegan"}])),
    ("feeding", observed({"text": "Infant feeding"}, component=[
        {"code": STATUS, "valueBoolean": True}, {"code": DIET, "valueString": "mother vegan"}])),
    ("feeding", observed(concept(SNOMED, "7", "Vegan diet"), focus=[{"display": "Mother"}])),
    ("feeding", observed(DIET, valueString="maternal B12 deficiency, treated")),
    ("conditions", problem("Mother is vegan")),
    ("conditions", problem("Exclusively breastfed infant of vegan mother")),
    ("conditions", problem("B12 deficiency in mother")),
    ("conditions", problem("Vitamin-B12-Mangel der Mutter")),
    ("conditions", problem("Carence en vitamine B12 chez la mère")),
    ("conditions", problem("Carenza di B12 nella madre")),
    ("conditions", problem("Niedobór witaminy B12 u matki")),
    ("conditions", problem("Low vitamin B12 in the mother")),
    ("conditions", problem("Both parents vegan")),
    ("conditions", problem("Common cold", note=[{"text": "mother is vegan"}])),
    ("family", relative("vegan")),
    ("family", relative("lebt vegan", "Mutter")),
    ("family", relative("carence en B12", "mère")),
    ("family", relative("diet", note=[{"text": "strict vegan"}])),
    ("family", relative("diet", of_it=[{"text": "vegan"}])),
]  # fmt: skip
NOT_HERS: list[tuple[str, Json]] = [
    ("feeding", observed(DIET, valueString="mother is not vegan")),
    ("feeding", observed({"text": "Mother is vegan"}, valueBoolean=False)),
    ("feeding", observed({"text": "Mother is vegan"}, valueCodeableConcept=NO)),
    ("conditions", problem("Mother not vegan")),
    ("conditions", problem("Mother well, father vegan")),
    ("conditions", problem("Mother omnivore (vegan: no)")),
    ("family", relative("vegan", "father")),
    ("family", relative("not vegan")),
]


@each(("need", "one"), MOTHER)
def test_words_about_the_mother_ask_for_a_level(service: FlaskClient, need: str, one: Json) -> None:
    answer = ask(service, **{need: bundle(one)})
    assert "Recorded, and a risk for vitamin B12 deficiency" in said(answer)
    (first, *_) = answer["cards"]
    assert first["indicator"] == "info"
    assert "MedicationRequest" not in json.dumps(first)


@pytest.mark.parametrize(("need", "one"), NOT_HERS)
def test_what_is_denied_or_of_someone_else_asks_for_nothing(
    service: FlaskClient, need: str, one: Json
) -> None:
    assert ask(service, **{need: bundle(one)})["cards"] == []


@pytest.mark.parametrize("level", [None, 150, 450])
def test_what_words_say_of_the_mother_is_shown_once_on_a_card(
    service: FlaskClient, level: int | None
) -> None:
    fed = bundle(observed(STATUS, valueCodeableConcept=BREAST_FEEDING))
    answer = ask(service, level, feeding=fed, conditions=bundle(problem("Mother is vegan")))
    times = 2 if level == 150 else 1  # as a possible cause of the child's, and on the mother's card
    assert said(answer).count("Mother is vegan") == times
    assert "Sent and not used" not in said(answer)
    assert not unread(answer)


def test_whose_diet_it_is_is_said(service: FlaskClient) -> None:
    answer = ask(service, family=bundle(relative("vegan")))
    assert "vitamin B12 deficiency: vegan (mother)." in said(answer)


@pytest.mark.parametrize("text", ["Vegan", "Vegan diet", "vegane Ernährung", "dieta vegana"])
def test_a_vegan_child_on_the_problem_list_asks_for_a_level(
    service: FlaskClient, text: str
) -> None:
    answer = ask(service, conditions=bundle(problem(text)))
    assert f"vitamin B12 deficiency: {text}." in said(answer)


@each(("need", "one"), [*MOTHER, *NOT_HERS])
def test_words_about_the_mother_change_no_treatment(
    service: FlaskClient, need: str, one: Json
) -> None:
    def treatment(answer: Json) -> list[object]:
        first = answer["cards"][0]
        orders = [
            (it["label"], it["isRecommended"], [one["description"] for one in it["actions"]])
            for it in first["suggestions"]
        ]
        return [first["indicator"], first["summary"].partition(": ")[2], orders]

    told, alone = (treatment(ask(service, 150, **sent)) for sent in ({need: bundle(one)}, {}))
    assert told == alone


def test_a_level_within_a_panel_under_local_codes_is_named(service: FlaskClient) -> None:
    local = {"coding": [{"system": "urn:example:lab", "code": "x", "display": "Vitamin B12"}]}
    value = {"value": 90, "unit": "pg/mL"}
    for panel in (concept("urn:example:lab", "p", "Bloods"), concept(LOINC, "24323-8")):
        sent = observed(panel, component=[{"code": local, "valueQuantity": value}])
        answer = ask(service, b12=bundle(sent))
        assert "A vitamin B12 result could not be read: Vitamin B12 90 pg/mL" in said(answer)
        (left,) = unread(answer)
        assert (left["reason"], left["what"]) == ("code system", ["Vitamin B12"])


def test_what_is_read_of_a_panel_is_not_lost_for_what_is_not(service: FlaskClient) -> None:
    haemoglobin = {
        "code": concept(LOINC, "718-7"),
        "valueQuantity": {"value": 6.1, "unit": "g/dL"},
    }
    odd = {"code": {"text": "Film"}, "valueAttachment": {"title": "film.pdf"}}
    sent = observed({"text": "Blood count"}, component=[haemoglobin, odd])
    answer = ask(service, 150, labs=bundle(sent))
    assert "severe (haemoglobin 6.1 g/dL)" in answer["cards"][0]["summary"]
    (left,) = unread(answer)
    assert (left["need"], left["reason"], left["what"]) == ("labs", "no code", ["Film"])


VEGAN = {"valueCodeableConcept": concept("http://terminology.hl7.org/CodeSystem/diet", "vegan")}
SOMEONE = {"focus": [{"reference": "RelatedPerson/r1"}]}


def diet(question: str = "", **sent: Any) -> Json:
    """A coded answer about a diet, vegan, to a question in the sender's words."""
    return observed({**DIET, **({"text": question} if question else {})}, **VEGAN, **sent)


@pytest.mark.parametrize(
    "one",
    [
        diet("Maternal diet"),
        diet("Maternal diet: vegan"),
        diet("Diet of the mother", **SOMEONE),
        diet("Ernährung der Mutter"),
        diet("Alimentation de la mère"),
        diet(focus=[{"reference": "RelatedPerson/r1", "display": "Mother"}]),
    ],
)
def test_the_question_says_that_a_diet_is_the_mothers(service: FlaskClient, one: Json) -> None:
    fed = observed(STATUS, **FED_NOW, id="f2")
    answer = ask(service, 380, feeding=bundle(fed, one))
    assert answer["cards"][0]["summary"].startswith("Breast-fed, level adequate, mother at risk")
    assert "unread" not in answer["extension"][EVALUATION_EXTENSION]


def test_without_such_a_question_it_is_the_childs(service: FlaskClient) -> None:
    for question in ("", "Diet", "Infant diet"):
        fed = observed(STATUS, **FED_NOW, id="f2")
        answer = ask(service, 380, feeding=bundle(fed, diet(question)))
        assert answer["cards"] == []
        assert "unread" not in answer["extension"][EVALUATION_EXTENSION]


@pytest.mark.parametrize(
    "one",
    [
        diet(**SOMEONE),
        diet("Diet", **SOMEONE),
        diet("Maternal diet", focus=[{"reference": "RelatedPerson/r1", "display": "Father"}]),
    ],
)
def test_a_known_answer_about_someone_unknown_says_that_it_is_not_known_whose(
    service: FlaskClient, one: Json
) -> None:
    answer = ask(service, 180, feeding=bundle(one))
    assert "of someone not known to be the mother" in said(answer)
    (left,) = unread(answer)
    assert (left["need"], left["reason"]) == ("feeding", "another person")
