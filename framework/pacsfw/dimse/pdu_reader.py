"""Reading protocol data units from a blocking socket (PS3.8 section 9.3).

`PduReader` reads ahead into one buffer that is reused for every PDU. It checks each length
before it waits for the bytes, and enforces a deadline for every PDU, so that a peer that sends
one byte per second cannot block a thread.
"""

from __future__ import annotations

import mmap
import socket
import ssl
import struct
import time

from pacsfw.dimse.pdu import (
    HEADER,
    MAX_ASSOCIATE,
    MAX_SMALL,
    AbortReason,
    ConnectionLost,
    PduType,
    PeerSilent,
    PeerTooSlow,
    ProtocolError,
    Value,
    pdvs,
)

_PDU_OF_ONE, _PDU_OF_ONE_SIZE = struct.Struct(">BxLLBB").unpack_from, 12
"""The headers of a P-DATA PDU and of its first presentation data value, and their size."""
_TICK = 5.0
"""Longest single wait for the socket, in seconds; deadlines are checked in between."""
_SEND_SECONDS = 60.0
"""Timeout in seconds for a peer to read what we send."""
_FIRST_BUFFER = 16 * 1024
_BUFFER = 1 << 19
"""Maximum bytes to read ahead from a fast peer."""
_QUICKACK = getattr(socket, "TCP_QUICKACK", None)
_P_DATA = int(PduType.P_DATA)
_KINDS = {int(kind): kind for kind in PduType}


class PduReader:
    """Reads PDUs from a connected TCP socket.

    Sets the socket's timeout and TCP_NODELAY. The buffer is small until the peer sends
    more than it holds.

    Parameters
    ----------
    sock
        The socket; the caller closes it.
    max_pdu
        Maximum bytes of P-DATA, as announced to the peer.
    idle_timeout
        Maximum seconds until a PDU begins; may be changed later.
    pdu_timeout
        Maximum seconds from the first byte of a PDU to its last.
    read_ahead
        Bytes that the caller has already read from the socket.
    """

    received = 0
    """Bytes received, without those passed as ``read_ahead``."""
    waiting = False
    """Whether it is waiting for bytes now; for other threads."""

    def __init__(
        self,
        sock: socket.socket,
        *,
        max_pdu: int,
        idle_timeout: float,
        pdu_timeout: float,
        read_ahead: bytes | bytearray = b"",
    ) -> None:
        self.idle_timeout = idle_timeout
        self._socket = sock
        self.pdu_timeout = pdu_timeout
        # Some peers count the six bytes of the PDU header and exceed the maximum by them.
        self._caps: dict[int, int] = {
            **dict.fromkeys(PduType, MAX_SMALL),
            PduType.ASSOCIATE_RQ: MAX_ASSOCIATE,
            PduType.ASSOCIATE_AC: MAX_ASSOCIATE,
            PduType.P_DATA: max_pdu + 6,
        }
        self._allocate(max(_FIRST_BUFFER, len(read_ahead)))
        self._start, self._end = 0, len(read_ahead)
        self._missing = 0
        """Remaining bytes of a fragment that was returned in part, ..."""
        self._part_of = (0, False)
        """... its other fields, ..."""
        self._part_deadline = 0.0
        """... and its deadline."""
        self._view[: self._end] = read_ahead
        _set_timeouts(sock, min(_TICK, idle_timeout, pdu_timeout))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def read(self) -> tuple[PduType, memoryview]:
        """Return the type of the next PDU and its variable field.

        The view is valid until the next call.

        Raises
        ------
        ConnectionLost, PeerTooSlow, ProtocolError
            There is no complete, acceptable PDU.
        """
        size = self._await_whole()
        begin, self._start = self._start, self._start + size
        return _KINDS[self._buffer[begin]], self._view[begin + HEADER.size : self._start]

    def values(self) -> list[Value]:
        """Return the values of all P-DATA PDUs received, at least a part of one.

        The fragment of a data set may be returned in several parts, so that it need not be
        buffered completely.

        Returns
        -------
        list of Value
            Empty if the next PDU is of another type, or one that `read` rejects. The views
            are valid until the next call.

        Raises
        ------
        ConnectionLost, PeerTooSlow, ProtocolError
            There is no complete, acceptable PDU.
        """
        values = self._values_ahead()
        if not values:
            if self._missing:
                self._await_more()
            else:
                self._await_whole(or_data=True)
            values = self._values_ahead()
        return values

    def _values_ahead(self) -> list[Value]:
        values: list[Value] = []
        start, end, cap = self._start, self._end, self._caps[_P_DATA]
        buffer, view = self._buffer, self._view
        if self._missing and start < end:
            after = min(start + self._missing, end)
            self._missing -= after - start
            context_id, is_last = self._part_of
            values.append((context_id, False, is_last and not self._missing, view[start:after]))
            start = after
        while start + _PDU_OF_ONE_SIZE <= end:
            kind, length, inner, context_id, control = _PDU_OF_ONE(buffer, start)
            after = start + 6 + length
            if kind != _P_DATA or length > cap:
                break
            if after > end:
                if control & 1 or inner + 4 != length:
                    break
                values.append((context_id, False, False, view[start + 12 : end]))
                self._missing, self._part_of = after - end, (context_id, control & 2 != 0)
                self._part_deadline = time.monotonic() + self.pdu_timeout
                start = end
                break
            if inner + 4 == length and inner >= 2:
                fragment = view[start + 12 : after]
                values.append((context_id, control & 1 != 0, control & 2 != 0, fragment))
            else:
                try:
                    values += list(pdvs(view[start + 6 : after]))
                except ProtocolError:
                    break
            start = after
        self._start = start
        return values

    def _await_more(self) -> None:
        """Read more of the fragment that was returned in part."""
        if time.monotonic() >= self._part_deadline:
            raise PeerTooSlow("the peer was too slow")
        self._make_room(0)
        self._receive(self._part_deadline)

    def _await_whole(self, *, or_data: bool = False) -> int:
        """Read until the next PDU is complete, before the deadline; return its length.

        With ``or_data``, the beginning of a fragment of a data set is enough.
        """
        begun = self._end > self._start
        deadline = 0.0
        while True:
            have = self._end - self._start
            size = self._announced_size() if have >= HEADER.size else 0
            if size and (have >= size or (or_data and self._has_data(have))):
                return size
            if not deadline:
                deadline = time.monotonic() + (self.pdu_timeout if begun else self.idle_timeout)
            elif begun and time.monotonic() >= deadline:
                raise PeerTooSlow("the peer was too slow")
            self._make_room(size)
            try:
                self._receive(deadline)
            except PeerTooSlow as error:
                if begun:
                    raise
                raise PeerSilent(str(error)) from None
            if not begun:
                begun, deadline = True, 0.0

    def _has_data(self, have: int) -> bool:
        if have < _PDU_OF_ONE_SIZE:
            return False
        kind, length, inner, _, control = _PDU_OF_ONE(self._buffer, self._start)
        return bool(kind == _P_DATA and inner + 4 == length and not control & 1)

    def _announced_size(self) -> int:
        kind, length = HEADER.unpack_from(self._buffer, self._start)
        cap = self._caps.get(kind)
        if cap is None:
            raise ProtocolError(f"PDU of unknown type 0x{kind:02X}", AbortReason.UNRECOGNIZED_PDU)
        if length > cap:
            raise ProtocolError(
                f"{PduType(kind).name} PDU of {length} bytes exceeds the limit of {cap}"
            )
        return int(HEADER.size + length)

    def _make_room(self, size: int) -> None:
        """Make the PDU at ``_start`` fit, by moving it or by enlarging the buffer."""
        have = self._end - self._start
        if have == 0:
            if self._end == len(self._buffer) < _BUFFER:
                self._allocate(min(4 * len(self._buffer), _BUFFER))
            self._start = self._end = 0
        if self._start + max(size, have + 1) <= len(self._buffer):
            return
        kept = bytes(self._view[self._start : self._end])
        if size > len(self._buffer) or self._end == len(self._buffer) < _BUFFER:
            self._allocate(max(size, min(4 * len(self._buffer), _BUFFER)))
        self._view[:have] = kept
        self._start, self._end = 0, have

    def _allocate(self, size: int) -> None:
        # Unlike a bytearray, it uses no memory until it is written to.
        self._buffer = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self._view = memoryview(self._buffer)

    def _receive(self, deadline: float) -> None:
        """Read the available bytes, at least one, before the deadline."""
        while True:
            if _QUICKACK is not None:
                # A sender with Nagle's algorithm waits for our acknowledgement of each part.
                self._socket.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
            self.waiting = True
            try:
                count = self._socket.recv_into(self._view[self._end :])
            except (TimeoutError, BlockingIOError):
                # Only here: bytes that were received are never dropped for being late.
                if time.monotonic() >= deadline:
                    raise PeerTooSlow("the peer sent nothing for too long") from None
                continue
            except OSError as error:
                raise ConnectionLost(f"the connection broke: {error.strerror}") from error
            self.waiting = False
            if count == 0:
                raise ConnectionLost("the peer closed the connection")
            self._end += count
            self.received += count
            return


def _set_timeouts(sock: socket.socket, seconds: float) -> None:
    if isinstance(sock, ssl.SSLSocket):
        sock.settimeout(seconds)  # on a blocking socket, OpenSSL would retry forever
        return
    # Timeouts of the system are free; those of Python add a call of poll to each read.
    sock.settimeout(None)
    receive, send = (
        struct.pack("ll", int(limit), int(1e6 * (limit % 1))) for limit in (seconds, _SEND_SECONDS)
    )
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, receive)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, send)
