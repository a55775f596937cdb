"""The environments of what the service is compared with, each made once under ``.cache/bench``.

The build before is that of a commit: its wheel is built from ``git archive``, and installed with
the requirements it was locked to. HealthChain is installed from the package index. What cannot be
made (no git history, no network) is left out of the run, and said.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CACHE = ROOT / ".cache" / "bench"
BEFORE = "114d672"
HEALTHCHAIN = "healthchain==0.16.1"


def before() -> Path | str:
    """The interpreter that has the build before, or why it could not be made."""
    return _made(CACHE / f"before-{BEFORE}", _install_before)


def healthchain() -> Path | str:
    """The interpreter that has HealthChain, or why it could not be made."""
    return _made(CACHE / HEALTHCHAIN.replace("==", "-"), lambda pip: _run(*pip, HEALTHCHAIN))


def _made(folder: Path, install: object) -> Path | str:
    python, stamp = folder / "bin" / "python", folder / "complete"
    if stamp.exists():
        return python
    print(f"making {folder.relative_to(ROOT)} (once)", flush=True)
    try:
        _run(sys.executable, "-m", "venv", "--clear", str(folder))
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        install(pip)  # type: ignore[operator]
    except (subprocess.CalledProcessError, OSError) as error:
        said = getattr(error, "stderr", "") or str(error)
        return said.strip().splitlines()[-1] if said.strip() else str(error)
    stamp.touch()
    return python


def _install_before(pip: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "source.tar")
        _run("git", "-C", str(ROOT), "archive", "--output", str(source), BEFORE)
        with tarfile.open(source) as archive:
            archive.extractall(folder, filter="data")
        for name in ("build", "runtime"):
            _run(*pip, "--require-hashes", "-r", str(Path(folder, "requirements", f"{name}.txt")))
        _run(*pip, "--no-index", "--no-deps", "--no-build-isolation", folder)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)
