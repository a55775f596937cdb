"""The table of units against ucum-lhc, a library of UCUM of the National Library of Medicine."""

from __future__ import annotations

import json
import os
import subprocess
from itertools import permutations
from typing import Any

import pytest

from cds_service.clinical import UNITS
from cds_service.fhir.elements import is_ucum

pytestmark = pytest.mark.needs_environment("CDS_TEST_UCUM")

#: Asks the library whether each unit is one, and for each pair how many of the second one is.
_SCRIPT = """
const { UcumLhcUtils } = require(process.argv[1]);
const library = UcumLhcUtils.getInstance();
const asked = JSON.parse(require("fs").readFileSync(0, "utf8"));
const stated = {
  valid: asked.units.map((unit) => library.validateUnitString(unit).status === "valid"),
  factors: asked.pairs.map(([from, to]) => library.convertUnitTo(from, 1, to).toVal),
};
process.stdout.write(JSON.stringify(stated));
"""


def ucum_lhc(units: list[str], pairs: list[tuple[str, str]]) -> dict[str, list[Any]]:
    command = ["node", "-e", _SCRIPT, os.environ["CDS_TEST_UCUM"]]
    asked = json.dumps({"units": units, "pairs": pairs})
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def test_every_unit_and_every_factor_is_that_of_another_library() -> None:
    pairs = [pair for pair in permutations(UNITS, 2) if len({UNITS[one][0] for one in pair}) == 1]
    told = ucum_lhc(list(UNITS), pairs)
    wrong = [unit for unit, valid in zip(UNITS, told["valid"], strict=True) if not valid]
    assert not wrong
    assert all(map(is_ucum, UNITS))
    for (one, other), factor in zip(pairs, told["factors"], strict=True):
        ratio = UNITS[one][1] / UNITS[other][1]
        assert factor == pytest.approx(float(ratio), rel=1e-9), (one, other)
