"""The run: shared resources of all steps."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from pacsfw.api import Clock, Event, RunContext
from pacsfw.config import Config, Storage
from pacsfw.ledger import Ledger
from pacsfw.plugins.refused_keys import RefusedKeys
from pacsfw.plugins.registry import Registry
from pacsfw.steps.ports import Notifier
from pacsfw.workers import Blame


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Waiting times in seconds; tests shorten them."""

    quiet: float = 5.0
    """Silence after the final response, before missing instances are no longer expected."""
    grace: float = 30.0
    """Time for running associations to finish at the end."""
    pause: float = 1.0
    """Pause before a study is requested again; further pauses are longer, up to a minute."""
    call: float = 30.0
    """Timeout of a layout or a callback for one instance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run: its configuration, ledger, clock and observers.

    Attributes
    ----------
    stop
        Set when the run must end: nothing new is begun.
    refused
        The keys that a PACS refuses, by peer.
    blame
        The components that have ended worker processes.
    failures
        Other failures of components: (kind, component, reason, count).
    """

    config: Config
    registry: Registry
    ledger: Ledger
    context: RunContext
    observers: Notifier
    stop: threading.Event = field(default_factory=threading.Event)
    timing: Timing = field(default_factory=Timing)
    refused: dict[str, RefusedKeys] = field(default_factory=dict)
    blame: Blame = field(default_factory=Blame)
    failures: list[tuple[str, str, str, int]] = field(default_factory=list)

    @property
    def clock(self) -> Clock:
        """The clocks of the run."""
        return self.context.clock

    @property
    def storage(self) -> Storage:
        """The ``storage`` section.

        Raises
        ------
        ConfigError
            The configuration has none.
        """
        return self.config.need_storage()

    def notify(self, event: Event) -> None:
        """Send an event to the observers; never blocks."""
        self.observers.notify(event)
