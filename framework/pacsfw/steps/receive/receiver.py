"""The driver's side of the Storage SCP: the socket, the processes and their reports."""

from __future__ import annotations

import atexit
import errno
import logging
import math
import multiprocessing
import selectors
import socket
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from pacsfw.api import Node
from pacsfw.dimse.known_uids import known_uids
from pacsfw.dimse.senders import KnownSenders
from pacsfw.errors import StateError
from pacsfw.spool.records import Begun, Discarded, Sealed, SpoolRecord
from pacsfw.steps.ports import RecordTaker
from pacsfw.steps.receive.process import ReceiverPlan
from pacsfw.steps.receive.reports import Note, Ready, Refused, Report
from pacsfw.steps.receive.worker import Worker

log = logging.getLogger(__name__)

LINGER_SECONDS = 60.0
"""Time after the last request ended in which its instances may still arrive."""

_BACKLOG = 128
_BIND_SECONDS = 3.0
"""Timeout for a port in use: a previous run that was killed may still be closing."""
_READY_SECONDS = 120.0
_GATHER = 0.002
"""Pause in seconds that collects reports: to wake up for each one would slow the senders."""
_REPLACEMENT_PAUSE = 1.0
_BEYOND_GRACE = 2.0

_spawn = multiprocessing.get_context("spawn")


class Receiver:
    """The Storage SCP.

    Parameters
    ----------
    node
        Our AE title, address and port (0: any free port), the allowed senders, and their
        limits.
    spool
        Folder for the instances; created if it is missing.
    taker
        Receives the records of all instances, in order, from one thread. The senders wait
        while it works, so it should be quick.
    durable
        Answer for an instance only once it would survive a power cut: for senders that delete
        what they have sent.
    digest
        Compute the SHA-256 of each data set as it arrives.
    senders
        If given, others are rejected.
    refused
        Takes what senders are refused, from one thread; quick.
    """

    def __init__(
        self,
        node: Node,
        spool: Path,
        processes: int,
        taker: RecordTaker,
        *,
        durable: bool = False,
        digest: bool = False,
        senders: KnownSenders | None = None,
        refused: Callable[[str], None] = lambda _: None,
    ) -> None:
        # Shared memory, not a message: an instance must not overtake the news of its request.
        self._wanted_until = _spawn.RawValue("d", math.inf)
        loads = _spawn.RawArray("i", processes)
        self._plan = ReceiverPlan(
            node,
            spool,
            processes,
            self._wanted_until,
            loads,
            known_uids(),
            durable,
            digest,
            senders,
        )
        self._taker, self._refused = taker, refused
        self._listener: socket.socket | None = None
        self._workers: list[Worker] = []
        self._selector = selectors.DefaultSelector()
        self._changed = threading.Condition()
        self._stopping = False
        self._broken = ""
        self._thread = threading.Thread(target=self._watch, name="receiver", daemon=True)

    @property
    def port(self) -> int:
        """The port that the receiver listens on."""
        if self._listener is None:
            raise StateError("the receiver is not listening")
        return int(self._listener.getsockname()[1])

    def start(self) -> None:
        """Listen, and return once every process accepts associations.

        Raises
        ------
        StateError
            The port is in use or must not be opened, the TLS files are unusable, or a process
            does not start.
        """
        self._check_tls()
        self._plan.spool.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._listener = _listen(self._plan.node)
        with self._changed:
            for place in range(self._plan.processes):
                self._workers.append(self._start_worker(place))
        # Without this, multiprocessing would wait forever at exit for running processes.
        atexit.register(self.stop, 0)
        self._thread.start()
        with self._changed:
            settled = self._changed.wait_for(
                lambda: self._broken or all(worker.ready for worker in self._workers),
                _READY_SECONDS,
            )
            broken = self._broken
        if broken or not settled:
            self.stop(0)
            raise StateError(broken or f"no receiver process in {_READY_SECONDS:.0f} s")

    def open_files(self) -> frozenset[Begun]:
        """Return the instances that were announced and are neither sealed nor discarded."""
        with self._changed:
            return frozenset(begun for worker in self._workers for begun in worker.open.values())

    def expect(self, expected: bool, linger: float = LINGER_SECONDS) -> None:
        """Set whether instances are being requested.

        If unsolicited instances are rejected, all are rejected (0124, not authorized) from
        ``linger`` seconds after the end of the requests. Before the first call, all are
        accepted.
        """
        if self._plan.node.accept.unsolicited == "reject":
            self._wanted_until.value = math.inf if expected else time.monotonic() + linger

    def stop(self, grace: float) -> None:
        """Accept no new association, give running ones ``grace`` seconds, and end.

        Returns within a few seconds after that, whatever peers and processes do.
        By then, every instance has been reported sealed or discarded.
        """
        atexit.unregister(self.stop)
        with self._changed:
            self._stopping = True
            workers = list(self._workers)
        if self._listener is not None:
            self._listener.close()
        for worker in workers:
            worker.stop(grace)
        if self._thread.ident is not None:
            self._thread.join(grace + _BEYOND_GRACE)
        for worker in workers:
            if worker.process.is_alive():
                log.warning("receiver process %s killed: it did not end", worker.process.pid)
                worker.process.kill()
        if self._thread.ident is not None:
            self._thread.join(_BEYOND_GRACE)

    def _check_tls(self) -> None:
        if self._plan.node.tls is None:
            return
        from pacsfw.dimse.tls import server_context

        try:
            server_context(self._plan.node.tls)
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise StateError(f"TLS cannot be used: {why}") from error

    def _start_worker(self, place: int) -> Worker:
        assert self._listener is not None  # noqa: S101 - `start` made it
        worker = Worker(self._listener, self._plan, place)
        self._selector.register(worker, selectors.EVENT_READ)
        return worker

    def _watch(self) -> None:
        """Take the reports of the processes until all have ended."""
        while self._workers:
            for key, _ in self._selector.select():
                worker = cast(Worker, key.fileobj)
                reports = worker.receive()
                if reports is None:
                    self._ended(worker)
                    continue
                self._take(worker, reports)
            time.sleep(_GATHER)
        self._selector.close()

    def _take(self, worker: Worker, reports: Sequence[Report]) -> None:
        records: list[SpoolRecord] = []
        with self._changed:
            for report in reports:
                if isinstance(report, Note):
                    log.log(report.level, "%s", report.text)
                elif isinstance(report, Refused):
                    self._refused(report.text)
                elif isinstance(report, Ready):
                    worker.ready = True
                    self._changed.notify_all()
                else:
                    worker.note(report)
                    records.append(report)
        if records:
            self._hand_over(records)

    def _hand_over(self, records: Sequence[SpoolRecord]) -> None:
        try:
            self._taker.take(records)
        except Exception as error:  # noqa: BLE001 - later records still have to be handed over
            kind = type(error).__name__
            for record in records:
                log.critical("%s: could not be handed to ingest: %s", record.file, kind)

    def _left_behind(self, worker: Worker) -> list[Sealed | Discarded]:
        try:
            return worker.left_behind()
        except OSError as error:
            log.critical(
                "%s: %s: the files of a process stay there until the next start",
                self._plan.spool,
                error.strerror,
            )
            return []

    def _ended(self, worker: Worker) -> None:
        """Take over the files of a process, and replace it unless the receiver is stopping."""
        worker.process.join(_BEYOND_GRACE)
        self._selector.unregister(worker)
        worker.close()
        with self._changed:
            left = self._left_behind(worker)
            self._workers.remove(worker)
            stopping = self._stopping
        if left:
            self._hand_over(left)
        if stopping:
            return
        ending = f"receiver process ended unexpectedly (exit code {worker.process.exitcode})"
        if not worker.ready:
            with self._changed:
                self._broken = f"{ending} before it could listen"
                self._changed.notify_all()
            log.critical("%s; it is not replaced", self._broken)
            return
        log.error("%s; it is replaced", ending)
        time.sleep(_REPLACEMENT_PAUSE)
        with self._changed:
            if not self._stopping:
                self._workers.append(self._start_worker(worker.place))


def _listen(node: Node) -> socket.socket:
    import tenacity  # slow, and the receiver processes import this module without using it

    family = socket.AF_INET6 if ":" in node.bind else socket.AF_INET
    where = f"port {node.port} on {node.bind or 'every address'}"
    while_in_use = tenacity.Retrying(
        retry=tenacity.retry_if_exception(_is_in_use),
        stop=tenacity.stop_after_delay(_BIND_SECONDS),
        wait=tenacity.wait_fixed(0.1),
        reraise=True,
    )
    try:
        return while_in_use(
            socket.create_server,
            (node.bind, node.port),
            family=family,
            backlog=_BACKLOG,
            reuse_port=False,
        )
    except OSError as error:
        if _is_in_use(error):
            why = "is in use by another run or another DICOM program"
        else:
            why = f"cannot be opened: {error.strerror}"
        raise StateError(f"{where} {why}") from error


def _is_in_use(error: BaseException) -> bool:
    return isinstance(error, OSError) and error.errno == errno.EADDRINUSE
