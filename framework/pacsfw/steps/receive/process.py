"""A receiver process: accepts connections on the shared socket, one thread for each."""

from __future__ import annotations

import ctypes
import errno
import logging
import os
import queue
import selectors
import signal
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from pacsfw.api import Node
from pacsfw.dimse.senders import KnownSenders, is_in
from pacsfw.steps.receive.load import Load, Loads
from pacsfw.steps.receive.notes import Notes
from pacsfw.steps.receive.progress import Progress
from pacsfw.steps.receive.reports import Note, Ready, Refused, Report, Stop, encode
from pacsfw.workers.frames import write_frame

if TYPE_CHECKING:
    from pacsfw.dimse.known_uids import KnownUids
    from pacsfw.steps.receive.association import Association
    from pacsfw.steps.receive.pending_connections import PendingConnection

_LAST_SECONDS = 1.0
"""Timeout for interrupted associations to remove their unfinished files."""
_TICK_SECONDS = 0.25
_YIELD_SECONDS = 0.002
"""Head start for processes with fewer connections."""
_AT_ONCE = 64
"""Maximum number of connections accepted per tick while no association is free."""


@dataclass(frozen=True, slots=True)
class ReceiverPlan:
    """The settings of all receiver processes; picklable for `multiprocessing`."""

    node: Node
    spool: Path
    processes: int
    """Number of processes; they share the limit of associations."""
    wanted_until: ctypes.c_double
    """Time on the monotonic clock until which instances are accepted; set by the driver."""
    loads: Loads
    known: KnownUids
    """Passed on by the driver: a process would need long to import the dictionary."""
    durable: bool
    digest: bool
    """As for `pacsfw.spool.writer.Spool`."""
    senders: KnownSenders | None = None
    """If given, others are rejected."""


def main(
    listener: socket.socket,
    orders: Connection,
    reports: Connection,
    plan: ReceiverPlan,
    place: int,
    writer: str,
) -> None:
    """Run receiver process number ``place`` until the driver stops it or dies.

    ``orders`` come from the driver and ``reports`` go to it. ``writer`` is the ID under which
    this process writes to the spool.
    """
    # The driver decides when to end, but a Ctrl-C in the terminal reaches this process too.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})
    _Process(listener, orders, reports, plan, Load(plan.loads, place), writer).run()


@dataclass(slots=True)
class _Visit:
    """The state of an association that the process keeps."""

    address: str
    progress: Progress
    is_ending: bool = False


class _Process:
    def __init__(
        self,
        listener: socket.socket,
        orders: Connection,
        reports: Connection,
        plan: ReceiverPlan,
        load: Load,
        writer: str,
    ) -> None:
        # Slow to import, and the driver imports this module without using these.
        from pacsfw.dimse.tls import server_context
        from pacsfw.spool.writer import Spool
        from pacsfw.steps.receive.association import Association
        from pacsfw.steps.receive.pending_connections import PendingConnections

        self._association = Association
        self._listener = listener
        self._orders, self._reports = orders, reports
        self._reports_lock = threading.Lock()
        self._plan, self._load = plan, load
        self._spool = Spool(
            plan.spool, self._report, writer, durable=plan.durable, digest=plan.digest
        )
        limits, tls = plan.node.limits, plan.node.tls
        self._share = -(-limits.associations // plan.processes)
        self._share_per_address = -(-limits.associations_per_address // plan.processes)
        self._open: dict[Association, _Visit] = {}
        self._open_lock = threading.Lock()
        self._wake, self._waker = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._pending = PendingConnections(
            self._selector,
            limits.associate_timeout,
            server_context(tls) if tls is not None else None,
            self._admit,
            self._note,
        )
        self._notes = Notes()
        self._deferred: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._reporter = threading.Thread(target=self._report_deferred, daemon=True)
        self._next_tick = 0.0
        self._deadline: float | None = None

    def run(self) -> None:
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._selector.register(self._orders, selectors.EVENT_READ, self._obey)
        self._selector.register(self._wake, selectors.EVENT_READ, self._association_ended)
        self._report(Ready())
        self._reporter.start()
        while self._deadline is None or self._open:
            if self._deadline is not None and time.monotonic() >= self._deadline:
                self._interrupt_all()
                break
            for key, _ in self._selector.select(self._seconds_to_wait()):
                key.data()
            self._tick()
        self._deferred.put(None)
        self._reporter.join(_LAST_SECONDS)
        # Threads that hang in a system call must not keep the process alive.
        os._exit(0)

    def _seconds_to_wait(self) -> float | None:
        now = time.monotonic()
        ends = [self._deadline] if self._deadline is not None else []
        if self._open or self._pending or self._notes:
            ends.append(max(self._next_tick, now))
        return max(0.0, min(ends) - now) if ends else None

    def _report(self, report: Report) -> None:
        """Report to the driver; called from every thread."""
        data = encode(report)
        try:
            with self._reports_lock:
                write_frame(self._reports.fileno(), data)
        except OSError:
            os._exit(1)  # the driver died: unreported instances will be requested again

    def _note(self, level: int, text: str) -> None:
        if self._notes.take():
            self._deferred.put(partial(self._report, Note(level, text)))

    def _refused(self, text: str) -> None:
        self._deferred.put(partial(self._report, Refused(text)))

    def _report_deferred(self) -> None:
        """Send the reports that no other thread has to wait for.

        The driver may be busy; new connections and deadlines do not wait for it.
        """
        while (send := self._deferred.get()) is not None:
            send()

    def _obey(self) -> None:
        try:
            message = self._orders.recv()
        except (EOFError, OSError):
            os._exit(1)
        if isinstance(message, Stop) and self._deadline is None:
            self._deadline = time.monotonic() + message.grace
            self._listen(False)
            self._listener.close()
            self._pending.close()

    def _listen(self, wanted: bool) -> None:
        listening = self._listener in self._selector.get_map()
        if wanted and not listening:
            self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        elif listening and not wanted:
            self._selector.unregister(self._listener)

    def _accept(self) -> bool:
        """Accept a connection, if there is one; return whether there was."""
        if self._deadline is not None:
            return False  # a connection arrived together with the order to stop
        if self._load.is_above_others():
            time.sleep(_YIELD_SECONDS)
        try:
            sock, (host, *_) = self._listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return False  # another process was faster, or the peer gave up
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                raise
            self._note(logging.ERROR, f"a connection had to wait: {error.strerror}")
            time.sleep(0.1)
            return False
        allowed = self._plan.node.accept.addresses
        if allowed and not is_in(host, allowed):
            self._note(logging.WARNING, f"connection from {host}: closed: not an allowed address")
            self._refused("a connection: its address is not in net.local_node.accept.addresses")
            sock.close()
            return True
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._pending.enter(sock, host)
        self._publish_load()
        return True

    def _publish_load(self) -> None:
        self._load.is_now(len(self._open) + len(self._pending))

    def _admit(self, connection: PendingConnection) -> bool:
        """Begin the association of a connection, if one is free."""
        if not self._has_room(connection.address):
            return False
        association = self._association(
            connection.sock,
            self._plan.node,
            self._spool,
            self._plan.known,
            self._note,
            bytes(connection.request),
            self._is_wanted,
            self._refused,
            self._plan.senders,
        )
        visit = _Visit(connection.address, Progress(association, time.monotonic()))
        with self._open_lock:
            self._open[association] = visit
            full = len(self._open) >= self._share
        if full:
            self._listen(False)
        threading.Thread(target=self._serve, args=(association,), daemon=True).start()
        return True

    def _has_room(self, address: str) -> bool:
        with self._open_lock:
            here = sum(visit.address == address for visit in self._open.values())
            return len(self._open) < self._share and here < self._share_per_address

    def _is_wanted(self) -> bool:
        return time.monotonic() <= self._plan.wanted_until.value

    def _serve(self, association: Association) -> None:
        try:
            association.serve()
        except Exception as error:  # noqa: BLE001 - one association must not end the others
            # The text of an unexpected error could quote what the peer sent.
            kind = type(error).__name__
            self._note(logging.ERROR, f"an association ended with an internal {kind}")
        finally:
            with self._open_lock:
                del self._open[association]
            self._waker.send(b"\0")

    def _association_ended(self) -> None:
        self._wake.recv(4096)
        self._pending.admit_waiting()
        with self._open_lock:
            free = len(self._open) < self._share
        self._publish_load()
        if free and self._deadline is None:
            self._listen(True)

    def _tick(self) -> None:
        """Check the deadlines."""
        now = time.monotonic()
        if now < self._next_tick:
            return
        self._next_tick = now + _TICK_SECONDS
        self._pending.tick()
        self._publish_load()
        if self._deferred.empty():
            self._deferred.put(partial(self._announce, now))
        for association, visit in self._visits():
            if why := visit.progress.look(now, self._plan.node.limits):
                self._end(association, visit, why)
        for connection in self._pending.waiting():
            self._make_room(connection.address, now)
        if self._deadline is None and self._listener not in self._selector.get_map():
            # The other processes had time to accept it.
            for _ in range(_AT_ONCE):
                if not self._accept():
                    break
        if text := self._notes.summary(now):
            self._deferred.put(partial(self._report, Note(logging.WARNING, text)))

    def _announce(self, now: float) -> None:
        for association, _ in self._visits():
            association.announce(now)

    def _visits(self) -> list[tuple[Association, _Visit]]:
        with self._open_lock:
            return [entry for entry in self._open.items() if not entry[1].is_ending]

    def _make_room(self, address: str, now: float) -> None:
        """End the association with the least progress, unless all make progress."""
        visits = self._visits()
        here = [(each, visit) for each, visit in visits if visit.address == address]
        among = here if len(here) >= self._share_per_address else visits
        if self._has_room(address) or not among:
            return
        association, visit = max(among, key=lambda entry: entry[1].progress.could_yield(now))
        if visit.progress.could_yield(now) >= 0:
            self._end(association, visit, "it was idle, and others wait for an association")

    def _end(self, association: Association, visit: _Visit, why: str) -> None:
        visit.is_ending = True
        self._note(logging.WARNING, f"association from {visit.address}: aborted: {why}")
        association.interrupt(why)

    def _interrupt_all(self) -> None:
        for association, _ in self._visits():
            association.interrupt("the receiver stopped")
        end = time.monotonic() + _LAST_SECONDS
        self._wake.settimeout(_LAST_SECONDS)
        while self._open and time.monotonic() < end:
            try:
                self._wake.recv(4096)
            except TimeoutError:
                return
