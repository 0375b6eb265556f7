"""Records of the offers of plugins, each with its plugin, distribution and version."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from pacsfw.api import Component, ConfigSection


@dataclass(frozen=True, slots=True)
class Offer:
    """A component and the plugin that offers it.

    ``component`` may come from the index of plugins: it has everything that the record says, but
    its factory imports the plugin. The offers of `Registry.select` have the record itself.
    """

    kind: str
    component: Component[Any]
    plugin: str
    distribution: str
    version: str
    load: Callable[[], Component[Any]] | None = field(default=None, compare=False, repr=False)
    """Imports the plugin and returns the record itself; None if this is it."""
    fault: str = ""
    """How the schema contradicts the factory, empty if it does not."""

    def used(self) -> Offer:
        """Return the offer with the record itself: the plugin is imported.

        Raises
        ------
        PluginError
            The plugin cannot be imported any more, or does not offer it any more.
        """
        return replace(self, component=self.load(), load=None) if self.load else self

    @property
    def owner(self) -> str:
        """Distribution and version, for messages and the ledger."""
        return f"{self.distribution} {self.version}".strip()

    @property
    def described(self) -> str:
        """Name, distribution and version."""
        return f"{self.component.name!r} (from {self.owner})"

    @property
    def reference(self) -> str:
        """The unique name ``distribution/name``."""
        return f"{self.distribution}/{self.component.name}"


@dataclass(frozen=True, slots=True)
class SectionOffer:
    """A configuration section and the plugin that owns it."""

    section: ConfigSection
    plugin: str
    distribution: str
    version: str
    load: Callable[[], ConfigSection] | None = field(default=None, compare=False, repr=False)
    """Imports the plugin and returns the record itself; None if this is it."""

    def used(self) -> SectionOffer:
        """Return the offer with the record itself, as `Offer.used` does."""
        return replace(self, section=self.load(), load=None) if self.load else self


@dataclass(frozen=True, slots=True)
class CommandOffer:
    """A command of the command line and the plugin that offers it; ``load`` imports that."""

    name: str
    summary: str
    plugin: str
    distribution: str
    version: str
    load: Callable[[], Any] = field(compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """A usable plugin, and what is known of it."""

    plugin: str
    distribution: str
    version: str
    seconds: float
    """The duration of its import."""
    notes: tuple[str, ...] = ()
    """What its author should know."""
    deprecated: tuple[str, ...] = ()
    """The warnings about hooks and arguments that a later pacsfw will not have."""
    schemes: tuple[str, ...] = ()
    """The schemes of secrets that it declares."""

    def __str__(self) -> str:
        """Return plugin, distribution and version."""
        return f"plugin {self.plugin!r} ({f'{self.distribution} {self.version}'.strip()})"


@dataclass(frozen=True, slots=True)
class PluginFailure:
    """A plugin, or one hook of it, that could not be used."""

    plugin: str
    distribution: str
    version: str
    stage: str
    error: str
    traceback: str

    def __str__(self) -> str:
        """Return the plugin, the stage and the error."""
        owner = f"{self.distribution} {self.version}".strip()
        return f"plugin {self.plugin!r} ({owner}): {self.stage}: {self.error}"


class Hooks(Protocol):
    """The hooks that are called after discovery; see the methods of `Registry`."""

    def implementing(self, hook: str) -> list[str]:
        """Return the plugins with this hook, as ``distribution/plugin``."""

    def resolve_secret(self, scheme: str, reference: str) -> str | None:
        """Return the first value that is not None."""

    def import_file(self, module: str) -> None:
        """Import the one-file plugin with this name, if there is one."""

    def config_loaded(self, config: Mapping[str, Any]) -> None:
        """Pass the configuration to the plugins."""
