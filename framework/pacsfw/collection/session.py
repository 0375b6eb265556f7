"""Open and close a collection: its configuration, ledger and observers, and its state."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from pacsfw.api import Clock, Observer, RunFinished, RunStarted
from pacsfw.collection.component_watch import ComponentWatch
from pacsfw.collection.components import components
from pacsfw.collection.dataset_folder import check_layout, follow_moves, make_directory
from pacsfw.collection.layout_change import follow_layout
from pacsfw.collection.outputs import observers_of
from pacsfw.collection.status import finished, summarize, summarize_rows
from pacsfw.config import Loaded, load
from pacsfw.durable import private_files
from pacsfw.errors import INTERRUPTED
from pacsfw.ledger import open_ledger
from pacsfw.ledger.results import StudyResult
from pacsfw.plugins import discover
from pacsfw.report.observers import Observers
from pacsfw.report.parsed import ParseSummary
from pacsfw.report.summary import Summary
from pacsfw.steps.run import Run, Timing

PROGRAM = "program"
"""The command of a collection that a program opens."""
_ALL = {"query", "transfer", "layout", "callback", "row-callback", "converter", "sink"}
NEEDED = {
    "run": _ALL,
    PROGRAM: _ALL,
    "move": _ALL - {"query"},
    "parse": _ALL - {"query", "transfer"},
    "server": _ALL - {"query", "transfer"},
}
"""Command -> kinds of components that it builds late, often in other processes.

They are built once at the start, so that a run does not fail midway because one cannot be built.
"""
PLACING = frozenset({"run", PROGRAM, "move", "server"})
"""Commands that store instances at the paths of the layout."""
WORKERS = 2
"""Processes that read files if there is no ``move`` section."""


class Session:
    """A collection while it is open. A context manager: holds the ledger's lock meanwhile.

    Attributes
    ----------
    interrupted
        Whether the user asked the run to stop.
    busy
        Whether instances are moved or parsed: then `interrupt` ends the run gently.

    Raises
    ------
    ConfigError
        A required section is missing, or a component refuses its options.
    StateError
        Another pacsfw uses the collection, a folder cannot be written, or the stored files
        have other paths than the layout of ``sort_by`` chooses.
    """

    def __init__(
        self,
        loaded: Loaded,
        command: str,
        *,
        observers: Sequence[tuple[str, Observer]] = (),
        clock: Clock | None = None,
        timing: Timing | None = None,
    ) -> None:
        self.config, self._registry = loaded.config, loaded.registry
        self._loaded, self._storage = loaded, self.config.need_storage()
        self._command = command
        self._clock, self._timing = clock or Clock(), timing or Timing()
        self._stop = threading.Event()
        self.interrupted = False
        self.busy = False
        self._problems: list[str] = []
        self._notes: list[str] = []
        self._watch = ComponentWatch(self._registry.faults, lambda: self.interrupted)
        configured = observers_of(self.config, self._registry)
        self._observers = Observers([*observers, *configured])

    @classmethod
    def open(
        cls, config: str | os.PathLike[str], *, observers: Sequence[tuple[str, Observer]] = ()
    ) -> Self:
        """Load a configuration, for a program; enter the collection to use it.

        Parameters
        ----------
        observers
            Further observers, each with a name for messages.

        Raises
        ------
        ConfigError
            The configuration is wrong; every problem is named.
        PluginError
            It needs a plugin that is missing or broken.
        """
        return cls(load(Path(config), discover), PROGRAM, observers=observers)

    def __enter__(self) -> Self:
        """Build the components, take the lock, check the layout, open the observers."""
        with ExitStack() as entered:
            entered.enter_context(private_files())
            self._open()
            self._entered = entered.pop_all()
        return self

    def _open(self) -> None:
        self._loaded.build(NEEDED.get(self._command, set()))
        make_directory(self._storage.directory)
        self._ledger = open_ledger(self._storage.state)
        try:
            check_layout(self.config, self._storage, self._ledger)
            follow_moves(self.config, self._storage, self._ledger)
            self._run = self._make_run()
            if self._command in PLACING:
                follow_layout(self._run, self._workers)
        except BaseException:
            self._ledger.close()
            raise
        self._watch.begin(self._storage.state)
        self._observers.open(self._run.context)
        self._observers.notify(RunStarted(at=self._clock.now(), command=self._command))

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Notify the observers of the end, and release the lock."""
        with self._entered:
            self._close(exc)

    def _close(self, exc: BaseException | None) -> None:
        try:
            self._observers.notify(self._finished(exc))
        finally:
            self._observers.close()
            self._watch.end()
            self._record_faults()
            self._ledger.close()

    def _record_faults(self) -> None:
        observers = (("observer", *each) for each in self._observers.faults())
        self._watch.record(self._ledger, self._run, [*self._run.failures, *observers])

    def status(self) -> Summary:
        """Return the state of the collection."""
        self._record_faults()
        found = summarize(self.config, self._storage, self._ledger, self._problems)
        problems = [*found.problems, *self._run.blame.problems]
        found = replace(found, problems=problems, notes=[*found.notes, *self._notes])
        if self._command == "find":
            # Studies that were moved before are not part of this command.
            return replace(
                found, verdicts={}, reasons=(), comments=(), converted={}, conversion_reasons=()
            )
        return found

    def studies(self) -> Iterator[StudyResult]:
        """Yield the studies on the study list, and all others with a verdict, by date."""
        return self._ledger.results.all()

    def parsed(self) -> ParseSummary:
        """Return the state of the rows of the stored instances."""
        problems = [*self._problems, *self._run.blame.problems]
        return summarize_rows(self.config, self._storage, self._ledger, problems)

    def _finished(self, exc: BaseException | None) -> RunFinished:
        """Return the last event for observers."""
        summary = self.status()
        if self.interrupted or isinstance(exc, KeyboardInterrupt):
            code = INTERRUPTED
        else:
            code = summary.exit_code if exc is None else getattr(exc, "exit_code", 1)
        return finished(summary, self._ledger.studies.verdicts(), self._clock.now(), code)

    def _make_run(self) -> Run:
        workdir = self._storage.state / "work"
        workdir.mkdir(mode=0o700, exist_ok=True)
        used = components(self.config, self._registry, NEEDED.get(self._command, set()))
        return Run(
            config=self.config,
            registry=self._registry,
            ledger=self._ledger,
            context=self.config.run_context(workdir, self._clock, used),
            observers=self._observers,
            stop=self._stop,
            timing=self._timing,
        )

    @property
    def _workers(self) -> int:
        """The number of processes that read files."""
        return self.config.move.workers if self.config.move else WORKERS
