"""Many small jobs: in order, in batches, and whoever kills a worker costs itself only."""

from __future__ import annotations

import os
from itertools import count

import pytest

from pacsfw.workers import Crashed, OrderedPool
from support.jobs import Spec, build

pytestmark = pytest.mark.usefixtures("spawned")  # processes are what it is about

KILLED = Crashed("ended the worker process (SIGABRT)")


def outcomes(jobs, size=2, **options):
    with OrderedPool(size, Spec(build, "spec"), **options) as pool:
        return [(job, outcome if isinstance(outcome, Crashed) else outcome[1])
                for job, outcome in pool.map(jobs)]  # fmt: skip


def test_outcomes_come_in_the_order_of_the_jobs_from_several_processes():
    with OrderedPool(2, Spec(build, "spec"), batch=3) as pool:
        done = list(pool.map(range(500)))

    assert [(job, outcome[1]) for job, outcome in done] == [(job, job) for job in range(500)]
    assert len({outcome[2] for _, outcome in done} - {os.getpid()}) == 2


def test_jobs_are_taken_as_they_are_needed():
    endless = count()
    with OrderedPool(1, Spec(build, "spec"), batch=2) as pool:
        results = pool.map(endless)
        first = [next(results)[0] for _ in range(10)]

    assert first == list(range(10))
    assert next(endless) < 10 + 2 * 8


def test_jobs_that_kill_their_process_cost_themselves_only():
    jobs = [1, "crash", 2, 3, "raise", "crash", 4]

    assert outcomes(jobs) == [
        (1, 1), ("crash", KILLED), (2, 2), (3, 3),
        ("raise", Crashed("ValueError in the worker")), ("crash", KILLED), (4, 4),
    ]  # fmt: skip


def test_a_job_that_hangs_is_found_and_killed(monkeypatch):
    monkeypatch.setattr("pacsfw.workers.ordered.ANSWER_SECONDS", 0.0)

    done = outcomes([1, "hang", 2], size=1, job_seconds=0.2)

    assert done == [(1, 1), ("hang", Crashed("took longer than 0.2 s")), (2, 2)]


def test_without_jobs_there_are_no_outcomes():
    assert outcomes([]) == []
