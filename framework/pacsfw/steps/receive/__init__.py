"""The Storage SCP: processes that share one listening socket and write to the spool."""

from pacsfw.steps.receive.receiver import Receiver

__all__ = ["Receiver"]
