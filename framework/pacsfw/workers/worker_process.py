"""One worker process, its jobs and its answers."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import time
from collections import deque
from collections.abc import Callable, Sequence
from ctypes import c_uint
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Protocol, TypeAlias

from pacsfw.errors import PacsfwError
from pacsfw.workers.calling import CALLS, Blame, ending, label_in
from pacsfw.workers.frames import CHUNK, Frames, write_frame

_SPAWN = multiprocessing.get_context("spawn")
START_SECONDS = 120.0
KILLS = 3
"""How often a process may be killed from outside at one job, until the job is to blame."""
_GATHER = 0.002
"""Seconds to collect answers: a wake-up for each small one costs more than its job."""


@dataclass(frozen=True, slots=True)
class Crashed:
    """Replaces the outcome of a job that raised, hung or killed its worker.

    ``component`` was being called: its kind, name, distribution and version.
    """

    reason: str
    component: str = ""

    def __str__(self) -> str:
        """Return the component, if there is one, and the reason."""
        return f"{self.component}: {self.reason}" if self.component else self.reason


class Spec(Protocol):
    """What a worker process needs to build its worker; picklable."""

    def build(self) -> Callable[[Any], Any]:
        """Return the function that turns a job into its outcome; called once in each process.

        If it has ``close``, that is called at the end of the process, unless it is killed.
        """


Answer: TypeAlias = "tuple[Any, Any]"
"""A job and its outcome, or `Crashed`."""


class Lane:
    """A worker process that is replaced when it dies; used by one thread.

    Parameters
    ----------
    spec
        As for `pacsfw.workers.WorkerPool`.
    blame
        Notes which components end processes.
    spares
        Whether a job at which a component ended the process is done again without it. Otherwise
        it has the outcome `Crashed`, and nobody is blamed.

    Attributes
    ----------
    unanswered
        The jobs sent to the process, in order.

    Raises
    ------
    PacsfwError
        The worker could not be built.
    """

    def __init__(self, spec: Spec, blame: Blame | None = None, *, spares: bool = True) -> None:
        self._spec, self._blame, self._spares = spec, blame or Blame(), spares
        self._process: _Process | None = _Process(spec)
        self.unanswered: deque[Any] = deque()
        self._avoid: dict[str, str] = {}
        """What is not called for the first of these jobs, with the reason."""
        self._kills = 0
        """How often the process was killed from outside at that job."""

    def submit(self, jobs: list[Any]) -> list[Answer]:
        """Add jobs; return an answer for the first one if no process can be started."""
        process = self._process
        if process is not None and not self.unanswered and not process.is_alive():
            self.end()  # killed while idle: no job is the cause
        is_first = not self.unanswered
        self.unanswered += jobs
        if not self.unanswered:
            return []
        try:
            if self._process is None:
                self._process, jobs, is_first = _Process(self._spec), list(self.unanswered), True
            if jobs:
                off = self._blame.off
                avoid = [{**off, **self._avoid} if is_first else off, *[off] * (len(jobs) - 1)]
                self._process.submit(list(zip(jobs, avoid, strict=True)))
        except PacsfwError as err:
            return [(self._answered(), Crashed(str(err)))]
        return []

    def receive(self, seconds: float) -> list[Answer]:
        """Wait for answers; kill the process if a job takes longer than ``seconds``."""
        process = self._process
        if process is None or not self.unanswered:
            return []
        try:
            outcomes = process.receive(seconds, _GATHER if len(self.unanswered) > 1 else 0)
        except _Died as died:
            self.end()
            if self._is_done_again(died):
                return []  # `submit` sends it to a new process
            return [(self._answered(), Crashed(died.reason, died.component))]
        return [(self._answered(), outcome) for outcome in outcomes]

    def end(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.end()
            self._process = None

    def _answered(self) -> Any:
        self._avoid, self._kills = {}, 0
        return self.unanswered.popleft()

    def _is_done_again(self, died: _Died) -> bool:
        """Return whether the first job is done again, because it is not to blame itself."""
        if died.from_outside:
            self._kills += 1
            if self._kills < KILLS:
                return True
        if not self._spares or not died.component:
            return False
        self._blame.add(died.component)
        if died.component in self._avoid:
            return False
        self._avoid[died.component] = died.reason
        return True


class _Died(Exception):
    """The process is gone.

    Parameters
    ----------
    reason
        How it ended.
    component
        What was being called.
    from_outside
        Whether somebody else killed it: the system, for lack of memory, or an operator.
    """

    def __init__(self, reason: str, component: str, *, from_outside: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.component, self.from_outside = reason, component, from_outside


class _Process:
    """Our side of a worker process.

    Raises
    ------
    PacsfwError
        It cannot be started, or cannot build its worker.
    """

    def __init__(self, spec: Spec) -> None:
        self._frames = Frames()
        try:
            self._pipe, theirs = _SPAWN.Pipe()
        except OSError as err:
            raise PacsfwError(f"a worker process cannot be started: {err.strerror}") from err
        self._labels: Sequence[str] = ()
        try:
            self._calling = _SPAWN.RawValue(c_uint, 0)
            self._process = _SPAWN.Process(
                target=_serve, args=(theirs, spec, self._calling), daemon=True
            )
            self._process.start()
        except Exception as err:  # out of memory or file descriptors, not picklable, ...
            self._pipe.close()
            raise PacsfwError(f"a worker process cannot be started: {type(err).__name__}") from err
        finally:
            theirs.close()
        problem = self._problem()
        if problem is not None:
            self.end()
            raise problem

    def _problem(self) -> PacsfwError | None:
        try:
            problem: Any = (
                self._pipe.recv() if self._pipe.poll(START_SECONDS) else "did not start in time"
            )
        except EOFError:
            problem = "ended while starting"
        if isinstance(problem, list):
            self._labels = problem
            return None
        if isinstance(problem, PacsfwError):
            return problem
        return PacsfwError(f"a worker process {problem}")

    def submit(self, jobs: Sequence[Any]) -> None:
        """Send jobs, which it runs one after another."""
        try:
            self._pipe.send(jobs)
        except OSError:
            return  # it has ended; `receive` will report it

    def receive(self, seconds: float, gather: float) -> list[Any]:
        """Wait for outcomes in the order of the jobs, then ``gather`` seconds for more.

        Raises
        ------
        _Died
            There are none, and there will be none.
        """
        outcomes: list[bytes] = []
        while not outcomes:
            if not self._pipe.poll(seconds):
                self._process.kill()  # a process that hangs would ignore a request to end
                raise self._died(f"took longer than {seconds:g} s")
            if gather:
                time.sleep(gather)
            try:
                data = os.read(self._pipe.fileno(), CHUNK)
            except OSError:
                data = b""
            if not data:
                self._process.join(5)
                code = self._process.exitcode
                raise self._died(
                    f"ended the worker process ({ending(code)})",
                    from_outside=code in (-signal.SIGKILL, -signal.SIGTERM),
                )
            outcomes = self._frames.feed(data)
        return list(map(pickle.loads, outcomes))

    def _died(self, reason: str, *, from_outside: bool = False) -> _Died:
        return _Died(reason, label_in(self._calling, self._labels), from_outside=from_outside)

    def is_alive(self) -> bool:
        """Return whether it is still running."""
        return self._process.is_alive()

    def end(self) -> None:
        """End it, or kill it."""
        self._pipe.close()
        self._process.join(5)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._process.close()


def _serve(pipe: Connection, spec: Spec, calling: Any) -> None:
    """Body of a worker process. It ends when the driver closes the pipe, or dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver decides when to stop
    # Not SIG_IGN, which programs that a component starts would inherit.
    signal.signal(signal.SIGTERM, lambda *_: None)
    CALLS.share(calling)
    try:
        work = spec.build()
    except Exception as err:  # noqa: BLE001 - worker boundary: the driver reports it
        pipe.send(err if isinstance(err, PacsfwError) else f"failed: {type(err).__name__}: {err}")
        return
    pipe.send(CALLS.labels)
    try:
        _answer(pipe, work)
    finally:
        if callable(close := getattr(work, "close", None)):
            close()


def _answer(pipe: Connection, work: Callable[[Any], Any]) -> None:
    while True:
        try:
            jobs = pipe.recv()
        except (EOFError, ConnectionResetError):  # reset: the driver died with unread messages
            return
        for job, avoid in jobs:
            CALLS.avoid = avoid
            try:
                outcome = work(job)
            except Exception as err:  # noqa: BLE001 - worker boundary: only this job is lost
                outcome = Crashed(f"{type(err).__name__} in the worker")
            try:
                # Immediately: if the next job kills us, the driver knows that this one is done.
                write_frame(pipe.fileno(), pickle.dumps(outcome))
            except (BrokenPipeError, ConnectionResetError):
                return
