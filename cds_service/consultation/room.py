"""What is left of an answer that is larger than a client can be expected to take.

The most urgent cards stay, in their order. What is left out is counted by rule and urgency in the
account, orders that are spoken of in no card are named there by id, and the first card
says how many cards are missing: no one takes silence about an order for its approval.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from msgspec import structs

from cds_service.cdshooks.response import Card, Response, encode
from cds_service.consultation.account import EVALUATION_EXTENSION
from cds_service.consultation.cards import RULES_EXTENSION
from cds_service.consultation.occasion import Consultation
from cds_service.language import Language, house, say

#: Bytes of an answer, and of one card: a card with more says in words what it would change.
LARGEST = 200_000
_LARGEST_CARD = 50_000
#: Characters of a detail; and entries of a list in the account, of which the rest is counted.
_LONGEST_DETAIL = 20_000
_MOST_LISTED = 50
#: What the first card says of those left out takes so many bytes at most.
_NOTE = 1_000


def fitted(done: Consultation, language: Language, most: int = LARGEST) -> Consultation:
    """The same answer in no more than ``most`` bytes."""
    if _size(done.response) <= most:
        return done
    cards = [_smaller(one, language) for one in done.response.cards]
    account = _listed(done.response.extension[EVALUATION_EXTENSION])
    left_out = _left_out(cards)
    room = most - _size(Response((), {EVALUATION_EXTENSION: {**account, "notShown": left_out}}))
    shown: list[Card] = []
    for one in cards:
        room -= _size(one) + 1
        if room < _NOTE:
            break
        shown.append(one)
    gone = cards[len(shown) :]
    if gone:
        shown[:1] = [_with_note(one, len(gone), language) for one in shown[:1]]
        spoken_of = {_order(one) for one in shown}
        left_out = _left_out(gone)
        left_out["orders"] = [one for one in left_out["orders"] if one not in spoken_of]
        account = {**account, "notShown": left_out}
    names = {one.uuid for one in gone}
    kept = done.evaluation
    if kept is not None:
        left = tuple([one for one in kept.cards if one.uuid not in names])
        kept = structs.replace(kept, cards=left)
    log = {**done.log, "cards": [_rule(one) for one in shown], "cardsNotShown": len(gone)}
    extension = {**done.response.extension, EVALUATION_EXTENSION: account}
    response = Response(tuple(shown), extension)
    return structs.replace(done, response=response, evaluation=kept, log=log)


def _smaller(card: Card, language: Language) -> Card:
    """A card that is not too large on its own."""
    if _size(card) <= _LARGEST_CARD:
        return card
    detail = card.detail
    if len(detail) > _LONGEST_DETAIL:
        detail = f"{detail[:_LONGEST_DETAIL].rpartition(' ')[0]} …"
    if card.suggestions:
        detail = f"{detail}\n\n{language.fill(say(house.Card.not_offered))}"
    return structs.replace(card, detail=detail, suggestions=(), selection_behavior="")


def _with_note(card: Card, count: int, language: Language) -> Card:
    """A card that says how many others there would be."""
    note = language.fill(say(house.Card.not_shown, count=count))
    return structs.replace(card, detail=f"{card.detail}\n\n{note}")


def _left_out(cards: Sequence[Card]) -> dict[str, Any]:
    return {
        "cards": len(cards),
        "byIndicator": dict(Counter(one.indicator for one in cards)),
        "byRule": dict(Counter(map(_rule, cards))),
        "orders": [one for one in dict.fromkeys(map(_order, cards)) if one],
    }


def _listed(account: dict[str, Any]) -> dict[str, Any]:
    """With the beginning of each long list, and how much more there is."""
    found: dict[str, Any] = {}
    for name, value in account.items():
        long = isinstance(value, list) and len(value) > _MOST_LISTED
        found[name] = value[:_MOST_LISTED] if long else value
        if long:
            found[f"{name}More"] = len(value) - _MOST_LISTED
    return found


def _rule(card: Card) -> str:
    name: str = card.extension[RULES_EXTENSION]["ruleIds"][0]
    return name


def _order(card: Card) -> str:
    name: str = card.extension[RULES_EXTENSION].get("order", "")
    return name


def _size(part: Card | Response) -> int:
    return len(encode(part))
