#!/bin/sh
# fhiry makes text of a record for a language model, and leaves out every status: what was refuted
# "was diagnosed", and a result entered in error is a result.
#
# FlattenFhir reads neither verificationStatus nor clinicalStatus, and of an Observation no status
# and no comparator. Of R4 a Procedure's performedDateTime is not read, and where the date is not
# known, the status is not told either: an injection that was not given "was on unknown date". A
# prescription becomes no text at all.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"


python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check fhiry==5.2.2

cat >seen <<'END'
fhiry 5.2.2
Condition, refuted: Vitamin B12 deficiency was diagnosed some years ago.
Condition, confirmed: Vitamin B12 deficiency was diagnosed some years ago.
AllergyIntolerance, refuted: Cyanocobalamin allergy reported.
Observation, entered-in-error: Vitamin B12 of unknown date was Value: 90 pg/mL.
Observation, final, below 150: Vitamin B12 of unknown date was Value: 150 pg/mL.
Procedure, not-done on 2026-01-15: Injection of vitamin B12 was on unknown date.
MedicationRequest, active: (nothing)
END

venv/bin/python - >now <<'END'
import re
import warnings
from importlib.metadata import version

warnings.simplefilter("ignore")
from fhiry import FlattenFhir

print("fhiry", version("fhiry"))


def code(display):
    return {"coding": [{"system": "http://snomed.info/sct", "display": display}]}


def told(what, **resource):
    kind = what.split(",")[0]
    text = FlattenFhir({"resourceType": kind, "id": "1", **resource}).flattened
    text = re.sub(r"\d+ years ago", "some years ago", text.strip())
    print(f"{what}: {text or '(nothing)'}")


def status(system, value):
    base = "http://terminology.hl7.org/CodeSystem/"
    return {"verificationStatus": {"coding": [{"system": base + system, "code": value}]}}


b12 = code("Vitamin B12")
deficiency = code("Vitamin B12 deficiency")
for known in ("refuted", "confirmed"):
    said = status("condition-ver-status", known)
    told(f"Condition, {known}", code=deficiency, onsetDateTime="2020-01-15", **said)
told(
    "AllergyIntolerance, refuted",
    code=code("Cyanocobalamin"),
    **status("allergyintolerance-verification", "refuted"),
)
value = {"value": 90, "unit": "pg/mL"}
told("Observation, entered-in-error", status="entered-in-error", code=b12, valueQuantity=value)
value = {"value": 150, "comparator": "<", "unit": "pg/mL"}
told("Observation, final, below 150", status="final", code=b12, valueQuantity=value)
told(
    "Procedure, not-done on 2026-01-15",
    status="not-done",
    code=code("Injection of vitamin B12"),
    performedDateTime="2026-01-15",
)
told(
    "MedicationRequest, active",
    status="active",
    intent="order",
    medicationCodeableConcept=code("Cyanocobalamin"),
)
END

cat now
if diff seen now; then
    echo 'As written down.'
else
    echo 'No longer as written down: < was seen then, > is seen now.' >&2
    exit 1
fi
