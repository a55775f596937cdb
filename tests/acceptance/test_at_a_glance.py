"""Whether a card is read in the eight seconds that a clinician gives it.

Measured over every card of every sample infant: how many words are above the rule and below it,
whether the headline of a treatment has the dose, and whether anything is stated twice.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from tests.acceptance.expected_cards import FOLDER, STORIES

#: A run of letters, digits and ". , / % -"; what marks a list is none.
WORD = re.compile(r"[\w.,/%-]*\w[\w.,/%-]*")
RULE = "\n---\n"
ABOVE, USUALLY_ABOVE, BELOW, SUMMARY = 60, 45, 120, 140
#: Micrograms by their symbol, but for what a laboratory prints ("µg/L").
SYMBOL = re.compile(r"[µμ]g\b(?!/[dm]?L)|\bmcg\b")
IDS = re.compile(
    r"\b(?:Observation|Condition|Patient|MedicationRequest|MedicationStatement|AllergyIntolerance"
    r"|Procedure)/\S"
)
DATE = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")

Json = dict[str, Any]


def _answer(name: str) -> list[Json]:
    found = json.loads((FOLDER / name / "expected.json").read_text(encoding="utf-8"))
    cards: list[Json] = found["cards"]
    return cards


ANSWERS = {name: _answer(name) for name in STORIES}
CARDS = [(f"{name}#{place}", card) for name, all_ in ANSWERS.items()
         for place, card in enumerate(all_)]  # fmt: skip


def parts(card: Json) -> tuple[str, str]:
    """What is above the rule and below it, without the sentence on the date of a demo."""
    told = "\n".join(line for line in card["detail"] if not line.startswith("Evaluated as of"))
    above, _, below = told.partition(RULE)
    return above, below


def words(text: str) -> int:
    return len(WORD.findall(text))


def sentences(card: Json) -> Iterator[str]:
    """The sentences of a card, without their labels."""
    for part in parts(card):
        for line in part.split("\n"):
            said = re.sub(r"^- \*\*[^*]+\*\*: ", "", line).strip()
            yield from (one for one in re.split(r"(?<=[.?:]) (?=[A-Z*])", said) if one)


def orders_a_drug(card: Json) -> bool:
    """Whether its recommended suggestion begins a treatment."""
    return any(
        action["type"] == "create" and action["resource"]["resourceType"] == "MedicationRequest"
        for one in card["suggestions"]
        if one["isRecommended"]
        for action in one["actions"]
    )


def test_there_are_cards_to_measure() -> None:
    assert len(CARDS) > 300
    assert sum(orders_a_drug(card) for _, card in CARDS) > 80


def test_what_decides_is_read_at_a_glance() -> None:
    above = {name: words(parts(card)[0]) for name, card in CARDS}
    assert [name for name, count in above.items() if count > ABOVE] == []
    assert median(above.values()) <= USUALLY_ABOVE


def test_what_is_behind_it_is_short() -> None:
    assert [name for name, card in CARDS if words(parts(card)[1]) > BELOW] == []


def test_a_summary_is_one_line_and_loses_nothing_at_its_end() -> None:
    assert [name for name, card in CARDS if len(card["summary"]) > SUMMARY] == []
    assert [name for name, card in CARDS if "…" in card["summary"]] == []


def test_nothing_is_left_out_of_a_card() -> None:
    """Of these infants: a record that is truly large may have more than a card has room for."""
    told = {name: [one for one in card["detail"] if "Left out here" in one] for name, card in CARDS}
    assert {name: found for name, found in told.items() if found} == {}


def test_a_headline_cut_short_leaves_no_bracket_open() -> None:
    for name, card in CARDS:
        assert card["summary"].count("(") == card["summary"].count(")"), name


def test_a_name_cut_short_does_not_end_in_a_number_that_lost_its_unit() -> None:
    cut = re.compile(r"(?:^|\s)[^\sA-Za-z]*\d[^\sA-Za-z]*…")
    assert cut.search("Vitamin B12 0.5…: a spray")
    assert not cut.search("Vitamin B12…: a spray")
    assert [name for name, card in CARDS if cut.search(card["summary"])] == []


def test_the_headline_of_a_treatment_says_how_much_of_what_by_which_way_and_how_often() -> None:
    said = re.compile(
        r"(?:hydroxo|cyano)cobalamin 1000 micrograms \(1 mL\)"
        r" (?:(?:IM today, then|deep SC today, then|by mouth) (?:on alternate days|weekly|daily)"
        r"|IM (?:today, then every 2 months|every 2 months from \d+ \w+ \d{4}))"
    )
    assert [
        name for name, card in CARDS if orders_a_drug(card) and not said.search(card["summary"])
    ] == []


def test_the_headline_of_a_wrong_order_says_the_right_dose() -> None:
    """Where a button changes how much is given, or how."""
    right = re.compile(
        r"; give 1000 micrograms \(\d\S* mL\) (?:by mouth daily|IM weekly|IM on alternate days"
        r"|deep SC weekly|deep SC on alternate days)"
        r"|cyanocobalamin 1000 micrograms \(1 mL\) by mouth daily"
        r"|inject hydroxocobalamin 1000 micrograms \(1 mL\) (?:IM|deep SC) \w+"
    )
    changed = [(name, card) for name, card in CARDS if _changes_a_dose(card)]
    assert len(changed) > 20
    assert [name for name, card in changed if not right.search(card["summary"])] == []


def _changes_a_dose(card: Json) -> bool:
    return any(
        action["type"] == "update" and "micrograms" in action.get("description", "")
        for one in card["suggestions"]
        if one["isRecommended"]
        for action in one["actions"]
    )


def test_a_card_that_replaces_an_order_says_first_what_to_stop() -> None:
    replacing = [
        (name, card)
        for name, card in CARDS
        if any(one["label"].startswith("Replace the present order") for one in card["suggestions"])
    ]
    assert replacing
    for name, card in replacing:
        assert re.search(r"\*\*Give\*\*: First stop \w", parts(card)[0]), name


#: Sentences that a prescriber needs: wherever one holds it is on the card, whatever has no room.
NEEDED = (
    ("IM, anterolateral thigh", "First injection where anaphylaxis can be treated."),
    ("IM, anterolateral thigh", "before a dose"),
    ("deep SC, anterolateral thigh", "First injection where anaphylaxis can be treated."),
    ("deep SC, anterolateral thigh", "before a dose"),
)


def test_what_a_prescriber_needs_is_never_left_out() -> None:
    for name, card in CARDS:
        above, below = parts(card)
        for where, sentence in NEEDED:
            again = re.search(r"every 2 months from .*then review", above)  # it was injected before
            if orders_a_drug(card) and where in above and not again:
                assert sentence in f"{above}\n{below}", f"{name}: {sentence}"


def test_nothing_to_come_is_called_found_and_nothing_to_do_unknown() -> None:
    for name, card in CARDS:
        for line in parts(card)[1].split("\n"):
            if line.startswith("- **Found**"):
                assert not re.match(r"- \*\*Found\*\*: B12 on ", line), name
            if line.startswith("- **Not known or not used**"):
                assert "Samples" not in line, name
                assert not re.search(r": Stop|\. Stop", line), name


def test_a_number_of_one_is_of_one() -> None:
    one = re.compile(r"(?<![\d.,/])1 (?:micrograms|doses|orders|records|results|days|weeks)\b")
    for name, card in CARDS:
        told = "\n".join([card["summary"], *card["detail"]])
        assert not one.search(told), f"{name}: {one.search(told)}"


def test_a_treatment_says_volume_strength_and_site() -> None:
    for name, card in CARDS:
        if orders_a_drug(card):
            give = re.search(r"\*\*Give\*\*: (.*)", parts(card)[0])
            assert give, name
            assert "1 mg/mL" in give[1], name
            assert "1 mL (1000 micrograms)" in give[1], name
            assert "oral solution" in give[1] or "anterolateral thigh" in give[1], name


@pytest.mark.parametrize("mark", [SYMBOL, IDS, DATE], ids=["symbol of micro", "id", "date"])
def test_no_card_has_a(mark: re.Pattern[str]) -> None:
    for name, card in CARDS:
        labels = [one["label"] for one in card["suggestions"]]
        told = "\n".join([card["summary"], *card["detail"], *labels])
        assert not mark.search(told), f"{name}: {mark.search(told)}"


def test_nothing_is_said_twice_in_an_answer() -> None:
    """But of two orders, each with its own card."""
    for name, cards in ANSWERS.items():
        about = re.compile(r"\*\*Ordered\*\*|\border\b", re.I)
        told = Counter(
            one
            for card in cards
            if not about.search(card["summary"] + "".join(card["detail"]))
            for one in dict.fromkeys(sentences(card))
        )
        assert [one for one, count in told.items() if count > 1] == [], name


def test_a_card_says_nothing_twice() -> None:
    for name, card in CARDS:
        said = Counter(sentences(card))
        assert [one for one, count in said.items() if count > 1] == [], name


#: What is more than a part of the headline: a date, how a name was recognised, what it may be,
#: what was not used.
MORE_OF_IT = re.compile(
    r"B12 |Possible cause, to be confirmed|Recognised by words only|Recorded in words only"
    r"|Result not used|Sent and not used"
)


def test_what_the_headline_says_is_not_said_again_below_it() -> None:
    """No sentence is a part of the headline, or a label with a part of it."""
    repeated = []
    for name, card in CARDS:
        headline = card["summary"].casefold()
        told = [re.sub(r"^- \*\*[^*]+\*\*: ", "", line) for line in card["detail"]]
        for one in [said for line in told for said in re.split(r"(?<=[.?]) (?=[A-Z*])", line)]:
            fact = re.sub(r"^(?:Also recorded|Cause): |\*|\.$", "", one).split(": ")[-1]
            if fact and fact.casefold() in headline and not MORE_OF_IT.match(one.strip("*")):
                repeated.append(f"{name}: {one}")
    assert repeated == []


def test_nothing_is_mild_beside_a_critical_card() -> None:
    for name, cards in ANSWERS.items():
        if any(card["indicator"] == "critical" for card in cards):
            told = " ".join(line for card in cards for line in [card["summary"], *card["detail"]])
            assert not re.search(r"\bmild\b", told, re.I), name


def test_the_review_status_is_one_short_sentence_on_the_first_card() -> None:
    for name, cards in ANSWERS.items():
        for place, card in enumerate(cards):
            found = [one for one in card["detail"] if "human review" in one]
            assert len(found) == (place == 0), f"{name}#{place}"
            assert all(words(one) <= 15 for one in found), f"{name}#{place}"


def test_a_detail_is_lists_and_plain_paragraphs() -> None:
    """Read out, or shown as it is, a card has labels and sentences and nothing else."""
    line = re.compile(r"(?:- \*\*[\w ]+\*\*: \S.*|---|_[^_]+_|[^-#>|`\s].*|)")
    for name, card in CARDS:
        for one in card["detail"]:
            assert line.fullmatch(one), f"{name}: {one}"


def test_a_detail_reads_well_without_markdown() -> None:
    """In a client that shows it as it is: nothing escaped but brackets in names of a record, bold
    only as a label or a warning, and no table, heading or quotation."""
    for name, card in CARDS:
        told = re.sub(r"\\([\[\]])", r"\1", "\n".join(card["detail"]))
        assert "\\" not in told, name
        assert "&" not in told, name
        assert told.count("**") % 2 == 0, name
        assert not re.search(r"^[#>|]|\]\(|`", told, re.M), name


def test_what_a_card_leaves_out_is_on_the_page_it_links_to() -> None:
    page = (Path(FOLDER).parents[1] / "docs" / "guidelines" / "b12-under-two.md").read_text("utf-8")
    catalogue = Path(FOLDER).parents[1] / "cds_service/guidelines/b12_under_two/texts/en.toml"
    tables = tomllib.loads(catalogue.read_text(encoding="utf-8"))
    said = [*tables["texts"].values(), *(one.get("why", "") for one in tables["cards"].values())]
    plain = [re.sub(r"[*_]", "", one) for one in said]
    shown = re.sub(r"[*_\\]", "", page)
    assert [one for one in plain if one not in shown] == []


def test_every_file_of_a_story_was_measured() -> None:
    assert set(ANSWERS) == {one.name for one in Path(FOLDER).iterdir()}
