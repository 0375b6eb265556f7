"""Rows whose SOP Instance UID an earlier row has, found with little memory."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path
from typing import Any, Literal, TypeAlias

from pacsfw.errors import StateError
from pacsfw.parse.tree.file_reader import COPY, REFUSED_COPY, Parsed, Unparsed

OnDuplicate: TypeAlias = Literal["keep", "first", "fail"]
"""Keep all rows and count them, keep the first one only, or let the others fail."""

NAME = "uids.sqlite"
"""A file in the folder of the resume state."""


class Duplicates:
    """Applies a rule to rows whose SOP Instance UID an earlier row has.

    Parameters
    ----------
    folder
        The folder of the resume state.
    files
        Number of files before, whose rows are in the table; what is known of later ones is of a
        run that was killed, and is forgotten.

    Raises
    ------
    StateError
        The file in the folder is damaged.
    """

    def __init__(self, folder: Path, rule: OnDuplicate, files: int) -> None:
        self._rule, self._path = rule, folder / NAME
        try:
            self._db = sqlite3.connect(self._path)
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS seen (uid BLOB PRIMARY KEY, file INTEGER NOT NULL)"
                " WITHOUT ROWID"
            )
            self._db.execute("DELETE FROM seen WHERE file >= ?", (files,))
            self._db.commit()
        except sqlite3.Error as err:
            raise self._failed(err) from None

    def judge(self, outcome: Any, file: int) -> tuple[Any, bool]:
        """Return the outcome of a file by the rule, and whether it is a duplicate.

        Parameters
        ----------
        file
            Number of the file.
        """
        if not isinstance(outcome, Parsed) or not outcome.sop_uid:
            return outcome, False
        uid = hashlib.blake2b(outcome.sop_uid, digest_size=16).digest()
        try:
            added = self._db.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (uid, file))
        except sqlite3.Error as err:
            raise self._failed(err) from None
        if added.rowcount:
            return outcome, False
        if self._rule == "keep":
            return outcome, True
        return Unparsed(COPY if self._rule == "first" else REFUSED_COPY, COPY), True

    def commit(self) -> None:
        """Make durable what is known; to be called before the rows are in the table."""
        try:
            self._db.commit()
        except sqlite3.Error as err:
            raise self._failed(err) from None

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _failed(self, err: sqlite3.Error) -> StateError:
        return StateError(f"{self._path}: {type(err).__name__}; --force starts over")
