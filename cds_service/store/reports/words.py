"""A report in plain text, and as one table for a spreadsheet."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import StringIO

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
TITLES = {
    "rule": "By rule",
    "indicator": "By urgency",
    "hook": "By hook",
    "client": "By client",
    "week": "By week (Monday, UTC)",
    "edition": "By edition of the guideline",
}
#: The title of every form of the report.
HEADING = "What is taken and what is overridden"
#: How many lines stand under what is listed by number.
MOST = 15


# --- pieces that the page needs too -------------------------------------------------------------


def clean(text: str) -> str:
    """What clients sent, in one line and without characters that do something."""
    visible = "".join(one if one.isprintable() else " " for one in text)
    return visible if len(visible) <= 200 else f"{visible[:200]}…"


def percent(rate: Rate) -> str:
    if rate.rate is None:
        return "–"
    return "too few" if rate.too_few else f"{rate.rate * 100:.0f} %"


def interval(rate: Rate) -> str:
    if rate.low is None or rate.high is None:
        return ""
    return f"{rate.low * 100:.0f}–{rate.high * 100:.0f}"


def duration(seconds: float) -> str:
    for length, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= length:
            value = seconds / length
            return f"{value:.1f} {unit}" if value < 10 else f"{value:.0f} {unit}"
    return f"{seconds:.0f} s"


def spread(times: Times | None) -> str:
    if times is None:
        return "–"
    if times.count < 4:
        return f"{duration(times.median)} (of {times.count})"
    lower, upper = duration(times.lower_quartile), duration(times.upper_quartile)
    return f"{duration(times.median)} ({lower} to {upper})"


def kind(dimension: str, line: Line) -> str:
    """The name of a line; a week is also told by its Monday."""
    return f"{line.name} ({monday(line.name)})" if dimension == "week" else clean(line.name)


def period(report: Report) -> str:
    """What the report is about, and when it was made."""
    chosen = report.selection
    since = f" from {chosen.since:%Y-%m-%d %H:%M}" if chosen.since else ""
    until = f" before {chosen.until:%Y-%m-%d %H:%M}" if chosen.until else ""
    asked = f"Calls{since}{until}" if since or until else "All calls that are kept"
    only = ", ".join(map(clean, (*chosen.services, *chosen.clients)))
    of_them = f" of {only}" if only else ""
    found = (
        f"the first {report.first:%Y-%m-%d %H:%M}, the last {report.last:%Y-%m-%d %H:%M}"
        if report.first and report.last
        else "none"
    )
    return f"{asked}{of_them}: {found}. Made at {report.made_at:%Y-%m-%d %H:%M}. Times are UTC."


#: What is meant where a challenger's cards are called alike.
ALIKE = (
    "Alike means word for word and dose for dose. Reworded means the same rule, urgency and"
    " suggestions, but another dose or other words; changed, not even that."
)


def withheld(report: Report) -> list[Unshown]:
    """What was held back; an arm that is compared with the live one is told there, card by card."""
    compared = {one.arm for one in report.comparisons if one.calls}
    return [one for one in report.unshown if one.arm not in compared]


def most_overridden(report: Report) -> list[CardLine]:
    """The cards that were overridden at all, most often first."""
    return [one for one in report.cards if one.line.overridden.count][:MOST]


def notes(report: Report) -> Iterator[str]:
    """How to read the figures, and what is odd about them."""
    hours = f"{report.ignored_after_hours:g} hours"
    yield (
        "Counted is each card shown, once, however often the same call was answered; what was"
        " suppressed or only tried is listed apart."
    )
    yield (
        "Ignored means that no feedback has come although the card was shown more than"
        f" {hours} before this report. CDS Hooks leaves it to the client whether it sends feedback,"
        " so a client that never does looks as if it ignored everything. No answer is no rejection."
    )
    if report.silent_clients:
        yield (
            f"No feedback at all came from {', '.join(map(clean, report.silent_clients))}, so"
            " nothing is known of what became of its cards. Rates of all clients that do send"
            " feedback stand beside those of all."
        )
    young = report.all.shown - report.all.counted
    if young:
        yield (
            f"{young} of the {report.all.shown} cards shown are younger than {hours} and not yet"
            f" counted; {report.answered_not_counted} of them are answered already. Counting those"
            " alone would flatter the advice."
        )
    yield (
        "In brackets stands the 95 % interval in percent (Wilson score): the rate might be anywhere"
        f' in it. Below {FEW} cards it is "too few" to say a rate. Cards of one child are not'
        " independent of each other, so the true uncertainty is somewhat larger; and among many"
        " lines one or two stand out by chance."
    )
    yield (
        "A card without a suggestion cannot be accepted, only overridden or ignored. A card"
        f" answered both ways counts as accepted ({report.both_ways} here)."
    )
    yield (
        "Time to answer runs from showing (the service's clock) to the first answer (the client's"
        " clock)."
        + (
            f" {report.before_shown} answers are dated before their card was shown, so those clocks"
            " differ; they count as answers and are left out of the times."
            if report.before_shown
            else ""
        )
    )
    if report.unknown_cards:
        yield (
            f"{report.unknown_cards} items of feedback are about no card shown in this selection:"
            " shown outside of it, long forgotten, never shown, or another client's. They are not"
            " counted."
        )
    if report.shown_again:
        yield f"{report.shown_again} times a card was shown again in answer to the same call."


# --- plain text ---------------------------------------------------------------------------------


def in_words(report: Report) -> Iterator[str]:
    """The report for a terminal."""
    yield HEADING
    yield period(report)
    yield ""
    yield from _table(
        ("Calls", "calls", "with a card", "nothing to say", "not evaluated", "hidden", "refused"),
        [
            (
                one.name,
                str(one.calls),
                _cell(one.with_card),
                str(one.nothing_to_say),
                str(one.not_evaluated),
                str(one.nothing_shown),
                str(one.refused),
            )
            for one in report.calls
        ],
    )
    if not report.all.shown:
        yield "No card was shown."
    else:
        if report.patients is not None:
            yield f"The cards are about {report.patients} different children."
            yield ""
        yield from _answers(report)
    yield from _not_shown(report)
    yield "How to read this:"
    for note in notes(report):
        yield f"- {note}"


def _answers(report: Report) -> Iterator[str]:
    all_cards = [_line("all clients", report.all)]
    if report.silent_clients and report.heard.shown:
        all_cards.append(_line("clients that send feedback", report.heard))
    yield from _table(_head("All cards"), all_cards)
    for dimension, title in TITLES.items():
        lines = report.by[dimension]
        yield from _table(_head(title), [_line(kind(dimension, one), one) for one in lines])
    most = most_overridden(report)
    yield from _table(
        ("Overridden most often", "urgency", "rule", "overridden", "of", "most frequent reason"),
        [
            (
                one.text,
                one.indicator,
                one.rule,
                _cell(one.line.overridden),
                str(one.line.counted),
                f"{clean(one.reason)} ({one.reason_count})" if one.reason else "–",
            )
            for one in most
        ],
    )
    reasons = [(clean(one.display or one.code), _cell(one.cards)) for one in report.reasons[:MOST]]
    if report.without_reason.of:
        reasons.append(("(no reason given)", _cell(report.without_reason)))
        reasons.append(("(with a comment; see audit show)", str(report.with_comment)))
    yield from _table(("Reasons of overriding", "cards"), reasons)
    yield from _table(
        ("Suggestions", "recommended", "offered", "taken"),
        [
            (one.rule, "yes" if one.recommended else "no", str(one.taken.of), _cell(one.taken))
            for one in report.suggestions
        ],
    )
    yield from _table(
        ("Time to answer", "answers", "median (quartiles)"),
        [
            (name, str(found.count if found else 0), spread(found))
            for name, found in report.times.items()
        ],
    )


def _not_shown(report: Report) -> Iterator[str]:
    yield from _table(
        ("Evaluated, not shown", "why", "rule", "urgency", "cards"),
        [
            (
                one.text,
                clean(one.why),
                one.rule,
                one.indicator,
                str(one.cards),
            )
            for one in withheld(report)
        ],
    )
    for one in report.comparisons:
        title = f"{one.arm} {one.edition} beside live".replace("  ", " ")
        if not one.calls:
            yield f"{title}: none of its {one.without_live} calls was also answered live."
            yield ""
            continue
        yield f"{title}: {one.calls} calls answered by both, alike {_cell(one.agreeing)}"
        if one.without_live:
            yield f"({one.without_live} more have no live answer to compare.)"
        yield ALIKE
        yield from _table(
            ("Card", "rule", "alike", "reworded", "changed", "only live", f"only {one.arm}"),
            [
                (
                    card.text,
                    card.rule,
                    str(card.same),
                    str(card.reworded),
                    str(card.changed),
                    str(card.only_live),
                    str(card.only_other),
                )
                for card in one.cards
            ],
        )


def _head(title: str) -> tuple[str, ...]:
    return (title, "shown", "counted", "accepted", "overridden", "ignored", "time to answer")


def _line(name: str, line: Line) -> tuple[str, ...]:
    return (
        name,
        str(line.shown),
        str(line.counted),
        _cell(line.accepted) if line.with_suggestion or not line.counted else "nothing to accept",
        _cell(line.overridden),
        _cell(line.ignored),
        spread(line.time),
    )


def _cell(rate: Rate) -> str:
    if rate.rate is None:
        return "–"
    return f"{rate.count}: {percent(rate)} ({interval(rate)})"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    if not rows:
        return
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for index, row in enumerate((head, *rows)):
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
    """Every line of the report in one table: counts, the ends of the intervals, seconds."""
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
    """Text that no spreadsheet takes for a formula."""
    if not isinstance(value, str):
        return value
    text = clean(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
