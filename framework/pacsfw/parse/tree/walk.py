"""List every file below a folder once, sorted by path, from any position on.

Links to files are files. Links to folders are reported, not followed, so that no file is read
twice. FIFOs, sockets and devices are reported, and never opened.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import NamedTuple

from pacsfw.parse.tree.entries import Entry, entries

STATE_FOLDER = ".pacsfw"
"""Folder of a collection's ledger and spool; it is never read."""

SPECIAL = "a FIFO, socket or device: never opened"


class Item(NamedTuple):
    """A file, a member of an archive, or an entry that cannot be read.

    Attributes
    ----------
    path
        Absolute path of the file or archive.
    numbers, member
        Index and name of the member in the archive; both empty for a file. If the member is an
        archive too, the next number is that of a member in it.
    lost
        The reason why it is not read; empty if it is.
    is_file
        False for a folder that could not be listed.
    """

    path: str
    numbers: tuple[int, ...] = ()
    member: str = ""
    lost: str = ""
    is_file: bool = True

    @property
    def place(self) -> str:
        """Its path in tables; for a member, the path of the archive and the member's name."""
        return f"{self.path}/{self.member}" if self.member else self.path


@dataclass(frozen=True, slots=True)
class Position:
    """The path of a file relative to the root, and the numbers of a member."""

    path: str
    numbers: tuple[int, ...] = ()


def walk(
    root: str, after: Position | None = None, ignore: frozenset[str] = frozenset()
) -> Iterator[Item]:
    """Yield every file at or below ``root``.

    Memory use does not depend on the number of files.

    Parameters
    ----------
    root
        Absolute path of a folder, or of one file.
    after
        Skip everything up to this position; a file is not skipped if the position is that of a
        member of it.
    ignore
        Absolute paths of files and folders to skip.

    Raises
    ------
    OSError
        The root cannot be listed.
    """
    if not os.path.isdir(root):  # str is cheaper than Path for a million files
        # A file that does not exist is reported by its reader.
        yield from _items(root, Entry(root, "other" if is_special(root) else "file"), after)
        return
    spine = PurePath(after.path).parts if after else ()
    stack = [_Level(root, entries(root), spine)]
    while stack:
        level = stack[-1]
        try:
            entry = next(level.entries, None)
        except OSError as err:
            if len(stack) == 1:
                raise
            yield Item(level.path, lost=f"cannot be listed: {err.strerror}", is_file=False)
            entry = None
        if entry is None:
            stack.pop()
            continue
        step = level.spine[0] if level.spine else ""
        if entry.name < step:
            continue
        path = os.path.join(level.path, entry.name)
        if path in ignore or entry.name == STATE_FOLDER:
            continue
        on_spine = level.spine if entry.name == step else ()
        if entry.kind == "folder":
            if len(on_spine) == 1:
                continue  # an earlier run reported that it cannot be listed
            stack.append(_Level(path, entries(path), on_spine[1:]))
        else:
            yield from _items(path, entry, after if on_spine else None)


def is_special(path: str | os.PathLike[str]) -> bool:
    """Return whether a path is neither a file nor a folder: opening a FIFO would wait for ever."""
    return os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path))


@dataclass(slots=True)
class _Level:
    """A folder being listed; ``spine`` are the names from here to the ``after`` position."""

    path: str
    entries: Iterator[Entry]
    spine: tuple[str, ...]


def _items(path: str, entry: Entry, after: Position | None) -> Iterator[Item]:
    """Yield the item at a path, unless it is done (``after`` is None: it is not)."""
    if entry.kind == "file" and (after is None or after.numbers):
        yield Item(path)
    elif after is not None:
        return
    elif entry.kind == "linked folder":
        yield Item(path, lost="a link to a folder: not followed", is_file=False)
    elif entry.kind == "lost":
        yield Item(path, lost="cannot be read: a broken link, or no permission")
    elif entry.kind == "other":
        yield Item(path, lost=SPECIAL)
