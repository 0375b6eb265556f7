"""C-FIND of an `EmbeddedPACS` (PS3.4 C.4.1): child process only.

pynetdicom's own service would create a data set for each row and send it in two pieces, each
handled separately by its reactor. Here, a row is one P-DATA with both.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from io import BytesIO
from itertools import chain

from pydicom.datadict import tag_for_keyword
from pynetdicom.dimse_messages import C_FIND_RSP
from pynetdicom.dimse_primitives import C_FIND
from pynetdicom.dsutils import encode
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.presentation import PresentationContext
from pynetdicom.service_class import ServiceClass

from pacsfw.testing._answers import Encoder
from pacsfw.testing._archive import BadIdentifier
from pacsfw.testing._question import Question
from pacsfw.testing._records import Entity
from pacsfw.testing._request import read
from pacsfw.testing._state import State

SUCCESS, PENDING, PENDING_UNSUPPORTED_KEYS = 0x0000, 0xFF00, 0xFF01
CANCELLED, BAD_IDENTIFIER, NEEDS_KEY = 0xFE00, 0xA900, 0xC001

_COMMAND, _IDENTIFIER = b"\x03", b"\x02"
"""Message control headers: the last fragment of either (PS3.8 E.2)."""
_PDV_OVERHEAD = 6
_ROWS_AT_ONCE = 50
"""Number of rows to send before the reactor may check for a C-CANCEL."""


class Find:
    """One C-FIND request and the responses to it."""

    def __init__(
        self, service: ServiceClass, state: State, request: C_FIND, context: PresentationContext
    ) -> None:
        self._service = service
        self._state = state
        self._request = request
        self._implicit = context.transfer_syntax[0].is_implicit_VR
        self._context_id = context.context_id or 0
        self._asked = read(request, context)
        self._commands: dict[int, bytes] = {}

    def answer(self) -> None:
        """Send the rows and the final response, as far as the faults allow."""
        state, asked = self._state, self._asked
        entry = state.begin("C-FIND", asked)
        status: int | None = BAD_IDENTIFIER
        last, refused = b"", self._refused()
        with suppress(BadIdentifier):
            if refused or (asked.level == "IMAGE" and state.faults.no_image_level):
                raise BadIdentifier
            entities = state.archive.entities(asked.root, asked.level, asked.keys)
            question = Question(asked.level, asked.keys, state.faults, fold_names=state.fold_names)
            if state.faults.wild_patients and asked.level == "PATIENT" and not question.has_keys:
                status = NEEDS_KEY
            else:
                status, last = self._send_rows(question, entities)
        state.end(entry, status)
        if status is not None:
            response = self._response(status, last)
            if refused and not state.faults.unnamed:
                response.OffendingElement = tag_for_keyword(refused)  # type: ignore[assignment]
                response.ErrorComment = f"Unsupported key {refused}"  # type: ignore[assignment]
            self._service.dimse.send_msg(response, self._context_id)

    def _refused(self) -> str:
        """Return a key of the query that is refused, or nothing."""
        return min(self._state.faults.refuse_keys & self._asked.keys.keys(), default="")

    def _send_rows(
        self, question: Question, entities: Sequence[Entity]
    ) -> tuple[int | None, bytes]:
        """Send the rows; return the final status and the row that comes with it.

        The status is None if the association has ended.
        """
        faults, association = self._state.faults, self._service.assoc
        encoder = self._encoder(question)
        pending = PENDING if question.all_supported else PENDING_UNSUPPORTED_KEYS
        last = b""
        for sent, entity in enumerate(chain(question.rows(entities), [None])):
            if sent == faults.abort_after:
                self._state.count("aborted")
                association.abort()
                return None, b""
            if entity is None:
                break
            if faults.slow:
                time.sleep(faults.slow)
            if sent % _ROWS_AT_ONCE == 0:
                self._let_go()
            if self._service.is_cancelled(self._request.MessageID or 0):
                return CANCELLED, b""
            if association.acse.is_aborted() or not association.dul.is_alive():
                return None, b""
            if faults.last_with_success:
                if last:
                    self._send_row(pending, last)
                last = encoder.encode(entity)
                continue
            self._send_row(pending, encoder.encode(entity))
        status = SUCCESS if faults.warn is None else faults.warn
        return faults.cap_status if question.truncated else status, last

    def _encoder(self, question: Question) -> Encoder:
        constants = {
            "QueryRetrieveLevel": self._asked.level,
            "RetrieveAETitle": self._state.faults.retrieve_aetitle or self._state.aetitle,
        }
        if "InstanceAvailability" in self._asked.keys:
            constants["InstanceAvailability"] = self._state.faults.availability
        faults = self._state.faults
        return Encoder(
            question.returned,
            constants,
            implicit=self._implicit,
            no_charset=faults.no_charset,
            lying_counts=faults.lying_counts,
        )

    def _let_go(self) -> None:
        """Wait until everything is sent: the reactor receives nothing before that."""
        dul = self._service.assoc.dul
        while dul.is_alive() and not dul.to_provider_queue.empty():
            time.sleep(0.0005)

    def _send_row(self, status: int, identifier: bytes) -> None:
        command = self._command(status)
        most = self._service.dimse.maximum_pdu_size
        if most and len(command) + len(identifier) + 2 * _PDV_OVERHEAD > most:
            response = self._response(status, identifier)
            self._service.dimse.send_msg(response, self._context_id)
            return
        data = P_DATA()
        for fragment in (_COMMAND + command, _IDENTIFIER + identifier):
            data.presentation_data_value_list.append((self._context_id, fragment))
        self._service.assoc.dul.send_pdu(data)

    def _command(self, status: int) -> bytes:
        """Return the command set of a pending response: the same one for every row."""
        if status not in self._commands:
            message = C_FIND_RSP()
            message.primitive_to_message(self._response(status, b"\0"))
            self._commands[status] = encode(message.command_set, True, True) or b""
        return self._commands[status]

    def _response(self, status: int, identifier: bytes = b"") -> C_FIND:
        response = C_FIND()
        response.MessageIDBeingRespondedTo = self._request.MessageID
        response.AffectedSOPClassUID = self._request.AffectedSOPClassUID
        response.Status = status
        response.Identifier = BytesIO(identifier) if identifier else None
        return response
