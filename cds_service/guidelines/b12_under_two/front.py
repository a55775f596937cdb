"""What the rest of the program sees of this guideline."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path

import msgspec
from msgspec import Struct

from cds_service.clinical import Basket, Code, CodeMap, Need, Plan, PlannedTask, Record
from cds_service.guidelines.b12_under_two import (
    Evaluation,
    Picture,
    data_notes,
    evaluate,
    evaluate_orders,
    look,
    one_action_each,
)
from cds_service.guidelines.b12_under_two.data import Guideline
from cds_service.guidelines.b12_under_two.loading import FOLDER, ID, load
from cds_service.guidelines.checks import entries
from cds_service.guidelines.codelists import CodeList, lists_with, purposes_in
from cds_service.guidelines.cohort import Cohort, Found
from cds_service.guidelines.doses import specimens
from cds_service.guidelines.engine import Limit, Note, Wording
from cds_service.guidelines.explain import Account
from cds_service.guidelines.guideline import (
    Known,
    KnownCase,
    Lexicon,
    Offer,
    Published,
    Regimen,
    closing_notes,
    inventory,
    review_notes,
    words_in,
)
from cds_service.guidelines.naming import texts_in_force
from cds_service.guidelines.overrides import Changes
from cds_service.guidelines.workbench import Chart, Desk
from cds_service.language import Language
from cds_service.language.catalogues import Translation, read_translation


class Front(Struct, frozen=True):
    """The guideline behind ``guidelines.guideline.Guideline``, over its data in force."""

    data: Guideline

    @property
    def wording(self) -> Wording:
        return self.data.wording

    @property
    def texts(self) -> dict[str, str]:
        file = self.data.file
        return texts_in_force(
            file, file.texts, file.orders, file.doubts, file.explain, file.describe
        )

    def translation(self, tag: str) -> Translation:
        return _translation(tag)

    @property
    def catalogues(self) -> Path:
        return FOLDER

    @property
    def needs(self) -> tuple[Need, ...]:
        return self.data.needs

    @property
    def local(self) -> tuple[str, ...]:
        return self.data.local

    def own_words(self) -> Iterator[str]:
        return words_in(self.data.file, self.data.codes)

    def lists_of(self, code: Code) -> tuple[str, ...]:
        return lists_with(code, self.data.codes)

    @property
    def purposes(self) -> Mapping[str, str]:
        return purposes_in(FOLDER / "codes")

    @property
    def offers(self) -> tuple[Offer, ...]:
        return self.data.file.offers

    def look(self, record: Record, on: date) -> Picture:
        return look(record, on, self.data)

    def evaluate(self, record: Record, on: date, seen: Picture | None = None) -> Evaluation:
        return evaluate(record, on, self.data, seen)

    def evaluate_orders(
        self,
        record: Record,
        basket: Basket,
        on: date,
        *,
        signing: bool,
        seen: Picture | None = None,
    ) -> Evaluation:
        return evaluate_orders(record, basket, on, self.data, signing=signing, seen=seen)

    def one_action_each(self, evaluation: Evaluation) -> Evaluation:
        return one_action_each(evaluation, self.data)

    def data_notes(self, evaluation: Evaluation, record: Record) -> tuple[Note, ...]:
        return data_notes(evaluation, record, self.data)

    def closing(self, on: date, *, as_of_is_set: bool) -> tuple[Note, ...]:
        return closing_notes(on, as_of_is_set=as_of_is_set)

    def review(self) -> tuple[Note, ...]:
        return review_notes(self.data.file.guideline, self.local)

    def specimens(self) -> Iterator[tuple[str, Plan]]:
        file = self.data.file
        yield from specimens(file.doses, file.products, file.routes, file.tests)
        yield "texts.mother", PlannedTask(file.texts.mother, date(2026, 1, 1))

    def decision_tables(self) -> Iterator[Published]:
        for name in self.data.tables.__struct_fields__:
            table = getattr(self.data.tables, name)
            yield Published(name, table, of_orders=name.startswith("order_"))

    def regimens(self) -> Iterator[Regimen]:
        from cds_service.guidelines.b12_under_two.prescribing import regimens

        return regimens(self.data)

    @property
    def facts_in_cql(self) -> str:
        return (FOLDER / "facts.cql").read_text(encoding="utf-8")

    @property
    def limits(self) -> Mapping[str, Limit]:
        return dict(entries(self.data.limits))

    @property
    def constants(self) -> Mapping[str, Decimal]:
        from cds_service.guidelines.b12_under_two.therapy import days_between, in_two_weeks

        numbers = {name: one.value for name, one in entries(self.data.file.constants)}
        for name, dose in entries(self.data.file.doses):
            if not dose.per_kg:
                numbers[f"days between doses of {name}"] = days_between(dose)
                numbers[f"two weeks of {name}"] = in_two_weeks(dose)
        return numbers

    @property
    def lexicon(self) -> Lexicon:
        from cds_service.guidelines.b12_under_two.feeding import whole_answers
        from cds_service.guidelines.b12_under_two.growth import extreme_curves
        from cds_service.guidelines.b12_under_two.products import all_names

        names, products = self.data.file.names, self.data.file.products
        choices = dict(entries(self.data.file.policy))
        choices |= {f"substance of {name}": one.substance for name, one in entries(products)}
        return Lexicon(
            answers=dict(whole_answers(self.data)),
            names={
                "b12": (*all_names(self.data), *names.b12.stems, *names.cobalt),
                "benzyl_alcohol": names.benzyl_alcohol,
                "nitrous_oxide": names.nitrous_oxide,
            },
            choices=choices,
            curves=dict(extreme_curves()),
            ordered=[
                code
                for _, one in entries(self.data.file.tests)
                for code in (*one.codes, *(Code("", same) for same in one.same_as))
            ],
        )

    @property
    def code_lists(self) -> Sequence[CodeList]:
        return [one for _, one in entries(self.data.codes)]

    @property
    def known_cases(self) -> Sequence[KnownCase]:
        content = (FOLDER / "known_answers.json").read_bytes()
        return msgspec.json.decode(content, type=tuple[KnownCase, ...])

    def inventory(self, orders: int) -> Iterator[str]:
        return inventory(self.data.file, self.data.codes, orders)

    # What shows how it judges is imported when someone looks: a call does not need any of it.

    def account(self, evaluation: Evaluation, record: Record, language: Language) -> Account:
        from cds_service.guidelines.b12_under_two.explain import account_for

        return account_for(evaluation, record, self.data, language)

    def explain(self, evaluation: Evaluation, record: Record, language: Language) -> str:
        from cds_service.guidelines.b12_under_two.explain import explain

        return explain(evaluation, record, self.data, language)

    def desk(self) -> Desk:
        from cds_service.guidelines.b12_under_two.workbench import desk

        return desk(self.data)

    def chart(self, evaluation: Evaluation, record: Record) -> Chart:
        from cds_service.guidelines.b12_under_two.workbench import chart

        return chart(evaluation.facts, record, self.data)

    @property
    def cohort(self) -> Cohort:
        from cds_service.guidelines.b12_under_two.cohort import cohort

        return cohort()

    def found(self, evaluation: Evaluation) -> Found:
        from cds_service.guidelines.b12_under_two.cohort import found

        return found(evaluation, self.data)

    @property
    def readme(self) -> str:
        return (FOLDER / "README.md").read_text(encoding="utf-8")

    def describe(self, prefetch_template: Callable[[Need], str], language: Language) -> str:
        from cds_service.guidelines.b12_under_two.describe import describe

        return describe(self.data, prefetch_template, language)


@cache
def _translation(tag: str) -> Translation:
    """The guideline's texts in another language, read once. Raises `CatalogueError`."""
    return read_translation(FOLDER, tag)


def _load(changes: Changes | None, code_map: CodeMap) -> Front:
    return Front(load(changes, code_map))


KNOWN = Known(ID, _load)
