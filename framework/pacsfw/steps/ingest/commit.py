"""Giving an instance its final name: complete, and without overwriting another file."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
from pathlib import Path

from pacsfw.dicom.part10 import read_file_meta
from pacsfw.steps.ingest.durability import sync_folders

_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.EXDEV})
_CHUNK = 1 << 16


class Occupied(Exception):
    """The instance cannot have that path; the text names the kind of conflict."""


class PathConflict(Occupied):
    """The layout gives that path to something else; the text is what the layout does."""


class OtherContent(Occupied):
    """An instance with the same SOP Instance UID has that path, with other content."""


def commit(
    spooled: Path,
    path: Path,
    sop_uid: str,
    digest: str,
    syntax: str,
    *,
    durable_below: Path | None = None,
) -> bool:
    """Move a spool file to ``path``, unless the same instance is stored there already.

    Parameters
    ----------
    durable_below
        The dataset folder, if no crash or power cut may lose the instance at any time: then
        the new name is durable when this returns, and the caller deletes the spool file once
        the instance is recorded.

    Returns
    -------
    bool
        Whether ``path`` holds the same bytes; False if it already held the instance in another
        encoding, which stays.

    Raises
    ------
    Occupied
        ``path`` holds other bytes, or cannot be a file; no file is changed.
    OSError
        The dataset folder cannot be written.
    """
    if not os.path.isdir(path.parent):  # faster than Path
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        except (FileExistsError, NotADirectoryError) as err:
            raise PathConflict("names a folder, but a file has its path") from err
    same = True
    try:
        _rename_without_overwriting(spooled, path, durable_below)
    except FileExistsError:
        same = _compare(path, sop_uid, digest, syntax)
        _sync_folders(path, durable_below)
        _give_up(spooled, durable_below)
    return same


def _rename_without_overwriting(spooled: Path, path: Path, durable_below: Path | None) -> None:
    if _is_empty(path):
        # Left by a crash: a reservation (below), or a file whose bytes a power cut lost.
        path.unlink()
    try:
        os.link(spooled, path)
    except OSError as err:
        if err.errno == errno.EXDEV:
            _copy_across(spooled, path, durable_below)
            return
        if err.errno not in _NO_LINKS:
            raise
        # No hard links on this file system: reserve the name, then replace the reservation.
        path.touch(mode=0o600, exist_ok=False)
        _sync_folders(path, durable_below)
        spooled.replace(path)
    else:
        _sync_folders(path, durable_below)
        _give_up(spooled, durable_below)


def _give_up(spooled: Path, durable_below: Path | None) -> None:
    if durable_below is None:
        spooled.unlink()


def _sync_folders(path: Path, durable_below: Path | None) -> None:
    if durable_below is not None:
        sync_folders(path, durable_below)


def _is_empty(path: Path) -> bool:
    try:
        found = os.stat(path)  # faster than Path
    except FileNotFoundError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size == 0


def _copy_across(spooled: Path, path: Path, durable_below: Path | None) -> None:
    """Move it to another file system: copied to a temporary name first, then renamed.

    So no partial file is ever visible.
    """
    draft = path.with_name(f".{spooled.name}")  # the same in each attempt, so none are left over
    try:
        shutil.copyfile(spooled, draft)
        draft.chmod(0o600)
        if durable_below is not None:
            with draft.open("rb") as file:
                os.fsync(file.fileno())
        _rename_without_overwriting(draft, path, durable_below)
    finally:
        draft.unlink(missing_ok=True)
    _give_up(spooled, durable_below)


def _compare(path: Path, sop_uid: str, digest: str, syntax: str) -> bool:
    """Return whether ``path`` holds the same bytes; False for another encoding of them."""
    try:
        meta = read_file_meta(path)
    except (ValueError, OSError) as err:
        raise Occupied("its path in the dataset folder is taken by an unknown file") from err
    if meta.sop_uid != sop_uid:
        raise PathConflict("gives the same path to another instance")
    if meta.syntax != syntax:
        return False
    if dataset_digest(path) != digest:
        raise OtherContent("other content is stored under the same SOP Instance UID")
    return True


def dataset_digest(path: Path, size: int | None = None) -> str:
    """Return the SHA-256 of the data set, without the File Meta.

    Parameters
    ----------
    size
        Bytes of the data set, if known: then the File Meta is not read.
    """
    digest = hashlib.sha256()
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if size is None:
            offset = read_file_meta(file).offset_of_dataset
        else:
            offset = os.fstat(file).st_size - size
        # Small enough for the processor's cache, and reused.
        buffer = memoryview(bytearray(min(_CHUNK, size or _CHUNK)))
        while count := os.preadv(file, [buffer], offset):
            digest.update(buffer[:count])
            offset += count
    finally:
        os.close(file)
    return digest.hexdigest()
