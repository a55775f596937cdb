"""Which form of a word goes with a number: "1 dose", "2 doses".

A text has the forms of a word in the braces of its number, ``{count:dose|doses}``, as many as its
language has, in the order of Unicode's plural rules (CLDR: one, few, many, other).
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple


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
    return _RULES.get(tag.partition("-")[0].lower(), _SINGULAR)


def count_of_forms(tag: str) -> int:
    """How many forms a word has in a language."""
    return _rule(tag).forms


def place_of_form(tag: str, number: Decimal) -> int:
    """Which of the forms goes with a number."""
    return _rule(tag).place(abs(number))
