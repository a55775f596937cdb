#!/bin/sh
# The npm package "fhir" turns the decimals of an XML resource into JSON texts, so that 95.5 is
# not below 150.
#
# A decimal is a JSON number in FHIR, and the package's own validator says so of what its own
# reader made. Integers and booleans do become what they should. Two results compared as they come
# out are compared letter by letter: 95.5 is above 150.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

echo '{}' >package.json
npm install --loglevel=error --no-audit --no-fund --no-update-notifier \
    'fhir@4.12.0' >&2

cat >seen <<'END'
fhir 4.12.0
decimal: string | integer: number
95.5 < 150: false
its validator: Number type expected but string received for value "95.5"
END

cat >run.cjs <<'END'
const { Fhir } = require("fhir");
const { version } = JSON.parse(require("fs").readFileSync("node_modules/fhir/package.json"));
const fhir = new Fhir();
console.log("fhir", version);
const BEFORE = '<Observation xmlns="http://hl7.org/fhir"><status value="final"/><code><text value="B12"/></code>';
const read = (value) => fhir.xmlToObj(`${BEFORE}${value}</Observation>`);
const quantity = (value) => read(`<valueQuantity><value value="${value}"/></valueQuantity>`);
const low = quantity("95.5");
const limit = quantity("150");
const whole = read('<valueInteger value="3"/>');
console.log("decimal:", typeof low.valueQuantity.value, "| integer:", typeof whole.valueInteger);
console.log("95.5 < 150:", low.valueQuantity.value < limit.valueQuantity.value);
console.log("its validator:", fhir.validate(low).messages.map((one) => one.message).join());
END
node run.cjs >now

cat now
if diff seen now; then
    echo 'As written down.'
else
    echo 'No longer as written down: < was seen then, > is seen now.' >&2
    exit 1
fi
