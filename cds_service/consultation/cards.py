"""Outcomes to cards: wording, order, suggestions, links, override reasons."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from functools import lru_cache
from hashlib import sha1, sha256
from typing import Any, Protocol

from msgspec import Struct, structs

from cds_service import EXTENSIONS
from cds_service.cdshooks.response import (
    Action,
    Card,
    Coding,
    Link,
    Source,
    Suggestion,
)
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
    placeholders,
)

#: The standard wants fewer than 140 characters.
SUMMARY_LIMIT = 139
RULES_EXTENSION = f"{EXTENSIONS}.rules"
#: "Create it only if none exists": what a transaction's ``ifNoneExist`` takes. Clients of Da Vinci
#: CRD know the same under a name of theirs, which is not one that CDS Hooks wants.
IF_NONE_EXIST = f"{EXTENSIONS}.if-none-exist"

_HEADINGS: dict[Section, str] = {
    "finding": "",
    "advice": "**What to do**:",
    "why": "**Why**:",
    "safety": "**Safety**:",
    "follow_up": "**Follow-up**:",
    "missing": "**Not known or not used**:",
}


class Order(Protocol):
    """A resource to be saved, as `orders.write` makes it."""

    @property
    def resource(self) -> Mapping[str, Any]: ...
    @property
    def if_none_exist(self) -> str: ...
    @property
    def left_out(self) -> tuple[str, ...]: ...


Write = Callable[[Written], Order]


class _Frame(Struct, frozen=True):
    """What every card of one text has in common, whoever the patient is."""

    text: CardText
    quotation: str
    source: Source
    links: tuple[Link, ...]


class Stationery:
    """A guideline's words made ready once: card frames and override reasons."""

    def __init__(self, words: Wording) -> None:
        self.frames = {name: _frame(name, text, words) for name, text in words.cards.items()}
        self.override_reasons = tuple(
            Coding(one.system, one.code, one.display) for one in words.override_reasons
        )


def _frame(name: str, text: CardText, words: Wording) -> _Frame:
    quotation = ""
    if text.statement:
        evidence = "; ".join(words.sources[one].label for one in text.evidence)
        quotation = f"> Guideline {text.statement}: {words.statements[text.statement].text}"
        quotation += f"\n>\n> Evidence: {evidence}." if evidence else ""
    topic = text.topic or words.about.topic_prefix + re.sub(r"[^A-Za-z0-9]", "", name)
    rule = words.rules[name.partition(".")[0]]
    return _Frame(
        text,
        quotation,
        Source(words.about.label, topic=Coding(words.about.topic_system, topic, rule.result)),
        tuple(Link(words.links[one].label, words.links[one].url, "absolute") for one in text.links),
    )


def build_cards(
    outcomes: Iterable[Outcome],
    words: Stationery,
    write: Write,
    *,
    call: str,
    data_notes: Sequence[Note] = (),
    closing: Sequence[Note] = (),
    unseen: Container[str] = (),
) -> tuple[Card, ...]:
    """The cards, most urgent first and the main one first among its equals.

    ``write`` makes a resource of a plan; ``call`` names the call and the patient, so that the same
    call gets the same uuids from every worker, and no other call any of them. ``data_notes`` (what
    was missing) stand on the first card only whose rule is not ``unseen``, ``closing`` on every
    card.
    """
    last = [_fill(note.text, note.values) for note in closing]
    spoken = speaking(outcomes)
    first = next((index for index, one in enumerate(spoken) if one.rule not in unseen), 0)
    made = [
        _card(one, words, write, data_notes if index == first else (), last)
        for index, one in enumerate(spoken)
    ]
    return _identified(made, call)


def speaking(outcomes: Iterable[Outcome]) -> list[Recommend | CannotTell]:
    """The outcomes that become cards, in the order of the cards."""
    found = [one for one in outcomes if not isinstance(one, NotIndicated) and one.card]
    found.sort(key=lambda one: (-INDICATORS.index(one.indicator), not getattr(one, "main", True)))
    return found


def digest(card: Card, closing: int) -> str:
    """The same as long as a card says the same, whatever call it answers.

    The dates of its orders are left out: they move with the day, the words do not. So are the
    ``closing`` paragraphs that stand on every card: they name the edition and the site's settings.
    """
    said = [card.indicator, card.summary, card.detail.rsplit("\n\n", closing)[0]]
    for one in card.suggestions:
        said.append(one.label)
        said += [_DATE.sub("", f"{act.type} {act.description}") for act in one.actions]
    return sha256("\0".join(said).encode()).hexdigest()[:32]


_DATE = re.compile(r"\b\d{4}-\d\d-\d\d\b")


def _card(
    outcome: Recommend | CannotTell,
    words: Stationery,
    write: Write,
    data_notes: Sequence[Note],
    closing: Sequence[str],
) -> tuple[Card, object]:
    """The card, whose uuids are given by `_identified`, and what it is told apart by: its draft,
    its own words, and what its suggestions do. Two drafts never agree in all of it, with or
    without ids; what the answer says besides counts for nothing, since it may stand on any card.
    """
    frame = words.frames[outcome.card]
    choices = outcome.choices if isinstance(outcome, Recommend) else ()
    selection = outcome.selection if isinstance(outcome, Recommend) and choices else ""
    rules: dict[str, Any] = {
        "ruleIds": list(dict.fromkeys([outcome.rule, *(one.rule for one in choices)]))
    }
    if isinstance(outcome, Recommend) and outcome.about:
        rules["order"] = outcome.about
    sentences = {"advice": frame.text.advice, "why": frame.text.why}
    leads = {name: _fill(text, outcome.values) for name, text in sentences.items() if text}
    own = [(note.section, _fill(note.text, note.values)) for note in outcome.notes]
    beside = [(note.section, _fill(note.text, note.values)) for note in data_notes]
    card = Card(
        uuid="",
        summary=_summary(frame.text.summary, outcome.values),
        indicator=outcome.indicator,
        source=frame.source,
        detail=_detail(leads, [*own, *beside], frame.quotation, closing),
        suggestions=tuple([_suggestion(choice, write) for choice in choices]),
        selection_behavior=selection,
        override_reasons=words.override_reasons,
        links=frame.links,
        extension={RULES_EXTENSION: rules},
    )
    offers = [(one.label, [_said(act) for act in one.actions]) for one in card.suggestions]
    about = rules.get("order", "")
    said = (card.indicator, card.summary, leads, own, offers)
    return card, (outcome.rule, outcome.card, about, said)


def _detail(
    leads: Mapping[str, str],
    notes: Sequence[tuple[Section, str]],
    quotation: str,
    closing: Sequence[str],
) -> str:
    """Section by section: its heading, the rule's own sentence, then a line a note."""
    lines: dict[Section, dict[str, None]] = {}
    for section, text in notes:
        lines.setdefault(section, {})[text] = None
    paragraphs = []
    for name in SECTIONS:
        lead = leads.get(name)
        opening = f"{_HEADINGS[name]} {lead}" if lead else _HEADINGS[name]
        if name in lines:
            bullets = "- " + "\n- ".join(lines[name])
            paragraphs.append(f"{opening}\n\n{bullets}" if opening else bullets)
        elif lead:
            paragraphs.append(opening)
    if quotation:
        paragraphs.append(quotation)
    paragraphs += closing
    return "\n\n".join(paragraphs)


def _identified(made: Sequence[tuple[Card, object]], call: str) -> tuple[Card, ...]:
    """The cards with their uuids, which follow from the call, the patient and what is said.

    Cards that agree in all of it are numbered.
    """
    found = []
    equals: dict[str, int] = {}
    for card, content in made:
        identity = repr((call, content))
        number = equals[identity] = equals.get(identity, 0) + 1
        identity += f"|{number}"
        suggestions = [
            structs.replace(one, uuid=_uuid(f"{identity}|{index}"))
            for index, one in enumerate(card.suggestions)
        ]
        found.append(structs.replace(card, uuid=_uuid(identity), suggestions=tuple(suggestions)))
    return tuple(found)


def _said(action: Action) -> tuple[object, ...]:
    """What tells an action apart; what is to be created has an identifier, which follows from all
    of it, and what is changed is named in the words."""
    return action.type, action.description, action.resource_id, action.extension


def _uuid(name: str) -> str:
    """A version 5 UUID of ``name`` in this program's namespace: the same from every worker."""
    digest = bytearray(sha1(_NAMESPACE + name.encode(), usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


_NAMESPACE = bytes.fromhex("5d0f5f5e7a0e5c439d103c3cbd6f1f0b")


def _suggestion(choice: Choice, write: Write) -> Suggestion:
    return Suggestion(
        label=plain(choice.label),
        uuid="",
        actions=tuple([_action(plan, write) for plan in choice.plans]),
        is_recommended=choice.recommended,
    )


def _action(plan: Plan, write: Write) -> Action:
    if isinstance(plan, RemovedDraft):
        return Action("delete", described(plan), resource_id=plan.source)
    order, words = write(plan), described(plan)
    if order.left_out:
        words = f"{words}. Left out, because it no longer fits: {', '.join(order.left_out)}"
    if isinstance(plan, StoppedDrug | RevisedDrug):
        return Action("update", words, order.resource)
    once = {IF_NONE_EXIST: order.if_none_exist} if order.if_none_exist else {}
    return Action("create", words, order.resource, extension=once)


def described(plan: Plan) -> str:
    """The action in words, whole: some clients show nothing else."""
    if isinstance(plan, PlannedDrug):
        return f"Prescribe {plan.name}: {'; '.join(phase.text for phase in plan.phases)}"
    if isinstance(plan, PlannedTest):
        return f"Order {plan.name} for {plan.due}"
    if isinstance(plan, PlannedTask):
        return plan.description
    if isinstance(plan, RevisedDrug):
        name = plain(plan.draft.text)
        return f"Change the order{f' of {name}' if name else ''} to: {changes_of(plan)}"
    if isinstance(plan, RemovedDraft):
        return f"Remove the order of {plain(plan.name)}"
    return f"Stop {plain(plan.name)}"


def changes_of(plan: RevisedDrug) -> str:
    """What an order becomes, each changed part in words."""
    drug, parts = plan.drug, plan.parts
    changes = [drug.name] if "medication" in parts else []
    if "dosage" in parts:
        changes += [phase.text for phase in drug.phases]
    elif "route" in parts:
        changes.append(f"route {drug.route.display}")
    return "; ".join(changes)


def _summary(text: str, values: Mapping[str, object]) -> str:
    """One line under the limit: a long name is cut before the sentence that says what to do."""
    words = {name: plain(str(values[name])) for name in _names(text)}
    summary = " ".join(text.format_map(words).split())
    while len(summary) > SUMMARY_LIMIT:
        longest = max(words, key=lambda name: len(words[name]), default="")
        over = len(summary) - SUMMARY_LIMIT
        if not longest or len(words[longest]) <= over + 8:
            summary = summary[: SUMMARY_LIMIT - 1].rstrip() + "…"
            break
        words[longest] = words[longest][: len(words[longest]) - over - 1].rstrip() + "…"
        summary = " ".join(text.format_map(words).split())
    summary = summary[0].upper() + summary[1:]
    return f"\u200b{summary[: SUMMARY_LIMIT - 1]}" if _BLOCK(summary) else summary


_names = lru_cache(maxsize=1024)(placeholders)


def _fill(text: str, values: Mapping[str, object]) -> str:
    """A text of the guideline with a record's values in it, each as plain words."""
    names = _names(text)
    return text.format_map({name: escape(str(values[name])) for name in names}) if names else text


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
