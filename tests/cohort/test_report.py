"""The page of a run and the comparison of two: what they count, hide and list."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from clinics import KEY, STORIES, ran, rows, written
from test_running import finished, needs_duckdb
from test_sources import lines, story

from cds_service.consultation.cohort import outcome
from cds_service.consultation.cohort.page import as_html
from cds_service.consultation.cohort.running import CohortError, service_of

Json = dict[str, Any]


def page(source: Path, out: Path, *, small_cells: bool = False, **changed: Any) -> str:
    done = ran(source, out, **changed)
    plain = done.job.plain
    return as_html(done, service_of(done.job), small_cells=small_cells, plain=plain)


def words(html: str) -> str:
    """What a reader reads, each text between two tags on a line."""
    body = html.partition("</style>")[2]
    return unescape(re.sub(r"\s*(?:<[^>]*>\s*)+", "\n", body))


def clinic(folder: Path, deficient: int) -> Path:
    """So many deficient children, and one older child."""
    told = lines(*(f"child-{number}" for number in range(deficient)))
    old = {"resourceType": "Patient", "id": "old", "birthDate": "2019-01-01"}
    written(folder / "all.ndjson", [*told, json.dumps(old)])
    return folder


@pytest.mark.parametrize(("count", "hidden"), [(1, True), (4, True), (5, False), (6, False)])
def test_a_group_of_fewer_than_five_is_hidden_unless_asked(
    tmp_path: Path, count: int, hidden: bool
) -> None:
    source = clinic(tmp_path / "in", count)
    told = words(page(source, tmp_path / "out", plain=False, key=KEY))
    title = "Deficient and not treated"
    assert f"{title}\n{'fewer than 5' if hidden else count}\n" in told
    assert f"{title}: {'fewer than 5' if hidden else count}\n" in told
    told = words(page(source, tmp_path / "shown", small_cells=True, plain=False, key=KEY))
    assert f"{title}\n{count}\n" in told


def test_a_rate_that_would_show_a_few_is_hidden(tmp_path: Path) -> None:
    """Also the few who are missing to all: of nine children two have no level."""
    told = [json.dumps(one) for number in range(9) for one in story(f"child-{number}")]
    without = [one for one in told if not re.search(r'"child-[12]-1"', one)]
    written(tmp_path / "in" / "all.ndjson", without)
    read = words(page(tmp_path / "in", tmp_path / "out", plain=False, key=KEY))
    title = "Children under two with a level on record"
    assert f"{title}\n–\n–\n9\n" in read
    shown = words(page(tmp_path / "in", tmp_path / "all", small_cells=True))
    assert f"{title}\n78 %\n7\n9\n" in shown


def test_children_are_listed_with_plain_ids_alone(tmp_path: Path) -> None:
    source = clinic(tmp_path / "in", 6)
    done = ran(source, tmp_path / "hidden", plain=False, key=KEY)
    html = as_html(done, service_of(done.job), small_cells=True, plain=False)
    assert "under their pseudonyms" in words(html)
    assert not any(child in html for child in [*rows(done), "child-0"])
    assert "child-0" in page(source, tmp_path / "plain")


def test_words_of_a_record_are_no_markup_on_the_page(tmp_path: Path) -> None:
    told = story("one")
    for one in told:
        if one["resourceType"] == "Observation":
            one["code"] = {"coding": [{"system": "urn:x<script>", "code": "<b>1</b>"}]}
    one = {"resourceType": "Pati<img>ent", "id": "x"}
    written(tmp_path / "in" / "a.ndjson", map(json.dumps, [*told, one]))
    html = page(tmp_path / "in", tmp_path / "out", small_cells=True)
    assert "<script" not in html
    assert "<img" not in html
    assert "<b>" not in html
    assert "urn:x&lt;script&gt;" in html


def test_the_page_loads_nothing_and_says_that_it_is_not_for_clinical_use(tmp_path: Path) -> None:
    html = page(STORIES, tmp_path / "out")
    assert "Not for clinical use." in words(html)
    assert not re.search(r"https?://|<script|src=|@import|url\(", html.partition("<body>")[0])
    assert not re.search(r"<(?:script|img|link|iframe)|\ssrc=", html)
    assert "default-src 'none'" in html


def test_what_the_data_lack_is_named(tmp_path: Path) -> None:
    told = story("one")
    for one in told:
        if one["resourceType"] == "Observation":
            one["code"] = {"coding": [{"system": "http://lab.example.org", "code": "VB12"}]}
    told += [{"resourceType": "Observation", "id": "x"}, {"resourceType": "Claim", "id": "y"}]
    written(tmp_path / "in" / "a.ndjson", [*map(json.dumps, told), "{"])
    read = words(page(tmp_path / "in", tmp_path / "out", small_cells=True, exported=frozenset()))
    assert "code system\nhttp://lab.example.org\nVB12\n1\n" in read
    assert "Observation: it names no patient\n1\n" in read
    assert "2 lines or files were not used" in read
    assert "\nmeds\n1\n" in read
    assert "Claim" in read
    assert "Without a weight that a dose may rest on: 1 of 1 children." in read


# --- two runs ------------------------------------------------------------------------------------


@needs_duckdb
def test_who_recovered_and_who_is_new(tmp_path: Path) -> None:
    """Of six deficient children one is treated in the second run, one has a normal level, one is
    gone, and one comes."""
    children = [f"child-{number}" for number in range(6)]
    first = [one for child in children for one in story(child)]
    written(tmp_path / "a" / "all.ndjson", map(json.dumps, first))
    second = [one for child in [*children[:5], "new"] for one in story(child)]
    for one in second:
        if one["id"] == "child-0-1":
            one["valueQuantity"]["value"] = 600
    drug = {"coding": [{"system": "http://snomed.info/sct", "code": "1217427007"}]}
    second.append(
        {
            "resourceType": "MedicationRequest", "id": "order", "status": "active",
            "intent": "order", "subject": {"reference": "Patient/child-1"},
            "authoredOn": "2026-05-20", "medicationCodeableConcept": drug,
        }
    )  # fmt: skip
    written(tmp_path / "b" / "all.ndjson", map(json.dumps, second))
    key = KEY.decode()
    for name in ("a", "b"):
        given = ("--as-of", "2026-06-01", "--exported", "MedicationRequest")
        code, told, said = finished(
            tmp_path / name,
            "--out",
            tmp_path / f"out {name}",
            *given,
            CDS_PSEUDONYM_KEY=key,
        )
        assert code == 0, (told, said)
    found = outcome.compare(tmp_path / "out a", tmp_path / "out b", ["untreated", "treated"])
    assert (found.both, found.only_before, found.only_after) == (5, 1, 1)
    assert found.groups == {"untreated": (3, 2, 0), "treated": (0, 0, 1)}
    # The child on treatment was not measured since: its status stays.
    assert [(one.before, one.children) for one in found.statuses] == [("deficient", 1)]
    hidden = outcome.without_small(found)
    assert (hidden.both, hidden.groups["untreated"]) == (5, (-1, -1, 0))
    code, told, _ = finished("compare", tmp_path / "out a", tmp_path / "out b")
    assert code == 0
    assert "5 children in both; fewer than 5 before only" in told
    code, told, _ = finished("compare", tmp_path / "out a", tmp_path / "out b", "--small-cells")
    assert "Deficient and not treated: 3 still, 2 no longer, 0 newly." in told


@needs_duckdb
def test_what_cannot_be_compared_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="holds no outcome"):
        outcome.compare(tmp_path, tmp_path, [])
    source = clinic(tmp_path / "in", 1)
    for number in (1, 2):
        code, _, told = finished(
            source, "--out", tmp_path / f"out{number}", CDS_PSEUDONYM_KEY=KEY.decode() + str(number)
        )
        assert code == 0, told
    with pytest.raises(CohortError, match="No child is in both"):
        outcome.compare(tmp_path / "out1", tmp_path / "out2", [])
