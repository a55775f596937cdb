"""The account of the decision tables that are not written as rows yet.

It goes with the last of them: this file, its two calls in `explain` and its one in `describe`,
and of `guidelines.tables` `Step`, `Reasoning.holds` and `Reasoning.steps`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from cds_service.guidelines.b12_under_two.data import Guideline
from cds_service.guidelines.describe import grid, rule_row
from cds_service.guidelines.engine import Rule
from cds_service.guidelines.explain import Asked, Asking, RowAccount, TableAccount, became_of
from cds_service.guidelines.tables import Reasoning, State, Step

#: Tables whose first row that fits is the answer, the rows after it not being looked at, with the
#: rows they ask for besides, whatever the answer. In the other tables every row stands for itself.
_FIRST_MATCH: Mapping[str, frozenset[str]] = {}

#: Why a row of a table that was looked at was not asked.
_NOT_ASKED = {
    "order": "the orders being written give no reason to",
}


def add_steps(asked: Asked, reasoning: Reasoning) -> None:
    """Adds what was asked in the old form."""
    for step in reasoning.steps:
        state: State = "fired" if step.fired else "no"
        asked.setdefault(step.rule, []).append(Asking(state, _because(step)))


def rules_by_table(g: Guideline) -> dict[str, dict[str, Rule]]:
    """The rules that no table has as rows, by the name of theirs."""
    converted = {row.rule for table in g.tables for row in table.rows}
    found: dict[str, dict[str, Rule]] = {}
    for rule, row in g.file.rules.items():
        if rule not in converted:
            found.setdefault(row.table, {})[rule] = row
    return found


def tables(asked: Asked, g: Guideline, why_not: Callable[[str], str]) -> Iterator[TableAccount]:
    for table, rules in rules_by_table(g).items():
        besides = _FIRST_MATCH.get(table, frozenset())
        answered = [
            rule for rule in rules if rule not in besides
            and any(one.state == "fired" for one in asked.get(rule, ()))
        ]  # fmt: skip
        silent = not any(rule in asked for rule in rules)
        unasked = _NOT_ASKED.get(table, "nothing here calls for it")
        if silent:
            unasked = why_not(table.replace("_", " ")) or "nothing is suggested to which it applies"
        rows = []
        for rule, row in rules.items():
            askings = asked.get(rule, [])
            if not askings and table in _FIRST_MATCH and answered and rule not in besides:
                askings = [Asking("not reached", f"{' and '.join(answered)} answered")]
            state, why = became_of(askings, unasked)
            rows.append(RowAccount(rule, state, row.condition, row.result, row.source, why))
        yield TableAccount(table.replace("_", " "), "", table in _FIRST_MATCH, tuple(rows))


def described(g: Guideline) -> Iterator[str]:
    for table, rules in rules_by_table(g).items():
        yield ""
        yield f"### Table {table.replace('_', ' ')}"
        yield ""
        rows = [rule_row(rule, row, g.wording) for rule, row in rules.items()]
        yield from grid(("rule", "condition", "result", "authority"), rows)


def _because(step: Step) -> str:
    """What was seen, with yes and no for true and false; "" where nothing was."""
    if not (step.fired or step.values):
        return ""  # a fixed text says why the rule fires, so it is wrong of one that did not
    said = {True: "yes", False: "no"}
    return step.because.format(
        *(
            said[value] if isinstance(value, bool) else "unknown" if value is None else value
            for value in step.values
        )
    )
