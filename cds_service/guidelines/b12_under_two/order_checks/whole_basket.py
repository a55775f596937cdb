"""The basket as a whole against the table ORD: what its orders lack, and why it gets no card."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date

from msgspec import structs

from cds_service.clinical import Basket, PlannedDrug, PlannedTest, RemovedDraft, RevisedDrug
from cds_service.guidelines.b12_under_two import follow_up, monitoring, treatment
from cds_service.guidelines.b12_under_two.assessment import Assessment
from cds_service.guidelines.b12_under_two.data import Guideline
from cds_service.guidelines.b12_under_two.facts import Facts, Finding
from cds_service.guidelines.b12_under_two.meanings import tells_of_blood
from cds_service.guidelines.b12_under_two.messages import Orders, Texts
from cds_service.guidelines.b12_under_two.order_checks.cards import Cards, Said
from cds_service.guidelines.b12_under_two.order_checks.reading import (
    Order,
    is_empty,
    orders_nitrous_oxide,
)
from cds_service.guidelines.b12_under_two.order_checks.regimens import Regimens, alone, drug_of
from cds_service.guidelines.b12_under_two.tables.duplication import DuplicationFacts
from cds_service.guidelines.b12_under_two.tables.order import (
    REPEATED,
    Answer,
    BasketFacts,
    Check,
    Silence,
    SilenceFacts,
)
from cds_service.guidelines.b12_under_two.words import CardValues, named, test_notes
from cds_service.guidelines.engine import Choice, Note, NotIndicated, Outcome, Recommend, found_once
from cds_service.guidelines.tables import Reasoning, first_match, one_row
from cds_service.language import Briefly, Listed, Message, Value, say

_WHY_SILENT: Mapping[Silence, Message] = {
    "agrees": say(Orders.agrees),
    "treated already": say(Orders.treated_already),
    "another order is written": say(Orders.another_is_written),
    "none is called for": say(Orders.none_is_called_for),
}
_CHECKS: Mapping[Check, Message] = {
    "one month": say(Orders.check_one_month), "three months": say(Orders.check_three_months),
}  # fmt: skip
_WITH_FOLIC_ACID_ALONE = ("ORD-13", "ORD-13.borderline", "ORD-13.unknown")
_OF_THE_GAS = ("ORD-21", "ORD-21.deficient")
_SAMPLES_FIRST = ("ORD-22.alarming", "ORD-22")
_WITH_A_TREATMENT = ("ORD-08", "ORD-08.samples")


class BasketChecks:
    """Checks the basket of one call; ``orders`` are all that order a drug."""

    def __init__(
        self, regimens: Regimens, cards: Cards, why: Reasoning, orders: Sequence[Order]
    ) -> None:
        self.facts, self.a, self.g = regimens.facts, regimens.a, regimens.g
        self._regimens, self._cards, self._why = regimens, cards, why
        self._folate = _folate(orders)
        self._ended = [
            RemovedDraft(one.draft.source, one.name)
            for one in orders
            if one.kind == "combination" and one.draft.source and not one.is_multivitamin
        ]
        self._is_treated = self.facts.therapy.is_treating
        self._facts = BasketFacts(
            b12=any(one.kind == "b12" for one in orders),
            folic_acid=self._folate is not None,
            combined=self._folate is not None and self._folate.kind == "combination",
            treated=self.facts.therapy.current,
            deficient=self.a.status.deficient,
            status=self.a.status.name,
            severity=self.a.severity,
            signs=tuple([one.name for one in self.facts.neurological]),
            worded=tuple([one.name for one in self._worded]),
            macrocytic=self.a.signs.macrocytosis,
            two_lines_low=self.a.signs.two_lines_low,
        )

    def why_silent(self, *, checked: bool) -> NotIndicated:
        """There is nothing to say of the basket; ``checked``: of an order of vitamin B12 in it."""
        asked = SilenceFacts(
            checked=checked, treated=self._is_treated, deficient=self._facts.deficient
        )
        match = first_match(self.g.tables.order_silence, asked)
        return NotIndicated(match.rule, _WHY_SILENT[match.result])

    # --- the levels that go with a treatment ------------------------------------------------------

    def levels(self, order: Order, said: Sequence[Said]) -> list[Said]:
        """The samples that the first dose would spoil, and the levels of one and three months with
        the tests that go with them, where no one has ordered them and no card asks not to give the
        order. Where no deficiency is established the samples are a card of their own."""
        facts = self.facts
        injected = self._is_injected(order, said)
        lacking = self._without_a_level(anew=self._begins_anew(injected=injected))
        wanted = self._wanted(list(lacking.values()), injected=injected)
        first = [one for one in wanted if one[1] == facts.on or one[0] == "potassium"]
        question = self._regimens.question
        samples, _ = monitoring.plan_tests(
            first, facts, self.g, Reasoning(), urgent=_is_urgent(question)
        )
        asked = structs.replace(
            self._before_a_first_dose(question, samples),
            lacking=tuple(lacking),
            average=order.dosing.average_high,
            refused=any(one.answer.refuses and not self._keeps(one) for one in said),
        )
        cards: list[Said] = []
        for answer in self._answers(_SAMPLES_FIRST, asked, order):
            if question is not None:
                cards.append(self._measure_first(order, answer, question, samples))
                wanted = [one for one in wanted if one not in first]
        for answer in self._answers(_WITH_A_TREATMENT, asked, order):
            cards.append(self._with_tests(order, answer, wanted, lacking, injected=injected))
        return cards

    def _before_a_first_dose(
        self, question: Recommend | None, samples: tuple[PlannedTest, ...]
    ) -> BasketFacts:
        """What of ``samples`` is missing, and what the chart asks for; nothing without the facts
        that every dose rests on."""
        count = self.g.file.tests.blood_count.called
        unsampled = [] if self._regimens.absent else self._spoilt(samples)
        return structs.replace(
            self._facts,
            unsampled=tuple([one.inside for one in unsampled]),
            ungraded=any(one.name == count for one in unsampled),
            measured_first=question is not None,
            alarming=_is_urgent(question) and not self._is_only_borderline(),
            treated=self._goes_on or self._was_treated(),
        )

    def _is_only_borderline(self) -> bool:
        """Without a sign of the nerves: the same order at a lower level gets no warning either."""
        signs = self.facts.neurological or self.facts.perhaps_neurological
        return self.a.status.name == "borderline" and not signs

    def _was_treated(self) -> bool:
        """Whether a dose of the last month has spoilt the samples already."""
        recent, therapy = self.g.limits.labs_recent, self.facts.therapy
        lately = any(recent.holds((self.facts.on - day).days) for day in therapy.dates)
        return lately and not therapy.is_only_missed

    def _answers(self, rows: Iterable[str], asked: BasketFacts, order: Order) -> Iterator[Answer]:
        table = self.g.tables.order_basket
        for name in rows:
            for row in self._why.keep(one_row(table, name, asked, order.called)).fired:
                if row.then is not None:
                    yield row.then

    def _spoilt(self, samples: Iterable[PlannedTest]) -> list[PlannedTest]:
        """What of today's ``samples`` a dose would make unreadable, or dangerous without it: the
        stores of folate and iron can be measured later."""
        later = (self.g.file.tests.folate.called, self.g.file.tests.ferritin.called)
        return [one for one in samples if one.due == one.authored and one.name not in later]

    def _with_tests(
        self,
        order: Order,
        answer: Answer,
        wanted: Sequence[monitoring.Wanted],
        lacking: Sequence[Check] | Mapping[Check, date],
        *,
        injected: bool,
    ) -> Said:
        """The tests that go with a treatment."""
        facts, g = self.facts, self.g
        tests, already = monitoring.plan_tests(wanted, facts, g, self._why, before_dose=injected)
        notes = test_notes(tests, already, g, before=injected, told=())
        if any(one.due == facts.on for one in tests):
            notes.append(Note("before", say(Texts.baseline_first)))
        spoilt = tuple([one.inside for one in self._spoilt(tests)])
        counted = say(Texts.tests_counted, count=len(spoilt))
        said_of = {
            "windows": Listed(tuple([_CHECKS[one] for one in lacking]), "conjunction"),
            "samples": Briefly(Listed(spoilt), counted, Listed(spoilt)),
        }
        choices = monitoring.test_choices("ORD-08", tests)
        return self._cards.speak(
            "ORD-08", answer, order, said_of, choices, notes=notes, selection="any"
        )

    def _measure_first(
        self, order: Order, answer: Answer, question: Recommend, samples: tuple[PlannedTest, ...]
    ) -> Said:
        """No deficiency is established: what the chart asks to measure, before the first dose. It
        says of the child what the chart's card says."""
        signs = bool(self.facts.neurological)
        names = Listed(tuple([one.inside for one in self._spoilt(samples)]))
        measure = say(Orders.measure, tests=names)
        said_of: Mapping[str, object] = {
            "found": self._found_so_far(CardValues(self.facts, self.a, question.choices, self.g)),
            "sample": Briefly(measure, say(Orders.take_samples), measure),
            "then": self._after_the_samples(signs=signs),
        }
        told = ("why", "finding", "because", "ask")
        notes = [one for one in question.notes if one.section in told]
        if self.a.signs.severe_anaemia:
            notes.append(Note("safety", say(Orders.severe_anaemia)))
        if signs and not order.injected and self.a.status.level is not None:
            notes.append(Note("advice", say(Orders.inject_if_deficient)))
        choices = monitoring.test_choices("ORD-22", samples)
        return self._cards.speak(
            "ORD-22", answer, order, said_of, choices, notes=notes, selection="any"
        )

    def _is_injected(self, order: Order, said: Sequence[Said]) -> bool:
        """As it is written, or as a recommended button changes it."""
        oral = self.g.file.routes.oral
        return order.injected or any(
            plan.drug.route != oral
            for one in said
            for choice in one.card.choices
            if choice.recommended
            for plan in choice.plans
            if isinstance(plan, RevisedDrug) and plan.draft == order.draft
        )

    def _keeps(self, one: Said) -> bool:
        """Whether the card of a repeated order does not advise to remove it, the other one being on
        hold."""
        return (
            one.answer == REPEATED
            and self.facts.therapy.is_held
            and not any(
                choice.recommended and any(isinstance(plan, RemovedDraft) for plan in choice.plans)
                for choice in one.card.choices
            )
        )

    @property
    def _goes_on(self) -> bool:
        """Whether a treatment of which doses may have been given goes on with an order."""
        return self._is_treated and not self.facts.therapy.is_only_missed

    def _begins_anew(self, *, injected: bool) -> bool:
        """Injections in place of what is swallowed are a course of their own, as is any order in
        place of one on hold, or of one whose doses are recorded as not given."""
        therapy = self.facts.therapy
        if therapy.is_held or therapy.is_only_missed:
            return True
        return injected and therapy.current and therapy.route in ("oral", "other")

    def _without_a_level(self, *, anew: bool) -> dict[Check, date]:
        """The checks still to come without an order of a level, and when each is due."""
        facts, g = self.facts, self.g
        begun = facts.therapy.start if facts.therapy.current and not anew else None
        start = begun.first if begun is not None else facts.on
        month, quarter = monitoring.checks(start, g)
        due: dict[Check, date] = {"one month": month, "three months": quarter}
        return {
            check: day
            for check, day in due.items()
            if day >= facts.on and not monitoring.is_ordered(g.file.tests.b12, day, facts, g)
        }

    def _wanted(self, due: Sequence[date], *, injected: bool) -> list[monitoring.Wanted]:
        """The levels, and what else goes with a treatment: before its first dose the samples that
        the dose would spoil."""
        facts, a, g, why = self.facts, self.a, self.g, self._why
        wanted: list[monitoring.Wanted] = [("b12", day) for day in due]
        if self._goes_on:
            return monitoring.at_checks(due, parenteral=injected)
        if a.status.deficient or a.suspected:
            wanted += monitoring.baseline(facts, a, g, why)
        else:
            in_words = bool(facts.perhaps_neurological) and self._regimens.question is not None
            wanted += monitoring.while_unproven(facts, a, g, why, in_words=in_words)
        pressing = a.status.deficient or a.status.concerned or a.signs.severe_anaemia
        if pressing or facts.neurological:
            during = monitoring.during_treatment(facts, a, g, why, parenteral=injected)
            wanted += [one for one in during if one[0] != "b12"]
        return wanted

    def _found_so_far(self, values: CardValues) -> Message:
        """Why no deficiency is established, and what it is thought of for."""
        status, reason = self.a.status, self._reason_to_measure(values)
        if status.name == "adequate with signs" and reason is not None:
            return say(Orders.adequate_with_signs, level=values["level"], reason=reason)
        if status.name in ("adequate", "probably adequate"):  # else the chart would not ask
            return say(Orders.adequate_with_words, level=values["level"], worded=values["worded"])
        if status.name == "borderline" and status.level is not None:
            return say(Orders.borderline, level=values["level"])
        return say(Orders.no_level) if reason is None else say(Orders.no_level_with, reason=reason)

    def _after_the_samples(self, *, signs: bool) -> Message:
        status = self.a.status
        if status.name in ("adequate", "probably adequate", "adequate with signs"):
            return say(Orders.then_adequate)
        if status.name == "borderline" and status.level is not None:
            return say(Orders.then_treat if signs else Orders.then_borderline)
        return say(Orders.then_treat if signs else Orders.then_unknown)

    def _reason_to_measure(self, values: CardValues) -> Value | None:
        """Why a deficiency is thought of: the signs of the nerves, else others, else the cause."""
        if self.facts.neurological:
            return values["signs"]
        if self.facts.perhaps_neurological:
            return values["worded"]
        if self.a.signs.suggestive:
            return values["suggestive"]
        return values["cause"] if self.a.causes else None

    # --- nitrous oxide among the orders -----------------------------------------------------------

    def nitrous_oxide(self, basket: Basket) -> Iterator[Recommend]:
        """A warning of the gas itself, in a disease in which it does lasting harm, or while a
        deficiency is still treated."""
        facts, g = self.facts, self.g
        drafts = [one for one in basket.drafts if one.selected and orders_nitrous_oxide(one, g)]
        sick = (*facts.inborn, *facts.remethylation, *facts.worded.inborn)
        gas = tuple([one.text or one.source for one in drafts])
        asked = structs.replace(self._facts, nitrous_oxide=gas)
        about = drafts[0].source if drafts else ""
        yield from _warnings_of_gas(asked, sick, about, facts, self.a, g, self._why)

    # --- no vitamin B12 among the orders ----------------------------------------------------------

    def without_b12(self, basket: Basket, unseen: int, *, signing: bool) -> Iterator[Outcome]:
        """Folic acid alone, or the treatment itself: a basket without vitamin B12, ``unseen``
        orders of which may be of it. An order on hold treats no one."""
        running = DuplicationFacts(active=len(self.facts.therapy.active))
        self._why.row(self.g.tables.duplication, "DUP-01", running)
        asked = structs.replace(self._facts, treated=self._is_treated)
        alone = [one_row(self.g.tables.order_basket, row, asked)
                 for row in _WITH_FOLIC_ACID_ALONE]  # fmt: skip
        answer = next((row.then for match in alone for row in match.fired), None)
        due = answer is not None or signing or _nothing_is_written(basket)
        speaks = due and not self._is_treated
        dangers, advice = self._advice(basket, unseen) if speaks else ((), None)
        for match in alone:
            self._why.keep(match)
        yield from dangers
        if answer is not None and self._folate is not None:
            yield self._with_folic_acid(self._folate, answer, advice)
        elif advice is not None:
            yield advice
        elif due and self._facts.deficient:
            yield from self._without_advice()

    def _without_advice(self) -> Iterator[Outcome]:
        """A deficient child without a treatment to advise: a course was broken off, or what every
        dose rests on is missing."""
        if self._is_treated:
            yield from follow_up.broken_off(self.facts, self.a, self.g, self._why)
        elif self._regimens.absent:
            yield treatment.cannot_evaluate(self._regimens.absent, self.facts, self.a, self.g)

    def _with_folic_acid(
        self, folate: Order, answer: Answer, advice: Recommend | None
    ) -> Recommend:
        choices = advice.choices if advice is not None else ()
        indicator = advice.indicator if advice is not None else None
        notes = self._notes_beside_folic_acid(advice)
        values: Mapping[str, object] = {}
        if answer.card == "ORD-13.unknown":
            values = {"reasons": self._why_measure()}
            choices = choices or self._measured_first()
            if asked_by_words := self._facts.worded:
                notes.append(Note("caution", say(Texts.by_words, names=Listed(asked_by_words))))
        selection = advice.selection if advice is not None else "any"
        said = self._cards.speak(
            "ORD-13", answer, folate, values, choices, indicator, notes=notes, selection=selection
        )
        return said.card

    def _why_measure(self) -> Listed:
        asked = self._facts
        blood = [(asked.macrocytic, say(Orders.large_red_cells)),
                 (asked.two_lines_low, say(Orders.two_lines_low))]  # fmt: skip
        return Listed((*asked.signs, *(text for holds, text in blood if holds), *asked.worded))

    @found_once
    def _worded(self) -> tuple[Finding, ...]:
        """What words alone tell of the nerves and the blood."""
        worded = self.facts.worded
        blood = [one for one in worded.suggestive if tells_of_blood(one.name, self.g)]
        return (*worded.neurological, *blood)

    def _measured_first(self) -> tuple[Choice, ...]:
        """The level and the metabolites of today, where no one has ordered them."""
        today = self.facts.on
        wanted: list[monitoring.Wanted] = [("b12", today), ("mma", today), ("homocysteine", today)]
        tests, _ = monitoring.plan_tests(wanted, self.facts, self.g, self._why, before_dose=False)
        return tuple(monitoring.test_choices("ORD-13", tests))

    def _notes_beside_folic_acid(self, advice: Recommend | None) -> list[Note]:
        if advice is None:
            return []
        return list(advice.notes)

    def _advice(self, basket: Basket, unseen: int) -> tuple[Sequence[Outcome], Recommend | None]:
        """What the chart says of a child who is to be treated, and what speaks against an order on
        hold."""
        card = self._regimens.chart_card(self._why)
        if card is None:
            return (), None
        dangers: Sequence[Outcome] = ()
        a_specialists = self._regimens.asks_a_specialist or self.facts.age.under_one_month
        if self.facts.therapy.is_held and not a_specialists:
            dangers = treatment.running_treatment(self.facts, self.g, self._why)
            card = self._of_what_is_held(dangers)
        return dangers, self._written_into(card, basket, unseen)

    def _of_what_is_held(self, dangers: Sequence[Outcome]) -> Recommend:
        """The chart's card of the order on hold: replaced, or resumed where no danger forbids it.
        A new order next to it would be given twice."""
        facts, a, g, why = self.facts, self.a, self.g, self._why
        replacement = treatment.replace_oral(self._regimens.route, facts, a, g, why)
        if replacement is not None:
            return replacement
        [card] = follow_up.held(facts, a, g, why)
        return follow_up.not_resumed(card) if dangers else card

    def _written_into(self, card: Recommend, basket: Basket, unseen: int) -> Recommend:
        """The card of the chart, its order written into the order just begun and in place of what
        has vitamin B12 among others: one order of it is left."""
        empty = [one for one in basket.drafts if one.selected and is_empty(one) and one.source]
        if len(empty) == 1:
            everything = frozenset({"medication", "dosage", "route"})

            def begun(choice: Choice) -> Choice:
                plans = tuple(
                    RevisedDrug(empty[0], plan, everything)  # type: ignore[arg-type]
                    if isinstance(plan, PlannedDrug)
                    else plan
                    for plan in choice.plans
                )
                return structs.replace(choice, plans=plans)

            card = structs.replace(card, choices=tuple([begun(one) for one in card.choices]))
        if self._ended:
            choices = tuple(
                alone(one, self._ended) if drug_of(one) is not None else one for one in card.choices
            )
            card = structs.replace(card, choices=choices)
        if unseen:
            note = Note("safety", say(Texts.drafts_unknown, count=unseen))
            card = structs.replace(card, notes=(*card.notes, note))
        return card


def gas_in_the_chart(facts: Facts, a: Assessment, g: Guideline, why: Reasoning) -> list[Recommend]:
    """A warning of nitrous oxide that is planned or was given, in a deficiency of
    methylenetetrahydrofolate reductase: of the others in which it does harm a card speaks
    anyway."""
    gas = (*facts.nitrous_oxide, *facts.nitrous_oxide_given)
    if not (gas and facts.remethylation):
        return []
    asked = BasketFacts(nitrous_oxide=gas)
    return list(_warnings_of_gas(asked, facts.remethylation, "", facts, a, g, why))


def _warnings_of_gas(
    asked: BasketFacts,
    sick: Sequence[Finding],
    about: str,
    facts: Facts,
    a: Assessment,
    g: Guideline,
    why: Reasoning,
) -> Iterator[Recommend]:
    asked = structs.replace(asked, poisoned_by_it=tuple([one.name for one in sick]))
    matches = [why.keep(one_row(g.tables.order_basket, row, asked)) for row in _OF_THE_GAS]
    for row in (row for match in matches for row in match.fired):
        if row.then is not None:
            indicator = g.file.cards[row.then.card].indicator
            values = CardValues(facts, a, (), g).beside({"names": named(sick)})
            yield Recommend("ORD-21", row.then.card, indicator, values, about=about)


def _is_urgent(question: Recommend | None) -> bool:
    return question is not None and question.indicator != "info"


def _folate(orders: Sequence[Order]) -> Order | None:
    """The first selected order of folic acid, alone or else among what has vitamin B12 too."""
    alone = [one for one in orders if one.kind == "folic acid"]
    combined = [
        one
        for one in orders
        if one.kind == "combination" and one.holds_folic_acid and not one.is_multivitamin
    ]
    return next((one for one in (*alone, *combined) if one.draft.selected), None)


def _nothing_is_written(basket: Basket) -> bool:
    """Nothing is selected, or nothing but an order whose drug is not chosen yet."""
    return all(is_empty(one) for one in basket.drafts if one.selected)
