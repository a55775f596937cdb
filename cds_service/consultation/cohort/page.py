"""The report of a run as one self-contained page: no script, no request, printable.

Its content is in ``clinic.html``, its words are in the catalogue and in ``cohort.toml``.
A number of a few children is hidden, and with it what would show it by subtraction in its row. Only
with plain ids are children listed: under pseudonyms a list would help no one at a bedside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from msgspec import Struct

from cds_service.consultation.cohort.judging import LISTED, Row
from cds_service.consultation.cohort.outcome import FEW, is_small
from cds_service.language import Language, Listed, Message, Percent, house, id_of, say

if TYPE_CHECKING:
    from cds_service.consultation.cohort.running import Done
    from cds_service.consultation.services import Service
    from cds_service.guidelines.cohort import Cohort, Group

C = house.Clinic
#: How wide the longest bar is, and how many rows of what was not understood are shown.
_WIDTH, _MOST_UNREAD = 420, 60


class Bar(Struct, frozen=True):
    name: str
    count: str
    width: str
    tone: str
    share: str = ""
    of: str = ""


class Counted(Struct, frozen=True):
    name: str
    count: str


class Rate(Struct, frozen=True):
    title: str
    share: str
    count: str
    of: str


class Unread(Struct, frozen=True):
    need: str
    reason: str
    system: str
    code: str
    count: str


class WorkList(Struct, frozen=True):
    """``rows`` are shown, and there are ``more``; ``any`` says whether there is a child at all."""

    id: str
    title: str
    todo: str
    count: str
    any: bool
    rows: Sequence[Row]
    more: bool


class _Cells:
    """Numbers of children in words, those of a few hidden."""

    def __init__(self, language: Language, *, small_cells: bool) -> None:
        self._language, self._shown = language, small_cells

    def hides(self, count: int) -> bool:
        return not self._shown and is_small(count)

    def of(self, count: int) -> str:
        if self.hides(count):
            return self._language.fill(say(C.few, count=FEW))
        return f"{count:,}"

    def share(self, count: int, of: int) -> str:
        """Nothing where it would show a few, or those who are missing to all."""
        if not of or any(map(self.hides, (count, of, of - count))):
            return ""
        return self._language.text(Percent(count / of))

    def width(self, count: int, most: int) -> str:
        shown = FEW if self.hides(count) else count
        return f"{_WIDTH * min(shown / max(most, 1), 1):.1f}"


def as_html(done: Done, service: Service, *, small_cells: bool, plain: bool) -> str:
    """The page, in the words of the service's own catalogue and the guideline's data."""
    cohort, language = service.guideline.cohort, service.language.original
    cells = _Cells(language, small_cells=small_cells)
    figures, source, about = done.figures, done.source, service.guideline.wording.about
    groups = {one.id: one for one in cohort.groups}
    covered = figures.groups.get(cohort.funnel[0], 0)
    return (
        _environment(language)
        .get_template("clinic.html")
        .render(
            title=about.title,
            about=about,
            status=language.text(Message("guideline.review_status")),
            on=done.job.on,
            figures=figures,
            hides=not small_cells,
            most_hidden=FEW - 1,
            plain=plain,
            funnel=_funnel(cohort, groups, figures.groups, cells),
            lists=[_list(groups[name], done, cells, plain=plain) for name in cohort.work_lists],
            rates=[
                _rate(one.title, figures.groups.get(one.numerator, 0),
                      figures.groups.get(one.denominator, 0), cells)
                for one in cohort.measures
            ],
            statuses=_bars(figures.statuses, cells),
            missing=_counts(figures.missing, cells),
            unread=_unread(figures.unknown, cells),
            lacking=[
                Counted(groups[name].title, cells.of(figures.groups.get(name, 0)))
                for name in cohort.lacking
            ],
            covered=cells.of(covered),
            refused=_counts(figures.refused, cells),
            of_no_child=[Counted(name, f"{count:,}") for name, count in source.nobody.items()],
            troubles=source.trouble_count,
            beside=Listed(tuple(source.beside)) if source.beside else "",
        )
    )  # fmt: skip


def _environment(language: Language) -> Environment:
    """Escapes every value, and fails on a name that nothing was given for."""
    made = Environment(
        loader=ChoiceLoader(
            [PackageLoader(__package__, "."), PackageLoader("cds_service.store.reports", ".")]
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {
        "C": C,
        "Page": house.Page,
        "say": lambda text, **values: language.fill(Message(id_of(text), values)),
    }
    return made


def _funnel(
    cohort: Cohort, groups: Mapping[str, Group], counted: Mapping[str, int], cells: _Cells
) -> list[Bar]:
    most = counted.get(cohort.funnel[0], 0)
    bars = []
    for name in cohort.funnel:
        count = counted.get(name, 0)
        tone = "few" if cells.hides(count) else "pressing" if groups[name].todo else "plain"
        within = groups.get(groups[name].within)
        share = cells.share(count, counted.get(within.id, 0)) if within is not None else ""
        bars.append(
            Bar(
                groups[name].title,
                cells.of(count),
                cells.width(count, most),
                tone,
                share,
                within.title if within is not None else "",
            )
        )
    return bars


def _bars(counted: Mapping[str, int], cells: _Cells) -> list[Bar]:
    most = max(counted.values(), default=0)
    return [
        Bar(
            name,
            cells.of(count),
            cells.width(count, most),
            "few" if cells.hides(count) else "plain",
        )
        for name, count in _most_first(counted)
    ]


def _most_first(counted: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counted.items(), key=lambda one: (-one[1], one[0]))


def _counts(counted: Mapping[str, int], cells: _Cells) -> list[Counted]:
    return [Counted(name, cells.of(count)) for name, count in _most_first(counted)]


def _unread(counted: Mapping[str, int], cells: _Cells) -> list[Unread]:
    rows = []
    for name, count in _most_first(counted)[:_MOST_UNREAD]:
        need, reason, system, code = name.split("\t")
        rows.append(Unread(need, reason, system, code, cells.of(count)))
    return rows


def _rate(title: str, count: int, of: int, cells: _Cells) -> Rate:
    share = cells.share(count, of)
    hidden = of and not share
    shown = cells.of(count) if not hidden or cells.hides(count) else "–"
    return Rate(title, share or "–", shown, cells.of(of))


def _list(group: Group, done: Done, cells: _Cells, *, plain: bool) -> WorkList:
    count = done.figures.groups.get(group.id, 0)
    rows: Sequence[Any] = done.figures.lists.get(group.id, ()) if plain else ()
    shown = f"{count:,}" if plain else cells.of(count)
    return WorkList(
        group.id, group.title, group.todo, shown, bool(count), rows[:LISTED], count > LISTED
    )
