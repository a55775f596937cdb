"""What a drug is, by its codes and names: vitamin B12 or not, which cobalamin, how strong.

Codes decide. A name decides only where no verified code does, and only by whole words; a card
that rests on it says so. What is contradictory or can be read in two ways is a doubt,
never a number.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from decimal import Decimal
from functools import cached_property, lru_cache, wraps
from typing import Any, Concatenate, Literal, NamedTuple, ParamSpec, TypeVar

from msgspec import structs

from cds_service.clinical import Code
from cds_service.guidelines.b12_under_two.data import Guideline
from cds_service.guidelines.b12_under_two.drugs import Drug, Form, Kind, ProductWay, Substance
from cds_service.guidelines.b12_under_two.messages import Doubts
from cds_service.guidelines.codelists import ATC, CodeList
from cds_service.language import Listed, Message, say

_SUBSTANCES: tuple[Substance, ...] = (
    "cyanocobalamin", "hydroxocobalamin", "methylcobalamin", "adenosylcobalamin",
)  # fmt: skip
_PIECES: tuple[Form, ...] = ("tablet", "drop", "spray", "ampoule")
_WAYS: tuple[ProductWay, ...] = ("oral", "sublingual", "nasal", "parenteral")
_KINDS: Mapping[Kind, Message] = {
    "b12": say(Doubts.kind_b12),
    "antidote": say(Doubts.kind_antidote),
    "combination": say(Doubts.kind_combination),
    "folic acid": say(Doubts.kind_folic_acid),
    "other": say(Doubts.kind_other),
    "unknown": say(Doubts.kind_unknown),
}
#: How a form is given whose name does not say it.
_USUAL_WAY: dict[Form, ProductWay] = {"tablet": "oral", "drop": "oral", "ampoule": "parenteral"}


#: What is longer is not a name but a note. Only names are remembered: the same few are in every
#: record, and a bound on their number and length bounds the memory.
LONGEST_NAME = 100
_NAMES = 2048

_P = ParamSpec("_P")
_T = TypeVar("_T")


class _LongTexts:
    """What was read of long texts while one call is answered: a record may say the same thousands
    of times. So many characters of different texts at most; forgotten with the call."""

    __slots__ = ("found", "room", "texts")

    def __init__(self) -> None:
        self.found: dict[tuple[Any, ...], Any] = {}
        self.texts: set[str] = set()
        self.room = 1_000_000

    def has_room(self, asked: Iterable[Any]) -> bool:
        """Whether another answer may be kept, which counts as some characters itself."""
        new = set[str]()
        for one in asked:
            new.update(
                [it for it in (one if isinstance(one, tuple) else (one,)) if isinstance(it, str)]
            )
        new -= self.texts
        self.texts |= new
        self.room -= sum(map(len, new)) + _ANSWER
        return self.room > 0


_ANSWER = 20
_long_texts: ContextVar[_LongTexts | None] = ContextVar("long texts", default=None)


@contextmanager
def long_texts_read_once() -> Iterator[None]:
    """While one call is answered."""
    token = _long_texts.set(_LongTexts())
    try:
        yield
    finally:
        _long_texts.reset(token)


def once_in_a_call(find: Callable[_P, _T]) -> Callable[_P, _T]:
    """``find``, which reads long texts, called once for the same of them within a call."""

    @wraps(find)
    def once(*asked: _P.args, **named: _P.kwargs) -> _T:
        kept = _long_texts.get()
        if kept is None or named:
            return find(*asked, **named)
        key = (find, *asked)
        if key in kept.found:
            before: _T = kept.found[key]
            return before
        found = find(*asked, **named)
        if kept.has_room(asked):
            kept.found[key] = found
        return found

    return once


def remembered(
    most: int, longest: int = LONGEST_NAME
) -> Callable[[Callable[Concatenate[str, _P], _T]], Callable[Concatenate[str, _P], _T]]:
    """What is found of a name, remembered of ``most`` names; of a text longer than ``longest`` no
    longer than the call."""

    def decorated(find: Callable[Concatenate[str, _P], _T]) -> Callable[Concatenate[str, _P], _T]:
        of_names, of_texts = lru_cache(maxsize=most)(find), once_in_a_call(find)

        @wraps(find)
        def found(text: str, /, *more: _P.args, **named: _P.kwargs) -> _T:
            return (of_names if len(text) <= longest else of_texts)(text, *more, **named)

        return found

    return decorated


def recognise(codes: Sequence[Code], text: str, g: Guideline) -> Drug:
    """The drug that ``codes`` and ``text`` (what its writer called it) name together."""
    sent = tuple(codes)
    length = len(text) + sum([len(one.code) + len(one.display) for one in sent])
    return (_recognise if length <= 4 * LONGEST_NAME else _recognise_long)(sent, text, g)


def _recognised(codes: tuple[Code, ...], text: str, g: Guideline) -> Drug:
    listed = [found for code in codes if (found := _listed(code, g)) is not None]
    names = dict.fromkeys((text, *(code.display for code in codes)))
    read = {name: _read(name, g) for name in names if name.strip()}
    coded = {one.kind for one in listed}
    if len(coded) > 1:
        return Drug("unknown", doubts=(say(Doubts.codes_differ),))
    claim = _claim(coded, _telling(read.values()))
    if claim.kind not in ("b12", "combination"):
        unnamed = claim.kind == "unknown" and not claim.doubts and codes
        doubts = (say(Doubts.code_unknown),) if unnamed else claim.doubts
        return Drug(claim.kind, claim.by, doubts=doubts)
    return _cobalamin(claim, listed, read, g)


_recognise = lru_cache(maxsize=_NAMES)(_recognised)
_recognise_long = once_in_a_call(_recognised)


def _telling(read: Collection[_Name]) -> Collection[_Name]:
    """The names that say something, if any does: "Drops" next to a name adds nothing."""
    return [one for one in read if one.names_something or one.is_alike] or read


class _Claim(NamedTuple):
    """The kind that codes and names claim together; ``certain`` when nothing contradicts it."""

    kind: Kind
    by: Literal["code", "name", ""]
    certain: bool
    doubts: tuple[Message, ...] = ()


def _claim(coded: set[Kind], read: Collection[_Name]) -> _Claim:
    said = {one.kind for one in read} - {"other"}
    if coded or len(said) > 1:
        said.discard("unknown")
    claimed = coded | said
    if not claimed:
        return _Claim("other", "name", True) if read else _Claim("unknown", "", True)
    if len(claimed) > 1:
        kind: Kind = "b12" if "b12" in claimed else "unknown"
        kinds = Listed(tuple([_KINDS[one] for one in sorted(claimed)]), "conjunction")
        doubt = say(Doubts.names_differ, kinds=kinds)
        return _Claim(kind, _by(kind, coded), False, (doubt,))
    kind = next(iter(claimed))
    if kind == "unknown":
        return _Claim(kind, "", True, (_why_open(read),))
    return _Claim(kind, _by(kind, coded), True)


def _why_open(read: Iterable[_Name]) -> Message:
    """Why no name says whether it is vitamin B12."""
    unknown = [one for one in read if one.kind == "unknown"]
    if not any(one.legible for one in unknown):
        return say(Doubts.name_script)
    mentioned = any(one.mentions_b12 for one in unknown)
    return say(Doubts.name_open) if mentioned else say(Doubts.name_alike)


def _by(kind: Kind, coded: set[Kind]) -> Literal["code", "name", ""]:
    if kind == "unknown":
        return ""
    return "code" if kind in coded else "name"


def _cobalamin(
    claim: _Claim, listed: Sequence[_Listed], read: Mapping[str, _Name], g: Guideline
) -> Drug:
    """A drug with B12; its strengths only where it is B12 alone and nothing contradicts that."""
    doubts, names = claim.doubts, read.values()
    substances: set[Substance] = {one.substance for one in listed if one.substance}
    substances |= {substance for one in names for substance in one.substances}
    if len(substances) > 1:
        named = Listed(tuple(sorted(substances)), "conjunction")
        doubts = (*doubts, say(Doubts.substances_differ, substances=named))
    trusted = [read.get(one.display) or _read(one.display, g) for one in listed if one.display]
    product = _Settled((*trusted, *names))
    drug = Drug(
        claim.kind,
        claim.by,
        substances.pop() if len(substances) == 1 else "",
        product.way,
        product.form,
        preservative_free=_is_preservative_free(listed, names),
        kit=_is_kit(listed, names),
        doubts=doubts,
    )
    if claim.kind != "b12" or not claim.certain:
        return drug
    return structs.replace(
        drug,
        per_unit=product.per_unit,
        per_ml=product.per_ml,
        drops_per_ml=product.drops_per_ml,
        doubts=(*doubts, *product.doubts),
    )


def _is_preservative_free(listed: Iterable[_Listed], names: Iterable[_Name]) -> bool:
    coded = any(one.preservative_free for one in listed)
    return coded or any(one.preservative_free for one in names)


def _is_kit(listed: Iterable[_Listed], names: Iterable[_Name]) -> bool:
    return any(one.kit for one in listed) or any(one.kit for one in names)


@lru_cache(maxsize=8)
def _false_friends(g: Guideline) -> re.Pattern[str]:
    """Those of scripts without blanks, which may hold another name."""
    every = (_plain(one) for it in g.file.names.languages.values() for one in it.false_friends)
    return re.compile("|".join(re.escape(one) for one in every if is_unspaced(one)))


def _without(plain: str, g: Guideline) -> str:
    """Without what holds another name within a script that has no blanks."""
    return plain if plain.isascii() else _false_friends(g).sub(" ", plain)


def names_b12(names: Iterable[str], g: Guideline) -> bool:
    """Whether one of ``names`` has a name of vitamin B12 as a whole word."""
    return any(_has_b12(words_of(name), g) for name in names if name)


@remembered(_NAMES)
def names_another(name: str, g: Guideline) -> bool:
    """Whether a name is surely of another drug: in a script that is read, with a word that is
    not a form, way, strength or other plain word. "Drops 1 mg/mL" names nothing."""
    read = _read(name, g)
    known = read.kind not in ("unknown", "b12") or read.is_alike
    return bool(name.strip()) and known and read.says_more(read.words)


def is_like_b12(codes: Iterable[Code], name: str, g: Guideline) -> bool:
    """Whether a name may be a brand of vitamin B12 that is not known here. By a code of ATC, of
    which every one is known, it is another drug."""
    read = _read(name, g)
    coded = any(code.system == ATC for code in codes)
    return not coded and read.kind == "unknown" and read.is_alike


@remembered(_NAMES)
def form_of(thing: str, g: Guideline) -> Form:
    """The form that the name of something counted means ("tab" is a tablet); "" if none."""
    line = words_of(thing)
    found = [form for form in _PIECES if has(line, getattr(g.file.names.forms, form))]
    return found[0] if len(found) == 1 else ""


def has_phrase(text: str, phrases: tuple[str, ...]) -> bool:
    """Whether ``text`` has one of ``phrases`` as whole words, however it is written."""
    return bool(text) and has(words_of(text), phrases)


# --- codes ------------------------------------------------------------------------------------


class _Listed(NamedTuple):
    """The kind and substance that a verified row gives a code, and the row's own name."""

    kind: Kind
    substance: Substance
    display: str
    kit: bool = False
    preservative_free: bool = False


def _listed(code: Code, g: Guideline) -> _Listed | None:
    """What a verified row says of ``code``; ``None`` when none does."""
    lists: tuple[tuple[Kind, CodeList], ...] = (
        ("b12", g.codes.b12_therapy),
        ("combination", g.codes.multivitamin_with_b12),
        ("combination", g.codes.b12_combination),
        ("folic acid", g.codes.folic_acid),
    )
    if g.codes.antidote.decides(code):
        return _Listed("b12", "hydroxocobalamin", g.codes.antidote.display_of(code), kit=True)
    for kind, one in lists:
        if one.decides(code):
            display = one.display_of(code)
            without = g.codes.preservative_free.decides(code)
            return _Listed(kind, _substance(code, display, g), display, preservative_free=without)
    return None


def _substance(code: Code, display: str, g: Guideline) -> Substance:
    """The cobalamin of a listed code: by its list, otherwise by the name of its row."""
    if g.codes.cyanocobalamin.decides(code):
        return "cyanocobalamin"
    if g.codes.hydroxocobalamin.decides(code):
        return "hydroxocobalamin"
    named = _substances(words_of(display), g)
    return next(iter(named)) if len(named) == 1 else ""


# --- words ------------------------------------------------------------------------------------

#: Scripts written without blanks between words, each a run of its own; and the signs of Indic and
#: Thai vowels, which are part of a word though no letters.
_HAN = r"\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff"
_RUNS = (r"\u3041-\u309f", r"\u30a0-\u30ff", _HAN, r"\uac00-\ud7a3")
_UNSPACED = "".join(_RUNS)
_VOWELS = r"\u0900-\u0903\u093a-\u094f\u0962\u0963\u0980-\u0dff\u0e31\u0e34-\u0e3a\u0e47-\u0e4e"
_ASCII_WORD = re.compile(r"[^\W_]+")
_WORD = re.compile(
    "|".join(f"[{run}]+" for run in _RUNS) + rf"|(?:(?![{_UNSPACED}])[^\W_]|[{_VOWELS}])+"
)
#: Where one word ends and another begins without a blank: at the edge of an unspaced script, and
#: between a Latin and another letter ("витаминB12").
_EDGE = re.compile(
    rf"(?<=[{_UNSPACED}])(?=[^\W_])(?![{_UNSPACED}])|(?<=[^\W_])(?<![{_UNSPACED}])(?=[{_UNSPACED}])"
    r"|(?<=[a-z])(?=[\u0370-\u052f\u0590-\u0fff])|(?<=[\u0370-\u052f\u0590-\u0fff])(?=[a-z])"
)
is_unspaced = re.compile(f"[{_UNSPACED}]+").fullmatch
has_unspaced = re.compile(f"[{_UNSPACED}]").search
#: Accents of Latin, Greek and Cyrillic, points of Hebrew and Arabic: left out. What other scripts
#: put on a letter makes another letter of it.
_ACCENTS = re.compile(r"[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670]")
_DIGIT = re.compile(r"[^\W\D0-9]")
_MICRO = re.compile(r"(?<![\u0370-\u03ff])\u03bc(?![\u0370-\u03ff])")
_B12 = re.compile(r"(?:\b(?:[bвβب]|बी)|(?<=비타민)비|(?<=ビタミン)ビー)[\s.\-\u2010-\u2014]*12\b")
#: "vitamin B 12 mg" may be twelve milligrams of another B vitamin, "B 12.5" twelve and a half.
_TWO_READINGS = re.compile(
    r"\b[bв](?:\s+12\s*(?:%|(?:mcg|[umn]?g|[um]?l|iu|ui|units?|hours?|hrs?|h)\b)|[\s.\-]*12[.,]\d)"
)
_BRAND = re.compile(r"\[[^\[\]]*\]")
_NEXT_INGREDIENT = re.compile(r"\s/\s|[+&]")


def _plain(text: str) -> str:
    """In one spelling: compatible characters, small letters, no accents, "u" for both micros."""
    if text.isascii():
        return text.lower()
    folded = _DIGIT.sub(_as_ascii, unicodedata.normalize("NFKC", text).casefold())
    bare = _ACCENTS.sub("", unicodedata.normalize("NFKD", folded))
    plain = unicodedata.normalize("NFC", bare).replace("\u2019", "'")
    return _EDGE.sub(" ", _MICRO.sub("u", plain))


def _as_ascii(digit: re.Match[str]) -> str:
    """A digit of any script ("١", "१") as the plain one."""
    return str(unicodedata.decimal(digit[0]))


class Words(NamedTuple):
    """The words of a text: each, and all in order with a blank before and after every one."""

    each: frozenset[str]
    line: str


def words_of(text: str) -> Words:
    """In one spelling, however the text is written."""
    if len(text) <= LONGEST_NAME:
        return _words_of(text)
    return _words_of_long(text) if len(text) <= _LONGEST_TEXT else _words(_plain(text))


#: What is longer is asked for its words once for each question, and not kept.
_LONGEST_TEXT = 4_000


@once_in_a_call
def _words_of_long(text: str) -> Words:
    """Of one text many things are asked."""
    return _words(_plain(text))


@lru_cache(maxsize=_NAMES)
def _words_of(text: str) -> Words:
    return _words(_plain(text))


def _words(plain: str) -> Words:
    """With "b 12" and "b-12" as "b12"."""
    found = _ASCII_WORD if plain.isascii() else _WORD
    words = found.findall(_B12.sub("b12", plain))
    return Words(frozenset(words), f" {' '.join(words)} ")


class _Phrases(NamedTuple):
    """A list of phrases: those of one word; the first words of longer ones, and these with a blank
    before and after; and those of a script that is written without blanks, which are found within
    a word."""

    listed: tuple[str, ...]
    single: frozenset[str]
    first: frozenset[str]
    longer: tuple[str, ...]
    within: tuple[str, ...]


#: By which list it is, of those of a guideline in force and of modules: to compare lists of
#: hundreds takes longer than to look for one of them in a name.
_phrases: dict[int, _Phrases] = {}
_MOST_LISTS = 256


def _taken_apart(phrases: tuple[str, ...]) -> _Phrases:
    spelt = [one if one.isascii() else words_of(one).line.strip() for one in phrases]
    within = tuple(one for one in spelt if is_unspaced(one))
    longer = tuple(f" {one} " for one in spelt if " " in one)
    first = frozenset(one.split()[0] for one in longer)
    if len(_phrases) >= _MOST_LISTS:
        _phrases.clear()
    single = frozenset(spelt).difference(within)
    found = _phrases[id(phrases)] = _Phrases(phrases, single, first, longer, within)
    return found


def has(words: Words, phrases: tuple[str, ...]) -> bool:
    """Whether one of ``phrases`` is among the words, or is in their line."""
    found = _phrases.get(id(phrases))
    if found is None or found.listed is not phrases:
        found = _taken_apart(phrases)
    _, single, first, longer, within = found
    if not words.each.isdisjoint(single):
        return True
    if not words.each.isdisjoint(first):
        for one in longer:
            if one in words.line:
                return True
    if within and not words.line.isascii():
        for one in within:
            if one in words.line:
                return True
    return False


@lru_cache(maxsize=4)
def all_names(g: Guideline) -> tuple[str, ...]:
    b12 = g.file.names.b12
    return (*b12.unspecified, *(name for one in _SUBSTANCES for name in getattr(b12, one)))


@lru_cache(maxsize=4)
def _alike(g: Guideline) -> re.Pattern[str]:
    within, ending = (
        "|".join(re.escape(words_of(one).line.strip()) for one in part)
        for part in (g.file.names.alike.within, g.file.names.alike.ending)
    )
    return re.compile(rf"{within}|(?<=\w)(?:{ending})(?= )")


class _Stems(NamedTuple):
    """A word that ends so, in any language's spelling and ending, is a cobalamin; but not
    transcobalamin, which carries it in blood, and no longer word, which may be a lack of it."""

    stems: tuple[str, ...]
    ending: re.Pattern[str]


@lru_cache(maxsize=4)
def _stems(g: Guideline) -> _Stems:
    stems = tuple(map(_plain, g.file.names.b12.stems))
    either = "|".join(map(re.escape, stems))
    return _Stems(stems, re.compile(rf"(?<!trans)(?<!транс)(?<!τρανσ)(?:{either})[^\W\d]{{0,2}} "))


def _has_b12(words: Words, g: Guideline) -> bool:
    if has(words, all_names(g)):
        return True
    line, (stems, ending) = words.line, _stems(g)
    for one in stems:  # found a hundred times faster than by the pattern
        if one in line:
            return ending.search(line) is not None
    return False


def _substances(words: Words, g: Guideline) -> frozenset[Substance]:
    return frozenset(one for one in _SUBSTANCES if has(words, getattr(g.file.names.b12, one)))


def letters_by_script(text: str) -> Mapping[str, frozenset[str]]:
    """Its letters by their scripts, as Unicode names these: LATIN, GREEK, CJK."""
    found: dict[str, set[str]] = {}
    for one in set(unicodedata.normalize("NFKC", text)):
        script = _script_of(one)
        if script is not None:
            found.setdefault(script, set()).add(one)
    return {script: frozenset(letters) for script, letters in found.items()}


@lru_cache(maxsize=4096)
def _script_of(sign: str) -> str | None:
    """``None`` of what is not a letter, and of one that only changes others."""
    if not sign.isalpha() or unicodedata.category(sign) == "Lm":
        return None
    return unicodedata.name(sign, "").partition(" ")[0]


@lru_cache(maxsize=8)
def _alphabets(g: Guideline) -> Mapping[str, tuple[frozenset[str], ...]]:
    """The scripts in which vitamin B12 would be recognised, each with the alphabets of the
    languages that are read in it; none where any language of the script is."""
    scripts = frozenset({"LATIN"}).union(*(map(letters_by_script, all_names(g))))
    alphabets = [letters_by_script(one.letters) for one in g.file.names.languages.values()]
    return {script: tuple(it[script] for it in alphabets if script in it) for script in scripts}


def _read(name: str, g: Guideline) -> _Name:
    return (_Name if len(name) <= LONGEST_NAME else _read_long)(name, g)


@once_in_a_call
def _read_long(name: str, g: Guideline) -> _Name:
    return _Name(name, g)


class _Name:
    """One name of a drug, read on its own and as far as anyone asks."""

    def __init__(self, name: str, g: Guideline) -> None:
        self._g, whole = g, _plain(name)
        self._plain = _without(whole, g)
        self.words, self._whole = _words(self._plain), _words(whole)

    @property
    def substances(self) -> frozenset[Substance]:
        return _substances(self.words, self._g)

    @cached_property
    def ways(self) -> frozenset[ProductWay]:
        ways = self._g.file.names.ways
        return frozenset([way for way in _WAYS if has(self.words, getattr(ways, way))])

    @cached_property
    def forms(self) -> frozenset[Form]:
        forms = _forms(self.words, self._g)
        return forms or frozenset[Form]({"liquid"} if "parenteral" in self.ways else ())

    @property
    def form(self) -> Form:
        return next(iter(self.forms)) if len(self.forms) == 1 else ""

    @property
    def preservative_free(self) -> bool:
        phrases = self._g.file.names.preservative_free
        return has(self.words, phrases) and not any(
            f" {no} {phrase} " in self.words.line for phrase in phrases for no in ("not", "non")
        )

    @property
    def kit(self) -> bool:
        """Whether it names the antidote of cyanide: as such, or by so many grams in one."""
        names = self._g.file.names
        if has(self.words, names.antidote):
            return True
        return "hydroxocobalamin" in self.substances and any(
            re.search(rf"(?<! \d)(?<! \d\d) {one} ", self.words.line)
            for one in names.antidote_contents
        )

    @cached_property
    def strengths(self) -> _Strengths:
        return _Strengths(_B12.sub("b12 ", self._plain), self.form, self._g)

    @cached_property
    def legible(self) -> bool:
        """Whether vitamin B12 would be recognised in each of its scripts, and in a language that
        has all its letters."""
        known = _alphabets(self._g)
        return all(
            script in known
            and (not known[script] or any(letters <= alphabet for alphabet in known[script]))
            for script, letters in letters_by_script(self._plain).items()
        )

    @cached_property
    def kind(self) -> Kind:
        words, names = self.words, self._g.file.names
        if not self.mentions_b12:
            if has(words, names.combination) or has(words, names.multivitamin):
                return "combination"
            if has(words, names.folic_acid) and not has(words, names.no_medicine):
                return "folic acid"
            return "other" if self.legible and self.names_something else "unknown"
        if has(words, names.no_medicine) or not self._surely_b12():
            return "unknown"
        others = (
            names.companions, names.combination, names.multivitamin, names.folic_acid,
        )  # fmt: skip
        if any(has(words, one) for one in others) or self._another_ingredient():
            return "combination"
        return "b12"

    @property
    def mentions_b12(self) -> bool:
        return _has_b12(self.words, self._g)

    @property
    def names_something(self) -> bool:
        """Whether it names a drug, and none of a brand's kind that may have vitamin B12."""
        return self.says_more(self._whole) and not self.is_alike

    @cached_property
    def is_alike(self) -> bool:
        """Whether a word of it is like the brands of vitamin B12."""
        return _alike(self._g).search(self.words.line) is not None

    def _surely_b12(self) -> bool:
        """Also without what can be read in two ways."""
        rest = _TWO_READINGS.sub(" ", self._plain)
        return rest == self._plain or _has_b12(_words(rest), self._g)

    def _another_ingredient(self) -> bool:
        """Whether a part after "+", "&" or " / " names something that is neither B12 nor plain."""
        parts = _NEXT_INGREDIENT.split(_BRAND.sub(" ", self.strengths.rest))
        if len(parts) == 1:
            return False
        return any(
            not _has_b12(words, self._g) and self.says_more(words) for words in map(_words, parts)
        )

    def says_more(self, words: Words) -> bool:
        """Whether a word is more than a number, a unit, a form, a way or another plain word."""
        bare = {word.lstrip("0123456789") for word in words.each} - {""}  # "5mg"
        return not bare <= _plain_words(self._g)


@lru_cache(maxsize=4)
def _plain_words(g: Guideline) -> frozenset[str]:
    """Forms, ways, units and what else names no drug."""
    names = g.file.names
    groups = [getattr(one, it) for one in (names.forms, names.ways) for it in one.__struct_fields__]
    return frozenset({*names.plain, *_MASSES}.union(*groups))


def _forms(words: Words, g: Guideline) -> frozenset[Form]:
    """The pieces that the words name, otherwise whether it is measured."""
    forms = g.file.names.forms
    pieces = frozenset(form for form in _PIECES if has(words, getattr(forms, form)))
    liquid = frozenset[Form]({"liquid"} if has(words, forms.liquid) else ())
    return pieces or liquid


# --- strengths --------------------------------------------------------------------------------

#: Micrograms in each unit of mass, as names of products spell it: to be recognised, never shown.
_MASSES = {
    spelling: Decimal(factor)
    for factor, spellings in {
        "1": (
            "mcg", "mcgs", "ug", "microg", "mkg", "мкг", "microgram", "micrograms", "microgramme",
            "microgrammes", "microgramo", "microgramos", "microgrammo", "microgrammi",
            "mikrogramm", "mikrogram",
        ),
        "1e3": (
            "mg", "mgs", "мг", "milligram", "milligrams", "milligramme", "milligrammes",
            "miligramo", "miligramos", "milligrammo", "milligrammi", "milligramm",
        ),
        "1e6": ("g", "gm", "gram", "grams", "gramme", "grammes"),
        "1e-3": ("ng", "nanogram", "nanograms"),
    }.items()
    for spelling in spellings
}  # fmt: skip
_MILLILITRES = frozenset(
    {"ml", "mls", "cc", "мл", "millilitre", "millilitres", "milliliter", "milliliters"}
)
#: A number with its separators, which may begin with one (".5"); not the end of a range.
_NUMBER = (
    r"(?<![\w.,'])(?<!\d[\-\u2013])(?<!\d [\-\u2013] )[.,]?\d+(?:[.,']\d+)*(?:[ ]\d{3}(?!\d)){0,5}"
)
_MASS = rf"(?:{'|'.join(sorted(_MASSES, key=len, reverse=True))})\b"
_STRENGTH = re.compile(
    rf"(?P<number>{_NUMBER})\s*(?P<mass>{_MASS})"
    rf"(?:(?:\s*/\s*|\s+(?:per|in|pro|por|par)\s+)(?P<count>[.,]?\d+(?:[.,]\d+)*)?\s*"
    rf"(?P<of>(?!{_MASS})[^\W\d_]+))?"
)
_VOLUME = re.compile(rf"(?P<number>{_NUMBER})\s*(?:ml|мл|cc)\b")
#: A container of several doses, of which one is not the whole content.
_VIAL = re.compile(r"\bvials?\b")
#: What an amount of a drug is divided by in a dose, not in a product, and volumes not used here.
_RATES = frozenset({"kg", "d", "day", "wk", "week", "h", "hr", "hour", "dose", "l", "dl"})
_DROPS = re.compile(
    r"(?<![\w.,])(?P<drops>\d+)\s*(?P<thing>[^\W\d_]+)\s*(?:/|per|pro|por)\s*(?:1\s*)?ml\b"
    r"|\b(?:1\s*)?ml\s*=\s*(?P<drops_too>\d+)\s*(?P<thing_too>[^\W\d_]+)"
)
#: The numbers that something written can mean; several when it can be read in two ways.
_Readings = frozenset[Decimal]


def _numbers(written: str, mass: str = "") -> _Readings:
    """What a number can mean: "1,000" is a thousand or one, in micrograms a thousand."""
    head, *blanks = written.replace("'", "").split(" ")
    if blanks:
        return _with_blanks(head, blanks)
    groups = re.split(r"[.,]", head)
    marks = re.findall(r"[.,]", head)
    if not marks:
        return frozenset({Decimal(head)})
    if len(marks) == 1:
        thousands = marks == [","] and _MASSES.get(mass) == 1
        return _with_one_mark(groups[0], groups[1], marks[0], thousands=thousands)
    return _with_marks(groups, marks)


def _with_blanks(head: str, blanks: Sequence[str]) -> _Readings:
    """ "1 000": a thousand, or something and then zero; "5 250": either number."""
    if not head.isdigit() or len(head) > 3:
        return frozenset()
    joined = Decimal(head + "".join(blanks))
    sure = all(group.startswith("0") for group in blanks)
    return frozenset({joined} if sure else {joined, Decimal(blanks[-1])})


def _with_one_mark(whole: str, part: str, mark: str, *, thousands: bool) -> _Readings:
    """The mark is that of decimals, that of ``thousands`` where it can be, or it is open which."""
    value = Decimal(f"{whole or 0}.{part}")
    if not whole:
        return frozenset({value} if mark == "." else {value, Decimal(part)})
    if len(part) == 3 and len(whole) <= 3 and not whole.startswith("0"):
        joined = Decimal(whole + part)
        return frozenset({joined} if thousands else {value, joined})
    return frozenset({value})


def _with_marks(groups: Sequence[str], marks: Sequence[str]) -> _Readings:
    """Several marks are of thousands, but the last may be that of decimals if it is another."""
    if any(len(group) != 3 for group in groups[1:-1]) or len(groups[0]) > 3:
        return frozenset()
    if len(set(marks)) == 1:
        return frozenset({Decimal("".join(groups))} if len(groups[-1]) == 3 else ())
    if len(set(marks[:-1])) == 1:
        return frozenset({Decimal(f"{''.join(groups[:-1])}.{groups[-1]}")})
    return frozenset()


class _Strengths:
    """The strengths in one name: what each of them can mean, in micrograms.

    ``rest`` is the name without them.
    """

    def __init__(self, plain: str, form: Form, g: Guideline) -> None:
        self.per_ml: list[_Readings] = []
        self.per_unit: list[_Readings] = []
        self.drops_per_ml: list[_Readings] = []
        self._form, self._g = form, g
        self._alone: list[_Readings] = []
        self._in_volume: list[_Readings] = []
        spans: list[int] = [0]
        for match in _STRENGTH.finditer(plain):
            whole = self._read(match)
            # of "1 mg / zinc" what follows the mass is something else
            spans += match.span() if whole else (match.start(), match.end("mass"))
        spans.append(len(plain))
        self.rest = " ".join(plain[a:b] for a, b in zip(spans[::2], spans[1::2], strict=True))
        self._read_drops(plain)
        if form in ("tablet", "ampoule") or (not form and not self.per_ml):
            self.per_unit += self._alone
        if form == "ampoule":
            self.per_unit += self._of_an_ampoule(plain)

    def _read(self, match: re.Match[str]) -> bool:
        """Takes up one strength; whether it is one with what follows its mass."""
        readings = _times(_numbers(match["number"], match["mass"]), _MASSES[match["mass"]])
        of, counted = match["of"], match["count"]
        counts = _numbers(counted) if counted else frozenset({Decimal(1)})
        if of is None:
            self._alone.append(readings)
        elif of in _MILLILITRES:
            self.per_ml.append(_divided(readings, counts))
            if counted:
                self._in_volume.append(readings)
        elif piece := form_of(of, self._g):
            if piece == self._form or self._form in ("", "liquid"):
                self.per_unit.append(_divided(readings, counts))
        elif of not in _RATES:
            self._alone.append(readings)
            return False
        return True

    def _read_drops(self, plain: str) -> None:
        for match in _DROPS.finditer(plain):
            if form_of(match["thing"] or match["thing_too"], self._g) == "drop":
                number = Decimal(match["drops"] or match["drops_too"])
                self.drops_per_ml.append(frozenset({number}))

    def _of_an_ampoule(self, plain: str) -> list[_Readings]:
        """What is in one: its strength times the volume stated, or the content as written."""
        volumes = [_numbers(match["number"]) for match in _VOLUME.finditer(self.rest)]
        if volumes:
            return [
                frozenset(one * ml for one in content for ml in volume)
                for content in self.per_ml
                for volume in volumes
            ]
        return [] if _VIAL.search(plain) else self._in_volume


def _times(readings: _Readings, factor: Decimal) -> _Readings:
    return frozenset(one * factor for one in readings)


def _divided(readings: _Readings, by: _Readings) -> _Readings:
    return frozenset(one / count for one in readings for count in by if count > 0)


class _Settled:
    """What all names of a product say together, and what they leave in doubt."""

    def __init__(self, names: Sequence[_Name]) -> None:
        self._doubts: dict[Message, None] = {}
        self.form = self._one_form({form for one in names for form in one.forms})
        self.way = self._one_way(names)
        per_unit = [found for one in names for found in one.strengths.per_unit
                    if one.form or self.form in ("", "tablet", "ampoule")]  # fmt: skip
        self.per_ml = self._one_number([s for one in names for s in one.strengths.per_ml])
        self.per_unit = self._one_number(per_unit)
        self.drops_per_ml = self._one_number(
            [found for one in names for found in one.strengths.drops_per_ml]
        )
        if self._doubts:
            self.per_ml = self.per_unit = self.drops_per_ml = None

    @property
    def doubts(self) -> tuple[Message, ...]:
        return tuple(self._doubts)

    def _one_form(self, forms: set[Form]) -> Form:
        pieces = forms - {"liquid"}
        if len(pieces) > 1 or ("tablet" in pieces and "liquid" in forms):
            self._doubts[say(Doubts.forms_differ)] = None
            return ""
        return pieces.pop() if pieces else "liquid" if "liquid" in forms else ""

    def _one_way(self, names: Sequence[_Name]) -> ProductWay:
        said = frozenset[ProductWay]().union(*(one.ways for one in names))
        if said == {"oral", "sublingual"}:
            return "sublingual"
        if len(said) > 1:
            self._doubts[say(Doubts.ways_differ)] = None
            return ""
        return next(iter(said), _USUAL_WAY.get(self.form, ""))

    def _one_number(self, found: Sequence[_Readings]) -> Decimal | None:
        """The only number that all of them can mean."""
        if not found:
            return None
        common = frozenset.intersection(*found)
        if len(common) == 1 and (number := next(iter(common))) > 0:
            return number
        two = len(common) > 1
        doubt = say(Doubts.two_readings if two else Doubts.strengths_differ)
        self._doubts[doubt] = None
        return None
