#!/bin/sh
# A subscription for results below 200 never fires in Medplum, and no error says why.
#
# matchesSearchRequest decides there whether a resource meets the criteria of a Subscription. It
# knows value-quantity as a search parameter and sees that the result has a value, but it has no
# comparison for quantities or numbers and answers no to each, equal and below alike. Tokens,
# texts, references and dates are compared.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

echo '{}' >package.json
npm install --loglevel=error --no-audit --no-fund --no-update-notifier \
    '@medplum/core@5.2.13' >&2

cat >seen <<'END'
@medplum/core 5.2.13
code=http://loinc.org|2132-9 true
value-quantity:missing=false true
value-quantity=95 false
value-quantity=lt200 false
value-quantity=lt200|http://unitsofmeasure.org|pg/mL false
END

cat >run.cjs <<'END'
globalThis.WebSocket ??= class {}; // named when Medplum loads; Node has it from version 22
const { indexSearchParameterBundle, matchesSearchRequest, parseSearchRequest } = require("@medplum/core");
const { version } = JSON.parse(require("fs").readFileSync("node_modules/@medplum/core/package.json"));
console.log("@medplum/core", version);
const parameter = (code, type, expression) => ({
  resource: { resourceType: "SearchParameter", base: ["Observation"], code, type, expression },
});
indexSearchParameterBundle({
  resourceType: "Bundle", type: "collection",
  entry: [
    parameter("code", "token", "Observation.code"),
    parameter("value-quantity", "quantity", "Observation.value.ofType(Quantity)"),
  ],
});
const UCUM = "http://unitsofmeasure.org";
const observation = {
  resourceType: "Observation", status: "final", code: { coding: [{ system: "http://loinc.org", code: "2132-9" }] },
  valueQuantity: { value: 95, unit: "pg/mL", system: UCUM, code: "pg/mL" },
};
for (const asked of [
  "code=http://loinc.org|2132-9", "value-quantity:missing=false", "value-quantity=95", "value-quantity=lt200",
  `value-quantity=lt200|${UCUM}|pg/mL`,
]) {
  console.log(asked, matchesSearchRequest(observation, parseSearchRequest(`Observation?${asked}`)));
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
