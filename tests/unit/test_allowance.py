"""How much of something one client may send in an hour."""

from __future__ import annotations

import pytest

from cds_service.errors import TooManyCalls
from cds_service.web.intake import Allowance


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(("more", "refused"), [(-1, False), (0, False), (1, True)])
def test_a_client_may_send_so_many_bytes_an_hour(more: int, *, refused: bool) -> None:
    allowance = Allowance(3_600, Clock())
    allowance.take("a", 3_000)
    if refused:
        with pytest.raises(TooManyCalls) as caught:
            allowance.take("a", 600 + more)
        assert caught.value.headers == {"Retry-After": "1"}
    else:
        allowance.take("a", 600 + more)
    # What was refused does not count, and another client has all of its own.
    allowance.take("b", 3_600)
    if refused:
        allowance.take("a", 600)


def test_time_makes_room_again() -> None:
    clock = Clock()
    allowance = Allowance(3_600, clock)
    allowance.take("a", 3_600)
    clock.now = 99.0
    with pytest.raises(TooManyCalls):
        allowance.take("a", 100)
    clock.now = 100.0
    allowance.take("a", 100)


def test_one_body_is_taken_however_large_it_is() -> None:
    clock = Clock()
    allowance = Allowance(3_600, clock)
    allowance.take("a", 7_200)
    with pytest.raises(TooManyCalls) as caught:
        allowance.take("a", 1)
    assert caught.value.headers == {"Retry-After": "3601"}
    clock.now = 3_601.0
    allowance.take("a", 1)
