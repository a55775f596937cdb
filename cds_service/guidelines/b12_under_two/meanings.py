"""What words mean in the place of a known code: signs, the mother's facts, nitrous oxide.

Words hold back, warn and ask for a test; they never choose a dose and never make a child deficient
or adequate. A name that denies, speaks of the past, or is of someone else counts for nothing here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Literal

from cds_service.clinical import Code, Measurement, Relative
from cds_service.guidelines.b12_under_two.data import Guideline
from cds_service.guidelines.b12_under_two.products import LONGEST_NAME, has_phrase

Meaning = Literal["neurological", "suggestive", "weak", "screening", "mother"]

_SIGNS: tuple[Literal["neurological", "suggestive", "weak"], ...] = (
    "neurological", "suggestive", "weak",
)  # fmt: skip


def meaning_of(names: Iterable[str], g: Guideline) -> Meaning | None:
    """What a problem's names mean, the gravest first."""
    said = tuple([one for one in names if one])
    if sum(map(len, said)) > 4 * LONGEST_NAME:
        return _meaning_of.__wrapped__(said, g)
    return _meaning_of(said, g)


@lru_cache(maxsize=2048)
def _meaning_of(said: tuple[str, ...], g: Guideline) -> Meaning | None:
    signs, mother = g.file.names.signs, g.file.names.mother
    if any(has_phrase(one, mother.words) and has_phrase(one, mother.causes) for one in said):
        return "mother"
    if any(has_phrase(one, signs.screening) and has_phrase(one, signs.marker) for one in said):
        return "screening"
    if any(has_phrase(one, signs.not_now) for one in said):
        return None
    for meaning in _SIGNS:
        if any(has_phrase(one, getattr(signs, meaning)) for one in said):
            return meaning
    return None


#: HL7's codes of the mother, and SNOMED CT's.
_MOTHER = frozenset({"MTH", "NMTH", "GESTM", "72705000"})


def is_the_mother(relative: Relative, g: Guideline) -> bool:
    return is_of_the_mother(relative.role, g) or any(one.code in _MOTHER for one in relative.codes)


def diseases_of_the_mother(relative: Relative, g: Guideline) -> Iterator[str]:
    """What of the mother's recorded diseases may leave her without vitamin B12: by its name, or by
    a code that would be malabsorption or a deficiency."""
    if not is_the_mother(relative, g):
        return
    causes = g.file.names.mother.causes
    named = [one for one in relative.diseases if has_phrase(one, causes)]
    yield from named
    lists = (g.codes.malabsorption, g.codes.malabsorption_permanent, g.codes.b12_deficiency)
    for code in relative.disease_codes:
        listed = next((one.called(code) for one in lists if one.decides(code)), "")
        name = code.display or listed
        if listed and name not in named:
            yield name


def lebers_of(relative: Relative, g: Guideline) -> Iterator[str]:
    """Leber's optic neuropathy among a relative's diseases, by its code or its name: it is
    inherited, and may be the child's."""
    named = [one for one in relative.diseases if has_phrase(one, g.file.names.leber)]
    yield from named
    coded = [one for one in relative.disease_codes if g.codes.leber.decides(one)]
    if coded and not named:
        yield coded[0].display or g.codes.leber.called(coded[0])


def is_of_the_mother(about: str, g: Guideline) -> bool:
    """Whether the person a result is about is called the mother."""
    return bool(about) and has_phrase(about, g.file.names.mother.words)


def is_called_the_mothers(measured: Measurement, g: Guideline) -> bool:
    """Whether the words of a result say that it is the mother's, though it names no one."""
    said = (measured.text, *(code.display for code in (*measured.codes, *measured.concepts)))
    return any(is_of_the_mother(one, g) for one in said)


def worded_diet(measured: Measurement, g: Guideline) -> str:
    """A vegan diet by its words; "" if none."""
    said = (measured.text, *(code.display for code in measured.concepts))
    vegan = g.file.names.mother.vegan
    return next((one for one in said if one and has_phrase(one, vegan)), "")


def plain_answer(text: str) -> str:
    """An answer as the lists of answers write it."""
    return " ".join(text.lower().split())


def names_nitrous_oxide(codes: Iterable[Code], text: str, g: Guideline) -> bool:
    """Whether codes or names say nitrous oxide."""
    given = tuple(codes)
    if g.codes.nitrous_oxide.any_of(given) is not None:
        return True
    said = (text, *(code.display for code in given))
    return any(has_phrase(one, g.file.names.nitrous_oxide) for one in said if one)
