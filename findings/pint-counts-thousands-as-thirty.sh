#!/bin/sh
# 250 thousand platelets per microlitre, with UCUM's unit behind the number as FHIR sends both, are
# 7500 for pint: it takes "10*3/uL" for ten times three.
#
# The same count in "10*9/L" is 22500 per litre, and in "K/uL", as US laboratories print it, 250
# kelvin. All are taken without a word. A unit given apart from its number is refused, and ucumvert,
# which puts UCUM before pint, reads it right.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pint==0.25.3 ucumvert==0.3.2

cat >seen <<'END'
pint 0.25.3
ucumvert 0.3.2
250 10*3/uL: pint 7500.0 / microliter
250 10*9/L: pint 22500.0 / liter
250 10^9/L: pint 250000000000.0 / liter
250 K/uL: pint 250.0 kelvin / microliter
250 and 10*3/uL apart: pint ValueError
10*3/uL: ucumvert 1000 per microliter
END

venv/bin/python - >now <<'END'
from importlib.metadata import version

import pint
from ucumvert import PintUcumRegistry

for name in ("pint", "ucumvert"):
    print(name, version(name))
registry = pint.UnitRegistry()
for unit in ("10*3/uL", "10*9/L", "10^9/L", "K/uL"):
    print(f"250 {unit}: pint {registry(f'250 {unit}')}")
try:
    print(registry.Quantity(250, "10*3/uL"))
except ValueError as refused:
    print(f"250 and 10*3/uL apart: pint {type(refused).__name__}")
ucum = PintUcumRegistry()
found = (1 * ucum.from_ucum("10*3/uL")).to("1/microliter").magnitude
print(f"10*3/uL: ucumvert {found:.0f} per microliter")
END
diff seen now
cat now
