"""A time limit for calls into plugins, in the main thread of a worker process."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import ParamSpec, TypeVar

from pacsfw.errors import ComponentError, OwnSignal, TookTooLong

P = ParamSpec("P")
R = TypeVar("R")

PATIENCE = 3
"""Number of timeouts of one function after which it is no longer called."""


class _Alarm(OwnSignal):
    """Time is up."""


def limited(
    function: Callable[P, R], seconds: float, *, patience: int | None = PATIENCE
) -> Callable[P, R]:
    """Return the function with a time limit; outside the main thread, without one.

    Code that never returns to Python cannot be stopped this way: the worker pool then kills
    the process.

    Raises
    ------
    TookTooLong
        By the returned function, after ``seconds``, and immediately after ``patience`` timeouts.
    ComponentError
        By the returned function, if the function raises SystemExit, which would end the worker.
    """
    if threading.current_thread() is not threading.main_thread():
        return function
    signal.signal(signal.SIGALRM, _ring)
    strikes = 0

    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        nonlocal strikes
        if patience is not None and strikes >= patience:
            raise TookTooLong(f"took longer than {seconds:g} s before, and is now skipped")
        try:
            signal.setitimer(signal.ITIMER_REAL, seconds)
            try:
                return function(*args, **kwargs)
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
        except _Alarm:
            strikes += 1
            raise TookTooLong(f"took longer than {seconds:g} s") from None
        except SystemExit:
            raise ComponentError("tried to exit the program (SystemExit)") from None

    return call


def _ring(_number: int, _frame: FrameType | None) -> None:
    raise _Alarm
