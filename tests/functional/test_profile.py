"""`make profile` charges every part of a call that it names."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: What a call of the hook `patient-view` has nothing of.
OF_ORDERS = {"drafts"}


def test_every_part_is_found_and_charged() -> None:
    command = [sys.executable, "bench/parts.py", "--rounds", "1", "--stories", "3"]
    paths = os.pathsep.join([str(ROOT), str(ROOT / "bench")])
    settings = {k: v for k, v in os.environ.items() if not k.startswith("CDS_")}
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=settings | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    rows = [line for line in done.stdout.splitlines()[3:] if line]
    assert len(rows) > 15
    for row in rows:
        *name, view, _, sign, _ = row.split()
        assert float(sign.replace(",", "")) > 0, row
        if " ".join(name) not in OF_ORDERS:
            assert float(view.replace(",", "")) > 0, row
