#!/bin/sh
# A child born "in 2024" is born on 1 January 2024 for fhirclient and for Medplum, and both then
# know an exact age.
#
# FHIR allows a birth date of a year or of a year and a month. fhirclient's date is a Python date
# with the rest filled in; Medplum shows it with a day and counts the days since. On 15 June 2026
# the child may be 17 months old or 29: a rule for the under-twos is told 2 years, and neither
# answer shows that part of the date was made up.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check fhirclient==4.4.0
echo '{}' >package.json
npm install --loglevel=error --no-audit --no-fund --no-update-notifier \
    '@medplum/core@5.2.13' >&2

cat >seen <<'END'
fhirclient 4.4.0
2024 -> 2024-01-01
2024-06 -> 2024-06-01
@medplum/core 5.2.13
2024 -> 01/01/2024 | on 15 June 2026: {"years":2,"months":29,"days":896}
2024-06 -> 01/06/2024 | on 15 June 2026: {"years":2,"months":24,"days":744}
END

venv/bin/python - >now <<'END'
from importlib.metadata import version

from fhirclient.models.patient import Patient

print("fhirclient", version("fhirclient"))
for written in ("2024", "2024-06"):
    print(written, "->", Patient({"resourceType": "Patient", "birthDate": written}).birthDate.date)
END
cat >run.cjs <<'END'
globalThis.WebSocket ??= class {}; // named when Medplum loads; Node has it from version 22
const { calculateAge, formatDate } = require("@medplum/core");
const { version } = JSON.parse(require("fs").readFileSync("node_modules/@medplum/core/package.json"));
console.log("@medplum/core", version);
for (const written of ["2024", "2024-06"]) {
  const age = calculateAge(written, "2026-06-15");
  console.log(written, "->", formatDate(written, "en-GB"), "| on 15 June 2026:", JSON.stringify(age));
}
END
node run.cjs >>now

cat now
if diff seen now; then
    echo 'As written down.'
else
    echo 'No longer as written down: < was seen then, > is seen now.' >&2
    exit 1
fi
