"""Every error this program raises on purpose, each with a sentence that is safe to show.

A `ServiceError` becomes the answer to a call: an HTTP status and an OperationOutcome. A
`StartupError` keeps the program from starting. Neither ever holds a value from a request:
no patient data and no token, only the names of fields.
"""

from __future__ import annotations


class ServiceError(Exception):
    """A call that cannot be answered with cards.

    ``issue`` is a code of FHIR's issue-type value set, ``text`` what went wrong and what helps,
    ``expression`` the member of the request at fault ("context.patientId"), if it is one.
    """

    status = 500
    issue = "exception"

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
    status = 401
    issue = "login"


class Forbidden(ServiceError):
    status = 403
    issue = "forbidden"


class NotFound(ServiceError):
    status = 404
    issue = "not-found"


class MethodNotAllowed(ServiceError):
    """``allow`` are the methods this path has, as they stand in the header of that name."""

    status = 405
    issue = "not-supported"

    def __init__(self, text: str, allow: str) -> None:
        super().__init__(text)
        self.allow = allow


class DataUnavailable(ServiceError):
    """Indispensable data could be had neither from the prefetch nor from the FHIR server.

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


class StartupError(Exception):
    """The program refuses to start; the message says which part, what is wrong and the cure."""


class SettingsError(StartupError):
    """A setting (an environment variable or an option of the command line) that cannot be."""

    def __init__(self, name: str, problem: str, cure: str) -> None:
        super().__init__(f"{name}: {problem}. {cure}")
        self.name = name
        self.problem = problem
        self.cure = cure


class GuidelineError(StartupError):
    """An entry ``name`` of a guideline's data ``file`` that cannot be used."""

    def __init__(self, file: str, name: str, problem: str, cure: str) -> None:
        super().__init__(f"{file}: {name}: {problem}. {cure}")
        self.file = file
        self.name = name
        self.problem = problem
        self.cure = cure
