"""The guideline as FHIR artefacts with CQL: everything named is there, nothing is to be guessed.

That the CQL answers as the rows do is asked of two engines in `tests/servers/test_engines.py`.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from builders import G
from click.testing import CliRunner
from each import each
from fhir.resources.R4B import get_fhir_model_class
from test_table_cases import TABLES

from cds_service.__main__ import main
from cds_service.guidelines.b12_under_two.front import Front
from cds_service.guidelines.b12_under_two.growth import extreme_curves
from cds_service.guidelines.b12_under_two.prescribing import age_based_amount
from cds_service.guidelines.codelists import compared
from cds_service.guidelines.tables import kinds

Json = dict[str, Any]
BASE = f"https://b12-cds-service.github.io/{G.wording.about.id}"


@cache
def exported() -> dict[str, bytes]:
    with TemporaryDirectory() as folder:
        return written(Path(folder) / "out")


def written(folder: Path) -> dict[str, bytes]:
    done = CliRunner().invoke(main, ["export", "--form", "cpg", "--to", str(folder)])
    assert done.exit_code == 0, done.output
    inside = folder / G.wording.about.id
    files = [one for one in inside.rglob("*") if one.is_file()]
    return {one.relative_to(inside).as_posix(): one.read_bytes() for one in files}


def resources() -> list[Json]:
    return [json.loads(content) for name, content in exported().items() if name.endswith(".json")]


def of_kind(kind: str) -> list[Json]:
    return [one for one in resources() if one["resourceType"] == kind]


def inside(value: Any) -> Iterator[Json]:
    """Every object in a resource."""
    if isinstance(value, dict):
        yield value
    for one in (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    ):
        yield from inside(one)


def source(part: str) -> str:
    return exported()[f"cql/B12UnderTwo{part}.cql"].decode()


def test_the_bytes_are_the_same_every_time(tmp_path: Path) -> None:
    assert written(tmp_path / "again") == exported()


def test_every_resource_is_one_of_r4_and_is_listed() -> None:
    for one in resources():
        model = get_fhir_model_class(one["resourceType"])
        assert model.model_validate_json(json.dumps(one)), one["id"]
        assert one["version"] == G.wording.about.edition
        assert one["status"] == "draft"
    (guide,) = of_kind("ImplementationGuide")
    listed = {one["reference"]["reference"] for one in guide["definition"]["resource"]}
    others = [one for one in resources() if one is not guide and one["id"] != guide["id"]]
    assert listed == {f"{one['resourceType']}/{one['id']}" for one in others}


def test_every_canonical_address_leads_to_a_resource_of_this_version() -> None:
    here = {f"{one['url']}|{one['version']}" for one in resources()}
    asked = {
        text
        for one in resources()
        for part in inside(one)
        for name, value in part.items()
        if name in ("definitionCanonical", "library", "resource")
        for text in (value if isinstance(value, list) else [value])
        if isinstance(text, str)
    }
    assert len(asked) == 11  # seven regimens and four libraries
    assert asked <= here


def test_every_expression_that_a_plan_asks_is_defined() -> None:
    defined = set(re.findall(r'^define "([^"]+)":', source("Logic"), flags=re.M))
    asked = {
        part["expression"]
        for kind in ("PlanDefinition", "ActivityDefinition")
        for one in of_kind(kind)
        for part in inside(one)
        if part.get("language") == "text/cql-identifier"
    }
    assert len(asked) > 200
    assert asked <= defined


def test_every_row_is_an_action_in_its_order_with_its_sources() -> None:
    plans = {one["id"]: one for one in of_kind("PlanDefinition")}
    assert set(plans) == {offer.hook for offer in G.file.offers}
    for hook, plan in plans.items():
        groups = {one["id"]: one for one in plan["action"] if "action" in one}
        for name, table in TABLES.items():
            if hook == "patient-view" and name.startswith("order_"):
                assert name.replace("_", "-") not in groups
                continue
            group = groups[name.replace("_", "-")]
            assert [one["prefix"] for one in group["action"]] == [row.id for row in table.rows]
            for action, row in zip(group["action"], table.rows, strict=True):
                said = table.words.rows[row.rule]
                assert (action["title"], action["description"]) == (said.condition, said.result)
                assert action["condition"][0]["expression"]["expression"] == f"{row.id} holds"
                assert action["documentation"]
            expected = (
                "any" if not table.first else "exactly-one" if table.complete else "at-most-one"
            )
            assert group["selectionBehavior"] == expected
    ids = [part["id"] for plan in plans.values() for part in inside(plan["action"]) if "id" in part]
    assert max(map(len, ids)) <= 64


def test_a_table_without_facts_has_an_action_of_its_own() -> None:
    for plan in of_kind("PlanDefinition"):
        asked = [one["condition"][0]["expression"]["expression"] for one in plan["action"]]
        for there, missing in zip(asked[::2], asked[1::2], strict=True):
            assert missing == there.removesuffix("asked") + "not asked"
    assert source("Logic").count("default null") == len(TABLES) + 1


def test_the_library_of_a_resource_is_the_one_that_is_shown() -> None:
    for one in of_kind("Library"):
        shown = exported()[f"cql/{one['name']}.cql"]
        assert base64.b64decode(one["content"][0]["data"]) == shown
        assert f"library {one['name']} version '{one['version']}'".encode() in shown


def test_no_unverified_code_is_in_a_set_that_decides() -> None:
    sets = {one["id"]: one for one in of_kind("ValueSet")}
    apart = {name for name in sets if name.endswith("-unverified")}
    for name, one in sets.items():
        listed = getattr(G.codes, name.removesuffix("-unverified").replace("-", "_"))
        codes = {
            (include["system"], concept["code"])
            for include in one["compose"]["include"]
            for concept in include.get("concept", ())
        }
        verified = name not in apart
        assert codes == {
            (row.system, row.code)
            for row in listed.codes
            if row.verified is verified and not row.code.endswith("*")
        }
    others = "".join(
        json.dumps(one) for one in resources() if one["resourceType"] == "PlanDefinition"
    )
    assert apart
    assert "unverified" not in others + source("Logic") + source("Tables")


def test_a_regimen_is_the_dose_of_the_guideline() -> None:
    drugs = {one["id"]: one for one in of_kind("ActivityDefinition") if "dosage" in one}
    assert len(drugs) == 7
    for name, one in drugs.items():
        dose = next(
            dose for dose in (getattr(G.file.doses, key) for key in G.file.doses.__struct_fields__)
            if name.startswith(dose.key.replace("_", "-"))
        )  # fmt: skip
        assert [line["sequence"] for line in one["dosage"]] == [
            number for number, _ in enumerate(dose.phases, 1)
        ]
        for line, phase in zip(one["dosage"], dose.phases, strict=True):
            amount = line["doseAndRate"][0]["doseQuantity"]
            assert amount.get("value") == (None if dose.per_kg else dose.amount)
            assert amount["code"] == "ug"
            assert line["timing"]["repeat"]["count"] == phase.count
            assert ("maxDosePerPeriod" in line) is not dose.per_kg
        assert ("dynamicValue" in one) is dose.per_kg
        oral = one["dosage"][0]["route"]["coding"][0]["code"] == G.file.routes.oral.code
        assert oral is (dose.rule in ("DOSE-A", "DOSE-B", "DOSE-C"))


def test_an_amount_by_weight_in_whole_numbers_is_the_amount_of_a_card() -> None:
    """The arithmetic of the CQL, for every gram; that the engines reckon so is asked of them."""
    found = re.search(r"\+ 0\.5\) \* (\d+) \+ (\d+)\) div (\d+)\) / (\d+)\.0\)", source("Logic"))
    assert found
    factor, half, whole, unit = map(int, found.groups())
    for grams in range(400, 20_001):
        exact = age_based_amount(Decimal(grams) / 1000, G.file.doses.infant_daily)
        assert Decimal((grams * factor + half) // whole) / unit == exact


def test_the_page_has_a_line_for_every_row() -> None:
    page = exported()["README.md"].decode()
    for name, table in TABLES.items():
        for row in table.rows:
            says = r"(exact|by a function)(; narrower: [^|]+)?"
            assert re.search(rf"^\| {re.escape(row.id)} \| {says} \| {name}: ", page, re.M)
    assert page.count("| by a function") == 3
    assert page.count("| from the chart |") == sum(len(TABLES[name].rows) for name in READ)
    of_each = sum(len(TABLES[name].rows) for name in READ_OF_EACH)
    assert page.count("| from the chart, of each |") == of_each


@each("row, says", [
    ("DUP-02", "exact; narrower: `draft_repeats` is always false"),
    ("SAF-07", "exact; narrower: `folic_acid_alone` is always none"),
    ("MON-07", "exact; narrower: `already` is always none"),  # asked of several, alike in all
    ("MON-01", "exact"),  # of which one thing differs from one to the other
    ("AGE-07", "exact"),
    ("ORD-06", "exact"),  # not read
])  # fmt: skip
def test_the_page_says_which_rows_are_narrower_of_a_chart(row: str, says: str) -> None:
    assert f"\n| {row} | {says} |" in exported()["README.md"].decode()


#: The tables whose facts are read of a chart, once or of each of several.
READ = (
    "age", "cause", "signs", "status", "severity", "urgency", "route", "weight", "safety",
    "duplication", "follow_up_signs", "follow_up_blood", "follow_up_overdue", "follow_up_response",
    "follow_up_baseline", "mother",
)  # fmt: skip
READ_OF_EACH = ("weight_found", "result", "dose", "monitoring", "follow_up_checks")


def test_facts_that_are_not_read_from_a_chart_are_null() -> None:
    """A table is asked when someone has written its facts, and not before; where they are read,
    each fact is, and of a chart that is plain."""
    facts = source("Facts")
    defined = re.findall(r'^define "(\w+) facts":\n  (null as )?', facts, flags=re.M)
    assert {name for name, null in defined if null} == set(TABLES) - {*READ, *READ_OF_EACH}
    assert {name for name, null in defined if not null} == {*READ} - {"age"}
    for name in READ:
        (written,) = re.findall(
            rf'^define "{name} facts":(.*?)(?=\n(?:define|//)|\Z)', facts, re.M | re.S
        )
        guard = "is followed up" if name.startswith("follow_up") else "is plain"
        assert (name == "age") or written.startswith(f'\n  if not "{guard}"')
        for other in re.findall(r'\n  else "([^"]+)"', written):  # as another definition has it
            written += re.split(rf'^define (?:function )?"{other}"', facts, flags=re.M)[1]
        assert all(f'    "{fact}": ' in written or f'  "{fact}":' in written
                   for fact in kinds(TABLES[name].facts))  # fmt: skip
    for name in READ_OF_EACH:
        guard = "is followed up" if name.startswith("follow_up") else "is plain"
        assert f'define "{name} facts each":\n  if not "{guard}" then null' in facts
    assert 'define "is followed up": ("is plain" and ' in facts


def test_the_curves_of_the_library_are_those_by_which_a_weight_is_judged() -> None:
    curves = dict(extreme_curves())
    for name, points in curves.items():
        (written,) = re.findall(
            rf'function "{name}"\(at Integer\):\n  case\n(.*?)\n    else', source("Data"), re.S
        )
        lines = written.splitlines()
        assert len(lines) == len(points)
        for line, (at, numbers) in zip(reversed(lines), enumerate(points), strict=True):
            known = ", ".join(f"{one}.0" if one == int(one) and "." not in str(one) else str(one)
                              for one in numbers)  # fmt: skip
            assert line == f"    when at >= {at} then {{ {known} }}"


@each("name", ["b12", "benzyl_alcohol", "nitrous_oxide"])
def test_no_name_that_the_service_knows_passes_as_another(name: str) -> None:
    """Squeezed, as the CQL does it, every name has one of those that are listed in it."""
    (listed,) = re.findall(rf'"may name {name}"\(.*?\{{(.*?)\}}', source("Data"), re.S)
    held = re.findall("'([^']*)'", listed)
    assert held
    for known in Front(G).lexicon.names[name]:
        squeezed = re.sub("[^a-z0-9]", "", f"Allergy: {known.upper()} 1 mg".lower())
        assert not known.isascii() or any(one in squeezed for one in held), known


def test_a_regimen_of_several_is_offered_by_an_expression_of_its_own() -> None:
    (plan,) = (one for one in of_kind("PlanDefinition") if one["id"].endswith("patient-view"))
    choices = [
        (inner["title"], inner["condition"][0]["expression"]["expression"])
        for group in plan["action"]
        for action in group.get("action", ())
        for inner in action.get("action", ())
    ]
    assert len(choices) == 4
    assert all(expression == f"{title} offered" for title, expression in choices)


def test_a_limit_and_a_constant_of_the_library_are_those_in_force() -> None:
    data = source("Data")
    for name, limit in Front(G).limits.items():
        sign = {"below": "<", "at_most": "<=", "at_least": ">=", "above": ">"}[limit.side]
        (value,) = re.findall(
            rf'function "{name}"\(number Decimal\):\n  number is not null and number {sign} (\S+)$',
            data, re.M,
        )  # fmt: skip
        assert Decimal(value) == limit.value
    assert 'define "b12_molar_mass": 1355.37' in data


def test_only_verified_codes_decide_in_the_library() -> None:
    """Each as it is compared: ICD-10 without its dot, a family by how it begins."""
    data = source("Data")
    for one in Front(G).code_lists:
        (written,) = re.findall(rf'function "is {one.name}"\(.*?(?=\n\n|\Z)', data, re.S)
        found = set(re.findall(r"'([^']*)'", written))
        verified = {row.system for row in one.codes if row.verified}
        verified |= {
            compared(row.system, row.code).removesuffix("*") for row in one.codes if row.verified
        }
        assert found == verified


@pytest.mark.parametrize("name", ["Logic", "Tables"])
def test_brackets_close_and_no_condition_can_be_null(name: str) -> None:
    for line in source(name).splitlines():
        code = re.sub(r"'(?:[^'\\]|\\.)*'", "", line.partition("//")[0])
        assert code.count("(") - code.count(")") in (-1, 0, 1), line
    for comparison in re.findall(r'facts\."(\w+)" (?:<|<=|>|>=|=|in) ', source("Tables")):
        assert f'facts."{comparison}" is not null' in source("Tables")
