"""What is decided does not hang on words: a site that renames everything that it may rename gets
the same rules, cards, orders, codes, amounts, routes and sentences of safety as before.

Every product, test, dose, card, text, link and reason gets another name, and every code another
display, that has nothing of the old one but what is filled in, in the same order. The guideline
with its own words is asked the same. Both have a mark in each text, so that a sentence is known by
its name. How long the words are decides what is left out of a card, so here there is room for all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import cache
from itertools import count
from pathlib import Path
from string import Formatter
from tempfile import TemporaryDirectory
from typing import Any, Literal

from each import each
from msgspec import to_builtins
from room import room_for_all

from cds_service.app import create_app
from cds_service.consultation import load_services
from cds_service.guidelines.b12_under_two.loading import FOLDER, read_own
from cds_service.guidelines.codelists import load_code_lists
from cds_service.guidelines.engine import CARD_TEXTS
from cds_service.guidelines.overrides import OVERRIDABLE
from cds_service.settings import Settings

Json = dict[str, Any]

STORIES = Path(__file__).parents[2] / "fhir_samples" / "b12_under_two"
EVALUATION = "io.github.b12-cds-service.evaluation"
RULES = "io.github.b12-cds-service.rules"
#: Members of a resource that are words, or follow from all of its content, words included.
WORDS = {"display", "text", "description", "note", "patientInstruction", "identifier",
         "io.github.b12-cds-service.if-none-exist"}  # fmt: skip
LOCAL = "local: a site that renames everything"
#: What a phase of a dose says.
SAID = ("text", "then")

# --- a site's own words ---------------------------------------------------------------------------

_numbers = count(100)


def renamed(text: str) -> str:
    """Other words, with the same values filled in."""
    names = [name for _, name, _, _ in Formatter().parse(text) if name]
    filled = " ".join(f"{{{name}}}" for name in dict.fromkeys(names))
    return f"Wx{next(_numbers)} {filled}".strip()


def marked(name: str, text: str) -> str:
    """A text that carries its name."""
    return f"{text} qq{name}qq"


def words_of(data: Json) -> Json:
    """Everything that a site may change and that is words, every one renamed."""
    lists = load_code_lists(FOLDER / "codes")
    return {
        "products": {
            name: {
                "name": renamed(one["name"]),
                **{
                    codes: [_displayed(c) for c in one[codes]]
                    for codes in ("codings", "preservative_free")
                    if codes in one
                },
            }
            for name, one in data["products"].items()
        },
        "tests": {
            name: {
                "name": renamed(one["name"]),
                "inside": renamed(one["inside"]),
                "codings": [_displayed(c) for c in one["codings"]],
            }
            for name, one in data["tests"].items()
        },
        "doses": {
            name: {
                "label": renamed(one["label"]),
                "phases": [
                    {**phase, **{part: renamed(phase[part]) for part in SAID if part in phase}}
                    for phase in one["phases"]
                ],
                "source": LOCAL,
            }
            for name, one in data["doses"].items()
        },
        "cards": {
            name: {part: renamed(one[part]) for part in CARD_TEXTS if part in one}
            for name, one in data["cards"].items()
        },
        "texts": {name: marked(name, renamed(text)) for name, text in data["texts"].items()},
        "links": {
            name: {"label": renamed(one["label"]), "url": f"https://site.example/{name}"}
            for name, one in data["links"].items()
        },
        "override_reasons": [_displayed(one) for one in data["override_reasons"]],
        "codes": {
            name: [
                {
                    "system": row.system,
                    "code": row.code,
                    "display": renamed(""),
                    "verified": "yes" if row.verified else "no",
                    "evidence": "local:site",
                }
                for row in one.codes
            ]
            for name, one in lists.items()
        },
    }


def _displayed(coding: Mapping[str, str]) -> Json:
    return {**coding, "display": renamed("")}


def toml(changes: Mapping[str, Any]) -> str:
    """As a file of overrides; strings, numbers and lists read alike in JSON and TOML."""
    return "\n".join(f"{json.dumps(key)} = {_value(value)}" for key, value in changes.items())


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{json.dumps(k)} = {_value(v)}' for k, v in value.items())} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(value, ensure_ascii=False)


Words = Literal["own", "marked", "renamed"]


@cache
def services(words: Words) -> Sequence[Any]:
    """The services with the guideline's own words, with a mark in each text, or renamed."""
    if words == "own":
        return load_services()
    data = read_own()
    own = {"texts": {name: marked(name, text) for name, text in data["texts"].items()}}
    with TemporaryDirectory() as folder:
        file = Path(folder) / "site.toml"
        file.write_text(toml(words_of(data) if words == "renamed" else own), encoding="utf-8")
        return load_services(file)


#: What a site may change and that is not a word: sections of numbers and choices, and in any
#: section the codes, ids and numbers of these names.
NO_WORDS = {"limits", "policy"}
IDS = {
    "system", "code", "source", "substance", "rule", "period_unit", "duration_unit", "indicator",
    "statement", "evidence", "links", "topic", "same_as", "same_words", "amount", "unit",
    "category", "strength", "key",
}  # fmt: skip


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """Every string in nested data that is not an id, with its dotted name."""
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, Mapping):
        for key, one in value.items():
            if key not in IDS:
                yield from leaves(one, f"{name}.{key}")
    elif isinstance(value, Sequence):
        for number, one in enumerate(value):
            yield from leaves(one, f"{name}.{number}")


def test_everything_that_a_site_may_rename_is_renamed() -> None:
    own, other = (services(words)[0].guideline.data for words in ("own", "renamed"))
    for section in set(OVERRIDABLE) - NO_WORDS - {"codes"}:
        before, after = (
            dict(leaves(to_builtins(getattr(g.file, section)), section)) for g in (own, other)
        )
        same = {name for name, text in before.items() if text and after[name] == text}
        assert before
        assert not same
    for name in own.codes.__struct_fields__:
        shown = {code.display for code in getattr(own.codes, name).verified}
        assert not shown & {code.display for code in getattr(other.codes, name).verified}


# --- what is decided ------------------------------------------------------------------------------


def without_words(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_words(one) for name, one in value.items() if name not in WORDS}
    return [without_words(one) for one in value] if isinstance(value, list) else value


def decided(answer: Json) -> Json:
    """All of an answer that is not a word: what fired, and of each card its rules, urgency, orders,
    and which sentences it has, by name: their lengths, which say how far up each is, differ."""
    account = answer["extension"][EVALUATION]
    return {
        "fired": account["ruleIds"],
        "outcome": account["outcome"],
        "cards": [
            {
                "rules": card["extension"][RULES],
                "topic": card["source"].get("topic", {}).get("code"),
                "indicator": card["indicator"],
                "sentences": sorted(re.findall(r"qq(\w+?)qq", card["detail"].replace("\\", ""))),
                "reasons": [reason["code"] for reason in card.get("overrideReasons", ())],
                "links": len(card.get("links", ())),
                "selection": card.get("selectionBehavior"),
                "suggestions": [
                    {
                        "recommended": suggestion.get("isRecommended", False),
                        "actions": [
                            without_words(action) for action in suggestion.get("actions", ())
                        ],
                    }
                    for suggestion in card.get("suggestions", ())
                ],
            }
            for card in answer["cards"]
        ],
    }


def lines(value: Any, name: str = "") -> Iterator[str]:
    """Nested data as a line a leaf, so that a difference is shown in one."""
    parts = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    if not isinstance(value, dict | list):
        yield f"{name}: {value}"
    for key, one in parts:
        yield from lines(one, f"{name}.{key}")


def occasions(story: str) -> Iterator[tuple[date, str, Json]]:
    """The story at every hook: its date, the service's id, and the request."""
    request = json.loads((STORIES / story / "request.json").read_bytes())
    expected = json.loads((STORIES / story / "expected.json").read_bytes())
    for service in services("own"):
        context = dict(request["context"])
        if service.hook != "patient-view":
            empty = {"resourceType": "Bundle", "type": "collection", "entry": []}
            context.setdefault("draftOrders", empty)
        if service.hook == "order-select":
            entries = context["draftOrders"].get("entry", [])
            drafts = [one["resource"] for one in entries]
            selected = [f"{one['resourceType']}/{one['id']}" for one in drafts if "id" in one]
            context.setdefault("selections", selected)
        on = date.fromisoformat(expected["asOf"])
        yield on, service.id, {**request, "hook": service.hook, "context": context}


@cache
def client_of(on: date, words: Words) -> Any:
    return create_app(Settings(demo=True, as_of=on), services(words)).test_client()


def decisions(story: str, words: Words) -> Iterator[Json]:
    for on, service, request in occasions(story):
        answer = client_of(on, words).post(f"/cds-services/{service}", json=request)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        yield decided(answer.json)


@each("story", sorted(folder.name for folder in STORIES.iterdir()), sample=40)
def test_a_story_is_decided_alike_whatever_everything_is_called(story: str) -> None:
    with room_for_all():
        answers = zip(decisions(story, "marked"), decisions(story, "renamed"), strict=True)
        for own, other in answers:
            assert list(lines(other)) == list(lines(own))


def test_the_marks_decide_nothing_and_are_found() -> None:
    sentences: set[str] = set()
    for story in ("vegan-mother-low-b12-six-months", "order-sign-recommended-regimen"):
        with room_for_all():
            own_words, marks = (list(decisions(story, words)) for words in ("own", "marked"))
        for own, with_marks in zip(own_words, marks, strict=True):
            for card in with_marks["cards"]:
                sentences.update(card.pop("sentences"))
            for card in own["cards"]:
                assert card.pop("sentences") == []
            assert with_marks == own
    assert {"leber_ask", "cause", "level_plain", "review"} <= sentences
