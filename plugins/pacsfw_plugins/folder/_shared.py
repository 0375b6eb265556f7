"""One index of a folder for the query provider and the transfer: a scan may take minutes."""

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
    users: int = 0
    index: Index | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


_held: dict[tuple[str, str], _Held] = {}
"""By path and run ID."""
_lock = threading.Lock()


class Indexed(Closing):
    """Base of the components that use the index of a folder while they are open.

    Parameters
    ----------
    path
        The folder.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._key = (path, "")

    def open(self, context: RunContext) -> None:
        """Check that the folder can be listed.

        Raises
        ------
        ConfigError
            It does not exist, or cannot be listed.
        """
        if not Path(self._path).is_dir():
            raise ConfigError(f"folder: with.path: {self._path} is not a folder, or does not exist")
        if not os.access(self._path, os.R_OK | os.X_OK):
            raise ConfigError(f"folder: with.path: {self._path} cannot be listed by you")
        self._key = (self._path, context.run_id)
        with _lock:
            _held.setdefault(self._key, _Held()).users += 1

    def close(self) -> None:
        """Drop the index, unless another component of the run still uses it."""
        with _lock:
            held = _held.get(self._key)
            if held is not None:
                held.users -= 1
                if held.users <= 0:
                    del _held[self._key]

    def index(self) -> Index:
        """Return the index; the first call waits until all files are scanned."""
        with _lock:
            held = _held.setdefault(self._key, _Held(users=1))
        with held.lock:
            if held.index is None:
                held.index = scan(self._path)
            return held.index
