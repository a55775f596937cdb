"""What happened to cards, as the clients report it.

Read by the standard, and as real clients write it:

* ``overrideReasons`` (Epic) is read like ``overrideReason``; either may be one object or several.
* an override without any reason is valid, and a reason may lack its system or its display. An
  ``overrideReason`` that is sent but holds no reason, comment or extension is refused, since
  what the clinician answered would be lost.
* a reason may also be a CodeableConcept, and may be in ``overrideReason`` itself.
* instead of a reason Epic sends an ``extension``: it is kept as sent, and its words are the reason.
* ``card`` is the name the card was sent with; ids and spellings are not examined.
* ``null`` for an optional member means that it is not there; unknown members are ignored.

One bad item refuses the whole batch, naming the item: the client learns that nothing was stored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct

from cds_service.errors import BadRequest

#: Items of one batch: far more than a client collects, few enough to be stored at once.
MOST_ITEMS = 1000
#: Suggestions, reasons and answers of one item, and its bytes: a card offers a few, and a comment
#: is a few sentences.
MOST_INSIDE = 50
LARGEST_ITEM = 20_000
LONGEST_NAME = 255


#: The reasons that the ballot of CDS Hooks 3.0 suggests, by the categories they are in. A client
#: may offer them next to those of a card.
STANDARD_REASONS = "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"
CATEGORIES: Mapping[str, tuple[str, ...]] = {
    "cds-not-applicable": (
        "patient-ineligible", "indication-order-exists", "action-completed", "action-unsuccessful",
        "action-performed-no-adverse-effect", "action-not-priority",
    ),
    "cds-suboptimal-context": (
        "limited-time", "wrong-time-workflow", "inappropriate-recipient", "need-more-info",
    ),
    "recipient-disagrees-evidence": (
        "does-not-align-latest-evidence", "expert-contradicts", "policy-contradicts",
        "recipient-does-not-trust",
    ),
    "recipient-concerns-outcomes": (
        "risk-benefit-ratio", "mitigate-risk-negative-outcome", "likely-negative-health-outcomes",
        "patient-contraindication",
    ),
    "does-not-align-preferences": (
        "patient-fears-discomfort", "patient-does-not-want-change", "cultural-religious-reason",
        "prefers-alternative", "patient-refuses",
    ),
    "not-convenient-feasible": (
        "inadequate-support", "service-not-available", "implementation-challenges",
        "too-costly-uncovered", "recipient-does-not-understand", "comorbidity-disability",
    ),
}  # fmt: skip


class Reason(Struct, frozen=True):
    system: str = ""
    code: str = ""
    display: str = ""


class Feedback(Struct, frozen=True):
    """One report about one card. ``extension`` is JSON as sent, "" where there was none."""

    card: str
    outcome: Literal["accepted", "overridden"]
    outcome_at: datetime
    accepted: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = ()
    comment: str = ""
    extension: str = ""

    def __repr__(self) -> str:  # a comment may identify a patient
        return f"Feedback({self.outcome})"


class _SentCoding(Struct):
    system: str | None = None
    code: str | None = None
    display: str | None = None


class _SentReason(_SentCoding):
    """A Coding, as the standard has it, or a CodeableConcept."""

    coding: list[_SentCoding] | None = None
    text: str | None = None

    def reasons(self) -> list[Reason]:
        codings = [one for one in (self, *(self.coding or ())) if one.code or one.display]
        found = [Reason(_clean(c.system), _clean(c.code), _clean(c.display)) for c in codings]
        text = _clean(self.text)
        if text and text not in {one.display for one in found}:
            found.append(Reason(display=text))
        return found


class _SentOverride(_SentReason, rename="camel"):
    """The reason is in ``reason``, or its members are here."""

    reason: _SentReason | None = None
    user_comment: str | None = None
    extension: Raw = Raw()

    def reasons(self) -> list[Reason]:
        return [*(self.reason.reasons() if self.reason else ()), *super().reasons()]


class _SentSuggestion(Struct):
    id: str


class _SentItem(Struct, rename="camel"):
    card: str
    outcome: str
    outcome_timestamp: str
    accepted_suggestions: list[_SentSuggestion] | None = None
    override_reason: _SentOverride | list[_SentOverride] | None = None
    override_reasons: _SentOverride | list[_SentOverride] | None = None
    extension: Raw = Raw()


class _Sent(Struct):
    feedback: list[Raw]


_decode_batch = msgspec.json.Decoder(_Sent).decode
_decode_item = msgspec.json.Decoder(_SentItem).decode
_decode_any = msgspec.json.Decoder().decode
_is_moment = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII
).fullmatch
_missing_field = re.compile(r"missing required field `(\w+)`")
_at_path = re.compile(r" - at `\$\.?([^`]*)`$")


def parse_feedback(body: bytes) -> tuple[Feedback, ...]:
    """The items of a batch; `BadRequest` names the first one that cannot be accepted."""
    try:
        if not body.isascii():
            body.decode()
        sent = _decode_batch(body)
    except msgspec.ValidationError as error:
        raise _refused(str(error), "") from None
    except UnicodeDecodeError:
        raise BadRequest("The body is not UTF-8 text.") from None
    except msgspec.DecodeError:
        raise BadRequest("The body is not valid JSON.") from None
    except RecursionError:
        raise BadRequest("The body is nested too deeply.") from None
    if not sent.feedback:
        raise BadRequest("feedback must hold at least one item.", "feedback", "required")
    if len(sent.feedback) > MOST_ITEMS:
        raise BadRequest(f"feedback must hold at most {MOST_ITEMS} items.", "feedback")
    return tuple(_item(raw, f"feedback[{index}]") for index, raw in enumerate(sent.feedback))


def _item(raw: Raw, at: str) -> Feedback:
    if len(bytes(raw)) > LARGEST_ITEM:
        raise _bad(f"is larger than {LARGEST_ITEM} bytes", at, "too-long")
    try:
        sent = _decode_item(raw)
        overrides = _overrides(sent, at)
        extensions = [one for one in (sent.extension, *(o.extension for o in overrides)) if one]
        found = [_decode_any(one) for one in extensions]
    except msgspec.ValidationError as error:
        raise _refused(str(error), at) from None
    except (msgspec.DecodeError, RecursionError):
        raise _bad("is nested too deeply or not valid JSON", at) from None

    card = _name(sent.card, f"{at}.card")
    outcome = _outcome(sent, at)
    reasons = _reasons(overrides, found)
    _check_counts(sent, overrides, reasons, at)
    accepted = tuple(
        _name(one.id, f"{at}.acceptedSuggestions[{index}].id")
        for index, one in enumerate(sent.accepted_suggestions or ())
    )
    return Feedback(
        card,
        outcome,
        _moment(sent.outcome_timestamp, f"{at}.outcomeTimestamp"),
        tuple(dict.fromkeys(accepted)),
        tuple(dict.fromkeys(reasons)),
        "\n".join(_clean(one.user_comment) for one in overrides if one.user_comment),
        _as_sent(found),
    )


def _as_sent(extensions: Sequence[Any]) -> str:
    kept = [one for one in extensions if one]
    return msgspec.json.encode(kept[0] if len(kept) == 1 else kept).decode() if kept else ""


def _check_counts(
    sent: _SentItem, overrides: Sequence[_SentOverride], reasons: Sequence[Reason], at: str
) -> None:
    for inside, name in (
        (sent.accepted_suggestions or (), "acceptedSuggestions"),
        (overrides, "overrideReasons"),
        (reasons, "overrideReasons"),
    ):
        if len(inside) > MOST_INSIDE:
            raise _bad(f"must hold at most {MOST_INSIDE}", f"{at}.{name}", "too-long")


def _outcome(sent: _SentItem, at: str) -> Literal["accepted", "overridden"]:
    if sent.outcome == "accepted":
        if not sent.accepted_suggestions:
            raise _bad(
                "is required where the outcome is accepted", f"{at}.acceptedSuggestions", "required"
            )
        return "accepted"
    if sent.outcome != "overridden":
        raise _bad("must be accepted or overridden", f"{at}.outcome")
    return "overridden"


def _reasons(overrides: Sequence[_SentOverride], extensions: Sequence[Any]) -> list[Reason]:
    """The reasons given, otherwise one of the words of the extensions."""
    reasons = [reason for one in overrides for reason in one.reasons()]
    if not reasons:
        words = [word for one in extensions for word in _reason_words(one)]
        reasons = [Reason(display=" / ".join(words))] if words else []
    return reasons


def _overrides(sent: _SentItem, at: str) -> list[_SentOverride]:
    """What was answered to the card, each with something that was answered."""
    found = []
    for name, given in (
        ("overrideReason", sent.override_reason),
        ("overrideReasons", sent.override_reasons),
    ):
        for one in given if isinstance(given, list) else [given]:
            if one is None:
                continue
            said = bool(one.extension) and bool(_decode_any(one.extension))
            if not (one.reasons() or one.user_comment or said):
                raise _bad("holds neither a reason nor a comment", f"{at}.{name}")
            found.append(one)
    return found


def _name(text: str, at: str) -> str:
    if not text:
        raise _bad("is required", at, "required")
    if len(text) > LONGEST_NAME or not text.isprintable():
        raise _bad(f"must be printable and at most {LONGEST_NAME} characters long", at)
    return text


def _clean(text: str | None) -> str:
    """Text as sent, except for NUL, which PostgreSQL cannot store."""
    return (text or "").replace("\0", "\N{REPLACEMENT CHARACTER}")


def _moment(text: str, at: str) -> datetime:
    try:
        if not _is_moment(text):
            raise ValueError
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _bad("must be a moment such as 2026-01-15T09:30:00Z", at) from None


def _reason_words(extension: Any, depth: int = 4) -> Iterator[str]:
    """Epic's category, title and display, wherever in its extension they are."""
    if isinstance(extension, list):
        inner = extension
    elif isinstance(extension, dict):
        for name in ("category", "title", "display"):
            word = extension.get(name)
            if isinstance(word, str) and word.strip():
                yield _clean(word.strip())
        inner = list(extension.values())
    else:
        return
    if depth:
        for one in inner:
            yield from _reason_words(one, depth - 1)


def _bad(problem: str, at: str, issue: str | None = None) -> BadRequest:
    return BadRequest(f"{at} {problem}; nothing of this batch was stored.", at, issue)


def _refused(message: str, at: str) -> BadRequest:
    """msgspec's message in the standard's terms; it holds names and JSON types, no values."""
    place = _at_path.search(message)
    inner = place[1] if place else ""
    path = ".".join(part for part in (at, inner) if part)
    missing = _missing_field.search(message)
    if missing:
        return _bad("is required", f"{path}.{missing[1]}" if path else missing[1], "required")
    if not path:
        return BadRequest("The body must be a JSON object.")
    return _bad("has the wrong type", path)
