"""What every test starts from: no settings from outside, and no skip that goes unnoticed.

A test that needs more than Python says so, ``@pytest.mark.needs_environment("CDS_TEST_DATA")``,
and is skipped with a sentence telling how to run it. With ``CDS_REQUIRE_ALL_TESTS`` set, as in
``.ci/run``, every skip of whatever origin is a failure.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import hypothesis
import pytest

NEEDED = {
    "CDS_TEST_DEPLOYMENT": "an empty folder to carry out the Dockerfile's steps in; needs the"
    " package registry and docker-compose",
    "CDS_TEST_DATA": "the folder of public FHIR data (synthea-r4-infants, us-core-9.0.0)",
    "CDS_TEST_R4_EXAMPLES": "the folder with the JSON files of the npm package"
    " hl7.fhir.r4.examples 4.0.1; `bash .ci/run` fetches it",
}
REQUIRE_ALL = bool(os.environ.get("CDS_REQUIRE_ALL_TESTS"))

# The service under test takes its settings from the test, never from the shell it runs in. What
# tests are told by stays: every worker of pytest-xdist reads it again.
for _name in [name for name in os.environ if name.startswith("CDS_")]:
    if _name not in {*NEEDED, "CDS_REQUIRE_ALL_TESTS"}:
        del os.environ[_name]

# Slow shared machines decide nothing here; in CI the examples are the same on every run.
hypothesis.settings.register_profile("house", deadline=None, derandomize=REQUIRE_ALL)
hypothesis.settings.load_profile("house")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("needs_environment"):
        (name,) = mark.args
        folder = os.environ.get(name)
        if not folder:
            pytest.skip(f"set {name} to run this: {NEEDED[name]}")
        if not Path(folder).is_dir():
            pytest.fail(f"{name} names no folder: {NEEDED[name]}", pytrace=False)


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
