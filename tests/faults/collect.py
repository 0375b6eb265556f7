"""Runs a pacsfw command with short waiting times: what a campaign starts and kills."""

from __future__ import annotations

from functools import partial

from pacsfw.cli import program
from pacsfw.collection import session as conductor
from pacsfw.steps.run import Timing

GRACE = 4.0

if __name__ == "__main__":
    conductor.Timing = partial(Timing, quiet=0.5, grace=GRACE, pause=0.1)  # type: ignore[misc, assignment]
    program()
