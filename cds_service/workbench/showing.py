"""What the workbench shows, as data: the chart, the reasoning, Markdown as a tree, the guideline.

The page builds its elements itself and never takes markup from a text, so Markdown reaches it as a
tree of the few elements it knows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from html import escape
from typing import TYPE_CHECKING, Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from msgspec import Raw

from cds_service.cdshooks.response import Response, encode
from cds_service.clinical import Medication, Moment, Need, Problem, Quantity, convert
from cds_service.guidelines.b12_under_two.facts import counts
from cds_service.guidelines.b12_under_two.loading import FOLDER
from cds_service.guidelines.b12_under_two.results import FINAL, LAB_UNITS
from cds_service.guidelines.engine import Limit

if TYPE_CHECKING:
    from cds_service.cdshooks.request import Request
    from cds_service.clinical import Code, Record
    from cds_service.consultation import Examined, Service
    from cds_service.fhir.gather import Answer
    from cds_service.guidelines.b12_under_two import Guideline
    from cds_service.guidelines.b12_under_two.facts import Facts, Finding
    from cds_service.guidelines.b12_under_two.front import Front

Json = dict[str, Any]

# --- what does not change -------------------------------------------------------------------------

#: What the page adds to a record when asked "what if": the first verified code of a list with
#: this display. And the codes under which it adds a result where there was none.
_WHAT_IF = {"neurological": "Hypotonia", "malabsorption": "Crohn's disease of ileum"}
_MEASURED = {
    "b12": ("b12_level", "2132-9"),
    "b12Molar": ("b12_level", "14685-2"),
    "weight": ("weight", "29463-7"),
}


def setup(services: Sequence[Service], g: Guideline, *, on: date, as_of_is_set: bool) -> Json:
    """What the page needs to know once."""
    about, file = g.file.guideline, g.file
    products, routes = file.products, file.routes
    return {
        "today": on,
        "asOfIsSet": as_of_is_set,
        "services": [{"id": one.id, "hook": one.hook, "title": one.title} for one in services],
        "guideline": {
            "id": about.id,
            "title": about.title,
            "edition": about.edition,
            "reviewStatus": about.review_status,
            "local": list(g.local),
        },
        "products": [
            {"name": one.name, "coding": one.codes}
            for name in products.__struct_fields__
            for one in (getattr(products, name),)
        ],
        "routes": [getattr(routes, name) for name in routes.__struct_fields__],
        "whatIf": {name: _coded(g, name, display) for name, display in _WHAT_IF.items()},
        "measured": {name: _code(g, *which) for name, which in _MEASURED.items()},
        "b12MolarMass": file.constants.b12_molar_mass.value,
        "b12Limits": [
            _limit(g.limits.b12_severe, "severe below"),
            _limit(g.limits.b12_deficient, "deficient below"),
            _limit(g.limits.b12_adequate, "adequate from"),
        ],
        "ageLimits": [
            {"value": g.limits.under_one_month_age.value, "label": "1 month"},
            {"value": g.limits.toddler_age.value, "label": "1 year"},
            {"value": g.limits.covered_age.value, "label": "2 years"},
        ],
        "statements": {name: one.text for name, one in file.statements.items()},
        "statementsOf": _statements_by_rule(g),
    }


def _coded(g: Guideline, name: str, display: str) -> Json:
    rows = getattr(g.codes, name).codes
    found = next(one for one in rows if one.display == display and one.verified)
    return {"system": found.system, "code": found.code, "display": found.display}


def _code(g: Guideline, name: str, code: str) -> Json:
    found = next(one for one in getattr(g.codes, name).codes if one.code == code and one.verified)
    return {"system": found.system, "code": found.code, "display": found.display}


def _limit(limit: Limit, label: str) -> Json:
    return {"value": limit.value, "unit": limit.unit, "label": label, "means": limit.means}


def _statements_by_rule(g: Guideline) -> dict[str, list[str]]:
    """The sentences of the guideline that a rule serves or names as its authority."""
    rules, statements = g.file.rules, g.file.statements
    return {
        rule: [
            name
            for name, statement in statements.items()
            if rule in statement.served_by or name in re.split(r",\s*", row.source)
        ]
        for rule, row in rules.items()
    }


# --- one answer -----------------------------------------------------------------------------------


def explained(
    service: Service, asked: Request, examined: Examined, response: Response, on: date
) -> Json:
    """A response with its Markdown as trees, the chart as it was read, and the reasoning."""
    front: Any = service.guideline
    g, record, evaluation = front.data, examined.record, examined.evaluation
    account = service.guideline.account(evaluation, record)
    told: Json = {
        "on": on,
        "response": Raw(encode(response)),
        "details": {card.uuid: markdown_tree(card.detail) for card in response.cards},
        "facts": account.facts,
        "tables": account.tables,
        "chart": _chart(record, evaluation.facts, on, g),
    }
    if any(answer.origin == "server" for answer in examined.evidence.values()):
        told["prefetch"] = _as_prefetch(service.needs, examined.evidence)
    return told


def request_of(asked: Request) -> Json:
    """A CDS Hooks request as it is sent."""
    context = asked.context
    return {
        "hook": asked.hook,
        "hookInstance": asked.hook_instance,
        "context": {"userId": context.user_id, "patientId": context.patient_id},
        "prefetch": asked.prefetch,
    }


def _as_prefetch(needs: Sequence[Need], evidence: Mapping[str, Answer]) -> Json:
    """What was gathered, in the form in which a client would have sent it."""
    sent: Json = {}
    for need in needs:
        answer = evidence[need.key]
        resources = [Raw(bytes(one)) for one in answer.resources]
        if need.kind == "Patient" and resources:
            sent[need.key] = resources[0]
        elif answer.state == "empty":
            sent[need.key] = None
        elif answer.state == "present":
            entries = [{"resource": one} for one in resources]
            sent[need.key] = {"resourceType": "Bundle", "type": "searchset", "entry": entries}
    return sent


# --- the chart ------------------------------------------------------------------------------------


def _chart(record: Record, facts: Facts, on: date, g: Guideline) -> Json:
    birth = facts.patient.birth
    return {
        "born": _moment(birth) if birth else "",
        "plots": list(_plots(record, facts, g)),
        "problems": [_problem(one, on) for one in record.problems],
        "medications": [_medication(one) for one in record.medications],
        "tests": [
            {"name": _name(one.text, one.codes), "status": one.status, "source": one.source,
             "day": _moment(one.due or one.authored)}
            for one in record.test_orders
        ],
        "breastFed": facts.breast_fed,
        "mothersDiet": facts.maternal_diet,
        "childsDiet": facts.child_diet,
        "allergies": list(facts.reactions),
        "procedures": [
            {"name": _name(one.text, one.codes), "day": _moment(one.performed),
             "source": one.source}
            for one in record.procedures
        ],
        "findings": {
            "neurological": _sources((*facts.neurological, *facts.paradoxical)),
            "malabsorption": _sources(facts.malabsorption),
        },
    }  # fmt: skip


def _sources(findings: Sequence[Finding]) -> list[str]:
    return [one.source for one in findings]


def _name(text: str, codes: Sequence[Code]) -> str:
    return text or next((one.display or one.code for one in codes), "not named")


def _moment(moment: Moment | None) -> str:
    if moment is None:
        return ""
    first, last = moment.first.isoformat(), moment.last.isoformat()
    return first if first == last else f"{first} to {last}"


def _problem(problem: Problem, on: date) -> Json:
    return {
        "name": _name(problem.text, problem.codes),
        "status": problem.clinical_status,
        "certainty": problem.certainty,
        "day": _moment(problem.onset or problem.recorded),
        "source": problem.source,
        "counts": counts(problem, on, lasting=False, in_remission=False),
    }


def _medication(medication: Medication) -> Json:
    return {
        "name": _name(medication.text, medication.codes),
        "kind": medication.kind,
        "status": medication.status,
        "day": _moment(medication.authored),
        "dose": "; ".join(one.text for one in medication.doses if one.text),
        "source": medication.source,
    }


def _plots(record: Record, facts: Facts, g: Guideline) -> Iterator[Json]:
    """Every series with a number: vitamin B12 first, then weight, then the other results."""
    limits, names = g.limits, g.file.names.labs
    levels = [*facts.levels, *([facts.preliminary] if facts.preliminary else [])]
    points = [
        _point(
            one.when, one.high if one.high is not None else one.low, one.written, one.source,
            _comparator(one.low, one.high), preliminary=one is facts.preliminary,
        )
        for one in levels
        if one.high is not None or one.low is not None
    ]  # fmt: skip
    deficient, adequate = limits.b12_deficient.value, limits.b12_adequate.value
    yield {
        "key": "b12",
        "name": "Vitamin B12",
        "unit": limits.b12_deficient.unit,
        "points": points,
        "bands": [
            {"below": deficient, "label": "deficient", "tone": "low"},
            {"from": deficient, "below": adequate, "label": "borderline", "tone": "middle"},
        ],
    }
    weights = list(_weights(record, g))
    if weights:
        yield {"key": "weight", "name": "Weight", "unit": "kg", "points": weights, "bands": []}
    lines: dict[str, tuple[str, Limit]] = {
        "hemoglobin": ("anaemia", limits.hemoglobin_anaemia),
        "platelets": ("one affected cell line", limits.platelets_two_lines),
        "potassium": ("low", limits.potassium_low),
        "methylmalonate": ("raised", limits.mma_high),
        "homocysteine": ("raised", limits.homocysteine_high),
    }
    for key, labs in facts.labs.items():
        if not labs:
            continue
        bands = []
        if key in lines:
            label, limit = lines[key]
            side = "below" if limit.side in ("below", "at_most") else "from"
            bands = [{side: limit.value, "label": label, "tone": "middle"}]
        yield {
            "key": key,
            "name": names.get(key, key),
            "unit": LAB_UNITS[key],
            "points": [
                _point(one.when, one.value, one.written, one.source, one.comparator) for one in labs
            ],
            "bands": bands,
        }


def _weights(record: Record, g: Guideline) -> Iterator[Json]:
    for measured in record.measurements:
        kinds = {g.kinds.get((one.system, one.code)) for one in measured.codes}
        if not kinds & {"weight", "weight_estimated", "birth_weight"}:
            continue
        value: Quantity | None = measured.value
        if value is None or measured.when is None or measured.status not in FINAL or measured.about:
            continue
        kg = convert(value, "kg")
        if kg is not None:
            yield _point(measured.when, kg, value.written, measured.source, value.comparator)


def _comparator(low: Decimal | None, high: Decimal | None) -> str:
    if high is None:
        return ">"
    return "<" if low is None or low < high else ""


def _point(
    when: Moment, value: Decimal | None, written: str, source: str, comparator: str,
    *, preliminary: bool = False,
) -> Json:  # fmt: skip
    return {
        "day": when.last,
        "value": round(value, 3) if value is not None else None,
        "sent": written,
        "source": source,
        "comparator": comparator,
        "preliminary": preliminary,
    }


# --- Markdown as a tree ---------------------------------------------------------------------------

_cards = MarkdownIt("commonmark", {"html": False}).enable("table").enable("strikethrough")
_KNOWN = frozenset(
    {"p", "ul", "ol", "li", "strong", "em", "s", "code", "blockquote", "h1", "h2", "h3", "h4", "h5",
     "h6", "hr", "br", "table", "thead", "tbody", "tr", "th", "td", "a", "pre"}
)  # fmt: skip


def markdown_tree(text: str) -> list[Any]:
    """Markdown as nested lists: a text is a string, an element ``[name, children]`` or, for a
    link, ``["a", children, address]``. HTML in it is text, and so is a link that is not to the
    web."""
    return _nested(_cards.parse(text))


def _nested(tokens: Sequence[Token]) -> list[Any]:
    root: list[Any] = []
    open_: list[list[Any]] = [root]
    for token in tokens:
        inside = open_[-1]
        if token.type == "inline":
            inside += _nested(token.children or [])
        elif token.nesting == -1:
            open_.pop()
        elif token.hidden:
            open_.append(inside)  # the paragraphs of a tight list
        elif token.nesting == 1:
            element: list[Any] = [token.tag, []]
            address = str(token.attrGet("href") or "")
            if token.tag not in _KNOWN or (token.tag == "a" and not _to_the_web(address)):
                open_.append(inside)
                continue
            if token.tag == "a":
                element.append(address)
            inside.append(element)
            open_.append(element[1])
        elif token.type == "softbreak":
            inside.append(" ")
        elif token.type == "code_inline":
            inside.append(["code", [token.content]])
        elif token.type in ("fence", "code_block"):
            inside.append(["pre", [token.content]])
        elif token.tag in ("br", "hr"):
            inside.append([token.tag, []])
        elif token.content:  # text, and the words of a picture
            inside.append(token.content)
    return root


def _to_the_web(address: str) -> bool:
    return address.startswith(("https://", "http://"))


# --- the guideline to read ------------------------------------------------------------------------


def guideline_page(frame: str, front: Front, prefetch_template: Callable[[Need], str]) -> bytes:
    """The guideline's description and the README beside its data, as one page in ``frame``."""
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    in_force = "No local settings: the guideline is in force as it ships."
    if front.local:
        in_force = f"Local settings in force: {', '.join(f'`{name}`' for name in front.local)}."
    g, described = front.data, front.describe(prefetch_template)
    described = re.sub(r"\]\([^)#]*README\.md\)", "](#contradictions)", described)
    described = re.sub(r"(?<![\w\[#-])(C-\d+)(?!\w)", _linked_contradiction, described)
    readme = re.sub(r"^\| (C-\d+) \|", _named_contradiction, readme, flags=re.M)
    readme = readme.replace("## Contradictions", '<a id="contradictions"></a>\n\n## Contradictions')
    readme = re.sub(r"^# .*$", "## About this guideline", readme, count=1, flags=re.M)
    first, _, rest = described.partition("\n## ")
    body = f"{first}\n{in_force}\n\n## {rest}\n\n{readme}"
    shown = _page.render(body)
    page = frame.replace("{{edition}}", escape(g.file.guideline.edition))
    return page.replace("{{guideline}}", shown).encode()


def _linked_contradiction(match: re.Match[str]) -> str:
    return f"[{match[1]}](#{match[1].lower()})"


def _named_contradiction(match: re.Match[str]) -> str:
    return f'| <a id="{match[1].lower()}"></a>{match[1]} |'


class _Page(RendererHTML):
    """HTML of our own documents: of the HTML in them only anchors stay, all else is text."""

    _anchor = re.compile(r'<a id="[a-z0-9-]+">|</a>').fullmatch

    def html_inline(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        written = tokens[idx].content
        return written if self._anchor(written) else escape(written)

    def html_block(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        written = tokens[idx].content.strip()
        if written.startswith("<!--"):
            return ""
        return "".join(
            part if self._anchor(part) else escape(part) for part in re.split(r"(<[^>]*>)", written)
        )

    def heading_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        token = tokens[idx]
        text = "".join(
            one.content for one in tokens[idx + 1].children or [] if one.type != "html_inline"
        )
        slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        used: dict[str, int] = env.setdefault("slugs", {})
        used[slug] = used.get(slug, -1) + 1
        suffix = f"-{used[slug]}" if used[slug] else ""
        return f'<{token.tag} id="{escape(slug + suffix)}">'

    def table_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        env["tables"] = env.get("tables", 0) + 1
        label = f"Table {env['tables']}"
        return f'<div class="scroll" role="region" tabindex="0" aria-label="{label}"><table>'

    def table_close(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return "</table></div>"

    def link_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        address = str(tokens[idx].attrGet("href") or "")
        if address.startswith("#"):
            return f'<a href="{escape(address)}">'
        if _to_the_web(address):
            return f'<a href="{escape(address)}" rel="noreferrer">'
        return "<a>"  # a file of the checkout, which is not here


_page = MarkdownIt("commonmark", {"html": True}, renderer_cls=_Page).enable("table")
