"""The command line, a module for each thing people do with it.

Each command imports what it needs when it runs, so that none waits for another's libraries.
"""

from __future__ import annotations

import click


class BadInput(click.ClickException):
    """Input that cannot be evaluated, in one sentence."""

    exit_code = 2
