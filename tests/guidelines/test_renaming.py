"""No decision hangs on words: a site that rewrites every name, label and text changes no rule, no
order and no line of a card but its wording."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from builders import (
    ORDERED,
    SHOWN,
    G,
    Seen,
    a_record,
    a_weight,
    months_old,
    see,
    see_orders,
)
from each import each

from cds_service.clinical import (
    Code,
    Plan,
    PlannedDrug,
    PlannedTask,
    PlannedTest,
    RemovedDraft,
    RevisedDrug,
    StoppedDrug,
)
from cds_service.guidelines.b12_under_two import Guideline, loading, one_action_each
from cds_service.guidelines.engine import (
    CannotTell,
    Note,
    NotIndicated,
    Outcome,
    Recommend,
    placeholders,
    read_toml,
)
from cds_service.guidelines.overrides import Changes
from cds_service.language import Message


def _renamed(name: str, text: str) -> str:
    """Other words for ``text``, from which nothing of it can be guessed but what is filled in."""
    return " ".join([f"Said.{name}", *(f"{{{one}}}" for one in sorted(placeholders(text)))])


def _file_of_other_words() -> str:
    """Every name, label and text of the guideline, replaced."""
    data = loading.read_own()
    lines: list[str] = []

    def say(**words: str) -> None:
        lines.extend(f"{name} = {json.dumps(text)}" for name, text in words.items())

    for section in ("products", "tests"):
        for name, entry in data[section].items():
            lines.append(f"[{section}.{name}]")
            say(**{key: _renamed(name, entry[key]) for key in ("name", "inside") if key in entry})
    for name, dose in data["doses"].items():
        lines.append(f"[doses.{name}]")
        say(label=_renamed(name, dose["label"]))
        lines.append('source = "local: the ward, 2026"')
        for phase in dose["phases"]:
            lines.append(f"[[doses.{name}.phases]]")
            lines += [
                f"{key} = {json.dumps(value) if isinstance(value, str) else value}"
                for key, value in phase.items()
                if key != "text"
            ]
            say(text=_renamed("phase", phase["text"]))
    for name, card in data["cards"].items():
        lines.append(f"[cards.{json.dumps(name)}]")
        say(
            **{
                key: _renamed(name, card[key])
                for key in ("summary", "advice", "why", "more")
                if key in card
            }
        )
    lines.append("[texts]")
    say(**{name: _renamed(name, text) for name, text in data["texts"].items()})
    for name in data["links"]:
        lines.append(f"[links.{name}]")
        say(label=f"Said.{name}")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Guideline:
    file: Path = tmp_path_factory.mktemp("site") / "words.toml"
    file.write_text(_file_of_other_words(), encoding="utf-8")
    return loading.load(Changes(file, read_toml(file)))


# --- an answer without its words ------------------------------------------------------------------


def _codes(codes: tuple[Code, ...]) -> list[tuple[str, str]]:
    return [(one.system, one.code) for one in codes]


def _drug(drug: PlannedDrug) -> tuple[Any, ...]:
    times = [
        (one.frequency, one.period, one.period_unit, one.duration, one.duration_unit, one.count)
        for one in drug.phases
    ]
    return (_codes(drug.codes), drug.route.code, drug.amount, times, drug.authored, drug.priority,
            drug.reasons, drug.substance, drug.purpose)  # fmt: skip


def _plan(plan: Plan) -> tuple[Any, ...]:
    match plan:
        case PlannedDrug():
            return _drug(plan)
        case PlannedTest():
            return (_codes(plan.codes), plan.due, plan.priority, plan.reasons, bool(plan.note))
        case PlannedTask():
            return (plan.authored, plan.reasons)
        case StoppedDrug():
            return (plan.source, plan.resource)
        case RevisedDrug():
            return (plan.draft, _drug(plan.drug), plan.parts)
        case RemovedDraft():
            return (plan.source,)


def _notes(notes: tuple[Note, ...], g: Guideline) -> Iterator[tuple[str, str, list[str]]]:
    texts = g.file.texts
    names = {getattr(texts, name): name for name in texts.__struct_fields__}
    for note in notes:
        if isinstance(note.text, Message):
            yield note.section, note.text.id, sorted(note.text.values)
        else:
            yield note.section, names[note.text], sorted(note.values)


def _bare(outcome: Outcome, g: Guideline) -> tuple[Any, ...]:
    match outcome:
        case NotIndicated():
            return (outcome.rule,)
        case CannotTell():
            said = (outcome.rule, outcome.card, outcome.indicator, outcome.missing)
            return (*said, [*_notes(outcome.notes, g)])
        case Recommend():
            choices = [
                (one.rule, one.recommended, [_plan(plan) for plan in one.plans])
                for one in outcome.choices
            ]
            said = (outcome.rule, outcome.card, outcome.indicator, outcome.main, outcome.selection)
            return (*said, outcome.about, choices, [*_notes(outcome.notes, g)])


def _decided(seen: Seen) -> list[Any]:
    """What was decided, in whole and for a client that takes one action of each choice."""
    apart = one_action_each(seen.evaluation, seen.guideline)
    return [
        seen.fired,
        *(_bare(one, seen.guideline) for one in seen.outcomes),
        *(_bare(one, seen.guideline) for one in apart.outcomes),
    ]


# --- the tests ------------------------------------------------------------------------------------


@each("card", SHOWN)
def test_other_words_decide_nothing_about_a_child(card: str, other: Guideline) -> None:
    record = SHOWN[card]()
    assert _decided(see(record, g=other)) == _decided(see(record))


@each("card", ORDERED)
def test_other_words_decide_nothing_about_an_order(card: str, other: Guideline) -> None:
    record, *drafts = ORDERED[card]()
    assert _decided(see_orders(record, *drafts, g=other)) == _decided(see_orders(record, *drafts))


@pytest.mark.parametrize("weight", [(), (a_weight(),)], ids=["not weighed", "weighed"])
@pytest.mark.parametrize("months", [8, 15])
def test_other_words_decide_nothing_about_the_daily_requirement(
    months: int, weight: tuple[Any, ...], other: Guideline
) -> None:
    record = a_record(*weight, birth=months_old(months))
    assert _decided(see(record, g=other)) == _decided(see(record))


def test_the_words_are_others_indeed(other: Guideline) -> None:
    shown = see(a_record(), g=other)
    assert "Said.oral_solution" in [shown.in_words(drug.name) for drug in shown.drugs]
    assert shown.tests
    assert all(name.startswith("Said.") for name, _ in shown.tests)
    (oral,) = [one for one in shown.offers if one.choice.rule == "DOSE-A"]
    assert oral.drug is not None
    assert shown.in_words(oral.choice.label).startswith("Said.label_with_tests")
    for phase in oral.drug.phases:
        assert shown.in_words(phase.text).startswith("Said.phase 1000")
    assert len(other.local) > len(G.file.cards) + len(G.file.texts.__struct_fields__)


def test_who_renames_cyanocobalamin_is_still_told_to_ask_about_lebers_disease(
    tmp_path: Path,
) -> None:
    file = tmp_path / "site.toml"
    file.write_text(
        '[products.oral_solution]\nname = "Vitamin B12 1 mg/mL oral solution"\n'
        '[products.ingredient]\nname = "Vitamin B12, dilute paediatric oral preparation"\n'
        '[texts]\nmaintenance_unmeasured = "It cannot be measured."\n',
        encoding="utf-8",
    )
    seen = see(a_record(), g=loading.load(Changes(file, read_toml(file))))
    assert seen.says("Leber's optic neuropathy in the family?")


@pytest.mark.parametrize("words", ["", ", and more", "!"])
def test_a_drug_that_is_ordered_alone_is_not_called_one_with_tests(
    words: str, tmp_path: Path
) -> None:
    """However a site words that, also where the words end the label by chance."""
    file = tmp_path / "site.toml"
    dose = '[doses.oral_regimen]\nlabel = "Oral B12, {amount} micrograms, and more"\n'
    source = 'source = "local: the ward, 2026"\n'
    texts = f'[texts]\nlabel_with_tests = "{{label}}{words}"\n' if words else ""
    file.write_text(dose + source + texts, encoding="utf-8")
    g = loading.load(Changes(file, read_toml(file)))
    seen = see(a_record(), g=g)
    apart = one_action_each(seen.evaluation, g)
    main = apart.outcomes[0]
    assert isinstance(main, Recommend)
    assert seen.in_words(main.choices[0].label) == "Oral B12, 1000 micrograms, and more"
