#!/bin/sh
# To three UCUM libraries 5 mmol/mol are 5 mg/g, of whatever substances: a share of moles is a share
# of grams.
#
# Both are the number 0.005, so that the conversion is refused by none of them, though a conversion
# of mmol to mg is. Of homocysteine (135.18 g/mol) per creatinine (113.12 g/mol) it is 5.98 mg/g, and
# 48 mmol/mol of HbA1c, "4.8 %" by the unit, are 6.5 % as laboratories report it. A molecular weight
# that the caller gives is not used and not missed.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"


python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check ucumvert==0.3.2 Pint==0.25.3
echo '{}' >package.json
npm install --loglevel=error --no-audit --no-fund --no-update-notifier \
    '@lhncbc/ucum-lhc@7.1.10' \
    '@atomic-ehr/ucum@0.2.5' >&2

cat >seen <<'END'
@lhncbc/ucum-lhc 7.1.10
5 mmol/mol in mg/g: 5 | with a weight of 135.18: 5
5 mmol/mol{creat} in mg/g{creat}: 5 | with a weight of 135.18: 5
48 mmol/mol in %: 4.8 | with a weight of 135.18: 4.8
5 mmol in mg: failed | with a weight of 135.18: 675.9
@atomic-ehr/ucum 0.2.5
5 mmol/mol in mg/g: 5
5 mmol/mol{creat} in mg/g{creat}: 5
48 mmol/mol in %: 4.8
5 mmol in mg: failed
ucumvert 0.3.2 with Pint 0.25.3
5 mmol/mol in mg/g: 5
5 mmol/mol{creat} in mg/g{creat}: 5
48 mmol/mol in %: 4.8
5 mmol in mg: failed
END

cat >run.cjs <<'END'
const lhc = require("@lhncbc/ucum-lhc").UcumLhcUtils.getInstance();
const { readFileSync } = require("fs");
const version = (name) => JSON.parse(readFileSync(`node_modules/${name}/package.json`)).version;
const ASKED = [
  [5, "mmol/mol", "mg/g"], [5, "mmol/mol{creat}", "mg/g{creat}"], [48, "mmol/mol", "%"], [5, "mmol", "mg"],
];
const short = (value) => Number(value.toPrecision(6));
const given = ({ status, toVal }) => (status === "succeeded" ? short(toVal) : status);
console.log("@lhncbc/ucum-lhc", version("@lhncbc/ucum-lhc"));
for (const [value, from, to] of ASKED) {
  const plain = lhc.convertUnitTo(from, value, to);
  const weighed = lhc.convertUnitTo(from, value, to, { molecularWeight: 135.18 });
  console.log(`${value} ${from} in ${to}:`, given(plain), "| with a weight of 135.18:", given(weighed));
}
import("@atomic-ehr/ucum").then(({ ucum }) => {
  console.log("@atomic-ehr/ucum", version("@atomic-ehr/ucum"));
  for (const [value, from, to] of ASKED) {
    let got = "failed";
    try {
      got = short(ucum.convert(value, from, to));
    } catch {}
    console.log(`${value} ${from} in ${to}:`, got);
  }
});
END
node run.cjs >now

venv/bin/python - >>now <<'END'
from importlib.metadata import version

from pint import DimensionalityError
from ucumvert import PintUcumRegistry

units = PintUcumRegistry()
print("ucumvert", version("ucumvert"), "with Pint", version("Pint"))
for value, before, after in (
    (5, "mmol/mol", "mg/g"),
    (5, "mmol/mol{creat}", "mg/g{creat}"),
    (48, "mmol/mol", "%"),
    (5, "mmol", "mg"),
):
    try:
        got = (value * units.from_ucum(before)).to(units.from_ucum(after)).magnitude
    except DimensionalityError:
        print(f"{value} {before} in {after}: failed")
    else:
        print(f"{value} {before} in {after}: {got:.6g}")
END

cat now
if diff seen now; then
    echo 'As written down.'
else
    echo 'No longer as written down: < was seen then, > is seen now.' >&2
    exit 1
fi
