#!/bin/sh
# DuckDB reads bulk FHIR data and rounds a result to a whole number when the first 20,480 were
# whole.
#
# read_ndjson infers the type of Quantity.value from that many lines. If they hold whole numbers
# alone, a later 0.5 is read as 0 and a later 1.5 as 2, without a warning: a dose in milligrams or
# a creatinine. One line earlier each comes out as sent. A comparator that appears so late is lost
# too, while a late element outside a structure is refused.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check duckdb==2.0.1

cat >seen <<'END'
duckdb 2.0.1
after 20479 lines:
   {'value': 0.5} -> {'value': 0.5, 'unit': 'mg'}
   {'value': 1.5} -> {'value': 1.5, 'unit': 'mg'}
   {'value': 1, 'comparator': '<'} -> {'value': 1, 'unit': 'mg', 'comparator': '<'}
after 20480 lines:
   {'value': 0.5} -> {'value': 0, 'unit': 'mg'}
   {'value': 1.5} -> {'value': 2, 'unit': 'mg'}
   {'value': 1, 'comparator': '<'} -> {'value': 1, 'unit': 'mg'}
END

venv/bin/python - >now <<'END'
import json
from pathlib import Path

import duckdb

print("duckdb", duckdb.__version__)


def read(before, *late):
    quantities = [{"value": 1, "unit": "mg"}] * before + list(late)
    lines = [{"resourceType": "Observation", "valueQuantity": one} for one in quantities]
    Path("bulk.ndjson").write_text("".join(json.dumps(one) + "\n" for one in lines))
    rows = duckdb.sql("select valueQuantity from read_ndjson('bulk.ndjson')").fetchall()
    return [one for (one,) in rows[before:]]


for before in (20_479, 20_480):
    print(f"after {before} lines:")
    for late in ({"value": 0.5}, {"value": 1.5}, {"value": 1, "comparator": "<"}):
        print("  ", late, "->", *read(before, {**late, "unit": "mg"}))
END

cat now
if diff seen now; then
    echo 'As written down.'
else
    echo 'No longer as written down: < was seen then, > is seen now.' >&2
    exit 1
fi
