"""The components that a collection uses, with the packages that offer them."""

from __future__ import annotations

from collections.abc import Collection

from pacsfw.api import ComponentInfo
from pacsfw.collection.pacs import build_transfer, pacs_query, transfer_use
from pacsfw.config import Config, Use
from pacsfw.plugins.origin import code_of, info_of
from pacsfw.plugins.registry import Registry


def components(
    config: Config, registry: Registry, built: Collection[str] = ()
) -> tuple[ComponentInfo, ...]:
    """Return every component that the configuration uses, each once.

    Those of the kinds in ``built`` are asked for their fingerprints, and are built for that.

    Raises
    ------
    PluginError
        A component cannot be built or identified.
    """
    uses: list[tuple[str, Use]] = [("query", config.find.use)] if config.find else []
    if config.find and config.find.cohort:
        uses.append(("cohort", config.find.cohort))
    if config.move:
        use, _ = transfer_use(config, registry)
        asked = pacs_query(config, build_transfer(use, registry), registry)
        uses += [("transfer", use), ("query", asked)]
    uses += [each for tag in config.tags for each in tag.uses]
    uses += [("converter", convert.use) for convert in config.converts]
    uses += [("sink", use) for use in config.sinks]
    uses += [("observer", use) for use in config.observers]
    if config.storage:
        uses.append(("layout", config.storage.sort_by))
        targets = [config.storage.resources]
        table = registry.sink_for(config.storage.resources_meta)
        if config.tags or table.component.multi_table:
            targets.append(config.storage.resources_meta)
        uses += [
            ("sink", Use(registry.sink_for(target).reference, {"path": target}))
            for target in targets
        ]
    found = {_info(kind, use, registry, asked=kind in built) for kind, use in uses}
    return tuple(sorted(found, key=lambda info: (info.kind, info.distribution, info.name)))


def _info(kind: str, use: Use, registry: Registry, *, asked: bool) -> ComponentInfo:
    if asked:
        return registry.identify(kind, use.name, use.options).info
    offer = registry.select(kind, use.name)
    return info_of(offer, code_of(offer))
