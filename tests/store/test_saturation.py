"""More callers than one core can answer: what they are shown is kept all the same.

The long form is `make bench`; this one is judged by counts, not by a clock.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

from serving import Service, serving
from test_faults import kept_calls, kept_cards

from cds_service.store.database import Database

CALLERS, CALLS_EACH = 12, 40


def on_one_core(service: Service) -> None:
    """Leaves the service and its workers one core, so that the writer has to share it."""
    core = min(os.sched_getaffinity(0))
    for pid in (service.process.pid, *service.workers()):
        for task in os.listdir(f"/proc/{pid}/task"):
            os.sched_setaffinity(int(task), {core})


def test_nothing_is_lost_while_more_call_than_one_core_can_answer(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/kept.sqlite"

    def call_on(service: Service) -> list[str]:
        """The cards of many calls one after the other, one of them reported on in between."""
        cards = [service.consult(str(uuid4()))[0]["uuid"] for _ in range(CALLS_EACH - 1)]
        status, said = service.report(cards[-1])
        assert (status, said["stored"]) == (200, 1)
        return [*cards, service.consult(str(uuid4()))[0]["uuid"]]

    with serving(url, CDS_QUEUE_MS="10000") as service:  # however slow the machine is
        on_one_core(service)
        with ThreadPoolExecutor(CALLERS) as callers:
            shown = list(callers.map(call_on, [service] * CALLERS))
        assert service.counted("cds_store_lost_total") == 0
        service.process.terminate()
        assert service.process.wait(30) == 0
    database = Database(url)
    assert kept_calls(database) == CALLERS * CALLS_EACH
    assert kept_cards(database) == {cards[-2] for cards in shown}
    database.close()
