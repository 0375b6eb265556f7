"""What plugins offer, each with the plugin, the distribution and the version it comes from."""

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
        """Distribution and version, as quoted in messages and in the ledger."""
        return f"{self.distribution} {self.version}".strip()

    @property
    def described(self) -> str:
        """Name, distribution and version."""
        return f"{self.component.name!r} (from {self.owner})"

    @property
    def reference(self) -> str:
        """The name that means this one, whoever else offers one of that name."""
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
    """A plugin that is loaded, and how long its import took."""

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
        """Say whose fault it is, where it happened and what it is."""
        owner = f"{self.distribution} {self.version}".strip()
        return f"plugin {self.plugin!r} ({owner}): {self.stage}: {self.error}"


class Hooks(Protocol):
    """The hooks that are called later than at discovery."""

    def commands(self) -> tuple[list[CommandOffer], list[PluginFailure]]:
        """Return the commands of plugins, and those that failed over it."""

    def implementing(self, hook: str) -> list[str]:
        """Return the plugins with this hook, as ``distribution/plugin``."""

    def resolve_secret(self, scheme: str, reference: str) -> str | None:
        """Return the first answer."""

    def config_loaded(self, config: Mapping[str, Any]) -> None:
        """Show the configuration around."""
