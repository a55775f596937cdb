"""What a release consists of: the same wheel from the same commit, and what is in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import release
from loopback import Loopback, SilentHandler
from served import ROOT

LOCKED = (ROOT / "requirements/runtime.txt").read_text("utf-8")


def copy(goal: Path, at: int) -> Path:
    """What the wheel is built of, in another folder and of another time."""
    goal.mkdir(parents=True)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, goal)
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "cds_service", goal / "cds_service", ignore=ignore)
    for one in goal.rglob("*"):
        os.utime(one, (at, at))
        if one.is_file():
            one.chmod(0o600 if at % 2 else 0o664)
    return goal


def test_two_builds_of_the_wheel_are_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels = []
    for number, at in enumerate((1_000_000_001, 1_700_000_000)):
        monkeypatch.setenv("TZ", ("UTC", "Asia/Tokyo")[number])
        monkeypatch.setenv("LC_ALL", ("C", "C.UTF-8")[number])
        source = copy(tmp_path / f"source {number}" / ("x" * number), at)
        goal = tmp_path / f"goal{number}"
        wheels.append(release.build_wheel(source, goal, 1_790_000_000))
    first, second = wheels
    assert first.name == second.name
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as wheel:
        assert {one.date_time[:3] for one in wheel.infolist()} == {(2026, 9, 21)}
        assert "cds_service/language/texts/en.toml" in wheel.namelist()


def test_the_wheel_says_when_its_content_is_another(tmp_path: Path) -> None:
    source = copy(tmp_path / "source", 1_000_000_001)
    with (source / "cds_service" / "errors.py").open("a") as file:
        file.write("# another\n")
    goal = tmp_path / "goal"
    one = release.build_wheel(source, goal, 1_790_000_000)
    other = release.build_wheel(copy(tmp_path / "b", 1), tmp_path / "g", 1_790_000_000)
    assert release.sha256(one) != release.sha256(other)


def test_the_bill_of_materials_has_every_locked_package_once_with_its_hashes() -> None:
    bill = release.bill("1.2.3", "application", list(release.pinned(LOCKED)))
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    parts = {one["name"]: one for one in bill["components"]}
    lines = [line.split("==")[0] for line in LOCKED.splitlines() if line[:1].isalnum()]
    assert sorted(parts) == sorted(lines)
    assert len(bill["components"]) == len(lines)
    flask = parts["flask"]
    assert flask["purl"] == f"pkg:pypi/flask@{flask['version']}"
    hashes = [one["value"] for part in parts.values() for one in part["properties"]]
    assert sorted(one for one in hashes if len(one) == 64) == sorted(release._HASH.findall(LOCKED))
    assert {"name": "cds:marker", "value": "sys_platform == 'win32'"} in parts["tzdata"][
        "properties"
    ]
    assert bill["dependencies"][0]["dependsOn"] == [one["bom-ref"] for one in bill["components"]]


def test_a_release_names_its_commit_and_what_it_was_made_of(tmp_path: Path) -> None:
    wheel, source = tmp_path / "a-1.0.whl", ROOT
    wheel.write_bytes(b"wheel")
    statement = release.provenance(wheel, source, "c0ffee", 7)
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    digest = subprocess.run(["sha256sum", wheel], capture_output=True, text=True).stdout.split()[0]
    assert statement["subject"] == [{"name": "a-1.0.whl", "digest": {"sha256": digest}}]
    built = statement["predicate"]["buildDefinition"]
    assert built["resolvedDependencies"][0] == {"name": "source", "digest": {"gitCommit": "c0ffee"}}
    assert {one["name"] for one in built["resolvedDependencies"][1:]} == {
        "requirements/build.txt",
        "requirements/runtime.txt",
    }


@pytest.mark.needs_environment("CDS_TEST_IMAGE")
def test_the_bill_of_the_image_names_what_is_in_it(tmp_path: Path) -> None:
    release.release_image(Path(os.environ["CDS_TEST_IMAGE"]), tmp_path)
    (written,) = tmp_path.glob("*-image.cdx.json")
    parts = json.loads(written.read_text("utf-8"))["components"]
    purls = [one["purl"] for one in parts]
    assert len(set(purls)) == len(purls)
    assert any(one.startswith("pkg:deb/debian/libc6@") for one in purls)
    locked = {one["purl"] for one in release.pinned(LOCKED) if not marked(one, "win32")}
    assert locked <= set(purls)


def marked(part: dict[str, Any], word: str) -> bool:
    return any(one["name"] == "cds:marker" and word in one["value"] for one in part["properties"])


class Advisories(Loopback):
    """Knows two advisories against the second part it is asked for."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    def handler(self) -> type[SilentHandler]:
        heard = self.heard

        class Handler(SilentHandler):
            def do_POST(self) -> None:
                heard.append(self.rfile.read(int(self.headers["Content-Length"])))
                known = {"vulns": [{"id": "GHSA-1"}, {"id": "CVE-2"}]}
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps({"results": [{}, known]}).encode())

        return Handler


def test_what_is_known_against_a_part_is_named_and_counts(tmp_path: Path) -> None:
    bill = tmp_path / "bill.json"
    bill.write_text(
        json.dumps({"components": [{"purl": "pkg:pypi/b@2"}, {"purl": "pkg:pypi/a@1"}]})
    )
    with Advisories() as known:
        address = f"http://{known.host}"
        done = subprocess.run(
            [sys.executable, "deploy/release.py", "advisories", bill, "--server", address],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 1
    assert "pkg:pypi/b@2: GHSA-1, CVE-2\n2 parts, something is known against 1\n" in done.stdout
    asked = [one["package"]["purl"] for one in json.loads(known.heard[0])["queries"]]
    assert asked == ["pkg:pypi/a@1", "pkg:pypi/b@2"]
