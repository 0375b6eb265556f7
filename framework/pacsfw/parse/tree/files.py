"""List the files of a folder, a zip archive, a DICOMDIR or one file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

from pacsfw.parse.tree.file_reader import Listing
from pacsfw.parse.tree.walk import Item, Position, walk


class Readers(Protocol):
    """Does jobs and returns their outcomes in order, such as an `OrderedPool`."""

    def map(self, jobs: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        """Yield each job with its outcome."""


class InProcess:
    """Does the jobs in this process, instead of an `OrderedPool`."""

    def __init__(self, work: Callable[[Any], Any]) -> None:
        self._work = work

    def map(self, jobs: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        """Yield each job with its outcome."""
        return ((job, self._work(job)) for job in jobs)


def files_of(
    root: str,
    readers: Readers,
    after: Position | None = None,
    ignore: frozenset[str] = frozenset(),
) -> Iterator[Item]:
    """Yield every file at or below ``root``, or the files that it names if it is a DICOMDIR.

    Parameters
    ----------
    readers
        Read the DICOMDIR.
    after, ignore
        As for `walk`.

    Raises
    ------
    OSError
        The root cannot be listed.
    """
    named = None
    if os.path.isfile(root):
        [(_, named)] = readers.map([Listing(root)])
    if not isinstance(named, list):
        yield from walk(root, after, ignore)
        return
    done = Path(after.path).parts if after else ()
    yield from (item for item in named if Path(position(root, item).path).parts > done)


def position(root: str, item: Item) -> Position:
    """Return the position of an item, after which `files_of` can resume."""
    base = root if os.path.isdir(root) else os.path.dirname(root)
    return Position(os.path.relpath(item.path, base), item.number)
