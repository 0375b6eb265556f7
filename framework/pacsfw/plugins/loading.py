"""Load plugins, each one in isolation, and collect their offers."""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pluggy

from pacsfw import hookspecs
from pacsfw.api import Component, ConfigSection
from pacsfw.errors import PacsfwError, PluginError
from pacsfw.plugins.discovery import (
    Candidate,
    PluginPlan,
    candidates,
    is_disabled,
    switched_off,
)
from pacsfw.plugins.facts import fault
from pacsfw.plugins.records import CommandOffer, Offer, PluginFailure, PluginInfo, SectionOffer
from pacsfw.plugins.registry import Registry
from pacsfw.words import nearest

HOOKS = {
    "pacsfw_query_providers": "query",
    "pacsfw_transfers": "transfer",
    "pacsfw_layouts": "layout",
    "pacsfw_tag_callbacks": "callback",
    "pacsfw_row_callbacks": "row-callback",
    "pacsfw_converters": "converter",
    "pacsfw_sinks": "sink",
    "pacsfw_observers": "observer",
}
"""Hook -> kind of the components it offers."""

TRACE_VARIABLE = "PACSFW_TRACE_HOOKS"
"""If it is 1, pacsfw writes each call of a hook to stderr, without its arguments."""


def discover(plan: PluginPlan) -> Registry:
    """Load every plugin of the plan and return their offers.

    A plugin that cannot be loaded does not affect the others. It is listed in
    ``registry.failures``, and quoted if a name is selected that no plugin offers.
    """
    loaded = _Loaded()
    for candidate in candidates(plan):
        loaded.add(candidate, disabled=is_disabled(candidate, plan))
    return loaded.registry("plugins are switched off (--no-plugins)" if switched_off() else "")


def registry_of(*plugins: Candidate) -> Registry:
    """Load exactly these plugins, whatever is installed or disabled."""
    loaded = _Loaded()
    for candidate in plugins:
        loaded.add(candidate, disabled=False)
    return loaded.registry()


@dataclass(slots=True)
class _Loaded:
    """The loaded plugins, and the failures of the others."""

    manager: pluggy.PluginManager = field(
        default_factory=lambda: pluggy.PluginManager(hookspecs.PROJECT)
    )
    owners: dict[str, Candidate] = field(default_factory=dict)
    plugins: list[PluginInfo] = field(default_factory=list)
    failures: list[PluginFailure] = field(default_factory=list)
    disabled: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.manager.add_hookspecs(hookspecs)

    def add(self, candidate: Candidate, *, disabled: bool) -> None:
        """Import and register a plugin, unless it is disabled."""
        if disabled:
            self.disabled.append(candidate.key)
            return
        start = time.perf_counter()
        try:
            plugin = candidate.load()
        except (Exception, SystemExit) as err:  # noqa: BLE001 - failures are isolated
            self._fail(candidate, "import", err)
            return
        seconds = time.perf_counter() - start
        try:
            _check_hook_names(self.manager, plugin)
            self.manager.register(plugin, name=candidate.key)
        except (Exception, SystemExit) as err:  # noqa: BLE001 - failures are isolated
            self._fail(candidate, "register", err)
            return
        self.owners[candidate.key] = candidate
        self.plugins.append(
            PluginInfo(candidate.name, candidate.distribution, candidate.version, seconds)
        )

    def registry(self, hint: str = "") -> Registry:
        """Return the offers of the plugins; ``hint`` is added if a name is not found."""
        return Registry(
            self.components(),
            sections=self.sections(),
            failures=self.failures,
            disabled=self.disabled,
            plugins=self.plugins,
            hooks=self,
            hint=hint,
        )

    def components(self) -> list[Offer]:
        """Return every offered component, sorted."""
        offers: dict[tuple[str, str, str], Offer] = {}
        for hook, kind in HOOKS.items():
            for owner, record in self._records(hook, Component):
                fault = _fault(record)
                key = (kind, record.name, owner.distribution)
                if not fault and key in offers:
                    fault = f"{kind} {record.name!r} is offered twice by {owner.distribution}"
                if fault:
                    self._fail(owner, hook, ValueError(fault))
                    continue
                offers[key] = Offer(kind, record, owner.name, owner.distribution, owner.version)
        return [offers[key] for key in sorted(offers)]

    def sections(self) -> dict[str, SectionOffer]:
        """Return the sections of plugins; if two plugins claim a key, the first one gets it."""
        hook = "pacsfw_config_sections"
        found: dict[str, SectionOffer] = {}
        for owner, section in self._records(hook, ConfigSection):
            if section.key in found:
                other = found[section.key]
                err = ValueError(f"section {section.key!r} already belongs to {other.plugin!r}")
                self._fail(owner, hook, err)
                continue
            found[section.key] = SectionOffer(
                section, owner.name, owner.distribution, owner.version
            )
        return found

    def commands(self) -> tuple[list[CommandOffer], list[PluginFailure]]:
        """Return the commands of plugins, and the failures of this call."""
        import click

        before = len(self.failures)
        offers = [
            CommandOffer(record, owner.name, owner.distribution, owner.version)
            for owner, record in self._records("pacsfw_subcommands", click.Command)
        ]
        failed = self.failures[before:]
        del self.failures[before:]
        return offers, failed

    def implementing(self, hook: str) -> list[str]:
        """Return the plugins with this hook."""
        return [owner.key for owner, _ in self._impls(hook)]

    def resolve_secret(self, scheme: str, reference: str) -> str | None:
        """Return the first value that is not None; see `Registry.resolve_secret`.

        The text of an error is not quoted, because it may contain the secret.
        """
        failure: PacsfwError | None = None
        for owner, impl in self._impls("pacsfw_resolve_secret"):
            try:
                value = self._call(impl, {"scheme": scheme, "reference": reference})
            except PacsfwError as err:
                failure = failure or err
                continue
            except (Exception, SystemExit) as err:  # noqa: BLE001 - plugin boundary
                failure = failure or PluginError(
                    f"the plugin for '${{{scheme}:...}}' failed: {_described(owner)}: "
                    f"{type(err).__name__}"
                )
                continue
            if value is not None:
                if not isinstance(value, str):
                    raise PluginError(
                        f"the plugin for '${{{scheme}:...}}' returned no text: {_described(owner)}"
                    )
                return value
        if failure is not None:
            raise failure
        return None

    def config_loaded(self, config: Mapping[str, Any]) -> None:
        """Pass the valid configuration to the plugins; see `Registry.config_loaded`."""
        for owner, impl in self._impls("pacsfw_config_loaded"):
            try:
                self._call(impl, {"config": config})
            except PacsfwError:
                raise
            except (Exception, SystemExit) as err:
                raise PluginError(
                    f"{_described(owner)}: pacsfw_config_loaded: {type(err).__name__}: {err}"
                ) from err

    def _records(self, hook: str, record_type: type[Any]) -> Iterator[tuple[Candidate, Any]]:
        """Call each implementation separately, so that a failure does not affect the others."""
        for owner, impl in self._impls(hook):
            try:
                records = self._call(impl, {}, lambda result: list(result or ()))
                for record in records:
                    if not isinstance(record, record_type):
                        wrong = type(record).__name__
                        raise TypeError(f"yields {wrong}, not {record_type.__name__}")
            except (Exception, SystemExit) as err:  # noqa: BLE001 - failures are isolated
                self._fail(owner, hook, err)
                continue
            for record in records:
                yield owner, record

    def _impls(self, hook: str) -> Iterator[tuple[Candidate, pluggy.HookImpl]]:
        for impl in getattr(self.manager.hook, hook).get_hookimpls():
            yield self.owners[impl.plugin_name], impl

    def _call(
        self,
        impl: pluggy.HookImpl,
        arguments: Mapping[str, Any],
        take: Callable[[Any], Any] = lambda result: result,
    ) -> Any:
        """Call one implementation with the arguments it accepts, and ``take`` its result.

        ``take`` consumes a generator, which works, and may raise, only then.
        """
        start = time.perf_counter()
        ended = "raised"
        try:
            result = take(impl.function(*(arguments[name] for name in impl.argnames)))
            ended = "returned"
        finally:
            if os.environ.get(TRACE_VARIABLE, "") not in ("", "0"):
                name = getattr(impl.function, "__name__", "hook")
                milliseconds = (time.perf_counter() - start) * 1000
                line = f"hook {name}: {impl.plugin_name} {ended} after {milliseconds:.1f} ms"
                print(line, file=sys.stderr)  # noqa: T201 - enabled by the user
        return result

    def _fail(self, candidate: Candidate, stage: str, err: BaseException) -> None:
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


def _described(owner: Candidate) -> str:
    return f"plugin {owner.name!r} ({owner.distribution} {owner.version}".rstrip() + ")"


def _fault(component: Component[Any]) -> str:
    """Return the reason why a component is unusable, empty if it is valid."""
    name = component.name
    if not isinstance(name, str) or not name or any(char in name for char in "/:{}") or " " in name:
        return f"{name!r} is not a component name: text without '/', ':', '{{', '}}' and blanks"
    if not callable(component.factory):
        return f"{name!r}: its factory is not callable"
    if not isinstance(component.schema, Mapping):
        return f"{name!r}: its schema is not a mapping"
    for key in ("accepts", "requires"):
        value: Iterable[str] = getattr(component, key)
        if isinstance(value, str) or not all(isinstance(each, str) and each for each in value):
            return f"{name!r}: {key} is not a tuple of texts"
    wrong = fault(component)
    return f"{name!r}: {wrong}" if wrong else ""


def _check_hook_names(manager: pluggy.PluginManager, plugin: Any) -> None:
    known = [name for name in vars(hookspecs) if name.startswith("pacsfw_")]
    for name in dir(plugin):
        if not name.startswith("pacsfw_") or not callable(getattr(plugin, name)):
            continue
        if name not in known:
            raise ValueError(f"{name!r} is not a hook of pacsfw{nearest(name, known)}")
        if manager.parse_hookimpl_opts(plugin, name) is None:
            raise ValueError(f"{name!r} lacks the @hookimpl decorator")
