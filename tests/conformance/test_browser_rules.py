"""Use from a browser: preflight and the headers of cross-origin resource sharing."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from played import Story, services

from cds_service.app import create_app
from cds_service.settings import Settings

ORIGIN = "https://sandbox.cds-hooks.org"
PAGES = ["/cds-services", "/cds-services/{id}", "/cds-services/{id}/feedback"]
ANSWERS = {
    200: ("GET", "/cds-services", None),
    400: ("POST", "/cds-services/{id}", {}),
    404: ("POST", "/cds-services/other", {}),
    405: ("PUT", "/cds-services/{id}", {}),
    412: ("POST", "/cds-services/{id}", "without prefetch"),
}


def preflight(client: FlaskClient, path: str, **more: str) -> Any:
    headers = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "GET" if path == "/cds-services" else "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
        **{name.replace("_", "-"): value for name, value in more.items()},
    }
    return client.options(path, headers=headers)


def listed() -> FlaskClient:
    settings = Settings(allowed_origins=(ORIGIN, "http://localhost:8080"))
    return create_app(settings, services()).test_client()


@pytest.mark.requirement("CH-130", "CH-131", "CH-132", "CH-134")
@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("spelling", ["{}", "{}/", "/{}"])
def test_a_preflight_is_answered(client: FlaskClient, page: str, spelling: str) -> None:
    path = spelling.format(page.format(id=services()[0].id))
    answer = client.options("/", environ_overrides={"PATH_INFO": path}, headers={"Origin": ORIGIN})
    assert answer.status_code == 204
    answer = preflight(client, page.format(id=services()[0].id))
    assert (answer.status_code, answer.data) == (204, b"")
    headers = answer.headers
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert headers["Access-Control-Allow-Methods"].split(", ") == ["GET", "POST", "OPTIONS"]
    named = headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert {"authorization", "content-type", "accept"} == set(named)
    assert int(headers["Access-Control-Max-Age"]) > 0
    assert "Access-Control-Allow-Credentials" not in headers


@pytest.mark.requirement("CH-132")
def test_a_listed_origin_is_named_and_no_other() -> None:
    for page in PAGES:
        path = page.format(id=services()[0].id)
        answer = preflight(listed(), path)
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert "Origin" in answer.headers["Vary"]
        other = preflight(listed(), path, Origin="https://elsewhere.example")
        assert "Access-Control-Allow-Origin" not in other.headers
        assert "Origin" in other.headers["Vary"]


@pytest.mark.requirement("CH-133", "CH-134")
@pytest.mark.parametrize("status", sorted(ANSWERS))
@pytest.mark.parametrize("any_origin", [True, False])
def test_a_page_may_read_every_answer(
    client: FlaskClient, story: Story, status: int, any_origin: bool
) -> None:
    method, page, sent = ANSWERS[status]
    if sent == "without prefetch":
        sent = {**story.request, "prefetch": {}}
    answer = (client if any_origin else listed()).open(
        page.format(id=services()[0].id), method=method, json=sent, headers={"Origin": ORIGIN}
    )
    assert answer.status_code == status
    allowed = answer.headers.getlist("Access-Control-Allow-Origin")
    assert allowed == ["*" if any_origin else ORIGIN]
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.requirement("CH-135")
def test_private_networks_are_opened_only_in_the_demo_and_to_allowed_origins() -> None:
    name = "Access-Control-Allow-Private-Network"
    asks = {"Access_Control_Request_Private_Network": "true"}

    def granted(origin: str, *, demo: bool) -> bool:
        settings = Settings(demo=demo, allowed_origins=(ORIGIN,))
        client = create_app(settings, services()).test_client()
        return name in preflight(client, "/cds-services", Origin=origin, **asks).headers

    assert granted(ORIGIN, demo=True)
    assert not granted(ORIGIN, demo=False)
    assert not granted("https://elsewhere.example", demo=True)
