"""A table in one file that only grows: what the csv and the jsonl sink share."""

from __future__ import annotations

import os
import stat
from abc import abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, ClassVar

from pacsfw import api
from pacsfw.durable import sync_folder
from pacsfw.errors import ConfigError, StateError
from pacsfw_plugins.tables._folders import make_folders

SCHEMA: api.JSONSchema = {
    "type": "object",
    "properties": {
        "path": {"type": "string", "minLength": 1, "description": "The file to write."},
    },
    "required": ["path"],
    "additionalProperties": False,
}
"""The options of a sink that writes one file."""

MEND = "move it away, and it is written anew"


class TableFile(api.Sink):
    """Appends the rows of each batch to one file, in one durable write.

    The file is opened anew for every write and must then be exactly as long as this object
    left it, so that a file edited or replaced in the meantime is noticed, not damaged.
    New files have mode 0600, new folders 0700: tables hold patient data.

    Parameters
    ----------
    path
        The file. Its folder is made when the first table is opened.
    """

    appends: ClassVar[bool] = True

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self._draft = self.path.with_name(f".{self.path.name}.new")
        self._table: api.Table | None = None
        self._position = 0

    @abstractmethod
    def head(self, table: api.Table) -> bytes:
        """Return what a fresh file begins with."""

    @abstractmethod
    def encode(self, table: api.Table, rows: Iterable[api.Row]) -> bytes:
        """Return whole lines for the rows."""

    @abstractmethod
    def fits(self, table: api.Table, file: BinaryIO) -> bool:
        """Tell whether a file that is not empty was begun for these columns."""

    def has(self, table: str) -> bool:
        """Tell whether the file is there; it holds one table, whatever that is called."""
        return self.path.exists()

    def deliver(self, batch: api.Batch) -> None:
        """Append the rows of a batch; they are on disk on return.

        Without a `restore` before it, the first delivery continues at the end of the file.

        Raises
        ------
        StateError
            The file cannot be written, has changed since the last write, or was begun with
            other columns. Nothing of the batch is in the file then.
        """
        if self._table is None:
            self.restore(batch.table, self._size())
        if batch.table != self._table:
            raise ValueError(f"{self.path} holds one table only, not also {batch.table.name!r}")
        data = self.encode(batch.table, batch.rows)
        with self._failures("written"), self.path.open("r+b", buffering=0) as file:
            self._check_unchanged(file)
            file.seek(self._position)
            try:
                _write_all(file.fileno(), data)
                os.fsync(file.fileno())
            except OSError:
                file.truncate(self._position)
                raise
        self._position += len(data)

    def position(self) -> int:
        """Return the length of the file in bytes after the last delivery."""
        return self._position

    def begin(self, table: api.Table) -> None:
        """Begin the file; one that holds anything but our own header is somebody else's.

        Raises
        ------
        StateError
            There is such a file, or it cannot be written. Nothing was changed.
        """
        if self._size() > len(self.head(table)):
            raise StateError(
                f"{self.path}: holds rows that this collection did not write; move it away, or "
                "name another file"
            )
        self.restore(table, 0)

    def restore(self, table: api.Table, position: int) -> None:
        """Make the file end where the last committed delivery ended.

        At position 0 the file is begun afresh, unless one is there that was begun with
        other columns: that one is not ours to overwrite.

        Raises
        ------
        StateError
            The file is shorter than ``position`` or missing, does not end a row there, was
            begun with other columns, or cannot be opened. Nothing was changed. With the
            file out of the way, `rewrite` with every batch of the ledger makes it anew.
        """
        self.check(position)
        if self._size() == 0:
            self.rewrite(table, ())
            return
        with self._failures("opened"), self.path.open("r+b", buffering=0) as file:
            self._check_begun(table, file)
            end = max(position, len(self.head(table)))
            file.truncate(end)
            os.fsync(file.fileno())
            # What a kill in the middle of a rewrite may have left.
            self._draft.unlink(missing_ok=True)
        self._table, self._position = table, end

    def check(self, position: int) -> None:
        """Tell a file that was cut or edited, as far as its length and its line ends tell.

        Raises
        ------
        StateError
            It is shorter than ``position``, or no row ends there.
        """
        size = self._size()
        if size < position:
            raise StateError(
                f"{self.path}: has {size} bytes where {position} were written: it was cut or "
                f"edited; {MEND}"
            )
        if position == 0:
            return
        with self._failures("opened"), self.path.open("rb") as file:
            file.seek(position - 1)
            if file.read(1) != b"\n":
                raise StateError(
                    f"{self.path}: no row ends at byte {position}: it was edited; {MEND}"
                )

    def rewrite(self, table: api.Table, batches: Iterable[api.Batch]) -> None:
        """Replace the whole file by these batches, or leave it as it was.

        Raises
        ------
        StateError
            The new file cannot be written.
        """
        with self._failures("written"):
            make_folders(self.path.parent)
            self._draft.unlink(missing_ok=True)
            try:
                size = self._write_draft(table, batches)
                self._draft.replace(self.path)
            finally:
                self._draft.unlink(missing_ok=True)
            sync_folder(self.path.parent)
        self._table, self._position = table, size

    def _size(self) -> int:
        """Return the length of the file as it is, 0 where there is none."""
        with self._failures("opened"):
            return self.path.stat().st_size if self.path.exists() else 0

    def _write_draft(self, table: api.Table, batches: Iterable[api.Batch]) -> int:
        """Write and sync the new file; return its length."""
        descriptor = os.open(self._draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:
            if self.path.exists():
                # Whoever opened the table to colleagues wants it to stay open to them.
                os.fchmod(descriptor, stat.S_IMODE(self.path.stat().st_mode))
            file.write(self.head(table))
            for batch in batches:
                file.write(self.encode(table, batch.rows))
            file.flush()
            os.fsync(descriptor)
            return file.tell()

    def _check_unchanged(self, file: BinaryIO) -> None:
        size = file.seek(0, os.SEEK_END)
        if size != self._position:
            raise StateError(
                f"{self.path}: has {size} bytes where {self._position} were written: something "
                "else changes this file; close it there and start again"
            )

    def _check_begun(self, table: api.Table, file: BinaryIO) -> None:
        if not self.fits(table, file):
            raise StateError(
                f"{self.path}: does not begin with the columns that the configuration names, "
                f"as pacsfw writes them; {MEND}"
            )

    @contextmanager
    def _failures(self, what: str) -> Iterator[None]:
        """Name the file in what the operating system complains about."""
        try:
            yield
        except OSError as err:
            raise StateError(f"{self.path}: cannot be {what}: {err.strerror}") from err


def text_lines(path: Path) -> Iterator[str]:
    """Give the lines of a UTF-8 file, each with its line end; a byte order mark is dropped.

    A file that does not exist has no lines, as a table never written has no rows.

    Raises
    ------
    ConfigError
        The file cannot be read, or a line (named) is not UTF-8 or contains a NUL.
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
        # The cause is left out of the traceback: it quotes the line, which names a patient.
        raise ConfigError(f"{where}: is not UTF-8 text; save the file as UTF-8") from None
    if "\0" in line:
        raise ConfigError(f"{where}: contains a NUL character; save the file as UTF-8 text")
    return line


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
