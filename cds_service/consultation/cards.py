"""Outcomes to cards: order, sections, suggestions, links, override reasons, in one language."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import lru_cache
from hashlib import sha256
from typing import Any, Literal, Protocol

from msgspec import Struct, structs

from cds_service import EXTENSIONS, named_uuid
from cds_service.cdshooks.response import Action, Card, Coding, Link, Source, Suggestion
from cds_service.clinical import (
    Plan,
    PlannedDrug,
    PlannedTask,
    PlannedTest,
    RemovedDraft,
    RevisedDrug,
    StoppedDrug,
    Written,
)
from cds_service.consultation.detail import Sentence, compose, sentence
from cds_service.guidelines.engine import (
    INDICATORS,
    CannotTell,
    CardText,
    Choice,
    Note,
    NotIndicated,
    Outcome,
    Recommend,
    Section,
    Wording,
    text_id,
)
from cds_service.language import (
    Amount,
    Briefly,
    Dated,
    Language,
    Listed,
    Message,
    Remembered,
    Words,
    house,
    placeholders,
    say,
)

#: The standard wants fewer than 140 characters.
SUMMARY_LIMIT = 139
RULES_EXTENSION = f"{EXTENSIONS}.rules"
#: "Create it only if none exists": what a transaction's ``ifNoneExist`` takes. Clients of Da Vinci
#: CRD know the same under a name of theirs, which is not one that CDS Hooks wants.
IF_NONE_EXIST = f"{EXTENSIONS}.if-none-exist"

#: How each part of a card begins.
_LABELS: Mapping[Section, Message] = {
    "give": say(house.Card.give),
    "advice": say(house.Card.advice),
    "because": say(house.Card.why),
    "ordered": say(house.Card.ordered),
    "usual": say(house.Card.usual),
    "why": say(house.Card.why),
    "before": say(house.Card.before),
    "ask": say(house.Card.ask),
    "safety": say(house.Card.safety),
    "follow_up": say(house.Card.follow_up),
    "course": say(house.Card.course),
    "finding": say(house.Card.finding),
    "caution": say(house.Card.caution),
    "background": say(house.Card.background),
    "missing": say(house.Card.missing),
    "position": say(house.Card.position),
    "source": say(house.Card.source),
}
#: What is shown for each of several orders, though it is the same.
_OF_EACH_ORDER: frozenset[Section] = frozenset({"give", "advice", "ordered", "usual"})


class Order(Protocol):
    """A resource to be saved, as `orders.write` makes it."""

    @property
    def resource(self) -> Mapping[str, Any]: ...
    @property
    def if_none_exist(self) -> str: ...
    @property
    def left_out(self) -> tuple[str, ...]: ...
    @property
    def raised(self) -> str | None: ...


Write = Callable[[Written], Order]


class _Said(Struct, frozen=True):
    """What is the same of a sentence in any language, and its Markdown in this one."""

    identity: str
    sentence: Sentence


class _Worded(Struct, frozen=True):
    """The same of what is not Markdown: a label, an action, a summary."""

    identity: str
    text: str


class _Frame(Struct, frozen=True):
    """What every card of one text has in common, for every patient.

    ``summary``, ``advice`` and ``why`` are ids of texts, "" for none. ``evidence`` are the sources
    it rests on, by their names in the bibliography, ``linked`` those among them that its links
    open; ``in_full`` is the label of the link to it.
    """

    summary: str
    advice: str
    why: str
    evidence: tuple[str, ...]
    linked: frozenset[str]
    source: Source
    links: tuple[Link, ...]
    in_full: str


class Stationery:
    """A guideline's words in one language made ready once: card frames and override reasons; and
    what its messages say, remembered where they hold nothing but days, numbers and its ``own``
    words."""

    def __init__(
        self,
        words: Wording,
        language: Language,
        own: frozenset[str] = frozenset(),
        *,
        reviewed: bool = True,
    ) -> None:
        self.language = language
        #: What an answer says once of a translation that no native clinician has reviewed.
        self.closing = () if reviewed else (Note("missing", say(house.Card.translated)),)
        self.sentence = Remembered(self._sentence, language, own).of
        self._labels = Remembered(self._label, language, own).of
        self._acts = Remembered(self._act, language, own).of
        self.summary = Remembered(self._summary, language, own).of
        self.labels = {name: language.fill(one) for name, one in _LABELS.items()}
        self.frames = {
            name: _frame(name, text, words, language) for name, text in words.cards.items()
        }
        self.override_reasons = tuple(
            Coding(one.system, one.code, language.texts[f"override_reasons.{one.code}"])
            for one in words.override_reasons
        )

    def label(self, said: Words) -> _Worded:
        """What is on a button."""
        if isinstance(said, Message):
            return self._labels(said.id, said.values)
        return _Worded(said, plain(said))

    def act(self, said: Words) -> _Worded:
        """What an action does."""
        return (
            self._acts(said.id, said.values) if isinstance(said, Message) else _Worded(said, said)
        )

    def _sentence(self, text: str, values: Mapping[str, object]) -> _Said:
        language = self.language
        said = language.filled(language.texts[text], values, escape)
        return _Said(language.identity_of(text, values), sentence(said))

    def _label(self, text: str, values: Mapping[str, object]) -> _Worded:
        language = self.language
        said = plain(language.filled(language.texts[text], values))
        return _Worded(language.identity_of(text, values), said)

    def _act(self, text: str, values: Mapping[str, object]) -> _Worded:
        language = self.language
        said = language.filled(language.texts[text], values)
        return _Worded(language.identity_of(text, values, dates=False), said)

    def _summary(self, text: str, values: Mapping[str, object]) -> _Worded:
        language = self.language
        return _Worded(language.identity_of(text, values), _summary(language, text, values))


def _frame(name: str, text: CardText, words: Wording, language: Language) -> _Frame:
    """The topic has its name in the language that the rules are written in, and in no other."""
    topic = text.topic or words.about.topic_prefix + re.sub(r"[^A-Za-z0-9]", "", name)
    rule = words.rules[name.partition(".")[0]]
    display = rule.result if language.original is language else ""
    said = language.texts
    in_full = language.fill(say(house.Card.in_full, rule=name.partition(".")[0]))
    return _Frame(
        text_id(name, "summary"),
        text_id(name, "advice") if text.advice else "",
        text_id(name, "why") if text.why else "",
        text.evidence,
        frozenset([words.links[one].source for one in text.links]),
        Source(said["guideline.label"], topic=Coding(words.about.topic_system, topic, display)),
        tuple(Link(said[f"links.{one}"], words.links[one].url, "absolute") for one in text.links),
        in_full,
    )


class Act:
    """What one action of a suggestion does, in words, and what says the same in any language
    (`Language.identity`, without its dates). Choices that order the same thing share one."""

    __slots__ = ("identity", "kind", "plan", "text", "words")

    def __init__(self, plan: Plan, words: Stationery) -> None:
        self.plan = plan
        self.words = described(plan)
        found = words.act(self.words)
        self.kind: Literal["create", "update", "delete"] = _KINDS.get(type(plan), "create")
        self.identity, self.text = f"{self.kind}\0{found.identity}", found.text


class Offered(Struct, frozen=True):
    """A choice with its label, and its acts."""

    choice: Choice
    label: _Worded
    acts: tuple[Act, ...]


class Spoken(Struct, frozen=True):
    """An outcome that becomes a card, and what it says: by ids and values, in any language.

    ``texts`` are those of the card itself, ``notes`` one for each note. The first ``own`` of them
    the outcome has whatever else the answer says. ``summary`` and ``detail`` are what the card says
    in this language. ``unseen`` where the caller is not shown it.
    """

    outcome: Recommend | CannotTell
    texts: tuple[str, ...]
    notes: tuple[str, ...]
    own: int
    offered: tuple[Offered, ...]
    summary: str
    detail: str
    unseen: bool = False


class _Sentences(Struct, frozen=True):
    """What a card has to say in one language: the rule's own sentences, and one for each note."""

    summary: str
    advice: _Said | None
    why: _Said | None
    notes: Sequence[_Said]


def speaking(
    outcomes: Iterable[Outcome],
    words: Stationery,
    data_notes: Sequence[Note] = (),
    unseen: Container[str] = (),
    *,
    once: Sequence[Note] = (),
    closing: Sequence[Note] = (),
) -> list[Spoken]:
    """The outcomes that become cards, most urgent first and the main one first among its equals.

    ``data_notes`` (what was missing) are stated only by the first whose rule is not ``unseen``.
    ``once`` ends that card too, with what is to be known of a translation; ``closing`` ends every
    card. What one card says, no later one says again.
    """
    found = [one for one in outcomes if not isinstance(one, NotIndicated) and one.card]
    found.sort(key=lambda one: (-INDICATORS.index(one.indicator), not getattr(one, "main", True)))
    seen = next((index for index, one in enumerate(found) if one.rule not in unseen), None)
    last = [_said(note, words).sentence.text for note in closing]
    acts: dict[int, Act] = {}
    told = _Told()
    spoken = []
    for index, outcome in enumerate(found):
        own, ends, after = len(outcome.notes), [], last
        if index == (seen or 0) and data_notes:
            outcome = structs.replace(outcome, notes=(*outcome.notes, *data_notes))
        if index == seen:
            ends = [_said(note, words).sentence for note in once]
            after = [*[_said(note, words).sentence.text for note in words.closing], *last]
        is_seen = outcome.rule not in unseen
        heard = told if is_seen else _Told()
        spoken.append(_spoken(outcome, words, own, acts, heard, ends, after, unseen=not is_seen))
    return spoken


def _spoken(
    outcome: Recommend | CannotTell,
    words: Stationery,
    own: int,
    acts: dict[int, Act],
    told: _Told,
    once: Sequence[Sentence],
    closing: Sequence[str],
    *,
    unseen: bool,
) -> Spoken:
    frame, values = words.frames[outcome.card], outcome.values
    summary = words.summary(frame.summary, values)
    advice = words.sentence(frame.advice, values) if frame.advice else None
    why = words.sentence(frame.why, values) if frame.why else None
    said = [_said(one, words) for one in outcome.notes]
    return Spoken(
        outcome,
        (
            outcome.card,
            *frame.evidence,
            summary.identity,
            *[one.identity for one in (advice, why) if one is not None],
        ),
        tuple(
            [
                f"{note.section}\0{one.identity}"
                for note, one in zip(outcome.notes, said, strict=True)
            ]
        ),
        own,
        tuple(
            [
                Offered(
                    one,
                    words.label(_label(one, outcome)),
                    tuple([_act(plan, acts, words) for plan in one.plans]),
                )
                for one in _choices(outcome)
            ]
        ),
        summary.text,
        _detail(outcome, _Sentences(summary.text, advice, why, said), words, told, once, closing),
        unseen,
    )


def _label(choice: Choice, outcome: Recommend | CannotTell) -> Words:
    """What is on the button. Clients hide which suggestion is recommended, so a drug that is not
    says so first."""
    prescribes = any(isinstance(plan, PlannedDrug | RevisedDrug) for plan in choice.plans)
    if choice.recommended or choice.conditional or not prescribes:
        return choice.label
    if any(other.recommended for other in _choices(outcome)):
        return say(house.Card.alternative, choice=choice.label)
    return say(house.Card.offered, choice=choice.label)


def _act(plan: Plan, acts: dict[int, Act], words: Stationery) -> Act:
    """By its identity: to compare plans by what they say takes longer than to write one twice."""
    found = acts.get(id(plan))
    if found is None:
        found = acts[id(plan)] = Act(plan, words)
    return found


def _said(note: Note, words: Stationery) -> _Said:
    """A note with its values as plain words."""
    if isinstance(note.text, Message):
        return words.sentence(note.text.id, note.text.values)
    language, identity = words.language, note.text
    if note.values:
        names = sorted(placeholders(note.text))
        identity = "\0".join([identity, *[language.identity(note.values[name]) for name in names]])
    return _Said(identity, sentence(language.filled(note.text, note.values, escape)))


def _choices(outcome: Recommend | CannotTell) -> tuple[Choice, ...]:
    return outcome.choices if isinstance(outcome, Recommend) else ()


def build_cards(
    spoken: Sequence[Spoken],
    words: Stationery,
    write: Write,
    *,
    call: str,
    page: str = "",
) -> tuple[Card, ...]:
    """The cards of the outcomes that are `speaking`, in their order.

    ``write`` makes a resource of a plan; ``call`` names the call and the patient, so that the same
    call gets the same uuids from every worker, and no other call any of them.
    ``page`` is where the guideline is read in full, with a part for each card.
    """
    actions: dict[Act, Action] = {}
    made = []
    equals: dict[str, int] = {}
    for one in spoken:
        for offered in one.offered:
            for act in offered.acts:
                if act not in actions:
                    actions[act] = _action(act, words.language, write)
        identity = _identity(one, actions, call)
        number = equals[identity] = equals.get(identity, 0) + 1
        links = _links(one.outcome.card, words, page)
        made.append(_card(one, words, actions, _uuid(f"{identity}|{number}"), links))
    return tuple(made)


def _card(
    spoken: Spoken,
    words: Stationery,
    actions: Mapping[Act, Action],
    uuid: str,
    links: tuple[Link, ...],
) -> Card:
    outcome = spoken.outcome
    frame, choices = words.frames[outcome.card], _choices(outcome)
    selection = outcome.selection if isinstance(outcome, Recommend) and choices else ""
    rules: dict[str, Any] = {
        "ruleIds": list(dict.fromkeys([outcome.rule, *[one.rule for one in choices]]))
    }
    if isinstance(outcome, Recommend) and outcome.about:
        rules["order"] = outcome.about
    return Card(
        uuid,
        spoken.summary,
        outcome.indicator,
        frame.source,
        spoken.detail,
        tuple(
            [
                Suggestion(
                    one.label.text,
                    _uuid(f"{uuid}|{index}"),
                    one.choice.recommended,
                    tuple([actions[act] for act in one.acts]),
                )
                for index, one in enumerate(spoken.offered)
            ]
        ),
        selection,
        words.override_reasons,
        links,
        {RULES_EXTENSION: rules},
    )


def _links(card: str, words: Stationery, page: str) -> tuple[Link, ...]:
    """The whole of what the guideline says of this card, then what is worth opening elsewhere."""
    frame = words.frames[card]
    if not page:
        return frame.links
    return (Link(frame.in_full, f"{page}#{card}", "absolute"), *frame.links)


def _identity(spoken: Spoken, actions: Mapping[Act, Action], call: str) -> str:
    """What distinguishes a card of this call, in whatever language it is: its rule, the draft it
    is about, its own texts and notes, and what its suggestions do.

    What the answer says besides may be on any card and counts for nothing. What is to be
    created has an identifier, which follows from all of it, and what is changed is named.
    """
    outcome = spoken.outcome
    about = outcome.about if isinstance(outcome, Recommend) else ""
    said = [call, outcome.rule, about, *spoken.texts, "notes", *spoken.notes[: spoken.own]]
    for offered in spoken.offered:
        said += ("offered", offered.label.identity)
        for act in offered.acts:
            action = actions[act]
            once = action.extension.get(IF_NONE_EXIST, action.resource_id)
            said += (act.identity, once)
    return "\0".join(said)


class _Told:
    """What the cards of one answer have said so far, by what is the same in any language."""

    def __init__(self) -> None:
        self._facts: set[str] = set()
        self._sources: set[str] = set()

    def is_new(self, fact: str, *, section: Section, about: str) -> bool:
        """Whether ``fact`` has still to be shown; what to do with an order is shown for each."""
        key = f"{about}\0{fact}" if section in _OF_EACH_ORDER else fact
        if key in self._facts:
            return False
        self._facts.add(key)
        return True

    def new_sources(self, names: Iterable[str]) -> tuple[str, ...]:
        found = tuple([one for one in names if one not in self._sources])
        self._sources.update(found)
        return found


def _detail(
    outcome: Recommend | CannotTell,
    said: _Sentences,
    words: Stationery,
    told: _Told,
    once: Sequence[Sentence],
    closing: Sequence[str],
) -> str:
    """What the card says besides its summary: the rule's own sentences and the notes, section by
    section, each fact where it comes first."""
    language = words.language
    about = outcome.about if isinstance(outcome, Recommend) else ""
    lines: dict[Section, dict[Sentence, None]] = {}
    lost = _lost(outcome, said.summary, words)
    facts = _not_in_headline(outcome, said, lost.values(), language)
    if said.advice is not None:
        facts.insert(0, ("advice", said.advice))
    if said.why is not None:
        facts.append(("why", said.why))
    for section, fact in facts:
        if told.is_new(fact.identity, section=section, about=about):
            lines.setdefault(section, {})[fact.sentence] = None
    _name_lost(lost, lines)
    frame = words.frames[outcome.card]
    evidence = told.new_sources([one for one in frame.evidence if one not in frame.linked])
    sources = Listed(tuple([Message(f"sources.{one}") for one in evidence]), "semicolon")
    if sources.items:
        lines["source"] = {sentence(escape(language.text(sources))): None}
    return compose(lines, words.labels, language, once, closing)


def _not_in_headline(
    outcome: Recommend | CannotTell, said: _Sentences, lost: Iterable[str], language: Language
) -> list[tuple[Section, _Said]]:
    """The notes by section, but for what the headline states, or what it had no room for and the
    card names."""
    headline = "\n".join([said.summary, *map(plain, lost)]).casefold()
    return [
        (note.section, fact)
        for note, fact in zip(outcome.notes, said.notes, strict=True)
        if not (note.told and _names(headline, note.told, language))
    ]


def _name_lost(lost: Mapping[str, str], lines: dict[Section, dict[Sentence, None]]) -> None:
    """Add what the headline had no room for, unless a sentence names it."""
    for name, text in lost.items():
        words = escape(text)
        written = [one.text.casefold() for said in lines.values() for one in said]
        if not any(words.casefold() in one for one in written):
            lines.setdefault(_NAMED_IN.get(name, "because"), {})[sentence(f"{words}.")] = None


#: Where a card says in full what its headline says briefly; what is not here is a reason.
_NAMED_IN: Mapping[str, Section] = {"order": "ordered"}


def _lost(outcome: Recommend | CannotTell, summary: str, words: Stationery) -> dict[str, str]:
    """What the headline had no room for, by the name of its value."""
    language = words.language
    headline = summary.casefold()
    names = sorted(placeholders(language.texts[words.frames[outcome.card].summary]))
    brief = {name: outcome.values[name] for name in names}
    return {
        name: language.text(value.lost)
        for name, value in brief.items()
        if isinstance(value, Briefly) and value.lost
        if not _names(headline, (value.full,), language)
    }


def _names(headline: str, facts: Iterable[object], language: Language) -> bool:
    """Whether a headline, without capitals, has each of the facts in its words."""
    for fact in facts:
        if isinstance(fact, Listed):
            if not _names(headline, fact.items, language):
                return False
        elif not _has_words(headline, plain(language.text(fact)).casefold()):
            return False
    return True


def _has_words(headline: str, words: str) -> bool:
    """Whether the words are in the headline, and no part of a longer word or number."""
    place = headline.find(words) if words else -1
    if place < 0:
        return False
    before, after = headline[:place][-1:], headline[place + len(words) :][:2]
    starts_within = words[0].isalnum() and (before.isalnum() or before == ".")
    ends_within = words[-1].isalnum() and (
        after[:1].isalnum() or (after[:1] == "." and after[1:].isdigit())
    )
    return not starts_within and not ends_within


def _summary(language: Language, text: str, values: Mapping[str, object]) -> str:
    """One line under the limit: long names are cut before the sentence that says what to do, and a
    number never is."""
    template = language.texts[text]
    summary = _one_line(language.filled(template, values, plain))
    if len(summary) > SUMMARY_LIMIT:
        summary = _fitting(language, template, values, summary)
    if summary[0] < "\u0250":  # Latin; a name in another script is left as it is written
        summary = summary[0].upper() + summary[1:]
    return f"\u200b{summary[: SUMMARY_LIMIT - 1]}" if _BLOCK(summary) else summary


def _one_line(text: str) -> str:
    """With single blanks; those that keep the digits of a number together stay."""
    return " ".join([one for one in _BLANKS(text) if one])


_BLANKS = re.compile(r"[ \t\n\r\f\v]+").split


def _fitting(language: Language, template: str, values: Mapping[str, object], summary: str) -> str:
    """A summary within the limit: where one brief form will do, that with the least loss, else
    those that save most first; then the longest of its names lose their ends."""
    given = {name: values[name] for name in placeholders(template)}
    brief = {name: one.brief for name, one in given.items() if isinstance(one, Briefly)}

    def said(*names: str) -> str:
        shown = {**given, **{name: brief[name] for name in names}}
        return _one_line(language.filled(template, shown, plain))

    by_length = sorted(brief, key=lambda name: (-len(said(name)), name))
    found = [[name] for name in by_length]
    found += [by_length[-count:] for count in range(2, len(by_length) + 1)]
    for names in found:
        summary = said(*names)
        if len(summary) <= SUMMARY_LIMIT:
            return summary
    return _with_names_cut(language, template, {**given, **brief}, summary)


def _with_names_cut(
    language: Language, template: str, values: Mapping[str, object], summary: str
) -> str:
    """A summary within the limit: the longest of its names lose their ends."""
    words = {
        name: plain(language.text(values[name]))
        for name in placeholders(template)
        if not _has_number(values[name])
    }
    while len(summary) > SUMMARY_LIMIT:
        longest = max(words, key=lambda name: len(words[name]), default="")
        over = len(summary) - SUMMARY_LIMIT
        if not longest or len(words[longest]) <= _SHORTEST:
            return _cut(summary, SUMMARY_LIMIT)
        words[longest] = _cut(words[longest], max(_SHORTEST, len(words[longest]) - over))
        summary = _one_line(language.filled(template, {**values, **words}, plain))
    return summary


#: No name is cut to less than this.
_SHORTEST = 12


def _has_number(value: object) -> bool:
    """Whether an amount or a number is stated, which a cut would change."""
    if isinstance(value, Message):
        return any(map(_has_number, value.values.values()))
    if isinstance(value, Listed):
        return any(map(_has_number, value.items))
    if isinstance(value, Briefly):
        return _has_number(value.full)
    return isinstance(value, Amount | Decimal | int | date | Dated)


def _cut(words: str, most: int) -> str:
    """At most so many characters, cut where a word ends and no bracket is open; a number at the
    end goes too, since its unit is cut off."""
    if len(words) <= most:
        return words
    room = words[: most - 1]
    kept = room[: room.rindex(" ")] if " " in room and not words[most - 1].isspace() else room
    if kept.count("(") > kept.count(")"):
        kept = kept[: kept.rindex("(")]
    kept = kept.rstrip(" ,;:(")
    while " " in kept and _is_bare_number(kept[kept.rindex(" ") + 1 :]):
        kept = kept[: kept.rindex(" ")].rstrip(" ,;:(")
    return f"{kept or room.rstrip()}…"


def _is_bare_number(word: str) -> bool:
    return any(map(str.isdigit, word)) and not any(map(str.isalpha, word))


def _uuid(name: str) -> str:
    return named_uuid(_NAMESPACE, name.encode("utf-8", "surrogatepass"))


_NAMESPACE = bytes.fromhex("5d0f5f5e7a0e5c439d103c3cbd6f1f0b")


def _action(act: Act, language: Language, write: Write) -> Action:
    plan, text = act.plan, act.text
    if isinstance(plan, RemovedDraft):
        return Action("delete", text, resource_id=plan.source)
    order = write(plan)
    words = act.words
    if order.raised:
        words = say(house.Action.raised, action=words, priority=_PRIORITIES[order.raised])
    if order.left_out:
        gone = [_stale(one, plan) for one in order.left_out]
        words = say(house.Action.left_out, action=words, parts=Listed(tuple(gone)))
    if words is not act.words:
        text = language.text(words)
    once = {IF_NONE_EXIST: order.if_none_exist} if order.if_none_exist else {}
    return Action(act.kind, text, order.resource, extension=once)


def _stale(part: str, plan: Plan) -> Message:
    """What an order no longer has, since it would still say the old one."""
    if part == "name" and isinstance(plan, RevisedDrug):
        return say(house.Stale.name, drug=plan.drug.name)
    return _STALE[part]


_STALE: Mapping[str, Message] = {
    "narrative": say(house.Stale.narrative),
    "rendered": say(house.Stale.rendered),
    "period": say(house.Stale.period),
    "supply": say(house.Stale.supply),
    "substitution": say(house.Stale.substitution),
    "words": say(house.Stale.words),
    "site": say(house.Stale.site),
    "statements": say(house.Stale.statements),
}


_PRIORITIES: Mapping[str, Message] = {
    "urgent": say(house.Priority.urgent),
    "asap": say(house.Priority.asap),
    "stat": say(house.Priority.stat),
}

#: What an action does with a resource, where it does not create it.
_KINDS: Mapping[type, Literal["update", "delete"]] = {
    RemovedDraft: "delete",
    StoppedDrug: "update",
    RevisedDrug: "update",
}


def described(plan: Plan) -> Words:
    """The action in words, whole: some clients show nothing else."""
    if isinstance(plan, PlannedDrug):
        phases = Listed(tuple([phase.text for phase in plan.phases]), "semicolon")
        return say(house.Action.prescribe, name=plan.name, phases=phases)
    if isinstance(plan, PlannedTest):
        return say(house.Action.test, name=plan.name, due=plan.due)
    if isinstance(plan, PlannedTask):
        return plan.description
    if isinstance(plan, RevisedDrug):
        return _revision(plan)
    if isinstance(plan, RemovedDraft):
        if not plan.name:
            return say(house.Part.remove_unnamed)
        name = plan.name if isinstance(plan.name, Message) else plain(plan.name)
        return say(house.Action.remove, name=name)
    return say(house.Action.stop, name=plain(plan.name))


def _revision(plan: RevisedDrug) -> Message:
    """What an order becomes."""
    name = plain(plan.draft.text)
    if name:
        return say(house.Action.change_named, name=name, changes=changes_of(plan))
    return say(house.Action.change, changes=changes_of(plan))


def changes_of(plan: RevisedDrug) -> Listed:
    """Each changed part of an order in words."""
    drug, parts = plan.drug, plan.parts
    made: list[Words] = [drug.name] if "medication" in parts else []
    if "dosage" in parts:
        made += [phase.text for phase in drug.phases]
    elif "route" in parts:
        made.append(say(house.Action.route, route=drug.route_name or drug.route.display))
    return Listed(tuple(made), "semicolon")


# --- the same answer ----------------------------------------------------------------------------


def digest(spoken: Spoken) -> str:
    """The same as long as an answer says the same, whatever call it answers and in whatever
    language: of the ids of its texts and the values they name.

    The dates of its orders are left out: they move with the day, the advice does not. So is what
    closes every card: that names the edition and the site's settings.
    """
    said = [spoken.outcome.indicator, *spoken.texts, *spoken.notes]
    for offered in spoken.offered:
        said.append(offered.label.identity)
        said += [act.identity for act in offered.acts]
    return sha256("\0".join(said).encode()).hexdigest()[:32]


# --- words of a record ----------------------------------------------------------------------------


_LONGEST_VALUE = 400
#: Names, numbers and dates are no longer: a few are in every record, and those are remembered.
_LONGEST_NAME = 64
#: Words and signs that mean nothing in Markdown, with single blanks between them.
_SAFE = re.compile(
    r"(?![-+]|\d*[.)](?: |$))(?:[\w.,;:%/()+µ–-]+(?: [\w.,;:%/()+µ–-]+)*)?"
).fullmatch
_MARKUP = re.compile(r"[\\`*_\[\]<>#|~&!]")
#: Where a zero-width space keeps text from becoming a link or a tag: readers look for addresses
#: in the text itself, so escaping them is not enough.
_LIVE = re.compile(r"(?i)(?<=:)(?=//)|(?<=www)(?=\.)|(?<=@)|(?<=\])(?=[(\[:])|(?<=<)(?=[a-z/!?])")
#: Signs that strike out or set as code what is between them.
_LOOKALIKES = str.maketrans("`~", "'\u223c")
_LIST_MARKER = re.compile(r"^(\d*)(?=[-+]|[.)](?: |$))")
#: What opens a block at the beginning of a line.
_BLOCK = re.compile(r"#|>|\||\d*[-+*.)=_](?: |$)|[-*_=]{2}").match


def _is_harmless(value: str) -> bool:
    if value.isalnum():  # a word, as most are
        return len(value) <= _LONGEST_VALUE
    return (
        len(value) <= _LONGEST_VALUE
        and _SAFE(value) is not None
        and "_" not in value
        and "://" not in value
        and "www." not in value.lower()
    )


def plain(value: str) -> str:
    """Text from a record in one line of ordinary length, without invisible characters.

    No markup is escaped: this is for plain text. Yet a client that takes it for Markdown or HTML
    finds no link, tag or code in it.
    """
    return (_plain if len(value) <= _LONGEST_NAME else _plain.__wrapped__)(value)


@lru_cache(maxsize=1024)
def _plain(value: str) -> str:
    if _is_harmless(value):
        return value
    visible = value[: _LONGEST_VALUE + 1]
    if not visible.isprintable():
        kept = [sign if sign.isprintable() or sign == "\u202f" else " " for sign in visible]
        visible = "".join(kept)
    if len(visible) > _LONGEST_VALUE:
        visible = visible[:_LONGEST_VALUE] + "…"
    return _LIVE.sub("\u200b", visible.translate(_LOOKALIKES))


def escape(value: str) -> str:
    """Text from a record as plain words in Markdown: no markup, no line of its own, no link."""
    return (_escaped if len(value) <= _LONGEST_NAME else _escaped.__wrapped__)(value)


@lru_cache(maxsize=1024)
def _escaped(value: str) -> str:
    if _is_harmless(value):
        return value
    literal = _MARKUP.sub(r"\\\g<0>", _one_line(plain(value)))
    return _LIST_MARKER.sub(r"\1\\", literal)
