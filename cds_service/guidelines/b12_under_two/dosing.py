"""What a drafted order gives: the dose, how much a day, how much on average, and by what route.

In micrograms, exactly as far as it can be worked out. Nothing is guessed: what is missing,
unknown or contradictory is a problem in words, and what does not depend on it is worked out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Literal, NamedTuple

from msgspec import Struct, structs

from cds_service.clinical import UNITS, DoseAmount, DraftDosage, Quantity, Schedule, convert
from cds_service.guidelines.b12_under_two.data import Guideline
from cds_service.guidelines.b12_under_two.products import (
    BY_MOUTH,
    INJECTED,
    Drug,
    Form,
    Way,
    Words,
    form_of,
    has,
    has_phrase,
    words_of,
)
from cds_service.guidelines.b12_under_two.words import shown_dose

_NO_STRENGTH = "the strength of the product is not known"

_INJECTED: frozenset[Way] = frozenset(INJECTED)
#: The routes that suit each product. An injection is also swallowed, in practice.
_SUITABLE: dict[str, frozenset[Way]] = {
    "oral": frozenset({"oral", "sublingual"}),
    "sublingual": frozenset({"oral", "sublingual"}),
    "nasal": frozenset({"nasal"}),
    "parenteral": _INJECTED | {"oral"},
}


class Line(Struct, frozen=True):
    """One dosage line in micrograms; ``None`` is what cannot be worked out.

    ``low`` and ``high`` are the ends of a single dose, ``day`` the most on one day,
    ``average_low`` and ``average_high`` what is given a day on average (a single dose counts
    for one day), ``days`` how long it lasts. ``problems`` say why something is ``None``.
    """

    low: Decimal | None = None
    high: Decimal | None = None
    day: Decimal | None = None
    average_low: Decimal | None = None
    average_high: Decimal | None = None
    days: Decimal | None = None
    sequence: int | None = None
    ways: frozenset[Way] = frozenset()
    needs_weight: bool = False
    problems: tuple[str, ...] = ()


class Dosing(Struct, frozen=True):
    """A drafted order in micrograms; ``None`` is what cannot be worked out.

    ``single_low`` and ``single_high`` bound the single dose, ``day_most`` is the most known to
    be given on one day, the averages are those of the most intensive line (``None`` when one
    line's is unknown), ``days`` the whole duration. ``ways`` are all routes it may go by: several
    when alternatives are given, or when route and product contradict each other.

    ``per_kg_in_mg``: some dose is written in milligrams or grams per kg. ``needs_weight``: some
    dose is per kg and there is no weight; this alone is no problem. ``problems`` are phrases fit
    for a card; without any, and with no weight needed, the order was understood whole.
    """

    lines: tuple[Line, ...]
    single_low: Decimal | None
    single_high: Decimal | None
    day_most: Decimal | None
    average_low: Decimal | None
    average_high: Decimal | None
    days: Decimal | None
    ways: frozenset[Way]
    per_kg_in_mg: bool
    needs_weight: bool
    problems: tuple[str, ...]

    def in_words(self) -> str:
        """The dose for a card: "500 to 1000 µg, up to 2000 µg a day"."""
        low, high, day = self.single_low, self.single_high, self.day_most
        if high is None:
            return "dose not known" if day is None else f"{shown_dose(day)} µg a day"
        single = f"{shown_dose(high)} µg"
        if low is not None and low < high:
            single = f"{shown_dose(low)} to {single}"
        if day is None or day <= high:
            return single
        return f"{single}, up to {shown_dose(day)} µg a day"


def understand(
    dosages: Sequence[DraftDosage], drug: Drug, weight_kg: Decimal | None, g: Guideline
) -> Dosing:
    """What ``dosages`` of ``drug`` give a child of ``weight_kg``."""
    dosages = _in_turn(dosages)
    lines = tuple([_line(one, drug, weight_kg, g) for one in dosages])
    singles = [one for line in lines for one in (line.low, line.high) if one is not None]
    average_low, average_high = _most_intensive(lines)
    ways = [line.ways for line in lines] or [_ways_of(drug)]
    problems = [*drug.doubts, *(_told(lines) if lines else ("no dose is given",))]
    return Dosing(
        lines,
        min(singles, default=None),
        max((line.high for line in lines if line.high is not None), default=None),
        _day_most(lines),
        average_low,
        average_high,
        _duration(lines),
        frozenset[Way]().union(*ways),
        _per_kg_in_mg(dosages),
        any(line.needs_weight for line in lines),
        tuple(dict.fromkeys(problems)),
    )


def _most_intensive(lines: Sequence[Line]) -> tuple[Decimal | None, Decimal | None]:
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


def _per_kg_in_mg(dosages: Sequence[DraftDosage]) -> bool:
    return any(amount.per_kg and _is_mg(amount) for one in dosages for amount in _amounts(one))


def _in_turn(dosages: Sequence[DraftDosage]) -> Sequence[DraftDosage]:
    """Lines without numbers that say "then ..." follow one another; some FHIR versions and
    clients have no numbers."""
    first, *later = dosages or (None,)
    if first is None or any(one.sequence is not None for one in dosages):
        return dosages
    if not later or not all(has_phrase(one.text[:5], ("then",)) for one in later):
        return dosages
    return [structs.replace(one, sequence=place) for place, one in enumerate(dosages, 1)]


def _told(lines: Sequence[Line]) -> tuple[str, ...]:
    """The problems of all lines, each once, with the lines it is about unless it is about all."""
    every = dict.fromkeys(problem for line in lines for problem in line.problems)
    told = []
    for problem in every:
        where = [str(place) for place, line in enumerate(lines, 1) if problem in line.problems]
        lines_of = "line" if len(where) == 1 else "lines"
        some = f" ({lines_of} {', '.join(where)})" if len(where) < len(lines) else ""
        told.append(problem + some)
    return tuple(told)


def _by_turn(lines: Sequence[Line]) -> tuple[list[Line], list[list[Line]]]:
    """The lines that may go on at any time, and those that follow one another by their number."""
    turns: dict[int, list[Line]] = {}
    always = [line for line in lines if line.sequence is None]
    for line in lines:
        if line.sequence is not None:
            turns.setdefault(line.sequence, []).append(line)
    return always, list(turns.values())


def _day_most(lines: Sequence[Line]) -> Decimal | None:
    """Lines of one number, and those without any, may all fall on one day; of a line whose
    timing is not known, one dose."""
    always, turns = _by_turn(lines)
    known = [
        [one for line in (*always, *turn) if (one := line.day or line.high) is not None]
        for turn in turns or [[]]
    ]
    return max((sum(day, Decimal(0)) for day in known if day), default=None)


def _duration(lines: Sequence[Line]) -> Decimal | None:
    if not lines or any(line.days is None for line in lines):
        return None
    always, turns = _by_turn(lines)
    in_turn = sum((_longest(turn) for turn in turns), Decimal(0))
    return max(in_turn, _longest(always))


def _longest(lines: Iterable[Line]) -> Decimal:
    return max((line.days for line in lines if line.days is not None), default=Decimal(0))


def _amounts(dosage: DraftDosage) -> list[DoseAmount]:
    ends = [one for one in (dosage.low, dosage.high) if one is not None]
    return [*ends, *(amount for amount, _ in dosage.maxima)]


def _is_mg(amount: DoseAmount) -> bool:
    """Whether the unit is a mass of milligrams or more."""
    dimension, factor = UNITS.get(amount.unit or "", ("", Decimal(0)))
    return dimension == "mass" and factor >= 1000


# --- one line ---------------------------------------------------------------------------------


def _line(dosage: DraftDosage, drug: Drug, weight_kg: Decimal | None, g: Guideline) -> Line:
    ways, route_problem = route_of_line(dosage, drug, g)
    problems = [route_problem] if route_problem else []
    if "the line" in dosage.unclear:
        return Line(
            sequence=dosage.sequence, ways=ways, problems=("the dosage cannot be understood",)
        )
    reckoner = _Reckoner(drug, weight_kg, g, problems)
    low, high = _ends(dosage, reckoner)
    dosed = dosage.low or dosage.high
    problem = _dose_problem(dosage)
    if problem:
        problems.append(problem)
    schedule = _schedule(dosage, problems, needed=dosed is not None and not dosed.per_day)
    if dosed is not None and dosed.per_day:
        given = _spread(low, high, schedule, problems)
    else:
        given = _given(low, high, schedule)
    if dosage.as_needed:
        given = given._replace(average_low=None, average_high=None)
        problems.append("it is given as needed: how much in all is not known")
    given = _with_maxima(given, dosage, reckoner)
    return Line(
        *given,
        _days(dosage, schedule),
        dosage.sequence,
        ways,
        reckoner.needs_weight,
        tuple(dict.fromkeys(problems)),
    )


def _ends(dosage: DraftDosage, reckoner: _Reckoner) -> tuple[Decimal | None, Decimal | None]:
    """The ends of the dose in micrograms, the lower first."""
    low, high = (
        reckoner.micrograms(one) if one is not None else None for one in (dosage.low, dosage.high)
    )
    if low is not None and high is not None and low > high:
        reckoner.problems.append("the ends of the dose are in the wrong order")
        return high, low
    return low, high


def _dose_problem(dosage: DraftDosage) -> str:
    """What is wrong with how the dose is given, "" if nothing is."""
    if "dose" in dosage.unclear:
        return "the dose cannot be understood"
    if dosage.low is None and dosage.high is None:
        in_words = dosage.text and dosage.schedule is None and "timing" not in dosage.unclear
        return "the dose is given in words only" if in_words else "no dose is given"
    if dosage.high is None or dosage.low is None:
        return "only one end of the dose is given"
    return ""


def _days(dosage: DraftDosage, schedule: Schedule | None) -> Decimal | None:
    """How long the line lasts; a single dose one day."""
    if dosage.days is not None or schedule is None:
        return dosage.days
    if not schedule.days:
        return Decimal(1)
    if dosage.count is None:
        return None
    return dosage.count * schedule.days / schedule.times


class _Reckoner:
    """Turns amounts of one drug for one child into micrograms, and notes why it cannot."""

    def __init__(
        self, drug: Drug, weight_kg: Decimal | None, g: Guideline, problems: list[str]
    ) -> None:
        self.drug, self.weight_kg, self.g, self.problems = drug, weight_kg, g, problems
        self.needs_weight = False

    def micrograms(self, amount: DoseAmount) -> Decimal | None:
        """Per kg multiplied by the weight; per day still per day."""
        if not amount.value.is_finite() or amount.value <= 0:
            self.problems.append(f"the dose, {amount.written}, is not above zero")
            return None
        if amount.unit is None:
            self.problems.append(f"the unit of the dose, {amount.written}, is not known here")
            return None
        mass = self._of_pieces(amount) if amount.unit == "1" else self._of_unit(amount)
        if not amount.per_kg:
            return mass
        if self.weight_kg is None:
            self.needs_weight = True
            return None
        return None if mass is None else mass * self.weight_kg

    def _of_unit(self, amount: DoseAmount) -> Decimal | None:
        sent = Quantity(amount.value, amount.unit, amount.written)
        mass = convert(sent, "ug")
        volume = convert(sent, "mL") if mass is None else None
        if volume is None and mass is None:
            self.problems.append(f"the unit of the dose, {amount.written}, is not known here")
        if volume is not None:
            if self.drug.per_ml is not None:
                return volume * self.drug.per_ml
            solid = self.drug.form == "tablet"
            wrong = f"the dose, {amount.written}, does not fit the product"
            self.problems.append(wrong if solid else _NO_STRENGTH)
        return mass

    def _of_pieces(self, amount: DoseAmount) -> Decimal | None:
        """Pieces of the product's own form, at the strength of one."""
        drug = self.drug
        piece = form_of(amount.thing, self.g) if amount.thing else ""
        if amount.thing and not piece:
            self.problems.append(f"the unit of the dose, {amount.written}, is not known here")
            return None
        if piece == "drop" and drug.per_ml is not None and drug.drops_per_ml is not None:
            return amount.value * drug.per_ml / drug.drops_per_ml
        fit = _fit(piece, drug.form)
        if fit == "counted" and drug.per_unit is not None:
            return amount.value * drug.per_unit
        if fit != "no":
            self.problems.append(_NO_STRENGTH)
        elif not piece and not drug.form:
            self.problems.append(f"it is not said what the dose, {amount.written}, counts")
        else:
            self.problems.append(f"the dose, {amount.written}, does not fit the product")
        return None


def _fit(piece: Form, form: Form) -> Literal["counted", "possible", "no"]:
    """Whether pieces of a product of this form can be counted, at the strength of one or at
    another; without a ``piece`` a bare number counts what the form is."""
    if not piece:
        return "counted" if form in ("tablet", "spray", "ampoule") else "no"
    if piece == form or (not form and piece in ("tablet", "ampoule")):
        return "counted"
    possible = not form or (form == "liquid" and piece in ("drop", "ampoule"))
    return "possible" if possible else "no"


def _schedule(dosage: DraftDosage, problems: list[str], *, needed: bool) -> Schedule | None:
    """The timing, if it can be calculated with; a line of one dose is a single dose."""
    schedule = dosage.schedule
    if schedule is not None:
        numbers = (schedule.times, schedule.most_times, schedule.most_a_day)
        if schedule.days >= 0 and all(one > 0 for one in numbers):
            return schedule
        problems.append("how often it is given cannot be understood")
        return None
    if "timing" in dosage.unclear:
        problems.append("how often it is given cannot be understood")
    elif dosage.count == 1:
        return Schedule(Decimal(1), Decimal(1), Decimal(0), Decimal(1))
    elif needed:
        problems.append("how often it is given is not said")
    return None


class _Given(NamedTuple):
    """The first fields of a `Line`."""

    low: Decimal | None
    high: Decimal | None
    day: Decimal | None
    average_low: Decimal | None
    average_high: Decimal | None


def _given(low: Decimal | None, high: Decimal | None, schedule: Schedule | None) -> _Given:
    """What a dose at each time of ``schedule`` comes to."""
    if schedule is None:
        return _Given(low, high, None, None, None)
    days = schedule.days or Decimal(1)
    return _Given(
        low,
        high,
        None if high is None else high * schedule.most_a_day,
        None if low is None else low * schedule.times / days,
        None if high is None else high * max(schedule.times, schedule.most_times) / days,
    )


def _spread(
    low: Decimal | None, high: Decimal | None, schedule: Schedule | None, problems: list[str]
) -> _Given:
    """The same for the amount of a day, shared among its times."""
    if schedule is None:
        return _Given(None, None, high, low, high)
    days = schedule.days or Decimal(1)
    if schedule.times % days:
        problems.append("the dose is that of a day, and it is not given equally often each day")
        return _Given(None, None, high, None, None)
    times, most = schedule.times / days, max(schedule.times, schedule.most_times) / days
    return _Given(
        None if low is None else low / most,
        None if high is None else high / times,
        high,
        low,
        high,
    )


def _with_maxima(given: _Given, dosage: DraftDosage, reckoner: _Reckoner) -> _Given:
    """With what the "at most" amounts allow.

    They allow more than is ordered, and bound only what is given as needed. A maximum of
    several days says nothing of one day.
    """
    high, day = given.high, given.day
    for amount, days in dosage.maxima:
        most = reckoner.micrograms(amount)
        if most is None:
            continue
        if days is None and not amount.per_day:
            high = most if high is None else max(high, most)
        elif days is None or days <= 1:
            most = most / days if days else most
            bound = min if dosage.as_needed else max
            day = most if day is None else bound(day, most)
    return given._replace(high=high, day=day)


# --- the route --------------------------------------------------------------------------------


def route_of_line(
    dosage: DraftDosage, drug: Drug, g: Guideline
) -> tuple[frozenset[Way], str]:  # fmt: skip
    """The ways this line may go by, and what is wrong with what is said of them.

    By the codes of the route, otherwise by its text and the names of its codes, otherwise by the
    product. Where they contradict each other, all of them may be meant.
    """
    of_product = _ways_of(drug)
    said, problem = _ways_said(dosage, g)
    if problem:
        return said or of_product, problem
    if not said:
        return of_product, "" if of_product else "the route is not given"
    if drug.way and not said <= _SUITABLE[drug.way]:
        product = "product to inject" if drug.way == "parenteral" else f"{drug.way} product"
        return said | of_product, f"the route, {_listed(said)}, does not fit the {product}"
    return said, ""


def _ways_said(dosage: DraftDosage, g: Guideline) -> tuple[frozenset[Way], str]:
    """The ways that codes and texts say, none where nothing is said, and what is wrong with it."""
    coded = _coded_ways(dosage, g)
    if len(coded) > 1:
        return coded, "the codes of the route contradict each other"
    texts = dict.fromkeys((dosage.route_text, *(code.display for code in dosage.route)))
    read = [words_of(text) for text in texts if text]
    said, against = _joined(coded, [_written_ways(words, g) for words in read])
    if against:
        named = f"the route is given as {_listed(said)} and as {_listed(against)}"
        return said | against, named
    stated = bool(dosage.route or dosage.route_text)
    negated = any(has(words, g.file.names.negations) for words in read)
    unclear = "route" in dosage.unclear or negated or (stated and not said)
    return said, "the route cannot be understood" if unclear else ""


def _joined(
    said: frozenset[Way], texts: Iterable[frozenset[Way]]
) -> tuple[frozenset[Way], frozenset[Way]]:
    """What codes and texts say together, and the first that contradicts what was said before."""
    for written in texts:
        both = _agreed(said, written)
        if not both and said and written:
            return said, written
        said = both or said
    return said, frozenset()


def _agreed(said: frozenset[Way], written: frozenset[Way]) -> frozenset[Way]:
    """What two statements have in common: of "by injection" and a place, the place."""
    if not said or not written:
        return said | written
    together = said | written
    if "parenteral" in together and together <= _INJECTED:
        return together - {"parenteral"} or together
    return said & written


def _ways_of(drug: Drug) -> frozenset[Way]:
    return frozenset({drug.way}) if drug.way else frozenset()


def _coded_ways(dosage: DraftDosage, g: Guideline) -> frozenset[Way]:
    codes = g.codes
    ways: set[Way] = set()
    for code in dosage.route:
        if codes.routes_oral.decides(code):
            ways.add("oral")
        elif codes.routes_other.decides(code):
            ways.add("nasal" if codes.routes_nasal.decides(code) else "sublingual")
        elif codes.routes_parenteral.decides(code):
            ways.add(
                "intramuscular" if codes.routes_intramuscular.decides(code)
                else "subcutaneous" if codes.routes_subcutaneous.decides(code)
                else "intravenous" if codes.routes_intravenous.decides(code)
                else "parenteral"
            )  # fmt: skip
    return frozenset(ways)


def _written_ways(words: Words, g: Guideline) -> frozenset[Way]:
    """Every way that a text names; none when it says what not to do."""
    if has(words, g.file.names.negations):
        return frozenset()
    routes = g.file.names.routes
    found = {way for way in (*BY_MOUTH, *INJECTED) if has(words, getattr(routes, way))}
    if found & (_INJECTED - {"parenteral"}):
        found.discard("parenteral")
    return frozenset(found)


def _listed(ways: Iterable[Way]) -> str:
    return " or ".join(sorted(ways))
