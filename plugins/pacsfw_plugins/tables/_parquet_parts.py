"""Parts of a Parquet data set: files that are complete or absent, with the rows of each key."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from pacsfw import api
from pacsfw.durable import replacing
from pacsfw_plugins.tables._cells import dump, refusing
from pacsfw_plugins.tables._physical import Physical, physical

Piece: TypeAlias = "pa.Table"
"""The rows of one key."""

_TABLE = b"pacsfw.table"
_KEYS = b"pacsfw.keys"
_TYPES: Mapping[api.ColumnType, pa.DataType] = {
    "text": pa.string(),
    "int": pa.int64(),
    "float": pa.float64(),
    "bool": pa.bool_(),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "datetime": pa.timestamp("us"),
    "duration": pa.duration("us"),
    "texts": pa.list_(pa.string()),
    "ints": pa.list_(pa.int64()),
    "floats": pa.list_(pa.float64()),
    "json": pa.string(),
}


def piece(table: api.Table, rows: Iterable[api.Row], where: object = "") -> Piece:
    """Return the rows as a piece.

    Raises
    ------
    Refused
        A value is not one of its column.
    """
    rows = list(rows)
    columns = physical(table)
    arrays = []
    for column in columns:
        with refusing(where, column.name):
            arrays.append(_array(column, rows))
    return pa.Table.from_arrays(arrays, names=[column.name for column in columns])


def joined(first: Piece | None, second: Piece) -> Piece:
    """Return the rows of both."""
    return second if first is None else pa.concat_tables([first, second])


def _array(column: Physical, rows: Iterable[api.Row]) -> pa.Array:
    cells = [column.cell(row) for row in rows]
    if column.type == "json":
        cells = [None if cell is None else dump(cell) for cell in cells]
    return pa.array(cells, _TYPES[column.type])


def write(path: Path, table: api.Table, pieces: Mapping[str, Piece]) -> None:
    """Write and sync a part under a temporary name, then rename it.

    Raises
    ------
    OSError
        It cannot be written; an earlier part of this name is unchanged.
    """
    content = pa.concat_tables([piece(table, ()), *pieces.values()])
    kept = {
        _TABLE: json.dumps(_described(table)),
        _KEYS: json.dumps([[key, rows.num_rows] for key, rows in pieces.items()]),
    }
    with replacing(path) as file:
        pq.write_table(
            content.replace_schema_metadata(kept), file, compression="zstd", use_dictionary=True
        )


def keys(path: Path, table: api.Table | None = None) -> dict[str, int]:
    """Return the keys in a part and the number of rows of each.

    Parameters
    ----------
    table
        The required columns.

    Raises
    ------
    ValueError
        It was not written by pacsfw, or has other columns.
    """
    try:
        kept = pq.read_schema(path).metadata or {}
    except (pa.ArrowInvalid, OSError) as err:
        raise ValueError("is not a readable Parquet file") from err
    if _TABLE not in kept or _KEYS not in kept:
        raise ValueError("was not written by pacsfw")
    if table is not None and json.loads(kept[_TABLE]) != _described(table):
        raise ValueError("has different columns from the configuration")
    return dict(json.loads(kept[_KEYS]))


def read(path: Path) -> dict[str, Piece]:
    """Return the pieces of a part, in the order of its rows."""
    content = pq.read_table(path).replace_schema_metadata(None)
    pieces, begin = {}, 0
    for key, rows in keys(path).items():
        pieces[key] = content.slice(begin, rows)
        begin += rows
    return pieces


def rows_of(path: Path) -> Iterable[dict[str, Any]]:
    """Yield the rows of a part as mappings of Python values."""
    for batch in pq.ParquetFile(path).iter_batches():
        yield from batch.to_pylist()


def _described(table: api.Table) -> list[list[str]]:
    return [[column.name, column.type] for column in table.columns]
