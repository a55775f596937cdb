"""What clients wrote as they liked, encrypted: no word is in the file, only the key reads it."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from kept import NOW, accepted, call, card, everything, overridden

from cds_service.__main__ import main
from cds_service.cdshooks.feedback import Feedback, Reason
from cds_service.errors import SettingsError
from cds_service.settings import read_settings
from cds_service.store.database import Database
from cds_service.store.keeping import Store
from cds_service.store.reports.figures import Selection
from cds_service.store.sealing import SEALED, Seals

ANY = Selection()
SERVICE = "b12-under-two-patient-view"
SYSTEM = "http://example.org/reasons"
OFFERED = {(SYSTEM, "already-treated"): "Already treated"}
UUID = "8b1c9d2e-5b52-4a2b-9f3e-1f0c7f3a9d11"
OLD, NEW, OTHER = (base64.urlsafe_b64encode(bytes([n]) * 32) for n in (1, 2, 3))
#: Everything a client can write as it likes, each with a word of its own.
SAID = overridden(
    UUID,
    accepted=("AMARYLLIS-1", UUID),
    reasons=(
        Reason(SYSTEM, "already-treated", "Already treated"),
        Reason(SYSTEM, "already-treated", "AMARYLLIS-2"),
        Reason("urn:AMARYLLIS-3", "AMARYLLIS-4", "AMARYLLIS-5"),
        Reason("", "", "AMARYLLIS-6"),
    ),
    comment="AMARYLLIS-7",
    extension='{"said":"AMARYLLIS-8"}',
)
ON_A_NAME = accepted("AMARYLLIS-9", "AMARYLLIS-10")
WORDS = b"AMARYLLIS"


def keep(url: str, *items: Feedback, keys: tuple[bytes, ...] = ()) -> None:
    store = Store(url, seals=Seals(keys))
    store.offered = OFFERED
    store.record_consultation(call(card(UUID)))
    store.record_feedback(SERVICE, None, items)
    store.close()


def run(url: str, *words: str, keys: str = "") -> Result:
    environment = {"CDS_DATABASE_URL": url, "CDS_FREE_TEXT_KEY": keys}
    return CliRunner().invoke(main, words, env=environment)


def read(database: Database, *keys: bytes) -> list[Feedback]:
    return [one.said for one in database.rows(ANY, Seals(keys).opened).answers]


def bytes_of(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.glob("store.sqlite*"))


def test_no_word_is_in_the_file_or_its_log(tmp_path: Path) -> None:
    """While the service has it open, and after; without a key every word is there."""
    url = f"sqlite:///{tmp_path}/store.sqlite"
    store = Store(url, seals=Seals([OLD]))
    store.offered = OFFERED
    store.record_feedback(SERVICE, None, [SAID, ON_A_NAME])
    assert (tmp_path / "store.sqlite-wal").stat().st_size > 0
    assert WORDS not in bytes_of(tmp_path)
    store.close()
    assert WORDS not in bytes_of(tmp_path)
    assert b"already-treated" in bytes_of(tmp_path), "what was offered is counted without the key"
    keep(url, SAID)
    assert all(f"AMARYLLIS-{n}".encode() in bytes_of(tmp_path) for n in range(1, 9))


def test_no_word_is_in_any_table(url: str, database: Database) -> None:
    keep(url, SAID, ON_A_NAME, keys=(OLD,))
    assert WORDS.decode() not in everything(database)
    assert sorted(read(database, OLD), key=str) == sorted([SAID], key=str)
    assert database.verify().chained.broken == []


def test_the_key_opens_what_was_said_and_no_other_does(url: str, database: Database) -> None:
    keep(url, SAID, keys=(OLD,))
    seen = run(url, "audit", "show", UUID, "--comments", keys=OLD.decode())
    assert all(f"AMARYLLIS-{n}" in seen.output for n in (1, 2, 7))
    for keys, problem in (("", "is not set"), (OTHER.decode(), "none of its keys")):
        for command in (("feedback", "report"), ("audit", "show", UUID)):
            refused = run(url, *command, "--comments", keys=keys)
            assert refused.exit_code == 1
            assert "CDS_FREE_TEXT_KEY_FILE: " in refused.output
            assert problem in refused.output
            without = run(url, *command, keys=keys)
            assert without.exit_code == 0, without.output
            assert "AMARYLLIS" not in without.output


def test_a_report_counts_the_same_with_and_without_the_key(url: str, database: Database) -> None:
    keep(url, SAID, keys=(OLD,))
    sealed = json.loads(run(url, "feedback", "report", "--json", "--ignored-after", "0").output)
    words = ("feedback", "report", "--json", "--ignored-after", "0", "--comments")
    opened = json.loads(run(url, *words, keys=OLD.decode()).output)
    assert sealed["all"] == opened["all"]
    assert "AMARYLLIS-5" in json.dumps(opened)
    assert "AMARYLLIS" not in json.dumps(sealed)


def test_nothing_sealed_leaves_by_json_or_export(url: str, database: Database) -> None:
    keep(url, SAID, keys=(OLD,))
    kept = run(url, "audit", "show", UUID, "--json")
    (item,) = json.loads(kept.output)["cards"][0]["feedback"]
    assert item["sealed"] is None
    exported = run(url, "audit", "export")
    assert exported.exit_code == 0
    assert SEALED not in exported.output
    assert "gAAAA" not in exported.output, "how every encrypted text begins"


def test_keys_are_changed_and_the_old_one_is_done_with(url: str, database: Database) -> None:
    """Some in the clear, some under an old key: all under the new one, and the trail holds."""
    clear = overridden(UUID, comment="AMARYLLIS in the clear", outcome_at=NOW.replace(second=9))
    keep(url, clear)
    keep(url, SAID, keys=(OLD,))
    both = f"{NEW.decode()} {OLD.decode()}"
    assert "of 2 items" in run(url, "db", "seal", keys=both).output
    assert "of 0 items" in run(url, "db", "seal", keys=both).output
    assert WORDS.decode() not in everything(database)
    assert sorted(map(_comment, read(database, NEW))) == ["AMARYLLIS in the clear", "AMARYLLIS-7"]
    with pytest.raises(SettingsError, match="none of its keys"):
        read(database, OLD)
    assert database.verify().chained.broken == []
    wrong = run(url, "db", "seal", keys=OTHER.decode())
    assert (wrong.exit_code, "none of its keys" in wrong.output) == (1, True)
    assert (run(url, "db", "seal").exit_code) == 1


def test_sealed_words_are_gone_from_the_file(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.sqlite"
    keep(url, SAID, ON_A_NAME)
    assert WORDS in bytes_of(tmp_path)
    assert run(url, "db", "seal", keys=OLD.decode()).exit_code == 0
    assert WORDS not in bytes_of(tmp_path)


def test_a_report_sent_again_is_kept_once_also_with_a_new_key(url: str, database: Database) -> None:
    for keys in ((OLD,), (OLD,), (NEW, OLD)):
        keep(url, SAID, keys=keys)
    assert len(read(database, NEW, OLD)) == 1


def test_what_is_sealed_cannot_be_tried_by_its_id(url: str, database: Database) -> None:
    """Without a key the id is a hash of what was sent, which a guess could be held against."""
    for keys in ((), (OLD,), (NEW,)):
        keep(url, SAID, keys=keys)
    with database._transaction(read_only=True) as connection:
        names = connection.execute(sa.text("SELECT id FROM feedback")).scalars().all()
    assert len(set(names)) == 3


def test_a_client_that_writes_our_word_is_kept_as_it_wrote(url: str, database: Database) -> None:
    item = overridden(UUID, comment=SEALED, reasons=(Reason("", "", SEALED),))
    keep(url, item, keys=(OLD,))
    assert read(database, OLD) == [item]
    keep(url, item)
    assert read(database, OLD) == [item, item]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("short", "not a key of 32 bytes"),
        (base64.b64encode(b"x" * 31).decode(), "not a key of 32 bytes"),
        (base64.b64encode(b"x" * 33).decode(), "not a key of 32 bytes"),
        (f"{OLD.decode()}\n{OLD.decode()}", "a key twice"),
        (" \n", "holds no key"),
    ],
)
def test_a_key_that_is_none_is_refused(text: str, problem: str, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(text)
    with pytest.raises(SettingsError, match=f"CDS_FREE_TEXT_KEY_FILE: .*{problem}") as refused:
        read_settings({"CDS_FREE_TEXT_KEY_FILE": str(file)})
    assert text.strip() not in str(refused.value) or not text.strip()


def test_keys_are_read_from_a_file_and_checked(tmp_path: Path) -> None:
    """As openssl writes them, the newest first."""
    keys = [base64.b64encode(os.urandom(31) + bytes([n])).decode() for n in (251, 255)]
    file = tmp_path / "keys"
    file.write_text("\n".join(keys) + "\n")
    found = read_settings({"CDS_FREE_TEXT_KEY_FILE": str(file)}).free_text_keys
    assert Seals(found).open(str(Seals(found[1:]).seal(SAID, {})[1])) == SAID
    told = CliRunner().invoke(main, ["check"], env={"CDS_FREE_TEXT_KEY_FILE": str(file)})
    assert "Comments: encrypted with the key " in told.output
    assert not any(key in told.output for key in keys)


def _comment(item: Feedback) -> str:
    return item.comment
