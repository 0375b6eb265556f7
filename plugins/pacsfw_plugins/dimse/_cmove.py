"""C-MOVE as a transfer (PS3.4 section C.4.2)."""

from __future__ import annotations

from typing import ClassVar

from pacsfw.api import Inbox, Outcome, Request
from pacsfw.dimse.command import Element
from pacsfw.dimse.identifier import STUDY_ROOT_MOVE
from pacsfw_plugins.dimse._retrieve import Retrieving, Service


class CMove(Retrieving):
    """Has the PACS send to our own receiver; parameters are those of `Retrieving`."""

    needs_receiver: ClassVar[bool] = True
    service: ClassVar[Service] = "C-MOVE"
    sop_class: ClassVar[str] = STUDY_ROOT_MOVE
    model: ClassVar[str] = "study-move"
    use: ClassVar[str] = "cmove"

    def _fetch(self, request: Request, inbox: Inbox) -> Outcome:
        destination = inbox.aetitle.encode("latin-1")
        padded = destination + b" " * (len(destination) % 2)
        more = {Element.MOVE_DESTINATION: padded}
        return self._request(request, inbox, [STUDY_ROOT_MOVE], more)
