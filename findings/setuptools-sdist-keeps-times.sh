#!/bin/sh
# setuptools builds the same wheel of the same files, and another source package every time.
#
# With SOURCE_DATE_EPOCH the times in a wheel are that one. A source package keeps the times of the
# files, and of those that were made for it a moment ago, so that no two are the same bytes.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check setuptools==84.2.1
mkdir source
cat >source/pyproject.toml <<'END'
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "example"
version = "1.0"

[tool.setuptools]
py-modules = ["example"]
END
echo 'x = 1' >source/example.py

cat >seen <<'END'
setuptools 84.2.1
two wheels: the same bytes
two source packages: other bytes
END

venv/bin/python - >now <<'END'
import os
import shutil
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

print("setuptools", version("setuptools"))
os.environ["SOURCE_DATE_EPOCH"] = "1700000000"
for name, build in (("wheels", "build_wheel"), ("source packages", "build_sdist")):
    made = []
    for number in (1, 2):
        folder = Path(f"{build}{number}")
        shutil.copytree("source", folder)
        code = f"from setuptools import build_meta; build_meta.{build}('.')"
        quiet = subprocess.DEVNULL
        command = [sys.executable, "-c", code]
        subprocess.run(command, cwd=folder, stdout=quiet, stderr=quiet, check=True)
        (package,) = [*folder.glob("*.whl"), *folder.glob("*.tar.gz")]
        made.append(package.read_bytes())
        time.sleep(1.1)
    print(f"two {name}:", "the same bytes" if made[0] == made[1] else "other bytes")
END

cat now
if diff seen now; then
    echo 'As written down.'
else
    echo 'No longer as written down: < was seen then, > is seen now.' >&2
    exit 1
fi
