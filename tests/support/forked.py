"""A pytest plugin: processes of a run fork from one that has imported what they need.

A run starts four processes, and what each imports takes most of the time of a test. Forked here,
they get the same as if spawned: pickled arguments, and nothing else of the test. What a test
starts as a command spawns them, and so do tests that ask for `spawned`.
"""

from __future__ import annotations

import multiprocessing
from typing import Any

import pytest

PRELOADED = (
    "pacsfw.collection.collection",
    "pacsfw.steps.receive.worker",
    "pacsfw.testing._server",
)


class _Processes:
    """The context in use."""

    def __init__(self, used: Any) -> None:
        self.used = used

    def __getattr__(self, name: str) -> Any:
        return getattr(self.used, name)


_get_context = multiprocessing.get_context
_forked = _get_context("forkserver")
_forked.set_forkserver_preload(list(PRELOADED))
_processes = _Processes(_forked)


def _context(method: str | None = None) -> Any:
    return _processes if method == "spawn" else _get_context(method)


multiprocessing.get_context = _context


@pytest.fixture
def spawned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes are spawned, as outside of tests: they have our environment and output."""
    monkeypatch.setattr(_processes, "used", _get_context("spawn"))
