"""What a drafted order gives: the dose, how much a day, how much on average, and by what route.

In micrograms, exactly as far as it can be calculated. Nothing is guessed: what is missing,
unknown or contradictory is a problem that is stated, and what does not depend on it is calculated.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise
from math import ceil
from typing import Literal, NamedTuple

from msgspec import Struct, structs

from cds_service.clinical import (
    UNITS,
    DoseAmount,
    DraftDosage,
    Instruction,
    Quantity,
    Schedule,
    convert,
    dose_unit,
)
from cds_service.guidelines.b12_under_two.data import Doubts, Guideline, Orders
from cds_service.guidelines.b12_under_two.giving import rhythm
from cds_service.guidelines.b12_under_two.order_words import Stated, is_legible, stated_in
from cds_service.guidelines.b12_under_two.products import (
    BY_MOUTH,
    INJECTED,
    LONGEST_NAME,
    Drug,
    Form,
    ProductWay,
    Way,
    form_of,
    has,
    has_phrase,
    words_of,
)
from cds_service.language import Listed, Message, Sent, id_of, say

_NO_STRENGTH = say(Doubts.no_strength)

_INJECTED: frozenset[Way] = frozenset(INJECTED)
_TWO_WEEKS = Decimal(14)
#: On alternate days: one dose in so many days.
_ALTERNATE = 2
#: The routes that suit each product. An injection is also swallowed, in practice.
_SUITABLE: dict[str, frozenset[Way]] = {
    "oral": frozenset({"oral", "sublingual"}),
    "sublingual": frozenset({"oral", "sublingual"}),
    "nasal": frozenset({"nasal"}),
    "parenteral": _INJECTED | {"oral"},
}
_WAYS: Mapping[Way, Message] = {
    "oral": say(Doubts.way_oral),
    "sublingual": say(Doubts.way_sublingual),
    "nasal": say(Doubts.way_nasal),
    "intramuscular": say(Doubts.way_intramuscular),
    "subcutaneous": say(Doubts.way_subcutaneous),
    "intravenous": say(Doubts.way_intravenous),
    "parenteral": say(Doubts.way_parenteral),
}


class Line(Struct, frozen=True):
    """One dosage line in micrograms; ``None`` is what cannot be calculated.

    ``low`` and ``high`` are the ends of a single dose, ``day`` the most on one day,
    ``average_low`` and ``average_high`` what is given a day on average (a single dose counts
    for one day), ``days`` how long it lasts. ``times`` doses are given in every ``span`` days, a
    single dose in 0 (``least_times`` where a range of times is given); ``count`` is how many there
    are in all. What is given ``as_needed`` is calculated as if every dose were. ``spinal``: it is
    to go into the spinal canal or the brain. ``problems`` say why something is ``None``.
    """

    low: Decimal | None = None
    high: Decimal | None = None
    day: Decimal | None = None
    average_low: Decimal | None = None
    average_high: Decimal | None = None
    days: Decimal | None = None
    sequence: int | None = None
    ways: frozenset[Way] = frozenset()
    needs_weight: bool = False
    problems: tuple[Message, ...] = ()
    times: Decimal | None = None
    span: Decimal | None = None
    count: int | None = None
    least_times: Decimal | None = None
    as_needed: bool = False
    spinal: bool = False

    @property
    def is_frequent(self) -> bool:
        """Injected daily or on alternate days, or more often."""
        return (
            bool(self.ways & _INJECTED)
            and not self.as_needed
            and self.times is not None
            and bool(self.span)
            and self.times * _ALTERNATE >= (self.span or 0)
        )

    @property
    def lasts(self) -> Decimal | None:
        """The days until it ends or its doses are used up."""
        used_up = None
        if self.count is not None and self.times and self.span is not None:
            used_up = self.count * self.span / self.times
        return min((one for one in (self.days, used_up) if one is not None), default=None)

    def within(self, days: Decimal, *, least: bool = False) -> Decimal | None:
        """The most micrograms it gives in its first ``days`` days, or what it gives at ``least``:
        the low end of a range, as seldom as it may be."""
        amount, times = (self.low, self.least_times) if least else (self.high, self.times)
        if amount is None or times is None or self.span is None:
            return None
        lasting = days if self.days is None else min(days, self.days)
        doses = doses_within(times, self.span, lasting)
        return amount * (doses if self.count is None else min(doses, self.count))


class Frequent(NamedTuple):
    """Injections daily or on alternate days, for so many days; ``None`` without an end."""

    days: Decimal | None


class Dosing(Struct, frozen=True):
    """A drafted order in micrograms; ``None`` is what cannot be calculated.

    ``single_low`` and ``single_high`` bound the single dose, ``day_most`` is the most known to
    be given on one day, the averages are those of the most intensive line (``None`` when one
    line's is unknown), ``days`` the whole duration. ``ways`` are all routes it may go by: several
    when alternatives are given, or when route and product contradict each other.

    ``per_kg_in_mg``: some dose is written in milligrams or grams per kg. ``needs_weight``: some
    dose is per kg and there is no weight; this alone is not a problem. ``contradicts``: words state
    another dose, rhythm, route or length than the lines have. ``as_needed``: so it is written,
    in structure or words. ``problems`` say what was
    not understood; without any, and with no weight needed, the order was understood whole.
    ``in_words_alone`` is the largest mass that words state where no dose can be read; it is never
    a dose. ``single_least`` is the low end of the largest single dose. ``unnumbered``: its lines
    are read as phases, though they have no sequence. ``if_always`` is the average if every dose
    given as needed is given. ``spinal``: some line is to go into the spinal canal or the brain;
    ``astray``: some line states a route that is not known here.
    """

    lines: tuple[Line, ...]
    single_low: Decimal | None
    single_high: Decimal | None
    day_most: Decimal | None
    average_low: Decimal | None
    average_high: Decimal | None
    days: Decimal | None
    ways: frozenset[Way]
    per_kg_in_mg: bool
    needs_weight: bool
    contradicts: bool
    problems: tuple[Message, ...]
    in_words_alone: Decimal | None = None
    single_least: Decimal | None = None
    as_needed: bool = False
    unnumbered: bool = False
    if_always: Decimal | None = None
    spinal: bool = False
    astray: bool = False

    def within(self, days: Decimal, *, least: bool = False) -> Decimal | None:
        """The most micrograms given in the first ``days`` days, or the least, later lines after
        earlier ones."""
        always, turns = _by_turn(self.lines)
        amounts = [line.within(days, least=least) for line in always]
        for turn in turns:
            if days <= 0:
                break
            amounts += [line.within(days, least=least) for line in turn]
            days = (
                days - _longest(turn) if all(one.days is not None for one in turn) else Decimal(0)
            )
        known = [one for one in amounts if one is not None]
        return sum(known, Decimal(0)) if amounts and len(known) == len(amounts) else None

    def turns(self) -> Iterator[Decimal]:
        """After how many days each later line begins."""
        _, turns = _by_turn(self.lines)
        days = Decimal(0)
        for turn in turns[:-1]:
            if any(one.days is None for one in turn):
                return
            days += _longest(turn)
            yield days

    def frequent_injections(self) -> Frequent | None:
        """How long it is injected daily or on alternate days; ``None`` where it is not."""
        always, turns = _by_turn(self.lines)
        groups = [[one for one in group if one.is_frequent] for group in (always, *turns)]
        lines = [one for group in groups for one in group]
        if not lines:
            return None
        if any(one.lasts is None for one in lines):
            return Frequent(None)
        alongside, *in_turn = [
            max((one.lasts for one in group if one.lasts is not None), default=Decimal(0))
            for group in groups
        ]
        return Frequent(max(alongside, sum(in_turn, Decimal(0))))

    def in_words(self) -> Message:
        """The dose for a card: "500 to 1000 micrograms, up to 2000 a day", or mg, or g."""
        low, high, day = self.single_low, self.single_high, self.day_most
        largest = max(high or Decimal(0), day or Decimal(0))
        code, factor = scale(largest)
        unit = unit_in_full(code, largest / factor)
        most = None if day is None else shown_dose(day / factor)
        if high is None:
            return (
                say(Orders.dose_unknown)
                if most is None
                else say(Orders.dose_a_day, day=most, unit=unit)
            )
        several = low is not None and low < high
        ends = [shown_dose(one / factor) for one in (low if low is not None else high, high)]
        if day is None or most is None or day <= high:
            if several:
                return say(Orders.dose_range, low=ends[0], high=ends[1], unit=unit)
            return say(Orders.dose, dose=ends[1], unit=unit)
        if several:
            return say(Orders.dose_range_and_day, low=ends[0], high=ends[1], day=most, unit=unit)
        return say(Orders.dose_and_day, dose=ends[1], day=most, unit=unit)


def scale(micrograms: Decimal) -> tuple[str, Decimal]:
    """The unit in which an amount is shown, and how many micrograms it has: from 10,000 up a
    number of micrograms is misread."""
    for unit, factor in (("g", Decimal(1_000_000)), ("mg", Decimal(1000))):
        if micrograms >= 10 * max(factor, Decimal(1000)) and micrograms.adjusted() <= 20:
            return unit, factor
    return "ug", Decimal(1)


def unit_in_full(code: str, amount: Decimal) -> str | Message:
    """What `scale` chose, as a card writes it after an amount."""
    return say(Orders.in_micrograms, amount=amount) if code == "ug" else code


def in_full(micrograms: Decimal) -> Message:
    """An amount with its unit in full: "1500 micrograms", "1000 mg"."""
    unit, factor = scale(micrograms)
    amount = shown_dose(micrograms / factor)
    if unit == "ug":
        return say(Orders.micrograms, amount=amount)
    return say(Orders.milligrams if unit == "mg" else Orders.grams, amount=amount)


def shown_dose(amount: Decimal, places: int = 4) -> Decimal | Message:
    """An amount rounded, but never to nothing; beyond all sense, where places no longer count, as
    it is: Decimal refuses to round more digits than it calculates with."""
    if amount.adjusted() > 20:
        return amount
    least = Decimal(1).scaleb(-places)
    return round(amount, places) if amount >= least else say(Orders.less_than, amount=least)


def doses_within(times: Decimal, span: Decimal, days: Decimal) -> int:
    """How many doses fall in the first ``days`` days, the first at once, of ``times`` in every
    ``span`` days; a single dose has a span of 0."""
    return max(1, ceil(times)) if not span else ceil(days * times / span)


def understand(
    dosages: Sequence[DraftDosage],
    drug: Drug,
    weight_kg: Decimal | None,
    g: Guideline,
    notes: Sequence[str] = (),
) -> Dosing:
    """What ``dosages`` of ``drug`` give a child of ``weight_kg``; ``notes`` are the words of the
    order as a whole."""
    if not any(amount.per_kg for one in dosages for amount in _amounts(one)):
        weight_kg = None  # it makes no difference: the same order is the same for every child
    words = (*notes, *[text for one in dosages for text in (one.text, *one.beside)])
    short = all(len(one) <= LONGEST_NAME for one in words)
    read = _understood if short else _understood.__wrapped__
    return read(tuple(dosages), drug, weight_kg, g, tuple(notes))


@lru_cache(maxsize=512)
def _understood(
    dosages: Sequence[DraftDosage],
    drug: Drug,
    weight_kg: Decimal | None,
    g: Guideline,
    notes: Sequence[str],
) -> Dosing:
    dosages = _in_turn(dosages, g)
    lines, phases = _as_phases(tuple([_line(one, drug, weight_kg, g) for one in dosages]), dosages)
    singles = [one for line in lines for one in (line.low, line.high) if one is not None]
    average_low, average_high = (_together if _are_of_one_day(dosages, g) else _most_intensive)(
        lines
    )
    if_always = average_high
    average_low, average_high = _for_certain(lines, average_low, average_high)
    ways = [line.ways for line in lines] or [_ways_of(drug)]
    differ, needed = _in_words(lines, dosages, notes, drug, g)
    alone = _stated_alone(lines, dosages)
    problems = [
        *drug.doubts,
        *_excess_in_words(alone, g),
        *differ,
        *needed,
        *_illegible(dosages, notes, g),
        *phases,
        *(_told(lines) if lines else (_nothing_told(notes, g),)),
    ]
    return Dosing(
        lines,
        min(singles, default=None),
        _largest([line.high for line in lines]),
        _day_most(lines),
        average_low,
        average_high,
        _duration(lines),
        frozenset[Way]().union(*ways),
        _per_kg_in_mg(dosages),
        any(line.needs_weight for line in lines),
        bool(differ),
        _quoted_once(tuple(dict.fromkeys(problems))),
        alone,
        _largest([line.low for line in lines]),
        bool(needed) or any(sent.as_needed for sent in dosages),
        bool(phases),
        if_always,
        _is_any_spinal(lines),
        _is_any_astray(lines, dosages, g),
    )


def _for_certain(
    lines: Sequence[Line], low: Decimal | None, high: Decimal | None
) -> tuple[Decimal | None, Decimal | None]:
    """The ends of an average, which no one knows of what is given as needed."""
    return (None, None) if any(line.as_needed for line in lines) else (low, high)


def _is_any_spinal(lines: Iterable[Line]) -> bool:
    return any(line.spinal for line in lines)


def _is_any_astray(lines: Sequence[Line], dosages: Sequence[DraftDosage], g: Guideline) -> bool:
    return any(_is_astray(line, one, g) for line, one in zip(lines, dosages, strict=True))


def _nothing_told(notes: Sequence[str], g: Guideline) -> Message:
    """Of an order without a line: its dose may be in the words of the order as a whole."""
    told = next((one for one in notes if stated_in(one, g).rhythms), "")
    return say(Doubts.dose_in_words, words=told) if told else say(Doubts.no_dose)


def _largest(amounts: Sequence[Decimal | None]) -> Decimal | None:
    return max((one for one in amounts if one is not None), default=None)


#: A mass in words, not that of a strength ("1 mg/mL") nor of a kilogram.
_STATED = re.compile(
    r"(?<![\d.,])(\d{1,12}(?:[.,]\d{1,6})?)[-\s\u00a0\u202f]{0,2}([^\W\d_]{1,20})(?!\s*(?:/|per\b))"
).finditer


def _in_words(
    lines: Sequence[Line],
    dosages: Sequence[DraftDosage],
    notes: Sequence[str],
    drug: Drug,
    g: Guideline,
) -> tuple[tuple[Message, ...], tuple[Message, ...]]:
    """What the words say otherwise than the structure, and that they say "as needed"."""
    texts = (*(words for sent in dosages for words in (sent.text, *sent.beside)), *notes)
    over_time = _differ_over_time(lines, texts, drug, g) if lines else ()
    differ = (
        *_differ_by_type(lines, dosages),
        *_differ_in_dose(lines, dosages, drug, g),
        *_differ_in_pieces(lines, dosages, drug, g),
        *over_time,
    )
    needed = [one for one in texts if stated_in(one, g).as_needed]
    return differ, tuple([say(Doubts.as_needed_in_words, words=one) for one in needed])


def _illegible(
    dosages: Sequence[DraftDosage], notes: Sequence[str], g: Guideline
) -> Iterator[Message]:
    """Words that are held against nothing, since they are in a script not read here."""
    texts = (*(words for sent in dosages for words in (sent.text, *sent.beside)), *notes)
    for words in dict.fromkeys(texts):
        if not is_legible(words, g):
            yield say(Doubts.words_illegible, words=words)


def _differ_by_type(lines: Sequence[Line], dosages: Sequence[DraftDosage]) -> Iterator[Message]:
    """That a line orders another dose than it has as calculated."""
    for line, sent in zip(lines, dosages, strict=True):
        if sent.by_type is not None and line.high is not None and line.low != line.high:
            ordered, calculated = (Sent(high.written, dose=True) for _, high in sent.by_type)
            yield say(Doubts.types_differ, ordered=ordered, calculated=calculated)


def _differ_in_dose(
    lines: Sequence[Line], dosages: Sequence[DraftDosage], drug: Drug, g: Guideline
) -> Iterator[Message]:
    for line, sent in zip(lines, dosages, strict=True):
        differ = _differs(line, sent, drug, g)
        if differ is not None:
            yield differ


def _differs(line: Line, sent: DraftDosage, drug: Drug, g: Guideline) -> Message | None:
    """That the words of a line state a dose, and none that it has. What a tablet or a millilitre
    has is the product's strength where the words speak of one."""
    if line.high is None:
        return None
    stated = {line.low, line.high, line.day, line.average_high}
    strengths = {drug.per_unit, drug.per_ml}
    for amount, _ in sent.maxima:
        if amount.unit in UNITS:
            stated.add(convert(Quantity(amount.value, amount.unit, amount.written), "ug"))
    for words in (sent.text, *sent.beside):
        known = stated | strengths if _speaks_of_a_product(words, g) else stated
        for found in _STATED(words):
            readings = {mass for one in _readings(found[1]) if (mass := _micrograms(one, found[2]))}
            if readings and readings.isdisjoint(known):
                return say(Doubts.words_differ, words=words, dose=shown_dose(line.high))
    return None


#: What a number of millilitres comes after where it is of the product, or of what it is given in.
_OF_ANOTHER = re.compile(
    r"(?:/|\b(?:per|in|pro|por|par|with|mit|avec|con|ad|auf|dans|en|i|w))$"
).search


def _differ_in_pieces(
    lines: Sequence[Line], dosages: Sequence[DraftDosage], drug: Drug, g: Guideline
) -> Iterator[Message]:
    """That the words of a line state millilitres or pieces, and none that it has."""
    for line, sent in zip(lines, dosages, strict=True):
        known, counted = _volumes_of(line, sent, drug), _counted_in(sent)
        for words in (sent.text, *sent.beside):
            volumes, pieces = _volumes_in(words, g), _pieces_in(words, g)
            if _are_other(volumes, known) or _are_other_pieces(pieces, counted, drug):
                yield say(Doubts.words_otherwise, words=words, written=_as_written(sent))
                break


def _counted_in(sent: DraftDosage) -> set[Decimal]:
    """The numbers of pieces that a line gives."""
    return {one.value for one in (sent.low, sent.high) if one is not None and one.unit == "1"}


def _as_written(sent: DraftDosage) -> Listed:
    ends = dict.fromkeys([one.written for one in (sent.low, sent.high) if one is not None])
    return Listed(tuple([Sent(one, dose=True) for one in ends]), "slash")


def _are_other(stated: set[Decimal], known: set[Decimal]) -> bool:
    return bool(stated and known) and not any(_is_one_of(one, known) for one in stated)


def _are_other_pieces(stated: Mapping[Decimal, Form], counted: set[Decimal], drug: Drug) -> bool:
    """Another number of the pieces that are counted, or tablets of a liquid."""
    if not counted:
        return drug.form == "liquid" and "tablet" in stated.values()
    return drug.form in stated.values() and counted.isdisjoint(stated)


def _volumes_of(line: Line, sent: DraftDosage, drug: Drug) -> set[Decimal]:
    """Every number of millilitres that a line gives, however it is written."""
    found = {
        convert(Quantity(one.value, one.unit, one.written), "mL")
        for one in (sent.low, sent.high, *(amount for amount, _ in sent.maxima))
        if one is not None and one.unit in UNITS
    }
    if drug.per_ml:
        masses = (line.low, line.high, line.day)
        found |= {one / drug.per_ml for one in masses if one is not None}
    elif line.day is not None and line.high:
        found |= {one * line.day / line.high for one in found if one is not None}
    return {one for one in found if one is not None}


def _volumes_in(words: str, g: Guideline) -> set[Decimal]:
    """The millilitres that a text states of a dose: not those of a container or of what it is
    given in."""
    found: set[Decimal] = set()
    for hit in _STATED(words):
        if not has_phrase(hit[2], _VOLUMES) or _OF_ANOTHER(words[: hit.start()].rstrip().lower()):
            continue
        beside = (words[: hit.start()].split()[-1:], words[hit.end() :].split()[:1])
        if not any(form_of(one.strip("().,:;"), g) == "ampoule" for it in beside for one in it):
            found.update(_readings(hit[1]))
    return found


def _pieces_in(words: str, g: Guideline) -> Mapping[Decimal, Form]:
    """How many tablets, drops, puffs or ampoules a text states."""
    return {
        number: piece
        for hit in _STATED(words)
        if (piece := form_of(hit[2], g))
        for number in _readings(hit[1])
    }


def _is_one_of(stated: Decimal, known: Iterable[Decimal]) -> bool:
    """Within the rounding of a syringe."""
    return any(abs(stated - one) <= _ROUNDED * one for one in known)


_ROUNDED = Decimal("0.05")


def _speaks_of_a_product(words: str, g: Guideline) -> bool:
    """Whether words name a form or a volume, so that a mass in them may be its strength."""
    forms = g.file.names.forms
    pieces = (forms.tablet, forms.drop, forms.spray, forms.ampoule, forms.liquid, _VOLUMES)
    return any(has_phrase(words, one) for one in pieces)


_VOLUMES = ("ml", "cc", "millilitre", "millilitres", "milliliter", "milliliters")


def _differ_over_time(
    lines: Sequence[Line], texts: Iterable[str], drug: Drug, g: Guideline
) -> Iterator[Message]:
    """Each text that states how often, by what way or how long, and as no line has it. A line may
    be described by the words of another: they are of one course."""
    ways = frozenset[Way]().union(*(line.ways for line in lines)) or _ways_of(drug)
    for words in dict.fromkeys(texts):
        stated = stated_in(words, g)
        if stated.rhythms and not _is_as_often(lines, stated):
            often = Listed(tuple([_how_often(line) for line in lines]))
            yield say(Doubts.words_often, words=words, often=often)
        said = _ways_in(_PORTION(" ", words), g).ways
        if said and ways and not any(_agreed(said, frozenset({one})) for one in ways):
            yield say(Doubts.words_way, words=words, ways=_listed(ways))
        if stated.days and _are_timed(lines) and not _lasts_as_stated(lines, stated):
            yield say(Doubts.words_lasting, words=words, lasting=_how_long(lines))


def _are_timed(lines: Iterable[Line]) -> bool:
    """Whether the structure says when at all: without it there is nothing to hold words against."""
    return any(one.times is not None or one.days is not None for one in lines)


def _is_as_often(lines: Sequence[Line], stated: Stated) -> bool:
    """Whether some line is given about as often, or may be, since no one knows of one how often."""
    for line in lines:
        if line.times is None or line.span is None:
            return True
        for times in (line.times, line.least_times or line.times):
            if any(one.is_near(times, line.span) for one in stated.rhythms):
                return True
    return False


#: "po 1 ampułce": in Slavic languages "of each", not "by mouth".
_PORTION = re.compile(r"\bpo(?=\s*\d)").sub
#: How far a length in words may be from that of the structure: a month has 28 to 31 days.
_ABOUT = Decimal("0.15")


def _lasts_as_stated(lines: Sequence[Line], stated: Stated) -> bool:
    """Whether a line, or all together, are as long; what has no end is not held against a first
    phase of two weeks or more, or that another follows."""
    known = [one for one in (*(line.days for line in lines), _duration(lines)) if one is not None]
    known += [one for line in lines if (one := line.lasts) is not None]
    if not known:
        return stated.goes_on or any(one >= _TWO_WEEKS for one in stated.days)
    return any(abs(one - said) <= _ABOUT * said for one in known for said in stated.days)


def _how_often(line: Line) -> Message:
    times, days = line.times, line.span
    if times is None or days is None:
        return say(Doubts.timing_unclear)
    return rhythm(times, days) if days else say(Doubts.once)


def _how_long(lines: Sequence[Line]) -> Listed | Message:
    known = [one.days if one.days is not None else one.lasts for one in lines]
    lengths = [say(Doubts.lasting, days=one) for one in known if one is not None]
    return Listed(tuple(dict.fromkeys(lengths))) if lengths else say(Doubts.endless)


def _stated_alone(lines: Sequence[Line], sent: Sequence[DraftDosage]) -> Decimal | None:
    """The largest mass that the words of a line without a readable dose state, in micrograms: of
    a number that can be read in two ways, the smaller."""
    stated = [
        min(readings)
        for line, one in zip(lines, sent, strict=True)
        if line.high is None
        for words in (one.text, *one.beside)
        for found in _STATED(words)
        if (readings := [m for it in _readings(found[1]) if (m := _micrograms(it, found[2]))])
    ]
    return max(stated, default=None)


def _quoted_once(problems: tuple[Message, ...]) -> tuple[Message, ...]:
    """Without the words of a dose where what they say far too much is stated already."""
    ids = {one.id for one in problems}
    if id_of(Doubts.excess_in_words) not in ids:
        return problems
    return tuple([one for one in problems if one.id != id_of(Doubts.dose_in_words)])


def _excess_in_words(alone: Decimal | None, g: Guideline) -> Iterable[Message]:
    """That words alone state an amount at which a unit was probably confused."""
    if alone is not None and g.limits.dose_excessive.holds(alone):
        yield say(Doubts.excess_in_words, dose=in_full(alone), times=shown_dose(alone / 1000, 0))


def _readings(number: str) -> tuple[Decimal, ...]:
    """What a number can mean: a comma or a point before three digits may mean thousands."""
    plain = number.replace(",", ".")
    whole, _, rest = plain.partition(".")
    return (Decimal(plain), Decimal(whole + rest)) if len(rest) == 3 else (Decimal(plain),)


def _micrograms(value: Decimal, unit: str) -> Decimal | None:
    known = dose_unit(unit)
    if known is None or known.per_kg or known.unit not in UNITS:
        return None
    return convert(Quantity(value, known.unit, unit), "ug")


def _most_intensive(lines: Sequence[Line]) -> tuple[Decimal | None, Decimal | None]:
    """The ends of the average of the line that gives most; unknown when one line's is."""
    known = [
        (line.average_high, line.average_low)
        for line in lines
        if line.average_high is not None and line.average_low is not None
    ]
    if not known or len(known) < len(lines):
        return None, None
    high, low = max(known)
    return low, high


def _together(lines: Sequence[Line]) -> tuple[Decimal | None, Decimal | None]:
    """The ends of the average of all lines together; unknown when one line's is."""
    lows = [one.average_low for one in lines if one.average_low is not None]
    highs = [one.average_high for one in lines if one.average_high is not None]
    known = len(lows) == len(highs) == len(lines)
    return (sum(lows, Decimal(0)), sum(highs, Decimal(0))) if known else (None, None)


def _per_kg_in_mg(dosages: Sequence[DraftDosage]) -> bool:
    return any(amount.per_kg and _is_mg(amount) for one in dosages for amount in _amounts(one))


def _in_turn(dosages: Sequence[DraftDosage], g: Guideline) -> Sequence[DraftDosage]:
    """Lines without numbers that say "then ..." follow one another; some FHIR versions and
    clients have no numbers."""
    first, *later = dosages or (None,)
    if first is None:
        return dosages
    if _are_of_one_day(dosages, g):
        return [structs.replace(one, sequence=None) for one in dosages]
    if any(one.sequence is not None for one in dosages):
        return dosages
    if not later or not all(_follows(one, g) for one in later):
        return dosages
    return [structs.replace(one, sequence=place) for place, one in enumerate(dosages, 1)]


def _as_phases(
    lines: tuple[Line, ...], dosages: Sequence[DraftDosage]
) -> tuple[tuple[Line, ...], tuple[Message, ...]]:
    """Lines that have no place in a sequence, in their order where they are most likely phases, and
    that they were read so, with what they give if they are meant otherwise."""
    if not _falls_without_numbers(lines, dosages):
        return lines, ()
    most = in_full(_day_most(lines) or Decimal(0))
    told = say(Doubts.lines_without_numbers, count=len(lines), most=most)
    numbered = [structs.replace(one, sequence=place) for place, one in enumerate(lines, 1)]
    return tuple(numbered), (told,)


def _falls_without_numbers(lines: Sequence[Line], dosages: Sequence[DraftDosage]) -> bool:
    """Whether lines that have no place in a sequence are most likely the phases of one course: of
    one dose, each less often than the one before, and each with an end but the last. By FHIR they
    would go on together, and give a child on the right course several times its dose."""
    averages = [one.average_high for one in lines]
    return (
        len(lines) > 1
        and all(one.sequence is None and one.high is not None for one in lines)
        and len({(one.low, one.high) for one in lines}) == 1
        and all(one.days is not None for one in lines[:-1])
        and not any(one.day_times for one in dosages)
        and all(
            before is not None and after is not None and before > after
            for before, after in pairwise(averages)
        )
    )


def _follows(dosage: DraftDosage, g: Guideline) -> bool:
    """Whether it begins with "then"."""
    begins = " ".join(dosage.text[:40].split()[:1])
    return has_phrase(begins, g.file.names.then)


def _are_of_one_day(dosages: Sequence[DraftDosage], g: Guideline) -> bool:
    """Whether the lines are the doses of one day, each at a time of its own ("in the morning", "in
    the evening"): then their numbers put them in order and do not let them follow one another."""
    times = [one.day_times for one in dosages]
    apart = sum(map(len, times)) == len(frozenset[str]().union(*times))
    return (
        len(dosages) > 1
        and all(times)
        and apart
        and len({one.days for one in dosages}) == 1
        and not any(_follows(one, g) for one in dosages)
    )


def _told(lines: Sequence[Line]) -> tuple[Message, ...]:
    """The problems of all lines, each once, with the lines it is about unless it is about all."""
    every = dict.fromkeys(problem for line in lines for problem in line.problems)
    told = []
    for problem in every:
        where = [place for place, line in enumerate(lines, 1) if problem in line.problems]
        if len(where) == len(lines):
            told.append(problem)
        elif len(where) == 1:
            told.append(say(Doubts.in_line, problem=problem, line=where[0]))
        else:
            told.append(say(Doubts.in_lines, problem=problem, lines=Listed(tuple(where))))
    return tuple(told)


def _by_turn(lines: Sequence[Line]) -> tuple[list[Line], list[list[Line]]]:
    """The lines that may go on at any time, and those that follow one another by their number."""
    turns: dict[int, list[Line]] = {}
    always = [line for line in lines if line.sequence is None]
    for line in lines:
        if line.sequence is not None:
            turns.setdefault(line.sequence, []).append(line)
    return always, list(turns.values())


def _day_most(lines: Sequence[Line]) -> Decimal | None:
    """Lines of one number, and those without any, may all fall on one day; of a line whose
    timing is not known, one dose."""
    always, turns = _by_turn(lines)
    known = [
        [one for line in (*always, *turn) if (one := line.day or line.high) is not None]
        for turn in turns or [[]]
    ]
    return max((sum(day, Decimal(0)) for day in known if day), default=None)


def _duration(lines: Sequence[Line]) -> Decimal | None:
    if not lines or any(line.days is None for line in lines):
        return None
    always, turns = _by_turn(lines)
    in_turn = sum((_longest(turn) for turn in turns), Decimal(0))
    return max(in_turn, _longest(always))


def _longest(lines: Iterable[Line]) -> Decimal:
    return max((line.days for line in lines if line.days is not None), default=Decimal(0))


def _amounts(dosage: DraftDosage) -> list[DoseAmount]:
    ends = [one for one in (dosage.low, dosage.high) if one is not None]
    return [*ends, *(amount for amount, _ in dosage.maxima)]


def _is_mg(amount: DoseAmount) -> bool:
    """Whether the unit is a mass of milligrams or more."""
    dimension, factor = UNITS.get(amount.unit or "", ("", Decimal(0)))
    return dimension == "mass" and factor >= 1000


# --- one line ---------------------------------------------------------------------------------


def _line(dosage: DraftDosage, drug: Drug, weight_kg: Decimal | None, g: Guideline) -> Line:
    ways, route_problem = route_of_line(dosage, drug, g)
    problems = [route_problem] if route_problem else []
    if "the line" in dosage.unclear:
        return Line(sequence=dosage.sequence, ways=ways, problems=(say(Doubts.line_unclear),))
    reckoner = _Reckoner(drug, weight_kg, g, problems)
    low, high = _ends(dosage, reckoner)
    dosed = dosage.low or dosage.high
    problem = _dose_problem(dosage)
    if problem:
        problems.append(problem)
    problems += _not_understood(dosage, g)
    schedule = _schedule(dosage, problems, needed=dosed is not None and not dosed.per_day)
    if dosed is not None and dosed.per_day:
        given = _spread(low, high, schedule, problems)
    else:
        given = _given(low, high, schedule)
    if dosage.as_needed:
        problems.append(say(Doubts.as_needed))
    given = _with_maxima(given, dosage, reckoner)
    return Line(
        *given,
        _days(dosage, schedule),
        dosage.sequence,
        ways,
        reckoner.needs_weight,
        tuple(dict.fromkeys(problems)),
        *_rhythm(dosage, schedule),
        dosage.as_needed,
        _is_spinal(dosage, g),
    )


def says_more(dosages: Iterable[DraftDosage], g: Guideline) -> bool:
    """Whether something is stated next to a dose that is not understood."""
    return any(not _is_plain(one, g) for line in dosages for one in line.instructions)


def _is_plain(instruction: Instruction, g: Guideline) -> bool:
    return g.codes.plain_instructions.any_of(instruction.codes) is not None


def _not_understood(dosage: DraftDosage, g: Guideline) -> Iterator[Message]:
    """What is stated next to the dose and not known to change nothing: it may end the treatment,
    or name the days on which it is given."""
    for one in dosage.instructions:
        if not _is_plain(one, g):
            displays = (code.display or code.code for code in one.codes)
            words = one.text or next(displays, "")
            yield say(Doubts.instruction, words=words) if words else say(Doubts.instruction_empty)


def _rhythm(
    dosage: DraftDosage, schedule: Schedule | None
) -> tuple[Decimal | None, Decimal | None, int | None, Decimal | None]:
    """How often; what is given as needed as often as it may be."""
    if schedule is None:
        return None, None, dosage.count, None
    most = max(schedule.times, schedule.most_times)
    return most, schedule.days, dosage.count, min(schedule.times, schedule.most_times)


def _ends(dosage: DraftDosage, reckoner: _Reckoner) -> tuple[Decimal | None, Decimal | None]:
    """The ends of the dose in micrograms, the lower first."""
    agreed = _agreed_by_type(dosage, reckoner)
    if agreed is not None:
        return agreed
    low, high = (
        reckoner.micrograms(one) if one is not None else None for one in (dosage.low, dosage.high)
    )
    if dosage.by_type is not None and low is not None and high is not None:
        return min(low, high), max(low, high)
    if low is not None and high is not None and low > high:
        reckoner.problems.append(say(Doubts.ends_reversed))
        return high, low
    return low, high


def _agreed_by_type(dosage: DraftDosage, reckoner: _Reckoner) -> tuple[Decimal, Decimal] | None:
    """The ends of a dose that was sent as ordered and as calculated, where both come to the same:
    as ordered, and of a dose by weight as calculated, which is what is drawn up."""
    if dosage.by_type is None:
        return None
    ordered, calculated = dosage.by_type
    found = [reckoner.micrograms(one) for one in (*ordered, *calculated)]
    least, most, lowest, highest = found
    if least is None or most is None or lowest is None or highest is None:
        return None
    if least > highest * _SAME or lowest > most * _SAME:
        return None
    return (lowest, highest) if ordered[1].per_kg else (least, most)


#: How far two statements of one dose may be apart: they were rounded.
_SAME = Decimal("1.1")


def _dose_problem(dosage: DraftDosage) -> Message | None:
    """What is wrong with how the dose is given, if anything is."""
    if "dose" in dosage.unclear:
        return say(Doubts.dose_unclear)
    if dosage.low is None and dosage.high is None:
        in_words = dosage.text and dosage.schedule is None and "timing" not in dosage.unclear
        return say(Doubts.dose_in_words, words=dosage.text) if in_words else say(Doubts.no_dose)
    if dosage.high is None or dosage.low is None:
        return say(Doubts.one_end)
    return None


def _days(dosage: DraftDosage, schedule: Schedule | None) -> Decimal | None:
    """How long the line lasts; a single dose one day."""
    if dosage.days is not None or schedule is None:
        return dosage.days
    if not schedule.days:
        return Decimal(1)
    if dosage.count is None:
        return None
    return dosage.count * schedule.days / schedule.times


class _Reckoner:
    """Turns amounts of one drug for one child into micrograms, and notes why it cannot."""

    def __init__(
        self, drug: Drug, weight_kg: Decimal | None, g: Guideline, problems: list[Message]
    ) -> None:
        self.drug, self.weight_kg, self.g, self.problems = drug, weight_kg, g, problems
        self.needs_weight = False

    def micrograms(self, amount: DoseAmount) -> Decimal | None:
        """Per kg multiplied by the weight; per day still per day."""
        if not amount.value.is_finite() or amount.value <= 0:
            self.problems.append(say(Doubts.not_above_zero, dose=amount.written))
            return None
        if amount.unit is None:
            self.problems.append(say(Doubts.unit_unknown, dose=amount.written))
            return None
        mass = self._of_pieces(amount) if amount.unit == "1" else self._of_unit(amount)
        if not amount.per_kg:
            return mass
        if self.weight_kg is None:
            self.needs_weight = True
            return None
        return None if mass is None else mass * self.weight_kg

    def _of_unit(self, amount: DoseAmount) -> Decimal | None:
        sent = Quantity(amount.value, amount.unit, amount.written)
        mass = convert(sent, "ug")
        volume = convert(sent, "mL") if mass is None else None
        if volume is None and mass is None:
            self.problems.append(say(Doubts.unit_unknown, dose=amount.written))
        if volume is not None:
            if self.drug.per_ml is not None:
                return volume * self.drug.per_ml
            solid = self.drug.form == "tablet"
            wrong = say(Doubts.does_not_fit, dose=amount.written)
            self.problems.append(wrong if solid else _NO_STRENGTH)
        return mass

    def _of_pieces(self, amount: DoseAmount) -> Decimal | None:
        """Pieces of the product's own form, at the strength of one."""
        drug = self.drug
        piece = form_of(amount.thing, self.g) if amount.thing else ""
        if amount.thing and not piece:
            self.problems.append(say(Doubts.unit_unknown, dose=amount.written))
            return None
        if piece == "drop" and drug.per_ml is not None and drug.drops_per_ml is not None:
            return amount.value * drug.per_ml / drug.drops_per_ml
        fit = _fit(piece, drug.form)
        if fit == "counted" and drug.per_unit is not None:
            return amount.value * drug.per_unit
        if fit != "no":
            self.problems.append(_NO_STRENGTH)
        elif not piece and not drug.form:
            self.problems.append(say(Doubts.counts_what, dose=amount.written))
        else:
            self.problems.append(say(Doubts.does_not_fit, dose=amount.written))
        return None


def _fit(piece: Form, form: Form) -> Literal["counted", "possible", "no"]:
    """Whether pieces of a product of this form can be counted, at the strength of one or at
    another; without a ``piece`` a bare number counts what the form is."""
    if not piece:
        return "counted" if form in ("tablet", "spray", "ampoule") else "no"
    if piece == form or (not form and piece in ("tablet", "ampoule")):
        return "counted"
    possible = not form or (form == "liquid" and piece in ("drop", "ampoule"))
    return "possible" if possible else "no"


def _schedule(dosage: DraftDosage, problems: list[Message], *, needed: bool) -> Schedule | None:
    """The timing, if it can be calculated with; a line of one dose is a single dose."""
    schedule = dosage.schedule
    if schedule is not None:
        numbers = (schedule.times, schedule.most_times, schedule.most_a_day)
        if schedule.days >= 0 and all(one > 0 for one in numbers):
            return schedule
        problems.append(say(Doubts.timing_unclear))
        return None
    if "timing" in dosage.unclear:
        problems.append(say(Doubts.timing_unclear))
    elif dosage.count == 1:
        return Schedule(Decimal(1), Decimal(1), Decimal(0), Decimal(1))
    elif needed:
        problems.append(say(Doubts.no_timing))
    return None


class _Given(NamedTuple):
    """The first fields of a `Line`."""

    low: Decimal | None
    high: Decimal | None
    day: Decimal | None
    average_low: Decimal | None
    average_high: Decimal | None


def _given(low: Decimal | None, high: Decimal | None, schedule: Schedule | None) -> _Given:
    """What a dose at each time of ``schedule`` comes to."""
    if schedule is None:
        return _Given(low, high, None, None, None)
    days = schedule.days or Decimal(1)
    return _Given(
        low,
        high,
        None if high is None else high * schedule.most_a_day,
        None if low is None else low * schedule.times / days,
        None if high is None else high * max(schedule.times, schedule.most_times) / days,
    )


def _spread(
    low: Decimal | None, high: Decimal | None, schedule: Schedule | None, problems: list[Message]
) -> _Given:
    """The same for the amount of a day, shared among its times."""
    if schedule is None:
        return _Given(None, None, high, low, high)
    days = schedule.days or Decimal(1)
    if schedule.times % days:
        problems.append(say(Doubts.unequal_days))
        return _Given(None, None, high, None, None)
    times, most = schedule.times / days, max(schedule.times, schedule.most_times) / days
    return _Given(
        None if low is None else low / most,
        None if high is None else high / times,
        high,
        low,
        high,
    )


def _with_maxima(given: _Given, dosage: DraftDosage, reckoner: _Reckoner) -> _Given:
    """With what the "at most" amounts allow.

    They allow more than is ordered, and bound only what is given as needed. A maximum of
    several days says nothing of one day.
    """
    high, day = given.high, given.day
    for amount, days in dosage.maxima:
        most = reckoner.micrograms(amount)
        if most is None:
            continue
        if days is None and not amount.per_day:
            high = most if high is None else max(high, most)
        elif days is None or days <= 1:
            most = most / days if days else most
            bound = min if dosage.as_needed else max
            day = most if day is None else bound(day, most)
    return given._replace(high=high, day=day)


# --- the route --------------------------------------------------------------------------------


def route_of_line(
    dosage: DraftDosage, drug: Drug, g: Guideline
) -> tuple[frozenset[Way], Message | None]:  # fmt: skip
    """The ways this line may go by, and what is wrong with what is stated of them.

    By the codes of the route, otherwise by its text and the names of its codes, otherwise by the
    product. Where they contradict each other, all of them may be meant.
    """
    of_product = _ways_of(drug)
    said, problem = _ways_said(dosage, g)
    if problem:
        return said or of_product, problem
    if not said:
        return of_product, None if of_product else say(Doubts.no_route)
    if drug.way and not said <= _SUITABLE[drug.way]:
        return said | of_product, _unfit(said, drug.way)
    return said, None


def _unfit(said: frozenset[Way], product: ProductWay) -> Message:
    """That a product of one way is to go by others."""
    ways = _listed(said)
    match product:
        case "oral":
            return say(Doubts.route_not_oral, ways=ways)
        case "sublingual":
            return say(Doubts.route_not_sublingual, ways=ways)
        case "nasal":
            return say(Doubts.route_not_nasal, ways=ways)
        case _:
            return say(Doubts.route_not_parenteral, ways=ways)


def _ways_said(dosage: DraftDosage, g: Guideline) -> tuple[frozenset[Way], Message | None]:
    """The ways that codes and texts say, none where nothing is stated, and what is wrong with
    it."""
    coded = _coded_ways(dosage, g)
    if len(coded) > 1:
        return coded, say(Doubts.routes_differ)
    texts = dict.fromkeys((dosage.route_text, *(code.display for code in dosage.route)))
    read = [_ways_in(text, g) for text in texts if text]
    said, against = _joined(coded, [one.ways for one in read])
    if against:
        named = say(Doubts.routes_said, ways=_listed(said), others=_listed(against))
        return said | against, named
    stated = bool(dosage.route or dosage.route_text)
    negated = any(one.negated for one in read)
    unclear = "route" in dosage.unclear or negated or (stated and not said)
    return said, _unknown_route(dosage) if unclear else None


def _unknown_route(dosage: DraftDosage) -> Message:
    names = (dosage.route_text, *(code.display or code.code for code in dosage.route))
    name = next(filter(None, names), "")
    return say(Doubts.route_unknown, route=name) if name else say(Doubts.route_unclear)


def _is_astray(line: Line, dosage: DraftDosage, g: Guideline) -> bool:
    """Whether a line states a route that is none of those known."""
    stated = bool(dosage.route or dosage.route_text) or "route" in dosage.unclear
    return line.spinal or (stated and not _ways_said(dosage, g)[0])


def _is_spinal(dosage: DraftDosage, g: Guideline) -> bool:
    """Whether a line is to go into the spinal canal or the brain, by its code or its words."""
    if g.codes.routes_spinal.any_of(dosage.route) is not None:
        return True
    names = g.file.names
    said = (dosage.route_text, *(one.display for one in dosage.route), dosage.text, *dosage.beside)
    return any(
        has(words, names.routes.spinal) and not has(words, names.negations)
        for words in map(words_of, filter(None, said))
    )


def _joined(
    said: frozenset[Way], texts: Iterable[frozenset[Way]]
) -> tuple[frozenset[Way], frozenset[Way]]:
    """What codes and texts say together, and the first that contradicts what was stated before."""
    for written in texts:
        both = _agreed(said, written)
        if not both and said and written:
            return said, written
        said = both or said
    return said, frozenset()


def _agreed(said: frozenset[Way], written: frozenset[Way]) -> frozenset[Way]:
    """What two statements have in common: of "by injection" and a place, the place."""
    if not said or not written:
        return said | written
    together = said | written
    if "parenteral" in together and together <= _INJECTED:
        return together - {"parenteral"} or together
    return said & written


def _ways_of(drug: Drug) -> frozenset[Way]:
    return frozenset({drug.way}) if drug.way else frozenset()


def _coded_ways(dosage: DraftDosage, g: Guideline) -> frozenset[Way]:
    codes = g.codes
    ways: set[Way] = set()
    for code in dosage.route:
        if codes.routes_oral.decides(code):
            ways.add("oral")
        elif codes.routes_other.decides(code):
            ways.add("nasal" if codes.routes_nasal.decides(code) else "sublingual")
        elif codes.routes_parenteral.decides(code):
            ways.add(
                "intramuscular" if codes.routes_intramuscular.decides(code)
                else "subcutaneous" if codes.routes_subcutaneous.decides(code)
                else "intravenous" if codes.routes_intravenous.decides(code)
                else "parenteral"
            )  # fmt: skip
    return frozenset(ways)


class _Said(NamedTuple):
    """The ways that a text names, none when it says what not to do."""

    ways: frozenset[Way]
    negated: bool = False


def is_said_under_the_skin(dosages: Sequence[DraftDosage], g: Guideline) -> bool:
    """Whether the words of every line are for an injection under the skin and no other."""
    texts = [one.text for one in dosages]
    return bool(texts) and all(
        bool(text) and _ways_in(text, g).ways == {"subcutaneous"} for text in texts
    )


def _ways_in(text: str, g: Guideline) -> _Said:
    return (_named_ways if len(text) <= LONGEST_NAME else _named_ways.__wrapped__)(text, g)


_ASIDES = re.compile(r"\([^()]*\)").sub


@lru_cache(maxsize=512)
def _named_ways(text: str, g: Guideline) -> _Said:
    words, negations = words_of(text), g.file.names.negations
    if has(words, negations):
        words = words_of(_ASIDES("", text))  # "deep subcutaneous (not intramuscular)"
        if has(words, negations):
            return _Said(frozenset(), negated=True)
    routes = g.file.names.routes
    found = {way for way in (*BY_MOUTH, *INJECTED) if has(words, getattr(routes, way))}
    if found & (_INJECTED - {"parenteral"}):
        found.discard("parenteral")
    return _Said(frozenset(found))


def _listed(ways: Iterable[Way]) -> Listed:
    return Listed(tuple([_WAYS[one] for one in sorted(ways)]), "alternative")
