"""``pacsfw run``."""

from __future__ import annotations

from pathlib import Path

import click

from pacsfw.cli.common import config_argument, retry_given_up_option


@click.command("run")
@config_argument
@click.option("--ignore-window", is_flag=True, help="Ignore the transfer window.")
@retry_given_up_option
def command(config: Path | None, ignore_window: bool, retry_given_up: bool) -> int:
    """Find, move and parse: the complete collection, resumable.

    Run it again to resume. A search that is already complete is not repeated; use
    `pacsfw find` for that.
    """
    from pacsfw.cli.working import work
    from pacsfw.collection.collection import Collection

    def steps(collection: Collection) -> None:
        collection.run(ignore_window=ignore_window, retry_given_up=retry_given_up)

    return work(config, "run", steps)
