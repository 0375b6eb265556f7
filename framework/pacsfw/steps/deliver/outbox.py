"""Deliver each table in its own thread. The ledger says what a sink lacks, so no row is lost."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress

from pacsfw.api import Batch, RunContext, Sink
from pacsfw.errors import ComponentError, PacsfwError, Refused, Retry
from pacsfw.ledger import Ledger
from pacsfw.ledger.deliveries import Begun, RefusedRow
from pacsfw.retries import retrying
from pacsfw.steps.deliver.content import Content
from pacsfw.steps.deliver.refusals import ITEM_ERRORS, Courier
from pacsfw.steps.deliver.sources import RowSource

LAST_ATTEMPTS = 5
"""Attempts to reach a sink after the run has ended; after that, its rows wait for the next run."""

DOUBTS = 10
"""Studies in a row of which a sink takes nothing, until this is taken for a fault of the sink."""

_AGAIN = -1
"""The version of a study that is tried again, because the sink failed at it."""
_REWRITE = "rewrite"
"""Entry in the queue that requests a rewrite; the other entries are keys of studies (UIDs)."""

_log = logging.getLogger("pacsfw.deliver")


class Outbox:
    """Delivers one table to one sink, in its own thread.

    While the sink cannot be reached (it raises `Retry`), all rows stay due in the ledger, and
    the thread retries.

    Parameters
    ----------
    name
        The target of the table, for messages and the ledger.
    source
        The rows to deliver.
    component
        The sink with its distribution and version, for messages and the ledger.
    basis
        What all of its rows rest on; None: that of the source.
    follows
        Whether the table belongs to a main table. If the target exists, but this collection
        has not begun it, it is a leftover of another collection and is replaced.
    targets
        The names of all tables of this run. Any other name in the ledger may be the former one
        of this table.

    Attributes
    ----------
    listeners
        The outboxes of the tables that list the rows which this sink refuses.
    """

    def __init__(
        self,
        name: str,
        sink: Sink,
        source: RowSource,
        ledger: Ledger,
        *,
        component: str = "",
        basis: str | None = None,
        follows: bool = False,
        targets: AbstractSet[str] = frozenset(),
    ) -> None:
        self.name = name
        self._targets = targets
        self.component = component or name
        basis = source.basis if basis is None else basis
        self._content = Content(name, sink, source.table, ledger, basis)
        self.follows = follows
        self.listeners: Sequence[Outbox] = ()
        self.problem = ""
        self._sink, self._source, self._ledger = sink, source, ledger
        self._courier = Courier(sink)
        self._doubts: dict[str, int] = {}
        """Studies of which the sink took nothing, and how many batches it took before."""
        self._failed: dict[str, int] = {}
        """Studies at some row of which the sink failed in this run, and their versions."""
        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=f"sink {name}", daemon=True)
        self._ending = threading.Event()
        self._context: RunContext
        self._opened = self._prepared = False
        self._rewrite = False
        self._reparse = self._on_hold = self._unreachable = False

    def open(self, context: RunContext, *, reparse: bool) -> None:
        """Open the sink, go back to the committed position and start delivering.

        Parameters
        ----------
        reparse
            The rows in the ledger will be replaced: deliver all of them, but only after
            `refresh` is called.

        Raises
        ------
        StateError
            Another program changed the sink's target, or the target cannot be used.
        """
        self._context, self._reparse, self._on_hold = context, reparse, reparse
        try:
            self._prepare()
        except Retry as err:
            _log.warning("table %s: %s: retrying", self.name, err)
        except ComponentError as err:  # the run continues without this table
            self._fail(err)
        except PacsfwError:
            self._sink.close()
            raise
        self._thread.start()
        if not reparse:
            self._queue_due()

    def refresh(self) -> None:
        """Deliver the rows that are due, after all rows were parsed again."""
        self._on_hold = False
        self._queue_due()

    def settled(self, study_uid: str) -> None:
        """Deliver this study soon."""
        self._queue.put(study_uid)

    def rewrite_now(self) -> None:
        """Rewrite the table if necessary, without waiting for the end of the run."""
        if not self._on_hold:
            self._queue_due()
        self._queue.put(_REWRITE)

    def finish(self) -> None:
        """Deliver the rows that are due, and rewrite a changed table; no more rows follow."""
        if self._ending.is_set():
            return
        if not self._on_hold:
            self._queue_due()
        self._queue.put(None)
        self._ending.set()

    def close(self) -> None:
        """Wait until all rows are delivered, and close the sink."""
        self.finish()
        self._thread.join()
        try:
            self._sink.close()
        except PacsfwError as err:
            self._fail(err)

    def _prepare(self) -> None:
        """Restore the target to its committed position, or plan to rewrite it."""
        if self._prepared:
            return
        sink, table, deliveries = self._sink, self._source.table, self._ledger.deliveries
        if not self._opened:
            sink.open(self._context)
            self._opened = True
        there = sink.has(table.name)
        begun = deliveries.begun(self.name)
        if begun is None and there:
            begun = self._content.moved_here(self._targets)
        if begun is not None:
            self._resume(begun, there=there)
        elif there and self.follows:
            sink.restore(table, 0)
            deliveries.mark_dirty(self.name)
            self._rewrite = sink.rewrites
        else:
            sink.begin(table)
            deliveries.record(self.name, self._content.committed())
        self._prepared = True

    def _resume(self, begun: Begun, *, there: bool) -> None:
        """Resume a target that this collection has begun."""
        sink, table, deliveries = self._sink, self._source.table, self._ledger.deliveries
        trusted = there and not begun.dirty
        if trusted:
            self._content.check(begun)
        # An older ledger does not know the basis: what is rewritten is right.
        known = begun.basis is not None or sink.rewrites
        moved = known and begun.basis != self._content.basis
        if trusted and not (moved or self._reparse):
            sink.restore(table, begun.position)
            deliveries.record(self.name, self._content.committed())
        elif sink.rewrites:
            deliveries.mark_dirty(self.name)
            self._rewrite = True
        else:
            deliveries.forget(self.name)
            deliveries.record(self.name, self._content.committed())

    def _queue_due(self) -> None:
        for key in self._source.due(self.name):
            self._queue.put(key)

    def _work(self) -> None:
        while (key := self._queue.get()) is not None:
            if key == _REWRITE:
                self._rewrite_if_due()
            elif not self._on_hold:  # otherwise it stays due in the ledger
                self._attempt(self._deliver, key)
        for key in self._doubts:
            self._attempt(self._deliver, key)
        self._rewrite_if_due()

    def _rewrite_if_due(self) -> None:
        if self._rewrite and not self._on_hold:
            self._attempt(self._rewrite_table)

    def _attempt(self, work: Callable[..., None], *arguments: str) -> None:
        """Do something with the sink; retry while it cannot be reached."""
        if self.problem:
            return
        clock = self._context.clock
        try:
            if not self._ending.is_set():
                with suppress(Retry):  # the run has ended
                    retrying(clock, self._ending)(self._once, work, *arguments)
                    return
            retrying(clock, threading.Event(), LAST_ATTEMPTS)(self._once, work, *arguments)
        except Retry as err:
            self.problem = f"{err}; the next run delivers its rows"
        except PacsfwError as err:
            self._fail(err)
        except Exception as err:  # noqa: BLE001 - thread boundary: the run reports it
            self._fail(PacsfwError(f"{type(err).__name__} in pacsfw"))

    def _once(self, work: Callable[..., None], *arguments: str) -> None:
        try:
            self._prepare()
            work(*arguments)
        except Retry as err:
            if not self._unreachable:
                _log.warning("table %s: %s: retrying", self.name, err)
            self._unreachable = True
            raise
        if self._unreachable:
            _log.warning("table %s: can be reached again", self.name)
        self._unreachable = False

    def _deliver(self, key: str) -> None:
        version = self._source.version(key)
        if version is None or self._rewrite:
            return
        had = self._ledger.deliveries.version(self.name, key)
        if version in (had, self._failed.get(key)):
            return
        if had is not None and self._sink.appends:
            self._ledger.deliveries.mark_dirty(self.name)
            self._rewrite = True
            return
        # Whatever it has accepted in this run, before or since, shows that the sink works.
        sure = key in self._doubts and self._courier.accepted > 0
        try:
            refused = self._courier.deliver(self._source.batch(key), sure=sure)
        except ITEM_ERRORS as err:
            if isinstance(err, Refused) or not self._may_wait(key):
                raise
            return
        position = self._sink.position()
        mark = self._sink.mark(self._source.table, position)
        delivered = self._delivered(key, version)
        changed = self._ledger.deliveries.commit(
            self.name, key, delivered, position, self.component, mark, refused
        )
        if changed:
            self._tell({key: refused})

    def _delivered(self, key: str, version: int) -> int:
        """Return the version to record: in the next run, what the sink failed at is due again."""
        if key not in self._courier.failed:
            return version
        self._failed[key] = version
        return _AGAIN

    def _may_wait(self, key: str) -> bool:
        """Note a study that the sink may refuse, or that shows a fault of the sink.

        It is delivered again at the end.
        """
        if key in self._doubts:
            return False
        self._doubts[key] = self._courier.accepted
        latest = [each for each in self._doubts.values() if each == self._courier.accepted]
        return len(latest) < DOUBTS

    def _tell(self, refused: Mapping[str, Sequence[RefusedRow]]) -> None:
        """Have refused rows listed in the tables of errors."""
        for key, rows in refused.items():
            for row in rows:
                _log.warning("table %s: cannot store a row: %s", self.name, row.reason)
            for outbox in self.listeners:
                outbox.settled(key)

    def _rewrite_table(self) -> None:
        versions: list[tuple[str, int]] = []
        refused: Mapping[str, Sequence[RefusedRow]] = {}
        try:
            self._sink.rewrite(self._source.table, self._batches(versions))
        except ITEM_ERRORS as err:
            _log.warning("table %s: is written study by study: %s", self.name, type(err).__name__)
            versions.clear()
            self._sink.rewrite(self._source.table, ())
            refused = self._courier.deliver_each(self._batches(versions))
        versions = [(key, self._delivered(key, version)) for key, version in versions]
        changed = self._ledger.deliveries.rewritten(
            self.name, versions, self._content.committed(), self.component, refused
        )
        self._rewrite = False
        if changed:
            self._tell(refused)

    def _batches(self, versions: list[tuple[str, int]]) -> Iterator[Batch]:
        for key in self._source.all_keys():
            version = self._source.version(key)
            assert version is not None  # noqa: S101 - keys are never removed
            versions.append((key, version))
            yield self._source.batch(key)

    def _fail(self, err: PacsfwError) -> None:
        self.problem = err.why if isinstance(err, ComponentError) else str(err)
        what = f"table {self.name}: sink {self.component}: {self.problem}"
        _log.error("%s: its rows stay in the ledger", what)
