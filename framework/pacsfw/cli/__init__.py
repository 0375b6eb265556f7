"""The command line: one file per command, imported only when that command runs."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

import click

from pacsfw import __version__
from pacsfw.errors import INTERRUPTED, PacsfwError
from pacsfw.plugins import PluginPlan, subcommands

COMMANDS = {
    "run": "Find, move and parse: the whole collection, resumable.",
    "find": "Ask the PACS what it holds and write storage.resources.",
    "plan": "Show what a collection is going to take; nothing is moved.",
    "move": "Request what storage.resources lists, store it and parse its tags.",
    "status": "Show what the ledger knows about this collection.",
    "echo": "Check that the PACS answers (C-ECHO).",
    "probe": "Ask the PACS what it is and write its profile.",
    "config": "Check, show or create a configuration.",
    "plugins": "List what is installed.",
    "demo": "Collect synthetic studies from an embedded PACS.",
    "testpacs": "Run a PACS that misbehaves as you wish.",
}
"""Name -> short help; the module of the same name has the click ``command``."""


class _Commands(click.Group):
    """Bundled commands by name; commands of plugins when help or an unknown name asks."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *sorted(self._plugin_commands())]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            module = importlib.import_module(f"pacsfw.cli.{cmd_name}")
            command = module.command
            assert isinstance(command, click.Command)  # noqa: S101 - ours, by construction
            return command
        return self._plugin_commands().get(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help from the table above, so that ``--help`` imports no command."""
        plugin_rows = [
            (name, command.get_short_help_str())
            for name, command in sorted(self._plugin_commands().items())
        ]
        with formatter.section("Commands"):
            formatter.write_dl([*COMMANDS.items(), *plugin_rows])

    def _plugin_commands(self) -> dict[str, click.Command]:
        found = {command.name: command for command in subcommands(PluginPlan())}
        return {name: command for name, command in found.items() if name and name not in COMMANDS}


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="pacsfw")
def cli() -> None:
    """Collect DICOM data from a PACS into a research dataset.

    Everything is described in one YAML or JSON file; start with `pacsfw config init`.
    """


def main(args: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    0 all complete; 1 finished, something short or failed; 2 configuration or usage;
    3 a needed plugin is missing or broken; 4 remote unreachable; 130 interrupted.
    """
    try:
        result = cli.main(args=args, prog_name="pacsfw", standalone_mode=False)
    except click.ClickException as err:
        err.show()
        return err.exit_code
    except PacsfwError as err:
        print(err, file=sys.stderr)  # noqa: T201 - the one place that prints our errors
        return err.exit_code
    except (click.Abort, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)  # noqa: T201
        return INTERRUPTED
    return result if isinstance(result, int) else 0
