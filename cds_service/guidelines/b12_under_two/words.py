"""What a card says about the patient: the findings, and the values that texts name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import ROUND_DOWN, Decimal

from cds_service.clinical import PlannedDrug, PlannedTest
from cds_service.guidelines.b12_under_two.assessment import Assessment, recent
from cds_service.guidelines.b12_under_two.data import Guideline
from cds_service.guidelines.b12_under_two.facts import Facts, Finding, injection_product
from cds_service.guidelines.b12_under_two.monitoring import potassium_low
from cds_service.guidelines.b12_under_two.results import Lab, Level
from cds_service.guidelines.engine import Choice, Note


def number(value: Decimal) -> str:
    """A number without an exponent or needless zeros."""
    return f"{value.normalize():f}"


def shown_dose(amount: Decimal, places: int = 4) -> str:
    """An amount rounded, but never to nothing; beyond all sense, where places no longer count, as
    it is: Decimal refuses to round more digits than it calculates with."""
    if amount.adjusted() > 20:
        return number(amount)
    least = Decimal(1).scaleb(-places)
    return number(round(amount, places)) if amount >= least else f"less than {least}"


def shown_weight(kg: Decimal) -> str:
    """A weight as a scale shows it; the dose is worked out from the weight as sent."""
    return number(kg.quantize(Decimal("0.01")))


def named(findings: Sequence[Finding]) -> str:
    """Names of problems for a card, uncertain ones marked."""
    if not findings:
        return ""
    words = [
        f"possible {_plain_case(one.name)}" if one.possible else _plain_case(one.name)
        for one in findings
    ]
    return ", ".join(dict.fromkeys(words))


def _plain_case(name: str) -> str:
    """A term as it stands inside a sentence: "Poor muscle tone" loses its capital, "IgA" and
    "Crohn's disease" keep theirs."""
    word = name.split(" ")[0]
    proper = "'" in word or "-" in word or word in _EPONYMS or not word[1:].islower()
    return name if proper else name[0].lower() + name[1:]


_EPONYMS = frozenset({"Leber", "West", "Crohn", "Biermer", "Leigh", "Hirschsprung"})


def shown_level(level: Level) -> str:
    """A level in pg/mL; cut off, never rounded up over a limit."""

    def cut(value: Decimal) -> str:
        return number(value.quantize(Decimal("0.1"), ROUND_DOWN))

    if level.verdict == "low":
        return "low (no number)"
    if level.low is not None and level.low == level.high:
        return f"{cut(level.low)} pg/mL"
    if level.rule == "B12-07" and level.high is not None:
        return f"<{cut(level.high)} pg/mL"
    if level.rule == "B12-08" and level.low is not None:
        return f">{cut(level.low)} pg/mL"
    if level.low is not None and level.high is not None:
        return f"{cut(level.low)}–{cut(level.high)} pg/mL"
    return level.written


def shown_unit(written: str) -> str:
    """A value as sent, its unit as people write it."""
    return (
        written.replace("umol/L", "µmol/L")
        .replace("10*9/L", "×10⁹/L")
        .replace("10*3/uL", "×10³/µL")
    )


def shown_metabolites(a: Assessment, g: Guideline) -> str:
    """The raised metabolites by name."""
    return shown_labs(a.status.high_metabolites, g)


def shown_labs(labs: Sequence[Lab], g: Guideline) -> str:
    """Laboratory values by name."""
    return ", ".join(f"{g.file.names.labs[one.name]} {shown_unit(one.written)}" for one in labs)


def headline_level(facts: Facts, a: Assessment, g: Guideline) -> str:
    """The result a card rests on, as its summary says it."""
    level, status = a.status.level, a.status
    if level is None:
        if facts.deficiency and "diagnosis_only" in status.flags:
            return "B12 deficiency on the problem list, no current level"
        return "No current B12 level"
    shown = f"B12 {shown_level(level)} ({level.when.last})"
    if status.name == "deficient (functional)":
        return f"{shown} but {shown_metabolites(a, g)} high"
    others = _disagreeing(facts, level)
    if "discordant" in status.flags and others:
        return f"B12 results disagree ({shown_level(level)}, {shown_level(others[0])})"
    return shown


def _disagreeing(facts: Facts, level: Level) -> list[Level]:
    return [one for one in facts.levels[1:] if one.verdict != level.verdict]


def card_values(
    facts: Facts, a: Assessment, choices: Sequence[Choice], g: Guideline
) -> dict[str, object]:
    """What summaries and advice may name."""
    level = a.status.level
    causes = named(a.causes)
    since = a.untreated_since
    potassium = recent(facts, "potassium", g.limits.labs_recent)
    low = potassium_low(facts, g)
    product = injection_product(facts, g)
    routes = g.file.routes
    subcutaneous = any(
        isinstance(plan, PlannedDrug) and plan.route == routes.subcutaneous
        for choice in choices
        for plan in choice.plans
    )
    return {
        "level": headline_level(facts, a, g),
        "value": f"B12 {shown_level(level)}" if level else "no current level",
        "untreated": f", untreated for {(facts.on - since).days} days" if since else "",
        "potassium": f"; potassium {potassium.written} low" if low and potassium else "",
        "verdict": "functionally deficient"
        if a.status.name == "deficient (functional)"
        else "deficient",
        "signs": named(facts.neurological) or "none recorded",
        "cause": causes or "not documented",
        "suggestive": shown_unit(", ".join(_plain_case(one) for one in a.signs.suggestive)),
        "screening": ", ".join(facts.screening),
        "worded": ", ".join(one.name for one in facts.worded.neurological),
        "named": ", ".join(facts.therapy.looks_like_b12),
        "severity": a.severity or "",
        "because": a.severity_because,
        "lasting": named(facts.malabsorption_permanent),
        "inborn": named(facts.inborn),
        "injection": product.substance,
        "route": "deep subcutaneous" if subcutaneous else "intramuscular",
        "leber": named(facts.leber),
        "reactions": ", ".join(facts.reactions),
        "deficient": number(g.limits.b12_deficient.value),
        "adequate": number(g.limits.b12_adequate.value),
    }


def finding_notes(facts: Facts, a: Assessment, g: Guideline) -> list[Note]:
    """What was found, on which result and date, and what qualifies it."""
    return [
        *_level_notes(facts, a, g),
        *_metabolite_notes(a, g),
        *_severity_notes(facts, a, g),
        *_problem_notes(facts, a, g),
        _cause_note(facts, a, g),
    ]


def _level_notes(facts: Facts, a: Assessment, g: Guideline) -> Iterator[Note]:
    texts, status, limits = g.file.texts, a.status, g.limits
    level = status.level
    if level is None:
        if "diagnosis_only" in status.flags:
            names = named((*facts.deficiency, *facts.deficiency_nonspecific))
            yield Note("finding", texts.diagnosis_only, {"names": names})
        return
    values = {
        "value": shown_level(level),
        "written": level.written,
        "date": level.when.last,
        "source": level.source or "result",
        "status": status.name,
        "deficient": number(limits.b12_deficient.value),
        "adequate": number(limits.b12_adequate.value),
    }
    by_rule = {
        "B12-07": texts.level_below,
        "B12-08": texts.level_above,
        "B12-09": texts.level_low_flag,
        "B12-10": texts.level_range,
    }
    usual = texts.level_converted if level.converted else texts.level
    yield Note("finding", by_rule.get(level.rule, usual), values)
    for flag, text in (
        (level.tie, texts.tie),
        (level.mismatch, texts.unit_mismatch),
        (level.below_reference, texts.below_laboratory_range),
        ("newer_unusable" in status.flags, texts.newer_unusable),
    ):
        if flag:
            yield Note("finding", text)
    if "discordant" in status.flags:
        others = ", ".join(
            f"{shown_level(one)} on {one.when.last}" for one in _disagreeing(facts, level)
        )
        yield Note("finding", texts.discordant, {"others": others})


def _metabolite_notes(a: Assessment, g: Guideline) -> Iterator[Note]:
    texts, status = g.file.texts, a.status
    if status.metabolites == "none":
        return
    high = status.high_metabolites
    values = shown_metabolites(a, g) + " high" if high else "within range"
    yield Note("finding", texts.metabolites, {"values": values})
    if any(one.name == "homocysteine" for one in high):
        yield Note("finding", texts.homocysteine_unspecific)


def _severity_notes(facts: Facts, a: Assessment, g: Guideline) -> Iterator[Note]:
    if a.severity is None:
        return
    if facts.worded.neurological and a.severity != "severe":
        return  # not known while words may be a neurological sign
    because = a.severity_because or "no sign of a worse grade"
    yield Note("finding", g.file.texts.severity, {"severity": a.severity, "because": because})
    if a.severity == "mild" and a.unavailable:
        names = ", ".join(g.file.names.labs[name] for name in a.unavailable)
        yield Note("finding", g.file.texts.mild_unknown, {"names": names})


def _problem_notes(facts: Facts, a: Assessment, g: Guideline) -> Iterator[Note]:
    fall = facts.growth_fall
    if fall is not None:
        values = {
            "before": fall.before.written,
            "before_date": fall.before.on,
            "now": fall.now.written,
            "now_date": fall.now.on,
        }
        yield Note("finding", g.file.texts.growth_fall, values)
    signs = (
        *facts.neurological,
        *facts.failure_to_thrive,
        *facts.megaloblastic,
        *facts.anemia,
        *facts.suggestive,
        *facts.weak_signs,
        *facts.feeding_trouble,
    )
    if signs and a.severity != "severe":
        yield Note("finding", g.file.texts.problems, {"names": named(signs)})
    if facts.malabsorption_possible:
        names = named(facts.malabsorption_possible)
        yield Note("finding", g.file.texts.possible_malabsorption, {"names": names})


def _cause_note(facts: Facts, a: Assessment, g: Guideline) -> Note:
    texts = g.file.texts
    if formula_explains_nothing(facts, a):
        young = g.limits.formula_age.holds(facts.age.youngest)
        return Note("finding", texts.formula_fed_young if young else texts.formula_fed)
    if a.cause == "unknown":
        return Note("finding", texts.cause_unknown)
    if a.cause == "nutritional possible":
        return Note("finding", texts.cause_possible)
    return Note("finding", texts.cause, {"cause": a.cause, "names": named(a.causes)})


def formula_explains_nothing(facts: Facts, a: Assessment) -> bool:
    """An infant on formula has a low level and no known cause: its diet is not a likely one."""
    infant = facts.age.band in ("infant", "either")
    return infant and facts.formula_fed and a.cause == "unknown" and a.status.concerned


def test_notes(tests: Sequence[PlannedTest], already: Sequence[str], g: Guideline) -> list[Note]:
    texts = g.file.texts
    notes = []
    if tests:
        by_date: dict[date, list[str]] = {}
        for test in sorted(tests, key=lambda one: one.due):
            by_date.setdefault(test.due, []).append(test.name)
        listed = "; ".join(f"{due}: {', '.join(names)}" for due, names in by_date.items())
        notes.append(Note("follow_up", texts.tests_ordered, {"tests": listed}))
    if already:
        notes.append(Note("follow_up", texts.tests_already, {"tests": ", ".join(already)}))
    return notes
