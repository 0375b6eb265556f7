"""Retry calls that raise `Retry`: of sinks and converters that may succeed later."""

from __future__ import annotations

import sys
import threading

import tenacity

from pacsfw.api import Clock
from pacsfw.errors import Retry

PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
"""Seconds between attempts; the last value repeats."""


def retrying(clock: Clock, stop: threading.Event, attempts: int = sys.maxsize) -> tenacity.Retrying:
    """Return the retry policy; when it gives up, it raises the last `Retry`.

    Parameters
    ----------
    stop
        Once it is set, there are no further pauses or attempts.
    attempts
        Maximum number of attempts.
    """

    def has_ended(state: tenacity.RetryCallState) -> bool:
        # It waits here, because tenacity always makes one more attempt after its own ``sleep``.
        return state.attempt_number >= attempts or clock.wait(stop, state.upcoming_sleep)

    return tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(Retry),
        wait=tenacity.wait_chain(*map(tenacity.wait_fixed, PAUSES)),
        stop=has_ended,
        sleep=lambda _: None,
        reraise=True,
    )
