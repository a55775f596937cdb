"""The same run over many machines, by Spark: what `running` does in files, as data frames.

Spark hands out the lines as bytes and never looks into them: it would make a month its first day,
and a late decimal a whole number. Its executors run the same code as a worker of one machine, on
lines in another order; each row carries where its line was, so that a child's resources come
together in the order of the source, and children in the order of one machine. The bytes are the
same.

Only this module loads PySpark, and only for a run that asks for it.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec
from msgspec import Struct, structs

from cds_service import PROGRAM
from cds_service.consultation.cohort.judging import Figures
from cds_service.consultation.cohort.running import (
    WORKER_MB,
    CohortError,
    Done,
    Job,
    Sorted,
    added,
    complaints,
    judge_of,
    kinds_of,
    service_of,
    together,
)
from cds_service.consultation.cohort.sources import (
    HEAD,
    LONGEST,
    Form,
    Line,
    Trouble,
    form_of,
    pieces_of,
)
from cds_service.consultation.cohort.splitting import (
    Joint,
    Kept,
    Parts,
    Reader,
    Split,
    shared,
)

#: Rows of the outcome travel together, up to so many bytes.
_TOGETHER = 1 << 20

#: What a row is: a resource of a child, one side of a key, or what a stretch of work came to.
_OF_A_CHILD, _OF_A_KEY, _TOLD = 0, 1, 2
#: ``part`` and ``child`` say where a row goes: to one of the parts, and within it to a child, or
#: both to a key; ``key``, ``file``, ``start``, ``line`` and ``entry`` in which order.
_ROWS = (
    "what int, part int, child binary, key binary,"
    " file int, start bigint, line bigint, entry int, held binary"
)
_IN_ORDER = ("child", "key", "file", "start", "line", "entry")
_OUTCOME = "rows binary, cards binary, figures binary"

_pack = msgspec.msgpack.Encoder().encode
_kept = msgspec.msgpack.Decoder(Kept).decode
_joint = msgspec.msgpack.Decoder(Joint).decode


class Stretch(Struct, frozen=True):
    """What one stretch of a file came to: where it starts, how many lines it has, and, of the
    first, what the file is."""

    file: str
    start: int
    lines: int
    form: Form | None
    split: Split


def run(job: Job, tell: Callable[[str, int, int, int], None]) -> Done:
    """Everything up to the lines of every child, as `running.run`. A run that is broken off leaves
    nothing: what tasks did is kept by Spark, and only while it runs."""
    aside = () if _is_elsewhere(job) else _aside(job)
    out, folder = Path(job.out), job.folder
    if out.exists() and any(out.iterdir()):
        raise CohortError(f"{job.out} is not empty: give a folder of its own to every run.")
    with complaints(), _spark(job) as spark:
        folder.mkdir(parents=True, mode=0o700)
        try:
            return _done(job, spark, aside, tell)
        except BaseException:
            shutil.rmtree(folder)
            raise


def _done(
    job: Job, spark: Any, aside: Iterable[str], tell: Callable[[str, int, int, int], None]
) -> Done:
    from pyspark import StorageLevel

    tell("split", 0, 1, 0)
    read = _lines(job, spark)
    parts = Parts(
        max(read.rdd.getNumPartitions(), 2 * spark.sparkContext.defaultParallelism),
        job.key[:64],
    )
    names = sorted(map(_named, read.inputFiles()), key=_walked)
    order = {name: number for number, name in enumerate(names)}
    lines = read.mapInArrow(_Sorts(job, parts, order), _ROWS).persist(StorageLevel.DISK_ONLY)
    told = [msgspec.json.decode(row.held, type=Stretch) for row in _told(lines)]
    source, left = _gathered(job, told)
    tell("split", 1, 1, 0)

    joints = lines.where(f"what = {_OF_A_KEY}").repartitionById(parts.count, "part")
    paired = (
        joints.sortWithinPartitions(*_IN_ORDER)
        .mapInArrow(_Pairs(parts), _ROWS)
        .persist(StorageLevel.DISK_ONLY)
    )
    tell("paired", 0, 1, 0)
    nobody = [msgspec.json.decode(row.held, type=dict[str, int]) for row in _told(paired)]
    source = structs.replace(source, nobody=added([source.nobody, *nobody]))
    tell("paired", 1, 1, 0)

    tell("judged", 0, parts.count, 0)
    judged = (
        lines.union(paired)
        .where(f"what = {_OF_A_CHILD}")
        .repartitionById(parts.count, "part")
        .sortWithinPartitions(*_IN_ORDER)
        .mapInArrow(_Judges(job, source.exported), _OUTCOME)
        .persist(StorageLevel.DISK_ONLY)
    )
    figures = Figures()
    for row in judged.where("figures is not null").select("figures").collect():
        figures.join(msgspec.json.decode(row.figures, type=Figures))
    figures.lists = {name: list(rows) for name, rows in figures.listed().items()}
    rows, cards = job.folder / "rows.ndjson", job.folder / "cards-in-order.ndjson"
    with rows.open("wb") as of_rows, cards.open("wb") as of_cards:
        for row in judged.where("figures is null").toLocalIterator():
            of_rows.write(row.rows)
            of_cards.write(row.cards)
    tell("judged", parts.count, parts.count, figures.children)
    return Done(job, source, tuple(sorted({*aside, *left})), figures, (rows,), (cards,))


def _told(frame: Any) -> list[Any]:
    found: list[Any] = frame.where(f"what = {_TOLD}").select("held").collect()
    return found


# --- the session -----------------------------------------------------------------------------


@contextmanager
def _spark(job: Job) -> Iterator[Any]:
    """A session as ``spark-submit`` or ``PYSPARK_SUBMIT_ARGS`` say, or else on this machine."""
    try:
        import pandas  # noqa: F401 - mapInArrow asks for it
        import pyarrow  # noqa: F401
        from py4j.protocol import Py4JError
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    except ImportError:
        raise CohortError(
            "--engine spark needs PySpark, which is not installed with the service: install the"
            f" package with its extra, {PROGRAM}[spark]."
        ) from None
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    if not {"PYSPARK_SUBMIT_ARGS", "PYSPARK_GATEWAY_PORT"} & os.environ.keys():
        os.environ["PYSPARK_SUBMIT_ARGS"] = _on_this_machine(job)
    try:
        session = SparkSession.builder.appName("cohort").getOrCreate()
        try:
            session.sparkContext.setLogLevel("ERROR")
            session.conf.set("spark.sql.inMemoryColumnarStorage.batchSize", "500")
            session.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", "1000")
            yield session
        finally:
            session.stop()
    except (PySparkException, Py4JError) as error:
        raise CohortError(f"Spark: {_cause(error)}") from None


def _on_this_machine(job: Job) -> str:
    """What is submitted without other settings: as many tasks at once as there are workers,
    no page that shows them, and what is put down between steps encrypted."""
    settings = {
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.io.encryption.enabled": "true",
        "spark.sql.files.maxPartitionBytes": str(32 << 20),
        "spark.ui.enabled": "false",
    }
    memory = max(job.memory - job.workers * WORKER_MB, 512)
    told = " ".join(f"--conf {name}={value}" for name, value in settings.items())
    return f"--master local[{job.workers}] --driver-memory {memory}m {told} pyspark-shell"


def _cause(error: Exception) -> str:
    """The one line that says most: what Python raised, or else what caused it all."""
    told = str(error)
    causes = re.findall(r"^(?:: |Caused by: )?([\w.$]+(?:Error|Exception)\b.*)$", told, re.M)
    if not causes:
        return told.strip().partition("\n")[0] or type(error).__name__
    return str(causes[0] if "Traceback" in told else causes[-1])


# --- the files -------------------------------------------------------------------------------


def _is_elsewhere(job: Job) -> bool:
    return "://" in job.source


def _aside(job: Job) -> tuple[str, ...]:
    """The files of a folder on this machine that are not FHIR. Raises `CohortError` where Spark,
    which goes by the name of a file, would read something else than is there, or nothing."""
    source = Path(job.source)
    if not source.exists():
        raise CohortError(f"{source}: there is no such file or folder.")
    found, aside = pieces_of(source, 1 << 40, Path(job.out))
    for one in found:
        packed = one.form == "packed lines"
        if one.form.endswith("document") or packed != one.file.endswith(".gz"):
            raise _unreadable(one.file)
        if any(name.startswith("_") for name in Path(one.file).parts):
            raise CohortError(f"{one.file}: Spark passes over names that begin with _.")
    return tuple(aside)


def _unreadable(file: str) -> CohortError:
    return CohortError(
        f"{file}: Spark reads NDJSON, plain, or packed with gzip under a name that ends in .gz. Run"
        " this source without --engine spark."
    )


def _lines(job: Job, spark: Any) -> Any:
    """Every line as its bytes, with its file and the start of the stretch that it is in."""
    where = job.source
    if not _is_elsewhere(job):
        where = f"file://{Path(where).resolve()}"
        for one in "\\*?[]{},^":
            where = where.replace(one, f"\\{one}")
    text = spark.read.option("recursiveFileLookup", "true").option("lineSep", "\n").text(where)
    return text.selectExpr(
        "cast(value as binary) as value",
        "_metadata.file_path as file",
        "_metadata.file_block_start as start",
    )


def _walked(name: str) -> tuple[tuple[bool, str], ...]:
    """By which names are in the order of a walk: a folder's files before the folders in it."""
    *folders, file = name.split("/")
    return (*((True, one) for one in folders), (False, file))


def _gathered(job: Job, told: Iterable[Stretch]) -> tuple[Sorted, list[str]]:
    """The source, every trouble with the number of its line in the whole file; and the files that
    are none of it."""
    splits, aside = list[Split](), list[str]()
    ordered = sorted(told, key=lambda one: (_walked(one.file), one.start))
    for name, stretches in groupby(ordered, key=lambda one: one.file):
        file, before, form = _below(job, name), 0, None
        for number, one in enumerate(stretches):
            form = one.form if number == 0 else form
            if form in ("document", "packed lines"):
                raise _unreadable(file)
            troubles = [Trouble(file, it.line + before, it.what) for it in one.split.troubles]
            before += one.lines
            if form is not None:
                splits.append(structs.replace(one.split, troubles=tuple(troubles)))
        if form is None:
            aside.append(file)
    if not splits:
        raise CohortError(f"{job.source} holds no file of FHIR resources.")
    return together(job, splits), aside


def _named(address: str) -> str:
    """The path of a file on this machine, however many slashes Spark writes before it, and of one
    elsewhere its address."""
    return re.sub(r"^file:/+", "/", unquote(address))


def _below(job: Job, name: str) -> str:
    """A file's path below the source, and of a source elsewhere its address."""
    if _is_elsewhere(job):
        return name
    source, path = Path(job.source).resolve(), Path(name)
    return path.name if path == source else path.relative_to(source).as_posix()


# --- what an executor does ---------------------------------------------------------------------


def _arrow(rows: Iterable[tuple[Any, ...]], schema: str) -> Iterator[Any]:
    """Rows in batches of Arrow, none much larger than what travels together."""
    import pyarrow

    kinds = {"int": pyarrow.int32(), "bigint": pyarrow.int64(), "binary": pyarrow.binary()}
    fields = [one.split() for one in schema.split(",")]
    known = pyarrow.schema([(name, kinds[kind]) for name, kind in fields])
    batch: list[tuple[Any, ...]] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += sum(len(one) for one in row if isinstance(one, bytes))
        if size > _TOGETHER:
            yield _batch(batch, known)
            batch, size = [], 0
    if batch:
        yield _batch(batch, known)


def _batch(rows: list[tuple[Any, ...]], schema: Any) -> Any:
    import pyarrow

    columns = zip(*rows, strict=True)
    arrays = [pyarrow.array(one, field.type) for one, field in zip(columns, schema, strict=True)]
    return pyarrow.RecordBatch.from_arrays(arrays, schema=schema)


def _columns(batches: Iterable[Any], *names: str) -> Iterator[tuple[Any, ...]]:
    for batch in batches:
        yield from zip(*(batch.column(name).to_pylist() for name in names), strict=True)


class _Sorts(Struct, frozen=True):
    """Says of every line whose it is. ``order`` is that of the files."""

    job: Job
    parts: Parts
    order: dict[str, int]

    def __call__(self, batches: Iterable[Any]) -> Iterator[Any]:
        return _arrow(self._rows(batches), _ROWS)

    def _rows(self, batches: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
        lines = _columns(batches, "file", "start", "value")
        for (file, start), found in groupby(lines, key=lambda line: line[:2]):
            yield from self._stretch(_named(file), start, (line[2] for line in found))

    def _stretch(self, file: str, start: int, lines: Iterator[bytes]) -> Iterator[tuple[Any, ...]]:
        at, made = self.order[file], list[tuple[Any, ...]]()
        number = 0

        def keep(kept: Kept) -> None:
            order = self.parts.order_of(kept.child)
            made.append((
                _OF_A_CHILD, self.parts.of(kept.child), order, b"",
                at, start, number, len(made), _pack(kept),
            ))  # fmt: skip

        def join(joint: Joint) -> None:
            order = self.parts.order_of(joint.key)
            made.append((
                _OF_A_KEY, self.parts.of(joint.key), order, joint.key.encode(),
                at, start, number, len(made), _pack(joint),
            ))  # fmt: skip

        reader = Reader(file, kinds_of(self.job), keep, join, self.job.children)
        head = bytearray()
        for number, line in enumerate(lines, 1):
            if not start and len(head) < HEAD:
                head += line + b"\n"
            if len(line) >= LONGEST:
                reader.tell(number, "the line is too long")
            elif content := line.strip():
                reader.read(Line(number, content))
            yield from made
            made.clear()
        form = None if start else form_of(bytes(head))
        told = Stretch(file, start, number, form, reader.found())
        yield (_TOLD, 0, b"", b"", at, start, 0, 0, msgspec.json.encode(told))


class _Pairs(Struct, frozen=True):
    """Gives every child what it shares a key with, as `splitting.pair`."""

    parts: Parts

    def __call__(self, batches: Iterable[Any]) -> Iterator[Any]:
        return _arrow(self._rows(batches), _ROWS)

    def _rows(self, batches: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
        rows = _columns(batches, "child", "held")
        nobody = Counter[str]()
        for order, found in groupby(rows, key=lambda row: row[0]):
            children, resources, key = set[str](), list[Kept](), ""
            for _, held in found:
                joint = _joint(held)
                key = joint.key
                if joint.kept is None:
                    children.add(joint.child)
                else:
                    resources.append(joint.kept)
            for number, one in enumerate(shared(key, children, resources, nobody)):
                of = self.parts.order_of(one.child)
                yield (
                    _OF_A_CHILD, self.parts.of(one.child), of, order, 0, 0, number, 0, _pack(one),
                )  # fmt: skip
        yield (_TOLD, 0, b"", b"", 0, 0, 0, 0, msgspec.json.encode(nobody))


@cache
def _judge(job: Job, exported: tuple[str, ...] | None) -> Any:
    return judge_of(job, exported)


class _Judges(Struct, frozen=True):
    """Answers for one child after another, each with all of its resources."""

    job: Job
    exported: tuple[str, ...] | None

    def __call__(self, batches: Iterable[Any]) -> Iterator[Any]:
        return _arrow(self._rows(batches), _OUTCOME)

    def _rows(self, batches: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
        judge = _judge(self.job, self.exported)
        cohort = service_of(self.job).guideline.cohort
        figures, rows, cards = Figures(), bytearray(), bytearray()
        lines = _columns(batches, "child", "held")
        for _, found in groupby(lines, key=lambda line: line[0]):
            kept = [_kept(held) for _, held in found]
            judged = judge.judge(kept[0].child, kept)
            figures.add(judged, cohort)
            rows += msgspec.json.encode(judged.row) + b"\n"
            cards += judged.line + b"\n"
            if len(rows) + len(cards) > _TOGETHER:
                yield (bytes(rows), bytes(cards), None)
                rows, cards = bytearray(), bytearray()
        yield (bytes(rows), bytes(cards), None)
        yield (None, None, msgspec.json.encode(figures))
