"""What was accepted and what was overridden, in figures, from what was kept.

Pure: rows go in, a `Report` comes out, and the moment it is made at is an argument.

What is counted is a *card shown*: one uuid of one client and service, however often the same call
was answered. What was evaluated without being shown (suppressed, shadow, challenger) is counted
elsewhere and never here. CDS Hooks lets clients keep feedback to themselves, and none reports a
card that was ignored; so *ignored* means that no answer has come although the card was shown longer
ago than a stated time. A younger card is not counted yet, whether answered or not: counting only
the answered ones would flatter the advice. A card answered both ways counts as accepted, since many
clients dismiss a card once its suggestion is taken.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from math import sqrt
from statistics import quantiles
from typing import Literal

from msgspec import Struct, structs

from cds_service.cdshooks.feedback import Feedback, Reason
from cds_service.store.audit import Card

LIVE = "live"
#: Fewer cards get no rate: around one half, the interval covers half of all possible rates.
FEW = 10
#: Two-sided 95 %.
_Z = 1.959963984540054

#: What the cards are counted by, besides all together.
DIMENSIONS = ("rule", "indicator", "hook", "client", "week", "edition")
Verdict = Literal["accepted", "overridden", "ignored"]
#: Indicators by urgency; everything else is in the order of names.
_URGENCY = {"critical": 0, "warning": 1, "info": 2}
NO_CLIENT = "(open mode)"


# --- what goes in -------------------------------------------------------------------------------


class Call(Struct, frozen=True):
    """One kept consultation. ``edition`` is the guideline's, with the site's overrides if any."""

    at: datetime
    client: str | None
    service: str
    hook: str
    hook_instance: str | None
    patient: str | None
    arm: str
    status: int
    outcome: str | None
    edition: str | None
    cards: tuple[Card, ...] = ()


class Answer(Struct, frozen=True):
    """One item of feedback, and whose it is."""

    client: str | None
    service: str
    said: Feedback


class Selection(Struct, frozen=True):
    """Which calls a report is about: from ``since`` until before ``until``; "" and () for any."""

    since: datetime | None = None
    until: datetime | None = None
    services: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()


class Rows(Struct, frozen=True):
    """What was kept of a selection: calls in order of time, answers on their cards, and how many
    answers of the same time are on cards that nothing is kept of."""

    calls: Sequence[Call]
    answers: Sequence[Answer]
    unknown_cards: int = 0


# --- what comes out -----------------------------------------------------------------------------


class Rate(Struct, frozen=True):
    """``count`` of ``of``, with the ends of the 95 % interval; without any there is no rate."""

    count: int
    of: int
    rate: float | None
    low: float | None
    high: float | None
    too_few: bool


class Times(Struct, frozen=True):
    """Seconds from showing to first answer: how many answers, their median and quartiles."""

    count: int
    lower_quartile: float
    median: float
    upper_quartile: float


class Line(Struct, frozen=True):
    """The cards of one kind: ``counted`` are those whose time for an answer is up."""

    name: str
    shown: int
    counted: int
    with_suggestion: int
    accepted: Rate
    overridden: Rate
    ignored: Rate
    time: Times | None


class CardLine(Struct, frozen=True):
    """The same for one card of the guideline, with the reason given most often, if any."""

    rule: str
    text: str
    indicator: str
    line: Line
    reason: str
    reason_count: int


class CategoryLine(Struct, frozen=True):
    """How many overridden cards gave a reason of this category of the standard, a card's reason
    or one of the standard itself; "" is any other."""

    category: str
    cards: Rate


class ReasonLine(Struct, frozen=True):
    """How many overridden cards gave this reason; a card may give several."""

    system: str
    code: str
    display: str
    cards: Rate


class SuggestionLine(Struct, frozen=True):
    rule: str
    recommended: bool
    taken: Rate


class CallLine(Struct, frozen=True):
    """The calls of one hook, by what became of them; ``nothing_shown`` are those whose every card
    was held back, or whose service is only in trial."""

    name: str
    calls: int
    refused: int
    with_card: Rate
    nothing_to_say: int
    not_evaluated: int
    nothing_shown: int


class Unshown(Struct, frozen=True):
    """Cards that were evaluated and not shown, and why."""

    arm: str
    why: str
    rule: str
    text: str
    indicator: str
    cards: int


class CardComparison(Struct, frozen=True):
    """One card of the guideline in two arms that answered the same calls.

    ``same`` reads alike word for word, dose for dose. ``reworded`` comes of the same rule with
    the same text, urgency and suggestions, but a dose or a word differs; ``changed`` does not.
    """

    rule: str
    text: str
    same: int
    reworded: int
    changed: int
    only_live: int
    only_other: int


class Comparison(Struct, frozen=True):
    """An arm compared with the live one: the calls both answered, and their cards one by one."""

    arm: str
    edition: str
    calls: int
    without_live: int
    agreeing: Rate
    cards: tuple[CardComparison, ...]


class Report(Struct, frozen=True):
    """All figures. ``heard`` are the cards of clients that sent any feedback on a card shown,
    ``silent_clients`` the others, of which only what they were shown is known; ``times`` and
    ``seconds`` are by outcome."""

    made_at: datetime
    selection: Selection
    first: datetime | None
    last: datetime | None
    ignored_after_hours: float
    calls: tuple[CallLine, ...]
    patients: int | None
    shown_again: int
    all: Line
    heard: Line
    silent_clients: tuple[str, ...]
    by: Mapping[str, tuple[Line, ...]]
    cards: tuple[CardLine, ...]
    reasons: tuple[ReasonLine, ...]
    without_reason: Rate
    with_comment: int
    suggestions: tuple[SuggestionLine, ...]
    both_ways: int
    before_shown: int
    answered_not_counted: int
    unknown_cards: int
    times: Mapping[str, Times | None]
    seconds: Mapping[str, tuple[float, ...]]
    unshown: tuple[Unshown, ...]
    comparisons: tuple[Comparison, ...]
    reason_categories: tuple[CategoryLine, ...] = ()


def rate(count: int, of: int) -> Rate:
    """``count`` of ``of`` with its Wilson score interval at 95 %.

    E. B. Wilson, Probable inference, the law of succession, and statistical inference, Journal of
    the American Statistical Association 22 (1927) 209-212; recommended for small numbers by L. D.
    Brown, T. T. Cai and A. DasGupta, Interval estimation for a binomial proportion, Statistical
    Science 16 (2001) 101-133. It never leaves 0 to 1 and has width where nothing or all was seen.
    """
    if not of:
        return Rate(count, of, None, None, None, True)
    p, z2 = count / of, _Z * _Z
    middle = (p + z2 / (2 * of)) / (1 + z2 / of)
    half = _Z * sqrt(p * (1 - p) / of + z2 / (4 * of * of)) / (1 + z2 / of)
    low = 0.0 if count == 0 else middle - half
    high = 1.0 if count == of else middle + half
    return Rate(count, of, p, low, high, of < FEW)


def times(seconds: Sequence[float]) -> Times | None:
    """Median and quartiles, between the two nearest values where they fall between (the
    "inclusive" method of Python's `statistics`, type 7 of Hyndman and Fan 1996)."""
    if not seconds:
        return None
    if len(seconds) == 1:
        return Times(1, seconds[0], seconds[0], seconds[0])
    lower, median, upper = quantiles(seconds, n=4, method="inclusive")
    return Times(len(seconds), lower, median, upper)


# --- one card shown -----------------------------------------------------------------------------


class _Shown(Struct):
    """A card as it was first shown, and every answer to it."""

    call: Call
    card: Card
    again: int = 0
    answers: Sequence[Feedback] = ()

    @property
    def verdict(self) -> Verdict:
        outcomes = {one.outcome for one in self.answers}
        if "accepted" in outcomes:
            return "accepted"
        return "overridden" if outcomes else "ignored"

    @property
    def seconds(self) -> float | None:
        """From showing to the first answer, by two clocks: below zero the client's is behind."""
        if not self.answers:
            return None
        return (min(one.outcome_at for one in self.answers) - self.call.at).total_seconds()

    @property
    def reasons(self) -> set[Reason]:
        return {reason for one in self.answers for reason in one.reasons}

    def answered(self) -> bool:
        return bool(self.answers)

    def answered_both_ways(self) -> bool:
        return len({one.outcome for one in self.answers}) > 1

    def answered_before_shown(self) -> bool:
        return (self.seconds or 0) < 0

    def has_comment(self) -> bool:
        return any(one.comment for one in self.answers)

    def has_no_reason(self) -> bool:
        return not self.reasons


def _shown(rows: Rows) -> list[_Shown]:
    found: dict[tuple[str | None, str, str], _Shown] = {}
    for call in rows.calls:
        if call.arm != LIVE:
            continue
        for card in call.cards:
            if card.hidden:
                continue
            key = (call.client, call.service, card.uuid)
            if key in found:
                found[key].again += 1
            else:
                found[key] = _Shown(call, card)
    answers: dict[_Key, list[Feedback]] = defaultdict(list)
    for answer in rows.answers:
        answers[answer.client, answer.service, answer.said.card].append(answer.said)
    for key, one in found.items():
        one.answers = answers.pop(key, ())
    return list(found.values())


_Key = tuple[str | None, str, str]


def make_report(
    rows: Rows, selection: Selection, made_at: datetime, ignored_after: timedelta
) -> Report:
    """Every figure of the report on ``rows``, as of ``made_at``."""
    shown = _shown(rows)
    old = [one for one in shown if made_at - one.call.at >= ignored_after]
    counted = set(map(id, old))
    overridden = _of_verdict(old, "overridden")
    heard = {one.call.client for one in shown if one.answers}
    words = _words(overridden)
    seconds = _seconds(old)
    return Report(
        made_at=made_at,
        selection=selection,
        first=rows.calls[0].at if rows.calls else None,
        last=rows.calls[-1].at if rows.calls else None,
        ignored_after_hours=ignored_after.total_seconds() / 3600,
        calls=_calls(rows.calls),
        patients=_patients(shown),
        shown_again=sum(one.again for one in shown),
        all=_line("all", shown, counted),
        heard=_line("heard", [one for one in shown if one.call.client in heard], counted),
        silent_clients=_silent(shown, heard),
        by={name: _lines(shown, counted, kind) for name, kind in _KINDS.items()},
        cards=_cards(shown, counted, words),
        reasons=_reasons(overridden, words),
        without_reason=rate(sum(map(_Shown.has_no_reason, overridden)), len(overridden)),
        with_comment=sum(map(_Shown.has_comment, overridden)),
        suggestions=_suggestions(old),
        both_ways=sum(map(_Shown.answered_both_ways, old)),
        before_shown=sum(map(_Shown.answered_before_shown, old)),
        answered_not_counted=_answered(shown) - _answered(old),
        unknown_cards=rows.unknown_cards + len(rows.answers) - _answers(shown),
        times={name: times(found) for name, found in seconds.items()},
        seconds=seconds,
        unshown=_unshown(rows.calls),
        comparisons=tuple(_comparisons(rows.calls)),
    )


#: What a card counts under, by each of `DIMENSIONS`.
_KINDS: Mapping[str, Callable[[_Shown], str]] = {
    "rule": lambda one: one.card.rule,
    "indicator": lambda one: one.card.indicator,
    "hook": lambda one: one.call.hook,
    "client": lambda one: one.call.client or NO_CLIENT,
    "week": lambda one: week(one.call.at),
    "edition": lambda one: one.call.edition or "",
}


def _lines(
    shown: Iterable[_Shown], counted: set[int], kind: Callable[[_Shown], str]
) -> tuple[Line, ...]:
    """A line for each kind of card, the urgent first, else in the order of names."""
    kinds: dict[str, list[_Shown]] = defaultdict(list)
    for one in shown:
        kinds[kind(one)].append(one)
    ordered = sorted(kinds, key=lambda name: (_URGENCY.get(name, 9), name))
    return tuple(_line(name, kinds[name], counted) for name in ordered)


def _of_verdict(old: Iterable[_Shown], verdict: Verdict) -> list[_Shown]:
    return [one for one in old if one.verdict == verdict]


def _seconds(old: Sequence[_Shown]) -> dict[str, tuple[float, ...]]:
    """The times to the first answer in order, by what the answer was."""
    answered: tuple[Verdict, ...] = ("accepted", "overridden")
    return {one: tuple(sorted(_answer_times(_of_verdict(old, one)))) for one in answered}


def _patients(shown: Sequence[_Shown]) -> int | None:
    """How many patients cards were shown for; ``None`` where one of them is not known."""
    if not all(one.call.patient for one in shown):
        return None
    return len({(one.call.client, one.call.patient) for one in shown})


def _silent(shown: Iterable[_Shown], heard: set[str | None]) -> tuple[str, ...]:
    found = {one.call.client or NO_CLIENT for one in shown if one.call.client not in heard}
    return tuple(sorted(found))


def _answered(shown: Iterable[_Shown]) -> int:
    return sum(map(_Shown.answered, shown))


def _answers(shown: Iterable[_Shown]) -> int:
    return sum(len(one.answers) for one in shown)


def week(at: datetime) -> str:
    """The ISO week of a moment, by UTC."""
    year, number, _ = at.date().isocalendar()
    return f"{year}-W{number:02}"


def monday(name: str) -> date:
    return date.fromisoformat(f"{name}-1")


def _line(name: str, shown: Iterable[_Shown], counted: set[int]) -> Line:
    everything = list(shown)
    old = [one for one in everything if id(one) in counted]
    verdicts = Counter(one.verdict for one in old)
    return Line(
        name,
        len(everything),
        len(old),
        sum(bool(one.card.suggestions) for one in old),
        rate(verdicts["accepted"], len(old)),
        rate(verdicts["overridden"], len(old)),
        rate(verdicts["ignored"], len(old)),
        times(sorted(_answer_times(old))),
    )


def _answer_times(shown: Iterable[_Shown]) -> Iterator[float]:
    """Those that can be times: an answer before the card says only that two clocks differ."""
    for one in shown:
        if one.seconds is not None and one.seconds >= 0:
            yield one.seconds


def _calls(calls: Iterable[Call]) -> tuple[CallLine, ...]:
    by_hook: dict[str, list[Call]] = defaultdict(list)
    for call in calls:
        if call.arm == LIVE:
            by_hook[call.hook].append(call)
    lines = []
    for hook, made in sorted(by_hook.items()):
        answered = [one for one in made if one.status == 200]
        spoke = sum(any(not card.hidden for card in one.cards) for one in answered)
        quiet = sum(one.outcome == "nothing to say" for one in answered)
        not_evaluated = sum(one.outcome == "not evaluated" for one in answered)
        lines.append(
            CallLine(
                hook,
                len(made),
                len(made) - len(answered),
                rate(spoke, len(answered)),
                quiet,
                not_evaluated,
                len(answered) - spoke - quiet - not_evaluated,
            )
        )
    return tuple(lines)


#: A reason by its code, else by its words.
_ReasonKey = tuple[str, str, str]


def _key(reason: Reason) -> _ReasonKey:
    return reason.system, reason.code, "" if reason.code else reason.display


def _words(overridden: Iterable[_Shown]) -> dict[_ReasonKey, str]:
    """The words sent most often with each reason: many clients send a code alone."""
    sent: dict[_ReasonKey, Counter[str]] = defaultdict(Counter)
    for one in overridden:
        for reason in one.reasons:
            sent[_key(reason)][reason.display] += bool(reason.display)
    return {key: min(words, key=lambda word: (-words[word], word)) for key, words in sent.items()}


def _cards(
    shown: Iterable[_Shown], counted: set[int], words: Mapping[_ReasonKey, str]
) -> tuple[CardLine, ...]:
    """The guideline's cards, those overridden most often first."""
    kinds: dict[tuple[str, str, str], list[_Shown]] = defaultdict(list)
    for one in shown:
        kinds[one.card.rule, one.card.text, one.card.indicator].append(one)
    lines = []
    for (rule, text, indicator), group in kinds.items():
        given: Counter[_ReasonKey] = Counter()
        for one in group:
            if id(one) in counted and one.verdict == "overridden":
                given.update({_key(reason) for reason in one.reasons})
        most = min(given, key=lambda key: (-given[key], key), default=None)
        lines.append(
            CardLine(
                rule,
                text,
                indicator,
                _line(text, group, counted),
                (words[most] or most[1]) if most else "",
                given[most] if most else 0,
            )
        )
    lines.sort(key=lambda one: (-one.line.overridden.count, one.text, one.indicator))
    return tuple(lines)


def _reasons(
    overridden: Sequence[_Shown], words: Mapping[_ReasonKey, str]
) -> tuple[ReasonLine, ...]:
    """Every reason, the most frequent first."""
    cards: Counter[_ReasonKey] = Counter()
    for one in overridden:
        cards.update({_key(reason) for reason in one.reasons})
    lines = [
        ReasonLine(key[0], key[1], words[key], rate(count, len(overridden)))
        for key, count in cards.items()
    ]
    lines.sort(key=lambda one: (-one.cards.count, one.system, one.code, one.display))
    return tuple(lines)


def in_categories(report: Report, rows: Rows, categories: Mapping[tuple[str, str], str]) -> Report:
    """A report on ``rows`` with the ``categories`` of the reasons given, by system and code, the
    most frequent first, and others last. Clients may send a code without its system."""
    wait = timedelta(hours=report.ignored_after_hours)
    old = [one for one in _shown(rows) if report.made_at - one.call.at >= wait]
    overridden = _of_verdict(old, "overridden")
    by_code = {code: category for (_, code), category in categories.items()}
    cards: Counter[str] = Counter()
    for one in overridden:
        cards.update(
            {
                categories.get((reason.system, reason.code), "")
                if reason.system
                else by_code.get(reason.code, "")
                for reason in one.reasons
            }
        )
    lines = [CategoryLine(name, rate(count, len(overridden))) for name, count in cards.items()]
    lines.sort(key=lambda one: (not one.category, -one.cards.count, one.category))
    return structs.replace(report, reason_categories=tuple(lines))


def _suggestions(old: Iterable[_Shown]) -> tuple[SuggestionLine, ...]:
    offered: Counter[tuple[str, bool]] = Counter()
    taken: Counter[tuple[str, bool]] = Counter()
    for one in old:
        accepted = {uuid for item in one.answers for uuid in item.accepted}
        for suggestion in one.card.suggestions:
            key = (suggestion.rule, suggestion.recommended)
            offered[key] += 1
            taken[key] += suggestion.uuid in accepted
    return tuple(
        SuggestionLine(rule, recommended, rate(taken[rule, recommended], count))
        for (rule, recommended), count in sorted(
            offered.items(), key=lambda item: (item[0][0], not item[0][1])
        )
    )


# --- what was not shown -------------------------------------------------------------------------


def _unshown(calls: Iterable[Call]) -> tuple[Unshown, ...]:
    found: Counter[tuple[str, str, str, str, str]] = Counter()
    for call in calls:
        for card in call.cards:
            if card.hidden or call.arm != LIVE:
                why = card.hidden or call.arm
                found[call.arm, why, card.rule, card.text, card.indicator] += 1
    ordered = sorted(found.items(), key=lambda item: (item[0][:2], -item[1], item[0]))
    return tuple(Unshown(*key, count) for key, count in ordered)


def _comparisons(calls: Sequence[Call]) -> Iterator[Comparison]:
    """Every other arm compared with the live one, by edition.

    Two arms answered the same call when client, service and hook instance are the same; of several
    times that one was answered, those nearest in time belong together.
    """
    live: dict[_Key, list[Call]] = defaultdict(list)
    others: dict[tuple[str, str], list[Call]] = defaultdict(list)
    for call in calls:
        if call.arm != LIVE:
            others[call.arm, call.edition or ""].append(call)
        elif call.hook_instance:
            live[call.client, call.service, call.hook_instance].append(call)
    for (arm, edition), made in sorted(others.items()):
        pairs = []
        for other in made:
            same = live.get((other.client, other.service, other.hook_instance or ""))
            if same:
                nearest = min(same, key=lambda one: abs(one.at - other.at))
                pairs.append((nearest, other))
        yield _comparison(arm, edition, pairs, len(made) - len(pairs))


def _comparison(
    arm: str, edition: str, pairs: Sequence[tuple[Call, Call]], without_live: int
) -> Comparison:
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    agreeing = 0
    for live, other in pairs:
        agree = True
        for card, what in _matched(live.cards, other.cards):
            counts[card.text, card.rule][what] += 1
            agree = agree and what == "same"
        agreeing += agree
    cards = tuple(
        CardComparison(
            rule,
            text,
            found["same"],
            found["reworded"],
            found["changed"],
            found["only live"],
            found["only other"],
        )
        for (text, rule), found in sorted(
            counts.items(), key=lambda item: (_alike(item[1]), item[0])
        )
    )
    return Comparison(arm, edition, len(pairs), without_live, rate(agreeing, len(pairs)), cards)


def _alike(found: Mapping[str, int]) -> int:
    """Less for larger differences: what differs most is read first."""
    return -sum(count for what, count in found.items() if what != "same")


def _matched(live: Iterable[Card], other: Iterable[Card]) -> Iterator[tuple[Card, str]]:
    """Every card of both sides once, and how it compares: cards on one topic belong together."""
    left: dict[str, list[Card]] = defaultdict(list)
    for card in other:
        left[card.topic or card.text].append(card)
    for card in live:
        counterparts = left[card.topic or card.text]
        if not counterparts:
            yield card, "only live"
            continue
        counterpart = counterparts.pop(0)
        if _says(card) != _says(counterpart):
            yield card, "changed"
        else:
            yield card, "same" if card.digest == counterpart.digest else "reworded"
    for cards in left.values():
        for card in cards:
            yield card, "only other"


def _says(card: Card) -> tuple[object, ...]:
    return card.rule, card.text, card.indicator, [(s.rule, s.recommended) for s in card.suggestions]
