"""Supervised processes that do the work which hostile bytes could hurt."""

from pacsfw.workers.ordered import OrderedPool
from pacsfw.workers.pool import Done, WorkerPool
from pacsfw.workers.worker_process import Crashed, Spec

__all__ = ["Crashed", "Done", "OrderedPool", "Spec", "WorkerPool"]
