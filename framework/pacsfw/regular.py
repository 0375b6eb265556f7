"""Open files that a user names, without waiting: a named pipe may never have a writer."""

from __future__ import annotations

import errno
import io
import os
import stat
from pathlib import Path


class NotRegular(OSError):
    """A pipe, a device or a socket; ``strerror`` says so."""


def open_regular(path: Path | str) -> io.FileIO:
    """Open a regular file, or a link to one, for reading.

    Raises
    ------
    IsADirectoryError
        It is a folder.
    NotRegular
        It is neither a file nor a folder.
    OSError
        It is missing or cannot be read.
    """
    # To open a device may already do something, and what is looked at may be replaced.
    _check(os.stat(path).st_mode, path)
    wait_for_nobody = getattr(os, "O_NONBLOCK", 0)
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | wait_for_nobody)
    try:
        _check(os.fstat(descriptor).st_mode, path)
    except OSError:
        os.close(descriptor)
        raise
    return io.FileIO(descriptor, "rb")


def _check(mode: int, path: Path | str) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise NotRegular(errno.EINVAL, "not a regular file", str(path))
