"""A run over a source from its files to the files that come of it, in steps that can be taken up
again: split, pair, judge, write.

Every step leaves what it did in the folder ``unfinished`` of the run, each piece of work in a file
that is there whole or not at all. What was done is not done again, so that a run that was broken
off ends with the same bytes. The outcome appears next to that folder once it is complete.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from datetime import date
from functools import cache
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec
from msgspec import Struct, structs

from cds_service.consultation.cohort.judging import Figures, Judge
from cds_service.consultation.cohort.sources import Piece, Trouble, pieces_of
from cds_service.consultation.cohort.splitting import (
    Kept,
    Paired,
    Parts,
    Segments,
    Split,
    Splitter,
    pair,
    read_part,
)
from cds_service.consultation.occasion import Occasion
from cds_service.consultation.services import Service, load_services
from cds_service.errors import StartupError
from cds_service.fhir.editions import TYPES
from cds_service.guidelines.registry import GUIDELINES
from cds_service.store.audit import Pseudonyms

UNFINISHED = "unfinished"
#: A worker, before it holds anything, and the least that it needs for that.
WORKER_MB, _LEAST_MB = 110, 40
#: Each is done whole or not at all, so that there must be some for progress to show.
_LEAST_PARTS, _MOST_PARTS = 8, 1024

Step = str
Tell = Callable[[Step, int, int, int], None]
_Result = TypeVar("_Result")


class CohortError(StartupError):
    """Why a run cannot begin or go on, and what helps."""


class Job(Struct, frozen=True):
    """What is to be done, as every worker gets it. ``exported`` are types of resource that the
    source would hold if there were any; ``children`` those of a group, who alone count; ``workers``
    share ``memory`` megabytes."""

    source: str
    out: str
    on: date
    as_of_is_set: bool
    language: str
    guideline: str = ""
    overrides: str = ""
    code_map: str = ""
    one_action: bool = False
    max_entries: int = 5_000
    key: bytes = b""
    plain: bool = False
    exported: frozenset[str] = frozenset()
    children: frozenset[str] | None = None
    workers: int = 1
    memory: int = 2_048

    @property
    def folder(self) -> Path:
        return Path(self.out, UNFINISHED)

    @property
    def room(self) -> int:
        """How many bytes of the source one worker may hold: as objects they take several times
        as much."""
        of_each = self.memory // self.workers - WORKER_MB
        return max(of_each, _LEAST_MB) * (1 << 20) // 8

    def mark(self) -> str:
        """By which a run is known to be the same; nothing of the key can be found out by it."""
        told = structs.asdict(self) | {"key": sha256(b"cohort" + self.key).hexdigest()}
        for name in ("out", "workers", "memory"):
            told.pop(name)
        for name in ("overrides", "code_map"):
            told[name] = Path(told[name]).read_text("utf-8") if told[name] else ""
        told["exported"] = sorted(self.exported)
        told["children"] = None if self.children is None else sorted(self.children)
        return sha256(msgspec.json.encode(told, order="sorted")).hexdigest()


class Plan(Struct, frozen=True):
    """What a run began with. ``state`` is that of the files: one that changed since makes another
    run of it."""

    mark: str
    state: str
    parts: int
    room: int
    pieces: tuple[Piece, ...]
    aside: tuple[str, ...]


class Sorted(Struct, frozen=True):
    """The whole source, sorted: where, and what was found on the way."""

    files: tuple[Segments, ...]
    types: dict[str, int]
    beside: dict[str, int]
    nobody: dict[str, int]
    troubles: tuple[Trouble, ...]
    trouble_count: int
    exported: tuple[str, ...] | None


class Done(Struct, frozen=True):
    """What a run came to, besides the line of each child."""

    job: Job
    source: Sorted
    aside: tuple[str, ...]
    figures: Figures
    rows: tuple[Path, ...]
    cards: tuple[Path, ...]


@cache
def service_of(job: Job) -> Service:
    """What answers for the children of a job, loaded once."""
    services = load_services(
        Path(job.overrides) if job.overrides else None,
        GUIDELINES,
        Path(job.code_map) if job.code_map else None,
        (job.language,),
    )
    for one in services:
        if one.hook == "patient-view" and job.guideline in ("", one.guideline.wording.about.id):
            return one
    raise CohortError(f"--guideline {job.guideline}: there is no such guideline for a chart.")


def kinds_of(job: Job) -> frozenset[str]:
    """The types of resource that the guideline asks for, or that an order may point to."""
    return frozenset().union(*(TYPES[one.kind] for one in service_of(job).needs), {"Medication"})


# --- what a worker does --------------------------------------------------------------------------


class _Bench(NamedTuple):
    """What a worker works with, made when it is first needed."""

    job: Job
    plan: Plan

    @property
    def parts(self) -> Parts:
        return Parts(self.plan.parts, self.job.key[:64])


_bench: list[_Bench] = []


def _begin(job: Job, plan: Plan, apart: bool) -> None:
    if apart:  # the one who started it ends it, when the piece of work at hand is done
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    _bench[:] = [_Bench(job, plan)]
    _sorted.cache_clear()
    _judge_of.cache_clear()


@cache
def _sorted(folder: Path) -> tuple[Sorted, tuple[Segments, ...]]:
    """The source as it was split, and every file that a part may be in."""
    source = _read(folder / "sorted.json", Sorted)
    paired = [_read(one, Paired).file for one in sorted(folder.glob("paired-*.json"))]
    return source, (*source.files, *paired)


@cache
def _judge_of(job: Job) -> Judge:
    return judge_of(job, _sorted(job.folder)[0].exported)


def judge_of(job: Job, exported: Iterable[str] | None) -> Judge:
    """What answers for one child of a job after another."""
    return Judge(
        service_of(job),
        Occasion(
            job.on, job.as_of_is_set, max_entries=job.max_entries, one_action=job.one_action
        ),
        Pseudonyms(job.key, job.plain),
        None if exported is None else frozenset(exported),
    )  # fmt: skip


def _split(number: int) -> int:
    bench = _bench[0]
    job, piece = bench.job, bench.plan.pieces[number]
    splitter = Splitter(bench.parts, kinds_of(job), bench.plan.room, job.folder, job.children)
    split = splitter.split(Path(job.source), piece, f"piece-{number:05}")
    _write(job.folder / _name("split", number), split)
    return piece.end - piece.start


def _pair(number: int) -> int:
    bench = _bench[0]
    folder = bench.job.folder
    _write(
        folder / _name("paired", number),
        pair(folder, _read(folder / "sorted.json", Sorted).files, bench.parts, number),
    )
    return 0


def _judge(part: int) -> int:
    bench = _bench[0]
    folder, parts = bench.job.folder, bench.parts
    judge, cohort = _judge_of(bench.job), service_of(bench.job).guideline.cohort
    of_child: dict[str, list[Kept]] = {}
    for one in read_part(folder, _sorted(folder)[1], part):
        of_child.setdefault(one.child, []).append(one)
    figures = Figures()
    with _written(folder / _rows(part)) as rows, _written(folder / _cards(part)) as cards:
        for child in sorted(of_child, key=parts.order_of):
            judged = judge.judge(child, of_child.pop(child))
            rows.write(msgspec.json.encode(judged.row) + b"\n")
            cards.write(judged.line + b"\n")
            figures.add(judged, cohort)
    _write(folder / _name("judged", part), figures)
    return figures.children


def _name(step: str, number: int) -> str:
    return f"{step}-{number:05}.json"


def _rows(part: int) -> str:
    return f"rows-{part:05}.ndjson"


def _cards(part: int) -> str:
    return f"cards-{part:05}.ndjson"


@contextmanager
def _written(path: Path) -> Iterator[Any]:
    """A file that gets its name once it is whole."""
    unfinished = path.with_suffix(".unfinished")
    with unfinished.open("wb") as file:
        yield file
    os.replace(unfinished, path)


def _write(path: Path, what: Struct) -> None:
    with _written(path) as file:
        file.write(msgspec.json.encode(what))


_Read = TypeVar("_Read", bound=Struct)


def _read(path: Path, kind: type[_Read]) -> _Read:
    return msgspec.json.decode(path.read_bytes(), type=kind)


# --- what the one who starts them does --------------------------------------------------------


def run(job: Job, tell: Tell, *, resume: bool = False) -> Done:
    """Everything up to the lines of every child, in the folder of the run. Raises `CohortError`."""
    with complaints():
        plan = _planned(job, resume=resume)
        folder = job.folder
        numbers = range(len(plan.pieces))
        size = sum(one.end - one.start for one in plan.pieces)
        with _workers(job, plan) as each:
            _do(each, _split, "split", folder, numbers, size, tell)
            source = _gathered(job, plan)
            _do(each, _pair, "paired", folder, range(plan.parts), plan.parts, tell)
            _do(each, _judge, "judged", folder, range(plan.parts), plan.parts, tell)
        figures = Figures()
        for part in range(plan.parts):
            figures.join(_read(folder / _name("judged", part), Figures))
        paired = [_read(folder / _name("paired", one), Paired) for one in range(plan.parts)]
        nobody = added([source.nobody, *(one.nobody for one in paired)])
        source = structs.replace(source, nobody=nobody)
        figures.lists = {name: list(rows) for name, rows in figures.listed().items()}
        return Done(
            job, source, plan.aside, figures,
            tuple([folder / _rows(part) for part in range(plan.parts)]),
            tuple([folder / _cards(part) for part in range(plan.parts)]),
        )  # fmt: skip


@contextmanager
def complaints() -> Iterator[None]:
    """What the system refuses, in a sentence that helps."""
    try:
        yield
    except BrokenProcessPool:
        raise CohortError(
            "A worker ended before its time, perhaps for want of memory. Give --workers or"
            " --memory less, and go on with --resume."
        ) from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise CohortError(
                "The disk is full. What was done is kept: make room, and go on with --resume."
            ) from None
        raise CohortError(f"{error.filename or 'A file'}: {error.strerror}.") from None


def _planned(job: Job, *, resume: bool) -> Plan:
    source, folder = Path(job.source), job.folder
    path = folder / "plan.json"
    if not source.exists():
        raise CohortError(f"{source}: there is no such file or folder.")
    if path.exists():
        if not resume:
            raise CohortError(
                f"{job.out} holds a run that was broken off: go on with --resume, or remove it."
            )
        plan = _read(path, Plan)
        if (plan.mark, plan.state) != (job.mark(), _state(source, Path(job.out))):
            raise CohortError(
                "Source, date, settings or key are others than those of the run that was broken"
                f" off: give the same, or remove {job.out} and begin again."
            )
        return plan
    if Path(job.out).exists() and any(Path(job.out).iterdir()):
        raise CohortError(f"{job.out} is not empty: give a folder of its own to every run.")
    folder.mkdir(parents=True, mode=0o700)
    found, aside = pieces_of(source, 32 << 20, Path(job.out))
    if not found:
        raise CohortError(f"{source} holds no file of FHIR resources.")
    size = sum((one.end - one.start) * (8 if "packed" in one.form else 1) for one in found)
    parts = min(max(size // job.room * 2, _LEAST_PARTS * job.workers), _MOST_PARTS)
    state = _state(source, Path(job.out))
    plan = Plan(job.mark(), state, parts, job.room, tuple(found), tuple(aside))
    _write(path, plan)
    return plan


def _state(source: Path, without: Path) -> str:
    found, aside = pieces_of(source, 1 << 40, without)
    told = sha256()
    for name in (*(one.file for one in found), *aside):
        known = (source / name if source.is_dir() else source).stat()
        told.update(repr((name, known.st_size, known.st_mtime_ns)).encode())
    return told.hexdigest()


_Each = Callable[[Callable[[int], int], Sequence[int]], Iterator[int]]


@contextmanager
def _workers(job: Job, plan: Plan) -> Iterator[_Each]:
    """What does pieces of work and hands on what came of each, in any order."""
    if job.workers == 1:
        _begin(job, plan, apart=False)
        yield lambda work, numbers: map(work, numbers)
        return
    pool = ProcessPoolExecutor(
        job.workers, get_context("spawn"), initializer=_begin, initargs=(job, plan, True)
    )

    def each(work: Callable[[int], int], numbers: Sequence[int]) -> Iterator[int]:
        for one in as_completed([pool.submit(work, number) for number in numbers]):
            yield one.result()

    try:
        yield each
    finally:
        pool.shutdown(cancel_futures=True)


def _do(
    each: _Each,
    work: Callable[[int], int],
    step: str,
    folder: Path,
    numbers: Iterable[int],
    total: int,
    tell: Tell,
) -> None:
    """What is left to do of one step."""
    left = [number for number in numbers if not (folder / _name(step, number)).exists()]
    of_all = len(list(numbers)) if not isinstance(numbers, range) else len(numbers)
    done = total * (of_all - len(left)) // max(of_all, 1)
    children = 0
    tell(step, done, total, children)
    for came in each(work, left):
        children += came if step == "judged" else 0
        done += came if step == "split" else 1
        tell(step, done, total, children)


def _gathered(job: Job, plan: Plan) -> Sorted:
    """What all pieces came to together."""
    path = job.folder / "sorted.json"
    if path.exists():
        return _read(path, Sorted)
    splits = [_read(job.folder / _name("split", one), Split) for one in range(len(plan.pieces))]
    found = together(job, splits)
    _write(path, found)
    return found


def together(job: Job, splits: Sequence[Split]) -> Sorted:
    types, beside, nobody = [
        added(getattr(one, name) for one in splits) for name in ("types", "beside", "nobody")
    ]
    whole = all(not one.lines for one in splits)
    exported = None if whole else tuple(sorted(job.exported | types.keys() | beside.keys()))
    return Sorted(
        tuple([file for one in splits for file in one.files]),
        types,
        beside,
        nobody,
        tuple([trouble for one in splits for trouble in one.troubles]),
        sum(one.trouble_count for one in splits),
        exported,
    )


def added(counts: Iterable[Any]) -> dict[str, int]:
    added: dict[str, int] = {}
    for one in counts:
        for name, count in one.items():
            added[name] = added.get(name, 0) + count
    return dict(sorted(added.items()))


def cleared(job: Job) -> None:
    """Nothing of a run is left but its outcome."""
    shutil.rmtree(job.folder)
