"""The files of whatever a user names: a folder, a zip archive, a DICOMDIR or one file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol, Self

from pacsfw.parse.tree.file_reader import Listing
from pacsfw.parse.tree.walk import Item, Position, walk


class Readers(Protocol):
    """What does jobs and gives their outcomes in order, such as an `OrderedPool`."""

    def map(self, jobs: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        """Yield each job with its outcome."""


class Here:
    """Does the jobs in this process; in place of an `OrderedPool`."""

    def __init__(self, work: Callable[[Any], Any]) -> None:
        self._work = work

    def __enter__(self) -> Self:
        """Nothing has to be started."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing has to be ended."""

    def map(self, jobs: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        """Yield each job with its outcome."""
        return ((job, self._work(job)) for job in jobs)


def files_of(
    root: str,
    readers: Readers,
    after: Position | None = None,
    ignore: frozenset[str] = frozenset(),
) -> Iterator[Item]:
    """Yield every file at or below ``root``, those that it names if it is a DICOMDIR.

    Parameters
    ----------
    readers
        They read the DICOMDIR.
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
    """Return the place of an item, from which `files_of` goes on."""
    base = root if os.path.isdir(root) else os.path.dirname(root)
    return Position(os.path.relpath(item.path, base), item.number)
