"""Code lists: which codes mean what, who says so, and whether anyone checked.

A guideline's folder ``codes/`` holds one CSV file a list
(``system,code,display,verified,evidence``) and ``SOURCES.toml``, which explains every evidence
tag, every list's purpose, and which lists may not share a code. An unverified row is only ever
named to people: it decides nothing.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from msgspec import Struct

from cds_service import PROGRAM
from cds_service.clinical import Code, CodeMap, LocalCode
from cds_service.errors import GuidelineError
from cds_service.guidelines.engine import read_toml

SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
ICD10 = "http://hl7.org/fhir/sid/icd-10"
ICD10GM = "http://fhir.de/CodeSystem/bfarm/icd-10-gm"
ATC = "http://www.whocc.no/atc"
NPU = "http://npu-terminology.org"
JLAC10 = "http://medis.or.jp/CodeSystem/master-JLAC10-17digits"
EDQM = "http://standardterms.edqm.eu"
DUTCH_ROUTE = "urn:oid:2.16.840.1.113883.2.4.4.9"
ORPHA = "http://www.orpha.net"
UNII = "http://fdasis.nlm.nih.gov"
ICPC2 = "http://hl7.org/fhir/sid/icpc-2"
ICD11 = "http://id.who.int/icd/release/11/mms"
CTV3 = "http://read.info/ctv3"
DIET = "http://terminology.hl7.org/CodeSystem/diet"
DIET_STU3 = "http://hl7.org/fhir/diet"
ROUTE = "http://terminology.hl7.org/CodeSystem/v3-RouteOfAdministration"
#: Products that no terminology sets apart, as this service writes them into its own orders.
OWN = f"https://{PROGRAM}.github.io/CodeSystem/product"

#: Each system a row may name, the form of its codes, and that form in words.
_FORMS: Mapping[str, tuple[re.Pattern[str], str]] = {
    system: (re.compile(form), words)
    for system, form, words in (
        (SNOMED, r"[1-9][0-9]{5,17}", "6 to 18 digits"),
        (LOINC, r"(LA)?[1-9][0-9]{0,6}-[0-9]", "digits, a hyphen and a check digit"),
        (RXNORM, r"[1-9][0-9]{0,7}", "up to 8 digits"),
        (ICD10CM, r"[A-Z][0-9][0-9A-Z](\.[0-9A-Z]{1,4})?", "a letter, two characters, a dot, more"),
        (ICD10, r"[A-Z][0-9]{2}(\.[0-9]{1,2})?", "a letter, two digits, a dot, more"),
        (ICD10GM, r"[A-Z][0-9]{2}(\.[0-9]{1,2})?", "a letter, two digits, a dot, more"),
        (NPU, r"(NPU|NOR|DNK|SWE)[0-9]{5}", "three capital letters and five digits"),
        (
            JLAC10,
            r"[0-9][A-Z][0-9]{10}",
            "the first twelve signs: analyte, identification, material",
        ),
        (ORPHA, r"[1-9][0-9]{0,6}", "up to seven digits"),
        (UNII, r"[0-9A-Z]{10}", "ten digits or capital letters"),
        (ICPC2, r"[A-Z][0-9]{2}", "a letter and two digits"),
        (
            ICD11,
            r"[1-9A-Z][A-Z][0-9][0-9A-Z](\.[0-9A-Z]{1,2})?",
            "four signs, the second a letter, a dot, up to two more",
        ),
        (CTV3, r"[0-9A-Za-z.]{5}", "five signs, capital and small letters apart"),
        (EDQM, r"[0-9]{8}", "eight digits"),
        (DUTCH_ROUTE, r"[0-9]{1,3}", "up to three digits"),
        (ATC, r"[A-Z][0-9]{2}([A-Z]([A-Z]([0-9]{2})?)?)?", "as B03BA01 or a part of it"),
        (DIET, r"[a-z-]+", "small letters"),
        (DIET_STU3, r"[a-z-]+", "small letters"),
        (ROUTE, r"[A-Z]+", "capital letters"),
        (OWN, r"[a-z]+(-[a-z]+)*", "small letters and hyphens"),
    )
}

#: Systems of which so few codes are listed that one on no list is not understood: it is not taken
#: for another disease, but named as unread.
PARTLY_KNOWN = frozenset({ORPHA, ICPC2, ICD11, CTV3, UNII})
#: Systems whose rows may end in ``*``: every code that begins so belongs to the list.
_FAMILIES = frozenset({ICD10CM, ICD10, ICD10GM, ATC})
#: They occur with and without their dot, and in small letters.
_DOTTED = frozenset({ICD10CM, ICD10, ICD10GM})

COLUMNS = ("system", "code", "display", "verified", "evidence")

# --- check digits ----------------------------------------------------------------------------

# Verhoeff's scheme: multiplication in the dihedral group D5, and its permutation.
_D5 = (
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
)  # fmt: skip
_PERMUTATION = (
    "0123456789", "1576283094", "5803796142", "8916043527", "9453126870", "4286573901",
    "2793806415", "7046913258",
)  # fmt: skip


def _verhoeff_holds(digits: str) -> bool:
    check = 0
    for place, digit in enumerate(reversed(digits)):
        check = int(_D5[check][int(_PERMUTATION[place % 8][int(digit)])])
    return check == 0


def _luhn_digit(digits: str) -> int:
    doubled = "".join(
        str(int(digit) * 2) if place % 2 == 0 else digit
        for place, digit in enumerate(reversed(digits))
    )
    return -sum(map(int, doubled)) % 10


def check_digit_problem(system: str, code: str) -> str | None:
    """Why ``code`` cannot be a code of ``system``, or ``None``.

    Form for every system known here, and the check digit where there is one (LOINC: modulus 10;
    SNOMED CT: Verhoeff, and the digits that mark a concept). This proves that a code was not
    mistyped, never what it means.
    """
    form = _FORMS.get(system)
    if form is None:
        return "is of a system not known here"
    pattern, words = form
    if not pattern.fullmatch(code):
        return f"has not the form of its system ({words})"
    if system == LOINC and not code.startswith("LA"):  # answers ("LA...") use another scheme
        number, _, digit = code.partition("-")
        if _luhn_digit(number) != int(digit):
            return "has a wrong LOINC check digit"
    if system == SNOMED:
        if not _verhoeff_holds(code):
            return "has a wrong SNOMED CT check digit"
        if code[-3:-1] not in ("00", "10"):
            return "is not a SNOMED CT concept (a description or relationship has this form)"
    return None


# --- lists -----------------------------------------------------------------------------------


class CodeRow(NamedTuple):
    """One row of a list. ``code`` ends in ``*`` for a family; ``evidence`` are tags of sources."""

    system: str
    code: str
    display: str
    verified: bool
    evidence: tuple[str, ...]


class _Index(NamedTuple):
    """Exact codes, and families by (system, beginning); ICD-10 of any country without dots."""

    exact: frozenset[tuple[str, str]]
    families: frozenset[tuple[str, str]]
    lengths: tuple[int, ...]

    @classmethod
    def of(cls, rows: Iterable[CodeRow]) -> _Index:
        exact, families = set(), set()
        for row in rows:
            plain = _plain(row.system, row.code)
            if plain.endswith("*"):
                families.add((row.system, plain[:-1]))
            else:
                exact.add((row.system, plain))
        lengths = sorted({len(start) for _, start in families})
        return cls(frozenset(exact), frozenset(families), tuple(lengths))

    def has(self, system: str, code: str) -> bool:
        if (system, code) in self.exact:
            return True
        if system not in _FAMILIES:
            return False
        known = len(code) <= LONGEST_CODE
        plain = _plain(system, code) if known else _plain.__wrapped__(system, code)
        if (system, plain) in self.exact:
            return True
        families = self.families
        for length in self.lengths:  # noqa: SIM110 - a generator doubles the time, and this is hot
            if (system, plain[:length]) in families:
                return True
        return False


#: No code is longer; what is must not be remembered, or a few callers could fill the memory.
LONGEST_CODE = 64


@lru_cache(maxsize=4096)
def _plain(system: str, code: str) -> str:
    """As compared."""
    if system in _DOTTED:
        return code.replace(".", "").upper()
    return code.upper() if system == ATC else code


def compared(system: str, code: str) -> str:
    """A code as codes of its system are compared: ICD-10 without dots and in capital letters."""
    return _plain.__wrapped__(system, code)


def _covers(row: CodeRow, plain: str) -> bool:
    """Whether a row is of this code as compared, or of its family."""
    own = _plain(row.system, row.code)
    return plain.startswith(own[:-1]) if own.endswith("*") else plain == own


class CodeList(Struct, frozen=True):
    """Codes that mean one thing. Make it with `CodeList.of`; `codes` are its rows as written."""

    name: str
    codes: tuple[CodeRow, ...]
    _decisive: _Index
    _named: _Index
    _displays: Mapping[tuple[str, str], str]

    @classmethod
    def of(cls, name: str, rows: Iterable[CodeRow]) -> CodeList:
        codes = tuple(rows)
        return cls(
            name,
            codes,
            _Index.of(row for row in codes if row.verified),
            _Index.of(row for row in codes if not row.verified),
            {
                (row.system, row.code): row.display
                for row in reversed(codes)
                if row.verified and not row.code.endswith("*")
            },
        )

    def decides(self, code: Code) -> bool:
        """Whether ``code`` belongs to this list by a verified row."""
        return self._decisive.has(code.system, code.code)

    def display_of(self, code: Code) -> str:
        """What the verified row of this very code calls it; "" where a family decides."""
        written = code.code.upper() if code.system in _FAMILIES else code.code
        return self._displays.get((code.system, written), "")

    def called(self, code: Code) -> str:
        """What the verified row that decides calls this code or its family; "" without a row."""
        exact = self.display_of(code)
        if exact:
            return exact
        plain = _plain(code.system, code.code[:LONGEST_CODE])
        rows = (
            row.display.removesuffix(" (family)")
            for row in self.codes
            if row.verified and row.system == code.system and _covers(row, plain)
        )
        return next(rows, "")

    def mentions(self, code: Code) -> bool:
        """Whether only an unverified row has ``code``: to be named to people, never decisive."""
        return self._named.has(code.system, code.code) and not self.decides(code)

    def any_of(self, codes: Iterable[Code]) -> Code | None:
        """The first of ``codes`` that decides."""
        has = self._decisive.has
        for code in codes:
            if has(code.system, code.code):
                return code
        return None

    @property
    def verified(self) -> tuple[Code, ...]:
        """The verified codes in the order of the file, without families."""
        return tuple(
            Code(row.system, row.code, row.display)
            for row in self.codes
            if row.verified and not row.code.endswith("*")
        )

    def with_rows(self, rows: Sequence[Mapping[str, Any]], file: Path | str) -> CodeList:
        """This list with a site's ``rows`` of ``file``, validated like those of the CSV files.

        A row with a code that the list already has takes its place: so a site verifies a code on
        its own terminology server (``verified = "yes"``) or withdraws one (``"no"``). Only system,
        code and display must be given: a site vouches for its rows, so they count as verified.
        Evidence, if given, says who decided: ``local:`` and a word.
        """
        added: dict[tuple[str, str], CodeRow] = {}
        for number, cells in enumerate(rows, 1):
            where = f"codes.{self.name} row {number}"
            unknown = set(cells) - set(COLUMNS)
            if unknown:
                raise GuidelineError(
                    str(file), where, f"has the unknown name {sorted(unknown)[0]!r}",
                    f"use {', '.join(COLUMNS)}",
                )  # fmt: skip
            given = {"verified": "yes", "evidence": "local:site", **cells}
            row = _row([str(given.get(column, "")) for column in COLUMNS], file, where)
            if not all(tag.startswith("local:") for tag in row.evidence):
                raise GuidelineError(
                    str(file), where, "does not say who decided it",
                    'write evidence = "local:" followed by a word, for example local:terminology',
                )  # fmt: skip
            added[(row.system, _plain(row.system, row.code))] = row
        kept = (
            row for row in self.codes if (row.system, _plain(row.system, row.code)) not in added
        )
        return CodeList.of(self.name, (*kept, *added.values()))

    def rows_of(self, code: Code) -> Iterator[CodeRow]:
        """The rows that ``code`` belongs to the list by."""
        return (row for row in self.codes if _Index.of((row,)).has(code.system, code.code))


# --- loading ---------------------------------------------------------------------------------


def load_code_lists(folder: Path) -> dict[str, CodeList]:
    """Every list of ``folder`` by name; refuses the first thing wrong, with file, row and cure."""
    lists: dict[str, CodeList] = {}
    for path in sorted(folder.glob("*.csv")):
        lists[path.stem] = CodeList.of(path.stem, _read_rows(path))
    if not lists:
        raise GuidelineError(
            str(folder), "codes", "holds no code list", "install the package again"
        )  # fmt: skip
    path = folder / "SOURCES.toml"
    sources = read_toml(path)
    purposes, explained = sources.get("lists", {}), sources.get("sources", {})
    for name in sorted(purposes.keys() ^ lists.keys()):
        raise GuidelineError(
            str(path), f"lists.{name}",
            "has no file" if name in purposes else "is missing, but there is such a file",
            "give every list one file and one entry with its purpose",
        )  # fmt: skip
    used = {tag for one in lists.values() for row in one.codes for tag in row.evidence}
    for tag in sorted(used ^ explained.keys()):
        raise GuidelineError(
            str(path), f"sources.{tag}",
            "is cited by no row" if tag in explained else "is cited by a row, but not explained",
            "explain every evidence tag, and only those",
        )  # fmt: skip
    check_code_lists(lists, folder)
    return lists


def check_code_lists(lists: Mapping[str, CodeList], folder: Path) -> None:
    """Refuse a code that is in two lists of which it can be in one only.

    ``SOURCES.toml`` says which: ``exclusive`` groups share no code; ``within`` names the list
    that must have every verified code of this one. Call it again after a site added rows.
    """
    path = folder / "SOURCES.toml"
    sources = read_toml(path)

    def known(name: str, where: str) -> CodeList:
        if name not in lists:
            raise GuidelineError(
                str(path), where, f"names {name!r}, which is not a code list", "correct the name"
            )
        return lists[name]

    for number, group in enumerate(sources.get("exclusive", ()), 1):
        members = [known(name, f"exclusive {number}") for name in group["lists"]]
        for one in members:
            for other in members:
                if one is not other:
                    _refuse_shared(one, other, folder)
    for name, about in sources.get("lists", {}).items():
        wider = about.get("within")
        if wider is None:
            continue
        for row in known(name, f"lists.{name}").codes:
            start = Code(row.system, row.code.removesuffix("*"))
            if row.verified and not known(wider, f"lists.{name}").decides(start):
                raise GuidelineError(
                    str(folder / f"{name}.csv"), row.code, f"is not in {wider}",
                    f"add it to {wider}.csv too, or take it out",
                )  # fmt: skip


# --- a site's own codes ----------------------------------------------------------------------

#: Who says what a site's own code means.
_BY_THE_SITE = ("local:code-map",)


def with_local_codes(
    lists: Mapping[str, CodeList], code_map: CodeMap, folder: Path
) -> dict[str, CodeList]:
    """``lists``, each with those of a site's own codes that mean the same as its own.

    A code that means a list belongs to the wider list as well. What means no code of these lists
    is left alone: it may be another guideline's. Refused is a code that is on a list already, and
    one with two meanings of which it can have one only.
    """
    sources = read_toml(folder / "SOURCES.toml")
    added: dict[str, dict[Code, CodeRow]] = {name: {} for name in lists}
    for local in code_map.codes:
        for name, one in lists.items():
            if one.decides(local.code) or one.mentions(local.code):
                raise GuidelineError(
                    code_map.path, local.where, f"{_shown(local.code)} is known here, as {name}",
                    "Delete the line: such a code needs no map.",
                )  # fmt: skip
        for name, row in _rows_for(local, lists, sources.get("lists", {})):
            added[name][local.code] = row
    for group in sources.get("exclusive", ()):
        _refuse_two_meanings(code_map, added, [name for name in group["lists"] if name in added])
    return {
        name: CodeList.of(name, (*one.codes, *added[name].values())) if added[name] else one
        for name, one in lists.items()
    }


def _rows_for(
    local: LocalCode, lists: Mapping[str, CodeList], about: Mapping[str, Any]
) -> Iterator[tuple[str, CodeRow]]:
    system, code = local.code.system, local.code.code
    if isinstance(local.means, str):
        wider: str | None = local.means if local.means in lists else None
        while wider is not None:
            yield wider, CodeRow(system, code, code, True, _BY_THE_SITE)
            wider = about.get(wider, {}).get("within")
        return
    for name, one in lists.items():
        rows = sorted(one.rows_of(local.means), key=lambda row: not row.verified)
        for row in rows[:1]:
            yield name, CodeRow(system, code, row.display, row.verified, _BY_THE_SITE)


def _refuse_two_meanings(
    code_map: CodeMap, added: Mapping[str, Mapping[Code, CodeRow]], names: Sequence[str]
) -> None:
    for local in code_map.codes:
        meant = [name for name in names if local.code in added[name]]
        if len(meant) > 1:
            raise GuidelineError(
                code_map.path, local.where,
                f"{_shown(local.code)} would mean both {meant[0]} and {meant[1]}",
                "Keep the line that is right and delete the other.",
            )  # fmt: skip


def check_meanings(code_map: CodeMap, lists_of: Callable[[Code], Sequence[str]]) -> None:
    """Refuse a meaning that no guideline knows: ``lists_of`` names the code lists, of all of them,
    that a code is on. A code of a system known here that is on no list means something else."""
    for local in code_map.codes:
        if lists_of(local.code):
            continue
        if isinstance(local.means, str):
            raise GuidelineError(
                code_map.path, local.where, f"{local.means} is not a code list",
                "Take a name that cds-service codes lists shows, or write system|code.",
            )  # fmt: skip
        problem = check_digit_problem(local.means.system, local.means.code)
        if problem is not None:
            raise GuidelineError(
                code_map.path, local.where, f"{_shown(local.means)} {problem}",
                "Look the code up again; its system must be one that is known here.",
            )  # fmt: skip


def _shown(code: Code) -> str:
    return f"{code.system}|{code.code}" if code.system else code.code


def _refuse_shared(one: CodeList, other: CodeList, folder: Path) -> None:
    for row in one.codes:
        code = Code(row.system, row.code.removesuffix("*"))
        if other.decides(code) or other.mentions(code):
            raise GuidelineError(
                str(folder / f"{one.name}.csv"), row.code, f"is also in {other.name}",
                "a code can be in one of these lists only; take it out of the other",
            )  # fmt: skip


def _read_rows(path: Path) -> list[CodeRow]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            lines = list(csv.reader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise GuidelineError(
            str(path), "the file", f"cannot be read ({error})", "write it as CSV in UTF-8"
        ) from None
    if not lines or tuple(lines[0]) != COLUMNS:
        raise GuidelineError(
            str(path), "line 1", "is not the header", f"begin the file with {','.join(COLUMNS)}"
        )
    if len(lines) == 1:
        raise GuidelineError(str(path), "the file", "has no rows", "add a code or delete the file")
    rows: list[CodeRow] = []
    seen: dict[tuple[str, str], int] = {}
    families: dict[tuple[str, str], int] = {}
    for number, cells in enumerate(lines[1:], 2):
        row = _row(cells, path, f"line {number}")
        plain = _plain(row.system, row.code)
        earlier = seen.get((row.system, plain))
        if earlier is not None:
            raise GuidelineError(
                str(path), f"line {number}", f"{row.code} is already in line {earlier}",
                "delete one of the two",
            )  # fmt: skip
        seen[(row.system, plain)] = number
        if plain.endswith("*"):
            families[(row.system, plain[:-1])] = number
        rows.append(row)
    for (system, plain), number in seen.items():
        for (family_system, start), line in families.items():
            if system == family_system and plain.startswith(start) and line != number:
                raise GuidelineError(
                    str(path), f"line {number}", f"{plain} belongs to the family in line {line}",
                    "delete one of the two",
                )  # fmt: skip
    return rows


def _row(cells: Sequence[str], path: Path | str, where: str) -> CodeRow:
    def refuse(problem: str, cure: str) -> GuidelineError:
        return GuidelineError(str(path), where, problem, cure)

    if len(cells) != len(COLUMNS):
        raise refuse(f"has {len(cells)} cells", f"give it {len(COLUMNS)}; quote text with a comma")
    for column, cell in zip(COLUMNS, cells, strict=True):
        if not cell or cell != cell.strip():
            raise refuse(f"{column} is empty or has blanks around it", "fill it in, without blanks")
    system, code, display, verified, evidence = cells
    if system not in _FORMS:
        raise refuse(f"names the unknown system {system}", f"use one of {', '.join(_FORMS)}")
    plain = code
    if code.endswith("*"):
        if system not in _FAMILIES:
            raise refuse(f"{code} is a family", "only ICD-10 and ATC codes have families")
        plain = code[:-1]
    problem = check_digit_problem(system, plain)
    if problem is not None:
        raise refuse(f"{code} {problem}", "look the code up again")
    if verified not in ("yes", "no"):
        raise refuse(f"verified is {verified!r}", "write yes or no")
    return CodeRow(system, code, display, verified == "yes", tuple(evidence.split()))


# --- all lists of a guideline ----------------------------------------------------------------

_Codes = TypeVar("_Codes", bound=Struct)


def named_lists(lists: Mapping[str, CodeList], to: type[_Codes]) -> _Codes:
    """The lists as the struct whose fields name them; refuses one too few or too many."""
    names = set(to.__struct_fields__)
    for name in sorted(names - set(lists)):
        raise GuidelineError(
            f"codes/{name}.csv", name, "is missing", "add the file; the functions name this list"
        )
    for name in sorted(set(lists) - names):
        raise GuidelineError(f"codes/{name}.csv", name, "is used by no function", "remove the file")
    return to(**lists)


def lists_with(code: Code, codes: Struct) -> tuple[str, ...]:
    """The names of the lists of a guideline that ``code`` is on, verified or not."""
    named: Iterator[CodeList] = (getattr(codes, name) for name in codes.__struct_fields__)
    return tuple(one.name for one in named if one.decides(code) or one.mentions(code))


def purposes_in(folder: Path) -> dict[str, str]:
    """What each code list of ``folder`` is for, by name."""
    lists = read_toml(folder / "SOURCES.toml").get("lists", {})
    return {name: about["purpose"] for name, about in lists.items()}


class Lists(NamedTuple):
    """The lists a code belongs to; ``mentioned`` when only an unverified row has it."""

    decided: tuple[str, ...]
    mentioned: bool


def look_up_in(lists: Mapping[str, CodeList]) -> Callable[[str, str], Lists]:
    """Says to which of ``lists`` a system and code belong; remembers what it was asked last,
    unless that is too long to be a code."""

    def look_up(system: str, code: str) -> Lists:
        asked = Code(system, code)
        return Lists(
            tuple(name for name, one in lists.items() if one.decides(asked)),
            any(one.mentions(asked) for one in lists.values()),
        )

    remembered = lru_cache(maxsize=4096)(look_up)

    def lists_of(system: str, code: str) -> Lists:
        is_short = len(code) <= LONGEST_CODE and len(system) <= 4 * LONGEST_CODE
        return remembered(system, code) if is_short else look_up(system, code)

    return lists_of
