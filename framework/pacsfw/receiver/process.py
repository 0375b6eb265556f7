"""A receiver process: accepts connections on the shared socket, one thread for each."""

from __future__ import annotations

import errno
import logging
import os
import pickle
import selectors
import signal
import socket
import threading
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from pacsfw.receiver.limits import Limits
from pacsfw.receiver.messages import Note, Ready, Stop

if TYPE_CHECKING:
    from pacsfw.dicom.spool import SpoolRecord
    from pacsfw.receiver.association import Association

_LAST_SECONDS = 1.0
"""How long interrupted associations may take to remove their unfinished files."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a receiver process needs to know; picklable."""

    aetitle: str
    spool: Path
    limits: Limits
    share: int
    """Associations that this process may hold at once."""


def main(listener: socket.socket, driver: Connection, plan: Plan) -> None:
    """Run a receiver process until the driver stops it or dies."""
    # The driver decides when to end; a Ctrl-C in the terminal reaches us too.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
    _Process(listener, driver, plan).run()


class _Process:
    def __init__(self, listener: socket.socket, driver: Connection, plan: Plan) -> None:
        self._listener = listener
        self._driver = driver
        self._driver_lock = threading.Lock()
        self._plan = plan
        self._open: set[Association] = set()
        self._open_lock = threading.Lock()
        self._wake, self._waker = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._deadline: float | None = None

    def run(self) -> None:
        # Slow to import, and the driver that imports this module has no use for it.
        from pacsfw.receiver.association import Association

        self._association = Association
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._selector.register(self._driver, selectors.EVENT_READ, self._obey)
        self._selector.register(self._wake, selectors.EVENT_READ, self._count_again)
        self._tell(Ready())
        while self._deadline is None or self._open:
            timeout = None if self._deadline is None else self._deadline - time.monotonic()
            if timeout is not None and timeout <= 0:
                self._interrupt_all()
                break
            for key, _ in self._selector.select(timeout):
                key.data()
        # Threads that hang in a system call must not keep the process.
        os._exit(0)

    def _tell(self, message: SpoolRecord | Ready | Note) -> None:
        data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        try:
            with self._driver_lock:
                self._driver.send_bytes(data)
        except OSError:
            os._exit(1)  # the driver is gone: what we hold is asked for again

    def _obey(self) -> None:
        try:
            message = self._driver.recv()
        except (EOFError, OSError):
            os._exit(1)
        if isinstance(message, Stop) and self._deadline is None:
            self._deadline = time.monotonic() + message.grace
            self._listen(False)
            self._listener.close()

    def _listen(self, wanted: bool) -> None:
        listening = self._listener in self._selector.get_map()
        if wanted and not listening:
            self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        elif listening and not wanted:
            self._selector.unregister(self._listener)

    def _accept(self) -> None:
        if self._deadline is not None:
            return  # a connection came together with the order to stop
        try:
            sock, _ = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return  # another process was faster, or the peer gave up
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                raise
            self._tell(Note(logging.ERROR, f"a connection had to wait: {error.strerror}"))
            time.sleep(0.1)
            return
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        plan = self._plan
        association = self._association(sock, plan.aetitle, plan.spool, self._tell, plan.limits)
        with self._open_lock:
            self._open.add(association)
            full = len(self._open) >= plan.share
        if full:
            self._listen(False)
        threading.Thread(target=self._serve, args=(association,), daemon=True).start()

    def _serve(self, association: Association) -> None:
        try:
            association.serve()
        except Exception as error:  # noqa: BLE001 - one association must not end the others
            # The text of an unforeseen error could quote what the peer sent.
            kind = type(error).__name__
            self._tell(Note(logging.ERROR, f"an association ended by an internal {kind}"))
        finally:
            with self._open_lock:
                self._open.discard(association)
            self._waker.send(b"\0")

    def _count_again(self) -> None:
        self._wake.recv(4096)
        with self._open_lock:
            free = len(self._open) < self._plan.share
        if free and self._deadline is None:
            self._listen(True)

    def _interrupt_all(self) -> None:
        with self._open_lock:
            associations = list(self._open)
        for association in associations:
            association.interrupt()
        end = time.monotonic() + _LAST_SECONDS
        self._wake.settimeout(_LAST_SECONDS)
        while self._open and time.monotonic() < end:
            try:
                self._wake.recv(4096)
            except TimeoutError:
                return
