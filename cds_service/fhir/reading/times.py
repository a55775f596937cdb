"""When something was, in whichever member a version of FHIR says it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from cds_service.clinical import Moment
from cds_service.fhir import editions, wire
from cds_service.fhir.elements import Moments

#: Beginning and end: the same for a point in time, either missing where it is not stated.
Stretch: TypeAlias = tuple[Moment | None, Moment | None]

_NEVER: Stretch = (None, None)


class Times:
    """The members of one kind of resource that say when; the first that says a time counts."""

    def __init__(self, struct: type[wire.Wire], kind: str, part: editions.Part) -> None:
        self._members = tuple(
            (wire.attribute(struct, name), _reader(name)) for name in editions.names(kind, part)
        )

    def of(self, sent: wire.Wire, moments: Moments) -> Stretch:
        for member, read in self._members:
            said = getattr(sent, member)
            if said is not None:
                found = read(said, moments)
                if found != _NEVER:
                    return found
        return _NEVER

    def are_unread(self, sent: wire.Wire, moments: Moments) -> bool:
        """Whether a time was sent here and none of them can be read."""
        said = any(getattr(sent, member) is not None for member, _ in self._members)
        return said and self.of(sent, moments) == _NEVER

    def begun(self, sent: wire.Wire, moments: Moments) -> Moment | None:
        """The beginning, or the end where only that is known."""
        first, last = self.of(sent, moments)
        return first or last

    def ended(self, sent: wire.Wire, moments: Moments) -> Moment | None:
        """The end, or the beginning where only that is known."""
        first, last = self.of(sent, moments)
        return last or first


def _reader(name: str) -> Callable[[Any, Moments], Stretch]:
    if name.endswith("Period"):
        return _period
    return _occurring if name.endswith("Timing") else _point


def _point(said: str, moments: Moments) -> Stretch:
    when = moments[said]
    return when, when


def _period(said: wire.Period, moments: Moments) -> Stretch:
    return moments[said.start], moments[said.end]


def _occurring(said: wire.Occurring, moments: Moments) -> Stretch:
    """From the first to the last of its events, else the bounds of what is repeated."""
    events = [when for event in said.event or () if (when := moments[event]) is not None]
    if events:
        return _ends(events)
    bounds = said.repeat.bounds_period if said.repeat is not None else None
    return _period(bounds, moments) if bounds is not None else _NEVER


def _ends(events: Sequence[Moment]) -> Stretch:
    def order(when: Moment) -> float:
        return when.instant

    return min(events, key=order), max(events, key=order)


def span(stretch: Stretch) -> Moment | None:
    """The whole stretch as one moment; with one end missing, the other end alone."""
    begun, ended = stretch
    if begun is None or ended is None:
        return begun or ended
    return Moment(begun.first, max(begun.last, ended.last), begun.instant)
