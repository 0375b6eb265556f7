"""What runs in the worker processes of the intake's tests; importable by them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from pacsfw.ingest.ingest import Vanished


def build_crashing(spec: Any) -> Callable[[Any], Any]:
    """Every job kills its process."""

    def work(job: Any) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)

    return work


def build_vanishing(spec: Any) -> Callable[[Any], Any]:
    """The file of every job is gone."""

    def work(job: Any) -> Any:
        return Vanished()

    return work


def build_marking(spec: Any) -> Callable[[Any], Any]:
    """Every row becomes what the spec is."""

    def work(job: Any) -> Any:
        return replace(job.instance, row=(spec,))

    return work
