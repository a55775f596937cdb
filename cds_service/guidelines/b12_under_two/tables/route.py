"""Table RTE: what is to be done. Oral for most, by injection for neurological signs, severe
deficiency and malabsorption, a specialist for inborn errors and the newborn."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from cds_service.guidelines.b12_under_two.tables.cause import Cause
from cds_service.guidelines.b12_under_two.tables.dose import Regimen
from cds_service.guidelines.b12_under_two.tables.severity import Severity
from cds_service.guidelines.b12_under_two.tables.status import StatusName
from cds_service.guidelines.tables import (
    Row,
    Table,
    TableWords,
    all_of,
    any_of,
    is_one_of,
    not_,
    otherwise,
)


class RouteFacts(Struct, frozen=True):
    """``severity`` is ``None`` where nothing is graded. ``treated`` when vitamin B12 is ordered
    or given now; ``set_aside`` asks what would be right if there were no treatment. ``lasting``
    is a cause of malabsorption that never passes, ``unplaced`` a current result on neither side
    of the limits. ``suspicion`` is the row of the table ETI that suspects an inborn error from the
    metabolites. ``worded`` when words without a code say a neurological sign, or a disease of the
    nervous system is recorded, ``worded_inborn`` when words say an inborn error of cobalamin and
    ``worded_malabsorption`` when they say malabsorption. ``unconfirmed`` when words of a sign or a
    positive newborn screening ask for metabolites that were never measured, ``alarmed`` when the
    signs of a child without a usable level are a warning."""

    cause: Cause = "unknown"
    status: StatusName = "unknown"
    deficient: bool = False
    severity: Severity | None = None
    signs: bool = False
    under_one_month: bool = False
    treated: bool = False
    set_aside: bool = False
    lasting: bool = False
    unplaced: bool = False
    suspicion: str = ""
    worded: bool = False
    worded_inborn: bool = False
    worded_malabsorption: bool = False
    unconfirmed: bool = False
    alarmed: bool = False


class Advice(Struct, frozen=True):
    """What a row asks for.

    ``regimens`` are offered in this order: to ``treat`` the first one is recommended, to ``choose``
    none, and to ``clarify`` none, and only with neurological signs. ``tests`` are those of a card
    that orders nothing else.
    """

    kind: Literal[
        "treat", "suspected", "choose", "clarify", "test", "specialist", "follow up", "nothing"
    ]
    regimens: tuple[Regimen, ...] = ()
    tests: Literal["baseline", "level", "open question", "repeat"] = "baseline"

    @property
    def injects(self) -> bool:
        """Injections are what is recommended."""
        return self.kind == "treat" and self.regimens[0] in _INJECTIONS


_INJECTIONS: frozenset[Regimen] = frozenset({"alternate-day injections", "weekly injections"})


def route_table(words: TableWords) -> Table[RouteFacts, Advice]:
    f = RouteFacts
    without_deficiency = is_one_of(
        f.status, "adequate", "probably adequate", "unknown", "unknown at risk"
    )
    rows = (
        Row("RTE-01", is_one_of(f.cause, "inborn"), Advice("specialist")),
        Row("RTE-01b", is_one_of(f.suspicion, "ETI-01b"), Advice("suspected")),
        Row("RTE-01c", is_one_of(f.suspicion, "ETI-01c"), Advice("suspected")),
        Row("RTE-01d", is_one_of(f.suspicion, "ETI-01d"), Advice("suspected")),
        Row(
            "RTE-11",
            all_of(not_(f.set_aside), any_of(f.treated, is_one_of(f.status, "follow-up"))),
            Advice("follow up"),
        ),
        Row("RTE-02", all_of(f.deficient, f.under_one_month), Advice("test")),
        Row(
            "RTE-03",
            all_of(f.deficient, f.signs),
            Advice("treat", ("alternate-day injections",)),
        ),
        Row(
            "RTE-04",
            all_of(f.deficient, is_one_of(f.severity, "severe")),
            Advice("treat", ("weekly injections",)),
        ),
        Row(
            "RTE-05",
            all_of(f.deficient, is_one_of(f.cause, "malabsorption", "mixed")),
            Advice("treat", ("weekly injections",)),
        ),
        Row(
            "RTE-05b",
            all_of(f.deficient, f.worded),
            Advice("choose", ("alternate-day injections",)),
        ),
        Row(
            "RTE-05c",
            all_of(f.deficient, f.worded_inborn),
            Advice("choose", ("weekly injections",)),
        ),
        Row(
            "RTE-05d",
            all_of(f.deficient, f.worded_malabsorption),
            Advice("choose", ("weekly injections",)),
        ),
        Row(
            "RTE-06",
            all_of(f.deficient, is_one_of(f.severity, "moderate")),
            Advice("treat", ("oral regimen", "weekly injections")),
        ),
        Row("RTE-07", f.deficient, Advice("treat", ("oral regimen", "daily requirement"))),
        Row(
            "RTE-08",
            is_one_of(f.status, "borderline"),
            Advice("clarify", ("alternate-day injections",)),
        ),
        Row(
            "RTE-09",
            all_of(
                f.lasting,
                without_deficiency,
                not_(f.signs),
                not_(all_of(f.alarmed, is_one_of(f.status, "unknown at risk"))),
            ),
            Advice("test", tests="level"),
        ),
        Row(
            "RTE-10",
            any_of(
                is_one_of(f.status, "adequate with signs", "unknown at risk"),
                f.unplaced,
                all_of(
                    any_of(f.worded_inborn, f.unconfirmed),
                    is_one_of(f.status, "adequate", "probably adequate"),
                ),
            ),
            Advice("test", tests="open question"),
        ),
        Row("RTE-11b", is_one_of(f.status, "probably adequate"), Advice("test", tests="repeat")),
        Row("RTE-12", otherwise, Advice("nothing")),
    )
    return Table.of("route", RouteFacts, rows, words, first=True)
