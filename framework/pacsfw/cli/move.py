"""``pacsfw move``."""

from __future__ import annotations

from pathlib import Path

import click

from pacsfw.cli.common import config_argument, retry_given_up_option


@click.command("move")
@config_argument
@click.option("--ignore-window", is_flag=True, help="Ignore the transfer window.")
@retry_given_up_option
def command(config: Path | None, ignore_window: bool, retry_given_up: bool) -> int:
    """Request the studies in storage.resources, store them and parse their tags.

    Studies that are already complete are not requested again.
    """
    from pacsfw.cli.working import work

    return work(
        config,
        "move",
        lambda collection: collection.move(
            ignore_window=ignore_window, retry_given_up=retry_given_up
        ),
    )
