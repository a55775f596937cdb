"""The log: one JSON line on standard output for what happened, no patient data in it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from time import gmtime, strftime
from typing import Any

import msgspec


def log_line(line: Mapping[str, Any]) -> None:
    written = msgspec.json.encode({"time": strftime("%Y-%m-%dT%H:%M:%SZ", gmtime()), **line})
    # When the log is no longer read, calls are answered anyway.
    with suppress(OSError):
        # One write for a whole line: lines of several threads and workers do not mix.
        os.write(1, written + b"\n")
