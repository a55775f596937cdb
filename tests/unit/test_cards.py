"""Cards: wording, order, identity. The guideline's own words are tested with the stories."""

import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from msgspec import structs

from cds_service.cdshooks.response import Action, Card
from cds_service.clinical import (
    Code,
    Draft,
    Phase,
    Plan,
    PlannedDrug,
    PlannedTest,
    RemovedDraft,
    RevisedDrug,
    StoppedDrug,
)
from cds_service.consultation.cards import (
    RULES_EXTENSION,
    SUMMARY_LIMIT,
    Stationery,
    build_cards,
    digest,
    escape,
    speaking,
)
from cds_service.consultation.services import stationery_of
from cds_service.fhir.orders import Order
from cds_service.guidelines import b12_under_two as b12
from cds_service.guidelines.b12_under_two.front import Front
from cds_service.guidelines.engine import (
    CannotTell,
    Choice,
    Indicator,
    Note,
    NotIndicated,
    Recommend,
)
from cds_service.language import Briefly, Language, Listed, house, say

GUIDELINE = b12.load()
WORDS = stationery_of(Front(GUIDELINE))


def nothing(plan: Plan) -> Order:
    return Order({"resourceType": "Basic"})


def recommend(rule: str = "MAT-01", indicator: Indicator = "info", **but: object) -> Recommend:
    return Recommend(rule, rule, indicator, {"b12": "low vitamin B12"}, **but)  # type: ignore[arg-type]


def cards(*outcomes: Any, data_notes: Sequence[Note] = (), **but: Any) -> tuple[Card, ...]:
    return build_cards(speaking(outcomes, WORDS, data_notes, **but), WORDS, nothing, call="call")


def test_the_most_urgent_card_comes_first_and_the_main_one_first_among_equals() -> None:
    made = cards(
        recommend("MAT-01", "info"),
        recommend("MAT-02", "critical"),
        recommend("AGE-03", "critical", main=True),
    )
    assert [card.source.topic.code for card in made] == ["B12AGE03", "B12MAT02", "B12MAT01"]


def test_outcomes_without_a_card_make_none() -> None:
    assert cards(NotIndicated("RTE-12", "fine"), CannotTell("AGE-02", ("date of birth",))) == ()


def test_what_was_missing_stands_on_the_first_card_only_and_the_closing_on_all() -> None:
    made = cards(
        recommend("MAT-01"),
        recommend("MAT-02", "critical"),
        data_notes=[Note("missing", "Weights were missing.")],
        closing=[Note("missing", "Awaits review.")],
    )
    assert ["Weights were missing." in card.detail for card in made] == [True, False]
    assert all(card.detail.endswith("Awaits review.") for card in made)


def test_a_note_is_said_once_however_often_it_comes() -> None:
    note = Note("safety", "Ask first.")
    (card,) = cards(recommend(notes=(note, note)))
    assert card.detail.count("Ask first.") == 1


def test_a_long_name_never_makes_a_summary_too_long() -> None:
    values = {"names": "x" * 500}
    (card,) = cards(CannotTell("IN-03", (), "IN-03", values=values))
    assert len(card.summary) == SUMMARY_LIMIT
    assert card.summary.endswith("… not available")


def test_a_name_cut_short_does_not_end_in_a_number_that_lost_its_unit() -> None:
    ends = set()
    for width in range(1, SUMMARY_LIMIT):
        name = f"{'x' * width} Vitamin B12 1 000 micrograms (0.5 mL, 5-10 drops), 1/2 vial"
        (card,) = cards(CannotTell("IN-03", (), "IN-03", values={"names": name}))
        assert len(card.summary) <= SUMMARY_LIMIT
        ends |= set(re.findall(r"(\S+)…", card.summary)) - {"x" * width}
    assert {"B12", "micrograms"} <= ends
    assert [end for end in ends if not re.search("[A-Za-z]", end)] == []


def test_a_summary_of_exactly_the_limit_is_left_alone() -> None:
    shortest = len(WORDS.language.texts[WORDS.frames["IN-03"].summary].format(names=""))
    (card,) = cards(
        CannotTell("IN-03", (), "IN-03", values={"names": "x" * (SUMMARY_LIMIT - shortest)})
    )
    assert len(card.summary) == SUMMARY_LIMIT
    assert "…" not in card.summary


def _with_a_name_of(length: int) -> Card:
    """A headline with so many signs of a name, which has a brief form."""
    named = Briefly("x" * length, "vitamin D", "x" * length)
    (card,) = cards(CannotTell("IN-03", (), "IN-03", values={"names": named}))
    return card


def test_a_name_without_room_is_brief_in_the_headline_and_whole_below_it() -> None:
    room = SUMMARY_LIMIT - len(WORDS.language.texts[WORDS.frames["IN-03"].summary].format(names=""))
    for length in (room - 1, room):
        card = _with_a_name_of(length)
        assert "x" * length in card.summary
    card = _with_a_name_of(room + 1)
    assert "vitamin D" in card.summary
    assert "…" not in card.summary
    assert "x" * (room + 1) in card.detail


def _below(headline: str, stated: str) -> str:
    """What is below a headline that names one thing, of a note that states another."""
    note = Note("missing", "Stated below.", told=(stated,))
    outcome = CannotTell("IN-03", (), "IN-03", values={"names": headline}, notes=(note,))
    (card,) = cards(outcome)
    return card.detail


@pytest.mark.parametrize(
    ("headline", "stated", "again"),
    [
        ("poor muscle tone", "Poor muscle tone", False),
        ("B12 150 pg/mL", "150", False),
        ("B12 1500 pg/mL", "150", True),
        ("B12 150.5 pg/mL", "150", True),
        ("B12 0.150 pg/mL", "150", True),
        ("seizures", "seizure", True),
        ("seizure", "apnoea", True),
        ("seizure", "", True),
    ],
)
def test_what_a_headline_names_whole_is_not_stated_again(
    headline: str, stated: str, again: bool
) -> None:
    assert ("Stated below." in _below(headline, stated)) == again


def test_a_note_that_states_more_than_the_headline_is_kept() -> None:
    both = Listed(("seizure", "apnoea"))
    note = Note("missing", "Stated below.", told=(both,))
    for headline, again in (("seizure", True), ("apnoea and seizure", False)):
        values = {"names": headline}
        (card,) = cards(CannotTell("IN-03", (), "IN-03", values=values, notes=(note,)))
        assert ("Stated below." in card.detail) == again


def test_identities_follow_from_the_call_and_what_is_said_alone() -> None:
    one, same = cards(recommend()), cards(recommend())
    (other,) = build_cards(speaking([recommend()], WORDS), WORDS, nothing, call="another call")
    assert one[0].uuid == same[0].uuid != other.uuid
    assert re.fullmatch(
        r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", other.uuid
    )


@pytest.mark.parametrize(
    "other",
    [
        recommend("MAT-02"),
        recommend(about="MedicationRequest/1"),
        recommend(notes=(Note("why", "Another reason."),)),
        recommend(choices=(Choice("DOSE-A", "choice", ()),)),
    ],
    ids=["rule", "draft", "words", "suggestion"],
)
def test_cards_that_say_something_else_have_identities_of_their_own(other: Recommend) -> None:
    ((one,), (two,)) = cards(recommend()), cards(other)
    assert one.uuid != two.uuid


def test_cards_about_two_drafts_have_identities_of_their_own_in_two_answers_too() -> None:
    choices = (Choice("ORD-04", "Change the dose", ()),)
    ((one,), (two,)) = (
        cards(recommend(about=f"MedicationRequest/{n}", choices=choices)) for n in (1, 2)
    )
    assert {one.uuid, one.suggestions[0].uuid}.isdisjoint({two.uuid, two.suggestions[0].uuid})


def test_what_an_answer_says_besides_changes_no_identity() -> None:
    beside = {
        name: [Note("missing", "Weights were missing.")] for name in ("data_notes", "closing")
    }
    ((alone,), (told,)) = cards(recommend()), cards(recommend(), **beside)
    assert "Weights" in told.detail
    assert alone.uuid == told.uuid


def test_cards_that_agree_in_all_are_numbered() -> None:
    one, two, three = cards(recommend(), recommend(), recommend())
    assert len({one.uuid, two.uuid, three.uuid}) == 3
    assert cards(recommend(), recommend())[1].uuid == two.uuid


def test_suggestions_that_create_other_orders_have_identities_of_their_own() -> None:
    def suggested(if_none_exist: str) -> str:
        made = build_cards(
            speaking([recommend(choices=(Choice("DOSE-A", "choice", (INJECTION,)),))], WORDS),
            WORDS,
            lambda _: Order({"resourceType": "Basic"}, if_none_exist),
            call="call",
        )
        return made[0].suggestions[0].uuid

    assert suggested("identifier=a|1") == suggested("identifier=a|1") != suggested("identifier=a|2")


def test_every_suggestion_has_an_identity_of_its_own() -> None:
    choices = tuple(Choice("DOSE-A", f"choice {number}", ()) for number in range(3))
    (card,) = cards(recommend(choices=choices, selection="at-most-one"))
    assert len({card.uuid, *(one.uuid for one in card.suggestions)}) == 4
    assert card.selection_behavior == "at-most-one"
    assert card.extension[RULES_EXTENSION]["ruleIds"] == ["MAT-01", "DOSE-A"]


def test_without_suggestions_no_selection_is_asked_for() -> None:
    (card,) = cards(recommend(selection="at-most-one"))
    assert card.selection_behavior == ""


@pytest.mark.parametrize(
    "hostile",
    [
        "**bold**",
        "[click](http://evil.example)",
        "<img src=x onerror=alert(1)>",
        "a\n\n# heading",
        "`code`",
        "| cell |",
        "www.evil.example",
        "see https://evil.example/x",
        "mail@evil.example",
        "~~gone~~",
        "&lt;script&gt;",
        "![pixel](http://evil.example/p.png)",
        "snake_case_name",
    ],
)
def test_text_from_a_record_stays_text(hostile: str) -> None:
    shown = escape(hostile)
    assert shown != hostile
    assert "\n" not in shown
    assert not re.search(r"(?<!\\)[`*_\[\]<>#|~&!]", shown)
    assert "://" not in shown
    assert "www." not in shown
    assert "@e" not in shown


def test_ordinary_words_are_not_touched() -> None:
    for plain in ("142 pg/mL", "2026-01-11", "Crohn's disease", "105 pmol/L (sent)", "µg"):
        assert escape(plain).replace("\\", "") == plain
    assert escape("Observation/b12-1") == "Observation/b12-1"


# --- actions -----------------------------------------------------------------------------------

INJECTION = PlannedDrug(
    (),
    "Hydroxocobalamin 1 mg/mL injection",
    Code("http://snomed.info/sct", "78421000", "Intramuscular route"),
    Decimal(1000),
    "ug",
    (Phase(1, 1, "wk", 4, "wk", 4, "1000 µg weekly, 4 doses"),),
    date(2026, 3, 15),
    "routine",
)
TABLET = Draft("drug", "MedicationRequest/d1", b"{}", text="Vitamin B 12 \u200b1 MG Oral Tablet")


def action(plan: Plan) -> Action:
    (card,) = cards(
        recommend(choices=(Choice("DOSE-A", "choice", (plan,)),), selection="at-most-one")
    )
    ((only,),) = [one.actions for one in card.suggestions]  # type: ignore[attr-defined]
    assert isinstance(only, Action)
    return only


def test_an_order_is_taken_out_by_its_name_and_without_a_resource() -> None:
    made = action(RemovedDraft("MedicationRequest/d1", "Vitamin B 12 1 MG Oral Tablet"))
    assert made == Action(
        "delete",
        "Remove the order of Vitamin B 12 1 MG Oral Tablet",
        resource_id="MedicationRequest/d1",
    )


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"medication"}, "Hydroxocobalamin 1 mg/mL injection"),
        ({"dosage"}, "1000 µg weekly, 4 doses"),
        ({"route"}, "Intramuscular route"),
        (
            {"medication", "dosage", "route"},
            "Hydroxocobalamin 1 mg/mL injection; 1000 µg weekly, 4 doses",
        ),
    ],
)
def test_what_an_order_is_changed_to_is_said_in_words(parts: set[str], words: str) -> None:
    made = action(RevisedDrug(TABLET, INJECTION, frozenset(parts)))  # type: ignore[arg-type]
    assert (made.type, made.resource_id, made.resource) == (
        "update",
        "",
        nothing(INJECTION).resource,
    )
    assert made.description == f"Change the order of Vitamin B 12  1 MG Oral Tablet to: {words}"


def test_an_order_without_a_name_is_changed_all_the_same() -> None:
    empty = Draft("drug", "MedicationRequest/d1", b"{}", begun=False)
    made = action(RevisedDrug(empty, INJECTION, frozenset({"medication"})))
    assert made.description == "Change the order to: Hydroxocobalamin 1 mg/mL injection"


def test_stopping_an_order_is_an_update_of_it() -> None:
    made = action(StoppedDrug(b"{}", "MedicationRequest/m1", "drops"))
    assert (made.type, made.description) == ("update", "Stop drops")


# --- the same answer ----------------------------------------------------------------------------


def digests(*outcomes: Any, words: Stationery = WORDS, **but: Any) -> list[str]:
    return [digest(one) for one in speaking(outcomes, words, **but)]


def in_another_language() -> Stationery:
    """The same words backwards, the names of their values as they are."""
    english = WORDS.language
    turned = {
        name: "".join(reversed(re.findall(r"\{\w+\}|[^{}]", text)))
        for name, text in english.texts.items()
    }
    return Stationery(GUIDELINE.wording, Language("xx", turned, english))


DRUG_OF_TODAY = Recommend(
    "RTE-07",
    "MAT-01",
    "warning",
    {"b12": "low vitamin B12"},
    notes=(Note("missing", "Weight of {day}.", {"day": date(2026, 3, 1)}),
           Note("safety", say(house.Account.because, rule="a", reason=Decimal("1.0")))),
    choices=(Choice("DOSE-A", "Order a test", (
        PlannedTest((), "Vitamin B12", date(2026, 4, 15), date(2026, 3, 15)),)),),
)  # fmt: skip


def test_a_digest_is_the_same_in_every_language() -> None:
    other = in_another_language()
    assert build_cards(speaking([DRUG_OF_TODAY], other), other, nothing, call="c") != cards(
        DRUG_OF_TODAY
    )
    assert digests(DRUG_OF_TODAY, words=other) == digests(DRUG_OF_TODAY)


def test_identities_are_the_same_in_every_language() -> None:
    other = in_another_language()
    (turned,) = build_cards(speaking([DRUG_OF_TODAY], other), other, nothing, call="call")
    (card,) = cards(DRUG_OF_TODAY)
    assert turned.detail != card.detail
    assert turned.uuid == card.uuid
    assert turned.suggestions[0].uuid == card.suggestions[0].uuid


def test_what_two_suggestions_order_alike_is_written_once() -> None:
    (choice,) = DRUG_OF_TODAY.choices
    twice = structs.replace(DRUG_OF_TODAY, choices=(choice, structs.replace(choice, label="Two")))
    written: list[Plan] = []

    def write(plan: Plan) -> Order:
        written.append(plan)
        return nothing(plan)

    (card,) = build_cards(speaking([twice], WORDS), WORDS, write, call="call")
    assert written == list(choice.plans)
    assert [one.actions for one in card.suggestions] == [card.suggestions[0].actions] * 2


def test_a_digest_leaves_out_on_which_day_a_test_is_due() -> None:
    (choice,) = DRUG_OF_TODAY.choices
    later = structs.replace(choice.plans[0], due=date(2026, 4, 16), authored=date(2026, 3, 16))
    moved = structs.replace(DRUG_OF_TODAY, choices=(structs.replace(choice, plans=(later,)),))
    assert digests(moved) == digests(DRUG_OF_TODAY)


@pytest.mark.parametrize(
    "changes",
    [
        {"indicator": "info"},
        {"card": "MAT-02"},
        {"notes": DRUG_OF_TODAY.notes[:1]},
        {"notes": DRUG_OF_TODAY.notes[::-1]},
        {"notes": (Note("missing", "Weight of {day}.", {"day": date(2026, 3, 2)}),
                   DRUG_OF_TODAY.notes[1])},
        {"notes": (DRUG_OF_TODAY.notes[0],
                   Note("why", say(house.Account.because, rule="a", reason=Decimal("1.0"))))},
        {"notes": (DRUG_OF_TODAY.notes[0],
                   Note("safety", say(house.Account.because, rule="a", reason=Decimal("1.1"))))},
        {"choices": ()},
        {"choices": (structs.replace(DRUG_OF_TODAY.choices[0], label="Order it"),)},
        {"choices": (structs.replace(DRUG_OF_TODAY.choices[0], plans=(
            PlannedTest((), "Ferritin", date(2026, 4, 15), date(2026, 3, 15)),)),)},
        {"choices": (structs.replace(DRUG_OF_TODAY.choices[0], plans=(
            StoppedDrug(b"{}", "MedicationRequest/1", "drops"),)),)},
    ],
)  # fmt: skip
def test_a_digest_changes_with_anything_the_answer_says(changes: Any) -> None:
    assert digests(structs.replace(DRUG_OF_TODAY, **changes)) != digests(DRUG_OF_TODAY)


def test_a_digest_changes_with_what_was_missing_and_with_a_sites_words() -> None:
    missing = [Note("missing", "Weights were missing.")]
    assert digests(DRUG_OF_TODAY, data_notes=missing) != digests(DRUG_OF_TODAY)
    told = {**WORDS.language.texts, WORDS.frames["MAT-01"].advice: "Other words."}
    site = Stationery(GUIDELINE.wording, Language("en", told))
    assert digests(DRUG_OF_TODAY, words=site) != digests(DRUG_OF_TODAY)


def written_as(plan: Plan, order: Order) -> Action:
    choices = (Choice("DOSE-A", "choice", (plan,)),)
    (card,) = build_cards(
        speaking([recommend(choices=choices)], WORDS), WORDS, lambda _: order, call="call"
    )
    return card.suggestions[0].actions[0]


def test_a_created_order_says_how_it_is_filed_once() -> None:
    made = written_as(INJECTION, Order({"resourceType": "Basic"}, "identifier=a|1"))
    assert made.extension == {"io.github.b12-cds-service.if-none-exist": "identifier=a|1"}


def test_what_a_change_takes_out_is_said() -> None:
    plan = RevisedDrug(TABLET, INJECTION, frozenset({"dosage"}))
    made = written_as(plan, Order({}, left_out=("narrative", "supply")))
    assert made.description.endswith(
        "1000 µg weekly, 4 doses. Left out, because it no longer fits: the narrative,"
        " what was to be dispensed"
    )
    assert made.extension == {}
