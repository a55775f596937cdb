"""A week of three EHRs and their clinicians, calling the service over HTTP.

Some three hundred children, each from one of the sample stories, are seen over seven days by
clinicians who take, override and ignore cards by a pattern of their own. On the way happens what
happens: calls are sent twice or broken, feedback is repeated, comes in batches at night, in Epic's
spelling, from a clock that is behind, about a card no one knows, or never. On Monday the hospitals
change a limit of the guideline.

All that was sent and answered is written down in a `Ledger`; nothing is read from the store.
`PYTHONPATH=tests/support python tests/store/week.py FOLDER` leaves the week's
database there, to look at its report, and rewrites the example in the documents.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from uuid import UUID

from click.testing import CliRunner
from ehr import BASE, Ehr, register
from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from cds_service.__main__ import main
from cds_service.app import create_app
from cds_service.consultation import load_services
from cds_service.settings import Settings
from cds_service.store.audit import Pseudonyms
from cds_service.store.keeping import Store
from cds_service.workbench import samples

EXAMPLE = Path(__file__).parents[2] / "docs" / "feedback-report.md"
FIRST_DAY = date(2026, 1, 8)  # a Thursday: the seven days fall in two calendar weeks
DAYS = 7
CHILDREN = 320
NORTH, SOUTH, VILLAGE = "north-hospital", "south-hospital", "village-practice"
CLIENTS = (NORTH, SOUTH, VILLAGE)
LOCAL = '[limits]\nb12_deficient = { below = 220, source = "local: the hospitals, 2026" }\n'
LOCAL_FROM = date(2026, 1, 12)

#: Of a hundred cards of a hook and an urgency how many are taken, and how many overridden.
PATTERN = {
    ("patient-view", "critical"): (60, 22),
    ("patient-view", "warning"): (44, 30),
    ("patient-view", "info"): (16, 30),
    ("order-select", "critical"): (50, 35),
    ("order-select", "warning"): (38, 42),
    ("order-select", "info"): (15, 35),
    ("order-sign", "critical"): (72, 20),
    ("order-sign", "warning"): (45, 42),
    ("order-sign", "info"): (10, 45),
}

Json = dict[str, Any]


class SentCall(NamedTuple):
    at: datetime
    client: str
    hook: str
    service: str
    instance: str
    patient: str
    status: int
    answer: Json
    local: bool


class SentFeedback(NamedTuple):
    """One item that was acknowledged, in plain words, whatever spelling it went out in."""

    client: str
    service: str
    card: str
    outcome: str
    at: datetime
    accepted: tuple[str, ...]
    reason: str
    comment: bool


@dataclass
class Ledger:
    edition: str = ""
    local_digest: str = ""
    calls: list[SentCall] = field(default_factory=list)
    feedback: list[SentFeedback] = field(default_factory=list)
    unknown: int = 0


class _Quiet(WSGIRequestHandler):
    def log(self, *said: Any) -> None:
        pass


class _Server:
    """One HTTP server for as long as the week lasts, its application changed every night."""

    app: Flask

    def __init__(self) -> None:
        self._server = make_server("127.0.0.1", 0, self._answer, request_handler=_Quiet)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def _answer(self, environ: Json, start_response: Any) -> Any:
        """All of it before any of it is sent: a slow call is kept when its end was asked for, and
        the week's clock goes on as soon as its caller has the answer."""
        answer = self.app(environ, start_response)
        with closing(answer) if hasattr(answer, "close") else nullcontext():
            return list(answer)

    def post(self, client: Ehr, path: str, body: object) -> tuple[int, Json]:
        """Calls as ``client``, with a token for this one call."""
        connection = http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=30)
        try:
            headers = {"Content-Type": "application/json", **client.bearer(f"{BASE}{path}")}
            connection.request("POST", path, json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Visit(NamedTuple):
    at: datetime
    client: str
    story: str
    patient: str


def live_through_the_week(url: str, folder: Path) -> Ledger:
    """Plays the week against the database at ``url`` and returns what was sent and answered."""
    return _Week(url, folder).play()


class _Week:
    def __init__(self, url: str, folder: Path) -> None:
        self._url = url
        self._random = Random(20260109)
        self._ledger = Ledger()
        self._now = datetime.combine(FIRST_DAY, datetime.min.time(), UTC)
        self._at_night: dict[tuple[str, str], list[tuple[Json, SentFeedback]]] = {}
        self._local = folder / "site.toml"
        self._local.write_text(LOCAL, encoding="utf-8")
        self._ehrs = {client: Ehr(client) for client in CLIENTS}
        self._register = register(folder, self._ehrs.values())
        self._services = {False: load_services(), True: load_services(self._local)}
        samples_folder = samples.find_folder(Path(samples.__file__).parents[1])
        assert samples_folder is not None
        self._stories = samples.stories(samples_folder)
        self._ids = {service.hook: service.id for service in self._services[False]}
        self._ledger.edition = self._services[False][0].guideline.wording.about.edition

    def play(self) -> Ledger:
        self._server = _Server()
        try:
            for day in (FIRST_DAY + timedelta(days=n) for n in range(DAYS)):
                with self._open(day):
                    for visit in self._visits(day):
                        self._see(visit, day)
                    self._now = datetime.combine(day, datetime.min.time(), UTC) + timedelta(
                        hours=23
                    )
                    self._send_what_waits()
        finally:
            self._server.close()
        return self._ledger

    @contextmanager
    def _open(self, day: date) -> Iterator[None]:
        """The service as it is started on this day."""
        local = day >= LOCAL_FROM
        store = Store(
            self._url,
            pseudonyms=Pseudonyms(b"the key of the week"),
            overrides=LOCAL if local else "",
            clock=lambda: self._now.timestamp(),
        )
        settings = Settings(
            public_url=BASE,
            as_of=day,
            guideline_overrides=self._local if local else None,
            clients_file=self._register,
            calls_per_minute=60_000,
            queue=60.0,  # however busy the machine is
        )
        self._server.app = create_app(settings, self._services[local], store=store)
        try:
            yield
        finally:
            store.close()

    def _visits(self, day: date) -> list[_Visit]:
        number = (day - FIRST_DAY).days
        names = sorted(
            name for name, story in self._stories.items() if samples.shifted(story, day) is not None
        )
        visits = []
        for child in range(number, CHILDREN, DAYS):
            opened = datetime.combine(day, datetime.min.time(), UTC) + timedelta(
                hours=8, seconds=self._random.randrange(9 * 3600)
            )
            client = self._random.choices(CLIENTS, (55, 40, 5))[0]
            visits.append(_Visit(opened, client, self._random.choice(names), f"child-{child:03}"))
        return sorted(visits)

    def _see(self, visit: _Visit, day: date) -> None:
        story = samples.shifted(self._stories[visit.story], day)
        if story is None:
            return
        own = story.request["context"]["patientId"]
        request = json.loads(json.dumps(story.request).replace(own, visit.patient))
        request["hookInstance"] = str(UUID(int=self._random.getrandbits(128), version=4))
        self._now = visit.at
        broken = self._random.random() < 0.03
        if broken:
            del request["context"]["userId"]
        answer = self._call(visit, request)
        if broken:
            return
        if self._random.random() < 0.05:  # a slow network: the EHR asks again
            self._now += timedelta(seconds=4)
            assert self._call(visit, request)["cards"] == answer["cards"]
        if visit.client != VILLAGE:  # whose EHR sends no feedback
            for card in answer["cards"]:
                self._decide(visit, request["hook"], card)

    def _call(self, visit: _Visit, request: Json) -> Json:
        hook = request["hook"]
        status, answer = self._server.post(
            self._ehrs[visit.client], f"/cds-services/{self._ids[hook]}", request
        )
        self._ledger.calls.append(
            SentCall(
                self._now,
                visit.client,
                hook,
                self._ids[hook],
                request["hookInstance"],
                visit.patient,
                status,
                answer,
                self._now.date() >= LOCAL_FROM,
            )
        )
        return answer

    # --- what a clinician does with a card ---------------------------------------------------

    def _decide(self, visit: _Visit, hook: str, card: Json) -> None:
        taken, overridden = PATTERN[hook, card["indicator"]]
        if visit.client == SOUTH:
            taken = taken * 2 // 3
        drawn = self._random.randrange(100)
        if drawn < taken and card.get("suggestions"):
            self._accept(visit, hook, card)
        elif drawn < taken + overridden:
            self._override(visit, hook, card)

    def _answered_at(self, visit: _Visit, hook: str) -> datetime:
        if self._random.random() < 0.02:
            return visit.at - timedelta(seconds=20)  # a clock that is behind
        usual = 240 if hook == "patient-view" else 25
        return visit.at + timedelta(seconds=round(self._random.lognormvariate(0, 1.1) * usual, 1))

    def _accept(self, visit: _Visit, hook: str, card: Json) -> None:
        best = [one for one in card["suggestions"] if one.get("isRecommended")]
        others = [one for one in card["suggestions"] if one not in best]
        from_best = bool(best) and (not others or self._random.random() < 0.8)
        chosen = [self._random.choice(best if from_best else others)]
        if card.get("selectionBehavior") == "any":
            chosen += [one for one in others if one not in chosen and self._random.random() < 0.5]
        at = self._answered_at(visit, hook)
        ids = tuple(one["uuid"] for one in chosen)
        item = {
            "card": card["uuid"],
            "outcome": "accepted",
            "outcomeTimestamp": _stamp(at),
            "acceptedSuggestions": [{"id": one} for one in ids],
        }
        self._say(visit, hook, item, _fed(visit, self._ids[hook], item, at, accepted=ids))
        if self._random.random() < 0.04:  # some EHRs dismiss a card once it is taken
            later = at + timedelta(seconds=2)
            dismissed = {"card": card["uuid"], "outcome": "overridden"}
            dismissed["outcomeTimestamp"] = _stamp(later)
            self._say(visit, hook, dismissed, _fed(visit, self._ids[hook], dismissed, later))

    def _override(self, visit: _Visit, hook: str, card: Json) -> None:
        at = self._answered_at(visit, hook)
        item: Json = {
            "card": card["uuid"],
            "outcome": "overridden",
            "outcomeTimestamp": _stamp(at),
        }
        reason, comment = "", False
        drawn = self._random.random()
        if drawn < 0.75:
            offered = card["overrideReasons"]
            chosen = self._random.choices(offered, range(len(offered), 0, -1))[0]
            reason = chosen["code"]
            if visit.client == SOUTH:  # the sandbox sends no words, Epic another name
                item["overrideReasons"] = [{"reason": _without(chosen, "display")}]
            else:
                item["overrideReason"] = {"reason": chosen}
        elif drawn < 0.82 and visit.client == SOUTH:
            words = {"category": "Clinical", "title": "Not now"}
            item["extension"], reason = {"com.epic.override": words}, "Clinical / Not now"
        elif drawn < 0.9:
            item["overrideReason"], comment = {"userComment": "asked the metabolic clinic"}, True
        service = self._ids[hook]
        said = _fed(visit, service, item, at, reason=reason, comment=comment)
        self._say(visit, hook, item, said)

    def _say(self, visit: _Visit, hook: str, item: Json, said: SentFeedback) -> None:
        """At once, or at night in one batch for each service."""
        service = self._ids[hook]
        if visit.client == SOUTH:
            self._at_night.setdefault((visit.client, service), []).append((item, said))
            return
        self._now = max(self._now, said.at)
        self._send(visit.client, service, [(item, said)])
        if self._random.random() < 0.03:
            self._send(visit.client, service, [(item, said)], again=True)

    def _send_what_waits(self) -> None:
        for (client, service), waiting in self._at_night.items():
            self._send(client, service, waiting)
        self._at_night.clear()
        # About a card of a service that was moved here from elsewhere.
        stranger = str(UUID(int=self._random.getrandbits(128), version=4))
        item = {
            "card": stranger,
            "outcome": "overridden",
            "outcomeTimestamp": _stamp(self._now),
        }
        path = f"/cds-services/{self._ids['patient-view']}/feedback"
        status, said = self._server.post(self._ehrs[NORTH], path, {"feedback": [item]})
        assert (status, said["unknownCards"]) == (200, 1)
        self._ledger.unknown += 1

    def _send(
        self,
        client: str,
        service: str,
        items: Sequence[tuple[Json, SentFeedback]],
        *,
        again: bool = False,
    ) -> None:
        body = {"feedback": [item for item, _ in items]}
        status, said = self._server.post(
            self._ehrs[client], f"/cds-services/{service}/feedback", body
        )
        assert status == 200, said
        assert said["repeated"] == (len(items) if again else 0)
        if not again:
            self._ledger.feedback += [one for _, one in items]


def _fed(
    visit: _Visit,
    service: str,
    item: Json,
    at: datetime,
    *,
    accepted: tuple[str, ...] = (),
    reason: str = "",
    comment: bool = False,
) -> SentFeedback:
    return SentFeedback(
        visit.client, service, item["card"], item["outcome"], at, accepted, reason, comment
    )


def _stamp(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _without(value: Json, name: str) -> Json:
    return {key: inner for key, inner in value.items() if key != name}


def excerpt(report: str) -> str:
    """The part of a report in plain text that the documents show."""
    shown = (
        "Calls",
        "All cards",
        "By urgency",
        "By hook",
        "By client",
        "Overridden",
        "Reasons",
        "The same",
    )
    tables = [table for table in report.split("\n\n") if table.startswith(shown)]
    return "\n\n".join("\n".join(table.splitlines()[:13]) for table in tables)


def put_into_documents(report: str) -> None:
    before, _, rest = EXAMPLE.read_text(encoding="utf-8").rpartition("\n```\n")
    before = before.rpartition("\n```\n")[0]
    EXAMPLE.write_text(f"{before}\n```\n{excerpt(report)}\n```\n{rest}", encoding="utf-8")


if __name__ == "__main__":
    where = Path(sys.argv[1])
    where.mkdir(parents=True, exist_ok=True)
    url = f"sqlite:///{where}/week.sqlite"
    live_through_the_week(url, where)
    done = CliRunner(env={"CDS_DATABASE_URL": url}).invoke(
        main, ["feedback", "report", "--comments"]
    )
    put_into_documents(done.output)
