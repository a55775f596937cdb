"""Feedback: what clients may report, how it is answered, and that it is kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from played import PATIENCE_S, Json, Story, services

from cds_service.app import create_app
from cds_service.settings import Settings
from cds_service.store.database import Database
from cds_service.store.keeping import Store

AT = "2026-11-22T07:59:07.131Z"
#: What the public CDS Hooks sandbox sends, but for the uuids.
SANDBOX: list[Json] = [
    {
        "card": "{card}",
        "outcome": "accepted",
        "acceptedSuggestions": [{"id": "{suggestion}"}],
        "outcomeTimestamp": AT,
    },
    {
        "card": "{card}",
        "outcome": "overridden",
        "outcomeTimestamp": "2026-11-22T07:59:13.284Z",
        "overrideReason": {
            "reason": {"code": "already-treated", "system": "http://example.org/reasons"}
        },
    },
    {
        "card": "{card}",
        "outcome": "overridden",
        "outcomeTimestamp": "2026-11-22T07:59:21.038Z",
        "overrideReason": {"reason": {"code": "nosystem"}},
    },
    {"card": "w1", "outcome": "overridden", "outcomeTimestamp": "2026-11-22T07:59:15.739Z"},
]


class Played:
    """A story that was answered by a service which keeps what happens."""

    def __init__(self, story: Story, client: FlaskClient, store: Store, database: Database) -> None:
        self.client = client
        self.path = f"{story.path}/feedback"
        self.database = database
        answer = client.post(story.path, json=story.request)
        store.flush()
        self.cards: list[Json] = answer.json["cards"]
        self.card: str = self.cards[0]["uuid"]
        self.suggestion: str = self.cards[0]["suggestions"][0]["uuid"]

    def item(self, template: Json) -> Json:
        text = json.dumps(template).replace("{card}", self.card)
        filled: Json = json.loads(text.replace("{suggestion}", self.suggestion))
        return filled

    def send(self, *items: Json) -> Any:
        return self.client.post(self.path, json={"feedback": list(items)})

    def kept(self) -> list[Json]:
        """The feedback kept of the first card."""
        (name,) = self.database.find(self.card)
        found: list[Json] = self.database.consultation(name)["cards"][0]["feedback"]
        return found


@pytest.fixture
def played(story: Story, tmp_path: Path) -> Iterator[Played]:
    url = f"sqlite:///{tmp_path}/store.sqlite"
    database = Database(url)
    database.upgrade()
    store = Store(url)
    settings = Settings(demo=True, as_of=story.on, fhir_deadline=PATIENCE_S)
    app = create_app(settings, services(), store=store)
    yield Played(story, app.test_client(), store, database)
    store.close()
    database.close()


def overridden(**changes: Any) -> Json:
    return {"card": "{card}", "outcome": "overridden", "outcomeTimestamp": AT, **changes}


@pytest.mark.requirement("CH-105")
def test_feedback_has_its_address_below_the_service(played: Played) -> None:
    assert played.send(played.item(overridden())).status_code == 200
    wrong = played.client.post("/cds-services/other/feedback", json={"feedback": []})
    assert wrong.status_code == 404
    wrong = played.client.get(played.path)
    assert (wrong.status_code, wrong.headers["Allow"]) == (405, "OPTIONS, POST")


@pytest.mark.requirement("CH-105")
def test_a_service_that_keeps_nothing_takes_no_feedback(story: Story) -> None:
    answer = story.client().post(f"{story.path}/feedback", json={"feedback": []})
    assert answer.status_code == 404
    assert "eedback" in answer.json["issue"][0]["details"]["text"]


@pytest.mark.requirement("CH-106", "CH-109", "CH-110", "CH-115")
def test_what_the_sandbox_sends_is_kept_one_by_one_and_in_a_batch(played: Played) -> None:
    items = [played.item(one) for one in SANDBOX]
    for item in items[:2]:
        answer = played.send(item)
        assert answer.status_code == 200
        assert answer.json["stored"] == 1
    assert played.send(*items[2:]).json == {"stored": 2, "repeated": 0, "unknownCards": 1}
    first, second, third = played.kept()
    assert first["accepted"] == [played.suggestion]
    assert [(one["system"], one["code"]) for one in second["reasons"]] == [
        ("http://example.org/reasons", "already-treated")
    ]
    assert [(one["system"], one["code"]) for one in third["reasons"]] == [("", "nosystem")]


@pytest.mark.requirement("CH-106")
def test_a_body_without_an_array_of_items_is_refused(played: Played) -> None:
    bodies: list[Any] = [{}, [], *({"feedback": one} for one in ([], {}, None, [1]))]
    for body in bodies:
        answer = played.client.post(played.path, json=body)
        assert answer.status_code == 400
        assert answer.json["resourceType"] == "OperationOutcome"


@pytest.mark.requirement("CH-107")
@pytest.mark.parametrize("field", ["card", "outcome", "outcomeTimestamp"])
def test_an_item_without_card_outcome_or_time_refuses_the_batch_by_name(
    played: Played, field: str
) -> None:
    good = played.item(overridden())
    without = {name: value for name, value in good.items() if name != field}
    for bad in (without, *({**good, field: value} for value in (None, "", 7, "tomorrow \n"))):
        answer = played.send(good, bad)
        assert answer.status_code == 400
        (issue,) = answer.json["issue"]
        assert issue["expression"] == [f"feedback[1].{field}"]
        assert "nothing of this batch was stored" in issue["details"]["text"]
    assert played.kept() == []


@pytest.mark.requirement("CH-107")
def test_a_time_is_any_moment_of_rfc_3339(played: Played) -> None:
    in_utc = {
        "2026-11-22T07:59:01Z": "2026-11-22T07:59:01+00:00",
        "2026-11-22T07:59:02.131Z": "2026-11-22T07:59:02.131000+00:00",
        "2026-11-22T07:59:03.123456789Z": "2026-11-22T07:59:03.123456+00:00",
        "2026-11-22T09:59:04+02:00": "2026-11-22T07:59:04+00:00",
        "2026-11-22t07:59:05z": "2026-11-22T07:59:05+00:00",
    }
    items = [played.item(overridden(outcomeTimestamp=sent)) for sent in in_utc]
    assert played.send(*items).status_code == 200
    assert [one["outcome_at"].isoformat() for one in played.kept()] == list(in_utc.values())


@pytest.mark.requirement("CH-108")
def test_accepted_without_suggestions_is_refused(played: Played) -> None:
    values: list[Any] = [None, [], [{}], [{"id": ""}], [{"id": 7}], "x", ["x"]]
    for value in values:
        answer = played.send({**played.item(SANDBOX[0]), "acceptedSuggestions": value})
        assert answer.status_code == 400
        (at,) = answer.json["issue"][0]["expression"]
        assert at.startswith("feedback[0].acceptedSuggestions")
    assert played.kept() == []


@pytest.mark.requirement("CH-109")
@pytest.mark.parametrize(
    ("reason", "codes", "comment"),
    [
        ({"reason": {"code": "c", "system": "s", "display": "d"}}, [("s", "c", "d")], None),
        ({"userComment": "seen\0 by\nme"}, [], "seen\N{REPLACEMENT CHARACTER} by\nme"),
        ({"reason": {"code": "c", "system": "s"}, "userComment": "x"}, [("s", "c", "")], "x"),
        ({"reason": {"display": "only words"}}, [("", "", "only words")], None),
        ({"code": "c", "system": "s"}, [("s", "c", "")], None),
        (
            {"reason": {"coding": [{"code": "c"}], "text": "t"}},
            [("", "c", ""), ("", "", "t")],
            None,
        ),
        (None, [], None),
    ],
)
def test_an_override_may_say_why(
    played: Played, reason: Any, codes: list[tuple[str, str, str]], comment: str | None
) -> None:
    assert played.send(played.item(overridden(overrideReason=reason))).status_code == 200
    (kept,) = played.kept()
    found = [(one["system"], one["code"], one["display"]) for one in kept["reasons"]]
    assert (found, kept["comment"]) == (codes, comment)


@pytest.mark.requirement("CH-111")
def test_a_replay_changes_nothing_and_a_new_report_is_added(played: Played) -> None:
    items = [played.item(one) for one in SANDBOX]
    played.send(*items)
    assert played.send(*items).json == {"stored": 0, "repeated": 4, "unknownCards": 1}
    assert len(played.kept()) == 3
    later = {**items[1], "outcomeTimestamp": "2026-11-22T08:00:00Z"}
    assert played.send(later).json["stored"] == 1
    assert len(played.kept()) == 4


@pytest.mark.requirement("CH-112")
def test_a_card_not_reported_has_no_feedback_and_is_not_overridden(played: Played) -> None:
    played.send(overridden(card="another"))
    assert played.kept() == []


@pytest.mark.requirement("CH-113")
@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("inside", [False, True])
def test_epics_spellings_are_read(played: Played, several: bool, inside: bool) -> None:
    extension = {
        "com.epic.cdshooks.override": {"category": "Clinical", "title": "T", "display": "Known"}
    }
    override: Json = {"userComment": "seen"}
    item = overridden(card="^8765-not a uuid")
    (override if inside else item)["extension"] = extension
    item["overrideReasons"] = [override] if several else override
    assert played.send(item).json == {"stored": 1, "repeated": 0, "unknownCards": 1}
    with played.database._transaction(read_only=True) as connection:
        (row,) = connection.exec_driver_sql("SELECT comment, extension FROM feedback").all()
        (reason,) = connection.exec_driver_sql("SELECT display FROM override_reasons").all()
    assert row[0] == "seen"
    assert json.loads(row[1]) == extension
    assert reason == ("Clinical / T / Known",)


@pytest.mark.requirement("CH-113")
def test_a_coded_reason_under_epics_name_is_a_reason(played: Played) -> None:
    reason = {"reason": {"code": "c", "system": "s"}}
    assert played.send(played.item(overridden(overrideReasons=reason))).status_code == 200
    assert [one["code"] for one in played.kept()[0]["reasons"]] == ["c"]


@pytest.mark.requirement("CH-115")
def test_a_comment_reaches_neither_log_nor_answer_nor_metrics(
    played: Played, capfd: pytest.CaptureFixture[str]
) -> None:
    capfd.readouterr()
    override = {"reason": {"code": "SECRET", "display": "SECRET"}, "userComment": "SECRET"}
    answers = [
        played.send(overridden(card="SECRET", overrideReason=override)),
        played.send(overridden(card="SECRET", outcome="SECRET", overrideReason=override)),
        played.send(overridden(card="SECRET", overrideReason=override, outcomeTimestamp="SECRET")),
    ]
    assert [one.status_code for one in answers] == [200, 400, 400]
    assert "SECRET" not in "".join(one.text for one in answers)
    assert "SECRET" not in played.client.get("/metrics").text
    said = capfd.readouterr().out
    assert said.count('"feedback":true') == 3
    assert "SECRET" not in said
