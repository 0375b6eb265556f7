"""What runs in the worker processes of the pool's tests; importable by them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pacsfw.errors import ComponentError, ConfigError
from pacsfw.workers.limits import limited


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
            os.abort()
        if job == "hang":
            time.sleep(60)
        if job == "raise":
            raise ValueError("a patient's name")
        return (spec, job, os.getpid())

    return work


def build_with_components(kills: Any) -> Callable[[Any], Any]:
    """Runs in the worker process: a job is the name of a component, and what that does.

    ``kills``: a folder in which the kills of a job are counted.
    """

    def do(what: Any) -> Any:
        if what == "abort":
            os.abort()
        if what == "exit":
            os._exit(7)
        if what == "hang":
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})  # as code in C does
            time.sleep(60)
        if isinstance(what, tuple):  # killed from outside, so many times
            name, number = what
            Path(kills, f"{name}-{time.monotonic_ns()}").touch()
            if len(list(Path(kills).glob(f"{name}-*"))) <= number:
                os.kill(os.getpid(), signal.SIGKILL)
        return what

    callback = limited(do, 30, "callback 'c' (from d 1.0)")
    layout = limited(do, 30, "layout 'l' (from d 1.0)")

    def work(job: Any) -> Any:
        component, what = job
        try:
            return {"callback": callback, "layout": layout, "none": do}[component](what)
        except ComponentError as err:
            return str(err)

    return work
