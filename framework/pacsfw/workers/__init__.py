"""Supervised processes that do the work which hostile bytes could hurt."""

from pacsfw.workers.pool import Crashed, WorkerPool

__all__ = ["Crashed", "WorkerPool"]
