"""One order against the table ORD: its facts, and the questions asked of them in turn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import structs

from cds_service.clinical import Medication
from cds_service.guidelines.b12_under_two import treatment
from cds_service.guidelines.b12_under_two.order_checks.cards import Cards, Said
from cds_service.guidelines.b12_under_two.order_checks.reading import Order, unread
from cds_service.guidelines.b12_under_two.order_checks.regimens import Regimens
from cds_service.guidelines.b12_under_two.prescribing import (
    must_not_inject_muscle,
    preservative_matters,
)
from cds_service.guidelines.b12_under_two.tables.duplication import DuplicationFacts
from cds_service.guidelines.b12_under_two.tables.order import (
    REPEATED,
    Answer,
    Correction,
    OrderFacts,
    SilenceFacts,
)
from cds_service.guidelines.b12_under_two.therapy import route_of
from cds_service.guidelines.b12_under_two.words import named
from cds_service.guidelines.engine import Choice, Note
from cds_service.guidelines.tables import Match, Reasoning, Row

_WHERE: Mapping[Correction, str] = {
    "under the skin": "deep under the skin", "into the muscle": "into the muscle",
}  # fmt: skip


class OrderChecks:
    """Checks the orders of one call, one after the other."""

    def __init__(self, regimens: Regimens, cards: Cards, why: Reasoning) -> None:
        self.facts, self.a, self.g = regimens.facts, regimens.a, regimens.g
        self._regimens, self._cards, self._why = regimens, cards, why
        self._child = self._facts_of_the_child()

    def vitamin_b12(self, order: Order, others: Sequence[Order]) -> list[Said]:
        """What is to be said of an order of vitamin B12 among ``others`` of it."""
        same, elsewhere = self._running_beside(order)
        twins = [
            one.name for one in others
            if not (one.ways and order.ways) or one.injected == order.injected
        ]  # fmt: skip
        repeated = (*([treatment.medication_names(same)] if same else ()), *twins)
        asked = self._facts_of(order, repeated, elsewhere)
        said = [
            *self._dangers(order, asked),
            *self._way(order, asked),
            *self._dose(order, asked),
            *self._injection(order, asked),
            *self._twice(order, asked, elsewhere),
            *self._unclear(order, asked, (*asked.unclear, *asked.gaps)),
        ]
        cards = tuple([one.answer.card for one in said])
        self._why.first(
            self.g.tables.order_silence, SilenceFacts(said=cards, checked=True), order.name
        )
        return said

    def combination(self, order: Order) -> list[Said]:
        """Vitamin B12 among other substances: no treatment, and its dose is not worked out."""
        asked = structs.replace(self._child, kind=order.kind, substance=order.drug.substance)
        reasons = ["a combination does not treat a vitamin B12 deficiency"]
        return self._dangers(order, asked) or self._unclear(order, asked, reasons)

    def unidentified(self, order: Order) -> list[Said]:
        """An order that may be of vitamin B12."""
        doubts = order.drug.doubts or ("the medication it names could not be read",)
        return self._unclear(order, structs.replace(self._child, kind=order.kind), doubts)

    def unread(self, count: int) -> list[Said]:
        """Orders of which nothing could be read, which may be of vitamin B12."""
        order = unread(count, self.facts.weight.kg, self.g)
        reasons = ["it could not be read and may be of vitamin B12"]
        return self._unclear(order, structs.replace(self._child, kind=order.kind), reasons)

    # --- the facts --------------------------------------------------------------------------------

    def _facts_of_the_child(self) -> OrderFacts:
        facts, status = self.facts, self.a.status
        gaps = []
        for need in self.g.needs:
            if need.importance == "required" and need.key in facts.missing | facts.incomplete:
                how = "not available" if need.key in facts.missing else "incomplete"
                gaps.append(f"{need.name}: {how}")
        return OrderFacts(
            status=status.name,
            deficient=status.deficient,
            severity=self.a.severity,
            cause=self.a.cause,
            signs=tuple([one.name for one in facts.neurological]),
            reactions=facts.reactions,
            leber=tuple([one.name for one in facts.leber]),
            gaps=tuple(gaps),
        )

    def _facts_of(
        self, order: Order, repeated: tuple[str, ...], elsewhere: Sequence[Medication]
    ) -> OrderFacts:
        drug, dosing = order.drug, order.dosing
        return structs.replace(
            self._child,
            kind=drug.kind,
            substance=drug.substance,
            preservative_free=drug.preservative_free,
            ways=order.ways,
            single=dosing.single_high,
            day=dosing.day_most,
            average=dosing.average_high,
            per_kg_in_mg=dosing.per_kg_in_mg,
            needs_weight=dosing.needs_weight,
            unclear=dosing.problems,
            repeated=repeated,
            elsewhere=(treatment.medication_names(elsewhere),) if elsewhere else (),
        )

    def _running_beside(self, order: Order) -> tuple[list[Medication], list[Medication]]:
        """The other orders of the record in force: those that may go by the same way as this one,
        and those known to go by another."""
        same: list[Medication] = []
        elsewhere: list[Medication] = []
        swallowed = order.by_mouth and not order.injected
        injected = order.injected and not order.by_mouth
        for one in self.facts.therapy.active:
            if one.source == order.draft.source:
                continue
            route = route_of(one, self.g)
            apart = (route == "parenteral" and swallowed) or (
                route in ("oral", "other") and injected
            )
            (elsewhere if apart else same).append(one)
        return same, elsewhere

    # --- the questions ----------------------------------------------------------------------------

    def _say(
        self, match: Match[OrderFacts, Answer], order: Order, values: Mapping[str, object]
    ) -> list[Said]:
        return [self._cards.speak(row.rule, row.then, order, values) for row in match.fired]

    def _dangers(self, order: Order, asked: OrderFacts) -> list[Said]:
        """A form or a drug that harms this child, also in a combination."""
        match = self._why.all(self.g.tables.order_danger, asked, order.name)
        return self._say(match, order, {})

    def _way(self, order: Order, asked: OrderFacts) -> list[Said]:
        match = self._why.first(self.g.tables.order_way, asked, order.name)
        if not match.fired:
            return []
        excluded = self.a.status.name in ("adequate", "probably adequate")
        signs = "" if excluded else named(self.facts.neurological)
        reason = signs or f"severe deficiency ({self.a.severity_because})"
        return self._say(match, order, {"reason": reason})

    def _dose(self, order: Order, asked: OrderFacts) -> list[Said]:
        tables, why = self.g.tables, self._why
        excess = why.first(tables.order_excess, asked, order.name)
        shortage = why.first(tables.order_shortage, asked, order.name)
        values = {"weight": self._weight_in_words()} if asked.needs_weight else {}
        return [*self._say(excess, order, values), *self._say(shortage, order, values)]

    def _weight_in_words(self) -> str:
        weight = self.facts.weight
        if weight.rule == "WT-05":
            return f"the last weight ({weight.on}) is too old"
        return "there is no weight to dose by"

    def _injection(self, order: Order, asked: OrderFacts) -> Iterator[Said]:
        """Where, and with what preservative, it is injected."""
        if not order.injected:
            return
        facts, g, why = self.facts, self.g, self._why
        asked = structs.replace(asked, may_bleed=must_not_inject_muscle(facts, g, why))
        for row in why.all(g.tables.order_injection, asked, order.name).fired:
            yield self._cards.speak(row.rule, row.then, order, self._injected_in_words(row))
        asked = structs.replace(asked, preservative_harms=preservative_matters(facts, g, why))
        match = why.all(g.tables.order_preservative, asked, order.name)
        yield from self._say(match, order, {})

    def _injected_in_words(self, row: Row[Answer]) -> Mapping[str, object]:
        bleeding = named((*self.facts.bleeding, *self.facts.thrombocytopenia))
        return {"bleeding": bleeding or "low platelets", "route": _WHERE[row.then.correction]}

    def _twice(
        self, order: Order, asked: OrderFacts, elsewhere: Sequence[Medication]
    ) -> list[Said]:
        """The same drug is active already, or stands in the basket twice."""
        repeats = DuplicationFacts(draft_repeats=bool(asked.repeated))
        if self._why.row(self.g.tables.duplication, "DUP-02", repeats, order.name):
            values = {"other": ", ".join(asked.repeated)}
            return [self._cards.speak("ORD-06", REPEATED, order, values)]
        match = self._why.all(self.g.tables.order_twice, asked, order.name)
        if not match.fired:
            return []
        names = ", ".join(asked.elsewhere)
        stops = treatment.stop_orders(elsewhere)
        choices = [Choice("ORD-06", f"Stop the other order: {names}", stops)] if stops else []
        return [
            self._cards.speak(row.rule, row.then, order, {"other": names}, choices)
            for row in match.fired
        ]

    def _unclear(self, order: Order, asked: OrderFacts, reasons: Sequence[str]) -> list[Said]:
        """What could not be worked out is said, it never passes for checked."""
        texts = self.g.file.texts
        match = self._why.all(self.g.tables.order_unclear, asked, order.name)
        if not match.fired:
            return []
        notes = [Note("advice", texts.draft_not_checked, {"reason": one}) for one in reasons]
        known = {"b12", "conditions"}.isdisjoint(self.facts.missing | self.facts.incomplete)
        if known and not self.facts.therapy.current:
            notes += self._regimens.notes(order, texts.draft_regimen)
        values = {"reasons": "; ".join(reasons)}
        return [
            self._cards.speak(row.rule, row.then, order, values, notes=notes) for row in match.fired
        ]
