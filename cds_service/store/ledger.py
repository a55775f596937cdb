"""What a worker asks of the database: keeping calls, feedback and tokens, and what was overridden.

By the drivers' own statements, over SQLite and PostgreSQL alike: SQLAlchemy, which `database` uses
for everything else, takes 17 MB and 0.15 s, and more for each row than the database itself.
An `Unavailable` database may work again later; a `SchemaError` needs the operator.
"""

from __future__ import annotations

import os
import re
import socket
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import UTC, date, datetime
from functools import lru_cache
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from threading import BoundedSemaphore, Lock, Thread
from time import monotonic, sleep
from typing import Any, NamedTuple

import msgspec

from cds_service import __version__
from cds_service.cdshooks.feedback import Feedback
from cds_service.errors import SchemaError, Unavailable
from cds_service.store import audit, chain, sqlite
from cds_service.store.audit import Offered, Pseudonyms
from cds_service.store.migrations import VERSION
from cds_service.store.sealing import Seals

#: How long a call may wait for another's write.
WAIT_S = 2
#: How long a server may take for a transaction, a little more than it allows a statement; how
#: often that is looked at, and how long after the last.
ANSWER_S = 6.0
_LOOK_S = 0.5
_LOOK_ON_S = 30.0
#: Connections in use at once; more callers wait for one of them.
_AT_ONCE = 15
#: In `used_tokens`, the row that says up to which expiry tokens were forgotten; never a hash.
_FORGOTTEN = "forgotten"
_is_uuid = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}").fullmatch


_NONE_OFFERED: Offered = {}
_NO_SEALS = Seals()


class Stored(NamedTuple):
    """The items of feedback that were new; how many had come before or are about unknown cards."""

    new: tuple[Feedback, ...]
    repeated: int
    unknown: int


# --- the two databases ---------------------------------------------------------------------------


class _SQLite:
    """SQLite has no moments and no days: they are text, as `database` writes them."""

    sign, same, reads = "?", "IS", "BEGIN"
    #: How one row is kept from other writers, and how one of several that ask at once comes first.
    alone, in_turn = "", ""
    #: A writer takes the lock at once: one that begins by reading would fail where it writes.
    begins = "BEGIN IMMEDIATE"
    fails: tuple[type[Exception], ...] = (sqlite3.Error,)
    #: The fault of what was to be written.
    refuses: tuple[type[Exception], ...] = (sqlite3.IntegrityError, sqlite3.DataError)

    def __init__(self, url: str) -> None:
        self.file = Path(url.removeprefix("sqlite:///"))

    def connect(self) -> Any:
        return sqlite.connect(self.file, WAIT_S)

    @staticmethod
    def watching(connection: Any, seconds: float) -> AbstractContextManager[None]:
        return nullcontext()  # SQLite waits for locks alone, and for so long as was set

    @staticmethod
    def moment(moment: datetime) -> Any:
        return moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")

    @staticmethod
    def day(day: date) -> Any:
        return day.isoformat()

    @staticmethod
    def read(moment: Any) -> datetime:
        return datetime.fromisoformat(moment).replace(tzinfo=UTC)


class _PostgreSQL:
    sign, same, reads, begins = "%s", "IS NOT DISTINCT FROM", "BEGIN", "BEGIN"
    alone, in_turn = " FOR UPDATE", "SELECT pg_advisory_xact_lock(1297110867)"
    file: Path | None = None

    def __init__(self, url: str) -> None:
        self._url = url
        self._driver: Any = import_module("psycopg")  # only where it is used
        self._watch = _Watch()
        self.fails = (self._driver.Error,)
        self.refuses = (self._driver.IntegrityError, self._driver.DataError)

    def connect(self) -> Any:
        return self._driver.connect(
            self._url,
            autocommit=True,  # so that a transaction begins where we say
            connect_timeout=WAIT_S,
            tcp_user_timeout=5000,
            options=f"-c statement_timeout=5s -c lock_timeout={WAIT_S}s",
        )

    def watching(self, connection: Any, seconds: float) -> AbstractContextManager[None]:
        return self._watch.over(connection, seconds)

    @staticmethod
    def moment(moment: datetime) -> Any:
        return moment.astimezone(UTC)

    @staticmethod
    def day(day: date) -> Any:
        return day

    @staticmethod
    def read(moment: datetime) -> datetime:
        return moment.astimezone(UTC)


class _Watch:
    """Cuts connections whose server does not answer in time.

    The server keeps the limits of statements and locks; one that is frozen, or a network that
    swallows its answers, keeps none, and the driver would wait for ever.
    """

    def __init__(self) -> None:
        self._until: dict[int, tuple[float, Any]] = {}
        self._lock = Lock()
        self._watching = False

    @contextmanager
    def over(self, connection: Any, seconds: float) -> Iterator[None]:
        with self._lock:
            self._until[id(connection)] = (monotonic() + seconds, connection)
            if not self._watching:
                self._watching = True
                Thread(target=self._look, name="watch", daemon=True).start()
        try:
            yield
        finally:
            with self._lock:
                self._until.pop(id(connection), None)

    def _look(self) -> None:
        idle_since = monotonic()
        while True:
            sleep(_LOOK_S)
            with self._lock:
                now = monotonic()
                if self._until:
                    idle_since = now
                elif now - idle_since > _LOOK_ON_S:
                    self._watching = False
                    return
                for name, (until, connection) in list(self._until.items()):
                    if now >= until:
                        del self._until[name]
                        _cut(connection)


def _cut(connection: Any) -> None:
    """Ends the connection under a thread that waits for it, which then gets an error."""
    with suppress(Exception), socket.socket(fileno=os.dup(connection.fileno())) as same:
        same.shutdown(socket.SHUT_RDWR)


class _Transaction:
    """Statements of one transaction; a ``?`` in them is a value, whichever the database."""

    def __init__(self, connection: Any, kind: _SQLite | _PostgreSQL) -> None:
        self._cursor = connection.cursor()
        self._sign = kind.sign

    def run(self, statement: str, values: Sequence[Any] = ()) -> int:
        """How many rows ``statement`` changed."""
        count: int = self._cursor.execute(statement.replace("?", self._sign), values).rowcount
        return count

    def rows(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        found = self._cursor.execute(statement.replace("?", self._sign), values).fetchall()
        return list(found)

    def add(self, table: str, row: Mapping[str, Any]) -> bool:
        """Whether ``row`` was not there before."""
        return self.run(_insert(table, tuple(row)), tuple(row.values())) == 1

    def add_all(
        self, table: str, rows: Sequence[Mapping[str, Any]], known: str = "DO NOTHING"
    ) -> None:
        """Adds ``rows``, which have the same columns; ``known`` says what becomes of those that
        are there."""
        if rows:
            statement = _insert(table, tuple(rows[0]), known).replace("?", self._sign)
            self._cursor.executemany(statement, [tuple(row.values()) for row in rows])


@lru_cache(maxsize=32)
def _insert(table: str, columns: tuple[str, ...], known: str = "DO NOTHING") -> str:
    into = f"INSERT INTO {table} ({', '.join(columns)})"
    return f"{into} VALUES ({_signs(columns)}) ON CONFLICT {known}"


class Ledger:
    """One database as a worker uses it, from any of its threads."""

    def __init__(self, url: str, seals: Seals = _NO_SEALS) -> None:
        self._url = url
        self._seals = seals
        self._kind = _SQLite(url) if url.startswith("sqlite:") else _PostgreSQL(url)
        self._idle: list[Any] = []
        self._free = BoundedSemaphore(_AT_ONCE)
        self._seen: tuple[int, int] | None = None
        self._written: chain.Head | None = None
        self._noting = Lock()

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    @contextmanager
    def _transaction(self, *, read_only: bool = False) -> Iterator[_Transaction]:
        """A transaction; anything that keeps the database from working is `Unavailable`."""
        kind = self._kind
        if not self._free.acquire(timeout=WAIT_S):
            raise Unavailable("TimeoutError: all connections are in use")
        try:
            self._notice_exchange()
            connection = self._begun(kind.reads if read_only else kind.begins)
            try:
                with kind.watching(connection, ANSWER_S):
                    yield _Transaction(connection, kind)
                    connection.execute("COMMIT")
            except BaseException:
                # Closed alone, an SQLite connection with an open statement would keep its lock.
                with suppress(*kind.fails):
                    connection.rollback()
                with suppress(*kind.fails):
                    connection.close()
                raise
            self._idle.append(connection)
        except kind.refuses:
            raise
        except (*kind.fails, OSError) as error:
            raise Unavailable(_in_words(error)) from None
        finally:
            self._free.release()

    def _begun(self, begin: str) -> Any:
        """A connection in a transaction. An idle one may have been cut by the server."""
        while self._idle:
            connection = self._idle.pop()
            began = monotonic()
            try:
                with self._kind.watching(connection, WAIT_S):
                    connection.execute(begin)
            except self._kind.fails:
                connection.close()
                # One that took so long was cut by us, and so would be every other.
                if self._kind.file is not None or monotonic() - began >= WAIT_S:
                    raise
            else:
                return connection
        connection = self._kind.connect()
        try:
            with self._kind.watching(connection, WAIT_S):
                connection.execute(begin)
        except BaseException:
            connection.close()
            raise
        return connection

    def _notice_exchange(self) -> None:
        """SQLite goes on writing into a file that was deleted or replaced, to no effect."""
        file = self._kind.file
        if file is None:
            return
        try:
            status = os.stat(file)
            there = (status.st_dev, status.st_ino)
        except FileNotFoundError:
            there = None
        if self._seen is not None and there != self._seen:
            self.close()
            self._seen = None
            self._written = None
            self.prepare()
        elif there is not None:
            self._seen = there

    def prepare(self) -> None:
        """Ensures the schema: an SQLite file is made and brought up to date if needed."""
        with self._transaction(read_only=True) as transaction:
            version = self._version(transaction)
        if version == VERSION:
            return
        if self._kind.file is None:
            raise SchemaError(version, VERSION)
        if version is None:
            self._make()
            return
        # Once in a database's life, so SQLAlchemy and Alembic stay in this process until it ends.
        from cds_service.store.database import Database

        older = Database(self._url)
        try:
            older.upgrade()
        finally:
            older.close()

    def _make(self) -> None:
        """The tables in a new SQLite file, unless another process was faster."""
        made = Path(__file__).with_name("tables.sql").read_text("utf-8")
        with self._transaction() as transaction:
            if self._version(transaction) is None:
                for statement in made.split(";\n"):
                    if statement.strip():
                        transaction.run(statement)
                transaction.add("alembic_version", {"version_num": VERSION})

    def _version(self, transaction: _Transaction) -> str | None:
        there = "SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'"
        if self._kind.file is None:
            there = "SELECT 1 WHERE to_regclass('alembic_version') IS NOT NULL"
        if not transaction.rows(there):
            return None
        found = transaction.rows("SELECT version_num FROM alembic_version")
        return found[0][0] if found else None

    # --- what is recorded ------------------------------------------------------------------------

    def record(
        self, kept: Sequence[audit.Kept], pseudonyms: Pseudonyms, local: str, tried: str = ""
    ) -> None:
        """All of ``kept`` or nothing; ``local`` are the overrides in force, whole, and ``tried``
        those of the other arm. What was written before, unknown to us, is not written again."""
        live, other = (sha256(one.encode()).hexdigest() if one else None for one in (local, tried))
        written = [self._rows(one, pseudonyms, live, other) for one in kept]
        contents = [chain.of_call(*rows) for rows in written]
        with self._transaction() as transaction:
            head = self._head(transaction, written[0][0]["at"])
            names = [one.id for one in kept]
            there = f"SELECT id FROM consultations WHERE id IN ({_signs(names)})"  # noqa: S608
            before = {id_ for (id_,) in transaction.rows(there, names)}
            for digest, text in ((live, local), (other, tried)):
                if digest:
                    row = {"digest": digest, "text": text, "first_seen": written[0][0]["at"]}
                    transaction.add("overrides", row)
            self._count_unknown_codes(transaction, [one for one in kept if one.id not in before])
            rows, cards, suggestions = [], [], []
            for (row, its_cards, its_suggestions), content in zip(written, contents, strict=True):
                if row["id"] not in before:
                    before.add(row["id"])
                    head = head.then(chain.CALL, content)
                    rows.append({**row, **head._asdict()})
                    cards += its_cards
                    suggestions += its_suggestions
            transaction.add_all("consultations", rows)
            transaction.add_all("cards", cards)
            transaction.add_all("suggestions", suggestions)
            self._move(transaction, head)
        self._note(head)

    def _count_unknown_codes(self, transaction: _Transaction, kept: Sequence[audit.Kept]) -> None:
        """Counts each call once, however often it is written; that is done before the call is."""
        counted = Counter(
            (datetime.fromtimestamp(one.at, UTC).date(), *code)
            for one in {one.id: one for one in kept}.values()
            if one.call.evaluation
            for code in one.call.evaluation.unknown
        )
        rows = [  # in one order, so that two writers wait for each other at most once
            {
                "day": self._kind.day(day),
                "need": need,
                "system": system,
                "code": code,
                "count": count,
            }
            for (day, need, system, code), count in sorted(counted.items())
        ]
        added = (
            "(day, need, system, code) DO UPDATE SET count = unknown_codes.count + excluded.count"
        )
        transaction.add_all("unknown_codes", rows, added)

    def add_feedback(
        self,
        service: str,
        client: str | None,
        items: Sequence[Feedback],
        now: datetime,
        offered: Offered = _NONE_OFFERED,
    ) -> Stored:
        """All of ``items`` or nothing, safe on disk when this returns. ``offered`` are the reasons
        that are not free words: those are sealed, if the operator has a key."""
        new = []
        sealed = [self._seals.seal(item, offered) for item in items]
        wanted = sorted({item.card for item in items})
        with self._transaction() as transaction:
            head = self._head(transaction, self._kind.moment(now))
            for item, (kept, words) in zip(items, sealed, strict=True):
                name = self._seals.name(msgspec.json.encode((service, client, item)))
                row = {
                    "id": name,
                    "received_at": self._kind.moment(now),
                    "client": client,
                    "service": service,
                    "card": kept.card,
                    "outcome": item.outcome,
                    "outcome_at": self._kind.moment(item.outcome_at),
                    "comment": kept.comment or None,
                    "extension": kept.extension or None,
                    "sealed": words,
                }
                reasons = _reasons(name, kept, offered)
                then = head.then(chain.FEEDBACK, chain.of_feedback(row, kept.accepted, reasons))
                if not transaction.add("feedback", {**row, **then._asdict()}):
                    continue
                head = then
                new.append(item)
                transaction.add_all("accepted_suggestions", _accepted(name, kept))
                transaction.add_all("override_reasons", reasons)
            found = transaction.rows(
                "SELECT DISTINCT cards.uuid FROM cards JOIN consultations"  # noqa: S608
                " ON consultations.id = cards.consultation"
                f" WHERE cards.uuid IN ({_signs(wanted)})"
                f" AND consultations.client {self._kind.same} ? AND consultations.service = ?",
                [*wanted, client, service],
            )
            self._move(transaction, head)
        self._note(head)
        unknown = {*wanted} - {uuid for (uuid,) in found}
        return Stored(
            tuple(new), len(items) - len(new), sum(item.card in unknown for item in items)
        )

    def now(self) -> datetime | None:
        """The database's own clock; ``None`` for SQLite, which has this machine's."""
        if self._kind.file is not None:
            return None
        with self._transaction(read_only=True) as transaction:
            return self._kind.read(transaction.rows("SELECT clock_timestamp()")[0][0])

    def use_token(self, issuer: str, jti: str, expires: datetime) -> bool:
        """Whether this token was never used before; of several that ask at once, one gets true.

        One that expires no later than any that was forgotten may have been among them, whatever
        a clock says now, so it counts as used.
        """
        token = sha256(f"{len(issuer)}|{issuer}|{jti}".encode()).hexdigest()
        with self._transaction() as transaction:
            row = {"token": token, "expires": self._kind.moment(expires)}
            fresh = transaction.add("used_tokens", row)
            # Only now: had another transaction just forgotten it, the row waited for its end.
            until = "SELECT expires FROM used_tokens WHERE token = ?"
            forgotten = transaction.rows(until, [_FORGOTTEN])
        return fresh and not any(expires <= self._kind.read(one) for (one,) in forgotten)

    def forget_tokens(self, before: datetime, most: int = 5_000) -> int:
        """Forgets some tokens that expired before, oldest first, and notes up to when."""
        old = (
            "SELECT expires FROM used_tokens WHERE expires < ? AND token <> ?"
            " ORDER BY expires LIMIT ?"
        )
        note = _insert(
            "used_tokens",
            ("token", "expires"),
            "(token) DO UPDATE SET expires = excluded.expires"
            " WHERE excluded.expires > used_tokens.expires",
        )
        with self._transaction() as transaction:
            found = transaction.rows(old, [self._kind.moment(before), _FORGOTTEN, most])
            if not found:
                return 0
            transaction.run(note, [_FORGOTTEN, found[-1][0]])
            gone = "DELETE FROM used_tokens WHERE expires <= ? AND token <> ?"
            return transaction.run(gone, [found[-1][0], _FORGOTTEN])

    def overridden(
        self, client: str | None, patient: str, since: datetime
    ) -> dict[audit.Content, datetime]:
        """What was shown for ``patient`` and last answered with an override since then, and when.

        ``patient`` is as it is kept. A report whose card cannot be identified, since a client
        gave two calls one ``hookInstance``, says nothing. The client's clock may bring a
        moment forward, never postpone it.
        """
        same, read = self._kind.same, self._kind.read
        with self._transaction(read_only=True) as transaction:
            reports = transaction.rows(
                f"SELECT {_CONTENT}, feedback.outcome, feedback.outcome_at, feedback.received_at"  # noqa: S608
                " FROM consultations JOIN cards ON cards.consultation = consultations.id"
                " JOIN feedback ON feedback.card = cards.uuid"
                f" WHERE consultations.patient = ? AND consultations.client {same} ?"
                " AND consultations.arm = 'live' AND feedback.service = consultations.service"
                f" AND feedback.client {same} consultations.client"
                " AND feedback.received_at >= ? AND cards.shown",
                [patient, client, self._kind.moment(since)],
            )
            if not reports:
                return {}
            uuids = sorted({uuid for uuid, *_ in reports})
            bearers = transaction.rows(
                f"SELECT DISTINCT {_CONTENT}, consultations.patient FROM cards"  # noqa: S608
                " JOIN consultations ON cards.consultation = consultations.id"
                f" WHERE cards.uuid IN ({_signs(uuids)})",
                uuids,
            )
        known = Counter(uuid for uuid, *_ in bearers)
        last: dict[audit.Content, tuple[datetime, bool]] = {}
        for uuid, *of_card, outcome, outcome_at, received_at in reports:
            at = min(read(outcome_at), read(received_at))
            # A report on one of several keeps its moment: it can only end a silence.
            overrides_it = outcome == "overridden" and known[uuid] == 1
            content = audit.Content(*of_card)
            last[content] = max(
                last.get(content, (at, overrides_it)), (at, overrides_it), key=_when
            )
        return {content: at for content, (at, stands) in last.items() if stands and at >= since}

    # --- the chain -------------------------------------------------------------------------------

    @property
    def head(self) -> chain.Head | None:
        """How far this process's chain had come when it last wrote."""
        return self._written

    def _head(self, transaction: _Transaction, now: Any) -> chain.Head:
        """This process's chain, which others of its threads wait for until the transaction ends.

        One that has fewer rows than we wrote, or another last one, was put back or rewritten: a
        new one begins, and names what we remember.
        """
        known = self._written
        if known is not None:
            statement = f"SELECT number, hash FROM chains WHERE chain = ?{self._kind.alone}"  # noqa: S608
            for number, hash_ in transaction.rows(statement, [known.chain]):
                head = chain.Head(known.chain, number, hash_)
                if head == known or number > known.number:
                    return head
                return self._begin(transaction, now, known)
        return self._begin(transaction, now)

    def _begin(
        self, transaction: _Transaction, now: Any, previous: chain.Head | None = None
    ) -> chain.Head:
        """A new chain, after the newest that is there, or ``previous``."""
        if self._kind.in_turn:
            transaction.rows(self._kind.in_turn)
        last = "SELECT place, chain, number, hash FROM chains ORDER BY place DESC LIMIT 1"
        found = transaction.rows(last)
        place = found[0][0] if found else 0
        if previous is None and found:
            previous = chain.Head(*found[0][1:])
        row: dict[str, Any] = {
            "chain": os.urandom(8).hex(),
            "place": place + 1,
            "began": now,
            "version": __version__,
            "previous": previous and previous.chain,
            "previous_number": previous and previous.number,
            "previous_hash": previous and previous.hash,
        }
        head = chain.begin(row)
        transaction.add("chains", {**row, "number": head.number, "hash": head.hash})
        return head

    @staticmethod
    def _move(transaction: _Transaction, head: chain.Head) -> None:
        moved = "UPDATE chains SET number = ?, hash = ? WHERE chain = ?"
        transaction.run(moved, [head.number, head.hash, head.chain])

    def _note(self, head: chain.Head) -> None:
        """What was written counts once it is safe; of two threads, what the later one wrote."""
        with self._noting:
            known = self._written
            if known is None or known.chain != head.chain or known.number < head.number:
                self._written = head

    # --- rows ------------------------------------------------------------------------------------

    def _rows(
        self, one: audit.Kept, pseudonyms: Pseudonyms, live: str | None, tried: str | None
    ) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, Any]]]:
        """The row of a consultation, those of its cards and of their suggestions."""
        done = one.call.evaluation
        row = {
            "id": one.id,
            "at": self._kind.moment(datetime.fromtimestamp(one.at, UTC)),
            **_asked(one.call, pseudonyms),
            **(_NOT_EVALUATED if done is None else _evaluated(done)),
            "overrides": tried if done and done.arm != "live" else live,
            "version": __version__,
        }
        cards = done.cards if done else ()
        suggestions = [
            {
                "consultation": one.id,
                "card": position,
                "position": index,
                "uuid": suggested.uuid,
                "rule": suggested.rule,
                "recommended": suggested.recommended,
            }
            for position, card in enumerate(cards)
            for index, suggested in enumerate(card.suggestions)
        ]
        return (
            row,
            [_card_row(one.id, place, card) for place, card in enumerate(cards)],
            suggestions,
        )


#: By its uuid, and in the order of `audit.Content`.
_CONTENT = "cards.uuid, cards.rule, cards.text, cards.topic, cards.indicator, cards.digest"


def _signs(values: Sequence[object]) -> str:
    return ", ".join("?" for _ in values)


def _when(answer: tuple[datetime, bool]) -> tuple[datetime, bool]:
    """Later is greater; of answers at the same moment, one that is not an override."""
    return answer[0], not answer[1]


def _json(value: object) -> str:
    """JSON as text, as `database` writes it."""
    return msgspec.json.encode(value).decode()


def _asked(call: audit.Call, pseudonyms: Pseudonyms) -> dict[str, Any]:
    """What every call has, whatever its result, with its ids made unreadable."""
    client = call.client
    return {
        "client": client,
        "service": call.service,
        "hook": call.hook,
        # Anything but a UUID might identify the patient.
        "hook_instance": call.hook_instance
        if _is_uuid(call.hook_instance)
        else pseudonyms.of("hookInstance", client, call.hook_instance),
        "patient": pseudonyms.of("patient", client, call.patient_id),
        "asked_by": pseudonyms.of("user", client, call.user_id),
        "status": call.status,
        "problem": call.problem or None,
        "as_of": call.as_of or None,
        "language": call.language or None,
        "fhir_server": call.fhir_server or None,
        "ms": float(call.ms),
    }


def _evaluated(done: audit.Evaluation) -> dict[str, Any]:
    return {
        "arm": done.arm,
        "guideline": done.guideline,
        "edition": done.edition,
        "outcome": done.outcome,
        "rules": _json(done.rules),
        "fired": _json(done.fired),
        "missing": _json(done.missing),
        "unread": _json(done.unread),
        "needs": _json(done.needs),
        "durations": _json(done.durations),
    }


#: The same of a call that was refused.
_NOT_EVALUATED: Mapping[str, Any] = {
    "arm": "live",
    "guideline": None,
    "edition": None,
    "outcome": None,
    "rules": None,
    "fired": None,
    "missing": None,
    "unread": None,
    "needs": None,
    "durations": None,
}


def _card_row(consultation: str, position: int, card: audit.Card) -> dict[str, Any]:
    return {
        "consultation": consultation,
        "position": position,
        "uuid": card.uuid,
        "rule": card.rule,
        "text": card.text,
        "topic": card.topic,
        "indicator": card.indicator,
        "digest": card.digest,
        "shown": not card.hidden,
        "hidden": card.hidden or None,
    }


def _accepted(name: str, item: Feedback) -> list[dict[str, Any]]:
    return [
        {"feedback": name, "position": index, "suggestion": uuid}
        for index, uuid in enumerate(item.accepted)
    ]


def _reasons(name: str, item: Feedback, offered: Offered) -> list[dict[str, Any]]:
    return [
        {
            "feedback": name,
            "position": index,
            "system": reason.system,
            "code": reason.code,
            "display": reason.display,
            "offered": audit.as_offered(reason.system, reason.code, offered) is not None,
        }
        for index, reason in enumerate(item.reasons)
    ]


def _in_words(error: Exception) -> str:
    """What the database says, one line; SQLite and PostgreSQL name no value in it."""
    line = str(error).strip().splitlines()
    return f"{type(error).__name__}: {line[0][:200]}" if line else type(error).__name__
