"""The data of the guideline is whole: statements, rules, texts and cards, each used and tested."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest
from builders import (
    ORDERED,
    SEIZURE,
    SHOWN,
    G,
    a_lab,
    a_level,
    a_problem,
    a_record,
    a_weight,
    an_order,
    moment,
    months_old,
    quantity,
    see,
)
from each import each

import cds_service
from cds_service.clinical import Code, Record
from cds_service.guidelines.b12_under_two.loading import SPEAKING

FILE = G.file
CODE = {
    path: path.read_text(encoding="utf-8")
    for path in Path(cds_service.__file__).parent.rglob("*.py")
}
TESTS = {
    path.name: path.read_text(encoding="utf-8")
    for path in Path(__file__).parent.glob("test_*.py")
    if path.name != Path(__file__).name
}

#: The statements of the guideline as they were numbered when it was read.
STATEMENTS = [
    f"G-{number:02}{part}"
    for number in range(1, 34)
    for part in (("a", "b", "c") if number == 9 else ("",))
]


def named_in(text: str, rule: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(rule)}(?!\w)", text) is not None


# --- statements and rules -------------------------------------------------------------------------


def test_every_statement_of_the_guideline_is_there() -> None:
    assert list(FILE.statements) == STATEMENTS


@each("name", STATEMENTS)
def test_every_statement_is_served_by_what_exists_or_says_why_not(name: str) -> None:
    statement = FILE.statements[name]
    assert bool(statement.served_by) is not bool(statement.not_clinical)
    for server in statement.served_by:
        kind, _, text = server.partition(":")
        if kind == "text":
            assert text in FILE.texts.__struct_fields__
        else:
            assert server in FILE.rules


def test_only_two_statements_are_not_clinical() -> None:
    assert [name for name, one in FILE.statements.items() if one.not_clinical] == ["G-31", "G-33"]


@each("rule", FILE.rules)
def test_every_rule_is_named_by_the_functions_and_by_a_test(rule: str) -> None:
    doses = {getattr(FILE.doses, name).rule for name in FILE.doses.__struct_fields__}
    assert rule in doses or any(named_in(text, rule) for text in CODE.values())
    assert any(named_in(text, rule) for text in TESTS.values())


def test_no_function_names_a_rule_that_is_not_in_the_data() -> None:
    tables = {rule.rpartition("-")[0] for rule in FILE.rules}
    form = re.compile(rf'"((?:{"|".join(sorted(tables))})-(?:\d+[a-z]?|[A-E]))"')
    named = {rule for text in CODE.values() for rule in form.findall(text)}
    assert named <= set(FILE.rules)


# --- texts and cards ------------------------------------------------------------------------------


@each("text", FILE.texts.__struct_fields__)
def test_every_text_is_used_by_a_function(text: str) -> None:
    assert any(re.search(rf"\b[Tt]exts\.{text}\b", code) for code in CODE.values())


@pytest.mark.parametrize("link", FILE.links)
def test_every_link_is_shown_on_a_card(link: str) -> None:
    assert any(link in card.links for card in FILE.cards.values())


def test_every_card_quotes_its_statement_and_evidence() -> None:
    for name, card in FILE.cards.items():
        assert bool(card.evidence) <= bool(card.statement), name


def test_every_card_has_a_record_that_shows_it() -> None:
    # MON-01 is shown where suggestions are split for clients that apply one action each.
    assert {*SHOWN, *ORDERED, "MON-01"} == set(SPEAKING) == set(FILE.cards)


@each("card", SHOWN)
def test_a_card_is_shown_with_nothing_left_to_fill_in(card: str) -> None:
    seen = see(SHOWN[card]())
    assert seen.shows(card)
    for shown in seen.cards:
        assert 0 < len(shown.summary) < 140
        assert not re.search(r"\{\w+\}", f"{shown.summary} {shown.detail}")
        assert "None" not in f"{shown.summary} {shown.detail}"
    assert seen.outcome(card).indicator in ("info", "warning", "critical")


LONG = "Very " + "long name of something that someone wrote in full " * 8


def lengthened(record: Record) -> Record:
    """The same record in which everything is called by a very long name."""

    def long(one: object, *names: str) -> object:
        fields = {name: getattr(one, name) for name in one.__struct_fields__}  # type: ignore[attr-defined]
        return type(one)(**{**fields, **{name: f"{LONG}{fields[name]}" for name in names}})

    def relabelled(one: object) -> object:
        if not one.codes and not one.text:  # type: ignore[attr-defined]
            return one  # what has no name stays so
        codes = tuple(Code(c.system, c.code, LONG) for c in one.codes)  # type: ignore[attr-defined]
        fields = {name: getattr(one, name) for name in one.__struct_fields__}  # type: ignore[attr-defined]
        return long(type(one)(**{**fields, "codes": codes}), "text")

    fields = {name: getattr(record, name) for name in record.__struct_fields__}
    for name in ("problems", "medications", "procedures"):
        fields[name] = tuple(relabelled(one) for one in fields[name])
    return Record(**fields)


@each("card", SHOWN)
def test_a_summary_stays_short_however_long_the_names_are(card: str) -> None:
    seen = see(lengthened(SHOWN[card]()))
    assert seen.shows(card)
    assert all(0 < len(one.summary) < 140 for one in seen.cards)


def test_a_name_from_the_record_is_plain_words_on_the_card() -> None:
    evil = a_problem(SEIZURE, text="**Stop** [here](http://example.org) {level}\n# now")
    seen = see(a_record(problems=[evil]))
    detail = seen.cards[0].detail
    assert "**Stop**" not in detail
    assert not re.search(r"(?<!\\)\]\(", detail)
    assert "\n# now" not in detail


# --- what qualifies a result is stated ------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "text"),
    [
        (a_record(level=a_level(150, comparator="<")), "the assay gives only an upper bound"),
        (a_record(level=a_level(400, comparator=">"), problems=[SEIZURE]), "only a lower bound"),
        (a_record(level=a_level(320, reference_low=quantity(350, "pg/mL")), problems=[SEIZURE]),
         "Below the laboratory's own reference range"),
        (a_record(a_weight(7, ago=1), birth=moment(date(2025, 9, 1), date(2025, 9, 30))),
         "The date of birth is incomplete"),
        (a_record(a_lab("gestational_age", 39)), "not corrected for preterm birth"),
        (a_record(a_level(120, ago=400), birth=months_old(20)),
         "Over a year old, for information only: 120 pg/mL"),
        (a_record(a_level(120, ago=200), birth=months_old(20)),
         "Older than half a year: 120 pg/mL on 27 Aug 2025"),
        (a_record(a_level(90, ago=200), a_lab("hemoglobin", 6, ago=190)),
         "2 results dated before birth were left out: they may be the mother's"),
        (a_record(a_level(90, status="preliminary", ago=2)), "Preliminary and not used: 90 pg/mL"),
        (a_record(a_lab("homocysteine", 12), level=a_level(250)),
         "homocysteine 12 µmol/L high"),
        (a_record(a_level(150, None, ago=3)), "Result not used: 150"),
        (a_record(medications=[an_order(amount=2)]), "An active order is maintenance-level"),
    ],
)  # fmt: skip
def test_what_qualifies_a_result_is_said(record: Record, text: str) -> None:
    assert see(record).says(text)
