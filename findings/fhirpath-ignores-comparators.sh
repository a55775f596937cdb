#!/bin/sh
# "Less than 150 pg/mL" passes for "150 pg/mL" in two of three FHIRPath engines.
#
# A quantity with a comparator is no number, only a bound. fhirpath.js refuses to calculate with
# one. fhirpathpy finds it equal to 150, and Medplum finds it equal to 150 and above 100 as well,
# though the result may be 20.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check fhirpathpy==2.2.4
echo '{}' >package.json
npm install --loglevel=error --no-audit --no-fund --no-update-notifier \
    'fhirpath@5.2.2' \
    '@medplum/core@5.2.13' >&2

cat >seen <<'END'
fhirpath.js 5.2.2 and Medplum 5.2.13
Observation.value = 150 'pg/mL' | fhirpath.js refused: Cannot convert a FHIR.Quantity that has a comparator | Medplum [true]
Observation.value > 100 'pg/mL' | fhirpath.js refused: Cannot convert a FHIR.Quantity that has a comparator | Medplum [true]
fhirpathpy 2.2.4
Observation.value = 150 'pg/mL' | fhirpathpy [True]
END

cat >run.cjs <<'END'
globalThis.WebSocket ??= class {}; // named when Medplum loads; Node has it from version 22
const medplum = require("@medplum/core");
const fhirpath = require("fhirpath");
const r4 = require("fhirpath/fhir-context/r4");
const { readFileSync } = require("fs");
const version = (name) => JSON.parse(readFileSync(`node_modules/${name}/package.json`)).version;

console.log("fhirpath.js", version("fhirpath"), "and Medplum", version("@medplum/core"));
const below = {
  resourceType: "Observation", status: "final", code: { text: "Vitamin B12" },
  valueQuantity: { value: 150, comparator: "<", unit: "pg/mL", system: "http://unitsofmeasure.org", code: "pg/mL" },
};
for (const asked of ["Observation.value = 150 'pg/mL'", "Observation.value > 100 'pg/mL'"]) {
  let strict;
  try {
    strict = JSON.stringify(fhirpath.evaluate(below, asked, {}, r4));
  } catch (error) {
    strict = `refused: ${error.message}`;
  }
  console.log(asked, "| fhirpath.js", strict, "| Medplum", JSON.stringify(medplum.evalFhirPath(asked, below)));
}
END
node run.cjs >now
venv/bin/python - >>now <<'END'
from importlib.metadata import version

from fhirpathpy import evaluate
from fhirpathpy.models import models

print("fhirpathpy", version("fhirpathpy"))
UNIT = {"unit": "pg/mL", "system": "http://unitsofmeasure.org", "code": "pg/mL"}
below = {
    "resourceType": "Observation",
    "status": "final",
    "code": {"text": "Vitamin B12"},
    "valueQuantity": {"value": 150, "comparator": "<", **UNIT},
}
asked = "Observation.value = 150 'pg/mL'"
print(asked, "| fhirpathpy", evaluate(below, asked, {}, models["r4"]))
END

cat now
if diff seen now; then
    echo 'As written down.'
else
    echo 'No longer as written down: < was seen then, > is seen now.' >&2
    exit 1
fi
