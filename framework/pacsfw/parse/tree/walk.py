"""List every file below a folder once, sorted by path, from any position on.

Links to files are files. Links to folders are reported, not followed, so that no file is read
twice.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import NamedTuple

from pacsfw.parse.tree.entries import Entry, entries
from pacsfw.parse.tree.zips import Unlisted, is_archive, members

STATE_FOLDER = ".pacsfw"
"""Folder of a collection's ledger and spool; it is never read."""


class Item(NamedTuple):
    """A file, a member of a zip archive, or an entry that cannot be read.

    Attributes
    ----------
    path
        Absolute path of the file or zip archive.
    number, member
        Index and name of the member in the zip archive; -1 and empty for a file.
    lost
        The reason why it cannot be read; empty if it can.
    is_file
        False for a folder that could not be listed.
    """

    path: str
    number: int = -1
    member: str = ""
    lost: str = ""
    is_file: bool = True

    @property
    def place(self) -> str:
        """Its path in tables; for a member, the path of the zip archive and the member's name."""
        return f"{self.path}/{self.member}" if self.member else self.path


@dataclass(frozen=True, slots=True)
class Position:
    """The path of a file relative to the root, and the number of a member."""

    path: str
    number: int = -1


def walk(
    root: str, after: Position | None = None, ignore: frozenset[str] = frozenset()
) -> Iterator[Item]:
    """Yield every file at or below ``root``.

    Memory use does not depend on the number of files.

    Parameters
    ----------
    root
        Absolute path of a folder, or of one file or zip archive.
    after
        Skip everything up to this position.
    ignore
        Absolute paths of files and folders to skip.

    Raises
    ------
    OSError
        The root cannot be listed.
    """
    if not os.path.isdir(root):  # str is cheaper than Path for a million files
        yield from _file(root, after.number if after else None)
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
            done = after.number if after and on_spine else None
            yield from _items(path, entry, done)


@dataclass(slots=True)
class _Level:
    """A folder being listed; ``spine`` are the names from here to the ``after`` position."""

    path: str
    entries: Iterator[Entry]
    spine: tuple[str, ...]


def _items(path: str, entry: Entry, done: int | None) -> Iterator[Item]:
    """Yield the items at a path, after member number ``done`` (None: all)."""
    if entry.kind == "file":
        yield from _file(path, done)
    elif done is None and entry.kind == "linked folder":
        yield Item(path, lost="a link to a folder: not followed", is_file=False)
    elif done is None and entry.kind == "lost":
        yield Item(path, lost="cannot be read: a broken link, or no permission")


def _file(path: str, done: int | None) -> Iterator[Item]:
    if not is_archive(path):
        if done is None:
            yield Item(path)
        return
    try:
        for number, name in members(path):
            if done is None or number > done:
                yield Item(path, number, name)
    except Unlisted as err:
        if done is None:
            yield Item(path, lost=str(err))
