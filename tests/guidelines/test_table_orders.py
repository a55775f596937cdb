"""Table ORD: what is stated of orders being written and signed."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from builders import (
    COBALAMIN_C,
    CROHN,
    FOLIC_ACID,
    HEMOPHILIA,
    HYDROXOCOBALAMIN,
    KIT,
    LEBER,
    MACROCYTIC,
    MULTIVITAMIN,
    MUSCLE,
    ON,
    ORAL,
    ORAL_SOLUTION,
    ORDERED,
    PANCYTOPENIA,
    PRETERM,
    RXNORM,
    SEIZURE,
    SHOWN,
    SNOMED,
    TABLET,
    THROMBOCYTOPENIA,
    VEIN,
    VIAL,
    WORDS,
    G,
    Seen,
    a_dosage,
    a_dose_given,
    a_draft,
    a_drafted_test,
    a_lab,
    a_level,
    a_problem,
    a_record,
    a_test_order,
    a_weight,
    an_allergy,
    an_antidote,
    an_injection,
    an_order,
    day,
    days_ago,
    in_force,
    injections_ordered,
    levels_drafted,
    months_old,
    samples_drafted,
    see,
    see_orders,
)
from each import each
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from cds_service.clinical import (
    Code,
    Draft,
    DraftDosage,
    Medication,
    Record,
    RemovedDraft,
    RevisedDrug,
    StoppedDrug,
)
from cds_service.guidelines.b12_under_two import one_action_each
from cds_service.guidelines.b12_under_two.age import add_months
from cds_service.guidelines.b12_under_two.dosing import Dosing, understand
from cds_service.guidelines.b12_under_two.drugs import Drug
from cds_service.guidelines.b12_under_two.order_checks import reading
from cds_service.guidelines.engine import CannotTell, NotIndicated, Recommend

NO_STRENGTH = Code(RXNORM, "11248", "vitamin B12 Chewable Tablet")
ADEQUATE = a_level(400)


def cards(seen: Seen) -> set[str]:
    return {one.card for one in seen.outcomes if not isinstance(one, NotIndicated) and one.card}


def about_orders(seen: Seen) -> set[str]:
    """The cards of the order table but the one on follow-up tests."""
    return {card for card in cards(seen) if card.startswith("ORD-")} - {"ORD-08"}


def written(line: DraftDosage, record: Record | None = None, **but: object) -> set[str]:
    return about_orders(see_orders(record or a_record(), a_draft(line, **but)))  # type: ignore[arg-type]


# --- the dose -------------------------------------------------------------------------------------


@each(
    ("line", "expected"),
    [
        (a_dosage(1000), set()),
        (a_dosage(1), {"ORD-07"}),
        (a_dosage(5), {"ORD-07"}),
        (a_dosage("5.1"), {"ORD-16"}),
        (a_dosage(44), {"ORD-16"}),
        (a_dosage(45), {"ORD-07.published"}),
        (a_dosage(100), {"ORD-07.published"}),
        (a_dosage("115.5"), {"ORD-07.published"}),
        (a_dosage("115.6"), {"ORD-16"}),
        (a_dosage("1000.1"), {"ORD-03"}),
        (a_dosage(2000), {"ORD-03"}),
        (a_dosage("2000.1"), {"ORD-04"}),
        (a_dosage(1, "mg"), set()),
        (a_dosage(2, "mg"), {"ORD-03"}),
        (a_dosage(1000, "mg"), {"ORD-04"}),
        (a_dosage(10, "mg"), {"ORD-04"}),
        (a_dosage(1, "g"), {"ORD-04"}),
        (a_dosage(500, times=2), set()),
        (a_dosage(501, times=2), {"ORD-03"}),
        (a_dosage(1000, times=2), {"ORD-03"}),
        (a_dosage(1000, times=3), {"ORD-04"}),
        (a_dosage(35, times=1, days=7), {"ORD-07"}),
        (a_dosage(36, times=1, days=7), {"ORD-16"}),
        (a_dosage(500, to=1000), set()),
        (a_dosage(500, to=1001), {"ORD-03"}),
        (a_dosage(500, to=2001), {"ORD-04"}),
        (a_dosage(1, "mL"), set()),
        (a_dosage(2, "mL"), {"ORD-03"}),
        (a_dosage("2.1", "mL"), {"ORD-04"}),
        (a_dosage(None), {"ORD-09"}),
        (a_dosage(1000, None), {"ORD-09"}),
        (a_dosage(1000, times=None), {"ORD-09"}),
        (a_dosage(1500, times=None), {"ORD-03", "ORD-09"}),
        (a_dosage(1000, unclear=("timing",), times=None), {"ORD-09"}),
    ],
)
def test_the_dose_of_a_treatment_by_mouth(line: DraftDosage, expected: set[str]) -> None:
    assert written(line) == expected


@pytest.mark.parametrize(
    ("code", "count", "expected"),
    [
        (TABLET, 1, {"ORD-19"}),
        (TABLET, 2, {"ORD-03"}),
        (TABLET, 3, {"ORD-04"}),
        (NO_STRENGTH, 1, {"ORD-09", "ORD-19"}),
    ],
)
def test_tablets_count_by_their_strength(code: Code, count: int, expected: set[str]) -> None:
    assert written(a_dosage(count, "1", thing="pill", route=None), code=code) == expected


@pytest.mark.parametrize(
    ("line", "weight", "expected"),
    [
        (a_dosage("0.3", per_kg=True), 7, {"ORD-07"}),
        (a_dosage("0.3", per_kg=True), None, {"ORD-05"}),
        (a_dosage("0.3", "mg", per_kg=True), 7, {"ORD-04"}),
        (a_dosage("0.0003", "mg", per_kg=True), 7, {"ORD-04.per_kg"}),
        (a_dosage("0.3", "mg", per_kg=True), None, {"ORD-04.per_kg"}),
        (a_dosage(100, per_kg=True), 7, set()),
        (a_dosage(200, per_kg=True), 7, {"ORD-03"}),
        (a_dosage(300, per_kg=True), 7, {"ORD-04"}),
    ],
)
def test_a_dose_per_kg_needs_a_weight_and_is_never_in_mg(
    line: DraftDosage, weight: int | None, expected: set[str]
) -> None:
    measured = [a_weight(weight)] if weight else []
    assert written(line, a_record(*measured)) == expected


def test_a_weight_too_old_to_dose_by_is_no_weight() -> None:
    seen = see_orders(a_record(a_weight(7, ago=31)), a_draft(a_dosage("0.3", per_kg=True)))
    assert about_orders(seen) == {"ORD-05"}
    assert seen.says("is too old")


def test_a_maintenance_dose_is_critical_where_treatment_is_pressing() -> None:
    usual = see_orders(a_record(), a_draft(a_dosage(1)))
    assert usual.outcome("ORD-07").indicator == "warning"
    for record in (a_record(problems=[SEIZURE]), a_record(level=a_level(90))):
        seen = see_orders(record, a_draft(a_dosage(1)))
        assert seen.outcome("ORD-07").indicator == "critical"


def test_a_small_dose_is_no_mistake_in_a_child_without_deficiency() -> None:
    assert written(a_dosage(1), a_record(level=ADEQUATE)) == set()
    assert written(a_dosage(1000, "mg"), a_record(level=ADEQUATE)) == {"ORD-04"}


@pytest.mark.parametrize(
    "record",
    [a_record(), a_record(level=ADEQUATE), a_record(measured=())],
    ids=["deficient", "adequate", "unknown"],
)
def test_a_replacement_is_suggested_only_where_treatment_would_be(record: Record) -> None:
    seen = see_orders(record, a_draft(a_dosage(1000, "mg")))
    assert bool(seen.revised) is (record == a_record())
    for plan in seen.revised:
        assert plan.parts == {"dosage"}
        assert plan.drug.amount == 1000


def test_the_product_changes_too_where_it_does_not_suit_an_infant() -> None:
    strong = Code(RXNORM, "244190", "vitamin B12 2 MG Oral Tablet")
    for code, count in ((strong, 1), (TABLET, 2)):
        line = a_dosage(count, "1", thing="pill", route=None)
        (plan,) = see_orders(a_record(), a_draft(line, code=code)).revised
        assert plan.parts == {"medication", "dosage"}


@pytest.mark.parametrize(
    ("name", "line", "problems", "volume"),
    [
        ("Cyanocobalamin 100 micrograms/mL injection",
         a_dosage(1, "mL", route=MUSCLE, days=7), [SEIZURE], ""),
        ("Hydroxocobalamin 500 micrograms/mL injection",
         a_dosage("0.2", "mL", route=MUSCLE, days=7), [SEIZURE], "(2 mL)"),
        ("Cyanocobalamin 2 micrograms/mL oral drops", a_dosage("0.5", "mL"), [], ""),
        ("Cyanocobalamin 66.7 micrograms/mL oral drops", a_dosage(1, "mL", days=7), [], ""),
        ("Cyanocobalamin 300 micrograms/mL oral drops", a_dosage("0.01", "mL"), [], "(3.33 mL)"),
    ],
)  # fmt: skip
def test_a_product_too_weak_for_the_dose_is_changed_with_it(
    name: str, line: DraftDosage, problems: list[Code], volume: str
) -> None:
    """No infant gets ten ampoules or half a litre: where it is kept, its volume can be measured."""
    seen = see_orders(a_record(problems=problems), a_draft(line, code=None, text=name))
    (plan,) = seen.revised
    assert "dosage" in plan.parts
    assert ("medication" in plan.parts) is (not volume)
    assert seen.says(f"1000 micrograms {volume or '(1 mL)'}")


@each(
    ("name", "code", "selected"),
    [
        ("vitamin B12", Code(RXNORM, "11248", "vitamin B12"), True),
        ("mecobalamin", Code("http://www.whocc.no/atc", "B03BA05", "mecobalamin"), False),
        ("Vitamin-B12-ratiopharm N Injektionslösung", None, False),
        ("Vitamin B12 Depot Hevert", None, False),
    ],
)
def test_no_dose_is_written_for_a_product_of_unknown_strength(
    name: str, code: Code | None, selected: bool
) -> None:
    """What is 1 mL of one product is ten ampoules of another: the button orders the guideline's
    own, with its volume, and another drug than the one ordered is only offered."""
    drafts = [a_draft(a_dosage(one), code=code, text=name) for one in ("1.8", 1500, 1_000_000)]
    seen = [see_orders(a_record(), one) for one in drafts]
    injection = a_draft(a_dosage(100, route=MUSCLE), code=code, text=name)
    for problems in ([], [SEIZURE]):
        seen.append(see_orders(a_record(problems=problems), injection))
    for place, one in enumerate(seen):
        ((plan, preselected),) = changes(one)
        assert plan.parts >= {"medication", "dosage"}
        assert plan.drug.strength == 1000
        assert preselected is (selected and place < len(drafts))
        assert one.says(f"The strength of {name} is not known") is not preselected
        assert not one.says("calculate the volume from the strength")


def changes(seen: Seen) -> list[tuple[RevisedDrug, bool]]:
    """What an order is changed to, and whether that is preselected."""
    return [
        (plan, one.choice.recommended)
        for one in seen.offers
        for plan in one.choice.plans
        if isinstance(plan, RevisedDrug)
    ]


def test_injections_are_not_begun_for_a_small_dose_where_treatment_is_by_mouth() -> None:
    """A mild deficiency is treated by mouth; a unit that was confused is still corrected."""
    for level, amount, selected in (
        (150, 100, False),
        (150, 1, False),
        (150, 10_000, True),
        (90, 100, True),
        (90, 1, True),
    ):
        seen = see_orders(
            a_record(level=a_level(level)), an_injection(a_dosage(amount, route=MUSCLE), code=VIAL)
        )
        assert [preselected for _, preselected in changes(seen)] == [selected]
        assert seen.says("Treatment by mouth is suggested for this child") is not selected


def test_the_card_names_the_drug_that_its_button_writes() -> None:
    """The recommended injection is of another substance than the one whose dose is changed."""
    scarce = an_injection(a_dosage(500, route=MUSCLE, days=2), code=VIAL)
    seen = see_orders(a_record(problems=[SEIZURE]), scarce)
    (plan,) = seen.revised
    assert plan.parts == {"dosage"}
    assert seen.says(f"{VIAL.display}, 1 mL (1000 micrograms) IM, anterolateral thigh")
    assert not seen.says("hydroxocobalamin 1 mg/mL")
    assert not seen.says("Hydroxocobalamin 1 mg/mL")


def test_an_injection_is_corrected_to_an_injection() -> None:
    seen = see_orders(a_record(), an_injection(a_dosage(10, "mg", route=MUSCLE, days=7)))
    assert about_orders(seen) == {"ORD-04"}
    (plan,) = seen.revised
    assert plan.drug.route == MUSCLE


@pytest.mark.parametrize("line", [a_dosage(1), a_dosage(1000, "mg")])
def test_what_is_swallowed_does_not_become_an_injection_of_itself(line: DraftDosage) -> None:
    for plan in see_orders(a_record(problems=[SEIZURE]), a_draft(line)).revised:
        assert plan.drug.route == MUSCLE
        assert "medication" in plan.parts


def test_a_route_in_words_alone_is_not_rewritten() -> None:
    told = a_draft(
        a_dosage(None, times=None, route=VEIN, text="1000 ug into a vein"), code=HYDROXOCOBALAMIN
    )
    seen = see_orders(a_record(problems=[CROHN]), told)
    assert "ORD-11.vein" in cards(seen)
    assert not seen.revised


def test_the_recommended_regimens_are_right() -> None:
    for record in (a_record(), a_record(problems=[CROHN]), a_record(problems=[SEIZURE])):
        drug = see(record).drugs[0]
        lines = [
            a_dosage(
                drug.amount,
                route=drug.route,
                times=phase.frequency,
                days=phase.period * {"d": 1, "wk": 7, "mo": 30}[phase.period_unit],
                sequence=number,
                count=phase.count,
                text=WORDS.language.text(phase.text),
            )
            for number, phase in enumerate(drug.phases, 1)
        ]
        draft = a_draft(*lines, code=drug.codes[0], text=WORDS.language.text(drug.name))
        seen = see_orders(record, draft, *levels_drafted(), *samples_drafted())
        assert not cards(seen)
        assert {one.rule for one in seen.outcomes} == {"ORD-14"}


# --- the route ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (a_record(), set()),
        (a_record(problems=[CROHN]), {"ORD-01"}),
        (a_record(problems=[SEIZURE]), {"ORD-02"}),
        (a_record(problems=[CROHN, SEIZURE]), {"ORD-02"}),
        (a_record(level=a_level(99)), {"ORD-02"}),
        (a_record(level=a_level(100)), set()),
        (a_record(level=a_level(250), problems=[SEIZURE]), {"ORD-02", "ORD-22"}),
        (a_record(measured=(), problems=[SEIZURE]), {"ORD-02", "ORD-22"}),
        (a_record(level=a_level(310), problems=[SEIZURE]), {"ORD-22"}),
        (a_record(a_lab("methylmalonate", "0.2"), a_lab("homocysteine", 5), level=ADEQUATE,
                  problems=[SEIZURE]), set()),
        (a_record(problems=[COBALAMIN_C]), {"ORD-02.inborn", "ORD-10.inborn"}),
        (a_record(level=ADEQUATE, problems=[CROHN]), {"ORD-01"}),
    ],
)  # fmt: skip
def test_by_mouth_is_not_for_every_child(record: Record, expected: set[str]) -> None:
    seen = see_orders(record, a_draft())
    assert about_orders(seen) - {"ORD-10.leber"} == expected


@pytest.mark.parametrize("way", ["37839007", "46713006"], ids=["under the tongue", "nose"])
def test_other_ways_of_swallowing_count_as_by_mouth(way: str) -> None:
    route = Code("http://snomed.info/sct", way)
    record = a_record(problems=[CROHN])
    draft = a_draft(a_dosage(route=route), code=None, text="cyanocobalamin")
    assert about_orders(see_orders(record, draft)) == {"ORD-01"}


@pytest.mark.parametrize(
    "words", ["Krampfanfälle", "Seizures", Code("urn:site", "780.39", "Convulsions")]
)
def test_words_of_a_sign_warn_of_an_order_by_mouth(words: str | Code) -> None:
    coded = isinstance(words, Code)
    problem = a_problem(words) if isinstance(words, Code) else a_problem(None, text=words)
    seen = see_orders(a_record(problems=[problem]), a_draft())
    assert "ORD-02b" in about_orders(seen)
    assert seen.says("Convulsions" if coded else str(words))
    assert not seen.revised
    assert not seen.removed
    denied = a_problem(None, text="No seizures")
    assert "ORD-02b" not in about_orders(see_orders(a_record(problems=[denied]), a_draft()))


def test_the_order_becomes_an_injection_where_one_is_indicated() -> None:
    for problem, dose in ((CROHN, "weekly"), (SEIZURE, "alternate")):
        (plan,) = see_orders(a_record(problems=[problem]), a_draft()).revised
        assert plan.parts == {"medication", "dosage"}
        assert plan.drug.route == MUSCLE
        assert dose in WORDS.language.text(plan.drug.phases[0].text)


def test_no_dose_is_suggested_in_an_inborn_error() -> None:
    seen = see_orders(a_record(problems=[COBALAMIN_C]), a_draft())
    assert not seen.revised
    assert not seen.drugs
    assert {one.source for one in seen.removed} == {"MedicationRequest/draft"}


def test_an_order_without_an_id_is_spoken_of_and_not_changed() -> None:
    seen = see_orders(a_record(problems=[CROHN]), a_draft(name=""))
    assert about_orders(seen) == {"ORD-01"}
    assert not seen.revised


def test_a_route_that_nobody_gave_is_not_checked() -> None:
    nameless = a_draft(a_dosage(route=None), code=None, text="cyanocobalamin")
    seen = see_orders(a_record(problems=[CROHN]), nameless)
    assert about_orders(seen) == {"ORD-09"}
    assert seen.says("route is not given")
    assert seen.says("Recognised by its name")


@pytest.mark.parametrize("signing", [True, False])
def test_an_order_that_cannot_be_read_may_be_of_vitamin_b12(signing: bool) -> None:
    """Neither silence nor a second treatment without notice: it is stated, next to the advice."""
    for record in (a_record(), a_record(level=ADEQUATE)):
        seen = see_orders(record, signing=signing, unreadable=1)
        assert "ORD-09" in about_orders(seen)
        assert seen.says("An order in the basket") or seen.says("could not be read")
    treated = see_orders(a_record(), signing=signing, unreadable=2)
    assert treated.says("2 orders in the basket could not be identified")


# --- what is dangerous ----------------------------------------------------------------------------


def test_any_vitamin_b12_after_a_reaction_to_it() -> None:
    for draft in (a_draft(), an_injection()):
        seen = see_orders(a_record(allergies=(an_allergy(),)), draft)
        assert cards(seen) == {"ORD-10.allergy"}
        assert seen.outcome("ORD-10.allergy").indicator == "critical"
        assert seen.removed
        assert not seen.drugs


@pytest.mark.parametrize(
    ("draft", "wrong"),
    [
        (a_draft(), True),
        (an_injection(code=VIAL), True),
        (a_draft(code=None, text="vitamin B12"), True),
        (an_injection(), False),
        (a_draft(code=None, text="Hydroxocobalamin"), False),
    ],
)
def test_cyanocobalamin_in_lebers_disease(draft: Draft, wrong: bool) -> None:
    seen = see_orders(a_record(problems=[LEBER]), draft)
    assert ("ORD-10.leber" in cards(seen)) is wrong
    for plan in seen.revised:
        assert HYDROXOCOBALAMIN.code in {one.code for one in plan.drug.codes}


def test_cyanocobalamin_injections_in_an_inborn_error() -> None:
    record = a_record(problems=[COBALAMIN_C])
    assert "ORD-10.inborn" in cards(see_orders(record, an_injection(code=VIAL)))
    assert "ORD-10.inborn" not in cards(see_orders(record, an_injection()))


FORBIDDING: tuple[tuple[str, Record], ...] = (
    ("allergy", a_record(allergies=(an_allergy(),), problems=[HEMOPHILIA])),
    ("allergy", a_record(allergies=(an_allergy(),), problems=[SEIZURE], birth=day(10))),
    ("leber", a_record(problems=[LEBER, HEMOPHILIA])),
    ("leber", a_record(problems=[LEBER, SEIZURE, CROHN], birth=day(20))),
    ("inborn", a_record(problems=[COBALAMIN_C, HEMOPHILIA], birth=day(20))),
    ("suspected", a_record(a_lab("homocysteine", 120), problems=[HEMOPHILIA, SEIZURE])),
    ("suspected", a_record(a_lab("homocysteine", 120), problems=[HEMOPHILIA], birth=day(10))),
)


@each(("danger", "record"), FORBIDDING)
@each(
    "draft",
    [
        an_injection(a_dosage(route=MUSCLE, days=2), code=VIAL),
        an_injection(a_dosage(route=VEIN, days=90), code=VIAL),
        an_injection(a_dosage(4, route=MUSCLE, days=2), code=VIAL),
        a_draft(a_dosage(1000, "mg")),
        a_draft(a_dosage(2)),
        a_draft(a_dosage(1000), code=TABLET),
        a_draft(a_dosage(500, route=Code(SNOMED, "46713006")), code=None, text="vitamin B12 spray"),
    ],
)
def test_no_card_suggests_what_another_card_forbids(
    danger: str, record: Record, draft: Draft
) -> None:
    seen = see_orders(record, draft)
    refusing = seen.outcome(f"ORD-10.{danger}") if danger != "inborn" or draft.codes else None
    assert refusing is None or refusing.indicator == "critical"
    assert seen.removed or seen.revised
    substances = {one.substance for one in seen.drugs}
    for plan in seen.revised:
        assert "medication" in plan.parts
        substances.add(plan.drug.substance)
    allowed = set() if danger in ("allergy", "inborn") else {"hydroxocobalamin"}
    assert substances <= allowed


def test_a_card_that_can_offer_nothing_points_to_the_one_that_forbids() -> None:
    record = a_record(allergies=(an_allergy(),), problems=[HEMOPHILIA])
    seen = see_orders(record, an_injection(code=VIAL))
    bleeding = seen.outcome("ORD-11")
    assert isinstance(bleeding, Recommend)
    assert not bleeding.choices
    assert seen.says("Another card says that this drug is not to be given to this child")
    assert not see_orders(a_record(problems=[HEMOPHILIA]), an_injection(code=VIAL)).says(
        "Another card"
    )


@pytest.mark.parametrize(
    ("record", "waits"),
    [
        (a_record(a_lab("platelets", 40)), True),
        (a_record(problems=[HEMOPHILIA]), False),
        (a_record(a_lab("platelets", 300), problems=[HEMOPHILIA]), False),
        (a_record(a_lab("platelets", 40), problems=[HEMOPHILIA]), False),
    ],
)
def test_only_low_platelets_can_be_waited_for(record: Record, *, waits: bool) -> None:
    """No platelet count makes an injection into the muscle safe in haemophilia."""
    seen = see_orders(record, an_injection())
    assert seen.shows("ORD-11")
    assert seen.says("wait until the count is safe") is waits
    assert seen.says("deep subcutaneously instead of intramuscularly; ask haematology") is not waits


@pytest.mark.parametrize(
    ("record", "risky"),
    [
        (a_record(), False),
        (a_record(problems=[HEMOPHILIA]), True),
        (a_record(problems=[THROMBOCYTOPENIA]), True),
        (a_record(a_lab("platelets", 49)), True),
        (a_record(a_lab("platelets", 50)), False),
        (a_record(a_lab("platelets", 51)), False),
    ],
)
def test_no_injection_into_the_muscle_where_it_may_bleed(record: Record, risky: bool) -> None:
    five = structs.replace(a_dosage(route=MUSCLE, days=7), days=Decimal(35))
    seen = see_orders(record, an_injection(five))
    assert ("ORD-11" in cards(seen)) is risky
    for plan in seen.revised:
        assert plan.parts == {"route"}
        assert plan.drug.route == G.file.routes.subcutaneous


def test_not_into_a_vein() -> None:
    for problem, route in ((CROHN, "intramuscular"), (HEMOPHILIA, "subcutaneous")):
        draft = an_injection(a_dosage(route=VEIN, days=7))
        seen = see_orders(a_record(problems=[problem]), draft)
        assert cards(seen) - {"ORD-08"} == {"ORD-11.vein"}
        (plan,) = seen.revised
        assert plan.drug.route == getattr(G.file.routes, route)


@pytest.mark.parametrize(
    ("ago", "problems", "careful"),
    [(27, (), True), (28, (), False), (40, (PRETERM,), True), (40, (), False)],
)
def test_a_newborn_needs_a_product_without_preservative(
    ago: int, problems: tuple[Code, ...], careful: bool
) -> None:
    seen = see_orders(a_record(birth=day(ago), problems=problems), an_injection())
    assert ("ORD-12" in cards(seen)) is careful


def test_a_product_that_says_so_is_free_of_preservative() -> None:
    draft = a_draft(
        a_dosage(route=MUSCLE, days=7),
        code=None,
        text="Hydroxocobalamin 1 mg/mL injection, preservative-free",
    )
    assert "ORD-12" not in cards(see_orders(a_record(birth=day(20)), draft))


@pytest.mark.parametrize("text", ["", "Hydroxocobalamin 1 mg/mL"])
def test_a_product_of_our_own_code_is_free_of_preservative_whatever_it_is_called(text: str) -> None:
    (code,) = G.file.products.hydroxocobalamin_injection.preservative_free
    draft = an_injection(code=Code(code.system, code.code), text=text)
    assert "ORD-12" not in cards(see_orders(a_record(birth=day(20)), draft))
    vial = an_injection(text=text)
    assert "ORD-12" in cards(see_orders(a_record(birth=day(20)), vial))


# --- twice ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("running", "draft", "expected"),
    [
        (an_order(), a_draft(), "ORD-06"),
        (injections_ordered(), an_injection(), "ORD-06"),
        (an_order(status="on-hold"), a_draft(), "ORD-06"),
        (an_order(route=None), a_draft(), "ORD-06"),
        (an_order(), an_injection(), "ORD-06.other"),
        (injections_ordered(), a_draft(), "ORD-06.other"),
        (an_order(status="completed", ago=3), a_draft(), None),
        (an_order(amount=2), a_draft(), None),
    ],
)
def test_an_order_that_is_active_already(
    running: Medication, draft: Draft, expected: str | None
) -> None:
    seen = see_orders(a_record(medications=[running]), draft)
    assert {card for card in cards(seen) if card.startswith("ORD-06")} == {
        *([expected] if expected else [])
    }
    if expected == "ORD-06":
        kept = running.status == "on-hold"  # it treats no one
        assert [one.source for one in seen.removed] == ([] if kept else [draft.source])
        assert [one.source for one in seen.stopped] == ([running.source] if kept else [])
        assert "DUP-02" in seen.rules
    if expected == "ORD-06.other":
        assert seen.stopped


def test_an_order_that_is_signed_again_does_not_repeat_itself() -> None:
    running = an_order(source="MedicationRequest/draft")
    assert "ORD-06" not in cards(
        see_orders(a_record(medications=[running]), a_draft(status="active"))
    )


def test_two_drafts_of_one_drug_are_one_too_many() -> None:
    pair = (a_draft(name="one"), a_draft(name="two"))
    seen = see_orders(a_record(), *pair)
    assert [one.source for one in seen.removed] == ["MedicationRequest/two"]
    writing = (a_draft(name="one", selected=False), a_draft(name="two"))
    seen = see_orders(a_record(), *writing, signing=False)
    assert [one.source for one in seen.removed] == ["MedicationRequest/two"]


@pytest.mark.parametrize("status", ["cancelled", "stopped", "completed", "entered-in-error"])
def test_a_draft_that_orders_nothing_is_not_checked(status: str) -> None:
    seen = see_orders(a_record(problems=[SEIZURE]), a_draft(status=status))
    assert not about_orders(seen)


# --- follow-up ------------------------------------------------------------------------------------


def test_the_levels_that_go_with_a_treatment() -> None:
    seen = see_orders(a_record(), a_draft())
    assert cards(seen) == {"ORD-08"}
    month, three = ((add_months(ON, n) - ON).days for n in (1, 3))
    levels = [due for name, due in seen.tests if name == "Vitamin B12"]
    assert levels == [month, three]
    assert seen.outcome("ORD-08").indicator == "info"


@pytest.mark.parametrize(("off", "covered"), [(-15, False), (-14, True), (14, True), (15, False)])
def test_a_level_ordered_near_the_day_counts(off: int, covered: bool) -> None:
    month, three = ((add_months(ON, n) - ON).days for n in (1, 3))
    orders = (a_test_order("2132-9", due_in=month + off), a_test_order("2132-9", due_in=three))
    seen = see_orders(a_record(test_orders=orders), a_draft())
    assert ("ORD-08" not in cards(seen)) is covered
    drafted = (a_drafted_test("2132-9", due_in=month + off), a_drafted_test("2132-9", due_in=three))
    assert ("ORD-08" not in cards(see_orders(a_record(), a_draft(), *drafted))) is covered


def test_a_first_level_is_asked_for_where_there_is_none() -> None:
    seen = see_orders(a_record(measured=()), a_draft())
    assert ("Vitamin B12", 0) in seen.tests


TODAY = ("Blood count", "Homocysteine", "Methylmalonic acid")


@each("record, samples", [
    pytest.param(a_record(level=a_level(250)), TODAY, id="borderline"),
    pytest.param(
        a_record(level=a_level(250), problems=[SEIZURE]),
        ("Blood count", "Ferritin", "Folate", "Homocysteine", "Methylmalonic acid", "Potassium"),
        id="borderline, with a sign: those before injections",
    ),
    pytest.param(a_record(level=a_level(310), problems=[SEIZURE]), TODAY, id="adequate, a sign"),
    pytest.param(a_record(level=a_level(310)), (), id="adequate"),
    pytest.param(
        a_record(measured=(), problems=[SEIZURE]), (*TODAY, "Vitamin B12"), id="a sign, no level"
    ),
    pytest.param(a_record(measured=()), ("Vitamin B12",), id="no level"),
    pytest.param(
        a_record(level=a_level(400, ago=181), problems=[SEIZURE]), (*TODAY, "Vitamin B12"),
        id="a level that expired, and a sign",
    ),
    pytest.param(
        a_record(a_lab("hemoglobin", "11.5", ago=30), level=a_level(250)),
        ("Homocysteine", "Methylmalonic acid"), id="with a result of this month",
    ),
    pytest.param(
        a_record(a_lab("hemoglobin", "11.5", ago=31), level=a_level(250)), TODAY,
        id="with an older one",
    ),
])  # fmt: skip
def test_samples_that_the_first_dose_would_spoil_come_first(
    record: Record, samples: tuple[str, ...]
) -> None:
    seen = see_orders(record, an_injection())
    assert sorted(name for name, due in seen.tests if due == 0) == sorted(samples)


def test_follow_up_is_offered_once_for_several_drafts() -> None:
    seen = see_orders(a_record(), a_draft(name="one"), an_injection(name="two"))
    assert [one.rule for one in seen.outcomes].count("ORD-08") == 1


# --- what is missing in the basket ----------------------------------------------------------------


def iron() -> Draft:
    return a_draft(a_dosage(20, "mg"), code=Code(RXNORM, "24947", "ferrous sulfate"))


def test_a_basket_without_vitamin_b12_is_spoken_of_when_it_is_signed() -> None:
    seen = see_orders(a_record(), iron())
    assert cards(seen) == {"RTE-07"}
    assert seen.drugs


@pytest.mark.parametrize("signing", [True, False])
def test_the_dosage_of_another_drug_is_not_worked_out(
    signing: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It costs time, and no one asks for it."""
    understood: list[str] = []

    def spy(dosages: object, drug: Drug, *rest: Any) -> Dosing:
        understood.append(drug.kind)
        return understand(dosages, drug, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(reading, "understand", spy)
    see_orders(a_record(), iron(), signing=signing)
    assert not understood
    see_orders(a_record(), iron(), a_draft(), signing=signing)
    assert understood == ["b12"]


def test_a_keystroke_of_another_order_is_left_alone() -> None:
    assert not cards(see_orders(a_record(), iron(), signing=False))
    assert not cards(see_orders(a_record(), a_drafted_test("24331-1"), signing=False))


@pytest.mark.parametrize("drafts", [(), (a_draft(begun=False, code=None, dosages=()),)])
def test_an_order_that_is_just_begun_is_advised(drafts: tuple[Draft, ...]) -> None:
    seen = see_orders(a_record(), *drafts, signing=False)
    assert cards(seen) == {"RTE-07"}
    assert bool(seen.revised) is bool(drafts)
    assert bool(seen.drugs) is not bool(drafts)
    for plan in seen.revised:
        assert plan.parts == {"medication", "dosage", "route"}


@pytest.mark.parametrize(
    "record",
    [
        a_record(level=ADEQUATE),
        a_record(measured=()),
        a_record(level=a_level(250)),
        a_record(medications=[an_order()]),
    ],
    ids=["adequate", "unknown", "borderline", "treated"],
)
def test_nobody_else_is_advised(record: Record) -> None:
    assert not cards(see_orders(record, iron()))
    assert not cards(see_orders(record, signing=False))


def test_tests_in_the_basket_are_not_suggested_again() -> None:
    seen = see_orders(a_record(), iron(), *levels_drafted())
    assert "Vitamin B12" not in {name for name, _ in seen.tests}
    assert "Blood count" in {name for name, _ in seen.tests}


@pytest.mark.parametrize("signing", [True, False])
def test_folic_acid_alone_brings_the_treatment_with_it(signing: bool) -> None:
    folate = a_draft(a_dosage(1, "mg"), code=FOLIC_ACID)
    seen = see_orders(a_record(), folate, signing=signing)
    assert cards(seen) == {"ORD-13"}
    assert seen.drugs
    assert seen.outcome("ORD-13").indicator == "warning"
    pressing = see_orders(a_record(problems=[SEIZURE]), folate, signing=signing)
    assert pressing.outcome("ORD-13").indicator == "critical"
    borderline = see_orders(a_record(level=a_level(250)), folate, signing=signing)
    assert cards(borderline) == {"ORD-13.borderline"}
    assert not borderline.drugs
    for beside in (a_draft(), an_injection()):
        assert "ORD-13" not in cards(see_orders(a_record(), folate, beside, signing=signing))
    for other in (a_record(level=ADEQUATE), a_record(medications=[an_order()])):
        assert "ORD-13" not in cards(see_orders(other, folate, signing=signing))


@each("signing", [True, False])
@each(
    ("record", "expected"),
    [
        (a_record(measured=(), problems=[SEIZURE]), True),
        (a_record(measured=(), problems=[MACROCYTIC]), True),
        (a_record(measured=(), problems=[PANCYTOPENIA]), True),
        (a_record(measured=(a_lab("hemoglobin", 9), a_lab("platelets", 90))), True),
        (a_record(measured=(a_lab("hemoglobin", 9),)), False),
        (a_record(measured=(a_lab("mcv", 104),), birth=months_old(10)), True),
        (a_record(measured=(a_lab("mcv", "90.1"),), birth=months_old(10)), True),
        (a_record(measured=(a_lab("mcv", 90),), birth=months_old(10)), False),
        (a_record(measured=(a_lab("mcv", 90, comparator=">"),), birth=months_old(10)), True),
        (a_record(measured=(a_lab("mcv", 104),), birth=months_old(5)), False),
        (a_record(measured=(a_lab("mcv", 104, ago=31),), birth=months_old(10)), False),
        (a_record(measured=()), False),
        (a_record(level=a_level(150, ago=400), problems=[SEIZURE]), True),
    ],
)
def test_folic_acid_alone_waits_for_a_level_nobody_knows(
    record: Record, expected: bool, signing: bool
) -> None:
    folate = a_draft(a_dosage(1, "mg"), code=FOLIC_ACID)
    seen = see_orders(record, folate, signing=signing)
    assert seen.shows("ORD-13.unknown") is expected
    if expected:
        assert seen.outcome("ORD-13.unknown").indicator == "warning"
        assert "Vitamin B12" in {name for name, _ in seen.tests}
        assert not see_orders(record, folate, a_draft()).shows("ORD-13.unknown")


def test_a_multivitamin_is_no_treatment() -> None:
    drops = a_draft(a_dosage(1, "mL"), code=MULTIVITAMIN)
    assert cards(see_orders(a_record(), drops)) == {"RTE-07", "ORD-09"}
    assert cards(see_orders(a_record(), drops, signing=False)) == {"ORD-09"}
    assert not cards(see_orders(a_record(level=ADEQUATE), drops, signing=False))


@pytest.mark.parametrize("signing", [True, False])
def test_a_basket_that_was_not_sent_is_not_an_empty_one(signing: bool) -> None:
    seen = see_orders(a_record(), signing=signing, sent=False)
    assert not cards(seen)
    assert [one for one in seen.outcomes if isinstance(one, CannotTell) and one.missing]


def test_a_multivitamin_with_cyanocobalamin_harms_as_well() -> None:
    drops = a_draft(a_dosage(1, "mL"), code=MULTIVITAMIN)
    for record, card in (
        (a_record(problems=[LEBER]), "ORD-10.leber"),
        (a_record(allergies=(an_allergy(),)), "ORD-10.allergy"),
    ):
        seen = see_orders(record, drops, signing=False)
        assert cards(seen) == {card}
        assert not seen.revised
        assert seen.removed


# --- what is not known ----------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["b12", "conditions"])
@pytest.mark.parametrize("how", ["missing", "incomplete"])
def test_what_a_check_needs_and_is_not_there_is_said(key: str, how: str) -> None:
    gap = {"missing": {key: "timeout"}} if how == "missing" else {"incomplete": frozenset({key})}
    seen = see_orders(a_record(**gap), a_draft())
    assert "ORD-09" in cards(seen)
    assert not seen.revised


def test_no_dose_is_suggested_without_the_facts_it_rests_on() -> None:
    blind = a_record(missing={"conditions": "timeout"})
    for wrong in (a_dosage(1000, "mg"), a_dosage(1500), a_dosage(1), a_dosage("0.3", per_kg=True)):
        seen = see_orders(blind, a_draft(wrong))
        assert about_orders(seen) - {"ORD-09"}
        assert not seen.revised
        assert not seen.drugs
    folate = a_draft(a_dosage(1, "mg"), code=FOLIC_ACID)
    assert not see_orders(blind, folate).drugs


@pytest.mark.parametrize("signing", [True, False])
def test_a_deficient_child_is_not_passed_over_for_want_of_the_problem_list(signing: bool) -> None:
    drafts = (iron(),) if signing else ()
    seen = see_orders(a_record(missing={"conditions": "timeout"}), *drafts, signing=signing)
    assert cards(seen) == {"IN-03"}
    assert seen.outcome("IN-03").indicator == "warning"
    assert not seen.drugs


def test_an_order_nobody_can_identify_is_not_checked() -> None:
    unknown = a_draft(code=None, text="")
    seen = see_orders(a_record(level=ADEQUATE), unknown)
    assert cards(seen) == {"ORD-09"}
    aside = a_draft(code=None, text="", selected=False)
    assert not cards(see_orders(a_record(level=ADEQUATE), aside, signing=False))
    assert see_orders(a_record(), unknown).says("could not be identified")
    doubtful = see_orders(a_record(level=ADEQUATE), a_draft(code=None, text="vitamin B 12 mg"))
    assert cards(doubtful) == {"ORD-09"}
    assert not doubtful.revised


@pytest.mark.parametrize(("months", "speaks"), [(23, True), (24, False), (30, False)])
def test_from_the_second_birthday_on_there_is_nothing_to_say(months: int, speaks: bool) -> None:
    seen = see_orders(a_record(birth=months_old(months)), a_draft(a_dosage(1000, "mg")))
    assert bool(cards(seen)) is speaks
    assert ("ORD-15" in seen.rules) is not speaks


def test_without_a_date_of_birth_only_vitamin_b12_is_spoken_of() -> None:
    nobody = SHOWN["AGE-02"]()
    assert cards(see_orders(nobody, a_draft())) == {"AGE-02"}
    assert not cards(see_orders(nobody, iron()))


@pytest.mark.parametrize("record", [SHOWN["AGE-02"](), SHOWN["AGE-03"](), SHOWN["AGE-10"]()])
def test_without_an_age_what_may_be_vitamin_b12_is_spoken_of_too(record: Record) -> None:
    unread, nameless = see_orders(record, unreadable=1), a_draft(codes=(), text="")
    known = cards(see_orders(record, a_draft()))
    assert len(known) == 1
    assert cards(unread) == cards(see_orders(record, nameless)) == known
    assert not cards(see_orders(record))
    assert not cards(see_orders(record, structs.replace(nameless, selected=False)))
    assert not cards(see_orders(record, structs.replace(nameless, begun=False)))


# --- the cards ------------------------------------------------------------------------------------


@each("card", ORDERED)
def test_every_card_of_the_table_is_shown_whole(card: str) -> None:
    record, *drafts = ORDERED[card]()
    seen = see_orders(record, *drafts)
    assert seen.shows(card)
    order = drafts[0]
    for shown in seen.cards:
        assert len(shown.summary) < 140
        assert "{" not in shown.summary + shown.detail
        assert "None" not in shown.summary + shown.detail
    outcome = seen.outcome(card)
    assert isinstance(outcome, Recommend)
    assert outcome.about == ("" if card == "MON-02" else order.source)  # of the child's samples


def test_cards_of_two_orders_have_identities_of_their_own() -> None:
    wrong = a_dosage(1000, "mg")
    seen = see_orders(a_record(), a_draft(wrong, name="one"), an_injection(wrong, name="two"))
    uuids = [card.uuid for card in seen.cards]
    assert len(uuids) == len(set(uuids))


def test_one_action_each_loses_nothing() -> None:
    for record in (a_record(), a_record(problems=[CROHN], medications=[an_order(ago=3)])):
        whole = see(record)
        apart = whole._replace(evaluation=one_action_each(whole.evaluation, G))
        assert all(len(one.choice.plans) == 1 for one in apart.offers)
        assert {*apart.tests, *apart.drugs, *apart.stopped} == {
            *whole.tests, *whole.drugs, *whole.stopped,
        }  # fmt: skip
        assert "MON-01" in cards(apart)


@pytest.mark.parametrize("kg", [Decimal("1.5"), Decimal(7), Decimal(20)])
def test_the_solution_is_read_by_its_strength_at_every_weight(kg: Decimal) -> None:
    record = a_record(a_weight(kg, ago=1), birth=months_old(20 if kg > 12 else 2 if kg < 3 else 6))
    line = a_dosage(1, "mL")
    assert written(line, record, code=ORAL_SOLUTION) == set()


# --- errors of unit and of a decimal place, at every age and weight -------------------------------

MICROGRAMS = {"ng": Decimal("0.001"), "ug": Decimal(1), "mg": Decimal(1000), "g": Decimal(10**6)}
amounts = st.decimals("0.001", "50000", places=3)
weights = st.decimals("1.5", "20", places=2)
levels = st.sampled_from([150, 400, None])
ways = st.sampled_from([ORAL, MUSCLE])


def child_of(months: int, kg: Decimal, level: int | None) -> Record:
    measured = [a_weight(kg, ago=0), *([a_level(level)] if level else [])]
    return a_record(birth=months_old(months), measured=tuple(measured))


@settings(max_examples=400, deadline=None)
@given(
    months=st.integers(1, 23),
    kg=weights,
    level=levels,
    value=amounts,
    unit=st.sampled_from([*MICROGRAMS]),
    per_kg=st.booleans(),
    times=st.integers(1, 4),
    days=st.sampled_from([1, 2, 7, 30]),
    way=ways,
)
def test_no_dose_outside_the_bounds_passes_in_silence(
    months: int,
    kg: Decimal,
    level: int | None,
    value: Decimal,
    unit: str,
    per_kg: bool,
    times: int,
    days: int,
    way: Code,
) -> None:
    record = child_of(months, kg, level)
    line = a_dosage(value, unit, times=times, days=days, route=way, per_kg=per_kg)
    draft = (a_draft if way == ORAL else an_injection)(line)
    seen = see_orders(record, draft, *levels_drafted())
    said = cards(seen)
    usable = see(record).evaluation.facts.weight.kg
    single = value * MICROGRAMS[unit]
    if per_kg and unit in ("mg", "g"):
        assert {"ORD-04", "ORD-04.per_kg"} & said
    elif per_kg and usable is None:
        assert "ORD-05" in said
    else:
        single *= kg if per_kg else 1
        daily = single * max(1, -(-times // days))
        assert ("ORD-04" in said) is (daily > 2000)
        assert ("ORD-03" in said) is (1000 < daily <= 2000)
        if level == 150 and daily <= 2000:
            average = single * times / days
            assert ("ORD-07" in said) is (average <= 5)
            small = average > 5 and single <= 100
            assert bool({"ORD-07.tenth", "ORD-07.published", "ORD-16"} & said) >= small
    assert "ORD-09" not in said
    for plan in seen.revised:
        assert plan.drug.amount <= 1000
    assert all(drug.amount <= 1000 for drug in seen.drugs)


@settings(max_examples=100, deadline=None)
@given(months=st.integers(1, 23), kg=weights, way=ways, dose=st.sampled_from([1000, 1, None]))
def test_a_tenfold_error_of_a_dose_of_the_guideline_is_never_silent(
    months: int, kg: Decimal, way: Code, dose: int | None
) -> None:
    record = child_of(months, kg, 150)
    right = Decimal(dose) if dose else (kg * Decimal("0.3")).quantize(Decimal("0.1"))
    wrongs = [right * 10, right / 10, right / 1000]
    if dose == 1000:  # milligrams for the micrograms of a maintenance dose may make a treatment
        wrongs.append(right * 1000)
    for wrong in wrongs:
        draft = (a_draft if way == ORAL else an_injection)(a_dosage(wrong, route=way))
        assert about_orders(see_orders(record, draft))


# --- how a dose that is too large is shown -------------------------------------------------------


@pytest.mark.parametrize(
    ("draft", "summary"),
    [
        (a_draft(a_dosage(1000, "mg")), "1000 mg, 1000 times the usual 1000 micrograms (1 mg)."),
        (a_draft(a_dosage(1, "g")), "1000 mg, 1000 times the usual 1000 micrograms (1 mg)."),
        (a_draft(a_dosage(25, "g")), "25 g, 25 000 times the usual 1000 micrograms (1 mg)."),
        (a_draft(a_dosage("9.9", "mg")), "9900 micrograms, 9.9 times the usual"),
        (a_draft(a_dosage(10, "mg")), "10 mg, 10 times the usual 1000 micrograms (1 mg)."),
        (a_draft(a_dosage(2500)), "2500 micrograms, 2.5 times the usual"),
        (a_draft(a_dosage(900, times=3)), "2700 micrograms a day, 2.7 times the usual"),
    ],
)
def test_a_dose_far_too_large_is_a_multiple_of_the_usual(draft: Draft, summary: str) -> None:
    seen = see_orders(a_record(), draft)
    (card,) = [one for one in seen.cards if "times the usual" in one.summary]
    assert summary in " ".join(card.summary.split())
    assert re.search(r"Do not sign(; give 1000 micrograms \(1 mL\) \w+ [\w ]+)?$", card.summary)
    assert card.summary.count("times") == 1
    assert "1000000" not in card.summary + card.detail
    assert seen.says("1 mL (1000 micrograms)") or seen.says("1000 micrograms (1 mg) is 1 mL")


def test_the_usual_dose_is_told_in_millilitres_where_the_strength_is_known() -> None:
    strong = a_draft(a_dosage(5, "mg"), code=None, text="Vitamin B12 5000 mcg/mL oral drops")
    seen = see_orders(a_record(), strong)
    assert seen.says("0.2 mL (1000 micrograms)")
    assert not seen.says("of this product")  # it is stated once
    unknown = a_draft(a_dosage(5, "mg"), code=None, text="Vitamin B12")
    assert not see_orders(a_record(), unknown).says("of this product")


def test_an_active_order_far_too_large_is_a_multiple_too() -> None:
    seen = see(a_record(medications=[in_force(a_dosage(1000, "mg"))]))
    summary = "1000 mg, 1000 times the usual 1000 micrograms (1 mg). Give no further dose"
    assert any(one.summary.endswith(summary) for one in seen.cards)


# --- doses of specialists -----------------------------------------------------------------------

MMA = Code(SNOMED, "42393006", "Methylmalonic acidemia")
OF_THE_DOSE = {"ORD-03", "ORD-04", "ORD-04.per_kg", "ORD-05", "ORD-07", "ORD-07.tenth", "ORD-16"}


@pytest.mark.parametrize(
    ("line", "compared"),
    [
        (a_dosage(1000, days=7, route=MUSCLE), False),
        (a_dosage(1000, days=90, route=MUSCLE), False),
        (a_dosage(20, "mg", route=MUSCLE), False),
        (a_dosage("29.9", "mg", route=MUSCLE), False),
        (a_dosage(30, "mg", route=MUSCLE), False),
        (a_dosage("30.1", "mg", route=MUSCLE), True),
        (a_dosage(1, "g", route=MUSCLE), True),
        (a_dosage("0.3", "mg", per_kg=True, route=MUSCLE), False),
        (a_dosage(4, "mg", per_kg=True, route=MUSCLE), False),
        (a_dosage(5, "mg", per_kg=True, route=MUSCLE), True),
    ],
)
def test_in_an_inborn_error_amount_and_interval_are_the_specialists(
    line: DraftDosage, compared: bool
) -> None:
    coded = a_record(a_weight(7), level=a_level(80), problems=[COBALAMIN_C])
    said = cards(see_orders(coded, an_injection(line)))
    assert bool(said & OF_THE_DOSE) is compared
    assert ("ORD-04.specialist" in said) is not compared


def test_a_name_alone_lifts_no_check() -> None:
    named = a_record(problems=[a_problem(None, text="Cobalamin C disease")])
    said = cards(see_orders(named, an_injection(a_dosage(20, "mg", route=MUSCLE))))
    assert "ORD-04" in said
    assert "ORD-04.specialist" not in said


@pytest.mark.parametrize(
    ("line", "problems", "refused"),
    [
        (a_dosage("4.4", "mg", days=7), (MMA,), True),
        (a_dosage(5, "mg", days=7), (MMA,), False),
        (a_dosage(10, "mg", days=7), (MMA,), False),
        (a_dosage("11.1", "mg", days=7), (MMA,), True),
        (a_dosage(10, "mg", times=2, days=7), (MMA,), False),
        (a_dosage(10, "mg", times=3, days=7), (MMA,), True),
        (a_dosage(10, "mg"), (MMA,), True),
        (a_dosage(10, "mg", days=7), (MMA, COBALAMIN_C), True),
        (a_dosage(10, "mg", days=7), (COBALAMIN_C,), True),
        (a_dosage(10, "mg", days=7), (MMA, SEIZURE), False),
    ],
)
def test_a_published_course_by_mouth_in_methylmalonic_acidaemia(
    line: DraftDosage, problems: tuple[Code, ...], refused: bool
) -> None:
    record = a_record(level=a_level(400), problems=problems)
    draft = a_draft(line, code=None, text="Hydroxocobalamin oral solution")
    said = cards(see_orders(record, draft))
    assert bool({"ORD-02", "ORD-02.inborn"} & said) is refused
    assert "ORD-04" not in said


# --- orders in force ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (a_dosage(1000), set()),
        (a_dosage(1001), {"ORD-03.active"}),
        (a_dosage(2000), {"ORD-03.active"}),
        (a_dosage(2001), {"ORD-04.active"}),
        (a_dosage(1000, "mg"), {"ORD-04.active"}),
        (a_dosage(1, "mg", per_kg=True), {"ORD-04.per_kg.active"}),
        (a_dosage(500, times=3), {"ORD-03.active"}),
        (a_dosage(None), {"ORD-09"}),
    ],
)
def test_an_order_in_force_is_asked_what_a_draft_is_asked_of_its_dose(
    line: DraftDosage, expected: set[str]
) -> None:
    seen = see(a_record(medications=[in_force(line)]))
    assert about_orders(seen) == expected


def test_an_order_in_force_that_is_too_large_is_stopped_and_nothing_is_added() -> None:
    seen = see(a_record(medications=[in_force(a_dosage(1000, "mg"))]))
    (card,) = [one for one in seen.outcomes if isinstance(one, Recommend) and one.rule == "ORD-04"]
    assert (card.indicator, card.main) == ("critical", True)
    assert [[type(plan) for plan in choice.plans] for choice in card.choices] == [[StoppedDrug]]


def test_an_order_in_force_is_checked_also_where_its_name_alone_says_what_it_is() -> None:
    order = in_force(a_dosage(1000, "mg"), code=Code("urn:local", "7", "vitamin B12 drops"))
    assert "ORD-04.active" in about_orders(see(a_record(medications=[order])))


def test_an_order_in_force_is_checked_where_nothing_else_can_be_evaluated() -> None:
    order = in_force(a_dosage(1000, "mg"))
    seen = see(a_record(medications=[order], missing={"b12": "timeout"}))
    assert "ORD-04.active" in about_orders(seen)


# --- one order is left ----------------------------------------------------------------------------

SEVERE = a_level(78)


def kept(seen: Seen, rule: str) -> list[list[type]]:
    """The plans of each choice on the cards of a rule."""
    return [
        [type(plan) for plan in choice.plans]
        for one in seen.outcomes
        if isinstance(one, Recommend) and one.rule == rule
        for choice in one.choices
    ]


def test_a_wrong_draft_beside_a_right_one_is_removed() -> None:
    drafts = (an_injection(name="right"), a_draft(name="wrong"))
    for basket in (drafts, drafts[::-1]):
        assert kept(see_orders(a_record(level=SEVERE), *basket), "ORD-02") == [[RemovedDraft]]


def test_a_wrong_draft_beside_a_right_active_order_is_removed_and_the_active_one_stays() -> None:
    record = a_record(level=SEVERE, medications=[injections_ordered(ago=0)])
    seen = see_orders(record, a_draft())
    assert kept(seen, "ORD-02") == [[RemovedDraft]]
    assert kept(seen, "ORD-06") == []


def test_of_two_wrong_drafts_the_first_is_changed_and_the_other_goes() -> None:
    seen = see_orders(a_record(level=SEVERE), a_draft(name="one"), a_draft(name="two"))
    assert kept(seen, "ORD-02") == [[RevisedDrug, RemovedDraft], [RemovedDraft]]


def test_a_wrong_draft_beside_a_wrong_active_order_is_changed_and_the_active_one_stopped() -> None:
    record = a_record(level=SEVERE, medications=[in_force(a_dosage())])
    assert kept(see_orders(record, a_draft()), "ORD-02") == [[RevisedDrug, StoppedDrug]]


def test_a_wrong_draft_alone_is_changed() -> None:
    assert kept(see_orders(a_record(level=SEVERE), a_draft()), "ORD-02") == [[RevisedDrug]]


# --- the first two weeks of a course --------------------------------------------------------------

#: State of the child: its record, and the micrograms that its regimen gives by injection in two
#: weeks: seven on alternate days, or one a week. By mouth it is seven daily and four more.
STATES = {
    "mild": (lambda: a_record(), 2000),
    "severe": (lambda: a_record(level=SEVERE), 2000),
    "seizures": (lambda: a_record(problems=[SEIZURE]), 7000),
}
BY_MOUTH_IN_TWO_WEEKS = 11_000


def _given_in_two_weeks(amount: int, every: Decimal, lasting: int) -> Decimal:
    """Counted dose by dose."""
    at, total = Decimal(0), Decimal(0)
    while at < min(lasting, 14):
        total += amount
        at += every
    return total


@each("state", STATES, sample=60)
@each("injected", [True, False], ids=["injected", "by mouth"])
@each("lasting", [1, 7, 14, 90])
@each("every", ["0.5", "1", "2", "3", "3.5", "7", "14", "30", "91"])
def test_no_order_of_half_the_regimen_or_less_passes_as_right(
    state: str, injected: bool, lasting: int, every: str
) -> None:
    record, by_injection = STATES[state]
    regimen = by_injection if injected else BY_MOUTH_IN_TWO_WEEKS
    interval = Decimal(every)
    times = 1 / interval if interval < 1 else Decimal(1)
    for amount in (2, 5, 50, 100, 250, 400, 500, 999, 1000):
        line = structs.replace(
            a_dosage(
                amount,
                times=times,
                days=max(interval, Decimal(1)),
                route=MUSCLE if injected else ORAL,
            ),
            days=Decimal(lasting),
        )
        draft = an_injection(line) if injected else a_draft(line)
        given = _given_in_two_weeks(amount, interval, lasting)
        said = about_orders(see_orders(record(), draft))
        if given * 2 <= regimen:
            assert said, (amount, given, regimen)
        if state != "mild" and injected and given * 2 <= regimen:
            assert said - {"ORD-07.published", "ORD-07.tenth"}, (amount, given, regimen)


def test_doses_given_and_other_orders_of_the_episode_count_together() -> None:
    seldom = an_injection(a_dosage(route=MUSCLE, days=91))
    weekly = an_injection(a_dosage(route=MUSCLE, days=7), name="weekly")
    assert "ORD-16" in about_orders(see_orders(a_record(), seldom))
    assert "ORD-16" not in about_orders(see_orders(a_record(), weekly, seldom))
    given = [a_dose_given(ago=one, amount=1000, source=f"given/{one}") for one in (1, 3, 5)]
    assert "ORD-16" not in about_orders(see_orders(a_record(medications=given), seldom))
    swallowed = a_draft(a_dosage(1000), name="daily")
    assert "ORD-16" in about_orders(see_orders(a_record(), swallowed, seldom))
    scant = a_draft(a_dosage(20), name="daily")
    half = an_injection(a_dosage(500, route=MUSCLE, days=91))
    assert "ORD-16" in about_orders(see_orders(a_record(), scant, half))


@pytest.mark.parametrize(
    ("days", "ago", "record", "indicator"),
    [
        (91, 0, {}, "warning"),
        (91, 0, {"problems": [SEIZURE]}, "critical"),
        (91, 0, {"level": a_level(80)}, "critical"),
        (91, 13, {}, "warning"),
        (91, 14, {}, "warning"),
        (91, 19, {"level": a_level(80)}, "critical"),
        (91, 150, {"level": a_level(150, ago=3)}, "warning"),
        (91, 150, {"level": a_level(80, ago=3)}, "critical"),
        (91, 150, {"level": a_level(150, ago=3), "problems": [SEIZURE]}, "critical"),
        (91, 150, {"level": a_level(400, ago=3)}, None),
        (400, 3, {"level": a_level(80)}, "critical"),
        (7, 0, {}, None),
        (7, 60, {"level": a_level(150, ago=3)}, None),
        (7, 0, {"problems": [SEIZURE]}, "warning"),
        (2, 0, {"problems": [SEIZURE]}, None),
        (91, 0, {"level": a_level(400)}, None),
        (91, 0, {"problems": [COBALAMIN_C]}, None),
        (91, 0, {"birth": day(20)}, None),
    ],
)
def test_an_order_in_force_that_begins_too_slowly_is_said_at_the_chart(
    days: int, ago: int, record: dict[str, Any], indicator: str | None
) -> None:
    line = a_dosage(1000, days=days, route=MUSCLE)
    order = in_force(line, code=HYDROXOCOBALAMIN, ago=ago, route=MUSCLE)
    seen = see(a_record(**{"level": a_level(150, ago=20), **record, "medications": [order]}))
    found = [
        one.indicator
        for one in seen.outcomes
        if isinstance(one, Recommend) and one.card == "ORD-16.active"
    ]
    assert found == ([indicator] if indicator else [])
    assert not [one for one in seen.stopped if seen.shows("ORD-16.active") and not seen.drugs]


def test_what_maintains_a_treatment_is_not_taken_for_its_beginning() -> None:
    seldom = an_injection(a_dosage(800, route=MUSCLE, days=91))
    for amounts, expected in (((100,), True), ((100, 100), True), ((1000, 1000), False)):
        given = [
            a_dose_given(ago=14 + 7 * week, amount=amount, source=f"given/{week}")
            for week, amount in enumerate(amounts)
        ]
        record = a_record(level=a_level(150, ago=30), medications=given)
        assert ("ORD-16" in about_orders(see_orders(record, seldom))) is expected


def _ordered(days: int, ago: int, *, until: int | None = None, **but: Any) -> Medication:
    """An injection every so many days; one that is over ended ``until`` days ago."""
    line = a_dosage(but.pop("amount", 1000), days=days, route=MUSCLE)
    told = {"code": HYDROXOCOBALAMIN, "ago": ago, "route": MUSCLE, **but}
    if until is not None:
        told |= {"status": "completed", "ended": days_ago(until)}
    return in_force(line, **told)


COURSES: dict[str, tuple[list[Medication], set[str]]] = {
    "nothing else": ([], {"ORD-16.active"}),
    "a weekly course before, as ordered": ([_ordered(7, 135, until=105)], set()),
    "a weekly course before, as given": (
        [a_dose_given(ago=one, amount=1000, source=f"given/{one}") for one in range(107, 136, 7)],
        set(),
    ),
    "one dose before": ([a_dose_given(ago=115, amount=1000)], {"ORD-16.active"}),
    "its own dose": ([a_dose_given(ago=100, amount=1000)], {"ORD-16.active"}),
    "doses of an amount no one wrote": (
        [a_dose_given(ago=one, amount=None, source=f"given/{one}") for one in (107, 114)],
        {"ORD-09"},
    ),
    "a course of half before": ([_ordered(7, 135, until=105, amount=500)], {"ORD-16.active"}),
    "a weekly course stopped after one dose": (
        [_ordered(7, 120, until=118)], {"ORD-16.active"},
    ),
    "a course that ended no one knows when": (
        [_ordered(8, 135, status="completed")], {"ORD-09"},
    ),
    "weekly since": ([_ordered(7, 60)], set()),
    "drops every day": ([in_force(a_dosage(), ago=60, source="drops")], {"ORD-16.active"}),
}  # fmt: skip


@pytest.mark.parametrize("case", COURSES)
def test_a_seldom_injection_in_force_is_judged_with_its_whole_course(case: str) -> None:
    """Every two months since a hundred days, in a child still deficient: right after a course, and
    far too seldom without one; the card says where what came before cannot be counted."""
    others, expected = COURSES[case]
    order = _ordered(60, 100, source="MedicationRequest/seldom")
    seen = see(a_record(level=a_level(150, ago=2), medications=[order, *others]))
    cards = {one.card for one in seen.outcomes if isinstance(one, Recommend)}
    assert cards & {"ORD-16.active", "ORD-09"} == expected


@pytest.mark.parametrize(
    ("first", "lasting", "then", "expected"),
    [(7, 35, 60, False), (60, 120, 90, True), (60, 60, 7, False), (60, 300, 7, True)],
)
def test_the_later_phase_of_one_order_is_not_called_too_little(
    first: int, lasting: int, then: int, expected: bool
) -> None:
    """Nor is the first once the later one runs."""
    line = structs.replace(a_dosage(days=first, route=MUSCLE), days=Decimal(lasting), sequence=1)
    later = a_dosage(days=then, route=MUSCLE, sequence=2)
    order = in_force(line, later, code=HYDROXOCOBALAMIN, ago=150, route=MUSCLE)
    seen = see(a_record(level=a_level(150, ago=2), medications=[order]))
    assert seen.shows("ORD-16.active") is expected


def test_what_follows_the_first_phase_of_a_published_schedule_is_no_error() -> None:
    """500 micrograms a day for three days, then less often: published, as two orders; not after
    one day of it."""
    later = in_force(a_dosage(500, days=7), ago=57, source="MedicationRequest/later")
    for ended, expected in ((58, False), (60, True)):
        first = in_force(
            a_dosage(500), ago=60, status="completed", ended=days_ago(ended), source="first"
        )
        seen = see(a_record(level=a_level(150, ago=2), medications=[later, first]))
        assert seen.shows("ORD-16.active") is expected


def test_a_weekly_course_with_signs_of_the_nerves_is_a_warning_and_no_alarm() -> None:
    record = a_record(problems=[SEIZURE])
    for days, indicator in ((7, "warning"), (14, "critical")):
        seen = see_orders(record, an_injection(a_dosage(route=MUSCLE, days=days)))
        (card,) = [
            one for one in seen.outcomes if isinstance(one, Recommend) and one.card == "ORD-16"
        ]
        assert card.indicator == indicator


def test_schedules_of_adults_match_no_child() -> None:
    assert any(one.adults for one in G.file.published_schedules)
    for one in G.file.published_schedules:
        assert one.source in G.file.sources


# --- the antidote of cyanide ----------------------------------------------------------------------

CYANOKIT = "Hydroxocobalamin 5 g powder for infusion (Cyanokit)"


def kit(**but: Any) -> Draft:
    line = a_dosage(70, "mg", per_kg=True, route=VEIN)
    return a_draft(line, **{"code": None, "text": CYANOKIT, **but})


@each(
    "draft",
    [
        kit(),
        kit(text="Cyanokit"),
        kit(text="hydroxocobalamin 5000 MG Injection"),
        kit(text="Hydroxocobalamin 2.5 g vial"),
        kit(code=KIT, text=""),
        a_draft(a_dosage(70, "mg", per_kg=True, route=None), code=None, text=CYANOKIT),
        an_antidote(),
        an_antidote(50),
        an_antidote(150),
    ],
)
@each("level", [78, 150, 250, 500, None])
def test_an_antidote_is_recognised_and_nothing_is_changed(draft: Draft, level: int | None) -> None:
    record = a_record(level=a_level(level)) if level else a_record(measured=())
    seen = see_orders(record, draft)
    assert about_orders(seen) == {"ORD-18"}
    assert not seen.revised
    cards = [one for one in seen.outcomes if isinstance(one, Recommend) and one.rule == "ORD-18"]
    assert [(one.indicator, one.choices) for one in cards] == [("info", ())]


@pytest.mark.parametrize(
    "draft",
    [
        kit(dosages=(a_dosage(70, "mg", per_kg=True, route=MUSCLE),)),
        kit(text="Hydroxocobalamin 1 mg/mL injection"),
        kit(text="Hydroxocobalamin 0.5 g injection"),
        kit(text="Cyanocobalamin 5 g powder"),
        an_antidote(49),
        an_antidote(151),
        an_antidote(strength=1),
        an_antidote(dosages=(a_dosage(70, "mg", per_kg=True, route=VEIN),)),
    ],
)
def test_what_is_no_antidote_is_judged_as_ever(draft: Draft) -> None:
    said = about_orders(see_orders(a_record(), draft))
    assert {"ORD-04", "ORD-04.per_kg"} & said
    assert "ORD-18" not in said


def test_a_reaction_to_cobalamin_is_said_of_an_antidote_which_stays() -> None:
    seen = see_orders(a_record(allergies=(an_allergy(),)), kit())
    assert about_orders(seen) == {"ORD-10.allergy", "ORD-18"}
    assert kept(seen, "ORD-10") == []


def test_an_antidote_is_no_treatment_and_levels_after_it_are_not_used() -> None:
    given = a_dose_given(KIT, ago=10, route=VEIN, text=CYANOKIT)
    before = see(a_record(level=a_level(150, ago=11), medications=[given]))
    assert before.shows("RTE-07")
    after = see(a_record(level=a_level(5000, ago=5), medications=[given]))
    assert after.shows("B12-04")
    assert not {"STAT-01", "STAT-10", "DUP-01", "RTE-11"} & after.rules


def test_an_antidote_in_force_is_said_and_nothing_is_stopped() -> None:
    order = in_force(a_dosage(70, "mg", per_kg=True, route=VEIN), code=KIT, text=CYANOKIT)
    seen = see(a_record(medications=[order]))
    assert "ORD-18" in about_orders(seen)
    assert "ORD-04" not in about_orders(seen)
    assert "DUP-01" not in seen.rules
    assert kept(seen, "ORD-18") == []


# --- a form that suits the age --------------------------------------------------------------------

SPRAY = "vitamin B12 0.5 MG/ACTUAT Nasal Spray"


def a_spray(**but: Any) -> Draft:
    line = a_dosage(1, "1", thing="spray", days=7, route=None)
    return a_draft(line, **{"code": None, "text": SPRAY, **but})


def test_a_spray_for_the_nose_and_a_solid_form_become_the_liquid() -> None:
    for draft in (a_spray(), a_draft(code=TABLET)):
        seen = see_orders(a_record(), draft)
        assert about_orders(seen) == {"ORD-19"}
        assert [one.drug.name for one in seen.revised]


def test_an_unfit_form_is_one_card_with_what_else_changes_the_order() -> None:
    seen = see_orders(a_record(problems=[CROHN]), a_draft(code=TABLET))
    assert about_orders(seen) == {"ORD-01"}
    (card,) = [one for one in seen.outcomes if isinstance(one, Recommend) and one.rule == "ORD-01"]
    assert "orders.unfit_form" in {getattr(note.text, "id", "") for note in card.notes}


@pytest.mark.parametrize(
    ("draft", "expected"),
    [
        (a_draft(a_dosage(text="crush and give in milk"), code=TABLET), "info"),
        (a_draft(a_dosage(text="one tablet"), code=TABLET), "warning"),
        (a_draft(text="vitamin B12 1 MG Oral Tablet, crushed", code=TABLET), "info"),
    ],
)
def test_a_solid_form_that_is_dispersed_is_only_pointed_out(draft: Draft, expected: str) -> None:
    seen = see_orders(a_record(), draft)
    (card,) = [one for one in seen.outcomes if isinstance(one, Recommend) and one.rule == "ORD-19"]
    assert card.indicator == expected


# --- words and structure --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "differs"),
    [
        ("1000 mg by mouth once daily", True),
        ("1000 mcg by mouth once daily", False),
        ("1 mg (1 mL) once daily", False),
        ("1,000 micrograms daily", False),
        ("1.000 µg täglich", False),
        ("1 mL of 1 mg/mL daily", False),
        ("give 100 mcg daily", True),
        ("0.1 mg daily", True),
        ("1 g daily", True),
        ("once daily", False),
    ],
)
def test_words_that_state_another_dose_than_the_structure_are_a_warning(
    words: str, differs: bool
) -> None:
    seen = see_orders(a_record(level=ADEQUATE), a_draft(a_dosage(text=words)))
    cards = [one for one in seen.outcomes if isinstance(one, Recommend) and one.rule == "ORD-09"]
    assert [one.indicator for one in cards] == (["warning"] if differs else [])


def test_a_dose_that_cannot_be_read_is_a_warning_for_a_deficient_child() -> None:
    for level, expected in ((150, "warning"), (500, "info")):
        seen = see_orders(a_record(level=a_level(level)), a_draft(a_dosage(None)))
        (card,) = [
            one for one in seen.outcomes if isinstance(one, Recommend) and one.rule == "ORD-09"
        ]
        assert card.indicator == expected


@pytest.mark.parametrize(
    ("name", "line", "keeps"),
    [
        ("hydroxocobalamin 1 mg/mL injection", a_dosage(route=MUSCLE, days=7), True),
        ("hydroxocobalamin 1 mg/mL injection", a_dosage(1, "mL", route=MUSCLE, days=7), False),
        ("hydroxocobalamin 0.5 mg/mL injection", a_dosage(2, "mL", route=MUSCLE, days=7), False),
        ("hydroxocobalamin 5 mg/mL injection", a_dosage("0.2", "mL", route=MUSCLE, days=7), False),
    ],
)
def test_a_dose_in_millilitres_does_not_outlive_its_product(
    name: str, line: DraftDosage, keeps: bool
) -> None:
    """The product without a preservative has no strength in its name: the dose is written again."""
    record = a_record(birth=day(40), problems=[PRETERM, CROHN])
    seen = see_orders(record, a_draft(line, code=None, text=name))
    parts = [plan.parts for plan in seen.revised]
    assert about_orders(seen) == {"ORD-12"}
    assert parts
    assert all(("dosage" not in one) is keeps for one in parts)
