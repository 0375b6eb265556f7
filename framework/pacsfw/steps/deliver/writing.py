"""Writing batches to tables one after the other, in a thread, while the next one is made."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Self

from pacsfw.api import Batch, Clock, Sink, Table
from pacsfw.errors import PacsfwError, Retry, StateError
from pacsfw.retries import retrying

ATTEMPTS = 11
"""To reach a sink that is away for the moment."""


@dataclass(frozen=True, slots=True)
class Written:
    """One table, the sink that writes it, and what it is called in messages."""

    name: str
    sink: Sink
    table: Table


@dataclass(frozen=True, slots=True)
class Delivery:
    """Batches that belong together, and what is to be remembered once they are durable."""

    batches: Sequence[tuple[Written, Batch]]
    state: Any


class Writer:
    """Delivers in the order of `put`; a context manager that ends when all is delivered.

    Parameters
    ----------
    commit
        Called with the state of each delivery once the sinks have it durably.
    stop
        Set when the run is interrupted: then a sink that is away is not waited for.
    """

    def __init__(self, commit: Callable[[Any], None], clock: Clock, stop: threading.Event) -> None:
        self._commit, self._clock, self._stop = commit, clock, stop
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
        """Deliver what waits, and raise what went wrong with it."""
        self._queue.put(None)
        self._thread.join()
        if exc is None:
            self._raise_any()

    def put(self, delivery: Delivery) -> None:
        """Queue a delivery; blocks while another one waits.

        Raises
        ------
        PacsfwError
            An earlier delivery failed; nothing after it is written.
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
                for written, batch in delivery.batches:
                    deliver = partial(written.sink.deliver, batch)
                    with_retries(written, deliver, self._clock, self._stop)
                self._commit(delivery.state)
            except Exception as err:  # noqa: BLE001 - a thread: raised where the rows come from
                self._problem = err


def with_retries(
    written: Written, call: Callable[[], None], clock: Clock, stop: threading.Event
) -> None:
    """Call into a sink; where it is away for the moment, again later.

    Raises
    ------
    StateError
        It stays away, or it failed.
    """
    try:
        retrying(clock, stop, ATTEMPTS)(call)
    except Retry as err:
        raise StateError(f"table {written.name}: cannot be reached: {err}") from err
    except PacsfwError:
        raise
    except Exception as err:  # noqa: BLE001 - plugin boundary; its text may quote a row
        raise StateError(f"table {written.name}: {type(err).__name__}") from None
