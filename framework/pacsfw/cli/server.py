"""``pacsfw server``: receive instances that other systems send."""

from __future__ import annotations

from pathlib import Path

import click

from pacsfw.cli.common import RenamedOption, config_argument


@click.command(
    "server", short_help="Receive instances from other systems, store them and parse their tags."
)
@config_argument
@click.option(
    "--settle-after",
    "--quiet",
    cls=RenamedOption,
    metavar="SECONDS",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    help="Settle and deliver a study after this long without new instances.",
)
def command(config: Path | None, settle_after: float) -> int:
    """Receive instances from other systems (C-STORE), until Ctrl-C or SIGTERM.

    Each instance is checked, stored and parsed as in a collection, into the same tables.
    """
    from pacsfw.cli.working import serve

    return serve(config, settle_after)
