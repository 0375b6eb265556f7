"""A table in one file that only grows: the base of the csv and the jsonl sink."""

from __future__ import annotations

import hashlib
import os
import stat
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, ClassVar

from pacsfw import api
from pacsfw.durable import replacing, sync_folder
from pacsfw.errors import ConfigError, StateError
from pacsfw_plugins._options import options, path_option
from pacsfw_plugins.tables._cells import refusing
from pacsfw_plugins.tables._folders import make_folders, naming

SCHEMA = options({"path": path_option("The file to write.")}, "path")
"""The options of a sink that writes one file."""

FIX = "move it away, and pacsfw writes it again"

TAIL = 1 << 14
"""Number of bytes at the end of a file by which it is recognized."""


class TableFile(api.Sink):
    """Appends the rows of each batch to one file, in one durable write.

    The file is opened for each write and must have the length and the end of the last write. So
    a file that was edited or replaced in the meantime is detected and not damaged. New files
    have mode 0600 and new folders 0700, because tables hold patient data.

    Parameters
    ----------
    path
        The file. Its folder is created when the first table is opened.
    """

    appends: ClassVar[bool] = True

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self._table: api.Table | None = None
        self._position = 0
        self._mark = ""
        self._written_at = 0

    @abstractmethod
    def head(self, table: api.Table) -> bytes:
        """Return the beginning of a new file."""

    @abstractmethod
    def encode(self, table: api.Table, rows: Iterable[api.Row]) -> bytes:
        """Return complete lines for the rows."""

    @abstractmethod
    def fits(self, table: api.Table, file: BinaryIO) -> bool:
        """Return whether a file that is not empty was begun for these columns."""

    def has(self, table: str) -> bool:
        """Return whether the file exists; it holds one table of any name."""
        return self.path.exists()

    def deliver(self, batch: api.Batch) -> None:
        """Append the rows of a batch and sync the file.

        Without a previous `restore`, the first delivery continues at the end of the file.

        Raises
        ------
        StateError
            The file cannot be written, has changed since the last write, or was begun with
            other columns. It then has no rows of the batch.
        Refused
            A value is not one of a table; likewise.
        """
        if self._table is None:
            self.restore(batch.table, self._size())
        if batch.table != self._table:
            raise ValueError(f"{self.path} holds one table only, not also {batch.table.name!r}")
        data = self._lines(batch.table, batch.rows)
        with naming(self.path, "written"), self.path.open("r+b", buffering=0) as file:
            self._check_unchanged(file, batch.table)
            file.seek(self._position)
            try:
                _write_all(file.fileno(), data)
                os.fsync(file.fileno())
            except OSError:
                file.truncate(self._position)
                raise
            self._remember(file, batch.table, self._position + len(data))

    def position(self) -> int:
        """Return the length of the file in bytes after the last delivery."""
        return self._position

    def begin(self, table: api.Table) -> None:
        """Begin the file; refuse a file that has more than our header.

        Raises
        ------
        StateError
            There is such a file, or it cannot be written. The file is unchanged.
        """
        if self._size() > len(self.head(table)):
            raise StateError(
                f"{self.path}: holds rows that this collection did not write; move it away, or "
                "choose another file"
            )
        self.restore(table, 0)

    def restore(self, table: api.Table, position: int) -> None:
        """Truncate the file to the end of the last committed delivery.

        At position 0 a new file is begun, unless the existing one was begun with other columns.

        Raises
        ------
        StateError
            The file is missing or shorter than ``position``, has no end of a row there, was
            begun with other columns, or cannot be opened. It is unchanged. After it is moved
            away, `rewrite` with every batch of the ledger creates it again.
        """
        self.check_position(position)
        if self._size() == 0:
            self.rewrite(table, ())
            return
        with naming(self.path, "opened"), self.path.open("r+b", buffering=0) as file:
            self._check_begun(table, file)
            end = max(position, len(self.head(table)))
            file.truncate(end)
            os.fsync(file.fileno())
            # A killed `rewrite` may have left the new file.
            self.path.with_name(f".{self.path.name}.new").unlink(missing_ok=True)
            self._remember(file, table, end)

    def check_position(self, position: int) -> None:
        """Detect a file that was truncated or edited, by its length and its line ends.

        Raises
        ------
        StateError
            The file is shorter than ``position``, or no row ends there.
        """
        size = self._size()
        if size < position:
            raise StateError(
                f"{self.path}: has {size} bytes where {position} were written: it was truncated "
                f"or edited; {FIX}"
            )
        if position == 0:
            return
        with naming(self.path, "opened"), self.path.open("rb") as file:
            file.seek(position - 1)
            if file.read(1) != b"\n":
                raise StateError(
                    f"{self.path}: no row ends at byte {position}: it was edited; {FIX}"
                )

    def mark(self, table: api.Table, position: int) -> str:
        """Return a digest of the last `TAIL` bytes before ``position``; empty if it is shorter."""
        if table == self._table and position == self._position:
            return self._mark
        with naming(self.path, "opened"):
            if self._size() < position:
                return ""
            with self.path.open("rb") as file:
                return _digest(file, table, position)

    def holds(self, table: api.Table, batches: Iterable[api.Batch], position: int) -> bool:
        """Return whether the rows up to ``position`` are those of the batches, in any order."""
        with naming(self.path, "opened"):
            if self._size() < position:
                return False
            wanted = Lines()
            for batch in batches:
                wanted.add(self.encode(table, batch.rows).split(b"\n")[:-1])
            found, head = Lines(), self.head(table)
            with self.path.open("rb") as file:
                if file.read(len(head)) != head:
                    return False
                found.add(_lines(file, position - len(head)))
        return found == wanted

    def rewrite(self, table: api.Table, batches: Iterable[api.Batch]) -> None:
        """Replace the content of the file by these batches, or leave it unchanged.

        Raises
        ------
        StateError
            The new file cannot be written.
        """
        with naming(self.path, "written"):
            make_folders(self.path.parent)
            with replacing(self.path) as file:
                if self.path.exists():
                    # Whoever may read the table may also read the new one.
                    os.fchmod(file.fileno(), stat.S_IMODE(self.path.stat().st_mode))
                file.write(self.head(table))
                for batch in batches:
                    file.write(self._lines(table, batch.rows))
                size = file.tell()
            sync_folder(self.path.parent)
            with self.path.open("rb") as file:
                self._remember(file, table, size)

    def _lines(self, table: api.Table, rows: Sequence[api.Row]) -> bytes:
        width = len(table.columns)
        if wrong := [len(row) for row in rows if len(row) != width]:
            raise ValueError(f"a row has {wrong[0]} cells where the table has {width} columns")
        with refusing(self.path):
            return self.encode(table, rows)

    def _size(self) -> int:
        """Return the present length of the file, 0 if there is none."""
        with naming(self.path, "opened"):
            return self.path.stat().st_size if self.path.exists() else 0

    def _remember(self, file: BinaryIO, table: api.Table, position: int) -> None:
        """Remember what the file must look like at the next write."""
        self._table, self._position = table, position
        self._mark = _digest(file, table, position)
        self._written_at = os.fstat(file.fileno()).st_mtime_ns

    def _check_unchanged(self, file: BinaryIO, table: api.Table) -> None:
        """Detect an edit by the length and, if the time is another, by the end of the file."""
        size = file.seek(0, os.SEEK_END)
        if size != self._position:
            raise StateError(
                f"{self.path}: has {size} bytes where {self._position} were written: another "
                "program changed the file; close it there and restart"
            )
        touched = os.fstat(file.fileno()).st_mtime_ns != self._written_at
        if touched and _digest(file, table, size) != self._mark:
            raise StateError(f"{self.path}: another program changed the last rows; {FIX}")

    def _check_begun(self, table: api.Table, file: BinaryIO) -> None:
        if not self.fits(table, file):
            raise StateError(
                f"{self.path}: does not begin with the columns of the configuration, as pacsfw "
                f"writes them; {FIX}"
            )


@dataclass(slots=True)
class Lines:
    """Number and sum of the digests of any number of lines: equal for equal lines in any order."""

    count: int = 0
    total: int = 0

    def add(self, lines: Iterable[bytes]) -> None:
        """Add lines, without their line ends."""
        for line in lines:
            self.count += 1
            digest = hashlib.blake2b(line, digest_size=16).digest()
            self.total = (self.total + int.from_bytes(digest)) % (1 << 128)


def _lines(file: BinaryIO, length: int) -> Iterator[bytes]:
    """Yield the lines of the next ``length`` bytes of a file."""
    for line in file:
        length -= len(line)
        if length < 0:
            return
        yield line.removesuffix(b"\n")


def _digest(file: BinaryIO, table: api.Table, position: int) -> str:
    begin = max(0, position - TAIL)
    file.seek(begin)
    digest = hashlib.sha256(f"{table.name} {position} ".encode())
    digest.update(file.read(position - begin))
    return digest.hexdigest()


def text_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a UTF-8 file with their line ends, without a byte order mark.

    A file that does not exist has no lines.

    Raises
    ------
    ConfigError
        The file cannot be read, or the named line is not UTF-8.
    """
    try:
        with path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                yield _decoded(raw, f"{path.name}:{number}", first=number == 1)
    except FileNotFoundError:
        return
    except OSError as err:
        raise ConfigError(f"{path}: cannot be read: {err.strerror}") from err


def _decoded(raw: bytes, where: str, *, first: bool) -> str:
    try:
        line = raw.decode("utf-8-sig" if first else "utf-8")
    except UnicodeDecodeError:
        # Without its cause, which quotes the line and so may name a patient.
        raise ConfigError(f"{where}: is not UTF-8 text; save the file as UTF-8") from None
    if first and "\0" in line:
        raise ConfigError(f"{where}: contains a NUL character; save the file as UTF-8 text")
    return line


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
