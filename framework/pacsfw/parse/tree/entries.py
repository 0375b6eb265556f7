"""List the entries of a folder of any size, sorted by name."""

from __future__ import annotations

import heapq
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from typing import IO, Literal, NamedTuple, TypeAlias

IN_MEMORY = 100_000
"""Maximum number of entries in memory; more are sorted in pieces, in temporary files."""

Kind: TypeAlias = Literal["file", "folder", "linked folder", "lost", "other"]


class Entry(NamedTuple):
    """A name in a folder and its kind; ``lost`` cannot be examined."""

    name: str
    kind: Kind


def entries(folder: str) -> Iterator[Entry]:
    """Yield the entries of a folder, sorted by name.

    Raises
    ------
    OSError
        The folder cannot be listed.
    """
    with ExitStack() as stack:
        listing = (
            Entry(each.name, _kind(each)) for each in stack.enter_context(os.scandir(folder))
        )
        piece = sorted(islice(listing, IN_MEMORY))
        if len(piece) < IN_MEMORY:
            yield from piece
            return
        pieces = []
        while piece:
            pieces.append(_written(piece, stack))
            piece = sorted(islice(listing, IN_MEMORY))
        yield from heapq.merge(*map(_read, pieces))


def _kind(entry: os.DirEntry[str]) -> Kind:
    """Return the kind of an entry; links to files are files."""
    try:
        if entry.is_dir():
            return "linked folder" if entry.is_symlink() else "folder"
        if entry.is_file():
            return "file"
        return "lost" if entry.is_symlink() and not os.path.exists(entry.path) else "other"
    except OSError:
        return "lost"


def _written(piece: list[Entry], stack: ExitStack) -> IO[str]:
    file = stack.enter_context(tempfile.TemporaryFile("w+", encoding="ascii"))  # noqa: SIM115
    file.writelines(f"{json.dumps(entry)}\n" for entry in piece)
    file.seek(0)
    return file


def _read(file: IO[str]) -> Iterator[Entry]:
    return (Entry(*json.loads(line)) for line in file)
