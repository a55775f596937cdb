"""Every figure of the report on a week, calculated again from what was sent and answered."""

from __future__ import annotations

import csv
import html
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from kept import database_on_postgresql
from week import (
    CHILDREN,
    EXAMPLE,
    LOCAL,
    NORTH,
    VILLAGE,
    Json,
    Ledger,
    SentCall,
    SentFeedback,
    excerpt,
)
from week import live_through_the_week as live

from cds_service.__main__ import main
from cds_service.consultation import EVALUATION_EXTENSION, load_services
from cds_service.consultation.cards import RULES_EXTENSION

pytestmark = pytest.mark.sampled_file(8)

VERDICTS = ("accepted", "overridden", "ignored")
EVALUATION = EVALUATION_EXTENSION
URGENCY = ["critical", "warning", "info"]


class Week:
    """The week as it was lived, and the report on it as the command prints it."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.ledger: Ledger = live(url, folder)

    def command(self, *words: str) -> str:
        done = CliRunner(env={"CDS_DATABASE_URL": self.url}).invoke(
            main, ["feedback", "report", "--comments", *words]
        )
        assert done.exit_code == 0, done.output
        return done.output

    def report(self, *words: str) -> Json:
        found: Json = json.loads(self.command("--json", *words))
        return found


@pytest.fixture(
    scope="module",
    params=[
        "sqlite",
        pytest.param("postgresql", marks=pytest.mark.needs_environment("CDS_TEST_POSTGRESQL")),
    ],
)
def week(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Week]:
    folder = tmp_path_factory.mktemp("week")
    if request.param == "sqlite":
        yield Week(f"sqlite:///{folder}/week.sqlite", folder)
        return
    with database_on_postgresql() as url:
        CliRunner(env={"CDS_DATABASE_URL": url}).invoke(main, ["db", "upgrade"])
        yield Week(url, folder)


# --- the same figures by another way ------------------------------------------------------------


class Told:
    """One card as the EHR saw it: the call that first brought it, and what it sent about it."""

    def __init__(self, call: SentCall, card: Json, ledger: Ledger) -> None:
        self.call, self.card = call, card
        self.said = [
            one
            for one in ledger.feedback
            if (one.client, one.service, one.card) == (call.client, call.service, card["uuid"])
        ]
        named = card["extension"][RULES_EXTENSION]["ruleIds"]
        self.rules: list[str] = [f"b12-under-two/{one}" for one in named]
        self.edition = ledger.edition
        if call.local:
            self.edition += f" with local settings {sha256(LOCAL.encode()).hexdigest()[:8]}"

    def became(self) -> str:
        if not self.said:
            return "ignored"
        taken = any(one.outcome == "accepted" for one in self.said)
        return "accepted" if taken else "overridden"

    def seconds(self) -> float:
        return min((one.at - self.call.at).total_seconds() for one in self.said)


def told(ledger: Ledger, wanted: Callable[[SentCall], bool] = lambda call: True) -> list[Told]:
    seen: dict[tuple[str, str], Told] = {}
    for call in sorted(ledger.calls):
        for card in call.answer.get("cards", ()):
            if wanted(call) and (call.client, card["uuid"]) not in seen:
                seen[call.client, card["uuid"]] = Told(call, card, ledger)
    return list(seen.values())


def share(count: int, of: int) -> Json:
    """Wilson's interval as the roots of its quadratic equation: where the rate p that is 1.96
    standard errors away from what was seen, (seen - p)^2 = z^2 p (1 - p) / n."""
    if not of:
        return {"count": 0, "of": 0, "rate": None, "low": None, "high": None, "too_few": True}
    seen, z2 = count / of, 3.841458820694124 / of
    a, b, c = 1 + z2, -(2 * seen + z2), seen * seen
    root = max(b * b - 4 * a * c, 0) ** 0.5
    ends = ((-b - root) / (2 * a), (-b + root) / (2 * a))
    return {
        "count": count,
        "of": of,
        "rate": approx(seen),
        "low": approx(ends[0]),
        "high": approx(ends[1]),
        "too_few": of < 10,
    }


def approx(value: float) -> Any:
    return pytest.approx(value, abs=1e-9)


def quartiles(cards: Iterable[Told]) -> Json | None:
    found = sorted(one.seconds() for one in cards if one.said and one.seconds() >= 0)
    if not found:
        return None

    def at(part: float) -> Any:
        place = part * (len(found) - 1)
        low = int(place)
        high = min(low + 1, len(found) - 1)
        return pytest.approx(found[low] + (found[high] - found[low]) * (place - low), abs=1e-6)

    return {
        "count": len(found),
        "lower_quartile": at(0.25),
        "median": at(0.5),
        "upper_quartile": at(0.75),
    }


def line(name: str, cards: Sequence[Told]) -> Json:
    outcomes = Counter(one.became() for one in cards)
    return {
        "name": name,
        "shown": len(cards),
        "counted": len(cards),
        "with_suggestion": sum("suggestions" in one.card for one in cards),
        **{verdict: share(outcomes[verdict], len(cards)) for verdict in VERDICTS},
        "time": quartiles(cards),
    }


def lines(cards: Iterable[Told], of: Callable[[Told], str]) -> list[Json]:
    kinds: dict[str, list[Told]] = defaultdict(list)
    for one in cards:
        kinds[of(one)].append(one)
    ordered = sorted(kinds, key=lambda name: (URGENCY.index(name) if name in URGENCY else 9, name))
    return [line(name, kinds[name]) for name in ordered]


def a_monday(at: datetime) -> str:
    return at.strftime("%G-W%V")


DIMENSIONS: dict[str, Callable[[Told], str]] = {
    "rule": lambda one: one.rules[0],
    "indicator": lambda one: str(one.card["indicator"]),
    "hook": lambda one: one.call.hook,
    "client": lambda one: one.call.client,
    "week": lambda one: a_monday(one.call.at),
    "edition": lambda one: one.edition,
}


def words_of(reason: str) -> str:
    """The display of one of our codes; anything else is words already."""
    offered = load_services()[0].guideline.wording.override_reasons
    return next((one.display for one in offered if one.code == reason), reason)


# --- the figures --------------------------------------------------------------------------------


def test_the_week_is_worth_counting(week: Week) -> None:
    cards = told(week.ledger)
    assert len({call.patient for call in week.ledger.calls}) == CHILDREN
    assert len(cards) > 300
    assert {one.became() for one in cards} == set(VERDICTS)
    assert {call.status for call in week.ledger.calls} == {200, 400}
    assert all(len(lines(cards, of)) > 1 for of in DIMENSIONS.values())


def test_all_cards_are_counted_as_they_were_answered(week: Week) -> None:
    cards, report = told(week.ledger), week.report()
    assert report["all"] == line("all", cards)
    assert report["heard"] == line("heard", [c for c in cards if c.call.client != VILLAGE])
    assert report["silent_clients"] == [VILLAGE]
    assert report["ignored_after_hours"] == 24
    assert report["patients"] == len({one.call.patient for one in cards})


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_each_dimension_is_counted_as_it_was_answered(week: Week, dimension: str) -> None:
    assert week.report()["by"][dimension] == lines(told(week.ledger), DIMENSIONS[dimension])


def test_what_is_odd_is_counted(week: Week) -> None:
    cards, report = told(week.ledger), week.report()
    sent = [card["uuid"] for call in week.ledger.calls for card in call.answer.get("cards", ())]
    assert report["shown_again"] == len(sent) - len(cards) > 0
    both = [one for one in cards if {said.outcome for said in one.said} == {*VERDICTS[:2]}]
    assert report["both_ways"] == len(both) > 0
    early = [one for one in cards if one.said and one.seconds() < 0]
    assert report["before_shown"] == len(early) > 0
    assert report["unknown_cards"] == week.ledger.unknown > 0
    assert report["answered_not_counted"] == 0


def test_times_are_counted_by_outcome(week: Week) -> None:
    cards, report = told(week.ledger), week.report()
    for verdict in VERDICTS[:2]:
        of_it = [one for one in cards if one.became() == verdict]
        assert report["times"][verdict] == quartiles(of_it)
        seconds = sorted(one.seconds() for one in of_it if one.seconds() >= 0)
        assert report["seconds"][verdict] == [pytest.approx(one, abs=1e-6) for one in seconds]


def test_calls_are_counted_by_hook(week: Week) -> None:
    by_hook: dict[str, list[SentCall]] = defaultdict(list)
    for call in week.ledger.calls:
        by_hook[call.hook].append(call)
    expected = []
    for hook, calls in sorted(by_hook.items()):
        answered = [one.answer for one in calls if one.status == 200]
        silent = [one for one in answered if not one["cards"]]
        quiet = [one for one in silent if _outcome(one) == "nothing to say"]
        expected.append(
            {
                "name": hook,
                "calls": len(calls),
                "refused": len(calls) - len(answered),
                "with_card": share(len(answered) - len(silent), len(answered)),
                "nothing_to_say": len(quiet),
                "not_evaluated": len(silent) - len(quiet),
                "nothing_shown": 0,
            }
        )
    assert week.report()["calls"] == expected
    assert sum(one["not_evaluated"] + one["nothing_to_say"] for one in expected) > 0


def _outcome(answer: Json) -> str:
    return str(answer["extension"][EVALUATION]["outcome"])


def test_reasons_are_counted(week: Week) -> None:
    over = [one for one in told(week.ledger) if one.became() == "overridden"]
    reasons = Counter(_reason(one.said).reason for one in over)
    report = week.report()
    assert report["without_reason"] == share(reasons.pop(""), len(over))
    assert report["with_comment"] == sum(_reason(one.said).comment for one in over) > 0
    found = {one["display"]: one["cards"] for one in report["reasons"]}
    assert found == {words_of(name): share(count, len(over)) for name, count in reasons.items()}
    counts = [one["cards"]["count"] for one in report["reasons"]]
    assert counts == sorted(counts, reverse=True)
    assert "Clinical / Not now" in found


def _reason(said: Sequence[SentFeedback]) -> SentFeedback:
    (only,) = said
    return only


def test_the_guidelines_cards_are_counted(week: Week) -> None:
    """By what the EHR sees of a card: its rule, its topic and its urgency."""
    stationery = load_services()[0].stationery
    topics = {name: frame.source.topic.code for name, frame in stationery.frames.items()}
    expected: dict[tuple[str, str, str], list[Told]] = defaultdict(list)
    for one in told(week.ledger):
        topic = one.card["source"]["topic"]["code"]
        expected[one.rules[0], topic, one.card["indicator"]].append(one)
    found = week.report()["cards"]
    by_sight = {(one["rule"], topics[one["text"]], one["indicator"]): one for one in found}
    assert len(by_sight) == len(found), "two cards of the guideline look alike"
    assert by_sight.keys() == expected.keys()
    for key, cards in expected.items():
        one = by_sight[key]
        assert one["line"] == line(one["text"], cards)
        over = [told for told in cards if told.became() == "overridden"]
        given = Counter(_reason(told.said).reason for told in over)
        del given[""]
        most = max(given.values(), default=0)
        assert one["reason_count"] == most
        best = {words_of(name) for name, count in given.items() if count == most}
        assert one["reason"] in (best or {""})
    over_counts = [one["line"]["overridden"]["count"] for one in found]
    assert over_counts == sorted(over_counts, reverse=True)


def test_suggestions_are_counted(week: Week) -> None:
    offered: Counter[tuple[str, bool]] = Counter()
    taken: Counter[tuple[str, bool]] = Counter()
    unclear: set[str] = set()
    for one in told(week.ledger):
        suggestions = one.card.get("suggestions", [])
        accepted = {uuid for said in one.said for uuid in said.accepted}
        # The EHR is shown the rules of a card's suggestions, each once, after the card's own.
        own, *others = one.rules
        rules = others if len(others) == len(suggestions) else [own] * len(suggestions)
        if others and len(others) != len(suggestions):
            unclear.update(one.rules)
        for rule, suggestion in zip(rules, suggestions, strict=True):
            key = (rule, bool(suggestion.get("isRecommended")))
            offered[key] += 1
            taken[key] += suggestion["uuid"] in accepted
    found = {
        (one["rule"], one["recommended"]): one["taken"] for one in week.report()["suggestions"]
    }
    clear = {key for key in offered if key[0] not in unclear}
    assert len(clear) > 20
    for key in clear:
        assert found[key] == share(taken[key], offered[key]), key
    # What cannot be distinguished rule by rule still adds up.
    for recommended in (True, False):
        total = [one for (_, best), one in found.items() if best == recommended]
        assert sum(one["of"] for one in total) == _sum(offered, recommended)
        assert sum(one["count"] for one in total) == _sum(taken, recommended)


def _sum(counted: Counter[tuple[str, bool]], recommended: bool) -> int:
    return sum(count for (_, best), count in counted.items() if best == recommended)


def test_nothing_is_listed_as_not_shown_where_everything_was(week: Week) -> None:
    report = week.report()
    assert report["unshown"] == report["comparisons"] == []


# --- a part of the week -------------------------------------------------------------------------


def test_a_report_can_be_about_some_days(week: Week) -> None:
    since, until = datetime(2026, 1, 10, tzinfo=UTC), datetime(2026, 1, 13, tzinfo=UTC)
    cards = told(week.ledger, lambda call: since <= call.at < until)
    report = week.report("--since", "2026-01-10", "--until", "2026-01-12")
    assert report["all"] == line("all", cards)
    assert report["by"]["edition"] == lines(cards, DIMENSIONS["edition"])
    assert report["unknown_cards"] == 3
    assert (report["selection"]["since"], report["selection"]["until"]) == (
        "2026-01-10T00:00:00Z",
        "2026-01-13T00:00:00Z",
    )


def test_a_report_can_be_about_one_service_and_client(week: Week) -> None:
    service = "b12-under-two-order-sign"
    cards = told(week.ledger, lambda call: (call.client, call.service) == (NORTH, service))
    report = week.report("--client", NORTH, "--service", service)
    assert report["all"] == line("all", cards)
    assert [one["name"] for one in report["by"]["client"]] == [NORTH]
    assert [one["name"] for one in report["by"]["hook"]] == ["order-sign"]


# --- its other forms ----------------------------------------------------------------------------


def test_the_table_for_a_spreadsheet_holds_the_same(week: Week) -> None:
    rows = list(csv.DictReader(StringIO(week.command("--csv"))))
    report = week.report()
    (everything,) = [row for row in rows if (row["group"], row["name"]) == ("all", "all")]
    assert int(everything["shown"]) == report["all"]["shown"]
    for dimension in DIMENSIONS:
        of_it = [row for row in rows if row["group"] == dimension]
        assert [row["name"] for row in of_it] == [one["name"] for one in report["by"][dimension]]
        for row, one in zip(of_it, report["by"][dimension], strict=True):
            for verdict in VERDICTS:
                assert int(row[verdict]) == one[verdict]["count"]
                assert float(row[f"{verdict}_high"]) == round(one[verdict]["high"], 4)


def test_the_text_and_the_page_say_the_same_numbers(week: Week, tmp_path: Path) -> None:
    report = week.report()
    text = week.command()
    week.command("--html", f"{tmp_path}/report.html")
    page = html.unescape((tmp_path / "report.html").read_text(encoding="utf-8"))
    for one in report["by"]["client"]:
        said = f"{one['overridden']['rate'] * 100:.0f}"
        ends = f"({one['overridden']['low'] * 100:.0f}–{one['overridden']['high'] * 100:.0f})"
        few = f"{one['overridden']['count']}: too few {ends}"
        told = few if one["overridden"]["too_few"] else f"{said} % {ends}"
        assert re.search(rf"{one['name']}.*{re.escape(told)}", text)
        row = page[page.index(f"<th scope=row>{one['name']}") :].partition("</tr>")[0]
        if not one["overridden"]["too_few"]:
            assert f"<b>{said}\N{NO-BREAK SPACE}%</b> <span class=ci>{ends}" in row
    assert f"No feedback at all came from {VILLAGE}" in text
    assert "asked the metabolic clinic" not in text + page + json.dumps(report)
    assert not re.search(r"<script|https?://|src=|@import|url\(", page)


def test_the_example_in_the_documents_is_this_weeks(week: Week) -> None:
    assert f"\n```\n{excerpt(week.command())}\n```\n" in EXAMPLE.read_text(encoding="utf-8"), (
        "rewrite it: PYTHONPATH=tests/support python tests/store/week.py FOLDER"
    )
