#!/bin/sh
# flatten of {{'Milk'}, {'Egg'}} is {'Milk', 'Egg'} in cql-execution; of {{'Milk'}, null} it is the
# list as it was, so that its first element is a list and no text. The reference engine in Java
# leaves the null out and flattens the rest.
#
# Where a name is sent as text alone, the list of its codes is null: Lower() of the first name then
# fails with "toLowerCase is not a function". A list that may be null is replaced by an empty one.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

echo '{}' >package.json
npm install --loglevel=error --no-audit --no-fund --no-update-notifier \
    'cql-execution@3.3.2' >&2

cat >seen <<'END'
cql-execution 3.3.2
flatten {{'Milk'}, {'Egg'}} = ["Milk","Egg"]
flatten {{'Milk'}, {}} = ["Milk"]
flatten {{'Milk'}, null} = [["Milk"],null]
END

cat >run.cjs <<'END'
const cql = require("cql-execution");
const { readFileSync } = require("fs");
const { version } = JSON.parse(readFileSync("node_modules/cql-execution/package.json"));
console.log("cql-execution", version);

// As the reference translator writes it.
const text = (value) => ({ type: "Literal", valueType: "{urn:hl7-org:elm-types:r1}String", value });
const list = (...element) => ({ type: "List", element });
const nothing = { type: "Null" };

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
  for (const [written, other] of [
    ["{'Egg'}", list(text("Egg"))],
    ["{}", list()],
    ["null", nothing],
  ]) {
    const told = await valueOf({ type: "Flatten", operand: list(list(text("Milk")), other) });
    console.log(`flatten {{'Milk'}, ${written}} = ${JSON.stringify(told)}`);
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
