"""Records of one infant, changed one thing at a time, and what the guideline sees in them.

``a_record()`` is an infant of six months with one B12 result of 150 pg/mL five days ago and
nothing else: deficient, mild, cause unknown, treated by mouth (RTE-07). Every test changes what
it is about. Days are counted back from ``ON``, so "ago=5" is five days before the evaluation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from math import ceil
from typing import Any, NamedTuple

from msgspec import structs

from cds_service.cdshooks.response import Card
from cds_service.clinical import (
    Allergy,
    Basket,
    Code,
    Dose,
    DoseAmount,
    Draft,
    DraftDosage,
    Interval,
    Measurement,
    Medication,
    Moment,
    Patient,
    PlannedDrug,
    PlannedTask,
    PlannedTest,
    Problem,
    Procedure,
    Quantity,
    Record,
    RemovedDraft,
    RevisedDrug,
    Schedule,
    StoppedDrug,
    TestOrder,
    Unread,
)
from cds_service.consultation.cards import Stationery, build_cards, speaking
from cds_service.consultation.services import stationery_of
from cds_service.fhir import orders
from cds_service.guidelines import b12_under_two as b12
from cds_service.guidelines.b12_under_two.age import add_months
from cds_service.guidelines.b12_under_two.drugs import Drug
from cds_service.guidelines.b12_under_two.front import Front
from cds_service.guidelines.engine import CannotTell, Choice, NotIndicated, Outcome, Recommend
from cds_service.language import Value

ON = date(2026, 3, 15)
G = b12.load()
WORDS = stationery_of(Front(G))

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
ICD10CM = "http://hl7.org/fhir/sid/icd-10-cm"
DIET = "http://terminology.hl7.org/CodeSystem/diet"
ROUTE = "http://terminology.hl7.org/CodeSystem/v3-RouteOfAdministration"

TREMOR = Code(SNOMED, "26079004", "Tremor")
SEIZURE = Code(SNOMED, "91175000", "Seizure")
CROHN = Code(SNOMED, "34000006", "Crohn's disease")
ULCERATIVE_COLITIS = Code(SNOMED, "64766004", "Ulcerative colitis")
ILEECTOMY = Code(SNOMED, "51346007", "Ileectomy")
SHORT_BOWEL = Code(SNOMED, "26629001", "Short bowel syndrome")
COBALAMIN_C = Code(SNOMED, "74653006", "Cobalamin C disease")
B12_DEFICIENCY = Code(SNOMED, "190634004", "Cobalamin deficiency")
B_VITAMINS = Code(ICD10CM, "E53.8", "Deficiency of other specified B group vitamins")
DIETARY_ANEMIA = Code(ICD10CM, "D51.3", "Other dietary vitamin B12 deficiency anemia")
FAILURE_TO_THRIVE = Code(SNOMED, "36440009", "Failure to thrive")
MACROCYTIC = Code(SNOMED, "83414005", "Macrocytic anemia")
PANCYTOPENIA = Code(SNOMED, "127034005", "Pancytopenia")
HEMOPHILIA = Code(SNOMED, "28293008", "Hemophilia A")
THROMBOCYTOPENIA = Code(SNOMED, "302215000", "Thrombocytopenic disorder")
LEBER = Code(SNOMED, "58610003", "Leber's optic atrophy")
OPTIC_ATROPHY = Code(ICD10CM, "H47.22", "Hereditary optic atrophy")
KIDNEY_DISEASE = Code(SNOMED, "709044004", "Chronic kidney disease")
PRETERM = Code(SNOMED, "395507008", "Premature infant")
SEVERE = Code(SNOMED, "24484000", "Severe")
#: Drugs of other kinds that bear on vitamin B12.
GAS = Code("http://www.whocc.no/atc", "N01AX13", "nitrous oxide")
ENOXAPARIN = Code("http://www.whocc.no/atc", "B01AB05", "enoxaparin")
VEGAN = Code(DIET, "vegan", "Vegan")
BREAST_FED = Code(LOINC, "LA29252-6", "Currently breastfeeding")
NOT_BREAST_FED = Code(LOINC, "LA29253-4", "Not currently breastfeeding")
ORAL = Code(SNOMED, "26643006", "Oral route")
MUSCLE = Code(SNOMED, "78421000", "Intramuscular route")
CYANOCOBALAMIN = Code(RXNORM, "11248", "vitamin B12")
HYDROXOCOBALAMIN = Code(RXNORM, "317106", "hydroxocobalamin 1 MG/ML Injectable Solution")
FOLIC_ACID = Code(RXNORM, "4511", "folic acid")
ORAL_SOLUTION = Code(RXNORM, "1423423", "vitamin B12 1 MG/ML Oral Solution")
TABLET = Code(RXNORM, "309593", "vitamin B12 1 MG Oral Tablet")
VIAL = Code(RXNORM, "309594", "vitamin B12 1 MG/ML Injectable Solution")
VEIN = Code(SNOMED, "47625008", "Intravenous route")
KIT = Code("http://www.whocc.no/atc", "V03AB33", "hydroxocobalamin")
MULTIVITAMIN = Code(RXNORM, "876858", "multivitamin drops")

_LABS = {
    "hemoglobin": ("718-7", "g/dL"), "mcv": ("787-2", "fL"), "platelets": ("777-3", "10*9/L"),
    "leukocytes": ("6690-2", "10*9/L"), "neutrophils": ("751-8", "10*9/L"),
    "potassium": ("2823-3", "mmol/L"), "folate": ("2284-8", "ng/mL"),
    "ferritin": ("2276-4", "ng/mL"), "methylmalonate": ("13964-2", "umol/L"),
    "homocysteine": ("13965-9", "umol/L"), "holotranscobalamin": ("72160-5", "pmol/L"),
    "gestational_age": ("76516-4", "wk"),
}  # fmt: skip

Number = Decimal | int | str
_MARKUP = re.compile(r"[*_\\]")


# --- times and numbers ----------------------------------------------------------------------------


def day(ago: int) -> date:
    return ON - timedelta(days=ago)


def in_words(on: date) -> str:
    """A day as cards say it."""
    return f"{on.day} {on:%b %Y}"


def moment(first: date, last: date | None = None) -> Moment:
    """A date; with ``last`` a partial one or a period."""
    at = datetime(first.year, first.month, first.day, tzinfo=UTC).timestamp()
    return Moment(first, last or first, at)


def days_ago(ago: int) -> Moment:
    return moment(day(ago))


def months_old(months: int) -> date:
    """The birth date of someone who completes ``months`` on the day of evaluation."""
    return add_months(ON, -months)


def quantity(value: Number, unit: str | None, comparator: str = "") -> Quantity:
    return Quantity(Decimal(value), unit, f"{comparator}{value} {unit or ''}".strip(), comparator)


# --- the parts of a record ------------------------------------------------------------------------


def a_patient(birth: date | Moment | None = None, *, deceased: bool = False) -> Patient:
    when = birth if isinstance(birth, Moment) else moment(birth or months_old(6))
    return Patient("child", when, deceased)


def a_measurement(code: Code, ago: int = 5, **but: Any) -> Measurement:
    return Measurement(
        **{
            "codes": (code,),
            "status": "final",
            "when": days_ago(ago),
            "source": f"Observation/{code.code}-{ago}",
            **but,
        }
    )


def a_level(
    value: Number | None = 150, unit: str | None = "pg/mL", *, ago: int = 5, comparator: str = "",
    code: str = "2132-9", **but: Any,
) -> Measurement:  # fmt: skip
    """A B12 result; ``value=None`` for one without a number."""
    if value is not None:
        but.setdefault("value", quantity(value, unit, comparator))
    return a_measurement(Code(LOINC, code, "Vitamin B12"), ago, **but)


def a_range(low: Number, high: Number, **but: Any) -> Measurement:
    ends = Interval(quantity(low, "pg/mL"), quantity(high, "pg/mL"))
    return a_level(None, interval=ends, **but)


def a_lab(name: str, value: Number, unit: str | None = None, *, ago: int = 5, comparator: str = "",
          **but: Any) -> Measurement:  # fmt: skip
    code, usual = _LABS[name]
    sent = quantity(value, unit or usual, comparator)
    return a_measurement(Code(LOINC, code, name), ago, value=sent, **but)


def a_weight(
    kg: Number = 7, unit: str | None = "kg", *, ago: int = 1, code: str = "29463-7", **but: Any
) -> Measurement:
    sent = but.pop("value", quantity(kg, unit, but.pop("comparator", "")))
    return a_measurement(Code(LOINC, code, "Body weight"), ago, value=sent, **but)


def breast_feeding(answer: Code | str = BREAST_FED, *, ago: int = 5) -> Measurement:
    """How the child is fed, by a code or by the words of the person who asked."""
    told: dict[str, Any] = {"text": answer} if isinstance(answer, str) else {"concepts": (answer,)}
    return a_measurement(Code(LOINC, "63895-7", "Breastfeeding status"), ago, **told)


def a_diet(answer: Code | str = VEGAN, *, about: str = "") -> Measurement:
    """What someone eats, by a code or in words."""
    told: dict[str, Any] = {"text": answer} if isinstance(answer, str) else {"concepts": (answer,)}
    return a_measurement(Code(LOINC, "81663-7", "Diet"), about=about, **told)


def a_problem(code: Code | None, ago: int | None = 20, **but: Any) -> Problem:
    """An active, confirmed problem that began ``ago`` days ago (``None``: no one says when)."""
    return Problem(
        **{
            "codes": (code,) if code else (),
            "text": code.display if code else "something",
            "source": f"Condition/{code.code if code else 'uncoded'}",
            "clinical_status": "active",
            "certainty": "confirmed",
            "onset": None if ago is None else days_ago(ago),
            **but,
        }
    )


def a_screening(code: str = "53160-8", **but: Any) -> Measurement:
    """Propionylcarnitine of the newborn screening, flagged high."""
    told = {"value": quantity("7.2", "umol/L"), "interpretation": "high", **but}
    return a_measurement(Code(LOINC, code, "Propionylcarnitine (C3) in DBS"), **told)


def an_order(
    code: Code = CYANOCOBALAMIN, *, ago: int | None = 10, status: str = "active",
    route: Code | None = ORAL, amount: Number | None = 1000, **but: Any,
) -> Medication:  # fmt: skip
    """A medication order, by default oral cyanocobalamin written ten days ago."""
    source = f"MedicationRequest/{code.code}-{ago}-{status}"
    dose = Dose(
        (route,) if route else (), amount=None if amount is None else quantity(amount, "ug")
    )
    return Medication(
        **{
            "kind": "order",
            "codes": (code,),
            "text": code.display,
            "status": status,
            "source": source,
            "intent": "order",
            "authored": None if ago is None else days_ago(ago),
            "doses": (dose,),
            "resource": b'{"resourceType":"MedicationRequest","id":"known","status":"active"}',
            **but,
        }
    )


def injections_ordered(*, ago: int | None = 10, **but: Any) -> Medication:
    return an_order(HYDROXOCOBALAMIN, ago=ago, route=MUSCLE, **but)


def a_dose_given(code: Code = HYDROXOCOBALAMIN, *, ago: int = 10, route: Code = MUSCLE,
                 **but: Any) -> Medication:  # fmt: skip
    given = {"kind": "administration", "status": "completed", "intent": "", "resource": b""}
    return an_order(code, ago=ago, route=route, **{**given, **but})


def an_operation(code: Code, ago: int = 60, status: str = "completed") -> Procedure:
    return Procedure((code,), code.display, status, f"Procedure/{code.code}", days_ago(ago))


def an_allergy(code: Code = CYANOCOBALAMIN, **but: Any) -> Allergy:
    told = {"clinical_status": "active", "certainty": "confirmed", **but}
    return Allergy((code,), code.display, "AllergyIntolerance/1", **told)


def a_test_order(code: str, *, due_in: int | None = 0, status: str = "active",
                 authored_ago: int | None = None) -> TestOrder:  # fmt: skip
    return TestOrder(
        (Code(LOINC, code),), "", status, f"ServiceRequest/{code}",
        None if due_in is None else days_ago(-due_in),
        None if authored_ago is None else days_ago(authored_ago),
    )  # fmt: skip


def a_schedule(times: Number = 1, days: Number = 1) -> Schedule:
    """``times`` in every ``days`` days, spread as evenly as may be."""
    often, span = Decimal(times), Decimal(days)
    most = Decimal(ceil(often / span)) if span else often
    return Schedule(often, often, span, most)


def a_dosage(
    value: Number | None = 1000, unit: str | None = "ug", *, to: Number | None = None,
    times: Number | None = 1, days: Number = 1, route: Code | None = ORAL, per_kg: bool = False,
    thing: str = "", **but: Any,
) -> DraftDosage:  # fmt: skip
    """A line of a draft: 1000 µg once a day by mouth unless said otherwise."""

    def amount(number: Number) -> DoseAmount:
        written = f"{number} {thing or unit or ''}{'/kg' if per_kg else ''}".strip()
        return DoseAmount(Decimal(number), unit, written, thing, per_kg)

    low = amount(value) if value is not None else None
    return DraftDosage(
        **{
            "low": low,
            "high": amount(to) if to is not None else low,
            "schedule": a_schedule(times, days) if times is not None else None,
            "route": (route,) if route else (),
            **but,
        }
    )


def in_force(*lines: DraftDosage, **but: Any) -> Medication:
    """An active order of today, with its lines as those of a draft."""
    return an_order(**{"ago": 0, "amount": None, "dosages": lines, **but})


def an_order_of_seven(ago: int, code: Code = HYDROXOCOBALAMIN) -> Medication:
    """Seven injections on alternate days, in force since so many days."""
    line = structs.replace(a_dosage(route=MUSCLE, days=2), days=Decimal(14))
    return in_force(line, code=code, route=MUSCLE, ago=ago)


def a_draft(
    *dosages: DraftDosage, code: Code | None = ORAL_SOLUTION, text: str | None = None,
    name: str = "draft", **but: Any,
) -> Draft:  # fmt: skip
    """A drafted order, by default the solution by mouth, 1000 µg once a day."""
    return Draft(
        **{
            "kind": "drug",
            "source": f"MedicationRequest/{name}" if name else "",
            "resource": b'{"resourceType":"MedicationRequest","id":"draft","status":"draft"}',
            "status": "draft",
            "codes": (code,) if code else (),
            "text": text if text is not None else code.display if code else "",
            "dosages": dosages or (a_dosage(),),
            **but,
        }
    )


def an_injection(*dosages: DraftDosage, code: Code = HYDROXOCOBALAMIN, **but: Any) -> Draft:
    """A drafted injection, by default hydroxocobalamin 1000 µg into the muscle once a week."""
    return a_draft(*(dosages or (a_dosage(route=MUSCLE, days=7),)), code=code, **but)


def an_antidote(
    value: Number = 70, unit: str = "mg", *, strength: Number = 25, **but: Any
) -> Draft:
    """A drafted single infusion of hydroxocobalamin, by default 70 mg/kg."""
    line = a_dosage(value, unit, times=None, route=VEIN, per_kg=True, count=1)
    name = f"hydroxocobalamin {strength} mg/mL solution for infusion"
    return a_draft(line, **{"code": None, "text": name, **but})


def a_drafted_test(code: str, *, due_in: int | None = 0) -> Draft:
    test = a_test_order(code, due_in=due_in, status="draft")
    return Draft("test", f"ServiceRequest/{code}-{due_in}", b"{}", test=test)


def levels_drafted() -> tuple[Draft, Draft]:
    """The levels of one and three months, as they should go with a treatment begun today."""
    return tuple(  # type: ignore[return-value]
        a_drafted_test("2132-9", due_in=(add_months(ON, months) - ON).days) for months in (1, 3)
    )


def samples_drafted() -> tuple[Draft, ...]:
    """What is taken before a first dose, which would spoil it."""
    return tuple([a_drafted_test(one) for one in ("58410-2", "13964-2", "13965-9", "2823-3")])


def a_record(
    *measurements: Measurement, birth: date | Moment | None = None,
    level: Measurement | None = None,
    problems: Iterable[Problem | Code] = (), medications: Iterable[Medication] = (), **but: Any,
) -> Record:  # fmt: skip
    """The infant of the module's docstring. ``level`` replaces its B12 result, ``measurements``
    come on top, ``measured=()`` leaves it without any; a bare code is an active problem."""
    stands = but.pop("measured", (level or a_level(), *measurements))
    return Record(
        **{
            "patient": a_patient(birth),
            "measurements": tuple(stands),
            "problems": tuple(
                one if isinstance(one, Problem) else a_problem(one) for one in problems
            ),
            "medications": tuple(medications),
            **but,
        }
    )


def on_treatment(
    days: int, *levels: tuple[Number, int], route: str = "oral", before: Number | None = 150,
    **but: Any,
) -> Record:  # fmt: skip
    """A child in its ``days``-th day of treatment; ``levels`` are (pg/mL, day of treatment)."""
    start = ON - timedelta(days=days)
    ordered = injections_ordered if route == "parenteral" else an_order
    measured = [a_level(value, ago=days - when) for value, when in levels]
    if before is not None:
        measured.append(a_level(before, ago=days + 3))
    extra = but.pop("measurements", ())
    return a_record(
        measured=(*measured, *extra),
        birth=but.pop("birth", min(months_old(6), start - timedelta(days=60))),
        medications=(*but.pop("medications", ()), ordered(ago=days)),
        **but,
    )


def a_course_that_fell(
    level: Number, *, route: Code = ORAL, during: tuple[Number, int] = (420, 70),
    lasted: int = 40, ago: int = 100, taken: int = 3, status: str = "active", **but: Any,
) -> Record:  # fmt: skip
    """A course that began ``ago`` days ago and ``lasted`` so many, a level (pg/mL, days ago) of
    that time, and the ``level`` of a sample that was ``taken`` so many days ago."""
    injected = route == MUSCLE
    line = structs.replace(a_dosage(route=route, days=7 if injected else 1), days=Decimal(lasted))
    code = HYDROXOCOBALAMIN if injected else ORAL_SOLUTION
    order = in_force(line, ago=ago, status=status, code=code, route=route)
    extra = but.pop("levels", ())
    measured = (a_level(level, ago=taken), *extra, a_level(during[0], ago=during[1]))
    return a_record(
        measured=(*measured, a_level(190, ago=ago + 2)),
        birth=but.pop("birth", months_old(20)),
        medications=(order, *but.pop("more", ())),
        **but,
    )


# --- what the guideline sees ----------------------------------------------------------------------


def small_dose_first() -> b12.Guideline:
    """The guideline of a site that puts the requirement-level dose first."""
    policy = structs.replace(G.file.policy, first_line="age_based_daily")
    return structs.replace(G, file=structs.replace(G.file, policy=policy))


class Offer(NamedTuple):
    """One choice of a card and the outcome it comes from."""

    outcome: Recommend
    choice: Choice

    @property
    def drug(self) -> PlannedDrug | None:
        return next((one for one in self.choice.plans if isinstance(one, PlannedDrug)), None)

    @property
    def label(self) -> str:
        """In the guideline's own words."""
        return WORDS.language.text(self.choice.label)


def may_be_cyanocobalamin(drug: Drug) -> bool:
    """Not known to be another cobalamin: what ORD-10 takes for it where it may harm."""
    return drug.kind in ("b12", "combination") and drug.substance in ("", "cyanocobalamin")


class Seen(NamedTuple):
    """An evaluation, with the questions that tests ask of it."""

    record: Record
    evaluation: b12.Evaluation
    guideline: b12.Guideline

    @property
    def rules(self) -> frozenset[str]:
        """Every rule that fired, or that an outcome or a choice names."""
        named = {one.rule for one in self.outcomes} | {one.choice.rule for one in self.offers}
        return frozenset(self.evaluation.reasoning.fired()) | named

    @property
    def fired(self) -> tuple[str, ...]:
        return self.evaluation.reasoning.fired()

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        return self.evaluation.outcomes

    @property
    def silent(self) -> bool:
        return all(isinstance(one, NotIndicated) or not one.card for one in self.outcomes)

    @property
    def offers(self) -> list[Offer]:
        return [
            Offer(one, choice)
            for one in self.outcomes
            if isinstance(one, Recommend)
            for choice in one.choices
        ]

    @property
    def doses(self) -> dict[str, bool]:
        """The doses offered, by rule, and whether each is the recommended one."""
        return {one.choice.rule: one.choice.recommended for one in self.offers if one.drug}

    @property
    def drugs(self) -> list[PlannedDrug]:
        return [one.drug for one in self.offers if one.drug is not None]

    @property
    def stopped(self) -> list[StoppedDrug]:
        return [p for o in self.offers for p in o.choice.plans if isinstance(p, StoppedDrug)]

    @property
    def revised(self) -> list[RevisedDrug]:
        return [p for o in self.offers for p in o.choice.plans if isinstance(p, RevisedDrug)]

    @property
    def removed(self) -> list[RemovedDraft]:
        return [p for o in self.offers for p in o.choice.plans if isinstance(p, RemovedDraft)]

    @property
    def tests(self) -> list[tuple[str, int]]:
        """(name, days from the evaluation) of every test offered, each once."""
        plans = [p for o in self.offers for p in o.choice.plans if isinstance(p, PlannedTest)]
        language = self.stationery.language
        return sorted({(language.text(plan.name), (plan.due - ON).days) for plan in plans})

    @property
    def tasks(self) -> list[PlannedTask]:
        return [p for o in self.offers for p in o.choice.plans if isinstance(p, PlannedTask)]

    def outcome(self, card: str) -> Recommend | CannotTell:
        """The outcome that shows ``card``."""
        for one in self.outcomes:
            if not isinstance(one, NotIndicated) and one.card == card:
                return one
        raise AssertionError(f"no card {card}, only {[one.rule for one in self.outcomes]}")

    def shows(self, card: str) -> bool:
        return any(not isinstance(one, NotIndicated) and one.card == card for one in self.outcomes)

    @property
    def stationery(self) -> Stationery:
        """With the guideline's own words, or those of a site."""
        return WORDS if self.guideline is G else stationery_of(Front(self.guideline))

    def in_words(self, value: Value) -> str:
        """As a clinician reads it."""
        return self.stationery.language.text(value)

    @property
    def cards(self) -> tuple[Card, ...]:
        words = self.stationery
        patient, language = self.record.patient.id, words.language
        return build_cards(
            speaking(
                self.outcomes,
                words,
                b12.data_notes(self.evaluation, self.record, self.guideline),
            ),
            words,
            partial(orders.write, patient_id=patient, language=language, call="call"),
            call="a test",
        )

    @property
    def indicator(self) -> str:
        """That of the first card."""
        return self.cards[0].indicator

    def says(self, text: str) -> bool:
        """Whether any card has ``text``, markup and line breaks aside, or a note that found no
        room on its card."""
        language = self.stationery.language
        spoken = " ".join(
            [
                *(f"{card.summary} {card.detail}" for card in self.cards),
                *(
                    language.text(note.text)
                    for one in self.outcomes
                    if not isinstance(one, NotIndicated)
                    for note in one.notes
                ),
            ]
        )
        return _MARKUP.sub("", text) in _MARKUP.sub("", spoken)


def see(record: Record, *, on: date = ON, g: b12.Guideline = G) -> Seen:
    return Seen(record, b12.evaluate(record, on, g), g)


def see_orders(
    record: Record, *drafts: Draft, signing: bool = True, on: date = ON, g: b12.Guideline = G,
    **basket: Any,
) -> Seen:  # fmt: skip
    """What the guideline sees in orders being signed, or with ``signing=False`` being written."""
    written = Basket(tuple(drafts), **basket)
    return Seen(record, b12.evaluate_orders(record, written, on, g, signing=signing), g)


# --- a record for every card ----------------------------------------------------------------------

NO_BIRTH = Patient("child", None)
TODDLER = months_old(15)

#: Card -> a record that shows it.
SHOWN: dict[str, Callable[[], Record]] = {
    "AGE-02": lambda: a_record(patient=NO_BIRTH),
    "AGE-03": lambda: a_record(patient=a_patient(day(-1))),
    "AGE-10": lambda: a_record(birth=moment(date(2024, 3, 1), date(2024, 3, 31))),
    "IN-03": lambda: a_record(missing={"conditions": "timeout"}),
    "B12-02": lambda: a_record(level=a_level(status="preliminary")),
    "B12-04.ahead": lambda: a_record(level=a_level(142, ago=-27)),
    "B12-04": lambda: a_record(level=a_level(150, None)),
    "STAT-08": lambda: a_record(level=a_level(5000), problems=[CROHN]),
    "DUP-01": lambda: a_record(medications=[an_order(ago=None)]),
    "ORD-03.active": lambda: a_record(medications=[in_force(a_dosage(1500))]),
    "ORD-04.active": lambda: a_record(medications=[in_force(a_dosage(1000, "mg"))]),
    "ORD-04.per_kg.active": lambda: a_record(
        medications=[in_force(a_dosage("0.1", "mg", per_kg=True))]
    ),
    "ORD-02.active": lambda: a_record(
        problems=[COBALAMIN_C], medications=[in_force(a_dosage(), code=HYDROXOCOBALAMIN)]
    ),
    "ORD-10.active": lambda: a_record(
        problems=[COBALAMIN_C], medications=[in_force(a_dosage(route=MUSCLE), code=VIAL)]
    ),
    "DUP-05": lambda: a_record(medications=[in_force(a_dosage()), in_force(a_dosage(500))]),
    "DUP-05.hold": lambda: a_record(medications=[an_order(), an_order(ago=3, status="on-hold")]),
    "ORD-16.active": lambda: a_record(medications=[in_force(a_dosage(1000, days=30))]),
    "DUP-01.hold": lambda: a_record(medications=[an_order(ago=3, status="on-hold")]),
    "DUP-01.hold.signs": lambda: a_record(
        problems=[SEIZURE], medications=[injections_ordered(ago=3, status="on-hold")]
    ),
    "DUP-01.hold.ask": lambda: a_record(
        level=a_level(450), medications=[an_order(ago=3, status="on-hold")]
    ),
    "DUP-01.hold.other": lambda: a_record(
        medications=[an_order(ago=3, status="on-hold")], allergies=(an_allergy(),)
    ),
    "DUP-01.named": lambda: a_record(
        medications=[an_order(Code("urn:site", "77"), text="Vitamin B12 drops")]
    ),
    "DUP-01.nameless": lambda: a_record(medications=[an_order(codes=(), text="")]),
    "DUP-01.combination": lambda: a_record(
        medications=[an_order(Code("urn:site", "7"), text="Neurobion", amount=None, route=MUSCLE)]
    ),
    "RTE-01": lambda: a_record(problems=[COBALAMIN_C]),
    "ETI-01b": lambda: a_record(a_lab("homocysteine", 120), level=a_level(250)),
    "ETI-01c": lambda: a_record(a_lab("methylmalonate", 25), level=a_level(400)),
    "ETI-01d": lambda: a_record(a_lab("methylmalonate", 2), level=a_level(400), birth=day(20)),
    "RTE-02": lambda: a_record(birth=day(20)),
    "RTE-03": lambda: a_record(problems=[SEIZURE]),
    "RTE-04": lambda: a_record(level=a_level(80)),
    "RTE-05": lambda: a_record(problems=[CROHN]),
    "RTE-05b": lambda: a_record(problems=[a_problem(None, text="Krampfanfälle")]),
    "RTE-05c": lambda: a_record(problems=[a_problem(None, text="Cobalamin C disease")]),
    "RTE-06.homocysteine": lambda: a_record(a_lab("homocysteine", 60), level=a_level(150)),
    "RTE-10.inborn": lambda: a_record(
        level=a_level(450), problems=[a_problem(None, text="Cobalamin C disease")]
    ),
    "RTE-05d": lambda: a_record(problems=[a_problem(None, text="Morbus Crohn")]),
    "RTE-08.repeat": lambda: a_record(
        a_lab("methylmalonate", "0.62"), a_lab("homocysteine", "8.9"), level=a_level(250)
    ),
    "RTE-08.words": lambda: a_record(
        level=a_level(250), problems=[a_problem(None, text="Krampfanfälle")]
    ),
    "RTE-10.words": lambda: a_record(
        level=a_level(450), problems=[a_problem(None, text="Krampfanfälle")]
    ),
    "RTE-10.marked": lambda: a_record(a_lab("methylmalonate", 8), level=a_level(450)),
    "FU-02.over": lambda: a_record(
        measured=[a_level(450, ago=2), a_level(90, ago=45)],
        birth=months_old(20),
        medications=[a_dose_given(ago=40 - 2 * one, source=f"given/{one}") for one in range(4)],
    ),
    "DUP-07": lambda: a_record(
        level=a_level(90, ago=64),
        problems=[a_problem(SEIZURE, 70)],
        birth=months_old(20),
        medications=[a_dose_given(ago=63 - 2 * one, source=f"given/{one}") for one in range(4)],
    ),
    "DUP-07.again": lambda: a_record(
        level=a_level(90, ago=41),
        problems=[a_problem(SEIZURE, 60)],
        birth=months_old(20),
        medications=[an_order_of_seven(40), a_dose_given(ago=40)],
    ),
    "DUP-09": lambda: a_record(
        level=a_level(90, ago=11),
        problems=[a_problem(SEIZURE, 60)],
        birth=months_old(20),
        medications=[an_order_of_seven(10), a_dose_given(ago=10)],
    ),
    "DUP-09.none": lambda: a_record(
        level=a_level(90, ago=11),
        problems=[a_problem(SEIZURE, 60)],
        birth=months_old(20),
        medications=[an_order_of_seven(10), a_dose_given(ago=10, status="not-done")],
    ),
    "DUP-09.again": lambda: a_record(
        level=a_level(90, ago=41),
        problems=[a_problem(SEIZURE, 60)],
        birth=months_old(20),
        medications=[
            an_order_of_seven(40),
            *(
                a_dose_given(ago=40 - 2 * one, status="not-done", source=f"missed/{one}")
                for one in range(5)
            ),
        ],
    ),
    "DUP-09.other": lambda: a_record(
        level=a_level(90, ago=11),
        problems=[LEBER],
        birth=months_old(20),
        medications=[
            an_order_of_seven(10, CYANOCOBALAMIN),
            a_dose_given(CYANOCOBALAMIN, ago=10),
        ],
    ),
    "DUP-08": lambda: a_record(
        level=a_level(90, ago=45),
        birth=months_old(20),
        medications=[
            a_dose_given(VIAL, ago=40 - 7 * one, source=f"given/{one}") for one in range(5)
        ],
    ),
    "DUP-08.next": lambda: a_record(
        level=a_level(90, ago=45),
        birth=months_old(20),
        medications=[a_dose_given(ago=40 - 7 * one, source=f"given/{one}") for one in range(5)],
    ),
    "DUP-08.oral": lambda: a_record(
        level=a_level(150, ago=45),
        birth=months_old(20),
        medications=[in_force(structs.replace(a_dosage(), days=Decimal(35)), ago=40)],
    ),
    "FU-02.metabolites": lambda: on_treatment(
        31, (450, 30), measurements=[a_lab("methylmalonate", 6, ago=1)]
    ),
    "FU-12.over": lambda: a_record(
        measured=[a_level(350, ago=40), a_level(150, ago=141)],
        birth=months_old(20),
        medications=[in_force(structs.replace(a_dosage(), days=Decimal(119)), ago=139)],
    ),
    "FU-12.lasting": lambda: on_treatment(
        123, (350, 100), procedures=(an_operation(ILEECTOMY, ago=300),)
    ),
    "RTE-06": lambda: a_record(problems=[FAILURE_TO_THRIVE]),
    "RTE-07": a_record,
    "RTE-08": lambda: a_record(level=a_level(250)),
    "RTE-08.signs": lambda: a_record(level=a_level(250), problems=[SEIZURE]),
    "RTE-08.diagnosis": lambda: a_record(measured=(), problems=[B_VITAMINS]),
    "RTE-09": lambda: a_record(level=a_level(400), procedures=(an_operation(ILEECTOMY),)),
    "RTE-10.neurological": lambda: a_record(measured=(), problems=[SEIZURE]),
    "RTE-10": lambda: a_record(measured=(a_diet(),)),
    "RTE-10.metabolites": lambda: a_record(
        a_lab("methylmalonate", 3), level=a_level(400), problems=[FAILURE_TO_THRIVE]
    ),
    "RTE-10.signs": lambda: a_record(level=a_level(400), problems=[SEIZURE]),
    "RTE-10.suggestive": lambda: a_record(measured=(), problems=[FAILURE_TO_THRIVE]),
    "RTE-10.elsewhere": lambda: a_record(
        a_measurement(
            Code(LOINC, "13776-0"), interpretation="high", value=quantity(80, "mmol/mol")
        ),
        level=a_level(450),
    ),
    "RTE-10.fell": lambda: a_record(
        a_lab("homocysteine", 120, ago=14), a_lab("homocysteine", 8, ago=3), level=a_level(450)
    ),
    "RTE-10.screening": lambda: a_record(measured=(a_screening(),)),
    "RTE-10.unplaced": lambda: a_record(level=a_level(250, comparator="<")),
    "RTE-10.overtaken": lambda: a_record(a_level(78, None, ago=2), level=a_level(450, ago=90)),
    "RTE-07.unread": lambda: a_record(unread=(Unread("conditions", "code system", "Anfall"),)),
    "IN-03.unread": lambda: a_record(
        missing={"conditions": "unreadable"}, unread=(Unread("conditions", "undecodable"),)
    ),
    "IN-05": lambda: a_record(
        level=a_level(450), unread=(Unread("meds", "drug not found", "Drops"),)
    ),
    "RTE-11b": lambda: a_record(
        a_lab("methylmalonate", "0.2"), level=a_level(250), problems=[CROHN]
    ),
    "SAF-01": lambda: on_treatment(40, (350, 30), problems=[LEBER]),
    "SAF-01.new": lambda: a_record(problems=[LEBER]),
    "SAF-01.change": lambda: a_record(problems=[LEBER], medications=[an_order(ago=3)]),
    "SAF-05": lambda: on_treatment(5, allergies=(an_allergy(),)),
    "SAF-05b": lambda: on_treatment(5, allergies=(an_allergy(Code("", "", "Cobalt")),)),
    "SAF-05.new": lambda: a_record(allergies=(an_allergy(),)),
    "DUP-03": lambda: a_record(problems=[CROHN], medications=[an_order(ago=3)]),
    "DUP-03.hold": lambda: a_record(
        problems=[CROHN], medications=[an_order(ago=3, status="on-hold")]
    ),
    "DUP-03.over": lambda: a_record(
        problems=[CROHN],
        level=a_level(120, ago=65),
        medications=[an_order(ago=60, status="completed", dosages=(a_dosage(count=30),))],
    ),
    "MAT-01": lambda: a_record(breast_feeding()),
    "MAT-01.unknown": a_record,
    "MAT-01.unmeasured": lambda: a_record(
        measured=(breast_feeding(),), problems=[FAILURE_TO_THRIVE]
    ),
    "MAT-01.formula": lambda: a_record(breast_feeding("formula fed")),
    "PRE-01": lambda: a_record(breast_feeding(), a_diet(about="mother"), level=a_level(400)),
    "PRE-02": lambda: a_record(a_diet(), level=a_level(400), birth=TODDLER),
    "MAT-02": lambda: a_record(breast_feeding(), birth=TODDLER),
    "FU-00": lambda: on_treatment(5),
    "FU-02": lambda: on_treatment(40, (350, 30)),
    "FU-03": lambda: on_treatment(40, (250, 30)),
    "FU-03.over": lambda: a_record(
        measured=[a_level(250, ago=2), a_level(150, ago=45)],
        medications=[a_dose_given(CYANOCOBALAMIN, ago=40, route=ORAL)]
        + [
            a_dose_given(CYANOCOBALAMIN, ago=39 - one, route=ORAL, source=f"given/{one}")
            for one in range(18)
        ],
    ),
    "FU-04": lambda: on_treatment(40, (150, 30)),
    "FU-05": lambda: on_treatment(40, (150, 30), route="parenteral"),
    "FU-05b": lambda: on_treatment(40, (250, 30), route="parenteral"),
    "FU-07": lambda: on_treatment(50),
    "FU-08": lambda: on_treatment(125, (350, 30)),
    "FU-09": lambda: on_treatment(10, problems=[a_problem(TREMOR, 5)]),
    "FU-10": lambda: on_treatment(40, (350, 30), problems=[a_problem(SEIZURE, 90)]),
    "RTE-07.requirement": lambda: a_record(a_weight(7)),
    "FU-10b": lambda: on_treatment(
        40, (350, 30), route="parenteral", problems=[a_problem(SEIZURE, 90)]
    ),
    "FU-10.movements": lambda: on_treatment(
        60, (350, 30), route="parenteral", problems=[a_problem(TREMOR, 50)]
    ),
    "FU-14": lambda: on_treatment(5, measurements=[a_lab("potassium", "2.9", ago=1)]),
    "FU-15": lambda: on_treatment(5, measurements=[a_lab("hemoglobin", "5.5", ago=1)]),
    "FU-16": lambda: on_treatment(20, problems=[a_problem(None, 5, text="Convulsions")]),
    "ORD-11.active": lambda: a_record(
        problems=[HEMOPHILIA],
        medications=[in_force(a_dosage(days=7, route=MUSCLE), code=HYDROXOCOBALAMIN)],
    ),
    "FU-17": lambda: a_course_that_fell(230),
    "FU-17.injected": lambda: a_course_that_fell(99, route=MUSCLE),
    "FU-17.next": lambda: a_course_that_fell(190, route=MUSCLE),
    "FU-11": lambda: on_treatment(40, (350, 30), problems=[a_problem(SEIZURE, 5)]),
    "FU-12": lambda: on_treatment(130, (350, 100)),
}

NEWBORN = day(20)

#: The same for the cards of order entry: a record and the orders being signed.
ORDERED: dict[str, Callable[[], tuple[Record, *tuple[Draft, ...]]]] = {
    "ORD-01": lambda: (a_record(problems=[CROHN]), a_draft()),
    "ORD-02b": lambda: (a_record(problems=[a_problem(None, text="Krampfanfälle")]), a_draft()),
    "ORD-02": lambda: (a_record(problems=[SEIZURE]), a_draft()),
    "ORD-02.inborn": lambda: (a_record(problems=[COBALAMIN_C]), a_draft()),
    "ORD-03": lambda: (a_record(), a_draft(a_dosage(1500))),
    "ORD-04": lambda: (a_record(), a_draft(a_dosage(1000, "mg"))),
    "ORD-04.per_kg": lambda: (a_record(), a_draft(a_dosage("0.1", "mg", per_kg=True))),
    "ORD-04.specialist": lambda: (a_record(problems=[COBALAMIN_C]), an_injection()),
    "ORD-05": lambda: (a_record(), a_draft(a_dosage("0.3", per_kg=True))),
    "ORD-06": lambda: (a_record(medications=[an_order()]), a_draft()),
    "ORD-06.other": lambda: (a_record(medications=[an_order()]), an_injection()),
    "ORD-07": lambda: (a_record(), a_draft(a_dosage(5))),
    "ORD-07.tenth": lambda: (a_record(), an_injection(a_dosage(100, route=MUSCLE))),
    "ORD-07.published": lambda: (a_record(), a_draft(a_dosage(50))),
    "ORD-16": lambda: (a_record(), a_draft(a_dosage(1000, days=7))),
    "ORD-17": lambda: (a_record(), an_injection(a_dosage(route=MUSCLE))),
    "ORD-16.worded": lambda: (
        a_record(problems=[a_problem(None, text="Krampfanfälle")]),
        an_injection(),
    ),
    "ORD-17.weekly": lambda: (a_record(), an_injection()),
    "ORD-24.next": lambda: (
        a_record(),
        an_injection(structs.replace(a_dosage(route=MUSCLE, days=7), days=Decimal(35))),
        *levels_drafted(),
        *samples_drafted(),
    ),
    "ORD-24": lambda: (
        a_record(),
        an_injection(structs.replace(a_dosage(route=MUSCLE, days=7), days=Decimal(14))),
    ),
    "ORD-23": lambda: (
        a_record(
            level=a_level(90, ago=64),
            problems=[a_problem(SEIZURE, 70)],
            birth=months_old(20),
            medications=[a_dose_given(ago=50 + 2 * one, source=f"given/{one}") for one in range(7)],
        ),
        an_injection(a_dosage(route=MUSCLE, days=2)),
    ),
    "ORD-20": lambda: (a_record(level=a_level(400)), a_draft()),
    "ORD-19": lambda: (a_record(), a_draft(code=TABLET)),
    "ORD-19.prepared": lambda: (a_record(), a_draft(a_dosage(text="crush"), code=TABLET)),
    "ORD-18": lambda: (a_record(), an_antidote()),
    "ORD-08": lambda: (a_record(), a_draft()),
    "ORD-08.samples": lambda: (a_record(), a_draft(), *levels_drafted()),
    "ORD-22": lambda: (a_record(level=a_level(250)), a_draft()),
    "MON-02": lambda: (
        a_record(a_lab("homocysteine", 120), level=a_level(400)),
        a_draft(),
    ),
    "ORD-09": lambda: (a_record(), a_draft(a_dosage(None))),
    "ORD-10.allergy": lambda: (a_record(allergies=(an_allergy(),)), a_draft()),
    "ORD-10.suspected": lambda: (
        a_record(a_lab("homocysteine", 120), level=a_level(250)),
        a_draft(),
    ),
    "ORD-10.worded": lambda: (
        a_record(problems=[a_problem(None, text="Cobalamin C disease")]),
        an_injection(code=VIAL),
    ),
    "ORD-10.homocysteine": lambda: (
        a_record(a_lab("homocysteine", 60), level=a_level(150)),
        an_injection(code=VIAL),
    ),
    "ORD-10.possible": lambda: (
        a_record(allergies=(an_allergy(Code("", "", "Cobalt")),)),
        a_draft(),
    ),
    "ORD-10.leber": lambda: (a_record(problems=[LEBER]), a_draft()),
    "ORD-10.inborn": lambda: (a_record(problems=[COBALAMIN_C]), an_injection(code=VIAL)),
    "ORD-11": lambda: (a_record(problems=[HEMOPHILIA]), an_injection()),
    "ORD-11.vein": lambda: (a_record(problems=[CROHN]), an_injection(a_dosage(route=VEIN, days=7))),
    "ORD-11.spinal": lambda: (
        a_record(problems=[CROHN]),
        an_injection(a_dosage(route=None, route_text="intrathecal")),
    ),
    "ORD-12": lambda: (a_record(birth=NEWBORN), an_injection()),
    "ORD-12.allergy": lambda: (
        a_record(level=a_level(80), allergies=(an_allergy(Code("", "", "Benzyl alcohol")),)),
        an_injection(),
    ),
    "ORD-13": lambda: (a_record(), a_draft(a_dosage(1, "mg"), code=FOLIC_ACID)),
    "ORD-21.deficient": lambda: (a_record(medications=[an_order()]), a_draft(code=GAS)),
    "ORD-21": lambda: (a_record(measured=(), problems=[COBALAMIN_C]), a_draft(code=GAS)),
    "ORD-13.unknown": lambda: (
        a_record(measured=(), problems=[SEIZURE]),
        a_draft(a_dosage(1, "mg"), code=FOLIC_ACID),
    ),
    "ORD-13.borderline": lambda: (
        a_record(level=a_level(250)),
        a_draft(a_dosage(1, "mg"), code=FOLIC_ACID),
    ),
}
