"""Every file below a folder, once, in the order of names, and from any place on.

Links to files are files. Links to folders are named, not followed: that no file is met twice
could not be told otherwise.
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
"""Where a collection keeps its ledger and files on their way in; never looked into."""


class Item(NamedTuple):
    """A file, a member of an archive, or something that could not be looked at.

    Attributes
    ----------
    path
        Absolute path of the file or archive.
    number, member
        Index and name of the member in the archive; -1 and empty for a file.
    lost
        Why there is nothing to read, else empty.
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
        """What it is called in tables: of a member, the archive's path and its name."""
        return f"{self.path}/{self.member}" if self.member else self.path


@dataclass(frozen=True, slots=True)
class Position:
    """A place on the way: the path of a file below the root, and its member's number."""

    path: str
    number: int = -1


def walk(
    root: str, after: Position | None = None, ignore: frozenset[str] = frozenset()
) -> Iterator[Item]:
    """Yield every file at or below ``root``.

    Nothing but the names on the way down is held in memory.

    Parameters
    ----------
    root
        Absolute path of a folder, or of one file or zip archive.
    after
        Only what comes behind this.
    ignore
        Absolute paths of files and folders that do not belong to it.

    Raises
    ------
    OSError
        The root cannot be listed.
    """
    if not os.path.isdir(root):  # a million paths as text
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
                continue  # it could not be listed, as is known already
            stack.append(_Level(path, entries(path), on_spine[1:]))
        else:
            done = after.number if after and on_spine else None
            yield from _items(path, entry, done)


@dataclass(slots=True)
class _Level:
    """A folder on the way down; ``spine`` are the names that lead to where we were before."""

    path: str
    entries: Iterator[Entry]
    spine: tuple[str, ...]


def _items(path: str, entry: Entry, done: int | None) -> Iterator[Item]:
    """Yield what is at a path, behind what is done of it (None: nothing)."""
    if entry.kind == "file":
        yield from _file(path, done)
    elif done is None and entry.kind == "linked folder":
        yield Item(path, lost="a link to a folder: not followed", is_file=False)
    elif done is None and entry.kind == "lost":
        yield Item(path, lost="cannot be looked at: a link to nowhere, or not permitted")


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
