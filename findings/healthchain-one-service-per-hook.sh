#!/bin/sh
# Two CDS services on one hook, served with HealthChain: the address of the first answers with the
# second's cards.
#
# CDS Hooks lets a server offer any number of services for one hook; the id in the address says
# which is meant. HealthChain keeps one handler for a hook, the last, without a warning: both
# addresses are open, discovery names only the second, and what is called as "weight" speaks about
# vitamins.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check healthchain==0.16.1 \
    fastapi==0.137.2 \
    httpx==0.27.2

cat >seen <<'END'
healthchain 0.16.1
discovery names ['vitamins']
weight 200 ['about vitamins']
vitamins 200 ['about vitamins']
END

venv/bin/python - >now <<'END'
import logging
import warnings
from importlib.metadata import version

logging.disable(logging.CRITICAL)
warnings.simplefilter("ignore")

from fastapi.testclient import TestClient
from healthchain.gateway import CDSHooksService, HealthChainAPI
from healthchain.models import Card, CDSRequest, CDSResponse

print("healthchain", version("healthchain"))
app, service = HealthChainAPI(), CDSHooksService()


def says(summary):
    return CDSResponse(cards=[Card(summary=summary, indicator="info", source={"label": "Invented"})])


@service.hook("patient-view", id="weight")
def weight(request: CDSRequest) -> CDSResponse:
    return says("about the weight")


@service.hook("patient-view", id="vitamins")
def vitamins(request: CDSRequest) -> CDSResponse:
    return says("about vitamins")


app.register_service(service)
client = TestClient(app)
told = client.get("/cds/cds-discovery").json()["services"]
print("discovery names", [one["id"] for one in told])
CALL = {
    "hook": "patient-view",
    "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
    "context": {"userId": "Practitioner/1", "patientId": "42"},
}
for name in ("weight", "vitamins"):
    answer = client.post(f"/cds/cds-services/{name}", json=CALL)
    print(name, answer.status_code, [card["summary"] for card in answer.json()["cards"]])
END

cat now
if diff seen now; then
    echo 'As written down.'
else
    echo 'No longer as written down: < was seen then, > is seen now.' >&2
    exit 1
fi
