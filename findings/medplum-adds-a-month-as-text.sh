#!/bin/sh
# In Medplum's FHIRPath, 31 January 2024 plus 1 month is the text "2024-01-311".
#
# Dates are texts there, and + joins the number of the quantity to them. What comes out is still
# compared with a date, as text, so a rule gets an answer instead of an error: three months after
# 31 January is not after 29 February.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

echo '{}' >package.json
npm install --loglevel=error --no-audit --no-fund --no-update-notifier \
    '@medplum/core@5.2.13' >&2

cat >seen <<'END'
@medplum/core 5.2.13
Observation.effective + 1 month ["2024-01-311"]
Observation.effective + 45 days ["2024-01-3145"]
Observation.effective + 3 months > @2024-02-29 [false]
END

cat >run.cjs <<'END'
globalThis.WebSocket ??= class {}; // named when Medplum loads; Node has it from version 22
const { evalFhirPath } = require("@medplum/core");
const { version } = JSON.parse(require("fs").readFileSync("node_modules/@medplum/core/package.json"));
console.log("@medplum/core", version);
const observation = {
  resourceType: "Observation", status: "final", code: { text: "Weight" }, effectiveDateTime: "2024-01-31",
};
for (const asked of [
  "Observation.effective + 1 month",
  "Observation.effective + 45 days",
  "Observation.effective + 3 months > @2024-02-29",
]) {
  console.log(asked, JSON.stringify(evalFhirPath(asked, observation)));
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
