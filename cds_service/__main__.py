"""The command line: ``cds-service`` or ``python -m cds_service``.

Each command imports what it needs when it runs, so that none waits for another's libraries.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Any

import click

from cds_service.errors import SettingsError, StartupError

#: Calls a worker handles at once. Those that wait for a FHIR server only wait, so a few more
#: threads than cores; many would take turns on one core and make every call late.
_THREADS = 8


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
@click.option("--demo", is_flag=True, help="Same as CDS_DEMO=true. Not for patients.")
def serve(host: str, port: int, workers: int, demo: bool) -> None:
    """Answer CDS Hooks calls until stopped."""
    from cds_service.settings import check_address, read_settings

    if demo:
        os.environ["CDS_DEMO"] = "true"
    settings = read_settings(os.environ)
    check_address(settings, host)

    from cds_service.app import create

    create()  # what would stop a worker stops the program here, before it listens
    listen(create, host, port, workers)


def listen(create: Callable[[], Callable[..., Any]], host: str, port: int, workers: int) -> None:
    """Serves what ``create`` makes in each worker; the benchmark serves others the same way."""
    from granian.constants import HTTPModes, Interfaces
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
        websockets=False,
        log_level=LogLevels.warning,
        workers_kill_timeout=10,
    )
    shown = f"[{address}]" if ":" in address else address
    server.on_startup(lambda: click.echo(f"Listening on http://{shown}:{port}/cds-services"))
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


if __name__ == "__main__":
    main()
