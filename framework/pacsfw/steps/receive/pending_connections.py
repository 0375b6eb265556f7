"""Connections that have not yet requested an association: no thread, and few bytes each.

A connection that sends nothing, half a PDU or one byte a second, or that does not finish its
TLS handshake, stays here until its timeout. At `MAX_PENDING` connections, the oldest one from
the address with the most connections is closed, so that a flood displaces only itself.
"""

from __future__ import annotations

import contextlib
import logging
import selectors
import socket
import ssl
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import partial

from pacsfw.dimse import pdu
from pacsfw.dimse.negotiation import local_limit_exceeded
from pacsfw.dimse.tls import end_of_stream

MAX_PENDING = 256
MAX_BYTES = 8 << 20
"""Of unfinished requests, over all connections."""

_TLS_HANDSHAKE = 0x16
_LINGER = 1.0
"""Seconds a peer has to read the last PDU and to close."""
_IGNORED = 1 << 18
"""Bytes that a peer may still send in this time."""
_NO_DATA = (BlockingIOError, ssl.SSLWantReadError)


class _State(Enum):
    HANDSHAKE = auto()
    REQUEST = auto()
    WAITING = auto()
    """The request is complete; no association is free yet."""
    LEAVING = auto()
    GONE = auto()


@dataclass(slots=True, eq=False)
class PendingConnection:
    """A connection without an association."""

    sock: socket.socket
    address: str
    deadline: float
    state: _State
    request: bytearray = field(default_factory=bytearray)
    """The bytes of the A-ASSOCIATE-RQ PDU received so far."""
    ignored: int = 0
    """Bytes received after the connection was rejected."""


class PendingConnections:
    """The pending connections of one receiver process; used by its main thread only.

    Parameters
    ----------
    seconds
        Timeout for the request, including the time it waits for a free association.
    tls
        If given, a connection must complete the TLS handshake first.
    admit
        Takes a connection with a complete request, or returns False: no association is free.
    note
        Logs a text at a level.
    """

    def __init__(
        self,
        selector: selectors.BaseSelector,
        seconds: float,
        tls: ssl.SSLContext | None,
        admit: Callable[[PendingConnection], bool],
        note: Callable[[int, str], None],
    ) -> None:
        self._selector, self._seconds, self._tls = selector, seconds, tls
        self._admit, self._note = admit, note
        self._pending: dict[PendingConnection, None] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._pending)

    def enter(self, sock: socket.socket, address: str) -> None:
        """Add a new connection."""
        sock.setblocking(False)
        state = _State.REQUEST
        if self._tls is not None:
            state = _State.HANDSHAKE
            try:
                sock = self._tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
            except OSError:  # already closed by the peer
                sock.close()
                return
        connection = PendingConnection(sock, address, time.monotonic() + self._seconds, state)
        self._pending[connection] = None
        self._register(connection)
        if len(self._pending) > MAX_PENDING:
            self._close_oldest()

    def waiting(self) -> list[PendingConnection]:
        """Return the connections whose request is complete, oldest first."""
        return [each for each in self._pending if each.state is _State.WAITING]

    def admit_waiting(self) -> None:
        """Admit waiting connections while associations are free."""
        for connection in self.waiting():
            if self._admit(connection):
                self._forget(connection)

    def tick(self) -> None:
        """Reject or close the connections whose timeout has passed."""
        now = time.monotonic()
        for connection in [each for each in self._pending if now >= each.deadline]:
            if connection.state is _State.WAITING:
                self._warn(connection, "rejected: there are too many associations")
                self._dismiss(connection, local_limit_exceeded())
            elif connection.state is _State.REQUEST:
                if connection.request:
                    self._warn(connection, "aborted: its association request was too slow")
                self._dismiss(connection, pdu.abort(pdu.AbortReason.NOT_SPECIFIED))
            else:
                if connection.state is _State.HANDSHAKE:
                    self._warn(connection, "closed: its TLS handshake was too slow")
                self._close(connection)

    def close(self) -> None:
        """Close all connections."""
        for connection in list(self._pending):
            self._close(connection)

    def _register(self, connection: PendingConnection) -> None:
        ready = partial(self._ready, connection)
        self._selector.register(connection.sock, selectors.EVENT_READ, ready)

    def _ready(self, connection: PendingConnection) -> None:
        try:
            if connection.state is _State.HANDSHAKE:
                self._shake_hands(connection)
            if connection.state is _State.REQUEST:
                self._read(connection)
            elif connection.state is _State.LEAVING:
                count = len(connection.sock.recv(65536))
                connection.ignored += count
                if not count or connection.ignored > _IGNORED:
                    self._close(connection)
        except _NO_DATA:
            return
        except ssl.SSLError as error:
            if connection.state is not _State.LEAVING:
                self._warn(connection, f"no TLS: {error.reason or type(error).__name__}")
            self._close(connection)
        except OSError:
            self._close(connection)

    def _shake_hands(self, connection: PendingConnection) -> None:
        assert isinstance(connection.sock, ssl.SSLSocket)  # noqa: S101 - `enter` made it
        events = selectors.EVENT_READ
        try:
            connection.sock.do_handshake()
            connection.state = _State.REQUEST
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLWantWriteError:
            events = selectors.EVENT_WRITE
        key = self._selector.get_key(connection.sock)
        if key.events != events:
            self._selector.modify(connection.sock, events, key.data)

    def _read(self, connection: PendingConnection) -> None:
        """Read the request, and no byte after it."""
        while missing := self._missing(connection):
            data = connection.sock.recv(missing)
            if not data:
                self._close(connection)
                return
            connection.request += data
            self._bytes += len(data)
        if connection.state is _State.REQUEST:
            self._request_is_complete(connection)

    def _missing(self, connection: PendingConnection) -> int:
        """Return how many bytes to read next; reject anything but an association request."""
        have = len(connection.request)
        if have < pdu.HEADER.size:
            return pdu.HEADER.size - have
        kind, length = pdu.HEADER.unpack_from(connection.request)
        if kind == pdu.PduType.ASSOCIATE_RQ and length <= pdu.MAX_ASSOCIATE:
            self._limit_bytes()
            return int(pdu.HEADER.size + length - have) if connection.state is _State.REQUEST else 0
        reason = pdu.AbortReason.UNEXPECTED_PDU
        if kind == pdu.PduType.ASSOCIATE_RQ:
            reason = pdu.AbortReason.INVALID_PARAMETER
            self._warn(connection, f"aborted: an association request of {length} bytes")
        elif kind == _TLS_HANDSHAKE:
            text = "aborted: TLS handshake on a plain port; enable net.local_node.tls"
            self._warn(connection, text)
        else:
            self._warn(connection, "aborted: it does not begin with an association request")
            if kind not in set(pdu.PduType):
                reason = pdu.AbortReason.UNRECOGNIZED_PDU
        self._dismiss(connection, pdu.abort(reason))
        return 0

    def _request_is_complete(self, connection: PendingConnection) -> None:
        self._selector.unregister(connection.sock)
        connection.state = _State.WAITING
        if self._admit(connection):
            self._forget(connection)

    def _limit_bytes(self) -> None:
        if self._bytes > MAX_BYTES:
            largest = max(self._pending, key=lambda connection: len(connection.request))
            self._warn(largest, "closed: too many long association requests at once")
            self._close(largest)

    def _close_oldest(self) -> None:
        idle = [each for each in self._pending if each.state is not _State.WAITING]
        among = idle or list(self._pending)
        busiest, _ = Counter(connection.address for connection in among).most_common(1)[0]
        oldest = next(connection for connection in among if connection.address == busiest)
        self._warn(oldest, f"closed: more than {MAX_PENDING} connections without an association")
        self._close(oldest)

    def _dismiss(self, connection: PendingConnection, reply: bytes) -> None:
        """Send the last PDU, and let the peer close first so that it can read it."""
        if connection.state is _State.WAITING:
            self._register(connection)
        connection.state = _State.LEAVING
        connection.deadline = time.monotonic() + _LINGER
        self._bytes -= len(connection.request)
        connection.request.clear()
        try:
            connection.sock.send(reply)
            end_of_stream(connection.sock)
        except OSError:
            self._close(connection)

    def _close(self, connection: PendingConnection) -> None:
        with contextlib.suppress(KeyError):
            self._selector.unregister(connection.sock)
        self._forget(connection)
        connection.state = _State.GONE
        connection.sock.close()

    def _forget(self, connection: PendingConnection) -> None:
        self._bytes -= len(connection.request)
        del self._pending[connection]

    def _warn(self, connection: PendingConnection, text: str) -> None:
        self._note(logging.WARNING, f"connection from {connection.address}: {text}")
