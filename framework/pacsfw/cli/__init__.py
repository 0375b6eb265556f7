"""The command line: one file per command, imported only when that command runs."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from typing import NoReturn

import click

from pacsfw import __version__
from pacsfw.errors import INTERRUPTED, ComponentConflict, PacsfwError, PluginError, RemoteError
from pacsfw.plugins import discover
from pacsfw.plugins.boundary import DEBUG_FILE, DEBUG_VARIABLE
from pacsfw.plugins.discovery import NO_PLUGINS_VARIABLE, PluginPlan
from pacsfw.plugins.records import CommandOffer
from pacsfw.words import nearest

COMMANDS = {
    "run": "Find, move and parse: the complete collection, resumable.",
    "find": "Query the PACS and write the study list, storage.resources.",
    "plan": "Estimate the studies, bytes and time of a collection; move nothing.",
    "move": "Request the studies in storage.resources, store them and parse their tags.",
    "parse": "Read the tags of stored or other files into a table.",
    "parse-conf": "Write a file that lists tags, for `parse -f`.",
    "verify": "Compare PACS, ledger and disk; write a manifest.",
    "status": "Show the state of a collection from its ledger.",
    "echo": "Check that the PACS responds (C-ECHO).",
    "probe": "Find out what the PACS supports and write its profile.",
    "server": "Receive instances from other systems, store them and parse their tags.",
    "send": "Send DICOM files and folders to a node (C-STORE).",
    "config": "Check, show or create a configuration.",
    "plugins": "List components, diagnose broken plugins, create a new plugin.",
    "demo": "Collect synthetic studies from an embedded PACS.",
    "testpacs": "Run a test PACS with the faults that you choose.",
}
"""Name -> short help; the module of the same name has the click ``command``."""


class _Commands(click.Group):
    """Bundled commands by name. Plugin commands are loaded for help and for other names."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *sorted(_plugin_commands()[0])]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            module = importlib.import_module(f"pacsfw.cli.{cmd_name.replace('-', '_')}")
            command = module.command
            assert isinstance(command, click.Command)  # noqa: S101 - ours, by construction
            return command
        offers = _plugin_commands()[0].get(cmd_name, [])
        if len(offers) > 1:
            owners = ", ".join(_owner(offer) for offer in offers)
            raise ComponentConflict(
                f"command {cmd_name!r} is offered by {owners}: disable one plugin"
            )
        command = offers[0].load() if offers else None
        assert command is None or isinstance(command, click.Command)  # noqa: S101 - as loaded
        return command

    def invoke(self, ctx: click.Context) -> object:
        """Run the command. An exception from a plugin's command names the plugin."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit, PacsfwError):
            raise
        except Exception as err:
            name = ctx.invoked_subcommand or ""
            if name in COMMANDS:
                raise
            owner = _owner(_plugin_commands()[0][name][0])
            raise PluginError(
                f"command {name!r} of {owner} failed: {type(err).__name__}: {err}"
            ) from err

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the plugins that failed if a command is unknown: one of them may define it."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as err:
            offers, hints = _plugin_commands()
            near = nearest(args[0], [*COMMANDS, *offers])
            raise click.UsageError("\n".join([err.message + near, *hints]), ctx) from err

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help from ``COMMANDS``, so that ``--help`` imports no command."""
        plugin_rows = [
            (name, offers[0].summary) for name, offers in sorted(_plugin_commands()[0].items())
        ]
        with formatter.section("Commands"):
            formatter.write_dl([*COMMANDS.items(), *plugin_rows])


@cache
def _plugin_commands() -> tuple[Mapping[str, Sequence[CommandOffer]], Sequence[str]]:
    """Return plugin commands by name, and the plugins that are switched off or failed."""
    registry = discover(PluginPlan())
    found: dict[str, list[CommandOffer]] = {}
    for offer in registry.commands:
        if offer.name not in COMMANDS:
            found.setdefault(offer.name, []).append(offer)
    hints = [registry.hint] if registry.hint else []
    return found, [*hints, *(f"not loaded: {failure}" for failure in registry.failures)]


def _owner(offer: CommandOffer) -> str:
    return f"plugin {offer.plugin!r} ({offer.distribution} {offer.version})"


def _debug(_ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value:
        os.environ[DEBUG_VARIABLE] = "1"  # worker processes inherit it


def _switch_off(_ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value:
        os.environ[NO_PLUGINS_VARIABLE] = "1"  # worker processes inherit it


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="pacsfw")
@click.option(
    "--debug-plugins",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_debug,
    help=f"Write the tracebacks of plugins to a private file, {DEBUG_FILE}.",
)
@click.option(
    "--no-plugins",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_switch_off,
    help="Load bundled plugins only.",
)
def cli() -> None:
    """Collect DICOM data from a PACS into a research dataset.

    One YAML or JSON file describes a collection. Create one with `pacsfw config init`.
    """


def program() -> NoReturn:
    """Run the command given on the command line and exit with its exit code."""
    code = main()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # only the exit is left
    sys.exit(code)


def main(args: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    0 everything is complete; 1 finished, but something is short or failed; 2 configuration or
    usage; 3 a required plugin is missing or broken; 4 remote unreachable; 130 interrupted.
    """
    before = os.environ.get(NO_PLUGINS_VARIABLE)
    _plugin_commands.cache_clear()
    try:
        result = cli.main(args=args, prog_name="pacsfw", standalone_mode=False)
    except click.ClickException as err:
        err.show()
        return err.exit_code
    except PacsfwError as err:
        print(err, file=sys.stderr)  # noqa: T201 - the only place that prints our errors
        if isinstance(err, RemoteError) and err.comment:
            print(f"the PACS says: {err.comment}", file=sys.stderr)  # noqa: T201
        return err.exit_code
    except (click.Abort, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)  # noqa: T201
        return INTERRUPTED
    finally:
        if before is None:
            os.environ.pop(NO_PLUGINS_VARIABLE, None)
    return result if isinstance(result, int) else 0
