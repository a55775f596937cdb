"""What a drug is, by its codes and names: vitamin B12 or not, which cobalamin, how strong.

Codes decide. A name decides only where no verified code does, and only by whole words; whoever
uses that says so. What is contradictory or can be read in two ways is a doubt, never a number.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Literal, NamedTuple

from msgspec import Struct

from cds_service.clinical import Code
from cds_service.guidelines.b12_under_two.data import Guideline
from cds_service.guidelines.codelists import CodeList

Kind = Literal["b12", "combination", "folic acid", "other", "unknown"]
Substance = Literal[
    "", "cyanocobalamin", "hydroxocobalamin", "methylcobalamin", "adenosylcobalamin"
]  # fmt: skip
Form = Literal["", "tablet", "drop", "spray", "ampoule", "liquid"]
ProductWay = Literal["", "oral", "sublingual", "nasal", "parenteral"]
#: How a drug goes in, as far as an order says it: "parenteral" is by injection, no place named.
Way = Literal[
    "oral", "sublingual", "nasal", "intramuscular", "subcutaneous", "intravenous", "parenteral"
]  # fmt: skip
BY_MOUTH: tuple[Way, ...] = ("oral", "sublingual", "nasal")
INJECTED: tuple[Way, ...] = ("intramuscular", "subcutaneous", "intravenous", "parenteral")

_SUBSTANCES: tuple[Substance, ...] = (
    "cyanocobalamin", "hydroxocobalamin", "methylcobalamin", "adenosylcobalamin",
)  # fmt: skip
_PIECES: tuple[Form, ...] = ("tablet", "drop", "spray", "ampoule")
_WAYS: tuple[ProductWay, ...] = ("oral", "sublingual", "nasal", "parenteral")
#: How a form is given whose name does not say it.
_USUAL_WAY: dict[Form, ProductWay] = {"tablet": "oral", "drop": "oral", "ampoule": "parenteral"}


class Drug(Struct, frozen=True):
    """What is known of a drug.

    ``kind`` is "b12" for B12 alone, "combination" for B12 with other active substances,
    "folic acid" for folic acid without B12, "unknown" when nothing names it or what names it
    contradicts itself. ``by`` says what it was recognised by. ``substance`` is "" when several
    or none are named. ``way`` is how the product is given as far as its form tells.

    ``per_unit`` is micrograms in one counted piece of ``form`` (of whatever is counted, when
    the form is not stated), ``per_ml`` in one millilitre; each ``None`` when not stated or in
    doubt. ``doubts`` are phrases fit for a card: what could not be settled.
    """

    kind: Kind
    by: Literal["code", "name", ""] = ""
    substance: Substance = ""
    way: ProductWay = ""
    form: Form = ""
    per_unit: Decimal | None = None
    per_ml: Decimal | None = None
    drops_per_ml: Decimal | None = None
    preservative_free: bool = False
    doubts: tuple[str, ...] = ()

    @property
    def may_be_cyanocobalamin(self) -> bool:
        """Not known to be another cobalamin: where cyanocobalamin harms, this may harm."""
        return self.kind in ("b12", "combination") and self.substance in ("", "cyanocobalamin")


def recognise(codes: Sequence[Code], text: str, g: Guideline) -> Drug:
    """The drug that ``codes`` and ``text`` (what its writer called it) name together."""
    listed = [found for code in codes if (found := _listed(code, g)) is not None]
    names = [one for one in dict.fromkeys((text, *(code.display for code in codes))) if one.strip()]
    read = [_Name(name, g) for name in names]
    coded = {kind for kind, _, _ in listed}
    if len(coded) > 1:
        return Drug("unknown", doubts=("its codes are of different drugs",))
    said = {one.kind for one in read} - {"other"}
    if coded or len(said) > 1:
        said.discard("unknown")
    claimed = coded | said
    doubts: list[str] = []
    kind: Kind
    if not claimed:
        if read:
            return Drug("other", "name")
        doubts = ["it has a code that is not known here and no name"] if codes else []
        return Drug("unknown", doubts=tuple(doubts))
    if len(claimed) == 1:
        kind = next(iter(claimed))
        if kind == "unknown":
            doubts.append("its name does not tell whether it is vitamin B12")
    else:
        kind = "b12" if "b12" in claimed else "unknown"
        doubts.append(f"it is named as different drugs ({' and '.join(sorted(claimed))})")
    by: Literal["code", "name", ""] = "code" if kind in coded else "name"
    if kind not in ("b12", "combination"):
        return Drug(kind, "" if kind == "unknown" else by, doubts=tuple(doubts))
    substances: set[Substance] = {substance for _, substance, _ in listed if substance}
    substances |= {substance for one in read for substance in one.substances}
    if len(substances) > 1:
        doubts.append(f"it is named as {' and '.join(sorted(substances))}")
    trusted = [_Name(display, g) for _, _, display in listed if display]
    product = _Settled((*trusted, *read))
    strong = kind == "b12" and len(claimed) == 1
    return Drug(
        kind,
        by,
        substances.pop() if len(substances) == 1 else "",
        product.way,
        product.form,
        product.per_unit if strong else None,
        product.per_ml if strong else None,
        product.drops_per_ml if strong else None,
        any(one.preservative_free for one in read),
        (*doubts, *(product.doubts if strong else ())),
    )


def names_b12(names: Iterable[str], g: Guideline) -> bool:
    """Whether one of ``names`` has a name of vitamin B12 as a whole word."""
    b12 = _all_names(g)
    return any(_has(_words(_plain(name)), b12) for name in names if name)


def form_of(thing: str, g: Guideline) -> Form:
    """The form that the name of something counted means ("tab" is a tablet); "" if none."""
    line = _words(_plain(thing))
    found = [form for form in _PIECES if _has(line, getattr(g.file.names.forms, form))]
    return found[0] if len(found) == 1 else ""


def has_phrase(text: str, phrases: tuple[str, ...]) -> bool:
    """Whether ``text`` has one of ``phrases`` as whole words, however it is written."""
    return _has(_words(_plain(text)), phrases)


# --- codes ------------------------------------------------------------------------------------


def _listed(code: Code, g: Guideline) -> tuple[Kind, Substance, str] | None:
    """The kind and substance that a verified row gives ``code``, and the row's own name."""
    lists: tuple[tuple[Kind, CodeList], ...] = (
        ("b12", g.codes.b12_therapy),
        ("combination", g.codes.multivitamin_with_b12),
        ("combination", g.codes.b12_combination),
        ("folic acid", g.codes.folic_acid),
    )
    for kind, one in lists:
        if one.decides(code):
            display = next((row.display for row in one.verified if row.system == code.system
                            and row.code == code.code.upper()), "")  # fmt: skip
            if g.codes.cyanocobalamin.decides(code):
                return kind, "cyanocobalamin", display
            if g.codes.hydroxocobalamin.decides(code):
                return kind, "hydroxocobalamin", display
            named = _substances(_words(_plain(display)), g)
            return kind, next(iter(named)) if len(named) == 1 else "", display
    return None


# --- words ------------------------------------------------------------------------------------

_WORD = re.compile(r"[^\W_]+")
_B12 = re.compile(r"\b[bв][\s.\-\u2010-\u2014]*12\b")
#: "vitamin B 12 mg" may be twelve milligrams of another B vitamin, "B 12.5" twelve and a half.
_TWO_READINGS = re.compile(
    r"\b[bв](?:\s+12\s*(?:%|(?:mcg|[umn]?g|[um]?l|iu|ui|units?|hours?|hrs?|h)\b)|[\s.\-]*12[.,]\d)"
)
_BRAND = re.compile(r"\[[^\[\]]*\]")
_NEXT_INGREDIENT = re.compile(r"\s/\s|[+&]")


def _plain(text: str) -> str:
    """In one spelling: compatible characters, small letters, no accents, "u" for both micros."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    plain = "".join(
        sign for sign in unicodedata.normalize("NFKD", folded) if not unicodedata.combining(sign)
    )
    return plain.replace("\u03bc", "u").replace("\u2019", "'")


class _Words(NamedTuple):
    """The words of a text: each, and all in order with a blank before and after every one."""

    each: frozenset[str]
    line: str


def _words(plain: str) -> _Words:
    """With "b 12" and "b-12" as "b12"."""
    words = _WORD.findall(_B12.sub("b12", plain))
    return _Words(frozenset(words), f" {' '.join(words)} ")


@lru_cache(maxsize=256)
def _phrases(phrases: tuple[str, ...]) -> tuple[frozenset[str], tuple[str, ...]]:
    """Those of one word, and the longer ones with a blank before and after."""
    longer = tuple(f" {one} " for one in phrases if " " in one)
    return frozenset(one for one in phrases if " " not in one), longer


def _has(words: _Words, phrases: tuple[str, ...]) -> bool:
    single, longer = _phrases(phrases)
    return not words.each.isdisjoint(single) or any(one in words.line for one in longer)


def _all_names(g: Guideline) -> tuple[str, ...]:
    b12 = g.file.names.b12
    return (*b12.unspecified, *(name for one in _SUBSTANCES for name in getattr(b12, one)))


def _substances(words: _Words, g: Guideline) -> frozenset[Substance]:
    return frozenset(one for one in _SUBSTANCES if _has(words, getattr(g.file.names.b12, one)))


class _Name:
    """One name of a drug, read by itself."""

    def __init__(self, name: str, g: Guideline) -> None:
        names, plain = g.file.names, _plain(name)
        words = _words(plain)
        self.substances = _substances(words, g)
        self.forms = _forms(words, g)
        self.form: Form = next(iter(self.forms)) if len(self.forms) == 1 else ""
        self.ways = frozenset(way for way in _WAYS if _has(words, getattr(names.ways, way)))
        if not self.forms and "parenteral" in self.ways:
            self.form = "liquid"
            self.forms = frozenset({self.form})
        self.preservative_free = _has(words, names.preservative_free) and not any(
            f" {no} {phrase} " in words.line
            for phrase in names.preservative_free
            for no in ("not", "non")
        )
        self.strengths = _Strengths(_B12.sub("b12 ", plain), self.form, g)
        self.kind = self._kind(plain, words, g)

    def _kind(self, plain: str, words: _Words, g: Guideline) -> Kind:
        names, b12 = g.file.names, _all_names(g)
        if not _has(words, b12):
            if _has(words, names.combination):
                return "combination"
            folic = _has(words, names.folic_acid) and not _has(words, names.no_medicine)
            return "folic acid" if folic else "other"
        if _has(words, names.no_medicine) or not _has(_words(_TWO_READINGS.sub(" ", plain)), b12):
            return "unknown"
        others = (*names.companions, *names.combination, *names.folic_acid)
        if _has(words, others) or self._another_ingredient(g):
            return "combination"
        return "b12"

    def _another_ingredient(self, g: Guideline) -> bool:
        """Whether a part after "+", "&" or " / " names something that is neither B12 nor plain."""
        names = g.file.names
        parts = _NEXT_INGREDIENT.split(_BRAND.sub(" ", self.strengths.rest))
        if len(parts) == 1:
            return False
        plain_words = {*names.plain, *_MASSES}
        for group in (names.forms, names.ways):
            plain_words.update(*(getattr(group, field) for field in group.__struct_fields__))
        for part in parts:
            words = _words(part)
            if not _has(words, _all_names(g)) and any(
                not word.isdigit() and word not in plain_words for word in words.each
            ):
                return True
        return False


def _forms(words: _Words, g: Guideline) -> frozenset[Form]:
    """The pieces that the words name, otherwise whether it is measured."""
    forms = g.file.names.forms
    pieces = frozenset(form for form in _PIECES if _has(words, getattr(forms, form)))
    liquid = frozenset[Form]({"liquid"} if _has(words, forms.liquid) else ())
    return pieces or liquid


# --- strengths --------------------------------------------------------------------------------

#: Micrograms in each unit of mass as written in names of products.
_MASSES = {
    spelling: Decimal(factor)
    for factor, spellings in {
        "1": "mcg mcgs ug microg mkg мкг microgram micrograms microgramme microgrammes "
             "microgramo microgramos microgrammo microgrammi mikrogramm mikrogram",
        "1e3": "mg mgs мг milligram milligrams milligramme milligrammes miligramo miligramos "
               "milligrammo milligrammi milligramm",
        "1e6": "g gm gram grams gramme grammes",
        "1e-3": "ng nanogram nanograms",
    }.items()
    for spelling in spellings.split()
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
        if not head.isdigit() or len(head) > 3:
            return frozenset()
        joined = Decimal(head + "".join(blanks))
        sure = all(group.startswith("0") for group in blanks)
        return frozenset({joined} if sure else {joined, Decimal(blanks[-1])})
    groups = re.split(r"[.,]", head)
    marks = re.findall(r"[.,]", head)
    if not marks:
        return frozenset({Decimal(head)})
    if len(marks) == 1:
        whole, part = groups
        value = Decimal(f"{whole or 0}.{part}")
        if not whole:
            return frozenset({value} if marks == ["."] else {value, Decimal(part)})
        if len(part) == 3 and len(whole) <= 3 and not whole.startswith("0"):
            thousands = Decimal(whole + part)
            in_micrograms = marks == [","] and _MASSES.get(mass) == 1
            return frozenset({thousands} if in_micrograms else {value, thousands})
        return frozenset({value})
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
        alone: list[_Readings] = []
        in_volume: list[_Readings] = []
        spans: list[int] = [0]
        for match in _STRENGTH.finditer(plain):
            spans += match.span()
            readings = _times(_numbers(match["number"], match["mass"]), _MASSES[match["mass"]])
            of, counted = match["of"], match["count"]
            if of is None:
                alone.append(readings)
            elif of in _MILLILITRES:
                volumes = _numbers(counted) if counted else frozenset({Decimal(1)})
                self.per_ml.append(_divided(readings, volumes))
                if counted:
                    in_volume.append(readings)
            elif piece := form_of(of, g):
                if piece == form or not form or form == "liquid":
                    counts = _numbers(counted) if counted else frozenset({Decimal(1)})
                    self.per_unit.append(_divided(readings, counts))
            elif of not in _RATES:
                alone.append(readings)
                spans[-1] = match.end("mass")  # "1 mg / zinc": what follows is something else
        spans.append(len(plain))
        self.rest = " ".join(plain[a:b] for a, b in zip(spans[::2], spans[1::2], strict=True))
        for match in _DROPS.finditer(plain):
            if form_of(match["thing"] or match["thing_too"], g) == "drop":
                number = Decimal(match["drops"] or match["drops_too"])
                self.drops_per_ml.append(frozenset({number}))
        if form in ("tablet", "ampoule") or (not form and not self.per_ml):
            self.per_unit += alone
        if form == "ampoule":
            volumes_stated = [_numbers(match["number"]) for match in _VOLUME.finditer(self.rest)]
            if volumes_stated:
                self.per_unit += [
                    frozenset(one * ml for one in content for ml in volume)
                    for content in self.per_ml
                    for volume in volumes_stated
                ]
            elif not re.search(r"\bvials?\b", plain):
                self.per_unit += in_volume


def _times(readings: _Readings, factor: Decimal) -> _Readings:
    return frozenset(one * factor for one in readings)


def _divided(readings: _Readings, by: _Readings) -> _Readings:
    return frozenset(one / count for one in readings for count in by if count > 0)


class _Settled:
    """What all names of a product say together, and what they leave in doubt."""

    def __init__(self, names: Sequence[_Name]) -> None:
        self._doubts: dict[str, None] = {}
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
    def doubts(self) -> tuple[str, ...]:
        return tuple(self._doubts)

    def _one_form(self, forms: set[Form]) -> Form:
        pieces = forms - {"liquid"}
        if len(pieces) > 1 or ("tablet" in pieces and "liquid" in forms):
            self._doubts["its names say different forms"] = None
            return ""
        return pieces.pop() if pieces else "liquid" if "liquid" in forms else ""

    def _one_way(self, names: Sequence[_Name]) -> ProductWay:
        said = frozenset[ProductWay]().union(*(one.ways for one in names))
        if said == {"oral", "sublingual"}:
            return "sublingual"
        if len(said) > 1:
            self._doubts["its names say different ways of giving it"] = None
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
        doubt = "its strength can be read in two ways" if two else "its strengths do not agree"
        self._doubts[doubt] = None
        return None
