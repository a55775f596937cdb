"""What a release consists of: the same packages from the same commit, what is in them, and which
tag it may have."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest
import release
import yaml
from loopback import Loopback, SilentHandler
from served import ROOT, environment

pytestmark = pytest.mark.sampled_file(4)

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


def test_two_builds_are_the_same_bytes_and_the_source_package_gives_the_same_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels, sources = [], []
    for number, at in enumerate((1_000_000_001, 1_700_000_000)):
        monkeypatch.setenv("TZ", ("UTC", "Asia/Tokyo")[number])
        monkeypatch.setenv("LC_ALL", ("C", "C.UTF-8")[number])
        source = copy(tmp_path / f"source {number}" / ("x" * number), at)
        goal = tmp_path / f"goal{number}"
        sources.append(release.build_sdist(source, goal, 1_790_000_000))
        wheels.append(release.build_wheel(source, goal, 1_790_000_000))
    for first, second in (wheels, sources):
        assert first.name == second.name
        assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(wheels[0]) as wheel:
        assert {one.date_time[:3] for one in wheel.infolist()} == {(2026, 9, 21)}
        assert "cds_service/language/texts/en.toml" in wheel.namelist()

    with tarfile.open(sources[0]) as packed:
        packed.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    of_it = release.build_wheel(unpacked, tmp_path / "of it", 1_790_000_000)
    assert of_it.read_bytes() == wheels[0].read_bytes()

    with (unpacked / "cds_service" / "errors.py").open("a") as file:
        file.write("# another\n")
    another = release.build_wheel(unpacked, tmp_path / "another", 1_790_000_000)
    assert another.read_bytes() != wheels[0].read_bytes()


def test_the_wheel_answers_where_there_is_nothing_else_of_the_checkout(tmp_path: Path) -> None:
    """Its dependencies are those of these tests; the image's test installs the locked ones too."""
    wheel = release.build_wheel(copy(tmp_path / "source", 1_700_000_000), tmp_path / "dist", 7)
    folder = tmp_path / "environment"
    venv.create(folder, with_pip=False)
    (packages,) = folder.glob("lib/python3*/site-packages")
    dependencies = Path(yaml.__file__).parents[1]
    (packages / "dependencies.pth").write_text(f"{dependencies}\n")
    pip = [sys.executable, "-m", "pip", "--quiet", "--python", str(folder / "bin" / "python")]
    subprocess.run(
        [*pip, "install", "--no-index", "--no-deps", "--ignore-installed", str(wheel)], check=True
    )
    home = tmp_path / "home"
    home.mkdir()
    story = ROOT / "fhir_samples/b12_under_two/vegan-mother-low-b12-six-months/request.json"
    alone = {k: v for k, v in environment(HOME=str(home)).items() if k != "PYTHONPATH"}

    def said(*arguments: str) -> str:
        done = subprocess.run(
            [folder / "bin" / arguments[0], *arguments[1:]],
            cwd=home,
            env=alone,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert str(folder) in said("python", "-c", "import cds_service; print(cds_service.__file__)")
    said("cds-service", "check")
    cards = said("cds-service", "evaluate", str(story))
    assert "cyanocobalamin 1000 micrograms (1 mL) by mouth" in cards


# --- the tag ------------------------------------------------------------------------------------

RELEASED = """# Changelog

## [Unreleased]

## [0.2.0] - 2026-12-01

- A change.

## [0.1.0] - 2026-11-01

- Another.
"""


def files(goal: Path, changelog: str = RELEASED, own: str = "0.2.0", cited: str = "0.2.0") -> Path:
    (goal / "cds_service").mkdir(parents=True)
    (goal / "cds_service/__init__.py").write_text(f'"""It."""\n\n__version__ = "{own}"\n')
    (goal / "CITATION.cff").write_text(f"cff-version: 1.2.0\nversion: {cited}\n")
    (goal / "CHANGELOG.md").write_text(changelog)
    return goal


def test_a_tag_that_fits_may_be_set(tmp_path: Path) -> None:
    assert list(release.obstacles("v0.2.0", files(tmp_path))) == []


@pytest.mark.parametrize(
    ("tag", "changed", "said"),
    [
        ("0.2.0", {}, "0.2.0 is not a tag of a version"),
        ("v0.2", {}, "v0.2 is not a tag of a version"),
        ("v0.2.0 ", {}, "v0.2.0  is not a tag of a version"),
        ("v0.2.1", {}, "cds_service/__init__.py has version 0.2.0, the tag 0.2.1"),
        ("v0.2.0rc1", {}, "cds_service/__init__.py has version 0.2.0, the tag 0.2.0rc1"),
        ("v0.2.0", {"own": "0.2.0.dev1"}, "has version 0.2.0.dev1, the tag 0.2.0"),
        ("v0.2.0", {"cited": "0.1.0"}, "CITATION.cff has version 0.1.0, the tag 0.2.0"),
        (
            "v0.2.0",
            {"changelog": RELEASED.replace("[Unreleased]\n", "[Unreleased]\n\n- Left.\n")},
            "CHANGELOG.md has changes under [Unreleased]: move them under [0.2.0]",
        ),
        (
            "v0.2.0",
            {"changelog": RELEASED.replace("## [Unreleased]\n", "")},
            "CHANGELOG.md does not begin with [Unreleased]",
        ),
        (
            "v0.2.0",
            {"changelog": RELEASED.replace("[0.2.0]", "[0.3.0]")},
            "CHANGELOG.md's newest version is 0.3.0, the tag's 0.2.0",
        ),
        (
            "v0.2.0",
            {"changelog": "# Changelog\n\n## [Unreleased]\n"},
            "CHANGELOG.md's newest version is none, the tag's 0.2.0",
        ),
        (
            "v0.2.0",
            {"changelog": RELEASED.replace("- A change.", "")},
            "CHANGELOG.md has nothing under [0.2.0]",
        ),
        *[
            (
                "v0.2.0",
                {"changelog": RELEASED.replace(" - 2026-12-01", day)},
                f'CHANGELOG.md has "{day[3:]}" as the day of [0.2.0]: write it as 2026-01-31',
            )
            for day in ("", " - 2026-02-30", " - 20261201", " - 1 December 2026")
        ],
    ],
)
def test_a_tag_that_does_not_fit_is_refused(
    tmp_path: Path, tag: str, changed: dict[str, str], said: str
) -> None:
    found = list(release.obstacles(tag, files(tmp_path, **changed)))
    assert any(said in one for one in found), found


def test_the_command_looks_at_the_last_commit_and_fails() -> None:
    done = subprocess.run(
        [sys.executable, "deploy/release.py", "check", "v99.0.0"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode > 0
    assert "cds_service/__init__.py has version" in done.stdout
    assert "the tag 99.0.0" in done.stdout


def test_the_changelog_is_in_order() -> None:
    """Unreleased, then every version once with its day, the newest first."""
    first, *released = [(version, day) for version, day, _ in release.changes(ROOT)]
    assert first == ("Unreleased", "")
    numbers = [tuple(map(int, version.split("."))) for version, _ in released]
    assert numbers == sorted(set(numbers), reverse=True)
    assert all(release._is_day(day) for _, day in released)


def test_the_command_makes_all_files_of_a_release_from_the_last_commit(tmp_path: Path) -> None:
    subprocess.run(["git", "clone", "--quiet", ROOT, tmp_path / "clone"], check=True)
    (tmp_path / "clone" / "cds_service" / "not committed.py").write_text("1\n")
    subprocess.run(
        [sys.executable, "deploy/release.py", "packages", "dist"],
        cwd=tmp_path / "clone",
        check=True,
    )
    dist = tmp_path / "clone" / "dist"
    (wheel,), (sdist,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
    statement = json.loads((dist / f"{wheel.name}.provenance.json").read_text())
    assert [one["name"] for one in statement["subject"]] == [wheel.name, sdist.name]
    summed = dict(reversed(line.split()) for line in (dist / "SHA256SUMS").read_text().splitlines())
    assert set(summed) == {one.name for one in dist.iterdir()} - {"SHA256SUMS"}
    assert all(release.sha256(dist / name) == told for name, told in summed.items())
    with zipfile.ZipFile(wheel) as packed:
        assert not any("committed" in name for name in packed.namelist())


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
    statement = release.provenance([wheel], source, "c0ffee", 7)
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
