"""HealthChain as a peer: a constant rule over plain dicts, in its own environment (see `peers`)."""

import logging
import sys

import uvicorn
from healthchain.gateway import CDSHooksService, HealthChainAPI
from healthchain.models import Card, CDSRequest, CDSResponse
from healthchain.models.responses.cdsresponse import IndicatorEnum, Source

SERVICE = "b12-under-two-patient-view"

service = CDSHooksService()


@service.hook("patient-view", id=SERVICE)
def low_level(request: CDSRequest) -> CDSResponse:
    """A card if a vitamin B12 below 200 pg/mL is among the results."""
    results = (request.prefetch or {}).get("b12") or {}
    low = [
        entry["resource"]["valueQuantity"]["value"]
        for entry in results.get("entry", ())
        if entry["resource"].get("valueQuantity", {}).get("value", 200) < 200
    ]
    if not low:
        return CDSResponse(cards=[])
    card = Card(
        summary=f"Vitamin B12 {low[0]} pg/mL: deficient",
        indicator=IndicatorEnum.warning,
        source=Source(label="a constant rule"),
    )
    return CDSResponse(cards=[card])


if __name__ == "__main__":
    logging.disable(logging.INFO)
    app = HealthChainAPI(enable_events=False)
    app.register_service(service)
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=False, log_level="error")
