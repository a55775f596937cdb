#!/bin/sh
# Two of three UCUM libraries turn international units into plain numbers, and the third will not
# turn them into themselves.
#
# UCUM calls [iU] an arbitrary unit: its size depends on the substance and it has no relation to
# any other unit. ucumvert (with Pint) and @atomic-ehr/ucum make it the number one, so that 1
# [iU]/L is 1 /L and, in the second, any other arbitrary unit too. @lhncbc/ucum-lhc refuses that,
# and refuses 1 [iU]/L in m[iU]/mL as well, which is the same amount.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check ucumvert==0.3.2 \
    Pint==0.25.3
echo '{}' >package.json
npm install --loglevel=error --no-audit --no-fund --no-update-notifier \
    '@lhncbc/ucum-lhc@7.1.10' \
    '@atomic-ehr/ucum@0.2.5' >&2

cat >seen <<'END'
@lhncbc/ucum-lhc 7.1.10
1 [iU]/L in /L: failed null
1 [iU] in [arb'U]: failed null
1 [iU]/L in m[iU]/mL: failed null
1 [iU] in mg: failed null
@atomic-ehr/ucum 0.2.5
1 [iU]/L in /L: 1
1 [iU] in [arb'U]: 1
1 [iU]/L in m[iU]/mL: 0.9999999999999999
1 [iU] in mg: IncompatibleDimensionsError
ucumvert 0.3.2 with Pint 0.25.3
1 [iU]/L in /L: 1
1 [iU]/L in m[iU]/mL: 1
1 [iU] in mg: DimensionalityError
END

cat >run.cjs <<'END'
const lhc = require("@lhncbc/ucum-lhc").UcumLhcUtils.getInstance();
const { readFileSync } = require("fs");
const version = (name) => JSON.parse(readFileSync(`node_modules/${name}/package.json`)).version;
const PAIRS = [["[iU]/L", "/L"], ["[iU]", "[arb'U]"], ["[iU]/L", "m[iU]/mL"], ["[iU]", "mg"]];
console.log("@lhncbc/ucum-lhc", version("@lhncbc/ucum-lhc"));
for (const [from, to] of PAIRS) {
  const { status, toVal } = lhc.convertUnitTo(from, 1, to);
  console.log(`1 ${from} in ${to}:`, status, toVal);
}
import("@atomic-ehr/ucum").then(({ ucum }) => {
  console.log("@atomic-ehr/ucum", version("@atomic-ehr/ucum"));
  for (const [from, to] of PAIRS) {
    let got;
    try {
      got = ucum.convert(1, from, to);
    } catch (error) {
      got = error.name;
    }
    console.log(`1 ${from} in ${to}:`, got);
  }
});
END
node run.cjs >now
venv/bin/python - >>now <<'END'
from importlib.metadata import version

from pint.errors import DimensionalityError
from ucumvert import PintUcumRegistry

print("ucumvert", version("ucumvert"), "with Pint", version("Pint"))
units = PintUcumRegistry()
for start, goal in (("[iU]/L", "/L"), ("[iU]/L", "m[iU]/mL"), ("[iU]", "mg")):
    try:
        got = format(units.from_ucum(start).to(units.from_ucum(goal).units).magnitude, ".6g")
    except DimensionalityError as error:
        got = type(error).__name__
    print(f"1 {start} in {goal}:", got)
END

cat now
if diff seen now; then
    echo 'As written down.'
else
    echo 'No longer as written down: < was seen then, > is seen now.' >&2
    exit 1
fi
