"""What words mean in the place of a known code: signs, the mother's facts, nitrous oxide.

Words hold back, warn and ask for a test; they never choose a dose and never make a child deficient
or adequate. A sign is set aside where the words next to it deny it, or say that it is past, of
someone else or of a fever; in doubt it counts, since holding back is the safer side.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from functools import lru_cache
from itertools import repeat
from typing import Literal, NamedTuple

from msgspec import Struct

from cds_service.clinical import Code, Moment, Relative
from cds_service.guidelines.b12_under_two.age import completed_months
from cds_service.guidelines.b12_under_two.data import Guideline
from cds_service.guidelines.b12_under_two.names import MotherNames, SignNames, ToldNames
from cds_service.guidelines.b12_under_two.products import (
    LONGEST_NAME,
    has,
    has_phrase,
    names_b12,
    once_in_a_call,
    remembered,
    words_of,
)
from cds_service.guidelines.b12_under_two.products import Words as SpeltWords

Meaning = Literal[
    "leber",
    "inborn",
    "neurological",
    "malabsorption",
    "suggestive",
    "weak",
    "screening",
    "mother",
    "vegan",
    "vegetarian",
]


def meaning_of(names: Iterable[str], g: Guideline) -> Meaning | None:
    """What a problem's names mean, the gravest first."""
    said = tuple([one for one in names if one])
    if sum(map(len, said)) > 4 * LONGEST_NAME:
        return _meaning_of_long(said, g)
    return _meaning_of(said, g)


def _meant(said: tuple[str, ...], g: Guideline) -> Meaning | None:
    signs = g.file.names.signs

    def stand(terms: tuple[str, ...]) -> bool:
        return any(_stands(one, terms, g) for one in said)

    if any(is_stated(one, g.file.names.leber, g) for one in said):
        return "leber"
    screened = [one for one in said if has_phrase(one, signs.screening)]
    if _is_inborn(said, screened, g):
        return "inborn"
    if _tell(said, "neurological", g):
        return "neurological"
    if any(of_the_mother(one, g) for one in said):
        return "mother"
    if stand(signs.malabsorption):
        return "malabsorption"
    if any(_is_screened_for(one, g) for one in said):
        return "screening"
    if _tell(said, "suggestive", g):
        return "suggestive"
    return "weak" if stand(signs.weak) else _diet_of(said, g)


_meaning_of = lru_cache(maxsize=2048)(_meant)
_meaning_of_long = once_in_a_call(_meant)


def _tell(said: Sequence[str], means: Literal["neurological", "suggestive"], g: Guideline) -> bool:
    """Whether names say a sign, by its words or as it is written in many ways."""
    terms: tuple[str, ...] = getattr(g.file.names.signs, means)
    return any(_stands(one, terms, g) or _is_told(one, means, g) for one in said)


def _diet_of(said: Sequence[str], g: Guideline) -> Literal["vegan", "vegetarian"] | None:
    if any(_eats(one, g.file.names.mother.vegan, g) for one in said):
        return "vegan"
    vegetarian = g.file.names.mother.vegetarian
    return "vegetarian" if any(_eats(one, vegetarian, g) for one in said) else None


def _is_inborn(said: Sequence[str], screened: Sequence[str], g: Guideline) -> bool:
    """An inborn error by its words; what a newborn screening looks for is not one yet."""
    return not screened and any(_stands(one, g.file.names.signs.inborn, g) for one in said)


def begins_with_denial(text: str, g: Guideline) -> bool:
    """Whether a text denies what it says: "No known allergy to vitamin B12"."""
    line = f"{words_of(text).line.strip()} "
    return line.startswith(_ahead(g.file.names.no_allergy))


def bleeds(names: Iterable[str], g: Guideline) -> bool:
    """Whether a problem's names may mean that the child bleeds, whatever else they mean."""
    return any(_stands(one, g.file.names.signs.bleeding, g) for one in names if one)


def impairs_remethylation(names: Iterable[str], g: Guideline) -> bool:
    """Whether a problem's names say a deficiency of methylenetetrahydrofolate reductase."""
    return any(_stands(one, g.file.names.signs.remethylation, g) for one in names if one)


def tells_of_blood(name: str, g: Guideline) -> bool:
    """Whether a problem's name has a word of large blood cells, or of few."""
    return any(word.startswith(g.file.names.signs.blood) for word in words_of(name).each)


def is_preterm(names: Iterable[str], g: Guideline) -> bool:
    """Whether a problem's names say that the child was born preterm; it is past in every one."""
    said = [one for one in names if one]
    others = g.file.names.signs.others
    return any(
        is_stated(one, g.file.names.signs.preterm, g) and not has_phrase(one, others)
        for one in said
    )


# --- the newborn screening ----------------------------------------------------------------------

Screened = Literal["positive", "negative", ""]


@lru_cache(maxsize=4)
def _of_screening(g: Guideline) -> tuple[str, ...]:
    names = g.file.names
    return (*names.signs.screening, *names.screening.words, *names.screening.own)


def is_screened(text: str, g: Guideline) -> bool:
    """Whether words are of the newborn screening at all."""
    return has_phrase(text, _of_screening(g))


def screening_says(
    asked: Sequence[str], answered: Sequence[str], g: Guideline, *, known: bool = False,
    flagged: bool = False,
) -> Screened | None:  # fmt: skip
    """What words say of propionylcarnitine or methylmalonic acid in the newborn screening, of which
    they are or are ``known`` to be, and which may be ``flagged`` as positive: "" where no one can
    tell, or where something is positive and not named; ``None`` of anything else, or where the
    question is of someone else."""
    if _names_one(asked, g.file.names.screening.others):
        return None
    if not (known or _names_one((*asked, *answered), _of_screening(g))):
        return None
    clauses = [one for it in answered for one in _ANSWER_CLAUSE.split(it) if one.strip()]
    marker = g.file.names.signs.marker
    marked = known or _names_one(asked, marker)
    if not marked and not _names_one(answered, marker):
        return _says_what_is_positive(clauses, g)
    headed = flagged or any(_clause_says(it, g) == "positive" for it in asked)
    return _answer_says(clauses or [""], g, marked=marked, headed=headed)


def _names_one(said: Iterable[str], phrases: tuple[str, ...]) -> bool:
    return any(has_phrase(it, phrases) for it in said)


def _says_what_is_positive(clauses: Iterable[str], g: Guideline) -> Literal[""] | None:
    """Of an answer without a marker: "" where it says positive and not of what."""
    bare = any(_is_bare(one, g) and _clause_says(one, g) == "positive" for one in clauses)
    return "" if bare else None


def _is_screened_for(problem: str, g: Guideline) -> bool:
    """Whether a problem is one of the newborn screening: by naming what was measured, unless it
    says that there was none."""
    if not has_phrase(problem, g.file.names.signs.marker):
        return False
    return screening_says((), (problem,), g) in ("positive", "")


#: The same of an answer, in which brackets explain: "Propionylcarnitine (C3) elevated".
_ANSWER_CLAUSE = re.compile(r"[,;|\n!?]|(?<=\w{3})\.|\s[-\u2013\u2014]\s")


def _answer_says(clauses: Iterable[str], g: Guideline, *, marked: bool, headed: bool) -> Screened:
    """What the clauses of an answer say of a marker, which each is of where the question is
    ``marked``; ``headed`` where the question, or a clause before, calls positive what is named."""
    marker = g.file.names.signs.marker
    said: Screened = ""
    before = False
    for clause in clauses:
        told = _clause_says(clause, g)
        named = has_phrase(clause, marker)
        bare = _is_bare(clause, g)
        if told == "positive" and (marked or named or (before and bare)):
            return "positive"
        if told == "negative":
            said, headed = "negative", False
        elif told == "positive":
            headed = headed or bare
        elif headed and (marked or (named and is_stated(clause, marker, g))):
            return "positive"
        before = named and told == ""
    return said


def _clause_says(clause: str, g: Guideline) -> Screened:
    """By what it states; what is denied to be positive is negative, and not the other way round."""
    names, answers = g.file.names.screening, g.file.answers
    if plain_answer(clause) in answers.no:
        return "negative"
    if has_phrase(clause, names.false_alarm):
        return ""
    if is_stated(clause, names.positive, g):
        return "positive"
    if is_stated(clause, names.negative, g):
        return "negative"
    return "negative" if has_phrase(clause, names.positive) else ""


def _is_bare(clause: str, g: Guideline) -> bool:
    """Whether a clause says how it is and not of what."""
    line = words_of(clause).line.strip()
    return line in g.file.names.screening.positive or is_screened(clause, g)


#: Where one statement ends: a sign is not set aside from beyond. "Z. n." and "St. p." are one.
_CLAUSE = re.compile(r"[,;()\[\]|\n!?]|(?<=\w{3})\.|\s[-\u2013\u2014]\s")
#: How many words may be between a sign and what denies it.
_BETWEEN = 3
#: Letters on either side of a sign beyond which nothing bears on it.
_NEAR = 200


def _stands(text: str, terms: tuple[str, ...], g: Guideline) -> bool:
    """Whether one of ``terms`` is in ``text``, as what it is, and is not set aside where it is."""
    if not has_phrase(text, terms) or not has(_as_it_is(text, g), terms):
        return False
    found = [
        not _is_set_aside(*_beside(line, match), g.file.names.signs)
        for line in _lines(text, g)
        for match in _any_of(terms).finditer(line)
    ]
    return any(found) or not found


def _is_told(text: str, means: Literal["neurological", "suggestive"], g: Guideline) -> bool:
    """The same of a sign that is written in many ways."""
    signs, begun = g.file.names.signs, {one[:_HEAD] for one in words_of(text).each}
    ways = [
        one.found
        for one in _told(g)
        if one.means == means and not any(map(begun.isdisjoint, one.heads))
    ]
    return any(
        not _is_denied_within(match, signs) and not _is_set_aside(*_beside(line, match), signs)
        for line in (_lines(text, g) if ways else ())
        for one in ways
        for match in one.finditer(line)
    )


def _is_denied_within(match: re.Match[str], signs: SignNames) -> bool:
    """Whether a denial is between the two words of a sign: "Development: no delay"."""
    between = " ".join(filter(None, match.groups())).split()
    return any(one in signs.denied for one in between)


def _lines(text: str, g: Guideline) -> list[str]:
    """The words of each clause, without what only has the words of a sign."""
    return [_as_it_is(one, g).line for one in _CLAUSE.split(text)]


def _as_it_is(text: str, g: Guideline) -> SpeltWords:
    """The words of a text, "/" in the place of what only has the words of a sign: "arterial
    hypotonia" is a low blood pressure."""
    words, other = words_of(text), _otherwise(g)
    if other.heads[0].isdisjoint({one[:_HEAD] for one in words.each}):
        return words
    line = other.found.sub("/", words.line)
    return words if line == words.line else SpeltWords(frozenset(line.split()), line)


def may_be_a_sign(names: Iterable[str], g: Guideline) -> bool:
    """Whether names that mean nothing here may all the same be a sign or a disease that calls for
    an injection: unless they only say what is unrelated, denied, past or of someone else."""
    said = tuple([one for one in names if one])
    return not said or any(_is_open(one, g) for one in said)


@remembered(2048)
def _is_open(text: str, g: Guideline) -> bool:
    found = [_explains(clause, g) for clause in _CLAUSE.split(text)]
    return None in found or not any(found)


def _explains(clause: str, g: Guideline) -> bool | None:
    """Whether a clause says something that calls for no injection, or only plain words; ``None``
    of what it says no one can tell."""
    signs, line = g.file.names.signs, words_of(clause).line
    if line.startswith(_whose(g)) or has_phrase(clause, _all_signs(g)):
        return True  # of someone else, or a sign that was set aside
    if any(one.found.search(line) for one in (*_told(g), _otherwise(g))):
        return True
    left, unrelated = _unrelated(g).found.subn(" ", line)
    plain = all(one.isdigit() or one in signs.plain for one in left.split())
    return bool(unrelated) if plain else None


@lru_cache(maxsize=4)
def _whose(g: Guideline) -> tuple[str, ...]:
    return tuple([f" {one} " for one in g.file.names.signs.others])


@lru_cache(maxsize=4)
def _all_signs(g: Guideline) -> tuple[str, ...]:
    """Every word of a sign or disease that is known here: without a meaning it was set aside."""
    signs = g.file.names.signs
    return (
        *signs.neurological, *signs.inborn, *signs.malabsorption, *signs.preterm, *signs.weak,
        *signs.remethylation, *signs.bleeding, *signs.suggestive, *g.file.names.leber,
        *g.file.names.mother.vegan, *g.file.names.mother.vegetarian,
    )  # fmt: skip


@lru_cache(maxsize=4)
def _unrelated(g: Guideline) -> _Told:
    phrases = g.file.names.signs.unrelated
    return _Told("", re.compile(rf"(?<= ){_one_of(phrases)}(?= )"), (_heads(phrases),))


class _Told(NamedTuple):
    """A sign as it is found; ``heads`` are the first letters of words of which there has to be one
    of each group."""

    means: str
    found: re.Pattern[str]
    heads: tuple[frozenset[str], ...]


#: So many letters are enough to tell whether a text may have a word.
_HEAD = 4


@lru_cache(maxsize=4)
def _told(g: Guideline) -> tuple[_Told, ...]:
    return tuple(map(_as_found, g.file.names.signs.told))


@lru_cache(maxsize=4)
def _otherwise(g: Guideline) -> _Told:
    phrases = g.file.names.signs.otherwise
    return _Told("", re.compile(rf"(?<= ){_one_of(phrases)}(?= )"), (_heads(phrases),))


def _as_found(told: ToldNames) -> _Told:
    words = _one_of(told.words)
    if not told.of:
        return _Told(told.means, re.compile(rf"(?<= ){words}(?= )"), (_heads(told.words),))
    of, between = _one_of(told.of), rf"((?: [^ ]+){{0,{told.between}}}?) "
    ways = (words + between + of, of + between + words)[: 1 + told.either_way]
    found = re.compile("|".join(rf"(?<= ){one}(?= )" for one in ways))
    return _Told(told.means, found, (_heads(told.words), _heads(told.of)))


def _one_of(phrases: Sequence[str]) -> str:
    """A pattern of any of them, the longest first."""
    spelt = sorted(map(_pattern, phrases), key=len, reverse=True)
    return f"(?:{'|'.join(spelt)})"


def _pattern(phrase: str) -> str:
    return " ".join(
        re.escape(words_of(one).line.strip()) + "[^ ]*" * one.endswith("*")
        for one in phrase.split()
    )


def _heads(phrases: Sequence[str]) -> frozenset[str]:
    first = (words_of(one.split()[0]).line.strip() for one in phrases)
    return frozenset(one[:_HEAD] for one in first)


@lru_cache(maxsize=32)
def _any_of(terms: tuple[str, ...]) -> re.Pattern[str]:
    """A run of terms, the longest of them first: "epileptic seizures" is one sign."""
    spelt = sorted((words_of(one).line.strip() for one in terms), key=len, reverse=True)
    one = f"(?:{'|'.join(map(re.escape, spelt))})"
    return re.compile(rf"(?<= ){one}(?: {one})*(?= )")


def _beside(line: str, found: re.Match[str]) -> tuple[list[str], list[str]]:
    """The words before and after what was found, as far as they may bear on it."""
    before, after = line[: found.start()][-_NEAR:], line[found.end() :][:_NEAR]
    return before.split(), after.split()


def _is_set_aside(before: Sequence[str], after: Sequence[str], signs: SignNames) -> bool:
    aside = (*signs.past, *signs.others)
    return (
        _is_denied(before, signs)
        or _is_linked_before(before, aside, signs)
        or _is_linked_after(after, (*signs.denied_after, *aside, *signs.fever), signs)
        or _is_of_fever(before, signs)
        or " ".join(after) in signs.denied  # the answer: "Seizures: none"
    )


def _is_denied(before: Sequence[str], signs: SignNames) -> bool:
    """Whether a denial, or the past, is at most `_BETWEEN` words before the sign; a word that
    begins another statement, or a fever that is denied, keeps it apart."""
    for end in range(len(before), max(len(before) - _BETWEEN - 1, 0), -1):
        if _ends(before[:end], (*signs.denied, *signs.past)):
            return True
        if before[end - 1] in (*signs.apart, *signs.fever):
            return False
    return False


def _is_of_fever(before: Sequence[str], signs: SignNames) -> bool:
    """Whether the sign comes after a fever that is not denied."""
    end = len(before)
    while end and before[end - 1] in signs.linking:
        end -= 1
    return _ends(before[:end], signs.fever) and not _is_denied(before[: end - 1], signs)


def _is_linked_before(before: Sequence[str], phrases: tuple[str, ...], signs: SignNames) -> bool:
    """Whether one of ``phrases`` is before the sign, with linking words between at most."""
    for end in range(len(before), 0, -1):
        if _ends(before[:end], phrases):
            return True
        if before[end - 1] not in signs.linking:
            return False
    return False


def _is_linked_after(after: Sequence[str], phrases: tuple[str, ...], signs: SignNames) -> bool:
    """The same after it."""
    for start in range(len(after)):
        if f"{' '.join(after[start:])} ".startswith(_ahead(phrases)):
            return True
        if after[start] not in signs.linking:
            return False
    return False


def _ends(words: Sequence[str], phrases: tuple[str, ...]) -> bool:
    return f" {' '.join(words)}".endswith(_behind(phrases))


@lru_cache(maxsize=32)
def _behind(phrases: tuple[str, ...]) -> tuple[str, ...]:
    """Each as a line ends with it; all are compared at once."""
    return tuple([f" {one}" for one in phrases])


@lru_cache(maxsize=32)
def _ahead(phrases: tuple[str, ...]) -> tuple[str, ...]:
    """Each as a line begins with it."""
    return tuple([f"{one} " for one in phrases])


def _eats(text: str, diet: tuple[str, ...], g: Guideline) -> bool:
    """Whether words say a diet of the child, and of no one else."""
    others = g.file.names.signs.others
    return any(
        is_stated(clause, diet, g) and not has_phrase(clause, others)
        for clause in (_CLAUSE.split(text) if has_phrase(text, diet) else ())
    )


def is_stated(text: str, terms: tuple[str, ...], g: Guideline) -> bool:
    """Whether one of ``terms`` is in ``text`` and is not denied where it is."""
    if not has_phrase(text, terms):
        return False
    signs = g.file.names.signs
    lines = [words_of(one).line for one in _CLAUSE.split(text)]
    found = [
        not _is_only_denied(*_beside(line, match), signs)
        for line in lines
        for match in _any_of(terms).finditer(line)
    ]
    return any(found) or not found


def _is_only_denied(before: Sequence[str], after: Sequence[str], signs: SignNames) -> bool:
    """Denied, and not only past: a diet or a disease of the mother may last."""
    for end in range(len(before), max(len(before) - _BETWEEN - 1, 0), -1):
        if _ends(before[:end], signs.denied):
            return True
        if before[end - 1] in signs.apart:
            break
    return _is_linked_after(after, signs.denied_after, signs) or " ".join(after) in signs.denied


def of_the_mother(text: str, g: Guideline) -> bool:
    """Whether words say something of the mother that may leave her without vitamin B12: where they
    speak of her, and not of anyone else."""
    mother = g.file.names.mother
    if has_phrase(text, mother.household) and any(
        has_phrase(one, mother.household) and is_a_diet(one, g) for one in _CLAUSE.split(text)
    ):
        return True
    if not has_phrase(text, mother.words):
        return False
    hers = False
    for clause in _CLAUSE.split(text):
        if has_phrase(clause, mother.words):
            hers = True
        elif has_phrase(clause, g.file.names.signs.others):
            hers = False
        if hers and (_is_a_cause(clause, g) or is_a_diet(clause, g)):
            return True
    return False


def diet_is_long_over(ended: Moment | None, born: Moment | None, g: Guideline) -> bool:
    """Whether a plant-based diet of the mother had ended long before the birth."""
    if ended is None or born is None:
        return False
    return g.limits.mothers_diet_over.holds(completed_months(ended.last, born.first))


class Lasting(Struct, frozen=True):
    """Reads what words say of a diet of the mother as of the birth ``born``, asked ``on`` a day."""

    born: date
    on: date
    g: Guideline

    def read(self, text: str) -> str:
        """``text`` as it is to be read: without a plant-based diet that is denied, or was over for
        long at the birth (`mothers_diet_over`); one that ended later, or no one knows when, as if
        it lasted. The words that end it do not deny it."""
        mother = self.g.file.names.mother
        if not has_phrase(text, self._diets) or not (
            has_phrase(text, (*mother.ended, *mother.denied))
            or _YEARS_APART.search(words_of(text).line)
        ):
            return text
        lines = [
            f" {part.strip()} "
            for clause in _CLAUSE.split(text)
            for part in _before(mother.turns).split(words_of(clause).line)
        ]
        return "; ".join(self._read(place, lines).strip() for place in range(len(lines)))

    @property
    def _diets(self) -> tuple[str, ...]:
        mother = self.g.file.names.mother
        return (*mother.vegan, *mother.vegetarian)

    def _read(self, place: int, lines: Sequence[str]) -> str:
        line, names = lines[place], self.g.file.names
        if not has_phrase(line, self._diets):
            return line
        told = line if _SINCE.search(line) else line + self._going_on(lines[place + 1 : place + 2])
        if not _tells_an_end(told, names.mother):
            return _any_of(self._diets).sub("", line) if self._is_denied(line) else line
        without_end = _any_of(names.mother.ended).sub("", line)
        if self._is_denied(without_end):  # "not vegan until 2020": since then
            return _any_of((*names.signs.denied, *names.mother.denied)).sub("", without_end)
        end = self._end(told, lines)
        limit = self.g.limits.mothers_diet_over
        if end is None or not limit.holds(completed_months(end, self.born)):
            return without_end
        return _any_of(self._diets).sub("", line)

    def _is_denied(self, line: str) -> bool:
        if not is_stated(line, self._diets, self.g):
            return True
        denied = self.g.file.names.mother.denied
        found = [_beside(line, one)[0] for one in _any_of(self._diets).finditer(line)]
        return all(has_phrase(" ".join(before[-_BETWEEN:]), denied) for before in found)

    def _going_on(self, following: Sequence[str]) -> str:
        """The next statement where all it says is that the diet of this one ended: "stopped in
        2019"."""
        names = self.g.file.names.mother
        for line in following:
            rest = _YEAR.sub("", _AGO.sub(" ", _any_of(names.ended).sub("", line)))
            if _tells_an_end(line, names) and set(rest.split()) <= {*names.around_end}:
                return line
        return ""

    def _end(self, told: str, lines: Sequence[str]) -> date | None:
        """The last day on which it may have lasted: by years, by how long ago, or by since when
        she eats food of animals."""
        years = [int(one) for one in _YEAR.findall(told)]
        ago = _AGO.search(told)
        if ago and not years:
            years = [self.on.year - int(next(filter(None, ago.groups())))]
        if not years:
            mixed = self.g.file.names.mother.mixed
            eats = [line for line in lines if has_phrase(line, mixed)]
            years = [int(one) for line in eats for one in _SINCE.findall(line)]
        return date(max(years), 12, 31) if years else None


def _tells_an_end(line: str, names: MotherNames) -> bool:
    return has_phrase(line, names.ended) or _YEARS_APART.search(line) is not None


_YEAR = re.compile(r"(?<= )((?:19|20)\d\d)(?= )")
#: "2010 2018", as "2010-2018" and "from 2010 to 2018" are compared.
_YEARS_APART = re.compile(r"(?:19|20)\d\d(?: (?:to|bis|a|au|al))? (?:19|20)\d\d")
_AGO = re.compile(
    r" (\d{1,2}) years? ago | vor (\d{1,2}) jahr(?:en)? "
    r"| il y a (\d{1,2}) ans? | hace (\d{1,2}) anos? "
)
_SINCE = re.compile(r" (?:since|seit|depuis|desde) (?:[a-z]+ ){0,2}((?:19|20)\d\d)(?= )")


@lru_cache(maxsize=4)
def _before(phrases: tuple[str, ...]) -> re.Pattern[str]:
    """The places before one of them."""
    return re.compile(rf"(?<= )(?=(?:{'|'.join(map(re.escape, phrases))}) )")


def _is_a_cause(text: str, g: Guideline) -> bool:
    """A disease, medicine or vegan diet that leads to a deficiency, or that deficiency itself."""
    return is_stated(text, g.file.names.mother.medicines, g) or _is_a_grave_cause(text, g)


def _is_a_grave_cause(text: str, g: Guideline) -> bool:
    mother = g.file.names.mother
    if is_stated(text, mother.causes, g):
        return True
    return names_b12([text], g) and is_stated(text, mother.lack, g)


def is_a_diet(text: str, g: Guideline) -> bool:
    """A diet with little or nothing of animals."""
    mother = g.file.names.mother
    return is_stated(text, mother.vegan, g) or is_stated(text, mother.vegetarian, g)


@lru_cache(maxsize=4)
def _of_hers(g: Guideline) -> tuple[str, ...]:
    """The phrases of every cause and diet of hers: a line with none of them is searched once."""
    mother = g.file.names.mother
    return (*mother.medicines, *mother.causes, *mother.lack, *mother.vegan, *mother.vegetarian)


def is_a_weak_cause(text: str, g: Guideline) -> bool:
    """Whether words that may leave the mother without vitamin B12 say only that she is vegetarian,
    or takes a medicine: a reason to measure, and none to prevent what an adequate level denies."""
    mother = g.file.names.mother
    return is_stated(text, _less_grave(g), g) and not (
        is_stated(text, mother.vegan, g) or _is_a_grave_cause(text, g)
    )


@lru_cache(maxsize=4)
def _less_grave(g: Guideline) -> tuple[str, ...]:
    mother = g.file.names.mother
    return (*mother.vegetarian, *mother.medicines)


#: HL7's codes of the mother, and SNOMED CT's.
_MOTHER = frozenset({"MTH", "NMTH", "GESTM", "72705000"})


def is_the_mother(relative: Relative, g: Guideline) -> bool:
    return is_of_the_mother(relative.role, g) or any(one.code in _MOTHER for one in relative.codes)


def is_herself(relative: Relative, g: Guideline) -> bool:
    """The mother, and not a relative of hers: "maternal uncle"."""
    role = words_of(relative.role).each
    return is_the_mother(relative, g) and role <= {"s", *g.file.names.mother.words}


def diseases_of_the_mother(
    relative: Relative, g: Guideline, read: Callable[[str], str] = str
) -> Iterator[str]:
    """What of the mother's recorded diseases may leave her without vitamin B12: by its name as it
    is ``read``, or by a code that would be malabsorption or a deficiency."""
    if not is_the_mother(relative, g):
        return
    named = [
        one
        for one in (*relative.diseases, *relative.notes.splitlines())
        if has_phrase(one, _of_hers(g)) and (_is_a_cause(read(one), g) or is_a_diet(read(one), g))
    ]
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
    written = (*relative.diseases, *relative.notes.splitlines())
    named = [one for one in written if is_stated(one, g.file.names.leber, g)]
    yield from named
    coded = _lebers_code(relative, g)
    if coded is not None and not named:
        yield coded.display or g.codes.leber.called(coded)


def has_leber_by_code(relative: Relative, g: Guideline) -> bool:
    return _lebers_code(relative, g) is not None


def _lebers_code(relative: Relative, g: Guideline) -> Code | None:
    return next((one for one in relative.disease_codes if g.codes.leber.decides(one)), None)


def is_of_the_mother(about: str, g: Guideline) -> bool:
    """Whether the person a result is about is called the mother."""
    return bool(about) and has_phrase(about, g.file.names.mother.words)


def plain_answer(text: str) -> str:
    """An answer as the lists of answers write it."""
    return " ".join(text.lower().split())


def names_an_anticoagulant(name: str, g: Guideline) -> bool:
    """Whether a drug's name is of one against clotting, and not of an ointment."""
    names = g.file.names
    return has_phrase(name, names.anticoagulants) and not has_phrase(name, names.unguents)


#: So many names are remembered: every medicine, order and procedure of a chart is asked.
_NAMES = 1024


def names_nitrous_oxide(codes: Iterable[Code], text: str, g: Guideline) -> bool:
    """Whether codes or names say nitrous oxide."""
    given = tuple(codes)
    if g.codes.nitrous_oxide.any_of(given) is not None:
        return True
    said = {text, *[code.display for code in given]} - {""}
    return any(map(_is_the_gas, said, repeat(g)))


@remembered(_NAMES)
def _is_the_gas(name: str, g: Guideline) -> bool:
    return has_phrase(name, g.file.names.nitrous_oxide)
