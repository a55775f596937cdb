"""Laboratory orders, of the record and of the basket."""

from __future__ import annotations

from msgspec import Raw

from cds_service.clinical import TestOrder
from cds_service.fhir import editions, elements, wire
from cds_service.fhir.elements import Unreadable
from cds_service.fhir.reading.context import Context, source_of, status_of
from cds_service.fhir.reading.times import Times, span

_DUE = Times(wire.TestOrder, "ServiceRequest", "due")
_AUTHORED = Times(wire.TestOrder, "ServiceRequest", "when")


def read_test_order(
    sent: wire.TestOrder, context: Context, resource: Raw | bytes
) -> tuple[TestOrder, ...]:
    if sent.do_not_perform:
        raise Unreadable
    order = test_order(sent, context.moments)
    if not context.wants(order.codes):
        return ()
    status_of(sent)
    return (order,)


def test_order(sent: wire.TestOrder, moments: elements.Moments) -> TestOrder:
    """The order as the record has it, whichever patient it is for; a status of no version as it
    was sent."""
    concepts = [sent.code, *(item.code for item in sent.item or ())]
    codes = tuple(code for concept in concepts for code in elements.codes(concept))
    return TestOrder(
        codes,
        next(filter(None, map(elements.text, concepts)), ""),
        editions.status_of("ServiceRequest", sent.status) or sent.status or "",
        source_of(sent),
        due=span(_DUE.of(sent, moments)),
        authored=_AUTHORED.begun(sent, moments),
    )
