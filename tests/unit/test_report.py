"""The figures of a report: what counts, what does not, and how sure one may be."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from kept import accepted, card, overridden
from msgspec import structs

from cds_service.cdshooks.feedback import STANDARD_REASONS, Feedback, Reason
from cds_service.language import Span, house
from cds_service.store.audit import Card
from cds_service.store.reports import page, words
from cds_service.store.reports.figures import (
    Answer,
    Call,
    Report,
    Rows,
    Selection,
    Times,
    in_categories,
    make_report,
    rate,
    times,
)

ENGLISH = house.language()
CATEGORIES = {("s", "ours"): "cds-not-applicable", ("s", "no category"): "",
              (STANDARD_REASONS, "action-completed"): "cds-not-applicable",
              (STANDARD_REASONS, "patient-refuses"): "does-not-align-preferences"}  # fmt: skip
SHOWN = datetime(2026, 1, 15, 9, 0, tzinfo=UTC)
DAY = timedelta(hours=24)
LATER = SHOWN + timedelta(days=3)
INSTANCE = "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"


def call(*cards: Card, **changes: Any) -> Call:
    one = Call(
        at=SHOWN,
        client="north",
        service="b12-under-two-patient-view",
        hook="patient-view",
        hook_instance=INSTANCE,
        patient="a pseudonym",
        arm="live",
        status=200,
        outcome="advice" if cards else "nothing to say",
        edition="2026.2",
        cards=cards,
    )
    return structs.replace(one, **changes)


def answer(said: Feedback, after: float = 60, **changes: Any) -> Answer:
    said = structs.replace(said, outcome_at=SHOWN + timedelta(seconds=after))
    return structs.replace(Answer("north", "b12-under-two-patient-view", said), **changes)


def report(*rows: Call | Answer, at: datetime = LATER, wait: timedelta = DAY) -> Report:
    calls = [one for one in rows if isinstance(one, Call)]
    answers = [one for one in rows if isinstance(one, Answer)]
    rows = Rows(calls, answers)
    return in_categories(make_report(rows, Selection(), at, wait), rows, CATEGORIES)


def verdicts(found: Report) -> tuple[int, int, int]:
    line = found.all
    return line.accepted.count, line.overridden.count, line.ignored.count


# --- how sure -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [
        # R. G. Newcombe, Two-sided confidence intervals for the single proportion, Statistics in
        # Medicine 17 (1998) 857-872, table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_the_interval_is_wilsons(count: int, of: int, low: float, high: float) -> None:
    found = rate(count, of)
    assert (found.low, found.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))
    mirrored = rate(of - count, of)
    assert mirrored.low == pytest.approx(1 - high, abs=5e-5)
    assert mirrored.high == pytest.approx(1 - low, abs=5e-5)


def test_nothing_of_nothing_is_no_rate() -> None:
    assert (rate(0, 0).rate, rate(0, 0).low, rate(0, 0).high) == (None, None, None)
    assert ENGLISH.text(words.percent(rate(0, 0))) == "–"


@pytest.mark.parametrize(("of", "said"), [(9, "too few"), (10, "0 %"), (11, "0 %")])
def test_below_ten_cards_no_rate_is_said(of: int, said: str) -> None:
    assert ENGLISH.text(words.percent(rate(0, of))) == said
    assert ENGLISH.text(words.interval(rate(0, of)))


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ([], None),
        ([7.0], Times(1, 7, 7, 7)),
        ([1.0, 3.0], Times(2, 1.5, 2, 2.5)),
        ([1.0, 2.0, 3.0, 4.0, 5.0], Times(5, 2, 3, 4)),
    ],
)
def test_quartiles_lie_between_what_was_seen(seconds: list[float], expected: Times | None) -> None:
    assert times(seconds) == expected


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(59, "59 s"), (60, "1.0 min"), (599, "10.0 min"), (600, "10 min"), (3600, "1.0 h")],
)
def test_times_are_told_in_a_unit_that_fits(seconds: float, said: str) -> None:
    assert ENGLISH.text(Span(seconds)) == said


# --- what counts as what ------------------------------------------------------------------------


def test_an_answer_makes_a_card_accepted_or_overridden_and_none_makes_it_ignored() -> None:
    shown = call(card("a"), card("b"), card("c"))
    found = report(shown, answer(accepted("a")), answer(overridden("b")))
    assert verdicts(found) == (1, 1, 1)
    assert found.times["accepted"] == Times(1, 60, 60, 60)


@pytest.mark.parametrize(
    ("old", "counted"),
    [
        (DAY - timedelta(microseconds=1), 0),
        (DAY, 1),
        (DAY + timedelta(microseconds=1), 1),
    ],
)
def test_a_card_counts_once_its_time_for_an_answer_is_up(old: timedelta, counted: int) -> None:
    for said in ([], [answer(accepted("a"))], [answer(overridden("a"))]):
        found = report(call(card("a")), *said, at=SHOWN + old)
        assert (found.all.shown, found.all.counted) == (1, counted)
        assert sum(verdicts(found)) == counted
        assert found.answered_not_counted == (len(said) if not counted else 0)


def test_an_answer_counts_however_late_it_came() -> None:
    late = answer(accepted("a"), after=2 * 86400)
    assert verdicts(report(call(card("a")), late)) == (1, 0, 0)


def test_accepted_and_dismissed_is_accepted_in_either_order() -> None:
    for first, second in ((10, 20), (20, 10)):
        said = [answer(accepted("a"), first), answer(overridden("a"), second)]
        found = report(call(card("a")), *said)
        assert verdicts(found) == (1, 0, 0)
        assert found.both_ways == 1
        assert found.times["accepted"] == Times(1, 10, 10, 10)
        assert found.reasons == ()


def test_a_card_shown_twice_is_one_card() -> None:
    again = call(card("a"), at=SHOWN + timedelta(seconds=5))
    found = report(call(card("a")), again, answer(accepted("a"), 30))
    assert (found.all.shown, found.shown_again, verdicts(found)) == (1, 1, (1, 0, 0))
    assert found.times["accepted"] == Times(1, 30, 30, 30)


@pytest.mark.parametrize("change", [{"client": "south"}, {"client": None}, {"service": "other"}])
def test_nobody_answers_for_another(change: dict[str, str | None]) -> None:
    found = report(call(card("a")), answer(accepted("a"), **change))
    assert verdicts(found) == (0, 0, 1)
    assert found.unknown_cards == 1


def test_an_answer_before_its_card_says_that_clocks_differ_and_no_time() -> None:
    found = report(call(card("a"), card("b")), answer(accepted("a"), -1), answer(accepted("b"), 0))
    assert verdicts(found) == (2, 0, 0)
    assert found.before_shown == 1
    assert found.times["accepted"] == Times(1, 0, 0, 0)


def test_a_reason_counts_once_a_card_and_is_named_by_whoever_sent_words() -> None:
    coded, bare = Reason("s", "c", "In words"), Reason("s", "c")
    free = Reason(display="In words")
    found = report(
        call(card("a"), card("b"), card("c"), card("d")),
        answer(overridden("a", reasons=(coded,))),
        answer(overridden("a", reasons=(bare,)), 70),
        answer(overridden("b", reasons=(bare, free))),
        answer(overridden("c", reasons=())),
    )
    listed = [(one.code, one.display, one.cards.count, one.cards.of) for one in found.reasons]
    assert listed == [("c", "In words", 2, 3), ("", "In words", 1, 3)]
    assert (found.without_reason.count, found.without_reason.of) == (1, 3)


def test_reasons_of_ours_and_of_the_standard_count_together_by_category() -> None:
    ours, bare = Reason("s", "ours", "Done"), Reason("", "ours")
    standard, of_site = Reason(STANDARD_REASONS, "action-completed"), Reason("ward", "ours", "No")
    refuses = Reason(STANDARD_REASONS, "patient-refuses")
    others = (Reason("s", "no category"), Reason(STANDARD_REASONS, "new"), Reason(display="Words"))
    found = report(
        call(*[card(name) for name in "abcdefg"]),
        answer(overridden("a", reasons=(ours, standard))),
        answer(overridden("b", reasons=(standard,))),
        answer(overridden("c", reasons=(bare, refuses))),
        answer(overridden("d", reasons=others)),
        answer(overridden("e", reasons=(of_site,))),
        answer(overridden("f", reasons=())),
    )
    listed = [(one.category, one.cards.count, one.cards.of) for one in found.reason_categories]
    assert listed == [
        ("cds-not-applicable", 3, 6),
        ("does-not-align-preferences", 1, 6),
        ("", 2, 6),
    ]
    lines = "\n".join(words.in_words(found, ENGLISH))
    assert "The same by the standard's categories" in lines
    assert re.search(r"^\(another reason\) +2", lines, re.M)
    assert "category of reasons,cds-not-applicable" in words.as_csv(found)
    assert "does-not-align-preferences" in page.as_html(found, {}, ENGLISH)


def test_a_client_that_never_answers_is_named_and_left_out_of_the_second_line() -> None:
    mute = call(card("m"), client="village")
    found = report(call(card("a"), card("b")), mute, answer(accepted("a")))
    assert found.silent_clients == ("village",)
    assert (found.all.ignored.count, found.heard.ignored.count) == (2, 1)


def test_children_are_counted_only_where_all_are_known() -> None:
    known = call(card("a")), call(card("b"), hook_instance="2"), call(card("c"), patient="another")
    assert report(*known).patients == 2
    assert report(*known, call(card("d"), patient=None)).patients is None


# --- what was not shown -------------------------------------------------------------------------

NOT_SHOWN = [
    call(card("h", hidden="overridden before")),
    call(card("h"), arm="shadow"),
    call(card("h", hidden="shadow"), arm="shadow"),
    call(card("h"), arm="challenger"),
]


@pytest.mark.parametrize("unseen", NOT_SHOWN)
def test_what_was_not_shown_is_never_counted_as_shown(unseen: Call) -> None:
    found = report(call(card("a")), unseen, answer(accepted("h")))
    assert found.all.shown == 1
    assert verdicts(found) == (0, 0, 1)
    assert all(sum(line.shown for line in lines) == 1 for lines in found.by.values())
    assert sum(one.taken.of for one in found.suggestions) == 2
    (one,) = found.unshown
    assert (one.arm, one.rule, one.cards) == (unseen.arm, "RTE-07", 1)
    assert one.why == (unseen.cards[0].hidden or unseen.arm)
    assert found.unknown_cards == 1


def test_calls_are_told_apart_by_what_the_clinician_saw() -> None:
    found = report(
        call(card("a"), card("b", hidden="in trial")),
        call(card("c", hidden="overridden before"), outcome="advice withheld"),
        call(card("d", hidden="in trial"), outcome="in trial"),
        call(outcome="in trial"),
        call(),
        call(outcome="not evaluated"),
        call(status=400, outcome=None),
        call(card("e", hidden="challenger"), arm="challenger"),
    )
    (line,) = found.calls
    assert (line.calls, line.refused, line.with_card.count, line.with_card.of) == (7, 1, 1, 6)
    assert (line.nothing_to_say, line.not_evaluated, line.nothing_shown) == (1, 1, 3)


def test_a_card_hidden_at_first_and_shown_later_counts_from_when_it_was_shown() -> None:
    later = call(card("a"), at=SHOWN + timedelta(seconds=50))
    found = report(call(card("a", hidden="overridden before")), later, answer(accepted("a"), 60))
    assert found.times["accepted"] == Times(1, 10, 10, 10)


def test_a_challenger_is_compared_card_by_card_with_the_answer_to_the_same_call() -> None:
    def other(*cards: Card, **changes: Any) -> Call:
        hidden = [structs.replace(one, hidden="challenger") for one in cards]
        return call(*hidden, arm="challenger", edition="2026.2", **changes)

    same = card("a"), card("b", topic="T2", text="RTE-04", rule="RTE-04")
    changed = structs.replace(same[1], indicator="critical")
    found = report(
        call(*same),
        other(structs.replace(same[0], digest="1" * 32), changed),
        call(card("a"), hook_instance="2", at=SHOWN + timedelta(minutes=1)),
        other(card("a"), hook_instance="2", at=SHOWN + timedelta(minutes=1)),
        call(card("a"), hook_instance="3", at=SHOWN + timedelta(minutes=2)),
        other(card("n", topic="T3", text="NEW"), hook_instance="3"),
        other(card("a"), hook_instance="no one asked"),
        other(card("a"), hook_instance=None),
        other(card("a"), client="south"),
    )
    (one,) = found.comparisons
    assert (one.arm, one.edition, one.calls, one.without_live) == ("challenger", "2026.2", 3, 3)
    assert (one.agreeing.count, one.agreeing.of) == (1, 3)
    counts = {c.text: (c.same, c.reworded, c.changed, c.only_live, c.only_other) for c in one.cards}
    assert counts == {
        "RTE-07.oral": (1, 1, 0, 1, 0),
        "RTE-04": (0, 0, 1, 0, 0),
        "NEW": (0, 0, 0, 0, 1),
    }
    assert "challenger 2026.2 compared with live" in "\n".join(words.in_words(found, ENGLISH))
    assert "compared with the live one" in page.as_html(found, {}, ENGLISH)


def test_of_several_answers_to_one_call_the_nearest_in_time_is_compared() -> None:
    late = SHOWN + timedelta(hours=1)
    found = report(
        call(card("a")),
        call(at=late),
        call(at=late + timedelta(milliseconds=2), arm="challenger"),
    )
    assert found.comparisons[0].agreeing.count == 1


# --- how it is shown ----------------------------------------------------------------------------


def test_no_card_at_all_is_said() -> None:
    for found in (report(), report(call()), report(NOT_SHOWN[0])):
        assert "No card was shown." in "\n".join(words.in_words(found, ENGLISH))
        assert "No card was shown." in page.as_html(found, {}, ENGLISH)
        assert words.as_csv(found).startswith("group,name,shown,counted")


def test_cards_too_young_to_count_are_said() -> None:
    found = report(call(card("a")), answer(accepted("a")), at=SHOWN + timedelta(hours=1))
    text = "\n".join(words.in_words(found, ENGLISH))
    assert "1 of the 1 cards shown are younger than 24 hours" in text
    assert "1 of them are answered already" in text
    assert "not yet counted" in page.as_html(found, {}, ENGLISH)


HOSTILE = '=cmd|"</script><script>alert(1)</script>\n\x1b[31m\u202e' + "x" * 300


def test_what_a_client_sent_does_nothing_wherever_it_is_shown() -> None:
    reasons = (Reason(HOSTILE, HOSTILE, HOSTILE),)
    shown = call(card("a"), client=HOSTILE)
    said = answer(overridden("a", reasons=reasons), client=HOSTILE)
    found = report(shown, said, call(card("b", hidden=HOSTILE), client=HOSTILE))
    assert verdicts(found) == (0, 1, 0)
    shown_page = page.as_html(found, {"RTE-07": HOSTILE}, ENGLISH)
    assert "<script" not in shown_page
    text = "\n".join(words.in_words(found, ENGLISH))
    assert "\x1b" not in text + shown_page
    assert "\u202e" not in text + shown_page
    assert not [cell for cell in words.as_csv(found).split(",") if cell.strip('"').startswith("=")]
