"""Text from a record reaches cards as plain words: never as markup, never as a link.

Parsed as clients parse it, GitHub Flavored Markdown, with HTML on and off. The parser here makes
no links of bare addresses, so those that the specification would link are searched for.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from each import each
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from cds_service.app import create_app
from cds_service.clinical import RemovedDraft
from cds_service.consultation.cards import (
    SUMMARY_LIMIT,
    build_cards,
    escape,
    plain,
    speaking,
)
from cds_service.consultation.detail import RULE
from cds_service.consultation.services import stationery_of
from cds_service.guidelines import b12_under_two as b12
from cds_service.guidelines.b12_under_two.front import Front
from cds_service.guidelines.engine import Choice, Recommend, placeholders
from cds_service.settings import Settings

pytestmark = pytest.mark.sampled_file(2)

STORIES = Path(__file__).parents[2] / "fhir_samples" / "b12_under_two"
PARSERS = [
    MarkdownIt("commonmark", {"html": html}).enable(["table", "strikethrough"])
    for html in (True, False)
]
#: What GFM's "autolinks" extension makes a link of, and some readers more: any scheme.
BARE_LINK = re.compile(r"(?i)[a-z]://\S|www\.\S|[\w.+-]@[\w-]")
HOSTILE = [
    "[x](http://evil.example)",
    "![x](http://evil.example/p.png)",
    "[x][y]",
    "[x]: http://evil.example",
    "<a href=http://evil.example>x</a>",
    "<img src=x onerror=alert(1)>",
    "<!-- ",
    "<?x ?>",
    "<http://evil.example>",
    "http://evil.example",
    "HTTPS://evil.example/a?b=c",
    "ftp://evil.example",
    "www.evil.example",
    "WWW.evil.example",
    "a@evil.example",
    "mailto:a@evil.example",
    "# x",
    "#",
    "> x",
    "- x",
    "+ x",
    "* x",
    "1. x",
    "1) x",
    "1",
    "-",
    "---",
    "***",
    "    x",
    "\tx",
    "`x`",
    "```\nx\n```",
    "~~~",
    "~~x~~",
    "**x**",
    "x** y",
    " x ",
    "__x__",
    "_x_",
    "a\n\n# x",
    "a\r\n- x",
    "a\u2028# x",
    "a\u0085# x",
    "a  \nb",
    "x\n===",
    "| a | b |\n|---|---|\n| c | d |",
    "&lt;script&gt;",
    "&#60;b&#62;",
    "\\",
    "\\[x](http://evil.example)",
    "x\\",
    "[^1]",
    "- [ ] x",
    "\u202egnp.exe",
    "\u2066x\u2069",
    "\u061cx",
    "\U000e0041\U000e0042",
    "\ud800",
    "x" * 5000,
    "[" * 5000,
    "",
    " ",
]
ANYTHING = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(alphabet=st.sampled_from("[]()<>!*_`~#|&\\-+=.:/@ \n\t1aw\u200b\u202e"), max_size=40),
    st.text(max_size=60),
    st.lists(st.sampled_from(HOSTILE), min_size=2, max_size=3).map(" ".join),
)
#: The kinds of what a text says itself, whatever is stated about the patient.
DANGEROUS = {
    "link_open", "image", "html_inline", "html_block", "heading_open", "table_open", "code_inline",
    "code_block", "fence", "hr", "ordered_list_open", "s_open",
}  # fmt: skip

G = b12.load()
WORDS = stationery_of(Front(G))
NOTES = [
    text
    for name in G.file.texts.__struct_fields__
    if isinstance(text := getattr(G.file.texts, name), str) and placeholders(text)
]
CARDS = sorted(name for name, card in G.wording.cards.items() if placeholders(card.summary))


def tokens(markdown: str, parser: MarkdownIt) -> Iterator[Token]:
    for token in parser.parse(markdown):
        yield token
        yield from token.children or ()


def kinds(markdown: str, parser: MarkdownIt) -> list[str]:
    """The structure of the text, without the words in it."""
    return [one.type for one in tokens(markdown, parser) if one.type not in ("text", "softbreak")]


def words(markdown: str, parser: MarkdownIt) -> str:
    return "\n".join(one.content for one in tokens(markdown, parser) if one.type == "text")


def assert_harmless(text: str, known: str = "") -> None:
    """``text`` has nothing dangerous that ``known``, the guideline's own words, has not."""
    for parser in PARSERS:
        found = set(kinds(text, parser)) & DANGEROUS
        assert found <= set(kinds(known, parser)), (found, text)
        assert not BARE_LINK.search(words(text, parser)), text


def parts_of(text: str) -> list[str]:
    """What is above the card's own rule, and what is below it."""
    return text.split(f"\n\n{RULE}\n\n", 1)


def filled(text: str, value: str) -> dict[str, object]:
    return dict.fromkeys(placeholders(text), value)


def every_note(values: list[str], *, numbered: bool) -> str:
    """Every sentence of the guideline as a line of a card, behind a label as on every card, each
    with the next value in it: a card would leave out what is too much for it."""
    following = itertools.cycle(values)
    lines = (
        WORDS.language.filled(text, filled(text, f"x{number}" * numbered + next(following)), escape)
        for number, text in enumerate(NOTES)
    )
    return "\n".join(f"- **x**: {line}" for line in lines)


def with_every_value(test: Any) -> Any:
    """Every hostile value meets some texts, whatever else is drawn."""
    for start in range(0, len(HOSTILE), 12):
        test = example([*HOSTILE[start:], *HOSTILE[:start]])(test)
    return test


VALUES = st.lists(ANYTHING, min_size=20, max_size=60)


@with_every_value
@settings(max_examples=10)
@given(values=VALUES)
def test_a_note_has_the_structure_of_its_text_whatever_is_put_into_it(values: list[str]) -> None:
    """Bold stays bold, one line stays one line."""
    usual = every_note([""], numbered=True)
    for parser in PARSERS:
        assert kinds(every_note(values, numbered=True), parser) == kinds(usual, parser)
    assert_harmless(every_note(values, numbered=False), usual)


@with_every_value
@settings(max_examples=10)
@given(values=VALUES)
def test_no_card_says_more_than_its_text(values: list[str]) -> None:
    """The summary is plain text; a client that reads it as Markdown finds no markup in it."""
    following = itertools.cycle(values)
    outcomes = []
    for name in CARDS:
        frame, value = G.wording.cards[name], next(following)
        rule = name.partition(".")[0]
        texts = (frame.summary, frame.advice, frame.why)
        said = {key: val for text in texts for key, val in filled(text, value).items()}
        removed = Choice(rule, f"Stop {value}", (RemovedDraft("A/1", value),))
        outcomes.append(
            Recommend(rule, name, "info", said, choices=(removed,), selection="any", main=False)
        )
    for made, name in zip(
        build_cards(speaking(outcomes, WORDS), WORDS, dict, call="c"), CARDS, strict=True
    ):
        assert len(made.summary) <= SUMMARY_LIMIT
        assert "\n" not in made.summary
        (suggestion,) = made.suggestions
        for text in (made.summary, suggestion.label, suggestion.actions[0].description):
            assert_harmless(text)
        for part in parts_of(made.detail):
            assert_harmless(part, "> x\n\n- x")
        frame = WORDS.frames[name]
        assert (made.source.label, made.links) == (frame.source.label, frame.links)


@given(value=ANYTHING)
def test_words_are_shown_as_they_were_written(value: str) -> None:
    """What is escaped reads the same again, but for blanks and what is invisible."""
    (first, *rest) = [words(escape(value), parser) for parser in PARSERS]
    assert rest == [first]
    seen = [sign for sign in first if not sign.isspace() and sign != "\u200b"]
    meant = "".join(sign if sign.isprintable() else " " for sign in value[:401])
    meant = meant[:400] + "…" if len(value) > 400 else meant
    assert seen == [
        sign for sign in meant.translate(str.maketrans("`~", "'\u223c")) if not sign.isspace()
    ]
    assert plain(value).isprintable() or "\u200b" in plain(value)


# --- through the whole service ----------------------------------------------------------------

#: Members of a request whose text can reach a card; ids and references have an alphabet.
SHOWN = {"text", "display", "unit", "valueString", "patientInstruction"}


def with_hostile_words(sent: Any, word: Callable[[str], str]) -> Any:
    if isinstance(sent, dict):
        return {
            name: word(value)
            if name in SHOWN and isinstance(value, str)
            else with_hostile_words(value, word)
            for name, value in sent.items()
        }
    return [with_hostile_words(one, word) for one in sent] if isinstance(sent, list) else sent


def shown_texts(card: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "detail", card["detail"]
    yield "summary", card["summary"]
    yield "source", card["source"]["label"]
    for link in card.get("links", ()):
        yield "link", link["label"]
    for suggestion in card.get("suggestions", ()):
        yield "label", suggestion["label"]
        for action in suggestion["actions"]:
            yield "description", action["description"]


@pytest.fixture(scope="module")
def ask() -> Callable[[Any, str], list[dict[str, Any]]]:
    services: dict[str, Any] = {}

    def cards_for(request: Any, as_of: str) -> list[dict[str, Any]]:
        if as_of not in services:
            services[as_of] = create_app(
                Settings(demo=True, as_of=date.fromisoformat(as_of))
            ).test_client()
        answer = services[as_of].post(
            f"/cds-services/b12-under-two-{request['hook']}",
            data=json.dumps(request),
            content_type="application/json",
        )
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.get_json()["cards"]
        return found

    return cards_for


@each("story", sorted(path.name for path in STORIES.iterdir() if path.is_dir()), sample=40)
def test_no_story_told_in_hostile_words_makes_markup(
    story: str, ask: Callable[[Any, str], list[dict[str, Any]]]
) -> None:
    request = json.loads((STORIES / story / "request.json").read_text(encoding="utf-8"))
    as_of = json.loads((STORIES / story / "expected.json").read_text(encoding="utf-8"))["asOf"]
    hostile_words = itertools.cycle([word for word in HOSTILE if word != "\ud800"])
    for _ in range(len(story) * 7 % len(HOSTILE)):  # another beginning for each story
        next(hostile_words)
    hostile = with_hostile_words(request, lambda word: f"{next(hostile_words)} {word}")
    for card in ask(hostile, as_of):
        for _, text in shown_texts(card):
            for part in parts_of(text):
                assert_harmless(part, "> x\n\n- x")
