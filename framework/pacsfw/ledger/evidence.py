"""What is known of studies beside their verdicts: their series, what was tried, what is odd."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal, TypeAlias

from pacsfw.api import SeriesVerdict
from pacsfw.ledger.database import Database

TRIALS = 3
"""What so many runs could not bring although the PACS answered is not asked for again."""

WHOLE_STUDY = ""
"""Stands for the objects that a study lacks where nobody knows which they are."""

Flag: TypeAlias = Literal["vanished", "rejected"]
"""``vanished``: the PACS listed the object once and does not any more. ``rejected``: a
rejection note of the PACS names it (PS3.3 A.35.4, IHE IOCM)."""

FLAGS: tuple[Flag, ...] = ("vanished", "rejected")


class Evidence:
    """Rows of the tables ``series``, ``trials`` and ``flags``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def judge(self, study_uid: str, series: Iterable[SeriesVerdict]) -> None:
        """Replace the verdicts of the series of a study."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM series WHERE study_uid = ?", (study_uid,))
            connection.executemany(
                "INSERT INTO series VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (
                        study_uid, one.uid, one.state, one.reason, one.expected, one.stored,
                        one.source, json.dumps(list(one.missing)),
                    )
                    for one in series
                ),
            )  # fmt: skip

    def series(self, study_uid: str) -> tuple[SeriesVerdict, ...]:
        """Return the verdicts of the series of a study."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT * FROM series WHERE study_uid = ? ORDER BY series_uid", (study_uid,)
            ).fetchall()
        return tuple(
            SeriesVerdict(
                uid=row["series_uid"],
                state=row["verdict"],
                reason=row["reason"],
                expected=row["expected"],
                stored=row["stored"],
                source=row["source"],
                missing=tuple(json.loads(row["missing"])),
            )
            for row in rows
        )

    def series_counts(self) -> Mapping[str, int]:
        """Return how many series of the selected studies are in each verdict."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT series.verdict, count(*) FROM series JOIN studies USING (study_uid)"
                " WHERE selected = 1 GROUP BY 1"
            ).fetchall()
        return {row[0]: row[1] for row in rows}

    def tried(self, study_uid: str, lacking: Iterable[str], run: str) -> None:
        """Count that a run asked for these objects in vain; once for each run."""
        with self._database.transaction() as connection:
            connection.executemany(
                "INSERT INTO trials VALUES (?, ?, 1, ?) ON CONFLICT (study_uid, sop_uid)"
                " DO UPDATE SET runs = runs + (run IS NOT excluded.run), run = excluded.run",
                ((study_uid, uid, run) for uid in lacking),
            )

    def given_up(self, study_uid: str) -> frozenset[str]:
        """Return what of a study is not asked for again."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT sop_uid FROM trials WHERE study_uid = ? AND runs >= ?", (study_uid, TRIALS)
            ).fetchall()
        return frozenset(row[0] for row in rows)

    def settle_trials(self, study_uid: str, lacking: Sequence[str]) -> None:
        """Forget the trials of what came after all, and note whether all else is given up."""
        with self._database.transaction() as connection:
            tried = connection.execute(
                "SELECT sop_uid FROM trials WHERE study_uid = ?", (study_uid,)
            ).fetchall()
            came = {row[0] for row in tried} - set(lacking)
            connection.executemany(
                "DELETE FROM trials WHERE study_uid = ? AND sop_uid = ?",
                ((study_uid, uid) for uid in came),
            )
            left = bool(lacking) and set(lacking) <= self.given_up(study_uid)
            connection.execute(
                "UPDATE studies SET given_up = ? WHERE study_uid = ?", (left, study_uid)
            )

    def try_again(self) -> None:
        """Forget all trials: what was given up is asked for once more."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM trials")
            connection.execute("UPDATE studies SET given_up = 0 WHERE given_up = 1")

    def flag(self, study_uid: str, uids: Iterable[str], flag: Flag, at: datetime) -> None:
        """Note what is odd about objects; what is noted already keeps its date."""
        with self._database.transaction() as connection:
            connection.executemany(
                "INSERT OR IGNORE INTO flags VALUES (?, ?, ?, ?)",
                ((study_uid, uid, flag, at.isoformat()) for uid in uids),
            )

    def unflag(self, study_uid: str, uids: Iterable[str], flag: Flag) -> None:
        """Take a note back."""
        with self._database.transaction() as connection:
            connection.executemany(
                "DELETE FROM flags WHERE study_uid = ? AND sop_uid = ? AND flag = ?",
                ((study_uid, uid, flag) for uid in uids),
            )

    def flagged(self, study_uid: str, flag: Flag) -> frozenset[str]:
        """Return the objects of a study with this flag."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT sop_uid FROM flags WHERE study_uid = ? AND flag = ?", (study_uid, flag)
            ).fetchall()
        return frozenset(row[0] for row in rows)

    def flags(self) -> Mapping[str, int]:
        """Return how many stored objects have each flag."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT flag, count(DISTINCT sop_uid) FROM flags"
                " WHERE EXISTS (SELECT 1 FROM instances i WHERE i.study_uid = flags.study_uid"
                " AND i.sop_uid = flags.sop_uid AND i.state = 'stored') GROUP BY 1"
            ).fetchall()
        return {row[0]: row[1] for row in rows}
