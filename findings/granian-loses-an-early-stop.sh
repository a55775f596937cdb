#!/bin/sh
# granian that is asked to stop while a worker still loads its application never stops.
#
# A worker is forked with the signal handlers of the main process, which do nothing in it, and has
# its own only after the application is loaded. SIGTERM in between is taken and forgotten, and the
# main process waits for the worker without end, or kills it after --workers-kill-timeout.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check granian==2.8.7
cat >app.py <<'END'
import time

time.sleep(2)


def app(environ, start_response):
    start_response("200 OK", [])
    return [b""]
END

cat >seen <<'END'
granian 2.8.7
stopped after 1 s: still there 6 s later
stopped after 4 s: ended
END

venv/bin/python - >now <<'END'
import os
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from socket import socket

print("granian", version("granian"))
for seconds in (1, 4):
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--port", port, "app:app"]
    quiet = subprocess.DEVNULL
    started = subprocess.Popen(command, stdout=quiet, stderr=quiet, start_new_session=True)
    time.sleep(seconds)
    started.terminate()
    try:
        started.wait(6)
        print(f"stopped after {seconds} s: ended")
    except subprocess.TimeoutExpired:
        print(f"stopped after {seconds} s: still there 6 s later")
        os.killpg(started.pid, signal.SIGKILL)
        started.wait()
END

cat now
if diff seen now; then
    echo 'As written down.'
else
    echo 'No longer as written down: < was seen then, > is seen now.' >&2
    exit 1
fi
