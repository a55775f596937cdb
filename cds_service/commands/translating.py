"""Catalogues of other languages: what ``check`` says of them, and ``translated``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from cds_service.commands import BadInput, known_guidelines
from cds_service.guidelines.guideline import Guideline
from cds_service.language import house
from cds_service.language.catalogues import (
    ORIGINAL,
    Translation,
    flattened,
    languages_in,
    read_catalogue,
    read_translation,
    signed,
)

#: So many ids are listed in one line of a check.
_MOST = 5


@click.command()
@click.argument("language")
def translated(language: str) -> None:
    """Record that the catalogues of LANGUAGE ("de") were made from the English texts of today."""
    from cds_service.consultation import load_services
    from cds_service.consultation.services import guidelines_of

    for folder in _folders(guidelines_of(load_services(guidelines=known_guidelines()))):
        news = signed(folder, language)
        click.echo(f"{_shown(folder, language)}: {news} texts recorded.")


def told(guidelines: Sequence[Guideline], only: str = "") -> Iterator[str]:
    """Each language in a line: whether it is reviewed, and what has to be translated. Raises
    `CatalogueError` for what is wrong."""
    folders = _folders(guidelines)
    tags = dict.fromkeys(tag for folder in folders for tag in languages_in(folder))
    if only:
        if only not in tags:
            raise BadInput(f"There is no catalogue for {only}; see docs/translating.md.")
        yield from _whole(folders, only)
        return
    for tag in tags:
        if tag != ORIGINAL:
            speaking = _speaking(folders, tag)
            read = [read_translation(folder, tag) for folder in speaking]
            stale = _stale(speaking, read)
            yield f"Language {tag}: {_state(read)}"
            yield from _again(stale[:_MOST], len(stale))


def _speaking(folders: Sequence[Path], tag: str) -> list[Path]:
    """Those with a catalogue for a language; a guideline without one answers in its own."""
    return [one for one in folders if tag in languages_in(one)]


def _whole(folders: Sequence[Path], tag: str) -> Iterator[str]:
    """One language in full; raises `BadInput` where a text is still to be translated."""
    read = [read_translation(folder, tag) for folder in folders]
    stale = _stale(folders, read)
    yield f"Language {tag}: {_state(read)}"
    yield f"  unverified terms: {', '.join(_unverified(read)) or 'none'}"
    if stale:
        yield from _again(stale, len(stale))
        raise BadInput(f"{len(stale)} texts of {tag} are missing, or have other English words now.")
    for folder in folders:
        read_translation(folder, tag, whole=True)


def _stale(folders: Sequence[Path], read: Sequence[Translation]) -> list[str]:
    return [
        name
        for folder, one in zip(folders, read, strict=True)
        for name in one.stale(dict(flattened(read_catalogue(folder))))
    ]


def _unverified(read: Sequence[Translation]) -> list[str]:
    return [
        f"{name} ({term.term})"
        for one in read
        for name, term in one.terms.items()
        if not term.source
    ]


def _again(named: Sequence[str], count: int) -> Iterator[str]:
    more = f" and {count - len(named)} more" if count > len(named) else ""
    if named:
        yield f"  to be translated, and English until then: {', '.join(named)}{more}"


def _folders(guidelines: Sequence[Guideline]) -> list[Path]:
    return [house.FOLDER, *(one.catalogues for one in guidelines)]


def _state(read: Sequence[Translation]) -> str:
    texts = sum(len(one.texts) for one in read)
    terms = [term for one in read for term in one.terms.values()]
    unverified = sum(not term.source for term in terms)
    reviewers = {one.about.reviewer for one in read}
    reviewed = (
        "awaits review by a native clinician"
        if "" in reviewers
        else f"reviewed by {', '.join(sorted(reviewers))}"
    )
    return f"{texts} texts, {len(terms)} terms of which {unverified} are unverified; {reviewed}"


def _shown(folder: Path, language: str) -> str:
    return f"{folder.name}/texts/{language}.toml"
