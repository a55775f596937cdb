"""What every test starts from: no settings from outside, and no skip that goes unnoticed.

A test that needs more than Python says so, ``@pytest.mark.needs_environment("CDS_TEST_DATA")``,
and is skipped with a sentence telling how to run it. With ``CDS_REQUIRE_ALL_TESTS`` set, as in
``.ci/run``, every skip of whatever origin is a failure.
"""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from random import Random
from typing import Any

import hypothesis
import pytest
from each import without_cases
from flask import Flask
from flask.testing import FlaskClient
from sampling import left_out
from werkzeug.test import TestResponse

NEEDED = {
    "CDS_TEST_ACTIONLINT": "the program actionlint 1.7.12; `bash .ci/run` builds it",
    "CDS_TEST_SPARK": "requirements/spark.txt, after `pip install -r` of it: PySpark, and Java 17",
    "CDS_TEST_COHORT": "requirements/cohort.txt, after `pip install -r` of it: a cohort needs"
    " DuckDB",
    "CDS_TEST_IMAGE": "the folder that `bash .ci/image FOLDER` made, as root; needs docker-compose",
    "CDS_TEST_SYSTEMD": "the program systemd-analyze of systemd 252 or newer",
    "CDS_TEST_DATA": "the folder of public FHIR data (synthea-r4-infants, us-core-9.0.0)",
    "CDS_TEST_R4_EXAMPLES": "the folder with the JSON files of the npm package"
    " hl7.fhir.r4.examples 4.0.1; `bash .ci/run` fetches it",
    "CDS_TEST_CHROMIUM": "the program chromium, as Debian's package of this name has it",
    "CDS_TEST_AXE": "the file axe.min.js of the npm package axe-core; `bash .ci/run` fetches it",
    "CDS_TEST_UCUM": "the file ucum-lhc.min.js of the npm package @lhncbc/ucum-lhc, read by node;"
    " `bash .ci/run` fetches it",
    "CDS_TEST_POSTGRESQL": "the address of a PostgreSQL server where databases may be made and"
    " dropped, such as postgresql://cds@127.0.0.1:5460/postgres; `bash .ci/run` starts one",
    "CDS_TEST_HAPI": "the base address of a HAPI FHIR server; `make test-servers` starts one",
    "CDS_TEST_SERVERS": "the folder that `make test-servers` fills from Maven Central and npm",
}
REQUIRE_ALL = bool(os.environ.get("CDS_REQUIRE_ALL_TESTS"))

# The service under test takes its settings from the test, never from the shell it runs in. The
# settings of the tests themselves stay: every worker of pytest-xdist reads them again.
for _name in [name for name in os.environ if name.startswith("CDS_")]:
    if not _name.startswith("CDS_TEST_") and _name != "CDS_REQUIRE_ALL_TESTS":
        del os.environ[_name]

# Slow shared machines decide nothing here; in CI the examples are the same on every run.
_too_slow = [hypothesis.HealthCheck.too_slow]
hypothesis.settings.register_profile(
    "house", deadline=None, derandomize=REQUIRE_ALL, suppress_health_check=_too_slow
)
hypothesis.settings.load_profile("house")
# `make fuzz` asks for this one: new examples every time, and many.
hypothesis.settings.register_profile(
    "fuzz", deadline=None, max_examples=20_000, suppress_health_check=_too_slow
)


class _ReadsAtOnce(FlaskClient):
    """Reads each answer to its end at once, as a client over a socket does: a slow call is kept,
    and logged, when its end was asked for."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        return super().open(*args, **{"buffered": True, **kwargs})


Flask.test_client_class = _ReadsAtOnce


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--case", default="", metavar="WORD", help="only cases of `each` with WORD in their name"
    )
    parser.addoption(
        "--shuffle", type=int, metavar="SEED", help="files, and tests of each, in another order"
    )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves the parameters that are not in a test's sample; what is asked for by its name, or
    with others that are few, is run."""
    word = config.getoption("--case")
    out = {one for one in items if without_cases(one, word)} if word else left_out(items)
    if out:
        config.hook.pytest_deselected(items=list(out))
        items[:] = [item for item in items if item not in out]
    seed = config.getoption("--shuffle")
    if seed is not None:
        items[:] = shuffled(items, seed)


def shuffled(items: list[pytest.Item], seed: int) -> list[pytest.Item]:
    """The tests of a file stay together, for what they share is dear to set up."""
    random = Random(seed)
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    groups = list(files.values())
    random.shuffle(groups)
    return [item for group in groups for item in random.sample(group, len(group))]


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("corpus"):
        item.user_properties.append(("counted", f"{mark.args[0]}, as they should be answered"))
    for mark in item.iter_markers("needs_environment"):
        (name,) = mark.args
        value = os.environ.get(name)
        if not value:
            pytest.skip(f"set {name} to run this: {NEEDED[name]}")
        if "://" not in value and not Path(value).exists():
            pytest.fail(f"{name} names nothing that exists: {NEEDED[name]}", pytrace=False)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says what was counted: tests record a name, or a name and how many, as "counted"."""
    counts: Counter[str] = Counter()
    for report in terminalreporter.getreports("passed"):
        for kind, counted in getattr(report, "user_properties", ()):
            if kind == "counted" and report.when == "call":
                name, count = (counted, 1) if isinstance(counted, str) else counted
                counts[name] += count
    for name, count in sorted(counts.items()):
        terminalreporter.write_line(f"{name}: {count}")


def _forbid_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if REQUIRE_ALL and report.skipped and not hasattr(report, "wasxfail"):
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"CDS_REQUIRE_ALL_TESTS is set, and this was not run: {why}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _forbid_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _forbid_skip(report)
    return report


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """What is there now stays to the end: the collector of garbage need not look at it again."""
    gc.freeze()
