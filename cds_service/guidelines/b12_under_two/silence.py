"""What was sent and not used, in words, and where it may not be met with silence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from cds_service.clinical import BESIDE, Basket, Reason, Unread
from cds_service.guidelines import naming
from cds_service.guidelines.b12_under_two.assessment import Assessment
from cds_service.guidelines.b12_under_two.data import Guideline
from cds_service.guidelines.b12_under_two.facts import Facts, Finding
from cds_service.guidelines.b12_under_two.messages import Texts
from cds_service.guidelines.b12_under_two.order_checks.reading import is_live
from cds_service.guidelines.b12_under_two.products import has_phrase, names_b12, recognise
from cds_service.guidelines.b12_under_two.words import NEEDS
from cds_service.guidelines.engine import CannotTell
from cds_service.language import Listed, Message, Sent, Value, Words, say

REASONS: Mapping[Reason, Message] = {
    "code system": say(Texts.reason_code_system),
    "no code": say(Texts.reason_no_code),
    "code": say(Texts.reason_code),
    "unit": say(Texts.reason_unit),
    "value": say(Texts.reason_value),
    "answer": say(Texts.reason_answer),
    "status": say(Texts.reason_status),
    "date": say(Texts.reason_date),
    "before birth": say(Texts.reason_before_birth),
    "ahead": say(Texts.reason_ahead),
    "ended": say(Texts.reason_ended),
    "flag": say(Texts.reason_flag),
    "range": say(Texts.reason_range),
    "unjudged": say(Texts.reason_unjudged),
    "unnamed": say(Texts.reason_unnamed),
    "withheld": say(Texts.reason_withheld),
    "another person": say(Texts.reason_person),
    "another kind": say(Texts.reason_kind),
    "another specimen": say(Texts.reason_specimen),
    "drug not found": say(Texts.reason_drug),
    "undecodable": say(Texts.reason_undecodable),
}
#: So many names are in one line of a card; the rest are counted.
_MOST_NAMES = 5


# --- in words ---------------------------------------------------------------------------------


def unread_notes(facts: Facts, g: Guideline) -> Iterator[Message]:
    """A line for each need of which something was sent and not used; what another line of the card
    says already is left out."""
    told = {one.source for one in _worded(facts)} | set(facts.before_birth)
    left = [one for one in facts.unread if one.source not in told and not _is_told(one, facts, g)]
    for need, things in _by_need(left):
        named = NEEDS.get(need, need)
        yield say(Texts.unread, need=named, things=Listed(tuple(things), "semicolon"))


def _all_things(unread: Iterable[Unread]) -> Iterator[Message]:
    """What it is by name, each kind with its reason."""
    for _, things in _by_need(unread):
        yield from things


def unread_by_need(unread: Iterable[Unread]) -> Iterator[tuple[str, Listed]]:
    """The same for the account of an answer, need by need."""
    for need, things in _by_need(unread):
        yield need, Listed(tuple(things), "semicolon")


def _by_need(unread: Iterable[Unread]) -> Iterator[tuple[str, list[Message]]]:
    places = {key: place for place, key in enumerate(NEEDS)}
    listed = [one for one in unread if one.reason != "another patient"]
    listed.sort(key=lambda one: (places.get(one.need, len(places)), one.reason))
    for need, of_need in groupby(listed, lambda one: one.need):
        yield need, [_things(reason, list(it)) for reason, it in groupby(of_need, _reason_of)]


def _reason_of(one: Unread) -> Reason:
    return one.reason


def _things(reason: Reason, unread: Sequence[Unread]) -> Message:
    called = {one.name or one.code: _called(one) for one in unread if one.name or one.code}
    names = [called[name] for name in sorted(called)]
    told, why = REASONS[reason], Listed(tuple(names[:_MOST_NAMES]))
    rest = len(names) - _MOST_NAMES
    if not names:
        return say(Texts.unread_counted, count=len(unread), reason=told)
    if rest > 0:
        return say(Texts.unread_more, names=why, count=rest, reason=told)
    return say(Texts.unread_named, names=why, reason=told)


def _called(one: Unread) -> Words:
    if not one.lab:
        return one.name or one.code
    if not one.written:
        return naming.lab(one.lab)
    return say(Texts.lab_value, name=naming.lab(one.lab), value=Sent(one.written))


def _is_told(one: Unread, facts: Facts, g: Guideline) -> bool:
    """Results of vitamin B12 and weights that are there and cannot be used have lines with their
    values; drugs that could not be identified are counted with the treatment."""
    if one.reason == "withheld":
        return False
    if one.need == "b12" and one.name:
        return bool(facts.unusable or facts.ahead) and (not one.code or names_b12([one.name], g))
    if one.need == "weight":
        return one.reason == "value" and bool(facts.weight.rejected)
    return names_b12([one.name], g) and bool(facts.unusable)


# --- not in silence -----------------------------------------------------------------------------


def unread_at_the_chart(facts: Facts, a: Assessment, g: Guideline) -> CannotTell | None:
    """The card that names what was not used, where no other card is shown."""
    low = a.status.level is not None and a.status.level.verdict in _BELOW
    return _card(facts, g, everything=low)


def unread_among_orders(
    facts: Facts, basket: Basket, g: Guideline, *, signing: bool
) -> CannotTell | None:
    """The same, where vitamin B12 or folic acid is being ordered, or nothing at all is signed."""
    kinds = {recognise(one.codes, one.text, g).kind for one in basket.drafts if is_live(one)}
    if kinds.isdisjoint(_CONCERNED) and (kinds or not signing):
        return None
    return _card(facts, g, everything=bool(kinds))


_BELOW = ("deficient", "low", "borderline")
_CONCERNED = frozenset({"b12", "folic acid", "combination", "unknown"})


def _unused(facts: Facts) -> list[Unread]:
    """What was sent and not used; words of bleeding hold back the muscle."""
    used = {one.source for one in facts.worded.bleeding}
    return [one for one in facts.unread if one.reason not in BESIDE and one.source not in used]


def _card(facts: Facts, g: Guideline, *, everything: bool) -> CannotTell | None:
    unread = _unused(facts)
    alarming = {one.source for one in facts.early.values() if one.worrying}
    if not everything:
        meant = {one.source for one in _worded(facts)}
        meant |= alarming
        unread = [one for one in unread if one.source in meant or _matters(one, facts, g)]
    if not unread:
        return None
    indicator = g.file.cards["IN-05"].indicator
    things: Value = Listed(tuple(_all_things(unread)), "semicolon")
    # What is lacking is kept of a call: in words of our own, never in those of a record.
    lacking = (say(Texts.something_unread),)
    return CannotTell("IN-05", lacking, "IN-05", indicator, {"things": things})


def _worded(facts: Facts) -> Iterator[Finding]:
    """Problems whose words alone mean a sign or a cause."""
    worded = facts.worded
    yield from (
        *worded.inborn, *worded.neurological, *worded.malabsorption, *worded.suggestive,
        *worded.screening, *worded.mother,
    )  # fmt: skip


def _matters(one: Unread, facts: Facts, g: Guideline) -> bool:
    """Whether it is a B12 result that may be newer than the level that counts, an order or dose of
    B12, or a reaction to cobalamin."""
    if one.need == "allergies":
        cobalt = has_phrase(one.name, g.file.names.cobalt)
        return not one.name or cobalt or names_b12([one.name], g)
    if one.need in ("meds", "administrations"):
        return one.reason == "drug not found" or names_b12([one.name], g)
    is_b12 = one.need == "b12" and (not one.name or not one.code)
    return facts.newer_unread and (is_b12 or names_b12([one.name], g))
