"""A run that is broken off and taken up again, what it reveals, and what it reports."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from clinics import KEY, ON, STORIES, answers, job, ran, record_of, rows, scattered, written
from infants import infants

from cds_service.consultation.cohort import outcome, running
from cds_service.consultation.cohort.judging import Figures, Row, most_urgent
from cds_service.consultation.cohort.running import CohortError

pytestmark = pytest.mark.sampled_file(4)

ROOT = Path(__file__).parents[2]
needs_duckdb = pytest.mark.needs_environment("CDS_TEST_COHORT")


def clinic(folder: Path, count: int) -> Path:
    records = {}
    for number, infant in enumerate(infants(count, seed=5)):
        records[f"child-{number}"] = record_of(infant, f"child-{number}")[1]
    scattered(folder, records)
    return folder


def command(*words: str | Path, **variables: str) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CDS_")}
    return subprocess.Popen(
        [sys.executable, "-m", "cds_service", "cohort", *map(str, words)],
        cwd=ROOT,
        env={**kept, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finished(*words: str | Path, **variables: str) -> tuple[int, str, str]:
    process = command(*words, **variables)
    out, told = process.communicate(timeout=550)
    return process.returncode, out, told


def bytes_of(done: running.Done) -> bytes:
    return b"".join(one.read_bytes() for one in (*done.cards, *done.rows))


class Broken(Exception):
    """In place of whatever ends a run."""


@pytest.mark.parametrize("step", ["split", "paired", "judged"])
def test_a_run_that_was_broken_off_in_any_step_ends_with_the_same_bytes(
    tmp_path: Path, step: str
) -> None:
    source = clinic(tmp_path / "in", 40)
    whole = bytes_of(ran(source, tmp_path / "whole"))

    def stop(reached: str, done: int, total: int, children: int) -> None:
        if reached == step and done * 2 > total:
            raise Broken

    with pytest.raises(Broken):
        running.run(job(source, tmp_path / "out"), stop)
    before = {one.name: one.stat().st_mtime_ns for one in (tmp_path / "out").rglob("cards-*")}
    done = running.run(job(source, tmp_path / "out"), lambda *_: None, resume=True)
    assert bytes_of(done) == whole
    after = {one.name: one.stat().st_mtime_ns for one in done.cards}
    assert before.items() <= after.items(), "what was done was done again"
    assert bool(before) is (step == "judged")


def test_the_bytes_of_a_child_hang_neither_on_workers_nor_on_memory(tmp_path: Path) -> None:
    source = clinic(tmp_path / "in", 40)
    one = ran(source, tmp_path / "one", key=KEY, plain=False)
    other = ran(source, tmp_path / "other", workers=3, memory=256, key=KEY, plain=False)
    assert len(other.cards) != len(one.cards)
    for files in ("cards", "rows"):
        of_one = b"".join(path.read_bytes() for path in getattr(one, files))
        assert of_one == b"".join(path.read_bytes() for path in getattr(other, files))
    assert one.figures == other.figures


def test_a_run_is_taken_up_with_the_same_source_and_settings_only(tmp_path: Path) -> None:
    source = clinic(tmp_path / "in", 3)
    ran(source, tmp_path / "out")
    with pytest.raises(CohortError, match="--resume, or remove"):
        ran(source, tmp_path / "out")
    for changed in ({"plain": False, "key": KEY}, {"one_action": True}, {"guideline": "no"}):
        with pytest.raises(CohortError, match="are others than those"):
            running.run(job(source, tmp_path / "out", **changed), lambda *_: None, resume=True)
    written(source / "more.ndjson", ['{"resourceType":"Patient","id":"more"}'])
    with pytest.raises(CohortError, match="are others than those"):
        running.run(job(source, tmp_path / "out"), lambda *_: None, resume=True)


def test_a_folder_that_holds_something_is_not_written_to(tmp_path: Path) -> None:
    source = clinic(tmp_path / "in", 1)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "letter.txt").write_text("mine")
    with pytest.raises(CohortError, match="is not empty"):
        ran(source, tmp_path / "out")
    assert [one.name for one in (tmp_path / "out").iterdir()] == ["letter.txt"]


def test_nothing_of_an_id_is_left_without_plain_ids(tmp_path: Path) -> None:
    """Also where the source's own words would say it: in names of codes, notes and references."""
    records = {}
    for number, infant in enumerate(infants(60, seed=11)):
        child = f"SECRET{number}"
        resources = record_of(infant, child)[1]
        for one in resources:
            if one["resourceType"] == "Patient":
                one["identifier"] = [{"system": "urn:mrn", "value": f"SECRET-MRN-{number}"}]
                one["name"] = [{"family": "SECRETname"}]
        records[child] = resources
    scattered(tmp_path / "in", records)
    done = ran(tmp_path / "in", tmp_path / "out", plain=False, key=KEY)
    text = bytes_of(done).decode()
    assert "SECRET" not in text
    assert "resource" not in {name for line in answers(done).values() for name in keys_in(line)}
    plain = ran(tmp_path / "in", tmp_path / "plain")
    assert "SECRET1" in rows(plain)
    named = {row["child"] for row in rows(done).values()}
    assert len(named) == len(records)
    again = ran(tmp_path / "in", tmp_path / "again", plain=False, key=KEY)
    assert {*rows(again)} == named
    other = ran(tmp_path / "in", tmp_path / "other", plain=False, key=KEY + b"!")
    assert not named & {*rows(other)}


def keys_in(value: Any) -> set[str]:
    if isinstance(value, dict):
        return {*value}.union(*map(keys_in, value.values()))
    return set().union(*map(keys_in, value)) if isinstance(value, list) else set()


def test_the_order_of_children_tells_nothing_without_the_key(tmp_path: Path) -> None:
    source = clinic(tmp_path / "in", 30)
    by_id = {}
    for name, key in (("one", KEY), ("other", KEY + b"!")):
        done = ran(source, tmp_path / name, key=key)
        by_id[name] = [*rows(done)]
    assert sorted(by_id["one"]) == sorted(by_id["other"])
    assert by_id["one"] != by_id["other"]


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (errno.ENOSPC, "The disk is full. .* --resume"),
        (errno.EDQUOT, "The disk is full"),
        (errno.EACCES, "somewhere: Permission denied"),
    ],
)
def test_what_the_system_refuses_is_told_in_a_sentence(number: int, told: str) -> None:
    with pytest.raises(CohortError, match=told), running.complaints():
        raise OSError(number, os.strerror(number), "somewhere")


def test_a_list_shows_the_most_urgent_first_and_counts_all() -> None:
    figures = Figures()
    told = [
        Row(f"{number:03}", "advice", urgency, level_date=ON)
        for number in range(150)
        for urgency in ("info", "warning", "critical")
    ]
    for row in told:
        figures.join(Figures(1, groups={"urgent": 1}, lists={"urgent": [row]}))
    listed = figures.listed()["urgent"]
    assert listed == most_urgent(told)
    assert [one.urgency for one in listed] == ["critical"] * 50
    assert figures.groups == {"urgent": 450}


# --- the command ---------------------------------------------------------------------------------


@needs_duckdb
def test_the_stories_in_one_command(tmp_path: Path) -> None:
    import duckdb

    out = tmp_path / "out"
    code, told, _ = finished(STORIES, "--out", out, "--as-of", "2026-06-01", "--plain-ids")
    assert code == 0, told
    count = len(list(STORIES.iterdir()))
    assert told.startswith(f"{count} patients, ")
    names = {one.name for one in out.iterdir()}
    assert {"children.parquet", "cards.ndjson", "measure-report.json", "figures.json"} <= names
    assert running.UNFINISHED not in names
    assert {one.stat().st_mode & 0o777 for one in out.iterdir()} == {0o600}
    assert out.stat().st_mode & 0o777 == 0o700
    lines = [json.loads(line) for line in (out / "cards.ndjson").read_bytes().splitlines()]
    kept = f"'{out / 'children.parquet'}'"
    table = duckdb.sql(f"from {kept}")
    assert dict(zip(table.columns, map(str, table.types), strict=True)) == {
        name: kind.replace("18, 6", "18,6") for name, kind in outcome.COLUMNS.items()
    }
    assert [row[0] for row in table.fetchall()] == [line["child"] for line in lines]
    figures = json.loads((out / "figures.json").read_bytes())
    deficient = table.filter("status like 'deficient%'").fetchall()
    assert len(deficient) == figures["groups"]["deficient"]
    borderline = table.filter("child = 'borderline-no-metabolites'").project("level")
    assert borderline.fetchall() == [(246,)]


@needs_duckdb
def test_ctrl_c_leaves_a_run_that_resume_finishes_with_the_same_bytes(tmp_path: Path) -> None:
    for children in (4_800, 9_600, 19_200):  # until it is still at work when it is stopped
        if _is_stopped_and_resumed(tmp_path / str(children), children):
            return
    pytest.fail("it was over each time")


def _is_stopped_and_resumed(tmp_path: Path, children: int) -> bool:
    """Whether the run was stopped before it was over; then it is the same after it was resumed."""
    source = clinic(tmp_path / "in", children)
    words = ("--as-of", "2026-06-01", "--workers", "2", "--exported", "Task")
    code, told, _ = finished(
        source, "--out", tmp_path / "whole", *words, CDS_PSEUDONYM_KEY=KEY.decode()
    )
    assert code == 0, told
    out = tmp_path / "out"
    process = command(source, "--out", out, *words, CDS_PSEUDONYM_KEY=KEY.decode())
    until = time.monotonic() + 100
    while not list(out.glob(f"{running.UNFINISHED}/judged-*")):
        assert time.monotonic() < until
        if process.poll() is not None:
            assert process.returncode == 0, process.communicate()
            return False
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=100)
    if process.returncode == 0:
        return False
    assert process.returncode == 1
    assert "go on with the same command and --resume" in said
    assert not (out / "cards.ndjson").exists()
    code, told, said = finished(
        source, "--out", out, *words, "--resume", CDS_PSEUDONYM_KEY=KEY.decode()
    )
    assert code == 0, said
    for name in ("cards.ndjson", "children.parquet", "measure-report.json", "figures.json"):
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    return True


@needs_duckdb
def test_without_key_and_plain_ids_nothing_begins(tmp_path: Path) -> None:
    code, _, told = finished(STORIES, "--out", tmp_path / "out")
    assert code == 1
    assert "CDS_PSEUDONYM_KEY" in told
    assert "--plain-ids" in told
    assert not (tmp_path / "out").exists()


def test_the_service_does_without_what_a_cohort_needs(tmp_path: Path) -> None:
    """Neither the service nor the rest of the command line imports DuckDB; a cohort says what is
    missing before it begins."""
    (tmp_path / "duckdb.py").write_text("raise ImportError('not here')\n")
    path = f"{tmp_path}{os.pathsep}{ROOT}"
    asked = "import cds_service.app, cds_service.__main__, sys; assert 'duckdb' not in sys.modules"
    subprocess.run(
        [sys.executable, "-c", asked], check=True, env={**os.environ, "PYTHONPATH": path}
    )
    code, _, told = finished(STORIES, "--out", tmp_path / "out", "--plain-ids", PYTHONPATH=path)
    assert code == 1
    assert "b12-cds-service[cohort]" in told
    assert not (tmp_path / "out").exists()
