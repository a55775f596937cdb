"""Catalogues: the texts of one language in a file, read and checked before anything starts.

A catalogue is TOML: a table is a schema or a card, an entry one text. Its id is the dotted name,
"texts.level" or "cards.RTE-08.signs.advice". Every refusal is a `CatalogueError` with the
file, the id and the fix.

A translation is a file of the same kind for another language. It names the values and the digits
of the English texts, and says of each text from which English words it was made (``made_from``, see
`signed`): where those in force are others, or came later, they are shown instead, and a check of
the language refuses it.
"""

from __future__ import annotations

import re
import string
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from cds_service.errors import CatalogueError
from cds_service.language import WHEN, placeholders, values_shown
from cds_service.language.files import read_toml
from cds_service.language.locales import count_of_forms

#: Next to whatever a catalogue is for: a folder with a file for each language.
FOLDER = "texts"
#: The language in which every text is written first.
ORIGINAL = "en"
#: Tables for those who run, review or build the service: they stay in the original language, and
#: so does what only the page of a guideline says of a card.
UNTRANSLATED = frozenset(
    {
        "reasoning",
        "described",
        "case",
        "report",
        "page",
        "clinic",
        "kept",
        "workbench",
        "explain",
        "describe",
    }
)
_ONLY_ON_THE_PAGE = ".more"
#: Tables of a translation that hold no texts.
_ABOUT = ("translation", "terms", "made_from")
#: What `signed` writes below.
_SIGNATURE = """
# Which English words each text was made from. Written by `cds-service translated`; not by hand.
[made_from]
"""


def path_of(folder: Path, tag: str = ORIGINAL) -> Path:
    """The catalogue in ``folder`` for the language ``tag``."""
    return folder / FOLDER / f"{tag}.toml"


def read_catalogue(folder: Path, tag: str = ORIGINAL) -> dict[str, Any]:
    """The tables of the catalogue in ``folder`` for ``tag``, each text well formed."""
    path = path_of(folder, tag)
    tables = _read(path)
    for name, text in flattened(tables):
        check_text(path, name, text, tag)
    return tables


def _read(path: Path) -> dict[str, Any]:
    try:
        return read_toml(path)
    except OSError as error:
        raise CatalogueError(
            path, "the file", f"cannot be read ({error.strerror})", "check its path and permissions"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise CatalogueError(
            path, "the file", f"is not TOML: {error}", "correct the line named"
        ) from None


def flattened(tables: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Every entry of the tables by its dotted id."""
    for name, value in tables.items():
        if isinstance(value, Mapping):
            yield from flattened(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


_parse = string.Formatter().parse
#: The name of a value as a text may have it: alone, with its preposition, or with a word's forms.
_NAMED = re.compile(r"\{([^\W\d]\w*)(?:}|:when}|:[^{}:!]*\|)").finditer


def check_text(file: object, name: str, text: object, tag: str) -> None:
    """Refuse what is not a text, an empty text, and one whose braces are wrong."""
    if not isinstance(text, str):
        raise CatalogueError(file, name, "is not a text", "write it in quotation marks")
    if not text:
        raise CatalogueError(file, name, "is empty", "write the text")
    if "{" not in text and "}" not in text:  # most have no values
        return
    try:
        fields = [(one, forms) for _, one, forms, _ in _parse(text) if one is not None]
    except ValueError as error:
        raise CatalogueError(
            file, name, f"has a brace that opens or closes nothing ({error})",
            "write a literal brace twice",
        ) from None  # fmt: skip
    for one in sorted({one for one, _ in fields} - {found[1] for found in _NAMED(text)}):
        raise CatalogueError(
            file, name, f"has {{{one}...}}, where only the name of a value is allowed",
            "write {name}, a date with its preposition as {name:when}, the forms of a word as"
            " {name:dose|doses}, or a literal brace twice",
        )  # fmt: skip
    wanted = count_of_forms(tag)
    for _, forms in fields:
        if forms and forms not in WHEN and forms.count("|") + 1 != wanted:
            raise CatalogueError(
                file, name, f"has {forms.count('|') + 1} forms of a word ({forms})",
                f"write {wanted}, divided by |, as this language has",
            )  # fmt: skip


def check_ids(file: object, ids: Iterable[str], texts: Mapping[str, str]) -> None:
    """Refuse a catalogue without a text for each of ``ids``, or with one that nothing uses."""
    wanted = frozenset(ids)
    for name in sorted(wanted - texts.keys()):
        raise CatalogueError(file, name, "is missing", "write this text")
    for name in sorted(texts.keys() - wanted):
        raise CatalogueError(file, name, "is a text that nothing uses", "remove it")


# --- translations -----------------------------------------------------------------------------


class Term(Struct, frozen=True, forbid_unknown_fields=True):
    """What an English term is called, and where that was read; unverified without a ``source``."""

    term: str
    source: str = ""


class About(Struct, frozen=True, forbid_unknown_fields=True):
    """The head of a translation: of which edition, and which native clinician has reviewed it."""

    language: str
    translated_from: str
    reviewer: str = ""
    reviewed_on: date | None = None


class Translation(Struct, frozen=True):
    """The texts of a catalogue in another language, checked. ``made_from`` are the fingerprints of
    the English texts that they were made from."""

    file: Path
    about: About
    texts: Mapping[str, str]
    made_from: Mapping[str, str]
    terms: Mapping[str, Term]

    def in_force(self, originals: Mapping[str, str]) -> dict[str, str]:
        """``originals`` in this language: a text whose English is not what it was made from, since
        it was changed or a site has words of its own, stays English."""
        stale = frozenset(self.stale(originals))
        return {
            name: self.texts[name] if name in self.texts and name not in stale else original
            for name, original in originals.items()
        }

    def stale(self, originals: Mapping[str, str]) -> tuple[str, ...]:
        """The ids of the texts that are not there yet, or whose English is no longer what they were
        made from."""
        return tuple(
            [
                name
                for name in translatable(originals)
                if name not in self.texts
                or self.made_from.get(name) != fingerprint(originals[name])
            ]
        )


@cache
def fingerprint(text: str) -> str:
    """The same for the same words: digits, among which no word can be read."""
    return f"{int.from_bytes(sha256(text.encode()).digest()[:8]) % 10**9:09}"


def translatable(texts: Iterable[str]) -> tuple[str, ...]:
    """The ids of the texts of the original catalogue that a language needs."""
    return tuple(
        [
            name
            for name in texts
            if name.partition(".")[0] not in UNTRANSLATED
            and not (name.startswith("cards.") and name.endswith(_ONLY_ON_THE_PAGE))
        ]
    )


def languages_in(folder: Path) -> tuple[str, ...]:
    """The tags of the catalogues in ``folder``, the original first."""
    tags = sorted(path.stem for path in (folder / FOLDER).glob("*.toml"))
    return tuple(sorted(tags, key=lambda tag: tag != ORIGINAL))


def read_translation(folder: Path, tag: str, *, whole: bool = False) -> Translation:
    """The catalogue in ``folder`` for another language than the original. Raises `CatalogueError`
    for a text that is shown, and where it must be ``whole`` for any."""
    path, originals = path_of(folder, tag), dict(flattened(_read(path_of(folder))))
    tables = _read(path)
    try:
        about = msgspec.convert(tables.get("translation", {}), About)
        made_from = msgspec.convert(tables.get("made_from", {}), dict[str, str])
        terms = msgspec.convert(tables.get("terms", {}), dict[str, Term])
    except msgspec.ValidationError as error:
        raise CatalogueError(
            path, "its head", f"is not as it should be ({error})", "see docs/translating.md"
        ) from None
    if about.language != tag:
        raise CatalogueError(
            path, "translation.language", f'is "{about.language}"', f'write "{tag}", as the file'
        )
    if bool(about.reviewer) != (about.reviewed_on is not None):
        raise CatalogueError(
            path, "translation.reviewer", "and reviewed_on go together", "write both, or neither"
        )
    texts = {
        name: text
        for table, entries in tables.items()
        if table not in _ABOUT
        for name, text in flattened({table: entries})
    }
    for name, text in texts.items():
        check_text(path, name, text, tag)
    found = Translation(path, about, texts, made_from, terms)
    if whole:
        check_ids(path, translatable(originals), texts)
    shown = texts.keys() & originals.keys() - set(() if whole else found.stale(originals))
    check_translation(path, {name: texts[name] for name in sorted(shown)}, originals)
    return found


def check_translation(file: object, texts: Mapping[str, str], originals: Mapping[str, str]) -> None:
    """Refuse a translation with a text that names other values or other numbers than the
    original."""
    for name, text in texts.items():
        original = originals[name]
        found = placeholders(text)
        extra = sorted(found - placeholders(original))
        lost = sorted(values_shown(original) - found)
        if extra or lost:
            problem = (
                f"uses {{{extra[0]}}}, which this text is not given"
                if extra
                else f"leaves out {{{lost[0]}}}"
            )
            raise CatalogueError(
                file, name, problem, "use the placeholders of the original text, each of them"
            )
        if numbers_in(text) != numbers_in(original):
            raise CatalogueError(
                file, name, f"says {_listed(numbers_in(text))} where the original says"
                f" {_listed(numbers_in(original))}",
                "write the same numbers in digits, and those in letters in letters",
            )  # fmt: skip


#: What does not count as a number of a text: values, and the name of the vitamin.
_NO_NUMBER = re.compile(r"\{[^{}]*\}|[Bb][\s-]?12")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)?")


def numbers_in(text: str) -> tuple[str, ...]:
    """The numbers that a text says in digits, in the order of their digits."""
    found = _NUMBER.findall(_NO_NUMBER.sub(" ", text))
    return tuple(sorted(one.replace(",", ".") for one in found))


def _listed(numbers: Iterable[str]) -> str:
    return ", ".join(numbers) or "none"


def signed(folder: Path, tag: str) -> int:
    """Writes into the catalogue in ``folder`` for ``tag`` from which English words each text was
    made: those of today. Returns of how many this is news."""
    translation = read_translation(folder, tag, whole=True)
    originals = dict(flattened(read_catalogue(folder)))
    lines = [f'"{name}" = "{fingerprint(originals[name])}"' for name in translation.texts]
    written = translation.file.read_text(encoding="utf-8")
    above, _, _ = written.partition(_SIGNATURE)
    whole = f"{above.rstrip()}\n{_SIGNATURE}" + "\n".join(lines) + "\n"
    translation.file.write_text(whole, encoding="utf-8")
    return len(translation.stale(originals))
