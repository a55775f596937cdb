"""The guideline as a page to read: everything that stands in its data, in Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from cds_service.clinical import Code, Need
from cds_service.guidelines.b12_under_two.data import Guideline
from cds_service.guidelines.b12_under_two.loading import FOLDER, SPEAKING
from cds_service.guidelines.codelists import CodeList
from cds_service.guidelines.engine import Limit, read_toml

#: What is written of each side of a limit.
_SIDES = {"below": "below", "at_most": "at most", "at_least": "at least", "above": "above"}

#: The names people use for code systems, in the order in which a row lists them.
_SYSTEMS = {
    "http://snomed.info/sct": "SNOMED CT",
    "http://loinc.org": "LOINC",
    "http://www.nlm.nih.gov/research/umls/rxnorm": "RxNorm",
    "http://hl7.org/fhir/sid/icd-10-cm": "ICD-10-CM",
    "http://www.whocc.no/atc": "ATC",
    "http://terminology.hl7.org/CodeSystem/diet": "FHIR diet",
    "http://hl7.org/fhir/diet": "FHIR diet (STU3)",
    "http://terminology.hl7.org/CodeSystem/v3-RouteOfAdministration": "HL7 v3 route",
}

_WITHOUT = {
    "indispensable": "the call is answered with 412",
    "required": "nothing is recommended, and a card says so",
    "optional": "its facts are unknown, and the card names them",
}


def describe(g: Guideline, prefetch_template: Callable[[Need], str]) -> str:
    """The page. Names of rules, sources, statements and code lists are anchors and links."""
    sections: Sequence[tuple[str, Iterator[str]]] = (
        ("What a call brings", _needs(g, prefetch_template)),
        ("Limits", _limits(g)),
        ("Doses and schedules", _doses(g)),
        ("Products and routes", _products(g)),
        ("Tests", _tests(g)),
        ("Cards", _cards(g)),
        ("Sentences of the cards", _texts(g)),
        ("Decision tables", _rules(g)),
        ("Statements of the guideline", _statements(g)),
        ("Code lists", _code_lists(g)),
        ("Bibliography", _bibliography(g)),
    )
    lines = [*_opening(g), "", "**Contents:** " + " · ".join(_heading(t) for t, _ in sections), ""]
    for title, body in sections:
        lines += [f"## {title}", "", *body, ""]
    return "\n".join(lines).rstrip() + "\n"


def _heading(title: str) -> str:
    return f"[{title}](#{title.lower().replace(' ', '-')})"


def _opening(g: Guideline) -> Iterator[str]:
    about, file = g.file.guideline, g.file
    limits = [getattr(file.limits, name) for name in file.limits.__struct_fields__]
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


# --- what it needs ------------------------------------------------------------------------------


def _needs(g: Guideline, prefetch_template: Callable[[Need], str]) -> Iterator[str]:
    yield (
        "For integrators: each prefetch key, and what happens without it. What is sent as `null` is"
        " known to be empty; what is not sent is read from the FHIR server if there is one, and"
        " otherwise unknown. Every resource's subject, code, unit and status are checked again."
    )
    yield ""
    rows = [
        (f"`{need.key}`", need.kind, need.name, need.importance, _WITHOUT[need.importance])
        for need in g.needs
    ]
    yield from _table(("key", "resource", "what for", "importance", "without it"), rows)
    yield ""
    yield "The templates, as discovery prints them:"
    yield ""
    yield "```text"
    yield from (f"{need.key}: {prefetch_template(need)}" for need in g.needs)
    yield "```"


# --- numbers ------------------------------------------------------------------------------------


def _limits(g: Guideline) -> Iterator[str]:
    yield (
        "*Published* names sources of the bibliography, *guideline* a statement of the unreviewed"
        " text that is computed here and nothing besides, *policy* the reason for this project's"
        " own choice."
    )
    yield ""
    limits = g.file.limits
    rows = []
    for name in limits.__struct_fields__:
        limit: Limit = getattr(limits, name)
        rows.append(
            (
                f'<a id="limit-{_slug(name)}"></a>`{name}`',
                f"{_SIDES[limit.side]} {limit}",
                limit.means,
                _authority(limit.source, g),
            )
        )
    yield from _table(("limit", "holds", "means", "authority"), rows)
    yield ""
    constants = g.file.constants
    fixed = [
        (f"`{name}`", f"{one.value.normalize():f} {one.unit}", _authority(one.source, g))
        for name in constants.__struct_fields__
        for one in (getattr(constants, name),)
    ]
    yield from _table(("constant", "value", "authority"), fixed)


def _doses(g: Guideline) -> Iterator[str]:
    doses = g.file.doses
    for index, name in enumerate(doses.__struct_fields__):
        dose = getattr(doses, name)
        per_kg = " per kg" if dose.per_kg else ""
        if index:
            yield ""
        yield f"### {dose.rule}: `{name}`"
        yield ""
        yield (
            f"{g.file.rules[dose.rule].condition} **{dose.amount.normalize():f} µg{per_kg}** each"
            f" time. Authority: {_authority(dose.source, g)}."
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
        yield from _table(("phase", "as ordered", "frequency", "for", "doses"), rows)


def _products(g: Guideline) -> Iterator[str]:
    products = g.file.products
    rows = [
        (
            f"`{name}`",
            one.name,
            _codings(one.codes),
            "yes" if one.benzyl_alcohol else "not marked",
            _authority(one.source, g),
        )
        for name in products.__struct_fields__
        for one in (getattr(products, name),)
    ]
    yield from _table(("product", "name", "codes", "benzyl alcohol", "authority"), rows)
    yield ""
    routes = g.file.routes
    yield from _table(
        ("route", "code"),
        [(f"`{name}`", _codings((getattr(routes, name),))) for name in routes.__struct_fields__],
    )
    yield ""
    policy = g.file.policy
    yield (
        f"A site chooses the first line (`policy.first_line`, here `{policy.first_line}`) and the"
        f" injection (`policy.parenteral_product`, here `{policy.parenteral_product}`)."
    )


def _tests(g: Guideline) -> Iterator[str]:
    tests = g.file.tests
    rows = [
        (
            f"`{name}`",
            one.name,
            _codings(one.codes),
            ", ".join(f"`{code}`" for code in one.same_as) or "–",
            _authority(one.source, g),
        )
        for name in tests.__struct_fields__
        for one in (getattr(tests, name),)
    ]
    yield from _table(("test", "name", "codes", "counts as the same", "authority"), rows)


# --- what it says -------------------------------------------------------------------------------


def _cards(g: Guideline) -> Iterator[str]:
    yield (
        "What each rule says; words in braces are filled in for the child. The indicator can rise"
        " with what is found. Every card ends with the review status."
    )
    for name in (name for name in SPEAKING if name in g.file.cards):
        card = g.file.cards[name]
        rule = name.partition(".")[0]
        yield ""
        yield f"### Card {name}"
        yield ""
        yield f"{_rule(rule, g)}, **{card.indicator}**: {_plain(card.summary)}"
        yield ""
        yield f"> {_plain(card.advice)}"
        if card.why:
            yield ">"
            yield f"> Why: {_plain(card.why)}"
        rests = []
        if card.statement:
            rests.append(f"statement {_cited(card.statement, g)}")
        if card.evidence:
            rests.append(f"evidence {', '.join(_cited(one, g) for one in card.evidence)}")
        rests += [f"[{g.file.links[one].label}]({g.file.links[one].url})" for one in card.links]
        if rests:
            yield ""
            yield f"Rests on {'; '.join(rests)}."


def _texts(g: Guideline) -> Iterator[str]:
    yield "What a card adds where it applies; words in braces are filled in."
    yield ""
    texts = g.file.texts
    yield from _table(
        ("text", "says"),
        [
            (f'<a id="text-{_slug(name)}"></a>`{name}`', _plain(getattr(texts, name)))
            for name in texts.__struct_fields__
        ],
    )
    yield ""
    yield "The reasons a clinician can give for not following a card:"
    yield ""
    yield from _table(
        ("code", "reason"), [(f"`{one.code}`", one.display) for one in g.file.override_reasons]
    )


def _rules(g: Guideline) -> Iterator[str]:
    yield (
        "Every rule in words, table by table, in the order of the data. The logic is one function"
        " per table; `cds-service evaluate --explain` shows for a child which of them fired."
    )
    tables: dict[str, list[str]] = {}
    for rule, row in g.file.rules.items():
        tables.setdefault(row.table, []).append(rule)
    for table, rules in tables.items():
        yield ""
        yield f"### Table {table.replace('_', ' ')}"
        yield ""
        rows = [
            (
                f'<a id="{_slug(rule)}"></a>{rule}',
                g.file.rules[rule].condition,
                g.file.rules[rule].result,
                _authority(g.file.rules[rule].source, g),
            )
            for rule in rules
        ]
        yield from _table(("rule", "condition", "result", "authority"), rows)


def _statements(g: Guideline) -> Iterator[str]:
    yield "Each sentence of the guideline, and the rules, texts and checks that serve it."
    yield ""
    rows = [
        (
            f'<a id="{_slug(name)}"></a>{name}',
            one.text,
            one.category,
            ", ".join(_server(server, g) for server in one.served_by) or one.not_clinical,
        )
        for name, one in g.file.statements.items()
    ]
    yield from _table(("statement", "text", "kind", "served by"), rows)


# --- codes --------------------------------------------------------------------------------------


def _code_lists(g: Guideline) -> Iterator[str]:
    sources = read_toml(FOLDER / "codes" / "SOURCES.toml")
    purposes = sources["lists"]
    lists: list[CodeList] = [getattr(g.codes, name) for name in g.codes.__struct_fields__]
    rows = [row for one in lists for row in one.codes]
    verified = sum(row.verified for row in rows)
    yield (
        f"{len(lists)} lists with {len(rows)} codes: {verified} verified, which decide, and"
        f" {len(rows) - verified} unverified, which are only named to people. A `*` stands for"
        " every code that begins so. What proves each code stands in `codes/` beside the data; a"
        " site should compare every list with its own terminology server."
    )
    for one in lists:
        count = sum(row.verified for row in one.codes)
        about = purposes[one.name]
        within = about.get("within")
        yield ""
        yield f'### <a id="list-{_slug(one.name)}"></a>`{one.name}`'
        yield ""
        part = f" Part of [`{within}`](#list-{_slug(within)})." if within else ""
        yield f"{about['purpose']}{part} {count} verified, {len(one.codes) - count} unverified."
        yield ""
        yield from _table(
            ("system", "code", "display", "verified"),
            [
                (
                    _SYSTEMS.get(row.system, row.system),
                    f"`{row.code}`",
                    row.display,
                    "yes" if row.verified else "**no**",
                )
                for row in one.codes
            ],
        )


def _bibliography(g: Guideline) -> Iterator[str]:
    yield (
        "What each source says, in this project's words, and how sure the reading is: high, the"
        " text itself was read; medium, in part or through another publication; low, known by its"
        " title or a remark only."
    )
    for name, one in g.file.sources.items():
        address = f" <{one.url}>" if one.url else ""
        yield ""
        yield f'- <a id="{_slug(name)}"></a>**{name}** {one.citation}.{address}'
        yield f"  *{one.finding}* Confidence: {one.confidence}."


# --- pieces -------------------------------------------------------------------------------------


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


def _plain(text: str) -> str:
    return " ".join(text.split())


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _authority(source: str, g: Guideline) -> str:
    for kind in ("policy", "local"):
        if source.startswith(f"{kind}:"):
            return f"*{kind}*: {source.partition(':')[2].strip()}"
    parts = re.split(r",\s*", source)
    if not all(_target(part, g) or re.fullmatch(r"C-\d+", part) for part in parts):
        return source  # a constant of nature names what it is of
    published = [part for part in parts if part in g.file.sources]
    others = [part for part in parts if part not in published]
    said = []
    if published:
        said.append(f"*published*: {', '.join(_cited(part, g) for part in published)}")
    if others:
        said.append(f"*guideline*: {', '.join(_cited(part, g) for part in others)}")
    return "; ".join(said)


def _target(name: str, g: Guideline) -> bool:
    return name in g.file.sources or name in g.file.statements or name in g.file.rules


def _cited(name: str, g: Guideline) -> str:
    return f"[{name}](#{_slug(name)})" if _target(name, g) else name


def _rule(name: str, g: Guideline) -> str:
    return f"Rule {_cited(name, g)}"


def _server(name: str, g: Guideline) -> str:
    kind, _, what = name.partition(":")
    if kind == "text":
        return f"text [`{what}`](#text-{_slug(what)})"
    if kind == "later":
        return f"{what} (to come)"
    return _cited(name, g)


def _codings(codes: Iterable[Code]) -> str:
    listed = [f"{_SYSTEMS.get(one.system, one.system)} `{one.code}` {one.display}" for one in codes]
    return "<br>".join(one.strip() for one in listed) or "–"
