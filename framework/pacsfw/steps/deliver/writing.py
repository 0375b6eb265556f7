"""Write batches to tables in a thread, while the next batch is being prepared."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeAlias, TypeVar

from pacsfw.api import ERRORS, Batch, Clock, Sink, Table
from pacsfw.errors import PacsfwError, Retry, StateError
from pacsfw.ledger.deliveries import RefusedRow
from pacsfw.retries import retrying
from pacsfw.steps.deliver.refusals import Courier, refusal_row

ATTEMPTS = 11
"""Attempts to reach a sink that is temporarily unreachable."""


@dataclass(frozen=True, slots=True)
class Written:
    """One table, the sink that writes it, and their names in messages."""

    name: str
    sink: Sink
    table: Table
    component: str = ""
    """The sink with its distribution and version."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """Batches that belong together, and the state to record once they are durable."""

    batches: Sequence[tuple[Written, Batch]]
    state: Any


Commit: TypeAlias = Callable[[Any, Sequence[tuple[Written, RefusedRow]]], None]
T = TypeVar("T")


class Writer:
    """Delivers in the order of `put`; a context manager that ends when everything is delivered.

    Parameters
    ----------
    commit
        Called with the state of each delivery, and the rows that each table refuses, once the
        sinks have written it durably.
    stop
        Set when the run is interrupted: then an unreachable sink is not retried.
    """

    def __init__(self, commit: Commit, clock: Clock, stop: threading.Event) -> None:
        self._commit, self._clock, self._stop = commit, clock, stop
        self._couriers: dict[str, Courier] = {}
        self._queue: queue.Queue[Delivery | None] = queue.Queue(1)
        self._thread = threading.Thread(target=self._work, name="tables", daemon=True)
        self._problem: Exception | None = None

    def __enter__(self) -> Self:
        """Start the thread."""
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Deliver the queued batches, and raise the error of a failed one."""
        self._queue.put(None)
        self._thread.join()
        if exc is None:
            self._raise_any()

    def put(self, delivery: Delivery) -> None:
        """Queue a delivery; block while another one is queued.

        Raises
        ------
        PacsfwError
            An earlier delivery failed; no later one is written.
        """
        self._raise_any()
        self._queue.put(delivery)

    def _raise_any(self) -> None:
        if self._problem is not None:
            raise self._problem

    def _work(self) -> None:
        while (delivery := self._queue.get()) is not None:
            if self._problem is not None:
                continue
            try:
                self._deliver(delivery)
            except Exception as err:  # noqa: BLE001 - a thread: the caller of `put` gets it
                self._problem = err

    def _deliver(self, delivery: Delivery) -> None:
        """Deliver the batches; what one table refuses is listed in the table of errors behind."""
        refused: list[tuple[Written, RefusedRow]] = []
        for written, batch in delivery.batches:
            if batch.table == ERRORS:
                listed = (refusal_row(by.name, row, by.component) for by, row in refused)
                batch = replace(batch, rows=[*batch.rows, *listed])
            courier = self._couriers.setdefault(written.name, Courier(written.sink))
            deliver = partial(courier.deliver, batch)
            rows = with_retries(written, deliver, self._clock, self._stop)
            refused += ((written, row) for row in rows)
        self._commit(delivery.state, refused)


def with_retries(written: Written, call: Callable[[], T], clock: Clock, stop: threading.Event) -> T:
    """Call a sink; retry while it is temporarily unreachable.

    Raises
    ------
    StateError
        It stays unreachable, or it failed.
    """
    try:
        return retrying(clock, stop, ATTEMPTS)(call)
    except Retry as err:
        raise StateError(f"table {written.name}: cannot be reached: {err}") from err
    except PacsfwError:
        raise
    except Exception as err:  # noqa: BLE001 - plugin boundary; its text may quote a row
        raise StateError(f"table {written.name}: {type(err).__name__}") from None
