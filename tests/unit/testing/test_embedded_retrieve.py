"""Retrieves from an EmbeddedPACS, and storing to it."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pydicom
import pytest
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, evt
from pynetdicom.presentation import build_context

from pacsfw.testing import EmbeddedPACS, make_studies, write_studies
from pacsfw.testing.synthetic import EXPLICIT_LE, IMPLICIT_LE, SOP_CLASSES
from peers.process import free_port, require
from peers.readback import by_uid, move_by_dcmtk
from peers.scu import MODELS, MOVE, associate, find, get, identifier, move

Start = Callable[..., EmbeddedPACS]
STUDY = make_studies(1, instances=3)[0]
KEYS = {"StudyInstanceUID": STUDY.uid}


@contextmanager
def receiver(
    port: int,
    answer: Callable[[evt.Event], int],
    sop_classes: Iterable[str] = (SOP_CLASSES["CT"], SOP_CLASSES["SR"]),
) -> Iterator[None]:
    ae = AE(ae_title="PACSFW")
    contexts = [build_context(sop_class, ALL_TRANSFER_SYNTAXES) for sop_class in sop_classes]
    server = ae.start_server(
        ("127.0.0.1", port),
        block=False,
        contexts=contexts,
        evt_handlers=[(evt.EVT_C_STORE, answer)],
    )
    try:
        yield
    finally:
        server.shutdown()


@pytest.fixture(scope="module")
def pacs(destinations: dict[str, tuple[str, int]]) -> Iterator[EmbeddedPACS]:
    """One with nothing but STUDY, for the tests that change nothing in it."""
    with EmbeddedPACS([STUDY], destinations=destinations) as running:
        yield running


def counts(answer: object) -> tuple[int, ...]:
    last = answer.last  # type: ignore[attr-defined]
    return tuple(
        last[f"NumberOf{kind}Suboperations"].value for kind in ("Completed", "Failed", "Warning")
    )


def failed_uids(answer: object) -> set[str]:
    value = answer.identifiers[-1].FailedSOPInstanceUIDList  # type: ignore[attr-defined]
    return {value} if isinstance(value, str) else set(value)


@pytest.mark.parametrize("syntax", [EXPLICIT_LE, IMPLICIT_LE])
def test_the_stored_bytes_are_sent_as_they_are(
    embedded_pacs: Start, tmp_path: Path, reference_port: int, syntax: str
) -> None:
    study = make_studies(1, modalities=[("CT", "SR", "MR")], syntax=syntax)[0]
    study.write(tmp_path / "held")
    pacs = embedded_pacs(tmp_path / "held")
    sent = move_by_dcmtk(pacs, study.uid, reference_port, tmp_path / "sent")
    assert sent == by_uid(tmp_path / "held")


def names_another(path: Path) -> bool:
    """Tell whether the File Meta of a file is that of another object."""
    dataset = pydicom.dcmread(path, specific_tags=["SOPInstanceUID"])
    same: bool = dataset.file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID
    return not same


@pytest.mark.filterwarnings("ignore:Invalid value for VR UI:UserWarning")
def test_the_good_samples_are_sent_as_they_are(
    embedded_pacs: Start, tmp_path: Path, receiver_port: int, good_samples: list[Path]
) -> None:
    for number, path in enumerate(good_samples):
        (tmp_path / f"{number}.dcm").symlink_to(path)
    pacs = embedded_pacs(tmp_path)
    received = {}
    classes = [
        str(pydicom.dcmread(path, specific_tags=["SOPClassUID"]).SOPClassUID)
        for path in good_samples
    ]

    def store(event: evt.Event) -> int:
        uid = str(event.request.AffectedSOPInstanceUID)
        received[uid] = event.encoded_dataset(include_meta=False)
        return 0x0000

    with receiver(receiver_port, store, set(classes)):
        for study_uid in pacs.uids("STUDY"):
            move(pacs, "STUDY", {"StudyInstanceUID": study_uid}, "PACSFW")
    held = by_uid(tmp_path)
    assert received == {uid: held[uid] for uid in pacs.uids()}
    assert set(pacs.skipped) == {path for path in tmp_path.iterdir() if names_another(path)}


def test_each_object_is_reported_and_names_who_asked(
    pacs: EmbeddedPACS, receiver_port: int
) -> None:
    seen = []

    def store(event: evt.Event) -> int:
        request = event.request
        seen.append((request.MoveOriginatorApplicationEntityTitle, request.MoveOriginatorMessageID))
        return 0x0000

    with receiver(receiver_port, store):
        answer = move(pacs, "STUDY", KEYS, "PACSFW")
    assert answer.statuses == [0xFF00] * 6 + [0x0000]
    assert counts(answer) == (6, 0, 0)
    assert set(seen) == {("PACSFW", 1)}
    assert pacs.log[-1].status == 0x0000


@pytest.mark.parametrize(
    ("level", "keys", "expected"),
    [
        ("SERIES", KEYS | {"SeriesInstanceUID": STUDY.series_uid(2)}, 3),
        (
            "IMAGE",
            KEYS
            | {
                "SeriesInstanceUID": STUDY.series_uid(2),
                "SOPInstanceUID": f"{STUDY.sop_uid(2, 1)}\\{STUDY.sop_uid(2, 3)}",
            },
            2,
        ),
        ("STUDY", {"StudyInstanceUID": "1.2.3"}, 0),
    ],
)
def test_only_what_was_asked_for_is_sent(
    pacs: EmbeddedPACS, receiver_port: int, level: str, keys: dict[str, str], expected: int
) -> None:
    with receiver(receiver_port, lambda _event: 0x0000):
        answer = move(pacs, level, keys, "PACSFW")
    assert (answer.status, counts(answer)) == (0x0000, (expected, 0, 0))


def test_a_patient_is_moved_in_the_patient_root_model(
    embedded_pacs: Start, receiver_port: int
) -> None:
    pacs = embedded_pacs(make_studies(4, patients=2, modalities=[("CT",)], instances=1))
    with receiver(receiver_port, lambda _event: 0x0000):
        answer = move(pacs, "PATIENT", {"PatientID": "SYN1-00001"}, "PACSFW", root="PATIENT")
    assert counts(answer) == (2, 0, 0)


def test_an_unknown_destination_is_said_to_be_unknown(pacs: EmbeddedPACS) -> None:
    assert move(pacs, "STUDY", KEYS, "NOBODY").statuses == [0xA801]


def test_an_unreachable_destination_fails_every_object_by_name(pacs: EmbeddedPACS) -> None:
    answer = move(pacs, "STUDY", KEYS, "DEAD")
    assert answer.statuses == [0xA702]
    assert counts(answer) == (0, 6, 0)
    assert failed_uids(answer) == set(STUDY.sop_uids)


def test_a_refused_object_is_named_and_the_rest_is_sent(
    pacs: EmbeddedPACS, receiver_port: int
) -> None:
    refused = STUDY.sop_uid(1, 2)

    def store(event: evt.Event) -> int:
        return 0xA700 if event.request.AffectedSOPInstanceUID == refused else 0x0000

    with receiver(receiver_port, store):
        answer = move(pacs, "STUDY", KEYS, "PACSFW")
    assert (answer.status, counts(answer)) == (0xB000, (5, 1, 0))
    assert failed_uids(answer) == {refused}


def test_a_warning_is_counted_as_one(pacs: EmbeddedPACS, receiver_port: int) -> None:
    with receiver(receiver_port, lambda _event: 0xB000):
        answer = move(pacs, "STUDY", KEYS, "PACSFW")
    assert (answer.status, counts(answer)) == (0xB000, (0, 0, 6))


def test_a_class_that_the_destination_does_not_take_fails(
    embedded_pacs: Start, receiver_port: int
) -> None:
    study = make_studies(1, modalities=[("CT", "SR")], instances=1)[0]
    pacs = embedded_pacs([study])
    with receiver(receiver_port, lambda _event: 0x0000, [SOP_CLASSES["CT"]]):
        answer = move(pacs, "STUDY", {"StudyInstanceUID": study.uid}, "PACSFW")
    assert (answer.status, counts(answer)) == (0xB000, (1, 1, 0))
    assert failed_uids(answer) == {study.sop_uid(2, 1)}


def test_an_empty_study_uid_moves_nothing(pacs: EmbeddedPACS) -> None:
    answer = move(pacs, "STUDY", {"StudyInstanceUID": ""}, "PACSFW")
    assert answer.statuses == [0xA900]


def test_a_cancelled_move_stops_and_says_what_remains(
    embedded_pacs: Start, receiver_port: int
) -> None:
    pacs = embedded_pacs([STUDY], delay=0.05)
    model = MODELS["STUDY"] + MOVE
    statuses, cancelled = [], threading.Event()

    def store(event: evt.Event) -> int:
        if event.request.AffectedSOPInstanceUID != STUDY.sop_uids[0]:
            cancelled.wait(30)
        return 0x0000

    with (
        receiver(receiver_port, store),
        associate(pacs, [build_context(model)]) as association,
    ):
        for status, _ in association.send_c_move(identifier("STUDY", KEYS), "PACSFW", model):
            statuses.append(status)
            if len(statuses) == 1:
                association.send_c_cancel(1, query_model=model)
                cancelled.set()
    assert statuses[-1].Status == 0xFE00
    last = statuses[-1]
    assert last.NumberOfCompletedSuboperations + last.NumberOfRemainingSuboperations == 6
    assert last.NumberOfRemainingSuboperations > 0
    assert pacs.log[-1].status == 0xFE00


def test_c_get_brings_the_stored_bytes(embedded_pacs: Start, tmp_path: Path) -> None:
    STUDY.write(tmp_path)
    answer, received = get(embedded_pacs(tmp_path), "STUDY", KEYS)
    assert (answer.status, counts(answer)) == (0x0000, (6, 0, 0))
    assert dict(received) == by_uid(tmp_path)


def test_c_get_without_role_selection_fails_every_object(pacs: EmbeddedPACS) -> None:
    answer, received = get(pacs, "STUDY", KEYS, roles=False)
    assert (answer.status, counts(answer), received) == (0xA702, (0, 6, 0), [])
    assert failed_uids(answer) == set(STUDY.sop_uids)


def test_getscu_of_dcmtk_gets_a_study(embedded_pacs: Start, tmp_path: Path) -> None:
    require("getscu")
    STUDY.write(tmp_path / "held")
    (tmp_path / "got").mkdir()
    pacs = embedded_pacs(tmp_path / "held")
    command = ["getscu", "-S", "-aec", pacs.aetitle, "+B"]
    command += ["-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={STUDY.uid}"]
    command += [pacs.host, str(pacs.port)]
    subprocess.run(command, cwd=tmp_path / "got", check=True, capture_output=True)
    assert by_uid(tmp_path / "got") == by_uid(tmp_path / "held")


@pytest.mark.parametrize("sender", ["storescu", "dcmsend"])
def test_what_dcmtk_stores_is_found_and_sent_again(
    embedded_pacs: Start, tmp_path: Path, reference_port: int, sender: str
) -> None:
    require(sender)
    paths = write_studies(tmp_path / "new", [STUDY])
    pacs = embedded_pacs()
    command = [sender, "-aec", pacs.aetitle, pacs.host, str(pacs.port), *map(str, paths)]
    subprocess.run(command, check=True, capture_output=True)
    assert pacs.uids() == set(STUDY.sop_uids)
    assert len(find(pacs, "STUDY", KEYS).identifiers) == 1
    sent = move_by_dcmtk(pacs, STUDY.uid, reference_port, tmp_path / "sent")
    assert sent == by_uid(tmp_path / "new")


def test_a_destination_can_be_added_while_it_runs(pacs: EmbeddedPACS) -> None:
    port = free_port()
    pacs.set_destination("LATER", "127.0.0.1", port)
    with receiver(port, lambda _event: 0x0000):
        assert move(pacs, "STUDY", KEYS, "LATER").status == 0x0000
