"""What is not shown: answers already given, trials, and the challenger."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from each import each
from ehr import BASE, Ehr, register
from msgspec import structs
from played import STORIES, Story, client_of, services
from serving import Service, eventually, serving

from cds_service.app import create_app, create_store
from cds_service.cdshooks.request import parse_request
from cds_service.consultation import (
    EVALUATION_EXTENSION,
    Consultation,
    Occasion,
    consult,
    load_services,
)
from cds_service.consultation.cards import RULES_EXTENSION
from cds_service.consultation.challenger import Challenger
from cds_service.consultation.restraint import (
    IN_TRIAL,
    OVERRIDDEN,
    Respect,
    Restraint,
    checked_trials,
)
from cds_service.errors import SettingsError
from cds_service.settings import Settings, Trial, read_settings
from cds_service.store import audit
from cds_service.store.database import Database

pytestmark = pytest.mark.sampled_file(13)

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
WINDOWS = {"info": timedelta(hours=24), "warning": timedelta(hours=2)}
ALL = sorted(one.name for one in STORIES.iterdir() if (one / "request.json").is_file())
#: A child with a warning and a card of information.
TWO_CARDS = "anaemia-moderate-breastfed"
#: Its second card gives the dose of the daily requirement.
THREE_CARDS = "vegan-mother-low-b12-six-months"
PATH = "/cds-services/b12-under-two-patient-view"
Json = dict[str, Any]


def account_of(answer: Json) -> Json:
    found: Json = answer["extension"][EVALUATION_EXTENSION]
    return found


def said(cards: list[Json], patient: str) -> set[str]:
    """What the cards say and suggest, whatever id ``patient`` is; the resources name the moment."""
    return {
        json.dumps(
            [
                one["summary"],
                one["detail"],
                [
                    [made["label"], [act["description"] for act in made["actions"]]]
                    for made in one.get("suggestions", [])
                ],
            ]
        ).replace(patient, "")
        for one in cards
    }


# --- one process, a clock of the test's ---------------------------------------------------------


class Told:
    """Overrides as a test wants them."""

    def __init__(self, at: Mapping[audit.Content, datetime] | None) -> None:
        self.at = at

    def overridden(self, *_: Any) -> Mapping[audit.Content, datetime] | None:
        return self.at


def judged(name: str, **changes: Any) -> tuple[Any, Consultation]:
    story = Story(name)
    service = next(one for one in services() if one.hook == story.request["hook"])
    sent = json.dumps({**story.request, **changes}).encode()
    asked = parse_request(sent, service.hook)
    return service, consult(service, asked, None, Occasion(story.on, no_server="a test"))


def held(name: str, told: Any, now: datetime = NOW, client: str = "") -> Consultation:
    """The answer to a story when everything on it was overridden as ``told``: at one moment, or
    not known (`None`)."""
    service, done = judged(name)
    assert done.evaluation is not None
    at = told and {one.content: told for one in done.evaluation.cards}
    respect = Respect(Told(at), WINDOWS, {"", "north"}.__contains__, lambda: now)
    return Restraint((), respect).hold_back(done, service, client, "p")


def hidden(done: Consultation) -> dict[str, str]:
    assert done.evaluation is not None
    return {one.indicator: one.hidden for one in done.evaluation.cards}


@pytest.mark.parametrize("indicator", ["info", "warning"])
@pytest.mark.parametrize(
    ("past", "rests"),
    [(-timedelta(seconds=1), True), (timedelta(0), False), (timedelta(seconds=1), False)],
)
def test_a_card_rests_until_its_time_is_over(indicator: str, past: timedelta, rests: bool) -> None:
    done = held(TWO_CARDS, NOW, NOW + WINDOWS[indicator] + past)
    assert bool(hidden(done)[indicator]) == rests


@each("name", ALL, sample=60)
def test_what_is_never_hidden_is_not_hidden(name: str) -> None:
    """Everything was overridden a moment ago: critical cards, all cards at order-sign, cards about
    drafts, and those that say what could not be determined are still shown."""
    service, before = judged(name)
    done = held(name, NOW)
    shown = {one.uuid: one for one in done.response.cards}
    assert before.evaluation is not None
    unsaid = {one.rule for one in before.evaluation.rules if one.outcome == "cannot tell"}
    for card, own in zip(before.response.cards, before.evaluation.cards, strict=True):
        stays = (
            card.indicator == "critical"
            or service.hook == "order-sign"
            or "order" in card.extension[RULES_EXTENSION]
            or own.rule in unsaid
        )
        assert (card.uuid in shown) == stays
        if stays:
            now = shown[card.uuid]
            assert now.extension[RULES_EXTENSION]["overriddenBefore"] == "2026-03-15T12:00:00Z"
            assert structs.replace(now, extension=card.extension) == card


def test_some_stories_hide_and_some_show() -> None:
    """That the test above sees both."""
    counts = [len(held(name, NOW).log.get("withheld", ())) for name in ALL]
    assert sum(map(bool, counts)) > 60
    assert sum(not one for one in counts) > 60


def test_an_answer_without_cards_says_what_was_withheld() -> None:
    done = held(TWO_CARDS, NOW - timedelta(hours=1))
    assert done.response.cards == []
    account = done.response.extension[EVALUATION_EXTENSION]
    assert account["outcome"] == "advice withheld"
    warning, info = account["withheld"]
    assert warning["because"] == info["because"] == OVERRIDDEN
    assert warning["overriddenAt"] == "2026-03-15T11:00:00Z"
    assert (warning["indicator"], warning["until"]) == ("warning", "2026-03-15T13:00:00Z")
    assert (info["indicator"], info["until"]) == ("info", "2026-03-16T11:00:00Z")
    assert warning["topic"]
    assert warning["ruleIds"]
    assert done.log["cards"] == []
    assert len(done.log["withheld"]) == 2


def test_whoever_is_not_sure_shows_everything() -> None:
    _, before = judged(TWO_CARDS)
    for done in (
        held(TWO_CARDS, None),
        held(TWO_CARDS, {}),
        held(TWO_CARDS, NOW, client="with two servers"),
    ):
        assert done.response == before.response
        assert set(hidden(done).values()) == {""}


@pytest.mark.parametrize("indicator", ["info", "warning"])
def test_an_indicator_without_a_window_is_always_shown(indicator: str) -> None:
    service, done = judged(TWO_CARDS)
    assert done.evaluation is not None
    at = {one.content: NOW for one in done.evaluation.cards}
    windows = {**WINDOWS, indicator: timedelta(0)}
    respect = Respect(Told(at), windows, {""}.__contains__, lambda: NOW)
    hid = hidden(Restraint((), respect).hold_back(done, service, "", "p"))
    assert not hid.pop(indicator)
    assert all(hid.values())


def test_a_critical_card_has_no_window_whatever_is_set() -> None:
    service, done = judged("b12-below-100")
    assert done.evaluation is not None
    at = {one.content: NOW for one in done.evaluation.cards}
    windows = {**WINDOWS, "critical": timedelta(days=999)}
    respect = Respect(Told(at), windows, {""}.__contains__, lambda: NOW)
    assert len(Restraint((), respect).hold_back(done, service, "", "p").response.cards) == 1


# --- two processes over one database ------------------------------------------------------------


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, Service, str]]:
    """Two processes, on the day of the stories, that respect answers for an hour."""
    database = f"sqlite:///{tmp_path_factory.mktemp('pair')}/shared.sqlite"
    told = {
        "CDS_AS_OF": Story(TWO_CARDS).on.isoformat(),
        "CDS_RESPECT_INFO_HOURS": "1",
        "CDS_RESPECT_WARNING_HOURS": "1",
    }
    with serving(database, **told) as one, serving(database, **told) as other:
        yield one, other, database


def ask(service: Service, request: Json, path: str = PATH, **changes: Any) -> Json:
    status, body = service.ask(path, {**request, "hookInstance": str(uuid4()), **changes})
    assert status == 200, body
    answer: Json = json.loads(body)
    return answer


def renamed(request: Json, name: str) -> Json:
    """The same record, of another patient."""
    patient = request["context"]["patientId"]
    changed: Json = json.loads(json.dumps(request).replace(patient, name))
    return changed


def override(service: Service, cards: list[Json]) -> None:
    now = datetime.fromtimestamp(time.time(), UTC).isoformat()
    items = [{"card": one["uuid"], "outcome": "overridden", "outcomeTimestamp": now}
             for one in cards]  # fmt: skip
    assert service.ask(f"{PATH}/feedback", {"feedback": items})[0] == 200


def test_what_was_overridden_in_one_process_rests_in_the_other(
    pair: tuple[Service, Service, str],
) -> None:
    one, other, url = pair
    request = renamed(Story(TWO_CARDS).request, "first")
    before = ask(one, request)
    assert len(before["cards"]) == 2
    override(one, before["cards"])
    # The look-up has 50 ms, which a busy machine may miss: then the cards are shown.
    eventually(lambda: not ask(other, request)["cards"])
    instance = str(uuid4())
    eventually(lambda: not ask(other, request, hookInstance=instance)["cards"])
    account = account_of(ask(other, request, hookInstance=instance))
    if account["outcome"] != "advice":
        assert account["outcome"] == "advice withheld"
        assert [entry["because"] for entry in account["withheld"]] == [OVERRIDDEN] * 2
    assert other.counted("cds_cards_withheld_total") >= 2
    assert other.counted('cds_override_lookups_total{result="known"}') >= 1
    database = Database(url)
    eventually(lambda: bool(database.find(instance)))
    kept = database.consultation(database.find(instance)[0])
    assert {card["hidden"] for card in kept["cards"]} <= {OVERRIDDEN, None}
    assert all(card["shown"] == (card["hidden"] is None) for card in kept["cards"])
    database.close()

    # Another child with the same record is another child.
    assert len(ask(other, renamed(request, "second"))["cards"]) == 2


def changed(request: Json, what: str) -> Json:
    made = deepcopy(request)
    for bundle in made["prefetch"].values():
        for entry in (bundle or {}).get("entry", ()):
            resource = entry["resource"]
            quantity = resource.get("valueQuantity")
            codes = {one["code"] for one in resource.get("code", {}).get("coding", ())}
            weight = bool(codes & {"29463-7", "3141-9", "27113001"})
            if not quantity or (what == "weight") != weight:
                continue
            if what == "date":
                day = datetime.fromisoformat(resource["effectiveDateTime"]) - timedelta(days=1)
                resource["effectiveDateTime"] = day.isoformat()
            else:
                quantity["value"] = quantity["value"] * 1.1
    assert made != request
    return made


@pytest.mark.parametrize("what", ["value", "date", "weight"])
def test_a_card_of_which_anything_changed_is_shown_again(
    pair: tuple[Service, Service, str], what: str
) -> None:
    one, other, _ = pair
    known, unknown = f"changed-{what}", f"unknown-{what}"
    story = THREE_CARDS if what == "weight" else TWO_CARDS
    request = renamed(Story(story).request, known)
    before = ask(one, request)
    override(one, before["cards"])
    eventually(lambda: not ask(other, request)["cards"])
    # What the changed record brings for a child that no one knows.
    expected = ask(one, renamed(changed(request, what), unknown))["cards"]
    new = said(expected, unknown) - said(before["cards"], known)
    assert new
    for _ in range(3):
        got = ask(other, changed(request, what))["cards"]
        assert new <= said(got, known)


# --- registered clients -------------------------------------------------------------------------


def test_clients_have_their_own_answers_and_trials(tmp_path: Path) -> None:
    """North overrides. South has the same patient id; Wide has two servers, so two children may
    have it; East is in trial."""
    servers = ["https://one.example.org", "https://two.example.org"]
    ehrs = {name: Ehr(name, fhir_servers=servers[:1]) for name in ("north", "south", "east")}
    ehrs["wide"] = Ehr("wide", fhir_servers=servers)
    story = Story(TWO_CARDS)
    settings = Settings(
        clients_file=register(tmp_path, ehrs.values()),
        public_url=BASE,
        as_of=story.on,
        pseudonym_key=b"a key of the tests",
        database_url=f"sqlite:///{tmp_path}/store.sqlite",
        respect_info_hours=1,
        respect_warning_hours=1,
        trials=(Trial(client="east"),),
    )
    store = create_store(settings)
    assert store is not None
    client = create_app(settings, services(), store=store).test_client()

    def post(who: str, path: str, sent: Json) -> Json:
        token = ehrs[who].bearer(f"{BASE}{path}")
        answer = client.post(path, json=sent, headers=token)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json
        return found

    def cards(who: str) -> list[Json]:
        sent = {**story.request, "hookInstance": str(uuid4())}
        found: list[Json] = post(who, PATH, sent)["cards"]
        return found

    now = datetime.fromtimestamp(time.time(), UTC).isoformat()
    for who in ("north", "wide"):
        items = [{"card": one["uuid"], "outcome": "overridden", "outcomeTimestamp": now}
                 for one in cards(who)]  # fmt: skip
        assert len(items) == 2
        post(who, f"{PATH}/feedback", {"feedback": items})
    eventually(lambda: not cards("north"))
    for _ in range(3):
        assert len(cards("south")) == len(cards("wide")) == 2
    assert cards("east") == []
    store.close()


# --- trials -------------------------------------------------------------------------------------


def tried(name: str, *trials: Trial) -> Json:
    answer = client_of(as_of=Story(name).on, trials=trials).post(
        Story(name).path, json=Story(name).request
    )
    assert answer.status_code == 200
    found: Json = answer.json
    return found


@pytest.mark.parametrize("name", [TWO_CARDS, "adequate-level-silent", "b12-below-100"])
def test_a_service_in_trial_answers_that_it_is_no_advice(name: str) -> None:
    answer = tried(name, Trial(service="b12-under-two-patient-view"))
    account = account_of(answer)
    assert answer["cards"] == []
    assert account["outcome"] == "in trial"
    assert "not advice" in account["trial"]
    live = Story(name).post().json["cards"]
    assert [one["because"] for one in account.get("withheld", [])] == [IN_TRIAL] * len(live)


def test_another_service_is_not_in_trial() -> None:
    answer = tried(TWO_CARDS, Trial(service="b12-under-two-order-sign"))
    assert answer["cards"] == tried(TWO_CARDS)["cards"]
    assert account_of(answer)["outcome"] == "advice"


def test_a_rule_in_trial_hides_its_cards_and_takes_no_warning_along() -> None:
    """What was missing is on the first card that is shown, not on one that no one sees."""
    live = tried("birth-year-only")["cards"]
    first = live[0]["extension"][RULES_EXTENSION]["ruleIds"][0]
    answer = tried("birth-year-only", Trial(rule=first))
    (rest,) = answer["cards"]
    assert rest["uuid"] == live[-1]["uuid"]
    assert "Not known" in live[0]["detail"]
    # How sure the grade is concerns the treatment alone, and is hidden with it.
    missing = live[0]["detail"].partition("**Not known or not used**: ")[2].splitlines()[0]
    grading, _, others = missing.partition(". ")
    assert grading.startswith("Grading is provisional")
    of_the_record = others.partition(". ")[0]
    assert of_the_record.startswith("The date of birth is incomplete")
    assert of_the_record in rest["detail"]
    account = account_of(answer)
    assert account["outcome"] == "advice"
    assert [one["ruleIds"][0] for one in account["withheld"]] == [first] * 2


def test_a_trial_may_be_of_one_client() -> None:
    service, done = judged(TWO_CARDS)
    restraint = Restraint((Trial(client="north"),))
    assert restraint.hold_back(done, service, "north", "p").response.cards == []
    assert restraint.hold_back(done, service, "south", "p") == done
    assert done.evaluation is not None
    rule = done.evaluation.cards[0].rule
    assert rule == f"b12-under-two/{done.log['cards'][0]}"
    both = Restraint((Trial(client="north", rule=rule),))
    assert len(both.hold_back(done, service, "north", "p").response.cards) == 1
    assert both.hold_back(done, service, "south", "p") == done


@pytest.mark.parametrize(
    "trial", [Trial(service="b12"), Trial(rule="STAT-02"), Trial(rule="XYZ"), Trial(client="north")]
)
def test_a_trial_of_what_does_not_exist_is_refused(trial: Trial) -> None:
    with pytest.raises(SettingsError, match="CDS_TRIALS"):
        create_app(Settings(trials=(trial,)), services())


@pytest.mark.parametrize(
    "text",
    [
        "b12",
        "rule:",
        "rule:/A",
        "rule:a/b/c",
        "client:a/b",
        "rule:A+rule:B",
        "hook:patient-view",
        "rule:A+",
        "rule:A b",
    ],
)
def test_a_trial_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="CDS_TRIALS"):
        read_settings({"CDS_TRIALS": text})


def test_a_rule_in_trial_may_be_named_without_its_guideline() -> None:
    plain, full = Trial(rule="RTE-09"), Trial(client="north", rule="b12-under-two/RTE-09")
    known = checked_trials((plain, full, Trial()), services(), ["north"])
    assert [one.rule for one in known] == ["b12-under-two/RTE-09", "b12-under-two/RTE-09", ""]
    assert known[1].client == "north"


def test_a_rule_of_two_guidelines_must_be_named_with_its_own() -> None:
    (service, *_) = services()
    about = structs.replace(service.guideline.wording.about, id="another")
    wording = structs.replace(service.guideline.wording, about=about)
    data = structs.replace(service.guideline.data, wording=wording)
    another = structs.replace(service, guideline=structs.replace(service.guideline, data=data))
    with pytest.raises(SettingsError, match="another/RTE-09, b12-under-two/RTE-09"):
        checked_trials((Trial(rule="RTE-09"),), [service, another], ())
    (known,) = checked_trials((Trial(rule="another/RTE-09"),), [service, another], ())
    restraint = Restraint((known,))
    assert restraint.unseen_rules("", another) == {"RTE-09"}
    assert restraint.unseen_rules("", service) == frozenset()


def test_trials_are_read_as_they_are_written() -> None:
    settings = read_settings({"CDS_TRIALS": "client:north+rule:RTE-09, service:x rule:iron/RTE-09"})
    assert settings.trials == (
        Trial(client="north", rule="RTE-09"),
        Trial(service="x"),
        Trial(rule="iron/RTE-09"),
    )


@pytest.mark.parametrize(
    "environment",
    [
        {"CDS_RESPECT_INFO_HOURS": "1"},
        {"CDS_RESPECT_WARNING_HOURS": "1", "CDS_PSEUDONYM_KEY": "k" * 16},
        {"CDS_RESPECT_WARNING_HOURS": "1", "CDS_DEMO": "true", "CDS_DATABASE_URL": "none"},
        {"CDS_RESPECT_WARNING_HOURS": "169", "CDS_DEMO": "true"},
        {"CDS_RESPECT_INFO_HOURS": "2161", "CDS_DEMO": "true"},
        {"CDS_TRIALS": "rule:RTE-09", "CDS_DATABASE_URL": "none"},
    ],
)
def test_restraint_that_could_not_work_safely_stops_the_start(environment: dict[str, str]) -> None:
    with pytest.raises(SettingsError):
        read_settings(environment)


def test_the_longest_windows_are_accepted() -> None:
    environment = {"CDS_RESPECT_WARNING_HOURS": "168", "CDS_RESPECT_INFO_HOURS": "2160"}
    settings = read_settings({"CDS_DEMO": "true", **environment})
    assert (settings.respect_warning_hours, settings.respect_info_hours) == (168, 2160)


# --- the challenger -----------------------------------------------------------------------------

OVERRIDES = """
[limits.b12_deficient]
below = 140
source = "local: a test"
"""


def test_the_challenger_is_recorded_and_changes_no_answer(tmp_path: Path) -> None:
    file = tmp_path / "challenger.toml"
    file.write_text(OVERRIDES)
    url = f"sqlite:///{tmp_path}/store.sqlite"
    told = {"CDS_AS_OF": Story(THREE_CARDS).on.isoformat(), "CDS_CHALLENGER_OVERRIDES": str(file)}
    story = Story(THREE_CARDS)
    database = Database(url)
    database.upgrade()
    with serving(url, **told) as service:
        status, body = service.ask(PATH, story.request)
        assert status == 200
        # Links begin with the address that was called.
        called = f"http://127.0.0.1:{service.port}"
        alone = client_of(as_of=story.on).post(PATH, json=story.request, base_url=called)
        assert body == alone.data
        instance = story.request["hookInstance"]
        eventually(lambda: len(database.find(instance)) == 2)
        assert service.counted('cds_challenged_total{result="different"}') == 1
        assert service.counted("cds_calls_total") == 1
        kept = {one["arm"]: one for one in map(database.consultation, database.find(instance))}
        database.close()
    live, other = kept["live"], kept["challenger"]
    assert all(card["shown"] for card in live["cards"])
    assert other["overrides_text"] == OVERRIDES
    assert live["overrides"] is None
    assert {card["hidden"] for card in other["cards"]} == {"challenger"}
    assert {one["rule"] for one in live["cards"]} != {one["rule"] for one in other["cards"]}
    assert {one["uuid"] for one in live["cards"]}.isdisjoint(one["uuid"] for one in other["cards"])
    assert other["patient"] == live["patient"]


@pytest.mark.parametrize(
    ("settings", "alike"),
    [
        ("[limits]\nneonate_age = { below = 29, source = 'local: a test' }\n", True),
        ("[texts]\nnitrous_oxide = 'No nitrous oxide.'\n", False),
        (
            "[doses.infant_daily]\namount = 0.4\nsource = 'local: a test'\n"
            "phases = [{ frequency = 1, period = 1, period_unit = 'd', duration = 28,"
            " duration_unit = 'd', count = 28, text = '{amount} µg daily' }]\n[texts]\n"
            "maintenance_no_weight = 'x'\nmaintenance_stale_weight = 'x'\n"
            "maintenance_age_unclear = 'x'\n",
            False,
        ),
    ],
)
def test_a_card_under_other_settings_is_alike_unless_a_dose_or_a_word_differs(
    tmp_path: Path, settings: str, alike: bool
) -> None:
    file = tmp_path / "site.toml"
    file.write_text(settings)
    story, place = Story(THREE_CARDS), 1 if "doses" in settings else 0
    asked = parse_request(json.dumps(story.request).encode(), "patient-view")
    said = []
    for offered in (services(), load_services(file)):
        service = next(one for one in offered if one.hook == "patient-view")
        done = consult(service, asked, None, Occasion(story.on, no_server="a test"))
        assert done.evaluation is not None
        said.append((done.response.cards[place].detail, done.evaluation.cards[place].digest))
    (live, digest), (other, other_digest) = said
    assert live != other
    assert (digest == other_digest) is alike


class Recorded:
    def record_consultation(self, call: audit.Call) -> str:
        pytest.fail("a challenger that failed has nothing to record")


def test_a_challenger_that_fails_or_is_too_slow_disturbs_nobody(
    capfd: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: Any) -> Any:
        raise ZeroDivisionError("SECRET")

    _, done = judged(TWO_CARDS)
    call = audit.Call("b12-under-two-patient-view", "patient-view", 200, 1.0, as_of="2026-03-15")
    challenger = Challenger(services(), fail, Recorded(), capacity=2)  # type: ignore[arg-type]
    client = client_of()

    def counted(result: str) -> float:
        name = f'cds_challenged_total{{result="{result}"}} '
        lines = client.get("/metrics").text.splitlines()
        return sum(float(one.removeprefix(name)) for one in lines if one.startswith(name))

    failed, skipped = counted("failed"), counted("skipped")
    for _ in range(10):
        challenger.take(None, done, call)  # type: ignore[arg-type]
    assert counted("skipped") - skipped >= 7
    eventually(lambda: counted("failed") - failed + counted("skipped") - skipped == 10)
    logged = capfd.readouterr().out
    assert "ZeroDivisionError" in logged
    assert "SECRET" not in logged
