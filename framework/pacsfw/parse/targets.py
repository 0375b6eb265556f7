"""The tables that a parse writes: their formats, their columns, and how they are begun."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import replace

from pacsfw.api import COLUMNS, ERRORS, Batch, Column, Row, Sink, Table
from pacsfw.config import Use
from pacsfw.config.tables import PATH_COLUMN
from pacsfw.config.values import is_url
from pacsfw.errors import ConfigError, UnknownComponent
from pacsfw.plugins.records import Offer
from pacsfw.plugins.registry import Registry
from pacsfw.steps.deliver.sources import instance_table
from pacsfw.steps.deliver.targets import Target
from pacsfw.steps.deliver.writing import Written


def make_target(path: str, fmt: str, registry: Registry) -> Target:
    """Return the target of the instance table.

    Parameters
    ----------
    fmt
        The suffix of a format; empty: that of the path.

    Raises
    ------
    ConfigError
        The format contradicts the path.
    UnknownComponent
        No sink writes the path.
    """
    sink = _sink(path, fmt, registry)
    use = Use(sink.reference, {"path": path})
    return Target(use, registry.build("sink", use.name, use.options))


def _sink(path: str, fmt: str, registry: Registry) -> Offer:
    if not fmt:
        return registry.sink_for(path)
    if is_url(path):
        raise ConfigError(f"--fmt {fmt}: the URL of a database has no other format; omit it")
    chosen = registry.sink_for(f".{fmt}")
    try:
        named = registry.sink_for(path)
    except UnknownComponent:
        return chosen
    if named.reference != chosen.reference:
        raise ConfigError(f"--fmt {fmt}: {path} ends like another format; change one of them")
    return chosen


def tables_of(
    instances: Target, columns: Iterable[Column], registry: Registry, *, exclude_path: bool
) -> list[Written]:
    """Return the instance table, its error table and its column table.

    Raises
    ------
    ConfigError
        The path is to be excluded from a database, which identifies files by it.
    """
    table = instance_table(columns)
    if exclude_path:
        if instances.multi_table(registry):
            raise ConfigError("--exclude-path: a database identifies each file by its path")
        table = replace(table, columns=table.columns[:-1])
    found = [(instances, table)]
    for each in (ERRORS, COLUMNS):
        companion = instances.companion(each.name, registry)
        if companion is not None:
            found.append((companion, each))
    owner = registry.select("sink", instances.use.name).described
    return [Written(target.name, target.sink, table, owner) for target, table in found]


def without_path(rows: Sequence[Row]) -> list[Row]:
    """Return the rows of the column table, except that of the path."""
    return [row for row in rows if row[0] != PATH_COLUMN]


def new_prefix() -> str:
    """Return a new beginning of keys: a batch with a key of an earlier parse replaces its rows."""
    return f"{secrets.token_hex(6)}-"


def append_to(sink: Sink, table: Table, prefix: str) -> None:
    """Continue at the end of a table, or begin it if there is none.

    Raises
    ------
    StateError
        The table has other columns.
    """
    sink.deliver(Batch(table=table, key=prefix, rows=()))


def check_same_columns(written: Written, expected: Sequence[Row]) -> None:
    """Check that a column table lists the columns, and their types, that are to be appended.

    Raises
    ------
    ConfigError
        It lists others.
    """
    if not written.sink.has(written.table.name):
        return
    known = [(row["column"], row["type"]) for _, row in written.sink.read()]
    if known != [row[:2] for row in expected]:
        raise ConfigError(
            f"{written.name}: the table has other columns, or columns of other types; --append "
            "needs the same tags"
        )
