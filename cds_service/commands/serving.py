"""Answering calls: ``serve``."""

from __future__ import annotations

import gc
import logging
import os
import signal
import socket
from collections.abc import Callable
from contextlib import ExitStack, suppress
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import click

from cds_service import PROGRAM
from cds_service.errors import SettingsError

if TYPE_CHECKING:
    from cds_service.settings import Settings

#: Requests a worker handles. Most only wait for their bodies: `web/intake.py` limits how many
#: may, and how many calls are processed at once.
_THREADS = 64
#: Milliseconds a caller has for sending the head of a request.
_HEAD_MS = 10_000


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
        from cds_service.store.keeping import check_database

        # Anything that would stop a worker stops the program here, before it listens.
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
) -> None:
    """Serves what ``create`` makes in each worker; the benchmark serves others the same way.

    ``greeting`` is what else to print once it listens, given its address.
    """
    from granian.constants import HTTPModes, Interfaces
    from granian.http import HTTP1Settings
    from granian.log import LogLevels
    from granian.server.mp import MPServer

    parent = os.getpid()

    class Reloading(MPServer):
        """Workers read the register again on SIGHUP; they are not replaced."""

        def signal_handler_reload(self, *_: object) -> None:
            # A worker inherits this handler, and must not signal the others in turn.
            for worker in list(self.wrks) if os.getpid() == parent else ():
                with suppress(ProcessLookupError):
                    os.kill(worker.inner.pid, signal.SIGHUP)

    address = _free_address(host, port)
    server = Reloading(
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
    # The server advises against so many threads; here nearly all of them wait, see `_THREADS`.
    logging.getLogger("_granian").addFilter(lambda said: "Python threads" not in said.getMessage())
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
