"""The command line, a module for each thing people do with it.

Each command imports what it needs when it runs, so that none waits for another's libraries.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from cds_service.guidelines.guideline import Known


def known_guidelines() -> Sequence[Known]:
    """The guidelines a command works with: all of this program, or those it is handed as the
    context's object."""
    from cds_service.guidelines.registry import GUIDELINES

    given: Sequence[Known] | None = click.get_current_context().obj
    return given or GUIDELINES


class BadInput(click.ClickException):
    """Input that cannot be evaluated, in one sentence."""

    exit_code = 2
