"""Folders of tables: making them, and putting one in the place of another."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def make_folders(folder: Path) -> None:
    """Make a folder and those above it that are missing, for their owner only."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir(mode=0o700, exist_ok=True)


def exchange(new: Path, folder: Path, old: Path) -> None:
    """Put ``new`` in the place of ``folder``; what was there goes to ``new`` or to ``old``.

    At once on Linux where the file system can; elsewhere ``folder`` is gone for a moment, and
    a kill in it leaves ``old`` to be put back.
    """
    if not folder.exists():
        new.rename(folder)
    elif not _exchange_at_once(new, folder):
        folder.rename(old)
        new.rename(folder)


def _exchange_at_once(one: Path, other: Path) -> bool:
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):  # not Linux, or an old C library
        return False
    names = os.fsencode(one), os.fsencode(other)
    done: int = renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE)
    return done == 0
