"""What Unicode's CLDR says of a language: the form of a word that goes with a number ("1 dose",
"2 doses"), and the sign before decimals. A test holds it against Babel, which no worker loads.

A text has the forms of a word in the braces of its number, ``{count:dose|doses}``, as many as its
language has, in the order of Unicode's plural rules (CLDR: one, few, many, other).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

#: Whether a text has the form of a BCP 47 tag.
is_tag = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*").fullmatch


class _Rule(NamedTuple):
    """How many forms a word has, and which of them goes with a number."""

    forms: int
    place: Callable[[Decimal], int]


def _polish(n: Decimal) -> int:
    if n == 1 or n % 1:
        return 0 if n == 1 else 3
    return 1 if 2 <= n % 10 <= 4 and not 12 <= n % 100 <= 14 else 2


def _russian(n: Decimal) -> int:
    if n % 1:
        return 3
    if n % 10 == 1 and n % 100 != 11:
        return 0
    return 1 if 2 <= n % 10 <= 4 and not 12 <= n % 100 <= 14 else 2


def _czech(n: Decimal) -> int:
    if n % 1:
        return 2
    return 0 if n == 1 else 1 if 2 <= n <= 4 else 3


_SINGULAR = _Rule(2, lambda n: 0 if n == 1 else 1)
_BELOW_TWO = _Rule(2, lambda n: 0 if 0 <= n < 2 else 1)
_RULES = {
    **dict.fromkeys(("ja", "zh", "ko", "th", "vi", "id"), _Rule(1, lambda _: 0)),
    **dict.fromkeys(("fr", "pt"), _BELOW_TWO),
    "pl": _Rule(4, _polish),
    **dict.fromkeys(("ru", "uk", "be"), _Rule(4, _russian)),
    **dict.fromkeys(("cs", "sk"), _Rule(4, _czech)),
}


def _rule(tag: str) -> _Rule:
    """That of the language of a BCP 47 tag: of most, 1 has a form of its own."""
    return _RULES.get(_base(tag), _SINGULAR)


def count_of_forms(tag: str) -> int:
    """How many forms a word has in a language."""
    return _rule(tag).forms


def place_of_form(tag: str, number: Decimal) -> int:
    """Which of the forms goes with a number."""
    return _rule(tag).place(abs(number))


#: Languages that write decimals after a point, and countries that do not do as their language.
_POINT = frozenset({"en", "ja", "zh", "ko", "th", "he", "hi"})
_POINT_TOO = frozenset({"es-MX", "es-US", "es-419", "de-CH", "de-LI"})
_COMMA_TOO = frozenset({"en-ZA"})
#: Languages in which a noun keeps its capital inside a sentence.
_CAPITALS = frozenset({"de", "lb"})


def decimal_sign(tag: str) -> str:
    """The sign before decimals."""
    if tag in _COMMA_TOO:
        return ","
    return "." if tag in _POINT_TOO or _base(tag) in _POINT else ","


def keeps_capitals(tag: str) -> bool:
    """Whether a noun inside a sentence has the capital that it has alone."""
    return _base(tag) in _CAPITALS


def _base(tag: str) -> str:
    return tag.partition("-")[0].lower()
