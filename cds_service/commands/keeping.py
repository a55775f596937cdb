"""Maintaining and reading what is kept: ``db``, ``audit``, ``feedback``."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import IO, TYPE_CHECKING, Any

import click

from cds_service.commands import known_guidelines
from cds_service.errors import SettingsError

if TYPE_CHECKING:
    from cds_service.store.database import Database


_WITH_COMMENTS = "(kept; shown with --comments)"


@click.group()
def db() -> None:
    """Maintain the database named by CDS_DATABASE_URL."""


@db.command()
def upgrade() -> None:
    """Bring the tables to this program's version; run it again as often as you like."""
    with database_of_settings() as database:
        before, now = database.upgrade()
    if before == now:
        click.echo(f"The database already has version {now}.")
    else:
        click.echo(f"The database now has version {now} (before: {before or 'no tables'}).")


@db.command()
@click.option(
    "--days", type=click.IntRange(1), help="Instead of CDS_RETENTION_DAYS.", metavar="DAYS"
)
@click.option(
    "--compact", is_flag=True, help="Then rewrite the tables, smaller; calls wait meanwhile."
)
def prune(days: int | None, compact: bool) -> None:
    """Forget consultations, feedback, unknown codes and a site's settings that are no longer in
    force, older than CDS_RETENTION_DAYS."""
    from datetime import UTC, timedelta

    from cds_service.settings import read_settings

    days = days or read_settings(os.environ).retention_days
    with database_of_settings() as database:
        database.check()
        forgotten = database.prune(datetime.now(UTC) - timedelta(days=days))
        if compact:
            database.compact()
    told = ", ".join(f"{count} {what}" for what, count in forgotten.items())
    click.echo(f"Forgot what is older than {days} days: {told}.")


@db.command()
def seal() -> None:
    """Encrypt comments that are in the clear, or under an older key, with the first of
    CDS_FREE_TEXT_KEY_FILE. Afterwards older keys may be removed from it."""
    from cds_service.settings import read_settings
    from cds_service.store.sealing import Seals

    seals = Seals(read_settings(os.environ).free_text_keys)
    if not seals:
        raise SettingsError(
            "CDS_FREE_TEXT_KEY_FILE", "it is not set", "Name the file of keys, the newest first."
        )
    with database_of_settings() as database:
        database.check()
        done = database.seal(seals, _offered())
    click.echo(f"Encrypted the words of {done} items of feedback.")


@db.command()
@click.argument("to", type=click.Path(dir_okay=False, exists=False), metavar="FILE")
def backup(to: str) -> None:
    """Copy the SQLite file to FILE while the service runs; for PostgreSQL use pg_dump."""
    from pathlib import Path

    if os.path.lexists(to):
        raise click.ClickException(f"{to} exists already; name another file.")
    with database_of_settings() as database:
        if not database.is_sqlite:
            raise click.ClickException("This is PostgreSQL, which pg_dump backs up.")
        database.check()
        database.backup(Path(to))
    click.echo(f"{to} written.")


class _Moment(click.ParamType[datetime]):
    """A day, or a moment with its zone; a day alone is in UTC."""

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
    """Options that select which records a command is about."""
    for option in (
        click.option("--client", "clients", multiple=True, help="Only this client; repeatable."),
        click.option("--service", "services", multiple=True, help="Only this service; repeatable."),
        click.option("--until", type=_Moment(end=True), help="To the end of this day, or moment."),
        click.option("--since", type=_Moment(), help="From this day (UTC) or moment on."),
    ):
        command = option(command)
    return command


@click.group()
def audit() -> None:
    """Look at what was answered, and why."""


@audit.command()
@click.argument("name", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print everything that is kept, as JSON.")
@click.option("--comments", is_flag=True, help="Also what clinicians wrote; it may name a patient.")
def show(name: str, as_json: bool, comments: bool) -> None:
    """Explain the consultation ID: its name in the log, its hookInstance, or the uuid of a card."""
    import msgspec

    from cds_service.language import house
    from cds_service.store.audit import in_words

    with database_of_settings() as database:
        database.check()
        names = database.find(name)
        found = [database.consultation(one) for one in names]
    if not found:
        raise click.ClickException(f"{name}: no consultation or card with this name is kept.")
    read = _reading(comments)
    for one in found:
        for card in one["cards"]:
            card["feedback"] = [read(item) for item in card["feedback"]]
        if as_json:
            click.echo(msgspec.json.encode(one))
        else:
            click.echo("\n".join(in_words(one, house.language())) + "\n")


@audit.command()
@_selecting
@click.option(
    "--to", type=click.Path(dir_okay=False), help="Write to this file instead of standard output."
)
def export(
    since: datetime | None,
    until: datetime | None,
    services: tuple[str, ...],
    clients: tuple[str, ...],
    to: str | None,
) -> None:
    """Write what is kept as FHIR R4, one resource per line (NDJSON).

    Each call is an AuditEvent, each answer a GuidanceResponse, each item of feedback that was
    received in that time a Provenance. Nothing is repeated from one day's export to the next. At
    the end an AuditEvent for each chain says how far it has come, for audit verify --head.
    """
    from datetime import UTC

    import msgspec

    from cds_service.fhir import trail
    from cds_service.store.audit import without_free_words
    from cds_service.store.reports.figures import Selection

    chosen = Selection(since, until, services, clients)
    offered = _offered()
    with database_of_settings() as database, _private(to) as written:
        database.check()
        for row in database.consultations(chosen):
            for resource in trail.of_consultation(row):
                written.write(msgspec.json.encode(resource) + b"\n")
        for item in database.feedback(chosen):
            resource = trail.of_feedback(without_free_words(item, offered, ""))
            written.write(msgspec.json.encode(resource) + b"\n")
        for chain in database.heads():
            resource = trail.of_head(chain, datetime.now(UTC))
            written.write(msgspec.json.encode(resource) + b"\n")


@audit.command()
@click.option(
    "--head",
    "heads",
    multiple=True,
    metavar="HASH",
    help="A hash that was kept elsewhere, from the log or an export; repeatable.",
)
@click.option(
    "--unchained-until",
    "allowed",
    type=_Moment(end=True),
    help="When the last worker of a version without chains stopped; otherwise the first chain's"
    " beginning.",
)
def verify(heads: tuple[str, ...], allowed: datetime | None) -> None:
    """Hold every row against its chain, and against hashes kept elsewhere.

    Exits with 1 and names the first row that was changed, removed or added. Someone
    who can rewrite the whole database can rewrite its chains: only a hash kept elsewhere shows it.
    """
    with database_of_settings() as database:
        database.check()
        found = database.verify(heads)
    chained, faults = found.chained, [one.words for one in found.chained.broken]
    click.echo(f"Chains: {len(chained.chains)}, with {chained.rows} rows.")
    for one in chained.chains.values():
        click.echo(f"  {one['chain']} began {one['began']:%Y-%m-%d %H:%M:%S}, {_ending(one)}")
    for gone in chained.pruned:
        click.echo(
            f"Pruned: rows {gone.first} to {gone.last} of chain {gone.chain}, the youngest of"
            f" {gone.until:%Y-%m-%d %H:%M:%S}. That they were not altered before is not shown."
        )
    if found.unchained:
        click.echo(
            f"Unchained: {found.unchained} rows from before there were chains, the youngest of"
            f" {found.unchained_until:%Y-%m-%d %H:%M:%S}. Nothing is shown about them."
        )
    until = allowed or found.since
    if found.unchained_until and until and found.unchained_until > until:
        faults.append(
            f"a row of no chain is younger than {until:%Y-%m-%d %H:%M:%S}: it was added by another"
            " program, or by an older version (then say --unchained-until when that stopped)"
        )
    for head in heads:
        if head in chained.found:
            click.echo(f"{head} is the hash of {chained.found[head]}: up to there nothing changed.")
        else:
            faults.append(
                f"no row has the hash {head}: rows were rewritten or removed, unless it is from"
                " before the youngest pruned row"
            )
    if faults:
        raise click.ClickException("\n".join(f"broken: {one}" for one in faults))
    click.echo("Every row follows from the one before it.")
    if not heads:
        click.echo("Not held against a hash kept elsewhere (--head), so not against a rewriting.")


def _ending(chain: Mapping[str, Any]) -> str:
    return f"row {chain['number']} is its last: {chain['hash']}"


def _reading(comments: bool) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    """How an item of feedback is read: with what its client wrote as it liked, or without."""
    from cds_service.settings import read_settings
    from cds_service.store.audit import without_free_words
    from cds_service.store.sealing import Seals

    if comments:
        return Seals(read_settings(os.environ).free_text_keys).opened
    return partial(without_free_words, offered=_offered(), instead=_WITH_COMMENTS)


def _offered() -> dict[tuple[str, str], str]:
    """The reasons that cards offer here; what else is given as one is free text."""
    from cds_service.consultation import load_services
    from cds_service.consultation.services import offered_reasons
    from cds_service.settings import read_settings

    overrides = read_settings(os.environ).guideline_overrides
    return offered_reasons(load_services(overrides, known_guidelines()))


def _categories() -> dict[tuple[str, str], str]:
    """The standard's categories of all reasons that are known here."""
    from cds_service.consultation import load_services
    from cds_service.consultation.services import reason_categories
    from cds_service.settings import read_settings

    overrides = read_settings(os.environ).guideline_overrides
    return reason_categories(load_services(overrides, known_guidelines()))


@contextmanager
def _private(file: str | None) -> Iterator[IO[bytes]]:
    """``file``, made so that only this user can read it, or else standard output."""
    if file is None:
        yield sys.stdout.buffer
        return
    made = os.open(file, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    with os.fdopen(made, "wb") as written:
        yield written


@click.group()
def feedback() -> None:
    """Look at what happened to the cards."""


@feedback.command()
@_selecting
@click.option(
    "--ignored-after",
    type=click.FloatRange(0),
    default=24.0,
    show_default=True,
    metavar="HOURS",
    help="A card unanswered for this long counts as ignored; a younger one does not count yet.",
)
@click.option("--json", "form", flag_value="json", help="Print every figure as JSON.")
@click.option("--csv", "form", flag_value="csv", help="Print one table for a spreadsheet.")
@click.option("--html", type=click.Path(dir_okay=False), help="Write one page with plots.")
@click.option(
    "--comments", is_flag=True, help="Also reasons that the cards did not offer, in full."
)
def report(
    since: datetime | None,
    until: datetime | None,
    services: tuple[str, ...],
    clients: tuple[str, ...],
    ignored_after: float,
    form: str | None,
    html: str | None,
    comments: bool,
) -> None:
    """Accepted, overridden and ignored cards: by rule, urgency, hook, client, week, edition."""
    from datetime import UTC, timedelta

    import msgspec

    from cds_service.language import house
    from cds_service.store.reports import page, words
    from cds_service.store.reports.figures import Selection, in_categories, make_report

    chosen = Selection(since, until, services, clients)
    with database_of_settings() as database:
        database.check()
        rows = database.rows(chosen, _reading(comments))
    made = make_report(rows, chosen, datetime.now(UTC), timedelta(hours=ignored_after))
    made = in_categories(made, rows, _categories())
    if html:
        from cds_service.consultation import load_services
        from cds_service.consultation.services import guidelines_of
        from cds_service.store.audit import qualified

        meanings = {
            qualified(guideline.wording.about.id, name): rule.result
            for guideline in guidelines_of(load_services(guidelines=known_guidelines()))
            for name, rule in guideline.wording.rules.items()
        }
        with _private(html) as written:
            written.write(page.as_html(made, meanings, house.language()).encode())
        click.echo(f"{html} written.", err=bool(form))
    if form == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(made)))
    elif form == "csv":
        click.echo(words.as_csv(made), nl=False)
    elif not html:
        click.echo("\n".join(words.in_words(made, house.language())))


@contextmanager
def database_of_settings() -> Iterator[Database]:
    """The database of the settings, for a command; its errors become one sentence."""
    from cds_service.errors import Unavailable
    from cds_service.settings import read_settings

    url = read_settings(os.environ).database_url
    if not url:
        raise SettingsError("CDS_DATABASE_URL", "nothing is kept", "Name the database.")

    from cds_service.store.database import Database

    database = Database(url)
    try:
        yield database
    except Unavailable as error:
        raise click.ClickException(f"CDS_DATABASE_URL: {error.problem}") from None
    finally:
        database.close()
