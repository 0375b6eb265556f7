"""A context as a run gives it to its components."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from pacsfw.api import Clock, RunContext


class NoPause(Clock):
    """Never waits, and remembers how long it should have."""

    def __init__(self):
        self.pauses: list[float] = []

    def wait(self, event, seconds):
        self.pauses.append(seconds)
        return event.is_set()


def run_context(folder: Path = Path(), **changes: Any) -> RunContext:
    usual = {
        "run_id": "run-1",
        "workdir": folder,
        "net": None,
        "sections": {},
        "clock": NoPause(),
        "log": logging.getLogger("pacsfw.test"),
    }
    return RunContext(**{**usual, **changes})
