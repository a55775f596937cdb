"""A clinic exported from HAPI FHIR: asked for, broken off, gone on with, brought up to date."""

from __future__ import annotations

import time
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from clinics import answers, ran, rows
from played import Story, client_of
from told import DEFICIENT, put, renamed

from cds_service.fhir.bulk import TYPES, BulkServer

pytestmark = pytest.mark.needs_environment("CDS_TEST_HAPI")

ON = date(2026, 6, 1)
#: With results, problems, orders in force and doses given.
CLINIC = (DEFICIENT, "borderline-no-metabolites", "active-cyanocobalamin-injection-in-cobalamin-c")
PATIENCE_S = 400.0


class Off(Exception):
    """In place of whatever ends a run."""


class Waits:
    """Asks again after a second, where HAPI says two minutes: its jobs go a step on each time here,
    once a minute elsewhere."""

    def __init__(self, off: bool = False) -> None:
        self.asked: list[float] = []
        self._off, self._until = off, time.monotonic() + PATIENCE_S

    def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)
        assert time.monotonic() < self._until, "the job takes too long"
        if self._off:
            raise Off
        time.sleep(1)


def from_there(hapi: str, story: Story) -> list[Any]:
    """The cards of the child as read from the server by a call."""
    request = {**story.request, "hook": "patient-view", "fhirServer": hapi, "prefetch": {}}
    context = {"userId": "Practitioner/nobody", "patientId": story.patient_id}
    answer = client_of(as_of=ON).post(
        "/cds-services/b12-under-two-patient-view", json={**request, "context": context}
    )
    assert answer.status_code == 200, answer.text
    return said(answer.json["cards"])


def said(cards: list[Any]) -> list[Any]:
    return [(one["indicator"], one["summary"], one.get("detail")) for one in cards]


def test_a_clinic_exported_from_hapi_is_answered_as_read_from_it(hapi: str, tmp_path: Path) -> None:
    stories = [renamed(name, "bulk") for name in CLINIC]
    drug = {
        "resourceType": "Medication",
        "id": f"{stories[1].patient_id}-drug",
        "code": {"text": "cyanocobalamin"},
    }
    order = {
        "resourceType": "MedicationRequest",
        "id": f"{stories[1].patient_id}-order",
        "status": "active",
        "intent": "order",
        "subject": {"reference": f"Patient/{stories[1].patient_id}"},
        "medicationReference": {"reference": f"Medication/{drug['id']}"},
        "authoredOn": "2026-05-01",
    }
    for story in stories:
        put(hapi, story.resources)
    put(hapi, [drug, order])
    folder = tmp_path / "kept"

    with pytest.raises(Off):
        BulkServer(hapi, wait=Waits(off=True)).export(folder)
    waits = Waits()
    state = BulkServer(hapi, wait=waits).export(folder)
    assert len(state.exports) == 1, "a second job was begun"
    assert {*waits.asked} <= {120.0}
    manifest = state.exports[0].manifest
    assert manifest is not None
    assert "Medication" in {one.type for one in manifest.output}
    assert compared(hapi, folder, tmp_path / "first", stories) == []

    changed = stories[0]
    level = next(one for one in changed.resources if "2132-9" in str(one.get("code")))
    level["valueQuantity"]["value"] = 900
    new = renamed(DEFICIENT, "bulk")
    put(hapi, [level, *new.resources])
    state = BulkServer(hapi, wait=Waits()).export(folder)
    assert state.exports[1].since == manifest.transaction_time
    came = [one.read_text("utf-8") for one in (folder / "export-0002").iterdir()]
    assert new.patient_id in "".join(came)
    assert stories[1].patient_id not in "".join(came), "what did not change came again"
    assert compared(hapi, folder, tmp_path / "second", [*stories, new]) == []


def test_of_a_group_in_hapi_who_left_it_and_who_was_not_in_it_has_no_row(
    hapi: str, tmp_path: Path
) -> None:
    """HAPI exports every member, whether inactive or of another time."""
    stories = [renamed(DEFICIENT, "group") for _ in range(4)]
    for story in stories:
        put(hapi, story.resources)
    now, inactive, ended, _ = [
        {"entity": {"reference": f"Patient/{one.patient_id}"}} for one in stories
    ]
    inactive["inactive"] = True
    ended["period"] = {"start": "2025-01-01", "end": "2026-05-31"}
    name = f"{stories[0].patient_id}-group"
    members = [now, inactive, ended]
    put(
        hapi,
        [
            {
                "resourceType": "Group",
                "id": name,
                "type": "person",
                "actual": True,
                "member": members,
            }
        ],
    )
    server, folder = BulkServer(hapi, wait=Waits()), tmp_path / "kept"
    state = server.export(folder, group=name)
    assert [one.path for one in state.exports] == [f"Group/{name}/$export", "$export"]
    came = "".join(one.read_text("utf-8") for one in (folder / "export-0001").iterdir())
    there = [one.patient_id in came for one in stories]
    assert there == [True, True, True, False], "which members HAPI exports"
    found = server.members(name, ON)
    assert (found.children, found.left) == ({stories[0].patient_id}, 2)
    done = ran(folder, tmp_path / "out", exported=frozenset(TYPES), children=found.children)
    assert list(answers(done)) == [stories[0].patient_id]
    assert done.source.nobody["Patient: its child is not of the group"] == 2


def compared(hapi: str, folder: Path, out: Path, stories: list[Story]) -> list[str]:
    """Whose cards are not those of a call that reads the same server."""
    done = ran(folder, out, exported=frozenset(TYPES))
    assert done.job.on == ON
    assert not done.source.troubles or all(
        story.patient_id not in one.what for one in done.source.troubles for story in stories
    )
    found, known = answers(done), rows(done)
    assert known[stories[1].patient_id]["treatment"] != "none"
    return [
        story.patient_id
        for story in stories
        if said(found[story.patient_id]["cards"]) != from_there(hapi, story)
    ]
