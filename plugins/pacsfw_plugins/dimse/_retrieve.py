"""C-MOVE as a transfer, and what it shares with C-GET (PS3.4 sections C.4.2 and C.4.3)."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from pydicom.dataset import Dataset

from pacsfw.api import Clock, Inbox, Net, Outcome, Request, RunContext, Transfer
from pacsfw.dimse import identifier, rows
from pacsfw.dimse.client import associate
from pacsfw.dimse.command import Element, Field
from pacsfw.dimse.identifier import STUDY_ROOT_MOVE
from pacsfw.dimse.opening import Proposal
from pacsfw.dimse.requestor import Ended, Message, Requestor
from pacsfw.dimse.status import PENDING, describe
from pacsfw.errors import ConfigError, RemoteError

_LONGEST_TICK = 1.0
_MEDIUM = 0x0000
_FIELDS = {
    "C-GET": (Field.C_GET_RQ, Field.C_GET_RSP),
    "C-MOVE": (Field.C_MOVE_RQ, Field.C_MOVE_RSP),
}

Service = Literal["C-GET", "C-MOVE"]


@dataclass(frozen=True, slots=True)
class Clocks:
    """How long a request may take, and rest, in seconds; `Retrieving` says what they mean."""

    inactivity: float
    total: float
    grace: float


@dataclass(frozen=True, slots=True)
class _Response:
    """One response; counts are None where the PACS does not give them."""

    status: int
    completed: int | None
    failed: int | None
    warning: int | None
    failed_uids: tuple[str, ...]


class Retrieving(Transfer):
    """Base of `CMove` and `CGet`: each request has an association of its own.

    Parameters
    ----------
    inactivity_timeout, total_timeout
        Seconds; when one of the clocks runs out the request is cancelled.
    cancel_grace
        Seconds between C-CANCEL and A-ABORT.
    """

    service: ClassVar[Service]
    sop_class: ClassVar[str]
    model: ClassVar[str]
    """What a profile calls it, such as ``study-move``."""
    use: ClassVar[str]

    def __init__(
        self,
        inactivity_timeout: float = 900,
        total_timeout: float = 86400,
        cancel_grace: float = 15,
    ) -> None:
        self._clocks = Clocks(inactivity_timeout, total_timeout, cancel_grace)
        self._net: Net | None = None
        self._clock = Clock()
        self._cancelled = threading.Event()

    def open(self, context: RunContext) -> None:
        """Take the nodes; the PACS is called at each request.

        Raises
        ------
        ConfigError
            There is no PACS.
        RemoteError
            The profile of the PACS says that it does not accept the service.
        """
        self._net = _called_net(context.net, self.service, self.model, self.use)
        self._clock = context.clock

    def cancel(self) -> None:
        """End a running request soon, and refuse further ones."""
        self._cancelled.set()

    def fetch(self, request: Request, inbox: Inbox) -> Outcome:
        """Request, and wait for the final response, an abort, or one of the clocks."""
        if self._cancelled.is_set():
            return Outcome(
                status=None, status_text="cancelled before it was requested", reached=False
            )
        return self._fetch(request, inbox)

    @abstractmethod
    def _fetch(self, request: Request, inbox: Inbox) -> Outcome:
        """Do so; nothing was cancelled yet."""

    def _request(
        self,
        request: Request,
        inbox: Inbox,
        proposals: Sequence[str | Proposal],
        more: Mapping[Element, bytes | int],
        prepare: Callable[[Requestor], None] = lambda _: None,
    ) -> Outcome:
        """Put one request over an association of its own, which is prepared first.

        Raises
        ------
        RemoteError
            The transfer was not opened.
        """
        if self._net is None:
            raise RemoteError(f"{self.use}: asked before it was opened")
        try:
            association = associate(self._net, proposals)
        except RemoteError as error:
            return Outcome(status=None, status_text=str(error), reached=False)
        prepare(association)
        return Retrieve(
            self.service, self.sop_class, association, inbox, self._clock, self._clocks,
            self._cancelled,
        ).run(request, more)  # fmt: skip


class CMove(Retrieving):
    """Has the PACS send to our own receiver; parameters are those of `Retrieving`."""

    service: ClassVar[Service] = "C-MOVE"
    sop_class: ClassVar[str] = STUDY_ROOT_MOVE
    model: ClassVar[str] = "study-move"
    use: ClassVar[str] = "cmove"

    def _fetch(self, request: Request, inbox: Inbox) -> Outcome:
        destination = inbox.aetitle.encode("latin-1")
        padded = destination + b" " * (len(destination) % 2)
        more = {Element.MOVE_DESTINATION: padded}
        return self._request(request, inbox, [STUDY_ROOT_MOVE], more)


def _called_net(net: Net | None, service: Service, model: str, use: str) -> Net:
    """Return the nodes, after a look at what the profile of the PACS says of a service.

    Raises
    ------
    ConfigError
        There is no PACS.
    RemoteError
        The profile says that it does not accept the service.
    """
    if net is None or net.called is None:
        raise ConfigError(f"{use}: net.called_node is not configured: there is no PACS to ask")
    called = net.called
    if called.profile.models and model not in called.profile.models:
        when = f" of {called.profile.probed_at}" if called.profile.probed_at else ""
        raise RemoteError(
            f"{use}: {called.aetitle} at {called.ip}:{called.port} does not accept {service} "
            f"(Study Root) from us, says net.called_node.profile{when}:"
            " have it allowed there and probe again, or choose another move.use"
        )
    return net


class Retrieve:
    """A request over an association of its own, which is released or aborted at the end."""

    def __init__(
        self,
        service: Service,
        model: str,
        association: Requestor,
        inbox: Inbox,
        clock: Clock,
        clocks: Clocks,
        cancelled: threading.Event,
    ) -> None:
        self._service: Service = service
        self._model, self._association = model, association
        self._inbox, self._clock, self._clocks = inbox, clock, clocks
        self._cancelled = cancelled
        self._begun = self._active = clock.monotonic()
        self._heard = (inbox.news(), association.received)
        self._last: _Response | None = None
        self._message_id = 0

    def run(self, request: Request, more: Mapping[Element, bytes | int]) -> Outcome:
        """Send it with ``more`` command elements; wait for its end, or one of the clocks."""
        try:
            self._send(_identifier(request), more)
            outcome = self._wait()
        except Ended as error:
            self._association.abort()  # it may be we who cannot go on
            return self._broken(str(error))
        except BaseException:
            self._association.abort()
            raise
        self._association.release()
        return outcome

    def _send(self, keys: Dataset, more: Mapping[Element, bytes | int]) -> None:
        data = identifier.encode(keys, self._association.syntax_of(self._model))
        command = {Element.COMMAND_FIELD: _FIELDS[self._service][0], Element.PRIORITY: _MEDIUM}
        self._message_id = self._association.send(self._model, {**command, **more}, data)

    def _wait(self) -> Outcome:
        """Wait for the final response; a clock that runs out cancels, then aborts.

        Raises
        ------
        Ended
            The association is over.
        """
        clocks = self._clocks
        tick = min(_LONGEST_TICK, clocks.inactivity / 4, clocks.total / 4, clocks.grace / 4)
        reason, cancelled_at = "", 0.0
        while True:
            final = self._step(tick)
            if final is not None:
                return self._final(final, reason)
            now = self._clock.monotonic()
            if reason:
                if now - cancelled_at > clocks.grace:
                    self._association.abort()
                    return self._broken(f"{reason}; cancelling was not answered")
                continue
            reason = self._why_cancel(now - self._begun, now - self._active)
            if reason:
                cancelled_at = now
                self._association.cancel(self._model, self._message_id)

    def _why_cancel(self, total: float, inactive: float) -> str:
        if self._cancelled.is_set():
            return "cancelled"
        if inactive > self._clocks.inactivity:
            return f"no response and no arrival for {self._clocks.inactivity:g} s"
        if total > self._clocks.total:
            return f"not done after {self._clocks.total:g} s"
        return ""

    def _step(self, seconds: float) -> _Response | None:
        """Wait for a response; return it when it is the final one."""
        message = self._association.receive(seconds)
        if message is None:
            before = self._heard
            self._heard = (self._inbox.news(), self._association.received)
            if self._heard != before:
                self._active = self._clock.monotonic()
            return None
        self._active = self._clock.monotonic()
        response = _response(message, self._service)
        if response.status not in PENDING:
            return response
        self._last = response
        return None

    def _broken(self, ended: str) -> Outcome:
        """Return the outcome without a final response: the counts of the last pending one."""
        last = self._last
        return Outcome(
            status=None,
            status_text=ended,
            completed=last.completed if last else None,
            failed=last.failed if last else None,
            warning=last.warning if last else None,
        )

    def _final(self, response: _Response, reason: str) -> Outcome:
        words = describe(response.status, self._service)
        return Outcome(
            status=response.status,
            status_text=f"{reason}; {words}" if reason else words,
            completed=response.completed,
            failed=response.failed,
            warning=response.warning,
            failed_uids=response.failed_uids,
        )


def _identifier(request: Request) -> Dataset:
    match = {"StudyInstanceUID": request.study_uid}
    if request.series_uid is not None:
        match["SeriesInstanceUID"] = request.series_uid
    if request.sop_uids:
        match["SOPInstanceUID"] = "\\".join(request.sop_uids)
    return identifier.build(request.level, match)


def _response(message: Message, service: Service) -> _Response:
    """Read a response (PS3.7 sections 9.3.3.2 and 9.3.4.2).

    Raises
    ------
    Ended
        It is another message, or malformed.
    """
    command, failed = message.command, ""
    try:
        if command.number(Element.COMMAND_FIELD) != _FIELDS[service][1]:
            raise Ended(f"the PACS sent another message than a {service} response")
        if message.data:
            row = rows.read(message.data, message.transfer_syntax)
            failed = row.get("FailedSOPInstanceUIDList", "")
        return _Response(
            status=command.required(Element.STATUS),
            completed=command.number(Element.COMPLETED),
            failed=command.number(Element.FAILED),
            warning=command.number(Element.WARNING),
            failed_uids=tuple(filter(None, failed.split("\\"))),
        )
    except ValueError as error:
        raise Ended(f"the PACS sent a malformed {service} response: {error}") from error
