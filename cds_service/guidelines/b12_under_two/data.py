"""The shape of ``guideline.toml``: every limit, dose, product, test and text the functions name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from msgspec import UNSET, Struct, structs

from cds_service.clinical import Code, Need
from cds_service.guidelines import doses
from cds_service.guidelines.codelists import CodeList, Lists
from cds_service.guidelines.doses import Dose as Dose
from cds_service.guidelines.doses import Test as Test
from cds_service.guidelines.engine import (
    Constant,
    Limit,
    Wording,
)
from cds_service.guidelines.guideline import GuidelineFile

if TYPE_CHECKING:
    from cds_service.guidelines.b12_under_two.tables import Tables


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    covered_age: Limit
    toddler_age: Limit
    neonate_age: Limit
    under_one_month_age: Limit
    trial_age: Limit
    weight_band_1_month: Limit
    weight_band_6_months: Limit
    weight_band_12_months: Limit
    weight_floor_under_1_month: Limit
    weight_floor_1_to_6_months: Limit
    weight_floor_6_to_12_months: Limit
    weight_floor_12_to_24_months: Limit
    weight_curve_age: Limit
    weight_rejected_low: Limit
    weight_rejected_high: Limit
    weight_unusual_low: Limit
    weight_unusual_high: Limit
    weight_age_3_months: Limit
    weight_age_12_months: Limit
    weight_age_under_3_months: Limit
    weight_age_3_to_12_months: Limit
    weight_age_12_to_24_months: Limit
    birth_weight_age: Limit
    weight_disagreement: Limit
    dated_ahead: Limit
    b12_deficient: Limit
    b12_adequate: Limit
    b12_severe: Limit
    b12_high: Limit
    b12_implausible: Limit
    result_current: Limit
    result_stale: Limit
    discordance_window: Limit
    metabolite_window: Limit
    mma_high: Limit
    holotranscobalamin_low: Limit
    mma_high_toddler: Limit
    mma_grey: Limit
    mma_marked: Limit
    mma_extreme: Limit
    homocysteine_high: Limit
    homocysteine_grey: Limit
    homocysteine_severe: Limit
    homocysteine_extreme: Limit
    labs_recent: Limit
    suggestive_signs: Limit
    growth_fall: Limit
    growth_span: Limit
    growth_recent: Limit
    formula_age: Limit
    nitrous_oxide_recent: Limit
    hemoglobin_severe: Limit
    hemoglobin_two_lines: Limit
    hemoglobin_anaemia: Limit
    hemoglobin_anaemia_1_month: Limit
    hemoglobin_anaemia_2_months: Limit
    hemoglobin_anaemia_3_months: Limit
    blood_age_1_month: Limit
    blood_age_2_months: Limit
    blood_age_3_months: Limit
    blood_age_6_months: Limit
    mcv_high: Limit
    mcv_high_1_month: Limit
    mcv_high_2_months: Limit
    mcv_high_3_months: Limit
    hemoglobin_potassium: Limit
    platelets_two_lines: Limit
    lines_affected: Limit
    platelets_injection: Limit
    anticoagulant_recent: Limit
    hemoglobin_implausible: Limit
    platelets_implausible: Limit
    white_cells_implausible: Limit
    potassium_implausible: Limit
    platelets_recent: Limit
    potassium_low: Limit
    potassium_very_low: Limit
    preterm_birth: Limit
    benzyl_alcohol_age: Limit
    episode_gap: Limit
    course_gap: Limit
    therapy_before_result: Limit
    untreated: Limit
    order_begins_late: Limit
    order_window: Limit
    response_day: Limit
    response_ratio: Limit
    one_month_overdue: Limit
    three_month_result: Limit
    three_month_overdue: Limit
    paradox_from: Limit
    paradox_to: Limit
    paradox_long: Limit
    neuro_review: Limit
    regimen_end: Limit
    requirement_dose: Limit
    dose_excessive: Limit
    dose_specialist: Limit
    dose_tenth: Limit
    course_scant: Limit
    dose_overdue: Limit
    frequent_injections: Limit
    antidote_least: Limit
    antidote_most: Limit
    antidote_strength: Limit
    antidote_effect: Limit
    injection_volume: Limit
    injection_corrected: Limit
    oral_corrected: Limit
    preserved_course: Limit
    dose_suggested: Limit


class Constants(Struct, frozen=True, forbid_unknown_fields=True):
    b12_molar_mass: Constant
    hemoglobin_molar_mass: Constant
    homocysteine_molar_mass: Constant
    preterm_assumed: Constant
    one_month_check: Constant
    three_month_check: Constant
    reticulocyte_check: Constant
    potassium_days: Constant
    borderline_repeat: Constant
    adequate_repeat: Constant


class Product(doses.Product, frozen=True):
    substance: Literal["cyanocobalamin", "hydroxocobalamin"]


class Products(Struct, frozen=True, forbid_unknown_fields=True):
    oral_solution: Product
    ingredient: Product
    cyanocobalamin_injection: Product
    hydroxocobalamin_injection: Product


class Doses(Struct, frozen=True, forbid_unknown_fields=True):
    oral_regimen: Dose
    infant_daily: Dose
    toddler_daily: Dose
    neurological_injections: Dose
    weekly_injections: Dose


class Tests(Struct, frozen=True, forbid_unknown_fields=True):
    b12: Test
    mma: Test
    homocysteine: Test
    blood_count: Test
    folate: Test
    ferritin: Test
    reticulocytes: Test
    potassium: Test


class Routes(Struct, frozen=True, forbid_unknown_fields=True):
    oral: Code
    intramuscular: Code
    subcutaneous: Code


class Policy(Struct, frozen=True, forbid_unknown_fields=True):
    """Choices a site makes."""

    first_line: Literal["oral_regimen", "age_based_daily"]
    parenteral_product: Literal["hydroxocobalamin_injection", "cyanocobalamin_injection"]


class Feeding(Struct, frozen=True, forbid_unknown_fields=True):
    """Whole written answers (lower case) that state how a child is fed; ``formula`` are those that
    say formula and nothing of the breast."""

    breast_fed: tuple[str, ...]
    not_breast_fed: tuple[str, ...]
    formula: tuple[str, ...]


class Answers(Struct, frozen=True, forbid_unknown_fields=True):
    """Whole texts (lower case) that are answers: what laboratories write instead of a number, with
    codes of any system that say it is low, and a plain yes or no."""

    low: tuple[str, ...]
    low_codes: tuple[str, ...]
    yes: tuple[str, ...]
    no: tuple[str, ...]


class Texts(Struct, frozen=True, forbid_unknown_fields=True):
    """Every sentence a card may carry besides its rule's own, in ``texts/en.toml``."""

    metabolites_grey: str
    metabolites_adult_range: str
    metabolites_unread: str
    functional_specialist: str
    samples_first: str
    suspected_no_dose: str
    suspected_old_level: str
    suspected_then_inject: str
    suspected_then_allergic: str
    suspected_then_ask: str
    suspected_offered: str
    suspected_already: str
    allergy_possible: str
    result_ahead: str
    level: str
    level_plain: str
    value_as_sent: str
    level_below: str
    level_above: str
    level_range: str
    level_low_flag: str
    diagnosis_only: str
    tie: str
    tie_partial: str
    between_days: str
    up_to_days: str
    unit_mismatch: str
    below_laboratory_range: str
    discordant: str
    not_undone: str
    overtaken: str
    newer_unusable: str
    cobalamin_c: str
    homocysteine_fell: str
    homocysteine_unspecific: str
    severity: str
    mild_unknown: str
    mild_unread: str
    problems: str
    cause: str
    cause_unknown: str
    cause_unread: str
    cause_possible: str
    age_partial: str
    no_corrected_age: str
    age_beyond_trial: str
    alternative: str
    maintenance_label: str
    maintenance_dose: str
    maintenance_fixed: str
    maintenance_no_weight: str
    maintenance_stale_weight: str
    maintenance_age_unclear: str
    maintenance_anomaly: str
    local_first_line: str
    weights_disagree: str
    weights_disagree_partial: str
    weight_rejected: str
    weight_slip: str
    antidote_in_force: str
    told_risk: str
    of_mother: str
    told_mother: str
    weight_unusual: str
    weight_estimated: str
    label_discordance: str
    benzyl_alcohol_course: str
    unlicensed_by_mouth: str
    leber_course: str
    first_injection: str
    leber: str
    leber_ask: str
    bleeding: str
    low_lines: str
    platelets_low: str
    platelets_unknown: str
    platelets_unread: str
    platelets_early: str
    preservative_free: str
    preservative_allergy: str
    allergy: str
    allergy_told: str
    allergies_unknown: str
    potassium_low: str
    potassium_inpatient: str
    potassium_watch: str
    folate_alone: str
    renal: str
    nitrous_oxide: str
    nitrous_oxide_planned: str
    by_words: str
    neurological_words: str
    inborn_words: str
    unjudged: str
    unjudged_more: str
    metabolites_known: str
    treat_severe_anaemia: str
    screening_positive: str
    formula_fed: str
    formula_fed_young: str
    growth_fall: str
    prevention_mother: str
    prevention_child: str
    urgent_untreated: str
    urgent_same_day: str
    already_treated: str
    order_on_hold: str
    earlier_treatment: str
    course_ended: str
    course_open: str
    broken_off: str
    relapse: str
    given_treatment: str
    lasting_cause: str
    lasting_enterocolitis: str
    until_absorption: str
    active_now: str
    looks_like_b12: str
    perhaps_b12: str
    dispensed: str
    worded_malabsorption: str
    worded_bleeding: str
    prohibited: str
    medication_unknown: str
    medication_alike: str
    medication_combined: str
    given_by_name: str
    given_unknown: str
    combination_active: str
    requirement_level: str
    replace_oral: str
    paradox_oral: str
    expected_response: str
    tests_ordered: str
    tests_already: str
    draw_before_dose: str
    mother: str
    possible_malabsorption: str
    unread: str
    unread_named: str
    unread_counted: str
    unread_more: str
    reason_code_system: str
    reason_no_code: str
    reason_code: str
    reason_unit: str
    reason_value: str
    reason_answer: str
    reason_status: str
    reason_date: str
    reason_before_birth: str
    reason_ahead: str
    reason_flag: str
    reason_range: str
    reason_kind: str
    reason_specimen: str
    reason_drug: str
    reason_undecodable: str
    not_available: str
    incomplete: str
    foreign: str
    unusable_result: str
    not_a_b12_test: str
    stale_result: str
    expired_result: str
    before_birth: str
    after_antidote: str
    preliminary: str
    draft_read: str
    draft_reading: str
    draft_as_written: str
    draft_by_name: str
    draft_not_checked: str
    drafts_unknown: str
    baseline_first: str
    as_of: str
    local_settings: str
    review: str
    silent_deceased: str
    silent_older: str
    silent_treated: str
    silent_likely: str
    silent_adequate: str
    silent_unmeasured: str
    status_follow_up: str
    status_deficient: str
    status_deficient_functional: str
    status_deficient_old_result: str
    status_deficient_diagnosis_only: str
    status_probably_adequate: str
    status_borderline: str
    status_adequate_with_signs: str
    status_adequate: str
    status_unknown: str
    status_unknown_at_risk: str
    severity_severe: str
    severity_moderate: str
    severity_mild: str
    cause_is_inborn: str
    cause_is_malabsorption: str
    cause_is_mixed: str
    cause_is_nutritional: str
    cause_is_nutritional_possible: str
    cause_is_unknown: str
    possible: str
    low_without_number: str
    below: str
    above: str
    between: str
    lab_value: str
    headline: str
    headline_none: str
    headline_diagnosis: str
    headline_diagnosis_brief: str
    headline_functional: str
    headline_functional_brief: str
    headline_discordant: str
    headline_old: str
    headline_drug: str
    headline_how: str
    headline_instead: str
    headline_injected: str
    injections_indicated: str
    dose_in_volume: str
    today_then: str
    headline_specialist: str
    maintenance_unmeasured: str
    headline_moderate: str
    headline_moderate_brief: str
    nothing_worse: str
    nothing_worse_judged: str
    headline_relapse: str
    unclear: str
    unclear_between: str
    headline_graded: str
    short_oral: str
    short_intramuscular: str
    short_subcutaneous: str
    then_less_often: str
    course: str
    course_then: str
    bleeding_label: str
    product: str
    product_without_preservative: str
    give: str
    give_by_mouth: str
    volume_with_dose: str
    way_and_site: str
    site: str
    site_divided: str
    site_unmeasured: str
    interval_daily: str
    interval_alternate: str
    interval_twice_weekly: str
    interval_weekly: str
    interval_months: str
    interval_other: str
    interval_once: str
    stretch: str
    stretch_then: str
    stretch_from: str
    stretch_from_then: str
    check_levels: str
    check_levels_before: str
    samples_today: str
    other_samples: str
    untreated: str
    b12_value: str
    no_current_level: str
    unknown_level: str
    no_level: str
    level_on: str
    verdict_functional: str
    verdict_deficient: str
    none_recorded: str
    not_documented: str
    deep_subcutaneous: str
    intramuscular: str
    metabolites_high: str
    metabolites_normal: str
    below_limit: str
    below_assay: str
    below_limit_before: str
    graded_severe: str
    severe_deficiency: str
    severe_deficiency_brief: str
    neurological_signs: str
    leber_brief: str
    signs_counted: str
    haemoglobin: str
    haemoglobin_since: str
    platelets: str
    white_cells_low: str
    mcv_high: str
    mcv: str
    may_come_of_it: str
    metabolites_elsewhere: str
    raised_elsewhere: str
    weight_falls: str
    mothers_level: str
    nitrous_oxide_gas: str
    check_child: str
    mothers_diet: str
    childs_diet: str
    test_on: str
    order_test: str
    tests_counted: str
    assess_mother: str
    replacing: str
    stop_order: str
    to_stop: str
    label_with_tests: str
    not_measured: str
    value_not_final: str
    not_all_read: str
    something_unread: str
    way_subcutaneous: str
    way_intramuscular: str
    without_preservative: str
    date_of_birth: str
    unreadable_result: str
    usable_result: str
    result_of_today: str
    final_result: str
    start_of_order: str
    no_value: str
    value_dated: str
    value_of_status: str
    value_undated: str
    value_without_date: str
    value_without_unit: str
    value_impossible: str
    value_of_unknown_code: str
    value_of_other_specimen: str
    flagged_low: str
    flagged_high: str
    dated: str
    recorded_by_code: str
    check_one_month: str
    check_three_months: str
    need_patient: str
    need_b12: str
    need_conditions: str
    need_weight: str
    need_labs: str
    need_feeding: str
    need_meds: str
    need_procedures: str
    need_allergies: str
    need_administrations: str
    need_orders: str
    need_family: str
    need_tasks: str


class Orders(Struct, frozen=True, forbid_unknown_fields=True):
    """Words about an order being written, besides the sentences of its cards."""

    dose_unknown: str
    in_micrograms: str
    dose: str
    dose_range: str
    dose_and_day: str
    dose_range_and_day: str
    dose_a_day: str
    micrograms: str
    milligrams: str
    grams: str
    a_day: str
    usual_in_ml: str
    other_card_first: str
    less_than: str
    reading: str
    reading_daily: str
    reading_often: str
    reading_on_average: str
    reading_for: str
    once: str
    twice_daily: str
    times_daily: str
    three_times_weekly: str
    monthly: str
    every_weeks: str
    every_days: str
    full_course: str
    full_course_asked: str
    inject_instead: str
    injection_ordered: str
    inject_asked: str
    treat: str
    treat_asked: str
    nothing_written: str
    by_mouth: str
    under_the_tongue: str
    into_the_nose: str
    by_injection: str
    into_the_muscle: str
    under_the_skin: str
    deep_under_the_skin: str
    into_the_vein: str
    no_way: str
    unnamed_b12: str
    folic_acid: str
    unnamed: str
    unread_order: str
    unread_orders: str
    does_not_treat: str
    medication_unread: str
    and_others: str
    more_orders: str
    not_read: str
    over: str
    begins_late: str
    not_to_give: str
    of_another_patient: str
    forbidden: str
    not_available: str
    incomplete: str
    weight_too_old: str
    no_weight: str
    large_red_cells: str
    two_lines_low: str
    with_dose: str
    danger_allergy: str
    danger_possible: str
    danger_leber: str
    danger_inborn: str
    danger_suspected: str
    danger_worded: str
    for_days: str
    without_end: str
    unfit_form: str
    a_nasal_spray: str
    a_solid_form: str
    low_platelets: str
    deep_and_ask: str
    deep_or_wait: str
    stop_other: str
    stop_this: str
    and_end_others: str
    remove: str
    change_drug: str
    change_drug_and_dose: str
    change_dose: str
    change_route: str
    check_one_month: str
    check_three_months: str
    agrees: str
    treated_already: str
    another_is_written: str
    none_is_called_for: str
    orders_being_written: str


class Doubts(Struct, frozen=True, forbid_unknown_fields=True):
    """Why it is in doubt which drug an order is of, or how much of it is given."""

    codes_differ: str
    code_unknown: str
    names_differ: str
    name_open: str
    name_alike: str
    name_script: str
    substances_differ: str
    kind_b12: str
    kind_antidote: str
    kind_combination: str
    kind_folic_acid: str
    kind_other: str
    kind_unknown: str
    forms_differ: str
    ways_differ: str
    two_readings: str
    strengths_differ: str
    no_strength: str
    no_dose: str
    in_line: str
    in_lines: str
    lines_without_numbers: str
    line_unclear: str
    as_needed: str
    ends_reversed: str
    dose_unclear: str
    words_differ: str
    words_otherwise: str
    types_differ: str
    words_illegible: str
    words_often: str
    words_way: str
    words_lasting: str
    as_needed_in_words: str
    once: str
    lasting: str
    endless: str
    course_unseen: str
    excess_in_words: str
    dose_in_words: str
    one_end: str
    not_above_zero: str
    unit_unknown: str
    does_not_fit: str
    counts_what: str
    timing_unclear: str
    no_timing: str
    instruction: str
    instruction_empty: str
    unequal_days: str
    no_route: str
    route_not_oral: str
    route_not_sublingual: str
    route_not_nasal: str
    route_not_parenteral: str
    routes_differ: str
    routes_said: str
    route_unclear: str
    route_unknown: str
    way_oral: str
    way_sublingual: str
    way_nasal: str
    way_intramuscular: str
    way_subcutaneous: str
    way_intravenous: str
    way_parenteral: str


class Explain(Struct, frozen=True, forbid_unknown_fields=True):
    """How a conclusion was reached: what was known of the child."""

    age: str
    weight: str
    b12: str
    labs: str
    feeding: str
    problems: str
    treatment: str
    status: str
    cause: str
    severity: str
    not_known: str
    ended: str
    no_result_to_ask: str
    no_order: str
    not_deficient: str
    no_treatment: str
    by_rule: str
    cause_named: str
    not_graded: str
    no_worse_sign: str
    graded: str
    none_recent: str
    deceased: str
    no_birth_date: str
    born_later: str
    born_outside: str
    range: str
    months: str
    months_and_days: str
    infant: str
    toddler: str
    infant_or_toddler: str
    outside: str
    newborn: str
    under_one_month: str
    weight_measured: str
    weight_estimated: str
    weight_old: str
    no_weight: str
    weight_and_rejected: str
    as_sent: str
    level: str
    counted: str
    preliminary: str
    unusable: str
    another_test: str
    not_available: str
    no_result: str
    verdict_deficient: str
    verdict_borderline: str
    verdict_adequate: str
    verdict_indeterminate: str
    verdict_low: str
    quantity: str
    lab: str
    lab_high: str
    lab_low: str
    breast_fed: str
    not_breast_fed: str
    feeding_unknown: str
    mothers_diet: str
    childs_diet: str
    neurological: str
    movements: str
    thriving: str
    anaemia: str
    malabsorption: str
    malabsorption_possible: str
    inborn: str
    diet: str
    deficiency: str
    bleeding: str
    optic_nerve: str
    kidneys: str
    preterm: str
    reactions: str
    no_problem: str
    possible: str
    since: str
    severe: str
    recorded_in: str
    untreated: str
    treated_earlier: str
    looks_like_b12: str
    doses_given: str
    treated: str
    treated_undated: str
    on_hold: str
    route_oral: str
    route_parenteral: str
    route_other: str
    route_unknown: str
    unread: str
    foreign: str
    between: str


class Describe(Struct, frozen=True, forbid_unknown_fields=True):
    """What the guideline's own page says besides its data."""

    changes: str
    of_edition: str
    rules: str
    what_changed: str
    what_it_needs: str
    limits: str
    doses: str
    products: str
    tests: str
    cards: str
    texts: str
    tables: str
    statements: str
    codes: str
    bibliography: str
    written: str
    edition: str
    policies: str
    dose: str
    dose_per_kg: str
    phase: str
    as_ordered: str
    frequency: str
    length: str
    dose_count: str
    times: str
    lasts: str
    product: str
    name: str
    code: str
    codes_of: str
    benzyl_alcohol: str
    authority: str
    contains: str
    not_marked: str
    route: str
    choices: str
    test: str
    same_as: str


class SubstanceNames(Struct, frozen=True, forbid_unknown_fields=True):
    """Names of the cobalamins, each one word; ``unspecified`` ones leave open which it is, and so
    do ``stems``: what a word of a spelling that is in no list ends with."""

    cyanocobalamin: tuple[str, ...]
    hydroxocobalamin: tuple[str, ...]
    methylcobalamin: tuple[str, ...]
    adenosylcobalamin: tuple[str, ...]
    unspecified: tuple[str, ...]
    stems: tuple[str, ...]


class FormNames(Struct, frozen=True, forbid_unknown_fields=True):
    """What a product comes in: pieces that are counted (``tablet`` covers everything solid,
    ``ampoule`` for every container of an injection), and ``liquid`` for what is measured."""

    tablet: tuple[str, ...]
    drop: tuple[str, ...]
    spray: tuple[str, ...]
    ampoule: tuple[str, ...]
    liquid: tuple[str, ...]


class WayNames(Struct, frozen=True, forbid_unknown_fields=True):
    """Words of a product's name that say how it is given."""

    oral: tuple[str, ...]
    sublingual: tuple[str, ...]
    nasal: tuple[str, ...]
    parenteral: tuple[str, ...]


class RouteNames(Struct, frozen=True, forbid_unknown_fields=True):
    """How people write a route; ``spinal`` is into the spinal canal or the brain."""

    oral: tuple[str, ...]
    sublingual: tuple[str, ...]
    nasal: tuple[str, ...]
    intramuscular: tuple[str, ...]
    subcutaneous: tuple[str, ...]
    intravenous: tuple[str, ...]
    parenteral: tuple[str, ...]
    spinal: tuple[str, ...]


class SignNames(Struct, frozen=True, forbid_unknown_fields=True):
    """Words of problems that are signs; a ``marker`` counts next to a word of ``screening``.

    A sign is set aside only by the words next to it: ``denied`` and ``past`` a few words before it,
    with none between that keeps them ``apart``; ``denied_after`` and ``past`` after it, and
    ``others`` (whose sign it is) and ``fever`` on either side, with nothing but ``linking`` words
    between.
    """

    neurological: tuple[str, ...]
    inborn: tuple[str, ...]
    malabsorption: tuple[str, ...]
    preterm: tuple[str, ...]
    remethylation: tuple[str, ...]
    bleeding: tuple[str, ...]
    suggestive: tuple[str, ...]
    weak: tuple[str, ...]
    screening: tuple[str, ...]
    marker: tuple[str, ...]
    denied: tuple[str, ...]
    denied_after: tuple[str, ...]
    past: tuple[str, ...]
    others: tuple[str, ...]
    fever: tuple[str, ...]
    linking: tuple[str, ...]
    apart: tuple[str, ...]


class MotherNames(Struct, frozen=True, forbid_unknown_fields=True):
    """How the mother is named, and what of hers may leave her without vitamin B12: ``lack`` next to
    a name of vitamin B12 does, a diet also where it is that of her ``household``. ``medicines`` and
    a vegetarian diet are a reason to measure, and none to prevent what an adequate level denies."""

    words: tuple[str, ...]
    vegan: tuple[str, ...]
    vegetarian: tuple[str, ...]
    household: tuple[str, ...]
    causes: tuple[str, ...]
    medicines: tuple[str, ...]
    lack: tuple[str, ...]


class FeedingNames(Struct, frozen=True, forbid_unknown_fields=True):
    """Words of an answer on feeding: of breast milk, of formula, and that something ``ended``."""

    breast: tuple[str, ...]
    formula: tuple[str, ...]
    ended: tuple[str, ...]


class WrittenLanguage(Struct, frozen=True, forbid_unknown_fields=True):
    """A language whose names of drugs are read: ``letters`` is its alphabet, small and without
    accents, "" where its script is read whole. ``false_friends`` look or sound like a name of
    vitamin B12 or folic acid and mean something else; in a script without blanks they may hold
    one."""

    letters: str = ""
    false_friends: tuple[str, ...] = ()


class RhythmNames(Struct, frozen=True, forbid_unknown_fields=True):
    """What so many times in every so many days is called; 0 days for once in all."""

    times: Decimal
    days: Decimal
    words: tuple[str, ...]


class CountedNames(Struct, frozen=True, forbid_unknown_fields=True):
    """How people count doses: ``times`` next to a number, with a day or a week after it ("3 times
    a day") or before it ("1日3回"); ``hours`` after "every" and a number, ``hourly`` after the
    number alone; ``a_day`` after the number alone ("2 dd"); ``again`` between a number of hours and
    itself; ``parts`` before the number of doses of a day."""

    times: tuple[str, ...]
    day_before: tuple[str, ...]
    day_after: tuple[str, ...]
    week_before: tuple[str, ...]
    week_after: tuple[str, ...]
    hours: tuple[str, ...]
    hourly: tuple[str, ...]
    a_day: tuple[str, ...]
    again: tuple[str, ...]
    parts: tuple[str, ...]


class ScheduleNames(Struct, frozen=True, forbid_unknown_fields=True):
    """How people write how often and how long. ``every`` comes before a number of days, ``then``
    before a later phase; ``lasting_before`` and ``lasting_after`` come next to a duration.
    ``apart`` makes a clause one of something else than a dose."""

    as_needed: tuple[str, ...]
    then: tuple[str, ...]
    every: tuple[str, ...]
    lasting_before: tuple[str, ...]
    lasting_after: tuple[str, ...]
    apart: tuple[str, ...]
    day: tuple[str, ...]
    week: tuple[str, ...]
    month: tuple[str, ...]
    numbers: Mapping[str, tuple[str, ...]]
    counted: CountedNames
    rhythms: tuple[RhythmNames, ...]

    def __hash__(self) -> int:
        return hash(self.rhythms)


class AlikeNames(Struct, frozen=True, forbid_unknown_fields=True):
    """Parts of words that brands with vitamin B12 often have, ``within`` a word or at its end."""

    within: tuple[str, ...]
    ending: tuple[str, ...]


class Names(Struct, frozen=True, forbid_unknown_fields=True):
    """Names as people write them, found as whole words: small letters, without accents, "B 12"
    and "B-12" as "b12".

    ``companions`` are other active substances, ``combination`` names of medicines that have B12
    among others, ``no_medicine`` words that make a name with B12 something else (a test, a
    strain), ``plain`` words that name no substance, ``preservative_free`` phrases that say so,
    ``negations`` words that turn round what is stated of a route, ``then`` words that begin what
    follows. ``crushing`` words that
    make a solid form fit. ``antidote`` names the antidote of cyanide, ``antidote_contents`` what
    is in it. In scripts without blanks a name is found within a word. ``languages`` are those in
    which a name that is none of these is another drug; in any other it may be anything. So may one
    with a part of ``alike``. ``metabolites`` are names of results.
    """

    b12: SubstanceNames
    companions: tuple[str, ...]
    combination: tuple[str, ...]
    folic_acid: tuple[str, ...]
    cobalt: tuple[str, ...]
    benzyl_alcohol: tuple[str, ...]
    no_allergy: tuple[str, ...]
    crushing: tuple[str, ...]
    antidote: tuple[str, ...]
    antidote_contents: tuple[str, ...]
    no_medicine: tuple[str, ...]
    plain: tuple[str, ...]
    preservative_free: tuple[str, ...]
    negations: tuple[str, ...]
    then: tuple[str, ...]
    languages: Mapping[str, WrittenLanguage]
    alike: AlikeNames
    forms: FormNames
    ways: WayNames
    routes: RouteNames
    schedule: ScheduleNames
    signs: SignNames
    mother: MotherNames
    feeding: FeedingNames
    anticoagulants: tuple[str, ...]
    unguents: tuple[str, ...]
    nitrous_oxide: tuple[str, ...]
    metabolites: tuple[str, ...]
    leber: tuple[str, ...]


class Codes(Struct, frozen=True):
    """The code lists of ``codes/``, one field a file."""

    b12_level: CodeList
    b12_level_mass: CodeList
    b12_level_molar: CodeList
    b12_not_usable: CodeList
    b12_other_specimen: CodeList
    weight: CodeList
    weight_estimated: CodeList
    birth_weight: CodeList
    hemoglobin: CodeList
    mcv: CodeList
    platelets: CodeList
    leukocytes: CodeList
    neutrophils: CodeList
    reticulocytes: CodeList
    potassium: CodeList
    folate: CodeList
    ferritin: CodeList
    methylmalonate: CodeList
    methylmalonate_urine: CodeList
    homocysteine: CodeList
    holotranscobalamin: CodeList
    gestational_age: CodeList
    breastfeeding_status: CodeList
    diet: CodeList
    diet_plant_based: CodeList
    breast_fed: CodeList
    not_breast_fed: CodeList
    answer_yes: CodeList
    answer_no: CodeList
    b12_deficiency: CodeList
    b12_deficiency_nonspecific: CodeList
    dietary_deficiency: CodeList
    malabsorption: CodeList
    malabsorption_uncertain: CodeList
    malabsorption_possible: CodeList
    malabsorption_permanent: CodeList
    inborn: CodeList
    methylmalonic: CodeList
    neurological: CodeList
    neurological_other: CodeList
    movement_disorder: CodeList
    apnoea: CodeList
    apnoea_otherwise: CodeList
    suggestive_sign: CodeList
    weak_sign: CodeList
    feeding_trouble: CodeList
    newborn_screening: CodeList
    screening_positive: CodeList
    b12_deficiency_anemia: CodeList
    necrotising_enterocolitis: CodeList
    bowel_resection: CodeList
    diet_vegan: CodeList
    remethylation: CodeList
    nitrous_oxide: CodeList
    failure_to_thrive: CodeList
    anemia: CodeList
    megaloblastic_anemia: CodeList
    pancytopenia: CodeList
    bleeding: CodeList
    anticoagulant: CodeList
    thrombocytopenia: CodeList
    leber: CodeList
    leber_possible: CodeList
    renal_impairment: CodeList
    preterm: CodeList
    cobalamin_reaction: CodeList
    cobalamin_substance: CodeList
    benzyl_alcohol: CodeList
    b12_therapy: CodeList
    hydroxocobalamin: CodeList
    cyanocobalamin: CodeList
    antidote: CodeList
    multivitamin_with_b12: CodeList
    b12_combination: CodeList
    folic_acid: CodeList
    routes_oral: CodeList
    routes_parenteral: CodeList
    routes_intramuscular: CodeList
    routes_subcutaneous: CodeList
    routes_spinal: CodeList
    routes_intravenous: CodeList
    routes_other: CodeList
    routes_nasal: CodeList
    plain_instructions: CodeList
    severity_severe: CodeList


class Schedule(Struct, frozen=True, forbid_unknown_fields=True):
    """The first phase of a schedule that was published for children, never suggested on its own.

    ``least`` to ``most`` micrograms are given ``times`` in every ``days`` days (0: once) by one of
    ``ways``, for ``lasting`` days or more, from ``from_month`` up to before ``to_month``;
    ``substance`` is "" where any will do.
    It is for a deficiency of one of ``severities``, of ``signs`` only where it says so. A schedule
    of ``adults`` is kept to be named and matches no child; that of the ``formulary`` is its weekly
    course of injections; one of an ``inborn`` error is for methylmalonic acidaemia alone.
    """

    id: str
    name: str
    source: str
    ways: tuple[str, ...]
    least: Decimal
    most: Decimal
    times: Decimal
    days: Decimal
    lasting: Decimal
    severities: tuple[str, ...]
    substance: str = ""
    from_month: int = 1
    to_month: int = 24
    signs: bool = False
    adults: bool = False
    formulary: bool = False
    inborn: bool = False


class File(GuidelineFile, frozen=True):
    """``guideline.toml``, whole."""

    limits: Limits
    constants: Constants
    products: Products
    doses: Doses
    tests: Tests
    routes: Routes
    policy: Policy
    feeding: Feeding
    answers: Answers
    names: Names
    texts: Texts
    orders: Orders
    doubts: Doubts
    explain: Explain
    describe: Describe
    told_in_words: Mapping[str, tuple[str, ...]]
    published_schedules: tuple[Schedule, ...]
    route_names: Mapping[str, Mapping[str, str]]
    substances: Mapping[str, Mapping[str, str]]
    labs: Mapping[str, str]


class Guideline(Struct, frozen=True, eq=False):
    """The guideline as it is in force: file, code lists, and what the site changed.

    Two are equal only if they are one: so what was read with it can be remembered by it.

    ``kinds`` says which measurement list a code belongs to, verified codes only; ``lists_of``
    answers for codes of problems and procedures.
    """

    file: File
    codes: Codes
    local: tuple[str, ...]
    kinds: Mapping[tuple[str, str], str]

    wording: Wording
    needs: tuple[Need, ...]
    lists_of: Callable[[str, str], Lists]
    tables: Tables
    limits: Limits = UNSET  # type: ignore[assignment]

    def __post_init__(self) -> None:
        """``limits`` are those of the file, at hand since everything asks for them."""
        structs.force_setattr(self, "limits", self.file.limits)
