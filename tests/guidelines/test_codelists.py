"""The code lists: what is refused, what decides, and what the shipped lists hold."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

import cds_service.guidelines.b12_under_two as guideline
from cds_service.clinical import Code
from cds_service.errors import GuidelineError
from cds_service.guidelines.codelists import (
    ATC,
    ICD10CM,
    LOINC,
    RXNORM,
    SNOMED,
    CodeList,
    check_code_lists,
    check_digit_problem,
    load_code_lists,
)

SHIPPED = Path(guideline.__file__).parent / "codes"
HEADER = "system,code,display,verified,evidence\n"
CROHN = f"{ICD10CM},K50*,Crohn's disease,yes,book\n"
BOOK = '[sources.book]\ntitle = "a book"\n'


@pytest.fixture(scope="module")
def shipped() -> dict[str, CodeList]:
    return load_code_lists(SHIPPED)


def write(folder: Path, sources: str = BOOK, **lists: str) -> Path:
    for name, text in lists.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    purposes = "".join(f'[lists.{name}]\npurpose = "a test"\n' for name in lists)
    (folder / "SOURCES.toml").write_text(purposes + sources, encoding="utf-8")
    return folder


def refusal(folder: Path) -> GuidelineError:
    with pytest.raises(GuidelineError) as caught:
        load_code_lists(folder)
    return caught.value


# --- check digits ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("system", "code"),
    [
        (LOINC, "2132-9"),
        (LOINC, "14685-2"),
        (LOINC, "LA29252-6"),
        (SNOMED, "190634004"),
        (SNOMED, "74400008"),
        (SNOMED, "10677711000119101"),
        (ICD10CM, "D51.3"),
        (ICD10CM, "T45.2X5A"),
        (ICD10CM, "E53"),
        (ATC, "B03BA01"),
        (RXNORM, "11248"),
    ],
)
def test_a_code_that_exists_has_no_problem(system: str, code: str) -> None:
    assert check_digit_problem(system, code) is None


@pytest.mark.parametrize(
    ("system", "code", "problem"),
    [
        (LOINC, "14685-4", "LOINC check digit"),
        (LOINC, "2132", "form"),
        (SNOMED, "190634005", "SNOMED CT check digit"),
        (SNOMED, "754786014", "not a SNOMED CT concept"),
        (SNOMED, "12345", "form"),
        (ICD10CM, "D513", "form"),
        (ICD10CM, "51.3", "form"),
        (ATC, "B03BA1", "form"),
        (RXNORM, "012", "form"),
        ("http://example.org/own", "1", "not known"),
    ],
)
def test_a_code_that_cannot_exist_is_found_out(system: str, code: str, problem: str) -> None:
    found = check_digit_problem(system, code)
    assert found is not None
    assert problem in found


@pytest.mark.parametrize(("system", "code"), [(LOINC, "14685-2"), (SNOMED, "190634004")])
def test_every_single_mistyped_digit_and_swapped_pair_is_found_out(system: str, code: str) -> None:
    digits = [place for place, sign in enumerate(code) if sign.isdigit()]
    wrong = {
        code[:place] + other + code[place + 1 :]
        for place in digits
        for other in "0123456789"
        if other != code[place]
    }
    if system == SNOMED:  # LOINC's check digit does not catch every swap
        wrong |= {
            code[:place] + code[place + 1] + code[place] + code[place + 2 :]
            for place in digits[:-1]
            if code[place] != code[place + 1]
        }
    assert [one for one in wrong if check_digit_problem(system, one) is None] == []


# --- what decides ----------------------------------------------------------------------------


def test_a_family_has_every_code_that_begins_so_with_and_without_its_dot(tmp_path: Path) -> None:
    crohn = load_code_lists(write(tmp_path, bowel=HEADER + CROHN))["bowel"]
    for code in ("K50", "K50.0", "K50.012", "K50012", "k50.9"):
        assert crohn.decides(Code(ICD10CM, code))
    for code in ("K5", "K51.0", "K05.0", ""):
        assert not crohn.decides(Code(ICD10CM, code))


def test_a_code_of_another_system_never_decides(tmp_path: Path) -> None:
    crohn = load_code_lists(write(tmp_path, bowel=HEADER + CROHN))["bowel"]
    assert not crohn.decides(Code("http://hl7.org/fhir/sid/icd-9-cm", "K50.0"))
    assert not crohn.decides(Code("", "K50.0"))


def test_an_exact_code_does_not_decide_for_its_subcodes(shipped: dict[str, CodeList]) -> None:
    deficient = shipped["b12_deficiency_nonspecific"]
    assert deficient.decides(Code(ICD10CM, "E53.8"))
    assert deficient.decides(Code(ICD10CM, "E538"))
    assert not deficient.decides(Code(ICD10CM, "E53.81"))
    assert not deficient.decides(Code(SNOMED, "5316500"))


def test_an_unverified_code_is_named_but_never_decides(shipped: dict[str, CodeList]) -> None:
    therapy, code = shipped["b12_therapy"], Code(RXNORM, "5514")
    assert therapy.mentions(code)
    assert not therapy.decides(code)
    assert therapy.any_of([code]) is None
    assert code.code not in [one.code for one in therapy.verified]


def test_a_verified_code_is_not_merely_mentioned(shipped: dict[str, CodeList]) -> None:
    assert not shipped["b12_therapy"].mentions(Code(RXNORM, "11248"))


def test_any_of_gives_the_first_coding_that_decides(shipped: dict[str, CodeList]) -> None:
    codes = [
        Code("http://hospital.example/own", "B12"),
        Code(ICD10CM, "D51.3", "as sent"),
        Code(SNOMED, "190634004"),
    ]
    assert shipped["b12_deficiency"].any_of(codes) == codes[1]
    assert shipped["b12_deficiency"].any_of(codes[:1]) is None
    assert shipped["b12_deficiency"].any_of(()) is None


# --- a site's own rows ------------------------------------------------------------------------


def test_a_site_can_verify_withdraw_and_add_codes(shipped: dict[str, CodeList]) -> None:
    site = Path("site.toml")
    rows = [
        {"system": RXNORM, "code": "5514", "display": "hydroxocobalamin", "verified": "yes",
         "evidence": "local:terminology-server"},
        {"system": ICD10CM, "code": "K50*", "display": "Crohn", "verified": "no",
         "evidence": "local:pharmacy-board"},
    ]  # fmt: skip
    assert shipped["b12_therapy"].with_rows(rows[:1], site).decides(Code(RXNORM, "5514"))
    narrowed = shipped["malabsorption"].with_rows(rows[1:], site)
    assert not narrowed.decides(Code(ICD10CM, "K50.00"))
    assert narrowed.mentions(Code(ICD10CM, "K50.00"))
    assert narrowed.decides(Code(ICD10CM, "K90.0"))
    assert shipped["malabsorption"].decides(Code(ICD10CM, "K50.00"))


def test_a_site_vouches_for_its_rows(shipped: dict[str, CodeList]) -> None:
    row = {"system": RXNORM, "code": "5514", "display": "hydroxocobalamin"}
    widened = shipped["hydroxocobalamin"].with_rows([row], "site.toml")
    assert widened.decides(Code(RXNORM, "5514"))
    assert widened.codes[-1].evidence == ("local:site",)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"code": "5515x"}, "form"),
        ({"display": ""}, "display is empty"),
        ({"evidence": "trust-me"}, "who decided"),
        ({"evidence": ""}, "evidence is empty"),
        ({"verified": "maybe"}, "verified"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_site_row_is_validated_like_any_other(
    shipped: dict[str, CodeList], change: dict[str, str], problem: str
) -> None:
    row = {
        "system": RXNORM, "code": "5515", "display": "x", "verified": "yes", "evidence": "local:x",
    }  # fmt: skip
    with pytest.raises(GuidelineError, match=problem) as caught:
        shipped["b12_therapy"].with_rows([row | change], Path("site.toml"))
    assert caught.value.file == "site.toml"
    assert caught.value.name == "codes.b12_therapy row 1"


def test_a_site_row_that_contradicts_another_list_is_refused(shipped: dict[str, CodeList]) -> None:
    row = {
        "system": LOINC, "code": "16695-9", "display": "B12 in blood", "verified": "yes",
        "evidence": "local:lab",
    }  # fmt: skip
    lists = dict(shipped)
    lists["b12_level"] = shipped["b12_level"].with_rows([row], Path("site.toml"))
    with pytest.raises(GuidelineError, match="is also in"):
        check_code_lists(lists, SHIPPED)


# --- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name", "problem"),
    [
        ("", "line 1", "header"),
        ("code,system\n", "line 1", "header"),
        (HEADER, "the file", "no rows"),
        (HEADER + f"{LOINC},2132-9,B12,yes\n", "line 2", "4 cells"),
        (HEADER + f"{LOINC},2132-9,,yes,book\n", "line 2", "display is empty"),
        (HEADER + f"{LOINC}, 2132-9,B12,yes,book\n", "line 2", "code is empty or has blanks"),
        (HEADER + f"{LOINC},14685-4,B12,yes,book\n", "line 2", "LOINC check digit"),
        (HEADER + f"{SNOMED},190634005,B12,yes,book\n", "line 2", "SNOMED CT check digit"),
        (HEADER + f"{LOINC},2132*,B12,yes,book\n", "line 2", "family"),
        (HEADER + "urn:x,1,B12,yes,book\n", "line 2", "unknown system"),
        (HEADER + f"{LOINC},2132-9,B12,true,book\n", "line 2", "verified"),
        (HEADER + CROHN + CROHN, "line 3", "already in line 2"),
        (HEADER + CROHN + f"{ICD10CM},K50.0,Crohn,yes,book\n", "line 3", "family in line 2"),
        (HEADER + f'{LOINC},2132-9,"B12,yes,book\n', "the file", "cannot be read"),
    ],
)
def test_a_wrong_file_is_refused_with_file_row_and_cure(
    tmp_path: Path, text: str, name: str, problem: str
) -> None:
    error = refusal(write(tmp_path, wrong=text))
    assert Path(error.file) == tmp_path / "wrong.csv"
    assert error.name == name
    assert problem in error.problem
    assert error.cure


def test_a_tag_nobody_explains_and_a_source_nobody_cites_are_refused(tmp_path: Path) -> None:
    assert "not explained" in refusal(write(tmp_path, sources="", bowel=HEADER + CROHN)).problem
    extra = BOOK + '[sources.film]\ntitle = "a film"\n'
    error = refusal(write(tmp_path, sources=extra, bowel=HEADER + CROHN))
    assert (error.name, error.problem) == ("sources.film", "is cited by no row")


def test_a_list_without_purpose_and_a_purpose_without_list_are_refused(tmp_path: Path) -> None:
    write(tmp_path, bowel=HEADER + CROHN)
    (tmp_path / "other.csv").write_text(HEADER + CROHN, encoding="utf-8")
    assert refusal(tmp_path).name == "lists.other"
    (tmp_path / "other.csv").unlink()
    (tmp_path / "bowel.csv").rename(tmp_path / "gut.csv")
    assert refusal(tmp_path).name == "lists.bowel"


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path).problem == "holds no code list"


@pytest.mark.parametrize("code", ["K50.0", "K50*", "K50.01"])
def test_a_code_in_two_exclusive_lists_is_refused_also_through_a_family(
    tmp_path: Path, code: str
) -> None:
    rule = '[[exclusive]]\nlists = ["sure", "unsure"]\n'
    other = HEADER + f"{ICD10CM},{code},Crohn,no,book\n"
    error = refusal(write(tmp_path, sources=rule + BOOK, sure=HEADER + CROHN, unsure=other))
    assert "is also in" in error.problem


def test_a_code_missing_from_the_wider_list_is_refused(tmp_path: Path) -> None:
    other = HEADER + f"{ICD10CM},K51*,Colitis,yes,book\n"
    within = BOOK + '[lists.part]\npurpose = "a test"\nwithin = "whole"\n'
    write(tmp_path, sources=BOOK, whole=HEADER + CROHN)
    (tmp_path / "part.csv").write_text(other, encoding="utf-8")
    sources = tmp_path / "SOURCES.toml"
    sources.write_text('[lists.whole]\npurpose = "a test"\n' + within, encoding="utf-8")
    error = refusal(tmp_path)
    assert (error.name, error.problem) == ("K51*", "is not in whole")


# --- the shipped lists ------------------------------------------------------------------------


def test_the_shipped_lists_load_and_each_has_a_verified_code(shipped: dict[str, CodeList]) -> None:
    assert [name for name, one in shipped.items() if not any(r.verified for r in one.codes)] == []


def test_every_trap_stays_out_of_the_lists(shipped: dict[str, CodeList]) -> None:
    traps = {
        (LOINC, "14685-4"): "b12_level", (LOINC, "16695-9"): "b12_level",
        (LOINC, "2170-9"): "b12_level", (LOINC, "72160-5"): "b12_level",
        (SNOMED, "165816005"): "", (SNOMED, "267384006"): "", (SNOMED, "5963005"): "",
        (SNOMED, "191139001"): "", (SNOMED, "191141000"): "", (SNOMED, "55929007"): "",
        (ICD10CM, "R40.241"): "", (ICD10CM, "D68.51"): "", (ICD10CM, "E72.12"): "inborn",
        (ICD10CM, "R56.00"): "neurological", (ICD10CM, "K90.1"): "malabsorption",
        (RXNORM, "876858"): "b12_therapy",
    }  # fmt: skip
    for (system, code), only in traps.items():
        for name, one in shipped.items():
            if only in ("", name):
                assert not one.decides(Code(system, code)), (code, name)


@pytest.mark.parametrize(
    ("name", "system", "code"),
    [
        ("b12_level", LOINC, "2132-9"),
        ("b12_level", LOINC, "14685-2"),
        ("b12_not_usable", LOINC, "16695-9"),
        ("homocysteine", LOINC, "2428-1"),
        ("breast_fed", LOINC, "LA29252-6"),
        ("malabsorption", ICD10CM, "K90821"),
        ("malabsorption", SNOMED, "51346007"),
        ("malabsorption_permanent", SNOMED, "26629001"),
        ("malabsorption_uncertain", ICD10CM, "K51.90"),
        ("malabsorption_possible", ICD10CM, "Z90.49"),
        ("inborn", ICD10CM, "D51.2"),
        ("inborn", SNOMED, "74653006"),
        ("neurological", ICD10CM, "P94.2"),
        ("movement_disorder", SNOMED, "102542000"),
        ("leber", SNOMED, "58610003"),
        ("leber_possible", ICD10CM, "H47.22"),
        ("bleeding", ICD10CM, "D66"),
        ("hydroxocobalamin", RXNORM, "317106"),
        ("cobalamin_substance", ATC, "B03BA53"),
        ("severity_severe", SNOMED, "24484000"),
        ("routes_parenteral", SNOMED, "78421000"),
    ],
)
def test_codes_that_stories_rest_on_decide(
    shipped: dict[str, CodeList], name: str, system: str, code: str
) -> None:
    assert shipped[name].decides(Code(system, code))


def test_a_cobalamin_is_either_cyanocobalamin_or_hydroxocobalamin_never_both(
    shipped: dict[str, CodeList],
) -> None:
    assert shipped["cyanocobalamin"].decides(Code(RXNORM, "11248"))
    assert not shipped["hydroxocobalamin"].decides(Code(RXNORM, "11248"))


def test_each_code_of_a_level_is_of_one_property_or_of_none(shipped: dict[str, CodeList]) -> None:
    level = {(row.system, row.code) for row in shipped["b12_level"].codes}
    parts = [
        {(row.system, row.code) for row in shipped[name].codes}
        for name in ("b12_level_mass", "b12_level_molar")
    ]
    assert parts == [{(LOINC, "2132-9")}, {(LOINC, "14685-2")}]
    assert parts[0] | parts[1] <= level


def test_every_source_says_what_it_proves() -> None:
    sources = tomllib.loads((SHIPPED / "SOURCES.toml").read_text(encoding="utf-8"))
    assert all(one["title"] and one["proves"] for one in sources["sources"].values())
    assert all(one["purpose"] for one in sources["lists"].values())
