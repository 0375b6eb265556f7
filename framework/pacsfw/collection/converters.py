"""The converters of a configuration, at work for one run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pacsfw.api import Converter, RunContext
from pacsfw.config import Convert
from pacsfw.errors import ComponentError, PacsfwError
from pacsfw.plugins import PluginPlan, discover
from pacsfw.steps.convert.conversions import Conversions
from pacsfw.steps.convert.worker import ATTEMPTS, Work
from pacsfw.steps.run import Run
from pacsfw.workers import Done, WorkerPool

KILL_SECONDS = 60.0
"""How much longer than its time limit a conversion may take that cannot be ended gently."""


@dataclass(frozen=True, slots=True)
class ConvertSpec:
    """What a worker process needs to build a converter; picklable."""

    plugins: PluginPlan
    convert: Convert
    context: RunContext

    def build(self) -> Work:
        """Rebuild the registry in a worker process, and open the converter there."""
        os.umask(0o077)
        registry = discover(self.plugins)
        use = self.convert.use
        converter: Converter = registry.build("converter", use.name, use.options)
        try:
            converter.open(self.context)
        except PacsfwError:
            raise
        except (Exception, SystemExit) as err:
            raise ComponentError(
                f"converter {self.convert.component} cannot be opened: {type(err).__name__}"
            ) from err
        return Work(converter, self.convert.seconds)


@contextmanager
def converting(run: Run) -> Iterator[list[Conversions]]:
    """Convert what is due, and what becomes so; at the end wait until all is done.

    Where the run is stopped, what is not converted yet stays due.
    """
    opened: list[Conversions] = []
    try:
        for convert in run.config.converts:

            def pool_of(done: Done, convert: Convert = convert) -> WorkerPool:
                return WorkerPool(
                    convert.workers,
                    ConvertSpec(run.config.plugins, convert, run.context),
                    done,
                    job_seconds=ATTEMPTS * convert.seconds + KILL_SECONDS,
                    backlog=convert.workers,
                )

            conversions = Conversions(run, convert, pool_of)
            conversions.open()
            opened.append(conversions)
        yield opened
    finally:
        for conversions in opened:
            conversions.close()
