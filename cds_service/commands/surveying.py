"""The whole clinic at once: ``cohort``."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cds_service.errors import SettingsError

if TYPE_CHECKING:
    from cds_service.consultation.cohort.running import Done, Job
    from cds_service.settings import Settings


class _RunsByDefault(click.Group):
    """``cohort SOURCE`` is short for ``cohort run SOURCE``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_RunsByDefault)
def cohort() -> None:
    """Evaluate every child of a source, as patient-view would: cohort SOURCE --out DIR."""


@cohort.command()
@click.argument("source")
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="A new folder for the outcome."
)
@click.option(
    "--fhir", default="", metavar="URL", help="A Bulk Data server whose exports SOURCE is to keep."
)
@click.option(
    "--group", default="", metavar="ID", help="Of that server only this Group's members of the day."
)
@click.option("--as-of", type=click.DateTime(["%Y-%m-%d"]), help="Evaluate on this date.")
@click.option("--guideline", default="", metavar="ID", help="Instead of the first one.")
@click.option("--language", default="", metavar="TAG", help="Instead of CDS_LANGUAGE.")
@click.option(
    "--engine",
    type=click.Choice(["processes", "spark"]),
    default="processes",
    show_default=True,
    help="Processes of this machine, or Spark: of this machine, or as spark-submit says.",
)
@click.option("--resume", is_flag=True, help="Go on with a run that was broken off.")
@click.option("--plain-ids", is_flag=True, help="Keep ids, references and suggestions as they are.")
@click.option(
    "--exported",
    multiple=True,
    metavar="TYPE",
    help="A type of resource that was exported, though there may be none: then none is known.",
)
@click.option("--small-cells", is_flag=True, help="Show groups of fewer than five children.")
@click.option("--workers", type=click.IntRange(1), help="Processes; by default one a core.")
@click.option(
    "--memory", type=click.IntRange(256), default=2048, show_default=True, help="Megabytes."
)
def run(
    source: str,
    out: Path,
    fhir: str,
    group: str,
    as_of: datetime | None,
    guideline: str,
    language: str,
    engine: str,
    resume: bool,
    plain_ids: bool,
    exported: tuple[str, ...],
    small_cells: bool,
    workers: int | None,
    memory: int,
) -> None:
    """Evaluate every child of SOURCE: a folder of Bulk Data NDJSON or Bundles, or one file. For
    Spark it is NDJSON, and may be an address that Spark reads.

    With --fhir a Bulk Data server is asked first for what changed since the last time, or for
    everything, and SOURCE keeps its files. A job that was begun is
    asked for again, however long ago.

    Nothing else leaves this machine, and what is written can be read by its owner alone. The
    outcome is a list for review: advice about a child is on its chart.
    """
    from msgspec import structs

    from cds_service.consultation.cohort import cluster, outcome, running
    from cds_service.consultation.cohort.page import as_html
    from cds_service.settings import read_settings

    settings, today = read_settings(os.environ), date.today()
    plain = plain_ids or settings.plain_ids
    if not plain and not settings.pseudonym_key:
        raise SettingsError(
            "CDS_PSEUDONYM_KEY",
            "children are listed under pseudonyms, which are made with it",
            "Set it, the same for every run that is to be compared, or give --plain-ids.",
        )
    if resume and engine == "spark":
        raise click.UsageError("--resume: a run on Spark is begun again.")
    if group and not fhir:
        raise click.UsageError("--group: a server is asked for it, by --fhir.")
    outcome.installed()
    os.umask(0o077)
    job = _job(settings, source, out, as_of.date() if as_of else None, today)
    job = structs.replace(
        job,
        guideline=guideline,
        language=language or settings.language,
        plain=plain,
        exported=frozenset(exported),
        workers=workers or len(os.sched_getaffinity(0)),
        memory=memory,
    )
    if fhir:
        job = _fetched(settings, fhir, group, job)
    service = running.service_of(job)
    with _bar() as tell:
        if engine == "spark":
            done = _until_interrupted(lambda: cluster.run(job, tell), "")
        else:
            kept = f" What was done is kept in {out}: go on with the same command and --resume."
            done = _until_interrupted(lambda: running.run(job, tell, resume=resume), kept)
    page = as_html(done, service, small_cells=small_cells, plain=plain)
    named = {"report.html": page}
    outcome.write(done, service.guideline.cohort, named, small_cells=small_cells)
    for line in _told(done, out):
        click.echo(line)


@cohort.command()
@click.argument("before", type=click.Path(path_type=Path))
@click.argument("after", type=click.Path(path_type=Path))
@click.option("--guideline", default="", metavar="ID", help="Instead of the first one.")
@click.option("--small-cells", is_flag=True, help="Show groups of fewer than five children.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures.")
def compare(before: Path, after: Path, guideline: str, small_cells: bool, as_json: bool) -> None:
    """Print what became of the children of one run in another.

    BEFORE and AFTER are the folders of two outcomes: of the same children on two dates, or of the
    same export with another CDS_GUIDELINE_OVERRIDES, which shows what a change of limits would do.
    """
    import msgspec

    from cds_service.commands import known_guidelines
    from cds_service.consultation import load_services
    from cds_service.consultation.cohort import outcome

    outcome.installed()
    offered = [
        one.guideline
        for one in load_services(None, known_guidelines())
        if guideline in ("", one.guideline.wording.about.id)
    ]
    if not offered:
        raise click.ClickException(f"--guideline {guideline}: there is no such guideline.")
    groups = offered[0].cohort.groups
    found = outcome.compare(before, after, [one.id for one in groups])
    if as_json:
        found = found if small_cells else outcome.without_small(found)
        click.echo(msgspec.json.format(msgspec.json.encode(found)))
        return

    def shown(count: int) -> str:
        few = not small_cells and outcome.is_small(count)
        return f"fewer than {outcome.FEW}" if few else f"{count:,}"

    click.echo(
        f"{shown(found.both)} children in both; {shown(found.only_before)} before only,"
        f" {shown(found.only_after)} after only."
    )
    for group in groups:
        stayed, left, joined = map(shown, found.groups[group.id])
        click.echo(f"{group.title}: {stayed} still, {left} no longer, {joined} newly.")
    for one in found.statuses:
        was, now = one.before or "(no status)", one.after or "(no status)"
        click.echo(f"{was} -> {now}: {shown(one.children)}")


def _fetched(settings: Settings, url: str, group: str, job: Job) -> Job:
    """Brings the source up to date with a server; the job with what it was asked for."""
    from msgspec import structs

    from cds_service.fhir.bulk import TYPES, BulkServer

    def wait(seconds: float) -> None:
        click.echo(f"The server is at work; it is asked again in {seconds:.0f} s.", err=True)
        time.sleep(seconds)

    server = BulkServer(url, _signer(settings), wait)
    try:
        state = server.export(Path(job.source), group=group)
    except KeyboardInterrupt:
        raise click.ClickException(
            "Broken off. The server goes on; the same command asks for its job again."
        ) from None
    for last in [one.manifest for one in state.exports[-2 if group else -1 :]]:
        for one in last.error if last else ():
            click.echo(f"The server reports errors of its export, in a file: {one.url}", err=True)
        for one in last.deleted if last else ():
            click.echo(f"Deletions are not applied: {one.url}", err=True)
    job = structs.replace(job, exported=job.exported | {*TYPES})
    if not group:
        return job
    members = server.members(group, job.on)
    click.echo(
        f"{len(members.children):,} members of the group on {job.on}; {members.left:,} inactive, or"
        f" of another time; {members.unnamed:,} not named as patients.",
        err=True,
    )
    return structs.replace(job, children=members.children)


def _signer(settings: Settings) -> Callable[[str], str] | None:
    """What makes the assertion of a client of SMART Backend Services, where there is one."""
    client, file = settings.bulk_client_id, settings.bulk_key_file
    if not client and file is None:
        return None
    if not client or file is None:
        raise SettingsError(
            "CDS_BULK_CLIENT_ID", "client and key belong together", "Set CDS_BULK_KEY_FILE too."
        )
    from cds_service.trust.keys import make_token, read_key

    try:
        key = read_key(file.read_bytes())
    except ValueError as error:
        raise SettingsError("CDS_BULK_KEY_FILE", str(error), "Make one: cds-service key.") from None
    return lambda audience: make_token(key, client, audience, int(time.time()), 240, subject=client)


def _job(settings: Settings, source: str, out: Path, as_of: date | None, today: date) -> Job:
    from cds_service.consultation.cohort.running import Job

    on = as_of or settings.as_of or today
    return Job(
        source,
        str(out),
        on,
        on != today,
        settings.language,
        overrides=str(settings.guideline_overrides or ""),
        code_map=str(settings.code_map or ""),
        one_action=bool(settings.one_action),
        max_entries=settings.max_entries,
        key=settings.pseudonym_key,
    )


def _until_interrupted(work: Callable[[], Done], kept: str) -> Done:
    try:
        return work()
    except KeyboardInterrupt:
        click.echo("", err=True)
        raise click.ClickException(f"Broken off.{kept}") from None


_STEPS = {"split": "Sorting by child", "paired": "Bringing together", "judged": "Evaluating"}


@contextmanager
def _bar() -> Iterator[Callable[[str, int, int, int], None]]:
    """Shows a step's progress, how many children a second, and how long it will take."""
    shown: dict[str, Any] = {}

    def tell(step: str, done: int, total: int, children: int) -> None:
        if step not in shown:
            for one in shown.values():
                one.render_finish()
            shown.clear()
            begun = time.monotonic()
            bar: Any = click.progressbar(
                length=max(total, 1),
                label=_STEPS[step],
                file=sys.stderr,
                item_show_func=lambda count: (
                    f"{count / max(time.monotonic() - begun, 0.001):,.0f} children/s"
                    if count
                    else ""
                ),
            )
            shown[step] = bar
            bar.render_progress()
        bar = shown[step]
        bar.update(done - bar.pos, children)

    try:
        yield tell
    finally:
        for one in shown.values():
            one.render_finish()


def _told(done: Done, out: Path) -> Iterator[str]:
    figures, source = done.figures, done.source
    counted = f"{figures.children:,} patients, {figures.resources:,} resources"
    yield f"{counted}; evaluated on {done.job.on}."
    outcomes = ", ".join(f"{count:,} {name}" for name, count in sorted(figures.outcomes.items()))
    yield f"Outcomes: {outcomes or 'none'}."
    if source.trouble_count:
        yield (
            f"{source.trouble_count:,} lines or files were not used, among them resources that say"
            f" of no patient that they are its own: see {out / 'problems.ndjson'}."
        )
    for one in source.troubles[:5]:
        yield f"  {one.file}{f', line {one.line}' if one.line else ''}: {one.what}"
    if done.job.children and (absent := len(done.job.children) - figures.children):
        yield f"{absent:,} members of the group have no resource in the export."
    if done.aside:
        yield f"{len(done.aside):,} files hold no FHIR resources and were left aside."
    if figures.same_version:
        yield (
            f"{figures.same_version:,} resources came in several versions, and nothing says which"
            " is newer: every version was used."
        )
    yield f"The outcome is in {out}; open {out / 'report.html'}."
