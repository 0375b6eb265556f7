"""A PACS that sends bytes: for answers that no library would make."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from pynetdicom.pdu import A_ASSOCIATE_RQ

from pacsfw.api import Net
from unit.dimse import wire
from unit.dimse.scripted import net

STUDY_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
PATIENT_FIND = "1.2.840.10008.5.1.4.1.2.1.1"
SYNTAX = wire.IMPLICIT


class Peer(wire.Sender):
    """The PACS's side of one association; ``contexts`` are those proposed, by their ID."""

    contexts: dict[int, str]

    def question(self) -> tuple[int, bytes] | None:
        """Wait for a request; return its context ID and its identifier, or None at the end."""
        parts = b""
        while True:
            kind, pdu = self.pdu()
            if kind != 4:
                return None
            _, context_id, control = struct.unpack_from(">LBB", pdu, 6)
            if not control & 1:
                parts += pdu[12:]
            if control == 2:
                return context_id, parts

    def answer(self, *rows: bytes, status: int | None = 0x0000, pending: int = 0xFF00) -> None:
        """Send the rows, then the final status, if any, on the first context."""
        self.send(b"".join(self.row(row, pending) for row in rows))
        if status is not None:
            self.send(wire.p_data(wire.pdv(1, 3, response(status, has_data=False))))

    @staticmethod
    def row(data: bytes, status: int = 0xFF00) -> bytes:
        head = wire.p_data(wire.pdv(1, 3, response(status)))
        return head + wire.p_data(wire.pdv(1, 2, data))


def response(status: int, *, has_data: bool = True, **changes: bytes | int) -> bytes:
    elements = {
        0x0100: 0x8020,
        0x0120: 1,
        0x0800: 1 if has_data else 0x0101,
        0x0900: status,
    } | {int(name.removeprefix("e"), 16): value for name, value in changes.items()}
    return wire.command(elements)


def study(uid: str, **others: str) -> bytes:
    """A row in Implicit VR Little Endian; ``others`` by tag, such as ``e00100010``."""
    elements = {0x0020000D: uid} | {int(tag[1:], 16): value for tag, value in others.items()}
    data = b""
    for tag, text in sorted(elements.items()):
        value = text.encode("latin-1")
        value += b"\0" * (len(value) % 2)
        data += struct.pack("<HHL", tag >> 16, tag & 0xFFFF, len(value)) + value
    return data


@contextmanager
def raw_pacs(script: Callable[[Peer], None], *models: str, associations: int = 1) -> Iterator[Net]:
    """Accept so many associations, one after the other, and let ``script`` go on with each.

    Only ``models`` are accepted, every model where none is given.
    """
    failures: list[BaseException] = []

    def serve() -> None:
        for _ in range(associations):
            connection, _ = server.accept()
            with connection:
                peer = Peer(connection)
                try:
                    peer.send(accept(peer, models))
                    # What the peer does not wait for any more is no failure of the script.
                    with suppress(ConnectionError):
                        script(peer)
                except BaseException as failure:  # noqa: BLE001 - shown by the test
                    failures.append(failure)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield net(server.getsockname()[1])
        finally:
            thread.join(30)
            assert not thread.is_alive()
    assert not failures, failures


def accept(peer: Peer, models: tuple[str, ...]) -> bytes:
    kind, pdu = peer.pdu()
    assert kind == 1
    request = A_ASSOCIATE_RQ()
    request.decode(pdu)
    peer.contexts = {
        item.context_id: str(item.abstract_syntax) for item in request.presentation_context
    }
    results = b"".join(
        wire.item(
            0x21,
            bytes((number, 0, 0 if not models or model in models else 3, 0))
            + wire.item(0x40, SYNTAX.encode()),
        )
        for number, model in peer.contexts.items()
    )
    user = wire.item(0x51, struct.pack(">L", 16384)) + wire.item(0x52, b"1.2.3")
    body = struct.pack(">HH", 1, 0) + pdu[10:42] + bytes(32)
    body += wire.item(0x10, wire.APPLICATION) + results + wire.item(0x50, user)
    return struct.pack(">BBL", 2, 0, len(body)) + body
