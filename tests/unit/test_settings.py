from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from each import each
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import make_url

from cds_service.errors import SettingsError
from cds_service.settings import SETTINGS, Settings, check_address, describe_settings, read_settings


def test_without_any_variable_the_defaults_hold() -> None:
    assert read_settings({"PATH": "/bin"}) == Settings()


def test_every_setting_is_read(tmp_path: Path) -> None:
    overrides = tmp_path / "site.toml"
    overrides.touch()
    settings = read_settings(
        {
            "CDS_PUBLIC_URL": "https://cds.example.org/b12/",
            "CDS_FHIR_SERVERS": "https://FHIR.example.org:443/r4/, https://b.example/fhir",
            "CDS_ALLOWED_ORIGINS": "https://ehr.example.org http://localhost:8080",
            "CDS_AS_OF": "2026-01-15",
            "CDS_GUIDELINE_OVERRIDES": str(overrides),
            "CDS_OPEN": "true",
            "CDS_DEMO": "yes",
            "CDS_FHIR_DEADLINE_MS": "250",
            "CDS_MAX_BODY_BYTES": "20000",
            "CDS_DATABASE_URL": "postgres://cds@db.example.org/cds",
            "CDS_PSEUDONYM_KEY": "sixteen letters.",
            "CDS_RETENTION_DAYS": "90",
        }
    )
    assert settings == Settings(
        public_url="https://cds.example.org/b12",
        fhir_servers=frozenset({"https://fhir.example.org/r4", "https://b.example/fhir"}),
        allowed_origins=("https://ehr.example.org", "http://localhost:8080"),
        as_of=date(2026, 1, 15),
        guideline_overrides=overrides,
        open=True,
        demo=True,
        fhir_deadline=0.25,
        max_body_bytes=20_000,
        database_url="postgresql://cds@db.example.org/cds",
        pseudonym_key=b"sixteen letters.",
        retention_days=90,
    )


def test_nothing_is_stored_where_that_is_said() -> None:
    assert read_settings({"CDS_DATABASE_URL": "none"}).database_url == ""


@pytest.mark.parametrize(
    ("environment", "origins"),
    [
        ({}, ("*",)),
        ({"CDS_FHIR_SERVERS": "https://fhir.example.org"}, ()),
        ({"CDS_FHIR_SERVERS": "https://fhir.example.org", "CDS_DEMO": "true"}, ("*",)),
        ({"CDS_FHIR_SERVERS": "https://fhir.example.org", "CDS_ALLOWED_ORIGINS": "*"}, ("*",)),
        ({"CDS_ALLOWED_ORIGINS": "https://a.example"}, ("https://a.example",)),
    ],
)
def test_no_page_may_have_fhir_servers_read_without_a_token_unless_listed(
    environment: dict[str, str], origins: tuple[str, ...]
) -> None:
    assert read_settings(environment).origins == origins


def test_an_empty_value_is_no_value() -> None:
    assert read_settings(dict.fromkeys(SETTINGS, " ")) == Settings()


@each(
    ("environment", "said"),
    [
        ({"CDS_FHIR_SERVER": "https://a"}, "Did you mean CDS_FHIR_SERVERS?"),
        ({"CDS_ALLOWED_ORIGIN": "*"}, "Did you mean CDS_ALLOWED_ORIGINS?"),
        ({"CDS_CLIENTS_FILE": "no-such-clients.toml"}, "there is no file"),
        ({"CDS_DATABASE_URL": "sqlite://"}, "not the address of a database"),
        ({"CDS_DATABASE_URL": "mysql://db.example.org/cds"}, "not the address of a database"),
        ({"CDS_PSEUDONYM_KEY": "fifteen letters"}, "shorter than 16"),
        ({"CDS_PSEUDONYM_KEY": "x" * 16, "CDS_PLAIN_IDS": "true"}, "would do nothing"),
        ({"CDS_RETENTION_DAYS": "0"}, "from 1 to"),
        ({"CDS_OPEN": "maybe"}, "neither true nor false"),
        ({"CDS_AS_OF": "2026-01-15"}, "demo only"),
        ({"CDS_AS_OF": "20260115", "CDS_DEMO": "1"}, "not a date"),
        ({"CDS_AS_OF": "2026-02-30", "CDS_DEMO": "1"}, "not a date"),
        ({"CDS_FHIR_DEADLINE_MS": "0"}, "from 50 to 10000"),
        ({"CDS_FHIR_DEADLINE_MS": "4e2"}, "from 50 to 10000"),
        ({"CDS_MAX_BODY_BYTES": "-1"}, "not a whole number"),
        ({"CDS_GUIDELINE_OVERRIDES": "/no/such.toml"}, "there is no file"),
        ({"CDS_FHIR_SERVERS": "fhir.example.org"}, "neither https nor http"),
        ({"CDS_FHIR_SERVERS": "https://u:p@fhir.example.org"}, "user name"),
        ({"CDS_FHIR_SERVERS": "http://fhir.example.org/r4"}, "not encrypted"),
        ({"CDS_ALLOWED_ORIGINS": "https://a.example/app"}, "not an origin"),
        ({"CDS_ALLOWED_ORIGINS": "null"}, "not an origin"),
        ({"CDS_ALLOWED_ORIGINS": "* https://a.example"}, "both * and others"),
        ({"CDS_ALLOWED_HOSTS": "https://cds.example.org"}, "not the name of a host"),
        ({"CDS_ALLOWED_HOSTS": "cds.example.org:8080"}, "not the name of a host"),
        ({"CDS_ALLOWED_HOSTS": "*.example.org"}, "not the name of a host"),
        ({"CDS_PUBLIC_URL": "http://cds.example.org"}, "not the https address"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(environment: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read_settings(environment)
    assert said in str(refused.value)
    assert refused.value.name in environment
    assert refused.value.cure.endswith((".", "?"))


def test_secrets_are_read_from_files(tmp_path: Path) -> None:
    password, key = tmp_path / "password", tmp_path / "key"
    password.write_text("p@ss/w:rd ü\n", "utf-8")
    key.write_text("sixteen letters.\n")
    settings = read_settings(
        {
            "CDS_DATABASE_URL": "postgres://cds@[::1]:5433/cds?sslmode=require",
            "CDS_DATABASE_PASSWORD_FILE": str(password),
            "CDS_PSEUDONYM_KEY_FILE": str(key),
        }
    )
    assert settings.pseudonym_key == b"sixteen letters."
    assert settings.database_url == (
        "postgresql://cds:p%40ss%2Fw%3Ard%20%C3%BC@[::1]:5433/cds?sslmode=require"
    )
    parsed = make_url(settings.database_url)
    assert (parsed.password, parsed.host, parsed.port) == ("p@ss/w:rd ü", "::1", 5433)
    assert conninfo_to_dict(settings.database_url)["password"] == "p@ss/w:rd ü"


@pytest.mark.parametrize(
    ("name", "content", "others", "said"),
    [
        ("CDS_PSEUDONYM_KEY_FILE", "fifteen letters\n", {}, "shorter than 16"),
        ("CDS_PSEUDONYM_KEY_FILE", "", {}, "one line"),
        ("CDS_PSEUDONYM_KEY_FILE", "x" * 16, {"CDS_PSEUDONYM_KEY": "y" * 16}, "next to another"),
        ("CDS_DATABASE_PASSWORD_FILE", "a\nb\n", {}, "one line"),
        ("CDS_DATABASE_PASSWORD_FILE", "Xq7-secret", {}, "without a password"),
        (
            "CDS_DATABASE_PASSWORD_FILE",
            "Xq7-secret",
            {"CDS_DATABASE_URL": "none"},
            "without a password",
        ),
        (
            "CDS_DATABASE_PASSWORD_FILE",
            "Xq7-secret",
            {"CDS_DATABASE_URL": "postgresql://cds:b@db/cds"},
            "without a password",
        ),
        (
            "CDS_DATABASE_PASSWORD_FILE",
            "Xq7-secret",
            {"CDS_DATABASE_URL": "postgresql://db/cds"},
            "without a password",
        ),
    ],
)
def test_a_secret_in_a_file_that_would_not_be_used_is_refused(
    tmp_path: Path, name: str, content: str, others: dict[str, str], said: str
) -> None:
    (tmp_path / "secret").write_text(content)
    with pytest.raises(SettingsError, match=said) as refused:
        read_settings({name: str(tmp_path / "secret"), **others})
    assert name in str(refused.value) or "CDS_PSEUDONYM_KEY" in str(refused.value)
    assert "Xq7" not in str(refused.value)


def test_plain_http_is_for_loopback_and_for_the_demo() -> None:
    here = "http://localhost:8080/fhir"
    assert read_settings({"CDS_FHIR_SERVERS": here}).fhir_servers == {here}
    there = "http://hapi:8080/fhir"
    assert read_settings({"CDS_FHIR_SERVERS": there, "CDS_DEMO": "true"}).fhir_servers == {there}


def test_what_kubernetes_says_about_a_service_called_cds_is_no_misspelt_setting() -> None:
    told = {
        "CDS_SERVICE_HOST": "10.0.0.1",
        "CDS_SERVICE_PORT": "8080",
        "CDS_SERVICE_PORT_HTTP": "8080",
        "CDS_PORT": "tcp://10.0.0.1:8080",
        "CDS_PORT_8080_TCP_ADDR": "10.0.0.1",
        "CDS_HOOKS_SERVICE_HOST": "10.0.0.2",
    }
    assert read_settings(told) == Settings()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.9.9.9"])
def test_open_mode_listens_on_loopback(host: str) -> None:
    assert check_address(Settings(), host) is None  # nothing is refused


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "cds.example.org"])  # noqa: S104
def test_open_mode_listens_elsewhere_only_when_said_aloud(host: str) -> None:
    with pytest.raises(SettingsError, match="CDS_OPEN"):
        check_address(Settings(), host)
    with pytest.raises(SettingsError, match="CDS_OPEN"):
        check_address(Settings(demo=True), host)
    check_address(Settings(open=True), host)


def test_the_description_has_a_row_for_every_setting_and_every_field_a_variable() -> None:
    rows = describe_settings().splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == list(SETTINGS)
    assert {s.field for s in SETTINGS.values()} - {""} == set(Settings.__struct_fields__)
