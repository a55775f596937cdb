"""A FHIR server: the only place that sends it anything.

One `FhirServer` serves one request: it holds that request's token and one deadline over all its
queries. The token goes to the origin of the approved base and nowhere else; no redirect is
followed, nothing of the environment (proxy, netrc) is used, no cookie is kept.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from http.cookiejar import DefaultCookiePolicy
from typing import NamedTuple
from urllib.parse import quote, urljoin, urlsplit

import requests
import urllib3.exceptions
from requests.adapters import HTTPAdapter

from cds_service.security import ApprovedFhirServer

#: Threads of the process that ask FHIR servers. A query that finds none free waits for one
#: within its deadline.
_THREADS = 32
_LARGEST_ANSWER = 20_000_000
_CHUNK = 65_536


class Reply(NamedTuple):
    """The body of an answer, or why there is none, in words fit for a card.

    ``status`` is the HTTP status of what came, 0 when nothing did.
    """

    body: bytes
    problem: str = ""
    status: int = 0


class _Failed(Exception):
    """Carries a reason to where a `Reply` is made of it."""


class FhirServer:
    """The server a request named and the operator approved, for the time of this request.

    The deadline begins with the first queries and covers all that follow.
    """

    def __init__(self, approved: ApprovedFhirServer, token: str | None, deadline_s: float) -> None:
        self.base = approved.url.rstrip("/")
        self.too_late = f"no answer within {round(deadline_s * 1000)} ms"
        self._deadline_s = deadline_s
        self._ends: float | None = None
        self._headers = {
            "Accept": "application/fhir+json",
            # HAPI answers a repeated search from a cache for a minute unless told not to.
            "Cache-Control": "no-cache",
            "User-Agent": "b12-cds-service",
        }
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"

    def together(self, jobs: Sequence[Callable[[], None]]) -> None:
        """Run the jobs, which call `ask` and `follow`, in parallel; return at the deadline.

        Jobs not done by then go on for a moment unobserved; those not begun never begin.
        """
        futures = [_pool().submit(job) for job in jobs]
        done, late = wait(futures, timeout=self._seconds_left())
        for future in late:
            future.cancel()
        for future in done:
            future.result()  # an exception here is an error of ours, not of the server

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
        """The page a "next" link leads to, if it is of the same scheme, host and port."""
        try:
            url = urljoin(f"{self.base}/", link)
            near = _origin(url) == _origin(self.base) and "@" not in urlsplit(url).netloc
        except ValueError:
            return Reply(b"", "the address of the next page cannot be read")
        return self._exchange(url) if near else Reply(b"", "the next page lies on another server")

    def relative(self, reference: str) -> str:
        """The reference without this server's base; one to elsewhere stays as it is."""
        return reference.removeprefix(f"{self.base}/")

    def _seconds_left(self) -> float:
        now = time.monotonic()
        if self._ends is None:
            self._ends = now + self._deadline_s
        return max(0.0, self._ends - now)

    def _exchange(self, url: str, sent: bytes | None = None) -> Reply:
        try:
            return self._read(url, sent)
        except _Failed as failed:
            return Reply(b"", str(failed))
        # Nothing of these exceptions is passed on: their texts hold the address with its query.
        except (requests.Timeout, urllib3.exceptions.TimeoutError):
            return Reply(b"", self.too_late)
        except requests.exceptions.SSLError:
            return Reply(b"", "no secure connection to the FHIR server could be made")
        except requests.ConnectionError:
            return Reply(b"", "the FHIR server could not be reached")
        except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError):
            return Reply(b"", "the FHIR server's answer broke off or cannot be read")

    def _read(self, url: str, sent: bytes | None) -> Reply:
        try:
            response = self._send(url, sent)
        except requests.Timeout:
            raise
        except requests.ConnectionError:
            # A server may close a kept connection at the moment it is used again; a read can
            # be repeated, and so can a transaction of PUTs or DELETEs.
            response = self._send(url, sent)
        with response:
            status = response.status_code
            problem = "" if status == 200 else f"the FHIR server answered {status}"
            if problem and sent is None:
                return Reply(b"", problem, status)
            body = bytearray()
            # read1 returns what there is, so that a server sending drop by drop is noticed.
            while chunk := response.raw.read1(_CHUNK, decode_content=True):
                body += chunk
                if len(body) > _LARGEST_ANSWER:
                    raise _Failed("the FHIR server's answer is too large")
                if not self._seconds_left():
                    raise _Failed(self.too_late)
        return Reply(bytes(body), problem, status)

    def _send(self, url: str, sent: bytes | None) -> requests.Response:
        seconds = self._seconds_left()
        if not seconds:
            raise _Failed(self.too_late)
        headers = self._headers
        if sent is not None:
            headers = {**headers, "Content-Type": "application/fhir+json"}
        return _session().request(
            "GET" if sent is None else "POST",
            url,
            data=sent,
            headers=headers,
            timeout=seconds,
            stream=True,
            allow_redirects=False,
        )


_DEFAULT_PORTS = {"http": 80, "https": 443}


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme)


_lock = threading.Lock()
_threads: ThreadPoolExecutor | None = None
_local = threading.local()


def _pool() -> ThreadPoolExecutor:
    """The process's threads, made at first use: a worker process must not inherit them."""
    global _threads
    with _lock:
        if _threads is None:
            _threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="fhir")
        return _threads


def _session() -> requests.Session:
    """This thread's session, for its open connections; it never holds anything of a request."""
    session: requests.Session | None = getattr(_local, "session", None)
    if session is None:
        session = requests.Session()
        session.trust_env = False
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = HTTPAdapter(pool_connections=8, pool_maxsize=1)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        _local.session = session
    return session
