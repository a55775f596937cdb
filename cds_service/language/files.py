"""TOML files, which take a tenth of a start to parse: those of the package are parsed once.

What was parsed is kept as JSON next to the file, in the folder where Python keeps its compiled
modules, and in the same way: written by any process that may, read only if it was made of the bytes
that the file has now, and otherwise of no consequence. It begins with a digest of the file and of
itself, so neither a change of the file nor half a cache is ever taken for the file's content.
"""

from __future__ import annotations

import os
import sys
import tomllib
from contextlib import suppress
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

_PACKAGE = Path(__file__).resolve().parents[1]
_encode = msgspec.json.Encoder(decimal_format="number").encode
_decode = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal).decode
#: How long the two digests are.
_HEAD = 64


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file, fractions as `Decimal`. Raises `OSError`, `UnicodeDecodeError`,
    or `tomllib.TOMLDecodeError`."""
    content = path.read_bytes()
    if not path.is_relative_to(_PACKAGE):  # a site's own file, next to which nothing is left
        return _parsed(content)
    cached = path.parent / "__pycache__" / f"{path.name}.json"
    with suppress(OSError, msgspec.DecodeError):
        kept = cached.read_bytes()
        if kept[:_HEAD] == _digests(content, kept[_HEAD:]):
            return _decode(kept[_HEAD:])
    tables = _parsed(content)
    if not sys.dont_write_bytecode:
        _keep(cached, content, tables)
    return tables


def _parsed(content: bytes) -> dict[str, Any]:
    return tomllib.loads(content.decode(), parse_float=Decimal)


def _digests(content: bytes, tables: bytes) -> bytes:
    return sha256(content).digest() + sha256(tables).digest()


def _keep(cached: Path, content: bytes, tables: dict[str, Any]) -> None:
    """Keeps what was parsed, where it is the same when it is read again: JSON has no dates."""
    written = _encode(tables)
    if repr(_decode(written)) != repr(tables):
        return
    with suppress(OSError):
        cached.parent.mkdir(exist_ok=True)
        beside = cached.with_name(f"{cached.name}.{os.getpid()}")
        beside.write_bytes(_digests(content, written) + written)
        beside.replace(cached)
