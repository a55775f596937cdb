"""The detail of a card: labelled lines that are read in eight seconds, a rule, and what is behind
them.

Above the rule are at most 60 words, below it at most 120, and a fifth more where the language is
not English, which is terse. What finds no room above is below; what finds none there either
is counted, but for what was missing or not used, which is always named.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from operator import attrgetter

from msgspec import Struct

from cds_service.guidelines.engine import ABOVE, BELOW, Section
from cds_service.language import Language, house, say

RULE = "---"
#: How many words, and how much more of them another language may need.
WORDS_ABOVE, WORDS_BELOW, ELSEWHERE = 60, 120, 1.2
#: So many words above are read in eight seconds; only what decides takes more.
AT_A_GLANCE = 45
_WORD = re.compile(r"[\w.,/%-]+")
_TWO_FULL_STOPS = re.compile(r"(?<!\.)\.\.(?!\.)")

#: What leaves the part above first, sentence by sentence: down to how many sentences, and while it
#: has more words than a glance or than there is room for. What is to be done before a dose leaves
#: last, and never the danger, what to give, why an order is wrong, or the first thing to do.
_LEAVES: tuple[tuple[tuple[Section, ...], int, int], ...] = (
    (("ask",), 0, AT_A_GLANCE),
    (("follow_up", "why", "usual", "advice", "ordered"), 1, AT_A_GLANCE),
    (("ask", "follow_up", "why", "usual"), 0, WORDS_ABOVE),
    (("before", "because"), 1, WORDS_ABOVE),
    (("before", "ordered"), 0, WORDS_ABOVE),
)
#: What leaves the part below first, and down to how many sentences: what every child's card of the
#: rule says, and is in full on the page that the card links to, before what is known of this child.
#: What is to be asked, or to be minded before a dose, never does.
_FADES: tuple[tuple[Section, int], ...] = (
    ("position", 0),
    ("background", 1),
    ("usual", 0),
    ("background", 0),
    ("why", 1),
    ("finding", 1),
    ("course", 1),
    ("finding", 0),
    ("follow_up", 0),
    ("course", 0),
    ("why", 0),
)

#: The words that say how much was left out.
_COUNTED = 6


class Sentence(Struct, frozen=True):
    """A sentence in Markdown with its capital, and how many words it has."""

    text: str
    words: int


_text_of = attrgetter("text")
Lines = Mapping[Section, Iterable[Sentence]]


def sentence(text: str) -> Sentence:
    """With its capital, also where it begins in bold, and one full stop where the words of a record
    bring theirs."""
    text = _TWO_FULL_STOPS.sub(".", text)
    first = 2 if text.startswith("**") else 0
    capital = text[first : first + 1].upper()
    return Sentence(f"{text[:first]}{capital}{text[first + 1 :]}", words_in(text))


def words_in(text: str) -> int:
    """Words as a reader of the Markdown counts them, list markers included."""
    return len(_WORD.findall(text))


def compose(
    lines: Lines,
    labels: Mapping[Section, str],
    language: Language,
    once: Sequence[Sentence] = (),
    closing: Sequence[str] = (),
) -> str:
    """The Markdown of the ``lines`` by their ``labels``. The paragraphs ``once`` and ``closing``
    are the last; the latter are not counted: only a demo and a translation have them. The sources
    go first and are not counted: the rule's page lists them."""
    room = 1.0 if language.tag.partition("-")[0] == "en" else ELSEWHERE
    above = {name: [*lines[name]] for name in ABOVE if lines.get(name)}
    below = {name: [*lines[name]] for name in BELOW if lines.get(name)}
    _make_room(above, below, labels, room)
    _join(above)
    ends = words_in(RULE) + sum([one.words for one in once])
    most = int(WORDS_BELOW * room) - ends
    if _length(below, labels) > most:
        below.pop("source", None)
    left_out = _fade(below, labels, most)
    paragraphs = [_listed(above, ABOVE, labels)] if above else []
    behind = [_listed(below, (*ABOVE, *BELOW), labels)] if below else []
    if left_out:
        behind.append(language.fill(say(house.Card.more, count=left_out)))
    behind += (*[one.text for one in once], *closing)
    if behind:
        paragraphs += [RULE, *behind] if paragraphs else behind
    return "\n\n".join(paragraphs)


#: Sections of one label: the first is read early, the second is where it belongs below.
_BEHIND: Mapping[Section, Section] = {"because": "why"}
_Parts = dict[Section, list[Sentence]]


_words_of_label = lru_cache(maxsize=256)(words_in)


def _length(parts: _Parts, labels: Mapping[Section, str]) -> int:
    """The words of `_listed`: of each line its marker, its label and its sentences, which only
    blanks divide."""
    length = 0
    for name, sentences in parts.items():
        length += 1 + _words_of_label(labels[name])
        for one in sentences:
            length += one.words
    return length


def _join(above: _Parts) -> None:
    """One line for one label."""
    for early, late in _BEHIND.items():
        if early in above and late in above:
            above[early] += above.pop(late)


def _listed(parts: _Parts, order: Iterable[Section], labels: Mapping[Section, str]) -> str:
    return "\n".join(
        [
            f"- {labels[name]} {' '.join(map(_text_of, parts[name]))}"
            for name in order
            if name in parts
        ]
    )


def _make_room(above: _Parts, below: _Parts, labels: Mapping[Section, str], room: float) -> None:
    """Move what is least pressing below, under the label it has, until the rest is short enough."""
    length = _length(above, labels)
    if length <= int(AT_A_GLANCE * room):
        return
    for names, least, most in _LEAVES:
        for name in names:
            while length > int(most * room) and len(above.get(name, ())) > least:
                moved = above[name].pop()
                below.setdefault(_BEHIND.get(name, name), []).insert(0, moved)
                length -= moved.words + _emptied(above, name, labels)


def _fade(below: _Parts, labels: Mapping[Section, str], most: int) -> int:
    """Leave out what is least worth knowing until the rest is short enough; how much it was. What
    still fits in the end is stated after all."""
    gone: list[tuple[Section, Sentence]] = []
    length = _length(below, labels)
    if length <= most:
        return 0
    for name, least in _FADES:
        while len(below.get(name, ())) > least and length > most - (_COUNTED if gone else 0):
            gone.append((name, below[name].pop()))
            length -= gone[-1][1].words + _emptied(below, name, labels)
    for back in gone[::-1]:
        name, said = back
        added = said.words + (0 if name in below else 1 + _words_of_label(labels[name]))
        if length + added <= most - (_COUNTED if len(gone) > 1 else 0):
            below.setdefault(name, []).append(said)
            gone.remove(back)
            length += added
    return len(gone)


def _emptied(parts: _Parts, name: Section, labels: Mapping[Section, str]) -> int:
    """Takes out a line that has no sentence left; how many words its marker and label were."""
    if parts[name]:
        return 0
    del parts[name]
    return 1 + _words_of_label(labels[name])
