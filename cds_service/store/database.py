"""The tables, reading them back and forgetting, over SQLite and PostgreSQL alike.

For commands, which may wait, and load what takes long; a worker writes and asks through `ledger`.
An `Unavailable` database may work again later; a `SchemaError` needs the operator.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from heapq import merge
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine, make_url

from cds_service.cdshooks.feedback import Feedback, Reason
from cds_service.errors import SchemaError, Unavailable
from cds_service.store import audit, chain, sqlite
from cds_service.store.chain import Head, Pruned, Verification
from cds_service.store.migrations import VERSION
from cds_service.store.reports.figures import LIVE, Answer, Call, Rows, Selection
from cds_service.store.sealing import Seals

#: How long a command waits for another's write.
_WAIT_S = 30
_READ_ONLY = {"cds_read_only": True}
#: How often it is tried to empty the log of an SQLite file while others read it.
_CLEARINGS = 5
#: Rows read at a time, so that a long report does not hold up others.
_PAGE = 500


class _Moment(sa.types.TypeDecorator[datetime]):
    """A moment in UTC; SQLite does not know zones."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=value.tzinfo or UTC).astimezone(UTC)


class _Json(sa.types.TypeDecorator[Any]):
    """JSON as text, readable with either database's own functions."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> str | None:
        return None if value is None else msgspec.json.encode(value).decode()

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> Any:
        return None if value is None else msgspec.json.decode(value)


tables = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
    }
)
_text = sa.Text


def _link() -> tuple[sa.schema.SchemaItem, ...]:
    """A row's place in a chain and its hash; of what was kept before there were chains, nothing."""
    return (
        sa.Column("chain", sa.String(16)),
        sa.Column("number", sa.Integer),
        sa.Column("hash", sa.String(64)),
        sa.Index(None, "chain", "number", unique=True),
    )


consultations = sa.Table(
    "consultations",
    tables,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("at", _Moment, nullable=False),
    sa.Column("client", _text),
    sa.Column("service", _text, nullable=False),
    sa.Column("hook", _text, nullable=False),
    sa.Column("hook_instance", _text),
    sa.Column("patient", _text),
    sa.Column("asked_by", _text),
    sa.Column("status", sa.Integer, nullable=False),
    sa.Column("problem", _text),
    sa.Column("arm", _text, nullable=False),
    sa.Column("guideline", _text),
    sa.Column("edition", _text),
    sa.Column("overrides", sa.String(64)),
    sa.Column("as_of", _text),
    sa.Column("language", _text),
    sa.Column("outcome", _text),
    sa.Column("rules", _Json),
    sa.Column("fired", _Json),
    sa.Column("missing", _Json),
    sa.Column("unread", _Json),
    sa.Column("needs", _Json),
    sa.Column("fhir_server", _text),
    sa.Column("durations", _Json),
    sa.Column("ms", sa.Float, nullable=False),
    sa.Column("version", _text, nullable=False),
    *_link(),
    sa.Index(None, "at"),
    sa.Index(None, "patient", "at"),
    sa.Index(None, "hook_instance"),
)


def _of_consultation() -> sa.Column[Any]:
    return sa.Column(
        "consultation",
        sa.String(32),
        sa.ForeignKey("consultations.id", ondelete="CASCADE"),
        primary_key=True,
    )


def _position(name: str = "position") -> sa.Column[Any]:
    return sa.Column(name, sa.Integer, primary_key=True, autoincrement=False)


cards = sa.Table(
    "cards",
    tables,
    _of_consultation(),
    _position(),
    sa.Column("uuid", _text, nullable=False),
    sa.Column("rule", _text, nullable=False),
    sa.Column("text", _text, nullable=False),
    sa.Column("topic", _text, nullable=False),
    sa.Column("indicator", _text, nullable=False),
    sa.Column("digest", sa.String(32), nullable=False),
    sa.Column("shown", sa.Boolean, nullable=False),
    sa.Column("hidden", _text),
    sa.Index(None, "uuid"),
)
suggestions = sa.Table(
    "suggestions",
    tables,
    _of_consultation(),
    _position("card"),
    _position(),
    sa.Column("uuid", _text, nullable=False),
    sa.Column("rule", _text, nullable=False),
    sa.Column("recommended", sa.Boolean, nullable=False),
    sa.Index(None, "uuid"),
)
#: What a site changed in the guideline, whole, by its digest.
overrides = sa.Table(
    "overrides",
    tables,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("text", _text, nullable=False),
    sa.Column("first_seen", _Moment, nullable=False),
)
#: A card may be reported on before its consultation is written, or long after it was pruned.
feedback = sa.Table(
    "feedback",
    tables,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("received_at", _Moment, nullable=False),
    sa.Column("client", _text),
    sa.Column("service", _text, nullable=False),
    sa.Column("card", _text, nullable=False),
    sa.Column("outcome", _text, nullable=False),
    sa.Column("outcome_at", _Moment, nullable=False),
    sa.Column("comment", _text),
    sa.Column("extension", _text),
    *_link(),
    sa.Column("sealed", _text),
    sa.Index(None, "card"),
    sa.Index(None, "received_at"),
)


def _of_feedback() -> sa.Column[Any]:
    return sa.Column(
        "feedback",
        sa.String(64),
        sa.ForeignKey("feedback.id", ondelete="CASCADE"),
        primary_key=True,
    )


accepted_suggestions = sa.Table(
    "accepted_suggestions",
    tables,
    _of_feedback(),
    _position(),
    sa.Column("suggestion", _text, nullable=False),
    sa.Index(None, "suggestion"),
)
override_reasons = sa.Table(
    "override_reasons",
    tables,
    _of_feedback(),
    _position(),
    sa.Column("system", _text, nullable=False),
    sa.Column("code", _text, nullable=False),
    sa.Column("display", _text, nullable=False),
    sa.Column("offered", sa.Boolean),
)
#: One chain for each process that wrote, in the order they began; see `chain`.
chains = sa.Table(
    "chains",
    tables,
    sa.Column("chain", sa.String(16), primary_key=True),
    sa.Column("place", sa.Integer, nullable=False, unique=True),
    sa.Column("began", _Moment, nullable=False),
    sa.Column("version", _text, nullable=False),
    sa.Column("previous", sa.String(16)),
    sa.Column("previous_number", sa.Integer),
    sa.Column("previous_hash", sa.String(64)),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
)
#: What is left of rows of a chain that were forgotten.
pruned_rows = sa.Table(
    "pruned_rows",
    tables,
    sa.Column("chain", sa.String(16), primary_key=True),
    sa.Column("first", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("last", sa.Integer, nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("until", _Moment, nullable=False),
)
used_tokens = sa.Table(
    "used_tokens",
    tables,
    sa.Column("token", sa.String(64), primary_key=True),
    sa.Column("expires", _Moment, nullable=False),
    sa.Index(None, "expires"),
)
#: By day and apart from the calls: no code can be led back to a patient.
unknown_codes = sa.Table(
    "unknown_codes",
    tables,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("need", _text, primary_key=True),
    sa.Column("system", _text, primary_key=True),
    sa.Column("code", _text, primary_key=True),
    sa.Column("count", sa.Integer, nullable=False),
)


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "sqlite":
        file = Path(url.database or "")
        engine = sa.create_engine(
            url, hide_parameters=True, creator=lambda: sqlite.connect(file, _WAIT_S)
        )
        sa.event.listen(engine, "begin", _begin_sqlite)
        return engine
    return sa.create_engine(
        url.set(drivername="postgresql+psycopg"),
        hide_parameters=True,
        pool_pre_ping=True,
        connect_args={"connect_timeout": 2, "tcp_user_timeout": 5000},
    )


def _begin_sqlite(connection: Connection) -> None:
    """A writer takes the lock at once: one that begins by reading would fail where it writes."""
    reads = connection.get_execution_options().get("cds_read_only")
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


class Database:
    """One database, as commands use it."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url)
        self._engine = _engine(self._url)
        self._file = Path(self._url.database or "") if self.is_sqlite else None

    @property
    def is_sqlite(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _transaction(self, *, read_only: bool = False) -> Iterator[Connection]:
        """A transaction; anything that keeps the database from working is `Unavailable`."""
        try:
            with self._engine.connect() as connection:
                if read_only:
                    connection = connection.execution_options(**_READ_ONLY)
                with connection.begin():
                    yield connection
        except (sa.exc.IntegrityError, sa.exc.DataError):  # the fault of what was to be written
            raise
        except (sa.exc.DBAPIError, sa.exc.TimeoutError, OSError) as error:
            raise Unavailable(_in_words(error)) from None

    # --- the schema ------------------------------------------------------------------------------

    def version(self) -> str | None:
        """The version of the schema there, ``None`` in an empty database."""
        with self._transaction(read_only=True) as connection:
            return _version(connection)

    def check(self) -> None:
        """Refuses a schema that is not this program's, and makes no file of another name."""
        there = self._file is None or self._file.exists()
        version = self.version() if there else None
        if version != VERSION:
            raise SchemaError(version, VERSION)

    def upgrade(self) -> tuple[str | None, str]:
        """Brings the schema to this program's version; from which, to which."""
        with self._transaction() as connection:
            if not self.is_sqlite:  # of several that start, one works and the others wait
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(1297110866)")
            before = _version(connection)
            if before is not None and before > VERSION:
                raise SchemaError(before, VERSION)
            if before is None:
                # The same as every migration in turn, which a test compares, without Alembic.
                tables.create_all(connection)
                connection.execute(_version_table.insert().values(version_num=VERSION))
            elif before != VERSION:
                _migrate(connection)
        return before, VERSION

    def unknown_codes(self) -> list[dict[str, Any]]:
        """The codes that were not known, with how often and when last they were sent."""
        own = unknown_codes.c
        count = sa.func.sum(own.count).label("count")
        last = sa.func.max(own.day).label("last")
        found = (
            sa.select(own.need, own.system, own.code, count, last)
            .group_by(own.need, own.system, own.code)
            .order_by(count.desc(), own.need, own.system, own.code)
        )
        with self._transaction(read_only=True) as connection:
            return _listed(connection, found)

    # --- reading it back, and forgetting ---------------------------------------------------------

    def find(self, name: str) -> list[str]:
        """The consultations that ``name`` refers to: an id, a hook instance, or a card's uuid."""
        by_card = sa.select(cards.c.consultation).where(cards.c.uuid == name)
        found = (
            sa.select(consultations.c.id)
            .where(
                sa.or_(
                    consultations.c.id == name,
                    consultations.c.hook_instance == name,
                    consultations.c.id.in_(by_card),
                )
            )
            .order_by(consultations.c.id)
        )
        with self._transaction(read_only=True) as connection:
            return list(connection.execute(found).scalars())

    def consultation(self, name: str) -> dict[str, Any]:
        """Everything kept of one consultation, with the feedback on its cards."""
        with self._transaction(read_only=True) as connection:
            (found,) = _listed(
                connection, sa.select(consultations).where(consultations.c.id == name)
            )
            if found["overrides"]:
                found["overrides_text"] = connection.execute(
                    sa.select(overrides.c.text).where(overrides.c.digest == found["overrides"])
                ).scalar()
            _add_cards(connection, [found])
            for card in found["cards"]:
                own = sa.select(feedback).where(
                    feedback.c.card == card["uuid"],
                    feedback.c.client.is_not_distinct_from(found["client"]),
                    feedback.c.service == found["service"],
                )
                card["feedback"] = _listed(
                    connection, own.order_by(feedback.c.outcome_at, feedback.c.id)
                )
                _add_parts_back(connection, card["feedback"])
            return found

    def consultations(self, chosen: Selection) -> Iterator[dict[str, Any]]:
        """The consultations of a selection in order of time, each with its cards."""
        own = consultations.c
        statement = sa.select(consultations).where(*_chosen(chosen, consultations, own.at))
        for page in self._pages(statement, own.at, own.id):
            with self._transaction(read_only=True) as connection:
                _add_cards(connection, page)
            yield from page

    def feedback(self, chosen: Selection) -> Iterator[dict[str, Any]]:
        """The feedback received in the time of a selection, in order of time. ``consultation`` is
        the first one that answered with its card, ``None`` where none is kept."""
        own = feedback.c
        statement = sa.select(feedback).where(*_chosen(chosen, feedback, own.received_at))
        for page in self._pages(statement, own.received_at, own.id):
            with self._transaction(read_only=True) as connection:
                _add_parts_back(connection, page)
                found = sa.select(
                    cards.c.uuid,
                    consultations.c.service,
                    consultations.c.client,
                    sa.func.min(consultations.c.id).label("id"),
                )
                found = found.join(consultations).where(
                    cards.c.uuid.in_({item["card"] for item in page}),
                    consultations.c.arm == LIVE,
                )
                found = found.group_by(
                    cards.c.uuid, consultations.c.service, consultations.c.client
                )
                shown = {tuple(row[:3]): row.id for row in connection.execute(found)}
            for item in page:
                item["consultation"] = shown.get((item["card"], item["service"], item["client"]))
            yield from page

    def rows(
        self, chosen: Selection, read: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict
    ) -> Rows:
        """What a report counts. All of it is in memory at once, about 2 KB per call. ``read`` takes
        the free words out of an item of feedback, or opens them."""
        calls: list[Call] = []
        answers: dict[str, Answer] = {}
        page: list[dict[str, Any]] = []

        def take() -> None:
            calls.extend(_call(one) for one in page)
            uuids = {card["uuid"] for one in page for card in one["cards"]}
            with self._transaction(read_only=True) as connection:
                found = _listed(connection, sa.select(feedback).where(feedback.c.card.in_(uuids)))
                _add_parts_back(connection, found)
            found = [{**read(item), "card": item["card"]} for item in found]
            answers.update((item["id"], _answer(item)) for item in found)
            page.clear()

        for one in self.consultations(chosen):
            page.append(one)
            if len(page) == _PAGE:
                take()
        take()
        known = sa.exists().where(cards.c.uuid == feedback.c.card)
        unknown = sa.select(sa.func.count()).select_from(feedback)
        unknown = unknown.where(*_chosen(chosen, feedback, feedback.c.received_at), ~known)
        with self._transaction(read_only=True) as connection:
            return Rows(calls, list(answers.values()), connection.execute(unknown).scalar_one())

    def _pages(
        self, statement: sa.Select[Any], moment: sa.Column[Any], name: sa.Column[Any]
    ) -> Iterator[list[dict[str, Any]]]:
        """The rows of ``statement`` in order of ``moment``, some at a time."""
        statement = statement.order_by(moment, name).limit(_PAGE)
        rest = statement
        while True:
            with self._transaction(read_only=True) as connection:
                page = _listed(connection, rest)
            yield page
            if len(page) < _PAGE:
                return
            last = page[-1]
            at, same = last[moment.name], last[name.name]
            rest = statement.where(sa.or_(moment > at, sa.and_(moment == at, name > same)))

    def prune(self, before: datetime, batch: int = 5000) -> Mapping[str, int]:
        """Forgets what is older, in steps short enough to let calls in between."""
        day = before.astimezone(UTC).date()
        named = sa.select(consultations.c.overrides).where(
            consultations.c.overrides == overrides.c.digest
        )
        forgotten = {
            "consultations": self._prune(consultations, consultations.c.at < before, batch),
            "feedback": self._prune(feedback, feedback.c.received_at < before, batch),
            "unknown codes": self._prune(unknown_codes, unknown_codes.c.day < day, batch),
            # What is in force may be older than every call that is kept.
            "settings": self._prune(
                overrides, (overrides.c.first_seen < before) & ~named.exists(), batch
            ),
        }
        self._drop_chains(before)
        if self._file is not None:
            self._clear_log(self._file)
        return forgotten

    def _prune(self, table: sa.Table, old: sa.ColumnElement[bool], batch: int) -> int:
        forgotten = 0
        own = list(table.primary_key)
        while True:
            some = sa.select(*own).where(old).limit(batch)
            with self._transaction() as connection:
                gone = table.delete().where(sa.tuple_(*own).in_(some))
                if table in _CHAINED:
                    moment = _CHAINED[table]
                    link = table.c.chain, table.c.number, table.c.hash, moment
                    found = connection.execute(gone.returning(*link)).all()
                    done = len(found)
                    _note_pruned(connection, [row for row in found if row.chain is not None])
                else:
                    done = connection.execute(gone).rowcount
            forgotten += done
            if done < batch:
                return forgotten

    def _drop_chains(self, before: datetime) -> None:
        """Forgets the chains that began first and of which no row is left, but never the last."""
        with self._transaction() as connection:
            if not self.is_sqlite:  # a process that begins one names the last that is there
                connection.exec_driver_sql("SELECT pg_advisory_xact_lock(1297110867)")
            left = connection.execute(sa.select(chains).order_by(chains.c.place)).mappings().all()
            for one in left[:-1]:
                own = pruned_rows.c.chain == one["chain"]
                all_of_it = (pruned_rows.c.first == 1) & (pruned_rows.c.last == one["number"])
                empty = one["number"] == 0 and one["began"] < before
                gone = sa.select(sa.literal(1)).where(own & all_of_it)
                if not empty and connection.execute(gone).first() is None:
                    return
                connection.execute(pruned_rows.delete().where(own))
                connection.execute(chains.delete().where(chains.c.chain == one["chain"]))

    # --- whether it is what was written ----------------------------------------------------------

    def heads(self) -> list[dict[str, Any]]:
        """The chains with their last rows, in the order they began."""
        with self._transaction(read_only=True) as connection:
            return _listed(connection, sa.select(chains).order_by(chains.c.place))

    def verify(self, wanted: Sequence[str] = ()) -> Verified:
        """Holds every row against its chain, as all of them are at one moment, however many are
        written meanwhile. ``wanted`` are hashes kept elsewhere."""
        with self._transaction(read_only=True) as connection:
            if not self.is_sqlite:
                connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            begun = _listed(connection, sa.select(chains))
            pruned = [Pruned(**row) for row in _listed(connection, sa.select(pruned_rows))]
            verification = Verification(begun, pruned, wanted)
            both = merge(_calls(connection), _feedback(connection), key=lambda row: row[2][:2])
            for kind, name, link, content in both:
                verification.row(kind, name, link, content)
            named = sa.select(consultations.c.overrides).where(
                consultations.c.overrides.is_not(None), consultations.c.chain.is_not(None)
            )
            names = set(connection.execute(named.distinct()).scalars())
            verification.end(_listed(connection, sa.select(overrides)), names)
            first = min((one["began"] for one in begun), default=None)
            unchained, later = 0, None
            for table, moment in _CHAINED.items():
                found = sa.select(sa.func.count(), sa.func.max(moment)).where(
                    table.c.chain.is_(None)
                )
                count, last = connection.execute(found).one()
                unchained += count
                later = max(filter(None, (later, last)), default=None)
        return Verified(verification, unchained, first, later)

    def seal(self, seals: Seals, offered: audit.Offered) -> int:
        """Encrypts the free words that are in the clear or under another key than the first; of how
        many items. Their chains are not touched: no hash depends on these words."""
        done = 0
        own = feedback.c
        for page in self._pages(sa.select(feedback), own.received_at, own.id):
            with self._transaction() as connection:
                _add_parts_back(connection, page)
                for row in page:
                    done += _seal(connection, row, seals, offered)
        if self._file is not None:
            self._clear_log(self._file)
        return done

    def backup(self, to: Path) -> None:
        """Copies an SQLite file as it is at one moment, while others write to it."""
        assert self._file is not None  # noqa: S101 - asked by the command
        try:
            with (
                closing(sqlite.connect(self._file, _WAIT_S)) as here,
                closing(sqlite.connect(to, _WAIT_S)) as there,
            ):
                here.backup(there)
                there.execute("PRAGMA journal_mode = DELETE")  # one file, without a log
        except sqlite3.Error as error:
            raise Unavailable(_in_words(error)) from None

    def compact(self) -> None:
        """Rewrites the file, or each table, without what was deleted; calls wait meanwhile."""
        try:
            if self._file is not None:
                with closing(sqlite.connect(self._file, _WAIT_S)) as file:
                    file.execute("VACUUM")
                self._clear_log(self._file)
                return
            with self._engine.connect() as connection:
                alone = connection.execution_options(isolation_level="AUTOCOMMIT")
                alone.exec_driver_sql("VACUUM FULL")
        except (sa.exc.DBAPIError, sqlite3.Error) as error:
            raise Unavailable(_in_words(error)) from None

    @staticmethod
    def _clear_log(file: Path) -> None:
        """What was deleted is still in SQLite's log, until it is written back and emptied."""
        for _ in range(_CLEARINGS):
            with closing(sqlite.connect(file, _WAIT_S)) as connection:
                if sqlite.write_back(connection):
                    return
        raise Unavailable("its log could not be emptied, another process is reading: run it again")


#: What is chained, and when it was made.
_CHAINED: Mapping[sa.Table, sa.Column[Any]] = {
    consultations: consultations.c.at,
    feedback: feedback.c.received_at,
}
#: A row in a chain: its kind, its name, its place and what the chain says of it.
_Link = tuple[str, str, Head, bytes]


class Verified(NamedTuple):
    """What became of a verification. ``unchained`` rows are of no chain, the youngest of them made
    at ``unchained_until``; the first chain began at ``since``."""

    chained: Verification
    unchained: int
    since: datetime | None
    unchained_until: datetime | None


def _calls(connection: Connection) -> Iterator[_Link]:
    # Text as it is, not what is read from it.
    columns = [
        sa.type_coerce(one, _text).label(one.name) if isinstance(one.type, _Json) else one
        for one in consultations.c
    ]
    for page in _in_chains(connection, consultations, columns):
        parts: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        for table in (cards, suggestions):
            own = table.c.consultation.in_({row["id"] for row in page})
            ordered = sa.select(table).where(own).order_by(*table.primary_key)
            for one in _listed(connection, ordered):
                parts[table.name, one["consultation"]].append(one)
        for row in page:
            name = row["id"]
            content = chain.of_call(row, parts["cards", name], parts["suggestions", name])
            yield chain.CALL, name, _head_of(row), content


def _feedback(connection: Connection) -> Iterator[_Link]:
    for page in _in_chains(connection, feedback, list(feedback.c)):
        _add_parts_back(connection, page)
        for row in page:
            taken, reasons = row.pop("accepted"), row.pop("reasons")
            content = chain.of_feedback(row, taken, reasons)
            yield chain.FEEDBACK, row["id"], _head_of(row), content


def _head_of(row: Mapping[str, Any]) -> Head:
    return Head(row["chain"], row["number"], row["hash"])


def _in_chains(
    connection: Connection, table: sa.Table, columns: list[Any]
) -> Iterator[list[dict[str, Any]]]:
    """The rows of a table that are in chains, in the order of these, some at a time."""
    own = table.c
    ordered = sa.select(*columns).where(own.chain.is_not(None), own.number.is_not(None))
    ordered = ordered.order_by(own.chain, own.number).limit(_PAGE)
    rest = ordered
    while page := _listed(connection, rest):
        at = sa.tuple_(sa.literal(page[-1]["chain"]), sa.literal(page[-1]["number"]))
        rest = ordered.where(sa.tuple_(own.chain, own.number) > at)
        yield page


def _seal(
    connection: Connection, row: Mapping[str, Any], seals: Seals, offered: audit.Offered
) -> bool:
    """Whether anything of an item of feedback had to be encrypted."""
    one = feedback.c.id == row["id"]
    if row["sealed"]:
        words = seals.sealed_again(row["sealed"])
        if words is not None:
            connection.execute(feedback.update().where(one).values(sealed=words))
        return words is not None
    # A reason that was offered when it was written stays, since its chain has it; how it was
    # displayed then is not known.
    before = {(r["system"], r["code"]): "" for r in row["reasons"] if r["offered"]}
    kept, words = seals.seal(_answer(row).said, {**before, **offered})
    if words is None:
        return False
    new: dict[str, Any] = {"comment": kept.comment or None, "extension": kept.extension or None}
    connection.execute(feedback.update().where(one).values(card=kept.card, sealed=words, **new))
    for position, name in enumerate(kept.accepted):
        own = accepted_suggestions.c
        which = (own.feedback == row["id"]) & (own.position == position)
        connection.execute(accepted_suggestions.update().where(which).values(suggestion=name))
    for position, reason in enumerate(kept.reasons):
        of = override_reasons.c
        which = (of.feedback == row["id"]) & (of.position == position)
        said = {"system": reason.system, "code": reason.code, "display": reason.display}
        connection.execute(override_reasons.update().where(which).values(said))
    return True


def _note_pruned(connection: Connection, rows: Iterable[Any]) -> None:
    """Leaves the hash of rows that are forgotten, as few as are needed to go on from."""
    made = [Pruned(row.chain, row.number, row.number, row.hash, row[3]) for row in rows]
    if not made:
        return
    own = pruned_rows.c.chain.in_({one.chain for one in made})
    known = [Pruned(**row) for row in _listed(connection, sa.select(pruned_rows).where(own))]
    connection.execute(pruned_rows.delete().where(own))
    left = [one._asdict() for one in chain.joined([*known, *made])]
    connection.execute(pruned_rows.insert(), left)


_version_table = sa.Table(
    "alembic_version",
    tables,
    sa.Column("version_num", sa.String(32), primary_key=True),
)


def _version(connection: Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.select(_version_table.c.version_num)).scalar()


def _migrate(connection: Connection, to: str = "head") -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "cds_service.store:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, to)


def _listed(connection: Connection, statement: sa.Select[Any]) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(statement).mappings()]


def _chosen(
    chosen: Selection, table: sa.Table, moment: sa.Column[Any]
) -> Iterator[sa.ColumnElement[bool]]:
    if chosen.since is not None:
        yield moment >= chosen.since
    if chosen.until is not None:
        yield moment < chosen.until
    if chosen.services:
        yield table.c.service.in_(chosen.services)
    if chosen.clients:
        yield table.c.client.in_(chosen.clients)


def _add_cards(connection: Connection, rows: Iterable[dict[str, Any]]) -> None:
    """Gives each consultation its cards, and each card its suggestions."""
    by_name = {row["id"]: row for row in rows}
    of_cards: dict[tuple[str, int], dict[str, Any]] = {}
    for row in by_name.values():
        row["cards"] = []
    own = cards.c.consultation.in_(by_name)
    for card in _listed(connection, sa.select(cards).where(own).order_by(cards.c.position)):
        card["suggestions"] = []
        of_cards[card["consultation"], card["position"]] = card
        by_name[card["consultation"]]["cards"].append(card)
    offered = sa.select(suggestions).where(suggestions.c.consultation.in_(by_name))
    for one in _listed(connection, offered.order_by(suggestions.c.position)):
        place = one["consultation"], one["card"]
        if place in of_cards:  # else someone removed the card: `audit verify` names the row
            of_cards[place]["suggestions"].append(one)


def _add_parts_back(connection: Connection, items: Iterable[dict[str, Any]]) -> None:
    """Gives each item of feedback the suggestions it accepts and its reasons."""
    by_name = {item["id"]: item for item in items}
    for item in by_name.values():
        item["accepted"], item["reasons"] = [], []
    for name, table in (("accepted", accepted_suggestions), ("reasons", override_reasons)):
        own = table.c.feedback.in_(by_name)
        for part in _listed(connection, sa.select(table).where(own).order_by(table.c.position)):
            one = part["suggestion"] if name == "accepted" else part
            by_name[part["feedback"]][name].append(one)


def _call(row: Mapping[str, Any]) -> Call:
    local = f" with local settings {row['overrides'][:8]}" if row["overrides"] else ""
    return Call(
        row["at"],
        row["client"],
        row["service"],
        row["hook"],
        row["hook_instance"],
        row["patient"],
        row["arm"],
        row["status"],
        row["outcome"],
        f"{row['edition']}{local}" if row["edition"] else None,
        tuple(_card(card) for card in row["cards"]),
    )


def _card(row: Mapping[str, Any]) -> audit.Card:
    return audit.Card(
        row["uuid"],
        row["rule"],
        row["text"],
        row["topic"],
        row["indicator"],
        row["digest"],
        tuple(
            audit.Suggested(one["uuid"], one["rule"], one["recommended"])
            for one in row["suggestions"]
        ),
        "" if row["shown"] else row["hidden"] or "not shown",
    )


def _answer(row: Mapping[str, Any]) -> Answer:
    said = Feedback(
        row["card"],
        row["outcome"],
        row["outcome_at"],
        tuple(row["accepted"]),
        tuple(Reason(one["system"], one["code"], one["display"]) for one in row["reasons"]),
        row["comment"] or "",
        row["extension"] or "",
    )
    return Answer(row["client"], row["service"], said)


def _in_words(error: Exception) -> str:
    """What the database says, one line; values are never part of it, see ``hide_parameters``."""
    cause = getattr(error, "orig", None) or error
    line = str(cause).strip().splitlines()
    return f"{type(cause).__name__}: {line[0][:200]}" if line else type(cause).__name__
