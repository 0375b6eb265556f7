"""The Storage SCP: processes that share one listening socket and write to the spool."""

from pacsfw.receiver.receiver import Receiver

__all__ = ["Receiver"]
