"""The command line: ``cds-service`` or ``python -m cds_service``."""

from __future__ import annotations

from typing import Any

import click

from cds_service import ABOUT, PROGRAM
from cds_service.commands.checking import check, describe
from cds_service.commands.coding import codes
from cds_service.commands.evaluating import evaluate
from cds_service.commands.exporting import export
from cds_service.commands.keeping import audit, db, feedback
from cds_service.commands.serving import serve
from cds_service.commands.surveying import cohort
from cds_service.commands.translating import translated
from cds_service.commands.trying import key, samples, token
from cds_service.errors import StartupError


class _Commands(click.Group):
    """Shows why the program refuses to start as one line, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except StartupError as error:
            raise click.ClickException(str(error)) from None


@click.group(cls=_Commands, help=f"An open {ABOUT}.")
@click.version_option(package_name=PROGRAM)
def main() -> None:
    """Without a command it lists those available."""


for _command in (
    serve, evaluate, check, describe, export, translated, codes, db, audit, feedback, key, token,
    samples, cohort,
):  # fmt: skip
    main.add_command(_command)


if __name__ == "__main__":
    main()
