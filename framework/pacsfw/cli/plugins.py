"""``pacsfw plugins``: list components, diagnose broken plugins, create new ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pacsfw.errors import ComponentConflict, PluginError
from pacsfw.plugins import discover
from pacsfw.plugins.discovery import PluginPlan

if TYPE_CHECKING:
    from pacsfw.plugins.records import Offer
    from pacsfw.plugins.registry import Registry

F = TypeVar("F", bound=Callable[..., Any])

_of_configuration = click.option(
    "-f",
    "--config",
    "config",
    type=click.Path(path_type=Path),
    help="Also load the plugins of this configuration, and skip those it disables.",
)


_NAMELESS = (
    ("pacsfw_resolve_secret", "secret", "values for ${scheme:reference}"),
    ("pacsfw_config_loaded", "check", "checks the configuration and can reject it"),
)
"""Hooks whose offers have no name of their own: the list shows the plugin's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One line of the list. The kind is ``plugin`` if an entire plugin does not work."""

    kind: str
    name: str
    state: str
    summary: str
    distribution: str
    version: str


@click.group("plugins")
def command() -> None:
    """List components, diagnose broken plugins, create a new plugin."""


@command.command("list", short_help="List every installed component.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@_of_configuration
def list_(config: Path | None, *, as_json: bool) -> None:
    """List every component: its kind, its name for `use:`, its package, and whether it works.

    Broken plugins are listed with the reason; they never make this command fail. Plugins
    that only a configuration loads (`plugins: load:`) are listed with -f.
    """
    entries = list(_entries(registry_for(config)))
    if as_json:
        click.echo(json.dumps([asdict(entry) for entry in entries], indent=2))
    else:
        _print(entries)


@command.command("show", short_help="Show the options of a component, with an example.")
@click.argument("name")
@click.option("--kind", help="Only this kind, if several components have the name.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@_of_configuration
def show(name: str, kind: str | None, config: Path | None, *, as_json: bool) -> None:
    """Show the options, defaults and an example of the component NAME (or package/NAME)."""
    from pacsfw.cli.plugins_show import found, render

    offers = found(registry_for(config), name, kind)
    if as_json:
        click.echo(json.dumps([render(offer).plain() for offer in offers], indent=2))
    else:
        click.echo("\n\n".join(render(offer).text() for offer in offers))


@command.command("doctor", short_help="Explain what does not work and how to fix it.")
@click.option("--tracebacks", is_flag=True, help="Show where each plugin failed.")
@_of_configuration
def doctor(config: Path | None, *, tracebacks: bool) -> int:
    """Explain what does not work and how to fix it.

    With -f, also lists the failures during the runs of this collection, by component, and asks
    its components to check their surroundings, such as whether the PACS and a database respond.
    The exit code is 3 if something is broken.
    """
    from pacsfw.cli.plugins_doctor import examine, remembered
    from pacsfw.cli.plugins_health import checked

    notes: list[str] = []
    registry = registry_for(config, notes.append)
    findings = [*examine(registry), *(remembered(config) if config else ())]
    findings += checked(config) if config else ()
    for note in notes:
        click.echo(f"configuration: {note}\n")
    for finding in findings:
        click.echo(finding.text(tracebacks=tracebacks) + "\n")
    broken = sum(finding.broken for finding in findings) + len(notes)
    loaded = f"{len(registry.plugins)} plugins loaded"
    odd = len(findings) + len(notes) - broken
    click.echo(
        f"{loaded}; {broken} broken, {odd} to improve"
        if findings or notes
        else f"{loaded}; no problems found"
    )
    return PluginError.exit_code if broken else 0


@command.command("new", short_help="Create a plugin: a package with code, tests and README.")
@click.argument("name")
@click.option("--kind", required=True, help="Kind of component: layout (or sorter), callback, ...")
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the package (default: NAME).",
)
def new(name: str, kind: str, directory: Path | None) -> None:
    """Create a plugin called NAME: a working package with code, tests and README."""
    from pacsfw.cli.plugins_new import create

    for line in create(name, kind, directory or Path(name)):
        click.echo(line)


def _warn(problem: str) -> None:
    click.echo(f"warning: {problem}", err=True)


def registry_for(config: Path | None, note: Callable[[str], object] = _warn) -> Registry:
    """Discover installed plugins, and those of a configuration, even of a broken one."""
    if config is None:
        return discover(PluginPlan())
    from pacsfw.config import plugins_of

    plan, problem = plugins_of(config)
    if problem:
        note(problem)
    return discover(plan)


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
    for hook, kind, summary in _NAMELESS:
        for plugin in registry.implementing(hook):
            yield _Entry(
                kind=kind,
                name=plugin.plugin,
                state="ok",
                summary=summary,
                distribution=plugin.distribution,
                version=plugin.version,
            )
    commands, failures = registry.commands()
    for command_offer in commands:
        yield _Entry(
            kind="command",
            name=command_offer.command.name or "",
            state="ok",
            summary=command_offer.command.get_short_help_str(limit=100),
            distribution=command_offer.distribution,
            version=command_offer.version,
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
    for failure in (*registry.failures, *failures):
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
            Text(" ".join(entry.summary.split())),
        )
        for entry in entries
    ]
    print_grid(Console(), rows, header=("kind", "name", "state", "from", "what it does"))
