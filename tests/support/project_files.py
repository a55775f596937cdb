"""The files of this project, as tests read them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
MADE_FOLDERS = {"build", "dist", "__pycache__", "node_modules"}
KEPT_DOT_FOLDERS = {".ci", ".github"}


def project_files() -> Iterator[Path]:
    """What belongs to the project, found without git: a source archive has none."""
    for folder, folders, files in os.walk(ROOT):
        folders[:] = sorted(
            name
            for name in folders
            if name not in MADE_FOLDERS
            and not name.endswith(".egg-info")
            and (not name.startswith(".") or name in KEPT_DOT_FOLDERS)
        )
        # A worktree of git has a file of this name where a clone has a folder.
        yield from (Path(folder, name) for name in sorted(files) if name != ".git")


FILES = {str(file.relative_to(ROOT)): file for file in project_files()}


def text_of(name: str) -> str:
    return FILES[name].read_text(encoding="utf-8")
