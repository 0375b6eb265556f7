"""A pool of processes, one thread driving each: a job that kills its process costs only itself."""

from __future__ import annotations

import multiprocessing
import queue
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from pacsfw.errors import PacsfwError

_SPAWN = multiprocessing.get_context("spawn")
_STOP = object()
_Worker = tuple[BaseProcess, Connection]
START_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Crashed:
    """Given instead of an outcome when the worker died or hung over a job."""

    reason: str


class WorkerPool:
    """Run jobs in spawned processes.

    Parameters
    ----------
    size
        Number of processes.
    build
        Importable function, called once in each process with ``spec``; returns the
        function that turns a job into its outcome. All of them are pickled.
    done
        Called with (job, outcome or `Crashed`), in one of the driver's threads.
    job_seconds
        A job that takes longer is killed together with its process.
    backlog
        How many jobs may wait; `submit` blocks beyond that.
    """

    def __init__(
        self,
        size: int,
        build: Callable[[Any], Callable[[Any], Any]],
        spec: Any,
        done: Callable[[Any, Any], None],
        *,
        job_seconds: float = 300.0,
        backlog: int = 256,
    ) -> None:
        self._jobs: queue.Queue[Any] = queue.Queue(backlog)
        self._build, self._spec, self._done = build, spec, done
        self._job_seconds = job_seconds
        self._threads = [
            threading.Thread(target=self._drive, name=f"ingest-{number}", daemon=True)
            for number in range(size)
        ]
        self._started: queue.Queue[BaseException | None] = queue.Queue()

    def start(self) -> None:
        """Start the processes and return when each is ready.

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
        worker: _Worker | None = None
        try:
            worker = self._start_process()
        except PacsfwError as err:
            self._started.put(err)
            return
        self._started.put(None)
        job, is_given = self._jobs.get(), False
        while job is not _STOP:
            try:
                worker = worker or self._start_process()
                outcome = self._run(*worker, job, is_given=is_given)
            except PacsfwError as err:
                outcome = Crashed(str(err))
            if worker is not None and isinstance(outcome, Crashed):
                worker[0].kill()  # one that hangs would not hear that it should end
                _end(*worker)
                worker = None
            # The worker goes on with the next job while we are at the outcome of this one.
            following = self._next()
            is_given = worker is not None and following is not None and _give(worker[1], following)
            self._done(job, outcome)
            self._jobs.task_done()
            job = self._jobs.get() if following is None else following
        if worker is not None:
            _end(*worker)

    def _next(self) -> Any:
        """Return the next job if there is one already."""
        try:
            return self._jobs.get_nowait()
        except queue.Empty:
            return None

    def _run(self, process: BaseProcess, pipe: Connection, job: Any, *, is_given: bool) -> Any:
        try:
            if not is_given:
                pipe.send(job)
            if not pipe.poll(self._job_seconds):
                return Crashed(f"took longer than {self._job_seconds:g} s")
            return pipe.recv()
        except (EOFError, OSError):
            process.join(5)
            return Crashed(f"the worker process ended with code {process.exitcode}")

    def _start_process(self) -> _Worker:
        try:
            ours, theirs = _SPAWN.Pipe()
        except OSError as err:
            raise PacsfwError(f"a worker process cannot be started: {err.strerror}") from err
        process = _SPAWN.Process(target=_serve, args=(theirs, self._build, self._spec), daemon=True)
        try:
            process.start()
        except Exception as err:  # no memory, no file descriptors, not picklable: whatever it is
            ours.close()
            raise PacsfwError(f"a worker process cannot be started: {type(err).__name__}") from err
        finally:
            theirs.close()
        try:
            problem = ours.recv() if ours.poll(START_SECONDS) else "did not start in time"
        except EOFError:
            problem = "ended while starting"
        if problem is not None:
            _end(process, ours)
            if isinstance(problem, PacsfwError):
                raise problem
            raise PacsfwError(f"a worker process {problem}")
        return process, ours


def _give(pipe: Connection, job: Any) -> bool:
    """Send a job to a worker that has none; tell whether it has one now."""
    if job is _STOP:
        return False
    try:
        pipe.send(job)
    except OSError:
        return False  # sent again, to one that lives
    return True


def _end(process: BaseProcess, pipe: Connection) -> None:
    pipe.close()
    process.join(5)
    if process.is_alive():
        process.kill()
        process.join()
    process.close()


def _serve(pipe: Connection, build: Callable[[Any], Callable[[Any], Any]], spec: Any) -> None:
    """Body of a worker process. It ends when the driver closes the pipe, or dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver decides when to stop
    try:
        work = build(spec)
    except Exception as err:  # noqa: BLE001 - worker boundary: the driver reports it
        pipe.send(err if isinstance(err, PacsfwError) else f"failed: {type(err).__name__}: {err}")
        return
    pipe.send(None)
    while True:
        try:
            job = pipe.recv()
        except EOFError:
            return
        try:
            outcome = work(job)
        except Exception as err:  # noqa: BLE001 - worker boundary: the job is lost, not the worker
            outcome = Crashed(f"{type(err).__name__} in the worker")
        try:
            pipe.send(outcome)
        except BrokenPipeError:
            return
