"""Units as people and machines write them, read as the canonical UCUM units of `clinical.UNITS`.

What is not known here is not a unit: nothing is guessed. What can mean two things ("G/L", gram or
giga per litre) is read as both, and the kind of thing that was measured decides.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from itertools import product

from cds_service.clinical import UNITS

#: No unit is longer; what is must neither be searched nor remembered.
_LONGEST = 60


def units_of(written: str, *, coded: bool = False) -> tuple[str, ...]:
    """The canonical units that ``written`` may mean, none when it is not one known here.

    ``coded`` says that it was sent where a UCUM code belongs: there only UCUM, the case variants of
    concentrations and the spellings of counts are accepted, no colloquial word ("lb" is not a
    UCUM code).
    """
    if written in UNITS:
        return (written,)
    return _read(written, coded) if len(written) <= _LONGEST else ()


def is_annotation(code: str) -> bool:
    """Whether a code says no more than words in braces, and none that change what is meant."""
    return bool(_ANNOTATION.fullmatch(code)) and not _CHANGES_MEANING.search(code)


@lru_cache(maxsize=1024)
def _read(written: str, coded: bool) -> tuple[str, ...]:
    plain = _plain(written)
    bare = _ANNOTATION.sub("", plain)
    if any(_CHANGES_MEANING.search(one) for one in _ANNOTATION.findall(plain)):
        return ()
    if not bare.strip():  # "{umol/L}": an annotation alone, which people mean as the unit
        inner = plain.strip()[1:-1]
        return () if not inner or "{" in inner else _read(inner, coded=False)
    return _known(bare.replace(" ", ""), coded) or (() if coded else _known(_symbols(bare), coded))


# --- one form ----------------------------------------------------------------------------------

_RAISED = {"⁰": "0", "¹": "1", "²": "2", "³": "3", "⁴": "4", "⁵": "5", "⁶": "6", "⁷": "7", "⁸": "8",
           "⁹": "9", "⁻": "-", "⁺": ""}  # fmt: skip
_POWER = re.compile(f"[{''.join(_RAISED)}]+")
_ANNOTATION = re.compile(r"\{[^{}]*\}")
#: A count of whole haemoglobin molecules, a quarter of the usual amount of substance.
_CHANGES_MEANING = re.compile(r"tetra|hb4|\(4\)|creat|crea\b|kreat", re.IGNORECASE)
_SIGNS = str.maketrans({"\u03bc": "u", "·": ".", "⋅": ".", "∙": ".", "×": "x", "∗": "*", "−": "-"})


def _plain(written: str) -> str:
    """Compatible characters, "u" for both micros, powers with a sign before them."""
    raised = _POWER.sub(lambda found: "^" + "".join(map(_RAISED.get, found[0])), written)  # type: ignore[arg-type]
    return unicodedata.normalize("NFKC", raised).translate(_SIGNS)


#: Units in words, as the main languages spell them; parts of words are put together below.
_PREFIXES = {
    "femto": "f", "pico": "p", "piko": "p", "nano": "n", "micro": "u", "mikro": "u", "milli": "m",
    "mili": "m", "deci": "d", "dezi": "d", "desi": "d", "kilo": "k", "chilo": "k", "quilo": "k",
    "": "",
}  # fmt: skip
_BASES = {
    base: symbol
    for symbol, bases in {
        "g": "gram grams gramm gramme grammes grammi grammo gramo gramos grama gramas gramů",
        "mol": "mole moles moli mols",
        "L": "liter liters litre litres litro litros litri litr litru litrů",
    }.items()
    for base in bases.split()
}
_WORDS = {
    prefix + base: mark + symbol
    for (prefix, mark), (base, symbol) in product(_PREFIXES.items(), _BASES.items())
} | {
    word: symbol
    for symbol, words in {
        "kg": "kilo kilos килограмм килограмма килограммов кг 公斤 千克 キログラム キロ 킬로그램"
        " κιλά χιλιόγραμμα किलोग्राम किग्रा كيلوغرام كيلوجرام كجم كغ กิโลกรัม",
        "g": "г грамм граммов グラム 그램 γραμμάρια ग्राम غرام جرام",
        "mg": "мг", "ug": "мкг mkg", "ng": "нг", "pg": "пг",
        "mmol": "ммоль", "umol": "мкмоль mkmol", "nmol": "нмоль", "pmol": "пмоль",
        "L": "л", "dL": "дл", "mL": "мл", "uL": "мкл", "nL": "нл", "fL": "фл",
    }.items()
    for word in words.split()
}  # fmt: skip
_WORD = re.compile(r"[^\W\d_][^\d\s/.,*^{}()]*")
_PER = re.compile(r"\s(?:per|pro|par|por|op|na)\s", re.IGNORECASE)


def _symbols(written: str) -> str:
    """With symbols for the words of it; words unknown here stay as they are."""
    found = _WORD.sub(lambda word: _WORDS.get(word[0].lower(), word[0]), _PER.sub("/", written))
    return found.replace(" ", "")


# --- concentrations, masses and the rest ---------------------------------------------------------

#: Spellings seen in the field. Concentrations and counts in any case; mass only as listed, since
#: "Mg" or "G" could mean something else.
_ALIASES = {
    "pound": "[lb_av]", "pounds": "[lb_av]", "ounce": "[oz_av]", "ounces": "[oz_av]",
    "mcg": "ug", "Kg": "kg", "KG": "kg", "kgs": "kg", "Kgs": "kg", "KGS": "kg", "kg.": "kg",
    "gr": "g", "grs": "g", "gr.": "g", "gms": "g", "gm": "g", "g.": "g", "quilos": "kg",
    "quilo": "kg", "nM": "nmol/L", "uM": "umol/L", "pM": "pmol/L", "mM": "mmol/L", "lb": "[lb_av]",
    "lbs": "[lb_av]", "lb_av": "[lb_av]", "oz": "[oz_av]", "oz_av": "[oz_av]",
    "ml": "mL", "ML": "mL", "l": "L", "ul": "uL", "weeks": "wk", "week": "wk", "wks": "wk",
    "days": "d", "day": "d",
}  # fmt: skip
_CODED_ALIASES = {"mcg"}
_ANY_CASE = {
    unit.lower(): unit
    for unit, (dimension, _) in UNITS.items()
    if dimension.endswith("concentration") or dimension == "equivalents"
} | {
    "fl": "fL", "um^3": "um3", "u3": "um3", "cumicron": "um3", "cu.micron": "um3",
    "cumicrons": "um3", "cu.microns": "um3", "g%": "g/dL", "mg%": "mg/dL", "ug%": "ug/dL",
    "ng%": "ng/dL", "mol/m3": "mmol/L",
    "mol/m^3": "mmol/L",
}  # fmt: skip
#: Capital letters that stand alone: in small ones they would mean something else, and "G/L" can
#: mean gram or giga per litre where no code says which.
_CAPITALS = {
    "G/L": ("g/L", "10*9/L"), "G/l": ("g/L", "10*9/L"), "T/L": ("10*12/L",), "T/l": ("10*12/L",),
}  # fmt: skip
_RESPELT = (
    (re.compile(r"^(?:mc|mk)g(?=/)"), "ug"),
    (re.compile(r"^(?:mc|mk|micro|mikro)mol(?=/)"), "umol"),
    (re.compile(r"^([mnpu]?)gms?(?=[/%])"), r"\1g"),
    (re.compile(r"\.$"), ""),
    (re.compile(r"(?<=/)(?:mc|micro)l$"), "ul"),
    (re.compile(r"(?<=/)100ml$"), "dl"),
    (re.compile(r"^\*(?=10)"), ""),
    (re.compile(r"\.?((?:[dmun]?l)|mm\^?3)\^?-1$"), r"/\1"),
)


def _known(symbols: str, coded: bool) -> tuple[str, ...]:
    if symbols in UNITS:
        return (symbols,)
    if symbols in _CAPITALS:
        return _CAPITALS[symbols]
    small = symbols.lower()
    for pattern, instead in _RESPELT:
        small = pattern.sub(instead, small)
    found = _ANY_CASE.get(small) or _count(small)
    if found is None and (not coded or symbols in _CODED_ALIASES):
        found = _ALIASES.get(symbols)
    return (found,) if found is not None else ()


# --- counts --------------------------------------------------------------------------------------

#: Powers of ten in figures or words ("10*9", "x10E9", "E9", "1000", "K", "Tsd", "Gpt"), perhaps
#: what is counted, and the volume. A power below zero is not a count and does not match.
_POWERS = {
    word: power
    for power, words in {
        3: "1000 1,000 k thou thousand thousands tsd tsd. tys tys. тыс тыс. 千",
        4: "万 萬",
        5: "lakh lakhs",
        6: "mio mio. mln mln. million millions млн млн.",
        9: "giga gpt",
        12: "tera tpt",
    }.items()
    for word in words.split()
}
_VOLUMES = {
    "l": 0, "dl": 1, "ml": 3, "ul": 6, "mm3": 6, "mm^3": 6, "mm*3": 6, "cumm": 6, "cmm": 6,
    "cu.mm": 6, "nl": 9, "pl": 12,
}  # fmt: skip
_COUNT = re.compile(
    r"(?:x?(?:10(?:\*\*|\*|\^|#|'|exp|e\+?)|e\+?)(?P<power>\d{1,2})|x?10\((?P<inside>\d{1,2})\)"
    rf"|x?(?P<word>{'|'.join(map(re.escape, sorted(_POWERS, key=len, reverse=True)))})|1)?"
    r"[.*x]?(?:cells?|zellen|cellules|celulas|cellule|celler|клеток|个|個|개|#|count)?"
    rf"/(?P<volume>{'|'.join(map(re.escape, _VOLUMES))})"
)
#: By the power of ten in a litre.
_PER_LITRE = {
    0: "/L", 3: "10*3/L", 6: "10*6/L", 8: "10*2/uL", 9: "10*9/L", 10: "10*4/uL", 11: "10*5/uL",
    12: "10*12/L",
}  # fmt: skip


def _count(small: str) -> str | None:
    found = _COUNT.fullmatch(small)
    if found is None:
        return None
    figures = found["power"] or found["inside"]
    power = int(figures) if figures else _POWERS.get(found["word"] or "", 0)
    unit = _PER_LITRE.get(power + _VOLUMES[found["volume"]])
    return _USUAL.get(small, unit)


#: Left in the unit that is usual for them.
_USUAL = {
    f"{ten}/{volume}": "10*3/uL"
    for ten, volume in product(("10^3", "x10^3", "10e3", "x10e3", "x10*3", "k", "thou"), ("ul",))
} | {"k/mm3": "10*3/uL", "10*3/mm3": "10*3/uL"}
