"""Catalogues: the texts of one language in a file, read and checked before anything starts.

A catalogue is TOML: a table is a schema or a card, an entry one text. Its id is the dotted name,
"texts.level" or "cards.RTE-08.signs.advice". Every refusal is a `CatalogueError` with the
file, the id and the fix.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from cds_service.errors import CatalogueError
from cds_service.language import forms_in, placeholders
from cds_service.language.plurals import count_of_forms

#: Next to whatever a catalogue is for: a folder with a file for each language.
FOLDER = "texts"
#: The language in which every text is written first.
ORIGINAL = "en"


def path_of(folder: Path, tag: str = ORIGINAL) -> Path:
    """The catalogue in ``folder`` for the language ``tag``."""
    return folder / FOLDER / f"{tag}.toml"


def read_catalogue(folder: Path, tag: str = ORIGINAL) -> dict[str, Any]:
    """The tables of the catalogue in ``folder`` for ``tag``, each text well formed."""
    path = path_of(folder, tag)
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CatalogueError(
            path, "the file", f"cannot be read ({error.strerror})", "check its path and permissions"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CatalogueError(
            path, "the file", f"is not TOML: {error}", "correct the line named"
        ) from None
    for name, text in flattened(tables):
        check_text(path, name, text, tag)
    return tables


def flattened(tables: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Every entry of the tables by its dotted id."""
    for name, value in tables.items():
        if isinstance(value, Mapping):
            yield from flattened(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


#: The name of a value as a text may have it: alone, with its preposition, or with a word's forms.
_NAMED = re.compile(r"\{([^\W\d]\w*)(?:}|:when}|:[^{}:!]*\|)").finditer


def check_text(file: object, name: str, text: object, tag: str) -> None:
    """Refuse what is not a text, an empty text, and one whose braces are wrong."""
    if not isinstance(text, str):
        raise CatalogueError(file, name, "is not a text", "write it in quotation marks")
    if not text:
        raise CatalogueError(file, name, "is empty", "write the text")
    try:
        names = placeholders(text)
    except ValueError as error:
        raise CatalogueError(
            file, name, f"has a brace that opens or closes nothing ({error})",
            "write a literal brace twice",
        ) from None  # fmt: skip
    for one in sorted(names - {found[1] for found in _NAMED(text)}):
        raise CatalogueError(
            file, name, f"has {{{one}...}}, where only the name of a value is allowed",
            "write {name}, a date with its preposition as {name:when}, the forms of a word as"
            " {name:dose|doses}, or a literal brace twice",
        )  # fmt: skip
    wanted = count_of_forms(tag)
    for forms in forms_in(text):
        if len(forms) != wanted:
            raise CatalogueError(
                file, name, f"has {len(forms)} forms of a word ({'|'.join(forms)})",
                f"write {wanted}, divided by |, as this language has",
            )  # fmt: skip


def check_ids(file: object, ids: Iterable[str], texts: Mapping[str, str]) -> None:
    """Refuse a catalogue without a text for each of ``ids``, or with one that nothing uses."""
    wanted = frozenset(ids)
    for name in sorted(wanted - texts.keys()):
        raise CatalogueError(file, name, "is missing", "write this text")
    for name in sorted(texts.keys() - wanted):
        raise CatalogueError(file, name, "is a text that nothing uses", "remove it")


def check_translation(file: object, texts: Mapping[str, str], originals: Mapping[str, str]) -> None:
    """Refuse a translation that is not whole, has a text too many, or names a value that the
    original does not name."""
    check_ids(file, originals, texts)
    for name, text in texts.items():
        extra = placeholders(text) - placeholders(originals[name])
        if extra:
            raise CatalogueError(
                file, name, f"uses {{{sorted(extra)[0]}}}, which this text is not given",
                "use only the placeholders of the original text",
            )  # fmt: skip
