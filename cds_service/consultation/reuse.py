"""What was read and judged of a patient, kept for some seconds: a chart is opened again, and one
hook follows another while an order is written.

This is patient data in the memory of a worker after its call, so it is off unless the operator
asks for it. It is found only by the digest of everything it rests on, so nothing is answered from
it that a call would not have found out itself; it is dropped when its time is over, whether or not
a call comes; and it is bounded in number, and in the size of one chart.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from hashlib import sha256
from threading import Lock, Timer
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    from cds_service.cdshooks.request import Request
    from cds_service.consultation.occasion import Occasion
    from cds_service.consultation.services import Service
    from cds_service.fhir.gather import Answer

T = TypeVar("T")
#: So many results are kept at most, of charts up to so many bytes: at worst some 30 MB of a worker.
CAPACITY = 128
LARGEST_CHART = 100_000


class Content(NamedTuple):
    """Digests of all that an answer rests on: the chart's, and with the hook and its orders."""

    chart: bytes
    whole: bytes


def content_of(
    service: Service, asked: Request, evidence: Mapping[str, Answer], occasion: Occasion
) -> Content | None:
    """``None`` for a chart too large to be kept."""
    context = asked.context
    told: list[object] = [service.guideline.wording.about.id, context.patient_id]
    sent: list[bytes] = []
    for key, one in evidence.items():
        resources = [*map(bytes, one.resources)]
        told += (key, one.state, one.why, one.origin, one.complete, one.addresses)
        told.append([*map(len, resources)])  # so that it is known where each ends
        sent += resources
    whole_chart = b"".join(sent)
    if len(whole_chart) > LARGEST_CHART:
        return None
    chart = sha256(repr(told).encode())
    chart.update(whole_chart)
    whole = chart.copy()
    drafts = context.draft_orders
    about = (service.id, context.selections, occasion.on, occasion.one_action, drafts is None)
    whole.update(repr(about).encode())
    whole.update(bytes(drafts or b""))
    return Content(chart.digest(), whole.digest())


class Reuse:
    """Results of the last ``seconds`` by what they rest on. ``clock`` counts seconds."""

    def __init__(self, seconds: float, clock: Callable[[], float] = monotonic) -> None:
        self._seconds, self._clock = seconds, clock
        self._kept: OrderedDict[tuple[object, ...], tuple[float, object]] = OrderedDict()
        self._lock = Lock()
        self._timer: Timer | None = None

    def of(self, key: tuple[object, ...], make: Callable[[], T]) -> T:
        """What was made under this key a short time ago, or is made now."""
        with self._lock:
            found = self._kept.get(key)
        if found is not None and self._clock() - found[0] < self._seconds:
            return found[1]  # type: ignore[return-value]
        made = make()
        with self._lock:
            self._kept.pop(key, None)
            self._kept[key] = self._clock(), made
            while len(self._kept) > CAPACITY:
                self._kept.popitem(last=False)
            if self._timer is None:
                self._wait()
        return made

    def forget(self) -> int:
        """Drops what is too old, and comes again while there is anything; returns what is left."""
        with self._lock:
            oldest = self._clock() - self._seconds
            while self._kept and next(iter(self._kept.values()))[0] <= oldest:
                self._kept.popitem(last=False)
            self._timer = None
            if self._kept:
                self._wait()
            return len(self._kept)

    def _wait(self) -> None:
        self._timer = Timer(self._seconds, self.forget)
        self._timer.daemon = True
        self._timer.start()
