"""A guideline of three rules, to prove that a second one needs nothing outside its folder.

It is laid out as a real one would be; where that would be a module each, here is a section.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from msgspec import Struct, structs

from cds_service.clinical import (
    Basket,
    Code,
    CodeMap,
    Draft,
    Measurement,
    Need,
    Plan,
    PlannedDrug,
    PlannedTest,
    Quantity,
    Record,
    RevisedDrug,
)
from cds_service.clinical import (
    convert as in_unit,
)
from cds_service.guidelines import describe as pages
from cds_service.guidelines import explain as accounts
from cds_service.guidelines.checks import (
    check_cards,
    check_changed_limits,
    check_limits,
    check_rules,
    entries,
    named_sources,
)
from cds_service.guidelines.codelists import (
    CodeList,
    check_code_lists,
    lists_with,
    load_code_lists,
    named_lists,
    purposes_in,
    with_local_codes,
)
from cds_service.guidelines.cohort import Cohort, Found, Group
from cds_service.guidelines.doses import (
    Dose,
    Product,
    Test,
    check_changed_orders,
    check_phases,
    check_texts,
    specimens,
)
from cds_service.guidelines.engine import (
    CannotTell,
    Choice,
    Limit,
    Note,
    NotIndicated,
    Outcome,
    Recommend,
    Wording,
    convert,
    read_toml,
)
from cds_service.guidelines.guideline import (
    Evaluation,
    GuidelineFile,
    Known,
    KnownCase,
    Lexicon,
    Offer,
    Published,
    Regimen,
    closing_notes,
    inventory,
    review_notes,
    rules_of,
    words_in,
)
from cds_service.guidelines.naming import keyed, texts_in_force, with_texts
from cds_service.guidelines.overrides import (
    Changes,
    apply_overrides,
    check_told,
    override_codes,
)
from cds_service.guidelines.tables import (
    Reasoning,
    Row,
    Table,
    meets,
    read_words,
    unknown,
)
from cds_service.guidelines.workbench import (
    AgeControl,
    Band,
    Chart,
    ControlUnit,
    Desk,
    FirstDose,
    Mark,
    Orderable,
    Plot,
    Point,
    ResultControl,
)
from cds_service.language import Language, Listed, say
from cds_service.language.catalogues import Translation, read_translation

ID = "iron-toy"
FOLDER = Path(__file__).parent
FILE = FOLDER / "iron.toml"

# --- its data: the shape of iron.toml and codes/ ------------------------------------------------


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    ferritin_low: Limit
    dose_most: Limit


class Doses(Struct, frozen=True, forbid_unknown_fields=True):
    drops: Dose


class Products(Struct, frozen=True, forbid_unknown_fields=True):
    drops: Product


class Tests(Struct, frozen=True, forbid_unknown_fields=True):
    ferritin: Test


class Routes(Struct, frozen=True, forbid_unknown_fields=True):
    oral: Code


class Texts(Struct, frozen=True, forbid_unknown_fields=True):
    drops: str
    not_available: str
    as_of: str
    local_settings: str
    review: str


class File(GuidelineFile, frozen=True):
    limits: Limits
    doses: Doses
    products: Products
    tests: Tests
    routes: Routes
    texts: Texts
    told_in_words: Mapping[str, tuple[str, ...]]


class Codes(Struct, frozen=True):
    ferritin: CodeList
    iron: CodeList


# --- its decision tables ------------------------------------------------------------------------


class LevelFacts(Struct, frozen=True):
    ferritin: Decimal | None = None


class OrderFacts(Struct, frozen=True):
    dose: Decimal | None = None


class Tables(Struct, frozen=True):
    level: Table[LevelFacts, None]
    order: Table[OrderFacts, None]

    def __iter__(self) -> Iterator[Table[Any, Any]]:
        return iter((self.level, self.order))


WORDS = {name: read_words(FOLDER / f"{name}.toml") for name in ("level", "order")}


def make_tables(limits: Limits) -> Tables:
    level, order = LevelFacts, OrderFacts
    return Tables(
        Table.of(
            "level",
            LevelFacts,
            (
                Row("IRON-01", meets(level.ferritin, limits.ferritin_low), None),
                Row("IRON-02", unknown(level.ferritin), None),
            ),
            WORDS["level"],
            first=False,
        ),
        Table.of(
            "order",
            OrderFacts,
            (Row("IRON-03", meets(order.dose, limits.dose_most), None),),
            WORDS["order"],
            first=False,
        ),
    )


# --- loading ------------------------------------------------------------------------------------

SPEAKING = ("IRON-01", "IRON-02", "IRON-03")
HEAVIEST_KG = Decimal(20)


NO_MAP = CodeMap()


def load(changes: Changes | None = None, code_map: CodeMap = NO_MAP) -> Iron:
    lists = with_local_codes(load_code_lists(FOLDER / "codes"), code_map, FOLDER / "codes")
    if changes is None:
        return _loaded(_read_file(), FILE, lists, ())
    with changes.named():
        lists, added = override_codes(lists, changes)
        check_code_lists(lists, FOLDER / "codes")
        data, changed = apply_overrides(_read_file(), changes)
        made = _loaded(data, changes.path, lists, (*changed, *added))
        file, shipped = made.file, convert(keyed(_read_file()), File, FILE)
        check_changed_limits(file.limits, shipped.limits, changes.path)
        check_changed_orders(
            file.doses, shipped.doses, file.products, shipped.products, changes.path
        )
        check_told(data, changes, changed)
    return made


def _read_file() -> dict[str, Any]:
    rules = {name: structs.asdict(one) for name, one in rules_of(WORDS.values()).items()}
    return {**with_texts(read_toml(FILE), FOLDER, Texts), "rules": rules}


def _loaded(
    data: dict[str, Any], path: Path, lists: dict[str, CodeList], local: tuple[str, ...]
) -> Iron:
    file = convert(keyed(data), File, path)
    named = named_sources(
        limits=file.limits, doses=file.doses, products=file.products, tests=file.tests
    )
    check_rules(file.rules, file.statements, file.sources, named, path)
    check_limits(file.limits, (), path)
    check_phases(file.doses.drops, "drops", file.limits.dose_most, HEAVIEST_KG, path)
    check_texts(file.doses.drops, "drops", path)
    check_cards(file.wording, SPEAKING, path)
    codes = named_lists(lists, Codes)
    return Iron(file, codes, local, file.wording, _needs(codes), make_tables(file.limits))


def _needs(codes: Codes) -> tuple[Need, ...]:
    asked = codes.ferritin.verified
    kept = frozenset((one.system, one.code) for one in asked)
    return (
        Need("patient", "Patient", "the patient", "indispensable"),
        Need("ferritin", "Observation", "ferritin results", "required", asked, kept),
    )


# --- its judgement, and what the program sees of it ---------------------------------------------


class Facts(Struct, frozen=True):
    """The newest result that can be used, in ug/L."""

    newest: Measurement | None = None
    ferritin: Decimal | None = None


class Iron(Struct, frozen=True):
    """``guidelines.guideline.Guideline`` for iron."""

    file: File
    codes: Codes
    local: tuple[str, ...]
    wording: Wording
    needs: tuple[Need, ...]
    tables: Tables

    @property
    def texts(self) -> Mapping[str, str]:
        return texts_in_force(self.file, self.file.texts)

    def translation(self, tag: str) -> Translation:
        return read_translation(FOLDER, tag)

    @property
    def catalogues(self) -> Path:
        return FOLDER

    def lists_of(self, code: Code) -> tuple[str, ...]:
        return lists_with(code, self.codes)

    @property
    def purposes(self) -> Mapping[str, str]:
        return purposes_in(FOLDER / "codes")

    @property
    def offers(self) -> tuple[Offer, ...]:
        return self.file.offers

    def look(self, record: Record, on: date) -> tuple[Facts, tuple[str, ...]]:
        return _read_facts(record, self.codes)

    def evaluate(self, record: Record, on: date, seen: Any = None) -> Evaluation[Facts]:
        facts, unusable = seen or self.look(record, on)
        why = Reasoning()
        fired = why.all(self.tables.level, LevelFacts(facts.ferritin)).fired
        outcomes: tuple[Outcome, ...] = tuple(self._said(row.rule, facts, on) for row in fired)
        reason = self.wording.rules["IRON-01"].condition
        return Evaluation(
            outcomes or (NotIndicated("IRON-01", reason),),
            why,
            facts,
            unusable,
            unread=record.unread,
        )

    def _said(self, rule: str, facts: Facts, on: date) -> Outcome:
        if facts.newest is None or facts.newest.value is None:
            return CannotTell(rule, ("ferritin",), rule)
        plans = (self._drug(on, facts.newest.source), self._test(on))
        name = self.file.doses.drops.label.format(amount=self.file.doses.drops.amount)
        return Recommend(
            rule,
            rule,
            self.wording.cards[rule].indicator,
            {"level": facts.newest.value.written},
            notes=(Note("safety", say(Texts.drops)),),
            choices=(Choice(rule, name, plans, recommended=True),),
        )

    def _drug(self, on: date, reason: str = "") -> PlannedDrug:
        dose, product = self.file.doses.drops, self.file.products.drops
        phases = tuple(
            structs.replace(phase, text=phase.text.format(amount=dose.amount))
            for phase in dose.phases
        )
        return PlannedDrug(
            product.codes,
            product.name,
            self.file.routes.oral,
            dose.amount,
            dose.unit,
            phases,
            on,
            "routine",
            (reason,) if reason else (),
        )

    def _test(self, on: date) -> PlannedTest:
        test = self.file.tests.ferritin
        return PlannedTest(test.codes, test.name, date.fromordinal(on.toordinal() + 30), on)

    def evaluate_orders(
        self, record: Record, basket: Basket, on: date, *, signing: bool, seen: Any = None
    ) -> Evaluation[Facts]:
        why = Reasoning()
        found: list[Outcome] = []
        for draft in basket.drafts:
            if (signing or draft.selected) and self.codes.iron.any_of(draft.codes):
                dose = _dose(draft)
                if why.row(self.tables.order, "IRON-03", OrderFacts(dose), about=draft.text):
                    found.append(self._too_much(draft, dose, on))
        facts, unusable = seen or self.look(record, on)
        nothing = NotIndicated("IRON-03", self.wording.rules["IRON-03"].condition)
        return Evaluation(tuple(found) or (nothing,), why, facts, unusable, basket, record.unread)

    def _too_much(self, draft: Draft, dose: Decimal | None, on: date) -> Recommend:
        values = {
            "name": draft.text,
            "dose": f"{dose} mg",
            "most": str(self.file.limits.dose_most),
        }
        usual = RevisedDrug(draft, self._drug(on), frozenset({"dosage"}))
        choice = Choice("IRON-03", "The usual dose", (usual,), recommended=True)
        indicator = self.wording.cards["IRON-03"].indicator
        return Recommend(
            "IRON-03", "IRON-03", indicator, values, choices=(choice,), about=draft.source
        )

    def one_action_each(self, evaluation: Evaluation[Facts]) -> Evaluation[Facts]:
        return structs.replace(
            evaluation,
            outcomes=tuple(
                structs.replace(one, choices=tuple(_apart(one.choices)))
                if isinstance(one, Recommend)
                else one
                for one in evaluation.outcomes
            ),
        )

    def data_notes(self, evaluation: Evaluation[Facts], record: Record) -> tuple[Note, ...]:
        names = {need.key: need.name for need in self.needs}
        missing = Listed(tuple(names[key] for key in record.missing))
        return (Note("missing", say(Texts.not_available, names=missing)),) * bool(missing.items)

    def closing(self, on: date, *, as_of_is_set: bool) -> tuple[Note, ...]:
        return closing_notes(on, as_of_is_set=as_of_is_set)

    def review(self) -> tuple[Note, ...]:
        return review_notes(self.wording.about, self.local)

    def own_words(self) -> Iterator[str]:
        return words_in(self.file, self.codes)

    def decision_tables(self) -> Iterator[Published]:
        for name in self.tables.__struct_fields__:
            yield Published(name, getattr(self.tables, name), of_orders=name == "order")

    def regimens(self) -> Iterator[Regimen]:
        yield from ()

    @property
    def facts_in_cql(self) -> str:
        return ""

    @property
    def limits(self) -> Mapping[str, Limit]:
        return dict(entries(self.file.limits))

    @property
    def constants(self) -> Mapping[str, Decimal]:
        return {}

    @property
    def lexicon(self) -> Lexicon:
        return Lexicon()

    @property
    def code_lists(self) -> Sequence[CodeList]:
        return [one for _, one in entries(self.codes)]

    @property
    def known_cases(self) -> Sequence[KnownCase]:
        return ()

    def specimens(self) -> Iterator[tuple[str, Plan]]:
        return specimens(self.file.doses, self.file.products, self.file.routes, self.file.tests)

    def inventory(self, orders: int) -> Iterator[str]:
        return inventory(self.file, self.codes, orders)

    def account(
        self, evaluation: Evaluation[Facts], record: Record, language: Language
    ) -> accounts.Account:
        newest = evaluation.facts.newest
        known = accounts.Fact("Ferritin", "none that can be used")
        if newest is not None and newest.value is not None:
            known = accounts.Fact("Ferritin", f"{newest.value.written}, {newest.source}")
        asked = accounts.asked_of(evaluation.reasoning.matches, language)
        tables = accounts.table_accounts(self.tables, asked, lambda title: "", language)
        return accounts.Account((known,), tuple(tables))

    def explain(self, evaluation: Evaluation[Facts], record: Record, language: Language) -> str:
        return accounts.written(self.account(evaluation, record, language), language)

    def describe(self, prefetch_template: Callable[[Need], str], language: Language) -> str:
        words, file = self.wording, self.file
        opening = (f"# {words.about.title}", "", words.about.review_status)
        return pages.page(
            opening,
            (
                ("What a call brings", pages.needs(self.needs, prefetch_template, language)),
                ("Cards", pages.cards(SPEAKING, words, language)),
                ("Sentences of the cards", pages.texts(file.texts, words, language)),
                (
                    "Decision tables",
                    pages.decision_tables(self.tables, file.limits, words, language),
                ),
                ("Statements of the guideline", pages.statements(words, language)),
                ("Code lists", pages.code_lists(self.codes, FOLDER / "codes", language)),
                ("Bibliography", pages.bibliography(words, language)),
            ),
            language,
        )

    @property
    def cohort(self) -> Cohort:
        group = Group("children", "Children", where={"covered": ("yes",)})
        return Cohort((group,), ("children",), (), ())

    def found(self, evaluation: Evaluation[Facts]) -> Found:
        return Found(covered=True, level=evaluation.facts.ferritin, level_unit=self._low.unit)

    @property
    def readme(self) -> str:
        return (FOLDER / "README.md").read_text(encoding="utf-8")

    def desk(self) -> Desk:
        dose, product, low = self.file.doses.drops, self.file.products.drops, self._low
        code = self.codes.ferritin.verified[0]
        units = tuple(ControlUnit(unit, Decimal(1), code) for unit in (low.unit, "ng/mL"))
        marks = (Mark(low.value, "low below"),)
        least, most = Decimal(1), Decimal(100)
        return Desk(
            "Iron workbench",
            (
                ResultControl(
                    "ferritin", "Ferritin", (code,), units, least, most, least, marks, exact=True
                ),
                AgeControl("Age", 730, (Mark(Decimal(12), "1 year"),)),
            ),
            (Orderable(product.name, product.codes),),
            (self.file.routes.oral,),
            FirstDose(dose.amount, dose.unit),
        )

    def chart(self, evaluation: Evaluation[Facts], record: Record) -> Chart:
        facts, low = evaluation.facts, self._low
        newest = facts.newest
        if newest is None or newest.when is None or newest.value is None:
            return Chart()
        point = Point(newest.when.last, facts.ferritin, newest.value.written, newest.source)
        band = Band("low", "low", below=low.value)
        return Chart((Plot("ferritin", "Ferritin", low.unit, (point,), (band,)),))

    @property
    def _low(self) -> Limit:
        return self.file.limits.ferritin_low


def _read_facts(record: Record, codes: Codes) -> tuple[Facts, tuple[str, ...]]:
    """The facts, and the results that are there and cannot be used, as sent."""
    results = [
        one
        for one in record.measurements
        if codes.ferritin.any_of(one.codes) and one.status == "final" and one.when and one.value
    ]
    results.sort(key=lambda one: one.when.instant if one.when else 0)
    usable, unusable = Facts(), []
    for one in results:
        assert one.value is not None
        ferritin = in_unit(one.value, "ug/L")
        if ferritin is None:
            unusable.append(one.value.written)
        else:
            usable = Facts(one, ferritin)
    return usable, tuple(unusable)


def _dose(draft: Draft) -> Decimal | None:
    """The most that an order gives at a time, in mg."""
    amounts = [line.high for line in draft.dosages if line.high is not None]
    doses = [in_unit(Quantity(one.value, one.unit, one.written), "mg") for one in amounts]
    return max((one for one in doses if one is not None), default=None)


def _apart(choices: Sequence[Choice]) -> Iterator[Choice]:
    """Each plan as a choice of its own."""
    for choice in choices:
        for number, plan in enumerate(choice.plans):
            label = plan.name if isinstance(plan, PlannedTest) else choice.label
            recommended = choice.recommended and number == 0
            yield structs.replace(choice, label=label, plans=(plan,), recommended=recommended)


KNOWN = Known(ID, load)
