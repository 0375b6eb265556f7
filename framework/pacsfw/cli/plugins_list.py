"""``pacsfw plugins list``: everything that plugins offer, and whether it works."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pacsfw.errors import ComponentConflict, PluginError
from pacsfw.plugins.records import Offer
from pacsfw.plugins.registry import Registry

NAMELESS = (
    ("pacsfw_resolve_secret", "secret", "values for ${scheme:reference}"),
    ("pacsfw_config_loaded", "check", "checks the configuration and can reject it"),
)
"""Hooks whose offers have no name of their own: the list shows the plugin's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the list. The kind is ``plugin`` if an entire plugin does not work."""

    kind: str
    name: str
    state: str
    summary: str
    distribution: str
    version: str


def entries_of(registry: Registry) -> Iterator[Entry]:
    """Yield one entry for everything that is offered, disabled or broken. Nothing is imported."""
    for offer in registry.offers():
        yield Entry(
            kind=offer.kind,
            name=offer.component.name,
            state=_state(registry, offer),
            summary=offer.component.summary,
            distribution=offer.distribution,
            version=offer.version,
        )
    for key, offered in sorted(registry.sections.items()):
        yield Entry(
            kind="section",
            name=key,
            state="ok",
            summary=offered.section.summary,
            distribution=offered.distribution,
            version=offered.version,
        )
    for hook, kind, summary in NAMELESS:
        for plugin in registry.implementing(hook):
            schemes = ", ".join(plugin.schemes) if kind == "secret" else ""
            yield Entry(
                kind=kind,
                name=plugin.plugin,
                state="ok",
                summary=f"{summary}: {schemes}" if schemes else summary,
                distribution=plugin.distribution,
                version=plugin.version,
            )
    for command in registry.commands:
        yield Entry(
            kind="command",
            name=command.name,
            state="ok",
            summary=command.summary,
            distribution=command.distribution,
            version=command.version,
        )
    yield from _unusable(registry)


def _unusable(registry: Registry) -> Iterator[Entry]:
    for full_name in registry.disabled:
        distribution, _, name = full_name.rpartition("/")
        yield Entry(
            kind="plugin",
            name=name,
            state="disabled",
            summary="",
            distribution=distribution,
            version="",
        )
    for failure in registry.failures:
        yield Entry(
            kind="plugin",
            name=failure.plugin,
            state=f"broken: {failure.stage}: {failure.error}",
            summary="",
            distribution=failure.distribution,
            version=failure.version,
        )


def _state(registry: Registry, offer: Offer) -> str:
    try:
        meant = registry.named(offer.kind, offer.component.name)
        if meant.distribution == offer.distribution:
            return "ok"
        registry.named(offer.kind, offer.reference)
    except ComponentConflict:
        return "conflict"
    except PluginError as err:
        return f"broken: {err}"
    return f"ok as {offer.reference}"


def print_entries(entries: list[Entry]) -> None:
    """Print the list as a table."""
    from rich.console import Console
    from rich.text import Text

    from pacsfw.report import print_grid

    rows = [
        (
            Text(entry.kind),
            Text(entry.name, style="bold"),
            Text(
                " ".join(entry.state.split()),
                style="green" if entry.state.startswith("ok") else "red",
            ),
            Text(f"{entry.distribution} {entry.version}".strip()),
            Text(" ".join(entry.summary.split())),
        )
        for entry in entries
    ]
    print_grid(Console(), rows, header=("kind", "name", "state", "from", "what it does"))
