"""The messages on an association that we requested (PS3.7 section 9.3, PS3.8 section 9.3).

`pacsfw.dimse.opening` negotiates it; this is our own blocking read loop. pynetdicom's
association has a second thread that looks for requests of the peer. With unlucky scheduling,
that thread takes a response from the queue and drops it: the query result lacks a row although
its final status is Success (seen with 3.0.4 on a busy machine, about once in some hundred
queries). A proof of completeness cannot rely on that.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
import time
from collections.abc import Iterable, Mapping
from typing import NoReturn

from pacsfw.api import SpoolFile
from pacsfw.dimse import command, pdu
from pacsfw.dimse.command import Command, Element, Field
from pacsfw.dimse.messages import Message, Messages
from pacsfw.dimse.negotiation import Context
from pacsfw.dimse.pdu import PduType, PeerSilent, ProtocolError
from pacsfw.dimse.pdu_reader import PduReader
from pacsfw.dimse.storing import Create, StoreRequest, marking_last

RELEASE_SECONDS = 5.0
_NEVER_RELEASE: set[object] = set()
"""The peers that did not respond to a release request: they are not waited for again."""


class Ended(Exception):
    """The association is over; the text describes how it ended."""


class Requestor:
    """An established association. For use by one thread.

    Parameters
    ----------
    sock
        The connection; closed by `release` and `abort`.
    contexts
        Accepted presentation contexts by ID.
    peer_max_pdu
        Maximum length of a P-DATA PDU for the peer; 0: no limit.
    """

    def __init__(
        self,
        sock: socket.socket,
        reader: PduReader,
        contexts: Mapping[int, Context],
        peer_max_pdu: int,
    ) -> None:
        self._socket, self._reader = sock, reader
        self._contexts, self._peer_max_pdu = contexts, peer_max_pdu
        self._messages = Messages(contexts)
        # Random: whoever repeats it as Move Originator Message ID was told by the PACS.
        self._message_id = secrets.randbelow(0xFFFF)
        self._create: Create | None = None
        self._storing: StoreRequest[SpoolFile] | None = None
        self.is_open = True

    @property
    def received(self) -> int:
        """Bytes received; grows while the peer sends, even during one long message."""
        return self._reader.received

    @property
    def next_message_id(self) -> int:
        """The message ID of the next request."""
        return self._message_id % 0xFFFF + 1

    def take_objects(self, create: Create) -> None:
        """Accept instances by C-STORE over this association while `receive` waits.

        Parameters
        ----------
        create
            Called with SOP class, SOP Instance UID and transfer syntax to begin an instance.
        """
        self._create = create

    def send(
        self,
        abstract_syntax: str,
        elements: Mapping[Element, int] | Mapping[Element, bytes | int],
        data: bytes | None = None,
    ) -> int:
        """Send a request; return its message ID.

        Raises
        ------
        Ended
            The association is over.
        """
        context_id = self._context_id(abstract_syntax)
        self._message_id = self.next_message_id
        request: dict[int, bytes | int] = {
            Element.AFFECTED_SOP_CLASS: abstract_syntax.encode("ascii"),
            Element.MESSAGE_ID: self._message_id,
            Element.DATA_SET_TYPE: command.NO_DATA_SET if data is None else 0x0001,
            **{int(element): value for element, value in elements.items()},
        }
        packed = pdu.p_data(context_id, command.encode(request), self._peer_max_pdu)
        if data is not None:
            packed += pdu.p_data(context_id, data, self._peer_max_pdu, is_command=False)
        self._write(packed)
        return self._message_id

    def store(
        self, sop_class: str, transfer_syntax: str, sop_uid: str, pieces: Iterable[bytes]
    ) -> None:
        """Send a C-STORE request (PS3.7 section 9.3.1) with the data set in pieces.

        Raises
        ------
        Ended
            The association is over.
        """
        context_id = next(
            number
            for number, each in self._contexts.items()
            if (each.abstract_syntax, each.transfer_syntax) == (sop_class, transfer_syntax)
        )
        self._message_id = self.next_message_id
        request: dict[int, bytes | int] = {
            Element.AFFECTED_SOP_CLASS: sop_class.encode("latin-1"),
            Element.COMMAND_FIELD: Field.C_STORE_RQ,
            Element.MESSAGE_ID: self._message_id,
            Element.PRIORITY: 0x0000,
            Element.DATA_SET_TYPE: 0x0001,
            Element.AFFECTED_SOP_INSTANCE: sop_uid.encode("latin-1"),
        }
        self._write(pdu.p_data(context_id, command.encode(request), self._peer_max_pdu))
        for piece, is_last in marking_last(pieces):
            self._write(
                pdu.p_data(context_id, piece, self._peer_max_pdu, is_command=False, is_end=is_last)
            )

    def cancel(self, abstract_syntax: str, message_id: int) -> None:
        """Send a C-CANCEL request (PS3.7 section 9.3.2.3).

        Raises
        ------
        Ended
            The association is over.
        """
        request: dict[int, bytes | int] = {
            Element.COMMAND_FIELD: Field.C_CANCEL_RQ,
            Element.MESSAGE_ID_RESPONDED_TO: message_id,
            Element.DATA_SET_TYPE: command.NO_DATA_SET,
        }
        context_id = self._context_id(abstract_syntax)
        self._write(pdu.p_data(context_id, command.encode(request), self._peer_max_pdu))

    def accepts(self, abstract_syntax: str, transfer_syntax: str = "") -> bool:
        """Return whether a context of this service (and transfer syntax) was accepted."""
        return any(
            each.abstract_syntax == abstract_syntax
            and transfer_syntax in ("", each.transfer_syntax)
            for each in self._contexts.values()
        )

    def syntax_of(self, abstract_syntax: str) -> str:
        """Return the transfer syntax for data sets of this service."""
        return self._contexts[self._context_id(abstract_syntax)].transfer_syntax

    def receive(self, seconds: float) -> Message | None:
        """Return the next message, or None if none is complete after ``seconds``.

        Parts of it are kept for the next call. A PDU in progress is awaited as long as the
        reader allows.

        Raises
        ------
        Ended
            The association is over; it is closed by then.
        """
        deadline = time.monotonic() + seconds
        while True:
            message = self._messages.take()
            if message is not None:
                return message
            try:
                kind, body = self._reader.read()
                if kind is not PduType.P_DATA:
                    self._other(kind)
                self._collect(body)
            except PeerSilent:
                self._messages.end_without_data()
            except pdu.PduError as err:
                self._end(in_words(err), abort=True)
            except ValueError as err:
                self._end(f"the association was aborted: {err}", abort=True)
            if time.monotonic() >= deadline:
                return self._messages.take()

    def _other(self, kind: PduType) -> NoReturn:
        """Handle a PDU that ends the association, or is unexpected."""
        if kind is PduType.ABORT:
            self._end("the PACS aborted the association")
        if kind is PduType.RELEASE_RQ:
            self._write(pdu.release_response())
            self._end("the PACS released the association")
        self._end(f"the association was aborted: unexpected {kind.name} PDU", abort=True)

    def release(self) -> None:
        """Release the association, without a long wait."""
        if not self.is_open:
            return
        with contextlib.suppress(Ended, pdu.PduError, OSError):  # it is over anyway
            peer = self._socket.getpeername()
            self._write(pdu.release_request())
            if peer not in _NEVER_RELEASE and not self._is_released():
                _NEVER_RELEASE.add(peer)
        self._close()

    def _is_released(self) -> bool:
        """Wait for the response to a release request; return whether it came."""
        deadline = time.monotonic() + RELEASE_SECONDS
        while time.monotonic() < deadline:
            try:
                kind, _ = self._reader.read()
            except PeerSilent:
                continue
            if kind in (PduType.RELEASE_RP, PduType.ABORT):
                return True
        return False

    def abort(self) -> None:
        """Abort the association immediately."""
        if self.is_open:
            self._send_abort()
            self._close()

    def _collect(self, body: memoryview) -> None:
        """Add one P-DATA PDU."""
        for context_id, is_command, is_last, fragment in pdu.pdvs(body):
            if self._storing is not None and not is_command:
                self._store(self._storing, context_id, fragment, is_last=is_last)
                continue
            request = self._messages.add(
                context_id, fragment, is_command=is_command, is_last=is_last
            )
            if request is not None:
                self._begin_storing(request, context_id)

    def _begin_storing(self, request: Command, context_id: int) -> None:
        if self._create is None or self._storing is not None:
            raise ProtocolError("a C-STORE request that was not asked for")
        self._storing = StoreRequest(request, context_id)
        self._storing.begin(self._contexts[context_id], self._create)
        if not request.has_data_set:
            self._store(self._storing, context_id, memoryview(b""), is_last=True)

    def _store(
        self,
        storing: StoreRequest[SpoolFile],
        context_id: int,
        fragment: memoryview,
        *,
        is_last: bool,
    ) -> None:
        if context_id != storing.context_id:
            raise ProtocolError("data set in a different presentation context than its command")
        storing.write(fragment)
        if is_last:
            self._storing = None
            storing.end()
            answer = command.response(storing.request, storing.status, storing.comment)
            self._write(pdu.p_data(context_id, answer, self._peer_max_pdu))

    def _context_id(self, abstract_syntax: str) -> int:
        for context_id, context in self._contexts.items():
            if context.abstract_syntax == abstract_syntax:
                return context_id
        raise KeyError(abstract_syntax)

    def _write(self, data: bytes) -> None:
        if not self.is_open:
            raise Ended("the association is already over")
        try:
            self._socket.sendall(data)
        except OSError as err:
            self._end(f"the connection broke: {err.strerror or err}")

    def _end(self, how: str, *, abort: bool = False) -> NoReturn:
        if abort:
            self._send_abort()
        self._close()
        raise Ended(how)

    def _send_abort(self) -> None:
        with contextlib.suppress(OSError):  # the connection may already be gone
            self._socket.sendall(pdu.abort(pdu.AbortReason.NOT_SPECIFIED))

    def _close(self) -> None:
        self.is_open = False
        self._socket.close()
        if self._storing is not None:
            self._storing.discard("the association ended")
            self._storing = None


def in_words(err: pdu.PduError) -> str:
    """Describe how the association ended."""
    if isinstance(err, pdu.ConnectionLost):
        return "the connection to the PACS was lost"
    return f"the association was aborted: {err}"
