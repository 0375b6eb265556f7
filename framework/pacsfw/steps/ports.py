"""How the steps are handed to one another: each port is what one step needs of another.

`pacsfw.collection` plugs them together. An instance goes from a receiver to ingest
(`RecordTaker`), from there to the study that waits for it (`Arriving`), and a study with a
verdict to the tables and converters (`SettledStudies`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from pacsfw.api import Event
from pacsfw.spool.records import Sealed, SpoolRecord

if TYPE_CHECKING:  # the processes that receive import this, and need no ledger
    from pacsfw.ledger.instances import Instance


class Notifier(Protocol):
    """Passes events on to the observers."""

    def notify(self, event: Event) -> None:
        """Pass one event on; never blocks."""


class RecordTaker(Protocol):
    """Takes what a receiver reports: ingest does."""

    def take(self, records: Sequence[SpoolRecord]) -> None:
        """Take the records, in order. While it works the senders wait."""


class Arriving(Protocol):
    """Follows instances on their way in: the move step does, and the server."""

    def on_the_way(self, records: Sequence[SpoolRecord]) -> None:
        """Note spool records before anything is done with them."""

    def arrived(self, instances: Sequence[tuple[Sealed, Instance, bool]]) -> None:
        """Note instances that the ledger has now.

        Parameters
        ----------
        instances
            The spool record that each came from, what is kept, and whether that is news.
        """


class Supervisor(Protocol):
    """Ends a run that cannot go on."""

    def stop_because(self, err: Exception) -> None:
        """End the run: the ledger or the dataset folder cannot be written."""


class MakesDurable(Protocol):
    """Lets what is stored survive a power cut: ingest does."""

    def make_durable(self, study_uid: str) -> None:
        """Sync a study; the ledger forgets instances that turn out not to be there."""


class SettledStudies(Protocol):
    """Takes studies that have a new verdict: tables and converters do."""

    def settled(self, study_uid: str) -> None:
        """Deliver and convert this study soon."""


class HasRoom(Protocol):
    """Knows whether more may be requested."""

    def lacking(self) -> str:
        """Say why nothing more should be requested for now; empty: there is room."""


class Expecting(Protocol):
    """Is told whether instances are expected: the receiver is."""

    def expect(self, expected: bool) -> None:
        """Say whether a study is being requested."""
