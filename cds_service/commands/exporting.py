"""The guideline in forms that others can read or run: ``export``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cds_service.commands import known_guidelines

if TYPE_CHECKING:
    from cds_service.guidelines.guideline import Guideline


@click.command()
@click.option("--form", type=click.Choice(["table"]), required=True, help="CSV and DMN 1.3.")
@click.option(
    "--to",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="A folder that is new or empty.",
)
def export(form: str, to: Path) -> None:
    """Write each guideline as it is in force here, for programs and people without this one.

    Each is in a folder of its own, whose README.md says what it holds and what it does not.
    """
    from cds_service.consultation import load_services
    from cds_service.consultation.services import guidelines_of
    from cds_service.settings import read_settings

    if to.exists() and any(to.iterdir()):
        raise click.ClickException(f"{to} is not empty: name a folder that is new or empty.")
    settings = read_settings(os.environ)
    services = load_services(settings.guideline_overrides, known_guidelines(), settings.code_map)
    for guideline in guidelines_of(services):
        folder = to / guideline.wording.about.id
        count = 0
        for name, content in _FORMS[form](guideline):
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content.encode())
            count += 1
        click.echo(f"{folder}: {count} files.")


def _tables(guideline: Guideline) -> Iterator[tuple[str, str]]:
    from cds_service.guidelines import sheets

    about = guideline.wording.about
    return sheets.files_of(guideline.decision_tables(), about, guideline.local)


_FORMS = {"table": _tables}
