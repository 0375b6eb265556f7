"""What others do to the receiver must not keep a sender out, nor the process from ending."""

import contextlib
import os
import selectors
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pacsfw.api import Limits
from pacsfw.steps.receive.notes import PER_MINUTE, Notes
from pacsfw.steps.receive.pending_connections import (
    MAX_PENDING,
    PendingConnection,
    PendingConnections,
)
from pacsfw.steps.receive.progress import YIELD_NEW_SECONDS, YIELD_SECONDS, Progress
from unit.dimse import wire
from unit.dimse.wire import p_data, pdv, store_request, tcp_pair
from unit.steps.receive.listening import Listening
from unit.steps.receive.test_processes import pid_of_receiver

HEADER_4_GIB = struct.pack(">BBL", 1, 0, 0xFFFFFFFF)


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[Listening]:
    running = Listening(tmp_path / "spool", limits=Limits(associations=8))
    yield running
    running.stop()


def store(listening: Listening) -> None:
    sender = listening.connect()
    with sender.socket:
        sender.associate()
        sender.send(p_data(pdv(1, 3, store_request()), pdv(1, 2, b"data")))
        assert sender.status() == 0
        sender.release()


def open_many(listening: Listening, count: int, first: bytes) -> list[socket.socket]:
    opened = []
    for _ in range(count):
        sock = socket.create_connection((listening.host, listening.port))
        with contextlib.suppress(OSError):  # it may be closed already
            sock.sendall(first)
        opened.append(sock)
    return opened


def test_more_half_requests_than_may_be_pending_keep_nobody_out(listening: Listening) -> None:
    before = resident_bytes(pid_of_receiver())
    opened = open_many(listening, MAX_PENDING, wire.associate()[:100])
    opened += open_many(listening, MAX_PENDING // 2, b"")
    store(listening)
    assert resident_bytes(pid_of_receiver()) - before < 20 << 20
    for sock in opened:
        sock.close()


def test_long_unfinished_requests_hold_little_memory(listening: Listening) -> None:
    store(listening)
    before = resident_bytes(pid_of_receiver())
    half = struct.pack(">BBL", 1, 0, 1 << 20) + bytes(900_000)
    opened = open_many(listening, 60, half)
    store(listening)
    assert resident_bytes(pid_of_receiver()) - before < 20 << 20
    for sock in opened:
        sock.close()


def test_impossible_lengths_and_port_scans_are_answered_at_once(listening: Listening) -> None:
    for first in (HEADER_4_GIB, b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01"):
        sender = listening.connect()
        with sender.socket:
            sender.send(first)
            assert sender.pdu()[0] == wire.ABORT
    for sock in open_many(listening, 200, b""):
        sock.close()
    store(listening)


def test_associations_that_do_nothing_give_way(listening: Listening) -> None:
    idle = [listening.connect() for _ in range(8)]
    for sender in idle:
        sender.associate()
    store(listening)
    assert idle[0].pdu()[0] == wire.ABORT
    for sender in idle:
        sender.socket.close()


def test_who_waits_in_vain_for_an_association_is_told_so(tmp_path: Path) -> None:
    limits = Limits(associations=1, associate_timeout=2.0)
    listening = Listening(tmp_path / "spool", limits=limits)
    first, second = listening.connect(), listening.connect()
    with first.socket, second.socket:
        first.associate()
        second.send(wire.associate())
        assert second.pdu() == (3, struct.pack(">BBLBBBB", 3, 0, 4, 0, 2, 3, 2))
    listening.stop()


def test_a_drip_of_small_valid_pdus_ends(tmp_path: Path) -> None:
    limits = Limits(pdu_timeout=0.5, minimum_rate=100_000)
    listening = Listening(tmp_path / "spool", limits=limits)
    sender = listening.connect()
    with sender.socket:
        sender.associate()
        sender.send(p_data(pdv(1, 3, store_request())))
        sender.socket.settimeout(0.1)
        answer = b""
        while not answer:
            sender.send(p_data(pdv(1, 0, b"x")))
            with contextlib.suppress(TimeoutError):
                answer = sender.socket.recv(10)
        assert answer[0] == wire.ABORT
    listening.wait_for(lambda: listening.discarded)
    assert "less than 100000 bytes per second" in listening.discarded[0].reason
    listening.stop()


def test_an_association_ends_when_its_time_is_over(tmp_path: Path) -> None:
    listening = Listening(tmp_path / "spool", limits=Limits(association_timeout=0.5))
    sender = listening.connect()
    with sender.socket:
        sender.associate()
        assert sender.pdu()[0] == wire.ABORT
    listening.stop()


def test_the_process_ends_in_time_whatever_the_peers_do(listening: Listening) -> None:
    opened = open_many(listening, 20, wire.associate()[:100])
    open_associations = [listening.connect() for _ in range(8)]
    for sender in open_associations:
        sender.associate()
        sender.send(p_data(pdv(1, 3, store_request()), pdv(1, 0, b"half"))[:-2])
    handle = os.pidfd_open(pid_of_receiver())
    stopping = threading.Thread(target=listening.receiver.stop, args=(1,))
    stopping.start()
    stopping.join(60)
    assert not stopping.is_alive()
    os.close(handle)
    assert not listening.receiver._thread.is_alive()
    for sock in [*opened, *(sender.socket for sender in open_associations)]:
        sock.close()


def resident_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


PIECES = st.tuples(
    st.sampled_from((b"", b"\x16\x03\x01", wire.associate(), HEADER_4_GIB, b"\x04")),
    st.binary(max_size=20),
).map(b"".join)


@given(st.lists(PIECES, max_size=4), st.booleans(), st.booleans(), st.sampled_from((0.0, 100.0)))
@settings(deadline=None, max_examples=80)
def test_whatever_comes_no_connection_stays_pending_and_no_error_leaves_it(
    pieces, tls, is_room, seconds
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if tls else None
    selector, admitted = selectors.DefaultSelector(), []

    def admit(connection: PendingConnection) -> bool:
        admitted.append(connection)
        return is_room

    pending = PendingConnections(selector, seconds, context, admit, lambda *_: None)
    near, far = tcp_pair()
    with near:
        pending.enter(far, "127.0.0.1")
        for piece in pieces:
            with contextlib.suppress(OSError):  # it may be closed already
                near.sendall(piece)
            for key, _ in selector.select(0):
                key.data()
            pending.tick()
            pending.admit_waiting()
    for key, _ in selector.select(0):
        key.data()
    pending.close()
    assert len(pending) == 0
    assert not selector.get_map()
    assert pending._bytes == 0
    for connection in admitted:
        connection.sock.close()
    selector.close()


class Watched:
    """An association as `Progress` sees it."""

    received = objects = 0
    in_message, waiting = True, True


LIMITS = Limits(pdu_timeout=60, minimum_rate=100, association_timeout=1000)


def look_every_second(progress: Progress, seconds: range) -> str:
    return next(filter(None, (progress.look(float(now), LIMITS) for now in seconds)), "")


def test_a_message_that_comes_too_slowly_ends() -> None:
    association = Watched()
    progress = Progress(association, 0.0)
    assert look_every_second(progress, range(1, 60)) == ""
    association.received += 5999
    assert "less than 100 bytes per second" in progress.look(60.0, LIMITS)
    association.received += 1
    assert progress.look(61.0, LIMITS) == ""


@pytest.mark.parametrize("excuse", [{"in_message": False}, {"waiting": False}])
def test_silence_between_messages_and_waiting_for_us_are_no_slowness(excuse) -> None:
    association = Watched()
    vars(association).update(excuse)
    progress = Progress(association, 0.0)
    assert look_every_second(progress, range(1, 900)) == ""
    vars(association).update(in_message=True, waiting=True)
    assert look_every_second(progress, range(900, 958)) == ""
    assert look_every_second(progress, range(958, 970)) != ""
    assert look_every_second(progress, range(1000, 1001)) == "it lasted longer than 1000 s"


def test_who_has_brought_something_gives_way_later() -> None:
    association = Watched()
    progress = Progress(association, 0.0)
    progress.look(YIELD_NEW_SECONDS, LIMITS)
    assert progress.could_yield(YIELD_NEW_SECONDS) == 0
    association.objects += 1
    progress.look(YIELD_NEW_SECONDS, LIMITS)
    assert progress.could_yield(YIELD_NEW_SECONDS) == -YIELD_SECONDS
    association.received += 1000
    progress.look(10 + YIELD_NEW_SECONDS, LIMITS)
    assert progress.could_yield(11 + YIELD_NEW_SECONDS) == 1 - YIELD_SECONDS


def test_a_flood_of_notes_becomes_one_line() -> None:
    notes = Notes()
    told = sum(notes.take(100.0) for _ in range(PER_MINUTE + 70))
    assert told == PER_MINUTE
    assert notes
    assert notes.summary(159.0) == ""
    assert notes.summary(160.0).startswith("70 more connections or associations")
    assert not notes
    assert notes.take(160.0)
