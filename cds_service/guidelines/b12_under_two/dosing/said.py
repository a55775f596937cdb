"""What an order says in words, next to what its lines give."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

from cds_service.clinical import UNITS, DraftDosage, Quantity, convert
from cds_service.guidelines.b12_under_two.data import Guideline
from cds_service.guidelines.b12_under_two.dosing.amounts import (
    in_full,
    in_micrograms,
    readings_of,
    shown_dose,
)
from cds_service.guidelines.b12_under_two.dosing.lines import Line
from cds_service.guidelines.b12_under_two.dosing.phases import duration_of
from cds_service.guidelines.b12_under_two.dosing.ways import agreed, ways_in, ways_listed, ways_of
from cds_service.guidelines.b12_under_two.drugs import Drug, Form, Way
from cds_service.guidelines.b12_under_two.giving import rhythm
from cds_service.guidelines.b12_under_two.messages import Doubts
from cds_service.guidelines.b12_under_two.order_words import Stated, is_legible, stated_in
from cds_service.guidelines.b12_under_two.products import form_of, has_phrase
from cds_service.language import Listed, Message, Sent, say

_TWO_WEEKS = Decimal(14)

#: A mass in words, not that of a strength ("1 mg/mL") nor of a kilogram.
_STATED = re.compile(
    r"(?<![\d.,])(\d{1,12}(?:[.,]\d{1,6})?)[-\s\u00a0\u202f]{0,2}([^\W\d_]{1,20})(?!\s*(?:/|per\b))"
).finditer


def held_against_words(
    lines: Sequence[Line],
    dosages: Sequence[DraftDosage],
    notes: Sequence[str],
    drug: Drug,
    g: Guideline,
) -> tuple[tuple[Message, ...], tuple[Message, ...]]:
    """What the words say otherwise than the structure, and that they say "as needed"."""
    texts = (*(words for sent in dosages for words in sent.words), *notes)
    over_time = _differ_over_time(lines, texts, drug, g) if lines else ()
    differ = (
        *_differ_by_type(lines, dosages),
        *_differ_in_dose(lines, dosages, drug, g),
        *_differ_in_pieces(lines, dosages, drug, g),
        *over_time,
    )
    needed = [one for one in texts if stated_in(one, g).as_needed]
    return differ, tuple([say(Doubts.as_needed_in_words, words=one) for one in needed])


def illegible(
    dosages: Sequence[DraftDosage], notes: Sequence[str], g: Guideline
) -> Iterator[Message]:
    """Words that are held against nothing, since they are in a script not read here."""
    texts = (*(words for sent in dosages for words in sent.words), *notes)
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
    for words in sent.words:
        known = stated | strengths if _speaks_of_a_product(words, g) else stated
        for found in _STATED(words):
            readings = {
                mass for one in readings_of(found[1]) if (mass := in_micrograms(one, found[2]))
            }
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
        for words in sent.words:
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
            found.update(readings_of(hit[1]))
    return found


def _pieces_in(words: str, g: Guideline) -> Mapping[Decimal, Form]:
    """How many tablets, drops, puffs or ampoules a text states."""
    return {
        number: piece
        for hit in _STATED(words)
        if (piece := form_of(hit[2], g))
        for number in readings_of(hit[1])
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
    ways = frozenset[Way]().union(*(line.ways for line in lines)) or ways_of(drug)
    for words in dict.fromkeys(texts):
        stated = stated_in(words, g)
        if stated.rhythms and not _is_as_often(lines, stated):
            often = Listed(tuple([_how_often(line) for line in lines]))
            yield say(Doubts.words_often, words=words, often=often)
        said = ways_in(_PORTION(" ", words), g).ways
        if said and ways and not any(agreed(said, frozenset({one})) for one in ways):
            yield say(Doubts.words_way, words=words, ways=ways_listed(ways))
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
    known = [one for one in (*(line.days for line in lines), duration_of(lines)) if one is not None]
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


def stated_alone(lines: Sequence[Line], sent: Sequence[DraftDosage]) -> Decimal | None:
    """The largest mass that the words of a line without a readable dose state, in micrograms: of
    a number that can be read in two ways, the smaller."""
    stated = [
        min(readings)
        for line, one in zip(lines, sent, strict=True)
        if line.high is None
        for words in one.words
        for found in _STATED(words)
        if (readings := [m for it in readings_of(found[1]) if (m := in_micrograms(it, found[2]))])
    ]
    return max(stated, default=None)


def excess_in_words(alone: Decimal | None, g: Guideline) -> Iterable[Message]:
    """That words alone state an amount at which a unit was probably confused."""
    if alone is not None and g.limits.dose_excessive.holds(alone):
        yield say(Doubts.excess_in_words, dose=in_full(alone), times=shown_dose(alone / 1000, 0))
