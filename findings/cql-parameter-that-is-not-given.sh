#!/bin/sh
# A parameter of CQL that is not given is not null in cql-execution, and its elements are.
#
# "The facts are not given" is then false, each fact is unknown, and a chain of conditions ends at
# its last resort, say "nothing to do": an answer about no one. With a default of null it is null.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

echo '{}' >package.json
npm install --loglevel=error --no-audit --no-fund --no-update-notifier \
    'cql-execution@3.3.2' >&2

cat >seen <<'END'
cql-execution 3.3.2
parameter facts Tuple { level Decimal } | facts is null: false | facts.level is null: true
parameter facts Tuple { level Decimal } default null | facts is null: true | facts.level is null: true
END

cat >run.cjs <<'END'
const cql = require("cql-execution");
const { readFileSync } = require("fs");
const { version } = JSON.parse(readFileSync("node_modules/cql-execution/package.json"));
console.log("cql-execution", version);

// As the reference translator writes it.
const tuple = {
  type: "TupleTypeSpecifier",
  element: [{
    name: "level",
    elementType: { type: "NamedTypeSpecifier", name: "{urn:hl7-org:elm-types:r1}Decimal" },
  }],
};
const given = { type: "ParameterRef", name: "facts" };
const define = (name, operand) =>
  ({ name, context: "Patient", accessLevel: "Public", expression: { type: "IsNull", operand } });

function library(more) {
  return new cql.Library({
    library: {
      identifier: { id: "Example", version: "1" },
      schemaIdentifier: { id: "urn:hl7-org:elm", version: "r1" },
      usings: { def: [{ localIdentifier: "System", uri: "urn:hl7-org:elm-types:r1" }] },
      parameters: {
        def: [{ name: "facts", accessLevel: "Public", parameterTypeSpecifier: tuple, ...more }],
      },
      statements: {
        def: [
          define("facts is null", given),
          define("level is null", { type: "Property", path: "level", source: given }),
        ],
      },
    },
  });
}

async function tell(words, more) {
  const nobody = new cql.PatientSource([{ id: "0", recordType: "Patient" }]);
  const told = (await new cql.Executor(library(more)).exec(nobody)).patientResults["0"];
  console.log(
    `parameter facts Tuple { level Decimal }${words} | facts is null: ${told["facts is null"]}` +
      ` | facts.level is null: ${told["level is null"]}`,
  );
}
tell("", {}).then(() => tell(" default null", { default: { type: "Null" } }));
END
node run.cjs >now

cat now
if diff seen now; then
    echo 'As written down.'
else
    echo 'No longer as written down: < was seen then, > is seen now.' >&2
    exit 1
fi
