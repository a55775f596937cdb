"""What a drug is: its kind, substance, form, and the way it goes in."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from msgspec import Struct

from cds_service.language import Message

Kind = Literal["b12", "antidote", "combination", "folic acid", "other", "unknown"]
Substance = Literal[
    "", "cyanocobalamin", "hydroxocobalamin", "methylcobalamin", "adenosylcobalamin"
]  # fmt: skip
Form = Literal["", "tablet", "drop", "spray", "ampoule", "liquid"]
ProductWay = Literal["", "oral", "sublingual", "nasal", "parenteral"]
#: How a drug goes in, as far as an order says it: "parenteral" is by injection, no place named.
Way = Literal[
    "oral", "sublingual", "nasal", "intramuscular", "subcutaneous", "intravenous", "parenteral"
]  # fmt: skip
#: How treatment on the record goes in; "other" is under the tongue or into the nose.
Route = Literal["oral", "parenteral", "other", "unknown"]
BY_MOUTH: tuple[Way, ...] = ("oral", "sublingual", "nasal")
INJECTED: tuple[Way, ...] = ("intramuscular", "subcutaneous", "intravenous", "parenteral")


class Drug(Struct, frozen=True):
    """What is known of a drug.

    ``kind`` is "b12" for B12 alone (also in the ``kit`` against cyanide, whose route decides
    whether an order is one of the antidote), "combination" for B12 with other active substances,
    "folic acid" for folic acid without B12, "unknown" when nothing names it or what names it
    contradicts itself. ``by`` says what it was recognised by. ``substance`` is "" when several
    or none are named. ``way`` is how the product is given as far as its form says.

    ``per_unit`` is micrograms in one counted piece of ``form`` (of whatever is counted, when
    the form is not stated), ``per_ml`` in one millilitre; each ``None`` when not stated or in
    doubt. ``doubts`` say what could not be settled.
    """

    kind: Kind
    by: Literal["code", "name", ""] = ""
    substance: Substance = ""
    way: ProductWay = ""
    form: Form = ""
    per_unit: Decimal | None = None
    per_ml: Decimal | None = None
    drops_per_ml: Decimal | None = None
    preservative_free: bool = False
    kit: bool = False
    doubts: tuple[Message, ...] = ()
