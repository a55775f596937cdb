"""What is shown of decision tables: what was seen, what became of each row, the exact logic."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Literal

import pytest
from msgspec import Struct

from cds_service.guidelines import describe
from cds_service.guidelines.engine import About, Limit, Wording
from cds_service.guidelines.explain import (
    Account,
    Comparison,
    Fact,
    RowAccount,
    asked_of,
    comparisons,
    in_words,
    shown,
    table_accounts,
    written,
)
from cds_service.guidelines.tables import (
    Reasoning,
    Row,
    RowWords,
    Table,
    TableWords,
    all_matches,
    all_of,
    any_of,
    holds,
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
from cds_service.language.house import language


class Way(Enum):
    MOUTH = "by mouth"
    MUSCLE = "into the muscle"


class Order(Struct, frozen=True):
    dose: Decimal | None = None
    days: int = 0
    reaction: bool | None = False
    names: tuple[str, ...] = ()
    form: Literal["tablet", "solution"] | None = None
    way: Way | None = None
    day: date | None = None


class Limits(Struct, frozen=True):
    high: Limit = Limit("µg", "too much", "policy: a test", above=Decimal(2000))
    low: Limit = Limit("µg", "too little", "policy: a test", below=Decimal("0.50"))
    course: Limit = Limit("d", "long", "policy: a test", at_least=Decimal(7))


LIMITS = Limits()
WORDING = Wording(
    About("toy", "Toy", "Toy", "1", "Unreviewed.", "https://example.org", "toy"),
    {},
    {},
    {},
    {},
    {},
    (),
)
f = Order


def odd(order: Order) -> bool:
    """The days of the course are odd.

    Not stated on the page.
    """
    return order.days % 2 == 1


def a_table(*rows: Row[None], first: bool = False) -> Table[Order, None]:
    words = TableWords(
        "order",
        "Is the order right?",
        {
            "dose": "dose", "days": "days", "reaction": "reaction", "names": "names",
            "form": "form", "way": "way", "day": "day", "odd": "odd course",
        } if any(row.rule == "T-9" for row in rows) else {
            "dose": "dose", "days": "days", "reaction": "reaction", "names": "names",
            "form": "form", "way": "way", "day": "day",
        },
        {row.rule: RowWords(f"{row.rule} asks.", f"{row.rule} says.", "policy: a test")
         for row in rows},
        unasked="there is no such order",
        absent={"form": "not written"},
    )  # fmt: skip
    return Table.of("order", Order, rows, words, first=first)


# --- what was seen --------------------------------------------------------------------------------


def seen_in(table: Table[Order, None], row: Row[None], facts: Order) -> tuple[Comparison, ...]:
    return comparisons(table.why(row, facts), table.words, language())


@pytest.mark.parametrize(
    ("when", "facts", "told"),
    [
        (meets(f.dose, LIMITS.high), Order(Decimal("2500.0")), "dose: 2500 (above 2000 µg)"),
        (meets(f.dose, LIMITS.high), Order(Decimal(2000)), "dose: 2000 (not above 2000 µg)"),
        (misses(f.dose, LIMITS.high), Order(Decimal(2000)), "dose: 2000 (not above 2000 µg)"),
        (meets(f.dose, LIMITS.high), Order(), "dose: unknown"),
        (meets(f.dose, LIMITS.low), Order(Decimal("0.4")), "dose: 0.4 (below 0.5 µg)"),
        (is_one_of(f.form, "tablet"), Order(form="tablet"), "form: tablet"),
        (is_one_of(f.form, "tablet"), Order(form="solution"), "form: solution (not tablet)"),
        (is_one_of(f.way, *Way), Order(), "way: unknown"),
        (is_one_of(f.form, "tablet"), Order(), "form: not written"),
        (unknown(f.form), Order(), "form: not written"),
        (some(f.names), Order(names=("a", "b")), "names: a, b"),
        (none(f.names), Order(), "names: none"),
        (some(f.reaction), Order(reaction=True), "reaction: yes"),
        (none(f.reaction), Order(), "reaction: no"),
        (some(f.reaction), Order(reaction=None), "reaction: unknown"),
    ],
)
def test_a_comparison_is_told_with_value_and_limit(when: object, facts: Order, told: str) -> None:
    table = a_table(Row("T-1", when, None))  # type: ignore[arg-type]
    assert in_words(seen_in(table, table["T-1"], facts), language()) == told


def test_what_was_compared_is_told_in_parts() -> None:
    when = all_of(is_one_of(f.form, "tablet"), meets(f.dose, LIMITS.high))
    table = a_table(Row("T-1", when, None))

    def seen(order: Order) -> tuple[Comparison, ...]:
        why = Reasoning()
        why.all(table, order)
        return rows_of(why, table)["T-1"].seen

    tablet, high = Comparison("form", "tablet"), Comparison("dose", "3000", "above 2000 µg", True)
    assert seen(Order(Decimal(3000), form="tablet")) == (tablet, high)
    assert seen(Order(Decimal(3000), form="solution")) == (
        Comparison("form", "solution", "not tablet"),
    )
    assert Comparison("dose", "unknown") in seen(Order(form="tablet")), "not a number"


def test_a_fact_compared_twice_is_told_once() -> None:
    row = Row("T-1", any_of(meets(f.dose, LIMITS.high), meets(f.dose, LIMITS.low)), None)
    table = a_table(row)
    seen = in_words(seen_in(table, row, Order(Decimal(7))), language())
    assert seen == "dose: 7 (not above 2000 µg, not below 0.5 µg)"


@pytest.mark.parametrize(
    ("value", "told"),
    [(True, "yes"), (False, "no"), (None, "unknown"), ((), "none"), ("", "none"), (0, "0"),
     (Decimal("1E+3"), "1000"), (Way.MUSCLE, "into the muscle"), (date(2026, 3, 1), "1 Mar 2026"),
     (("a", Way.MOUTH), "a, by mouth")],
)  # fmt: skip
def test_a_value_is_shown_for_a_reader(value: object, told: str) -> None:
    assert shown(value, language()) == told


# --- what became of the rows ----------------------------------------------------------------------

ROWS = (
    Row("T-1", meets(f.dose, LIMITS.high), None),
    Row("T-2", f.reaction, None),
    Row("T-3", otherwise, None),
)


def rows_of(why: Reasoning, table: Table[Order, None]) -> dict[str, RowAccount]:
    (account,) = table_accounts(
        [table], asked_of(why.matches, language()), lambda name: f"{name} ended", language()
    )
    return {row.rule: row for row in account.rows}


def test_a_table_that_stops_at_its_first_row_says_which_answered() -> None:
    why, table = Reasoning(), a_table(*ROWS, first=True)
    why.first(table, Order(Decimal(9), reaction=True))
    rows = rows_of(why, table)
    assert [(row.state, row.why) for row in rows.values()] == [
        ("no", ("dose: 9 (not above 2000 µg)",)),
        ("fired", ("reaction: yes",)),
        ("not reached", ("T-2 answered",)),
    ]


def test_a_table_nobody_asked_says_why() -> None:
    rows = rows_of(Reasoning(), a_table(*ROWS, first=True))
    assert {(row.state, row.why) for row in rows.values()} == {("not asked", ("order ended",))}
    (table,) = table_accounts([a_table(*ROWS, first=True)], {}, lambda _: "", language())
    assert {row.why for row in table.rows} == {("there is no such order",)}


def test_of_two_tables_of_one_title_the_one_that_was_not_asked_says_so_in_its_own_words() -> None:
    why, asked, other = Reasoning(), a_table(ROWS[0]), a_table(ROWS[1])
    why.all(asked, Order(Decimal(3000)))
    found = table_accounts(
        [asked, other], asked_of(why.matches, language()), lambda name: f"{name} ended", language()
    )
    assert [row.why for table in found for row in table.rows] == [
        ("dose: 3000 (above 2000 µg)",),
        ("there is no such order",),
    ]


def test_a_row_nobody_asked_says_so_in_the_words_of_its_table() -> None:
    why, table = Reasoning(), a_table(*ROWS)
    why.row(table, "T-2", Order(reaction=True))
    rows = rows_of(why, table)
    assert rows["T-2"].state == "fired"
    assert (rows["T-1"].state, rows["T-1"].why) == ("not asked", ("there is no such order",))


def test_a_table_asked_of_several_things_tells_them_apart() -> None:
    why, table = Reasoning(), a_table(*ROWS, first=True)
    why.first(table, Order(Decimal(3000)), about="the first")
    why.first(table, Order(Decimal(9)), about="the second")
    why.first(table, Order(Decimal(9)), about="the third")
    rows = rows_of(why, table)
    assert rows["T-1"].state == "fired"
    assert rows["T-1"].why == (
        "the first: dose: 3000 (above 2000 µg)",
        "not the second, the third: dose: 9 (not above 2000 µg)",
    )
    assert (rows["T-2"].state, rows["T-2"].why) == ("no", ("the second, the third: reaction: no",))
    assert (rows["T-3"].state, rows["T-3"].why) == ("fired", ("the second, the third",))


def test_a_row_that_nothing_reached_names_every_answer() -> None:
    why, table = Reasoning(), a_table(*ROWS, first=True)
    why.first(table, Order(Decimal(3000)), about="the first")
    why.first(table, Order(reaction=True), about="the second")
    rows = rows_of(why, table)
    assert rows["T-3"].state == "not reached"
    assert rows["T-3"].why == ("the first: T-1 answered", "the second: T-2 answered")


def test_the_account_as_text_has_every_row_and_why() -> None:
    why, table = Reasoning(), a_table(*ROWS, first=True)
    why.first(table, Order(Decimal(9), reaction=True))
    (account,) = table_accounts(
        [table], asked_of(why.matches, language()), lambda _: "", language()
    )
    facts = (Fact("Order", "one of 9 µg"), Fact("Order", "today"))
    assert written(Account(facts, (account,)), language()).splitlines() == [
        "What is known",
        "  Order:         one of 9 µg",
        "                 today",
        "",
        "Table order: Is the order right? The first row that fits answers.",
        "  no     T-1      T-1 asks. Seen: dose: 9 (not above 2000 µg)",
        "  FIRED  T-2      T-2 asks.",
        "                  seen: reaction: yes",
        "                  so:   T-2 says.",
        "  not reached: T-3 (T-2 answered)",
    ]


# --- the logic on the page ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("when", "told"),
    [
        (meets(f.dose, LIMITS.high), "*dose* above [2000 µg](#limit-high)"),
        (misses(f.dose, LIMITS.high), "*dose* at most [2000 µg](#limit-high)"),
        (misses(f.days, LIMITS.course), "*days* below [7 d](#limit-course)"),
        (is_one_of(f.form, "tablet", "solution"), "*form*: tablet or solution"),
        (is_one_of(f.way, Way.MOUTH), "*way*: by mouth"),
        (some(f.names), "*names*: some"),
        (none(f.names), "*names*: none"),
        (some(f.reaction), "*reaction*: yes"),
        (none(f.reaction), "*reaction*: no"),
        (unknown(f.dose), "*dose*: unknown"),
        (known(f.dose), "*dose*: known"),
        (unknown(f.form), "*form*: not written"),
        (known(f.form), "*form*: some"),
        (not_(some(f.names)), "**not** (*names*: some)"),
        (all_of(some(f.names), any_of(f.reaction, unknown(f.dose))),
         "*names*: some **and** (*reaction*: yes **or** *dose*: unknown)"),
        (any_of(any_of(f.reaction, some(f.names)), all_of(some(f.names), unknown(f.dose))),
         "*reaction*: yes **or** *names*: some **or** (*names*: some **and** *dose*: unknown)"),
        (all_of(f.reaction, not_(any_of(f.reaction, some(f.names)))),
         "*reaction*: yes **and** **not** (*reaction*: yes **or** *names*: some)"),
        (otherwise, "whatever is left"),
    ],
)  # fmt: skip
def test_the_logic_of_a_row_is_written_out(when: object, told: str) -> None:
    table = a_table(Row("T-1", when, None))  # type: ignore[arg-type]
    (line,) = [
        one
        for one in describe.decision_tables([table], LIMITS, WORDING, language())
        if one.startswith('| <a id="t-1">')
    ]
    assert line == (f'| <a id="t-1"></a>T-1 | T-1 asks. | {told} | T-1 says. | *policy*: a test |')


def test_a_table_is_on_the_page_with_its_question_and_its_facts() -> None:
    rows = (Row("T-1", meets(f.dose, LIMITS.high), None), Row("T-9", holds(odd), None))
    lines = list(describe.decision_tables([a_table(*rows)], LIMITS, WORDING, language()))
    assert "### Table order" in lines
    assert "**Is the order right?** Every row is asked, and each that fits answers." in lines
    for line in (
        "| dose | `dose` | a number, µg | unknown |",
        "| days | `days` | a number | – |",
        "| reaction | `reaction` | yes or no | unknown |",
        "| names | `names` | names | – |",
        "| form | `form` | solution or tablet | not written |",
        "| way | `way` | by mouth or into the muscle | unknown |",
        "| day | `day` | a day | unknown |",
        "| odd course | `odd` | yes or no. The days of the course are odd. | – |",
    ):
        assert line in lines
    assert any("| T-9 asks. | *odd course*: yes |" in line for line in lines)
    first = list(
        describe.decision_tables([a_table(*ROWS, first=True)], LIMITS, WORDING, language())
    )
    assert any(line.endswith("from the top, and the first that fits answers.") for line in first)


def test_tables_of_one_title_are_the_questions_of_one_table() -> None:
    tables = [a_table(ROWS[0]), a_table(ROWS[1])]
    lines = list(describe.decision_tables(tables, LIMITS, WORDING, language()))
    assert lines.count("### Table order") == 1
    assert sum(line.startswith("**Is the order right?**") for line in lines) == 2


def test_what_was_asked_of_all_is_told_as_what_was_asked_of_one() -> None:
    table = a_table(*ROWS)
    facts = Order(Decimal(3000), reaction=True)
    one_by_one = Reasoning()
    for row in ROWS:
        one_by_one.row(table, row.rule, facts)
    assert asked_of([all_matches(table, facts)], language()) == asked_of(
        one_by_one.matches, language()
    )
