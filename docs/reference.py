"""Writes the pages of `docs/reference/` from the program itself: settings and commands.

`python docs/reference.py` writes them, with ``--check`` it exits 1 when one is stale.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from cds_service.__main__ import main
from cds_service.settings import describe_settings

ROOT = Path(__file__).parents[1]

_SETTINGS = """# Settings

For operators: every setting, as `make docs` writes it from the program.

From the environment, read once at start. A misspelt or contradictory setting stops the program,
with its name and the fix.

"""

_COMMANDS = """# Commands

For operators and developers: every command, as `make docs` writes it from the program.

In a checkout it is `.venv/bin/cds-service`, also `python -m cds_service`. Each has `--help`.

"""


def commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    """Each command with its whole name, those of a group after one another."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def _described(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=name)
    usage = " ".join(command.collect_usage_pieces(context))
    paragraphs = (command.help or "").replace("\b", "").split("\n\n")
    text = "\n\n".join(" ".join(one.split()) for one in paragraphs)
    rows = []
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and record[0] != "--help" and record[1]:
            rows.append("| `{}` | {} |".format(*(one.replace("|", "\\|") for one in record)))
    table = "\n".join(["", "| option | meaning |", "|---|---|", *rows, ""]) if rows else ""
    return f"## {name}\n\n`{name} {usage}`\n\n{text}\n{table}"


def pages() -> dict[str, str]:
    """The text of each page by its name in the checkout."""
    described = "\n".join(_described(*one) for one in commands(main, "cds-service"))
    return {
        "docs/reference/settings.md": _SETTINGS + describe_settings(),
        "docs/reference/commands.md": _COMMANDS + described,
    }


if __name__ == "__main__":
    stale = [
        name
        for name, text in pages().items()
        if not (ROOT / name).is_file() or (ROOT / name).read_text() != text
    ]
    if "--check" not in sys.argv[1:]:
        for name in stale:
            (ROOT / name).parent.mkdir(exist_ok=True)
            (ROOT / name).write_text(pages()[name])
    elif stale:
        sys.exit(f"stale: {', '.join(stale)}; run `make docs`")
