"""An SQLite file: readable by its owner alone, and what is deleted from it is overwritten."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

_SETTINGS = (
    "journal_mode = WAL",
    "synchronous = FULL",
    "foreign_keys = ON",
    # With zeros, in the file and, as soon as that is written back, in the log next to it.
    "secure_delete = ON",
)


def connect(file: Path, wait_s: float) -> sqlite3.Connection:
    """A connection that begins no transaction of its own, for one thread at a time; it waits so
    long for others to write. The file is made if need be; its logs take over who may read it."""
    with suppress(OSError):
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    connection = sqlite3.connect(
        file, timeout=wait_s, isolation_level=None, check_same_thread=False
    )
    try:
        for setting in _SETTINGS:
            connection.execute(f"PRAGMA {setting}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def write_back(connection: sqlite3.Connection) -> bool:
    """Writes the log back into the file and empties it; whether no reader was in the way."""
    (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy
