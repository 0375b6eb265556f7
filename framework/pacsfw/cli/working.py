"""Shared by `run`, `find` and `move`: progress display, signals, the closing table."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Protocol

import click
from rich.console import Console

from pacsfw.api import Clock, Observer
from pacsfw.cli.common import handling_signals, load
from pacsfw.collection.collection import Collection
from pacsfw.config import Loaded
from pacsfw.errors import INTERRUPTED, OwnSignal, PacsfwError, RemoteError
from pacsfw.plugins.boundary import DEBUG_VARIABLE
from pacsfw.plugins.discovery import BUNDLED
from pacsfw.report.summary import render

PROGRESS = "progress"
"""The observer that is used by default."""
RESUME = "run the same command again to resume"
NOTHING_MATCHES = "no study matches: check the dates, the modality and what the PACS lets you see"


def work(config: Path | None, command: str, steps: Callable[[Collection], None]) -> int:
    """Open the collection, run the steps, print the closing table; return the exit code.

    When a step fails, the closing table comes first and the error last.
    """
    log_to_stderr()
    loaded = load(config)
    console = Console()
    clock = Clock()
    for warning in loaded.config.warnings:
        click.echo(f"warning: {warning}", err=True)
    collection = Collection(loaded, command, observers=display(loaded), clock=clock)
    with signals(collection), naming_debug_file():
        return _carry_out(collection, command, steps, console)


def _carry_out(
    collection: Collection,
    command: str,
    steps: Callable[[Collection], None],
    console: Console,
) -> int:
    summary = None
    try:
        with collection:
            try:
                steps(collection)
            except PacsfwError:
                # A step that fails because of the interruption is not an error.
                if not collection.interrupted:
                    raise
            finally:
                summary = collection.status()
    except PacsfwError as err:
        if summary is not None:
            render(summary, console)
            if isinstance(err, RemoteError):
                raise RemoteError(f"{err}\n{RESUME}", comment=err.comment) from err
        raise
    if not (collection.interrupted or summary.found or command == "move"):
        summary = replace(summary, notes=[*summary.notes, NOTHING_MATCHES])
    render(summary, console)
    if collection.interrupted:
        click.echo(f"interrupted: {RESUME}", err=True)
        return INTERRUPTED
    return summary.exit_code


@contextmanager
def naming_debug_file() -> Iterator[None]:
    """Say at the end where the tracebacks of plugins are, if there are any."""
    try:
        yield
    finally:
        path = Path(os.environ.get(DEBUG_VARIABLE, "0"))
        if path.is_file():
            click.echo(f"tracebacks of plugins: {path}", err=True)


def display(loaded: Loaded, **options: str) -> Sequence[tuple[str, Observer]]:
    """Return the observer ``progress``, unless the configuration has it or no plugin offers it.

    Prefer the bundled one unless it is disabled.
    """
    registry = loaded.registry
    if any(use.name.rpartition("/")[2] == PROGRESS for use in loaded.config.observers):
        return ()
    offers = [offer for offer in registry.offers("observer") if offer.component.name == PROGRESS]
    for offer in sorted(offers, key=lambda offer: offer.distribution != BUNDLED)[:1]:
        built = registry.build("observer", offer.reference, options)
        return [(offer.described, built)]
    return ()


def serve(config: Path | None, quiet: float) -> int:
    """Receive instances until interrupted; return the exit code."""
    log_to_stderr()
    loaded = load(config)
    for warning in loaded.config.warnings:
        click.echo(f"warning: {warning}", err=True)
    collection = Collection(loaded, "server", observers=display(loaded))

    def listening(port: int) -> None:
        aetitle = loaded.config.need_listener().aetitle
        click.echo(f"{aetitle} listens on port {port}; stop it with Ctrl-C or SIGTERM")

    with signals(collection), collection:
        collection.serve(quiet, listening)
        summary = collection.status()
    render(replace(summary, found=sum(summary.verdicts.values())), Console())
    bad = {"short", "failed"} & {state for state, number in summary.verdicts.items() if number}
    return 1 if bad or summary.problems or summary.quarantined else 0


def log_to_stderr() -> None:
    """Log the warnings of every module in our own style: ``warning: ...``."""
    for level in (logging.WARNING, logging.ERROR, logging.CRITICAL):
        logging.addLevelName(level, logging.getLevelName(level).lower())
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")


class Interrupted(OwnSignal, KeyboardInterrupt):
    """The user ends a command that has nothing to finish."""


class Interruptible(Protocol):
    """Something that Ctrl-C stops gracefully: a collection, a parse."""

    @property
    def interrupted(self) -> bool:
        """Whether it was asked to stop."""

    @property
    def busy(self) -> bool:
        """Whether there is work to finish."""

    def interrupt(self) -> None:
        """Start nothing new, and finish the work in progress."""


@contextmanager
def signals(work: Interruptible) -> Iterator[None]:
    """First SIGINT or SIGTERM: finish what has arrived. Second: stop immediately.

    An immediate stop is safe: the next start recovers whatever it interrupts.
    """

    def handle(_number: int, _frame: FrameType | None) -> None:
        if work.interrupted:
            os._exit(INTERRUPTED)
        if not work.busy:
            raise Interrupted
        threading.Thread(target=work.interrupt, daemon=True).start()

    with handling_signals(handle):
        yield
