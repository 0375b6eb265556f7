"""The files to send, and their instances."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydicom.uid import MediaStorageDirectoryStorage

from pacsfw.api import is_uid
from pacsfw.dicom.decoding_errors import UnreadableObject
from pacsfw.dicom.header import HeaderReader
from pacsfw.dicom.part10 import read_file_meta
from pacsfw.dicom.tagpath import parse
from pacsfw.regular import NotRegular, open_regular

_CLASS, _UID = "SOPClassUID", "SOPInstanceUID"


@dataclass(frozen=True, slots=True)
class Sendable:
    """A DICOM file: its instance, and the offset of its data set."""

    path: Path
    sop_class: str
    sop_uid: str
    syntax: str
    offset: int


@dataclass(frozen=True, slots=True)
class Unsendable:
    """A file that cannot be sent. ``foreign``: not a DICOM file, and not named explicitly."""

    path: Path
    reason: str
    foreign: bool = False


def files(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the named files, and the files in the named folders.

    In stable order; hidden files and folders are skipped unless they are named. A folder that
    cannot be listed, or is a link that is not followed, is yielded itself.
    """
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        lost: list[OSError] = []
        for folder, below, names in os.walk(path, onerror=lost.append):
            below[:] = sorted(name for name in below if not name.startswith("."))
            linked = [name for name in below if os.path.islink(os.path.join(folder, name))]
            for name in sorted((*names, *linked)):
                if not name.startswith("."):
                    yield Path(folder, name)
        yield from (Path(error.filename) for error in lost)


def look(paths: Iterable[Path], named: Iterable[Path]) -> Iterator[Sendable | Unsendable]:
    """Yield the content of each file; ``named`` are the explicitly named files."""
    reader = HeaderReader([parse(_CLASS), parse(_UID)])
    explicit = set(named)
    for path in paths:
        found = _look(path, reader, foreign=path not in explicit)
        if found is not None:
            yield found


def _look(path: Path, reader: HeaderReader, *, foreign: bool) -> Sendable | Unsendable | None:
    """Return the content of a file; None for a DICOMDIR, which is not an instance of a study."""
    try:
        with open_regular(path) as file:
            meta = read_file_meta(file.fileno())
    except ValueError as err:
        return Unsendable(path, str(err), foreign)
    except NotRegular as err:
        return Unsendable(path, str(err.strerror))
    except IsADirectoryError:
        linked = "a link to a folder: not followed"
        return Unsendable(path, linked if path.is_symlink() else "a folder that cannot be listed")
    except OSError as err:
        return Unsendable(path, f"cannot be read: {err.strerror}")
    if meta.sop_class == MediaStorageDirectoryStorage and foreign:
        return None
    try:
        header = reader.read(path)
        # From the data set: the File Meta of some files names another instance.
        sop_class = str(header.get(_CLASS) or meta.sop_class).strip("\0 ")
        uid = str(header.get(_UID) or meta.sop_uid).strip("\0 ")
    except (UnreadableObject, OSError) as err:
        return Unsendable(path, str(err) if isinstance(err, UnreadableObject) else "unreadable")
    for name, text in ((_CLASS, sop_class), (_UID, uid), ("TransferSyntaxUID", meta.syntax)):
        if not is_uid(text):
            return Unsendable(path, f"its {name} is not a UID" if text else f"has no {name}")
    return Sendable(path, sop_class, uid, meta.syntax, meta.offset_of_dataset)
