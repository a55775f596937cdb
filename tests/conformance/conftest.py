"""The service as a client meets it: real services, real stories, a FHIR server of our own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from fhir_server_stub import FhirStub
from flask.testing import FlaskClient
from played import Story, services

from cds_service.app import create_app
from cds_service.settings import Settings

#: A story with a main card, suggestions with orders, and notes: the response has all its parts.
FULL_STORY = "b12-below-100"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "requirement(*ids): the entries of requirements.toml that the test holds"
    )


@pytest.fixture
def story() -> Story:
    return Story(FULL_STORY)


@pytest.fixture
def client() -> FlaskClient:
    """The service with its default settings."""
    return create_app(Settings(), services()).test_client()


@pytest.fixture
def fhir(story: Story) -> Iterator[FhirStub]:
    """A FHIR server on loopback that holds the story's record."""
    with FhirStub(story.resources) as stub:
        yield stub


@pytest.fixture
def load_story() -> Callable[[str], Story]:
    return Story
