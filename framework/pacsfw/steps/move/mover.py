"""The move step: all studies, inside the transfer window, several at a time."""

from __future__ import annotations

import itertools
import logging
import queue
import threading
from collections.abc import Sequence
from contextlib import closing
from typing import Protocol

import tenacity

from pacsfw.api import MoveStarted, Paused, Waiting
from pacsfw.config.window import Window
from pacsfw.errors import PacsfwError, RemoteError
from pacsfw.steps.move.arrivals import Arrivals
from pacsfw.steps.move.study import Attempt, StudyMover
from pacsfw.steps.move.throttle import Throttle
from pacsfw.steps.ports import HasRoom
from pacsfw.steps.run import Run

REFUSED_LIMIT = 3
"""The run ends after so many studies in a row that the PACS refuses for a reason that an
administrator must fix (for example, it does not know our AE title)."""
UNREACHED_LIMIT = 3
"""The run ends after so many requests in a row that never reached the PACS."""
RESTART_LIMIT = 10
"""The same for a PACS that answered before; with the pauses this takes about six minutes."""

IN_VAIN_LIMIT = 5
"""The run ends after so many studies in a row of which nothing arrived, all for one reason, if
nothing ever arrived with these settings: the cause is common to all."""
WORKED_LIMIT = 20
"""The same if something arrived before with these settings."""

_LOOK_SECONDS = 30.0
_ROOM_SECONDS = 5.0
_LONGEST_PAUSE = 60.0

_log = logging.getLogger("pacsfw.move")


class NothingArrives(RemoteError):
    """Nothing arrives of any study, for a reason that all of them share."""


class StudyMovers(Protocol):
    """Makes study movers."""

    def make_study_mover(self) -> StudyMover:
        """Return one for the calling thread."""


class Mover:
    """Runs the transfer threads.

    Parameters
    ----------
    window
        None: requests are always allowed.
    threads
        Maximum number of studies requested at a time.
    attempts
        Maximum number of attempts at a study in one run. The pauses begin with
        ``timing.pause`` of the run, and each further one is twice as long.
    worked
        Whether instances ever arrived with these settings.
    advice
        What to check if nothing arrives at all.
    """

    def __init__(
        self,
        run: Run,
        workers: StudyMovers,
        arrivals: Arrivals,
        capacity: HasRoom,
        *,
        window: Window | None,
        threads: int,
        attempts: int,
        worked: bool = True,
        advice: str = "check the log of the PACS",
    ) -> None:
        self._run, self._clock, self._stop = run, run.clock, run.stop
        self._workers, self._arrivals, self._capacity = workers, arrivals, capacity
        self._window, self._threads, self._attempts = window, threads, attempts
        self._pause = run.timing.pause
        self._paused = False
        self._queue: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._running: list[StudyMover] = []
        self._throttle = Throttle(threads)
        self._unreached, self._refused, self._reached = 0, 0, False
        self.worked, self._advice = worked, advice
        self._in_vain: dict[str, str] = {}
        """The last studies of which nothing arrived, with the reasons."""
        self._made: dict[str, int] = {}
        """Attempts made at studies that are back in the queue."""
        self._unreachable: RemoteError | None = None
        self._failure: PacsfwError | None = None

    def move(self, study_uids: Sequence[str], total: int) -> None:
        """Move the studies that are not complete; ``total`` are on the study list.

        Raises
        ------
        RemoteError
            The PACS could not be reached at all, or no longer.
        """
        self._run.notify(
            MoveStarted(at=self._clock.now(), total=total, done=total - len(study_uids))
        )
        for uid in study_uids:
            self._queue.put(uid)
        threads = [
            threading.Thread(target=self._work, name=f"transfer-{number}", daemon=True)
            for number in range(min(self._threads, len(study_uids)))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        failure = self._failure or self._unreachable
        if failure is not None:
            raise failure

    def judge_late(self) -> None:
        """Settle the studies again whose instances arrived after their verdict."""
        late = self._arrivals.take_late()
        if late and not self._stop.is_set():
            with closing(self._workers.make_study_mover()) as worker:
                for uid in sorted(late):
                    worker.judge_again(uid)

    def cancel(self) -> None:
        """End the running requests; the threads end by themselves once ``stop`` is set."""
        with self._lock:
            for worker in self._running:
                worker.transfer.cancel()

    def _work(self) -> None:
        try:
            with closing(self._workers.make_study_mover()) as worker:
                self._move_from_queue(worker)
        except PacsfwError as err:
            self._fail(err)
        except Exception as err:  # noqa: BLE001 - thread boundary: the run must end with it
            # The text of an error may quote a path with a patient's name.
            why = err.strerror if isinstance(err, OSError) else None
            self._fail(PacsfwError(f"move: {type(err).__name__}{f': {why}' if why else ''}"))

    def _move_from_queue(self, worker: StudyMover) -> None:
        with self._lock:
            self._running.append(worker)
        try:
            while not self._stop.is_set():
                try:
                    uid = self._queue.get_nowait()
                except queue.Empty:
                    return
                self._move_with_retries(worker, uid)
        finally:
            with self._lock:
                self._running.remove(worker)

    def _move_with_retries(self, worker: StudyMover, uid: str) -> None:
        made = self._made.pop(uid, 0)
        if made:
            self._sleep(self._pause)
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self._attempts - made)
            | tenacity.stop_when_event_set(self._stop),
            wait=tenacity.wait_exponential_jitter(
                multiplier=self._pause, jitter=self._pause, max=_LONGEST_PAUSE
            ),
            retry=tenacity.retry_if_result(bool),
            sleep=self._sleep,
            retry_error_callback=lambda _: None,
        )
        numbers = itertools.count(made + 1)
        retrying(lambda: self._move_once(worker, uid, next(numbers)))

    def _sleep(self, seconds: float) -> None:
        self._clock.wait(self._stop, seconds)

    def _move_once(self, worker: StudyMover, uid: str, number: int) -> bool:
        """Move a study; return whether another attempt may help."""
        if not self._may_request():
            return False
        entered = self._throttle.enter(self._stop.is_set)
        if entered is None:
            return False
        done = Attempt(again=True, strained=True)
        try:
            done = worker.move(uid, number)
        except RemoteError as err:
            self._not_reached(err)
            return True
        finally:
            if self._throttle.leave(entered, strained=done.strained):
                limit = self._throttle.limit
                _log.warning(
                    "the PACS is busy or sends nothing: now requesting %d at a time", limit
                )
        self._answered(done)
        postponed = self._postponed(uid, done, number)
        return done.again and not postponed

    def _not_reached(self, err: RemoteError) -> None:
        """Count the failure, and wait a while if the PACS answered before.

        Raises
        ------
        RemoteError
            The PACS stays unreachable.
        """
        with self._lock:
            self._unreached += 1
            self._unreachable = err
            failures = self._unreached
            if failures >= (RESTART_LIMIT if self._reached else UNREACHED_LIMIT):
                raise err
        if self._reached:
            # It answered before: it may be restarting, which takes minutes.
            seconds = min(_LONGEST_PAUSE, self._pause * 2.0**failures)
            _log.warning("%s; retrying in %.0f s", err, seconds)
            self._sleep(seconds)

    def _postponed(self, uid: str, done: Attempt, number: int) -> bool:
        """Put a study of which nothing arrived back in the queue, once, behind the others.

        The others show whether the cause is common to all.

        Raises
        ------
        RemoteError
            It is.
        """
        with self._lock:
            if not done.in_vain:
                self._in_vain.clear()
                self.worked |= done.came
                return False
            self._in_vain[uid] = done.in_vain
            limit = WORKED_LIMIT if self.worked else IN_VAIN_LIMIT
            if len(self._in_vain) >= limit and len(set(self._in_vain.values())) == 1:
                raise NothingArrives(
                    f"nothing arrived of {len(self._in_vain)} studies in a row: {done.in_vain}; "
                    f"{self._advice}, then run again",
                    comment=done.comment,
                )
            if self.worked or not done.again or number > 1 or number >= self._attempts:
                return False
            self._made[uid] = number
        self._queue.put(uid)
        return True

    def _answered(self, done: Attempt) -> None:
        """Note that the PACS answered.

        Raises
        ------
        RemoteError
            It refuses every request.
        """
        with self._lock:
            self._unreached, self._unreachable, self._reached = 0, None, True
            self._refused = self._refused + 1 if done.refused else 0
            if self._refused >= REFUSED_LIMIT:
                raise RemoteError(
                    f"the PACS refuses every request: {done.refused}; {self._advice}",
                    comment=done.comment,
                )

    def _may_request(self) -> bool:
        """Wait until requests are allowed and possible; return False if the run is stopped."""
        while self._wait_for_window():
            lacking = self._capacity.lacking()
            self._report_pause(lacking)
            if not lacking:
                return True
            self._clock.wait(self._stop, _ROOM_SECONDS)
        return False

    def _report_pause(self, lacking: str) -> None:
        """Report once, from the first thread to notice, that requests pause or resume."""
        with self._lock:
            if self._paused == bool(lacking):
                return
            self._paused = bool(lacking)
        self._run.notify(Paused(at=self._clock.now(), reason=lacking))
        if lacking:
            _log.warning("requests are paused: %s", lacking)
        else:
            _log.warning("there is enough space again: requests resume")

    def _wait_for_window(self) -> bool:
        """Wait until requests are allowed; return False if the run is stopped before."""
        reported = False
        while not self._stop.is_set():
            now = self._clock.now()
            if self._window is None or self._window.is_open(now):
                if reported:
                    self._run.notify(Waiting(at=now, until=None, reason="the window is open"))
                return True
            opens = self._window.next_change(now)
            if not reported:
                reason = "outside the transfer window (move.start_time, move.end_time)"
                self._run.notify(Waiting(at=now, until=opens, reason=reason))
                reported = True
            seconds = (opens - now).total_seconds() if opens else _LOOK_SECONDS
            self._clock.wait(self._stop, max(0.0, min(_LOOK_SECONDS, seconds)))
        return False

    def _fail(self, err: PacsfwError) -> None:
        with self._lock:
            self._failure = self._failure or err
        self._stop.set()
