#!/bin/sh
# A result that a laboratory has entered and not verified (HL7 version 2, OBX-11 "R") becomes an
# Observation of the status "registered", with its number.
#
# FHIR's "registered" says that there is no result yet, so a reader may pass it by: 90 pg/mL would
# never be seen. So it goes with "cancelled" for what could not be obtained or was deleted. A result
# below the assay's range, "<^100", becomes that text, its circumflex too.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check brightohir==2.1.2

cat >seen <<'END'
brightohir 2.1.2
NM 90 F: final 90.0
NM 90 R: registered 90.0
NM 90 I: registered 90.0
NM 90 X: cancelled 90.0
NM 90 D: cancelled 90.0
SN <^100 F: final <^100
SN 100^-^200 F: final 100^-^200
END

venv/bin/python - >now <<'END'
import json
from importlib.metadata import version

from brightohir import v2_to_r5

print("brightohir", version("brightohir"))


def sent(kind, value, status):
    lines = (
        r"MSH|^~\&|LAB|H|EHR|H|20260312||ORU^R01^ORU_R01|1|P|2.5.1",
        "PID|1||77^^^H^MR||Test^Baby||20250910|F",
        "OBR|1||1|2132-9^Vitamin B12^LN|||20260312080000",
        f"OBX|1|{kind}|2132-9^Vitamin B12^LN||{value}|pg/mL^^UCUM|200-900|L|||{status}",
    )
    return "\r".join(lines) + "\r"


for kind, value, status in (
    ("NM", "90", "F"),
    ("NM", "90", "R"),
    ("NM", "90", "I"),
    ("NM", "90", "X"),
    ("NM", "90", "D"),
    ("SN", "<^100", "F"),
    ("SN", "100^-^200", "F"),
):
    made = v2_to_r5(sent(kind, value, status))
    made = made if isinstance(made, dict) else json.loads(made.model_dump_json())
    for entry in made["entry"]:
        one = entry["resource"]
        if one["resourceType"] == "Observation":
            number = one.get("valueQuantity", {}).get("value")
            print(f"{kind} {value} {status}: {one['status']}", number or one.get("valueString"))
END
diff seen now
cat now
