"""The sender's side of the protocol, byte by byte, for tests that need to be wrong on purpose."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Mapping

from pynetdicom.pdu import A_ASSOCIATE_AC

APPLICATION = b"1.2.840.10008.3.1.1.1"
CT = "1.2.840.10008.5.1.4.1.1.2"
VERIFICATION = "1.2.840.10008.1.1"
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
RELEASE_RQ = struct.pack(">BBLL", 5, 0, 4, 0)
RELEASE_RP = struct.pack(">BBLL", 6, 0, 4, 0)
ABORT = 7


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = socket.create_connection(server.getsockname())
        far, _ = server.accept()
    near.settimeout(30)
    return near, far


def item(kind: int, value: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(value)) + value


def context(context_id: int, abstract: str, syntaxes: Iterable[str]) -> bytes:
    offers = b"".join(item(0x40, syntax.encode()) for syntax in syntaxes)
    return item(0x20, bytes((context_id, 0, 0, 0)) + item(0x30, abstract.encode()) + offers)


def associate_body(
    contexts: Iterable[bytes],
    *,
    called: bytes = b"PACSFW".ljust(16),
    calling: bytes = b"SENDER".ljust(16),
    extra: bytes = b"",
    user: bytes = item(0x51, struct.pack(">L", 16384)) + item(0x52, b"1.2.3"),
    version: int = 1,
    application: bytes = APPLICATION,
) -> bytes:
    fixed = struct.pack(">HH", version, 0) + called + calling + bytes(32)
    return fixed + item(0x10, application) + b"".join(contexts) + extra + item(0x50, user)


def associate(*contexts: bytes, **fields: bytes) -> bytes:
    body = associate_body(contexts or default_contexts(), **fields)
    return struct.pack(">BBL", 1, 0, len(body)) + body


def default_contexts() -> tuple[bytes, ...]:
    return context(1, CT, [EXPLICIT]), context(3, VERIFICATION, [IMPLICIT])


def decoded(accept: bytes) -> dict[int, tuple[int, str]]:
    """Read an A-ASSOCIATE-AC with pynetdicom: context ID to result and syntax."""
    pdu = A_ASSOCIATE_AC()
    pdu.decode(accept)
    return {
        result.context_id: (result.result, str(result.transfer_syntax))
        for result in pdu.presentation_context
    }


def pdv(context_id: int, control: int, fragment: bytes) -> bytes:
    return struct.pack(">LBB", len(fragment) + 2, context_id, control) + fragment


def p_data(*pdvs: bytes) -> bytes:
    body = b"".join(pdvs)
    return struct.pack(">BBL", 4, 0, len(body)) + body


def command(elements: Mapping[int, bytes | int]) -> bytes:
    body = b""
    for number, value in sorted(elements.items()):
        data = struct.pack("<H", value) if isinstance(value, int) else value
        data += b"\0" * (len(data) % 2)
        body += struct.pack("<HHL", 0, number, len(data)) + data
    return struct.pack("<HHLL", 0, 0, 4, len(body)) + body


def store_request(sop_uid: str = "1.2.3", **changes: bytes | int | None) -> bytes:
    elements: dict[int, bytes | int | None] = {
        0x0002: CT.encode(),
        0x0100: 0x0001,
        0x0110: 7,
        0x0700: 0,
        0x0800: 1,
        0x1000: sop_uid.encode("latin-1"),
        0x1030: b"MOVER ",
        0x1031: 99,
    }
    elements |= {int(name.removeprefix("e"), 16): value for name, value in changes.items()}
    return command({number: value for number, value in elements.items() if value is not None})


def echo_request() -> bytes:
    return command({0x0002: VERIFICATION.encode(), 0x0100: 0x0030, 0x0110: 8, 0x0800: 0x0101})


class Sender:
    """A connection to a Storage SCP; reads what comes back."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.socket.settimeout(30)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def pdu(self) -> tuple[int, bytes]:
        """Return the next PDU, whole, and its type; type 0 at the end of the connection."""
        head = self._exactly(6)
        if head is None:
            return 0, b""
        kind, length = struct.unpack(">BxL", head)
        return kind, head + (self._exactly(length) or b"")

    def response(self) -> dict[int, bytes]:
        """Return the elements of the next command set."""
        data = b""
        while True:
            kind, pdu = self.pdu()
            assert kind == 4, f"PDU of type {kind} instead of P-DATA"
            position = 6
            while position < len(pdu):
                length, _, control = struct.unpack_from(">LBB", pdu, position)
                data += pdu[position + 6 : position + 4 + length]
                position += 4 + length
            if control & 2:
                break
        elements = {}
        while data:
            _, number, length = struct.unpack_from("<HHL", data)
            elements[number] = data[8 : 8 + length]
            data = data[8 + length :]
        return elements

    def status(self) -> int:
        return int.from_bytes(self.response()[0x0900], "little")

    def associate(self, *contexts: bytes, **fields: bytes) -> dict[int, tuple[int, str]]:
        self.send(associate(*contexts, **fields))
        kind, pdu = self.pdu()
        assert kind == 2, f"PDU of type {kind} instead of A-ASSOCIATE-AC"
        return decoded(pdu)

    def release(self) -> None:
        self.send(RELEASE_RQ)
        assert self.pdu() == (6, RELEASE_RP)
        assert self.pdu()[0] == 0

    def _exactly(self, length: int) -> bytes | None:
        data = b""
        while len(data) < length:
            part = self.socket.recv(length - len(data))
            if not part:
                return None
            data += part
        return data
