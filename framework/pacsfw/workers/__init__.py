"""Supervised worker processes, for work that hostile input can crash."""

from pacsfw.workers.calling import Blame
from pacsfw.workers.ordered import OrderedPool
from pacsfw.workers.pool import Done, WorkerPool
from pacsfw.workers.worker_process import Crashed, Spec

__all__ = ["Blame", "Crashed", "Done", "OrderedPool", "Spec", "WorkerPool"]
