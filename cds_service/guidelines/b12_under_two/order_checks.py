"""Checks of the orders being written (table ORD), and what is missing among them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Literal, TypeAlias

from msgspec import Struct, structs

from cds_service.clinical import (
    Basket,
    Code,
    Draft,
    Medication,
    PlannedDrug,
    RemovedDraft,
    RevisedDrug,
)
from cds_service.guidelines.b12_under_two import monitoring, treatment
from cds_service.guidelines.b12_under_two.age import add_months
from cds_service.guidelines.b12_under_two.assessment import Assessment
from cds_service.guidelines.b12_under_two.data import Guideline
from cds_service.guidelines.b12_under_two.dosing import INJECTED, Dosing, Way, understand
from cds_service.guidelines.b12_under_two.facts import Facts
from cds_service.guidelines.b12_under_two.prescribing import (
    Prescriber,
    must_not_inject_muscle,
    preservative_matters,
    safety_notes,
)
from cds_service.guidelines.b12_under_two.products import Drug, recognise
from cds_service.guidelines.b12_under_two.therapy import route_of
from cds_service.guidelines.b12_under_two.words import (
    card_values,
    finding_notes,
    named,
    shown_dose,
    test_notes,
)
from cds_service.guidelines.engine import (
    CannotTell,
    Choice,
    Indicator,
    Note,
    NotIndicated,
    Outcome,
    Recommend,
    most_urgent,
)
from cds_service.guidelines.tables import Reasoning

_BY_MOUTH: frozenset[Way] = frozenset({"oral", "sublingual", "nasal"})
_IN_WORDS: Mapping[Way, str] = {
    "oral": "by mouth",
    "sublingual": "under the tongue",
    "nasal": "into the nose",
    "parenteral": "by injection",
    "intramuscular": "into the muscle",
    "subcutaneous": "under the skin",
    "intravenous": "into the vein",
}
#: A draft in one of these states orders nothing (any more).
_DEAD = frozenset({"cancelled", "stopped", "completed", "ended", "entered-in-error", "revoked"})
#: A sign of the nerves is explained by nothing else than a level known to be adequate.
_EXCLUDED = frozenset({"adequate", "probably adequate"})
#: Rows of the route table that ask for treatment, or for a specialist.
_TREATED = frozenset({"RTE-01", "RTE-02", "RTE-03", "RTE-04", "RTE-05", "RTE-06", "RTE-07"})


#: A drug as the guideline would order it, and what is said of its safety.
_Regimen: TypeAlias = tuple[PlannedDrug, tuple[Note, ...]]


class _Order(Struct, frozen=True):
    """A draft and what was understood of it."""

    draft: Draft
    drug: Drug
    dosing: Dosing
    name: str

    @property
    def ways(self) -> frozenset[Way]:
        return self.dosing.ways

    @property
    def injected(self) -> bool:
        return bool(self.ways & INJECTED)

    @property
    def by_mouth(self) -> bool:
        return bool(self.ways & _BY_MOUTH)


def check_orders(
    basket: Basket, facts: Facts, a: Assessment, g: Guideline, why: Reasoning, *, signing: bool
) -> list[Outcome]:
    """What is to be said about the orders being written.

    Every selected order of vitamin B12 is checked in the light of the whole basket. A deficient,
    untreated child whose basket holds no vitamin B12 is spoken of when the orders are signed, or
    while nothing else is being written.
    """
    if not basket.sent:  # nobody said which orders are being written: not the same as none
        return [CannotTell("ORD-09", ("the orders being written",))]
    orders = [_read(one, facts, g) for one in basket.drafts if one.kind == "drug"]
    orders = [one for one in orders if one.draft.status not in _DEAD and one.draft.begun]
    of_b12 = [one for one in orders if one.drug.kind == "b12"]
    unknown = [one for one in orders if one.drug.kind == "unknown"]
    checker = _Checker(facts, a, g, why)
    outcomes: list[Outcome] = []
    for order in orders:
        if order.draft.selected and order.drug.kind == "combination":
            outcomes += checker.combination(order)
    for place, order in enumerate(of_b12):
        if order.draft.selected:
            before = of_b12[:place]
            aside = [one for one in of_b12[place + 1 :] if not one.draft.selected]
            outcomes += checker.check(order, [*before, *aside])
    selected = [one for one in of_b12 if one.draft.selected]
    if selected:
        missing = checker.follow_up(selected[0], outcomes)
        outcomes += [missing] if missing is not None else []
    if not of_b12:
        unseen = len(unknown) + basket.unreadable
        outcomes += checker.unordered(basket, orders, unseen, signing=signing)
    outcomes += [checker.unidentified(one) for one in unknown if one.draft.selected]
    if basket.unreadable:
        outcomes.append(checker.unread(basket.unreadable))
    return outcomes or [NotIndicated("ORD-14", checker.why_silent(bool(selected)))]


def may_concern_b12(basket: Basket, g: Guideline) -> bool:
    """Whether a selected order is one of vitamin B12, or one that nobody can identify or read."""
    return basket.unreadable > 0 or any(
        one.kind == "drug"
        and one.selected
        and one.begun
        and one.status not in _DEAD
        and recognise(one.codes, one.text, g).kind in ("b12", "unknown")
        for one in basket.drafts
    )


def _read(draft: Draft, facts: Facts, g: Guideline) -> _Order:
    drug = recognise(draft.codes, draft.text, g)
    dosing = understand(draft.dosages, drug, facts.weight.kg, g)
    name = draft.text or next((one.display for one in draft.codes if one.display), "")
    name = name or ("vitamin B12" if drug.kind == "b12" else "an order without a name")
    return _Order(draft, drug, dosing, name)


class _Checker:
    """The rows of the table, for one child."""

    def __init__(self, facts: Facts, a: Assessment, g: Guideline, why: Reasoning) -> None:
        self.facts, self.a, self.g, self.why = facts, a, g, why
        self._regimens: dict[bool, _Regimen | None] = {}
        self.deficient = a.status.deficient
        self.pressing = bool(facts.neurological) or a.severity == "severe"
        self.best = treatment.choose_route(facts, a, g, Reasoning(), ignoring_treatment=True)
        self.absent = tuple(
            need.name
            for need in g.needs
            if need.importance == "required" and need.key in facts.missing
        )

    def why_silent(self, checked: bool) -> str:
        if checked:
            return "the order agrees with the guideline"
        if self.facts.therapy.current:
            return "vitamin B12 is ordered or given already"
        if self.deficient:
            return "another order is being written; treatment is advised when orders are signed"
        return "no order of vitamin B12 is being written, and none is called for here"

    # --- one order of vitamin B12 ---------------------------------------------------------------

    def check(self, order: _Order, others: Sequence[_Order]) -> list[Recommend]:
        found = [*self.dangers(order), *self._route(order), *self._dose(order),
                 *self._injection(order), *self._duplicates(order, others)]  # fmt: skip
        unclear = self._not_checked(order)
        if unclear is not None:
            found.append(unclear)
        self.why.holds("ORD-14", not found, "{}: nothing to object to", order.name)
        return found

    def dangers(self, order: _Order) -> Iterator[Recommend]:
        """ORD-10: a form or a drug that harms this child, also in a combination."""
        facts, holds = self.facts, self.why.holds
        if holds(
            "ORD-10",
            bool(facts.reactions),
            "{}: reaction to cobalamin: {}",
            order.name,
            bool(facts.reactions),
        ):
            values = {"reactions": ", ".join(facts.reactions)}
            yield self._speak(
                "ORD-10", "ORD-10.allergy", order, values, self._remove("ORD-10", order)
            )
            return
        blinding = order.drug.may_be_cyanocobalamin
        if holds(
            "ORD-10",
            blinding and bool(facts.leber),
            "{}: may be cyanocobalamin: {}, Leber's optic neuropathy: {}",
            order.name,
            blinding,
            bool(facts.leber),
        ):
            alone = order.drug.kind == "b12"
            choices = self._replace("ORD-10", order, "medication", "dosage") if alone else ()
            choices = choices or self._remove("ORD-10", order)
            yield self._speak("ORD-10", "ORD-10.leber", order, {}, choices)
        inborn = self.a.cause == "inborn" and order.drug.kind == "b12"
        if holds(
            "ORD-10",
            blinding and inborn,
            "{}: may be cyanocobalamin: {}, inborn error: {}",
            order.name,
            blinding,
            inborn,
        ):
            yield self._speak("ORD-10", "ORD-10.inborn", order, {}, self._remove("ORD-10", order))

    def combination(self, order: _Order) -> Iterator[Recommend]:
        """Vitamin B12 among other substances: no treatment, and its dose is not worked out."""
        dangers = list(self.dangers(order))
        if dangers:
            yield from dangers
            return
        facts = self.facts
        concerned = self.deficient or self.a.status.name == "borderline" or facts.neurological
        if self.why.holds(
            "ORD-09",
            bool(concerned),
            "{}: a combination; status: {}",
            order.name,
            self.a.status.name,
        ):
            yield self._unchecked(order, ["a combination does not treat a vitamin B12 deficiency"])

    def _route(self, order: _Order) -> Iterator[Recommend]:
        """ORD-01 and ORD-02: by mouth where injections are indicated."""
        if not order.by_mouth:
            return
        facts, a = self.facts, self.a
        ways = ", ".join(sorted(order.ways))
        inborn = a.cause == "inborn"
        signs = bool(facts.neurological) and a.status.name not in _EXCLUDED
        severe = a.severity == "severe"
        if self.why.holds(
            "ORD-02",
            inborn or signs or severe,
            "{}: {}; inborn error: {}, neurological signs: {}, severe: {}",
            order.name,
            ways,
            inborn,
            signs,
            severe,
        ):
            if inborn:
                yield self._speak(
                    "ORD-02", "ORD-02.inborn", order, {}, self._remove("ORD-02", order)
                )
                return
            reason = (
                named(facts.neurological) if signs else f"severe deficiency ({a.severity_because})"
            )
            choices = self._replace("ORD-02", order, "medication", "dosage")
            yield self._speak("ORD-02", "ORD-02", order, {"reason": reason}, choices)
            return
        malabsorbs = a.cause in ("malabsorption", "mixed")
        if self.why.holds("ORD-01", malabsorbs, "{}: {}; cause: {}", order.name, ways, a.cause):
            choices = self._replace("ORD-01", order, "medication", "dosage")
            yield self._speak("ORD-01", "ORD-01", order, {}, choices)

    def _dose(self, order: _Order) -> Iterator[Recommend]:
        """ORD-03, ORD-04, ORD-05 and ORD-07: too much, per kg without a weight, too little."""
        limits, dosing, holds = self.g.limits, order.dosing, self.why.holds
        largest = max((one for one in (dosing.single_high, dosing.day_most) if one is not None),
                      default=None)  # fmt: skip
        seen = dosing.in_words()
        excessive = largest is not None and limits.dose_excessive.holds(largest)
        if holds(
            "ORD-04",
            dosing.per_kg_in_mg or excessive,
            "{}: {}; per kg in mg: {}",
            order.name,
            seen,
            dosing.per_kg_in_mg,
        ):
            yield self._speak("ORD-04", "ORD-04", order, {}, self._redose("ORD-04", order))
            return
        above = largest is not None and limits.dose_suggested.holds(largest)
        if holds("ORD-03", above, "{}: {}", order.name, seen):
            yield self._speak("ORD-03", "ORD-03", order, {}, self._redose("ORD-03", order))
        if holds(
            "ORD-05", dosing.needs_weight, "{}: per kg, {}", order.name, self._weight_in_words()
        ):
            values = {"weight": self._weight_in_words()}
            yield self._speak("ORD-05", "ORD-05", order, values, self._redose("ORD-05", order))
            return
        average, single = dosing.average_high, dosing.single_high
        too_little = (
            self.deficient and average is not None and limits.requirement_dose.holds(average)
        )
        if holds("ORD-07", too_little, "{}: {}; status: {}", order.name, seen, self.a.status.name):
            yield self._speak(
                "ORD-07",
                "ORD-07",
                order,
                {},
                self._redose("ORD-07", order),
                "critical" if self.pressing else None,
            )
            return
        tenth = self.deficient and single is not None and limits.dose_tenth.holds(single)
        if holds("ORD-07", tenth, "{}: {}; a tenth of the regimen", order.name, seen):
            yield self._speak("ORD-07", "ORD-07.tenth", order, {}, self._redose("ORD-07", order))

    def _injection(self, order: _Order) -> Iterator[Recommend]:
        """ORD-11 and ORD-12: where and with what preservative it is injected."""
        if not order.injected:
            return
        facts, g, why = self.facts, self.g, self.why
        risky = must_not_inject_muscle(facts, g, why)
        muscle = bool(order.ways & {"intramuscular", "parenteral"})
        ways = ", ".join(sorted(order.ways))
        if why.holds("ORD-11", risky and muscle, "{}: {}; may bleed: {}", order.name, ways, risky):
            values = {
                "bleeding": named((*facts.bleeding, *facts.thrombocytopenia)) or "low platelets"
            }
            choices = self._reroute("ORD-11", order, g.file.routes.subcutaneous)
            yield self._speak("ORD-11", "ORD-11", order, values, choices)
        vein = "intravenous" in order.ways
        if why.holds("ORD-11", vein, "{}: {}", order.name, ways):
            values = {"route": "deep under the skin" if risky else "into the muscle"}
            routes = g.file.routes
            route = routes.subcutaneous if risky else routes.intramuscular
            choices = self._reroute("ORD-11", order, route)
            yield self._speak("ORD-11", "ORD-11.vein", order, values, choices)
        preserved = preservative_matters(facts, g, why) and not order.drug.preservative_free
        if why.holds("ORD-12", preserved, "{}: preservative matters: {}", order.name, preserved):
            choices = self._replace("ORD-12", order, "medication")
            yield self._speak("ORD-12", "ORD-12", order, {}, choices)

    def _duplicates(self, order: _Order, others: Sequence[_Order]) -> Iterator[Recommend]:
        """ORD-06: the same drug is active already, or stands in the basket twice."""
        active = [one for one in self.facts.therapy.active if one.source != order.draft.source]
        same: list[Medication] = []
        other: list[Medication] = []
        for one in active:
            route = route_of(one, self.g)
            apart = (route == "parenteral" and order.by_mouth and not order.injected) or (
                route in ("oral", "other") and order.injected and not order.by_mouth
            )
            (other if apart else same).append(one)
        twins = [one for one in others
                 if not (one.ways and order.ways) or one.injected == order.injected]  # fmt: skip
        names = [treatment.medication_names(same)] if same else []
        names += [one.name for one in twins]
        if self.why.holds(
            "DUP-02", bool(names), "{}: also ordered: {}", order.name, ", ".join(names) or "nothing"
        ):
            values = {"other": ", ".join(names)}
            yield self._speak("ORD-06", "ORD-06", order, values, self._remove("ORD-06", order))
        elif self.why.holds(
            "ORD-06", bool(other), "{}: {} by another route", order.name, len(other)
        ):
            stops, names_of_others = treatment.stop_orders(other), treatment.medication_names(other)
            label = f"Stop the other order: {names_of_others}"
            choices = [Choice("ORD-06", label, stops)] if stops else []
            values = {"other": names_of_others}
            yield self._speak("ORD-06", "ORD-06.other", order, values, choices)

    def _not_checked(self, order: _Order) -> Recommend | None:
        """ORD-09: what could not be worked out is said, it never passes for checked."""
        facts, g = self.facts, self.g
        reasons = list(order.dosing.problems)
        for need in g.needs:
            if need.importance == "required" and need.key in facts.missing | facts.incomplete:
                how = "not available" if need.key in facts.missing else "incomplete"
                reasons.append(f"{need.name}: {how}")
        if not self.why.holds(
            "ORD-09", bool(reasons), "{}: {}", order.name, "; ".join(reasons) or "all understood"
        ):
            return None
        return self._unchecked(order, reasons)

    def unidentified(self, order: _Order) -> Recommend:
        """ORD-09: an order that may be of vitamin B12."""
        doubts = order.drug.doubts or ("the medication it names could not be read",)
        self.why.holds("ORD-09", True, "{}: {}", order.name, "; ".join(doubts))
        return self._unchecked(order, doubts)

    def unread(self, count: int) -> Recommend:
        """ORD-09: orders of which nothing could be read, which may be of vitamin B12."""
        self.why.holds("ORD-09", True, "{} orders could not be read", count)
        name = "An order in the basket" if count == 1 else f"{count} orders in the basket"
        nothing = structs.replace(_read(Draft("drug", "", b"{}"), self.facts, self.g), name=name)
        return self._unchecked(nothing, ["it could not be read and may be of vitamin B12"])

    def _unchecked(self, order: _Order, reasons: Sequence[str]) -> Recommend:
        texts = self.g.file.texts
        notes = [Note("advice", texts.draft_not_checked, {"reason": one}) for one in reasons]
        known = {"b12", "conditions"}.isdisjoint(self.facts.missing | self.facts.incomplete)
        if known and not self.facts.therapy.current:
            notes += self._regimen_notes(order, texts.draft_regimen)
        values = {"reasons": "; ".join(reasons)}
        return self._speak("ORD-09", "ORD-09", order, values, (), notes=notes)

    # --- what is missing in the basket ------------------------------------------------------------

    def follow_up(self, order: _Order, said: Sequence[Outcome]) -> Recommend | None:
        """ORD-08: the levels of one and three months, with the tests that go with them."""
        facts, a, g, why = self.facts, self.a, self.g, self.why
        start = facts.therapy.start if facts.therapy.current else None
        start = start or facts.on
        due = {
            "one month": add_months(start, 1),
            "three months": add_months(start, 3),
        }
        lacking = [
            words
            for words, day in due.items()
            if day >= facts.on and not monitoring.is_ordered(g.file.tests.b12, day, facts, g)
        ]
        refused = any(isinstance(one, Recommend) and one.card in _REFUSALS for one in said)
        if not why.holds(
            "ORD-08",
            bool(lacking) and not refused,
            "{}: no level ordered for {}",
            order.name,
            " and ".join(lacking) or "nothing",
        ):
            return None
        wanted: list[monitoring.Wanted] = [
            ("b12", day) for words, day in due.items() if words in lacking
        ]
        first = not facts.therapy.current
        if self.deficient and first:
            wanted += monitoring.baseline(facts, a, g, why)
            wanted += [
                one
                for one in monitoring.during_treatment(facts, a, g, why, parenteral=order.injected)
                if one[0] != "b12"
            ]
        elif first and a.status.level is None and facts.preliminary is None:
            wanted.append(("b12", facts.on))
        tests, already = monitoring.plan_tests(wanted, facts, g, why, before_dose=order.injected)
        notes = test_notes(tests, already, g)
        if any(one.due == facts.on for one in tests):
            notes.append(Note("advice", g.file.texts.baseline_first))
        return self._speak(
            "ORD-08",
            "ORD-08",
            order,
            {"windows": " and ".join(lacking)},
            monitoring.test_choices("ORD-08", tests),
            notes=notes,
            selection="any",
        )

    def unordered(
        self, basket: Basket, orders: Sequence[_Order], unknown: int, *, signing: bool
    ) -> Iterator[Outcome]:
        """ORD-13, or the treatment itself: a basket without vitamin B12."""
        facts, a = self.facts, self.a
        active = len(facts.therapy.active)
        self.why.holds("DUP-01", active > 0, "active orders: {}", active)
        concerned = self.deficient or a.status.name == "borderline"
        untreated = not facts.therapy.current
        folate = next(
            (one for one in orders if one.drug.kind == "folic acid" and one.draft.selected), None
        )
        alone = folate is not None and untreated and concerned
        writing = any(one.selected and not _is_empty(one) for one in basket.drafts)
        speaks = untreated and (alone or signing or not writing)
        advice = self._treatment(basket, unknown) if speaks else None
        if self.why.holds(
            "ORD-13", alone, "folic acid without vitamin B12: {}; status: {}", alone, a.status.name
        ) and folate is not None:  # fmt: skip
            choices = advice.choices if advice is not None else ()
            notes = list(advice.notes) if advice is not None else []
            drug = next((one for choice in choices if (one := _drug_of(choice))), None)
            if drug is not None:
                values = {"drug": drug.name, "text": "as follows"}
                notes.insert(0, Note("advice", self.g.file.texts.draft_regimen, values))
            yield self._speak(
                "ORD-13",
                "ORD-13" if self.deficient else "ORD-13.borderline",
                folate,
                {},
                choices,
                advice.indicator if advice is not None else None,
                notes=notes,
            )
            return
        if advice is not None:
            yield advice
        elif speaks and self.deficient and self.absent:
            yield treatment.cannot_evaluate(self.absent, facts, a, self.g)

    def _treatment(self, basket: Basket, unknown: int) -> Recommend | None:
        """The treatment card of the chart, its order written into the order just begun."""
        card = self._chart_card(self.why)
        if card is None:
            return None
        empty = [one for one in basket.drafts if one.selected and _is_empty(one) and one.source]
        if len(empty) == 1:
            everything = frozenset({"medication", "dosage", "route"})
            choices = tuple(
                structs.replace(
                    choice,
                    plans=tuple(
                        RevisedDrug(empty[0], plan, everything)  # type: ignore[arg-type]
                        if isinstance(plan, PlannedDrug)
                        else plan
                        for plan in choice.plans
                    ),
                )
                for choice in card.choices
            )
            card = structs.replace(card, choices=choices)
        if unknown:
            note = Note("safety", self.g.file.texts.drafts_unknown, {"count": unknown})
            card = structs.replace(card, notes=(*card.notes, note))
        return card

    # --- the card ---------------------------------------------------------------------------------

    def _speak(
        self,
        rule: str,
        card: str,
        order: _Order,
        values: Mapping[str, object],
        choices: Iterable[Choice],
        indicator: Indicator | None = None,
        *,
        notes: Iterable[Note] = (),
        selection: Literal["at-most-one", "any"] = "at-most-one",
    ) -> Recommend:
        texts, choices = self.g.file.texts, tuple(choices)
        own = self.g.file.cards[card].indicator
        regimens = any(
            isinstance(plan, RevisedDrug) and "dosage" in plan.parts
            for choice in choices
            for plan in choice.plans
        )
        told: list[Note] = []
        if self.a.status.level is not None and (regimens or rule in _RESTS_ON_THE_LEVEL):
            told += finding_notes(self.facts, self.a, self.g)
        if order.drug.kind == "b12":
            told.append(Note("finding", texts.draft_read, self._in_words(order)))
            if order.drug.by == "name":
                told.append(Note("finding", texts.draft_by_name, {"name": order.name}))
        told += notes
        if regimens:
            told += self._regimen_notes(order, texts.draft_instead)
        return Recommend(
            rule,
            card,
            own if indicator is None else most_urgent(own, indicator),
            {
                **card_values(self.facts, self.a, choices, self.g),
                "order": order.name,
                "dose": order.dosing.in_words(),
                "way": self._ways(order),
                **values,
            },
            tuple(told),
            choices,
            selection,
            about=order.draft.source,
        )

    def _regimen_notes(self, order: _Order, opening: str) -> list[Note]:
        """The regimen for this child, its drug named, and the safety of it; none if none is."""
        regimen = self._regimen(order)
        if regimen is None:
            return []
        drug, safety = regimen
        first, *later = drug.phases
        row = self.g.file.texts.dose_table_row
        return [
            Note("advice", opening, {"drug": drug.name, "text": first.text}),
            *(Note("advice", row, {"text": phase.text}) for phase in later),
            *safety,
        ]

    def _in_words(self, order: _Order) -> Mapping[str, object]:
        """The doses as they were written, and what they were taken to mean."""
        ends = [one for line in order.draft.dosages for one in (line.low, line.high) if one]
        written = " / ".join(dict.fromkeys(one.written for one in ends))
        dosing = order.dosing
        average = dosing.average_high
        daily = "" if average is None else f", {shown_dose(average, 1)} µg a day on average"
        reading = f"{dosing.in_words()}{daily}, {self._ways(order)}"
        return {"written": written or "no dose", "reading": reading}

    def _ways(self, order: _Order) -> str:
        return " or ".join(_IN_WORDS[one] for one in sorted(order.ways)) or "route not given"

    def _weight_in_words(self) -> str:
        weight = self.facts.weight
        if weight.rule == "WT-05":
            return f"the last weight ({weight.on}) is too old"
        return "there is no weight to dose by"

    # --- ways to put it right ---------------------------------------------------------------------

    def _remove(self, rule: str, order: _Order) -> tuple[Choice, ...]:
        if not order.draft.source:
            return ()
        plan = RemovedDraft(order.draft.source, order.name)
        return (Choice(rule, f"Remove this order: {order.name}", (plan,)),)

    def _replace(
        self, rule: str, order: _Order, *parts: Literal["medication", "dosage"]
    ) -> tuple[Choice, ...]:
        """This order changed in ``parts`` to what is recommended for this child, if anything is."""
        regimen = self._regimen(order)
        if regimen is None or not order.draft.source:
            return ()
        drug = regimen[0]
        if (
            "medication" not in parts
            and drug.route != self.g.file.routes.oral
            and not order.injected
        ):
            parts = ("medication", *parts)  # what is swallowed cannot be injected
        plan = RevisedDrug(order.draft, drug, frozenset(parts))
        what = " and ".join({"dosage": "the dose", "medication": "the drug"}[one] for one in parts)
        label = f"Change {what}: {drug.name}" if "medication" in parts else f"Change {what}"
        return (Choice(rule, label, (plan,), recommended=True),)

    def _reroute(self, rule: str, order: _Order, route: Code) -> tuple[Choice, ...]:
        """This order as it is, by another route; not one whose dose stands in words alone, which
        would still say the old route."""
        if not order.draft.source or order.dosing.average_high is None:
            return ()
        drug = PlannedDrug(
            order.draft.codes, order.name, route, Decimal(0), "ug", (), self.facts.on, "routine"
        )
        plan = RevisedDrug(order.draft, drug, frozenset({"route"}))
        label = f"Change the route: {route.display.lower()}"
        return (Choice(rule, label, (plan,), recommended=True),)

    def _redose(self, rule: str, order: _Order) -> tuple[Choice, ...]:
        """The recommended dosage; another product too where one piece of it is too much, or is
        one to swallow whole: infants are given a liquid."""
        strength = order.drug.per_unit
        unfit = strength is not None and self.g.limits.dose_suggested.holds(strength)
        unfit = unfit or order.drug.form == "tablet"
        return self._replace(rule, order, *(("medication", "dosage") if unfit else ("dosage",)))

    def _regimen(self, order: _Order) -> _Regimen | None:
        """What the guideline would order and the safety of it, injected where this order is."""
        if order.injected not in self._regimens:
            self._regimens[order.injected] = self._choose_regimen(injected=order.injected)
        return self._regimens[order.injected]

    def _choose_regimen(self, *, injected: bool) -> _Regimen | None:
        card = self._chart_card(Reasoning())
        offered = sorted(card.choices, key=lambda one: not one.recommended) if card else []
        drugs = [(drug, one) for one in offered if (drug := _drug_of(one)) is not None]
        if card is None or not drugs:
            return None
        drug, choice = drugs[0]
        notes: Iterable[Note] = card.notes
        if injected and drug.route == self.g.file.routes.oral:
            prescriber = Prescriber(self.facts, self.a, self.g, Reasoning())
            choice = prescriber.injection(self.g.file.doses.weekly_injections, recommended=True)
            drug = _drug_of(choice) or drug
            notes, _ = safety_notes(self.best, [choice], card.indicator, prescriber, allergic=False)
        return drug, tuple(one for one in notes if one.section == "safety")

    def _chart_card(self, why: Reasoning) -> Recommend | None:
        """The card that the chart gets, where it is one of treatment or of a specialist's; none
        without the facts that every dose rests on."""
        if self.absent and self.best != "RTE-01":
            return None
        signs = self.best == "RTE-08" and bool(self.facts.neurological)
        if self.best not in _TREATED and not signs:
            return None
        card = treatment.recommend(self.best, self.facts, self.a, self.g, why)
        return card if isinstance(card, Recommend) else None


def _is_empty(draft: Draft) -> bool:
    """Whether it is an order of a drug that is not chosen yet."""
    return draft.kind == "drug" and not draft.begun


def _drug_of(choice: Choice) -> PlannedDrug | None:
    return next((one for one in choice.plans if isinstance(one, PlannedDrug)), None)


#: Rows that rest on the level, which is then shown.
_RESTS_ON_THE_LEVEL = frozenset({"ORD-01", "ORD-02", "ORD-07", "ORD-08", "ORD-13"})
#: Cards that ask not to give the order at all: nothing goes with it.
_REFUSALS = frozenset({"ORD-02.inborn", "ORD-06", "ORD-10.allergy", "ORD-10.inborn"})
