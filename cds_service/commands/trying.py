"""What is needed to try the service: ``key``, ``token``, ``samples``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from time import monotonic, sleep
from typing import TYPE_CHECKING

import click

from cds_service.commands import BadInput

if TYPE_CHECKING:
    from cds_service.fhir.transactions import Outcome
    from cds_service.trust.addresses import ApprovedFhirServer
    from cds_service.workbench.samples import Story

#: How long a FHIR server may take for all the resources of one sample infant.
_TRANSACTION_S = 60.0
#: How long a server that is still starting may take to return its metadata.
_METADATA_S = 10.0


@click.command()
@click.argument("name")
@click.option("--alg", default="ES384", show_default=True, type=click.Choice(["ES384", "RS384"]))
def key(name: str, alg: str) -> None:
    """Make a key pair: NAME.pem to sign tokens with, NAME.json for the register of clients.

    For tests, and for clients without a key. Existing files are never overwritten.
    """
    import msgspec

    from cds_service.trust.keys import make_key, public_jwk, read_key

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
    click.echo(f"{private} is secret: anyone who has it can call as this client.")
    click.echo(f'{public} is for the register next to it: jwks_file = "{public.name}"')


@click.command()
@click.option("--key", "pem", required=True, type=click.Path(exists=True, dir_okay=False))
@click.option("--issuer", required=True, help="The client's issuer in the register.")
@click.option("--audience", required=True, help="The address that will be called.")
@click.option("--seconds", default=300, show_default=True, help="How long the token is valid.")
@click.option("--jku", default="", help="Where the keys are, which some clients state.")
@click.option("--tenant", default="", help="The tenant, if the client has several.")
def token(pem: str, issuer: str, audience: str, seconds: int, jku: str, tenant: str) -> None:
    """Print a signed token, valid for one call.

    An EHR does this for each call; use it to try client authentication and to test a register.
    """
    from time import time

    from cds_service.trust.keys import make_token, read_key

    try:
        signing = read_key(Path(pem).read_bytes())
    except (OSError, ValueError, TypeError):
        raise click.ClickException(
            f"{pem}: not a private key of ES384 or RS384 without a password. Make one with"
            " cds-service key."
        ) from None
    click.echo(make_token(signing, issuer, audience, int(time()), seconds, jku=jku, tenant=tenant))


@click.group()
def samples() -> None:
    """The sample infants, for a FHIR test server."""


@samples.command()
@click.option("--fhir", "address", required=True, metavar="URL", help="The server's base address.")
@click.option("--delete", is_flag=True, help="Delete what was loaded.")
@click.option(
    "--samples",
    "folder",
    type=click.Path(exists=True, file_okay=False),
    help="Folder of the sample infants; otherwise the checkout's.",
)
@click.option(
    "--as-of",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Move the stories to this day instead of today.",
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
    """Put every sample infant on an R4 test server, with its dates moved to today.

    Each story is one transaction of resources with their own ids, so loading again changes
    only the dates. Never load them onto a server with real patients.
    """
    server, told = _server_at(address), _stories_in(folder)
    _await(server, wait)
    on = as_of.date() if as_of else date.today()
    loading = _Loading(server, None if delete else on)
    label = "Deleting" if delete else "Loading"
    with click.progressbar(told.values(), label=label, file=sys.stderr) as progress:
        for story in progress:
            loading.take(story)
    for line in loading.account():
        click.echo(line)
    if loading.refused:
        raise BadInput(f"{sum(map(len, loading.refused.values()))} stories were refused.")


def _server_at(address: str) -> ApprovedFhirServer:
    """The server of ``--fhir``. Typing the address counts as listing it."""
    from cds_service.trust.addresses import Refused, approve_fhir_server, normal_base_address

    base = normal_base_address(address)
    server = approve_fhir_server(address, listed={getattr(base, "url", "")}, demo=True)
    if isinstance(server, Refused):
        raise BadInput(f"--fhir: {server.reason}.")
    return server


def _stories_in(folder: str | None) -> Mapping[str, Story]:
    """The stories of ``--samples``, otherwise the checkout's."""
    from cds_service.workbench.samples import find_folder, stories

    where = Path(folder) if folder else find_folder(Path(__file__).parents[1])
    told = stories(where) if where else {}
    if not told:
        raise BadInput("No sample infants here: name their folder with --samples.")
    return told


def _await(server: ApprovedFhirServer, seconds: int) -> None:
    """Waits up to ``seconds`` until ``server`` returns its metadata; with 0 it is not asked."""
    from cds_service.fhir.server import FhirServer

    ends = monotonic() + seconds
    while seconds and (answer := FhirServer(server, None, _METADATA_S).ask("metadata")).problem:
        if monotonic() >= ends:
            raise BadInput(f"{server.url}: {answer.problem}, asked for its metadata.")
        sleep(1)


class _Loading:
    """Stories put on ``server`` with their dates moved to ``on``, or, without it, deleted; and what
    happened to each. ``left_out`` and ``refused`` hold the names of stories under the reason."""

    def __init__(self, server: ApprovedFhirServer, on: date | None) -> None:
        self._server, self._on = server, on
        self._taken = 0
        self._done: list[Outcome] = []
        self.left_out: dict[str, list[str]] = {}
        self.refused: dict[str, list[str]] = {}

    def take(self, story: Story) -> None:
        from cds_service.workbench.samples import shifted

        self._taken += 1
        now = story if self._on is None else shifted(story, self._on)
        if story.fhir_version != "R4":
            self.left_out.setdefault(f"written in FHIR {story.fhir_version}", []).append(story.name)
        elif now is None:
            why = "no birth date gives this child's age on this day"
            self.left_out.setdefault(why, []).append(story.name)
        else:
            self._send(now)

    def _send(self, story: Story) -> None:
        from cds_service.fhir.server import FhirServer
        from cds_service.fhir.transactions import transact

        record = [entry["resource"] for entry in story.patient["entry"]]
        writer = FhirServer(self._server, None, _TRANSACTION_S)
        outcome = transact(writer, "DELETE" if self._on is None else "PUT", record)
        if not outcome.answered:
            done = len(self._done)
            raise BadInput(
                f"{self._server.url}: {outcome.refused}; {done} stories were done before."
            )
        if outcome.refused:
            self.refused.setdefault(outcome.refused, []).append(story.name)
        else:
            self._done.append(outcome)

    def account(self) -> Iterator[str]:
        """What was done, and what was not and why, in lines."""
        if self._on is not None:
            yield f"Dates moved so that each story happens on {self._on}."
        done = len(self._done)
        yield f"{done} of {self._taken} stories on {self._server.url}: {self._counted()}."
        for what, found in (("Left out", self.left_out), ("Refused", self.refused)):
            for why, names in found.items():
                yield f"{what}, {len(names)} ({why}): {', '.join(names)}"

    def _counted(self) -> str:
        done = self._done
        if self._on is None:
            return f"{sum(one.deleted for one in done)} resources deleted"
        created, updated = sum(one.created for one in done), sum(one.updated for one in done)
        return f"{created} resources created, {updated} updated"
