"""Table B12: what one vitamin B12 result says, and what else is worth saying about it.

Converted by its unit, never by its code: laboratories send molar values under the mass code and
the other way round.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from msgspec import Struct

from cds_service.guidelines.b12_under_two.limits import Limits
from cds_service.guidelines.tables import (
    Row,
    Table,
    TableWords,
    all_of,
    any_of,
    holds,
    is_one_of,
    meets,
    none,
    not_,
    otherwise,
    some,
    unknown,
)

#: FHIR's statuses of a valid result.
STANDING = ("final", "amended", "corrected")
#: What never was a result; and statuses of what is not one, as long as no answer comes with
#: them. With one, and with a status that is none of FHIR's, a result is unusable, and
#: the card says so.
NEVER_WAS = "entered-in-error"
NO_RESULT = ("registered", "cancelled", "unknown")

Verdict = Literal["deficient", "borderline", "adequate", "low", "indeterminate"]
#: What a result is to be read as; ``None`` where there is nothing to say of it, else "unusable".
Reading = Literal["unusable", "below", "above", "low", "unplaced", "number"]
Property = Literal["mass", "molar"]


class ResultFacts(Struct, frozen=True):
    """``ahead`` are the days from today to the earliest day the sample can be of, unknown without
    a date. ``form`` is what was sent; ``level`` a number in pg/mL, unknown in a unit that is not
    known. ``withheld`` when the sender says why there is nothing."""

    status: str = "final"
    about_another: bool = False
    ahead: int | None = None
    form: Literal["number", "range", "words"] | None = None
    level: Decimal | None = None
    comparator: str = ""
    withheld: bool = False
    flagged_low: bool = False


def not_above_zero(facts: ResultFacts) -> bool:
    """The number is zero or below it."""
    return facts.level is not None and facts.level <= 0


def result_table(limits: Limits, words: TableWords) -> Table[ResultFacts, Reading | None]:
    f = ResultFacts
    number = is_one_of(f.form, "number")
    no_level = any_of(
        unknown(f.level), holds(not_above_zero), meets(f.level, limits.b12_implausible)
    )
    nothing = all_of(unknown(f.form), none(f.withheld), none(f.flagged_low))
    return Table.of(
        "b12_result",
        ResultFacts,
        (
            Row("B12-02", is_one_of(f.status, "preliminary"), None),
            Row(
                "B12-01",
                any_of(
                    is_one_of(f.status, NEVER_WAS),
                    f.about_another,
                    all_of(is_one_of(f.status, *NO_RESULT), unknown(f.form)),
                ),
                None,
            ),
            Row(
                "B12-04",
                any_of(
                    not_(is_one_of(f.status, *STANDING)),
                    unknown(f.ahead),
                    meets(f.ahead, limits.dated_ahead),
                    all_of(number, no_level),
                    nothing,
                ),
                "unusable",
            ),
            Row("B12-03", all_of(f.withheld, not_(number)), None),
            Row("B12-07", all_of(number, is_one_of(f.comparator, "<", "<=")), "below"),
            Row("B12-08", all_of(number, some(f.comparator)), "above"),
            Row("B12-09", all_of(f.flagged_low, not_(is_one_of(f.form, "number", "range"))), "low"),
            Row("B12-10", is_one_of(f.form, "range", "words"), "unplaced"),
            Row("B12-11", otherwise, "number"),
        ),
        words,
        first=True,
    )


class RemarkFacts(Struct, frozen=True):
    """Of a result: that it is of ``another_test``; the property its ``code`` is of (unknown where
    it has both or none) and that of its ``unit``. Of two: their verdicts, the days between them,
    and that treatment lies between them."""

    another_test: bool = False
    code: Property | None = None
    unit: Property | None = None
    verdict: Verdict | None = None
    other: Verdict | None = None
    apart: int | None = None
    treated_between: bool = False


def verdicts_differ(facts: RemarkFacts) -> bool:
    """The two results have different verdicts."""
    return facts.verdict != facts.other


def remarks_table(limits: Limits, words: TableWords) -> Table[RemarkFacts, None]:
    f = RemarkFacts
    return Table.of(
        "b12_result_remarks",
        RemarkFacts,
        (
            Row("B12-05", f.another_test, None),
            Row(
                "B12-06",
                any_of(
                    all_of(is_one_of(f.code, "mass"), is_one_of(f.unit, "molar")),
                    all_of(is_one_of(f.code, "molar"), is_one_of(f.unit, "mass")),
                ),
                None,
            ),
            Row(
                "B12-12",
                all_of(
                    meets(f.apart, limits.discordance_window),
                    holds(verdicts_differ),
                    not_(is_one_of(f.other, "indeterminate")),
                    not_(f.treated_between),
                ),
                None,
            ),
        ),
        words,
        first=False,
    )
