"""How a conclusion was reached, in plain text: the facts first, then every rule of every table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from textwrap import fill

from cds_service.clinical import Moment, Record
from cds_service.guidelines.b12_under_two import Evaluation, words
from cds_service.guidelines.b12_under_two.data import Guideline
from cds_service.guidelines.b12_under_two.facts import Facts, Finding
from cds_service.guidelines.b12_under_two.results import Level
from cds_service.guidelines.engine import Step

_WIDTH = 100

#: Tables whose first row that fits is the answer, the rows after it not being looked at, with the
#: rows they ask for besides, whatever the answer. In the other tables every row stands for itself.
_FIRST_MATCH: Mapping[str, frozenset[str]] = {
    "age": frozenset(),
    "weight": frozenset({"WT-01", "WT-02", "WT-03"}),
    "b12_result": frozenset({"B12-05", "B12-06", "B12-12"}),
    "status": frozenset(),
    "severity": frozenset(),
    "route": frozenset(),
    "mother": frozenset(),
}

#: Why a row of a table that was looked at was not asked.
_NOT_ASKED = {
    "b12_result": "nothing of the kind on record",
    "dose": "not offered here",
    "duplication": "nothing on record to compare with",
    "order": "the orders being written give no reason to",
    "follow_up": "another row had answered the same question",
    "safety": "nothing is suggested to which it applies",
}


def explain(evaluation: Evaluation, record: Record, g: Guideline) -> str:
    """What was known, and every rule of the guideline: fired, not, or not asked, and why."""
    return "\n\n".join([*_facts(evaluation, record, g), *_tables(evaluation, g)])


# --- facts --------------------------------------------------------------------------------------


def _facts(evaluation: Evaluation, record: Record, g: Guideline) -> Iterator[str]:
    facts = evaluation.facts
    lines = [
        ("Age", _age(facts)),
        ("Weight", _weight(facts)),
        *(("Vitamin B12", text) for text in _levels(evaluation, record)),
        *(("Other results", text) for text in _labs(facts, g)),
        ("Feeding", _feeding(facts)),
        *(("Problems", text) for text in _problems(facts)),
        ("Treatment", _treatment(facts)),
    ]
    assessment = evaluation.assessment
    if assessment is not None:
        status = assessment.status
        lines.append(("Status", f"{status.name} ({status.rule})"))
        cause = words.named(assessment.causes)
        lines.append(("Cause", f"{assessment.cause}{f' ({cause})' if cause else ''}"))
        severity = "not graded, not deficient"
        if assessment.severity is not None:
            because = assessment.severity_because or "no sign of a worse grade"
            severity = f"{assessment.severity} ({assessment.severity_rule}: {because})"
        lines.append(("Severity", severity))
        if assessment.severity is not None and assessment.unavailable:
            unknown = ", ".join(g.file.names.labs[name] for name in assessment.unavailable)
            lines.append(("", f"no recent {unknown}"))
    lines += [("Not known", text) for text in _missing(record, g)]
    shown, before = ["What is known"], ""
    for name, text in lines:
        label = f"{name}:" if name and name != before else ""
        shown.append(_filled(f"  {label:<15}", text, 17))
        before = name
    yield "\n".join(shown)


def _age(facts: Facts) -> str:
    birth, age = facts.patient.birth, facts.age
    if facts.patient.deceased:
        return f"deceased ({age.rule})"
    if birth is None:
        return f"unknown, no readable date of birth ({age.rule})"
    born = f"born {_day(birth)}"
    if birth.first > facts.on:
        return f"{born}, after the date of evaluation {facts.on} ({age.rule})"
    months = f"{age.youngest}" if age.youngest == age.oldest else f"{age.youngest} to {age.oldest}"
    if not age.covered and age.oldest == 0:
        return f"{born}: outside the guideline's range ({age.rule})"
    days = f", {(facts.on - birth.first).days} days" if age.oldest < 2 else ""
    group = {"either": "infant or toddler", None: "outside the guideline's range"}.get(
        age.band, age.band
    )
    newborn = ", newborn" if age.neonate else ", under one month" if age.under_one_month else ""
    return f"{months} completed months{days} ({born}): {group}{newborn} ({age.rule})"


def _weight(facts: Facts) -> str:
    weight = facts.weight
    rejected = f"; not used: {', '.join(weight.rejected)}" if weight.rejected else ""
    if weight.kg is not None:
        kg = f"{words.number(round(weight.kg, 3))} kg"
        sent = "" if weight.written == kg else f" (sent as {weight.written})"
        how = ", stated or estimated" if weight.estimated else ""
        return f"{kg}{sent} on {weight.on}{how}, {weight.source}{rejected}"
    if weight.on is not None:
        return f"the last one, of {weight.on}, is too old to dose by, {weight.source}{rejected}"
    return f"none that can be used{rejected}"


def _levels(evaluation: Evaluation, record: Record) -> Iterator[str]:
    facts = evaluation.facts
    assessment = evaluation.assessment
    counted = assessment.status.level if assessment is not None else None
    for level in facts.levels:
        counts = ", the result that counts" if level is counted else ""
        yield f"{_level(level)}{counts}"
    if facts.preliminary is not None:
        yield f"{_level(facts.preliminary)}, preliminary: decides nothing"
    for written in facts.unusable:
        yield f"{written}: cannot be used"
    for name in facts.not_b12:
        yield f"{name}: another test"
    if not (facts.levels or facts.preliminary or facts.unusable or facts.not_b12):
        yield "not available" if "b12" in record.missing else "no result on record"


def _level(level: Level) -> str:
    value = words.shown_level(level)
    sent = f" (sent as {level.written})" if level.written != value else ""
    return f"{value}{sent} on {_day(level.when)}, {level.source}: {level.verdict}"


def _labs(facts: Facts, g: Guideline) -> Iterator[str]:
    for name, labs in facts.labs.items():
        if labs:
            newest = labs[0]
            flag = " high" if newest.high else " low" if newest.low else ""
            shown = g.file.names.labs.get(name, name)
            yield f"{shown} {newest.written}{flag} on {_day(newest.when)}, {newest.source}"


def _feeding(facts: Facts) -> str:
    fed = {True: "breast-fed", False: "not breast-fed", None: "not documented"}[facts.breast_fed]
    diets = (("the mother's diet", facts.maternal_diet), ("the child's diet", facts.child_diet))
    return ", ".join([fed, *(f"{whose}: {diet}" for whose, diet in diets if diet)])


def _problems(facts: Facts) -> Iterator[str]:
    groups: Sequence[tuple[str, Iterable[Finding]]] = (
        ("neurological", facts.neurological),
        ("movements since treatment began", facts.paradoxical),
        ("failure to thrive", facts.failure_to_thrive),
        ("anaemia", (*facts.anemia, *facts.megaloblastic, *facts.pancytopenia)),
        ("malabsorption", facts.malabsorption),
        ("malabsorption possible, decides nothing", facts.malabsorption_possible),
        ("inborn error", facts.inborn),
        ("diet", facts.dietary),
        ("B12 deficiency", (*facts.deficiency, *facts.deficiency_nonspecific)),
        ("bleeding", (*facts.bleeding, *facts.thrombocytopenia)),
        ("optic nerve", facts.leber),
        ("kidneys", facts.renal),
        ("preterm", facts.preterm),
    )
    silent = True
    for name, findings in groups:
        seen = dict.fromkeys(_finding(one) for one in findings)
        if seen:
            silent = False
            yield f"{name}: {', '.join(seen)}"
    if facts.reactions:
        silent = False
        yield f"reaction to cobalamin: {', '.join(facts.reactions)}"
    if facts.uncoded_problems:
        yield f"{facts.uncoded_problems} without a code, not evaluated"
    if facts.unverified:
        yield f"code not verified, not evaluated: {', '.join(facts.unverified)}"
    if silent:
        yield "none that the guideline looks at"


def _finding(finding: Finding) -> str:
    since = f" since {_day(finding.onset)}" if finding.onset is not None else ""
    possible = "possible " if finding.possible else ""
    severe = ", recorded as severe" if finding.severe else ""
    source = f" ({finding.source})" if finding.source else ""
    return f"{possible}{finding.name}{since}{severe}{source}"


def _treatment(facts: Facts) -> str:
    therapy = facts.therapy
    if not therapy.current:
        earlier = f"; earlier treatment, last on {therapy.earlier}" if therapy.earlier else ""
        names = ", ".join(therapy.looks_like_b12)
        looks = f"; named like vitamin B12 but not counted: {names}" if names else ""
        return f"no vitamin B12 in force{earlier}{looks}"
    named = (one.text or (one.codes[0].display if one.codes else "") for one in therapy.active)
    orders = ", ".join(dict.fromkeys(name for name in named if name)) or "doses given"
    since = f"since {therapy.start}" if therapy.start else "start not dated"
    day = f", day {(facts.on - therapy.start).days}" if therapy.start else ""
    hold = ", on hold" if therapy.on_hold else ""
    return f"{orders} {since}{day}, route {therapy.route}{hold}"


def _missing(record: Record, g: Guideline) -> Iterator[str]:
    names = {need.key: need.name for need in g.needs}
    for key, why in record.missing.items():
        yield f"{names.get(key, key)}: {why}"
    for key in sorted(record.incomplete):
        yield f"{names.get(key, key)}: possibly incomplete"
    for key, count in record.unreadable.items():
        yield f"{names.get(key, key)}: {count} could not be read"
    if record.foreign:
        yield f"{record.foreign} records of other patients were left out"


def _day(moment: Moment) -> str:
    if moment.first == moment.last:
        return str(moment.first)
    return f"between {moment.first} and {moment.last}"


# --- rules --------------------------------------------------------------------------------------


def _tables(evaluation: Evaluation, g: Guideline) -> Iterator[str]:
    asked: dict[str, list[Step]] = {}
    for step in evaluation.reasoning:
        asked.setdefault(step.rule, []).append(step)
    tables: dict[str, list[str]] = {}
    for rule, row in g.file.rules.items():
        tables.setdefault(row.table, []).append(rule)
    for table, rules in tables.items():
        first_match = table in _FIRST_MATCH
        besides = _FIRST_MATCH.get(table, frozenset())
        how = ": the first row that fits answers" if first_match else ""
        lines = [f"Table {table.replace('_', ' ')}{how}"]
        if any(rule in asked for rule in rules):
            for rule in rules:
                lines += _row(rule, asked[rule], g) if rule in asked else ()
            silent = [rule for rule in rules if rule not in asked]
            answered = [rule for rule in rules if rule not in besides and _fired(asked.get(rule))]
            if first_match and answered:
                unreached = [rule for rule in silent if rule not in besides]
                lines += _skipped("not reached", unreached, f"{' and '.join(answered)} answered")
                silent = [rule for rule in silent if rule in besides]
            why = _NOT_ASKED.get(table, "nothing here calls for it")
            lines += _skipped("not asked", silent, why)
        else:
            lines += _skipped("not asked", rules, _why_no_table(table, evaluation))
        yield "\n".join(lines)


def _fired(steps: Sequence[Step] | None) -> bool:
    return any(step.fired for step in steps or ())


def _skipped(how: str, rules: Sequence[str], why: str) -> Iterator[str]:
    if rules:
        yield _filled(f"  {how}: ", f"{', '.join(rules)} ({why})", 4)


def _row(rule: str, steps: Sequence[Step], g: Guideline) -> Iterator[str]:
    row = g.file.rules[rule]
    fired = _fired(steps)
    seen = dict.fromkeys(_because(step) for step in steps if step.fired == fired)
    reasons = [text for text in seen if text]
    if not fired:
        because = f" ({'; '.join(reasons)})" if reasons else ""
        yield _filled(f"  no     {rule:<9}", f"{row.condition.removesuffix('.')}{because}", 18)
        return
    yield _filled(f"  FIRED  {rule:<9}", row.condition, 18)
    for text in reasons:
        yield _filled(" " * 18 + "seen: ", text, 24)
    yield _filled(" " * 18 + "so:   ", row.result, 24)


def _filled(first: str, text: str, indent: int) -> str:
    return fill(
        text, _WIDTH, initial_indent=first, subsequent_indent=" " * indent, break_on_hyphens=False
    )


def _because(step: Step) -> str:
    """As `Step.reason`, with yes and no for true and false; "" where nothing was seen."""
    if not (step.fired or step.values):
        return ""  # a fixed text says why the rule fires, so it is wrong of one that did not
    said = {True: "yes", False: "no"}
    return step.because.format(
        *(
            said[value] if isinstance(value, bool) else "unknown" if value is None else value
            for value in step.values
        )
    )


def _why_no_table(table: str, evaluation: Evaluation) -> str:
    facts, assessment = evaluation.facts, evaluation.assessment
    if table == "b12_result":
        return "no vitamin B12 result on record"
    if assessment is None:
        return f"{facts.age.rule} ended the evaluation"
    if table == "order":
        return "no order is being checked"
    if table == "severity":
        return f"not deficient: the status is {assessment.status.name}"
    if table == "follow_up":
        return "no treatment on record"
    fired = evaluation.reasoning.fired()
    if "IN-03" in fired:
        return "IN-03 ended the evaluation"
    return "nothing is suggested to which it applies"
