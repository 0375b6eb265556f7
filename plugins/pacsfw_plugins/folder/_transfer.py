"""A tree of DICOM files as a transfer: the files are copied, and stay as they are."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from pacsfw.api import Inbox, Outcome, Request, Transfer
from pacsfw.dimse.status import OUT_OF_RESOURCES, SUCCESS
from pacsfw_plugins._incoming import Incoming, NotKept
from pacsfw_plugins.folder._index import Image
from pacsfw_plugins.folder._shared import Indexed

_PIECE = 1 << 20
_OPEN = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
"""Opening a pipe, which a file may have been replaced by, must not wait for its writer."""
_PARTLY, _NO_SUCH_OBJECT = 0xB000, 0x0112


class FolderImport(Indexed, Transfer):
    """Takes the objects of a study from the files below a folder.

    Of an object that lies in several files the first one is taken, as the query provider
    ``folder`` counts it, which also says what a study should have.

    Parameters
    ----------
    path
        The folder.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._cancelled = threading.Event()

    def expects(self) -> tuple[str, Mapping[str, Any]]:
        """Return the query provider ``folder`` over the same folder."""
        return "folder", {"path": self._path}

    def cancel(self) -> None:
        """Take no further file."""
        self._cancelled.set()

    def fetch(self, request: Request, inbox: Inbox) -> Outcome:
        """Copy the data sets into the inbox, file after file."""
        failed: list[str] = []
        why, taken = "", 0
        for uid, image in self._wanted(request):
            if self._cancelled.is_set():
                return Outcome(status=None, status_text="cancelled", reached=taken > 0)
            try:
                _take(image.path, inbox)
                taken += 1
            except NotKept as err:
                failed.append(uid)
                why = str(err)
            except OSError as err:
                words = f"an object was not written: {err.strerror}"
                return Outcome(status=OUT_OF_RESOURCES, status_text=words)
        if failed:
            return Outcome(
                status=_PARTLY if taken else _NO_SUCH_OBJECT,
                status_text=f"files that could not be taken: {len(failed)}; {why}",
                failed=len(failed),
                failed_uids=tuple(failed),
            )
        if not taken:
            return Outcome(status=_NO_SUCH_OBJECT, status_text="the folder holds nothing of it")
        return Outcome(status=SUCCESS, status_text=f"{taken} files")

    def _wanted(self, request: Request) -> Iterator[tuple[str, Image]]:
        study = self.index().studies.get(request.study_uid)
        for uid, image in study.images.items() if study else ():
            of_series = request.series_uid in (None, image.series)
            if of_series and (not request.sop_uids or uid in request.sop_uids):
                yield uid, image


def _take(path: str, inbox: Inbox) -> None:
    """Copy one file into the inbox.

    Raises
    ------
    NotKept
        It is none any more, cannot be read, or is being changed.
    OSError
        The inbox takes no more.
    """
    incoming = Incoming(inbox)
    try:
        for piece in _pieces(path):
            incoming.write(piece)
        incoming.seal()
    except BaseException:
        incoming.discard()
        raise


def _pieces(path: str) -> Iterator[bytes]:
    try:
        descriptor = os.open(path, _OPEN)
    except OSError as err:
        raise NotKept(f"a file cannot be read: {err.strerror}") from None
    try:
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode):
            raise NotKept("a file is none any more")
        done = 0
        while piece := _read(descriptor):
            done += len(piece)
            yield piece
        if done != about.st_size:
            raise NotKept("a file is being changed")
    finally:
        os.close(descriptor)


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, _PIECE)
    except OSError as err:
        raise NotKept(f"a file cannot be read: {err.strerror}") from None
