#!/bin/sh
# Platelets of "250 G/L" have a valid UCUM unit, and it is gauss per litre.
#
# Laboratories in several countries print cell counts in G/L, giga per litre. In UCUM giga is a
# prefix, which needs something after it, and G alone is the gauss. So a validator passes the
# unit, and nothing converts it to 10*9/L. "MG" for milligrams is valid as well: it is the
# megagauss.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check ucumvert==0.3.2 \
    Pint==0.25.3
echo '{}' >package.json
npm install --loglevel=error --no-audit --no-fund --no-update-notifier \
    '@lhncbc/ucum-lhc@7.1.10' >&2

cat >seen <<'END'
@lhncbc/ucum-lhc 7.1.10
10*9/L valid billion per liter
G/L valid Gauss/Liters
MG valid megaGauss
G/L in 10*9/L: failed
ucumvert 0.3.2 with Pint 0.25.3
10*9/L _10 ** 9 / liter
G/L gauss / liter
MG megagauss
END

cat >run.cjs <<'END'
const lhc = require("@lhncbc/ucum-lhc").UcumLhcUtils.getInstance();
const { version } = JSON.parse(require("fs").readFileSync("node_modules/@lhncbc/ucum-lhc/package.json"));
console.log("@lhncbc/ucum-lhc", version);
for (const code of ["10*9/L", "G/L", "MG"]) {
  const { status, unit } = lhc.validateUnitString(code);
  console.log(code, status, unit.name);
}
console.log("G/L in 10*9/L:", lhc.convertUnitTo("G/L", 250, "10*9/L").status);
END
node run.cjs >now
venv/bin/python - >>now <<'END'
from importlib.metadata import version

from ucumvert import PintUcumRegistry

print("ucumvert", version("ucumvert"), "with Pint", version("Pint"))
units = PintUcumRegistry()
for code in ("10*9/L", "G/L", "MG"):
    print(code, units.from_ucum(code).units)
END

cat now
if diff seen now; then
    echo 'As written down.'
else
    echo 'No longer as written down: < was seen then, > is seen now.' >&2
    exit 1
fi
