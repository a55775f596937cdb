"""The image that was built, asked for a card, and the files that say how the service is run.

`.ci/image` builds the Dockerfile without a daemon. What it made is run here as an engine would run
it: as its user, with its files read-only, without a capability. No engine runs the composition:
it is held to rules and read by a validator.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
import yaml
from served import ROOT, free_port, wait_until_ready

from cds_service.settings import SETTINGS

PATIENCE_S = 60.0
WITHOUT_RIGHTS = 10001
STATE = "/var/lib/cds-service"
STORY = "vegan-mother-low-b12-six-months"

Step = tuple[str, str]


def steps(dockerfile: str) -> Iterator[Step]:
    """Each instruction with what it says, in order; lines that go on are one."""
    said = re.sub(r"^\s*#.*\n", "", dockerfile, flags=re.M)
    for line in re.sub(r"\\\n\s*", "", said).splitlines():
        if line.strip():
            word, _, rest = line.partition(" ")
            yield word, rest.strip()


STEPS = list(steps((ROOT / "Dockerfile").read_text(encoding="utf-8")))
COMPOSED: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSED["services"]


def said(word: str) -> list[str]:
    return [rest for one, rest in STEPS if one == word]


# --- the files on their own -----------------------------------------------------------------


def test_every_base_image_is_one_image_for_ever() -> None:
    assert [one.split(" ")[0] for one in said("FROM")] == ["$BASE", "$BASE"]
    images = [one.removeprefix("BASE=") for one in said("ARG")]
    images += [one["image"] for one in SERVICES.values() if "build" not in one]
    assert len(images) == 3
    for image in images:
        assert re.fullmatch(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}", image), image


def test_the_service_starts_without_rights_and_without_a_shell() -> None:
    order = [word for word, _ in STEPS]
    assert order.index("USER") < order.index("ENTRYPOINT")
    assert said("USER") == [str(WITHOUT_RIGHTS)]
    assert json.loads(said("ENTRYPOINT")[0]) == ["/opt/cds/bin/cds-service"]
    assert json.loads(said("CMD")[-1])[0] == "serve"
    (health,) = said("HEALTHCHECK")
    assert json.loads(health.partition("CMD ")[2])


def test_what_the_image_is_made_of_is_in_the_checkout() -> None:
    for line in said("COPY"):
        if not line.startswith("--from="):
            for source in line.split()[:-1]:
                assert (ROOT / source).exists(), source


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_nothing_is_reachable_from_other_machines(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert port.startswith("127.0.0.1:"), port
    assert SERVICES[name].get("network_mode") in (None, "service:hapi")


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_no_container_can_gain_rights(name: str) -> None:
    service = SERVICES[name]
    assert "no-new-privileges:true" in service["security_opt"]
    assert not service.get("privileged")
    assert not any("docker.sock" in str(one) for one in service.get("volumes", []))
    assert service["cap_drop"] == ["ALL"]
    assert name == "postgres" or "cap_add" not in service
    if "build" in service:
        assert service["read_only"] is True


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_no_container_takes_the_machine(name: str) -> None:
    assert re.fullmatch(r"[1-3]g", SERVICES[name]["mem_limit"])
    assert 0 < SERVICES[name]["pids_limit"] <= 1024


def test_the_password_of_the_database_is_in_a_file_and_in_no_environment() -> None:
    (secret,) = COMPOSED["secrets"]
    given = COMPOSED["secrets"][secret]["file"].partition(":-")[2].rstrip("}")
    password = (ROOT / given).read_text().strip()
    assert password not in (ROOT / "docker-compose.yml").read_text("utf-8")
    for name in ("postgres", "migrate", "cds"):
        assert SERVICES[name]["secrets"] == [secret]
        place = f"/run/secrets/{secret}"
        assert place in SERVICES[name]["environment"].values()
        assert not any(
            "PASSWORD" in key and "FILE" not in key for key in SERVICES[name]["environment"]
        )


# --- the systemd unit ---------------------------------------------------------------------------

UNIT = ROOT / "deploy/cds-service.service"
SOCKET = ROOT / "deploy/cds-service.socket"
#: Of ten, as systemd-analyze counts; it calls a unit of 5 or more exposed.
LARGEST_EXPOSURE = 1.5


def entries(unit: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in unit.read_text("utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def test_the_unit_limits_what_the_service_takes_and_ends_it_in_time() -> None:
    unit = entries(UNIT)
    assert unit["KillMode"] == ["mixed"]
    assert unit["ProtectSystem"] == ["strict"]
    assert unit["MemoryMax"] == ["1G"]
    assert unit["StateDirectory"] == [STATE.removeprefix("/var/lib/")]
    command = unit["ExecStart"][0].split()
    workers = int(command[command.index("--workers") + 1])
    assert entries(SOCKET)["ListenStream"] == ["127.0.0.1:8080"] * workers
    assert not any("KEY=" in one for one in unit["Environment"])
    for one in unit["Environment"]:
        name, _, value = one.partition("=")
        assert name in SETTINGS, value


@pytest.mark.needs_environment("CDS_TEST_SYSTEMD")
def test_systemd_finds_no_mistake_in_the_units_and_little_that_they_expose(tmp_path: Path) -> None:
    for file in (UNIT, SOCKET):  # no program is installed where they say
        text = file.read_text("utf-8").replace("/opt/cds/bin/cds-service", "/bin/true")
        (tmp_path / file.name).write_text(text, "utf-8")
    files = [str(tmp_path / file.name) for file in (UNIT, SOCKET)]
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--man=false", *files], capture_output=True, text=True
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
    judged = subprocess.run(
        [
            "systemd-analyze",
            "security",
            "--offline=true",
            "--no-pager",
            f"--threshold={LARGEST_EXPOSURE * 10:.0f}",
            files[0],
        ],
        capture_output=True,
        text=True,
    )
    assert judged.returncode == 0, judged.stdout
    assert "Overall exposure level" in judged.stdout


def test_every_place_of_the_composition_that_runs_the_service_is_the_same_image() -> None:
    ours = {name: one for name, one in SERVICES.items() if "build" in one}
    assert set(ours) == {"migrate", "cds", "samples"}
    assert {one["image"] for one in ours.values()} == {"b12-cds-service"}


# --- the image ----------------------------------------------------------------------------------

#: What an engine does before it starts a program: the files read-only, a place for what may be
#: written, no capability beyond those that changing to the user needs, and none after that.
_AS_AN_ENGINE = """
set -e
root=$1 state=$2 goal=$3 user=$4; shift 4
mount --make-rprivate /
mount --bind "$root" "$root"
mount --bind "$state" "$root$goal"
mount -t tmpfs tmpfs "$root/tmp"
mount -t proc proc "$root/proc"
mount -o remount,bind,ro "$root"
exec setpriv --no-new-privs --bounding-set=-all,+sys_chroot,+setuid,+setgid \\
  chroot --userspec="$user:$user" "$root" env -i "$@"
"""


class Image:
    """What `.ci/image` made, and a folder in place of its volume."""

    def __init__(self, made: Path, state: Path) -> None:
        self.root = made / "rootfs"
        self.config: dict[str, Any] = json.loads((made / "image.json").read_text())["OCIv1"][
            "config"
        ]
        self.state = state
        state.mkdir(mode=0o700)
        os.chown(state, WITHOUT_RIGHTS, WITHOUT_RIGHTS)

    def start(self, arguments: list[str], **environment: str) -> subprocess.Popen[str]:
        """The entry point with ``arguments``, in the image, as its user."""
        variables = [*self.config["Env"], *(f"{name}={said}" for name, said in environment.items())]
        return subprocess.Popen(
            [
                *("unshare", "--mount", "--pid", "--fork", "--kill-child=TERM", "sh", "-c"),
                *(_AS_AN_ENGINE, "sh", str(self.root), str(self.state), STATE),
                *(self.config["User"], *variables, *self.config["Entrypoint"], *arguments),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


@pytest.fixture
def image(tmp_path: Path) -> Image:
    return Image(Path(os.environ["CDS_TEST_IMAGE"]), tmp_path / "state")


def child_of(process: subprocess.Popen[str]) -> int:
    """The program behind `unshare`, which does not pass signals on."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return int(children[0])


@pytest.mark.needs_environment("CDS_TEST_IMAGE")
def test_the_image_answers_with_a_card_and_writes_only_where_it_says(image: Image) -> None:
    assert not list((image.root / "opt/cds/lib").rglob("pytest")), "development tools are inside"
    assert set(image.config["Volumes"]) == {STATE}
    assert image.config["WorkingDir"] == STATE
    port = free_port()
    command = list(image.config["Cmd"])
    command[command.index("8080")] = str(port)
    base = f"http://127.0.0.1:{port}"
    kept = f"sqlite:///{STATE}/kept.sqlite"
    process = image.start(
        [*command, "--workers", "2"], CDS_OPEN="true", CDS_DEMO="true", CDS_DATABASE_URL=kept
    )
    try:
        wait_until_ready(process, port, PATIENCE_S)
        for path in ("/", "/guideline", "/workbench/main.js", "/workbench/style.css"):
            page = Request(base + path, headers={"Accept": "text/html"})  # noqa: S310
            with urlopen(page, timeout=30) as answer:  # noqa: S310
                assert len(answer.read()) > 1000, path
        with urlopen(f"{base}/samples/{STORY}/request.json", timeout=30) as answer:  # noqa: S310
            asked = answer.read()
        sent = Request(  # noqa: S310
            f"{base}/cds-services/b12-under-two-patient-view",
            asked,
            {"Content-Type": "application/json"},
        )
        with urlopen(sent, timeout=30) as answer:  # noqa: S310
            cards = json.loads(answer.read())["cards"]
        assert "cyanocobalamin 1000 micrograms (1 mL) by mouth" in cards[0]["summary"]
        status = Path(f"/proc/{child_of(process)}/status").read_text()
        assert re.search(rf"^Uid:\s+{WITHOUT_RIGHTS}\s", status, re.M)
        assert re.search(r"^CapEff:\s+0+$", status, re.M)
        assert re.search(r"^NoNewPrivs:\s+1$", status, re.M)
    finally:
        os.kill(child_of(process), signal.SIGTERM)
        said_of_it, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, said_of_it
    assert [one.name for one in image.state.iterdir()] == ["kept.sqlite"]


@pytest.mark.needs_environment("CDS_TEST_IMAGE")
def test_a_validator_accepts_the_composition_and_sees_the_same_services() -> None:
    command = shutil.which("docker-compose")
    assert command, "the composition is read by docker-compose: apt-get install docker-compose"
    done = subprocess.run(
        [command, "--file", "docker-compose.yml", "config"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert set(yaml.safe_load(done.stdout)["services"]) == set(SERVICES)


@pytest.mark.needs_environment("CDS_TEST_IMAGE")
@pytest.mark.parametrize("name", ["migrate", "samples"])
def test_what_the_composition_runs_once_is_a_command_of_the_image(image: Image, name: str) -> None:
    words = SERVICES[name]["command"]
    options = [one for one in words if one.startswith("--")]
    path = words[: words.index(options[0])] if options else words
    process = image.start([*path, "--help"])
    said_of_it, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, said_of_it
    for option in options:
        assert option in said_of_it
