"""Tar archives, compressed or not: list their members, and unpack one at a time."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from typing import IO, Any, BinaryIO, cast

from pacsfw.parse.tree.unpacking import (
    ALWAYS,
    PIECE,
    RATIO,
    TOO_LARGE,
    Bounded,
    Unpackable,
    copy,
    decompressed,
    limit,
    unpacking,
)

MOST_MEMBERS = 500_000
"""Maximum number of members: their names are kept, because each must be unique."""

LINK = "a link or device in a tar archive: not read"


class TarArchive:
    """An open tar archive, which is read from its beginning to its end.

    Raises
    ------
    Unpackable
        It is not a tar archive, or damaged.
    OSError
        It cannot be read.
    """

    def __init__(self, file: BinaryIO, *, is_compressed: bool) -> None:
        self._packed = os.fstat(file.fileno()).st_size
        most = ALWAYS + RATIO * self._packed
        with unpacking():
            content = decompressed(file) if is_compressed else file
        self._file, self._content = file, Bounded(content, most)
        self._begin()

    def members(self) -> Iterator[tuple[int, str, str]]:
        """Yield number, name and fault (empty: none) of everything that is not a folder.

        Raises
        ------
        Unpackable
            The archive is damaged, cut or too large; members may be missing.
        OSError
            It cannot be read.
        """
        while (info := self._advance()) is not None:
            if self._next > MOST_MEMBERS:
                raise Unpackable("the archive has too many members: unpack it")
            if not info.isdir():
                yield self._next - 1, info.name, "" if info.isreg() else LINK
        self._check_end()

    def unpack(self, number: int, target: IO[bytes]) -> None:
        """Write the content of a member; members in ascending order are read in one go.

        Raises
        ------
        Unpackable
            It is damaged or too large.
        OSError
            It cannot be read or written.
        """
        if number < self._next:
            self._begin()
        while (info := self._advance()) is not None and self._next <= number:
            pass
        if info is None or not info.isreg():
            raise Unpackable("the archive has changed since it was listed")
        if info.size > limit(self._packed):
            raise Unpackable(TOO_LARGE)
        with unpacking():
            member = self._tar.extractfile(info)
            assert member is not None  # noqa: S101 - it is a regular file
            copy(member, target, info.size)

    def close(self) -> None:
        """Close the file."""
        self._content.close()
        self._file.close()

    def _begin(self) -> None:
        with unpacking():
            self._content.seek(0)
            self._tar = tarfile.TarFile(fileobj=cast("BinaryIO", self._content))
        self._next = 0

    def _advance(self) -> tarfile.TarInfo | None:
        with unpacking():
            info = self._tar.next()
        cast("Any", self._tar).members.clear()  # it would keep all of them
        self._next += 1
        return info

    def _check_end(self) -> None:
        """Check that the archive ends here: `tarfile` takes any damage for its end."""
        with unpacking():
            self._content.seek(self._tar.offset)
            rest = self._content.read(tarfile.BLOCKSIZE)
            if len(rest) < tarfile.BLOCKSIZE:
                raise Unpackable("the archive is cut: members may be missing")
            while rest:
                if rest.strip(b"\0"):
                    raise Unpackable("the archive is damaged: members may be missing")
                rest = self._content.read(PIECE)
