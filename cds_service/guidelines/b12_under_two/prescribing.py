"""The orders of a treatment card: doses (table DOSE) and what makes them safe (table SAF)."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal

from cds_service.clinical import Code, Phase, PlannedDrug
from cds_service.guidelines.b12_under_two import monitoring
from cds_service.guidelines.b12_under_two.assessment import Assessment, Status, recent
from cds_service.guidelines.b12_under_two.data import Dose, Guideline, Product
from cds_service.guidelines.b12_under_two.facts import Facts, injection_product
from cds_service.guidelines.b12_under_two.results import Lab
from cds_service.guidelines.b12_under_two.words import (
    named,
    number,
    shown_unit,
    shown_weight,
    test_notes,
)
from cds_service.guidelines.engine import Choice, Indicator, Note, most_urgent
from cds_service.guidelines.tables import Reasoning


def preservative_matters(facts: Facts, g: Guideline, why: Reasoning) -> bool:
    """Newborns, and the preterm before 44 weeks after conception, must not get benzyl alcohol."""
    weeks = facts.gestation_weeks
    if weeks is None and facts.preterm:
        weeks = g.file.constants.preterm_assumed.value
    preterm = False
    if weeks is not None and facts.patient.birth is not None:
        age_days = (facts.on - min(facts.patient.birth.last, facts.on)).days
        preterm = g.limits.preterm_birth.holds(weeks) and g.limits.benzyl_alcohol_age.holds(
            weeks + Decimal(age_days) / 7
        )
    return why.holds(
        "SAF-04",
        facts.age.neonate or preterm,
        "newborn: {}, preterm: {}",
        facts.age.neonate,
        preterm,
    )


def counted_platelets(facts: Facts, g: Guideline) -> Lab | None:
    """A count of the last days that is a number; "below 100" may be anything below."""
    count = recent(facts, "platelets", g.limits.platelets_recent)
    return count if count is not None and not count.comparator else None


def must_not_inject_muscle(facts: Facts, g: Guideline, why: Reasoning) -> bool:
    """Platelets under 50, a clotting disorder, or thrombocytopenia without a count this week.

    A low count of the last month stands until a newer one lifts it.
    """
    last = recent(facts, "platelets", g.limits.labs_recent)
    low = last is not None and g.limits.platelets_injection.holds(last.value)
    count = counted_platelets(facts, g)
    uncounted = count is None and bool(facts.thrombocytopenia)
    return why.holds(
        "SAF-03",
        low or uncounted or bool(facts.bleeding),
        "platelets {}, bleeding disorder: {}, thrombocytopenia: {}",
        last.written if last else "not available",
        bool(facts.bleeding),
        bool(facts.thrombocytopenia),
    )


def age_based_amount(kg: Decimal, dose: Dose) -> Decimal:
    """Micrograms a day for a weight, rounded half up to a tenth."""
    return (kg * dose.amount).quantize(Decimal("0.1"), ROUND_HALF_UP)


class Prescriber:
    """Builds the suggestions of one treatment card."""

    def __init__(self, facts: Facts, a: Assessment, g: Guideline, why: Reasoning) -> None:
        self.facts, self.a, self.g, self.why = facts, a, g, why
        self.reasons = reasons_of(facts, a.status)
        self.neuro = bool(facts.neurological)
        self.subcutaneous = must_not_inject_muscle(facts, g, why)
        self.preservative_free = preservative_matters(facts, g, why)
        self.notes: list[Note] = []
        self._tests_noted = False

    def oral(self, *, recommended: bool) -> Choice:
        dose = self.g.file.doses.oral_regimen
        product = self.g.file.products.oral_solution
        return self._choice(
            dose,
            product,
            self.g.file.routes.oral,
            dose.amount,
            recommended,
            parenteral=False,
        )

    def injection(self, dose: Dose, *, recommended: bool) -> Choice:
        product = injection_product(self.facts, self.g)
        routes = self.g.file.routes
        route = routes.subcutaneous if self.subcutaneous else routes.intramuscular
        return self._choice(dose, product, route, dose.amount, recommended, parenteral=True)

    def maintenance(self, *, recommended: bool) -> Choice | None:
        """The requirement-level daily dose, or a note why it cannot be worked out."""
        facts, texts, doses = self.facts, self.g.file.texts, self.g.file.doses
        if "conditions" in facts.incomplete:
            return None  # "mild" is not known while part of the problem list is missing
        label = {"label": texts.maintenance_label}
        if facts.age.band == "either":
            self.why.holds("DOSE-B", False, "age band unclear")
            self.notes.append(Note("advice", texts.maintenance_age_unclear, label))
            return None
        ingredient = self.g.file.products.ingredient
        oral = self.g.file.routes.oral
        if facts.age.band == "toddler":
            self.why.holds("DOSE-C", True, "toddler")
            dose = doses.toddler_daily
            return self._choice(dose, ingredient, oral, dose.amount, recommended, parenteral=False)
        dose, kg = doses.infant_daily, facts.weight.kg
        if kg is None or not self.why.holds("DOSE-B", True, "weight: {} kg", kg):
            stale = facts.weight.rule == "WT-05"
            text = texts.maintenance_stale_weight if stale else texts.maintenance_no_weight
            self.notes.append(Note("advice", text, label))
            return None
        amount = age_based_amount(kg, dose)
        self.notes.append(
            Note(
                "advice",
                texts.maintenance_dose,
                {
                    **label,
                    "amount": number(amount),
                    "kg": shown_weight(kg),
                    "date": facts.weight.on,
                    "per_kg": number(dose.amount),
                },
            )
        )
        if amount > doses.toddler_daily.amount:
            self.notes.append(
                Note(
                    "advice",
                    texts.maintenance_anomaly,
                    {"amount": number(amount), "toddler": number(doses.toddler_daily.amount)},
                )
            )
        return self._choice(dose, ingredient, oral, amount, recommended, parenteral=False)

    def _choice(
        self,
        dose: Dose,
        product: Product,
        route: Code,
        amount: Decimal,
        recommended: bool,
        *,
        parenteral: bool,
    ) -> Choice:
        facts, g = self.facts, self.g
        if dose.rule not in ("DOSE-B", "DOSE-C"):
            self.why.holds(dose.rule, True, "offered; recommended: {}", recommended)
        way = "deep subcutaneous (not intramuscular)" if self.subcutaneous else "intramuscular"
        drop_product = parenteral and self.preservative_free and product.benzyl_alcohol
        drug = PlannedDrug(
            codes=() if drop_product else product.codes,
            name=product.name if not drop_product else f"{product.substance}, preservative-free",
            route=route,
            amount=amount,
            unit=dose.unit,
            phases=tuple(_filled(phase, dose, amount, way, facts) for phase in dose.phases),
            authored=facts.on,
            priority="stat" if self.neuro else "urgent" if parenteral else "routine",
            reasons=self.reasons,
        )
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
        if not self._tests_noted:
            self._tests_noted = True
            self.notes += test_notes(tests, already, g)
        label = dose.label.format(
            substance=product.substance,
            amount=number(amount),
            route=way,
        )
        label += g.file.texts.with_tests if tests else ""
        return Choice(dose.rule, label[0].upper() + label[1:], (drug, *tests), recommended)


def _filled(phase: Phase, dose: Dose, amount: Decimal, way: str, facts: Facts) -> Phase:
    """The phase with its text in words; ``way`` is how an injection is given."""
    kg = facts.weight.kg
    return Phase(
        phase.frequency,
        phase.period,
        phase.period_unit,
        phase.duration,
        phase.duration_unit,
        phase.count,
        phase.text.format(
            amount=number(amount),
            per_kg=number(dose.amount),
            kg=shown_weight(kg) if kg else "-",
            date=facts.weight.on or "-",
            route=way,
        ),
    )


def reasons_of(facts: Facts, status: Status) -> tuple[str, ...]:
    """The resources an order rests on: the level and the diagnosis."""
    level = [status.level.source] if status.level is not None else []
    diagnoses = [one.source for one in facts.deficiency]
    return tuple(dict.fromkeys(one for one in (*level, *diagnoses) if one))


def dose_notes(choices: Sequence[Choice], p: Prescriber) -> list[Note]:
    """The regimen in words, for clients that ignore the structured order."""
    texts = p.g.file.texts
    notes: list[Note] = []
    drugs = [
        (choice, plan)
        for choice in choices
        for plan in choice.plans
        if isinstance(plan, PlannedDrug)
    ]
    if not drugs:
        return []
    main = next((one for one in drugs if one[0].recommended), drugs[0])[1]
    notes += [Note("advice", texts.dose_table_row, {"text": phase.text}) for phase in main.phases]
    notes += [
        Note("advice", texts.alternative, {"label": choice.label})
        for choice, drug in drugs
        if drug is not main and choice.rule not in ("DOSE-B", "DOSE-C")
    ]
    if p.neuro:
        notes.append(Note("follow_up", texts.expected_response))
    if main.route == p.g.file.routes.oral:
        if main.amount == p.g.file.doses.oral_regimen.amount:
            notes.append(Note("why", texts.fixed_dose))
        if p.facts.age.youngest >= 20:
            notes.append(Note("why", texts.age_beyond_trial))
    else:
        notes.append(Note("safety", texts.label_discordance))
        notes.append(Note("safety", texts.first_injection))
        notes.append(Note("follow_up", texts.draw_before_dose))
    return notes


def safety_notes(
    route: str, choices: Sequence[Choice], indicator: Indicator, p: Prescriber, *, allergic: bool
) -> tuple[list[Note], Indicator]:
    """Safety points that apply, and the indicator they demand."""
    facts, g, why = p.facts, p.g, p.why
    texts, status = g.file.texts, p.a.status
    notes: list[Note] = []
    drugs = [plan for choice in choices for plan in choice.plans if isinstance(plan, PlannedDrug)]
    injects = any(drug.route != g.file.routes.oral for drug in drugs)
    concerned = status.deficient or status.name == "borderline"
    if allergic and (concerned or route == "DUP-03"):
        indicator = "critical"
        notes.append(Note("safety", texts.allergy, {"names": ", ".join(facts.reactions)}))
    elif drugs and "allergies" in facts.missing | facts.incomplete:
        notes.append(Note("safety", texts.allergies_unknown))
    if drugs and facts.leber:
        indicator = most_urgent(indicator, "warning")
        notes.append(Note("safety", texts.leber, {"name": named(facts.leber)}))
    elif any("cyanocobalamin" in drug.name.lower() for drug in drugs):
        notes.append(Note("safety", texts.leber_ask))
    if injects:
        if p.subcutaneous:
            indicator = most_urgent(indicator, "warning")
            notes.append(Note("safety", texts.bleeding))
        elif counted_platelets(facts, g) is None:
            notes.append(Note("safety", texts.platelets_unknown))
        if p.preservative_free:
            notes.append(Note("safety", texts.preservative_free))
    if concerned:
        at_risk_of_fall = monitoring.potassium_at_risk(facts, g)
        if why.holds("SAF-06", at_risk_of_fall, "risk of low potassium: {}", at_risk_of_fall):
            low = monitoring.potassium_low(facts, g)
            if low:
                indicator = most_urgent(indicator, "warning")
            potassium = recent(facts, "potassium", g.limits.labs_recent)
            text = texts.potassium_low if low else texts.potassium_watch
            notes.append(
                Note(
                    "safety",
                    text,
                    {"value": shown_unit(potassium.written) if potassium else "not available"},
                )
            )
        if why.holds(
            "SAF-07",
            bool(facts.therapy.folic_acid_alone),
            "folic acid alone: {}",
            bool(facts.therapy.folic_acid_alone),
        ):
            indicator = most_urgent(indicator, "warning")
            notes.append(
                Note("safety", texts.folate_alone, {"name": facts.therapy.folic_acid_alone})
            )
        if why.holds("SAF-08", bool(facts.renal), "renal impairment: {}", bool(facts.renal)):
            notes.append(Note("safety", texts.renal, {"name": named(facts.renal)}))
        why.holds("SAF-09", True, "always said; planned procedures are not looked at")
        notes.append(Note("safety", texts.nitrous_oxide))
    if drugs:
        for name in facts.therapy.looks_like_b12:
            notes.append(Note("safety", texts.looks_like_b12, {"name": name}))
        if facts.therapy.unknown:
            notes.append(Note("safety", texts.medication_unknown, {"count": facts.therapy.unknown}))
    return notes, indicator
