"""Messages in a stream of bytes, each behind its length, as several may be read at once.

To wake up for each of many small messages costs more than all that is done about them.
"""

from __future__ import annotations

import os
import struct

CHUNK = 1 << 18
"""What is read at a time, at most."""

_LENGTH = struct.Struct("=L")


def write_frame(descriptor: int, message: bytes) -> None:
    """Write a message as a whole; only one thread may be writing.

    Raises
    ------
    OSError
        Nobody reads any more.
    """
    rest = memoryview(_LENGTH.pack(len(message)) + message)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


class Frames:
    """Finds the messages in the bytes of one stream."""

    def __init__(self) -> None:
        self._release = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the messages that are whole now."""
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
