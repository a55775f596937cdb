#!/bin/sh
# In fhirpath.js a limit of two years is not one of 730 days: equality of durations is not
# transitive.
#
# The engine reads a month as 30 days and a year as 365 when it compares them with days, and a
# year as 12 months when it compares those two. So 24 months equal 2 years, 2 years equal 730
# days, but 24 months equal 720 days, and 725 days are more than 24 months though they are less
# than 2 years: an infant who is not yet two is over the limit in one spelling of it.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

echo '{}' >package.json
npm install --loglevel=error --no-audit --no-fund --no-update-notifier \
    'fhirpath@5.2.2' >&2

cat >seen <<'END'
fhirpath.js 5.2.2
24 months = 2 years [true]
2 years = 730 days [true]
24 months = 730 days [false]
24 months = 720 days [true]
725 days < 2 years [true]
725 days > 24 months [true]
1 year = 365 days [true]
12 months = 365 days [false]
END

cat >run.cjs <<'END'
const fhirpath = require("fhirpath");
const { version } = JSON.parse(require("fs").readFileSync("node_modules/fhirpath/package.json"));
console.log("fhirpath.js", version);
for (const asked of [
  "24 months = 2 years", "2 years = 730 days", "24 months = 730 days", "24 months = 720 days",
  "725 days < 2 years", "725 days > 24 months", "1 year = 365 days", "12 months = 365 days",
]) {
  console.log(asked, JSON.stringify(fhirpath.evaluate({}, asked)));
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
