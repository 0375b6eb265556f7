"""A pool of processes, each driven by a thread: a job that kills its process loses only itself."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from pacsfw.errors import PacsfwError
from pacsfw.workers.calling import Blame
from pacsfw.workers.worker_process import Answer, Lane, Spec

_STOP = object()
Done: TypeAlias = "Callable[[Sequence[Answer]], None]"
"""Called with jobs and their outcomes."""


class WorkerPool:
    """Run jobs in spawned processes.

    Parameters
    ----------
    size
        Number of processes.
    spec
        Builds the worker in each process. Jobs and outcomes are pickled.
    done
        Called in one of the driver threads, with all answers that arrived together.
    job_seconds
        A job that takes longer is killed together with its process.
    backlog
        Maximum number of waiting jobs; beyond it, `submit` blocks.
    ahead
        Maximum number of unanswered jobs per process. More than one is for small, quick
        jobs, for which a wake-up per outcome would be too expensive.
    blame, spares
        As for `pacsfw.workers.worker_process.Lane`.
    """

    def __init__(
        self,
        size: int,
        spec: Spec,
        done: Done,
        *,
        job_seconds: float = 300.0,
        backlog: int = 256,
        ahead: int = 1,
        blame: Blame | None = None,
        spares: bool = True,
    ) -> None:
        self._jobs: queue.Queue[Any] = queue.Queue(backlog)
        self._spec, self._done = spec, done
        self._job_seconds, self._ahead = job_seconds, ahead
        self._threads = [
            threading.Thread(target=self._drive, name=f"ingest-{number}", daemon=True)
            for number in range(size)
        ]
        self._blame, self._spares = blame or Blame(), spares
        self._started: queue.Queue[BaseException | None] = queue.Queue()

    def start(self) -> None:
        """Start the processes and return when all are ready.

        Raises
        ------
        PacsfwError
            A process could not build its worker.
        """
        for thread in self._threads:
            thread.start()
        problems = [self._started.get() for _ in self._threads]
        for problem in problems:
            if problem is not None:
                self.close()
                raise problem

    def submit(self, job: Any) -> None:
        """Queue a job; blocks while the backlog is full."""
        self._jobs.put(job)

    def wait(self) -> None:
        """Wait until every submitted job is done."""
        self._jobs.join()

    def close(self) -> None:
        """Finish the queued jobs and end the processes."""
        for _ in self._threads:
            self._jobs.put(_STOP)
        for thread in self._threads:
            thread.join()

    def _drive(self) -> None:
        """Body of a thread: send jobs to its process in order, and pass on the answers."""
        try:
            lane = Lane(self._spec, self._blame, spares=self._spares)
        except PacsfwError as err:
            self._started.put(err)
            return
        self._started.put(None)
        answers: list[Answer] = []
        is_last = False
        while not is_last or lane.unanswered or answers:
            jobs: list[Any] = []
            if not is_last:
                waiting = not (lane.unanswered or answers)
                jobs, is_last = self._next(len(lane.unanswered), wait=waiting)
            answers += lane.submit(jobs)
            # The process continues with the next jobs while we handle these outcomes.
            if answers:
                self._done(answers)
                for _ in answers:
                    self._jobs.task_done()
            answers = lane.receive(self._job_seconds)
        lane.end()

    def _next(self, unanswered: int, *, wait: bool) -> tuple[list[Any], bool]:
        """Return the next jobs for a process with ``unanswered`` ones; True: the last ones."""
        jobs: list[Any] = []
        # Each process takes its share of the queue; otherwise the others would be idle at the end.
        most = min(self._ahead - unanswered, max(1, self._jobs.qsize() // len(self._threads)))
        try:
            while len(jobs) < most:
                job = self._jobs.get(block=wait and not jobs)
                if job is _STOP:
                    return jobs, True
                jobs.append(job)
        except queue.Empty:
            pass
        return jobs, False
