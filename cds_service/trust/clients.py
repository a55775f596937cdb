"""The register of clients: who may call, by whose keys, and which FHIR servers each may name.

    [[clients]]
    name         = "north-hospital"
    issuer       = "https://ehr.north.example.org"
    jwks_url     = "https://ehr.north.example.org/jwks.json"
    fhir_servers = ["https://fhir.north.example.org/r4"]

Read at start, and again when the operator says so. A register with one invalid entry is refused as
a whole, naming the entry.
"""

from __future__ import annotations

import re
import stat
import tomllib
from pathlib import Path

import msgspec
from msgspec import Struct

from cds_service.errors import ClientsError
from cds_service.language.locales import is_tag
from cds_service.trust.addresses import Refused, normal_base_address

_is_name = re.compile(r"[a-z0-9][a-z0-9-]{0,63}").fullmatch
#: The versions of the standard that a client may be registered for, the usual one first.
VERSIONS = ("2.0", "3.0-ballot")
_is_printable = re.compile(r"[\x21-\x7e]{1,500}").fullmatch


class Client(Struct, frozen=True):
    """One registered client.

    ``name`` appears in our log and records. ``issuer`` is the ``iss`` of its tokens. Its keys are
    read from ``jwks_file``, else fetched from ``jwks_url``, which is also the only ``jku`` its
    tokens may name. ``audiences`` are accepted besides our own addresses, ``tenants`` the only
    ones accepted when there are any. ``one_action`` whether it applies one action of a suggestion
    only, where its entry says so, and ``language`` that of its answers. ``cds_hooks`` is the
    version of the standard that discovery names to it. A ``suspended`` client is refused every
    call.
    """

    name: str
    issuer: str
    fhir_servers: frozenset[str] = frozenset()
    jwks_url: str = ""
    jwks_file: Path | None = None
    audiences: frozenset[str] = frozenset()
    tenants: frozenset[str] = frozenset()
    one_action: bool | None = None
    suspended: bool = False
    language: str = ""
    cds_hooks: str = VERSIONS[0]


class _Entry(Struct, forbid_unknown_fields=True):
    name: str
    issuer: str
    fhir_servers: list[str] = []
    jwks_url: str = ""
    jwks_file: str = ""
    audiences: list[str] = []
    tenants: list[str] = []
    one_action: bool | None = None
    suspended: bool = False
    language: str = ""
    cds_hooks: str = VERSIONS[0]


class _File(Struct, forbid_unknown_fields=True):
    clients: list[dict[str, object]]


def read_clients(file: Path, *, plain_http: bool = False) -> tuple[Client, ...]:
    """The clients in ``file``; `ClientsError` names the entry, the problem and the fix.

    ``plain_http`` allows addresses without encryption beyond loopback, for tests.
    """
    try:
        open_to_all = writable_by_all(file)
        if open_to_all is not None:
            raise ClientsError(
                file,
                "",
                "every user of this machine can write to it, or to its folder",
                f"Run chmod o-w {open_to_all}.",
            )
        text = file.read_text(encoding="utf-8")
        written = msgspec.convert(tomllib.loads(text), _File)
    except OSError as error:
        raise ClientsError(
            file, "", f"it cannot be read ({error.strerror})", "Let the service's user read it."
        ) from None
    except UnicodeDecodeError:
        raise ClientsError(file, "", "it is not UTF-8 text", "Save it as UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        raise ClientsError(file, "", f"it is not TOML ({error})", "Correct that line.") from None
    except msgspec.ValidationError:
        raise ClientsError(
            file, "", "it is not a list of clients", "Write each under its own [[clients]]."
        ) from None
    if not written.clients:
        raise ClientsError(
            file,
            "",
            "it registers no client",
            "Add a [[clients]] entry, or unset CDS_CLIENTS_FILE.",
        )
    clients: list[Client] = []
    for number, table in enumerate(written.clients, 1):
        named = table.get("name")
        where = f"clients.{named}" if isinstance(named, str) and named else f"client {number}"
        client = _Reader(file, where, plain_http).read(table)
        for other in clients:
            for member in ("name", "issuer"):
                if getattr(other, member) == getattr(client, member):
                    raise ClientsError(
                        file,
                        where,
                        f"client {clients.index(other) + 1} has the same {member}",
                        "Give each client its own.",
                    )
        clients.append(client)
    return tuple(clients)


def writable_by_all(file: Path) -> Path | None:
    """What lets every user of this machine change what ``file`` says, if anything: the file, or a
    folder in which it, or a link to it, could be replaced. In one with the sticky bit, as /tmp has
    it, only its owner may replace a file. Raises `OSError`."""
    real = file.resolve(strict=True)
    if real.stat().st_mode & stat.S_IWOTH:
        return real
    for folder in dict.fromkeys((file.parent, real.parent)):
        mode = folder.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            return folder
    return None


class _Reader:
    """Reads one entry of the register, ``where`` in ``file``."""

    def __init__(self, file: Path, where: str, plain_http: bool) -> None:
        self.file, self.where, self.plain_http = file, where, plain_http

    def read(self, table: dict[str, object]) -> Client:
        try:
            entry = msgspec.convert(table, _Entry)
        except msgspec.ValidationError as error:
            # it names only names and types in the operator's own file, so it may be shown
            raise self.wrong(str(error), "See docs/security.md for what an entry holds.") from None
        if not _is_name(entry.name):
            raise self.wrong(
                "its name is not plain", "Use small letters, digits and hyphens, at most 64."
            )
        for member, values in (
            ("issuer", [entry.issuer]),
            ("audiences", entry.audiences),
            ("tenants", entry.tenants),
        ):
            if not all(map(_is_printable, values)):
                raise self.wrong(
                    f"{member} holds a value that is empty, long or not plain ASCII",
                    "Write it as the client's tokens have it.",
                )
        if entry.language and not is_tag(entry.language):
            raise self.wrong(
                f"{entry.language!r} is not the tag of a language", "Write a tag such as en or de."
            )
        if entry.cds_hooks not in VERSIONS:
            raise self.wrong(
                f"{entry.cds_hooks!r} is not a version of CDS Hooks that is known here",
                f"Write one of {', '.join(VERSIONS)}, or leave it out.",
            )
        if not (entry.jwks_url or entry.jwks_file):
            raise self.wrong("it names no keys", "Give it a jwks_url or a jwks_file.")
        path = self.file.parent / entry.jwks_file if entry.jwks_file else None
        if path is not None and not path.is_file():
            raise self.wrong(
                f"there is no file {entry.jwks_file!r}",
                "jwks_file is looked for next to the clients file; correct the path.",
            )
        if entry.jwks_url:
            self.address("jwks_url", entry.jwks_url)
        return Client(
            entry.name,
            entry.issuer,
            frozenset(self.address("fhir_servers", url) for url in entry.fhir_servers),
            entry.jwks_url,
            path,
            frozenset(entry.audiences),
            frozenset(entry.tenants),
            entry.one_action,
            entry.suspended,
            entry.language,
            entry.cds_hooks,
        )

    def address(self, member: str, url: str) -> str:
        base = normal_base_address(url)
        if isinstance(base, Refused):
            raise self.wrong(
                f"{member}: {url!r}: {base.reason.removeprefix('the FHIR server')}".replace(
                    ": 's", ": its"
                ),
                "Write a plain address such as https://ehr.example.org/r4.",
            )
        if not (base.secure or base.loopback or self.plain_http):
            raise self.wrong(
                f"{member}: {url!r} is not encrypted",
                "Use its https address, or set CDS_DEMO=true for tests.",
            )
        return base.url

    def wrong(self, problem: str, cure: str) -> ClientsError:
        return ClientsError(self.file, self.where, problem, cure)
