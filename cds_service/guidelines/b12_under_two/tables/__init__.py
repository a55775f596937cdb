"""The decision tables of the guideline: one module a table, its words next to it (``status.toml``)
and its cases (``status.cases.toml``: facts in, row out).

To add a row, write it into its table's module, its sentence into the file of words at the same
place, and its cases: below, on and above each limit. ``--explain``, the guideline page and the
workbench read the rows themselves.

A file of words may also say, before its rows, why the table or a row of it is not asked of some
children (``unasked``), and under ``[absent]`` what it means of a fact to have no value where that
is not "unknown". A table asked of several things (results, orders) learns which from ``about``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from msgspec import Struct

from cds_service.guidelines.b12_under_two.limits import Limits
from cds_service.guidelines.b12_under_two.tables.age import AgeFacts, age_table
from cds_service.guidelines.b12_under_two.tables.cause import CauseFacts, cause_table
from cds_service.guidelines.b12_under_two.tables.dose import DoseFacts, DoseName, dose_table
from cds_service.guidelines.b12_under_two.tables.duplication import (
    DuplicationFacts,
    duplication_table,
)
from cds_service.guidelines.b12_under_two.tables.follow_up import (
    BloodFacts,
    CheckFacts,
    Follow,
    OverdueFacts,
    ResponseFacts,
    SignFacts,
    baseline_table,
    blood_table,
    checks_table,
    overdue_table,
    response_table,
    signs_table,
)
from cds_service.guidelines.b12_under_two.tables.inputs import InputFacts, inputs_table
from cds_service.guidelines.b12_under_two.tables.monitoring import (
    MonitoringFacts,
    monitoring_table,
)
from cds_service.guidelines.b12_under_two.tables.mother import Mother, MotherFacts, mother_table
from cds_service.guidelines.b12_under_two.tables.order import (
    Answer,
    AntidoteFacts,
    BasketFacts,
    OrderFacts,
    Silence,
    SilenceFacts,
    antidote_table,
    basket_table,
    danger_table,
    excess_table,
    form_table,
    injection_table,
    preservative_table,
    reason_table,
    shortage_table,
    silence_table,
    twice_table,
    unclear_table,
    way_table,
)
from cds_service.guidelines.b12_under_two.tables.result import (
    Reading,
    RemarkFacts,
    ResultFacts,
    remarks_table,
    result_table,
)
from cds_service.guidelines.b12_under_two.tables.route import Advice, RouteFacts, route_table
from cds_service.guidelines.b12_under_two.tables.safety import SafetyFacts, safety_table
from cds_service.guidelines.b12_under_two.tables.severity import (
    Severity,
    SeverityFacts,
    severity_table,
)
from cds_service.guidelines.b12_under_two.tables.signs import SignFacts as PresentingFacts
from cds_service.guidelines.b12_under_two.tables.signs import presenting_table
from cds_service.guidelines.b12_under_two.tables.status import (
    StatusFacts,
    StatusName,
    status_table,
)
from cds_service.guidelines.b12_under_two.tables.urgency import UrgencyFacts, urgency_table
from cds_service.guidelines.b12_under_two.tables.weight import (
    Fate,
    WeighingFacts,
    WeightFacts,
    weighing_table,
    weight_table,
)
from cds_service.guidelines.engine import Indicator, Rule
from cds_service.guidelines.guideline import rules_of
from cds_service.guidelines.tables import Table, TableWords, read_words

FOLDER = Path(__file__).parent

#: The tables in the order in which they are published, each a file of words. Those of one title
#: are the questions of one table.
NAMES = (
    "inputs",
    "age",
    "weight_found",
    "weight",
    "result",
    "result_remarks",
    "signs",
    "status",
    "cause",
    "severity",
    "urgency",
    "route",
    "dose",
    "duplication",
    "safety",
    "monitoring",
    "mother",
    "follow_up_signs",
    "follow_up_blood",
    "follow_up_overdue",
    "follow_up_baseline",
    "follow_up_response",
    "follow_up_checks",
    "order_antidote",
    "order_danger",
    "order_way",
    "order_form",
    "order_excess",
    "order_shortage",
    "order_reason",
    "order_injection",
    "order_preservative",
    "order_twice",
    "order_unclear",
    "order_silence",
    "order_basket",
)


class Tables(Struct, frozen=True):
    """Every table, its limits as they are in force here."""

    inputs: Table[InputFacts, None]
    age: Table[AgeFacts, bool]
    weight_found: Table[WeighingFacts, Fate]
    weight: Table[WeightFacts, None]
    result: Table[ResultFacts, Reading | None]
    result_remarks: Table[RemarkFacts, None]
    signs: Table[PresentingFacts, Indicator]
    status: Table[StatusFacts, StatusName]
    cause: Table[CauseFacts, None]
    severity: Table[SeverityFacts, Severity]
    urgency: Table[UrgencyFacts, None]
    route: Table[RouteFacts, Advice]
    dose: Table[DoseFacts, DoseName]
    duplication: Table[DuplicationFacts, None]
    safety: Table[SafetyFacts, None]
    monitoring: Table[MonitoringFacts, None]
    mother: Table[MotherFacts, Mother]
    follow_up_signs: Table[SignFacts, Follow]
    follow_up_blood: Table[BloodFacts, Follow]
    follow_up_overdue: Table[OverdueFacts, Follow]
    follow_up_baseline: Table[ResponseFacts, None]
    follow_up_response: Table[ResponseFacts, Follow | None]
    follow_up_checks: Table[CheckFacts, Follow]
    order_antidote: Table[AntidoteFacts, Answer]
    order_danger: Table[OrderFacts, Answer]
    order_way: Table[OrderFacts, Answer]
    order_form: Table[OrderFacts, Answer]
    order_excess: Table[OrderFacts, Answer]
    order_shortage: Table[OrderFacts, Answer]
    order_reason: Table[OrderFacts, Answer]
    order_injection: Table[OrderFacts, Answer]
    order_preservative: Table[OrderFacts, Answer]
    order_twice: Table[OrderFacts, Answer]
    order_unclear: Table[OrderFacts, Answer]
    order_silence: Table[SilenceFacts, Silence]
    order_basket: Table[BasketFacts, Answer | None]

    def __iter__(self) -> Iterator[Table]:  # type: ignore[type-arg]
        return (getattr(self, name) for name in self.__struct_fields__)


@cache
def words() -> Mapping[str, TableWords]:
    """The words of every table, by the name of its module."""
    return {name: read_words(FOLDER / f"{name}.toml") for name in NAMES}


def rules() -> dict[str, Rule]:
    """Every row in words, in the order in which it is published and tried."""
    return rules_of(words().values())


def make_tables(limits: Limits) -> Tables:
    """The tables over ``limits``; `GuidelineError` where rows and words do not fit."""
    said = words()
    return Tables(
        inputs=inputs_table(said["inputs"]),
        age=age_table(limits, said["age"]),
        weight_found=weighing_table(limits, said["weight_found"]),
        weight=weight_table(limits, said["weight"]),
        result=result_table(limits, said["result"]),
        result_remarks=remarks_table(limits, said["result_remarks"]),
        signs=presenting_table(limits, said["signs"]),
        status=status_table(limits, said["status"]),
        cause=cause_table(limits, said["cause"]),
        severity=severity_table(limits, said["severity"]),
        urgency=urgency_table(limits, said["urgency"]),
        route=route_table(said["route"]),
        dose=dose_table(said["dose"]),
        duplication=duplication_table(limits, said["duplication"]),
        safety=safety_table(limits, said["safety"]),
        monitoring=monitoring_table(limits, said["monitoring"]),
        mother=mother_table(said["mother"]),
        follow_up_signs=signs_table(limits, said["follow_up_signs"]),
        follow_up_blood=blood_table(limits, said["follow_up_blood"]),
        follow_up_overdue=overdue_table(limits, said["follow_up_overdue"]),
        follow_up_baseline=baseline_table(limits, said["follow_up_baseline"]),
        follow_up_response=response_table(limits, said["follow_up_response"]),
        follow_up_checks=checks_table(limits, said["follow_up_checks"]),
        order_antidote=antidote_table(limits, said["order_antidote"]),
        order_danger=danger_table(said["order_danger"]),
        order_way=way_table(said["order_way"]),
        order_form=form_table(said["order_form"]),
        order_excess=excess_table(limits, said["order_excess"]),
        order_shortage=shortage_table(limits, said["order_shortage"]),
        order_reason=reason_table(limits, said["order_reason"]),
        order_injection=injection_table(said["order_injection"]),
        order_preservative=preservative_table(said["order_preservative"]),
        order_twice=twice_table(said["order_twice"]),
        order_unclear=unclear_table(limits, said["order_unclear"]),
        order_silence=silence_table(said["order_silence"]),
        order_basket=basket_table(limits, said["order_basket"]),
    )
