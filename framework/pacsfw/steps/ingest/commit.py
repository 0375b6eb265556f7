"""Putting an object under its final name: whole, and never over another one."""

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
    """The object cannot have that path; says which kind of conflict it is."""


class OtherContent(Occupied):
    """An object of the same SOP Instance UID has that path, with other content."""


def commit(
    spooled: Path,
    path: Path,
    sop_uid: str,
    digest: str,
    syntax: str,
    *,
    durable_below: Path | None = None,
) -> bool:
    """Move a spool file to ``path``; the same object there already is as good.

    Parameters
    ----------
    durable_below
        The archive, if at no moment a crash or a power cut may take the object: then its new
        name lasts by the time this returns, and the spool file stays, for who records it.

    Returns
    -------
    bool
        Whether ``path`` holds these very bytes; False where the object was there already
        in another encoding, which stays.

    Raises
    ------
    Occupied
        ``path`` holds other bytes, or cannot be a file; all files are left as they are.
    OSError
        The archive cannot be written.
    """
    if not os.path.isdir(path.parent):  # quicker than Path, for every object
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        except (FileExistsError, NotADirectoryError) as err:
            raise Occupied("a file has the path of a folder that the layout gives it") from err
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
        # A crash leaves it: a reservation (below), or a name whose bytes a power cut took.
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
        found = os.stat(path)  # quicker than Path, for every object
    except FileNotFoundError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size == 0


def _copy_across(spooled: Path, path: Path, durable_below: Path | None) -> None:
    """Move it to another file system: first beside its place, as whatever is half is no object."""
    draft = path.with_name(f".{spooled.name}")  # the same at each attempt, so nothing piles up
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
    """Tell whether ``path`` holds the same bytes, False if the same object in other ones."""
    try:
        meta = read_file_meta(path)
    except (ValueError, OSError) as err:
        raise Occupied("a file that is not ours has the path that the layout gives it") from err
    if meta.sop_uid != sop_uid:
        raise Occupied("the layout gives the same path to another object")
    if meta.syntax != syntax:
        return False
    if dataset_digest(path) != digest:
        raise OtherContent("other content is stored under the same SOP Instance UID")
    return True


def dataset_digest(path: Path, size: int | None = None) -> str:
    """Return the SHA-256 of the data set, without the File Meta that we wrote.

    Parameters
    ----------
    size
        Bytes of the data set, where they are known: the File Meta is not read then.
    """
    digest = hashlib.sha256()
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if size is None:
            offset = read_file_meta(file).offset_of_dataset
        else:
            offset = os.fstat(file).st_size - size
        # Small enough for the processor's cache, and used again and again.
        buffer = memoryview(bytearray(min(_CHUNK, size or _CHUNK)))
        while count := os.preadv(file, [buffer], offset):
            digest.update(buffer[:count])
            offset += count
    finally:
        os.close(file)
    return digest.hexdigest()
