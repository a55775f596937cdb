"""The container and the composition, as far as they can be known without a container engine.

No engine runs in CI. So both files are held to rules, the composition is read by a validator, and
what the Dockerfile says is carried out step by step in an empty folder, by the Python of this
machine: what is between this and a real image is the base image and the file system.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
import yaml
from served import ROOT, free_port, wait_until_ready

PATIENCE_S = 60.0
WITHOUT_RIGHTS = 10001
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
    images = [one.split(" ")[0] for one in said("FROM")]
    images += [one["image"] for one in SERVICES.values() if "build" not in one]
    assert len(images) == 4
    for image in images:
        assert re.fullmatch(r"[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}", image), image
    assert len(set(said("FROM")[0].split(" ")[:1] + said("FROM")[1:])) == 1


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
    if "build" in service:
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]


def test_every_place_of_the_composition_that_runs_the_service_is_the_same_image() -> None:
    ours = {name: one for name, one in SERVICES.items() if "build" in one}
    assert set(ours) == {"migrate", "cds", "samples"}
    assert {one["image"] for one in ours.values()} == {"b12-cds-service"}


# --- carried out -----------------------------------------------------------------------------


class Image:
    """What the Dockerfile makes, below ``root`` in place of ``/``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment = {"PATH": f"{root}/bin:{os.environ['PATH']}", "HOME": str(root / "home")}
        self.workdir = root
        (root / "bin").mkdir(parents=True)
        (root / "bin" / "python").symlink_to(sys.executable)

    def inside(self, text: str) -> str:
        """``text`` with every path of the image leading below ``root``."""
        return re.sub(r"(?<![\w.:/])/(?=(opt|dist|src|var)\b)", f"{self.root}/", text)

    def carry_out(self, step: Step) -> None:
        word, rest = step
        if word == "WORKDIR":
            self.workdir = Path(self.inside(rest))
            self.workdir.mkdir(parents=True, exist_ok=True)
        elif word == "ENV":
            self.environment |= dict(one.split("=", 1) for one in shlex.split(self.inside(rest)))
        elif word == "COPY" and not rest.startswith("--from="):
            *sources, goal = rest.split()
            for source in sources:
                self.copy(ROOT / source, self.workdir / self.inside(goal))
        elif word == "RUN":
            command = self.inside(rest)
            if "useradd" in command:  # the users of this machine stay as they are
                command = command.partition("&& ")[2].replace(
                    "--owner=cds", f"--owner={WITHOUT_RIGHTS}" if os.geteuid() == 0 else ""
                )
            done = subprocess.run(
                ["/bin/sh", "-c", command],
                cwd=self.workdir,
                env=self.environment,
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"

    @staticmethod
    def copy(source: Path, goal: Path) -> None:
        if source.is_dir():
            shutil.copytree(source, goal, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, goal)

    def start(self, arguments: list[str], **environment: str) -> subprocess.Popen[str]:
        """The entry point with ``arguments``, as the user without rights where that can be."""
        (entry,) = json.loads(self.inside(said("ENTRYPOINT")[0]))
        user = str(WITHOUT_RIGHTS)
        lower = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
        return subprocess.Popen(
            [*(lower if os.geteuid() == 0 else []), entry, *arguments],
            cwd=self.workdir,
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    root = Path(os.environ["CDS_TEST_DEPLOYMENT"], "image").resolve()
    shutil.rmtree(root, ignore_errors=True)
    made = Image(root)
    for step in STEPS:
        made.carry_out(step)
    yield made
    shutil.rmtree(root)


@pytest.mark.needs_environment("CDS_TEST_DEPLOYMENT")
def test_the_steps_of_the_dockerfile_make_a_service_that_answers(image: Image) -> None:
    assert not list((image.root / "opt/cds/lib").rglob("pytest")), "development tools are inside"
    port = free_port()
    command = json.loads(said("CMD")[-1])
    command = ["127.0.0.1" if one == "0.0.0.0" else one for one in command]  # noqa: S104
    command[command.index("8080")] = str(port)
    base = f"http://127.0.0.1:{port}"
    process = image.start(command, CDS_OPEN="true", CDS_DEMO="true")
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
        if os.geteuid() == 0:
            owner = Path(f"/proc/{process.pid}").stat().st_uid
            assert owner == WITHOUT_RIGHTS
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0


@pytest.mark.needs_environment("CDS_TEST_DEPLOYMENT")
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


@pytest.mark.needs_environment("CDS_TEST_DEPLOYMENT")
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
