"""FHIR's dates and times as moments."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from each import each
from hypothesis import given
from hypothesis import strategies as st

from cds_service.fhir.elements import moment


def seconds(*parts: int) -> float:
    return datetime(*parts, tzinfo=UTC).timestamp()  # type: ignore[misc, arg-type]


@pytest.mark.parametrize(
    ("written", "first", "last"),
    [
        ("2026", date(2026, 1, 1), date(2026, 12, 31)),
        ("2026-01", date(2026, 1, 1), date(2026, 1, 31)),
        ("2024-02", date(2024, 2, 1), date(2024, 2, 29)),
        ("2026-12", date(2026, 12, 1), date(2026, 12, 31)),
        ("2026-01-11", date(2026, 1, 11), date(2026, 1, 11)),
        ("9999", date(9999, 1, 1), date(9999, 12, 31)),
        ("0002-11-23", date(2, 11, 23), date(2, 11, 23)),
    ],
)
def test_a_partial_date_is_all_the_days_it_can_mean(written: str, first: date, last: date) -> None:
    found = moment(written)
    assert found is not None
    assert (found.first, found.last) == (first, last)
    assert found.instant == (first - date(1970, 1, 1)).total_seconds()


@pytest.mark.parametrize(
    ("written", "day", "instant"),
    [
        ("2026-01-11T08:00:00Z", 11, seconds(2026, 1, 11, 8)),
        ("2026-01-11T08:00:00+00:00", 11, seconds(2026, 1, 11, 8)),
        ("2026-01-11T08:30:00.250Z", 11, seconds(2026, 1, 11, 8, 30) + 0.25),
        ("2026-01-11T08:00:00", 11, seconds(2026, 1, 11, 8)),
        ("2026-01-11T08:00", 11, seconds(2026, 1, 11, 8)),
        ("2026-01-11T08:00Z", 11, seconds(2026, 1, 11, 8)),
        ("2026-01-11 08:00:00", 11, seconds(2026, 1, 11, 8)),
        ("2026-01-11T08:00:00+0200", 11, seconds(2026, 1, 11, 6)),
        ("2026-01-11T08:59:60Z", 11, seconds(2026, 1, 11, 9)),
        # the calendar date is the one of the place where it was recorded
        ("2026-01-11T23:30:00-05:00", 11, seconds(2026, 1, 12, 4, 30)),
        ("2026-01-11T00:30:00+05:30", 11, seconds(2026, 1, 10, 19)),
    ],
)
def test_a_time_has_the_date_as_written_and_the_instant_it_means(
    written: str, day: int, instant: float
) -> None:
    found = moment(written)
    assert found is not None
    assert found.first == found.last == date(2026, 1, day)
    assert found.instant == instant


@each(
    "written",
    [
        None, "", "Invalid date", "26", "2026-13", "2026-00-01", "2026-02-30", "2025-02-29",
        "2026-1-1", "2026/01/11", "11.01.2026", "20260111", "2026-W02-7", "2026-W02", "2026-011",
        "2026-01-11T", "2026-01-11T24:00:00Z", "2026-01-11T08", "2026-01-11T08:61:00Z",
        "2026-01-11T08:00:61Z", "2026-01-11T08:00:00Zx", "0000",
        "0000-01-01", "-2026", "2026-01-11T08:00:00+25", "١٩٩٩", "2026-01-11\n", "today",
    ],
)  # fmt: skip
def test_what_is_not_a_date_is_no_moment(written: str | None) -> None:
    assert moment(written) is None


@given(
    st.datetimes(
        min_value=datetime(1, 1, 2),  # noqa: DTZ001
        max_value=datetime(9999, 12, 30),  # noqa: DTZ001
        timezones=st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m))),
    )
)
def test_every_time_python_can_write_is_read_back(then: datetime) -> None:
    found = moment(then.isoformat())
    assert found is not None
    assert found.first == found.last == then.date()
    assert found.instant == pytest.approx(then.timestamp(), abs=1e-3)


@given(st.text(max_size=30) | st.from_regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d.{0,12}", fullmatch=True))
def test_no_text_whatever_breaks_the_reading(written: str) -> None:
    found = moment(written)
    assert found is None or found.first <= found.last
