"""Putting an object under its final name: whole, and never over another one."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

from pacsfw.dicom.part10 import read_file_meta

_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.EXDEV})
_CHUNK = 1 << 20


class Occupied(Exception):
    """Another object is under that name already; says which kind of conflict it is."""


def commit(spooled: Path, path: Path, sop_uid: str, digest: str, syntax: str) -> None:
    """Move a spool file to ``path``; the same object there already is as good.

    Raises
    ------
    Occupied
        ``path`` holds other bytes; both files are left as they are.
    OSError
        The archive cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        _rename_without_overwriting(spooled, path)
    except FileExistsError:
        _compare(path, sop_uid, digest, syntax)
        spooled.unlink()


def _rename_without_overwriting(spooled: Path, path: Path) -> None:
    try:
        os.link(spooled, path)
    except OSError as err:
        if err.errno not in _NO_LINKS:
            raise
        # No hard links on this file system: reserve the name, then replace the reservation.
        # A crash in between leaves an empty file, which the next attempt may take.
        if not (path.exists() and path.stat().st_size == 0):
            path.touch(mode=0o600, exist_ok=False)
        spooled.replace(path)
    else:
        spooled.unlink()


def _compare(path: Path, sop_uid: str, digest: str, syntax: str) -> None:
    try:
        meta = read_file_meta(path)
    except (ValueError, OSError) as err:
        raise Occupied("a file that is not ours has the path that the layout gives it") from err
    if meta.sop_uid != sop_uid:
        raise Occupied("the layout gives the same path to another object")
    if meta.syntax != syntax:
        return  # another encoding of an object that is stored already
    present = hashlib.sha256()
    with path.open("rb") as file:
        file.seek(meta.offset_of_dataset)
        while chunk := file.read(_CHUNK):
            present.update(chunk)
    if present.hexdigest() != digest:
        raise Occupied("other content is stored under the same SOP Instance UID")
