"""Records of the offers of plugins, each with its plugin, distribution and version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pacsfw.api import Component, ConfigSection


@dataclass(frozen=True, slots=True)
class Offer:
    """A component and the plugin that offers it."""

    kind: str
    component: Component[Any]
    plugin: str
    distribution: str
    version: str

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


@dataclass(frozen=True, slots=True)
class CommandOffer:
    """A command of the command line and the plugin that offers it."""

    command: Any
    plugin: str
    distribution: str
    version: str


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """A loaded plugin, and the duration of its import in seconds."""

    plugin: str
    distribution: str
    version: str
    seconds: float


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

    def commands(self) -> tuple[list[CommandOffer], list[PluginFailure]]:
        """Return the commands of plugins, and the plugins that failed."""

    def implementing(self, hook: str) -> list[str]:
        """Return the plugins with this hook, as ``distribution/plugin``."""

    def resolve_secret(self, scheme: str, reference: str) -> str | None:
        """Return the first value that is not None."""

    def config_loaded(self, config: Mapping[str, Any]) -> None:
        """Pass the configuration to the plugins."""
