"""What the workbench shows, as data: the chart, the reasoning, Markdown as a tree, the guideline.

The page builds its elements itself and never takes markup from a text, so Markdown reaches it as a
tree of the few elements it knows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import cache
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode

import msgspec
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from msgspec import DecodeError, Meta, Raw, Struct

from cds_service.cdshooks.response import Response, encode
from cds_service.clinical import Medication, Moment, Need, Problem
from cds_service.consultation import EVALUATION_EXTENSION
from cds_service.consultation.cards import RULES_EXTENSION
from cds_service.consultation.services import guidelines_of, services_of
from cds_service.errors import BadRequest
from cds_service.language import Dated, Language, Listed, house, say

if TYPE_CHECKING:
    from cds_service.cdshooks.request import Request
    from cds_service.clinical import Code, Record
    from cds_service.consultation import Examined, Service
    from cds_service.fhir.gather import Answer
    from cds_service.guidelines.engine import Wording
    from cds_service.guidelines.guideline import Guideline
    from cds_service.guidelines.workbench import Chart

Json = dict[str, Any]

# --- what does not change -------------------------------------------------------------------------


def setup(services: Sequence[Service], g: Guideline, *, on: date, as_of_is_set: bool) -> Json:
    """What the page needs to know once to show ``g``, one of the guidelines of ``services``."""
    words, all_of_them = g.wording, guidelines_of(services)
    about = words.about
    return {
        "today": on,
        "asOfIsSet": as_of_is_set,
        "services": [
            {"id": one.id, "hook": one.hook, "title": one.title} for one in services_of(services, g)
        ],
        "guideline": {
            "id": about.id,
            "title": about.title,
            "edition": about.edition,
            "reviewStatus": about.review_status,
            "local": list(g.local),
        },
        "guidelines": [
            {"id": one.wording.about.id, "title": one.wording.about.title} for one in all_of_them
        ],
        # The first is shown if none is named.
        "named": "" if about.id == all_of_them[0].wording.about.id else f"?guideline={about.id}",
        "desk": g.desk(),
        # The need under which a whole kind of resource is sent.
        "needs": {need.kind: need.key for need in g.needs if not need.kept},
        "extensions": {"evaluation": EVALUATION_EXTENSION, "rules": RULES_EXTENSION},
        "statements": {name: one.text for name, one in words.statements.items()},
        "statementsOf": _statements_by_rule(words),
    }


def _statements_by_rule(words: Wording) -> dict[str, list[str]]:
    """The sentences of the guideline that a rule serves or names as its authority."""
    return {
        rule: [
            name
            for name, statement in words.statements.items()
            if rule in statement.served_by or name in re.split(r",\s*", row.source)
        ]
        for rule, row in words.rules.items()
    }


# --- one answer -----------------------------------------------------------------------------------


def explained(
    service: Service, asked: Request, examined: Examined, response: Response, on: date
) -> Json:
    """A response with its Markdown as trees, the chart as it was read, and the reasoning."""
    g, record, evaluation = service.guideline, examined.record, examined.evaluation
    account = g.account(evaluation, record, service.language.original)
    told: Json = {
        "on": on,
        "response": Raw(encode(response)),
        "details": {card.uuid: markdown_tree(card.detail) for card in response.cards},
        "facts": account.facts,
        "tables": account.tables,
        "chart": _chart(record, g.chart(evaluation, record), service.language.original),
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
        answer = evidence.get(need.key)
        if answer is None:
            continue
        resources = [Raw(bytes(one)) for one in answer.resources]
        if need.kind == "Patient" and resources:
            sent[need.key] = resources[0]
        elif answer.state == "empty":
            sent[need.key] = None
        elif answer.state == "present":
            entries = [{"resource": one} for one in resources]
            sent[need.key] = {"resourceType": "Bundle", "type": "searchset", "entry": entries}
    return sent


# --- one fact over its range ----------------------------------------------------------------------

#: How many values of a range are tried at the same distance, and in all.
_EVENLY, _MOST = 40, 160


class Range(Struct, forbid_unknown_fields=True):
    """A request, the places of one fact in it, and the values to put there, in order; those at
    ``sure`` are tried in any case."""

    request: Json
    places: Annotated[list[Annotated[list[str | int], Meta(min_length=1)]], Meta(max_length=50)]
    values: Annotated[list[int | float | str], Meta(min_length=2, max_length=1000)]
    sure: list[int] = []

    def at(self, place: int) -> Json:
        """The request with one of the values."""
        for *path, last in self.places:
            where: Any = self.request
            for key in path:
                where = where[key]
            where[last]  # what is not there is not added
            where[last] = self.values[place]
        return self.request


def stretches(
    count: int, sure: Iterable[int], decided: Callable[[int], Json]
) -> Iterator[tuple[int, int, Json]]:
    """What is decided along ``count`` values: the first and last place of each stretch.

    Not every value is tried, but some at the same distance, those at ``sure``, and between two that
    differ as many as it takes to find where.
    """
    at: Callable[[int], Json] = cache(decided)
    tried = {*range(0, count, -(-count // _EVENLY)), count - 1}
    tried |= {one for one in sure if 0 <= one < count}
    begun = 0
    for left, right in pairwise(sorted(tried)):
        same = left
        while at(same) != at(right):
            low, high = same, right
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if at(middle) == at(same) else (low, middle)
            yield begun, low, at(low)
            begun = same = high
    yield begun, count - 1, at(count - 1)


def range_of(body: bytes, g: Guideline, answered: Callable[[bytes], Response]) -> Iterator[Json]:
    """What is decided over the range of one fact, by the answer to a request."""
    try:
        asked = _range.decode(body)
    except (DecodeError, RecursionError):
        raise BadRequest("This is not a request with the values of one fact.") from None
    tries = iter(range(_MOST))

    def decided(place: int) -> Json:
        if next(tries, None) is None:
            raise BadRequest("The advice changes too often over these values.")
        try:
            request = asked.at(place)
        except (KeyError, IndexError, TypeError):
            raise BadRequest("The request has nothing at one of the places.", "places") from None
        return _decision(answered(_encode(request)), g)

    for first, last, decision in stretches(len(asked.values), asked.sure, decided):
        yield {"first": first, "last": last, **decision}


def _decision(response: Response, g: Guideline) -> Json:
    """The first card by its rules and what it recommends; without a card what became of it."""
    if not response.cards:
        outcome = response.extension[EVALUATION_EXTENSION]["outcome"]
        return {"indicator": "", "rules": [], "advice": outcome}
    card = response.cards[0]
    rules = list(card.extension[RULES_EXTENSION]["ruleIds"])
    labels = [one.label for one in card.suggestions or () if one.is_recommended]
    advice = labels[0] if labels else g.wording.rules[rules[0]].result
    return {"indicator": card.indicator, "rules": rules, "advice": advice}


_range = msgspec.json.Decoder(Range, float_hook=Decimal)
_encode = msgspec.json.Encoder(decimal_format="number").encode


# --- the chart ------------------------------------------------------------------------------------


def _chart(record: Record, chart: Chart, language: Language) -> Json:
    birth = record.patient.birth
    return {
        "born": _moment(birth, language),
        "plots": chart.plots,
        "treatment": chart.treatment,
        "problems": [_problem(one, language) for one in record.problems],
        "medications": [_medication(one, language) for one in record.medications],
        "tests": [
            {"name": _name(one.text, one.codes, language), "status": one.status,
             "source": one.source, "day": _moment(one.due or one.authored, language),
             "due": one.due.last if one.due is not None else None}
            for one in record.test_orders
        ],
        "procedures": [
            {"name": _name(one.text, one.codes, language),
             "day": _moment(one.performed, language), "source": one.source}
            for one in record.procedures
        ],
        "lists": chart.lists,
        "findings": chart.findings,
    }  # fmt: skip


def _name(text: str, codes: Sequence[Code], language: Language) -> str:
    coded = next((one.display or one.code for one in codes), "")
    return text or coded or language.fill(say(house.Workbench.not_named))


def _moment(moment: Moment | None, language: Language) -> str:
    if moment is None:
        return ""
    when = Dated(moment.first, moment.last)
    if not moment.is_partial or when.stretch != "days":
        return language.text(when)
    return language.fill(say(house.Workbench.range, first=moment.first, last=moment.last))


def _problem(problem: Problem, language: Language) -> Json:
    return {
        "name": _name(problem.text, problem.codes, language),
        "status": problem.clinical_status,
        "certainty": problem.certainty,
        "day": _moment(problem.onset or problem.recorded, language),
        "source": problem.source,
    }


def _medication(medication: Medication, language: Language) -> Json:
    return {
        "name": _name(medication.text, medication.codes, language),
        "kind": medication.kind,
        "status": medication.status,
        "day": _moment(medication.authored, language),
        "dose": language.text(
            Listed(tuple(one.text for one in medication.doses if one.text), "semicolon")
        ),
        "source": medication.source,
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
        elif token.nesting == 1:
            open_.append(_opened(token, inside))
        else:
            inside += _leaf(token)
    return root


def _opened(token: Token, inside: list[Any]) -> list[Any]:
    """Where the content of an element goes: into it, or, if the element is unknown, ``inside``."""
    address = str(token.attrGet("href") or "")
    is_link = token.tag == "a"
    # Hidden are the paragraphs of a tight list.
    if token.hidden or token.tag not in _KNOWN or (is_link and not _to_the_web(address)):
        return inside
    children: list[Any] = []
    inside.append([token.tag, children, address] if is_link else [token.tag, children])
    return children


def _leaf(token: Token) -> list[Any]:
    """A token without others in it, as it is in the tree."""
    if token.type == "softbreak":
        return [" "]
    if token.type == "code_inline":
        return [["code", [token.content]]]
    if token.type in ("fence", "code_block"):
        return [["pre", [token.content]]]
    if token.tag in ("br", "hr"):
        return [[token.tag, []]]
    return [token.content] if token.content else []  # text, and the words of a picture


def _to_the_web(address: str) -> bool:
    return address.startswith(("https://", "http://"))


# --- the guideline to read ------------------------------------------------------------------------


def guideline_page(
    frame: str,
    service: Service,
    prefetch_template: Callable[[Need], str],
    decided: Mapping[str, int],
) -> bytes:
    """The description of a service's guideline, and the README next to its data, as one page in
    ``frame``. Each section folds. ``decided`` has how many stories a rule fires
    in: its row has a link to them."""
    g, language = service.guideline, service.language.original
    readme = g.readme
    in_force = say(house.Workbench.no_local_settings)
    if g.local:
        names = Listed(tuple(f"`{name}`" for name in g.local))
        in_force = say(house.Workbench.local_settings, names=names)
    described = g.describe(prefetch_template, language)
    described = re.sub(r"\]\([^)#]*README\.md\)", "](#contradictions)", described)
    described = re.sub(r"(?<![\w\[#-])(C-\d+)(?!\w)", _linked_contradiction, described)
    readme = re.sub(r"^\| (C-\d+) \|", _named_contradiction, readme, flags=re.M)
    readme = readme.replace("## Contradictions", '<a id="contradictions"></a>\n\n## Contradictions')
    about = f"## {language.fill(say(house.Workbench.about))}"
    readme = re.sub(r"^# .*$", about, readme, count=1, flags=re.M)
    first, _, rest = described.partition("\n## ")
    body = f"{first}\n{language.fill(in_force)}\n\n## {rest}\n\n{readme}"
    shown = _page.render(body, {"decided": decided, "guideline": g.wording.about.id})
    page = frame.replace("{{edition}}", escape(g.wording.about.edition))
    return page.replace("{{guideline}}", shown).encode()


def _linked_contradiction(match: re.Match[str]) -> str:
    return f"[{match[1]}](#{match[1].lower()})"


def _named_contradiction(match: re.Match[str]) -> str:
    return f'| <a id="{match[1].lower()}"></a>{match[1]} |'


class _Page(RendererHTML):
    """HTML of our own documents: only anchors and line breaks in them remain HTML, all else is
    text."""

    _stays = re.compile(r'<a id="[A-Za-z0-9._-]+">|</a>|<br>').fullmatch

    def render(self, tokens: Sequence[Token], options: Any, env: Any) -> str:
        return super().render(tokens, options, env) + _ends_of_folds(env, 2)

    def fence(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        # What scrolls can be reached by the keyboard.
        return super().fence(tokens, idx, options, env).replace("<pre>", '<pre tabindex="0">', 1)

    def html_inline(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        written = tokens[idx].content
        return written if self._stays(written) else escape(written)

    def html_block(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        written = tokens[idx].content.strip()
        if written.startswith("<!--"):
            return ""
        return "".join(
            part if self._stays(part) else escape(part) for part in re.split(r"(<[^>]*>)", written)
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
        heading = f'<{token.tag} id="{escape(slug + suffix)}">'
        if token.level or token.tag not in ("h2", "h3"):
            return heading
        ended = _ends_of_folds(env, int(token.tag[1]))
        env["folds"].append(int(token.tag[1]))
        return f"{ended}<details><summary>{heading}"

    def heading_close(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        token = tokens[idx]
        folds = not token.level and token.tag in ("h2", "h3")
        return f"</{token.tag}>{'</summary>' if folds else ''}\n"

    def td_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """A cell that begins with an anchor names its row: the name links to the row, and that of
        a rule to the stories in which it fires."""
        inside = tokens[idx + 1].children or []
        anchor = re.fullmatch(r'<a id="([^"]+)">', inside[0].content) if inside else None
        env["row"] = anchor[1] if anchor else ""
        return "<td>"

    def text(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return _named(super().text(tokens, idx, options, env), env)

    def code_inline(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return _named(super().code_inline(tokens, idx, options, env), env)

    def table_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        env["tables"] = env.get("tables", 0) + 1
        label = house.language().fill(say(house.Workbench.table, number=env["tables"]))
        return (
            f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(label)}"><table>'
        )

    def table_close(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        return "</table></div>"

    def link_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        address = str(tokens[idx].attrGet("href") or "")
        if address.startswith("#"):
            return f'<a href="{escape(address)}">'
        if _to_the_web(address):
            return f'<a href="{escape(address)}" rel="noreferrer">'
        return "<a>"  # a file of the checkout, which is not here


def _ends_of_folds(env: Any, depth: int) -> str:
    """The ends of what is folded at ``depth`` or deeper."""
    folds: list[int] = env.setdefault("folds", [])
    ended = ""
    while folds and folds[-1] >= depth:
        folds.pop()
        ended += "</details>\n"
    return ended


def _named(written: str, env: Any) -> str:
    """The name of a row, where one is awaited, as a link to it."""
    row = env.get("row")
    if not row or not written.strip():
        return written
    env["row"] = ""
    return f'<a href="#{row}">{written}</a>{_stories_of(written, env)}'


def _stories_of(rule: str, env: Any) -> str:
    count = env["decided"].get(rule, 0)
    if not count:
        return ""
    words = house.language().fill(say(house.Workbench.stories, count=count))
    address = urlencode({"guideline": env["guideline"], "find": rule})
    return f'<br><a class="stories-of" href="/?{escape(address)}">{escape(words)}</a>'


_page = MarkdownIt("commonmark", {"html": True}, renderer_cls=_Page).enable("table")
