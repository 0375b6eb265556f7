"""Zip and tar archives, also one within another: list their members, and unpack one at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import BinaryIO, NamedTuple

from pacsfw.parse.tree.formats import START, format_of
from pacsfw.parse.tree.member_names import MemberNames
from pacsfw.parse.tree.tars import TarArchive
from pacsfw.parse.tree.unpacking import (
    Unpackable,
    copy,
    decompressed,
    limit,
    unpacking,
)
from pacsfw.parse.tree.walk import Item
from pacsfw.parse.tree.zips import ZipArchive

DEEPEST = 3
"""Maximum number of archives one within another."""

EMPTY = "an archive without files"

_NUMBERS = count()


class _Opened(NamedTuple):
    path: str
    numbers: tuple[int, ...]
    archive: ZipArchive | TarArchive


class Archives:
    """Lists and unpacks archives; keeps the last one open, and those that it is in.

    Parameters
    ----------
    folder
        Folder for one unpacked member at a time.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._name = f"{os.getpid()}-{next(_NUMBERS)}"
        self._opened: list[_Opened] = []

    def members(self, item: Item, after: tuple[int, ...] = ()) -> Iterator[Item]:
        """Yield the members of an archive, in the order of its listing.

        If the archive cannot be listed completely, the last item gives the reason.

        Parameters
        ----------
        after
            Skip everything up to this position. A member that is an archive itself is not
            skipped if the position is within it.
        """
        first = after[0] if after else -1
        number, names = -1, MemberNames(item.member)
        try:
            with self.file(item) as path:
                archive = _open(path)
            try:
                for number, name, lost in archive.members():
                    member = names.unique(name, number)
                    if number > first or (number == first and len(after) > 1):
                        yield Item(item.path, (*item.numbers, number), member, lost)
            finally:
                archive.close()
        except Unpackable as err:
            lost = str(err)
        except OSError as err:
            lost = f"cannot be read: {err.strerror or 'damaged'}"
        else:
            lost = EMPTY if number < 0 else ""
        if not lost:
            return
        if number < 0:
            yield item._replace(lost=lost)
        elif number >= first:
            yield Item(item.path, (*item.numbers, number + 1), item.member, lost)

    @contextmanager
    def file(self, item: Item, what: str = "member") -> Iterator[Path]:
        """Provide the path of a file or an unpacked member, which is deleted afterwards.

        Parameters
        ----------
        what
            Begins the name of its temporary file.

        Raises
        ------
        Unpackable
            The member cannot be unpacked.
        OSError
            The archive cannot be read, or the member cannot be written.
        """
        if not item.numbers:
            yield Path(item.path)
            return
        archive = self._archive(item.path, item.numbers[:-1])
        with self._temporary(what) as path:
            with path.open("wb") as file:
                archive.unpack(item.numbers[-1], file)
            yield path

    @contextmanager
    def decompressed(self, path: Path) -> Iterator[Path]:
        """Provide the path of the content of a gzip, bzip2 or xz file.

        Raises
        ------
        Unpackable, OSError
            As for `file`.
        """
        with self._temporary("content") as content:
            with path.open("rb") as file, content.open("wb") as target, unpacking():
                copy(decompressed(file), target, limit(path.stat().st_size))
            yield content

    def close(self) -> None:
        """Close the open archives."""
        while self._opened:
            self._opened.pop().archive.close()

    def _archive(self, path: str, numbers: tuple[int, ...]) -> ZipArchive | TarArchive:
        """Return an archive; one within another is unpacked first."""
        wanted = [(path, numbers[:depth]) for depth in range(len(numbers) + 1)]
        while self._opened and self._opened[-1][:2] not in wanted:
            self._opened.pop().archive.close()
        while len(self._opened) < len(wanted):
            of = Item(*wanted[len(self._opened)])
            with self.file(of, "archive") as file:
                self._opened.append(_Opened(of.path, of.numbers, _open(file)))
        return self._opened[-1].archive

    @contextmanager
    def _temporary(self, what: str) -> Iterator[Path]:
        path = self._folder / f"{what}-{self._name}"
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)


def start_within(path: Path) -> bytes:
    """Return the first bytes of the content of a gzip, bzip2 or xz file.

    Raises
    ------
    Unpackable
        It is damaged.
    OSError
        It cannot be read.
    """
    with path.open("rb") as file, unpacking():
        return decompressed(file).read(START)


def _open(path: Path) -> ZipArchive | TarArchive:
    """Open an archive; the file may be deleted afterwards."""
    file = path.open("rb")
    try:
        return _of(file)
    except BaseException:
        file.close()
        raise


def _of(file: BinaryIO) -> ZipArchive | TarArchive:
    found = format_of(os.pread(file.fileno(), START, 0), "")
    if found is None or found.kind == "zip":
        return ZipArchive(file)
    return TarArchive(file, is_compressed=found.kind == "compressed")
