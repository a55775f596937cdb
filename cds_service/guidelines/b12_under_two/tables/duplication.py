"""Table DUP: vitamin B12 that is ordered already. Every row is independent."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from cds_service.guidelines.b12_under_two.drugs import Route
from cds_service.guidelines.b12_under_two.limits import Limits
from cds_service.guidelines.tables import (
    Row,
    Table,
    TableWords,
    all_of,
    any_of,
    is_one_of,
    meets,
    not_,
    some,
)


class DuplicationFacts(Struct, frozen=True):
    """How many orders are in force and how many are not (any more); ``route`` is that of the
    orders in force. ``injections`` when the child would be injected if it were not treated.
    ``draft_repeats`` when an order being written repeats one in force, or another being written,
    by the same route, which the order checks find out. ``several`` when more than one is in
    force, one that is vitamin B12 by its name alone among them. Of doses that were given before
    anything was ordered: ``share`` of the regimen's first two weeks they are, ``overdue`` for how
    many days the next had been due when an order began, or is due today, and ``low`` that the
    level, or without one the problem list, still says deficient or borderline. ``over``: nothing of
    what was ordered or given is ordered any more; ``unfinished``: it was less than the course;
    ``lapsed`` is for how many days the next dose has been due. Of an order that goes on, by the
    doses that were recorded: for how many days the next has been due (``late``), and how many are
    ``between`` two."""

    active: int = 0
    draft_repeats: bool = False
    route: Route = "unknown"
    injections: bool = False
    signs: bool = False
    ended: int = 0
    several: bool = False
    share: Decimal | None = None
    overdue: int | None = None
    low: bool = False
    over: bool = False
    unfinished: bool = False
    lapsed: int | None = None
    late: int | None = None
    between: int | None = None


def duplication_table(limits: Limits, words: TableWords) -> Table[DuplicationFacts, None]:
    f = DuplicationFacts
    return Table.of(
        "duplication",
        DuplicationFacts,
        (
            Row("DUP-01", some(f.active), None),
            Row("DUP-02", f.draft_repeats, None),
            Row(
                "DUP-03",
                all_of(
                    some(f.active),
                    is_one_of(f.route, "oral", "other"),
                    any_of(f.injections, f.signs),
                ),
                None,
            ),
            Row("DUP-04", some(f.ended), None),
            Row("DUP-05", f.several, None),
            Row(
                "DUP-06",
                all_of(
                    f.low,
                    meets(f.share, limits.course_scant),
                    meets(f.overdue, limits.dose_overdue),
                ),
                None,
            ),
            Row(
                "DUP-07",
                all_of(f.over, f.unfinished, meets(f.lapsed, limits.dose_overdue)),
                None,
            ),
            Row("DUP-08", all_of(f.over, not_(f.unfinished)), None),
            Row(
                "DUP-09",
                any_of(
                    all_of(
                        meets(f.between, limits.doses_frequent),
                        meets(f.late, limits.frequent_dose_late),
                    ),
                    all_of(
                        meets(f.between, limits.doses_weekly),
                        meets(f.late, limits.weekly_dose_late),
                    ),
                    meets(f.late, limits.rare_dose_late),
                ),
                None,
            ),
        ),
        words,
        first=False,
    )
