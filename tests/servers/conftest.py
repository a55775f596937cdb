"""Real servers: HAPI FHIR for the whole run, Medplum's router for each worker of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from started import Servers


@pytest.fixture(scope="session")
def servers() -> Servers:
    return Servers(Path(os.environ["CDS_TEST_SERVERS"]))


@pytest.fixture(scope="session")
def hapi() -> str:
    """The base address of the HAPI FHIR that all workers share: each story has ids of its own."""
    return os.environ["CDS_TEST_HAPI"]


@pytest.fixture(scope="session")
def medplum(servers: Servers) -> Iterator[str]:
    with servers.medplum() as running:
        yield running.base
