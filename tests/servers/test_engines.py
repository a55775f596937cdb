"""The exported guideline in engines that others wrote: each decision as ours.

Every case of every decision table, and combinations of the values that its rows distinguish (below,
on and above each limit, every name, the unknown), `PER_TABLE` of each table.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from builders import G
from charts import charts
from click.testing import CliRunner
from expected_cards import FOLDER, STORIES
from fhir.resources.R4B import get_fhir_model_class
from msgspec import Raw
from played import Story, services
from sampling import chosen, sample_of
from started import Servers
from test_rows import sample, spread
from test_table_cases import CASES, TABLES

from cds_service.__main__ import main
from cds_service.clinical import PlannedDrug
from cds_service.consultation import Occasion, examine
from cds_service.consultation.cases import NO_SERVER, read_case
from cds_service.fhir.gather import Answer
from cds_service.fhir.reading import read_record
from cds_service.guidelines.b12_under_two.age import add_months, read_age
from cds_service.guidelines.b12_under_two.front import Front
from cds_service.guidelines.b12_under_two.prescribing import age_based_amount
from cds_service.guidelines.checks import entries
from cds_service.guidelines.dialects import results
from cds_service.guidelines.engine import Choice
from cds_service.guidelines.sheets import files_of
from cds_service.guidelines.tables import Reasoning, all_matches, first_match

pytestmark = pytest.mark.needs_environment("CDS_TEST_SERVERS")

Counted = Callable[[str, object], None]

PER_TABLE = 4


class Asked(NamedTuple):
    table: str
    facts: Any
    rows: list[str]
    #: What follows from the first of the rows, by name.
    results: dict[str, Any]


@cache
def asked() -> tuple[Asked, ...]:
    return tuple(_asked())


def _asked() -> Iterator[Asked]:
    cases = [(case.table, case.facts) for case in CASES]
    for name, table in TABLES.items():
        facts = list(spread(name))
        cases += [
            (name, table.facts(**dict(zip(facts, values, strict=True))))
            for values in sample(name, sample_of(PER_TABLE))
        ]
    for name, facts in cases:
        ask = first_match if TABLES[name].first else all_matches
        fired = ask(TABLES[name], facts).fired
        told = results(fired[0].then) if fired else {}
        plain = json.loads(msgspec.json.encode(told))
        yield Asked(name, facts, [row.id for row in fired], plain)


def as_lines(cases: Sequence[Asked]) -> str:
    """A line of JSON a case: its table and facts, a thing that is not plain by its name."""
    encoder = msgspec.json.Encoder(decimal_format="number", enc_hook=str)
    lines = [
        encoder.encode({"table": one.table, "facts": msgspec.structs.asdict(one.facts)})
        for one in cases
    ]
    return "".join(f"{line.decode()}\n" for line in lines)


def answers(command: Sequence[str], cases: Sequence[Asked]) -> list[dict[str, Any]]:
    ran = subprocess.run(
        command,
        input=as_lines(cases),
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        check=True,
    )
    return [json.loads(line) for line in ran.stdout.splitlines()]


def differences(answered: Sequence[dict[str, Any]], cases: Sequence[Asked]) -> list[str]:
    found = []
    for theirs, ours in zip(answered, cases, strict=True):
        told = {name: value for name, value in (theirs["results"] or {}).items() if name != "row"}
        expected = {**dict.fromkeys(told), **ours.results} if ours.rows else {}
        if (theirs["rows"], told) != (ours.rows, expected):
            found.append(f"{ours}: {theirs}")
    return found


def test_the_sheets_answer_in_a_reader_of_dmn_as_the_rows_do(
    servers: Servers, tmp_path: Path, record_property: Counted
) -> None:
    """dmn-moddle reads the files, and feelin their expressions."""
    _write(tmp_path)
    answered = answers(servers.node("sheets", str(tmp_path)), asked())
    assert differences(answered, asked()) == []
    record_property("counted", ("cases answered by the exported DMN as by the rows", len(asked())))


def test_a_number_that_is_off_by_one_in_a_sheet_is_found(servers: Servers, tmp_path: Path) -> None:
    """Else the test above would say little."""
    _write(tmp_path)
    file = tmp_path / "age.dmn"
    right = file.read_text(encoding="utf-8")
    wrong = right.replace("&gt;= 24", "&gt;= 25", 1)
    assert wrong != right
    file.write_text(wrong, encoding="utf-8")
    of_age = [one for one in asked() if one.table == "age"]
    assert differences(answers(servers.node("sheets", str(tmp_path)), of_age), of_age)


LOGIC = "B12UnderTwoLogic"
AMOUNT = "amount of infant_daily-cyanocobalamin-oral"


class Evaluated(NamedTuple):
    """Expressions of the exported library over parameters, and what each of them is here."""

    parameters: dict[str, Any]
    expected: dict[str, Any]


def evaluated() -> Iterator[Evaluated]:
    for one in asked():
        table = TABLES[one.table]
        row, *_ = [*one.rows, None]
        facts = {name: _as_cql(getattr(one.facts, name)) for name in one.facts.__struct_fields__}
        expected = {f"{row.id} holds": row.id in one.rows for row in table.rows}
        expected |= {f"{one.table} asked": True, f"{one.table} not asked": False}
        told = any(results(row.then) for row in table.rows)
        if _has_one_row(one.table):
            expected[f"{one.table} row"] = row
            if told:
                expected[f"{one.table} result"] = one.results or None
        else:
            expected[f"{one.table} rows"] = one.rows
        yield Evaluated({f"{one.table} facts": facts}, expected)
    for name, table in TABLES.items():  # without facts nothing is asked, and nothing holds
        if name == "age":  # read from the patient
            continue
        none = {f"{name} asked": False, f"{name} not asked": True}
        none |= {f"{row.id} holds": False for row in table.rows}
        answer = {f"{name} row": None} if _has_one_row(name) else {f"{name} rows": []}
        yield Evaluated({}, none | answer)
    dose = G.file.doses.infant_daily
    yield Evaluated({}, {AMOUNT: None})
    for grams in (400, 1_849, 1_850, 4_499, 4_500, 4_501, 5_500, 6_500, 9_999, 15_500, 20_000):
        kg = Decimal(grams) / 1000
        amount = float(age_based_amount(kg, dose))
        yield Evaluated({"kilograms": _as_cql(kg)}, {AMOUNT: amount})


def _has_one_row(name: str) -> bool:
    """Whether the exported logic answers with a row, or with a list of them."""
    return TABLES[name].first and name not in OF_EACH


def _as_cql(value: Any) -> Any:
    """A value as the engines are given it: a decimal by its digits, a list by its names."""
    if isinstance(value, Decimal):
        return {"decimal": f"{value:f}"}
    return [str(one) for one in value] if isinstance(value, tuple | frozenset) else value


def test_two_engines_of_cql_answer_as_the_rows_do(
    servers: Servers, tmp_path: Path, record_property: Counted
) -> None:
    """The reference translator and the Java engine, then the JavaScript engine on its ELM: each
    row of each table, what follows from it, and the amount by weight. None may differ."""
    folder = _with_cql(tmp_path)
    cases = list(evaluated())
    reached = {row for one in asked() for row in one.rows}
    assert reached == {row.id for table in TABLES.values() for row in table.rows}
    lines = "".join(
        json.dumps({"library": LOGIC, "expressions": [*expected], "parameters": parameters}) + "\n"
        for parameters, expected in cases
    )
    for engine, command in (
        ("Java", servers.cql("Cql", str(folder))),
        ("JavaScript", servers.node("cql", str(folder))),
    ):
        ran = subprocess.run(
            command, input=lines, stdout=subprocess.PIPE, text=True, encoding="utf-8", check=True
        )
        answered = [json.loads(line) for line in ran.stdout.splitlines()]
        different = [
            f"{engine}, {one.parameters}: {theirs}, not {one.expected}"
            for theirs, one in zip(answered, cases, strict=True)
            if theirs != one.expected
        ]
        assert different == []
        decisions = sum(len(one.expected) for one in cases)
        found = f"decisions of {len(cases)} cases by the {engine} engine, 0 unexplained differences"
        record_property("counted", (found, decisions))


def _with_cql(folder: Path) -> Path:
    """The exported libraries, in a folder."""
    _export(folder)
    (cql,) = folder.glob("cpg/*/cql")
    return cql


def _export(folder: Path) -> Path:
    done = CliRunner().invoke(main, ["export", "--form", "cpg", "--to", str(folder / "cpg")])
    assert done.exit_code == 0, done.output
    return folder / "cpg" / G.wording.about.id


# --- read from a chart ----------------------------------------------------------------------------

#: Leap days, ends of months of every length, and days on which nothing happens.
DAYS = [
    date(2026, 3, 15), date(2024, 2, 29), date(2025, 2, 28), date(2026, 3, 31), date(2026, 4, 30),
    date(2026, 3, 1), date(2026, 1, 1),
]  # fmt: skip
PATIENTS = 8


class Aged(NamedTuple):
    patient: dict[str, Any]
    today: date
    rule: str


def children() -> list[Aged]:
    """Children around each limit of the table AGE, with whole and partial dates of birth, dead or
    without one, and what the service says of them: a sample."""
    found = []
    for today in DAYS:
        births = {
            add_months(today, -months) + timedelta(days=days)
            for months in (0, 1, 11, 12, 13, 23, 24, 25)
            for days in (-2, -1, 0, 1, 2, 3)
        }
        written = {day.isoformat() for day in births}
        written |= {f"{day:%Y-%m}" for day in births} | {f"{day:%Y}" for day in births}
        found += [({"birthDate": one}, today) for one in sorted(written)]
        dead: list[dict[str, Any]] = [
            {"deceasedBoolean": True}, {"deceasedDateTime": "2025-12-24T10:00:00Z"},
            {"deceasedBoolean": False}, {},
        ]  # fmt: skip
        found += [({"birthDate": "2025-09-15", **one}, today) for one in dead]
        found += [(one, today) for one in dead]
    every = [_aged(number, patient, today) for number, (patient, today) in enumerate(found)]
    one_of_each = {one.rule: one for one in every}.values()
    taken = [*one_of_each, *chosen(every, PATIENTS, "children")]
    return list({one.patient["id"]: one for one in taken}.values())


def _aged(number: int, more: dict[str, Any], today: date) -> Aged:
    patient = {"resourceType": "Patient", "id": f"child-{number}", **more}
    need = next(one for one in G.needs if one.kind == "Patient")
    sent = Answer("present", (Raw(json.dumps(patient).encode()),))
    record = read_record({need.key: sent}, [need], patient["id"])
    return Aged(patient, today, read_age(record.patient, today, G, Reasoning()).rule)


def test_the_age_of_a_chart_is_that_of_the_service_in_two_engines(
    servers: Servers, tmp_path: Path, record_property: Counted
) -> None:
    """By `$apply` of cqf-fhir-cr, where every other table is not asked, and by cql-execution over
    the ELM that the Java translator makes."""
    folder, cases = _export(tmp_path), children()
    assert {one.rule for one in cases} == {f"AGE-{number:02}" for number in range(1, 11)}
    titles = {row.condition: rule for rule, row in TABLES["age"].words.rows.items()}
    others = [
        f"{one.name} not asked"
        for one in Front(G).decision_tables()
        if one.name != "age" and not one.of_orders
    ]
    whole = f"https://b12-cds-service.github.io/{folder.name}/PlanDefinition/patient-view"
    age_alone = _with_age_alone(folder)
    first = {one.patient["id"] for one in cases[:2]}  # a hundred conditions take their time
    lines = "".join(
        json.dumps(
            {
                "plan": whole if one.patient["id"] in first else age_alone,
                "patient": one.patient,
                "today": one.today.isoformat(),
            }
        )
        + "\n"
        for one in cases
    )
    applied = [json.loads(line) for line in _ran(servers.cql("Apply", str(folder)), lines)]
    for actions, one in zip(applied, cases, strict=True):
        assert [titles[title] for title in actions if title in titles] == [one.rule], one
        missing = others if one.patient["id"] in first else ["inputs not asked"]
        assert [title for title in actions if title not in titles] == missing, one
    record_property("counted", ("children whose plan cqf-fhir-cr applies", len(cases)))
    _ran(servers.cql("Cql", str(folder / "cql")), "")  # which leaves the ELM
    lines = "".join(
        json.dumps(
            {
                "library": LOGIC,
                "expressions": ["age row"],
                "parameters": {"today": {"date": one.today.isoformat()}},
                "chart": [one.patient],
            }
        )
        + "\n"
        for one in cases
    )
    told = [json.loads(line) for line in _ran(servers.node("cql", str(folder / "cql")), lines)]
    assert told == [{"age row": one.rule} for one in cases]
    record_property("counted", ("children whose age cql-execution reads as we do", len(cases)))


#: The tables that are read of a plain chart: asked once, asked of each of several, and those of
#: which the service asks the rows that it needs.
ONCE = (
    "cause", "signs", "status", "severity", "urgency", "route", "weight", "follow_up_signs",
    "follow_up_overdue", "follow_up_response", "follow_up_blood", "mother",
)  # fmt: skip
OF_EACH = ("weight_found", "result", "follow_up_checks")
AS_NEEDED = ("dose", "monitoring", "follow_up_baseline")
BY_ROW = ("safety", "duplication")
OF_CHARTS = (*ONCE, *OF_EACH, *AS_NEEDED, *BY_ROW)
#: Some 200 ms a chart in the Java engine, 4 s in the other.
BY_JAVA, BY_JAVASCRIPT = 28, 2


class Read(NamedTuple):
    """A chart, the day, and what the service finds of each table that it asks: the rows that hold,
    and the rows that it asked where it asks some alone."""

    chart: list[dict[str, Any]]
    today: date
    rows: dict[str, list[str]]
    asked: dict[str, set[str]]
    orders: list[dict[str, Any]]
    amount: float | None


def _read(chart: list[dict[str, Any]], today: date, content: bytes) -> Read:
    case = read_case(content, services())
    occasion = Occasion(today, as_of_is_set=True, no_server=NO_SERVER)
    evaluation = examine(case.service, case.asked, None, occasion).evaluation
    names = {TABLES[name].rows[0].id: name for name in OF_CHARTS}
    rows: dict[str, list[str]] = {name: [] for name in AS_NEEDED}
    asked: dict[str, set[str]] = {name: set() for name in BY_ROW}
    for match in evaluation.reasoning.matches:
        name = names.get(match.table.rows[0].id)
        if name in ONCE:
            rows[name] = []
        if name is not None:
            rows.setdefault(name, []).extend(row.id for row in match.fired)
        if name in BY_ROW:
            asked[name] |= set(match.asked)
    orders = [
        _ordered(choice, plan)
        for outcome in evaluation.outcomes
        for choice in getattr(outcome, "choices", ())
        for plan in choice.plans
        if isinstance(plan, PlannedDrug)
    ]
    kg = evaluation.facts.weight.kg
    amount = None if kg is None else float(age_based_amount(kg, G.file.doses.infant_daily))
    return Read(chart, today, rows, asked, orders, amount)


def _ordered(choice: Choice, drug: PlannedDrug) -> dict[str, Any]:
    """A drug as the exported activities are named."""
    dose = next(one for _, one in entries(G.file.doses) if one.rule == choice.rule)
    way = next(name for name, code in entries(G.file.routes) if code == drug.route)
    return {
        "activity": f"{dose.key}-{drug.substance}-{way}",
        "recommended": choice.recommended,
        "without_preservative": way != "oral" and not drug.codes,
    }


def of_stories() -> list[Read]:
    """The chart of every story in which one is opened, where it is of R4: the engines' models are,
    and one of them ends on what has the shape of another version."""
    return [
        _read(chart, story.on, content)
        for story in map(Story, STORIES)
        if story.request["hook"] == "patient-view"
        for content in [(FOLDER / story.name / "patient.json").read_bytes()]
        for chart in [_patient_first(json.loads(content))]
        if all(map(_is_r4, chart))
    ]


def _is_r4(resource: dict[str, Any]) -> bool:
    try:
        get_fhir_model_class(resource["resourceType"]).model_validate_json(json.dumps(resource))
    except ValueError:
        return False
    return True


def _patient_first(bundle: dict[str, Any]) -> list[dict[str, Any]]:
    every = [entry["resource"] for entry in bundle["entry"]]
    return sorted(every, key=lambda one: one["resourceType"] != "Patient")


def invented(count: int) -> list[Read]:
    found = []
    for chart, today in islice(charts(1, Front(G).code_lists), count):
        bundle = {
            "resourceType": "Bundle",
            "type": "collection",
            "entry": [{"resource": one} for one in chart],
        }
        content = msgspec.json.Encoder(decimal_format="number").encode(bundle)
        found.append(_read(chart, today, content))
    return found


def test_a_plain_chart_leads_to_the_rows_of_the_service_in_two_engines(
    servers: Servers, tmp_path: Path, record_property: Counted
) -> None:
    """From the results and problems of a chart to the route: the charts of the stories, and
    invented ones. What a chart has that is not read is named, and then no table is asked."""
    cql = _with_cql(tmp_path)
    stories = of_stories()
    for engine, share, command in (
        ("Java", BY_JAVA, servers.cql("Cql", str(cql))),
        ("JavaScript", BY_JAVASCRIPT, servers.node("cql", str(cql))),
    ):
        taken = [*chosen(stories, share, "stories"), *invented(sample_of(share))]
        told = [json.loads(line) for line in _ran(command, "".join(map(_as_line, taken)))]
        read = [one for one in zip(told, taken, strict=True) if not one[0]["not read"]]
        unread = [one for one, _ in zip(told, taken, strict=True) if one["not read"]]
        assert [found for theirs, ours in read for found in _differences(theirs, ours)] == []
        assert all(one[name] in (None, []) for one in unread for name in _ROWS.values())
        assert len(read) > len(unread) / 2
        decisions = sum(len(ours.rows) for _, ours in read)
        found = f"decisions of {len(read)} charts by the {engine} engine, 0 unexplained differences"
        record_property("counted", (found, decisions))


_ROWS = {name: f"{name} row" if _has_one_row(name) else f"{name} rows" for name in OF_CHARTS}


def _as_line(one: Read) -> str:
    asked = {
        "library": LOGIC,
        "expressions": ["not read", "orders", AMOUNT, *_ROWS.values()],
        "parameters": {"today": {"date": one.today.isoformat()}},
        "chart": one.chart,
    }
    return msgspec.json.Encoder(decimal_format="number").encode(asked).decode() + "\n"


def _differences(theirs: dict[str, Any], ours: Read) -> Iterator[str]:
    for name, rows in ours.rows.items():
        told = theirs[_ROWS[name]]
        found = told if isinstance(told, list) else [one for one in [told] if one]
        expected = rows
        if name in OF_EACH:
            found, expected = sorted(found), sorted(rows)
        if name in AS_NEEDED:
            found, expected = sorted(set(found)), sorted(set(rows))
        if name in BY_ROW:
            found = sorted(set(found) & ours.asked[name])
            expected = sorted(set(rows))
        if found != expected:
            yield f"{name}: {found}, not {expected}: {ours.chart}"
    if theirs["orders"] != ours.orders:
        yield f"orders: {theirs['orders']}, not {ours.orders}: {ours.chart}"
    if theirs[AMOUNT] != ours.amount:
        yield f"amount: {theirs[AMOUNT]}, not {ours.amount}: {ours.chart}"


def _with_age_alone(folder: Path) -> str:
    """The address of a plan that is the beginning of the one for charts, next to it."""
    plan = json.loads((folder / "PlanDefinition-patient-view.json").read_bytes())
    plan |= {"id": "age-alone", "url": f"{plan['url']}-age-alone", "action": plan["action"][:4]}
    (folder / "PlanDefinition-age-alone.json").write_text(json.dumps(plan), encoding="utf-8")
    return str(plan["url"])


def _ran(command: Sequence[str], lines: str) -> list[str]:
    ran = subprocess.run(
        command, input=lines, stdout=subprocess.PIPE, text=True, encoding="utf-8", check=True
    )
    return ran.stdout.splitlines()


def _write(folder: Path) -> None:
    for name, content in files_of(Front(G).decision_tables(), G.wording.about):
        (folder / name).write_text(content, encoding="utf-8")
