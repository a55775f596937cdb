"""A FHIR server: the only place that sends it anything.

One `FhirServer` serves one request: it holds that request's token and one deadline over all its
queries. The token goes to the origin of the approved base and nowhere else; `outward` follows no
redirect.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, nullcontext
from typing import NamedTuple
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from cds_service import PROGRAM
from cds_service.trust import outward
from cds_service.trust.addresses import ApprovedFhirServer

_LARGEST_ANSWER = 20_000_000
#: Queries in a row without an answer, of all calls of a process, after which a server counts as
#: down; one call has up to a dozen. Seconds until one query tries it again.
MOST_FAILURES = 20
DOWN_S = 2.0
_MOST_SERVERS = 1_000
#: What answers an address, with these headers, until then, up to so many bytes: `outward.get`.
Get = Callable[[str, Mapping[str, str], float, int], outward.Got]


class Reply(NamedTuple):
    """The body of an answer, or why it is missing, in words fit for a card.

    ``status`` is the HTTP status of what came, 0 when nothing did.
    """

    body: bytes
    problem: str = ""
    status: int = 0


class Breaker:
    """Which servers are known not to answer, in one process: nothing is asked of them, but one
    query at a time, so that a call does not wait for what cannot come.

    ``changed`` is called with a base address and whether that server is down; ``clock`` are
    seconds that never go back.
    """

    def __init__(
        self,
        changed: Callable[[str, bool], None] = lambda base, down: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._changed = changed
        self._clock = clock
        self._failures: dict[str, int] = {}
        self._try_at: dict[str, float] = {}
        self._lock = threading.Lock()

    @property
    def down(self) -> int:
        """How many servers are known not to answer."""
        return len(self._try_at)

    def lets_through(self, base: str) -> bool:
        if base not in self._try_at:  # every other call
            return True
        with self._lock:
            now = self._clock()
            if now < self._try_at.get(base, now):
                return False
            if base in self._try_at:
                self._try_at[base] = now + DOWN_S
            return True

    def answered(self, base: str) -> None:
        if base not in self._failures:
            return
        with self._lock:
            self._failures.pop(base, None)
            was_down = self._try_at.pop(base, None) is not None
        if was_down:
            self._changed(base, False)

    def failed(self, base: str) -> None:
        with self._lock:
            if len(self._failures) >= _MOST_SERVERS:  # in the demo a request may name any address
                self._failures.clear()
            self._failures[base] = self._failures.get(base, 0) + 1
            newly = self._failures[base] >= MOST_FAILURES and base not in self._try_at
            if newly:
                self._try_at[base] = self._clock() + DOWN_S
        if newly:
            self._changed(base, True)


class FhirServer:
    """The server a request named and the operator approved, for the time of this request.

    The deadline begins with the first queries and covers all that follow. ``at_once`` is how many
    queries of one client this process has under way; one more waits within its deadline.
    ``while_waiting`` is entered while nothing is done but wait; ``get`` is how it is asked;
    ``breaker`` knows whether it answered the calls before.
    """

    def __init__(
        self,
        approved: ApprovedFhirServer,
        token: str | None,
        deadline_s: float,
        at_once: int = 32,
        while_waiting: Callable[[], AbstractContextManager[None]] = nullcontext,
        get: Get = outward.get,
        breaker: Breaker | None = None,
    ) -> None:
        self._client, self._at_once = approved.client, at_once
        self._get = get
        self._breaker = breaker or Breaker()
        self._while_waiting = while_waiting
        self.base = approved.url.rstrip("/")
        self.too_late = f"no answer within {round(deadline_s * 1000)} ms"
        self._deadline_s = deadline_s
        self._ends: float | None = None
        self._headers = {
            "Accept": "application/fhir+json",
            # HAPI answers a repeated search from a cache for a minute unless asked not to.
            "Cache-Control": "no-cache",
            "User-Agent": PROGRAM,
        }
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"

    def together(self, jobs: Sequence[Callable[[], None]]) -> None:
        """Run the jobs, which call `ask` and `follow`, in parallel; return at the deadline.

        Jobs not done by then go on for a moment unobserved; those not begun never begin.
        """
        pool = _pool(self._client, self._at_once)
        futures = [pool.submit(job) for job in jobs]
        with self._while_waiting():
            done, late = wait(futures, timeout=self._seconds_left())
        for future in late:
            future.cancel()
        for future in done:
            future.result()  # an exception here is our error, not the server's

    def ask(self, query: str) -> Reply:
        """A read ("Patient/1") or a search ("Observation?code=http://loinc.org|2132-9")."""
        path, _, parameters = query.partition("?")
        url = f"{self.base}/{quote(path)}"
        if parameters:
            pairs = (pair.partition("=") for pair in parameters.split("&"))
            url += "?" + "&".join(f"{name}={quote(value, safe='')}" for name, _, value in pairs)
        return self._exchange(url)

    def transact(self, bundle: bytes) -> Reply:
        """Send a transaction; where it is refused, the body says why. For sample infants only."""
        return self._exchange(self.base, bundle)

    def follow(self, link: str) -> Reply:
        """The page a "next" link leads to, if it is on this server, at its base or below."""
        try:
            url = urljoin(f"{self.base}/", link)
            near = _is_below(urlsplit(url), urlsplit(self.base))
        except ValueError:
            return Reply(b"", "the address of the next page cannot be read")
        return self._exchange(url) if near else Reply(b"", "the next page is on another server")

    def relative(self, reference: str) -> str:
        """The reference without this server's base; one to elsewhere stays as it is."""
        return reference.removeprefix(f"{self.base}/")

    def _seconds_left(self) -> float:
        now = time.monotonic()
        if self._ends is None:
            self._ends = now + self._deadline_s
        return max(0.0, self._ends - now)

    def _exchange(self, url: str, sent: bytes | None = None) -> Reply:
        if not self._seconds_left() or self._ends is None:
            return Reply(b"", self.too_late)
        if not self._breaker.lets_through(self.base):
            return Reply(b"", _NOT_ASKED)
        try:
            if sent is None:
                got = self._get(url, self._headers, self._ends, _LARGEST_ANSWER)
            else:
                headers = {**self._headers, "Content-Type": "application/fhir+json"}
                got = outward.post(url, headers, self._ends, _LARGEST_ANSWER, sent)
        except outward.NoAnswer as none:
            if none.why != "too large":
                self._breaker.failed(self.base)
            return Reply(b"", _PROBLEMS.get(none.why, self.too_late))
        self._breaker.answered(self.base)
        problem = "" if got.status == 200 else f"the FHIR server answered {got.status}"
        return Reply(got.body, problem, got.status)


_NOT_ASKED = "the FHIR server did not answer several queries before, and was not asked"
_PROBLEMS: Mapping[outward.Why, str] = {
    "insecure": "no secure connection to the FHIR server could be made",
    "unreachable": "the FHIR server could not be reached",
    "broken off": "the FHIR server's answer broke off or cannot be read",
    "too large": "the FHIR server's answer is too large",
}
_DEFAULT_PORTS = {"http": 80, "https": 443}


#: Of what is below the base: no "%" and no "\\", which may hide a way up, and no dot segment.
_is_plain = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~!$&'()*+,;=:@-]*)*").fullmatch


def _is_below(url: SplitResult, base: SplitResult) -> bool:
    """Whether a token for ``base`` may be sent to ``url``."""
    if "@" in url.netloc or _origin(url) != _origin(base):
        return False
    rest = url.path.removeprefix(base.path)
    return url.path.startswith(base.path) and _is_plain(rest) is not None


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme)


_lock = threading.Lock()
_pools: dict[str, ThreadPoolExecutor] = {}


def _pool(client: str, threads: int) -> ThreadPoolExecutor:
    """The threads of one client, so that one whose server hangs takes no thread from the others.

    Made at first use: a worker process must not inherit them.
    """
    with _lock:
        if client not in _pools:
            _pools[client] = ThreadPoolExecutor(threads, thread_name_prefix="fhir")
        return _pools[client]
