"""The files of a source, in pieces that one worker reads: each line a resource, as the bytes it is.

A file is known by its first bytes, not by its name: NDJSON, plain or gzip; one JSON document, which
is a Bundle, a list of resources or one resource; or nothing that is read here. What cannot be read
is reported with file and number, and everything else is still read.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal, cast

import msgspec
from msgspec import Struct

from cds_service.fhir.gather import UNDECODABLE

Form = Literal["lines", "packed lines", "document", "packed document"]

#: A longer line is skipped and reported.
LONGEST = 64 << 20
#: One document is read whole.
LARGEST_DOCUMENT = 256 << 20
#: By so many bytes of its beginning a file is known.
HEAD = 65_536
_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"


class Piece(Struct, frozen=True):
    """Bytes ``start`` to ``end`` of a file, whose lines are those that begin there. ``file`` is
    its path below the source."""

    file: str
    form: Form
    start: int
    end: int


class Trouble(Struct, frozen=True):
    """What could not be used, and where: ``line`` is 0 for a whole file."""

    file: str
    line: int
    what: str


class Line(Struct, frozen=True, gc=False):
    number: int
    content: bytes


class _Typed(Struct, rename="camel"):
    resource_type: str | None = None


_typed = msgspec.json.Decoder(_Typed).decode


def pieces_of(source: Path, size: int, without: Path) -> tuple[list[Piece], list[str]]:
    """The source in pieces of about ``size`` bytes, in the order of its files' names, and the files
    that are none of it. What is in the folder ``without`` is not looked at."""
    found: list[Piece] = []
    aside: list[str] = []
    for path in _files(source, without):
        name = path.relative_to(source).as_posix() if path != source else path.name
        length = path.stat().st_size
        form = _form_of(path)
        if form is None:
            aside.append(name)
        elif form == "lines":
            found += [
                Piece(name, form, start, min(start + size, length))
                for start in range(0, length, size)
            ]
        else:
            found.append(Piece(name, form, 0, length))
    return found, aside


def _files(source: Path, without: Path) -> Iterator[Path]:
    if source.is_file():
        yield source
        return
    for folder, inner, names in os.walk(source):
        inner[:] = sorted(one for one in inner if not one.startswith("."))
        if Path(folder).resolve() == without.resolve():
            inner.clear()
            continue
        yield from (Path(folder, one) for one in sorted(names) if not one.startswith("."))


def _form_of(path: Path) -> Form | None:
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head.startswith(_GZIP):
        return form_of(head)
    try:
        with gzip.open(path) as file:
            form = form_of(file.read(HEAD))
    except (OSError, EOFError, zlib.error):
        return "packed lines"  # reading it reports what is wrong
    return "packed document" if form == "document" else "packed lines" if form else None


def form_of(head: bytes) -> Form | None:
    """What a file is that begins so: with `HEAD` bytes, or with fewer where it has no more."""
    if head.startswith(_GZIP):
        return "packed lines"
    begun = head.removeprefix(_BOM).lstrip()
    if begun[:1] not in (b"{", b"["):
        return None
    if any(map(_is_resource, begun.split(b"\n", 8)[:8])):
        return "lines"
    return "document" if len(head) >= HEAD or _is_fhir(head) else None


def _is_resource(line: bytes) -> bool:
    """Whether a line is a whole resource, and not the first line of one."""
    try:
        return bool(_typed(line).resource_type)
    except UNDECODABLE:
        return False


def _is_fhir(document: bytes) -> bool:
    """Whether a whole document is a resource or a list; one that is broken may be."""
    try:
        return bool(_typed(document.removeprefix(_BOM)).resource_type)
    except msgspec.ValidationError:
        return document.lstrip()[:1] == b"["
    except UNDECODABLE:
        return True


def lines_of(source: Path, piece: Piece, troubles: list[Trouble]) -> Iterator[Line]:
    """The lines of a piece that are not blank, and documents as one line with the number 0. What
    ends before its time is added to ``troubles``."""
    path = source / piece.file if source.is_dir() else source
    try:
        with _opened(path, packed=piece.form.startswith("packed")) as file:
            if piece.form.endswith("document"):
                yield from _document(file, piece, troubles)
            else:
                yield from _lines(file, piece, _begin(file, piece.start), troubles)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        troubles.append(Trouble(piece.file, 0, "the compressed file ends early or is damaged"))


@contextmanager
def _opened(path: Path, *, packed: bool) -> Iterator[IO[bytes]]:
    with path.open("rb") as file:
        if not packed:
            yield file
            return
        with gzip.open(file) as unpacked:
            yield cast(IO[bytes], unpacked)


def _document(file: IO[bytes], piece: Piece, troubles: list[Trouble]) -> Iterator[Line]:
    content = file.read(LARGEST_DOCUMENT + 1)
    if len(content) > LARGEST_DOCUMENT:
        troubles.append(Trouble(piece.file, 0, "one document, and too large to be read whole"))
    else:
        yield Line(0, content.removeprefix(_BOM))


def _begin(file: IO[bytes], start: int) -> int:
    """Goes to the first line that begins at ``start`` or later; how many lines come before it is
    counted only for a piece in which something is wrong."""
    if not start:
        return 0
    file.seek(start - 1)
    while (skipped := file.readline(LONGEST)) and not skipped.endswith(b"\n"):
        pass
    return file.tell()


def _lines(file: IO[bytes], piece: Piece, position: int, troubles: list[Trouble]) -> Iterator[Line]:
    number = 0
    end = piece.end if piece.form == "lines" else float("inf")
    while position < end and (line := file.readline(LONGEST)):
        number += 1
        position += len(line)
        if len(line) == LONGEST and not line.endswith(b"\n"):
            while (rest := file.readline(LONGEST)) and not rest.endswith(b"\n"):
                position += len(rest)
            position += len(rest)
            troubles.append(Trouble(piece.file, number, "the line is too long"))
            continue
        if position == len(line):
            line = line.removeprefix(_BOM)
        content = line.strip()
        if content:
            yield Line(number, content)


def numbered(source: Path, piece: Piece, troubles: Iterable[Trouble]) -> list[Trouble]:
    """The same with the numbers of their lines in the whole file."""
    before = 0
    if piece.start and troubles:
        path = source / piece.file if source.is_dir() else source
        with path.open("rb") as file:
            begin = _begin(file, piece.start)
            file.seek(0)
            while begin and (block := file.read(min(begin, 1 << 20))):
                before += block.count(b"\n")
                begin -= len(block)
    return [Trouble(one.file, one.line + before if one.line else 0, one.what) for one in troubles]
