"""Every limit of the guideline, below, on and above: the functions use it, on its right side."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from builders import (
    COBALAMIN_C,
    CROHN,
    ENOXAPARIN,
    HYDROXOCOBALAMIN,
    ICD10CM,
    KIT,
    MUSCLE,
    ON,
    ORAL,
    PRETERM,
    SEIZURE,
    THROMBOCYTOPENIA,
    TREMOR,
    VEIN,
    G,
    Seen,
    a_diet,
    a_dosage,
    a_dose_given,
    a_draft,
    a_lab,
    a_level,
    a_problem,
    a_record,
    a_test_order,
    a_weight,
    an_antidote,
    an_injection,
    an_operation,
    an_order,
    breast_feeding,
    day,
    days_ago,
    in_force,
    months_old,
    on_treatment,
    see,
    see_orders,
)
from each import each
from msgspec import structs

from cds_service.clinical import Code, Draft, Medication, Record
from cds_service.errors import GuidelineError
from cds_service.guidelines.b12_under_two.age import add_months
from cds_service.guidelines.b12_under_two.growth import Weighing, curves, deviation_of, place_of
from cds_service.guidelines.b12_under_two.loading import ID, load
from cds_service.guidelines.engine import Limit
from cds_service.guidelines.overrides import read_changes

Sees = Callable[[Decimal], bool]


def accounted(reason: str, build: Callable[[Decimal], Record]) -> Sees:
    """Whether something is named in the account with this reason."""
    return lambda x: reason in [one.reason for one in see(build(x)).evaluation.facts.unread]


def fires(rule: str, build: Callable[[Decimal], Record]) -> Sees:
    return lambda x: rule in see(build(x)).rules


def _drawn_up(x: Decimal) -> bool:
    """Whether a dose of so many mL is divided."""
    product = structs.replace(
        G.file.products.hydroxocobalamin_injection, strength=Decimal(1000) / x
    )
    products = structs.replace(G.file.products, hydroxocobalamin_injection=product)
    changed = structs.replace(G, file=structs.replace(G.file, products=products))
    return see(a_record(problems=[SEIZURE]), g=changed).says("divided between both")


def _corrected(order: str, route: Code, *problems: Code) -> Sees:
    """Whether a correction changes the product, where the right dose is so many mL of it."""

    def changes(x: Decimal) -> bool:
        line = a_dosage(1, route=route, days=7)
        name = order.format(1000 / x)
        seen = see_orders(a_record(problems=problems), a_draft(line, code=None, text=name))
        return any("medication" in plan.parts for plan in seen.revised)

    return changes


def _injected_for(x: Decimal) -> bool:
    """Whether a course of so many days is called long for benzyl alcohol."""
    dose = G.file.doses.neurological_injections
    (phase,) = dose.phases
    shorter = structs.replace(dose, phases=(structs.replace(phase, duration=int(x)),))
    doses = structs.replace(G.file.doses, neurological_injections=shorter)
    changed = structs.replace(G, file=structs.replace(G.file, doses=doses))
    return see(a_record(problems=[SEIZURE]), g=changed).says(
        "Prefer a product without benzyl alcohol"
    )


def silent(rule: str, build: Callable[[Decimal], Record]) -> Sees:
    """For limits inside which a rule does *not* fire."""
    return lambda x: rule not in see(build(x)).rules


def counted(name: str, months: int, rule: str) -> tuple[str, Sees]:
    """Whether a count of a child of some months, flagged by the laboratory, fires a rule."""
    birth = months_old(months) - timedelta(days=10)
    return "0.1", fires(
        rule,
        lambda x: a_record(
            a_lab(name, x, ago=2, interpretation="high" if name == "mcv" else ""), birth=birth
        ),
    )


def sampled_at(value: str, *, anaemic: bool) -> tuple[str, Sees]:
    """Whether a haemoglobin is anaemia by the month in which it was sampled."""

    def sees(x: Decimal) -> bool:
        birth = months_old(int(x)) - timedelta(days=10)
        record = a_record(a_lab("hemoglobin", value, ago=2), birth=birth)
        found = see(record).evaluation.assessment
        assert found is not None
        by_age = found.severity_rule == "SEV-05"
        return by_age is anaemic

    return "1", sees


def weighs(months: int) -> Sees:
    """Whether a weight of today is used at that age, of a child who was born preterm."""
    return fires(
        "WT-04",
        lambda kg: a_record(a_weight(kg, ago=0), problems=[PRETERM], birth=months_old(months)),
    )


def on_the_curve(x: Decimal) -> bool:
    """Whether a weight that is far below the lower curve is rejected at so many months."""
    return "WT-02" in see(a_record(a_weight("1.6", ago=0), birth=months_old(int(x)))).rules


def beyond(side: int, *rules: str) -> Sees:
    """Whether a weight so many deviations below or above the median of six months is spoken of."""

    def sees(x: Decimal) -> bool:
        low, high = Decimal(0), Decimal(20)
        while high - low > Decimal("1e-9"):
            middle = (low + high) / 2
            place = place_of(middle, 6, 6, "")
            reached = place.heavy >= x if side > 0 else place.light <= x
            low, high = (low, middle) if reached else (middle, high)
        kg = high if side < 0 else low
        found = see(a_record(a_weight(round(kg, 6), ago=0), birth=months_old(6))).rules
        return bool(set(rules) & set(found))

    return sees


def weighed(months: int, kg: int) -> Sees:
    """Whether a weight of so many days ago is used at that age."""
    return fires("WT-04", lambda x: a_record(a_weight(kg, ago=int(x)), birth=months_old(months)))


def plausible_until(kg: object) -> Sees:
    """Whether a weight of today is used at so many months, of a child who was born preterm."""
    return fires(
        "WT-04",
        lambda x: a_record(a_weight(kg, ago=0), problems=[PRETERM], birth=months_old(int(x))),
    )


def stale_until(ago: int, kg: int) -> Sees:
    """Whether a weight of so many days ago is too old at so many months."""
    return fires("WT-05", lambda x: a_record(a_weight(kg, ago=ago), birth=months_old(int(x))))


def newborn(x: Decimal) -> bool:
    return see(a_record(birth=day(int(x)))).evaluation.facts.age.neonate


def weighed_at_birth(x: Decimal) -> bool:
    weight = a_weight("3.5", ago=int(x), code="8339-4")
    return see(a_record(weight, birth=day(int(x)))).evaluation.facts.weight.kg is not None


def weights_apart(x: Decimal) -> bool:
    more = a_weight(10 * (1 + x / 100), ago=1)
    record = a_record(a_weight(10, ago=1), more, birth=months_old(15))
    return see(record).evaluation.facts.weight.disagrees


def new_episode(x: Decimal) -> bool:
    doses = [a_dose_given(ago=5), a_dose_given(ago=5 + int(x))]
    return see(a_record(medications=doses)).evaluation.facts.therapy.start == days_ago(5)


def new_course(x: Decimal) -> bool:
    ended = an_order(ago=60, ended=days_ago(10 + int(x)), status="completed")
    record = a_record(medications=[ended, an_order(ago=10)])
    return see(record).evaluation.facts.therapy.start == days_ago(10)


def two_results(x: Decimal) -> Record:
    return a_record(a_level(150, ago=5 + int(x)), level=a_level(250, ago=5))


def injected(*parts: object, **but: object) -> Record:
    """A child to be treated by injection, for what is watched then."""
    return a_record(*parts, problems=[CROHN], **but)  # type: ignore[arg-type]


def cell_lines(x: Decimal) -> Record:
    found = (
        a_lab("hemoglobin", 9),
        a_lab("platelets", 80),
        a_lab("leukocytes", 3, interpretation="low"),
    )
    return a_record(*found[: int(x)])


def suggestive(count: int) -> Record:
    """A child without a level and with so many signs that suggest a deficiency."""
    codes = ("Q02", "K14.0", "R53.83")
    return a_record(measured=(), problems=[Code(ICD10CM, one) for one in codes[:count]])


def fed_by_a_vegan(*, begun: int, ended: int) -> Seen:
    """An infant with an adequate level, breast-fed over a period, each in days ago."""
    fed = structs.replace(breast_feeding(ago=ended), begun=days_ago(begun), ended=days_ago(ended))
    return see(a_record(fed, a_diet(about="mother"), level=a_level(400)))


def falls(*, lost: Decimal = Decimal(2), apart: int = 60, ago: int = 5) -> bool:
    """Whether a child whose weight fell by so many standard deviations, as the sex has it of which
    it fell less, is seen to fall."""
    birth = months_old(10)
    before = Weighing(day(ago + apart), Decimal(8), "8 kg")

    def fell(kg: Decimal) -> Decimal:
        now = Weighing(day(ago), kg, "")
        return min(
            deviation_of(before, birth, table) - deviation_of(now, birth, table)
            for table in curves()
        )

    low, high = Decimal(3), Decimal(12)  # the heaviest weight that is such a fall
    while high - low > Decimal("1e-9"):
        middle = (low + high) / 2
        low, high = (middle, high) if fell(middle) >= lost else (low, middle)
    weights = (a_weight(8, ago=ago + apart), a_weight(low, ago=ago))
    return see(a_record(*weights, birth=birth)).evaluation.facts.growth_fall is not None


def gestation(weeks: Decimal, age_in_days: int) -> Record:
    return injected(a_lab("gestational_age", weeks), birth=day(age_in_days))


def movements(onset: int, *, treated: int, route: str = "oral") -> Record:
    return on_treatment(treated, route=route, problems=[a_problem(TREMOR, treated - onset)])


def small_dose(x: Decimal) -> bool:
    therapy = see(a_record(medications=[an_order(amount=x)])).evaluation.facts.therapy
    return not therapy.is_active


def started(ago: int, **but: object) -> Medication:
    return an_order(ago=ago, **but)  # type: ignore[arg-type]


def refused_dose(x: Decimal, folder: Path) -> bool:
    file = folder / "site.toml"
    file.write_text(f"[doses.oral_regimen]\namount = {x}\n", encoding="utf-8")
    try:
        (changes,) = read_changes(file, [ID], ID).values()
        load(changes)
    except GuidelineError as error:
        return "between 0 and" in error.problem
    return False


#: Limit -> (smallest step of its number, whether it is seen to hold at a number).
def ordered(card: str) -> Sees:
    """Whether an order of so many micrograms a day for a deficient child brings up ``card``."""
    return lambda amount: see_orders(a_record(), a_draft(a_dosage(amount))).shows(card)


def antidote(build: Callable[[Decimal], Draft]) -> Sees:
    """Whether the draft is taken for the antidote of cyanide."""
    return lambda x: see_orders(a_record(), build(x)).shows("ORD-18")


def is_said_not_given(days: Decimal | int, late: Decimal | int) -> bool:
    """Of an order of an injection every so many days, the last of which is recorded."""
    line = a_dosage(route=MUSCLE, days=days)
    ago = int(days) + int(late)
    order = in_force(line, code=HYDROXOCOBALAMIN, route=MUSCLE, ago=ago)
    dose = a_dose_given(ago=ago)
    seen = see(
        a_record(birth=months_old(20), level=a_level(150, ago=100), medications=[order, dose])
    )
    return "DUP-09" in seen.rules


def weekly(doses: Decimal) -> Draft:
    """Weekly injections, the last of them smaller where ``doses`` has a fraction."""
    whole, rest = divmod(doses, 1)
    lines = [structs.replace(a_dosage(route=MUSCLE, days=7), days=7 * whole, sequence=1)]
    if rest:
        last = a_dosage(rest * 1000, route=MUSCLE, days=7)
        lines.append(structs.replace(last, days=Decimal(7), sequence=2))
    return an_injection(*lines)


TABLE: dict[str, tuple[str, Sees]] = {
    "covered_age": ("1", silent("AGE-04", lambda x: a_record(birth=months_old(int(x))))),
    "toddler_age": ("1", fires("AGE-05", lambda x: a_record(birth=months_old(int(x))))),
    "neonate_age": ("1", newborn),
    "under_one_month_age": (
        "1",
        fires("RTE-02", lambda x: a_record(level=a_level(ago=0), birth=months_old(int(x)))),
    ),
    "trial_age": (
        "1",
        lambda x: see(a_record(birth=months_old(int(x)))).says("tried only up to 20 months"),
    ),
    "weight_band_1_month": ("1", plausible_until("0.5")),
    "weight_band_6_months": ("1", plausible_until(2)),
    "weight_band_12_months": ("1", plausible_until("3.5")),
    "weight_floor_under_1_month": ("0.01", weighs(0)),
    "weight_floor_1_to_6_months": ("0.01", weighs(3)),
    "weight_floor_6_to_12_months": ("0.01", weighs(8)),
    "weight_floor_12_to_24_months": ("0.01", weighs(15)),
    "weight_curve_age": ("1", on_the_curve),
    "weight_rejected_low": ("0.01", beyond(-1, "WT-02")),
    "weight_rejected_high": ("0.01", beyond(1, "WT-02")),
    "weight_unusual_low": ("0.01", beyond(-1, "WT-02", "WT-07")),
    "weight_unusual_high": ("0.01", beyond(1, "WT-02", "WT-07")),
    "weight_age_3_months": ("1", stale_until(8, 5)),
    "weight_age_12_months": ("1", stale_until(31, 9)),
    "weight_age_under_3_months": ("1", weighed(2, 5)),
    "weight_age_3_to_12_months": ("1", weighed(8, 8)),
    "weight_age_12_to_24_months": ("1", weighed(15, 10)),
    "birth_weight_age": ("1", weighed_at_birth),
    "weight_disagreement": ("0.1", weights_apart),
    "dated_ahead": ("1", fires("B12-04", lambda x: a_record(level=a_level(ago=-int(x))))),
    "b12_deficient": ("0.1", fires("STAT-02", lambda x: a_record(level=a_level(x)))),
    "b12_adequate": ("0.1", fires("STAT-08", lambda x: a_record(level=a_level(x)))),
    "b12_severe": ("0.1", fires("SEV-03", lambda x: a_record(level=a_level(x)))),
    "b12_high": (
        "0.1",
        lambda x: see(a_record(a_diet(), level=a_level(x))).shows("STAT-08"),
    ),
    "b12_implausible": ("0.1", fires("B12-04", lambda x: a_record(level=a_level(x)))),
    "result_current": (
        "1",
        fires("STAT-02", lambda x: a_record(level=a_level(ago=int(x)), birth=months_old(20))),
    ),
    "result_stale": (
        "1",
        fires("STAT-10", lambda x: a_record(level=a_level(ago=int(x)), birth=months_old(20))),
    ),
    "discordance_window": ("1", fires("B12-12", two_results)),
    "metabolite_window": (
        "1",
        fires(
            "STAT-03",
            lambda x: a_record(a_lab("methylmalonate", "1.9", ago=5 + int(x)), level=a_level(250)),
        ),
    ),
    "mma_high": (
        "0.01",
        fires("STAT-03", lambda x: a_record(a_lab("methylmalonate", x), level=a_level(250))),
    ),
    "homocysteine_high": (
        "0.1",
        fires("STAT-03", lambda x: a_record(a_lab("homocysteine", x), level=a_level(250),
                                            problems=[CROHN])),
    ),
    "holotranscobalamin_low": (
        "0.1", fires("SIGN-05", lambda x: a_record(measured=(a_lab("holotranscobalamin", x),))),
    ),
    "mma_high_toddler": (
        "0.01",
        fires("STAT-03", lambda x: a_record(a_lab("methylmalonate", x), level=a_level(250),
                                            birth=months_old(15))),
    ),
    "mma_grey": (
        "0.01",
        fires("STAT-05", lambda x: a_record(a_lab("methylmalonate", x), level=a_level(250))),
    ),
    "homocysteine_grey": (
        "0.1",
        fires("STAT-05", lambda x: a_record(a_lab("homocysteine", x), level=a_level(250))),
    ),
    "mma_extreme": ("0.1", fires("ETI-01c", lambda x: a_record(a_lab("methylmalonate", x),
                                                               level=a_level(250)))),
    "homocysteine_severe": (
        "0.1",
        fires("ETI-01b", lambda x: a_record(a_lab("homocysteine", x), level=a_level(250))),
    ),
    "homocysteine_extreme": (
        "0.1",
        fires("ETI-01b", lambda x: a_record(a_lab("homocysteine", x), level=a_level(150))),
    ),
    "labs_recent": ("1", fires("SEV-02", lambda x: a_record(a_lab("hemoglobin", 6, ago=int(x))))),
    "hemoglobin_severe": ("0.1", fires("SEV-02", lambda x: a_record(a_lab("hemoglobin", x)))),
    "hemoglobin_two_lines": (
        "0.1",
        fires(
            "SEV-02",
            lambda x: a_record(
                a_lab("hemoglobin", x), a_lab("platelets", 80), birth=months_old(8)
            ),
        ),
    ),
    "hemoglobin_anaemia": counted("hemoglobin", 8, "SEV-05"),
    "hemoglobin_anaemia_1_month": counted("hemoglobin", 1, "SEV-05"),
    "hemoglobin_anaemia_2_months": counted("hemoglobin", 2, "SEV-05"),
    "hemoglobin_anaemia_3_months": counted("hemoglobin", 4, "SEV-05"),
    "mcv_high": counted("mcv", 8, "SEV-05"),
    "mcv_high_1_month": counted("mcv", 1, "SEV-05"),
    "mcv_high_2_months": counted("mcv", 2, "SEV-05"),
    "mcv_high_3_months": counted("mcv", 4, "SEV-05"),
    "blood_age_1_month": sampled_at("8.5", anaemic=True),
    "blood_age_2_months": sampled_at("9.5", anaemic=False),
    "blood_age_3_months": sampled_at("9.2", anaemic=True),
    "blood_age_6_months": sampled_at("10.2", anaemic=True),
    "hemoglobin_potassium": ("0.1", fires("MON-04", lambda x: injected(a_lab("hemoglobin", x)))),
    "platelets_two_lines": (
        "1",
        fires("SEV-02", lambda x: a_record(a_lab("hemoglobin", 9), a_lab("platelets", x))),
    ),
    "lines_affected": ("1", fires("SEV-02", cell_lines)),
    "platelets_injection": ("1", fires("SAF-03", lambda x: injected(a_lab("platelets", x)))),
    "anticoagulant_recent": (
        "1",
        fires(
            "SAF-03",
            lambda x: a_record(
                level=a_level(80),
                medications=[
                    an_order(ENOXAPARIN, ago=int(x), kind="administration", status="completed")
                ],
            ),
        ),
    ),
    "hemoglobin_implausible": (
        "1", accounted("value", lambda x: a_record(a_lab("hemoglobin", x, ago=5)))
    ),
    "platelets_implausible": (
        "1", accounted("value", lambda x: a_record(a_lab("platelets", x, ago=5)))
    ),
    "white_cells_implausible": (
        "1", accounted("value", lambda x: a_record(a_lab("neutrophils", x, ago=5)))
    ),
    "potassium_implausible": (
        "1", accounted("value", lambda x: a_record(a_lab("potassium", x, ago=5)))
    ),
    "platelets_recent": (
        "1",
        silent(
            "SAF-03",
            lambda x: a_record(
                a_lab("platelets", 200, ago=int(x)), problems=[CROHN, THROMBOCYTOPENIA]
            ),
        ),
    ),
    "potassium_low": ("0.1", fires("SAF-06", lambda x: a_record(a_lab("potassium", x)))),
    "injection_volume": ("0.1", _drawn_up),
    "injection_corrected": (
        "0.5", _corrected("Hydroxocobalamin {:.2f} micrograms/mL injection", MUSCLE, SEIZURE),
    ),
    "oral_corrected": (
        "1.25", _corrected("Cyanocobalamin {:.2f} micrograms/mL oral drops", ORAL),
    ),
    "preserved_course": ("1", _injected_for),
    "potassium_very_low": (
        "0.1", fires("SAF-06b", lambda x: a_record(a_lab("potassium", x)))
    ),
    "preterm_birth": ("1", fires("SAF-04", lambda x: gestation(x, 40))),
    "benzyl_alcohol_age": (
        "1",
        fires("SAF-04", lambda x: gestation(Decimal(32), 7 * (int(x) - 32))),
    ),
    "episode_gap": ("1", new_episode),
    "course_gap": ("1", new_course),
    "therapy_before_result": (
        "1",
        fires("STAT-01", lambda x: a_record(level=a_level(ago=30 - int(x)),
                                            medications=[started(30)])),
    ),
    "untreated": (
        "1",
        fires("URG-02", lambda x: a_record(level=a_level(ago=int(x)), birth=months_old(10))),
    ),
    "order_begins_late": (
        "1",
        lambda days: see_orders(
            a_record(level=a_level(80)),
            an_injection(a_dosage(days=7, route=MUSCLE, begins=ON + timedelta(days=int(days)))),
        ).shows("ORD-09"),
    ),
    "order_window": (
        "1",
        fires("MON-07", lambda x: a_record(test_orders=(a_test_order("13964-2", due_in=int(x)),))),
    ),
    "response_day": ("1", fires("FU-02", lambda x: on_treatment(60, (350, int(x))))),
    "response_ratio": (
        "0.01",
        fires("FU-03", lambda x: on_treatment(40, (200 * x, 30), before=200)),
    ),
    "one_month_overdue": ("1", fires("FU-07", lambda x: on_treatment(int(x)))),
    "three_month_result": ("1", silent("FU-08", lambda x: on_treatment(130, (350, int(x))))),
    "three_month_overdue": ("1", fires("FU-08", lambda x: on_treatment(int(x), (350, 30)))),
    "paradox_from": ("1", fires("FU-09", lambda x: movements(int(x), treated=10))),
    "paradox_to": ("1", fires("FU-09", lambda x: movements(int(x), treated=20))),
    "paradox_long": (
        "1",
        fires("FU-10", lambda x: movements(5, treated=int(x) + 5, route="parenteral")),
    ),
    "neuro_review": (
        "1",
        fires("FU-10", lambda x: on_treatment(int(x), problems=[a_problem(SEIZURE, 100)])),
    ),
    "suggestive_signs": ("1", fires("SIGN-04", lambda x: suggestive(int(x)))),
    "growth_fall": ("0.01", lambda x: falls(lost=x)),
    "growth_span": ("1", lambda x: falls(apart=int(x))),
    "growth_recent": ("1", lambda x: falls(ago=int(x))),
    "mothers_diet_over": (
        "1",
        lambda x: "PRE-01" not in see(
            a_record(
                breast_feeding(),
                structs.replace(a_diet("vegan until 2023"), question="Maternal diet"),
                level=a_level(400),
                birth=add_months(date(2023, 12, 31), int(x)),
            )
        ).rules,
    ),
    "feeding_period": (
        "1",
        lambda x: "PRE-01" not in fed_by_a_vegan(begun=100 + int(x), ended=100).rules,
    ),
    "feeding_over": (
        "1",
        lambda x: "PRE-01" not in fed_by_a_vegan(begun=150, ended=int(x)).rules,
    ),
    "formula_age": (
        "1",
        lambda x: see(a_record(breast_feeding("formula fed"), birth=months_old(int(x)))).says(
            "first the mother's deficiency in pregnancy"
        ),
    ),
    "nitrous_oxide_recent": (
        "1",
        lambda x: see(
            a_record(procedures=(an_operation(Code("urn:site", "1", "Nitrous oxide"), int(x)),))
        ).says("look for harm"),
    ),
    "regimen_end": ("1", fires("FU-12", lambda x: on_treatment(int(x), (350, 100)))),
    "requirement_dose": ("0.1", small_dose),
    "dose_excessive": ("0.1", ordered("ORD-04")),
    "dose_specialist": (
        "0.1",
        lambda amount: see_orders(
            a_record(problems=[COBALAMIN_C]), an_injection(a_dosage(amount, route=MUSCLE))
        ).shows("ORD-04"),
    ),
    "dose_tenth": (
        "0.1",
        lambda amount: see_orders(
            a_record(), an_injection(a_dosage(amount, route=MUSCLE))
        ).shows("ORD-07.tenth"),
    ),
    "antidote_least": ("0.1", antidote(lambda x: an_antidote(x))),
    "antidote_most": ("0.1", antidote(lambda x: an_antidote(x))),
    "antidote_strength": ("0.1", antidote(lambda x: an_antidote(strength=x))),
    "antidote_effect": (
        "1",
        silent("STAT-02", lambda x: a_record(
            level=a_level(150, ago=5), medications=[a_dose_given(KIT, ago=5 + int(x), route=VEIN)]
        )),
    ),
    "weekly_injections": (
        "1",
        lambda days: see_orders(
            a_record(),
            an_injection(structs.replace(a_dosage(route=MUSCLE, days=7), days=Decimal(days))),
        ).shows("ORD-17.weekly"),
    ),
    "weekly_interval": (
        "1",
        lambda days: see_orders(
            a_record(),
            an_injection(
                structs.replace(a_dosage(route=MUSCLE, days=7), days=Decimal(14), sequence=1),
                structs.replace(a_dosage(route=MUSCLE, days=days), sequence=2),
            ),
        ).shows("ORD-17.weekly"),
    ),
    "frequent_injections": (
        "1",
        lambda days: see_orders(
            a_record(),
            an_injection(structs.replace(a_dosage(1000, route=MUSCLE), days=Decimal(days))),
        ).shows("ORD-17"),
    ),
    "mma_marked": (
        "0.1",
        lambda x: see(a_record(a_lab("methylmalonate", x), level=a_level(400))).shows(
            "RTE-10.marked"
        ),
    ),
    "dose_overdue": (
        "1",
        lambda late: see(
            a_record(
                level=a_level(150, ago=20),
                medications=[a_dose_given(ago=int(late) + 2)],
                problems=[SEIZURE],
            )
        ).says("Course not continued"),
    ),
    "doses_frequent": ("1", lambda days: is_said_not_given(days, 3)),
    "frequent_dose_late": ("1", lambda late: is_said_not_given(2, late)),
    "doses_weekly": ("1", lambda days: is_said_not_given(days, 4)),
    "weekly_dose_late": ("1", lambda late: is_said_not_given(7, late)),
    "rare_dose_late": ("1", lambda late: is_said_not_given(60, late)),
    "course_short": (
        "0.01",
        lambda share: see_orders(a_record(), weekly(5 * share)).shows("ORD-24"),
    ),
    "course_scant": (
        "0.01",
        lambda share: see_orders(
            a_record(), an_injection(a_dosage(share * 1000, route=MUSCLE, days=7))
        ).shows("ORD-16"),
    ),
}  # fmt: skip

LIMITS = {name: getattr(G.limits, name) for name in G.limits.__struct_fields__}


def test_every_limit_of_the_guideline_is_in_this_table() -> None:
    assert {*TABLE, "dose_suggested"} == set(LIMITS)


@each("step", [-1, 0, 1], ids=["below", "on", "above"])
@each("name", TABLE)
def test_a_limit_decides_on_its_own_side(name: str, step: int) -> None:
    limit: Limit = LIMITS[name]
    unit, sees = TABLE[name]
    number = limit.value + step * Decimal(unit)
    assert sees(number) is limit.holds(number)


@pytest.mark.parametrize("step", [-1, 0, 1], ids=["below", "on", "above"])
def test_no_dose_above_the_highest_suggested_is_accepted(step: int, tmp_path: Path) -> None:
    number = G.limits.dose_suggested.value + step
    assert refused_dose(number, tmp_path) is (step == 1)
    assert ordered("ORD-03")(number) is (step == 1)


@pytest.mark.parametrize(
    ("side", "expected"),
    [
        ("below", (True, False, False)),
        ("at_most", (True, True, False)),
        ("at_least", (False, True, True)),
        ("above", (False, False, True)),
    ],
)
def test_a_side_says_whether_the_number_itself_belongs(
    side: str, expected: tuple[bool, bool, bool]
) -> None:
    limit = Limit(unit="d", means="a test", source="policy: a test", **{side: Decimal(10)})
    assert tuple(limit.holds(Decimal(number)) for number in (9, 10, 11)) == expected
    assert limit.side == side


#: The numbers of the guideline and of its bibliography, as they were read there: a slip of the
#: hand in the data is noticed here. What a site changes, it changes in its own file.
PUBLISHED = {
    "covered_age": "24 mo below",
    "toddler_age": "12 mo at_least",
    "b12_deficient": "200 pg/mL below",
    "b12_adequate": "300 pg/mL at_least",
    "mma_high": "1.25 umol/L above",
    "homocysteine_high": "10 umol/L above",
    "mma_high_toddler": "0.3 umol/L above",
    "homocysteine_severe": "50 umol/L at_least",
    "homocysteine_extreme": "100 umol/L above",
    "hemoglobin_severe": "7 g/dL below",
    "hemoglobin_anaemia": "10.5 g/dL below",
    "hemoglobin_anaemia_1_month": "10 g/dL below",
    "hemoglobin_anaemia_2_months": "9 g/dL below",
    "hemoglobin_anaemia_3_months": "9.5 g/dL below",
    "mcv_high": "90 fL above",
    "platelets_injection": "50 10*9/L below",
    "potassium_low": "3.5 mmol/L below",
    "untreated": "90 d above",
    "paradox_from": "1 d at_least",
    "paradox_to": "14 d at_most",
    "paradox_long": "42 d above",
    "dose_suggested": "1000 ug above",
    "dose_excessive": "2000 ug above",
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_number_stands_as_it_was_published(name: str) -> None:
    assert f"{LIMITS[name]} {LIMITS[name].side}" == PUBLISHED[name]


def test_a_preterm_child_without_recorded_weeks_counts_as_very_preterm() -> None:
    weeks = G.file.constants.preterm_assumed.value
    youngest = (G.limits.benzyl_alcohol_age.value - weeks) * 7
    for days, careful in ((youngest - 1, True), (youngest, False)):
        born = ON - timedelta(days=int(days))
        assert ("SAF-04" in see(a_record(birth=born, problems=[CROHN, PRETERM])).rules) is careful
