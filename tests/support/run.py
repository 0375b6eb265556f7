"""A run as the steps get it, of a configuration with nothing in it but what a test needs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pacsfw.api import Clock, Event
from pacsfw.config import Config, Storage, Use
from pacsfw.ledger import Ledger
from pacsfw.plugins import PluginPlan
from pacsfw.plugins.registry import Registry
from pacsfw.steps.run import Run, Timing
from support.context import run_context


class Heard:
    """Keeps the events that observers are told of, or passes each to a function."""

    def __init__(self, events: list[Event] | Callable[[Event], object] | None = None) -> None:
        self._keep = events if callable(events) else ([] if events is None else events).append

    def notify(self, event: Event) -> None:
        self._keep(event)


class Taker:
    """Takes the records of a receiver, and passes each lot to a function."""

    def __init__(self, take: Callable[[Sequence[Any]], object] = lambda _: None) -> None:
        self._take = take

    def take(self, records: Sequence[Any]) -> None:
        self._take(records)


def storage_in(folder: Path) -> Storage:
    return Storage(
        resources=str(folder / "resources.csv"),
        resources_meta=str(folder / "resources_meta.csv"),
        directory=folder,
        state=folder / "state",
        sort_by=Use("PATIENT"),
    )


def make_run(
    ledger: Ledger | None,
    folder: Path = Path(),
    *,
    run_id: str = "run-1",
    clock: Clock | None = None,
    stop: threading.Event | None = None,
    events: list[Event] | Callable[[Event], object] | None = None,
    storage: Storage | None = None,
    timing: Timing | None = None,
) -> Run:
    config = Config(
        path=folder / "conf.yaml",
        base=folder,
        net=None,
        find=None,
        move=None,
        storage=storage or storage_in(folder),
        tags=(),
        converts=(),
        sinks=(),
        observers=(),
        plugins=PluginPlan(),
        sections={},
        warnings=(),
        raw={},
        secrets=frozenset(),
    )
    return Run(
        config=config,
        registry=Registry(()),
        ledger=ledger,  # type: ignore[arg-type] - where no step of a test looks into it
        context=run_context(folder, clock=clock or Clock(), run_id=run_id),
        observers=Heard(events),
        stop=stop or threading.Event(),
        timing=timing or Timing(),
    )
