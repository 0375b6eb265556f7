"""``pacsfw status``."""

from __future__ import annotations

from pathlib import Path

import click

from pacsfw.cli.common import config_argument, load


@click.command("status")
@config_argument
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def command(config: Path | None, as_json: bool) -> int:
    """Show the state of a collection from its ledger, and when it will be done.

    Does not contact the PACS, and works during a run. The exit code is that of a run that
    ends now.
    """
    from rich.console import Console

    from pacsfw.api import Clock
    from pacsfw.collection.status import forecast_of, summarize
    from pacsfw.ledger import open_existing
    from pacsfw.report.status import render, to_json

    loaded = load(config)
    storage = loaded.config.need_storage()
    ledger = open_existing(storage.state)
    if ledger is None:
        nothing = f"nothing has been collected yet: no ledger in {storage.state}"
        click.echo("null" if as_json else nothing)
        return 1
    try:
        summary = summarize(loaded.config, storage, ledger)
        forecast = forecast_of(loaded.config, ledger, Clock().now())
    finally:
        ledger.close()
    if as_json:
        click.echo(to_json(summary, forecast))
    else:
        zone = loaded.config.move.window.timezone if loaded.config.move else None
        render(summary, forecast, zone, Console())
    return summary.exit_code
