"""The tables and every statement on them, over SQLite and PostgreSQL alike.

Everything here waits for the database, and importing it takes long: `keeping` does both in the
background. An `Unavailable` database may work again later; a `SchemaError` needs the operator.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Connection, Engine, make_url

from cds_service import __version__
from cds_service.cdshooks.feedback import Feedback, Reason
from cds_service.errors import SchemaError, Unavailable
from cds_service.store import audit
from cds_service.store.audit import Pseudonyms
from cds_service.store.migrations import VERSION
from cds_service.store.reports.figures import LIVE, Answer, Call, Rows, Selection

#: How long a call may wait for another's write, and how long a command.
WAIT_S = 2
_PATIENT_WAIT_S = 30
_READ_ONLY = {"cds_read_only": True}
#: Rows read at a time, so that a long report does not hold up others.
_PAGE = 500
_is_uuid = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}").fullmatch


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
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
    }
)
_text = sa.Text

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


class Stored(NamedTuple):
    """The items of feedback that were new; how many had come before or are about unknown cards."""

    new: tuple[Feedback, ...]
    repeated: int
    unknown: int


def _engine(url: URL, patient: bool) -> Engine:
    if url.get_backend_name() == "sqlite":
        engine = sa.create_engine(url, hide_parameters=True, pool_timeout=WAIT_S)
        wait_s = _PATIENT_WAIT_S if patient else WAIT_S
        sa.event.listen(engine, "connect", partial(_open_sqlite, wait_s=wait_s))
        sa.event.listen(engine, "begin", _begin_sqlite)
        return engine
    limits = "" if patient else f"-c statement_timeout=5s -c lock_timeout={WAIT_S}s"
    return sa.create_engine(
        url.set(drivername="postgresql+psycopg"),
        hide_parameters=True,
        pool_pre_ping=True,
        pool_timeout=WAIT_S,
        connect_args={"connect_timeout": WAIT_S, "tcp_user_timeout": 5000, "options": limits},
    )


def _open_sqlite(connection: Any, _: object, wait_s: int) -> None:
    connection.isolation_level = None  # the driver begins no transaction; `_begin_sqlite` does
    connection.execute(f"PRAGMA busy_timeout = {wait_s * 1000}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_sqlite(connection: Connection) -> None:
    """A writer takes the lock at once: one that begins by reading would fail where it writes."""
    reads = connection.get_execution_options().get("cds_read_only")
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


class Database:
    """One database. ``patient`` lets statements take their time: commands, not calls."""

    def __init__(self, url: str, *, patient: bool = False) -> None:
        self._url = make_url(url)
        self._engine = _engine(self._url, patient)
        self._insert = (sqlite if self.is_sqlite else postgresql).insert
        self._writers = [
            _Writer.of(table, sqlite=self.is_sqlite)
            for table in (consultations, cards, suggestions)
        ]
        self._file = Path(self._url.database or "") if self.is_sqlite else None
        self._seen: tuple[int, int] | None = None

    @property
    def is_sqlite(self) -> bool:
        return self._url.get_backend_name() == "sqlite"

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _transaction(self, *, read_only: bool = False) -> Iterator[Connection]:
        """A transaction; anything that keeps the database from working is `Unavailable`."""
        try:
            self._notice_exchange()
            with self._engine.connect() as connection:
                if read_only:
                    connection = connection.execution_options(**_READ_ONLY)
                with connection.begin():
                    yield connection
        except (sa.exc.IntegrityError, sa.exc.DataError):  # the fault of what was to be written
            raise
        except (sa.exc.DBAPIError, sa.exc.TimeoutError, OSError) as error:
            raise Unavailable(_in_words(error)) from None

    def _notice_exchange(self) -> None:
        """SQLite goes on writing into a file that was deleted or replaced, to no effect."""
        if self._file is None:
            return
        try:
            status = os.stat(self._file)
            there = (status.st_dev, status.st_ino)
        except FileNotFoundError:
            there = None
        if self._seen is not None and there != self._seen:
            self._engine.dispose()
            self._seen = None
            self.prepare()
        elif there is not None:
            self._seen = there

    def _add(self, connection: Connection, table: sa.Table, row: Mapping[str, Any]) -> bool:
        """Whether ``row`` was not there before."""
        statement = self._insert(table).values(row).on_conflict_do_nothing()
        counted = statement.execution_options(preserve_rowcount=True)
        return connection.execute(counted).rowcount == 1

    # --- the schema ------------------------------------------------------------------------------

    def version(self) -> str | None:
        """The version of the schema there, ``None`` in an empty database."""
        with self._transaction(read_only=True) as connection:
            return _version(connection)

    def prepare(self) -> None:
        """Ensures the schema: an SQLite file is made and brought up to date if needed."""
        version = self.version()
        if version == VERSION:
            return
        if not self.is_sqlite:
            raise SchemaError(version, VERSION)
        self.upgrade()

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

    # --- what is recorded ------------------------------------------------------------------------

    def record(
        self, kept: Sequence[audit.Kept], pseudonyms: Pseudonyms, local: str, tried: str = ""
    ) -> None:
        """All of ``kept`` or nothing; ``local`` are the overrides in force, whole, and ``tried``
        those of the other arm."""
        live, other = (sha256(one.encode()).hexdigest() if one else None for one in (local, tried))
        of_tables = _rows(kept, pseudonyms, live, other)
        with self._transaction() as connection:
            for digest, text in ((live, local), (other, tried)):
                if digest:
                    row = {"digest": digest, "text": text, "first_seen": of_tables[0][0]["at"]}
                    self._add(connection, overrides, row)
            self._count_unknown_codes(connection, kept)
            for writer, rows in zip(self._writers, of_tables, strict=True):
                writer.write(connection, rows)

    def _count_unknown_codes(self, connection: Connection, kept: Sequence[audit.Kept]) -> None:
        """Counts each call once, however often it is written; that is done before the call is."""
        with_codes = [one for one in kept if one.call.evaluation and one.call.evaluation.unknown]
        if not with_codes:
            return
        written = sa.select(consultations.c.id).where(
            consultations.c.id.in_([one.id for one in with_codes])
        )
        before = set(connection.execute(written).scalars())
        counted = Counter(
            (datetime.fromtimestamp(one.at, UTC).date(), *code)
            for one in with_codes
            if one.id not in before and one.call.evaluation
            for code in one.call.evaluation.unknown
        )
        if not counted:
            return
        insert = self._insert(unknown_codes)
        own = list(unknown_codes.primary_key)
        add = insert.on_conflict_do_update(
            index_elements=own, set_={"count": unknown_codes.c.count + insert.excluded.count}
        )
        names = [column.name for column in own]
        rows = [  # in one order, so that two writers wait for each other at most once
            dict(zip(names, code, strict=True)) | {"count": count}
            for code, count in sorted(counted.items())
        ]
        connection.execute(add, rows)

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

    def add_feedback(
        self, service: str, client: str | None, items: Sequence[Feedback], now: datetime
    ) -> Stored:
        """All of ``items`` or nothing, safe on disk when this returns."""
        new = []
        with self._transaction() as connection:
            for item in items:
                name = _feedback_id(service, client, item)
                row = {
                    "id": name,
                    "received_at": now,
                    "client": client,
                    "service": service,
                    "card": item.card,
                    "outcome": item.outcome,
                    "outcome_at": item.outcome_at,
                    "comment": item.comment or None,
                    "extension": item.extension or None,
                }
                if not self._add(connection, feedback, row):
                    continue
                new.append(item)
                _add_parts(connection, name, item)
            wanted = {item.card for item in items}
            own = (
                sa.select(cards.c.uuid)
                .join(consultations)
                .where(
                    cards.c.uuid.in_(wanted),
                    consultations.c.client.is_not_distinct_from(client),
                    consultations.c.service == service,
                )
            )
            known = connection.execute(own.distinct())
            unknown = wanted - set(known.scalars())
        return Stored(
            tuple(new), len(items) - len(new), sum(item.card in unknown for item in items)
        )

    def use_token(self, issuer: str, jti: str, expires: datetime) -> bool:
        """Whether this token was never used before; of several that ask at once, one gets true."""
        token = sha256(f"{len(issuer)}|{issuer}|{jti}".encode()).hexdigest()
        row = {"token": token, "expires": expires}
        with self._transaction() as connection:
            return self._add(connection, used_tokens, row)

    def forget_tokens(self, before: datetime) -> int:
        with self._transaction() as connection:
            done = connection.execute(used_tokens.delete().where(used_tokens.c.expires < before))
            return done.rowcount

    def overridden(
        self, client: str | None, patient: str, since: datetime
    ) -> dict[audit.Content, datetime]:
        """What was shown for ``patient`` and last answered with an override since then, and when.

        ``patient`` is as it is kept. A report whose card cannot be identified, since a client
        gave two calls one ``hookInstance``, says nothing. The client's clock may bring a
        moment forward, never postpone it.
        """
        same_client = feedback.c.client.is_not_distinct_from(consultations.c.client)
        columns = (cards.c.rule, cards.c.text, cards.c.topic, cards.c.indicator, cards.c.digest)
        answered = (
            sa.select(
                cards.c.uuid,
                *columns,
                feedback.c.outcome,
                feedback.c.outcome_at,
                feedback.c.received_at,
            )
            .join_from(consultations, cards, cards.c.consultation == consultations.c.id)
            .join(feedback, feedback.c.card == cards.c.uuid)
            .where(
                consultations.c.patient == patient,
                consultations.c.client.is_not_distinct_from(client),
                consultations.c.arm == "live",
                feedback.c.service == consultations.c.service,
                same_client,
                feedback.c.received_at >= since,
                cards.c.shown,
            )
        )
        with self._transaction(read_only=True) as connection:
            reports = connection.execute(answered).all()
            if not reports:
                return {}
            bearers = connection.execute(
                sa.select(cards.c.uuid, consultations.c.patient, *columns)
                .join_from(cards, consultations, cards.c.consultation == consultations.c.id)
                .where(cards.c.uuid.in_({one.uuid for one in reports}))
                .distinct()
            ).all()
        known = Counter(one.uuid for one in bearers)
        last: dict[audit.Content, tuple[datetime, bool]] = {}
        for one in reports:
            at = min(one.outcome_at, one.received_at)
            # A report on one of several keeps its moment: it can only end a silence.
            overrides_it = one.outcome == "overridden" and known[one.uuid] == 1
            content = audit.Content(one.rule, one.text, one.topic, one.indicator, one.digest)
            last[content] = max(
                last.get(content, (at, overrides_it)), (at, overrides_it), key=_when
            )
        return {content: at for content, (at, stands) in last.items() if stands and at >= since}

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

    def rows(self, chosen: Selection) -> Rows:
        """What a report counts. All of it is in memory at once, about 2 KB per call."""
        calls: list[Call] = []
        answers: dict[str, Answer] = {}
        page: list[dict[str, Any]] = []

        def take() -> None:
            calls.extend(_call(one) for one in page)
            uuids = {card["uuid"] for one in page for card in one["cards"]}
            with self._transaction(read_only=True) as connection:
                found = _listed(connection, sa.select(feedback).where(feedback.c.card.in_(uuids)))
                _add_parts_back(connection, found)
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
        return {
            "consultations": self._prune(consultations, consultations.c.at, before, batch),
            "feedback": self._prune(feedback, feedback.c.received_at, before, batch),
            "unknown codes": self._prune_unknown_codes(before),
        }

    def _prune_unknown_codes(self, before: datetime) -> int:
        """They are few: a row for each code and day."""
        old = unknown_codes.delete().where(unknown_codes.c.day < before.astimezone(UTC).date())
        with self._transaction() as connection:
            return connection.execute(old).rowcount

    def _prune(self, table: sa.Table, moment: sa.Column[Any], before: datetime, batch: int) -> int:
        forgotten = 0
        while True:
            some = sa.select(table.c.id).where(moment < before).limit(batch)
            with self._transaction() as connection:
                done = connection.execute(table.delete().where(table.c.id.in_(some))).rowcount
            forgotten += done
            if done < batch:
                return forgotten


def _when(answer: tuple[datetime, bool]) -> tuple[datetime, bool]:
    """Later is greater; of answers at the same moment, one that is not an override."""
    return answer[0], not answer[1]


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


class _Writer(NamedTuple):
    """How rows get into one table by the driver itself. Calls are kept all day long, and what
    SQLAlchemy does for each of their values costs more than the database does."""

    statement: str
    values: Callable[[Mapping[str, Any]], tuple[Any, ...]]
    at: int | None

    @classmethod
    def of(cls, table: sa.Table, *, sqlite: bool) -> _Writer:
        names = [column.name for column in table.columns]
        sign = "?" if sqlite else "%s"
        statement = (
            f"INSERT INTO {table.name} ({', '.join(names)})"  # noqa: S608 - names of our own
            f" VALUES ({', '.join(sign for _ in names)}) ON CONFLICT DO NOTHING"
        )
        at = names.index("at") if sqlite and "at" in names else None
        return cls(statement, itemgetter(*names), at)

    def write(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        if not rows:
            return
        values = [self.values(row) for row in rows]
        if self.at is not None:  # SQLite has no moments, only how they are written
            values = [
                (*one[: self.at], _written(one[self.at]), *one[self.at + 1 :]) for one in values
            ]
        connection.exec_driver_sql(self.statement, values)


def _written(moment: datetime) -> str:
    """As `_Moment` writes it into SQLite."""
    return moment.replace(tzinfo=None).isoformat(" ", "microseconds")


def _json(value: object) -> str:
    """As `_Json` writes it."""
    return msgspec.json.encode(value).decode()


def _rows(
    kept: Iterable[audit.Kept],
    pseudonyms: Pseudonyms,
    live: str | None,
    tried: str | None,
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    rows, card_rows, suggestion_rows = [], [], []
    for one in kept:
        done = one.call.evaluation
        overrides = tried if done and done.arm != "live" else live
        rows.append(
            {
                "id": one.id,
                "at": datetime.fromtimestamp(one.at, UTC),
                **_asked(one.call, pseudonyms),
                **(_NOT_EVALUATED if done is None else _evaluated(done)),
                "overrides": overrides,
                "version": __version__,
            }
        )
        for position, card in enumerate(done.cards if done else ()):
            card_rows.append(_card_row(one.id, position, card))
            suggestion_rows += [
                {
                    "consultation": one.id,
                    "card": position,
                    "position": index,
                    "uuid": suggested.uuid,
                    "rule": suggested.rule,
                    "recommended": suggested.recommended,
                }
                for index, suggested in enumerate(card.suggestions)
            ]
    return rows, card_rows, suggestion_rows


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
        "fhir_server": call.fhir_server or None,
        "ms": call.ms,
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


def _feedback_id(service: str, client: str | None, item: Feedback) -> str:
    """The same for the same report sent again, another for anything else."""
    return sha256(msgspec.json.encode((service, client, item))).hexdigest()


def _add_parts(connection: Connection, name: str, item: Feedback) -> None:
    accepted = [
        {"feedback": name, "position": index, "suggestion": uuid}
        for index, uuid in enumerate(item.accepted)
    ]
    if accepted:
        connection.execute(accepted_suggestions.insert(), accepted)
    reasons = [
        {
            "feedback": name,
            "position": index,
            "system": reason.system,
            "code": reason.code,
            "display": reason.display,
        }
        for index, reason in enumerate(item.reasons)
    ]
    if reasons:
        connection.execute(override_reasons.insert(), reasons)


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
        of_cards[one["consultation"], one["card"]]["suggestions"].append(one)


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
    )
    return Answer(row["client"], row["service"], said)


def _in_words(error: Exception) -> str:
    """What the database says, one line; values are never part of it, see ``hide_parameters``."""
    cause = getattr(error, "orig", None) or error
    line = str(cause).strip().splitlines()
    return f"{type(cause).__name__}: {line[0][:200]}" if line else type(cause).__name__
