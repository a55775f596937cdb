"""What a guideline gives the workbench: its controls for "what if", its orders, its chart.

The page knows three kinds of control and draws what it is given; which facts matter, in which
units and where the limits lie is the guideline's.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from msgspec import Struct

from cds_service.clinical import Code

# --- once ---------------------------------------------------------------------------------------


class ControlUnit(Struct, frozen=True):
    """A unit to enter a result in: one of the first unit is ``factor`` of this one, and a result
    in it is sent under ``coding``."""

    unit: str
    factor: Decimal
    coding: Code


class Mark(Struct, frozen=True):
    """A limit on a control, in its first unit, and what it is called."""

    value: Decimal
    label: str


class ResultControl(Struct, frozen=True, tag="result", tag_field="kind"):
    """A slider for one result under one of ``codes``, in its first unit from ``least`` to ``most``;
    with ``exact`` also a field for the number. ``key`` names the need under which a new one is
    sent, and the finding of the `Chart` that is changed: the address of the result that counts."""

    key: str
    title: str
    codes: tuple[Code, ...]
    units: tuple[ControlUnit, ...]
    least: Decimal
    most: Decimal
    step: Decimal
    marks: tuple[Mark, ...] = ()
    exact: bool = False


class AgeControl(Struct, frozen=True, tag="age", tag_field="kind"):
    """A slider for the date of birth, to an age of ``most`` days; marks are completed months."""

    title: str
    most: int
    marks: tuple[Mark, ...] = ()


class ProblemControl(Struct, frozen=True, tag="problem", tag_field="kind"):
    """Problems of one kind: taken as recorded, taken away, or ``coding`` added. ``key`` names the
    findings of the `Chart` that are taken away."""

    key: str
    title: str
    coding: Code


class Orderable(Struct, frozen=True):
    """A medicine that can be chosen when an order is written by hand."""

    name: str
    coding: tuple[Code, ...]


class FirstDose(Struct, frozen=True):
    """What an order written by hand begins with, in a UCUM unit."""

    value: Decimal
    unit: str


class Beginning(Struct, frozen=True):
    """A sample story to begin with, and what is to be seen there."""

    story: str
    label: str


class Desk(Struct, frozen=True, rename="camel"):
    """What the page needs to know once. Without ``products`` no order is written by hand; the
    first of ``stories`` is opened by the tour, which ``tour`` describes in a sentence or two."""

    title: str
    controls: tuple[ResultControl | AgeControl | ProblemControl, ...]
    products: tuple[Orderable, ...] = ()
    routes: tuple[Code, ...] = ()
    first_dose: FirstDose | None = None
    stories: tuple[Beginning, ...] = ()
    tour: str = ""


# --- for one answer -----------------------------------------------------------------------------


class Point(Struct, frozen=True):
    """A result in the plot's unit; ``sent`` as it came, ``source`` its address in the record.
    ``dated`` is its date as recorded, where that is not a day."""

    day: date
    value: Decimal | None
    sent: str
    source: str
    comparator: str = ""
    preliminary: bool = False
    dated: str = ""


class Band(Struct, frozen=True, omit_defaults=True, rename={"at_least": "from"}):
    """What lies between two numbers, or on one side of one, which is part of it only with
    ``at_least``; ``tone`` is "low" or "middle".

    One that depends on the age holds ``since`` a day, and before ``until``, if it ends."""

    label: str
    tone: str
    at_least: Decimal | None = None
    below: Decimal | None = None
    above: Decimal | None = None
    since: date | None = None
    until: date | None = None


class Curve(Struct, frozen=True):
    """A published course of growth: the value on each day, under a short ``label``."""

    label: str
    points: tuple[tuple[date, Decimal], ...]


class Plot(Struct, frozen=True):
    """``curves`` are behind the points, the lowest first, and come from ``source``."""

    key: str
    name: str
    unit: str
    points: tuple[Point, ...]
    bands: tuple[Band, ...] = ()
    curves: tuple[Curve, ...] = ()
    source: str = ""


class ChartList(Struct, frozen=True, rename="camel"):
    """Short lines under a title; ``only_if_any`` leaves it out where none exist."""

    title: str
    rows: tuple[str, ...]
    only_if_any: bool = False


class Stretch(Struct, frozen=True, rename="camel"):
    """From when to when a medicine of the record counted as treatment, up to today; ``goes_on``
    where nothing says that it has ended. A dose that was ``given`` has one day. ``source`` is the
    address of the medicine."""

    begins: date
    ends: date
    goes_on: bool
    given: bool
    source: str


class Chart(Struct, frozen=True):
    """What the guideline saw in a record besides its problems, medicines, tests and procedures: its
    plots, the most important first, the treatment it counts, lists of its own, and by the key of
    each `ResultControl` and `ProblemControl` the addresses of what was found."""

    plots: tuple[Plot, ...] = ()
    treatment: tuple[Stretch, ...] = ()
    lists: tuple[ChartList, ...] = ()
    findings: Mapping[str, tuple[str, ...]] = {}
