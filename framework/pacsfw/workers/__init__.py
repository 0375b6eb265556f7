"""Supervised processes that do the work which hostile bytes could hurt."""

from pacsfw.workers.ordered import OrderedPool
from pacsfw.workers.pool import Crashed, WorkerPool

__all__ = ["Crashed", "OrderedPool", "WorkerPool"]
