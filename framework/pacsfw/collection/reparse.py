"""Reading the rows of a collection's stored objects anew; nothing is moved.

It is resumable: how far it is goes into the ledger together with the rows themselves.
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
"""Ledger fact: the tags by which the rows of the stored objects were read."""

PROGRESS_FACT = "reparse"
"""Ledger fact: [tags, number of the last object to read, number of the last one read]."""

CHUNK = 500
"""Rows in one transaction at most."""

CHUNK_SECONDS = 1.0
"""A transaction waits no longer than this for more rows."""


class ReparseStep:
    """Reads every stored object's row by today's tags.

    Parameters
    ----------
    pool
        Its workers do `Reparse` jobs.
    """

    def __init__(self, run: Run, pool: OrderedPool) -> None:
        self._run, self._pool = run, pool
        self._ledger, self._clock, self._stop = run.ledger, run.clock, run.stop
        self._total, _ = run.ledger.instances.totals()
        self._files = 0
        self._rows = 0

    def run(self, tags: str) -> bool:
        """Read the rows, from where an earlier run with the same tags was interrupted.

        Parameters
        ----------
        tags
            What identifies today's tags.

        Returns
        -------
        bool
            Whether every row is of these tags now; False where the run was stopped before.
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
        """Return the last object to read and the last one that was read already."""
        known = json.loads(self._ledger.get_value(PROGRESS_FACT) or "null")
        if known and known[0] == tags:
            return known[1], known[2]
        end = self._ledger.instances.last_number()
        with self._ledger.transaction():
            # From here on until all are read the rows are of no one set of tags.
            self._ledger.set_value(TAGS_FACT, "")
            self._remember(tags, end, 0)
        return end, 0

    def _jobs(self, after: int, end: int) -> Iterator[Reparse]:
        # A row that is new gets a number beyond the end: it is not met again.
        for number, instance in self._ledger.instances.stored(after, end):
            if self._stop.is_set():
                return
            yield Reparse(instance, number)

    def _record(self, tags: str, end: int, chunk: list[tuple[int, Instance]]) -> None:
        with self._ledger.transaction():
            for _, instance in chunk:
                self._ledger.instances.record(instance, self._clock.now())
            self._remember(tags, end, chunk[-1][0])
        self._files += len(chunk)
        self._rows += sum(instance.row != NO_CELLS for _, instance in chunk)
        self._run.notify(
            FilesParsed(at=self._clock.now(), files=self._files, rows=self._rows, total=self._total)
        )

    def _remember(self, tags: str, end: int, done: int) -> None:
        self._ledger.set_value(PROGRESS_FACT, json.dumps([tags, end, done]))


def _read(instance: Instance, outcome: Instance | Crashed) -> Instance:
    if isinstance(outcome, Crashed):
        # Cells that other tags made must not stay under the names of these.
        return without_row(instance, outcome.reason)
    return outcome
