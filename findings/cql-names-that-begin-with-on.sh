#!/bin/sh
# After "or", the reference translator of CQL reads no name that begins with on, before or after.
#
# Its words "or on", "or before" and "or after" are of comparisons of dates, and are found in "or one"
# and "or afterwards" too, in the middle of a name. In brackets the same condition is read.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

echo '{"type": "module"}' >package.json
npm install --loglevel=error --no-audit --no-fund --no-update-notifier --ignore-scripts \
    '@cqframework/cql@5.3.0' >&2

cat >seen <<'END'
@cqframework/cql 5.3.0
it is null or it > 3: read
one is null or one > 3: Syntax error at or on
one is null or (one > 3): read
afterwards is null or afterwards > 3: Syntax error at or after
beforehand is null or beforehand > 3: Syntax error at or before
END

cat >run.js <<'END'
import { readFileSync } from "node:fs";
import { CqlTranslator, LibraryManager, ModelManager } from "@cqframework/cql/cql-to-elm";

const { version } = JSON.parse(readFileSync("node_modules/@cqframework/cql/package.json"));
console.log("@cqframework/cql", version);

function tell(condition) {
  const [name] = condition.split(" ");
  const text = `library Example\ndefine found: ({ 1, 5 }) ${name} where ${condition}\n`;
  const { errors } = CqlTranslator.fromText(text, new LibraryManager(new ModelManager()));
  // Without a provider of models nothing has a type; whether it is read does not depend on that.
  const syntax = errors.asJsReadonlyArrayView().map((one) => one.message)
    .filter((one) => one.startsWith("Syntax error"));
  console.log(`${condition}: ${[...new Set(syntax)].join("; ") || "read"}`);
}

tell("it is null or it > 3");
tell("one is null or one > 3");
tell("one is null or (one > 3)");
tell("afterwards is null or afterwards > 3");
tell("beforehand is null or beforehand > 3");
END

node run.js >shown
cat shown
diff seen shown
