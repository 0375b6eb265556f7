"""Starting and stopping the servers that tests talk to."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

START_SECONDS = 30.0
STOP_SECONDS = 30.0
NO_DELAY = {**os.environ, "TCP_NODELAY": "1"}
"""Without it DCMTK stalls 40 ms per object: Nagle's algorithm meets delayed ACKs."""
_given: set[int] = set()


def free_port() -> int:
    """A port that nothing listens on and that no outgoing connection will be given.

    Never the same one twice in a session.
    """
    for port in random.sample(range(20000, 30000), 200):
        with socket.socket() as probe:
            try:
                probe.bind(("", port))
            except OSError:
                continue
        if port not in _given:
            _given.add(port)
            return port
    raise RuntimeError("no free port between 20000 and 30000")


def require(*programs: str) -> None:
    """Skip the test where a program is missing; fail where `make test` promised it."""
    missing = [program for program in programs if shutil.which(program) is None]
    if not missing:
        return
    message = f"not installed: {', '.join(missing)}"
    if os.environ.get("PACSFW_REQUIRE_PEERS"):
        pytest.fail(message)
    pytest.skip(message)


class Server:
    """A server process in a group of its own, which may be started again on its port."""

    def __init__(
        self,
        command: Sequence[str | Path],
        port: int,
        log: Path,
        end: signal.Signals = signal.SIGTERM,
    ) -> None:
        self._end = end
        self._command = [str(part) for part in command]
        self._port = port
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it accepts connections."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=log, env=NO_DELAY, start_new_session=True
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._listens():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"{self._command[0]} did not start: {self._log.read_text()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Ask it to end, and wait until it and its children are gone."""
        if self._process is None:
            return
        os.killpg(self._process.pid, self._end)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._process = None

    def _listens(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", self._port)) == 0
