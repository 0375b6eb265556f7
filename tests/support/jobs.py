"""What runs in the worker processes of the pool's tests; importable by them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pacsfw.errors import ConfigError


@dataclass(frozen=True)
class Spec:
    """Builds a worker by a function of these, with an argument for it."""

    make: Callable[[Any], Callable[[Any], Any]]
    argument: Any = None

    def build(self) -> Callable[[Any], Any]:
        return self.make(self.argument)


def build(spec: Any) -> Callable[[Any], Any]:
    """Runs in the worker process."""
    if spec == "refuse":
        raise ConfigError("conf.yaml:1: no")
    if spec == "break":
        raise RuntimeError("oops")
    if spec == "die":
        os._exit(3)

    def work(job: Any) -> Any:
        if job == "crash":
            os.kill(os.getpid(), signal.SIGKILL)
        if job == "hang":
            time.sleep(60)
        if job == "raise":
            raise ValueError("a patient's name")
        return (spec, job, os.getpid())

    return work
