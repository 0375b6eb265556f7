"""C-MOVE and C-GET of an `EmbeddedPACS` (PS3.4 C.4.2, C.4.3): its child process only.

pynetdicom's own service decodes and encodes every object again, and it answers a
destination that cannot be reached with the status of an unknown one. Here the stored
bytes go out as they are, and each way to fail has its own status.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any

from pydicom.dataset import Dataset
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_FIND, C_GET, C_MOVE
from pynetdicom.dsutils import encode
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.service_class import QueryRetrieveServiceClass
from pynetdicom.status import STORAGE_SERVICE_CLASS_STATUS

from pacsfw.testing._archive import BadIdentifier
from pacsfw.testing._find import BAD_IDENTIFIER, CANCELLED, PENDING, SUCCESS, Find
from pacsfw.testing._records import Instance
from pacsfw.testing._request import read

if TYPE_CHECKING:
    from pacsfw.testing._state import State

UNABLE, UNKNOWN_DESTINATION, PARTLY = 0xA702, 0xA801, 0xB000
MAX_CONTEXTS = 128
"""Presentation contexts that one association can propose (PS3.8 9.3.2.2)."""


@dataclass
class Tally:
    """Sub-operations of one request."""

    remaining: int
    completed: int = 0
    warning: int = 0
    failed: list[str] = field(default_factory=list)

    def count(self, uid: str, status: int | None) -> None:
        """Count a C-STORE by the status that its receiver answered, None where it did not."""
        self.remaining -= 1
        kind = "Failure"
        if status is not None:
            kind = STORAGE_SERVICE_CLASS_STATUS.get(status, ("Failure", ""))[0]
        if kind == "Success":
            self.completed += 1
        elif kind == "Warning":
            self.warning += 1
        else:
            self.failed.append(uid)

    def fail(self, instances: Iterable[Instance]) -> None:
        """Count objects that could not even be sent."""
        for instance in instances:
            self.count(instance.key("IMAGE"), None)

    @property
    def final_status(self) -> int:
        """The status that these sub-operations end with."""
        if not self.failed and not self.warning:
            return SUCCESS
        return PARTLY if self.completed or self.warning else UNABLE


def keep_responses(association: Association) -> None:
    """Work around a race in pynetdicom 3.0 that loses a response on a busy machine.

    Its ``send_*`` methods pause the reactor thread of the association, but take it for
    paused a moment too early. The reactor may then take the response off the queue, finds
    that it is no request and drops it, and the sender waits until its timeout. So
    whatever is no request goes back onto the queue.
    """
    serve = association._serve_request

    def serve_or_give_back(message: Any, context_id: int) -> None:
        if message.is_valid_request:
            serve(message, context_id)
        else:
            association.dimse.msg_queue.put((context_id, message))

    association._serve_request = serve_or_give_back  # type: ignore[method-assign, assignment]


class QueryRetrieve(QueryRetrieveServiceClass):
    """The Query/Retrieve service with operations of our own."""

    def __init__(self, state: State, assoc: Association) -> None:
        super().__init__(assoc)
        self._state = state

    def _c_find_scp(self, req: C_FIND, context: PresentationContext) -> None:
        Find(self, self._state, req, context).answer()

    def _get_scp(self, req: C_GET, context: PresentationContext) -> None:
        operation = _Operation(self, self._state, "C-GET", req, context)
        wanted = operation.wanted()
        if wanted is not None:
            operation.send(wanted, self.assoc)

    def _move_scp(self, req: C_MOVE, context: PresentationContext) -> None:
        operation = _Operation(self, self._state, "C-MOVE", req, context)
        wanted = operation.wanted()
        if wanted is None:
            return
        title = (req.MoveDestination or "").strip()
        address = self._state.destinations.get(title)
        if address is None:
            operation.finish(UNKNOWN_DESTINATION)
        elif not wanted:
            operation.finish(SUCCESS)
        else:
            self._move(operation, wanted, title, address)

    def _move(
        self, operation: _Operation, wanted: list[Instance], title: str, address: tuple[str, int]
    ) -> None:
        pairs = dict.fromkeys((instance.sop_class, instance.syntax) for instance in wanted)
        contexts = [build_context(*pair) for pair in list(pairs)[:MAX_CONTEXTS]]
        destination = self.ae.associate(
            *address, contexts=contexts, ae_title=title, evt_handlers=self._state.outgoing_handlers
        )
        if destination.is_established:
            keep_responses(destination)
            operation.send(wanted, destination, originator=self.assoc.requestor.ae_title)
            destination.release()
        else:
            operation.tally = Tally(len(wanted))
            operation.tally.fail(wanted)
            operation.finish(operation.tally.final_status)


class _Operation:
    """One C-MOVE or C-GET request and the responses to it."""

    def __init__(
        self,
        service: QueryRetrieve,
        state: State,
        name: str,
        request: C_MOVE | C_GET,
        context: PresentationContext,
    ) -> None:
        self._service = service
        self._state = state
        self._request = request
        self._context_id = context.context_id or 0
        self._asked = read(request, context)
        self._syntax = context.transfer_syntax[0]
        self._entry = -1
        self._name = name
        self.tally = Tally(0)

    def wanted(self) -> list[Instance] | None:
        """Return the objects asked for; None after a refusal that has been answered."""
        asked = self._asked
        self._entry = self._state.begin(self._name, asked)
        try:
            return self._state.archive.retrieve(asked.root, asked.level, asked.keys)
        except BadIdentifier:
            self.finish(BAD_IDENTIFIER)
            return None

    def send(
        self, instances: list[Instance], receiver: Association, originator: str | None = None
    ) -> None:
        """Send the objects, report each one, and end with the status they deserve."""
        self.tally = Tally(len(instances))
        for number, instance in enumerate(instances, start=1):
            if self._service.is_cancelled(self._request.MessageID or 0):
                self.finish(CANCELLED)
                return
            if self._service.assoc.acse.is_aborted():
                self._state.end(self._entry, None)
                return
            self._state.pause()
            status = self._store(instance, receiver, number, originator)
            self.tally.count(instance.key("IMAGE"), status)
            self._state.count_sent(status)
            self._respond(PENDING)
        self.finish(self.tally.final_status)

    def finish(self, status: int) -> None:
        """Send the final response."""
        self._state.end(self._entry, status)
        self._respond(status)

    def _store(
        self, instance: Instance, receiver: Association, number: int, originator: str | None
    ) -> int | None:
        """Send one object; None where no answer came or no context was accepted for it."""
        try:
            answer = receiver.send_c_store(
                instance.file(),
                msg_id=number % 0xFFFF + 1,
                originator_aet=originator,
                originator_id=self._request.MessageID if originator else None,
            )
        except (RuntimeError, ValueError):
            return None
        status: int | None = answer.get("Status")
        return status

    def _respond(self, status: int) -> None:
        response = type(self._request)()
        response.MessageIDBeingRespondedTo = self._request.MessageID
        response.AffectedSOPClassUID = self._request.AffectedSOPClassUID
        response.Status = status
        if status not in (UNKNOWN_DESTINATION, BAD_IDENTIFIER):
            response.NumberOfCompletedSuboperations = self.tally.completed
            response.NumberOfFailedSuboperations = len(self.tally.failed)
            response.NumberOfWarningSuboperations = self.tally.warning
        if status in (PENDING, CANCELLED):
            response.NumberOfRemainingSuboperations = self.tally.remaining
        if status in (UNABLE, PARTLY, CANCELLED):
            failed = Dataset()
            failed.FailedSOPInstanceUIDList = self.tally.failed
            response.Identifier = BytesIO(encode(failed, *self._encoding()) or b"")
        self._service.dimse.send_msg(response, self._context_id)

    def _encoding(self) -> tuple[Any, ...]:
        syntax = self._syntax
        return syntax.is_implicit_VR, syntax.is_little_endian, syntax.is_deflated
