"""``pacsfw testpacs``: a process that serves until it is stopped."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from pacsfw.testing import make_studies, population, write_studies
from peers.readback import by_uid, move_by_dcmtk
from unit.testing.asking import by_dcmtk

COMMAND = [sys.executable, "-m", "pacsfw", "testpacs"]
ALL = {"StudyInstanceUID": ""}


@dataclass
class Running:
    """A PACS as its first line of output describes it."""

    aetitle: str
    host: str
    port: int
    studies: int
    process: subprocess.Popen[str]

    def stop(self, number: signal.Signals = signal.SIGINT) -> str:
        """Stop it and return what else it printed."""
        self.process.send_signal(number)
        assert self.process.stdout is not None
        said = self.process.stdout.read()  # ends when the process does
        self.process.wait(30)
        return said


@contextmanager
def running(*options: str) -> Iterator[Running]:
    command = [*COMMAND, "--port", "0", *options]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # A shell's background job ignores it, and so would the process.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            ready = re.fullmatch(r"(\S+) listens on (\S+):(\d+) with (\d+) studies\n", line)
            assert ready, line + process.stdout.read()
            yield Running(ready[1], ready[2], int(ready[3]), int(ready[4]), process)
        finally:
            process.kill()


def refused(*options: str) -> str:
    done = subprocess.run([*COMMAND, *options], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr
    return done.stderr


def test_it_serves_a_population_until_it_is_interrupted() -> None:
    with running("--studies", "40") as pacs:
        assert (pacs.aetitle, pacs.studies) == ("TESTPACS", 40)
        asked = by_dcmtk(pacs, ALL)
        assert asked.values("StudyInstanceUID") == [study.uid for study in population(40)]
        assert "no faults" in pacs.stop()
    assert pacs.process.returncode == 0


def test_it_does_wrong_what_it_is_told_and_says_so() -> None:
    options = ["--aetitle", "BAD", "--studies", "40", "--cap", "7", "--cap-status", "fe00"]
    options += ["--ignore-keys", "StudyDescription, optional", "--models", "study"]
    with running(*options) as pacs:
        asked = by_dcmtk(pacs, ALL | {"ModalitiesInStudy": "NONE"})
        assert (pacs.aetitle, asked.status, len(asked.rows)) == ("BAD", 0xFE00, 7)
        said = pacs.stop(signal.SIGTERM)
    assert pacs.process.returncode == 0
    assert "at most 7 rows in a query result, then it ends with FE00" in said
    assert "ignored matching keys: StudyDescription, optional" in said
    assert "only the Study Root model" in said


def test_it_serves_a_folder_and_moves_from_it(tmp_path: Path, reference_port: int) -> None:
    [study] = make_studies(1)
    write_studies(tmp_path / "held", [study])
    held = by_uid(tmp_path / "held")
    (tmp_path / "held" / "notes.txt").write_text("no DICOM")
    destination = f"REFERENCE=127.0.0.1:{reference_port}"
    with running("--folder", str(tmp_path / "held"), "--destination", destination) as pacs:
        assert pacs.studies == 1
        assert move_by_dcmtk(pacs, study.uid, reference_port, tmp_path / "sent") == held
        assert "1 files are not served" in pacs.stop()


def test_a_port_in_use_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"cannot listen on 127.0.0.1:{port}" in refused("--port", str(port))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--ignore-keys", "StudyDat"], "--ignore-keys: 'StudyDat' is not a DICOM keyword"),
        (["--cap-before-filter"], "--cap-before-filter: requires cap"),
        (["--cap-status", "B000"], "B000"),
        (["--aetitle", "SEVENTEENLETTERSX"], "'SEVENTEENLETTERSX' is not an AE title: 1 to 16"),
        (["--destination", "ONE=host"], "'ONE=host' is not AETITLE=HOST:PORT"),
        (["--folder", "no-such-folder"], "no-such-folder"),
        (["--studies", "1", "--folder", "."], "--studies and --folder"),
    ],
)
def test_a_bad_option_is_said(options: list[str], problem: str) -> None:
    assert problem in refused("--port", "0", *options)
