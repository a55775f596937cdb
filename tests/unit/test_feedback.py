"""What no sensible client sends as feedback, and how it is answered."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.cdshooks.feedback import (
    LARGEST_ITEM,
    LONGEST_NAME,
    MOST_INSIDE,
    MOST_ITEMS,
    Reason,
    parse_feedback,
)
from cds_service.errors import BadRequest

ITEM = {"card": "c", "outcome": "overridden", "outcomeTimestamp": "2026-01-15T09:30:00Z"}


def parsed(*items: Any) -> Any:
    return parse_feedback(json.dumps({"feedback": list(items)}).encode())


def refused(body: bytes) -> BadRequest:
    with pytest.raises(BadRequest) as error:
        parse_feedback(body)
    return error.value


def test_as_many_items_as_there_may_be_and_one_more() -> None:
    assert len(parsed(*[ITEM] * MOST_ITEMS)) == MOST_ITEMS
    body = json.dumps({"feedback": [ITEM] * (MOST_ITEMS + 1)}).encode()
    assert refused(body).expression == "feedback"


def test_a_name_as_long_as_it_may_be_and_longer() -> None:
    assert parsed({**ITEM, "card": "c" * LONGEST_NAME})
    body = json.dumps({"feedback": [{**ITEM, "card": "c" * (LONGEST_NAME + 1)}]}).encode()
    assert refused(body).expression == "feedback[0].card"


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_as_much_inside_an_item_as_there_may_be_and_more(more: int) -> None:
    count = MOST_INSIDE + more
    accepted = {
        "outcome": "accepted",
        "acceptedSuggestions": [{"id": f"{n}"} for n in range(count)],
    }
    reasons = {"overrideReasons": [{"code": f"{n}"} for n in range(count)]}
    one_reason = {
        "overrideReason": {"reason": {"coding": [{"code": f"{n}"} for n in range(count)]}}
    }
    empty = len(json.dumps({**ITEM, "x": ""}))
    large = {"x": "x" * (LARGEST_ITEM + more - empty)}
    for change, at in (
        (accepted, ".acceptedSuggestions"),
        (reasons, ".overrideReasons"),
        (one_reason, ".overrideReasons"),
        (large, ""),
    ):
        body = json.dumps({"feedback": [{**ITEM, **change}]}).encode()
        if more > 0:
            error = refused(body)
            assert (error.expression, error.issue) == (f"feedback[0]{at}", "too-long")
        else:
            assert len(parse_feedback(body)) == 1


@pytest.mark.parametrize(
    "time",
    [
        "2026-01-15",
        "2026-01-15T09:30Z",
        "2026-01-15T09:30:00",
        "2026-02-30T09:30:00Z",
        "2026-01-15T25:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "1768469400",
        "2026-01-15T09:30:00Z\n",
    ],
)
def test_what_is_no_moment_is_refused(time: str) -> None:
    body = json.dumps({"feedback": [ITEM, {**ITEM, "outcomeTimestamp": time}]}).encode()
    assert refused(body).expression == "feedback[1].outcomeTimestamp"


@pytest.mark.parametrize(
    ("change", "at"),
    [
        ({"overrideReason": "no"}, "feedback[0].overrideReason"),
        ({"overrideReason": {"reason": "no"}}, "feedback[0].overrideReason.reason"),
        ({"overrideReason": {"reason": {"code": 7}}}, "feedback[0].overrideReason.reason.code"),
        ({"overrideReasons": [{"userComment": 7}]}, "feedback[0].overrideReasons[0].userComment"),
        ({"acceptedSuggestions": [{"id": 7}]}, "feedback[0].acceptedSuggestions[0].id"),
        ({"acceptedSuggestions": [{"id": "a\nb"}]}, "feedback[0].acceptedSuggestions[0].id"),
    ],
)
def test_the_member_at_fault_is_named(change: dict[str, Any], at: str) -> None:
    error = refused(json.dumps({"feedback": [{**ITEM, **change}]}).encode())
    assert error.expression == at


KNOWN = Reason("https://reasons.example.org", "known", "Known already")
CODING = {"system": KNOWN.system, "code": KNOWN.code, "display": KNOWN.display}


@pytest.mark.parametrize(
    ("sent", "reasons"),
    [
        ({"reason": CODING}, (KNOWN,)),
        (CODING, (KNOWN,)),
        ({"reason": {"coding": [CODING]}}, (KNOWN,)),
        ({"coding": [CODING], "text": KNOWN.display}, (KNOWN,)),
        ({"reason": {"coding": [CODING], "text": "Seen"}}, (KNOWN, Reason(display="Seen"))),
        ({"reason": {"text": "Seen"}}, (Reason(display="Seen"),)),
        ({"text": "Seen", "userComment": "by ward"}, (Reason(display="Seen"),)),
        ([{"reason": CODING}, {"text": "Seen"}], (KNOWN, Reason(display="Seen"))),
        ({"reason": {"code": "a"}, "coding": [CODING]}, (Reason(code="a"), KNOWN)),
    ],
)
@pytest.mark.parametrize("member", ["overrideReason", "overrideReasons"])
def test_a_reason_is_read_wherever_clients_put_it(
    sent: Any, reasons: tuple[Reason, ...], member: str
) -> None:
    (item,) = parsed({**ITEM, member: sent})
    assert item.reasons == reasons


@pytest.mark.parametrize(
    "sent",
    [
        {},
        [{}],
        {"reason": {}},
        {"reason": None, "userComment": ""},
        {"reason": {"system": KNOWN.system}},
        {"coding": []},
        {"reason": {"coding": [{}], "text": ""}},
        {"reasonText": "of another standard"},
        [CODING, {}],
        {"extension": {}},
        {"reason": {}, "extension": []},
    ],
)
@pytest.mark.parametrize("member", ["overrideReason", "overrideReasons"])
def test_an_answer_that_holds_nothing_readable_is_refused(sent: Any, member: str) -> None:
    error = refused(json.dumps({"feedback": [{**ITEM, member: sent}]}).encode())
    assert error.expression == f"feedback[0].{member}"
    assert "neither a reason nor a comment" in error.text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b'{"feedback":["\xff"]}',
        b'{"feedback":[' + b"[" * 100_000 + b"]" * 100_000 + b"]}",
        json.dumps({"feedback": [{**ITEM, "extension": {}}]})
        .encode()
        .replace(b"{}", b'{"a":' * 50_000 + b"1" + b"}" * 50_000),
        b'{"feedback":[{"card":"\\ud800","outcome":"overridden","outcomeTimestamp":"x"}]}',
    ],
)
def test_what_is_no_json_or_too_deep_is_refused(body: bytes) -> None:
    assert refused(body).status == 400


def test_unknown_members_and_nulls_are_passed_over() -> None:
    nothing = {"overrideReason": None, "acceptedSuggestions": None, "extension": None, "new": [1]}
    (plain,), (same,) = parsed(ITEM), parsed({**ITEM, **nothing})
    assert plain == same


def test_an_extension_is_kept_as_sent() -> None:
    (item,) = parsed({**ITEM, "extension": {"a": [1.50, {"b": None}]}})
    assert json.loads(item.extension) == {"a": [1.5, {"b": None}]}
    assert item.reasons == ()


def test_nothing_said_is_in_what_is_shown_of_an_item() -> None:
    (item,) = parsed({**ITEM, "overrideReason": {"userComment": "SECRET"}})
    assert "SECRET" not in repr(item)


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_names = ["card", "outcome", "outcomeTimestamp", "acceptedSuggestions", "overrideReason"]


@given(st.dictionaries(st.sampled_from([*_names, "overrideReasons", "extension"]), _json))
def test_whatever_is_sent_is_read_or_refused_by_name(changes: dict[str, Any]) -> None:
    try:
        assert parsed({**ITEM, **changes})
    except BadRequest as error:
        at = str(error.expression)
    else:
        return
    assert at.startswith("feedback[0]")
