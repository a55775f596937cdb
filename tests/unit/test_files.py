"""TOML files of the package are parsed once, and never read as anything but what they are."""

from __future__ import annotations

import sys
import tomllib
from decimal import Decimal
from pathlib import Path

import pytest

from cds_service.language import files

PACKAGE = Path(files.__file__).parents[1]
SHIPPED = sorted(PACKAGE.rglob("*.toml"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that counts as the package's, where caches are written."""
    monkeypatch.setattr(files, "_PACKAGE", tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    return tmp_path


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What was parsed in earnest."""
    seen: list[bytes] = []
    parse = files._parsed

    def counted(content: bytes) -> dict[str, object]:
        seen.append(content)
        return parse(content)

    monkeypatch.setattr(files, "_parsed", counted)
    return seen


@pytest.mark.parametrize("path", SHIPPED, ids=[str(one.relative_to(PACKAGE)) for one in SHIPPED])
def test_what_is_kept_of_a_file_of_the_package_is_what_it_says(
    path: Path, folder: Path, parsed: list[bytes]
) -> None:
    copy = folder / path.name
    copy.write_bytes(path.read_bytes())
    wanted = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    assert repr(files.read_toml(copy)) == repr(wanted)  # every digit, kind and order
    assert repr(files.read_toml(copy)) == repr(wanted)
    assert len(parsed) == 1


def test_a_changed_file_is_read_anew(folder: Path, parsed: list[bytes]) -> None:
    file = folder / "one.toml"
    for written, dose in (("dose = 1.50", "1.50"), ("dose = 1.05", "1.05")):
        file.write_text(written)
        for _ in range(2):
            assert str(files.read_toml(file)["dose"]) == dose
    assert len(parsed) == 2


def test_a_cache_that_is_cut_or_changed_counts_for_nothing(
    folder: Path, parsed: list[bytes]
) -> None:
    file = folder / "one.toml"
    file.write_text("dose = 1000")
    files.read_toml(file)
    (cached,) = folder.glob("__pycache__/*")
    whole = cached.read_bytes()
    for broken in (b"", whole[:40], whole[:-1], whole.replace(b"1000", b"9000"), whole[64:]):
        cached.write_bytes(broken)
        assert files.read_toml(file) == {"dose": 1000}
        assert cached.read_bytes() == whole  # and is made again
    assert len(parsed) == 6


def test_a_file_with_a_date_is_not_kept_since_json_has_none(
    folder: Path, parsed: list[bytes]
) -> None:
    file = folder / "one.toml"
    file.write_text("reviewed = 2026-03-01")
    assert files.read_toml(file) == files.read_toml(file)
    assert len(parsed) == 2
    assert not list(folder.glob("__pycache__/*"))


def test_nothing_is_left_next_to_a_file_of_a_site(tmp_path: Path, parsed: list[bytes]) -> None:
    file = tmp_path / "overrides.toml"
    file.write_text("dose = 1")
    assert files.read_toml(file) == files.read_toml(file) == {"dose": 1}
    assert len(parsed) == 2
    assert [one.name for one in tmp_path.iterdir()] == ["overrides.toml"]


def test_where_python_keeps_nothing_compiled_nothing_is_kept_either(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    file = folder / "one.toml"
    file.write_text("dose = 1")
    files.read_toml(file)
    assert [one.name for one in folder.iterdir()] == ["one.toml"]


def test_a_folder_that_cannot_be_written_to_is_no_obstacle(folder: Path) -> None:
    file = folder / "one.toml"
    file.write_text("dose = 1")
    (folder / "__pycache__").write_text("a file where the folder would be")
    assert files.read_toml(file) == files.read_toml(file) == {"dose": 1}
