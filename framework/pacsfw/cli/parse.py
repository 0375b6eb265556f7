"""``pacsfw parse``: a table of tags, from a collection or from any folder of files."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pacsfw.cli.common import config_argument, load
from pacsfw.errors import INTERRUPTED

if TYPE_CHECKING:
    from rich.console import Console

    from pacsfw.config import Loaded
    from pacsfw.parse.request import ParseRequest
    from pacsfw.report.parsed import ParseSummary

RESUME = "run the same command again to resume"
FORMATS = ("csv", "jsonl", "parquet")
STDOUT = "-"


@click.command("parse", short_help="Read the tags of stored or other files into a table.")
@config_argument
@click.option(
    "-i",
    "--input",
    "source",
    type=click.Path(path_type=Path, exists=True),
    help="Folder, zip archive, DICOMDIR or file to read instead of the stored files.",
)
@click.option("-o", "--output", help="Table to write: a file (.csv, ...), a URL, or - for stdout.")
@click.option("--workers", type=click.IntRange(1), help="Number of worker processes.")
@click.option("--limit", type=click.IntRange(1), help="Read at most this many files; only with -o.")
@click.option("--bare", is_flag=True, help="Also read data sets without preamble; only with -o.")
@click.option(
    "--fmt",
    type=click.Choice(FORMATS),
    help="Format of the table; only with -o (default: by its ending, csv for stdout).",
)
@click.option(
    "--on-duplicate",
    type=click.Choice(["keep", "first", "fail"]),
    help="Rows with a SOP Instance UID of an earlier row: keep them (default), list them as "
    "left out, or as failed; only with -o.",
)
@click.option("--exclude-path", is_flag=True, help="Omit the column dicom_path; only with -o.")
@click.option("--append", is_flag=True, help="Add rows to a table of the same tags; only with -o.")
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
    **options: Any,
) -> int:
    """Read the tags of files into a table.

    Without -o, reads all stored files of the collection again and rewrites its tables. Moves
    nothing. With -o, reads the files of a folder (-i, by default storage.directory) into
    another table; a configuration that contains only `tags:` is enough.

    Resumes after an interruption. The exit code is 1 if a DICOM file could not be read.
    """
    given = {name: value for name, value in options.items() if value}
    if output is None:
        if source is not None:
            raise click.UsageError("-i requires -o: name the table to write")
        if given:
            raise click.UsageError(f"{_flags(given)} require -o: name the table to write")
        return _collection(load(config), workers or 0)
    if given.get("append") and given.get("force"):
        raise click.UsageError("--append and --force: one adds to the table, the other replaces it")
    if output == STDOUT:
        return _to_stdout(load(config), source, workers, given)
    loaded = load(config)
    return _tree(loaded, _request(loaded, source, output, workers, given))


def _flags(names: Iterable[str]) -> str:
    return ", ".join(f"--{name.replace('_', '-')}" for name in names)


def _to_stdout(
    loaded: Loaded, source: Path | None, workers: int | None, options: dict[str, Any]
) -> int:
    """Read into a temporary table, and write it to stdout when it is complete."""
    fmt = options.setdefault("fmt", "csv")
    if fmt == "parquet":
        raise click.UsageError("-o - --fmt parquet: a folder cannot be written to stdout")
    if useless := options.keys() & {"append", "force", "state"}:
        raise click.UsageError(f"{_flags(sorted(useless))}: not with -o -, which leaves no files")
    with tempfile.TemporaryDirectory(prefix="pacsfw-") as folder:
        table = Path(folder) / f"table.{fmt}"
        request = _request(loaded, source, str(table), workers, options)
        code = _tree(loaded, request, to_stdout=True)
        if code != INTERRUPTED:
            with table.open("rb") as file:
                shutil.copyfileobj(file, sys.stdout.buffer)
    return code


def _collection(loaded: Loaded, workers: int) -> int:
    """Read the rows of a collection again."""
    from rich.console import Console

    from pacsfw.api import Clock
    from pacsfw.cli.working import display, signals
    from pacsfw.collection.collection import Collection

    console, clock = Console(), Clock()
    collection = Collection(loaded, "parse", observers=display(loaded), clock=clock)
    with signals(collection):
        with collection:
            collection.parse(workers)
            summary = collection.parsed()
        return _end(summary, console, RESUME, interrupted=collection.interrupted)


def _tree(loaded: Loaded, request: ParseRequest, *, to_stdout: bool = False) -> int:
    """Read any folder of files; show everything on stderr if the table goes to stdout."""
    from rich.console import Console

    from pacsfw.api import Clock
    from pacsfw.cli.working import display, signals
    from pacsfw.durable import private_files
    from pacsfw.parse.job import ParseJob

    console, clock = Console(stderr=to_stdout), Clock()
    observers = display(loaded, stream="stderr") if to_stdout else display(loaded)
    parsing = ParseJob(loaded, request, observers=observers, clock=clock)
    with private_files(), signals(parsing):
        with parsing:
            if parsing.begun:
                click.echo(f"resuming after {parsing.begun:,} files (state: {request.state})")
            parsing.run()
        summary = parsing.summary()
        if to_stdout:
            summary = replace(summary, tables=())
        hint = "nothing was written to stdout" if to_stdout else RESUME
        return _end(summary, console, hint, interrupted=parsing.interrupted)


def _end(summary: ParseSummary, console: Console, hint: str, *, interrupted: bool) -> int:
    from pacsfw.report.parsed import render

    render(summary, console)
    if interrupted:
        click.echo(f"interrupted: {hint}", err=True)
        return INTERRUPTED
    return summary.exit_code


def _request(
    loaded: Loaded,
    source: Path | None,
    output: str,
    workers: int | None,
    options: dict[str, Any],
) -> ParseRequest:
    from pacsfw.parse.request import ParseRequest, state_beside

    config = loaded.config
    if source is None:
        source = config.need_storage().directory
    target = _absolute(output)
    state = options.pop("state", None)
    return ParseRequest(
        root=Path(os.path.abspath(source)),
        target=target,
        state=Path(os.path.abspath(state or state_beside(target))),
        workers=workers or (config.move.workers if config.move else os.cpu_count() or 1),
        overwrite=options.pop("force", False),
        **options,
    )


def _absolute(output: str) -> str:
    """Return a target that does not depend on the working directory."""
    from pacsfw.config.values import SQLITE, is_url, split_sqlite

    if not is_url(output):
        return os.path.abspath(output)  # links stay as written
    path, options = split_sqlite(output)
    return SQLITE + os.path.abspath(path) + options if path else output
