"""Which files there are to send, and what is in them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydicom.uid import MediaStorageDirectoryStorage

from pacsfw.dicom.decoding_errors import UnreadableObject
from pacsfw.dicom.header import HeaderReader
from pacsfw.dicom.part10 import read_file_meta
from pacsfw.dicom.tagpath import parse

_CLASS, _UID = "SOPClassUID", "SOPInstanceUID"


@dataclass(frozen=True, slots=True)
class Sendable:
    """A DICOM file: its object, and where its data set begins."""

    path: Path
    sop_class: str
    sop_uid: str
    syntax: str
    offset: int


@dataclass(frozen=True, slots=True)
class Unsendable:
    """A file that cannot be sent. ``foreign``: it is no DICOM file, and was not named."""

    path: Path
    reason: str
    foreign: bool = False


def files(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the files that are meant: those named, and those in the folders named.

    In stable order; hidden files and folders are left out unless they are named.
    """
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for folder, below, names in os.walk(path):
            below[:] = sorted(name for name in below if not name.startswith("."))
            for name in sorted(names):
                if not name.startswith("."):
                    yield Path(folder, name)


def look(paths: Iterable[Path], named: Iterable[Path]) -> Iterator[Sendable | Unsendable]:
    """Yield what is in each file; ``named`` are those that somebody named one by one."""
    reader = HeaderReader([parse(_CLASS), parse(_UID)])
    explicit = set(named)
    for path in paths:
        found = _look(path, reader, foreign=path not in explicit)
        if found is not None:
            yield found


def _look(path: Path, reader: HeaderReader, *, foreign: bool) -> Sendable | Unsendable | None:
    """Return what is in a file; None for a DICOMDIR, which is no object of a study."""
    try:
        meta = read_file_meta(path)
    except ValueError as err:
        return Unsendable(path, str(err), foreign)
    except OSError as err:
        return Unsendable(path, f"it cannot be read: {err.strerror}")
    if meta.sop_class == MediaStorageDirectoryStorage and foreign:
        return None
    try:
        header = reader.read(path)
        # Those of the data set: the File Meta of many a file names another object.
        sop_class = str(header.get(_CLASS) or meta.sop_class).strip("\0 ")
        uid = str(header.get(_UID) or meta.sop_uid).strip("\0 ")
    except (UnreadableObject, OSError) as err:
        return Unsendable(path, str(err) if isinstance(err, UnreadableObject) else "unreadable")
    if not sop_class or not uid:
        return Unsendable(path, f"it has no {_CLASS if not sop_class else _UID}")
    return Sendable(path, sop_class, uid, meta.syntax, meta.offset_of_dataset)
