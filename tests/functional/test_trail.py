"""The trail as FHIR: everything is in it once, nothing of a patient, and every line is valid."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fhir.resources.R4B import get_fhir_model_class
from trail_of_a_day import CALLS, CARD, FEEDBACK, export, exported, play

from cds_service.__main__ import main
from cds_service.store.audit import Pseudonyms

Json = dict[str, Any]
#: The calls that someone got an answer to.
ANSWERED = [kind for kind in CALLS if kind != "challenger"]


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return exported(tmp_path_factory.mktemp("trail"))


@pytest.fixture(scope="module")
def resources(lines: list[str]) -> list[Json]:
    return [json.loads(line) for line in lines]


def of_type(resources: list[Json], name: str) -> list[Json]:
    """Without the events on the trail itself."""
    return [one for one in resources if one["resourceType"] == name and not is_head(one)]


def is_head(resource: Json) -> bool:
    return [one["code"] for one in resource.get("subtype", ())] == ["head"]


def by_call(resources: list[Json], name: str) -> dict[str, Json]:
    """The resources of a type by the name of their call."""
    order = [one["id"] for one in of_type(resources, "AuditEvent")]
    found = {one["id"]: one for one in of_type(resources, name)}
    return {kind: found[id_] for kind, id_ in zip(ANSWERED, order, strict=True) if id_ in found}


def by_item(resources: list[Json]) -> dict[str, Json]:
    return dict(zip(FEEDBACK, of_type(resources, "Provenance"), strict=True))


def answer(guidance: Json) -> list[tuple[str, Any]]:
    """What a guidance response says besides its cards: names and values."""
    (parameters,) = guidance["contained"]
    return [(one["name"], one.get("valueString")) for one in parameters["parameter"]]


def cards(guidance: Json) -> list[Json]:
    (parameters,) = guidance["contained"]
    return [
        {part["name"]: next(v for k, v in part.items() if k != "name") for part in one["part"]}
        for one in parameters["parameter"]
        if one["name"] == "card"
    ]


def test_every_line_is_a_valid_resource(lines: list[str]) -> None:
    for line in lines:
        model = get_fhir_model_class(json.loads(line)["resourceType"])
        assert model.model_validate_json(line)


def test_every_call_and_every_item_is_in_it_once(resources: list[Json]) -> None:
    counted = Counter(one["resourceType"] for one in resources if not is_head(one))
    assert counted == {
        "AuditEvent": len(ANSWERED),
        "GuidanceResponse": sum(CALLS[kind].evaluation is not None for kind in ANSWERED),
        "Provenance": len(FEEDBACK),
    }
    assert len({(one["resourceType"], one["id"]) for one in resources}) == len(resources)


def test_the_end_says_how_far_the_trail_had_come(tmp_path: Path) -> None:
    lines = exported(tmp_path)
    (head,) = filter(is_head, map(json.loads, lines))
    assert json.loads(lines[-1]) == head
    said = {one["type"]: one["valueString"] for one in head["entity"][0]["detail"]}
    assert said["row"] == str(len(CALLS) + len(FEEDBACK))
    url = f"sqlite:///{tmp_path}/trail.sqlite"
    found = CliRunner(env={"CDS_DATABASE_URL": url}).invoke(
        main, ["audit", "verify", "--head", said["hash"]]
    )
    assert found.exit_code == 0, found.output


def test_every_reference_leads_to_another_line(resources: list[Json]) -> None:
    there = {f"{one['resourceType']}/{one['id']}" for one in resources}
    text = json.dumps(resources)
    named = {part.partition('"')[0] for part in text.split('"reference": "')[1:]} - {"#answer"}
    assert named <= there
    assert len(named) == len(of_type(resources, "GuidanceResponse"))


def test_nothing_of_a_patient_is_in_it(lines: list[str]) -> None:
    assert not [line for line in lines if "SECRET" in line or "comment" in line]


def test_how_a_call_ended_is_told(resources: list[Json]) -> None:
    events = by_call(resources, "AuditEvent")
    assert {kind: event["outcome"] for kind, event in events.items()} == {
        **dict.fromkeys(ANSWERED, "0"),
        "refused": "4",
        "failed": "8",
    }
    assert events["refused"]["outcomeDesc"] == "required"
    assert events["advice"]["recorded"] == "2026-01-15T08:00:00.000Z"
    guidance = by_call(resources, "GuidanceResponse")
    assert {kind: one["status"] for kind, one in guidance.items()} == {
        **dict.fromkeys(guidance, "data-requested"),
        "nothing to say": "success",
        "not evaluated": "data-required",
    }


def test_who_asked_about_whom_is_told_by_pseudonym(resources: list[Json]) -> None:
    event = by_call(resources, "AuditEvent")["advice"]
    client, user = event["agent"]
    assert (client["who"]["display"], client["requestor"]) == ("north", False)
    assert user["requestor"] is True
    patient = event["entity"][0]["what"]["identifier"]["value"]
    assert len(patient) == len(user["who"]["identifier"]["value"]) == 32
    guidance = by_call(resources, "GuidanceResponse")["advice"]
    assert guidance["subject"]["identifier"]["value"] == patient
    nobody = by_call(resources, "AuditEvent")["refused"]
    (only,) = nobody["agent"]
    assert (only["who"]["display"][:8], only["requestor"]) == ("a client", True)


def test_the_cards_are_told_and_whether_they_were_shown(resources: list[Json]) -> None:
    guidance = by_call(resources, "GuidanceResponse")
    first, second = cards(guidance["advice"])
    assert first["identifier"] == {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{CARD}"}
    assert second["identifier"]["value"] == "not-a-uuid"
    assert (first["rule"], first["indicator"], first["shown"]) == ("RTE-07", "warning", True)
    (hidden,) = cards(guidance["suppressed"])
    assert (hidden["shown"], hidden["notShownBecause"]) == (False, "overridden before")
    assert ("missing", "diet") in answer(guidance["advice"])
    assert guidance["advice"]["moduleCanonical"].endswith("/b12-under-two|1.0")


def test_what_was_only_tried_beside_an_answer_leaves_no_trail(lines: list[str]) -> None:
    assert CALLS["challenger"].evaluation
    assert not [line for line in lines if "tried" in line or "challenger" in line]


def test_feedback_is_told_with_its_reasons(resources: list[Json]) -> None:
    items = by_item(resources)
    guidance = by_call(resources, "GuidanceResponse")["advice"]
    target = [{"reference": f"GuidanceResponse/{guidance['id']}"}]
    assert [one["target"] == target for one in items.values()] == [True] * 6 + [False]
    assert items["on a card of no one"]["target"][0]["identifier"]["value"] == "not a UUID"
    assert len(items["accepted"]["entity"]) == 2, "an id that is not a UUID is left out"
    assert items["accepted"]["activity"]["coding"][0]["code"] == "accepted"
    assert items["accepted"]["occurredDateTime"] == "2026-01-15T08:00:00.000Z"
    assert items["accepted"]["recorded"] == "2026-01-15T15:00:00.000Z"
    assert items["with a code"]["reason"][0]["coding"][0]["code"] == "already-treated"
    for kind in ("in words", "with no code at all", "without a reason"):
        assert "reason" not in items[kind], "what the cards did not offer is free text"


def test_exports_of_parts_add_up_to_the_whole(tmp_path: Path, lines: list[str]) -> None:
    url = f"sqlite:///{tmp_path}/trail.sqlite"
    play(url, Pseudonyms())
    whole = export(url)
    assert len(whole) == len(lines)
    noon = "2026-01-15T12:00:00Z"
    morning, evening = export(url, "--until", noon), export(url, "--since", noon)
    *morning, _ = morning  # the head of the trail is in each
    *evening, _ = evening
    assert sorted(morning + evening) == sorted(whole[:-1])
    assert len(morning) == 4 + 3  # of four calls one was refused and has no answer
    of_north = export(url, "--client", "north")
    assert 0 < len(of_north) < len(whole)
    export(url, "--to", f"{tmp_path}/trail.ndjson")
    assert (tmp_path / "trail.ndjson").read_text(encoding="utf-8").splitlines()[:-1] == whole[:-1]


def test_without_a_key_the_trail_knows_nobody_and_is_valid(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/trail.sqlite"
    play(url, Pseudonyms())
    for line in export(url):
        resource = json.loads(line)
        assert get_fhir_model_class(resource["resourceType"]).model_validate_json(line)
        assert "subject" not in resource


@pytest.mark.parametrize("moment", ["yesterday", "2026-13-01", "2026-01-15T09:30:00"])
def test_a_moment_that_cannot_be_meant_is_refused(tmp_path: Path, moment: str) -> None:
    url = f"sqlite:///{tmp_path}/trail.sqlite"
    play(url, Pseudonyms())
    with pytest.raises(AssertionError, match=r"neither a day|needs a zone"):
        export(url, "--since", moment)
