"""The instances that were left out on purpose, by a rule such as a layout that raised `Skip`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from pacsfw.ledger.database import Database
from pacsfw.ledger.instances import Instance, instance_of

_LEFT_OUT = (
    "state = 'left-out' AND NOT EXISTS (SELECT 1 FROM instances s WHERE s.sop_uid = i.sop_uid"
    " AND s.study_uid = i.study_uid AND s.state = 'stored')"
)
"""Of instances ``i``: what is stored with other content is not left out."""


class LeftOut:
    """Rows of the table ``instances`` without a file: their bytes are not kept.

    An instance that was stored before stays stored, whatever the rule is now.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def by_series(self, study_uid: str) -> Mapping[str, frozenset[str]]:
        """Return the SOP Instance UIDs of a study that were left out, by SeriesInstanceUID."""
        found: dict[str, set[str]] = {}
        for each in self.of_study(study_uid):
            found.setdefault(each.series_uid, set()).add(each.sop_uid)
        return {uid: frozenset(uids) for uid, uids in found.items()}

    def of_study(self, study_uid: str) -> Sequence[Instance]:
        """Return the instances of a study that were left out, each UID once."""
        return [
            instance_of(row)
            for row in self._database.rows(
                f"SELECT * FROM instances i WHERE study_uid = ? AND {_LEFT_OUT}"  # noqa: S608
                " GROUP BY sop_uid ORDER BY series_uid, sop_uid",
                study_uid,
            )
        ]

    def reasons(self) -> Mapping[str, int]:
        """Return the number of instances that were left out, by reason."""
        return dict(
            self._database.rows(
                "SELECT reason, count(DISTINCT study_uid || ' ' || sop_uid)"  # noqa: S608
                f" FROM instances i WHERE {_LEFT_OUT} GROUP BY 1 ORDER BY 2 DESC, 1"
            )
        )

    def take_back(self, rules: Collection[str]) -> Mapping[str, frozenset[str]]:
        """Forget what none of these rules left out: it is missing again.

        Returns
        -------
        Mapping of str to frozenset of str
            StudyInstanceUID to the SOP Instance UIDs.
        """
        marks = ", ".join("?" for _ in rules)
        others = f"state = 'left-out' AND rule NOT IN ({marks})"
        found: dict[str, set[str]] = {}
        with self._database.transaction() as connection:
            for study_uid, sop_uid in connection.execute(
                "SELECT study_uid, sop_uid FROM instances i"  # noqa: S608 - constants and marks
                f" WHERE {others} AND {_LEFT_OUT}",
                tuple(rules),
            ):
                found.setdefault(study_uid, set()).add(sop_uid)
            connection.execute(
                f"DELETE FROM instances WHERE {others}",  # noqa: S608 - only marks
                tuple(rules),
            )
        return {uid: frozenset(uids) for uid, uids in found.items()}

    def any(self) -> bool:
        """Return whether anything was left out."""
        return bool(
            self._database.number(
                "SELECT EXISTS (SELECT 1 FROM instances WHERE state = 'left-out')"
            )
        )
