"""Watch the components of a run: name those that hang, and record what failed."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from pacsfw.ledger import Ledger
from pacsfw.plugins.boundary import DEBUG_FILE, DEBUG_VARIABLE, Call, FaultLog
from pacsfw.plugins.component_log import begin_log, end_log
from pacsfw.steps.run import Run

HANGS = 60.0
"""Seconds after which a call is named, once."""
HANGS_AT_END = 10.0
"""The same, once the user has asked the run to stop."""
HANGS_FETCHING = 600.0
"""The same for a retrieve, which may take long."""
LOOK = 2.0
"""Seconds between two looks."""

_ELSEWHERE = frozenset({"callback", "row-callback", "layout", "observer"})
"""Kinds whose faults are recorded with the instances that they cost, or with the event."""

_log = logging.getLogger("pacsfw.components")


class ComponentWatch:
    """Watches the calls of one process.

    Parameters
    ----------
    faults
        What the registry counts.
    is_ending
        Returns whether the user has asked the run to stop.
    """

    def __init__(self, faults: FaultLog, is_ending: Callable[[], bool]) -> None:
        self._faults, self._is_ending = faults, is_ending
        self._named: set[Call] = set()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, name="component watch", daemon=True)

    def begin(self, state: Path) -> None:
        """Begin the log of the components, the file of tracebacks if it is wanted, and watching."""
        begin_log(state)
        if os.environ.get(DEBUG_VARIABLE) == "1":
            os.environ[DEBUG_VARIABLE] = str(state / DEBUG_FILE)  # worker processes inherit it
        self._thread.start()

    def end(self) -> None:
        """End watching."""
        self._done.set()
        self._thread.join()
        end_log()

    def record(self, ledger: Ledger, run: Run, others: Iterable[tuple[str, str, str, int]]) -> None:
        """Record the faults so far; ``others`` are (kind, component, reason, count)."""
        found: dict[tuple[str, str, str], int] = {}
        studies: dict[tuple[str, str, str], list[str]] = {}
        for fault, number in self._faults.counts().items():
            if fault.kind in _ELSEWHERE:
                continue
            key = (fault.kind, fault.component, f"{fault.method}: {fault.reason}")
            found[key] = found.get(key, 0) + number
            studies.setdefault(key, []).extend([fault.item] if fault.item else [])
        named = [
            (kind, component, reason + _about(studies[kind, component, reason]), number)
            for (kind, component, reason), number in found.items()
        ]
        named += [each for each in others if each[:3] not in found]
        kinds = {"observer", *(each.kind for each in run.context.components)}
        ledger.faults.replace(run.context.run_id, kinds, named, run.clock.now())

    def name_hanging(self, now: float) -> None:
        """Log each call that lasts too long, once."""
        for call in self._faults.calls():
            limit = HANGS_FETCHING if call.method == "fetch" else HANGS
            if self._is_ending():
                limit = HANGS_AT_END
            if now - call.since >= limit and call not in self._named:
                self._named.add(call)
                about = f" (study {call.item})" if call.item else ""
                _log.warning(
                    "%s %s: %s has not returned for %.0f s%s: it is waited for",
                    *(call.kind, call.component, call.method, now - call.since, about),
                )

    def _look(self) -> None:
        while not self._done.wait(LOOK):
            self.name_hanging(time.monotonic())


def _about(studies: Sequence[str]) -> str:
    if not studies:
        return ""
    return f" (study {studies[0]})" if len(studies) == 1 else f" (such as study {studies[0]})"
