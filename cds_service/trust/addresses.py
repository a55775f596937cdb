"""Which FHIR server a request may name.

A request chooses the address this program would send queries and a token to, so only addresses
the operator has listed are called. Base addresses are compared whole, after normalisation: a
tenant below a listed base is a different base, which must be listed too.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

_LONGEST_ADDRESS = 500
_DEFAULT_PORTS = {"http": 80, "https": 443}
#: No "%" (an encoded slash or dot means something else to every proxy), no empty segment.
_is_plain_path = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~!$&'()*+,;=:@-]+)*").fullmatch
_is_host_name = re.compile(
    r"(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*"
).fullmatch
_SEAL = object()


class Refused(NamedTuple):
    """Why an address may not be called; safe to show, it does not hold the address."""

    reason: str


_UNREADABLE = Refused("the FHIR server's address cannot be read")


class BaseAddress(NamedTuple):
    """A FHIR base in normal form ("https://fhir.example.org/r4", no slash at the end)."""

    url: str
    secure: bool
    loopback: bool


class ApprovedFhirServer:
    """A base address that may be called for ``client`` ("" for any caller, in open mode). Only
    `approve_fhir_server` makes one."""

    __slots__ = ("client", "url")

    def __init__(self, url: str, client: str, seal: object) -> None:
        if seal is not _SEAL:
            raise TypeError("an ApprovedFhirServer is made by approve_fhir_server only")
        self.url = url
        self.client = client


def approve_fhir_server(
    url: str, *, listed: Collection[str], demo: bool, client: str = ""
) -> ApprovedFhirServer | Refused:
    """``url`` as a server that may be called: one ``listed``, in the demo also any on loopback.

    Without encryption only loopback is called, in the demo also a listed server. A token is not
    required: in open mode an approved server without access control is read without one.
    """
    base = normal_base_address(url)
    if isinstance(base, Refused):
        return base
    if not (base.url in listed or (demo and base.loopback)):
        return Refused("the FHIR server is not one this service may call")
    if not (base.secure or base.loopback or demo):
        return Refused("the FHIR server's address is not https")
    return ApprovedFhirServer(base.url, client, _SEAL)


def normal_base_address(url: str) -> BaseAddress | Refused:
    """One spelling for every spelling of the same base address; `Refused` for odd ones."""
    if len(url) > _LONGEST_ADDRESS:  # before it could fill the cache below
        return Refused("the FHIR server's address is too long")
    return _normal_base_address(url)


@lru_cache(maxsize=256)
def _normal_base_address(url: str) -> BaseAddress | Refused:
    # urlsplit removes line breaks and tabs silently, and browsers read "\" as "/".
    if any(c <= " " or c in "\\\x7f" for c in url):
        return _UNREADABLE
    try:
        parts = urlsplit(url)
        port = parts.port
        host = (parts.hostname or "").removesuffix(".").encode("idna").decode("ascii")
    except ValueError:  # includes UnicodeError: a host that has no ASCII form
        return _UNREADABLE
    scheme = parts.scheme.lower()
    if scheme not in _DEFAULT_PORTS:
        return Refused("the FHIR server's address is neither https nor http")
    if "@" in parts.netloc:
        return Refused("the FHIR server's address holds a user name")
    if "?" in url or "#" in url:
        return Refused("the FHIR server's address holds a query or a fragment")
    path = parts.path.rstrip("/")
    if not _is_plain_path(path):
        return Refused("the FHIR server's address has a path that is not plain")
    written = _normal_host(host)
    if not written:
        return _UNREADABLE
    at_port = "" if port is None or port == _DEFAULT_PORTS[scheme] else f":{port}"
    return BaseAddress(
        f"{scheme}://{written}{at_port}{path}", scheme == "https", is_loopback(written.strip("[]"))
    )


def _normal_host(host: str) -> str:
    """As in a URL: a name as it is, an IPv6 address in brackets; "" if it is neither."""
    if ":" not in host:
        return host if _is_host_name(host) else ""
    try:
        return f"[{ip_address(host).compressed}]"
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    """Whether ``host`` (a name or an IP address) can only mean this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
