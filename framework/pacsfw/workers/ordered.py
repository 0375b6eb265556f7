"""Run many small jobs in a pool: sent in batches, with the outcomes in order."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Self

from pacsfw.workers.calling import CALLS, Blame
from pacsfw.workers.pool import WorkerPool
from pacsfw.workers.worker_process import Answer, Crashed, Spec

BATCH = 64
"""Maximum number of jobs in one message."""

FIRST_BATCH = 4
"""Number of jobs in the first messages, before their duration is known."""

MESSAGE_SECONDS = 0.1
"""Target duration of a message, so that slow jobs are spread over all workers."""

AHEAD = 4
"""Maximum number of batches per process in progress or waiting for an earlier one."""

ANSWER_SECONDS = 2.0
"""Time after which a worker returns its outcomes, even if the batch is not finished."""


class OrderedPool:
    """Run a stream of jobs in worker processes; a context manager.

    A job that kills its process or hangs affects only itself. The rest of its batch is
    repeated with one job per message, to identify the faulty one with certainty.

    Parameters
    ----------
    size, spec
        As for `WorkerPool`.
    job_seconds
        A job that takes longer is killed together with its process.
    batch
        Maximum number of jobs in one message.
    blame
        Notes which components end processes.
    """

    def __init__(
        self,
        size: int,
        spec: Spec,
        *,
        job_seconds: float = 60.0,
        batch: int = BATCH,
        blame: Blame | None = None,
    ) -> None:
        self._most, self._batch, self._ahead = batch, min(batch, FIRST_BATCH), AHEAD * size
        self._blame = blame or Blame()
        self._pool = WorkerPool(
            size,
            _BatchSpec(spec),
            self._done,
            job_seconds=job_seconds + ANSWER_SECONDS,
            # `map` limits what waits. A limit here could block the threads that return the rest
            # of a batch, while the consumer of one `map` waits in another.
            backlog=0,
            blame=self._blame,
            spares=False,  # of a batch, only one job is done without the component
        )

    def __enter__(self) -> Self:
        """Start the processes.

        Raises
        ------
        PacsfwError
            A process could not build its worker.
        """
        self._pool.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Finish what is under way and end the processes."""
        self._pool.close()

    def map(self, jobs: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        """Run the jobs, taken from their iterable as needed.

        Yields
        ------
        job, outcome
            In the order of the jobs; the outcome is the result of the worker, or `Crashed`.
        """
        waiting = iter(jobs)
        under_way: deque[_Batch] = deque()
        while True:
            while len(under_way) < self._ahead and (taken := list(islice(waiting, self._batch))):
                batch = _Batch(taken)
                under_way.append(batch)
                self._pool.submit(_Message(batch.jobs, batch))
            if not under_way:
                return
            first = under_way.popleft()
            first.complete.wait()
            yield from zip(first.jobs, first.outcomes, strict=True)

    def _done(self, answers: Sequence[Answer]) -> None:
        for message, answer in answers:
            self._answered(message, answer)

    def _answered(self, message: _Message, answer: tuple[list[Any], float] | Crashed) -> None:
        batch, one_by_one = message.batch, message.one_by_one
        avoid: dict[str, str] = {}
        if not isinstance(answer, Crashed):
            outcomes, seconds = answer
            batch.outcomes += outcomes
            fitting = int(len(outcomes) * MESSAGE_SECONDS / max(seconds, 1e-6))
            self._batch = max(1, min(fitting, self._most))
        elif len(message.jobs) == 1 or one_by_one:
            if answer.component:
                self._blame.add(answer.component)
            if answer.component and answer.component not in message.avoid:
                avoid = {**message.avoid, answer.component: answer.reason}
            else:
                batch.outcomes.append(answer)
        else:
            one_by_one = True
        rest = batch.jobs[len(batch.outcomes) :]
        if rest:
            self._pool.submit(_Message(rest, batch, one_by_one or bool(avoid), avoid))
        else:
            batch.complete.set()


@dataclass(slots=True)
class _Batch:
    jobs: Sequence[Any]
    outcomes: list[Any] = field(default_factory=list)
    complete: threading.Event = field(default_factory=threading.Event)


class _Message:
    """The remaining jobs of a batch; the batch itself stays in this process."""

    def __init__(
        self,
        jobs: Sequence[Any],
        batch: _Batch,
        one_by_one: bool = False,
        avoid: Mapping[str, str] = {},
    ) -> None:
        self.jobs, self.batch, self.one_by_one, self.avoid = jobs, batch, one_by_one, avoid

    def __reduce__(self) -> tuple[Any, ...]:
        return (tuple, ((self.one_by_one, self.jobs, self.avoid),))


@dataclass(frozen=True, slots=True)
class _BatchSpec:
    """Builds what works on batches of jobs."""

    spec: Spec

    def build(self) -> Callable[[Any], Any]:
        work = self.spec.build()

        def work_on(
            message: tuple[bool, Sequence[Any], Mapping[str, str]],
        ) -> tuple[list[Any], float]:
            """Do the jobs until time is up, but at least one; say how long it took."""
            one_by_one, jobs, avoid = message
            CALLS.avoid = {**CALLS.avoid, **avoid}  # those that are off, and of this job
            begun = time.monotonic()
            outcomes: list[Any] = []
            for job in jobs[:1] if one_by_one else jobs:
                try:
                    outcomes.append(work(job))
                except Exception as err:  # noqa: BLE001 - worker boundary: the job is lost, not others
                    outcomes.append(Crashed(f"{type(err).__name__} in the worker"))
                if time.monotonic() - begun >= ANSWER_SECONDS:
                    break
            return outcomes, time.monotonic() - begun

        if callable(close := getattr(work, "close", None)):
            work_on.close = close  # type: ignore[attr-defined]
        return work_on
