"""Every command that a document gives is run as a reader of that page would run it: one after
another, in one folder.

Where a page cannot be followed here, the block is in `ELSEWHERE` with the test that does it or
the reason.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.request import urlopen

import pytest
from project_files import FILES, text_of
from served import ROOT, environment, free_port, wait_until_ready

pytestmark = pytest.mark.sampled_file(2)

# What the commands of a page must have printed, in this order.
WALKED: dict[str, list[str]] = {
    "docs/tutorial.md": [
        "cyanocobalamin 1000 micrograms (1 mL) by mouth daily",
        "1000 times the usual 1000 micrograms",
        "RTE-",
    ],
    "docs/local-codes.md": [
        "not known here)",
        "b12: http://lab.example.org/tests|VB12",
        "b12_level",
        "3 local codes in local-codes.csv",
        "cyanocobalamin 1000 micrograms (1 mL) by mouth daily",
    ],
    "docs/security.md": [
        "clients/north.pem",
        " 401 ",
        " 200 ",
        " 401 ",
        '"cards":[{',
    ],
    "docs/sandbox.md": ["cyanocobalamin 1000 micrograms (1 mL) by mouth daily"],
    "docs/export.md": [],
    "docs/feedback-report.md": ["No card was shown.", '"too_few": true', "group,name,shown"],
    "docs/fhir-trail.md": [],
}
# Of each block that is not run here its beginning, with what runs it or why nothing does.
ELSEWHERE = {
    (
        "CONTRIBUTING.md",
        "python deploy/release.py check",
    ): "makes a tag; tests/deployment/test_release.py",
    ("README.md", "make demo"): "docs/tutorial.md does; `make test` is this run",
    ("docs/cohort.md", "pip install"): "tests/cohort/test_running.py, since it needs DuckDB",
    ("docs/cohort.md", "cds-service cohort run exports"): "tests/cohort/test_bulk.py",
    ("docs/cohort.md", "cds-service cohort compare"): "tests/cohort/test_report.py",
    ("docs/cohort.md", "pip install 'b12-cds-service[cohort,spark]'"): "test_cluster.py next to it",
    ("docs/cohort.md", "echo"): "needs a cluster; tests/cohort/test_cluster.py without one",
    ("docs/cohort.md", "python -c"): "tests/cohort/test_running.py asks the same table",
    ("docs/hapi.md", ".venv/bin/python tests/servers/started.py"): "tests/servers/test_hapi.py",
    ("docs/hapi.md", ".venv/bin/cds-service samples load"): "tests/servers/test_hapi.py",
    ("docs/hapi.md", "CDS_FHIR_DEADLINE_MS=2000 make demo"): "tests/servers/test_hapi.py",
    ("docs/hapi.md", "curl -s"): "tests/servers/test_hapi.py",
    ("docs/operating.md", "python3 -m venv"): "tests/deployment/test_containers.py",
    ("docs/operating.md", "make release"): "tests/deployment/test_release.py, without pipx",
    ("docs/operating.md", "docker compose up"): "needs a container engine; tests/deployment",
    ("docs/operating.md", "cds-service serve"): "tests/trust/test_end_to_end.py, on loopback",
    ("docs/operating.md", "# SQLite; do not copy"): "tests/store/test_restore.py",
    ("docs/operating.md", "# SQLite\nrm"): "tests/store/test_restore.py",
    ("docs/running.md", "git verify-tag"): "needs a tag; tests/deployment/test_release.py builds",
    ("docs/running.md", "make advisories"): "needs the internet; tests/deployment/test_release.py",
    ("docs/running.md", "install -d"): "needs systemd; tests/deployment reads the units",
    ("docs/running.md", "systemctl stop"): "needs systemd; tests/functional/test_processes.py",
    ("docs/running.md", "systemctl restart"): "needs systemd; tests/functional/test_processes.py",
    ("docs/running.md", "docker run"): "needs an engine; tests/deployment runs the image",
    ("docs/security.md", "kill -HUP PID"): "tests/trust/test_end_to_end.py",
    ("docs/store.md", "cds-service audit show"): "tests/functional/test_cli_store.py",
    ("docs/store.md", "(umask 077"): "tests/store/test_sealing.py, with keys of its own",
    ("docs/store.md", "cds-service audit verify"): "tests/store/test_chain.py",
    ("docs/trials.md", "CDS_TRIALS="): "settings; tests/functional/test_restraint.py",
    ("docs/trials.md", "CDS_RESPECT_INFO_HOURS="): "settings; tests/functional/test_restraint.py",
}
BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^ *```", re.M | re.S)
STARTS = re.compile(r"^(?P<variables>(?:[A-Z_]+=\S+ )*)(?:make demo|\.venv/bin/cds-service serve)$")


def blocks(name: str) -> Iterator[tuple[str, str]]:
    """The language and text of each block of code of a page."""
    for _, language, text in BLOCK.findall(text_of(name)):
        yield language, textwrap.dedent(text).strip()


def elsewhere(name: str, block: str) -> bool:
    return any(name == page and block.startswith(begins) for page, begins in ELSEWHERE)


PAGES = [name for name in FILES if name.endswith(".md") and any(b == "sh" for b, _ in blocks(name))]


def test_every_command_is_run_or_listed() -> None:
    given = [(name, block) for name in PAGES for kind, block in blocks(name) if kind == "sh"]
    assert [
        (name, block) for name, block in given if name not in WALKED and not elsewhere(name, block)
    ] == []
    for page, begins in ELSEWHERE:
        assert any(n == page and b.startswith(begins) for n, b in given), f"{page}: {begins}"


class Reader:
    """Someone with a shell in a checkout, who does what the page says."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.port = free_port()
        self.printed = ""
        self._variables: dict[str, str] = {}
        self._service = stack.enter_context(ExitStack())
        self._stack = stack
        (folder / "fhir_samples").symlink_to(ROOT / "fhir_samples")
        programs = folder / ".venv" / "bin"
        programs.mkdir(parents=True)
        program = programs / "cds-service"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m cds_service "$@"\n')
        program.chmod(0o755)

    def does(self, block: str) -> None:
        """Starts the service where the block says so, and runs the rest in a shell."""
        rest = []
        for line in block.replace("127.0.0.1:8080", f"127.0.0.1:{self.port}").splitlines():
            if exported := re.match(r"^export (\w+)=(.*)$", line):
                self._variables[exported[1]] = exported[2]
            elif starts := STARTS.match(line):
                self._run(rest)
                rest = []
                own = dict(one.split("=", 1) for one in starts["variables"].split())
                self._start(demo="make demo" in line, **own)
            else:
                rest.append(line)
        self._run(rest)

    def _environment(self, **more: str) -> dict[str, str]:
        program = str(self.folder / ".venv" / "bin")
        path = os.pathsep.join([program, os.environ["PATH"]])
        python = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        kept = {"CDS_DATABASE_URL": "sqlite:///kept.sqlite", **self._variables, **more}
        return environment(PATH=path, PYTHONPATH=python, **kept)

    def _start(self, *, demo: bool, **variables: str) -> None:
        self._service.close()
        self._service = self._stack.enter_context(ExitStack())
        options = ["--port", str(self.port), *(["--demo"] if demo else [])]
        process = self._service.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "cds_service", "serve", *options],
                cwd=self.folder,
                env=self._environment(
                    CDS_SAMPLES=str(ROOT / "fhir_samples/b12_under_two"), **variables
                )
                if demo
                else self._environment(**variables),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        )
        self._service.callback(process.terminate)
        wait_until_ready(process, self.port)
        self._wait_for_the_store()

    def _wait_for_the_store(self) -> None:
        """A reader needs longer for the next command than the service for its tables."""
        for _ in range(200):
            with urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=30) as answer:
                if json.load(answer)["store"]["state"] != "opening":
                    return
            time.sleep(0.05)
        pytest.fail("the store did not open")

    def _run(self, lines: list[str]) -> None:
        if not lines:
            return
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", "\n".join(lines)],
            cwd=self.folder,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        self.printed += done.stdout + done.stderr


@pytest.mark.sampled(3)
@pytest.mark.parametrize("name", sorted(WALKED))
def test_a_reader_who_follows_the_page_sees_what_it_says(name: str, tmp_path: Path) -> None:
    with ExitStack() as stack:
        reader = Reader(tmp_path, stack)
        if not any(STARTS.search(line) for _, b in blocks(name) for line in b.splitlines()):
            reader.does("make demo")
        for kind, block in blocks(name):
            if (
                kind == "toml"
                and block.startswith("[[clients]]")
                and not (tmp_path / "clients/clients.toml").exists()
            ):
                (tmp_path / "clients" / "clients.toml").write_text(block)
            elif kind == "text" and block.startswith("system,code,means"):
                (tmp_path / "local-codes.csv").write_text(block + "\n")
            elif kind == "sh" and not elsewhere(name, block):
                reader.does(block)
    place = 0
    for expected in WALKED[name]:
        found = reader.printed.find(expected, place)
        assert found >= 0, f"{expected!r} is not in\n{reader.printed[place:][:4000]}"
        place = found + len(expected)


SELECTIONS = sorted(
    {
        (name, found.replace("THE_LIMIT", "b12_severe"))
        for name in FILES
        if name.endswith(".md") and name != "CHANGELOG.md"
        for found in re.findall(r'make test ARGS="?(tests/[^"`]*)', text_of(name))
    }
)


@pytest.mark.parametrize(("page", "arguments"), SELECTIONS)
def test_what_a_document_selects_of_the_tests_is_there(page: str, arguments: str) -> None:
    """With other names for tests, a command may still run and select nothing."""
    collected = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", *shlex.split(arguments)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
    )
    assert collected.returncode == 0, f"{page}: {collected.stdout[-500:]}"
