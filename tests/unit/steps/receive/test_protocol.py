"""The protocol seen from a raw socket: what may be odd, what is answered, what is aborted."""

import random
import struct
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pacsfw.api import Limits, Node
from pacsfw.dicom.part10 import file_head
from pacsfw.dimse.known_uids import known_uids
from pacsfw.spool.records import Sealed
from pacsfw.spool.writer import Spool
from pacsfw.steps.receive.association import Association
from peers.readback import dataset_bytes
from unit.dimse import wire
from unit.dimse.wire import CT, EXPLICIT, Sender, p_data, pdv, store_request, tcp_pair
from unit.steps.receive.listening import Listening

DATA = bytes(range(256)) * 20
QUICK = Limits(associations=4, associate_timeout=1.0, idle_timeout=0.3, pdu_timeout=0.3)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    running = Listening(tmp_path_factory.mktemp("spool"))
    yield running
    running.stop()


@pytest.fixture
def listening(running: Listening) -> Listening:
    running.records.clear()
    return running


@pytest.fixture
def sender(listening: Listening) -> Iterator[Sender]:
    sender = listening.connect()
    with sender.socket:
        yield sender


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
    running = Listening(tmp_path_factory.mktemp("spool"), limits=QUICK)
    yield running
    running.stop()


def command_pdu(command: bytes, context_id: int = 1) -> bytes:
    return p_data(pdv(context_id, 3, command))


def data_pdu(data: bytes, context_id: int = 1) -> bytes:
    return p_data(pdv(context_id, 2, data))


def test_a_store_request_is_answered_and_its_origin_kept(listening, sender) -> None:
    sender.associate()
    sender.send(command_pdu(store_request("1.2.3")) + data_pdu(DATA))
    answer = sender.response()
    sender.release()
    assert answer[0x0900] == b"\0\0"
    assert answer[0x0120] == struct.pack("<H", 7)
    assert (answer[0x0002], answer[0x1000]) == (CT.encode() + b"\0", b"1.2.3\0")
    listening.wait_for(lambda: listening.sealed)
    (sealed,) = listening.sealed
    assert (sealed.sop_class, sealed.sop_uid, sealed.syntax) == (CT, "1.2.3", EXPLICIT)
    assert (sealed.calling_ae, sealed.originator_ae) == ("SENDER", "MOVER")
    assert (sealed.originator_message_id, sealed.size) == (99, len(DATA))
    assert dataset_bytes(sealed.path) == DATA


def test_command_and_data_may_come_in_many_pieces_and_one_pdu(listening, sender) -> None:
    request = store_request()
    pieces = [pdv(1, 1, request[:10]), pdv(1, 1, b""), pdv(1, 3, request[10:])]
    pieces += [pdv(1, 0, DATA[:100]), pdv(1, 0, b""), pdv(1, 0, DATA[100:]), pdv(1, 2, b"")]
    sender.associate()
    sender.send(p_data(*pieces))
    assert sender.status() == 0
    sender.release()
    listening.wait_for(lambda: listening.sealed)
    assert dataset_bytes(listening.sealed[0].path) == DATA


def test_an_echo_between_two_stores_is_answered(listening, sender) -> None:
    sender.associate()
    store = command_pdu(store_request()) + data_pdu(DATA)
    sender.send(store + command_pdu(wire.echo_request(), 3) + store)
    assert [sender.status() for _ in range(3)] == [0, 0, 0]
    sender.release()
    listening.wait_for(lambda: len(listening.sealed) == 2)


def test_a_cancel_is_ignored(sender) -> None:
    sender.associate()
    cancel = wire.command({0x0100: 0x0FFF, 0x0120: 7, 0x0800: 0x0101})
    sender.send(command_pdu(cancel) + command_pdu(wire.echo_request(), 3))
    assert sender.response()[0x0100] == struct.pack("<H", 0x8030)
    sender.release()


def test_an_operation_we_do_not_know_is_refused_and_its_data_skipped(listening, sender) -> None:
    sender.associate()
    find = store_request(e0100=0x0020)
    sender.send(command_pdu(find) + data_pdu(DATA) + command_pdu(wire.echo_request(), 3))
    assert sender.status() == 0x0211
    assert sender.status() == 0
    sender.release()
    assert not listening.records


def test_a_store_in_the_verification_context_is_refused(listening, sender) -> None:
    sender.associate()
    sender.send(command_pdu(store_request(), 3) + data_pdu(DATA, 3))
    assert sender.status() == 0x0122
    sender.release()
    assert not listening.records


def test_a_store_without_a_data_set_is_refused(listening, sender) -> None:
    sender.associate()
    sender.send(command_pdu(store_request(e0800=0x0101)))
    assert sender.status() == 0xC210
    sender.release()
    assert not listening.records


@pytest.mark.parametrize("sop_uid", ["../../../etc/passwd", "", "\xff", "1." * 60, "a\\b"])
def test_an_object_with_a_bad_uid_is_stored_all_the_same(listening, sender, sop_uid) -> None:
    sender.associate()
    sender.send(command_pdu(store_request(sop_uid)) + data_pdu(DATA))
    assert sender.status() == 0
    sender.release()
    listening.wait_for(lambda: listening.sealed)
    assert listening.sealed[0].sop_uid == sop_uid
    assert listening.sealed[0].path.parent == listening.spool


def test_a_store_without_uids_takes_the_class_from_its_context(listening, sender) -> None:
    sender.associate()
    bare = store_request(e0002=None, e1000=None, e1030=None, e1031=None)
    sender.send(command_pdu(bare) + data_pdu(DATA))
    assert sender.status() == 0
    sender.release()
    listening.wait_for(lambda: listening.sealed)
    (sealed,) = listening.sealed
    assert (sealed.sop_class, sealed.sop_uid) == (CT, "")
    assert (sealed.originator_ae, sealed.originator_message_id) == ("", None)


def test_responses_fit_the_peers_smallest_pdus(sender) -> None:
    sender.associate(user=wire.item(0x51, struct.pack(">L", 32)))
    sender.send(command_pdu(wire.echo_request(), 3))
    assert sender.status() == 0
    sender.release()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (wire.associate(), 2),
        (wire.RELEASE_RP, 2),
        (b"\x09\0\0\0\0\0", 1),
        (struct.pack(">BBL", 4, 0, 0xFFFFFFFF), 6),
        (data_pdu(DATA), 6),
        (command_pdu(store_request(), 5), 6),
        (command_pdu(store_request()) + data_pdu(DATA, 3), 6),
        (command_pdu(store_request()) + command_pdu(wire.echo_request(), 3), 6),
        (command_pdu(b"\x10\0\x10\0\0\0\0\0"), 6),
        (command_pdu(wire.command({0x0100: 1})), 6),
        (command_pdu(store_request(e0100=0x8001)), 6),
        (p_data(pdv(1, 1, bytes(60_000))), 6),
        (p_data(), 6),
    ],
)
def test_what_breaks_the_protocol_is_aborted_with_a_reason(listening, sender, data, reason) -> None:
    sender.associate()
    sender.send(data)
    kind, pdu = sender.pdu()
    assert (kind, pdu[6:]) == (wire.ABORT, bytes([0, 0, 2, reason]))
    assert sender.pdu()[0] == 0
    assert not listening.sealed


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n\r\n", wire.RELEASE_RQ, random.Random(7).randbytes(64)]
)
def test_what_is_no_association_request_is_aborted(sender, data: bytes) -> None:
    if data[0] in range(1, 8) and data != wire.RELEASE_RQ:
        data = b"\0" + data
    sender.send(data)
    assert sender.pdu()[0] == wire.ABORT


def test_another_called_ae_title_is_rejected(sender) -> None:
    sender.send(wire.associate(called=b"OTHER".ljust(16)))
    assert sender.pdu() == (3, struct.pack(">BBLBBBB", 3, 0, 4, 0, 1, 1, 7))
    assert sender.pdu()[0] == 0


def half_an_object(listening: Listening, sender: Sender) -> None:
    sender.associate()
    sender.send(command_pdu(store_request("1.2.9")) + p_data(pdv(1, 0, DATA)))
    listening.wait_for(lambda: listening.begun)
    assert listening.receiver.open_files() == frozenset(listening.begun)


@pytest.mark.parametrize("ending", [wire.RELEASE_RQ, struct.pack(">BBLL", 7, 0, 4, 0), b""])
def test_an_object_that_stops_half_way_is_discarded(listening, sender, ending) -> None:
    half_an_object(listening, sender)
    sender.send(ending)
    sender.socket.shutdown(1)
    listening.wait_for(lambda: listening.discarded)
    assert listening.discarded[0].sop_uid == "1.2.9"
    assert not listening.receiver.open_files()
    assert not list(listening.spool.glob("*.part"))


@pytest.mark.parametrize("part", [b"", b"\x01\0", wire.associate()[:50]])
def test_a_connection_without_a_whole_request_is_given_up(impatient: Listening, part) -> None:
    sender = impatient.connect()
    with sender.socket:
        sender.send(part)
        assert sender.pdu()[0] == wire.ABORT
        assert sender.pdu()[0] == 0


def test_an_idle_association_is_given_up(impatient: Listening) -> None:
    sender = impatient.connect()
    with sender.socket:
        sender.associate()
        assert sender.pdu()[0] == wire.ABORT


def test_a_stalled_object_is_given_up_and_discarded(impatient: Listening) -> None:
    sender = impatient.connect()
    with sender.socket:
        sender.associate()
        sender.send(command_pdu(store_request("1.2.8")) + data_pdu(DATA)[:100])
        assert sender.pdu()[0] == wire.ABORT
    impatient.wait_for(
        lambda: [record for record in impatient.discarded if record.sop_uid == "1.2.8"]
    )


def test_more_connections_than_allowed_wait_and_are_served_later(impatient: Listening) -> None:
    senders = [impatient.connect() for _ in range(2 * QUICK.associations)]
    late = impatient.connect()
    with late.socket:
        late.associate()
        late.release()
    for sender in senders:
        sender.socket.close()


def test_a_full_disk_is_answered_with_a700_and_the_association_goes_on(tmp_path: Path) -> None:
    spool = tmp_path / "small"
    spool.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(spool)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small file system cannot be mounted here")
    records: list[object] = []
    near, far = tcp_pair()
    association = Association(
        far,
        Node(aetitle="PACSFW"),
        Spool(spool, records.append),
        known_uids(),
        lambda *note: records.append(note),
    )
    thread = threading.Thread(target=association.serve)
    thread.start()
    try:
        with near:
            sender = Sender(near)
            sender.associate()
            sender.send(command_pdu(store_request("1")) + p_data(pdv(1, 0, bytes(100_000))))
            sender.send(data_pdu(bytes(100_000)))
            answer = sender.response()
            assert (answer[0x0900], answer[0x0902]) == (b"\x00\xa7", b"disk full ")
            sender.send(command_pdu(store_request("2")) + data_pdu(DATA))
            assert sender.status() == 0
            sender.release()
        thread.join()
        (path,) = spool.iterdir()
        assert path.read_bytes() == file_head(CT, "2", EXPLICIT, "SENDER") + DATA
        assert isinstance(records[-1], Sealed)
    finally:
        subprocess.run(["umount", str(spool)], check=True)


def test_a_spool_that_cannot_be_written_is_answered_with_a_failure(tmp_path: Path) -> None:
    near, far = tcp_pair()
    records: list[object] = []
    gone = Spool(tmp_path / "gone", records.append)
    association = Association(far, Node(aetitle="PACSFW"), gone, known_uids(), lambda *_: None)
    thread = threading.Thread(target=association.serve)
    thread.start()
    with near:
        sender = Sender(near)
        sender.associate()
        sender.send(command_pdu(store_request()) + data_pdu(DATA))
        assert sender.status() == 0xC210
        sender.release()
    thread.join()
