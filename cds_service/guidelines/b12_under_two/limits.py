"""The numbers that the functions compare with, by name."""

from __future__ import annotations

from msgspec import Struct

from cds_service.guidelines.engine import (
    Limit,
)


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
    doses_frequent: Limit
    frequent_dose_late: Limit
    doses_weekly: Limit
    weekly_dose_late: Limit
    rare_dose_late: Limit
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
