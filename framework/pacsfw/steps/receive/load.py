"""The load of each receiver process, so that idle processes take new connections.

All processes wait on one socket, and chance decides which one wakes up first. Associations in
one process share one interpreter, while another process may have none.
"""

from __future__ import annotations

import ctypes
from typing import TypeAlias

Loads: TypeAlias = "ctypes.Array[ctypes.c_int]"
"""Number of connections of each process, in shared memory."""


class Load:
    """The load of process number ``place``, compared with the others."""

    def __init__(self, loads: Loads, place: int) -> None:
        self._loads, self._place = loads, place

    def is_now(self, connections: int) -> None:
        """Publish the number of connections."""
        self._loads[self._place] = connections

    def is_above_others(self) -> bool:
        """Return whether another process has fewer connections."""
        return bool(self._loads[self._place] > min(self._loads))
