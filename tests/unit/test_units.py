"""The hand table of units against a UCUM library as oracle, and conversion by unit."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from itertools import product

import pytest
from each import each
from hypothesis import given
from hypothesis import strategies as st
from pint import Quantity as Measured
from ucumvert import PintUcumRegistry

from cds_service.clinical import UNITS, DoseUnit, Quantity, convert, dose_unit
from cds_service.fhir.elements import is_ucum
from cds_service.fhir.units import units_of

COBALAMIN = Decimal("1355.37")  # g/mol


def canonical_unit(written: str, *, coded: bool = False) -> str | None:
    """The unit that ``written`` means first of all; ``None`` when it is not one known here."""
    return next(iter(units_of(written, coded=coded)), None)


PAIRS = [
    (unit, other)
    for unit, other in product(UNITS, UNITS)
    if unit < other and UNITS[unit][0] == UNITS[other][0]
]


@cache
def ucum() -> PintUcumRegistry:
    """Takes a second to make, which every process of a run would wait for."""
    return PintUcumRegistry()


@cache
def of_ucum(unit: str) -> Measured:
    return 1 * ucum().from_ucum(unit)


@cache
def dimension_in_ucum(unit: str) -> object:
    return of_ucum(unit).dimensionality


def quantity(value: str, unit: str | None) -> Quantity:
    return Quantity(Decimal(value), unit, f"{value} {unit}")


@each(("unit", "other"), PAIRS, sample=90)
def test_a_factor_is_that_of_ucum(unit: str, other: str) -> None:
    expected = of_ucum(unit).to(of_ucum(other).units).magnitude / of_ucum(other).magnitude
    found = convert(quantity("1", unit), other)
    assert found is not None
    assert float(found) == pytest.approx(expected, rel=1e-9)


@each("unit", UNITS)
def test_units_of_different_dimension_are_different_in_ucum_too(unit: str) -> None:
    # UCUM has counts without dimension and mass per volume apart; equivalents are moles there.
    for other in UNITS:
        if UNITS[unit][0] == UNITS[other][0]:
            continue
        assert convert(quantity("1", unit), other) is None
        same_there = dimension_in_ucum(unit) == dimension_in_ucum(other)
        assert not same_there or {UNITS[unit][0], UNITS[other][0]} in (
            {"equivalents", "substance concentration"},
            {"volume", "entitic volume"},
        )


@each("unit", UNITS)
def test_a_canonical_unit_is_read_as_itself_coded_or_not(unit: str) -> None:
    assert canonical_unit(unit) == unit
    assert canonical_unit(unit, coded=True) == unit


@pytest.mark.parametrize(
    ("written", "unit"),
    [
        ("pg/ml", "pg/mL"), ("PG/ML", "pg/mL"), ("pmol/l", "pmol/L"), ("ng/l", "ng/L"),
        ("µg/L", "ug/L"), ("μg/L", "ug/L"), ("mcg", "ug"), ("µg", "ug"), ("μg", "ug"),
        ("mcg/dL", "ug/dL"), ("µmol/l", "umol/L"), ("Kg", "kg"), ("lb", "[lb_av]"),
        ("lbs", "[lb_av]"), ("oz", "[oz_av]"), ("ml", "mL"), ("K/uL", "10*3/uL"),
        ("x10^9/L", "10*9/L"), ("10^3/uL", "10*3/uL"), ("mEq/L", "meq/L"), ("fl", "fL"),
        ("weeks", "wk"), ("g / dL", "g/dL"),
    ],
)  # fmt: skip
def test_spellings_of_the_field_are_understood_as_text(written: str, unit: str) -> None:
    assert canonical_unit(written) == unit


CELLS = {
    "10*9/L": "G/L Gpt/l Giga/L 10#9/L 10**9/L 10^9/l 10⁹/L ×10⁹/L 10*9.L-1 10^9·L⁻¹ x10E9/L"
    " E9/L e9/l 10'9/L x10(9)/L 1000/uL 1000/µl 1,000/uL /nL /nl {#}/nL {cells}/nL cells/nL"
    " /nanoliter"
    " 10*6/mL 10*9{cells}/L Tsd/µl Tsd./µL tys/µl тыс/мкл 千/μL 1000/mm3 1000/cumm K/mcL x10*9/L"
    " 1000/mm*3 1000/cu.mm"
    " *10^9/L 10^3/microL",
    "10*12/L": "T/L Tpt/l 10*12/l Mio/µl Mio./µl mln/ul млн/мкл",
    "10*6/L": "/uL {#}/uL {cells}/uL 1/uL cells/µL cells/mcL /cumm Zellen/µl 个/uL /mm3"
    " /mm^3",
    "10*4/uL": "10*4/uL 10^4/µL 万/μL 10*4/mm3",
    "10*5/uL": "lakh/cumm lakhs/cumm",
    "/L": "/L {cells}/L 1/L",
}  # fmt: skip


@each(("written", "unit"), [(one, unit) for unit, some in CELLS.items() for one in some.split()])
def test_counts_are_understood_as_they_are_spelt(written: str, unit: str) -> None:
    as_count = [one for one in units_of(written) if UNITS[one][0] == "number concentration"]
    assert [UNITS[one] for one in as_count] == [UNITS[unit]]


@each(
    ("written", "unit"),
    [
        ("pgm/ml", "pg/mL"), ("ngm/dL", "ng/dL"), ("ng%", "ng/dL"), ("pg/mL.", "pg/mL"),
        ("µM", "umol/L"), ("nM", "nmol/L"), ("pM", "pmol/L"), ("cu.micron", "um3"), ("μ3", "um3"),
        ("Kgs", "kg"), ("gr", "g"), ("grs", "g"), ("gms", "g"), ("quilos", "kg"),
        ("gm/dL", "g/dL"), ("gms/dl", "g/dL"), ("g/100mL", "g/dL"), ("g/100 ml", "g/dL"),
        ("ng/100mL", "ng/dL"), ("/100mL", None), ("g%", "g/dL"), ("gm%", "g/dL"), ("G/DL", "g/dL"),
        ("mmol/l", "mmol/L"), ("mmol.L-1", "mmol/L"), ("mmol·L⁻¹", "mmol/L"),
        ("mmol/L{Hb}", "mmol/L"), ("nmol/mL", "nmol/mL"), ("nmol/ml", "nmol/mL"),
        ("mcmol/L", "umol/L"), ("micromol/L", "umol/L"), ("fmol/mL", "fmol/mL"),
        ("pmol/dL", "pmol/dL"), ("pmol/ml", "pmol/mL"), ("umol/mL", "umol/mL"), ("mcg/L", "ug/L"),
        ("{µmol/L}", "umol/L"), ("µmol{creatinine-free}/L", None), ("{pg/mL}", "pg/mL"),
        ("g.L-1", "g/L"), ("µm³", "um3"), ("femtoliter", "fL"),
        ("picograms per milliliter", "pg/mL"), ("Gramm pro Deziliter", "g/dL"),
        ("nanogram/litre", "ng/L"), ("г/л", "g/L"), ("ммоль/л", "mmol/L"), ("пмоль/л", "pmol/L"),
        ("пг/мл", "pg/mL"), ("фл", "fL"), ("10*9/л", "10*9/L"), ("mg/100", None),
        ("mmol/mol", None), ("umol/mmol{creat}", None), ("mmol/L{tetramer}", None),
        ("10*-9/L", None), ("кл/мкл", None), ("10⁻⁹/L", None), ("m/L", None), ("/min", None),
        ("/{HPF}", None),
        ("{unit}", None), ("{#}", None), ("{}", None), ("{{mg}}", None), ("100/uL", None),
        ("mol", None), ("斤", None), ("g/kg", None),
    ],
)  # fmt: skip
def test_concentrations_are_understood_or_are_no_units(written: str, unit: str | None) -> None:
    assert canonical_unit(written) == unit


WEIGHTS = (
    "kilogram kilograms Kilogramm kilogramme kilogrammes kilogramo kilogramos chilogrammo"
    " chilogrammi quilograma quilogramas kilo kilos кг килограмм килограммов 公斤 千克 キログラム"
    " 킬로그램 ㎏ कि.ग्रा"
)


@pytest.mark.parametrize("written", WEIGHTS.split())
def test_a_weight_in_words_is_one_where_no_code_stands(written: str) -> None:
    assert canonical_unit(written) == (None if "." in written else "kg")
    assert canonical_unit(written, coded=True) is None or written == "㎏"


@pytest.mark.parametrize(
    ("written", "unit"),
    [
        ("10*8/dL", "10*9/L"), ("10*2/dL", "10*3/L"), ("10*5/mL", "10*2/uL"),
        ("10*9/mL", "10*12/L"), ("10*3/ml", "10*6/L"),
        ("10*2/uL", "10*2/uL"), ("10*2/mm3", "10*2/uL"), ("10*4/uL", "10*4/uL"),
        ("10*0/nL", "10*9/L"),
        ("10*1/dL", None), ("10*7/L", None), ("10*1/uL", None),
    ],
)  # fmt: skip
def test_a_count_in_another_volume_is_that_of_the_same_power(
    written: str, unit: str | None
) -> None:
    assert units_of(written) == (() if unit is None else (unit,))


@pytest.mark.parametrize(("blanks", "read"), [(56, True), (57, False)])
def test_a_unit_longer_than_any_is_not_searched(blanks: int, read: bool) -> None:
    assert bool(units_of("mg" + " " * blanks + "/L")) is read


def test_what_can_be_read_in_two_ways_is_told_as_both_and_decided_by_what_is_asked() -> None:
    assert units_of("G/L") == units_of("G/l") == units_of("{G/L}") == ("g/L", "10*9/L")
    assert units_of("g/L") == units_of("g/l") == ("g/L",)
    either = Quantity(Decimal(49), "g/L", "49 G/L", also="10*9/L")
    assert convert(either, "10*9/L") == 49
    assert convert(either, "g/dL") == Decimal("4.9")
    assert convert(either, "fL") is None


@each("unit", UNITS)
def test_a_unit_of_ucum_with_an_annotation_is_the_unit_as_in_ucum(unit: str) -> None:
    annotated = f"{unit}{{note}}"
    assert canonical_unit(annotated, coded=True) == unit
    assert of_ucum(annotated) == of_ucum(unit)


@pytest.mark.parametrize("code", ["10*9.L-1", "g.L-1", "mmol.dL-1", "1/uL", "{#}/uL", "{cells}/uL"])
def test_another_way_to_write_a_unit_in_ucum_is_worth_the_same_there(code: str) -> None:
    unit = canonical_unit(code, coded=True)
    assert unit is not None
    ratio = of_ucum(code).to(of_ucum(unit).units) / of_ucum(unit)
    assert float(ratio.magnitude) == pytest.approx(1)


def test_haemoglobin_converts_as_a_monomer() -> None:
    assert convert(quantity("4.0", "mmol/L"), "g/dL", molar_mass=Decimal(16110)) == Decimal("6.444")


@pytest.mark.parametrize(
    "code",
    [
        "m[IU]/L", "u[IU]/mL", "mm[Hg]", "cm[H2O].s/L", "dyn.s/cm5", "umol/2.h", "mmol/(8.h.kg)",
        "10.L/min", "1{c}", "dB[SPL]", "4.[pi].10*-7.N/A2", "kcal/(8.h)", "10*9/L", "{cells}/uL",
    ],
)  # fmt: skip
def test_a_term_of_ucum_is_known_for_one_whether_or_not_it_is_read(code: str) -> None:
    """Of every kind in the functional tests of UCUM: of no system, it still means a unit."""
    assert is_ucum(code)


@pytest.mark.parametrize("code", ["258773002", "161553AAAA", "mg//L", "m/", "stk", "ug/mL/"])
def test_what_is_no_term_of_ucum_is_a_senders_own(code: str) -> None:
    assert not is_ucum(code)


@pytest.mark.parametrize("written", ["lb", "lbs", "oz", "Kg", "KG", "grams", "weeks", "ml", "l"])
def test_colloquial_spellings_are_no_ucum_codes(written: str) -> None:
    assert canonical_unit(written, coded=True) is None


@pytest.mark.parametrize(
    "written",
    [
        "",
        " ",
        "Mg",
        "MG",
        "G",
        "m[lb_av]",
        "IU/L",
        "ug/kg",
        "mg/kg/d",
        "{score}",
        "1",
        "pgmL",
        "st",
    ],
)
def test_an_unknown_unit_is_no_unit(written: str) -> None:
    assert canonical_unit(written) is None
    assert canonical_unit(written, coded=True) is None


@given(st.text(max_size=12), st.booleans())
def test_whatever_is_written_gives_a_unit_of_the_table_or_none(written: str, coded: bool) -> None:
    assert canonical_unit(written, coded=coded) in {*UNITS, None}


@pytest.mark.parametrize(
    ("value", "unit", "picograms"),
    [
        ("200", "pg/mL", "200"), ("200", "ng/L", "200"), ("20", "ng/dL", "200"),
        ("0.2", "ng/mL", "200"), ("0.2", "ug/L", "200"),
        ("147", "pmol/L", "199.23939"), ("148", "pmol/L", "200.59476"),
        ("221", "pmol/L", "299.53677"), ("222", "pmol/L", "300.89214"),
        ("0.148", "nmol/L", "200.59476"),
    ],
)  # fmt: skip
def test_cobalamin_converts_by_its_molar_mass_exactly(
    value: str, unit: str, picograms: str
) -> None:
    found = convert(quantity(value, unit), "pg/mL", molar_mass=COBALAMIN)
    assert found == Decimal(picograms)


def test_moles_do_not_become_mass_without_a_molar_mass() -> None:
    assert convert(quantity("148", "pmol/L"), "pg/mL") is None


@given(st.decimals("0.01", "100000", places=2), st.sampled_from(["pg/mL", "ng/dL", "ug/L"]))
def test_mass_to_moles_and_back_is_the_same_number(value: Decimal, unit: str) -> None:
    moles = convert(Quantity(value, unit, ""), "pmol/L", molar_mass=COBALAMIN)
    assert moles is not None
    back = convert(Quantity(moles, "pmol/L", ""), unit, molar_mass=COBALAMIN)
    assert back is not None
    assert abs(back - value) < Decimal("1e-15")


@pytest.mark.parametrize(
    ("value", "unit", "kilograms"),
    [("7.2", "kg", "7.2"), ("7200", "g", "7.2"), ("15.9", "[lb_av]", "7.212118683"),
     ("100", "[oz_av]", "2.8349523125")],
)  # fmt: skip
def test_weights_convert_exactly(value: str, unit: str, kilograms: str) -> None:
    assert convert(quantity(value, unit), "kg") == Decimal(kilograms)


def test_a_quantity_without_a_unit_has_no_value_in_any() -> None:
    assert all(convert(quantity("1", None), unit) is None for unit in UNITS)


# --- units of doses ----------------------------------------------------------------------------

PER_KG, PER_DAY = {"per_kg": True}, {"per_day": True}
DOSES = {
    ("ng", ""): "ng nanogram",
    ("ug", ""): "ug mcg Mcg MCG µg μg microgram micrograms Micrograms microgram(s)",
    ("mg", ""): "mg MG Mg mgs milligram milligram(s) MILLIGRAMS",
    ("g", ""): "g gm gram grams",
    ("uL", ""): "uL ul µL",
    ("mL", ""): "mL ml ML cc cm3 milliliter millilitres",
    ("1", ""): "1 {each} each EA",
    ("1", "tablet"): "{tbl} {tab} {tablet} tablet tablets tablet(s) TAB Tab SLTAB CHEWTAB",
    ("1", "capsule"): "{cap} capsule Capsules CAP caps",
    ("1", "pill"): "{pill} pill pills",
    ("1", "drop"): "{drop} [drp] drop drops DROP gtt gtts {drops}",
    ("1", "spray"): "{spray} {puff} {actuat} spray sprays SPRY NASSPRY PUFF",
    ("1", "dose"): "{dose} dose doses",
    ("1", "ampoule"): "ampoule ampoules ampule {ampule} amp",
    ("1", "vial"): "vial {vial} VIAL",
}


@each(
    ("written", "unit", "thing"),
    [(one, unit, thing) for (unit, thing), some in DOSES.items() for one in some.split()],
)
def test_a_unit_of_doses_is_known_in_its_spellings(written: str, unit: str, thing: str) -> None:
    assert dose_unit(written) == DoseUnit(unit, thing)
    assert dose_unit(f" {written} ") == DoseUnit(unit, thing)


@pytest.mark.parametrize(
    ("written", "per"),
    [
        *((one, PER_KG) for one in ("ug/kg", "mcg/kg", "µg / kg", "mcg per kg", "ug/kg/dose")),
        *((one, PER_DAY) for one in ("ug/d", "ug/day", "mcg/24h", "micrograms per day")),
        *(
            (one, {**PER_KG, **PER_DAY})
            for one in ("ug/kg/d", "ug/(kg.d)", "ug/d/kg", "mcg/kg/day", "mcg per kg per day")
        ),
        ("mcg/dose", {}),
        ("mcg/{dose}", {}),
    ],
)
def test_a_dose_may_be_per_body_weight_and_spread_over_the_day(
    written: str, per: dict[str, bool]
) -> None:
    assert dose_unit(written) == DoseUnit("ug", **per)
    assert dose_unit("mg/kg") == DoseUnit("mg", per_kg=True)
    assert dose_unit("{tbl}/d") == DoseUnit("1", "tablet", per_day=True)


@each(
    "written",
    [
        "IU", "[IU]", "[iU]", "{IU}", "U", "unit", "units", "M", "m", "G", "GM", "UG", "uG", "Ug",
        "MILLIG", "kg", "L", "mmol", "%", "", " ", "/", "/kg", "/d", "{}", "{mg}", "[mg]", "{ug}",
        "mg/mL", "mcg/tablet", "ug/h", "ug/wk", "ug/kg.d", "ug/kg/kg", "ug/d/d", "ug/(kg.h)",
        "ug/(kg.d)/h", "tsp", "tablet daily", "one tablet", "mg mg", "1000", "1/2",
    ],
)  # fmt: skip
def test_what_could_mean_something_else_is_no_unit_of_doses(written: str) -> None:
    assert dose_unit(written) is None


@given(st.text(max_size=12))
def test_any_text_is_a_unit_of_doses_or_none(written: str) -> None:
    found = dose_unit(written)
    assert found is None or found.unit == "1" or found.unit in UNITS
