"""Who is calling.

A `Caller` is made only here: by `Guard` from a registered client's token, or by `OpenDoor` where
no token is needed. Every refusal gets the same answer; the reason is only in our log.

A token is a signed statement, valid for one call: who made it (``iss``), for what (``aud``), when
(``iat``, ``exp``, ``nbf``), its number (``jti``). It is read with its signature unchecked only to
find the client whose keys check it; its content is trusted only after that.
"""

from __future__ import annotations

import binascii
import re
import threading
from base64 import urlsafe_b64decode
from collections.abc import Callable, Collection, Mapping, Sequence
from math import ceil
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

import msgspec
from msgspec import Raw, Struct

from cds_service.errors import TooManyCalls, Unauthorized

if TYPE_CHECKING:
    from cds_service.trust.clients import Client

ALGORITHMS = ("ES384", "RS384")
#: Seconds by which the clocks of client and service may differ.
LEEWAY_S = 30
#: The longest time from ``iat`` to ``exp``: EHRs make tokens of five to fifteen minutes.
LONGEST_LIFE_S = 900
LONGEST_TOKEN = 8192

_SEAL = object()
_is_compact = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)", re.A).fullmatch
_is_printable = re.compile(r"[\x20-\x7e]{1,256}").fullmatch


class Caller:
    """The maker of this call: a registered client, or any caller (``name`` "") in open mode.

    ``one_action`` whether it applies one action of a suggestion only, ``None`` where nothing is
    registered about that, and ``language`` that of its answers, "" likewise. ``cds_hooks`` is the
    version of the standard that it is registered for, "" for the usual one.
    """

    __slots__ = ("cds_hooks", "fhir_servers", "language", "name", "one_action")

    def __init__(
        self,
        name: str,
        fhir_servers: Collection[str],
        seal: object,
        one_action: bool | None = None,
        language: str = "",
        cds_hooks: str = "",
    ) -> None:
        if seal is not _SEAL:
            raise TypeError("a Caller is made by a guard only")
        self.name = name
        self.fhir_servers = fhir_servers
        self.one_action = one_action
        self.language = language
        self.cds_hooks = cds_hooks


def _let_all_try(client: str) -> None:
    pass


class Door(Protocol):
    """``authorization`` is the header of that name, ``audiences`` the addresses that were called
    as a token may name them. Raises `Unauthorized` and other errors that are answered. ``ask`` is
    asked, before anything is spent on a token, about the client that it claims to be from, and
    may refuse by raising."""

    def authenticate(
        self,
        authorization: str | None,
        audiences: Collection[str],
        ask: Callable[[str], None] = _let_all_try,
    ) -> Caller: ...


class OpenDoor:
    """Admits every caller, without asking who they are."""

    def __init__(self, fhir_servers: Collection[str]) -> None:
        self._anyone = Caller("", fhir_servers, _SEAL)

    def authenticate(
        self,
        authorization: str | None,
        audiences: Collection[str],
        ask: Callable[[str], None] = _let_all_try,
    ) -> Caller:
        return self._anyone


class Rejected(Exception):
    """Why a token is refused, in fixed words for our log: nothing from the token."""


class Keys(Protocol):
    """The keys of one client, see `keys.KeySet`."""

    def check(self, token: str, kid: str, algorithm: str) -> None:
        """Returns when the signature is by that key; raises `Rejected`."""


class _Admitted(NamedTuple):
    client: Client
    keys: Keys
    caller: Caller
    calls: _Calls


class _Header(Struct):
    alg: str
    kid: str
    typ: str
    jku: str | None = None
    crit: Raw = Raw()


class _Claims(Struct):
    iss: str
    aud: str | list[str]
    exp: int | float
    iat: int | float
    jti: str
    nbf: int | float | None = None
    tenant: str | None = None


class Guard:
    """Admits registered clients, each with a new token for every call."""

    def __init__(
        self,
        clients: Sequence[Client],
        keys: Mapping[str, Keys],
        use_token: Callable[[str, str, int], bool],
        now: Callable[[], float],
        calls_per_minute: int,
    ) -> None:
        """``keys`` by client name. ``use_token(issuer, jti, expires)`` remembers a token until
        then, and is false when it was used before; what it raises is answered."""
        self._use_token = use_token
        self._now = now
        self._calls_per_minute = calls_per_minute
        self._by_issuer: Mapping[str, _Admitted] = {}
        self.admit(clients, keys)

    def admit(self, clients: Sequence[Client], keys: Mapping[str, Keys]) -> None:
        """From now on these clients and no others; their calls so far still count."""
        before = {one.client.name: one.calls for one in self._by_issuer.values()}
        self._by_issuer = {
            client.issuer: _Admitted(
                client,
                keys[client.name],
                Caller(
                    client.name,
                    client.fhir_servers,
                    _SEAL,
                    client.one_action,
                    client.language,
                    client.cds_hooks,
                ),
                before.get(client.name) or _Calls(self._calls_per_minute),
            )
            for client in clients
        }

    def authenticate(
        self,
        authorization: str | None,
        audiences: Collection[str],
        ask: Callable[[str], None] = _let_all_try,
    ) -> Caller:
        name = ""
        try:
            token = _bearer(authorization)
            header, claims = _read(token)
            admitted = self._by_issuer.get(claims.iss)
            if admitted is None:
                raise Rejected("the issuer is not registered")
            client, name = admitted.client, admitted.client.name
            if client.suspended:
                raise Rejected("the client is suspended")
            ask(name)
            _check_header(header, client)
            admitted.keys.check(token, header.kid, header.alg)
            # From here on the token is known to be the client's.
            _check_claims(claims, client, audiences, self._now())
        except Rejected as why:
            raise Unauthorized(str(why), name) from None
        # Before it is used up, so that the same token is valid when the call is repeated later.
        wait = admitted.calls.wait(self._now())
        if wait:
            raise TooManyCalls(wait, name)
        if not self._use_token(client.issuer, claims.jti, ceil(claims.exp) + LEEWAY_S):
            raise Unauthorized("the token was used before, or too long ago to tell", name)
        return admitted.caller


def calls_itself(origin: str, authorization: str | None, caller_origin: str | None) -> bool:
    """Whether a caller says that it is the web application published at ``origin``: as the page
    that calls, or as the issuer of its token, which a copy on another machine names too.

    Nothing of it is checked, so it may decide how an answer is written, never who is trusted.
    """
    if caller_origin == origin:
        return True
    try:
        return _read(_bearer(authorization))[1].iss == origin
    except Rejected:
        return False


def _bearer(authorization: str | None) -> str:
    if not authorization:
        raise Rejected("there is no Authorization header")
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise Rejected("the Authorization header is not Bearer")
    if len(token) > LONGEST_TOKEN:
        raise Rejected("the token is too long")
    return token


def _read(token: str) -> tuple[_Header, _Claims]:
    parts = _is_compact(token)
    if parts is None:
        raise Rejected("the token is not a signed JWT in compact form")
    return _part(parts[1], _Header, "header"), _part(parts[2], _Claims, "claims")


_Part = TypeVar("_Part")


def _part(encoded: str, kind: type[_Part], name: str) -> _Part:
    try:
        return msgspec.json.decode(
            urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)), type=kind
        )
    except msgspec.ValidationError:
        raise Rejected(f"in the token's {name} a member is missing or wrong") from None
    except (binascii.Error, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Rejected(f"the token's {name} cannot be read") from None


def _check_header(header: _Header, client: Client) -> None:
    if header.alg not in ALGORITHMS:
        raise Rejected("the algorithm is neither ES384 nor RS384")
    if header.typ.upper() != "JWT":
        raise Rejected("the type is not JWT")
    if header.crit:
        raise Rejected("the header demands what is not understood (crit)")
    if header.jku is not None and (not client.jwks_url or header.jku != client.jwks_url):
        raise Rejected("the key address (jku) is not the registered one")


def _check_claims(claims: _Claims, client: Client, audiences: Collection[str], now: float) -> None:
    if claims.exp <= now - LEEWAY_S:
        raise Rejected("the token has expired")
    if claims.iat > now + LEEWAY_S:
        raise Rejected("the token was issued in the future")
    if not 0 < claims.exp - claims.iat <= LONGEST_LIFE_S:
        raise Rejected("the token's life is not from 1 to 900 seconds")
    if claims.nbf is not None and claims.nbf > now + LEEWAY_S:
        raise Rejected("the token is not valid yet")
    named = [claims.aud] if isinstance(claims.aud, str) else claims.aud
    if not any(one in audiences or one in client.audiences for one in named):
        raise Rejected("the token is for another audience")
    if client.tenants and claims.tenant not in client.tenants:
        raise Rejected("the tenant is not registered")
    if not _is_printable(claims.jti):
        raise Rejected("the token's number (jti) is empty, long or not plain")


class _Calls:
    """Lets ``per_minute`` calls through at once, then as many as time has made room for."""

    def __init__(self, per_minute: int) -> None:
        self._most = per_minute
        self._left = float(per_minute)
        self._at = 0.0
        self._lock = threading.Lock()

    def wait(self, now: float) -> int:
        """0 when this call may pass, else the whole seconds until one may."""
        per_second = self._most / 60
        with self._lock:
            passed = max(0.0, now - self._at)
            self._left = min(self._most, self._left + passed * per_second)
            self._at = now
            if self._left >= 1:
                self._left -= 1
                return 0
            return max(1, ceil((1 - self._left) / per_second))
