"""A tree of DICOM files as a transfer: the files are copied and never changed."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pacsfw.api import Inbox, Outcome, Request, Transfer
from pacsfw.dicom.part10 import read_file_meta
from pacsfw.dimse.status import OUT_OF_RESOURCES, SUCCESS
from pacsfw.regular import NotRegular, open_regular
from pacsfw_plugins._incoming import NO_SUCH_INSTANCE, PARTLY, NotKept, keep
from pacsfw_plugins.folder._shared import Indexed

_PIECE = 1 << 20


class FolderImport(Indexed, Transfer):
    """Copies the instances of a study from the files below a folder.

    The first file of each instance is copied, and further files of it whose content differs:
    which of them is right is not for the transfer to decide. The query provider ``folder``
    lists what a study contains.

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
        """Copy no further file."""
        self._cancelled.set()

    def fetch(self, request: Request, inbox: Inbox) -> Outcome:
        """Copy the data sets into the inbox, one file after another."""
        failed: list[str] = []
        why, taken, differing = "", 0, 0
        for uid, path, earlier in self._wanted(request):
            if self._cancelled.is_set():
                return Outcome(status=None, status_text="cancelled", reached=taken > 0)
            try:
                if any(_is_same(path, each) for each in earlier):
                    continue
                keep(_pieces(path), inbox)
                taken += 1
                differing += bool(earlier)
                earlier.append(path)
            except NotKept as err:
                failed.append(uid)
                why = str(err)
            except OSError as err:
                text = f"an instance could not be written: {err.strerror}"
                return Outcome(status=OUT_OF_RESOURCES, status_text=text)
        if failed:
            return Outcome(
                status=PARTLY if taken else NO_SUCH_INSTANCE,
                status_text=f"files that could not be copied: {len(failed)}; {why}",
                failed=len(failed),
                failed_uids=tuple(failed),
            )
        if not taken:
            return Outcome(
                status=NO_SUCH_INSTANCE, status_text="the folder has no matching instance"
            )
        text = f"{taken} files"
        if differing:
            text += f", of which repeat a SOP Instance UID with other content: {differing}"
        return Outcome(status=SUCCESS, status_text=text)

    def _wanted(self, request: Request) -> Iterator[tuple[str, str, list[str]]]:
        """Yield UID and path of every file of the instances.

        The list is for the files of the same instance that were copied.
        """
        study = self.index().studies.get(request.study_uid)
        if study is None:
            return
        for uid, instance in study.instances.items():
            of_series = request.series_uid in (None, instance.series)
            if of_series and (not request.sop_uids or uid in request.sop_uids):
                copied: list[str] = []
                for path in (instance.path, *study.copies.get(uid, ())):
                    yield uid, path, copied


def _is_same(path: str, other: str) -> bool:
    """Return whether two files hold the same data set in the same encoding."""
    try:
        one, two = read_file_meta(Path(path)), read_file_meta(Path(other))
        if one.syntax != two.syntax:
            return False
        with open(path, "rb") as left, open(other, "rb") as right:
            left.seek(one.offset_of_dataset)
            right.seek(two.offset_of_dataset)
            while piece := left.read(_PIECE):
                if piece != right.read(_PIECE):
                    return False
            return not right.read(1)
    except OSError as err:
        raise NotKept(f"a file cannot be read: {err.strerror}") from None
    except ValueError:
        raise NotKept("a file changed while it was read") from None


def _pieces(path: str) -> Iterator[bytes]:
    try:
        file = open_regular(path)
    except NotRegular:
        raise NotKept("a file is not a regular file any more") from None
    except OSError as err:
        raise NotKept(f"a file cannot be read: {err.strerror}") from None
    with file:
        size, done = os.fstat(file.fileno()).st_size, 0
        while piece := _read(file):
            done += len(piece)
            yield piece
        if done != size:
            raise NotKept("a file changed while it was read")


def _read(file: io.FileIO) -> bytes:
    try:
        return file.read(_PIECE)
    except OSError as err:
        raise NotKept(f"a file cannot be read: {err.strerror}") from None
