"""One thread per sink; what a sink lacks is read from the ledger, so nothing is forgotten."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from pacsfw.api import Batch, RunContext, Sink, Stored, Table
from pacsfw.errors import StateError
from pacsfw.ledger import Ledger
from pacsfw.ledger.cells import from_json
from pacsfw.ledger.instances import Instance

PATH_COLUMN = "dicom_path"
"""The last column of the instance table: where the file is."""

_log = logging.getLogger("pacsfw.deliver")


class Outbox:
    """Delivers to one sink, in a thread of its own.

    Parameters
    ----------
    name
        Names the sink in the ledger and in messages: its target.
    table
        The columns of the rows; the last is `PATH_COLUMN`.
    component
        The sink with its distribution and version, for messages and the ledger.
    """

    def __init__(
        self,
        name: str,
        sink: Sink,
        table: Table,
        ledger: Ledger,
        archive: Path,
        *,
        component: str = "",
    ) -> None:
        self.name = name
        self.component = component or name
        self.problem = ""
        self._sink, self._table, self._ledger, self._archive = sink, table, ledger, archive
        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=f"sink {name}", daemon=True)
        self._rewrite = False
        self._held = False

    def open(self, context: RunContext, *, exists: bool, anew: bool) -> None:
        """Open the sink, go back to the committed position and start delivering.

        Parameters
        ----------
        exists
            Whether the sink's target is still there; one that was removed is written anew.
        anew
            The rows of the ledger are not yet those of this table: deliver only once
            `refresh` is called, and then everything.

        Raises
        ------
        StateError
            The sink's file was changed by somebody else.
        """
        self._sink.open(context)
        if self._sink.appends:
            self._continue(exists=exists, anew=anew)
        self._held = anew
        self._thread.start()
        if not anew:
            self._queue_due()

    def _continue(self, *, exists: bool, anew: bool) -> None:
        """Bring a growing file to where the ledger knows it, or plan to write it anew."""
        deliveries = self._ledger.deliveries
        position = deliveries.position(self.name)
        if not deliveries.is_begun(self.name):
            self._sink.begin(self._table)
            deliveries.begin(self.name, self._sink.position())
        elif exists and position is not None and not anew:
            self._sink.restore(self._table, position)
        else:
            if exists and position is not None:
                self._sink.check(position)
            deliveries.mark_dirty(self.name)
            self._rewrite = True

    def refresh(self) -> None:
        """Deliver what is due: the rows have been read anew."""
        self._held = False
        self._queue_due()

    def settled(self, study_uid: str) -> None:
        """Deliver this study soon."""
        self._queue.put(study_uid)

    def close(self) -> None:
        """Deliver what is due, write a changed file anew, and close the sink."""
        self._queue.put(None)
        self._thread.join()
        try:
            if self._rewrite and not self._held and not self.problem:
                self._write_anew()
        except Exception as err:  # noqa: BLE001 - plugin boundary: reported, the rest goes on
            self._fail(err)
        try:
            self._sink.close()
        except Exception as err:  # noqa: BLE001 - plugin boundary: the other sinks go on
            self._fail(err)

    def _queue_due(self) -> None:
        for uid in self._ledger.deliveries.due(self.name):
            self._queue.put(uid)

    def _work(self) -> None:
        while (uid := self._queue.get()) is not None:
            if self.problem or self._held:
                continue  # it stays due in the ledger
            try:
                self._deliver(uid)
            except Exception as err:  # noqa: BLE001 - plugin boundary: reported, the rest goes on
                self._fail(err)

    def _deliver(self, uid: str) -> None:
        study = self._ledger.studies.get(uid)
        if study is None or self._rewrite:
            return
        had = self._ledger.deliveries.version(self.name, uid)
        if had == study.version:
            return
        if had is not None and self._sink.appends:
            self._ledger.deliveries.mark_dirty(self.name)
            self._rewrite = True
            return
        batch = self._batch(uid)
        self._sink.deliver(batch)
        self._ledger.deliveries.commit(
            self.name, uid, study.version, self._sink.position(), self.component
        )

    def _write_anew(self) -> None:
        versions: list[tuple[str, int]] = []
        self._sink.rewrite(self._table, self._batches(versions))
        position = self._sink.position()
        self._ledger.deliveries.rewritten(self.name, versions, position, self.component)

    def _batches(self, versions: list[tuple[str, int]]) -> Iterator[Batch]:
        for uid in self._ledger.deliveries.settled():
            study = self._ledger.studies.get(uid)
            assert study is not None  # noqa: S101 - studies are never removed
            versions.append((uid, study.version))
            yield self._batch(uid)

    def _batch(self, uid: str) -> Batch:
        study = self._ledger.studies.get(uid)
        instances = self._ledger.instances.of_study(uid)
        return Batch(
            table=self._table,
            key=uid,
            rows=[self._row(instance) for instance in instances],
            files=[self._stored(instance) for instance in instances],
            verdict=study.verdict if study else None,
        )

    def _row(self, instance: Instance) -> tuple[object, ...]:
        columns = self._table.columns[:-1]
        # A row that could not be read has no cells at all.
        cells: Iterable[object] = instance.row or [None] * len(columns)
        values = (from_json(column.type, cell) for column, cell in zip(columns, cells, strict=True))
        return (*values, str(self._archive / instance.path))

    def _stored(self, instance: Instance) -> Stored:
        return Stored(
            path=self._archive / instance.path,
            sop_uid=instance.sop_uid,
            sop_class=instance.sop_class,
            study_uid=instance.study_uid,
            series_uid=instance.series_uid,
            syntax=instance.syntax,
            size=instance.size,
            digest=instance.digest,
        )

    def _fail(self, err: Exception) -> None:
        # Messages of our own errors are safe; any other text may quote a row.
        self.problem = str(err) if isinstance(err, StateError) else type(err).__name__
        _log.error("sink %s: %s: its rows stay in the ledger", self.name, self.problem)
