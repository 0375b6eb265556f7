"""What a run works with."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pacsfw.api import Clock, Event, RunContext
from pacsfw.collection.outputs import Outputs
from pacsfw.config import Config, Storage, Tag
from pacsfw.errors import StateError
from pacsfw.ledger import Ledger
from pacsfw.plugins.registry import Registry
from pacsfw.steps.ingest.capacity import Room


@dataclass(frozen=True, slots=True)
class Timing:
    """Waiting times in seconds; tests shorten them."""

    quiet: float = 5.0
    """No news for so long after the final response: what is missing will not come."""
    grace: float = 30.0
    """How long running associations may go on at the end."""
    pause: float = 1.0
    """Before a study is asked for again; the next pauses are longer, up to a minute."""
    call: float = 30.0
    """How long a layout or a callback may take over one object."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResources:
    """What a move works with and does not own."""

    config: Config
    storage: Storage
    registry: Registry
    ledger: Ledger
    context: RunContext
    clock: Clock
    timing: Timing
    stop: threading.Event
    outgoing: Outputs
    wanted: tuple[Tag, ...]
    """What the sinks want to know of each object beside the tags."""
    notify: Callable[[Event], None]

    def make_spool(self) -> Path:
        """Return the folder for what arrives."""
        spool = self.storage.state / "spool"
        spool.mkdir(mode=0o700, exist_ok=True)
        return spool

    def room(self, spool: Path) -> Room:
        """Return what watches the disks and the backlog."""
        storage = self.storage
        return Room((spool, storage.directory), storage.reserve, storage.backlog)


def as_state_error(err: Exception) -> StateError:
    """Return what ends a run because the ledger or the archive cannot be written."""
    if isinstance(err, StateError):
        return err
    return StateError(f"ledger: {type(err).__name__}: {err}")
