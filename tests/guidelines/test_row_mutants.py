"""Every small mistake that could be made in a row of a table, and the case that finds it.

A mutant is a table with one thing wrong: a row left out or turned round, two neighbours in the
other order, a part of a condition dropped or negated, "and" for "or", a name forgotten, a limit on
its other side, with the other value on the limit itself, or a little off. A mutant dies when a case
in data comes out otherwise. One that answers as the true table does over every combination of facts
that can occur together (see `test_rows` and `NEVER`) is not a mistake, and is not counted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import cache
from itertools import islice
from typing import Any, NamedTuple

import pytest
from msgspec import structs
from sampling import chosen
from test_rows import MOST, combinations, count_of, spread
from test_table_cases import CASES, TABLES

from cds_service.guidelines.engine import Limit
from cds_service.guidelines.tables import (
    AllOf,
    AnyOf,
    Condition,
    Holds,
    Includes,
    IsOneOf,
    Meets,
    Named,
    Not,
    Otherwise,
    Row,
    Table,
    _Asked,
    all_matches,
    condition_of,
    first_match,
)

#: Of a table with more combinations than `MOST` so many decide whether a mutant is a mistake.
TRIED = 20_000

# --- facts that never occur together -------------------------------------------------------------
# Each says why. A row that differs on nothing else needs no case: no one can be such a child.


def ages_of_no_birth(facts: Any) -> bool:
    """Completed months are counted from a day of birth that is by today."""
    return facts.birth != "by today" and (facts.youngest, facts.oldest) != (None, None)


def no_age_of_a_birth(facts: Any) -> bool:
    """A child who lives and was born by today has an age."""
    born = facts.birth == "by today" and not facts.deceased
    return born and None in (facts.youngest, facts.oldest)


def two_exact_ages(facts: Any) -> bool:
    """One day of birth gives one age."""
    return not facts.partial and facts.youngest != facts.oldest


def older_than_the_oldest(facts: Any) -> bool:
    """The youngest and the oldest age come from the last and the first day of one stretch."""
    return None not in (facts.youngest, facts.oldest) and facts.youngest > facts.oldest


def one_age_of_two(facts: Any) -> bool:
    """Both ages at a weighing are known with its date and that of birth, or neither is."""
    return (facts.youngest is None) != (facts.oldest is None)


def unknown_to_the_curves(facts: Any) -> bool:
    """Where a weight is among the curves is known with its kg and its age, or not at all."""
    unknown = facts.kg is None or facts.oldest is None or facts.youngest is None
    return (facts.light is None) != unknown or (facts.heavy is None) != unknown


def both_light_and_heavy(facts: Any) -> bool:
    """A weight is on one side of the curves."""
    known = facts.light is not None and facts.heavy is not None
    return known and facts.light > 0 and facts.heavy > 0


def raised_without_being_high(facts: Any) -> bool:
    """Only a raised metabolite convinces or is firm."""
    return facts.metabolites != "high" and (facts.convincing or facts.firm_metabolite)


def deficient_by_another_name(facts: Any) -> bool:
    """Whether the child is deficient is read from the status."""
    return bool(facts.deficient != facts.status.startswith("deficient"))


NEVER: Mapping[str, tuple[Callable[[Any], bool], ...]] = {
    "age": (ages_of_no_birth, no_age_of_a_birth, two_exact_ages, older_than_the_oldest),
    "weight_found": (
        older_than_the_oldest,
        one_age_of_two,
        unknown_to_the_curves,
        both_light_and_heavy,
    ),
    "status": (raised_without_being_high,),
    "route": (deficient_by_another_name,),
}


class Mutant(NamedTuple):
    table: str
    tells: str
    wrong: Table[Any, Any]


# --- what can be wrong with a condition ----------------------------------------------------------


def wrong_conditions(one: Condition) -> Iterator[tuple[str, Condition]]:
    """Every condition that differs from ``one`` by one mistake."""
    if isinstance(one, Otherwise):
        return
    yield "negated", Not(one)
    if isinstance(one, Not):
        for tells, wrong in wrong_conditions(one.condition):
            yield tells, Not(wrong)
    elif isinstance(one, AllOf | AnyOf):
        yield from _wrong_joins(one)
    elif isinstance(one, Meets):
        yield from _wrong_limits(one)
    elif isinstance(one, IsOneOf | Includes):
        for name in one.names if len(one.names) > 1 else ():
            left = tuple(other for other in one.names if other != name)
            yield f"{one.fact} without {name}", structs.replace(one, names=left)
    elif isinstance(one, Holds):
        yield f"{one.fact} turned round", structs.replace(one, negated=not one.negated)


def _wrong_joins(one: AllOf | AnyOf) -> Iterator[tuple[str, Condition]]:
    other = AnyOf if isinstance(one, AllOf) else AllOf
    yield f"{other.__name__} for {type(one).__name__}", other(one.conditions)
    for place, part in enumerate(one.conditions):
        before, after = one.conditions[:place], one.conditions[place + 1 :]
        if before or after:
            yield f"without part {place + 1}", type(one)((*before, *after))
        for tells, wrong in wrong_conditions(part):
            yield f"part {place + 1}: {tells}", type(one)((*before, wrong, *after))


_ON_IT = {"below": "at_most", "at_most": "below", "at_least": "above", "above": "at_least"}


def _wrong_limits(one: Meets) -> Iterator[tuple[str, Condition]]:
    limit = one.limit
    plain = {"below": None, "at_most": None, "at_least": None, "above": None}
    inclusive = {**plain, _ON_IT[limit.side]: limit.value}
    yield f"{one.fact} on the limit {limit}", structs.replace(one, limit=_limit(limit, inclusive))
    step = Decimal(1) if limit.value == int(limit.value) else Decimal("0.01")
    for off in (-step, step):
        moved = {**plain, limit.side: limit.value + off}
        yield f"{one.fact}: {limit} off by {off}", structs.replace(one, limit=_limit(limit, moved))


def _limit(limit: Limit, sides: dict[str, Decimal | None]) -> Limit:
    return Limit(limit.unit, limit.means, limit.source, **sides)


# --- what can be wrong with a table --------------------------------------------------------------


def _table_of(name: str, rows: tuple[Row[Any], ...]) -> Table[Any, Any]:
    """A table of other rows, not held to its words."""
    places = {row.id: place for place, row in enumerate(rows)}
    return structs.replace(
        TABLES[name],
        rows=rows,
        _asked=_Asked(name, rows, complete=False),
        _places=places,
        complete=False,
    )


def mutants(name: str) -> Iterator[Mutant]:
    rows = TABLES[name].rows
    for place, row in enumerate(rows):
        before, after = rows[:place], rows[place + 1 :]
        yield Mutant(name, f"{row.id} left out", _table_of(name, (*before, *after)))
        if after and TABLES[name].first:
            swapped = (*before, after[0], row, *after[1:])
            yield Mutant(name, f"{row.id} after {after[0].id}", _table_of(name, swapped))
        for tells, wrong in wrong_conditions(condition_of(row)):
            changed = (*before, structs.replace(row, when=wrong), *after)
            yield Mutant(name, f"{row.id} {tells}", _table_of(name, changed))


def answer(table: Table[Any, Any], facts: Any) -> list[str]:
    ask = first_match if table.first else all_matches
    return [row.id for row in ask(table, facts).fired]


def is_killed(mutant: Mutant) -> bool:
    for case in CASES:
        if case.table == mutant.table:
            try:
                if answer(mutant.wrong, case.facts) != case.rows:
                    return True
            except TypeError:  # a limit that is compared with what its row would have ruled out
                return True
    return False


@cache
def children(name: str) -> tuple[tuple[Any, list[str]], ...]:
    """Combinations of facts that can occur together, and what the true table answers."""
    true, names, never = TABLES[name], list(spread(name)), NEVER.get(name, ())
    drawn = combinations(name, MOST, TRIED * (50 if never else 1))
    every = (true.facts(**dict(zip(names, values, strict=True))) for values in drawn)
    can_be = (facts for facts in every if not any(one(facts) for one in never))
    return tuple((facts, answer(true, facts)) for facts in islice(can_be, max(MOST, TRIED)))


def is_a_mistake(mutant: Mutant) -> bool:
    """Whether it answers any combination of facts otherwise than the true table."""
    for facts, right in children(mutant.table):
        try:
            if answer(mutant.wrong, facts) != right:
                return True
        except TypeError:
            return True
    return False


@pytest.mark.parametrize("name", TABLES)
def test_every_mistake_in_a_row_is_found_by_a_case(name: str, record_property: Any) -> None:
    found = chosen(mutants(name), 25, name)
    alive = [one for one in found if not is_killed(one)]
    mistakes = [one.tells for one in alive if is_a_mistake(one)]
    record_property("counted", ("mistakes in rows, found by a case", len(found) - len(alive)))
    assert not mistakes, "\n".join(mistakes)


def test_there_are_mistakes_of_every_kind() -> None:
    """Else the test above would say little."""
    told = [one.tells for name in TABLES for one in mutants(name)]
    assert len(told) > 1_000
    for kind in ("left out", " after ", "negated", "without part", "AnyOf for", "AllOf for",
                 "on the limit", "off by", "turned round", " without "):  # fmt: skip
        assert any(kind in one for one in told), kind
    named = [
        part for table in TABLES.values() for row in table.rows
        for part in condition_of(row).parts() if isinstance(part, Named)
    ]  # fmt: skip
    assert named, "named functions are mutated by their negation only"


@pytest.mark.parametrize("name", TABLES)
def test_a_sample_decides_only_where_there_are_too_many(name: str) -> None:
    if count_of(name) <= MOST:
        assert sum(1 for _ in combinations(name, MOST, TRIED)) == count_of(name)


@pytest.mark.parametrize("name", NEVER)
def test_what_never_occurs_is_in_no_case_and_leaves_children(name: str) -> None:
    cases = [case for case in CASES if case.table == name]
    for never in NEVER[name]:
        assert [case.tells for case in cases if never(case.facts)] == []
    drawn = [
        TABLES[name].facts(**dict(zip(spread(name), values, strict=True)))
        for values in combinations(name, MOST, TRIED)
    ]
    for never in NEVER[name]:
        assert any(never(facts) for facts in drawn), f"{never.__name__} rules nothing out"
    assert len(children(name)) > 20
