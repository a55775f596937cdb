#!/bin/sh
# A MedicationAdministration that is converted from R4 to R5 has R5's drug and R4's date, and is valid
# in neither; a MedicationStatement of something that is not taken stays as it was in R4.
#
# R5 calls the date "occurenceDateTime" and has only the statuses "recorded", "entered-in-error" and
# "draft" of a statement, with the rest under "adherence". Whoever reads such a dose as R5 finds no
# day on which it was given.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check brightohir==2.1.2 fhir.resources==8.3.0

cat >seen <<'END'
brightohir 2.1.2
fhir.resources 8.3.0
MedicationAdministration: effectiveDateTime medication
  valid in R4 False
  valid in R5 False
MedicationStatement: effectiveDateTime medicationCodeableConcept
  valid in R4 True
  valid in R5 False
END

venv/bin/python - >now <<'END'
from importlib import import_module
from importlib.metadata import version

from brightohir import r4_to_r5

for name in ("brightohir", "fhir.resources"):
    print(name, version(name))
common = {
    "id": "1",
    "medicationCodeableConcept": {"text": "hydroxocobalamin"},
    "subject": {"reference": "Patient/1"},
    "effectiveDateTime": "2026-03-12",
}


def is_valid(package, resource):
    kind = resource["resourceType"]
    model = getattr(import_module(f"{package}.{kind.lower()}"), kind)
    try:
        model(**{key: value for key, value in resource.items() if key != "resourceType"})
    except ValueError:
        return False
    return True


for kind, status in (
    ("MedicationAdministration", "completed"),
    ("MedicationStatement", "not-taken"),
):
    made = r4_to_r5({"resourceType": kind, "status": status, **common})
    print(f"{kind}:", *sorted(one for one in made if one.startswith(("effective", "medic", "occ"))))
    for edition, package in (("R4", "fhir.resources.R4B"), ("R5", "fhir.resources")):
        print(f"  valid in {edition}", is_valid(package, made))
END
diff seen now
cat now
