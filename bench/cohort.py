"""What a run over a whole clinic takes: `make cohort-bench`.

The children are the sample infants over and over, most of them healthy ones, each time with other
ids and with its dates moved, and with what else a record holds: visits and measurements that no
rule asks for. They are written as a Bulk Data export, a file for each type, and evaluated on every
core. Next to the time of each step is that of plain loops over calls that are ready in memory,
before and after, as many at once as there are workers, in children a CPU second: on a shared
machine only the ratio is a result. Of some children, chosen by chance, the cards are held against
the answer over HTTP.

With `--scaling` the export is evaluated by one worker on one core and by two on two, in turn, and
by Spark too where PySpark is installed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import date, timedelta
from itertools import pairwise, product
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import msgspec

from cds_service.app import create_app
from cds_service.cdshooks.request import Request
from cds_service.cdshooks.response import encode
from cds_service.consultation import consult
from cds_service.consultation.cohort import cluster, running
from cds_service.consultation.cohort.judging import call_of
from cds_service.consultation.cohort.splitting import Kept
from cds_service.consultation.occasion import Occasion
from cds_service.fhir.editions import TYPES
from cds_service.settings import Settings

SERVICE = "/cds-services/b12-under-two-patient-view"
STORIES = Path(__file__).parents[1] / "fhir_samples" / "b12_under_two"
_DATE = re.compile(rb'"(\d{4}-\d{2}-\d{2})')
#: What six of ten children are like.
_HEALTHY = ("adequate-level-silent", "healthy-infant-silent")


def stories() -> dict[str, tuple[str, list[bytes]]]:
    """The resources of every story, as lines, with the id of its child."""
    found = {}
    for file in sorted(STORIES.glob("*/patient.json")):
        entries = json.loads(file.read_bytes())["entry"]
        resources = [one["resource"] for one in entries]
        child = next(one["id"] for one in resources if one["resourceType"] == "Patient")
        lines = [json.dumps(one, separators=(",", ":")).encode() for one in resources]
        found[file.parent.name] = (child, lines)
    return found


def _visits(child: str, chance: random.Random, born: date) -> Iterator[tuple[str, dict[str, Any]]]:
    """What else a record holds: measurements that no rule asks for, and the visits."""
    for number in range(chance.randint(4, 16)):
        day = (born + timedelta(days=30 * number)).isoformat()
        subject = {"reference": f"Patient/{child}"}
        length = {"system": "http://loinc.org", "code": "8302-2", "display": "Body height"}
        yield (
            "Observation",
            {
                "resourceType": "Observation",
                "id": f"{child}-h{number}",
                "status": "final",
                "code": {"coding": [length]},
                "subject": subject,
                "effectiveDateTime": day,
                "valueQuantity": {
                    "value": round(50 + number * 1.7, 1),
                    "unit": "cm",
                    "system": "http://unitsofmeasure.org",
                    "code": "cm",
                },
            },
        )
        yield (
            "Encounter",
            {
                "resourceType": "Encounter",
                "id": f"{child}-e{number}",
                "status": "finished",
                "class": {"code": "AMB"},
                "subject": subject,
                "period": {"start": day, "end": day},
            },
        )


def make(folder: Path, children: int, seed: int = 1) -> None:
    """So many children as an export in ``folder``."""
    chance = random.Random(seed)
    told = stories()
    healthy = [told[name] for name in _HEALTHY if name in told]
    others = list(told.values())
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, Any] = {}
    for number in range(children):
        child, lines = chance.choice(healthy if chance.random() < 0.6 else others)
        name = f"c{number:07}"
        shift = timedelta(days=chance.randint(-20, 20))

        def moved(match: re.Match[bytes], shift: timedelta = shift) -> bytes:
            try:
                day = date.fromisoformat(match[1].decode()) + shift
            except ValueError:
                return match[0]
            return b'"' + day.isoformat().encode()

        for at, line in enumerate(lines):
            kind = line.split(b'"resourceType":"', 1)[1].split(b'"', 1)[0].decode()
            line = line.replace(b"Patient/" + child.encode(), b"Patient/" + name.encode())
            own = name if kind == "Patient" else f"{name}-{at}"
            line = re.sub(rb'"id":"[^"]*"', b'"id":"' + own.encode() + b'"', line, count=1)
            _file(files, folder, kind).write(_DATE.sub(moved, line) + b"\n")
        for kind, one in _visits(name, chance, date(2025, 6, 1)):
            line = json.dumps(one, separators=(",", ":")).encode()
            _file(files, folder, kind).write(line + b"\n")
    for file in files.values():
        file.close()


def _file(files: dict[str, Any], folder: Path, kind: str) -> Any:
    if kind not in files:
        files[kind] = (folder / f"{kind}.ndjson").open("wb", buffering=1 << 20)
    return files[kind]


# --- what a run takes --------------------------------------------------------------------------


class Stage(NamedTuple):
    name: str
    seconds: float


def cpu() -> float:
    """CPU seconds of this process and of those it started that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def measured(job: running.Job) -> tuple[running.Done, list[Stage], float]:
    """A run, the seconds of each step, and its CPU seconds."""
    began: dict[str, float] = {}

    def tell(step: str, *_: int) -> None:
        began.setdefault(step, time.monotonic())

    before = cpu()
    done = running.run(job, tell)
    began["end"] = time.monotonic()
    steps = list(began)
    stages = [Stage(one, began[after] - began[one]) for one, after in pairwise(steps)]
    return done, stages, cpu() - before


_CHILD = re.compile(rb'"Patient/(c\d+)"|^{"resourceType":"Patient","id":"(c\d+)"')


def calls(folder: Path, job: running.Job, most: int) -> dict[str, Request]:
    """The calls of so many children by chance, ready in memory."""
    service, records = running.service_of(job), dict[str, list[Kept]]()
    wanted = random.Random(7).sample(range(job_children(folder)), most)
    names = {f"c{number:07}" for number in wanted}
    for file in sorted(folder.glob("*.ndjson")):
        with file.open("rb") as lines:
            for line in lines:
                child = _CHILD.search(line)
                name = (child[1] or child[2]).decode() if child else ""
                if name in names:
                    identity = re.search(rb'"id":"([^"]*)"', line)
                    own = identity[1].decode() if identity else ""
                    kept = Kept(name, file.stem, own, "", "", "", line.strip())
                    records.setdefault(name, []).append(kept)
    keys = frozenset(need.key for need in service.needs)
    return {name: call_of(service, name, kept, keys) for name, kept in records.items()}


def plain_loop(folder: Path, job: running.Job, most: int) -> float:
    """Children a CPU second of a loop over calls that are ready in memory."""
    service, occasion = running.service_of(job), Occasion(job.on, True)
    asked = calls(folder, job, most)
    before = time.process_time()
    for one in asked.values():
        encode(consult(service, one, None, occasion).response)
    return len(asked) / (time.process_time() - before)


def plain_loops(folder: Path, job: running.Job, most: int) -> float:
    """The same of as many loops at once as the run has workers: what shares a machine is slower."""
    with ProcessPoolExecutor(job.workers, get_context("spawn")) as pool:
        rates = pool.map(plain_loop, *zip(*[(folder, job, most)] * job.workers, strict=True))
        return sum(rates) / job.workers


def job_children(folder: Path) -> int:
    with (folder / "Patient.ndjson").open("rb") as file:
        return sum(1 for _ in file)


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Without the lines that the service logs."""
    sys.stdout.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)


def differing(done: running.Done, asked: dict[str, Request]) -> list[str]:
    """The children of ``asked`` whose cards are others over HTTP."""
    client = create_app(
        Settings(open=True, demo=True, database_url="", as_of=done.job.on)
    ).test_client()
    found = {}
    for part in done.cards:
        for line in part.read_bytes().splitlines():
            answer = json.loads(line)
            if answer["child"] in asked:
                found[answer["child"]] = answer["cards"]
    wrong = []
    for name, one in asked.items():
        body = msgspec.json.encode(
            {
                "hook": one.hook,
                "hookInstance": one.hook_instance,
                "context": {"userId": one.context.user_id, "patientId": name},
                "prefetch": one.prefetch,
            }
        )
        answered = client.post(SERVICE, data=body, content_type="application/json")
        cards = json.loads(answered.get_data())["cards"]
        for card in cards:
            card["links"] = [it for it in card.get("links", ()) if "/guideline" not in it["url"]]
            if not card["links"]:
                del card["links"]
        if cards != found[name]:
            wrong.append(name)
    return wrong


def run(folder: Path, workers: int, memory: int, sample: int) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as out:
        job = job_of(folder, f"{out}/out", workers, memory)
        sample = min(sample, job_children(folder))
        before = plain_loops(folder, job, sample)
        done, stages, seconds = measured(job)
        children = done.figures.children
        rate = (before + plain_loops(folder, job, sample)) / 2
        asked = calls(folder, job, sample)
        with silence():
            wrong = differing(done, asked)
        own, each = [
            resource.getrusage(who).ru_maxrss >> 10
            for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
        ]
        size = sum(file.stat().st_size for file in folder.glob("*.ndjson")) >> 20
        print(f"{children:,} children, {size:,} MB, {workers} workers")
        for stage in stages:
            print(f"  {stage.name:10} {stage.seconds:8.1f} s")
        print(f"  children a CPU second: {children / seconds:,.0f}; plain loops: {rate:,.0f}")
        print(f"  of the plain loops: {children / seconds / rate:.2f}")
        print(f"  memory at most: a worker {each} MB, the one who starts them {own} MB")
        print(
            f"  of {len(asked):,} children by chance {len(wrong)} are answered otherwise over HTTP"
        )
        assert not wrong, wrong[:5]


def scaling(folder: Path, memory: int, rounds: int) -> None:
    """How much faster two cores are than one: each in turn, since what shares a machine changes."""
    engines = {"alone": running.run}
    with contextlib.suppress(ModuleNotFoundError):
        import pyspark  # noqa: F401 - whether it is there

        engines["spark"] = cluster.run
    cores = sorted(os.sched_getaffinity(0))
    for engine, evaluate in engines.items():
        rates: dict[int, list[float]] = {1: [], 2: []}
        for _, count in product(range(rounds), rates):
            os.sched_setaffinity(0, cores[:count])
            with tempfile.TemporaryDirectory(dir=folder.parent) as out:
                job = job_of(folder, f"{out}/out", count, memory)
                began, before = time.monotonic(), cpu()
                children = evaluate(job, lambda *_: None).figures.children
                seconds, used = time.monotonic() - began, cpu() - before
            rates[count].append(children / seconds)
            # Java's share of the time is not that of a child that has ended.
            own = f", {children / used:4.0f} a CPU second" if engine == "alone" else ""
            print(
                f"  {engine}, cores: {count}; {children / seconds:5.0f} children a second{own};"
                f" load {os.getloadavg()[0]:.1f}",
                flush=True,
            )
        os.sched_setaffinity(0, cores)
        print(f"  {engine}: two cores are {median(rates[2]) / median(rates[1]):.2f} times one")


def job_of(folder: Path, out: str, workers: int, memory: int) -> running.Job:
    return running.Job(
        str(folder), out, date(2026, 6, 1), True, "en", plain=True,
        exported=frozenset().union(*TYPES.values()), workers=workers, memory=memory,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("build/cohort-bench"))
    parser.add_argument("--children", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--memory", type=int, default=2_048)
    parser.add_argument("--sample", type=int, default=1_000)
    parser.add_argument("--scaling", type=int, metavar="ROUNDS")
    given = parser.parse_args()
    source = given.folder / f"{given.children}"
    if not source.exists():
        make(source, given.children)
    if given.scaling:
        scaling(source, given.memory, given.scaling)
        return
    run(source, given.workers, given.memory, given.sample)


if __name__ == "__main__":
    main()
