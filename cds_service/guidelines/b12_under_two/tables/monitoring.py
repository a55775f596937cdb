"""Table MON: which tests go with a treatment or settle a doubt. Every row is independent and is
asked where its tests are planned."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from cds_service.guidelines.b12_under_two.limits import Limits
from cds_service.guidelines.b12_under_two.tables.blood import anaemia
from cds_service.guidelines.b12_under_two.tables.severity import Severity
from cds_service.guidelines.b12_under_two.tables.status import StatusName
from cds_service.guidelines.tables import (
    Condition,
    Row,
    Table,
    TableWords,
    all_of,
    any_of,
    is_one_of,
    meets,
    none,
    some,
)


class PotassiumFacts(Struct, frozen=True):
    """Recent results: ``hemoglobin`` in g/dL, ``potassium`` in mmol/L. ``severe_megaloblastic``
    when the problem list calls a megaloblastic anaemia severe."""

    hemoglobin: Decimal | None = None
    severe_megaloblastic: bool = False
    potassium: Decimal | None = None


class MonitoringFacts(PotassiumFacts, frozen=True):
    """``without_result`` are baseline tests that have no recent result, ``already`` those wanted
    that are ordered around their date."""

    treating: bool = False
    parenteral: bool = False
    status: StatusName = "unknown"
    severity: Severity | None = None
    signs: bool = False
    anaemia: bool = False
    hemoglobin_months: int | None = None
    without_result: tuple[str, ...] = ()
    already: tuple[str, ...] = ()


def potassium_may_fall(limits: Limits) -> Condition:
    """Treatment of a severe anaemia draws potassium out of the blood; so does a low one matter."""
    f = PotassiumFacts
    return any_of(
        meets(f.hemoglobin, limits.hemoglobin_severe),
        f.severe_megaloblastic,
        meets(f.potassium, limits.potassium_low),
    )


def monitoring_table(limits: Limits, words: TableWords) -> Table[MonitoringFacts, None]:
    f = MonitoringFacts
    severe = is_one_of(f.severity, "severe")
    marked = any_of(meets(f.hemoglobin, limits.hemoglobin_potassium), all_of(severe, none(f.signs)))
    return Table.of(
        "monitoring",
        MonitoringFacts,
        (
            Row("MON-01", f.treating, None),
            Row("MON-02", some(f.without_result), None),
            Row(
                "MON-03",
                any_of(anaemia(f.hemoglobin, f.hemoglobin_months, limits), f.anaemia, severe),
                None,
            ),
            Row("MON-04", any_of(potassium_may_fall(limits), all_of(f.parenteral, marked)), None),
            Row("MON-05", f.parenteral, None),
            Row("MON-06", is_one_of(f.status, "borderline"), None),
            Row("MON-07", some(f.already), None),
        ),
        words,
        first=False,
    )
