"""A newcomer's row: written into a table with its words, and seen everywhere without more.

The row is added in memory to what `status.py` and `status.toml` say; nothing else is touched.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from cds_service.app import create_app
from cds_service.consultation import Service, load_services
from cds_service.fhir.gather import prefetch_template
from cds_service.guidelines import b12_under_two as b12
from cds_service.guidelines.b12_under_two import loading, tables
from cds_service.guidelines.b12_under_two.describe import describe
from cds_service.guidelines.b12_under_two.limits import Limits
from cds_service.guidelines.b12_under_two.tables.status import StatusFacts, StatusName
from cds_service.guidelines.tables import (
    Row,
    RowWords,
    Table,
    TableWords,
    all_of,
    first_match,
    is_one_of,
    meets,
    none,
)
from cds_service.settings import Settings

STORY = Path(__file__).parents[2] / "fhir_samples/b12_under_two/vegan-mother-low-b12-six-months"
ON = date(2026, 3, 15)  # three days after the sample

# What the newcomer writes: a row, its words, its cases.

RULE, BEFORE = "STAT-02a", "STAT-02"
WORDS = RowWords(
    "The deficient sample was drawn within two weeks.", "Deficient, and fresh.", "policy: a test"
)
CASES = [
    ({"days": 13}, RULE),
    ({"days": 14}, RULE),
    ({"days": 15}, BEFORE),
    ({"days": 14, "treated_since": True}, BEFORE),
]


def row_of(limits: Limits) -> Row[StatusName]:
    f = StatusFacts
    fresh = meets(f.days, limits.discordance_window)
    deficient = is_one_of(f.verdict, "deficient")
    return Row(RULE, all_of(fresh, deficient, none(f.treated_since)), "deficient")


# --- and where it is seen -----------------------------------------------------------------------


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Service, ...]]:
    """The guideline as it is loaded with the row in its table and the words in their file."""
    said, status_table = tables.words(), tables.status_table

    def with_the_words() -> dict[str, TableWords]:
        rows: dict[str, RowWords] = {}
        for rule, row in said["status"].rows.items():
            rows |= {RULE: WORDS, rule: row} if rule == BEFORE else {rule: row}
        return {**said, "status": structs.replace(said["status"], rows=rows)}

    def with_the_row(limits: Limits, words: TableWords) -> Table[StatusFacts, StatusName]:
        before = status_table(limits, said["status"])
        rows: list[Row[StatusName]] = []
        for row in before.rows:
            rows += [row_of(limits), row] if row.rule == BEFORE else [row]
        return Table.of(before.name, StatusFacts, rows, words, first=before.first)

    monkeypatch.setattr(tables, "words", with_the_words)
    monkeypatch.setattr(tables, "status_table", with_the_row)
    loading.load_shipped.cache_clear()
    yield load_services()
    loading.load_shipped.cache_clear()


@pytest.fixture
def told(services: tuple[Service, ...]) -> dict[str, Any]:
    """What the workbench answers about the sample story."""
    app = create_app(Settings(demo=True, as_of=ON), services).test_client()
    path = f"/workbench/explain/{services[0].id}"
    answer = app.post(path, data=(STORY / "request.json").read_bytes())
    assert answer.status_code == 200
    found: dict[str, Any] = json.loads(answer.data)
    return found


@pytest.mark.usefixtures("services")
@pytest.mark.parametrize(("facts", "rule"), CASES)
def test_its_cases_come_out_as_written(facts: dict[str, Any], rule: str) -> None:
    asked = StatusFacts(verdict="deficient", **facts)
    assert first_match(b12.load().tables.status, asked).rule == rule


def test_it_is_in_the_account_with_what_was_seen(told: dict[str, Any]) -> None:
    (table,) = [one for one in told["tables"] if one["name"] == "status"]
    assert [row["rule"] for row in table["rows"]][:3] == ["STAT-01", RULE, BEFORE]
    row, after = table["rows"][1:3]
    seen = row.pop("seen")
    assert [(one["fact"], one["value"]) for one in seen] == [
        ("days since the sample", "3"), ("level", "deficient"),
        ("treated since that result", "no"),
    ]  # fmt: skip
    assert row == {
        "rule": RULE,
        "state": "fired",
        "condition": WORDS.condition,
        "result": WORDS.result,
        "authority": WORDS.source,
        "why": [
            "days since the sample: 3 (at most 14 d); level: deficient;"
            " treated since that result: no"
        ],
    }
    assert (after["state"], after["why"]) == ("not reached", [f"{RULE} answered"])


def test_it_is_on_the_page_with_its_logic(services: tuple[Service, ...]) -> None:
    page = describe(b12.load(), prefetch_template, services[0].language)
    (line,) = [one for one in page.splitlines() if f"</a>{RULE} |" in one]
    assert WORDS.condition in line
    assert (
        "*days since the sample* at most [14 d](#limit-discordance-window) **and**"
        " *level*: deficient **and** *treated since that result*: no"
    ) in line
    assert line.endswith("| *policy*: a test |")
    assert page.index("</a>STAT-01 |") < page.index(f"</a>{RULE} |") < page.index("</a>STAT-02 |")


def test_it_is_in_the_workbench_and_decides_the_answer(told: dict[str, Any]) -> None:
    (account,) = told["response"]["extension"].values()
    assert RULE in account["ruleIds"]
    assert BEFORE not in account["ruleIds"]
    assert "142 pg/mL" in told["response"]["cards"][0]["summary"]
