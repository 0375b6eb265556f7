"""Responses to requests. A template makes the ones that report a stored instance."""

from __future__ import annotations

from pacsfw.dimse import command, pdu, status
from pacsfw.dimse.command import Element
from pacsfw.steps.receive.store_request import Message

# Members of an enumeration are slow to look up, and these are needed for every instance.
_SOP_CLASS, _SOP_INSTANCE = Element.AFFECTED_SOP_CLASS, Element.AFFECTED_SOP_INSTANCE
_FIELD, _MESSAGE_ID = Element.COMMAND_FIELD, Element.MESSAGE_ID

_AFTER_UID_HEAD = 8
_AFTER_MESSAGE_ID = 2 * 10 + _AFTER_UID_HEAD
"""Bytes of Command Data Set Type, Status and the head of Affected SOP Instance UID."""


class Responses:
    """Makes the responses of one association.

    Parameters
    ----------
    peer_max_pdu
        Maximum length of P-DATA that the peer accepts, in bytes; 0: unlimited.
    """

    def __init__(self, peer_max_pdu: int) -> None:
        self._peer_max_pdu = peer_max_pdu
        self._like: tuple[object, ...] = ()
        self._before = self._between = b""

    def to(self, message: Message) -> bytes:
        """Return the response to a request as PDUs.

        Raises
        ------
        ValueError
            The request has no message ID.
        """
        elements = message.request.elements
        uid = elements.get(_SOP_INSTANCE, b"")
        field, sop_class = elements.get(_FIELD), elements.get(_SOP_CLASS)
        like = (message.context_id, field, sop_class, len(uid), message.status, message.comment)
        message_id = elements.get(_MESSAGE_ID, b"")
        if like == self._like and len(message_id) == 2:
            return self._before + message_id + self._between + uid
        answer = command.response(message.request, message.status, message.comment)
        data = pdu.p_data(message.context_id, answer, self._peer_max_pdu)
        whole = not self._peer_max_pdu or len(answer) + 6 <= self._peer_max_pdu
        if whole and uid and len(uid) % 2 == 0 and message.status == status.SUCCESS:
            after_id = len(data) - len(uid) - _AFTER_MESSAGE_ID
            self._like, self._before = like, data[: after_id - 2]
            self._between = data[after_id : len(data) - len(uid)]
        return data
