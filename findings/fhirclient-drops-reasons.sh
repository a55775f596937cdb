#!/bin/sh
# fhirclient reads a patient whose birth date is withheld for a reason, and writes a patient
# without a reason.
#
# FHIR JSON keeps what is said of a primitive value in a sibling with an underscore: why a value
# is absent, at what time of the day a child was born, that a text is a translation. fhirclient
# keeps none of it and says nothing, so that a resource read, changed elsewhere and sent back has
# lost it on the server.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check fhirclient==4.4.0

cat >seen <<'END'
fhirclient 4.4.0
{'resourceType': 'Patient'}
{'birthDate': '2025-03-04', 'resourceType': 'Patient'}
{'code': {'text': 'Vitamin B12'}, 'status': 'final', 'resourceType': 'Observation'}
END

venv/bin/python - >now <<'END'
from importlib.metadata import version

from fhirclient.models.observation import Observation
from fhirclient.models.patient import Patient

print("fhirclient", version("fhirclient"))
STANDARD = "http://hl7.org/fhir/StructureDefinition/"
absent = {"extension": [{"url": STANDARD + "data-absent-reason", "valueCode": "masked"}]}
born = {"extension": [{"url": STANDARD + "patient-birthTime", "valueDateTime": "2025-03-04T05:06:00Z"}]}
print(Patient({"resourceType": "Patient", "_birthDate": absent}).as_json())
print(Patient({"resourceType": "Patient", "birthDate": "2025-03-04", "_birthDate": born}).as_json())
result = {"resourceType": "Observation", "status": "final", "code": {"text": "Vitamin B12"}}
print(Observation({**result, "_effectiveDateTime": absent}).as_json())
END

cat now
if diff seen now; then
    echo 'As written down.'
else
    echo 'No longer as written down: < was seen then, > is seen now.' >&2
    exit 1
fi
