"""The components that a collection uses, with the packages that offer them."""

from __future__ import annotations

from collections.abc import Sequence

from pacsfw.api import ComponentInfo
from pacsfw.collection.pacs import build_transfer, pacs_query, transfer_use
from pacsfw.config import Config, TagEntry, Use
from pacsfw.plugins.records import Offer
from pacsfw.plugins.registry import Registry


def callbacks_of(tags: Sequence[TagEntry], registry: Registry) -> dict[str, str]:
    """Return the callbacks and row callbacks of the tags, by kind; empty if there are none."""
    named: dict[str, dict[str, None]] = {}
    for kind, use in (each for tag in tags for each in tag.uses):
        named.setdefault(kind, {})[registry.describe(kind, use.name)] = None
    return {kind: ", ".join(names) for kind, names in named.items()}


def components(config: Config, registry: Registry) -> tuple[ComponentInfo, ...]:
    """Return every component that the configuration uses, each once."""
    uses: list[tuple[str, Use]] = [("query", config.find.use)] if config.find else []
    if config.move:
        use, _ = transfer_use(config, registry)
        asked = pacs_query(config, build_transfer(use, registry), registry)
        uses += [("transfer", use), ("query", asked)]
    uses += [each for tag in config.tags for each in tag.uses]
    uses += [("converter", convert.use) for convert in config.converts]
    uses += [("sink", use) for use in config.sinks]
    uses += [("observer", use) for use in config.observers]
    offers: list[Offer] = []
    if config.storage:
        uses.append(("layout", config.storage.sort_by))
        offers.append(registry.sink_for(config.storage.resources))
        table = registry.sink_for(config.storage.resources_meta)
        offers += [table] if config.tags or table.component.multi_table else []
    offers += [registry.select(kind, use.name) for kind, use in uses]
    found = {(offer.kind, offer.reference): offer for offer in offers}
    return tuple(
        ComponentInfo(
            kind=kind,
            name=offer.component.name,
            distribution=offer.distribution,
            version=offer.version,
        )
        for (kind, _), offer in sorted(found.items())
    )
