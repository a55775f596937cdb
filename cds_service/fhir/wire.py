"""The elements that are read of each resource, under the names of every version of FHIR.

Which name is whose, and what it is for, says `editions`. What is not named is skipped whatever
its shape; what is named but has another shape makes the resource unreadable. All versions of a
resource share one struct: their names do not clash.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Raw, Struct, field

#: Words of a resource. Longer than any name, and than what people write of one problem or drug:
#: what is longer makes the resource unreadable, since reading it takes all others' time.
Text = Annotated[str, msgspec.Meta(max_length=4_000)]


class Wire(Struct, rename="camel", gc=False):
    """Elements as they are sent; what is not named is skipped whatever its shape."""


def attribute(struct: type[Wire], member: str) -> str:
    """The attribute that holds a member, by its name on the wire."""
    return dict(zip(struct.__struct_encode_fields__, struct.__struct_fields__, strict=True))[member]


class Coding(Wire):
    system: str | None = None
    code: str | None = None
    display: Text | None = None


class Concept(Wire):
    coding: list[Coding] | None = None
    text: Text | None = None
    concept: Concept | None = None  # R5 wraps some concepts once more


class Reference(Wire):
    reference: str | None = None
    display: Text | None = None
    identifier: Any = None


class Period(Wire):
    start: str | None = None
    end: str | None = None


class Amount(Wire):
    """``value`` as it was sent: decoded at once, the text "1_000" would be a thousand."""

    value: Raw = Raw()
    comparator: str | None = None
    unit: str | None = None
    system: str | None = None
    code: str | None = None


class Range(Wire):
    low: Amount | None = None
    high: Amount | None = None


class ReferenceRange(Wire):
    low: Amount | None = None
    high: Amount | None = None
    type: Concept | None = None
    meaning: Concept | None = None
    text: str | None = None


class Result(Wire):
    """What an Observation and its components have in common."""

    id: str | None = None
    modifier_extension: list[Raw] | None = None
    code: Concept | None = None
    value_quantity: Amount | None = None
    data_absent_reason: Concept | None = None
    interpretation: Concept | list[Concept] | None = None
    reference_range: list[ReferenceRange] | None = None
    value_codeable_concept: Concept | None = None
    value_string: Text | None = None
    value_boolean: bool | None = None
    value_integer: int | None = None
    value_range: Range | None = None
    value_ratio: Any = None
    value_sampled_data: Any = None
    value_time: Any = None
    value_date_time: Any = None
    value_period: Any = None
    value_attachment: Any = None
    value_reference: Any = None


class Repeat(Wire):
    bounds_period: Period | None = None


class Timing(Wire):
    repeat: Repeat | None = None


class Occurring(Timing):
    """A Timing that says when something was or is due, not how often."""

    event: list[str] | None = None


class Observation(Result):
    resource_type: str | None = None
    implicit_rules: str | None = None
    status: str | None = None
    subject: Reference | None = None
    effective_date_time: str | None = None
    issued: str | None = None
    patient: Reference | None = None
    effective_instant: str | None = None
    effective_period: Period | None = None
    effective_timing: Occurring | None = None
    focus: list[Reference] | Reference | None = None
    extension: Any = None
    component: list[Result] | None = None
    conclusion: str | None = None
    conclusion_code: list[Concept] | None = None
    coded_diagnosis: list[Concept] | None = None
    note: Any = None
    comment: Any = None
    comments: Any = None


class Resource(Wire):
    resource_type: str | None = None
    id: str | None = None
    implicit_rules: str | None = None
    modifier_extension: list[Raw] | None = None
    status: str | None = None
    code: Concept | None = None
    subject: Reference | None = None
    patient: Reference | None = None


class Condition(Resource):
    onset_date_time: str | None = None
    recorded_date: str | None = None
    clinical_status: Concept | str | None = None
    verification_status: Concept | str | None = None
    severity: Concept | None = None
    onset_period: Period | None = None
    asserted_date: str | None = None
    date_recorded: str | None = None
    abatement_date_time: str | None = None
    abatement_period: Period | None = None
    abatement_boolean: bool | None = None
    abatement_string: Any = None
    abatement_age: Any = None
    abatement_quantity: Any = None
    abatement_range: Any = None
    note: Any = None
    notes: Any = None


class DoseAndRate(Wire):
    dose_quantity: Amount | None = None


class Dosage(Wire):
    text: Text | None = None
    route: Concept | list[Concept] | None = None
    timing: Timing | None = None
    dose_and_rate: list[DoseAndRate] | None = None
    dose_quantity: Amount | None = None
    dose_simple_quantity: Amount | None = None
    dose: Amount | None = None
    quantity: Amount | None = None
    quantity_quantity: Amount | None = None
    modifier_extension: list[Raw] | None = None


class Adherence(Wire):
    code: Concept | None = None


class MedicationRef(Wire):
    concept: Concept | None = None
    reference: Reference | str | None = None
    display: Text | None = None


class Drug(Resource):
    """An order, a statement, what was handed over, or an administration."""

    contained: list[Raw] | None = None
    medication_codeable_concept: Concept | None = None
    medication_reference: Reference | None = None
    medication: MedicationRef | None = None
    intent: str | None = None
    do_not_perform: bool | None = None
    authored_on: str | None = None
    date_written: str | None = None
    date_ended: str | None = None
    status_changed: str | None = None
    date_asserted: str | None = None
    effective_date_time: str | None = None
    effective_period: Period | None = None
    effective_timing: Occurring | None = None
    effective_time_date_time: str | None = None
    effective_time_period: Period | None = None
    occurence_date_time: str | None = None
    occurence_period: Period | None = None
    occurence_timing: Occurring | None = None
    occurrence_date_time: str | None = None
    occurrence_period: Period | None = None
    occurrence_timing: Occurring | None = None
    effective_dose_period: Period | None = None
    when_handed_over: str | None = None
    when_prepared: str | None = None
    recorded: str | None = None
    dosage_instruction: list[Dosage] | None = None
    dosage: list[Dosage] | Dosage | None = None
    taken: str | None = None
    was_not_taken: bool | None = None
    was_not_given: bool | None = None
    not_given: bool | None = None
    adherence: Adherence | None = None


class Product(Wire):
    resource_type: str | None = None
    id: str | None = None
    code: Concept | None = None
    ingredient: Any = None


class Procedure(Resource):
    performed_date_time: str | None = None
    performed_period: Period | None = None
    occurrence_date_time: str | None = None
    occurrence_period: Period | None = None
    occurrence_timing: Occurring | None = None
    not_performed: bool | None = None
    not_done: bool | None = None


class Reaction(Wire):
    substance: Concept | list[Concept] | None = None
    description: Any = None
    note: Any = None


class Allergy(Resource):
    substance: Concept | None = None
    clinical_status: Concept | str | None = None
    verification_status: Concept | str | None = None
    reaction: list[Reaction] | None = None
    note: Any = None


class OrderedItem(Wire):
    code: Concept | None = None


class TestOrder(Resource):
    do_not_perform: bool | None = None
    item: list[OrderedItem] | None = None
    occurrence_date_time: str | None = None
    occurrence_period: Period | None = None
    occurrence_timing: Occurring | None = None
    scheduled_date_time: str | None = None
    scheduled_period: Period | None = None
    scheduled_timing: Occurring | None = None
    authored_on: str | None = None
    ordered_on: str | None = None


class Patient(Wire):
    resource_type: str | None = None
    id: str | None = None
    identifier: Any = None
    birth_date: str | None = None
    gender: Any = None
    deceased_boolean: bool | None = None
    deceased_date_time: str | None = None
    implicit_rules: str | None = None
    modifier_extension: list[Raw] | None = None


class RelativesCondition(Wire):
    code: Concept | None = None
    note: Any = None


class FamilyHistory(Resource):
    name: str | None = None
    relationship: Concept | None = None
    condition: list[RelativesCondition] | None = None
    note: Any = None


class Task(Resource):
    description: str | None = None
    about: Reference | None = field(name="for", default=None)


# What can still be determined about a resource that could not be decoded, one element at a time.
class TypeOnly(Wire):
    resource_type: str | None = None


class SubjectOnly(Wire):
    subject: Reference | None = None
    patient: Reference | None = None


class ContainedOnly(Wire):
    contained: list[Raw] | None = None


class Identified(Wire):
    resource_type: str | None = None
    id: str | None = None
    identifier: Any = None


class CodeOnly(Wire):
    code: Concept | None = None
    component: Any = None


class Remains(Wire):
    """What is looked for in a resource that could not be read, each part on its own."""

    resource_type: Raw = Raw()
    id: Raw = Raw()
    code: Raw = Raw()
    substance: Raw = Raw()
    medication_codeable_concept: Raw = Raw()
    medication: Raw = Raw()
    clinical_status: Raw = Raw()
    verification_status: Raw = Raw()


class Meta(Wire):
    last_updated: str | None = None


class VersionOnly(Wire):
    meta: Meta | None = None
