"""Open layouts, tag callbacks and row callbacks that ask for it."""

from __future__ import annotations

import logging
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from pacsfw.api import Clock, RunContext
from pacsfw.errors import PacsfwError
from pacsfw.plugins.boundary import Boundary
from pacsfw.plugins.component_log import context_for


def outside_a_run() -> RunContext:
    """Return the context of components that work without a configuration."""
    return RunContext(
        run_id="",
        workdir=Path(tempfile.gettempdir()),
        net=None,
        sections={},
        clock=Clock(),
        log=logging.getLogger("pacsfw.plugins"),
    )


def open_callable(
    stack: ExitStack, kind: str, component: str, built: Any, context: RunContext
) -> None:
    """Call ``open(context)`` of a callable that has it; the stack calls its ``close``.

    Parameters
    ----------
    component
        Its name, distribution and version, for errors.

    Raises
    ------
    PacsfwError
        It cannot be opened.
    """
    if isinstance(built, type):  # the class itself is the callable: there is no object to open
        return
    boundary = Boundary(kind, component, (PacsfwError,))
    begin, end = (getattr(built, name, None) for name in ("open", "close"))
    if callable(begin):
        boundary.call("open", begin, context_for(context, kind, component))
    if callable(end):
        stack.callback(_close, boundary, end)


def _close(boundary: Boundary, close: Any) -> None:
    with suppress(PacsfwError):  # its rows are read: nothing depends on it
        boundary.call("close", close)
