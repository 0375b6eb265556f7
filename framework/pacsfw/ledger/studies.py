"""The studies of a collection: found, selected on the study list, requested, settled."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pacsfw.api import Verdict
from pacsfw.ledger.database import Database
from pacsfw.words import GOOD

Origin = Literal["find", "list", "patient", "unsolicited"]
"""How a study came in: by a query, the user's study list, a listed patient, or unsolicited."""


_ANSWERS = "study_uid IN (SELECT study_uid FROM answers WHERE search = ?)"
_BY_DATE = "ORDER BY json_extract(attributes, '$.StudyDate'), study_uid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """One study as the ledger knows it."""

    uid: str
    patient_id: str
    attributes: Mapping[str, str]
    origin: Origin
    listed: bool
    selected: bool
    state: str
    verdict: Verdict | None
    version: int


class Studies:
    """Rows of the table ``studies``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        uid: str,
        attributes: Mapping[str, str],
        origin: Origin,
        *,
        selected: bool = False,
    ) -> bool:
        """Add a study, or update its attributes; return whether it is new."""
        with self._database.transaction() as connection:
            known = connection.execute(
                "SELECT origin FROM studies WHERE study_uid = ?", (uid,)
            ).fetchone()
            if known:
                if origin == "find" != known["origin"]:
                    # However it came in first, a query found it now: it must be listed.
                    connection.execute(
                        "UPDATE studies SET origin = 'find' WHERE study_uid = ?", (uid,)
                    )
                if attributes:
                    connection.execute(
                        "UPDATE studies SET attributes = ?, patient_id = ? WHERE study_uid = ?",
                        (json.dumps(dict(attributes)), attributes.get("PatientID", ""), uid),
                    )
                return False
            connection.execute(
                "INSERT INTO studies (study_uid, patient_id, attributes, origin, listed, selected,"
                " state) VALUES (?, ?, ?, ?, 0, ?, 'found')",
                (
                    uid,
                    attributes.get("PatientID", ""),
                    json.dumps(dict(attributes)),
                    origin,
                    selected,
                ),
            )
            return True

    def mark_listed(self, search: int, *, only_new: bool, only_patients: bool) -> None:
        """Record that the studies of `answering` are on the study list now.

        If one is missing there later, the user removed it.
        """
        self._database.execute(
            f"UPDATE studies SET listed = 1, selected = 1 WHERE {_ANSWERS}"  # noqa: S608
            " AND (listed = 0 OR NOT ?) AND (patient_id != '' OR NOT ?)",
            search,
            only_new,
            only_patients,
        )

    def select(self, uids: Iterable[str]) -> None:
        """Select exactly these studies to be requested."""
        with self._database.transaction() as connection:
            connection.execute("UPDATE studies SET selected = 0 WHERE selected = 1")
            connection.executemany(
                "UPDATE studies SET selected = 1 WHERE study_uid = ?", ((uid,) for uid in uids)
            )

    def include(self, uid: str) -> None:
        """Select a study in addition to those that are already selected."""
        self._database.execute("UPDATE studies SET selected = 1 WHERE study_uid = ?", uid)

    def unjudged(self) -> Sequence[str]:
        """Return the UIDs of the studies that have instances, but no verdict."""
        return self._database.column(
            "SELECT study_uid FROM studies WHERE verdict IS NULL AND study_uid IN"
            " (SELECT study_uid FROM instances) ORDER BY study_uid"
        )

    def get(self, uid: str) -> Study | None:
        """Return one study."""
        found = self._read("WHERE study_uid = ?", (uid,))
        return found[0] if found else None

    def listed(self, unfinished: AbstractSet[str]) -> Iterator[tuple[Mapping[str, str], bool]]:
        """Yield the attributes of every study on the study list, and whether it is finished."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT study_uid, attributes FROM studies WHERE selected = 1"
            )
            for row in rows:
                yield json.loads(row[1]), row[0] not in unfinished

    def uids(self) -> Sequence[str]:
        """Return the UIDs of all studies, in stable order."""
        return self._database.column("SELECT study_uid FROM studies ORDER BY study_uid")

    def answering(self, search: int, *, only_new: bool) -> Iterator[Study]:
        """Yield the studies that a search found, or only those that were never listed."""
        with self._database.reading() as connection:
            yield from map(
                _study,
                connection.execute(
                    f"SELECT * FROM studies WHERE {_ANSWERS}"  # noqa: S608 - constants
                    f" AND (listed = 0 OR NOT ?) {_BY_DATE}",
                    (search, only_new),
                ),
            )

    def without_patient(self, search: int) -> int:
        """Return the number of studies of a search without a PatientID."""
        return self._database.number(
            f"SELECT count(*) FROM studies WHERE {_ANSWERS} AND patient_id = ''",  # noqa: S608
            search,
        )

    def of_patient(self, patient_id: str) -> Sequence[Study]:
        """Return the known studies of one patient."""
        return self._read(f"WHERE patient_id = ? {_BY_DATE}", (patient_id,))

    def unfinished(self, recheck: datetime | None = None) -> Sequence[str]:
        """Return the UIDs of the selected studies that must be moved, in stable order.

        These are the studies that are neither complete nor given up, and all others for which
        the PACS was last queried before ``recheck``.
        """
        marks = ", ".join("?" for _ in GOOD)
        return self._database.column(
            "SELECT study_uid FROM studies WHERE selected = 1"  # noqa: S608 - only marks
            f" AND (verdict IS NULL OR (verdict NOT IN ({marks}) AND NOT given_up)"
            " OR coalesce(checked_at, settled_at) < ?) ORDER BY study_uid",
            *GOOD,
            recheck.isoformat() if recheck else "",
        )

    def checked(self, uid: str, at: datetime) -> None:
        """Record that the PACS was queried for the instances of the study."""
        self._database.execute(
            "UPDATE studies SET checked_at = ? WHERE study_uid = ?", at.isoformat(), uid
        )

    def given_up(self) -> int:
        """Return the number of selected studies whose missing instances are all given up."""
        return self._database.number(
            "SELECT count(*) FROM studies WHERE selected = 1 AND given_up = 1"
        )

    def in_verdicts(self, verdicts: Sequence[str]) -> frozenset[str]:
        """Return the UIDs of the studies that were settled with one of these verdicts."""
        marks = ", ".join("?" for _ in verdicts)
        sql = f"SELECT study_uid FROM studies WHERE verdict IN ({marks})"  # noqa: S608 - only marks
        return frozenset(self._database.column(sql, *verdicts))

    def lacking(self) -> Iterator[tuple[str, Sequence[str]]]:
        """Yield the selected studies that lack instances, with the SOP Instance UIDs of these."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT study_uid, missing FROM studies WHERE selected = 1 AND missing != '[]'"
            )
            yield from ((row[0], json.loads(row[1])) for row in rows)

    def rate(self) -> tuple[int, float, int] | None:
        """Return bytes, seconds and number of the complete studies; None if there are none.

        A second counts, once, if at least one of these studies was between its last request and
        its verdict. Instances that arrived before that request do not count.
        """
        marks = ", ".join("?" for _ in GOOD)
        rows = self._database.rows(
            "SELECT requested_at, settled_at, sum(size)"  # noqa: S608 - only marks
            " FROM studies JOIN instances USING (study_uid)"
            f" WHERE verdict IN ({marks}) AND instances.state = 'stored'"
            " AND julianday(settled_at) > julianday(requested_at)"
            " AND julianday(received_at) >= julianday(requested_at)"
            " GROUP BY study_uid HAVING sum(size) > 0",
            *GOOD,
        )
        spans = [tuple(map(datetime.fromisoformat, row[:2])) for row in rows]
        return (sum(row[2] for row in rows), _covered(spans), len(rows)) if rows else None

    def requested(self, uid: str, at: datetime) -> None:
        """Record that the study is being requested."""
        self._database.execute(
            "UPDATE studies SET state = 'requested', attempts = attempts + 1,"
            " requested_at = ? WHERE study_uid = ?",
            at.isoformat(),
            uid,
        )

    def settle(
        self, uid: str, verdict: Verdict, at: datetime, components: Mapping[str, str]
    ) -> None:
        """Record the verdict; if it differs, the study is due for delivery again.

        Kinds that ``components`` does not name keep their component: a run that only queries
        does not replace the transfer.
        """
        self._database.execute(
            "UPDATE studies SET"
            " version = version + (verdict IS NOT ?1 OR reason IS NOT ?2 OR left_out IS NOT ?10),"
            " verdict = ?1, reason = ?2, expected = ?3,"
            " source = ?4, missing = ?5, components = json_patch(components, ?6), checked_at = ?7,"
            " comment = ?9, left_out = ?10,"
            # A study that was only queried keeps the time of its arrival.
            " settled_at = CASE WHEN state = 'requested' OR settled_at IS NULL THEN ?7"
            " ELSE settled_at END, state = 'settled' WHERE study_uid = ?8",
            verdict.state,
            verdict.reason,
            verdict.expected,
            verdict.source,
            json.dumps(list(verdict.missing)),
            json.dumps(dict(components)),
            at.isoformat(),
            uid,
            verdict.comment,
            verdict.left_out,
        )

    def counts(self) -> Mapping[str, int]:
        """Return the number of selected studies, by verdict; ``pending`` has no verdict yet."""
        return dict(
            self._database.rows(
                "SELECT coalesce(verdict, 'pending'), count(*) FROM studies WHERE selected = 1"
                " GROUP BY 1"
            )
        )

    def verdicts(self) -> Mapping[str, str]:
        """Return the verdict of each study on the study list, ``pending`` for none, by UID."""
        rows = self._database.rows(
            "SELECT study_uid, coalesce(verdict, 'pending') FROM studies WHERE selected = 1"
        )
        return dict(rows)

    def dates(self) -> Sequence[str]:
        """Return the StudyDates that most studies have; three at most."""
        return self._database.column(
            "SELECT json_extract(attributes, '$.StudyDate') AS day FROM studies"
            " WHERE origin = 'find' AND day != '' GROUP BY day ORDER BY count(*) DESC, day LIMIT 3"
        )

    def origins(self) -> Mapping[str, int]:
        """Return the number of studies, by origin."""
        return dict(self._database.rows("SELECT origin, count(*) FROM studies GROUP BY origin"))

    def known(self) -> frozenset[str]:
        """Return the UIDs of all studies except unsolicited ones."""
        return frozenset(
            self._database.column("SELECT study_uid FROM studies WHERE origin != 'unsolicited'")
        )

    def deselected(self) -> int:
        """Return the number of found studies that are no longer on the study list."""
        return self._database.number(
            "SELECT count(*) FROM studies WHERE listed = 1 AND selected = 0"
        )

    def reasons(self) -> Sequence[tuple[str, str, int]]:
        """Return (verdict, reason, studies) for every verdict with a reason."""
        return self._database.tuples(
            "SELECT verdict, reason, count(*) FROM studies WHERE selected = 1"
            " AND reason != '' GROUP BY 1, 2 ORDER BY 1, 3 DESC"
        )

    def comments(self) -> Sequence[tuple[str, str, str, int]]:
        """Return (verdict, reason, what the PACS said, studies) for verdicts with a comment."""
        return self._database.tuples(
            "SELECT verdict, reason, comment, count(*) FROM studies"
            " WHERE selected = 1 AND comment != '' GROUP BY 1, 2, 3 ORDER BY 4 DESC, 3"
        )

    def _read(self, where: str, values: Sequence[Any]) -> list[Study]:
        sql = f"SELECT * FROM studies {where}"  # noqa: S608 - constants of this class only
        return [_study(row) for row in self._database.rows(sql, *values)]


def _covered(spans: Iterable[tuple[datetime, ...]]) -> float:
    """Return the seconds that at least one of these (beginning, end) spans covers."""
    covered, latest = timedelta(), datetime.min.replace(tzinfo=UTC)
    for begin, end in sorted(spans):
        covered += max(end - max(begin, latest), timedelta())
        latest = max(latest, end)
    return covered.total_seconds()


def _study(row: sqlite3.Row) -> Study:
    verdict = None
    if row["verdict"]:
        verdict = Verdict(
            state=row["verdict"],
            reason=row["reason"],
            expected=row["expected"],
            source=row["source"],
            missing=tuple(json.loads(row["missing"])),
            comment=row["comment"],
            left_out=row["left_out"],
        )
    return Study(
        uid=row["study_uid"],
        patient_id=row["patient_id"],
        attributes=json.loads(row["attributes"]),
        origin=row["origin"],
        listed=bool(row["listed"]),
        selected=bool(row["selected"]),
        state=row["state"],
        verdict=verdict,
        version=row["version"],
    )
