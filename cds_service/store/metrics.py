"""Counts and times for `/metrics`, over all workers of this machine; no patient data.

Every label has few values, all of them this program's own: services, rules, needs, stages and
outcomes, never anything a client sent. Several workers write into files of a folder that `serve`
makes and names in ``PROMETHEUS_MULTIPROC_DIR`` before this module is imported.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

CONTENT_TYPE = CONTENT_TYPE_LATEST
#: Where the workers of one service meet; "" when there is only one.
_FOLDER = os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")

_calls = Counter(
    "cds_calls",
    "Calls by service, HTTP status and outcome of the evaluation (or the reason of refusal).",
    ["service", "status", "outcome"],
)
_cards = Counter("cds_cards", "Cards by rule and indicator.", ["rule", "indicator", "shown"])
withheld = Counter("cds_cards_withheld", "Cards that were not shown.", ["rule", "because"])
override_lookups = Counter(
    "cds_override_lookups",
    "Look-ups of what was overridden for a patient; unknown shows every card.",
    ["result"],
)
challenged = Counter(
    "cds_challenged", "Calls judged by the challenger too, by how its cards compare.", ["result"]
)
_needs = Counter(
    "cds_needs_missing",
    "Needs that were not available, by the state they remained in.",
    ["need", "state"],
)
_unread = Counter(
    "cds_unread",
    "What was sent and not used, by need and reason; each resource once a call.",
    ["need", "reason"],
)
_stages = Histogram(
    "cds_stage_seconds",
    "Time by stage of a call; evaluate includes reading drafted orders, and total is all of it.",
    ["stage"],
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
feedback = Counter("cds_feedback", "New items of feedback.", ["service", "outcome"])
feedback_repeated = Counter("cds_feedback_repeated", "Items of feedback that had come before.")
feedback_unknown = Counter("cds_feedback_unknown_card", "Items of feedback on no card known here.")
feedback_refused = Counter("cds_feedback_refused", "Batches of feedback refused.", ["status"])
turned_away = Counter(
    "cds_turned_away",
    "Callers refused, by status: 401 unknown, 429 too many calls, 503 no store to ask.",
    ["status"],
)
shed = Counter(
    "cds_shed",
    "Calls and feedback refused with 503 for want of time, before anything was computed.",
    ["what"],
)
_known_answers = Counter(
    "cds_known_answers",
    "Sample infants whose right answers are known, asked while the service runs, by what came.",
    ["result"],
)
known_answers_wrong = Gauge(
    "cds_known_answers_wrong",
    "Known answers that were wrong when last asked, over all workers; more than 0 is an alarm.",
    multiprocess_mode="livesum",
)
log_lines_dropped = Counter(
    "cds_log_lines_dropped", "Lines of the log that standard output did not take at once."
)
lost = Counter("cds_store_lost", "Consultations that could not be kept.", ["because"])
waiting = Gauge(
    "cds_store_waiting", "Consultations that wait to be written.", multiprocess_mode="livesum"
)
unavailable = Gauge(
    "cds_store_unavailable",
    "Workers whose database does not work.",
    multiprocess_mode="livesum",
)
servers_down = Gauge(
    "cds_fhir_servers_down",
    "FHIR servers that do not answer, over all workers; they are asked one query at a time.",
    multiprocess_mode="livesum",
)
without_keys = Gauge(
    "cds_clients_without_keys",
    "Clients whose keys could not be read when that was last tried.",
    multiprocess_mode="livemax",
)
failed_fast = Counter(
    "cds_store_failed_fast",
    "Tokens and batches of feedback refused at once, while the database was known not to work.",
)
clock_difference = Gauge(
    "cds_clock_difference_seconds",
    "Seconds between this machine's clock and the database's; more than 60 is an alarm.",
    multiprocess_mode="livemax",
)
clock_jumps = Counter("cds_clock_jumps", "Jumps of the database's clock by more than a minute.")

# Finding a child by its labels costs more than counting; there are few, and all stay.
_call = cache(lambda service, status, outcome: _calls.labels(service, str(status), outcome).inc)
_card = cache(lambda rule, indicator, shown: _cards.labels(rule, indicator, shown).inc)
_need = cache(lambda need, state: _needs.labels(need, state).inc)
_unread_of = cache(lambda need, reason: _unread.labels(need, reason).inc)
_stage = cache(lambda stage: _stages.labels(stage).observe)
#: States of a need in which nothing came.
_MISSING = ("absent", "failed")


def count_call(service: str, status: int, outcome: str, seconds: float) -> None:
    """One call; ``outcome`` is the evaluation's, or the reason of refusal."""
    _call(service, status, outcome)()
    _stage("total")(seconds)


def count_card(rule: str, indicator: str, *, shown: bool) -> None:
    _card(rule, indicator, "true" if shown else "false")()


def count_needs(states: Mapping[str, str]) -> None:
    """The needs of a call by what became of them: those are counted for which nothing came."""
    for need, state in states.items():
        if state.startswith(_MISSING):
            _need(need, state)()


def count_unread(of: str, count: int) -> None:
    """What was sent for a need and not used for a reason: "need: reason"."""
    need, _, reason = of.partition(": ")
    _unread_of(need, reason)(count)


def known_answer(result: str) -> None:
    """One known answer asked: "right", "wrong", or "local" when the site's changes explain it."""
    _known_answers.labels(result).inc()


def time_stage(stage: str, seconds: float) -> None:
    _stage(stage)(seconds)


def exposition() -> bytes:
    """Everything counted so far by all workers, as Prometheus reads it."""
    if not _FOLDER:
        return generate_latest(REGISTRY)
    _forget_dead(Path(_FOLDER))
    registry = CollectorRegistry()
    _Workers(registry, _FOLDER)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


class _Workers(MultiProcessCollector):
    """What the workers have written. The file that a starting worker has just made is empty for a
    moment, and the library would read from it how much is in it (`struct.error`)."""

    def collect(self) -> Any:
        files = [str(file) for file in Path(_FOLDER).glob("*.db") if _is_begun(file)]
        return self.merge(files)  # type: ignore[no-untyped-call]


def _is_begun(file: Path) -> bool:
    try:
        return file.stat().st_size > 0
    except FileNotFoundError:  # of a stopped worker, and forgotten meanwhile
        return False


def _forget_dead(folder: Path) -> None:
    """What a stopped worker had waiting no longer counts; what it counted still does."""
    for file in folder.glob("gauge_live*_*.db"):
        pid = re.search(r"_(\d+)\.db$", file.name)
        if pid and not Path(f"/proc/{pid[1]}").exists() and not _alive(int(pid[1])):
            file.unlink(missing_ok=True)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
