"""``pacsfw status``."""

from __future__ import annotations

from pathlib import Path

import click

from pacsfw.cli.common import config_argument, load


@click.command("status")
@config_argument
def command(config: Path | None) -> int:
    """Show what the ledger knows about this collection; asks nobody.

    Works beside a run. The exit code is that of a run which ended now.
    """
    from rich.console import Console

    from pacsfw.ledger import open_existing
    from pacsfw.report.summary import exit_code, render
    from pacsfw.standing import summarize

    loaded = load(config)
    loaded.config.require("storage")
    storage = loaded.config.storage
    assert storage is not None  # noqa: S101 - required just now
    ledger = open_existing(storage.state)
    if ledger is None:
        click.echo(f"nothing was collected yet: there is no ledger in {storage.state}")
        return 1
    try:
        summary = summarize(loaded.config, storage, ledger)
    finally:
        ledger.close()
    render(summary, Console())
    return exit_code(summary)
