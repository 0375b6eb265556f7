"""Calling again what raises `Retry`: sinks and converters that may succeed later."""

from __future__ import annotations

import sys
import threading

import tenacity

from pacsfw.api import Clock
from pacsfw.errors import Retry

PAUSES = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
"""Seconds between attempts; the last one for all that follow."""


def retrying(clock: Clock, stop: threading.Event, attempts: int = sys.maxsize) -> tenacity.Retrying:
    """Return the policy; it raises the last `Retry` once it gives up.

    Parameters
    ----------
    stop
        Once it is set, there is neither another pause nor another attempt.
    attempts
        How many there are at most.
    """

    def over(state: tenacity.RetryCallState) -> bool:
        # Waits itself: after tenacity's ``sleep`` there is one more attempt in any case.
        return state.attempt_number >= attempts or clock.wait(stop, state.upcoming_sleep)

    return tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(Retry),
        wait=tenacity.wait_chain(*map(tenacity.wait_fixed, PAUSES)),
        stop=over,
        sleep=lambda _: None,
        reraise=True,
    )
