"""``pacsfw server``: receive what others send."""

from __future__ import annotations

from pathlib import Path

import click

from pacsfw.cli.common import config_argument


@click.command("server", short_help="Receive, store and parse what others send.")
@config_argument
@click.option(
    "--quiet",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    help="Seconds without anything new of a study after which it is settled and delivered.",
)
def command(config: Path | None, quiet: float) -> int:
    """Receive what others send (C-STORE), until Ctrl-C or SIGTERM.

    It goes where a collection goes: checked, laid out, parsed, into the same tables.
    """
    from pacsfw.cli.working import serve

    return serve(config, quiet)
