"""``pacsfw plugins``: list components, diagnose broken plugins, create new ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pacsfw.errors import PluginError
from pacsfw.plugins import discover
from pacsfw.plugins.discovery import PluginPlan

if TYPE_CHECKING:
    from pacsfw.plugins.registry import Registry

F = TypeVar("F", bound=Callable[..., Any])

_of_configuration = click.option(
    "-f",
    "--config",
    "config",
    type=click.Path(path_type=Path),
    help="Also load the plugins of this configuration, and skip those it disables.",
)


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
    from pacsfw.cli.plugins_list import entries_of, print_entries

    entries = list(entries_of(registry_for(config)))
    if as_json:
        click.echo(json.dumps([asdict(entry) for entry in entries], indent=2))
    else:
        print_entries(entries)


@command.command("show", short_help="Show the options of a component, or what a plugin offers.")
@click.argument("name")
@click.option("--kind", help="Only this kind, if several have the name.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@_of_configuration
def show(name: str, kind: str | None, config: Path | None, *, as_json: bool) -> None:
    """Show everything with the name NAME (or package/NAME).

    Of a component: its options, defaults and an example. NAME may also be a section, a command,
    a scheme of secrets, a plugin or a package.
    """
    from pacsfw.cli.plugins_show import found

    shown = found(registry_for(config), name, kind)
    if as_json:
        click.echo(json.dumps([each.plain() for each in shown], indent=2))
    else:
        click.echo("\n\n".join(each.text() for each in shown))


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
    registry = registry_for(config, notes.append, fresh=True)
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


@command.command("check", short_help="Check a package before its release.")
@click.argument("package")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def check(package: str, *, as_json: bool) -> int:
    """Check a package of plugins: an installed one by its name, a folder or a wheel.

    It is loaded in a process of its own. Hooks, records, schemas, factories and metadata are
    checked. The exit code is 1 if something is wrong; notes do not count.
    """
    from pacsfw.cli.plugins_check import examined

    findings = list(examined(package))
    if as_json:
        click.echo(json.dumps([asdict(each) for each in findings], indent=2))
    else:
        for each in findings:
            click.echo(each.text())
        wrong = sum(each.broken for each in findings)
        click.echo(f"{package}: {wrong} to fix, {len(findings) - wrong} to improve")
    return 1 if any(each.broken for each in findings) else 0


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


def registry_for(
    config: Path | None, note: Callable[[str], object] = _warn, *, fresh: bool = False
) -> Registry:
    """Discover installed plugins, and those of a configuration, even of a broken one."""
    if config is None:
        return discover(PluginPlan(), fresh=fresh)
    from pacsfw.config import plugins_of

    plan, problem = plugins_of(config)
    if problem:
        note(problem)
    return discover(plan, fresh=fresh)
