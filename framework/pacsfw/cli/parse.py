"""``pacsfw parse``: a table of tags, from a collection or from any folder of files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pacsfw.cli.common import config_argument, load
from pacsfw.errors import INTERRUPTED

if TYPE_CHECKING:
    from rich.console import Console

    from pacsfw.config import Loaded
    from pacsfw.parse.job import ParseRequest
    from pacsfw.report.parsed import ParseSummary

RESUME = "run the same command again to resume"


@click.command("parse", short_help="Read the tags of stored or other files into a table.")
@config_argument
@click.option(
    "-i",
    "--input",
    "source",
    type=click.Path(path_type=Path, exists=True),
    help="Folder, zip archive, DICOMDIR or file to read instead of the stored files.",
)
@click.option("-o", "--output", help="Table to write: a file (.csv, ...) or a URL.")
@click.option("--workers", type=click.IntRange(1), help="Number of worker processes.")
@click.option("--limit", type=click.IntRange(1), help="Read at most this many files; only with -o.")
@click.option("--bare", is_flag=True, help="Also read data sets without preamble; only with -o.")
@click.option("--force", is_flag=True, help="Start again and replace the table; only with -o.")
@click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the resume state until it is done; only with -o (default: OUTPUT.state).",
)
def command(
    config: Path | None,
    source: Path | None,
    output: str | None,
    workers: int | None,
    limit: int | None,
    bare: bool,
    force: bool,
    state: Path | None,
) -> int:
    """Read the tags of files into a table.

    Without -o, reads all stored files of the collection again and rewrites its tables. Moves
    nothing. With -o, reads the files of a folder (-i, by default storage.directory) into
    another table; a configuration that contains only `tags:` is enough.

    Resumes after an interruption. The exit code is 1 if a DICOM file could not be read.
    """
    loaded = load(config)
    if output is not None:
        return _tree(loaded, _request(loaded, source, output, workers, limit, bare, force, state))
    if source is not None:
        raise click.UsageError("-i requires -o: name the table to write")
    if limit is not None or bare or force or state is not None:
        raise click.UsageError("--limit, --bare, --force and --state require -o")
    return _collection(loaded, workers or 0)


def _collection(loaded: Loaded, workers: int) -> int:
    """Read the rows of a collection again."""
    from rich.console import Console

    from pacsfw.api import Clock
    from pacsfw.cli.working import display, private_files, signals
    from pacsfw.collection.collection import Collection

    console, clock = Console(), Clock()
    collection = Collection(loaded, "parse", observers=display(loaded), clock=clock)
    with private_files(), signals(collection):
        with collection:
            collection.parse(workers)
            summary = collection.parsed()
        return _end(summary, console, interrupted=collection.interrupted)


def _tree(loaded: Loaded, request: ParseRequest) -> int:
    """Read any folder of files."""
    from rich.console import Console

    from pacsfw.api import Clock
    from pacsfw.cli.working import display, private_files, signals
    from pacsfw.parse.job import ParseJob

    console, clock = Console(), Clock()
    parsing = ParseJob(loaded, request, observers=display(loaded), clock=clock)
    with private_files(), signals(parsing):
        with parsing:
            if parsing.begun:
                click.echo(f"resuming after {parsing.begun:,} files (state: {request.state})")
            parsing.run()
        return _end(parsing.summary(), console, interrupted=parsing.interrupted)


def _end(summary: ParseSummary, console: Console, *, interrupted: bool) -> int:
    from pacsfw.report.parsed import render

    render(summary, console)
    if interrupted:
        click.echo(f"interrupted: {RESUME}", err=True)
        return INTERRUPTED
    return summary.exit_code


def _request(
    loaded: Loaded,
    source: Path | None,
    output: str,
    workers: int | None,
    limit: int | None,
    bare: bool,
    force: bool,
    state: Path | None,
) -> ParseRequest:
    from pacsfw.parse.job import ParseRequest, state_beside

    config = loaded.config
    if source is None:
        source = config.need_storage().directory
    target = _absolute(output)
    return ParseRequest(
        root=Path(os.path.abspath(source)),
        target=target,
        state=Path(os.path.abspath(state or state_beside(target))),
        workers=workers or (config.move.workers if config.move else os.cpu_count() or 1),
        limit=limit or 0,
        overwrite=force,
        bare=bare,
    )


def _absolute(output: str) -> str:
    """Return a target that does not depend on the working directory."""
    from pacsfw.config.values import SQLITE, is_url, split_sqlite

    if not is_url(output):
        return os.path.abspath(output)  # links stay as written
    path, options = split_sqlite(output)
    return SQLITE + os.path.abspath(path) + options if path else output
