"""Where ``context.log`` goes: a private file in the state folder, and the terminal."""

from __future__ import annotations

import logging
import os
import sys
from dataclasses import replace
from pathlib import Path

from pacsfw.api import RunContext
from pacsfw.words import printable

LOG_FILE = "plugins.log"
"""In ``storage.state``. Components may write names of patients into it, so it is private."""
LARGEST = 10 << 20
"""Bytes after which a run begins a new file; the former one is kept, with ``.1``."""

_PARENT = "pacsfw.component"
_FORMAT = "%(asctime)s %(levelname)s %(message)s"


class _Named(logging.Filter):
    """Puts the component in front of each message, and keeps it on one line."""

    def __init__(self, component: str) -> None:
        super().__init__()
        self._component = component

    def filter(self, record: logging.LogRecord) -> bool:
        text = printable(" ".join(record.getMessage().split()))
        record.msg, record.args = f"{self._component}: {text}", ()
        return True


def begin_log(state: Path) -> None:
    """Begin the file of a run in this process, and in those that it starts."""
    target = state / LOG_FILE
    if target.exists() and target.stat().st_size > LARGEST:
        target.replace(target.with_suffix(".log.1"))
    _open_file(target)


def end_log() -> None:
    """Close the file."""
    logger = logging.getLogger(_PARENT)
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    logger.propagate = True


def context_for(context: RunContext, kind: str, component: str) -> RunContext:
    """Return the context for one component, whose log names it.

    In a worker process, the file of the run is opened as well, and warnings go to stderr.
    """
    if not isinstance(context, RunContext):  # a test may pass none
        return context
    target = context.workdir.parent / LOG_FILE
    parent = logging.getLogger(_PARENT)
    if not parent.handlers and target.exists():
        parent.propagate = False  # nobody has set up the logging of this process
        _open_file(target)
        terminal = logging.StreamHandler(sys.stderr)
        terminal.setLevel(logging.WARNING)
        terminal.setFormatter(logging.Formatter("warning: %(message)s"))
        parent.addHandler(terminal)
    named = f"{kind} {component}"
    logger = logging.getLogger(f"{_PARENT}.{named.replace('.', '_')}")
    if not logger.filters:
        logger.addFilter(_Named(named))
    return replace(context, log=logger)


def _open_file(target: Path) -> None:
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
    os.fchmod(descriptor, 0o600)
    os.close(descriptor)
    handler = logging.FileHandler(target, encoding="utf-8")
    handler.setFormatter(logging.Formatter(_FORMAT))
    logger = logging.getLogger(_PARENT)
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
