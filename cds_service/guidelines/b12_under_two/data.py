"""The shape of ``guideline.toml``: doses, products, tests and the rest that the functions name; and
the guideline in force, which is all of it with the codes, the tables and what the site changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from msgspec import UNSET, Struct, structs

from cds_service.clinical import Code, Need
from cds_service.guidelines import doses
from cds_service.guidelines.b12_under_two.limits import Limits
from cds_service.guidelines.b12_under_two.messages import Describe, Doubts, Explain, Orders, Texts
from cds_service.guidelines.b12_under_two.names import Names
from cds_service.guidelines.codelists import CodeList, Lists
from cds_service.guidelines.doses import Dose as Dose
from cds_service.guidelines.doses import Test as Test
from cds_service.guidelines.engine import (
    Constant,
    Wording,
)
from cds_service.guidelines.guideline import GuidelineFile

if TYPE_CHECKING:
    from cds_service.guidelines.b12_under_two.tables import Tables


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

    def injections(self, *, signs: bool) -> Dose:
        """The regimen of injections, with neurological ``signs`` or without."""
        return self.neurological_injections if signs else self.weekly_injections


class Tests(Struct, frozen=True, forbid_unknown_fields=True):
    b12: Test
    mma: Test
    homocysteine: Test
    blood_count: Test
    folate: Test
    ferritin: Test
    reticulocytes: Test
    potassium: Test
    amino_acids: Test
    acylcarnitines: Test
    organic_acids: Test


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
    answer_positive: CodeList
    answer_negative: CodeList
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
    newborn_screening_panel: CodeList
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
    preterm_of_known_weeks: CodeList
    cobalamin_reaction: CodeList
    cobalamin_substance: CodeList
    benzyl_alcohol: CodeList
    b12_therapy: CodeList
    hydroxocobalamin: CodeList
    cyanocobalamin: CodeList
    preservative_free: CodeList
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
