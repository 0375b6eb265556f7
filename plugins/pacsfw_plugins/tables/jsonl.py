"""The ``jsonl`` sink: a table as one JSON object per line."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import BinaryIO

from pacsfw import api, hookimpl
from pacsfw.errors import ConfigError
from pacsfw_plugins.tables._cells import dump, to_json, to_text
from pacsfw_plugins.tables._table_file import SCHEMA, TableFile, text_lines


class JsonlSink(TableFile):
    """Writes one JSON object per row, with its keys in the order of the columns.

    UTF-8. Numbers, booleans, lists and mappings become those of JSON, a missing value null, and
    other values the text of `pacsfw_plugins.tables._cells`.
    """

    def head(self, table: api.Table) -> bytes:
        """Return nothing: every line names its columns."""
        return b""

    def encode(self, table: api.Table, rows: Iterable[api.Row]) -> bytes:
        """Return the rows as lines of JSON."""
        names = [column.name for column in table.columns]
        lines = (
            dump({name: to_json(value) for name, value in zip(names, row, strict=True)}) + "\n"
            for row in rows
        )
        return "".join(lines).encode("utf-8")

    def fits(self, table: api.Table, file: BinaryIO) -> bool:
        """Return whether the first row has these columns."""
        try:
            row = json.loads(file.readline())
        except ValueError:
            return False
        return isinstance(row, dict) and list(row) == [column.name for column in table.columns]

    def read(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Yield the rows as text; null becomes the empty text, and empty lines are skipped.

        A file that does not exist has no rows.

        Yields
        ------
        where, row
            ``resources.jsonl:7`` and column to text.

        Raises
        ------
        ConfigError
            A line is not one JSON object in UTF-8, or the file cannot be read.
        """
        for number, line in enumerate(text_lines(self.path), start=1):
            if line.strip():
                where = f"{self.path.name}:{number}"
                yield where, {name: to_text(value) for name, value in _parsed(line, where)}


def _parsed(line: str, where: str) -> Iterable[tuple[str, object]]:
    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        if len(dict(pairs)) != len(pairs):
            raise ConfigError(f"{where}: a key occurs twice")
        return dict(pairs)

    try:
        row = json.loads(line, object_pairs_hook=once)
    except (ValueError, RecursionError):
        # Without its cause, which quotes the line and so may name a patient.
        raise ConfigError(f"{where}: is not JSON; each line must be one JSON object") from None
    if not isinstance(row, dict):
        raise ConfigError(f"{where}: is not a JSON object")
    return row.items()


@hookimpl
def pacsfw_sinks() -> Iterator[api.Component[api.Sink]]:
    """Offer ``jsonl``."""
    yield api.Component(
        name="jsonl",
        factory=JsonlSink,
        schema=SCHEMA,
        summary="a table as one JSON object per line (UTF-8)",
        accepts=(".jsonl", ".ndjson"),
    )
