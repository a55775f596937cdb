"""What is needed to try the service: ``key``, ``token``, ``samples``."""

from __future__ import annotations

import os
import sys
from datetime import date, datetime
from pathlib import Path
from time import monotonic, sleep

import click

from cds_service.commands import BadInput

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
    from cds_service.fhir.server import FhirServer
    from cds_service.fhir.transactions import Outcome, transact
    from cds_service.trust.addresses import Refused, approve_fhir_server, normal_base_address
    from cds_service.workbench.samples import find_folder, shifted, stories

    base = normal_base_address(address)
    # Typing the address counts as listing it.
    server = approve_fhir_server(address, listed={getattr(base, "url", "")}, demo=True)
    if isinstance(server, Refused):
        raise BadInput(f"--fhir: {server.reason}.")
    where = Path(folder) if folder else find_folder(Path(__file__).parents[1])
    told = stories(where) if where else {}
    if not told:
        raise BadInput("No sample infants here: name their folder with --samples.")
    ends = monotonic() + wait
    while wait and (answer := FhirServer(server, None, _METADATA_S).ask("metadata")).problem:
        if monotonic() >= ends:
            raise BadInput(f"{server.url}: {answer.problem}, asked for its metadata.")
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
                    raise BadInput(
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
        click.echo(f"Dates moved so that each story happens on {on}.")
    click.echo(f"{len(done)} of {len(told)} stories on {server.url}: {counted}.")
    for what, found in (("Left out", left_out), ("Refused", refused)):
        for why, names in found.items():
            click.echo(f"{what}, {len(names)} ({why}): {', '.join(names)}")
    if refused:
        raise BadInput(f"{sum(map(len, refused.values()))} stories were refused.")
