#!/bin/sh
# HealthChain's model of the order-sign context makes up an encounter when the client names none.
#
# encounterId is optional in the hook. HealthChain fills a missing one with a random number,
# another on each reading, so that code behind it cannot tell an outpatient order without an
# encounter from one in encounter 883. Its model of patient-view leaves the same field empty.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check healthchain==0.16.1

cat >seen <<'END'
healthchain 0.16.1
patient-view: None
order-sign: a number each time: True
order-sign: not the same each time: True
END

venv/bin/python - >now <<'END'
from importlib.metadata import version

from healthchain.models.hooks.ordersign import OrderSignContext
from healthchain.models.hooks.patientview import PatientViewContext

print("healthchain", version("healthchain"))
WHO = {"userId": "Practitioner/1", "patientId": "42"}
ORDERS = {"draftOrders": {"resourceType": "Bundle", "type": "collection", "entry": []}}
print("patient-view:", PatientViewContext.model_validate(WHO).encounterId)
made = {OrderSignContext.model_validate({**WHO, **ORDERS}).encounterId for _ in range(50)}
print("order-sign: a number each time:", all(one.isdecimal() for one in made))
print("order-sign: not the same each time:", len(made) > 1)
END

cat now
if diff seen now; then
    echo 'As written down.'
else
    echo 'No longer as written down: < was seen then, > is seen now.' >&2
    exit 1
fi
