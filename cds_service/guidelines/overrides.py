"""A site's own file: what it changes of which guideline, and that it may.

The tables of the file are under the id of the guideline they change, as
``[a-guideline.limits]``. In a file that names no guideline they change the guideline that was here
before the others (`registry.UNNAMED`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct

from cds_service.errors import GuidelineError
from cds_service.guidelines.codelists import CodeList
from cds_service.guidelines.engine import placeholders, read_toml

#: What a site may change. Statements, rules and sources are the guideline's own.
OVERRIDABLE = ("limits", "doses", "products", "tests", "codes", "cards", "texts", "policy", "links",
               "override_reasons")  # fmt: skip

#: Fields that an entry of a section may have although the guideline's own file leaves them out.
_MAY_BE_UNSET: Mapping[str, tuple[str, ...]] = {
    "limits": ("below", "at_most", "at_least", "above"),
    "products": ("site_codings", "benzyl_alcohol"),
    "tests": ("site_codings", "same_as"),
    "cards": ("advice", "why", "more"),
}


class Changes(Struct, frozen=True):
    """What ``path`` changes of one guideline: the tables under its ``id``, or all that there are
    where the file names no guideline (``id`` "")."""

    path: Path
    tables: Mapping[str, Any]
    id: str = ""

    @contextmanager
    def named(self) -> Iterator[None]:
        """Names what is refused inside as it is named in the file."""
        try:
            yield
        except GuidelineError as error:
            if not self.id or error.file != str(self.path) or error.name == "the file":
                raise
            name = f"{self.id}.{error.name}"
            raise GuidelineError(error.file, name, error.problem, error.cure) from None

    def heading(self, name: str) -> str:
        """The name of a table as its heading in the file has it."""
        return f"{self.id}.{name}" if self.id else name


def read_changes(path: Path | None, known: Collection[str], unnamed: str) -> dict[str, Changes]:
    """What the file at ``path`` changes, by the id of the guideline.

    ``known`` are the guidelines there are; ``unnamed`` is changed by a file without any id.
    """
    if path is None:
        return {}
    tables = read_toml(path)
    ids = [name for name in tables if name in known]
    if not ids and unnamed in known:
        return {unnamed: Changes(path, tables)}
    if not ids:
        raise GuidelineError(
            str(path), "the file", "names no guideline",
            f"write its tables under one of {', '.join(known)}",
        )  # fmt: skip
    for name in tables:
        if name not in known:
            raise GuidelineError(
                str(path), name, "is outside a guideline, and the others inside one",
                f"write it as [{ids[0]}.{name}], or name one of {', '.join(known)}",
            )  # fmt: skip
        if not isinstance(tables[name], dict):
            raise GuidelineError(str(path), name, "is not a table", f"write [{name}.limits]")
    return {name: Changes(path, tables[name], name) for name in ids}


# --- names, limits, words -------------------------------------------------------------------


def apply_overrides(
    base: dict[str, Any], changes: Changes
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """``base`` with a site's ``changes``, and the dotted names that were changed.

    Only names that exist may be changed; a changed limit must say who decided it
    (``source = "local: ..."``); a changed text may use only the placeholders of the original.
    Code lists are changed by `override_codes`.
    """
    tables = {name: table for name, table in changes.tables.items() if name != "codes"}
    for section in tables:
        if section not in OVERRIDABLE:
            raise GuidelineError(
                str(changes.path), section, "cannot be overridden",
                f"override only {', '.join(OVERRIDABLE)}",
            )  # fmt: skip
    for section, table in tables.items():
        if section != "override_reasons" and not isinstance(table, dict):
            raise GuidelineError(
                str(changes.path), section, "is not a table",
                f"write it as [{changes.heading(section)}]",
            )  # fmt: skip
    for name, limit in tables.get("limits", {}).items():
        _check_limit(limit, base.get("limits", {}).get(name, {}).get("unit", ""), name, changes)
    merge = _Merge(changes.path)
    return merge.of(base, tables, ""), tuple(merge.changed)


def _check_limit(limit: Any, unit: str, name: str, changes: Changes) -> None:
    """Refuses a limit in another unit than its functions compare in, or no one's."""

    def refusal(field: str, problem: str, cure: str) -> GuidelineError:
        return GuidelineError(str(changes.path), f"limits.{name}{field}", problem, cure)

    if not isinstance(limit, dict):
        raise refusal(
            "", "is not a limit with its side and source",
            'write it as { below = 200, source = "local: who, when and why" }',
        )  # fmt: skip
    if limit.get("unit", unit) != unit:
        raise refusal(
            ".unit", f"is not {unit}, which the functions compare in",
            f"convert the number to {unit}",
        )  # fmt: skip
    if not str(limit.get("source", "")).startswith("local:"):
        raise refusal(
            "", "does not say who decided it", 'add source = "local: who, when and why"'
        )  # fmt: skip


class _Merge:
    """Puts new values in the place of old ones, and notes which."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self.changed: list[str] = []

    def of(self, old: Any, new: Any, name: str) -> Any:
        if isinstance(old, dict) and isinstance(new, dict):
            return self._tables(old, new, name)
        if isinstance(old, str) and isinstance(new, str):
            self._check_words(old, new, name)
        if old != new:
            self.changed.append(name)
        return new

    def _tables(self, old: dict[str, Any], new: dict[str, Any], name: str) -> dict[str, Any]:
        unset = _MAY_BE_UNSET.get(name.partition(".")[0], ()) if "." in name else ()
        result = dict(old)
        for key, value in new.items():
            inner = f"{name}.{key}".lstrip(".")
            if key not in old and key not in unset:
                raise GuidelineError(
                    self._path, inner, "is not a name of this guideline",
                    f"use one of {', '.join(sorted(map(str, old)))}",
                )  # fmt: skip
            lacking = "" if inner.startswith("cards.") else None
            result[key] = self.of(old.get(key, lacking), value, inner)
        return result

    def _check_words(self, old: str, new: str, name: str) -> None:
        try:
            extra = placeholders(new) - placeholders(old)
        except ValueError as error:
            raise GuidelineError(
                self._path, name, f"has a brace that opens or closes nothing ({error})",
                "write a brace that is meant as such twice",
            ) from None  # fmt: skip
        if extra:
            raise GuidelineError(
                self._path, name, f"uses {{{sorted(extra)[0]}}}, which this text is not given",
                "use only the placeholders of the original text",
            )  # fmt: skip
        if old.strip() and not new.strip():
            raise GuidelineError(
                self._path, name, "is empty", "write the text, or leave it out to keep ours"
            )  # fmt: skip


# --- codes ----------------------------------------------------------------------------------


def override_codes(
    lists: Mapping[str, CodeList], changes: Changes
) -> tuple[dict[str, CodeList], tuple[str, ...]]:
    """``lists`` with a site's own rows, each with system, code and display, and the dotted names
    of the lists that got some; a site vouches for its rows."""
    changed, tables, path = dict(lists), changes.tables.get("codes", {}), changes.path
    if not isinstance(tables, dict):
        raise GuidelineError(
            str(path), "codes", "is not a table", f"write [[{changes.heading('codes.a_list')}]]"
        )  # fmt: skip
    for name, rows in tables.items():
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise GuidelineError(
                str(path), f"codes.{name}", "is not a list of rows",
                f"write [[{changes.heading(f'codes.{name}')}]]",
            )  # fmt: skip
        if name not in lists:
            raise GuidelineError(
                str(path), f"codes.{name}", "is not a code list",
                f"use one of {', '.join(sorted(lists))}",
            )  # fmt: skip
        changed[name] = lists[name].with_rows(rows, path)
    return changed, tuple(f"codes.{name}" for name in tables)


# --- what is written elsewhere as well -------------------------------------------------------

#: What of an entry may change while its dose, product or limit stays what it was.
_SAYS_NO_NUMBER = ("source", "label", "name", "site_codings")


def check_told(data: Mapping[str, Any], changes: Changes, changed: Sequence[str]) -> None:
    """Refuse a changed dose that no one answers for, and a changed number whose old value still
    is in words that a card shows next to it (``told_in_words``)."""
    given, path = set(_leaves(changes.tables)), str(changes.path)
    for name in changed:
        section, _, field = name.partition(".")
        entry, _, field = field.partition(".")
        if field in _SAYS_NO_NUMBER:
            continue
        if section == "doses" and not data["doses"][entry]["source"].startswith("local:"):
            raise GuidelineError(
                path, f"doses.{entry}", "does not say who decided it",
                'add source = "local: who, when and why"',
            )  # fmt: skip
        told = data.get("told_in_words", {}).get(f"{section}.{entry}", ())
        stale = [words for words in told if words not in given]
        if stale:
            raise GuidelineError(
                path, name,
                f"is written in words as well, which still give the old number: {', '.join(stale)}",
                "give these words too, as they shall read",
            )  # fmt: skip


def _leaves(data: Mapping[str, Any], above: str = "") -> Iterator[str]:
    """The dotted names of everything that is not a table."""
    for key, value in data.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}"
