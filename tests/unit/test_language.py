"""Messages into words, and catalogues that are refused with file, id and cure."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from babel import Locale
from each import each
from msgspec import Struct

from cds_service.consultation.detail import sentence
from cds_service.errors import CatalogueError
from cds_service.language import (
    Amount,
    Dated,
    Inside,
    Instant,
    Language,
    Listed,
    Message,
    Percent,
    Remembered,
    Rounded,
    Sent,
    Span,
    Value,
    house,
    id_of,
    ids_of,
    placeholders,
    say,
)
from cds_service.language.catalogues import (
    check_ids,
    check_translation,
    flattened,
    numbers_in,
    read_catalogue,
    read_translation,
    signed,
    translatable,
)
from cds_service.language.locales import (
    count_of_forms,
    decimal_sign,
    keeps_capitals,
    place_of_form,
)

ENGLISH = house.language()


class Texts(Struct):
    level: str
    stop: str


WORDS = ENGLISH.joined(
    {"texts.level": "**{value}** on {date}", "texts.stop": "Stop {name}, {{whole}}"}, "a test"
)


# --- messages -----------------------------------------------------------------------------------


def test_a_text_is_named_by_its_place_in_a_schema() -> None:
    said = say(Texts.level, value="x", date=date(2026, 3, 15))
    assert said == Message("texts.level", {"value": "x", "date": date(2026, 3, 15)})
    assert ids_of(Texts) == ("texts.level", "texts.stop")


@pytest.mark.parametrize("no_text", ["texts.level", Texts, len])
def test_nothing_else_is_a_text(no_text: object) -> None:
    with pytest.raises(TypeError):
        id_of(no_text)


@each(
    ("value", "words"),
    [
        ("as it was sent", "as it was sent"),
        (3, "3"),
        (Decimal("1000"), "1000"),
        (Decimal("1E+3"), "1000"),
        (Decimal("0.30"), "0.3"),
        (date(2026, 3, 5), "5 Mar 2026"),
        (datetime(2026, 3, 5, 9, 30, 59, tzinfo=UTC), "2026-03-05 09:30"),
        (Instant(datetime(2026, 3, 5, 9, 30, 59, tzinfo=UTC)), "2026-03-05 09:30:59+00:00"),
        (Dated(date(2026, 3, 1), date(2026, 3, 31)), "Mar 2026"),
        (Dated(date(2024, 2, 1), date(2024, 2, 29)), "Feb 2024"),
        (Dated(date(2026, 2, 1), date(2026, 2, 27)), "27 Feb 2026"),
        (Dated(date(2026, 1, 1), date(2026, 12, 31)), "2026"),
        (Dated(date(2025, 1, 1), date(2026, 12, 31)), "31 Dec 2026"),
        (Dated(date(2026, 3, 5), date(2026, 3, 5)), "5 Mar 2026"),
        (Amount(Decimal("1.50"), "ug"), "1.5 micrograms"),
        (Amount(Decimal(142), "pg/mL"), "142 pg/mL"),
        (Listed(()), ""),
        (Listed(("a", Decimal("1.0"), say(Texts.stop, name="b"))), "a, 1, Stop b, {whole}"),
        (Listed(("a", "b"), "semicolon"), "a; b"),
        (Listed(("a", "b"), "conjunction"), "a and b"),
        (Listed(("a", "b"), "alternative"), "a or b"),
        (Rounded(1.005, 1), "1.0"),
        (Rounded(41.7), "42"),
        (Percent(0.125), "12 %"),
        (Percent(1), "100 %"),
        (Span(0), "0 s"),
        (Span(59.9), "60 s"),
        (Span(60), "1.0 min"),
        (Span(599), "10.0 min"),
        (Span(600), "10 min"),
        (Span(3599), "60 min"),
        (Span(3600), "1.0 h"),
        (Span(86399), "24 h"),
        (Span(86400), "1.0 d"),
        (Span(864000), "10 d"),
    ],
)
def test_each_kind_of_value_is_written_in_one_place(value: Value, words: str) -> None:
    assert WORDS.text(value) == words


def test_what_is_nested_is_quoted_once_as_plain_words() -> None:
    inner = say(Texts.level, value="*x*", date=date(2026, 3, 15))
    said = WORDS.fill(say(Texts.stop, name=inner), lambda words: f"<{words}>")
    assert said == "Stop <***x*** on 15 Mar 2026>, {whole}"


def test_a_unit_that_is_not_listed_is_written_as_it_is() -> None:
    assert ENGLISH.unit("ug", Decimal(2)) == "micrograms"
    assert ENGLISH.unit("furlong", Decimal(1)) == "furlong"


@pytest.mark.parametrize(
    ("number", "told"),
    [
        ("0", "0 micrograms"),
        ("0.5", "0.5 micrograms"),
        ("1", "1 microgram"),
        ("1.0", "1 microgram"),
        ("1.1", "1.1 micrograms"),
        ("2", "2 micrograms"),
        ("21", "21 micrograms"),
    ],
)
def test_one_of_something_has_a_form_of_its_own(number: str, told: str) -> None:
    assert ENGLISH.text(Amount(Decimal(number), "ug")) == told


@pytest.mark.parametrize(
    ("tag", "forms", "told"),
    [
        ("en", "a|b", {"0": "b", "1": "a", "2": "b", "1.5": "b", "less than 1": "b"}),
        ("fr-CA", "a|b", {"0": "a", "1": "a", "1.5": "a", "2": "b"}),
        ("ja", "a", {"0": "a", "1": "a", "2": "a"}),
        ("pl", "a|b|c|d", {"1": "a", "2": "b", "5": "c", "12": "c", "22": "b", "1.5": "d"}),
        ("ru", "a|b|c|d", {"1": "a", "11": "c", "21": "a", "24": "b", "14": "c", "0.5": "d"}),
        ("cs", "a|b|c|d", {"1": "a", "4": "b", "1.5": "c", "5": "d"}),
    ],
)
def test_a_word_has_the_form_that_goes_with_its_number(
    tag: str, forms: str, told: dict[str, str]
) -> None:
    language = Language(tag, {"texts.doses": f"{{n:{forms}}}"})
    for number, form in told.items():
        said: Value = Decimal(number) if number[0].isdigit() else number
        assert language.fill(Message("texts.doses", {"n": said})) == form, number


@pytest.mark.parametrize(
    "tag", ["de", "en", "es", "fr", "ja", "ko", "pl", "pt-BR", "ru", "uk", "be", "cs", "sk"]
)
def test_the_form_that_goes_with_a_number_is_unicodes(tag: str) -> None:
    """As Babel reads CLDR. Its "many" of Romance languages, for whole millions, no text needs."""
    rule = Locale.parse(tag, sep="-").plural_form
    romance = tag[:2] in ("es", "fr", "pt")
    known = [
        one
        for one in ("one", "few", "many", "other")
        if one in {*rule.tags, "other"} and not (romance and one == "many")
    ]
    assert count_of_forms(tag) == len(known)
    for number in (*range(1000), *(Decimal(tenth) / 10 for tenth in range(1, 300))):
        assert known[place_of_form(tag, Decimal(number))] == rule(number), number


# --- numbers and names as a language has them ---------------------------------------------------


@each("tag", [
    "en", "en-US", "en-ZA", "de", "de-AT", "de-CH", "de-LI", "fr", "fr-CA", "es", "es-MX", "es-US",
    "es-419", "it", "nl", "pt", "pl", "cs", "tr", "sv", "da", "fi", "ru", "uk", "ja", "zh", "ko",
])  # fmt: skip
def test_the_decimal_sign_is_unicodes(tag: str) -> None:
    assert decimal_sign(tag) == Locale.parse(tag, sep="-").number_symbols["latn"]["decimal"]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (Decimal("0.3"), "0,3"),
        (Decimal("9999.5"), "9999,5"),
        (Decimal("10000.25"), "10\u202f000,25"),
        (Decimal("1000"), "1000"),
        (Decimal("-2.50"), "-2,5"),
        (Amount(Decimal("150.3"), "pg/mL"), "150,3 pg/mL"),
        (Rounded(1.25, 2), "1,25"),
        (Sent("6.4 g/dL"), "6,4 g/dL"),
        (Sent("< 0.5 umol/L"), "< 0,5 µmol/L"),
        (Sent("1.234 mmol/L"), "1,234 mmol/L"),
        (Sent("45 10*9/L"), "45 ×10⁹/L"),
        (Sent("12.5"), "12,5"),
        (Sent("1.2.2026"), "1.2.2026"),
        (Sent("about 1.5 g/dL"), "about 1.5 g/dL"),
        (Inside("Muskelhypotonie"), "Muskelhypotonie"),
    ],
)
def test_german_numbers_have_a_comma_and_nouns_their_capital(value: Value, words: str) -> None:
    german = Language("de", dict(ENGLISH.texts), ENGLISH)
    assert german.text(value) == words
    assert german.identity(value) == ENGLISH.identity(value)


@pytest.mark.parametrize(
    ("name", "inside"),
    [("Poor muscle tone", "poor muscle tone"), ("IgA deficiency", "IgA deficiency"),
     ("Crohn's disease", "Crohn's disease"), ("West syndrome", "West syndrome")],
)  # fmt: skip
def test_a_name_loses_its_capital_inside_a_sentence(name: str, inside: str) -> None:
    assert ENGLISH.text(Inside(name)) == inside
    assert not keeps_capitals("fr-CA")
    assert keeps_capitals("de-AT")


# --- the same in every language -----------------------------------------------------------------

DATES = {"month.mar": "Mar", "format.date": "{day} {month} {year}"}
GERMAN = Language(
    "de",
    {"texts.level": "{value} am {date}", "texts.stop": "{name} absetzen", **DATES},
    Language("en", {"texts.level": "**{value}** on {date}", "texts.stop": "Stop {name}", **DATES}),
)
PLAIN = GERMAN.original


def test_an_identity_is_the_same_in_every_language() -> None:
    said = say(Texts.stop, name=say(Texts.level, value=Decimal("1.0"), date=date(2026, 3, 15)))
    assert GERMAN.fill(said) != PLAIN.fill(said)
    assert GERMAN.identity(said) == PLAIN.identity(said)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (say(Texts.stop, name="a"), say(Texts.stop, name="b")),
        (say(Texts.stop, name=Decimal("1")), say(Texts.stop, name=Decimal("1.1"))),
        (Amount(Decimal(1), "ug"), Amount(Decimal(1), "mg")),
        (Dated(date(2026, 1, 1), date(2026, 1, 31)), Dated(date(2026, 1, 2), date(2026, 1, 31))),
        (Listed(("a", "b")), Listed(("b", "a"))),
        (Listed(("a", "b")), Listed(("a", "b"), "semicolon")),
        (Message("texts.stop", {"name": "a"}), Message("texts.level", {"value": "a", "date": ""})),
    ],
)
def test_an_identity_changes_with_any_value(one: Value, other: Value) -> None:
    assert PLAIN.identity(one) != PLAIN.identity(other)
    assert PLAIN.identity(one) == PLAIN.identity(one)


def test_an_identity_changes_with_the_words_in_force_and_not_with_what_they_leave_out() -> None:
    said = Message("texts.stop", {"name": "a", "day": 1})
    assert PLAIN.identity(said) == PLAIN.identity(Message("texts.stop", {"name": "a", "day": 2}))
    reworded = Language("en", {"texts.stop": "Please stop {name}"})
    assert reworded.identity(said) != PLAIN.identity(said)


def test_equal_numbers_are_one_value_however_they_were_written() -> None:
    assert PLAIN.identity(Decimal("1.0")) == PLAIN.identity(Decimal("1"))


# --- catalogues ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (date(2026, 3, 5), "B12 low on 5 Mar 2026."),
        (Dated(date(2026, 3, 5), date(2026, 3, 5)), "B12 low on 5 Mar 2026."),
        (Dated(date(2026, 11, 1), date(2026, 11, 30)), "B12 low in Nov 2026."),
        (Dated(date(2026, 1, 1), date(2026, 12, 31)), "B12 low in 2026."),
        (Dated(date(2026, 11, 2), date(2026, 11, 29)), "B12 low on 29 Nov 2026."),
        (say(Texts.stop, name="then"), "B12 low Stop then, {whole}."),
    ],
)
def test_a_date_is_written_with_the_preposition_of_what_is_known_of_it(
    value: Value, words: str
) -> None:
    assert WORDS.filled("B12 low {date:when}.", {"date": value}) == words


def test_a_language_has_its_own_prepositions() -> None:
    texts = {**house.language().texts, "format.on_day": "am {date}", "format.in_year": "{date}"}
    german = Language("de", texts)
    year = Dated(date(2026, 1, 1), date(2026, 12, 31))
    assert german.filled("{date:when}", {"date": year}) == "2026"
    assert german.filled("{date:when}", {"date": date(2026, 3, 5)}) == "am 5 Mar 2026"


def test_a_date_with_its_preposition_is_quoted_as_any_value_is() -> None:
    assert WORDS.filled("{date:when}", {"date": "*2026*"}, lambda text: text.replace("*", "")) == (
        "on 2026"
    )


def test_a_catalogue_may_ask_for_the_preposition_of_a_date(tmp_path: Path) -> None:
    text = "[texts]\na = 'B12 {date:when}, {n} {n:dose|doses}'\n"
    assert read_catalogue(catalogue(tmp_path, text))["texts"]["a"]


def catalogue(folder: Path, text: str, tag: str = "en") -> Path:
    (folder / "texts").mkdir(exist_ok=True)
    (folder / "texts" / f"{tag}.toml").write_text(text, encoding="utf-8")
    return folder


def test_a_catalogue_is_read_by_dotted_ids(tmp_path: Path) -> None:
    tables = read_catalogue(
        catalogue(tmp_path, '[cards."RTE-08.signs"]\nadvice = "Give {drug}."\n[texts]\na = "b"\n')
    )
    assert dict(flattened(tables)) == {
        "cards.RTE-08.signs.advice": "Give {drug}.",
        "texts.a": "b",
    }


@pytest.mark.parametrize(
    ("text", "name", "problem"),
    [
        ("[texts", "the file", "is not TOML"),
        ("[texts]\na = 1", "texts.a", "is not a text"),
        ("[texts]\na = ['b']", "texts.a", "is not a text"),
        ("[texts]\na = ''", "texts.a", "is empty"),
        ("[texts]\na = 'an open { brace'", "texts.a", "a brace that opens or closes nothing"),
        ("[texts]\na = 'a closed } brace'", "texts.a", "a brace that opens or closes nothing"),
        ("[texts]\na = '{}'", "texts.a", "only the name of a value"),
        ("[texts]\na = '{0}'", "texts.a", "only the name of a value"),
        ("[texts]\na = '{value.real}'", "texts.a", "only the name of a value"),
        ("[texts]\na = '{value:>9}'", "texts.a", "only the name of a value"),
        ("[texts]\na = '{value!r}'", "texts.a", "only the name of a value"),
        ("[texts]\na = '{value:dose}'", "texts.a", "only the name of a value"),
        ("[texts]\na = '{n} {n:dose|doses|more}'", "texts.a", "has 3 forms of a word"),
    ],
)
def test_what_is_no_catalogue_is_named_with_the_cure(
    tmp_path: Path, text: str, name: str, problem: str
) -> None:
    with pytest.raises(CatalogueError) as refused:
        read_catalogue(catalogue(tmp_path, text))
    error = refused.value
    assert error.file == str(tmp_path / "texts" / "en.toml")
    assert (error.name, problem in error.problem, bool(error.cure)) == (name, True, True)


def test_a_catalogue_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match=r"texts/fr\.toml: the file: cannot be read"):
        read_catalogue(tmp_path, "fr")


ORIGINALS = {"texts.a": "One {value}", "texts.b": "Two"}


def test_a_translation_names_no_value_more() -> None:
    with pytest.raises(CatalogueError) as refused:
        check_translation("fr.toml", {**ORIGINALS, "texts.b": "Deux {value}"}, ORIGINALS)
    said = "fr.toml: texts.b: uses {value}, which this text is not"
    assert str(refused.value).startswith(said)


def test_a_translation_may_turn_the_order_and_need_no_number_for_a_verb() -> None:
    originals = {"texts.a": "{n} {n:was|were} {what}", "texts.b": "{what:a|b}"}
    turned = {"texts.a": "{what} : {n}", "texts.b": "b"}
    assert check_translation("fr.toml", turned, originals) is None  # nothing is refused


@pytest.mark.parametrize(
    ("original", "translated", "said"),
    [
        ("One {value}", "Un", "leaves out {value}"),
        ("Within 10 days", "In 100 Tagen", "says 100 where the original says 10"),
        ("0.3 micrograms", "3 Mikrogramm", "says 3 where the original says 0.3"),
        ("Give 2 doses", "Dosen geben", "says none where the original says 2"),
        ("two weeks", "2 Wochen", "says 2 where the original says none"),
    ],
)
def test_a_translation_names_every_value_and_the_same_numbers(
    original: str, translated: str, said: str
) -> None:
    with pytest.raises(CatalogueError) as refused:
        check_translation("de.toml", {"texts.a": translated}, {"texts.a": original})
    assert said in str(refused.value)


def test_the_decimal_sign_and_the_name_of_the_vitamin_are_no_other_numbers() -> None:
    assert numbers_in("B12: 0,3 oder 10 {n}") == numbers_in("Give 10 {n}, then 0.3: B 12, B12")
    check_translation("de.toml", {"texts.a": "10 vor 0,3"}, {"texts.a": "B12 0.3 then 10"})


# --- a file for another language ----------------------------------------------------------------

SOURCE = """
[cards."R-1"]
summary = "Give {dose}"
more = "Only on the page."
[texts]
doses = "{n} {n:dose|doses} of 5"
[explain]
age = "Age"
"""
GERMAN_FILE = """
[translation]
language = "de"
translated_from = "1"

[cards."R-1"]
summary = "{dose} geben"
[texts]
doses = "{n} {n:Dosis|Dosen} zu 5"

[terms]
dose = { term = "Dosis", source = "a book" }
"""


def two_files(folder: Path, german: str = GERMAN_FILE, english: str = SOURCE) -> Path:
    catalogue(folder, english)
    catalogue(folder, german, "de")
    return folder


def test_a_language_is_a_file_and_what_only_reviewers_read_is_not_in_it(tmp_path: Path) -> None:
    signed(two_files(tmp_path), "de")
    translation = read_translation(tmp_path, "de")
    originals = dict(flattened(read_catalogue(tmp_path)))
    assert translatable(originals) == ("cards.R-1.summary", "texts.doses")
    assert translation.in_force(originals) == {
        **originals,
        "cards.R-1.summary": "{dose} geben",
        "texts.doses": "{n} {n:Dosis|Dosen} zu 5",
    }
    assert translation.terms["dose"].term == "Dosis"
    assert not translation.about.reviewer


def test_words_made_from_other_english_words_are_not_shown(tmp_path: Path) -> None:
    signed(two_files(tmp_path), "de")
    translation = read_translation(tmp_path, "de")
    originals = dict(flattened(read_catalogue(tmp_path)))
    of_a_site = {**originals, "cards.R-1.summary": "Give {dose} at once"}
    assert translation.stale(originals) == ()
    assert translation.stale(of_a_site) == ("cards.R-1.summary",)
    shown = translation.in_force(of_a_site)
    assert shown["cards.R-1.summary"] == "Give {dose} at once"
    assert shown["texts.doses"] == "{n} {n:Dosis|Dosen} zu 5"


def test_a_text_that_came_later_is_english_and_named(tmp_path: Path) -> None:
    signed(two_files(tmp_path), "de")
    catalogue(tmp_path, SOURCE.replace("[texts]", '[texts]\nlater = "Later {n}"'))
    translation = read_translation(tmp_path, "de")
    originals = dict(flattened(read_catalogue(tmp_path)))
    assert translation.stale(originals) == ("texts.later",)
    assert translation.in_force(originals)["texts.later"] == "Later {n}"
    with pytest.raises(CatalogueError, match=r"texts\.later: is missing"):
        read_translation(tmp_path, "de", whole=True)


def test_a_text_whose_english_was_changed_or_taken_away_does_not_prevent_the_start(
    tmp_path: Path,
) -> None:
    signed(two_files(tmp_path), "de")
    english = SOURCE.replace("Give {dose}", "Give {dose} of {drug}").replace(" of 5", " of 6")
    catalogue(tmp_path, english.replace('summary = "', 'why = "Because"\nsummary = "'))
    translation = read_translation(tmp_path, "de")
    originals = dict(flattened(read_catalogue(tmp_path)))
    assert set(translation.stale(originals)) == set(translatable(originals))
    assert translation.in_force(originals) == originals
    catalogue(tmp_path, SOURCE.replace("[texts]", "[other]"))
    assert read_translation(tmp_path, "de").in_force({"cards.R-1.summary": "Give {dose}"})
    with pytest.raises(CatalogueError):
        signed(tmp_path, "de")


def test_signing_again_changes_nothing_and_after_a_change_only_its_fingerprint(
    tmp_path: Path,
) -> None:
    two_files(tmp_path)
    assert signed(tmp_path, "de") == 2
    once = (tmp_path / "texts" / "de.toml").read_text()
    assert signed(tmp_path, "de") == 0
    assert (tmp_path / "texts" / "de.toml").read_text() == once
    catalogue(tmp_path, SOURCE.replace("Give {dose}", "Give {dose} now"))
    assert signed(tmp_path, "de") == 1
    again = (tmp_path / "texts" / "de.toml").read_text()
    assert again.startswith(GERMAN_FILE.rstrip())
    assert sum(a != b for a, b in zip(once.split("\n"), again.split("\n"), strict=True)) == 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"{dose} geben"', '"Geben"', "cards.R-1.summary: leaves out {dose}"),
        ("summary = ", "advice = ", "cards.R-1.summary: is missing"),
        ("{n:Dosis|Dosen}", "{n:Dosis}", "texts.doses: has 1 forms"),
        ("{n:Dosis|Dosen}", "{n:a|b|c}", "texts.doses: has 3 forms"),
        ("zu 5", "zu 50", "texts.doses: says 50 where the original says 5"),
        ("[texts]", '[explain]\nage = "Alter"\n[texts]', "explain.age: is a text that nothing"),
        ('"de"', '"fr"', 'translation.language: is "fr"'),
        ('"1"\n', '"1"\nreviewer = "X"\n', "translation.reviewer: and reviewed_on go together"),
        ("[translation]", "[about]", "its head: is not as it should be"),
        ('source = "a book"', 'by = "a book"', "its head: is not as it should be"),
    ],
)
def test_a_file_that_is_not_right_is_refused_by_name(
    old: str, new: str, said: str, tmp_path: Path
) -> None:
    assert old in GERMAN_FILE
    with pytest.raises(CatalogueError) as refused:
        read_translation(two_files(tmp_path, GERMAN_FILE.replace(old, new, 1)), "de", whole=True)
    assert str(refused.value).startswith(f"{tmp_path / 'texts' / 'de.toml'}: {said}")


def test_a_native_clinician_signs_by_name_and_day(tmp_path: Path) -> None:
    head = 'translated_from = "1"\n'
    signature = 'reviewer = "A clinician"\nreviewed_on = 2026-12-24\n'
    text = GERMAN_FILE.replace(head, head + signature)
    about = read_translation(two_files(tmp_path, text), "de").about
    assert (about.reviewer, about.reviewed_on) == ("A clinician", date(2026, 12, 24))


def test_a_schema_and_its_catalogue_have_the_same_texts() -> None:
    check_ids("x.toml", ids_of(Texts), {"texts.level": "a", "texts.stop": "b"})
    with pytest.raises(CatalogueError, match=r"x\.toml: texts\.stop: is missing"):
        check_ids("x.toml", ids_of(Texts), {"texts.level": "a"})
    with pytest.raises(CatalogueError, match=r"x\.toml: texts\.more: is a text that nothing uses"):
        check_ids("x.toml", (), {"texts.more": "a"})


def test_no_text_takes_the_id_of_another() -> None:
    with pytest.raises(CatalogueError, match=r"a guideline: card\.why: is the id of a text of"):
        ENGLISH.joined({"card.why": "Because"}, "a guideline")


def test_a_brace_that_is_meant_as_such_is_written_twice() -> None:
    assert placeholders("{{a}} {b}") == {"b"}
    assert Language("en", {"x.y": "{{a}}"}).fill(Message("x.y")) == "{a}"


def test_a_text_joined_to_a_translation_keeps_its_original() -> None:
    joined = GERMAN.joined({"more.a": "Eins"}, "more", {"more.a": "One"})
    assert joined.fill(Message("more.a")) == "Eins"
    assert joined.original.fill(Message("more.a")) == "One"
    assert joined.identity(Message("more.a")) == joined.original.identity(Message("more.a"))


def test_equal_messages_are_one_in_a_set() -> None:
    """What an order says is part of it, and the same order is given once."""
    said = Message("texts.level", {"value": Amount(Decimal(150), "pg/mL")})
    same = Message("texts.level", {"value": Amount(Decimal(150), "pg/mL")})
    other = Message("texts.level", {"value": Amount(Decimal(151), "pg/mL")})
    assert {said, same, other} == {said, other}
    assert len({Listed((said,)), Listed((same,)), Listed((other,))}) == 2


# --- what is remembered -------------------------------------------------------------------------


class _Maker:
    """Fills texts in, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.remembered = Remembered(self.make, WORDS, frozenset({"the guideline's", "pg/mL"}))

    def make(self, text: str, values: Any) -> str:
        self.asked += 1
        return WORDS.filled(WORDS.texts[text], values)

    def said(self, **values: object) -> str:
        return self.remembered.of("texts.level", values)


@pytest.mark.parametrize(
    ("value", "times"),
    [
        (Amount(Decimal(150), "pg/mL"), 1),
        (Amount(Decimal(150), "as it was sent"), 2),
        (Decimal("9999.9"), 1),
        (Decimal(10_000), 2),
        (Dated(date(2026, 1, 1), date(2026, 1, 31)), 1),
        ("the guideline's", 1),
        ("a name in a record", 2),
        (Listed(("the guideline's", Decimal(1))), 1),
        (Listed(("the guideline's", "a name in a record")), 2),
        (Message("texts.stop", {"name": "the guideline's"}), 1),
        (Message("texts.stop", {"name": "a name in a record"}), 2),
    ],
    ids=str,
)
def test_only_what_holds_no_words_of_a_record_is_remembered(value: Value, times: int) -> None:
    maker, day = _Maker(), date(2026, 1, 15)
    said = {maker.said(value=value, date=day), maker.said(value=value, date=day)}
    assert maker.asked == times
    assert said == {WORDS.fill(Message("texts.level", {"value": value, "date": day}))}


def test_values_are_remembered_by_their_names_and_only_those_that_a_text_names() -> None:
    maker = _Maker()
    assert maker.said(value=1, date=2) == "**1** on 2"
    assert maker.said(date=1, value=2) == "**2** on 1"
    assert maker.said(date=2, value=1, more="of a record") == "**1** on 2"
    assert maker.asked == 2


def test_a_number_that_is_grouped_is_never_taken_for_one_that_is_not() -> None:
    maker = _Maker()
    for value in (9_999, Decimal(9_999), 10_000, Decimal(10_000), 10_000):
        assert maker.said(value=value, date=1) == f"**{WORDS.text(value)}** on 1"


def test_what_is_remembered_is_bounded() -> None:
    maker = _Maker()
    for value in range(3_000):
        maker.said(value=value, date=1)
    assert len(maker.remembered._kept) <= 1_024


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("takes no supplement..", "Takes no supplement."),
        ("takes no supplement. examine..", "Takes no supplement. examine."),
        ("and so on...", "And so on..."),
        ("**now** at once..", "**Now** at once."),
        ("0.5 mg", "0.5 mg"),
    ],
)
def test_words_of_a_record_do_not_end_a_sentence_twice(said: str, shown: str) -> None:
    assert sentence(said).text == shown
