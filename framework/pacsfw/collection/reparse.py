"""Parse the stored instances of a collection again, without moving anything.

It can be resumed: the ledger records the progress together with the rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from pacsfw.api import FilesParsed
from pacsfw.ledger.cells import NO_CELLS
from pacsfw.ledger.instances import Instance
from pacsfw.steps.ingest.ingest import Reparse, without_row
from pacsfw.steps.run import Run
from pacsfw.workers import Crashed, OrderedPool

TAGS_FACT = "tags"
"""Ledger fact: the identity of the tags of the stored rows."""

PROGRESS_FACT = "reparse"
"""Ledger fact: [tags, number of the last instance to read, number of the last one read]."""

CHUNK = 500
"""Maximum number of rows in one transaction."""

CHUNK_SECONDS = 1.0
"""Maximum time that a transaction waits for more rows."""


class ReparseStep:
    """Reads the row of every stored instance with the current tags.

    Parameters
    ----------
    pool
        A pool for `Reparse` jobs.
    """

    def __init__(self, run: Run, pool: OrderedPool) -> None:
        self._run, self._pool = run, pool
        self._ledger, self._clock, self._stop = run.ledger, run.clock, run.stop
        self._total, _ = run.ledger.instances.totals()
        self._files = 0
        self._rows = 0

    def run(self, tags: str) -> bool:
        """Read the rows; resume an interrupted run with the same tags.

        Parameters
        ----------
        tags
            The identity of the current tags.

        Returns
        -------
        bool
            Whether every row has these tags now; False if the run was stopped.
        """
        end, after = self._begin(tags)
        with self._pool as pool:
            chunk: list[tuple[int, Instance]] = []
            due = self._clock.monotonic() + CHUNK_SECONDS
            for job, outcome in pool.map(self._jobs(after, end)):
                chunk.append((job.number, _read(job.instance, outcome)))
                if len(chunk) == CHUNK or self._clock.monotonic() >= due:
                    self._record(tags, end, chunk)
                    chunk, due = [], self._clock.monotonic() + CHUNK_SECONDS
            if chunk:
                self._record(tags, end, chunk)
        if self._stop.is_set():
            return False
        with self._ledger.transaction():
            self._ledger.set_value(PROGRESS_FACT, "")
            self._ledger.set_value(TAGS_FACT, tags)
        return True

    def _begin(self, tags: str) -> tuple[int, int]:
        """Return the numbers of the last instance to read and of the last one already read."""
        known = json.loads(self._ledger.get_value(PROGRESS_FACT) or "null")
        if known and known[0] == tags:
            return known[1], known[2]
        end = self._ledger.instances.last_number()
        with self._ledger.transaction():
            # Until all instances are read, the rows have mixed tags.
            self._ledger.set_value(TAGS_FACT, "")
            self._set_progress(tags, end, 0)
        return end, 0

    def _jobs(self, after: int, end: int) -> Iterator[Reparse]:
        # A changed row gets a number beyond ``end``, so it is not read twice.
        for number, instance in self._ledger.instances.stored(after, end):
            if self._stop.is_set():
                return
            yield Reparse(instance, number)

    def _record(self, tags: str, end: int, chunk: list[tuple[int, Instance]]) -> None:
        with self._ledger.transaction():
            for _, instance in chunk:
                self._ledger.instances.record(instance, self._clock.now())
            self._set_progress(tags, end, chunk[-1][0])
        self._files += len(chunk)
        self._rows += sum(instance.row != NO_CELLS for _, instance in chunk)
        self._run.notify(
            FilesParsed(at=self._clock.now(), files=self._files, rows=self._rows, total=self._total)
        )

    def _set_progress(self, tags: str, end: int, done: int) -> None:
        self._ledger.set_value(PROGRESS_FACT, json.dumps([tags, end, done]))


def _read(instance: Instance, outcome: Instance | Crashed) -> Instance:
    if isinstance(outcome, Crashed):
        # Cells of the former tags must not stay under the names of the current ones.
        return without_row(instance, str(outcome))
    return outcome
