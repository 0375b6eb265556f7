"""One association with a sender: C-STORE into the spool, C-ECHO, and an orderly release.

This is the acceptor's part of the state machine of PS3.8 section 9.2: one thread per
association, over a blocking socket.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Mapping

from pacsfw.api import Node
from pacsfw.dimse import command, pdu, status
from pacsfw.dimse.command import Command, Element, Field
from pacsfw.dimse.known_uids import KnownUids
from pacsfw.dimse.negotiation import VERIFICATION, Accepted, Context, Rejected, negotiate
from pacsfw.dimse.pdu_reader import PduReader
from pacsfw.dimse.senders import KnownSenders, plain_address
from pacsfw.dimse.tls import end_of_stream
from pacsfw.spool.writer import Spool
from pacsfw.steps.receive.responses import Responses
from pacsfw.steps.receive.store_request import Message

# Members of an enumeration are slow to look up, and these are needed for every instance.
_COMMAND_FIELD, _C_CANCEL_RQ, _C_STORE_RQ = (
    Element.COMMAND_FIELD,
    Field.C_CANCEL_RQ,
    Field.C_STORE_RQ,
)
_LINGER = 1.0
"""Seconds that the peer has to close the connection after the last PDU."""


class Association:
    """Serves one connection.

    Parameters
    ----------
    sock
        The accepted connection; closed by `serve`.
    note
        Logs a text at a level; called from the serving thread.
    request
        The bytes received already: the A-ASSOCIATE-RQ PDU.
    wanted
        Returns whether instances are accepted at the moment.
    refused
        Takes what the sender was refused; called from the serving thread.
    senders
        If given, others are rejected.
    """

    def __init__(
        self,
        sock: socket.socket,
        node: Node,
        spool: Spool,
        known: KnownUids,
        note: Callable[[int, str], None],
        request: bytes | bytearray = b"",
        wanted: Callable[[], bool] = lambda: True,
        refused: Callable[[str], None] = lambda _: None,
        senders: KnownSenders | None = None,
    ) -> None:
        self._socket = sock
        self._peer = _address(sock)
        self._node = node
        self._spool, self._known = spool, known
        self._log = note
        self._wanted, self._refused, self._senders = wanted, refused, senders
        limits = node.limits
        self._reader = PduReader(
            sock,
            max_pdu=pdu.MAX_PDU,
            idle_timeout=limits.associate_timeout,
            pdu_timeout=min(limits.associate_timeout, limits.pdu_timeout),
            read_ahead=request,
        )
        self.objects = 0
        self._calling = ""
        self._contexts: Mapping[int, Context] = {}
        self._command = bytearray()
        self._requests = command.Decoder()
        self._responses = Responses(0)
        self._message: Message | None = None
        self._interrupted = ""

    @property
    def received(self) -> int:
        """Bytes received so far."""
        return self._reader.received

    @property
    def waiting(self) -> bool:
        """Whether we wait for bytes of the peer."""
        return self._reader.waiting

    @property
    def in_message(self) -> bool:
        """Whether a message is incomplete."""
        return self._message is not None or bool(self._command)

    def serve(self) -> None:
        """Serve the connection until it ends; nothing that the peer does raises an error."""
        ending = "the sender ended the association before the instance was complete"
        reply = b""
        try:
            reply = self._answer_request() or self._exchange()
        except pdu.ProtocolError as error:
            ending = "the sender violated the protocol"
            reply = pdu.abort(error.reason)
            self._note(logging.WARNING, f"aborted: {error}")
            self._refused(f"the rest of an association: {error}")
        except pdu.PeerTooSlow as error:
            ending = "the sender was too slow"
            reply = pdu.abort(pdu.AbortReason.NOT_SPECIFIED)
            self._note(logging.WARNING, f"aborted: {error}")
        except pdu.ConnectionLost as error:
            ending = "the connection was lost"
            if self._contexts and not self._interrupted:
                self._note(logging.INFO, str(error))
        finally:
            if self._interrupted:
                ending = self._interrupted
                reply = pdu.abort(pdu.AbortReason.NOT_SPECIFIED)
            if self._message is not None:
                self._message.discard(ending)
            if reply:
                self._close_with(reply)
            self._socket.close()

    def interrupt(self, why: str) -> None:
        """Abort the association; called from another thread, which does not wait for it."""
        self._interrupted = why
        try:
            # The method of TLS sockets would make the serving thread continue without TLS.
            socket.socket.shutdown(self._socket, socket.SHUT_RD)
        except OSError:
            return  # already ended

    def _answer_request(self) -> bytes:
        """Answer the association request; return the PDU that rejects it, or nothing."""
        kind, body = self._reader.read()
        if kind != pdu.PduType.ASSOCIATE_RQ:
            raise _unexpected(kind)
        answer = negotiate(
            bytes(body),
            self._node.aetitle,
            pdu.MAX_PDU,
            self._known,
            self._node.accept,
            self._is_known,
        )
        self._calling = answer.calling_ae
        if isinstance(answer, Rejected):
            self._note(logging.WARNING, f"rejected: {answer.reason}")
            self._refused(f"an association: {answer.reason}")
            return answer.reply
        for text in answer.refused:
            self._refused(text)
        self._accept(answer)
        return b""

    def _is_known(self, calling: str) -> bool:
        return self._senders is None or self._senders.includes(calling, self._peer)

    def _accept(self, answer: Accepted) -> None:
        self._contexts = answer.contexts
        self._responses = Responses(answer.peer_max_pdu)
        self._reader.idle_timeout = self._node.limits.idle_timeout
        self._reader.pdu_timeout = self._node.limits.pdu_timeout
        self._send(answer.reply)

    def _exchange(self) -> bytes:
        """Serve requests until the association ends; return the last PDU to send."""
        while not self._interrupted:
            if values := self._reader.values():
                self._take(values)
                continue
            kind, body = self._reader.read()
            if kind == pdu.PduType.P_DATA:
                self._take(list(pdu.pdvs(body)))
            elif kind == pdu.PduType.RELEASE_RQ:
                return pdu.release_response()
            if kind == pdu.PduType.ABORT:
                return b""
            raise _unexpected(kind)
        return b""

    def _take(self, values: list[pdu.Value]) -> None:
        for context_id, is_command, is_last, fragment in values:
            if is_command:
                self._take_command(context_id, is_last, fragment)
            else:
                self._take_data(context_id, is_last, fragment)
        if self._message is not None:
            self._message.write_out()

    def _take_command(self, context_id: int, is_last: bool, fragment: memoryview) -> None:
        if context_id not in self._contexts:
            raise pdu.ProtocolError(f"presentation context {context_id} was not accepted")
        if self._message is not None:
            raise pdu.ProtocolError("a command began before the previous data set ended")
        data = bytes(fragment)
        if self._command or not is_last:
            self._command += fragment
            if len(self._command) > command.MAX_COMMAND:
                raise pdu.ProtocolError(f"command set longer than {command.MAX_COMMAND} bytes")
            if not is_last:
                return
            data = bytes(self._command)
            self._command.clear()
        try:
            self._begin(self._requests.decode(data), context_id)
        except ValueError as error:
            raise pdu.ProtocolError(str(error)) from error

    def _begin(self, request: Command, context_id: int) -> None:
        """Begin a request; also end it if no data set follows."""
        field = request.required(_COMMAND_FIELD)
        if field == _C_CANCEL_RQ:
            return
        message = Message(request, context_id, note=self._note)
        if field == _C_STORE_RQ:
            self._begin_store(message)
        elif field == Field.C_ECHO_RQ:
            message.status = status.SUCCESS
        elif field & 0x8000:
            raise pdu.ProtocolError(f"a response (command field {field:04X}) without a request")
        self._message = message
        if not request.has_data_set:
            self._end(message)

    def _begin_store(self, message: Message) -> None:
        context = self._contexts[message.context_id]
        if context.abstract_syntax == VERIFICATION:
            message.status = status.SOP_CLASS_NOT_SUPPORTED
        elif not self._wanted() and message.request.has_data_set:
            message.status, message.comment = status.NOT_AUTHORIZED, "nothing is requested"
        else:
            message.store(self._spool, context, self._calling, self._peer)

    def _take_data(self, context_id: int, is_last: bool, fragment: memoryview) -> None:
        message = self._message
        if message is None:
            raise pdu.ProtocolError("data set without a command")
        if context_id != message.context_id:
            raise pdu.ProtocolError("data set in another presentation context than its command")
        message.take(fragment)
        if message.size > self._node.limits.object_size:
            limit = self._node.limits.object_size
            raise pdu.ProtocolError(f"an instance of more than {limit} bytes")
        if is_last:
            self._end(message)

    def _end(self, message: Message) -> None:
        message.write_out()
        if message.end():
            self.objects += 1
        elif message.status != status.SUCCESS:
            self._refused(f"an instance: {message.status:04X} ({message.comment})")
        self._message = None
        self._send(self._responses.to(message))

    def announce(self, now: float) -> None:
        """Report an instance that takes long to arrive; called from another thread."""
        message = self._message
        if message is not None:
            message.announce(now)

    def _send(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError as error:
            why = "it did not read" if isinstance(error, BlockingIOError) else str(error)
            raise pdu.ConnectionLost(f"the peer did not accept a response: {why}") from error

    def _close_with(self, data: bytes) -> None:
        """Send the last PDU, and let the peer close first so that it can read it."""
        try:
            self._socket.settimeout(_LINGER)
            self._socket.sendall(data)
            end_of_stream(self._socket)
            self._socket.recv(1)
        except OSError:
            return  # already closed

    def _note(self, level: int, text: str) -> None:
        calling = f" ({self._calling})" if self._calling else ""
        self._log(level, f"association from {self._peer}{calling}: {text}")


def _unexpected(kind: pdu.PduType) -> pdu.ProtocolError:
    return pdu.ProtocolError(f"unexpected {kind.name} PDU", pdu.AbortReason.UNEXPECTED_PDU)


def _address(sock: socket.socket) -> str:
    try:
        return plain_address(str(sock.getpeername()[0]))
    except (OSError, ValueError):
        return "a closed connection"
