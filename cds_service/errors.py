"""Every error this program raises on purpose, each with a sentence that is safe to show.

A `ServiceError` becomes the answer to a call: an HTTP status and an OperationOutcome. A
`StartupError` keeps the program from starting. Neither ever holds a value from a request:
no patient data and no token, only the names of fields.
"""

from __future__ import annotations

from collections.abc import Mapping


class ServiceError(Exception):
    """A call that cannot be answered with cards.

    ``issue`` is a code of FHIR's issue-type value set, ``text`` what went wrong and what helps,
    ``expression`` the member of the request at fault ("context.patientId"), if it is one.
    ``headers`` go with the answer; ``log`` is only for our log, and is never sent.
    """

    status = 500
    issue = "exception"
    headers: Mapping[str, str] = {}
    log: Mapping[str, str] = {}

    def __init__(self, text: str, expression: str | None = None, issue: str | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.expression = expression
        if issue is not None:
            self.issue = issue


class BadRequest(ServiceError):
    """The request breaks the CDS Hooks standard; ``issue`` is "invalid" or "required"."""

    status = 400
    issue = "invalid"


class Unauthorized(ServiceError):
    """An unknown caller. Every refusal gets the same answer; the reason is only in our log."""

    status = 401
    issue = "login"

    def __init__(self, reason: str, client: str = "") -> None:
        super().__init__("A registered client's token is required.")
        self.headers = {"WWW-Authenticate": "Bearer"}
        self.log = {"refused": reason, **({"client": client} if client else {})}


class Forbidden(ServiceError):
    status = 403
    issue = "forbidden"


class NotFound(ServiceError):
    status = 404
    issue = "not-found"


class MethodNotAllowed(ServiceError):
    """``allow`` are the methods this path has, as in the header of that name."""

    status = 405
    issue = "not-supported"

    def __init__(self, text: str, allow: str) -> None:
        super().__init__(text)
        self.headers = {"Allow": allow}


class DataUnavailable(ServiceError):
    """Indispensable data was available neither from the prefetch nor from the FHIR server.

    ``issue`` is "not-found", "timeout", "security" or another transient or processing code.
    """

    status = 412
    issue = "not-found"


class TooLarge(ServiceError):
    status = 413
    issue = "too-long"


class UnsupportedMediaType(ServiceError):
    status = 415
    issue = "not-supported"


class Misdirected(ServiceError):
    """The request is addressed to a host that is not this service."""

    status = 421
    issue = "security"


class TooManyCalls(ServiceError):
    """``seconds`` is how long the client should wait."""

    status = 429
    issue = "throttled"

    def __init__(self, seconds: int, client: str) -> None:
        super().__init__(f"Too many calls; try again in {seconds} s.")
        self.headers = {"Retry-After": str(seconds)}
        self.log = {"client": client}


class Busy(ServiceError):
    """More is asked than the service can answer in time. Nothing was computed and nothing kept."""

    status = 503
    issue = "throttled"
    headers: Mapping[str, str] = {"Retry-After": "5"}

    def __init__(self) -> None:
        super().__init__("The service has too much to do now; send this again later.")


class HungUp(ServiceError):
    """The caller had gone before the answer was ready. It is never sent: it is for our accounts.

    499 is what web servers log of such a call.
    """

    status = 499
    issue = "transient"

    def __init__(self) -> None:
        super().__init__("The caller had gone; nothing was shown.")


class Unavailable(ServiceError):
    """The database is not working; it may later. ``problem`` is for the log and health."""

    status = 503
    issue = "transient"
    #: The longest pause between two attempts of the store.
    headers: Mapping[str, str] = {"Retry-After": "5"}

    def __init__(self, problem: str) -> None:
        super().__init__("The service cannot store this now; send it again later.")
        self.problem = problem


class StartupError(Exception):
    """The program refuses to start; the message says which part, what is wrong and the fix."""


class SettingsError(StartupError):
    """A setting (an environment variable or a command-line option) that cannot be used."""

    def __init__(self, name: str, problem: str, cure: str) -> None:
        super().__init__(f"{name}: {problem}. {cure}")
        self.name = name
        self.problem = problem
        self.cure = cure


class ClientsError(StartupError):
    """An entry of the clients file, or the file itself, that cannot be used."""

    def __init__(self, file: object, entry: str, problem: str, cure: str) -> None:
        super().__init__(f"{file}: {entry + ': ' if entry else ''}{problem}. {cure}")
        self.entry = entry
        self.problem = problem
        self.cure = cure


class SchemaError(StartupError):
    """A database whose tables are not those this program works with."""

    def __init__(self, found: str | None, needed: str) -> None:
        if found is not None and found > needed:
            problem = f"the database has version {found}, newer than this program's {needed}"
            cure = "Install the newer program, or name another database."
        else:
            there = f"the database has version {found}" if found else "the database has no tables"
            problem = f"{there}, this program needs version {needed}"
            cure = "Run cds-service db upgrade."
        super().__init__(f"CDS_DATABASE_URL: {problem}. {cure}")
        self.problem = problem


class GuidelineError(StartupError):
    """An entry ``name`` of a guideline's data ``file`` that cannot be used."""

    def __init__(self, file: str, name: str, problem: str, cure: str) -> None:
        super().__init__(f"{file}: {name}: {problem}. {cure}")
        self.file = file
        self.name = name
        self.problem = problem
        self.cure = cure


class CatalogueError(StartupError):
    """A text ``name`` of a catalogue ``file`` that cannot be used."""

    def __init__(self, file: object, name: str, problem: str, cure: str) -> None:
        super().__init__(f"{file}: {name}: {problem}. {cure}")
        self.file = str(file)
        self.name = name
        self.problem = problem
        self.cure = cure
