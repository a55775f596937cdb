"""A report as one self-contained page: no script, no request, light and dark, printable.

Its content is in ``page.html``; this measures what it draws. Every plot is next to a table with
the same numbers, so that nothing depends on colour or shape alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from math import log

from jinja2 import Environment, PackageLoader, StrictUndefined
from msgspec import Struct

from cds_service.language import (
    Amount,
    Language,
    Listed,
    Message,
    Percent,
    Span,
    Value,
    Words,
    house,
    id_of,
    say,
)
from cds_service.store.audit import unqualified
from cds_service.store.reports.figures import FEW, Line, Rate, Report
from cds_service.store.reports.words import (
    MOST,
    TITLES,
    VERDICTS,
    around,
    clean,
    hours,
    interval,
    kind,
    most_overridden,
    notes,
    percent,
    period,
    withheld,
)

#: The plots' width in their own units, and where the scale of 0 to 100 % begins and ends.
_WIDTH, _LEFT, _RIGHT = 860, 300, 835
#: How many of these a bar is wide.
_BAR = 160


def as_html(report: Report, meanings: Mapping[str, str], language: Language) -> str:
    """The page; ``meanings`` says in words what a rule of the guideline does."""
    rules = report.by["rule"]
    enough = [one for one in rules if one.counted >= FEW]
    return (
        _environment(language)
        .get_template("page.html")
        .render(
            report=report,
            meanings=meanings,
            verdicts=VERDICTS,
            titles=TITLES,
            few=FEW,
            most=MOST,
            hours=hours(report),
            rules=sorted(rules, key=lambda one: (-one.counted, one.name)),
            rules_plot=_rules_plot(enough, meanings, language),
            rules_too_few=len(rules) - len(enough),
            most_overridden=most_overridden(report),
            reasons_plot=_reasons_plot(report, language),
            times_plot=_curves(report.seconds, language),
            withheld=withheld(report),
        )
    )


def _environment(language: Language) -> Environment:
    """Escapes every value, and fails on a name that nothing was given for."""

    def told(value: object) -> str:
        """One line without active characters, in which no number is separated from its
        %."""
        return clean(language.text(value)).replace(" %", "\N{NO-BREAK SPACE}%")

    made = Environment(
        loader=PackageLoader(__package__, "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {
        "Page": house.Page,
        "R": house.Report,
        "kind": kind,
        "say": lambda text, **values: language.fill(Message(id_of(text), values)),
    }
    made.filters |= {
        "around": around,
        "in_words": language.text,
        "interval": interval,
        "listed": lambda items: Listed(tuple(map(clean, items))),
        "notes": notes,
        "percent": percent,
        "period": period,
        "pieces": _pieces,
        "shown": told,
        "span": Span,
    }
    return made


# --- plots --------------------------------------------------------------------------------------


class _Piece(Struct, frozen=True):
    verdict: str
    x: str
    width: str


class _Key(Struct, frozen=True):
    """A verdict in the legend by its ``name`` in words, its dot ``middle`` high."""

    verdict: str
    name: str
    dot: str
    middle: str
    x: str
    y: str


class _Grid(Struct, frozen=True):
    """A line of the grid, and the ``name`` of its value, a "tick" below or a "label" next to it."""

    x1: str
    x2: str
    y1: str
    y2: str
    kind: str
    x: str
    y: str
    name: Value


class _Dot(Struct, frozen=True):
    """A rate at ``x``, its interval from ``low`` to ``high``."""

    verdict: str
    x: str
    low: str
    high: str
    y: str


class _Row(Struct, frozen=True):
    name: Words
    x: str
    y: str
    dots: tuple[_Dot, ...]


class _Dots(Struct, frozen=True):
    """Rates as dots with their intervals, on a scale of 0 to 100 %."""

    height: str
    label: Listed
    legend: tuple[_Key, ...]
    grid: tuple[_Grid, ...]
    rows: tuple[_Row, ...]
    width: int = _WIDTH


class _Curve(Struct, frozen=True):
    name: str
    path: str


class _Curves(Struct, frozen=True):
    """The share of answers given by each moment, from a second to the longest, in steps."""

    height: str
    label: Listed
    legend: tuple[_Key, ...]
    grid: tuple[_Grid, ...]
    curves: tuple[_Curve, ...]
    width: int = _WIDTH


#: What a row of dots shows: its name, and rates by what they are of.
_Rates = tuple[Words, Sequence[tuple[str, Rate]]]


def _pieces(line: Line) -> Iterator[_Piece]:
    """How the counted cards of ``line`` are divided, as pieces of a bar."""
    at = 0.0
    for verdict in VERDICTS:
        width = _BAR * _rate(line, verdict).count / line.counted
        if width:
            # A gap between neighbours, for readers who do not see colours.
            yield _Piece(verdict, f"{at:.1f}", f"{max(width - 1, 0.5):.1f}")
        at += width


def _rate(line: Line, verdict: str) -> Rate:
    found: Rate = getattr(line, verdict)
    return found


def _rules_plot(
    enough: Sequence[Line], meanings: Mapping[str, str], language: Language
) -> _Dots | None:
    """The rules with ``enough`` cards, those overridden most first."""
    if not enough:
        return None
    by_rate = sorted(enough, key=lambda one: -(one.overridden.rate or 0))
    # There is little room: the guideline is named where there is more than one.
    several = len({one.name.rpartition("/")[0] for one in enough}) > 1
    return _dots(
        [
            (
                say(
                    house.Page.rule_label,
                    rule=_short(_named(one.name, meanings, several)),
                    count=one.counted,
                ),
                [(verdict, _rate(one, verdict)) for verdict in ("accepted", "overridden")],
            )
            for one in by_rate
        ],
        language,
    )


def _named(rule: str, meanings: Mapping[str, str], several: bool) -> str:
    return f"{rule if several else unqualified(rule)} {meanings.get(rule, '')}"


def _reasons_plot(report: Report, language: Language) -> _Dots | None:
    if not report.without_reason.of:
        return None
    rows: list[_Rates] = [
        (_short(one.display or one.code, 38), [("overridden", one.cards)])
        for one in report.reasons[:MOST]
    ]
    none = say(house.Report.no_reason)
    return _dots([*rows, (none, [("ignored", report.without_reason)])], language)


def _dots(rows: Sequence[_Rates], language: Language) -> _Dots:
    kinds = list(dict.fromkeys(name for _, rates in rows for name, _ in rates))
    with_legend = len(kinds) > 1 and "ignored" not in kinds
    top = 26 if with_legend else 4
    step = 30 if max(len(rates) for _, rates in rows) > 1 else 24
    bottom = top + step * len(rows)
    told = [
        say(
            house.Page.dot_label,
            name=name,
            verdict=VERDICTS[verdict],
            percent=percent(rate),
            interval=interval(rate),
        )
        for name, rates in rows
        for verdict, rate in rates
        if rate.rate is not None
    ]
    return _Dots(
        f"{bottom + 24:.0f}",
        Listed(tuple(told), "semicolon"),
        tuple(_legend(kinds, 14, language)) if with_legend else (),
        tuple(_scale(top, bottom)),
        tuple(_row(one, top + step * (index + 0.5)) for index, one in enumerate(rows)),
    )


def _row(row: _Rates, middle: float) -> _Row:
    name, rates = row
    dots = []
    for place, (verdict, rate) in enumerate(rates):
        if rate.rate is None or rate.low is None or rate.high is None:
            continue
        y = middle + (place - (len(rates) - 1) / 2) * 11
        dots.append(_Dot(verdict, _x(rate.rate), _x(rate.low), _x(rate.high), f"{y:.1f}"))
    return _Row(name, f"{_LEFT - 12}", f"{middle + 4:.1f}", tuple(dots))


def _scale(top: float, bottom: float) -> Iterator[_Grid]:
    for share in range(0, 101, 20):
        x = _x(share / 100)
        yield _Grid(x, x, f"{top}", f"{bottom}", "tick", x, f"{bottom + 16}", Percent(share / 100))


def _x(share: float) -> str:
    return f"{_LEFT + share * (_RIGHT - _LEFT):.1f}"


def _legend(verdicts: Sequence[str], at: float, language: Language) -> Iterator[_Key]:
    x = float(_LEFT)
    for verdict in verdicts:
        name = language.text(VERDICTS[verdict])
        yield _Key(verdict, name, f"{x + 5:.0f}", f"{at - 4:.0f}", f"{x + 16:.0f}", f"{at:.0f}")
        x += 30 + 8 * len(name)


def _short(name: str, most: int = 34) -> str:
    text = clean(name).strip()
    return text if len(text) <= most else f"{text[: most - 1].rstrip(' ,;:')}…"


#: Where the scale of time may end, in seconds.
_ENDS = tuple(
    (count * length, Amount(Decimal(count), unit))
    for unit, length, counts in (
        ("s", 1, (1, 10)),
        ("min", 60, (1, 10)),
        ("h", 3600, (1, 10)),
        ("d", 86400, (4, 30, 365)),
    )
    for count in counts
)
#: Where the curves begin, and the heights of all and of none.
_START, _TOP, _BOTTOM = 60, 30, 230


def _curves(seconds: Mapping[str, Sequence[float]], language: Language) -> _Curves | None:
    drawn = {name: found for name, found in seconds.items() if found}
    if not drawn:
        return None
    longest = max(max(found) for found in drawn.values())
    last = next((end for end, _ in _ENDS if end >= longest), longest)
    return _Curves(
        f"{_BOTTOM + 28:.0f}",
        Listed(
            tuple(
                say(house.Page.curve_label, name=VERDICTS[name], count=len(found))
                for name, found in drawn.items()
            ),
            "semicolon",
        ),
        tuple(_legend(list(drawn), 16, language)),
        (*_shares(), *_moments(last)),
        tuple(_Curve(name, _path(found, last)) for name, found in drawn.items()),
    )


def _shares() -> Iterator[_Grid]:
    for share in (0, 25, 50, 75, 100):
        y = _height(share / 100)
        left, right = f"{_START}", f"{_RIGHT}"
        yield _Grid(
            left, right, f"{y}", f"{y}", "label", f"{_START - 8}", f"{y + 4}", Percent(share / 100)
        )


def _moments(last: float) -> Iterator[_Grid]:
    for end, name in _ENDS:
        if end <= last:
            x = f"{_moment(end, last):.1f}"
            yield _Grid(x, x, f"{_TOP}", f"{_BOTTOM}", "tick", x, f"{_BOTTOM + 18}", name)


def _path(found: Sequence[float], last: float) -> str:
    steps = [
        f"H{_moment(value, last):.1f}V{_height(index / len(found)):.1f}"
        for index, value in enumerate(found, 1)
    ]
    return f"M{_START},{_BOTTOM}{''.join(steps)}H{_RIGHT}"


def _moment(seconds: float, last: float) -> float:
    return _START + (_RIGHT - _START) * log(max(seconds, 1)) / log(max(last, 10))


def _height(share: float) -> float:
    return _BOTTOM - share * (_BOTTOM - _TOP)
