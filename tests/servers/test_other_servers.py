"""A second server that no one here wrote, and one that lies."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from fhir_server_stub import FhirStub
from played import Json, Story
from room import room_for_all
from told import (
    DEFICIENT,
    R4_STORIES,
    account,
    cards,
    prefetched_cards,
    put,
    read_from,
    remove,
    renamed,
    suggested_drugs,
)

#: Children who are always there: deficient, severe, well, and one with an order.
WARD = (DEFICIENT, "b12-below-100", "adequate-level-silent", "order-sign-milligrams-for-micrograms")

NOTE = re.compile(r" ?\d+ records? of another patient (?:was|were) left out\.")
#: A line of which nothing is left but how it begins.
ALONE = re.compile(r"- \*\*[^*]+\*\*:")


@pytest.fixture(scope="module")
def ward(medplum: str) -> str:
    """Medplum with the ward in it."""
    for name in WARD:
        put(medplum, Story(name).resources)
    return medplum


@pytest.mark.needs_environment("CDS_TEST_SERVERS")
@pytest.mark.parametrize("name", R4_STORIES)
def test_a_story_read_from_medplum_gets_the_cards_of_its_prefetch(
    ward: str, name: str, record_property: Callable[[str, object], None]
) -> None:
    story = Story(name)
    put(ward, story.resources)
    answer = read_from(ward, story)
    if name not in WARD:
        remove(ward, story.resources)  # it looks at every resource it has for every search
    assert answer.status_code == 200, answer.text
    assert cards(answer) == prefetched_cards(story)
    record_property("counted", "stories read from Medplum's router, same cards as from prefetch")


@pytest.mark.needs_environment("CDS_TEST_SERVERS")
def test_a_patient_medplum_never_had_is_said_to_be_missing(medplum: str) -> None:
    answer = read_from(medplum, renamed(DEFICIENT, "never-there"))
    assert answer.status_code == 412
    assert "404" in answer.text


@pytest.mark.sampled(40)
@pytest.mark.parametrize("name", R4_STORIES)
def test_a_server_that_sends_the_whole_ward_lends_no_child_anothers_result(name: str) -> None:
    story = Story(name)
    ward = [Story(other) for other in WARD if other != name]
    everybody = [one for child in [*ward, story] for one in child.resources]
    # The words about other patients' records would push others off a card.
    with FhirStub(everybody, ignores_searches=True) as lying, room_for_all():
        answer, prefetched = read_from(lying.url, story), story.post()
    assert answer.status_code == 200, answer.text
    if any(one["resourceType"] == "Observation" for one in story.resources):
        # It sends what no server is asked for as well.
        assert without_the_note(cards(answer)) == without_the_note(cards(prefetched))
    elif story.request["hook"] != "patient-view":  # nothing else of the orders
        shown, usual = answer.json["cards"], prefetched.json["cards"]
        assert [one["source"] for one in shown] == [one["source"] for one in usual]
    else:  # only other children's results came, so whether there is one of this child is unknown
        assert "vitamin B12 results not available" in answer.json["cards"][0]["summary"]
        assert suggested_drugs(answer) == []
    assert account(answer)["otherPatientsRecordsIgnored"] >= 3


def without_the_note(found: list[Json]) -> list[Json]:
    """The cards without the words that records of another patient were left out."""
    return [card | {"detail": list(_other_lines(card["detail"]))} for card in found]


def _other_lines(detail: list[str]) -> Iterator[str]:
    for line in detail:
        other = NOTE.sub("", line)
        if other and not (other != line and ALONE.fullmatch(other)):
            yield other
