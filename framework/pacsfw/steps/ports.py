"""The ports: Protocols for the methods that one step needs of another.

`pacsfw.collection` connects them. An instance goes from a receiver to ingest (`RecordTaker`)
and on to the study that waits for it (`Arriving`). A study with a verdict goes to the tables
and converters (`SettledStudies`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from pacsfw.api import Event
from pacsfw.spool.records import Sealed, SpoolRecord

if TYPE_CHECKING:  # receiver processes import this module and need no ledger
    from pacsfw.ledger.instances import Instance


class Notifier(Protocol):
    """Passes events on to the observers."""

    def notify(self, event: Event) -> None:
        """Pass one event on; never blocks."""


class RecordTaker(Protocol):
    """Takes the records of a receiver; implemented by ingest."""

    def take(self, records: Sequence[SpoolRecord]) -> None:
        """Take the records, in order. The senders wait while it works."""


class Arriving(Protocol):
    """Follows incoming instances; implemented by the move step and the server."""

    def on_the_way(self, records: Sequence[SpoolRecord]) -> None:
        """Note spool records before they are processed."""

    def arrived(self, instances: Sequence[tuple[Sealed, Instance, bool]]) -> None:
        """Note instances that the ledger has recorded.

        Each comes with its spool record, and with whether it is new to the ledger.
        """

    def listed(self, sop_uid: str) -> tuple[tuple[str, str], ...]:
        """Return StudyInstanceUID and PatientID of the studies that lack this instance.

        The PatientID is empty if it is not known.
        """

    def is_running(self, message_id: int) -> bool:
        """Return whether a C-MOVE request with this Message ID is being served."""


class Supervisor(Protocol):
    """Ends a run that cannot continue."""

    def stop_because(self, err: Exception) -> None:
        """End the run: the ledger or the dataset folder cannot be written."""


class MakesDurable(Protocol):
    """Makes stored instances survive a power cut; implemented by ingest."""

    def make_durable(self, study_uid: str) -> None:
        """Sync a study; remove instances without a complete file from the ledger."""


class SettledStudies(Protocol):
    """Takes studies that have a new verdict; implemented by tables and converters."""

    def settled(self, study_uid: str) -> None:
        """Deliver and convert this study soon."""


class HasRoom(Protocol):
    """Knows whether more may be requested."""

    def lacking(self) -> str:
        """Return why nothing more should be requested for now; empty if it may."""


class Expecting(Protocol):
    """Rejects unsolicited instances; implemented by the receiver."""

    def expect(self, expected: bool) -> None:
        """Set whether a study is being requested."""
