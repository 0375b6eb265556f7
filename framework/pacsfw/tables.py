"""The tables of a collection: what is delivered to which sink."""

from __future__ import annotations

from pacsfw import assemble
from pacsfw.api import Sink
from pacsfw.config import Config, Storage
from pacsfw.deliver.outbox import Outbox
from pacsfw.ledger import Ledger
from pacsfw.registry import Registry


def outboxes_of(
    config: Config, storage: Storage, registry: Registry, ledger: Ledger
) -> list[tuple[str, Outbox]]:
    """Return the outbox of every table of instances, with its target."""
    table = assemble.instance_table(config.tags)

    def outbox(name: str, sink: Sink, component: str) -> Outbox:
        return Outbox(name, sink, table, ledger, storage.directory, component=component)

    outboxes = []
    if config.tags:
        target = storage.resources_meta
        sink = assemble.sink_for(target, registry)
        outboxes.append((target, outbox(target, sink, registry.sink_for(target).described)))
    for use in config.sinks:
        sink = registry.build("sink", use.name, use.options)
        target = str(use.options.get("path", ""))
        name = use.id or target or use.name
        outboxes.append((target, outbox(name, sink, assemble.owner_of("sink", use, registry))))
    return outboxes
