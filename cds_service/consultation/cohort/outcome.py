"""The files that come of a run: the table of children, their cards, the rates and the figures."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from cds_service import PROGRAM
from cds_service.consultation.cohort.judging import Figures, Row
from cds_service.consultation.cohort.running import CohortError, Done, cleared, complaints
from cds_service.guidelines.cohort import Cohort

CHILDREN, CARDS = "children.parquet", "cards.ndjson"
MEASURES, PROBLEMS, FIGURES = "measure-report.json", "problems.ndjson", "figures.json"

#: The columns of the table: every one is named, since what a reader infers from a column's first
#: lines is wrong for a later one.
COLUMNS: Mapping[str, str] = {
    name: {
        "age_months": "INTEGER",
        "level": "DECIMAL(18, 6)",
        "level_date": "DATE",
        "resources": "INTEGER",
        "same_version": "INTEGER",
        **dict.fromkeys(
            ("cards", "rules", "due", "traits", "missing", "unread", "groups"), "VARCHAR[]"
        ),
    }.get(name, "VARCHAR")
    for name in Row.__struct_fields__
}


@contextmanager
def duck(folder: Path, memory: int) -> Iterator[Any]:
    """A DuckDB that loads nothing from elsewhere and spills into ``folder``."""
    import duckdb

    with duckdb.connect(
        ":memory:",
        config={
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "memory_limit": f"{memory}MB",
            "temp_directory": str(folder),
            "preserve_insertion_order": True,
        },
    ) as connection:
        yield connection


def installed() -> None:
    """Raises `CohortError` where what a run ends with is not installed, before it begins."""
    try:
        import duckdb  # noqa: F401
    except ImportError:
        raise CohortError(
            "A cohort needs DuckDB, which is not installed with the service: install the package"
            f" with its extra, {PROGRAM}[cohort]."
        ) from None


def write(
    done: Done, cohort: Cohort, named: Mapping[str, str], *, small_cells: bool = False
) -> None:
    """All files of the outcome, each file whole or not at all, and that folder
    removed. ``named`` are further files by name: what each holds."""
    out, folder = Path(done.job.out), done.job.folder
    with complaints():
        with (folder / CARDS).open("wb") as cards:
            for part in done.cards:
                with part.open("rb") as file:
                    shutil.copyfileobj(file, cards, 1 << 20)
        write_table([*done.rows], folder / CHILDREN, folder, done.job.memory)
        made = {
            MEASURES: msgspec.json.format(_encode(measures(done, cohort, small_cells=small_cells)))
            + b"\n",
            PROBLEMS: b"".join(_encode(one) + b"\n" for one in done.source.troubles),
            FIGURES: msgspec.json.format(_encode(_figures(done))) + b"\n",
            **{name: text.encode() for name, text in named.items()},
        }
        for name, content in made.items():
            (folder / name).write_bytes(content)
        for name in (*made, CARDS, CHILDREN):
            os.replace(folder / name, out / name)
        cleared(done.job)


#: A group of fewer children than this may show who they are.
FEW = 5


def is_small(count: int) -> bool:
    return 0 < count < FEW


_encode = msgspec.json.Encoder(decimal_format="number", order="deterministic").encode


def write_table(rows: Sequence[Path], to: Path, folder: Path, memory: int) -> None:
    with duck(folder, max(memory // 4, 128)) as connection:
        table = connection.read_json(
            [str(one) for one in rows], columns={**COLUMNS}, format="newline_delimited"
        )
        table.write_parquet(str(to), compression="zstd")


# --- two runs -------------------------------------------------------------------------------------


class Change(Struct, frozen=True):
    """Children by their group in two runs of the same children: "" for none."""

    before: str
    after: str
    children: int


class Compared(Struct, frozen=True):
    """What became of the children of one run in another: how many are in both, in one alone, and
    how many of each group are still in it, have left it or joined it; and their statuses."""

    both: int
    only_before: int
    only_after: int
    groups: Mapping[str, tuple[int, int, int]]
    statuses: tuple[Change, ...]


def compare(before: Path, after: Path, groups: Sequence[str]) -> Compared:
    """Two outcomes, child by child. Raises `CohortError` where one is none, or where the children
    are listed under pseudonyms of two keys."""
    for one in (before, after):
        if not (one / CHILDREN).is_file():
            raise CohortError(f"{one} holds no outcome of a run: there is no {CHILDREN}.")
    with duck(after, 1_024) as connection:
        for name, one in (("before", before), ("after", after)):
            connection.read_parquet(str(one / CHILDREN)).create_view(name)
        joined = connection.sql(_JOINED)
        joined.create_view("joined")
        both, only_before, only_after = connection.sql(_SIDES).fetchall()[0]
        if not both and only_before and only_after:
            raise CohortError(
                "No child is in both: were they made with the same CDS_PSEUDONYM_KEY, of the same"
                " source?"
            )
        moved = {row[0]: tuple(row[1:]) for row in connection.sql(_MOVED).fetchall()}
        statuses = [Change(*row) for row in connection.sql(_STATUSES).fetchall()]
    found = {name: moved.get(name, (0, 0, 0)) for name in groups}
    return Compared(both, only_before, only_after, found, tuple(statuses))


def without_small(found: Compared) -> Compared:
    """The same with -1 for every number of a few children."""

    def shown(count: int) -> int:
        return -1 if is_small(count) else count

    return Compared(
        shown(found.both),
        shown(found.only_before),
        shown(found.only_after),
        {name: (shown(a), shown(b), shown(c)) for name, (a, b, c) in found.groups.items()},
        tuple([Change(one.before, one.after, shown(one.children)) for one in found.statuses]),
    )


_JOINED = """
    select b.child is not null as was, a.child is not null as is_now,
        coalesce(b.groups, []) as old, coalesce(a.groups, []) as new,
        b.status as old_status, a.status as new_status
    from before b full join after a using (child)
"""
_SIDES = """
    select count(*) filter (was and is_now), count(*) filter (was and not is_now),
        count(*) filter (is_now and not was) from joined
"""
_MOVED = """
    select name, count(*) filter (list_contains(old, name) and list_contains(new, name)),
        count(*) filter (list_contains(old, name) and not list_contains(new, name)),
        count(*) filter (list_contains(new, name) and not list_contains(old, name))
    from joined, (select distinct unnest(old || new) as name from joined) names
    where was and is_now group by name
"""
_STATUSES = """
    select old_status, new_status, count(*) from joined
    where was and is_now and old_status <> new_status
    group by all order by 3 desc, 1, 2
"""


# --- figures --------------------------------------------------------------------------------------


def _figures(done: Done) -> dict[str, Any]:
    figures: Figures = done.figures
    told = msgspec.to_builtins(figures)
    told.pop("lists")
    return {
        "on": done.job.on,
        **told,
        "types": done.source.types,
        "notAskedFor": done.source.beside,
        "ofNobody": done.source.nobody,
        "troubles": done.source.trouble_count,
        "filesLeftAside": len(done.aside),
        "exported": done.source.exported,
    }


def measures(done: Done, cohort: Cohort, *, small_cells: bool) -> dict[str, Any]:
    """The rates as a Bundle of FHIR MeasureReports. A count of a few is left out of it."""
    entry = [{"resource": one} for one in _reports(done, cohort, small_cells=small_cells)]
    return {"resourceType": "Bundle", "type": "collection", "entry": entry}


_POPULATIONS = "http://terminology.hl7.org/CodeSystem/measure-population"


def _reports(done: Done, cohort: Cohort, *, small_cells: bool) -> Iterator[dict[str, Any]]:
    counted = done.figures.groups
    for one in cohort.measures:
        of, with_it = counted.get(one.denominator, 0), counted.get(one.numerator, 0)
        hidden = not small_cells and (is_small(of) or is_small(with_it) or is_small(of - with_it))
        population = [
            {
                "code": {"coding": [{"system": _POPULATIONS, "code": code}]},
                **({} if hidden and (code == "numerator" or is_small(of)) else {"count": count}),
            }
            for code, count in (("denominator", of), ("numerator", with_it))
        ]
        group: dict[str, Any] = {"population": population}
        if of and not hidden:
            group["measureScore"] = {"value": round(with_it / of, 6), "unit": "1"}
        yield {
            "resourceType": "MeasureReport",
            "id": one.id,
            "status": "complete",
            "type": "summary",
            "measure": f"urn:cds-service:measure:{one.id}",
            "date": done.job.on.isoformat(),
            "period": {"start": done.job.on.isoformat(), "end": done.job.on.isoformat()},
            "group": [group],
        }
