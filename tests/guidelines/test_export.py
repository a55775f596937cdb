"""The decision tables as plain data: another language written from them has every row."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import msgspec
from builders import G
from each import each
from test_table_cases import CASES, TABLES

from cds_service.guidelines.tables import (
    Condition,
    Meets,
    Named,
    Table,
    condition_of,
    facts_of,
    name_of,
)

LIMITS = G.file.limits
Exported = Mapping[str, Any]

SIDES: Mapping[str, Callable[[Any, Any], bool]] = {
    "below": operator.lt, "at_most": operator.le, "at_least": operator.ge, "above": operator.gt,
}  # fmt: skip


def exported(name: str) -> Exported:
    """A table as another program gets it: through JSON."""
    found: Exported = json.loads(
        msgspec.json.encode(TABLES[name].exported(LIMITS)), parse_float=Decimal
    )
    return found


def functions(table: Table[Any, Any]) -> dict[str, Callable[[Any], bool]]:
    parts = [part for row in table.rows for part in condition_of(row).parts()]
    return {part.name: part.function for part in parts if isinstance(part, Named)}


def meant(when: Exported, facts: Any, named: Mapping[str, Callable[[Any], bool]]) -> bool:
    """What an exported condition means, read by nothing of the service."""
    match when:
        case {"all": conditions}:
            return all(meant(one, facts, named) for one in conditions)
        case {"any": conditions}:
            return any(meant(one, facts, named) for one in conditions)
        case {"not": condition}:
            return not meant(condition, facts, named)
        case {"otherwise": True}:
            return True
        case {"function": function}:
            return named[function](facts)
        case {"fact": fact, "side": side, "value": value}:
            number = getattr(facts, fact)
            return number is not None and SIDES[side](number, Decimal(value))
        case {"fact": fact, "names": names}:
            return msgspec.to_builtins(getattr(facts, fact)) in names
        case {"fact": fact, "includes": names}:
            return any(one in names for one in msgspec.to_builtins(getattr(facts, fact)))
        case {"fact": fact, "is": "some"}:
            return bool(getattr(facts, fact))
        case {"fact": fact, "is": "none"}:
            return getattr(facts, fact) is not None and not getattr(facts, fact)
        case {"fact": fact, "is": "unknown"}:
            return getattr(facts, fact) is None
    raise AssertionError(f"not a form that is documented: {when}")


@each("case", CASES, ids=lambda case: f"{case.table}: {case.tells}")
def test_a_case_comes_out_the_same_from_the_export(case: Any) -> None:
    table, named = exported(case.table), functions(TABLES[case.table])
    held = [row["id"] for row in table["rows"] if meant(row["when"], case.facts, named)]
    assert (held[:1] if table["first"] else held) == case.rows


@each("name", TABLES)
def test_every_row_is_exported_in_its_order_with_its_words(name: str) -> None:
    table, words = exported(name), TABLES[name].words
    assert table["question"] == words.question
    assert table["facts"] == words.facts
    assert [row["id"] for row in table["rows"]] == [row.id for row in TABLES[name].rows]
    for row in table["rows"]:
        said = words.rows[row["rule"]]
        assert (row["condition"], row["result"], row["source"]) == (
            said.condition, said.result, said.source,
        )  # fmt: skip


def leaves(when: Exported) -> list[Exported]:
    for joint in ("all", "any"):
        if joint in when:
            return [leaf for one in when[joint] for leaf in leaves(one)]
    return leaves(when["not"]) if "not" in when else [when]


@each("name", TABLES)
def test_everything_but_functions_is_exported_as_a_comparison(name: str) -> None:
    for row, written in zip(TABLES[name].rows, exported(name)["rows"], strict=True):
        parts = list(condition_of(row).parts())
        found = [leaf for leaf in leaves(written["when"]) if "otherwise" not in leaf]
        assert len(found) == len(parts), row.rule
        for part, leaf in zip(parts, found, strict=True):
            assert ("function" in leaf) == isinstance(part, Named), f"{row.rule}: {leaf}"
            assert {leaf.get("function") or leaf["fact"]} == facts_of(part)


@each("name", TABLES)
def test_every_limit_of_a_row_is_one_of_the_guidelines_and_is_named(name: str) -> None:
    """A number that a site changes must be the number of the row: it is the same limit."""
    parts: list[tuple[str, Condition]] = [
        (row.rule, part) for row in TABLES[name].rows for part in condition_of(row).parts()
    ]
    for rule, part in parts:
        if isinstance(part, Meets):
            assert name_of(part.limit, LIMITS), f"{rule}: {part.limit} is in no file"
    for row in exported(name)["rows"]:
        for leaf in leaves(row["when"]):
            if "limit" in leaf:
                assert Decimal(leaf["value"]) == getattr(LIMITS, leaf["limit"]).value
