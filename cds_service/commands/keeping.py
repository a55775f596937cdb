"""Maintaining and reading what is kept: ``db``, ``audit``, ``feedback``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cds_service.commands import known_guidelines
from cds_service.errors import SettingsError

if TYPE_CHECKING:
    from cds_service.store.database import Database


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
def prune(days: int | None) -> None:
    """Forget consultations, feedback and unknown codes older than CDS_RETENTION_DAYS."""
    from datetime import UTC, timedelta

    from cds_service.settings import read_settings

    days = days or read_settings(os.environ).retention_days
    with database_of_settings() as database:
        database.check()
        forgotten = database.prune(datetime.now(UTC) - timedelta(days=days))
    told = ", ".join(f"{count} {what}" for what, count in forgotten.items())
    click.echo(f"Forgot what is older than {days} days: {told}.")


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
    for one in found:
        if not comments:
            for item in (item for card in one["cards"] for item in card["feedback"]):
                item["comment"] = item["comment"] and "(kept; shown with --comments)"
                item["extension"] = item["extension"] and "(kept; shown with --comments)"
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
    received in that time a Provenance. Nothing is repeated from one day's export to the next.
    """
    import msgspec

    from cds_service.fhir import trail
    from cds_service.store.reports.figures import Selection

    chosen = Selection(since, until, services, clients)
    with database_of_settings() as database, click.open_file(to or "-", "wb") as written:
        database.check()
        for row in database.consultations(chosen):
            for resource in trail.of_consultation(row):
                written.write(msgspec.json.encode(resource) + b"\n")
        for item in database.feedback(chosen):
            written.write(msgspec.json.encode(trail.of_feedback(item)) + b"\n")


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
def report(
    since: datetime | None,
    until: datetime | None,
    services: tuple[str, ...],
    clients: tuple[str, ...],
    ignored_after: float,
    form: str | None,
    html: str | None,
) -> None:
    """Accepted, overridden and ignored cards: by rule, urgency, hook, client, week, edition."""
    from datetime import UTC, timedelta

    import msgspec

    from cds_service.language import house
    from cds_service.store.reports import page, words
    from cds_service.store.reports.figures import Selection, make_report

    chosen = Selection(since, until, services, clients)
    with database_of_settings() as database:
        database.check()
        rows = database.rows(chosen)
    made = make_report(rows, chosen, datetime.now(UTC), timedelta(hours=ignored_after))
    if html:
        from cds_service.consultation import load_services
        from cds_service.consultation.services import guidelines_of
        from cds_service.store.audit import qualified

        meanings = {
            qualified(guideline.wording.about.id, name): rule.result
            for guideline in guidelines_of(load_services(guidelines=known_guidelines()))
            for name, rule in guideline.wording.rules.items()
        }
        Path(html).write_text(page.as_html(made, meanings, house.language()), encoding="utf-8")
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
