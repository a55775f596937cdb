"""What a drug is by its codes and names: what is B12, what only looks like it, and how strong."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from builders import (
    CYANOCOBALAMIN,
    FOLIC_ACID,
    HYDROXOCOBALAMIN,
    MULTIVITAMIN,
    RXNORM,
    SNOMED,
    WORDS,
    G,
    may_be_cyanocobalamin,
)
from each import each
from hypothesis import given
from hypothesis import strategies as st

from cds_service.clinical import Code
from cds_service.fhir import elements, wire
from cds_service.guidelines.b12_under_two.drugs import Drug
from cds_service.guidelines.b12_under_two.messages import Doubts
from cds_service.guidelines.b12_under_two.products import (
    form_of,
    has_phrase,
    is_like_b12,
    names_another,
    names_b12,
    recognise,
)
from cds_service.guidelines.codelists import ATC
from cds_service.guidelines.engine import found_once
from cds_service.language import say

CYANO, HYDROXO, METHYL, ADENOSYL = (
    "cyanocobalamin", "hydroxocobalamin", "methylcobalamin", "adenosylcobalamin",
)  # fmt: skip


def doubts_of(drug: Drug) -> tuple[str, ...]:
    return tuple([WORDS.language.text(one) for one in drug.doubts])


def named(text: str) -> Drug:
    return recognise((), text, G)


def rx(*codes: str) -> tuple[Code, ...]:
    return tuple(Code(RXNORM, code) for code in codes)


# --- what is vitamin B12 ----------------------------------------------------------------------

IS_B12 = (
    ("B12", ""), ("b12", ""), ("B 12", ""), ("B-12", ""), ("B‑12", ""), ("B–12", ""), ("B₁₂", ""),
    ("B.12", ""), ("Ｂ１２", ""), ("Vitamin B12", ""), ("VITAMIN B-12", ""), ("Vitamin-B12", ""),
    ("Vit. B12", ""), ("vitB12", ""), ("Vitamin B 12", ""), ("vitamine B12", ""),
    ("vitamina B12", ""), ("Witamina B12", ""), ("витамин B12", ""), ("витамин В12", ""),
    ("Vitamin B 12 1 MG Oral Tablet", ""), ("vitamin B12 (drops)", ""), ("cobalamin", ""),
    ("kobalamin", ""), ("B12/folate-free drops", ""),
    ("Cyanocobalamin", CYANO), ("CYANOCOBALAMIN 1000MCG/ML INJ", CYANO),
    ("cianocobalamina", CYANO), ("Cyanocobalamine", CYANO), ("cianocobalamină", CYANO),
    ("Cyanocobalaminum", CYANO), ("цианокобаламин", CYANO), ("Cyjanokobalamina", CYANO),
    ("vitamin B12 (cyanocobalamin)", CYANO), ("Nascobal", CYANO),
    ("Vitamin B 12 1 MG Oral Tablet [Dodex]", CYANO),
    ("hydroxocobalamin", HYDROXO), ("Hydroxycobalamin", HYDROXO), ("hidroxocobalamina", HYDROXO),
    ("idrossocobalamina", HYDROXO), ("hydroxocobalamine", HYDROXO),
    ("Hydroxocobalamin-acetat 1000 µg/ml", HYDROXO), ("vitamin B12a", HYDROXO),
    ("Vitamin B12 (as hydroxocobalamin)", HYDROXO), ("hydroxocobalamin IM/SC injection", HYDROXO),
    ("hydroxocobalamin w/ preservative", HYDROXO), ("hydroxocobalamin + diluent", HYDROXO),
    ("mecobalamin 1 MG Oral Capsule", METHYL), ("méthylcobalamine", METHYL),
    ("metilcobalamina", METHYL), ("Methylcobalamin 500 mcg", METHYL),
    ("メコバラミン錠500μg", METHYL), ("ﾒｺﾊﾞﾗﾐﾝ錠500µg", METHYL), ("メチコバール錠500μg", METHYL),
    ("シアノコバラミン注射液1000μg", CYANO), ("ヒドロキソコバラミン注1000μg", HYDROXO),
    ("ビタミンB12錠", ""), ("ビタミンＢ１２", ""), ("コバマミドカプセル", ADENOSYL),
    ("甲钴胺片", METHYL), ("注射用甲钴胺", METHYL), ("维生素B12注射液", ""), ("維生素B12", ""),
    ("氰钴胺片", CYANO), ("羟钴胺注射液", HYDROXO), ("腺苷钴胺片", ADENOSYL),
    ("메코발라민정500마이크로그램", METHYL), ("시아노코발라민주사", CYANO), ("비타민B12", ""),
    ("히드록소코발라민주", HYDROXO), ("Κυανοκοβαλαμίνη 1 mg", CYANO), ("Βιταμίνη Β12", ""),
    ("Ціанокобаламін-Дарниця", CYANO), ("Вітамін В12", ""), ("Метилкобаламін", METHYL),
    ("витаминB12", ""), ("سيانوكوبالامين 1 mg", CYANO), ("فيتامين ب12", ""),
    ("विटामिन बी12", ""), ("विटामिन बी 12", ""), ("فيتامين ب 12", ""),
    ("ميثيل كوبالامين", ""), ("मिथाइलकोबालामिन कैप्सूल", METHYL), ("सायनोकोबालामिन", CYANO),
    ("Vibeden 1 mg/ml", HYDROXO), ("Behepan 1 mg tabletter", CYANO), ("BETOLVEX 1MG/ML", CYANO),
    ("Neo-Cytamen 1000 micrograms/ml", ""), ("Methycobal 500mcg", METHYL),
    # Brands that are read in product information of their country.
    ("Hydrocobamine 500 µg/ml", HYDROXO), ("Cohemin Depot 1 mg/ml", HYDROXO), ("OHB12", HYDROXO),
    ("Megamilbedoce", HYDROXO), ("Dobetin gocce 20 mcg/ml", CYANO), ("Rubranova 5000", ""),
    ("弥可保片", METHYL), ("ビーコバM注500μg", METHYL), ("Cianokobalamin", CYANO),
    # Spellings and endings that are in no list leave open which cobalamin it is.
    ("Hidroxokobalaminas", ""), ("Sianokobalamin", ""), ("hydroksykobalamin", ""),
    ("цијанокобаламин", ""), ("سیانوکوبالامین", ""), ("гидроксокобаламином", ""),
    # Digits of the script, and the letter spelt out.
    ("فيتامين ب ١٢", ""), ("ویتامین ب۱۲", ""), ("विटामिन बी १२", ""), ("비타민비12", ""),
    ("ビタミンビー12", ""),
    ("cobamamide", ADENOSYL), ("adenosylcobalamin", ADENOSYL), ("dibencozide", ADENOSYL),
)  # fmt: skip


@each(("text", "substance"), IS_B12)
def test_vitamin_b12_is_recognised_by_name(text: str, substance: str) -> None:
    if "folate" in text:
        assert named(text).kind == "combination"
        return
    drug = named(text)
    assert (drug.kind, drug.by, drug.substance) == ("b12", "name", substance)
    assert names_b12([text], G)


NEAR_MISSES = (
    "vitamin B1", "vitamin B-1", "vitamin B2", "vitamin B2 12 mg", "vitamin B6 12 mg tablet",
    "vitamin B1 2 mg", "B 120", "B120", "B-120", "B 1200", "B123", "AB12", "CB12 mouthwash",
    "A-B12x", "b-1-2", "B1 2", "B 1 12 mg", "cobalt", "cobalt chloride", "cobaltous", "Kobalin",
    "cobal", "hydroxychloroquine", "hydroxocortisone", "hydroxyzine", "cyanide", "cyanoacrylate",
    "methyldopa", "methylcellulose", "cholecalciferol 12", "vitamin D 12", "vitamin K 12 mg",
    "B", "b 12th day", "cholestyramine", "Polio B12x", "metformin 500 mg",
    "amoxicillin 12 mg/kg", "omeprazole", "RB12", "dibenzothiazine", "mecobalaminoid",
    "transcobalamin", "holotranscobalamine", "транскобаламин", "Cobalaminmangel", "Coversyl",
    "コバシル錠4mg", "甲氧氯普胺片", "준비 12정", "Vitamin-D-3 ١٢",
    "vitamin C 12", "folinic acid", "leucovorin 5 MG Oral Tablet",
    "calcium folinate", "folliculin", "iron 12 mg", "ferrous sulfate", "Bifidobacterium B1",
)  # fmt: skip


LANGUAGES = G.file.names.languages


@each("text", dict.fromkeys(one for it in LANGUAGES.values() for one in it.false_friends))
def test_a_false_friend_of_another_language_is_another_drug(text: str) -> None:
    assert named(text) == Drug("other", "name")
    assert not names_b12([text], G)


def test_every_script_in_which_b12_is_known_has_a_language_with_false_friends() -> None:
    assert all(one.false_friends for one in LANGUAGES.values())
    scripts = {script_of(name) for name in _ALL_NAMES}
    assert scripts <= {script_of(one) for it in LANGUAGES.values() for one in it.false_friends}


def script_of(name: str) -> str:
    return unicodedata.name(next(sign for sign in name if sign.isalpha())).partition(" ")[0]


_WHOLE = {
    key: names for key, names in msgspec.to_builtins(G.file.names.b12).items() if key != "stems"
}
_ALL_NAMES = [name for names in _WHOLE.values() for name in names]


@pytest.mark.parametrize(
    "text",
    ["葉酸錠5mg", "叶酸片", "フォリアミン錠", "엽산정", "φολικό οξύ 5 mg", "حمض الفوليك",
     "फोलिक एसिड", "Φολικό Οξύ", "фолиевая кислота", "Фолієва кислота", "фолиева киселина",
     "Φυλλικό οξύ", "Axit folic 5mg", "Asam folat", "Folsav", "Folina 5 mg", "Folbiol tablet",
     "Spéciafoldine 0,4 mg"],
)  # fmt: skip
def test_folic_acid_is_recognised_in_any_script(text: str) -> None:
    assert named(text).kind == "folic acid"


@pytest.mark.parametrize(
    "text",
    [
        "TrioBe",
        "Milgamma N",
        "Мильгамма раствор",
        "Нейробион",
        "Комбилипен",
        "Benexol B12",
        "Apikobal",
        "Bedoyecta Tri",
        "Citoneurin",
        "Medivitan iV",
        "Calcio Dobetin",
        "ノイロビタン錠",
        "マルチビタミンB12",
        "复合维生素B12片",
        "ビタミンB1・B6・B12配合錠",
        "メコバラミン・葉酸錠",
    ],
)
def test_a_combination_is_one_in_any_script(text: str) -> None:
    assert named(text).kind == "combination"


#: Forms, ways and strengths, which leave open what it is.
NAMELESS = (
    "12 mg", "12", "5mg", "Drops", "Drops 1 mg/mL", "Tropfen", "1 ampoule IM", "点滴静注",
    "シロップ", "注射液 1mL", "주사액 1 mL", "сироп", "ένεση", "شراب", "सिरप",
)  # fmt: skip
#: Brands of which no published file was read, and what is made like them.
ALIKE = (
    "ビタメジン配合カプセル", "메티코발정", "Dodecavit", "Bedoz", "Epargriseovit", "Docemine",
    "Cobamet", "Cobavit", "Mecobal", "Meconerv", "Neurovit", "Neurorubin", "Terneurine",
    "Supravit", "뉴로비타", "メチコール", "Becombion", "Milgamvit", "Нейромультивит",
    "Полибион", "Комплигам",
)  # fmt: skip


@each("text", (*NAMELESS, *ALIKE))
def test_a_name_that_leaves_open_what_it_is_could_not_be_identified(text: str) -> None:
    assert named(text) == Drug("unknown", doubts=(say(Doubts.name_alike),))
    assert not names_b12([text], G)
    assert names_another(text, G) is (text in ALIKE)
    assert is_like_b12((), text, G) is (text in ALIKE)
    assert not is_like_b12((Code("http://www.whocc.no/atc", "A11DB"),), text, G)
    assert recognise((Code("urn:local", "1", "Paracetamol"),), text, G).kind == (
        "other" if text in NAMELESS else "unknown"
    )


@each("text", NEAR_MISSES)
def test_what_only_looks_like_it_is_another_drug(text: str) -> None:
    assert named(text) == Drug("other", "name")
    assert not names_b12([text], G)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("ვიტამინი ბ12", "unknown"),  # Georgian: nothing says what it is
        ("პარაცეტამოლი 120 მგ/5 მლ", "unknown"),
        ("վիտամին", "unknown"),  # Armenian
        ("ვიტამინი B12", "b12"),
        ("Paracetamol ვიტამინი", "unknown"),
        # Of a script that is read, in languages that are not: Serbian, Kazakh, Persian, Urdu.
        ("дәрумен", "unknown"),
        ("اسید فولیک", "unknown"),
        ("پیراسیٹامول", "unknown"),
        ("цијанокобаламин B12", "b12"),
        ("ібупрофен", "other"),
        ("Парацетамол", "other"),
        ("ฺยา", "unknown"),
        ("Paracetamol", "other"),
        ("Überdosis µg 5 ½ º", "other"),
        ("парацетамол", "other"),
        ("パラセタモール", "other"),
        ("对乙酰氨基酚", "other"),
    ],
)
def test_a_name_in_a_script_without_terms_is_never_another_drug(text: str, kind: str) -> None:
    drug = named(text)
    assert drug.kind == kind
    if kind == "unknown":
        assert doubts_of(drug) == ("its name is in a script that is not read here",)


@pytest.mark.parametrize(
    "text",
    [
        "vitamin B 12 mg", "vitamin B 12 mcg tablet", "vitamin B 12 µg", "vitamin B 12 g",
        "vitamin B 12 mL", "vitamin B 12 %", "vitamin B 12 hour release", "vitamin B 12.5 mg",
        "vitamin B 12,5 mg", "vitamin B12.5 mg", "B12 antibody", "vitamin B12 level",
        "vitamin B12 assay", "Bifidobacterium B12 strain", "Lactobacillus reuteri B12",
        "homeopathic B12", "Cyanocobalamin C30 globuli", "B12 eye drops", "vitamin B12 cream",
    ],
)  # fmt: skip
def test_a_name_that_leaves_it_open_is_unknown_and_says_so(text: str) -> None:
    drug = named(text)
    assert drug.kind == "unknown"
    assert doubts_of(drug) == ("its name does not say whether it is vitamin B12",)


@each(
    "text",
    [
        "folic acid 0.4 MG / vitamin B 12 0.025 MG Oral Tablet", "B complex", "Vitamin B complex",
        "vitamin B complex with B12", "multivitamin", "multivitamin with B12", "B1, B6, B12",
        "B1/B6/B12", "vitamin B1-B6-B12", "intrinsic factor / vitamin B12", "iron + B12",
        "iron/B12", "B12 & ginseng", "B12 1 MG / ginseng 5 MG Pill",
        "Ginseng Preparation / Vitamin B 12 Pill", "B12 + D",
        "B12 and vitamin D", "methylcobalamin with folate", "pyridoxine, cyanocobalamin",
        "hydroxocobalamin 1 mg + lidocaine", "thiamine and vitamin B12 injection",
        "acido folico e vitamina B12", "Folsäure + B12", "Vitamin-B-Komplex", "B12 + omega 3",
        "cyanocobalamin 1 MG / zinc 5 MG Oral Tablet", "complejo B", "B12 with vitamin C",
    ],
)  # fmt: skip
def test_b12_with_another_active_substance_is_a_combination(text: str) -> None:
    drug = named(text)
    assert (drug.kind, drug.per_unit, drug.per_ml) == ("combination", None, None)


@pytest.mark.parametrize(
    "text",
    [
        "folic acid", "Folic Acid 1 MG Oral Tablet", "folate", "acide folique", "ácido fólico",
        "Folsäure 5 mg", "L-methylfolate", "levomefolate calcium 0.451 MG Oral Tablet",
        "iron and folic acid", "foliumzuur",
    ],
)  # fmt: skip
def test_folic_acid_without_b12(text: str) -> None:
    assert (named(text).kind, named(text).by) == ("folic acid", "name")


def test_two_cobalamins_are_b12_whose_form_is_open() -> None:
    drug = named("cobamamide 0.1 MG / Vitamin B 12 5 MG Sublingual Tablet")
    assert (drug.kind, drug.way, drug.per_unit) == ("b12", "sublingual", None)
    assert "its strengths do not agree" in doubts_of(drug)
    both = named("hydroxocobalamin and cyanocobalamin")
    assert (both.kind, both.substance) == ("b12", "")
    assert may_be_cyanocobalamin(both)
    assert "it is named as cyanocobalamin and hydroxocobalamin" in doubts_of(both)


def test_nothing_at_all_is_unknown() -> None:
    assert named("") == named("  ") == Drug("unknown")
    bare = recognise((Code("http://hl7.org/fhir/sid/ndc", "0517-0031-25"),), "", G)
    assert bare.kind == "unknown"
    assert doubts_of(bare) == ("it has a code that is not known here and no name",)


# --- codes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "kind", "substance"),
    [
        (CYANOCOBALAMIN, "b12", CYANO), (HYDROXOCOBALAMIN, "b12", HYDROXO),
        (MULTIVITAMIN, "combination", ""), (FOLIC_ACID, "folic acid", ""),
        (Code(RXNORM, "846934"), "b12", METHYL), (Code(RXNORM, "29421"), "b12", METHYL),
        (Code(RXNORM, "310410"), "folic acid", ""), (Code(RXNORM, "1013628"), "folic acid", ""),
        (Code(SNOMED, "419382002"), "b12", CYANO), (Code(SNOMED, "1217427007"), "b12", HYDROXO),
        (Code(SNOMED, "419679002"), "b12", ""),
        (Code(ATC, "B03BA01"), "b12", CYANO), (Code(ATC, "B03BA03"), "b12", HYDROXO),
        (Code(ATC, "b03ba05"), "b12", METHYL), (Code(ATC, "B03BB01"), "folic acid", ""),
        (Code(ATC, "B03BA51"), "combination", CYANO),
        (Code(ATC, "B03BA53"), "combination", HYDROXO),
    ],
)  # fmt: skip
def test_a_verified_code_decides(code: Code, kind: str, substance: str) -> None:
    drug = recognise((Code(code.system, code.code),), "", G)
    assert (drug.kind, drug.by, drug.substance) == (kind, "code", substance)


@pytest.mark.parametrize(
    ("code", "way", "per_unit", "per_ml"),
    [
        ("309593", "oral", 1000, None), ("244190", "oral", 2000, None),
        ("245557", "oral", 1000, None), ("309595", "oral", 100, None),
        ("313896", "oral", 500, None), ("105686", "oral", 50, None), ("245553", "oral", 10, None),
        ("309604", "oral", 250, None), ("1245015", "oral", 2500, None),
        ("237779", "sublingual", 1000, None), ("636371", "sublingual", 500, None),
        ("1298224", "oral", 500, None), ("1486245", "oral", 2500, None),
        ("846934", "oral", 1000, None), ("1233038", "oral", 1000, None),
        ("198890", "oral", 1000, None), ("199364", "oral", 100, None),
        ("309594", "parenteral", None, 1000), ("317106", "parenteral", None, 1000),
        ("1423423", "oral", None, 1000), ("1112803", "oral", None, "66.7"),
        ("861113", "nasal", 500, None), ("11248", "", None, None),
    ],
)  # fmt: skip
def test_a_coded_product_has_the_way_and_strength_of_its_row(
    code: str, way: str, per_unit: int | None, per_ml: int | str | None
) -> None:
    drug = recognise(rx(code), "", G)
    assert (drug.kind, drug.by, drug.way, doubts_of(drug)) == ("b12", "code", way, ())
    assert drug.per_unit == per_unit
    assert drug.per_ml == (None if per_ml is None else Decimal(per_ml))


def test_the_same_product_by_code_and_by_name_differs_only_in_what_the_name_leaves_open() -> None:
    for row in G.codes.b12_therapy.verified:
        by_code = recognise((Code(row.system, row.code),), "", G)
        by_name = named(row.display)
        if row.system != RXNORM:
            continue
        assert by_name.kind == by_code.kind == "b12"
        assert (by_name.way, by_name.per_unit, by_name.per_ml) == (
            by_code.way, by_code.per_unit, by_code.per_ml,
        )  # fmt: skip
        assert may_be_cyanocobalamin(by_name) == may_be_cyanocobalamin(by_code)


def test_an_unverified_code_decides_nothing() -> None:
    unverified = Code(RXNORM, "5514", "hydroxocobalamin")
    drug = recognise((unverified,), "", G)
    assert (drug.kind, drug.by, drug.substance) == ("b12", "name", HYDROXO)
    assert recognise((Code(RXNORM, "5514"),), "", G).kind == "unknown"


def test_a_code_of_another_system_decides_nothing() -> None:
    assert recognise((Code("urn:site", "309593", "Paracetamol"),), "", G).kind == "other"


@pytest.mark.parametrize("system", ["urn:oid:2.16.840.1.113883.6.88", RXNORM + "/",
                                    "https" + RXNORM[4:]])  # fmt: skip
def test_other_spellings_of_the_code_system_are_the_same_system(system: str) -> None:
    sent = wire.Concept(coding=[wire.Coding(system=system, code="309593")])
    assert recognise(elements.codes(sent), "", G).kind == "b12"


def test_codes_of_different_drugs_are_no_drug() -> None:
    drug = recognise((*rx("309593"), FOLIC_ACID), "Vitamin B12", G)
    assert (drug.kind, doubts_of(drug)) == ("unknown", ("its codes are of different drugs",))


@pytest.mark.parametrize("text", ["Folic acid 5 mg", "B complex"])
def test_a_b12_code_under_another_name_is_checked_with_a_doubt_and_without_a_strength(
    text: str,
) -> None:
    drug = recognise(rx("309593"), text, G)
    assert (drug.kind, drug.by, drug.per_unit) == ("b12", "code", None)
    assert doubts_of(drug)[0].startswith("it is named as different drugs")


def test_the_name_of_b12_over_another_code_is_checked_with_a_doubt() -> None:
    drug = recognise((FOLIC_ACID,), "cyanocobalamin 1 mg tablet", G)
    assert (drug.kind, drug.by, drug.per_unit) == ("b12", "name", None)
    assert doubts_of(drug)
    mixed = recognise((Code(RXNORM, "4511"),), "folic acid with B12", G)
    assert (mixed.kind, bool(doubts_of(mixed))) == ("unknown", True)


def test_a_brand_or_a_test_word_in_the_name_of_a_coded_product_changes_nothing() -> None:
    for text in ("Eligen", "B12 for a low level"):
        drug = recognise(rx("309593"), text, G)
        assert (drug.kind, drug.per_unit, doubts_of(drug)) == ("b12", 1000, ())


@pytest.mark.parametrize(
    ("codes", "text", "may_be"),
    [
        (("309593",), "", True), (("11248",), "vitamin B12", True), ((), "Vitamin B12", True),
        ((), "cobalamin injection", True), (("317106",), "hydroxocobalamin", False),
        ((), "hydroxocobalamin", False), ((), "methylcobalamin", False),
        (("317106",), "cyanocobalamin 1 mg/ml injection", True), (("846934",), "", False),
        ((), "folic acid 1 MG / vitamin B12 1 MG Oral Tablet", True), ((), "metformin", False),
        ((), "folic acid", False),
    ],
)  # fmt: skip
def test_an_unnamed_or_disputed_cobalamin_may_be_cyanocobalamin(
    codes: tuple[str, ...], text: str, may_be: bool
) -> None:
    assert may_be_cyanocobalamin(recognise(rx(*codes), text, G)) is may_be


# --- strengths ----------------------------------------------------------------------------------

STRENGTHS = (
    # name after "cyanocobalamin", per piece, per mL
    ("1 MG tablet", 1000, None), ("1000 MCG tablet", 1000, None), ("1000mcg tab", 1000, None),
    ("500 µg tablet", 500, None), ("500 μg tablet", 500, None), ("500 ug tablet", 500, None),
    ("500 micrograms tablets", 500, None), ("500 Mikrogramm Tabletten", 500, None),
    ("0.5 MG tablet", 500, None), ("0,5 mg comprimidos", 500, None), (".5 mg tablet", 500, None),
    ("0.0667 MG tablet", "66.7", None), ("50 мкг таблетки", 50, None), ("1 g tablet", 10**6, None),
    ("1,000 mcg tablet", 1000, None), ("2,500 mcg tablet", 2500, None),
    ("1'000 µg tablet", 1000, None), ("1 000 µg comprimés", 1000, None),
    ("1,000 mg (1000 mcg) tablet", 1000, None), ("1.000 µg (1 mg) Tabletten", 1000, None),
    ("1 mg (1000 mcg) tablet", 1000, None), ("0.125 mg tablet", 125, None),
    ("0,125 mg tablet", 125, None), ("1,000,000 ng tablet", 1000, None),
    ("1.25 mg tablet", 1250, None), ("1 mg", 1000, None), ("1 MG Pill", 1000, None),
    ("1 MG/ML Oral Solution", None, 1000), ("1000 mcg/mL injection", None, 1000),
    ("1,000 mcg/mL injection", None, 1000), ("1 mg/1 mL injection", None, 1000),
    ("5 mg/5 mL oral solution", None, 1000), ("10 mg / 5 mL oral solution", None, 2000),
    ("0.1 mg per mL oral solution", None, 100), ("1 mg in 1 ml injection", None, 1000),
    ("500 mcg/0.1 mL nasal spray", None, 5000), ("1000 µg/cc injection", None, 1000),
    ("0.5 MG/ACTUAT Nasal Spray", 500, None), ("500 mcg/spray nasal", 500, None),
    ("100 mcg/drop", 100, None), ("1 mg/2 drops", 500, None), ("25 mcg per tablet", 25, None),
    ("1000 µg/mL 1 mL ampoule", 1000, 1000), ("1000 µg/mL 2 mL ampoule", 2000, 1000),
    ("1 mg/1 ml ampoules", 1000, 1000), ("5 mg/2 mL ampoule", 5000, 2500),
    ("1 mg ampoule", 1000, None), ("1000 mcg/mL vial", None, 1000),
    ("1 mg/1 mL vial", None, 1000), ("1000 mcg/mL 10 mL vial", 10000, 1000),
    ("1 ML 1 MG/ML prefilled syringe", 1000, 1000),
    # not a strength, or not one that can be determined
    ("tablet", None, None), ("1000 tablet", None, None), ("1 mg oral solution", None, None),
    ("1 mg injection", None, None), ("1 mg/kg tablet", None, None),
    ("1 mg/day tablet", None, None), ("0.1 % solution", None, None),
    ("500-1000 mcg tablet", None, None), ("500 – 1000 mcg tablet", None, None),
    ("1000 IU tablet", None, None), ("1 mg/L solution", None, None),
    ("100 mcg/spray tablet", None, None), ("1 mg/dose spray", None, None),
    ("1 mg / kg", None, None), ("1 mg tablet or ampoule", None, None),
)  # fmt: skip


@each(("rest", "per_unit", "per_ml"), STRENGTHS)
def test_the_strength_in_a_name(rest: str, per_unit: int | str | None, per_ml: int | None) -> None:
    drug = named(f"Cyanocobalamin {rest}")
    assert drug.kind == "b12"
    assert drug.per_unit == (None if per_unit is None else Decimal(per_unit))
    assert drug.per_ml == per_ml


@pytest.mark.parametrize(
    "rest",
    [
        "1,000 mg tablet", "1.000 mg tablet", "1.000 µg Tabletten", "2.500 mcg tablet",
        "2,500 mg tablet", "1 500 µg comprimés", ",5 mg tablet",
    ],
)  # fmt: skip
def test_a_number_with_two_readings_is_no_strength(rest: str) -> None:
    drug = named(f"cyanocobalamin {rest}")
    assert drug.per_unit is None
    assert doubts_of(drug) == ("its strength can be read in two ways",)


def test_the_name_of_b12_is_no_number() -> None:
    for text in ("Vitamin B 12 500 mcg tablet", "B-12 500 mcg tablet", "B12-500mcg tablet",
                 "Vitamin B12, 500 mcg tablet"):  # fmt: skip
        assert named(text).per_unit == 500, text


@pytest.mark.parametrize(
    ("codes", "text"),
    [
        (rx("309593"), "Vitamin B 12 0.1 MG Oral Tablet"),
        (rx("309593", "309595"), ""),
        ((Code(RXNORM, "309593", "vitamin B12 10 MG Oral Tablet"),), ""),
        ((), "cyanocobalamin 1 mg (100 mcg) tablet"),
        ((), "cyanocobalamin 1 mg / 500 mcg tablet"),
        (rx("1423423"), "cyanocobalamin 3 mg/mL"),
    ],
)
def test_strengths_that_contradict_each_other_are_none(codes: tuple[Code, ...], text: str) -> None:
    drug = recognise(codes, text, G)
    assert (drug.kind, drug.per_unit, drug.per_ml) == ("b12", None, None)
    assert doubts_of(drug) == ("its strengths do not agree",)


def test_equal_strengths_in_other_words_do_not_contradict_each_other() -> None:
    for text in ("Cyanocobalamin 1000 mcg tablet", "vitamin B12 1,000 mg tablet", "B12 1.0 mg"):
        drug = recognise(rx("309593"), text, G)
        assert (drug.per_unit, doubts_of(drug)) == (1000, ()), text


def test_a_form_that_contradicts_the_code_leaves_neither_strength_nor_way() -> None:
    drug = recognise(rx("309593"), "Cyanocobalamin 1 mg/mL injection", G)
    assert (drug.per_unit, drug.per_ml, drug.way) == (None, None, "")
    assert set(doubts_of(drug)) == {"its names say different forms",
                                "its names give different routes"}  # fmt: skip


@each(
    ("rest", "way", "form"),
    [
        ("Oral Tablet", "oral", "tablet"), ("Chewable Tablet", "oral", "tablet"),
        ("Oral Capsule", "oral", "tablet"), ("Disintegrating Oral Tablet", "oral", "tablet"),
        ("Extended Release Oral Tablet", "oral", "tablet"), ("Oral Lozenge", "oral", "tablet"),
        ("tablet", "oral", "tablet"), ("Oral Solution", "oral", "liquid"),
        ("syrup", "oral", "liquid"), ("drops", "oral", "drop"), ("nasal drops", "nasal", "drop"),
        ("Sublingual Tablet", "sublingual", "tablet"), ("SL tab", "sublingual", "tablet"),
        ("Nasal Spray", "nasal", "spray"), ("Nasal Gel", "nasal", ""),
        ("oral spray", "oral", "spray"), ("spray", "", "spray"),
        ("Injectable Solution", "parenteral", "liquid"), ("Injection", "parenteral", "liquid"),
        ("Prefilled Syringe", "parenteral", "ampoule"), ("ampoule", "parenteral", "ampoule"),
        ("10 mL multi-dose vial", "parenteral", "ampoule"), ("Injektionslösung", "parenteral",
        "liquid"), ("drinkable ampoule", "oral", "ampoule"), ("", "", ""), ("solution", "",
        "liquid"),
    ],
)  # fmt: skip
def test_the_way_and_form_in_a_name(rest: str, way: str, form: str) -> None:
    drug = named(f"cyanocobalamin {rest}")
    assert (drug.kind, drug.way, drug.form) == ("b12", way, form)


def test_drops_per_millilitre_only_if_stated() -> None:
    assert named("B12 drops 1 mg/mL").drops_per_ml is None
    for text in ("B12 drops 1 mg/mL, 20 drops/mL", "B12 1 mg/mL (1 mL = 20 drops)",
                 "B12 1 mg/mL 20 drops per mL"):  # fmt: skip
        assert named(text).drops_per_ml == 20, text


@pytest.mark.parametrize("substance", ["cyanocobalamin", "hydroxocobalamin"])
def test_our_own_code_says_what_is_injected_and_that_it_has_no_preservative(
    substance: str,
) -> None:
    (code,) = getattr(G.file.products, f"{substance}_injection").preservative_free
    bare = Code(code.system, code.code)
    for text in ("", "hydroxocobalamine" if substance[0] == "h" else "B12", "konservierungsfrei"):
        drug = recognise([bare], text, G)
        assert (drug.kind, drug.by, drug.substance) == ("b12", "code", substance), text
        assert (drug.way, drug.preservative_free, drug.per_ml) == ("parenteral", True, None), text
        assert not drug.doubts
    assert recognise([bare], "folic acid", G).doubts
    other = "cyanocobalamin" if substance[0] == "h" else "hydroxocobalamin"
    assert recognise([bare], f"{other} 1 mg/mL", G).doubts


@pytest.mark.parametrize(
    "code", ["hydroxocobalamin-injection", "Hydroxocobalamin-Injection-Preservative-Free"]
)
def test_a_code_like_our_own_decides_nothing(code: str) -> None:
    system = G.file.products.hydroxocobalamin_injection.preservative_free[0].system
    assert recognise([Code(system, code)], "", G).kind == "unknown"
    drug = recognise([Code(system, code)], "Hydroxocobalamin, preservative-free", G)
    assert (drug.kind, drug.by) == ("b12", "name")


def test_preservative_free_only_if_said() -> None:
    injection = "cyanocobalamin 1 mg/mL injection"
    for said in ("preservative-free", "(preservative free)", "sans conservateur",
                 "without benzyl alcohol"):  # fmt: skip
        assert named(f"{injection} {said}").preservative_free, said
    for said in ("", "with preservative", "not preservative free", "benzyl alcohol"):
        assert not named(f"{injection} {said}").preservative_free, said


@pytest.mark.parametrize(
    ("thing", "form"),
    [("tablet", "tablet"), ("Tab", "tablet"), ("pill", "tablet"), ("capsule", "tablet"),
     ("drop", "drop"), ("gtt", "drop"), ("spray", "spray"), ("actuation", "spray"),
     ("ampoule", "ampoule"), ("vial", "ampoule"), ("", ""), ("IU", ""), ("unit", ""),
     ("dose", ""), ("mL", "")],
)  # fmt: skip
def test_the_form_of_what_is_counted(thing: str, form: str) -> None:
    assert form_of(thing, G) == form


# --- what holds for all ---------------------------------------------------------------------------


@given(st.integers(1, 9_999))
def test_milligrams_are_a_thousand_micrograms(amount: int) -> None:
    in_mg = named(f"cyanocobalamin {amount} mg tablet").per_unit
    in_ug = named(f"cyanocobalamin {amount}000 mcg tablet").per_unit
    assert in_mg == in_ug == amount * 1000


@given(st.decimals("0.01", "999", places=2))
def test_a_decimal_comma_is_a_decimal_point(amount: Decimal) -> None:
    point, comma = str(amount), str(amount).replace(".", ",")
    by_point = named(f"cyanocobalamin {point} mg/mL oral solution").per_ml
    assert by_point == amount * 1000
    assert named(f"cyanocobalamin {comma} mg/mL oral solution").per_ml == by_point


@given(st.text(max_size=40))
def test_no_text_breaks_it_and_no_strength_comes_from_nowhere(text: str) -> None:
    drug = named(text)
    for strength in (drug.per_unit, drug.per_ml, drug.drops_per_ml):
        assert strength is None or strength > 0
    if not any(unicodedata.normalize("NFKC", sign).isdigit() for sign in text):
        assert drug.per_unit is drug.per_ml is drug.drops_per_ml is None
    assert (drug.kind == "unknown") == (not text.strip()) or doubts_of(drug)


# --- the data -------------------------------------------------------------------------------------


def _phrases(data: Any, name: str = "names") -> Iterator[tuple[str, str]]:
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from _phrases(value, f"{name}.{key}")
    elif name == "names.schedule.rhythms":
        for one in data:
            yield from ((f"{name} of {one['days']} days", phrase) for phrase in one["words"])
    elif name == "names.signs.told":
        for number, one in enumerate(data):
            yield from ((f"{name} {number}, {of}", it) for of in ("words", "of") for it in one[of])
    elif name != "names.labs" and not name.startswith("names.labs."):
        yield from ((name, phrase) for phrase in data)


def test_every_name_is_written_as_it_is_compared_and_stands_once_in_its_list() -> None:
    found = list(_phrases(msgspec.to_builtins(G.file.names)))
    assert len(found) > 300
    assert len(set(found)) == len(found)
    for where, written in found:
        phrase = written.replace("*", "")  # any ending
        assert phrase == written or where.startswith("names.signs."), where
        folded = unicodedata.normalize("NFKD", phrase.casefold())
        bare = "".join(sign for sign in folded if not unicodedata.combining(sign))
        if max(phrase) < "\u0590":  # other scripts have no capitals, and their signs are letters
            assert bare == phrase, where
        kinds = {unicodedata.category(sign)[0] for word in phrase.split(" ") for sign in word}
        assert kinds <= {"L", "M", "N"}, where


def test_no_name_of_a_cobalamin_has_a_blank_or_means_two() -> None:
    every = _ALL_NAMES
    assert len(set(every)) == len(every)
    assert all(" " not in name for name in every)
    companions = set(G.file.names.companions) | set(G.file.names.plain)
    assert not companions & set(every)


def test_no_list_of_phrases_is_taken_for_another_that_is_no_more() -> None:
    """They are known by which list they are, and more are made here than are kept."""
    for number in range(600):
        listed = (f"drops{number}", f"one drop{number}", f"\u30b5\u30d7\u30ea{number}")
        assert all(has_phrase(f"give {one} now", listed) for one in listed)
        assert not has_phrase(f"give drops{number + 1} now", listed)


def test_a_property_is_found_out_once_for_each_owner() -> None:
    asked: list[object] = []

    class Owner:
        @found_once
        def name(self) -> int:
            """What it is called."""
            asked.append(self)
            return len(asked)

    one, other = Owner(), Owner()
    assert [one.name, other.name, one.name, other.name] == [1, 2, 1, 2]
    assert asked == [one, other]
