"""The ``parquet`` sink: a table as a folder of Parquet files that is readable at any time."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from pacsfw import api, hookimpl
from pacsfw.durable import sync_folder
from pacsfw.errors import ConfigError, StateError
from pacsfw_plugins._options import options, path_option
from pacsfw_plugins.tables._cells import to_text
from pacsfw_plugins.tables._folders import exchange, link_or_copy, make_folders, naming
from pacsfw_plugins.tables._parquet_names import PART, numbers_of, part_name
from pacsfw_plugins.tables._table_file import FIX

if TYPE_CHECKING:
    from pacsfw_plugins.tables._parquet_parts import Piece

SMALL = 8192
"""Rows from which a part gets no further key, because each delivery rewrites its part."""
BIG = 262_144
"""Rows per part if many parts are written at once."""
MANY = 32
"""Small parts from which `close` merges them."""

SCHEMA = options({"path": path_option("The folder to write.")}, "path")


class ParquetSink(api.Sink):
    """Writes parts of complete studies; each study is in one part only.

    A part is written under a temporary name and renamed, so readers see the old or the new part.
    A new study goes into the newest part while that is small, and a study that is delivered
    again into its present part. So at any time the folder is one data set without incomplete
    files or duplicate studies.

    Parts are merged in another folder, which then replaces this one. Their names are never used
    again: a reader that has listed the old parts gets an error instead of duplicate rows.

    Parameters
    ----------
    path
        The folder. It and its parents are created when the first table is opened.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self._new = self.path.with_name(f".{self.path.name}.new")
        self._old = self.path.with_name(f".{self.path.name}.old")
        self._table: api.Table | None = None
        self._parts: dict[str, dict[str, int]] = {}
        """Name of a part to its keys and their numbers of rows."""
        self._homes: dict[str, str] = {}
        """Key to the name of its part."""
        self._newest: tuple[str, dict[str, Piece]] = ("", {})
        self._mark = ""
        """That of the newest part. A data set keeps it; parts of older versions have none."""

    def has(self, table: str) -> bool:
        """Return whether the folder exists; it holds one table of any name."""
        self._recover()
        return self.path.exists()

    def begin(self, table: api.Table) -> None:
        """Begin an empty data set; refuse a folder with other content.

        Raises
        ------
        StateError
            There is such a folder or file, or it cannot be written. It is unchanged.
        """
        self._recover()
        if self.path.exists() and any(sum(keys.values()) for keys in self._scan(None).values()):
            raise StateError(
                f"{self.path}: holds rows that this collection did not write; move it away, or "
                "choose another folder"
            )
        self.rewrite(table, ())

    def restore(self, table: api.Table, position: int) -> None:
        """Continue the existing data set.

        Raises
        ------
        StateError
            It has other files, a part is damaged or missing, or it has other columns.
        """
        self._recover()
        with naming(self.path, "opened"):
            self._adopt(table, self._scan(table))

    def check_position(self, position: int) -> None:
        """Detect a folder that holds anything except our parts."""
        with naming(self.path, "opened"):
            self._scan(None)

    def mark(self, table: api.Table, position: int) -> str:
        """Return the mark that the newest part has; empty if pacsfw did not write one."""
        from pacsfw_plugins.tables import _parquet_parts

        mark = self._mark
        if self._table is None:
            with naming(self.path, "opened"):
                mark = _parquet_parts.mark_of(self.path / max(self._scan(None)))
        return mark and f"{table.name} {mark}"

    def holds(self, table: api.Table, batches: Iterable[api.Batch], position: int) -> bool:
        """Return whether the rows of each key are those of its batch."""
        from pacsfw_plugins.tables import _parquet_parts

        with naming(self.path, "opened"):
            try:
                parts = self._scan(table)
            except StateError:
                return False
            return _parquet_parts.hold(self.path, parts, table, batches)

    def deliver(self, batch: api.Batch) -> None:
        """Replace the rows of the key of a batch, and sync them.

        Raises
        ------
        StateError
            The part cannot be written; it is unchanged.
        """
        from pacsfw_plugins.tables import _parquet_parts

        if self._table is None:
            if self.has(batch.table.name):
                self.restore(batch.table, 0)
            else:
                self.begin(batch.table)
        if batch.table != self._table:
            raise ValueError(f"{self.path} holds one table only, not also {batch.table.name!r}")
        home = self._homes.get(batch.key)
        if home is None and not batch.rows:
            return
        name = home or self._part_for_new_key()
        with naming(self.path, "written"):
            pieces = dict(self._pieces(name))
            pieces[batch.key] = _parquet_parts.piece(batch.table, batch.rows, self.path)
            if not batch.rows:
                del pieces[batch.key]
            mark = self._mark or uuid4().hex
            _parquet_parts.write(self.path / name, batch.table, pieces, mark)
            sync_folder(self.path)
        self._know(name, {key: rows.num_rows for key, rows in pieces.items()})
        if name == max(self._parts):
            self._newest, self._mark = (name, pieces), mark

    def rewrite(self, table: api.Table, batches: Iterable[api.Batch]) -> None:
        """Replace the complete data set by these batches, or leave it unchanged.

        Raises
        ------
        StateError
            The new parts cannot be written.
        """
        from pacsfw_plugins.tables import _parquet_parts

        def groups() -> Iterator[dict[str, Piece]]:
            group: dict[str, Piece] = {}
            rows = 0
            for batch in batches:
                if batch.rows:
                    some = _parquet_parts.piece(table, batch.rows, self.path)
                    group[batch.key] = _parquet_parts.joined(group.get(batch.key), some)
                    rows += some.num_rows
                if rows >= BIG:
                    yield group
                    group, rows = {}, 0
            yield group

        self._replace(table, groups())

    def close(self) -> None:
        """Merge small parts if there are many.

        Raises
        ------
        StateError
            They cannot be written; the data set is unchanged.
        """
        from pacsfw_plugins.tables import _parquet_parts

        small = [name for name, keys in self._parts.items() if sum(keys.values()) < BIG // 2]
        if self._table is None or len(small) <= MANY:
            return

        def groups() -> Iterator[Path | dict[str, Piece]]:
            group: dict[str, Piece] = {}
            rows = 0
            for name in sorted(self._parts):
                if name not in small:
                    yield self.path / name
                    continue
                group |= _parquet_parts.read(self.path / name)
                rows += sum(self._parts[name].values())
                if rows >= BIG:
                    yield group
                    group, rows = {}, 0
            if group:
                yield group

        self._replace(self._table, groups())

    def read(self) -> Iterator[tuple[str, Mapping[str, str]]]:
        """Yield the rows as text; a folder that does not exist has none.

        Yields
        ------
        where, row
            ``resources.parquet:7`` and column to text.

        Raises
        ------
        ConfigError
            The folder holds anything except our parts.
        """
        from pacsfw_plugins.tables import _parquet_parts

        try:
            names = sorted(self._scan(None)) if self.has("") else []
        except (StateError, OSError) as err:
            raise ConfigError(str(err)) from err
        number = 0
        for name in names:
            for row in _parquet_parts.rows_of(self.path / name):
                number += 1
                where = f"{self.path.name}:{number}"
                yield where, {column: to_text(value) for column, value in row.items()}

    def _part_for_new_key(self) -> str:
        name = max(self._parts)
        if sum(self._parts[name].values()) < SMALL:
            return name
        generation, number = numbers_of(name)
        return part_name(generation, number + 1)

    def _pieces(self, name: str) -> dict[str, Piece]:
        from pacsfw_plugins.tables import _parquet_parts

        if self._newest[0] == name:
            return self._newest[1]
        return _parquet_parts.read(self.path / name) if name in self._parts else {}

    def _know(self, name: str, keys: dict[str, int]) -> None:
        for key in self._parts.get(name, {}):
            self._homes.pop(key, None)
        self._parts[name] = keys
        self._homes.update(dict.fromkeys(keys, name))

    def _adopt(self, table: api.Table, parts: Mapping[str, dict[str, int]]) -> None:
        from pacsfw_plugins.tables import _parquet_parts

        self._mark = _parquet_parts.mark_of(self.path / max(parts))
        self._table, self._parts, self._homes, self._newest = table, {}, {}, ("", {})
        for name, keys in parts.items():
            for key in keys:
                if key in self._homes:
                    raise StateError(
                        f"{self.path}: {name}: has rows that {self._homes[key]} has as well"
                    )
            self._know(name, keys)

    def _scan(self, table: api.Table | None) -> dict[str, dict[str, int]]:
        """Return the keys of each part; refuse a folder with other content."""
        from pacsfw_plugins.tables import _parquet_parts

        if not self.path.is_dir():
            raise StateError(f"{self.path}: is not a folder of Parquet files; {FIX}")
        parts = {}
        for path in sorted(self.path.iterdir()):
            if path.name.startswith(".part-"):
                path.unlink()  # left by a killed run
                continue
            if not PART.fullmatch(path.name):
                raise StateError(f"{path}: was not written by pacsfw; move it away, or the folder")
            try:
                parts[path.name] = _parquet_parts.keys(path, table)
            except ValueError as err:
                raise StateError(
                    f"{path}: {err}; move {self.path} away, and pacsfw writes it again"
                ) from err
        if not parts:
            raise StateError(f"{self.path}: is empty; {FIX}")
        return parts

    def _replace(self, table: api.Table, groups: Iterable[Path | dict[str, Piece]]) -> None:
        """Replace all parts by the parts of a new generation."""
        from pacsfw_plugins.tables import _parquet_parts

        with naming(self.path, "written"):
            self._recover()
            before = self._scan(None) if self.path.exists() else {}
            generation = max((numbers_of(name)[0] for name in before), default=0) + 1
            mark = _parquet_parts.mark_of(self.path / max(before)) if before else ""
            mark = mark or uuid4().hex
            make_folders(self.path.parent)
            for left in (self._new, self._old):
                shutil.rmtree(left, ignore_errors=True)
            self._new.mkdir(mode=0o700)
            try:
                for number, group in enumerate(groups):
                    path = self._new / part_name(generation, number)
                    if isinstance(group, Path):
                        link_or_copy(group, path)
                    else:
                        _parquet_parts.write(path, table, group, mark)
                sync_folder(self._new)
                exchange(self._new, self.path, self._old)
                sync_folder(self.path.parent)
            finally:
                shutil.rmtree(self._new, ignore_errors=True)
            shutil.rmtree(self._old, ignore_errors=True)
            self._adopt(table, self._scan(table))

    def _recover(self) -> None:
        """Restore the folder after a kill during an exchange."""
        with naming(self.path, "opened"):
            if self._old.exists() and not self.path.exists():
                self._old.rename(self.path)


@hookimpl
def pacsfw_sinks() -> Iterator[api.Component[api.Sink]]:
    """Offer ``parquet``."""
    yield api.Component(
        name="parquet",
        factory=ParquetSink,
        schema=SCHEMA,
        summary="a table as a folder of Parquet files",
        accepts=(".parquet",),
        requires=("pyarrow[parquet]",),
    )
