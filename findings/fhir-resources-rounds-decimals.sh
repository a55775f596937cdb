#!/bin/sh
# fhir.resources keeps a decimal as Python's Decimal, and reads and writes it by way of a float.
#
# FHIR asks that the precision of a decimal be kept: 1.50 says more than 1.5. Read from JSON, 1.50
# is Decimal("1.5") already. Handed over as Decimal("1.50") it is kept so, and written as 1.5 all
# the same; a number of 18 digits, which FHIR allows, comes out with other digits than it went in.
# The type of the field promises what neither end does.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check fhir.resources==8.3.0 \
    fhir-core==1.1.12 \
    pydantic==2.14.4

cat >seen <<'END'
fhir.resources 8.3.0 with fhir-core 1.1.12
1.50 read from JSON: kept as Decimal('1.5'), written as 1.5
1.50 given a Decimal: kept as Decimal('1.50'), written as 1.5
0.10 read from JSON: kept as Decimal('0.1'), written as 0.1
0.10 given a Decimal: kept as Decimal('0.10'), written as 0.1
123456789012345.678 read from JSON: kept as Decimal('123456789012345.67'), written as 123456789012345.67
123456789012345.678 given a Decimal: kept as Decimal('123456789012345.678'), written as 123456789012345.67
END

venv/bin/python - >now <<'END'
import json
from decimal import Decimal
from importlib.metadata import version

from fhir.resources.R4B.observation import Observation

print("fhir.resources", version("fhir.resources"), "with fhir-core", version("fhir-core"))
BEFORE = '{"resourceType": "Observation", "status": "final", "code": {"text": "B12"}, '
TEXT = BEFORE + '"valueQuantity": {"value": %s}}'
for sent in ("1.50", "0.10", "123456789012345.678"):
    plain = Observation.model_validate_json(TEXT % sent)
    exact = Observation.model_validate(json.loads(TEXT % sent, parse_float=Decimal))
    for how, one in (("read from JSON", plain), ("given a Decimal", exact)):
        written = json.loads(one.model_dump_json(), parse_float=str)["valueQuantity"]["value"]
        print(f"{sent} {how}: kept as {one.valueQuantity.value!r}, written as {written}")
END

cat now
if diff seen now; then
    echo 'As written down.'
else
    echo 'No longer as written down: < was seen then, > is seen now.' >&2
    exit 1
fi
