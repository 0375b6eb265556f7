"""The sink of ``storage.resources``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from pacsfw.api import Sink
from pacsfw.errors import RemoteError, Retry
from pacsfw.plugins.registry import Registry
from pacsfw.steps.run import Run


def sink_for(target: str, registry: Registry) -> Sink:
    """Build the sink that claims a target by its suffix or scheme."""
    offer = registry.sink_for(target)
    sink: Sink = registry.build("sink", offer.reference, {"path": target})
    return sink


@contextmanager
def open_study_list(run: Run) -> Iterator[Sink]:
    """Open the sink of ``storage.resources``.

    Raises
    ------
    RemoteError
        It is a database that cannot be reached.
    """
    with closing(sink_for(run.storage.resources, run.registry)) as sink:
        try:
            sink.open(run.context)
            yield sink
        except Retry as err:
            raise RemoteError(f"storage.resources: {err}") from None
