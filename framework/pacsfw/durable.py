"""Write files and names that survive a power failure, and recognize the content of a file."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def private_files() -> Iterator[None]:
    """Make new files unreadable for other users: they hold patient data."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def sync_folder(folder: Path) -> None:
    """Sync a folder, so that the names in it survive a power failure.

    Raises
    ------
    OSError
        The folder is missing or not writable.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """Write a file, readable only by its owner, that replaces ``path`` once it is complete.

    Its bytes are durable then, its name after `sync_folder`. After a failure, ``path`` is
    unchanged.

    Raises
    ------
    OSError
        It cannot be written.
    """
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def digest_of(path: str | Path) -> str:
    """Return the SHA-256 of a file in hexadecimal, as ``sha256sum`` prints it.

    Raises
    ------
    OSError
        It cannot be read.
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
