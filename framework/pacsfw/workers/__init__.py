"""Supervised processes that do the work which hostile bytes could hurt."""

from pacsfw.workers.lane import Crashed
from pacsfw.workers.ordered import OrderedPool
from pacsfw.workers.pool import Done, WorkerPool

__all__ = ["Crashed", "Done", "OrderedPool", "WorkerPool"]
