"""A time limit for calls into plugins, in the main thread of a worker process."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import ParamSpec, TypeVar

from pacsfw.errors import ComponentError, OwnSignal, TookTooLong
from pacsfw.workers.calling import CALLS

P = ParamSpec("P")
R = TypeVar("R")

PATIENCE = 3
"""Number of timeouts of one function after which it is no longer called."""


class _Alarm(OwnSignal):
    """Time is up."""


def limited(
    function: Callable[P, R], seconds: float, label: str = "", *, patience: int | None = PATIENCE
) -> Callable[P, R]:
    """Return the function with a time limit; outside the main thread, without one.

    Code that never returns to Python cannot be stopped this way: the worker pool then kills
    the process.

    Parameters
    ----------
    label
        The kind, name, distribution and version of the component, by which the driver names it
        if it ends the process.

    Raises
    ------
    TookTooLong
        By the returned function, after ``seconds``, and immediately after ``patience`` timeouts.
    ComponentError
        By the returned function, if the component has ended a process at this job, or has ended
        several.
    """
    if threading.current_thread() is not threading.main_thread():
        return function
    signal.signal(signal.SIGALRM, _ring)
    strikes, number = 0, CALLS.number_of(label) if label else 0

    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        nonlocal strikes
        if label in CALLS.avoid:
            raise ComponentError(CALLS.avoid[label])
        if patience is not None and strikes >= patience:
            raise TookTooLong(f"took longer than {seconds:g} s before, and is now skipped")
        try:
            signal.setitimer(signal.ITIMER_REAL, seconds)
            CALLS.begin(number)
            try:
                return function(*args, **kwargs)
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
                CALLS.end()
        except _Alarm:
            strikes += 1
            raise TookTooLong(f"took longer than {seconds:g} s") from None

    return call


def _ring(_number: int, _frame: FrameType | None) -> None:
    raise _Alarm
