"""The guideline as a page to read: everything that stands in its data, in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cds_service.clinical import Need
from cds_service.guidelines import describe as kit
from cds_service.guidelines.b12_under_two.data import Guideline
from cds_service.guidelines.b12_under_two.loading import FOLDER, SPEAKING
from cds_service.guidelines.describe import authority, codings, fields, grid


def describe(g: Guideline, prefetch_template: Callable[[Need], str]) -> str:
    """The page. Names of rules, sources, statements and code lists are anchors and links."""
    file, wording = g.file, g.wording
    sections: tuple[kit.Section, ...] = (
        ("What a call brings", kit.needs(g.needs, prefetch_template)),
        ("Limits", kit.limits(file.limits, file.constants, wording)),
        ("Doses and schedules", _doses(g)),
        ("Products and routes", _products(g)),
        ("Tests", _tests(g)),
        ("Cards", kit.cards(SPEAKING, wording)),
        ("Sentences of the cards", kit.texts(file.texts, wording)),
        ("Decision tables", kit.decision_tables(g.tables, file.limits, wording)),
        ("Statements of the guideline", kit.statements(wording)),
        ("Code lists", kit.code_lists(g.codes, FOLDER / "codes")),
        ("Bibliography", kit.bibliography(wording)),
    )
    return kit.page(_opening(g), sections)


def _opening(g: Guideline) -> Iterator[str]:
    about, file = g.file.guideline, g.file
    limits = [limit for _, limit in fields(file.limits)]
    policies = sum(limit.source.startswith("policy:") for limit in limits)
    policies += sum(rule.source.startswith("policy:") for rule in file.rules.values())
    yield f"# {about.title}"
    yield ""
    yield "<!-- Written by `cds-service describe` from the guideline's data. Do not edit. -->"
    yield ""
    yield (
        f"Guideline `{about.id}`, edition {about.edition}. **{about.review_status}** It is computed"
        " here so that it can be reviewed; it is no authority, and nothing on this page is medical"
        " advice."
    )
    yield ""
    yield (
        f"Of the {len(limits)} limits and {len(file.rules)} rules, {policies} are *policy*: choices"
        " of this project without a published source, each with its reason. The others name what"
        " they rest on. A site can change limits, doses, products, tests, codes and texts"
        " in a file of its own (`CDS_GUIDELINE_OVERRIDES`); how the page's contradictions were"
        " resolved (C-1 and on) stands beside the data, in the"
        " [guideline's README](../../cds_service/guidelines/b12_under_two/README.md)."
    )


# --- doses and products ---------------------------------------------------------------------------


def _doses(g: Guideline) -> Iterator[str]:
    for index, (name, dose) in enumerate(fields(g.file.doses)):
        per_kg = " per kg" if dose.per_kg else ""
        if index:
            yield ""
        yield f"### {dose.rule}: `{name}`"
        yield ""
        yield (
            f"{g.file.rules[dose.rule].condition} **{dose.amount.normalize():f} µg{per_kg}** each"
            f" time. Authority: {authority(dose.source, g.wording)}."
        )
        yield ""
        rows = [
            (
                str(number),
                phase.text,
                f"{phase.frequency} per {phase.period} {phase.period_unit}",
                f"{phase.duration} {phase.duration_unit}",
                str(phase.count),
            )
            for number, phase in enumerate(dose.phases, 1)
        ]
        yield from grid(("phase", "as ordered", "frequency", "for", "doses"), rows)


def _products(g: Guideline) -> Iterator[str]:
    rows = [
        (
            f"`{name}`",
            one.name,
            codings(one.codes),
            "yes" if one.benzyl_alcohol else "not marked",
            authority(one.source, g.wording),
        )
        for name, one in fields(g.file.products)
    ]
    yield from grid(("product", "name", "codes", "benzyl alcohol", "authority"), rows)
    yield ""
    yield from grid(
        ("route", "code"),
        [(f"`{name}`", codings((one,))) for name, one in fields(g.file.routes)],
    )
    yield ""
    policy = g.file.policy
    yield (
        f"A site chooses the first line (`policy.first_line`, here `{policy.first_line}`) and the"
        f" injection (`policy.parenteral_product`, here `{policy.parenteral_product}`)."
    )


def _tests(g: Guideline) -> Iterator[str]:
    rows = [
        (
            f"`{name}`",
            one.name,
            codings(one.codes),
            ", ".join(f"`{code}`" for code in one.same_as) or "–",
            authority(one.source, g.wording),
        )
        for name, one in fields(g.file.tests)
    ]
    yield from grid(("test", "name", "codes", "counts as the same", "authority"), rows)
