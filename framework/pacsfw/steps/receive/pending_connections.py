"""Where connections wait until they have asked for an association: no thread, few bytes each.

A connection that says nothing, sends half a PDU or one byte a second, or does not finish its
TLS handshake stays here until its time is over. When the lobby is full, the oldest guest of
the address that has most of them has to go, so that a flood from one place crowds out itself.
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

from pacsfw.dimse import pdu
from pacsfw.dimse.negotiation import local_limit_exceeded
from pacsfw.dimse.tls import end_of_stream

MAX_GUESTS = 256
MAX_BYTES = 8 << 20
"""Of unfinished requests, over all guests."""

_TLS_HANDSHAKE = 0x16
_LINGER = 1.0
"""Seconds a peer has to read the last PDU and to close."""
_IGNORED = 1 << 18
"""Bytes that a peer may go on to send meanwhile."""
_NO_DATA = (BlockingIOError, ssl.SSLWantReadError)


class _State(Enum):
    HANDSHAKE = auto()
    REQUEST = auto()
    WAITING = auto()
    """The request is whole; there is no room for the association yet."""
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
    """The A-ASSOCIATE-RQ PDU, as far as it has come."""
    ignored: int = 0
    """Bytes that came after it had been dismissed."""


class Lobby:
    """The guests of one receiver process; used by its main thread only.

    Parameters
    ----------
    selector
        Is given the connections; calls what is registered with them.
    seconds
        How long a guest may take, and then wait for room.
    tls
        If there is one, a guest has to finish the handshake first.
    admit
        Takes a guest whose request is whole, or returns False: there is no room.
    note
        Is told what is worth a line in the log: level and text.
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
        self._guests: dict[PendingConnection, None] = {}
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._guests)

    def enter(self, sock: socket.socket, address: str) -> None:
        """Take a new connection in."""
        sock.setblocking(False)
        state = _State.REQUEST
        if self._tls is not None:
            state = _State.HANDSHAKE
            try:
                sock = self._tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
            except OSError:  # it is gone already
                sock.close()
                return
        guest = PendingConnection(sock, address, time.monotonic() + self._seconds, state)
        self._guests[guest] = None
        self._selector.register(sock, selectors.EVENT_READ, lambda: self._ready(guest))
        if len(self._guests) > MAX_GUESTS:
            self._crowd_out()

    def waiting(self) -> list[PendingConnection]:
        """Return the guests whose request is whole, the first to come first."""
        return [guest for guest in self._guests if guest.state is _State.WAITING]

    def admit_waiting(self) -> None:
        """Let those in for whom there is room now."""
        for guest in self.waiting():
            if self._admit(guest):
                self._forget(guest)

    def tick(self) -> None:
        """Send those away whose time is over."""
        now = time.monotonic()
        for guest in [guest for guest in self._guests if now >= guest.deadline]:
            if guest.state is _State.WAITING:
                self._warn(guest, "rejected: there are too many associations")
                self._dismiss(guest, local_limit_exceeded())
            elif guest.state is _State.REQUEST:
                if guest.request:
                    self._warn(guest, "aborted: its association request came too slowly")
                self._dismiss(guest, pdu.abort(pdu.AbortReason.NOT_SPECIFIED))
            else:
                if guest.state is _State.HANDSHAKE:
                    self._warn(guest, "closed: its TLS handshake came too slowly")
                self._close(guest)

    def close(self) -> None:
        """Send everybody away."""
        for guest in list(self._guests):
            self._close(guest)

    def _ready(self, guest: PendingConnection) -> None:
        try:
            if guest.state is _State.HANDSHAKE:
                self._shake_hands(guest)
            if guest.state is _State.REQUEST:
                self._read(guest)
            elif guest.state is _State.LEAVING:
                count = len(guest.sock.recv(65536))
                guest.ignored += count
                if not count or guest.ignored > _IGNORED:
                    self._close(guest)
        except _NO_DATA:
            return
        except ssl.SSLError as error:
            if guest.state is not _State.LEAVING:
                self._warn(guest, f"no TLS: {error.reason or type(error).__name__}")
            self._close(guest)
        except OSError:
            self._close(guest)

    def _shake_hands(self, guest: PendingConnection) -> None:
        assert isinstance(guest.sock, ssl.SSLSocket)  # noqa: S101 - `enter` made it
        events = selectors.EVENT_READ
        try:
            guest.sock.do_handshake()
            guest.state = _State.REQUEST
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLWantWriteError:
            events = selectors.EVENT_WRITE
        key = self._selector.get_key(guest.sock)
        if key.events != events:
            self._selector.modify(guest.sock, events, key.data)

    def _read(self, guest: PendingConnection) -> None:
        """Read what has come of the request, and no byte that is behind it."""
        while missing := self._missing(guest):
            data = guest.sock.recv(missing)
            if not data:
                self._close(guest)
                return
            guest.request += data
            self._bytes += len(data)
        if guest.state is _State.REQUEST:
            self._request_is_whole(guest)

    def _missing(self, guest: PendingConnection) -> int:
        """Return how many bytes are to be read next; dismiss who asks for something else."""
        have = len(guest.request)
        if have < pdu.HEADER.size:
            return pdu.HEADER.size - have
        kind, length = pdu.HEADER.unpack_from(guest.request)
        if kind == pdu.PduType.ASSOCIATE_RQ and length <= pdu.MAX_ASSOCIATE:
            self._limit_bytes()
            return int(pdu.HEADER.size + length - have) if guest.state is _State.REQUEST else 0
        reason = pdu.AbortReason.UNEXPECTED_PDU
        if kind == pdu.PduType.ASSOCIATE_RQ:
            reason = pdu.AbortReason.INVALID_PARAMETER
            self._warn(guest, f"aborted: an association request of {length} bytes")
        elif kind == _TLS_HANDSHAKE:
            self._warn(guest, "aborted: it speaks TLS, which net.local_node.tls would switch on")
        else:
            self._warn(guest, "aborted: it does not begin with an association request")
            if kind not in set(pdu.PduType):
                reason = pdu.AbortReason.UNRECOGNIZED_PDU
        self._dismiss(guest, pdu.abort(reason))
        return 0

    def _request_is_whole(self, guest: PendingConnection) -> None:
        self._selector.unregister(guest.sock)
        guest.state = _State.WAITING
        if self._admit(guest):
            self._forget(guest)

    def _limit_bytes(self) -> None:
        if self._bytes > MAX_BYTES:
            largest = max(self._guests, key=lambda guest: len(guest.request))
            self._warn(largest, "closed: too many long association requests at once")
            self._close(largest)

    def _crowd_out(self) -> None:
        idle = [guest for guest in self._guests if guest.state is not _State.WAITING]
        among = idle or list(self._guests)
        busiest, _ = Counter(guest.address for guest in among).most_common(1)[0]
        oldest = next(guest for guest in among if guest.address == busiest)
        self._warn(oldest, f"closed: more than {MAX_GUESTS} connections without an association")
        self._close(oldest)

    def _dismiss(self, guest: PendingConnection, reply: bytes) -> None:
        """Send the last PDU, and let the peer close first so that it gets to see it."""
        if guest.state is _State.WAITING:
            self._selector.register(guest.sock, selectors.EVENT_READ, lambda: self._ready(guest))
        guest.state = _State.LEAVING
        guest.deadline = time.monotonic() + _LINGER
        self._bytes -= len(guest.request)
        guest.request.clear()
        try:
            guest.sock.send(reply)
            end_of_stream(guest.sock)
        except OSError:
            self._close(guest)

    def _close(self, guest: PendingConnection) -> None:
        with contextlib.suppress(KeyError):
            self._selector.unregister(guest.sock)
        self._forget(guest)
        guest.state = _State.GONE
        guest.sock.close()

    def _forget(self, guest: PendingConnection) -> None:
        self._bytes -= len(guest.request)
        del self._guests[guest]

    def _warn(self, guest: PendingConnection, text: str) -> None:
        self._note(logging.WARNING, f"connection from {guest.address}: {text}")
