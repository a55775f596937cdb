"""Table STAT: what the level, the metabolites and the record say together.

Deficient below 200 pg/mL; 200 to 300 is settled by methylmalonic acid and homocysteine; a normal
level does not exclude a functional deficiency in a child with signs.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from cds_service.guidelines.b12_under_two.limits import Limits
from cds_service.guidelines.tables import (
    Row,
    Table,
    TableWords,
    all_of,
    any_of,
    is_one_of,
    known,
    meets,
    misses,
    none,
    not_,
    otherwise,
)

StatusName = Literal[
    "follow-up",
    "deficient",
    "deficient (functional)",
    "deficient (old result)",
    "deficient (diagnosis only)",
    "probably adequate",
    "borderline",
    "adequate with signs",
    "adequate",
    "unknown",
    "unknown at risk",
]
Metabolites = Literal["high", "normal", "none"]
#: What the problem list says: B12 deficiency; one that a later adequate level contradicts; or a
#: deficiency that may be of another vitamin.
Diagnosis = Literal["B12", "contradicted", "another vitamin perhaps"]


class StatusFacts(Struct, frozen=True):
    """``days`` is the age of the result that counts and ``verdict`` its side of the limits, both
    unknown without one; ``sample_day`` the day of its sample counted from the first dose, at most
    0 before it. ``softened`` when a result within two weeks was deficient and this one is not.
    ``marked`` when a methylmalonate is so high that it is a sign of its own.
    ``convincing`` when raised metabolites turn an unclear level into a deficiency.
    ``suggestive`` when a code or a number shows a sign of either strength next to the metabolites.
    ``suggested`` when signs, words or the newborn screening ask for a level.
    ``treated_since`` when B12 was ordered or given on or after its day. ``newest_days`` and
    ``newest_unplaced`` are of the newest result, which may be another."""

    treated: bool = False
    sample_day: int | None = None
    days: int | None = None
    verdict: Literal["deficient", "borderline", "adequate", "low", "indeterminate"] | None = None
    softened: bool = False
    metabolites: Metabolites = "none"
    convincing: bool = False
    marked: bool = False
    firm_metabolite: bool = False
    signs: bool = False
    suggestive: bool = False
    risk: bool = False
    treated_since: bool = False
    suggested: bool = False
    newest_days: int | None = None
    newest_unplaced: bool = False
    diagnosis: Diagnosis | None = None


def status_table(limits: Limits, words: TableWords) -> Table[StatusFacts, StatusName]:
    f = StatusFacts
    current = meets(f.days, limits.result_current)
    stale = all_of(misses(f.days, limits.result_current), meets(f.days, limits.result_stale))
    unclear = all_of(
        current,
        any_of(
            is_one_of(f.verdict, "borderline", "low"),
            all_of(f.softened, is_one_of(f.verdict, "borderline", "adequate")),
        ),
    )
    adequate = all_of(current, is_one_of(f.verdict, "adequate"))
    never_treated = all_of(is_one_of(f.verdict, "deficient"), none(f.treated_since))
    old_deficient = all_of(stale, never_treated)
    return Table.of(
        "status",
        StatusFacts,
        (
            Row(
                "STAT-01",
                all_of(f.treated, meets(f.sample_day, limits.therapy_before_result)),
                "follow-up",
            ),
            Row("STAT-02", all_of(current, is_one_of(f.verdict, "deficient")), "deficient"),
            Row(
                "STAT-03",
                all_of(unclear, is_one_of(f.metabolites, "high"), f.convincing),
                "deficient (functional)",
            ),
            Row(
                "STAT-04", all_of(unclear, is_one_of(f.metabolites, "normal")), "probably adequate"
            ),
            Row("STAT-05", unclear, "borderline"),
            Row(
                "STAT-06",
                all_of(adequate, any_of(f.signs, f.risk), f.firm_metabolite),
                "deficient (functional)",
            ),
            Row(
                "STAT-07",
                all_of(adequate, f.signs, is_one_of(f.metabolites, "high", "none")),
                "adequate with signs",
            ),
            Row(
                "STAT-07b",
                all_of(adequate, f.suggestive, is_one_of(f.metabolites, "high"), f.convincing),
                "adequate with signs",
            ),
            Row("STAT-07c", all_of(adequate, f.marked), "adequate with signs"),
            Row("STAT-08", adequate, "adequate"),
            Row(
                "STAT-09",
                all_of(
                    f.newest_unplaced,
                    meets(f.newest_days, limits.result_current),
                    not_(old_deficient),
                ),
                "unknown",
            ),
            Row("STAT-10", old_deficient, "deficient (old result)"),
            Row("STAT-11", known(f.diagnosis), "deficient (diagnosis only)"),
            Row("STAT-12", any_of(f.signs, f.suggested, f.risk, never_treated), "unknown at risk"),
            Row("STAT-13", otherwise, "unknown"),
        ),
        words,
        first=True,
    )
