"""What the words of an order state of how often and how long it is given.

Words choose no dose and no rhythm: they are only held against the structure of an order. But one
dose in all is read from them where nothing else says how often, since that is too little. What
follows a "then" is of a later phase, and a clause about a review or a level is not of a dose.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from cds_service.guidelines.b12_under_two.data import Guideline
from cds_service.guidelines.b12_under_two.names import ScheduleNames
from cds_service.guidelines.b12_under_two.products import (
    LONGEST_NAME,
    has,
    has_unspaced,
    is_unspaced,
    letters_by_script,
    remembered,
    words_of,
)

_CLAUSES = re.compile(r"[;\n()]|\.(?=\s|$)").split
_MONTH = Decimal(30)
#: Morning, noon, evening and night, as in "1-0-1-0" of a medication plan, or "1+0+1"; with a slash
#: only where one of them is nothing, since it may be a date.
_PART = r"(?:\d(?:[.,]\d{1,2})?|[½¼¾])"
_PLAN = re.compile(
    rf"(?<![\w.,/+-])(?:{_PART}(?:\s?[-\u2013+]\s?{_PART}){{2,3}}"
    rf"|(?=[1-9/]*0){_PART}(?:/{_PART}){{2,3}})(?![\w/+-])"
).finditer
_PARTS = re.compile(r"[-\u2013+/]").split
#: "3x1": three times one piece, or once in one order and three in the other: the same number.
_CROSSED = re.compile(
    r"(?<![\w.,/])(?:1\s?x\s?([2-6])|([2-6])\s?x\s?1)(?![\w.,]|/\d|\s?[x%])"
).finditer
#: "1 tablet x 2".
_TIMES_AFTER = re.compile(r"(?<=[^\W\d_])\.?\sx\s?([2-4])(?![\w.,/%])").finditer
#: "2/day", which is not a fraction.
_A_DAY = re.compile(
    r"(?<![\w.,/+-])([1-6])\s?/\s?(?:day|d|24\s?h|tag|jour|j|dia|giorno|die|dag|vrk|zi|nap|den|сут|день|д)\b"
).finditer


class Rhythm(NamedTuple):
    """So many times in every so many days; once in all in 0."""

    times: Decimal
    days: Decimal

    def is_near(self, times: Decimal, days: Decimal) -> bool:
        """Whether it comes to about the same: three times a week is every other day."""
        if not self.days or not days:
            return self.days == days
        ratio = (self.times * days) / (times * self.days)
        return Decimal("0.8") <= ratio <= Decimal("1.25")


#: Once in all.
ONCE = Rhythm(Decimal(1), Decimal(0))


class Stated(NamedTuple):
    """What a text states of the first phase of an order, empty where it states nothing;
    ``goes_on`` where a later phase follows. ``once``: a clause ends with one dose, which is also
    how much is given each time."""

    rhythms: tuple[Rhythm, ...] = ()
    days: tuple[Decimal, ...] = ()
    as_needed: bool = False
    goes_on: bool = False
    once: bool = False


@remembered(512, 2 * LONGEST_NAME)
def stated_in(text: str, g: Guideline) -> Stated:
    names = g.file.names.schedule
    phrases, text = _patterns(names), text.replace("×", "x")
    rhythms: list[Rhythm] = []
    days: list[Decimal] = []
    later = once = False
    for clause in dict.fromkeys(map(str.strip, _CLAUSES(text))):  # each says the same every time
        if later:
            break
        line, *rest = phrases.then.split(words_of(clause).line, maxsplit=1)
        later = bool(rest)
        if not has(words_of(line), names.apart):
            rhythms += _of_clause(clause, line, phrases, g)
            days += _days(line, phrases)
            once = once or phrases.once(line) is not None
    needed = has(words_of(text), names.as_needed)
    return Stated(tuple(dict.fromkeys(rhythms)), tuple(dict.fromkeys(days)), needed, later, once)


def _of_clause(clause: str, line: str, phrases: _Patterns, g: Guideline) -> list[Rhythm]:
    """Next to a number of times "daily" or "weekly" only says of what it is."""
    found = [*_rhythms(line, phrases, g), *_planned(clause)]
    crossed = list(_crossed(clause, line, phrases))
    if crossed and len(found) == 1 and found[0].times == 1 and found[0].days > 1:
        return [Rhythm(one.times, found[0].days) for one in crossed]
    found += crossed
    often = any(one.days == 1 and one.times > 1 for one in found)
    return [one for one in found if not (often and one == _DAILY)]


_DAILY = Rhythm(Decimal(1), Decimal(1))


def is_legible(text: str, g: Guideline) -> bool:
    """Whether each of its scripts is one in which how often is read."""
    return text.isascii() or letters_by_script(text).keys() <= _scripts(g.file.names.schedule)


def is_one_dose(texts: Iterable[str], g: Guideline) -> bool:
    """Whether words state one dose in all, and nothing else of how often or how long."""
    stated = [stated_in(one, g) for one in texts if one]
    rhythms = {rhythm for one in stated for rhythm in one.rhythms}
    more = any(one.days or one.as_needed or one.goes_on for one in stated)
    return not more and (rhythms == {ONCE} or (not rhythms and any(one.once for one in stated)))


@lru_cache(maxsize=4)
def _scripts(names: ScheduleNames) -> frozenset[str]:
    every = (word for one in names.rhythms for word in one.words)
    return frozenset({"LATIN"}).union(*map(letters_by_script, every))


class _Patterns(NamedTuple):
    """The table of words as expressions over a line of words."""

    rhythms: tuple[tuple[re.Pattern[str], Rhythm], ...]
    counted: tuple[tuple[re.Pattern[str], Decimal], ...]
    hours: tuple[re.Pattern[str], ...]
    every: re.Pattern[str]
    lasting: re.Pattern[str]
    then: re.Pattern[str]
    once: Callable[[str], re.Match[str] | None]
    numbers: Mapping[str, int]
    units: Mapping[str, Decimal]


@lru_cache(maxsize=4)
def _patterns(names: ScheduleNames) -> _Patterns:
    numbers = {word: int(number) for number, words in names.numbers.items() for word in words}
    units = {
        word: days
        for words, days in (
            (names.day, Decimal(1)), (names.week, Decimal(7)), (names.month, _MONTH),
        )
        for word in words
    }  # fmt: skip
    number, unit = rf"(\d{{1,3}}|{_any_of(numbers)})", rf"({_any_of(units)})"
    before, after = _any_of(names.lasting_before), _any_of(names.lasting_after)
    return _Patterns(
        tuple((_pattern(one.words), Rhythm(one.times, one.days)) for one in names.rhythms),
        tuple(_counted(names)),
        tuple(_hours(names)),
        re.compile(rf"(?<= )(?:{_any_of(names.every)}) {number} {unit}(?= )"),
        re.compile(rf"(?<= )(?:(?:{before}) {number} {unit}|{number} {unit} (?:{after}))(?= )"),
        _pattern(names.then),
        re.compile(rf"(?<= )(?:{_any_of(names.once)}) $").search,
        numbers,
        units,
    )


def _counted(names: ScheduleNames) -> Iterator[tuple[re.Pattern[str], Decimal]]:
    """ "3 times a day" and "1日3回", each with the days in which it is so often."""
    how = names.counted
    for before, after, days in (
        (how.day_before, how.day_after, 1), (how.week_before, how.week_after, 7),
    ):  # fmt: skip
        yield _in_a_row([_NUMBER, how.times, after], names), Decimal(days)
        yield _in_a_row([before, _NUMBER, how.times], names), Decimal(days)
    yield _in_a_row([_NUMBER, how.a_day], names), Decimal(1)
    yield _in_a_row([how.parts, _NUMBER], names), Decimal(1)


def _hours(names: ScheduleNames) -> Iterator[re.Pattern[str]]:
    how = names.counted
    yield _in_a_row([names.every, _NUMBER, how.hours], names)
    yield _in_a_row([_NUMBER, how.hourly], names)
    again, hours = _any_of(how.again), _any_of(how.hours)
    yield re.compile(rf"(?<= )(\d{{1,2}})( )(?:(?:{again}) )?\1 ?(?:{hours})(?= )")


#: The place of a number in a row of words.
_NUMBER = ()


def _in_a_row(parts: Sequence[Sequence[str]], names: ScheduleNames) -> re.Pattern[str]:
    """With or without blanks; where a script has none, also within a word, and not after another
    number ("2週1回" is once in two weeks)."""
    numbers = [word for words in names.numbers.values() for word in words]
    within = [one for one in numbers if has_unspaced(one)]
    begin = _first_of([*within, *parts[0]])
    spaced, unspaced = _row(parts, numbers, unspaced=False), _row(parts, within, unspaced=True)
    return re.compile(rf"(?<= ){spaced}(?= )|(?=[\d{begin}])(?<!\d)(?<!\d ){unspaced}")


def _row(parts: Sequence[Sequence[str]], numbers: Sequence[str], *, unspaced: bool) -> str:
    row = []
    for part in parts:
        spelt = [one for one in part if bool(has_unspaced(one)) is unspaced]
        if part:
            row.append(rf"(?:{_any_of(spelt)})" if spelt else "(?!)")
        else:
            row.append(rf"(\d{{1,2}}|{_any_of(numbers)})" if numbers else r"(\d{1,2})")
    return " ?".join(row)


def _pattern(words: Iterable[str]) -> re.Pattern[str]:
    """Whole words, and within a word where a script has no blanks."""
    spelt = frozenset(words)
    within = {one for one in spelt if is_unspaced(one)}
    spaced = rf"(?<= )(?:{_any_of(spelt - within)})(?= )"
    if not within:
        return re.compile(spaced)
    return re.compile(rf"{spaced}|(?=[{_first_of(within)}])(?:{_any_of(within)})")


def _first_of(words: Iterable[str]) -> str:
    """The signs of scripts without blanks that words begin with: where none is, there is nothing to
    compare, which in a long text saves most of the time."""
    return "".join(sorted({one[0] for one in words if has_unspaced(one[0])}))


def _any_of(words: Iterable[str]) -> str:
    """Longer ones first, so that none hides another."""
    spelt = {words_of(one).line.strip() for one in words}
    return "|".join(re.escape(one) for one in sorted(spelt, key=lambda one: (-len(one), one)))


def _rhythms(line: str, phrases: _Patterns, g: Guideline) -> Iterator[Rhythm]:
    """Those that are not part of another ("weekly" of "twice weekly") and not denied."""
    found = sorted([*_named(line, phrases), *_numbered(line, phrases)])
    parts = _covered({span for span, _ in found})
    for span, rhythm in found:
        if span not in parts and _word_before(line, span[0]) not in g.file.names.negations:
            yield rhythm


def _covered(spans: Iterable[tuple[int, int]]) -> set[tuple[int, int]]:
    """Those within another: with the first, and of these the longest, before the others one look
    at each is enough."""
    found: set[tuple[int, int]] = set()
    reached = 0
    for first, last in sorted(spans, key=lambda one: (one[0], -one[1])):
        if last <= reached:
            found.add((first, last))
        reached = max(reached, last)
    return found


def _word_before(line: str, place: int) -> str:
    """Looked for no further back than any word of the tables is long."""
    return line[max(0, place - _LONGEST_WORD) : place].rstrip().rpartition(" ")[2]


_LONGEST_WORD = 60


def _named(line: str, phrases: _Patterns) -> Iterator[tuple[tuple[int, int], Rhythm]]:
    for pattern, rhythm in phrases.rhythms:
        for hit in pattern.finditer(line):
            yield hit.span(), rhythm


def _numbered(line: str, phrases: _Patterns) -> Iterator[tuple[tuple[int, int], Rhythm]]:
    for hit in phrases.every.finditer(line):
        yield hit.span(), Rhythm(Decimal(1), _number(hit[1], phrases) * phrases.units[hit[2]])
    for pattern, days in phrases.counted:
        for hit in pattern.finditer(line):
            if times := _number(hit[1] or hit[2], phrases):
                yield hit.span(), Rhythm(times, days)
    for pattern in phrases.hours:
        for hit in pattern.finditer(line):
            if hours := _number(hit[1] or hit[2], phrases):
                yield hit.span(), Rhythm(24 / hours, Decimal(1))


def _planned(clause: str) -> Iterator[Rhythm]:
    for plan in _PLAN(clause):
        times = sum(any(sign in "123456789½¼¾" for sign in part) for part in _PARTS(plan[0]))
        if times:
            yield Rhythm(Decimal(times), Decimal(1))


def _crossed(clause: str, line: str, phrases: _Patterns) -> Iterator[Rhythm]:
    """So many times a day, written as a product or a fraction; not "x 2 days", a length."""
    plain = clause.lower()
    lengths = {hit.start() for hit in phrases.lasting.finditer(line)}
    for hit in (*_CROSSED(plain), *_A_DAY(plain)):
        yield Rhythm(Decimal(next(filter(None, hit.groups()))), Decimal(1))
    if not lengths:
        for hit in _TIMES_AFTER(plain):
            following = words_of(plain[hit.end() : hit.end() + _LONGEST_WORD]).line.split()[:1]
            if not any(one in phrases.units for one in following):
                yield Rhythm(Decimal(hit[1]), Decimal(1))


def _days(line: str, phrases: _Patterns) -> Iterator[Decimal]:
    for hit in phrases.lasting.finditer(line):
        number, unit = (hit[1], hit[2]) if hit[1] else (hit[3], hit[4])
        yield _number(number, phrases) * phrases.units[unit]


def _number(written: str, phrases: _Patterns) -> Decimal:
    return Decimal(written) if written.isdecimal() else Decimal(phrases.numbers[written])
