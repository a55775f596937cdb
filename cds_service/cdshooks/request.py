"""The body of a CDS Hooks call, read as far as this program uses it.

Members that are not named here are ignored wherever they are, as is ``extension``.
What the standard requires and a safe answer needs is required; for the rest this is lenient:

* ``hookInstance`` should be a UUID; any printable text of up to 128 characters is accepted.
* ``context.patientId`` may carry a ``Patient/`` prefix, and ``_`` besides FHIR's own characters.
* of ``fhirAuthorization`` only ``access_token`` is required, and only ``patient`` is also read;
  clients fill ``scope`` and ``expires_in`` as they like.
* ``context.draftOrders`` may be missing, though the standard requires it; at ``order-select`` so
  may ``context.selections``, and one selection may be sent without a list. Other hooks have none.
* ``null`` for an optional member means that it is not there.
"""

from __future__ import annotations

import re

import msgspec
from msgspec import Raw, Struct

from cds_service.errors import BadRequest, TooLarge


class Context(Struct, frozen=True):
    """Who looks at which patient: ``user_id`` as sent ("Practitioner/1"), the others bare FHIR ids.

    ``draft_orders`` is undecoded JSON, an object; ``selections`` are references as sent. Both are
    ``None`` when not sent, and for hooks that have no such member: all orders are signed, so
    ``order-sign`` has no selections.
    """

    user_id: str
    patient_id: str
    encounter_id: str | None = None
    draft_orders: Raw | None = None
    selections: tuple[str, ...] | None = None


class Authorization(Struct, frozen=True):
    """The right to read from the FHIR server, for this call only.

    ``patient`` is the bare id of the only patient it is valid for, ``None`` when not limited.
    """

    access_token: str
    patient: str | None = None

    def __repr__(self) -> str:
        return "Authorization(...)"


class Request(Struct, frozen=True):
    """One call. ``fhir_server`` has no trailing slash; ``prefetch`` values are undecoded JSON."""

    hook: str
    hook_instance: str
    context: Context
    fhir_server: str | None
    authorization: Authorization | None
    prefetch: dict[str, Raw]


class Limits(Struct, frozen=True):
    """``text``: characters of a member that is read; ``drafts``: entries of ``draftOrders``,
    ``draft_bytes``, how large they are together, and ``nesting``, how deep they go."""

    text: int = 8_192
    nesting: int = 64
    drafts: int = 200
    draft_bytes: int = 400_000


class _SentContext(Struct, rename="camel"):
    user_id: str
    patient_id: str
    encounter_id: str | None = None
    draft_orders: Raw = Raw()
    selections: Raw = Raw()


class _SentAuthorization(Struct):
    access_token: str
    patient: str | None = None


class _Sent(Struct, rename="camel"):
    hook: str
    hook_instance: str
    context: _SentContext
    fhir_server: str | None = None
    fhir_authorization: _SentAuthorization | None = None
    prefetch: dict[str, Raw] | None = None


_decode = msgspec.json.Decoder(_Sent).decode
_decode_selections = msgspec.json.Decoder(list[str] | str | None).decode
#: FHIR's id with "_", which real servers use, and longer; never "." or "..", which are paths.
_is_id = re.compile(r"(?!\.+$)[A-Za-z0-9._-]{1,128}", re.ASCII).fullmatch
_is_token = re.compile(r"[\x21-\x7e]+").fullmatch
_is_printable_name = re.compile(r"[\x21-\x7e]{1,128}").fullmatch
#: The hooks that are about orders being written.
ORDER_HOOKS = frozenset({"order-select", "order-sign"})
_missing_field = re.compile(r"missing required field `(\w+)`")
_at_path = re.compile(r" - at `(?:key in )?\$\.?([^`]*)`$")


DEFAULT_LIMITS = Limits()


def parse_request(body: bytes, hook: str, limits: Limits = DEFAULT_LIMITS) -> Request:
    """The call in ``body``, which must be one of ``hook``; `BadRequest` names what is wrong, and
    `TooLarge` what is beyond ``limits``."""
    sent = _decoded(body)
    if len(body) > limits.text:  # in a shorter one nothing is too long
        _check_lengths(sent, limits.text)
    if sent.hook != hook:
        raise BadRequest(f"This service answers the hook {hook}.", "hook")
    if not _is_printable_name(sent.hook_instance):
        raise BadRequest("hookInstance must be a UUID.", "hookInstance")
    context, patient_id = sent.context, _patient_of(sent.context)
    fhir_server = sent.fhir_server.rstrip("/") if sent.fhir_server else None
    authorization = None
    if sent.fhir_authorization is not None:
        if not fhir_server:
            raise BadRequest(
                "fhirServer is required where fhirAuthorization is given.", "fhirServer", "required"
            )
        authorization = _authorization(sent.fhir_authorization)
    return Request(
        sent.hook,
        sent.hook_instance,
        Context(
            context.user_id,
            patient_id,
            context.encounter_id or None,
            _draft_orders(context.draft_orders, limits) if hook in ORDER_HOOKS else None,
            _selections(context.selections, limits.text) if hook == "order-select" else None,
        ),
        fhir_server or None,
        authorization,
        sent.prefetch or {},
    )


def _decoded(body: bytes) -> _Sent:
    try:
        # Members that are kept undecoded or ignored are not checked for UTF-8 by msgspec.
        if not body.isascii():
            body.decode()
        return _decode(body)
    except msgspec.ValidationError as error:
        raise _explained(str(error)) from None
    except UnicodeDecodeError:
        raise BadRequest("The body is not UTF-8 text.") from None
    except msgspec.DecodeError:
        raise BadRequest("The body is not valid JSON.") from None
    except RecursionError:
        raise BadRequest("The body is nested too deeply.") from None


def _patient_of(context: _SentContext) -> str:
    """The bare id of the patient looked at; refused where it or the user is missing."""
    if not context.user_id:
        raise BadRequest("context.userId is required.", "context.userId", "required")
    patient_id = context.patient_id.removeprefix("Patient/")
    if not patient_id:
        raise BadRequest("context.patientId is required.", "context.patientId", "required")
    if not _is_id(patient_id):
        raise BadRequest("context.patientId is not the id of a patient.", "context.patientId")
    return patient_id


def _check_lengths(sent: _Sent, most: int) -> None:
    context, granted = sent.context, sent.fhir_authorization
    for path, text in (
        ("context.userId", context.user_id),
        ("context.encounterId", context.encounter_id),
        ("fhirServer", sent.fhir_server),
        ("fhirAuthorization.access_token", granted and granted.access_token),
        ("fhirAuthorization.patient", granted and granted.patient),
    ):
        if text and len(text) > most:
            raise _too_long(path, most)


def _too_long(path: str, most: int) -> TooLarge:
    return TooLarge(f"{path} is longer than {most} characters.", path)


def _draft_orders(sent: Raw, limits: Limits) -> Raw | None:
    if not sent or bytes(sent) == b"null":
        return None
    orders = bytes(sent)
    if not orders.startswith(b"{"):
        raise BadRequest("context.draftOrders must be a FHIR Bundle.", "context.draftOrders")
    if len(orders) > limits.draft_bytes:
        raise TooLarge(
            f"context.draftOrders is larger than {limits.draft_bytes} bytes.",
            "context.draftOrders",
        )
    if _is_deeper(orders, limits.nesting):
        raise BadRequest(
            f"context.draftOrders is nested deeper than {limits.nesting}.", "context.draftOrders"
        )
    try:
        entries = _decode_entries(orders).entry or ()
    except msgspec.ValidationError:
        entries = ()  # not a list: at most one
    if len(entries) > limits.drafts:
        raise TooLarge(
            f"context.draftOrders has more than {limits.drafts} entries.", "context.draftOrders"
        )
    return sent


class _SentOrders(Struct):
    entry: list[Raw] | None = None


_decode_entries = msgspec.json.Decoder(_SentOrders).decode
_strings = re.compile(rb'"(?:[^"\\]|\\.)*"', re.S)
_ALL_BUT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def _is_deeper(valid: bytes, most: int) -> bool:
    """Whether in JSON that was found valid objects and arrays are nested deeper than ``most``."""
    if valid.count(b"{") + valid.count(b"[") <= most:
        return False
    depth = 0
    for bracket in _strings.sub(b"", valid).translate(None, _ALL_BUT_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        if depth > most:
            return True
    return False


def _selections(sent: Raw, most: int) -> tuple[str, ...] | None:
    if not sent:
        return None
    try:
        selections = _decode_selections(sent)
    except msgspec.DecodeError:
        raise BadRequest(
            "context.selections must be an array of references.", "context.selections"
        ) from None
    if selections is None:
        return None
    named = (selections,) if isinstance(selections, str) else tuple(selections)
    if any(len(one) > most for one in named):
        raise _too_long("context.selections", most)
    return named


def _authorization(sent: _SentAuthorization) -> Authorization:
    # A line break in a token would end the header it is sent in.
    if not _is_token(sent.access_token):
        raise BadRequest(
            "fhirAuthorization.access_token is not a bearer token.",
            "fhirAuthorization.access_token",
        )
    patient = sent.patient.removeprefix("Patient/") if sent.patient else None
    return Authorization(sent.access_token, patient or None)


def _explained(message: str) -> BadRequest:
    """msgspec's message in the standard's terms; it holds names and JSON types, no values."""
    at = _at_path.search(message)
    path = at[1] if at else ""
    missing = _missing_field.search(message)
    if missing:
        field = f"{path}.{missing[1]}" if path else missing[1]
        return BadRequest(f"{field} is required.", field, "required")
    if not path:
        return BadRequest("The body must be a JSON object.")
    return BadRequest(f"{path} has the wrong type.", path)
