"""A sample infant and the service that is called about it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.consultation import Service, load_services
from cds_service.settings import Settings

STORIES = Path(__file__).parents[2] / "fhir_samples" / "b12_under_two"
PATIENCE_S = 60.0

#: A client may prefetch more than it was asked for: another child's result, a code not asked for.
#: A FHIR server that is asked for what is needed never sends them.
UNASKED = {
    "twin-result-in-the-bundle": "Patient/twin-result-in-the-bundle-twin",
    "whole-blood-code-ignored": "16695-9",
}

Json = dict[str, Any]


def strings_in(value: Any) -> Iterator[str]:
    """Every text in a JSON value, however deep; not the names of members."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from strings_in(inner)
    elif isinstance(value, str):
        yield value


@cache
def services() -> tuple[Service, ...]:
    return load_services()


@cache
def _app(settings: Settings) -> Flask:
    return create_app(settings, services())


def service_of(hook: str) -> Service:
    (found,) = [service for service in services() if service.hook == hook]
    return found


def client_of(**settings: Any) -> FlaskClient:
    """The service in the demo, which may read loopback, unless ``settings`` say otherwise."""
    # A slow shared machine must not decide what arrives; the default is tested for itself.
    chosen = {"demo": True, "fhir_deadline": PATIENCE_S, **settings}
    return _app(Settings(**chosen)).test_client()


class Story:
    """A sample infant, ready to be called about."""

    def __init__(self, name: str) -> None:
        read = {
            part: json.loads((STORIES / name / f"{part}.json").read_text(encoding="utf-8"))
            for part in ("patient", "request", "expected")
        }
        self.name = name
        self.request: Json = read["request"]
        self.expected: Json = read["expected"]
        self.on = date.fromisoformat(self.expected["asOf"])
        self.patient_id: str = self.request["context"]["patientId"]
        self.resources: list[Json] = [entry["resource"] for entry in read["patient"]["entry"]]

    @property
    def path(self) -> str:
        return f"/cds-services/{service_of(self.request['hook']).id}"

    def client(self, **settings: Any) -> FlaskClient:
        return client_of(**{"as_of": self.on, **settings})

    def post(self, *without: str, **changes: Any) -> Any:
        """The answer to the story's request with members changed and prefetch keys left out."""
        sent = {**self.request, **changes}
        if without:
            prefetch = sent["prefetch"]
            sent["prefetch"] = {key: prefetch[key] for key in prefetch if key not in without}
        return self.client().post(self.path, json=sent)

    def answer(self) -> Any:
        """The answer to the story's own request, asked for once in a process: to be read only."""
        return _answer_to(self.name)

    def with_prefetch(self, **changes: Any) -> Any:
        """The answer with other values under these prefetch keys."""
        return self.post(prefetch={**self.request["prefetch"], **changes})

    def listed_client(self, server: str) -> FlaskClient:
        """The service outside the demo, allowed to read this one server."""
        return self.client(demo=False, as_of=None, fhir_servers=frozenset({server}))


@cache
def _answer_to(name: str) -> Any:
    return Story(name).post()


def without_unasked(story: Story) -> Json:
    """The story's prefetch without what was not asked for."""
    marker = UNASKED.get(story.name)
    if marker is None:
        prefetch: Json = story.request["prefetch"]
        return prefetch
    kept = {}
    for key, value in story.request["prefetch"].items():
        if value and marker in json.dumps(value):
            entries = [one for one in value["entry"] if marker not in json.dumps(one)]
            assert len(entries) == len(value["entry"]) - 1
            value = {**value, "entry": entries, "total": len(entries)}
        kept[key] = value
    assert kept != story.request["prefetch"]
    return kept
