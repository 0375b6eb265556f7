"""Who may send and what is taken."""

import socket
import struct
import zlib
from ipaddress import ip_network
from pathlib import Path

import pytest

from pacsfw.api import Accept, Limits
from pacsfw.dimse.senders import KnownSenders
from unit.dimse import wire
from unit.dimse.wire import CT, EXPLICIT, Sender, p_data, pdv, store_request
from unit.steps.receive.listening import Listening

DEFLATED = "1.2.840.10008.1.2.1.99"


@pytest.fixture
def start(tmp_path: Path):
    started = []

    def start(**options) -> Listening:
        started.append(Listening(tmp_path / f"spool{len(started)}", **options))
        return started[-1]

    yield start
    for listening in started:
        listening.stop()


def store(sender: Sender, data: bytes = b"data") -> int:
    sender.send(p_data(pdv(1, 3, store_request()), pdv(1, 2, data)))
    return sender.status()


def test_ae_titles_are_checked_on_both_sides(start) -> None:
    accept = Accept(called_aetitles=("OLD",), calling_aetitles=("SENDER",))
    listening = start(accept=accept)
    for called, calling, answer in [
        (b"PACSFW", b"SENDER", 2),
        (b"OLD", b"SENDER", 2),
        (b"OTHER", b"SENDER", struct.pack(">BBLBBBB", 3, 0, 4, 0, 1, 1, 7)),
        (b"PACSFW", b"STRANGER", struct.pack(">BBLBBBB", 3, 0, 4, 0, 1, 1, 3)),
    ]:
        sender = listening.connect()
        with sender.socket:
            sender.send(wire.associate(called=called.ljust(16), calling=calling.ljust(16)))
            kind, pdu = sender.pdu()
            assert answer in (kind, pdu)


def test_only_listed_addresses_get_in(start) -> None:
    listening = start(accept=Accept(addresses=(ip_network("127.0.0.2"), ip_network("10.0.0.0/8"))))
    with listening.connect().socket as refused:
        assert Sender(refused).pdu()[0] == 0
    allowed = socket.create_connection(
        (listening.host, listening.port), source_address=("127.0.0.2", 0)
    )
    with allowed:
        Sender(allowed).associate()


def test_unsolicited_objects_are_refused_only_while_nothing_is_requested(start) -> None:
    listening = start(accept=Accept(unsolicited="reject"))
    sender = listening.connect()
    with sender.socket:
        sender.associate()
        assert store(sender) == 0
        listening.receiver.expect(False, linger=0)
        assert store(sender) == 0x0124
        listening.receiver.expect(True)
        assert store(sender) == 0
        listening.receiver.expect(False)
        assert store(sender) == 0
        sender.release()
    listening.wait_for(lambda: len(listening.sealed) == 3)


def test_deflated_is_accepted_where_it_is_switched_on(start) -> None:
    listening = start(accept=Accept(deflated=True))
    sender = listening.connect()
    squeezer = zlib.compressobj(wbits=-15)
    data = squeezer.compress(bytes(1000)) + squeezer.flush()
    with sender.socket:
        assert sender.associate(wire.context(1, CT, [DEFLATED])) == {1: (0, DEFLATED)}
        assert store(sender, data) == 0
        sender.release()
    listening.wait_for(lambda: listening.sealed)
    assert listening.sealed[0].syntax == DEFLATED


def test_an_object_of_more_than_the_allowed_size_is_aborted_and_removed(start) -> None:
    listening = start(limits=Limits(object_size=1000))
    sender = listening.connect()
    with sender.socket:
        sender.associate(wire.context(1, CT, [EXPLICIT]))
        assert store(sender, bytes(1000)) == 0
        sender.send(p_data(pdv(1, 3, store_request("1.2.9")), pdv(1, 0, bytes(1001))))
        assert sender.pdu()[0] == wire.ABORT
    listening.wait_for(lambda: listening.discarded)
    assert len(list(listening.spool.iterdir())) == 1


GE_PRIVATE = "1.2.840.113619.5.2"


def test_a_private_transfer_syntax_is_refused_and_that_is_told(start) -> None:
    listening = start()
    sender = listening.connect()
    with sender.socket:
        contexts = wire.context(1, CT, [GE_PRIVATE]) + wire.context(3, CT, [EXPLICIT])
        assert sender.associate(contexts)[1][0] == 4
        sender.release()
    listening.wait_for(lambda: listening.refused)
    assert listening.refused == [
        f"transfer syntax {GE_PRIVATE} (net.local_node.accept.transfer_syntaxes)"
    ]


def test_a_private_transfer_syntax_that_is_allowed_is_stored_as_it_comes(start) -> None:
    listening = start(accept=Accept(transfer_syntaxes=(GE_PRIVATE,)))
    sender = listening.connect()
    with sender.socket:
        assert sender.associate(wire.context(1, CT, [GE_PRIVATE])) == {1: (0, GE_PRIVATE)}
        assert store(sender) == 0
        sender.release()
    listening.wait_for(lambda: listening.sealed)
    assert listening.sealed[0].syntax == GE_PRIVATE
    assert listening.refused == []


def test_an_instance_of_more_than_the_allowed_size_is_told(start) -> None:
    listening = start(limits=Limits(object_size=10))
    sender = listening.connect()
    with sender.socket:
        sender.associate(wire.context(1, CT, [EXPLICIT]))
        sender.send(p_data(pdv(1, 3, store_request("1.2.9")), pdv(1, 0, bytes(11))))
        assert sender.pdu()[0] == wire.ABORT
    listening.wait_for(lambda: listening.refused)
    assert listening.refused == ["the rest of an association: an instance of more than 10 bytes"]


def test_a_sender_that_is_not_known_is_rejected_where_that_is_wanted(start) -> None:
    known = KnownSenders(frozenset({("SENDER", "127.0.0.1")}))
    listening = start(senders=known)
    for calling, address, kind in [
        (b"SENDER", "127.0.0.1", 2),
        (b"SENDER", "127.0.0.2", 3),
        (b"OTHER", "127.0.0.1", 3),
    ]:
        where = (listening.host, listening.port)
        sender = Sender(socket.create_connection(where, source_address=(address, 0)))
        with sender.socket:
            sender.send(wire.associate(called=b"PACSFW".ljust(16), calling=calling.ljust(16)))
            assert sender.pdu()[0] == kind
    listening.wait_for(lambda: len(listening.refused) == 2)
    assert all("accept.known_senders" in text for text in listening.refused)


def test_what_arrives_names_the_address_of_its_sender(start) -> None:
    listening = start()
    where = (listening.host, listening.port)
    sender = Sender(socket.create_connection(where, source_address=("127.0.0.3", 0)))
    with sender.socket:
        sender.associate(wire.context(1, CT, [EXPLICIT]))
        store(sender)
        sender.release()
    listening.wait_for(lambda: listening.sealed)
    assert listening.sealed[0].address == "127.0.0.3"
