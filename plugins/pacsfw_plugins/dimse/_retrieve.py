"""C-MOVE as a transfer, and the base of C-MOVE and C-GET (PS3.4 sections C.4.2 and C.4.3)."""

from __future__ import annotations

import contextlib
import threading
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

from pydicom.dataset import Dataset

from pacsfw.api import Clock, Inbox, Level, Net, Outcome, Request, RunContext, Transfer
from pacsfw.dicom.matching import is_nameable
from pacsfw.dimse import identifier, rows
from pacsfw.dimse.client import associate
from pacsfw.dimse.command import Element, Field
from pacsfw.dimse.identifier import PATIENT_ROOT_MOVE, STUDY_ROOT_MOVE, Root
from pacsfw.dimse.messages import Message
from pacsfw.dimse.opening import Proposal
from pacsfw.dimse.requestor import Ended, Requestor
from pacsfw.dimse.response import comment_of
from pacsfw.dimse.status import PENDING, WRONG_IDENTIFIER, describe
from pacsfw.errors import RemoteError
from pacsfw_plugins.dimse._cfind import nodes_of

_LONGEST_TICK = 1.0
_MEDIUM = 0x0000
_FIELDS = {
    "C-GET": (Field.C_GET_RQ, Field.C_GET_RSP),
    "C-MOVE": (Field.C_MOVE_RQ, Field.C_MOVE_RSP),
}

NO_PATIENT = (
    "the PACS supports only the Patient Root model, and the study list has no PatientID for this "
    "study"
)

Service = Literal["C-GET", "C-MOVE"]


@dataclass(frozen=True, slots=True)
class Timeouts:
    """The timeouts of a request in seconds, see `Retrieving`."""

    inactivity: float
    total: float
    grace: float


class Retrieving(Transfer):
    """Base of `CMove` and `CGet`: each request has its own association.

    Parameters
    ----------
    inactivity_timeout, total_timeout
        Seconds after which the request is cancelled.
    cancel_grace
        Seconds between C-CANCEL and A-ABORT.
    root
        The information model; ``auto``: Study Root unless the PACS accepts Patient Root only.
    level
        The level at which retrieves begin.
    """

    service: ClassVar[Service]
    models: ClassVar[Mapping[Root, str]]
    """The SOP class of each information model."""
    use: ClassVar[str]

    def __init__(
        self,
        inactivity_timeout: float = 900,
        total_timeout: float = 86400,
        cancel_grace: float = 15,
        root: Literal["auto", "study", "patient"] = "auto",
        level: Level = "STUDY",
    ) -> None:
        self.first_level = level
        self._root = root
        self._timeouts = Timeouts(inactivity_timeout, total_timeout, cancel_grace)
        self._net: Net | None = None
        self._clock = Clock()
        self._cancelled = threading.Event()

    def open(self, context: RunContext) -> None:
        """Remember the nodes; each request connects.

        Raises
        ------
        ConfigError
            The configuration names no PACS.
        RemoteError
            According to its profile, the PACS does not accept the service.
        """
        net, called = nodes_of(context.net, self.use)
        self._net = net if net.retrieve is None else replace(net, called=net.retrieve)
        self._clock = context.clock
        if called.profile.models and not self._roots():
            when = f" of {called.profile.probed_at}" if called.profile.probed_at else ""
            raise RemoteError(
                f"{self.use}: {called.aetitle} at {called.ip}:{called.port} does not accept "
                f"{self.service} from pacsfw, according to net.called_node.profile"
                f"{when}: have it allowed there and probe again, or choose another move.use"
            )

    def check(self, context: RunContext) -> None:
        """Open an association for the service, and release it; nothing is requested.

        Raises
        ------
        ConfigError, RemoteError
            As `open`; or the PACS does not respond, or refuses the association or the service.
        """
        self.open(context)
        assert self._net is not None  # noqa: S101 - just opened
        associate(self._net, [self.models[each] for each in self._roots()]).release()

    def _roots(self) -> tuple[Root, ...]:
        """Return the models to propose, the preferred one first."""
        wanted: tuple[Root, ...] = ("STUDY", "PATIENT")
        if self._root != "auto":
            wanted = ("STUDY",) if self._root == "study" else ("PATIENT",)
        known = self._net.called.profile.models if self._net and self._net.called else frozenset()
        name = self.service.removeprefix("C-").lower()
        return tuple(root for root in wanted if not known or f"{root.lower()}-{name}" in known)

    def cancel(self) -> None:
        self._cancelled.set()

    def fetch(self, request: Request, inbox: Inbox) -> Outcome:
        """Request, and wait for the final response, an abort, or a timeout."""
        if self._cancelled.is_set():
            return Outcome(
                status=None, status_text="cancelled before it was requested", reached=False
            )
        return self._fetch(request, inbox)

    @abstractmethod
    def _fetch(self, request: Request, inbox: Inbox) -> Outcome: ...

    def _request(
        self,
        request: Request,
        inbox: Inbox,
        more: Mapping[Element, bytes | int],
        storage: Sequence[Proposal] = (),
        prepare: Callable[[Requestor], None] = lambda _: None,
    ) -> Outcome:
        """Send one request over a new association, which ``prepare`` sets up.

        ``storage`` are the contexts that it proposes in addition to its own.

        Raises
        ------
        RemoteError
            The transfer was not opened.
        """
        if self._net is None:
            raise RemoteError(f"{self.use}: requested before it was opened")
        roots = self._roots()
        try:
            association = associate(self._net, [*(self.models[each] for each in roots), *storage])
        except RemoteError as error:
            return Outcome(
                status=None, status_text=str(error), reached=False, comment=error.comment
            )
        accepted = [each for each in roots if association.accepts(self.models[each])]
        if not accepted:
            association.release()
            raise RemoteError(
                f"{self.use}: the PACS does not accept {self.service} from pacsfw; if it retrieves "
                "under another AE title, set net.retrieve_node.aetitle"
            )
        root = accepted[0]
        if root == "PATIENT" and not is_nameable(request.patient_id):
            association.release()
            return Outcome(status=WRONG_IDENTIFIER, status_text=NO_PATIENT)
        prepare(association)
        return Retrieve(
            self.service, self.models[root], association, inbox, self._clock, self._timeouts,
            self._cancelled,
        ).run(request, root, more)  # fmt: skip


class CMove(Retrieving):
    """Makes the PACS send to our own receiver; parameters are those of `Retrieving`."""

    service: ClassVar[Service] = "C-MOVE"
    models: ClassVar[Mapping[Root, str]] = {"STUDY": STUDY_ROOT_MOVE, "PATIENT": PATIENT_ROOT_MOVE}
    use: ClassVar[str] = "cmove"

    def _fetch(self, request: Request, inbox: Inbox) -> Outcome:
        destination = inbox.aetitle.encode("latin-1")
        padded = destination + b" " * (len(destination) % 2)
        more = {Element.MOVE_DESTINATION: padded}
        return self._request(request, inbox, more)


class Retrieve:
    """One request over its own association, which is released or aborted at the end."""

    def __init__(
        self,
        service: Service,
        model: str,
        association: Requestor,
        inbox: Inbox,
        clock: Clock,
        timeouts: Timeouts,
        cancelled: threading.Event,
    ) -> None:
        self._service: Service = service
        self._model, self._association = model, association
        self._inbox, self._clock, self._timeouts = inbox, clock, timeouts
        self._cancelled = cancelled
        self._begun = self._active = clock.monotonic()
        self._heard = (inbox.news(), association.received)
        self._last = Outcome(status=None, status_text="")
        """The last pending response."""
        self._message_id = 0
        self._sent: Sequence[str] = ()

    def run(self, request: Request, root: Root, more: Mapping[Element, bytes | int]) -> Outcome:
        """Send the request with ``more`` command elements; wait for its end, or a timeout."""
        self._sent = (request.patient_id, request.study_uid)
        try:
            self._send(_identifier(request, root), more)
            outcome = self._wait()
        except Ended as error:
            self._association.abort()  # after a malformed response it is still open
            return self._broken(str(error))
        except BaseException:
            self._association.abort()
            raise
        self._association.release()
        return outcome

    def _send(self, keys: Dataset, more: Mapping[Element, bytes | int]) -> None:
        data = identifier.encode(keys, self._association.syntax_of(self._model))
        command = {Element.COMMAND_FIELD: _FIELDS[self._service][0], Element.PRIORITY: _MEDIUM}
        if self._service == "C-MOVE":
            self._inbox.originates(self._association.next_message_id)
        self._message_id = self._association.send(self._model, {**command, **more}, data)

    def _wait(self) -> Outcome:
        """Wait for the final response; after a timeout cancel, then abort.

        Raises
        ------
        Ended
            The association has ended.
        """
        timeouts = self._timeouts
        tick = min(_LONGEST_TICK, timeouts.inactivity / 4, timeouts.total / 4, timeouts.grace / 4)
        reason, cancelled_at = "", 0.0
        while True:
            final = self._step(tick)
            if final is not None:
                text = f"{reason}; {final.status_text}" if reason else final.status_text
                return replace(final, status_text=text)
            now = self._clock.monotonic()
            if reason:
                if now - cancelled_at > timeouts.grace:
                    self._association.abort()
                    return self._broken(f"{reason}; the PACS did not react to C-CANCEL")
                continue
            reason = self._why_cancel(now - self._begun, now - self._active)
            if reason:
                cancelled_at = now
                self._association.cancel(self._model, self._message_id)

    def _why_cancel(self, total: float, inactive: float) -> str:
        if self._cancelled.is_set():
            return "cancelled"
        if inactive > self._timeouts.inactivity:
            return f"no response and no arrival for {self._timeouts.inactivity:g} s"
        if total > self._timeouts.total:
            return f"not done after {self._timeouts.total:g} s"
        return ""

    def _step(self, seconds: float) -> Outcome | None:
        """Wait for a response; return it if it is the final one."""
        message = self._association.receive(seconds)
        if message is None:
            before = self._heard
            self._heard = (self._inbox.news(), self._association.received)
            if self._heard != before:
                self._active = self._clock.monotonic()
            return None
        self._active = self._clock.monotonic()
        response = _response(message, self._service, self._sent)
        if response.status not in PENDING:
            return response
        self._last = response
        return None

    def _broken(self, ended: str) -> Outcome:
        """Return the outcome without a final response: the counts of the last pending one."""
        return replace(self._last, status=None, status_text=ended, failed_uids=())


def _identifier(request: Request, root: Root) -> Dataset:
    match = {"StudyInstanceUID": request.study_uid}
    if root == "PATIENT":
        match["PatientID"] = request.patient_id
    if request.series_uid is not None:
        match["SeriesInstanceUID"] = request.series_uid
    if request.sop_uids:
        match["SOPInstanceUID"] = "\\".join(request.sop_uids)
    return identifier.build(request.level, match, root=root)


def _response(message: Message, service: Service, sent: Sequence[str]) -> Outcome:
    """Read a response (PS3.7 sections 9.3.3.2 and 9.3.4.2).

    Raises
    ------
    Ended
        It is malformed, or a different message.
    """
    command, failed = message.command, ""
    try:
        if command.number(Element.COMMAND_FIELD) != _FIELDS[service][1]:
            raise Ended(f"the PACS sent a message that is not a {service} response")
        with contextlib.suppress(ValueError):  # only a hint
            row, _ = rows.read_as_sent(message.data or b"", message.transfer_syntax)
            failed = row.get("FailedSOPInstanceUIDList", "")
        status = command.required(Element.STATUS)
        return Outcome(
            status=status,
            status_text=describe(status, service),
            completed=command.hint(Element.COMPLETED),
            failed=command.hint(Element.FAILED),
            warning=command.hint(Element.WARNING),
            failed_uids=tuple(filter(None, failed.split("\\"))),
            comment=comment_of(command, sent),
        )
    except ValueError as error:
        raise Ended(f"the PACS sent a malformed {service} response: {error}") from error
