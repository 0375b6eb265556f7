"""The senders that were seen to act on our requests, and what others sent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pacsfw.ledger.database import Database

_DISPUTED = (
    "GROUP BY study_uid, sop_uid HAVING count(*) > 1 AND (max(state = 'held')"
    " OR count(DISTINCT nullif(calling_ae || '@' || address, calling_ae || '@')) > 1)"
)
"""Ends a query for instances with content of two senders; without an address we fetched it."""


class Senders:
    """Rows of the table ``senders``, and the instances of senders that are not known."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def learn(self, calling_ae: str, address: str, evidence: str, at: datetime) -> None:
        """Record a sender, and by what it is known."""
        self._database.execute(
            "INSERT OR IGNORE INTO senders VALUES (?, ?, ?, ?)",
            calling_ae,
            address,
            evidence,
            at.isoformat(),
        )

    def learnt(self) -> frozenset[tuple[str, str]]:
        """Return the calling AE titles and addresses."""
        return frozenset(self._database.tuples("SELECT calling_ae, address FROM senders"))

    def held_by_sender(self) -> Mapping[tuple[str, str], int]:
        """Return the number of held instances, by calling AE title and address."""
        return {
            (row[0], row[1]): row[2]
            for row in self._database.rows(
                "SELECT calling_ae, address, count(*) FROM instances WHERE state = 'held'"
                " GROUP BY 1, 2 ORDER BY 1, 2"
            )
        }

    def disputed(self, study_uid: str) -> frozenset[str]:
        """Return the SOP Instance UIDs of a study with different content from two senders.

        Other content from the same sender is a version: some PACS edit what they send.
        """
        return frozenset(
            self._database.column(
                "SELECT sop_uid FROM instances WHERE study_uid = ?"  # noqa: S608 - a constant
                f" AND state IN ('stored', 'version', 'held') {_DISPUTED}",
                study_uid,
            )
        )

    def disputes(self) -> int:
        """Return the number of instances with different content from two senders."""
        return self._database.number(
            "SELECT count(*) FROM (SELECT 1 FROM instances WHERE sop_uid IN"  # noqa: S608
            " (SELECT sop_uid FROM instances WHERE state IN ('version', 'held'))"
            " AND state IN ('stored', 'version', 'held')"
            f" {_DISPUTED})"
        )
