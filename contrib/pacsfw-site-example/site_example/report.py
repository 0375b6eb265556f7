"""The command ``pacsfw site-report``."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import click

_COUNTS = """
SELECT project, count(DISTINCT study), count(*) FROM images GROUP BY project ORDER BY project
"""


@click.command("site-report", short_help="Count the studies in the registry of our projects.")
@click.argument("database", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def command(database: Path) -> None:
    """Count the studies and instances of each project in the registry."""
    connection = sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)
    try:
        for project, studies, instances in connection.execute(_COUNTS):
            click.echo(f"{project}: {studies} studies, {instances} instances")
    except sqlite3.Error as err:
        raise click.ClickException(f"{database}: is not a registry: {err}") from err
    finally:
        connection.close()
