"""Writing to the spool: one file for each object, whole or gone."""

from __future__ import annotations

import errno
import hashlib
import itertools
import os
import threading
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

from pacsfw.dicom.part10 import file_head
from pacsfw.durable import sync_folder
from pacsfw.spool.records import (
    PART_SUFFIX,
    SEALED_SUFFIX,
    Begun,
    Discarded,
    Sealed,
    SpoolRecord,
    new_writer,
)

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0)
_VECTORS = 1000
"""Pieces that are written at once; Linux takes 1024."""


_Facts: TypeAlias = tuple[str, str, str, str, int | None]


class Spool:
    """The spool folder as one process writes to it; may be used by several threads.

    Parameters
    ----------
    folder
        The spool folder; it must exist.
    report
        Is told of every object when it is sealed or discarded, and before that of those
        that are announced. Never called by two threads at once.
    writer
        Who writes, as `new_writer` makes it.
    durable
        Objects survive a power cut once they are sealed.
    digest
        Take the SHA-256 of each data set as it comes, while it is in the processor's cache:
        that of what was sent, and cheaper than to read the file again.
    """

    def __init__(
        self,
        folder: Path,
        report: Callable[[SpoolRecord], None],
        writer: str = "",
        *,
        durable: bool = False,
        digest: bool = False,
    ) -> None:
        self.folder, self._durable, self._digest = folder, durable, digest
        self._report = report
        self._prefix = f"{folder}/{writer or new_writer()}"
        self._numbers = itertools.count()
        self._one_at_a_time = threading.Lock()

    def begin(
        self,
        sop_class: str,
        sop_uid: str,
        syntax: str,
        calling_ae: str,
        originator_ae: str = "",
        originator_message_id: int | None = None,
    ) -> SpoolWriter:
        """Begin an object.

        Parameters
        ----------
        sop_class, sop_uid, syntax
            As the sender named them; they go into the File Meta only.
        calling_ae
            Who sends the object.
        originator_ae, originator_message_id
            The C-MOVE request that made the sender send it, where the sender says so.

        Raises
        ------
        OSError
            The file cannot be created; `Discarded` was reported.
        ValueError
            A text has characters beyond Latin-1; nothing was reported.
        """
        head = file_head(sop_class, sop_uid, syntax, calling_ae)
        origin = _origin(originator_ae, originator_message_id)
        stem = f"{self._prefix}{next(self._numbers):016x}{origin}"
        facts = (sop_class, sop_uid, calling_ae, originator_ae, originator_message_id)
        return SpoolWriter(
            stem,
            head,
            syntax,
            facts,
            self._report,
            self._one_at_a_time,
            durable=self._durable,
            digest=self._digest,
        )


@lru_cache(maxsize=256)
def _origin(originator_ae: str, message_id: int | None) -> str:
    message = "" if message_id is None else f"{message_id:04x}"
    return f"_{originator_ae.encode('latin-1').hex()}_{message}"


class SpoolWriter:
    """One object being written; implements `pacsfw.api.SpoolFile`. Made by `Spool.begin`."""

    __slots__ = (
        "_announced",
        "_digest",
        "_durable",
        "_ended",
        "_facts",
        "_file",
        "_head",
        "_one_at_a_time",
        "_report",
        "_size",
        "_stem",
        "_syntax",
        "begun",
    )

    def __init__(
        self,
        stem: str,
        head: bytes,
        syntax: str,
        facts: _Facts,
        report: Callable[[SpoolRecord], None],
        one_at_a_time: threading.Lock,
        *,
        durable: bool,
        digest: bool,
    ) -> None:
        self._durable = durable
        self._digest = hashlib.sha256() if digest else None
        self._stem, self._syntax, self._facts = stem, syntax, facts
        self._report, self._one_at_a_time = report, one_at_a_time
        self._head: bytes | None = head
        self._size = 0
        self._announced = self._ended = False
        self._file = -1
        self.begun = time.monotonic()
        try:
            self._file = os.open(stem + PART_SUFFIX, _CREATE, 0o600)
        except OSError:
            self._discarded("its spool file could not be created")
            raise

    def announce(self) -> None:
        """Report `Begun`, unless that or the end was reported before. From any thread."""
        with self._one_at_a_time:
            if not (self._announced or self._ended):
                self._announced = True
                self._report(Begun(self._stem + PART_SUFFIX, *self._facts))

    def write(self, data: bytes | memoryview) -> None:
        """Append data-set bytes exactly as received.

        Raises
        ------
        OSError
            They could not be written (``ENOSPC`` when the disk is full).
        """
        self.write_parts([data])

    def write_parts(self, parts: Sequence[bytes | memoryview]) -> None:
        """Append several pieces of the data set at once.

        Raises
        ------
        OSError
            They could not be written (``ENOSPC`` when the disk is full).
        """
        if self._file < 0:
            raise ValueError("the spool file is closed")
        size = sum(map(len, parts))
        self._size += size
        if self._digest is not None:
            for part in parts:
                self._digest.update(part)
        if self._head is not None:
            parts = [self._head, *parts]
            size += len(self._head)
            self._head = None
        if len(parts) > _VECTORS:
            parts = [b"".join(parts)]
        written = os.writev(self._file, parts)
        if written < size:
            _write_rest(self._file, b"".join(parts), written)

    def seal(self) -> None:
        """Close the file, give it its final name and report `Sealed`.

        Raises
        ------
        OSError
            The file could not be completed; `discard` it.
        """
        if self._head is not None:
            self.write_parts([])
        if self._durable:
            os.fsync(self._file)
        file, self._file = self._file, -1
        os.close(file)
        sealed = self._stem + SEALED_SUFFIX
        os.rename(self._stem + PART_SUFFIX, sealed)  # quicker than Path, for every object
        if self._durable:
            sync_folder(Path(sealed).parent)
        sop_class, sop_uid, calling, originator, message = self._facts
        with self._one_at_a_time:
            self._ended = True
            self._report(
                Sealed(
                    sealed,
                    sop_class,
                    sop_uid,
                    self._syntax,
                    calling,
                    originator,
                    message,
                    self._size,
                    self._digest.hexdigest() if self._digest is not None else "",
                )
            )

    def discard(self, reason: str = "it was given up") -> None:
        """Remove the file and report `Discarded`; does nothing once sealed or discarded.

        The reason is for people and names no patient.
        """
        if self._ended:
            return
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        Path(self._stem + PART_SUFFIX).unlink(missing_ok=True)
        self._discarded(reason)

    def _discarded(self, reason: str) -> None:
        with self._one_at_a_time:
            self._ended = True
            self._report(Discarded(self._stem + PART_SUFFIX, self._facts[1], reason))


def _write_rest(descriptor: int, data: bytes, written: int) -> None:
    rest = memoryview(data)[written:]
    while rest:
        count = os.write(descriptor, rest)
        if count == 0:
            raise OSError(errno.ENOSPC, "the disk took no more bytes")
        rest = rest[count:]
