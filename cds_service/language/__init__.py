"""Words by id, and the one place where numbers, units, dates and lists become text.

Every decision is passed on as a `Message`: the id of a text and the values it names. A
`Language` has the texts of one language and makes words of messages. So no decision depends on
its wording, and a language is a file.

A text is named by its place in a schema, ``say(Texts.level, value=...)``: the type checker knows
the name, the catalogue is compared with the schema at start (``catalogues``), and a test compares
the values given with those the text names.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import cache, lru_cache
from hashlib import sha256
from operator import itemgetter
from types import MemberDescriptorType
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from msgspec import Struct

from cds_service.errors import CatalogueError
from cds_service.language.locales import (
    count_of_forms,
    decimal_sign,
    keeps_capitals,
    place_of_form,
)

# --- messages -----------------------------------------------------------------------------------


class Message(Struct, frozen=True, gc=False):
    """A text by its id ("texts.level"), and the values that it names."""

    id: str
    values: Mapping[str, Value] = {}

    def __hash__(self) -> int:
        """Equal messages have it in common, in whatever order their values were given."""
        return hash((self.id, frozenset(self.values.values()))) if self.values else hash(self.id)


class Amount(Struct, frozen=True, gc=False):
    """So much of something; ``unit`` is UCUM ("ug", "pg/mL"), or as it was sent."""

    value: Decimal
    unit: str


class Dated(Struct, frozen=True, gc=False):
    """A date that may be known by its month or year only: every day from ``first`` to ``last``."""

    first: date
    last: date

    @property
    def stretch(self) -> Literal["year", "month", "days"]:
        """What it is known by."""
        first, last = self.first, self.last
        if (first.month, first.day) == (1, 1) and last == date(first.year, 12, 31):
            return "year"
        ends = (last + timedelta(days=1)).day == 1
        months = (first.year, first.month) == (last.year, last.month)
        return "month" if first.day == 1 and ends and months else "days"


class Listed(Struct, frozen=True, gc=False):
    """Several things in one text, in the order given; ``by`` names what separates them."""

    items: tuple[Value, ...]
    by: Literal["comma", "semicolon", "conjunction", "alternative", "slash"] = "comma"


class Rounded(Struct, frozen=True, gc=False):
    """A number with so many ``places``, the last ones even where they are zero."""

    value: float
    places: int = 0


class Percent(Struct, frozen=True, gc=False):
    """A share of 1 in whole percent."""

    share: float


class Span(Struct, frozen=True):
    """A stretch of time in the unit that suits its length."""

    seconds: float


class Instant(Struct, frozen=True):
    """A moment to the second, with its distance from UTC; a bare ``datetime`` is shown to the
    minute, in the clock that the text names."""

    at: datetime


class Inside(Struct, frozen=True, gc=False):
    """An English term inside a sentence: "Poor muscle tone" loses its capital where the language
    has it so, "IgA" and "Crohn's disease" keep theirs. The words of a record are not one."""

    name: str


class Sent(Struct, frozen=True, gc=False):
    """A result or ``dose`` as it was sent; a language writes its decimal sign and its unit, the
    micrograms of a dose in full."""

    written: str
    dose: bool = False


class Briefly(Struct, frozen=True, gc=False):
    """Words, and the ``brief`` ones for a headline that has no room for them: nothing is cut.
    ``lost`` is what such a headline does not say and the card then says below it."""

    full: Value
    brief: Value
    lost: Value = ""


#: What a text can name. A string is from a record or a person, and no language changes it.
Value: TypeAlias = (
    "str | int | Decimal | date | datetime"
    " | Amount | Dated | Listed | Rounded | Percent | Span | Instant | Inside | Sent | Briefly"
    " | Message"
)

#: What a person reads as it is: a message, or words that no language changes.
Words: TypeAlias = str | Message


def say(text: str, /, **values: Value) -> Message:
    """The message of a text named by its place in the schema, ``say(Texts.level, value=...)``."""
    return Message(id_of(text), values) if values else _bare(text)


@cache
def _bare(text: object) -> Message:
    """Of a text without values there is one message."""
    return Message(id_of(text))


@cache
def id_of(text: object) -> str:
    """The id of a text given as the attribute of its schema: ``Texts.level`` is "texts.level"."""
    if not isinstance(text, MemberDescriptorType):
        raise TypeError(f"{text!r} is not the attribute of a schema, such as Texts.level")
    return f"{_table(text.__objclass__)}.{text.__name__}"


def ids_of(schema: type[Struct]) -> tuple[str, ...]:
    """The ids of every text of a schema."""
    return tuple([f"{_table(schema)}.{name}" for name in schema.__struct_fields__])


def _table(schema: type) -> str:
    """A schema is named after its table in the catalogue, except for the capital."""
    return schema.__name__.lower()


# --- one language ---------------------------------------------------------------------------------

#: How long each unit of a `Span` is in seconds, the longest first, and the text that has it.
_SPANS = ((86400, "format.days"), (3600, "format.hours"), (60, "format.minutes"))


class Language:
    """The texts of one language, and how it writes numbers, units, dates and lists.

    ``tag`` is its BCP 47 tag, which is the locale of its numbers and dates too. ``texts`` are
    templates by id, the names of their values in braces. ``original`` is the language in which
    they were written first, as they are in force: this one unless given.
    """

    def __init__(
        self, tag: str, texts: Mapping[str, str], original: Language | None = None
    ) -> None:
        self.tag = tag
        self.texts = texts
        self.original = original or self
        self._identities: dict[str, tuple[str, tuple[str, ...]]] = {}
        #: The words of messages without values: most are names.
        self._constant: dict[str, str] = {}
        self._decimal, self._capitals = decimal_sign(tag), keeps_capitals(tag)
        # The same few days and amounts are all over an answer, and in the next one.
        self._ordinary = lru_cache(maxsize=1024)(self._write)

    def joined(
        self, texts: Mapping[str, str], file: str, originals: Mapping[str, str] | None = None
    ) -> Language:
        """With the ``texts`` of ``file`` too, whose ``originals`` are those of the other language
        unless this is the original. None may have the id of one that is there: that raises
        `CatalogueError`."""
        for name in texts:
            if name in self.texts:
                raise CatalogueError(
                    file, name, "is the id of a text of the service itself", "rename its table"
                )
        original = None
        if self.original is not self:
            original = self.original.joined(texts if originals is None else originals, file)
        return Language(self.tag, {**self.texts, **texts}, original)

    # --- words ------------------------------------------------------------------------------------

    def text(self, value: object) -> str:
        """A value in plain words, whatever `Value` it is."""
        kind = type(value)
        if kind is str:
            return value  # type: ignore[return-value]
        if isinstance(value, Message):  # as `fill` does, without a call for what is a name
            if not value.values:
                return self._constant.get(value.id) or self._without_values(value.id)
            return self.filled(self.texts[value.id], value.values)
        if kind in _ORDINARY:
            return self._ordinary(value)
        return value if isinstance(value, str) else self._write(value)

    def _write(self, value: object) -> str:
        writer = _WRITERS.get(type(value))
        return str(value) if writer is None else writer(self, value)

    def fill(self, message: Message, quote: Callable[[str], str] | None = None) -> str:
        """A message in words, each of its values passed through ``quote``: what is nested in it
        is plain words by then."""
        if not message.values:
            return self._constant.get(message.id) or self._without_values(message.id)
        return self.filled(self.texts[message.id], message.values, quote)

    def _without_values(self, text_id: str) -> str:
        words = self._constant[text_id] = self.filled(self.texts[text_id], {})
        return words

    def filled(
        self,
        template: str,
        values: Mapping[str, object],
        quote: Callable[[str], str] | None = None,
    ) -> str:
        """A template with its values in it, each passed through ``quote``."""
        fields, end = _template(template)
        if not fields:
            return end
        written: list[str] = []
        for before, name, forms in fields:
            value = values[name]
            if forms == WHEN:
                words = self._when(value, quote)
            elif forms:
                words = forms[self._form(value)]
            elif isinstance(value, str):
                words = value if quote is None else quote(value)
            elif quote is None or isinstance(value, _HARMLESS):
                words = self.text(value)
            else:
                words = quote(self.text(value))
            written += (before, words)
        written.append(end)
        return "".join(written)

    def _form(self, value: object) -> int:
        """Which form of a word goes with a number; with what is none, that of several."""
        if isinstance(value, Amount):
            value = value.value
        try:
            number = Decimal(value if isinstance(value, int | Decimal) else str(value))
        except InvalidOperation:
            return count_of_forms(self.tag) - 1
        return place_of_form(self.tag, number)

    def unit(self, code: str, number: Decimal) -> str:
        """The UCUM unit of a number as people write it; any other as it is."""
        template = self.texts.get(f"unit.{code}")
        return code if template is None else self.filled(template, {"number": number})

    def _named(self, text_id: str, **values: str) -> str:
        return self.filled(self.texts[text_id], values)

    def _amount(self, value: Amount) -> str:
        unit = self.unit(value.unit, value.value)
        return self._named("format.amount", number=self._number(value.value), unit=unit)

    def _number(self, value: Decimal) -> str:
        """A number that people read: from 10 000 up a thin blank before every three digits."""
        written = number(value)
        whole, point, rest = written.partition(".")
        digits = whole.lstrip("-")
        if point and digits.isdigit() and len(digits) < _LONG:
            return f"{whole}{self._decimal}{rest}"
        if len(digits) < _LONG or not digits.isdigit():
            return written
        return f"{int(whole):,}".replace(",", "\u202f") + (self._decimal + rest if point else "")

    def _inside(self, value: Inside) -> str:
        return value.name if self._capitals else plain_case(value.name)

    def _sent(self, value: Sent) -> str:
        """A plain number with its decimal sign; of any other words only the unit changes."""
        written, found = value.written, _SENT(value.written)
        if found is not None:
            before, amount, unit = found.groups()
            written = f"{before}{amount.replace('.', self._decimal)}{unit}"
        if value.dose:
            amount = Decimal(found.group(2)) if found is not None else _SEVERAL
            return _MICROGRAMS.sub(self.unit("ug", amount), written)
        for unit in _AS_SENT:
            if unit in written:
                written = written.replace(unit, self.texts[f"unit.{unit}"])
        return written

    def _date(self, value: date) -> str:
        month = self.texts[f"month.{_MONTHS[value.month - 1]}"]
        return self._named("format.date", day=str(value.day), month=month, year=f"{value.year:04}")

    def _dates(self, days: Sequence[Any]) -> list[str]:
        """Days, the year once where they have it in common."""
        if len({day.year for day in days}) > 1:
            return [self._date(day) for day in days]
        return [*map(self._day, days[:-1]), self._date(days[-1])]

    def _day(self, value: date) -> str:
        month = self.texts[f"month.{_MONTHS[value.month - 1]}"]
        return self._named("format.day", day=str(value.day), month=month)

    def _dated(self, value: Dated) -> str:
        """A month or a year as far as it is known, never a day that no one wrote; of other
        stretches their last day."""
        first, stretch = value.first, value.stretch
        if stretch == "year":
            return f"{first.year:04}"
        if stretch == "month":
            month = self.texts[f"month.{_MONTHS[first.month - 1]}"]
            return self._named("format.month", month=month, year=f"{first.year:04}")
        return self._date(value.last)

    def _when(self, value: object, quote: Callable[[str], str] | None) -> str:
        """A date as the answer to when: on a day, in a month or in a year. A message of its own
        ("between ...") says so already."""
        words = self.text(value) if quote is None else quote(self.text(value))
        if isinstance(value, Message):
            return words
        stretch = value.stretch if isinstance(value, Dated) else "days"
        return self._named(_PREPOSITIONS[stretch], date=words)

    def _listed(self, value: Listed) -> str:
        if len(value.items) > 1 and all(isinstance(one, date) for one in value.items):
            return self.texts[f"list.{value.by}"].join(self._dates(value.items))
        between = " / " if value.by == "slash" else self.texts[f"list.{value.by}"]
        return between.join(
            [one if isinstance(one, str) else self.text(one) for one in value.items]
        )

    def _percent(self, value: Percent) -> str:
        return self._named("format.percent", number=f"{value.share * 100:.0f}")

    def _rounded(self, value: Rounded) -> str:
        return f"{value.value:.{value.places}f}".replace(".", self._decimal)

    def _span(self, value: Span) -> str:
        seconds = value.seconds
        for length, text_id in _SPANS:
            if seconds >= length:
                count = seconds / length
                written = f"{count:.{int(count < 10)}f}".replace(".", self._decimal)
                return self._named(text_id, number=written)
        return self._named("format.seconds", number=f"{seconds:.0f}")

    # --- what stays the same in every language ----------------------------------------------------

    def identity(self, value: object, *, dates: bool = True) -> str:
        """The same for the same ids and values, whatever language shows them.

        Of a message also the original text as it is in force, since an id whose words were
        rewritten no longer says the same; and only of the values which that text names, less
        those that are dates unless ``dates`` count.
        """
        if isinstance(value, str):
            return value
        if isinstance(value, Message):
            return self.identity_of(value.id, value.values, dates=dates)
        if isinstance(value, Listed):
            items = [
                one if isinstance(one, str) else self.identity(one, dates=dates)
                for one in value.items
            ]
            return "\x1d".join([value.by, *items])
        if isinstance(value, Briefly):
            return self.identity(value.full, dates=dates)
        if isinstance(value, Decimal):
            return number(value)
        if isinstance(value, date | Dated) and not dates:
            return ""
        return repr(value) if isinstance(value, Struct) else str(value)

    def identity_of(self, text_id: str, values: Mapping[str, object], *, dates: bool = True) -> str:
        """The `identity` of the message of these parts."""
        original = self.original
        text, names = original._identities.get(text_id) or original.identified(text_id)
        if not names:
            return text
        found = [text]
        for name in names:
            value = values[name]
            found.append(value if isinstance(value, str) else self.identity(value, dates=dates))
        return "\x1e".join(found)

    def identified(self, text_id: str) -> tuple[str, tuple[str, ...]]:
        """What represents a text wherever it is used, and the names of its values in order."""
        text = self.texts[text_id]
        words = sha256(text.encode()).hexdigest()[:16]
        known = f"{text_id} {words}", tuple(sorted(placeholders(text)))
        self._identities[text_id] = known
        return known


_T = TypeVar("_T")


class Remembered(Generic[_T]):
    """What ``make`` makes of a text and its values, kept for the next time both are the same.

    Most of an answer was in an earlier one too: a dose, an interval, a day. What contains words
    of a record is not kept: only numbers, days, and words that are in ``own``, units among them.
    """

    def __init__(
        self,
        make: Callable[[str, Mapping[str, object]], _T],
        language: Language,
        own: frozenset[str] = frozenset(),
    ) -> None:
        self._make, self._language, self._own = make, language, own
        self._chosen: dict[str, Callable[[Any], object]] = {}
        self._kept: dict[object, _T] = {}

    def of(self, text_id: str, values: Mapping[str, object]) -> _T:
        chosen = self._chosen.get(text_id) or self._choose(text_id)
        key = (text_id, chosen(values))
        found = self._kept.get(key)
        if found is None:
            found = self._make(text_id, values)
            if self._may_be_kept(key[1]):
                if len(self._kept) >= _MOST_KEPT:
                    self._kept.clear()
                self._kept[key] = found
        return found

    def _choose(self, text_id: str) -> Callable[[Any], object]:
        """What picks the values that a text names out of those given."""
        _, names = self._language.original.identified(text_id)
        chosen = self._chosen[text_id] = itemgetter(*names) if names else _nothing
        return chosen

    def _may_be_kept(self, value: object) -> bool:
        if isinstance(value, str):
            return value in self._own
        if isinstance(value, Message):
            return all(map(self._may_be_kept, value.values.values()))
        if isinstance(value, Listed):
            return all(map(self._may_be_kept, value.items))
        if isinstance(value, tuple):
            return all(map(self._may_be_kept, value))
        if isinstance(value, Briefly):
            return self._may_be_kept((value.full, value.brief))
        if isinstance(value, Amount):
            return value.unit in self._own and self._may_be_kept(value.value)
        if isinstance(value, int | Decimal):  # equal ones are written alike up to here
            return bool(-_GROUPED < value < _GROUPED)
        return type(value) in (date, Dated)


def _nothing(values: object) -> object:
    """What a text without values names."""
    return ()


#: So much is kept of each kind, a few hundred bytes each; then all of it is dropped.
_MOST_KEPT = 1024


def number(value: Decimal) -> str:
    """A number without an exponent or needless zeros."""
    written = str(value)
    if "E" in written or len(written) > _LONGEST_NUMBER:
        return f"{value.normalize():f}"
    return written.rstrip("0").rstrip(".") if "." in written else written


def plain_case(name: str) -> str:
    """A term as it is inside a sentence of a language that writes nouns small: "Poor muscle tone"
    loses its capital, "IgA" and "Crohn's disease" keep theirs."""
    word = name.split(" ")[0]
    proper = "'" in word or "-" in word or word in _EPONYMS or not word[1:].islower()
    return name if proper else name[0].lower() + name[1:]


_EPONYMS = frozenset({"Leber", "West", "Crohn", "Biermer", "Leigh", "Hirschsprung"})

#: A number with its unit as laboratories send it: a sign before, digits, a unit or nothing.
_SENT = re.compile(
    r"([<>]?=?\s*-?)(\d{1,6}(?:\.\d+)?)(\s*(?:10\*\d/u?L|[^\d\s.,][^\s.,]*)?)"
).fullmatch
#: Units of results that people write otherwise.
_AS_SENT = ("umol/L", "10*9/L", "10*3/uL")
#: The symbols that are misread as milligrams, and the number of what is none.
_MICROGRAMS, _SEVERAL = re.compile(r"\b(?:[µμu]g|mcg)\b"), Decimal(2)


#: So many digits before the point are grouped, and the first number that has them.
_LONG, _GROUPED = 5, 10_000
#: The ids of the months' names.
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

#: What a text writes after the name of a date to have it with its preposition: "{date:when}".
WHEN = ("when",)
#: The ids of what says when, by what a date is known by.
_PREPOSITIONS = {"days": "format.on_day", "month": "format.in_month", "year": "format.in_year"}

#: No number of a card is longer; what is gets as many digits as `decimal` calculates with.
_LONGEST_NUMBER = 20


#: What is digits and signs between them, which no way of quoting changes.
_HARMLESS = (Decimal, date)


#: How each kind of value is written; one that is not among them is written as Python does.
_WRITERS: Mapping[type, Callable[[Language, Any], str]] = {
    Message: Language.fill,
    Amount: Language._amount,
    Listed: Language._listed,
    Percent: Language._percent,
    Span: Language._span,
    Decimal: Language._number,
    Inside: Language._inside,
    Sent: Language._sent,
    Briefly: lambda language, value: language.text(value.full),
    Dated: Language._dated,
    date: Language._date,
    datetime: lambda _, value: f"{value:%Y-%m-%d %H:%M}",
    Instant: lambda _, value: str(value.at.isoformat(" ", "seconds")),
    Rounded: Language._rounded,
}
#: What is written in one way wherever it is shown, again and again.
_ORDINARY = frozenset({Amount, Decimal, date})


@lru_cache(maxsize=4096)
def placeholders(text: str) -> frozenset[str]:
    """The names of the values that a text wants. Raises `ValueError` for a brace that opens or
    closes nothing."""
    return frozenset(name for _, name, _, _ in string.Formatter().parse(text) if name is not None)


@lru_cache(maxsize=4096)
def _template(text: str) -> tuple[tuple[tuple[str, str, tuple[str, ...]], ...], str]:
    """A text taken apart: what comes before each value with the value's name, and with the forms
    of a word where one of them is written instead, or with `WHEN`; and the end."""
    fields: list[tuple[str, str, tuple[str, ...]]] = []
    before = ""
    for literal, name, forms, _ in string.Formatter().parse(text):
        before += literal
        if name is not None:
            fields.append((before, name, tuple(forms.split("|")) if forms else ()))
            before = ""
    return tuple(fields), before


def values_shown(text: str) -> frozenset[str]:
    """The names of the values that a text shows, not only chooses the form of a word by."""
    return frozenset([name for _, name, forms in _template(text)[0] if not forms or forms == WHEN])
