"""Makes what a release consists of, and what others verify it with. Python alone is needed.

    python deploy/release.py check v0.2.0          whether the last commit may have this tag
    python deploy/release.py packages dist         wheel, source, bill of materials, provenance
    python deploy/release.py image FOLDER dist     the bill of materials of what .ci/image made
    python deploy/release.py advisories FILE...    asks osv.dev what is known against its parts

The same commit gives the same bytes of both packages, wherever and whenever they are built.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from datetime import date
from email.parser import HeaderParser
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import Request, urlopen

ROOT = Path(__file__).parents[1]
NAME = "b12-cds-service"
BUILD_TYPE = "https://packaging.python.org/en/latest/specifications/binary-distribution-format/"
OSV = "https://api.osv.dev/v1/querybatch"
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)(?: ; (.+?))? \\$", re.M)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=True).stdout


def checked_out(goal: Path) -> int:
    """The last commit as files in ``goal``, and when it was made; what is not committed is left."""
    with tarfile.open(fileobj=io.BytesIO(git("archive", "HEAD"))) as archive:
        archive.extractall(goal, filter="data")
    return int(git("log", "-1", "--format=%ct"))


def build_wheel(source: Path, goal: Path, made_at: int) -> Path:
    """The wheel of ``source``, whose bytes depend on the content of its files alone."""
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", str(goal), "."]
    _python(
        source, made_at, "-m", "pip", "--quiet", "--disable-pip-version-check", "wheel", *options
    )
    (wheel,) = goal.glob("*.whl")
    return wheel


def build_sdist(source: Path, goal: Path, made_at: int) -> Path:
    """What the wheel is built of, where there is no git; its bytes depend on the same."""
    with tempfile.TemporaryDirectory() as folder:
        build = "import sys; from setuptools import build_meta as b; b.build_sdist(sys.argv[1])"
        _python(source, made_at, "-c", build, folder)
        (built,) = Path(folder).glob("*.tar.gz")
        goal.mkdir(parents=True, exist_ok=True)
        sdist = goal / built.name
        with (
            tarfile.open(built) as old,
            sdist.open("wb") as file,
            gzip.GzipFile("", "wb", fileobj=file, mtime=made_at) as packed,
            tarfile.open(fileobj=packed, mode="w") as new,
        ):
            for member in sorted(old.getmembers(), key=lambda one: one.name):
                member.uid = member.gid = 0
                member.uname = member.gname = ""
                member.mtime, member.pax_headers = made_at, {}
                new.addfile(member, old.extractfile(member) if member.isfile() else None)
    return sdist


def _python(source: Path, made_at: int, *arguments: str) -> None:
    """Runs a build in ``source``, where files have the same modes on every machine."""
    for path in source.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    subprocess.run(
        [sys.executable, *arguments],
        cwd=source,
        env={**os.environ, "SOURCE_DATE_EPOCH": str(made_at), "PYTHONHASHSEED": "0"},
        stdout=subprocess.DEVNULL,
        check=True,
    )


# --- the tag ----------------------------------------------------------------------------------

_TAG = re.compile(r"v(\d+\.\d+\.\d+(?:(?:a|b|rc)\d+)?)")
_HEADING = re.compile(r"^## \[(.+?)\](?: - (.+))?$", re.M)


def changes(source: Path) -> Iterator[tuple[str, str, str]]:
    """Each version of the changelog with its date ("" for none) and what is written under it."""
    _, *parts = _HEADING.split((source / "CHANGELOG.md").read_text("utf-8"))
    for version, day, text in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        yield version, day or "", text


def obstacles(tag: str, source: Path) -> Iterator[str]:
    """Why the files in ``source`` must not be released as ``tag``."""
    found = _TAG.fullmatch(tag)
    if not found:
        yield f"{tag} is not a tag of a version: write v0.2.0, or v0.2.0rc1"
        return
    version = found[1]
    for name, pattern in (
        ("cds_service/__init__.py", r'^__version__ = "(.+)"$'),
        ("CITATION.cff", r"^version: (.+)$"),
    ):
        written = re.search(pattern, (source / name).read_text("utf-8"), re.M)
        if not written or written[1] != version:
            yield f"{name} has version {written[1] if written else 'none'}, the tag {version}"
    (unreleased, _, left), *released = changes(source)
    if unreleased != "Unreleased":
        yield "CHANGELOG.md does not begin with [Unreleased]"
    elif left.strip():
        yield f"CHANGELOG.md has changes under [Unreleased]: move them under [{version}]"
    newest, day, text = released[0] if released else ("none", "", "")
    if newest != version:
        yield f"CHANGELOG.md's newest version is {newest}, the tag's {version}"
    elif not text.strip():
        yield f"CHANGELOG.md has nothing under [{version}]"
    if released and not _is_day(day):
        yield f'CHANGELOG.md has "{day}" as the day of [{newest}]: write it as 2026-01-31'


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


# --- bills of materials -----------------------------------------------------------------------


def bill(version: str, kind: str, components: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """In the form of CycloneDX 1.6."""
    own = {"type": kind, "bom-ref": NAME, "name": NAME, "version": version}
    parts = sorted(components, key=lambda one: str(one["bom-ref"]))
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {**own, "licenses": [{"license": {"id": "Apache-2.0"}}]}},
        "components": parts,
        "dependencies": [{"ref": NAME, "dependsOn": [one["bom-ref"] for one in parts]}],
    }


def component(name: str, version: str, purl: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
        **more,
    }


def of_python(name: str, version: str, **more: Any) -> dict[str, Any]:
    plain = re.sub(r"[-_.]+", "-", name).lower()
    return component(plain, version, f"pkg:pypi/{plain}@{version}", **more)


def pinned(requirements: str) -> Iterator[dict[str, Any]]:
    """What a file of requirements pins, with the hashes that it allows and when it is needed."""
    for found in _PINNED.finditer(requirements):
        name, version, marker = found.groups()
        end = _PINNED.search(requirements, found.end())
        hashes = _HASH.findall(requirements[found.end() : end.start() if end else None])
        said = [{"name": "cds:sha256", "value": one} for one in hashes]
        said += [{"name": "cds:marker", "value": marker}] if marker else []
        yield of_python(name, version, properties=said)


def installed(root: Path) -> Iterator[dict[str, Any]]:
    """What an image holds: packages of Debian, and distributions of Python."""
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)', (root / "etc/os-release").read_text(), re.M))
    at = f"distro={release['ID']}-{release['VERSION_ID']}"
    for stanza in (root / "var/lib/dpkg/status").read_text("utf-8").split("\n\n"):
        entry = HeaderParser().parsestr(stanza)
        if entry["Package"] and entry["Status"] == "install ok installed":
            name, version = entry["Package"], quote(entry["Version"], safe=":~")
            purl = f"pkg:deb/{release['ID']}/{name}@{version}?arch={entry['Architecture']}&{at}"
            yield component(name, entry["Version"], purl)
    for metadata in (root / "opt/cds").glob("lib/python3*/site-packages/*.dist-info/METADATA"):
        entry = HeaderParser().parsestr(metadata.read_text("utf-8"))
        if entry["Name"] != NAME:
            yield of_python(entry["Name"], entry["Version"])


# --- where it comes from -------------------------------------------------------------------------


def provenance(packages: Sequence[Path], source: Path, commit: str, made_at: int) -> dict[str, Any]:
    """An in-toto statement with SLSA's predicate: from which commit, with which locked parts."""
    used = [source / "requirements" / "build.txt", source / "requirements" / "runtime.txt"]
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": one.name, "digest": {"sha256": sha256(one)}} for one in packages],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {
                    "command": "python deploy/release.py packages dist",
                    "environment": {"SOURCE_DATE_EPOCH": made_at},
                },
                "resolvedDependencies": [
                    {"name": "source", "digest": {"gitCommit": commit}},
                    *(
                        {"name": str(one.relative_to(source)), "digest": {"sha256": sha256(one)}}
                        for one in used
                    ),
                ],
            },
            # Every builder gets the same bytes; the signature of the tag says who vouches for them.
            "runDetails": {"builder": {"id": "deploy/release.py"}},
        },
    }


def write(goal: Path, name: str, content: dict[str, Any]) -> None:
    (goal / name).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")


def release_packages(goal: Path) -> None:
    goal.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "source")
        made_at = checked_out(source)
        locked = (source / "requirements" / "build.txt").read_text("utf-8")
        for part in pinned(locked):
            if version_of(part["name"]) != part["version"]:
                raise SystemExit(f"{part['name']} is not {part['version']}: run make install")
        sdist = build_sdist(source, goal, made_at)
        wheel = build_wheel(source, goal, made_at)
        version = wheel.name.split("-")[1]
        locked = (source / "requirements" / "runtime.txt").read_text("utf-8")
        write(goal, f"{wheel.name}.cdx.json", bill(version, "application", list(pinned(locked))))
        commit = git("rev-parse", "HEAD").decode().strip()
        statement = provenance([wheel, sdist], source, commit, made_at)
        write(goal, f"{wheel.name}.provenance.json", statement)
    files = sorted([sdist, *goal.glob(f"{wheel.name}*")])
    sums = "".join(f"{sha256(one)}  {one.name}\n" for one in files)
    (goal / "SHA256SUMS").write_text(sums)


def check(tag: str) -> int:
    """How many obstacles there are to the tag; each is printed."""
    with tempfile.TemporaryDirectory() as folder:
        checked_out(Path(folder))
        found = list(obstacles(tag, Path(folder)))
    sys.stdout.writelines(f"{one}\n" for one in found)
    return len(found)


def release_image(made: Path, goal: Path) -> None:
    root = made / "rootfs"
    (ours,) = root.glob("opt/cds/lib/python3*/site-packages/b12_cds_service-*.dist-info/METADATA")
    version = HeaderParser().parsestr(ours.read_text("utf-8"))["Version"]
    goal.mkdir(parents=True, exist_ok=True)
    write(
        goal, f"{NAME}-{version}-image.cdx.json", bill(version, "container", list(installed(root)))
    )


def advisories(bills: Sequence[Path], server: str) -> int:
    """How many parts something is known against; each is printed with its advisories."""
    purls = sorted(
        {part["purl"] for one in bills for part in json.loads(one.read_text())["components"]}
    )
    asked = json.dumps({"queries": [{"package": {"purl": one}} for one in purls]}).encode()
    sent = Request(server, asked, {"Content-Type": "application/json"})  # noqa: S310
    with urlopen(sent, timeout=60) as answer:  # noqa: S310
        results = json.load(answer)["results"]
    if len(results) != len(purls):
        raise SystemExit(f"{server} answered for {len(results)} of {len(purls)} parts")
    concerned = 0
    for purl, result in zip(purls, results, strict=True):
        known = [one["id"] for one in result.get("vulns", [])]
        if known:
            concerned += 1
            sys.stdout.write(f"{purl}: {', '.join(known)}\n")
    sys.stdout.write(f"{len(purls)} parts, something is known against {concerned}\n")
    return concerned


def _here(path: str) -> Path:
    """Builds run elsewhere: what is named from this folder stays in it."""
    return Path(path).absolute()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check").add_argument("tag")
    commands.add_parser("packages").add_argument("goal", type=_here)
    image = commands.add_parser("image")
    image.add_argument("made", type=Path)
    image.add_argument("goal", type=_here)
    known = commands.add_parser("advisories")
    known.add_argument("bills", nargs="+", type=Path)
    known.add_argument("--server", default=OSV)
    said = parser.parse_args(arguments)
    if said.command == "check":
        return check(said.tag)
    if said.command == "packages":
        release_packages(said.goal)
    elif said.command == "image":
        release_image(said.made, said.goal)
    else:
        return 1 if advisories(said.bills, said.server) else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
