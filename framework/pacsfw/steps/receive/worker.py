"""A receiver process as the driver sees it: start, reports, stop and leftover files."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket

from pacsfw.spool.adoption import adopt_from
from pacsfw.spool.records import (
    Begun,
    Discarded,
    Sealed,
    SpoolRecord,
    new_writer,
    number_of,
    spool_id,
)
from pacsfw.steps.receive.process import ReceiverPlan, main
from pacsfw.steps.receive.reports import Report, Stop, decode
from pacsfw.workers.frames import CHUNK, Frames

_spawn = multiprocessing.get_context("spawn")


class Worker:
    """Starts process number ``place``, which ends when `stop` is called or the driver dies."""

    def __init__(self, listener: socket.socket, plan: ReceiverPlan, place: int) -> None:
        self.place = place
        self.ready = False
        self.open: dict[str, Begun] = {}
        """The announced instances that are neither sealed nor discarded, by spool ID."""
        self._spool = plan.spool
        self._writer = new_writer()
        self._ended = _Numbers()
        self._frames = Frames()
        self._reports, reports = _spawn.Pipe(duplex=False)
        orders, self._orders = _spawn.Pipe(duplex=False)
        self.process = _spawn.Process(
            target=main,
            args=(listener, orders, reports, plan, place, self._writer),
            name="receiver",
            daemon=True,
        )
        # Blocked signals stay blocked in the child until it ignores them.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        try:
            self.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            orders.close()
            reports.close()

    def fileno(self) -> int:
        """Return the descriptor that is readable when there is something to `receive`."""
        return self._reports.fileno()

    def receive(self) -> list[Report] | None:
        """Return the new reports; None when the process has ended."""
        data = os.read(self._reports.fileno(), CHUNK)
        return list(map(decode, self._frames.feed(data))) if data else None

    def note(self, record: SpoolRecord) -> None:
        """Keep track of the files that the process writes."""
        if isinstance(record, Begun):
            self.open[spool_id(record)] = record
        else:
            self.open.pop(spool_id(record), None)
            self._ended.add(number_of(os.path.basename(record.file)))

    def stop(self, grace: float) -> None:
        """Order it to accept nothing new, and to end within ``grace`` seconds."""
        try:
            self._orders.send(Stop(grace))
        except OSError:
            return  # it has ended

    def close(self) -> None:
        """Close the pipes of a process that has ended."""
        self._reports.close()
        self._orders.close()

    def left_behind(self) -> list[Sealed | Discarded]:
        """Take over the complete files of a dead process, and remove unfinished ones.

        Raises
        ------
        OSError
            The spool cannot be read or changed.
        """
        sealed = adopt_from(self._spool, self._writer, self._ended)
        complete = set(map(spool_id, sealed))
        reason = "the process that received it ended"
        lost = [begun for begun in self.open.values() if spool_id(begun) not in complete]
        self.open = {}
        return [*sealed, *(Discarded(begun.file, begun.sop_uid, reason) for begun in lost)]


class _Numbers:
    """A set of numbers that arrive nearly in order, stored in little memory."""

    def __init__(self) -> None:
        self._low = 0
        self._beyond: set[int] = set()

    def add(self, number: int) -> None:
        self._beyond.add(number)
        while self._low in self._beyond:
            self._beyond.remove(self._low)
            self._low += 1

    def __contains__(self, number: object) -> bool:
        assert isinstance(number, int)  # noqa: S101 - the only type used
        return number < self._low or number in self._beyond
