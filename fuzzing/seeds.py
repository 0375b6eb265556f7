"""Where fuzzing starts from: small valid input for each target."""

from __future__ import annotations

import struct
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path


def _item(kind: int, value: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(value)) + value


def _associations() -> Iterator[bytes]:
    for syntaxes in ([b"1.2.840.10008.1.2.1"], [b"1.2.840.10008.1.2", b"1.2.840.10008.1.2.4.90"]):
        offers = b"".join(_item(0x40, syntax) for syntax in syntaxes)
        context = bytes((1, 0, 0, 0)) + _item(0x30, b"1.2.840.10008.5.1.4.1.1.2") + offers
        user = _item(0x51, struct.pack(">L", 16384)) + _item(0x52, b"1.2.3") + _item(0x99, b"x")
        yield (
            struct.pack(">HH", 1, 0)
            + b"PACSFW".ljust(16)
            + b"SENDER".ljust(16)
            + bytes(32)
            + _item(0x10, b"1.2.840.10008.3.1.1.1")
            + _item(0x20, context)
            + _item(0x50, user)
        )


def _values() -> Iterator[bytes]:
    command = next(_commands())
    yield struct.pack(">LBB", len(command) + 2, 1, 3) + command
    yield struct.pack(">LBB", 6, 1, 0) + b"data" + struct.pack(">LBB", 2, 1, 2)


def _streams() -> Iterator[bytes]:
    pdus = [struct.pack(">BBL", 1, 0, len(body)) + body for body in _associations()]
    pdus += [struct.pack(">BBL", 4, 0, len(body)) + body for body in _values()]
    pdus.append(struct.pack(">BBLL", 5, 0, 4, 0))
    for size in (0, 1, 255):
        yield bytes((size,)) + b"".join(pdus)


def _commands() -> Iterator[bytes]:
    elements = {
        0x0002: b"1.2.840.10008.5.1.4.1.1.2\0",
        0x0100: b"\1\0",
        0x0110: b"\7\0",
        0x0800: b"\1\0",
        0x1000: b"1.2.3\0",
        0x1030: b"MOVER ",
    }
    body = b"".join(
        struct.pack("<HHL", 0, number, len(value)) + value for number, value in elements.items()
    )
    yield struct.pack("<HHLL", 0, 0, 4, len(body)) + body
    yield body


def _files() -> Iterator[bytes]:
    from pacsfw.testing import make_studies, write_studies

    with tempfile.TemporaryDirectory() as folder:
        for path in write_studies(Path(folder), make_studies(2))[:4]:
            yield path.read_bytes()[:8000]


def _data_sets() -> Iterator[bytes]:
    for file in _files():
        length = 144 + struct.unpack_from("<L", file, 140)[0]
        yield b"\0" + file[length:]
        squeezed = zlib.compressobj(wbits=-15)
        yield b"\3" + squeezed.compress(file[length:]) + squeezed.flush()


SEEDS: dict[str, Callable[[], Iterator[bytes]]] = {
    "stream": _streams,
    "values": _values,
    "association": _associations,
    "command": _commands,
    "part10": _files,
    "data_set": _data_sets,
}
