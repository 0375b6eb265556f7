"""One index of a folder for all that work with it in one run: reading it may take minutes."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from pathlib import Path

from pacsfw.api import Closing, RunContext
from pacsfw.errors import ConfigError
from pacsfw_plugins.folder._index import Index
from pacsfw_plugins.folder._scan import scan


@dataclass(slots=True)
class _Held:
    holders: int = 0
    index: Index | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class Indexed(Closing):
    """Base of what works with the index of a folder while it is open.

    Parameters
    ----------
    path
        The folder.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._run_id = ""

    def open(self, context: RunContext) -> None:
        """See that the folder is there.

        Raises
        ------
        ConfigError
            It is not, or it cannot be listed.
        """
        _see_that_it_is_there(self._path)
        self._run_id = context.run_id
        _hold(self._path, self._run_id)

    def close(self) -> None:
        """Forget what the files hold, unless others of the run still need it."""
        _let_go(self._path, self._run_id)

    def index(self) -> Index:
        """Return what the files hold; the first one waits until all of them were looked at."""
        return _indexed(self._path, self._run_id)


_held: dict[tuple[str, str], _Held] = {}
_lock = threading.Lock()


def _see_that_it_is_there(path: str) -> None:
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


def _hold(path: str, run_id: str) -> None:
    """Say that the index is going to be needed, until `_let_go`."""
    with _lock:
        _held.setdefault((path, run_id), _Held()).holders += 1


def _let_go(path: str, run_id: str) -> None:
    """Say that it is not needed any more; what nobody needs is forgotten."""
    with _lock:
        held = _held.get((path, run_id))
        if held is not None:
            held.holders -= 1
            if held.holders <= 0:
                del _held[path, run_id]


def _indexed(path: str, run_id: str) -> Index:
    """Return the index of a folder that is held; the first one waits until it is made."""
    with _lock:
        held = _held.setdefault((path, run_id), _Held(holders=1))
    with held.lock:
        if held.index is None:
            held.index = scan(path)
        return held.index
