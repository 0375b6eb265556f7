"""Read every file of a folder, an archive or a DICOMDIR, or one file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from pacsfw.parse.tree.archives import Archives
from pacsfw.parse.tree.file_reader import Container, Listing
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


class TreeReader:
    """Reads the files of a tree, members of archives included, in their order.

    Parameters
    ----------
    root
        Absolute path of a folder, or of one file, archive or DICOMDIR.
    readers
        Their workers are `FileReader`.
    folder
        Folder for unpacked archives that are in another one.
    ignore
        As for `walk`.
    is_stopped
        Once it returns True, no further file is read.
    """

    def __init__(
        self,
        root: str,
        readers: Readers,
        folder: Path,
        ignore: frozenset[str] = frozenset(),
        is_stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self._root, self._readers, self._ignore = root, readers, ignore
        self._archives, self._is_stopped = Archives(folder), is_stopped

    def read(self, after: Position | None = None, limit: int = 0) -> Iterator[tuple[Item, Any]]:
        """Yield every file and member with its outcome.

        Parameters
        ----------
        after
            Skip everything up to this position.
        limit
            Maximum number of files; 0: no limit.

        Raises
        ------
        OSError
            The root cannot be listed.
        """
        items = files_of(self._root, self._readers, after, self._ignore)
        # An archive of which all was read before has no more members: hence one more.
        items = islice(items, limit + 1 if limit else None)
        try:
            yield from islice(self._outcomes(items, after), limit or None)
        finally:
            self._archives.close()

    def _outcomes(
        self, items: Iterator[Item], after: Position | None
    ) -> Iterator[tuple[Item, Any]]:
        for item, outcome in self._readers.map(self._until_stopped(items)):
            if not isinstance(outcome, Container):
                yield item, outcome
                continue
            done = _numbers_within(after, item, self._root)
            # After a stop, what follows an incomplete archive is not yielded: a later run
            # resumes after the last item that was.
            if not self._is_stopped():
                yield from self._outcomes(self._archives.members(item, done), after)
            if self._is_stopped():
                return

    def _until_stopped(self, items: Iterator[Item]) -> Iterator[Item]:
        for item in items:
            if self._is_stopped():
                return
            yield item


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
    return Position(os.path.relpath(item.path, base), item.numbers)


def _numbers_within(after: Position | None, item: Item, root: str) -> tuple[int, ...]:
    """Return the numbers, within an archive, of the position after which to resume."""
    if after is None or position(root, item).path != after.path:
        return ()
    depth = len(item.numbers)
    return after.numbers[depth:] if after.numbers[:depth] == item.numbers else ()
