#!/bin/sh
# 4.5 kg at 0.3 ug for each kilogram, rounded to a tenth, is 1.3 ug in cql-execution: 1.35 rounds
# to 1.4, as CQL says and as the reference engine in Java does.
#
# Decimals of CQL are binary fractions there, and 4.5 x 0.3 is a little less than 1.35. In whole
# numbers (grams times tenths, a half added before the division) every engine reckons the same.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

echo '{}' >package.json
npm install --loglevel=error --no-audit --no-fund --no-update-notifier \
    'cql-execution@3.3.2' >&2

cat >seen <<'END'
cql-execution 3.3.2
4.5 kg | Round(4.5 * 0.3, 1) = 1.3 | (4500 * 30 + 5000) div 10000 / 10.0 = 1.4
5.5 kg | Round(5.5 * 0.3, 1) = 1.7 | (5500 * 30 + 5000) div 10000 / 10.0 = 1.7
8.5 kg | Round(8.5 * 0.3, 1) = 2.6 | (8500 * 30 + 5000) div 10000 / 10.0 = 2.6
END

cat >run.cjs <<'END'
const cql = require("cql-execution");
const { readFileSync } = require("fs");
const { version } = JSON.parse(readFileSync("node_modules/cql-execution/package.json"));
console.log("cql-execution", version);

// As the reference translator writes it.
const literal = (type, value) =>
  ({ type: "Literal", valueType: `{urn:hl7-org:elm-types:r1}${type}`, value: String(value) });
const decimal = (value) => literal("Decimal", value);
const whole = (value) => literal("Integer", value);
const two = (type, ...operand) => ({ type, operand });

async function valueOf(expression) {
  const library = new cql.Library({
    library: {
      identifier: { id: "Example", version: "1" },
      schemaIdentifier: { id: "urn:hl7-org:elm", version: "r1" },
      usings: { def: [{ localIdentifier: "System", uri: "urn:hl7-org:elm-types:r1" }] },
      statements: { def: [{ name: "it", context: "Patient", accessLevel: "Public", expression }] },
    },
  });
  const nobody = new cql.PatientSource([{ id: "0", recordType: "Patient" }]);
  return (await new cql.Executor(library).exec(nobody)).patientResults["0"].it;
}

async function run() {
  for (const [kg, grams] of [["4.5", 4500], ["5.5", 5500], ["8.5", 8500]]) {
    const rounded = await valueOf({
      type: "Round", operand: two("Multiply", decimal(kg), decimal("0.3")), precision: whole(1),
    });
    const sum = two("Add", two("Multiply", whole(grams), whole(30)), whole(5000));
    const tenths = two("TruncatedDivide", sum, whole(10000));
    const exact = await valueOf(two("Divide", { type: "ToDecimal", operand: tenths }, decimal("10.0")));
    console.log(
      `${kg} kg | Round(${kg} * 0.3, 1) = ${rounded}` +
        ` | (${grams} * 30 + 5000) div 10000 / 10.0 = ${exact}`,
    );
  }
}
run();
END
node run.cjs >now

cat now
if diff seen now; then
    echo 'As written down.'
else
    echo 'No longer as written down: < was seen then, > is seen now.' >&2
    exit 1
fi
