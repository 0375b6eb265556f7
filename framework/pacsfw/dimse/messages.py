"""From P-DATA values to the messages of a peer that responds to us (PS3.7 annex E, PS3.8 annex E).

Responses are read leniently: what was understood counts, and what was not is noted once. A PACS
may announce a data set that does not come, or put elements into a command set that do not belong
there.
"""

from __future__ import annotations

import functools
import logging
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from pacsfw.dimse import command
from pacsfw.dimse.command import MAX_COMMAND, Command, Element, Field
from pacsfw.dimse.negotiation import Context
from pacsfw.dimse.pdu import ProtocolError
from pacsfw.dimse.status import PENDING

MAX_IDENTIFIER = 16 << 20
"""Maximum bytes of one response."""
TAIL_SECONDS = 1.0
"""How long to wait for the data set that a final response announces."""

_NO_DATA_SET = "a response announces a data set that does not come"

_log = logging.getLogger("pacsfw.dimse")


@dataclass(frozen=True, slots=True)
class Message:
    """One DIMSE message: command set and, if there is one, the encoded data set."""

    command: Command
    data: bytes | None
    transfer_syntax: str


class Messages:
    """Puts the messages of one association together.

    Parameters
    ----------
    contexts
        Accepted presentation contexts by ID.
    """

    def __init__(self, contexts: Mapping[int, Context]) -> None:
        self._contexts = contexts
        self._command, self._data = bytearray(), bytearray()
        self._pending: tuple[Command, int] | None = None
        """A command whose data set must come, and its context."""
        self._since = 0.0
        self._whole: deque[Message] = deque()
        self._last, self._last_bytes = Command({}), b""

    def take(self) -> Message | None:
        """Return the first complete message, once."""
        return self._whole.popleft() if self._whole else None

    def add(
        self, context_id: int, fragment: memoryview, *, is_command: bool, is_last: bool
    ) -> Command | None:
        """Add one value; return the command of a C-STORE request that is complete now.

        Its data set is not part of a message.

        Raises
        ------
        ProtocolError
            The value does not belong here, or a message is too large.
        ValueError
            A command set is truncated.
        """
        target, limit = (self._command, MAX_COMMAND) if is_command else (self._data, MAX_IDENTIFIER)
        target += fragment
        if len(target) > limit:
            raise ProtocolError(f"a message of more than {limit} bytes")
        if not is_last:
            return None
        if context_id not in self._contexts:
            raise ProtocolError("a message on a presentation context that was not accepted")
        if is_command:
            return self._add_command(context_id)
        if self._pending is None:
            raise ProtocolError("a data set without a command")
        self._complete(bytes(self._data))
        self._data.clear()
        return None

    def end_without_data(self) -> None:
        """Complete a final response whose data set does not come."""
        if self._pending is None or self._data:
            return
        is_over = time.monotonic() - self._since > TAIL_SECONDS
        if is_over and self._pending[0].hint(Element.STATUS) not in (None, *PENDING):
            note(_NO_DATA_SET)
            self._complete(None)

    def _add_command(self, context_id: int) -> Command | None:
        if self._pending is not None:
            if self._data:
                raise ProtocolError("a command in the middle of a data set")
            note(_NO_DATA_SET)
            self._complete(None)
        decoded = self._decoded()
        if decoded.hint(Element.COMMAND_FIELD) == Field.C_STORE_RQ:
            return decoded
        self._pending, self._since = (decoded, context_id), time.monotonic()
        if not decoded.announces_data_set:
            self._complete(None)
        return None

    def _decoded(self) -> Command:
        if self._command != self._last_bytes:  # those of pending responses are identical
            self._last, is_odd = command.decode_response(self._command)
            self._last_bytes = bytes(self._command)
            if is_odd:
                note("a command set has elements that do not belong there")
        self._command.clear()
        return self._last

    def _complete(self, data: bytes | None) -> None:
        if self._pending is not None:
            decoded, context_id = self._pending
            self._pending = None
            self._whole.append(Message(decoded, data, self._contexts[context_id].transfer_syntax))


@functools.cache
def note(what: str) -> None:
    """Note once what a peer does differently; without values."""
    _log.warning("the PACS does not follow the standard, which does no harm: %s", what)
