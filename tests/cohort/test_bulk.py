"""A Bulk Data server asked for its files: what it may do, and what is not taken from it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from bulk_stub import BulkStub
from clinics import ON, answers, ran, written
from test_running import finished, needs_duckdb
from test_sources import lines, summaries

from cds_service.fhir.bulk import STATE, TYPES, BulkError, BulkServer, _seconds
from cds_service.trust.keys import make_key, make_token, read_key

TOLD = [one.encode() + b"\n" for one in lines("one", "two")]


def of(kind: str) -> bytes:
    return b"".join(one for one in TOLD if f'"resourceType": "{kind}"'.encode() in one)


FILES = (("Patient", of("Patient")), ("Observation", of("Observation")))


class Patience:
    """Waits for nothing, and remembers how long it would have."""

    def __init__(self) -> None:
        self.waited: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.waited.append(seconds)


def files(folder: Path) -> list[str]:
    return sorted(one.relative_to(folder).as_posix() for one in folder.rglob("*.ndjson"))


def test_an_export_is_asked_for_awaited_fetched_and_removed(tmp_path: Path) -> None:
    folder, patience = tmp_path / "kept", Patience()
    with BulkStub(FILES, waits=3) as stub:
        BulkServer(stub.url, wait=patience).export(folder)
    begun = stub.seen[0]
    assert (begun.path, begun.query) == ("/fhir/$export", {"_type": ",".join(TYPES)})
    assert begun.headers["Prefer"] == "respond-async"
    assert begun.headers["Accept"] == "application/fhir+json"
    assert not any(
        "Content-Type" in one.headers or "Authorization" in one.headers for one in stub.seen
    )
    assert patience.waited == [120.0] * 3
    fetched = [one for one in stub.seen if one.path.startswith("/file/")]
    assert {one.headers["Accept"] for one in fetched} == {"application/fhir+ndjson"}
    assert (stub.seen[-1].method, stub.seen[-1].path) == ("DELETE", "/job/1")
    assert files(folder) == [
        "export-0001/0000.Patient.ndjson",
        "export-0001/0001.Observation.ndjson",
    ]
    found = answers(ran(folder, tmp_path / "out"))
    written(tmp_path / "in" / "a.ndjson", lines("one", "two"))
    right = answers(ran(tmp_path / "in", tmp_path / "right"))
    assert {child: summaries(one) for child, one in found.items()} == {
        child: summaries(one) for child, one in right.items()
    }


def test_the_next_export_asks_for_what_changed_and_adds_its_files(tmp_path: Path) -> None:
    with BulkStub(FILES) as stub:
        server = BulkServer(stub.url, wait=Patience())
        server.export(tmp_path)
        stub.files = [FILES[1]]
        server.export(tmp_path)
    asked = [one.query for one in stub.seen if one.path.endswith("$export")]
    assert asked[1]["_since"] == "2026-06-01T00:00:00Z"
    assert files(tmp_path)[2:] == ["export-0002/0000.Observation.ndjson"]


def test_a_job_is_gone_on_with_after_a_restart(tmp_path: Path) -> None:
    """Whether waiting for it or fetching its files was broken off: no second job is begun, and no
    file that is there is fetched again."""

    class Off(Exception):
        pass

    def broken_off(_: float) -> None:
        raise Off

    with BulkStub(FILES, waits=2) as stub:
        with pytest.raises(Off):
            BulkServer(stub.url, wait=broken_off).export(tmp_path)
        stub.broken_files = [1]
        with pytest.raises(BulkError, match="Observation came with status 503"):
            BulkServer(stub.url, wait=Patience()).export(tmp_path)
        BulkServer(stub.url, wait=Patience()).export(tmp_path)
    assert stub.jobs == 1
    fetched = [one.path for one in stub.seen if one.path.startswith("/file/")]
    assert fetched == ["/file/0", "/file/1", "/file/1"]
    assert len(files(tmp_path)) == 2


@pytest.mark.parametrize(
    ("statuses", "goes_on"),
    [
        ([429, 503, 503, 202], True),
        ([503, 503, 503], False),
        ([500, 500, 500], False),
        ([404], False),
        ([410], False),
        ([400], False),
    ],
)
def test_a_server_that_is_busy_is_asked_again_and_a_failed_job_is_begun_again(
    tmp_path: Path, statuses: list[int], goes_on: bool
) -> None:
    with BulkStub(FILES, statuses=statuses) as stub:
        server = BulkServer(stub.url, wait=Patience())
        if not goes_on:
            with pytest.raises(BulkError, match="the same command again begins a new one"):
                server.export(tmp_path)
        server.export(tmp_path)
    assert stub.jobs == (1 if goes_on else 2)
    assert len(files(tmp_path)) == 2


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"<Binary xmlns='http://hl7.org/fhir'/>\n", "line 1 does not begin as JSON does"),
        (FILES[0][1].rstrip(b"\n")[:-5] + b"\n", "line 2 cannot be read, or the file ends early"),
        (FILES[0][1] + FILES[1][1], "line 3 is a Observation"),
        (FILES[0][1] + b"[]\n", "line 3 does not begin as JSON does"),
        (b"", ""),
        (FILES[0][1], ""),
    ],
)
def test_a_file_that_is_not_what_the_server_says_is_not_used(
    tmp_path: Path, content: bytes, why: str
) -> None:
    with BulkStub([("Patient", content)]) as stub:
        server = BulkServer(stub.url, wait=Patience())
        if why:
            with pytest.raises(BulkError, match=why):
                server.export(tmp_path)
            assert files(tmp_path) == []
        else:
            server.export(tmp_path)
            assert len(files(tmp_path)) == 1


def test_a_file_of_fewer_lines_than_its_count_is_not_used(tmp_path: Path) -> None:
    class Short(BulkStub):
        def _file(self, number: int) -> tuple[int, bytes, dict[str, str]]:
            return 200, self.files[number][1].partition(b"\n")[0] + b"\n", {}

    with Short(FILES[:1]) as stub, pytest.raises(BulkError, match="it has 1 resources of 2"):
        BulkServer(stub.url, wait=Patience()).export(tmp_path)


@pytest.mark.parametrize("algorithm", ["ES384", "RS384"])
def test_a_client_shows_who_it_is_and_no_token_goes_to_another_host(
    tmp_path: Path, algorithm: str
) -> None:
    key = read_key(make_key(algorithm))

    def sign(audience: str) -> str:
        from time import time

        return make_token(key, "clinic", audience, int(time()), 240, subject="clinic")

    with BulkStub(FILES, client_key=key.public_key()) as stub:
        BulkServer(stub.url, sign, Patience()).export(tmp_path / "ours")
        assert len(stub.tokens) == 1
        with pytest.raises(BulkError, match=r"did not begin an export \(status 401"):
            BulkServer(stub.url, None, Patience()).export(tmp_path / "none")
        other = read_key(make_key(algorithm))
        with pytest.raises(BulkError, match=r"gave no token \(status 401"):
            BulkServer(
                stub.url, lambda a: make_token(other, "clinic", a, 0, 240, subject="clinic")
            ).export(tmp_path / "wrong")
    with BulkStub(FILES) as elsewhere:
        with (
            BulkStub(FILES, client_key=key.public_key(), file_host=elsewhere.host) as stub,
            pytest.raises(BulkError, match="on another host and wants a token"),
        ):
            BulkServer(stub.url, sign, Patience()).export(tmp_path / "files")
        with (
            BulkStub(FILES, client_key=key.public_key(), job_host=elsewhere.host) as stub,
            pytest.raises(BulkError, match="another host for its job"),
        ):
            BulkServer(stub.url, sign, Patience()).export(tmp_path / "job")
        assert elsewhere.seen == []


def test_a_folder_is_of_one_server_alone(tmp_path: Path) -> None:
    with BulkStub(FILES) as one, BulkStub(FILES) as other:
        BulkServer(one.url, wait=Patience()).export(tmp_path / "kept")
        with pytest.raises(BulkError, match="holds exports of"):
            BulkServer(other.url, wait=Patience()).export(tmp_path / "kept")
        written(tmp_path / "mine" / "letter.txt", ["mine"])
        with pytest.raises(BulkError, match="is not empty"):
            BulkServer(one.url, wait=Patience()).export(tmp_path / "mine")
    with pytest.raises(BulkError, match="neither https nor http"):
        BulkServer("ftp://example.org")
    with pytest.raises(BulkError, match="not https"):
        BulkServer("http://fhir.example.org/r4", lambda _: "")


# --- a group -------------------------------------------------------------------------------------


def test_a_group_is_exported_whole_and_what_it_may_not_hold_by_a_job_of_its_own(
    tmp_path: Path,
) -> None:
    """Gone on with where it was broken off: what was exported is not asked for again."""

    class Off(Exception):
        pass

    def broken_off(_: float) -> None:
        raise Off

    with BulkStub(FILES, waits=0) as stub:
        server = BulkServer(stub.url, wait=Patience())
        server.export(tmp_path, group="clinic")
        server.export(tmp_path, group="clinic")
        asked = [(one.path, one.query) for one in stub.seen if one.path.endswith("$export")]
        usual = ",".join(one for one in TYPES if one not in ("Medication", "Task"))
        assert asked == 2 * [
            ("/fhir/Group/clinic/$export", {"_type": usual}),
            ("/fhir/$export", {"_type": "Medication,Task"}),
        ]
        assert {one.partition("/")[0] for one in files(tmp_path)} == {"export-0003", "export-0004"}

        stub.late_jobs = {6}
        with pytest.raises(Off):
            BulkServer(stub.url, wait=broken_off).export(tmp_path, group="clinic")
        stub.late_jobs = set()
        server.export(tmp_path, group="clinic")
        assert stub.jobs == 6
        with pytest.raises(BulkError, match="another group, or of all"):
            server.export(tmp_path)


@pytest.mark.parametrize(
    ("told", "is_one"),
    [
        ({}, True),
        ({"inactive": False}, True),
        ({"inactive": True}, False),
        ({"period": {"end": "2026-05-31"}}, False),
        ({"period": {"end": "2026-06-01"}}, True),
        ({"period": {"end": "2026-06-02T08:00:00Z"}}, True),
        ({"period": {"end": "2026-05"}}, False),
        ({"period": {"end": "2026"}}, True),
        ({"period": {"start": "2026-06-01"}}, True),
        ({"period": {"start": "2026-06-02"}}, False),
        ({"period": {"start": "2026-07"}}, False),
        ({"period": {"start": "2025-01-01", "end": "2025-12-31"}}, False),
    ],
)
def test_a_member_counts_while_it_is_one(told: dict[str, object], is_one: bool) -> None:
    always = {"entity": {"reference": "https://fhir.example.org/r4/Patient/always"}}
    of_a_group = {"entity": {"reference": "Group/other"}}
    one = {"entity": {"reference": "Patient/one"}, **told}
    with BulkStub(FILES, members=[always, one, of_a_group]) as stub:
        found = BulkServer(stub.url).members("clinic", ON)
    assert found.children == ({"always", "one"} if is_one else {"always"})
    assert (found.left, found.unnamed) == (0 if is_one else 1, 1)


def test_a_group_without_members_on_the_day_is_refused() -> None:
    left = {"entity": {"reference": "Patient/one"}, "inactive": True}
    with BulkStub(FILES, members=[left]) as stub:
        with pytest.raises(BulkError, match="has no members on 2026-06-01"):
            BulkServer(stub.url).members("clinic", ON)
        with pytest.raises(BulkError, match=r"The group other came with status"):
            BulkServer(stub.url).members("other", ON)


@needs_duckdb
def test_of_a_group_only_members_of_the_day_have_a_row_and_others_are_counted(
    tmp_path: Path,
) -> None:
    members = [
        {"entity": {"reference": "Patient/one"}},
        {"entity": {"reference": "Patient/two"}, "inactive": True},
        {"entity": {"reference": "Patient/without-a-record"}},
    ]
    with BulkStub(FILES, waits=0, members=members) as stub:
        code, told, said = finished(
            tmp_path / "kept", "--fhir", stub.url, "--group", "clinic", "--out", tmp_path / "out",
            "--as-of", "2026-06-01", "--plain-ids",
        )  # fmt: skip
    assert code == 0, said
    assert told.startswith("1 patients")
    assert "1 members of the group have no resource in the export" in told
    assert "2 members of the group on 2026-06-01; 1 inactive" in said
    figures = json.loads((tmp_path / "out" / "figures.json").read_bytes())
    assert figures["ofNobody"]["Patient: its child is not of the group"] == 2


@pytest.mark.parametrize(
    ("written_as", "seconds"),
    [("120", 120), ("0", 1), ("100000", 600), ("", 10), ("soon", 10),
     ("Wed, 01 Jan 2020 00:00:00 GMT", 1), ("Fri, 01 Jan 2100 00:00:00 GMT", 600)],
)  # fmt: skip
def test_a_server_says_how_long_to_wait(written_as: str, seconds: float) -> None:
    assert _seconds(written_as) == seconds


@needs_duckdb
def test_the_command_asks_a_server_and_types_without_a_line_are_known_to_be_empty(
    tmp_path: Path,
) -> None:
    key = make_key("ES384")
    (tmp_path / "client.pem").write_bytes(key)
    with BulkStub(FILES, waits=0, client_key=read_key(key).public_key()) as stub:
        code, told, said = finished(
            tmp_path / "kept", "--fhir", stub.url, "--out", tmp_path / "out",
            "--as-of", "2026-06-01", "--plain-ids",
            CDS_BULK_CLIENT_ID="clinic", CDS_BULK_KEY_FILE=str(tmp_path / "client.pem"),
        )  # fmt: skip
    assert code == 0, said
    assert told.startswith("2 patients")
    figures = json.loads((tmp_path / "out" / "figures.json").read_bytes())
    assert figures["missing"] == {}
    assert figures["groups"]["untreated"] == 2
    assert (tmp_path / "kept" / STATE).stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "kept").stat().st_mode & 0o777 == 0o700
