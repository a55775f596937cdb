#!/bin/sh
# A haemoglobin of 13 g% is 13 g/dL, 0.13 g, or no unit at all, by the UCUM library.
#
# "g%" is a unit of its own in UCUM's table: gram percent, one gram in a decilitre. @lhncbc/ucum-
# lhc knows it. ucumvert reads gram and percent as a product without a sign between them, a mass a
# hundredth as large, and then finds no way to g/dL. @atomic-ehr/ucum calls it a mistake in the
# syntax.
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
13 g% in g/dL: 13
@atomic-ehr/ucum 0.2.5
g% is valid: false syntax
ucumvert 0.3.2 with Pint 0.25.3
13 g% in g: 0.13
13 g% in g/dL: DimensionalityError
END

cat >run.cjs <<'END'
const lhc = require("@lhncbc/ucum-lhc").UcumLhcUtils.getInstance();
const { readFileSync } = require("fs");
const version = (name) => JSON.parse(readFileSync(`node_modules/${name}/package.json`)).version;
console.log("@lhncbc/ucum-lhc", version("@lhncbc/ucum-lhc"));
console.log("13 g% in g/dL:", lhc.convertUnitTo("g%", 13, "g/dL").toVal);
import("@atomic-ehr/ucum").then(({ ucum }) => {
  console.log("@atomic-ehr/ucum", version("@atomic-ehr/ucum"));
  const { valid, errors } = ucum.validate("g%");
  console.log("g% is valid:", valid, errors.map((one) => one.type).join());
});
END
node run.cjs >now
venv/bin/python - >>now <<'END'
from importlib.metadata import version

from pint.errors import DimensionalityError
from ucumvert import PintUcumRegistry

print("ucumvert", version("ucumvert"), "with Pint", version("Pint"))
units = PintUcumRegistry()
read = 13 * units.from_ucum("g%")
print("13 g% in g:", format(read.to("gram").magnitude, ".6g"))
try:
    print("13 g% in g/dL:", format(read.to("gram / deciliter").magnitude, ".6g"))
except DimensionalityError as error:
    print("13 g% in g/dL:", type(error).__name__)
END

cat now
if diff seen now; then
    echo 'As written down.'
else
    echo 'No longer as written down: < was seen then, > is seen now.' >&2
    exit 1
fi
