"""The first 45 words of twenty cards that treat, for a reader who sees nothing else.

``python tests/acceptance/first_words.py`` prints them: give them to someone who has not seen the
project, who then says of each what to give, how much, how many millilitres, by which route, how
often at first, and why. The twenty are drawn by the names of the stories, one of each rule first.
"""

from __future__ import annotations

import json
import sys
from hashlib import sha256

from expected_cards import FOLDER, STORIES
from test_at_a_glance import WORD, Json, orders_a_drug, parts

COUNT, WORDS = 20, 45


def treatments() -> list[tuple[str, Json]]:
    """Twenty stories with the card that treats: as many rules as there are, the rest at random."""
    drawn = sorted(STORIES, key=lambda name: sha256(name.encode()).digest())
    found: dict[str, tuple[str, Json]] = {}
    more = []
    for name in drawn:
        expected = json.loads((FOLDER / name / "expected.json").read_text(encoding="utf-8"))
        card = next((one for one in expected["cards"] if orders_a_drug(one)), None)
        if card is None:
            continue
        rule = next((one for one in expected["fires"] if one.startswith(RULES_THAT_TREAT)), "")
        if rule in found:
            more.append((name, card))
        found.setdefault(rule, (name, card))
    return [*found.values(), *more][:COUNT]


RULES_THAT_TREAT = ("RTE-", "ETI-", "SAF-01", "DUP-03", "FU-04", "FU-1")


def first_words(card: Json) -> str:
    """The headline, then what is above the rule, up to so many words."""
    text = " ".join([card["summary"] + ".", *parts(card)[0].replace("**", "").split()])
    ends = [one.end() for one in WORD.finditer(text)]
    return text[: ends[WORDS - 1]] + " …" if len(ends) > WORDS else text


if __name__ == "__main__":
    for number, (name, card) in enumerate(treatments(), start=1):
        sys.stdout.write(f"{number}. {name}: {first_words(card)}\n\n")
