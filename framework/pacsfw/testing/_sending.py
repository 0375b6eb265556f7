"""How a faulty retrieve sends instances: child process only."""

from __future__ import annotations

from typing import Any

from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.presentation import build_context

from pacsfw.testing._records import Instance
from pacsfw.testing._state import State
from pacsfw.testing.pacs_faults import Faults

MAX_CONTEXTS = 128
"""Presentation contexts that one association can propose (PS3.8 9.3.2.2)."""


def keep_responses(association: Association) -> None:
    """Work around a race in pynetdicom 3.0 that loses a response on a busy machine.

    Its ``send_*`` methods pause the reactor thread of the association, but assume it is
    paused slightly too early. The reactor may then take the response from the queue, see that
    it is not a request and drop it, and the sender waits until its timeout. Therefore, any
    message that is not a request is put back into the queue.
    """
    serve = association._serve_request

    def serve_or_give_back(message: Any, context_id: int) -> None:
        if message.is_valid_request:
            serve(message, context_id)
        else:
            association.dimse.msg_queue.put((context_id, message))

    association._serve_request = serve_or_give_back  # type: ignore[method-assign, assignment]


class Route:
    """The connection to a move destination: one association, or one per instance."""

    def __init__(
        self, ae: AE, state: State, faults: Faults, title: str, address: tuple[str, int]
    ) -> None:
        own = faults.sender or ae.ae_title
        self._called = title.lower() if faults.lower_titles else title
        self._ae = AE(ae_title=own.lower() if faults.lower_titles else own)
        self._ae.acse_timeout = self._ae.dimse_timeout = self._ae.network_timeout = 60
        self._ae.connection_timeout = 10
        self._ae.maximum_pdu_size = ae.maximum_pdu_size
        self._state, self._address = state, address
        self._scatter = faults.scatter
        self._association: Association | None = None

    def open(self, instances: list[Instance]) -> bool:
        """Open an association for these instances; False if the destination is unreachable."""
        pairs = dict.fromkeys((instance.sop_class, instance.syntax) for instance in instances)
        self._association = self._ae.associate(
            *self._address,
            contexts=[build_context(*pair) for pair in list(pairs)[:MAX_CONTEXTS]],
            ae_title=self._called,
            evt_handlers=self._state.outgoing_handlers,
        )
        if not self._association.is_established:
            self._association = None
            return False
        keep_responses(self._association)
        return True

    def association(self, instance: Instance) -> Association | None:
        """Return the association for an instance."""
        if self._scatter:
            self.close()
            self.open([instance])
        return self._association

    def close(self) -> None:
        """Release the open associations."""
        if self._association is not None:
            self._association.release()
            self._association = None

    def abort(self) -> None:
        """Abort the open associations."""
        if self._association is not None:
            self._association.abort()
            self._association = None
