"""``pacsfw plan``."""

from __future__ import annotations

from pathlib import Path

import click

from pacsfw.cli.common import config_argument, load


@click.command("plan")
@config_argument
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def command(config: Path | None, *, as_json: bool) -> int:
    """Query the PACS and estimate what the collection will take; move nothing.

    Shows studies, instances, bytes, nights and disk space, each figure with its source, and
    the parts of the search that are not proven. Writes no study list. The exit code is 1 if
    a part is not proven.
    """
    from rich.console import Console

    from pacsfw.api import Clock
    from pacsfw.cli.working import display, log_to_stderr
    from pacsfw.collection.collection import Collection
    from pacsfw.report.plan import exit_code, make_plan
    from pacsfw.report.plan_table import render, to_json

    log_to_stderr()
    loaded = load(config)
    for warning in loaded.config.warnings:
        click.echo(f"warning: {warning}", err=True)
    clock = Clock()
    # A program may read the plan from stdout, so the progress goes to stderr.
    collection = Collection(loaded, "plan", observers=display(loaded, stream="stderr"), clock=clock)
    with collection:
        plan = make_plan(collection.survey())
    if as_json:
        click.echo(to_json(plan))
    else:
        render(plan, Console())
    return exit_code(plan)
