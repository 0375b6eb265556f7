"""The spool: objects on their way in, one file each, found again after a crash.

A spool file is a Part 10 file. It is called ``<id>_<originator>_<message>.part`` while it
is being written and ``.dcm`` once it is whole; ``<originator>`` (hexadecimal Latin-1) and
``<message>`` (hexadecimal) are the Move Originator AE Title and Message ID of the C-STORE
request (PS3.7 section 9.3.1.1), empty where there were none. Names never hold anything
else that a peer sent.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import shutil
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeAlias

from pacsfw.dicom.part10 import file_head, read_file_meta

log = logging.getLogger(__name__)

PART_SUFFIX = ".part"
SEALED_SUFFIX = ".dcm"
UNREADABLE_SUFFIX = ".unreadable"

_NAME = re.compile(r"[0-9a-f]{32}_(?P<originator>(?:[0-9a-f]{2})*)_(?P<message>[0-9a-f]{0,4})")
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)


class _Record:
    """Pickles by its fields: twice for every object that arrives, so it has to be quick."""

    __slots__: ClassVar[tuple[str, ...]] = ()

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), tuple(getattr(self, name) for name in self.__slots__)


@dataclass(frozen=True, slots=True)
class Begun(_Record):
    """An object begins to arrive; ``path`` is about to be created."""

    path: Path
    sop_class: str
    sop_uid: str
    calling_ae: str
    originator_ae: str
    originator_message_id: int | None


@dataclass(frozen=True, slots=True)
class Sealed(_Record):
    """An object is whole. ``size`` counts the bytes of the data set, without the File Meta."""

    path: Path
    sop_class: str
    sop_uid: str
    syntax: str
    calling_ae: str
    originator_ae: str
    originator_message_id: int | None
    size: int


@dataclass(frozen=True, slots=True)
class Discarded(_Record):
    """An object that was begun did not arrive whole; its file is gone."""

    path: Path
    sop_uid: str
    reason: str


SpoolRecord: TypeAlias = "Begun | Sealed | Discarded"


def spool_id(path: Path) -> str:
    """Return what `Begun`, `Sealed` and `Discarded` of one object have in common."""
    return path.stem


class SpoolWriter:
    """One object being written; implements `pacsfw.api.SpoolFile`.

    Begins at once: `Begun` is reported *before* the file exists, so that whoever listens
    knows of every file there can be.

    Parameters
    ----------
    folder
        The spool folder; it must exist.
    sop_class, sop_uid, syntax
        As the sender named them; they go into the File Meta only.
    calling_ae
        Who sends the object.
    report
        Is told `Begun`, then either `Sealed` or `Discarded`.
    originator_ae, originator_message_id
        The C-MOVE request that made the sender send it, where the sender says so.

    Raises
    ------
    OSError
        The file cannot be created; `Discarded` was reported.
    ValueError
        A text has characters beyond Latin-1; nothing was reported.
    """

    def __init__(
        self,
        folder: Path,
        sop_class: str,
        sop_uid: str,
        syntax: str,
        calling_ae: str,
        report: Callable[[SpoolRecord], None],
        originator_ae: str = "",
        originator_message_id: int | None = None,
    ) -> None:
        head = file_head(sop_class, sop_uid, syntax, calling_ae)
        stem = _stem(originator_ae, originator_message_id)
        self._part = folder / (stem + PART_SUFFIX)
        self._begun = Begun(
            self._part, sop_class, sop_uid, calling_ae, originator_ae, originator_message_id
        )
        self._syntax = syntax
        self._report = report
        self._size = 0
        self._ended = False
        self._head: bytes | None = head
        self._file: int | None = None
        report(self._begun)
        try:
            self._file = os.open(self._part, _CREATE, 0o600)
        except OSError:
            report(Discarded(self._part, sop_uid, "its spool file could not be created"))
            raise

    def write(self, data: bytes | memoryview) -> None:
        """Append data-set bytes exactly as received.

        Raises
        ------
        OSError
            They could not be written (``ENOSPC`` when the disk is full).
        """
        self._size += len(data)
        if self._head is None:
            _write_all(self._descriptor(), data)
        else:
            head, self._head = self._head, None
            _write_both(self._descriptor(), head, data)

    def seal(self) -> None:
        """Close the file, give it its final name and report `Sealed`.

        Raises
        ------
        OSError
            The file could not be completed; `discard` it.
        """
        if self._head is not None:
            self.write(b"")
        self._close()
        sealed = self._part.with_suffix(SEALED_SUFFIX)
        self._part.rename(sealed)
        self._ended = True
        begun = self._begun
        self._report(
            Sealed(
                sealed,
                begun.sop_class,
                begun.sop_uid,
                self._syntax,
                begun.calling_ae,
                begun.originator_ae,
                begun.originator_message_id,
                self._size,
            )
        )

    def discard(self, reason: str = "it was given up") -> None:
        """Remove the file and report `Discarded`; does nothing once sealed or discarded.

        The reason is for people and names no patient.
        """
        if self._ended:
            return
        self._ended = True
        if self._file is not None:
            self._close()
        self._part.unlink(missing_ok=True)
        self._report(Discarded(self._part, self._begun.sop_uid, reason))

    def _close(self) -> None:
        descriptor, self._file = self._descriptor(), None
        os.close(descriptor)

    def _descriptor(self) -> int:
        if self._file is None:
            raise ValueError(f"{self._part.name} is closed")
        return self._file


def _stem(originator_ae: str, message_id: int | None) -> str:
    originator = originator_ae.encode("latin-1").hex()
    message = "" if message_id is None else f"{message_id:04x}"
    return f"{uuid.uuid4().hex}_{originator}_{message}"


def _write_all(descriptor: int, data: bytes | memoryview) -> None:
    written = os.write(descriptor, data)
    while written < len(data):
        if written == 0:
            raise OSError(errno.ENOSPC, "the disk took no more bytes")
        data = memoryview(data)[written:]
        written = os.write(descriptor, data)


def _write_both(descriptor: int, head: bytes, data: bytes | memoryview) -> None:
    written = os.writev(descriptor, (head, data))
    if written < len(head):
        _write_all(descriptor, memoryview(head)[written:])
        written = len(head)
    if written < len(head) + len(data):
        _write_all(descriptor, memoryview(data)[written - len(head) :])


def rewrite_head(sealed: Sealed, sop_uid: str) -> None:
    """Give a sealed file a File Meta that names the SOP Instance UID of its data set.

    Raises
    ------
    OSError
        The file cannot be read or written anew.
    """
    draft = sealed.path.with_suffix(PART_SUFFIX)
    with sealed.path.open("rb") as source, draft.open("wb") as target:
        os.fchmod(target.fileno(), 0o600)
        target.write(file_head(sealed.sop_class, sop_uid, sealed.syntax, sealed.calling_ae))
        source.seek(read_file_meta(sealed.path).offset_of_dataset)
        shutil.copyfileobj(source, target)
    draft.replace(sealed.path)


def adopt(folder: Path) -> list[Sealed]:
    """Take over what an earlier run left in the spool. No receiver may be running.

    Unfinished files are removed: their senders never got an answer. A sealed file that is
    no readable Part 10 file (a power cut can leave one) is renamed to ``.unreadable`` and
    logged, since nothing tells what it was.

    Returns
    -------
    list of Sealed
        The whole objects, rebuilt from file names and File Meta, sorted by path.

    Raises
    ------
    OSError
        The folder cannot be read or changed.
    """
    adopted = []
    for path in sorted(folder.iterdir()):
        if path.suffix == PART_SUFFIX:
            path.unlink(missing_ok=True)
        elif path.suffix == SEALED_SUFFIX:
            # A worker of a killed driver may be finishing this very file.
            sealed = _adopt(path) if path.exists() else None
            if sealed is not None:
                adopted.append(sealed)
    return adopted


def settle(begun: Begun) -> Sealed | Discarded:
    """Say what became of an object whose writer has died, and remove it if it is not whole.

    Raises
    ------
    OSError
        The file cannot be read or removed.
    """
    path = begun.path.with_suffix(SEALED_SUFFIX)
    sealed = _adopt(path) if path.exists() else None
    if sealed is not None:
        return sealed
    begun.path.unlink(missing_ok=True)
    return Discarded(begun.path, begun.sop_uid, "the process that received it ended")


def _adopt(path: Path) -> Sealed | None:
    try:
        return sealed_from(path)
    except ValueError as error:
        log.warning("%s: left in the spool and unreadable: %s", path, error)
        path.rename(path.with_suffix(UNREADABLE_SUFFIX))
        return None


def sealed_from(path: Path) -> Sealed:
    """Rebuild the record of a sealed spool file from its name and File Meta.

    Raises
    ------
    ValueError
        The name or the File Meta is not that of a spool file.
    OSError
        The file cannot be read.
    """
    name = _NAME.fullmatch(path.stem)
    if name is None:
        raise ValueError("its name is not that of a spool file")
    meta = read_file_meta(path)
    message = name["message"]
    return Sealed(
        path,
        meta.sop_class,
        meta.sop_uid,
        meta.syntax,
        meta.source_aet,
        bytes.fromhex(name["originator"]).decode("latin-1"),
        int(message, 16) if message else None,
        path.stat().st_size - meta.offset_of_dataset,
    )
