"""Reading and checking the guideline's data, with what a site overrides."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from msgspec import structs

from cds_service.clinical import Code, CodeMap, Need
from cds_service.errors import GuidelineError
from cds_service.guidelines.b12_under_two import growth
from cds_service.guidelines.b12_under_two.data import Codes, File, Guideline
from cds_service.guidelines.b12_under_two.messages import Describe, Doubts, Explain, Orders, Texts
from cds_service.guidelines.b12_under_two.names import SubstanceNames
from cds_service.guidelines.b12_under_two.tables import make_tables, rules
from cds_service.guidelines.checks import (
    check_cards,
    check_changed_limits,
    check_limits,
    check_rules,
    entries,
    named_sources,
)
from cds_service.guidelines.codelists import (
    JLAC10,
    NPU,
    PARTLY_KNOWN,
    CodeList,
    check_code_lists,
    load_code_lists,
    look_up_in,
    named_lists,
    with_local_codes,
)
from cds_service.guidelines.doses import (
    check_amount,
    check_changed_orders,
    check_phases,
    check_texts,
)
from cds_service.guidelines.engine import Wording, convert, read_toml
from cds_service.guidelines.naming import keyed, with_texts
from cds_service.guidelines.overrides import (
    Changes,
    apply_overrides,
    check_told,
    override_codes,
)

ID = "b12-under-two"
FOLDER = Path(__file__).parent
FILE = FOLDER / "guideline.toml"

#: The measurement lists, each a kind of result that the facts distinguish.
MEASURED = (
    "b12_level",
    "b12_not_usable",
    "weight",
    "weight_estimated",
    "birth_weight",
    "hemoglobin",
    "mcv",
    "platelets",
    "leukocytes",
    "neutrophils",
    "reticulocytes",
    "potassium",
    "folate",
    "ferritin",
    "methylmalonate",
    "methylmalonate_urine",
    "holotranscobalamin",
    "homocysteine",
    "newborn_screening",
    "gestational_age",
    "breastfeeding_status",
    "diet",
)
#: What else a code of a B12 level says of it.
PROPERTIES = ("b12_level_mass", "b12_level_molar", "b12_other_specimen", "newborn_screening_panel")
WEIGHTS = ("weight", "weight_estimated", "birth_weight")
FEEDING = ("breastfeeding_status", "diet")
LABS = tuple(
    name for name in MEASURED if name not in (*WEIGHTS, *FEEDING, "b12_level", "b12_not_usable")
)


#: No site's own codes.
_NO_MAP = CodeMap()


def load(changes: Changes | None = None, code_map: CodeMap = _NO_MAP) -> Guideline:
    """The guideline, checked whole; with a site's ``changes`` on top, checked the same way, and
    its own codes on the lists that they mean."""
    if changes is None and code_map == _NO_MAP:
        return load_shipped()
    lists = load_code_lists(FOLDER / "codes")
    if changes is None:
        return _loaded(read_own(), FILE, lists, (), code_map)
    with changes.named():
        lists, added = override_codes(lists, changes)
        check_code_lists(lists, FOLDER / "codes")
        data, changed = apply_overrides(read_own(), changes)
        g = _loaded(data, changes.path, lists, (*changed, *added), code_map)
        _check_changes(g.file, convert(read_own(), File, FILE), changes.path)
        check_told(data, changes, changed)
    return g


@cache
def load_shipped() -> Guideline:
    """As it comes, loaded once."""
    return _loaded(read_own(), FILE, load_code_lists(FOLDER / "codes"), (), _NO_MAP)


def _loaded(
    data: dict[str, Any],
    path: Path,
    lists: dict[str, CodeList],
    local: tuple[str, ...],
    code_map: CodeMap,
) -> Guideline:
    file = convert(keyed(data), File, path)
    wording = file.wording
    _check(file, wording, path)
    mapped = with_local_codes(lists, code_map, FOLDER / "codes")
    names = [f"codes.{name}" for name, one in mapped.items() if one is not lists[name]]
    local = tuple(dict.fromkeys((*local, *names)))
    codes = named_lists(mapped, Codes)
    kinds = {
        (code.system, code.code): name
        for name in MEASURED
        for code in getattr(codes, name).verified
    }
    kinds |= {(row.system, row.code): "b12_not_usable" for row in codes.b12_not_usable.codes}
    judged = {name: one for name, one in entries(codes) if name not in (*MEASURED, *PROPERTIES)}
    tables = make_tables(file.limits)
    return Guideline(
        file,
        codes,
        local,
        kinds,
        wording,
        _needs(codes, file.texts, code_map, file.names.b12),
        look_up_in(judged),
        tables,
    )


def read_own() -> dict[str, Any]:
    """The guideline's file, with its texts and the words of its tables."""
    return {
        **with_texts(read_toml(FILE), FOLDER, Texts, Orders, Doubts, Explain, Describe),
        "rules": {name: structs.asdict(one) for name, one in rules().items()},
    }


def _check(file: File, wording: Wording, path: Path) -> None:
    limits = file.limits
    named = named_sources(limits=limits, doses=file.doses, products=file.products, tests=file.tests)
    check_rules(file.rules, file.statements, file.sources, named, path)
    check_limits(limits, _ORDERED, path)
    furthest = limits.weight_rejected_high.value
    heaviest_dosed, heaviest = (growth.heaviest(months, furthest) for months in (12, 24))
    for name, dose in entries(file.doses):
        check_amount(dose, name, limits.dose_suggested, heaviest_dosed, path)
        if name in TREATING and limits.dose_tenth.holds(dose.amount):
            raise GuidelineError(
                str(path),
                f"doses.{name}.amount",
                f"treats nothing: {limits.dose_tenth} is warned of when it is ordered",
                f"correct the amount; it is in {dose.unit}",
            )
        check_phases(dose, name, limits.dose_excessive, heaviest, path)
        check_texts(dose, name, path)
    check_cards(wording, SPEAKING, path)


def _check_changes(file: File, shipped: File, path: Path) -> None:
    """That a site's numbers are not another unit's, and its doses and products still the ones that
    the functions mean by their names."""
    check_changed_limits(file.limits, shipped.limits, path)
    check_changed_orders(file.doses, shipped.doses, file.products, shipped.products, path)


#: Limits of which the first is below the second.
_ORDERED = (
    ("b12_severe", "b12_deficient"),
    ("b12_deficient", "b12_adequate"),
    ("b12_adequate", "b12_high"),
    ("b12_high", "b12_implausible"),
    ("hemoglobin_severe", "hemoglobin_two_lines"),
    ("hemoglobin_two_lines", "hemoglobin_anaemia"),
    ("hemoglobin_severe", "hemoglobin_anaemia_1_month"),
    ("hemoglobin_severe", "hemoglobin_anaemia_2_months"),
    ("hemoglobin_severe", "hemoglobin_anaemia_3_months"),
    ("blood_age_1_month", "blood_age_2_months"),
    ("blood_age_2_months", "blood_age_3_months"),
    ("blood_age_3_months", "blood_age_6_months"),
    ("mma_grey", "mma_high"),
    ("mma_high", "mma_extreme"),
    ("homocysteine_grey", "homocysteine_high"),
    ("homocysteine_high", "homocysteine_severe"),
    ("homocysteine_severe", "homocysteine_extreme"),
    ("potassium_very_low", "potassium_low"),
    ("potassium_low", "potassium_implausible"),
    ("hemoglobin_anaemia", "hemoglobin_implausible"),
    ("platelets_two_lines", "platelets_implausible"),
    ("toddler_age", "covered_age"),
    ("weight_band_1_month", "weight_band_6_months"),
    ("weight_band_6_months", "weight_band_12_months"),
    ("weight_age_3_months", "weight_age_12_months"),
    ("result_current", "result_stale"),
    ("paradox_from", "paradox_to"),
    ("response_day", "one_month_overdue"),
    ("requirement_dose", "dose_tenth"),
    ("dose_tenth", "dose_suggested"),
    ("dose_suggested", "dose_excessive"),
    ("dose_excessive", "dose_specialist"),
    ("weight_floor_under_1_month", "weight_floor_1_to_6_months"),
    ("weight_floor_1_to_6_months", "weight_floor_6_to_12_months"),
    ("weight_floor_6_to_12_months", "weight_floor_12_to_24_months"),
    ("weight_unusual_low", "weight_rejected_low"),
    ("weight_unusual_high", "weight_rejected_high"),
    ("three_month_result", "three_month_overdue"),
)

#: The doses that treat; the others are what a healthy child needs.
TREATING = ("oral_regimen", "neurological_injections", "weekly_injections")

#: Every rule that has a card of its own.
SPEAKING = (
    "AGE-02",
    "AGE-03",
    "AGE-10",
    "IN-03",
    "IN-03.unread",
    "IN-05",
    "B12-02",
    "B12-04",
    "B12-04.ahead",
    "STAT-08",
    "DUP-01",
    "DUP-01.hold",
    "DUP-01.hold.ask",
    "DUP-01.hold.other",
    "DUP-01.hold.signs",
    "DUP-01.named",
    "DUP-01.nameless",
    "DUP-01.combination",
    "RTE-01",
    "ETI-01b",
    "ETI-01c",
    "ETI-01d",
    "RTE-02",
    "RTE-03",
    "RTE-04",
    "RTE-05",
    "RTE-05d",
    "RTE-06",
    "RTE-06.homocysteine",
    "RTE-07",
    "RTE-07.unread",
    "RTE-07.requirement",
    "RTE-08",
    "RTE-08.repeat",
    "RTE-08.signs",
    "RTE-08.words",
    "RTE-08.diagnosis",
    "RTE-09",
    "RTE-05b",
    "RTE-05c",
    "RTE-10",
    "RTE-10.neurological",
    "RTE-10.suggestive",
    "RTE-10.screening",
    "RTE-10.words",
    "RTE-10.elsewhere",
    "RTE-10.fell",
    "RTE-10.marked",
    "RTE-10.inborn",
    "RTE-10.signs",
    "RTE-10.metabolites",
    "RTE-10.unplaced",
    "RTE-10.overtaken",
    "RTE-11b",
    "SAF-01",
    "SAF-01.new",
    "SAF-01.change",
    "SAF-05",
    "SAF-05.new",
    "SAF-05b",
    "DUP-03",
    "DUP-03.hold",
    "DUP-03.over",
    "MAT-01",
    "MAT-01.unknown",
    "MAT-01.unmeasured",
    "MAT-01.formula",
    "MAT-02",
    "PRE-01",
    "PRE-02",
    "FU-00",
    "FU-02",
    "FU-02.over",
    "FU-02.metabolites",
    "FU-03",
    "FU-03.over",
    "FU-04",
    "FU-05",
    "FU-05b",
    "FU-07",
    "FU-08",
    "FU-09",
    "FU-10",
    "FU-10b",
    "FU-10.movements",
    "FU-11",
    "FU-12",
    "FU-12.over",
    "FU-12.lasting",
    "FU-14",
    "FU-15",
    "FU-16",
    "FU-17",
    "FU-17.injected",
    "FU-17.next",
    "MON-01",
    "MON-02",
    "ORD-01",
    "ORD-02b",
    "ORD-02",
    "ORD-02.inborn",
    "ORD-03",
    "ORD-03.active",
    "ORD-04",
    "ORD-04.active",
    "ORD-04.per_kg",
    "ORD-04.per_kg.active",
    "ORD-04.specialist",
    "ORD-05",
    "ORD-06",
    "ORD-06.other",
    "ORD-07",
    "ORD-07.tenth",
    "ORD-07.published",
    "ORD-16",
    "ORD-16.worded",
    "ORD-16.active",
    "ORD-02.active",
    "ORD-10.active",
    "DUP-05",
    "DUP-05.hold",
    "DUP-07",
    "DUP-08",
    "DUP-08.next",
    "DUP-08.oral",
    "DUP-09",
    "DUP-09.none",
    "DUP-09.other",
    "DUP-07.again",
    "DUP-09.again",
    "ORD-17",
    "ORD-17.weekly",
    "ORD-20",
    "ORD-23",
    "ORD-24",
    "ORD-24.next",
    "ORD-21",
    "ORD-21.deficient",
    "ORD-18",
    "ORD-19",
    "ORD-19.prepared",
    "ORD-08",
    "ORD-08.samples",
    "ORD-22",
    "ORD-09",
    "ORD-10.allergy",
    "ORD-10.leber",
    "ORD-10.inborn",
    "ORD-10.suspected",
    "ORD-10.worded",
    "ORD-10.homocysteine",
    "ORD-10.possible",
    "ORD-11",
    "ORD-11.vein",
    "ORD-11.spinal",
    "ORD-11.active",
    "ORD-12",
    "ORD-12.allergy",
    "ORD-13",
    "ORD-13.borderline",
    "ORD-13.unknown",
)


#: How "b12" is spelt in names that are not yet in one spelling.
_SPELT = ("b 12", "b-12", "b₁₂", "в12", "в 12", "в-12")
#: What the names of methylmalonic acid and homocysteine have in common in languages of Europe.
_METABOLITES = ("lmalon", "lmalón", "homocyst", "homocist")
#: And the names of the newborn screening and of what only it measures.
_SCREENED = (
    "newborn", "neonat", "néonat", "nyfødt", "nyfödd", "neugeb", "screen", "blood spot",
    "bloodspot", "dried blood", "acylcarn", "acylkarn", "acilcarn", "asilkarn", "propion",
    "dépistage", "depistage", "cribado", "tamiz", "pesquisa", "triagem", "hielprik", "hælprøve",
    "guthrie", "tarama", "nbs",
)  # fmt: skip
#: Signs that mean themselves in a query and in an address.
_is_plain = re.compile(r"[A-Za-z0-9._:/-]*").fullmatch


def _is_asked_for(code: Code) -> bool:
    return _is_plain(code.system) is not None and _is_plain(code.code) is not None


def _needs(lists: Codes, texts: Texts, code_map: CodeMap, b12: SubstanceNames) -> tuple[Need, ...]:
    """What the guideline reads about a patient."""

    def verified(*names: str) -> Iterator[Code]:
        return (code for name in names for code in getattr(lists, name).verified)

    def codes(*names: str) -> tuple[Code, ...]:
        """As a server can be asked for them: a JLAC10 row is only a part of its codes, and NPU
        codes, which no other system has, are under another address in every country. A site's
        own code with a sign that has a meaning in a query is not asked for."""
        return tuple(
            structs.replace(code, system="") if code.system == NPU else code
            for code in verified(*names)
            if code.system != JLAC10 and _is_asked_for(code)
        )

    def kept(*names: str) -> frozenset[tuple[str, str]]:
        return frozenset((code.system, code.code) for code in verified(*names))

    # Vitamin B12, its metabolites and the newborn screening under a code that is on no list are
    # named, never silent.
    by_name = frozenset((*_SPELT, *_METABOLITES, *_SCREENED)).union(
        *(getattr(b12, one) for one in b12.__struct_fields__)
    )
    # Whatever a result was sent under, it is read as what its code says.
    measured = kept(*MEASURED, "newborn_screening_panel")
    local = frozenset((one.code.system, one.code.code) for one in code_map.codes) | {
        (code.system, code.code)
        for code in verified(*lists.__struct_fields__)
        if code.system in PARTLY_KNOWN
    }
    needs = (
        Need("patient", "Patient", texts.need_patient, "indispensable"),
        Need(
            "b12",
            "Observation",
            texts.need_b12,
            "required",
            codes("b12_level"),
            measured,
            by_name=by_name,
        ),
        Need("conditions", "Condition", texts.need_conditions, "required"),
        Need("weight", "Observation", texts.need_weight, "optional", codes(*WEIGHTS), measured),
        Need(
            "labs",
            "Observation",
            texts.need_labs,
            "optional",
            codes(*LABS, "newborn_screening_panel"),
            measured,
            by_name=by_name,
            reports=kept("newborn_screening", "newborn_screening_panel"),
            reports_by_name=frozenset(_SCREENED),
        ),
        Need(
            "feeding",
            "Observation",
            texts.need_feeding,
            "optional",
            codes(*FEEDING),
            measured,
            by_words=True,
        ),
        Need("meds", "MedicationRequest", texts.need_meds, "optional"),
        Need("procedures", "Procedure", texts.need_procedures, "optional"),
        Need("allergies", "AllergyIntolerance", texts.need_allergies, "optional"),
        Need("administrations", "MedicationAdministration", texts.need_administrations, "optional"),
        Need("orders", "ServiceRequest", texts.need_orders, "optional"),
        Need("family", "FamilyMemberHistory", texts.need_family, "welcome"),
        Need("tasks", "Task", texts.need_tasks, "welcome"),
    )
    return tuple(structs.replace(need, local=local) for need in needs)
