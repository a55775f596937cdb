"""What a run says of a child is what the service answers over HTTP about the same resources."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from clinics import ON, STORIES, answers, ran, record_of, scattered
from infants import infants
from sampling import sample_of

from cds_service.app import create_app
from cds_service.settings import Settings

Json = dict[str, Any]
SERVICE = "/cds-services/b12-under-two-patient-view"


class Http:
    """The service, as a client calls it: every call as if it were the run's."""

    def __init__(self, **settings: Any) -> None:
        # The database is left out, and nothing else.
        given = Settings(open=True, demo=True, database_url="", as_of=ON, **settings)
        self._client = create_app(given).test_client()

    def answer(self, child: str, prefetch: Json) -> Json:
        request = {
            "hook": "patient-view",
            "hookInstance": str(uuid5(NAMESPACE_URL, f"case:{child}")),
            "context": {"userId": "Practitioner/nobody", "patientId": child},
            "prefetch": prefetch,
        }
        answered = self._client.post(SERVICE, json=request)
        assert answered.status_code == 200, answered.get_data(as_text=True)
        return told(json.loads(answered.get_data()))


def told(answer: Json) -> Json:
    """An answer without the address of this machine."""
    for card in answer["cards"]:
        links = [one for one in card.get("links", ()) if "/guideline" not in one["url"]]
        card.pop("links", None)
        if links:
            card["links"] = links
    return {"cards": answer["cards"], "extension": answer["extension"]}


def test_every_story_in_one_folder_is_answered_as_over_http(tmp_path: Path) -> None:
    found = answers(ran(STORIES, tmp_path / "out"))
    http, differ = Http(), []
    for story in sorted(STORIES.iterdir()):
        request = json.loads((story / "request.json").read_bytes())
        child = request["context"]["patientId"]
        patient = request["prefetch"].get("patient")
        whole = json.loads((story / "patient.json").read_bytes())
        if patient is None or not same_record(request["prefetch"], whole):
            continue  # the request leaves out some of the record, on purpose
        if told(found[child]) != http.answer(child, request["prefetch"]):
            differ.append(story.name)
    assert not differ
    assert len(found) == len(list(STORIES.iterdir()))


def same_record(prefetch: Json, whole: Json) -> bool:
    """Whether a request has sent all of the record that the service asks for."""
    sent = {}
    for value in prefetch.values():
        for one in [value] if value and "entry" not in value else (value or {}).get("entry", ()):
            resource = one.get("resource", one)
            sent[resource["resourceType"], resource.get("id")] = resource
    asked = {
        (one["resource"]["resourceType"], one["resource"].get("id")): one["resource"]
        for one in whole["entry"]
        if one["resource"]["resourceType"] != "RelatedPerson"
    }
    return sent == asked


def test_a_sites_limits_codes_and_language_hold_as_over_http(tmp_path: Path) -> None:
    """Levels under a local code that its map explains, against a limit of the site's, in German."""
    limits, codes = tmp_path / "limits.toml", tmp_path / "codes.csv"
    limits.write_text('[limits]\nb12_deficient = { below = 290, source = "local: us" }\n')
    codes.write_text("system,code,means\nhttp://lab.example.org,VB12,b12_level\n")
    requests, records = {}, {}
    for number, infant in enumerate(infants(min(sample_of(25), 400), seed=3)):
        child = f"child-{number}"
        request, resources = record_of(infant, child)
        text = json.dumps(request["prefetch"]).replace(*LOCAL)
        requests[child] = json.loads(text)
        records[child] = json.loads(json.dumps(resources).replace(*LOCAL))
    scattered(tmp_path / "in", records)
    changed = {"overrides": str(limits), "code_map": str(codes), "language": "de"}
    found = answers(ran(tmp_path / "in", tmp_path / "out", **changed))
    http = Http(guideline_overrides=limits, code_map=codes, language="de")
    differ = [
        child
        for child, prefetch in requests.items()
        if told(found[child]) != http.answer(child, prefetch)
    ]
    assert not differ
    plain = answers(ran(tmp_path / "in", tmp_path / "plain"))
    assert any(found[child]["cards"] != plain[child]["cards"] for child in found)


#: A level's code, and one of a laboratory's own.
LOCAL = (
    '"system": "http://loinc.org", "code": "2132-9"',
    '"system": "http://lab.example.org", "code": "VB12"',
)


def test_generated_infants_scattered_over_files_are_answered_as_over_http(tmp_path: Path) -> None:
    """Of 10,000 in all, a part."""
    requests, records = {}, {}
    for number, infant in enumerate(infants(min(sample_of(150), 10_000), seed=23)):
        child = f"child-{number}"
        requests[child], records[child] = record_of(infant, child)
    scattered(tmp_path / "in", records)
    done = ran(tmp_path / "in", tmp_path / "out", workers=2, memory=256)
    assert not done.source.troubles
    found = answers(done)
    http = Http()
    differ = [
        child
        for child, request in requests.items()
        if told(found[child]) != http.answer(child, request["prefetch"])
    ]
    assert not differ
    assert {len(found[child]["cards"]) > 0 for child in found} == {True, False}
