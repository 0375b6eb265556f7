"""``pacsfw run``."""

from __future__ import annotations

from pathlib import Path

import click

from pacsfw.cli.common import config_argument, retry_given_up_option


@click.command("run")
@config_argument
@click.option("--ignore-window", is_flag=True, help="Request also outside the allowed hours.")
@retry_given_up_option
def command(config: Path | None, ignore_window: bool, retry_given_up: bool) -> int:
    """Find, move and parse: the whole collection, resumable.

    Run it again to go on where it ended. A query that was answered whole is not asked
    again: `pacsfw find` does that.
    """
    from rich.console import Console

    from pacsfw.cli.working import work
    from pacsfw.collection.collection import Collection

    def steps(collection: Collection, console: Console) -> None:
        answered = collection.find(again=False)
        if answered is not None:
            console.print(
                f"find: answered on {answered[:10]}, not asked again (`pacsfw find` does)",
                markup=False,
                highlight=False,
            )
        collection.move(ignore_window=ignore_window, retry_given_up=retry_given_up)

    return work(config, "run", steps)
