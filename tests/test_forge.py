"""The files that a public forge reads, held against their published schemas."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib

import pytest
import yaml
from project_files import FILES, ROOT, text_of

SCHEMAS = {
    ".github/workflows/ci.yml": "vendor.github-workflows",
    ".github/workflows/release.yml": "vendor.github-workflows",
    ".github/dependabot.yml": "vendor.dependabot",
    ".github/ISSUE_TEMPLATE/bug.yml": "vendor.github-issue-forms",
    ".github/ISSUE_TEMPLATE/clinical-concern.yml": "vendor.github-issue-forms",
    ".github/ISSUE_TEMPLATE/config.yml": "vendor.github-issue-config",
    "CITATION.cff": "vendor.citation-file-format",
    "docker-compose.yml": "vendor.compose-spec",
}


def test_every_file_for_a_forge_has_a_schema() -> None:
    assert {n for n in FILES if n.startswith(".github/") and n.endswith(".yml")} <= set(SCHEMAS)


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_it_is_what_its_published_schema_allows(name: str) -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", SCHEMAS[name], name],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.needs_environment("CDS_TEST_ACTIONLINT")
def test_the_workflows_pass_their_linter() -> None:
    files = [name for name in FILES if name.startswith(".github/workflows/")]
    linted = subprocess.run(
        [os.environ["CDS_TEST_ACTIONLINT"], "-no-color", *files],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
    )
    assert linted.returncode == 0, linted.stdout + linted.stderr


def test_the_workflow_runs_what_anyone_can_run() -> None:
    jobs = yaml.safe_load(text_of(".github/workflows/ci.yml"))["jobs"]
    runs = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    assert runs == ['sudo env "PATH=$PATH" CI=true bash .ci/run', "make test"]


def test_a_release_begins_with_the_check_of_its_tag_and_only_its_last_job_may_write() -> None:
    workflow = yaml.safe_load(text_of(".github/workflows/release.yml"))
    runs = {
        name: [step["run"] for step in job["steps"] if "run" in step]
        for name, job in workflow["jobs"].items()
    }
    assert runs["make"] == [
        'python deploy/release.py check "$GITHUB_REF_NAME"',
        'sudo env "PATH=$PATH" CI=true bash .ci/run',
        "make release",
        "sudo .venv/bin/python deploy/release.py image .cache/image dist",
    ]
    writes = [name for name, job in workflow["jobs"].items() if "permissions" in job]
    assert (workflow["permissions"], writes) == ({"contents": "read"}, ["draft"])
    assert not any(
        "checkout" in step.get("uses", "") for step in workflow["jobs"]["draft"]["steps"]
    )
    (drafted,) = runs["draft"]
    assert "--draft --verify-tag" in drafted


def test_every_python_that_is_claimed_is_tested() -> None:
    """3.11 by `.ci/run`; the others by the workflow."""
    jobs = yaml.safe_load(text_of(".github/workflows/ci.yml"))["jobs"]
    setup = next(s for s in jobs["everything"]["steps"] if "setup-python" in s.get("uses", ""))
    tested = {setup["with"]["python-version"], *jobs["python"]["strategy"]["matrix"]["version"]}
    classifiers = tomllib.loads(text_of("pyproject.toml"))["project"]["classifiers"]
    claimed = {found[1] for one in classifiers if (found := re.search(r":: (3\.\d+)$", one))}
    assert claimed == tested


def test_the_hooks_before_a_commit_download_nothing() -> None:
    repositories = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert [one["repo"] for one in repositories["repos"]] == ["local"]
    for hook in repositories["repos"][0]["hooks"]:
        assert hook["language"] == "system"
        assert hook["entry"].startswith(".venv/bin/"), hook["id"]


def test_the_citation_names_the_version_of_the_package() -> None:
    version = re.search(r'^__version__ = "(.+)"$', text_of("cds_service/__init__.py"), re.M)
    assert version
    assert yaml.safe_load(text_of("CITATION.cff"))["version"] == version[1]
