"""A report in plain text, and as one table for a spreadsheet."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from io import StringIO

from cds_service.language import (
    Language,
    Listed,
    Message,
    Percent,
    Rounded,
    Span,
    Value,
    Words,
    say,
)
from cds_service.language.house import Report as R
from cds_service.store.reports.figures import (
    FEW,
    CardLine,
    Line,
    Rate,
    Report,
    Times,
    Unshown,
    monday,
)

#: The dimensions in words, in the order they are shown.
TITLES: Mapping[str, Message] = {
    "rule": say(R.by_rule),
    "indicator": say(R.by_indicator),
    "hook": say(R.by_hook),
    "client": say(R.by_client),
    "week": say(R.by_week),
    "edition": say(R.by_edition),
}
VERDICTS: Mapping[str, Message] = {
    "accepted": say(R.accepted),
    "overridden": say(R.overridden),
    "ignored": say(R.ignored),
}
#: How many lines a list ordered by number has.
MOST = 15
_NONE = say(R.none)


# --- pieces that the page needs too -------------------------------------------------------------


def clean(text: str) -> str:
    """What clients sent, in one line and without active characters."""
    visible = "".join(one if one.isprintable() else " " for one in text)
    return visible if len(visible) <= 200 else f"{visible[:200]}…"


def percent(rate: Rate) -> Value:
    if rate.rate is None:
        return _NONE
    return say(R.too_few) if rate.too_few else Percent(rate.rate)


def interval(rate: Rate) -> Value:
    if rate.low is None or rate.high is None:
        return ""
    return say(R.interval, low=Rounded(rate.low * 100), high=Rounded(rate.high * 100))


def around(times: Times) -> Message:
    """What accompanies a median: the quartiles, or how few answers it is based on."""
    if times.count < 4:
        return say(R.of_few, count=times.count)
    lower, upper = Span(times.lower_quartile), Span(times.upper_quartile)
    return say(R.quartiles, lower=lower, upper=upper)


def spread(times: Times | None) -> Message:
    if times is None:
        return _NONE
    return say(R.spread, median=Span(times.median), around=around(times))


def kind(dimension: str, line: Line) -> Words:
    """The name of a line; a week is also given its Monday."""
    if dimension == "week":
        return say(R.week, week=line.name, monday=monday(line.name))
    return clean(line.name)


def hours(report: Report) -> Decimal:
    """After how many hours without an answer a card counts as ignored."""
    return Decimal(f"{report.ignored_after_hours:g}")


def period(report: Report) -> Message:
    """What the report is about, and when it was made."""
    chosen = report.selection
    calls = _calls_asked(chosen.since, chosen.until)
    if only := tuple(map(clean, (*chosen.services, *chosen.clients))):
        calls = say(R.calls_of, calls=calls, names=Listed(only))
    found = say(R.no_call)
    if report.first and report.last:
        found = say(R.first_and_last, first=report.first, last=report.last)
    return say(R.period, calls=calls, found=found, made=report.made_at)


def _calls_asked(since: datetime | None, until: datetime | None) -> Message:
    if since and until:
        return say(R.calls_between, since=since, until=until)
    if since:
        return say(R.calls_since, since=since)
    return say(R.calls_until, until=until) if until else say(R.all_calls)


def withheld(report: Report) -> list[Unshown]:
    """What was held back; an arm that is compared with the live one appears there, card by card."""
    compared = {one.arm for one in report.comparisons if one.calls}
    return [one for one in report.unshown if one.arm not in compared]


def most_overridden(report: Report) -> list[CardLine]:
    """The cards that were overridden at all, most often first."""
    return [one for one in report.cards if one.line.overridden.count][:MOST]


def notes(report: Report) -> Iterator[Message]:
    """How to read the figures, and what is odd about them."""
    yield say(R.counted_is)
    yield say(R.ignored_is, hours=hours(report))
    if report.silent_clients:
        yield say(R.silent, clients=Listed(tuple(map(clean, report.silent_clients))))
    shown = report.all.shown
    young, answered = shown - report.all.counted, report.answered_not_counted
    if young:
        yield say(R.young, young=young, shown=shown, hours=hours(report), answered=answered)
    yield say(R.interval_is, few=FEW)
    yield say(R.accepted_is, count=report.both_ways)
    odd = report.before_shown
    yield say(R.time_is_odd, count=odd) if odd else say(R.time_is)
    if report.unknown_cards:
        yield say(R.unknown_cards, count=report.unknown_cards)
    if report.shown_again:
        yield say(R.shown_again, count=report.shown_again)


# --- plain text ---------------------------------------------------------------------------------


def in_words(report: Report, language: Language) -> Iterator[str]:
    """The report for a terminal."""
    for line in _lines(report, language):
        yield language.text(line)


def _lines(report: Report, language: Language) -> Iterator[Words]:
    yield say(R.heading)
    yield period(report)
    yield ""
    yield from _table(
        language,
        (
            say(R.head_calls),
            say(R.calls),
            say(R.with_a_card),
            say(R.nothing_to_say),
            say(R.not_evaluated),
            say(R.hidden),
            say(R.refused),
        ),
        [
            (
                one.name,
                one.calls,
                _cell(one.with_card),
                one.nothing_to_say,
                one.not_evaluated,
                one.nothing_shown,
                one.refused,
            )
            for one in report.calls
        ],
    )
    if not report.all.shown:
        yield say(R.no_card)
    else:
        if report.patients is not None:
            yield say(R.children, count=report.patients)
            yield ""
        yield from _answers(report, language)
    yield from _not_shown(report, language)
    yield say(R.how_to_read)
    for note in notes(report):
        yield f"- {language.fill(note)}"


def _why_overridden(report: Report, language: Language) -> Iterator[str]:
    reasons: list[Sequence[Value]] = [
        (clean(one.display or one.code), _cell(one.cards)) for one in report.reasons[:MOST]
    ]
    if report.without_reason.of:
        reasons.append((say(R.no_reason_in_list), _cell(report.without_reason)))
        reasons.append((say(R.with_comment), report.with_comment))
    yield from _table(language, (say(R.head_reasons), say(R.cards)), reasons)
    categories = [
        (one.category or say(R.no_category), _cell(one.cards)) for one in report.reason_categories
    ]
    yield from _table(language, (say(R.head_categories), say(R.cards)), categories)


def _answers(report: Report, language: Language) -> Iterator[str]:
    all_cards = [_line(say(R.all_clients), report.all)]
    if report.silent_clients and report.heard.shown:
        all_cards.append(_line(say(R.heard), report.heard))
    yield from _table(language, _head(say(R.all_cards)), all_cards)
    for dimension, title in TITLES.items():
        lines = [_line(kind(dimension, one), one) for one in report.by[dimension]]
        yield from _table(language, _head(title), lines)
    yield from _table(
        language,
        (
            say(R.head_overridden),
            say(R.urgency),
            say(R.rule),
            say(R.overridden),
            say(R.of),
            say(R.most_frequent_reason),
        ),
        [
            (
                one.text,
                one.indicator,
                one.rule,
                _cell(one.line.overridden),
                one.line.counted,
                say(R.reason, reason=clean(one.reason), count=one.reason_count)
                if one.reason
                else _NONE,
            )
            for one in most_overridden(report)
        ],
    )
    yield from _why_overridden(report, language)
    yield from _table(
        language,
        (say(R.head_suggestions), say(R.recommended), say(R.offered), say(R.taken)),
        [
            (
                one.rule,
                say(R.yes) if one.recommended else say(R.no),
                one.taken.of,
                _cell(one.taken),
            )
            for one in report.suggestions
        ],
    )
    yield from _table(
        language,
        (say(R.head_times), say(R.answers), say(R.median_and_quartiles)),
        [
            (VERDICTS.get(name, name), found.count if found else 0, spread(found))
            for name, found in report.times.items()
        ],
    )


def _not_shown(report: Report, language: Language) -> Iterator[Words]:
    yield from _table(
        language,
        (say(R.head_not_shown), say(R.why), say(R.rule), say(R.urgency), say(R.cards)),
        [
            (one.text, clean(one.why), one.rule, one.indicator, one.cards)
            for one in withheld(report)
        ],
    )
    for one in report.comparisons:
        title = say(R.beside_live_unnamed, arm=one.arm)
        if one.edition:
            title = say(R.beside_live, arm=one.arm, edition=one.edition)
        if not one.calls:
            yield say(R.none_beside_live, title=title, count=one.without_live)
            yield ""
            continue
        yield say(R.answered_by_both, title=title, count=one.calls, alike=_cell(one.agreeing))
        if one.without_live:
            yield say(R.more_without_live, count=one.without_live)
        yield say(R.alike_means)
        yield from _table(
            language,
            (
                say(R.head_card),
                say(R.rule),
                say(R.alike),
                say(R.reworded),
                say(R.changed),
                say(R.only_live),
                say(R.only_other, arm=one.arm),
            ),
            [
                (
                    card.text,
                    card.rule,
                    card.same,
                    card.reworded,
                    card.changed,
                    card.only_live,
                    card.only_other,
                )
                for card in one.cards
            ],
        )


def _head(title: Message) -> tuple[Message, ...]:
    return (title, say(R.shown), say(R.counted), *VERDICTS.values(), say(R.time_to_answer))


def _line(name: Words, line: Line) -> tuple[Value, ...]:
    accepted = _cell(line.accepted)
    return (
        name,
        line.shown,
        line.counted,
        accepted if line.with_suggestion or not line.counted else say(R.nothing_to_accept),
        _cell(line.overridden),
        _cell(line.ignored),
        spread(line.time),
    )


def _cell(rate: Rate) -> Message:
    if rate.rate is None:
        return _NONE
    return say(R.rate, count=rate.count, percent=percent(rate), interval=interval(rate))


def _table(
    language: Language, head: Sequence[Value], rows: Sequence[Sequence[Value]]
) -> Iterator[str]:
    if not rows:
        return
    written = [[language.text(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*written, strict=True)]
    for index, row in enumerate(written):
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        if index == 0:
            yield "  ".join("─" * width for width in widths)
    yield ""


# --- one table ----------------------------------------------------------------------------------

_COLUMNS = (
    *("group", "name", "shown", "counted", "with_suggestion"),
    *("accepted", "accepted_low", "accepted_high"),
    *("overridden", "overridden_low", "overridden_high"),
    *("ignored", "ignored_low", "ignored_high"),
    *("answers", "lower_quartile_s", "median_s", "upper_quartile_s"),
)


def as_csv(report: Report) -> str:
    """Every line of the report in one table for programs, the same in every language: counts, the
    ends of the intervals, seconds."""
    written = StringIO()
    table = csv.DictWriter(written, _COLUMNS, restval="", lineterminator="\r\n")
    table.writeheader()
    for row in _rows(report):
        table.writerow({name: _inert(value) for name, value in row.items()})
    return written.getvalue()


def _rows(report: Report) -> Iterator[Mapping[str, object]]:
    lines: list[tuple[str, str, Line]] = [
        ("all", "all", report.all),
        ("all", "clients that send feedback", report.heard),
    ]
    lines += [(name, one.name, one) for name in TITLES for one in report.by[name]]
    lines += [("card", f"{one.text} {one.indicator}", one.line) for one in report.cards]
    for group, name, line in lines:
        row: dict[str, object] = {
            "group": group,
            "name": name,
            "shown": line.shown,
            "counted": line.counted,
            "with_suggestion": line.with_suggestion,
        }
        for verdict in ("accepted", "overridden", "ignored"):
            row |= _counted(verdict, getattr(line, verdict))
        if line.time:
            row |= {
                "answers": line.time.count,
                "lower_quartile_s": round(line.time.lower_quartile, 3),
                "median_s": round(line.time.median, 3),
                "upper_quartile_s": round(line.time.upper_quartile, 3),
            }
        yield row
    for reason in report.reasons:
        name = " ".join(part for part in (reason.code, reason.display) if part)
        yield {
            "group": "override reason",
            "name": name,
            "counted": reason.cards.of,
            **_counted("overridden", reason.cards),
        }
    for category in report.reason_categories:
        yield {
            "group": "category of reasons",
            "name": category.category,
            "counted": category.cards.of,
            **_counted("overridden", category.cards),
        }
    for suggestion in report.suggestions:
        yield {
            "group": "suggestion, recommended" if suggestion.recommended else "suggestion",
            "name": suggestion.rule,
            "counted": suggestion.taken.of,
            **_counted("accepted", suggestion.taken),
        }


def _counted(name: str, rate: Rate) -> dict[str, object]:
    ends: Iterable[tuple[str, float | None]] = (("low", rate.low), ("high", rate.high))
    found = {f"{name}_{end}": round(value, 4) for end, value in ends if value is not None}
    return {name: rate.count, **found}


def _inert(value: object) -> object:
    """Text that no spreadsheet treats as a formula."""
    if not isinstance(value, str):
        return value
    text = clean(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
