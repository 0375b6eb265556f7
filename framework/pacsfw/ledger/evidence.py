"""Facts about studies in addition to their verdicts: series, failed trials, flags."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal, TypeAlias

from pacsfw.api import SeriesVerdict
from pacsfw.ledger.database import Database

TRIALS = 3
"""An instance that runs requested in vain on so many days, although the PACS answered, is given
up."""

WHOLE_STUDY = ""
"""Stands for the missing instances of a study whose UIDs are unknown."""

Flag: TypeAlias = Literal["vanished", "rejected"]
"""``vanished``: the PACS listed the instance once and no longer does. ``rejected``: a
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
                "INSERT INTO series VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (
                        study_uid, one.uid, one.state, one.reason, one.expected, one.stored,
                        one.source, json.dumps(list(one.missing)), one.left_out,
                    )
                    for one in series
                ),
            )  # fmt: skip

    def series(self, study_uid: str) -> tuple[SeriesVerdict, ...]:
        """Return the verdicts of the series of a study."""
        return tuple(
            SeriesVerdict(
                uid=row["series_uid"],
                state=row["verdict"],
                reason=row["reason"],
                expected=row["expected"],
                stored=row["stored"],
                source=row["source"],
                missing=tuple(json.loads(row["missing"])),
                left_out=row["left_out"],
            )
            for row in self._database.rows(
                "SELECT * FROM series WHERE study_uid = ? ORDER BY series_uid", study_uid
            )
        )

    def series_counts(self) -> Mapping[str, int]:
        """Return the number of series of the selected studies, by verdict."""
        return dict(
            self._database.rows(
                "SELECT series.verdict, count(*) FROM series JOIN studies USING (study_uid)"
                " WHERE selected = 1 GROUP BY 1"
            )
        )

    def tried(self, study_uid: str, lacking: Iterable[str], run: str, at: datetime) -> None:
        """Count that a run requested these instances in vain.

        At most once per run and per day: a recall from an offline store may take an hour.
        """
        self._database.execute_each(
            "INSERT INTO trials (study_uid, sop_uid, runs, run, at) VALUES (?, ?, 1, ?, ?)"
            " ON CONFLICT (study_uid, sop_uid) DO UPDATE SET"
            " runs = runs + 1, run = excluded.run, at = excluded.at"
            " WHERE run IS NOT excluded.run AND (at = '' OR date(at) < date(excluded.at))",
            ((study_uid, uid, run, at.isoformat()) for uid in lacking),
        )

    def given_up(self, study_uid: str) -> frozenset[str]:
        """Return the instances of a study that are not requested again."""
        return frozenset(
            self._database.column(
                "SELECT sop_uid FROM trials WHERE study_uid = ? AND runs >= ?", study_uid, TRIALS
            )
        )

    def settle_trials(self, study_uid: str, lacking: Sequence[str]) -> None:
        """Delete the trials of instances that arrived; record whether all others are given up."""
        with self._database.transaction() as connection:
            tried = connection.execute(
                "SELECT sop_uid FROM trials WHERE study_uid = ?", (study_uid,)
            ).fetchall()
            arrived = {row[0] for row in tried} - set(lacking)
            connection.executemany(
                "DELETE FROM trials WHERE study_uid = ? AND sop_uid = ?",
                ((study_uid, uid) for uid in arrived),
            )
            left = bool(lacking) and set(lacking) <= self.given_up(study_uid)
            connection.execute(
                "UPDATE studies SET given_up = ? WHERE study_uid = ?", (left, study_uid)
            )

    def uncharge(self, run: str) -> None:
        """Forget the trials that a run counted: the cause was not in the studies."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE studies SET given_up = 0 WHERE study_uid IN"
                " (SELECT study_uid FROM trials WHERE run = ?)",
                (run,),
            )
            connection.execute("UPDATE trials SET runs = runs - 1, at = '' WHERE run = ?", (run,))
            connection.execute("DELETE FROM trials WHERE runs <= 0")

    def try_again(self) -> None:
        """Delete all trials: instances that were given up are requested again."""
        with self._database.transaction() as connection:
            connection.execute("DELETE FROM trials")
            connection.execute("UPDATE studies SET given_up = 0 WHERE given_up = 1")

    def flag(self, study_uid: str, uids: Iterable[str], flag: Flag, at: datetime) -> None:
        """Set a flag on instances; a flag that is already set keeps its date."""
        self._database.execute_each(
            "INSERT OR IGNORE INTO flags VALUES (?, ?, ?, ?)",
            ((study_uid, uid, flag, at.isoformat()) for uid in uids),
        )

    def unflag(self, study_uid: str, uids: Iterable[str], flag: Flag) -> None:
        """Remove a flag from instances."""
        self._database.execute_each(
            "DELETE FROM flags WHERE study_uid = ? AND sop_uid = ? AND flag = ?",
            ((study_uid, uid, flag) for uid in uids),
        )

    def flagged(self, study_uid: str, flag: Flag) -> frozenset[str]:
        """Return the instances of a study with this flag."""
        return frozenset(
            self._database.column(
                "SELECT sop_uid FROM flags WHERE study_uid = ? AND flag = ?", study_uid, flag
            )
        )

    def flags(self) -> Mapping[str, int]:
        """Return the number of stored instances, by flag."""
        return dict(
            self._database.rows(
                "SELECT flag, count(DISTINCT sop_uid) FROM flags"
                " WHERE EXISTS (SELECT 1 FROM instances i WHERE i.study_uid = flags.study_uid"
                " AND i.sop_uid = flags.sop_uid AND i.state = 'stored') GROUP BY 1"
            )
        )
