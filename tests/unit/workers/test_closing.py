"""What a worker process has built is closed at the end of the process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pacsfw.workers import OrderedPool, WorkerPool


class Noting:
    """Writes a file when it is closed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, job: Any) -> Any:
        return job

    def close(self) -> None:
        (self._folder / "closed").touch(exist_ok=False)


@dataclass(frozen=True)
class Spec:
    folder: Path

    def build(self) -> Callable[[Any], Any]:
        return Noting(self.folder)


@pytest.mark.parametrize("jobs", [0, 3])
def test_in_a_pool(tmp_path: Path, jobs: int) -> None:
    done: list[Any] = []
    pool = WorkerPool(1, Spec(tmp_path), done.extend)
    pool.start()
    for job in range(jobs):
        pool.submit(job)
    pool.wait()
    assert not (tmp_path / "closed").exists()
    pool.close()
    assert (tmp_path / "closed").exists()
    assert done == [(job, job) for job in range(jobs)]


def test_in_a_pool_of_many_small_jobs(tmp_path: Path) -> None:
    with OrderedPool(1, Spec(tmp_path)) as pool:
        assert [outcome for _, outcome in pool.map(range(5))] == list(range(5))
    assert (tmp_path / "closed").exists()
