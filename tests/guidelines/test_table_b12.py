"""Table B12: from results to levels, by their unit and never by a guess."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from builders import (
    CROHN,
    SEIZURE,
    SNOMED,
    Seen,
    a_diet,
    a_dose_given,
    a_lab,
    a_level,
    a_range,
    a_record,
    quantity,
    see,
)
from msgspec import structs

from cds_service.clinical import Code, Interval, Measurement


@dataclass(frozen=True)
class Read:
    """What became of the newest level: its row, verdict, and the rules that fired."""

    row: str
    verdict: str
    seen: Seen


def read(*results: Measurement) -> Read:
    seen = see(a_record(measured=results))
    level = seen.evaluation.facts.levels[0]
    return Read(level.rule, level.verdict, seen)


def test_a_result_of_unknown_status_is_said_and_not_used() -> None:
    seen = see(a_record(level=a_level(status="unknown")))
    assert "B12-04" in seen.rules
    assert "STAT-02" not in seen.rules


@pytest.mark.parametrize("status", ["entered-in-error", "cancelled", "registered", "unknown"])
def test_a_result_that_does_not_stand_is_ignored(status: str) -> None:
    level = a_level(status=status)
    if status != "entered-in-error":
        level = structs.replace(level, value=None)
    seen = see(a_record(level=level))
    assert "B12-01" in seen.rules
    assert seen.evaluation.facts.levels == ()
    assert not seen.drugs
    assert not seen.shows("B12-04")


@pytest.mark.parametrize("status", ["cancelled", "registered"])
def test_a_value_that_comes_with_the_status_of_no_result_is_said(status: str) -> None:
    seen = see(a_record(level=a_level(status=status)))
    assert seen.shows("B12-04")
    assert [one.reason for one in seen.evaluation.facts.unread] == ["status"]
    assert not seen.drugs
    lab = see(a_record(a_lab("hemoglobin", 5, status=status)))
    assert [one.reason for one in lab.evaluation.facts.unread] == ["status"]
    assert "SEV-01" not in lab.rules


@pytest.mark.parametrize("status", ["", "Final", "partial", "appended"])
def test_a_status_that_is_none_of_fhirs_makes_a_result_unusable_aloud(status: str) -> None:
    seen = see(a_record(level=a_level(status=status)))
    assert "B12-04" in seen.rules
    assert seen.shows("B12-04")
    assert not seen.drugs


def test_a_result_about_the_mother_is_not_the_childs() -> None:
    seen = see(a_record(level=a_level(about="mother")))
    assert "B12-01" in seen.rules
    assert not seen.drugs


def test_a_low_preliminary_result_is_said_and_decides_nothing() -> None:
    seen = see(a_record(level=a_level(status="preliminary")))
    assert seen.outcome("B12-02").indicator == "info"
    assert "STAT-13" in seen.rules
    assert not seen.drugs


def test_a_low_preliminary_result_is_a_warning_with_neurological_signs() -> None:
    seen = see(a_record(level=a_level(status="preliminary"), problems=[SEIZURE]))
    assert seen.outcome("B12-02").indicator == "warning"


def test_a_normal_preliminary_result_is_not_worth_a_card() -> None:
    assert see(a_record(level=a_level(400, status="preliminary"))).silent


def test_a_final_result_answers_an_earlier_preliminary_one() -> None:
    seen = see(a_record(a_level(status="preliminary", ago=6), level=a_level(400, ago=5)))
    assert not seen.shows("B12-02")


def test_a_result_without_a_value_decides_nothing_and_is_named() -> None:
    seen = see(a_record(level=a_level(None, withheld=True)))
    assert "B12-03" in seen.rules
    assert seen.shows("IN-05")


@pytest.mark.parametrize(
    "level",
    [
        a_level(150, None),
        a_level(0),
        a_level(-150),
        a_level(100001),
        a_level(150, "ug"),
        a_level(when=None),
    ],
    ids=["no unit", "zero", "negative", "impossible", "no concentration", "no date"],
)
def test_a_number_that_cannot_be_trusted_is_shown_and_not_used(level: Measurement) -> None:
    seen = see(a_record(level=level))
    assert "B12-04" in seen.rules
    assert seen.shows("B12-04")
    assert not seen.drugs
    assert level.value is not None
    assert seen.says(level.value.written)


@pytest.mark.parametrize("code", ["16695-9", "2170-9", "54376-9"])
@pytest.mark.parametrize("value", [90, 450])
def test_a_level_in_another_specimen_is_never_met_with_silence(code: str, value: int) -> None:
    other = a_level(value, code=code)
    alone = see(a_record(level=other))
    assert "B12-05" in alone.rules
    assert alone.shows("B12-04")
    assert alone.says(f"{value} pg/mL (code {code}, not a serum level)")
    assert not alone.doses
    assert ("b12", "another specimen") in {
        (one.need, one.reason) for one in alone.evaluation.unread
    }
    newer = see(a_record(other, level=a_level(450, ago=20)))
    assert newer.says("A vitamin B12 result newer than B12 450 pg/mL could not be read")
    older = see(a_record(a_level(value, code=code, ago=20), level=a_level(450)))
    assert older.silent


def test_a_level_in_another_specimen_without_a_value_is_only_counted() -> None:
    assert not see(a_record(level=a_level(None, code="16695-9"))).shows("B12-04")


@pytest.mark.parametrize("value", [90, 450])
def test_a_result_of_the_future_may_be_the_newest(value: int) -> None:
    seen = see(a_record(a_level(value, ago=-30), level=a_level(450, ago=20)))
    assert seen.shows("B12-04.ahead")
    assert seen.says(f"{value} pg/mL")
    assert not seen.says("is adequate")


@pytest.mark.parametrize("code", ["2171-7", "32341-0"])
def test_another_test_is_ignored_and_named_when_there_is_nothing_better(code: str) -> None:
    seen = see(a_record(a_diet(), level=a_level(code=code)))
    assert "B12-05" in seen.rules
    assert seen.says(f"not a serum vitamin B12: Vitamin B12 ({code})")
    assert "STAT-12" in seen.rules


@pytest.mark.parametrize(("code", "unit"), [("2132-9", "pmol/L"), ("14685-2", "pg/mL")])
def test_the_unit_decides_when_it_does_not_fit_the_code(code: str, unit: str) -> None:
    found = read(a_level(120, unit, code=code))
    assert {"B12-06", "STAT-02"} <= found.seen.rules
    assert found.seen.says("does not fit its LOINC code")


@pytest.mark.parametrize(("comparator", "value", "verdict"), [
    ("<", 200, "deficient"), ("<=", 200, "deficient"), ("<", "200.1", "indeterminate"),
    ("<", 150, "deficient"),
])  # fmt: skip
def test_a_result_below_a_bound_is_deficient_only_if_the_bound_is(
    comparator: str, value: str, verdict: str
) -> None:
    found = read(a_level(value, comparator=comparator))
    assert (found.row, found.verdict) == ("B12-07", verdict)


@pytest.mark.parametrize(("comparator", "value", "verdict"), [
    (">", 300, "adequate"), (">=", 300, "adequate"), (">", "299.9", "indeterminate"),
    (">", 150, "indeterminate"), ("ad", 150, "indeterminate"),
])  # fmt: skip
def test_a_result_above_a_bound_is_adequate_only_if_the_bound_is(
    comparator: str, value: str, verdict: str
) -> None:
    found = read(a_level(value, comparator=comparator))
    assert (found.row, found.verdict) == ("B12-08", verdict)


@pytest.mark.parametrize(
    "but",
    [
        {"interpretation": "low"},
        {"text": "low"},
        {"text": " Low "},
        {"concepts": (Code("http://terminology.hl7.org/CodeSystem/v3-Obs", "LL"),)},
        {"concepts": (Code(SNOMED, "165645009"),)},
    ],
    ids=str,
)
def test_low_without_a_number_is_handled_as_borderline(but: dict[str, object]) -> None:
    found = read(a_level(None, **but))  # type: ignore[arg-type]
    assert (found.row, found.verdict) == ("B12-09", "low")
    assert {"STAT-05", "RTE-08"} <= found.seen.rules
    assert found.seen.says("ask the laboratory for the value")


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (100, 180, "deficient"),
        (210, 290, "borderline"),
        (300, 400, "adequate"),
        (150, 250, "indeterminate"),
        (180, 100, "indeterminate"),
        (0, 150, "indeterminate"),
        (400, 10**29, "indeterminate"),
    ],
)
def test_a_range_has_the_status_its_ends_share(low: int, high: int, verdict: str) -> None:
    found = read(a_range(low, high))
    assert (found.row, found.verdict) == ("B12-10", verdict)
    assert found.seen.cards or verdict == "adequate"


def test_a_range_without_an_end_or_a_unit_says_nothing() -> None:
    ends = Interval(quantity(100, "pg/mL"), None)
    assert read(a_level(None, interval=ends)).verdict == "indeterminate"
    bare = Interval(quantity(100, "pg/mL"), quantity(150, None))
    assert read(a_level(None, interval=bare)).verdict == "indeterminate"


def test_words_make_no_status_and_are_shown_as_written() -> None:
    found = read(a_level(None, text="see report"))
    assert (found.row, found.verdict) == ("B12-10", "indeterminate")
    assert found.seen.says("see report")


@pytest.mark.parametrize(
    ("value", "unit", "row"),
    [
        ("199.9", "pg/mL", "STAT-02"),
        ("200.0", "pg/mL", "STAT-05"),
        ("299.9", "pg/mL", "STAT-05"),
        ("300.0", "pg/mL", "STAT-08"),
        ("147", "pmol/L", "STAT-02"),
        ("148", "pmol/L", "STAT-05"),
        ("221", "pmol/L", "STAT-05"),
        ("222", "pmol/L", "STAT-08"),
        ("0.147", "nmol/L", "STAT-02"),
        ("199", "ng/L", "STAT-02"),
        ("19.9", "ng/dL", "STAT-02"),
        ("0.199", "ng/mL", "STAT-02"),
        ("0.2", "ug/L", "STAT-05"),
    ],
)
def test_the_limits_hold_in_every_unit(value: str, unit: str, row: str) -> None:
    found = read(a_level(value, unit))
    assert found.row == "B12-11"
    assert row in found.seen.rules


def test_a_converted_result_is_shown_as_it_was_sent() -> None:
    seen = see(a_record(level=a_level(147, "pmol/L", code="14685-2")))
    assert seen.says("199.2 pg/mL (sent as 147 pmol/L)")


def test_a_low_result_before_a_normal_one_within_two_weeks_is_not_undone() -> None:
    found = read(a_level(400, ago=5), a_level(150, ago=15))
    assert {"B12-12", "STAT-05", "RTE-08"} <= found.seen.rules


def test_a_low_result_after_a_normal_one_is_deficient_and_the_disagreement_said() -> None:
    found = read(a_level(150, ago=5), a_level(400, ago=15))
    assert {"B12-12", "STAT-02"} <= found.seen.rules
    assert found.seen.says("Results within two weeks disagree (also 400 pg/mL")


def test_a_low_result_of_long_ago_is_no_disagreement_of_today() -> None:
    found = read(a_level(400, ago=5), a_level(250, ago=10), a_level(150, ago=100))
    assert {"B12-12", "STAT-08"} <= found.seen.rules


def test_results_with_treatment_between_them_may_differ() -> None:
    record = a_record(
        measured=(a_level(400, ago=5), a_level(150, ago=15)), medications=[a_dose_given(ago=10)]
    )
    assert "B12-12" not in see(record).rules


def test_of_results_of_the_same_moment_the_lowest_counts() -> None:
    found = read(a_level(400), a_level(150), a_level(250))
    assert found.verdict == "deficient"
    assert found.seen.says("Several results at the same time: the lowest counts")


def test_the_newest_result_counts_whatever_the_order_they_come_in() -> None:
    old, new = a_level(400, ago=100), a_level(150, ago=5)
    assert read(old, new).verdict == read(new, old).verdict == "deficient"


def test_the_laboratorys_range_never_replaces_the_limits() -> None:
    seen = see(a_record(a_diet(), level=a_level(320, reference_low=quantity(350, "pg/mL")),
                        problems=[CROHN]))  # fmt: skip
    assert "STAT-08" in seen.rules
    assert seen.evaluation.facts.levels[0].below_reference


def test_a_result_dated_in_the_future_is_said_to_be_that() -> None:
    seen = see(a_record(level=a_level(142, ago=-27)))
    assert "B12-04" in seen.rules
    assert seen.shows("B12-04.ahead")
    assert seen.says("dated in the future")
    assert not seen.says("no known unit")
    assert not seen.doses


def test_a_future_result_that_could_not_be_read_either_is_not_only_ahead() -> None:
    seen = see(a_record(level=a_level(142, None, ago=-27)))
    assert seen.shows("B12-04")
