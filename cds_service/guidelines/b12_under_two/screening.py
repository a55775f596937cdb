"""What the newborn screening found of propionylcarnitine (C3) and of methylmalonic acid.

A result is positive by the laboratory's flag or range, else by its words, whatever its code. Words
ask for a confirmation; they never choose a dose. What is of the screening and says neither positive
nor negative is handed back as untold.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Literal

from msgspec import Struct

from cds_service.clinical import Code, Measurement, Record, convert, in_short
from cds_service.guidelines.b12_under_two.age import is_ahead
from cds_service.guidelines.b12_under_two.data import Guideline
from cds_service.guidelines.b12_under_two.feeding import yes_or_no
from cds_service.guidelines.b12_under_two.meanings import Screened, screening_says
from cds_service.guidelines.b12_under_two.products import has_phrase, words_of
from cds_service.guidelines.b12_under_two.results import FINAL, against_own_range


class Screening(Struct, frozen=True):
    """What was ``positive``, by name, the results that were ``untold``, and the names that words
    alone explained, with their sources."""

    positive: tuple[str, ...]
    untold: tuple[Measurement, ...]
    understood: tuple[tuple[str, str], ...]


def read_screening(record: Record, recorded: Iterable[str], on: date, g: Guideline) -> Screening:
    """From the results of a record; ``recorded`` are problems that say it was positive."""
    positive: list[str] = []
    untold: list[Measurement] = []
    understood: list[tuple[str, str]] = []
    for one in record.measurements:
        says = _says(one, g)
        if says is None or one.about or one.withheld:
            continue
        coded = g.codes.newborn_screening.any_of(one.codes) is not None
        if not _stands(one, on, g):  # one by its code is named with the reason
            untold += [one] if says == "positive" and not coded else []
        elif says == "":
            untold.append(one)
        else:
            understood.append((one.source, one.name))
            positive += [_called(one, g)] if says == "positive" else []
    named = dict.fromkeys([*positive, *(_part_of(it, g) for it in recorded)])
    return Screening(tuple(named), tuple(untold), tuple(understood))


def _stands(one: Measurement, on: date, g: Guideline) -> bool:
    return one.status in FINAL and one.when is not None and not is_ahead(one.when, on, g.limits)


def _says(one: Measurement, g: Guideline) -> Screened | None:
    coded = g.codes.newborn_screening.any_of(one.codes) is not None
    if not coded and any((code.system, code.code) in g.kinds for code in one.codes):
        return None
    disease = _disease(one, g)
    known = coded or _is_acylcarnitine(one, g) or disease != ""
    asked, by_laboratory = _asked(one, g), _by_laboratory(one, g)
    flagged = by_laboratory == "positive" or (disease != "" and not by_laboratory)
    in_words = screening_says(asked, _answered(one, g), g, known=known, flagged=flagged)
    if in_words is None:
        return "" if is_unnamed(one, g) or _is_nameless(one, g) else None
    marked = known or any(has_phrase(it, g.file.names.signs.marker) for it in asked)
    return (by_laboratory if marked else "") or _by_words(one, in_words, g)


def is_unnamed(one: Measurement, g: Guideline) -> bool:
    """Whether a panel is positive, and not said of what."""
    return _is_panel(one, g) and _by_laboratory(one, g) == "positive"


def _is_nameless(one: Measurement, g: Guideline) -> bool:
    """Whether a panel is answered by a code that no one knows, and by nothing else."""
    alone = bool(one.concepts) and not _answered(one, g) and not _by_laboratory(one, g)
    return alone and _is_panel(one, g)


def _is_panel(one: Measurement, g: Guideline) -> bool:
    return g.codes.newborn_screening_panel.any_of(one.codes) is not None


def _by_words(one: Measurement, said: Screened, g: Guideline) -> Screened:
    """By what was ``said``, unless the answer is a plain no or a code that no one knows; else by
    what is written next to it."""
    yes = yes_or_no(one, g)
    if yes is False:
        return "negative"
    if one.concepts and yes is None and not _answered(one, g):
        return ""
    if said or not one.notes:
        return said
    return screening_says((), [*_asked(one, g), *one.notes.splitlines()], g) or ""


def _is_acylcarnitine(one: Measurement, g: Guideline) -> bool:
    """Whether what is called "C3" and no more is measured as only propionylcarnitine is: the
    complement is not measured in micromoles."""
    value = one.value
    bare = any(words_of(it).line == " c3 " for it in _asked(one, g))
    return bare and value is not None and convert(value, "umol/L") is not None


def _by_laboratory(one: Measurement, g: Guideline) -> Literal["positive", "negative", ""]:
    """By its flag, its range or a coded answer: a low or a normal one is not positive."""
    if one.interpretation == "high" or "abnormal" in one.unclear:
        return "positive"
    ranged = against_own_range(one)
    if ranged == "above" or g.codes.answer_positive.any_of(one.concepts) is not None:
        return "positive"
    negative = g.codes.answer_negative.any_of(one.concepts) is not None
    return "negative" if negative or one.interpretation or ranged == "within" else ""


def is_called_high(one: Measurement, g: Guideline) -> bool:
    """Whether the laboratory calls high, by its flag, range or words, what nothing is compared
    with here."""
    if one.interpretation == "high" or against_own_range(one) == "above":
        return True
    return screening_says(_asked(one, g), _answered(one, g), g, known=True) == "positive"


def _asked(one: Measurement, g: Guideline) -> Sequence[str]:
    """What was asked for; of a panel without a name what its list calls it, and of one of its
    markers ("MMA") the panel as well."""
    asked = [it for it in (one.name, *(code.display for code in one.codes)) if it]
    panel = g.codes.newborn_screening_panel
    if not asked and (code := panel.any_of(one.codes)) is not None:
        return [panel.called(code)]
    if one.within and any(has_phrase(it, g.file.names.signs.marker) for it in asked):
        asked += [it for code in one.within if (it := code.display or panel.called(code))]
    return asked


def _answered(one: Measurement, g: Guideline) -> Sequence[str]:
    """What was answered; of a code without a name what its list calls it."""
    coded = [code.display or _called_here(code, g) for code in one.concepts]
    return [it for it in (one.text, *coded) if it]


def _called_here(code: Code, g: Guideline) -> str:
    codes = g.codes
    lists = (codes.answer_positive, codes.answer_negative, codes.inborn, codes.b12_deficiency)
    return next((it for one in lists if (it := one.called(code))), "")


def _disease(one: Measurement, g: Guideline) -> str:
    """The disease that a coded answer of a panel names, if it is one of vitamin B12 or of what it
    works on."""
    if not (one.concepts and _is_panel(one, g)):
        return ""
    lists = (g.codes.inborn, g.codes.remethylation, g.codes.b12_deficiency)
    for listed in lists:
        code = listed.any_of(one.concepts)
        if code is not None:
            return code.display or listed.called(code)
    return ""


def _called(one: Measurement, g: Guideline) -> str:
    """What was found, by the words that name it, else as the list calls its code."""
    marker = g.file.names.signs.marker
    code = g.codes.newborn_screening.any_of(one.codes)
    if code is not None:
        sent = next((it.display for it in one.codes if it.display), "")
        return (sent or g.codes.newborn_screening.called(code)).split(" [")[0]
    said = (*_answered(one, g), *_asked(one, g), *one.notes.splitlines())
    named = next((it for it in said if has_phrase(it, marker)), "")
    return _part_of(named or _disease(one, g) or one.name, g)


def _part_of(text: str, g: Guideline) -> str:
    """Without a heading, where what follows it names what was measured."""
    rest = text.partition(": ")[2]
    return in_short(rest if has_phrase(rest, g.file.names.signs.marker) else text)
