"""The process behind an EmbeddedPACS: start, stop, record, privacy."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pynetdicom.presentation import build_context

from pacsfw.errors import RemoteError
from pacsfw.testing import EmbeddedPACS, Logged, awkward_studies, make_studies
from peers.process import require
from peers.scu import associate, find

pytestmark = pytest.mark.usefixtures("spawned")  # processes are what it is about

Start = Callable[..., EmbeddedPACS]
VERIFICATION = build_context("1.2.840.10008.1.1")


def test_echoscu_of_dcmtk_is_answered(embedded_pacs: Start) -> None:
    require("echoscu")
    pacs = embedded_pacs()
    command = ["echoscu", "-aec", pacs.aetitle, pacs.host, str(pacs.port)]
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    assert pacs.log == [Logged("C-ECHO", "", {}, 0x0000)]


def test_another_called_ae_title_is_rejected(embedded_pacs: Start) -> None:
    pacs = embedded_pacs()
    with associate(pacs, [VERIFICATION], called="OTHER") as association:
        assert association.is_rejected
    assert pacs.counters["rejected"] == 1


def test_every_request_is_recorded_with_its_keys_and_status(embedded_pacs: Start) -> None:
    study = make_studies(1)[0]
    pacs = embedded_pacs([study])
    find(pacs, "STUDY", {"StudyInstanceUID": study.uid, "PatientID": "*"})
    find(pacs, "SERIES", {"SeriesInstanceUID": ""})
    assert pacs.log == [
        Logged("C-FIND", "STUDY", {"StudyInstanceUID": study.uid, "PatientID": "*"}, 0x0000),
        Logged("C-FIND", "SERIES", {"SeriesInstanceUID": ""}, 0xA900),
    ]
    assert pacs.counters["C-FIND"] == 2


def test_uids_are_those_of_the_studies(embedded_pacs: Start) -> None:
    studies = make_studies(3)
    pacs = embedded_pacs(studies)
    assert pacs.uids("STUDY") == {study.uid for study in studies}
    assert pacs.uids("IMAGE", studies[1].uid) == set(studies[1].sop_uids)
    assert pacs.uids("PATIENT") == {study.patient_id for study in studies}


def test_files_that_cannot_be_served_are_named(embedded_pacs: Start, tmp_path: Path) -> None:
    [good, *_] = make_studies(1)[0].write(tmp_path)
    (tmp_path / "notes.txt").write_text("no DICOM")
    (tmp_path / "cut.dcm").write_bytes(good.read_bytes()[:300])
    pacs = embedded_pacs(tmp_path)
    assert set(pacs.skipped) == {tmp_path / "notes.txt", tmp_path / "cut.dcm"}
    assert len(pacs.uids()) == 4


def test_every_awkward_study_is_served(embedded_pacs: Start) -> None:
    studies = awkward_studies()
    assert embedded_pacs(studies.values()).uids("STUDY") == {s.uid for s in studies.values()}


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError, match="nowhere"):
        EmbeddedPACS(tmp_path / "nowhere")


def test_a_port_in_use_is_an_error_that_names_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(RemoteError, match=f"127.0.0.1:{port}"):
            EmbeddedPACS(port=port).start()


def test_after_stop_nothing_listens_and_questions_are_refused() -> None:
    with EmbeddedPACS() as pacs:
        port = pacs.port
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
    with pytest.raises(RemoteError, match="not running"):
        pacs.uids()


SCRIPT = """
import sys
from pacsfw.testing import EmbeddedPACS, make_studies

if __name__ == "__main__":
    with EmbeddedPACS(make_studies(2)) as pacs:
        print(pacs.port, flush=True)
        sys.stdin.read()
"""


@pytest.fixture
def script(tmp_path: Path) -> subprocess.Popen[str]:
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    return subprocess.Popen(
        [sys.executable, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )


class Running:
    """An EmbeddedPACS whose parent is another process."""

    aetitle = "DEMOPACS"
    host = "127.0.0.1"

    def __init__(self, port: int) -> None:
        self.port = port


def test_it_dies_with_its_parent(script: subprocess.Popen[str], tmp_path: Path) -> None:
    with script:
        assert script.stdout is not None
        port = int(script.stdout.readline())
        with associate(Running(port), [VERIFICATION]) as association:
            assert association.is_established
            script.kill()
            script.stdout.read()  # ends when the last process that holds it is gone
    assert not list(tmp_path.glob("pacsfw-embedded-*"))
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_an_interrupt_from_the_keyboard_is_left_to_the_parent(
    script: subprocess.Popen[str],
) -> None:
    with script:
        assert script.stdout is not None
        port = int(script.stdout.readline())
        child = _child(script.pid)
        os.kill(child, signal.SIGINT)
        with associate(Running(port), [VERIFICATION]) as association:
            assert association.send_c_echo().Status == 0x0000
        script.stdin.close()
    assert script.returncode == 0


def test_a_terminated_one_leaves_no_files_behind(
    script: subprocess.Popen[str], tmp_path: Path
) -> None:
    with script:
        assert script.stdout is not None
        script.stdout.readline()
        assert list(tmp_path.glob("pacsfw-embedded-*"))
        os.killpg(script.pid, signal.SIGTERM)
        script.stdout.read()  # ends when the last process that holds it is gone
    assert not list(tmp_path.glob("pacsfw-embedded-*"))


def _child(pid: int) -> int:
    """The process of the PACS: beside it, multiprocessing has one that tracks resources."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    [found] = [
        int(child)
        for child in children
        if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()
    ]
    return found


def test_it_prints_nothing_whatever_it_is_asked(script: subprocess.Popen[str]) -> None:
    with script:
        assert script.stdout is not None
        port = int(script.stdout.readline())
        pacs = Running(port)
        find(pacs, "STUDY", {"PatientName": "SECRET^NAME", "StudyInstanceUID": ""})
        find(pacs, "SERIES", {"PatientName": "SECRET^NAME"})
        assert script.communicate("")[0] == ""
