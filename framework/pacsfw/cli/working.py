"""What `run`, `find` and `move` share: progress on screen, signals, the closing table."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType

from rich.console import Console

from pacsfw.api import Clock
from pacsfw.cli import INTERRUPTED
from pacsfw.cli.common import load
from pacsfw.errors import PacsfwError
from pacsfw.report.progress import progress
from pacsfw.report.summary import exit_code, render
from pacsfw.run import Collection


def work(config: Path | None, command: str, steps: Callable[[Collection, Console], None]) -> int:
    """Open the collection, do the steps, print the closing table; return the exit code."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    loaded = load(config)
    console = Console()
    clock = Clock()
    for warning in loaded.config.warnings:
        Console(stderr=True).print(f"warning: {warning}", markup=False, highlight=False)
    collection = Collection(
        loaded, command, observers=[("progress", progress(console, clock))], clock=clock
    )
    with _private_files(), collection, _signals(collection):
        try:
            steps(collection, console)
        except PacsfwError:
            # What breaks off because it is being interrupted is no error of its own.
            if not collection.interrupted:
                raise
        summary = collection.summary()
    if command == "find":
        # What was moved before is not what this command was asked about.
        summary = replace(summary, verdicts={}, reasons=())
    render(summary, console)
    if collection.interrupted:
        print("interrupted: run the same command again to go on", file=sys.stderr)  # noqa: T201
        return INTERRUPTED
    return exit_code(summary)


@contextmanager
def _private_files() -> Iterator[None]:
    """Let nobody else read what is written: it is patient data."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def _signals(collection: Collection) -> Iterator[None]:
    """First SIGINT or SIGTERM: finish what has arrived. Second: stop at once.

    Stopping at once is safe: whatever a kill interrupts is found again at the next start.
    """

    def handle(_number: int, _frame: FrameType | None) -> None:
        if collection.interrupted:
            os._exit(INTERRUPTED)
        if not collection.moving:
            raise KeyboardInterrupt
        threading.Thread(target=collection.interrupt, daemon=True).start()

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
