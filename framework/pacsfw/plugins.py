"""Find plugins, load each in its own guard, and collect what they offer.

Discovery uses ``importlib.metadata``. ``entrypoints`` reads the plugin folders named in the
configuration, and nothing else: it gives up on the first distribution with broken metadata,
which must not happen for packages that are none of our business.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, NoReturn, cast

import entrypoints
import pluggy

from pacsfw import hookspecs
from pacsfw.api import Component, ConfigSection
from pacsfw.registry import Offer, PluginFailure, Registry, SectionOffer

HOOKS = {
    "pacsfw_query_providers": "query",
    "pacsfw_transfers": "transfer",
    "pacsfw_layouts": "layout",
    "pacsfw_tag_callbacks": "callback",
    "pacsfw_converters": "converter",
    "pacsfw_sinks": "sink",
    "pacsfw_observers": "observer",
}
BUNDLED = "pacsfw"
DISABLE_VARIABLE = "PACSFW_DISABLE_PLUGINS"


@dataclass(frozen=True, slots=True)
class PluginPlan:
    """Which plugins to load. Picklable: every worker process discovers them again.

    ``load`` are one-file plugins and folders of installed distributions; ``disable`` are
    plugin names, distribution names or ``distribution/plugin``; bundled plugins are
    disabled by the last form only. ``installed`` False leaves third-party packages out.
    """

    load: tuple[Path, ...] = ()
    disable: tuple[str, ...] = ()
    installed: bool = True


@dataclass(frozen=True, slots=True)
class _Candidate:
    name: str
    distribution: str
    version: str
    load: Callable[[], Any]

    def is_disabled(self, disable: frozenset[str]) -> bool:
        if f"{self.distribution}/{self.name}" in disable:
            return True
        return self.distribution != BUNDLED and bool({self.name, self.distribution} & disable)


@dataclass(slots=True)
class _Collected:
    offers: list[Offer] = field(default_factory=list)
    sections: dict[str, SectionOffer] = field(default_factory=dict)
    failures: list[PluginFailure] = field(default_factory=list)
    disabled: list[str] = field(default_factory=list)

    def fail(self, candidate: _Candidate, stage: str, err: BaseException) -> None:
        self.failures.append(
            PluginFailure(
                plugin=candidate.name,
                distribution=candidate.distribution,
                version=candidate.version,
                stage=stage,
                error=f"{type(err).__name__}: {err}",
                traceback="".join(traceback.format_exception(err)),
            )
        )


def discover(plan: PluginPlan) -> Registry:
    """Load every plugin of the plan and return what they offer.

    A plugin that cannot be loaded costs itself only: it is remembered in
    ``registry.failures`` and quoted when a name is selected that nothing offers.
    """
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    collected = _Collected()
    owners: dict[str, _Candidate] = {}
    disable = frozenset(plan.disable) | frozenset(
        name.strip() for name in os.environ.get(DISABLE_VARIABLE, "").split(",") if name.strip()
    )
    for candidate in _candidates(plan):
        if candidate.is_disabled(disable):
            collected.disabled.append(f"{candidate.distribution}/{candidate.name}")
        elif (key := _register(manager, candidate, collected)) is not None:
            owners[key] = candidate
    _collect_components(manager, owners, collected)
    _collect_sections(manager, owners, collected)
    return Registry(
        collected.offers,
        sections=collected.sections,
        failures=collected.failures,
        disabled=collected.disabled,
        resolve_secret=manager.hook.pacsfw_resolve_secret,
        config_hooks=[
            (impl.plugin_name, cast("Callable[[Mapping[str, Any]], None]", impl.function))
            for impl in manager.hook.pacsfw_config_loaded.get_hookimpls()
        ],
    )


def subcommands(plan: PluginPlan) -> Iterator[Any]:
    """Yield the click commands that plugins add."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    ignored = _Collected()
    for candidate in _candidates(plan):
        if not candidate.is_disabled(frozenset(plan.disable)):
            _register(manager, candidate, ignored)
    for impl in manager.hook.pacsfw_subcommands.get_hookimpls():
        try:
            yield from list(cast("Callable[[], Iterable[Any]]", impl.function)())
        except (Exception, SystemExit) as err:  # noqa: BLE001 - a plugin costs itself only
            print(f"pacsfw: plugin {impl.plugin_name}: {err!r}", file=sys.stderr)  # noqa: T201


def _candidates(plan: PluginPlan) -> Iterator[_Candidate]:
    found = []
    for entry in entry_points(group=hookspecs.PROJECT):
        distribution = entry.dist.name if entry.dist else "unknown"
        if plan.installed or distribution == BUNDLED:
            version = entry.dist.version if entry.dist else ""
            found.append(_Candidate(entry.name, distribution, version, entry.load))
    # Sorted, so that nothing depends on the order of folders on disk.
    yield from sorted(found, key=lambda candidate: (candidate.distribution, candidate.name))
    for path in plan.load:
        if path.is_dir():
            yield from _folder(path)
        else:
            yield _Candidate(path.stem, str(path), "", partial(_load_file, path))


def _folder(path: Path) -> Iterator[_Candidate]:
    if str(path) not in sys.path:
        sys.path.append(str(path))
    try:
        entries = sorted(
            entrypoints.get_group_all(hookspecs.PROJECT, path=[str(path)]), key=lambda e: e.name
        )
        if not entries:
            raise FileNotFoundError(f"no installed plugin in {path}")
    except Exception as err:  # noqa: BLE001 - broken metadata: reported when it is "loaded"
        yield _Candidate(path.name, str(path), "", partial(_raise, err))
        return
    for entry in entries:
        name, version = (entry.distro.name, entry.distro.version) if entry.distro else ("", "")
        yield _Candidate(entry.name, name or str(path), version or "", entry.load)


def _raise(err: Exception) -> NoReturn:
    raise err


def _load_file(path: Path) -> Any:
    """Import a one-file plugin under its own name, so that ``name:function`` finds it too."""
    if path.stem in sys.modules:
        module = sys.modules[path.stem]
        if getattr(module, "__file__", None) == str(path):
            return module
        raise ImportError(f"a module named {path.stem!r} is loaded already; rename {path.name}")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[path.stem]
        raise
    return module


def _register(
    manager: pluggy.PluginManager, candidate: _Candidate, collected: _Collected
) -> str | None:
    key = f"{candidate.distribution}/{candidate.name}"
    try:
        plugin = candidate.load()
    except (Exception, SystemExit) as err:  # noqa: BLE001 - a plugin costs itself only
        collected.fail(candidate, "import", err)
        return None
    try:
        _check_hook_names(manager, plugin)
        manager.register(plugin, name=key)
    except Exception as err:  # noqa: BLE001 - a plugin costs itself only
        collected.fail(candidate, "register", err)
        return None
    return key


def _check_hook_names(manager: pluggy.PluginManager, plugin: Any) -> None:
    known = [name for name in vars(hookspecs) if name.startswith("pacsfw_")]
    for name in dir(plugin):
        if not name.startswith("pacsfw_") or not callable(getattr(plugin, name)):
            continue
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise ValueError(f"{name!r} is not a hook of pacsfw{hint}")
        if manager.parse_hookimpl_opts(plugin, name) is None:
            raise ValueError(f"{name!r} lacks the @hookimpl decorator")


def _collect_components(
    manager: pluggy.PluginManager, owners: dict[str, _Candidate], collected: _Collected
) -> None:
    for hook, kind in HOOKS.items():
        for owner, record in _answers(manager, hook, Component, owners, collected):
            collected.offers.append(
                Offer(kind, record, owner.name, owner.distribution, owner.version)
            )
    collected.offers.sort(key=lambda offer: (offer.kind, offer.component.name, offer.distribution))


def _collect_sections(
    manager: pluggy.PluginManager, owners: dict[str, _Candidate], collected: _Collected
) -> None:
    hook = "pacsfw_config_sections"
    for owner, section in _answers(manager, hook, ConfigSection, owners, collected):
        if section.key in collected.sections:
            other = collected.sections[section.key]
            err = ValueError(f"section {section.key!r} belongs to {other.plugin!r} already")
            collected.fail(owner, hook, err)
            continue
        collected.sections[section.key] = SectionOffer(
            section, owner.name, owner.distribution, owner.version
        )


def _answers(
    manager: pluggy.PluginManager,
    hook: str,
    record_type: type[Any],
    owners: dict[str, _Candidate],
    collected: _Collected,
) -> Iterator[tuple[_Candidate, Any]]:
    """Call each implementation on its own: one that fails must not silence the others."""
    for impl in getattr(manager.hook, hook).get_hookimpls():
        owner = owners[impl.plugin_name]
        try:
            records = list(impl.function())  # a generator raises only when it is consumed
            for record in records:
                if not isinstance(record, record_type):
                    raise TypeError(f"yields {type(record).__name__}, not {record_type.__name__}")
        except (Exception, SystemExit) as err:  # noqa: BLE001 - a plugin costs itself only
            collected.fail(owner, hook, err)
            continue
        for record in records:
            yield owner, record
