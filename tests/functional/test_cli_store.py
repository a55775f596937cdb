"""The commands that look after what is kept: `db upgrade`, `db prune`, `audit show`."""

from __future__ import annotations

import json
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from kept import accepted, call, card, overridden

from cds_service.__main__ import main
from cds_service.cdshooks.feedback import Reason
from cds_service.store.audit import Pseudonyms
from cds_service.store.keeping import Store
from cds_service.store.migrations import VERSION

KEY = "a key of the tests"
SYSTEM = "https://b12-cds-service.github.io/CodeSystem/override-reason"
#: One of the reasons on our cards; a client may write what it likes as its display.
OFFERED = Reason(SYSTEM, "already-treated", "SECRET display")


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/store.sqlite"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    made = Store(url, pseudonyms=Pseudonyms(KEY.encode()), overrides="[limits]\n# ours\n")
    yield made
    made.close()


def run(url: str, *words: str, **variables: str) -> Result:
    return CliRunner().invoke(main, words, env={"CDS_DATABASE_URL": url, **variables})


def test_an_upgrade_makes_the_tables_and_says_so(url: str) -> None:
    assert f"now has version {VERSION} (before: no tables)" in run(url, "db", "upgrade").output
    assert f"already has version {VERSION}" in run(url, "db", "upgrade").output


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("none", "nothing is kept"),
        ("postgresql://cds:SECRET@127.0.0.1:1/cds", "connection"),
    ],
)
@pytest.mark.parametrize("command", [("db", "upgrade"), ("db", "prune"), ("audit", "show", "x")])
def test_a_database_that_cannot_be_used_is_said_in_a_sentence(
    url: str, said: str, command: tuple[str, ...]
) -> None:
    done = run(url, *command)
    assert done.exit_code == 1
    assert done.output.startswith("Error: CDS_DATABASE_URL: ")
    assert said in done.output
    assert "SECRET" not in done.output


def test_a_database_without_tables_is_said_with_the_cure(url: str, tmp_path: Path) -> None:
    for made in (False, True):
        if made:
            (tmp_path / "store.sqlite").touch()
        for command in (("db", "prune"), ("audit", "show", "x")):
            done = run(url, *command)
            assert done.exit_code == 1
            assert "Run cds-service db upgrade" in done.output
            assert (tmp_path / "store.sqlite").exists() is made


def test_a_consultation_is_explained_from_any_of_its_names(url: str, store: Store) -> None:
    name = store.record_consultation(call(card("a"), card("b", hidden="tried only")))
    taken = "0b1f0f5e-7a0e-5c43-9d10-3c3cbd6f1f0c"
    said = [accepted("a", taken), overridden("b", reasons=(OFFERED,))]
    store.record_feedback("b12-under-two-patient-view", None, said)
    by_name = run(url, "audit", "show", name)
    assert by_name.exit_code == 0
    for known_by in ("a", "b", "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"):
        assert run(url, "audit", "show", known_by).output == by_name.output
    for said in (
        f"Consultation {name}",
        "b12-under-two, edition 1.0, as of 2026-01-15",
        "# ours",
        "outcome: advice",
        "MAT-01: not indicated (The mother is known.)",
        "MON-02: cannot tell (potassium)",
        "missing: diet",
        "diet absent",
        "card a: warning, RTE-07.oral by RTE-07\n",
        "suggestion a-s1 by DOSE-B, recommended",
        f"accepted 2026-01-15 09:30:00+00:00: {taken}",
        "not shown: tried only",
        "Already treated or ordered elsewhere; (kept; shown with --comments)",
    ):
        assert said in by_name.output
    assert "SECRET" not in by_name.output
    assert "SECRET comment" in run(url, "audit", "show", name, "--comments").output


FREE = {
    "its display": OFFERED,
    "its display, code alone": Reason("", "already-treated", "SECRET display"),
    "our code of another system": Reason("https://a.example", "already-treated", "SECRET"),
    "our system, another code": Reason(SYSTEM, "SECRET", ""),
    "a system": Reason("https://SECRET.example", "c", ""),
    "words": Reason("", "", "SECRET"),
}


@pytest.mark.parametrize("reason", FREE.values(), ids=FREE)
@pytest.mark.parametrize(
    "command",
    [
        ("audit", "show", "card"),
        ("audit", "show", "card", "--json"),
        ("audit", "export"),
        ("feedback", "report", "--ignored-after", "0"),
        ("feedback", "report", "--ignored-after", "0", "--json"),
        ("feedback", "report", "--ignored-after", "0", "--csv"),
    ],
    ids=" ".join,
)
def test_what_clients_wrote_as_they_liked_is_shown_when_asked_for_alone(
    command: tuple[str, ...], reason: Reason, url: str, store: Store
) -> None:
    store.record_consultation(call(card("card")))
    said = overridden(
        "card", reasons=(reason,), accepted=("SECRET id",), extension='{"a": "SECRET"}'
    )
    store.record_feedback("b12-under-two-patient-view", None, [said])
    if command == ("audit", "export"):  # a card that no one knows is a client's own word
        store.record_feedback("b12-under-two-patient-view", None, [overridden("SECRET card")])
    done = run(url, *command)
    assert done.exit_code == 0
    assert "SECRET" not in done.output
    if command[1] != "export":
        told = run(url, *command, "--comments").output
        assert "SECRET" in told or (command[1] == "report" and reason == FREE["a system"])


def test_the_report_names_other_reasons_when_asked_for(url: str, store: Store) -> None:
    store.record_consultation(call(card("card")))
    said = overridden("card", reasons=(Reason("", "", "SECRET"), OFFERED))
    store.record_feedback("b12-under-two-patient-view", None, [said])
    words = ("feedback", "report", "--json", "--ignored-after", "0")
    hidden = json.loads(run(url, *words).output)["reasons"]
    shown = json.loads(run(url, *words, "--comments").output)["reasons"]
    assert {one["display"] for one in hidden} == {
        "(kept; shown with --comments)",
        "Already treated or ordered elsewhere",
    }
    assert {one["display"] for one in shown} == {"SECRET", "SECRET display"}


@pytest.mark.parametrize(
    "words", [("audit", "export", "--to"), ("feedback", "report", "--html")], ids=" ".join
)
def test_what_is_written_to_a_file_only_its_owner_reads(
    words: tuple[str, ...], url: str, store: Store, tmp_path: Path
) -> None:
    store.record_consultation(call(card("card")))
    store.flush()
    assert run(url, *words, str(tmp_path / "written")).exit_code == 0
    assert stat.S_IMODE((tmp_path / "written").stat().st_mode) == 0o600
    assert (tmp_path / "written").stat().st_size > 100


def test_a_refused_call_is_explained_too(url: str, store: Store) -> None:
    name = store.record_consultation(call(status=412, problem="timeout", evaluation=None))
    store.flush()
    said = run(url, "audit", "show", name).output
    assert "answered 412" in said
    assert "refused: timeout" in said


def test_all_that_is_kept_comes_as_json(url: str, store: Store) -> None:
    name = store.record_consultation(call(card("a")))
    store.flush()
    said = json.loads(run(url, "audit", "show", "--json", name).output)
    assert said["id"] == name
    assert said["cards"][0]["digest"] == "0f" * 16


def test_an_unknown_name_is_said(url: str, store: Store) -> None:
    store.flush()
    done = run(url, "audit", "show", "unheard-of")
    assert (done.exit_code, "unheard-of: no consultation" in done.output) == (1, True)


def test_what_is_too_old_is_forgotten(url: str, store: Store, tmp_path: Path) -> None:
    old, new = (store.record_consultation(call(card())) for _ in range(2))
    store.flush()
    with sqlite3.connect(tmp_path / "store.sqlite") as connection:
        connection.execute(
            "UPDATE consultations SET at = datetime('now', '-40 days') WHERE id = ?", [old]
        )
    connection.close()
    assert (
        "older than 730 days: 0 consultations, 0 feedback, 0 unknown codes, 0 settings."
        in run(url, "db", "prune").output
    )
    forgot = run(url, "db", "prune", CDS_RETENTION_DAYS="41")
    assert ": 0 consultations" in forgot.output
    assert ": 1 consultations" in run(url, "db", "prune", "--days", "39").output
    assert run(url, "audit", "show", old).exit_code == 1
    assert run(url, "audit", "show", new).exit_code == 0


def test_secrets_are_set_but_not_shown() -> None:
    key = "SECRET, and long enough"
    done = run("postgresql://cds:SECRET@db/cds", "check", "--settings", CDS_PSEUDONYM_KEY=key)
    assert done.exit_code == 0
    assert "CDS_DATABASE_URL = (set, not shown)" in done.output
    assert "SECRET" not in done.output
