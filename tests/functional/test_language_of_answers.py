"""In which language a caller is answered: the operator's, the client's, or what a caller of the
demo accepts. The other language is English with a word before every text."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from ehr import BASE, Ehr, Used, register
from msgspec import structs

from cds_service.__main__ import main
from cds_service.app import create_app, languages_in_use
from cds_service.commands import translating
from cds_service.consultation import Service, load_services
from cds_service.consultation.cards import Stationery
from cds_service.consultation.services import stationery_of
from cds_service.errors import CatalogueError, SettingsError
from cds_service.guidelines.guideline import Guideline
from cds_service.language import Language, house
from cds_service.language.catalogues import (
    flattened,
    read_catalogue,
    read_translation,
    signed,
    translatable,
)
from cds_service.settings import Settings, read_settings

ROOT = Path(__file__).parents[2]
MARK = "\N{CYRILLIC CAPITAL LETTER YA}"
HOOK = "/cds-services/b12-under-two-patient-view"


@cache
def bilingual() -> tuple[Service, ...]:
    """Every service in English, and in a German that is marked English."""
    english = load_services()
    g = english[0].guideline
    own = house.language().joined(g.texts, "the guideline")
    texts = {id_: f"{MARK}{text}" if id_.startswith(("cards.", "offers.")) else text
             for id_, text in own.texts.items()}  # fmt: skip
    german = Stationery(g.wording, Language("de", texts, own), reviewed=False)
    return tuple(
        structs.replace(
            one, others={"de": structs.replace(one, stationery=german, title=f"{MARK}{one.title}")}
        )
        for one in english
    )


def story() -> Any:
    found = sorted((ROOT / "fhir_samples" / "b12_under_two").glob("*/request.json"))
    for path in found:
        request = json.loads(path.read_text())
        if request["hook"] == "patient-view":
            return request
    raise AssertionError("no story of patient-view")


def ask(settings: Settings, **headers: str) -> Any:
    client = create_app(settings, bilingual()).test_client()
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post(HOOK, json=story(), headers=sent)


def is_german(answer: Any) -> bool:
    cards = answer.get_json()["cards"]
    assert cards
    marked = {MARK in card["summary"] for card in cards}
    assert len(marked) == 1
    assert answer.headers["Content-Language"] == ("de" if marked == {True} else "en")
    return marked == {True}


@pytest.mark.parametrize(
    ("accepted", "german"),
    [("", False), ("de", True), ("de-AT, en;q=0.5", True), ("en, de;q=0.5", False),
     ("fr", False), ("fr, de;q=0.1", True), ("*", False), ("x" * 10_000, False)],
)  # fmt: skip
def test_the_demo_answers_in_what_the_caller_accepts(accepted: str, german: bool) -> None:
    assert is_german(ask(Settings(demo=True), Accept_Language=accepted)) is german


def test_outside_the_demo_a_header_decides_nothing() -> None:
    assert not is_german(ask(Settings(open=True), Accept_Language="de"))


def test_the_operator_chooses_the_language_of_the_answers() -> None:
    assert is_german(ask(Settings(open=True, language="de")))
    assert not is_german(ask(Settings(demo=True, language="de"), Accept_Language="en"))


@pytest.mark.parametrize(
    ("registered", "setting", "german"),
    [("", "en", False), ("", "de", True), ("de", "en", True), ("en", "de", False)],
)
def test_a_clients_language_comes_before_the_operators(
    registered: str, setting: str, german: bool, tmp_path: Path
) -> None:
    known = {"language": registered} if registered else {}
    east = Ehr("east", **known)
    settings = Settings(public_url=BASE, clients_file=register(tmp_path, [east]), language=setting)
    client = create_app(settings, bilingual(), use_token=Used()).test_client()
    token = east.bearer(f"{BASE}{HOOK}")
    assert is_german(client.post(HOOK, json=story(), headers=token)) is german


@pytest.mark.parametrize(("language", "german"), [("en", False), ("de", True)])
def test_discovery_speaks_the_language_of_the_answers(language: str, german: bool) -> None:
    client = create_app(Settings(open=True, language=language), bilingual()).test_client()
    found = client.get("/cds-services")
    assert found.headers["Content-Language"] == language
    assert all((MARK in one["title"]) is german for one in found.get_json()["services"])


def test_what_is_created_names_its_language_and_english_is_not_named() -> None:
    answer = ask(Settings(demo=True), Accept_Language="de").get_json()
    english = ask(Settings(demo=True)).get_json()

    def languages(cards: Any) -> set[Any]:
        return {
            action["resource"].get("language")
            for card in cards
            for suggestion in card.get("suggestions", ())
            for action in suggestion["actions"]
            if action["type"] == "create"
        }

    assert languages(english["cards"]) <= {None}
    assert languages(answer["cards"]) <= {"de"}


@pytest.mark.parametrize("text", ["German", "d", "de_DE", "../de", "DE"])
def test_what_is_not_a_tag_is_not_a_language(text: str) -> None:
    with pytest.raises(SettingsError, match="CDS_LANGUAGE"):
        read_settings({"CDS_LANGUAGE": text})


def test_a_language_without_a_catalogue_prevents_the_start_by_name() -> None:
    with pytest.raises(CatalogueError, match=r"texts/xx\.toml"):
        load_services(languages=("xx",))
    assert languages_in_use(Settings(open=True, language="xx")) == ("xx", "en")


# --- a further language -------------------------------------------------------------------------


def copied(source: Path, folder: Path, tag: str, edition: str) -> Path:
    """A folder with the English catalogue and one of another language, its words English."""
    texts = folder / "texts"
    texts.mkdir(parents=True)
    english = (source / "texts" / "en.toml").read_text(encoding="utf-8")
    (texts / "en.toml").write_text(english, encoding="utf-8")
    found = dict(flattened(read_catalogue(source)))
    lines = ["[translation]", f'language = "{tag}"', f'translated_from = "{edition}"']
    for id_ in translatable(found):
        table, _, name = id_.rpartition(".")
        if id_.startswith("unit."):
            table, name = "unit", id_.removeprefix("unit.")
        head = ".".join(json.dumps(one) for one in _tables(table))
        lines += [f"[{head}]" if f"[{head}]" not in lines else "", ""]
        lines[-1] = f"{json.dumps(name)} = {json.dumps(found[id_], ensure_ascii=False)}"
    (texts / f"{tag}.toml").write_text("\n".join(lines), encoding="utf-8")
    return folder


def _tables(table: str) -> list[str]:
    first, dot, rest = table.partition(".")
    return [first, rest] if dot else [first]


@pytest.mark.parametrize("of", ["the service", "the guideline"])
def test_a_fifth_language_is_a_file_and_is_told_what_it_lacks(of: str, tmp_path: Path) -> None:
    g: Guideline = load_services()[0].guideline
    source = house.FOLDER if of == "the service" else g.catalogues
    folder = copied(source, tmp_path, "it", g.wording.about.edition)
    file = folder / "texts" / "it.toml"
    whole = read_translation(folder, "it")
    originals = dict(flattened(read_catalogue(folder)))
    assert set(whole.stale(originals)) == set(translatable(originals))
    assert signed(folder, "it") == len(whole.texts)
    assert read_translation(folder, "it").stale(originals) == ()
    lines = file.read_text(encoding="utf-8").split("\n")
    missing = next(place for place, line in enumerate(lines) if line.startswith(('"amount"',
                   '"summary"')))  # fmt: skip
    file.write_text("\n".join(lines[:missing] + lines[missing + 1 :]), encoding="utf-8")
    assert len(read_translation(folder, "it").stale(originals)) == 1
    with pytest.raises(CatalogueError) as refused:
        read_translation(folder, "it", whole=True)
    assert "is missing" in str(refused.value)
    assert str(file) in str(refused.value)


def test_check_names_every_language_and_one_that_there_is_not() -> None:
    asked = CliRunner().invoke(main, ["check", "--language", "xx"])
    assert asked.exit_code == 2
    assert "There is no catalogue for xx" in asked.output
    g = load_services()[0].guideline
    lines = list(translating.told([g]))
    for tag in house.languages()[1:]:
        assert any(line.startswith(f"Language {tag}: ") for line in lines)


def test_a_site_that_rewords_a_text_is_never_answered_with_the_old_one() -> None:
    for tag in house.languages()[1:]:
        g = load_services()[0].guideline
        translation = g.translation(tag)
        reworded = {**g.texts, "cards.RTE-07.why": "Words of this site."}
        assert translation.in_force(reworded)["cards.RTE-07.why"] == "Words of this site."
        assert stationery_of(g, tag).language.tag == tag
