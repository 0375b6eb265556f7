"""The converters of a configuration, at work for one run."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pacsfw.api import Converter, Event, RunContext
from pacsfw.config import Config, Convert, Storage
from pacsfw.errors import ComponentError, PacsfwError
from pacsfw.ledger import Ledger
from pacsfw.plugins import PluginPlan, discover
from pacsfw.steps.convert.conversions import Conversions
from pacsfw.steps.convert.worker import ATTEMPTS, Work
from pacsfw.workers import Done, WorkerPool

KILL_SECONDS = 60.0
"""How much longer than its time limit a conversion may take that cannot be ended gently."""


@dataclass(frozen=True, slots=True)
class ConvertSpec:
    """What a worker process needs to build a converter; picklable."""

    plugins: PluginPlan
    convert: Convert
    context: RunContext


def build_converter(spec: ConvertSpec) -> Work:
    """Rebuild the registry in a worker process, and open the converter there."""
    os.umask(0o077)
    registry = discover(spec.plugins)
    use = spec.convert.use
    converter: Converter = registry.build("converter", use.name, use.options)
    try:
        converter.open(spec.context)
    except PacsfwError:
        raise
    except (Exception, SystemExit) as err:
        raise ComponentError(
            f"converter {spec.convert.component} cannot be opened: {type(err).__name__}"
        ) from err
    return Work(converter, spec.convert.seconds)


@contextmanager
def converting(
    config: Config,
    storage: Storage,
    ledger: Ledger,
    context: RunContext,
    stop: threading.Event,
    notify: Callable[[Event], None],
) -> Iterator[list[Conversions]]:
    """Convert what is due, and what becomes so; at the end wait until all is done.

    Parameters
    ----------
    stop
        Set where the run is to end: what is not converted then stays due.
    """
    opened: list[Conversions] = []
    try:
        for convert in config.converts:

            def pool_of(done: Done, convert: Convert = convert) -> WorkerPool:
                return WorkerPool(
                    convert.workers,
                    build_converter,
                    ConvertSpec(config.plugins, convert, context),
                    done,
                    job_seconds=ATTEMPTS * convert.seconds + KILL_SECONDS,
                    backlog=convert.workers,
                )

            conversions = Conversions(
                convert, storage, ledger, context.clock, pool_of, stop=stop, notify=notify
            )
            conversions.open()
            opened.append(conversions)
        yield opened
    finally:
        for conversions in opened:
            conversions.close()
