"""The sink ``registry``: a table of instances in SQLite, shared by the projects of the hospital."""

from __future__ import annotations

import json
import sqlite3
from datetime import date, time, timedelta
from typing import Any

from pacsfw.api import Batch, RunContext, Sink
from pacsfw.errors import ConfigError

_TABLE = """
CREATE TABLE IF NOT EXISTS images (
    project TEXT NOT NULL,
    study TEXT NOT NULL,
    position INTEGER NOT NULL,
    verdict TEXT NOT NULL,
    tags TEXT NOT NULL,
    PRIMARY KEY (project, study, position)
)
"""


class RegistrySink(Sink):
    """Stores the rows of a project; a study that is delivered again replaces its rows."""

    def __init__(self) -> None:
        self._project = ""
        self._database: sqlite3.Connection | None = None

    def open(self, context: RunContext) -> None:
        """Connect to the database of the ``site`` section.

        Raises
        ------
        ConfigError
            The section is missing.
        """
        site = context.sections.get("site")
        if site is None:
            raise ConfigError("the sink 'registry' needs the section 'site' in the configuration")
        self._project = site["project"]
        # Opened here, then used only by the thread that delivers to this sink.
        self._database = sqlite3.connect(site["database"], check_same_thread=False)
        with self._database:
            self._database.execute(_TABLE)

    def close(self) -> None:
        """Close the connection."""
        if self._database is not None:
            self._database.close()

    def deliver(self, batch: Batch) -> None:
        """Replace the rows of a study, all or none."""
        assert self._database is not None, "the sink is not open"
        names = [column.name for column in batch.table.columns]
        verdict = batch.verdict.state if batch.verdict else ""
        rows = [
            (self._project, batch.key, position, verdict, _tags(names, row))
            for position, row in enumerate(batch.rows)
        ]
        with self._database:
            self._database.execute(
                "DELETE FROM images WHERE project = ? AND study = ?", (self._project, batch.key)
            )
            self._database.executemany("INSERT INTO images VALUES (?, ?, ?, ?, ?)", rows)


def _tags(names: list[str], row: tuple[Any, ...]) -> str:
    return json.dumps(dict(zip(names, row, strict=True)), default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    raise TypeError(f"the registry cannot store a {type(value).__name__}")
