"""Table SEV: how severe a deficiency is.

Severe: neurological signs, haemoglobin under 7 g/dL, two affected cell lines, a level under
100 pg/mL, or a clinician's own grading.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

from msgspec import Struct

from cds_service.guidelines.b12_under_two.limits import Limits
from cds_service.guidelines.b12_under_two.tables.blood import anaemia, macrocytosis
from cds_service.guidelines.tables import (
    Row,
    Table,
    TableWords,
    any_of,
    holds,
    meets,
    otherwise,
    some,
)

Severity = Literal["severe", "moderate", "mild"]


class SeverityFacts(Struct, frozen=True):
    """``hemoglobin`` is the newest in g/dL and ``hemoglobin_months`` the age at its sample,
    ``lowest_hemoglobin`` the lowest of the last month. ``mcv`` is fL, ``mcv_flagged`` by the
    laboratory. ``level`` is the upper bound of the B12 result in pg/mL, and
    ``level_is_below`` says that it was reported as below that. ``lines_low`` counts cell lines.
    ``suggestive`` are signs that suggest a deficiency, other than those before it."""

    signs: tuple[str, ...] = ()
    hemoglobin: Decimal | None = None
    hemoglobin_months: int | None = None
    lowest_hemoglobin: Decimal | None = None
    lines_low: int = 0
    pancytopenia: tuple[str, ...] = ()
    level: Decimal | None = None
    level_is_below: bool = False
    graded: tuple[str, ...] = ()
    failure_to_thrive: tuple[str, ...] = ()
    megaloblastic: tuple[str, ...] = ()
    mcv: Decimal | None = None
    mcv_flagged: bool = False
    mcv_months: int | None = None
    b12_anemia: tuple[str, ...] = ()
    suggestive: tuple[Any, ...] = ()


def severity_table(limits: Limits, words: TableWords) -> Table[SeverityFacts, Severity]:
    f = SeverityFacts

    def below_up_to_the_limit(facts: SeverityFacts) -> bool:
        """ "Below 100" is on the lower side of a limit of 100."""
        level = facts.level
        return facts.level_is_below and level is not None and level <= limits.b12_severe.value

    return Table.of(
        "severity",
        SeverityFacts,
        (
            Row("SEV-01", some(f.signs), "severe"),
            Row(
                "SEV-02",
                any_of(
                    meets(f.lowest_hemoglobin, limits.hemoglobin_severe),
                    meets(f.lines_low, limits.lines_affected),
                    some(f.pancytopenia),
                ),
                "severe",
            ),
            Row(
                "SEV-03",
                any_of(
                    meets(f.level, limits.b12_severe),
                    holds(below_up_to_the_limit, b12_severe=limits.b12_severe),
                ),
                "severe",
            ),
            Row("SEV-04", some(f.graded), "severe"),
            Row(
                "SEV-05",
                any_of(
                    some(f.failure_to_thrive),
                    some(f.megaloblastic),
                    anaemia(f.hemoglobin, f.hemoglobin_months, limits),
                    macrocytosis(f.mcv, f.mcv_flagged, f.mcv_months, limits),
                    some(f.b12_anemia),
                    some(f.suggestive),
                ),
                "moderate",
            ),
            Row("SEV-06", otherwise, "mild"),
        ),
        words,
        first=True,
    )
