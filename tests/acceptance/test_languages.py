"""The same advice in every language.

Each catalogue that there is, and one that is made here of the English texts by changing every
letter, answers the stories, in CI every one of them: decisions, ids, codes and digests are those of
English, a card is no longer than it may be, nothing is left in English, and an order accepted in
one language is understood when it comes back.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import pytest
from expected_cards import STORIES
from infants import accept, bundle
from msgspec import structs
from played import Story
from sampling import chosen

from cds_service.cdshooks.request import parse_request
from cds_service.cdshooks.response import encode
from cds_service.clinical import UNITS
from cds_service.consultation import Consultation, Occasion, Service, consult, load_services
from cds_service.consultation.cards import Stationery
from cds_service.consultation.detail import ELSEWHERE, WORDS_ABOVE, WORDS_BELOW, words_in
from cds_service.consultation.services import languages_of
from cds_service.language import Language, house
from cds_service.language.catalogues import translatable
from cds_service.settings import Settings
from cds_service.web.intake import limits_of

Json = dict[str, Any]

#: Small and capital letters of another script, one for each of English.
LETTERS = str.maketrans(
    {chr(ord(a) + place): chr(ord(b) + place) for a, b in ("aа", "AА") for place in range(26)}
)
#: What a text has besides words: values, the vitamin, units.
KEPT = re.compile(r"(\{[^{}]*\}|B12|mg/mL|pg/mL|µmol/L)")
ENGLISH = load_services()
GUIDELINE = ENGLISH[0].guideline
TAGS = tuple(tag for tag in languages_of(GUIDELINE) if tag != "en")
#: The name under which the made-up language is tested.
LETTER_BY_LETTER = "letter by letter"
LANGUAGES = (*TAGS, LETTER_BY_LETTER)
#: Enough for every kind of card; CI takes all.
SOME = chosen(STORIES, 100, "languages")


def other_letters(text: str) -> str:
    parts = []
    for part in KEPT.split(re.sub(r"(\d)\.(\d)", r"\1,\2", text)):
        name, forms, words = part.partition(":")
        if forms and "|" in words and part.startswith("{"):
            parts.append(f"{name}:{words.translate(LETTERS)}")
        else:
            parts.append(part if KEPT.fullmatch(part) else part.translate(LETTERS))
    return "".join(parts)


@cache
def services_in(name: str) -> Mapping[str, Service]:
    """The services by their hooks, in a language."""
    if name == "en":
        return {one.hook: one for one in ENGLISH}
    if name != LETTER_BY_LETTER:
        return {one.hook: one for one in load_services(languages=(name,))}
    own = house.language().joined(GUIDELINE.texts, "the guideline")
    wanted = frozenset(translatable(own.texts))
    texts = {id_: other_letters(text) if id_ in wanted else text for id_, text in own.texts.items()}
    language = Language("de", texts, own)
    stationery = Stationery(
        GUIDELINE.wording, language, frozenset([*GUIDELINE.own_words(), *UNITS]), reviewed=False
    )
    return {one.hook: structs.replace(one, stationery=stationery) for one in ENGLISH}


def asked(name: str, request: Json, story: Story) -> Consultation:
    service = services_in(name)[request["hook"]]
    parsed = parse_request(json.dumps(request).encode(), service.hook, limits_of(Settings()))
    return consult(service, parsed, None, Occasion(story.on, page="http://here/guideline"))


@cache
def answered(name: str, story: str) -> tuple[Consultation, Json]:
    found = Story(story)
    done = asked(name, found.request, found)
    return done, json.loads(encode(done.response))


#: Members of an answer that are words; of a resource that was sent everything is as it was.
WORDS = frozenset(
    {"summary", "detail", "label", "description", "text", "display", "unit", "language",
     "silence", "because", "missing"}
)  # fmt: skip


def without_words(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: without_words(one) for key, one in value.items() if key not in WORDS}
    return [without_words(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_decision_id_code_or_digest_depends_on_the_language(language: str) -> None:
    for story in SOME:
        english, own = answered("en", story), answered(language, story)
        assert without_words(own[1]) == without_words(english[1]), story
        told, there = english[0].evaluation, own[0].evaluation
        assert told is not None, story
        assert there is not None, story
        assert structs.replace(there, durations={}) == structs.replace(told, durations={}), story


def said_in(value: Any, above: str = "") -> Iterator[str]:
    """What a person reads of a card; not the displays of code systems, nor what was sent."""
    if isinstance(value, dict):
        if "system" in value and "code" in value and "override" not in value["system"]:
            return
        if value.get("resourceType") and value.get("id"):
            return
        for key, one in value.items():
            if key in WORDS or isinstance(one, dict | list):
                yield from said_in(one, key)
    elif isinstance(value, list):
        for one in value:
            yield from said_in(one, above)
    elif isinstance(value, str) and above != "language":
        yield value


#: What every language writes with these letters: units, rules, links, and what is only a code.
EVERYWHERE = re.compile(r"\b(?:[pmuµ]?mol|fL|kg|ICD|MCV|[A-Z]{2,4}-\w+)\b")
A_WORD = re.compile(r"[A-Za-z]{3,}")
#: A code sent without any words is called as its code list calls it, which is English.
WITHOUT_A_NAME = "codes-without-names-seizure"


def test_nothing_is_left_in_english() -> None:
    for story in SOME:
        if story == WITHOUT_A_NAME:
            continue
        found = Story(story)
        sent = json.dumps([found.request, found.resources])
        record = {one.lower() for one in A_WORD.findall(sent)}
        for text in said_in(answered(LETTER_BY_LETTER, story)[1]["cards"]):
            words = {one.lower() for one in A_WORD.findall(EVERYWHERE.sub(" ", text))}
            assert not words - record, f"{story}: {sorted(words - record)} in {text}"


def unreviewed(language: str) -> str:
    """What an answer says once of its translation."""
    stationery = services_in(language)["patient-view"].stationery
    (note,) = stationery.closing
    assert not isinstance(note.text, str)
    return stationery.language.fill(note.text)


def parts(card: Json, language: str) -> tuple[str, str]:
    """What is above the rule and below it, without the sentence on the translation."""
    told = card["detail"].replace(f"\n\n{unreviewed(language)}", "")
    above, _, below = told.partition("\n\n---\n\n")
    return above, below


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_card_is_as_short_as_it_must_be(language: str) -> None:
    for story in SOME:
        for card in answered(language, story)[1]["cards"]:
            above, below = parts(card, language)
            assert len(card["summary"]) < 140, f"{story}: {card['summary']}"
            assert words_in(above) <= WORDS_ABOVE * ELSEWHERE, f"{story}: {above}"
            assert not below or words_in(below) <= WORDS_BELOW * ELSEWHERE, f"{story}: {below}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_summary_is_cut(language: str) -> None:
    cut = [
        f"{story}: {card['summary']}"
        for story in SOME
        for card in answered(language, story)[1]["cards"]
        if "…" in card["summary"]
    ]
    assert cut == []


@pytest.mark.parametrize("language", ["en", *TAGS])
def test_a_summary_begins_with_a_capital_also_with_an_accented_one(language: str) -> None:
    for story in SOME:
        for card in answered(language, story)[1]["cards"]:
            assert not card["summary"][0].islower(), f"{story}: {card['summary']}"


#: A decimal point between digits: of no number of these languages, but of words as they were sent.
A_POINT = re.compile(r"(?<![\d.])\d+\.\d+(?![\d.])")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_number_that_the_service_writes_has_the_decimal_sign(language: str) -> None:
    for story in SOME:
        found = Story(story)
        sent = json.dumps([found.request, found.resources])
        for text in said_in(answered(language, story)[1]["cards"]):
            told = re.sub(r"\d{4}\.\d", "", text)  # an edition
            for number in A_POINT.findall(told):
                quoted = re.search(rf"\b{re.escape(number)}", sent) is not None
                assert quoted, f"{story}: {number} in {text}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_answer_with_a_card_says_that_no_clinician_has_reviewed_its_words(
    language: str,
) -> None:
    sentence = unreviewed(language)
    for story in SOME:
        cards = answered(language, story)[1]["cards"]
        details = [card["detail"] for card in cards]
        assert sum(sentence in one for one in details) == bool(cards), story
    assert not services_in("en")["patient-view"].stationery.closing


# --- orders come back ---------------------------------------------------------------------------


def taken(request: Json, answer: Json) -> Json:
    """The request once everything recommended was accepted; of an at-most-one card the first."""
    done: set[str] = set()

    def chosen(card: Json, suggestion: Json) -> bool:
        again = card["uuid"] in done and card.get("selectionBehavior") == "at-most-one"
        if again or not suggestion["isRecommended"]:
            return False
        done.add(card["uuid"])
        return True

    return accept(request, answer["cards"], chosen)


def prepared(story: str) -> Json | None:
    request: Json = json.loads(json.dumps(Story(story).request))
    request["prefetch"] = {key: sent or bundle([]) for key, sent in request["prefetch"].items()}
    for key in ("meds", "orders"):
        sent = request["prefetch"].setdefault(key, bundle([]))
        if not isinstance(sent, dict) or sent.get("resourceType") != "Bundle":
            return None
        sent.setdefault("entry", [])
    if "draftOrders" in request["context"]:
        request["context"]["draftOrders"].setdefault("entry", [])
    return request


def decided(done: Consultation) -> list[tuple[Any, ...]]:
    """What was decided of a request whose ids differ from those of another."""
    evaluation = done.evaluation
    assert evaluation is not None
    return [
        (card.rule, card.text, card.indicator, len(card.suggestions)) for card in evaluation.cards
    ]


def without_codes(value: Any) -> Any:
    """Orders as a system keeps them that reads the words alone."""
    if isinstance(value, dict):
        return {
            key: without_codes(one)
            for key, one in value.items()
            if not (key == "coding" and "text" in value)
        }
    return [without_codes(one) for one in value] if isinstance(value, list) else value


@cache
def again(language: str, story: str, codes: bool) -> list[tuple[Any, ...]] | None:
    """What is decided once everything recommended was accepted, if anything was."""
    request, found = prepared(story), Story(story)
    assert request is not None
    answer = json.loads(encode(asked(language, request, found).response))
    if not codes:
        answer["cards"] = without_codes(answer["cards"])
    done = taken(request, answer)
    return None if done == request else decided(asked(language, done, found))


@pytest.mark.parametrize("codes", [True, False], ids=["with codes", "in words"])
@pytest.mark.parametrize("language", TAGS or ("en",))
def test_an_order_that_comes_back_is_understood_as_in_english(language: str, codes: bool) -> None:
    for story in SOME:
        if prepared(story) is None:
            continue
        assert again(language, story, codes) == again("en", story, codes), story
