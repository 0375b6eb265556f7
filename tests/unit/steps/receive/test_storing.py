"""What senders send arrives byte for byte."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread
from pynetdicom import AE, _config
from pynetdicom.presentation import build_context

from pacsfw.dicom.part10 import read_file_meta
from pacsfw.testing import make_studies, write_studies
from pacsfw.testing._sending import keep_responses
from peers.readback import dataset_bytes
from unit.steps.receive.listening import Listening


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    running = Listening(tmp_path_factory.mktemp("spool"), processes=2)
    yield running
    running.stop()


@pytest.fixture
def listening(running: Listening) -> Listening:
    running.records.clear()
    return running


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_studies(tmp_path_factory.mktemp("sent"), make_studies(2))


def arrived(listening: Listening) -> dict[str, bytes]:
    """Data sets by the SOP Instance UID that the File Meta says."""
    return {
        read_file_meta(sealed.path).sop_uid: dataset_bytes(sealed.path)
        for sealed in listening.sealed
    }


def sent(files: list[Path]) -> dict[str, bytes]:
    return {read_file_meta(path).sop_uid: dataset_bytes(path) for path in files}


def run(*command: object) -> None:
    subprocess.run([str(part) for part in command], check=True, capture_output=True)


def test_storescu_delivers_many_objects_over_one_association(
    listening: Listening, files: list[Path]
) -> None:
    run("storescu", "-aet", "SENDER", "-aec", "PACSFW", "127.0.0.1", listening.port, *files)
    listening.wait_for(lambda: len(listening.sealed) == len(files))
    assert arrived(listening) == sent(files)
    assert {sealed.calling_ae for sealed in listening.sealed} == {"SENDER"}


@pytest.mark.parametrize("max_pdu", [4096, 16384, 131072])
def test_dcmsend_delivers_with_any_pdu_size(
    listening: Listening, files: list[Path], max_pdu: int
) -> None:
    run("dcmsend", "--max-send-pdu", max_pdu, "-aec", "PACSFW", "127.0.0.1", listening.port, *files)
    listening.wait_for(lambda: len(listening.sealed) == len(files))
    assert arrived(listening) == sent(files)


def test_pynetdicom_delivers_byte_for_byte(
    listening: Listening, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without it pynetdicom encodes the data set anew.
    monkeypatch.setattr(_config, "STORE_SEND_CHUNKED_DATASET", True)
    ae = AE(ae_title="PYNET")
    classes = {dcmread(path).SOPClassUID for path in files}
    contexts = [build_context(uid, "1.2.840.10008.1.2.1") for uid in classes]
    association = ae.associate("127.0.0.1", listening.port, contexts, ae_title="PACSFW")
    keep_responses(association)
    try:
        statuses = {association.send_c_store(path).Status for path in files}
    finally:
        association.release()
    assert statuses == {0}
    listening.wait_for(lambda: len(listening.sealed) == len(files))
    assert arrived(listening) == sent(files)


def test_objects_of_private_sop_classes_are_stored(
    listening: Listening, monkeypatch: pytest.MonkeyPatch, files: list[Path]
) -> None:
    monkeypatch.setattr(_config, "UNRESTRICTED_STORAGE_SERVICE", True)
    private = "1.3.46.670589.11.0.0.12.1"
    dataset = dcmread(files[0])
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = private
    ae = AE()
    contexts = [build_context(private, "1.2.840.10008.1.2.1")]
    association = ae.associate("127.0.0.1", listening.port, contexts, ae_title="PACSFW")
    keep_responses(association)
    try:
        assert association.send_c_store(dataset).Status == 0
    finally:
        association.release()
    listening.wait_for(lambda: listening.sealed)
    assert listening.sealed[0].sop_class == private


def test_several_senders_at_once_lose_nothing(listening: Listening, files: list[Path]) -> None:
    command = ["storescu", "-aec", "PACSFW", "127.0.0.1", str(listening.port)]
    senders = [subprocess.Popen([*command, *map(str, files)]) for _ in range(4)]
    assert [sender.wait(60) for sender in senders] == [0] * 4
    listening.wait_for(lambda: len(listening.sealed) == 4 * len(files))
    assert arrived(listening) == sent(files)


def test_good_samples_arrive_as_they_are(listening: Listening, good_samples: list[Path]) -> None:
    # This dcmsend does not know Deflated Image Frame Compression.
    deflated = ("1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.8.1")
    chosen = [
        path
        for path in good_samples
        if path.stat().st_size < 2_000_000 and read_file_meta(path).syntax not in deflated
    ][:60]
    run("dcmsend", "--decompress-never", "-aec", "PACSFW", "127.0.0.1", listening.port, *chosen)
    listening.wait_for(lambda: len(listening.sealed) == len(chosen))
    # DCMTK itself rewrites some data sets (lengths of sequences) while it sends them, and
    # some samples have another UID in their File Meta than in the data set.
    expected = sent(chosen)
    same = sum(expected.get(uid) == data for uid, data in arrived(listening).items())
    assert same >= len(chosen) // 2


def test_echoscu_is_answered(listening: Listening) -> None:
    run("echoscu", "-aec", "PACSFW", "127.0.0.1", listening.port)


def test_echoscu_with_another_called_ae_title_is_told_so(listening: Listening) -> None:
    result = subprocess.run(
        ["echoscu", "-v", "-aec", "OTHER", "127.0.0.1", str(listening.port)],
        capture_output=True,
        text=True,
    )
    assert result.returncode != 0
    assert "Called AE Title Not Recognized" in result.stderr
