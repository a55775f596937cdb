"""Cards with room for everything: for tests of what cards tell, whether or not it finds room."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from cds_service.consultation import cards, detail


@contextmanager
def room_for_all() -> Iterator[None]:
    """No sentence is moved below the rule or left out of a card for want of room, and no headline
    says briefly what a note then says in full."""
    with pytest.MonkeyPatch.context() as patch:
        for most in ("WORDS_ABOVE", "WORDS_BELOW", "AT_A_GLANCE"):
            patch.setattr(detail, most, 100_000)
        patch.setattr(cards, "SUMMARY_LIMIT", 100_000)
        yield
