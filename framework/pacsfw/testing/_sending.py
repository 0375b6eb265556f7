"""How a faulty retrieve sends instances: child process only."""

from __future__ import annotations

import itertools
from typing import Any

from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.presentation import build_context

from pacsfw.testing._copies import Parcel
from pacsfw.testing._records import Instance
from pacsfw.testing._state import State
from pacsfw.testing.pacs_faults import PRIVATE_SYNTAX, Faults

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
    """The connections to a move destination: one for each sender, or one per instance."""

    def __init__(
        self, ae: AE, state: State, faults: Faults, title: str, address: tuple[str, int]
    ) -> None:
        own = faults.sender or ae.ae_title
        self._called = title.lower() if faults.lower_titles else title
        self._own = f"{own.lower() if faults.lower_titles else own}@"
        self._senders = itertools.cycle(faults.senders or (self._own,))
        self._stranger = faults.stranger
        self._max_pdu = ae.maximum_pdu_size
        self._state, self._address = state, address
        self._scatter = faults.scatter
        self._wanted: list[Instance] = []
        self._associations: dict[tuple[str, bool], Association] = {}
        """By sender, and whether they are for instances in `PRIVATE_SYNTAX`."""

    def open(self, instances: list[Instance]) -> bool:
        """Open an association for these instances; False if the destination is unreachable."""
        self._wanted = instances
        return self._open(next(self._senders), instances) is not None

    def association(self, parcel: Parcel) -> Association | None:
        """Return the association for an instance."""
        sender = self._stranger if parcel.foreign else next(self._senders)
        if self._scatter:
            self.close()
            return self._open(sender, [parcel.instance], parcel.private)
        there = self._associations.get((sender, parcel.private))
        return there or self._open(sender, self._wanted, parcel.private)

    def close(self) -> None:
        """Release the open associations."""
        for association in self._associations.values():
            association.release()
        self._associations.clear()

    def abort(self) -> None:
        """Abort the open associations."""
        for association in self._associations.values():
            association.abort()
        self._associations.clear()

    def _open(
        self, sender: str, instances: list[Instance], private: bool = False
    ) -> Association | None:
        pairs = dict.fromkeys(
            (each.sop_class, PRIVATE_SYNTAX if private else each.syntax) for each in instances
        )
        title, _, address = sender.rpartition("@")
        ae = AE(ae_title=title)
        ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = 60
        ae.connection_timeout = 10
        ae.maximum_pdu_size = self._max_pdu
        association = ae.associate(
            *self._address,
            contexts=[build_context(*pair) for pair in list(pairs)[:MAX_CONTEXTS]],
            ae_title=self._called,
            bind_address=(address, 0) if address else None,
            evt_handlers=self._state.outgoing_handlers,
        )
        if not association.is_established:
            return None
        keep_responses(association)
        self._associations[sender, private] = association
        return association
