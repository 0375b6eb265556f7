"""The Storage SCPs that are measured side by side, each as a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from measured import cpu_seconds, watching

HERE = Path(__file__).parent
OURS = "pacsfw"
DCMTK = "storescp --bit-preserving"
AETITLE = "PACSFW"
PACSANINI = os.environ.get("PACSANINI_PYTHON", "")
_PROFILE = Path("/etc/dcmtk/storescp.cfg")
_PACSANINI_SERVER = (
    "import sys; from pacsanini.net.storescp import run_server; run_server("
    "{'aetitle': sys.argv[2], 'port': int(sys.argv[1])}, data_dir=sys.argv[3],"
    " sort_by='PATIENT', block=True)"
)

_OF_PYNETDICOM = 10
"""Its default `maximum_associations`, which both programs keep."""


@dataclass(frozen=True)
class Kind:
    """How a receiver is started, and how much it is given to do."""

    name: str
    command: Callable[[int, Path], list[str]]
    share: float = 1.0
    """Of the objects that the fast ones get: the slow ones would take too long."""
    associations: int = 64
    """How many it serves at once; it is not given more, since it would refuse some."""


def kinds() -> dict[str, Kind]:
    """Return what is installed here."""
    found = [Kind(OURS, _ours)]
    if shutil.which("storescp"):
        bits = ["--bit-preserving", "-pdu", "131072"]
        found.append(Kind(DCMTK, lambda port, folder: _storescp(port, folder, *bits)))
        found.append(Kind("storescp", _storescp, 0.5))
    if shutil.which("dcmrecv") and _PROFILE.exists():
        found.append(
            Kind(
                "dcmrecv --bit-preserving",
                lambda port, folder: _dcmrecv(port, folder, "--bit-preserving", "-pdu", "131072"),
                associations=1,
            )
        )
        found.append(Kind("dcmrecv", _dcmrecv, 0.5, associations=1))
    found.append(Kind("pynetdicom storescp", _pynetdicom, 0.08, associations=_OF_PYNETDICOM))
    if shutil.which("Orthanc"):
        found.append(Kind("Orthanc", _orthanc, 0.2))
    if PACSANINI:
        found.append(Kind("pacsanini", _pacsanini, 0.03, associations=_OF_PYNETDICOM))
    return {kind.name: kind for kind in found}


def _ours(port: int, folder: Path) -> list[str]:
    return [sys.executable, str(HERE / "receiving.py"), str(port), str(folder)]


def _storescp(port: int, folder: Path, *options: str) -> list[str]:
    return ["storescp", "-q", "--fork", *options, "-od", str(folder), str(port)]


def _dcmrecv(port: int, folder: Path, *options: str) -> list[str]:
    profile = ["--config-file", str(_PROFILE), "Default"]
    return ["dcmrecv", "-q", *profile, *options, "-od", str(folder), str(port)]


def _pynetdicom(port: int, folder: Path) -> list[str]:
    return [sys.executable, "-m", "pynetdicom", "storescp", str(port), "-q", "-od", str(folder)]


def _pacsanini(port: int, folder: Path) -> list[str]:
    return [PACSANINI, "-c", _PACSANINI_SERVER, str(port), AETITLE, str(folder)]


def _orthanc(port: int, folder: Path) -> list[str]:
    configuration = folder.with_suffix(".json")
    settings = {
        "StorageDirectory": str(folder),
        "IndexDirectory": str(folder),
        "DicomAet": AETITLE,
        "DicomPort": port,
        "HttpServerEnabled": False,
        "Plugins": [],
    }
    configuration.write_text(json.dumps(settings))
    return ["Orthanc", str(configuration)]


@dataclass(frozen=True)
class Measured:
    """One run: objects per second, CPU seconds per object, most memory in bytes."""

    rate: float
    cpu: float
    memory: int


@dataclass
class Receiver:
    """A running receiver, and the runs that were measured."""

    kind: Kind
    port: int
    folder: Path
    extra: list[str] = field(default_factory=list)
    runs: list[Measured] = field(default_factory=list)

    def start(self) -> None:
        self.folder.mkdir(parents=True)
        log = self.folder.with_suffix(".log").open("wb")
        # Without it DCMTK and Orthanc stall 40 ms per object: they are at their best here.
        environment = {**os.environ, "TCP_NODELAY": "1"}
        self.process = subprocess.Popen(
            self.kind.command(self.port, self.folder) + self.extra,
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,
        )
        self._await(lambda: _listens(self.port))
        if self.kind.name == OURS:
            self._await(lambda: "ready" in self.output())
        time.sleep(0.3)

    def stop(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def output(self) -> str:
        return self.folder.with_suffix(".log").read_text(errors="replace")

    def measure(self, run: int, objects: int, *options: str, finish: bool = False) -> Measured:
        """Send objects; with ``finish`` the time runs until the receiver says that all are in."""
        before = cpu_seconds(self.process.pid)
        command = [str(self.port), AETITLE, "--objects", str(objects), "--run", str(run), *options]
        with watching(self.process.pid) as peak:
            sent = subprocess.run(
                [sys.executable, HERE / "sending.py", *command], capture_output=True, text=True
            )
            if sent.returncode:
                raise SystemExit(f"{self.kind.name}: {sent.stderr}\n{self.output()}")
            told = json.loads(sent.stdout)
            ended = self._all_in() if finish else told["ended"]
        if told["refused"]:
            raise SystemExit(f"{self.kind.name} refused {told['refused']} objects")
        time.sleep(0.2)
        cpu = (cpu_seconds(self.process.pid) - before) / objects
        measured = Measured(objects / (ended - told["begun"]), cpu, peak.bytes)
        self.runs.append(measured)
        return measured

    def clear(self) -> None:
        """Remove what arrived, where nothing but files tells of it."""
        if self.kind.name != "Orthanc":
            for entry in os.scandir(self.folder):
                if entry.is_file():
                    Path(entry).unlink()
                else:
                    shutil.rmtree(entry.path)

    def _all_in(self) -> float:
        self._await(lambda: '"all"' in self.output(), 120)
        return float(json.loads(self.output().splitlines()[-1])["all"])

    def _await(self, condition: Callable[[], bool], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{self.kind.name} does not get on:\n{self.output()}")
            time.sleep(0.02)


def _listens(port: int) -> bool:
    import socket

    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
