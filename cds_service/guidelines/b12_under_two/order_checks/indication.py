"""Why a child may be given vitamin B12 at all, by what is on record."""

from __future__ import annotations

from collections.abc import Iterator

from cds_service.guidelines.b12_under_two.assessment import Assessment, at_risk
from cds_service.guidelines.b12_under_two.facts import Facts
from cds_service.language import Value

_LOW = ("deficient", "low", "borderline")


def indications(facts: Facts, a: Assessment) -> tuple[Value, ...]:
    """Signs of any strength, causes, and deficiencies now or before. Words count as codes do: here
    they only hold back a question."""
    return (*_signs(facts, a), *_causes(facts, a), *_deficiencies(facts))


def _signs(facts: Facts, a: Assessment) -> Iterator[Value]:
    found = (
        *facts.neurological, *facts.paradoxical, *facts.worded.neurological, *facts.weak_signs,
        *facts.worded.weak, *facts.feeding_trouble, *facts.anemia, *facts.b12_deficiency_anemia,
    )  # fmt: skip
    yield from (one.name for one in found)
    yield from (*facts.screening, *a.signs.suggestive, *a.signs.low_lines)


def _causes(facts: Facts, a: Assessment) -> Iterator[Value]:
    if at_risk(a.cause) or a.suspected:
        yield a.cause
    found = (
        *facts.inborn, *facts.malabsorption_permanent, *facts.malabsorption_possible,
        *facts.leber, *facts.worded.malabsorption, *facts.worded.mother, *facts.worded.inborn,
    )  # fmt: skip
    yield from (one.name for one in found)
    yield from facts.maternal
    yield from (one for one in (facts.child_diet, facts.diet_in_words) if one)


def _deficiencies(facts: Facts) -> Iterator[Value]:
    found = (*facts.deficiency_ever, *facts.deficiency_nonspecific)
    yield from (one.name for one in found)
    levels = (*facts.levels, *([facts.preliminary] if facts.preliminary else ()))
    yield from (one.written for one in levels if one.verdict in _LOW)
