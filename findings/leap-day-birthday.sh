#!/bin/sh
# An infant born on 29 February 2024 is two years old on 28 February 2026 by CQL and FHIRPath, and
# not by Medplum.
#
# Adding two years to a leap day gives the last of February in CQL and FHIRPath, and cql-execution
# counts whole years alike; Medplum's calculateAge waits for 1 March. It is the same with months:
# born on 31 January, one month old on 28 February, or not. A rule for the under-twos holds a day
# longer in one of them.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

echo '{}' >package.json
npm install --loglevel=error --no-audit --no-fund --no-update-notifier \
    'fhirpath@5.2.2' \
    'cql-execution@3.3.2' \
    '@medplum/core@5.2.13' >&2

cat >seen <<'END'
fhirpath 5.2.2
cql-execution 3.3.2
@medplum/core 5.2.13
born 2024-02-29, on 2026-02-27, 2 year(s) old: FHIRPath false, CQL false, Medplum false
born 2024-02-29, on 2026-02-28, 2 year(s) old: FHIRPath true, CQL true, Medplum false
born 2024-02-29, on 2026-03-01, 2 year(s) old: FHIRPath true, CQL true, Medplum true
born 2025-01-31, on 2025-02-28, 1 month(s) old: FHIRPath true, CQL true, Medplum false
born 2025-01-31, on 2025-03-01, 1 month(s) old: FHIRPath true, CQL true, Medplum true
END

cat >run.cjs <<'END'
globalThis.WebSocket ??= class {}; // named when Medplum loads; Node has it from version 22
const fhirpath = require("fhirpath");
const cql = require("cql-execution");
const { calculateAge } = require("@medplum/core");
const { readFileSync } = require("fs");
const version = (name) => JSON.parse(readFileSync(`node_modules/${name}/package.json`)).version;
for (const name of ["fhirpath", "cql-execution", "@medplum/core"]) console.log(name, version(name));
for (const [born, on, unit] of [
  ["2024-02-29", "2026-02-27", "year"], ["2024-02-29", "2026-02-28", "year"], ["2024-02-29", "2026-03-01", "year"],
  ["2025-01-31", "2025-02-28", "month"], ["2025-01-31", "2025-03-01", "month"],
]) {
  const whole = unit === "year" ? 2 : 1;
  const path = fhirpath.evaluate({}, `@${born} + ${whole} ${unit}s <= @${on}`)[0];
  const counted = cql.Date.parse(born).durationBetween(cql.Date.parse(on), unit).low;
  const medplum = calculateAge(born, on)[`${unit}s`];
  const answers = `FHIRPath ${path}, CQL ${counted >= whole}, Medplum ${medplum >= whole}`;
  console.log(`born ${born}, on ${on}, ${whole} ${unit}(s) old: ${answers}`);
}
END
node run.cjs >now

cat now
if diff seen now; then
    echo 'As written down.'
else
    echo 'No longer as written down: < was seen then, > is seen now.' >&2
    exit 1
fi
