from __future__ import annotations

import pytest
from each import each

from cds_service.trust.addresses import (
    ApprovedFhirServer,
    BaseAddress,
    Refused,
    approve_fhir_server,
    normal_base_address,
)

LISTED = frozenset({"https://fhir.example.org/r4"})


def approved(url: str, *, demo: bool = False, listed: frozenset[str] = LISTED) -> str | None:
    answer = approve_fhir_server(url, listed=listed, demo=demo)
    return answer.url if isinstance(answer, ApprovedFhirServer) else None


@pytest.mark.parametrize(
    "url",
    [
        "https://fhir.example.org/r4",
        "https://fhir.example.org/r4/",
        "https://fhir.example.org/r4//",
        "HTTPS://FHIR.Example.ORG:443/r4",
        "https://fhir.example.org./r4",
    ],
)
def test_every_spelling_of_a_listed_address_is_called_by_one_spelling(url: str) -> None:
    assert approved(url) == "https://fhir.example.org/r4"


@each(
    "url",
    [
        "",
        "fhir.example.org/r4",
        "//fhir.example.org/r4",
        "http://fhir.example.org/r4",
        "https://fhir.example.org",
        "https://fhir.example.org/R4",
        "https://fhir.example.org/r4x",
        "https://fhir.example.org/r4/tenant",
        "https://fhir.example.org:8443/r4",
        "https://fhir.example.org:99999/r4",
        "https://fhir.example.org:x/r4",
        "https://fhir.example.org.evil.example/r4",
        "https://evil.example/fhir.example.org/r4",
        "https://fhir.example.org@evil.example/r4",
        "https://user:secret@fhir.example.org/r4",
        "https://evil.example\\@fhir.example.org/r4",
        "https://fhir.example.org/r4?x=1",
        "https://fhir.example.org/r4#x",
        "https://fhir.example.org/r4?",
        "https://fhir.example.org/x/../r4",
        "https://fhir.example.org/./r4",
        "https://fhir.example.org//r4",
        "https://fhir.example.org/%72%34",
        "https://fhir.example.org/x%2f..%2fr4",
        "https://fhir.example.org/r4\r\nHost: evil",
        "https://fhir.exa\tmple.org/r4",
        " https://fhir.example.org/r4",
        "ftp://fhir.example.org/r4",
        "file:///etc/passwd",
        "https://[fhir.example.org]/r4",
        "https://127.0.0.1/r4",
        "http://localhost:8080/fhir",
        "http://169.254.169.254/latest",
        "https://fhir.example.org/" + "x" * 500,
    ],
)
def test_any_other_address_is_not_called(url: str) -> None:
    answer = approve_fhir_server(url, listed=LISTED, demo=False)
    assert isinstance(answer, Refused)
    assert not url.strip() or url.strip() not in answer.reason


@pytest.mark.parametrize(
    "url", ["http://localhost:8091/fhir", "http://127.0.0.1/fhir", "http://[::1]:8080/fhir"]
)
def test_the_demo_calls_any_server_on_loopback(url: str) -> None:
    assert approved(url, demo=True) == url
    assert approved(url, demo=False) is None


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1/fhir",
        "http://2130706433/fhir",
        "http://0x7f.1/fhir",
        "http://0.0.0.0/fhir",
        "http://localhost.evil.example/fhir",
        "http://127.0.0.1.nip.example/fhir",
        "https://elsewhere.example/fhir",
    ],
)
def test_the_demo_calls_nothing_else_that_is_not_listed(url: str) -> None:
    assert approved(url, demo=True) is None


def test_without_encryption_a_listed_server_is_called_only_in_the_demo() -> None:
    there = frozenset({"http://hapi:8080/fhir"})
    assert approved("http://hapi:8080/fhir", listed=there) is None
    assert approved("http://hapi:8080/fhir", listed=there, demo=True) == "http://hapi:8080/fhir"


def test_a_listed_server_on_loopback_needs_no_encryption() -> None:
    here = frozenset({"http://127.0.0.1:8090/fhir"})
    assert approved("http://127.0.0.1:8090/fhir/", listed=here) == "http://127.0.0.1:8090/fhir"


def test_an_international_host_is_compared_in_its_ascii_form() -> None:
    assert normal_base_address("https://klinik-münchen.example/fhir") == BaseAddress(
        "https://xn--klinik-mnchen-3ob.example/fhir", secure=True, loopback=False
    )


def test_nobody_else_makes_an_approved_server() -> None:
    with pytest.raises(TypeError):
        ApprovedFhirServer("https://evil.example", "", object())
