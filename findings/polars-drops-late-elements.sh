#!/bin/sh
# Polars reads bulk FHIR data and leaves out, in silence, each element that the first hundred
# lines do not have.
#
# It infers the columns, and the fields within them, from the first 100 lines. A comparator that
# appears first in line 101 is dropped, and "less than 150" becomes 150; a deceasedDateTime that
# appears first in line 101 is dropped, and the patient is alive. A first decimal after a hundred
# whole numbers does stop it. One and the same line reads right a line earlier.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check polars==2.1.0

cat >seen <<'END'
polars 2.1.0
after 99 lines:
   {'value': 150, 'unit': 'pg/mL', 'comparator': '<'}
   {'resourceType': 'Patient', 'birthDate': '2025-03-04', 'deceasedDateTime': '2026-02-03'}
   {'value': 150.5, 'unit': 'pg/mL'}
after 100 lines:
   {'value': 150, 'unit': 'pg/mL'}
   {'resourceType': 'Patient', 'birthDate': '2025-03-04'}
   refused: 150.5 is no whole number
END

venv/bin/python - >now <<'END'
import json
from pathlib import Path

import polars

print("polars", polars.__version__)


def read(lines):
    Path("bulk.ndjson").write_text("".join(json.dumps(one) + "\n" for one in lines))
    return polars.read_ndjson("bulk.ndjson").to_dicts()[-1]


def result(**quantity):
    value = {"value": 150, "unit": "pg/mL", **quantity}
    return {"resourceType": "Observation", "status": "final", "valueQuantity": value}


patient = {"resourceType": "Patient", "birthDate": "2025-03-04"}
for before in (99, 100):
    print(f"after {before} lines:")
    print("  ", read([result()] * before + [result(comparator="<")])["valueQuantity"])
    print("  ", read([patient] * before + [{**patient, "deceasedDateTime": "2026-02-03"}]))
    try:
        print("  ", read([result()] * before + [result(value=150.5)])["valueQuantity"])
    except polars.exceptions.ComputeError:
        print("   refused: 150.5 is no whole number")
END

cat now
if diff seen now; then
    echo 'As written down.'
else
    echo 'No longer as written down: < was seen then, > is seen now.' >&2
    exit 1
fi
