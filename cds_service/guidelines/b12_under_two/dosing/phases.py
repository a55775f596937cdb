"""What the lines of an order give together: one after the other, or on one day."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import pairwise

from msgspec import structs

from cds_service.clinical import DraftDosage
from cds_service.guidelines.b12_under_two.data import Guideline
from cds_service.guidelines.b12_under_two.dosing.amounts import in_full
from cds_service.guidelines.b12_under_two.dosing.lines import Line
from cds_service.guidelines.b12_under_two.messages import Doubts
from cds_service.guidelines.b12_under_two.products import has_phrase
from cds_service.language import Message, say


def for_certain(
    lines: Sequence[Line], low: Decimal | None, high: Decimal | None
) -> tuple[Decimal | None, Decimal | None]:
    """The ends of an average, which no one knows of what is given as needed."""
    return (None, None) if any(line.as_needed for line in lines) else (low, high)


def most_intensive(lines: Sequence[Line]) -> tuple[Decimal | None, Decimal | None]:
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


def all_together(lines: Sequence[Line]) -> tuple[Decimal | None, Decimal | None]:
    """The ends of the average of all lines together; unknown when one line's is."""
    lows = [one.average_low for one in lines if one.average_low is not None]
    highs = [one.average_high for one in lines if one.average_high is not None]
    known = len(lows) == len(highs) == len(lines)
    return (sum(lows, Decimal(0)), sum(highs, Decimal(0))) if known else (None, None)


def lines_in_turn(dosages: Sequence[DraftDosage], g: Guideline) -> Sequence[DraftDosage]:
    """Lines without numbers that say "then ..." follow one another; some FHIR versions and
    clients have no numbers."""
    first, *later = dosages or (None,)
    if first is None:
        return dosages
    if are_of_one_day(dosages, g):
        return [structs.replace(one, sequence=None) for one in dosages]
    if any(one.sequence is not None for one in dosages):
        return dosages
    if not later or not all(_follows(one, g) for one in later):
        return dosages
    return [structs.replace(one, sequence=place) for place, one in enumerate(dosages, 1)]


def as_phases(
    lines: tuple[Line, ...], dosages: Sequence[DraftDosage]
) -> tuple[tuple[Line, ...], tuple[Message, ...]]:
    """Lines that have no place in a sequence, in their order where they are most likely phases, and
    that they were read so, with what they give if they are meant otherwise."""
    if not _falls_without_numbers(lines, dosages):
        return lines, ()
    most = in_full(day_most(lines) or Decimal(0))
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


def are_of_one_day(dosages: Sequence[DraftDosage], g: Guideline) -> bool:
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


def by_turn(lines: Sequence[Line]) -> tuple[list[Line], list[list[Line]]]:
    """The lines that may go on at any time, and those that follow one another by their number."""
    turns: dict[int, list[Line]] = {}
    always = [line for line in lines if line.sequence is None]
    for line in lines:
        if line.sequence is not None:
            turns.setdefault(line.sequence, []).append(line)
    return always, list(turns.values())


def day_most(lines: Sequence[Line]) -> Decimal | None:
    """Lines of one number, and those without any, may all fall on one day; of a line whose
    timing is not known, one dose."""
    always, turns = by_turn(lines)
    known = [
        [one for line in (*always, *turn) if (one := line.day or line.high) is not None]
        for turn in turns or [[]]
    ]
    return max((sum(day, Decimal(0)) for day in known if day), default=None)


def duration_of(lines: Sequence[Line]) -> Decimal | None:
    if not lines or any(line.days is None for line in lines):
        return None
    always, turns = by_turn(lines)
    in_turn = sum((longest_of(turn) for turn in turns), Decimal(0))
    return max(in_turn, longest_of(always))


def longest_of(lines: Iterable[Line]) -> Decimal:
    return max((line.days for line in lines if line.days is not None), default=Decimal(0))
