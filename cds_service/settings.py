"""What an operator sets, read once from the environment and checked before anything starts.

``SETTINGS`` lists every variable with its meaning; the documentation prints it. A variable that
is misspelt, unknown, or cannot be honoured stops the program: a setting that silently does
nothing is worse than none. An empty value is the same as no value.
"""

from __future__ import annotations

import difflib
import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit, urlunsplit

from msgspec import Struct
from msgspec.structs import replace

from cds_service import PROGRAM
from cds_service.errors import SettingsError
from cds_service.language.locales import is_tag
from cds_service.trust.addresses import Refused, is_loopback, normal_base_address

#: Whether anything of that name exists is known only after loading.
_is_trial_name = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}").fullmatch
_is_rule = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9-]{0,63}/)?[A-Za-z0-9][A-Za-z0-9-]{0,63}").fullmatch

DEFAULT_DATABASE = f"sqlite:///{PROGRAM}.sqlite"


class Trial(Struct, frozen=True):
    """What is evaluated and recorded but not shown; "" means any client, service or rule.

    A ``rule`` may be named with its guideline ("a-guideline/RTE-09") or without.
    """

    client: str = ""
    service: str = ""
    rule: str = ""

    def covers(self, client: str, service: str) -> bool:
        return self.client in ("", client) and self.service in ("", service)


class Settings(Struct, frozen=True):
    """All settings, checked. Deadlines are in seconds; without ``database_url`` nothing is
    stored."""

    public_url: str = ""
    fhir_servers: frozenset[str] = frozenset()
    allowed_origins: tuple[str, ...] | None = None
    allowed_hosts: tuple[str, ...] = ()
    as_of: date | None = None
    guideline_overrides: Path | None = None
    code_map: Path | None = None
    bulk_client_id: str = ""
    bulk_key_file: Path | None = None
    open: bool = False
    demo: bool = False
    samples: Path | None = None
    fhir_deadline: float = 0.4
    max_body_bytes: int = 5_000_000
    one_action: bool | None = None
    workbench: bool = True
    language: str = "en"
    clients_file: Path | None = None
    calls_per_minute: int = 6_000
    fhir_at_once: int = 32
    feedback_bytes: int = 20_000_000
    queue: float = 0.15
    max_header_bytes: int = 32_768
    max_nesting: int = 64
    max_entries: int = 5_000
    max_drafts: int = 200
    max_draft_bytes: int = 400_000
    max_text: int = 8_192
    database_url: str = DEFAULT_DATABASE
    database_password: str = ""
    pseudonym_key: bytes = b""
    free_text_keys: tuple[bytes, ...] = ()
    plain_ids: bool = False
    retention_days: int = 730
    reuse_seconds: int = 0
    respect_info_hours: int = 0
    respect_warning_hours: int = 0
    trials: tuple[Trial, ...] = ()
    challenger: Path | None = None

    @property
    def origins(self) -> tuple[str, ...]:
        """Whose pages may call: unless set, any; none where a page could have FHIR servers read
        without a token."""
        if self.allowed_origins is not None:
            return self.allowed_origins
        unasked = self.fhir_servers and self.clients_file is None and not self.demo
        return () if unasked else ("*",)

    @property
    def may_ask_servers(self) -> bool:
        """Whether a call may name a FHIR server that is then asked."""
        return bool(self.fhir_servers) or self.clients_file is not None or self.demo


class Setting(NamedTuple):
    """One variable: the field it fills, how its text is read, its default and meaning in words.

    A ``secret`` value is never shown.
    """

    field: str
    read: Callable[[str, str], Any]
    default: str
    meaning: str
    secret: bool = False


def _language(name: str, text: str) -> str:
    if not is_tag(text):
        raise SettingsError(name, "is not the tag of a language", "Write a tag such as en or de.")
    return text


def _text(name: str, text: str) -> str:
    return text


def _flag(name: str, text: str) -> bool:
    word = text.lower()
    if word in ("true", "1", "yes", "on"):
        return True
    if word in ("false", "0", "no", "off"):
        return False
    raise SettingsError(name, "is neither true nor false", "Set it to true or false.")


def _whole_number(least: int, most: int) -> Callable[[str, str], int]:
    def read(name: str, text: str) -> int:
        if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
            raise SettingsError(
                name, "is not a whole number in range", f"Set a number from {least} to {most}."
            )
        return int(text)

    return read


def _milliseconds(name: str, text: str) -> float:
    return _whole_number(50, 10_000)(name, text) / 1000


def _date(name: str, text: str) -> date:
    try:
        if len(text) != 10:
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise SettingsError(
            name, "is not a date", "Write it as year-month-day, such as 2026-01-15."
        ) from None


def _file(name: str, text: str) -> Path:
    path = Path(text)
    if not path.is_file():
        raise SettingsError(name, f"there is no file {text!r}", "Give the path of the file.")
    return path


def _folder(name: str, text: str) -> Path:
    path = Path(text)
    if not path.is_dir():
        raise SettingsError(name, f"there is no folder {text!r}", "Give the path of a folder.")
    return path


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _fhir_servers(name: str, text: str) -> frozenset[str]:
    servers = set()
    for written in _words(text):
        base = normal_base_address(written)
        if isinstance(base, Refused):
            raise SettingsError(
                name,
                f"{written!r}: {base.reason}",
                "List base addresses such as https://fhir.example.org/r4.",
            )
        servers.add(base.url)
    return frozenset(servers)


def _origins(name: str, text: str) -> tuple[str, ...]:
    origins = tuple(dict.fromkeys(_words(text)))
    for origin in origins:
        if origin != "*" and not re.fullmatch(
            r"https?://(?:\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d+)?", origin
        ):
            raise SettingsError(
                name,
                f"{origin!r} is not an origin",
                "List origins as browsers send them: https://ehr.example.org, in lower case,"
                " without a path; or * for any.",
            )
    if "*" in origins and len(origins) > 1:
        raise SettingsError(name, "names both * and others", "Keep either * or the others.")
    return origins


def _hosts(name: str, text: str) -> tuple[str, ...]:
    hosts = tuple(dict.fromkeys(_words(text.lower())))
    for host in hosts:
        if host != "*" and not re.fullmatch(r"[a-z0-9_]([a-z0-9._-]*[a-z0-9_])?", host):
            raise SettingsError(
                name,
                f"{host!r} is not the name of a host",
                "List names such as cds.example.org, without https:// and without a port; or *"
                " for any.",
            )
    return hosts


def _public_url(name: str, text: str) -> str:
    base = normal_base_address(text)
    if isinstance(base, Refused) or not (base.secure or base.loopback):
        raise SettingsError(
            name,
            "is not the https address of this service",
            "Write the address that clients call, such as https://cds.example.org.",
        )
    return text.rstrip("/")


def _database_url(name: str, text: str) -> str:
    if text == "none":
        return ""
    if not re.fullmatch(r"sqlite:///[^?\s].*|postgres(ql)?://\S+", text):
        raise SettingsError(
            name,
            "is not the address of a database",
            "Write sqlite:/// and the path of a file, postgresql://user@host/name, or none.",
        )
    return re.sub(r"^postgres://", "postgresql://", text)


def _trials(name: str, text: str) -> tuple[Trial, ...]:
    trials = []
    for written in _words(text):
        pairs = [part.partition(":") for part in written.split("+")]
        trial = {kind: value for kind, _, value in pairs}
        good = all(
            kind in Trial.__struct_fields__
            and (_is_rule if kind == "rule" else _is_trial_name)(value)
            for kind, _, value in pairs
        )
        if not good or len(trial) != len(pairs):
            raise SettingsError(
                name,
                f"{written!r} is not a trial",
                "Write client:NAME, service:ID or rule:ID, and joined with + what must all hold.",
            )
        trials.append(Trial(**trial))
    return tuple(trials)


def _key(name: str, text: str) -> bytes:
    if len(text) < 16:
        raise SettingsError(
            name,
            "is shorter than 16 characters, so it could be guessed",
            "Set a random text, such as openssl rand -hex 32 makes.",
        )
    return text.encode()


def _secret(name: str, text: str) -> str:
    """What a file of one line holds, without the line's end."""
    try:
        found = _file(name, text).read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        raise SettingsError(name, "the file cannot be read", "Give a file of text.") from None
    if not found or "\n" in found:
        raise SettingsError(name, "the file does not hold one line", "Write the secret alone.")
    return found


def _key_in_file(name: str, text: str) -> bytes:
    return _key(name, _secret(name, text))


def _cipher_keys(name: str, text: str) -> tuple[bytes, ...]:
    """Keys as `openssl rand -base64 32` makes them."""
    keys = tuple(one.replace("+", "-").replace("/", "_").encode() for one in text.split())
    for key in keys:
        try:
            size = len(b64decode(key, b"-_", validate=True))
        except ValueError:
            size = 0
        if size != 32:
            raise SettingsError(
                name,
                "holds what is not a key of 32 bytes in base64",
                "Make each with openssl rand -base64 32, one a line.",
            )
    if len(set(keys)) != len(keys):
        raise SettingsError(name, "holds a key twice", "Keep the first of them.")
    return keys


def _cipher_keys_in_file(name: str, text: str) -> tuple[bytes, ...]:
    try:
        keys = _cipher_keys(name, _file(name, text).read_text("utf-8"))
    except (OSError, UnicodeDecodeError):
        raise SettingsError(name, "the file cannot be read", "Give a file of text.") from None
    if not keys:
        raise SettingsError(name, "the file holds no key", "Write openssl rand -base64 32 to it.")
    return keys


SETTINGS: Mapping[str, Setting] = {
    "CDS_PUBLIC_URL": Setting(
        "public_url",
        _public_url,
        "none",
        "The address clients call, when it differs from where the service listens. https.",
    ),
    "CDS_FHIR_SERVERS": Setting(
        "fhir_servers",
        _fhir_servers,
        "none",
        "Base addresses of the FHIR servers that may be called, separated by commas or spaces;"
        " each tenant by its own address. https, except on loopback and in the demo. A request"
        " naming another server is answered from its prefetch alone.",
    ),
    "CDS_ALLOWED_ORIGINS": Setting(
        "allowed_origins",
        _origins,
        "`*` (any); none with `CDS_FHIR_SERVERS` outside the demo",
        "Origins of the web pages whose scripts may call, separated by commas or spaces.",
    ),
    "CDS_ALLOWED_HOSTS": Setting(
        "allowed_hosts",
        _hosts,
        "the host of `CDS_PUBLIC_URL`",
        "Names by which this service may be called, separated by commas or spaces, or `*` for any."
        " Loopback and IP addresses are always allowed, and `/healthz` and `/readyz` answer under"
        " any name. Others get 421, so that a page elsewhere cannot give this machine its own name"
        " and read the answers.",
    ),
    "CDS_AS_OF": Setting(
        "as_of",
        _date,
        "today",
        "Evaluates as if today were this date (year-month-day). Demo only; every card says so.",
    ),
    "CDS_GUIDELINE_OVERRIDES": Setting(
        "guideline_overrides",
        _file,
        "none",
        "A TOML file with this site's own limits, products, codes and texts. Its tables go"
        " under the id of the guideline they change; a file that names none changes the first.",
    ),
    "CDS_CODE_MAP": Setting(
        "code_map",
        _file,
        "none",
        "A file with this site's own codes and what they mean, CSV or a FHIR ConceptMap. See"
        " [Local codes](../local-codes.md).",
    ),
    "CDS_BULK_CLIENT_ID": Setting(
        "bulk_client_id",
        _text,
        "none",
        "As which client `cohort run --fhir` asks a Bulk Data server for a token (SMART Backend"
        " Services). Without it none is asked for. See [A whole clinic](../cohort.md).",
    ),
    "CDS_BULK_KEY_FILE": Setting(
        "bulk_key_file",
        _file,
        "none",
        "The private key of that client, as `cds-service key` writes it.",
    ),
    "CDS_OPEN": Setting(
        "open",
        _flag,
        "`false`",
        "`true` allows callers from other machines without asking who they are.",
    ),
    "CDS_DEMO": Setting(
        "demo",
        _flag,
        "`false`",
        "`true` is the same as `serve --demo`: FHIR servers on loopback may be called, pages may"
        " reach the service on loopback, and `CDS_AS_OF` is allowed. Not for patients.",
    ),
    "CDS_SAMPLES": Setting(
        "samples",
        _folder,
        "the checkout's",
        "The folder of sample infants that the demo hands out at `/samples`, their dates moved to"
        " today. Demo only.",
    ),
    "CDS_FHIR_DEADLINE_MS": Setting(
        "fhir_deadline",
        _milliseconds,
        "`400`",
        "Milliseconds to wait for answers from the FHIR server.",
    ),
    "CDS_MAX_BODY_BYTES": Setting(
        "max_body_bytes",
        _whole_number(10_000, 1_000_000_000),
        "`5000000`",
        "The largest request body that is read.",
    ),
    "CDS_ONE_ACTION": Setting(
        "one_action",
        _flag,
        "`false`; `true` for the public CDS Hooks sandbox in the demo",
        "`true` for clients that apply one action of a suggestion and drop the others, as the"
        " public CDS Hooks sandbox and some EHRs do: whatever accompanies a"
        " drug is suggested on separate cards, one action each. A client's `one_action` in the"
        " register comes first.",
    ),
    "CDS_LANGUAGE": Setting(
        "language",
        _language,
        "`en`",
        "The language of the answers: one of those that `cds-service check` lists. A client's"
        " `language` in the register comes first, and in the demo what the caller accepts"
        " (`Accept-Language`). Logs, reports and the workbench's own page stay English.",
    ),
    "CDS_WORKBENCH": Setting(
        "workbench",
        _flag,
        "`true`",
        "`false` turns off the workbench, the page at `/` that plays an EHR. It is also off with"
        " `CDS_CLIENTS_FILE`.",
    ),
    "CDS_CLIENTS_FILE": Setting(
        "clients_file",
        _file,
        "none",
        "A TOML file with the register of clients. With it, discovery, calls and feedback need a"
        " registered client's token, and each client may name only its own FHIR servers;"
        " `CDS_PUBLIC_URL` is then required. See [Security](../security.md).",
    ),
    "CDS_CALLS_PER_MINUTE": Setting(
        "calls_per_minute",
        _whole_number(1, 1_000_000),
        "`6000`",
        "Calls of one registered client that one worker process answers in a minute; further"
        " calls get 429 with `Retry-After`. There is no limit in open mode.",
    ),
    "CDS_FHIR_AT_ONCE": Setting(
        "fhir_at_once",
        _whole_number(1, 256),
        "`32`",
        "Queries of one client to FHIR servers that one worker process runs at once; one more"
        " waits, within the deadline. In open mode all callers share them.",
    ),
    "CDS_FEEDBACK_BYTES_PER_HOUR": Setting(
        "feedback_bytes",
        _whole_number(100_000, 1_000_000_000),
        "`20000000`",
        "Bytes of feedback that one worker process takes of one client in an hour; more gets 429"
        " with `Retry-After`. In open mode each address is a client.",
    ),
    "CDS_QUEUE_MS": Setting(
        "queue",
        _milliseconds,
        "`150`",
        "Milliseconds a call waits for its turn where there is too much to do; after that it gets"
        " 503 with `Retry-After` and is not computed. Calls that come together after a pause may"
        " wait half a second. See"
        " [Operating](../operating.md#more-calls-than-it-can-answer).",
    ),
    "CDS_MAX_HEADER_BYTES": Setting(
        "max_header_bytes",
        _whole_number(8_192, 1_000_000),
        "`32768`",
        "The size of a request's head (request line and headers) that is always accepted; twice"
        " the size is always refused (431), as are more than 100 headers.",
    ),
    "CDS_MAX_NESTING": Setting(
        "max_nesting",
        _whole_number(16, 500),
        "`64`",
        "How deeply objects and arrays may be nested in drafted orders. The rest of a request may"
        " be as deep as the decoder allows, several hundred.",
    ),
    "CDS_MAX_ENTRIES": Setting(
        "max_entries",
        _whole_number(100, 1_000_000),
        "`5000`",
        "Entries of one Bundle, in the prefetch or over all pages of a FHIR server's answer.",
    ),
    "CDS_MAX_DRAFTS": Setting(
        "max_drafts",
        _whole_number(10, 10_000),
        "`200`",
        "Entries of `context.draftOrders`.",
    ),
    "CDS_MAX_DRAFT_BYTES": Setting(
        "max_draft_bytes",
        _whole_number(10_000, 1_000_000_000),
        "`400000`",
        "The size of `context.draftOrders`: every word of an order is read several times.",
    ),
    "CDS_MAX_TEXT": Setting(
        "max_text",
        _whole_number(512, 100_000),
        "`8192`",
        "Characters in any text outside the resources: ids, references, addresses and"
        " the access token.",
    ),
    "CDS_DATABASE_URL": Setting(
        "database_url",
        _database_url,
        f"`{DEFAULT_DATABASE}`",
        "Where consultations, feedback and used tokens are kept: `sqlite:///` and the path of a"
        " file (three slashes and a name: in the working folder; the demo takes a temporary one),"
        " `postgresql://user:password@host/name` for several replicas, or `none` to keep nothing.",
        secret=True,
    ),
    "CDS_DATABASE_PASSWORD_FILE": Setting(
        "database_password",
        _secret,
        "none",
        "A file that holds the password for `CDS_DATABASE_URL`, which then names a user without"
        " one: a secret of a container or a credential of systemd. Read at start.",
    ),
    "CDS_PSEUDONYM_KEY": Setting(
        "pseudonym_key",
        _key,
        "none",
        "The key that ids of patients and users are hashed with before they are kept, at least 16"
        " characters, the same for all replicas. Without it they are not kept at all, and"
        " features that must recognise a patient do not work.",
        secret=True,
    ),
    "CDS_PSEUDONYM_KEY_FILE": Setting(
        "pseudonym_key",
        _key_in_file,
        "none",
        "A file that holds the key, instead of `CDS_PSEUDONYM_KEY`. Read at start.",
    ),
    "CDS_FREE_TEXT_KEY": Setting(
        "free_text_keys",
        _cipher_keys,
        "none",
        "A key that encrypts what clients write as they like in feedback before it is kept, as"
        " `openssl rand -base64 32` makes it, the same for all replicas; older keys after it,"
        " separated by spaces. See [What is kept](../store.md#encrypting-comments).",
        secret=True,
    ),
    "CDS_FREE_TEXT_KEY_FILE": Setting(
        "free_text_keys",
        _cipher_keys_in_file,
        "none",
        "A file that holds such keys, the newest first, one a line, instead of"
        " `CDS_FREE_TEXT_KEY`. Read at start.",
    ),
    "CDS_PLAIN_IDS": Setting(
        "plain_ids",
        _flag,
        "`false`",
        "`true` keeps the ids of patients and users as they are sent, instead of hashes.",
    ),
    "CDS_RETENTION_DAYS": Setting(
        "retention_days",
        _whole_number(1, 36_500),
        "`730`",
        "Days after which `cds-service db prune` forgets consultations and feedback.",
    ),
    "CDS_REUSE_SECONDS": Setting(
        "reuse_seconds",
        _whole_number(0, 60),
        "`0` (off)",
        "Seconds for which what was read and judged of a chart may be used again for a call of the"
        " same content, as when a chart is reopened or one hook follows another. It is patient"
        " data in the memory of a worker: see [Operating](../operating.md).",
    ),
    "CDS_RESPECT_INFO_HOURS": Setting(
        "respect_info_hours",
        _whole_number(0, 2_160),
        "`0` (off)",
        "Hours for which an info card that was overridden for a patient is not shown to the same"
        " client again, unless any of it changes. Needs `CDS_CLIENTS_FILE` and a way to recognise"
        " patients. See [Trials](../trials.md).",
    ),
    "CDS_RESPECT_WARNING_HOURS": Setting(
        "respect_warning_hours",
        _whole_number(0, 168),
        "`0` (off)",
        "The same for warnings. Critical cards, checks of orders and all cards at `order-sign` are"
        " always shown.",
    ),
    "CDS_TRIALS": Setting(
        "trials",
        _trials,
        "none",
        "What is evaluated and recorded but not shown: `client:NAME`, `service:ID` or `rule:ID`,"
        " separated by commas or spaces; `+` joins conditions that must all"
        " hold, as in `client:north+rule:RTE-09`. Where two guidelines share a rule id, name the"
        " guideline too: `rule:GUIDELINE/RTE-09`.",
    ),
    "CDS_CHALLENGER_OVERRIDES": Setting(
        "challenger",
        _file,
        "none",
        "A second file like `CDS_GUIDELINE_OVERRIDES`, tried on every call after it is answered:"
        " recorded, never shown.",
    ),
}

#: Not settings: what Kubernetes says about every service of a namespace, here one called "cds",
#: and what this project's own tests read.
_is_not_ours = re.compile(
    r"CDS_(\w+_)?(SERVICE_(HOST|PORT(_\w+)?)|PORT(_\d+_\w+)?)|CDS_TEST_\w+|CDS_REQUIRE_ALL_TESTS"
).fullmatch


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings in ``environment``; `SettingsError` names variable, problem and fix."""
    values: dict[str, Any] = {}
    for name, text in environment.items():
        if not name.startswith("CDS_") or _is_not_ours(name):
            continue
        setting = _setting(name)
        if text.strip():
            if setting.field in values:
                raise SettingsError(name, "is set next to another of its kind", "Keep one of them.")
            values[setting.field] = setting.read(name, text.strip())
    settings = Settings(**values)
    for check in _CHECKS:
        check(settings)
    if settings.database_password:
        return replace(settings, database_url=_with_password(settings))
    return settings


def _with_password(settings: Settings) -> str:
    """The address of the database with the password from its file."""
    name, url = "CDS_DATABASE_PASSWORD_FILE", urlsplit(settings.database_url)
    if not url.username or url.password is not None or url.scheme != "postgresql":
        raise SettingsError(
            name,
            "CDS_DATABASE_URL is not the address of a user without a password",
            "Write it as postgresql://user@host/name, or remove the file.",
        )
    user, _, place = url.netloc.rpartition("@")
    password = quote(settings.database_password, safe="")
    return urlunsplit(url._replace(netloc=f"{user}:{password}@{place}"))


def _setting(name: str) -> Setting:
    """The setting of that ``name``; for any other, the most similar name is suggested."""
    if name not in SETTINGS:
        near = difflib.get_close_matches(name, SETTINGS, n=1, cutoff=0.0)[0]
        raise SettingsError(name, "is not a setting", f"Did you mean {near}?")
    return SETTINGS[name]


# --- settings that must go together ---------------------------------------------------------------


def _check_date(settings: Settings) -> None:
    """Refuses to tell a real patient's age on another day than today."""
    if settings.as_of and not settings.demo:
        raise SettingsError(
            "CDS_AS_OF",
            "a date other than today is for the demo only",
            "Remove it, or set CDS_DEMO=true.",
        )


def _check_ids(settings: Settings) -> None:
    """Refuses a key for ids that are kept as they are."""
    if settings.plain_ids and settings.pseudonym_key:
        raise SettingsError(
            "CDS_PLAIN_IDS",
            "ids are kept as they are, so CDS_PSEUDONYM_KEY would do nothing",
            "Remove one of the two.",
        )


def _check_encryption(settings: Settings) -> None:
    """Refuses to send a token over a network in the clear."""
    if settings.demo:
        return
    for server in sorted(settings.fhir_servers):
        if server.startswith("http://") and not is_loopback(urlsplit(server).hostname or ""):
            raise SettingsError(
                "CDS_FHIR_SERVERS",
                f"{server!r} is not encrypted, a token would be readable on the way",
                "Use its https address, or set CDS_DEMO=true for tests.",
            )


def _check_restraint(settings: Settings) -> None:
    """Refuses to respect answers that anyone could give, or that cannot be kept apart."""
    respect = settings.respect_info_hours or settings.respect_warning_hours
    name = "CDS_RESPECT_INFO_HOURS" if settings.respect_info_hours else "CDS_RESPECT_WARNING_HOURS"
    if respect and not (settings.clients_file or settings.demo):
        raise SettingsError(
            name,
            "anyone could silence advice by overriding it, since clients are not authenticated",
            "Register clients in CDS_CLIENTS_FILE, or remove it.",
        )
    if respect and not (settings.pseudonym_key or settings.plain_ids or settings.demo):
        raise SettingsError(
            name,
            "patients cannot be recognised without a key",
            "Set CDS_PSEUDONYM_KEY, or remove it.",
        )
    for asked, what in (
        (respect, name),
        (settings.trials, "CDS_TRIALS"),
        (settings.challenger, "CDS_CHALLENGER_OVERRIDES"),
    ):
        if asked and not settings.database_url:
            raise SettingsError(
                what, "it needs a database, and CDS_DATABASE_URL is none", "Remove one of the two."
            )


def _check_with_clients(settings: Settings) -> None:
    """Refuses to ask callers who they are and yet let others in unasked."""
    if not settings.clients_file:
        return
    if not settings.public_url:
        raise SettingsError(
            "CDS_PUBLIC_URL",
            "it is missing, so a client's token cannot be checked for its audience",
            "Set it to the address clients call, such as https://cds.example.org.",
        )
    if not settings.database_url:
        raise SettingsError(
            "CDS_DATABASE_URL",
            "it is none, so a token that was used before could not be recognised",
            "Name a database; all processes that answer the same clients need the same one.",
        )
    if settings.open:
        raise SettingsError(
            "CDS_OPEN",
            "callers cannot be let in unasked and be registered in CDS_CLIENTS_FILE at once",
            "Remove one of the two.",
        )
    if settings.fhir_servers:
        raise SettingsError(
            "CDS_FHIR_SERVERS",
            "it is for open mode, and CDS_CLIENTS_FILE is set",
            "Move the addresses to fhir_servers of the clients that may name them.",
        )


#: In this order, so that of several faults always the same is named first.
_CHECKS = (_check_date, _check_with_clients, _check_ids, _check_restraint, _check_encryption)


def check_address(settings: Settings, host: str) -> None:
    """Refuses to listen where strangers could call without being asked who they are."""
    if not (settings.open or settings.clients_file or is_loopback(host)):
        raise SettingsError(
            "CDS_OPEN",
            f"anyone who reaches {host} could call, since clients are not authenticated",
            "Listen on 127.0.0.1, register clients in CDS_CLIENTS_FILE, or set CDS_OPEN=true if"
            " the network keeps strangers out.",
        )


def describe_settings() -> str:
    """Every setting as a Markdown table, for a page in `docs/reference/`."""
    rows = [f"| `{name}` | {s.default} | {s.meaning} |" for name, s in SETTINGS.items()]
    return "\n".join(["| variable | default | meaning |", "|---|---|---|", *rows]) + "\n"
