"""Run the converters of a configuration during one run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from pacsfw.api import Converter, RunContext
from pacsfw.config import Convert
from pacsfw.plugins import PluginPlan, discover
from pacsfw.steps.convert.conversions import Conversions, note_data
from pacsfw.steps.convert.worker import ATTEMPTS, Work
from pacsfw.steps.run import Run
from pacsfw.workers import WorkerPool

KILL_SECONDS = 60.0
"""Extra time after its time limit before the process of a conversion is killed."""


@dataclass(frozen=True, slots=True)
class ConvertSpec:
    """The picklable data from which a worker process builds a converter."""

    plugins: PluginPlan
    convert: Convert
    context: RunContext

    def build(self) -> Work:
        """Load the plugins in the worker process, and open the converter."""
        os.umask(0o077)
        registry = discover(self.plugins)
        use = self.convert.use
        converter: Converter = registry.build("converter", use.name, use.options)
        converter.open(self.context)
        return Work(converter, self.convert.seconds, f"converter {self.convert.component}")


@contextmanager
def converting(run: Run) -> Iterator[list[Conversions]]:
    """Convert due items during the run; at the end, wait for all conversions.

    If the run is stopped, the remaining items stay due.
    """
    opened: list[Conversions] = []
    try:
        for convert in run.config.converts:
            pool_of = partial(
                WorkerPool,
                convert.workers,
                ConvertSpec(run.config.plugins, convert, run.context),
                job_seconds=ATTEMPTS * convert.seconds + KILL_SECONDS,
                backlog=convert.workers,
                blame=run.blame,
            )
            use = convert.use
            identity = run.registry.identify("converter", use.name, use.options)
            note_data(run.ledger, convert, identity.info.fingerprint)
            made_by = run.ledger.provenance.id_of([identity.record])
            conversions = Conversions(run, convert, pool_of, made_by)
            conversions.open()
            opened.append(conversions)
        yield opened
    finally:
        for conversions in opened:
            conversions.close()
