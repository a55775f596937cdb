"""What is checked of every guideline's data when it loads: the first thing wrong stops the start,
with the file, the name and the cure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from cds_service.errors import GuidelineError
from cds_service.guidelines.engine import Limit, Rule, Statement, Wording

_RULE_ID = re.compile(r"^[A-Z][A-Z0-9]*-\d+[a-z]?$|^DOSE-[A-E]$")


def entries(section: Struct) -> Iterator[tuple[str, Any]]:
    """Every entry of a section of the file by its name."""
    return ((name, getattr(section, name)) for name in section.__struct_fields__)


def named_sources(**sections: Struct) -> Iterator[tuple[str, str]]:
    """The authority that each entry of the sections names, by the entry's dotted name."""
    for section, struct in sections.items():
        yield from ((f"{section}.{name}", entry.source) for name, entry in entries(struct))


# --- rules and words ------------------------------------------------------------------------


def check_rules(
    rules: Mapping[str, Rule],
    statements: Mapping[str, Statement],
    sources: Collection[str],
    named: Iterable[tuple[str, str]],
    path: Path,
) -> None:
    """Refuse rule ids out of form, statements no one serves, and sources no one listed."""
    for rule in rules:
        if not _RULE_ID.match(rule):
            problem = "is not a rule id"
            raise GuidelineError(str(path), f"rules.{rule}", problem, "write it as STAT-02")
    for name, statement in statements.items():
        if not statement.served_by and not statement.not_clinical:
            raise GuidelineError(
                str(path), f"statements.{name}", "is served by nothing",
                "name its rules in served_by, or say in not_clinical why none exist",
            )  # fmt: skip
        for server in statement.served_by:
            if _RULE_ID.match(server) and server not in rules:
                raise GuidelineError(
                    str(path), f"statements.{name}", f"names {server}, which is not a rule",
                    "add the rule or correct the id",
                )  # fmt: skip
    listed = {*sources, *statements, *rules}
    ruled = ((f"rules.{name}", rule.source) for name, rule in rules.items())
    for name, source in (*named, *ruled):
        if source.startswith(("policy:", "local:")):
            continue
        for part in re.split(r",\s*", source):
            if part not in listed and not re.fullmatch(r"C-\d+", part):
                raise GuidelineError(
                    str(path), name, f"cites {part!r}, which is not in the bibliography",
                    'list it under [sources], or write "policy: why"',
                )  # fmt: skip


#: The standard wants fewer characters in a card's summary.
_SUMMARY = 140


def check_cards(words: Wording, speaking: Collection[str], path: Path) -> None:
    """Refuse a card that no rule shows, or that leads nowhere; ``speaking`` are those shown."""

    def refusal(name: str, problem: str, cure: str) -> GuidelineError:
        return GuidelineError(str(path), f"cards.{name}", problem, cure)

    for name, card in words.cards.items():
        if name.partition(".")[0] not in words.rules:
            raise refusal(name, "belongs to no rule", "name it after a rule")
        if len(card.summary) >= _SUMMARY:
            raise refusal(f"{name}.summary", "is 140 characters or longer", "shorten it")
        for kind, names, known in (
            ("statement", (card.statement,) if card.statement else (), words.statements),
            ("evidence", card.evidence, words.sources),
            ("links", card.links, words.links),
        ):
            for one in names:
                if one not in known:
                    raise refusal(
                        f"{name}.{kind}", f"names {one!r}, which is not listed",
                        "list it or correct the name",
                    )  # fmt: skip
    for name in sorted(set(speaking) - set(words.cards)):
        raise refusal(name, "is missing", "add its text")
    for name in sorted(set(words.cards) - set(speaking)):
        raise refusal(name, "is shown by no rule", "remove it")


# --- limits ---------------------------------------------------------------------------------


def check_limits(limits: Struct, ordered: Iterable[tuple[str, str]], path: Path) -> None:
    """Refuse a limit that is not a number above 0, and one of a pair that is not below the
    other."""
    for name, limit in entries(limits):
        zero = may_be_zero(limit)
        if not limit.value.is_finite() or limit.value < 0 or not (limit.value or zero):
            problem = "is below 0" if zero else "is not above 0"
            raise GuidelineError(str(path), f"limits.{name}", problem, "correct the number")
    for lower, upper in ordered:
        if not getattr(limits, lower).value < getattr(limits, upper).value:
            raise GuidelineError(
                str(path), f"limits.{lower}", f"is not below limits.{upper}",
                "correct one of the two",
            )  # fmt: skip


def may_be_zero(limit: Limit) -> bool:
    """A time may be none at all: "on the same day only"."""
    return limit.unit == "d"


#: Why a number that is tenfold off is refused.
SLIP = "check unit and decimal point; so large a change is another guideline's"


def check_changed_limits(limits: Struct, shipped: Struct, path: Path) -> None:
    """Refuse a site's limit that is another unit's."""
    for name, limit in entries(limits):
        old = getattr(shipped, name).value
        if limit.value >= 10 * old or (10 * limit.value <= old and not may_be_zero(limit)):
            raise GuidelineError(
                str(path), f"limits.{name}", f"is tenfold off from the guideline's {old}", SLIP
            )
