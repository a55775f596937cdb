"""Against HAPI FHIR as users run it: every story read from there, and what goes wrong between."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from checker import problems_in_response
from click.testing import CliRunner
from played import STORIES, UNASKED, Story, client_of, service_of, without_unasked
from proxy import Proxy
from started import Servers
from told import (
    DEFICIENT,
    R4_STORIES,
    account,
    b12_result,
    cards,
    prefetched_cards,
    put,
    read_from,
    remove,
    renamed,
    suggested_drugs,
)

from cds_service.__main__ import main
from cds_service.consultation.cards import IF_NONE_EXIST
from cds_service.workbench import samples

pytestmark = pytest.mark.needs_environment("CDS_TEST_HAPI")


def test_a_page_that_plays_an_ehr_may_read_it(hapi: str) -> None:
    """As the public sandbox does, from a page of another origin; docs/sandbox.md promises it."""
    origin = "https://sandbox.cds-hooks.org"
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Private-Network": "true",
    }
    asked = requests.options(f"{hapi}/Patient/any", headers=headers, timeout=60)
    assert asked.headers["Access-Control-Allow-Origin"] == origin
    assert asked.headers["Access-Control-Allow-Private-Network"] == "true"
    got = requests.get(f"{hapi}/metadata", headers={"Origin": origin}, timeout=60)
    assert got.headers["Access-Control-Allow-Origin"] == origin


@cache
def held(hapi: str, name: str) -> Story:
    story = Story(name)
    put(hapi, story.resources)
    return story


@pytest.mark.parametrize("name", R4_STORIES)
def test_a_story_read_from_hapi_gets_the_cards_of_its_prefetch(
    hapi: str, name: str, record_property: Callable[[str, object], None]
) -> None:
    story = held(hapi, name)
    answer = read_from(hapi, story)
    assert answer.status_code == 200, answer.text
    assert cards(answer) == prefetched_cards(story)
    assert problems_in_response(answer.json, story.patient_id) == []
    prefetched = account(story.post(prefetch=without_unasked(story)))
    assert account(answer)["outcome"] == prefetched["outcome"]
    assert account(answer)["ruleIds"] == prefetched["ruleIds"]
    record_property("counted", "stories read from HAPI FHIR, same cards as from prefetch")


@pytest.mark.parametrize("key", ["patient", "b12", "conditions"])
def test_what_alone_was_not_prefetched_is_read_from_hapi(hapi: str, key: str) -> None:
    story = held(hapi, DEFICIENT)
    assert key in story.request["prefetch"]
    answer = story.post(key, fhirServer=hapi)
    assert cards(answer) == prefetched_cards(story)


def test_many_children_at_once_are_not_mixed_up(hapi: str) -> None:
    names = R4_STORIES[::16]
    stories = [held(hapi, name) for name in names]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda story: read_from(hapi, story), stories))
    for story, answer in zip(stories, answers, strict=True):
        assert cards(answer) == prefetched_cards(story), story.name


# --- the sample infants as a user loads them -----------------------------------------------------


@pytest.mark.needs_environment("CDS_TEST_SERVERS")
def test_infants_loaded_by_command_are_answered_today_as_from_prefetch(
    hapi: str, tmp_path: Path
) -> None:
    today = date(2026, 9, 1)
    for number, name in enumerate([one for one in R4_STORIES if one not in UNASKED][::12]):
        for file in (STORIES / name).iterdir():
            own = file.read_text(encoding="utf-8").replace(name, f"loaded-{number}")
            target = tmp_path / f"loaded-{number}" / file.name
            target.parent.mkdir(exist_ok=True)
            target.write_text(own, encoding="utf-8")
    command = ["samples", "load", "--fhir", hapi, "--samples", str(tmp_path), "--as-of"]

    def run(*more: str) -> str:
        result = CliRunner().invoke(main, [*command, today.isoformat(), *more])
        assert result.exit_code == 0, result.output
        return result.output

    first, second = run(), run()
    created = re.search(r"(\d+) resources created, 0 updated", first)
    assert created
    assert f"0 resources created, {created[1]} updated" in second
    told = [samples.shifted(one, today) for one in samples.stories(tmp_path).values()]
    requests = [one.request for one in told if one is not None]
    assert len(requests) >= 15
    client = client_of(as_of=today)
    for request in requests:
        path = f"/cds-services/{service_of(request['hook']).id}"
        prefetched = client.post(path, json=request)
        read = client.post(path, json={**request, "fhirServer": hapi, "prefetch": {}})
        assert cards(read) == cards(prefetched)
    deleted = re.search(r"(\d+) resources deleted", run("--delete"))
    assert deleted
    assert int(deleted[1]) >= int(created[1])
    gone = client.post(path, json={**request, "fhirServer": hapi, "prefetch": {}})
    assert gone.status_code == 412


# --- what is accepted ----------------------------------------------------------------------------


def test_what_is_accepted_twice_is_filed_once(hapi: str) -> None:
    """As docs/ehr.md asks clients to file it: one transaction, sent again after a lost answer."""
    story = renamed(DEFICIENT, "filed-once")
    put(hapi, story.resources)
    answer = read_from(hapi, story)
    accepted = [
        action
        for card in answer.json["cards"]
        for suggestion in card.get("suggestions", ())
        if suggestion["isRecommended"]
        for action in suggestion["actions"]
        if action["type"] == "create"
    ]
    assert len(accepted) > 3
    bundle = {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                "request": {
                    "method": "POST",
                    "url": action["resource"]["resourceType"],
                    "ifNoneExist": action["extension"][IF_NONE_EXIST],
                },
                "resource": action["resource"],
            }
            for action in accepted
        ],
    }
    headers = {"Content-Type": "application/fhir+json"}

    def filed() -> list[tuple[str, str]]:
        reply = requests.post(hapi, json=bundle, headers=headers, timeout=60)
        assert reply.status_code == 200, reply.text
        told = [entry["response"] for entry in reply.json()["entry"]]
        return [(one["status"][:3], one["location"].partition("/_history")[0]) for one in told]

    first, second = filed(), filed()
    assert {status for status, _ in first} == {"201"}
    assert {status for status, _ in second} == {"200"}
    assert [place for _, place in second] == [place for _, place in first]


# --- what a server does with its records ---------------------------------------------------------


def test_a_result_written_a_moment_ago_counts(hapi: str) -> None:
    story = renamed(DEFICIENT, "read-after-write")
    put(hapi, story.resources)
    before = read_from(hapi, story)
    assert "142 pg/mL" in before.json["cards"][0]["summary"]
    put(hapi, [b12_result(story, "new", 88)])
    after = read_from(hapi, story)
    assert "88 pg/mL" in after.json["cards"][0]["summary"]
    assert after.json["cards"][0]["indicator"] != "info"


def test_a_result_deleted_a_moment_ago_counts_no_more(hapi: str) -> None:
    story = renamed(DEFICIENT, "read-after-delete")
    later = b12_result(story, "wrong", 88)
    put(hapi, [*story.resources, later])
    assert "88 pg/mL" in read_from(hapi, story).json["cards"][0]["summary"]
    remove(hapi, [later])
    assert "142 pg/mL" in read_from(hapi, story).json["cards"][0]["summary"]


def test_a_patient_the_server_never_had_is_said_to_be_missing(hapi: str) -> None:
    answer = read_from(hapi, renamed(DEFICIENT, "never-there"))
    assert answer.status_code == 412
    assert answer.json["resourceType"] == "OperationOutcome"
    assert "404" in answer.text


def test_a_deleted_patient_is_said_to_be_missing(hapi: str) -> None:
    story = renamed(DEFICIENT, "deleted-child")
    put(hapi, story.resources)
    remove(hapi, story.resources)
    answer = read_from(hapi, story)
    assert answer.status_code == 412
    assert "410" in answer.text


def short_pages(path: str) -> str:
    return path.replace("_count=200", "_count=2")


def test_every_page_is_read(hapi: str) -> None:
    story = renamed(DEFICIENT, "many-pages")
    results = [b12_result(story, f"earlier-{day}", 300 + day, -60 + day) for day in range(15)]
    put(hapi, [*story.resources, *results, b12_result(story, "newest", 77)])
    with Proxy(hapi, rewrite=short_pages) as proxy:
        answer = read_from(proxy.base, story)
    pages = [path for path in proxy.asked if "_getpages" in path]
    assert len(pages) >= 8
    assert cards(answer) == cards(read_from(hapi, story))
    assert "77 pg/mL" in answer.json["cards"][0]["summary"]


def test_more_pages_than_are_read_are_named_as_incomplete(hapi: str) -> None:
    story = renamed(DEFICIENT, "too-many-pages")
    results = [b12_result(story, f"earlier-{day}", 300 + day, -60 + day) for day in range(25)]
    put(hapi, [*story.resources, *results])
    with Proxy(hapi, rewrite=short_pages) as proxy:
        answer = read_from(proxy.base, story)
    assert "b12: possibly incomplete" in account(answer)["missing"]
    assert account(answer)["outcome"] != "nothing to say"


def test_a_next_page_at_another_address_is_not_followed(hapi: str) -> None:
    # A HAPI that does not know the address its clients use writes links to its own.
    story = renamed(DEFICIENT, "elsewhere")
    results = [b12_result(story, f"earlier-{day}", 300 + day, -60 + day) for day in range(5)]
    put(hapi, [*story.resources, *results])
    with Proxy(hapi, rewrite=short_pages, own_host=False) as proxy:
        answer = read_from(proxy.base, story)
    assert not [path for path in proxy.asked if "_getpages" in path]
    assert "b12: possibly incomplete" in account(answer)["missing"]
    assert account(answer)["outcome"] != "nothing to say"


def test_ten_thousand_pages_are_not_asked_of_it(hapi: str) -> None:
    with Proxy(hapi, rewrite=lambda path: path.partition("?")[0] + "?_count=1") as proxy:
        held(hapi, DEFICIENT)
        read_from(proxy.base, held(hapi, DEFICIENT))
    assert len(proxy.asked) < 250


# --- what comes between ----------------------------------------------------------------------


def authorization(token: str, story: Story) -> dict[str, Any]:
    return {
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "patient/*.read",
        "subject": "b12",
        "patient": story.patient_id,
    }


def test_a_token_opens_the_way_through_a_gateway(hapi: str) -> None:
    story = held(hapi, DEFICIENT)
    with Proxy(hapi, token="open-sesame") as proxy:
        answer = read_from(proxy.base, story, fhirAuthorization=authorization("open-sesame", story))
    assert cards(answer) == prefetched_cards(story)


@pytest.mark.parametrize("token", [None, "expired-and-secret"])
def test_a_gateway_that_refuses_is_named_and_no_token_is_shown(
    hapi: str, token: str | None, capfd: pytest.CaptureFixture[str]
) -> None:
    story = held(hapi, DEFICIENT)
    more = {"fhirAuthorization": authorization(token, story)} if token else {}
    with Proxy(hapi, token="open-sesame") as proxy:
        answer = read_from(proxy.base, story, **more)
        partly = story.post("b12", fhirServer=proxy.base, **more)
    assert answer.status_code == 412
    assert "401" in answer.text
    assert partly.status_code == 200
    assert any("401" in one for one in account(partly)["missing"])
    assert suggested_drugs(partly) == []
    said = answer.text + partly.text + "".join(capfd.readouterr())
    assert "<html>" not in said
    assert "expired-and-secret" not in said


@pytest.mark.parametrize("key", ["b12", "conditions"])
def test_a_slow_server_leaves_unknown_what_it_did_not_say_in_time(hapi: str, key: str) -> None:
    story = held(hapi, DEFICIENT)
    kept = {name: value for name, value in story.request["prefetch"].items() if name != key}
    sent = {**story.request, "prefetch": kept}
    with Proxy(hapi, delay_s=1.0) as proxy:
        client = story.client(fhir_deadline=0.2)
        answer = client.post(story.path, json={**sent, "fhirServer": proxy.base})
    assert answer.status_code == 200
    assert f"{key}: no answer within 200 ms" in account(answer)["missing"]
    assert account(answer)["outcome"] != "nothing to say"
    if key == "b12":
        assert suggested_drugs(answer) == []


@pytest.mark.parametrize("size", [0, 1, 300])
def test_an_answer_that_breaks_off_is_unknown(hapi: str, size: int) -> None:
    story = held(hapi, DEFICIENT)
    with Proxy(hapi, cut_after=size) as proxy:
        answer = story.post("b12", fhirServer=proxy.base)
    assert answer.status_code == 200
    assert any(one.startswith("b12: ") for one in account(answer)["missing"])
    assert suggested_drugs(answer) == []


@pytest.mark.needs_environment("CDS_TEST_SERVERS")
def test_a_hapi_stopped_in_the_middle_of_a_call_is_unknown_not_empty(servers: Servers) -> None:
    story = Story(DEFICIENT)
    with servers.hapi() as own:
        put(own.base, story.resources)
        whole = read_from(own.base, story)
        assert cards(whole) == prefetched_cards(story)

        def stop(number: int) -> None:
            if number == 2:
                own.process.kill()
                own.process.wait()

        with Proxy(own.base, before=stop) as proxy:
            answer = story.post("b12", "conditions", "labs", fhirServer=proxy.base)
        assert len(proxy.asked) >= 2
        gone = read_from(own.base, story)
    assert answer.status_code == 200
    assert account(answer)["missing"]
    assert account(answer)["outcome"] != "nothing to say"
    assert problems_in_response(answer.json, story.patient_id) == []
    assert gone.status_code == 412
    assert "could not be reached" in gone.text


# --- a server that lies --------------------------------------------------------------------------


def test_a_server_that_forgets_all_parameters_never_lends_a_child_anothers_result(
    hapi: str,
) -> None:
    # Everyone's records come: hundreds of results of other children, some of them alarming.
    for name in R4_STORIES[:60]:
        held(hapi, name)
    story = held(hapi, "vegan-mother-no-level")
    with Proxy(hapi, rewrite=lambda path: _forgetful(path)) as proxy:
        answer = read_from(proxy.base, story)
    assert answer.status_code == 200
    assert account(answer)["otherPatientsRecordsIgnored"] > 50
    assert suggested_drugs(answer) == []
    others = {name for name in R4_STORIES if name != story.name}
    assert not {name for name in others if f"/{name}-" in answer.text}


def _forgetful(path: str) -> str:
    parts = urlsplit(path)
    return path if "_getpages" in path else f"{parts.path}?_count=50" if parts.query else path


def test_the_exported_guideline_is_loaded_into_hapi(
    hapi: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Every artefact is accepted, and comes back as it was sent; what lists them all comes last,
    since a server may look for what it refers to."""
    done = CliRunner().invoke(main, ["export", "--form", "cpg", "--to", str(tmp_path / "cpg")])
    assert done.exit_code == 0, done.output
    artefacts = [json.loads(file.read_bytes()) for file in sorted(tmp_path.rglob("*.json"))]
    artefacts.sort(key=lambda one: one["resourceType"] == "ImplementationGuide")
    assert len(artefacts) > 100
    for one in artefacts:
        address = f"{hapi}/{one['resourceType']}/{one['id']}"
        sent = requests.put(address, json=one, timeout=120)
        assert sent.status_code in (200, 201), f"{address}: {sent.text}"
        got = requests.get(address, timeout=120).json()
        assert {name: value for name, value in got.items() if name not in ("meta", "text")} == one
    record_property("counted", ("exported artefacts that HAPI FHIR gave back", len(artefacts)))
