"""Outcomes to cards: order, sections, suggestions, links, override reasons, in one language."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from hashlib import sha1, sha256
from typing import Any, Literal, NamedTuple

from msgspec import Struct, structs

from cds_service import EXTENSIONS
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
from cds_service.guidelines.engine import (
    INDICATORS,
    SECTIONS,
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
from cds_service.language import Language, Listed, Message, Words, house, placeholders, say

#: The standard wants fewer than 140 characters.
SUMMARY_LIMIT = 139
RULES_EXTENSION = f"{EXTENSIONS}.rules"

#: What was found stands first and needs no heading.
_HEADINGS: Mapping[Section, Message] = {
    "advice": say(house.Card.advice),
    "why": say(house.Card.why),
    "safety": say(house.Card.safety),
    "follow_up": say(house.Card.follow_up),
    "missing": say(house.Card.missing),
}

Write = Callable[[Written], Mapping[str, Any]]


class _Frame(Struct, frozen=True):
    """What every card of one text has in common, whoever the patient is.

    ``summary``, ``advice`` and ``why`` are ids of texts, "" for none. ``authority`` is what is
    quoted of the guideline in whatever language, ``quotation`` in the one of the card.
    """

    summary: str
    advice: str
    why: str
    authority: str
    quotation: str
    source: Source
    links: tuple[Link, ...]


class Stationery:
    """A guideline's words in one language made ready once: card frames and override reasons."""

    def __init__(self, words: Wording, language: Language) -> None:
        self.language = language
        self.headings = {name: language.fill(one) for name, one in _HEADINGS.items()}
        self.frames = {
            name: _frame(name, text, words, language) for name, text in words.cards.items()
        }
        self.override_reasons = tuple(
            Coding(one.system, one.code, one.display) for one in words.override_reasons
        )


def _frame(name: str, text: CardText, words: Wording, language: Language) -> _Frame:
    authority = quotation = ""
    if text.statement:
        said = words.statements[text.statement].text
        lines = [say(house.Card.quotation, statement=text.statement, text=said)]
        if text.evidence:
            sources = Listed(tuple(words.sources[one].label for one in text.evidence), "semicolon")
            lines.append(say(house.Card.evidence, sources=sources))
        authority = " ".join([language.identity(one) for one in lines])
        quotation = "> " + "\n>\n> ".join([language.fill(one) for one in lines])
    topic = text.topic or words.about.topic_prefix + re.sub(r"[^A-Za-z0-9]", "", name)
    rule = words.rules[name.partition(".")[0]]
    return _Frame(
        text_id(name, "summary"),
        text_id(name, "advice"),
        text_id(name, "why") if text.why else "",
        authority,
        quotation,
        Source(words.about.label, topic=Coding(words.about.topic_system, topic, rule.result)),
        tuple(Link(words.links[one].label, words.links[one].url, "absolute") for one in text.links),
    )


class Spoken(NamedTuple):
    """An outcome that becomes a card, and what the actions of each of its choices do."""

    outcome: Recommend | CannotTell
    actions: tuple[tuple[Words, ...], ...]


def speaking(
    outcomes: Iterable[Outcome], data_notes: Sequence[Note] = (), unseen: Container[str] = ()
) -> list[Spoken]:
    """The outcomes that become cards, most urgent first and the main one first among its equals.

    ``data_notes`` (what was missing) are said by the first only whose rule is not ``unseen``.
    """
    found = [one for one in outcomes if not isinstance(one, NotIndicated) and one.card]
    found.sort(key=lambda one: (-INDICATORS.index(one.indicator), not getattr(one, "main", True)))
    if found and data_notes:
        first = next((index for index, one in enumerate(found) if one.rule not in unseen), 0)
        told = found[first]
        found[first] = structs.replace(told, notes=(*told.notes, *data_notes))
    return [
        Spoken(
            one,
            tuple([tuple([_described(plan) for plan in it.plans]) for it in _choices(one)]),
        )
        for one in found
    ]


def _choices(outcome: Recommend | CannotTell) -> tuple[Choice, ...]:
    return outcome.choices if isinstance(outcome, Recommend) else ()


def build_cards(
    spoken: Iterable[Spoken],
    words: Stationery,
    write: Write,
    *,
    call: str,
    closing: Sequence[Note] = (),
) -> tuple[Card, ...]:
    """The cards of the outcomes that are `speaking`, in their order.

    ``write`` makes a resource of a plan; ``call`` names the call, so that the same call gets the
    same uuids from every worker. ``closing`` stands on every card.
    """
    last = [_line(note, words.language) for note in closing]
    return tuple([_card(one, words, write, call, last) for one in spoken])


def _card(
    spoken: Spoken, words: Stationery, write: Write, call: str, closing: Sequence[str]
) -> Card:
    outcome, language = spoken.outcome, words.language
    frame, choices = words.frames[outcome.card], _choices(outcome)
    selection = outcome.selection if isinstance(outcome, Recommend) and choices else ""
    identity = f"{call}|{outcome.rule}|{outcome.card}"
    rules: dict[str, Any] = {
        "ruleIds": list(dict.fromkeys([outcome.rule, *(one.rule for one in choices)]))
    }
    if isinstance(outcome, Recommend) and outcome.about:
        identity += f"|{outcome.about}"
        rules["order"] = outcome.about
    return Card(
        uuid=_uuid(identity),
        summary=_summary(language, frame.summary, outcome.values),
        indicator=outcome.indicator,
        source=frame.source,
        detail=_detail(outcome, frame, words, closing),
        suggestions=tuple(
            _suggestion(choice, said, language, write, f"{identity}|{index}")
            for index, (choice, said) in enumerate(zip(choices, spoken.actions, strict=True))
        ),
        selection_behavior=selection,
        override_reasons=words.override_reasons,
        links=frame.links,
        extension={RULES_EXTENSION: rules},
    )


def _detail(
    outcome: Recommend | CannotTell, frame: _Frame, words: Stationery, closing: Sequence[str]
) -> str:
    """Section by section: its heading, the rule's own sentence, then a line a note."""
    language = words.language
    lines: dict[Section, dict[str, None]] = {}
    for note in outcome.notes:
        lines.setdefault(note.section, {})[_line(note, language)] = None
    paragraphs = []
    leads = {"advice": frame.advice, "why": frame.why}
    for name in SECTIONS:
        lead = leads.get(name)
        opening = words.headings.get(name, "")
        if lead:
            sentence = language.filled(language.texts[lead], outcome.values, escape)
            opening = f"{opening} {sentence}"
        if name in lines:
            bullets = "- " + "\n- ".join(lines[name])
            paragraphs.append(f"{opening}\n\n{bullets}" if opening else bullets)
        elif lead:
            paragraphs.append(opening)
    if frame.quotation:
        paragraphs.append(frame.quotation)
    paragraphs += closing
    return "\n\n".join(paragraphs)


def _line(note: Note, language: Language) -> str:
    """A note in Markdown, its values as plain words."""
    if isinstance(note.text, Message):
        return language.fill(note.text, escape)
    return language.filled(note.text, note.values, escape)


def _summary(language: Language, text: str, values: Mapping[str, object]) -> str:
    """One line under the limit: a long name is cut before the sentence that says what to do."""
    template = language.texts[text]
    words = language.worded(placeholders(template), values, plain)
    summary = " ".join(template.format_map(words).split())
    while len(summary) > SUMMARY_LIMIT:
        longest = max(words, key=lambda name: len(words[name]), default="")
        over = len(summary) - SUMMARY_LIMIT
        if not longest or len(words[longest]) <= over + 8:
            summary = summary[: SUMMARY_LIMIT - 1].rstrip() + "…"
            break
        words[longest] = words[longest][: len(words[longest]) - over - 1].rstrip() + "…"
        summary = " ".join(template.format_map(words).split())
    summary = summary[0].upper() + summary[1:]
    return f"\u200b{summary[: SUMMARY_LIMIT - 1]}" if _BLOCK(summary) else summary


def _uuid(name: str) -> str:
    """A version 5 UUID of ``name`` in this program's namespace: the same from every worker."""
    digest = bytearray(sha1(_NAMESPACE + name.encode(), usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


_NAMESPACE = bytes.fromhex("5d0f5f5e7a0e5c439d103c3cbd6f1f0b")


def _suggestion(
    choice: Choice, said: Sequence[Words], language: Language, write: Write, identity: str
) -> Suggestion:
    actions = zip(choice.plans, map(language.text, said), strict=True)
    return Suggestion(
        label=plain(language.text(choice.label)),
        uuid=_uuid(identity),
        actions=tuple([_action(plan, description, write) for plan, description in actions]),
        is_recommended=choice.recommended,
    )


def _action(plan: Plan, description: str, write: Write) -> Action:
    if isinstance(plan, RemovedDraft):
        return Action("delete", description, resource_id=plan.source)
    return Action(_kind(plan), description, write(plan))


def _kind(plan: Plan) -> Literal["create", "update", "delete"]:
    if isinstance(plan, RemovedDraft):
        return "delete"
    return "update" if isinstance(plan, StoppedDrug | RevisedDrug) else "create"


def _described(plan: Plan) -> Words:
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
        return say(house.Action.remove, name=plain(plan.name))
    return say(house.Action.stop, name=plain(plan.name))


def _revision(plan: RevisedDrug) -> Message:
    """What an order becomes, each changed part in words."""
    drug, parts = plan.drug, plan.parts
    made: list[Words] = [drug.name] if "medication" in parts else []
    if "dosage" in parts:
        made += [phase.text for phase in drug.phases]
    elif "route" in parts:
        made.append(say(house.Action.route, route=drug.route.display))
    name, changes = plain(plan.draft.text), Listed(tuple(made), "semicolon")
    if name:
        return say(house.Action.change_named, name=name, changes=changes)
    return say(house.Action.change, changes=changes)


# --- the same answer ----------------------------------------------------------------------------


def digest(spoken: Spoken, words: Stationery) -> str:
    """The same as long as an answer says the same, whatever call it answers and in whatever
    language: of the ids of its texts and the values they name.

    The dates of its orders are left out: they move with the day, the advice does not. So is what
    closes every card: that names the edition and the site's settings.
    """
    outcome, language = spoken.outcome, words.language
    frame = words.frames[outcome.card]
    said = [outcome.indicator, outcome.card, frame.authority]
    for lead in (frame.summary, frame.advice, frame.why):
        if lead:
            said.append(language.identity_of(lead, outcome.values))
    for note in outcome.notes:
        said += (note.section, language.identity(note.text))
        if note.values and isinstance(note.text, str):
            names = sorted(placeholders(note.text))
            said += [language.identity(note.values[name]) for name in names]
    for choice, actions in zip(_choices(outcome), spoken.actions, strict=True):
        said.append(language.identity(choice.label))
        for plan, action in zip(choice.plans, actions, strict=True):
            said += (_kind(plan), language.identity(action, dates=False))
    return sha256("\0".join(said).encode()).hexdigest()[:32]


# --- words of a record ----------------------------------------------------------------------------


_LONGEST_VALUE = 400
#: Words and signs that mean nothing in Markdown, with single blanks between them.
_SAFE = re.compile(
    r"(?![-+]|\d*[.)](?: |$))(?:[\w.,;:%/()+µ–-]+(?: [\w.,;:%/()+µ–-]+)*)?"
).fullmatch
_MARKUP = re.compile(r"[\\`*_\[\]<>#|~&!]")
#: Where a zero-width space keeps text from becoming a link or a tag: readers look for addresses
#: in the text itself, so escaping them is not enough.
_LIVE = re.compile(r"(?i)(?<=:)(?=//)|(?<=www)(?=\.)|(?<=@)|(?<=\])(?=[(\[:])|(?<=<)(?=[a-z/!?])")
#: Signs that strike out or set as code what stands between them.
_LOOKALIKES = str.maketrans("`~", "'\u223c")
_LIST_MARKER = re.compile(r"^(\d*)(?=[-+]|[.)](?: |$))")
#: What opens a block at the beginning of a line.
_BLOCK = re.compile(r"#|>|\||\d*[-+*.)=_](?: |$)|[-*_=]{2}").match


def _is_harmless(value: str) -> bool:
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
    if _is_harmless(value):
        return value
    visible = value[: _LONGEST_VALUE + 1]
    if not visible.isprintable():
        visible = "".join([sign if sign.isprintable() else " " for sign in visible])
    if len(visible) > _LONGEST_VALUE:
        visible = visible[:_LONGEST_VALUE] + "…"
    return _LIVE.sub("\u200b", visible.translate(_LOOKALIKES))


def escape(value: str) -> str:
    """Text from a record as plain words in Markdown: no markup, no line of its own, no link."""
    if _is_harmless(value):
        return value
    literal = _MARKUP.sub(r"\\\g<0>", " ".join(plain(value).split()))
    return _LIST_MARKER.sub(r"\1\\", literal)
