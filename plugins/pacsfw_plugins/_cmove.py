"""C-MOVE as a transfer (PS3.4 section C.4.2)."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import ClassVar

from pydicom.dataset import Dataset

from pacsfw.api import Clock, Inbox, Net, Outcome, Request, RunContext, Transfer
from pacsfw.dimse import identifier, rows
from pacsfw.dimse.client import associate
from pacsfw.dimse.command import Element, Field
from pacsfw.dimse.identifier import STUDY_ROOT_MOVE
from pacsfw.dimse.requestor import Ended, Message, Requestor
from pacsfw.dimse.status import PENDING, describe
from pacsfw.errors import RemoteError

_MODEL = "study-move"
_LONGEST_TICK = 1.0
_MEDIUM = 0x0000


@dataclass(frozen=True, slots=True)
class _Response:
    """One C-MOVE-RSP; counts are None where the PACS does not give them."""

    status: int
    completed: int | None
    failed: int | None
    warning: int | None
    failed_uids: tuple[str, ...]


class CMove(Transfer):
    """Each request has an association of its own, released at the final response.

    Parameters
    ----------
    inactivity_timeout, total_timeout
        Seconds; when one of the clocks runs out the request is cancelled.
    cancel_grace
        Seconds between C-CANCEL and A-ABORT.
    """

    needs_receiver: ClassVar[bool] = True

    def __init__(
        self,
        inactivity_timeout: float = 900,
        total_timeout: float = 86400,
        cancel_grace: float = 15,
    ) -> None:
        self._inactivity = inactivity_timeout
        self._total = total_timeout
        self._grace = cancel_grace
        self._net: Net | None = None
        self._clock = Clock()
        self._cancelled = threading.Event()

    def open(self, context: RunContext) -> None:
        """Take the nodes; the PACS is called at each request.

        Raises
        ------
        RemoteError
            The profile of the PACS says that it accepts no C-MOVE.
        """
        self._net, self._clock = context.net, context.clock
        called = self._net and self._net.called
        if called and called.profile.models and _MODEL not in called.profile.models:
            when = f" of {called.profile.probed_at}" if called.profile.probed_at else ""
            raise RemoteError(
                f"cmove: {called.aetitle} at {called.ip}:{called.port} does not accept C-MOVE "
                f"(Study Root) from us, says net.called_node.profile{when}:"
                " have it allowed there and probe again, or choose another move.use"
            )

    def cancel(self) -> None:
        """End a running request soon, and refuse further ones."""
        self._cancelled.set()

    def fetch(self, request: Request, inbox: Inbox) -> Outcome:
        """Request, and wait for the final response, an abort, or one of the clocks."""
        if self._cancelled.is_set():
            return Outcome(status=None, ended="cancelled before it was requested", reached=False)
        if self._net is None:
            raise RemoteError("cmove: net.called_node is not configured: there is no PACS to ask")
        keys = _identifier(request)
        try:
            association = associate(self._net, [STUDY_ROOT_MOVE])
        except RemoteError as error:
            return Outcome(status=None, ended=str(error), reached=False)
        moving = _Moving(association, inbox, self._clock)
        try:
            moving.request(keys)
            outcome = self._wait(moving)
        except Ended as error:
            association.abort()  # it may be we who cannot go on
            return moving.broken(str(error))
        except BaseException:
            association.abort()
            raise
        association.release()
        return outcome

    def _wait(self, moving: _Moving) -> Outcome:
        """Wait for the final response; a clock that runs out cancels, then aborts.

        Raises
        ------
        Ended
            The association is over.
        """
        tick = min(_LONGEST_TICK, self._inactivity / 4, self._total / 4, self._grace / 4)
        reason, cancelled_at = "", 0.0
        while True:
            final = moving.step(tick)
            if final is not None:
                return _final(final, reason)
            now = self._clock.monotonic()
            if reason:
                if now - cancelled_at > self._grace:
                    moving.association.abort()
                    return moving.broken(f"{reason}; cancelling was not answered")
                continue
            reason = self._why_cancel(now - moving.begun, now - moving.active)
            if reason:
                cancelled_at = now
                moving.cancel()

    def _why_cancel(self, total: float, inactive: float) -> str:
        if self._cancelled.is_set():
            return "cancelled"
        if inactive > self._inactivity:
            return f"no response and no arrival for {self._inactivity:g} s"
        if total > self._total:
            return f"not done after {self._total:g} s"
        return ""


class _Moving:
    """One running request: what has been heard of it, and when last."""

    def __init__(self, association: Requestor, inbox: Inbox, clock: Clock) -> None:
        self.association, self._inbox, self._clock = association, inbox, clock
        self.begun = self.active = clock.monotonic()
        self._news = inbox.news()
        self._last: _Response | None = None
        self._message_id = 0

    def request(self, keys: Dataset) -> None:
        data = identifier.encode(keys, self.association.syntax_of(STUDY_ROOT_MOVE))
        destination = self._inbox.aetitle.encode("latin-1")
        self._message_id = self.association.send(
            STUDY_ROOT_MOVE,
            {
                Element.COMMAND_FIELD: Field.C_MOVE_RQ,
                Element.PRIORITY: _MEDIUM,
                Element.MOVE_DESTINATION: destination + b" " * (len(destination) % 2),
            },
            data,
        )

    def cancel(self) -> None:
        self.association.cancel(STUDY_ROOT_MOVE, self._message_id)

    def step(self, seconds: float) -> _Response | None:
        """Wait for a response; return it when it is the final one."""
        message = self.association.receive(seconds)
        if message is None:
            before, self._news = self._news, self._inbox.news()
            if self._news != before:
                self.active = self._clock.monotonic()
            return None
        self.active = self._clock.monotonic()
        response = _response(message)
        if response.status not in PENDING:
            return response
        self._last = response
        return None

    def broken(self, ended: str) -> Outcome:
        """Return the outcome without a final response: the counts of the last pending one."""
        last = self._last
        return Outcome(
            status=None,
            ended=ended,
            completed=last.completed if last else None,
            failed=last.failed if last else None,
            warning=last.warning if last else None,
        )


def _identifier(request: Request) -> Dataset:
    match = {"StudyInstanceUID": request.study_uid}
    if request.series_uid is not None:
        match["SeriesInstanceUID"] = request.series_uid
    if request.sop_uids:
        match["SOPInstanceUID"] = "\\".join(request.sop_uids)
    return identifier.build(request.level, match)


def _response(message: Message) -> _Response:
    """Read a C-MOVE response (PS3.7 section 9.3.4.2).

    Raises
    ------
    Ended
        It is another message, or malformed.
    """
    command, failed = message.command, ""
    try:
        if command.number(Element.COMMAND_FIELD) != Field.C_MOVE_RSP:
            raise Ended("the PACS sent another message than a C-MOVE response")
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
        raise Ended(f"the PACS sent a malformed C-MOVE response: {error}") from error


def _final(response: _Response, reason: str) -> Outcome:
    words = describe(response.status, "C-MOVE")
    return Outcome(
        status=response.status,
        ended=f"{reason}; {words}" if reason else words,
        completed=response.completed,
        failed=response.failed,
        warning=response.warning,
        failed_uids=response.failed_uids,
    )
