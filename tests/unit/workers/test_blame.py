"""A process that dies: the component that was called is named, and the job done without it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pacsfw.workers import Blame, Crashed, OrderedPool, WorkerPool
from pacsfw.workers.calling import ending
from support.jobs import Spec, build_with_components

pytestmark = pytest.mark.usefixtures("spawned")  # processes are what it is about

CALLBACK, LAYOUT = "callback 'c' (from d 1.0)", "layout 'l' (from d 1.0)"


def in_pool(folder: Path, jobs: list[Any], blame: Blame, **options: Any) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    spec = Spec(build_with_components, str(folder))
    pool = WorkerPool(1, spec, found.update, blame=blame, ahead=8, **options)
    for job in jobs:
        pool.submit(job)
    pool.start()
    pool.close()
    return found


def in_order(folder: Path, jobs: list[Any], blame: Blame, **options: Any) -> dict[Any, Any]:
    spec = Spec(build_with_components, str(folder))
    with OrderedPool(1, spec, blame=blame, **options) as pool:
        return dict(pool.map(jobs))


BOTH = pytest.mark.parametrize("run", [in_pool, in_order])


@BOTH
@pytest.mark.parametrize(
    ("what", "why"),
    [("abort", "ended the worker process (SIGABRT)"), ("exit", "ended the worker process (exit ")],
)
def test_the_job_is_done_again_without_the_component(run, tmp_path, what, why) -> None:
    blame = Blame()
    jobs = [("callback", 1), ("callback", what), ("callback", 2), ("layout", 3)]

    outcomes = run(tmp_path, jobs, blame)

    assert outcomes.pop(("callback", what)).startswith(why)
    assert outcomes == {("callback", 1): 1, ("callback", 2): 2, ("layout", 3): 3}
    assert blame.crashes == {CALLBACK: 1}
    assert not blame.off


@BOTH
def test_what_only_a_kill_ends_is_the_fault_of_the_component(run, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("pacsfw.workers.ordered.ANSWER_SECONDS", 0.0)
    blame = Blame()

    outcomes = run(tmp_path, [("callback", "hang"), ("callback", 2)], blame, job_seconds=0.5)

    assert outcomes == {("callback", "hang"): "took longer than 0.5 s", ("callback", 2): 2}
    assert blame.crashes == {CALLBACK: 1}


@BOTH
def test_a_callback_is_off_after_three_processes_and_a_layout_never(run, tmp_path) -> None:
    blame = Blame()

    def numbered(kind: str) -> list[Any]:
        return [(kind, "abort")]

    for _ in range(4):
        run(tmp_path, [*numbered("callback"), *numbered("layout")], blame)
    last = run(tmp_path, [("callback", 5), ("layout", 5)], blame)

    assert blame.crashes == {CALLBACK: 3, LAYOUT: 4}
    assert last == {
        ("callback", 5): "off for this run: it has ended 3 worker processes",
        ("layout", 5): 5,
    }
    assert [problem.partition(":")[0] for problem in blame.problems] == [CALLBACK, LAYOUT]
    assert "it was not called any more" in blame.problems[0]


@BOTH
@pytest.mark.parametrize("component", ["callback", "none"])
def test_a_process_killed_from_outside_blames_nobody(run, tmp_path, component) -> None:
    blame = Blame()
    jobs = [(component, 1), (component, ("killed", 2)), (component, 3)]

    outcomes = run(tmp_path, jobs, blame)

    assert outcomes == {job: job[1] for job in jobs}
    assert not blame.crashes


def test_a_job_at_which_every_process_is_killed_comes_to_an_end(tmp_path) -> None:
    blame = Blame()
    jobs = [("callback", ("killed", 99)), ("none", ("lost", 99)), ("none", 3)]

    outcomes = in_pool(tmp_path, jobs, blame)

    assert outcomes == {
        jobs[0]: "ended the worker process (SIGKILL)",
        jobs[1]: Crashed("ended the worker process (SIGKILL)"),
        jobs[2]: 3,
    }
    assert blame.crashes == {CALLBACK: 1}


def test_how_a_process_ended_is_said_in_words() -> None:
    assert [ending(code) for code in (-6, 7, None)] == ["SIGABRT", "exit code 7", "exit code None"]
    assert ending(-200) == "signal 200"
