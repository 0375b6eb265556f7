"""Recognize the parse that a state folder belongs to, also after source or table were moved."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Self

from pacsfw.errors import StateError
from pacsfw.ledger import Ledger
from pacsfw.parse.loop import PROGRESS_FACT
from pacsfw.parse.tree.tally import Tally
from pacsfw.steps.deliver.writing import Written

REQUEST_FACT = "parse-request"
"""Ledger fact: the identity of source, target and tags."""

MARKS_FACT = "parse-marks"
"""Ledger fact: [position, mark] of each table with rows when a run was interrupted."""

ENTRIES = 1000
"""Number of files whose names and sizes identify a tree."""

HEADS = 16
"""Number of files of which the beginning, with the UIDs of an instance, identifies a tree."""

HEAD_BYTES = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a parse reads and writes.

    Attributes
    ----------
    root, table
        Path of the tree, and name of the instance table.
    content
        Digest of the tree, see `digest_of`; empty: not known.
    place
        Path of the table relative to the state folder; empty for a database on a server.
    tags
        Digest of the tags.
    """

    root: str
    table: str
    tags: str
    content: str = ""
    place: str = ""

    @classmethod
    def recorded(cls, ledger: Ledger) -> Self | None:
        """Return the identity of the parse that was begun; None if there is none."""
        found = json.loads(ledger.get_value(REQUEST_FACT) or "null")
        if found is None:
            return None
        if isinstance(found, list):  # of an older version
            return cls(root=found[0], table=found[1], tags=found[2])
        return cls(**found)

    def record(self, ledger: Ledger) -> None:
        """Record it for later runs."""
        ledger.set_value(REQUEST_FACT, json.dumps(asdict(self)))

    def writes_as(self, other: Self) -> bool:
        """Return whether both write the same table with the same tags.

        A table that was moved together with the state folder is the same.
        """
        moved_along = bool(self.place) and self.place == other.place
        return self.tags == other.tags and (self.table == other.table or moved_along)

    def reads_in_place(self, other: Self) -> bool:
        """Return whether both read the same tree, at the same place by whatever path."""
        with suppress(OSError):
            return self.root == other.root or Path(self.root).samefile(other.root)
        return False

    def reads_as(self, other: Self) -> bool:
        """Return whether both read trees with the same content."""
        return bool(self.content) and self.content == other.content


def has_progress(ledger: Ledger) -> bool:
    """Return whether the tables were begun."""
    return _progress(ledger) is not None


def restart(ledger: Ledger, tables: Sequence[Written]) -> None:
    """Record that nothing was read; the tables are ours, and empty now."""
    _set_progress(
        ledger,
        {
            "after": None,
            "tally": Tally().as_json(),
            "positions": {each.name: each.sink.position() for each in tables},
        },
    )


def rename_tables(ledger: Ledger, tables: Sequence[Written]) -> None:
    """Record the positions under the present names of the tables, which may have been moved."""
    progress = _progress(ledger)
    if progress is not None:
        names = (each.name for each in tables)
        positions = dict(zip(names, progress["positions"].values(), strict=False))
        _set_progress(ledger, {**progress, "positions": positions})


def remember_marks(ledger: Ledger, tables: Sequence[Written]) -> None:
    """Record by what a later run recognizes that nobody has edited the tables."""
    progress = _progress(ledger)
    positions = progress["positions"].values() if progress else ()
    found = [
        (position, each.sink.mark(each.table, position))
        for each, position in zip(tables, positions, strict=False)
    ]
    ledger.set_value(MARKS_FACT, json.dumps(found))


def marks(ledger: Ledger, tables: Sequence[Written]) -> Iterator[tuple[Written, int, str]]:
    """Yield each table that `remember_marks` knew, with position and mark."""
    found = json.loads(ledger.get_value(MARKS_FACT) or "[]")
    for each, (position, mark) in zip(tables, found, strict=False):
        yield each, position, mark


def check_mark(written: Written, position: int, mark: str) -> None:
    """Refuse a table with another mark.

    Raises
    ------
    StateError
        It was edited or replaced.
    """
    if mark and written.sink.mark(written.table, position) != mark:
        raise StateError(
            f"table {written.name}: holds other rows than this parse has written: it was edited "
            "or replaced; --force starts over and replaces it"
        )


def _progress(ledger: Ledger) -> dict[str, Any] | None:
    progress: dict[str, Any] | None = json.loads(ledger.get_value(PROGRESS_FACT) or "null")
    return progress


def _set_progress(ledger: Ledger, progress: Mapping[str, Any]) -> None:
    ledger.set_value(PROGRESS_FACT, json.dumps(progress))


def digest_of(root: Path, ignore: AbstractSet[str]) -> str:
    """Return a digest of a tree: names and sizes of its first files, the beginnings of a few.

    Parameters
    ----------
    ignore
        Paths of files and folders that are not part of it.
    """
    digest = hashlib.sha256()
    files = [root] if root.is_file() else islice(_files(root, ignore), ENTRIES)
    for number, path in enumerate(files):
        name = "" if path == root else os.fsdecode(os.path.relpath(path, root))
        digest.update(name.encode("utf-8", "surrogateescape"))
        with suppress(OSError):
            digest.update(f" {path.stat().st_size}\n".encode())
            if number < HEADS and path.is_file():  # reading a pipe would wait
                with path.open("rb") as file:
                    digest.update(file.read(HEAD_BYTES))
    return digest.hexdigest()


def _files(root: Path, ignore: AbstractSet[str]) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if f"{folder}/{name}" not in ignore)
        yield from (
            Path(folder, name) for name in sorted(names) if f"{folder}/{name}" not in ignore
        )
