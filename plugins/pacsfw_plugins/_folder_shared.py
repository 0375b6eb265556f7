"""One index of a folder for all that work with it in one run: reading it may take minutes."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from pathlib import Path

from pacsfw.errors import ConfigError
from pacsfw_plugins._folder_index import Index
from pacsfw_plugins._folder_scan import scan


@dataclass(slots=True)
class _Held:
    holders: int = 0
    index: Index | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


_held: dict[tuple[str, str], _Held] = {}
_lock = threading.Lock()


def see_that_it_is_there(path: str) -> None:
    """Check that a folder can be listed.

    Raises
    ------
    ConfigError
        It cannot.
    """
    if not Path(path).is_dir():
        raise ConfigError(f"folder: with.path: {path} is not a folder, or it is away")
    if not os.access(path, os.R_OK | os.X_OK):
        raise ConfigError(f"folder: with.path: {path} cannot be listed by you")


def hold(path: str, run_id: str) -> None:
    """Say that the index is going to be needed, until `let_go`."""
    with _lock:
        _held.setdefault((path, run_id), _Held()).holders += 1


def let_go(path: str, run_id: str) -> None:
    """Say that it is not needed any more; what nobody needs is forgotten."""
    with _lock:
        held = _held.get((path, run_id))
        if held is not None:
            held.holders -= 1
            if held.holders <= 0:
                del _held[path, run_id]


def indexed(path: str, run_id: str) -> Index:
    """Return the index of a folder that is held; the first one waits until it is made."""
    with _lock:
        held = _held.setdefault((path, run_id), _Held(holders=1))
    with held.lock:
        if held.index is None:
            held.index = scan(path)
        return held.index
