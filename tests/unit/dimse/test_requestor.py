import logging
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pacsfw.api import Net
from pacsfw.dimse import client
from pacsfw.dimse.command import Element
from pacsfw.dimse.messages import MAX_IDENTIFIER, Message, note
from pacsfw.dimse.requestor import Ended, Requestor
from unit.dimse import wire
from unit.dimse.rawpacs import PATIENT_FIND, STUDY_FIND, Peer, raw_pacs, response, study

EMPTY_PART = wire.p_data(wire.pdv(1, 0, b""))


@contextmanager
def connected(nodes: Net) -> Iterator[Requestor]:
    association = client.associate(nodes, [STUDY_FIND])
    yield association
    association.abort()


def messages(association: Requestor, count: int) -> list[Message]:
    received = [association.receive(10) for _ in range(count)]
    assert None not in received
    return [message for message in received if message is not None]


def test_responses_that_come_at_once_are_told_apart() -> None:
    rows = [study(f"1.{number}") for number in range(50)]

    def script(peer: Peer) -> None:
        peer.answer(*rows[:25])
        peer.answer(*rows[25:], pending=0xFF01, status=0xA700)

    with raw_pacs(script) as nodes, connected(nodes) as association:
        received = messages(association, 52)
    assert [message.data for message in received] == [*rows[:25], None, *rows[25:], None]
    statuses = [message.command.number(Element.STATUS) for message in received]
    assert statuses == [0xFF00] * 25 + [0] + [0xFF01] * 25 + [0xA700]


def test_a_message_may_come_in_many_parts() -> None:
    head, row = response(0xFF00), study("1.2")

    def script(peer: Peer) -> None:
        parts = [wire.pdv(1, 1, head[:7]), wire.pdv(1, 3, head[7:]), wire.pdv(1, 0, row[:3])]
        peer.send(wire.p_data(*parts))
        peer.send(EMPTY_PART)
        peer.send(wire.p_data(wire.pdv(1, 2, row[3:])))

    with raw_pacs(script) as nodes, connected(nodes) as association:
        assert messages(association, 1)[0].data == row


def test_what_came_of_a_message_in_time_is_kept() -> None:
    row, go_on = study("1.2"), threading.Event()

    def script(peer: Peer) -> None:
        peer.send(wire.p_data(wire.pdv(1, 3, response(0xFF00)), wire.pdv(1, 0, row[:5])))
        assert go_on.wait(10)
        peer.send(wire.p_data(wire.pdv(1, 2, row[5:])))

    with raw_pacs(script) as nodes, connected(nodes) as association:
        assert association.receive(0.1) is None
        go_on.set()
        assert messages(association, 1)[0].data == row


def test_parts_without_end_do_not_hold_it() -> None:
    over = threading.Event()

    def script(peer: Peer) -> None:
        while not over.is_set():
            peer.send(EMPTY_PART)

    with raw_pacs(script) as nodes, connected(nodes) as association:
        assert association.receive(0.2) is None
        over.set()


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "PDU of unknown type 0x48"),
        (b"\4\0\xff\xff\xff\xff", "exceeds the limit of"),
        (wire.p_data(wire.pdv(5, 3, response(0))), "context that was not accepted"),
        (wire.p_data(wire.pdv(1, 2, b"")), "a data set without a command"),
        (wire.p_data(wire.pdv(1, 3, b"garbage")), "truncated command set"),
        (wire.p_data(wire.pdv(1, 3, bytes(20_000))), "a message of more than"),
        (wire.p_data(), "P-DATA PDU without a presentation data value"),
        (
            wire.p_data(
                wire.pdv(1, 3, response(0xFF00)), wire.pdv(1, 0, b"12"), wire.pdv(1, 3, response(0))
            ),
            "a command in the middle of a data set",
        ),
        (wire.RELEASE_RP, "unexpected RELEASE_RP PDU"),
        (wire.RELEASE_RQ, "the PACS released the association"),
        (b"\7\0\0\0\0\4\0\0\0\0", "the PACS aborted the association"),
        (b"", "the connection to the PACS was lost"),
    ],
)
def test_what_should_not_come_ends_the_association(sent: bytes, words: str) -> None:
    with raw_pacs(lambda peer: peer.send(sent)) as nodes:
        association = client.associate(nodes, [STUDY_FIND])
        with pytest.raises(Ended) as raised:
            association.receive(10)
    assert words in str(raised.value)
    assert not association.is_open


def test_two_messages_in_one_pdu_are_two_messages() -> None:
    sent = wire.p_data(*[wire.pdv(1, 3, response(0, has_data=False))] * 2)

    with raw_pacs(lambda peer: peer.send(sent)) as nodes:
        association = client.associate(nodes, [STUDY_FIND])
        assert [one.data for one in messages(association, 2)] == [None, None]
        association.abort()


def test_a_data_set_that_is_announced_and_does_not_come_is_not_waited_for(caplog) -> None:
    note.cache_clear()
    go_on = threading.Event()
    sent = wire.p_data(wire.pdv(1, 3, response(0xFF00))) + wire.p_data(wire.pdv(1, 3, response(0)))

    def script(peer: Peer) -> None:
        peer.send(sent)
        assert go_on.wait(20)

    with raw_pacs(script) as nodes:
        association = client.associate(nodes, [STUDY_FIND])
        got = messages(association, 2)
        go_on.set()
        association.abort()
    assert [one.command.required(0x0900) for one in got] == [0xFF00, 0]
    assert [one.data for one in got] == [None, None]
    [record] = [each for each in caplog.records if "data set" in each.message]
    assert record.levelno == logging.WARNING


def test_what_does_not_belong_into_a_command_set_is_skipped() -> None:
    uids = struct.pack("<HHL", 0x0008, 0x0058, 6) + b"1.2.3\0"
    twice = struct.pack("<HHLH", 0, 0x0900, 2, 0xA700)
    sent = wire.p_data(wire.pdv(1, 3, response(0, has_data=False) + uids + twice))

    with raw_pacs(lambda peer: peer.send(sent)) as nodes:
        association = client.associate(nodes, [STUDY_FIND])
        [one] = messages(association, 1)
        association.abort()
    assert one.command.required(0x0900) == 0


def test_an_answer_has_a_largest_size() -> None:
    part = wire.p_data(wire.pdv(1, 0, bytes(100_000)))

    def script(peer: Peer) -> None:
        peer.send(wire.p_data(wire.pdv(1, 3, response(0xFF00))))
        for _ in range(MAX_IDENTIFIER // 100_000 + 1):
            peer.send(part)

    with raw_pacs(script) as nodes:
        association = client.associate(nodes, [STUDY_FIND])
        with pytest.raises(Ended, match=f"a message of more than {MAX_IDENTIFIER} bytes"):
            association.receive(30)


def test_it_is_known_what_was_accepted() -> None:
    with raw_pacs(lambda peer: None, PATIENT_FIND) as nodes:
        association = client.associate(nodes, [STUDY_FIND, PATIENT_FIND])
        assert [association.accepts(one) for one in (STUDY_FIND, PATIENT_FIND)] == [False, True]
        association.abort()
