#!/bin/sh
# PyArrow puts a sample of 23:30 on 3 February in Boston on 4 February, and forgets that it was
# Boston.
#
# Its JSON reader takes any column in which every text looks like a date or a time for one of
# moments without a zone. A time with an offset becomes that of Greenwich, without saying so, and
# a date without a time, which FHIR allows in the same element, becomes midnight. Age at the
# sample, and the order of two samples of one day, are worked out from that.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pyarrow==26.0.1

cat >seen <<'END'
pyarrow 26.0.1
timestamp[s] | 2026-02-03T23:30:00-05:00 -> 2026-02-04 04:30:00 | 2026-02-03 -> 2026-02-03 00:00:00
string | 2026-02-03T23:30:00-05:00 -> 2026-02-03T23:30:00-05:00 | 2026-02-03 -> 2026-02-03 | 2026-02 -> 2026-02
END

venv/bin/python - >now <<'END'
import json
from pathlib import Path

import pyarrow
from pyarrow.json import read_json

print("pyarrow", pyarrow.__version__)


def read(*dates):
    lines = [{"resourceType": "Observation", "effectiveDateTime": one} for one in dates]
    Path("bulk.ndjson").write_text("".join(json.dumps(one) + "\n" for one in lines))
    column = read_json("bulk.ndjson").column("effectiveDateTime")
    print(column.type, *(f"| {sent} -> {got}" for sent, got in zip(dates, column.to_pylist())))


read("2026-02-03T23:30:00-05:00", "2026-02-03")
read("2026-02-03T23:30:00-05:00", "2026-02-03", "2026-02")
END

cat now
if diff seen now; then
    echo 'As written down.'
else
    echo 'No longer as written down: < was seen then, > is seen now.' >&2
    exit 1
fi
