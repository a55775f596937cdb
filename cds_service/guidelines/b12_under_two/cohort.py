"""A child of this guideline in a list of many, by ``cohort.toml`` and what the rules came to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import cache

from cds_service.errors import GuidelineError
from cds_service.guidelines.b12_under_two import Evaluation, follow_up
from cds_service.guidelines.b12_under_two.data import Guideline
from cds_service.guidelines.b12_under_two.facts import Facts
from cds_service.guidelines.b12_under_two.loading import FOLDER
from cds_service.guidelines.cohort import Cohort, Found
from cds_service.guidelines.engine import convert, read_toml

FILE = FOLDER / "cohort.toml"
#: Where an order or a dose may be.
_DRUG_NEEDS = ("meds", "administrations")


@cache
def cohort() -> Cohort:
    read = convert(read_toml(FILE), Cohort, FILE)
    if problem := read.problem():
        raise GuidelineError(str(FILE), "groups", problem, "correct the name")
    return read


def found(evaluation: Evaluation, g: Guideline) -> Found:
    facts, a = evaluation.facts, evaluation.assessment
    age = facts.age
    months = age.youngest if age.covered or age.rule == "AGE-04" else None
    if a is None:
        return Found(age.covered, months)
    level = a.status.level
    course = follow_up.read_course(facts)
    return Found(
        age.covered,
        months,
        a.status.name,
        a.severity or "",
        a.cause,
        level.number if level is not None else None,
        "pg/mL" if level is not None and level.number is not None else "",
        level.written if level is not None else "",
        level.when.first if level is not None else None,
        level.source if level is not None else "",
        _treatment(facts),
        tuple(_traits(facts)),
        _due(course, g) if course is not None and _treated(facts) else {},
    )


def _due(course: follow_up.Course, g: Guideline) -> dict[str, date]:
    return {str(check): day for check, day in follow_up.due_dates(course, g).items()}


def _treated(facts: Facts) -> bool:
    return facts.therapy.is_treating


def _treatment(facts: Facts) -> str:
    """Whether the child is treated. "none" only where every order that was sent was read, and
    orders were sent at all."""
    therapy = facts.therapy
    if _treated(facts):
        return "running"
    if therapy.is_held:
        return "on hold"
    in_doubt = (
        therapy.doubtful
        or therapy.injected
        or therapy.unknown
        or therapy.unknown_given
        or therapy.given_like_b12
    )
    unseen = {"meds"} & (facts.missing | facts.incomplete)
    if in_doubt or unseen or facts.not_all_read(*_DRUG_NEEDS):
        return "unknown"
    return "none"


def _traits(facts: Facts) -> Iterator[str]:
    """What groups may ask for besides the columns."""
    if facts.levels:
        yield "measured"
    elif not (facts.preliminary or facts.unusable or facts.ahead) and not (
        {"b12"} & (facts.missing | facts.incomplete) or facts.not_all_read("b12")
    ):
        yield "never measured"
    if facts.breast_fed:
        yield "breast-fed"
    if facts.vegan.mother:
        yield "vegan mother"
    if facts.weight.kg is None:
        yield "no weight to dose by"
    if facts.neurological:
        yield "neurological signs"
