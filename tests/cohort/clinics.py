"""Sources for a run over many children: infants and stories written as files, in every way in which
exports write them, and what a run makes of them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

from infants import KEYS, PATIENT, Infant, held, request_of

from cds_service.consultation.cohort import running
from cds_service.fhir.editions import TYPES

Json = dict[str, Any]
ON = date(2026, 6, 1)
STORIES = Path(__file__).parents[2] / "fhir_samples" / "b12_under_two"
EVERY_TYPE = frozenset().union(*TYPES.values())
KEY = b"a key of sixteen and more letters"

#: The forms in which a resource may say whose it is.
REFERENCES = (
    "Patient/{}",
    "https://fhir.example.org/r4/Patient/{}",
    "Patient/{}/_history/3",
    "https://fhir.example.org/Patient/{}/_history/1",
    "urn:uuid:{}",
)


def record_of(infant: Infant, child: str) -> tuple[Json, list[Json]]:
    """The call about ``infant`` under another id, and its resources: each with an id of its own,
    and by chance in one of the forms of reference."""
    random = Random(child)
    text = json.dumps(request_of(infant, "patient-view")).replace(PATIENT, child)
    request = json.loads(text)
    resources: list[Json] = []
    for key in KEYS:
        sent = request["prefetch"][key]
        found = [sent] if key == "patient" else held(sent)
        for number, one in enumerate(found):
            if key != "patient":
                one["id"] = f"{child}-{key}-{number}"
                point(one, random.choice(REFERENCES), child)
            resources.append(one)
    return request, resources


def point(resource: Json, written: str, child: str) -> None:
    """Has it say whose it is in another form, under whichever name it does."""
    for name in ("subject", "patient"):
        if name in resource:
            resource[name] = {"reference": written.format(child)}


def scattered(folder: Path, records: Mapping[str, Sequence[Json]], seed: int = 1) -> None:
    """Every resource on a line of one of several files, by chance."""
    random = Random(seed)
    lines: dict[str, list[str]] = {}
    for resources in records.values():
        for one in resources:
            name = random.choice(("a.ndjson", "b.ndjson.gz", "deep/c.json", "without ending"))
            lines.setdefault(name, []).append(json.dumps(one))
    for name, told in lines.items():
        random.shuffle(told)
        written(folder / name, told)


def written(path: Path, lines: Iterable[str], *, end: str = "\n") -> None:
    """Lines in a file, which is compressed where its name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = "".join(f"{line}{end}" for line in lines).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)


def job(source: Path, out: Path, **changed: Any) -> running.Job:
    """A run on `ON` with plain ids, all types having been exported."""
    usual: dict[str, Any] = {"plain": True, "exported": EVERY_TYPE, "language": "en"}
    return running.Job(str(source), str(out), ON, True, **{**usual, **changed})


def ran(source: Path, out: Path, **changed: Any) -> running.Done:
    return running.run(job(source, out, **changed), lambda *_: None)


def answers(done: running.Done) -> dict[str, Json]:
    """What `cards.ndjson` will say, by child."""
    lines = [json.loads(line) for part in done.cards for line in part.read_bytes().splitlines()]
    found = {line["child"]: line for line in lines}
    assert len(found) == len(lines), "a child is there twice"
    return found


def rows(done: running.Done) -> dict[str, Json]:
    found = [json.loads(line) for part in done.rows for line in part.read_bytes().splitlines()]
    return {row["child"]: row for row in found}
