"""``pacsfw plugins``: what is installed, and what of it works."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click

from pacsfw.errors import ComponentConflict, PluginError
from pacsfw.plugins import PluginPlan, discover

if TYPE_CHECKING:
    from pacsfw.registry import Offer, Registry


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One line of the list. The kind is ``plugin`` where a whole plugin does not work."""

    kind: str
    name: str
    state: str
    summary: str
    distribution: str
    version: str


@click.group("plugins")
def command() -> None:
    """List what is installed."""


@command.command("list", short_help="List every component that is installed.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def list_(*, as_json: bool) -> None:
    """List every component: its kind, its name for `use:`, who offers it, whether it works.

    Broken plugins are listed with the reason; this command itself never fails because of
    one. Plugins that only a configuration loads (`plugins: load:`) are not listed.
    """
    entries = list(_entries(discover(PluginPlan())))
    if as_json:
        click.echo(json.dumps([asdict(entry) for entry in entries], indent=2))
    else:
        _print(entries)


def _entries(registry: Registry) -> Iterator[_Entry]:
    for offer in registry.offers():
        yield _Entry(
            kind=offer.kind,
            name=offer.component.name,
            state=_state(registry, offer),
            summary=offer.component.summary,
            distribution=offer.distribution,
            version=offer.version,
        )
    for key, offered in sorted(registry.sections.items()):
        yield _Entry(
            kind="section",
            name=key,
            state="ok",
            summary=offered.section.summary,
            distribution=offered.distribution,
            version=offered.version,
        )
    for full_name in registry.disabled:
        distribution, _, name = full_name.rpartition("/")
        yield _Entry(
            kind="plugin",
            name=name,
            state="disabled",
            summary="",
            distribution=distribution,
            version="",
        )
    for failure in registry.failures:
        yield _Entry(
            kind="plugin",
            name=failure.plugin,
            state=f"broken: {failure.stage}: {failure.error}",
            summary="",
            distribution=failure.distribution,
            version=failure.version,
        )


def _state(registry: Registry, offer: Offer) -> str:
    try:
        registry.select(offer.kind, offer.component.name)
    except ComponentConflict:
        return "conflict"
    except PluginError as err:
        return f"broken: {err}"
    return "ok"


def _print(entries: list[_Entry]) -> None:
    from rich.console import Console
    from rich.text import Text

    from pacsfw.report import print_grid

    rows = [
        (
            Text(entry.kind),
            Text(entry.name, style="bold"),
            Text(" ".join(entry.state.split()), style="green" if entry.state == "ok" else "red"),
            Text(f"{entry.distribution} {entry.version}".strip()),
            Text(entry.summary),
        )
        for entry in entries
    ]
    print_grid(Console(), rows, header=("kind", "name", "state", "from", "what it does"))
