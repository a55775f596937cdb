"""What codes mean here, and which ones were not known: ``codes``."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from cds_service.commands import known_guidelines
from cds_service.commands.keeping import database_of_settings

if TYPE_CHECKING:
    from cds_service.consultation import Service


@click.group()
def codes() -> None:
    """Give this site's own codes a meaning (CDS_CODE_MAP)."""


@codes.command("lists")
def show_lists() -> None:
    """Print each code list that a local code may mean, and what it is for."""
    from cds_service.consultation.services import guidelines_of

    for g in guidelines_of(_services()):
        click.echo(g.wording.about.id)
        for name, purpose in sorted(g.purposes.items()):
            click.echo(f"  {name}: {purpose}")


@codes.command()
@click.option("--csv", "as_csv", is_flag=True, help="Print a code map with the meanings left open.")
def unknown(as_csv: bool) -> None:
    """Print the codes that records sent and that were not known, the most frequent first.

    They are counted by day: system and code alone, never a name, a value or whose they are. Those
    that CDS_CODE_MAP explains by now are left out.
    """
    from cds_service.fhir import elements

    local = {pair for service in _services() for need in service.needs for pair in need.local}
    with database_of_settings() as database:
        database.check()
        found = [
            one
            for one in database.unknown_codes()
            if (one["system"], one["code"]) not in local and not elements.is_known(one["system"])
        ]
    if as_csv:
        write = csv.writer(sys.stdout, lineterminator="\n").writerow
        write(("system", "code", "means"))
        for system, code in dict.fromkeys((one["system"], one["code"]) for one in found):
            write((system, code, ""))
        return
    for one in found:
        system = one["system"] or "(no system)"
        click.echo(
            f"{one['need']}: {system}|{one['code']} (calls: {one['count']}, last {one['last']})"
        )
    if not found:
        click.echo("None: every code that was sent is known, or no call was kept.")


def _services() -> Sequence[Service]:
    from cds_service.consultation import load_services
    from cds_service.settings import read_settings

    settings = read_settings(os.environ)
    return load_services(settings.guideline_overrides, known_guidelines(), settings.code_map)
