"""C-MOVE and C-GET of an `EmbeddedPACS` (PS3.4 C.4.2, C.4.3): child process only.

pynetdicom's own service decodes and re-encodes every instance, and returns the status of an
unknown destination for an unreachable one. Here, the stored bytes are sent unchanged, and each
kind of failure has its own status.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from io import BytesIO
from itertools import chain
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom.association import Association
from pynetdicom.dimse_primitives import C_FIND, C_GET, C_MOVE
from pynetdicom.dsutils import encode
from pynetdicom.presentation import PresentationContext
from pynetdicom.service_class import QueryRetrieveServiceClass
from pynetdicom.status import STORAGE_SERVICE_CLASS_STATUS

from pacsfw.testing._archive import BadIdentifier
from pacsfw.testing._copies import Parcel, parcels
from pacsfw.testing._find import BAD_IDENTIFIER, CANCELLED, PENDING, SUCCESS, Find
from pacsfw.testing._records import Instance
from pacsfw.testing._request import read
from pacsfw.testing._sending import Route
from pacsfw.testing._state import State

UNABLE, UNKNOWN_DESTINATION, PARTLY = 0xA702, 0xA801, 0xB000
TOO_BUSY = 0xA701
_TICK = 0.02


@dataclass
class Tally:
    """Sub-operations of one request."""

    remaining: int
    completed: int = 0
    warning: int = 0
    failed: list[str] = field(default_factory=list)

    def count(self, uid: str, status: int | None) -> None:
        """Count a C-STORE by the status of its receiver, None without a response."""
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
        """Count instances that could not be sent."""
        for instance in instances:
            self.count(instance.key("IMAGE"), None)

    @property
    def final_status(self) -> int:
        """The final status for these sub-operations."""
        if not self.failed and not self.warning:
            return SUCCESS
        return PARTLY if self.completed or self.warning else UNABLE


class QueryRetrieve(QueryRetrieveServiceClass):
    """The Query/Retrieve service with our own operations."""

    def __init__(self, state: State, assoc: Association) -> None:
        super().__init__(assoc)
        self._state = state

    def _c_find_scp(self, req: C_FIND, context: PresentationContext) -> None:
        Find(self, self._state, req, context).answer()

    def _get_scp(self, req: C_GET, context: PresentationContext) -> None:
        operation = Operation(self, self._state, "C-GET", req, context)
        with self._state.retrieving() as others:
            wanted = operation.wanted(others)
            if wanted is not None:
                operation.send(wanted, lambda _: self.assoc)

    def _move_scp(self, req: C_MOVE, context: PresentationContext) -> None:
        operation = Operation(self, self._state, "C-MOVE", req, context)
        with self._state.retrieving() as others:
            wanted = operation.wanted(others)
            if wanted is not None:
                self._move(operation, wanted, (req.MoveDestination or "").strip())

    def _move(self, operation: Operation, wanted: list[Instance], title: str) -> None:
        address = self._state.destinations.get(title)
        if address is None:
            operation.finish(UNKNOWN_DESTINATION)
            return
        if not wanted:
            operation.finish(SUCCESS)
            return
        route = Route(self.ae, self._state, operation.faults, title, address)
        if operation.faults.late:
            operation.send_late(wanted, route)
        elif route.open(wanted):
            operation.send(wanted, route.association, self.assoc.requestor.ae_title)
            (route.abort if operation.dead else route.close)()
        else:
            operation.tally = Tally(len(wanted))
            operation.tally.fail(wanted)
            operation.finish(operation.tally.final_status)


class Operation:
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
        self._study = self._asked.keys.get("StudyInstanceUID", "")
        self.faults = state.faults_of(self._study)
        self.tally = Tally(0)
        self.dead = False

    def wanted(self, others: int) -> list[Instance] | None:
        """Return the instances to send; None if there is nothing more to do.

        Parameters
        ----------
        others
            Number of other running retrieves.
        """
        asked, faults = self._asked, self.faults
        self._entry = self._state.begin(self._name, asked)
        try:
            wanted = self._state.archive.retrieve(asked.root, asked.level, asked.keys)
            if asked.level not in faults.retrieve_levels:
                raise BadIdentifier
        except BadIdentifier:
            self.finish(BAD_IDENTIFIER)
        else:
            if faults.busy is not None and others >= faults.busy:
                self.finish(TOO_BUSY)
            elif faults.refuse is not None and asked.level in faults.refuse_levels:
                self.finish(faults.refuse)
            elif faults.send_nothing and asked.level in faults.refuse_levels:
                self.finish(SUCCESS)
            elif faults.silent or faults.pending_every:
                self._never_end()
            else:
                return self._state.archive.another(self._study) if faults.wrong_study else wanted
        return None

    def send(
        self,
        instances: list[Instance],
        receiver: Callable[[Parcel], Association | None],
        originator: str | None = None,
    ) -> None:
        """Send the instances, report each one, and end with the resulting status."""
        self.tally = Tally(len(instances))
        for number, parcel in enumerate(self._parcels(instances), start=1):
            if self._is_cancelled():
                self.finish(CANCELLED)
                return
            if self._service.assoc.acse.is_aborted():
                self._state.end(self._entry, None)
                return
            if number - 1 == self.faults.die_after:
                self._die()
                return
            self._state.pause()
            self._carry_out(parcel, receiver, number, originator)
            if self.tally.failed and self.faults.stop_at_failure:
                self.tally = Tally(0)
                if self.faults.stop_status:
                    self.finish(self.faults.stop_status)
                else:
                    self._die()
                return
            if not self.faults.no_pending:
                self._respond(PENDING)
        if self.faults.die_after is not None:
            self._die()
        else:
            self.finish(self.tally.final_status)

    def send_late(self, instances: list[Instance], route: Route) -> None:
        """Report success, and send the instances later."""
        self.tally = Tally(0, completed=len(instances))

        def later() -> None:
            time.sleep(self.faults.late)
            if route.open(instances):
                for number, parcel in enumerate(self._parcels(instances), start=1):
                    if parcel.fate == "sent":
                        self._store(parcel, route.association(parcel), number, None)
                route.close()

        threading.Thread(target=later, daemon=True).start()
        self.finish(SUCCESS)

    def finish(self, status: int) -> None:
        """Send the final response."""
        self._state.end(self._entry, status)
        self._respond(status)

    def _parcels(self, instances: list[Instance]) -> Iterable[Parcel]:
        found = parcels(instances, self.faults, self._state.archive.in_order(self._study))
        if self.faults.extra and self._asked.level == "STUDY":
            return chain(found, [Parcel(instances[0], extra=True, repeated=True)])
        return found

    def _carry_out(
        self,
        parcel: Parcel,
        receiver: Callable[[Parcel], Association | None],
        number: int,
        originator: str | None,
    ) -> None:
        status: int | None = SUCCESS if parcel.fate == "lost" else None
        if parcel.fate == "sent":
            status = self._store(parcel, receiver(parcel), number, originator)
        if not parcel.repeated:
            self.tally.count(parcel.instance.key("IMAGE"), status)

    def _never_end(self) -> None:
        """Send nothing, or endless pending responses, until the peer gives up."""
        due = time.monotonic()
        while not self._service.assoc.acse.is_aborted():
            if self._is_cancelled():
                self.finish(CANCELLED)
                return
            if self.faults.pending_every and time.monotonic() >= due:
                due += self.faults.pending_every
                self._respond(PENDING)
            time.sleep(_TICK)
        self._state.end(self._entry, None)

    def _die(self) -> None:
        self._state.end(self._entry, None)
        self._state.count("died")
        self.dead = True
        self._service.assoc.abort()

    def _is_cancelled(self) -> bool:
        cancelled = self._service.is_cancelled(self._request.MessageID or 0)
        return cancelled and not self.faults.deaf

    def _store(
        self, parcel: Parcel, receiver: Association | None, number: int, originator: str | None
    ) -> int | None:
        """Send one instance; None without a response or an accepted context."""
        status: int | None = None
        unnamed = self.faults.sender or self.faults.no_originator or parcel.foreign
        named = None if unnamed else originator
        if receiver is not None:
            try:
                answer = receiver.send_c_store(
                    self._state.copies.file(parcel, self.faults),
                    msg_id=number % 0xFFFF + 1,
                    originator_aet=named,
                    originator_id=self._request.MessageID if named else None,
                )
                status = answer.get("Status")
            except (RuntimeError, ValueError):
                status = None
        self._state.count_sent(status)
        return status

    def _respond(self, status: int) -> None:
        response = type(self._request)()
        response.MessageIDBeingRespondedTo = self._request.MessageID
        response.AffectedSOPClassUID = self._request.AffectedSOPClassUID
        response.Status = status
        if status not in (UNKNOWN_DESTINATION, BAD_IDENTIFIER) and not self.faults.no_counts:
            response.NumberOfCompletedSuboperations = self.tally.completed
            response.NumberOfFailedSuboperations = len(self.tally.failed)
            response.NumberOfWarningSuboperations = self.tally.warning
            if status in (PENDING, CANCELLED):
                response.NumberOfRemainingSuboperations = self.tally.remaining
        if status in (UNABLE, PARTLY, CANCELLED) and not self.faults.no_failed_list:
            failed = Dataset()
            failed.FailedSOPInstanceUIDList = self.tally.failed
            response.Identifier = BytesIO(encode(failed, *self._encoding()) or b"")
        self._service.dimse.send_msg(response, self._context_id)

    def _encoding(self) -> tuple[Any, ...]:
        syntax = self._syntax
        return syntax.is_implicit_VR, syntax.is_little_endian, syntax.is_deflated
