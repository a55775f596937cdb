"""A report as one page that holds all it needs: no script, no request, light and dark, printable.

Every plot stands beside a table with the same numbers, so that nothing is told by colour or shape
alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from math import log

from cds_service.store.reports.figures import FEW, Comparison, Line, Rate, Report, Times
from cds_service.store.reports.words import (
    ALIKE,
    HEADING,
    MOST,
    TITLES,
    clean,
    duration,
    interval,
    kind,
    most_overridden,
    notes,
    percent,
    period,
    spread,
    withheld,
)

VERDICTS = ("accepted", "overridden", "ignored")
#: The plots' width in their own units, and where the scale of 0 to 100 % begins and ends.
_WIDTH, _LEFT, _RIGHT = 860, 300, 835


def as_html(report: Report, meanings: Mapping[str, str]) -> str:
    """The page; ``meanings`` says in words what a rule of the guideline does."""
    parts = [
        f"<h1>{HEADING}</h1>",
        f"<p class=lead>{_text(period(report))}</p>",
    ]
    if report.all.shown:
        parts += _overview(report)
        parts += _section("Which advice is taken, which overridden", _by_rule(report, meanings))
        parts += _section("The cards overridden most often", _most_overridden(report, meanings))
        parts += _section("Why cards are overridden", _reasons(report))
        parts += _section("How fast cards are answered", _times(report))
        for dimension, title in TITLES.items():
            if dimension != "rule":
                lines = report.by[dimension]
                named = [(_text(kind(dimension, one)), one) for one in lines]
                parts += _section(title, _lines(title, named))
        parts += _section("Suggestions offered and taken", _suggestions(report, meanings))
    else:
        parts.append("<p>No card was shown.</p>")
    parts += _section("Calls", _calls(report))
    if report.unshown or report.comparisons:
        parts += _section("Evaluated, but not shown", _not_shown(report, meanings))
    listed = "".join(f"<li>{_text(note)}</li>" for note in notes(report))
    parts += _section("How to read this", [f"<ul>{listed}</ul>"])
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy"'
        " content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{HEADING}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _text(text: str) -> str:
    return escape(clean(text)).replace(" %", "&nbsp;%")


def _section(title: str, parts: Iterable[str]) -> list[str]:
    return [f"<section>\n<h2>{_text(title)}</h2>", *parts, "</section>"]


# --- the figures at a glance --------------------------------------------------------------------


def _overview(report: Report) -> Iterator[str]:
    line = report.heard if report.silent_clients and report.heard.shown else report.all
    calls = sum(one.with_card.of for one in report.calls)
    with_card = sum(one.with_card.count for one in report.calls)
    tiles = [
        ("cards shown", str(report.all.shown), f"in answer to {with_card} of {calls} calls"),
        *(
            (verdict, percent(rate), f"{rate.count} of {rate.of}; {interval(rate)} %")
            for verdict, rate in ((name, _rate(line, name)) for name in VERDICTS)
            if rate.of
        ),
    ]
    if line.time:
        tiles.append(
            (
                "time to answer",
                duration(line.time.median),
                f"median; half of them {duration(line.time.lower_quartile)} to"
                f" {duration(line.time.upper_quartile)}",
            )
        )
    yield "<ul class=tiles>"
    for name, value, more in tiles:
        mark = f" class={name}" if name in VERDICTS else ""
        yield (
            f"<li{mark}><span class=name>{_text(name)}</span>"
            f"<strong>{_text(value)}</strong><span class=more>{_text(more)}</span></li>"
        )
    yield "</ul>"
    if line is report.heard:
        silent = ", ".join(map(_text, report.silent_clients))
        yield (
            f"<p>The rates above leave out {report.all.shown - report.heard.shown} cards shown to"
            f" {silent}, from where no feedback came at all: what became of them is not known.</p>"
        )
    young = report.all.shown - report.all.counted
    if young:
        yield (
            f"<p>{young} cards are younger than {report.ignored_after_hours:g} hours and not yet"
            " counted in any rate.</p>"
        )


def _rate(line: Line, verdict: str) -> Rate:
    found: Rate = getattr(line, verdict)
    return found


# --- tables -------------------------------------------------------------------------------------


def _table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], words: int = 1) -> str:
    """A table of heads and cells that are HTML already; the first ``words`` columns are text."""
    written = [f"{_wide(caption)}<table>\n<caption>{_text(caption)}</caption>\n<thead><tr>"]
    written += [
        f"<th scope=col{'' if index < words else ' class=number'}>{name}</th>"
        for index, name in enumerate(head)
    ]
    written.append("</tr></thead>\n<tbody>")
    for row in rows:
        cells = [f"<th scope=row>{row[0]}</th>"]
        cells += [
            f"<td{'' if index < words else ' class=number'}>{cell}</td>"
            for index, cell in enumerate(row[1:], 1)
        ]
        written.append(f"<tr>{''.join(cells)}</tr>")
    written.append("</tbody></table></div>")
    return "\n".join(written)


def _wide(name: str) -> str:
    """Opens what is scrolled sideways in a narrow window, with the keyboard too."""
    return f'<div class="wide" role="group" tabindex="0" aria-label="{_text(name)}">'


def _cell(rate: Rate) -> str:
    if rate.rate is None:
        return "–"
    said = f"{rate.count}<span class=of> of {rate.of}</span>"
    return f"<b>{_text(percent(rate))}</b> <span class=ci>({interval(rate)})</span><br>{said}"


def _spread(times: Times | None) -> str:
    median, _, quartiles = spread(times).partition(" (")
    more = f"<br><span class=ci>({_text(quartiles)}</span>" if quartiles else ""
    return f"{_text(median)}{more}"


def _lines(caption: str, named: Sequence[tuple[str, Line]]) -> Iterator[str]:
    """Lines as a table, each with a bar of how its cards are divided; ``named`` by HTML."""
    keys = (f'<span class="key {name}"></span>{name}' for name in VERDICTS)
    head = ("cards", "shown", "divided", *keys, "time to answer")
    yield _table(
        caption,
        head,
        (
            (
                name,
                str(line.shown),
                _bar(line),
                _cell(line.accepted)
                if line.with_suggestion or not line.counted
                else "<span class=ci>nothing to accept</span>",
                _cell(line.overridden),
                _cell(line.ignored),
                _spread(line.time),
            )
            for name, line in named
        ),
    )


def _bar(line: Line) -> str:
    """The division of the cards as one bar; the numbers stand in the same row."""
    if not line.counted:
        return '<span class="ci">not yet counted</span>'
    pieces, at = [], 0.0
    for verdict in VERDICTS:
        width = 160 * _rate(line, verdict).count / line.counted
        if width:
            drawn = max(width - 1, 0.5)  # a gap between neighbours, for who sees no colours
            pieces.append(f'<rect class="{verdict}" x="{at:.1f}" width="{drawn:.1f}" height="14"/>')
        at += width
    few = " few" if line.counted < FEW else ""
    return (
        f'<svg class="bar{few}" viewBox="0 0 160 14" width="160" height="14" aria-hidden="true">'
        f"{''.join(pieces)}</svg>"
    )


def _rule(rule: str, meanings: Mapping[str, str]) -> str:
    meaning = meanings.get(rule, "")
    said = f"<span class=meaning>{_text(meaning)}</span>" if meaning else ""
    return f"{_text(rule)}{said}"


# --- the sections -------------------------------------------------------------------------------


def _by_rule(report: Report, meanings: Mapping[str, str]) -> Iterator[str]:
    lines = report.by["rule"]
    enough = [one for one in lines if one.counted >= FEW]
    few = len(lines) - len(enough)
    if enough:
        enough.sort(key=lambda one: -(one.overridden.rate or 0))
        rows = [
            (
                f"{_short(f'{one.name} {meanings.get(one.name)}')} ({one.counted})",
                [(verdict, _rate(one, verdict)) for verdict in VERDICTS[:2]],
            )
            for one in enough
        ]
        yield _figure(
            "Rules by how often their cards are overridden",
            "Each dot is a rate, each line its 95 % interval; in brackets the cards counted."
            + (f" {few} rules with fewer than {FEW} cards are in the table only." if few else ""),
            _dots(rows),
        )
    by_number = sorted(lines, key=lambda one: (-one.counted, one.name))
    yield from _lines("By rule", [(_rule(one.name, meanings), one) for one in by_number])


def _most_overridden(report: Report, meanings: Mapping[str, str]) -> Iterator[str]:
    most = most_overridden(report)
    if not most:
        yield "<p>No card was overridden.</p>"
        return
    yield _table(
        f"The first {len(most)} by number",
        ("card", "urgency", "most frequent reason", "shown", "overridden"),
        (
            (
                f"{_text(one.text)}<span class=meaning>{_text(meanings.get(one.rule, ''))}</span>",
                _text(one.indicator),
                f"{_text(one.reason)} <span class=of>({one.reason_count})</span>"
                if one.reason
                else "–",
                str(one.line.shown),
                _cell(one.line.overridden),
            )
            for one in most
        ),
        words=3,
    )


def _reasons(report: Report) -> Iterator[str]:
    if not report.without_reason.of:
        yield "<p>No card was overridden.</p>"
        return
    rows = [(_text(one.display or one.code), one.code, one.cards) for one in report.reasons]
    shown = rows[:MOST]
    plotted = [
        (_short(one.display or one.code, 38), [("overridden", one.cards)]) for one in report.reasons
    ]
    yield _figure(
        f"Reasons given for overriding {report.without_reason.of} cards",
        "Each dot is the share of the overridden cards, each line its 95 % interval. A card may"
        " have several reasons.",
        _dots([*plotted[:MOST], ("no reason given", [("ignored", report.without_reason)])]),
    )
    yield _table(
        "Reasons",
        ("reason", "code", "cards"),
        [
            *((words, _text(code or "–"), _cell(rate)) for words, code, rate in shown),
            ("no reason given", "–", _cell(report.without_reason)),
        ],
        words=2,
    )
    more = len(report.reasons) - len(shown)
    if more:
        yield f"<p>{more} rarer reasons are left out here; <code>--json</code> has them all.</p>"
    if report.with_comment:
        yield (
            f"<p>{report.with_comment} of these cards came with a comment, which is not shown:"
            " it may tell about a patient.</p>"
        )


def _times(report: Report) -> Iterator[str]:
    if any(report.seconds.values()):
        yield _figure(
            "Time from showing a card to its first answer",
            "Height is the share of answers given by then; the scale of time is logarithmic. A"
            " step near zero seconds may be clicking away rather than reading.",
            _curves(report.seconds),
        )
    yield _table(
        "Time to answer",
        ("answer", "answers", "lower quartile", "median", "upper quartile"),
        (
            (
                _text(name),
                str(found.count if found else 0),
                *(
                    (duration(found.lower_quartile), duration(found.median))
                    if found
                    else ("–", "–")
                ),
                duration(found.upper_quartile) if found else "–",
            )
            for name, found in report.times.items()
        ),
    )


def _suggestions(report: Report, meanings: Mapping[str, str]) -> Iterator[str]:
    yield _table(
        "Suggestions",
        ("suggestion", "recommended", "taken"),
        (
            (_rule(one.rule, meanings), "yes" if one.recommended else "no", _cell(one.taken))
            for one in report.suggestions
        ),
        words=2,
    )


def _calls(report: Report) -> Iterator[str]:
    yield _table(
        "What was asked, by hook",
        (
            "hook",
            "calls",
            "with a card",
            "nothing to say",
            "not evaluated",
            "all hidden",
            "refused",
        ),
        (
            (
                _text(one.name),
                str(one.calls),
                _cell(one.with_card),
                str(one.nothing_to_say),
                str(one.not_evaluated),
                str(one.nothing_shown),
                str(one.refused),
            )
            for one in report.calls
        ),
    )
    if report.patients is not None and report.patients:
        yield f"<p>The cards shown are about {report.patients} different children.</p>"


def _not_shown(report: Report, meanings: Mapping[str, str]) -> Iterator[str]:
    held_back = withheld(report)
    if held_back:
        yield "<p>These would have been shown. No rate on this page counts them.</p>"
        yield _table(
            "Cards held back",
            ("rule", "card", "urgency", "why not shown", "cards"),
            (
                (
                    _rule(one.rule, meanings),
                    _text(one.text),
                    _text(one.indicator),
                    _text(one.why),
                    str(one.cards),
                )
                for one in held_back
            ),
            words=4,
        )
    for one in report.comparisons:
        yield from _comparison(one)


def _comparison(one: Comparison) -> Iterator[str]:
    name = _text(f"{one.arm}, edition {one.edition}" if one.edition else one.arm)
    yield f"<h3>{name}, beside the live one</h3>"
    if one.without_live:
        yield f"<p>{one.without_live} of its calls have no live answer to compare.</p>"
    if not one.calls:
        return
    said = f"{percent(one.agreeing)} ({interval(one.agreeing)})"
    yield (
        f"<p>{one.calls} calls were answered by both; {one.agreeing.count} of them alike in every"
        f" card: {_text(said)}. {_text(ALIKE)}</p>"
    )
    yield _table(
        "Card by card",
        (
            "card",
            "rule",
            "alike",
            "reworded",
            "changed",
            "only live",
            f"only {_text(one.arm)}",
        ),
        (
            (
                _text(card.text),
                _text(card.rule),
                str(card.same),
                str(card.reworded),
                str(card.changed),
                str(card.only_live),
                str(card.only_other),
            )
            for card in one.cards
        ),
        words=2,
    )


# --- plots --------------------------------------------------------------------------------------


def _figure(title: str, caption: str, plot: str) -> str:
    return (
        f"<figure>\n<figcaption><b>{_text(title)}.</b> {_text(caption)}</figcaption>\n"
        f"{_wide(title)}{plot}</div>\n</figure>"
    )


def _svg(height: float, label: str, parts: Iterable[str]) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height:.0f}" role="img" aria-label="{_text(label)}">'
        f"{''.join(parts)}</svg>"
    )


def _legend(names: Iterable[str], at: float) -> Iterator[str]:
    x = float(_LEFT)
    for name in names:
        yield f'<circle class="{name}" cx="{x + 5:.0f}" cy="{at - 4:.0f}" r="5"/>'
        yield f'<text x="{x + 16:.0f}" y="{at:.0f}">{name}</text>'
        x += 30 + 8 * len(name)


def _dots(rows: Sequence[tuple[str, Sequence[tuple[str, Rate]]]]) -> str:
    """For each row the rates as dots with their intervals, on a scale of 0 to 100 %."""
    kinds = list(dict.fromkeys(name for _, rates in rows for name, _ in rates))
    legend = 26 if len(kinds) > 1 and "ignored" not in kinds else 4
    step = 30 if max(len(rates) for _, rates in rows) > 1 else 24
    bottom = legend + step * len(rows)
    parts = list(_legend(kinds, 14)) if legend > 4 else []
    for tick in range(0, 101, 20):
        x = _x(tick / 100)
        parts.append(f'<line class="grid" x1="{x}" x2="{x}" y1="{legend}" y2="{bottom}"/>')
        parts.append(f'<text class="tick" x="{x}" y="{bottom + 16}">{tick} %</text>')
    told = []
    for index, (name, rates) in enumerate(rows):
        middle = legend + step * (index + 0.5)
        parts.append(
            f'<text class="label" x="{_LEFT - 12}" y="{middle + 4:.1f}">{_text(name)}</text>'
        )
        for place, (verdict, rate) in enumerate(rates):
            if rate.rate is None or rate.low is None or rate.high is None:
                continue
            y = middle + (place - (len(rates) - 1) / 2) * 11
            parts.append(
                f'<line class="{verdict} whisker" x1="{_x(rate.low)}" x2="{_x(rate.high)}"'
                f' y1="{y:.1f}" y2="{y:.1f}"/>'
                f'<circle class="{verdict}" cx="{_x(rate.rate)}" cy="{y:.1f}" r="4.5"/>'
            )
            told.append(f"{clean(name)}: {verdict} {percent(rate)} ({interval(rate)})")
    return _svg(bottom + 24, "; ".join(told), parts)


def _x(share: float) -> str:
    return f"{_LEFT + share * (_RIGHT - _LEFT):.1f}"


def _short(name: str, most: int = 34) -> str:
    text = clean(name).strip()
    return text if len(text) <= most else f"{text[: most - 1].rstrip(' ,;:')}…"


def _curves(seconds: Mapping[str, Sequence[float]]) -> str:
    """The share of answers given by each moment, from a second to the longest, in steps."""
    longest = max(max(found, default=1) for found in seconds.values())
    ends = [
        (1, "1 s"),
        (10, "10 s"),
        (60, "1 min"),
        (600, "10 min"),
        (3600, "1 h"),
        (36000, "10 h"),
    ]
    ends += [(86400 * days, f"{days} d") for days in (4, 30, 365)]
    last = next((end for end, _ in ends if end >= longest), longest)
    left, top, bottom = 60, 30, 230

    def x(value: float) -> float:
        return left + (_RIGHT - left) * log(max(value, 1)) / log(max(last, 10))

    def y(share: float) -> float:
        return bottom - share * (bottom - top)

    parts = []
    for share in (0, 25, 50, 75, 100):
        at = y(share / 100)
        parts.append(f'<line class="grid" x1="{left}" x2="{_RIGHT}" y1="{at}" y2="{at}"/>')
        parts.append(f'<text class="label" x="{left - 8}" y="{at + 4}">{share} %</text>')
    for end, name in ends:
        if end <= last:
            at = x(end)
            parts.append(
                f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{top}" y2="{bottom}"/>'
            )
            parts.append(f'<text class="tick" x="{at:.1f}" y="{bottom + 18}">{name}</text>')
    told = []
    drawn = {name: found for name, found in seconds.items() if found}
    for name, found in drawn.items():
        path = [f"M{left},{bottom}"]
        for index, value in enumerate(found, 1):
            path.append(f"H{x(value):.1f}V{y(index / len(found)):.1f}")
        path.append(f"H{_RIGHT}")
        parts.append(f'<path class="{name} curve" d="{"".join(path)}"/>')
        told.append(f"{name}: {len(found)} answers")
    parts += _legend(drawn, 16)
    return _svg(bottom + 28, "; ".join(told), parts)


_STYLE = """
:root{color-scheme:light dark;--paper:#fff;--ink:#1b2430;--soft:#566273;--line:#dde2e8;
--tile:#f5f7f9;--accepted:#1f5fa8;--overridden:#cf6a12;--ignored:#8792a0}
@media (prefers-color-scheme:dark){:root{--paper:#141920;--ink:#e8ecf1;--soft:#a3afbd;
--line:#313a45;--tile:#1d242d;--accepted:#6db0f2;--overridden:#f2a14d;--ignored:#667180}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);
font:.9375rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
main{max-width:1080px;margin:0 auto;padding:32px 20px 64px}
h1{font-size:1.75rem;line-height:1.2;margin:0 0 .25rem}
h2{font-size:1.2rem;margin:0 0 .75rem;padding-top:1.5rem;border-top:1px solid var(--line)}
h3{font-size:1rem;margin:1.25rem 0 .25rem}
section{margin-top:2rem}
tbody th:first-child{min-width:11ch}
th:has(.meaning){min-width:27ch}
.key{display:inline-block;width:.7em;height:.7em;border-radius:2px;margin-right:.4em}
.key.accepted{background:var(--accepted)}
.key.overridden{background:var(--overridden)}
.key.ignored{background:var(--ignored)}
.bar.few{opacity:.45}
.lead,figcaption,caption,.meaning,.more,.of,.ci{color:var(--soft)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(160px,1fr));gap:12px;
list-style:none;margin:1.5rem 0 1rem;padding:0}
.tiles li{background:var(--tile);border-radius:8px;padding:12px 14px;
border-left:4px solid var(--line)}
.tiles strong{display:block;font-size:1.7rem;line-height:1.25;font-weight:650}
.tiles .name{font-weight:600}
.tiles .more{display:block;font-size:.85rem}
.tiles .accepted{border-color:var(--accepted)}
.tiles .overridden{border-color:var(--overridden)}
.tiles .ignored{border-color:var(--ignored)}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums}
caption{text-align:left;font-size:.85rem;padding:.25rem 0}
th,td{padding:6px 10px;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
th:first-child{padding-left:0}
thead th{font-size:.8rem;color:var(--soft);font-weight:600;vertical-align:bottom}
tbody th{font-weight:600}
th,td{overflow-wrap:anywhere}
.number{overflow-wrap:normal}
.number{white-space:nowrap}
.meaning{display:block;font-weight:400;font-size:.82rem;max-width:34ch}
.ci,.of{font-size:.82rem}
figure{margin:0 0 1.25rem}
figcaption{font-size:.9rem;margin-bottom:.5rem}
figcaption b{color:var(--ink)}
figure svg{display:block;width:100%;min-width:560px;height:auto}
svg text{fill:var(--ink);font-size:13px}
svg .label{text-anchor:end;font-size:12.5px}
svg .tick{text-anchor:middle;fill:var(--soft);font-size:12px}
svg .grid{stroke:var(--line)}
.bar{display:block;margin-top:4px;border-radius:3px}
svg .accepted{fill:var(--accepted);stroke:var(--accepted)}
svg .overridden{fill:var(--overridden);stroke:var(--overridden)}
svg .ignored{fill:var(--ignored);stroke:var(--ignored)}
.bar rect{stroke:none}
svg .whisker{stroke-width:2.5;stroke-linecap:round}
svg .curve{fill:none;stroke-width:2.2}
@media print{:root{color-scheme:light;--paper:#fff;--ink:#000;--soft:#444;--line:#ccc;
--tile:#fff;--accepted:#1f5fa8;--overridden:#cf6a12;--ignored:#bbb}
:root{font-size:10.5px}main{max-width:none;padding:0}.wide{overflow:visible}
figure svg{min-width:0}.bar{width:100px}th,td{padding:4px 6px}th:has(.meaning){min-width:20ch}
.tiles{grid-template-columns:repeat(5,1fr)}
tr,figure,.tiles{break-inside:avoid}h2{break-after:avoid}
svg,.tiles li,.key{print-color-adjust:exact;-webkit-print-color-adjust:exact}}
"""
