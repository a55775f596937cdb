"""Safety over every combination of three findings, and what happens when advice is accepted.

Each infant of `infants.covering` is asked about as a client does, and the answer is held against
rules that are written here from the guideline's words, not taken from its rows. Then everything
recommended is accepted, and the service asked again: it must have nothing worse to say. At last one
finding is made worse: the answer must not become weaker.

`make test` takes a sample, always the same one (see `sampling`);
`make prove` takes them all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
from infants import (
    CYANO_INJECTED,
    HOOKS,
    KINDS,
    ORAL,
    ROUTES,
    TODAY,
    Infant,
    Json,
    accept,
    covering,
    held,
    infants,
    request_of,
)
from sampling import sample_of

from cds_service.cdshooks.request import parse_request
from cds_service.cdshooks.response import encode
from cds_service.consultation import Occasion, consult, load_services

SERVICES = {one.hook: one for one in load_services()}
SAMPLE = 150
RANK = {"": 0, "info": 1, "warning": 2, "critical": 3}
#: Of every drug that is cyanocobalamin: its codes and its name.
CYANOCOBALAMIN = re.compile(rf"cyanocobalamin|\b({ORAL}|{CYANO_INJECTED}|309593|11248)\b", re.I)

LOW = {"80", "199", "below 150", "450 before, 120 now"}
BORDERLINE = {"200", "299"}
NO_LEVEL = {"none", "80 a year ago", "unit not known", "local code"}
NEUROLOGICAL = {"seizure", "hypotonia"}
#: Sent for a level, a sign or a drug, and not understood: never met with silence.
UNREAD = {
    "b12": {"unit not known", "local code"},
    "sign": {"tremor in words", "epilepsy, unknown system"},
    "therapy": {"by name only", "not to be found"},
}


@cache
def every_infant() -> list[Infant]:
    return list(covering())


def ask(request: Json) -> Json:
    service = SERVICES[request["hook"]]
    asked = parse_request(json.dumps(request).encode(), service.hook)
    answer: Json = json.loads(encode(consult(service, asked, None, Occasion(TODAY)).response))
    return answer


def worst(answer: Json) -> str:
    return max((card["indicator"] for card in answer["cards"]), key=RANK.__getitem__, default="")


def suggested(
    answer: Json, kind: str = "MedicationRequest", *, recommended: bool = False
) -> Iterator[Json]:
    """The resources of ``kind`` that suggestions would save."""
    for card in answer["cards"]:
        for suggestion in card.get("suggestions", ()):
            if suggestion["isRecommended"] or not recommended:
                for action in suggestion["actions"]:
                    resource = action.get("resource", {})
                    # What is stopped stays as it was.
                    if resource.get("resourceType") == kind and resource["status"] != "stopped":
                        yield resource


def injected(resource: Json) -> bool:
    route = json.dumps(resource.get("dosageInstruction", ()))
    return ROUTES["IM"] in route or "34206005" in route


def is_b12(resource: Json) -> bool:
    written = json.dumps(resource).lower()
    return resource["resourceType"] == "MedicationRequest" and (
        bool(CYANOCOBALAMIN.search(written))
        or "317106" in written
        or "b12" in written
        or "cobalamin" in written
    )


def running(request: Json) -> list[Json]:
    """Every order of vitamin B12 that is written or running, its reference resolved or not."""
    found = held(request["prefetch"]["meds"])
    if "draftOrders" in request["context"]:
        found += held(request["context"]["draftOrders"])
    return [one for one in found if is_b12(one) and one["status"] in ("draft", "active")]


# --- what holds for one answer -------------------------------------------------------------------


def suspected_inborn(infant: Infant) -> bool:
    """Metabolites so high that an inborn error is suspected, whatever is recorded."""
    young = infant["age"] == "10 days"
    both = infant["mma"] in ("3.5", "25") and infant["homocysteine"] in ("20", "60", "120")
    high = infant["homocysteine"] == "120" or (
        infant["homocysteine"] == "60" and infant["b12"] not in LOW
    )
    return high or (young and both)


def objections(infant: Infant, answer: Json) -> Iterator[str]:
    """Everything that is wrong with an answer about ``infant``."""
    cards = answer["cards"]
    for card in cards:
        if len(card["summary"]) >= 140:
            yield "a summary is too long"
        if card["indicator"] == "critical" and re.search(r"\bmild\b", str(card), re.I):
            yield "a critical card says mild"
    drugs = list(suggested(answer))
    no_cyanocobalamin = infant["cause"] in ("Leber", "cobalamin C") or suspected_inborn(infant)
    if no_cyanocobalamin and any(CYANOCOBALAMIN.search(str(one)) for one in drugs):
        yield "cyanocobalamin is suggested"
    if infant["allergy"] == "cyanocobalamin" and any(map(is_b12, drugs)):
        yield "cobalamin is suggested after a reaction to it"
    # A low level of more than half a year ago that was never treated still counts.
    known_low = (
        infant["b12"] in LOW | BORDERLINE | {"80 a year ago"}
        or infant["cause"] == "vegan's anaemia"
    )
    on_the_screen = infant["drafts"] not in ("chart", "empty")
    if drugs and not known_low and not on_the_screen and infant["therapy"] == "none":
        yield "a drug is suggested without a level"
    bleeds = infant["platelets"] == "49" or infant["cause"] == "haemophilia"
    if bleeds and any(ROUTES["IM"] in str(one.get("dosageInstruction", ())) for one in drugs):
        yield "an intramuscular injection is suggested to a child who bleeds"
    if not cards:
        yield from _silences(infant)


def _silences(infant: Infant) -> Iterator[str]:
    treated = infant["therapy"] != "none" or infant["drafts"] not in ("chart", "empty")
    if infant["b12"] in LOW and not treated:
        yield "silence over a low level"
    if infant["b12"] in UNREAD["b12"]:
        yield "silence over a level that was not read"
    if infant["b12"] in NO_LEVEL and infant["sign"] in NEUROLOGICAL and not treated:
        yield "silence over a neurological sign without a level"
    below_300 = infant["b12"] in LOW | BORDERLINE
    if infant["drafts"] == "empty" and treated:
        return  # signing nothing of it while vitamin B12 is given
    for kind in ("sign", "therapy"):
        if below_300 and infant[kind] in UNREAD[kind]:
            yield f"silence over a {kind} that was not understood"


def accepted(request: Json, answer: Json) -> Json:
    """The request after everything recommended was accepted; of an at-most-one card the first."""
    taken: set[str] = set()

    def chosen(card: Json, suggestion: Json) -> bool:
        if not suggestion["isRecommended"]:
            return False
        one = card.get("selectionBehavior") == "at-most-one"
        if one and card["uuid"] in taken:
            return False
        taken.add(card["uuid"])
        return True

    return accept(request, answer["cards"], chosen)


def afterwards(infant: Infant, request: Json, answer: Json) -> Iterator[str]:
    """What is wrong once everything recommended was accepted."""
    done = accepted(request, answer)
    if done == request:
        return
    again = ask(done)
    before, after = worst(answer), worst(again)
    if RANK[after] > RANK[before]:
        yield f"accepted, it turns from {before} to {after}"
    if len(running(done)) > max(1, len(running(request))):
        yield "accepted, two orders of vitamin B12 are left"
    several = len(running(request)) > 1 and len(running(done)) > 1
    if several and next(suggested(answer, recommended=True), None) is not None:
        yield "accepted, two orders of vitamin B12 stay"


def _found(chosen: list[Infant]) -> dict[str, list[Infant]]:
    found: dict[str, list[Infant]] = {}
    for infant in chosen:
        for hook in ("patient-view", "") if infant["drafts"] == "chart" else ("",):
            request = request_of(infant, hook)
            answer = ask(request)
            for what in (*objections(infant, answer), *afterwards(infant, request, answer)):
                found.setdefault(what, []).append(infant)
    return found


def report(found: dict[str, list[Infant]]) -> str:
    lines = []
    for what, who in sorted(found.items()):
        plain = {kind: next(iter(forms)) for kind, forms in KINDS.items()}
        one = min(who, key=lambda infant: sum(infant[kind] != plain[kind] for kind in KINDS))
        told = {kind: form for kind, form in one.items() if form != plain[kind]}
        lines.append(f"{what}: {len(who)} infants, such as {told}")
    return "\n".join(lines)


def test_no_infant_is_answered_against_the_guideline() -> None:
    found = _found(every_infant()[: sample_of(SAMPLE)])
    assert not found, report(found)


@pytest.mark.long
def test_no_infant_of_any_three_findings_is_answered_against_the_guideline() -> None:
    found = _found(every_infant())
    assert not found, report(found)


# --- what holds when one thing is worse ----------------------------------------------------------

#: For each kind of finding: the same, then worse.
WORSE: dict[str, tuple[tuple[str, str], ...]] = {
    "b12": (("300", "299"), ("200", "199"), ("199", "80"), ("none", "unit not known"),
            ("none", "local code")),
    "sign": (("none", "seizure"), ("none", "hypotonia"), ("none", "failure to thrive"),
             ("none", "fatigue"), ("none", "tremor in words"), ("fatigue", "hypotonia"),
             ("failure to thrive", "seizure"), ("none", "epilepsy, unknown system")),
    "haemoglobin": (("12", "9.2"), ("7.0", "6.9"), ("6.9", "5.5"), ("none", "unit not known"),
                    ("none", "5.5"), ("12", "5.5")),
    "mcv": (("80", "112"), ("none", "112")),
    "platelets": (("50", "49"), ("300", "50")),
    "mma": (("0.8", "3.5"), ("3.5", "25")),
    "homocysteine": (("6", "9"), ("9", "20"), ("20", "60"), ("60", "120")),
    "allergy": (("none", "cobalt by name"), ("none", "penicillin by name"),
                ("none", "cyanocobalamin")),
    "mother": (("unknown", "vegan mother"),),
    "cause": (("none", "Crohn's"), ("none", "cobalamin C"), ("none", "Leber")),
}  # fmt: skip
#: A result that is there need not be ordered, another diagnosis may need other tests, and what is
#: not given to an allergic child needs no follow-up.
NO_FEWER_TESTS = {"sign"}


def weaker(before: Json, after: Json, kind: str) -> Iterator[str]:
    """How the answer became weaker when a finding of ``kind`` became worse."""
    if RANK[worst(after)] < RANK[worst(before)]:
        yield f"{worst(before)} becomes {worst(after) or 'silence'}"
    recommended = list(suggested(before, recommended=True))
    now = list(suggested(after, recommended=True))
    if any(map(injected, recommended)) and now and not any(map(injected, now)):
        yield "an injection becomes oral"
    if kind in NO_FEWER_TESTS:
        tests = {str(one["code"]) for one in suggested(before, "ServiceRequest")}
        lost = tests - {str(one["code"]) for one in suggested(after, "ServiceRequest")}
        # An error of metabolism is for the specialist, who orders more.
        if lost and now:
            yield "a test is no longer ordered"


def pairs(chosen: list[Infant]) -> Iterator[tuple[str, Infant, Infant]]:
    for number, infant in enumerate(chosen):
        steps = [(kind, *step) for kind, found in WORSE.items() for step in found]
        kind, base, worse = steps[number % len(steps)]
        # Extreme metabolites suspect an inborn error, which is critical, unless the level is low:
        # then the deficiency explains them, and is graded on its own.
        extreme = infant["homocysteine"] == "60" or infant["mma"] == "25"
        explained = kind == "b12" and extreme
        # In a recorded inborn error amount and interval of an order are the specialist's.
        specialist = worse == "cobalamin C" and infant["drafts"] != "chart"
        if not explained and not specialist:
            yield kind, {**infant, kind: base}, {**infant, kind: worse}


def _weaker(chosen: list[Infant]) -> dict[str, list[Infant]]:
    found: dict[str, list[Infant]] = {}
    for kind, base, worse in pairs(chosen):
        before, after = ask(request_of(base)), ask(request_of(worse))
        for what in weaker(before, after, kind):
            step = f"{kind} {base[kind]} to {worse[kind]}: {what}"
            found.setdefault(step, []).append(worse)
    return found


def test_a_worse_finding_never_weakens_the_answer() -> None:
    found = _weaker(list(infants(min(sample_of(SAMPLE), 2_000))))
    assert not found, report(found)


@pytest.mark.long
def test_a_worse_finding_never_weakens_any_answer() -> None:
    found = _weaker([*every_infant(), *infants(20_000, seed=2)])
    assert not found, report(found)


# --- that the test can fail ----------------------------------------------------------------------


def _drug(code: str, route: str) -> Json:
    dosage = [{"route": {"coding": [{"code": ROUTES[route]}]}}]
    coding = {"coding": [{"code": code}]}
    return {
        "resourceType": "MedicationRequest", "status": "draft", "id": "x",
        "medicationCodeableConcept": coding, "dosageInstruction": dosage,
    }  # fmt: skip


def _answer(indicator: str, *drugs: Json, summary: str = "") -> Json:
    actions = [{"type": "create", "resource": one} for one in drugs]
    suggestion = {"label": "", "uuid": "s", "isRecommended": True, "actions": actions}
    card = {"uuid": "c", "summary": summary, "indicator": indicator, "suggestions": [suggestion]}
    return {"cards": [card]}


@pytest.mark.parametrize(
    ("infant", "answer", "what"),
    [
        ({"cause": "Leber"}, _answer("warning", _drug(ORAL, "by mouth")), "cyanocobalamin"),
        ({"homocysteine": "120"}, _answer("critical", _drug(ORAL, "by mouth")), "cyanocobalamin"),
        ({"allergy": "cyanocobalamin"}, _answer("critical", _drug("317106", "IM")), "a reaction"),
        ({"platelets": "49"}, _answer("critical", _drug("317106", "IM")), "bleeds"),
        ({"b12": "none"}, _answer("warning", _drug("317106", "IM")), "without a level"),
        ({"b12": "80"}, _answer("critical", summary="mild deficiency"), "mild"),
        ({"b12": "80"}, {"cards": []}, "silence over a low level"),
        ({"b12": "local code"}, {"cards": []}, "was not read"),
        ({"sign": "seizure"}, {"cards": []}, "without a level"),
        ({"b12": "200", "sign": "tremor in words"}, {"cards": []}, "not understood"),
        ({}, _answer("info", summary="x" * 140), "too long"),
    ],
)
def test_each_objection_is_raised(infant: Infant, answer: Json, what: str) -> None:
    plain = {kind: next(iter(forms)) for kind, forms in KINDS.items()}
    assert any(what in one for one in objections({**plain, **infant}, answer))


def test_what_is_accepted_is_there_when_asked_again() -> None:
    plain = {kind: next(iter(forms)) for kind, forms in KINDS.items()}
    mild = {**plain, "b12": "199", "age": "5 months", "mother": "vegan mother"}
    request = request_of(mild)
    done = accepted(request, ask(request))
    (treatment,) = running(done)
    assert treatment["status"] == "active"
    assert len(held(done["prefetch"]["orders"])) > 0
    assert running(request) == []


def test_the_infants_are_of_every_kind_and_every_hook_answers() -> None:
    assert {kind: {one[kind] for one in every_infant()} for kind in KINDS} == {
        kind: set(forms) for kind, forms in KINDS.items()
    }
    for hook in HOOKS:
        answer: Any = ask(request_of(every_infant()[0], hook))
        assert "cards" in answer
    asks: Callable[[Infant], str] = lambda one: worst(ask(request_of(one)))  # noqa: E731
    assert {asks(one) for one in every_infant()[:200]} == set(RANK)
