"""The children that a running service is asked about: each answered as accepted, and what happens
when one is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import known_answers
import pytest
from msgspec import structs

from cds_service.app import create_app
from cds_service.consultation import Service, load_services
from cds_service.consultation.known_answers import EVERY_S, KnownAnswers, accepted, decided
from cds_service.errors import ServiceError
from cds_service.settings import Settings
from cds_service.store.audit import Pseudonyms
from cds_service.store.keeping import Store

SERVICES = load_services()
BY_HOOK = {one.hook: one for one in SERVICES}
CASES = {one.name: one for one in SERVICES[0].guideline.known_cases}
MILD, NORMAL = "vegan-mother-low-b12-six-months", "exactly-three-hundred"


def test_the_file_is_what_the_service_decides_today() -> None:
    assert known_answers.WRITTEN.read_text(encoding="utf-8") == known_answers.written()


@pytest.mark.parametrize("name", CASES)
def test_each_child_is_decided_as_its_story_was_worked_out_by_hand(name: str) -> None:
    story = json.loads((known_answers.SAMPLES / name / "expected.json").read_text())
    answer = accepted(CASES[name])
    assert set(story["fires"]) <= set(answer.rules)
    assert story["silent"] is (answer.cards == ())
    assert answer == decided(BY_HOOK[CASES[name].hook], CASES[name])


def test_the_children_cover_every_hook_every_urgency_and_silence() -> None:
    assert {one.hook for one in CASES.values()} == {"patient-view", "order-select", "order-sign"}
    told = {card.indicator for one in CASES.values() for card in accepted(one).cards}
    assert told == {"info", "warning", "critical"}
    assert any(not accepted(one).cards for one in CASES.values())
    assert len(CASES) >= 12


def test_a_decision_has_no_words_and_no_names() -> None:
    service, case = BY_HOOK["patient-view"], CASES[MILD]
    told = str(decided(service, case))
    assert MILD not in told
    assert "cyanocobalamin" not in told.lower()
    assert " 1000 ug " in told


def replaced(name: str, **changes: Any) -> tuple[Service, ...]:
    """The services, but the right answer to one child is another."""
    cases = tuple(
        structs.replace(one, accepted={**one.accepted, **changes}) if one.name == name else one
        for one in CASES.values()
    )

    class Changed:
        known_cases = cases

        def __getattr__(self, attribute: str) -> Any:
            return getattr(SERVICES[0].guideline, attribute)

    return tuple(structs.replace(one, guideline=Changed()) for one in SERVICES)


def asked(services: tuple[Service, ...]) -> KnownAnswers:
    known = KnownAnswers(services, load_services)
    known.check()
    return known


def test_right_answers_are_right_and_all_are_asked() -> None:
    known = KnownAnswers(SERVICES, load_services)
    assert len(known) == len(CASES)
    assert known.state.state == "checking"
    assert known.check().state == "right"
    assert known.state.wrong == known.state.changed_by_site == ()


@pytest.mark.parametrize(
    "changed", [{"rules": ("STAT-08",)}, {"outcome": "nothing to say"}, {"cards": ()}]
)
def test_a_wrong_answer_is_found_and_named(changed: dict[str, Any]) -> None:
    known = asked(replaced(MILD, **changed))
    assert known.state.state == "wrong"
    assert known.state.wrong == (f"b12-under-two/{MILD}",)


def test_a_dose_that_differs_in_one_digit_is_a_wrong_answer() -> None:
    cards = json.loads(json.dumps(CASES[MILD].accepted["cards"]).replace(" 1000 ug", " 1001 ug"))
    assert asked(replaced(MILD, cards=cards)).state.wrong


def test_a_call_that_fails_is_a_wrong_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise ServiceError("a bug")

    monkeypatch.setattr("cds_service.consultation.known_answers.consult", fails)
    assert len(asked(SERVICES).state.wrong) == len(CASES)


def app_that_decides(services: tuple[Service, ...], store: Store | None = None) -> Any:
    return create_app(Settings(), services, store=store)


def test_a_wrong_answer_makes_the_service_unready_and_shows_in_the_metrics() -> None:
    app = app_that_decides(replaced(NORMAL, outcome="advice"))
    client, known = app.test_client(), app.extensions["known_answers"]
    before = client.get("/readyz")
    assert (before.status_code, before.json["knownAnswers"]["state"]) == (200, "checking")
    known.check()
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json["status"]) == (503, "failing")
    assert ready.json["knownAnswers"]["wrong"] == [f"b12-under-two/{NORMAL}"]
    metrics = client.get("/metrics").text
    assert "\ncds_known_answers_wrong 1.0\n" in metrics
    assert 'cds_known_answers_total{result="wrong"}' in metrics
    asked(SERVICES)
    assert "\ncds_known_answers_wrong 0.0\n" in client.get("/metrics").text


def test_asking_leaves_no_call_counted_logged_or_kept(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    store = Store(f"sqlite:///{tmp_path / 'kept.sqlite'}", pseudonyms=Pseudonyms(b"a test key"))
    app = app_that_decides(SERVICES, store)
    client = app.test_client()

    def counted() -> list[str]:
        lines = client.get("/metrics").text.splitlines()
        return [one for one in lines if one.startswith(("cds_calls", "cds_cards", "cds_stage"))]

    before = counted()
    app.extensions["known_answers"].check()
    assert counted() == before
    assert store.health().waiting == 0
    assert capfd.readouterr().out == ""


def local(tmp_path: Path, text: str) -> tuple[Service, ...]:
    file = tmp_path / "site.toml"
    file.write_text(text, encoding="utf-8")
    return load_services(file)


ADEQUATE_FROM_320 = """
[b12-under-two.limits.b12_adequate]
at_least = 320
source = "local: a test"
"""


def test_what_the_site_changed_is_named_and_is_no_fault(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    app = app_that_decides(local(tmp_path, ADEQUATE_FROM_320))
    app.extensions["known_answers"].check()
    ready = app.test_client().get("/readyz")
    assert (ready.status_code, ready.json["status"]) == (200, "ok")
    assert ready.json["knownAnswers"] == {
        "state": "right",
        "wrong": [],
        "changedBySite": [f"b12-under-two/{NORMAL}"],
    }
    (line,) = capfd.readouterr().out.splitlines()
    assert {"known_answer": f"b12-under-two/{NORMAL}", "is": "local"}.items() <= json.loads(
        line
    ).items()


def test_a_changed_answer_that_changes_again_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = asked(local(tmp_path, ADEQUATE_FROM_320))
    assert known.state.state == "right"
    right = decided

    def drifts(service: Service, case: Any) -> Any:
        decision = right(service, case)
        return structs.replace(decision, rules=()) if service.guideline.local else decision

    monkeypatch.setattr("cds_service.consultation.known_answers.decided", drifts)
    assert f"b12-under-two/{NORMAL}" in known.check().wrong


def test_a_fault_that_the_site_did_not_cause_is_not_laid_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = decided

    def broken(service: Service, case: Any) -> Any:
        return structs.replace(right(service, case), rules=())

    monkeypatch.setattr("cds_service.consultation.known_answers.decided", broken)
    known = asked(local(tmp_path, ADEQUATE_FROM_320))
    assert len(known.state.wrong) == len(CASES)
    assert known.state.changed_by_site == ()


def test_it_goes_on_asking_in_the_background(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cds_service.consultation.known_answers.EVERY_S", 0.001)
    assert EVERY_S < 300
    services = replaced(MILD)
    known = KnownAnswers(services, load_services)
    rounds: list[object] = []
    asks = known.check

    def counted(names: Any = None) -> Any:
        rounds.append(names)
        if len(rounds) == len(CASES) + 2:
            known.stop()
        return asks(names)

    monkeypatch.setattr(known, "check", counted)
    known._run()
    assert rounds[0] is None
    assert rounds[1] == rounds[1 + len(CASES)] == (next(iter(known._cases)),)
