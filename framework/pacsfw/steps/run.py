"""What every step of a run works with."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from pacsfw.api import Clock, Event, RunContext
from pacsfw.config import Config, Storage
from pacsfw.ledger import Ledger
from pacsfw.plugins.registry import Registry
from pacsfw.steps.ports import Notifier


@dataclass(frozen=True, slots=True, kw_only=True)
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
class Run:
    """One run: its configuration, its ledger, its clock, and who is told of it.

    Attributes
    ----------
    stop
        Set when the run is to end: nothing new is begun.
    """

    config: Config
    registry: Registry
    ledger: Ledger
    context: RunContext
    observers: Notifier
    stop: threading.Event = field(default_factory=threading.Event)
    timing: Timing = field(default_factory=Timing)

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
        """Tell the observers; never blocks."""
        self.observers.notify(event)
