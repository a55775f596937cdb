"""Data types of FHIR as clinical values: times, references, codings, quantities, statuses.

An element that is absent gives nothing; one that says something that cannot be relied on raises
`Unreadable`, so that its resource is reported and not used.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import TypeVar

from msgspec import Raw, Struct, structs

from cds_service.clinical import (
    UNITS,
    Code,
    Interpretation,
    Interval,
    Moment,
    Quantity,
    Reason,
)
from cds_service.fhir import wire
from cds_service.fhir.units import is_annotation, units_of

UCUM = "http://unitsofmeasure.org"
LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
ICD_10_CM = "http://hl7.org/fhir/sid/icd-10-cm"
ICD_10 = "http://hl7.org/fhir/sid/icd-10"
ICD_10_GM = "http://fhir.de/CodeSystem/bfarm/icd-10-gm"
ORPHA = "http://www.orpha.net"
UNII = "http://fdasis.nlm.nih.gov"
ICPC_2 = "http://hl7.org/fhir/sid/icpc-2"
ICD_11 = "http://id.who.int/icd/release/11/mms"
CTV3 = "http://read.info/ctv3"
JLAC10 = "http://medis.or.jp/CodeSystem/master-JLAC10-17digits"

#: Code systems by the other names they go by: object identifiers (HL7's registry), and addresses
#: read in public files of the countries that use them. ICD-10, ICD-10-GM and ICD-10-CM are three
#: systems: the same code can mean different things in them. A code of dm+d, and of any national
#: extension, is a SNOMED CT identifier.
_SYSTEMS = {
    name: url
    for url, others in {
        LOINC: "urn:oid:2.16.840.1.113883.6.1",
        SNOMED: "urn:oid:2.16.840.1.113883.6.96 http://dmd.nhs.uk",
        ICD_10_CM: "urn:oid:2.16.840.1.113883.6.90",
        # of Norway and the Netherlands: translations of the WHO's
        ICD_10: "urn:oid:2.16.840.1.113883.6.3 urn:oid:2.16.578.1.12.4.1.1.7110"
        " http://hl7.org/fhir/sid/icd-10-nl urn:oid:2.16.840.1.113883.6.3.2"
        # of Japan: the edition of 2013
        " http://jpfhir.jp/fhir/core/mhlw/CodeSystem/ICD10-2013-full",
        ICD_10_GM: "http://fhir.de/CodeSystem/dimdi/icd-10-gm urn:oid:1.2.276.0.76.5.409",
        "http://www.nlm.nih.gov/research/umls/rxnorm": "urn:oid:2.16.840.1.113883.6.88",
        "http://hl7.org/fhir/sid/ndc": "urn:oid:2.16.840.1.113883.6.69",
        "http://www.whocc.no/atc": "urn:oid:2.16.840.1.113883.6.73"
        " http://fhir.de/CodeSystem/bfarm/atc http://fhir.de/CodeSystem/dimdi/atc"
        " urn:oid:2.16.578.1.12.4.1.1.7180",
        # of Denmark, Norway (with its own codes, NOR...) and Sweden
        "http://npu-terminology.org": "urn:oid:1.2.208.176.2.1 urn:oid:1.2.208.176.9.1"
        " http://www.npu-terminology.org urn:oid:2.16.578.1.12.4.1.1.7280 urn:oid:1.2.752.108.1",
        JLAC10: "urn:oid:1.2.392.200119.4.504"
        " http://jpfhir.jp/fhir/clins/CodeSystem/JP_CLINS_ObsLabResult_CoreLabo_CS"
        " http://jpfhir.jp/fhir/clins/CodeSystem/JLAC10/JP_CLINS_ObsLabResult_CoreLabo_CS",
        "http://standardterms.edqm.eu": "urn:oid:0.4.0.127.0.16.1.1.2.1",
        ORPHA: "",
        UNII: "urn:oid:2.16.840.1.113883.4.9",
        ICPC_2: "urn:oid:2.16.578.1.12.4.1.1.7170 urn:oid:2.16.840.1.113883.6.139",
        # the last is France's
        ICD_11: "urn:oid:2.16.840.1.113883.6.347 http://hl7.org/fhir/sid/icd-11"
        " http://smt.esante.gouv.fr/fhir/CodeSystem/terminologie-cim11-mms",
        CTV3: "urn:oid:2.16.840.1.113883.2.1.3.2.4.14",
        UCUM: "urn:oid:2.16.840.1.113883.6.8",
    }.items()
    for name in (url, *others.split())
}
#: Those that need no other name and whose codes are compared as they are written.
_PLAIN_SYSTEMS = frozenset(_SYSTEMS.values()) - {
    ICD_10_CM, ICD_10, ICD_10_GM, JLAC10, ORPHA,
}  # fmt: skip

_INTERPRETATION_SYSTEMS = frozenset({
    "",
    "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation",
    "http://hl7.org/fhir/v3/ObservationInterpretation",
    "http://terminology.hl7.org/CodeSystem/v2-0078",
    "http://hl7.org/fhir/v2/0078",
    "http://hl7.org/fhir/ValueSet/observation-interpretation",
    "urn:oid:2.16.840.1.113883.5.83",
})  # fmt: skip
#: "<" and ">" say that the value is off the instrument's scale, the last ones how it has changed:
#: they are understood and say neither low nor high. "A" says abnormal, and not in what way.
_INTERPRETATIONS: Mapping[str, Interpretation] = {
    "L": "low", "LL": "low", "LU": "low", "LX": "low", "N": "normal", "H": "high", "HH": "high",
    "HU": "high", "HX": "high", "NEG": "normal", "<": "", ">": "", "B": "", "D": "", "U": "",
    "W": "",
}  # fmt: skip
_ABNORMAL = frozenset({"A", "AA", "POS", "DET"})
#: The same where a flag has no code, by HL7's names of them.
_FLAGS_IN_WORDS: Mapping[str, Interpretation] = {
    "l": "low", "low": "low", "critical low": "low", "n": "normal", "normal": "normal",
    "h": "high", "high": "high", "critical high": "high", "negative": "normal",
}  # fmt: skip
_ABNORMAL_IN_WORDS = frozenset({"a", "abnormal", "critical abnormal", "positive"})
#: Below, within and above reference range, as the Netherlands and Denmark send them; negative,
#: normal and, of LOINC, in range.
_INTERPRETATIONS_ELSEWHERE: Mapping[tuple[str, str], Interpretation] = {
    (SNOMED, "281300000"): "low", (SNOMED, "281301001"): "normal", (SNOMED, "281302008"): "high",
    (SNOMED, "260385009"): "normal", (SNOMED, "17621005"): "normal", (LOINC, "LA18592-8"): "normal",
}  # fmt: skip
#: Positive, abnormal and out of range.
_ABNORMAL_ELSEWHERE = frozenset({
    (SNOMED, "10828004"), (SNOMED, "263654008"), (LOINC, "LA18593-6"),
})  # fmt: skip

CLINICAL_STATUS = ("active", "recurrence", "relapse", "inactive", "remission", "resolved")
#: In the order in which they win when several are given.
CERTAINTY = (
    "entered-in-error", "refuted", "differential", "provisional", "unconfirmed", "confirmed",
    "unknown",
)  # fmt: skip


class Unreadable(Exception):
    """The resource was decoded, but what it says cannot be relied on; ``reason`` says why."""

    reason: Reason = "undecodable"


_TIME = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)"
    r"(?:[T ]([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d|60)(\.\d+)?)?"
    r"(?:Z|([+-])(\d\d):?(\d\d))?)?)?)?",
    re.ASCII,
)
_EPOCH = date(1970, 1, 1).toordinal()


def moment(written: str | None) -> Moment | None:
    """A FHIR date, dateTime or instant; ``None`` if it is missing or not one.

    The calendar dates are those written, in the sender's own time zone. A time without a zone
    counts as UTC, which matters for the order within one day only.
    """
    if not written:
        return None
    if written[7:8] == "-":
        try:  # the two usual forms; what else is allowed needs more care
            if len(written) == 10:
                day = date.fromisoformat(written)
                return Moment(day, day, (day.toordinal() - _EPOCH) * 86400.0)
            if written[10] == "T" and written[16] == ":":
                known = datetime.fromisoformat(written)
                day = known.date()
                instant = (
                    (day.toordinal() - _EPOCH) * 86400.0
                    + known.hour * 3600
                    + known.minute * 60
                    + known.second
                    + known.microsecond / 1e6
                )
                zone = known.tzinfo
                if zone is not None and zone is not UTC:
                    instant -= known.utcoffset().total_seconds()  # type: ignore[union-attr]
                return Moment(day, day, instant)
        except (ValueError, IndexError):
            pass
    return _read_unusual_moment(written)


#: Earlier is not a patient's date, but how some systems write that they have none (0001-01-01).
_FIRST_YEAR = 1900


class Moments(dict[str | None, Moment | None]):
    """The times of one record, each read once: the results of one sample share theirs. One of a
    year in which no patient lived is none."""

    def __missing__(self, written: str | None) -> Moment | None:
        found = moment(written)
        if found is not None and found.first.year < _FIRST_YEAR:
            found = None
        self[written] = found
        return found


def _read_unusual_moment(written: str) -> Moment | None:
    """Partial dates, leap seconds, times without seconds, a blank for the T."""
    match = _TIME.fullmatch(written)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, sign, zone_h, zone_m = match.groups()
    try:
        if day is None:
            first = date(int(year), int(month or 1), 1)
            last = _month_end(first.year, first.month if month else 12)
        else:
            first = last = date(int(year), int(month), int(day))
    except ValueError:
        return None
    instant = float((first.toordinal() - _EPOCH) * 86400)
    if hour is not None:
        instant += int(hour) * 3600 + int(minute) * 60 + int(second or 0) + float(fraction or 0)
        if sign is not None:
            zone = int(zone_h) * 3600 + int(zone_m) * 60
            instant += zone if sign == "-" else -zone
    return Moment(first, last, instant)


def _month_end(year: int, month: int) -> date:
    if month == 12:
        return date(year, 12, 31)
    return date.fromordinal(date(year, month + 1, 1).toordinal() - 1)


def start(period: wire.Period | None) -> Moment | None:
    return moment(period.start) if period is not None else None


def end(period: wire.Period | None) -> Moment | None:
    return moment(period.end) if period is not None else None


def last_two_segments(reference: str) -> tuple[str, str]:
    """Type and id of a relative or absolute reference; ("", "") if it has no such form."""
    if "#" in reference or "?" in reference:
        return "", ""
    parts = reference.partition("/_history/")[0].split("/")
    absolute = "://" in reference
    if len(parts) < 2 or (not absolute and len(parts) > 2):
        return "", ""
    return parts[-2], parts[-1]


def _system(written: str) -> str:
    """A system by any of its names, in capitals too, and with a version ("...|2025")."""
    plain = written.partition("|")[0].strip().lower().rstrip("/")
    if plain.startswith("https:"):
        plain = "http:" + plain[6:]
    elif plain[:1].isdigit() or plain.startswith("oid:"):
        plain = f"urn:oid:{plain.removeprefix('oid:')}"
    if plain.startswith(f"{SNOMED}/"):  # a national edition
        return SNOMED
    if _ICD_11_RELEASE.fullmatch(plain):
        return ICD_11
    return _IN_SMALL_LETTERS.get(plain, written)


_IN_SMALL_LETTERS = {name.lower(): url for name, url in _SYSTEMS.items()}
_ICD_11_RELEASE = re.compile(r"http://id\.who\.int/icd/release/11/20[0-9]{2}-[01][0-9]/mms")


def is_known(system: str) -> bool:
    """Whether a code of this system, as `codes` gives it, means the same everywhere."""
    return system in _KNOWN_SYSTEMS


#: Few codes of the others are known here, each by a list: another one is not.
_KNOWN_SYSTEMS = frozenset(_SYSTEMS.values()) - {ORPHA, ICPC_2, ICD_11, CTV3, UNII}


def codes(concept: wire.Concept | None) -> tuple[Code, ...]:
    if concept is None:
        return ()
    if concept.concept is not None:
        concept = concept.concept
    codings = concept.coding
    if not codings:
        return ()
    if len(codings) == 1:  # the usual case, without a loop
        only = codings[0]
        if only.code and only.system in _PLAIN_SYSTEMS:
            return (Code(only.system, only.code.strip(), only.display or ""),)
    return tuple([_code(coding, coding.code) for coding in codings if coding.code])


def _code(coding: wire.Coding, code: str) -> Code:
    system = coding.system
    system = (_SYSTEMS.get(system) or _system(system)) if system else ""
    code = code.strip()
    if system in _ICD_10:
        code = code.rstrip(_ICD_MARKS)
        if len(code) > 3 and "." not in code:
            code = f"{code[:3]}.{code[3:]}"  # "D513", as billing systems write it
    elif system == ORPHA:
        code = code.upper().removeprefix("ORPHA").removeprefix(":")
    elif system == JLAC10 and len(code) == _JLAC10_DIGITS:
        code = code[:_JLAC10_MATTERS]
    return Code(system, code, coding.display or "")


_ICD_10 = frozenset({ICD_10_CM, ICD_10, ICD_10_GM})
#: Dagger, asterisk and the like, which say how codes are paired; "-" replaces digits left out.
_ICD_MARKS = "+*!#†‡-. "
#: Analyte, identification and material; how it was measured and put follows.
_JLAC10_DIGITS, _JLAC10_MATTERS = 17, 12


def text(concept: wire.Concept | None) -> str:
    """The sender's words: the text, else the first display."""
    if concept is None:
        return ""
    if concept.concept is not None:
        concept = concept.concept
    if concept.text:
        return concept.text
    for coding in concept.coding or ():
        if coding.display:
            return coding.display
    return ""


#: A whole text that is a number with its unit, and perhaps how it compares.
_MEASURED = re.compile(
    r"(<=|>=|<|>|≤|≥)?\s*([0-9][0-9.,\u00a0\u202f' ]*?)"
    r"(?:\s*(?=[^0-9\s.,'])|\s+(?=10[*^\u2070-\u2079\u00b2\u00b3]))(.{1,31})"
)
_COMPARED = {"≤": "<=", "≥": ">="}
#: A number as it is written without a thousands sign, or with one that is not its decimal sign.
_is_plain_number = re.compile(r"([0-9]{1,9})(?:[.,]([0-9]{1,6}))?").fullmatch
_is_grouped_number = re.compile(
    r"([1-9][0-9]{0,2}(?:[\u00a0\u202f' ][0-9]{3})+)(?:[.,]([0-9]{1,6}))?"
    r"|([1-9][0-9]{0,2}(?:\.[0-9]{3})+),([0-9]{1,6})"
    r"|([1-9][0-9]{0,2}(?:,[0-9]{3})+)\.([0-9]{1,6})"
).fullmatch
#: "1,234" and "1.234" are a thousand somewhere, and a little over one elsewhere.
_TWO_READINGS = re.compile(r"[1-9]\d*[.,]\d{3}$")
#: Digits, letters and signs as wide as the characters of Japanese and Chinese.
_WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
#: How a number compares, in words before it and after it.
_COMPARED_BEFORE = {
    word: sign
    for sign, words in {
        "<": "less than, lower than, below, under, kleiner als, kleiner, weniger als, unter,"
        " inférieur à, inf. à, inf à, moins de, inferior a, menor que, menor de, menor a, menos de,"
        " inferiore a, minore di, minder dan, kleiner dan, lager dan, mindre än, mindre end",
        ">": "more than, greater than, higher than, above, over, größer als, größer, mehr als,"
        " über, supérieur à, sup. à, sup à, plus de, superior a, mayor que, mayor de, mayor a,"
        " maior que, más de, mais de, superiore a, maggiore di, groter dan, hoger dan, meer dan,"
        " mer än",
    }.items()
    for word in words.split(", ")
}  # fmt: skip
_COMPARED_AFTER = {
    "以下": "<=", "未満": "<", "未满": "<", "以上": ">=", "이하": "<=", "미만": "<", "이상": ">=",
}  # fmt: skip
_begins_compared = re.compile(
    rf"({'|'.join(map(re.escape, sorted(_COMPARED_BEFORE, key=len, reverse=True)))})\s+(?=[0-9])",
    re.IGNORECASE,
).match
#: A flag as laboratories print it after a number; an asterisk only says that there is one.
_ends_flagged = re.compile(
    r"(.*?\S)(?:\s+(?:(HH?|\+{1,3}|high)|(LL?|-{1,3}|low)|(N|normal)|(\*))"
    r"|\s*(?:[(\[](?:(HH?|high)|(LL?|low)|(N|normal)|(\*))[)\]]|(↑)|(↓)|(\*{1,2})))"
).fullmatch
_FLAGS: Sequence[Interpretation | None] = (
    "high", "low", "normal", None, "high", "low", "normal", None, "high", "low", None,
)  # fmt: skip


def quantity_in_words(text: str) -> Quantity | None:
    """A text that is a number with a unit known here, as that number; ``None`` for any other."""
    plain = " ".join(text.translate(_WIDE).split())
    sign = ""
    if (before := _begins_compared(plain)) is not None:
        sign, plain = _COMPARED_BEFORE[before[1].lower()], plain[before.end() :]
    elif plain[-2:] in _COMPARED_AFTER:
        sign, plain = _COMPARED_AFTER[plain[-2:]], plain[:-2]
    found = _MEASURED.fullmatch(plain)
    number = _number_in_words(found[2]) if found is not None else None
    if found is None or number is None or (sign and found[1]):
        return None
    comparator = sign or _COMPARED.get(found[1], found[1])
    read = quantity(wire.Amount(Raw(number.encode()), comparator, found[3].strip()))
    if read is None or read.unit is None:
        return None
    return structs.replace(read, written=" ".join(text.split()))


def _number_in_words(written: str) -> str | None:
    """Its digits with a decimal point; ``None`` where it may be two numbers, or is not one."""
    grouped = _is_grouped_number(written)
    if grouped is not None:
        whole, rest = _pair(grouped.groups())
        return re.sub(r"[^0-9]", "", whole) + (f".{rest}" if rest else "")
    plain = _is_plain_number(written)
    if plain is None or _TWO_READINGS.match(written):
        return None
    return plain[1] + (f".{plain[2]}" if plain[2] else "")


def _pair(groups: Sequence[str | None]) -> tuple[str, str]:
    """Of alternatives with two groups each what was found of them."""
    place = next(place for place in range(0, len(groups), 2) if groups[place])
    return groups[place] or "", groups[place + 1] or ""


def flagged_in_words(text: str) -> tuple[Quantity, Interpretation | None] | None:
    """The same of one with the flag of its laboratory after it, and the flag; ``None`` for a flag
    that only says that there is one."""
    found = _ends_flagged(" ".join(text.translate(_WIDE).split()))
    read = quantity_in_words(found[1]) if found is not None else None
    if found is None or read is None:
        return None
    place = next(place for place, said in enumerate(found.groups()[1:]) if said)
    return structs.replace(read, written=" ".join(text.split())), _FLAGS[place]


def notes(*sent: object) -> str:
    """What is written next to a resource: texts, and annotations of any version, each on a line."""
    lines: list[str] = []
    for one in sent:
        for note in one if isinstance(one, list) else (one,):
            written = note.get("text") if isinstance(note, dict) else note
            if isinstance(written, str) and written.strip():
                lines.append(written)
    return "\n".join(lines)


_T = TypeVar("_T")


def listed(one_or_many: _T | list[_T] | None) -> list[_T]:
    if one_or_many is None:
        return []
    return one_or_many if isinstance(one_or_many, list) else [one_or_many]


def first(concepts: wire.Concept | list[wire.Concept] | None) -> wire.Concept | None:
    return next(iter(listed(concepts)), None)


#: No clinical quantity has more digits or lies further from 1; such a number is refused before
#: anything calculates with it.
_LONGEST_NUMBER = 30
_COMPARATORS = ("<", "<=", ">", ">=")
#: A number of JSON; in quotes only plain digits, which no one reads in two ways.
_is_number = re.compile(
    rb'(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)|"(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?)"'
).fullmatch


def quantity(amount: wire.Amount | None) -> Quantity | None:
    """The amount as sent, or ``None`` when it has no number."""
    if amount is None:
        return None
    sent = bytes(amount.value)
    if not sent or sent == b"null":
        return None
    unit = amount.unit
    if unit == amount.code and unit in UNITS and amount.system == UCUM and len(sent) < 10:
        return _ordinary(sent, unit, amount.comparator or "")
    number, shown = _number(sent)
    comparator = amount.comparator or ""
    units = _units(amount)
    written = _written(shown, amount, understood=bool(units))
    return Quantity(
        number,
        units[0] if units else None,
        _compared(comparator) + written,
        comparator,
        units[1] if len(units) > 1 else None,
    )


def _written(shown: str, amount: wire.Amount, *, understood: bool) -> str:
    """The number with its unit; with both where code and text are units that contradict."""
    text, code = amount.unit or "", amount.code or ""
    unit = text or code
    written = f"{shown} {unit[:40]}" if unit else shown
    contradictory = not understood and units_of(text) and units_of(code, coded=True)
    return f"{written} ({code})" if contradictory else written


@lru_cache(maxsize=1024)
def _ordinary(sent: bytes, unit: str, comparator: str) -> Quantity:
    """A short number and its unit in UCUM: records repeat themselves, ranges most of all."""
    number, shown = _number(sent)
    return Quantity(number, unit, f"{_compared(comparator)}{shown} {unit}", comparator)


def _compared(comparator: str) -> str:
    if comparator and comparator not in _COMPARATORS:
        raise Unreadable
    return comparator


def _number(sent: bytes) -> tuple[Decimal, str]:
    """The number, and how people write it."""
    found = _is_number(sent)
    if found is None:
        raise Unreadable
    try:
        number = Decimal((found[1] or found[2]).decode())
    except InvalidOperation:  # an exponent beyond all bounds
        raise Unreadable from None
    shown = str(number)
    if len(shown) > _LONGEST_NUMBER or not shown.replace(".", "", 1).isdigit():
        shown = _plainly(number)
    return number, shown


def _plainly(number: Decimal) -> str:
    """The number without an exponent, if it is one to calculate with."""
    if not number.is_finite() or abs(number.adjusted()) > _LONGEST_NUMBER:
        raise Unreadable
    shown = format(number, "f")
    if len(shown) > _LONGEST_NUMBER:
        raise Unreadable
    return shown


def _units(amount: wire.Amount) -> tuple[str, ...]:
    """What the unit may mean; nothing when it is missing, unknown or contradicts itself.

    The code decides. The text next to it only stands in for a missing code, one of another system
    than UCUM, one of no system that is not UCUM's, or an annotation without a unit
    ("{[lb_av],kg,g}"), but must not name a different unit. A text
    that can be read in two ways ("G/L") contradicts neither.
    """
    code, text = amount.code, amount.unit
    if code and code in UNITS and amount.system == UCUM and (text == code or not text):
        return (code,)
    by_text = units_of(text) if text else ()
    by_code = units_of(code, coded=True) if code else ()
    if not code or _is_local(code, amount.system, by_code):
        return by_text
    if not by_code or not by_text:
        return by_code
    same = {UNITS[unit] for unit in by_text}
    return tuple(unit for unit in by_code if UNITS[unit] in same)


def _is_local(code: str, system: str | None, known: tuple[str, ...]) -> bool:
    """Whether a code is the sender's own: of another system, of none and not UCUM's either, or no
    more than an annotation."""
    if system and _system(system) != UCUM:
        return True
    return not known and (is_annotation(code) or not (system or is_ucum(code)))


#: A term of UCUM: units with their prefixes and powers, numbers, annotations, "." and "/".
#: Also what people write of international units, which is a unit though not in UCUM.
_UCUM_UNIT = (
    r"(?:(?:da|Ki|Mi|Gi|Ti|[YZEPTGMkhdcmunpfazy])?"
    r"(?:mol|osm|eq|kat|rad|cd|sr|Hz|Pa|Ohm|Wb|Cel|lm|lx|Bq|Gy|Sv|bar|eV|cal|dyn|erg|REM|RAD|Ci|B"
    r"|[gmsKCNJWAVFSTHLltuURPG]|m?\[[^\[\]]+\])|B\[[^\[\]]+\]|dB\[[^\[\]]+\]"
    r"|10[*^]|%|deg|min|[hda]|wk|mo|Np)(?:[+-]?\d+)?"
)
_UCUM_PART = rf"(?:(?:{_UCUM_UNIT}|\d+)(?:\{{[^{{}}]*\}})?|\{{[^{{}}]*\}})"
_is_ucum = re.compile(rf"/?\(?{_UCUM_PART}(?:[./]\(?{_UCUM_PART}\)?)*\)?").fullmatch
_INTERNATIONAL = frozenset({"iu", "ie", "ui", "unit", "units"})
_LONGEST_UNIT = 40


def is_ucum(code: str) -> bool:
    """Whether a code of no system may be one of UCUM: it then means a unit, known here or not.

    Any other is a sender's own ("161553AAAA"), and says nothing about what is measured.
    """
    if len(code) > _LONGEST_UNIT:
        return False
    if code.isdigit():
        return code == "1"
    return _is_ucum(code) is not None or code.lower() in _INTERNATIONAL


def interval(sent: wire.Range | None) -> Interval | None:
    if sent is None:
        return None
    low, high = quantity(sent.low), quantity(sent.high)
    return Interval(low, high) if low is not None or high is not None else None


class ReferenceRange(Struct, frozen=True):
    """Low and high of the range that is normal; ``understood`` is false where one was sent that
    cannot be read or distinguished from others."""

    low: Quantity | None = None
    high: Quantity | None = None
    understood: bool = True


def reference_range(
    ranges: list[wire.ReferenceRange] | None, value: Quantity | None = None
) -> ReferenceRange:
    """The range typed normal, or else the only one without a type; in the unit of ``value`` where
    it has none of its own."""
    if not ranges:
        return ReferenceRange()
    if len(ranges) == 1 and ranges[0].type is None and ranges[0].meaning is None:
        return _range_of(ranges[0], value)  # the usual case, without a set
    normal, untyped = [], []
    for one in ranges:
        kind = one.type or one.meaning
        if kind is None or not kind.coding:
            untyped.append(one)
        elif any(coding.code == "normal" for coding in kind.coding):
            normal.append(one)
    read = {_range_of(one, value) for one in normal or untyped} - {ReferenceRange()}
    if len(read) > 1:
        return ReferenceRange(understood=False)
    return read.pop() if read else ReferenceRange()


def _range_of(sent: wire.ReferenceRange, value: Quantity | None) -> ReferenceRange:
    low, high = _end(sent.low, value), _end(sent.high, value)
    if low is None and high is None and sent.text:
        low, high = _range_in_words(sent.text, value)
    if low is None and high is None:
        return ReferenceRange(understood=not sent.text)
    if low is not None and high is not None and low.value == high.value == 0:
        return ReferenceRange()  # how some systems write "no range"
    if not all(_compares(end, value) for end in (low, high) if end is not None):
        return ReferenceRange(understood=False)
    return ReferenceRange(low, high)


def _end(sent: wire.Amount | None, value: Quantity | None) -> Quantity | None:
    end = quantity(sent)
    if end is None or sent is None or sent.unit or sent.code or value is None:
        return end
    return Quantity(end.value, value.unit, end.written, end.comparator, value.also)


#: A whole text that is one range: two numbers, or one as the lower or the upper end, and perhaps a
#: unit.
_is_range = re.compile(
    r"(?:([0-9][0-9.,]*)\s*(?:-|\u2013|\u2014|to|bis|a|à|até|hasta)\s*([0-9][0-9.,]*)"
    r"|(?:<=?|≤|bis|up to|hasta|até|inférieur à|jusqu'à)\s*([0-9][0-9.,]*)"
    r"|(?:>=?|≥)\s*([0-9][0-9.,]*))(?:\s*([^0-9\s.,][^0-9]{0,30}?(?:/[^\s]{1,10})?))?",
    re.IGNORECASE,
).fullmatch


def _range_in_words(text: str, value: Quantity | None) -> tuple[Quantity | None, Quantity | None]:
    """Low and high of a range that is written as a text, in its own unit or else the value's."""
    plain = " ".join(text.translate(_WIDE).split()).strip("()[]")
    found = _is_range(plain)
    if found is None or value is None or value.unit is None:
        return None, None
    low, high = (
        _range_end(one, found[5], value) for one in (found[1] or found[4], found[2] or found[3])
    )
    unread = sum(one is not None for one in (low, high)) != sum(map(bool, found.groups()[:4]))
    if unread or (low is not None and high is not None and low.value > high.value):
        return None, None
    return low, high


def _range_end(written: str | None, unit: str | None, value: Quantity) -> Quantity | None:
    number = _number_in_words(written) if written else None
    if number is None:
        return None
    if unit is None:
        return Quantity(Decimal(number), value.unit, number, "", value.also)
    read = quantity(wire.Amount(Raw(number.encode()), None, unit))
    return read if read is not None and read.unit is not None else None


_CONCENTRATIONS = frozenset({"mass concentration", "substance concentration"})


def _compares(end: Quantity, value: Quantity | None) -> bool:
    """Whether an end of a range is of the dimension of the value, as far as that is known."""
    if value is None or value.unit is None or value.unit == end.unit:
        return True
    if end.unit is None:
        return False
    kinds = {UNITS[unit][0] for unit in (end.unit, end.also) if unit}
    other = {UNITS[unit][0] for unit in (value.unit, value.also) if unit}
    return bool(kinds & other) or (kinds | other) <= _CONCENTRATIONS


def interpretation(sent: wire.Concept | list[wire.Concept]) -> tuple[Interpretation, bool]:
    """Low, normal or high if the codes agree on one of them, and whether it was understood."""
    concepts = listed(sent)
    if len(concepts) == 1 and len(concepts[0].coding or ()) == 1:  # the usual case, without a set
        meaning = _meaning(concepts[0].coding[0])  # type: ignore[index]
        return meaning or "", meaning is not None
    meanings: set[Interpretation] = set()
    understood = True
    for concept in concepts:
        known = _meanings(concept)
        understood = understood and (bool(known) or not (concept.coding or concept.text))
        meanings |= known
    meanings.discard("")
    if len(meanings) > 1:
        return "", False
    return (meanings.pop() if meanings else ""), understood


def _meanings(concept: wire.Concept) -> set[Interpretation]:
    """What its codes mean; what its words do, where it has no code."""
    if concept.coding:
        return {meaning for coding in concept.coding if (meaning := _meaning(coding)) is not None}
    in_words = _FLAGS_IN_WORDS.get((concept.text or "").strip().lower())
    return set() if in_words is None else {in_words}


def is_abnormal(sent: wire.Concept | list[wire.Concept] | None) -> bool:
    """Whether a flag says that a result is abnormal, critical or positive, and not in which way."""
    return any(
        any(map(_is_coded_abnormal, one.coding))
        if one.coding
        else (one.text or "").strip().lower() in _ABNORMAL_IN_WORDS
        for one in listed(sent)
    )


def _is_coded_abnormal(coding: wire.Coding) -> bool:
    if (_system(coding.system or ""), coding.code) in _ABNORMAL_ELSEWHERE:
        return True
    return coding.code in _ABNORMAL and not _is_foreign(coding)


def _is_foreign(coding: wire.Coding) -> bool:
    """Whether it is of a system other than HL7's of interpretations."""
    system = _system(coding.system or "").replace("https:", "http:").rstrip("/")
    return system not in _INTERPRETATION_SYSTEMS


def _meaning(coding: wire.Coding) -> Interpretation | None:
    system = coding.system or ""
    if system not in _INTERPRETATION_SYSTEMS:  # written in an unusual way, if it is one of them
        system = _system(system)
        if system in (SNOMED, LOINC):
            return _INTERPRETATIONS_ELSEWHERE.get((system, coding.code or ""))
        if system.replace("https:", "http:").rstrip("/") not in _INTERPRETATION_SYSTEMS:
            return None
    return _INTERPRETATIONS.get(coding.code or "")


def status(sent: wire.Concept | str | None, known: Sequence[str]) -> tuple[str, bool]:
    """The status, and whether one was sent that is none of the ``known``."""
    if not sent:
        return "", False
    if isinstance(sent, str):
        given = [sent]
    else:
        codings = sent.coding or ()
        if len(codings) == 1 and (only := codings[0].code) and only in known:  # the usual case
            return only, False
        given = [coding.code or "" for coding in codings]
    return next(((status, False) for status in known if status in given), ("", True))
