"""The command line: ``cds-service`` or ``python -m cds_service``.

Each command imports what it needs when it runs, so that none waits for another's libraries.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

import click

from cds_service.errors import ServiceError, SettingsError, StartupError

if TYPE_CHECKING:
    from cds_service.cases import Case
    from cds_service.database import Database
    from cds_service.guidelines.b12_under_two import Guideline
    from cds_service.settings import Settings

#: Requests a worker has in hand. Most only wait for their bodies: `web.py` says how many may, and
#: how many calls are worked on at once.
_THREADS = 64
#: Milliseconds a caller has for sending the head of a request.
_HEAD_MS = 10_000
#: How long a FHIR server may take for all the resources of one sample infant.
_TRANSACTION_S = 60.0
#: How long one that is still starting may take to say what it can do.
_METADATA_S = 10.0


class _Commands(click.Group):
    """Shows why the program refuses to start as one line, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except StartupError as error:
            raise click.ClickException(str(error)) from None


@click.group(cls=_Commands)
@click.version_option(package_name="b12-cds-service")
def main() -> None:
    """An open CDS Hooks service for vitamin B12 deficiency in children under two years."""


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(1, 65535))
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 256))
@click.option(
    "--demo", is_flag=True, help="Same as CDS_DEMO=true: with sample infants. Not for patients."
)
@click.option(
    "--samples",
    type=click.Path(exists=True, file_okay=False),
    help="Folder of the sample infants; otherwise the checkout's. Same as CDS_SAMPLES.",
)
def serve(host: str, port: int, workers: int, demo: bool, samples: str | None) -> None:
    """Answer CDS Hooks calls until stopped."""
    from cds_service.settings import check_address, read_settings

    if demo:
        os.environ["CDS_DEMO"] = "true"
    if samples:
        os.environ["CDS_SAMPLES"] = samples
    with ExitStack() as until_stopped:
        if read_settings(os.environ).demo and not os.environ.get("CDS_DATABASE_URL"):
            folder = until_stopped.enter_context(_temporary_folder())
            os.environ["CDS_DATABASE_URL"] = f"sqlite:///{folder}/demo.sqlite"
        os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
        if workers > 1:
            # Before anything imports prometheus_client: there the workers add up their counts.
            folder = until_stopped.enter_context(_temporary_folder())
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        settings = read_settings(os.environ)
        check_address(settings, host)

        from cds_service.app import create, work
        from cds_service.store import check_database

        # What would stop a worker stops the program here, before it listens.
        create()
        if settings.database_url:
            check_database(settings.database_url)
        listen(
            work,
            host,
            port,
            workers,
            lambda base: _greeting(settings, base),
            max_header_bytes=settings.max_header_bytes,
        )


def _temporary_folder() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="b12-cds-service-", ignore_cleanup_errors=True)


def _greeting(settings: Settings, base: str) -> str:
    notes = []
    if not settings.database_url:
        notes.append("Nothing is kept: CDS_DATABASE_URL is none.")
    elif not (settings.pseudonym_key or settings.plain_ids or settings.demo):
        notes.append("Calls are kept without patient and user: CDS_PSEUDONYM_KEY is not set.")
    if settings.demo:
        notes.append(_how_to_try(settings, base))
    return "\n".join(notes)


def _how_to_try(settings: Settings, base: str) -> str:
    """What somebody who sees the demo for the first time can do with it."""
    from cds_service.app import sample_stories

    lines = ["Demo, not for patients."]
    if settings.clients_file is not None:
        lines.append("Clients are registered: every call needs a token (cds-service token).")
    elif settings.workbench:
        lines.append(f"Open {base}/ in a browser: it plays the EHR and shows the reasoning.")
    lines.append(f"A CDS Hooks client is given {base}/cds-services.")
    stories = sample_stories(settings)
    if stories:
        story = next((n for n in stories if n.startswith("vegan-mother-low-b12")), min(stories))
        lines += [
            f"{len(stories)} sample infants, told as if today were the day of their story:"
            f" {base}/samples",
        ]
        if settings.clients_file is None:
            lines += [
                "Try one:",
                f"  curl -s {base}/samples/{story}/request.json \\",
                f"    | curl -s {base}/cds-services/b12-under-two-patient-view \\",
                "        -H 'Content-Type: application/json' --data-binary @-",
            ]
    else:
        lines.append("No sample infants here: say where with --samples.")
    return "\n".join(lines)


def listen(
    create: Callable[[], Callable[..., Any]],
    host: str,
    port: int,
    workers: int,
    greeting: Callable[[str], str] = lambda base: "",
    *,
    max_header_bytes: int = 32_768,
) -> None:
    """Serves what ``create`` makes in each worker; the benchmark serves others the same way.

    ``greeting`` is what to say besides once it listens, given its address.
    """
    from granian.constants import HTTPModes, Interfaces
    from granian.http import HTTP1Settings
    from granian.log import LogLevels
    from granian.server import Server

    address = _free_address(host, port)
    server = Server(
        f"{create.__module__}:{create.__name__}",
        address=address,
        port=port,
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=_THREADS,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(
            header_read_timeout=_HEAD_MS, max_buffer_size=max_header_bytes
        ),
        websockets=False,
        log_level=LogLevels.warning,
        # One that crashes again within seconds of its start ends the service.
        respawn_failed_workers=True,
        workers_kill_timeout=10,
    )
    shown = f"[{address}]" if ":" in address else address
    base = f"http://{shown}:{port}"

    def greet() -> None:
        said = greeting(base)
        click.echo(f"Listening on {base}/cds-services" + (f"\n{said}" if said else ""))

    server.on_startup(greet)
    server.serve(target_loader=create, wrap_loader=False)


def _free_address(host: str, port: int) -> str:
    """The IP address of ``host``, having seen that ``port`` is free there."""
    try:
        family, _, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        socket.create_server(where[:2], family=family).close()
    except OSError as error:
        raise SettingsError(
            f"--host {host} --port {port}",
            f"the service cannot listen there ({error.strerror})",
            "Choose another --port or --host, or stop what listens there.",
        ) from None
    return str(where[0])


# --- one case -----------------------------------------------------------------------------------


class _Refused(click.ClickException):
    """Input that cannot be evaluated, in one sentence."""

    exit_code = 2


@main.command()
@click.argument("file")
@click.option("--hook", default="", help="Instead of the request's own; patient-view for a Bundle.")
@click.option("--patient", default="", metavar="ID", help="Which patient of a Bundle of several.")
@click.option("--as-of", type=click.DateTime(["%Y-%m-%d"]), help="Evaluate on this date.")
@click.option("--explain", is_flag=True, help="Print what is known, and every rule with its why.")
@click.option("--json", "as_json", is_flag=True, help="Print the exact response.")
@click.option("--validate", is_flag=True, help="Also list what is not valid FHIR (R4B models).")
def evaluate(
    file: str,
    hook: str,
    patient: str,
    as_of: datetime | None,
    explain: bool,
    as_json: bool,
    validate: bool,
) -> None:
    """Print the cards for FILE ("-" for standard input).

    FILE is a CDS Hooks request, or a FHIR Bundle with the whole record of a patient: what is not
    in it is known not to be there. No FHIR server is asked. A Bundle is evaluated on the date of
    its timestamp if it has one, anything else today, unless --as-of or CDS_AS_OF says otherwise.
    """
    from cds_service.cases import NO_SERVER, in_words, read_case
    from cds_service.cdshooks.response import encode
    from cds_service.consultation import consult, load_services
    from cds_service.settings import read_settings

    settings = read_settings(os.environ)
    services = load_services(settings.guideline_overrides)
    try:
        case = read_case(_content(file), services, hook, patient)
        on, because = _date_of(case, as_of.date() if as_of else None, settings)
        response = consult(
            case.service,
            case.asked,
            None,
            on=on,
            as_of_is_set=bool(because),
            no_server=NO_SERVER,
            one_action=settings.one_action,
        ).response
    except ServiceError as error:
        raise _Refused(f"{file}: {error.text}") from None
    problems = list(_validation(case)) if validate else []
    if as_json:
        click.echo(encode(response))
        for problem in problems:
            click.echo(problem, err=True)
        return
    about = case.service.guideline.file.guideline
    click.echo(f"{case.origin[0].upper()}{case.origin[1:]}, evaluated as of {on}{because}.")
    click.echo(f"Guideline {about.id}, edition {about.edition}. {about.review_status}\n")
    click.echo(in_words(response))
    if explain:
        click.echo(f"\n{_explained(case, on)}")
    if validate:
        click.echo(f"\nValidation of {len(case.resources)} resources with the R4B models:")
        for problem in problems or ["nothing to object to"]:
            click.echo(f"  {problem}")


def _content(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise _Refused(f"{file}: cannot be read ({error.strerror}).") from None


def _date_of(case: Case, as_of: date | None, settings: Settings) -> tuple[date, str]:
    """The date of evaluation, and in words why it is not today ("" when it is)."""
    today = date.today()
    for on, why in (
        (as_of, " (--as-of)"),
        (settings.as_of, " (CDS_AS_OF)"),
        (case.written, ", the date of the Bundle's timestamp"),
    ):
        if on is not None:
            return on, why if on != today else ""
    return today, ""


def _explained(case: Case, on: date) -> str:
    from cds_service.consultation import examine
    from cds_service.guidelines.b12_under_two.explain import explain

    examined = examine(case.service, case.asked, None, on=on)
    return explain(examined.evaluation, examined.record, case.service.guideline)


def _validation(case: Case) -> Iterator[str]:
    """What the R4B models refuse, a line each; the values that were sent are not repeated."""
    import json

    from fhir.resources.R4B import get_fhir_model_class
    from pydantic import ValidationError

    for raw in case.resources:
        resource = json.loads(bytes(raw))
        kind = resource.get("resourceType") if isinstance(resource, dict) else None
        name = f"{kind}/{resource.get('id', '(no id)')}" if kind else "a resource without a type"
        try:
            model = get_fhir_model_class(str(kind))
        except (KeyError, LookupError):
            yield f"{name}: is no FHIR resource"
            continue
        try:
            model.model_validate_json(bytes(raw))
        except ValidationError as error:
            for one in error.errors(include_input=False, include_url=False):
                where = ".".join(map(str, one["loc"])) or "the resource"
                yield f"{name}: {where}: {one['msg']}"


# --- the data -----------------------------------------------------------------------------------


@main.command()
@click.option("--overrides", type=click.Path(), help="Instead of CDS_GUIDELINE_OVERRIDES.")
@click.option("--settings", "show", is_flag=True, help="Also print each setting in force.")
def check(overrides: str | None, show: bool) -> None:
    """Check guideline data, code lists, a site's overrides and the settings."""
    from cds_service.consultation import check_orders, load_services
    from cds_service.settings import SETTINGS, read_settings

    settings = read_settings(os.environ)
    path = Path(overrides) if overrides else settings.guideline_overrides
    services = load_services(path)
    for g in {one.guideline.file.guideline.id: one.guideline for one in services}.values():
        for line in _counted(g, check_orders(g)):
            click.echo(line)
        local = g.local
        click.echo(f"  local settings from {path}:" if path else "  no local settings")
        for name in local:
            click.echo(f"    {name}")
        if path and not local:
            click.echo("    none: the file changes nothing")
    if settings.clients_file:
        _check_clients(settings)
    if settings.trials:
        from cds_service.app import make_restraint

        make_restraint(settings, services, None)
        click.echo(f"Trials: {len(settings.trials)}, of what is there.")
    if settings.challenger:
        changed = load_services(settings.challenger)[0].guideline.local
        click.echo(f"Challenger: {', '.join(changed) or 'changes nothing'}.")
    given = [name for name in SETTINGS if os.environ.get(name, "").strip()]
    click.echo(f"Settings: {', '.join(given) or 'all at their defaults'}.")
    if show:
        for name, setting in SETTINGS.items():
            value, plain = os.environ.get(name, "").strip(), setting.default.replace("`", "")
            value = "(set, not shown)" if value and setting.secret else value
            click.echo(f"  {name} = {value or f'(default: {plain})'}")
    click.echo("Nothing to object to.")


def _check_clients(settings: Settings) -> None:
    from cds_service.app import make_door
    from cds_service.clients import read_clients

    assert settings.clients_file is not None  # noqa: S101
    make_door(settings)  # reads the keys that lie in files
    clients = read_clients(settings.clients_file, plain_http=settings.demo)
    click.echo(f"Clients: {len(clients)} in {settings.clients_file}")
    for client in clients:
        keys = client.jwks_file or client.jwks_url
        click.echo(f"  {client.name}: {client.issuer}, keys from {keys}")
        click.echo(f"    may name {', '.join(sorted(client.fhir_servers)) or 'no FHIR server'}")


def _counted(g: Guideline, orders: int) -> Iterator[str]:
    file = g.file
    lists = [getattr(g.codes, name) for name in g.codes.__struct_fields__]
    rows = [row for one in lists for row in one.codes]
    verified = sum(row.verified for row in rows)
    yield f"Guideline {file.guideline.id}, edition {file.guideline.edition}"
    yield (
        f"  {len(file.limits.__struct_fields__)} limits, {len(file.doses.__struct_fields__)} doses,"
        f" {len(file.products.__struct_fields__)} products, {len(file.tests.__struct_fields__)}"
        f" tests: the {orders} orders they can make are valid FHIR R4"
    )
    yield (
        f"  {len(file.rules)} rules, {len(file.cards)} cards, {len(file.statements)} statements,"
        f" {len(file.sources)} sources: every name leads somewhere"
    )
    yield (
        f"  {len(lists)} code lists with {len(rows)} codes: {verified} decide,"
        f" {len(rows) - verified} are unverified and only named to people"
    )


@main.command()
@click.option("--check", "only_check", is_flag=True, help="Write nothing; fail if a page is stale.")
@click.option("--to", default="docs/guidelines", show_default=True, type=click.Path())
def describe(only_check: bool, to: str) -> None:
    """Write each guideline's page from its data."""
    from cds_service.consultation import load_services
    from cds_service.fhir.gather import prefetch_template
    from cds_service.guidelines.b12_under_two.describe import describe as described

    stale = []
    guidelines = {one.guideline.file.guideline.id: one.guideline for one in load_services()}
    for name, guideline in guidelines.items():
        path = Path(to) / f"{name}.md"
        page = described(guideline, prefetch_template)
        before = path.read_text(encoding="utf-8") if path.is_file() else ""
        if before == page:
            click.echo(f"{path} is up to date.")
        elif only_check:
            stale.append(path)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(page, encoding="utf-8")
            click.echo(f"{path} written.")
    if stale:
        names = ", ".join(map(str, stale))
        raise click.ClickException(f"{names}: stale. Run cds-service describe and commit the page.")


# --- what is kept -------------------------------------------------------------------------------


@main.group()
def db() -> None:
    """Look after the database named by CDS_DATABASE_URL."""


@db.command()
def upgrade() -> None:
    """Bring the tables to this program's version; run it again as often as you like."""
    with _database() as database:
        before, now = database.upgrade()
    if before == now:
        click.echo(f"The database is of version {now} already.")
    else:
        click.echo(f"The database is of version {now} now ({before or 'no tables'} before).")


@db.command()
@click.option(
    "--days", type=click.IntRange(1), help="Instead of CDS_RETENTION_DAYS.", metavar="DAYS"
)
def prune(days: int | None) -> None:
    """Forget consultations and feedback older than CDS_RETENTION_DAYS."""
    from datetime import UTC, timedelta

    from cds_service.settings import read_settings

    days = days or read_settings(os.environ).retention_days
    with _database() as database:
        database.check()
        forgotten = database.prune(datetime.now(UTC) - timedelta(days=days))
    told = " and ".join(f"{count} {what}" for what, count in forgotten.items())
    click.echo(f"Forgot {told} older than {days} days.")


class _Moment(click.ParamType[datetime]):
    """A day, or a moment with its zone; a day without more is by UTC."""

    name = "day or moment"

    def __init__(self, *, end: bool = False) -> None:
        self._end = end

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        from datetime import UTC, timedelta

        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value} is neither a day such as 2026-01-15 nor a moment.", param, ctx)
        if len(value) == len("2026-01-15"):
            moment += timedelta(days=self._end)
        elif moment.tzinfo is None:
            self.fail(f"{value} needs a zone, such as 2026-01-15T09:30:00Z.", param, ctx)
        return moment.replace(tzinfo=moment.tzinfo or UTC)


def _selecting(command: Callable[..., None]) -> Callable[..., None]:
    """Options for which of what is kept a command is about."""
    for option in (
        click.option("--client", "clients", multiple=True, help="Only this client; repeatable."),
        click.option("--service", "services", multiple=True, help="Only this service; repeatable."),
        click.option("--until", type=_Moment(end=True), help="To the end of this day, or moment."),
        click.option("--since", type=_Moment(), help="From this day (UTC) or moment on."),
    ):
        command = option(command)
    return command


@main.group()
def audit() -> None:
    """Look at what was answered, and why."""


@audit.command()
@click.argument("name", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print all that is kept, as JSON.")
@click.option("--comments", is_flag=True, help="Also what clinicians wrote; it may name a patient.")
def show(name: str, as_json: bool, comments: bool) -> None:
    """Explain the consultation ID: its name in the log, its hookInstance, or the uuid of a card."""
    import msgspec

    from cds_service.audit import in_words

    with _database() as database:
        database.check()
        names = database.find(name)
        found = [database.consultation(one) for one in names]
    if not found:
        raise click.ClickException(f"{name}: no consultation or card of this name is kept.")
    for one in found:
        if not comments:
            for item in (item for card in one["cards"] for item in card["feedback"]):
                item["comment"] = item["comment"] and "(kept; shown with --comments)"
                item["extension"] = item["extension"] and "(kept; shown with --comments)"
        if as_json:
            click.echo(msgspec.json.encode(one))
        else:
            click.echo("\n".join(in_words(one)) + "\n")


@audit.command()
@_selecting
@click.option(
    "--to", type=click.Path(dir_okay=False), help="Into this file instead of standard output."
)
def export(
    since: datetime | None,
    until: datetime | None,
    services: tuple[str, ...],
    clients: tuple[str, ...],
    to: str | None,
) -> None:
    """Write what is kept as FHIR R4, one resource a line (NDJSON).

    Each call is an AuditEvent, each answer a GuidanceResponse, each item of feedback that was
    received in that time a Provenance. Nothing is repeated from one day's export to the next.
    """
    import msgspec

    from cds_service.fhir import trail
    from cds_service.reports.figures import Selection

    chosen = Selection(since, until, services, clients)
    with _database() as database, click.open_file(to or "-", "wb") as written:
        database.check()
        for row in database.consultations(chosen):
            for resource in trail.of_consultation(row):
                written.write(msgspec.json.encode(resource) + b"\n")
        for item in database.feedback(chosen):
            written.write(msgspec.json.encode(trail.of_feedback(item)) + b"\n")


@main.group()
def feedback() -> None:
    """Look at what became of the cards."""


@feedback.command()
@_selecting
@click.option(
    "--ignored-after",
    type=click.FloatRange(0),
    default=24.0,
    show_default=True,
    metavar="HOURS",
    help="A card unanswered for so long counts as ignored; a younger one does not count yet.",
)
@click.option("--json", "form", flag_value="json", help="Print every figure as JSON.")
@click.option("--csv", "form", flag_value="csv", help="Print one table for a spreadsheet.")
@click.option("--html", type=click.Path(dir_okay=False), help="Write one page with plots.")
def report(
    since: datetime | None,
    until: datetime | None,
    services: tuple[str, ...],
    clients: tuple[str, ...],
    ignored_after: float,
    form: str | None,
    html: str | None,
) -> None:
    """What is taken, overridden and ignored: by rule, urgency, hook, client, week and edition."""
    from datetime import UTC, timedelta

    import msgspec

    from cds_service.reports import page, words
    from cds_service.reports.figures import Selection, make_report

    chosen = Selection(since, until, services, clients)
    with _database() as database:
        database.check()
        rows = database.rows(chosen)
    made = make_report(rows, chosen, datetime.now(UTC), timedelta(hours=ignored_after))
    if html:
        from cds_service.consultation import load_services

        rules = load_services()[0].guideline.file.rules
        meanings = {name: rule.result for name, rule in rules.items()}
        Path(html).write_text(page.as_html(made, meanings), encoding="utf-8")
        click.echo(f"{html} written.", err=bool(form))
    if form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(made)))
    elif form == "csv":
        click.echo(words.as_csv(made), nl=False)
    elif not html:
        click.echo("\n".join(words.in_words(made)))


@contextmanager
def _database() -> Iterator[Database]:
    """The database of the settings, for a command; what keeps it from working in a sentence."""
    from cds_service.errors import Unavailable
    from cds_service.settings import read_settings

    url = read_settings(os.environ).database_url
    if not url:
        raise SettingsError("CDS_DATABASE_URL", "nothing is kept", "Name the database.")

    from cds_service.database import Database

    database = Database(url, patient=True)
    try:
        yield database
    except Unavailable as error:
        raise click.ClickException(f"CDS_DATABASE_URL: {error.problem}") from None
    finally:
        database.close()


# --- keys and tokens, to try client authentication ----------------------------------------------


@main.command()
@click.argument("name")
@click.option("--alg", default="ES384", show_default=True, type=click.Choice(["ES384", "RS384"]))
def key(name: str, alg: str) -> None:
    """Make a key pair: NAME.pem to sign tokens with, NAME.json for the register of clients.

    For tests, and for clients that have no key yet. Existing files are never overwritten.
    """
    import msgspec

    from cds_service.keys import make_key, public_jwk, read_key

    private, public = Path(f"{name}.pem"), Path(f"{name}.json")
    for path in (private, public):
        if path.exists():
            raise click.ClickException(f"{path} exists already. Choose another name.")
    pem = make_key(alg)
    jwks = msgspec.json.format(
        msgspec.json.encode({"keys": [public_jwk(read_key(pem).public_key())]})
    )
    for path, content, mode in ((private, pem, 0o600), (public, jwks + b"\n", 0o644)):
        try:
            created = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(created, "wb") as out:
                out.write(content)
        except OSError as error:
            raise click.ClickException(f"{path}: {error.strerror}.") from None
    click.echo(f"{private} is secret: whoever has it can call as this client.")
    click.echo(f'{public} is for the register beside it: jwks_file = "{public.name}"')


@main.command()
@click.option("--key", "pem", required=True, type=click.Path(exists=True, dir_okay=False))
@click.option("--issuer", required=True, help="The client's issuer in the register.")
@click.option("--audience", required=True, help="The address the token is for: that of the call.")
@click.option("--seconds", default=300, show_default=True, help="How long the token is good.")
@click.option("--jku", default="", help="Where the keys are, as some clients say.")
@click.option("--tenant", default="", help="The tenant, if the client has several.")
def token(pem: str, issuer: str, audience: str, seconds: int, jku: str, tenant: str) -> None:
    """Print a signed token, good for one call.

    What an EHR does for each call; here to try client authentication and to test a register.
    """
    from time import time

    from cds_service.keys import make_token, read_key

    try:
        signing = read_key(Path(pem).read_bytes())
    except (OSError, ValueError, TypeError):
        raise click.ClickException(
            f"{pem}: no private key of ES384 or RS384 without a password. Make one with"
            " cds-service key."
        ) from None
    click.echo(make_token(signing, issuer, audience, int(time()), seconds, jku=jku, tenant=tenant))


# --- the sample infants on a FHIR server ---------------------------------------------------------


@main.group()
def samples() -> None:
    """The sample infants, for a FHIR test server to hold."""


@samples.command()
@click.option("--fhir", "address", required=True, metavar="URL", help="The server's base address.")
@click.option("--delete", is_flag=True, help="Take away what was loaded.")
@click.option(
    "--samples",
    "folder",
    type=click.Path(exists=True, file_okay=False),
    help="Folder of the sample infants; otherwise the checkout's.",
)
@click.option(
    "--as-of", type=click.DateTime(["%Y-%m-%d"]), help="Tell the stories as if today were this day."
)
@click.option(
    "--wait",
    default=0,
    show_default=True,
    type=click.IntRange(0, 3600),
    metavar="SECONDS",
    help="How long to wait for a server that is still starting.",
)
def load(address: str, delete: bool, folder: str | None, as_of: datetime | None, wait: int) -> None:
    """Put every sample infant on an R4 test server, told as if today were the day of its story.

    Each story is one transaction of resources under ids of their own, so loading again changes
    nothing but the dates. Never load them onto a server with real patients.
    """
    from cds_service.fhir.server import FhirServer
    from cds_service.fhir.transactions import Outcome, transact
    from cds_service.samples import find_folder, shifted, stories
    from cds_service.security import Refused, approve_fhir_server, normal_base_address

    base = normal_base_address(address)
    # Whoever types the address has listed it.
    server = approve_fhir_server(address, listed={getattr(base, "url", "")}, demo=True)
    if isinstance(server, Refused):
        raise _Refused(f"--fhir: {server.reason}.")
    where = Path(folder) if folder else find_folder(Path(__file__).parent)
    told = stories(where) if where else {}
    if not told:
        raise _Refused("No sample infants here: say where with --samples.")
    ends = monotonic() + wait
    while wait and (answer := FhirServer(server, None, _METADATA_S).ask("metadata")).problem:
        if monotonic() >= ends:
            raise _Refused(f"{server.url}: {answer.problem}, asked for its metadata.")
        sleep(1)
    on = as_of.date() if as_of else date.today()
    left_out: dict[str, list[str]] = {}
    refused: dict[str, list[str]] = {}
    done: list[Outcome] = []
    label = "Deleting" if delete else "Loading"
    with click.progressbar(told.values(), label=label, file=sys.stderr) as progress:
        for story in progress:
            now = story if delete else shifted(story, on)
            if story.fhir_version != "R4":
                left_out.setdefault(f"written in FHIR {story.fhir_version}", []).append(story.name)
            elif now is None:
                why = "no birth date gives this child's age on this day"
                left_out.setdefault(why, []).append(story.name)
            else:
                record = [entry["resource"] for entry in now.patient["entry"]]
                writer = FhirServer(server, None, _TRANSACTION_S)
                outcome = transact(writer, "DELETE" if delete else "PUT", record)
                if not outcome.answered:
                    raise _Refused(
                        f"{server.url}: {outcome.refused}; {len(done)} stories were done before."
                    )
                if outcome.refused:
                    refused.setdefault(outcome.refused, []).append(story.name)
                else:
                    done.append(outcome)
    if delete:
        counted = f"{sum(one.deleted for one in done)} resources deleted"
    else:
        created, updated = sum(one.created for one in done), sum(one.updated for one in done)
        counted = f"{created} resources created, {updated} updated"
        click.echo(f"Told as if today were the day of each story: {on}.")
    click.echo(f"{len(done)} of {len(told)} stories on {server.url}: {counted}.")
    for what, found in (("Left out", left_out), ("Refused", refused)):
        for why, names in found.items():
            click.echo(f"{what}, {len(names)} ({why}): {', '.join(names)}")
    if refused:
        raise _Refused(f"{sum(map(len, refused.values()))} stories were refused.")


if __name__ == "__main__":
    main()
