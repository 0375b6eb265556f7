"""Length-prefixed messages in a stream of bytes, so that one read can return several.

Waking up for each of many small messages costs more than their processing.
"""

from __future__ import annotations

import os
import struct

CHUNK = 1 << 18
"""Maximum bytes per read."""

_LENGTH = struct.Struct("=L")


def write_frame(descriptor: int, message: bytes) -> None:
    """Write a complete message; only one thread may write.

    Raises
    ------
    OSError
        The reader is gone.
    """
    rest = memoryview(_LENGTH.pack(len(message)) + message)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


class Frames:
    """Splits the bytes of one stream into messages."""

    def __init__(self) -> None:
        self._release = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the messages that are complete now."""
        data = self._release + data
        messages = []
        position = 0
        while position + _LENGTH.size <= len(data):
            begin = position + _LENGTH.size
            end = begin + _LENGTH.unpack_from(data, position)[0]
            if end > len(data):
                break
            messages.append(data[begin:end])
            position = end
        self._release = data[position:]
        return messages
