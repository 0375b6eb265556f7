"""Writing to the spool: one file per instance, complete or removed."""

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
"""Maximum number of pieces in one write; Linux allows 1024."""

_Facts: TypeAlias = tuple[str, str, str, str, int | None, str]


class Spool:
    """The spool folder as one process writes to it; may be used by several threads.

    Parameters
    ----------
    folder
        The spool folder; it must exist.
    report
        Receives the record of every instance when it is sealed or discarded, and of those
        announced before that. Never called by two threads at once.
    writer
        The ID of the writer, from `new_writer`.
    durable
        Sealed instances survive a power cut.
    digest
        Compute the SHA-256 of each data set on arrival, while it is in the processor's cache:
        this is cheaper than to read the file again.
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
        self.folder, self.durable, self.digest = folder, durable, digest
        self.report = report
        self.one_at_a_time = threading.Lock()
        """Held while a record is reported."""
        self._prefix = f"{folder}/{writer or new_writer()}"
        self._numbers = itertools.count()

    def begin(
        self,
        sop_class: str,
        sop_uid: str,
        syntax: str,
        calling_ae: str,
        originator_ae: str = "",
        originator_message_id: int | None = None,
        address: str = "",
    ) -> SpoolWriter:
        """Begin an instance.

        Parameters
        ----------
        sop_class, sop_uid, syntax
            As the sender named them; they go into the File Meta only.
        originator_ae, originator_message_id
            The C-MOVE request behind the instance, if the sender names it.
        address
            The address of the sender; empty if we fetch the instance ourselves.

        Raises
        ------
        OSError
            The file cannot be created; `Discarded` was reported.
        ValueError
            A text has characters beyond Latin-1; nothing was reported.
        """
        head = file_head(sop_class, sop_uid, syntax, calling_ae)
        origin = _origin(originator_ae, originator_message_id, address)
        stem = f"{self._prefix}{next(self._numbers):016x}{origin}"
        facts = (sop_class, sop_uid, calling_ae, originator_ae, originator_message_id, address)
        return SpoolWriter(self, stem, head, syntax, facts)


@lru_cache(maxsize=256)
def _origin(originator_ae: str, message_id: int | None, address: str) -> str:
    message = "" if message_id is None else f"{message_id:04x}"
    originator, sender = (text.encode("latin-1").hex() for text in (originator_ae, address))
    return f"_{originator}_{message}_{sender}"


class SpoolWriter:
    """One instance being written; implements `pacsfw.api.SpoolFile`. Made by `Spool.begin`."""

    __slots__ = (
        "_announced",
        "_digest",
        "_ended",
        "_facts",
        "_file",
        "_head",
        "_size",
        "_spool",
        "_stem",
        "_syntax",
        "begun",
    )

    def __init__(self, spool: Spool, stem: str, head: bytes, syntax: str, facts: _Facts) -> None:
        self._spool, self._stem, self._syntax, self._facts = spool, stem, syntax, facts
        self._digest = hashlib.sha256() if spool.digest else None
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

    @property
    def id(self) -> str:
        """The ID that the records of this instance share, as `spool_id` returns it."""
        return self._stem.rpartition("/")[2].partition("_")[0]

    def announce(self) -> None:
        """Report `Begun`, unless it or the end was already reported. From any thread."""
        with self._spool.one_at_a_time:
            if not (self._announced or self._ended):
                self._announced = True
                self._spool.report(Begun(self._stem + PART_SUFFIX, *self._facts))

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes of the data set, as `write_parts` does."""
        self.write_parts([data])

    def write_parts(self, parts: Sequence[bytes | memoryview]) -> None:
        """Append pieces of the data set exactly as received.

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
        if self._spool.durable:
            os.fsync(self._file)
        file, self._file = self._file, -1
        os.close(file)
        sealed = self._stem + SEALED_SUFFIX
        os.rename(self._stem + PART_SUFFIX, sealed)  # faster than Path
        if self._spool.durable:
            sync_folder(Path(sealed).parent)
        sop_class, sop_uid, calling, originator, message, address = self._facts
        with self._spool.one_at_a_time:
            self._ended = True
            self._spool.report(
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
                    address,
                )
            )

    def discard(self, reason: str = "it was given up") -> None:
        """Remove the file and report `Discarded`; do nothing if sealed or discarded before.

        ``reason`` is shown to people and names no patient.
        """
        if self._ended:
            return
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        Path(self._stem + PART_SUFFIX).unlink(missing_ok=True)
        self._discarded(reason)

    def _discarded(self, reason: str) -> None:
        with self._spool.one_at_a_time:
            self._ended = True
            self._spool.report(Discarded(self._stem + PART_SUFFIX, self._facts[1], reason))


def _write_rest(descriptor: int, data: bytes, written: int) -> None:
    rest = memoryview(data)[written:]
    while rest:
        count = os.write(descriptor, rest)
        if count == 0:
            raise OSError(errno.ENOSPC, "no free space on the disk")
        rest = rest[count:]
