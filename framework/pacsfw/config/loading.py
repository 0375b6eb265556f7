"""Build a `Config` from a file: read, load its plugins, fill in, validate, build."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pacsfw.api import Component
from pacsfw.config import converting, files, finding, network, schemas, sections, tables
from pacsfw.config.building import Loaded, Selected, build_each
from pacsfw.config.checking import check, check_foreign
from pacsfw.config.components import ConfigBuilder, hide, uses_in
from pacsfw.config.dicomweb import hide_credentials
from pacsfw.config.document import Document, KeyPath, Problems
from pacsfw.config.files import Located
from pacsfw.config.interpolate import Sources, interpolate
from pacsfw.config.listener import hide_passwords
from pacsfw.config.model import Config, TagEntry, Use
from pacsfw.errors import ConfigError, PacsfwError, PluginError
from pacsfw.plugins import PluginPlan
from pacsfw.plugins.registry import Registry


def load(
    path: Path | None,
    registry_for: Callable[[PluginPlan], Registry],
    *,
    env: Mapping[str, str] = os.environ,
    cwd: Path | None = None,
    home: Path | None = None,
    installed_plugins: bool = True,
    with_profile: bool = True,
    build: bool = False,
) -> Loaded:
    """Find, read and validate a configuration.

    Parameters
    ----------
    path
        The file; None searches for it, see `pacsfw.config.files.locate`.
    registry_for
        Creates the registry of the plugins that the file needs, usually `plugins.discover`.
    env, cwd, home
        Variables and folders; by default those of this process.
    installed_plugins
        False excludes installed third-party plugins.
    with_profile
        False does not read ``net.called_node.profile``, which may be about to be written.
    build
        Build each component that the file names, once: what cannot be built is a problem too.

    Raises
    ------
    ConfigError
        With all problems in the order of the file, each as
        ``conf.yaml:12:5: move.start_time: ...``.
    PluginError
        The only problems are missing or broken plugins.
    """
    located = files.locate(path, env, cwd or Path.cwd(), home or _home())
    document = files.read(located)
    problems = Problems(document)
    sources = Sources(env, located)
    plan = _plugin_plan(document, problems, sources, installed=installed_plugins)
    registry = registry_for(plan)
    _report_failed(plan, registry, problems)
    others = [key for key in document.tree if key != "plugins"]
    interpolate(document, problems, Sources(env, located, registry), others)
    hide_credentials(document)
    hide_passwords(document)
    schema = schemas.with_sections(registry)
    check(document, problems, (), document.tree, schema)
    _report_switched_off(document, problems, registry, schema)
    schemas.fill_defaults(schema, document.tree)
    builder = ConfigBuilder(document, problems, registry, located, with_profile)
    config = _build(builder, plan)
    if build:
        named = (each for each in builder.selected if each.place in document.values)
        build_each(named, registry, problems)
    problems.raise_any()
    registry.config_loaded(config.raw)
    return Loaded(config, registry, document, tuple(builder.selected))


def plugins_of(path: Path) -> tuple[PluginPlan, str]:
    """Return the plugins that a file needs, even if it has other problems.

    Returns
    -------
    tuple
        The plan, and the problems of the file that concern plugins; "" if there are none.
    """
    try:
        located = files.locate(path, os.environ, Path.cwd(), _home())
        document = files.read(located)
    except ConfigError as err:
        return PluginPlan(), str(err)
    problems = Problems(document)
    plan = _plugin_plan(document, problems, Sources(os.environ, located), installed=True)
    try:
        problems.raise_any()
    except PacsfwError as err:
        return plan, str(err)
    return plan, ""


def tags_of_tree(
    tree: Sequence[Mapping[str, Any]],
    registry: Registry,
    row_callbacks: Mapping[str, Component[Any]] | None = None,
) -> tuple[TagEntry, ...]:
    """Return the tags of a ``tags`` section that does not come from a file.

    Parameters
    ----------
    row_callbacks
        Row callbacks that no plugin offers, by the name used in the tree.

    Raises
    ------
    ConfigError
        With all problems, each as ``tags[0].tag_name: ...``.
    """
    document = Document("tags", {"tags": [dict(tag) for tag in tree]}, {}, {})
    problems = Problems(document)
    check(document, problems, (), document.tree, schemas.frame())
    located = Located(Path("tags"), "tags", Path.cwd(), _home())
    builder = ConfigBuilder(
        document, problems, registry, located, row_callbacks=row_callbacks or {}
    )
    found = () if problems.at("tags") else tables.tags(builder)
    build_each(builder.selected, registry, problems)
    problems.raise_any()
    return found


def _home() -> Path | None:
    try:
        return Path.home()
    except RuntimeError:
        return None


def _plugin_plan(
    document: Document, problems: Problems, sources: Sources, *, installed: bool
) -> PluginPlan:
    """Return the plugins of the file, without those that must not or cannot be loaded."""
    node = document.tree.get("plugins", {})
    if "plugins" in document.tree:
        interpolate(document, problems, sources, ["plugins"])
    check(document, problems, ("plugins",), node, schemas.frame()["properties"]["plugins"])
    if problems.at("plugins"):
        return PluginPlan(installed=installed)
    load = []
    for index, text in enumerate(node.get("load", [])):
        place = ("plugins", "load", index)
        path = _trusted(sources.located, problems, place, text)
        if path is not None:
            document.replace(place, str(path))
            load.append(path)
    return PluginPlan(tuple(load), tuple(node.get("disable", [])), installed)


def _trusted(located: Located, problems: Problems, place: KeyPath, text: str) -> Path | None:
    """Return the path of a plugin if it exists and no other user can modify it."""
    try:
        path = located.resolve(text)
        if path.is_file() or path.is_dir():
            why = files.why_unsafe(path)
        else:
            why = "not a regular file" if path.exists() else "no such file or folder"
    except (ValueError, OSError) as err:
        problems.quote(place, err)
        return None
    if why is not None:
        problems.add(place, f"{path}: {why}")
        return None
    return path


def _report_failed(plan: PluginPlan, registry: Registry, problems: Problems) -> None:
    """Add a problem for each plugin of the file that does not load."""
    for index, path in enumerate(plan.load):
        for failure in registry.failures:
            if failure.distribution == str(path):
                problems.add(("plugins", "load", index), str(failure), plugin=True)


def _report_switched_off(
    document: Document, problems: Problems, registry: Registry, schema: Mapping[str, Any]
) -> None:
    """Say of each unknown section that plugins are off: one of them may own it."""
    for key in document.tree if registry.hint else ():
        if key not in schema["properties"]:
            problems.add((key,), f"a plugin may own it, but {registry.hint}", key=True)


def _build(builder: ConfigBuilder, plan: PluginPlan) -> Config:
    document, located = builder.document, builder.located
    net = network.net(builder)
    storage = tables.storage(builder)
    claimed = dict(_claimed_sections(builder))
    return Config(
        path=located.path,
        base=located.base,
        net=net,
        find=finding.find(builder),
        move=sections.move(builder),
        storage=storage,
        tags=tables.tags(builder),
        converts=converting.converts(builder, storage),
        sinks=tables.sinks(builder, storage),
        observers=tuple(_observers(builder, claimed)),
        plugins=plan,
        sections=claimed,
        warnings=(
            *network.net_warnings(builder, net),
            *tables.storage_warnings(builder, storage),
            *_unknown_disabled(builder, plan),
            *(f"{each}: {text}" for each in builder.registry.plugins for text in each.deprecated),
        ),
        raw=document.tree,
        secrets=frozenset(document.secrets),
    )


def _claimed_sections(builder: ConfigBuilder) -> Iterator[tuple[str, Any]]:
    """Check the sections of plugins against their own schemas."""
    for key in schemas.claimed(schemas.frame(), builder.registry):
        if key in builder.document.tree:
            try:
                offer = builder.registry.section(key)
            except PluginError as err:
                builder.problems.quote((key,), err)
                continue
            owner = f"section of {offer.distribution} {offer.version}".strip()
            value = builder.document.tree[key]
            hide(builder.document, (key,), value, offer.section.schema)
            check_foreign(
                builder.document, builder.problems, (key,), value, offer.section.schema, owner
            )
            yield key, value


def _observers(builder: ConfigBuilder, claimed: Mapping[str, Any]) -> Iterator[Use]:
    """Return the listed observers, and those that are enabled by their own section."""
    listed = [use for _, use in uses_in(builder, "observer", "observers")]
    yield from listed
    for key in claimed:
        offer = builder.registry.sections[key]
        name = offer.section.observer
        if name and not any(use.name.rpartition("/")[2] == name for use in listed):
            use = Use(f"{offer.distribution}/{name}", where=builder.document.where((key,)))
            builder.selected.append(Selected("observer", use, (key,), (key,)))
            yield use


def _unknown_disabled(builder: ConfigBuilder, plan: PluginPlan) -> Iterator[str]:
    """Warn of a disabled name that matches nothing: it may be misspelt."""
    known = {part for name in builder.registry.disabled for part in (name, *name.split("/"))}
    for index, name in enumerate(plan.disable):
        if name not in known:
            where = builder.document.where(("plugins", "disable", index))
            yield f"{where}: plugins.disable[{index}]: no plugin is named {name!r}"
