"""``pacsfw server``: receive what others send."""

from __future__ import annotations

from pathlib import Path

import click

from pacsfw.cli.common import RenamedOption, config_argument


@click.command("server", short_help="Receive, store and parse what others send.")
@config_argument
@click.option(
    "--settle-after",
    "--quiet",
    cls=RenamedOption,
    metavar="SECONDS",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    help="Settle and deliver a study once nothing new of it has come for this long.",
)
def command(config: Path | None, settle_after: float) -> int:
    """Receive what others send (C-STORE), until Ctrl-C or SIGTERM.

    It goes where a collection goes: checked, laid out, parsed, into the same tables.
    """
    from pacsfw.cli.working import serve

    return serve(config, settle_after)
