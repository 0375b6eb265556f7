"""``pacsfw find``."""

from __future__ import annotations

from pathlib import Path

import click

from pacsfw.cli.common import config_argument


@click.command("find")
@config_argument
def command(config: Path | None) -> int:
    """Query the PACS and write the study list, storage.resources.

    Queries the PACS on every call. New studies are added to the list; rows that you
    removed from it stay removed.
    """
    from pacsfw.cli.working import work
    from pacsfw.collection.collection import Collection

    def steps(collection: Collection) -> None:
        collection.find(again=True)

    return work(config, "find", steps)
