"""The orders of a treatment card: doses (table DOSE) and what makes them safe (table SAF)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

from msgspec import structs

from cds_service.clinical import Code, Phase, PlannedDrug, PlannedTest
from cds_service.guidelines import naming
from cds_service.guidelines.b12_under_two import monitoring
from cds_service.guidelines.b12_under_two.age import (
    add_months,
    days_since,
    fewest_days_since,
    recorded,
)
from cds_service.guidelines.b12_under_two.assessment import (
    Assessment,
    Status,
    extreme_homocysteine,
    recent,
)
from cds_service.guidelines.b12_under_two.data import Dose, Guideline, Product
from cds_service.guidelines.b12_under_two.drugs import Way
from cds_service.guidelines.b12_under_two.facts import Facts, injection_product
from cds_service.guidelines.b12_under_two.giving import given, how_often
from cds_service.guidelines.b12_under_two.limits import Limits
from cds_service.guidelines.b12_under_two.messages import Texts
from cds_service.guidelines.b12_under_two.prohibitions import Prohibition
from cds_service.guidelines.b12_under_two.results import Lab
from cds_service.guidelines.b12_under_two.tables.dose import DoseFacts, DoseName, Regimen
from cds_service.guidelines.b12_under_two.tables.safety import SafetyFacts
from cds_service.guidelines.b12_under_two.words import (
    formula_explains_nothing,
    is_again,
    named,
    shown_weight,
    some_of,
    test_notes,
)
from cds_service.guidelines.engine import Choice, Indicator, Note, Section, most_urgent
from cds_service.guidelines.guideline import Regimen as Ordered
from cds_service.guidelines.tables import Reasoning
from cds_service.language import Listed, Message, Sent, Value, Words, say


def _age_of_count(count: Lab | None, on: date, limits: Limits) -> int | None:
    """Days since a platelet count; of an incomplete date the fewest where the count forbids an
    injection, and the most where it would allow one."""
    if count is None:
        return None
    few = limits.platelets_injection.holds(count.value)
    return fewest_days_since(count.when, on) if few else days_since(count.when, on)


def _count_that_decides(facts: Facts, limits: Limits) -> Lab | None:
    """The newest platelet count; a preliminary one only where it forbids an injection."""
    early = facts.early.get("platelets")
    if early is not None and limits.platelets_injection.holds(early.value):
        return early
    counts = facts.labs.get("platelets", ())
    return next((one for one in counts if one.comparator not in (">", ">=")), None)


def read_safety(facts: Facts, a: Assessment | None, g: Guideline) -> SafetyFacts:
    """What the table SAF asks of a child; without an assessment the rows on it do not hold."""
    count = _count_that_decides(facts, g.limits)
    born_at = facts.gestation_weeks
    if born_at is None and facts.preterm:
        born_at = g.file.constants.preterm_assumed.value
    conception_weeks = None
    if born_at is not None and facts.patient.birth is not None:
        days = (facts.on - min(facts.patient.birth.last, facts.on)).days
        conception_weeks = born_at + Decimal(days) / 7
    return SafetyFacts(
        hemoglobin=monitoring.recent_value(facts, "hemoglobin", g),
        severe_megaloblastic=any(one.severe for one in facts.megaloblastic),
        potassium=monitoring.recent_value(facts, "potassium", g),
        leber=bool(facts.leber),
        cause=a.cause if a is not None else "unknown",
        platelets=count.value if count is not None else None,
        platelets_days=_age_of_count(count, facts.on, g.limits),
        platelets_exact=count is not None and not count.comparator,
        bleeding=bool(facts.bleeding or facts.worded.bleeding),
        thrombocytopenia=bool(facts.thrombocytopenia),
        newborn=facts.age.neonate,
        born_at=born_at,
        conception_weeks=conception_weeks,
        reactions=facts.reactions,
        possible_reactions=facts.possible_reactions,
        preservative_reactions=facts.preservative_reactions,
        concerned=a is not None and a.status.concerned,
        folic_acid_alone=facts.therapy.folic_acid_alone,
        renal=bool(facts.renal),
        nitrous_oxide=bool(facts.nitrous_oxide or facts.nitrous_oxide_given),
    )


def preservative_matters(facts: Facts, g: Guideline, why: Reasoning) -> bool:
    """Newborns, and the preterm before 44 weeks after conception, must not get benzyl alcohol."""
    return why.row(g.tables.safety, "SAF-04", read_safety(facts, None, g))


def must_not_inject_muscle(facts: Facts, g: Guideline, why: Reasoning) -> bool:
    """Platelets under 50, a clotting disorder, or thrombocytopenia without a count this week.

    A low count of the last month counts until a newer one lifts it.
    """
    return why.row(g.tables.safety, "SAF-03", read_safety(facts, None, g))


def bleeds_by_words(facts: Facts) -> bool:
    """Whether nothing but words without a known code speaks against the muscle."""
    return bool(facts.worded.bleeding) and not (facts.bleeding or facts.thrombocytopenia)


def bleeding_in_words(facts: Facts) -> Iterator[Message]:
    """The words without a known code that speak against an injection into the muscle."""
    names = tuple(dict.fromkeys([one.name for one in facts.worded.bleeding]))
    if names:
        yield say(Texts.worded_bleeding, names=Listed(names))


def age_based_amount(kg: Decimal, dose: Dose) -> Decimal:
    """Micrograms a day for a weight, rounded half up to a tenth."""
    return (kg * dose.amount).quantize(Decimal("0.1"), ROUND_HALF_UP)


class Prescriber:
    """Builds the suggestions of one treatment card."""

    def __init__(self, facts: Facts, a: Assessment, g: Guideline, why: Reasoning) -> None:
        self.facts, self.a, self.g, self.why = facts, a, g, why
        self.reasons = reasons_of(facts, a.status)
        self.neuro = bool(facts.neurological)
        #: A homocysteine as high as in an inborn error, which the level may explain or not.
        self.unexplained = extreme_homocysteine(facts, g.limits) is not None
        self.safety = read_safety(facts, a, g)
        self.subcutaneous = self.minds("SAF-03")
        self.too_young_for_preservative = self.minds("SAF-04")
        self.preservative_free = self.minds("SAF-04b") or self.too_young_for_preservative
        self.notes: list[Note] = []
        self._tests: dict[bool, tuple[PlannedTest, ...]] = {}

    def forbidden(self, drug: PlannedDrug) -> list[Prohibition]:
        """The orders in force not to give it."""
        routes = self.g.file.routes
        ways: Mapping[Code, Way] = {
            routes.oral: "oral",
            routes.intramuscular: "intramuscular",
            routes.subcutaneous: "subcutaneous",
        }
        by = frozenset({ways[drug.route]})
        return [one for one in self.facts.therapy.prohibited if one.forbids(drug.substance, by)]

    def minds(self, rule: str) -> bool:
        """Whether a row of the table SAF holds for this child."""
        return self.why.row(self.g.tables.safety, rule, self.safety)

    def offer(self, regimen: Regimen, *, recommended: bool) -> Choice | None:
        """The regimen as an order for this child; none where its dose cannot be calculated."""
        match regimen:
            case "oral regimen":
                return self.oral(recommended=recommended)
            case "daily requirement":
                return self.maintenance(recommended=recommended)
            case "alternate-day injections":
                dose = self.g.file.doses.neurological_injections
                return self.injection(dose, recommended=recommended)
            case "weekly injections":
                dose = self.g.file.doses.weekly_injections
                return self.injection(dose, recommended=recommended)

    def oral(self, *, recommended: bool) -> Choice:
        self._asked_for("oral regimen")
        dose = self.g.file.doses.oral_regimen
        return self._swallowed(
            dose, self.g.file.products.oral_solution, dose.amount, "treatment", recommended
        )

    @property
    def injected(self) -> Product:
        """What is injected into this child."""
        doubtful = self.a.suspected or self.unexplained
        return injection_product(self.facts, self.g, suspected=doubtful)

    def injection(self, dose: Dose, *, recommended: bool) -> Choice:
        alternate = dose is self.g.file.doses.neurological_injections
        self._asked_for("alternate-day injections" if alternate else "weekly injections")
        drug = self._injected(dose, self._phases(dose, dose.amount))
        return self._choice(dose, drug, recommended, parenteral=True)

    def next_injections(self, due: date, *, recommended: bool) -> Choice:
        """What follows a course of injections, from the day it is ``due``, without tests."""
        self._asked_for("weekly injections")
        dose, begins = self.g.file.doses.weekly_injections, max(due, self.facts.on)
        last = dose.phases[-1]
        how_much, often = dose.amount, how_often(last)
        text = say(
            Texts.next_injections_text,
            begins=begins, amount=how_much, route=self._way, interval=often, count=last.count,
            then=dose.afterwards,
        )  # fmt: skip
        label = say(
            Texts.next_injections,
            substance=naming.substance(self.injected.substance, first=True),
            amount=how_much, route=self._way, interval=often, begins=begins, count=last.count,
        )  # fmt: skip
        days = {"begins": begins, "ends": _after(begins, last.duration, last.duration_unit)}
        known = structs.asdict(last)
        phase = Phase(**{**known, "text": text, "then": dose.afterwards, **days})
        drug = self._injected(dose, (phase,))
        if begins > self.facts.on:
            drug = structs.replace(drug, priority="routine")
        chosen = self._is_selected(drug, recommended, parenteral=True)
        return Choice(dose.rule, label, (drug,), chosen, alone=label)

    def in_words(self, dose: Dose) -> Message:
        """A regimen of injections, for someone else to decide on."""
        return given(self._injected(dose, self._phases(dose, dose.amount)), self.g)

    def _injected(self, dose: Dose, phases: tuple[Phase, ...]) -> PlannedDrug:
        product = self.injected
        routes = self.g.file.routes
        preserved = self.preservative_free and product.benzyl_alcohol
        return PlannedDrug(
            codes=product.preservative_free if preserved else product.codes,
            name=say(Texts.without_preservative, substance=naming.substance(product.substance))
            if preserved
            else product.called,
            route=routes.subcutaneous if self.subcutaneous else routes.intramuscular,
            route_name=naming.route("subcutaneous" if self.subcutaneous else "intramuscular"),
            amount=dose.amount,
            unit=dose.unit,
            phases=phases,
            authored=self.facts.on,
            priority="stat" if self.neuro else "urgent",
            reasons=self.reasons,
            substance=product.substance,
            strength=product.strength,
            preservative_free=preserved,
        )

    def maintenance(self, *, recommended: bool) -> Choice | None:
        """The requirement-level daily dose, or a note why it cannot be calculated."""
        found = self.requirement()
        if found is None:
            return None
        dose, amount = found
        product = self.g.file.products.ingredient
        return self._swallowed(dose, product, amount, "maintenance", recommended)

    def requirement(self) -> tuple[Dose, Decimal] | None:
        """The requirement-level daily dose and its amount in micrograms, said in the notes."""
        facts, doses = self.facts, self.g.file.doses
        if "conditions" in facts.incomplete:
            return None  # "mild" is not known while part of the problem list is missing
        if formula_explains_nothing(facts, self.a):
            return None  # what a healthy child needs, this one gets already
        if is_again(facts, self.a, self.g):
            return None
        label, kg = say(Texts.maintenance_label), facts.weight.kg
        name = self._asked_for("daily requirement")
        if name is None:
            text = say(Texts.maintenance_no_weight, label=label)
            if facts.age.band == "either":
                text = say(Texts.maintenance_age_unclear, label=label)
            elif facts.weight.rule == "WT-05":
                text = say(Texts.maintenance_stale_weight, label=label)
            self.notes.append(Note("background", text))
            return None
        dose: Dose = getattr(doses, name)
        amount = dose.amount
        if dose.per_kg and kg is not None:
            amount = age_based_amount(kg, dose)
            worked_out = say(
                Texts.maintenance_dose,
                label=label,
                amount=amount,
                kg=shown_weight(kg),
                date=recorded(facts.weight.when) if facts.weight.when else "-",
                per_kg=dose.amount,
            )
            self.notes.append(Note("background", worked_out))
            self.notes.append(Note("background", say(Texts.maintenance_unmeasured)))
            toddler = doses.toddler_daily.amount
            if amount > toddler:
                anomaly = say(Texts.maintenance_anomaly, amount=amount, toddler=toddler)
                self.notes.append(Note("position", anomaly))
        else:
            fixed = say(Texts.maintenance_fixed, label=label, amount=amount)
            self.notes.append(Note("background", fixed))
        return dose, amount

    def _asked_for(self, regimen: Regimen) -> DoseName | None:
        """The dose that a regimen means for this child, if it means one."""
        asked = DoseFacts(regimen, self.facts.age.band, self.facts.weight.kg)
        match = self.why.all(self.g.tables.dose, asked)
        return match.result if match.fired else None

    def _swallowed(
        self,
        dose: Dose,
        product: Product,
        amount: Decimal,
        purpose: Literal["treatment", "maintenance"],
        recommended: bool,
    ) -> Choice:
        drug = PlannedDrug(
            codes=product.codes,
            name=product.called,
            route=self.g.file.routes.oral,
            route_name=naming.route("oral"),
            amount=amount,
            unit=dose.unit,
            phases=self._phases(dose, amount),
            authored=self.facts.on,
            priority="stat" if self.neuro else "routine",
            reasons=self.reasons,
            substance=product.substance,
            strength=product.strength,
            purpose=purpose,
        )
        return self._choice(dose, drug, recommended, parenteral=False)

    @property
    def _way(self) -> Message:
        """How an injection is given, in words."""
        return say(Texts.way_subcutaneous if self.subcutaneous else Texts.way_intramuscular)

    def _phases(self, dose: Dose, amount: Decimal) -> tuple[Phase, ...]:
        """The phases of a dose with their texts in words."""
        weight = self.facts.weight
        values: dict[str, Value] = {
            "amount": amount,
            "per_kg": dose.amount,
            "kg": shown_weight(weight.kg) if weight.kg else "-",
            "date": recorded(weight.when) if weight.when else "-",
            "route": self._way,
        }
        return tuple(
            [self._dated(dose, number, values) for number in range(1, len(dose.phases) + 1)]
        )

    def _dated(self, dose: Dose, number: int, values: Mapping[str, Value]) -> Phase:
        """A phase in words; one that does not follow on the one before with its own days."""
        phase = dose.phases[number - 1]
        begins = ends = None
        if phase.after_days or phase.after_months:
            last = self.facts.on + timedelta(days=phase.after_days)
            begins = add_months(last, phase.after_months)
            ends = _after(begins, phase.duration, phase.duration_unit)
        then = dose.afterwards if phase.then else ""
        told = {**values, "begins": begins or "-", "then": then}
        text = dose.in_words(number, told)
        known = structs.asdict(phase)
        return Phase(**{**known, "text": text, "then": then, "begins": begins, "ends": ends})

    def _choice(
        self, dose: Dose, drug: PlannedDrug, recommended: bool, *, parenteral: bool
    ) -> Choice:
        """The drug with the tests that go with it."""
        tests = self._tests_with(parenteral=parenteral)
        label = dose.labelled(drug.amount, drug.substance, self._way)
        whole = say(Texts.label_with_tests, label=label) if tests else label
        chosen = self._is_selected(drug, recommended, parenteral=parenteral)
        return Choice(dose.rule, whole, (drug, *tests), chosen, alone=label)

    def _is_selected(self, drug: PlannedDrug, recommended: bool, *, parenteral: bool) -> bool:
        """Whether what is ``recommended`` is so next to what else is known of this child."""
        # An active order that is vitamin B12 by its name may be one: no second is recommended.
        recommended = recommended and not self.facts.therapy.doubtful
        if self.forbidden(drug):
            recommended = False  # someone ordered not to give it: that person is asked first
        if is_asked_first(self.facts, self.a, injecting=parenteral):
            recommended = False
        worded = bool(self.facts.worded.malabsorption or self.facts.worded.inborn)
        unsure = worded or self.unexplained or bool(self.facts.not_understood)
        if unsure and not parenteral:
            recommended = False  # what the bowel or the cells may not take up is withheld
        return recommended

    def _tests_with(self, *, parenteral: bool) -> tuple[PlannedTest, ...]:
        """The tests that go with a drug by injection, or with any other: the same for each."""
        known = self._tests.get(parenteral)
        if known is not None:
            return known
        facts, g = self.facts, self.g
        wanted = monitoring.baseline(facts, self.a, g, self.why)
        wanted += monitoring.during_treatment(facts, self.a, g, self.why, parenteral=parenteral)
        tests, already = monitoring.plan_tests(
            wanted,
            facts,
            g,
            self.why,
            reasons=self.reasons,
            urgent=self.neuro,
            before_dose=parenteral,
        )
        if not self._tests:
            named = ("mma", "homocysteine", *monitoring.OF_METABOLISM) if self.a.suspected else ()
            told = [getattr(g.file.tests, one).called_inside for one in named]
            self.notes += test_notes(tests, already, g, before=parenteral, told=told)
        self._tests[parenteral] = tests
        return tests


def is_asked_first(facts: Facts, a: Assessment, *, injecting: bool) -> bool:
    """Whether an active order that names no drug, vitamin B12 that was handed over, or injections
    of a combination with it hold a treatment back, since they may be one. An injection for
    neurological signs or severe deficiency does not wait: a second dose harms less than none."""
    pressing = injecting and (bool(facts.neurological) or a.severity == "severe")
    therapy = facts.therapy
    return bool(therapy.nameless or therapy.dispensed or therapy.injected) and not pressing


def reasons_of(facts: Facts, status: Status) -> tuple[str, ...]:
    """The resources an order rests on: the level and the diagnosis."""
    level = [status.level.source] if status.level is not None else []
    diagnoses = [one.source for one in facts.deficiency]
    return tuple(dict.fromkeys(one for one in (*level, *diagnoses) if one))


def dose_notes(choices: Sequence[Choice], p: Prescriber) -> list[Note]:
    """The regimen in words, for clients that ignore the structured order."""
    drugs = [(choice, plan) for choice in choices for plan in drugs_of(choice)]
    if not drugs:
        return []
    main = next((one for one in drugs if one[0].recommended), drugs[0])[1]
    notes = [Note("give", given(main, p.g))]
    if main.phases[-1].then and main.phases[-1].begins is None:  # else the line above says it
        notes.append(Note("course", say(Texts.course_then, what=main.phases[-1].then)))
    notes += [
        Note("background", say(Texts.alternative, label=choice.label))
        for choice, drug in drugs
        if drug is not main and drug.purpose == "treatment"
    ]
    if p.neuro:
        notes.append(Note("caution", say(Texts.expected_response)))
    if main.route == p.g.file.routes.oral:
        if main.purpose == "treatment":
            notes.append(Note("background", say(Texts.unlicensed_by_mouth)))
        if p.g.limits.trial_age.holds(p.facts.age.youngest):
            notes.append(Note("background", say(Texts.age_beyond_trial)))
    else:
        notes += _injection_notes(main, p)
    return notes


def _injection_notes(drug: PlannedDrug, p: Prescriber) -> Iterator[Note]:
    """What is worth knowing of an injection."""
    product = p.injected
    days = sum(_days_of(phase) for phase in drug.phases)
    contains = product.benzyl_alcohol and not p.preservative_free
    if contains and p.g.limits.preserved_course.holds(days):
        yield Note("background", say(Texts.benzyl_alcohol_course))
    if p.facts.leber:
        yield Note("background", say(Texts.leber_course))
    yield Note("background", say(Texts.label_discordance))
    yield Note("caution", say(Texts.first_injection))


def _dated_value(lab: Lab) -> Message:
    """A laboratory value as it was sent, with its day."""
    return say(Texts.level_on, level=Sent(lab.written), date=recorded(lab.when))


def _days_of(phase: Phase) -> int:
    return phase.duration * {"d": 1, "wk": 7, "mo": 30}[phase.duration_unit]


def _after(start: date, length: int, unit: str) -> date:
    """So long after a day."""
    if unit == "mo":
        return add_months(start, length)
    return start + timedelta(days=length * (7 if unit == "wk" else 1))


def drugs_of(choice: Choice) -> list[PlannedDrug]:
    return [plan for plan in choice.plans if isinstance(plan, PlannedDrug)]


def safety_notes(
    choices: Sequence[Choice],
    indicator: Indicator,
    p: Prescriber,
    *,
    allergic: bool,
    told: bool = False,
) -> tuple[list[Note], Indicator]:
    """Safety points that apply, and the indicator they demand. ``allergic`` when a reaction to
    cobalamin is to be named, which makes the card critical: only where a child is, or is to be,
    treated. ``told`` when the words of the card send for an injection that it does not offer."""
    said = _SafetyNotes(p, indicator)
    drugs = [drug for choice in choices for drug in drugs_of(choice)]
    said.of_substances(drugs, allergic=allergic, told=told)
    injecting = any(drug.route != p.g.file.routes.oral for drug in drugs)
    if injecting:
        said.of_injecting(drugs)
    if injecting or told:
        said.of_preservative()
    said.of_treating(injecting=injecting)
    if drugs:
        said.of_prohibitions(drugs)
        said.of_other_orders()
    elif p.a.status.concerned:
        said.of_names()
    if (drugs or p.a.status.concerned) and not injecting:
        said.of_malabsorption()
    return said.notes, said.indicator


class _SafetyNotes:
    """The safety points of one card, and how urgent they make it."""

    def __init__(self, p: Prescriber, indicator: Indicator) -> None:
        self.p, self.indicator = p, indicator
        self.notes: list[Note] = []

    def _say(self, text: Message, at_least: Indicator = "info", part: Section = "safety") -> None:
        self.notes.append(Note(part, text))
        self.indicator = most_urgent(self.indicator, at_least)

    def _ask(self, text: Message) -> None:
        self.notes.append(Note("ask", text))

    def of_substances(self, drugs: Sequence[PlannedDrug], *, allergic: bool, told: bool) -> None:
        """Whether cobalamin, and cyanocobalamin, may be given at all."""
        facts = self.p.facts
        if allergic and told:
            self._say(say(Texts.allergy_told, names=Listed(facts.reactions)), "critical")
        elif allergic:
            self._say(say(Texts.allergy, names=Listed(facts.reactions)), "critical")
        elif (drugs or told) and facts.possible_reactions:
            possible = Listed(facts.possible_reactions)
            self._say(say(Texts.allergy_possible, names=possible), "warning")
        elif drugs and "allergies" in facts.missing | facts.incomplete:
            self._ask(say(Texts.allergies_unknown))
        if drugs and facts.leber:
            self._say(say(Texts.leber, name=named(facts.leber)), "warning")
        elif any(drug.substance == "cyanocobalamin" for drug in drugs):
            self._ask(say(Texts.leber_ask))

    def of_injecting(self, drugs: Sequence[PlannedDrug]) -> None:
        p = self.p
        if p.subcutaneous:
            because = self._why_not_into_muscle()
            if because:
                self._say(say(Texts.bleeding, because=because), "warning")
            if any(drug.substance == "hydroxocobalamin" for drug in drugs):
                self._say(say(Texts.bleeding_label), part="position")
            for note in bleeding_in_words(p.facts):
                self._say(note, "warning")
        elif not self._counted():
            by_mouth = drugs[0].route == p.g.file.routes.oral  # the injection is an alternative
            self._say(self._without_a_count(), part="caution" if by_mouth else "before")

    def _why_not_into_muscle(self) -> Value:
        """The count that is low, or what is recorded by a code against clotting or platelets; ""
        where only words say so."""
        p, facts = self.p, self.p.facts
        count = _count_that_decides(facts, p.g.limits)
        recorded_ones = (*facts.bleeding, *facts.thrombocytopenia)
        if count is not None and p.g.limits.platelets_injection.holds(count.value):
            return say(Texts.platelets_low, value=_dated_value(count))
        return named(recorded_ones)

    def _without_a_count(self) -> Message:
        """No count of the last days, or none that could be used."""
        early = self.p.facts.early.get("platelets")
        if early is not None:
            return say(Texts.platelets_early, value=_dated_value(early))
        unread = self.p.facts.may_be_unread("platelets")
        return say(Texts.platelets_unread if unread else Texts.platelets_unknown)

    def of_preservative(self) -> None:
        p = self.p
        if p.too_young_for_preservative:
            self._say(say(Texts.preservative_free))
        if p.facts.preservative_reactions:
            names = Listed(p.facts.preservative_reactions)
            self._say(say(Texts.preservative_allergy, names=names), "warning")

    def _counted(self) -> bool:
        """There is a count of the last days that is a number; "below 100" may be anything."""
        asked = self.p.safety
        days = asked.platelets_days if asked.platelets_exact else None
        return days is not None and self.p.g.limits.platelets_recent.holds(days)

    def of_treating(self, *, injecting: bool) -> None:
        """What treating a deficiency may do, or what may hide it."""
        p, facts = self.p, self.p.facts
        if p.minds("SAF-06"):
            low = monitoring.potassium_low(facts, p.g)
            value = self._potassium()
            asked = structs.replace(p.safety, parenteral=injecting)
            text = say(Texts.potassium_low if low else Texts.potassium_watch, value=value)
            if p.why.row(p.g.tables.safety, "SAF-06b", asked):
                text = say(Texts.potassium_inpatient, value=value)
            self._say(text, "warning" if low else "info")
        if p.minds("SAF-07"):
            self._say(say(Texts.folate_alone, name=facts.therapy.folic_acid_alone), "warning")
        if p.minds("SAF-08"):
            self._say(say(Texts.renal, name=named(facts.renal)), part="caution")
        gas = facts.nitrous_oxide or facts.nitrous_oxide_given
        if p.minds("SAF-09") and not gas:  # else the answer warns of it
            self._say(say(Texts.nitrous_oxide), part="caution")

    def _potassium(self) -> Value:
        """The newest of the last month with its day; a preliminary one is called so."""
        facts = self.p.facts
        early, window = facts.early.get("potassium"), self.p.g.limits.labs_recent
        if early is not None and window.holds(fewest_days_since(early.when, facts.on)):
            return say(Texts.value_not_final, value=_dated_value(early))
        potassium = recent(facts, "potassium", window)
        if potassium is not None:
            return _dated_value(potassium)
        unread = facts.may_be_unread("potassium")
        return say(Texts.not_all_read if unread else Texts.not_measured)

    def of_names(self) -> None:
        """Orders that are vitamin B12 by their name only."""
        therapy = self.p.facts.therapy
        for name in some_of(therapy.looks_like_b12):
            self._say(say(Texts.looks_like_b12, name=name), "warning")
        for name in some_of(therapy.perhaps):
            self._say(say(Texts.perhaps_b12, name=name), "warning")
        for name in some_of(therapy.dispensed):
            self._say(say(Texts.dispensed, name=name), "warning")

    def of_malabsorption(self) -> None:
        """Words of malabsorption, next to what is swallowed or to nothing."""
        for name in some_of([one.name for one in self.p.facts.worded.malabsorption]):
            self._say(say(Texts.worded_malabsorption, name=name), "warning")

    def of_prohibitions(self, drugs: Sequence[PlannedDrug]) -> None:
        """Orders not to give what the card suggests."""
        found = [one.name for drug in drugs for one in self.p.forbidden(drug)]
        if found:
            names = Listed(tuple(dict.fromkeys(found)))
            self._say(say(Texts.prohibited, names=names), "warning")

    def of_other_orders(self) -> None:
        """Orders and doses that may be vitamin B12 too."""
        therapy = self.p.facts.therapy
        self.of_names()
        if therapy.unknown:
            self._ask(say(Texts.medication_unknown, count=therapy.unknown))
        if therapy.alike:
            self._ask(say(Texts.medication_alike, names=Listed(tuple(some_of(therapy.alike)))))
        combined = [one for one in therapy.combined if one not in therapy.injected]
        if combined:
            self._ask(say(Texts.medication_combined, names=Listed(tuple(some_of(combined)))))
        for name in some_of(therapy.given_like_b12):
            self._ask(say(Texts.given_by_name, name=name))
        if therapy.unknown_given:
            self._ask(say(Texts.given_unknown, count=therapy.unknown_given))


def regimens(g: Guideline) -> Iterator[Ordered]:
    """Each dose by each product and route that a card may suggest, for no one."""
    file = g.file
    doses, products, routes = file.doses, file.products, file.routes
    injected = dict.fromkeys((file.policy.parenteral_product, "hydroxocobalamin_injection"))
    by_mouth = (("oral", routes.oral, ""),)
    by_injection = (
        ("intramuscular", routes.intramuscular, say(Texts.way_intramuscular)),
        ("subcutaneous", routes.subcutaneous, say(Texts.way_subcutaneous)),
    )
    for dose, names, ways in (
        (doses.oral_regimen, ("oral_solution",), by_mouth),
        (doses.infant_daily, ("ingredient",), by_mouth),
        (doses.toddler_daily, ("ingredient",), by_mouth),
        (doses.neurological_injections, injected, by_injection),
        (doses.weekly_injections, injected, by_injection),
    ):
        for name in names:
            for way, route, said in ways:
                product: Product = getattr(products, name)
                called = "-".join((dose.key, product.substance, way))
                drug = _for_no_one(dose, product, route, said)
                label = dose.labelled(dose.amount, product.substance, said)
                yield Ordered(dose.rule, called, label, drug, dose.amount if dose.per_kg else None)


def _for_no_one(dose: Dose, product: Product, route: Code, way: Words) -> PlannedDrug:
    """A dose as an order without a patient, a day or reasons."""
    phases = []
    for number, phase in enumerate(dose.phases, 1):
        then = dose.afterwards if phase.then else ""
        values: dict[str, Value] = {"amount": dose.amount, "route": way, "begins": "...",
                                    "then": then}  # fmt: skip
        text = "" if dose.per_kg else dose.in_words(number, values)
        phases.append(Phase(**{**structs.asdict(phase), "text": text, "then": then}))
    return PlannedDrug(
        product.codes, product.called, route, dose.amount, dose.unit, tuple(phases),
        date(2026, 1, 1), "routine", substance=product.substance, strength=product.strength,
    )  # fmt: skip
