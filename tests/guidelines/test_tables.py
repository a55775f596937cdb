"""The vocabulary of decision tables: what its words mean, also of what is unknown."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import pytest
from msgspec import Struct

from cds_service.errors import GuidelineError
from cds_service.guidelines.engine import Limit
from cds_service.guidelines.explain import comparisons, in_words
from cds_service.guidelines.tables import (
    Condition,
    Reasoning,
    Row,
    RowWords,
    Table,
    TableWords,
    all_matches,
    all_of,
    any_of,
    first_match,
    holds,
    includes,
    is_one_of,
    known,
    meets,
    misses,
    none,
    not_,
    one_row,
    otherwise,
    some,
    unknown,
)
from cds_service.language.house import language


class Child(Struct, frozen=True):
    level: Decimal | None = None
    days: int | None = None
    sign: bool | None = False
    names: tuple[str, ...] = ()
    route: Literal["oral", "parenteral"] | None = None


def limit(**side: int) -> Limit:
    numbers = {name: Decimal(value) for name, value in side.items()}
    return Limit(unit="pg/mL", means="a limit", source="policy: a test", **numbers)  # type: ignore[arg-type]


def true_of(condition: Condition, **facts: object) -> bool:
    return bool(condition.met(Child(**facts)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("side", "met"),
    [
        ("below", (True, False, False)),
        ("at_most", (True, True, False)),
        ("at_least", (False, True, True)),
        ("above", (False, False, True)),
    ],
)
def test_a_number_meets_or_misses_its_limit(side: str, met: tuple[bool, ...]) -> None:
    one = limit(**{side: 200})
    for level, expected in zip(("199.9", "200", "200.1"), met, strict=True):
        assert true_of(meets(Child.level, one), level=Decimal(level)) is expected
        assert true_of(misses(Child.level, one), level=Decimal(level)) is not expected


@pytest.mark.parametrize("side", ["below", "at_most", "at_least", "above"])
def test_the_unknown_is_on_neither_side_of_a_limit(side: str) -> None:
    one = limit(**{side: 200})
    assert not true_of(meets(Child.level, one))
    assert not true_of(misses(Child.level, one))


def test_the_unknown_is_neither_some_nor_none() -> None:
    assert not true_of(some(Child.sign), sign=None)
    assert not true_of(none(Child.sign), sign=None)
    assert true_of(none(Child.sign), sign=False)
    assert true_of(none(Child.names))
    assert true_of(some(Child.names), names=("seizure",))
    assert true_of(unknown(Child.sign), sign=None)
    assert not true_of(known(Child.sign), sign=None)
    assert true_of(known(Child.sign), sign=False)


def test_not_is_true_of_the_unknown() -> None:
    """Which is why a row that must not let the unknown pass says `misses` or `none`."""
    assert true_of(not_(meets(Child.level, limit(below=200))))


def test_names_are_compared_whole() -> None:
    one, two = is_one_of(Child.route, "oral"), is_one_of(Child.route, "oral", "parenteral")
    assert true_of(one, route="oral")
    assert not true_of(one, route="parenteral")
    assert true_of(two, route="parenteral")
    assert not true_of(two)


def test_a_list_includes_a_name_or_does_not() -> None:
    one, two = includes(Child.names, "seizure"), includes(Child.names, "seizure", "tremor")
    assert true_of(one, names=("ataxia", "seizure"))
    assert not true_of(one, names=("tremor",))
    assert true_of(two, names=("tremor",))
    assert not true_of(two)


def test_a_list_that_is_unknown_includes_nothing() -> None:
    assert not true_of(includes(Child.names, "seizure"), names=None)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_joined_conditions(count: int) -> None:
    parts = [some(Child.names), is_one_of(Child.route, "oral"), meets(Child.days, limit(at_most=5))]
    facts = [{"names": ("a",)}, {"route": "oral"}, {"days": 5}]
    every = {name: value for one in facts[:count] for name, value in one.items()}
    assert true_of(all_of(*parts[:count]), **every)
    assert true_of(any_of(*parts[:count]), **facts[count - 1])
    assert not true_of(any_of(*parts[:count]))
    for name in every:
        assert not true_of(all_of(*parts[:count]), **{k: v for k, v in every.items() if k != name})


def test_a_fact_is_named_by_its_struct() -> None:
    with pytest.raises(TypeError, match="name it by its struct"):
        some("names")


def a_long_name(facts: Child) -> bool:
    return any(len(name) > 5 for name in facts.names)


WORDS = TableWords(
    title="example",
    question="Which?",
    facts={"level": "level", "sign": "sign", "names": "names", "a_long_name": "a long name"},
    rows={
        "EX-01": RowWords("The level is low.", "Low.", "policy: a test"),
        "EX-02": RowWords("There is a sign, or a long name.", "Sign.", "policy: a test"),
        "EX-03": RowWords("Otherwise.", "Nothing.", "policy: a test"),
    },
)
ROWS = (
    Row("EX-01", meets(Child.level, limit(below=200)), "low"),
    Row("EX-02", any_of(Child.sign, holds(a_long_name)), "sign"),
    Row("EX-03", otherwise, "nothing"),
)


def example(*, first: bool = True, words: TableWords = WORDS) -> Table[Child, str]:
    return Table.of("example", Child, ROWS, words, first=first)


def test_the_first_row_that_holds_answers() -> None:
    both = Child(level=Decimal(150), sign=True)
    assert first_match(example(), both).result == "low"
    assert first_match(example(), Child(sign=True)).rule == "EX-02"
    assert first_match(example(), Child()).rule == "EX-03"


def test_each_row_says_what_became_of_it_and_why() -> None:
    match = first_match(example(), Child(level=Decimal("250.0"), sign=True))
    told = [
        (row.rule, state, in_words(comparisons(seen, WORDS, language()), language()))
        for row, state, seen in match.rows()
    ]
    assert told == [
        ("EX-01", "no", "level: 250 (not below 200 pg/mL)"),
        ("EX-02", "fired", "sign: yes"),
        ("EX-03", "not reached", ""),
    ]


def test_where_rows_stand_for_themselves_every_one_that_holds_answers() -> None:
    match = all_matches(example(first=False), Child(level=Decimal(150), sign=True))
    assert [row.rule for row in match.fired] == ["EX-01", "EX-02", "EX-03"]


def test_one_row_can_be_asked_alone() -> None:
    table = example(first=False)
    assert one_row(table, "EX-02", Child(sign=True)).fired
    alone = one_row(table, "EX-02", Child())
    assert not alone.fired
    assert [row.rule for row, _, _ in alone.rows()] == ["EX-02"]


def test_reasoning_keeps_every_rule_that_fired_once_in_the_order_asked() -> None:
    why = Reasoning()
    table = example(first=False)
    why.row(table, "EX-02", Child(names=("anaemia",)))
    why.row(table, "EX-01", Child())
    why.all(table, Child(level=Decimal(1)))
    why.first(example(), Child())
    assert why.fired() == ("EX-02", "EX-01", "EX-03")


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ({"rows": {}}, "has no words"),
        ({"rows": dict(reversed(WORDS.rows.items()))}, "published in another order"),
        ({"facts": {"level": "level"}}, "has no words"),
        ({"facts": {**WORDS.facts, "height": "height"}}, "names no fact of this table"),
    ],
)
def test_rows_and_words_that_do_not_fit_stop_the_start(
    words: dict[str, object], problem: str
) -> None:
    changed = TableWords(**{**{name: getattr(WORDS, name) for name in
                              ("title", "question", "facts", "rows")}, **words})  # type: ignore[arg-type]  # fmt: skip
    with pytest.raises(GuidelineError, match=problem):
        example(words=changed)


def test_a_first_match_table_takes_every_child() -> None:
    with pytest.raises(GuidelineError, match="does not take every child"):
        Table.of(
            "example",
            Child,
            ROWS[:2],
            TableWords("example", "Which?", WORDS.facts, dict(list(WORDS.rows.items())[:2])),
            first=True,
        )


def test_a_table_that_need_not_answer_may_have_none() -> None:
    words = TableWords("example", "Which?", WORDS.facts, dict(list(WORDS.rows.items())[:2]))
    table = Table.of("example", Child, ROWS[:2], words, first=True, complete=False)
    both = first_match(table, Child(level=Decimal(150), sign=True))
    assert [row.rule for row in both.fired] == ["EX-01"]
    neither = first_match(table, Child())
    assert neither.fired == ()
    assert [(row.rule, state) for row, state, _ in neither.rows()] == [
        ("EX-01", "no"),
        ("EX-02", "no"),
    ]
    why = Reasoning()
    why.first(table, Child())
    assert why.fired() == ()


PARTS = (
    Row("EX-01", all_of(meets(Child.level, limit(below=200)), Child.sign), "pressing", part="sign"),
    Row("EX-01", meets(Child.level, limit(below=200)), "low"),
    Row("EX-03", otherwise, "nothing"),
)
PARTED = TableWords(
    title="example",
    question="Which?",
    facts={"level": "level", "sign": "sign"},
    rows={rule: WORDS.rows[rule] for rule in ("EX-01", "EX-03")},
)


def test_a_rule_of_several_rows_is_published_once_and_answers_by_any_of_them() -> None:
    table = Table.of("example", Child, PARTS, PARTED, first=True)
    pressing = first_match(table, Child(level=Decimal(150), sign=True))
    assert (pressing.rule, pressing.result) == ("EX-01", "pressing")
    low = first_match(table, Child(level=Decimal(150)))
    assert (low.rule, low.row.id, low.result) == ("EX-01", "EX-01", "low")
    assert [row.id for row in table.rows] == ["EX-01.sign", "EX-01", "EX-03"]


def test_one_row_of_such_a_rule_is_asked_by_its_id() -> None:
    table = Table.of("example", Child, PARTS, PARTED, first=False)
    why = Reasoning()
    assert not why.row(table, "EX-01.sign", Child(level=Decimal(150)))
    assert why.row(table, "EX-01", Child(level=Decimal(150)))
    assert [row.id for match in why.matches for row, _, _ in match.rows()] == [
        "EX-01.sign", "EX-01",
    ]  # fmt: skip
    assert why.fired() == ("EX-01",)


def test_two_rows_of_one_id_stop_the_start() -> None:
    with pytest.raises(GuidelineError, match="is in the table twice"):
        Table.of("example", Child, (PARTS[1], *PARTS[1:]), PARTED, first=True)
