"""Every transfer syntax that DCMTK can propose, Orthanc and pynetdicom, byte for byte."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, CTImageStorage, generate_uid
from pynetdicom import AE, _config
from pynetdicom.presentation import build_context

from pacsfw.api import Accept
from pacsfw.testing._sending import keep_responses
from peers import scu
from peers.orthanc import Orthanc
from peers.process import require
from peers.readback import dataset_bytes
from unit.steps.receive.listening import Listening

PROPOSALS = {
    "-xe": "1.2.840.10008.1.2.1",
    "-xb": "1.2.840.10008.1.2.2",
    "-xi": "1.2.840.10008.1.2",
    "-xs": "1.2.840.10008.1.2.4.70",
    "-xy": "1.2.840.10008.1.2.4.50",
    "-xx": "1.2.840.10008.1.2.4.51",
    "-xv": "1.2.840.10008.1.2.4.90",
    "-xw": "1.2.840.10008.1.2.4.91",
    "-xt": "1.2.840.10008.1.2.4.80",
    "-xu": "1.2.840.10008.1.2.4.81",
    "-xm": "1.2.840.10008.1.2.4.100",
    "-xh": "1.2.840.10008.1.2.4.101",
    "-xn": "1.2.840.10008.1.2.4.102",
    "-xl": "1.2.840.10008.1.2.4.103",
    "-x2": "1.2.840.10008.1.2.4.104",
    "-x3": "1.2.840.10008.1.2.4.105",
    "-xo": "1.2.840.10008.1.2.4.106",
    "-x4": "1.2.840.10008.1.2.4.107",
    "-x5": "1.2.840.10008.1.2.4.108",
    "-xr": "1.2.840.10008.1.2.5",
    "-xd": "1.2.840.10008.1.2.1.99",
}
"""Options of storescu and what they propose."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, receiver_port: int) -> Iterator[Listening]:
    running = Listening(
        tmp_path_factory.mktemp("spool"), accept=Accept(deflated=True), port=receiver_port
    )
    yield running
    running.stop()


@pytest.fixture
def listening(running: Listening) -> Listening:
    running.records.clear()
    return running


def make_file(folder: Path, syntax: str) -> Path:
    """An image; compressed ones hold bytes that only look like a codestream."""
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID = CTImageStorage, generate_uid()
    made.StudyInstanceUID, made.SeriesInstanceUID = generate_uid(), generate_uid()
    made.PatientID, made.PatientName, made.Modality = "P1", "Doe^John", "CT"
    made.Rows = made.Columns = 8
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.BitsAllocated = made.BitsStored = 16
    made.HighBit, made.PixelRepresentation = 15, 0
    uid = UID(syntax)
    made.PixelData = encapsulate([b"\xff\xd8\xff\xe0" + bytes(96)]) if uid.is_encapsulated else (
        bytes(range(128))
    )  # fmt: skip
    made["PixelData"].VR = "OB" if uid.is_encapsulated else "OW"
    made["PixelData"].is_undefined_length = uid.is_encapsulated
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = uid
    path = folder / f"{syntax}.dcm"
    made.save_as(path, enforce_file_format=True)
    return path


def run(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True, capture_output=True)


@pytest.mark.parametrize("option", PROPOSALS)
def test_storescu_delivers_whatever_it_can_propose(
    listening: Listening, tmp_path: Path, option: str
) -> None:
    require("storescu")
    syntax = PROPOSALS[option]
    path = make_file(tmp_path, syntax)
    run("storescu", "-R", option, "-aec", "PACSFW", listening.host, listening.port, path)
    listening.wait_for(lambda: listening.sealed)
    assert listening.sealed[0].syntax == syntax
    if option != "-xd":  # which is deflated again, by DCMTK's zlib
        assert dataset_bytes(listening.sealed[0].path) == dataset_bytes(path)
    run("dcmdump", listening.sealed[0].path)


def test_dcmsend_delivers_all_of_them_over_one_association(
    listening: Listening, tmp_path: Path
) -> None:
    require("dcmsend")
    files = [make_file(tmp_path, syntax) for syntax in PROPOSALS.values()]
    command = ("dcmsend", "--decompress-never", "-aec", "PACSFW", listening.host, listening.port)
    run(*command, *files)
    listening.wait_for(lambda: len(listening.sealed) == len(files))
    syntaxes = {sealed.syntax for sealed in listening.sealed}
    # It offers Implicit and Big Endian beside Explicit, which is chosen then.
    assert syntaxes >= set(PROPOSALS.values()) - {PROPOSALS["-xi"], PROPOSALS["-xb"]}


def test_pynetdicom_delivers_all_of_them_over_one_association(
    listening: Listening, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_config, "STORE_SEND_CHUNKED_DATASET", True)
    files = {syntax: make_file(tmp_path, syntax) for syntax in PROPOSALS.values()}
    contexts = [build_context(CTImageStorage, syntax) for syntax in files]
    association = AE(ae_title="PYNET").associate(
        listening.host, listening.port, contexts, ae_title="PACSFW"
    )
    keep_responses(association)
    try:
        assert {association.send_c_store(path).Status for path in files.values()} == {0}
    finally:
        association.release()
    listening.wait_for(lambda: len(listening.sealed) == len(files))
    arrived = {sealed.syntax: dataset_bytes(sealed.path) for sealed in listening.sealed}
    assert arrived == {syntax: dataset_bytes(path) for syntax, path in files.items()}


def test_orthanc_delivers_what_it_holds_as_it_is(
    listening: Listening, orthanc: Orthanc, tmp_path: Path
) -> None:
    chosen = ("-xe", "-xs", "-xy", "-xv", "-xt", "-xr", "-xn")
    files = {PROPOSALS[option]: make_file(tmp_path, PROPOSALS[option]) for option in chosen}
    orthanc.load(files.values())
    for study in orthanc.uids("STUDY"):
        answer = scu.move(orthanc, "STUDY", {"StudyInstanceUID": study}, "PACSFW")
        assert answer.status == 0
    listening.wait_for(lambda: len(listening.sealed) == len(files))
    arrived = {sealed.syntax: dataset_bytes(sealed.path) for sealed in listening.sealed}
    assert arrived == {syntax: dataset_bytes(path) for syntax, path in files.items()}
