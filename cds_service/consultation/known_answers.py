"""Sample infants whose right answers are known, asked again and again while the service runs.

Tests show that a release decides correctly where it was built. These show that it still does where
it runs: with this machine's Python and libraries, these data files, this site's changes. Each case
goes the whole way of a call, from the bytes of a request to the bytes of its cards, and leaves no
record, no count and no log line of a call.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import Struct

from cds_service.cdshooks.request import parse_request
from cds_service.cdshooks.response import encode
from cds_service.consultation import consult
from cds_service.consultation.account import EVALUATION_EXTENSION
from cds_service.consultation.cards import RULES_EXTENSION
from cds_service.consultation.occasion import Occasion
from cds_service.consultation.services import guidelines_of, services_of
from cds_service.store import metrics
from cds_service.store.log import log_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from cds_service.consultation.services import Service
    from cds_service.guidelines.guideline import KnownCase

#: How often every case is asked, in seconds. They are spread over this time, one by one.
EVERY_S = 240.0

Verdict = Literal["right", "wrong", "local"]


class Offered(Struct, frozen=True):
    """One suggestion: what accepting it would do, in codes and numbers."""

    recommended: bool
    does: tuple[str, ...]


class Advice(Struct, frozen=True):
    """One card without its words."""

    rule: str
    indicator: str
    offers: tuple[Offered, ...] = ()


class Decision(Struct, frozen=True):
    """What was decided: the rules that applied in their order, and what the cards would have done.

    Words, ids and dates of writing are left out: two languages give the same decision.
    """

    outcome: str
    rules: tuple[str, ...]
    cards: tuple[Advice, ...] = ()


#: Members of a resource that are words, or that name something: no part of a decision.
_NO_DECISION = frozenset(
    (
        *("text", "display", "note", "patientInstruction", "description"),
        *("unit", "system", "id", "identifier", "reference"),
    )
)
_decode = msgspec.json.decode


def decided(service: Service, case: KnownCase) -> Decision:
    """What ``service`` decides about the child of ``case``. Raises whatever a call may raise."""
    asked = parse_request(bytes(case.request), service.hook)
    done = consult(service, asked, None, Occasion(case.on))
    answer = _decode(encode(done.response))
    account = answer["extension"][EVALUATION_EXTENSION]
    return Decision(
        account["outcome"],
        tuple(account["ruleIds"]),
        tuple([_advice(card) for card in answer["cards"]]),
    )


def _advice(card: Mapping[str, Any]) -> Advice:
    return Advice(
        card["extension"][RULES_EXTENSION]["ruleIds"][0],
        card["indicator"],
        tuple(
            [
                Offered(one["isRecommended"], tuple([_does(action) for action in one["actions"]]))
                for one in card.get("suggestions", ())
            ]
        ),
    )


def _does(action: Mapping[str, Any]) -> str:
    told = [action["type"]]
    if "resourceId" in action:
        told.append(action["resourceId"])
    told += _coded(action.get("resource", {}))
    return " ".join(told)


def _coded(value: Any) -> Iterator[str]:
    """Every code and number of a resource, in its order."""
    if isinstance(value, Mapping):
        for name, member in value.items():
            if name not in _NO_DECISION:
                yield from _coded(member)
    elif isinstance(value, list):
        for member in value:
            yield from _coded(member)
    else:
        yield str(value)


class State(Struct, frozen=True, rename="camel"):
    """What the last round found. ``wrong`` and ``changed_by_site`` name cases."""

    state: Literal["right", "wrong", "checking"]
    wrong: tuple[str, ...] = ()
    changed_by_site: tuple[str, ...] = ()


class KnownAnswers:
    """The known answers of every guideline behind ``services``.

    A site may change what is right for its children. ``shipped`` loads the guidelines without the
    site's changes: where these give the accepted answer and the changed ones another, the site
    explains it, as long as the changed ones stay by what they said first.
    """

    def __init__(
        self, services: Sequence[Service], shipped: Callable[[], Sequence[Service]]
    ) -> None:
        self._services, self._shipped = services, shipped
        self._pristine: dict[str, Service] = {}
        self._local: dict[str, Decision] = {}
        self._verdicts: dict[str, Verdict] = {}
        self._ended = Event()
        self._lock = Lock()

    @cached_property
    def _cases(self) -> Mapping[str, tuple[Service, KnownCase]]:
        """Each case by its name, with the service that answers it: read when first asked for, so
        that no start waits for it."""
        return {
            f"{g.wording.about.id}/{case.name}": (service, case)
            for g in guidelines_of(self._services)
            for case in g.known_cases
            for service in services_of(self._services, g)
            if service.hook == case.hook
        }

    def __len__(self) -> int:
        return len(self._cases)

    @property
    def state(self) -> State:
        found = dict(self._verdicts)
        wrong = _named(found, "wrong")
        done = len(found) == len(self._cases)
        state: Literal["right", "wrong", "checking"]
        state = "wrong" if wrong else "right" if done else "checking"
        return State(state, wrong, _named(found, "local"))

    def ask(self) -> State:
        """Asks every case, and neither counts nor logs what came."""
        with self._lock:
            for name in self._cases:
                self._verdicts[name] = self._verdict(name)
        return self.state

    def check(self, names: Iterable[str] | None = None) -> State:
        """Asks every case, or those of ``names``. What came is counted, and logged where it is
        another than before."""
        with self._lock:
            for name in names if names is not None else self._cases:
                verdict = self._verdict(name)
                metrics.known_answer(verdict)
                if verdict != self._verdicts.get(name, "right"):
                    log_line({"level": _LEVEL[verdict], "known_answer": name, "is": verdict})
                self._verdicts[name] = verdict
            metrics.known_answers_wrong.set(len(_named(self._verdicts, "wrong")))
        return self.state

    def _verdict(self, name: str) -> Verdict:
        service, case = self._cases[name]
        decision, right = _or_none(service, case), accepted(case)
        if decision == right:
            return "right"
        if not service.guideline.local or decision is None:
            return "wrong"
        pristine = self._as_shipped(service)
        if pristine is None or _or_none(pristine, case) != right:
            return "wrong"
        return "local" if self._local.setdefault(name, decision) == decision else "wrong"

    def _as_shipped(self, service: Service) -> Service | None:
        if not self._pristine:
            self._pristine = {one.id: one for one in self._shipped()}
        return self._pristine.get(service.id)

    def start(self) -> None:
        """Asks every case now, then one after another for as long as the process lives."""
        if self._cases:
            Thread(target=self._run, name="known_answers", daemon=True).start()

    def stop(self) -> None:
        self._ended.set()

    def _run(self) -> None:
        self.check()
        each = EVERY_S / len(self._cases)
        while True:
            for name in self._cases:
                if self._ended.wait(each):
                    return
                self.check((name,))


_LEVEL: Mapping[Verdict, str] = {"right": "info", "wrong": "error", "local": "warning"}


def accepted(case: KnownCase) -> Decision:
    """The answer that was read and accepted for ``case``."""
    return msgspec.convert(case.accepted, Decision)


def _named(found: Mapping[str, Verdict], verdict: Verdict) -> tuple[str, ...]:
    return tuple([name for name, one in found.items() if one == verdict])


def _or_none(service: Service, case: KnownCase) -> Decision | None:
    try:
        return decided(service, case)
    except Exception:  # noqa: BLE001 - a call that fails is a wrong answer, whatever the reason
        return None
