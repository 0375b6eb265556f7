"""Which component a worker process is calling, in memory that outlives the process.

If the process dies or has to be killed, its driver reads there whose code was running. The job is
then done again in a new process, without that component.
"""

from __future__ import annotations

import signal
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from ctypes import c_uint
from typing import Any

OFF_AFTER = 3
"""Processes that a callback may end, until it is off for the rest of the run."""


class Calls:
    """The calls of this process into components; one object per process.

    Attributes
    ----------
    labels
        What may be called, such as ``callback 'x' (from y 1.0)``.
    avoid
        The labels that must not be called for the present job, with the reason.
    """

    def __init__(self) -> None:
        self.labels: list[str] = []
        self.avoid: Mapping[str, str] = {}
        self._cell: Any = c_uint(0)

    def share(self, cell: Any) -> None:
        """Note calls in this memory, which the driver reads."""
        self._cell = cell

    def number_of(self, label: str) -> int:
        """Return the number of a label, from 1."""
        if label not in self.labels:
            self.labels.append(label)
        return self.labels.index(label) + 1

    def begin(self, number: int) -> None:
        """Note that the component with this number is called."""
        self._cell.value = number

    def end(self) -> None:
        """Note that no component is called."""
        self._cell.value = 0


CALLS = Calls()
"""The calls of this process."""


class Blame:
    """The components that have ended worker processes; used by the threads of a pool."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._crashes: Counter[str] = Counter()

    def add(self, label: str) -> None:
        """Note that a component has ended a process."""
        with self._lock:
            self._crashes[label] += 1

    @property
    def crashes(self) -> Mapping[str, int]:
        """How many processes each component has ended."""
        with self._lock:
            return dict(self._crashes)

    @property
    def problems(self) -> Sequence[str]:
        """A message about each component that has ended processes."""
        off = self.off
        return [
            f"{label}: worker processes that it has ended: {number}"
            + ("; it was not called any more" if label in off else "")
            for label, number in self.crashes.items()
        ]

    @property
    def off(self) -> Mapping[str, str]:
        """The callbacks that are not called any more, with the reason.

        Only callbacks, which cost a cell: a layout or converter is tried for each item.
        """
        reason = f"off for this run: it has ended {OFF_AFTER} worker processes"
        return {
            label: reason
            for label, number in self.crashes.items()
            if number >= OFF_AFTER and "callback " in label.partition("'")[0]
        }


def ending(code: int | None) -> str:
    """Return how a process ended, in words, by its exit code."""
    if code is None or code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def label_in(cell: Any, labels: Sequence[str]) -> str:
    """Return which component was being called, empty for none."""
    number = cell.value
    return labels[number - 1] if 0 < number <= len(labels) else ""
