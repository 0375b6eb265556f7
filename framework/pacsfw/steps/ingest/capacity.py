"""Whether more may be requested: free disk space, and the backlog of instances to store."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

_AGAIN = 1.25
"""Requests resume once this multiple of the reserve is free."""


class Capacity:
    """Shared by the intake, which fills it, and the transfer threads, which wait for it.

    Parameters
    ----------
    folders
        Folders to which instances are written; the fullest disk counts.
    reserve
        Bytes that must stay free on each of these disks.
    backlog
        Maximum number of bytes that have arrived and are not stored yet.
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
        """Count an instance that has arrived; blocks while the backlog is too large."""
        with self._changed:
            self._changed.wait_for(lambda: self._bytes <= self._backlog)
            self._bytes += size

    def leave(self, size: int) -> None:
        """Remove an instance from the count once it is stored or given up."""
        with self._changed:
            self._bytes -= size
            self._changed.notify_all()

    def lacking(self) -> str:
        """Return why nothing more should be requested; empty if requests may continue.

        After a shortage, the free space or backlog must recover clearly before this changes
        back.

        Raises
        ------
        OSError
            A folder does not exist any more.
        """
        folder = min(self._folders, key=self._free)
        free = self._free(folder)
        with self._changed:
            self._full = free < self._reserve * (_AGAIN if self._full else 1)
            self._behind = self._bytes > (self._backlog // 2 if self._behind else self._backlog)
            if self._full:
                return (
                    f"less than {self._reserve / 2**20:,.0f} MiB (storage.reserve) free on the "
                    f"disk of {folder}"
                )
            if self._behind:
                return f"{self._bytes / 2**20:,.0f} MiB wait to be stored (storage.backlog)"
        return ""
