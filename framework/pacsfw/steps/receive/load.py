"""How busy each receiver process is, so that the idle ones take new connections.

All of them wait on one socket, and who wakes up first is left to chance. Associations of one
process take turns at the interpreter, while another may have none.
"""

from __future__ import annotations

import ctypes
from typing import TypeAlias

Loads: TypeAlias = "ctypes.Array[ctypes.c_int]"
"""How many connections each process has, in memory that all of them share."""


class Load:
    """What one process says of itself, and knows of the others.

    Parameters
    ----------
    loads
        Those of all processes.
    place
        Which one of them this is.
    """

    def __init__(self, loads: Loads, place: int) -> None:
        self._loads, self._place = loads, place

    def is_now(self, connections: int) -> None:
        """Tell the others how many there are."""
        self._loads[self._place] = connections

    def is_above_others(self) -> bool:
        """Tell whether another process has fewer."""
        return bool(self._loads[self._place] > min(self._loads))
