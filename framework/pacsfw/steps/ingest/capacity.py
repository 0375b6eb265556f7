"""Whether there is room for more: free space on the disks, and what still has to be stored."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

_AGAIN = 1.25
"""So many times the reserve have to be free before more is requested again."""


class Capacity:
    """Shared by the intake, which fills it, and the transfer threads, which wait for it.

    Parameters
    ----------
    folders
        Where objects are written; the fullest disk counts.
    reserve
        Bytes that have to be free on each of them.
    backlog
        Bytes that may have arrived and not be stored yet.
    free
        Returns the free bytes of the disk that a folder is on.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        reserve: int,
        backlog: int,
        free: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
    ) -> None:
        self._folders, self._reserve, self._backlog, self._free = folders, reserve, backlog, free
        self._changed = threading.Condition()
        self._bytes = 0
        self._full = self._behind = False

    def enter(self, size: int) -> None:
        """Count an object that has arrived; blocks while too much waits to be stored."""
        with self._changed:
            self._changed.wait_for(lambda: self._bytes <= self._backlog)
            self._bytes += size

    def leave(self, size: int) -> None:
        """Count an object that is stored, or given up."""
        with self._changed:
            self._bytes -= size
            self._changed.notify_all()

    def lacking(self) -> str:
        """Say why nothing more should be requested; empty when there is room.

        Once something lacks it has to be clearly enough again before it no longer does.

        Raises
        ------
        OSError
            A folder is gone.
        """
        folder = min(self._folders, key=self._free)
        free = self._free(folder)
        with self._changed:
            self._full = free < self._reserve * (_AGAIN if self._full else 1)
            self._behind = self._bytes > (self._backlog // 2 if self._behind else self._backlog)
            if self._full:
                return (
                    f"less than {self._reserve / 2**20:,.0f} MiB (storage.reserve) are free on the "
                    f"disk of {folder}"
                )
            if self._behind:
                return f"{self._bytes / 2**20:,.0f} MiB wait to be stored (storage.backlog)"
        return ""
