"""C-MOVE as a transfer (PS3.4 section C.4.2)."""

from __future__ import annotations

import threading
from typing import ClassVar

from pacsfw.api import Clock, Inbox, Net, Outcome, Request, RunContext, Transfer
from pacsfw.dimse.client import associate
from pacsfw.dimse.command import Element
from pacsfw.dimse.identifier import STUDY_ROOT_MOVE
from pacsfw.errors import RemoteError
from pacsfw_plugins._retrieve import Clocks, Retrieve, called_net


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
            The profile of the PACS says that it accepts no C-MOVE.
        """
        self._net = called_net(context.net, "C-MOVE", "study-move", "cmove")
        self._clock = context.clock

    def cancel(self) -> None:
        """End a running request soon, and refuse further ones."""
        self._cancelled.set()

    def fetch(self, request: Request, inbox: Inbox) -> Outcome:
        """Request, and wait for the final response, an abort, or one of the clocks."""
        if self._cancelled.is_set():
            return Outcome(status=None, ended="cancelled before it was requested", reached=False)
        if self._net is None:
            raise RemoteError("cmove: asked before it was opened")
        try:
            association = associate(self._net, [STUDY_ROOT_MOVE])
        except RemoteError as error:
            return Outcome(status=None, ended=str(error), reached=False)
        moving = Retrieve(
            "C-MOVE", STUDY_ROOT_MOVE, association, inbox, self._clock, self._clocks,
            self._cancelled,
        )  # fmt: skip
        destination = inbox.aetitle.encode("latin-1")
        padded = destination + b" " * (len(destination) % 2)
        return moving.run(request, {Element.MOVE_DESTINATION: padded})
