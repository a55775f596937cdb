"""Table URG: what has to be dealt with today. Every row is independent."""

from __future__ import annotations

from msgspec import Struct

from cds_service.guidelines.b12_under_two.limits import Limits
from cds_service.guidelines.tables import Row, Table, TableWords, all_of, meets


class UrgencyFacts(Struct, frozen=True):
    """``untreated_days`` count from the first date of this deficiency, when nothing has been
    given against it since; ``None`` otherwise."""

    signs: bool = False
    concerned: bool = False
    untreated_days: int | None = None


def urgency_table(limits: Limits, words: TableWords) -> Table[UrgencyFacts, None]:
    f = UrgencyFacts
    untreated = meets(f.untreated_days, limits.untreated)
    return Table.of(
        "urgency",
        UrgencyFacts,
        (
            Row("URG-01", all_of(f.signs, f.concerned), None),
            Row("URG-02", untreated, None),
            Row("URG-03", all_of(untreated, f.signs), None),
        ),
        words,
        first=False,
    )
