#!/bin/sh
# To two of three FHIRPath engines 1000 micrograms are not 1 milligram, and to one of them 1 mg is
# 1 kg.
#
# FHIRPath leaves it to an engine whether it converts, and asks each to notice that units differ.
# fhirpath.js converts. fhirpathpy says false, not that it cannot tell, and a rule reads a
# different dose. Medplum compares the numbers and leaves the units out: 1 mg equals 1 kg, 5 ug
# are more than 1 mg.
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
1000 'ug' = 1 'mg' | fhirpath.js [true] | Medplum [false]
1 'mg' = 1 'kg' | fhirpath.js [false] | Medplum [true]
5 'ug' > 1 'mg' | fhirpath.js [false] | Medplum [true]
fhirpathpy 2.2.4
1000 'ug' = 1 'mg' | fhirpathpy [False]
1 'mg' = 1 'kg' | fhirpathpy [False]
END

cat >run.cjs <<'END'
globalThis.WebSocket ??= class {}; // named when Medplum loads; Node has it from version 22
const medplum = require("@medplum/core");
const fhirpath = require("fhirpath");
const r4 = require("fhirpath/fhir-context/r4");
const { readFileSync } = require("fs");
const version = (name) => JSON.parse(readFileSync(`node_modules/${name}/package.json`)).version;

console.log("fhirpath.js", version("fhirpath"), "and Medplum", version("@medplum/core"));
for (const asked of ["1000 'ug' = 1 'mg'", "1 'mg' = 1 'kg'", "5 'ug' > 1 'mg'"]) {
  const one = fhirpath.evaluate({ resourceType: "Patient" }, asked, {}, r4);
  const other = medplum.evalFhirPath(asked, { resourceType: "Patient" });
  console.log(asked, "| fhirpath.js", JSON.stringify(one), "| Medplum", JSON.stringify(other));
}
END
node run.cjs >now
venv/bin/python - >>now <<'END'
from importlib.metadata import version

from fhirpathpy import evaluate

print("fhirpathpy", version("fhirpathpy"))
for asked in ("1000 'ug' = 1 'mg'", "1 'mg' = 1 'kg'"):
    print(asked, "| fhirpathpy", evaluate({"resourceType": "Patient"}, asked))
END

cat now
if diff seen now; then
    echo 'As written down.'
else
    echo 'No longer as written down: < was seen then, > is seen now.' >&2
    exit 1
fi
