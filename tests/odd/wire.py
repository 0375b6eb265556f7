"""DIMSE over raw sockets, for peers whose every byte can be bent."""

from __future__ import annotations

import io
import re
import struct

from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset

IMPL, EXPL, BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
FIND_S, MOVE_S, GET_S = ("1.2.840.10008.5.1.4.1.2.2." + n for n in "123")
FIND_P, MOVE_P, GET_P = ("1.2.840.10008.5.1.4.1.2.1." + n for n in "123")
ECHO = "1.2.840.10008.1.1"
NO_DATA = 0x0101


def encode(ds, syntax=IMPL):
    b = DicomBytesIO()
    b.is_implicit_VR = syntax == IMPL
    b.is_little_endian = syntax != BIG
    write_dataset(b, ds)
    return b.getvalue()


def decode(data, syntax=IMPL):
    return read_dataset(io.BytesIO(data), syntax == IMPL, syntax != BIG)


def el(element, value):
    if isinstance(value, int):
        value = value.to_bytes(2, "little")
    if isinstance(value, str):
        value = value.encode("latin-1")
    if len(value) % 2:
        value += b"\0"
    return struct.pack("<HHL", 0, element, len(value)) + value


def command(elements):
    body = b"".join(el(k, v) for k, v in sorted(elements.items()))
    return el(0, struct.pack("<L", len(body))) + body


def parse_command(data):
    out, p = {}, 0
    while p < len(data):
        _g, e, n = struct.unpack_from("<HHL", data, p)
        p += 8
        out[e] = data[p : p + n]
        p += n
    return out


def num(v):
    return int.from_bytes(v, "little")


def txt(v):
    return v.decode("latin-1").strip(" \0")


def pdu(kind, body):
    return struct.pack(">BxL", kind, len(body)) + body


def pdv(cid, flags, data):
    return struct.pack(">LBB", len(data) + 2, cid, flags) + data


def item(kind, body):
    return struct.pack(">BxH", kind, len(body)) + body


def items(data):
    """Yield type and value of the items, or sub-items, of an association PDU."""
    p = 0
    while p < len(data):
        kind, n = struct.unpack_from(">BxH", data, p)
        yield kind, data[p + 4 : p + 4 + n]
        p += 4 + n


class Gone(Exception):
    pass


def recv_exact(sock, n):
    out = b""
    while len(out) < n:
        piece = sock.recv(n - len(out))
        if not piece:
            raise Gone
        out += piece
    return out


def recv_pdu(sock):
    head = recv_exact(sock, 6)
    kind, n = struct.unpack(">BxL", head)
    return kind, recv_exact(sock, n)


class Conn:
    def __init__(self, pacs, sock):
        self.pacs, self.sock = pacs, sock
        self.contexts, self.max = {}, 16384
        self.state = {}

    def send(self, data):
        self.sock.sendall(data)

    def message(self, cid, cmd, data=None):
        """command and data set, one PDU per part"""
        self.send(pdu(4, pdv(cid, 3, command(cmd))))
        if data is not None:
            self.data(cid, data)

    def data(self, cid, data):
        step = min(self.max or 1 << 16, 1 << 16) - 6
        chunks = [data[i : i + step] for i in range(0, len(data), step)] or [b""]
        for n, c in enumerate(chunks):
            self.send(pdu(4, pdv(cid, 2 if n == len(chunks) - 1 else 0, c)))


def matches(value, key, vr):
    if key in (None, ""):
        return True
    if vr == "UI":
        return value in key.split("\\")
    if vr in ("DA", "TM") and "-" in key:
        lo, _, hi = key.partition("-")
        if value == "":
            return False
        return (not lo or value >= lo) and (not hi or value[: len(hi)] <= hi)
    if "*" in key or "?" in key:
        return (
            re.fullmatch(
                "".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in key),
                value,
                re.I,
            )
            is not None
        )
    return value == key


def s(v):
    if v is None:
        return ""
    if isinstance(v, (list, tuple)) or type(v).__name__ == "MultiValue":
        return "\\".join(map(str, v))
    return str(v)
