"""The guideline as a page to read: everything that is in its data, in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec import Struct

from cds_service.clinical import Need
from cds_service.errors import GuidelineError
from cds_service.guidelines import describe as kit
from cds_service.guidelines.b12_under_two.data import Guideline
from cds_service.guidelines.b12_under_two.loading import FOLDER, SPEAKING
from cds_service.guidelines.b12_under_two.messages import Describe
from cds_service.guidelines.describe import authority, codings, fields, grid
from cds_service.guidelines.engine import convert, read_toml
from cds_service.language import Amount, Language, Listed, say


def describe(g: Guideline, prefetch_template: Callable[[Need], str], language: Language) -> str:
    """The page. Names of rules, sources, statements and code lists are anchors and links."""
    file, wording = g.file, g.wording
    sections: tuple[kit.Section, ...] = (
        (say(Describe.changes), _changes(g, language)),
        (say(Describe.what_it_needs), kit.needs(g.needs, prefetch_template, language)),
        (say(Describe.limits), kit.limits(file.limits, file.constants, wording, language)),
        (say(Describe.doses), _doses(g, language)),
        (say(Describe.products), _products(g, language)),
        (say(Describe.tests), _tests(g, language)),
        (say(Describe.cards), kit.cards(SPEAKING, wording, language)),
        (say(Describe.texts), kit.texts(file.texts, wording, language)),
        (say(Describe.tables), kit.decision_tables(g.tables, file.limits, wording, language)),
        (say(Describe.statements), kit.statements(wording, language)),
        (say(Describe.codes), kit.code_lists(g.codes, FOLDER / "codes", language)),
        (say(Describe.bibliography), kit.bibliography(wording, language)),
    )
    return kit.page(_opening(g, language), sections, language)


def _opening(g: Guideline, language: Language) -> Iterator[str]:
    about, file = g.file.guideline, g.file
    limits = [limit for _, limit in fields(file.limits)]
    policies = sum(limit.source.startswith("policy:") for limit in limits)
    policies += sum(rule.source.startswith("policy:") for rule in file.rules.values())
    yield f"# {about.title}"
    yield ""
    yield f"<!-- {language.fill(say(Describe.written))} -->"
    yield ""
    status, edition = about.review_status, about.edition
    yield language.fill(say(Describe.edition, id=about.id, edition=edition, status=status))
    yield ""
    rules = len(file.rules)
    yield language.fill(say(Describe.policies, limits=len(limits), rules=rules, policies=policies))


# --- what changed ------------------------------------------------------------------------------


class _Change(Struct, frozen=True, forbid_unknown_fields=True):
    """What an edition changed, under the rules that it concerns."""

    edition: str
    rules: tuple[str, ...]
    what: str


class _Changes(Struct, frozen=True, forbid_unknown_fields=True):
    change: tuple[_Change, ...]


def _changes(g: Guideline, language: Language) -> Iterator[str]:
    """By rule, from ``changes.toml``; a rule that is none stops the page."""
    found = convert(read_toml(_CHANGES), _Changes, _CHANGES).change
    unknown = {rule for one in found for rule in one.rules} - set(g.file.rules)
    if unknown:
        raise GuidelineError(
            str(_CHANGES), ", ".join(sorted(unknown)), "is not one of the rules", "correct it"
        )
    rows = [
        (one.edition, ", ".join(kit.cited(rule, g.wording) for rule in one.rules), one.what)
        for one in found
    ]
    head = (say(Describe.of_edition), say(Describe.rules), say(Describe.what_changed))
    yield from grid(head, rows, language)


_CHANGES = FOLDER / "changes.toml"


# --- doses and products ---------------------------------------------------------------------------


def _doses(g: Guideline, language: Language) -> Iterator[str]:
    head = (
        say(Describe.phase),
        say(Describe.as_ordered),
        say(Describe.frequency),
        say(Describe.length),
        say(Describe.dose_count),
    )
    for index, (name, dose) in enumerate(fields(g.file.doses)):
        if index:
            yield ""
        yield f"### {dose.rule}: `{name}`"
        yield ""
        told = say(
            Describe.dose_per_kg if dose.per_kg else Describe.dose,
            condition=g.file.rules[dose.rule].condition,
            amount=Amount(dose.amount, "ug"),
            authority=authority(dose.source, g.wording, language),
        )
        yield language.fill(told)
        yield ""
        rows = []
        for number, phase in enumerate(dose.phases, 1):
            each, unit = phase.frequency, phase.period_unit
            times = say(Describe.times, count=each, period=phase.period, unit=unit)
            lasts = say(Describe.lasts, number=phase.duration, unit=phase.duration_unit)
            rows.append(
                (
                    str(number),
                    language.text(phase.text),
                    language.fill(times),
                    language.fill(lasts),
                    str(phase.count),
                )
            )
        yield from grid(head, rows, language)


def _products(g: Guideline, language: Language) -> Iterator[str]:
    contains, not_marked = say(Describe.contains), say(Describe.not_marked)
    rows = [
        (
            f"`{name}`",
            one.name,
            codings(one.codes),
            language.fill(contains if one.benzyl_alcohol else not_marked),
            authority(one.source, g.wording, language),
        )
        for name, one in fields(g.file.products)
    ]
    head = (
        say(Describe.product),
        say(Describe.name),
        say(Describe.codes_of),
        say(Describe.benzyl_alcohol),
        say(Describe.authority),
    )
    yield from grid(head, rows, language)
    yield ""
    routes = [(f"`{name}`", codings((one,))) for name, one in fields(g.file.routes)]
    yield from grid((say(Describe.route), say(Describe.code)), routes, language)
    yield ""
    policy = g.file.policy
    first, injection = policy.first_line, policy.parenteral_product
    yield language.fill(say(Describe.choices, first_line=first, injection=injection))


def _tests(g: Guideline, language: Language) -> Iterator[str]:
    rows = [
        (
            f"`{name}`",
            one.name,
            codings(one.codes),
            language.text(Listed(tuple(f"`{code}`" for code in one.same_as))) or "–",
            authority(one.source, g.wording, language),
        )
        for name, one in fields(g.file.tests)
    ]
    head = (
        say(Describe.test),
        say(Describe.name),
        say(Describe.codes_of),
        say(Describe.same_as),
        say(Describe.authority),
    )
    yield from grid(head, rows, language)
