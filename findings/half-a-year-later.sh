#!/bin/sh
# "Half a year after 15 January 2024" is 15 July in cql-execution, and 15 January 2024 in
# fhirpath.js.
#
# CQL and FHIRPath share this arithmetic, and both tell an engine to leave out the fraction of
# years, months, weeks and days. fhirpath.js does, with a line on the console, though to it 0.5
# years equal 6 months; cql-execution carries the fraction over into months and days. A follow-up
# worked out as 1.5 months moves by two weeks.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

echo '{}' >package.json
npm install --loglevel=error --no-audit --no-fund --no-update-notifier \
    'fhirpath@5.2.2' \
    'cql-execution@3.3.2' >&2

cat >seen <<'END'
fhirpath.js 5.2.2 and cql-execution 3.3.2
2024-01-15 + 1.5 months | fhirpath.js 2024-02-15 | cql-execution 2024-03-01
2024-01-15 + 0.5 years | fhirpath.js 2024-01-15 | cql-execution 2024-07-15
2024-01-15 + 1.9 years | fhirpath.js 2025-01-15 | cql-execution 2025-12-09
fhirpath.js: 0.5 years = 6 months [true]
END

cat >run.cjs <<'END'
const fhirpath = require("fhirpath");
const cql = require("cql-execution");
const { readFileSync } = require("fs");
const version = (name) => JSON.parse(readFileSync(`node_modules/${name}/package.json`)).version;
console.warn = () => {};
console.log("fhirpath.js", version("fhirpath"), "and cql-execution", version("cql-execution"));
const from = "2024-01-15";
for (const [count, unit] of [[1.5, "month"], [0.5, "year"], [1.9, "year"]]) {
  const one = fhirpath.evaluate({}, `@${from} + ${count} ${unit}s`)[0];
  const other = cql.Date.parse(from).add(count, unit);
  console.log(`${from} + ${count} ${unit}s | fhirpath.js ${one} | cql-execution ${other}`);
}
console.log("fhirpath.js: 0.5 years = 6 months", JSON.stringify(fhirpath.evaluate({}, "0.5 years = 6 months")));
END
node run.cjs >now

cat now
if diff seen now; then
    echo 'As written down.'
else
    echo 'No longer as written down: < was seen then, > is seen now.' >&2
    exit 1
fi
