"""The register of clients, and the start that is refused when it is wrong."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from ehr import BASE, Ehr, register, service
from served import refused, running

from cds_service.app import make_door, make_register
from cds_service.errors import ClientsError, SettingsError
from cds_service.settings import Settings, check_address, read_settings
from cds_service.trust.clients import Client, read_clients

NORTH = Ehr("north")
GOOD = """\
[[clients]]
name         = "north"
issuer       = "https://ehr.north.example.org"
jwks_url     = "https://ehr.north.example.org/jwks.json"
fhir_servers = ["HTTPS://FHIR.north.example.org:443/r4/"]
audiences    = ["cds"]
one_action   = true
language     = "de"
cds_hooks    = "3.0-ballot"
tenants      = ["a", "b"]
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "clients.toml"
    file.write_text(text)
    return file


def test_a_register_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "south.json").write_text("{}")
    text = GOOD + '[[clients]]\nname = "south"\nissuer = "s"\njwks_file = "south.json"\n'
    assert read_clients(written(tmp_path, text)) == (
        Client(
            name="north",
            issuer="https://ehr.north.example.org",
            fhir_servers=frozenset({"https://fhir.north.example.org/r4"}),
            jwks_url="https://ehr.north.example.org/jwks.json",
            audiences=frozenset({"cds"}),
            tenants=frozenset({"a", "b"}),
            one_action=True,
            language="de",
            cds_hooks="3.0-ballot",
        ),
        Client(name="south", issuer="s", jwks_file=tmp_path / "south.json"),
    )


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (GOOD, "", "not a list of clients"),
        (GOOD, "clients = []", "registers no client"),
        (GOOD, "clients = 1", "not a list of clients"),
        (GOOD, "[[client]]", "not a list of clients"),
        (GOOD, "[[clients]", "is not TOML"),
        (GOOD, '[[clients]]\nissuer = "a"', "client 1: .*name"),
        ('"north"', '""', "client 1: its name is not plain"),
        ('"north"', '"North Hospital"', "clients.North Hospital: its name is not plain"),
        ('"north"', '"' + "n" * 65 + '"', "its name is not plain"),
        ('"north"', "1", "client 1: .*name"),
        ("issuer ", "isuer ", "clients.north: .*isuer"),
        ('"https://ehr.north.example.org"', '""', "clients.north: issuer"),
        ('"https://ehr.north.example.org"', '"a b"', "clients.north: issuer"),
        ("jwks_url ", "#", "clients.north: it names no keys"),
        ("jwks_url ", "jwks_file =", "TOML"),
        ('jwks_url     = "https://', 'jwks_url     = "http://', "jwks_url: .* is not encrypted"),
        ('jwks_url     = "https:', 'jwks_url     = "ftp:', "jwks_url: .* neither https nor http"),
        ('"HTTPS://FHIR', '"http://FHIR', "fhir_servers: .* is not encrypted"),
        ('"HTTPS://FHIR', '"https://u:p@FHIR', "fhir_servers: .* holds a user name"),
        ("/r4/", "/x/../r4", "fhir_servers: .* path that is not plain"),
        ('["HTTPS', '"https://a" #', "clients.north: .*fhir_servers"),
        ('["cds"]', '[""]', "clients.north: audiences"),
        ('["cds"]', '"cds"', "clients.north: .*audiences"),
        ('["a", "b"]', '["a", 1]', "clients.north: .*tenants"),
        ("= true", '= "yes"', "clients.north: .*one_action"),
        ('"3.0-ballot"', '"3.0"', "clients.north: '3.0' is not a version of CDS Hooks"),
        ('= "de"', '= "German"', "clients.north: 'German' is not the tag of a language"),
        (GOOD, GOOD + GOOD, "clients.north: client 1 has the same name"),
        (
            GOOD,
            GOOD + GOOD.replace('"north"', '"other"'),
            "clients.other: client 1 has the same issuer",
        ),
    ],
)
def test_a_wrong_entry_is_named_with_what_is_wrong_and_the_cure(
    old: str, new: str, said: str, tmp_path: Path
) -> None:
    assert old in GOOD
    with pytest.raises(ClientsError, match=said) as error:
        read_clients(written(tmp_path, GOOD.replace(old, new)))
    assert str(tmp_path / "clients.toml") in str(error.value)
    assert error.value.cure.endswith(".")


def test_a_key_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    text = GOOD.replace("jwks_url ", 'jwks_file = "no.json"\njwks_url ')
    with pytest.raises(ClientsError, match=r"there is no file 'no\.json'"):
        read_clients(written(tmp_path, text))


def test_plain_http_is_for_loopback_and_for_tests(tmp_path: Path) -> None:
    here = GOOD.replace("HTTPS://FHIR.north.example.org:443", "http://127.0.0.1:8090")
    assert read_clients(written(tmp_path, here))[0].fhir_servers == {"http://127.0.0.1:8090/r4"}
    there = GOOD.replace("HTTPS://FHIR.north.example.org:443", "http://hapi:8080")
    (client,) = read_clients(written(tmp_path, there), plain_http=True)
    assert client.fhir_servers == {"http://hapi:8080/r4"}


def test_a_register_that_everybody_may_write_is_refused(tmp_path: Path) -> None:
    file = written(tmp_path, GOOD)
    file.chmod(0o666)
    with pytest.raises(ClientsError, match="every user of this machine can write to it"):
        read_clients(file)
    file.chmod(0o664)
    assert read_clients(file)


def test_a_register_that_is_no_text_or_not_there_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "clients.toml"
    with pytest.raises(ClientsError, match="cannot be read"):
        read_clients(file)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ClientsError, match="not UTF-8"):
        read_clients(file)


def test_a_folder_for_a_register_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no file"):
        read_settings({"CDS_CLIENTS_FILE": str(tmp_path), "CDS_PUBLIC_URL": BASE})


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("", "not a JWK set"),
        ('{"keys": []}', "no key"),
        (json.dumps({"keys": [{**NORTH.jwk, "d": "AA"}]}), "private key"),
    ],
)
def test_a_key_file_that_cannot_be_used_stops_the_start(
    keys: str, said: str, tmp_path: Path
) -> None:
    file = register(tmp_path, [NORTH])
    (tmp_path / "north.json").write_text(keys)
    with pytest.raises(ClientsError, match=f"clients.north: .*{said}"):
        service(file)


# --- half-secured --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"CDS_PUBLIC_URL": ""}, "CDS_PUBLIC_URL: it is missing"),
        ({"CDS_OPEN": "true"}, "CDS_OPEN: callers cannot be let in unasked"),
        ({"CDS_FHIR_SERVERS": "https://a.example"}, "CDS_FHIR_SERVERS: it is for open mode"),
        ({"CDS_PUBLIC_URL": "http://cds.example.org"}, "CDS_PUBLIC_URL: is not the https"),
        ({"CDS_AS_OF": "2026-01-15"}, "CDS_AS_OF: a date other than"),
        ({"CDS_CLIENTS_FILE": "/no/such.toml"}, "CDS_CLIENTS_FILE: there is no file"),
    ],
)
def test_it_does_not_start_half_secured(more: dict[str, str], said: str, tmp_path: Path) -> None:
    file = str(register(tmp_path, [NORTH]))
    with pytest.raises(SettingsError, match=said) as error:
        read_settings({"CDS_CLIENTS_FILE": file, "CDS_PUBLIC_URL": BASE, **more})
    assert error.value.cure.endswith(".")


def test_with_registered_clients_it_listens_anywhere(tmp_path: Path) -> None:
    settings = Settings(clients_file=tmp_path, public_url=BASE)
    assert check_address(settings, "10.0.0.1") is None  # nothing is refused


def test_open_mode_never_loads_what_verifies_tokens() -> None:
    code = """
import sys
from cds_service.app import create_app
from cds_service.settings import Settings
create_app(Settings(), ())
print(sorted({"jwt", "cryptography"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_register_makes_the_door(tmp_path: Path) -> None:
    file = register(tmp_path, [NORTH])
    for settings, kind in (
        (Settings(clients_file=file, public_url=BASE), "Guard"),
        (Settings(), "OpenDoor"),
    ):
        assert type(make_door(settings, make_register(settings))).__name__ == kind


def test_the_command_says_which_entry_is_wrong(tmp_path: Path) -> None:
    file = written(tmp_path, GOOD.replace("issuer ", "isuer "))
    said = refused(
        CDS_CLIENTS_FILE=str(file),
        CDS_PUBLIC_URL=BASE,
        CDS_DATABASE_URL=f"sqlite:///{tmp_path / 'kept.sqlite'}",
    )
    assert "clients.north" in said
    assert "isuer" in said


def test_a_head_that_is_too_large_is_refused() -> None:
    head = b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: "
    with running(CDS_MAX_HEADER_BYTES="8192") as (_, port):
        for size, status in [(8191, b"200"), (8192, b"200"), (16_384, b"431"), (90_000, b"431")]:
            with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
                connection.sendall(head + b"x" * (size - len(head) - 4) + b"\r\n\r\n")
                assert connection.recv(100).split()[1] == status, size
