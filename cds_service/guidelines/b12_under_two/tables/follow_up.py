"""Table FU: how a child does on treatment.

The table asks six questions, each with rows of its own, so that a reassuring answer to one never
hides an urgent answer to another: is there a new or lasting neurological sign, is the blood
dangerous, is a level overdue, is there a level to compare with, how does the level respond, and
is a level still to come that no one has ordered.
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
    is_one_of,
    known,
    meets,
    misses,
    none,
    not_,
    otherwise,
    some,
    unknown,
)

Check = Literal["one month", "three months"]
Route = Literal["oral", "parenteral", "other"]
InjectionDose = Literal["neurological_injections", "weekly_injections"]


class Follow(Struct, frozen=True):
    """What follows from a row that has a card.

    ``injections`` is the dose to change to from oral treatment, ``level`` when its card orders
    the level, and ``metabolites`` that it orders methylmalonate and homocysteine. ``goes_on`` says
    that the card says to go on as ordered, ``success`` that it calls the treatment one,
    ``until_settled`` that there is no card any more once the level of three months is there, and
    ``reaction`` that the signs may be one to treatment, ``resumes`` that what has ended begins
    again. ``today`` are other tests that it orders.
    """

    injections: InjectionDose | None = None
    level: Literal["now", "three months"] | None = None
    metabolites: bool = False
    goes_on: bool = False
    success: bool = False
    until_settled: bool = False
    reaction: bool = False
    resumes: bool = False
    today: tuple[Literal["blood_count", "reticulocytes", "potassium"], ...] = ()


class SignFacts(Struct, frozen=True):
    """Names of the neurological signs, of those that began after treatment did, and of movements
    that began in its first two weeks; ``movement_days`` is how long ago the first of these began.
    ``worded`` are words without a code that may be a sign and came after treatment had begun.
    ``day`` is the day of treatment; ``active`` says that an order is in force. ``level`` (pg/mL) is
    the newest on treatment, from the day on which it shows the response."""

    day: int = 0
    active: bool = True
    route: Route | None = "oral"
    signs: tuple[str, ...] = ()
    new_signs: tuple[str, ...] = ()
    movements: tuple[str, ...] = ()
    movement_days: int | None = None
    level: Decimal | None = None
    worded: tuple[str, ...] = ()


class BloodFacts(Struct, frozen=True):
    """The newest haemoglobin (g/dL) and potassium (mmol/L) of the last month, sampled after the
    first day of treatment."""

    hemoglobin: Decimal | None = None
    potassium: Decimal | None = None


class OverdueFacts(Struct, frozen=True):
    """Day of treatment, and the day of the newest level, negative before treatment and ``None``
    without any."""

    day: int = 0
    result_day: int | None = None


class ResponseFacts(Struct, frozen=True):
    """``level`` and ``before`` are pg/mL: the number by which the newest level on treatment is
    judged, of a sample of ``level_day``, and the one before treatment. ``rise`` is how many times
    the one is the other, ``None`` also where that is nothing. ``fell`` says that it was drawn after
    the last dose, and that the level of the course was adequate before."""

    day: int = 0
    level_day: int | None = None
    level: Decimal | None = None
    before: Decimal | None = None
    rise: Decimal | None = None
    route: Route | None = "oral"
    fell: bool = False


class CheckFacts(Struct, frozen=True):
    """One of the two checks, and whether the record has an order for it."""

    check: Check
    day: int = 0
    result_day: int | None = None
    ordered: bool = False


def signs_table(limits: Limits, words: TableWords) -> Table[SignFacts, Follow]:
    """New signs on oral treatment mean injections; movements that began in the first two weeks
    may pass within six, and are not a reason to stop."""
    f = SignFacts
    by_mouth = all_of(f.active, is_one_of(f.route, "oral", "other"))
    return Table.of(
        "follow_up",
        SignFacts,
        (
            Row("FU-11", all_of(by_mouth, some(f.new_signs)), Follow("neurological_injections")),
            Row(
                "FU-10",
                any_of(
                    meets(f.movement_days, limits.paradox_long),
                    all_of(by_mouth, some(f.signs), meets(f.day, limits.neuro_review)),
                ),
                Follow("neurological_injections"),
            ),
            Row(
                "FU-10b",
                all_of(
                    f.active,
                    is_one_of(f.route, "parenteral"),
                    some(f.signs),
                    meets(f.day, limits.neuro_review),
                    meets(f.level, limits.b12_adequate),
                ),
                Follow(),
            ),
            Row("FU-09", some(f.movements), Follow(reaction=True)),
            Row("FU-16", some(f.worded), Follow()),
        ),
        words,
        first=True,
        complete=False,
    )


def blood_table(limits: Limits, words: TableWords) -> Table[BloodFacts, Follow]:
    """What of the blood count and the salts is dangerous while treatment goes on."""
    f = BloodFacts
    return Table.of(
        "follow_up",
        BloodFacts,
        (
            Row(
                "FU-14",
                meets(f.potassium, limits.potassium_low),
                Follow(today=("potassium",)),
            ),
            Row(
                "FU-15",
                meets(f.hemoglobin, limits.hemoglobin_severe),
                Follow(today=("blood_count", "reticulocytes", "potassium")),
            ),
        ),
        words,
        first=False,
    )


def overdue_table(limits: Limits, words: TableWords) -> Table[OverdueFacts, Follow]:
    """Levels are due at one and at three months; neither is to be forgotten."""
    f = OverdueFacts
    return Table.of(
        "follow_up",
        OverdueFacts,
        (
            Row(
                "FU-08",
                all_of(
                    meets(f.day, limits.three_month_overdue),
                    not_(meets(f.result_day, limits.three_month_result)),
                ),
                Follow(level="now"),
            ),
            Row(
                "FU-07",
                all_of(
                    meets(f.day, limits.one_month_overdue),
                    not_(meets(f.result_day, limits.response_day)),
                ),
                Follow(level="now"),
            ),
        ),
        words,
        first=True,
        complete=False,
    )


def baseline_table(limits: Limits, words: TableWords) -> Table[ResponseFacts, None]:
    f = ResponseFacts
    compared = all_of(
        meets(f.day, limits.response_day),
        meets(f.level_day, limits.response_day),
        misses(f.level, limits.b12_adequate),
    )
    return Table.of(
        "follow_up",
        ResponseFacts,
        (Row("FU-06", all_of(compared, unknown(f.before)), None),),
        words,
        first=False,
    )


def response_table(limits: Limits, words: TableWords) -> Table[ResponseFacts, Follow | None]:
    """A level of 300 pg/mL from three weeks on is a response; under 200, or not a quarter above
    the first, is none. Between the limits it is a partial one by mouth; injections should do
    more. One that was adequate and fell after the last dose says nothing against the treatment."""
    f = ResponseFacts
    in_time = meets(f.level_day, limits.response_day)
    adequate = all_of(in_time, meets(f.level, limits.b12_adequate))
    grown = any_of(unknown(f.rise), meets(f.rise, limits.response_ratio))
    return Table.of(
        "follow_up",
        ResponseFacts,
        (
            Row("FU-01", misses(f.day, limits.response_day), None),
            Row("FU-12", all_of(adequate, meets(f.day, limits.regimen_end)), Follow(success=True)),
            Row("FU-02", adequate, Follow(goes_on=True, until_settled=True)),
            Row(
                "FU-17",
                all_of(in_time, known(f.level), f.fell),
                Follow(metabolites=True, resumes=True),
            ),
            Row(
                "FU-03",
                all_of(
                    in_time,
                    misses(f.level, limits.b12_deficient),
                    grown,
                    not_(is_one_of(f.route, "parenteral")),
                ),
                Follow(level="three months", goes_on=True),
            ),
            Row(
                "FU-04",
                all_of(in_time, known(f.level), not_(is_one_of(f.route, "parenteral"))),
                Follow("weekly_injections"),
            ),
            Row(
                "FU-05",
                all_of(
                    in_time,
                    known(f.level),
                    any_of(meets(f.level, limits.b12_deficient), not_(grown)),
                ),
                Follow(metabolites=True),
            ),
            Row("FU-05b", all_of(in_time, known(f.level)), Follow(metabolites=True)),
            Row("FU-13", otherwise, None),
        ),
        words,
        first=True,
    )


def checks_table(limits: Limits, words: TableWords) -> Table[CheckFacts, Follow]:
    """Asked of each of the two checks."""
    f = CheckFacts
    to_come = any_of(
        all_of(
            is_one_of(f.check, "one month"),
            misses(f.day, limits.one_month_overdue),
            not_(meets(f.result_day, limits.response_day)),
        ),
        all_of(
            is_one_of(f.check, "three months"),
            misses(f.day, limits.three_month_overdue),
            not_(meets(f.result_day, limits.three_month_result)),
        ),
    )
    return Table.of(
        "follow_up",
        CheckFacts,
        (Row("FU-00", all_of(to_come, none(f.ordered)), Follow(goes_on=True)),),
        words,
        first=False,
    )
