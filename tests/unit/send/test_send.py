"""Sending files to real archives, to our own receiver, and to nodes that make difficulties."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.config import IGNORE
from pydicom.dataelem import DataElement
from pydicom.uid import ImplicitVRLittleEndian
from pynetdicom import evt

from pacsfw.cli import main
from pacsfw.dicom.implicit import CONVERTIBLE
from pacsfw.dicom.part10 import read_file_meta
from pacsfw.errors import RemoteError
from pacsfw.send.files import Sendable, Unsendable, files, look
from pacsfw.send.send import Sent, send
from pacsfw.testing import make_studies, write_studies
from peers.process import Server, free_port, require
from peers.readback import dataset_bytes
from unit.dimse.scripted import net, scripted
from unit.steps.receive.listening import Listening

CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_studies(tmp_path / "files", make_studies(4))
    return tmp_path / "files"


def sendable(*paths: Path) -> list[Sendable]:
    return [each for each in look(files(paths), paths) if isinstance(each, Sendable)]


def sent_to(nodes: Any, found: list[Sendable]) -> list[Sent]:
    told: list[Sent] = []
    send(nodes, found, told.append, threading.Event())
    return told


@pytest.fixture
def listening(tmp_path: Path) -> Any:
    running = Listening(tmp_path / "spool")
    yield running
    running.stop()


def test_a_real_archive_takes_every_file(real_pacs: Any, folder: Path) -> None:
    found = sendable(folder)
    told = sent_to(net(real_pacs.port, real_pacs.aetitle), found)
    assert {(each.state, each.status) for each in told} == {("sent", 0)}
    assert real_pacs.uids() == {each.sop_uid for each in found}
    assert len(told) == len(found) == 14


def test_bytes_arrive_as_they_are_in_the_file(
    listening: Any, folder: Path, good_samples: list[Path]
) -> None:
    samples = sendable(folder, *good_samples)
    told = sent_to(net(listening.port, listening.aetitle), samples)
    refused = [each for each in told if each.state != "sent"]
    assert all("does not accept" in each.words for each in refused)  # Deflated is off
    taken = [each.file for each in told if each.state == "sent"]
    listening.wait_for(lambda: len(listening.sealed) == len(taken))
    arrived = {record.sop_uid: dataset_bytes(record.path) for record in listening.sealed}
    assert arrived == {file.sop_uid: dataset_bytes(file.path) for file in taken}
    assert len(refused) <= 3


def test_a_node_that_takes_implicit_only_gets_implicit(folder: Path) -> None:
    got: dict[str, str] = {}

    def store(event: evt.Event) -> int:
        got[str(event.request.AffectedSOPInstanceUID)] = event.context.transfer_syntax
        assert event.dataset.PatientID.startswith("SYN1")
        return 0x0000

    def narrow(event: evt.Event) -> None:
        event.assoc.acceptor.supported_contexts = [
            context
            for context in event.assoc.acceptor.supported_contexts
            if not setattr(context, "transfer_syntax", [ImplicitVRLittleEndian])
        ]

    handlers = ((evt.EVT_C_STORE, store), (evt.EVT_REQUESTED, narrow))
    with scripted(*handlers, contexts=(CT, MR)) as nodes:
        told = sent_to(nodes, sendable(folder))
    states = {(each.file.sop_class in (CT, MR), each.state) for each in told}
    assert states == {(True, "sent"), (False, "failed")}
    assert set(got.values()) == {ImplicitVRLittleEndian}
    (words,) = {each.words for each in told if each.state == "failed"}
    assert words.startswith("the node does not accept Basic Text SR Storage in Explicit VR")


def test_statuses_are_told_for_each_file(folder: Path) -> None:
    statuses = iter([0x0000, 0xB007, 0xA700, 0x0122])
    handler = (evt.EVT_C_STORE, lambda event: next(statuses))
    with scripted(handler, contexts=(CT,)) as nodes:
        told = sent_to(nodes, [each for each in sendable(folder) if each.sop_class == CT][:4])
    assert [each.state for each in told] == ["sent", "warning", "failed", "failed"]
    assert told[2].words == "A700: Refused: out of resources"


def test_an_object_that_makes_the_node_abort_costs_that_object_only(folder: Path) -> None:
    found = [each for each in sendable(folder) if each.sop_class == CT]
    poison = found[2].sop_uid

    def store(event: evt.Event) -> int:
        if event.request.AffectedSOPInstanceUID == poison:
            event.assoc.abort()
        return 0x0000

    with scripted((evt.EVT_C_STORE, store), contexts=(CT,)) as nodes:
        told = sent_to(nodes, found)
    assert [each.file for each in told if each.state == "failed"] == [found[2]]
    assert len(told) == len(found)


def test_more_classes_than_contexts_take_more_associations(tmp_path: Path) -> None:
    (study,) = make_studies(1, modalities=(("CT",),), instances=70)
    paths = study.write(tmp_path)
    for number, path in enumerate(paths):
        dataset = dcmread(path)
        dataset.SOPClassUID = f"1.2.3.{number}"
        dataset.save_as(path)
    listening = Listening(tmp_path / "spool")
    told = sent_to(net(listening.port, listening.aetitle), sendable(*paths))
    listening.wait_for(lambda: len(listening.sealed) == 70)
    listening.stop()
    assert {each.state for each in told} == {"sent"}
    assert {record.sop_class for record in listening.sealed} == {f"1.2.3.{n}" for n in range(70)}


def test_a_file_that_changes_while_it_is_sent_is_not_sent_to_its_end(
    listening: Any, folder: Path
) -> None:
    found = sendable(folder)
    gone = found[2]
    gone.path.unlink()
    told = {each.file: each for each in sent_to(net(listening.port, listening.aetitle), found)}
    assert told[gone].state == "failed"
    assert told[gone].words.startswith("cannot be read")
    assert [each.state for file, each in told.items() if file != gone] == ["sent"] * 13
    listening.wait_for(lambda: len(listening.sealed) == 13)


def test_a_node_that_is_not_there_is_an_error_and_every_file_is_told_of(folder: Path) -> None:
    told: list[Sent] = []
    found = sendable(folder)
    with pytest.raises(RemoteError, match="nothing listens there"):
        send(net(free_port()), found, told.append, threading.Event())
    assert {each.state for each in told} == {"not sent"}
    assert len(told) == len(found)


def test_what_is_in_folders_is_looked_at(folder: Path, tmp_path: Path) -> None:
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "x.dcm").write_bytes(b"x")
    (folder / "notes.txt").write_text("not DICOM")
    named = tmp_path / "named.dcm"
    named.write_bytes(b"not DICOM either")
    looked = [
        each for each in look(files([folder, named]), [named]) if isinstance(each, Unsendable)
    ]
    assert [(each.path.name, each.foreign) for each in looked] == [
        ("notes.txt", True),
        ("named.dcm", False),
    ]


def test_the_command_reports_each_file(
    listening: Any, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.jsonl"
    (folder / "notes.txt").write_text("not DICOM")
    to = f"PACSFW@127.0.0.1:{listening.port}"
    assert main(["send", "--to", to, "--report", str(report), str(folder)]) == 0
    lines = [json.loads(line) for line in report.read_text().splitlines()]
    assert {line["state"] for line in lines} == {"sent"}
    listening.wait_for(lambda: len(listening.sealed) == 14)
    assert {line["sop_instance_uid"] for line in lines} == {r.sop_uid for r in listening.sealed}
    assert capsys.readouterr().out.split() == ["sent", "14", "not", "DICOM", "1"]
    broken = tmp_path / "broken.dcm"
    broken.write_bytes(b"broken")
    assert main(["send", "--to", to, str(broken), str(folder)]) == 1
    shown = capsys.readouterr().out
    assert "failed: not a DICOM file" in shown
    assert str(broken) in shown


def test_the_command_takes_the_node_of_a_configuration(
    listening: Any, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    conf = tmp_path / "conf.yaml"
    conf.write_text(
        "net:\n  local_node: {aetitle: US}\n"
        f"  called_node: {{aetitle: PACSFW, ip: 127.0.0.1, port: {listening.port}}}\n"
    )
    conf.chmod(0o600)
    assert main(["send", "-f", str(conf), str(folder)]) == 0
    listening.wait_for(lambda: len(listening.sealed) == 14)
    assert {record.calling_ae for record in listening.sealed} == {"US"}
    assert main(["send", "--to", f"X@127.0.0.1:{free_port()}", str(folder)]) == 4
    assert "not sent" in capsys.readouterr().out


@pytest.mark.parametrize("to", ["nobody", "A@b", "A@b:0", "A@b:70000", "@b:104"])
def test_an_address_that_is_none_is_refused(to: str, folder: Path) -> None:
    assert main(["send", "--to", to, str(folder)]) == 2


@pytest.fixture
def implicit_only(tmp_path: Path) -> Iterator[tuple[Any, Path]]:
    """DCMTK's storescp, which accepts Implicit VR Little Endian only, and where it stores."""
    require("storescp", "dcmconv")
    stored = tmp_path / "stored"
    stored.mkdir()
    port = free_port()
    command = ["storescp", "+xi", "+B", "-od", stored, "-aet", "PACS", port]
    server = Server(command, port, tmp_path / "storescp.log")
    server.start()
    yield net(port), stored
    server.stop()


def test_a_real_node_that_takes_implicit_only_gets_what_dcmtk_would_send(
    implicit_only: tuple[Any, Path], good_samples: list[Path], tmp_path: Path
) -> None:
    nodes, stored = implicit_only
    found = [each for each in sendable(*good_samples) if each.syntax in CONVERTIBLE]
    told = sent_to(nodes, found)
    assert {each.state for each in told} == {"sent"}
    arrived = {dcmread(path).SOPInstanceUID: dataset_bytes(path) for path in stored.iterdir()}
    assert arrived.keys() == {file.sop_uid for file in found}
    assert len(found) > 20
    for file in found:
        target = tmp_path / "dcmtk"
        subprocess.run(["dcmconv", "-q", "+ti", "-e", "-g", file.path, target], check=True)
        assert arrived[file.sop_uid] == dataset_bytes(target)


@pytest.mark.parametrize(
    ("charset", "name"),
    [("ISO_IR 13", b"\x8eR\x93c^\x91\xbe\x98Y"), ("ISO_IR 192", b"M\xfcller^X")],
)
def test_text_outside_its_character_set_arrives_as_it_is(
    implicit_only: tuple[Any, Path], folder: Path, charset: str, name: bytes
) -> None:
    path = next(path for path in sorted(folder.rglob("*.dcm")) if dcmread(path).SOPClassUID == CT)
    dataset = dcmread(path)
    dataset.SpecificCharacterSet, dataset.PatientName = charset, "X" * len(name)
    dataset.save_as(path)
    path.write_bytes(path.read_bytes().replace(b"X" * len(name), name))
    nodes, stored = implicit_only
    (told,) = sent_to(nodes, sendable(path))
    assert told.state == "sent"
    (arrived,) = stored.iterdir()
    assert name in dataset_bytes(arrived)


def test_truncated_files_are_not_sent(listening: Any, folder: Path) -> None:
    paths = sorted(folder.rglob("*.dcm"))
    starts = {path: read_file_meta(path).offset_of_dataset for path in paths[:6]}
    for path, start in starts.items():
        content = path.read_bytes()
        ends = (start, len(content) - 1, len(content) - 40, start + (len(content) - start) // 2)
        path.write_bytes(content[: ends[paths.index(path) % 4]])
    found, told = sendable(*paths), []
    send(net(listening.port, listening.aetitle), found, told.append, threading.Event())
    bad = {each.file.path: each.words for each in told if each.state != "sent"}
    assert bad.keys() == starts.keys() & {each.path for each in found}
    assert len(bad) >= 4
    refused = {e.path: e.reason for e in look(files(paths), paths) if isinstance(e, Unsendable)}
    assert "it has no data set" in refused[paths[0]]
    assert bad.keys() | refused.keys() == starts.keys()
    assert {words.partition(": ")[0] for words in bad.values()} == {"damaged"}
    listening.wait_for(lambda: len(listening.sealed) == len(paths) - len(starts))
    uids = {record.sop_uid for record in listening.sealed}
    assert uids == {each.file.sop_uid for each in told if each.state == "sent"}


def test_a_file_that_cannot_be_converted_is_named_and_the_others_go_on(folder: Path) -> None:
    (bad, *good) = [each for each in sendable(folder) if each.sop_class == CT]
    content = bad.path.read_bytes()
    at = content.index(b"\x10\0\x10\0PN", bad.offset)
    bad.path.write_bytes(content[: at + 4] + b"??" + content[at + 6 :])
    associations = []

    def narrow(event: evt.Event) -> None:
        associations.append(event.assoc)
        for context in event.assoc.acceptor.supported_contexts:
            context.transfer_syntax = [ImplicitVRLittleEndian]

    handlers = ((evt.EVT_C_STORE, lambda event: 0x0000), (evt.EVT_REQUESTED, narrow))
    with scripted(*handlers, contexts=(CT,)) as nodes:
        told = {each.file: each for each in sent_to(nodes, [bad, *good])}
    assert told[bad].words == (
        "cannot be converted to Implicit VR Little Endian: "
        "an element has an unknown value representation"
    )
    assert {told[each].state for each in good} == {"sent"}
    assert len(associations) == 1


def test_pipes_and_linked_folders_are_listed_and_nobody_waits(
    listening: Any, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "linked").symlink_to(tmp_path)
    report = tmp_path / "report.jsonl"
    to = f"PACSFW@127.0.0.1:{listening.port}"
    assert main(["send", "--to", to, "--report", str(report), str(folder)]) == 1
    lines = [json.loads(line) for line in report.read_text().splitlines()]
    assert {line["path"]: line["reason"] for line in lines if line["state"] == "failed"} == {
        str(folder / "pipe"): "not a regular file",
        str(folder / "linked"): "a link to a folder: not followed",
    }
    assert sum(line["state"] == "sent" for line in lines) == 14
    assert main(["send", "--to", to, str(folder / "pipe")]) == 1
    assert "failed: not a regular file" in capsys.readouterr().out


def test_values_in_place_of_uids_are_neither_sent_nor_shown(
    listening: Any, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = ("SECRET^PATIENT", "1.2." + "3" * 70, "1.2.03")
    for path, uid in zip(sorted(folder.rglob("*.dcm")), wrong, strict=False):
        dataset = dcmread(path)
        dataset.add(DataElement("SOPClassUID", "UI", uid, validation_mode=IGNORE))
        dataset.add(DataElement("StudyDate", "DA", "SECRETDA", validation_mode=IGNORE))
        dataset.save_as(path)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        to = f"PACSFW@127.0.0.1:{listening.port}"
        assert main(["send", "--to", to, str(folder)]) == 1
    captured = capsys.readouterr()
    assert [str(each.message) for each in caught] == []
    assert "SECRET" not in captured.out + captured.err
    assert "failed: its SOPClassUID is not a UID" in captured.out
    listening.wait_for(lambda: len(listening.sealed) == 12)
