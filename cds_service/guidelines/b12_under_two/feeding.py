"""How a child is fed and what is eaten, by codes and by words, and what is recorded of the mother.

An answer counts by its codes, as yes or no to a question about breast-feeding, otherwise by its
words. Words of a diet or of the mother hold back, warn and ask; a cause needs a code. What
says it in none of these ways is handed back as unanswered. A period that is over says nothing of
today; it is handed back as over.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date

from msgspec import Struct

from cds_service.clinical import Code, Measurement, Moment, Record
from cds_service.guidelines.b12_under_two.age import (
    fewest_days_since,
    is_ahead,
)
from cds_service.guidelines.b12_under_two.data import Guideline
from cds_service.guidelines.b12_under_two.meanings import (
    Lasting,
    diet_is_long_over,
    diseases_of_the_mother,
    is_a_weak_cause,
    is_of_the_mother,
    is_stated,
    of_the_mother,
    plain_answer,
)
from cds_service.guidelines.b12_under_two.messages import Texts
from cds_service.guidelines.b12_under_two.products import has_phrase
from cds_service.guidelines.b12_under_two.results import FINAL, is_low
from cds_service.language import Words, say


class Vegan(Struct, frozen=True):
    """Who is recorded to eat no food of animals at all."""

    mother: bool
    child: bool


class Fed(Struct, frozen=True):
    """What is known of feeding and diet.

    ``breast_fed`` is ``None`` when it is not known; ``formula`` is formula and no breast milk.
    ``mother`` and ``child`` are plant-based diets by code, "" when none is known;
    ``in_words`` a plant-based diet of the child that only words tell. ``maternal`` is what may
    leave the mother without vitamin B12, by code or in words, ``vegetarian`` what of it says no
    more than that she is vegetarian or takes a medicine. ``unanswered`` was not understood,
    ``over`` are periods that ended, with nothing newer, ``understood`` are names that words alone
    explained, with their sources.
    """

    breast_fed: bool | None
    formula: bool
    mother: str
    child: str
    in_words: str
    vegan: Vegan
    maternal: tuple[Words, ...]
    vegetarian: frozenset[Words]
    unanswered: tuple[Measurement, ...]
    over: tuple[Measurement, ...]
    understood: tuple[tuple[str, str], ...]


class Told(Struct, frozen=True):
    """What the problem list says of it: whether the child is breast-fed, what is the mother's, and
    that the child is vegan or vegetarian, in words."""

    breast_fed: bool
    mother: tuple[str, ...]
    vegan: tuple[str, ...]
    vegetarian: tuple[str, ...]


def read_feeding(
    record: Record, measured: Mapping[str, list[Measurement]], told: Told, on: date, g: Guideline
) -> Fed:
    asked = [(one, answer(one, g)) for one in measured.get("breastfeeding_status", ())]
    latest = _newest(asked, on)
    newest = [it for it in latest if not is_over(it[0], on, g)]
    born = record.patient.birth
    read = Lasting(born.first, on, g).read if born is not None else str
    diets = _Diets(read, born, on, g)
    eaten, others = measured.get("diet", ()), [*_without_a_kind(record, g)]
    telling = diets.add_all((*(one for one, _ in asked), *eaten, *others))
    unanswered = _unanswered(asked, eaten, telling)
    child = diets.in_words["child"] or next(iter((*told.vegan, *told.vegetarian)), "")
    maternal = _maternal(record, measured, told, diets, on, g)
    return Fed(
        breast_fed=_is_breast_fed(newest, told),
        formula=_is_formula(newest, g),
        mother=diets.coded["mother"],
        child=diets.coded["child"],
        in_words=child,
        vegan=_vegan(child, diets, told, g),
        maternal=maternal,
        vegetarian=_vegetarian(maternal, diets, g),
        unanswered=tuple([one for one in unanswered if _stands(one, on, g)]),
        over=(*(one for one, _ in latest if is_over(one, on, g)), *diets.over),
        understood=tuple([(one.source, one.name) for one in others if id(one) in telling]),
    )


def _unanswered(
    asked: Iterable[_Answered], eaten: Iterable[Measurement], telling: Collection[int]
) -> list[Measurement]:
    return [
        *(one for one, fed in asked if not _of_feeding(one, fed, also=id(one) in telling)),
        *(one for one in eaten if id(one) not in telling),
    ]


def _vegan(child: str, diets: _Diets, told: Told, g: Guideline) -> Vegan:
    """Who is, the child also by the words of its diet."""
    by_words = bool(told.vegan) or is_stated(child, g.file.names.mother.vegan, g)
    return Vegan(diets.vegan["mother"], diets.vegan["child"] or by_words)


def _vegetarian(maternal: Iterable[Words], diets: _Diets, g: Guideline) -> frozenset[Words]:
    """Of what is the mother's, what says vegetarian and no more."""
    coded = diets.coded["mother"] if not diets.vegan["mother"] else ""
    return frozenset(
        one
        for one in maternal
        if one == coded or (isinstance(one, str) and is_a_weak_cause(diets.read(one), g))
    )


def _of_feeding(one: Measurement, fed: bool | None, *, also: bool) -> bool:
    """Whether an answer on feeding says how the child is fed, or ``also`` something of a diet or
    of the mother."""
    return bool(one.about) or fed is not None or (also and not _has_answer(one))


def _without_a_kind(record: Record, g: Guideline) -> Iterator[Measurement]:
    """Results that no list has: they may tell of a diet in words."""
    for one in record.measurements:
        if not any((code.system, code.code) in g.kinds for code in one.codes):
            yield one


def as_of(measured: Measurement, on: date) -> Moment | None:
    """When it was so: of a period its end, or, where it lasts, its beginning."""
    begun, ended = measured.begun, measured.ended
    if begun is None or (ended is not None and ended.first <= on):
        return measured.when
    return measured.when if ended is None and measured.when is not None else begun


def is_over(measured: Measurement, on: date, g: Guideline) -> bool:
    """Whether it is of a period, and not only of a visit, that ended too long ago for today."""
    begun, ended = measured.begun, measured.ended
    if ended is None or not g.limits.feeding_over.holds(fewest_days_since(ended, on)):
        return False
    return begun is None or g.limits.feeding_period.holds((ended.last - begun.first).days)


def _stands(measured: Measurement, on: date, g: Guideline) -> bool:
    """Final, dated, and not ahead of today."""
    when = as_of(measured, on)
    return measured.status in FINAL and when is not None and not is_ahead(when, on, g.limits)


# --- how it is fed ------------------------------------------------------------------------------


#: A result, and whether it says that the child gets breast milk, see `answer`.
_Answered = tuple[Measurement, bool | None]


def _newest(answers: Iterable[_Answered], on: date) -> Sequence[_Answered]:
    """The newest answer that says how the child is fed, or all that may be the newest."""
    told = [
        (when, (one, fed))
        for one, fed in answers
        if one.status in FINAL and not one.about and (when := as_of(one, on)) and fed is not None
    ]
    if not told:
        return []
    last = max(told, key=lambda one: (one[0].first, one[0].instant))[0]
    newest = [one for when, one in told if when.may_be_as_late_as(last)]
    return newest if last.is_partial or len(newest) > 1 else newest[-1:]


def answer(measured: Measurement, g: Guideline) -> bool | None:
    """Whether the child gets breast milk: by codes, by yes or no, otherwise by words; a finding
    that it is breast-fed needs no answer."""
    if g.codes.breast_fed.any_of(measured.concepts) is not None:
        return True
    if g.codes.not_breast_fed.any_of(measured.concepts) is not None:
        return False
    said = _answers(measured)
    yes = yes_or_no(measured, g)
    if yes is not None or (not said and not _has_answer(measured)):
        finding = g.codes.breast_fed.any_of(measured.codes) is not None
        return yes if yes is not None else (finding or None)
    told = [it for one in said if (it := _in_words(one, g)) is not None]
    return told[-1] if told else None


def yes_or_no(measured: Measurement, g: Guideline) -> bool | None:
    """A plain yes or no, by its codes or words; ``None`` for anything else."""
    yes = g.codes.answer_yes.any_of(measured.concepts) is not None
    no = g.codes.answer_no.any_of(measured.concepts) is not None
    if yes is not no:
        return yes
    bare = [code.code for code in measured.concepts if not code.display]
    words = {plain_answer(one) for one in (*_answers(measured), *bare)}
    yes, no = (not words.isdisjoint(one) for one in (g.file.answers.yes, g.file.answers.no))
    return None if yes is no else yes


def _in_words(text: str, g: Guideline) -> bool | None:
    """Of a whole answer that the lists know; else whether breast milk is stated or denied, and
    nothing where it may have ended."""
    plain, whole = plain_answer(text), g.file.feeding
    if plain in whole.breast_fed:
        return True
    if plain in whole.not_breast_fed or plain in whole.formula:
        return False
    names = g.file.names.feeding
    breast, formula = has_phrase(text, names.breast), has_phrase(text, names.formula)
    if not (breast or formula) or has_phrase(text, names.ended):
        return None
    if breast:
        return is_stated(text, names.breast, g)
    return False if is_stated(text, names.formula, g) else None


def _is_breast_fed(newest: Sequence[_Answered], told: Told) -> bool | None:
    """By the newest answer, and without one by the problem list, which never denies it."""
    return any(fed for _, fed in newest) if newest else told.breast_fed or None


def _is_formula(newest: Sequence[_Answered], g: Guideline) -> bool:
    """The newest answer is that the child gets formula and no breast milk."""
    if any(fed for _, fed in newest):
        return False
    formula = g.file.names.feeding.formula
    return any(
        plain_answer(said) in g.file.feeding.formula or is_stated(said, formula, g)
        for one, _ in newest
        for said in _answers(one)
    )


def whole_answers(g: Guideline) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The whole answers in words that are known, by what they say; what says that there is no
    breast milk may say formula too."""
    known, formula = g.file.feeding, g.file.names.feeding.formula
    yield "breast_fed", known.breast_fed
    yield "not_breast_fed", known.not_breast_fed
    also = tuple([one for one in known.not_breast_fed if is_stated(one, formula, g)])
    yield "formula", tuple(dict.fromkeys([*known.formula, *also]))


def _answers(measured: Measurement) -> list[str]:
    """What is answered, in words."""
    said = (measured.text, *(code.display for code in measured.concepts))
    return [one for one in said if one]


def _question(measured: Measurement) -> list[str]:
    """What was asked, in words."""
    named = (measured.question, measured.name, *(code.display for code in measured.codes))
    return [one for one in named if one]


def _has_answer(one: Measurement) -> bool:
    """Whether something is answered, or why nothing is."""
    return bool(one.value or one.interval or one.concepts or one.text or one.withheld)


# --- what is eaten, and the mother --------------------------------------------------------------


class _Diets:
    """Diets by whose they are: by code, which of them are vegan, and by words; and what else
    words say of the mother, as they are ``read``. Of the child ``over`` has what ended."""

    def __init__(
        self, read: Callable[[str], str], born: Moment | None, on: date, g: Guideline
    ) -> None:
        self.read, self._born, self._on, self._g = read, born, on, g
        self.over: list[Measurement] = []
        self.coded = {"mother": "", "child": ""}
        self.vegan = {"mother": False, "child": False}
        self.in_words = {"mother": "", "child": ""}
        self.of_mother: list[str] = []

    def add_all(self, found: Iterable[Measurement]) -> frozenset[int]:
        """Those that are final and dated, the oldest first, since a later answer on the child
        counts; the ``id`` of each that says something that is understood."""
        on = self._on
        standing = [(when.instant, one) for one in found
                    if _stands(one, on, self._g) and (when := as_of(one, on))]  # fmt: skip
        standing.sort(key=lambda it: it[0])
        telling = frozenset(id(one) for _, one in standing if self._add(one))
        if self._of_the_child:
            self.over.clear()
        return telling

    def _add(self, one: Measurement) -> bool:
        """Whether it says something of a diet or of the mother that is understood."""
        g = self._g
        hers = is_of_the_mother(one.about, g)
        question = _question(one)
        if one.about and not hers and not _asks_for_the_mother(one.about, question, g):
            return False
        plain = yes_or_no(one, g)
        if plain is False:
            return self._deny(question, hers=hers)
        said = [*_answers(one), one.notes]
        if plain or not _has_answer(one):
            said += question
        of_hers = hers or any(is_of_the_mother(it, g) for it in (*question, *said))
        if not of_hers and self._is_mixed(said):
            self._forget_the_childs()
            return True
        if not self._is_past(one, hers=of_hers):
            return self._add_diet(one, said, hers=hers, of_hers=of_hers)
        past = _Diets(self.read, self._born, self._on, g)
        told = past._add_diet(one, said, hers=hers, of_hers=of_hers)
        self.over += [one] if past._of_the_child else []
        return told

    @property
    def _of_the_child(self) -> bool:
        return bool(self.coded["child"] or self.in_words["child"])

    def _deny(self, question: Sequence[str], *, hers: bool) -> bool:
        """A plain no, which is understood where the question was about such a diet."""
        diets = (*self._g.file.names.mother.vegan, *self._g.file.names.mother.vegetarian)
        denied = any(has_phrase(it, diets) for it in question)
        if denied and not (hers or any(is_of_the_mother(it, self._g) for it in question)):
            self._forget_the_childs()
        return denied

    def _is_mixed(self, said: Iterable[str]) -> bool:
        """Whether words say that the child eats what others do, and no plant-based diet."""
        names = self._g.file.names.mother
        stated = [it for it in said if is_stated(it, names.mixed, self._g)]
        return any(not has_phrase(it, (*names.vegan, *names.vegetarian)) for it in stated)

    def _forget_the_childs(self) -> None:
        self.coded["child"] = self.in_words["child"] = ""
        self.vegan["child"] = False
        self.over.clear()

    def _is_past(self, one: Measurement, *, hers: bool) -> bool:
        """Whether it is of a period that ended: the mother's long before the birth, the child's too
        long ago to be so today."""
        if not hers:
            return is_over(one, self._on, self._g)
        return diet_is_long_over(one.ended, self._born, self._g)

    def _add_diet(self, one: Measurement, said: list[str], *, hers: bool, of_hers: bool) -> bool:
        """By its code; where only words say that it is the mother's (``of_hers``), in words."""
        listed = self._g.codes.diet_plant_based
        code = listed.any_of(one.concepts)
        if code is not None and hers is of_hers:
            self._by_code("mother" if hers else "child", code)
            return True
        if code is not None:
            said = [*said, code.display or listed.called(code)]
        return self._by_words("mother" if of_hers else "child", said) or _is_a_diet(one, self._g)

    def _by_code(self, whose: str, code: Code) -> None:
        self.coded[whose] = code.display or code.code
        self.vegan[whose] |= self._g.codes.diet_vegan.decides(code)

    def _by_words(self, whose: str, said: Sequence[str]) -> bool:
        names = self._g.file.names.mother
        read = {it: self.read(it) if whose == "mother" else it for it in said}
        diets = (
            it for diet in (names.vegan, names.vegetarian) for it, now in read.items()
            if is_stated(now, diet, self._g)
        )  # fmt: skip
        diet = next(diets, "")
        if diet:
            self.in_words[whose] = diet
            return True
        found = [it for it, now in read.items() if of_the_mother(now, self._g)]
        self.of_mother += found
        return bool(found) or any(it != now for it, now in read.items())


def _asks_for_the_mother(about: str, question: Iterable[str], g: Guideline) -> bool:
    """Whether the answer is about someone without a name, and the question about the mother."""
    if has_phrase(about, g.file.names.signs.others):
        return False
    return any(is_of_the_mother(it, g) for it in question)


def _is_a_diet(measured: Measurement, g: Guideline) -> bool:
    """By a code of a system that the guideline's own are of, one of them or another diet."""
    systems = {row.system for row in g.codes.diet_plant_based.codes}
    return any(one.system in systems for one in measured.concepts)


def _maternal(
    record: Record, measured: Mapping[str, list[Measurement]], told: Told, diets: _Diets,
    on: date, g: Guideline,
) -> tuple[Words, ...]:  # fmt: skip
    """What is recorded of the mother that may leave her without vitamin B12: her diet by code, her
    own low level, or a disease or diet in words."""
    found: list[Words] = [diets.coded["mother"]] if diets.coded["mother"] else []
    for one in measured.get("b12_level", ()):
        if is_of_the_mother(one.about, g) and is_low(one, on, g):
            written = one.value.written if one.value is not None else one.text
            found.append(say(Texts.mothers_level, value=written))
    in_words = [diets.in_words["mother"]] if diets.in_words["mother"] else []
    family = (
        name for one in record.relatives for name in diseases_of_the_mother(one, g, diets.read)
    )
    return tuple(
        dict.fromkeys(
            [*found, *in_words, *diets.of_mother, *_among_problems(record, told, diets, g), *family]
        )
    )


def _among_problems(record: Record, told: Told, diets: _Diets, g: Guideline) -> Iterator[str]:
    """What the problem list says of the mother, in names and in notes."""
    for name in told.mother:
        now = diets.read(name)
        if now == name or of_the_mother(now, g):
            yield name
    for problem in record.problems:
        yield from (it for it in problem.notes.splitlines() if of_the_mother(diets.read(it), g))
