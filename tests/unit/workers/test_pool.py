"""Worker processes: outcomes, crashes, hangs, and a driver that goes away."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from pacsfw.errors import ConfigError, PacsfwError
from pacsfw.workers import Crashed, WorkerPool
from support.jobs import Spec, build

pytestmark = pytest.mark.usefixtures("spawned")  # processes are what it is about


class Outcomes:
    def __init__(self) -> None:
        self.of: dict[Any, Any] = {}
        self.lock = threading.Lock()

    def __call__(self, answers: Sequence[tuple[Any, Any]]) -> None:
        with self.lock:
            self.of.update(answers)


@pytest.fixture
def outcomes():
    return Outcomes()


def test_every_job_gets_its_outcome(outcomes):
    pool = WorkerPool(2, Spec(build, "spec"), outcomes)
    pool.start()
    for job in range(50):
        pool.submit(job)
    pool.close()

    assert {job: outcome[:2] for job, outcome in outcomes.of.items()} == {
        job: ("spec", job) for job in range(50)
    }
    assert os.getpid() not in {outcome[2] for outcome in outcomes.of.values()}


def test_a_job_that_kills_its_process_costs_itself_only(outcomes):
    pool = WorkerPool(1, Spec(build, "spec"), outcomes)
    pool.start()
    for job in ("before", "crash", "after"):
        pool.submit(job)
    pool.close()

    assert outcomes.of["crash"] == Crashed("ended the worker process (SIGABRT)")
    assert outcomes.of["before"][1] == "before"
    assert outcomes.of["after"][1] == "after"


def test_a_job_that_hangs_is_killed(outcomes):
    pool = WorkerPool(1, Spec(build, "spec"), outcomes, job_seconds=0.2)
    pool.start()
    pool.submit("hang")
    pool.submit("after")
    pool.close()

    assert outcomes.of["hang"] == Crashed("took longer than 0.2 s")
    assert outcomes.of["after"][1] == "after"


def test_of_many_jobs_that_a_process_was_given_only_the_one_to_blame_is_lost(outcomes):
    pool = WorkerPool(1, Spec(build, "spec"), outcomes, job_seconds=0.5, ahead=16)
    jobs = [*range(5), "crash", *range(5, 10), "raise", "hang", *range(10, 15)]
    for job in jobs:
        pool.submit(job)
    pool.start()
    pool.close()

    lost = {job: outcome for job, outcome in outcomes.of.items() if isinstance(outcome, Crashed)}
    assert lost == {
        "crash": Crashed("ended the worker process (SIGABRT)"),
        "raise": Crashed("ValueError in the worker"),
        "hang": Crashed("took longer than 0.5 s"),
    }
    done_by = [outcomes.of[job][2] for job in range(15)]
    assert (len(set(done_by[:5])), len(set(done_by[5:10])), len(set(done_by[10:]))) == (1, 1, 1)
    assert len(set(done_by)) == 3


def test_no_job_is_to_blame_for_a_process_that_was_killed_while_it_had_none(outcomes):
    pool = WorkerPool(1, Spec(build, "spec"), outcomes)
    pool.start()
    pool.submit("before")
    pool.wait()
    os.kill(outcomes.of["before"][2], signal.SIGKILL)
    os.waitid(os.P_PID, outcomes.of["before"][2], os.WEXITED | os.WNOWAIT)
    pool.submit("after")
    pool.close()

    assert outcomes.of["after"][1] == "after"


def test_a_job_that_raises_is_reported_without_its_text(outcomes):
    pool = WorkerPool(1, Spec(build, "spec"), outcomes)
    pool.start()
    pool.submit("raise")
    pool.close()

    assert outcomes.of["raise"] == Crashed("ValueError in the worker")


def test_wait_returns_when_everything_is_done(outcomes):
    pool = WorkerPool(1, Spec(build, "spec"), outcomes)
    pool.start()
    for job in range(20):
        pool.submit(job)
    pool.wait()

    assert len(outcomes.of) == 20
    pool.close()


@pytest.mark.parametrize(
    ("spec", "kind", "message"),
    [
        ("refuse", ConfigError, "conf.yaml:1: no"),
        ("break", PacsfwError, "a worker process failed: RuntimeError: oops"),
        ("die", PacsfwError, "a worker process ended while starting"),
    ],
)
def test_a_worker_that_cannot_be_built_is_an_error_at_the_start(outcomes, spec, kind, message):
    pool = WorkerPool(2, Spec(build, spec), outcomes)

    with pytest.raises(kind, match=message):
        pool.start()


def test_a_process_that_cannot_be_started_is_an_error_and_no_hang(outcomes):
    pool = WorkerPool(2, Spec(build, lambda: "cannot be pickled"), outcomes)

    with pytest.raises(PacsfwError, match="a worker process cannot be started"):
        pool.start()
