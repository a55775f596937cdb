"""Answering calls: ``serve``."""

from __future__ import annotations

import gc
import logging
import os
from collections.abc import Callable
from contextlib import ExitStack
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from cds_service import PROGRAM

if TYPE_CHECKING:
    from cds_service.settings import Settings

#: How the HTTP server (its jemalloc) holds memory: in one place, without some for each of its
#: threads, and what is free is given back at once. Else 1,500 connections cost 25 MB more.
_SERVER_MEMORY = "narenas:1,tcache:false,dirty_decay_ms:0"
#: Seconds that the dearest call takes besides waiting for its FHIR server.
_WORK_S = 10.0


@click.command()
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

        gc.disable()  # until all that is loaded is put aside, in `create`
        from cds_service.app import create, work
        from cds_service.store import metrics
        from cds_service.store.keeping import check_database
        from cds_service.store.log import never_wait

        # Anything that would stop a worker stops the program here, before it listens.
        create()
        if settings.database_url:
            check_database(settings.database_url)
        never_wait(metrics.log_lines_dropped.inc)
        listen(
            work,
            host,
            port,
            workers,
            lambda base: _greeting(settings, base),
            max_header_bytes=settings.max_header_bytes,
            longest_call_s=settings.fhir_deadline + _WORK_S,
        )


def _temporary_folder() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix=f"{PROGRAM}-", ignore_cleanup_errors=True)


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
    """What a newcomer can do with the demo."""
    from cds_service.app import sample_stories
    from cds_service.consultation import load_services

    lines = ["Demo, not for patients."]
    if settings.clients_file is not None:
        lines.append("Clients are registered: every call needs a token (cds-service token).")
    elif settings.workbench:
        lines.append(f"Open {base}/ in a browser: it plays the EHR and shows the reasoning.")
    lines.append(f"Give a CDS Hooks client the address {base}/cds-services.")
    stories = sample_stories(settings)
    if stories:
        service = load_services()[0]
        begins = [one.story for one in service.guideline.desk().stories]
        story = next((name for name in begins if name in stories), min(stories))
        lines += [
            f"{len(stories)} sample infants, with their dates moved to today: {base}/samples",
        ]
        if settings.clients_file is None:
            lines += [
                "Try one:",
                f"  curl -s {base}/samples/{story}/request.json \\",
                f"    | curl -s {base}/cds-services/{service.id} \\",
                "        -H 'Content-Type: application/json' --data-binary @-",
            ]
    else:
        lines.append("No sample infants here: name their folder with --samples.")
    return "\n".join(lines)


def listen(
    create: Callable[[], Callable[..., Any]],
    host: str,
    port: int,
    workers: int,
    greeting: Callable[[str], str] = lambda base: "",
    *,
    max_header_bytes: int = 32_768,
    longest_call_s: float = 1.0,
) -> None:
    """Serves what ``create`` makes in each worker; the benchmark serves others the same way.

    ``greeting`` is what else to print once it listens, given its address. A call takes
    ``longest_call_s`` at most, where all goes well.
    """
    # Read when the server is loaded, and of no concern to anything else.
    os.environ.setdefault("_RJEM_MALLOC_CONF", _SERVER_MEMORY)
    from cds_service.commands.processes import Server, listening_sockets

    listening = listening_sockets(host, port, workers)
    address, port = listening[0].getsockname()[:2]
    server = Server(
        listening,
        workers,
        create,
        max_header_bytes=max_header_bytes,
        longest_call_s=longest_call_s,
    )
    # The server advises against so many threads; here nearly all of them wait.
    logging.getLogger("_granian").addFilter(lambda said: "Python threads" not in said.getMessage())
    shown = f"[{address}]" if ":" in address else address
    base = f"http://{shown}:{port}"

    def greet() -> None:
        said = greeting(base)
        click.echo(f"Listening on {base}/cds-services" + (f"\n{said}" if said else ""))

    server.on_startup(greet)
    server.run()
