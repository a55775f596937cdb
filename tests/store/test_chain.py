"""The chain over what is kept: what was written holds, after any kill; what was altered shows.

Alterations are made in the tables themselves, as someone would who can write to them.
"""

# ruff: noqa: S608 - the statements are ours

from __future__ import annotations

import json
import os
import signal
from datetime import datetime, timedelta
from itertools import pairwise
from threading import Thread
from uuid import uuid4

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from kept import NOW, accepted, call, card, count, overridden
from serving import eventually, serving

from cds_service.__main__ import main
from cds_service.cdshooks.feedback import Reason
from cds_service.store import chain
from cds_service.store.audit import Call, Kept, Pseudonyms
from cds_service.store.chain import Pruned, joined
from cds_service.store.database import Database, Verified, _migrate
from cds_service.store.keeping import Store
from cds_service.store.ledger import Ledger

SERVICE = "b12-under-two-patient-view"
OFFERED = {("http://example.org/reasons", "already-treated"): "Already treated"}
UUID = "8b1c9d2e-5b52-4a2b-9f3e-1f0c7f3a9d11"


def keep(ledger: Ledger, *calls: Call, at: datetime = NOW, local: str = "") -> list[str]:
    kept = [Kept(uuid4().hex, at.timestamp() + n, one) for n, one in enumerate(calls)]
    ledger.record(kept, Pseudonyms(b"a key of the tests"), local)
    return [one.id for one in kept]


def live(ledger: Ledger, *, at: datetime = NOW, marked: str = UUID) -> list[str]:
    """Two calls and two items of feedback, with everything a row may have."""
    names = keep(
        ledger,
        call(card(marked), card("b", hidden="in trial"), client="north"),
        Call(SERVICE, "patient-view", 400, 1, problem="invalid"),
        at=at,
        local="[limits]\n",
    )
    said = overridden(marked, extension='{"said": "a word"}')
    ledger.add_feedback(SERVICE, "north", [said, accepted(marked, UUID, "own id")], at, OFFERED)
    return names


def run(url: str, *options: str) -> Result:
    return CliRunner().invoke(main, ["audit", "verify", *options], env={"CDS_DATABASE_URL": url})


def first_fault(found: Verified) -> str:
    return found.chained.broken[0].words if found.chained.broken else ""


def alter(database: Database, *statements: str) -> None:
    with database._transaction() as connection:
        for statement in statements:
            assert connection.execute(sa.text(statement)).rowcount > 0, statement


def test_what_was_written_holds(url: str, database: Database, ledger: Ledger) -> None:
    live(ledger)
    live(ledger, at=NOW + timedelta(days=1), marked=str(uuid4()))
    found = database.verify()
    assert (found.chained.rows, found.chained.broken, found.unchained) == (8, [], 0)
    done = run(url)
    assert done.exit_code == 0, done.output
    assert "Chains: 1, with 8 rows." in done.output
    assert "Not held against a hash kept elsewhere" in done.output


#: What is altered, by which statement (":0" and ":1" are the calls), and which row is named.
ALTERED = {
    "an answer": ("UPDATE consultations SET outcome = 'x' WHERE id = ':0'", "call :0"),
    "what a rule said": ("UPDATE consultations SET rules = '[]' WHERE id = ':0'", "call :0"),
    "a time": ("UPDATE consultations SET ms = 1.5 WHERE id = ':1'", "call :1"),
    "a value gone": ("UPDATE consultations SET client = NULL WHERE id = ':0'", "call :0"),
    "a value added": ("UPDATE consultations SET language = 'de' WHERE id = ':1'", "call :1"),
    "a card": ("UPDATE cards SET indicator = 'info' WHERE position = 0", "call :0"),
    "a card shown": ("UPDATE cards SET shown = true, hidden = NULL WHERE position = 1", "call :0"),
    "a card removed": ("DELETE FROM cards WHERE position = 1", "call :0"),
    "a suggestion": ("UPDATE suggestions SET recommended = false", "call :0"),
    "a suggestion removed": ("DELETE FROM suggestions WHERE position = 1", "call :0"),
    "a call removed": ("DELETE FROM consultations WHERE id = ':0'", "row 1 is missing"),
    "its hash": ("UPDATE consultations SET hash = 'x' WHERE id = ':1'", "call :1"),
    "what was reported": ("UPDATE feedback SET outcome = 'accepted' WHERE number = 3", "(row 3"),
    "when": ("UPDATE feedback SET received_at = '2026-01-14'", "(row 3"),
    "of which card": (f"UPDATE feedback SET card = '{uuid4()}'", "(row 3"),
    "an offered reason": ("UPDATE override_reasons SET code = 'refused'", "(row 3"),
    "a reason removed": ("DELETE FROM override_reasons", "(row 3"),
    "what was accepted": (
        f"UPDATE accepted_suggestions SET suggestion = '{uuid4()}' WHERE position = 0",
        "(row 4",
    ),
    "feedback removed": ("DELETE FROM feedback WHERE number = 3", "row 3 is missing"),
    "the last removed": ("DELETE FROM feedback WHERE number = 4", "row 4 is missing"),
    "a site's settings": ("UPDATE overrides SET text = '[limits] '", "the settings"),
    "a site's settings removed": ("DELETE FROM overrides", "the settings"),
    "a row out of its chain": (
        "UPDATE consultations SET chain = NULL, number = NULL WHERE id = ':0'",
        "row 1 is missing",
    ),
    "a row without number": (
        "UPDATE consultations SET number = NULL WHERE id = ':0'",
        "row 1 is missing",
    ),
    "how a chain began": ("UPDATE chains SET version = '9'", "call :0"),
    "how long a chain is": ("UPDATE chains SET number = 3", "should end with row 3"),
    "a chain removed": ("DELETE FROM chains", "is of a chain that is not there"),
}


@pytest.mark.parametrize(("statement", "named"), ALTERED.values(), ids=ALTERED)
def test_what_was_altered_is_named(
    url: str, database: Database, ledger: Ledger, statement: str, named: str
) -> None:
    for number, name in enumerate(live(ledger)):
        statement, named = (one.replace(f":{number}", name) for one in (statement, named))
    alter(database, statement)
    done = run(url)
    assert done.exit_code == 1
    first = next(line for line in done.output.splitlines() if "broken: " in line)
    assert named in first


def test_what_is_left_of_a_removed_card_is_still_shown(
    url: str, database: Database, ledger: Ledger
) -> None:
    name, _ = live(ledger)
    alter(database, "DELETE FROM cards WHERE position = 0")
    done = CliRunner().invoke(main, ["audit", "show", name], env={"CDS_DATABASE_URL": url})
    assert done.exit_code == 0, done.output
    assert f"call {name}" in run(url).output


def test_of_several_chains_the_fault_of_the_one_that_began_first_is_named_first(
    url: str, database: Database
) -> None:
    names = []
    for _ in range(3):
        ledger = Ledger(url)
        names.append(live(ledger, marked=str(uuid4()))[1])
        ledger.close()
    alter(
        database, f"UPDATE consultations SET status = 200 WHERE id IN ('{names[2]}', '{names[1]}')"
    )
    found = database.verify()
    assert names[1] in first_fault(found)
    assert [one.place for one in found.chained.broken] == [2, 3]


# --- free words ------------------------------------------------------------------------------


def test_free_words_may_be_removed(database: Database, ledger: Ledger) -> None:
    """What names a patient has to go, and the rest is still proven."""
    said = overridden(
        "SECRET card", reasons=(Reason("", "SECRET", "SECRET"),), extension='"SECRET"'
    )
    ledger.add_feedback(SERVICE, None, [said, accepted(UUID, "SECRET")], NOW, OFFERED)
    alter(
        database,
        "UPDATE feedback SET comment = NULL, extension = NULL",
        "UPDATE feedback SET card = 'gone' WHERE card LIKE 'SECRET%'",
        "UPDATE override_reasons SET system = '', code = '', display = ''",
        "UPDATE accepted_suggestions SET suggestion = 'gone' WHERE suggestion = 'SECRET'",
    )
    assert database.verify().chained.broken == []


# --- several that write ----------------------------------------------------------------------


def test_every_process_has_a_chain_and_names_the_one_before(url: str, database: Database) -> None:
    for day in range(3):
        store = Store(url)
        store.record_consultation(call(card(f"{day}")))
        store.record_feedback(SERVICE, None, [overridden(f"{day}")])
        store.close()
    chains = list(database.verify().chained.chains.values())
    assert [(one["place"], one["number"]) for one in chains] == [(1, 2), (2, 2), (3, 2)]
    for before, after in pairwise(chains):
        named = after["previous"], after["previous_number"], after["previous_hash"]
        assert named == (before["chain"], before["number"], before["hash"])


def test_a_chain_taken_out_whole_is_missed(database: Database, url: str) -> None:
    for _ in range(3):
        ledger = Ledger(url)
        live(ledger, marked=str(uuid4()))
        ledger.close()
    (_, second, third) = database.verify().chained.chains
    alter(
        database,
        f"DELETE FROM consultations WHERE chain = '{second}'",
        f"DELETE FROM feedback WHERE chain = '{second}'",
        f"DELETE FROM chains WHERE chain = '{second}'",
    )
    assert f"chain {third} does not hold: it names chain {second}" in first_fault(database.verify())


def test_a_chain_made_anew_is_not_what_the_next_one_named(database: Database, url: str) -> None:
    """Someone takes the rows of the first chain out and writes others, with hashes that fit."""
    ledger, forger, after = Ledger(url), Ledger(url), Ledger(url)
    live(ledger)
    first = ledger.head
    assert first is not None
    live(after, marked=str(uuid4()))
    own = f"WHERE chain = '{first.chain}'"
    with database._transaction(read_only=True) as connection:
        began = connection.execute(sa.text("SELECT * FROM chains WHERE place = 1")).mappings().one()
    beginning = chain.begin({**began, "began": NOW})
    alter(
        database,
        f"DELETE FROM consultations {own}",
        f"DELETE FROM feedback {own}",
        f"UPDATE chains SET number = 0, hash = '{beginning.hash}' {own}",
    )
    forger._written = beginning
    live(forger)
    assert forger.head is not None
    assert (forger.head.chain, forger.head.number) == (first.chain, first.number)
    assert "is not what chain" in first_fault(database.verify())
    for one in (ledger, forger, after):
        one.close()


def test_many_threads_and_stores_write_chains_that_hold(url: str, database: Database) -> None:
    stores = [Store(url) for _ in range(3)]

    def work(store: Store, number: int) -> None:
        for one in range(10):
            store.record_consultation(call(card(f"{number}-{one}")))
            store.record_feedback(SERVICE, None, [overridden(f"{number}-{one}")])

    threads = [Thread(target=work, args=(store, number)) for number, store in enumerate(stores * 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for store in stores:
        store.close()
    found = database.verify()
    assert (found.chained.broken, found.chained.rows) == ([], 120)


def test_what_is_written_again_is_in_the_chain_once(database: Database, ledger: Ledger) -> None:
    """As after a commit whose acknowledgement was lost."""
    kept = [Kept(uuid4().hex, NOW.timestamp(), call(card(str(n)))) for n in range(3)]
    for batch in (kept[:2], kept, kept):
        ledger.record(batch, Pseudonyms(), "")
    for _ in range(2):
        ledger.add_feedback(SERVICE, None, [accepted("0"), accepted("0")], NOW)
    found = database.verify()
    assert (found.chained.broken, found.chained.rows) == ([], 4)


def test_a_row_that_the_database_refuses_leaves_no_gap(url: str, database: Database) -> None:
    store = Store(url)
    for number in range(8):
        bad = {"service": None} if number == 4 else {}
        store.record_consultation(call(card(str(number)), **bad))
    assert store.flush()
    store.close()
    found = database.verify()
    assert (found.chained.broken, found.chained.rows) == ([], 7)


def test_a_chain_that_was_put_back_under_its_writer_is_not_gone_on_with(
    database: Database, ledger: Ledger
) -> None:
    """It remembers what it wrote: a new chain begins and names that, which is no longer there."""
    live(ledger)
    before = ledger.head
    assert before is not None
    kept = database.verify().chained.chains[before.chain]
    live(ledger, marked=str(uuid4()))
    known = ledger.head
    assert known is not None
    alter(
        database,
        "DELETE FROM consultations WHERE number > 4",
        "DELETE FROM feedback WHERE number > 4",
        f"UPDATE chains SET number = {kept['number']}, hash = '{kept['hash']}'",
    )
    assert database.verify().chained.broken == [], "as a rewriting may be"
    live(ledger, marked=str(uuid4()))
    assert f"rows 5 to {known.number} are missing of chain {known.chain}" in first_fault(
        database.verify()
    )


def test_a_worker_that_is_killed_at_work_breaks_no_chain(url: str) -> None:
    """Killed in the middle of batches and feedback, and a new one begins, again and again."""
    database = Database(url)
    database.upgrade()
    with serving(url, "--workers", "2") as service:
        for _ in range(3):
            victim = service.workers()[0]
            stop: list[bool] = []

            def press(stop: list[bool] = stop) -> None:
                while not stop:
                    try:
                        service.consult(str(uuid4()))
                        service.report(str(uuid4()))
                    except (OSError, AssertionError, ValueError):
                        return  # cut off with the worker

            threads = [Thread(target=press) for _ in range(4)]
            for thread in threads:
                thread.start()
            written = count(database, "consultations")
            eventually(lambda: count(database, "consultations") > written + 20)  # noqa: B023
            os.kill(victim, signal.SIGKILL)
            eventually(lambda: victim not in service.workers())  # noqa: B023
            stop.append(True)
            for thread in threads:
                thread.join()
            eventually(lambda: len(service.workers()) == 2)
        service.kill()
    found = database.verify()
    assert found.chained.broken == []
    assert len(found.chained.chains) >= 3
    assert found.chained.rows == count(database, "consultations") + count(database, "feedback")
    database.close()


# --- forgetting ------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_what_is_pruned_leaves_what_the_rest_follows_from(
    url: str, database: Database, ledger: Ledger, batch: int
) -> None:
    for day in (0, 1, 2, 9, 3, 10):  # a clock that had jumped, for a day
        live(ledger, at=NOW + timedelta(days=day), marked=str(uuid4()))
    database.prune(NOW + timedelta(days=2), batch=batch)
    (gone,) = database.verify().chained.pruned
    assert (gone.first, gone.last) == (1, 8)
    assert gone.until == NOW + timedelta(days=1, seconds=1)
    database.prune(NOW + timedelta(days=5), batch=batch)
    found = database.verify()
    assert [(one.first, one.last) for one in found.chained.pruned] == [(1, 12), (17, 20)]
    assert (found.chained.broken, found.chained.rows) == ([], 8)
    live(ledger, at=NOW + timedelta(days=11), marked=str(uuid4()))
    assert "Pruned: rows 1 to 12 of chain" in run(url).output
    alter(database, "UPDATE consultations SET ms = 7 WHERE number = 13")
    assert "row 13" in first_fault(database.verify())


def test_the_anchor_of_pruned_rows_is_not_altered_unnoticed(
    database: Database, ledger: Ledger
) -> None:
    live(ledger)
    live(ledger, at=NOW + timedelta(days=9), marked=str(uuid4()))
    database.prune(NOW + timedelta(days=5))
    alter(database, f"UPDATE pruned_rows SET hash = '{'1' * 64}'")
    assert "row 5" in first_fault(database.verify())
    alter(database, "DELETE FROM pruned_rows")
    assert "rows 1 to 4 are missing" in first_fault(database.verify())


def test_chains_of_which_nothing_is_left_are_forgotten_but_the_last(
    url: str, database: Database
) -> None:
    for day in range(4):
        ledger = Ledger(url)
        live(ledger, at=NOW + timedelta(days=day), marked=str(uuid4()))
        ledger.close()
    database.prune(NOW + timedelta(days=1, hours=1))
    found = database.verify()
    assert (found.chained.broken, [*map(place, found.chained.chains.values())]) == ([], [3, 4])
    database.prune(NOW + timedelta(days=30))
    found = database.verify()
    assert (found.chained.broken, [*map(place, found.chained.chains.values())]) == ([], [4])
    idle = Ledger(url)
    live(idle, at=NOW + timedelta(days=31), marked=str(uuid4()))
    idle.close()
    assert database.verify().chained.broken == []


def place(one: object) -> int:
    return int(one["place"])  # type: ignore[index]


def test_a_writer_whose_chain_was_forgotten_begins_another(url: str, database: Database) -> None:
    idle, other = Ledger(url), Ledger(url)
    live(idle)
    live(other, at=NOW + timedelta(days=9), marked=str(uuid4()))
    database.prune(NOW + timedelta(days=5))
    live(idle, at=NOW + timedelta(days=10), marked=str(uuid4()))
    found = database.verify()
    assert (found.chained.broken, [*map(place, found.chained.chains.values())]) == ([], [2, 3])
    for one in (idle, other):
        one.close()


def test_gaps_are_joined_where_they_meet_and_of_one_chain_alone() -> None:
    def gap(chain: str, first: int, last: int) -> Pruned:
        return Pruned(chain, first, last, f"hash {last}", NOW + timedelta(days=first))

    assert joined([]) == []
    assert joined([gap("a", 3, 3), gap("a", 1, 2), gap("a", 4, 9)]) == [
        Pruned("a", 1, 9, "hash 9", NOW + timedelta(days=4))
    ]
    apart = [gap("a", 1, 2), gap("a", 4, 5), gap("b", 6, 7)]
    assert joined(apart) == apart


# --- what was there before, and elsewhere --------------------------------------------------------


def test_rows_from_before_are_neither_proven_nor_broken(url: str) -> None:
    database = Database(url)
    with database._transaction() as connection:
        _migrate(connection, to="0005")
        old = "(id, at, service, hook, status, arm, ms, version) VALUES"
        row = "('old', '2026-01-14 09:00:00', 's', 'h', 200, 'live', 1, '0.1.0')"
        connection.execute(sa.text(f"INSERT INTO consultations {old} {row}"))
    database.upgrade()
    done = run(url)
    assert (done.exit_code, "Unchained: 1 rows from before" in done.output) == (0, True)
    ledger = Ledger(url)
    live(ledger)
    done = run(url)
    assert (done.exit_code, "Unchained: 1 rows from before" in done.output) == (0, True)
    alter(database, "UPDATE consultations SET at = '2026-01-16 09:00:00' WHERE id = 'old'")
    done = run(url)
    assert (done.exit_code, "a row of no chain is younger" in done.output) == (1, True)
    assert run(url, "--unchained-until", "2026-01-16").exit_code == 0
    assert run(url, "--unchained-until", "2026-01-16T08:59:59Z").exit_code == 1
    ledger.close()
    database.close()


def test_a_hash_from_the_log_is_held_against_the_chain(
    url: str, database: Database, capfd: pytest.CaptureFixture[str]
) -> None:
    store = Store(url)
    store.record_consultation(call(card(UUID)))
    store.record_feedback(SERVICE, None, [overridden(UUID)])
    store.close()
    lines = map(json.loads, capfd.readouterr().out.splitlines())
    (head,) = [one for one in lines if one.get("trail") == "head"]
    assert head["row"] == 2
    done = run(url, "--head", head["hash"])
    assert done.exit_code == 0
    assert f"{head['hash']} is the hash of feedback" in done.output
    other = run(url, "--head", "f" * 64, "--head", head["hash"])
    assert other.exit_code == 1
    assert f"no row has the hash {'f' * 64}" in other.output


def test_a_trail_written_again_holds_in_itself_and_not_against_a_hash_kept_elsewhere(
    url: str, database: Database, ledger: Ledger
) -> None:
    """What a chain cannot show, and what it takes."""
    live(ledger)
    known = ledger.head
    assert known is not None
    with database._transaction() as connection:
        for table in ("consultations", "feedback", "chains"):
            connection.execute(sa.text(f"DELETE FROM {table}"))
    forger = Ledger(url)
    live(forger)
    assert run(url).exit_code == 0
    assert run(url, "--head", known.hash).exit_code == 1
    forger.close()


def test_the_head_is_logged_each_day_and_at_the_end(
    url: str, database: Database, capfd: pytest.CaptureFixture[str]
) -> None:
    now, passed = [NOW.timestamp()], [0.0]
    store = Store(url, clock=lambda: now[0], passed=lambda: passed[0])

    def logged() -> int:
        heads.extend(line for line in capfd.readouterr().out.splitlines() if '"trail"' in line)
        return len(heads)

    heads: list[str] = []
    for day in range(3):
        store.record_consultation(call(card(str(day))))
        assert store.flush()
        passed[0] += 10
        store.record_consultation(call(card(f"{day} again")))
        assert store.flush()
        eventually(lambda: logged() == day + 1)  # noqa: B023
        now[0] += timedelta(days=1).total_seconds()
    store.close()
    assert logged() == 4
    assert [json.loads(one)["row"] for one in heads][-1] == 6
