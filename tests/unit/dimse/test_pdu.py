import contextlib
import itertools
import socket
import struct
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pynetdicom.pdu import A_ABORT_RQ, A_RELEASE_RP, P_DATA_TF

from pacsfw.dimse import pdu, pdu_reader
from pacsfw.dimse.pdu import PduType
from pacsfw.dimse.pdu_reader import PduReader
from unit.dimse import wire

FRAGMENT = st.tuples(st.integers(1, 255), st.booleans(), st.booleans(), st.binary(max_size=300))


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    near, far = wire.tcp_pair()
    with near, far:
        yield near, far


def reader_of(sock: socket.socket, seconds: float = 20, max_pdu: int = 1024) -> PduReader:
    return PduReader(sock, max_pdu=max_pdu, idle_timeout=seconds, pdu_timeout=seconds)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(FRAGMENT, min_size=1, max_size=3), max_size=8), st.integers(1, 400))
def test_any_fragmentation_reads_as_pynetdicom_reads_it(pdus, chunk: int) -> None:
    stream = b""
    expected = []
    for fragments in pdus:
        data = wire.p_data(
            *(wire.pdv(number, is_command + 2 * last, value)
              for number, is_command, last, value in fragments)
        )  # fmt: skip
        reference = P_DATA_TF()
        reference.decode(data)
        # pynetdicom leaves the message control header in front of the fragment.
        expected += [
            (found.context_id, found.presentation_data_value)
            for found in reference.presentation_data_value_items
        ]
        stream += data
    near, far = wire.tcp_pair()
    with near, far:
        near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        parts = [stream[at : at + chunk] for at in range(0, len(stream), chunk)]
        sender = threading.Thread(target=lambda: [near.sendall(part) for part in parts])
        sender.start()
        reader = reader_of(far)
        got = []
        for _ in pdus:
            kind, body = reader.read()
            assert kind == PduType.P_DATA
            got += [
                (number, bytes([is_command + 2 * last]) + bytes(value))
                for number, is_command, last, value in pdu.pdvs(body)
            ]
        sender.join()
    assert got == expected


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(FRAGMENT, min_size=1, max_size=3), min_size=1, max_size=8),
    st.lists(st.integers(1, 700), min_size=1, max_size=12),
)
def test_values_in_parts_are_those_of_pynetdicom(pdus, sizes) -> None:
    """However the bytes come, parts of data fragments add up to what pynetdicom reads."""
    stream, expected = b"", []
    for fragments in pdus:
        data = wire.p_data(
            *(wire.pdv(number, is_command + 2 * last, value)
              for number, is_command, last, value in fragments)
        )  # fmt: skip
        reference = P_DATA_TF()
        reference.decode(data)
        for found in reference.presentation_data_value_items:
            control, value = found.presentation_data_value[0], found.presentation_data_value[1:]
            expected.append((found.context_id, bool(control & 1), bool(control & 2), value))
        stream += data
    reader, got = reader_of(Pieces(stream, sizes)), []  # type: ignore[arg-type]
    with contextlib.suppress(pdu.ConnectionLost):
        while True:
            got += [(*what, bytes(value)) for *what, value in reader.values()]
    assert joined(got) == joined(expected)


class Pieces:
    """A connection that gives what was sent in pieces of these sizes, over and over."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self._data, self._sizes = data, itertools.cycle(sizes)

    def settimeout(self, _seconds: float | None) -> None: ...

    def setsockopt(self, *_option: object) -> None: ...

    def recv_into(self, buffer: memoryview) -> int:
        count = min(next(self._sizes), len(buffer), len(self._data))
        buffer[:count], self._data = self._data[:count], self._data[count:]
        return count


def joined(values: list[tuple[int, bool, bool, bytes]]) -> list[list[object]]:
    """Join the data values that belong together; commands stay as they are."""
    result: list[list[object]] = []
    for context_id, is_command, is_last, value in values:
        before = result[-1] if result else None
        if before and not is_command and before[:3] == [context_id, False, False]:
            before[2:] = [is_last, before[3] + value]  # type: ignore[operator]
        else:
            result.append([context_id, is_command, is_last, value])
    return result


def test_a_fragment_that_stops_coming_does_not_hold_the_reader(pair) -> None:
    near, far = pair
    near.sendall(wire.p_data(wire.pdv(1, 2, bytes(1000)))[:300])
    reader = PduReader(far, max_pdu=1024, idle_timeout=1000, pdu_timeout=0.1)
    ((context_id, is_command, is_last, part),) = reader.values()
    assert (context_id, is_command, is_last, len(part)) == (1, False, False, 288)
    with pytest.raises(pdu.PeerTooSlow):
        reader.values()


def test_the_end_of_the_connection_is_told_from_a_pdu(pair) -> None:
    near, far = pair
    near.sendall(b"\x04\0")
    near.close()
    with pytest.raises(pdu.ConnectionLost):
        reader_of(far).read()


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (struct.pack(">BBL", 1, 0, 0xFFFFFFFF), "ASSOCIATE_RQ PDU of 4294967295 bytes"),
        (struct.pack(">BBL", 4, 0, 1024 + 7), "P_DATA PDU of 1031 bytes"),
        (struct.pack(">BBL", 5, 0, 65), "RELEASE_RQ PDU of 65 bytes"),
        (b"GET / HTTP/1.1\r\n", "unknown type 0x47"),
        (b"\x00\0\0\0\0\0", "unknown type 0x00"),
    ],
)
def test_an_impossible_header_is_refused_before_the_rest_is_read(pair, head, words) -> None:
    near, far = pair
    near.sendall(head)
    with pytest.raises(pdu.ProtocolError, match=words):
        reader_of(far).read()


def test_a_pdu_of_our_maximum_plus_its_header_is_read(pair) -> None:
    near, far = pair
    near.sendall(struct.pack(">BBL", 4, 0, 1030) + bytes(1030))
    assert len(reader_of(far).read()[1]) == 1030


def test_a_large_association_request_is_read_after_small_pdus(pair) -> None:
    near, far = pair
    large = struct.pack(">BBL", 1, 0, 500_000) + bytes(500_000)
    sender = threading.Thread(target=near.sendall, args=(wire.RELEASE_RQ + large,))
    sender.start()
    reader = reader_of(far)
    assert reader.read()[0] == PduType.RELEASE_RQ
    assert len(reader.read()[1]) == 500_000
    sender.join()


def test_a_byte_at_a_time_does_not_hold_the_reader(pair) -> None:
    near, far = pair
    over = threading.Event()

    def drip() -> None:
        near.sendall(struct.pack(">BBL", 4, 0, 1000))
        while not over.wait(0.01):
            near.sendall(b"\0")

    dripping = threading.Thread(target=drip)
    dripping.start()
    with pytest.raises(pdu.PeerTooSlow):
        reader_of(far, seconds=0.2).read()
    over.set()
    dripping.join()


def test_half_a_header_does_not_hold_the_reader(pair) -> None:
    near, far = pair
    near.sendall(b"\x04\0\0")
    reader = PduReader(far, max_pdu=1024, idle_timeout=1000, pdu_timeout=0.1)
    with pytest.raises(pdu.PeerTooSlow):
        reader.read()


@pytest.mark.parametrize("parts", [1, 2, 40])
def test_what_comes_at_the_last_moment_is_not_lost(pair, monkeypatch, parts: int) -> None:
    class Clock:
        """Every look at it is past the deadline that the look before has set."""

        now = 0.0

        def monotonic(self) -> float:
            self.now += 100
            return self.now

    near, far = pair
    monkeypatch.setattr(pdu_reader, "time", Clock())
    reader = PduReader(far, max_pdu=1024, idle_timeout=0.5, pdu_timeout=1e9)
    sent = [wire.p_data(wire.pdv(1, 3, bytes([number]) * 9)) for number in range(parts)]
    near.sendall(b"".join(sent))
    assert [bytes(reader.read()[1]) for _ in sent] == [one[6:] for one in sent]
    with pytest.raises(pdu.PeerSilent):
        reader.read()
    near.sendall(sent[0])
    assert bytes(reader.read()[1]) == sent[0][6:]


def test_silence_does_not_hold_the_reader(pair) -> None:
    reader = PduReader(pair[1], max_pdu=1024, idle_timeout=0.1, pdu_timeout=1000)
    with pytest.raises(pdu.PeerTooSlow):
        reader.read()


@pytest.mark.parametrize(
    "body",
    [b"", b"\0", b"\0\0\0\1\1\0", b"\0\0\0\3\1\0", b"\0\0\0\2\1", wire.pdv(1, 0, b"ab") + b"\0"],
)
def test_pdvs_that_do_not_fit_are_refused(body: bytes) -> None:
    with pytest.raises(pdu.ProtocolError):
        list(pdu.pdvs(memoryview(body)))


@given(st.binary(max_size=60))
def test_pdvs_of_garbage_are_refused_or_within_it(body: bytes) -> None:
    try:
        found = list(pdu.pdvs(memoryview(body)))
    except pdu.ProtocolError:
        return
    assert sum(len(value) + 6 for *_, value in found) == len(body)


@given(st.binary(min_size=1, max_size=200), st.sampled_from([0, 7, 20, 64, 16384]))
def test_a_response_is_cut_to_what_the_peer_takes(command: bytes, peer_max: int) -> None:
    data = pdu.p_data(5, command, peer_max)
    whole = b""
    while data:
        kind, length = struct.unpack_from(">BxL", data)
        assert kind == 4
        assert not peer_max or length <= peer_max
        ((number, is_command, last, value),) = pdu.pdvs(memoryview(data[6 : 6 + length]))
        assert (number, is_command) == (5, True)
        whole += bytes(value)
        data = data[6 + length :]
        assert last == (not data)
    assert whole == command


def test_our_last_pdus_are_those_of_the_standard() -> None:
    release = A_RELEASE_RP()
    release.decode(pdu.release_response())
    abort = A_ABORT_RQ()
    abort.decode(pdu.abort(pdu.AbortReason.UNEXPECTED_PDU))
    assert pdu.release_response() == release.encode()
    assert (abort.source, abort.reason_diagnostic) == (2, 2)
