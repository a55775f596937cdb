"""The sample infants, with their dates moved so that their story happens today.

Each story has a date, and its ages and intervals hold on that date only. `shifted` moves a story
to another day: every date moves by the same number of days, so every interval that the guideline
counts in days stays the same. Ages count in calendar months, whose lengths differ, so the birth
date is then set so that the child has the same age in completed months, and is as many days
before or after its nearest monthly birthday (as near as the calendar allows: no one born in a 30-
day month has a 31st). In the first month of life age counts in days. Nothing is left before birth
that was not before it.

An incomplete birth date is a whole month or year; it is moved to the one in which the youngest
and the oldest child it can mean fall into the same age groups, on the day of the story and on
every other date of the record. On some days that is impossible (on
31 December no child born this year is one year old, and at the end of February a child of 29 days
is not under a month old); such a story is left out on such a day.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import Struct

#: Ages in completed months at which the guideline's age groups begin, and in days at which a child
#: is no longer a newborn. They place incomplete birth dates only.
AGE_GROUPS = (1, 12, 24)
NEWBORN_DAYS = 28

_DATE = re.compile(r"(\d{4}-\d\d-\d\d)(T[0-9:.]+(?:Z|[+-]\d\d:\d\d)?)?", re.ASCII).fullmatch
_MONTH = re.compile(r"(?:19|20)\d\d-(?:0[1-9]|1[0-2])", re.ASCII).fullmatch
_NEAR = 5  # months differ by at most three days in length, twice


class Story(Struct, frozen=True):
    """``tells`` has the story in a sentence, ``as_of`` its date, ``fhir_version`` what its record
    is written in, ``rules`` those that fire, ``indicator`` that of the gravest card or nothing,
    ``says`` the summary of the first, and ``findings`` the problems of the record by name; the rest
    is JSON."""

    name: str
    tells: str
    as_of: date
    birth: str | None
    request: Mapping[str, Any]
    patient: Mapping[str, Any]
    fhir_version: str = "R4"
    rules: tuple[str, ...] = ()
    indicator: str = ""
    says: str = ""
    findings: tuple[str, ...] = ()


class _Card(Struct):
    summary: str


class _Expected(Struct, rename={"as_of": "asOf"}):
    """What is taken from a story's ``expected.json``."""

    tells: str
    as_of: date
    fhir_version: str = "R4"
    fires: tuple[str, ...] = ()
    indicator: str | None = None
    cards: tuple[_Card, ...] = ()


def find_folder(beside: Path) -> Path | None:
    """The samples of the checkout that the package ``beside`` belongs to, if there is one."""
    root = beside.resolve().parent
    folder = root / "fhir_samples"
    return folder if (root / "pyproject.toml").is_file() and folder.is_dir() else None


@cache
def stories(folder: Path) -> Mapping[str, Story]:
    """Every story below ``folder``, by name, read once."""
    found = {}
    for path in sorted(folder.glob("**/expected.json")):
        expected = msgspec.json.decode(path.read_bytes(), type=_Expected)
        patient = msgspec.json.decode(path.with_name("patient.json").read_bytes())
        births = [
            entry["resource"].get("birthDate")
            for entry in patient["entry"]
            if entry["resource"]["resourceType"] == "Patient"
        ]
        found[path.parent.name] = Story(
            path.parent.name,
            expected.tells,
            expected.as_of,
            births[0],
            msgspec.json.decode(path.with_name("request.json").read_bytes()),
            patient,
            expected.fhir_version,
            expected.fires,
            expected.indicator or "",
            expected.cards[0].summary if expected.cards else "",
            tuple(dict.fromkeys(_problems(patient))),
        )
    return MappingProxyType(found)


def _problems(patient: Mapping[str, Any]) -> Iterator[str]:
    """What the problems of a record are called in it."""
    for entry in patient["entry"]:
        if entry["resource"]["resourceType"] == "Condition":
            code = entry["resource"].get("code", {})
            coded = (one.get("display", "") for one in code.get("coding", ()))
            yield from filter(None, [code.get("text") or next(coded, "")])


def shifted(story: Story, to: date) -> Story | None:
    """The story moved to ``to``; ``None`` for a day to which it cannot be moved."""
    if to == story.as_of:
        return story
    days = to - story.as_of
    born = None
    birth = story.birth
    if birth is not None:
        birth = _moved_birth(birth, story.as_of, to, _dates(story.patient))
        if birth is None:
            return None
        born = _ends(birth)[0]
        if _ends(story.birth or birth)[0] > story.as_of:
            born = None  # a birth date in the future orders nothing

    def move(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: move(inner, name) for name, inner in value.items()}
        if isinstance(value, list):
            return [move(inner, key) for inner in value]
        if not isinstance(value, str):
            return value
        if key == "birthDate" and value == story.birth:
            return birth
        match = _DATE(value)
        if match is None:
            return _moved_month(value, days) if _MONTH(value) else value
        before = date.fromisoformat(match[1])
        after = before + days
        if born is not None and after < born and before >= _ends(story.birth or "")[0]:
            after = born
        return f"{after.isoformat()}{match[2] or ''}"

    return msgspec.structs.replace(
        story, as_of=to, birth=birth, request=move(story.request), patient=move(story.patient)
    )


def _moved_month(written: str, days: timedelta) -> str:
    """The month in which the middle of the month ``written`` comes to lie."""
    first, last = _ends(written)
    after = first + (last - first) // 2 + days
    return after.isoformat()[: len(written)]


# --- birth dates --------------------------------------------------------------------------------


def _moved_birth(written: str, on: date, to: date, recorded: Iterable[date]) -> str | None:
    """The birth date that gives on ``to`` the age that ``written`` gives on ``on``."""
    first, last = _ends(written)
    if first > on:
        return (first + (to - on)).isoformat()[: len(written)]
    if len(written) == 10:
        same = _same_age(first, on, to)
        return same.isoformat() if same is not None else None
    days = {on, *(day for day in recorded if first <= day <= on)}
    middle = first + (last - first) // 2 + (to - on)
    unit = 31 if len(written) == 7 else 366
    for apart in (0, -1, 1):
        tried = (middle + timedelta(days=apart * unit)).isoformat()[: len(written)]
        if all(_groups(tried, day + (to - on)) == _groups(written, day) for day in days):
            return tried
    return None


def _same_age(birth: date, on: date, to: date) -> date | None:
    """Same completed months, and as far from the nearest monthly birthday as can be; in the first
    month the same number of days, or nothing."""
    months = _completed(birth, on)
    if months == 0:
        moved = birth + (to - on)
        return moved if _completed(moved, to) == 0 else None
    since, until = on - _add(birth, months), _add(birth, months + 1) - on
    nearest = months if since <= until else months + 1
    gap = on - _add(birth, nearest)
    middle = _add(to - gap, -nearest)
    near = [middle + timedelta(days=apart) for apart in range(-_NEAR, _NEAR + 1)]
    fitting = [day for day in near if day <= to and _completed(day, to) == months]
    by_fit = [(abs(to - _add(day, nearest) - gap), abs(day - middle), day) for day in fitting]
    return min(by_fit)[2]


def _groups(written: str, on: date) -> tuple[int, int, bool] | None:
    """The age groups of the oldest and the youngest child that ``written`` can mean."""
    first, last = _ends(written)
    if first > on:
        return None
    youngest = min(last, on)
    return _group(first, on), _group(youngest, on), (on - youngest).days < NEWBORN_DAYS


def _group(birth: date, on: date) -> int:
    months = _completed(birth, on)
    return sum(months >= start for start in AGE_GROUPS)


def _dates(value: Any) -> Iterator[date]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _dates(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _dates(inner)
    elif isinstance(value, str) and (match := _DATE(value)) is not None:
        yield date.fromisoformat(match[1])


def _ends(written: str) -> tuple[date, date]:
    """The first and the last day that a date of any precision can mean."""
    year, month, day = (*map(int, written.split("-")), 0, 0)[:3]
    if day:
        return date(year, month, day), date(year, month, day)
    last = month or 12
    return date(year, month or 1, 1), date(year, last, monthrange(year, last)[1])


def _add(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def _completed(birth: date, on: date) -> int:
    months = (on.year - birth.year) * 12 + on.month - birth.month
    return months if on >= _add(birth, months) else months - 1
