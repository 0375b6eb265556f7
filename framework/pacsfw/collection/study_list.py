"""The sink of ``storage.resources``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from pacsfw.api import RunContext, Sink
from pacsfw.errors import RemoteError, Retry
from pacsfw.plugins.registry import Registry


def sink_for(target: str, registry: Registry) -> Sink:
    """Build the sink that claims a target by its suffix or scheme."""
    offer = registry.sink_for(target)
    sink: Sink = registry.build("sink", offer.reference, {"path": target})
    return sink


@contextmanager
def open_study_list(target: str, registry: Registry, context: RunContext) -> Iterator[Sink]:
    """Open the sink of ``storage.resources``.

    Raises
    ------
    RemoteError
        It, a database, cannot be reached.
    """
    with closing(sink_for(target, registry)) as sink:
        try:
            sink.open(context)
            yield sink
        except Retry as err:
            raise RemoteError(f"storage.resources: {err}") from None
