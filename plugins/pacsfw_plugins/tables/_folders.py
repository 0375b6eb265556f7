"""Create and exchange the folders of tables; errors name the path."""

from __future__ import annotations

import ctypes
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pacsfw.errors import StateError

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


@contextmanager
def naming(path: Path, what: str) -> Iterator[None]:
    """Name the path in errors of the operating system: ``PATH: cannot be written: ...``.

    Raises
    ------
    StateError
        There was an OSError.
    """
    try:
        yield
    except OSError as err:
        raise StateError(f"{path}: cannot be {what}: {err.strerror or err}") from err


def make_folders(folder: Path) -> None:
    """Create a folder and its missing parents, each private to its owner."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)


def exchange(new: Path, folder: Path, old: Path) -> None:
    """Replace ``folder`` by ``new``; the replaced folder becomes ``new`` or ``old``.

    The exchange is atomic on Linux if the file system supports that. Otherwise ``folder`` is
    missing for a moment, and after a kill in this moment ``old`` must be renamed back.
    """
    if not folder.exists():
        new.rename(folder)
    elif not _exchange_at_once(new, folder):
        folder.rename(old)
        new.rename(folder)


def link_or_copy(path: Path, other: Path) -> None:
    """Give a file another name, or copy it where links are not possible."""
    try:
        other.hardlink_to(path)
    except OSError:
        shutil.copy2(path, other)


def _exchange_at_once(one: Path, other: Path) -> bool:
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):  # not Linux, or an old C library
        return False
    names = os.fsencode(one), os.fsencode(other)
    done: int = renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE)
    return done == 0
