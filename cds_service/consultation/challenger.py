"""A second version of the guideline next to the one in force: evaluated, recorded, never shown.

It judges the same request and the same evidence a moment after the answer went out, in a thread of
its own, and asks no one anything. What fails here is counted and logged and disturbs nothing; when
calls come faster than it can follow, it skips some and counts them.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from queue import Full, Queue
from threading import Lock, Thread
from time import perf_counter, sleep
from typing import TYPE_CHECKING

from msgspec import structs

from cds_service.store import audit, metrics
from cds_service.store.log import log_line

if TYPE_CHECKING:
    from cds_service.cdshooks.request import Request
    from cds_service.consultation.occasion import Consultation
    from cds_service.consultation.services import Service
    from cds_service.store.keeping import Store

    Judge = Callable[[Service, Request, Consultation, date], audit.Evaluation | None]

ARM = "challenger"
#: Calls that may wait; each holds what was read for it, some 100 KB.
CAPACITY = 100
#: By then the answer has left.
_AFTER_S = 0.05


class Challenger:
    """One process's challenger. No thread runs before the first call, so workers may be forked."""

    def __init__(
        self, services: Sequence[Service], judge: Judge, store: Store, capacity: int = CAPACITY
    ) -> None:
        self._services = {one.id: one for one in services}
        self._judge = judge
        self._store = store
        self._waiting: Queue[tuple[Request, Consultation, audit.Call]] = Queue(capacity)
        self._starting = Lock()
        self._thread: Thread | None = None

    def take(self, asked: Request, done: Consultation, call: audit.Call) -> None:
        """Has this answered call judged soon, without waiting."""
        try:
            self._waiting.put_nowait((asked, done, call))
        except Full:
            metrics.challenged.labels("skipped").inc()
            return
        if self._thread is None:
            with self._starting:
                if self._thread is None:
                    self._thread = Thread(target=self._work, name=ARM, daemon=True)
                    self._thread.start()

    def _work(self) -> None:
        while True:
            asked, done, call = self._waiting.get()
            sleep(_AFTER_S)
            try:
                metrics.challenged.labels(self._compare(asked, done, call)).inc()
            except Exception as error:  # noqa: BLE001 - a guideline in trial may fail in any way
                # The message may quote the record: type and place only, as for any bug.
                last = traceback.extract_tb(error.__traceback__)[-1]
                metrics.challenged.labels("failed").inc()
                log_line(
                    {
                        "level": "error",
                        "challenger": "failed",
                        "error": type(error).__name__,
                        "place": f"{Path(last.filename).name}:{last.lineno} {last.name}",
                    }
                )

    def _compare(self, asked: Request, done: Consultation, call: audit.Call) -> str:
        """Judges and records; in one word how its cards compare with the live ones."""
        begun = perf_counter()
        on = date.fromisoformat(call.as_of)
        tried = self._judge(self._services[call.service], asked, done, on)
        if tried is None:
            return "failed"
        ms = round((perf_counter() - begun) * 1000, 3)
        cards = tuple([structs.replace(one, hidden=ARM) for one in tried.cards])
        tried = structs.replace(tried, arm=ARM, cards=cards)
        self._store.record_consultation(structs.replace(call, evaluation=tried, ms=ms))
        live = call.evaluation.cards if call.evaluation else ()
        return "same" if _said(cards) == _said(live) else "different"


def _said(cards: Sequence[audit.Card]) -> list[tuple[str, str, list[tuple[str, bool]]]]:
    """What the cards advise, in which words."""
    return [
        (
            one.rule,
            one.digest,
            [(choice.rule, choice.recommended) for choice in one.suggestions],
        )
        for one in cards
    ]
